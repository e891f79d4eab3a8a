/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel of two states is in one of them until it changes, and changes are told when they happen. So it is known
 * when the duration of a rule is reached: then, and not with the next round, the state that lasts is judged. What was
 * not judged by its time, because the loop stood still or what is judged is stored, is judged before what came after,
 * by which both find the same.
 *
 * A state lasts until a measurement fails, and as far as kri_evaluator_due goes; not over a start, before which nobody
 * knows for how long the line was read.
 */
#include "../alarm/alarm.h"
#include "private.h"
#include <string.h>

#define ON_ITS_WAY_NS KRYOS_SECONDS(1)

/*
 * A change that was before is told first: when it has stood for the debounce time, and the loop has heard of it. Where
 * no changes are told it is found by a round, which may take as long as an interval.
 */
static int64_t patience_ns(const struct kri_watched *watched)
{
	int64_t wait_ns = watched->debounce_ns ? 2 * watched->debounce_ns : watched->interval_ns;

	return wait_ns > ON_ITS_WAY_NS ? wait_ns : ON_ITS_WAY_NS;
}

void kri_watched_hold(struct kri_watched *watched, const struct kryos_sample *sample)
{
	int64_t micro = sample->value_micro;

	watched->state = *sample;
	watched->lasts = strcmp(watched->unit, "/") == 0 && kryos_quality_is_measured(sample->quality) &&
	                 (micro == 0 || micro == 1000000);
}

void kri_watched_hold_kept(struct kri_watched *watched)
{
	const struct kri_time *time = &watched->evaluator->time;
	const struct kryos_instant *at = &watched->judged;
	struct kryos_sample sample = { .channel = watched->channel,
		                       .value_micro = watched->state.value_micro,
		                       .t_boot_ns = at->t_boot_ns,
		                       .t_wall_ns = at->t_wall_ns,
		                       .boot = at->boot,
		                       .trust = (uint16_t)at->trust };
	bool lasted = watched->lasts && !watched->retired && time->has && kri_instant_is_same(&time->at, at);

	watched->lasts = false;
	if (lasted)
		kri_watched_hold(watched, &sample);
}

int kri_watched_judge_due(struct kri_watched *watched, const struct kryos_instant *until)
{
	int64_t due;
	int r = 0;

	while (r >= 0 && watched->lasts && !watched->retired && until->boot == watched->state.boot &&
	       (due = kri_evaluator_due(watched->evaluator)) <= until->t_boot_ns) {
		struct kryos_sample sample = watched->state;

		sample.t_wall_ns += due - sample.t_boot_ns;
		sample.t_boot_ns = due;
		sample.seq = 0;
		sample.round = 0;
		r = kri_watched_judge_one(watched, &sample);
	}
	return r;
}

void kri_watched_await(struct kri_watched *watched)
{
	struct kryos_monitor *monitor = watched->monitor;
	bool known = watched->lasts && !watched->has_aside && watched->state.boot == monitor->boot;
	int64_t due = known ? kri_evaluator_due(watched->evaluator) : INT64_MAX;

	if (due < INT64_MAX - patience_ns(watched))
		kri_timer_set(monitor->ctx, &watched->due, due + patience_ns(watched));
	else
		kri_timer_cancel(monitor->ctx, &watched->due);
}

void kri_watched_on_due(struct kri_timer *timer)
{
	struct kri_watched *watched = KRI_CONTAINER_OF(timer, struct kri_watched, due);
	struct kryos_ctx *ctx = watched->monitor->ctx;
	int64_t now = kri_boot_ns(ctx);
	struct kryos_instant until = { .t_boot_ns = now - patience_ns(watched), .boot = watched->monitor->boot };

	/* The loop stood still: what changed meanwhile is on its way only now. */
	if (now - timer->due_ns >= ON_ITS_WAY_NS)
		kri_timer_set(ctx, timer, now + patience_ns(watched));
	else
		kri_watched_taken(watched, kri_watched_judge_due(watched, &until));
}
