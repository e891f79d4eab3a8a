/* SPDX-License-Identifier: Apache-2.0 */
/* Judging what the store holds where it does not hold every measurement: rows of periods, and changes between them. */
#include "monitor_rig.h"
#include <errno.h>
#include <kryos/history.h>
#include <stdio.h>
#include <string.h>

/* As a sampler with record_ns stores it. */
static int64_t append_row(struct watch *watch, uint32_t channel, int64_t value_micro, int64_t after_ns)
{
	struct kryos_sample row = rig_sample(channel, value_micro);

	kryos_fake_clock_advance(watch->rig->clock, after_ns);
	row.round = 1;
	row.t_boot_ns = kryos_fake_clock_boot_ns(watch->rig->clock);
	row.t_wall_ns = kryos_fake_clock_wall_ns(watch->rig->clock);
	row.trust = KRYOS_TRUST_SYNCED;
	assert_ok(kryos_store_append(watch->rig->store, &row, 1));
	return row.t_boot_ns;
}

static void watch_recorded(struct watch *watch, const char *channel, const struct kryos_rule *rule, const char *unit,
                           int64_t record_ns)
{
	assert_ok(kryos_monitor_watch(watch->monitor, channel,
	                              KRYOS_MONITOR_CHANNEL_CONFIG(.rules = rule, .rule_count = 1, .unit = unit,
	                                                           .interval_ns = KRYOS_MINUTES(1),
	                                                           .record_ns = record_ns)));
	watch_take_events(watch);
}

static void watch_periods(struct watch *watch, const char *channel, const struct kryos_rule *rule, const char *unit)
{
	watch_recorded(watch, channel, rule, unit, KRYOS_MINUTES(15));
}

static void a_row_of_a_period_stands_for_all_of_it(void **state)
{
	struct watch *watch = *state;
	struct kryos_rule hours = watch_warm;
	int64_t start;

	hours.duration_ns = KRYOS_HOURS(2);
	watch_start(watch);
	start = append_row(watch, watch->rig->fridge, 5000000, KRYOS_MINUTES(15));
	for (int i = 0; i < 9; i++)
		append_row(watch, watch->rig->fridge, 9000000, KRYOS_MINUTES(15));
	watch_periods(watch, FRIDGE, &hours, NULL);
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->last.start.t_boot_ns, start + KRYOS_MINUTES(1));
	assert_int_equal(watch->last.trigger.t_boot_ns, start + KRYOS_MINUTES(121));
	assert_int_equal(watch->last.indeterminate_ns, 0);
	watch_stop(watch);
}

static void a_row_that_is_too_far_from_the_one_before_is_one_measurement(void **state)
{
	struct watch *watch = *state;
	struct kryos_rule hours = watch_warm;

	hours.duration_ns = KRYOS_HOURS(2);
	watch_start(watch);
	for (int i = 0; i < 20; i++)
		append_row(watch, watch->rig->fridge, 9000000, KRYOS_MINUTES(17));
	watch_periods(watch, FRIDGE, &hours, NULL);
	assert_int_equal(watch->on, 0); /* two minutes of each seventeen are known */
	watch_stop(watch);
}

static const struct kryos_rule open = { .size = sizeof(open),
	                                .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	                                .name = "open",
	                                .kind = KRYOS_RULE_DOOR,
	                                .comparator = KRYOS_COMPARATOR_GE,
	                                .threshold_micro = 1000000,
	                                .duration_ns = KRYOS_MINUTES(5) };

static void how_long_a_door_was_open_does_not_say_that_it_was_shut(void **state)
{
	struct watch *watch = *state;
	struct kryos_sample sample;
	uint32_t lid;

	watch_start(watch);
	watch_periods(watch, "lid.open", &open, "/");
	assert_ok(kryos_channel_add(watch->rig->ctx, "lid.open", "/", &lid));
	for (int i = 0; i < 6; i++)
		watch_judge(watch, lid, 1000000, &sample);
	assert_int_equal(watch->on, 1);
	watch_stop(watch);
	watch_start(watch);
	assert_ok(kryos_channel_add(watch->rig->ctx, "lid.open", "/", &lid));
	append_row(watch, lid, 400000, KRYOS_MINUTES(1)); /* it was shut before */
	append_row(watch, lid, 1000000, KRYOS_MINUTES(15));
	watch_periods(watch, "lid.open", &open, "/");
	assert_int_equal(watch->off, 0);
	append_row(watch, lid, 0, KRYOS_MINUTES(15));
	watch_stop(watch);
	watch_start(watch);
	watch_periods(watch, "lid.open", &open, "/");
	assert_int_equal(watch->off, 1);
	watch_stop(watch);
}

/* As a sampler does with a line that changes: judged at once, and stored. */
static void change(struct watch *watch, uint32_t lid, int64_t value_micro, int64_t lasted_ns, int64_t after_ns)
{
	struct kryos_sample sample = rig_sample(lid, value_micro);

	kryos_fake_clock_advance(watch->rig->clock, after_ns);
	sample.t_boot_ns = kryos_fake_clock_boot_ns(watch->rig->clock);
	sample.t_wall_ns = kryos_fake_clock_wall_ns(watch->rig->clock);
	sample.trust = KRYOS_TRUST_SYNCED;
	assert_ok(kryos_store_add_event(watch->rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_STATE,
	                                                                          .code = value_micro != 0,
	                                                                          .value_ns = lasted_ns,
	                                                                          .name = "lid.open",
	                                                                          .sample = sample }));
	kri_monitor_set_debounce(watch->monitor, lid, KRYOS_MILLISECONDS(50));
	assert_ok(kri_monitor_take_state(watch->monitor, &sample, lasted_ns));
	watch_take_events(watch);
	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
}

/*
 * Rows every 8 min of a door that is measured every minute. It is opened at minute 3; the row of minute 8 says that it
 * was in both states. The monitor goes after minute before, and the rows of minutes 16 and 17 follow.
 */
static void open_a_lid(struct watch *watch, const struct kryos_rule *rule, int before)
{
	struct kryos_sample sample;
	uint32_t lid;

	watch_start(watch);
	watch_recorded(watch, "lid.open", rule, "/", KRYOS_MINUTES(8));
	assert_ok(kryos_channel_add(watch->rig->ctx, "lid.open", "/", &lid));
	for (int i = 0; i < 3; i++)
		watch_judge(watch, lid, 0, &sample);
	change(watch, lid, 1000000, KRYOS_HOURS(1), KRYOS_SECONDS(1));
	for (int i = 4; i <= before; i++) {
		watch_judge(watch, lid, 1000000, &sample);
		if (i == 8)
			append_row(watch, lid, 600000, 0);
	}
	assert_int_equal(watch->on, 1);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	if (before < 8)
		append_row(watch, lid, 600000, KRYOS_MINUTES(8 - before));
	append_row(watch, lid, 1000000, KRYOS_MINUTES(16 - (before < 8 ? 8 : before)));
	append_row(watch, lid, 1000000, KRYOS_MINUTES(1));
	watch_stop(watch);
}

/* It is open as it was when it was told. */
static void assert_goes_on(struct watch *watch, const struct kryos_rule *rule)
{
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_instant trigger = watch->last.trigger;

	watch_start(watch);
	watch_recorded(watch, "lid.open", rule, "/", KRYOS_MINUTES(8));
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.episode.ended_by, KRYOS_EPISODE_OPEN);
	assert_int_equal(alarm.episode.trigger.t_boot_ns, trigger.t_boot_ns);
	assert_int_equal(alarm.episode.indeterminate_ns, 0);
	watch_stop(watch);
}

static void a_row_of_both_states_goes_on_with_the_newest_change(void **state)
{
	open_a_lid(*state, &open, 9);
	watch_lose_state(*state);
	assert_goes_on(*state, &open);
}

static void an_alarm_that_came_between_two_rows_goes_on(void **state)
{
	struct kryos_rule longer = open;

	longer.duration_ns = KRYOS_MINUTES(7);
	open_a_lid(*state, &longer, 11);
	watch_lose_state(*state);
	assert_goes_on(*state, &longer);
}

/* The change is older than the state, and is not read again: the state knows what it was. */
static void a_row_of_both_states_goes_on_with_what_was_judged_last(void **state)
{
	struct kryos_rule sooner = open;

	sooner.duration_ns = KRYOS_MINUTES(2);
	sooner.gap = KRYOS_GAP_BREAK;
	open_a_lid(*state, &sooner, 5);
	assert_goes_on(*state, &sooner);
}

/* Whose change is not stored, or not of that boot: nobody knows which state was the newer one. */
static void a_row_of_both_states_without_a_change_says_nothing(void **state)
{
	struct watch *watch = *state;
	uint32_t lid;

	watch_start(watch);
	watch_recorded(watch, "lid.open", &open, "/", KRYOS_MINUTES(8));
	assert_ok(kryos_channel_add(watch->rig->ctx, "lid.open", "/", &lid));
	change(watch, lid, 1000000, 0, KRYOS_SECONDS(1));
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	append_row(watch, lid, 500000, KRYOS_MINUTES(9)); /* a period in which no change is stored */
	watch_stop(watch);
	kryos_fake_clock_reboot(watch->rig->clock);
	watch_start(watch);
	assert_ok(kryos_channel_add(watch->rig->ctx, "lid.open", "/", &lid));
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	append_row(watch, lid, 500000, KRYOS_MINUTES(4));
	append_row(watch, lid, 500000, KRYOS_MINUTES(2));
	watch_stop(watch);
	watch_lose_state(watch);
	watch_start(watch);
	watch_recorded(watch, "lid.open", &open, "/", KRYOS_MINUTES(8));
	assert_int_equal(watch->on + watch->off, 0);
	watch_stop(watch);
}

/* It may have been another when the line was read again. */
static void a_change_from_before_a_start_says_nothing_of_a_row_after_it(void **state)
{
	struct watch *watch = *state;
	uint32_t lid;

	for (int started = 0; started < 2; started++) {
		watch_start(watch);
		assert_ok(kryos_channel_add(watch->rig->ctx, "lid.open", "/", &lid));
		change(watch, lid, 1000000, 0, KRYOS_SECONDS(1));
		if (started)
			assert_ok(kryos_store_add_event(watch->rig->store,
			                                &(struct kryos_event){ .type = KRYOS_EVENT_START }));
		append_row(watch, lid, 500000, KRYOS_MINUTES(7));
		watch_recorded(watch, "lid.open", &open, "/", KRYOS_MINUTES(8));
		assert_int_equal(watch->on, !started);
		watch_stop(watch);
		rig_remove(watch->rig);
		kryos_fake_clock_reboot(watch->rig->clock);
	}
}

/* Between two changes, the second of which tells how long it was so, no row is needed. */
static void a_state_that_lasted_until_a_change_was_so_all_the_time(void **state)
{
	struct kryos_rule ajar = open;
	struct watch *watch = *state;
	uint32_t lid;

	ajar.mode = KRYOS_RULE_CUMULATIVE;
	ajar.duration_ns = KRYOS_MINUTES(7);
	watch_start(watch);
	assert_ok(kryos_channel_add(watch->rig->ctx, "lid.open", "/", &lid));
	change(watch, lid, 1000000, 0, KRYOS_SECONDS(1));
	change(watch, lid, 0, KRYOS_MINUTES(6), KRYOS_MINUTES(6));
	change(watch, lid, 1000000, KRYOS_MINUTES(3), KRYOS_MINUTES(3));
	append_row(watch, lid, 500000, KRYOS_MINUTES(2));
	watch_recorded(watch, "lid.open", &ajar, "/", KRYOS_MINUTES(15));
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->last.accumulated_ns, KRYOS_MINUTES(8));
	assert_int_equal(watch->last.indeterminate_ns, 0);
	watch_stop(watch);
}

/* A row may be stored behind a newer one: it is left out, and what follows is judged on. */
static void a_row_that_is_older_than_the_one_before_takes_nothing_back(void **state)
{
	struct watch *watch = *state;
	struct kryos_rule hours = watch_warm;
	struct kryos_sample late;
	int64_t start;

	hours.duration_ns = KRYOS_HOURS(1);
	watch_start(watch);
	start = append_row(watch, watch->rig->fridge, 9000000, KRYOS_MINUTES(15));
	late = rig_sample(watch->rig->fridge, 5000000);
	late.t_boot_ns = start - KRYOS_MINUTES(2);
	late.t_wall_ns = kryos_fake_clock_wall_ns(watch->rig->clock) - KRYOS_MINUTES(2);
	late.trust = KRYOS_TRUST_SYNCED;
	assert_ok(kryos_store_append(watch->rig->store, &late, 1));
	append_row(watch, watch->rig->fridge, 9000000, KRYOS_MINUTES(13));
	for (int i = 0; i < 4; i++)
		append_row(watch, watch->rig->fridge, 9000000, KRYOS_MINUTES(15));
	watch_periods(watch, FRIDGE, &hours, NULL);
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->last.start.t_boot_ns, start);
	assert_int_equal(watch->last.trigger.t_boot_ns, start + KRYOS_MINUTES(60));
	watch_stop(watch);
}

/* Stored since the state was kept, and before the channel was retired by somebody who looked at it. */
static void the_exposure_too_takes_a_row_for_all_of_its_period(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_exposure_result exposure = { .size = sizeof(exposure) };

	watch_start(watch);
	watch_periods(watch, FRIDGE, &watch_warm, NULL);
	watch_minute(watch, 5000000);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	for (int i = 0; i < 2; i++)
		append_row(watch, watch->rig->fridge, 7000000, KRYOS_MINUTES(15));
	watch_stop(watch);
	watch_start(watch);
	assert_ok(kri_monitor_visit(watch->monitor));
	kryos_fake_clock_advance(watch->rig->clock, KRYOS_MINUTES(5));
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	watch_stop(watch);
	watch_start(watch);
	append_row(watch, watch->rig->fridge, 7000000, KRYOS_MINUTES(10)); /* of a period in which it was retired */
	watch_periods(watch, FRIDGE, &watch_warm, NULL);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.retired, 1);
	assert_ok(kryos_history_get(channel.history, KRYOS_WINDOW_ALL, &exposure));
	assert_int_equal(exposure.samples, 46);
	assert_int_equal(exposure.time_ns, KRYOS_MINUTES(45));
	watch_stop(watch);
}

/* The state of the stopped store is to come back later; or it does. */
static void save_state(struct watch *watch)
{
	char sql[600];

	fclose(fopen(in(watch->rig->folder, "old.db"), "w"));
	snprintf(sql, sizeof(sql), "ATTACH '%s' AS old; CREATE TABLE old.state AS SELECT * FROM state",
	         in(watch->rig->folder, "old.db"));
	rig_sql(in(watch->rig->path, "state.db"), sql);
}

static void find_older_state(struct watch *watch)
{
	char sql[600];

	snprintf(sql, sizeof(sql), "ATTACH '%s' AS old; INSERT OR REPLACE INTO state SELECT * FROM old.state",
	         in(watch->rig->folder, "old.db"));
	assert_true(rig_sql(in(watch->rig->path, "state.db"), sql) > 0);
}

static void start_recorded(struct watch *watch)
{
	watch_start(watch);
	watch_recorded(watch, FRIDGE, &watch_warm, NULL, KRYOS_MINUTES(10));
}

/* Stops after a minute that the saved state knows, and goes on; each later minute is in a row only. */
static void begin_to_record(struct watch *watch)
{
	start_recorded(watch);
	watch_minute(watch, 5000000);
	watch_stop(watch);
	save_state(watch);
	start_recorded(watch);
}

static void judge_minutes(struct watch *watch, int minutes, int64_t value_micro)
{
	struct kryos_sample sample;

	for (int i = 0; i < minutes; i++)
		watch_judge(watch, watch->rig->fridge, value_micro, &sample);
}

/* One ON is stored, and one end of it. */
static void assert_told_once(struct watch *watch, enum kryos_episode_end why)
{
	struct kryos_episode on, off;

	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, &on), 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, &off), 1);
	assert_int_equal(off.ended_by, why);
	assert_int_equal(off.start.t_boot_ns, on.start.t_boot_ns);
	assert_int_equal(off.trigger.t_boot_ns, on.trigger.t_boot_ns);
}

static void by_rows_an_alarm_that_was_told_goes_on_as_it_was_told(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	int64_t trigger;

	begin_to_record(watch);
	judge_minutes(watch, 3, 5000000);
	judge_minutes(watch, 7, 9000000);
	assert_int_equal(watch->on, 1);
	trigger = watch->last.trigger.t_boot_ns;
	append_row(watch, watch->rig->fridge, 8100000, 0);
	watch_stop(watch);
	find_older_state(watch);
	start_recorded(watch);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.episode.trigger.t_boot_ns, trigger);
	judge_minutes(watch, 1, 9000000);
	watch_stop(watch);
	start_recorded(watch);
	judge_minutes(watch, 1, 5000000);
	assert_told_once(watch, KRYOS_EPISODE_RECOVERED);
	assert_fails(-ENOENT, kryos_monitor_get_alarm(watch->monitor, 1, &alarm));
	assert_int_equal(watch->last.duration_ns,
	                 kryos_fake_clock_boot_ns(watch->rig->clock) - KRYOS_MINUTES(1) - watch->last.start.t_boot_ns);
	watch_stop(watch);
}

/* Its change is stored, so that it is found to the second; it is shut in the life that goes on. */
static void a_door_that_was_told_goes_on_over_an_older_state(void **state)
{
	struct watch *watch = *state;
	struct kryos_sample sample;
	uint32_t lid;

	for (int life = 0; life < 3; life++) {
		watch_start(watch);
		assert_ok(kryos_channel_add(watch->rig->ctx, "lid.open", "/", &lid));
		watch_recorded(watch, "lid.open", &open, "/", KRYOS_MINUTES(8));
		if (life == 0)
			watch_judge(watch, lid, 0, &sample);
		if (life == 1)
			change(watch, lid, 1000000, 0, KRYOS_SECONDS(30));
		for (int i = 0; life == 1 && i < 7; i++)
			watch_judge(watch, lid, 1000000, &sample);
		if (life == 1)
			append_row(watch, lid, 900000, 0);
		assert_int_equal(watch->on, life == 1);
		assert_int_equal(watch->off, 0);
		if (life == 2)
			change(watch, lid, 0, KRYOS_MINUTES(7), KRYOS_SECONDS(10));
		if (life == 2)
			assert_told_once(watch, KRYOS_EPISODE_RECOVERED);
		watch_stop(watch);
		if (life == 0)
			save_state(watch);
		if (life == 1)
			find_older_state(watch);
	}
}

/* The mean of the period is in range. */
static void what_rows_do_not_find_open_ends(void **state)
{
	struct watch *watch = *state;

	begin_to_record(watch);
	judge_minutes(watch, 3, 5000000);
	judge_minutes(watch, 7, 9000000);
	assert_int_equal(watch->on, 1);
	append_row(watch, watch->rig->fridge, 7900000, 0);
	watch_stop(watch);
	find_older_state(watch);
	start_recorded(watch);
	assert_told_once(watch, KRYOS_EPISODE_SENSOR_LOST);
	watch_stop(watch);
	start_recorded(watch);
	assert_int_equal(watch->on + watch->off, 0);
	watch_stop(watch);
}

/* Told, and acknowledged, in the first period; it was over in the third, which nobody judged, and the state is lost. */
static void an_acknowledged_alarm_that_rows_find_ended_is_the_one_that_was_told(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };

	begin_to_record(watch);
	judge_minutes(watch, 3, 5000000);
	judge_minutes(watch, 7, 9000000);
	assert_int_equal(watch->on, 1);
	append_row(watch, watch->rig->fridge, 8100000, 0);
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	append_row(watch, watch->rig->fridge, 9000000, KRYOS_MINUTES(10));
	append_row(watch, watch->rig->fridge, 5000000, KRYOS_MINUTES(10));
	watch_stop(watch);
	watch_cut_evaluator_out(watch);
	start_recorded(watch);
	assert_told_once(watch, KRYOS_EPISODE_RECOVERED);
	assert_fails(-ENOENT, kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	watch_stop(watch);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_row_of_a_period_stands_for_all_of_it),
		CASE(a_row_that_is_too_far_from_the_one_before_is_one_measurement),
		CASE(how_long_a_door_was_open_does_not_say_that_it_was_shut),
		CASE(a_row_of_both_states_goes_on_with_the_newest_change),
		CASE(an_alarm_that_came_between_two_rows_goes_on),
		CASE(a_row_of_both_states_goes_on_with_what_was_judged_last),
		CASE(a_row_of_both_states_without_a_change_says_nothing),
		CASE(a_change_from_before_a_start_says_nothing_of_a_row_after_it),
		CASE(a_state_that_lasted_until_a_change_was_so_all_the_time),
		CASE(a_row_that_is_older_than_the_one_before_takes_nothing_back),
		CASE(the_exposure_too_takes_a_row_for_all_of_its_period),
		CASE(by_rows_an_alarm_that_was_told_goes_on_as_it_was_told),
		CASE(a_door_that_was_told_goes_on_over_an_older_state),
		CASE(what_rows_do_not_find_open_ends),
		CASE(an_acknowledged_alarm_that_rows_find_ended_is_the_one_that_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
