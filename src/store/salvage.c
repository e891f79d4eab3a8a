/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of a database file and of its WAL, a piece at a time. One pass looks at one part of one file with one page size:
 *
 *     WAL up to its last commit  ->  database  ->  the rest of the WAL, whatever its salts  [ -> again, once more ]
 *
 * Page sizes are what the headers say, and 512, which ours always are; where the database's says nothing, also 64 KiB,
 * in which every row is found that does not go on elsewhere. All passes are made again when a header row named an epoch
 * after rows were met that no candidate's checksum fitted.
 */
#include "salvage.h"
#include <stdlib.h>
#include <string.h>

#define PIECE 65536
#define MAX_PASSES 8
#define MAX_INDEX 1048576 /* frames of the WAL that are known by page: 4 MB */

struct pass {
	enum kri_peek_kind kind;
	uint32_t page_size;
	int64_t from, to; /* frames of the WAL, bytes of the database */
	bool doubtful;
};

struct kri_salvage {
	struct kri_peek db, wal; /* file NULL: not there */
	struct kri_salvage_sift sift;
	struct pass passes[MAX_PASSES];
	int pass_count, pass;
	int64_t at;             /* within the pass */
	uint32_t page_size;     /* of this pass */
	uint32_t wal_page_size; /* of the WAL's frames */
	uint32_t *index;        /* the page of each frame of the WAL; NULL: not yet made */
	int64_t indexed;
	uint8_t *piece;
};

static int64_t frame_offset(uint32_t page_size, int64_t number)
{
	return KRI_WAL_HEADER + number * (int64_t)(page_size + KRI_WAL_FRAME_HEADER);
}

static int64_t frame_count(const struct kri_salvage *salvage, uint32_t page_size)
{
	int64_t bytes = salvage->wal.bytes - KRI_WAL_HEADER;

	return bytes < 0 ? 0 : bytes / (page_size + KRI_WAL_FRAME_HEADER);
}

static void make_index(struct kri_salvage *salvage)
{
	int64_t count = frame_count(salvage, salvage->wal_page_size);

	count = count < MAX_INDEX ? count : MAX_INDEX;
	salvage->index = calloc((size_t)count + 1, sizeof(*salvage->index));
	if (!salvage->index)
		return;
	for (int64_t i = 0; i < count; i++) {
		uint8_t number[4];

		if (kri_peek_read(&salvage->wal, number, 4, frame_offset(salvage->wal_page_size, i)) >= 0)
			salvage->index[i] = (uint32_t)number[0] << 24 | (uint32_t)number[1] << 16 |
			                    (uint32_t)number[2] << 8 | number[3];
	}
	salvage->indexed = count;
}

/* The newest frame of the WAL first, the database last. */
static bool fetch(void *data, uint32_t page, unsigned int choice, uint8_t *ret_page)
{
	struct kri_salvage *salvage = data;
	int64_t offset = (int64_t)(page - 1) * salvage->page_size;

	if (salvage->wal.file && !salvage->index)
		make_index(salvage);
	if (salvage->wal_page_size == salvage->page_size) {
		for (int64_t i = salvage->indexed; i-- > 0;) {
			if (salvage->index[i] == page && choice-- == 0)
				return kri_peek_read(&salvage->wal, ret_page, salvage->page_size,
				                     frame_offset(salvage->page_size, i) + KRI_WAL_FRAME_HEADER) >= 0;
		}
	}
	return choice == 0 && salvage->db.file && offset + salvage->page_size <= salvage->db.bytes &&
	       kri_peek_read(&salvage->db, ret_page, salvage->page_size, offset) >= 0;
}

static void add_pass(struct kri_salvage *salvage, struct pass pass)
{
	if (pass.from < pass.to && salvage->pass_count < MAX_PASSES)
		salvage->passes[salvage->pass_count++] = pass;
}

/* The page size that the database's header names; 0: it is none. */
static uint32_t named_page_size(struct kri_salvage *salvage)
{
	uint8_t header[18];
	uint32_t size;

	if (!salvage->db.file || salvage->db.bytes < 512 ||
	    kri_peek_read(&salvage->db, header, sizeof(header), 0) < 0 || memcmp(header, "SQLite format 3", 16) != 0)
		return 0;
	size = (uint32_t)header[16] << 8 | header[17];
	size = size == 1 ? 65536 : size;
	return size < 512 || (size & (size - 1)) ? 0 : size;
}

static void plan(struct kri_salvage *salvage, const struct kri_wal_scan *scan)
{
	uint32_t named = named_page_size(salvage), sizes[4] = { 512, named, scan->page_size, named ? 0 : 65536 };
	int64_t bytes = salvage->db.bytes;

	salvage->wal_page_size = scan->page_size ? scan->page_size : 512;
	add_pass(salvage, (struct pass){ KRI_PEEK_WAL, scan->page_size, 0, scan->last_commit_frame, false });
	for (int i = 0; i < 4; i++) {
		bool known = sizes[i] == 0;

		for (int j = 0; j < i; j++)
			known |= sizes[j] == sizes[i];
		if (!known)
			add_pass(salvage, (struct pass){ KRI_PEEK_DB, sizes[i], 0, bytes, false });
	}
	if (scan->page_size) {
		add_pass(salvage, (struct pass){ KRI_PEEK_WAL, scan->page_size, scan->last_commit_frame,
		                                 frame_count(salvage, scan->page_size), true });
		return;
	}
	/* A WAL that nothing can be told of; its last frame may be short. */
	add_pass(salvage, (struct pass){ KRI_PEEK_WAL, 512, 0, frame_count(salvage, 512) + 1, true });
	if (named && named != 512)
		add_pass(salvage, (struct pass){ KRI_PEEK_WAL, named, 0, frame_count(salvage, named) + 1, true });
}

int kri_salvage_begin(struct kri_salvage **ret_salvage, const char *db_path, const uint64_t *candidates, size_t count,
                      const struct kri_salvage_found *found)
{
	struct kri_salvage *salvage = calloc(1, sizeof(*salvage));
	struct kri_wal_scan scan = { 0 };
	int r, db;

	if (!salvage)
		return -ENOMEM;
	r = kri_salvage_sift_init(&salvage->sift, found);
	if (r < 0)
		goto free_salvage;
	salvage->piece = malloc(PIECE + KRI_WAL_FRAME_HEADER);
	if (!salvage->piece) {
		r = kryos_fail(-ENOMEM, "%s: no memory to salvage it", db_path);
		goto free_salvage;
	}
	salvage->sift.fetch = fetch;
	salvage->sift.fetch_data = salvage;
	for (size_t i = 0; i < count; i++)
		kri_salvage_add_epoch(&salvage->sift, candidates[i]);
	/* One of the two is enough, and one that can't be opened at all does not hold up the other. */
	r = db = kri_peek_open(&salvage->db, db_path, KRI_PEEK_DB);
	if (kri_peek_open(&salvage->wal, db_path, KRI_PEEK_WAL) >= 0)
		r = 0;
	else if (db < 0)
		r = kryos_fail(db, "%s: neither it nor its WAL can be read", db_path);
	if (r < 0)
		goto free_salvage;
	if (salvage->wal.file && kri_wal_scan_peek(&salvage->wal, &scan) < 0)
		memset(&scan, 0, sizeof(scan));
	plan(salvage, &scan);
	*ret_salvage = salvage;
	return 0;

free_salvage:
	kri_salvage_free(salvage);
	return r;
}

/* One page or frame's page that is in memory. */
static int sift(struct kri_salvage *salvage, const struct pass *pass, const uint8_t *page, int64_t size)
{
	salvage->sift.counts.bytes += size;
	return kri_salvage_page(&salvage->sift, page, (size_t)size, pass->page_size);
}

/*
 * Reads count units (pages, or frames) of stride bytes and sifts them; where that gives an error, one by one, so that
 * only those are left out that can't be read.
 */
static int take_units(struct kri_salvage *salvage, const struct pass *pass, int64_t count)
{
	struct kri_peek *peek = pass->kind == KRI_PEEK_DB ? &salvage->db : &salvage->wal;
	int64_t skip = pass->kind == KRI_PEEK_DB ? 0 : KRI_WAL_FRAME_HEADER;
	int64_t stride = pass->page_size + skip;
	int64_t offset = pass->kind == KRI_PEEK_DB ? salvage->at : frame_offset(pass->page_size, salvage->at);
	int64_t bytes = count * stride, rest = peek->bytes - offset;
	int64_t begin = salvage->at;
	int r = 0;

	bytes = bytes < rest ? bytes : rest;
	if (bytes <= skip)
		return 0;
	if (kri_peek_read(peek, salvage->piece, (size_t)bytes, offset) < 0) {
		if (count == 1) {
			salvage->sift.counts.unreadable++;
			return 0;
		}
		for (int64_t i = 0; r >= 0 && i < count; i++) {
			r = take_units(salvage, pass, 1);
			salvage->at += pass->kind == KRI_PEEK_DB ? stride : 1;
		}
		salvage->at = begin;
		return r;
	}
	salvage->page_size = pass->page_size;
	salvage->sift.doubtful = pass->doubtful;
	for (int64_t at = 0; r >= 0 && at + skip < bytes; at += stride) {
		int64_t size = bytes - at < stride ? bytes - at : stride;

		r = sift(salvage, pass, salvage->piece + at + skip, size - skip);
	}
	return r;
}

int kri_salvage_step(struct kri_salvage *salvage, size_t max_bytes)
{
	int64_t budget = max_bytes < INT32_MAX ? (int64_t)max_bytes : INT32_MAX;

	while (salvage->pass < salvage->pass_count) {
		const struct pass *pass = &salvage->passes[salvage->pass];
		bool db = pass->kind == KRI_PEEK_DB;
		int64_t stride = pass->page_size + (db ? 0 : KRI_WAL_FRAME_HEADER);
		int64_t count = (PIECE + KRI_WAL_FRAME_HEADER) / stride, left;
		int r;

		left = db ? (pass->to - salvage->at + stride - 1) / stride : pass->to - salvage->at;
		count = count < left ? count : left;
		r = take_units(salvage, pass, count);
		if (r < 0)
			return r;
		salvage->at += db ? count * stride : count;
		budget -= count * stride;
		if (salvage->at >= pass->to) {
			salvage->pass++;
			salvage->at = salvage->pass < salvage->pass_count ? salvage->passes[salvage->pass].from : 0;
		}
		if (salvage->pass == salvage->pass_count && salvage->sift.again) {
			salvage->sift.again = salvage->sift.missed = false;
			salvage->pass = 0;
			salvage->at = salvage->passes[0].from;
		}
		if (budget <= 0)
			return salvage->pass < salvage->pass_count;
	}
	return 0;
}

const struct kri_salvage_counts *kri_salvage_get_counts(const struct kri_salvage *salvage)
{
	return &salvage->sift.counts;
}

void kri_salvage_free(struct kri_salvage *salvage)
{
	if (!salvage)
		return;
	kri_peek_close(&salvage->db);
	kri_peek_close(&salvage->wal);
	kri_salvage_sift_free(&salvage->sift);
	free(salvage->index);
	free(salvage->piece);
	free(salvage);
}
