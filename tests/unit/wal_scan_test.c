/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SQLite drops of a WAL without a word, and what a cut leaves, told from each other. SQLite itself is asked each
 * time what it still reads. KRYOS_SEED=n repeats a run.
 */
#include "cutvfs.h"
#include "segments.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME 536
#define LAST_ROWS 16 /* of the last commit: several frames */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 1
#else
#define SLOW 0
#endif

/* Each byte and each cut; every few where that takes minutes: under sanitizers, or with KRYOS_TEST_QUICK=1. */
static size_t stride = 1, cut_stride = 1;

static uint64_t seed;

/* Commits that are in the database, then a WAL begun anew over the old one, which is longer. */
static void prepare(struct segments *segments, uint64_t its_seed)
{
	segments_new(segments, its_seed);
	segments_create(segments, 0);
	for (int i = 0; i < 4; i++)
		segments_commit(segments, 2);
	assert_ok(kri_segment_checkpoint(segments->segment));
	for (int i = 0; i < 5; i++)
		segments_commit(segments, 1 + i % 3);
	segments_commit(segments, LAST_ROWS);
}

static struct kri_wal_scan scan(const char *path)
{
	struct kri_wal_scan result;

	memset(&result, 0xee, sizeof(result));
	assert_ok(kri_wal_scan(path, &result));
	return result;
}

/* How many samples SQLite reads; 0 where it fails. */
static int64_t rows_for_sqlite(const char *path)
{
	int64_t rows = 0;
	sqlite3 *db;

	if (kri_sql_open_to_read(&db, path) < 0)
		return 0;
	if (kri_sql_int(db, "SELECT count(*) FROM sample", &rows) < 0)
		rows = 0;
	sqlite3_close(db);
	return rows;
}

static void an_intact_wal_is_good_to_its_last_commit(void **state)
{
	struct kri_wal_scan result;
	struct segments segments;

	(void)state;
	segments_new(&segments, seed);
	result = scan(segments.path);
	assert_false(result.broken);
	assert_int_equal(result.bytes, 0);
	assert_string_equal(result.text, "there is no WAL");
	segments_create(&segments, 0);
	for (int i = 0; i < 40; i++) {
		segments_commit(&segments, 1 + i % 4);
		if (i % 10 == 9)
			assert_ok(kri_segment_checkpoint(segments.segment));
		result = scan(segments.path);
		assert_false(result.broken);
		assert_false(result.in_last_transaction);
		assert_int_equal(result.page_size, 512);
		assert_int_equal(result.frames_good, result.last_commit_frame);
		assert_int_equal(result.frames_beyond, 0);
		assert_int_equal(result.frames, (result.bytes - 32) / FRAME);
		if (i % 10 != 9) /* a checkpoint has begun to count anew, but not yet to write */
			assert_int_equal(result.last_commit_frame, segments.segment->wal_frames);
	}
	segments_seal(&segments);
	assert_false(scan(segments.path).broken);
	segments_free(&segments);
}

static void wherever_a_wal_is_cut_off_it_is_not_called_broken(void **state)
{
	struct kri_wal_scan whole, result;
	struct segments segments;
	uint8_t *bytes;
	size_t size;

	(void)state;
	prepare(&segments, seed + 1);
	segments_close(&segments);
	whole = scan(segments.path);
	assert_true(whole.frames > whole.frames_good); /* of the older round */
	bytes = file_read(segments.wal, &size);
	for (size_t length = 0; length <= size; length++) {
		file_write(segments.wal, bytes, length);
		result = scan(segments.path);
		if (result.broken || result.frames_beyond || result.frames_good > whole.frames_good)
			fail_msg("cut to %zu of %zu bytes: %s (KRYOS_SEED=%" PRIu64 ")", length, size, result.text,
			         seed);
	}
	/* Bytes of nothing behind the end: zeros, as a file system leaves them, and garbage. */
	for (int kind = 0; kind < 2; kind++) {
		size_t good = 32 + (size_t)whole.frames_good * FRAME;

		for (size_t at = good; at < size; at++)
			bytes[at] = kind ? (uint8_t)next_random(&segments.random) : 0;
		file_write(segments.wal, bytes, size);
		result = scan(segments.path);
		assert_false(result.broken);
		assert_int_equal(result.last_commit_frame, whole.last_commit_frame);
	}
	memset(bytes, 0, size);
	file_write(segments.wal, bytes, size);
	assert_false(scan(segments.path).broken);
	print_message("cut off at each of %zu lengths: never broken\n", size + 1);
	free(bytes);
	segments_free(&segments);
}

static void a_flipped_bit_anywhere_is_seen_where_it_costs_a_commit_and_costs_the_salvage_nothing(void **state)
{
	int64_t tried = 0, lost = 0, certain = 0, doubtful = 0, harmless = 0, short_of_one = 0;
	struct kri_wal_scan whole, result;
	struct segments segments;
	struct salvaged salvaged;
	uint8_t *bytes;
	size_t size;

	(void)state;
	prepare(&segments, seed + 2);
	segments_close(&segments);
	whole = scan(segments.path);
	bytes = file_read(segments.wal, &size);
	assert_int_equal(rows_for_sqlite(segments.path), segments.count);
	salvaged_new(&salvaged, &segments);
	for (size_t at = next_random(&segments.random) % stride; at < size; at += stride) {
		uint8_t bit = (uint8_t)(1 << next_random(&segments.random) % 8);
		bool live = at < 32 + (size_t)whole.frames_good * FRAME;
		int64_t rows;

		bytes[at] ^= bit;
		file_write(segments.wal, bytes, size);
		bytes[at] ^= bit;
		result = scan(segments.path);
		rows = rows_for_sqlite(segments.path);
		if ((rows < segments.count && !result.broken) || (!live && result.broken) ||
		    (result.broken && rows == segments.count))
			fail_msg("byte %zu ^ %u: SQLite reads %" PRId64 " of %" PRId64 ", and %s (KRYOS_SEED=%" PRIu64
			         ")",
			         at, bit, rows, segments.count, result.text, seed);
		tried++;
		lost += rows < segments.count;
		harmless += !result.broken;
		certain += result.broken && !result.in_last_transaction;
		doubtful += result.in_last_transaction;
		salvaged_clear(&salvaged);
		salvage_file(&salvaged, segments.path, true);
		short_of_one += salvaged.distinct < segments.count;
		if (salvaged.distinct < segments.count - 1 || salvaged.wrong)
			fail_msg("byte %zu ^ %u: %" PRId64 " of %" PRId64 " rows salvaged, %" PRId64
			         " wrong (KRYOS_SEED=%" PRIu64 ")",
			         at, bit, salvaged.distinct, segments.count, salvaged.wrong, seed);
	}
	print_message("%" PRId64 " bytes with a flipped bit: SQLite lost commits at %" PRId64 ", all seen (%" PRId64
	              " of them surely, %" PRId64 " perhaps), %" PRId64
	              " harmless; the salvage was short of one row at %" PRId64 "\n",
	              tried, lost, certain, doubtful, harmless, short_of_one);
	assert_int_equal(lost + harmless, tried);
	assert_int_equal(doubtful, 0); /* one bit is never what a cut leaves */
	assert_true(certain == lost && harmless > 0);
	free(bytes);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

/* A whole sector of garbage or zeros, as flash fails. */
static void a_lost_sector_is_seen_unless_it_is_all_that_there_was(void **state)
{
	struct kri_wal_scan result;
	struct segments segments;
	struct salvaged salvaged;
	uint8_t *bytes, *broken;
	size_t size, live;

	(void)state;
	prepare(&segments, seed + 3);
	segments_close(&segments);
	result = scan(segments.path);
	live = 32 + (size_t)(result.frames_good - 2) * FRAME;
	bytes = file_read(segments.wal, &size);
	broken = malloc(size);
	salvaged_new(&salvaged, &segments);
	for (size_t at = 0; at + 512 <= live; at += 512) {
		for (int kind = 0; kind < 3; kind++) {
			memcpy(broken, bytes, size);
			for (size_t i = 0; i < 512; i++)
				broken[at + i] = kind == 0   ? 0
				                 : kind == 1 ? 0xff
				                             : (uint8_t)next_random(&segments.random);
			file_write(segments.wal, broken, size);
			result = scan(segments.path);
			if (!result.broken)
				fail_msg("sector at %zu, kind %d: %s (KRYOS_SEED=%" PRIu64 ")", at, kind, result.text,
				         seed);
			salvaged_clear(&salvaged);
			salvage_file(&salvaged, segments.path, true);
			assert_int_equal(salvaged.wrong, 0);
			/* The newest rows are in the last frames, whatever lies before them. */
			for (int64_t seq = segments.count - LAST_ROWS + 1; seq <= segments.count; seq++)
				assert_int_not_equal(salvaged.times[seq], 0);
		}
	}
	/* A WAL whose header alone is garbage, before nothing. */
	memset(broken, 0, size);
	memset(broken, 0x5a, 32);
	file_write(segments.wal, broken, size);
	assert_false(scan(segments.path).broken);
	free(broken);
	free(bytes);
	salvaged_free(&salvaged);
	segments_free(&segments);
}

/* Any bytes, exactly as long as the memory behind them: an answer that holds together, and no harm. */
static void changed_and_random_wals_do_no_harm(void **state)
{
	int64_t broken = 0, tried = 3000 / (int64_t)stride;
	struct kri_wal_scan result;
	struct segments segments;
	struct kri_peek peek;
	uint8_t *bytes;
	size_t size;

	(void)state;
	prepare(&segments, seed + 9);
	segments_close(&segments);
	bytes = file_read(segments.wal, &size);
	for (int64_t i = 0; i < tried; i++) {
		size_t length = i % 3 ? size - next_random(&segments.random) % size : size;
		uint8_t *copy = malloc(length);
		int changes = i % 2 ? 1 << next_random(&segments.random) % 12 : 2;

		memcpy(copy, bytes, length);
		if (i % 10 == 9)
			for (size_t at = i % 20 == 9 ? 0 : 32; at < length; at++)
				copy[at] = (uint8_t)next_random(&segments.random);
		for (int j = 0; j < changes; j++)
			copy[next_random(&segments.random) % (j % 4         ? length
			                                      : length < 32 ? length
			                                                    : 32)] =
				(uint8_t)next_random(&segments.random);
		kri_peek_memory(&peek, copy, length);
		assert_ok(kri_wal_scan_peek(&peek, &result));
		kri_peek_close(&peek);
		assert_in_range(result.frames_good, 0, result.frames);
		assert_in_range(result.last_commit_frame, 0, result.frames_good);
		assert_in_range(result.frames_beyond, 0, result.frames - result.frames_good);
		assert_true(result.broken || !result.in_last_transaction);
		assert_true(result.text[0]);
		broken += result.broken;
		free(copy);
	}
	print_message("%" PRId64 " WALs changed at random: %" PRId64 " broken (KRYOS_SEED=%" PRIu64 ")\n", tried,
	              broken, seed);
	free(bytes);
	segments_free(&segments);
}

static uint32_t word(const uint8_t *p, bool big)
{
	return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
	           : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void sum_up(uint32_t sum[2], const uint8_t *data, size_t size, uint8_t *ret)
{
	for (size_t i = 0; i < size; i += 8) {
		sum[0] += word(data + i, true) + sum[1];
		sum[1] += word(data + i + 4, true) + sum[0];
	}
	for (int i = 0; ret && i < 8; i++)
		ret[i] = (uint8_t)(sum[i / 4] >> (24 - 8 * (i % 4)));
}

static void a_wal_written_on_a_machine_of_the_other_byte_order_is_read(void **state)
{
	struct kri_wal_scan before, after;
	struct segments segments;
	uint32_t sum[2] = { 0, 0 };
	uint8_t *bytes;
	size_t size;

	(void)state;
	prepare(&segments, seed + 4);
	segments_close(&segments);
	before = scan(segments.path);
	bytes = file_read(segments.wal, &size);
	if (bytes[3] & 1) {
		print_message("this machine is big-endian itself: every other case is this one\n");
		skip();
	}
	bytes[3] |= 1;
	sum_up(sum, bytes, 24, bytes + 24);
	for (int64_t i = 0; i < before.frames_good; i++) {
		uint8_t *frame = bytes + 32 + i * FRAME;

		sum_up(sum, frame, 8, NULL);
		sum_up(sum, frame + 24, 512, frame + 16);
	}
	file_write(segments.wal, bytes, size);
	assert_int_equal(rows_for_sqlite(segments.path), segments.count);
	after = scan(segments.path);
	assert_false(after.broken);
	assert_int_equal(after.last_commit_frame, before.last_commit_frame);
	bytes[32 + 3 * FRAME + 100] ^= 4;
	file_write(segments.wal, bytes, size);
	after = scan(segments.path);
	assert_true(after.broken && !after.in_last_transaction);
	assert_int_equal(after.frames_good, 3);
	assert_int_equal(after.frames_beyond, before.frames_good - 3);
	bytes[0] = 0; /* the header's magic too: the order of bytes is found by trying */
	file_write(segments.wal, bytes, size);
	after = scan(segments.path);
	assert_true(after.broken);
	assert_int_equal(after.page_size, 512);
	free(bytes);
	segments_free(&segments);
}

/* The first frame of the newest commit never came to the disk, all others did. */
static void lose_first_frame_after(struct segments *segments, int64_t good)
{
	uint8_t *bytes;
	size_t size;

	bytes = file_read(segments->wal, &size);
	memset(bytes + 32 + good * FRAME, 0, FRAME);
	file_write(segments->wal, bytes, size);
	free(bytes);
}

/* Short transactions over the rest of longer ones that were cut: the rest has the present salts, and is nothing. */
static void the_rest_of_an_unfinished_transaction_is_never_called_a_lost_commit(void **state)
{
	struct kri_wal_scan result;
	struct segments segments;
	int64_t good;

	(void)state;
	prepare(&segments, seed + 5);
	good = scan(segments.path).last_commit_frame;
	segments_close(&segments);
	for (int rows = 80; rows >= 40; rows -= 40) {
		assert_ok(kri_segment_open(&segments.segment, segments.path, 1, segments.ctx));
		segments_commit(&segments, rows);
		segments_close(&segments);
		lose_first_frame_after(&segments, good);
		segments.count -= rows;
		assert_int_equal(rows_for_sqlite(segments.path), segments.count);
		result = scan(segments.path);
		assert_true(result.broken && result.in_last_transaction);
		assert_int_equal(result.last_commit_frame, good);
		assert_true(result.frames_beyond > 3);
	}
	/* Now behind the last commit: the end of the shorter one with its commit, and behind that of the longer one. */
	for (int i = 0; i < 2; i++) {
		assert_ok(kri_segment_open(&segments.segment, segments.path, 1, segments.ctx));
		segments_commit(&segments, 1);
		segments_close(&segments);
		result = scan(segments.path);
		assert_true(result.broken && result.in_last_transaction);
		assert_true(result.last_commit_frame > good && result.frames_beyond > 3);
	}
	/* A checkpoint that begins the WAL anew ends the doubt. */
	assert_ok(kri_segment_open(&segments.segment, segments.path, 1, segments.ctx));
	assert_ok(kri_segment_checkpoint(segments.segment));
	segments_commit(&segments, 1);
	segments_close(&segments);
	assert_false(scan(segments.path).broken);
	segments_free(&segments);
}

/*
 * The 42nd frame's header is the first that a sector's end divides behind its first eight bytes. What stands there may
 * be of an older round, when the salts behind it are of the present one.
 */
static void a_commit_that_half_a_torn_header_pretends_is_not_believed(void **state)
{
	static const uint8_t old[8] = { 0, 0, 0, 77, 0, 0, 0, 99 };
	struct kri_wal_scan result;
	struct segments segments;
	uint8_t *bytes;
	size_t size;

	(void)state;
	segments_new(&segments, seed + 10);
	segments_create(&segments, 0);
	do
		segments_commit(&segments, 1);
	while (scan(segments.path).last_commit_frame < 36);
	segments_commit(&segments, 200);
	segments_close(&segments);
	result = scan(segments.path);
	assert_true(result.last_commit_frame > 45);
	assert_int_equal((32 + 41 * FRAME + 8) % 512, 0);
	bytes = file_read(segments.wal, &size);
	for (size_t i = 40; i < 44; i++) {
		uint8_t before[8];

		memcpy(before, bytes + 32 + i * FRAME, 8);
		memcpy(bytes + 32 + i * FRAME, old, 8);
		file_write(segments.wal, bytes, size);
		memcpy(bytes + 32 + i * FRAME, before, 8);
		result = scan(segments.path);
		assert_true(result.broken);
		assert_int_equal(result.in_last_transaction, i == 41);
	}
	/* Salts that are quite other ones, in the very last frame: it goes on from the one before all the same. */
	memset(bytes + 32 + (result.frames - 1) * FRAME + 8, 0x33, 8);
	file_write(segments.wal, bytes, size);
	result = scan(segments.path);
	assert_true(result.broken && result.in_last_transaction);
	assert_int_equal(result.frames_beyond, 1);
	free(bytes);
	segments_free(&segments);
}

/* Whatever a power cut leaves, nothing of it is called a lost commit for sure; nor after going on behind it. */
static void no_power_cut_is_taken_for_damage(void **state)
{
	struct cutvfs *vfs = cutvfs_new();
	int64_t tried = 0, plain = 0, doubtful = 0, went_on = 0;
	struct segments segments;
	char *found = scratch_new();
	size_t count;

	(void)state;
	segments_new(&segments, seed + 6);
	cutvfs_record(vfs, segments.folder);
	segments_create(&segments, 0);
	for (int i = 0; i < 12; i++) {
		segments_commit(&segments, 1 + i * 5 % 17);
		if (i % 4 == 3)
			assert_ok(kri_segment_checkpoint(segments.segment));
	}
	segments_seal(&segments);
	cutvfs_stop(vfs);
	count = cutvfs_count(vfs);
	for (int mode = 0; mode < CUT_MODE_COUNT; mode++) {
		struct cut_replay *replay = cut_replay_new(vfs, (enum cut_mode)mode, seed + (uint64_t)mode);
		uint64_t version = UINT64_MAX;

		for (size_t cut = (size_t)mode % cut_stride; cut <= count; cut += cut_stride) {
			struct segments copy = segments;
			struct kri_wal_scan result;

			cut_replay_to(replay, cut);
			if (cut_replay_version(replay) == version)
				continue;
			version = cut_replay_version(replay);
			cut_replay_write(replay, found);
			snprintf(copy.path, sizeof(copy.path), "%s/00000000000000000001.seg", found);
			result = scan(copy.path);
			if (result.broken && !result.in_last_transaction)
				fail_msg("%s, cut before %zu (%s): %s (KRYOS_SEED=%" PRIu64 ")",
				         cut_mode_name((enum cut_mode)mode), cut,
				         cut < count ? cutvfs_describe(vfs, cut) : "the end", result.text, seed);
			tried++;
			plain += !result.broken;
			doubtful += result.broken;
			copy.segment = NULL;
			if (kri_segment_open(&copy.segment, copy.path, 1, copy.ctx) < 0 || copy.segment->sealed ||
			    !copy.segment->in_wal) {
				segments_close(&copy);
				continue;
			}
			copy.samples = NULL;
			copy.count = copy.segment->last_seq;
			copy.samples = calloc((size_t)copy.count + 1, sizeof(*copy.samples));
			segments_commit(&copy, 1);
			segments_close(&copy);
			free(copy.samples);
			result = scan(copy.path);
			if (result.broken && !result.in_last_transaction)
				fail_msg("%s, cut before %zu, gone on: %s (KRYOS_SEED=%" PRIu64 ")",
				         cut_mode_name((enum cut_mode)mode), cut, result.text, seed);
			went_on++;
		}
		cut_replay_free(replay);
	}
	print_message("%" PRId64 " cuts: %" PRId64 " WALs whole or plainly torn, %" PRId64
	              " doubtful, none called damaged; the same after %" PRId64 " commits behind them\n",
	              tried, plain, doubtful, went_on);
	assert_true(plain > tried / 2 && went_on > 0);
	scratch_free(found);
	segments_free(&segments);
	cutvfs_free(vfs);
}

/* From another process: whether this one's connection still holds its lock (os_unix.c: SHARED_FIRST). */
static bool is_locked(const char *path)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510 };
		int fd = open(path, O_RDWR | O_CLOEXEC);

		_exit(fd < 0 || fcntl(fd, F_GETLK, &lock) ? 2 : lock.l_type != F_UNLCK);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 1;
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void looking_at_the_files_leaves_the_locks_of_an_open_connection(void **state)
{
	struct segments segments;
	struct salvaged salvaged;
	int descriptors;

	(void)state;
	prepare(&segments, seed + 7);
	assert_true(is_locked(segments.path));
	salvaged_new(&salvaged, &segments);
	scan(segments.path);
	salvage_file(&salvaged, segments.path, true);
	assert_int_equal(salvaged.distinct, segments.count);
	descriptors = open_descriptors();
	for (int i = 0; i < 20; i++) {
		scan(segments.path);
		salvage_file(&salvaged, segments.path, true);
	}
	assert_true(is_locked(segments.path));
	assert_int_equal(open_descriptors(), descriptors); /* the one that is put aside is taken up again */
	segments_commit(&segments, 1);
	/* What is avoided: a descriptor of our own. */
	close(open(segments.path, O_RDONLY | O_CLOEXEC));
	assert_false(is_locked(segments.path));
	salvaged_free(&salvaged);
	segments_free(&segments);
}

static void a_wal_that_cannot_be_read_is_an_error_that_says_so(void **state)
{
	struct cutvfs *vfs = cutvfs_new();
	struct kri_wal_scan result = { .bytes = 77 };
	struct segments segments;

	(void)state;
	prepare(&segments, seed + 8);
	segments_close(&segments);
	for (int n = 1; n < 6; n++) {
		cutvfs_fail(vfs, CUT_CALL_READ, "-wal", n, SQLITE_IOERR_READ, false);
		assert_fails(-EIO, kri_wal_scan(segments.path, &result));
		assert_says(-EIO, "can't be looked at: disk I/O error");
		assert_int_equal(result.bytes, 77);
	}
	cutvfs_fail(vfs, CUT_CALL_OPEN, "-wal", 1, SQLITE_CANTOPEN, false);
	assert_fails(-EIO, kri_wal_scan(segments.path, &result));
	cutvfs_fail(vfs, CUT_CALL_OPEN, "-wal", 1, SQLITE_NOMEM, false);
	assert_fails(-ENOMEM, kri_wal_scan(segments.path, &result));
	cutvfs_fail(vfs, CUT_CALL_OPEN, NULL, 0, 0, false);
	/* A WAL whose database is gone can be looked at all the same. */
	assert_int_equal(unlink(segments.path), 0);
	result = scan(segments.path);
	assert_true(result.last_commit_frame > 0 && !result.broken);
	assert_fails(-ENOTDIR, kri_wal_scan("/dev/null/x.seg", &result));
	segments_free(&segments);
	cutvfs_free(vfs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_intact_wal_is_good_to_its_last_commit),
		cmocka_unit_test(wherever_a_wal_is_cut_off_it_is_not_called_broken),
		cmocka_unit_test(a_flipped_bit_anywhere_is_seen_where_it_costs_a_commit_and_costs_the_salvage_nothing),
		cmocka_unit_test(a_lost_sector_is_seen_unless_it_is_all_that_there_was),
		cmocka_unit_test(changed_and_random_wals_do_no_harm),
		cmocka_unit_test(a_wal_written_on_a_machine_of_the_other_byte_order_is_read),
		cmocka_unit_test(the_rest_of_an_unfinished_transaction_is_never_called_a_lost_commit),
		cmocka_unit_test(a_commit_that_half_a_torn_header_pretends_is_not_believed),
		cmocka_unit_test(no_power_cut_is_taken_for_damage),
		cmocka_unit_test(looking_at_the_files_leaves_the_locks_of_an_open_connection),
		cmocka_unit_test(a_wal_that_cannot_be_read_is_an_error_that_says_so),
	};

	seed = seed_from_environment(20261120);
	if (SLOW || getenv("KRYOS_TEST_QUICK")) {
		stride = 5;
		cut_stride = 7;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
