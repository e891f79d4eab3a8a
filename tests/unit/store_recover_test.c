/* SPDX-License-Identifier: Apache-2.0 */
/* What an open and the writer make of what they find: each a state that once cost rows, a seal or a thread. */
#include "rig.h"
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_open_queue(rig, NULL);
}

static int64_t append(struct rig *rig, int64_t value)
{
	return rig_append(rig, rig->fridge, value);
}

static void rotate(struct rig *rig)
{
	rig_rotate(rig);
	rig_wait_sealed(rig);
}

static const char *first_segment(struct rig *rig)
{
	return in(rig->path, "00000000000000000001.seg");
}

/* Sealed, but its entry in state.db was cut off, and nothing was appended in the two runs since. */
static void a_sealed_segment_is_never_written_to_again(void **state)
{
	struct rig *rig = *state;

	start(rig);
	append(rig, 1);
	append(rig, 2);
	rotate(rig);
	rig_stop(rig);
	rig_sql(in(rig->path, "state.db"), "DELETE FROM seal");
	for (int i = 0; i < 2; i++) {
		start(rig);
		rig_stop(rig);
	}
	start(rig);
	append(rig, 3);
	rotate(rig);
	assert_string_equal(rig_verify(rig).first_problem, "");
	assert_int_equal(rig_verify(rig).samples, 3);
	assert_int_equal(rig_verify(rig).sealed, KRYOS_WITH_CRYPTO ? 2 : 0);
}

/* One flipped bit makes the version 0, as in a file that was never begun: those are removed at open. */
static void a_segment_that_lost_its_version_is_damaged_and_not_empty(void **state)
{
	struct rig *rig = *state;

	start(rig);
	append(rig, 1);
	rig_stop(rig);
	rig_sql(first_segment(rig), "PRAGMA user_version=0");
	start(rig);
	append(rig, 2);
	assert_int_equal(access(first_segment(rig), F_OK), 0);
	assert_int_equal(access(in(rig->path, "00000000000000000001.seg.bad"), F_OK), 0);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_int_equal(rig_status(rig).gaps, 1);
}

/* SQLite takes a column of another name for what it says, until a statement that is compiled later asks for it. */
static void tables_that_are_not_as_they_were_made_are_damage(void **state)
{
	struct rig *rig = *state;

	start(rig);
	append(rig, 1);
	rig_stop(rig);
	rig_sql(first_segment(rig), "PRAGMA writable_schema=ON;"
	                            "UPDATE sqlite_master SET sql=replace(sql,'place','plage') WHERE name='channel'");
	start(rig);
	append(rig, 2);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	rig_wait_mended(rig);
	assert_int_equal(rig_deliver(rig, INT_MAX), 2);
	rig_stop(rig);
	rig_sql(in(rig->path, "state.db"),
	        "PRAGMA writable_schema=ON;"
	        "UPDATE sqlite_master SET sql=replace(sql,'reason','season') WHERE name='dead'");
	start(rig);
	append(rig, 3);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_true(rig_deliver(rig, INT_MAX) >= 1);
	assert_int_equal(access(in(rig->path, "state.db.bad"), F_OK), 0);
}

/* The channels' page of a segment in use can't be read any more: what state.db is owed besides does not wait for it. */
static void channels_that_cannot_be_read_hold_nothing_up(void **state)
{
	struct rig *rig = *state;

	start(rig);
	append(rig, 1);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	pthread_mutex_lock(&rig->store->lock);
	rig->store->noted_channels = 0;
	pthread_mutex_unlock(&rig->store->lock);
	rig_sql(first_segment(rig), "ALTER TABLE channel RENAME COLUMN place TO plage");
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	append(rig, 2);
	rig_wait_mended(rig);
	assert_int_equal(rig_deliver(rig, INT_MAX), 2);
}

/* Or a store with salvaged segments would come to more than its limit. */
static void what_was_salvaged_counts_after_a_restart_too(void **state)
{
	struct rig *rig = *state;
	int64_t bytes;

	start(rig);
	for (int i = 0; i < 200; i++)
		append(rig, i);
	rig_stop(rig);
	rig_sql(first_segment(rig), "PRAGMA user_version=0");
	start(rig);
	append(rig, 200);
	rig_wait_mended(rig);
	bytes = rig->store->segments[0].bytes;
	rig_stop(rig);
	start(rig);
	assert_int_equal(rig->store->segments[0].bytes, bytes);
	assert_true(bytes > kri_db_bytes(first_segment(rig)) + 10000);
}

static void damage_of_a_segment_leaves_delivery_state_alone(void **state)
{
	struct rig *rig = *state;
	int64_t last = 0;

	start(rig);
	append(rig, 1);
	rotate(rig);
	for (int i = 0; i < 5; i++)
		last = append(rig, i);
	rotate(rig);
	append(rig, 9);
	assert_int_equal(rig_deliver(rig, INT_MAX), 7);
	assert_ok(kryos_queue_commit(rig->queue));
	rig_stop(rig);
	/* An older one, which state.db does not know as closed, is damaged. */
	rig_sql(in(rig->path, "state.db"), "DELETE FROM seal WHERE first_seq=1");
	assert_int_equal(chmod(first_segment(rig), 0640), 0);
	rig_sql(first_segment(rig), "PRAGMA user_version=0");
	start(rig);
	assert_int_equal(rig_deliver(rig, INT_MAX), 0);
	assert_true(last > 1);
}

static void a_segment_without_its_version_is_salvaged_and_delivered(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	int salvaged = 0;

	start(rig);
	append(rig, 1);
	rotate(rig);
	append(rig, 2);
	rig_stop(rig);
	rig_sql(in(rig->path, "state.db"), "DELETE FROM seal WHERE first_seq=1");
	assert_int_equal(chmod(first_segment(rig), 0640), 0);
	rig_sql(first_segment(rig), "PRAGMA user_version=0");
	start(rig);
	append(rig, 3);
	rig_wait_mended(rig);
	for (int i = 0; i < 3; i++) {
		while (kryos_queue_next(rig->queue, &record) > 0 && record->event)
			assert_ok(kryos_queue_ack(rig->queue, record->seq));
		salvaged += (record->flags & KRYOS_RECORD_SALVAGED) != 0;
		assert_string_equal(record->channel, "fridge.temperature");
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
	}
	assert_int_equal(salvaged, 1);
	assert_int_equal(rig_status(rig).gaps, 0);
}

static void a_segment_that_cannot_be_read_is_left_out_and_comes_back(void **state)
{
	struct rig *rig = *state;
	uint64_t epoch;

	start(rig);
	append(rig, 1);
	epoch = rig_status(rig).epoch;
	rig_stop(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_READ, ".seg", 1, SQLITE_IOERR_READ, true);
	rig_start(rig, KRYOS_STORE_CONFIG(.board = "one"));
	assert_true(rig_status(rig).epoch != epoch);
	cutvfs_fail(rig->vfs, CUT_CALL_READ, NULL, 0, 0, false);
	append(rig, 2);
	rig_open_queue(rig, NULL);
	assert_int_equal(rig_deliver(rig, INT_MAX), 1);
	assert_ok(kryos_queue_commit(rig->queue));
	assert_int_equal(rig_status(rig).gaps, 0);
	rig_stop(rig);
	start(rig);
	assert_int_equal(rig_count(rig), 2);
	assert_int_equal(rig_deliver(rig, INT_MAX), 1); /* it stayed owed */
}

/* A sector that gives errors for long is given up: a gap, and what is behind it is delivered. */
static void a_queue_does_not_wait_for_a_dead_sector_for_ever(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	int owed = 0;

	start(rig);
	append(rig, 1);
	rotate(rig);
	append(rig, 2);
	while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_EVENTS, &record) > 0)
		;
	cutvfs_fail(rig->vfs, CUT_CALL_READ, "01.seg", 1, SQLITE_IOERR_READ, true);
	assert_fails(-EIO, kryos_queue_next(rig->queue, &record));
	assert_fails(-EIO, kryos_queue_next(rig->queue, &record));
	rig->queue->live.failing_since_ns -= KRYOS_SECONDS(61);
	for (int i = 0; i < 4000 && !owed; i++) {
		if (kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record) > 0)
			owed = (int)record->sample.value_micro;
		process_for(rig->ctx, 5);
	}
	assert_int_equal(owed, 2);
	rig_wait_mended(rig); /* what is behind the sector did not wait for that */
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_int_equal(rig_status(rig).gaps, 1);
}

/* Devices with bad power never run for a day. */
static void age_counts_over_restarts(void **state)
{
	struct rig *rig = *state;

	start(rig);
	append(rig, 1);
	for (int i = 0; i < 3; i++) {
		kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(5));
		append(rig, 2);
		rig_stop(rig);
		kryos_fake_clock_reboot(rig->clock);
		kryos_fake_clock_set_synced(rig->clock, 1);
		start(rig);
	}
	append(rig, 3);
	assert_int_equal(rig_status(rig).segments, 2);
}

static void the_first_row_being_damaged_does_not_disturb_seeking_by_time(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	char path[64];
	int64_t seq;

	start(rig);
	append(rig, 1);
	rotate(rig);
	seq = append(rig, 2);
	kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(10));
	append(rig, 3);
	rig_stop(rig);
	snprintf(path, sizeof(path), "UPDATE sample SET channel=0 WHERE seq=%" PRId64, seq);
	for (int64_t first = seq; first > 1; first--) {
		char name[64];

		snprintf(name, sizeof(name), "%020" PRId64 ".seg", first);
		if (access(in(rig->path, name), F_OK) == 0) {
			rig_sql(in(rig->path, name), path);
			break;
		}
	}
	start(rig);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	assert_ok(kryos_reader_seek_time(reader, RIG_START_NS + KRYOS_SECONDS(605)));
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_int_equal(record->sample.value_micro, 3);
}

/* The next segment is begun before it is needed. */
static void a_time_is_found_though_the_newest_segment_has_no_sample_yet(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;

	start(rig);
	append(rig, 1);
	kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(10));
	append(rig, 2);
	rotate(rig);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	assert_ok(kryos_reader_seek_time(reader, RIG_START_NS));
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_int_equal(record->sample.value_micro, 1);
	assert_ok(kryos_reader_seek_time(reader, RIG_START_NS + KRYOS_SECONDS(5)));
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_int_equal(record->sample.value_micro, 2);
	assert_ok(kryos_reader_seek_time(reader, RIG_START_NS + KRYOS_HOURS(5)));
	assert_int_equal(kryos_reader_next(reader, &record), 0);
}

static void a_sample_without_a_stamp_has_the_time_it_was_handed_in(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;
	const struct kryos_record *record;
	struct kryos_reader *reader;

	start(rig);
	append(rig, 1);
	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "-wal", 1, SQLITE_IOERR_WRITE, true);
	sample = (struct kryos_sample){ .channel = rig->fridge, .value_micro = 2 };
	assert_ok(kryos_store_submit(rig->store, &sample, 1));
	assert_fails(-EIO, kryos_store_flush(rig->store, KRYOS_MILLISECONDS(500)));
	kryos_fake_clock_advance(rig->clock, KRYOS_HOURS(1));
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_int_equal(record->sample.value_micro, 2);
	assert_int_equal(record->sample.t_wall_ns, RIG_START_NS);
}

struct waiting {
	struct rig *rig;
	struct kryos_sample samples[3000];
	int result;
};

static void *append_large(void *data)
{
	struct waiting *waiting = data;

	waiting->result = kryos_store_append(waiting->rig->store, waiting->samples, 3000);
	return NULL;
}

/* Two groups wait; the disk fails while the store is closed: each caller is told, none waits for ever. */
static void callers_that_wait_while_the_store_is_closed_come_back(void **state)
{
	struct waiting *waiting = calloc(3, sizeof(*waiting));
	struct rig *rig = *state;
	pthread_t threads[3];
	bool waits = false;

	start(rig);
	append(rig, 1);
	cutvfs_delay_sync(rig->vfs, 150);
	cutvfs_fail(rig->vfs, CUT_CALL_SYNC, ".seg-wal", 1, SQLITE_IOERR_FSYNC, true);
	for (int i = 0; i < 3; i++) {
		waiting[i].rig = rig;
		for (int j = 0; j < 3000; j++)
			waiting[i].samples[j] = (struct kryos_sample){ .channel = rig->fridge, .value_micro = j };
		assert_int_equal(pthread_create(&threads[i], NULL, append_large, &waiting[i]), 0);
	}
	for (int i = 0; i < 1000 && !waits; i++) {
		pthread_mutex_lock(&rig->store->lock);
		waits = rig->store->waiting_samples == 9000;
		pthread_mutex_unlock(&rig->store->lock);
		usleep(1000);
	}
	assert_true(waits);
	kryos_store_close(rig->store);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(waiting[i].result == -EIO || waiting[i].result == -ECANCELED);
	}
	free(waiting);
}

static void a_queue_that_outlives_its_store_says_what_is_not_committed(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;

	start(rig);
	append(rig, 1);
	assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record), 1);
	kryos_store_close(rig->store);
	assert_ok(kryos_queue_ack(rig->queue, record->seq));
	assert_fails(-ECANCELED, kryos_queue_commit(rig->queue));
	assert_says(-ECANCELED, "it was closed");
}

static void trouble_with_the_disk_is_news_and_ends(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;
	const struct kryos_event *event;
	int bad = 0, good = 0;

	start(rig);
	append(rig, 1);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, ".seg-wal", 1, SQLITE_FULL, true);
	sample = (struct kryos_sample){ .channel = rig->fridge };
	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	assert_fails(KRYOS_EVOLATILE, kryos_store_append(rig->store, &sample, 1));
	assert_says(KRYOS_EVOLATILE, "full");
	assert_int_equal(rig_status(rig).error, -ENOSPC);
	assert_non_null(strstr(rig_status(rig).text, "full"));
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	append(rig, 2);
	assert_int_equal(rig_status(rig).error, 0);
	/* state.db alone can fail too. */
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "state.db-wal", 1, SQLITE_IOERR_WRITE, true);
	assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }));
	assert_fails(-EIO, kryos_store_flush(rig->store, KRYOS_MILLISECONDS(500)));
	append(rig, 3);
	assert_int_equal(rig_status(rig).error, -EIO);
	assert_non_null(strstr(rig_status(rig).text, "state.db"));
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_int_equal(rig_status(rig).error, 0);
	assert_ok(kryos_ctx_process(rig->ctx));
	while (kryos_ctx_next_event(rig->ctx, &event) > 0) {
		bad += event->type == KRYOS_EVENT_STORE && event->code;
		good += event->type == KRYOS_EVENT_STORE && !event->code;
	}
	assert_int_equal(bad, 2);
	assert_int_equal(good, 2);
}

/* The clock's floor is what the newest row says, and the system clock is stepped forward to it and never back. */
static void a_stamp_whose_checksum_is_wrong_moves_no_clock(void **state)
{
	struct rig *rig = *state;
	struct kryos_time now;
	char path[4096];
	sqlite3 *db;

	start(rig);
	append(rig, 1);
	rig_stop(rig);
	snprintf(path, sizeof(path), "%s", in(rig->path, "00000000000000000001.seg"));
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	/* 55 years: one bit. */
	assert_int_equal(
		sqlite3_exec(db, "UPDATE sample SET t_wall_ns=t_wall_ns+1729382256910270464", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	kryos_fake_clock_reboot(rig->clock);
	kryos_fake_clock_set_synced(rig->clock, 0);
	start(rig);
	process_for(rig->ctx, 50);
	assert_ok(kryos_clock_now(rig->ctx, &now));
	assert_true(now.t_wall_ns < RIG_START_NS + KRYOS_HOURS(1));
	assert_true(kryos_fake_clock_wall_ns(rig->clock) < RIG_START_NS + KRYOS_HOURS(1));
}

/* Every third page of state.db in turn: SQLite opens most without a word, and only those who read find out. */
static void damage_deep_in_the_delivery_state_does_not_keep_a_store_from_opening(void **state)
{
	struct rig *rig = *state;
	int64_t seq = 0, before;
	char junk[512];
	sqlite3 *db;
	int fd;

	memset(junk, 0xee, sizeof(junk));
	for (int64_t page = 0, pages = 1; page < pages; page += 3) {
		start(rig);
		assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .size = sizeof(struct kryos_event),
		                                                                   .type = KRYOS_EVENT_AUDIT,
		                                                                   .name = "nurse",
		                                                                   .text = "looked" }));
		before = append(rig, 1);
		assert_true(before > seq);
		seq = before;
		rig_stop(rig);
		/* Out of the WAL, which would hide it. A thread that the stop did not wait for may still have it open.
		 */
		assert_int_equal(sqlite3_open(in(rig->path, "state.db"), &db), SQLITE_OK);
		for (int i = 0;
		     i < 10000 && sqlite3_exec(db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) == SQLITE_BUSY; i++)
			usleep(1000);
		assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		pages = kri_file_bytes(in(rig->path, "state.db")) / 512;
		assert_true(pages > 10);
		fd = open(in(rig->path, "state.db"), O_RDWR);
		assert_int_equal(pwrite(fd, junk, 512, page * 512), 512);
		close(fd);
		start(rig);
		before = append(rig, 2);
		assert_true(before > seq);
		seq = before;
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
		rig_stop(rig);
		(void)unlink(in(rig->path, "state.db-wal"));
		(void)unlink(in(rig->path, "state.db-shm"));
		assert_int_equal(unlink(in(rig->path, "state.db")), 0);
	}
}

/* Not a row of it is left to be found wanting, and the process was killed before anything newer was noted. */
static void a_segment_whose_file_is_gone_is_known_by_its_channels(void **state)
{
	struct rig *rig = *state;
	uint64_t epoch;

	start(rig);
	append(rig, 1);
	epoch = rig_status(rig).epoch;
	rig_stop(rig);
	rig_sql(in(rig->path, "state.db"), "DELETE FROM meta WHERE key='closed'");
	assert_int_equal(unlink(first_segment(rig)), 0);
	assert_int_equal(unlink(in(rig->path, "00000000000000000001.seg-wal")), 0);
	/* Said once. */
	for (int i = 0; i < 2; i++) {
		start(rig);
		assert_true(append(rig, 2) > 1);
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
		assert_true(rig_status(rig).epoch != epoch);
		assert_int_equal(rig_status(rig).gaps, 1);
		rig_stop(rig);
	}
}

/* A try of salvage came to its end, and the next is not to wait. */
static bool was_put_off(void *data)
{
	struct rig *rig = data;
	bool put_off;

	pthread_mutex_lock(&rig->store->lock);
	put_off = rig->store->segments[0].bad && rig->store->segments[0].seal_at_ns;
	if (put_off)
		rig->store->segments[0].seal_at_ns = 0;
	pthread_cond_broadcast(&rig->store->changed);
	pthread_mutex_unlock(&rig->store->lock);
	return put_off;
}

/* Each try finds the same holes. They are said once, so that there is place for what else has to be said. */
static void a_salvage_that_waits_for_state_db_says_its_gaps_once(void **state)
{
	struct rig *rig = *state;

	start(rig);
	for (int i = 0; i < 9; i++)
		append(rig, i);
	rotate(rig);
	append(rig, 9);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	rig_sql(first_segment(rig), "UPDATE sample SET value_micro=1000 WHERE seq IN (2, 4, 6)");
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "state.db-wal", 1, SQLITE_IOERR_WRITE, true);
	rig_deliver(rig, INT_MAX);
	for (int i = 0; i < 3; i++)
		assert_true(process_until(rig->ctx, was_put_off, rig, 20000));
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	rig_wait_mended(rig);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_int_equal(rig_status(rig).gaps, 3);
}

static bool is_removed(void *data)
{
	struct rig *rig = data;

	return access(first_segment(rig), F_OK) != 0;
}

/* A flipped bit in its key: what is owed has no row in a segment that nobody has read since. */
static void what_retention_cannot_find_in_a_damaged_segment_is_said(void **state)
{
	struct rig *rig = *state;
	int64_t seq;

	start(rig);
	append(rig, 1);
	seq = append(rig, 2);
	append(rig, 3);
	rotate(rig);
	append(rig, 4);
	rig_deliver(rig, INT_MAX);
	assert_ok(kryos_queue_resend(rig->queue, seq, seq));
	rig_sql(first_segment(rig), "UPDATE sample SET seq=1000 WHERE value_micro=2");
	pthread_mutex_lock(&rig->store->lock);
	rig->store->config.keep_ns = KRYOS_MINUTES(5);
	rig->store->last_retention_ns = INT64_MAX; /* it is due */
	pthread_cond_broadcast(&rig->store->changed);
	pthread_mutex_unlock(&rig->store->lock);
	assert_true(process_until(rig->ctx, is_removed, rig, 20000));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_int_equal(rig_status(rig).gaps, 1);
}

/* It would stay for ever: a segment is known by its file. */
static void a_cut_of_a_removal_leaves_nothing_salvaged_behind(void **state)
{
	struct rig *rig = *state;
	char path[4096], salvaged[4200], kept[4096];

	snprintf(path, sizeof(path), "%s", in(rig->folder, "00000000000000000001.seg"));
	snprintf(salvaged, sizeof(salvaged), "%s.salvaged", path);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	close(open(salvaged, O_WRONLY | O_CREAT, 0600));
	cutvfs_record(rig->vfs, rig->folder);
	assert_ok(kri_remove_db(path));
	cutvfs_stop(rig->vfs);
	for (enum cut_mode mode = 0; mode < CUT_MODE_COUNT; mode++) {
		struct cut_replay *replay = cut_replay_new(rig->vfs, mode, 20261120);

		for (size_t cut = 0; cut <= cutvfs_count(rig->vfs); cut++) {
			snprintf(kept, sizeof(kept), "%s", in(rig->folder, "cut"));
			cut_replay_to(replay, cut);
			cut_replay_write(replay, kept);
			if (access(in(kept, "00000000000000000001.seg.salvaged"), F_OK) == 0)
				assert_int_equal(access(in(kept, "00000000000000000001.seg"), F_OK), 0);
		}
		cut_replay_free(replay);
	}
}

static void touch(struct rig *rig, const char *name)
{
	FILE *stream = fopen(in(rig->path, name), "wb");

	assert_non_null(stream);
	fclose(stream);
}

/* But what is left of a segment that should be there is not ours to remove. */
static void leftovers_of_a_cut_removal_go_at_the_next_open(void **state)
{
	static const char *const left[] = { "00000000000000000777.seg-wal", "00000000000000000777.seg-shm",
		                            "00000000000000000777.seg.bad", "00000000000000000778.seg.bad" };
	static const char *const kept[] = { "00000000000000000001.seg.bad", "00000000000000000001.seg-wal",
		                            "777.seg-wal", "00000000000000000777.seg-note" };
	struct rig *rig = *state;

	start(rig);
	append(rig, 1);
	rotate(rig);
	rig_stop(rig);
	assert_int_equal(remove(first_segment(rig)), 0);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(left); i++) {
		touch(rig, left[i]);
		touch(rig, kept[i]);
	}
	start(rig);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(left); i++) {
		assert_int_equal(access(in(rig->path, left[i]), F_OK), -1);
		assert_int_equal(access(in(rig->path, kept[i]), F_OK), 0);
	}
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_int_equal(rig_status(rig).gaps, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_setup_cut, rig_teardown)
		CASE(a_sealed_segment_is_never_written_to_again),
		CASE(a_segment_that_lost_its_version_is_damaged_and_not_empty),
		CASE(tables_that_are_not_as_they_were_made_are_damage),
		CASE(channels_that_cannot_be_read_hold_nothing_up),
		CASE(what_was_salvaged_counts_after_a_restart_too),
		CASE(damage_of_a_segment_leaves_delivery_state_alone),
		CASE(a_segment_without_its_version_is_salvaged_and_delivered),
		CASE(a_segment_that_cannot_be_read_is_left_out_and_comes_back),
		CASE(a_queue_does_not_wait_for_a_dead_sector_for_ever),
		CASE(age_counts_over_restarts),
		CASE(the_first_row_being_damaged_does_not_disturb_seeking_by_time),
		CASE(a_time_is_found_though_the_newest_segment_has_no_sample_yet),
		CASE(a_sample_without_a_stamp_has_the_time_it_was_handed_in),
		CASE(callers_that_wait_while_the_store_is_closed_come_back),
		CASE(a_queue_that_outlives_its_store_says_what_is_not_committed),
		CASE(trouble_with_the_disk_is_news_and_ends),
		CASE(a_stamp_whose_checksum_is_wrong_moves_no_clock),
		CASE(a_segment_whose_file_is_gone_is_known_by_its_channels),
		CASE(a_salvage_that_waits_for_state_db_says_its_gaps_once),
		CASE(what_retention_cannot_find_in_a_damaged_segment_is_said),
		CASE(a_cut_of_a_removal_leaves_nothing_salvaged_behind),
		CASE(leftovers_of_a_cut_removal_go_at_the_next_open),
		CASE(damage_deep_in_the_delivery_state_does_not_keep_a_store_from_opening),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
