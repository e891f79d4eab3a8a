/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verify says of a copy that somebody made by hand: of one file under a name of his own, or of the folder without
 * all that belongs to it. Nobody is accused who changed nothing, and what is not there is missed.
 */
#include "rig.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char copied[600];
static char oldest[40], newest[40]; /* names of segments */

static void copy(struct rig *rig)
{
	char *command = NULL;

	assert_true(asprintf(&command, "rm -rf '%s' && cp -a '%s' '%s' && chmod -R u+w '%s'", copied, rig->path, copied,
	                     copied) > 0);
	assert_int_equal(system(command), 0);
	free(command);
}

/* A sealed segment, and an open one with all its rows in its log. */
static int setup(void **state)
{
	struct rig *rig;

	rig_setup(state);
	rig = *state;
	snprintf(copied, sizeof(copied), "%s/copied", rig->folder);
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_append_minutes(rig, 3);
	rig_rotate(rig);
	rig_append_minutes(rig, 3);
	rig_wait_sealed(rig);
	snprintf(oldest, sizeof(oldest), "%s", strrchr(rig_segment_path(rig, 1), '/') + 1);
	snprintf(newest, sizeof(newest), "%s", strrchr(rig_segment_path(rig, 0), '/') + 1);
	return 0;
}

static void expect(const char *path, const char *words)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	struct kryos_ctx *ctx;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_verify(ctx, path, &result));
	kryos_ctx_free(ctx);
	if (!strstr(result.first_problem, words) || (!*words && *result.first_problem))
		fail_msg("\"%s\" does not say \"%s\"", result.first_problem, words);
	assert_int_equal(*words != '\0', result.bad_rows || result.bad_links || result.bad_seals);
}

static void remove_log(const char *name)
{
	char log[60];

	snprintf(log, sizeof(log), "%s-wal", name);
	assert_int_equal(unlink(in(copied, log)), 0);
	snprintf(log, sizeof(log), "%s-shm", name);
	(void)!unlink(in(copied, log));
}

static void a_segment_by_itself_may_have_any_name(void **state)
{
	struct rig *rig = *state;
	static const char *const names[] = { "clinic.seg", "7.seg", "00000000000000000099.seg", "7 of July.seg" };

	rig_stop(rig);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(names); i++) {
		char path[700];

		copy(rig);
		snprintf(path, sizeof(path), "%s/%s", copied, names[i]);
		assert_int_equal(rename(in(copied, oldest), path), 0);
		expect(path, "");
		rig_sql(path, "UPDATE sample SET value_micro=7 WHERE seq=(SELECT max(seq) FROM sample)");
		expect(path, "wrong checksum of the row with seq");
	}
}

static bool are_channels_known(void *data)
{
	struct rig *rig = data;
	int64_t count = 0;
	char sql[80];
	sqlite3 *db;

	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM channel WHERE segment=%lld", atoll(newest));
	assert_ok(kri_sql_open_to_read(&db, in(rig->path, "state.db")));
	assert_ok(kri_sql_int(db, sql, &count));
	sqlite3_close(db);
	return count > 0;
}

static void a_copy_without_the_newest_segment_s_log_lacks_its_rows(void **state)
{
	struct rig *rig = *state;
	char words[80];

	snprintf(words, sizeof(words), "segment %lld has no rows", atoll(newest));
	/* Its channels are in state.db soon after its rows. */
	assert_true(process_until(rig->ctx, are_channels_known, rig, 20000));
	copy(rig);
	expect(copied, "");
	remove_log(newest);
	expect(copied, words);
	rig_stop(rig);
	copy(rig);
	remove_log(newest);
	expect(copied, words);
	copy(rig);
	remove_log(newest);
	assert_int_equal(unlink(in(copied, newest)), 0);
	snprintf(words, sizeof(words), "segment %lld is missing", atoll(newest));
	expect(copied, words);
}

/* Some of its rows are in the file itself. */
static void rows_behind_the_last_that_is_there_are_missed_where_the_store_was_closed(void **state)
{
	struct rig *rig = *state;

	rig_sql(rig_segment_path(rig, 0), "PRAGMA wal_checkpoint");
	rig_append_minutes(rig, 2);
	rig_stop(rig);
	copy(rig);
	expect(copied, "");
	remove_log(newest);
	expect(copied, "the store was closed after seq ");
}

static void a_file_that_is_none_is_named_once_and_an_empty_one_is_called_so(void **state)
{
	struct rig *rig = *state;
	char words[120];
	FILE *file;

	rig_stop(rig);
	copy(rig);
	file = fopen(in(copied, oldest), "w");
	fputs("hello", file);
	fclose(file);
	snprintf(words, sizeof(words), "%s: file is not a database", oldest);
	expect(copied, words);
	assert_int_equal(truncate(in(copied, oldest), 0), 0);
	snprintf(words, sizeof(words), "state.db: segment %lld is empty, and was sealed", atoll(oldest));
	expect(copied, words);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_segment_by_itself_may_have_any_name),
		CASE(a_copy_without_the_newest_segment_s_log_lacks_its_rows),
		CASE(rows_behind_the_last_that_is_there_are_missed_where_the_store_was_closed),
		CASE(a_file_that_is_none_is_named_once_and_an_empty_one_is_called_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
