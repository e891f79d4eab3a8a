/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include <fcntl.h>
#include <kryos/alarm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void what_was_appended_is_there_after_reopening(void **state)
{
	struct rig *rig = *state;
	/* A bit that nobody knows yet stays. */
	static const uint32_t alarms[] = { 0, 1u << KRYOS_RULE_HEAT | 1u << KRYOS_RULE_FREEZE, UINT32_MAX };
	struct kryos_sample samples[3];
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int64_t wall_ns;

	rig_start(rig, NULL);
	for (int i = 0; i < 3; i++)
		samples[i] = (struct kryos_sample){ .channel = i == 2 ? rig->room : rig->fridge,
			                            .value_micro = 5250000 - i,
			                            .round = 7,
			                            .alarm = alarms[i],
			                            .quality = i == 1 ? KRYOS_QUALITY_CRC : 0 };
	assert_ok(kri_store_set_place(rig->store, rig->fridge, "vaccine"));
	assert_ok(kryos_store_append(rig->store, samples, 3));
	assert_int_equal(samples[2].seq, samples[0].seq + 2);
	assert_int_equal(samples[0].boot, 1);
	assert_int_equal(samples[0].trust, KRYOS_TRUST_SYNCED);
	assert_int_equal(samples[0].t_wall_ns, RIG_START_NS);
	rig_stop(rig);

	rig_start(rig, NULL);
	assert_int_equal(kri_store_get_last_round(rig->store), 7);
	assert_int_equal(kri_store_get_trusted_end(rig->store, &wall_ns), samples[2].seq);
	assert_int_equal(wall_ns, RIG_START_NS);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kryos_reader_next(reader, &record), 1);
		assert_int_equal(record->seq, samples[i].seq);
		assert_int_equal(record->sample.value_micro, 5250000 - i);
		assert_int_equal(record->sample.quality, samples[i].quality);
		assert_int_equal(record->sample.round, 7);
		assert_int_equal(record->sample.alarm, alarms[i]);
		assert_int_equal(record->sample.t_boot_ns, samples[i].t_boot_ns);
		assert_string_equal(record->channel, i == 2 ? "room.temperature" : "fridge.temperature");
		assert_string_equal(record->place, i == 2 ? "" : "vaccine");
		assert_string_equal(record->unit, "Cel");
	}
	assert_int_equal(kryos_reader_next(reader, &record), 0);
	/* A reader follows what is appended later. */
	rig_append_minutes(rig, 1);
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_true(record->seq > samples[2].seq);
}

static void new_channels_in_the_middle_of_a_commit_keep_the_chain_whole(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result = { .size = sizeof(result) };
	struct kryos_sample samples[4];

	rig_start(rig, NULL);
	for (int i = 0; i < 4; i++)
		samples[i] = (struct kryos_sample){ .channel = i & 1 ? rig->room : rig->fridge, .value_micro = i };
	assert_ok(kryos_store_append(rig->store, samples, 4));
	assert_ok(kryos_verify(rig->ctx, rig->path, &result));
	assert_string_equal(result.first_problem, "");
	assert_int_equal(result.samples, 4);
}

static void each_append_costs_one_sync(void **state)
{
	struct rig *rig = *state;
	struct kryos_store_status before, after;

	rig_start(rig, NULL);
	rig_append_minutes(rig, 1);
	before = rig_status(rig);
	rig_append_minutes(rig, 100);
	after = rig_status(rig);
	assert_int_equal(after.commits - before.commits, 100);
	assert_int_equal(after.commit_syncs - before.commit_syncs, 100);
	assert_int_equal(after.checkpoint_syncs - before.checkpoint_syncs, 0);
	assert_int_equal(after.accepted, 101);
}

static void accepted_samples_are_announced(void **state)
{
	struct rig *rig = *state;
	const struct kryos_event *event;
	struct kryos_sample sample;
	int seen = 0;

	rig_start(rig, NULL);
	sample = rig_sample(rig->fridge, 42);
	assert_ok(kryos_store_submit(rig->store, &sample, 1));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	assert_ok(kryos_ctx_process(rig->ctx));
	while (kryos_ctx_next_event(rig->ctx, &event) > 0) {
		if (event->type != KRYOS_EVENT_SAMPLE)
			continue;
		assert_int_equal(event->sample.value_micro, 42);
		assert_string_equal(event->name, "fridge.temperature");
		assert_true(event->sample.seq > 0);
		seen++;
	}
	assert_int_equal(seen, 1);
}

static void bad_samples_are_refused_whole(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[2];

	rig_start(rig, NULL);
	samples[0] = rig_sample(rig->fridge, 1);
	samples[1] = rig_sample(rig->fridge, 2);
	samples[1].channel = 99;
	assert_fails(-EINVAL, kryos_store_append(rig->store, samples, 2));
	assert_says(-EINVAL, "channel 99 was never added");
	assert_int_equal(samples[0].seq, 0);
	samples[1] = rig_sample(rig->fridge, 2);
	samples[1].quality = 200;
	assert_fails(-EINVAL, kryos_store_append(rig->store, samples, 2));
	assert_fails(-EINVAL, kryos_store_append(rig->store, samples, 0));
	assert_fails(-EINVAL, kryos_store_append(rig->store, samples, 4097));
	assert_fails(-EINVAL, kryos_store_append(NULL, samples, 1));
	assert_int_equal(rig_status(rig).accepted, 0);
}

static void a_second_process_is_told_who_writes(void **state)
{
	struct rig *rig = *state;
	char expected[64];
	int status;
	pid_t pid;

	rig_start(rig, NULL);
	snprintf(expected, sizeof(expected), "process %ld", (long)getpid());
	pid = fork();
	if (pid == 0) {
		struct kryos_ctx *ctx;
		struct kryos_store *store;
		int r = kryos_ctx_new(&ctx, NULL);

		r = r < 0 ? r : kryos_store_open(&store, ctx, rig->path, NULL);
		_exit(r == -EBUSY && strstr(kryos_strerror(r), expected) ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	rig_append_minutes(rig, 1);
}

static void unusable_folders_are_named(void **state)
{
	struct rig *rig = *state;
	struct kryos_store *store = NULL;
	int fd;

	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	assert_fails(-ENOENT, kryos_store_open(&store, rig->ctx, in(rig->folder, "a/b/c"), NULL));
	assert_says(-ENOENT, "a/b/c");
	fd = open(in(rig->folder, "file"), O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_fails(-ENOTDIR, kryos_store_open(&store, rig->ctx, in(rig->folder, "file"), NULL));
	assert_fails(-EINVAL,
	             kryos_store_open(&store, rig->ctx, in(rig->folder, "s"), KRYOS_STORE_CONFIG(.keep_ns = 5)));
	assert_says(-EINVAL, "keep_ns");
	assert_null(store);
}

static bool sealed_two(void *data)
{
	struct rig *rig = data;
	int closed = 0;

	pthread_mutex_lock(&rig->store->lock);
	for (int i = 0; i < rig->store->segment_count; i++)
		closed += rig->store->segments[i].closed;
	pthread_mutex_unlock(&rig->store->lock);
	return closed >= 2;
}

static void a_folder_that_is_relative_stays_the_same_after_a_chdir(void **state)
{
	struct rig *rig = *state;
	char here[4096], path[4096];

	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(path, sizeof(path), "%s", rig->path);
	assert_int_equal(chdir(rig->folder), 0);
	snprintf(rig->path, sizeof(rig->path), "%s", strrchr(path, '/') + 1);
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .keep_ns = KRYOS_DAYS(1)));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	assert_int_equal(chdir("/"), 0);
	memcpy(rig->path, path, sizeof(path));
	rig_append_minutes(rig, 2);
	rig_rotate(rig);
	rig_append_minutes(rig, 2);
	rig_stop(rig);
	assert_int_equal(chdir(here), 0);
	rig_start(rig, NULL);
	assert_int_equal(rig_count(rig), 4);
}

static void segments_rotate_by_age_and_are_sealed_so_that_anyone_can_check(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result = { .size = sizeof(result) };
	struct stat status;
	char path[5000];

	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10)));
	for (int i = 0; i < 4; i++) {
		rig_append_minutes(rig, 12);
		process_for(rig->ctx, 30);
	}
	assert_true(process_until(rig->ctx, sealed_two, rig, 20000));
	snprintf(path, sizeof(path), "%s/%020d.seg", rig->path, (int)rig->store->segments[0].first_seq);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0440);
	assert_ok(kryos_verify(rig->ctx, rig->path, &result));
	assert_string_equal(result.first_problem, "");
	assert_int_equal(result.samples, 48);
	assert_true(KRYOS_WITH_CRYPTO ? result.sealed >= 2 : result.sealed == 0);
	assert_int_equal(result.bad_rows + result.bad_links + result.bad_seals, 0);
	assert_int_equal(rig_count(rig), 48);
	assert_int_equal(rig_status(rig).samples, 48);
	rig_stop(rig);
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10)));
	rig_append_minutes(rig, 3);
	assert_int_equal(rig_count(rig), 51);
	assert_int_equal(rig_status(rig).samples, 51);
}

static void a_sealed_segment_that_is_gone_is_a_gap_and_no_good_store(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result = { .size = sizeof(result) };
	const struct kryos_event *event;
	struct kri_segment_info gone;
	char path[5000];
	int gaps;

	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10)));
	for (int i = 0; i < 4; i++) {
		rig_append_minutes(rig, 12);
		process_for(rig->ctx, 30);
	}
	assert_true(process_until(rig->ctx, sealed_two, rig, 20000));
	gone = rig->store->segments[1];
	assert_int_equal(rig_status(rig).first_wall_ns, RIG_START_NS);
	rig_stop(rig);
	snprintf(path, sizeof(path), "%s/%020d.seg", rig->path, (int)gone.first_seq);
	assert_int_equal(unlink(path), 0);
	for (int round = 0; round < 2; round++) {
		rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10)));
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
		gaps = 0;
		while (kryos_ctx_next_event(rig->ctx, &event) > 0) {
			if (event->type != KRYOS_EVENT_GAP)
				continue;
			assert_int_equal(event->first_seq, gone.first_seq);
			assert_int_equal(event->last_seq, gone.last_seq);
			gaps++;
		}
		assert_int_equal(gaps, round == 0);
		assert_ok(kryos_verify(rig->ctx, rig->path, &result));
		assert_true(result.bad_links > 0);
		assert_non_null(strstr(result.first_problem, "is missing"));
		rig_stop(rig);
	}
}

static void a_changed_value_is_found_by_verify(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result = { .size = sizeof(result) };
	char path[5000];

	rig_start(rig, NULL);
	rig_append_minutes(rig, 5);
	snprintf(path, sizeof(path), "%s/%020d.seg", rig->path, (int)rig->store->segments[0].first_seq);
	rig_stop(rig);
	rig_sql(path, "UPDATE sample SET value_micro=99 WHERE value_micro=2");
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	assert_ok(kryos_verify(rig->ctx, path, &result));
	assert_int_equal(result.bad_rows, 1);
	assert_int_equal(result.bad_links, KRYOS_WITH_CRYPTO);
	assert_non_null(strstr(result.first_problem, "wrong checksum of the row with seq"));
}

static void a_boot_later_found_out_of_time_is_corrected_on_reading(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int64_t boot;

	/* The clock says 2026, but nothing vouches for it; it is a year off. */
	kryos_fake_clock_set_synced(rig->clock, 0);
	rig_start(rig, NULL);
	rig_append_minutes(rig, 2);
	boot = kryos_fake_clock_boot_ns(rig->clock);
	kryos_fake_clock_set_wall(rig->clock, RIG_START_NS + KRYOS_DAYS(365));
	kryos_fake_clock_set_synced(rig->clock, 1);
	kri_clock_refresh(rig->ctx);
	rig_append_minutes(rig, 1);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_true(record->sample.flags & KRYOS_SAMPLE_CORRECTED);
	assert_int_equal(record->sample.t_wall_ns, RIG_START_NS + KRYOS_DAYS(365) - (boot - record->sample.t_boot_ns));
	assert_int_equal(record->sample.trust, KRYOS_TRUST_SYNCED);
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_false(record->sample.flags & KRYOS_SAMPLE_CORRECTED);
}

static void boots_are_counted_and_seqs_go_on(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;
	int64_t seq;

	rig_start(rig, NULL);
	sample = rig_sample(rig->fridge, 1);
	assert_ok(kryos_store_append(rig->store, &sample, 1));
	seq = sample.seq;
	rig_stop(rig);
	rig_start(rig, NULL);
	sample = rig_sample(rig->fridge, 2);
	assert_ok(kryos_store_append(rig->store, &sample, 1));
	assert_int_equal(sample.boot, 1); /* the program was restarted, not the board */
	assert_true(sample.seq > seq);
	seq = sample.seq;
	rig_stop(rig);
	kryos_fake_clock_reboot(rig->clock);
	rig_start(rig, NULL);
	sample = rig_sample(rig->fridge, 3);
	assert_ok(kryos_store_append(rig->store, &sample, 1));
	assert_int_equal(sample.boot, 2);
	assert_true(sample.seq > seq);
}

static void another_boards_store_goes_on_as_a_new_device(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result = { .size = sizeof(result) };
	char device[33];
	uint64_t epoch;

	rig_start(rig, KRYOS_STORE_CONFIG(.board = "one"));
	rig_append_minutes(rig, 3);
	memcpy(device, kri_store_get_device(rig->store), sizeof(device));
	epoch = rig_status(rig).epoch;
	rig_stop(rig);
	rig_start(rig, KRYOS_STORE_CONFIG(.board = "one"));
	assert_string_equal(kri_store_get_device(rig->store), device);
	assert_int_equal(rig_status(rig).epoch, epoch);
	rig_stop(rig);
	rig_start(rig, KRYOS_STORE_CONFIG(.board = "two"));
	assert_string_not_equal(kri_store_get_device(rig->store), device);
	assert_true(rig_status(rig).epoch != epoch);
	rig_append_minutes(rig, 3);
	assert_int_equal(rig_count(rig), 6);
	assert_ok(kryos_verify(rig->ctx, rig->path, &result));
	assert_string_equal(result.first_problem, "");
}

static void a_segment_of_a_newer_version_is_left_and_skipped(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	char path[5000];
	uint32_t newer;

	rig_start(rig, NULL);
	rig_append_minutes(rig, 3);
	snprintf(path, sizeof(path), "%s/%020d.seg", rig->path, (int)rig->store->segments[0].first_seq);
	rig_stop(rig);
	rig_sql(path, "PRAGMA user_version=9");
	rig_start(rig, NULL);
	rig_append_minutes(rig, 2);
	assert_int_equal(rig_status(rig).segments, 2);
	assert_int_equal(access(path, F_OK), 0);
	/* Who reads is told what it is: left out, and not damaged. */
	assert_int_equal(rig_count(rig), 2);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next(reader, &record) > 0)
		;
	assert_int_equal(kryos_reader_next(reader, &record), 0);
	assert_ok(kryos_reader_get_newer(reader, &newer));
	assert_int_equal(newer, 1);
}

static void a_lost_state_db_is_made_anew_with_another_epoch(void **state)
{
	struct rig *rig = *state;
	uint64_t epoch;

	rig_start(rig, NULL);
	rig_append_minutes(rig, 3);
	epoch = rig_status(rig).epoch;
	rig_stop(rig);
	unlink(in(rig->path, "state.db"));
	unlink(in(rig->path, "state.db-wal"));
	unlink(in(rig->path, "state.db-shm"));
	rig_start(rig, NULL);
	rig_append_minutes(rig, 2);
	assert_true(rig_status(rig).epoch != epoch);
	assert_int_equal(rig_count(rig), 5);
	rig_stop(rig);
	/* And a damaged one. */
	FILE *file = fopen(in(rig->path, "state.db"), "r+");
	fputs("this is no database, and never was one", file);
	fclose(file);
	unlink(in(rig->path, "state.db-wal"));
	rig_start(rig, NULL);
	rig_append_minutes(rig, 2);
	assert_int_equal(rig_count(rig), 7);
}

struct appender {
	struct rig *rig;
	int count;
};

static void *append_many(void *data)
{
	struct appender *appender = data;

	for (int i = 0; i < appender->count; i++) {
		struct kryos_sample sample = rig_sample(appender->rig->fridge, i);

		if (kryos_store_append(appender->rig->store, &sample, 1) < 0)
			return (void *)1;
	}
	return NULL;
}

static void threads_that_append_together_share_syncs(void **state)
{
	struct rig *rig = *state;
	struct appender appender = { rig, 100 };
	struct kryos_store_status status;
	pthread_t threads[8];
	void *failed;

	rig_start(rig, NULL);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, append_many, &appender), 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	status = rig_status(rig);
	assert_int_equal(status.accepted, 800);
	assert_true(status.commits < 500);
	assert_int_equal(rig_count(rig), 800);
}

struct beginning {
	sqlite3 *writer;
	int looks;
};

/* The writer ends what it has begun between the first two looks of whoever checks. */
static int end_writing(unsigned int type, void *data, void *statement, void *sql)
{
	struct beginning *beginning = data;

	(void)type;
	(void)statement;
	(void)sql;
	if (++beginning->looks == 2)
		assert_ok(kri_sql_exec(beginning->writer, "COMMIT"));
	return 0;
}

static void a_segment_that_begins_just_now_is_not_taken_for_a_damaged_one(void **state)
{
	struct rig *rig = *state;
	const char *path = in(rig->folder, "00000000000000000001.seg");
	struct beginning beginning = { .looks = 0 };
	sqlite3 *reader, *made;
	sqlite3_stmt *tables;

	assert_ok(kri_sql_open(&made, in(rig->folder, "made"), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
	assert_ok(kri_segment_make_tables(made, ""));
	assert_ok(kri_sql_prepare(made, &tables, "SELECT group_concat(sql, ';') FROM sqlite_master"));
	assert_int_equal(sqlite3_step(tables), SQLITE_ROW);
	assert_ok(kri_sql_open(&beginning.writer, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
	assert_ok(kri_sql_exec(beginning.writer, "PRAGMA journal_mode=WAL; BEGIN; PRAGMA user_version=1"));
	assert_ok(kri_sql_exec(beginning.writer, kri_sql_text(tables, 0)));
	sqlite3_finalize(tables);
	sqlite3_close(made);
	assert_ok(kri_sql_open_to_read(&reader, path));
	assert_fails(-ENOENT, kri_segment_check_format(reader, path));
	sqlite3_trace_v2(reader, SQLITE_TRACE_STMT, end_writing, &beginning);
	assert_ok(kri_segment_check_format(reader, path));
	assert_true(beginning.looks >= 2);
	sqlite3_close(reader);
	sqlite3_close(beginning.writer);
}

static void old_segments_are_removed_and_what_was_owed_becomes_a_gap(void **state)
{
	struct rig *rig = *state;
	const struct kryos_event *event;
	struct kryos_queue *queue;
	bool gap = false;

	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .keep_ns = KRYOS_HOURS(1)));
	assert_ok(kryos_queue_open(&queue, rig->store, "modem", NULL));
	for (int i = 0; i < 15; i++) {
		rig_append_minutes(rig, 12);
		process_for(rig->ctx, 20);
	}
	for (int i = 0; i < 200 && !gap; i++) {
		struct kryos_sample sample = rig_sample(rig->fridge, 1);

		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(61));
		assert_ok(kryos_store_append(rig->store, &sample, 1));
		process_for(rig->ctx, 10);
		while (kryos_ctx_next_event(rig->ctx, &event) > 0)
			gap |= event->type == KRYOS_EVENT_GAP;
	}
	assert_true(gap);
	/* The gap is announced before the files go. */
	for (int i = 0; i < 500 && rig_status(rig).first_seq == 1; i++)
		process_for(rig->ctx, 10);
	assert_true(rig_status(rig).first_seq > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_appended_is_there_after_reopening, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(new_channels_in_the_middle_of_a_commit_keep_the_chain_whole, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(each_append_costs_one_sync, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(accepted_samples_are_announced, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(bad_samples_are_refused_whole, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_second_process_is_told_who_writes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(unusable_folders_are_named, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_folder_that_is_relative_stays_the_same_after_a_chdir, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(segments_rotate_by_age_and_are_sealed_so_that_anyone_can_check,
		                                rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_sealed_segment_that_is_gone_is_a_gap_and_no_good_store, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(a_changed_value_is_found_by_verify, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_boot_later_found_out_of_time_is_corrected_on_reading, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(boots_are_counted_and_seqs_go_on, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(another_boards_store_goes_on_as_a_new_device, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_segment_of_a_newer_version_is_left_and_skipped, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(a_segment_that_begins_just_now_is_not_taken_for_a_damaged_one,
		                                rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_lost_state_db_is_made_anew_with_another_epoch, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(threads_that_append_together_share_syncs, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(old_segments_are_removed_and_what_was_owed_becomes_a_gap, rig_setup,
		                                rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
