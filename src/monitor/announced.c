/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was told already, by the stored events: what is open, beginnings without an end, where a state is lost; and what
 * is newer than a state that is older than it should be.
 */
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kri_announced **find(struct kryos_monitor *monitor, const char *channel, const char *rule)
{
	struct kri_announced **at = &monitor->announced;

	while (*at && (strcmp((*at)->channel, channel) != 0 || (rule && strcmp((*at)->episode.name, rule) != 0)))
		at = &(*at)->next;
	return at;
}

struct kri_announced *kri_announced_take(struct kryos_monitor *monitor, const char *channel, const char *rule,
                                         const struct kryos_instant *until)
{
	struct kri_announced **at = find(monitor, channel, rule), *taken = *at;

	if (!taken || (until && kri_instant_is_before(until, &taken->episode.trigger)))
		return NULL;
	*at = taken->next;
	return taken;
}

void kri_announced_forget(struct kryos_monitor *monitor, const char *channel)
{
	for (struct kri_announced **at = &monitor->announced, *gone; *at;) {
		gone = *at;
		if (channel && strcmp(gone->channel, channel) != 0) {
			at = &gone->next;
			continue;
		}
		*at = gone->next;
		free(gone);
	}
}

int64_t kri_announced_since(const struct kryos_monitor *monitor, const char *channel, int64_t otherwise)
{
	for (const struct kri_announced *at = monitor->announced; at; at = at->next)
		if (strcmp(at->channel, channel) == 0 && at->episode.start.t_wall_ns < otherwise)
			otherwise = at->episode.start.t_wall_ns;
	return otherwise;
}

static bool is_episode(const struct kryos_event *event, struct kryos_episode *ret_episode)
{
	return (event->type == KRYOS_EVENT_ALARM_ON || event->type == KRYOS_EVENT_ALARM_OFF) &&
	       kryos_episode_parse(ret_episode, event->text) >= 0;
}

/* Without memory an episode may be told again. */
static void add(struct kri_announced **list, const char *channel, const struct kryos_episode *episode)
{
	struct kri_announced *announced = calloc(1, sizeof(*announced));

	if (!announced)
		return;
	snprintf(announced->channel, sizeof(announced->channel), "%s", channel);
	announced->episode = *episode;
	announced->episode.rule.name = announced->episode.name;
	announced->next = *list;
	*list = announced;
}

static void take_event(struct kryos_monitor *monitor, const struct kryos_event *event)
{
	struct kryos_episode episode;

	if (!is_episode(event, &episode))
		return;
	/* Of a rule one is open at a time. */
	free(kri_announced_take(monitor, event->name, episode.name, NULL));
	if (!episode.ended_by)
		add(&monitor->announced, event->name, &episode);
}

void kri_announced_load(struct kryos_monitor *monitor)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int r;

	if (monitor->has_announced)
		return;
	r = kryos_reader_open(&reader, monitor->ctx, kri_store_get_path(monitor->store));
	if (r >= 0) {
		while ((r = kryos_reader_next_event(reader, &record)) > 0)
			take_event(monitor, record->event);
		kryos_reader_close(reader);
	}
	if (r < 0 && r != -ENOENT)
		kri_log(monitor->ctx, KRYOS_LOG_WARNING, "monitor", r,
		        "which alarms were told before can't be read; they may be told again: %s", kryos_strerror(r));
	monitor->has_announced = r >= 0;
}

int kri_heard_load(struct kri_watched *watched, struct kryos_reader *reader)
{
	const struct kryos_record *record;
	struct kryos_episode episode;
	int r;

	while ((r = kryos_reader_next_event(reader, &record)) > 0)
		if (strcmp(record->event->name, watched->name) == 0 && is_episode(record->event, &episode))
			add(&watched->heard, watched->name, &episode);
	return r;
}

bool kri_heard_has(const struct kri_watched *watched, const struct kryos_episode *episode)
{
	for (const struct kri_announced *heard = watched->heard; heard; heard = heard->next)
		if (strcmp(heard->episode.name, episode->name) == 0 && heard->episode.ended_by == episode->ended_by &&
		    kri_instant_is_same(&heard->episode.trigger, &episode->trigger))
			return true;
	return false;
}

void kri_heard_free(struct kri_watched *watched)
{
	while (watched->heard) {
		struct kri_announced *heard = watched->heard;

		watched->heard = heard->next;
		free(heard);
	}
}
