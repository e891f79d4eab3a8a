/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at what the store keeps, and what people say where no station runs. The rules are those that were in force:
 * other ones are put in force by the station only. By them, what was stored since the state was kept is judged as at a
 * start of the station, but in memory: it is stored with what somebody says, or not at all.
 *
 *     what is kept                  alarms                              people may
 *     whole                         up to the newest sample stored      acknowledge, retire, resume
 *     without the evaluator's part  up to when it was kept              acknowledge, resume
 *     nothing, or it is unreadable  what stored events say is open      -
 */
#include "../alarm/alarm.h"
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int kri_visited_restore(struct kri_watched *watched, const char *bytes, size_t judged, size_t exposed)
{
	const struct kryos_evaluator *evaluator;
	int r = watched->interval_ns
	                ? kryos_evaluator_new(&watched->evaluator, watched->interval_ns)
	                : kryos_fail(KRYOS_ECORRUPT, "what is kept of it does not say how often it is measured");

	if (r >= 0 && judged)
		r = kri_evaluator_restore_whole(watched->evaluator, bytes, judged);
	evaluator = watched->evaluator;
	if (r >= 0 && evaluator->track_count > KRI_MONITOR_MAX_RULES)
		r = kryos_fail(KRYOS_ECORRUPT, "what is kept of it has %u rules", evaluator->track_count);
	if (r < 0)
		return r;
	watched->unjudged = !judged;
	for (unsigned int i = 0; i < evaluator->track_count; i++) {
		watched->rules[i] = evaluator->tracks[i].rule;
		snprintf(watched->rule_names[i], KRYOS_RULE_NAME_MAX, "%s", evaluator->tracks[i].name);
		watched->rules[i].name = watched->rule_names[i];
	}
	watched->rule_count = evaluator->track_count;
	r = kri_watched_new_history(watched, watched->unit);
	kri_watched_restore_history(watched, bytes + judged, exposed);
	return r;
}

static void enter(struct kri_watched *watched)
{
	struct kri_watched **end = &watched->monitor->channels;

	while (*end)
		end = &(*end)->next;
	*end = watched;
}

/* Which alarms are open by all events that are stored, and who acknowledged them. */
static int take_stored(struct kri_watched *watched)
{
	struct kryos_monitor *monitor = watched->monitor;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int r = kryos_reader_open(&reader, monitor->ctx, kri_store_get_path(monitor->store));

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while ((r = kri_stored_next(reader, kryos_reader_next_event, &record)) > 0) {
		const struct kryos_event *event = record->event;
		struct kryos_instant at = kri_instant_of(&record->sample);
		struct kryos_episode episode;

		if (strcmp(event->name, watched->name) != 0)
			continue;
		if (event->type == KRYOS_EVENT_ACKNOWLEDGED)
			kri_acknowledged_take(watched, event->text, &at);
		else if ((event->type == KRYOS_EVENT_ALARM_ON || event->type == KRYOS_EVENT_ALARM_OFF) &&
		         kryos_episode_parse(&episode, event->text) >= 0)
			kri_alarms_take(watched, &episode, false);
	}
	kryos_reader_close(reader);
	return r;
}

static int new_visited(struct kryos_monitor *monitor, const char *channel, struct kri_watched **ret_watched)
{
	int r = kri_watched_new(monitor, channel, ret_watched);

	if (r >= 0)
		(*ret_watched)->visited = true;
	return r;
}

/* why: there is no state of it that can be read. */
static int visit_unread(struct kryos_monitor *monitor, const char *channel, const char *why)
{
	struct kri_watched *watched;
	int r = new_visited(monitor, channel, &watched);

	if (r < 0)
		return r;
	snprintf(watched->unread, sizeof(watched->unread), "%s", why);
	r = take_stored(watched);
	if (r < 0)
		snprintf(watched->unread, sizeof(watched->unread), "%.70s; nor are all of its events: %.80s", why,
		         kryos_strerror(r));
	enter(watched);
	return 0;
}

static uint32_t open_of_alarms(const struct kri_watched *watched)
{
	uint32_t open = 0;

	for (const struct kri_alarm *alarm = watched->alarms; alarm; alarm = alarm->next)
		if (!alarm->episode.ended_by)
			open |= UINT32_C(1) << alarm->episode.rule.kind;
	return open;
}

int kri_monitor_visit_channel(struct kryos_monitor *monitor, const char *channel)
{
	struct kri_watched *watched;
	bool judged = false;
	char why[200];
	int64_t seq = 0;
	int r;

	if (kri_monitor_find(monitor, channel))
		return 0;
	r = new_visited(monitor, channel, &watched);
	if (r < 0)
		return r;
	r = kri_watched_get_state(watched, &seq, &judged);
	if (r >= 0)
		r = kryos_channel_add(monitor->ctx, channel, watched->unit, &watched->channel);
	if (r < 0) {
		snprintf(why, sizeof(why), "%s", r == -ENOENT ? "nothing is kept of it" : kryos_strerror(r));
		kri_watched_free(watched);
		return r == -ENOMEM ? r : visit_unread(monitor, channel, why);
	}
	enter(watched);
	if (judged) {
		kri_watched_drain(watched, NULL);
		r = kri_watched_replay(watched, seq);
		if (r < 0)
			snprintf(watched->unread, sizeof(watched->unread),
			         "not all that is stored could be judged: %.120s", kryos_strerror(r));
	} else {
		watched->open = open_of_alarms(watched);
	}
	return 0;
}

struct noted {
	struct kryos_monitor *monitor;
	int result;
};

static void visit_noted(void *data, const char *name)
{
	struct noted *noted = data;

	if (noted->result >= 0)
		noted->result = kri_monitor_visit_channel(noted->monitor, name + strlen(KRI_NOTED_ALARM));
}

int kri_monitor_visit(struct kryos_monitor *monitor)
{
	struct noted noted = { .monitor = monitor, .result = kri_monitor_check(monitor) };

	for (size_t i = 0; noted.result >= 0 && i < monitor->known_count; i++)
		noted.result = kri_monitor_visit_channel(monitor, monitor->known[i]);
	if (noted.result >= 0)
		kri_store_each_noted(monitor->store, KRI_NOTED_ALARM, visit_noted, &noted);
	return noted.result;
}

/* Who retires or resumes a channel has measured nothing. None: nothing was. */
static struct kryos_instant newest_measured(const struct kri_watched *watched)
{
	struct kryos_instant newest = kri_instant_of(&watched->state), at;

	if (watched->evaluator && watched->evaluator->time.has &&
	    kri_instant_is_before(&newest, &watched->evaluator->time.at))
		newest = watched->evaluator->time.at;
	if (kri_watched_get_remembered(watched, &at) && kri_instant_is_before(&newest, &at))
		newest = at;
	return watched->unjudged && !newest.boot ? watched->judged : newest;
}

bool kri_monitor_get_visited(const struct kryos_monitor *monitor, unsigned int index, struct kri_visited *ret_visited)
{
	const struct kri_watched *watched = monitor->channels;

	while (watched && index--)
		watched = watched->next;
	if (!watched || !watched->visited)
		return false;
	*ret_visited = (struct kri_visited){ .channel = watched->name,
		                             .unread = *watched->unread ? watched->unread : NULL,
		                             .measured = newest_measured(watched) };
	return true;
}
