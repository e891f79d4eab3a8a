/* SPDX-License-Identifier: Apache-2.0 */
/* Which channels are watched, by which rules, and what becomes of an episode when those are others. */
#include "../alarm/alarm.h"
#include "../config/config.h"
#include "../digest/digest.h"
#include "private.h"
#include <inttypes.h>
#include <kryos/sample.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME 57        /* of a channel: "alarm " and it are the name of an event */
#define MAX_RULES_TEXT 469 /* as kri_store_note takes it */
#define MAX_RULES_PARTS 32 /* each has at least one rule */
#define MAX_PARTS_NAME 52  /* of a channel: with "rules " before it and " (32)" behind, the name of an event */

void kri_watched_free(struct kri_watched *watched)
{
	if (!watched)
		return;
	kri_timer_cancel(watched->monitor->ctx, &watched->due);
	kryos_evaluator_free(watched->evaluator);
	kryos_history_free(watched->history);
	kri_alarms_free(watched);
	kri_announced_free(watched);
	kri_news_free(watched);
	free(watched->noted);
	free(watched);
}

int kri_watched_new(struct kryos_monitor *monitor, const char *channel, struct kri_watched **ret_watched)
{
	struct kri_watched *watched = calloc(1, sizeof(*watched));

	if (!watched)
		return kryos_fail(-ENOMEM, "monitor: out of memory");
	watched->monitor = monitor;
	watched->news_tail = &watched->news;
	watched->due.fire = kri_watched_on_due;
	snprintf(watched->name, sizeof(watched->name), "%s", channel);
	watched->kept_ns = kri_boot_ns(monitor->ctx);
	*ret_watched = watched;
	return 0;
}

/*
 * All rules, as an auditor reads them, in as many texts as it takes, one behind the other, and an empty one. Where the
 * channel's name leaves no room for the number of another text, what does not fit is counted, with a checksum of the
 * whole by which a change of it is seen.
 */
static char *rules_text(const struct kri_watched *watched)
{
	size_t room = (size_t)MAX_RULES_PARTS * (MAX_RULES_TEXT + 1) + 1, at, begin = 0, length;
	unsigned int parts = strlen(watched->name) <= MAX_PARTS_NAME ? MAX_RULES_PARTS : 1, written = 0;
	char *text = calloc(1, room), rule[400], every[32];
	uint32_t crc = 0;

	if (!text)
		return NULL;
	kri_duration_text(watched->interval_ns, every);
	at = (size_t)snprintf(text, room, "every=%s", every);
	for (unsigned int i = 0; i < watched->rule_count; i++) {
		length = (size_t)snprintf(rule, sizeof(rule), "%s ", watched->rule_names[i]);
		length += kri_rule_text(&watched->rules[i], rule + length, sizeof(rule) - length);
		crc = kri_crc32c(crc, rule, length);
		if (parts > 1 && at - begin + length + 2 > MAX_RULES_TEXT - 40) {
			begin = ++at;
			parts--;
		}
		if (written == i && at - begin + length + 2 <= MAX_RULES_TEXT - 40) {
			at += (size_t)snprintf(text + at, room - at, "%s%s",
			                       i == 0       ? " "
			                       : at > begin ? ", "
			                                    : "",
			                       rule);
			written++;
		}
	}
	if (written < watched->rule_count)
		snprintf(text + at, room - at, ", %u more, crc32c=%08" PRIx32, watched->rule_count - written, crc);
	return text;
}

/* What the first event has no room for. Of texts that there are no more of, nothing is in force. */
static int note_more(struct kri_watched *watched)
{
	const char *text = watched->noted + strlen(watched->noted) + (*watched->noted ? 1 : 0);
	char name[MAX_PARTS_NAME + 12];
	int r = 0, news = 0;

	if (strlen(watched->name) > MAX_PARTS_NAME)
		return 0;
	for (int part = 2; part <= MAX_RULES_PARTS && r >= 0; part++) {
		snprintf(name, sizeof(name), "rules %.*s (%d)", MAX_PARTS_NAME, watched->name, part);
		r = kri_store_note(watched->monitor->store, KRYOS_EVENT_CONFIGURED, name, text, watched->who);
		news |= r > 0;
		text += strlen(text) + (*text ? 1 : 0);
	}
	return r < 0 ? r : news;
}

void kri_watched_note(struct kri_watched *watched)
{
	struct kryos_monitor *monitor = watched->monitor;
	char name[MAX_NAME + 7];
	int r;

	if (!watched->noted)
		return;
	snprintf(name, sizeof(name), KRI_NOTED_ALARM "%.*s", MAX_NAME, watched->name);
	r = kri_store_note(monitor->store, KRYOS_EVENT_CONFIGURED, name, watched->noted, watched->who);
	if (r >= 0) {
		int more = note_more(watched);

		r = more < 0 || more > r ? more : r;
	}
	if (r < 0) {
		kri_log(monitor->ctx, KRYOS_LOG_DEBUG, "monitor", r, "%s: its rules are not stored yet: %s",
		        watched->name, kryos_strerror(r));
		kri_monitor_arm(monitor);
		return;
	}
	if (r > 0)
		kri_log(monitor->ctx, KRYOS_LOG_NOTICE, "monitor", 0, "%s: by %s now: %s", watched->name, watched->who,
		        *watched->noted ? watched->noted : "nothing");
	free(watched->noted);
	watched->noted = NULL;
}

/* config's rules may be smaller than ours, each as large as the first says. */
static int add_rules(struct kri_watched *watched, const struct kryos_monitor_channel_config *config)
{
	int r = kryos_evaluator_new(&watched->evaluator, config->interval_ns);

	watched->interval_ns = config->interval_ns;
	for (uint32_t i = 0; r >= 0 && i < config->rule_count; i++) {
		const void *given = (const char *)config->rules + (size_t)i * config->rules->size;
		struct kryos_rule *rule = &watched->rules[i];

		r = kri_config_copy(rule, sizeof(*rule), given);
		if (r >= 0)
			r = kryos_evaluator_add(watched->evaluator, rule);
		if (r < 0)
			return r;
		snprintf(watched->rule_names[i], KRYOS_RULE_NAME_MAX, "%s", rule->name);
		rule->name = watched->rule_names[i];
		watched->rule_count++;
	}
	return r;
}

static int check_who(const char *channel, const char *who)
{
	if (!*who || strlen(who) >= KRI_WHO_MAX || strpbrk(who, ";\r\n"))
		return kryos_fail(-EINVAL,
		                  "%s: who: \"%.40s\" is not allowed; 1 to 31 bytes on one line without \";\" are",
		                  channel, who);
	return 0;
}

static int configure(struct kri_watched *watched, const struct kryos_monitor_channel_config *config)
{
	struct kryos_monitor_channel_config own = { 0 };
	int r = config ? kri_config_copy(&own, sizeof(own), config) : -EINVAL;

	own.who = own.who ? own.who : "program";
	if (r >= 0)
		r = check_who(watched->name, own.who);
	if (r < 0)
		return r;
	snprintf(watched->who, sizeof(watched->who), "%s", own.who);
	if (own.record_ns < 0 || own.record_ns > KRYOS_DAYS(1))
		return kryos_fail(-EINVAL, "%s: record_ns: 0 to 1 day is allowed", watched->name);
	watched->record_ns = own.record_ns;
	if (!own.rules || own.rule_count < 1 || own.rule_count > KRI_MONITOR_MAX_RULES)
		return kryos_fail(-EINVAL, "%s: %u rules; 1 to %d are allowed", watched->name, own.rule_count,
		                  KRI_MONITOR_MAX_RULES);
	snprintf(watched->unit, sizeof(watched->unit), "%s", own.unit ? own.unit : "Cel");
	r = kryos_channel_add(watched->monitor->ctx, watched->name, own.unit ? own.unit : "Cel", &watched->channel);
	if (r >= 0)
		r = add_rules(watched, &own);
	if (r >= 0)
		r = kri_watched_new_history(watched, own.unit ? own.unit : "Cel");
	if (r < 0)
		return r;
	watched->noted = rules_text(watched);
	return watched->noted ? 0 : kryos_fail(-ENOMEM, "monitor: out of memory");
}

static bool has_same_rules(const struct kri_watched *one, const struct kri_watched *other)
{
	bool same = one->rule_count == other->rule_count && one->interval_ns == other->interval_ns;

	for (uint32_t i = 0; same && i < one->rule_count; i++)
		same = kri_rule_is_same(&one->rules[i], &other->rules[i]);
	return same;
}

static int replace_history(struct kri_watched *watched, struct kri_watched *changed)
{
	struct kryos_history *before = watched->history;
	size_t count = 0;
	void *bytes = NULL;
	int r = before && changed->history ? kryos_history_save(before, &bytes, &count) : 0;

	if (r < 0)
		return r;
	kri_watched_restore_history(changed, bytes, count);
	free(bytes);
	watched->history = changed->history;
	changed->history = before;
	return 0;
}

/* The rules of changed are those of watched from now on. */
static int replace(struct kri_watched *watched, struct kri_watched *changed)
{
	struct kryos_evaluator *before = watched->evaluator;
	char *noted = watched->noted;
	void *bytes;
	size_t count;
	int r = kryos_evaluator_save(before, &bytes, &count);

	if (r < 0)
		return r;
	r = kryos_evaluator_restore(changed->evaluator, bytes, count);
	free(bytes);
	if (r >= 0)
		r = replace_history(watched, changed);
	if (r < 0)
		return r;
	watched->evaluator = changed->evaluator;
	changed->evaluator = before;
	watched->noted = changed->noted;
	changed->noted = noted;
	memcpy(watched->rules, changed->rules, sizeof(watched->rules));
	memcpy(watched->rule_names, changed->rule_names, sizeof(watched->rule_names));
	for (uint32_t i = 0; i < KRI_MONITOR_MAX_RULES; i++)
		watched->rules[i].name = watched->rule_names[i];
	watched->rule_count = changed->rule_count;
	watched->interval_ns = changed->interval_ns;
	memcpy(watched->who, changed->who, sizeof(watched->who));
	kri_watched_note(watched);
	kri_watched_drain(watched, NULL);
	kri_watched_await(watched);
	kri_watched_keep(watched);
	return 0;
}

static int enter(struct kri_watched *watched)
{
	struct kryos_monitor *monitor = watched->monitor;
	struct kri_watched **end = &monitor->channels;
	uint32_t count = watched->channel + 16;

	if (watched->channel >= monitor->number_count) {
		struct kri_watched **grown = realloc(monitor->by_number, count * sizeof(struct kri_watched *));

		if (!grown)
			return kryos_fail(-ENOMEM, "monitor: out of memory");
		for (uint32_t i = monitor->number_count; i < count; i++)
			grown[i] = NULL;
		monitor->by_number = grown;
		monitor->number_count = count;
	}
	monitor->by_number[watched->channel] = watched;
	while (*end)
		end = &(*end)->next;
	*end = watched;
	return 0;
}

/* From what the store knows on, as far as it can be read. */
static int begin(struct kri_watched *watched)
{
	struct kryos_monitor *monitor = watched->monitor;
	bool has_state = false, lasted;
	int64_t seq = 0;
	int r = kri_watched_get_state(watched, &seq, &has_state);

	if (r == -ENOMEM)
		return r;
	if (r < 0 && r != -ENOENT)
		kri_log(monitor->ctx, KRYOS_LOG_WARNING, "monitor", r,
		        "%s: its state is made again from the samples: %s", watched->name, kryos_strerror(r));
	if (r < 0) {
		kri_alarms_free(watched);
		watched->has_judged = watched->retired = watched->lasts = has_state = false;
		watched->replayed_seq = watched->older = 0;
	}
	r = kri_known_add(monitor, watched->name);
	if (r >= 0)
		r = enter(watched);
	if (r < 0)
		return kryos_fail(-ENOMEM, "monitor: out of memory");
	kri_watched_note(watched);
	kri_watched_drain(watched, NULL);
	lasted = watched->lasts;
	if (has_state)
		kri_watched_replay(watched, seq);
	else
		kri_watched_replay_lost(watched);
	watched->lasts = false; /* until the line is read again, and so it is kept */
	if (!has_state || watched->changed || lasted)
		kri_watched_keep(watched);
	/* From here on it is no channel of which nothing is known: what ends is told, whatever happens. */
	if (!has_state)
		kri_monitor_flush(monitor);
	return 0;
}

bool kri_monitor_is_leaving(const struct kryos_monitor *monitor, const char *channel)
{
	for (const struct kri_watched *watched = monitor->channels; watched; watched = watched->next)
		if (watched->leaving && strcmp(watched->name, channel) == 0)
			return true;
	return false;
}

int kryos_monitor_watch(struct kryos_monitor *monitor, const char *channel,
                        const struct kryos_monitor_channel_config *config)
{
	struct kri_watched *watched, *before;
	int r = kri_monitor_check(monitor);

	if (r >= 0 && (!channel || !*channel || strlen(channel) > MAX_NAME))
		r = kryos_fail(-EINVAL, "monitor: \"%.70s\": a channel's name of 1 to %d bytes is allowed",
		               channel ? channel : "", MAX_NAME);
	if (r >= 0 && kri_monitor_is_leaving(monitor, channel))
		r = kryos_fail(-EAGAIN, "%s: its news of before waits for the disk", channel);
	if (r >= 0)
		r = kri_watched_new(monitor, channel, &watched);
	if (r < 0)
		return r;
	r = configure(watched, config);
	before = kri_monitor_find(monitor, channel);
	if (r >= 0 && before) {
		before->record_ns = watched->record_ns;
		if (!has_same_rules(before, watched))
			r = replace(before, watched);
	} else if (r >= 0) {
		r = begin(watched);
		if (r >= 0)
			return 0;
	}
	kri_watched_free(watched);
	return r;
}

void kri_monitor_drop_left(struct kryos_monitor *monitor)
{
	for (struct kri_watched **at = &monitor->channels, *watched; *at;) {
		watched = *at;
		if (!watched->leaving || watched->changed || watched->noted) {
			at = &watched->next;
			continue;
		}
		*at = watched->next;
		kri_watched_free(watched);
	}
}

/* One that nobody watches since this start, without rules, so that all that is open of it ends. */
static int take_known(struct kryos_monitor *monitor, const char *channel, struct kri_watched **ret_watched)
{
	struct kri_watched *watched;
	bool has_state;
	int64_t seq;
	int r = kri_watched_new(monitor, channel, &watched);

	if (r < 0)
		return r;
	r = kryos_evaluator_new(&watched->evaluator, KRYOS_MINUTES(1));
	if (r >= 0)
		r = kri_watched_get_state(watched, &seq, &has_state);
	if (r == -ENOMEM) {
		kri_watched_free(watched);
		return r;
	}
	watched->next = monitor->channels;
	monitor->channels = watched;
	*ret_watched = watched;
	return 0;
}

int kri_monitor_unwatch(struct kryos_monitor *monitor, const char *channel, const char *who)
{
	struct kri_watched *watched;
	int r = kri_monitor_check(monitor);

	if (r >= 0)
		r = check_who(channel ? channel : "", who);
	if (r < 0)
		return r;
	watched = channel ? kri_monitor_find(monitor, channel) : NULL;
	if (!watched && (!channel || !kri_known_has(monitor, channel) || kri_monitor_is_leaving(monitor, channel)))
		return kryos_fail(-ENOENT, "%s: no rules watch this channel", channel ? channel : "");
	if (!watched)
		r = take_known(monitor, channel, &watched);
	if (r >= 0)
		r = kryos_evaluator_end(watched->evaluator, KRYOS_EPISODE_RECONFIGURED);
	/* -EBUSY: it had no rules to go on with, and all has ended already. */
	if (r < 0 && r != -EBUSY)
		return r;
	snprintf(watched->who, sizeof(watched->who), "%s", who);
	free(watched->noted);
	watched->noted = strdup("");
	kri_watched_note(watched);
	kri_watched_drain(watched, NULL);
	if (watched->channel < monitor->number_count && monitor->by_number[watched->channel] == watched)
		monitor->by_number[watched->channel] = NULL;
	watched->leaving = watched->changed = true;
	kri_watched_keep(watched);
	kri_monitor_drop_left(monitor);
	return 0;
}

int kryos_monitor_unwatch(struct kryos_monitor *monitor, const char *channel)
{
	return kri_monitor_unwatch(monitor, channel, "program");
}
