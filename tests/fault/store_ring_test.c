/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store on a disk that is gone, or hangs: what could not be written is in memory with its ids, leaves the device
 * from there, and is written with the same ids when the disk is back. No id stands for two things, also where a crash
 * took the memory.
 */
#include "rig.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_VALUES = 8192, RING = 4096 };

/* The rig's own. */
struct handed {
	int value; /* the newest */
	struct given {
		uint64_t epoch;
		struct kryos_sample sample; /* as append gave it back, or its event announced it */
		int accepted;
	} given[MAX_VALUES];
	char copy[4200]; /* what a crash leaves */
	int copies;
};

static struct handed *handed(struct rig *rig)
{
	return rig->own;
}

static int setup(void **state)
{
	rig_setup_cut(state);
	((struct rig *)*state)->own = calloc(1, sizeof(struct handed));
	/* A call that waits for the disk where it must not ends the test. */
	alarm(120);
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	cutvfs_hold_sync(rig->vfs, NULL, 0);
	free(rig->own);
	rig_teardown(state);
	alarm(0);
	return 0;
}

static void start(struct rig *rig, uint32_t take_volatile)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.board = "board-of-this-test"));
	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	assert_ok(kri_store_set_place(rig->store, rig->fridge, "vaccine"));
	rig_open_queue(rig, KRYOS_QUEUE_CONFIG(.max_lent = 4096, .take_volatile = take_volatile));
}

static struct kryos_sample next_sample(struct rig *rig)
{
	int value = ++handed(rig)->value;

	kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(1));
	return (struct kryos_sample){ .channel = rig->fridge, .value_micro = value, .alarm = (uint32_t)value };
}

static int append(struct rig *rig)
{
	struct kryos_sample sample = next_sample(rig);
	int r = kryos_store_append(rig->store, &sample, 1);

	handed(rig)->given[handed(rig)->value].sample = sample;
	handed(rig)->given[handed(rig)->value].epoch = rig_status(rig).epoch;
	return r;
}

static void submit(struct rig *rig, int count)
{
	struct kryos_sample samples[256];

	while (count > 0) {
		int some = count < 256 ? count : 256;

		for (int i = 0; i < some; i++)
			samples[i] = next_sample(rig);
		assert_ok(kryos_store_submit(rig->store, samples, (size_t)some));
		count -= some;
	}
}

static void die(struct rig *rig, int system)
{
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 1, SQLITE_IOERR_WRITE, true);
	cutvfs_fail_errno(rig->vfs, system);
}

static void come_back(struct rig *rig)
{
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	assert_int_equal(rig_status(rig).error, 0);
	assert_int_equal(rig_status(rig).volatile_samples, 0);
}

static void take_news(struct rig *rig)
{
	const struct kryos_event *event;

	assert_ok(kryos_ctx_process(rig->ctx));
	while (kryos_ctx_next_event(rig->ctx, &event) > 0)
		if (event->type == KRYOS_EVENT_SAMPLE)
			handed(rig)->given[event->sample.value_micro].accepted++;
}

/* What is in the ring, all of it numbered. */
static bool is_in_ring(void *data)
{
	struct rig *rig = data;
	bool all;

	pthread_mutex_lock(&rig->store->lock);
	all = rig->store->ringing && !rig->store->batches && rig->store->ring_samples == rig->store->waiting_samples;
	pthread_mutex_unlock(&rig->store->lock);
	return all;
}

static void wait_for_ring(struct rig *rig)
{
	if (!process_until(rig->ctx, is_in_ring, rig, 5000))
		fail_msg("what was handed over is not in the ring");
}

static void assert_as_given(struct rig *rig, const struct kryos_record *record)
{
	const struct given *given = &handed(rig)->given[record->sample.value_micro];

	assert_in_range(record->sample.value_micro, 1, handed(rig)->value);
	assert_int_equal(record->seq, given->sample.seq);
	assert_true(record->epoch == given->epoch);
	assert_int_equal(record->sample.boot, given->sample.boot);
	assert_int_equal(record->sample.t_boot_ns, given->sample.t_boot_ns);
	assert_int_equal(record->sample.t_wall_ns, given->sample.t_wall_ns);
	assert_int_equal(record->sample.trust, given->sample.trust);
	assert_int_equal(record->sample.alarm, (uint32_t)record->sample.value_micro);
	assert_string_equal(record->channel, "fridge.temperature");
	assert_string_equal(record->unit, "Cel");
	assert_string_equal(record->place, "vaccine");
	assert_string_equal(record->device, rig_status(rig).device);
}

/* All values from 1 on are on the disk, once, as append gave them back. */
static void assert_stored(struct rig *rig, int from)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;

	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	for (int value = from; value <= handed(rig)->value; value++) {
		assert_int_equal(kryos_reader_next(reader, &record), 1);
		assert_int_equal(record->sample.value_micro, value);
		assert_as_given(rig, record);
	}
	assert_int_equal(kryos_reader_next(reader, &record), 0);
	kryos_reader_close(reader);
	assert_string_equal(rig_verify(rig).first_problem, "");
}

/* The next sample that the queue gives. */
static const struct kryos_record *next(struct rig *rig)
{
	const struct kryos_record *record;

	assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record), 1);
	return record;
}

static void what_a_dead_disk_does_not_take_leaves_from_memory_and_is_written_later(void **state)
{
	static const int numbers[] = { EIO, EROFS, ENODEV };
	struct rig *rig = *state;
	const struct kryos_record *record;
	uint64_t first_epoch, ring_epoch;
	int64_t released;

	start(rig, 1);
	first_epoch = rig_status(rig).epoch;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(numbers); i++) {
		int before = handed(rig)->value;

		assert_ok(append(rig));
		assert_int_equal(next(rig)->flags & KRYOS_RECORD_VOLATILE, 0);
		ring_epoch = rig_status(rig).epoch;
		die(rig, numbers[i]);
		for (int j = 0; j < 5; j++)
			assert_fails(KRYOS_EVOLATILE, append(rig));
		assert_says(KRYOS_EVOLATILE, "memory");
		assert_true(rig_status(rig).epoch != ring_epoch);
		assert_int_equal(rig_status(rig).error, -EIO);
		assert_int_equal(rig_status(rig).volatile_samples, 5);
		assert_fails(-EIO, kryos_store_flush(rig->store, KRYOS_MILLISECONDS(20)));
		ring_epoch = rig_status(rig).epoch;
		for (int j = 2; j <= 6; j++) {
			assert_true(handed(rig)->given[before + j].epoch == ring_epoch);
			assert_true(handed(rig)->given[before + j].sample.flags & KRYOS_SAMPLE_VOLATILE);
			assert_true(handed(rig)->given[before + j].sample.seq >
			            handed(rig)->given[before + j - 1].sample.seq);
		}
		/* The queue's calls work on them as on any. */
		for (int j = 2; j <= 6; j++) {
			record = next(rig);
			assert_as_given(rig, record);
			assert_int_equal(record->sample.value_micro, before + j);
			assert_int_equal(record->flags, KRYOS_RECORD_VOLATILE);
			assert_int_equal(record->stream, KRYOS_STREAM_LIVE);
			assert_true(record->device_ns >= 0);
		}
		assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record), 0);
		released = handed(rig)->given[before + 4].sample.seq;
		assert_ok(kryos_queue_ack(rig->queue, handed(rig)->given[before + 2].sample.seq));
		assert_ok(kryos_queue_reject(rig->queue, handed(rig)->given[before + 3].sample.seq, "no"));
		assert_ok(kryos_queue_release(rig->queue, released));
		record = next(rig);
		assert_int_equal(record->seq, released);
		assert_int_equal(record->flags, KRYOS_RECORD_VOLATILE);
		assert_ok(kryos_queue_release(rig->queue, released));
		take_news(rig);
		assert_int_equal(handed(rig)->given[before + 1].accepted, 1);
		for (int j = 2; j <= 6; j++)
			assert_int_equal(handed(rig)->given[before + j].accepted, 0);

		come_back(rig);
		take_news(rig);
		for (int j = 2; j <= 6; j++)
			assert_int_equal(handed(rig)->given[before + j].accepted, 1);
		assert_true(rig_status(rig).epoch == ring_epoch);
		/* What was settled while it was in memory is, and what was lent still is. */
		record = next(rig);
		assert_int_equal(record->seq, released);
		assert_int_equal(record->flags, 0);
		assert_as_given(rig, record);
		assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record), 0);
		assert_ok(kryos_queue_ack(rig->queue, handed(rig)->given[before + 1].sample.seq));
		for (int j = 4; j <= 6; j++)
			assert_ok(kryos_queue_ack(rig->queue, handed(rig)->given[before + j].sample.seq));
	}
	assert_ok(append(rig));
	assert_true(handed(rig)->given[handed(rig)->value].epoch == ring_epoch);
	assert_true(ring_epoch != first_epoch);
	assert_stored(rig, 1);
	rig_stop(rig);
	start(rig, 1);
	assert_int_equal(next(rig)->sample.value_micro, handed(rig)->value);
	assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record), 0);
	assert_ok(append(rig));
	assert_stored(rig, 1);
}

static void who_did_not_ask_for_it_gets_nothing_from_memory(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;

	start(rig, 0);
	die(rig, EIO);
	assert_fails(KRYOS_EVOLATILE, append(rig));
	assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record), 0);
	come_back(rig);
	record = next(rig);
	assert_as_given(rig, record);
	assert_int_equal(record->flags, 0);
}

/* Of rows that a dead disk can't give, and of its events. */
static void what_is_in_memory_does_not_wait_for_what_cannot_be_read(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	int r;

	start(rig, 1);
	assert_ok(append(rig));
	die(rig, EIO);
	assert_fails(KRYOS_EVOLATILE, append(rig));
	cutvfs_fail(rig->vfs, CUT_CALL_OPEN, NULL, 1, SQLITE_CANTOPEN, true);
	/* The store's own events may come first. */
	while ((r = kryos_queue_next(rig->queue, &record)) == 1 && record->event)
		assert_int_equal(record->flags, KRYOS_RECORD_VOLATILE);
	assert_int_equal(r, 1);
	assert_int_equal(record->sample.value_micro, 2);
	while ((r = kryos_queue_next(rig->queue, &record)) == 1)
		assert_non_null(record->event);
	assert_true(r < 0);
	come_back(rig);
	assert_int_equal(next(rig)->sample.value_micro, 1);
	assert_stored(rig, 1);
}

static void a_single_failure_of_a_commit_is_not_seen_from_outside(void **state)
{
	struct rig *rig = *state;
	uint64_t epoch;

	start(rig, 1);
	assert_ok(append(rig));
	epoch = rig_status(rig).epoch;
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, ".seg-wal", 1, SQLITE_IOERR_WRITE, false);
	assert_ok(append(rig));
	assert_int_equal(cutvfs_failures(rig->vfs), 1);
	assert_true(rig_status(rig).epoch == epoch);
	assert_stored(rig, 1);
}

static void what_does_not_fit_into_memory_is_in_one_gap_record_to_the_sample(void **state)
{
	enum { DROPPED = 1234 };
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int gaps = 0;
	int64_t first;

	start(rig, 1);
	assert_ok(append(rig));
	first = handed(rig)->given[1].sample.seq;
	die(rig, EIO);
	for (int i = 0; i < 26; i++) {
		submit(rig, (RING + DROPPED) / 26);
		wait_for_ring(rig);
	}
	submit(rig, (RING + DROPPED) % 26);
	wait_for_ring(rig);
	assert_int_equal(handed(rig)->value, 1 + RING + DROPPED);
	assert_int_equal(rig_status(rig).volatile_samples, RING);
	assert_int_equal(next(rig)->sample.value_micro, 1);
	record = next(rig);
	assert_int_equal(record->sample.value_micro, 1 + DROPPED + 1);
	come_back(rig);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));

	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_GAP)
			continue;
		gaps++;
		assert_string_equal(record->event->name, "store");
		assert_non_null(strstr(record->event->text, "; 1234 samples"));
		handed(rig)->given[0].sample.seq = record->event->last_seq;
		/* (Events have seqs between.) */
		assert_in_range(record->event->last_seq - record->event->first_seq + 1, DROPPED, DROPPED + 5);
		assert_true(record->event->first_seq > first);
	}
	assert_int_equal(gaps, 1);
	for (int value = 1; value <= handed(rig)->value; value++) {
		if (value > 1 && value <= 1 + DROPPED)
			continue;
		assert_int_equal(kryos_reader_next(reader, &record), 1);
		assert_int_equal(record->sample.value_micro, value);
		assert_true(value == 1 || record->seq > handed(rig)->given[0].sample.seq);
	}
	assert_int_equal(kryos_reader_next(reader, &record), 0);
	kryos_reader_close(reader);
}

static void copy_folder(struct rig *rig)
{
	struct handed *all = handed(rig);
	char *command;
	int r = -1;

	/* (A file that the writer removes under its hands makes cp fail.) */
	for (int i = 0; i < 20 && r; i++) {
		snprintf(all->copy, sizeof(all->copy), "%s.%d", rig->path, ++all->copies);
		assert_true(asprintf(&command, "cp -r %s %s 2>&1 && rm -f %s/lock", rig->path, all->copy, all->copy) >
		            0);
		r = system(command);
		free(command);
	}
	assert_int_equal(r, 0);
}

/*
 * Opens what was found after the crash and appends: none of its ids may have been given out before. Whether rows of a
 * ring were found.
 */
static bool assert_no_id_again(struct rig *rig)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int given = handed(rig)->value, owed = 0;
	bool found = false;

	rig_stop(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_true(strlen(handed(rig)->copy) < sizeof(rig->path));
	strcpy(rig->path, handed(rig)->copy);
	start(rig, 1);
	for (int i = 0; i < 20; i++)
		assert_ok(append(rig));
	/* What was settled in memory must not settle what has these seqs now. */
	while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record) > 0)
		owed += record->sample.value_micro > given;
	assert_int_equal(owed, 20);
	assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next(reader, &record) > 0) {
		int64_t now = record->sample.value_micro;

		found |= now <= given && handed(rig)->given[now].sample.flags & KRYOS_SAMPLE_VOLATILE;
		for (int value = 1; value <= given; value++)
			assert_false(record->epoch == handed(rig)->given[value].epoch &&
			             record->seq == handed(rig)->given[value].sample.seq && now != value);
	}
	while (kryos_reader_next_event(reader, &record) > 0)
		for (int value = 1; value <= given; value++)
			assert_false(record->epoch == handed(rig)->given[value].epoch &&
			             record->seq == handed(rig)->given[value].sample.seq);
	kryos_reader_close(reader);
	return found;
}

static void a_crash_that_takes_the_ring_gives_no_id_again(void **state)
{
	struct rig *rig = *state;

	start(rig, 1);
	for (int i = 0; i < 3; i++)
		assert_ok(append(rig));
	die(rig, EIO);
	for (int i = 0; i < 10; i++)
		assert_fails(KRYOS_EVOLATILE, append(rig));
	copy_folder(rig);
	assert_no_id_again(rig);
}

/* Where state.db can be written, events are, with seqs between the ring's. */
static void a_crash_gives_no_id_again_where_only_samples_could_not_be_written(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	int events = 0;

	start(rig, 1);
	assert_ok(append(rig));
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, ".seg-wal", 1, SQLITE_IOERR_WRITE, true);
	for (int i = 0; i < 10; i++) {
		assert_fails(KRYOS_EVOLATILE, append(rig));
		assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }));
		assert_ok(kryos_queue_commit(rig->queue));
	}
	while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_EVENTS, &record) > 0)
		events += record->event->type == KRYOS_EVENT_AUDIT;
	assert_int_equal(events, 10);
	/* Stored events must not make a queue believe that the ring's seqs are no samples. */
	for (int value = 1; value <= 11; value++)
		assert_int_equal(next(rig)->sample.value_micro, value);
	/* More, and nothing else that would take a seq. */
	for (int i = 0; i < 10; i++) {
		assert_fails(KRYOS_EVOLATILE, append(rig));
		assert_int_equal(next(rig)->sample.value_micro, handed(rig)->value);
	}
	for (int value = 1; value <= 21; value++)
		if (value != 5)
			assert_ok(kryos_queue_ack(rig->queue, handed(rig)->given[value].sample.seq));
	assert_ok(kryos_queue_release_all(rig->queue));
	assert_ok(kryos_queue_commit(rig->queue));
	copy_folder(rig);
	come_back(rig);
	assert_stored(rig, 1);
	/* What was settled in memory is so for ever once it is written. */
	assert_ok(kryos_queue_commit(rig->queue));
	rig_stop(rig);
	start(rig, 1);
	assert_int_equal(next(rig)->sample.value_micro, 5);
	assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record), 0);
	assert_no_id_again(rig);
}

/* Nothing but state.db says which epoch it is then, and it must not say the ring's. */
static void a_crash_before_there_is_any_segment_gives_no_id_again(void **state)
{
	struct rig *rig = *state;

	start(rig, 1);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, ".seg-wal", 1, SQLITE_IOERR_WRITE, true);
	for (int i = 0; i < 5; i++)
		assert_fails(KRYOS_EVOLATILE, append(rig));
	assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }));
	assert_ok(kryos_queue_commit(rig->queue));
	for (int i = 0; i < 10; i++)
		assert_fails(KRYOS_EVOLATILE, append(rig));
	copy_folder(rig);
	assert_no_id_again(rig);
}

static void begin_again(struct rig *rig)
{
	if (rig->ctx) {
		rig_stop(rig);
		rig_remove(rig);
	}
	start(rig, 1);
}

/* The ring's commit is on the disk, or half of it, and nobody knows; what came after left the device from memory. */
static void a_crash_after_a_commit_of_unknown_outcome_gives_no_id_again(void **state)
{
	struct rig *rig = *state;
	bool was_there = false;

	for (int n = 1; n <= 6; n++) {
		begin_again(rig);
		assert_ok(append(rig));
		die(rig, EIO);
		for (int i = 0; i < 5; i++)
			assert_fails(KRYOS_EVOLATILE, append(rig));
		cutvfs_hold_sync(rig->vfs, ".seg-wal", n);
		cutvfs_fail(rig->vfs, CUT_CALL_SYNC, ".seg-wal", n, SQLITE_IOERR_FSYNC, true);
		for (int i = 0; i < 1000 && !cutvfs_held(rig->vfs); i++)
			usleep(1000);
		if (!cutvfs_held(rig->vfs)) {
			/* It is written with fewer. */
			cutvfs_hold_sync(rig->vfs, NULL, 0);
			break;
		}
		copy_folder(rig);
		cutvfs_hold_sync(rig->vfs, NULL, 0);
		for (int i = 0; i < 10; i++)
			assert_fails(KRYOS_EVOLATILE, append(rig));
		was_there |= assert_no_id_again(rig);
	}
	assert_true(was_there);
}

/* Rows of a commit that failed may stand in the segment before: no later failure may bring them to light. */
static void what_a_failed_commit_left_stays_hidden_whatever_fails_next(void **state)
{
	struct rig *rig = *state;

	for (int n = 1; n <= 12; n++) {
		int first;

		begin_again(rig);
		first = handed(rig)->value + 1;
		assert_ok(append(rig));
		cutvfs_fail(rig->vfs, CUT_CALL_SYNC, ".seg-wal", 1, SQLITE_IOERR_FSYNC, true);
		assert_fails(KRYOS_EVOLATILE, append(rig));
		assert_fails(KRYOS_EVOLATILE, append(rig));
		cutvfs_fail(rig->vfs, CUT_CALL_SYNC, ".seg-wal", n, SQLITE_IOERR_FSYNC, false);
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
		assert_ok(append(rig));
		assert_stored(rig, first);
	}
}

static void a_close_on_a_dead_disk_says_how_many_are_lost(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;

	start(rig, 1);
	assert_ok(append(rig));
	die(rig, EIO);
	for (int i = 0; i < 7; i++)
		assert_fails(KRYOS_EVOLATILE, append(rig));
	kryos_store_close(rig->store);
	/* The queue outlives it; what was in memory is gone. */
	while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record) > 0)
		assert_int_equal(record->flags & KRYOS_RECORD_VOLATILE, 0);
	rig_stop(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	start(rig, 1);
	assert_ok(append(rig));
}

struct waiting {
	struct rig *rig;
	int result;
	atomic_bool done;
};

static void *append_elsewhere(void *data)
{
	struct waiting *waiting = data;
	struct kryos_sample sample = { .channel = waiting->rig->fridge, .value_micro = 1000 };

	waiting->result = kryos_store_append(waiting->rig->store, &sample, 1);
	waiting->done = true;
	return NULL;
}

static void a_sync_that_hangs_delays_acceptance_and_nothing_else(void **state)
{
	struct rig *rig = *state;
	struct waiting waiting = { .rig = rig };
	const struct kryos_record *record;
	struct kryos_queue_status owed = { .size = sizeof(owed) };
	struct kryos_queue *other;
	uint64_t attempts, before;
	pthread_t thread;

	start(rig, 1);
	assert_ok(append(rig));
	assert_ok(append(rig));
	cutvfs_hold_sync(rig->vfs, ".seg-wal", 1);
	assert_int_equal(pthread_create(&thread, NULL, append_elsewhere, &waiting), 0);
	while (!cutvfs_held(rig->vfs))
		usleep(1000);
	/* None of these may wait: the sync ends only after them. */
	assert_true(kri_store_is_waiting(rig->store, &before));
	record = next(rig);
	assert_int_equal(record->sample.value_micro, 1);
	assert_ok(kryos_queue_ack(rig->queue, record->seq));
	record = next(rig);
	assert_ok(kryos_queue_reject(rig->queue, record->seq, "no"));
	assert_int_equal(kryos_queue_next(rig->queue, &record), 0);
	assert_ok(kryos_queue_set_live(rig->queue));
	assert_ok(kryos_queue_release_all(rig->queue));
	assert_ok(kryos_queue_get_status(rig->queue, &owed));
	assert_fails(-EBUSY, kryos_queue_open(&other, rig->store, "modem", NULL));
	submit(rig, 300);
	assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }));
	assert_int_equal(rig_status(rig).volatile_samples, 301);
	assert_int_equal(rig_status(rig).last_seq >= 2, 1);
	assert_fails(-ETIMEDOUT, kryos_store_flush(rig->store, KRYOS_MILLISECONDS(10)));
	process_for(rig->ctx, 20);
	assert_true(kri_store_is_waiting(rig->store, &attempts));
	assert_true(attempts == before);
	assert_false(waiting.done);
	cutvfs_hold_sync(rig->vfs, NULL, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(waiting.result, 0);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_false(kri_store_is_waiting(rig->store, &attempts));
	assert_true(attempts > before);
	assert_int_equal(rig_status(rig).volatile_samples, 0);
}

/* A dead disk is no hung writer: the watchdog must not restart a device again and again for it. */
static void a_disk_that_fails_is_not_one_that_hangs(void **state)
{
	struct rig *rig = *state;
	uint64_t attempts, before;

	start(rig, 1);
	die(rig, EIO);
	assert_fails(KRYOS_EVOLATILE, append(rig));
	kri_store_is_waiting(rig->store, &before);
	rig->store->retry_ns = KRYOS_SECONDS(3600);
	for (int i = 0; i < 5; i++) {
		assert_fails(KRYOS_EVOLATILE, append(rig));
		/* (A try with the short wait may still have been under way.) */
		assert_true(!kri_store_is_waiting(rig->store, &attempts) || attempts > before);
		assert_true(attempts > before);
		before = attempts;
	}
}

/* Longer each time, up to 60 times the first. */
static void tries_become_fewer_while_the_disk_stays_dead(void **state)
{
	struct rig *rig = *state;
	int64_t wait = 0;

	start(rig, 1);
	rig->store->retry_ns = KRYOS_MILLISECONDS(1);
	die(rig, EIO);
	assert_fails(KRYOS_EVOLATILE, append(rig));
	for (int i = 0; i < 2000 && wait < KRYOS_MILLISECONDS(60); i++) {
		int64_t now;

		usleep(1000);
		pthread_mutex_lock(&rig->store->lock);
		now = rig->store->wait_ns;
		pthread_mutex_unlock(&rig->store->lock);
		assert_in_range(now, wait, KRYOS_MILLISECONDS(60));
		wait = now;
	}
	assert_int_equal(wait, KRYOS_MILLISECONDS(60));
	come_back(rig);
	assert_stored(rig, 1);
	assert_int_equal(rig->store->wait_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(what_a_dead_disk_does_not_take_leaves_from_memory_and_is_written_later),
		CASE(who_did_not_ask_for_it_gets_nothing_from_memory),
		CASE(what_is_in_memory_does_not_wait_for_what_cannot_be_read),
		CASE(a_single_failure_of_a_commit_is_not_seen_from_outside),
		CASE(what_does_not_fit_into_memory_is_in_one_gap_record_to_the_sample),
		CASE(a_crash_that_takes_the_ring_gives_no_id_again),
		CASE(a_crash_gives_no_id_again_where_only_samples_could_not_be_written),
		CASE(a_crash_before_there_is_any_segment_gives_no_id_again),
		CASE(a_crash_after_a_commit_of_unknown_outcome_gives_no_id_again),
		CASE(what_a_failed_commit_left_stays_hidden_whatever_fails_next),
		CASE(a_close_on_a_dead_disk_says_how_many_are_lost),
		CASE(a_sync_that_hangs_delays_acceptance_and_nothing_else),
		CASE(a_disk_that_fails_is_not_one_that_hangs),
		CASE(tries_become_fewer_while_the_disk_stays_dead),
#undef CASE
	};

	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
