/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment that begins among the seqs of a sealed one. A commit that failed leaves such, where its rows came to the
 * disk all the same: verify accuses nobody of that, whatever state.db knows of it; and who puts such a file there hides
 * no more by it.
 */
#include "rig.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char changed[600]; /* a copy that is changed */

static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
}

static void flush(struct rig *rig)
{
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
}

/* count samples in one commit, which fails with all its rows on the disk; they are kept in memory, with other ids. */
static void fail_commit(struct rig *rig, int count)
{
	struct kryos_sample samples[8];

	assert_in_range(count, 1, 8);
	for (int i = 0; i < count; i++)
		samples[i] = rig_sample(rig->fridge, 100 + i);
	cutvfs_fail(rig->vfs, CUT_CALL_SYNC, ".seg-wal", 1, SQLITE_IOERR_FSYNC, true);
	assert_int_equal(kryos_store_append(rig->store, samples, (size_t)count), KRYOS_EVOLATILE);
	cutvfs_fail(rig->vfs, CUT_CALL_SYNC, NULL, 0, 0, false);
	flush(rig);
}

static int64_t ask(const char *path, const char *sql)
{
	int64_t answer = 0;
	sqlite3 *db;

	assert_ok(kri_sql_open_to_read(&db, path));
	assert_ok(kri_sql_int(db, sql, &answer));
	sqlite3_close(db);
	return answer;
}

static int64_t first_of(struct rig *rig, int back)
{
	return rig->store->segments[rig->store->segment_count - 1 - back].first_seq;
}

/* Rows of the segment before from the number of this one on. */
static int64_t overlap(struct rig *rig, int back)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM sample WHERE seq >= %" PRId64, first_of(rig, back));
	return ask(rig_segment_path(rig, back + 1), sql);
}

static bool is_oldest_sealed(void *data)
{
	struct rig *rig = data;

	flush(rig);
	return rig_count_sealed(rig) == 1;
}

/* As while somebody reads it. */
static void put_off_sealing(struct rig *rig, int index)
{
	pthread_mutex_lock(&rig->store->lock);
	rig->store->segments[index].seal_at_ns = INT64_MAX;
	pthread_mutex_unlock(&rig->store->lock);
}

static void several_commits_that_failed_are_not_held_against_the_segments_behind_them(void **state)
{
	struct rig *rig = *state;

	start(rig);
	rig_append_minutes(rig, 3);
	fail_commit(rig, 4);
	assert_int_equal(overlap(rig, 0), 4);
	assert_true(process_until(rig->ctx, is_oldest_sealed, rig, 20000));
	assert_string_equal(rig_verify(rig).first_problem, "");
	rig_append_minutes(rig, 2);
	put_off_sealing(rig, 1);
	fail_commit(rig, 2);
	assert_int_equal(rig->store->segment_count, 3);
	assert_int_equal(overlap(rig, 0), 2);
	assert_string_equal(rig_verify(rig).first_problem, "");
	rig_wait_sealed(rig);
	assert_string_equal(rig_verify(rig).first_problem, "");
}

/* What state.db knew of it went with it. */
static void a_lost_state_db_makes_no_failed_commit_a_forgery(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result;

	start(rig);
	rig_append_minutes(rig, 3);
	fail_commit(rig, 4);
	assert_true(process_until(rig->ctx, is_oldest_sealed, rig, 20000));
	rig_stop(rig);
	assert_ok(kri_remove_db(in(rig->path, "state.db")));
	start(rig);
	assert_int_equal(rig->store->segment_count, 2);
	put_off_sealing(rig, 1);
	rig_append_minutes(rig, 1);
	result = rig_verify(rig);
	assert_int_equal(result.sealed, 1);
	if (strstr(result.first_problem, "is sealed"))
		fail_msg("%s", result.first_problem);
}

/* A copy of the store, and in it a file that begins with that seq, follows from what is before, and has no rows. */
static void hide_from(struct rig *rig, const char *sealed, int64_t number, int64_t seq)
{
	char *command = NULL, *sql = NULL, file[700];
	sqlite3 *db;

	snprintf(file, sizeof(file), "%s/%020" PRId64 ".seg", changed, seq);
	assert_true(asprintf(&command,
	                     "rm -rf '%s' && cp -a '%s' '%s' && chmod -R u+w '%s' && cp '%s' '%s' && chmod u+w '%s'",
	                     changed, rig->path, changed, changed, sealed, file, file) > 0);
	assert_int_equal(system(command), 0);
	free(command);
	assert_ok(kri_sql_open(&db, file, SQLITE_OPEN_READWRITE));
	assert_true(asprintf(&sql,
	                     "UPDATE header SET value='%" PRId64 "' WHERE key='previous_segment';"
	                     "UPDATE header SET value=(SELECT lower(hex(hash)) FROM sample WHERE seq<%" PRId64
	                     " AND hash IS NOT NULL ORDER BY seq DESC LIMIT 1) WHERE key='previous_hash';"
	                     "UPDATE header SET value='%" PRId64 "' WHERE key='first_seq';"
	                     "DELETE FROM sample; DELETE FROM boot; DELETE FROM channel; DELETE FROM seal",
	                     number, seq, seq) > 0);
	assert_ok(kri_sql_exec(db, sql));
	free(sql);
	sqlite3_close(db);
	/* The seqs are said to be nobody's. */
	assert_ok(kri_sql_open(&db, in(changed, "state.db"), SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_exec(db, "INSERT OR REPLACE INTO meta VALUES('claimed','1-1000',"
	                           "row_crc('meta','claimed','1-1000'))"));
	sqlite3_close(db);
}

static void no_file_hides_more_than_the_last_commit_that_is_sealed(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[3];
	char sealed[4200];
	int64_t number, last;

	snprintf(changed, sizeof(changed), "%s/changed", rig->folder);
	start(rig);
	rig_append_minutes(rig, 4);
	for (int i = 0; i < 3; i++)
		samples[i] = rig_sample(rig->fridge, i);
	assert_ok(kryos_store_append(rig->store, samples, 3));
	number = first_of(rig, 0);
	snprintf(sealed, sizeof(sealed), "%s", rig_segment_path(rig, 0));
	rig_rotate(rig);
	assert_true(process_until(rig->ctx, is_oldest_sealed, rig, 20000));
	rig_stop(rig);
	last = samples[2].seq;
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	for (int64_t seq = number + 1; seq <= last; seq++) {
		struct kryos_verify_result result = { .size = sizeof(result) };

		hide_from(rig, sealed, number, seq);
		assert_ok(kryos_verify(rig->ctx, changed, &result));
		if (seq == samples[0].seq ? *result.first_problem != '\0'
		                          : !strstr(result.first_problem, "which is sealed"))
			fail_msg("from %" PRId64 " on: \"%s\"", seq, result.first_problem);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_setup_cut, rig_teardown)
	const struct CMUnitTest tests[] = {
		CASE(several_commits_that_failed_are_not_held_against_the_segments_behind_them),
		CASE(a_lost_state_db_makes_no_failed_commit_a_forgery),
		CASE(no_file_hides_more_than_the_last_commit_that_is_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
