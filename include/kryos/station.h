/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Station: clock, store, power, sampler, relays, outputs and watchdog from one strict file (an example:
 * examples/station/station.ini).
 *
 * Every mistake in the file is reported at once, each as "file:line: what is wrong, what is
 * allowed". Nothing is opened before the whole file is right. One thread at a time.
 */
#ifndef KRYOS_STATION_H
#define KRYOS_STATION_H

#include <kryos/base.h>
#include <kryos/ctx.h>
#include <stdio.h>

KRYOS_BEGIN

struct kryos_station;
struct kryos_store;
struct kryos_sampler;
struct kryos_watchdog;
struct kryos_relay;

struct kryos_station_config {
	uint32_t size;
	uint32_t manual;      /* 1: rounds happen only by kryos_sampler_round (simulation) */
	uint32_t no_watchdog; /* 1: leave the watchdog alone whatever the file says */
	uint32_t store_only;  /* 1: clock and store, no other device and no relay: for what is said by hand of alarms as
	                         the store keeps them; the file's are not put in force */
};
#define KRYOS_STATION_CONFIG(...) KRYOS_CONFIG_OF(kryos_station_config, __VA_ARGS__)

/*
 * Opens everything the file names. KRYOS_ECONFIG: the text holds all mistakes, one a line. Absent
 * sensors and brokers are no error; a store that can't be opened is. config_path is copied. Waits
 * for the disk.
 */
KRYOS_API int kryos_station_open(struct kryos_station **ret_station, struct kryos_ctx *ctx, const char *config_path,
                                 const struct kryos_station_config *config);
/* Stops and closes all of it, in reverse. NULL is allowed. At most 5 s. */
KRYOS_EXPORT void kryos_station_close(struct kryos_station *station);

/*
 * Reads a file and opens nothing. 0: it is right, and what would be in force, defaults included, is
 * written to stream; KRYOS_ECONFIG: the mistakes are, one a line. stream may be NULL.
 */
KRYOS_API int kryos_station_check(const char *config_path, FILE *stream);

/*
 * The devices a file names, by index from 0: its sensors in the file's order, the switches of their power, its outputs,
 * its buttons, then the clock's RTC, whose name is "".
 * -ENOENT: no more; KRYOS_ECONFIG, -errno: as kryos_station_check. Opens none of them.
 */
KRYOS_API int kryos_station_get_device(const char *config_path, unsigned int index, char ret_name[32],
                                       char ret_device[96]);
/* The folder of the store that a file asks for, defaults included. -ENAMETOOLONG: longer than size - 1 bytes. */
KRYOS_API int kryos_station_get_store_path(const char *config_path, char *ret_path, size_t size);

/*
 * Reads its file again and applies what changed; what did not change goes on untouched, a file with
 * mistakes changes nothing (KRYOS_ECONFIG). A changed [store] path needs a restart (-EBUSY).
 * A [clock] that it names no more, or in whose place it names one that is not there, is used no more.
 */
KRYOS_API int kryos_station_reload(struct kryos_station *station);

/* Its parts; borrowed until the station is closed or reloaded. NULL where the file names none. */
KRYOS_EXPORT struct kryos_store *kryos_station_get_store(struct kryos_station *station);
KRYOS_EXPORT struct kryos_sampler *kryos_station_get_sampler(struct kryos_station *station);
KRYOS_EXPORT struct kryos_watchdog *kryos_station_get_watchdog(struct kryos_station *station);
/* By index from 0; NULL: no more. ret_name may be NULL. */
KRYOS_EXPORT struct kryos_relay *kryos_station_get_relay(struct kryos_station *station, unsigned int index,
                                                         const char **ret_name);

/* The whole state as one JSON object, as in status.json; free() it. -ENOMEM. */
KRYOS_API int kryos_station_status_json(struct kryos_station *station, char **ret_json);
/* What of it Prometheus takes from a textfile: text format 0.0.4, docs/api/metrics.md; free() it. -ENOMEM. */
KRYOS_API int kryos_station_metrics(struct kryos_station *station, char **ret_text);

KRYOS_END
#endif
