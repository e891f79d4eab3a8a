/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

/*
 * 2020-01-01. No device with this library was commissioned before; a chip that lost its battery
 * begins anew in 1970 or 2000, and a kernel that clears the stop flag in silence (rtc-ds1307) then
 * sets the system clock from it, so that both agree on nonsense.
 */
#define EARLIEST_NS (INT64_C(1577836800) * 1000000000)

static enum kri_rtc_state judge_rtc(const struct kri_clock_inputs *in, int64_t rtc_now_ns, int64_t floor_now_ns)
{
	int64_t apart_ns = rtc_now_ns - in->t_system_ns;

	if (!in->has_rtc)
		return KRI_RTC_NONE;
	if (in->rtc_stopped)
		return KRI_RTC_STOPPED;
	if (rtc_now_ns < EARLIEST_NS)
		return KRI_RTC_IMPLAUSIBLE;
	if (in->floor_ns &&
	    rtc_now_ns < floor_now_ns - KRI_CLOCK_BEHIND_NS - (in->t_boot_ns - in->floor_boot_ns) / 1000)
		return KRI_RTC_BEHIND;
	if (in->rtc_implicit && (apart_ns > KRI_CLOCK_TOLERANCE_NS || apart_ns < -KRI_CLOCK_TOLERANCE_NS))
		return KRI_RTC_DISAGREES;
	return KRI_RTC_GOOD;
}

/*
 * The system clock is finer than an RTC, so it is believed where the two agree. Where it is behind,
 * it is to be stepped; where it is ahead of a good RTC it is left, for it never steps back, and the
 * RTC's time is used.
 */
static void use_rtc(const struct kri_clock_inputs *in, int64_t rtc_now_ns, struct kri_clock_verdict *ret_verdict)
{
	int64_t ahead_ns = in->t_system_ns - rtc_now_ns;

	ret_verdict->trust = KRYOS_TRUST_RTC;
	if (ahead_ns >= -KRI_CLOCK_TOLERANCE_NS && ahead_ns <= KRI_CLOCK_TOLERANCE_NS)
		return;
	ret_verdict->t_wall_ns = rtc_now_ns;
	if (ahead_ns < 0)
		ret_verdict->step_ns = rtc_now_ns;
}

void kri_clock_judge(const struct kri_clock_inputs *inputs, struct kri_clock_verdict *ret_verdict)
{
	const struct kri_clock_inputs *in = inputs;
	int64_t rtc_now_ns = in->rtc_wall_ns + (in->t_boot_ns - in->rtc_boot_ns);
	int64_t floor_now_ns = in->floor_ns + (in->t_boot_ns - in->floor_boot_ns);

	ret_verdict->trust = KRYOS_TRUST_NONE;
	ret_verdict->rtc = judge_rtc(in, rtc_now_ns, floor_now_ns);
	ret_verdict->t_wall_ns = in->t_system_ns;
	ret_verdict->step_ns = 0;
	if (in->synced) {
		ret_verdict->trust = KRYOS_TRUST_SYNCED;
	} else if (ret_verdict->rtc == KRI_RTC_GOOD) {
		use_rtc(in, rtc_now_ns, ret_verdict);
	} else if (in->floor_ns) {
		ret_verdict->trust = KRYOS_TRUST_FLOOR;
		if (in->t_system_ns < floor_now_ns)
			ret_verdict->t_wall_ns = floor_now_ns;
		if (in->t_system_ns < floor_now_ns - KRI_CLOCK_TOLERANCE_NS)
			ret_verdict->step_ns = floor_now_ns;
	}
}

const char *kri_rtc_state_text(enum kri_rtc_state state)
{
	switch (state) {
	case KRI_RTC_GOOD:
		return "battery has kept it";
	case KRI_RTC_STOPPED:
		return "oscillator was stopped: its battery is empty or was taken out; its time is not used until set";
	case KRI_RTC_IMPLAUSIBLE:
		return "began anew: it tells a date before 2020; its time is not used until set";
	case KRI_RTC_BEHIND:
		return "behind the newest stored time: it stood still or was set back; its time is not used until set";
	case KRI_RTC_DISAGREES:
		return "disagrees with the system clock";
	default:
		return "not read yet";
	}
}
