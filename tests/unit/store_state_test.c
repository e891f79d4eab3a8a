/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an open makes of what state.db notes for it: "closed", "skipped", "unmended", "unread" of its meta table, and
 * the end of its log. Each as the store writes it, and with a value that it would never write.
 */
#include "rig.h"
#include "store/salvage.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAME 536

static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.board = "one"));
}

static const char *segment_path(struct rig *rig)
{
	return in(rig->path, "00000000000000000001.seg");
}

static const char *state_path(struct rig *rig)
{
	return in(rig->path, "state.db");
}

/* With a right checksum; NULL: the row goes. The store is closed. */
static void put_meta(struct rig *rig, const char *key, const char *value)
{
	struct kri_state *meta;
	char sql[80];

	assert_ok(kri_state_open(&meta, rig->path, false, false));
	snprintf(sql, sizeof(sql), "DELETE FROM meta WHERE key='%s'", key);
	assert_ok(value ? kri_state_put_meta(meta, key, value) : kri_sql_exec(meta->db, sql));
	kri_state_close(meta);
}

/* "" where there is none. Borrowed until the next call. */
static const char *get_meta(struct rig *rig, const char *key)
{
	static char value[80];
	struct kri_state *meta;
	int r;

	assert_ok(kri_state_open(&meta, rig->path, false, false));
	r = kri_state_get_meta(meta, key, value, sizeof(value));
	kri_state_close(meta);
	if (r == -ENOENT)
		return "";
	assert_ok(r);
	return value;
}

static int64_t ask(struct rig *rig, const char *sql)
{
	int64_t answer = 0;
	sqlite3 *db;

	assert_ok(kri_sql_open_to_read(&db, state_path(rig)));
	assert_ok(kri_sql_int(db, sql, &answer));
	sqlite3_close(db);
	return answer;
}

/* What one open, in another boot, made of it. */
struct found {
	bool new_epoch;
	int64_t gaps, first, last; /* the newest */
	int64_t damage;            /* events of it */
	int64_t next_seq;          /* given to a sample after it */
};

static struct found reopen(struct rig *rig, uint64_t epoch)
{
	struct found found = { false };
	int64_t before = ask(rig, "SELECT coalesce(max(seq),0) FROM event");
	char sql[120];

	kryos_fake_clock_reboot(rig->clock);
	start(rig);
	found.new_epoch = rig_status(rig).epoch != epoch;
	found.next_seq = rig_append(rig, rig->fridge, 9);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	rig_stop(rig);
	found.gaps = ask(rig, "SELECT count(*) FROM gap");
	if (found.gaps) {
		found.first = ask(rig, "SELECT first_seq FROM gap ORDER BY id DESC LIMIT 1");
		found.last = ask(rig, "SELECT last_seq FROM gap ORDER BY id DESC LIMIT 1");
	}
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM event WHERE type=%d AND code<0 AND seq>%" PRId64,
	         KRYOS_EVENT_STORE, before);
	found.damage = ask(rig, sql);
	return found;
}

/* A store of a few samples, closed in order; its epoch. */
static uint64_t make_store(struct rig *rig, int samples)
{
	uint64_t epoch;

	start(rig);
	for (int i = 0; i < samples; i++)
		rig_append(rig, rig->fridge, i);
	epoch = rig_status(rig).epoch;
	rig_stop(rig);
	return epoch;
}

static void a_store_that_was_closed_in_order_knows_how_far_its_rows_go(void **state)
{
	struct rig *rig = *state;
	uint64_t epoch = make_store(rig, 3);
	struct found found;

	assert_string_equal(get_meta(rig, "closed"), "3");
	/* A log that is gone leaves no trace but this. */
	rig_sql(segment_path(rig), "DELETE FROM sample WHERE seq=3");
	found = reopen(rig, epoch);
	assert_true(found.new_epoch);
	assert_int_equal(found.gaps, 1);
	assert_int_equal(found.first, 3);
	assert_int_equal(found.last, 3);
	assert_true(found.next_seq > 3);
}

static void a_closed_that_cannot_be_is_not_believed(void **state)
{
	static const char *const wrong[] = {
		NULL, "", "rubbish", "-3", "1", "9007199254740993", "9223372036854775807"
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		uint64_t epoch = make_store(rig, 3);
		struct found found;

		put_meta(rig, "closed", wrong[i]);
		found = reopen(rig, epoch);
		assert_false(found.new_epoch);
		assert_int_equal(found.gaps, 0);
		assert_int_equal(found.damage, 0);
		assert_int_equal(found.next_seq, 4);
		rig_remove(rig);
	}
}

static void a_row_with_a_wrong_checksum_is_taken_out_and_said(void **state)
{
	static const char *const keys[] = { "closed", "skipped", "unmended", "unread" };
	struct rig *rig = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(keys); i++) {
		uint64_t epoch = make_store(rig, 3);
		struct found found;
		char sql[120];

		snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO meta VALUES('%s', '1-100', 1)", keys[i]);
		rig_sql(state_path(rig), sql);
		found = reopen(rig, epoch);
		assert_true(found.new_epoch);
		assert_int_equal(found.damage, 1);
		assert_int_equal(found.gaps, 0);
		assert_string_not_equal(get_meta(rig, keys[i]), "1-100");
		rig_remove(rig);
	}
}

static void skipped_seqs_are_not_taken_for_lost(void **state)
{
	struct rig *rig = *state;
	uint64_t epoch = make_store(rig, 3);
	struct found found;

	put_meta(rig, "closed", "20");
	put_meta(rig, "skipped", "4-20");
	found = reopen(rig, epoch);
	assert_false(found.new_epoch);
	assert_int_equal(found.gaps, 0);
}

static void a_skipped_that_says_too_little_or_nothing_hides_no_loss(void **state)
{
	static const char *const wrong[] = { NULL, "", "rubbish", "4", "20-4", "4-19", "5-20", "-4--20", "21-90" };
	struct rig *rig = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		uint64_t epoch = make_store(rig, 3);
		struct found found;

		put_meta(rig, "closed", "20");
		put_meta(rig, "skipped", wrong[i]);
		found = reopen(rig, epoch);
		assert_true(found.new_epoch);
		assert_int_equal(found.gaps, 1);
		assert_int_equal(found.first, 4);
		assert_int_equal(found.last, 20);
		assert_true(found.next_seq > 20);
		rig_remove(rig);
	}
}

static void a_seq_that_two_lists_have_hides_no_loss(void **state)
{
	struct rig *rig = *state;
	uint64_t epoch = make_store(rig, 3);
	struct found found;

	put_meta(rig, "closed", "5");
	put_meta(rig, "claimed", "4-4");
	put_meta(rig, "skipped", "4-4");
	found = reopen(rig, epoch);
	assert_true(found.new_epoch);
	assert_int_equal(found.gaps, 1);
	assert_int_equal(found.last, 5);
}

/* The seqs that a segment which can't be read may have had, from what is known on. */
static void what_was_passed_over_is_noted_and_grows(void **state)
{
	struct kri_segment_info newest = { .first_seq = 5, .last_seq = 40 };
	struct rig *rig = *state;

	make_store(rig, 3);
	start(rig);
	assert_ok(kri_store_note_skipped(rig->store, &newest, 3));
	assert_string_equal(get_meta(rig, "skipped"), "5-40");
	newest.last_seq = 60;
	assert_ok(kri_store_note_skipped(rig->store, &newest, 45));
	assert_string_equal(get_meta(rig, "skipped"), "5-60"); /* one run with those before */
	newest.first_seq = 70;
	newest.last_seq = 80;
	assert_ok(kri_store_note_skipped(rig->store, &newest, 74));
	assert_string_equal(get_meta(rig, "skipped"), "75-80"); /* another segment's */
}

/* Until a commit has what was made again: a new epoch each time, and no queue is a new one. */
static void what_is_unmended_is_made_again_and_then_forgotten(void **state)
{
	static const struct {
		const char *how;
		int64_t damage; /* a torn end is what any cut may leave */
	} all[] = { { "lost", 1 }, { "aside", 1 }, { "torn", 0 }, { "rubbish", 1 }, { "", 1 } };
	const struct kryos_record *record;
	struct rig *rig = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(all); i++) {
		uint64_t epoch = make_store(rig, 3);
		struct found found;

		put_meta(rig, "unmended", all[i].how);
		start(rig);
		rig_open_queue(rig, KRYOS_QUEUE_CONFIG(.from_now = true));
		assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_ANY & ~KRYOS_STREAM_EVENTS, &record), 1);
		assert_int_equal(record->seq, 1);
		rig_stop(rig);
		assert_string_equal(get_meta(rig, "unmended"), "");
		rig_remove(rig);

		epoch = make_store(rig, 3);
		put_meta(rig, "unmended", all[i].how);
		found = reopen(rig, epoch);
		assert_true(found.new_epoch);
		assert_int_equal(found.damage, all[i].damage);
		assert_int_equal(found.gaps, 0);
		rig_remove(rig);
	}
}

static void seqs_that_are_unread_become_a_gap_once_and_are_passed_over(void **state)
{
	struct rig *rig = *state;
	uint64_t epoch = make_store(rig, 3);
	struct found found;

	put_meta(rig, "unread", "4-6,9-12");
	found = reopen(rig, epoch);
	assert_int_equal(found.gaps, 2);
	assert_int_equal(found.first, 9);
	assert_int_equal(found.last, 12);
	assert_true(found.next_seq > 12);
	assert_string_equal(get_meta(rig, "unread"), "");
	assert_int_equal(reopen(rig, epoch).gaps, 2);
}

static void an_unread_that_is_no_list_of_seqs_is_not_believed(void **state)
{
	static const char *const wrong[] = { "",    "rubbish",           "7", "6-4", "-4-6", "4-6;", "4-",
		                             "0-3", "4-9007199254740993" };
	struct rig *rig = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		uint64_t epoch = make_store(rig, 3);
		struct found found;

		put_meta(rig, "unread", wrong[i]);
		found = reopen(rig, epoch);
		assert_int_equal(found.gaps, 0);
		assert_int_equal(found.next_seq, 4);
		rig_remove(rig);
	}
}

static void write_at(const char *path, const void *data, size_t size, off_t at)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size, at), size);
	close(fd);
}

static const char *log_of(const char *path)
{
	static char log[4200];

	snprintf(log, sizeof(log), "%s-wal", path);
	return log;
}

static void blank_file(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, status.st_size), 0);
}

static int64_t count_frames(const char *path)
{
	struct kri_wal_scan scan;

	assert_ok(kri_wal_scan(path, &scan));
	assert_false(scan.void_end);
	assert_int_equal(scan.frames_good, scan.last_commit_frame);
	return scan.frames_good;
}

/* The log as if the frames from that one on had never reached the disk, which had nothing there before. */
static void blank(const char *path, int64_t from, int64_t to)
{
	char zeros[FRAME] = { 0 };
	struct kri_wal_scan scan;

	for (int64_t i = from; i < to; i++)
		write_at(log_of(path), zeros, FRAME, KRI_WAL_HEADER + i * FRAME);
	assert_ok(kri_wal_scan(path, &scan));
	assert_true(scan.void_end);
	assert_int_equal(scan.last_commit_frame, from);
}

/* Three samples, and one more of the next boot, whose frames come last in both logs. */
static uint64_t make_two_runs(struct rig *rig, int64_t *ret_segment_frames, int64_t *ret_state_frames)
{
	make_store(rig, 3);
	*ret_segment_frames = count_frames(segment_path(rig));
	kryos_fake_clock_reboot(rig->clock);
	start(rig);
	rig_append(rig, rig->fridge, 4);
	rig_stop(rig);
	kryos_fake_clock_reboot(rig->clock);
	*ret_state_frames = count_frames(state_path(rig));
	return make_store(rig, 1);
}

static void a_void_end_of_a_log_ends_the_epoch(void **state)
{
	struct rig *rig = *state;
	int64_t segment, whole;
	uint64_t epoch;

	/* The last commits of the segment: "closed" knows of them. */
	epoch = make_two_runs(rig, &segment, &whole);
	blank(segment_path(rig), segment, count_frames(segment_path(rig)));
	assert_true(reopen(rig, epoch).new_epoch);
	assert_int_equal(ask(rig, "SELECT last_seq - first_seq FROM gap"), 1);
	rig_remove(rig);

	/* Nothing knows: ids that may have been there are not given again all the same. */
	epoch = make_two_runs(rig, &segment, &whole);
	blank(segment_path(rig), segment, count_frames(segment_path(rig)));
	put_meta(rig, "closed", NULL);
	assert_true(reopen(rig, epoch).new_epoch);
	rig_remove(rig);

	/* A log that ends is what a cut leaves. */
	epoch = make_two_runs(rig, &segment, &whole);
	assert_int_equal(truncate(log_of(segment_path(rig)), KRI_WAL_HEADER + segment * FRAME), 0);
	put_meta(rig, "closed", NULL);
	assert_false(reopen(rig, epoch).new_epoch);
	rig_remove(rig);

	/* That of state.db. */
	epoch = make_two_runs(rig, &segment, &whole);
	assert_true(count_frames(state_path(rig)) > whole);
	blank(state_path(rig), whole, count_frames(state_path(rig)));
	assert_true(reopen(rig, epoch).new_epoch);
	assert_string_equal(get_meta(rig, "unmended"), "");
	rig_remove(rig);
}

/* Before anything of a segment was written from its log into its file, the file does not say that it had rows. */
static void a_log_that_is_gone_is_known_by_the_channels_in_state_db_or_by_its_size(void **state)
{
	struct kri_segment *segment;
	struct rig *rig = *state;
	struct found found;
	int64_t frames;
	uint64_t epoch;

	epoch = make_store(rig, 3);
	put_meta(rig, "closed", NULL);
	assert_int_equal(unlink(log_of(segment_path(rig))), 0);
	found = reopen(rig, epoch);
	assert_true(found.new_epoch);
	assert_int_equal(found.gaps, 1);
	assert_int_equal(found.first, 1);
	assert_true(found.last >= 3 && found.next_seq > found.last);
	rig_remove(rig);

	/* Without its channels: the process ended before they were noted, or state.db is lost as well. */
	epoch = make_store(rig, 40);
	put_meta(rig, "closed", NULL);
	rig_sql(state_path(rig), "DELETE FROM channel");
	frames = count_frames(segment_path(rig));
	blank_file(log_of(segment_path(rig)));
	found = reopen(rig, epoch);
	assert_true(found.new_epoch);
	assert_int_equal(found.gaps, 1);
	assert_int_equal(found.first, 1);
	assert_in_range(found.last, 40, 8 * frames);
	assert_true(found.next_seq > found.last);
	rig_remove(rig);

	/* Nothing tells; but no id is given again. */
	epoch = make_store(rig, 3);
	put_meta(rig, "closed", NULL);
	rig_sql(state_path(rig), "DELETE FROM channel");
	assert_int_equal(unlink(log_of(segment_path(rig))), 0);
	found = reopen(rig, epoch);
	assert_true(found.new_epoch);
	assert_int_equal(found.gaps, 0);
	rig_remove(rig);

	/* A cut while a segment is begun may leave zeros too: there is no room for rows in them. */
	epoch = make_store(rig, 3);
	assert_ok(kri_segment_create(&segment, in(rig->path, "00000000000000000004.seg"), 4, epoch, "", NULL, 0));
	kri_segment_close(segment);
	blank_file(log_of(in(rig->path, "00000000000000000004.seg")));
	found = reopen(rig, epoch);
	assert_int_equal(found.gaps, 0);
}

/* What an earlier round left behind the last commit is none. */
static void old_frames_behind_the_last_commit_end_no_epoch(void **state)
{
	struct rig *rig = *state;
	struct stat status;
	uint64_t epoch;

	start(rig);
	for (int i = 0; i < 40; i++)
		rig_append(rig, rig->fridge, i);
	rig_sql(segment_path(rig), "PRAGMA wal_checkpoint"); /* so the next commit begins the log anew */
	rig_append(rig, rig->fridge, 40);
	epoch = rig_status(rig).epoch;
	rig_stop(rig);
	assert_int_equal(stat(log_of(segment_path(rig)), &status), 0);
	assert_true(status.st_size / FRAME > count_frames(segment_path(rig)) + 10);
	assert_false(reopen(rig, epoch).new_epoch);
}

enum { TAIL_ROWS = 40, TAIL_FIRST = 4 };

/* A commit that was durable lost one page since: most of its rows can be read, and are nowhere else. */
static void tear_tail(struct rig *rig)
{
	struct kryos_sample samples[TAIL_ROWS];
	struct kri_wal_scan scan;
	char junk[512];
	int64_t before;

	make_store(rig, TAIL_FIRST - 1);
	before = count_frames(segment_path(rig));
	kryos_fake_clock_reboot(rig->clock);
	start(rig);
	for (int i = 0; i < TAIL_ROWS; i++)
		samples[i] = rig_sample(rig->fridge, i);
	assert_ok(kryos_store_append(rig->store, samples, TAIL_ROWS));
	assert_int_equal(samples[0].seq, TAIL_FIRST);
	rig_stop(rig);
	memset(junk, 0xa5, sizeof(junk));
	write_at(log_of(segment_path(rig)), junk, sizeof(junk), KRI_WAL_HEADER + (before + 3) * FRAME + 24);
	assert_ok(kri_wal_scan(segment_path(rig), &scan));
	assert_true(scan.broken && scan.in_last_transaction);
}

/* Each seq of the tail has a row or a gap. How many have a row. */
static int check_tail(struct rig *rig)
{
	bool there[TAIL_FIRST + TAIL_ROWS] = { false };
	const struct kryos_record *record;
	struct kryos_reader *reader;
	char sql[100];
	int rows = 0;

	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next(reader, &record) > 0) {
		assert_in_range(record->seq, 1, TAIL_FIRST + TAIL_ROWS - 1);
		there[record->seq] = true;
	}
	kryos_reader_close(reader);
	for (int64_t seq = TAIL_FIRST; seq < TAIL_FIRST + TAIL_ROWS; seq++) {
		int64_t gaps;

		snprintf(sql, sizeof(sql), "SELECT count(*) FROM gap WHERE %" PRId64 " BETWEEN first_seq AND last_seq",
		         seq);
		gaps = ask(rig, sql);
		if (gaps != !there[seq])
			fail_msg("seq %" PRId64 " has %s row and %" PRId64 " gaps", seq, there[seq] ? "a" : "no", gaps);
		rows += there[seq];
	}
	return rows;
}

/* The commit of what can be read is durable before the gap is: nothing but state.db knows of it then. */
static void a_cut_after_the_tail_was_taken_up_costs_neither_rows_nor_the_gap(void **state)
{
	struct rig *rig = *state;
	char own[sizeof(rig->path)];
	uint64_t version = 0;
	int rows, cuts = 0;
	size_t count;

	tear_tail(rig);
	kryos_fake_clock_reboot(rig->clock);
	cutvfs_record(rig->vfs, rig->path);
	start(rig);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	cutvfs_stop(rig->vfs);
	count = cutvfs_count(rig->vfs);
	rows = check_tail(rig);
	assert_in_range(rows, 1, TAIL_ROWS - 1);
	rig_stop(rig);
	strcpy(own, rig->path);
	for (enum cut_mode mode = 0; mode < CUT_MODE_COUNT; mode++) {
		struct cut_replay *replay = cut_replay_new(rig->vfs, mode, 20261120);

		for (size_t cut = 0; cut <= count; cut++) {
			cut_replay_to(replay, cut);
			if (cut && cut_replay_version(replay) == version)
				continue;
			version = cut_replay_version(replay);
			snprintf(rig->path, sizeof(rig->path), "%s", in(rig->folder, "cut"));
			cut_replay_write(replay, rig->path);
			kryos_fake_clock_reboot(rig->clock);
			start(rig);
			assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
			/* Fewer where the cut tore that commit, which is written over the rows it is made of. */
			assert_in_range(check_tail(rig), 1, rows);
			rig_stop(rig);
			strcpy(rig->path, own);
			cuts++;
		}
		cut_replay_free(replay);
	}
	print_message("%d cuts\n", cuts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_setup_cut, rig_teardown)
		CASE(a_store_that_was_closed_in_order_knows_how_far_its_rows_go),
		CASE(a_closed_that_cannot_be_is_not_believed),
		CASE(a_row_with_a_wrong_checksum_is_taken_out_and_said),
		CASE(skipped_seqs_are_not_taken_for_lost),
		CASE(a_skipped_that_says_too_little_or_nothing_hides_no_loss),
		CASE(a_seq_that_two_lists_have_hides_no_loss),
		CASE(what_was_passed_over_is_noted_and_grows),
		CASE(what_is_unmended_is_made_again_and_then_forgotten),
		CASE(seqs_that_are_unread_become_a_gap_once_and_are_passed_over),
		CASE(an_unread_that_is_no_list_of_seqs_is_not_believed),
		CASE(a_void_end_of_a_log_ends_the_epoch),
		CASE(a_log_that_is_gone_is_known_by_the_channels_in_state_db_or_by_its_size),
		CASE(old_frames_behind_the_last_commit_end_no_epoch),
		CASE(a_cut_after_the_tail_was_taken_up_costs_neither_rows_nor_the_gap),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
