/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was told already of a channel, by the stored events. Where its state is lost: what is open, beginnings without
 * an end. Where it is older than the events, as after the loss of state.db: all that is newer than it. And in both
 * when somebody retired it, and resumed it: what was measured in between is not judged now either.
 */
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kri_announced *kri_announced_take(struct kri_watched *watched, const char *rule,
                                         const struct kryos_instant *until)
{
	struct kri_announced **at = &watched->announced, *taken;

	while (*at && rule && strcmp((*at)->episode.name, rule) != 0)
		at = &(*at)->next;
	taken = *at;
	if (!taken || (until && kri_instant_is_before(until, &taken->episode.trigger)))
		return NULL;
	*at = taken->next;
	return taken;
}

struct kri_retirement *kri_retirements_take(struct kri_watched *watched, const struct kryos_instant *until)
{
	struct kri_retirement *taken = watched->retirements;

	if (!taken || (until && !kri_instant_is_before(&taken->at, until)))
		return NULL;
	watched->retirements = taken->next;
	return taken;
}

void kri_announced_free(struct kri_watched *watched)
{
	struct kri_announced *announced;
	struct kri_retirement *retirement;

	while ((announced = kri_announced_take(watched, NULL, NULL)))
		free(announced);
	while ((retirement = kri_retirements_take(watched, NULL)))
		free(retirement);
}

bool kri_announced_has_end(const struct kri_watched *watched, const struct kryos_episode *episode,
                           enum kryos_episode_end why)
{
	for (const struct kri_announced *at = watched->announced; at; at = at->next)
		if (strcmp(at->episode.name, episode->name) == 0 && at->episode.ended_by &&
		    (!why || at->episode.ended_by == why) &&
		    kri_instant_is_same(&at->episode.trigger, &episode->trigger))
			return true;
	return false;
}

/* How far two became episodes apart from each other; in two boots nobody knows. */
static int64_t distance_ns(const struct kryos_instant *one, const struct kryos_instant *other)
{
	int64_t off_ns = one->t_boot_ns - other->t_boot_ns;

	if (one->boot != other->boot)
		return INT64_MAX;
	return off_ns < 0 ? -off_ns : off_ns;
}

struct kri_announced *kri_announced_take_begun(struct kri_watched *watched, const struct kryos_episode *episode)
{
	int64_t limit_ns = watched->record_ns && !episode->ended_by ? watched->record_ns + watched->interval_ns : 0;
	struct kri_announced **nearest = NULL, *taken;
	int64_t nearest_ns = INT64_MAX;

	for (struct kri_announced **at = &watched->announced; *at; at = &(*at)->next) {
		int64_t off_ns = distance_ns(&(*at)->episode.trigger, &episode->trigger);

		if (strcmp((*at)->episode.name, episode->name) != 0 || (*at)->episode.ended_by || off_ns > limit_ns ||
		    off_ns >= nearest_ns)
			continue;
		nearest = at;
		nearest_ns = off_ns;
	}
	if (!nearest)
		return NULL;
	taken = *nearest;
	*nearest = taken->next;
	return taken;
}

int64_t kri_announced_since(const struct kri_watched *watched, int64_t otherwise)
{
	for (const struct kri_announced *at = watched->announced; at; at = at->next)
		if (at->episode.start.t_wall_ns < otherwise)
			otherwise = at->episode.start.t_wall_ns;
	return otherwise;
}

/* Without memory an episode may be told again. */
static void take_episode(struct kri_watched *watched, const char *text, bool only_open)
{
	struct kri_announced *announced;
	struct kryos_episode episode;

	if (kryos_episode_parse(&episode, text) < 0)
		return;
	/* Of a rule one is open at a time. */
	if (only_open)
		free(kri_announced_take(watched, episode.name, NULL));
	announced = only_open && episode.ended_by ? NULL : calloc(1, sizeof(*announced));
	if (!announced)
		return;
	announced->episode = episode;
	announced->episode.rule.name = announced->episode.name;
	announced->next = watched->announced;
	watched->announced = announced;
}

/* In the order of time; of one time, in which they are added. */
static int add_retirement(struct kri_watched *watched, const struct kri_retirement *retirement)
{
	struct kri_retirement **at = &watched->retirements, *added = malloc(sizeof(*added));

	if (!added)
		return kryos_fail(-ENOMEM, "monitor: out of memory");
	while (*at && !kri_instant_is_before(&retirement->at, &(*at)->at))
		at = &(*at)->next;
	*added = *retirement;
	added->next = *at;
	*at = added;
	return 0;
}

/* A text that is not ours changes nothing of what happened: all of it is why then, and nobody knows who. */
static int take_retirement(struct kri_watched *watched, const struct kryos_record *record)
{
	const char *text = record->event->text, *why = strstr(text, " why=");
	struct kri_retirement retirement = { .retired = record->event->type == KRYOS_EVENT_RETIRED,
		                             .at = kri_instant_of(&record->sample) };
	bool ours = strncmp(text, "by=", 3) == 0 && why && why - text - 3 < KRI_WHO_MAX;

	snprintf(retirement.by, sizeof(retirement.by), "%.*s", ours ? (int)(why - text - 3) : 1, ours ? text + 3 : "?");
	snprintf(retirement.why, sizeof(retirement.why), "%s", ours ? why + 5 : text);
	return add_retirement(watched, &retirement);
}

/* What a state without its evaluator's part knows: until then all of it. */
static int set_retirement_aside(struct kri_watched *watched)
{
	struct kri_retirement kept = { .retired = watched->retired,
		                       .at = watched->retired ? watched->retired_at : watched->judged };
	int r;

	memcpy(kept.by, watched->retired_by, sizeof(kept.by));
	memcpy(kept.why, watched->retired_why, sizeof(kept.why));
	r = add_retirement(watched, &kept);
	if (r >= 0)
		watched->retired = false;
	return r;
}

int kri_announced_load(struct kri_watched *watched, struct kryos_reader *reader, bool only_open)
{
	const struct kryos_record *record;
	int r = only_open && watched->has_judged ? set_retirement_aside(watched) : 0;

	while (r >= 0 && (r = kri_stored_next(reader, kryos_reader_next_event, &record)) > 0) {
		const struct kryos_event *event = record->event;

		if (strcmp(event->name, watched->name) != 0)
			continue;
		if (event->type == KRYOS_EVENT_ALARM_ON || event->type == KRYOS_EVENT_ALARM_OFF)
			take_episode(watched, event->text, only_open);
		else if (event->type == KRYOS_EVENT_RETIRED || event->type == KRYOS_EVENT_RESUMED)
			r = take_retirement(watched, record);
	}
	return r;
}
