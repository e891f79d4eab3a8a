/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a report, and what stands on each of its pages. */
#include "draw.h"
#include <stdio.h>
#include <string.h>

/* "Europe/Paris, UTC+02:00, from 2026-10-25 02:00 UTC+01:00": by every offset that is in force in the period. */
static void describe_zone(struct kri_canvas *canvas)
{
	const struct kri_report_config *config = &canvas->report->config;
	char offset[KRI_LOCAL_TEXT], when[KRI_LOCAL_TEXT], phrase[160];
	int64_t t_ns = config->from_ns;
	struct kri_local local;
	size_t at;

	kri_local(t_ns, &local);
	snprintf(canvas->zone, sizeof(canvas->zone), "%s %.60s, %s", kri_say(canvas, KRI_WORD_LOCAL_TIME), config->zone,
	         kri_offset_text(local.offset_s, offset));
	while ((t_ns = kri_zone_change(t_ns, config->to_ns)) < config->to_ns) {
		canvas->zone_changes = true;
		kri_local(t_ns, &local);
		kri_offset_text(local.offset_s, offset);
		kri_phrase(canvas->language, KRI_WORD_FROM_THEN, kri_local_text(t_ns, false, when), offset, phrase,
		           sizeof(phrase));
		at = strlen(canvas->zone);
		snprintf(canvas->zone + at, sizeof(canvas->zone) - at, ", %s", phrase);
	}
}

static char *period_text(const struct kri_canvas *canvas, bool with_offset, char *buffer, size_t size)
{
	char from[KRI_LOCAL_TEXT], to[KRI_LOCAL_TEXT];

	return kri_phrase(canvas->language, KRI_WORD_TO,
	                  kri_local_text(canvas->report->config.from_ns, with_offset, from),
	                  kri_local_text(canvas->report->config.to_ns, with_offset, to), buffer, size);
}

static void draw_head(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	char period[160];

	kri_type(canvas, 7, KRI_FACE_BOLD, KRI_BLACK);
	kri_text(canvas, KRI_LEFT, 40, KRI_WIDTH * 0.55, KRI_ALIGN_LEFT,
	         *report->station ? report->station : kri_say(canvas, KRI_WORD_TITLE));
	kri_type(canvas, 7, KRI_FACE_PLAIN, KRI_BLACK);
	kri_text(canvas, KRI_LEFT + KRI_WIDTH * 0.57, 40, KRI_WIDTH * 0.43, KRI_ALIGN_RIGHT,
	         period_text(canvas, false, period, sizeof(period)));
	kri_type(canvas, 6.5, KRI_FACE_PLAIN, KRI_GREY);
	kri_text(canvas, KRI_LEFT, 51, KRI_WIDTH, KRI_ALIGN_RIGHT, canvas->zone);
	kri_rule_line(canvas, 57, 0.6, KRI_BLACK);
}

/* Below what is written, and above it where it is not the first page, whose title says the same. */
void kri_draw_frame(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	char when[KRI_LOCAL_TEXT], text[400], page[16], pages[16];
	double foot = KRI_PAGE_HEIGHT - 34;

	if (canvas->page > 1)
		draw_head(canvas);
	kri_rule_line(canvas, foot - 9, 0.4, 0.6);
	kri_type(canvas, 6.5, KRI_FACE_PLAIN, KRI_GREY);
	snprintf(text, sizeof(text), "%s %s", kri_say(canvas, KRI_WORD_DEVICE),
	         *report->device ? report->device : kri_say(canvas, KRI_WORD_NOT_KNOWN));
	kri_text(canvas, KRI_LEFT, foot, KRI_WIDTH * 0.40, KRI_ALIGN_LEFT, text);
	snprintf(text, sizeof(text), "%s %s, kryosctl %s", kri_say(canvas, KRI_WORD_PRINTED),
	         kri_local_text(report->config.printed_ns, true, when), report->config.version);
	kri_text(canvas, KRI_LEFT + KRI_WIDTH * 0.40, foot, KRI_WIDTH * 0.42, KRI_ALIGN_CENTRE, text);
	snprintf(page, sizeof(page), "%d", canvas->page);
	snprintf(pages, sizeof(pages), "%d", canvas->pages ? canvas->pages : canvas->page);
	kri_phrase(canvas->language, KRI_WORD_PAGE, page, pages, text, sizeof(text));
	kri_text(canvas, KRI_LEFT + KRI_WIDTH * 0.82, foot, KRI_WIDTH * 0.18, KRI_ALIGN_RIGHT, text);
}

static void draw_title(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	char text[200];

	kri_type(canvas, 17, KRI_FACE_BOLD, KRI_BLACK);
	kri_text(canvas, KRI_LEFT, canvas->y + 14, KRI_WIDTH, KRI_ALIGN_LEFT, kri_say(canvas, KRI_WORD_TITLE));
	canvas->y += 24;
	kri_type(canvas, 11, KRI_FACE_PLAIN, KRI_BLACK);
	kri_paragraph(canvas, *report->station ? report->station : kri_say(canvas, KRI_WORD_NO_STATION));
	canvas->y += 2;
	kri_type(canvas, 8.5, KRI_FACE_PLAIN, KRI_BLACK);
	kri_paragraph(canvas, period_text(canvas, canvas->zone_changes, text, sizeof(text)));
	kri_type(canvas, 8.5, KRI_FACE_PLAIN, KRI_BLACK);
	kri_paragraph(canvas, canvas->zone);
	canvas->y += 4;
}

static bool has_chart(const struct kri_canvas *canvas, const struct kri_report_channel *channel)
{
	return channel->columns && !channel->is_contact && (channel->is_temperature || canvas->report->config.wanted);
}

void kri_draw_report(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;

	describe_zone(canvas);
	kri_new_page(canvas);
	if (canvas->error < 0)
		return;
	canvas->y = 36;
	draw_title(canvas);
	if (!report->samples) {
		canvas->y += 40;
		kri_type(canvas, 13, KRI_FACE_BOLD, KRI_BLACK);
		kri_paragraph(canvas, kri_say(canvas, KRI_WORD_NO_DATA));
		/* What the device told of it outlives what was measured. */
		kri_draw_verdict(canvas);
	} else {
		kri_draw_summary(canvas);
		for (size_t i = 0; i < report->channel_count; i++)
			if (has_chart(canvas, report->channels[i]))
				kri_draw_chart(canvas, report->channels[i]);
	}
	kri_draw_episodes(canvas);
	if (report->samples || report->retired_count)
		kri_draw_gaps(canvas);
	if (report->samples) {
		kri_draw_contacts(canvas);
		kri_draw_holdover(canvas);
		kri_draw_statistics(canvas);
		kri_draw_days(canvas);
	}
	kri_draw_device(canvas);
	kri_draw_seals(canvas);
	kri_draw_signature(canvas);
}
