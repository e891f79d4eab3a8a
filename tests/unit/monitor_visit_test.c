/* SPDX-License-Identifier: Apache-2.0 */
/* A look at what the store keeps of alarms, and what people say of it, where nobody judges. */
#include "monitor_rig.h"
#include <errno.h>
#include <string.h>

/* An open alarm, and then some samples that nobody judged, as after a crash. */
static void live(struct watch *watch)
{
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	assert_int_equal(watch->on, 1);
	watch_stop(watch);
	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	for (int i = 0; i < 4; i++)
		watch_minute(watch, 10000000);
	watch_stop(watch);
	watch_start(watch);
	assert_ok(kri_monitor_visit(watch->monitor));
}

static void what_is_kept_is_seen_and_nothing_is_written(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	unsigned int configured;

	live(watch);
	configured = watch_stored(watch, KRYOS_EVENT_CONFIGURED, NULL, NULL);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_string_equal(channel.channel, FRIDGE);
	assert_int_equal(channel.open, 1 << KRYOS_RULE_HEAT);
	assert_int_equal(channel.rule_count, 1);
	assert_non_null(channel.history);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_string_equal(alarm.episode.name, "warm");
	assert_int_equal(alarm.episode.extreme_micro, 9000000);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.acknowledged, 0);
	assert_int_equal(alarm.episode.extreme_micro, 10000000); /* what was stored is judged by who watches */
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, NULL, NULL), configured);
	watch_stop(watch);
}

static void what_is_acknowledged_goes_on_being_judged(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };

	live(watch);
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.acknowledged, 1);
	assert_int_equal(alarm.episode.extreme_micro, 10000000);
	assert_int_equal(alarm.episode.duration_ns, KRYOS_MINUTES(10));
	watch_stop(watch);
}

static void who_retires_a_channel_costs_it_no_exposure(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_exposure_result exposure = { .size = sizeof(exposure) };
	struct kryos_episode off;

	live(watch);
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	assert_fails(-EALREADY, kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, &off), 1);
	assert_int_equal(off.ended_by, KRYOS_EPISODE_RETIRED);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.retired, 1);
	assert_ok(kryos_history_get(channel.history, KRYOS_WINDOW_ALL, &exposure));
	assert_int_equal(exposure.samples, 11);
	watch_stop(watch);
}

/* A window full of stretches is more than the store keeps: what people say is kept, what was judged is made again. */
static void a_state_without_the_part_of_the_evaluator_stays_without(void **state)
{
	struct kryos_rule dose = watch_warm;
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	int64_t accumulated_ns;

	dose.mode = KRYOS_RULE_CUMULATIVE;
	dose.duration_ns = KRYOS_HOURS(5);
	dose.window_ns = KRYOS_DAYS(30);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &dose, 1);
	for (int i = 0; i < 1300; i++)
		watch_minute(watch, i % 2 ? 9000000 : 5000000);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	accumulated_ns = alarm.episode.accumulated_ns;
	watch_stop(watch);
	watch_start(watch);
	assert_ok(kri_monitor_visit(watch->monitor));
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &dose, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.acknowledged, 1);
	assert_int_equal(alarm.episode.accumulated_ns, accumulated_ns);
	watch_stop(watch);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_is_kept_is_seen_and_nothing_is_written),
		CASE(what_is_acknowledged_goes_on_being_judged),
		CASE(who_retires_a_channel_costs_it_no_exposure),
		CASE(a_state_without_the_part_of_the_evaluator_stays_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
