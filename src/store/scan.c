/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading rows. A segment that is still written is opened for each batch and closed at once: an open
 * reader would keep it from being sealed. Closed ones stay open until another is wanted.
 */
#include "private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kri_scan_init(struct kri_scan *scan, struct kryos_ctx *ctx, const char *folder)
{
	memset(scan, 0, sizeof(*scan));
	scan->ctx = ctx;
	scan->folder = folder;
	scan->buffer = scan->few;
	scan->bad = scan->few_bad;
	scan->room = KRI_SCAN_ROWS;
}

int kri_scan_widen(struct kri_scan *scan)
{
	struct kri_row *buffer;
	bool *bad;

	if (scan->room == KRI_SCAN_MANY)
		return 0;
	buffer = malloc(KRI_SCAN_MANY * sizeof(*buffer));
	bad = malloc(KRI_SCAN_MANY * sizeof(*bad));
	if (!buffer || !bad) {
		free(buffer);
		free(bad);
		return -ENOMEM;
	}
	scan->buffer = buffer;
	scan->bad = bad;
	scan->room = KRI_SCAN_MANY;
	scan->count = scan->at = 0;
	return 0;
}

static void let_go(struct kri_scan *scan)
{
	sqlite3_finalize(scan->rows);
	scan->rows = NULL;
	sqlite3_close_v2(scan->db);
	scan->db = NULL;
}

void kri_scan_end(struct kri_scan *scan)
{
	let_go(scan);
	free(scan->channels);
	scan->channels = NULL;
	scan->channel_count = 0;
	if (scan->buffer != scan->few) {
		free(scan->buffer);
		free(scan->bad);
	}
	scan->buffer = scan->few;
	scan->bad = scan->few_bad;
	scan->room = KRI_SCAN_ROWS;
	scan->segment = 0;
	scan->count = scan->at = 0;
}

static int read_header(struct kri_scan *scan)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(scan->db, &rows, "SELECT key, value FROM header WHERE key IN ('epoch','device')"), code;

	if (r < 0)
		return r;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		if (strcmp(kri_sql_text(rows, 0), "epoch") == 0)
			scan->epoch = strtoull(kri_sql_text(rows, 1), NULL, 16);
		else
			snprintf(scan->device, sizeof(scan->device), "%s", kri_sql_text(rows, 1));
	}
	r = kri_sql_fail(scan->db, code);
	sqlite3_finalize(rows);
	scan->epoch_crc = kri_epoch_crc(scan->epoch);
	return r;
}

/* One channel's row; its checksum must hold, or a value would be given another channel's name. */
static int take_channel(struct kri_scan *scan, sqlite3_stmt *row)
{
	uint32_t own = (uint32_t)sqlite3_column_int64(row, 0);
	struct kri_place_names *channels, *channel;
	char line[KRI_LINE_MAX];
	size_t length;

	length = (size_t)snprintf(line, sizeof(line), "channel|%" PRIu32 "|%lld|%s|%s|%s", own,
	                          (long long)sqlite3_column_int64(row, 1), kri_sql_text(row, 2), kri_sql_text(row, 3),
	                          kri_sql_text(row, 4));
	if (length >= sizeof(line) ||
	    kri_text_crc(scan->epoch_crc, line, length) != (uint32_t)sqlite3_column_int64(row, 5))
		return 0;
	if (own > 65536)
		return 0;
	if (own > scan->channel_count) {
		channels = realloc(scan->channels, own * sizeof(*channels));
		if (!channels)
			return -ENOMEM;
		memset(channels + scan->channel_count, 0, (own - scan->channel_count) * sizeof(*channels));
		scan->channels = channels;
		scan->channel_count = own;
	}
	if (!own)
		return 0;
	channel = &scan->channels[own - 1];
	snprintf(channel->name, sizeof(channel->name), "%s", kri_sql_text(row, 2));
	snprintf(channel->unit, sizeof(channel->unit), "%s", kri_sql_text(row, 3));
	snprintf(channel->place, sizeof(channel->place), "%s", kri_sql_text(row, 4));
	/* 0 where the same name has another unit today: the record still carries its own names. */
	channel->channel = 0;
	if (kryos_channel_add(scan->ctx, channel->name, channel->unit, &channel->channel) < 0)
		channel->channel = 0;
	return 0;
}

static int read_channels(struct kri_scan *scan)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(scan->db, &rows, "SELECT channel, since, name, unit, place, crc FROM channel"), code;

	if (r < 0)
		return r;
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW)
		r = take_channel(scan, rows);
	if (r >= 0)
		r = kri_sql_fail(scan->db, code);
	sqlite3_finalize(rows);
	return r;
}

static int use_segment(struct kri_scan *scan, const struct kri_segment_info *segment)
{
	char path[PATH_MAX];
	int r;

	if (scan->db && scan->segment == segment->first_seq && scan->mended == segment->mended)
		return 0;
	let_go(scan);
	scan->channel_count = 0;
	scan->segment = segment->first_seq;
	scan->epoch = 0;
	scan->device[0] = '\0';
	kri_segment_read_path(scan->folder, segment, path, sizeof(path));
	scan->mended = segment->mended;
	/*
	 * A closed segment needs no shared memory and no write permission; one with a WAL needs both. A scan has one
	 * thread at a time, so SQLite's lock, which it takes for each column, would cost a tenth for nothing.
	 */
	r = kri_sql_open(&scan->db, path,
	                 SQLITE_OPEN_NOMUTEX |
	                         (segment->closed || segment->mended ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE));
	if (r == -EACCES || r == -EROFS)
		r = kri_sql_open(&scan->db, path, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY);
	if (r >= 0)
		r = kri_sql_exec(scan->db, "PRAGMA cache_size=-64");
	if (r >= 0)
		r = kri_segment_check_format(scan->db, path);
	if (r >= 0)
		r = read_header(scan);
	if (r >= 0)
		r = read_channels(scan);
	if (r >= 0)
		r = kri_sql_prepare(
			scan->db, &scan->rows,
			"SELECT seq, channel, boot, round, t_boot_ns, t_wall_ns, trust, quality,"
			" value_micro, alarm, crc FROM sample WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?");
	return r;
}

static void take_row(struct kri_scan *scan, int index)
{
	struct kri_row *row = &scan->buffer[index];
	char line[KRI_LINE_MAX];
	size_t length;

	row->seq = sqlite3_column_int64(scan->rows, 0);
	row->channel = (uint32_t)sqlite3_column_int64(scan->rows, 1);
	row->boot = (uint32_t)sqlite3_column_int64(scan->rows, 2);
	row->round = (uint32_t)sqlite3_column_int64(scan->rows, 3);
	row->t_boot_ns = sqlite3_column_int64(scan->rows, 4);
	row->t_wall_ns = sqlite3_column_int64(scan->rows, 5);
	row->trust = (uint16_t)sqlite3_column_int64(scan->rows, 6);
	row->quality = (uint16_t)sqlite3_column_int64(scan->rows, 7);
	row->value_micro = sqlite3_column_int64(scan->rows, 8);
	row->alarm = (uint32_t)sqlite3_column_int64(scan->rows, 9);
	row->crc = (uint32_t)sqlite3_column_int64(scan->rows, 10);
	length = kri_row_text(row, line);
	scan->bad[index] = kri_text_crc(scan->epoch_crc, line, length) != row->crc || !row->channel ||
	                   row->channel > scan->channel_count || !scan->channels[row->channel - 1].name[0];
}

int kri_scan_fill(struct kri_scan *scan, const struct kri_segment_info *segment, int64_t from_seq, int64_t to_seq)
{
	int r, code = SQLITE_DONE;
	int64_t next = from_seq;

	scan->count = scan->at = 0;
	r = use_segment(scan, segment);
	if (r >= 0) {
		sqlite3_bind_int64(scan->rows, 1, from_seq);
		sqlite3_bind_int64(scan->rows, 2, to_seq);
		sqlite3_bind_int64(scan->rows, 3, scan->room);
		while (scan->count < scan->room && (code = sqlite3_step(scan->rows)) == SQLITE_ROW) {
			int index = scan->count++;

			take_row(scan, index);
			/* SQLite takes the order of a damaged tree for granted; whoever goes on from a row must get on.
			 */
			if (scan->buffer[index].seq < next || scan->buffer[index].seq > KRI_MAX_SEQ) {
				r = kryos_fail(KRYOS_ECORRUPT, "%020" PRId64 ".seg: row %" PRId64 " is out of order",
				               segment->first_seq, scan->buffer[index].seq);
				break;
			}
			next = scan->buffer[index].seq + 1;
		}
		if (r >= 0 && code != SQLITE_ROW && code != SQLITE_DONE)
			r = kri_sql_fail(scan->db, code);
		sqlite3_reset(scan->rows);
		if (r < 0)
			scan->count = 0;
	}
	if (r < 0 || (!segment->closed && !segment->mended))
		let_go(scan);
	return r < 0 ? r : scan->count;
}

void kri_scan_record(struct kri_scan *scan, int index, struct kryos_record *ret_record)
{
	const struct kri_row *row = &scan->buffer[index];
	const struct kri_place_names *channel = &scan->channels[row->channel - 1];
	struct kri_boot boot;

	*ret_record = (struct kryos_record){
		.size = sizeof(*ret_record),
		.stream = KRYOS_STREAM_LIVE,
		.epoch = scan->epoch,
		.seq = row->seq,
		.device = scan->device,
		.channel = channel->name,
		.unit = channel->unit,
		.place = channel->place,
		.flags = scan->mended ? KRYOS_RECORD_SALVAGED | KRYOS_RECORD_HISTORICAL : 0,
		.device_ns = -1,
		.sample = { .value_micro = row->value_micro,
		            .t_boot_ns = row->t_boot_ns,
		            .t_wall_ns = row->t_wall_ns,
		            .seq = row->seq,
		            .channel = channel->channel,
		            .round = row->round,
		            .boot = row->boot,
		            .quality = row->quality,
		            .trust = row->trust,
		            .alarm = row->alarm },
	};
	if (scan->boot_of && scan->boot_of(scan->boot_data, row->boot, &boot))
		kri_boot_apply(&boot, ret_record);
}

void kri_scan_row(struct kri_scan *scan, int index, struct kryos_row *ret_row)
{
	struct kryos_record record;

	kri_scan_record(scan, index, &record);
	kryos_row_from_sample(&record.sample, ret_row);
}
