/* SPDX-License-Identifier: Apache-2.0 */
/* Trust: pure decisions about time, from what kernel, RTC and store say. */
#ifndef KRI_TRUST_H
#define KRI_TRUST_H

#include <kryos/sample.h>
#include <stdbool.h>

/* Apart by more than this, two clocks disagree; an RTC tells whole seconds only. */
#define KRI_CLOCK_TOLERANCE_NS INT64_C(2000000000)
/*
 * An RTC further behind the newest stamp than this stood still. Wider, because stamps come from the system
 * clock where it agrees; and a thousandth of the time since, because the two run on crystals of their own.
 */
#define KRI_CLOCK_BEHIND_NS INT64_C(60000000000)

enum kri_rtc_state {
	KRI_RTC_NONE,        /* none is used, or it was never read */
	KRI_RTC_GOOD,        /* its battery has kept it */
	KRI_RTC_STOPPED,     /* its oscillator had stopped */
	KRI_RTC_IMPLAUSIBLE, /* it tells a date before this library was written: it began anew */
	KRI_RTC_BEHIND,      /* it is behind what is known to have been */
	KRI_RTC_DISAGREES    /* nobody vouches for it, and the system clock says otherwise */
};

struct kri_clock_inputs {
	int64_t t_boot_ns;   /* now */
	int64_t t_system_ns; /* what the system clock says now */
	bool synced;         /* the kernel says that it is synchronised */

	bool has_rtc; /* the three below are set */
	bool rtc_stopped;
	bool rtc_implicit;                /* nobody named this RTC: it only confirms what the kernel took from it */
	int64_t rtc_wall_ns, rtc_boot_ns; /* what it said, and when */

	int64_t floor_ns;      /* the newest trusted stamp; 0: none is known */
	int64_t floor_boot_ns; /* when that became known in this boot */
};

struct kri_clock_verdict {
	uint16_t trust;
	enum kri_rtc_state rtc;
	int64_t t_wall_ns; /* the best known time now */
	int64_t step_ns;   /* the system clock should be stepped to this; 0: it should be left */
};

void kri_clock_judge(const struct kri_clock_inputs *inputs, struct kri_clock_verdict *ret_verdict);
/* "battery has kept it", ... */
const char *kri_rtc_state_text(enum kri_rtc_state state);

#endif
