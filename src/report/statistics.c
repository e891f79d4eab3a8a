/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of each channel: over the period, and day by day as 30-day recorders show them. */
#include "draw.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CELL 160
#define MAX_DAYS 31

static void draw_extreme(struct kri_canvas *canvas, const struct kri_report_channel *channel, enum kri_word word,
                         int64_t micro, int64_t t_ns)
{
	char value[KRYOS_TEXT_MAX], when[KRI_LOCAL_TEXT], text[CELL];

	snprintf(text, sizeof(text), "%s, %s", kri_reading_text(canvas->language, channel, micro, value),
	         kri_moment(canvas, t_ns, when));
	kri_draw_line(canvas, kri_say(canvas, word), text);
}

static void draw_kinetic(struct kri_canvas *canvas, const struct kri_report_channel *channel)
{
	char value[KRYOS_TEXT_MAX], energy[KRYOS_TEXT_MAX], note[CELL], text[2 * CELL];

	kri_number_text(canvas->language, 83144000, 3, NULL, 0, energy);
	kri_phrase(canvas->language, KRI_WORD_MKT_NOTE, energy, "", note, sizeof(note));
	snprintf(text, sizeof(text), "%s, %s",
	         kri_reading_text(canvas->language, channel, channel->result.mkt_micro, value), note);
	kri_draw_line(canvas, kri_say(canvas, KRI_WORD_MKT), text);
}

/* "Above 8 °C", or "At or above 8 °C" where that is out of range, and for how long. */
static void draw_beyond(struct kri_canvas *canvas, const struct kri_report_channel *channel, enum kri_word word,
                        int64_t limit_micro, int64_t ns)
{
	char number[KRYOS_TEXT_MAX], limit[CELL], text[CELL];

	kri_number_text(canvas->language, limit_micro, 0, &limit_micro, 1, number);
	snprintf(limit, sizeof(limit), "%s %s", number, kri_unit_text(channel->unit));
	kri_phrase(canvas->language, word, limit, "", text, sizeof(text));
	kri_draw_line(canvas, text, kri_span_text(canvas->language, ns, number));
}

static void draw_vial_monitors(struct kri_canvas *canvas, const struct kri_report_channel *channel)
{
	char percent[KRYOS_TEXT_MAX], name[24], word[CELL], text[CELL];

	for (unsigned int i = 0; i < KRYOS_VVM_COUNT; i++) {
		if (!(canvas->report->config.vvm & (1u << i)) || !channel->is_of_vaccines)
			continue;
		/* vvm7 is written VVM7. */
		snprintf(name, sizeof(name), "VVM%.16s", kryos_vvm_name(i) + 3);
		kri_phrase(canvas->language, KRI_WORD_VVM, name, "", word, sizeof(word));
		kri_number_text(canvas->language, channel->result.vvm_micro[i], 1, NULL, 0, percent);
		kri_phrase(canvas->language, KRI_WORD_VVM_NOTE, percent,
		           kryos_vvm_model_name(KRYOS_VVM_GOLDWOOD_DIESBURG_2018), text, sizeof(text));
		kri_draw_line(canvas, word, text);
	}
}

static void draw_channel(struct kri_canvas *canvas, const struct kri_report_channel *channel)
{
	char text[CELL], count[24], failed[24], value[KRYOS_TEXT_MAX];

	kri_need(canvas, 100);
	kri_type(canvas, 8.5, KRI_FACE_BOLD, KRI_BLACK);
	kri_text(canvas, KRI_LEFT, canvas->y + 9, KRI_WIDTH, KRI_ALIGN_LEFT, channel->name);
	canvas->y += 13;
	snprintf(count, sizeof(count), "%" PRIu64, channel->samples);
	snprintf(failed, sizeof(failed), "%" PRIu64, channel->samples - channel->measured);
	kri_phrase(canvas->language, KRI_WORD_SAMPLES_OF, count, failed, text, sizeof(text));
	kri_draw_line(canvas, kri_say(canvas, KRI_WORD_SAMPLES), text);
	kri_draw_line(canvas, kri_say(canvas, KRI_WORD_INTERVAL),
	              kri_span_text(canvas->language, channel->interval_ns, value));
	if (channel->has_extremes) {
		draw_extreme(canvas, channel, KRI_WORD_LOWEST, channel->min_micro, channel->min_ns);
		draw_extreme(canvas, channel, KRI_WORD_HIGHEST, channel->max_micro, channel->max_ns);
	}
	if (channel->result.has_mean) {
		kri_draw_line(canvas, kri_say(canvas, KRI_WORD_MEAN),
		              kri_reading_text(canvas->language, channel, channel->result.mean_micro, value));
		draw_kinetic(canvas, channel);
		draw_vial_monitors(canvas, channel);
	}
	if (channel->result.samples) {
		if (channel->has_high)
			draw_beyond(canvas, channel,
			            channel->high_edge < channel->high_micro ? KRI_WORD_AT_OR_ABOVE : KRI_WORD_ABOVE,
			            channel->high_micro, channel->result.above_ns);
		if (channel->has_low)
			draw_beyond(canvas, channel,
			            channel->low_edge > channel->low_micro ? KRI_WORD_AT_OR_BELOW : KRI_WORD_BELOW,
			            channel->low_micro, channel->result.below_ns);
	}
	kri_draw_line(canvas, kri_say(canvas, KRI_WORD_NOT_MEASURED),
	              kri_span_text(canvas->language, channel->unmeasured_ns, value));
	canvas->y += 6;
}

void kri_draw_statistics(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;

	kri_heading(canvas, kri_say(canvas, KRI_WORD_STATISTICS), 100);
	for (size_t i = 0; i < report->channel_count; i++)
		if (report->channels[i]->columns && !report->channels[i]->is_contact)
			draw_channel(canvas, report->channels[i]);
}

/* Which excursions reach into the day, by their numbers. */
static void name_alarms(const struct kri_report *report, const struct kri_report_channel *channel, size_t day,
                        char text[CELL])
{
	size_t at = 0;

	text[0] = 0;
	for (size_t i = 0; i < report->episode_count && at + 8 < CELL; i++) {
		const struct kri_report_episode *episode = &report->episodes[i];

		if (strcmp(episode->channel, channel->name) == 0 &&
		    episode->episode.start.t_wall_ns < report->day_starts[day + 1] &&
		    kri_episode_until(report, episode) > report->day_starts[day])
			at += (size_t)snprintf(text + at, CELL - at, "%s%zu", at ? ", " : "", i + 1);
	}
}

static void time_of_day(int64_t t_ns, char *text, size_t size)
{
	struct kri_local local;

	kri_local(t_ns, &local);
	snprintf(text, size, "%02d:%02d", local.hour, local.minute);
}

/* The day on which the clock changes has an hour twice, or lacks one. */
static void name_day(const struct kri_report *report, size_t day, char text[CELL])
{
	char date[KRI_LOCAL_TEXT], before[KRI_LOCAL_TEXT], after[KRI_LOCAL_TEXT];
	struct kri_local begin, end;

	kri_local_date(report->day_starts[day], date);
	kri_local(report->day_starts[day], &begin);
	kri_local(report->day_starts[day + 1], &end);
	snprintf(text, CELL, "%s", date);
	if (begin.offset_s != end.offset_s)
		snprintf(text, CELL, "%s %s, %s", date, kri_offset_text(begin.offset_s, before),
		         kri_offset_text(end.offset_s, after));
}

static void draw_day(struct kri_canvas *canvas, const struct kri_table *table, const struct kri_report_channel *channel,
                     size_t index)
{
	const struct kri_report *report = canvas->report;
	const struct kri_report_day *day = &channel->days[index];
	char cells[9][CELL] = { "", "–", "", "–", "", "–", "–", "", "" }, value[KRYOS_TEXT_MAX];
	const char *texts[9];

	name_day(report, index, cells[0]);
	if (day->count) {
		snprintf(cells[1], CELL, "%s", kri_reading_text(canvas->language, channel, day->min_micro, value));
		time_of_day(day->min_ns, cells[2], CELL);
		snprintf(cells[3], CELL, "%s", kri_reading_text(canvas->language, channel, day->max_micro, value));
		time_of_day(day->max_ns, cells[4], CELL);
		if (channel->has_high)
			snprintf(cells[5], CELL, "%s", kri_span_text(canvas->language, day->above_ns, value));
		if (channel->has_low)
			snprintf(cells[6], CELL, "%s", kri_span_text(canvas->language, day->below_ns, value));
	}
	snprintf(cells[7], CELL, "%s", kri_span_text(canvas->language, day->unmeasured_ns, value));
	name_alarms(report, channel, index, cells[8]);
	for (int i = 0; i < 9; i++)
		texts[i] = cells[i];
	kri_table_row(canvas, table, texts);
}

void kri_draw_days(struct kri_canvas *canvas)
{
	const struct kri_table table = {
		.columns = 9,
		.widths = { 0.13, 0.11, 0.08, 0.11, 0.08, 0.13, 0.13, 0.13, 0.10 },
		.aligns = { KRI_ALIGN_LEFT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT,
		            KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT },
		.heads = { kri_say(canvas, KRI_WORD_DAY), kri_say(canvas, KRI_WORD_LOWEST),
		           kri_say(canvas, KRI_WORD_AT), kri_say(canvas, KRI_WORD_HIGHEST),
		           kri_say(canvas, KRI_WORD_AT), kri_say(canvas, KRI_WORD_ABOVE_LIMIT),
		           kri_say(canvas, KRI_WORD_BELOW_LIMIT), kri_say(canvas, KRI_WORD_NOT_MEASURED),
		           kri_say(canvas, KRI_WORD_ALARM_NUMBERS) },
		.size = 7,
	};
	const struct kri_report *report = canvas->report;
	size_t first = report->day_count > MAX_DAYS ? report->day_count - MAX_DAYS : 0;

	for (size_t i = 0; i < report->channel_count; i++) {
		const struct kri_report_channel *channel = report->channels[i];
		char text[CELL], number[24], last[CELL];
		size_t at;

		if (!channel->columns || !channel->is_temperature)
			continue;
		at = (size_t)snprintf(text, sizeof(text), "%s%s%s", kri_say(canvas, KRI_WORD_DAYS),
		                      kri_say(canvas, KRI_WORD_COLON), channel->name);
		if (first) {
			snprintf(number, sizeof(number), "%d", MAX_DAYS);
			kri_phrase(canvas->language, KRI_WORD_DAYS_LAST, number, "", last, sizeof(last));
			snprintf(text + at, sizeof(text) - at, " (%.80s)", last);
		}
		kri_heading(canvas, text, 60);
		kri_table_begin(canvas, &table);
		for (size_t day = first; day < report->day_count; day++)
			draw_day(canvas, &table, channel, day);
	}
}
