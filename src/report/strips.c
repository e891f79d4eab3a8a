/* SPDX-License-Identifier: Apache-2.0 */
/* What lies below a curve: doors and power, then the time. */
#include "chart.h"
#include <stdio.h>
#include <string.h>

#define STRIP 9.0

/* What it is of stands at the other end: the name of the sensor is enough, and smaller where it is long. */
static void draw_name(struct kri_chart *chart, const char *channel, double y)
{
	double width = chart->x - KRI_LEFT - 4, size = 6.5;
	const char *quantity = strrchr(channel, '.');
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)(quantity ? (size_t)(quantity - channel) : strlen(channel)), channel);
	do {
		kri_type(chart->canvas, size, KRI_FACE_PLAIN, KRI_BLACK);
		size -= 0.5;
	} while (size >= 4.5 && kri_text_width(chart->canvas, name) > width);
	kri_text(chart->canvas, KRI_LEFT, y, width, KRI_ALIGN_RIGHT, name);
}

static void draw_strip(struct kri_chart *chart, const struct kri_report_contact *contact)
{
	struct kri_canvas *canvas = chart->canvas;
	double y = canvas->y + 2;

	cairo_set_source_rgb(canvas->cr, 0.2, 0.2, 0.2);
	for (size_t i = 0; i < contact->count; i++) {
		double x = kri_chart_x(chart, contact->spans[i].from_ns);
		double width = kri_chart_x(chart, contact->spans[i].to_ns) - x;

		cairo_rectangle(canvas->cr, x, y, width < 0.4 ? 0.4 : width, STRIP);
	}
	cairo_fill(canvas->cr);
	cairo_set_source_rgb(canvas->cr, 0.5, 0.5, 0.5);
	cairo_set_line_width(canvas->cr, 0.4);
	cairo_rectangle(canvas->cr, chart->x, y, chart->width, STRIP);
	cairo_stroke(canvas->cr);
	draw_name(chart, contact->name, y + 6.8);
	kri_type(canvas, 5.5, KRI_FACE_PLAIN, KRI_GREY);
	kri_text(canvas, chart->x + chart->width + 3, y + 6.5, KRI_RIGHT - chart->x - chart->width - 3, KRI_ALIGN_LEFT,
	         kri_say(canvas, contact->is_power ? KRI_WORD_POWER_ABSENT : KRI_WORD_DOOR_OPEN));
	canvas->y += STRIP + 4;
}

void kri_draw_strips(struct kri_chart *chart)
{
	const struct kri_report *report = chart->canvas->report;

	for (size_t i = 0; i < report->contact_count; i++)
		draw_strip(chart, &report->contacts[i]);
}

static void draw_tick(struct kri_chart *chart, int64_t t_ns, const char *text)
{
	struct kri_canvas *canvas = chart->canvas;
	double x = kri_chart_x(chart, t_ns);

	cairo_set_source_rgb(canvas->cr, 0, 0, 0);
	cairo_set_line_width(canvas->cr, 0.5);
	cairo_move_to(canvas->cr, x, chart->y + chart->height);
	cairo_line_to(canvas->cr, x, chart->y + chart->height + (*text ? 3 : 1.5));
	cairo_stroke(canvas->cr);
	kri_type(canvas, 6.5, KRI_FACE_PLAIN, KRI_GREY);
	kri_text(canvas, x - 30, canvas->y + 8, 60, KRI_ALIGN_CENTRE, text);
}

static void draw_hours(struct kri_chart *chart, int step_minutes)
{
	const struct kri_report *report = chart->canvas->report;
	char text[KRI_LOCAL_TEXT];

	for (size_t day = 0; day < report->day_count; day++) {
		for (int minute = 0; minute < 24 * 60; minute += step_minutes) {
			int64_t t_ns = report->day_starts[day] + KRYOS_MINUTES(minute);
			struct kri_local local;

			if (t_ns < report->config.from_ns || t_ns >= report->config.to_ns ||
			    t_ns >= report->day_starts[day + 1])
				continue;
			kri_local(t_ns, &local);
			if (minute == 0)
				kri_local_date(t_ns, text);
			else
				snprintf(text, sizeof(text), "%02d:%02d", local.hour, local.minute);
			draw_tick(chart, t_ns, minute == 0 ? text + 5 : text);
		}
	}
}

static void draw_days(struct kri_chart *chart)
{
	const struct kri_report *report = chart->canvas->report;
	size_t step = (report->day_count + 11) / 12, labelled = 0;
	char text[KRI_LOCAL_TEXT];

	if (step > 3)
		step = (step + 6) / 7 * 7;
	for (size_t day = report->day_starts[0] < report->config.from_ns; day < report->day_count; day++) {
		int64_t t_ns = report->day_starts[day];

		if (labelled++ % step) {
			if (report->day_count <= 62)
				draw_tick(chart, t_ns, "");
			continue;
		}
		kri_local_date(t_ns, text);
		draw_tick(chart, t_ns, text + 5);
	}
}

static void draw_months(struct kri_chart *chart)
{
	const struct kri_report *report = chart->canvas->report;
	size_t step = (report->day_count / 30 + 11) / 12, months = 0;
	char text[KRI_LOCAL_TEXT];

	for (size_t day = 0; day < report->day_count; day++) {
		int64_t t_ns = report->day_starts[day];
		struct kri_local local;

		kri_local(t_ns, &local);
		if (local.day != 1 || t_ns < report->config.from_ns || months++ % step)
			continue;
		snprintf(text, sizeof(text), "%04d-%02d", local.year % 10000, local.month);
		draw_tick(chart, t_ns, text);
	}
}

void kri_draw_time_axis(struct kri_chart *chart)
{
	const struct kri_report *report = chart->canvas->report;
	int64_t minutes = (report->config.to_ns - report->config.from_ns) / KRYOS_MINUTES(1);

	if (minutes <= 72 * 60)
		draw_hours(chart, minutes <= 60        ? 5
		                  : minutes <= 3 * 60  ? 15
		                  : minutes <= 12 * 60 ? 60
		                  : minutes <= 30 * 60 ? 180
		                                       : 360);
	else if (report->day_count <= 120)
		draw_days(chart);
	else
		draw_months(chart);
	chart->canvas->y += 14;
}
