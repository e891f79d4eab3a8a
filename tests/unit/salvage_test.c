/* SPDX-License-Identifier: Apache-2.0 */
/* Rows out of files that nobody can open any more, beside what was written to them. KRYOS_SEED=n repeats a run. */
#include "cutvfs.h"
#include "segments.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 512

static uint64_t seed;

static void expect_all(struct salvaged *salvaged, const char *where)
{
	if (salvaged->distinct != salvaged->segments->count || salvaged->wrong)
		fail_msg("%s: %" PRId64 " of %" PRId64 " rows, %" PRId64 " wrong (KRYOS_SEED=%" PRIu64 ")", where,
		         salvaged->distinct, salvaged->segments->count, salvaged->wrong, seed);
}

/* Rows of a piece of memory alone. */
static struct kri_salvage_counts sift_bytes(struct salvaged *salvaged, const uint8_t *bytes, size_t size)
{
	struct kri_salvage_found found = salvaged_found(salvaged);
	struct kri_salvage_counts counts;
	struct kri_salvage_sift sift;

	assert_ok(kri_salvage_sift_init(&sift, &found));
	kri_salvage_add_epoch(&sift, salvaged->segments->epoch);
	assert_ok(kri_salvage_page(&sift, bytes, size, PAGE));
	counts = sift.counts;
	kri_salvage_sift_free(&sift);
	return counts;
}

static void every_row_of_an_intact_segment_is_found(void **state)
{
	struct kri_salvage_counts counts;
	struct segments segments;
	struct salvaged salvaged;

	(void)state;
	segments_new(&segments, seed);
	segments_create(&segments, 3000);
	for (int i = 0; i < 50; i++)
		segments_commit(&segments, 1 + i % 7);
	segments_seal(&segments);
	assert_int_not_equal(access(segments.wal, F_OK), 0);
	salvaged_new(&salvaged, &segments);
	counts = salvage_file(&salvaged, segments.path, true);
	expect_all(&salvaged, "sealed");
	assert_int_equal(counts.samples, segments.count); /* each once: nothing else looks like a row */
	assert_int_equal(counts.rejected, 0);
	assert_int_equal(counts.unreadable, 0);
	assert_int_equal(salvaged.doubtful, 0);
	assert_int_equal(salvaged.channels, 3);
	assert_int_equal(salvaged.boots, 2);
#if KRYOS_WITH_CRYPTO
	assert_int_equal(salvaged.seals, 1);
#endif
	assert_int_equal(salvaged.headers, 11);
	assert_true(salvaged.public_key);
	assert_true(salvaged.cursor);
	/* Without a candidate the header's own row gives the epoch, also for rows before it. */
	salvaged_clear(&salvaged);
	salvage_file(&salvaged, segments.path, false);
	expect_all(&salvaged, "sealed, epoch from its header");
	print_message("sealed: %" PRId64 " rows\n", segments.count);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

static void rows_are_found_where_they_are_in_the_wal_only_or_in_both_files(void **state)
{
	struct segments segments;
	struct salvaged salvaged;
	size_t size;

	(void)state;
	segments_new(&segments, seed + 1);
	segments_create(&segments, 3000);
	for (int i = 0; i < 20; i++)
		segments_commit(&segments, 1 + i % 5);
	salvaged_new(&salvaged, &segments);
	salvage_file(&salvaged, segments.path, true); /* beside a connection that is open */
	expect_all(&salvaged, "WAL only, open");
	assert_int_equal(salvaged.doubtful, 0);
	assert_true(salvaged.public_key && salvaged.cursor);
	salvaged_free(&salvaged);

	assert_ok(kri_segment_checkpoint(segments.segment));
	for (int i = 0; i < 20; i++)
		segments_commit(&segments, 1 + i % 5);
	segments_close(&segments);
	assert_int_equal(access(segments.wal, F_OK), 0);
	salvaged_new(&salvaged, &segments);
	salvage_file(&salvaged, segments.path, false);
	expect_all(&salvaged, "both files");
	assert_true(salvaged.public_key && salvaged.cursor);

	/* The database is gone altogether: what the WAL still has of older rounds is found as well. */
	assert_int_equal(unlink(segments.path), 0);
	salvaged_clear(&salvaged);
	salvage_file(&salvaged, segments.path, true);
	assert_int_equal(salvaged.wrong, 0);
	for (int64_t seq = segments.count - 19; seq <= segments.count; seq++)
		assert_int_not_equal(salvaged.times[seq], 0);
	/* The WAL is gone as well. */
	free(file_read(segments.wal, &size));
	assert_int_equal(unlink(segments.wal), 0);
	struct kri_salvage_found found = { 0 };
	struct kri_salvage *salvage = NULL;
	assert_fails(-ENOENT, kri_salvage_begin(&salvage, segments.path, NULL, 0, &found));
	assert_null(salvage);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

/* Overwrites each page in turn; what lies in others must be found, and the WAL of an unlucky page may not hide it. */
static void every_page_overwritten_costs_no_row_but_its_own(void **state)
{
	uint8_t *bytes, garbage[PAGE];
	struct salvaged salvaged, own;
	struct segments segments;
	int64_t in_pages = 0, lost = 0;
	size_t size, headers_lost = 0;

	(void)state;
	segments_new(&segments, seed + 2);
	segments_create(&segments, 3000);
	for (int i = 0; i < 60; i++)
		segments_commit(&segments, 1 + i % 7);
	segments_seal(&segments);
	salvaged_new(&salvaged, &segments);
	salvaged_new(&own, &segments);
	bytes = file_read(segments.path, &size);
	assert_int_equal(size % PAGE, 0);
	unlink(segments.path);
	for (size_t page = 0; page < size / PAGE; page++) {
		uint8_t *at = bytes + page * PAGE, before[PAGE];

		salvaged_clear(&own);
		sift_bytes(&own, at, PAGE);
		in_pages += own.distinct;
		memcpy(before, at, PAGE);
		for (size_t i = 0; i < PAGE; i++)
			garbage[i] = page % 3 == 0 ? 0 : page % 3 == 1 ? 0xff : (uint8_t)next_random(&segments.random);
		memcpy(at, garbage, PAGE);
		file_write(segments.path, bytes, size);
		memcpy(at, before, PAGE);
		salvaged_clear(&salvaged);
		salvage_file(&salvaged, segments.path, true);
		assert_int_equal(salvaged.wrong, 0);
		for (int64_t seq = 1; seq <= segments.count; seq++) {
			if (!own.times[seq] != !!salvaged.times[seq])
				fail_msg("page %zu of garbage %zu: seq %" PRId64 " (KRYOS_SEED=%" PRIu64 ")", page,
				         page % 3, seq, seed);
		}
		lost += segments.count - salvaged.distinct;
		headers_lost += salvaged.headers < 11;
	}
	assert_int_equal(in_pages,
	                 segments.count); /* every row has one page, or the comparison would be worth nothing */
	assert_int_equal(lost, segments.count);
	assert_in_range(headers_lost, 1, 20);
	print_message("%zu pages overwritten one by one: each of %" PRId64
	              " rows lost with its own page, with no other\n",
	              size / PAGE, segments.count);
	free(bytes);
	salvaged_free(&own);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

/* With the page's header and pointers gone, cells are found by their shape. */
static void a_page_whose_head_is_overwritten_gives_all_cells_that_are_whole(void **state)
{
	struct salvaged salvaged;
	struct segments segments;
	int64_t before, after;
	uint8_t *bytes;
	size_t size, tried = 0;

	(void)state;
	segments_new(&segments, seed + 3);
	segments_create(&segments, 0);
	for (int i = 0; i < 30; i++)
		segments_commit(&segments, 5);
	segments_seal(&segments);
	salvaged_new(&salvaged, &segments);
	bytes = file_read(segments.path, &size);
	for (size_t page = 1; page < size / PAGE; page++) {
		uint8_t *at = bytes + page * PAGE;
		size_t cells = (size_t)at[3] << 8 | at[4];

		salvaged_clear(&salvaged);
		sift_bytes(&salvaged, at, PAGE);
		before = salvaged.distinct;
		if (at[0] != 0x0d || !before)
			continue;
		memset(at, 0xa5, 8 + 2 * cells);
		salvaged_clear(&salvaged);
		sift_bytes(&salvaged, at, PAGE);
		assert_int_equal(salvaged.distinct, before);
		/* Half of the page: the cells in the other half, but for the one on the edge. */
		memset(at, 0xa5, PAGE / 2);
		salvaged_clear(&salvaged);
		sift_bytes(&salvaged, at, PAGE);
		after = salvaged.distinct;
		assert_in_range(after, before > 3 ? 1 : 0, before);
		assert_int_equal(salvaged.wrong, 0);
		tried++;
	}
	assert_true(tried > 5);
	free(bytes);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

static void one_flipped_bit_in_a_row_costs_that_row_and_gives_no_false_one(void **state)
{
	struct salvaged salvaged;
	struct segments segments;
	uint8_t *bytes;
	size_t size;
	int64_t costs = 0, tried = 0, base;

	(void)state;
	segments_new(&segments, seed + 4);
	segments_create(&segments, 0);
	for (int i = 0; i < 4; i++)
		segments_commit(&segments, 3);
	segments_seal(&segments);
	salvaged_new(&salvaged, &segments);
	bytes = file_read(segments.path, &size);
	sift_bytes(&salvaged, bytes, size);
	base = salvaged.distinct;
	assert_int_equal(base, segments.count);
	for (size_t bit = 0; bit < size * 8; bit += 3) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		salvaged_clear(&salvaged);
		sift_bytes(&salvaged, bytes, size);
		if (salvaged.wrong || salvaged.distinct < base - 1)
			fail_msg("bit %zu: %" PRId64 " of %" PRId64 " rows, %" PRId64 " wrong (KRYOS_SEED=%" PRIu64 ")",
			         bit, salvaged.distinct, base, salvaged.wrong, seed);
		costs += salvaged.distinct < base;
		tried++;
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(costs > 0);
	print_message("%" PRId64 " bits flipped: %" PRId64 " cost one row, none more, none gave a false one\n", tried,
	              costs);
	free(bytes);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

/* A page that can't be read is left out, and the ones beside it are not. */
static void a_page_that_the_disk_cannot_read_is_counted_and_costs_only_its_rows(void **state)
{
	struct cutvfs *vfs = cutvfs_new();
	struct kri_salvage_counts counts;
	struct segments segments;
	struct salvaged salvaged;
	uint8_t *bytes;
	size_t size;

	(void)state;
	segments_new(&segments, seed + 5);
	segments_create(&segments, 0);
	for (int i = 0; i < 200; i++)
		segments_commit(&segments, 5);
	assert_ok(kri_segment_checkpoint(segments.segment));
	segments_commit(&segments, 5);
	segments_close(&segments);
	salvaged_new(&salvaged, &segments);
	/* The header is read first, then 64 KiB at once; when that fails, its pages one by one. */
	for (int n = 2; n < 200; n++) {
		cutvfs_fail(vfs, CUT_CALL_READ, ".seg", n, SQLITE_IOERR_READ, false);
		salvaged_clear(&salvaged);
		counts = salvage_file(&salvaged, segments.path, true);
		if (!cutvfs_failures(vfs))
			break;
		assert_int_equal(salvaged.wrong, 0);
		assert_int_equal(salvaged.distinct, segments.count); /* once failed, then readable */
		assert_int_equal(counts.unreadable, 0);
	}
	/* For good: nothing of the database, all that the WAL has. */
	cutvfs_fail(vfs, CUT_CALL_READ, ".seg", 1, SQLITE_IOERR_READ, true);
	salvaged_clear(&salvaged);
	counts = salvage_file(&salvaged, segments.path, true);
	assert_true(counts.unreadable > 50);
	assert_true(salvaged.distinct >= 5 && salvaged.wrong == 0);
	for (int64_t seq = segments.count - 4; seq <= segments.count; seq++)
		assert_int_not_equal(salvaged.times[seq], 0);
	/* The WAL unreadable: all that was checkpointed. */
	cutvfs_fail(vfs, CUT_CALL_READ, "-wal", 1, SQLITE_IOERR_READ, true);
	salvaged_clear(&salvaged);
	counts = salvage_file(&salvaged, segments.path, true);
	assert_true(counts.unreadable > 0 && salvaged.wrong == 0);
	assert_int_equal(salvaged.distinct, segments.count - 5);
	/* Neither can be opened. */
	cutvfs_fail(vfs, CUT_CALL_OPEN, NULL, 1, SQLITE_CANTOPEN, true);
	struct kri_salvage_found found = { 0 };
	struct kri_salvage *salvage = NULL;
	assert_fails(-EIO, kri_salvage_begin(&salvage, segments.path, NULL, 0, &found));
	cutvfs_fail(vfs, CUT_CALL_OPEN, NULL, 0, 0, false);
	salvaged_free(&salvaged);
	segments_free(&segments);

	/* A file that is readable up to its 128th page. */
	segments_new(&segments, seed + 5);
	segments_create(&segments, 0);
	for (int i = 0; i < 200; i++)
		segments_commit(&segments, 10);
	segments_seal(&segments);
	salvaged_new(&salvaged, &segments);
	bytes = file_read(segments.path, &size);
	cutvfs_fail(vfs, CUT_CALL_READ, ".seg", 3, SQLITE_IOERR_READ, true); /* the first read is the header's */
	counts = salvage_file(&salvaged, segments.path, true);
	assert_int_equal(counts.unreadable, size / PAGE - 128);
	assert_int_equal(counts.bytes, 128 * PAGE);
	sift_bytes(&salvaged, bytes, 128 * PAGE);
	assert_in_range(salvaged.distinct, 1, segments.count - 1);
	for (int64_t seq = 1; seq <= segments.count; seq++)
		assert_int_equal(salvaged.times[seq] % 2, 0); /* by both or by neither */
	free(bytes);
	salvaged_free(&salvaged);
	segments_free(&segments);
	cutvfs_free(vfs);
}

static void garbage_gives_no_row_and_does_no_harm(void **state)
{
	struct kri_salvage_counts counts;
	struct segments segments;
	struct salvaged salvaged;
	uint8_t *garbage = malloc(1 << 20);
	int64_t bytes = 0;

	(void)state;
	segments_new(&segments, seed + 6);
	segments.count = 0;
	salvaged_new(&salvaged, &segments);
	for (int i = 0; i < 60; i++) {
		size_t size = next_random(&segments.random) % (i < 50 ? 5000 : 1 << 20);

		for (size_t at = 0; at < size; at++) {
			garbage[at] = (uint8_t)next_random(&segments.random);
			/* Small numbers, of which cells and records are made, more often than chance gives them. */
			if (i % 2)
				garbage[at] &= (uint8_t)(next_random(&segments.random) & 0x8f);
		}
		/* Some with a real beginning, so that more of it is believed. */
		if (i % 3 == 1 && size > 100)
			memcpy(garbage, "SQLite format 3\0\2\0", 18);
		if (i % 5 == 1 && size > 100)
			memcpy(garbage, "\x37\x7f\x06\x82\0\x2d\xe2\x18\0\0\2\0", 12);
		file_write(i % 4 == 3 ? segments.wal : segments.path, garbage, size);
		counts = salvage_file(&salvaged, segments.path, true);
		assert_int_equal(
			salvaged.wrong + salvaged.headers + salvaged.channels + salvaged.boots + salvaged.seals, 0);
		assert_int_equal(counts.samples, 0);
		bytes += counts.bytes;
	}
	/* Pieces of any size and page size, exactly as long as the memory behind them. */
	for (int i = 0; i < 3000; i++) {
		size_t size = next_random(&segments.random) % 700;
		uint8_t *piece = malloc(size + 1);
		struct kri_salvage_found found = salvaged_found(&salvaged);
		struct kri_salvage_sift sift;

		for (size_t at = 0; at < size; at++)
			piece[at] = (uint8_t)(next_random(&segments.random) & (i % 2 ? 0x8f : 0xff));
		piece = realloc(piece, size ? size : 1);
		assert_ok(kri_salvage_sift_init(&sift, &found));
		assert_ok(kri_salvage_page(&sift, piece, size, (size_t)1 << next_random(&segments.random) % 17));
		kri_salvage_sift_free(&sift);
		free(piece);
	}
	print_message("%" PRId64 " KB of garbage: no row (KRYOS_SEED=%" PRIu64 ")\n", bytes / 1024, seed);
	free(garbage);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

/* Rows of real pages with bytes changed at random: what is believed then has still a checksum that holds. */
static void changed_pages_do_no_harm_and_give_no_false_row(void **state)
{
	struct segments segments;
	struct salvaged salvaged;
	uint8_t *bytes, *changed;
	size_t size;

	(void)state;
	segments_new(&segments, seed + 7);
	segments_create(&segments, 3000);
	for (int i = 0; i < 20; i++)
		segments_commit(&segments, 5);
	segments_seal(&segments);
	salvaged_new(&salvaged, &segments);
	bytes = file_read(segments.path, &size);
	changed = malloc(size);
	unlink(segments.path);
	for (int i = 0; i < 300; i++) {
		int changes = 1 << next_random(&segments.random) % 11;

		memcpy(changed, bytes, size);
		for (int j = 0; j < changes; j++)
			changed[next_random(&segments.random) % size] =
				(uint8_t)(next_random(&segments.random) >> (j % 2 ? 0 : 5));
		file_write(segments.path, changed, size - next_random(&segments.random) % (i % 2 ? 1 : size));
		salvaged_clear(&salvaged);
		salvage_file(&salvaged, segments.path, true);
		if (salvaged.wrong)
			fail_msg("%d: %" PRId64 " wrong (KRYOS_SEED=%" PRIu64 ")", i, salvaged.wrong, seed);
	}
	free(changed);
	free(bytes);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

/* No page's size and no page number of a lost header is needed. */
static void a_lost_header_or_other_page_sizes_cost_no_row(void **state)
{
	static const int sizes[] = { 512, 1024, 4096, 65536 };
	struct segments segments;
	struct salvaged salvaged;
	char sql[128];
	uint8_t *bytes;
	size_t size;

	(void)state;
	for (int i = 0; i < 4; i++) {
		sqlite3 *db;

		segments_new(&segments, seed + 8);
		segments_create(&segments, 3000);
		for (int j = 0; j < 60; j++)
			segments_commit(&segments, 1 + j % 7);
		segments_seal(&segments);
		assert_ok(kri_sql_open(&db, segments.path, SQLITE_OPEN_READWRITE));
		snprintf(sql, sizeof(sql), "PRAGMA page_size=%d; VACUUM", sizes[i]);
		assert_ok(kri_sql_exec(db, sql));
		sqlite3_close(db);
		salvaged_new(&salvaged, &segments);
		salvage_file(&salvaged, segments.path, false);
		expect_all(&salvaged, sql);
		assert_true(salvaged.public_key && salvaged.cursor);
		bytes = file_read(segments.path, &size);
		assert_int_equal(bytes[16] << 8 | bytes[17], sizes[i] == 65536 ? 1 : sizes[i]);
		unlink(segments.path);
		memset(bytes, 0, 100);
		file_write(segments.path, bytes, size);
		salvaged_clear(&salvaged);
		salvage_file(&salvaged, segments.path, false);
		expect_all(&salvaged, "without a header");
		/* Another page size than the true one, as one flipped bit gives it. */
		memcpy(bytes, "SQLite format 3\0\4\0", 18);
		file_write(segments.path, bytes, size);
		salvaged_clear(&salvaged);
		salvage_file(&salvaged, segments.path, true);
		if (sizes[i] <= 1024)
			expect_all(&salvaged, "with a wrong page size");
		free(bytes);
		salvaged_free(&salvaged);
		segments_free(&segments);
	}
}

/* Frames with the present salts behind the last commit, as an unfinished transaction leaves them: the same seqs. */
static void rows_of_a_commit_that_never_was_come_last_and_are_marked(void **state)
{
	struct segments segments, other;
	uint8_t *bytes, *others, *both;
	size_t size, other_size, rest;
	struct salvaged salvaged;

	(void)state;
	segments_new(&segments, seed + 12);
	segments_new(&other, seed + 13);
	other.epoch = segments.epoch;
	for (int i = 0; i < 2; i++) {
		struct segments *one = i ? &other : &segments;

		segments_create(one, 0);
		for (int j = 0; j < 10; j++)
			segments_commit(one, 3);
		segments_close(one);
	}
	bytes = file_read(segments.wal, &size);
	others = file_read(other.wal, &other_size);
	rest = other_size - 32;
	both = malloc(size + rest);
	memcpy(both, bytes, size);
	memcpy(both + size, others + 32, rest);
	for (size_t at = size; at < size + rest; at += KRI_WAL_FRAME_HEADER + PAGE)
		memcpy(both + at + 8, bytes + 16, 8);
	file_write(segments.wal, both, size + rest);
	salvaged_new(&salvaged, &segments);
	salvage_file(&salvaged, segments.path, false);
	assert_int_equal(salvaged.distinct, segments.count);
	assert_true(salvaged.wrong >= segments.count);
	assert_int_equal(salvaged.misleading, 0);
	free(both);
	free(others);
	free(bytes);
	salvaged_free(&salvaged);
	segments_free(&other);
	segments_free(&segments);
}

struct header_rows {
	char keys[64][64], values[64][256];
	int count;
};

static int keep_header(void *data, const char *key, const char *value, const struct kri_salvage_origin *origin)
{
	struct header_rows *rows = data;

	(void)origin;
	assert_in_range(rows->count, 0, 63);
	snprintf(rows->keys[rows->count], sizeof(rows->keys[0]), "%s", key);
	snprintf(rows->values[rows->count++], sizeof(rows->values[0]), "%s", value);
	return 0;
}

static bool has_header(const struct header_rows *rows, const char *key, const char *value)
{
	for (int i = 0; i < rows->count; i++) {
		if (strcmp(rows->keys[i], key) == 0 && strcmp(rows->values[i], value) == 0)
			return true;
	}
	return false;
}

/* Keys that salvage_row.c does not know would be lost: all that the store writes today must be there. */
static void every_header_row_that_the_store_writes_is_known(void **state)
{
	char *folder = scratch_new(), path[300];
	struct kri_segment_info *list = NULL;
	int count = 0, boots = 0;

	(void)state;
	/* Two runs, each with a segment of its own: the second's header says what the first left. */
	for (int i = 0; i < 2; i++) {
		struct kryos_sample sample = { .value_micro = 5250000 };
		struct kryos_store *store;
		struct kryos_queue *queue;
		struct kryos_ctx *ctx;

		assert_ok(kryos_ctx_new(&ctx, NULL));
		assert_ok(kryos_channel_add(ctx, "fridge.temperature", "Cel", &sample.channel));
		assert_ok(kryos_store_open(&store, ctx, folder,
		                           KRYOS_STORE_CONFIG(.board = i ? "two" : "one", .segment_bytes = 65536)));
		assert_ok(kryos_queue_open(&queue, store, "modem", NULL));
		assert_ok(kryos_store_append(store, &sample, 1));
		kryos_ctx_free(ctx);
	}
	assert_ok(kri_list_segments(folder, &list, &count));
	assert_int_equal(count, 2);
	for (int i = 0; i < count; i++) {
		struct header_rows *rows = calloc(1, sizeof(*rows));
		struct kri_salvage_found found = { .data = rows, .on_header = keep_header };
		struct kri_salvage *salvage;
		sqlite3_stmt *row;
		sqlite3 *db;
		int keys = 0;

		kri_segment_path(folder, list[i].first_seq, path, sizeof(path));
		assert_ok(kri_salvage_begin(&salvage, path, NULL, 0, &found));
		assert_int_equal(kri_salvage_step(salvage, SIZE_MAX), 0);
		kri_salvage_free(salvage);
		assert_ok(kri_sql_open_to_read(&db, path));
		assert_ok(kri_sql_prepare(db, &row, "SELECT key, value FROM header"));
		while (sqlite3_step(row) == SQLITE_ROW) {
			if (!has_header(rows, kri_sql_text(row, 0), kri_sql_text(row, 1)))
				fail_msg("%s: header row %s was not found", path, kri_sql_text(row, 0));
			boots += strncmp(kri_sql_text(row, 0), "boot:", 5) == 0;
			keys++;
		}
		assert_true(keys >= 9);
		sqlite3_finalize(row);
		sqlite3_close(db);
		free(rows);
	}
	assert_true(boots > 0);
	free(list);
	scratch_free(folder);
}

static int stop_at_third(void *data, const struct kri_row *row, const struct kri_salvage_origin *origin)
{
	int *count = data;

	(void)row;
	(void)origin;
	return ++*count == 3 ? -ENOSPC : 0;
}

static void what_a_callback_refuses_ends_the_step_with_its_result(void **state)
{
	struct kri_salvage_found found = { .on_sample = stop_at_third };
	struct kri_salvage *salvage;
	struct segments segments;
	int count = 0;

	(void)state;
	segments_new(&segments, seed + 9);
	segments_create(&segments, 0);
	segments_commit(&segments, 10);
	segments_close(&segments);
	found.data = &count;
	assert_ok(kri_salvage_begin(&salvage, segments.path, &segments.epoch, 1, &found));
	assert_int_equal(kri_salvage_step(salvage, SIZE_MAX), -ENOSPC);
	assert_int_equal(count, 3);
	kri_salvage_free(salvage);
	kri_salvage_free(NULL);
	segments_free(&segments);
}

/* A SQLite built with ENABLE_NULL_TRIM leaves out a last column that is NULL. */
static void a_sample_without_its_last_column_is_found(void **state)
{
	struct salvaged salvaged;
	struct segments segments;
	struct kri_row row = { 0 };
	uint8_t cell[64];
	size_t at = 0;
	char line[KRI_LINE_MAX];
	uint32_t crc;

	(void)state;
	segments_new(&segments, seed + 10);
	segments.samples = calloc(1, sizeof(*segments.samples));
	segments.count = 1;
	salvaged_new(&salvaged, &segments);
	row.seq = 1;
	row.channel = 1;
	crc = kri_text_crc(kri_epoch_crc(segments.epoch), line, kri_row_text(&row, line));
	/* size, rowid, header of 12: NULL, 1, nine zeros, four bytes; then those */
	memcpy(cell, "\x12\x01\x0c\x00\x09\x08\x08\x08\x08\x08\x08\x08\x08\x05\x00\x00", 16);
	at = 16;
	for (int i = 3; i >= 0; i--)
		cell[at++] = (uint8_t)(crc >> (8 * i));
	sift_bytes(&salvaged, cell, at);
	assert_int_equal(salvaged.distinct, 1);
	assert_int_equal(salvaged.wrong, 0);
	salvaged_clear(&salvaged);
	sift_bytes(&salvaged, cell, at - 1);
	assert_int_equal(salvaged.distinct, 0);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

static void a_large_file_is_salvaged_in_slices_and_how_fast_is_printed(void **state)
{
	struct kri_salvage_counts counts;
	struct timespec begin, end;
	struct segments segments;
	struct salvaged salvaged;
	double seconds;

	(void)state;
	segments_new(&segments, seed + 11);
	segments_create(&segments, 40000);
	for (int i = 0; i < 20; i++)
		segments_commit(&segments, 1000);
	segments_seal(&segments);
	salvaged_new(&salvaged, &segments);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	counts = salvage_file(&salvaged, segments.path, true);
	clock_gettime(CLOCK_MONOTONIC, &end);
	expect_all(&salvaged, "20000 rows");
	assert_true(salvaged.cursor);
	seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	print_message("%" PRId64 " rows of %" PRId64 " KB at %.0f MB/s\n", salvaged.distinct, counts.bytes / 1024,
	              (double)counts.bytes / 1e6 / seconds);
	/* The root page of samples is gone, and page 1: not a row less. */
	uint8_t *bytes;
	size_t size;
	bytes = file_read(segments.path, &size);
	unlink(segments.path);
	for (size_t page = 0; page < size / PAGE; page++) {
		if (page == 0 || bytes[page * PAGE] == 0x05) /* every interior page of a table */
			memset(bytes + page * PAGE, 0, PAGE);
	}
	file_write(segments.path, bytes, size);
	salvaged_clear(&salvaged);
	salvage_file(&salvaged, segments.path, false);
	expect_all(&salvaged, "without roots");
	free(bytes);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_an_intact_segment_is_found),
		cmocka_unit_test(rows_are_found_where_they_are_in_the_wal_only_or_in_both_files),
		cmocka_unit_test(every_page_overwritten_costs_no_row_but_its_own),
		cmocka_unit_test(a_page_whose_head_is_overwritten_gives_all_cells_that_are_whole),
		cmocka_unit_test(one_flipped_bit_in_a_row_costs_that_row_and_gives_no_false_one),
		cmocka_unit_test(a_page_that_the_disk_cannot_read_is_counted_and_costs_only_its_rows),
		cmocka_unit_test(garbage_gives_no_row_and_does_no_harm),
		cmocka_unit_test(changed_pages_do_no_harm_and_give_no_false_row),
		cmocka_unit_test(a_lost_header_or_other_page_sizes_cost_no_row),
		cmocka_unit_test(rows_of_a_commit_that_never_was_come_last_and_are_marked),
		cmocka_unit_test(every_header_row_that_the_store_writes_is_known),
		cmocka_unit_test(what_a_callback_refuses_ends_the_step_with_its_result),
		cmocka_unit_test(a_sample_without_its_last_column_is_found),
		cmocka_unit_test(a_large_file_is_salvaged_in_slices_and_how_fast_is_printed),
	};

	seed = seed_from_environment(20261120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
