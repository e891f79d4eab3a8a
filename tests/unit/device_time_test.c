/* SPDX-License-Identifier: Apache-2.0 */
#include "clock/clock.h"
#include "rig.h"
#include <stdlib.h>
#include <unistd.h>

/* own: the board's name; NULL: the first one's. */
static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.board = rig->own ? rig->own : "board-1"));
	kri_clock_refresh(rig->ctx);
}

/* Off for so long, and on again with a clock that may be trusted or not. */
static void reboot(struct rig *rig, int64_t off_ns, int synced)
{
	int64_t wall = kryos_fake_clock_wall_ns(rig->clock);

	rig_stop(rig);
	kryos_fake_clock_reboot(rig->clock);
	kryos_fake_clock_set_wall(rig->clock, wall + off_ns);
	kryos_fake_clock_set_synced(rig->clock, synced);
	start(rig);
}

static int64_t device_now(struct rig *rig)
{
	return rig_status(rig).device_ns;
}

/* Lets so much time pass, ending with a sample; device time goes along. */
static void measure_for(struct rig *rig, int64_t duration_ns)
{
	struct kryos_sample sample = { .channel = rig->fridge, .value_micro = 5250000 };
	int64_t before = device_now(rig);

	kryos_fake_clock_advance(rig->clock, duration_ns);
	assert_ok(kryos_store_append(rig->store, &sample, 1));
	assert_int_equal(device_now(rig), before + duration_ns);
}

static int64_t newest_record(struct rig *rig)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int64_t device_ns = -1, last = -1;

	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next(reader, &record) > 0) {
		device_ns = record->device_ns;
		assert_true(device_ns >= last);
		last = device_ns;
	}
	kryos_reader_close(reader);
	return device_ns;
}

static void it_counts_from_commissioning_and_over_a_restart(void **state)
{
	struct rig *rig = *state;

	kryos_fake_clock_advance(rig->clock, KRYOS_DAYS(3)); /* the board was on before */
	start(rig);
	assert_int_equal(device_now(rig), 0);
	measure_for(rig, KRYOS_HOURS(1));
	assert_int_equal(newest_record(rig), KRYOS_HOURS(1));
	rig_stop(rig);
	kryos_fake_clock_advance(rig->clock, KRYOS_HOURS(1));
	start(rig);
	assert_int_equal(device_now(rig), KRYOS_HOURS(2));
}

static void the_time_off_counts_where_both_its_ends_are_known(void **state)
{
	struct rig *rig = *state;

	start(rig);
	measure_for(rig, KRYOS_HOURS(1));
	reboot(rig, KRYOS_HOURS(2), 1);
	assert_int_equal(device_now(rig), KRYOS_HOURS(3));
	measure_for(rig, KRYOS_HOURS(1));
	assert_int_equal(newest_record(rig), KRYOS_HOURS(4));
}

static void it_counts_once_the_time_becomes_known_and_only_once(void **state)
{
	struct rig *rig = *state;

	start(rig);
	measure_for(rig, KRYOS_HOURS(1));
	reboot(rig, KRYOS_HOURS(2), 0);
	assert_int_equal(device_now(rig), KRYOS_HOURS(1) + kryos_fake_clock_boot_ns(rig->clock));
	measure_for(rig, KRYOS_MINUTES(30));
	/* A restart of the program between does not make it forget what is to be counted. */
	rig_stop(rig);
	start(rig);
	kryos_fake_clock_set_synced(rig->clock, 1);
	kri_clock_refresh(rig->ctx);
	assert_int_equal(device_now(rig), KRYOS_HOURS(3) + KRYOS_MINUTES(30));
	assert_int_equal(newest_record(rig), KRYOS_HOURS(3) + KRYOS_MINUTES(30));
	kryos_fake_clock_set_wall(rig->clock, kryos_fake_clock_wall_ns(rig->clock) + KRYOS_DAYS(30));
	kri_clock_refresh(rig->ctx);
	assert_int_equal(device_now(rig), KRYOS_HOURS(3) + KRYOS_MINUTES(30));
	rig_stop(rig);
	start(rig);
	assert_int_equal(device_now(rig), KRYOS_HOURS(3) + KRYOS_MINUTES(30));
}

static void a_boot_of_unknown_time_is_bridged(void **state)
{
	struct rig *rig = *state;

	start(rig);
	measure_for(rig, KRYOS_HOURS(1));
	reboot(rig, KRYOS_HOURS(2), 0);
	measure_for(rig, KRYOS_MINUTES(30));
	reboot(rig, KRYOS_HOURS(1), 1);
	assert_int_equal(device_now(rig), KRYOS_HOURS(4) + KRYOS_MINUTES(30));
}

static void a_clock_set_back_does_not_take_it_back(void **state)
{
	struct rig *rig = *state;

	start(rig);
	measure_for(rig, KRYOS_HOURS(1));
	reboot(rig, -KRYOS_DAYS(365), 1);
	assert_int_equal(device_now(rig), KRYOS_HOURS(1) + kryos_fake_clock_boot_ns(rig->clock));
	measure_for(rig, KRYOS_HOURS(1));
	assert_int_equal(newest_record(rig), KRYOS_HOURS(1) + kryos_fake_clock_boot_ns(rig->clock));
}

static void a_lost_state_db_does_not_lose_it(void **state)
{
	struct rig *rig = *state;

	start(rig);
	measure_for(rig, KRYOS_HOURS(1));
	reboot(rig, KRYOS_HOURS(2), 1);
	measure_for(rig, KRYOS_HOURS(1));
	for (int again = 0; again < 2; again++) {
		rig_stop(rig);
		assert_ok(kri_remove_db(in(rig->path, "state.db")));
		start(rig);
		assert_int_equal(device_now(rig), KRYOS_HOURS(4));
		measure_for(rig, 0);
	}
	assert_ok(kri_remove_db(in(rig->path, "state.db")));
	reboot(rig, KRYOS_HOURS(1), 1);
	assert_int_equal(device_now(rig), KRYOS_HOURS(5));
}

static void another_board_begins_again(void **state)
{
	struct rig *rig = *state;

	start(rig);
	measure_for(rig, KRYOS_HOURS(1));
	rig->own = "board-2";
	reboot(rig, KRYOS_HOURS(2), 1);
	assert_int_equal(device_now(rig), 0);
	measure_for(rig, KRYOS_HOURS(1));
	/* The same boot on the new board is no new commissioning. */
	rig_stop(rig);
	start(rig);
	assert_int_equal(device_now(rig), KRYOS_HOURS(1));
}

static void events_have_it_too_and_are_corrected_like_samples(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_queue *queue;
	bool found = false;

	kryos_fake_clock_set_synced(rig->clock, 0);
	start(rig);
	assert_ok(kryos_queue_open(&queue, rig->store, "modem", NULL));
	measure_for(rig, KRYOS_MINUTES(1));
	assert_ok(
		kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT, .text = "door" }));
	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(1));
	kryos_fake_clock_set_wall(rig->clock, RIG_START_NS + KRYOS_DAYS(365));
	kryos_fake_clock_set_synced(rig->clock, 1);
	kri_clock_refresh(rig->ctx);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	while (!found && kryos_queue_next_of(queue, KRYOS_STREAM_EVENTS, &record) > 0) {
		found = record->event->type == KRYOS_EVENT_AUDIT;
		if (!found)
			continue;
		assert_int_equal(record->device_ns, KRYOS_MINUTES(1));
		assert_true(record->sample.flags & KRYOS_SAMPLE_CORRECTED);
		assert_int_equal(record->sample.t_wall_ns, RIG_START_NS + KRYOS_DAYS(365) - KRYOS_MINUTES(1));
	}
	assert_true(found);
}

static void what_a_header_says_of_a_boot_is_read_back_or_refused(void **state)
{
	static const char *const wrong[] = {
		"",         "1 2 3",   "1 2 3 3 5", "1 2 3 3 ",  " 1 2 3 3",
		"1  2 3 3", "1 2 x 3", "1 2 3 -1",  "1 2 3 4",   "1 2 3 3x",
		"+1 2 3 3", "1,2,3,3", "1 2 - 3",   "0x1 2 3 3", "9223372036854775808 2 3 3",
	};
	struct kri_boot boot = { .boot = 4294967295U,
		                 .trust = KRYOS_TRUST_SYNCED,
		                 .offset_ns = INT64_MAX,
		                 .device_ns = INT64_MIN,
		                 .before_ns = RIG_START_NS },
			back = { .boot = 0 };
	char text[100];

	(void)state;
	kri_boot_text(&boot, text, sizeof(text));
	assert_true(kri_boot_parse(&back, "4294967295", text));
	assert_int_equal(back.boot, boot.boot);
	assert_int_equal(back.trust, boot.trust);
	assert_true(back.offset_ns == boot.offset_ns && back.device_ns == boot.device_ns);
	assert_true(back.before_ns == boot.before_ns);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++)
		assert_false(kri_boot_parse(&back, "1", wrong[i]));
	assert_false(kri_boot_parse(&back, "4294967296", text));
	assert_false(kri_boot_parse(&back, "0", text));
	assert_false(kri_boot_parse(&back, "1 2", text));
	assert_int_equal(back.boot, boot.boot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_counts_from_commissioning_and_over_a_restart, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(the_time_off_counts_where_both_its_ends_are_known, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(it_counts_once_the_time_becomes_known_and_only_once, rig_setup,
		                                rig_teardown),
		cmocka_unit_test_setup_teardown(a_boot_of_unknown_time_is_bridged, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_clock_set_back_does_not_take_it_back, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_lost_state_db_does_not_lose_it, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(another_board_begins_again, rig_setup, rig_teardown),
		cmocka_unit_test(what_a_header_says_of_a_boot_is_read_back_or_refused),
		cmocka_unit_test_setup_teardown(events_have_it_too_and_are_corrected_like_samples, rig_setup,
		                                rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
