/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include <string.h>

static void start_with(struct rig *rig, const struct kryos_store_config *store_config,
                       const struct kryos_queue_config *config)
{
	rig_start(rig, store_config);
	rig_open_queue(rig, config);
}

static void start(struct rig *rig)
{
	start_with(rig, NULL, NULL);
}

/* The next sample's seq from these streams, 0 if none; events are acknowledged on the way. */
static int64_t next(struct rig *rig, unsigned int streams)
{
	const struct kryos_record *record;
	int r;

	for (;;) {
		r = kryos_queue_next_of(rig->queue, streams, &record);
		assert_ok(r);
		if (!r)
			return 0;
		if (!record->event)
			return record->seq;
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
	}
}

static struct kryos_queue_status status_of(struct rig *rig)
{
	struct kryos_queue_status status = { .size = sizeof(status) };

	assert_ok(kryos_queue_get_status(rig->queue, &status));
	return status;
}

static void each_record_is_lent_once_and_in_order(void **state)
{
	struct rig *rig = *state;
	int64_t first;

	start(rig);
	first = rig_append_minutes(rig, 200);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(next(rig, KRYOS_STREAM_ANY), first + i);
		assert_ok(kryos_queue_ack(rig->queue, first + i));
	}
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), 0);
	assert_int_equal(status_of(rig).owed, 0);
	assert_fails(-ENOENT, kryos_queue_ack(rig->queue, first));
	assert_fails(-ENOENT, kryos_queue_ack(rig->queue, first + 1000));
	/* What was refused has cost nothing: what comes next is still owed. */
	first = rig_append_minutes(rig, 1);
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), first);
}

static void what_was_not_acknowledged_is_owed_again_after_reopening_with_the_same_id(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	uint64_t epoch;
	int64_t first;

	start(rig);
	first = rig_append_minutes(rig, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(next(rig, KRYOS_STREAM_ANY), first + i);
	assert_ok(kryos_queue_ack(rig->queue, first));
	assert_ok(kryos_queue_ack(rig->queue, first + 2));
	epoch = rig->store->epoch;
	rig_stop(rig);
	start(rig);
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), first + 1);
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), first + 3);
	assert_int_equal(kryos_queue_next(rig->queue, &record), 1);
	assert_int_equal(record->seq, first + 4);
	assert_true(record->epoch == epoch);
	assert_string_equal(record->device, kri_store_get_device(rig->store));
	assert_int_equal(record->sample.value_micro, 4);
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), 0);
}

static void released_records_come_again_before_newer_ones(void **state)
{
	struct rig *rig = *state;
	int64_t first;

	start(rig);
	first = rig_append_minutes(rig, 6);
	for (int i = 0; i < 4; i++)
		assert_int_equal(next(rig, KRYOS_STREAM_ANY), first + i);
	assert_ok(kryos_queue_release(rig->queue, first + 1));
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), first + 1);
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), first + 4);
	assert_ok(kryos_queue_release_all(rig->queue));
	for (int i = 0; i < 6; i++)
		assert_int_equal(next(rig, KRYOS_STREAM_ANY), first + i);
	assert_fails(-ENOENT, kryos_queue_release(rig->queue, first + 77));
}

static void live_and_backlog_are_two_streams_each_in_order(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	int64_t old, fresh;

	start(rig);
	old = rig_append_minutes(rig, 10);
	assert_ok(kryos_queue_set_live(rig->queue));
	fresh = rig_append_minutes(rig, 10);
	assert_int_equal(next(rig, KRYOS_STREAM_LIVE), fresh);
	assert_int_equal(next(rig, KRYOS_STREAM_BACKLOG), old);
	assert_int_equal(next(rig, KRYOS_STREAM_LIVE), fresh + 1);
	assert_int_equal(kryos_queue_next_of(rig->queue, KRYOS_STREAM_BACKLOG, &record), 1);
	assert_int_equal(record->seq, old + 1);
	assert_int_equal(record->stream, KRYOS_STREAM_BACKLOG);
	assert_true(record->flags & KRYOS_RECORD_HISTORICAL);
	for (int i = 2; i < 10; i++)
		assert_int_equal(next(rig, KRYOS_STREAM_BACKLOG), old + i);
	assert_int_equal(next(rig, KRYOS_STREAM_BACKLOG), 0);
	for (int i = 2; i < 10; i++)
		assert_int_equal(next(rig, KRYOS_STREAM_ANY), fresh + i);
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), 0);
	/* The link was lost and came back: all of it is backlog now. */
	assert_ok(kryos_queue_release_all(rig->queue));
	assert_ok(kryos_queue_set_live(rig->queue));
	assert_int_equal(next(rig, KRYOS_STREAM_LIVE), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(next(rig, KRYOS_STREAM_BACKLOG), old + i);
	assert_int_equal(next(rig, KRYOS_STREAM_BACKLOG), fresh);
}

static void events_go_first(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;

	start(rig);
	while (kryos_queue_next(rig->queue, &record) > 0)
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
	rig_append_minutes(rig, 3);
	assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT,
	                                                                   .name = "anna",
	                                                                   .text = "looked | twice",
	                                                                   .code = -3,
	                                                                   .value_ns = 12 }));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	assert_int_equal(kryos_queue_next(rig->queue, &record), 1);
	assert_non_null(record->event);
	assert_int_equal(record->stream, KRYOS_STREAM_EVENTS);
	assert_string_equal(record->event->name, "anna");
	assert_string_equal(record->event->text, "looked | twice");
	assert_int_equal(record->event->code, -3);
	assert_int_equal(record->event->value_ns, 12);
	assert_ok(kryos_queue_ack(rig->queue, record->seq));
	assert_true(next(rig, KRYOS_STREAM_ANY) > 0);
	assert_fails(-EINVAL, kryos_store_add_event(rig->store, &(struct kryos_event){ .type = 99 }));
}

static void a_rejected_record_becomes_a_dead_letter_and_blocks_nothing(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	int64_t first, rejected_event = 0;

	start(rig);
	first = rig_append_minutes(rig, 3);
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), first);
	assert_ok(kryos_queue_reject(rig->queue, first, "too large"));
	assert_int_equal(next(rig, KRYOS_STREAM_LIVE), first + 1);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_EVENTS, &record) > 0) {
		if (record->event->type == KRYOS_EVENT_REJECTED) {
			assert_string_equal(record->event->text, "too large");
			assert_int_equal(record->event->first_seq, first);
			rejected_event = record->seq;
		}
	}
	assert_true(rejected_event > 0);
	/* A receiver that takes no rejection either gets no endless chain of them. */
	assert_ok(kryos_queue_reject(rig->queue, rejected_event, "nor this"));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_EVENTS, &record) > 0)
		assert_int_not_equal(record->event->type, KRYOS_EVENT_REJECTED);
	assert_int_equal(status_of(rig).rejected, 2);
	assert_int_equal(status_of(rig).dead_letters, 2);
	rig_stop(rig);
	start(rig);
	assert_int_equal(next(rig, KRYOS_STREAM_LIVE), first + 1);
	assert_int_equal(status_of(rig).dead_letters, 2);
}

static void a_list_of_channels_owes_nothing_else(void **state)
{
	struct rig *rig = *state;
	int64_t wanted;

	start_with(rig, NULL, KRYOS_QUEUE_CONFIG(.channels = "room.*, fridge.humidity"));
	rig_append(rig, rig->fridge, 1);
	wanted = rig_append(rig, rig->room, 2);
	rig_append(rig, rig->fridge, 3);
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), wanted);
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), 0);
	assert_ok(kryos_queue_ack(rig->queue, wanted));
	assert_int_equal(status_of(rig).owed, 0);
}

static void a_misspelt_list_of_channels_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", "Fridge", "a b", ",", "room.*,", "room .temperature", "room.*, ,fridge"
	};
	struct rig *rig = *state;
	struct kryos_queue *queue = NULL;

	start(rig);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++)
		assert_fails(-EINVAL,
		             kryos_queue_open(&queue, rig->store, "other", KRYOS_QUEUE_CONFIG(.channels = wrong[i])));
	assert_says(-EINVAL, "is no channel");
	assert_null(queue);
}

static void resending_owes_a_range_again(void **state)
{
	struct rig *rig = *state;
	int64_t first, seq;

	start(rig);
	first = rig_append_minutes(rig, 8);
	while ((seq = next(rig, KRYOS_STREAM_ANY)))
		assert_ok(kryos_queue_ack(rig->queue, seq));
	assert_ok(kryos_queue_resend(rig->queue, first + 2, first + 4));
	for (int i = 2; i <= 4; i++)
		assert_int_equal(next(rig, KRYOS_STREAM_LIVE), first + i);
	assert_int_equal(next(rig, KRYOS_STREAM_LIVE), 0);
	assert_ok(kryos_queue_resend(rig->queue, 1, INT64_MAX));
	assert_fails(-EINVAL, kryos_queue_resend(rig->queue, 5, 4));
}

static void a_window_of_lent_records_is_kept(void **state)
{
	struct rig *rig = *state;
	int64_t first;

	start_with(rig, NULL, KRYOS_QUEUE_CONFIG(.max_lent = 3));
	first = rig_append_minutes(rig, 5);
	for (int i = 0; i < 3; i++)
		assert_int_equal(next(rig, KRYOS_STREAM_LIVE), first + i);
	assert_int_equal(next(rig, KRYOS_STREAM_LIVE), 0);
	assert_ok(kryos_queue_ack(rig->queue, first + 1));
	assert_int_equal(next(rig, KRYOS_STREAM_LIVE), first + 3);
}

static void two_queues_know_nothing_of_each_other_and_a_name_is_open_once(void **state)
{
	struct rig *rig = *state;
	struct kryos_queue *other = NULL;
	const struct kryos_record *record;
	int64_t first;

	start(rig);
	first = rig_append_minutes(rig, 2);
	assert_fails(-EBUSY, kryos_queue_open(&other, rig->store, "modem", NULL));
	assert_fails(-EINVAL, kryos_queue_open(&other, rig->store, "Modem!", NULL));
	assert_null(other);
	assert_ok(kryos_queue_open(&other, rig->store, "later", KRYOS_QUEUE_CONFIG(.from_now = 1)));
	assert_int_equal(kryos_queue_next_of(other, KRYOS_STREAM_LIVE, &record), 0);
	assert_int_equal(next(rig, KRYOS_STREAM_LIVE), first);
	rig_append_minutes(rig, 1);
	assert_int_equal(kryos_queue_next_of(other, KRYOS_STREAM_LIVE, &record), 1);
	kryos_queue_close(other);
}

static void order_holds_over_segments(void **state)
{
	struct rig *rig = *state;
	int64_t seq, last = 0;
	int count = 0;

	start_with(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10)), NULL);
	for (int i = 0; i < 6; i++) {
		rig_append_minutes(rig, 30);
		process_for(rig->ctx, 20);
		if (i == 3) {
			rig_stop(rig);
			start_with(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10)), NULL);
		}
	}
	while ((seq = next(rig, KRYOS_STREAM_LIVE))) {
		assert_true(seq > last);
		last = seq;
		count++;
		assert_ok(kryos_queue_ack(rig->queue, seq));
	}
	assert_int_equal(count, 180);
	assert_true(rig->store->segment_count > 2);
}

/* Any order of lending, settling and reopening: in the end each sample was acknowledged, none was lent after that. */
static void random_use_delivers_every_record(void **state)
{
	struct rig *rig = *state;
	uint64_t random = seed_from_environment(7);
	int64_t lent[300], seq;
	bool acked[4000] = { false };
	int lent_count = 0, appended = 0, acked_count = 0;

	start_with(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_HOURS(1)), NULL);
	while (acked_count < 400) {
		switch (next_random(&random) % 16) {
		case 0:
			if (appended < 400) {
				int count = 1 + (int)(next_random(&random) % 20);

				count = count < 400 - appended ? count : 400 - appended;
				rig_append_minutes(rig, count);
				appended += count;
			}
			break;
		case 1:
			assert_ok(kryos_queue_set_live(rig->queue));
			break;
		case 2:
			assert_ok(kryos_queue_release_all(rig->queue));
			lent_count = 0;
			break;
		case 3:
			if (next_random(&random) % 8 == 0) {
				rig_stop(rig); /* delivery state is committed at a clean stop */
				start_with(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_HOURS(1)), NULL);
				lent_count = 0;
			}
			break;
		case 4:
		case 5:
		case 6:
		case 7:
			if (lent_count) {
				int at = (int)(next_random(&random) % (uint64_t)lent_count);

				assert_ok(kryos_queue_ack(rig->queue, lent[at]));
				acked[lent[at]] = true;
				acked_count++;
				lent[at] = lent[--lent_count];
			}
			break;
		default:
			if (lent_count < 200 && (seq = next(rig, KRYOS_STREAM_ANY))) {
				assert_true(seq < 4000);
				assert_false(acked[seq]);
				for (int i = 0; i < lent_count; i++)
					assert_int_not_equal(lent[i], seq);
				lent[lent_count++] = seq;
			}
		}
	}
	assert_int_equal(next(rig, KRYOS_STREAM_ANY), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_record_is_lent_once_and_in_order, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			what_was_not_acknowledged_is_owed_again_after_reopening_with_the_same_id, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(released_records_come_again_before_newer_ones, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(live_and_backlog_are_two_streams_each_in_order, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(events_go_first, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_rejected_record_becomes_a_dead_letter_and_blocks_nothing, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(a_list_of_channels_owes_nothing_else, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_misspelt_list_of_channels_is_refused, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(resending_owes_a_range_again, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_window_of_lent_records_is_kept, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(two_queues_know_nothing_of_each_other_and_a_name_is_open_once,
		                                rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(order_holds_over_segments, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(random_use_delivers_every_record, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
