/* SPDX-License-Identifier: Apache-2.0 */
/* A channel of two states between its samples: what is due, live, judged again, and after its state was lost. */
#include "monitor_rig.h"
#include <string.h>

#define LID "lid.open"
#define OPEN 1000000

static const struct kryos_rule door_rules[] = {
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "open",
	  .kind = KRYOS_RULE_DOOR,
	  .comparator = KRYOS_COMPARATOR_GE,
	  .threshold_micro = OPEN,
	  .duration_ns = KRYOS_SECONDS(300) },
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "ajar",
	  .kind = KRYOS_RULE_DOOR,
	  .comparator = KRYOS_COMPARATOR_GT,
	  .threshold_micro = OPEN / 2,
	  .mode = KRYOS_RULE_CUMULATIVE,
	  .duration_ns = KRYOS_SECONDS(200),
	  .window_ns = KRYOS_MINUTES(10) },
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "short",
	  .kind = KRYOS_RULE_CUSTOM,
	  .comparator = KRYOS_COMPARATOR_GE,
	  .threshold_micro = OPEN,
	  .duration_ns = KRYOS_SECONDS(150),
	  .gap = KRYOS_GAP_BREAK },
};
static const struct kryos_rule supply_rule = { .size = sizeof(supply_rule),
	                                       .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	                                       .name = "no-supply",
	                                       .kind = KRYOS_RULE_POWER,
	                                       .comparator = KRYOS_COMPARATOR_LT,
	                                       .threshold_micro = OPEN,
	                                       .duration_ns = KRYOS_SECONDS(90) };
static const struct kryos_rule lost_rule = { .size = sizeof(lost_rule),
	                                     .has = KRYOS_RULE_DURATION,
	                                     .name = "lost",
	                                     .kind = KRYOS_RULE_SENSOR,
	                                     .duration_ns = KRYOS_SECONDS(90) };

static void begin_without_a_word(struct watch *watch)
{
	watch_start(watch);
	assert_ok(kryos_channel_add(watch->rig->ctx, LID, "/", &watch->rig->room));
}

/* A device starts; rules NULL: it judges nothing. */
static void begin(struct watch *watch, const struct kryos_rule *rules, uint32_t count)
{
	begin_without_a_word(watch);
	assert_ok(kryos_store_add_event(watch->rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_START }));
	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	if (rules)
		assert_ok(kryos_monitor_watch(watch->monitor, LID,
		                              KRYOS_MONITOR_CHANNEL_CONFIG(.rules = rules, .rule_count = count,
		                                                           .unit = "/",
		                                                           .interval_ns = KRYOS_MINUTES(1))));
	kri_monitor_set_debounce(watch->monitor, watch->rig->room, KRYOS_MILLISECONDS(50));
	watch_take_events(watch);
}

static void go_to(struct watch *watch, int64_t seconds)
{
	kryos_fake_clock_advance(watch->rig->clock,
	                         KRYOS_SECONDS(seconds) - kryos_fake_clock_boot_ns(watch->rig->clock));
	assert_ok(kryos_ctx_process(watch->rig->ctx));
	watch_take_events(watch);
}

static struct kryos_sample sample_at(struct watch *watch, int64_t seconds, int64_t value_micro)
{
	struct kryos_sample sample = rig_sample(watch->rig->room, value_micro);

	go_to(watch, seconds);
	sample.t_boot_ns = kryos_fake_clock_boot_ns(watch->rig->clock);
	sample.t_wall_ns = kryos_fake_clock_wall_ns(watch->rig->clock);
	sample.trust = KRYOS_TRUST_SYNCED;
	return sample;
}

static void measure(struct watch *watch, int64_t seconds, int64_t value_micro, unsigned int quality)
{
	struct kryos_sample sample = sample_at(watch, seconds, value_micro);

	sample.quality = (uint16_t)quality;
	sample.round = 1;
	assert_ok(kryos_monitor_take(watch->monitor, &sample, 1));
	assert_ok(kryos_store_append(watch->rig->store, &sample, 1));
	watch_take_events(watch);
}

/* With rounds of the present state until then. */
static void measure_until(struct watch *watch, int64_t from, int64_t to, int64_t value_micro)
{
	for (int64_t at = from; at <= to; at += 60)
		measure(watch, at, value_micro, KRYOS_QUALITY_GOOD);
}

static void change(struct watch *watch, int64_t seconds, int64_t value_micro)
{
	struct kryos_sample sample = sample_at(watch, seconds, value_micro);

	assert_ok(kryos_store_add_event(watch->rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_STATE,
	                                                                          .code = value_micro != 0,
	                                                                          .name = LID,
	                                                                          .sample = sample }));
	assert_ok(kri_monitor_take_state(watch->monitor, &sample, 0));
	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	watch_take_events(watch);
}

/* When the open episode of that rule was triggered; -1: there is none. */
static int64_t triggered(struct watch *watch, const char *rule)
{
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };

	for (unsigned int i = 0; kryos_monitor_get_alarm(watch->monitor, i, &alarm) >= 0; i++)
		if (strcmp(alarm.episode.name, rule) == 0 && !alarm.episode.ended_by)
			return alarm.episode.trigger.t_boot_ns;
	return -1;
}

static void each_rule_of_a_door_is_due_for_itself(void **state)
{
	struct watch *watch = *state;

	begin(watch, door_rules, 3);
	measure_until(watch, 60, 60, 0);
	change(watch, 70, OPEN);
	change(watch, 105, 0); /* 35 s */
	change(watch, 130, OPEN);
	measure_until(watch, 180, 240, OPEN);
	go_to(watch, 281);
	assert_int_equal(watch->on, 1);
	assert_int_equal(triggered(watch, "short"), KRYOS_SECONDS(280));
	go_to(watch, 296);
	assert_int_equal(triggered(watch, "ajar"), KRYOS_SECONDS(295));
	measure_until(watch, 300, 420, OPEN);
	go_to(watch, 431);
	assert_int_equal(triggered(watch, "open"), KRYOS_SECONDS(430));
	assert_int_equal(watch->on, 3);
	change(watch, 440, 0);
	assert_int_equal(triggered(watch, "open"), -1);
	/* Of the last ten minutes it was open for 345 s, until the first of them are older: "ajar" goes on. */
	assert_int_equal(triggered(watch, "ajar"), KRYOS_SECONDS(295));
	watch_stop(watch);
}

/* What was told of a door that was open at 70 s, in a life that judged, is what those find that judge it again. */
static void what_was_not_judged_is_found_as_of_when_it_was_due(void **state)
{
	struct watch *watch = *state;
	struct kryos_episode on;

	begin(watch, door_rules, 1);
	measure_until(watch, 60, 60, 0);
	watch_stop(watch);
	begin(watch, NULL, 0); /* nobody judges: as after a crash before the state was kept */
	measure_until(watch, 120, 120, 0);
	change(watch, 130, OPEN);
	measure_until(watch, 180, 480, OPEN);
	watch_stop(watch);
	begin(watch, door_rules, 1);
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->last.trigger.t_boot_ns, KRYOS_SECONDS(430));
	assert_int_equal(watch->last.duration_ns, KRYOS_SECONDS(300));
	watch_stop(watch);
	watch_lose_state(watch);
	begin(watch, door_rules, 1);
	assert_int_equal(watch->on, 0);
	assert_int_equal(triggered(watch, "open"), KRYOS_SECONDS(430));
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, &on), 1);
	assert_int_equal(on.trigger.t_boot_ns, KRYOS_SECONDS(430));
	watch_stop(watch);
}

/* Due was 430: told before the device stopped, or after it. */
static void what_was_due_before_a_start_is_known_by_what_was_told(void **state)
{
	struct watch *watch = *state;

	for (int told = 0; told < 2; told++) {
		begin(watch, door_rules, 1);
		measure_until(watch, 60, 120, 0);
		change(watch, 130, OPEN);
		measure_until(watch, 180, 420, OPEN);
		go_to(watch, told ? 431 : 429);
		assert_int_equal(watch->on, told);
		watch_stop(watch);
		watch_lose_state(watch);
		kryos_fake_clock_advance(watch->rig->clock, KRYOS_SECONDS(10));
		begin(watch, NULL, 0);
		measure_until(watch, 480, 480, OPEN);
		watch_stop(watch);
		begin(watch, door_rules, 1);
		assert_int_equal(triggered(watch, "open"), KRYOS_SECONDS(told ? 430 : 480));
		watch_stop(watch);
		rig_remove(watch->rig);
		kryos_fake_clock_reboot(watch->rig->clock);
	}
}

/* From here on nobody judges: as after a crash. */
static void judge_no_more(struct watch *watch)
{
	kryos_monitor_free(watch->monitor);
	assert_ok(kryos_monitor_new(&watch->monitor, watch->rig->store));
}

/* A state that was kept after a start, before anything was measured, does not last. */
static void what_was_judged_before_a_start_makes_nothing_due_after_it(void **state)
{
	struct watch *watch = *state;

	begin(watch, door_rules, 1);
	measure_until(watch, 60, 120, 0);
	change(watch, 130, OPEN);
	measure_until(watch, 180, 360, OPEN);
	watch_stop(watch);
	begin(watch, NULL, 0);
	measure(watch, 420, OPEN, KRYOS_QUALITY_GOOD);
	watch_stop(watch);
	begin(watch, door_rules, 1);
	judge_no_more(watch);
	measure(watch, 440, OPEN, KRYOS_QUALITY_GOOD); /* due would have been 430 */
	watch_stop(watch);
	begin(watch, door_rules, 1);
	assert_int_equal(triggered(watch, "open"), KRYOS_SECONDS(440));
	watch_stop(watch);
}

/* Nor does that of a line that was given back, where it is kept. */
static void what_was_let_go_makes_nothing_due_later(void **state)
{
	struct watch *watch = *state;

	begin(watch, door_rules, 1);
	measure_until(watch, 60, 120, 0);
	change(watch, 130, OPEN);
	measure_until(watch, 180, 420, OPEN);
	kri_monitor_let_go(watch->monitor, watch->rig->room);
	judge_no_more(watch);
	measure(watch, 440, OPEN, KRYOS_QUALITY_GOOD);
	watch_stop(watch);
	begin(watch, door_rules, 1);
	assert_int_equal(triggered(watch, "open"), KRYOS_SECONDS(440));
	watch_stop(watch);
}

/* It was read until then. */
static void what_lasts_when_it_is_kept_makes_due_what_comes_after(void **state)
{
	struct watch *watch = *state;

	begin(watch, door_rules, 1);
	measure_until(watch, 60, 120, 0);
	change(watch, 130, OPEN);
	measure_until(watch, 180, 420, OPEN);
	judge_no_more(watch);
	measure(watch, 440, OPEN, KRYOS_QUALITY_GOOD);
	watch_stop(watch);
	begin(watch, door_rules, 1);
	assert_int_equal(triggered(watch, "open"), KRYOS_SECONDS(430));
	watch_stop(watch);
}

static void a_supply_that_fails_is_alarmed_when_it_is_due(void **state)
{
	struct watch *watch = *state;

	begin(watch, &supply_rule, 1);
	measure_until(watch, 60, 60, OPEN);
	change(watch, 115, 0);
	measure_until(watch, 120, 180, 0);
	assert_int_equal(watch->on, 0);
	go_to(watch, 206);
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->last.trigger.t_boot_ns, KRYOS_SECONDS(205));
	watch_stop(watch);
}

static void step(struct watch *watch, int64_t by_ns)
{
	kryos_fake_clock_set_wall(watch->rig->clock, kryos_fake_clock_wall_ns(watch->rig->clock) + by_ns);
}

static void a_step_of_the_wall_clock_makes_nothing_due(void **state)
{
	struct watch *watch = *state;

	begin(watch, &supply_rule, 1);
	measure_until(watch, 60, 60, OPEN);
	change(watch, 115, 0);
	step(watch, KRYOS_HOURS(5));
	go_to(watch, 120);
	assert_int_equal(watch->on, 0);
	measure_until(watch, 120, 180, 0);
	step(watch, -KRYOS_HOURS(9));
	go_to(watch, 206);
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->last.trigger.t_boot_ns, KRYOS_SECONDS(205));
	watch_stop(watch);
}

static void nothing_is_due_of_what_nobody_measures_any_more(void **state)
{
	struct watch *watch = *state;
	struct kryos_rule rule = door_rules[0];

	rule.gap = KRYOS_GAP_COUNT;
	begin(watch, &rule, 1);
	measure_until(watch, 60, 120, 0);
	change(watch, 130, OPEN);
	measure_until(watch, 180, 240, OPEN);
	go_to(watch, 3600); /* for longer than two intervals */
	assert_int_equal(watch->on, 0);
	assert_int_equal(triggered(watch, "open"), -1);
	measure(watch, 3600, 0, KRYOS_QUALITY_GOOD);
	assert_int_equal(watch->on, 0);
	watch_stop(watch);
}

/* Live; or judged again, of a program that stores no starts. */
static void over_a_reboot_a_run_goes_on_and_nothing_is_due(void **state)
{
	struct watch *watch = *state;

	for (int again = 0; again < 2; again++) {
		if (again)
			begin_without_a_word(watch);
		else
			begin(watch, door_rules, 1);
		measure_until(watch, 60, 120, 0);
		change(watch, 130, OPEN);
		measure_until(watch, 180, 420, OPEN);
		watch_stop(watch);
		kryos_fake_clock_reboot(watch->rig->clock);
		if (again)
			begin_without_a_word(watch);
		else
			begin(watch, door_rules, 1);
		measure(watch, 440, OPEN, KRYOS_QUALITY_GOOD);
		if (again)
			watch_stop(watch);
		if (again)
			begin(watch, door_rules, 1);
		assert_int_equal(watch->on, 1);
		assert_int_equal(watch->last.start.t_boot_ns, KRYOS_SECONDS(130));
		assert_int_equal(watch->last.trigger.t_boot_ns, KRYOS_SECONDS(440));
		assert_true(watch->last.trigger.boot > watch->last.start.boot);
		watch_stop(watch);
		rig_remove(watch->rig);
		kryos_fake_clock_reboot(watch->rig->clock);
	}
}

static void of_a_channel_that_fails_each_round_asks_again(void **state)
{
	struct watch *watch = *state;

	begin(watch, &lost_rule, 1);
	measure_until(watch, 60, 60, 0);
	measure(watch, 120, 0, KRYOS_QUALITY_ABSENT);
	measure(watch, 180, 0, KRYOS_QUALITY_ABSENT);
	go_to(watch, 230); /* more than 90 s */
	assert_int_equal(watch->on, 0);
	measure(watch, 240, 0, KRYOS_QUALITY_ABSENT);
	assert_int_equal(watch->on, 1);
	watch_stop(watch);
}

static void a_retired_door_is_not_due(void **state)
{
	struct watch *watch = *state;

	begin(watch, door_rules, 1);
	measure_until(watch, 60, 120, 0);
	change(watch, 130, OPEN);
	measure_until(watch, 180, 420, OPEN);
	assert_ok(kryos_monitor_retire(watch->monitor, LID, "nurse", "it is being cleaned"));
	go_to(watch, 432);
	measure_until(watch, 480, 600, OPEN);
	assert_int_equal(watch->on, 0);
	assert_ok(kryos_monitor_resume(watch->monitor, LID, "nurse", "it is clean"));
	measure_until(watch, 660, 900, OPEN);
	go_to(watch, 961); /* 300 s since it was measured again */
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->last.trigger.t_boot_ns, KRYOS_SECONDS(960));
	watch_stop(watch);
}

static void rules_that_change_are_due_by_what_they_are_now(void **state)
{
	struct watch *watch = *state;

	begin(watch, door_rules, 1);
	measure_until(watch, 60, 120, 0);
	change(watch, 130, OPEN);
	measure_until(watch, 180, 240, OPEN);
	assert_ok(kryos_monitor_watch(watch->monitor, LID,
	                              KRYOS_MONITOR_CHANNEL_CONFIG(.rules = door_rules + 1, .rule_count = 2,
	                                                           .unit = "/", .interval_ns = KRYOS_MINUTES(1))));
	measure_until(watch, 300, 420, OPEN);
	go_to(watch, 451);
	assert_int_equal(triggered(watch, "open"), -1);
	assert_int_equal(triggered(watch, "short"), KRYOS_SECONDS(450));
	assert_ok(kryos_monitor_unwatch(watch->monitor, LID));
	go_to(watch, 600);
	assert_int_equal(watch->on, 1);
	watch_stop(watch);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(each_rule_of_a_door_is_due_for_itself),
		CASE(what_was_not_judged_is_found_as_of_when_it_was_due),
		CASE(what_was_due_before_a_start_is_known_by_what_was_told),
		CASE(what_was_judged_before_a_start_makes_nothing_due_after_it),
		CASE(what_was_let_go_makes_nothing_due_later),
		CASE(what_lasts_when_it_is_kept_makes_due_what_comes_after),
		CASE(a_supply_that_fails_is_alarmed_when_it_is_due),
		CASE(a_step_of_the_wall_clock_makes_nothing_due),
		CASE(nothing_is_due_of_what_nobody_measures_any_more),
		CASE(over_a_reboot_a_run_goes_on_and_nothing_is_due),
		CASE(of_a_channel_that_fails_each_round_asks_again),
		CASE(a_retired_door_is_not_due),
		CASE(rules_that_change_are_due_by_what_they_are_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
