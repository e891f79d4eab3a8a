/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was told already of a channel, by the stored events. Where its state is lost: what is open, beginnings without
 * an end. Where it is older than the events, as after the loss of state.db: all that is newer than it. And in both
 * whether somebody has retired it since.
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

void kri_announced_free(struct kri_watched *watched)
{
	struct kri_announced *announced;

	while ((announced = kri_announced_take(watched, NULL, NULL)))
		free(announced);
}

bool kri_announced_has(const struct kri_watched *watched, const struct kryos_episode *episode)
{
	for (const struct kri_announced *at = watched->announced; at; at = at->next)
		if (strcmp(at->episode.name, episode->name) == 0 && at->episode.ended_by == episode->ended_by &&
		    kri_instant_is_same(&at->episode.trigger, &episode->trigger))
			return true;
	return false;
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

int kri_announced_load(struct kri_watched *watched, struct kryos_reader *reader, bool only_open)
{
	char retired[KRI_RETIRED_TEXT] = "";
	enum kryos_event_type type = KRYOS_EVENT_RESUMED;
	const struct kryos_record *record;
	struct kryos_instant at = { 0 };
	int r;

	while ((r = kryos_reader_next_event(reader, &record)) > 0) {
		const struct kryos_event *event = record->event;

		if (strcmp(event->name, watched->name) != 0)
			continue;
		if (event->type == KRYOS_EVENT_ALARM_ON || event->type == KRYOS_EVENT_ALARM_OFF)
			take_episode(watched, event->text, only_open);
		if (event->type != KRYOS_EVENT_RETIRED && event->type != KRYOS_EVENT_RESUMED)
			continue;
		type = event->type;
		at = kri_instant_of(&record->sample);
		snprintf(retired, sizeof(retired), "%s", event->text);
	}
	if (*retired)
		kri_retired_take(watched, type == KRYOS_EVENT_RETIRED, retired, &at);
	return r;
}
