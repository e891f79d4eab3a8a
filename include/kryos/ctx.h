/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Context: what everything hangs off, and its one loop.
 *
 *     wait until kryos_ctx_get_fd(ctx) is readable, in whatever loop you have
 *     kryos_ctx_process(ctx)                  moves everything on, never waits
 *     while (kryos_ctx_next_event(...) > 0)   takes the news
 *
 * kryos_ctx_process and kryos_ctx_next_event belong to one thread at a time. Your code never runs
 * on a thread of the library; the only callback is the log's. A context made before fork() is not
 * usable in the child (KRYOS_EFORK). No globals: several contexts in a process work.
 */
#ifndef KRYOS_CTX_H
#define KRYOS_CTX_H

#include <kryos/base.h>
#include <kryos/log.h>
#include <kryos/sample.h>

KRYOS_BEGIN

struct kryos_clock_source; /* kryos/sys/clock.h */

struct kryos_ctx_config {
	uint32_t size;
	enum kryos_log_level log_level; /* the least severe level passed on; 0: KRYOS_LOG_NOTICE */
	kryos_log_fn log;               /* NULL: silent */
	void *log_userdata;
	const struct kryos_clock_source *clock; /* NULL: the system's clocks. Must outlive the context */
	void *clock_userdata;
};
#define KRYOS_CTX_CONFIG(...) KRYOS_CONFIG_OF(kryos_ctx_config, __VA_ARGS__)

/* What has happened. The numbers of stored kinds are stored: none is ever given another meaning. */
enum kryos_event_type {
	KRYOS_EVENT_SAMPLE = 1,        /* a sample was accepted: sample */
	KRYOS_EVENT_SENSOR_LOST = 2,   /* name, text why; stored */
	KRYOS_EVENT_SENSOR_BACK = 3,   /* name; stored */
	KRYOS_EVENT_LINK_UP = 4,       /* name: the relay */
	KRYOS_EVENT_LINK_DOWN = 5,     /* name, code, text why */
	KRYOS_EVENT_REJECTED = 6,      /* name: the queue; first_seq, text the receiver's reason; stored */
	KRYOS_EVENT_GAP = 7,           /* samples (or as text says) first_seq to last_seq are given up; stored */
	KRYOS_EVENT_CLOCK = 8,         /* the clock's trust is now code (enum kryos_trust); stored */
	KRYOS_EVENT_CORRECTED = 9,     /* wall time of boot code is t_boot + value_ns; stored */
	KRYOS_EVENT_TASK_LATE = 10,    /* name: the task that missed its deadline; stored */
	KRYOS_EVENT_RESTART = 11,      /* once after a start: text why the last run ended; stored */
	KRYOS_EVENT_SEALED = 12,       /* first_seq to last_seq (code 1: events) were signed: text the hash; stored */
	KRYOS_EVENT_STORE = 13,        /* the store's health changed: code, text; stored when it can be */
	KRYOS_EVENT_ALARM_ON = 14,     /* name: the channel; text: the episode (kryos_episode_parse); sample; stored */
	KRYOS_EVENT_ALARM_OFF = 15,    /* the same, of an episode that ended; stored */
	KRYOS_EVENT_AUDIT = 16,        /* who did what, in text; stored */
	KRYOS_EVENT_STATE = 17,        /* name: a channel that is code (0, 1) since sample's time; value_ns; stored */
	KRYOS_EVENT_OUTPUT_LOST = 18,  /* name, text why; stored */
	KRYOS_EVENT_OUTPUT_BACK = 19,  /* name; stored */
	KRYOS_EVENT_DISAGREES = 20,    /* name: a channel that differs too much from its twin; text, sample; stored */
	KRYOS_EVENT_AGREES = 21,       /* name: a channel that agrees with its twin again; text, sample; stored */
	KRYOS_EVENT_CALIBRATION = 22,  /* name: a channel whose limits or calibration are others now; text; stored */
	KRYOS_EVENT_RECOVERY = 23,     /* name: a bus, a power, a sensor; code why, text what was done; stored */
	KRYOS_EVENT_CONFIGURED = 24,   /* name: a part of the configuration that is another now; text; stored */
	KRYOS_EVENT_ACKNOWLEDGED = 25, /* name: the channel of an episode; text which, by whom, comment; stored */
	KRYOS_EVENT_RETIRED = 26, /* name: a channel that raises no alarms from now on; text by whom, why; stored */
	KRYOS_EVENT_RESUMED = 27, /* name: a channel that does again; text by whom, why; stored */
	KRYOS_EVENT_TEST = 28,    /* no alarm: lamps, buzzers and this message are tried; text by whom; stored */
	KRYOS_EVENT_START = 29    /* the first of each start: text version, build, configuration, libraries; stored */
};

struct kryos_event {
	uint32_t size;
	enum kryos_event_type type;
	int code;         /* meaning by type */
	uint32_t dropped; /* how many older events were dropped since the last one taken */
	const char *name; /* what it is about; "" if nothing */
	const char *text; /* a sentence; "" if none */
	int64_t first_seq, last_seq;
	int64_t value_ns;           /* of a state: how long the other one lasted; 0: its beginning was not seen */
	struct kryos_sample sample; /* zero where the type has none */
};

/* The field's word for an event type: "sample", "sensor-lost", ...; "?" if unknown. Static. */
KRYOS_EXPORT const char *kryos_event_type_name(unsigned int type);

/*
 * Makes a context. config may be NULL; strings and the struct itself are copied. Starts no thread,
 * opens no device. -ENOMEM, -EMFILE, -EINVAL.
 */
KRYOS_API int kryos_ctx_new(struct kryos_ctx **ret_ctx, const struct kryos_ctx_config *config);

/*
 * Closes what is still open under the context, newest first, and frees it. NULL is allowed. Waits
 * for workers, in all at most 5 s; what still hangs in the kernel by then is left to end by itself.
 */
KRYOS_EXPORT void kryos_ctx_free(struct kryos_ctx *ctx);

/* One descriptor, level-triggered, readable when kryos_ctx_process has work; never changes. Do not read or close it. */
KRYOS_API int kryos_ctx_get_fd(struct kryos_ctx *ctx);

/* Moves everything on as far as it goes without waiting. 0, or the first error that nothing absorbed. */
KRYOS_API int kryos_ctx_process(struct kryos_ctx *ctx);

/*
 * Takes the oldest event: 1 and *ret_event, which lives until the next call of this or of
 * kryos_ctx_process; or 0. At most 256 wait; older ones are dropped and counted, the store being
 * the truth. Does not block.
 */
KRYOS_API int kryos_ctx_next_event(struct kryos_ctx *ctx, const struct kryos_event **ret_event);

/* For those without a loop: waits and processes until an event waits (1) or kryos_ctx_stop was called (0). */
KRYOS_API int kryos_ctx_run(struct kryos_ctx *ctx);

/* Makes kryos_ctx_run return 0, now or the next time. Safe from any thread and from signal handlers. */
KRYOS_EXPORT void kryos_ctx_stop(struct kryos_ctx *ctx);

KRYOS_END
#endif
