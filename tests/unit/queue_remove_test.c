/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a queue that nobody will open again, as when a relay is renamed. */
#include "rig.h"
#include "store/store.h"
#include <stdio.h>
#include <string.h>

/* What events say of it, by a reader from outside: how often, and the last text. */
static int read_removals(struct rig *rig, char text[1001])
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int count = 0;

	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_AUDIT || !strstr(record->event->text, " was removed"))
			continue;
		assert_string_equal(record->event->name, "store");
		snprintf(text, 1001, "%s", record->event->text);
		count++;
	}
	kryos_reader_close(reader);
	return count;
}

static bool is_stored(struct rig *rig, const char *name)
{
	struct kryos_queue_status status = { .size = sizeof(status) };
	struct kryos_reader *reader;
	bool found = false;

	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	for (unsigned int i = 0; kryos_reader_get_queue(reader, i, &status) >= 0; i++)
		found |= strcmp(status.name, name) == 0;
	kryos_reader_close(reader);
	return found;
}

static void close_queue(struct rig *rig)
{
	kryos_queue_close(rig->queue);
	rig->queue = NULL;
}

static void a_queue_that_is_removed_is_gone_and_an_event_says_what_it_owed(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_queue_status status = { .size = sizeof(status) };
	char text[1001] = "", expected[100];
	int64_t owed;

	rig_start(rig, NULL);
	rig_open_queue(rig, NULL);
	rig_append_minutes(rig, 5);
	assert_int_equal(rig_deliver(rig, 1), 1);
	assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_LIVE, &record), 1);
	assert_ok(kryos_queue_reject(rig->queue, record->seq, "no"));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_fails(-EBUSY, kryos_store_remove_queue(rig->store, "modem"));
	assert_says(-EBUSY, "queue modem: it is open");
	assert_ok(kryos_queue_get_status(rig->queue, &status));
	owed = status.owed;
	assert_true(owed >= 3);
	close_queue(rig);
	assert_fails(-ENOENT, kryos_store_remove_queue(rig->store, "moden"));
	assert_says(-ENOENT, "queue moden: there is none");
	assert_fails(-EINVAL, kryos_store_remove_queue(rig->store, "Modem"));
	assert_fails(-EINVAL, kryos_store_remove_queue(rig->store, NULL));
	assert_fails(-EINVAL, kryos_store_remove_queue(NULL, "modem"));
	assert_int_equal(read_removals(rig, text), 0);

	assert_ok(kryos_store_remove_queue(rig->store, "modem"));
	/* At once, and for ever. */
	assert_int_equal(read_removals(rig, text), 1);
	snprintf(expected, sizeof(expected), "queue modem was removed; it owed at most %d records", (int)owed);
	assert_string_equal(text, expected);
	assert_false(is_stored(rig, "modem"));
	assert_fails(-ENOENT, kryos_store_remove_queue(rig->store, "modem"));
	rig_stop(rig);
	rig_start(rig, NULL);
	assert_false(is_stored(rig, "modem"));
	/* One of that name is a new one. */
	rig_open_queue(rig, NULL);
	assert_ok(kryos_queue_get_status(rig->queue, &status));
	assert_int_equal(status.acked, 0);
	assert_int_equal(status.dead_letters, 0);
	assert_int_equal(rig_deliver(rig, 100), 5);
}

static void others_owe_what_they_owed(void **state)
{
	struct rig *rig = *state;
	struct kryos_queue *other;

	rig_start(rig, NULL);
	rig_open_queue(rig, NULL);
	assert_ok(kryos_queue_open(&other, rig->store, "other", NULL));
	rig_append_minutes(rig, 5);
	kryos_queue_close(other);
	assert_ok(kryos_store_remove_queue(rig->store, "other"));
	assert_int_equal(rig_deliver(rig, 100), 5);
}

/* What counts is that it is full for the queue's sake only. */
static void a_store_that_refuses_takes_again(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[100];
	int r = 0;

	rig_start(rig, KRYOS_STORE_CONFIG(.full = KRYOS_FULL_REFUSE, .segment_bytes = 65536, .keep_bytes = 1 << 20));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_open_queue(rig, NULL);
	close_queue(rig);
	for (int i = 0; i < 20000 && r >= 0; i++) {
		for (int j = 0; j < 100; j++)
			samples[j] = rig_sample(rig->fridge, i);
		r = kryos_store_append(rig->store, samples, 100);
		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(20));
		process_for(rig->ctx, 2);
	}
	assert_fails(KRYOS_EFULL, r);
	assert_ok(kryos_store_remove_queue(rig->store, "modem"));
	for (int i = 0; i < 2000 && r < 0; i++) {
		process_for(rig->ctx, 5);
		r = kryos_store_append(rig->store, samples, 1);
	}
	assert_ok(r);
}

/* Nobody is told of what is not done. */
static void a_removal_waits_for_a_dead_disk_and_ends_with_the_process(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_queue *other, *again;
	char text[1001];

	for (int comes_back = 0; comes_back < 2; comes_back++) {
		rig_start(rig, NULL);
		rig->store->retry_ns = KRYOS_MILLISECONDS(5);
		if (!comes_back)
			rig_open_queue(rig, NULL);
		close_queue(rig);
		assert_ok(kryos_queue_open(&other, rig->store, "other", KRYOS_QUEUE_CONFIG(.take_volatile = 1)));
		cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 1, SQLITE_IOERR_WRITE, true);
		assert_fails(-EIO, kri_store_remove_queue(rig->store, "modem", KRYOS_MILLISECONDS(100)));
		assert_says(-EIO, "queue modem: it is removed once the disk is back");
		assert_fails(-EBUSY, kri_store_remove_queue(rig->store, "modem", KRYOS_MILLISECONDS(100)));
		assert_says(-EBUSY, "it is being removed");
		assert_fails(-EBUSY, kryos_queue_open(&again, rig->store, "modem", NULL));
		while (kryos_queue_next(other, &record) > 0)
			assert_null(strstr(record->event->text, "was removed"));
		if (comes_back) {
			cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
			assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
		}
		kryos_store_close(rig->store);
		rig_stop(rig);
		cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
		rig_start(rig, NULL);
		assert_int_equal(read_removals(rig, text), comes_back);
		assert_int_equal(is_stored(rig, "modem"), !comes_back);
		rig_stop(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
		TEST(a_queue_that_is_removed_is_gone_and_an_event_says_what_it_owed),
		TEST(others_owe_what_they_owed),
		TEST(a_store_that_refuses_takes_again),
		cmocka_unit_test_setup_teardown(a_removal_waits_for_a_dead_disk_and_ends_with_the_process,
		                                rig_setup_cut, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
