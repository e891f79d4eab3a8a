/* SPDX-License-Identifier: Apache-2.0 */
/* Summary, doors and power. */
#include "draw.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CELL 160

static void reading(const struct kri_canvas *canvas, const struct kri_report_channel *channel, int64_t micro,
                    char text[CELL])
{
	char value[KRYOS_TEXT_MAX];

	snprintf(text, CELL, "%s", kri_reading_text(canvas->language, channel, micro, value));
}

static void span(const struct kri_canvas *canvas, int64_t ns, char text[CELL])
{
	char value[KRYOS_TEXT_MAX];

	snprintf(text, CELL, "%s", kri_span_text(canvas->language, ns, value));
}

/* Above or below the limit for so long; a dash where there is no such limit. */
static void beyond(const struct kri_canvas *canvas, bool has_limit, int64_t ns, char text[CELL])
{
	if (has_limit)
		span(canvas, ns, text);
	else
		snprintf(text, CELL, "–");
}

static void row(struct kri_canvas *canvas, const struct kri_table *table, char (*cells)[CELL])
{
	const char *texts[KRI_TABLE_MAX];

	for (int i = 0; i < table->columns; i++)
		texts[i] = cells[i];
	kri_table_row(canvas, table, texts);
}

static void phrase_count(struct kri_canvas *canvas, enum kri_word word, uint64_t count, char *text, size_t size)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, count);
	kri_phrase(canvas->language, word, number, "", text, size);
}

/* An alarm that says nothing of a temperature. */
static bool is_other(const struct kryos_rule *rule)
{
	return rule->kind == KRYOS_RULE_DOOR || rule->kind == KRYOS_RULE_POWER || rule->kind == KRYOS_RULE_SENSOR;
}

/* What the device told, or what was worked out here; NULL: of all channels. */
static size_t count_excursions(const struct kri_report *report, const char *channel, bool judged_here)
{
	size_t count = 0;

	for (size_t i = 0; i < report->episode_count; i++) {
		const struct kri_report_episode *at = &report->episodes[i];

		count += !is_other(&at->episode.rule) && at->judged_here == judged_here && kri_reaches_in(report, at) &&
		         (!channel || strcmp(at->channel, channel) == 0);
	}
	return count;
}

/* Without a rule there is no excursion, whatever was measured. */
static bool can_have_excursions(const struct kri_report_channel *channel)
{
	for (unsigned int i = 0; i < channel->rule_count; i++)
		if (!is_other(&channel->rules[i]))
			return true;
	return false;
}

static void draw_count(struct kri_canvas *canvas, enum kri_word word, size_t count)
{
	char text[300];

	if (!count)
		return;
	phrase_count(canvas, word, count, text, sizeof(text));
	kri_paragraph(canvas, text);
}

/* What else there is to say of all of them. */
static void draw_counts(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	size_t others = 0, open = 0, endless = 0, waiting = 0;

	for (size_t i = 0; i < report->episode_count; i++) {
		const struct kri_report_episode *at = &report->episodes[i];
		bool goes_on = kri_goes_on(report, at);

		others += is_other(&at->episode.rule) && kri_reaches_in(report, at);
		open += goes_on;
		/* One that a reading in range came after did not go on. */
		endless += !goes_on && at->episode.ended_by == KRYOS_EPISODE_OPEN && !at->is_over;
		waiting += !at->is_acknowledged && !at->judged_here;
	}
	kri_type(canvas, 8, KRI_FACE_BOLD, KRI_BLACK);
	draw_count(canvas, KRI_WORD_END_NOT_RECORDED, endless);
	kri_type(canvas, 8, KRI_FACE_PLAIN, KRI_BLACK);
	draw_count(canvas, KRI_WORD_OTHER_ALARMS, others);
	draw_count(canvas, KRI_WORD_EXCURSIONS_OPEN, open);
	draw_count(canvas, KRI_WORD_NOT_ACKNOWLEDGED_COUNT, waiting);
}

void kri_draw_verdict(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	size_t excursions = count_excursions(report, NULL, false);
	char text[300], number[24];

	kri_type(canvas, 11, KRI_FACE_BOLD, KRI_BLACK);
	/* Where nothing was measured, that there is none would be too much said. */
	if (!report->samples && !excursions) {
		kri_type(canvas, 9, KRI_FACE_PLAIN, KRI_BLACK);
		kri_paragraph(canvas, kri_say(canvas, KRI_WORD_NO_DATA_WHY));
	} else if (excursions <= 1)
		kri_paragraph(canvas, kri_say(canvas, excursions ? KRI_WORD_EXCURSIONS_ONE : KRI_WORD_EXCURSIONS_NONE));
	else
		draw_count(canvas, KRI_WORD_EXCURSIONS_MANY, excursions);
	if (report->config.profile && report->samples) {
		snprintf(number, sizeof(number), "%zu", count_excursions(report, NULL, true));
		kri_phrase(canvas->language, KRI_WORD_EXCURSIONS_JUDGED, report->config.profile, number, text,
		           sizeof(text));
		kri_paragraph(canvas, text);
	}
	draw_counts(canvas);
	if (report->samples || report->episode_count)
		kri_paragraph(canvas, kri_say(canvas, KRI_WORD_ASK_PROGRAMME));
}

/* What is missing of a channel of vaccines, so that nobody takes it for good. */
static void warn_of_channel(struct kri_canvas *canvas, const struct kri_report_channel *channel)
{
	const struct kri_report_config *config = &canvas->report->config;
	char text[300], length[KRYOS_TEXT_MAX];

	if (channel->rules_unknown) {
		snprintf(length, sizeof(length), "%u", channel->rules_unknown);
		kri_phrase(canvas->language, KRI_WORD_RULES_UNKNOWN, length, channel->name, text, sizeof(text));
		kri_paragraph(canvas, text);
	}
	if (channel->rules_changed && !channel->is_contact) {
		kri_phrase(canvas->language, KRI_WORD_RULES_CHANGED, channel->name, "", text, sizeof(text));
		kri_paragraph(canvas, text);
	}
	if (!channel->measured) {
		kri_phrase(canvas->language, KRI_WORD_NEVER_MEASURED, channel->name, "", text, sizeof(text));
		kri_paragraph(canvas, text);
	} else if (channel->unmeasured_ns > (config->to_ns - config->from_ns) / 10) {
		kri_phrase(canvas->language, KRI_WORD_PARTLY_MEASURED, channel->name,
		           kri_span_text(canvas->language, channel->unmeasured_ns, length), text, sizeof(text));
		kri_paragraph(canvas, text);
	}
	if (!can_have_excursions(channel) && !channel->rules_unknown) {
		kri_phrase(canvas->language, KRI_WORD_NOT_JUDGED, channel->name, "", text, sizeof(text));
		kri_paragraph(canvas, text);
	}
}

/* By its rules the device watches it, and there is no row of it in the whole period. */
static bool is_missing(const struct kri_report *report, const struct kri_report_channel *channel)
{
	const struct kri_report_config *config = &report->config;

	return !channel->columns && can_have_excursions(channel) && channel->is_watched &&
	       (!config->wanted || config->wanted(config->wanted_data, channel->name));
}

static void draw_warnings(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	uint64_t unsure = 0;
	char text[300];

	for (size_t i = 0; i < report->channel_count; i++)
		unsure += report->channels[i]->unsure;
	kri_type(canvas, 8, KRI_FACE_BOLD, KRI_BLACK);
	for (size_t i = 0; i < report->channel_count; i++)
		if (is_missing(report, report->channels[i]) ||
		    (report->channels[i]->columns &&
		     (report->channels[i]->is_of_vaccines || report->channels[i]->rules_unknown)))
			warn_of_channel(canvas, report->channels[i]);
	if (unsure) {
		phrase_count(canvas, KRI_WORD_TIMES_NOT_TRUSTED, unsure, text, sizeof(text));
		kri_paragraph(canvas, text);
	}
	if (report->unplaced) {
		phrase_count(canvas, KRI_WORD_TIMES_UNKNOWN, report->unplaced, text, sizeof(text));
		kri_paragraph(canvas, text);
	}
	if (report->damaged) {
		phrase_count(canvas, KRI_WORD_DAMAGED, report->damaged, text, sizeof(text));
		kri_paragraph(canvas, text);
	}
}

/* "9 + 21": told by the device, and worked out here. */
static void count_text(const struct kri_report *report, const char *channel, char text[CELL])
{
	size_t told = count_excursions(report, channel, false), judged = count_excursions(report, channel, true);

	snprintf(text, CELL, judged ? "%zu + %zu" : "%zu", told, judged);
}

void kri_draw_summary(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	const struct kri_table table = {
		.columns = 8,
		.widths = { 0.20, 0.09, 0.09, 0.09, 0.11, 0.14, 0.14, 0.14 },
		.aligns = { KRI_ALIGN_LEFT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT,
		            KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT },
		.heads = { kri_say(canvas, KRI_WORD_CHANNEL), kri_say(canvas, KRI_WORD_LOWEST),
		           kri_say(canvas, KRI_WORD_HIGHEST), kri_say(canvas, KRI_WORD_MEAN),
		           kri_say(canvas, KRI_WORD_EXCURSIONS), kri_say(canvas, KRI_WORD_ABOVE_LIMIT),
		           kri_say(canvas, KRI_WORD_BELOW_LIMIT), kri_say(canvas, KRI_WORD_NOT_MEASURED) },
		.size = 7,
		.first_face = KRI_FACE_BOLD,
	};

	kri_draw_verdict(canvas);
	draw_warnings(canvas);
	canvas->y += 8;
	kri_table_begin(canvas, &table);
	for (size_t i = 0; i < report->channel_count; i++) {
		const struct kri_report_channel *channel = report->channels[i];
		char cells[8][CELL] = { "", "–", "–", "–", "–", "–", "–", "" };

		if (!channel->columns || channel->is_contact)
			continue;
		snprintf(cells[0], CELL, "%s", channel->name);
		if (channel->has_extremes) {
			reading(canvas, channel, channel->min_micro, cells[1]);
			reading(canvas, channel, channel->max_micro, cells[2]);
		}
		if (channel->result.samples) {
			if (channel->result.has_mean)
				reading(canvas, channel, channel->result.mean_micro, cells[3]);
			beyond(canvas, channel->has_high, channel->result.above_ns, cells[5]);
			beyond(canvas, channel->has_low, channel->result.below_ns, cells[6]);
		}
		if (can_have_excursions(channel))
			count_text(report, channel->name, cells[4]);
		span(canvas, channel->unmeasured_ns, cells[7]);
		row(canvas, &table, cells);
	}
	canvas->y += 10;
}

/* Of a state that nobody saw end, at least. */
static void stretch_text(const struct kri_canvas *canvas, const struct kri_report_contact *contact, int64_t ns,
                         char text[CELL])
{
	char value[KRYOS_TEXT_MAX];

	kri_span_text(canvas->language, ns, value);
	if (contact->is_at_least)
		kri_phrase(canvas->language, KRI_WORD_HELD_AT_LEAST, value, "", text, CELL);
	else
		snprintf(text, CELL, "%s", value);
}

/* Some measurement or change of the period says something of it. */
static bool is_contact_known(const struct kri_report *report, const struct kri_report_contact *contact)
{
	bool is_known = contact->count > 0;

	for (size_t i = 0; i < report->channel_count && !is_known; i++)
		is_known = strcmp(report->channels[i]->name, contact->name) == 0 && report->channels[i]->measured;
	return is_known;
}

void kri_draw_contacts(struct kri_canvas *canvas)
{
	const struct kri_table table = {
		.columns = 5,
		.widths = { 0.36, 0.16, 0.16, 0.16, 0.16 },
		.aligns = { KRI_ALIGN_LEFT, KRI_ALIGN_LEFT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT },
		.heads = { kri_say(canvas, KRI_WORD_CHANNEL), "", kri_say(canvas, KRI_WORD_TIMES),
		           kri_say(canvas, KRI_WORD_TOTAL), kri_say(canvas, KRI_WORD_LONGEST) },
		.size = 7,
		.first_face = KRI_FACE_BOLD,
	};
	const struct kri_report *report = canvas->report;

	if (!report->contact_count)
		return;
	kri_heading(canvas, kri_say(canvas, KRI_WORD_DOORS_POWER), 40);
	kri_table_begin(canvas, &table);
	for (size_t i = 0; i < report->contact_count; i++) {
		const struct kri_report_contact *contact = &report->contacts[i];
		char cells[5][CELL];

		snprintf(cells[0], CELL, "%s", contact->name);
		snprintf(cells[1], CELL, "%s",
		         kri_say(canvas, contact->is_power ? KRI_WORD_POWER_ABSENT : KRI_WORD_DOOR_OPEN));
		snprintf(cells[2], CELL, "–");
		snprintf(cells[3], CELL, "%s", kri_say(canvas, KRI_WORD_NOT_KNOWN));
		snprintf(cells[4], CELL, "–");
		if (is_contact_known(report, contact)) {
			snprintf(cells[2], CELL, "%zu", contact->count);
			stretch_text(canvas, contact, contact->total_ns, cells[3]);
			stretch_text(canvas, contact, contact->longest_ns, cells[4]);
		}
		row(canvas, &table, cells);
	}
}
