/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core, inside: what every room of src/ and drivers/ may use.
 *
 * Threads: the "context thread" is whichever calls kryos_ctx_process. Timers, fds, notes' and
 * jobs' done functions run there. Everything else says where it runs.
 */
#ifndef KRI_CORE_H
#define KRI_CORE_H

#include <errno.h>
#include <kryos/ctx.h>
#include <kryos/log.h>
#include <kryos/sys/bus.h>
#include <kryos/sys/clock.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define KRI_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* To nearest, ties away from zero, as values are everywhere. by > 0; the caller sees to it that number + by / 2 fits.
 */
static inline int64_t kri_divide_rounded(int64_t number, int64_t by)
{
	return (number + (number < 0 ? -by / 2 : by / 2)) / by;
}

#define KRI_CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Defaults by symbol: KRI_DEFAULT_EVERY_NS, ... (src/config/defaults.def). */
enum kri_default_id {
#define KRYOS_DEFAULT(section, key, symbol, kind, value, text, minimum, maximum, doc) KRI_ID_##symbol,
#include "../config/defaults.def"
#undef KRYOS_DEFAULT
	KRI_DEFAULT_COUNT
};
int64_t kri_default(enum kri_default_id id);
int64_t kri_default_min(enum kri_default_id id);
int64_t kri_default_max(enum kri_default_id id);

/* error.c: kryos_fail() (kryos/sys/bus.h) for errors with a sentence of their own. */
#ifdef __clang_analyzer__ /* looks at one file at a time: what the function promises is written out for it */
#define kryos_fail(result, ...) ((void)(kryos_fail)((result), __VA_ARGS__), (result))
#endif

/* sample.c: a value that is there and may be wrong: it may begin or prolong an excursion, and never ends one. */
bool kri_quality_is_doubtful(unsigned int quality);
/* kryos_time_text() in whole seconds, the earlier one: how people are told times. Machines get all of it. */
char *kri_second_text(int64_t t_wall_ns, char *buffer);

/* log.c. Any thread. Nothing is formatted when nobody listens. */
void kri_log(struct kryos_ctx *ctx, enum kryos_log_level level, const char *module, int error, const char *format, ...)
	KRYOS_PRINTF(5, 6);
/* The least severe level passed on from now on. Any thread. */
void kri_log_set_level(struct kryos_ctx *ctx, enum kryos_log_level level);

/*
 * Config structs: copies the caller's into ret (of our_size), which the caller zeroed; NULL config
 * leaves it zero. -EINVAL when size is 0, or a field we do not know is set.
 */
int kri_config_copy(void *ret, size_t our_size, const void *config);
/* value, or the default where value is 0; -EINVAL with a sentence naming field where it is out of the table's range. */
int kri_config_number(int64_t *value, enum kri_default_id id, const char *field);

/* object.c: what hangs off a context and is closed with it, newest first. */
struct kri_object {
	struct kri_object *older, *newer;
	struct kryos_ctx *ctx;
	void (*destroy)(struct kri_object *object); /* must end in kri_object_remove() */
};
void kri_object_add(struct kryos_ctx *ctx, struct kri_object *object, void (*destroy)(struct kri_object *object));
void kri_object_remove(struct kri_object *object);
/* KRYOS_EFORK in a child, -EINVAL for NULL, else 0: the first line of public calls. */
int kri_ctx_check(struct kryos_ctx *ctx);

/*
 * The context's memory outlives kryos_ctx_free while a hung worker holds it; logging, posting and
 * pushing events are then ignored, and clocks are the system's.
 */
struct kryos_ctx *kri_ctx_ref(struct kryos_ctx *ctx);
void kri_ctx_unref(struct kryos_ctx *ctx);

/* While the context is being freed, what is left of its 5 s if that is less than asked_ns; else asked_ns. */
int64_t kri_ctx_patience(struct kryos_ctx *ctx, int64_t asked_ns);

/* event.c: copies event and its strings. Any thread. */
void kri_event_push(struct kryos_ctx *ctx, const struct kryos_event *event);

/*
 * A tap sees each event as it is pushed, also those dropped later. seen runs on the pushing thread
 * under the context's lock: it must neither block nor call anything of the context.
 */
struct kri_tap {
	struct kri_tap *next;
	void (*seen)(struct kri_tap *tap, const struct kryos_event *event);
};
void kri_event_tap(struct kryos_ctx *ctx, struct kri_tap *tap);
void kri_event_untap(struct kryos_ctx *ctx, struct kri_tap *tap);

/* Time. Any thread. */
int64_t kri_boot_ns(struct kryos_ctx *ctx); /* the context's clock */
int64_t kri_wall_ns(struct kryos_ctx *ctx); /* the context's clock */
int64_t kri_real_ns(void);                  /* CLOCK_BOOTTIME, whatever the context's clock */
bool kri_clock_is_synced(struct kryos_ctx *ctx);
/* For what has no call here; its slots on the context thread only, or they may run after the context was freed. */
const struct kryos_clock_source *kri_clock_source(struct kryos_ctx *ctx, void **ret_userdata);
extern const struct kryos_clock_source kri_system_clock;

/* loop.c. Context thread only. */
struct kri_timer {
	struct kri_timer *next;
	void (*fire)(struct kri_timer *timer);
	int64_t due_ns; /* on the context's clock, or CLOCK_BOOTTIME if real */
	bool real, armed;
};
void kri_timer_set(struct kryos_ctx *ctx, struct kri_timer *timer, int64_t due_ns);
void kri_timer_cancel(struct kryos_ctx *ctx, struct kri_timer *timer);

struct kri_io {
	struct kri_io *next;
	void (*ready)(struct kri_io *io, uint32_t events); /* EPOLLIN, ... */
	int fd;
	bool removed;
};
int kri_io_add(struct kryos_ctx *ctx, struct kri_io *io, uint32_t events);
int kri_io_change(struct kryos_ctx *ctx, struct kri_io *io, uint32_t events);
void kri_io_remove(struct kryos_ctx *ctx, struct kri_io *io);

/* A note wakes the context thread: posted from any thread, deliver runs in kryos_ctx_process. Posting twice delivers
 * once. */
struct kri_note {
	struct kri_note *next;
	void (*deliver)(struct kri_note *note);
	bool posted;
};
void kri_note_post(struct kryos_ctx *ctx, struct kri_note *note);
void kri_note_cancel(struct kryos_ctx *ctx, struct kri_note *note);

/* thread.c */

/* Starts a detached thread with every signal blocked, named (at most 15 bytes). -errno. */
int kri_thread_start(const char *name, void (*run)(void *data), void *data);
/* A condition variable on CLOCK_MONOTONIC, and a wait on it: 0 or -ETIMEDOUT after timeout_ns (< 0: no limit). */
void kri_cond_init(pthread_cond_t *cond);
int kri_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t timeout_ns);

/*
 * A worker runs jobs one after another on its own thread, which starts with the first job. It owns
 * object: release(object) is called once, when the thread has ended, even if that is long after
 * kri_worker_free (a job that hangs in the kernel).
 */
struct kri_worker;
struct kri_job {
	struct kri_job *next;
	void (*run)(struct kri_job *job);  /* on the worker */
	void (*done)(struct kri_job *job); /* on the context thread after run; NULL: none. Not called once the worker
	                                      was freed */
	void (*drop)(struct kri_job *job); /* exactly once, after everything else, on any thread: frees the job */
	struct kri_worker *worker;         /* the worker's own from here */
	atomic_int refs;
	bool finished;
};
int kri_worker_new(struct kri_worker **ret_worker, struct kryos_ctx *ctx, const char *name, unsigned int max_jobs,
                   void *object, void (*release)(void *object));
/* Takes the job, or gives -EAGAIN (max_jobs wait) or another error and leaves it to the caller. Any thread. */
int kri_worker_post(struct kri_worker *worker, struct kri_job *job);
/* The same and waits until it has run, at most timeout_ns: 0; -ETIMEDOUT: it is abandoned and dropped when it ends.
   After 0 the caller still holds it and must call kri_job_unref. done must be NULL. */
int kri_worker_call(struct kri_worker *worker, struct kri_job *job, int64_t timeout_ns);
void kri_job_unref(struct kri_job *job);
/* Drops what waits, waits for the job under way at most timeout_ns, and lets go of the worker. NULL is allowed. */
void kri_worker_free(struct kri_worker *worker, int64_t timeout_ns);
bool kri_worker_is_current(struct kri_worker *worker);

/* registry.c: drivers by kind, an integrator's first (newest first), then the built-in ones. */
enum kri_kind { KRI_BUS, KRI_SENSOR, KRI_RTC, KRI_WATCHDOG, KRI_TRANSPORT, KRI_CODEC, KRI_RESOLVER, KRI_KIND_COUNT };
struct kri_registration {
	struct kri_registration *next;
	const void *driver;
	void *userdata;
};
int kri_registry_add(struct kryos_ctx *ctx, enum kri_kind kind, const void *driver, void *userdata);
/* Calls visit for each until it returns non-zero, which is returned; 0 at the end. Any thread. */
int kri_registry_each(struct kryos_ctx *ctx, enum kri_kind kind,
                      int (*visit)(void *data, const void *driver, void *userdata), void *data);
/* Generated by CMake from the enabled drivers: NULL-terminated, by kind. */
extern const void *const *const kri_builtin_drivers[KRI_KIND_COUNT];

/* build_id.c: of the library, or of the program it is linked into; "none": the linker wrote none. */
void kri_build_id(char text[65]);

/* One slot per room for state that belongs to the context. The buses go once all objects are closed, the clock last. */
enum kri_slot { KRI_SLOT_CLOCK, KRI_SLOT_BUSES, KRI_SLOT_COUNT };
void *kri_slot_get(struct kryos_ctx *ctx, enum kri_slot slot);
/* Sets it once; -EEXIST if it was set meanwhile. */
int kri_slot_set(struct kryos_ctx *ctx, enum kri_slot slot, void *state, void (*destroy)(void *state));

#endif
