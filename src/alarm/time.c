/* SPDX-License-Identifier: Apache-2.0 */
#include "alarm.h"
#include <inttypes.h>

/* Over a reboot the difference of two trusted wall times, but at least the time since that boot, which is all that is
 * known without them. */
static int64_t over_reboot(const struct kryos_instant *before, const struct kryos_sample *sample, bool *ret_cut)
{
	int64_t by_ns = 0;

	*ret_cut = sample->trust < KRYOS_TRUST_RTC || before->trust < KRYOS_TRUST_RTC ||
	           __builtin_sub_overflow(sample->t_wall_ns, before->t_wall_ns, &by_ns);
	return !*ret_cut && by_ns > sample->t_boot_ns ? by_ns : sample->t_boot_ns;
}

int kri_time_advance(const struct kri_time *time, const struct kryos_sample *sample, const char *what,
                     struct kri_time *ret_next, bool *ret_cut)
{
	struct kri_time next = { .has = true, .ns = time->ns };
	int64_t by_ns = 0;
	bool cut = false;

	if (sample->t_boot_ns < 0)
		return kryos_fail(-EINVAL, "%s: a time of %" PRId64 " ns; 0 or more is allowed", what,
		                  sample->t_boot_ns);
	if (time->has && sample->boot != time->at.boot)
		by_ns = over_reboot(&time->at, sample, &cut);
	else if (time->has)
		by_ns = sample->t_boot_ns - time->at.t_boot_ns;
	if (by_ns < 0)
		return kryos_fail(-EINVAL, "%s: the sample is %" PRId64 " ns earlier than the one before", what,
		                  -by_ns);
	if (__builtin_add_overflow(time->ns, by_ns, &next.ns))
		return kryos_fail(-ERANGE, "%s: more than 292 years", what);
	next.at = (struct kryos_instant){
		.t_boot_ns = sample->t_boot_ns,
		.t_wall_ns = sample->t_wall_ns,
		.boot = sample->boot,
		.trust = sample->trust,
	};
	*ret_next = next;
	*ret_cut = cut;
	return 0;
}
