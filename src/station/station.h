/* SPDX-License-Identifier: Apache-2.0 */
/* Station, inside: its parts, and what commands need of it. Context thread, but where said. */
#ifndef KRI_STATION_H
#define KRI_STATION_H

#include "station_file.h"
#include <kryos/clock.h>
#include <kryos/monitor.h>
#include <kryos/queue.h>
#include <kryos/station.h>

struct kri_json;

struct kri_station_relay {
	struct kri_station_relay *next;
	char name[32];
	struct kryos_relay *relay;
	struct kryos_task *task;
	/* certificates.c */
	int64_t cert_until_ns; /* the earliest end of its certificates; INT64_MAX: none ends, or none is known */
	int64_t cert_read_ns;  /* when that was read, on the boot clock; 0: not yet */
	char cert_path[256];   /* the file of that one */
};

struct kri_station_power {
	struct kri_station_power *next;
	char name[32];
	struct kryos_power *power;
};

/* An event that belongs in the store, on its way from the thread that pushed it. */
struct kri_station_news {
	struct kri_station_news *next;
	struct kryos_event event; /* its strings follow in the same block */
};

/* A sensor that gives nothing, and why. */
struct kri_station_lost {
	struct kri_station_lost *next;
	int code;
	char name[32];
	char text[256];
};

/* watch.c: follows the context's events; proves that the store moves. */
struct kri_station_watch {
	struct kri_tap tap;
	struct kri_io io; /* an eventfd: a tap may not post notes */
	struct kri_timer timer;
	pthread_mutex_t lock; /* below; taken under the context's */
	struct kryos_sample *latest;
	uint32_t latest_count;
	struct kri_station_lost *lost;
	struct kri_station_news *news, **news_tail;
	unsigned int news_count, news_lost;
	bool restart_seen;
	/* Context thread only. */
	uint64_t attempts;
	int64_t fed_ns;
};

/* Who must know that the station is going, such as a door. */
struct kri_station_user {
	struct kri_station_user *next;
	void (*closing)(struct kri_station_user *user);
};

struct kryos_station {
	struct kri_object object; /* the newest of its parts, so that it closes them and not the context */
	struct kryos_ctx *ctx;
	struct kryos_station_config config;
	struct kri_station_file *file;
	char store_path[4096];
	struct kryos_store *store;
	struct kryos_watchdog *watchdog;
	struct kryos_task *sampler_task, *store_task;
	struct kri_station_power *powers;
	struct kryos_monitor *monitor; /* alarms.c */
	struct kryos_sampler *sampler;
	struct kri_station_relay *relays;
	struct kri_station_output *outputs; /* outputs.c */
	struct kri_station_button *buttons; /* buttons.c */
	struct kri_station_watch watch;
	struct kri_station_user *users;
	int64_t opened_boot_ns;
	struct kryos_time tested; /* when the alarms were last; t_wall_ns 0: never */
	int watchdog_error;       /* why there is none although the file asks for one */
	int rtc_error;
	char rtc_device[160]; /* the clock that is used because the file said so; "": none */
	bool started;         /* ... is on record */
	bool broken;          /* a reload failed, and the file before it could not be put in force again */
	char watchdog_text[200];
	char rtc_text[200];
};

/*
 * alarms.c: what the file's alarms watch, and nothing else, is watched from now on, by their rules; before the sampler
 * is open, or again while it is.
 */
int kri_station_open_alarms(struct kryos_station *station, const struct kri_station_file *file);
/* What the store keeps of them, by the rules that were in force: for a station of its store only. */
int kri_station_visit_alarms(struct kryos_station *station, const struct kri_station_file *file);
void kri_station_close_alarms(struct kryos_station *station);
/* noted.c: the store, with what runs as the first event of a start; what the file says, where it changed. */
int kri_station_open_store(struct kryos_station *station, const struct kryos_store_config *config);
void kri_station_note(struct kryos_station *station, const struct kri_station_file *file);

/* parts.c: opens what a file says; what is open already and said alike stays. Unwinds nothing: the caller does. */
int kri_station_open_parts(struct kryos_station *station, const struct kri_station_file *file);
void kri_station_close_parts(struct kryos_station *station);
/* The sampler is closed if sensors are to go: one of them may have the clock's place. */
void kri_station_use_rtc(struct kryos_station *station, const struct kri_station_file *file);
/* The power of sensors; open before the sampler is, until it is closed. */
int kri_station_open_powers(struct kryos_station *station, const struct kri_station_file *file);
void kri_station_close_powers(struct kryos_station *station);
int kri_station_open_sampler(struct kryos_station *station, const struct kri_station_file *file);
void kri_station_close_sampler(struct kryos_station *station);
int kri_station_add_sensor(struct kryos_station *station, const struct kri_station_file *file,
                           const struct kri_section *section);
int kri_station_open_relay(struct kryos_station *station, const struct kri_station_file *file,
                           const struct kri_section *section);
void kri_station_close_relay(struct kryos_station *station, const char *name);
/* How long the sampler may take to prove progress: two of its rounds at least. 0: too long for a task. */
int64_t kri_station_sampler_deadline(const struct kri_station_file *file);
/* A warning for each remark that before (NULL: nothing) did not have. */
void kri_station_warn(struct kryos_station *station, const struct kri_station_file *file,
                      const struct kri_station_file *before);

int kri_station_watch_start(struct kryos_station *station);
void kri_station_watch_stop(struct kryos_station *station);
/* The newest sample of a channel since start; false: none. index counts channels that have one, from 0. Any thread. */
bool kri_station_get_latest(struct kryos_station *station, unsigned int index, struct kryos_sample *ret_sample);

/* Why a sample has no value, where its sensor was announced as lost for that; false, and "": nothing is known. Any
 * thread. */
bool kri_station_get_reason(struct kryos_station *station, const struct kryos_sample *sample, char *ret_text,
                            size_t size);
/* Forgets samples and losses, because the sensors are others from now on. */
void kri_station_watch_forget(struct kryos_station *station);

void kri_station_add_user(struct kryos_station *station, struct kri_station_user *user);
void kri_station_remove_user(struct kryos_station *station, struct kri_station_user *user);

/* What needs somebody's eye, as a sentence. */
typedef void (*kri_problem_fn)(void *data, const char *text);

/* certificates.c. Until when a relay's certificates are good, read anew once an hour; INT64_MAX: nothing is known of an
 * end. */
int64_t kri_station_certificates_until(struct kryos_station *station, struct kri_station_relay *relay);
/* What ends within a month, or has. */
void kri_station_each_old_certificate(struct kryos_station *station, const struct kryos_time *now,
                                      kri_problem_fn problem, void *data);

/* outputs.c */
struct kri_station_output;
int kri_station_open_output(struct kryos_station *station, const struct kri_section *section);
/* NULL: the first. */
void kri_station_close_output(struct kryos_station *station, const char *name);
/* "on", "off" or "blink" for ten seconds, then again what it shows. -ENOENT; as it is lost. */
int kri_station_try_output(struct kryos_station *station, const char *name, const char *state);
struct kri_json *kri_station_outputs(struct kryos_station *station);

/* buttons.c */
struct kri_station_button;
int kri_station_open_button(struct kryos_station *station, const struct kri_section *section);
/* NULL: the first. */
void kri_station_close_button(struct kryos_station *station, const char *name);

/* None: nothing is known to be wrong. */
void kri_station_each_problem(struct kryos_station *station, kri_problem_fn problem, void *data);
void kri_station_each_lost_output(struct kryos_station *station, kri_problem_fn problem, void *data);
void kri_station_each_lost_button(struct kryos_station *station, kri_problem_fn problem, void *data);

/* status.c. NULL: out of memory. */
struct kri_json *kri_station_status(struct kryos_station *station);
struct kri_json *kri_station_readings(struct kryos_station *station);
struct kri_json *kri_queue_status_json(const struct kryos_queue_status *status);

#endif
