/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sampler: measures sensors in rounds and hands each round to the store.
 *
 * A round is one instant at which sensors are due; its readings share a number. A sensor that is
 * absent, or wrong, is accepted: each round records why there is no value, and it is looked for
 * until it is back. Slow buses and disks delay nobody: what has not answered when the round ends
 * is recorded as timeout. A sensor of two states (a door) is measured as every other, and each change is
 * announced and stored when it happens besides (KRYOS_EVENT_STATE). Two probes that have to agree (kryos/channel.h)
 * are compared when their round ends. Runs inside kryos_ctx_process. One thread at a time.
 */
#ifndef KRYOS_SAMPLER_H
#define KRYOS_SAMPLER_H

#include <kryos/base.h>
#include <kryos/sample.h>

KRYOS_BEGIN

struct kryos_monitor;
struct kryos_store;
struct kryos_sampler;
struct kryos_sensor_config;
struct kryos_task;

struct kryos_sampler_config {
	uint32_t size;
	uint32_t manual;         /* 1: no timer; rounds happen when kryos_sampler_round is called */
	int64_t every_ns;        /* between rounds; 0: 1 min. 100 ms to 1 day */
	int64_t record_ns;       /* 0: store every measurement; else store mean, min and max of each such period */
	struct kryos_task *task; /* proves progress after each round (kryos/watchdog.h); NULL: none */
	struct kryos_monitor *monitor; /* judges each measurement (kryos/monitor.h), outlives it; NULL: none */
};
#define KRYOS_SAMPLER_CONFIG(...) KRYOS_CONFIG_OF(kryos_sampler_config, __VA_ARGS__)

/* What differs for one sensor of a sampler. */
struct kryos_sampler_sensor_config {
	uint32_t size;
	uint32_t reserved;
	int64_t every_ns;  /* 0: the sampler's */
	int64_t record_ns; /* 0: the sampler's */
	const char *place; /* what its first temperature measures of: "vaccine", "freezer", "ambient", ...; copied;
	                      NULL: "" */
	const struct kryos_sensor_config *sensor; /* what is said of the chip (kryos/sensor.h); NULL: nothing */
	const char *who; /* who says it, for the record of a change: at most 31 bytes, copied; NULL: "program" */
};
#define KRYOS_SAMPLER_SENSOR_CONFIG(...) KRYOS_CONFIG_OF(kryos_sampler_sensor_config, __VA_ARGS__)

/* Makes a sampler on an open store, which must outlive it. config may be NULL. Does not block. */
KRYOS_API int kryos_sampler_new(struct kryos_sampler **ret_sampler, struct kryos_store *store,
                                const struct kryos_sampler_config *config);

/* Stops it; a round under way is abandoned. NULL is allowed. */
KRYOS_EXPORT void kryos_sampler_free(struct kryos_sampler *sampler);

/*
 * Adds a sensor (name and device as for kryos_sensor_open). Only a malformed string, an unknown
 * driver or a name in use fail (KRYOS_EDEVICE, -EEXIST); an absent or wrong chip does not. -EINVAL also where two
 * probes that have to agree are not measured equally often, or in different units. What config points to is copied,
 * but its power. Does not block: the chip is looked for on its bus's worker.
 */
KRYOS_API int kryos_sampler_add(struct kryos_sampler *sampler, const char *name, const char *device);
KRYOS_API int kryos_sampler_add_with(struct kryos_sampler *sampler, const char *name, const char *device,
                                     const struct kryos_sampler_sensor_config *config);

/* Starts a round of every sensor now. -EBUSY: one is under way. Does not block; done when busy returns 0. */
KRYOS_API int kryos_sampler_round(struct kryos_sampler *sampler);

/* 1 while a round is under way or its samples are not yet accepted, or kept in RAM (KRYOS_EVOLATILE), else 0. */
KRYOS_API int kryos_sampler_busy(struct kryos_sampler *sampler);

struct kryos_sampler_status {
	uint32_t size;
	uint32_t sensors;
	uint64_t rounds;  /* finished */
	uint64_t late;    /* begun more than one interval late, or skipped */
	uint64_t failed;  /* samples that were no measurement */
	uint64_t refused; /* samples the store did not take */
};
/* Fill size. Does not block. */
KRYOS_API int kryos_sampler_get_status(struct kryos_sampler *sampler, struct kryos_sampler_status *ret_status);

KRYOS_END
#endif
