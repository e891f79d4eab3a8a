/* SPDX-License-Identifier: Apache-2.0 */
/* What a report says of alarms of which the device told no end, by a store's samples. */
#include "monitor/monitor.h"
#include "report/report.h"
#include "support.h"
#include <errno.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define START INT64_C(1793491200000000000) /* 2026-11-01T00:00:00Z */
#define FRIDGE "fridge.temperature"
#define EVERY 5 /* minutes */

/* A device that measures and judges, and a store that has what it is given of that. */
struct bench {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_evaluator *evaluator;
	struct kryos_monitor *monitor;
	uint32_t fridge, lid;
	int64_t minute;
	struct kri_report *report;
};

static int setup(void **state)
{
	static struct bench bench;

	bench = (struct bench){ .folder = scratch_new() };
	assert_ok(kri_zone_use("UTC"));
	assert_ok(kryos_fake_clock_new(&bench.clock, START));
	kryos_fake_clock_set_synced(bench.clock, 1);
	assert_ok(kryos_ctx_new(&bench.ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench.clock)));
	assert_ok(kryos_store_open(&bench.store, bench.ctx, in(bench.folder, "store"),
	                           KRYOS_STORE_CONFIG(.board = "bench")));
	assert_ok(kryos_channel_add(bench.ctx, FRIDGE, "Cel", &bench.fridge));
	assert_ok(kryos_channel_add(bench.ctx, "lid.open", "/", &bench.lid));
	*state = &bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kri_report_free(bench->report);
	kryos_evaluator_free(bench->evaluator);
	kryos_monitor_free(bench->monitor);
	kryos_ctx_free(bench->ctx);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	return 0;
}

static void watch(struct bench *bench, const struct kryos_rule *rule)
{
	assert_ok(kryos_evaluator_new(&bench->evaluator, KRYOS_MINUTES(EVERY)));
	assert_ok(kryos_evaluator_add(bench->evaluator, rule));
}

static void watch_heat(struct bench *bench)
{
	watch(bench, kryos_profile_rule("who-refrigerator", 0)); /* above 8 for 10 h */
}

static void tell(struct bench *bench, enum kryos_event_type type, const char *name, int code, const char *text)
{
	struct kryos_event event = {
		.size = sizeof(event), .type = type, .name = name, .text = text, .code = code, .value_ns = 0
	};

	assert_ok(kryos_store_add_event(bench->store, &event));
	assert_ok(kryos_store_flush(bench->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_ctx_process(bench->ctx));
}

/* What was measured is judged always, and stored or not. */
static void take(struct bench *bench, uint32_t channel, int64_t micro, bool stored, bool ends_are_told)
{
	struct kryos_sample sample = { .channel = channel,
		                       .value_micro = micro,
		                       .t_boot_ns = kryos_fake_clock_boot_ns(bench->clock),
		                       .t_wall_ns = kryos_fake_clock_wall_ns(bench->clock),
		                       .trust = KRYOS_TRUST_SYNCED };
	const struct kryos_episode *news;
	char text[KRYOS_EPISODE_TEXT_MAX];

	if (stored)
		assert_ok(kryos_store_append(bench->store, &sample, 1));
	sample.boot = 1;
	assert_ok(kryos_evaluator_take(bench->evaluator, &sample));
	while (kryos_evaluator_next(bench->evaluator, &news) > 0)
		if (news->ended_by == KRYOS_EPISODE_OPEN || ends_are_told)
			tell(bench, news->ended_by ? KRYOS_EVENT_ALARM_OFF : KRYOS_EVENT_ALARM_ON,
			     channel == bench->lid ? "lid.open" : FRIDGE, 0, kryos_episode_text(news, text));
}

static void pass(struct bench *bench)
{
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(EVERY));
	bench->minute += EVERY;
}

static void measure(struct bench *bench, int64_t until, int64_t tenths, bool stored)
{
	for (; bench->minute < until; pass(bench))
		take(bench, bench->fridge, tenths * 100000, stored, false);
}

static const struct kri_report_episode *report_printed(struct bench *bench, int64_t from, int64_t to, int64_t printed)
{
	struct kri_report_config config = { .from_ns = START + KRYOS_MINUTES(from),
		                            .to_ns = START + KRYOS_MINUTES(to),
		                            .printed_ns = START + KRYOS_MINUTES(printed),
		                            .zone = "UTC",
		                            .station = "",
		                            .version = "test" };

	assert_ok(kri_report_read(&bench->report, bench->ctx, in(bench->folder, "store"), &config));
	assert_int_equal(bench->report->episode_count, 1);
	return bench->report->episodes;
}

static const struct kri_report_episode *report(struct bench *bench, int64_t from, int64_t to)
{
	return report_printed(bench, from, to, 30 * 24 * 60);
}

static void an_alarm_that_goes_on_has_its_numbers_up_to_the_end_of_the_report(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 60, 50, true);
	measure(bench, 900, 95, true);
	measure(bench, 1000, 121, true);
	measure(bench, 1800, 90, true);
	at = report(bench, 0, 1500);
	assert_int_equal(at->episode.ended_by, KRYOS_EPISODE_OPEN);
	assert_int_equal(at->known_ns, START + KRYOS_MINUTES(1495));
	assert_int_equal(at->episode.duration_ns, KRYOS_MINUTES(1495 - 60));
	assert_int_equal(at->episode.accumulated_ns, KRYOS_MINUTES(1495 - 60));
	assert_int_equal(at->episode.indeterminate_ns, 0);
	assert_int_equal(at->episode.extreme_micro, 12100000);
	assert_int_equal(at->episode.extreme_at.t_wall_ns, START + KRYOS_MINUTES(900));
	assert_true(kri_goes_on(bench->report, at));
	assert_true(kri_episode_until(bench->report, at) == INT64_MAX);
}

static void what_was_not_measured_meanwhile_is_not_known_and_not_out_of_limits(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 900, 95, true);
	while (bench->minute < 1000)
		pass(bench);
	measure(bench, 1200, 95, true);
	at = report(bench, 0, 1200);
	assert_int_equal(at->episode.duration_ns, KRYOS_MINUTES(1195));
	assert_int_equal(at->episode.indeterminate_ns, KRYOS_MINUTES(105 - 10));
	assert_int_equal(at->episode.accumulated_ns, KRYOS_MINUTES(1195 - 95));
}

static void an_alarm_that_began_long_before_the_report_is_followed_from_its_beginning(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 100, 121, true);
	measure(bench, 4000, 95, true);
	at = report(bench, 3000, 4000);
	assert_int_equal(at->episode.duration_ns, KRYOS_MINUTES(3995));
	assert_int_equal(at->episode.extreme_micro, 12100000);
}

/* A sum of two stretches in its window; an earlier one has left it. */
static void a_sum_in_a_window_is_followed_too(void **state)
{
	const struct kryos_rule rule = { .size = sizeof(rule),
		                         .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
		                         .name = "dose",
		                         .kind = KRYOS_RULE_HEAT,
		                         .comparator = KRYOS_COMPARATOR_GT,
		                         .mode = KRYOS_RULE_CUMULATIVE,
		                         .threshold_micro = 8000000,
		                         .duration_ns = KRYOS_HOURS(3),
		                         .window_ns = KRYOS_HOURS(10) };
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch(bench, &rule);
	measure(bench, 100, 95, true);
	measure(bench, 800, 50, true);
	measure(bench, 900, 95, true);
	measure(bench, 1000, 50, true);
	measure(bench, 1200, 95, true);
	at = report(bench, 0, 1200);
	assert_int_equal(at->episode.start.t_wall_ns, START + KRYOS_MINUTES(800));
	assert_int_equal(at->known_ns, START + KRYOS_MINUTES(1195));
	assert_int_equal(at->episode.accumulated_ns, KRYOS_MINUTES(100 + 195));
}

static void a_door_that_stands_open_was_opened_between_two_measurements(void **state)
{
	const struct kryos_rule rule = { .size = sizeof(rule),
		                         .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
		                         .name = "door",
		                         .kind = KRYOS_RULE_DOOR,
		                         .comparator = KRYOS_COMPARATOR_GE,
		                         .threshold_micro = 1000000,
		                         .duration_ns = KRYOS_MINUTES(5) };
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch(bench, &rule);
	for (; bench->minute < 30; pass(bench))
		take(bench, bench->lid, 0, true, false);
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(2));
	take(bench, bench->lid, 1000000, false, false);
	tell(bench, KRYOS_EVENT_STATE, "lid.open", 1, "");
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(3));
	for (; bench->minute < 120; pass(bench))
		take(bench, bench->lid, 1000000, true, false);
	at = report(bench, 0, 125);
	assert_int_equal(at->episode.start.t_wall_ns, START + KRYOS_MINUTES(32));
	assert_int_equal(at->episode.duration_ns, KRYOS_MINUTES(120 - 32));
	assert_true(kri_goes_on(bench->report, at));
}

/* A device's own monitor, which tells an alarm of a door when it is due, between two rounds. */
static void watch_lid(struct bench *bench, const struct kryos_rule *rule)
{
	assert_ok(kryos_monitor_new(&bench->monitor, bench->store));
	assert_ok(kryos_monitor_watch(bench->monitor, "lid.open",
	                              KRYOS_MONITOR_CHANNEL_CONFIG(.rules = rule, .rule_count = 1, .unit = "/",
	                                                           .interval_ns = KRYOS_MINUTES(EVERY))));
}

static void go_to(struct bench *bench, int64_t minute, int64_t seconds)
{
	int64_t to_ns = START + KRYOS_MINUTES(minute) + KRYOS_SECONDS(seconds);

	kryos_fake_clock_advance(bench->clock, to_ns - kryos_fake_clock_wall_ns(bench->clock));
	assert_ok(kryos_ctx_process(bench->ctx));
}

static struct kryos_sample lid_at(struct bench *bench, int64_t minute, int64_t micro)
{
	go_to(bench, minute, 0);
	return (struct kryos_sample){ .channel = bench->lid,
		                      .value_micro = micro,
		                      .round = 1,
		                      .t_boot_ns = kryos_fake_clock_boot_ns(bench->clock),
		                      .t_wall_ns = kryos_fake_clock_wall_ns(bench->clock),
		                      .trust = KRYOS_TRUST_SYNCED };
}

static void look_at_lid(struct bench *bench, int64_t from, int64_t to, int64_t micro)
{
	for (; from <= to; from += EVERY) {
		struct kryos_sample sample = lid_at(bench, from, micro);

		assert_ok(kryos_monitor_take(bench->monitor, &sample, 1));
		assert_ok(kryos_store_append(bench->store, &sample, 1));
	}
}

static void change_lid(struct bench *bench, int64_t minute, int64_t micro)
{
	struct kryos_sample sample = lid_at(bench, minute, micro);

	assert_ok(kryos_store_add_event(bench->store, &(struct kryos_event){ .type = KRYOS_EVENT_STATE,
	                                                                     .code = micro != 0,
	                                                                     .name = "lid.open",
	                                                                     .sample = sample }));
	assert_ok(kri_monitor_take_state(bench->monitor, &sample, 0));
}

/* Due in the middle between two rounds; the report ends before the round that comes behind, or later. */
static void an_alarm_of_a_door_is_followed_from_when_it_was_due(void **state)
{
	static const struct kryos_rule rules[] = {
		{ .size = sizeof(struct kryos_rule),
		  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
		  .name = "door",
		  .kind = KRYOS_RULE_DOOR,
		  .comparator = KRYOS_COMPARATOR_GE,
		  .threshold_micro = 1000000,
		  .duration_ns = KRYOS_MINUTES(7) },
		{ .size = sizeof(struct kryos_rule),
		  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
		  .name = "no-supply",
		  .kind = KRYOS_RULE_POWER,
		  .comparator = KRYOS_COMPARATOR_LT,
		  .threshold_micro = 1000000,
		  .duration_ns = KRYOS_MINUTES(7) },
	};

	for (size_t i = 0; i < KRI_ARRAY_SIZE(rules); i++) {
		int64_t out = rules[i].kind == KRYOS_RULE_DOOR ? 1000000 : 0;
		const struct kri_report_episode *at;
		struct bench *bench;

		if (i > 0) {
			teardown(state);
			setup(state);
		}
		bench = *state;
		watch_lid(bench, &rules[i]);
		look_at_lid(bench, 0, 30, 1000000 - out);
		change_lid(bench, 32, out);
		look_at_lid(bench, 35, 35, out);
		go_to(bench, 39, 5);
		look_at_lid(bench, 40, 120, out);
		assert_ok(kryos_store_flush(bench->store, KRYOS_SECONDS(20)));
		at = report(bench, 0, 40);
		assert_int_equal(at->episode.trigger.t_wall_ns, START + KRYOS_MINUTES(39));
		assert_int_equal(at->known_ns, START + KRYOS_MINUTES(39));
		kri_report_free(bench->report);
		at = report(bench, 0, 125);
		assert_int_equal(at->known_ns, START + KRYOS_MINUTES(120));
		assert_int_equal(at->episode.duration_ns, KRYOS_MINUTES(120 - 32));
		assert_int_equal(at->episode.accumulated_ns, KRYOS_MINUTES(120 - 32));
		assert_true(kri_goes_on(bench->report, at));
	}
}

static void an_end_that_was_measured_and_not_told_is_said_to_be_that(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 900, 95, true);
	measure(bench, 1200, 50, true);
	at = report(bench, 0, 1200);
	assert_true(at->is_ended_here);
	assert_int_equal(at->episode.ended_by, KRYOS_EPISODE_RECOVERED);
	assert_int_equal(at->episode.end.t_wall_ns, START + KRYOS_MINUTES(900));
	assert_int_equal(at->episode.duration_ns, KRYOS_MINUTES(895));
	assert_false(kri_goes_on(bench->report, at));
}

static void an_alarm_whose_samples_are_not_all_stored_has_at_least_what_was_told_of_it(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 300, 95, true);
	measure(bench, 400, 120, false);
	measure(bench, 1200, 95, true);
	at = report(bench, 0, 1200);
	assert_int_equal(at->known_ns, 0);
	assert_int_equal(at->episode.ended_by, KRYOS_EPISODE_OPEN);
	assert_int_equal(at->episode.accumulated_ns, KRYOS_HOURS(10));
	/* It is measured, and no end was told. */
	assert_int_equal(at->episode.duration_ns, KRYOS_MINUTES(1195));
	assert_true(kri_goes_on(bench->report, at));
}

static void an_alarm_of_which_not_all_is_stored_lasts_no_longer_than_what_is(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 300, 95, true);
	measure(bench, 400, 120, false);
	measure(bench, 900, 95, true);
	measure(bench, 1200, 50, true);
	measure(bench, 1300, 95, true);
	at = report(bench, 0, 1300);
	assert_int_equal(at->known_ns, 0);
	assert_int_equal(at->episode.duration_ns, KRYOS_MINUTES(895));
	assert_false(kri_goes_on(bench->report, at));
	assert_int_equal(kri_episode_until(bench->report, at), START + KRYOS_MINUTES(895));
}

static void a_device_that_fell_silent_does_not_go_on(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 900, 95, true);
	at = report(bench, 0, 3000);
	assert_int_equal(at->known_ns, START + KRYOS_MINUTES(895));
	assert_false(kri_goes_on(bench->report, at));
	assert_true(kri_reaches_in(bench->report, at));
	assert_int_equal(kri_episode_until(bench->report, at), START + KRYOS_MINUTES(895));
}

/* Of a month that is not over yet, nobody expects what is still to come. */
static void an_alarm_goes_on_if_it_did_when_the_report_was_printed(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 900, 95, true);
	at = report_printed(bench, 0, 3000, 905);
	assert_true(kri_goes_on(bench->report, at));
	kri_report_free(bench->report);
	at = report_printed(bench, 0, 3000, 915);
	assert_false(kri_goes_on(bench->report, at));
	/* The printer's clock is behind. */
	kri_report_free(bench->report);
	at = report_printed(bench, 0, 3000, 500);
	assert_true(kri_goes_on(bench->report, at));
}

static void of_an_alarm_from_before_a_period_without_samples_nothing_is_known_in_it(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 900, 95, true);
	at = report(bench, 5000, 9000);
	assert_int_equal(bench->report->samples, 0);
	assert_int_equal(at->known_ns, START + KRYOS_MINUTES(895));
	assert_false(kri_reaches_in(bench->report, at));
	assert_false(kri_goes_on(bench->report, at));
	assert_string_equal(at->of->unit, "Cel");
}

static void an_end_that_was_told_after_the_report_is_the_end(void **state)
{
	struct bench *bench = *state;
	const struct kri_report_episode *at;

	watch_heat(bench);
	measure(bench, 900, 95, true);
	take(bench, bench->fridge, 5000000, true, true);
	at = report(bench, 0, 800);
	assert_int_equal(at->episode.ended_by, KRYOS_EPISODE_RECOVERED);
	assert_false(at->is_ended_here);
	assert_int_equal(at->episode.duration_ns, KRYOS_MINUTES(895));
	assert_true(kri_goes_on(bench->report, at));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_alarm_that_goes_on_has_its_numbers_up_to_the_end_of_the_report),
		TEST(what_was_not_measured_meanwhile_is_not_known_and_not_out_of_limits),
		TEST(an_alarm_that_began_long_before_the_report_is_followed_from_its_beginning),
		TEST(a_sum_in_a_window_is_followed_too),
		TEST(a_door_that_stands_open_was_opened_between_two_measurements),
		TEST(an_alarm_of_a_door_is_followed_from_when_it_was_due),
		TEST(an_end_that_was_measured_and_not_told_is_said_to_be_that),
		TEST(an_alarm_whose_samples_are_not_all_stored_has_at_least_what_was_told_of_it),
		TEST(an_alarm_of_which_not_all_is_stored_lasts_no_longer_than_what_is),
		TEST(a_device_that_fell_silent_does_not_go_on),
		TEST(an_alarm_goes_on_if_it_did_when_the_report_was_printed),
		TEST(of_an_alarm_from_before_a_period_without_samples_nothing_is_known_in_it),
		TEST(an_end_that_was_told_after_the_report_is_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
