/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a log that a cut, or damage, left in the middle of a commit. SQLite drops that commit whole, and it cannot
 * be told apart from one that was durable and lost a sector since: so what can be read of it is taken up, as a commit
 * of the same rows with the same ids, before the segment is written to; what can't be is said, and ids that may have
 * been given there are not given again. At open.
 *
 * That commit is written over what tells of the others. So they are noted in state.db before it ("unread"), and stay
 * there until a commit has their gap records.
 */
#include "salvage.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS KRI_MAX_WAITING
#define FRAME (KRI_WAL_FRAME_HEADER + 512)
#define ROWS_OF_FRAME 8 /* of 512 bytes, at least 64 each */
#define MAX_GAPS 64
#define EMPTY_FRAMES 9 /* no segment is begun with fewer */

struct tail {
	struct kri_segment *segment;
	struct kri_row *rows; /* by seq */
	size_t count;
	struct {
		uint32_t channel;
		char name[64], unit[16];
	} channels[64]; /* declared in the tail itself */
	int channel_count;
	char boot_id[64];
	struct kryos_sample *samples; /* of rows whose channel is known */
	size_t sample_count;
};

static int on_sample(void *data, const struct kri_row *row, const struct kri_salvage_origin *origin)
{
	struct tail *tail = data;
	size_t at = tail->count;

	(void)origin;
	if (row->seq <= tail->segment->last_seq || row->seq < tail->segment->first_seq || row->seq > KRI_MAX_SEQ ||
	    tail->count == MAX_ROWS)
		return 0;
	while (at && tail->rows[at - 1].seq >= row->seq)
		if (tail->rows[--at].seq == row->seq)
			return 0;
	memmove(tail->rows + at + 1, tail->rows + at, (tail->count - at) * sizeof(*tail->rows));
	tail->rows[at] = *row;
	tail->count++;
	return 0;
}

static int on_channel(void *data, const struct kri_salvaged_channel *channel, const struct kri_salvage_origin *origin)
{
	struct tail *tail = data;

	(void)origin;
	if (channel->since <= tail->segment->last_seq || tail->channel_count == (int)KRI_ARRAY_SIZE(tail->channels))
		return 0;
	tail->channels[tail->channel_count].channel = channel->channel;
	snprintf(tail->channels[tail->channel_count].name, sizeof(tail->channels[0].name), "%s", channel->name);
	snprintf(tail->channels[tail->channel_count++].unit, sizeof(tail->channels[0].unit), "%s", channel->unit);
	return 0;
}

static int on_boot(void *data, const struct kri_salvaged_boot *boot, const struct kri_salvage_origin *origin)
{
	(void)origin;
	snprintf(((struct tail *)data)->boot_id, sizeof(((struct tail *)data)->boot_id), "%s", boot->boot_id);
	return 0;
}

static int collect(struct tail *tail, const struct kri_wal_scan *scan)
{
	struct kri_salvage_found found = {
		.data = tail, .on_sample = on_sample, .on_channel = on_channel, .on_boot = on_boot
	};
	size_t frame = KRI_WAL_FRAME_HEADER + scan->page_size;
	struct kri_salvage_sift sift;
	struct kri_peek wal;
	uint8_t *page;
	int r;

	r = kri_salvage_sift_init(&sift, &found);
	if (r < 0)
		return r;
	kri_salvage_add_epoch(&sift, tail->segment->epoch);
	page = malloc(scan->page_size);
	r = page ? kri_peek_open(&wal, tail->segment->path, KRI_PEEK_WAL) : -ENOMEM;
	if (r >= 0) {
		/* A page that can't be read is one less. */
		for (int64_t i = scan->last_commit_frame; i < scan->frames && r >= 0; i++)
			if (kri_peek_read(&wal, page, scan->page_size,
			                  KRI_WAL_HEADER + i * (int64_t)frame + KRI_WAL_FRAME_HEADER) >= 0)
				r = kri_salvage_page(&sift, page, scan->page_size, scan->page_size);
		kri_peek_close(&wal);
	}
	free(page);
	kri_salvage_sift_free(&sift);
	return r;
}

/* The context's number of a channel that the segment, or its tail, declares; -ENOENT: neither does. */
static int find_channel(struct tail *tail, struct kryos_ctx *ctx, uint32_t own, uint32_t *ret_channel)
{
	sqlite3_stmt *row;
	int r;

	for (int i = 0; i < tail->channel_count; i++)
		if (tail->channels[i].channel == own)
			return kryos_channel_add(ctx, tail->channels[i].name, tail->channels[i].unit, ret_channel);
	r = kri_sql_prepare(tail->segment->db, &row, "SELECT name, unit FROM channel WHERE channel=?");
	if (r < 0)
		return r;
	sqlite3_bind_int64(row, 1, own);
	r = sqlite3_step(row) == SQLITE_ROW
	            ? kryos_channel_add(ctx, kri_sql_text(row, 0), kri_sql_text(row, 1), ret_channel)
	            : -ENOENT;
	sqlite3_finalize(row);
	return r;
}

/* The rows of a commit that a cut tore may lie there still, when events have been given their ids long since. */
static bool is_events(struct kryos_store *store, int64_t seq)
{
	int64_t count = 0;

	return kri_state_count_events(store->state, seq, seq, &count) < 0 || count;
}

/* A row whose channel nobody names any more would be nobody's value. */
static int name_rows(struct tail *tail, struct kryos_store *store)
{
	tail->samples = calloc(tail->count + 1, sizeof(*tail->samples));
	if (!tail->samples)
		return -ENOMEM;
	for (size_t i = 0; i < tail->count; i++) {
		const struct kri_row *row = &tail->rows[i];
		struct kryos_sample *sample = &tail->samples[tail->sample_count];

		if (is_events(store, row->seq) || find_channel(tail, store->ctx, row->channel, &sample->channel) < 0)
			continue;
		sample->seq = row->seq;
		sample->boot = row->boot;
		sample->round = row->round;
		sample->t_boot_ns = row->t_boot_ns;
		sample->t_wall_ns = row->t_wall_ns;
		sample->trust = row->trust;
		sample->quality = row->quality;
		sample->value_micro = row->value_micro;
		sample->alarm = row->alarm;
		tail->sample_count++;
	}
	return 0;
}

static const char *no_place(void *data, uint32_t channel)
{
	(void)data;
	(void)channel;
	return "";
}

static int commit(struct tail *tail, struct kryos_ctx *ctx)
{
	struct kri_commit commit = { .ctx = ctx, .place_of = no_place, .boot_id = tail->boot_id };
	int r = kri_segment_begin(tail->segment);

	for (size_t i = 0; i < tail->sample_count && r >= 0; i++)
		r = kri_segment_declare(tail->segment, &commit, &tail->samples[i]);
	for (size_t i = 0; i < tail->sample_count && r >= 0; i++)
		r = kri_segment_add(tail->segment, &tail->samples[i], i + 1 == tail->sample_count);
	return r < 0 ? r : kri_segment_commit(tail->segment);
}

/* The seqs that are noted. What is no list of them was not written here, and says nothing. */
static int read_unread(struct kri_state *state, struct kri_ranges *unread)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(state->db, &row, "SELECT value FROM meta WHERE key='unread'");

	if (r < 0)
		return r;
	r = sqlite3_step(row);
	r = r == SQLITE_ROW ? kri_ranges_parse(unread, kri_sql_text(row, 0)) : kri_sql_fail(state->db, r);
	sqlite3_finalize(row);
	if (r == KRYOS_ECORRUPT || (r >= 0 && unread->count && unread->runs[unread->count - 1].last > KRI_MAX_SEQ)) {
		kri_ranges_clear(unread);
		r = 0;
	}
	return r;
}

/* Of these seqs, those that are none of the rows. Another segment's may be noted already. */
static int note_unread(struct kri_state *state, int64_t first, int64_t last, const struct kryos_sample *rows,
                       size_t count)
{
	struct kri_ranges unread = { .runs = NULL };
	char *text = NULL;
	int r = read_unread(state, &unread);

	if (r >= 0)
		r = kri_ranges_add(&unread, first, last);
	for (size_t i = 0; i < count && r >= 0; i++)
		r = kri_ranges_remove(&unread, rows[i].seq, rows[i].seq);
	if (r >= 0 && unread.count) {
		text = kri_ranges_text(&unread);
		r = text ? kri_state_put_meta(state, "unread", text) : -ENOMEM;
	}
	free(text);
	kri_ranges_clear(&unread);
	return r;
}

int kri_store_note_wiped(struct kryos_store *store, int64_t first, int64_t last, const struct kri_wal_scan *scan)
{
	int64_t rows = ROWS_OF_FRAME * (scan->bytes / FRAME - EMPTY_FRAMES);

	if (!scan->void_end || scan->page_size || rows <= 0)
		return 0;
	return note_unread(store->state, first, last - first < rows ? last : first + rows - 1, NULL, 0);
}

int kri_store_take_tail(struct kryos_store *store, struct kri_segment *segment, const struct kri_wal_scan *scan)
{
	struct tail tail = { .segment = segment };
	/* So many rows fit in the frames. */
	int64_t last = segment->last_seq + ROWS_OF_FRAME * (scan->frames - scan->last_commit_frame);
	int r;

	if (!segment->in_wal || segment->sealed || strcmp(segment->device, store->device) != 0)
		return 0;
	tail.rows = calloc(MAX_ROWS, sizeof(*tail.rows));
	r = tail.rows ? 0 : -ENOMEM;
	if (r >= 0 && scan->page_size)
		r = collect(&tail, scan);
	if (r >= 0)
		r = name_rows(&tail, store);
	if (r >= 0)
		r = note_unread(store->state, segment->last_seq + 1, last, tail.samples, tail.sample_count);
	if (r >= 0 && tail.sample_count)
		r = commit(&tail, store->ctx);
	kri_log(store->ctx, KRYOS_LOG_NOTICE, "store", r,
	        "%s: its log ends in the middle of a commit; %zu samples of it were taken up", segment->path,
	        r < 0 ? 0 : tail.sample_count);
	free(tail.rows);
	free(tail.samples);
	return r;
}

static int say_run(struct kryos_store *store, const struct kri_run *run)
{
	int64_t events = 0, seqs = run->last - run->first + 1;
	char text[200];
	int r = kri_state_count_events(store->state, run->first, run->last, &events);

	if (r < 0 || events >= seqs)
		return r;
	snprintf(text, sizeof(text),
	         "the end of the log can't be read; at most %" PRId64 " samples may have been in it", seqs - events);
	return kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_GAP,
	                                                        .name = "store",
	                                                        .first_seq = run->first,
	                                                        .last_seq = run->last,
	                                                        .text = text });
}

int kri_store_say_unread(struct kryos_store *store, int64_t *newest_seq)
{
	struct kri_ranges unread = { .runs = NULL };
	int r = read_unread(store->state, &unread);

	for (int i = 0; i < unread.count && i < MAX_GAPS && r >= 0; i++) {
		struct kri_run run = unread.runs[i];

		/* More than are worth a record each: the last one spans them. */
		if (i + 1 == MAX_GAPS)
			run.last = unread.runs[unread.count - 1].last;
		r = say_run(store, &run);
		if (run.last > *newest_seq)
			*newest_seq = run.last;
	}
	store->state->unread = unread.count > 0;
	kri_ranges_clear(&unread);
	return r;
}
