/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a log that a cut, or damage, left in the middle of a commit. SQLite drops that commit whole, and it cannot
 * be told apart from one that was durable and lost a sector since: so what can be read of it is taken up, as a commit
 * of the same rows with the same ids, before the segment is written to. At open.
 */
#include "salvage.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROWS KRI_MAX_WAITING

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

static const char *no_place(void *data, uint32_t channel)
{
	(void)data;
	(void)channel;
	return "";
}

/* The rows of a commit that a cut tore may lie there still, when events have been given their ids long since. */
static bool is_events(struct kryos_store *store, int64_t seq)
{
	int64_t count = 0;

	return kri_state_count_events(store->state, seq, seq, &count) < 0 || count;
}

static int commit(struct tail *tail, struct kryos_store *store, int64_t *ret_taken)
{
	struct kri_commit commit = { .ctx = store->ctx, .place_of = no_place, .boot_id = tail->boot_id };
	struct kryos_sample *samples = calloc(tail->count, sizeof(*samples));
	size_t count = 0;
	int r = samples ? 0 : -ENOMEM;

	for (size_t i = 0; i < tail->count && r >= 0; i++) {
		const struct kri_row *row = &tail->rows[i];

		/* A row whose channel nobody names any more would be nobody's value. */
		if (is_events(store, row->seq) ||
		    find_channel(tail, store->ctx, row->channel, &samples[count].channel) < 0)
			continue;
		samples[count].seq = row->seq;
		samples[count].boot = row->boot;
		samples[count].round = row->round;
		samples[count].t_boot_ns = row->t_boot_ns;
		samples[count].t_wall_ns = row->t_wall_ns;
		samples[count].trust = row->trust;
		samples[count].quality = row->quality;
		samples[count++].value_micro = row->value_micro;
	}
	if (r >= 0 && count)
		r = kri_segment_begin(tail->segment);
	for (size_t i = 0; i < count && r >= 0; i++)
		r = kri_segment_declare(tail->segment, &commit, &samples[i]);
	for (size_t i = 0; i < count && r >= 0; i++)
		r = kri_segment_add(tail->segment, &samples[i], i + 1 == count);
	if (r >= 0 && count)
		r = kri_segment_commit(tail->segment);
	free(samples);
	*ret_taken = (int64_t)count;
	return r;
}

int kri_segment_take_tail(struct kri_segment *segment, const struct kri_wal_scan *scan, struct kryos_store *store,
                          int64_t *ret_taken)
{
	struct tail *tail = calloc(1, sizeof(*tail));
	int r = -ENOMEM;

	*ret_taken = 0;
	if (!tail)
		return r;
	tail->segment = segment;
	tail->rows = calloc(MAX_ROWS, sizeof(*tail->rows));
	if (tail->rows && scan->page_size)
		r = collect(tail, scan);
	if (r >= 0 && tail->count)
		r = commit(tail, store, ret_taken);
	free(tail->rows);
	free(tail);
	return r;
}
