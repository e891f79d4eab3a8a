/* SPDX-License-Identifier: Apache-2.0 */
/* Where nothing was measured, and why; where a channel was out of service, and why. */
#include "draw.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL 640
#define MAX_GAP_ROWS 40

static void span(const struct kri_canvas *canvas, int64_t ns, char text[CELL])
{
	char value[KRYOS_TEXT_MAX];

	snprintf(text, CELL, "%s", kri_span_text(canvas->language, ns, value));
}

static void row(struct kri_canvas *canvas, const struct kri_table *table, char (*cells)[CELL])
{
	const char *texts[KRI_TABLE_MAX];

	for (int i = 0; i < table->columns; i++)
		texts[i] = cells[i];
	kri_table_row(canvas, table, texts);
}

/* Gaps of all channels in one list. */
struct gap_row {
	const struct kri_report_channel *channel;
	const struct kri_report_gap *gap;
};

static int by_length(const void *a, const void *b)
{
	const struct kri_report_gap *x = ((const struct gap_row *)a)->gap, *y = ((const struct gap_row *)b)->gap;
	int64_t p = x->to_ns - x->from_ns, q = y->to_ns - y->from_ns;

	return p == q ? (x->from_ns > y->from_ns) - (x->from_ns < y->from_ns) : p < q ? 1 : -1;
}

static int by_time(const void *a, const void *b)
{
	const struct gap_row *x = a, *y = b;

	int64_t p = x->gap->from_ns / KRYOS_MINUTES(1), q = y->gap->from_ns / KRYOS_MINUTES(1);

	if (p == q) {
		p = x->gap->to_ns / KRYOS_MINUTES(1);
		q = y->gap->to_ns / KRYOS_MINUTES(1);
	}
	if (p == q) {
		p = x->gap->reason * 256 + x->gap->quality;
		q = y->gap->reason * 256 + y->gap->quality;
	}
	return p == q ? strcmp(x->channel->name, y->channel->name) : p < q ? -1 : 1;
}

static void reason_text(const struct kri_canvas *canvas, const struct kri_report_gap *gap, char text[CELL])
{
	static const enum kri_word words[] = {
		[KRI_GAP_NOTHING] = KRI_WORD_GAP_NOTHING, [KRI_GAP_BEFORE] = KRI_WORD_GAP_BEFORE,
		[KRI_GAP_AFTER] = KRI_WORD_GAP_AFTER,     [KRI_GAP_QUALITY] = KRI_WORD_GAP_QUALITY,
		[KRI_GAP_RESTART] = KRI_WORD_GAP_RESTART, [KRI_GAP_GIVEN_UP] = KRI_WORD_GAP_GIVEN_UP
	};

	kri_phrase(canvas->language, words[gap->reason], kri_quality_word(canvas->language, gap->quality), "", text,
	           CELL);
}

/* To the minute, as it is written. */
static bool is_same_gap(const struct kri_report_gap *a, const struct kri_report_gap *b)
{
	return a->from_ns / KRYOS_MINUTES(1) == b->from_ns / KRYOS_MINUTES(1) &&
	       a->to_ns / KRYOS_MINUTES(1) == b->to_ns / KRYOS_MINUTES(1) && a->reason == b->reason &&
	       a->quality == b->quality;
}

static size_t count_channels(const struct kri_report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->channel_count; i++)
		count += report->channels[i]->columns != NULL;
	return count;
}

/* One row for all channels that have this gap, which stand beside each other; returns how many. */
static size_t draw_gap_row(struct kri_canvas *canvas, const struct kri_table *table, const struct gap_row *at,
                           size_t count)
{
	char cells[5][CELL], when[KRI_LOCAL_TEXT];
	size_t same = 1, length = (size_t)snprintf(cells[0], CELL, "%s", at->channel->name);

	for (; same < count && is_same_gap(at[same].gap, at->gap); same++)
		if (length < CELL)
			length += (size_t)snprintf(cells[0] + length, CELL - length, ", %s", at[same].channel->name);
	if (same > 1 && same == count_channels(canvas->report))
		snprintf(cells[0], CELL, "%s", kri_say(canvas, KRI_WORD_ALL_CHANNELS));
	snprintf(cells[1], CELL, "%s", kri_moment(canvas, at->gap->from_ns, when));
	snprintf(cells[2], CELL, "%s", kri_moment(canvas, at->gap->to_ns, when));
	span(canvas, at->gap->to_ns - at->gap->from_ns, cells[3]);
	reason_text(canvas, at->gap, cells[4]);
	row(canvas, table, cells);
	return same;
}

static void draw_retired_row(struct kri_canvas *canvas, const struct kri_table *table,
                             const struct kri_report_retired *at)
{
	char cells[5][CELL], when[KRI_LOCAL_TEXT], by[CELL];
	bool is_over = at->to_ns != INT64_MAX;

	snprintf(cells[0], CELL, "%s", at->channel);
	snprintf(cells[1], CELL, "%s", kri_moment(canvas, at->from_ns, when));
	snprintf(cells[2], CELL, "%s",
	         is_over ? kri_moment(canvas, at->to_ns, when) : kri_say(canvas, KRI_WORD_STILL_RETIRED));
	span(canvas, (is_over ? at->to_ns : canvas->report->config.to_ns) - at->from_ns, cells[3]);
	kri_phrase(canvas->language, KRI_WORD_BY, at->why, at->by, by, sizeof(by));
	kri_phrase(canvas->language, KRI_WORD_OUT_OF_SERVICE, by, "", cells[4], CELL);
	row(canvas, table, cells);
}

static size_t list_gaps(const struct kri_report *report, struct gap_row *rows)
{
	size_t count = 0;

	for (size_t i = 0; i < report->channel_count; i++)
		for (size_t j = 0; report->channels[i]->columns && j < report->channels[i]->gap_count; j++)
			rows[count++] = (struct gap_row){ report->channels[i], &report->channels[i]->gaps[j] };
	return count;
}

static void draw_gap_table(struct kri_canvas *canvas, struct gap_row *rows, size_t count)
{
	const struct kri_table table = {
		.columns = 5,
		.widths = { 0.20, 0.18, 0.18, 0.14, 0.30 },
		.heads = { kri_say(canvas, KRI_WORD_CHANNEL), kri_say(canvas, KRI_WORD_START),
		           kri_say(canvas, KRI_WORD_END), kri_say(canvas, KRI_WORD_DURATION),
		           kri_say(canvas, KRI_WORD_REASON) },
		.size = 7,
	};
	const struct kri_report *report = canvas->report;
	size_t shown = count < MAX_GAP_ROWS ? count : MAX_GAP_ROWS;
	uint64_t more = count - shown;
	int64_t rest_ns = 0;

	for (size_t i = 0; i < report->channel_count; i++) {
		rest_ns += report->channels[i]->gap_ns;
		more += report->channels[i]->gaps_left_out;
	}
	/* Of too many the longest, in order of time. */
	qsort(rows, count, sizeof(*rows), by_length);
	qsort(rows, shown, sizeof(*rows), by_time);
	kri_table_begin(canvas, &table);
	for (size_t i = 0; i < report->retired_count; i++)
		draw_retired_row(canvas, &table, &report->retired[i]);
	for (size_t i = 0; i < shown; i++)
		rest_ns -= rows[i].gap->to_ns - rows[i].gap->from_ns;
	for (size_t i = 0; i < shown;)
		i += draw_gap_row(canvas, &table, &rows[i], shown - i);
	if (more) {
		char number[24], length[KRYOS_TEXT_MAX], text[300];

		snprintf(number, sizeof(number), "%" PRIu64, more);
		kri_phrase(canvas->language, KRI_WORD_GAPS_MORE, number,
		           kri_span_text(canvas->language, rest_ns, length), text, sizeof(text));
		kri_type(canvas, 7, KRI_FACE_PLAIN, KRI_BLACK);
		canvas->y += 3;
		kri_paragraph(canvas, text);
	}
}

void kri_draw_gaps(struct kri_canvas *canvas)
{
	const struct kri_report *report = canvas->report;
	struct gap_row *rows;
	size_t room = 1;

	for (size_t i = 0; i < report->channel_count; i++)
		room += report->channels[i]->gap_count;
	kri_heading(canvas, kri_say(canvas, KRI_WORD_GAPS), 40);
	rows = calloc(room, sizeof(*rows));
	if (!rows) {
		canvas->error = kryos_fail(-ENOMEM, "out of memory");
		return;
	}
	room = list_gaps(report, rows);
	if (room || report->retired_count) {
		draw_gap_table(canvas, rows, room);
	} else {
		kri_type(canvas, 8, KRI_FACE_PLAIN, KRI_BLACK);
		kri_paragraph(canvas, kri_say(canvas, KRI_WORD_NO_GAPS));
	}
	free(rows);
}
