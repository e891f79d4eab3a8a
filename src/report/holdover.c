/* SPDX-License-Identifier: Apache-2.0 */
/* What the report says of the channels while the supply was away. */
#include "draw.h"
#include <stdio.h>

#define CELL 100

static void reading(const struct kri_canvas *canvas, const struct kri_report_loss *at, unsigned int bit, int64_t micro,
                    char text[CELL])
{
	char value[KRYOS_TEXT_MAX];

	snprintf(text, CELL, "%s",
	         at->loss.known & bit ? kri_reading_text(canvas->language, at->channel, micro, value) : "–");
}

static void draw_loss(struct kri_canvas *canvas, const struct kri_table *table, const struct kri_report_loss *at)
{
	const struct kryos_power_loss *loss = &at->loss;
	bool was_out = (loss->known & KRYOS_LOSS_LEFT) && loss->left_ns == 0;
	char cells[8][CELL], when[KRI_LOCAL_TEXT], span[KRYOS_TEXT_MAX];
	const char *texts[8];

	snprintf(cells[0], CELL, "%s", at->channel->name);
	snprintf(cells[1], CELL, "%s", kri_moment(canvas, loss->start.t_wall_ns, when));
	kri_span_text(canvas->language, loss->length_ns, span);
	if (loss->known & KRYOS_LOSS_ENDED)
		snprintf(cells[2], CELL, "%s", span);
	else
		kri_phrase(canvas->language, KRI_WORD_NOT_OVER, span, "", cells[2], CELL);
	reading(canvas, at, KRYOS_LOSS_VALUE, loss->value_micro, cells[3]);
	if (was_out)
		snprintf(cells[4], CELL, "%s", kri_say(canvas, KRI_WORD_OUT_BEFORE));
	else
		kri_phrase(canvas->language, KRI_WORD_HELD_AT_LEAST,
		           kri_span_text(canvas->language, loss->held_ns, span), "", cells[4], CELL);
	if (was_out)
		snprintf(span, sizeof(span), "–");
	else if (loss->known & KRYOS_LOSS_LEFT)
		kri_span_text(canvas->language, loss->left_ns, span);
	else
		snprintf(span, sizeof(span), "%s",
		         kri_say(canvas, loss->known & KRYOS_LOSS_UNSEEN ? KRI_WORD_NOT_KNOWN : KRI_WORD_NEVER_OUT));
	snprintf(cells[5], CELL, "%s", span);
	reading(canvas, at, KRYOS_LOSS_EXTREMES, loss->min_micro, cells[6]);
	reading(canvas, at, KRYOS_LOSS_EXTREMES, loss->max_micro, cells[7]);
	for (int i = 0; i < 8; i++)
		texts[i] = cells[i];
	kri_table_row(canvas, table, texts);
}

static bool was_power_lost(const struct kri_report *report)
{
	for (size_t i = 0; i < report->contact_count; i++)
		if (report->contacts[i].is_power && report->contacts[i].count)
			return true;
	return false;
}

void kri_draw_holdover(struct kri_canvas *canvas)
{
	const struct kri_table table = {
		.columns = 8,
		.widths = { 0.19, 0.16, 0.09, 0.08, 0.16, 0.12, 0.10, 0.10 },
		.aligns = { KRI_ALIGN_LEFT, KRI_ALIGN_LEFT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT,
		            KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT, KRI_ALIGN_RIGHT },
		.heads = { kri_say(canvas, KRI_WORD_CHANNEL), kri_say(canvas, KRI_WORD_POWER_LOST),
		           kri_say(canvas, KRI_WORD_DURATION), kri_say(canvas, KRI_WORD_BEFORE),
		           kri_say(canvas, KRI_WORD_HELD), kri_say(canvas, KRI_WORD_OUT_AFTER),
		           kri_say(canvas, KRI_WORD_LOWEST), kri_say(canvas, KRI_WORD_HIGHEST) },
		.size = 7,
	};
	const struct kri_report *report = canvas->report;

	if (!report->loss_count && !was_power_lost(report))
		return;
	kri_heading(canvas, kri_say(canvas, KRI_WORD_HOLDOVER), 40);
	if (!report->loss_count) {
		kri_type(canvas, 8, KRI_FACE_PLAIN, KRI_BLACK);
		kri_paragraph(canvas, kri_say(canvas, KRI_WORD_HOLDOVER_NOT_KNOWN));
		return;
	}
	kri_table_begin(canvas, &table);
	for (size_t i = 0; i < report->loss_count; i++)
		draw_loss(canvas, &table, &report->losses[i]);
}
