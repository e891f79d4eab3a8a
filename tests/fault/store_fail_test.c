/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store on a disk that fails: the n-th call of each kind gives an error, once, or from then on
 * until the disk is back, for every n of a scripted run. Whatever fails, what append said is true: what it kept in
 * memory is accepted later, with the id it gave; nothing submitted is lost, no id stands for two things, and the next
 * open succeeds.
 */
#include "cutvfs_log.h"
#include "store/private.h"
#include "support.h"
#include <inttypes.h>
#include <kryos/testing/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 8 };
#else
enum { SLOWER = 1 };
#endif

enum { MAX_SEQ = 2048, MAX_VALUES = 256, EVENTS_FROM = 1000 };
#define WALL_NS KRYOS_SECONDS(INT64_C(1795166000))

enum fate { NEVER, SUBMITTED, ACCEPTED, REFUSED };

/* One trial. What is found wrong first is kept. */
struct run {
	struct cutvfs *vfs;
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_queue *queue;
	uint32_t channel;
	int value, event;
	enum fate fates[MAX_VALUES]; /* by value; events' by their number */
	enum fate event_fates[MAX_VALUES];
	bool acked[MAX_VALUES];
	int64_t seqs[MAX_VALUES]; /* of what was accepted */
	bool full;                /* the disk was: what is in a gap record may be gone */
	bool given_up[MAX_SEQ];
	int seen[MAX_VALUES];
	struct {
		int who; /* a value, or EVENTS_FROM and an event's number; 0: nobody */
		uint64_t epoch;
	} owners[MAX_SEQ];
	bool saw_error; /* an append failed */
	uint32_t take_volatile;
	char problem[400];
};

KRYOS_PRINTF(2, 3) static void trouble(struct run *run, const char *format, ...)
{
	va_list args;

	if (run->problem[0])
		return;
	va_start(args, format);
	vsnprintf(run->problem, sizeof(run->problem), format, args);
	va_end(args);
}

/* An id was seen to stand for that: now and for ever. */
static void claim(struct run *run, uint64_t epoch, int64_t seq, int who)
{
	if (seq < 1 || seq >= MAX_SEQ) {
		trouble(run, "seq %" PRId64 " was given", seq);
		return;
	}
	if (run->owners[seq].who && run->owners[seq].epoch == epoch && run->owners[seq].who != who)
		trouble(run, "seq %" PRId64 " stands for %d and for %d", seq, run->owners[seq].who, who);
	run->owners[seq].who = who;
	run->owners[seq].epoch = epoch;
}

static int value_of(struct run *run, const struct kryos_sample *sample)
{
	int64_t value = sample->value_micro / 1000003;

	if (sample->value_micro % 1000003 || value < 1 || value > run->value) {
		trouble(run, "seq %" PRId64 " has value %" PRId64 ", which was never handed in", sample->seq,
		        sample->value_micro);
		return 0;
	}
	return (int)value;
}

static int event_of(const struct kryos_event *event)
{
	return event->type == KRYOS_EVENT_AUDIT ? atoi(event->text) : 0;
}

static struct kryos_store_status status_of(struct run *run)
{
	struct kryos_store_status status = { .size = sizeof(status) };

	assert_ok(kryos_store_get_status(run->store, &status));
	return status;
}

static void take_news(struct run *run)
{
	const struct kryos_event *event;

	assert_ok(kryos_ctx_process(run->ctx));
	while (kryos_ctx_next_event(run->ctx, &event) > 0) {
		int value;

		if (event->type != KRYOS_EVENT_SAMPLE || !(value = value_of(run, &event->sample)))
			continue;
		if (run->fates[value] == REFUSED)
			trouble(run, "value %d was refused and announced", value);
		if (run->seqs[value] && run->seqs[value] != event->sample.seq)
			trouble(run, "value %d was given seq %" PRId64 " and is accepted as %" PRId64, value,
			        run->seqs[value], event->sample.seq);
		run->fates[value] = ACCEPTED;
		run->seqs[value] = event->sample.seq;
	}
}

static void append(struct run *run, size_t count)
{
	struct kryos_sample samples[16] = { 0 };
	int r, first = run->value + 1;

	for (size_t i = 0; i < count; i++)
		samples[i] = (struct kryos_sample){ .channel = run->channel, .value_micro = ++run->value * 1000003L };
	r = kryos_store_append(run->store, samples, count);
	run->saw_error |= r < 0;
	for (size_t i = 0; i < count; i++) {
		run->fates[first + (int)i] = r == KRYOS_EVOLATILE ? SUBMITTED : r < 0 ? REFUSED : ACCEPTED;
		run->seqs[first + (int)i] = samples[i].seq;
		if (!samples[i].seq != (run->fates[first + (int)i] == REFUSED))
			trouble(run, "append: %d, and seq %" PRId64, r, samples[i].seq);
		/* (The ring's epoch may have been written meanwhile: what was handed over then has it for ever.) */
		if (r >= 0 || r == KRYOS_EVOLATILE)
			claim(run, status_of(run).epoch, samples[i].seq, first + (int)i);
	}
	take_news(run);
}

static void submit(struct run *run)
{
	struct kryos_sample sample = { .channel = run->channel, .value_micro = ++run->value * 1000003L };

	run->fates[run->value] = SUBMITTED;
	if (kryos_store_submit(run->store, &sample, 1) < 0)
		trouble(run, "submit: %s", kryos_strerror(-EAGAIN));
}

static void add_event(struct run *run)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", ++run->event);
	run->event_fates[run->event] = SUBMITTED;
	if (kryos_store_add_event(run->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT, .text = text }) < 0)
		trouble(run, "event: %s", kryos_strerror(-EAGAIN));
}

/* Takes what the queue owes and acknowledges it. Reads may fail while the disk does. */
static void deliver(struct run *run, int count)
{
	const struct kryos_record *record;
	int64_t last = 0, last_volatile[2] = { 0 }; /* of samples, of events */

	while (count-- > 0 && kryos_queue_next(run->queue, &record) > 0) {
		int value = record->event ? event_of(record->event) : value_of(run, &record->sample);

		if (value)
			claim(run, record->epoch, record->seq, record->event ? EVENTS_FROM + value : value);
		/* What the disk can't give just now is overtaken by what is in memory. */
		if (record->flags & KRYOS_RECORD_VOLATILE) {
			if (record->seq <= last_volatile[record->event != NULL] || !run->take_volatile)
				trouble(run, "queue: seq %" PRId64 " must not come from memory", record->seq);
			last_volatile[record->event != NULL] = record->seq;
		} else if (!record->event) {
			if (record->seq <= last)
				trouble(run, "queue: seq %" PRId64 " comes after %" PRId64, record->seq, last);
			last = record->seq;
		}
		if (!record->event && value && run->fates[value] == REFUSED)
			trouble(run, "value %d was refused and is delivered", value);
		if (kryos_queue_ack(run->queue, record->seq) < 0)
			trouble(run, "ack: %s", kryos_strerror(-ENOENT));
		else if (!record->event && value)
			run->acked[value] = true;
	}
}

static bool all_sealed(void *data)
{
	struct run *run = data;
	bool sealed = true;

	take_news(run);
	pthread_mutex_lock(&run->store->lock);
	for (int i = 0; i + 1 < run->store->segment_count; i++)
		sealed &= run->store->segments[i].recorded;
	pthread_mutex_unlock(&run->store->lock);
	return sealed;
}

/* Gives idle work its time. What failed once is tried again only after seconds: not waited for. */
static void settle(struct run *run)
{
	(void)!kryos_store_flush(run->store, KRYOS_MILLISECONDS(cutvfs_failures(run->vfs) ? 4 : 500));
	(void)process_until(run->ctx, all_sealed, run, cutvfs_failures(run->vfs) ? 4 : 500);
}

static int open_store(struct run *run)
{
	int r;

	assert_ok(kryos_ctx_new(&run->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = run->clock)));
	assert_ok(kryos_channel_add(run->ctx, "fridge.temperature", "Cel", &run->channel));
	r = kryos_store_open(&run->store, run->ctx, run->folder,
	                     KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(1), .segment_bytes = 65536,
	                                        .board = "board-of-this-test"));
	if (r < 0)
		return r;
	run->store->retry_ns = KRYOS_MILLISECONDS(2);
	run->store->quiet_ns = KRYOS_MILLISECONDS(1);
	return kryos_queue_open(&run->queue, run->store, "modem",
	                        KRYOS_QUEUE_CONFIG(.take_volatile = run->take_volatile));
}

static void close_store(struct run *run)
{
	kryos_ctx_free(run->ctx);
	run->ctx = NULL;
	run->store = NULL;
	run->queue = NULL;
}

/* Three segments, all that a device does in them. */
static void work(struct run *run)
{
	for (int segment = 0; segment < 3; segment++) {
		append(run, 2);
		submit(run);
		add_event(run);
		append(run, 1);
		deliver(run, 4);
		settle(run);
		submit(run);
		kryos_fake_clock_advance(run->clock, KRYOS_SECONDS(61));
		append(run, 2);
		settle(run);
	}
}

static void note_gap(struct run *run, const struct kryos_event *gap)
{
	for (int64_t seq = gap->first_seq; seq <= gap->last_seq && seq < MAX_SEQ; seq++)
		run->given_up[seq] = true;
}

static void read_events(struct run *run, struct kryos_reader *reader)
{
	const struct kryos_record *record;

	while (kryos_reader_next_event(reader, &record) > 0) {
		int number = event_of(record->event);

		if (number) {
			claim(run, record->epoch, record->seq, EVENTS_FROM + number);
			run->event_fates[number] = ACCEPTED;
		}
		run->saw_error &= record->event->type != KRYOS_EVENT_STORE;
		if (record->event->type == KRYOS_EVENT_GAP)
			note_gap(run, record->event);
	}
	for (int number = 1; number <= run->event; number++)
		if (run->event_fates[number] != ACCEPTED)
			trouble(run, "event %d is not stored", number);
	if (run->saw_error)
		trouble(run, "an append failed and no stored event says so");
}

/* To make room what was delivered goes first, and then what a gap record names. */
static bool may_be_gone(const struct run *run, int value)
{
	return run->full && run->seen[value] == 0 && (run->acked[value] || run->given_up[run->seqs[value]]);
}

/* What is on the disk, read from outside. */
static void check_disk(struct run *run)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	const struct kryos_record *record;
	struct kryos_reader *reader;
	uint64_t damaged = 0;
	int64_t last = 0;
	int r;

	memset(run->seen, 0, sizeof(run->seen));
	assert_ok(kryos_reader_open(&reader, run->ctx, run->folder));
	read_events(run, reader);
	while ((r = kryos_reader_next(reader, &record)) > 0) {
		int value = value_of(run, &record->sample);

		if (record->seq <= last)
			trouble(run, "seq %" PRId64 " comes after %" PRId64, record->seq, last);
		last = record->seq;
		claim(run, record->epoch, record->seq, value);
		run->seen[value]++;
	}
	if (r < 0)
		trouble(run, "reading: %s", kryos_strerror(r));
	assert_ok(kryos_reader_get_damaged(reader, &damaged));
	if (damaged)
		trouble(run, "%" PRIu64 " rows can't be read", damaged);
	for (int value = 1; value <= run->value; value++) {
		if (run->fates[value] == ACCEPTED && run->seen[value] != 1 && !may_be_gone(run, value))
			trouble(run, "value %d was accepted and is there %d times", value, run->seen[value]);
		if (run->fates[value] == SUBMITTED)
			trouble(run, "value %d was submitted and never accepted", value);
		if (run->fates[value] == REFUSED && run->seen[value])
			trouble(run, "value %d was refused and is there", value);
	}
	kryos_reader_close(reader);
	r = kryos_verify(run->ctx, run->folder, &result);
	if (r < 0 || result.first_problem[0])
		trouble(run, "verify: %s", r < 0 ? kryos_strerror(r) : result.first_problem);
}

/* The disk is back: nothing is asked of anybody but to go on. */
static void check_recovery(struct run *run)
{
	int r = kryos_store_flush(run->store, KRYOS_SECONDS(5));

	if (r < 0)
		trouble(run, "flush after recovery: %s", kryos_strerror(r));
	append(run, 1);
	if (run->fates[run->value] != ACCEPTED)
		trouble(run, "append after recovery: %s", status_of(run).text);
	add_event(run);
	r = kryos_store_flush(run->store, KRYOS_SECONDS(5));
	if (r < 0 || status_of(run).error)
		trouble(run, "not healthy after recovery: %s", status_of(run).text);
	take_news(run);
	deliver(run, MAX_VALUES);
	check_disk(run);
	for (int value = 1; value <= run->value; value++)
		if (run->fates[value] == ACCEPTED && !run->acked[value] && !may_be_gone(run, value))
			trouble(run, "value %d was accepted and is not owed", value);
}

/* The same after a restart; what was acknowledged and committed is not owed any more. */
static void check_restart(struct run *run)
{
	const struct kryos_record *record;
	int r;

	if (kryos_queue_commit(run->queue) < 0)
		trouble(run, "commit after recovery");
	close_store(run);
	r = open_store(run);
	if (r < 0) {
		trouble(run, "open after recovery: %s", kryos_strerror(r));
		return;
	}
	while (kryos_queue_next(run->queue, &record) > 0)
		if (!record->event)
			trouble(run, "seq %" PRId64 " was acknowledged and is owed again", record->seq);
	append(run, 3);
	add_event(run);
	assert_ok(kryos_store_flush(run->store, KRYOS_SECONDS(5)));
	check_disk(run);
}

struct failure {
	enum cut_call call;
	const char *suffix;
	int n, error, system; /* system: errno; 0: EIO */
	bool forever;
};

static void run_free(struct run *run)
{
	cutvfs_fail(run->vfs, CUT_CALL_OPEN, NULL, 0, 0, false);
	close_store(run);
	kryos_fake_clock_free(run->clock);
	scratch_free(run->folder);
	free(run);
}

static const char *const call_names[] = { "open",   "read", "write", "sync",   "truncate", "delete",  "size",
	                                  "access", "path", "lock",  "unlock", "check",    "shm map", "shm lock" };

/* One failure. How often it struck; a problem is printed and counted. */
static int try_failure(struct cutvfs *vfs, const struct failure *failure, int *broken)
{
	struct run *run = calloc(1, sizeof(*run));
	int failures, r;

	run->vfs = vfs;
	run->full = failure->error == SQLITE_FULL || failure->system == ENOSPC;
	run->take_volatile = (uint32_t)failure->n & 1;
	run->folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&run->clock, WALL_NS));
	kryos_fake_clock_set_synced(run->clock, 1);
	cutvfs_fail(vfs, failure->call, failure->suffix, failure->n, failure->error, failure->forever);
	if (failure->system)
		cutvfs_fail_errno(vfs, failure->system);
	r = open_store(run);
	if (r < 0) {
		/* An open may fail while the disk does, and says so. */
		if (!cutvfs_failures(vfs))
			trouble(run, "open: %s", kryos_strerror(r));
		failures = cutvfs_failures(vfs);
		cutvfs_fail(vfs, failure->call, NULL, 0, 0, false);
		close_store(run);
		r = open_store(run);
		if (r < 0)
			trouble(run, "open once the disk is back: %s", kryos_strerror(r));
	} else {
		failures = 0;
	}
	if (r >= 0) {
		work(run);
		failures += cutvfs_failures(vfs);
		cutvfs_fail(vfs, failure->call, NULL, 0, 0, false);
		check_recovery(run);
		check_restart(run);
	}
	if (run->problem[0] && (*broken)++ < 5)
		print_error("%s %d of *%s fails with %d%s: %s\n", call_names[failure->call], failure->n,
		            failure->suffix ? failure->suffix : "", failure->error, failure->forever ? " for ever" : "",
		            run->problem);
	run_free(run);
	return failures;
}

/* How many such calls a healthy open makes. */
static int calls_of_open(struct cutvfs *vfs, const struct failure *failure)
{
	enum { PLENTY = 1000000 };
	struct run *run = calloc(1, sizeof(*run));
	int calls;

	run->vfs = vfs;
	run->folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&run->clock, WALL_NS));
	cutvfs_fail(vfs, failure->call, failure->suffix, PLENTY, failure->error, false);
	assert_ok(open_store(run));
	pthread_mutex_lock(&vfs->mutex);
	calls = PLENTY - vfs->fail.n;
	pthread_mutex_unlock(&vfs->mutex);
	run_free(run);
	return calls;
}

/* Every stride-th n (KRYOS_TEST_LONG=1: each) until the run is over before it. */
static int try_all(struct failure failure, int stride)
{
	struct cutvfs *vfs = cutvfs_new();
	int tried = 0, broken = 0, open = failure.forever ? calls_of_open(vfs, &failure) : 0;

	stride = getenv("KRYOS_TEST_LONG") ? 1 : stride * SLOWER;
	/* (A queue's open waits for its disk for seconds; a single failure shows the same.) */
	for (failure.n = open + 1; try_failure(vfs, &failure, &broken) && tried < 2000; tried++)
		failure.n += stride;
	print_message("%-8s %-5s %5d %3d: %4d failures, %d broken promises\n", call_names[failure.call],
	              failure.forever ? "ever" : "once", failure.error, failure.system, tried, broken);
	cutvfs_free(vfs);
	/* A call that the run never makes would prove nothing. */
	if (!failure.forever)
		assert_true(tried > 0);
	return broken;
}

static void a_failing_open_breaks_no_promise(void **state)
{
	(void)state;
	assert_int_equal(try_all((struct failure){ .call = CUT_CALL_OPEN, .error = SQLITE_CANTOPEN }, 1), 0);
	assert_int_equal(
		try_all((struct failure){ .call = CUT_CALL_OPEN, .error = SQLITE_CANTOPEN, .forever = true }, 1), 0);
}

static void a_failing_read_breaks_no_promise(void **state)
{
	(void)state;
	assert_int_equal(try_all((struct failure){ .call = CUT_CALL_READ, .error = SQLITE_IOERR_READ }, 4), 0);
}

static void a_failing_write_breaks_no_promise(void **state)
{
	(void)state;
	assert_int_equal(try_all((struct failure){ .call = CUT_CALL_WRITE, .error = SQLITE_IOERR_WRITE }, 4), 0);
	assert_int_equal(
		try_all((struct failure){ .call = CUT_CALL_WRITE, .error = SQLITE_IOERR_WRITE, .forever = true }, 5),
		0);
}

static void a_full_disk_breaks_no_promise(void **state)
{
	(void)state;
	assert_int_equal(try_all((struct failure){ .call = CUT_CALL_WRITE, .error = SQLITE_FULL }, 7), 0);
	assert_int_equal(try_all((struct failure){ .call = CUT_CALL_WRITE, .error = SQLITE_FULL, .forever = true }, 9),
	                 0);
}

static void a_failing_sync_breaks_no_promise(void **state)
{
	(void)state;
	assert_int_equal(try_all((struct failure){ .call = CUT_CALL_SYNC, .error = SQLITE_IOERR_FSYNC }, 1), 0);
	assert_int_equal(
		try_all((struct failure){ .call = CUT_CALL_SYNC, .error = SQLITE_IOERR_FSYNC, .forever = true }, 1), 0);
}

static void a_failing_truncate_or_delete_breaks_no_promise(void **state)
{
	(void)state;
	assert_int_equal(try_all((struct failure){ .call = CUT_CALL_TRUNCATE, .error = SQLITE_IOERR_TRUNCATE }, 1), 0);
	assert_int_equal(try_all((struct failure){ .call = CUT_CALL_DELETE, .error = SQLITE_IOERR_DELETE }, 1), 0);
	assert_int_equal(
		try_all((struct failure){ .call = CUT_CALL_DELETE, .error = SQLITE_IOERR_DELETE, .forever = true }, 1),
		0);
}

static void a_failing_question_about_a_file_breaks_no_promise(void **state)
{
	static const struct failure questions[] = {
		{ .call = CUT_CALL_SIZE, .error = SQLITE_IOERR_FSTAT },
		{ .call = CUT_CALL_ACCESS, .error = SQLITE_IOERR_ACCESS },
		{ .call = CUT_CALL_ACCESS, .error = SQLITE_NOTFOUND },
		{ .call = CUT_CALL_PATH, .error = SQLITE_CANTOPEN },
	};

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(questions); i++) {
		struct failure failure = questions[i];

		assert_int_equal(try_all(failure, 4), 0);
		failure.forever = true;
		assert_int_equal(try_all(failure, 11), 0);
	}
}

/* (SQLite asks who has a file's lock only where it finds a rollback journal, which this run never does.) */
static void a_failing_lock_breaks_no_promise(void **state)
{
	static const struct {
		enum cut_call call;
		int error, stride;
	} locks[] = {
		{ CUT_CALL_LOCK, SQLITE_IOERR_LOCK, 4 },
		{ CUT_CALL_UNLOCK, SQLITE_IOERR_UNLOCK, 4 },
		{ CUT_CALL_SHM_MAP, SQLITE_IOERR_SHMMAP, 2 },
		{ CUT_CALL_SHM_LOCK, SQLITE_IOERR_SHMLOCK, 17 },
	};

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(locks); i++) {
		struct failure failure = { .call = locks[i].call, .error = locks[i].error };

		assert_int_equal(try_all(failure, locks[i].stride), 0);
		failure.forever = true;
		assert_int_equal(try_all(failure, 2 * locks[i].stride + 1), 0);
	}
}

/* Without state.db there is no delivery state and no event, but measuring goes on. */
static void a_failing_state_db_breaks_no_promise(void **state)
{
	(void)state;
	assert_int_equal(try_all((struct failure){ .call = CUT_CALL_SYNC,
	                                           .suffix = "state.db-wal",
	                                           .error = SQLITE_IOERR_FSYNC,
	                                           .forever = true },
	                         1),
	                 0);
}

/* Whatever the kernel calls it: full, read-only from now on, gone (EIO is what the others above say). */
static void no_error_number_of_any_call_breaks_a_promise(void **state)
{
	static const struct {
		enum cut_call call;
		int error, stride;
	} calls[] = {
		{ CUT_CALL_OPEN, SQLITE_CANTOPEN, 5 },           { CUT_CALL_READ, SQLITE_IOERR_READ, 47 },
		{ CUT_CALL_WRITE, SQLITE_IOERR_WRITE, 41 },      { CUT_CALL_SYNC, SQLITE_IOERR_FSYNC, 11 },
		{ CUT_CALL_TRUNCATE, SQLITE_IOERR_TRUNCATE, 1 }, { CUT_CALL_DELETE, SQLITE_IOERR_DELETE, 3 },
		{ CUT_CALL_SIZE, SQLITE_IOERR_FSTAT, 13 },       { CUT_CALL_ACCESS, SQLITE_IOERR_ACCESS, 17 },
		{ CUT_CALL_PATH, SQLITE_CANTOPEN, 5 },           { CUT_CALL_LOCK, SQLITE_IOERR_LOCK, 11 },
		{ CUT_CALL_UNLOCK, SQLITE_IOERR_UNLOCK, 11 },    { CUT_CALL_SHM_MAP, SQLITE_IOERR_SHMMAP, 7 },
		{ CUT_CALL_SHM_LOCK, SQLITE_IOERR_SHMLOCK, 97 },
	};
	static const int numbers[] = { ENOSPC, EROFS, ENODEV };
	int broken = 0;

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(calls); i++) {
		for (size_t j = 0; j < KRI_ARRAY_SIZE(numbers); j++) {
			struct failure failure = { .call = calls[i].call,
				                   .error = calls[i].error,
				                   .system = numbers[j] };

			broken += try_all(failure, calls[i].stride);
			/* (Reads that fail for ever are given up after a minute. The others take their time.) */
			failure.forever = true;
			if (failure.call != CUT_CALL_READ &&
			    (failure.call <= CUT_CALL_DELETE || getenv("KRYOS_TEST_LONG")))
				broken += try_all(failure, calls[i].stride + 1);
		}
	}
	assert_int_equal(broken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failing_open_breaks_no_promise),
		cmocka_unit_test(a_failing_read_breaks_no_promise),
		cmocka_unit_test(a_failing_write_breaks_no_promise),
		cmocka_unit_test(a_full_disk_breaks_no_promise),
		cmocka_unit_test(a_failing_sync_breaks_no_promise),
		cmocka_unit_test(a_failing_truncate_or_delete_breaks_no_promise),
		cmocka_unit_test(a_failing_question_about_a_file_breaks_no_promise),
		cmocka_unit_test(a_failing_lock_breaks_no_promise),
		cmocka_unit_test(a_failing_state_db_breaks_no_promise),
		cmocka_unit_test(no_error_number_of_any_call_breaks_a_promise),
	};

	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
