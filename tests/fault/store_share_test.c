/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store among others: threads that append, processes that read, somebody who keeps a
 * statement open, users who may not write, users who may not even read.
 */
#include "rig.h"
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWNER = 65534, OTHER = 65533, EACH = 150 };

/* What a child found, in shared memory; the rig's own. */
struct outcome {
	int open, samples, next, events, next_event, queue, verify, store;
	char text[8][300];
	struct kryos_verify_result result;
};

static struct outcome *outcome_of(struct rig *rig)
{
	return rig->own;
}

static int setup(void **state)
{
	void *shared = mmap(NULL, sizeof(struct outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r = rig_setup(state);

	assert_true(shared != MAP_FAILED);
	((struct rig *)*state)->own = shared;
	return r;
}

static int teardown(void **state)
{
	munmap(((struct rig *)*state)->own, sizeof(struct outcome));
	return rig_teardown(state);
}

static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .keep_ns = KRYOS_HOURS(1)));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_open_queue(rig, NULL);
}

static void append(struct rig *rig, int count)
{
	for (int i = 0; i < count; i++)
		rig_append(rig, rig->fridge, i);
}

/* One sample, and a new segment: an empty one would stay. */
static void rotate(struct rig *rig)
{
	append(rig, 1);
	rig_rotate(rig);
}

/* Somebody's shell, in the middle of a long query. */
static sqlite3 *hold(const char *path)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM sample", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void let_go(sqlite3 *db)
{
	/* As a shell that ends: it may write the WAL back, and must not harm what is written meanwhile. */
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void check_all(struct rig *rig, uint64_t samples)
{
	struct kryos_verify_result result = { .size = sizeof(result) };

	assert_ok(kryos_verify(rig->ctx, rig->path, &result));
	assert_string_equal(result.first_problem, "");
	assert_int_equal(result.samples, samples);
}

/* All but the live one, and the one before, which somebody holds. */
static bool all_but_two_are_sealed(void *data)
{
	struct rig *rig = data;

	(void)rig_is_sealed(rig); /* wakes the writer */
	return rig_count_sealed(rig) == (int)rig_status(rig).segments - 2;
}

static void an_open_read_of_the_live_segment_delays_its_sealing_only(void **state)
{
	struct rig *rig = *state;
	sqlite3 *db;

	start(rig);
	append(rig, 3);
	rotate(rig);
	append(rig, 5);
	db = hold(rig_segment_path(rig, 0));
	/* The log grows past its limit, for nothing of it can be overwritten. */
	append(rig, 400);
	rig_wait_sealed(rig); /* the one before */
	rotate(rig);
	rotate(rig);
	rotate(rig);
	assert_true(process_until(rig->ctx, all_but_two_are_sealed, rig, 20000));
	assert_false(process_until(rig->ctx, rig_is_sealed, rig, 500));
	assert_true(rig_status(rig).segments >= 5);
	assert_true(all_but_two_are_sealed(rig));
	let_go(db);
	rig_wait_sealed(rig);
	check_all(rig, 3 + 5 + 400 + 4);
}

static bool begins_later(void *data)
{
	struct rig *rig = data;

	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20))); /* wakes the writer */
	return rig_status(rig).first_seq > 1;
}

static void an_open_read_holds_up_neither_appends_nor_retention(void **state)
{
	struct rig *rig = *state;
	int64_t began;
	sqlite3 *db;

	start(rig);
	rotate(rig);
	append(rig, 3);
	rotate(rig);
	db = hold(rig_segment_path(rig, 1));
	(void)process_until(rig->ctx, rig_is_sealed, rig, 1000);
	began = kri_real_ns();
	append(rig, 50);
	assert_in_range(kri_real_ns() - began, 0, KRYOS_SECONDS(3));
	assert_int_equal(rig_status(rig).first_seq, 1);
	assert_int_equal(rig_deliver(rig, INT_MAX), 55);
	for (int i = 0; i < 9; i++)
		rotate(rig);
	assert_true(process_until(rig->ctx, begins_later, rig, 20000)); /* older than an hour */
	let_go(db);
}

static void a_closed_segment_that_is_not_recorded_is_found_as_it_is(void **state)
{
	struct rig *rig = *state;
	struct stat status;
	char path[5000];
	sqlite3 *held;

	start(rig);
	rotate(rig);
	rotate(rig);
	rig_wait_sealed(rig);
	snprintf(path, sizeof(path), "%s", in(rig->path, "00000000000000000001.seg"));
	rig_stop(rig);
	/* As a cut between chmod and the commit of state.db leaves it. */
	assert_true(rig_sql(in(rig->path, "state.db"), "DELETE FROM seal") > 0);
	/* Nobody who reads it keeps the store from opening. */
	held = hold(path);
	start(rig);
	append(rig, 1);
	rig_wait_sealed(rig);
	let_go(held);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0440);
	check_all(rig, 3);
}

/* A child as that user, made before this process has threads, for a copy of a lock that is held is never let go. */
struct child {
	pid_t pid;
	int go;
};

static struct child child_new(struct rig *rig, uid_t user, gid_t group, int (*body)(struct rig *rig))
{
	struct child child;
	int ends[2];
	char byte;

	if (geteuid() != 0) {
		print_message("skipped: only root can become another user\n");
		skip();
	}
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		close(ends[1]);
		if (setgroups(0, NULL) || setresgid(group, group, group) || setresuid(user, user, user))
			_exit(99);
		_exit(read(ends[0], &byte, 1) == 1 ? body(rig) : 97);
	}
	close(ends[0]);
	child.go = ends[1];
	return child;
}

static void child_run(struct rig *rig, struct child child)
{
	int status;

	memset(outcome_of(rig), 0, sizeof(struct outcome));
	assert_int_equal(write(child.go, "", 1), 1);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	close(child.go);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("the child ended with status 0x%x: %s", (unsigned int)status, outcome_of(rig)->text[0]);
}

/* Runs body as that user in a child; skips where that can't be. */
static void as(struct rig *rig, uid_t user, gid_t group, int (*body)(struct rig *rig))
{
	assert_null(rig->ctx);
	child_run(rig, child_new(rig, user, group, body));
}

static int note(struct outcome *outcome, int index, int r)
{
	snprintf(outcome->text[index], sizeof(outcome->text[0]), "%s", r < 0 ? kryos_strerror(r) : "");
	return r;
}

enum { OPEN, NEXT, NEXT_EVENT, QUEUE, VERIFY, STORE };

/* Everything that somebody who may not write can ask for. */
static int look(struct rig *rig)
{
	struct kryos_queue_status queue = { .size = sizeof(queue) };
	struct outcome *outcome = rig->own;
	const char *path = rig->path;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_store *store;
	struct kryos_ctx *ctx;

	if (kryos_ctx_new(&ctx, NULL) < 0)
		return 98;
	outcome->open = note(outcome, OPEN, kryos_reader_open(&reader, ctx, path));
	if (outcome->open >= 0) {
		while ((outcome->next = note(outcome, NEXT, kryos_reader_next(reader, &record))) > 0)
			outcome->samples++;
		while ((outcome->next_event = note(outcome, NEXT_EVENT, kryos_reader_next_event(reader, &record))) > 0)
			outcome->events++;
		outcome->queue = note(outcome, QUEUE, kryos_reader_get_queue(reader, 0, &queue));
	}
	outcome->result.size = sizeof(outcome->result);
	outcome->verify = note(outcome, VERIFY, kryos_verify(ctx, path, &outcome->result));
	outcome->store = note(outcome, STORE, kryos_store_open(&store, ctx, path, NULL));
	kryos_ctx_free(ctx);
	return 0;
}

static void make_segments(struct rig *rig)
{
	start(rig);
	append(rig, 2);
	rotate(rig);
	rotate(rig);
	rig_wait_sealed(rig);
	assert_int_equal(chmod(rig->folder, 0755), 0);
	assert_int_equal(chmod(rig->path, 0750), 0);
}

static void expect_all(struct rig *rig)
{
	struct outcome *outcome = rig->own;

	assert_int_equal(outcome->open, 0);
	if (outcome->next || outcome->next_event || outcome->queue < 0 || outcome->verify < 0)
		fail_msg("%s|%s|%s|%s", outcome->text[NEXT], outcome->text[NEXT_EVENT], outcome->text[QUEUE],
		         outcome->text[VERIFY]);
	assert_int_equal(outcome->samples, 4);
	assert_true(outcome->events >= 2);
	assert_int_equal(outcome->result.samples, 4);
	assert_string_equal(outcome->result.first_problem, "");
	assert_int_equal(outcome->store, -EACCES);
	assert_non_null(strstr(outcome->text[STORE], "can't write in the folder"));
}

static void a_user_of_the_group_reads_and_verifies_with_and_without_a_writer(void **state)
{
	struct rig *rig = *state;
	struct child child = child_new(rig, OTHER, getgid(), look);

	make_segments(rig);
	child_run(rig, child);
	expect_all(rig);
	rig_stop(rig);
	as(rig, OTHER, getgid(), look);
	expect_all(rig);
	start(rig);
	append(rig, 1);
	check_all(rig, 5);
}

static void a_user_who_may_not_read_is_told_so_and_not_that_there_is_nothing(void **state)
{
	struct rig *rig = *state;
	struct child first = child_new(rig, OTHER, OTHER, look), second = child_new(rig, OTHER, OTHER, look);
	struct outcome *outcome = rig->own;

	make_segments(rig);
	child_run(rig, first);
	assert_int_equal(outcome->open, -EACCES);
	assert_int_equal(outcome->verify, -EACCES);
	/* The folder may be entered; closed segments are for owner and group. */
	assert_int_equal(chmod(rig->path, 0755), 0);
	child_run(rig, second);
	assert_int_equal(outcome->open, 0);
	assert_int_equal(outcome->samples, 0);
	assert_int_equal(outcome->next, -EACCES);
	assert_non_null(strstr(outcome->text[NEXT], "00000000000000000001.seg"));
	assert_non_null(strstr(outcome->text[NEXT], "Permission denied"));
	assert_int_equal(outcome->verify, -EACCES);
}

static void without_its_shm_file_a_log_is_not_readable_in_a_folder_that_is_not_writable(void **state)
{
	struct rig *rig = *state;
	struct outcome *outcome = rig->own;
	char command[5000];

	make_segments(rig);
	append(rig, 1);
	rig_stop(rig);
	snprintf(command, sizeof(command), "rm '%s'/store/*-shm", rig->folder);
	assert_int_equal(system(command), 0);
	as(rig, OTHER, getgid(), look);
	assert_int_equal(outcome->next, -EACCES);
	assert_non_null(strstr(outcome->text[NEXT], "-shm"));
	assert_int_equal(outcome->samples, 4); /* all that is closed */
	assert_int_equal(outcome->next_event, -EACCES);
	assert_int_equal(outcome->queue, -EACCES);
	assert_int_equal(outcome->verify, -EACCES);
	start(rig);
	check_all(rig, 5);
}

/* The segment with this sample is closed and so is all before it. (In a child nothing may be asserted.) */
static bool closed_behind(struct kryos_store *store, int64_t seq)
{
	bool closed;

	pthread_mutex_lock(&store->lock);
	closed = store->segments[store->segment_count - 1].first_seq > seq;
	for (int i = 0; i + 1 < store->segment_count; i++)
		closed = closed && store->segments[i].recorded;
	pthread_mutex_unlock(&store->lock);
	return closed;
}

/* The writer as an ordinary user: makes a store, or goes on in one. */
static int write_some(struct rig *rig)
{
	struct kryos_sample sample = { .channel = 0 };
	struct kryos_store *store;
	struct kryos_ctx *ctx;
	int r;

	r = kryos_ctx_new(&ctx, KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock));
	if (r >= 0)
		r = kryos_channel_add(ctx, "fridge.temperature", "Cel", &sample.channel);
	if (r >= 0)
		r = kryos_store_open(&store, ctx, rig->path,
		                     KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	if (r >= 0)
		r = kryos_store_append(store, &sample, 1);
	if (r >= 0) {
		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(601));
		sample.t_boot_ns = sample.t_wall_ns = 0;
		r = kryos_store_append(store, &sample, 1);
	}
	if (r >= 0)
		store->quiet_ns = KRYOS_MILLISECONDS(1);
	for (int i = 0; i < 2000 && r >= 0 && !closed_behind(store, sample.seq); i++) {
		r = kryos_store_flush(store, KRYOS_SECONDS(20));
		process_for(ctx, 5);
	}
	note(outcome_of(rig), 0, r);
	kryos_ctx_free(ctx);
	return r < 0;
}

static void another_users_shm_file_does_not_lock_the_writer_out(void **state)
{
	struct rig *rig = *state;
	struct stat status;
	char command[5000];

	assert_int_equal(chmod(rig->folder, 0777), 0);
	as(rig, OWNER, OWNER, write_some);
	snprintf(command, sizeof(command), "rm '%s'/store/*-shm; chmod 0770 '%s/store'", rig->folder, rig->folder);
	assert_int_equal(system(command), 0);
	as(rig, OTHER, OWNER, look);
	assert_int_equal(outcome_of(rig)->next, 0);
	assert_int_equal(stat(in(rig->path, "state.db-shm"), &status), 0);
	assert_int_equal(status.st_uid, OTHER);
	as(rig, OWNER, OWNER, write_some);
}

static void an_ordinary_user_goes_on_after_a_cut_between_chmod_and_record(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result = { .size = sizeof(result) };

	assert_int_equal(chmod(rig->folder, 0777), 0);
	as(rig, OWNER, OWNER, write_some);
	assert_true(rig_sql(in(rig->path, "state.db"), "DELETE FROM seal") > 0);
	as(rig, OWNER, OWNER, write_some);
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	assert_ok(kryos_verify(rig->ctx, rig->path, &result));
	assert_string_equal(result.first_problem, "");
	assert_int_equal(result.samples, 4);
}

static void a_folder_or_files_of_another_user_are_refused_with_the_reason(void **state)
{
	struct rig *rig = *state;

	make_segments(rig);
	rig_stop(rig);
	as(rig, OTHER, OTHER, look);
	assert_int_equal(outcome_of(rig)->store, -EACCES);
	/* The folder is ours by mode, the files in it are not. */
	assert_int_equal(chmod(rig->path, 0777), 0);
	as(rig, OTHER, OTHER, look);
	assert_int_equal(outcome_of(rig)->store, -EACCES);
	assert_non_null(strstr(outcome_of(rig)->text[STORE], "can't write in the folder: Permission denied"));
	assert_int_equal(chmod(in(rig->path, "lock"), 0666), 0);
	as(rig, OTHER, OTHER, look);
	assert_int_equal(outcome_of(rig)->store, -EACCES);
	assert_non_null(strstr(outcome_of(rig)->text[STORE], "device.key: Permission denied"));
	assert_int_equal(chmod(in(rig->path, "device.key"), 0666), 0);
	as(rig, OTHER, OTHER, look);
	assert_int_equal(outcome_of(rig)->store, -EROFS);
	if (!strstr(outcome_of(rig)->text[STORE], "state.db"))
		fail_msg("%s", outcome_of(rig)->text[STORE]);
	start(rig);
	check_all(rig, 4);
}

static void *append_each(void *data)
{
	struct rig *rig = data;

	for (int i = 0; i < EACH; i++) {
		struct kryos_sample sample = { .channel = rig->fridge, .value_micro = i };

		if (kryos_store_append(rig->store, &sample, 1) < 0)
			return data;
	}
	return NULL;
}

/* Follows the store from its beginning until everything has been seen, in order. */
static int follow(struct rig *rig)
{
	int64_t last = 0, end = kri_real_ns() + KRYOS_SECONDS(60);
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_ctx *ctx;
	int r = kryos_ctx_new(&ctx, NULL);

	while (r >= 0 && kri_real_ns() < end && (r = kryos_reader_open(&reader, ctx, rig->path)) == -ENOENT) {
		usleep(1000);
		r = 0;
	}
	while (r >= 0 && outcome_of(rig)->samples < 2 * EACH && kri_real_ns() < end) {
		r = kryos_reader_next(reader, &record);
		if (r == 0)
			usleep(500);
		if (r > 0 && record->seq <= last)
			r = KRYOS_EPROTO;
		if (r > 0) {
			last = record->seq;
			outcome_of(rig)->samples++;
		}
		r = r == -EBUSY ? 0 : r;
	}
	note(outcome_of(rig), 0, r);
	kryos_ctx_free(ctx);
	return r < 0 || outcome_of(rig)->samples != 2 * EACH;
}

static void threads_append_while_a_queue_delivers_and_another_process_reads(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	int64_t last = 0, end;
	pthread_t threads[2];
	int delivered = 0, status;
	void *failed;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(follow(rig));
	start(rig);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, append_each, rig), 0);
	end = kri_real_ns() + KRYOS_SECONDS(60);
	while (delivered < 2 * EACH && kri_real_ns() < end) {
		if (kryos_queue_next(rig->queue, &record) <= 0) {
			process_for(rig->ctx, 1);
			continue;
		}
		if (!record->event) {
			assert_true(record->seq > last);
			last = record->seq;
			delivered++;
		}
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
		if (delivered % 100 == 50)
			kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(601));
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(delivered, 2 * EACH);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("the reader saw %d of %d: %s", outcome_of(rig)->samples, 2 * EACH, outcome_of(rig)->text[0]);
	check_all(rig, 2 * EACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(threads_append_while_a_queue_delivers_and_another_process_reads, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(an_open_read_of_the_live_segment_delays_its_sealing_only, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(an_open_read_holds_up_neither_appends_nor_retention, setup, teardown),
		cmocka_unit_test_setup_teardown(a_closed_segment_that_is_not_recorded_is_found_as_it_is, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_user_of_the_group_reads_and_verifies_with_and_without_a_writer, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_user_who_may_not_read_is_told_so_and_not_that_there_is_nothing, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
			without_its_shm_file_a_log_is_not_readable_in_a_folder_that_is_not_writable, setup, teardown),
		cmocka_unit_test_setup_teardown(another_users_shm_file_does_not_lock_the_writer_out, setup, teardown),
		cmocka_unit_test_setup_teardown(an_ordinary_user_goes_on_after_a_cut_between_chmod_and_record, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_folder_or_files_of_another_user_are_refused_with_the_reason, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
