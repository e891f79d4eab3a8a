/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store among others: threads that append, processes that read, somebody who keeps a
 * statement open, users who may not write, users who may not even read.
 */
#include "store/private.h"
#include "support.h"
#include <grp.h>
#include <inttypes.h>
#include <kryos/testing/clock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WALL_NS KRYOS_SECONDS(INT64_C(1795166000))
enum { OWNER = 65534, OTHER = 65533, EACH = 150 };

struct rig {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_queue *queue;
	uint32_t channel;
	/* What a child found, in shared memory. */
	struct outcome {
		int open, samples, next, events, next_event, queue, verify, store;
		char text[8][300];
		struct kryos_verify_result result;
	} * outcome;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&rig->clock, WALL_NS));
	kryos_fake_clock_set_synced(rig->clock, 1);
	rig->outcome = mmap(NULL, sizeof(*rig->outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(rig->outcome != MAP_FAILED);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	kryos_ctx_free(rig->ctx);
	kryos_fake_clock_free(rig->clock);
	munmap(rig->outcome, sizeof(*rig->outcome));
	scratch_free(rig->folder);
	free(rig);
	return 0;
}

static void start(struct rig *rig)
{
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_channel_add(rig->ctx, "fridge.temperature", "Cel", &rig->channel));
	assert_ok(kryos_store_open(&rig->store, rig->ctx, in(rig->folder, "store"),
	                           KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .keep_ns = KRYOS_HOURS(1))));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	assert_ok(kryos_queue_open(&rig->queue, rig->store, "modem", NULL));
}

static void stop(struct rig *rig)
{
	kryos_ctx_free(rig->ctx); /* waits for the store's thread */
	rig->ctx = NULL;
}

static void append(struct rig *rig, int count)
{
	for (int i = 0; i < count; i++) {
		struct kryos_sample sample = { .channel = rig->channel, .value_micro = i };

		assert_ok(kryos_store_append(rig->store, &sample, 1));
	}
}

/* A little over ten minutes pass: the next idle moment begins a new segment. */
static void rotate(struct rig *rig)
{
	kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(601));
	append(rig, 1);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	process_for(rig->ctx, 20);
}

static int count_recorded(struct rig *rig, int *ret_all)
{
	int recorded = 0;

	pthread_mutex_lock(&rig->store->lock);
	for (int i = 0; i < rig->store->segment_count; i++) {
		recorded += rig->store->segments[i].recorded;
		rig->store->segments[i].seal_at_ns = 0; /* no need to wait for the next try */
	}
	*ret_all = rig->store->segment_count;
	pthread_mutex_unlock(&rig->store->lock);
	return recorded;
}

static bool all_sealed(void *data)
{
	struct rig *rig = data;
	int all;

	if (count_recorded(rig, &all) + 1 >= all)
		return true;
	return kryos_store_flush(rig->store, KRYOS_SECONDS(1)) < 0; /* wakes the writer */
}

/* Counted from the newest, which is 0. */
static const char *segment_path(struct rig *rig, int back)
{
	char name[64];

	pthread_mutex_lock(&rig->store->lock);
	snprintf(name, sizeof(name), "store/%020" PRId64 ".seg",
	         rig->store->segments[rig->store->segment_count - 1 - back].first_seq);
	pthread_mutex_unlock(&rig->store->lock);
	return in(rig->folder, name);
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

	assert_ok(kryos_verify(rig->ctx, in(rig->folder, "store"), &result));
	assert_string_equal(result.first_problem, "");
	assert_int_equal(result.samples, samples);
}

static void an_open_read_of_the_live_segment_delays_its_sealing_only(void **state)
{
	struct rig *rig = *state;
	struct kryos_store_status status = { .size = sizeof(status) };
	sqlite3 *db;
	int all;

	start(rig);
	append(rig, 3);
	rotate(rig);
	append(rig, 5);
	db = hold(segment_path(rig, 0));
	/* The log grows past its limit, for nothing of it can be overwritten. */
	append(rig, 400);
	assert_true(process_until(rig->ctx, all_sealed, rig, 5000)); /* the one before */
	rotate(rig);
	rotate(rig);
	rotate(rig);
	(void)process_until(rig->ctx, all_sealed, rig, 1000);
	assert_ok(kryos_store_get_status(rig->store, &status));
	assert_true(status.segments >= 5);
	assert_int_equal(count_recorded(rig, &all), (int)status.segments - 2); /* all but it and the live one */
	let_go(db);
	assert_true(process_until(rig->ctx, all_sealed, rig, 5000));
	check_all(rig, 3 + 5 + 400 + 4);
}

static void an_open_read_holds_up_neither_appends_nor_retention(void **state)
{
	struct rig *rig = *state;
	struct kryos_store_status status = { .size = sizeof(status) };
	const struct kryos_record *record;
	int64_t began, first;
	sqlite3 *db;

	start(rig);
	rotate(rig);
	append(rig, 3);
	rotate(rig);
	db = hold(segment_path(rig, 1));
	assert_true(process_until(rig->ctx, all_sealed, rig, 5000) || true);
	began = kri_real_ns();
	append(rig, 50);
	assert_in_range(kri_real_ns() - began, 0, KRYOS_SECONDS(3));
	assert_ok(kryos_store_get_status(rig->store, &status));
	first = status.first_seq;
	while (kryos_queue_next(rig->queue, &record) > 0)
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
	for (int i = 0; i < 9; i++)
		rotate(rig);
	assert_ok(kryos_store_get_status(rig->store, &status));
	assert_true(status.first_seq > first); /* older than an hour */
	let_go(db);
}

static void a_closed_segment_that_is_not_recorded_is_found_as_it_is(void **state)
{
	struct rig *rig = *state;
	struct stat status;
	char path[4096];
	sqlite3 *db, *held;

	start(rig);
	rotate(rig);
	rotate(rig);
	assert_true(process_until(rig->ctx, all_sealed, rig, 5000));
	snprintf(path, sizeof(path), "%s", in(rig->folder, "store/00000000000000000001.seg"));
	stop(rig);
	/* As a cut between chmod and the commit of state.db leaves it. */
	assert_int_equal(sqlite3_open(in(rig->folder, "store/state.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM seal", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	/* Nobody who reads it keeps the store from opening. */
	held = hold(path);
	start(rig);
	append(rig, 1);
	assert_true(process_until(rig->ctx, all_sealed, rig, 5000));
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

	memset(rig->outcome, 0, sizeof(*rig->outcome));
	assert_int_equal(write(child.go, "", 1), 1);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	close(child.go);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("the child ended with status 0x%x: %s", (unsigned int)status, rig->outcome->text[0]);
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
	struct outcome *outcome = rig->outcome;
	const char *path = in(rig->folder, "store");
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
	assert_true(process_until(rig->ctx, all_sealed, rig, 5000));
	assert_int_equal(chmod(rig->folder, 0755), 0);
	assert_int_equal(chmod(in(rig->folder, "store"), 0750), 0);
}

static void expect_all(struct rig *rig)
{
	struct outcome *outcome = rig->outcome;

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
	stop(rig);
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
	struct outcome *outcome = rig->outcome;

	make_segments(rig);
	child_run(rig, first);
	assert_int_equal(outcome->open, -EACCES);
	assert_int_equal(outcome->verify, -EACCES);
	/* The folder may be entered; closed segments are for owner and group. */
	assert_int_equal(chmod(in(rig->folder, "store"), 0755), 0);
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
	struct outcome *outcome = rig->outcome;
	char command[5000];

	make_segments(rig);
	append(rig, 1);
	stop(rig);
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
		r = kryos_store_open(&store, ctx, in(rig->folder, "store"),
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
	for (int i = 0; i < 3 && r >= 0; i++) {
		r = kryos_store_flush(store, KRYOS_SECONDS(5));
		process_for(ctx, 20);
	}
	note(rig->outcome, 0, r);
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
	assert_int_equal(rig->outcome->next, 0);
	assert_int_equal(stat(in(rig->folder, "store/state.db-shm"), &status), 0);
	assert_int_equal(status.st_uid, OTHER);
	as(rig, OWNER, OWNER, write_some);
}

static void an_ordinary_user_goes_on_after_a_cut_between_chmod_and_record(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result = { .size = sizeof(result) };
	sqlite3 *db;

	assert_int_equal(chmod(rig->folder, 0777), 0);
	as(rig, OWNER, OWNER, write_some);
	assert_int_equal(sqlite3_open(in(rig->folder, "store/state.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM seal", NULL, NULL, NULL), SQLITE_OK);
	assert_true(sqlite3_changes(db) > 0);
	sqlite3_close(db);
	as(rig, OWNER, OWNER, write_some);
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	assert_ok(kryos_verify(rig->ctx, in(rig->folder, "store"), &result));
	assert_string_equal(result.first_problem, "");
	assert_int_equal(result.samples, 4);
}

static void a_folder_or_files_of_another_user_are_refused_with_the_reason(void **state)
{
	struct rig *rig = *state;

	make_segments(rig);
	stop(rig);
	as(rig, OTHER, OTHER, look);
	assert_int_equal(rig->outcome->store, -EACCES);
	/* The folder is ours by mode, the files in it are not. */
	assert_int_equal(chmod(in(rig->folder, "store"), 0777), 0);
	as(rig, OTHER, OTHER, look);
	assert_int_equal(rig->outcome->store, -EACCES);
	assert_non_null(strstr(rig->outcome->text[STORE], "can't write in the folder: Permission denied"));
	assert_int_equal(chmod(in(rig->folder, "store/lock"), 0666), 0);
	as(rig, OTHER, OTHER, look);
	assert_int_equal(rig->outcome->store, -EACCES);
	assert_non_null(strstr(rig->outcome->text[STORE], "device.key: Permission denied"));
	assert_int_equal(chmod(in(rig->folder, "store/device.key"), 0666), 0);
	as(rig, OTHER, OTHER, look);
	assert_int_equal(rig->outcome->store, -EROFS);
	if (!strstr(rig->outcome->text[STORE], "state.db"))
		fail_msg("%s", rig->outcome->text[STORE]);
	start(rig);
	check_all(rig, 4);
}

static void *append_each(void *data)
{
	struct rig *rig = data;

	for (int i = 0; i < EACH; i++) {
		struct kryos_sample sample = { .channel = rig->channel, .value_micro = i };

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

	while (r >= 0 && kri_real_ns() < end &&
	       (r = kryos_reader_open(&reader, ctx, in(rig->folder, "store"))) == -ENOENT) {
		usleep(1000);
		r = 0;
	}
	while (r >= 0 && rig->outcome->samples < 2 * EACH && kri_real_ns() < end) {
		r = kryos_reader_next(reader, &record);
		if (r == 0)
			usleep(500);
		if (r > 0 && record->seq <= last)
			r = KRYOS_EPROTO;
		if (r > 0) {
			last = record->seq;
			rig->outcome->samples++;
		}
		r = r == -EBUSY ? 0 : r;
	}
	note(rig->outcome, 0, r);
	kryos_ctx_free(ctx);
	return r < 0 || rig->outcome->samples != 2 * EACH;
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
		fail_msg("the reader saw %d of %d: %s", rig->outcome->samples, 2 * EACH, rig->outcome->text[0]);
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
