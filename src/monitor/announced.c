/* SPDX-License-Identifier: Apache-2.0 */
/* What the stored events say is open: beginnings without an end. Read once, and only where a state is lost. */
#include "private.h"
#include <stdlib.h>
#include <string.h>

static struct kri_announced **find(struct kryos_monitor *monitor, const char *channel,
                                   const struct kryos_episode *episode)
{
	struct kri_announced **at = &monitor->announced;

	while (*at && (strcmp((*at)->channel, channel) != 0 ||
	               (episode && (strcmp((*at)->episode.name, episode->name) != 0 ||
	                            !kri_instant_is_same(&(*at)->episode.start, &episode->start)))))
		at = &(*at)->next;
	return at;
}

struct kri_announced *kri_announced_take(struct kryos_monitor *monitor, const char *channel,
                                         const struct kryos_episode *episode)
{
	struct kri_announced **at = find(monitor, channel, episode), *taken = *at;

	if (taken)
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

static void take_event(struct kryos_monitor *monitor, const struct kryos_event *event)
{
	struct kryos_episode episode;
	struct kri_announced *announced, **at;

	if ((event->type != KRYOS_EVENT_ALARM_ON && event->type != KRYOS_EVENT_ALARM_OFF) ||
	    kryos_episode_parse(&episode, event->text) < 0)
		return;
	at = find(monitor, event->name, &episode);
	if (event->type == KRYOS_EVENT_ALARM_OFF) {
		free(kri_announced_take(monitor, event->name, &episode));
		return;
	}
	announced = *at ? NULL : calloc(1, sizeof(*announced));
	if (!announced)
		return;
	strncpy(announced->channel, event->name, sizeof(announced->channel) - 1);
	announced->episode = episode;
	announced->episode.rule.name = announced->episode.name;
	*at = announced;
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
