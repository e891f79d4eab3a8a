/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watchdog: tasks must prove progress, or the board is reset.
 *
 * A watcher thread pets the hardware only while every armed task has fed within its deadline. A
 * late task is first named on the disk, in late.rec (preallocated, one fdatasync, beside the store
 * and never in it), then petting stops and the hardware resets the board. After the restart the
 * report says who was late, merged with the driver's boot status; a process that was killed names
 * nobody, and the report says so.
 */
#ifndef KRYOS_WATCHDOG_H
#define KRYOS_WATCHDOG_H

#include <kryos/base.h>
#include <kryos/ctx.h>

KRYOS_BEGIN

struct kryos_watchdog;
struct kryos_task;

struct kryos_watchdog_config {
	uint32_t size;
	uint32_t reserved;
	const char *device; /* "auto", "none", "systemd", "/dev/watchdogN"; NULL: "auto" (systemd's if it asks for
	                       pets, else /dev/watchdog0 if it is free, else none) */
	const char *folder; /* where late.rec is; NULL: lateness is logged and announced only */
	int64_t timeout_ns; /* of the hardware; 0: 15 s. The real one is read back; another is a warning */
};
#define KRYOS_WATCHDOG_CONFIG(...) KRYOS_CONFIG_OF(kryos_watchdog_config, __VA_ARGS__)

/*
 * Opens the hardware and starts the watcher. -EBUSY: another process holds the device (the text
 * names it if it can); -EINVAL: the driver cannot do a timeout near the asked one (the text says
 * what it can); -ENOENT: no such device. Waits for the disk once.
 */
KRYOS_API int kryos_watchdog_open(struct kryos_watchdog **ret_watchdog, struct kryos_ctx *ctx,
                                  const struct kryos_watchdog_config *config);

/* Stops the watcher and disarms the hardware (magic close), unless a task was late. NULL is allowed. */
KRYOS_EXPORT void kryos_watchdog_close(struct kryos_watchdog *watchdog);

/*
 * Adds a task: name 1 to 31 bytes, copied; deadline 1 s to 1 h, 0: 60 s. It is armed at once.
 * -ENOSPC: 64 tasks. Lives until kryos_task_free or the watchdog's close.
 */
KRYOS_API int kryos_task_new(struct kryos_task **ret_task, struct kryos_watchdog *watchdog, const char *name,
                             int64_t deadline_ns);
KRYOS_EXPORT void kryos_task_free(struct kryos_task *task);

/* Progress was made: the deadline starts again. NULL is allowed. Any thread; never blocks. */
KRYOS_EXPORT void kryos_task_feed(struct kryos_task *task);
/* Nothing to prove until fed again: for a task with no work. NULL is allowed. Any thread; never blocks. */
KRYOS_EXPORT void kryos_task_rest(struct kryos_task *task);

struct kryos_watchdog_status {
	uint32_t size;
	uint32_t tasks;
	int64_t timeout_ns;   /* the hardware's real one; 0: no hardware */
	uint32_t petting;     /* 1: all is well; 0: a task was late, the reset is coming */
	uint32_t boot_status; /* WDIOC_GETBOOTSTATUS at open; 0x20: the last boot came from the watchdog */
	char device[64];      /* what is petted */
	char late_task[32];   /* who was late in the run before this one; "" if nobody */
	int64_t late_wall_ns;
	char restart[160]; /* why the last run ended, in a sentence */
};
/* Fill size. Does not block. */
KRYOS_API int kryos_watchdog_get_status(struct kryos_watchdog *watchdog, struct kryos_watchdog_status *ret_status);

KRYOS_END
#endif
