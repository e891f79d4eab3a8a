/* SPDX-License-Identifier: Apache-2.0 */
/* The curve of a channel over the period, with what has to be seen with it: limits, excursions, gaps, doors, power. */
#include "chart.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

double kri_chart_x(const struct kri_chart *chart, int64_t t_ns)
{
	const struct kri_report_config *config = &chart->canvas->report->config;
	double part = (double)(t_ns - config->from_ns) / (double)(config->to_ns - config->from_ns);

	return chart->x + (part < 0 ? 0 : part > 1 ? 1 : part) * chart->width;
}

double kri_chart_y(const struct kri_chart *chart, int64_t micro)
{
	return chart->y + chart->height - ((double)micro - chart->low) / (chart->high - chart->low) * chart->height;
}

/* The data and the limits with air around, at least 2 units. */
static void choose_range(struct kri_chart *chart)
{
	const struct kri_report_channel *channel = chart->channel;
	double low = channel->has_extremes ? (double)channel->min_micro : 0, air;
	double high = channel->has_extremes ? (double)channel->max_micro : 10e6;

	/* All data may be beyond a limit, whichever it is. */
	if (channel->has_low) {
		low = fmin(low, (double)channel->low_micro);
		high = fmax(high, (double)channel->low_micro);
	}
	if (channel->has_high) {
		low = fmin(low, (double)channel->high_micro);
		high = fmax(high, (double)channel->high_micro);
	}
	air = (high - low) * 0.08;
	if (high - low + 2 * air < 2e6)
		air = (2e6 - (high - low)) / 2;
	chart->low = low - air;
	chart->high = high + air;
}

/* 1, 2 or 5 times a power of ten, about five of it. */
static double tick_step(double range)
{
	double step = pow(10, floor(log10(range / 5)));

	if (range / step > 25)
		return step * 5;
	return range / step > 10 ? step * 2 : step;
}

static void draw_value_axis(struct kri_chart *chart)
{
	struct kri_canvas *canvas = chart->canvas;
	double step = tick_step(chart->high - chart->low);
	int decimals = step < 1e5 ? 2 : step < 1e6 ? 1 : 0;
	char text[KRYOS_TEXT_MAX];

	for (double value = ceil(chart->low / step) * step; value <= chart->high; value += step) {
		double y = kri_chart_y(chart, (int64_t)llround(value));

		cairo_set_source_rgb(canvas->cr, 0.82, 0.82, 0.82);
		cairo_set_line_width(canvas->cr, 0.3);
		cairo_move_to(canvas->cr, chart->x, y);
		cairo_line_to(canvas->cr, chart->x + chart->width, y);
		cairo_stroke(canvas->cr);
		kri_type(canvas, 6.5, KRI_FACE_PLAIN, KRI_GREY);
		kri_number_text(canvas->language, llround(value), decimals, NULL, 0, text);
		kri_text(canvas, chart->x - 44, y + 2.3, 40, KRI_ALIGN_RIGHT, text);
	}
	kri_type(canvas, 6.5, KRI_FACE_PLAIN, KRI_GREY);
	kri_text(canvas, chart->x - 44, chart->y - 4, 40, KRI_ALIGN_RIGHT, kri_unit_text(chart->channel->unit));
}

/* By rules of different times the high limit may be below the low one: nothing lies between them. */
static bool has_band(const struct kri_report_channel *channel)
{
	if (channel->has_low && channel->has_high)
		return channel->low_micro <= channel->high_micro;
	return channel->has_low || channel->has_high;
}

/* Between the limits, or from the one that there is to the edge. */
static void draw_band(struct kri_chart *chart)
{
	const struct kri_report_channel *channel = chart->channel;
	double top = channel->has_high ? kri_chart_y(chart, channel->high_micro) : chart->y;
	double bottom = channel->has_low ? kri_chart_y(chart, channel->low_micro) : chart->y + chart->height;

	if (!has_band(channel))
		return;
	cairo_set_source_rgb(chart->canvas->cr, 0.90, 0.95, 0.90);
	cairo_rectangle(chart->canvas->cr, chart->x, top, chart->width, bottom - top);
	cairo_fill(chart->canvas->cr);
}

static void draw_limit(struct kri_chart *chart, int64_t micro)
{
	static const double dashes[] = { 4, 2.5 };
	struct kri_canvas *canvas = chart->canvas;
	double y = kri_chart_y(chart, micro);
	char number[KRYOS_TEXT_MAX], text[KRYOS_TEXT_MAX + 20];

	cairo_set_source_rgb(canvas->cr, 0.15, 0.15, 0.15);
	cairo_set_line_width(canvas->cr, 0.6);
	cairo_set_dash(canvas->cr, dashes, 2, 0);
	cairo_move_to(canvas->cr, chart->x, y);
	cairo_line_to(canvas->cr, chart->x + chart->width, y);
	cairo_stroke(canvas->cr);
	cairo_set_dash(canvas->cr, NULL, 0, 0);
	kri_type(canvas, 6.5, KRI_FACE_BOLD, KRI_BLACK);
	kri_number_text(canvas->language, micro, 0, &micro, 1, number);
	snprintf(text, sizeof(text), "%s %s", number, kri_unit_text(chart->channel->unit));
	kri_text(canvas, chart->x + chart->width + 3, y + 2.3, KRI_RIGHT - chart->x - chart->width - 3, KRI_ALIGN_LEFT,
	         text);
}

enum kri_hatch kri_hatch_of(const struct kryos_rule *rule)
{
	return rule->kind == KRYOS_RULE_HEAT     ? KRI_HATCH_HEAT
	       : rule->kind == KRYOS_RULE_FREEZE ? KRI_HATCH_FREEZE
	                                         : KRI_HATCH_OTHER;
}

static void draw_span(struct kri_chart *chart, int64_t from_ns, int64_t to_ns, enum kri_hatch hatch)
{
	double x = kri_chart_x(chart, from_ns), width = kri_chart_x(chart, to_ns) - x;

	kri_fill_hatch(chart->canvas, x, chart->y, width < 1 ? 1 : width, chart->height, hatch);
	chart->hatches |= 1u << hatch;
}

static void draw_spans(struct kri_chart *chart)
{
	const struct kri_report *report = chart->canvas->report;
	const struct kri_report_channel *channel = chart->channel;

	for (size_t i = 0; i < report->episode_count; i++) {
		const struct kri_report_episode *at = &report->episodes[i];

		if (strcmp(at->channel, channel->name) == 0)
			draw_span(chart, at->episode.start.t_wall_ns, kri_episode_until(report, at),
			          kri_hatch_of(&at->episode.rule));
	}
	for (size_t i = 0; i < channel->gap_count; i++)
		draw_span(chart, channel->gaps[i].from_ns, channel->gaps[i].to_ns, KRI_HATCH_GAP);
	for (size_t i = 0; i < report->retired_count; i++)
		if (strcmp(report->retired[i].channel, channel->name) == 0)
			draw_span(chart, report->retired[i].from_ns, report->retired[i].to_ns, KRI_HATCH_RETIRED);
}

/* Each excursion has its number, by which it is found in the table; one that would cover another's is left out. */
static void draw_numbers(struct kri_chart *chart)
{
	const struct kri_report *report = chart->canvas->report;
	double free_x = 0;
	char text[24];

	kri_type(chart->canvas, 6.5, KRI_FACE_BOLD, KRI_BLACK);
	for (size_t i = 0; i < report->episode_count; i++) {
		const struct kri_report_episode *at = &report->episodes[i];
		double x = kri_chart_x(chart, at->episode.start.t_wall_ns), width;

		snprintf(text, sizeof(text), "%zu", i + 1);
		width = kri_text_width(chart->canvas, text);
		if (strcmp(at->channel, chart->channel->name) != 0 || x < free_x)
			continue;
		kri_text(chart->canvas, x, chart->y - 3, 0, KRI_ALIGN_LEFT, text);
		free_x = x + width + 3;
	}
}

static bool is_gap_between(const struct kri_report_channel *channel, size_t *at, int64_t from_ns, int64_t to_ns)
{
	while (*at < channel->gap_count && channel->gaps[*at].to_ns <= from_ns)
		++*at;
	return *at < channel->gap_count && channel->gaps[*at].from_ns < to_ns;
}

/* From lowest to highest of each column, so that nothing is averaged away. */
static void draw_envelope(struct kri_chart *chart)
{
	double width = chart->width / KRI_REPORT_COLUMNS;
	cairo_t *cr = chart->canvas->cr;

	for (size_t i = 0; i < KRI_REPORT_COLUMNS; i++) {
		const struct kri_column *column = &chart->channel->columns[i];
		double top = kri_chart_y(chart, column->max_micro), bottom = kri_chart_y(chart, column->min_micro);

		if (column->count && bottom - top > 0.5)
			cairo_rectangle(cr, chart->x + (double)i * width, top, width, bottom - top);
	}
	cairo_set_source_rgb(cr, 0.55, 0.55, 0.55);
	cairo_fill(cr);
}

/* Through the mean of each column; broken where there is a gap. */
static void draw_curve(struct kri_chart *chart)
{
	const struct kri_report_config *config = &chart->canvas->report->config;
	const struct kri_report_channel *channel = chart->channel;
	double step_ns = (double)(config->to_ns - config->from_ns) / KRI_REPORT_COLUMNS;
	cairo_t *cr = chart->canvas->cr;
	size_t gap = 0, last = 0;
	bool has_last = false;

	for (size_t i = 0; i < KRI_REPORT_COLUMNS; i++) {
		const struct kri_column *column = &channel->columns[i];
		double x = chart->x + ((double)i + 0.5) * chart->width / KRI_REPORT_COLUMNS, y;

		if (!column->count)
			continue;
		y = kri_chart_y(chart, llround(column->sum / column->count));
		if (!has_last ||
		    (i > last + 1 &&
		     is_gap_between(channel, &gap, config->from_ns + (int64_t)((double)(last + 1) * step_ns),
		                    config->from_ns + (int64_t)((double)i * step_ns))))
			cairo_move_to(cr, x, y);
		cairo_line_to(cr, x, y);
		has_last = true;
		last = i;
	}
	cairo_set_source_rgb(cr, 0, 0, 0);
	cairo_set_line_width(cr, 0.6);
	cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
	cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
	cairo_stroke(cr);
}

static void draw_legend(struct kri_chart *chart)
{
	static const enum kri_word words[] = { [KRI_HATCH_HEAT] = KRI_WORD_LEGEND_HEAT,
		                               [KRI_HATCH_FREEZE] = KRI_WORD_LEGEND_FREEZE,
		                               [KRI_HATCH_OTHER] = KRI_WORD_LEGEND_OTHER,
		                               [KRI_HATCH_GAP] = KRI_WORD_LEGEND_GAP,
		                               [KRI_HATCH_RETIRED] = KRI_WORD_LEGEND_RETIRED };
	struct kri_canvas *canvas = chart->canvas;
	double x = chart->x, y = canvas->y;

	for (int i = -1; i <= KRI_HATCH_RETIRED; i++) {
		const char *text = kri_say(canvas, i < 0 ? KRI_WORD_LEGEND_RANGE : words[i]);

		if (i < 0 ? !has_band(chart->channel) : !(chart->hatches & (1u << i)))
			continue;
		if (i >= 0) {
			kri_fill_hatch(canvas, x, y, 14, 8, (enum kri_hatch)i);
		} else {
			cairo_set_source_rgb(canvas->cr, 0.90, 0.95, 0.90);
			cairo_rectangle(canvas->cr, x, y, 14, 8);
			cairo_fill(canvas->cr);
		}
		cairo_set_source_rgb(canvas->cr, 0.5, 0.5, 0.5);
		cairo_set_line_width(canvas->cr, 0.4);
		cairo_rectangle(canvas->cr, x, y, 14, 8);
		cairo_stroke(canvas->cr);
		kri_type(canvas, 6.5, KRI_FACE_PLAIN, KRI_BLACK);
		kri_text(canvas, x + 17, y + 6.4, 0, KRI_ALIGN_LEFT, text);
		x += 17 + kri_text_width(canvas, text) + 12;
	}
	canvas->y += x > chart->x ? 14 : 2;
}

/* A rule in words, and when it was in force if it was not all the time. */
static const char *rule_text(const struct kri_canvas *canvas, const struct kri_report_channel *channel, unsigned int i,
                             char text[512])
{
	const struct kri_span_of_time *times = &channel->rule_times[i];
	char words[512], when[KRI_LOCAL_TEXT];

	kri_rule_words(canvas->language, &channel->rules[i], channel->unit, text, 512);
	if (times->from_ns != INT64_MIN) {
		snprintf(words, sizeof(words), "%s", text);
		kri_phrase(canvas->language, KRI_WORD_RULE_FROM, words, kri_moment(canvas, times->from_ns, when), text,
		           512);
	}
	if (times->to_ns != INT64_MAX) {
		snprintf(words, sizeof(words), "%s", text);
		kri_phrase(canvas->language, KRI_WORD_RULE_UNTIL, words, kri_moment(canvas, times->to_ns, when), text,
		           512);
	}
	return text;
}

/* Above which the curve is: what is measured, and all rules that are known of it. */
static double draw_title(struct kri_canvas *canvas, const struct kri_report_channel *channel, bool draw)
{
	char words[512], text[160], all[4096];
	size_t at;
	int lines;

	snprintf(text, sizeof(text), "%s%s%s", channel->name, *channel->place ? ", " : "",
	         kri_place_word(canvas->language, channel->place));
	at = (size_t)snprintf(all, sizeof(all), "%s%s", kri_say(canvas, KRI_WORD_LIMITS),
	                      kri_say(canvas, KRI_WORD_COLON));
	for (unsigned int i = 0; i < channel->rule_count && at < sizeof(all); i++)
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", i ? kri_say(canvas, KRI_WORD_SEMICOLON) : "",
		                       rule_text(canvas, channel, i, words));
	if (!channel->rule_count)
		snprintf(all, sizeof(all), "%s", kri_say(canvas, KRI_WORD_NO_LIMITS));
	kri_type(canvas, 9, KRI_FACE_BOLD, KRI_BLACK);
	if (draw)
		kri_text(canvas, KRI_LEFT, canvas->y + 9, KRI_WIDTH, KRI_ALIGN_LEFT, text);
	kri_type(canvas, 7, KRI_FACE_PLAIN, KRI_BLACK);
	lines = kri_text_lines(canvas, KRI_LEFT, canvas->y + 20, KRI_WIDTH, 32, KRI_ALIGN_LEFT, draw, all);
	return 13 + 7 * 1.38 * (lines - 1) + 10;
}

void kri_draw_chart(struct kri_canvas *canvas, const struct kri_report_channel *channel)
{
	struct kri_chart chart = {
		.canvas = canvas, .channel = channel, .x = KRI_LEFT + 48, .width = KRI_WIDTH - 48 - 46, .height = 136
	};
	double strips = 13.0 * (double)canvas->report->contact_count;

	kri_need(canvas, draw_title(canvas, channel, false) + 14 + chart.height + strips + 24 + 18);
	canvas->y += draw_title(canvas, channel, true) + 14;
	chart.y = canvas->y;
	choose_range(&chart);
	draw_band(&chart);
	draw_spans(&chart);
	draw_value_axis(&chart);
	if (channel->has_low)
		draw_limit(&chart, channel->low_micro);
	if (channel->has_high)
		draw_limit(&chart, channel->high_micro);
	draw_envelope(&chart);
	draw_curve(&chart);
	draw_numbers(&chart);
	cairo_set_source_rgb(canvas->cr, 0, 0, 0);
	cairo_set_line_width(canvas->cr, 0.6);
	cairo_rectangle(canvas->cr, chart.x, chart.y, chart.width, chart.height);
	cairo_stroke(canvas->cr);
	canvas->y += chart.height + 3;
	kri_draw_strips(&chart);
	kri_draw_time_axis(&chart);
	draw_legend(&chart);
	canvas->y += 8;
}
