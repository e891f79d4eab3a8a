/* SPDX-License-Identifier: Apache-2.0 */
/* What happened: episodes from their beginning, end and acknowledgement, and the rest. */
#include "../config/config.h"
#include "report.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The word behind "key=", up to the next blank; false: there is none. */
static bool word_of(const char *text, const char *key, char *buffer, size_t size)
{
	size_t count = strlen(key);

	for (const char *at = strstr(text, key); at; at = strstr(at + 1, key)) {
		if ((at == text || at[-1] == ' ' || at[-1] == ',') && at[count] == '=') {
			snprintf(buffer, size, "%.*s", (int)strcspn(at + count + 1, " "), at + count + 1);
			return true;
		}
	}
	return false;
}

/* Who did it, behind "by=", and what is said at last, behind " key=", both with blanks in them. */
static void people_of(const char *text, const char *key, char *who, size_t who_size, char *said, size_t said_size)
{
	char mark[16];
	const char *by = strstr(text, "by="), *at;
	size_t count;

	snprintf(mark, sizeof(mark), " %s=", key);
	at = strstr(text, mark);
	snprintf(said, said_size, "%s", at ? at + strlen(mark) : "");
	by = by ? by + 3 : "";
	count = at && at > by ? (size_t)(at - by) : strlen(by);
	snprintf(who, who_size, "%.*s", (int)count, by);
}

static bool is_same_instant(const struct kryos_instant *a, const struct kryos_instant *b)
{
	return a->boot == b->boot && a->t_boot_ns == b->t_boot_ns && a->t_wall_ns == b->t_wall_ns;
}

int kri_report_add_episode(struct kri_report *report, const char *channel, const struct kryos_episode *episode,
                           bool judged_here)
{
	struct kri_report_episode *at = NULL;

	for (size_t i = report->episode_count; i-- > 0 && !at;) {
		struct kri_report_episode *other = &report->episodes[i];

		if (other->judged_here == judged_here && strcmp(other->channel, channel) == 0 &&
		    strcmp(other->episode.name, episode->name) == 0 &&
		    is_same_instant(&other->episode.start, &episode->start))
			at = other;
	}
	if (!at) {
		int r = kri_report_grow(&report->episodes, report->episode_count, sizeof(*report->episodes));

		if (r < 0)
			return r;
		at = &report->episodes[report->episode_count++];
		memset(at, 0, sizeof(*at));
		snprintf(at->channel, sizeof(at->channel), "%s", channel);
		at->judged_here = judged_here;
	} else if (at->episode.ended_by != KRYOS_EPISODE_OPEN) {
		return (int)(at - report->episodes); /* a repeated beginning does not open it again */
	}
	at->episode = *episode;
	return (int)(at - report->episodes);
}

static int take_episode(struct kri_report *report, const struct kryos_event *event)
{
	struct kri_report_channel *channel;
	struct kryos_episode episode;
	int r;

	/* Another program's, with a text of its own: there is nothing to say of it that is sure. */
	if (kryos_episode_parse(&episode, event->text) < 0)
		return 0;
	r = kri_report_channel(report, event->name, "", "", &channel);
	if (r < 0)
		return r;
	return kri_report_add_episode(report, event->name, &episode, false);
}

/* An acknowledgement names its episode by the same words that the episode's own event has. */
static void take_acknowledgement(struct kri_report *report, const struct kryos_record *record)
{
	char rule[KRYOS_RULE_NAME_MAX], start[160], text[KRYOS_EPISODE_TEXT_MAX], own[160];
	const struct kryos_event *event = record->event;

	if (!word_of(event->text, "rule", rule, sizeof(rule)) || !word_of(event->text, "start", start, sizeof(start)))
		return;
	for (size_t i = report->episode_count; i-- > 0;) {
		struct kri_report_episode *at = &report->episodes[i];

		if (at->judged_here || strcmp(at->channel, event->name) != 0 || strcmp(at->episode.name, rule) != 0)
			continue;
		at->episode.rule.name = at->episode.name;
		kryos_episode_text(&at->episode, text);
		if (!word_of(text, "start", own, sizeof(own)) || strcmp(own, start) != 0)
			continue;
		at->is_acknowledged = true;
		at->acknowledged_ns = record->sample.t_wall_ns;
		people_of(event->text, "comment", at->by, sizeof(at->by), at->comment, sizeof(at->comment));
		return;
	}
}

static int take_retired(struct kri_report *report, const struct kryos_record *record)
{
	const struct kryos_event *event = record->event;
	struct kri_report_retired *at;
	int r;

	if (event->type == KRYOS_EVENT_RESUMED) {
		for (size_t i = 0; i < report->retired_count; i++) {
			at = &report->retired[i];
			if (at->to_ns == INT64_MAX && strcmp(at->channel, event->name) == 0)
				at->to_ns = record->sample.t_wall_ns;
		}
		return 0;
	}
	r = kri_report_grow(&report->retired, report->retired_count, sizeof(*at));
	if (r < 0)
		return r;
	at = &report->retired[report->retired_count++];
	memset(at, 0, sizeof(*at));
	snprintf(at->channel, sizeof(at->channel), "%s", event->name);
	people_of(event->text, "why", at->by, sizeof(at->by), at->why, sizeof(at->why));
	at->from_ns = record->sample.t_wall_ns;
	at->to_ns = INT64_MAX;
	return 0;
}

/* "by WHO; was ...; is low=.. calibrated=.. expires=.. certificate=.. to the end" (src/sensor/channel.c). */
static int take_calibration(struct kri_report *report, const struct kryos_event *event)
{
	struct kri_report_channel *channel;
	const char *is = strstr(event->text, "; is ");
	char text[200], nobody[2];
	int r;

	if (!is)
		return 0;
	r = kri_report_channel(report, event->name, "", "", &channel);
	if (r < 0)
		return r;
	is += strlen("; is ");
	free(channel->calibration);
	free(channel->certificate);
	channel->calibration = strdup(is);
	/* With the blank before it: it may be all that there is. */
	people_of(is - 1, "certificate", nobody, sizeof(nobody), text, sizeof(text));
	channel->certificate = *text ? strdup(text) : NULL;
	channel->expires_ns = channel->calibrated_ns = 0;
	if (word_of(is, "expires", text, sizeof(text)) && kri_parse_time(text, &channel->expires_ns) < 0)
		channel->expires_ns = 0;
	if (word_of(is, "calibrated", text, sizeof(text)) && kri_parse_time(text, &channel->calibrated_ns) < 0)
		channel->calibrated_ns = 0;
	return channel->calibration ? 0 : kryos_fail(-ENOMEM, "out of memory");
}

static int keep(char **at, const char *text)
{
	free(*at);
	*at = strdup(text);
	return *at ? 0 : kryos_fail(-ENOMEM, "out of memory");
}

/* The station file's section as the device noted it: "... is name = WHAT, timezone = ...". A name may have commas. */
/* "...; is name = Clinic 3, Mawlai, timezone = Asia/Kolkata": the keys are in this order, those that were written. */
static const char *const station_keys[] = { "name", "timezone", "language", "vvm" };

bool kri_report_noted(const char *text, const char *key, char *buffer, size_t size)
{
	const char *is = strstr(text, "; is "), *at, *end;
	char before[40];
	size_t i = 0;

	snprintf(before, sizeof(before), "%s = ", key);
	at = is ? is + strlen("; is ") : "";
	if (strncmp(at, before, strlen(before)) != 0) {
		snprintf(before, sizeof(before), ", %s = ", key);
		at = strstr(at, before);
	}
	if (!at)
		return false;
	at += strlen(before);
	end = at + strlen(at);
	while (strcmp(station_keys[i], key) != 0)
		i++;
	for (i++; i < KRI_ARRAY_SIZE(station_keys); i++) {
		const char *next;

		snprintf(before, sizeof(before), ", %s = ", station_keys[i]);
		next = strstr(at, before);
		end = next && next < end ? next : end;
	}
	snprintf(buffer, size, "%.*s", (int)(end - at), at);
	return true;
}

static void take_station(struct kri_report *report, const char *text)
{
	if (!*report->config.station)
		(void)!kri_report_noted(text, "name", report->station, sizeof(report->station));
}

/* Over events, code is 1; what is said of segments the reader knows better. One stands for all before it. */
static void take_event_seal(struct kri_report *report, const struct kryos_record *record)
{
	const struct kryos_event *event = record->event;

	if (event->code != 1)
		return;
	report->event_seal = (struct kri_report_seal){ .number = event->last_seq,
		                                       .last_seq = event->last_seq,
		                                       .t_ns = record->sample.t_wall_ns };
	snprintf(report->event_seal.hash, sizeof(report->event_seal.hash), "%s", event->text);
}

static int take_moment(struct kri_report *report, int64_t t_ns)
{
	int r = kri_report_grow(&report->restarts, report->restart_count, sizeof(*report->restarts));

	if (r >= 0)
		report->restarts[report->restart_count++] = t_ns;
	return r;
}

static int take_given_up(struct kri_report *report, const struct kryos_event *event)
{
	int r = kri_report_grow(&report->given_up, report->given_up_count, sizeof(*report->given_up));

	if (r >= 0)
		report->given_up[report->given_up_count++] =
			(struct kri_span_of_time){ event->first_seq,
			                           event->last_seq ? event->last_seq : event->first_seq };
	return r;
}

static int take_offset(struct kri_report *report, const struct kryos_event *event)
{
	int r = kri_report_grow(&report->offsets, report->offset_count, sizeof(*report->offsets));

	if (r >= 0)
		report->offsets[report->offset_count++] =
			(struct kri_report_offset){ (uint32_t)event->code, event->value_ns };
	return r;
}

int kri_report_take_event(struct kri_report *report, const struct kryos_record *record)
{
	const struct kryos_event *event = record->event;
	bool is_past = record->sample.t_wall_ns < report->config.to_ns;
	char outputs[128];
	int r;

	switch (event->type) {
	case KRYOS_EVENT_ALARM_ON:
	case KRYOS_EVENT_ALARM_OFF:
		return take_episode(report, event);
	case KRYOS_EVENT_ACKNOWLEDGED:
		take_acknowledgement(report, record);
		return 0;
	case KRYOS_EVENT_STATE:
		return kri_report_take_state(report, record);
	case KRYOS_EVENT_RETIRED:
	case KRYOS_EVENT_RESUMED:
		return take_retired(report, record);
	case KRYOS_EVENT_CALIBRATION:
		return is_past ? take_calibration(report, event) : 0;
	case KRYOS_EVENT_RESTART:
		return take_moment(report, record->sample.t_wall_ns);
	case KRYOS_EVENT_GAP:
		return take_given_up(report, event);
	case KRYOS_EVENT_CORRECTED:
		return take_offset(report, event);
	case KRYOS_EVENT_CONFIGURED:
		if (is_past && strcmp(event->name, "section station") == 0)
			take_station(report, event->text);
		return is_past ? kri_report_take_rules(report, record) : 0;
	case KRYOS_EVENT_SEALED:
		take_event_seal(report, record);
		return 0;
	case KRYOS_EVENT_TEST:
		if (!is_past)
			return 0;
		report->test_ns = record->sample.t_wall_ns;
		people_of(event->text, "outputs", report->test_by, sizeof(report->test_by), outputs, sizeof(outputs));
		return keep(&report->test, outputs);
	case KRYOS_EVENT_START:
		if (!is_past)
			return 0;
		report->start_ns = record->sample.t_wall_ns;
		r = take_moment(report, record->sample.t_wall_ns);
		if (r >= 0)
			r = keep(&report->start_version, event->name);
		return r < 0 ? r : keep(&report->start, event->text);
	default:
		return 0;
	}
}
