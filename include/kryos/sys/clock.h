/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a context takes time from. The default is the system; tests and simulations inject theirs.
 *
 * It drives stamps, durations, sampling, retention and rotation. Network waits, back-off, rates and
 * the watchdog always use the real CLOCK_BOOTTIME. Slots are called from any thread and must not
 * block.
 */
#ifndef KRYOS_SYS_CLOCK_H
#define KRYOS_SYS_CLOCK_H

#include <kryos/base.h>

KRYOS_BEGIN

struct kryos_clock_source {
	uint32_t size;
	int64_t (*boot_ns)(void *userdata);               /* never goes back within a boot */
	int64_t (*wall_ns)(void *userdata);               /* may be wrong and may jump */
	int (*synced)(void *userdata);                    /* 1: wall_ns is synchronised */
	int (*step)(void *userdata, int64_t wall_ns);     /* sets wall time; 0 or -EPERM. NULL: never */
	void (*boot_id)(void *userdata, char ret_id[37]); /* text, another one after each boot */
	int simulated; /* 1: timers of the context are not armed in real time; the owner calls process */
};

KRYOS_END
#endif
