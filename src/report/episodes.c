/* SPDX-License-Identifier: Apache-2.0 */
/* Each excursion and alarm: when, how much, and who knows of it. */
#include "draw.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CELL 160
#define INDENT 22.0 /* of what is said of an excursion, beside its hatch */
#define PAIR 18.0
#define PAIR_LINE 10.4

/* A word in small grey and below it what it is; returns how high that is. */
static double pair(struct kri_canvas *canvas, double x, double width, enum kri_word word, const char *text)
{
	int lines;

	kri_type(canvas, 6, KRI_FACE_PLAIN, KRI_GREY);
	kri_text(canvas, x, canvas->y + 6, width - 4, KRI_ALIGN_LEFT, kri_say(canvas, word));
	kri_type(canvas, 7.5, KRI_FACE_PLAIN, KRI_BLACK);
	lines = kri_text_lines(canvas, x, canvas->y + 15, width - 6, 3, KRI_ALIGN_LEFT, true, text);
	return PAIR + (lines > 1 ? lines - 1 : 0) * PAIR_LINE;
}

static void draw_acknowledgement(struct kri_canvas *canvas, const struct kri_report_episode *at)
{
	char text[400], when[KRI_LOCAL_TEXT], said[120];
	int lines;

	if (at->judged_here)
		kri_phrase(canvas->language, KRI_WORD_JUDGED_HERE, canvas->report->config.profile, "", text,
		           sizeof(text));
	else if (!at->is_acknowledged)
		snprintf(text, sizeof(text), "%s", kri_say(canvas, KRI_WORD_NOT_ACKNOWLEDGED));
	else {
		snprintf(said, sizeof(said), "%s %s", kri_say(canvas, KRI_WORD_ACKNOWLEDGED),
		         kri_moment(canvas, at->acknowledged_ns, when));
		kri_phrase(canvas->language, KRI_WORD_BY, said, at->by, text, sizeof(text));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", kri_say(canvas, KRI_WORD_COLON),
		         at->comment);
	}
	kri_type(canvas, 7, KRI_FACE_PLAIN, KRI_BLACK);
	lines = kri_text_lines(canvas, KRI_LEFT + INDENT, canvas->y + 8, KRI_WIDTH - INDENT, 3, KRI_ALIGN_LEFT, true,
	                       text);
	canvas->y += 9.7 * lines + 2;
}

/* Four beside each other, as high as the highest of them. */
static void draw_pairs(struct kri_canvas *canvas, const enum kri_word words[4], char texts[4][CELL])
{
	double wide = (KRI_WIDTH - INDENT) / 4, high = 0;

	for (int i = 0; i < 4; i++) {
		double height = pair(canvas, KRI_LEFT + INDENT + i * wide, wide, words[i], texts[i]);

		high = height > high ? height : high;
	}
	canvas->y += high;
}

/* Of what is open, until when its numbers are. */
static void end_text(const struct kri_canvas *canvas, const struct kri_report_episode *at, char text[CELL])
{
	enum kri_word word = kri_goes_on(canvas->report, at) ? KRI_WORD_STILL_OPEN : KRI_WORD_NO_END;
	char when[KRI_LOCAL_TEXT];

	if (at->episode.ended_by != KRYOS_EPISODE_OPEN)
		snprintf(text, CELL, "%s", kri_moment(canvas, at->episode.end.t_wall_ns, when));
	else if (at->known_ns)
		kri_phrase(canvas->language, KRI_WORD_FIGURES_TO, kri_say(canvas, word),
		           kri_moment(canvas, at->known_ns, when), text, CELL);
	else
		snprintf(text, CELL, "%s", kri_say(canvas, word));
}

static void draw_times(struct kri_canvas *canvas, const struct kri_report_episode *at)
{
	static const enum kri_word words[] = { KRI_WORD_START, KRI_WORD_ALARM, KRI_WORD_END, KRI_WORD_ENDED_BY };
	const struct kryos_episode *episode = &at->episode;
	const char *ended_by = kri_end_word(canvas->language, episode->ended_by);
	char texts[4][CELL], when[KRI_LOCAL_TEXT];

	snprintf(texts[0], CELL, "%s", kri_moment(canvas, episode->start.t_wall_ns, when));
	snprintf(texts[1], CELL, "%s", kri_moment(canvas, episode->trigger.t_wall_ns, when));
	end_text(canvas, at, texts[2]);
	if (at->is_ended_here)
		kri_phrase(canvas->language, KRI_WORD_BY_MEASUREMENTS, ended_by, "", texts[3], CELL);
	else
		snprintf(texts[3], CELL, "%s", episode->ended_by == KRYOS_EPISODE_OPEN ? "–" : ended_by);
	draw_pairs(canvas, words, texts);
}

static void draw_amounts(struct kri_canvas *canvas, const struct kri_report_episode *at)
{
	/* What is not known is no time out of limits; behind the last reading out of them, no part of the duration. */
	static const enum kri_word words[] = { KRI_WORD_DURATION, KRI_WORD_INDETERMINATE, KRI_WORD_OUT_IN_ALL,
		                               KRI_WORD_EXTREME };
	const struct kryos_episode *episode = &at->episode;
	const int64_t spans[] = { episode->duration_ns, episode->indeterminate_ns, episode->accumulated_ns };
	/* Told when it began, and of what came then too little is stored. */
	bool is_begun = episode->ended_by == KRYOS_EPISODE_OPEN && !at->known_ns;
	char texts[4][CELL], value[KRYOS_TEXT_MAX], when[KRI_LOCAL_TEXT];

	for (int i = 0; i < 3; i++) {
		kri_span_text(canvas->language, spans[i], value);
		if (is_begun)
			kri_phrase(canvas->language, KRI_WORD_HELD_AT_LEAST, value, "", texts[i], CELL);
		else
			snprintf(texts[i], CELL, "%s", value);
	}
	if (is_begun && !episode->indeterminate_ns)
		snprintf(texts[1], CELL, "%s", kri_say(canvas, KRI_WORD_NOT_KNOWN));
	snprintf(texts[3], CELL, "–");
	/* Of a door, that it was open says the rule. */
	if (episode->has_extreme && !is_begun && at->of && !at->of->is_contact) {
		kri_reading_text(canvas->language, at->of, episode->extreme_micro, value);
		snprintf(texts[3], CELL, "%.40s, %s", value, kri_moment(canvas, episode->extreme_at.t_wall_ns, when));
	}
	draw_pairs(canvas, words, texts);
}

static void draw_episode(struct kri_canvas *canvas, size_t number, const struct kri_report_episode *at)
{
	const struct kryos_episode *episode = &at->episode;
	bool has_name = strcmp(episode->name, kryos_rule_kind_name(episode->rule.kind)) != 0;
	char text[400], rule[256], times[16];
	double top;

	kri_need(canvas, 92);
	top = canvas->y;
	kri_rule_words(canvas->language, &episode->rule, at->of ? at->of->unit : "", rule, sizeof(rule));
	/* By the name of its rule one of several that say the same is acknowledged. */
	snprintf(text, sizeof(text), "%zu  %s, %s%s%s%s%s%s", number,
	         kri_kind_word(canvas->language, episode->rule.kind), at->channel, kri_say(canvas, KRI_WORD_COLON),
	         rule, has_name ? " (" : "", has_name ? episode->name : "", has_name ? ")" : "");
	kri_type(canvas, 8, KRI_FACE_BOLD, KRI_BLACK);
	canvas->y += 1 + 11 * kri_text_lines(canvas, KRI_LEFT + INDENT, canvas->y + 8, KRI_WIDTH - INDENT, 3,
	                                     KRI_ALIGN_LEFT, true, text);
	draw_times(canvas, at);
	draw_amounts(canvas, at);
	if (episode->uncertain) {
		snprintf(times, sizeof(times), "%" PRIu32, episode->uncertain);
		kri_phrase(canvas->language, KRI_WORD_UNCERTAIN, times, "", text, sizeof(text));
		kri_type(canvas, 7, KRI_FACE_PLAIN, KRI_BLACK);
		canvas->y += 2 + 9.7 * kri_text_lines(canvas, KRI_LEFT + INDENT, canvas->y + 8, KRI_WIDTH - INDENT, 2,
		                                      KRI_ALIGN_LEFT, true, text);
	}
	draw_acknowledgement(canvas, at);
	kri_fill_hatch(canvas, KRI_LEFT, top + 1, 16, canvas->y - top - 3, kri_hatch_of(&episode->rule));
	kri_rule_line(canvas, canvas->y + 1, 0.25, 0.7);
	canvas->y += 5;
}

void kri_draw_episodes(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;

	if (!report->episode_count)
		return;
	kri_heading(canvas, kri_say(canvas, KRI_WORD_EXCURSIONS_AND_ALARMS), 114);
	kri_type(canvas, 7, KRI_FACE_PLAIN, KRI_GREY);
	kri_paragraph(canvas, kri_say(canvas, KRI_WORD_DURATION_NOTE));
	canvas->y += 2;
	for (size_t i = 0; i < report->episode_count; i++)
		draw_episode(canvas, i + 1, &report->episodes[i]);
}
