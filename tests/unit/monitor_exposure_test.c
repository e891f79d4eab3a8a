/* SPDX-License-Identifier: Apache-2.0 */
/* What the temperature of a watched channel did goes on over restarts, lost states and other rules. */
#include "monitor_rig.h"
#include <errno.h>

static struct kryos_rule heat_above(int64_t threshold_micro)
{
	return (struct kryos_rule){ .size = sizeof(struct kryos_rule),
		                    .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
		                    .name = "heat",
		                    .kind = KRYOS_RULE_HEAT,
		                    .comparator = KRYOS_COMPARATOR_GT,
		                    .threshold_micro = threshold_micro,
		                    .duration_ns = KRYOS_HOURS(1) };
}

static void watch_above(struct watch *watch, int64_t threshold_micro)
{
	struct kryos_rule rule = heat_above(threshold_micro);

	watch_rules(watch, FRIDGE, &rule, 1);
}

static struct kryos_exposure_result exposure_of(struct watch *watch, enum kryos_window window)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_exposure_result result = { .size = sizeof(result) };

	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_non_null(channel.history);
	assert_ok(kryos_history_get(channel.history, window, &result));
	return result;
}

static void minutes(struct watch *watch, int count, int64_t value_micro)
{
	for (int i = 0; i < count; i++)
		watch_minute(watch, value_micro);
}

/* Nobody watches, as after a crash before the state was kept. */
static void stop_watching(struct watch *watch)
{
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
}

static void exposure_goes_on_over_restarts(void **state)
{
	struct watch *watch = *state;
	struct kryos_exposure_result exposure;

	watch_start(watch);
	watch_above(watch, 8000000);
	minutes(watch, 10, 4000000);
	minutes(watch, 10, 9000000);
	exposure = exposure_of(watch, KRYOS_WINDOW_24H);
	assert_int_equal(exposure.time_ns, KRYOS_MINUTES(19));
	assert_int_equal(exposure.above_ns, KRYOS_MINUTES(9));
	watch_stop(watch);
	watch_start(watch);
	stop_watching(watch);
	minutes(watch, 5, 12000000);
	watch_stop(watch);
	watch_start(watch);
	watch_above(watch, 8000000);
	minutes(watch, 5, 4000000);
	for (int window = KRYOS_WINDOW_ALL; window <= KRYOS_WINDOW_30D; window++) {
		exposure = exposure_of(watch, (enum kryos_window)window);
		assert_int_equal(exposure.samples, 30);
		assert_int_equal(exposure.min_micro, 4000000);
		assert_int_equal(exposure.max_micro, 12000000);
		assert_int_equal(exposure.time_ns, KRYOS_MINUTES(29));
		assert_int_equal(exposure.above_ns, KRYOS_MINUTES(15));
	}
	assert_true(exposure_of(watch, KRYOS_WINDOW_ALL).vvm_micro[KRYOS_VVM2] > 0);
	watch_stop(watch);
}

static void a_lost_state_is_made_again_from_what_is_stored(void **state)
{
	struct watch *watch = *state;
	struct kryos_exposure_result before, after;

	watch_start(watch);
	watch_above(watch, 8000000);
	minutes(watch, 10, 4000000);
	minutes(watch, 10, 9000000);
	before = exposure_of(watch, KRYOS_WINDOW_30D);
	watch_stop(watch);
	watch_lose_state(watch);
	watch_start(watch);
	watch_above(watch, 8000000);
	after = exposure_of(watch, KRYOS_WINDOW_30D);
	assert_memory_equal(&before, &after, sizeof(before));
	watch_stop(watch);
}

static void other_rules_change_what_is_above_and_nothing_else(void **state)
{
	struct watch *watch = *state;
	struct kryos_exposure_result before, after;

	watch_start(watch);
	watch_above(watch, 8000000);
	minutes(watch, 10, 9000000);
	before = exposure_of(watch, KRYOS_WINDOW_24H);
	watch_above(watch, 8500000);
	after = exposure_of(watch, KRYOS_WINDOW_24H);
	assert_int_equal(after.time_ns, before.time_ns);
	assert_int_equal(after.mkt_micro, before.mkt_micro);
	assert_in_range(after.above_ns, 0, KRYOS_MINUTES(1)); /* the newest step */
	minutes(watch, 5, 9000000);
	assert_int_equal(exposure_of(watch, KRYOS_WINDOW_24H).above_ns, after.above_ns + KRYOS_MINUTES(5));
	watch_stop(watch);
	watch_start(watch);
	watch_above(watch, 9500000); /* while nobody watched */
	assert_int_equal(exposure_of(watch, KRYOS_WINDOW_24H).samples, 15);
	assert_int_equal(exposure_of(watch, KRYOS_WINDOW_24H).above_ns, 0);
	watch_stop(watch);
}

static void a_retired_channel_is_exposed_all_the_same(void **state)
{
	struct watch *watch = *state;

	watch_start(watch);
	watch_above(watch, 8000000);
	minutes(watch, 2, 9000000);
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	minutes(watch, 5, 9000000);
	assert_int_equal(exposure_of(watch, KRYOS_WINDOW_24H).above_ns, KRYOS_MINUTES(6));
	watch_stop(watch);
}

static void what_is_no_temperature_has_none(void **state)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_rule rule = heat_above(500000);
	struct watch *watch = *state;

	watch_start(watch);
	assert_ok(kryos_monitor_watch(watch->monitor, "fridge.door",
	                              KRYOS_MONITOR_CHANNEL_CONFIG(.rules = &rule, .rule_count = 1, .unit = "/",
	                                                           .interval_ns = KRYOS_MINUTES(1))));
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_null(channel.history);
	watch_stop(watch);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(exposure_goes_on_over_restarts),
		TEST(a_lost_state_is_made_again_from_what_is_stored),
		TEST(other_rules_change_what_is_above_and_nothing_else),
		TEST(a_retired_channel_is_exposed_all_the_same),
		TEST(what_is_no_temperature_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
