/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that the disk does not take: they leave the device from memory, and are written with the same ids when the
 * disk is back. No id stands for two things, also where a crash took the memory.
 */
#include "rig.h"
#include <errno.h>
#include <kryos/testing/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "who"
enum { MAX_EVENTS = 300, WAITING = 256 };

/* An event that was handed in, by its number, which is its text; and how it was delivered first. */
struct told {
	uint64_t epoch;
	int64_t seq, t_boot_ns, t_wall_ns;
	uint32_t boot;
};

struct own {
	int count;
	struct told told[MAX_EVENTS + 1];
	const struct kryos_record *record;
	uint32_t take_volatile;
};

static int setup(void **state)
{
	struct own *own = calloc(1, sizeof(*own));

	rig_setup_cut(state);
	own->take_volatile = 1;
	((struct rig *)*state)->own = own;
	/* A call that waits for the disk where it must not ends the test. */
	alarm(120);
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	cutvfs_hold_sync(rig->vfs, NULL, 0);
	free(rig->own);
	alarm(0);
	return rig_teardown(state);
}

static void start(struct rig *rig)
{
	struct own *own = rig->own;

	rig_start(rig, KRYOS_STORE_CONFIG(.board = "board-of-this-test", .segment_ns = KRYOS_MINUTES(10)));
	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_open_queue(rig, KRYOS_QUEUE_CONFIG(.max_lent = 4096, .take_volatile = own->take_volatile));
}

static void die(struct rig *rig, const char *suffix)
{
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, suffix, 1, SQLITE_IOERR_WRITE, true);
}

static void come_back(struct rig *rig)
{
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	assert_int_equal(rig_status(rig).error, 0);
}

static int add_event(struct rig *rig)
{
	struct own *own = rig->own;
	char text[16];

	assert_in_range(own->count, 0, MAX_EVENTS - 1);
	kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(1));
	snprintf(text, sizeof(text), "%d", own->count + 1);
	return kryos_store_add_event(rig->store,
	                             &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT, .name = NAME, .text = text });
}

static void add_events(struct rig *rig, int count)
{
	struct own *own = rig->own;

	for (int i = 0; i < count; i++) {
		assert_ok(add_event(rig));
		own->count++;
	}
}

/* The number of an event that was handed in; 0: one of the store's own. */
static int number_of(const struct kryos_record *record)
{
	return strcmp(record->event->name, NAME) == 0 ? atoi(record->event->text) : 0;
}

/* The store's own are acknowledged and passed over. */
static bool is_given(void *data)
{
	struct rig *rig = data;
	struct own *own = rig->own;

	while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_EVENTS, &own->record) > 0) {
		if (number_of(own->record))
			return true;
		assert_ok(kryos_queue_ack(rig->queue, own->record->seq));
	}
	return false;
}

/* The queue gives the event of that number next, as it was given before, from memory or not. */
static int64_t next_event(struct rig *rig, int number, bool from_memory)
{
	struct own *own = rig->own;
	const struct kryos_record *record;
	struct told *told = &own->told[number];

	if (!process_until(rig->ctx, is_given, rig, 10000))
		fail_msg("event %d is not given", number);
	record = own->record;
	assert_int_equal(number_of(record), number);
	assert_int_equal(record->flags, from_memory ? KRYOS_RECORD_VOLATILE : 0);
	assert_int_equal(record->stream, KRYOS_STREAM_EVENTS);
	assert_int_equal(record->event->type, KRYOS_EVENT_AUDIT);
	assert_string_equal(record->device, rig_status(rig).device);
	assert_true(record->device_ns >= 0);
	if (!told->seq)
		*told = (struct told){ record->epoch, record->seq, record->sample.t_boot_ns, record->sample.t_wall_ns,
			               record->sample.boot };
	assert_true(record->epoch == told->epoch);
	assert_int_equal(record->seq, told->seq);
	assert_int_equal(record->sample.t_boot_ns, told->t_boot_ns);
	assert_int_equal(record->sample.t_wall_ns, told->t_wall_ns);
	assert_int_equal(record->sample.boot, told->boot);
	return record->seq;
}

static void assert_none(struct rig *rig)
{
	if (is_given(rig))
		fail_msg("event %d is given once more", number_of(((struct own *)rig->own)->record));
}

/* How many are on the disk, in order; each as it was given. */
static int count_stored(struct rig *rig)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	const struct own *own = rig->own;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int count = 0;

	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		int number = number_of(record);

		for (int i = 1; i <= own->count; i++)
			assert_int_equal(record->epoch == own->told[i].epoch && record->seq == own->told[i].seq,
			                 i == number && own->told[i].seq);
		count += number > 0;
		assert_true(!number || number == count);
	}
	kryos_reader_close(reader);
	/* (Without any sample there is no segment to look at.) */
	if (rig_status(rig).samples) {
		assert_ok(kryos_verify(rig->ctx, rig->path, &result));
		assert_string_equal(result.first_problem, "");
	}
	return count;
}

static void what_state_db_does_not_take_leaves_from_memory_and_is_written_later(void **state)
{
	static const char *const suffixes[] = { NULL, "state.db-wal" };
	struct rig *rig = *state;
	struct own *own = rig->own;

	start(rig);
	for (int i = 0; i < (int)KRI_ARRAY_SIZE(suffixes); i++) {
		int64_t lent, released;
		int first = own->count + 1;

		add_events(rig, 1);
		(void)!kryos_queue_ack(rig->queue, next_event(rig, first, false));
		die(rig, suffixes[i]);
		add_events(rig, 4);
		assert_ok(kryos_queue_ack(rig->queue, next_event(rig, first + 1, true)));
		assert_ok(kryos_queue_reject(rig->queue, next_event(rig, first + 2, true), "no"));
		lent = next_event(rig, first + 3, true);
		released = next_event(rig, first + 4, true);
		assert_none(rig);
		assert_ok(kryos_queue_release(rig->queue, released));
		next_event(rig, first + 4, true);
		assert_none(rig);
		assert_ok(kryos_queue_release(rig->queue, released));
		come_back(rig);
		/* What was settled in memory is, what was lent stays so, what was not is given again. */
		assert_int_equal(next_event(rig, first + 4, false), released);
		assert_none(rig);
		assert_int_equal(count_stored(rig), own->count);
		assert_ok(kryos_queue_ack(rig->queue, lent));
		assert_ok(kryos_queue_commit(rig->queue));
		rig_stop(rig);
		start(rig);
		assert_int_equal(next_event(rig, first + 4, false), released);
		assert_none(rig);
		assert_ok(kryos_queue_ack(rig->queue, released));
	}
}

static void swap(struct rig *rig, struct kryos_queue **other)
{
	struct kryos_queue *queue = rig->queue;

	rig->queue = *other;
	*other = queue;
}

static void who_did_not_ask_for_it_gets_no_event_from_memory(void **state)
{
	struct rig *rig = *state;
	struct own *own = rig->own;
	struct kryos_queue *other;

	own->take_volatile = 0;
	start(rig);
	assert_ok(kryos_queue_open(&other, rig->store, "other", KRYOS_QUEUE_CONFIG(.take_volatile = 1)));
	die(rig, NULL);
	add_events(rig, 1);
	/* Once another one has it, it is there to be had. */
	swap(rig, &other);
	next_event(rig, 1, true);
	swap(rig, &other);
	assert_none(rig);
	come_back(rig);
	next_event(rig, 1, false);
}

/* The store's own too: that the disk is gone is said while it is. */
static void that_the_disk_is_gone_leaves_the_device(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	bool found = false;

	start(rig);
	die(rig, NULL);
	add_events(rig, 1);
	next_event(rig, 1, true);
	for (int i = 0; i < 2000 && !found; i++) {
		process_for(rig->ctx, 5);
		assert_ok(kryos_queue_release_all(rig->queue));
		assert_ok(kryos_queue_resend(rig->queue, 1, INT64_C(1) << 40));
		while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_EVENTS, &record) > 0)
			found |= record->event->type == KRYOS_EVENT_STORE && record->event->code == -EIO &&
			         record->flags & KRYOS_RECORD_VOLATILE;
	}
	assert_true(found);
}

static void what_does_not_fit_is_refused_and_what_did_leaves_and_is_written(void **state)
{
	struct rig *rig = *state;
	struct own *own = rig->own;
	int r;

	start(rig);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	die(rig, NULL);
	while ((r = add_event(rig)) == 0)
		own->count++;
	assert_fails(-EAGAIN, r);
	assert_says(-EAGAIN, "256 events already wait");
	/* Of these some are the store's own. */
	assert_in_range(own->count, WAITING - 3, WAITING);
	for (int number = 1; number <= own->count; number++)
		assert_ok(kryos_queue_ack(rig->queue, next_event(rig, number, true)));
	assert_fails(-EAGAIN, add_event(rig));
	come_back(rig);
	assert_none(rig);
	add_events(rig, 1);
	next_event(rig, own->count, false);
	assert_int_equal(count_stored(rig), own->count);
}

/* The power goes: what is on the disk now is what the next start finds. */
static void crash(struct rig *rig)
{
	char command[400];
	int r = -1;

	/* (A file that the writer removes under its hands makes cp fail.) */
	for (int i = 0; i < 20 && r; i++) {
		snprintf(command, sizeof(command), "cd %s && rm -rf copy && cp -r store copy 2>&1", rig->folder);
		r = system(command);
	}
	assert_int_equal(r, 0);
	kryos_store_close(rig->store); /* first, so that the queue's close does not wait for its commit */
	rig_stop(rig);
	cutvfs_hold_sync(rig->vfs, NULL, 0);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	snprintf(command, sizeof(command), "cd %s && rm -r store && mv copy store", rig->folder);
	assert_int_equal(system(command), 0);
}

/*
 * After the crash, with events of which those up to first are still there: what comes has ids of its own, and is owed,
 * whatever stood for its seqs before.
 */
static void assert_no_id_again(struct rig *rig, int kept)
{
	struct own *own = rig->own;
	int lost = own->count;

	for (int number = kept + 1; number <= own->count; number++)
		assert_true(own->told[number].seq > 0);
	for (int i = 0; i < 20; i++) {
		const struct kryos_record *record;
		bool owed = false;

		add_events(rig, 1);
		while (!owed) {
			if (!process_until(rig->ctx, is_given, rig, 10000))
				fail_msg("event %d is not given", own->count);
			record = own->record;
			owed = number_of(record) == own->count;
			assert_true(owed || number_of(record) <= kept);
			assert_ok(kryos_queue_ack(rig->queue, record->seq));
		}
		for (int number = 1; number <= lost; number++)
			assert_false(record->epoch == own->told[number].epoch && record->seq == own->told[number].seq);
		rig_append(rig, rig->fridge, i);
	}
	assert_int_equal(rig_deliver(rig, 1000) >= 20, 1);
}

static void a_crash_that_takes_what_waits_gives_no_id_again(void **state)
{
	static const char *const suffixes[] = { NULL, "state.db-wal" };
	struct rig *rig = *state;
	struct own *own = rig->own;

	for (int i = 0; i < (int)KRI_ARRAY_SIZE(suffixes); i++) {
		struct kryos_sample sample;
		int kept;

		start(rig);
		rig_append(rig, rig->fridge, 0);
		add_events(rig, 1);
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
		kept = own->count;
		die(rig, suffixes[i]);
		add_events(rig, 10);
		while (own->told[own->count].seq == 0) {
			if (!process_until(rig->ctx, is_given, rig, 10000))
				fail_msg("event %d is not given", own->count);
			own->told[number_of(own->record)] =
				(struct told){ .epoch = own->record->epoch, .seq = own->record->seq };
			assert_ok(kryos_queue_ack(rig->queue, own->record->seq));
		}
		sample = rig_sample(rig->fridge, 1);
		assert_fails(suffixes[i] ? 0 : KRYOS_EVOLATILE, kryos_store_append(rig->store, &sample, 1));
		crash(rig);
		start(rig);
		assert_no_id_again(rig, kept);
		rig_stop(rig);
	}
}

/* The next segment's header says what is owed, and state.db is made anew from it. */
static void what_was_settled_in_memory_settles_nothing_else_after_a_rebuild(void **state)
{
	struct rig *rig = *state;
	struct own *own = rig->own;

	start(rig);
	rig_append(rig, rig->fridge, 0);
	die(rig, "state.db-wal");
	add_events(rig, 10);
	for (int number = 1; number <= own->count; number++)
		assert_ok(kryos_queue_ack(rig->queue, next_event(rig, number, true)));
	kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(800));
	rig_append(rig, rig->fridge, 1); /* begins the next segment: it is overdue by 25 % */
	pthread_mutex_lock(&rig->store->lock);
	assert_true(rig->store->segment_count >= 2);
	pthread_mutex_unlock(&rig->store->lock);
	crash(rig);
	assert_int_equal(unlink(in(rig->path, "state.db")), 0);
	assert_int_equal(unlink(in(rig->path, "state.db-wal")), 0);
	(void)!unlink(in(rig->path, "state.db-shm"));
	start(rig);
	assert_no_id_again(rig, 0);
}

/* Nobody knows whether the commit came to the disk: if it did, the event has the id there that it left with. */
static void a_commit_of_unknown_outcome_has_the_ids_that_left(void **state)
{
	struct rig *rig = *state;

	start(rig);
	rig_append(rig, rig->fridge, 0);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	/* No other try comes, which would have the acknowledgement too. */
	rig->store->retry_ns = KRYOS_HOURS(1);
	cutvfs_fail(rig->vfs, CUT_CALL_SYNC, "state.db-wal", 1, SQLITE_IOERR_FSYNC, true);
	add_events(rig, 1);
	assert_ok(kryos_queue_ack(rig->queue, next_event(rig, 1, true)));
	crash(rig);
	start(rig);
	next_event(rig, 1, false);
	assert_int_equal(count_stored(rig), 1);
}

struct lost {
	size_t samples;
	int events;
};

static void keep_lost(void *userdata, const struct kryos_log_record *record)
{
	struct lost *lost = userdata;
	const char *at = strstr(record->message, "closed before ");

	if (at)
		assert_int_equal(sscanf(at, "closed before %zu samples and %d events", &lost->samples, &lost->events),
		                 2);
}

static void a_close_on_a_dead_disk_says_how_many_are_lost(void **state)
{
	struct rig *rig = *state;
	struct own *own = rig->own;
	struct lost lost = { 0 };
	const struct kryos_record *record;
	struct kryos_sample sample;

	assert_ok(kryos_ctx_new(&rig->ctx, KRYOS_CTX_CONFIG(.log = keep_lost, .log_userdata = &lost)));
	assert_ok(kryos_channel_add(rig->ctx, "fridge.temperature", "Cel", &rig->fridge));
	assert_ok(kryos_store_open(&rig->store, rig->ctx, rig->path, NULL));
	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	rig_open_queue(rig, KRYOS_QUEUE_CONFIG(.take_volatile = 1));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	die(rig, NULL);
	sample = rig_sample(rig->fridge, 1);
	assert_fails(KRYOS_EVOLATILE, kryos_store_append(rig->store, &sample, 1));
	add_events(rig, 2);
	next_event(rig, 1, true);
	kryos_store_close(rig->store);
	assert_int_equal(lost.samples, 1);
	assert_in_range(lost.events, 3, 5); /* with the store's, that it is not well */
	/* The queue outlives it; what was in memory is gone. */
	while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_EVENTS, &record) > 0)
		assert_int_equal(record->flags & KRYOS_RECORD_VOLATILE, 0);
	rig_stop(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	start(rig);
	assert_int_equal(count_stored(rig), 0);
	own->count = 0;
}

/* What waits for the disk and says that something is gone, of that queue. */
static int count_waiting_gaps(struct rig *rig, const char *name)
{
	int count = 0;

	pthread_mutex_lock(&rig->store->lock);
	for (const struct kri_stored_event *event = rig->store->events; event; event = event->next)
		count += event->type == KRYOS_EVENT_GAP && strcmp(event->name, name) == 0;
	pthread_mutex_unlock(&rig->store->lock);
	return count;
}

static int64_t stored_gaps(struct rig *rig, const char *where)
{
	char sql[120];
	int64_t count = -1;
	sqlite3 *db;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM event WHERE type=%d AND %s", KRYOS_EVENT_GAP, where);
	assert_ok(kri_sql_open(&db, in(rig->path, "state.db"), SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_int(db, sql, &count));
	sqlite3_close(db);
	return count;
}

static bool is_ring_written(void *rig)
{
	return rig_status(rig).volatile_samples == 0;
}

static bool is_ring_gap_stored(void *rig)
{
	return stored_gaps(rig, "text LIKE 'memory was full%; 10 samples%'") == 1;
}

/* As many wait as may: a gap that is announced then is refused, is no news, and keeps its cause until there is place.
 */
static void a_gap_that_finds_no_place_is_said_later(void **state)
{
	static struct kryos_sample samples[KRI_MAX_WAITING];
	struct kryos_event gap = { .type = KRYOS_EVENT_GAP, .name = "x", .first_seq = 1, .last_seq = 1, .text = "x" };
	struct rig *rig = *state;
	const struct kryos_event *news;
	int r;

	start(rig);
	die(rig, NULL);
	for (int i = 0; i < KRI_MAX_WAITING; i++)
		samples[i] = rig_sample(rig->fridge, i);
	assert_fails(KRYOS_EVOLATILE, kryos_store_append(rig->store, samples, KRI_MAX_WAITING));
	assert_fails(KRYOS_EVOLATILE, kryos_store_append(rig->store, samples, 10));
	while ((r = kryos_store_add_event(rig->store, &gap)) >= 0)
		;
	assert_int_equal(r, -EAGAIN);
	assert_in_range(count_waiting_gaps(rig, "x"), KRI_MAX_GAPS_WAITING - 10, KRI_MAX_GAPS_WAITING);
	assert_ok(kryos_ctx_process(rig->ctx));
	while (kryos_ctx_next_event(rig->ctx, &news) > 0)
		;
	assert_fails(-EAGAIN, kri_store_announce(rig->store, &gap));
	assert_int_equal(kryos_ctx_next_event(rig->ctx, &news), 0);
	/* Samples can be written again, and state.db can't. */
	die(rig, "state.db-wal");
	assert_true(process_until(rig->ctx, is_ring_written, rig, 10000));
	assert_int_equal(count_waiting_gaps(rig, "store"), 0);
	come_back(rig);
	assert_true(process_until(rig->ctx, is_ring_gap_stored, rig, 10000));
	assert_in_range(stored_gaps(rig, "name='x'"), KRI_MAX_GAPS_WAITING - 10, KRI_MAX_GAPS_WAITING);
}

static bool has_absent_gap(void *rig)
{
	return count_waiting_gaps(rig, "absent") > 0;
}

/* What a queue that is not open owed of events that go: the disk fails between that and the removal, for minutes. */
static void a_gap_of_events_is_said_once_however_often_it_fails(void **state)
{
	struct rig *rig = *state;
	struct kryos_queue *absent;
	char text[400];

	rig_start(rig, KRYOS_STORE_CONFIG(.keep_bytes = 1000000));
	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_open_queue(rig, NULL);
	assert_ok(kryos_queue_open(&absent, rig->store, "absent", NULL));
	kryos_queue_close(absent);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 1; i <= 800; i++) {
		struct kryos_event event = { .type = KRYOS_EVENT_AUDIT, .text = text };

		assert_ok(kryos_store_add_event(rig->store, &event));
		if (i % 100 == 0)
			assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	}
	die(rig, "state.db-wal");
	for (int i = 0; i < 4; i++) {
		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(61));
		assert_true(process_until(rig->ctx, has_absent_gap, rig, 10000));
		(void)process_until(rig->ctx, is_ring_gap_stored, rig, 50); /* the next try has its time */
		assert_int_equal(count_waiting_gaps(rig, "absent"), 1);
		assert_int_equal(count_waiting_gaps(rig, "modem"), 1);
	}
	come_back(rig);
	for (int i = 0; i < 3; i++) {
		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(61));
		(void)process_until(rig->ctx, has_absent_gap, rig, 50);
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	}
	assert_int_equal(stored_gaps(rig, "name='absent'"), 1);
	assert_int_equal(stored_gaps(rig, "name='modem'"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(what_state_db_does_not_take_leaves_from_memory_and_is_written_later),
		CASE(who_did_not_ask_for_it_gets_no_event_from_memory),
		CASE(that_the_disk_is_gone_leaves_the_device),
		CASE(what_does_not_fit_is_refused_and_what_did_leaves_and_is_written),
		CASE(a_crash_that_takes_what_waits_gives_no_id_again),
		CASE(what_was_settled_in_memory_settles_nothing_else_after_a_rebuild),
		CASE(a_commit_of_unknown_outcome_has_the_ids_that_left),
		CASE(a_close_on_a_dead_disk_says_how_many_are_lost),
		CASE(a_gap_that_finds_no_place_is_said_later),
		CASE(a_gap_of_events_is_said_once_however_often_it_fails),
#undef CASE
	};

	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
