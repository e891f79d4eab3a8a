/* SPDX-License-Identifier: Apache-2.0 */
/* What people say of alarms: that they know of one, that a channel is to raise none, and that it is to again. */
#include "private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kri_alarm **kri_alarms_find_open(struct kri_watched *watched, const char *rule)
{
	struct kri_alarm **at = &watched->alarms;

	while (*at && ((*at)->episode.ended_by || strcmp((*at)->episode.name, rule) != 0))
		at = &(*at)->next;
	return at;
}

static void remove_alarm(struct kri_alarm **at)
{
	struct kri_alarm *alarm = *at;

	*at = alarm->next;
	free(alarm);
}

static bool has_ended(const struct kri_watched *watched)
{
	const struct kri_alarm *alarm = watched->alarms;

	while (alarm && !alarm->episode.ended_by)
		alarm = alarm->next;
	return alarm;
}

/* The oldest that ended give way; their events stay, and their number. */
static void limit_ended(struct kri_watched *watched)
{
	unsigned int ended = 0;

	for (const struct kri_alarm *alarm = watched->alarms; alarm; alarm = alarm->next)
		ended += alarm->episode.ended_by != KRYOS_EPISODE_OPEN;
	for (struct kri_alarm **at = &watched->alarms; ended > KRI_MONITOR_MAX_ENDED;) {
		if ((*at)->episode.ended_by) {
			remove_alarm(at);
			watched->older++;
			ended--;
		} else {
			at = &(*at)->next;
		}
	}
}

void kri_alarms_take(struct kri_watched *watched, const struct kryos_episode *episode, bool told)
{
	struct kri_alarm **at = kri_alarms_find_open(watched, episode->name);

	if (*at && !kri_instant_is_same(&(*at)->episode.trigger, &episode->trigger)) {
		/* Another one, of a state that was lost since; unless one ends that was before it. */
		if (!episode->ended_by || kri_instant_is_before(&(*at)->episode.trigger, &episode->trigger))
			remove_alarm(at);
		while (*at)
			at = &(*at)->next;
	}
	if (!*at && (!episode->ended_by || told))
		*at = calloc(1, sizeof(**at));
	if (!*at)
		return;
	(*at)->episode = *episode;
	(*at)->episode.rule.name = (*at)->episode.name;
	if (episode->ended_by && ((*at)->acknowledged || !told))
		remove_alarm(at);
	limit_ended(watched);
}

void kri_alarms_free(struct kri_watched *watched)
{
	while (watched->alarms)
		remove_alarm(&watched->alarms);
}

static int check_line(const char *field, const char *text, size_t size)
{
	size_t length = text ? strlen(text) : 0;

	if (!length || length >= size)
		return kryos_fail(-EINVAL, "%s: %zu bytes; 1 to %zu are allowed", field, length, size - 1);
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return kryos_fail(-EINVAL, "%s: one line of text is allowed", field);
	return 0;
}

/* The channel, where both texts may be stored and there is place for what is to be said. */
static int find(struct kryos_monitor *monitor, const char *channel, const char *who, const char *field,
                const char *text, struct kri_watched **ret_watched)
{
	int r = kri_monitor_check(monitor);

	if (r >= 0)
		r = check_line("who", who, KRI_WHO_MAX);
	if (r >= 0)
		r = check_line(field, text, KRI_COMMENT_MAX);
	if (r < 0)
		return r;
	*ret_watched = channel ? kri_monitor_find(monitor, channel) : NULL;
	if (!*ret_watched)
		return kryos_fail(-ENOENT, "%s: no rules watch this channel", channel ? channel : "");
	if (*(*ret_watched)->unread)
		return kryos_fail(-EAGAIN, "%s: %s: the daemon has to run first", channel, (*ret_watched)->unread);
	return kri_news_check(*ret_watched);
}

/* The open one that nobody acknowledged, else the newest that ended. */
static struct kri_alarm **find_unacknowledged(struct kri_watched *watched, const char *rule)
{
	struct kri_alarm **open = kri_alarms_find_open(watched, rule), **newest = NULL;

	if (*open && !(*open)->acknowledged)
		return open;
	for (struct kri_alarm **at = &watched->alarms; *at; at = &(*at)->next)
		if ((*at)->episode.ended_by && strcmp((*at)->episode.name, rule) == 0)
			newest = at;
	return newest;
}

/* With which words an event names it; how many bytes. */
static size_t alarm_words(const struct kri_alarm *alarm, char text[KRYOS_EPISODE_TEXT_MAX])
{
	char episode[KRYOS_EPISODE_TEXT_MAX];
	const char *start = strstr(kryos_episode_text(&alarm->episode, episode), " start=") + 1;

	return (size_t)snprintf(text, KRYOS_EPISODE_TEXT_MAX, "rule=%s %.*s", alarm->episode.name,
	                        (int)strcspn(start, " "), start);
}

static void tell_acknowledged(struct kri_watched *watched, const struct kri_alarm *alarm)
{
	char text[KRYOS_EPISODE_TEXT_MAX];
	size_t length = alarm_words(alarm, text);

	snprintf(text + length, sizeof(text) - length, " by=%s comment=%s", alarm->by, alarm->comment);
	kri_news_add(watched, KRYOS_EVENT_ACKNOWLEDGED, NULL, NULL, text);
}

void kri_acknowledged_take(struct kri_watched *watched, const char *text, const struct kryos_instant *at)
{
	const char *by, *comment;

	for (struct kri_alarm *alarm = watched->alarms; alarm; alarm = alarm->next) {
		char words[KRYOS_EPISODE_TEXT_MAX];
		size_t length = alarm_words(alarm, words);

		by = text + length;
		if (strncmp(text, words, length) != 0 || strncmp(by, " by=", 4) != 0)
			continue;
		by += 4;
		comment = strstr(by, " comment=");
		if (!comment || comment - by >= KRI_WHO_MAX)
			continue;
		alarm->acknowledged = true;
		alarm->at = *at;
		snprintf(alarm->by, sizeof(alarm->by), "%.*s", (int)(comment - by), by);
		snprintf(alarm->comment, sizeof(alarm->comment), "%s", comment + strlen(" comment="));
	}
}

static bool has_rule(const struct kri_watched *watched, const char *rule)
{
	for (uint32_t i = 0; i < watched->rule_count; i++)
		if (strcmp(watched->rule_names[i], rule) == 0)
			return true;
	return false;
}

static void tell_older(struct kri_watched *watched, const char *rule, const char *who, const char *comment)
{
	char text[KRI_RETIRED_TEXT + KRYOS_RULE_NAME_MAX + 40];

	snprintf(text, sizeof(text), "rule=%s older=%" PRIu32 " by=%s comment=%s", rule, watched->older, who, comment);
	kri_news_add(watched, KRYOS_EVENT_ACKNOWLEDGED, NULL, NULL, text);
}

static void keep_said(struct kri_watched *watched)
{
	watched->said = true;
	kri_watched_keep(watched);
}

int kryos_monitor_acknowledge(struct kryos_monitor *monitor, const char *channel, const char *rule, const char *who,
                              const char *comment)
{
	struct kri_watched *watched;
	struct kri_alarm **at;
	int r = find(monitor, channel, who, "comment", comment, &watched);

	if (r < 0)
		return r;
	if (!rule)
		return kryos_fail(-EINVAL, "%s: no rule given", channel);
	at = find_unacknowledged(watched, rule);
	if (!at && watched->older && !has_ended(watched) && has_rule(watched, rule)) {
		tell_older(watched, rule, who, comment);
		watched->older = 0;
		keep_said(watched);
		return 0;
	}
	if (!at && *kri_alarms_find_open(watched, rule))
		return kryos_fail(-EALREADY, "%s: %s: %s has acknowledged it", channel, rule,
		                  (*kri_alarms_find_open(watched, rule))->by);
	if (!at)
		return kryos_fail(-ENOENT, "%s: %s: there is nothing to acknowledge", channel, rule);
	(*at)->acknowledged = true;
	snprintf((*at)->by, sizeof((*at)->by), "%s", who);
	snprintf((*at)->comment, sizeof((*at)->comment), "%s", comment);
	(*at)->at = kri_monitor_now(monitor);
	tell_acknowledged(watched, *at);
	if ((*at)->episode.ended_by)
		remove_alarm(at);
	keep_said(watched);
	return 0;
}

/* What was measured before that instant is of before. */
static void retire(struct kri_watched *watched, bool retired, const char *who, const char *why,
                   const struct kryos_instant *at)
{
	if (!watched->has_judged || kri_instant_is_before(&watched->judged, at))
		watched->judged = *at;
	watched->has_judged = watched->changed = true;
	watched->retired = retired;
	watched->retired_at = retired ? *at : (struct kryos_instant){ 0 };
	snprintf(watched->retired_by, sizeof(watched->retired_by), "%s", retired ? who : "");
	snprintf(watched->retired_why, sizeof(watched->retired_why), "%s", retired ? why : "");
}

void kri_watched_retire(struct kri_watched *watched, const struct kri_retirement *retirement)
{
	if (retirement->retired && !watched->retired &&
	    kryos_evaluator_end(watched->evaluator, KRYOS_EPISODE_RETIRED) >= 0)
		kri_watched_drain(watched, NULL);
	retire(watched, retirement->retired, retirement->by, retirement->why, &retirement->at);
}

static int set_retired(struct kryos_monitor *monitor, const char *channel, bool retired, const char *who,
                       const char *why)
{
	struct kryos_instant now;
	char text[KRI_RETIRED_TEXT];
	struct kri_watched *watched;
	int r = find(monitor, channel, who, "why", why, &watched);

	if (r >= 0 && watched->retired == retired)
		r = kryos_fail(-EALREADY, retired ? "%s: it is retired, by %s" : "%s: it is not retired", channel,
		               watched->retired_by);
	if (r >= 0 && retired && watched->unjudged)
		r = kryos_fail(-EAGAIN,
		               "%s: what is kept of it does not say how its alarms end: the daemon has to run first",
		               channel);
	if (r >= 0 && retired)
		r = kryos_evaluator_end(watched->evaluator, KRYOS_EPISODE_RETIRED);
	if (r < 0)
		return r;
	kri_watched_drain(watched, NULL);
	now = kri_monitor_now(monitor);
	retire(watched, retired, who, why, &now);
	snprintf(text, sizeof(text), "by=%s why=%s", who, why);
	kri_news_add(watched, retired ? KRYOS_EVENT_RETIRED : KRYOS_EVENT_RESUMED, NULL, NULL, text);
	keep_said(watched);
	return 0;
}

int kryos_monitor_retire(struct kryos_monitor *monitor, const char *channel, const char *who, const char *why)
{
	return set_retired(monitor, channel, true, who, why);
}

int kryos_monitor_resume(struct kryos_monitor *monitor, const char *channel, const char *who, const char *why)
{
	return set_retired(monitor, channel, false, who, why);
}

static int fill(void *ret, const void *own, size_t own_size)
{
	uint32_t size = *(const uint32_t *)ret;

	memset(ret, 0, size);
	memcpy(ret, own, size < own_size ? size : own_size);
	*(uint32_t *)ret = size;
	return 0;
}

/* As it stands, where it is open. */
static void look(const struct kri_watched *watched, struct kryos_episode *episode)
{
	struct kryos_episode now;

	for (unsigned int i = 0; i < watched->rule_count && !episode->ended_by; i++)
		if (strcmp(watched->rule_names[i], episode->name) == 0 &&
		    kryos_evaluator_look(watched->evaluator, i, &now) > 0)
			*episode = now;
}

int kryos_monitor_get_alarm(struct kryos_monitor *monitor, unsigned int index, struct kryos_monitor_alarm *ret_alarm)
{
	int r = kri_monitor_check(monitor);

	if (r >= 0 && (!ret_alarm || ret_alarm->size < sizeof(uint32_t)))
		r = kryos_fail(-EINVAL, "monitor: no place for the alarm given, or its size is not set");
	if (r < 0)
		return r;
	for (const struct kri_watched *watched = monitor->channels; watched; watched = watched->next) {
		for (const struct kri_alarm *alarm = watched->alarms; alarm && !watched->leaving; alarm = alarm->next) {
			struct kryos_monitor_alarm own = { .acknowledged = alarm->acknowledged,
				                           .channel = watched->name,
				                           .episode = alarm->episode,
				                           .acknowledged_at = alarm->at };

			if (index--)
				continue;
			look(watched, &own.episode);
			memcpy(own.by, alarm->by, sizeof(own.by));
			memcpy(own.comment, alarm->comment, sizeof(own.comment));
			r = fill(ret_alarm, &own, sizeof(own));
			if (ret_alarm->size >= sizeof(own))
				ret_alarm->episode.rule.name = ret_alarm->episode.name;
			return r;
		}
	}
	return kryos_fail(-ENOENT, "monitor: no more alarms");
}

int kryos_monitor_get_channel(struct kryos_monitor *monitor, unsigned int index,
                              struct kryos_monitor_channel *ret_channel)
{
	int r = kri_monitor_check(monitor);

	if (r >= 0 && (!ret_channel || ret_channel->size < sizeof(uint32_t)))
		r = kryos_fail(-EINVAL, "monitor: no place for the channel given, or its size is not set");
	if (r < 0)
		return r;
	for (const struct kri_watched *watched = monitor->channels; watched; watched = watched->next) {
		struct kryos_monitor_channel own = { .retired = watched->retired,
			                             .channel = watched->name,
			                             .open = watched->open,
			                             .rule_count = watched->rule_count,
			                             .retired_at = watched->retired_at,
			                             .history = watched->history,
			                             .older = watched->older };

		if (watched->leaving || *watched->unread || index--)
			continue;
		memcpy(own.unit, watched->unit, sizeof(own.unit));
		memcpy(own.retired_by, watched->retired_by, sizeof(own.retired_by));
		memcpy(own.retired_why, watched->retired_why, sizeof(own.retired_why));
		return fill(ret_channel, &own, sizeof(own));
	}
	return kryos_fail(-ENOENT, "monitor: no more channels");
}
