/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at what the store keeps, and what people say where no station runs. The rules are those that were in force:
 * other ones are put in force by the station only, which judges by them. What was stored since the state was kept is
 * judged by it too.
 */
#include "../alarm/alarm.h"
#include "private.h"
#include <stdio.h>
#include <string.h>

int kri_visited_restore(struct kri_watched *watched, const char *bytes, size_t judged, size_t exposed)
{
	const struct kryos_evaluator *evaluator = watched->evaluator;
	int r = judged ? kri_evaluator_restore_whole(watched->evaluator, bytes, judged) : 0;

	if (r >= 0 && evaluator->track_count > KRI_MONITOR_MAX_RULES)
		r = kryos_fail(KRYOS_ECORRUPT, "%s: it has %u rules", watched->name, evaluator->track_count);
	if (r < 0)
		return r;
	watched->unjudged = !judged;
	for (unsigned int i = 0; i < evaluator->track_count; i++) {
		watched->rules[i] = evaluator->tracks[i].rule;
		snprintf(watched->rule_names[i], KRYOS_RULE_NAME_MAX, "%s", evaluator->tracks[i].name);
		watched->rules[i].name = watched->rule_names[i];
	}
	watched->rule_count = evaluator->track_count;
	snprintf(watched->unit, sizeof(watched->unit), "%s", exposed ? "Cel" : "");
	r = exposed ? kri_watched_new_history(watched, "Cel") : 0;
	kri_watched_restore_history(watched, bytes + judged, exposed);
	return r;
}

static int visit(struct kryos_monitor *monitor, const char *channel)
{
	struct kri_watched *watched, **end = &monitor->channels;
	bool has_judged = false;
	int64_t seq = 0;
	int r = kri_watched_new(monitor, channel, &watched);

	if (r < 0)
		return r;
	watched->visited = true;
	watched->interval_ns = KRYOS_MINUTES(1);
	r = kryos_evaluator_new(&watched->evaluator, watched->interval_ns);
	if (r >= 0)
		r = kri_watched_get_state(watched, &seq, &has_judged);
	if (r < 0) {
		kri_watched_free(watched);
		if (r == -ENOMEM)
			return r;
		kri_log(monitor->ctx, KRYOS_LOG_WARNING, "monitor", r,
		        "%s: its state is made again from the samples when it is watched: %s", channel,
		        kryos_strerror(r));
		return 0;
	}
	watched->replayed_seq = seq;
	kri_watched_drain(watched, NULL);
	while (*end)
		end = &(*end)->next;
	*end = watched;
	return 0;
}

int kri_monitor_visit(struct kryos_monitor *monitor)
{
	int r = kri_monitor_check(monitor);

	for (size_t i = 0; r >= 0 && i < monitor->known_count; i++)
		r = visit(monitor, monitor->known[i]);
	return r;
}
