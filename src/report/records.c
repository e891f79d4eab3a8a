/* SPDX-License-Identifier: Apache-2.0 */
/* Where the numbers come from: the device, its calibration, its seals; and who looked at it. */
#include "draw.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void kri_draw_line(struct kri_canvas *canvas, const char *word, const char *text)
{
	int lines, words;

	kri_type(canvas, 7.5, KRI_FACE_PLAIN, KRI_BLACK);
	words = kri_text_lines(canvas, 0, 0, KRI_WIDTH * 0.31, 8, KRI_ALIGN_LEFT, false, word);
	lines = kri_text_lines(canvas, 0, 0, KRI_WIDTH * 0.68, 8, KRI_ALIGN_LEFT, false, text);
	lines = words > lines ? words : lines;
	kri_need(canvas, 10.4 * lines);
	kri_type(canvas, 7.5, KRI_FACE_PLAIN, KRI_GREY);
	kri_text_lines(canvas, KRI_LEFT, canvas->y + 8, KRI_WIDTH * 0.31, 8, KRI_ALIGN_LEFT, true, word);
	kri_type(canvas, 7.5, KRI_FACE_PLAIN, KRI_BLACK);
	kri_text_lines(canvas, KRI_LEFT + KRI_WIDTH * 0.32, canvas->y + 8, KRI_WIDTH * 0.68, 8, KRI_ALIGN_LEFT, true,
	               text);
	canvas->y += 10.4 * lines + 1;
}

static void draw_calibration(struct kri_canvas *canvas, const struct kri_report_channel *channel)
{
	char word[120], text[500], phrase[200], date[KRI_LOCAL_TEXT];
	size_t at = 0;

	kri_phrase(canvas->language, KRI_WORD_CALIBRATION, channel->name, "", word, sizeof(word));
	text[0] = 0;
	if (channel->certificate) {
		kri_phrase(canvas->language, KRI_WORD_CERTIFICATE, channel->certificate, "", phrase, sizeof(phrase));
		at = (size_t)snprintf(text, sizeof(text), "%s", phrase);
	}
	if (channel->expires_ns) {
		bool is_over = channel->expires_ns <= canvas->report->config.to_ns;

		kri_phrase(canvas->language, is_over ? KRI_WORD_EXPIRED : KRI_WORD_EXPIRES,
		           kri_local_date(channel->expires_ns, date), "", phrase, sizeof(phrase));
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at ? ", " : "", phrase);
	}
	if (!at)
		snprintf(text, sizeof(text), "%s",
		         channel->calibration ? channel->calibration : kri_say(canvas, KRI_WORD_NOT_KNOWN));
	kri_draw_line(canvas, word, text);
}

static void draw_start(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	char text[1100], when[KRI_LOCAL_TEXT];

	if (!report->start) {
		kri_draw_line(canvas, kri_say(canvas, KRI_WORD_FIRMWARE), kri_say(canvas, KRI_WORD_NOT_KNOWN));
		return;
	}
	snprintf(text, sizeof(text), "%s, libkryos %.60s, %.900s", kri_moment(canvas, report->start_ns, when),
	         report->start_version, report->start);
	kri_draw_line(canvas, kri_say(canvas, KRI_WORD_FIRMWARE), text);
}

void kri_draw_device(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	const char *not_known = kri_say(canvas, KRI_WORD_NOT_KNOWN);
	char text[1100], when[KRI_LOCAL_TEXT];

	kri_heading(canvas, kri_say(canvas, KRI_WORD_DEVICE_AND_RECORDS), 60);
	kri_draw_line(canvas, kri_say(canvas, KRI_WORD_DEVICE_ID), *report->device ? report->device : not_known);
	kri_draw_line(canvas, kri_say(canvas, KRI_WORD_FINGERPRINT),
	              *report->fingerprint ? report->fingerprint : not_known);
	draw_start(canvas);
	if (report->test) {
		kri_phrase(canvas->language, KRI_WORD_BY, kri_moment(canvas, report->test_ns, when), report->test_by,
		           text, sizeof(text));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ": %.100s", report->test);
	} else {
		snprintf(text, sizeof(text), "%s", kri_say(canvas, KRI_WORD_NO_TEST));
	}
	kri_draw_line(canvas, kri_say(canvas, KRI_WORD_LAST_TEST), text);
	for (size_t i = 0; i < report->channel_count; i++)
		if (report->channels[i]->columns && !report->channels[i]->is_contact &&
		    (report->channels[i]->is_temperature || report->channels[i]->calibration))
			draw_calibration(canvas, report->channels[i]);
}

static void draw_seal_head(struct kri_canvas *canvas)
{
	kri_type(canvas, 6.5, KRI_FACE_PLAIN, KRI_GREY);
	kri_text(canvas, KRI_LEFT, canvas->y + 7, 60, KRI_ALIGN_RIGHT, kri_say(canvas, KRI_WORD_SEAL_NUMBER));
	kri_text(canvas, KRI_LEFT + 70, canvas->y + 7, 280, KRI_ALIGN_LEFT, kri_say(canvas, KRI_WORD_SEAL_HASH));
	kri_text(canvas, KRI_LEFT + 352, canvas->y + 7, KRI_WIDTH - 352, KRI_ALIGN_RIGHT,
	         kri_say(canvas, KRI_WORD_SEAL_UNTIL));
	canvas->y += 10;
}

/* Each hash whole: it is for comparing. The head is repeated on each page. */
static void draw_seal(struct kri_canvas *canvas, const struct kri_report_seal *seal, const char *until)
{
	char number[24];

	if (canvas->y + 9.5 > KRI_BOTTOM) {
		kri_new_page(canvas);
		draw_seal_head(canvas);
	}
	kri_type(canvas, 6.8, KRI_FACE_MONO, KRI_BLACK);
	snprintf(number, sizeof(number), "%" PRId64, seal->number);
	kri_text(canvas, KRI_LEFT, canvas->y + 7, 60, KRI_ALIGN_RIGHT, number);
	kri_text(canvas, KRI_LEFT + 70, canvas->y + 7, 280, KRI_ALIGN_LEFT, seal->hash);
	kri_type(canvas, 6.5, KRI_FACE_PLAIN, KRI_GREY);
	kri_text(canvas, KRI_LEFT + 352, canvas->y + 7, KRI_WIDTH - 352, KRI_ALIGN_RIGHT, until);
	canvas->y += 9.5;
}

void kri_draw_seals(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	char text[160], when[KRI_LOCAL_TEXT];

	kri_heading(canvas, kri_say(canvas, KRI_WORD_SEALS), 60);
	kri_type(canvas, 7.5, KRI_FACE_PLAIN, KRI_BLACK);
	if (!report->seal_count)
		kri_paragraph(canvas, kri_say(canvas, KRI_WORD_NO_SEALS));
	if (!report->seal_count && !report->event_seal.number)
		return;
	kri_paragraph(canvas, kri_say(canvas, KRI_WORD_SEALS_NOTE));
	canvas->y += 3;
	kri_need(canvas, 10 + 9.5);
	draw_seal_head(canvas);
	if (report->event_seal.number)
		draw_seal(canvas, &report->event_seal,
		          kri_phrase(canvas->language, KRI_WORD_SEAL_OF_EVENTS,
		                     kri_moment(canvas, report->event_seal.t_ns, when), "", text, sizeof(text)));
	for (size_t i = 0; i < report->seal_count; i++)
		draw_seal(canvas, &report->seals[i], kri_moment(canvas, report->seals[i].t_ns, when));
}

void kri_draw_signature(struct kri_canvas *canvas)
{
	static const enum kri_word words[] = { KRI_WORD_CHECKED_BY, KRI_WORD_DATE, KRI_WORD_SIGNATURE };
	static const double widths[] = { 0.40, 0.20, 0.40 };
	double x = KRI_LEFT;

	kri_need(canvas, 64);
	canvas->y += 44;
	for (int i = 0; i < 3; i++) {
		double width = widths[i] * KRI_WIDTH - 12;

		cairo_set_source_rgb(canvas->cr, 0, 0, 0);
		cairo_set_line_width(canvas->cr, 0.5);
		cairo_move_to(canvas->cr, x, canvas->y);
		cairo_line_to(canvas->cr, x + width, canvas->y);
		cairo_stroke(canvas->cr);
		kri_type(canvas, 6.5, KRI_FACE_PLAIN, KRI_GREY);
		kri_text(canvas, x, canvas->y + 9, width, KRI_ALIGN_LEFT, kri_say(canvas, words[i]));
		x += widths[i] * KRI_WIDTH;
	}
	canvas->y += 16;
}
