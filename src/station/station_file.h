/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Station file, inside: /etc/kryos/station.ini as a plain list of sections, read and judged whole
 * before anything is opened. One table (keys.def) says which keys there are, of what kind, with what default.
 */
#ifndef KRI_STATION_FILE_H
#define KRI_STATION_FILE_H

#include "../config/config.h"
#include <kryos/alarm.h>
#include <kryos/channel.h>
#include <kryos/clock.h>
#include <kryos/line.h>
#include <kryos/relay.h>
#include <kryos/sampler.h>
#include <kryos/store.h>
#include <kryos/sys/sensor.h>
#include <kryos/watchdog.h>
#include <stdio.h>

/* KRI_SECTION_SENSOR, ...: in the order in which a file is printed. */
enum kri_section_kind {
#define KRYOS_SECTION(symbol, name, labelled, label_max, dotted, doc) KRI_SECTION_##symbol,
#include "keys.def"
	KRI_SECTION_COUNT
};

/* KRI_SENSOR_EVERY, ... What a rule's keys say is src/alarm's to judge. */
enum kri_key {
#define KRYOS_KEY(section, symbol, name, kind, default_id, in_force, words, doc) KRI_##section##_##symbol,
#include "keys.def"
	KRI_KEY_COUNT
};

enum kri_value_kind {
	KRI_VALUE_TEXT,
	KRI_VALUE_NAME,   /* 1 to 31 of a-z 0-9 _ - */
	KRI_VALUE_PATH,   /* absolute */
	KRI_VALUE_CHOICE, /* one of the words in choices */
	KRI_VALUE_DURATION,
	KRI_VALUE_RECORD, /* a duration, or "every" (0) */
	KRI_VALUE_SIZE,
	KRI_VALUE_COUNT,
	KRI_VALUE_PERCENT,
	KRI_VALUE_RATE,   /* decimal per second, kept per 1000 s */
	KRI_VALUE_FROZEN, /* a duration, or "never" (KRYOS_FROZEN_NEVER) */
	KRI_VALUE_MICRO,  /* decimal, kept in millionths */
	KRI_VALUE_DATE    /* a day, kept as its beginning in UTC */
};

struct kri_key_info {
	enum kri_section_kind section;
	const char *name;
	enum kri_value_kind kind;
	int default_id;           /* enum kri_default_id, or -1 */
	const char *default_text; /* what is in force without it; NULL: nothing */
	const char *choices;      /* space-separated */
};
extern const struct kri_key_info kri_station_keys[KRI_KEY_COUNT];

struct kri_section_info {
	const char *name;
	bool labelled;    /* [sensor fridge] */
	size_t label_max; /* bytes */
	bool dotted;      /* the label is a channel: [channel fridge.temperature] */
};
extern const struct kri_section_info kri_station_sections[KRI_SECTION_COUNT];

struct kri_entry {
	int line;   /* 0: not in the file */
	char *text; /* as written; NULL: not in the file, or refused */
	int64_t number;
};

/* A key that the sensor's driver may have ("wires"): its options are known once its address is. */
struct kri_option {
	struct kri_option *next;
	int line;
	char *name, *text;
};

struct kri_section {
	struct kri_section *next;
	enum kri_section_kind kind;
	char label[50];
	int line;
	bool guessed;  /* its header has another name, near this one */
	bool repeated; /* was there before: judged key by key, then left out */
	struct kri_entry entries[KRI_KEY_COUNT];
	struct kri_option *options; /* in the order of the file */
};

/* What is right but worth knowing: a warning when the station opens, a remark of --check. */
struct kri_remark {
	struct kri_remark *next;
	int line;
	char *text;
};

struct kri_station_file {
	char *path;
	struct kri_section *sections; /* in the order of the file, none twice */
	struct kri_remark *remarks;
};

/*
 * Reads and judges a file. KRYOS_ECONFIG: *ret_errors has every mistake, one a line (free() it), and
 * the sentence as many as it can hold; other errors: why it can't be read. Opens no device; looks at
 * the files that are named.
 */
int kri_station_file_read(struct kri_station_file **ret_file, struct kryos_ctx *ctx, const char *path,
                          char **ret_errors);
void kri_station_file_free(struct kri_station_file *file); /* NULL is allowed */

/* The section; label NULL: the first of its kind. NULL: none. */
const struct kri_section *kri_station_find(const struct kri_station_file *file, enum kri_section_kind kind,
                                           const char *label);
/* The value in force: the file's, or the default. section NULL: the default. */
const char *kri_station_text(const struct kri_section *section, enum kri_key key); /* NULL: none */
int64_t kri_station_number(const struct kri_section *section, enum kri_key key);
/* Whether a sensor is a GPIO line, of which active, bias and debounce can be said. */
bool kri_station_is_line(const struct kri_section *sensor);
/* What a sensor's or a button's section says of its line. */
void kri_station_line_config(const struct kri_section *section, struct kryos_line_config *ret_config);
/* What a sensor's section says of recovery, as enum kryos_recovery; 0: nothing. -EINVAL: what is allowed. */
int kri_station_recover(const struct kri_section *sensor, uint32_t *ret_recover);
/* "wires=3 element=pt1000", as kryos_sensor_open_with takes it; free() it. NULL: out of memory. */
char *kri_station_options(const struct kri_section *sensor);
/* channels.c */

/* A section of a channel, as the sampler takes it; its strings are the section's. */
struct kri_station_channel {
	struct kryos_channel_config config;
	struct kryos_calibration_point points[KRYOS_CALIBRATION_MAX_POINTS];
};
struct kri_station_channels {
	struct kri_station_channel channels[KRYOS_SENSOR_MAX_CHANNELS];
	const struct kryos_channel_config *configs[KRYOS_SENSOR_MAX_CHANNELS + 1]; /* the last is NULL */
};
/* "0:0.10 5:5.08"; -EINVAL with a sentence. */
int kri_station_points(const char *text, struct kryos_calibration_point points[KRYOS_CALIBRATION_MAX_POINTS],
                       size_t *ret_count);
int kri_station_channel(const struct kri_section *section, struct kri_station_channel *ret_channel);
bool kri_station_is_channel_of(const struct kri_section *section, const char *sensor);
/* All of a sensor. */
int kri_station_channels(const struct kri_station_file *file, const char *sensor,
                         struct kri_station_channels *ret_channels);
/* Calibrations that have expired, or do within 30 days, each as a sentence; none where the time is not trusted. */
typedef void (*kri_expiry_fn)(void *data, int line, const char *text);
void kri_station_each_expiry(const struct kri_station_file *file, const struct kryos_time *now, kri_expiry_fn expiry,
                             void *data);

/*
 * profiles.c: the rules of a profile, the file's or a built-in one, at most most of them; their names live as long as
 * the file. How many it has; 0: there is no such profile.
 */
#define KRI_PROFILE_MAX_RULES 32
unsigned int kri_station_profile(const struct kri_station_file *file, const char *profile, struct kryos_rule *ret_rules,
                                 unsigned int most);
/* Rules of one channel, by the names that they have there. Not to be copied: a rule's name is among names. */
struct kri_station_rules {
	unsigned int count;
	struct kryos_rule rules[KRI_PROFILE_MAX_RULES];
	char names[KRI_PROFILE_MAX_RULES][KRYOS_RULE_NAME_MAX];
};
/*
 * The rules of the alarms that name a channel, as many as there is room for, up to those of the alarm last (NULL: of
 * all). A rule whose name one before it has is called <alarm>.<rule>. Gives the index of the first rule of last.
 */
unsigned int kri_station_rules(const struct kri_station_file *file, const char *channel, const struct kri_section *last,
                               struct kri_station_rules *ret_rules);
/* The names of all profiles, the file's first, blanks between. */
void kri_station_profiles(const struct kri_station_file *file, char *words, size_t size);

/* Reports a key that a section does not have; more: further names it could have been, blanks between. */
void kri_station_unknown_key(struct kri_ini *ini, enum kri_section_kind section, const char *name, int line,
                             const char *more);
/* Whether two sections (NULL is allowed) say the same. */
bool kri_section_equal(const struct kri_section *one, const struct kri_section *other);
/* Where the store is: the file's path, else $STATE_DIRECTORY, else /var/lib/kryos. At most size bytes. */
const char *kri_station_store_path(const struct kri_station_file *file, char *buffer, size_t size);
/* A relay's config; its strings live as long as file and password, which may be NULL. */
void kri_station_relay_config(const struct kri_section *section, const char *password,
                              struct kryos_relay_config *ret_config);
/*
 * certificates.c: until when a relay's certificates are good; INT64_MAX: nothing is known of an end. ret_path: the file
 * whose end that is, or whose reading failed; < 0 then, with a sentence.
 */
int kri_section_certificates_until(const struct kri_section *relay, int64_t *ret_wall_ns, const char **ret_path);
/* The first line of a password file, at most 255 bytes. KRYOS_ECONFIG with a sentence. */
int kri_station_read_password(const char *path, char ret_password[256]);
/* Whether text is one of the space-separated choices. */
bool kri_is_choice(const char *text, const char *choices);
/* What is in force, as kryos_station_check prints it. */
void kri_station_file_print(const struct kri_station_file *file, FILE *stream);

/* station_rules.c: what no line alone can show. */
void kri_station_judge(struct kri_ini *ini, struct kryos_ctx *ctx, struct kri_station_file *file, int last_line);
/* Adds a remark in the order of lines. False: out of memory. */
bool kri_station_remark(struct kri_station_file *file, int line, const char *format, ...) KRYOS_PRINTF(3, 4);
/* The word of the space-separated list words that text was probably meant to be, in buffer; NULL: none is near. */
const char *kri_suggest(const char *text, const char *words, char *buffer, size_t size);

#endif
