/* SPDX-License-Identifier: Apache-2.0 */
#include "digest/digest.h"
#include "support.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CELSIUS(value) ((int64_t)((value)*1000000))
#define MINUTE KRYOS_MINUTES(1)

/* One evaluator, its clock, and what it said last. */
struct rig {
	struct kryos_evaluator *evaluator;
	int64_t now_ns;
	unsigned int begun, ended;
	struct kryos_episode last;
};

static void make(struct rig *rig, int64_t interval_ns)
{
	memset(rig, 0, sizeof(*rig));
	rig->now_ns = KRYOS_DAYS(20000);
	assert_ok(kryos_evaluator_new(&rig->evaluator, interval_ns));
}

static void make_profile(struct rig *rig, const char *profile, int64_t interval_ns)
{
	make(rig, interval_ns);
	for (unsigned int i = 0; kryos_profile_rule(profile, i); i++)
		assert_ok(kryos_evaluator_add(rig->evaluator, kryos_profile_rule(profile, i)));
}

static void drain(struct rig *rig)
{
	const struct kryos_episode *episode;

	while (kryos_evaluator_next(rig->evaluator, &episode) > 0) {
		rig->begun += episode->ended_by == KRYOS_EPISODE_OPEN;
		rig->ended += episode->ended_by != KRYOS_EPISODE_OPEN;
		rig->last = *episode;
	}
}

static int take_sample(struct rig *rig, const struct kryos_sample *sample)
{
	int r = kryos_evaluator_take(rig->evaluator, sample);

	assert_ok(r);
	drain(rig);
	return r;
}

static int take_quality(struct rig *rig, double value, unsigned int quality)
{
	struct kryos_sample sample = { .value_micro = CELSIUS(value),
		                       .t_boot_ns = rig->now_ns,
		                       .t_wall_ns = rig->now_ns,
		                       .quality = (uint16_t)quality };

	return take_sample(rig, &sample);
}

static int take(struct rig *rig, double value)
{
	return take_quality(rig, value, KRYOS_QUALITY_GOOD);
}

/* So many samples, each step_ns after the one before; the clock stands at the last. */
static void take_many(struct rig *rig, double value, unsigned int count, int64_t step_ns)
{
	for (unsigned int i = 0; i < count; i++) {
		rig->now_ns += step_ns;
		take(rig, value);
	}
}

static void heat_is_above_eight_for_exactly_ten_hours(void **state)
{
	struct rig rig;

	(void)state;
	make_profile(&rig, "who-refrigerator", 5 * MINUTE);
	take_many(&rig, 8.0, 200, 5 * MINUTE);
	assert_int_equal(rig.begun, 0);
	take_many(&rig, 8.00001, 120, 5 * MINUTE);
	assert_int_equal(rig.begun, 0);
	take_many(&rig, 9.5, 1, 5 * MINUTE - 1);
	assert_int_equal(rig.begun, 0); /* a nanosecond short of ten hours */
	rig.now_ns++;
	assert_int_equal(take(&rig, 9.4), 1);
	assert_int_equal(rig.begun, 1);
	assert_string_equal(rig.last.rule.name, "heat");
	assert_int_equal(rig.last.duration_ns, KRYOS_HOURS(10));
	assert_int_equal(rig.last.trigger.t_boot_ns, rig.now_ns);
	rig.now_ns += 5 * MINUTE;
	assert_int_equal(take(&rig, 8.0), 0);
	assert_int_equal(rig.ended, 1);
	assert_int_equal(rig.last.ended_by, KRYOS_EPISODE_RECOVERED);
	assert_int_equal(rig.last.end.t_boot_ns, rig.now_ns);
	assert_int_equal(rig.last.duration_ns, KRYOS_HOURS(10));
	assert_int_equal(rig.last.accumulated_ns, KRYOS_HOURS(10) + 5 * MINUTE);
	assert_int_equal(rig.last.indeterminate_ns, 0);
	assert_int_equal(rig.last.extreme_micro, CELSIUS(9.5));
	assert_int_equal(rig.last.extreme_at.t_boot_ns, rig.now_ns - 5 * MINUTE - 1);
	kryos_evaluator_free(rig.evaluator);
}

static void thirteen_readings_at_half_a_degree_below_are_an_hour(void **state)
{
	struct rig rig;

	(void)state;
	make_profile(&rig, "who-refrigerator", 5 * MINUTE);
	take_many(&rig, -0.4, 13, 5 * MINUTE);
	assert_int_equal(rig.begun, 0);
	take_many(&rig, -0.5, 12, 5 * MINUTE);
	assert_int_equal(rig.begun, 0);
	take_many(&rig, -0.5, 1, 5 * MINUTE);
	assert_int_equal(rig.begun, 1);
	assert_int_equal(rig.last.rule.kind, KRYOS_RULE_FREEZE);
	assert_int_equal(rig.last.duration_ns, KRYOS_HOURS(1));
	assert_int_equal(rig.last.rule.threshold_micro, CELSIUS(-0.5));
	kryos_evaluator_free(rig.evaluator);
}

static void one_good_reading_begins_a_consecutive_rule_anew(void **state)
{
	struct rig rig;

	(void)state;
	make_profile(&rig, "who-refrigerator", 5 * MINUTE);
	take_many(&rig, 12, 109, 5 * MINUTE); /* 9 h */
	take_many(&rig, 7.9, 1, 5 * MINUTE);
	take_many(&rig, 12, 25, 5 * MINUTE); /* 2 h */
	assert_int_equal(rig.begun, 0);
	kryos_evaluator_free(rig.evaluator);
}

static void a_door_is_open_at_exactly_five_minutes(void **state)
{
	struct rig rig;

	(void)state;
	make(&rig, KRYOS_SECONDS(1));
	assert_ok(kryos_evaluator_add(rig.evaluator,
	                              KRYOS_RULE(.has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION, .name = "door",
	                                         .kind = KRYOS_RULE_DOOR, .comparator = KRYOS_COMPARATOR_GE,
	                                         .threshold_micro = 1000000, .duration_ns = KRYOS_SECONDS(300))));
	take(&rig, 1);
	take_many(&rig, 1, 299, KRYOS_SECONDS(1));
	take_many(&rig, 0, 1, KRYOS_SECONDS(1));
	assert_int_equal(rig.begun, 0);
	for (int i = 0; i < 10; i++) { /* many short openings are no long one */
		take_many(&rig, 1, 200, KRYOS_SECONDS(1));
		take_many(&rig, 0, 1, KRYOS_SECONDS(1));
	}
	assert_int_equal(rig.begun, 0);
	take_many(&rig, 1, 300, KRYOS_SECONDS(1));
	assert_int_equal(rig.begun, 0);
	take_many(&rig, 1, 1, KRYOS_SECONDS(1));
	assert_int_equal(rig.begun, 1);
	kryos_evaluator_free(rig.evaluator);
}

static void a_transport_sums_ten_hours_at_thirty_degrees(void **state)
{
	struct rig rig;

	(void)state;
	make_profile(&rig, "who-shipping-1", 10 * MINUTE);
	for (int i = 0; i < 9; i++) { /* each piece is an hour: six samples, the last held for ten minutes */
		take_many(&rig, 30.0, 6, 10 * MINUTE);
		take_many(&rig, 29.9, 20, 10 * MINUTE);
	}
	assert_int_equal(rig.begun, 0);
	take_many(&rig, 30.0, 6, 10 * MINUTE);
	assert_int_equal(rig.begun, 0); /* 9 h 50 min */
	take_many(&rig, 29.9, 1, 10 * MINUTE);
	assert_int_equal(rig.begun, 1);
	assert_string_equal(rig.last.name, "heat-30");
	assert_int_equal(rig.last.accumulated_ns, KRYOS_HOURS(10));
	take_many(&rig, 5, 10000, 10 * MINUTE); /* what was spent stays spent */
	assert_int_equal(rig.ended, 0);
	kryos_evaluator_free(rig.evaluator);
}

static void a_window_forgets(void **state)
{
	struct rig rig;

	(void)state;
	make(&rig, 10 * MINUTE);
	assert_ok(kryos_evaluator_add(rig.evaluator,
	                              KRYOS_RULE(.has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION, .name = "warm",
	                                         .kind = KRYOS_RULE_HEAT, .comparator = KRYOS_COMPARATOR_GE,
	                                         .mode = KRYOS_RULE_CUMULATIVE, .threshold_micro = CELSIUS(8),
	                                         .duration_ns = KRYOS_HOURS(1), .window_ns = KRYOS_HOURS(24))));
	take_many(&rig, 9, 5, 10 * MINUTE);
	take_many(&rig, 5, 1, 10 * MINUTE);
	take_many(&rig, 5, 143, 10 * MINUTE);
	take_many(&rig, 9, 2, 10 * MINUTE);
	take_many(&rig, 5, 1, 10 * MINUTE);
	assert_int_equal(rig.begun, 0); /* 50 min and 20 min, a day apart */
	take_many(&rig, 9, 4, 10 * MINUTE);
	assert_int_equal(rig.begun, 0);
	take_many(&rig, 5, 1, 10 * MINUTE);
	assert_int_equal(rig.begun, 1);
	take_many(&rig, 5, 137, 10 * MINUTE);
	assert_int_equal(rig.ended, 0);
	take_many(&rig, 5, 1, 10 * MINUTE);
	assert_int_equal(rig.ended, 1);
	kryos_evaluator_free(rig.evaluator);
}

static void forty_days_are_forty_days(void **state)
{
	struct rig rig;

	(void)state;
	make_profile(&rig, "who-refrigerator", 5 * MINUTE);
	take_many(&rig, 20, 40 * 288 + 1, 5 * MINUTE);
	take_many(&rig, 5, 1, 5 * MINUTE);
	assert_int_equal(rig.begun, 1);
	assert_int_equal(rig.ended, 1);
	assert_int_equal(rig.last.duration_ns, KRYOS_DAYS(40));
	assert_int_equal(rig.last.accumulated_ns, KRYOS_DAYS(40) + 5 * MINUTE);
	kryos_evaluator_free(rig.evaluator);
}

static struct kryos_rule hour_of_heat(enum kryos_rule_gap gap)
{
	return (struct kryos_rule){ .size = sizeof(struct kryos_rule),
		                    .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
		                    .name = "heat",
		                    .kind = KRYOS_RULE_HEAT,
		                    .comparator = KRYOS_COMPARATOR_GT,
		                    .gap = gap,
		                    .threshold_micro = CELSIUS(8),
		                    .duration_ns = KRYOS_HOURS(1) };
}

/* 20 min of heat, nothing for 5 h, 30 min of heat. */
static void with_a_gap(struct rig *rig, enum kryos_rule_gap gap)
{
	struct kryos_rule rule = hour_of_heat(gap);

	make(rig, 10 * MINUTE);
	assert_ok(kryos_evaluator_add(rig->evaluator, &rule));
	take_many(rig, 9, 3, 10 * MINUTE);
	for (int i = 0; i < 30; i++) {
		rig->now_ns += 10 * MINUTE;
		if (i < 29)
			take_quality(rig, 0, KRYOS_QUALITY_ABSENT);
	}
	take(rig, 9);
	take_many(rig, 9, 1, 10 * MINUTE);
}

static void a_gap_is_held_broken_or_counted_as_the_rule_says(void **state)
{
	struct rig rig;

	(void)state;
	with_a_gap(&rig, KRYOS_GAP_HOLD); /* 20 min, 20 min held, 10 min: nobody knows of more */
	assert_int_equal(rig.begun, 0);
	take_many(&rig, 9, 1, 10 * MINUTE);
	assert_int_equal(rig.begun, 1);
	assert_int_equal(rig.last.duration_ns, KRYOS_HOURS(5) + 40 * MINUTE);
	assert_int_equal(rig.last.indeterminate_ns, KRYOS_HOURS(5) - 20 * MINUTE);
	assert_int_equal(rig.last.accumulated_ns, KRYOS_HOURS(1));
	kryos_evaluator_free(rig.evaluator);

	with_a_gap(&rig, KRYOS_GAP_COUNT);
	assert_int_equal(rig.begun, 1);
	assert_int_equal(rig.last.indeterminate_ns, 0);
	kryos_evaluator_free(rig.evaluator);

	with_a_gap(&rig, KRYOS_GAP_BREAK);
	take_many(&rig, 9, 4, 10 * MINUTE);
	assert_int_equal(rig.begun, 0);
	take_many(&rig, 9, 1, 10 * MINUTE);
	assert_int_equal(rig.begun, 1);
	rig.now_ns += 20 * MINUTE;
	take_quality(&rig, 0, KRYOS_QUALITY_OPEN);
	assert_int_equal(rig.ended, 0);
	rig.now_ns += 1;
	take_quality(&rig, 0, KRYOS_QUALITY_OPEN);
	assert_int_equal(rig.ended, 1);
	assert_int_equal(rig.last.ended_by, KRYOS_EPISODE_SENSOR_LOST);
	assert_int_equal(rig.last.end.t_boot_ns, rig.now_ns - 1);
	assert_int_equal(rig.last.accumulated_ns, KRYOS_HOURS(1) + 20 * MINUTE);
	kryos_evaluator_free(rig.evaluator);
}

static void a_doubtful_value_begins_and_prolongs_but_never_ends(void **state)
{
	struct kryos_rule rule = hour_of_heat(KRYOS_GAP_HOLD);
	struct rig rig;

	(void)state;
	make(&rig, 10 * MINUTE);
	assert_ok(kryos_evaluator_add(rig.evaluator, &rule));
	take_quality(&rig, 30, KRYOS_QUALITY_RATE);
	take_many(&rig, 9, 5, 10 * MINUTE);
	rig.now_ns += 10 * MINUTE;
	take_quality(&rig, 50, KRYOS_QUALITY_DISAGREES);
	assert_int_equal(rig.begun, 1);
	assert_int_equal(rig.last.extreme_micro, CELSIUS(9)); /* nobody measured 50 */
	rig.now_ns += 10 * MINUTE;
	take_quality(&rig, 5, KRYOS_QUALITY_STUCK);
	assert_int_equal(rig.ended, 0);
	rig.now_ns += 10 * MINUTE;
	take_quality(&rig, 5, KRYOS_QUALITY_EXTRAPOLATED);
	assert_int_equal(rig.ended, 1);
	kryos_evaluator_free(rig.evaluator);
}

static void hysteresis_wants_to_be_far_in_range_for_long_enough(void **state)
{
	struct kryos_rule rule = hour_of_heat(KRYOS_GAP_HOLD);
	struct rig rig;

	(void)state;
	rule.hysteresis_micro = CELSIUS(0.5);
	rule.reset_ns = 20 * MINUTE;
	make(&rig, 10 * MINUTE);
	assert_ok(kryos_evaluator_add(rig.evaluator, &rule));
	take_many(&rig, 9, 7, 10 * MINUTE);
	assert_int_equal(rig.begun, 1);
	take_many(&rig, 7.5, 2, 10 * MINUTE);
	take_many(&rig, 7.6, 1, 10 * MINUTE);
	take_many(&rig, 7.5, 2, 10 * MINUTE);
	assert_int_equal(rig.ended, 0);
	take_many(&rig, 7.5, 1, 10 * MINUTE);
	assert_int_equal(rig.ended, 1);
	assert_int_equal(rig.last.duration_ns, KRYOS_HOURS(1));
	kryos_evaluator_free(rig.evaluator);
}

static void a_lost_sensor_is_an_episode_of_its_own(void **state)
{
	struct rig rig;

	(void)state;
	make(&rig, MINUTE);
	assert_ok(
		kryos_evaluator_add(rig.evaluator, KRYOS_RULE(.has = KRYOS_RULE_DURATION, .name = "lost",
	                                                      .kind = KRYOS_RULE_SENSOR, .duration_ns = 10 * MINUTE)));
	for (int i = 0; i <= 10; i++, rig.now_ns += MINUTE) {
		assert_int_equal(rig.begun, 0);
		take_quality(&rig, 0, KRYOS_QUALITY_ABSENT);
	}
	assert_int_equal(rig.begun, 1);
	assert_int_equal(rig.last.has_extreme, 0);
	take(&rig, 5);
	assert_int_equal(rig.ended, 1);
	kryos_evaluator_free(rig.evaluator);
}

static void a_reboot_is_bridged_by_trusted_wall_time_only(void **state)
{
	struct kryos_rule rule = hour_of_heat(KRYOS_GAP_COUNT);
	struct kryos_sample before = { .value_micro = CELSIUS(9),
		                       .t_boot_ns = KRYOS_DAYS(3),
		                       .t_wall_ns = KRYOS_DAYS(20000),
		                       .boot = 4,
		                       .trust = KRYOS_TRUST_RTC };
	struct kryos_sample after = before;
	struct rig rig;

	(void)state;
	after.boot = 5;
	after.t_boot_ns = KRYOS_SECONDS(30);
	after.t_wall_ns += KRYOS_HOURS(1);
	make(&rig, MINUTE);
	assert_ok(kryos_evaluator_add(rig.evaluator, &rule));
	take_sample(&rig, &before);
	take_sample(&rig, &after);
	assert_int_equal(rig.begun, 1);
	assert_int_equal(rig.last.uncertain, 0);
	assert_int_equal(rig.last.start.boot, 4);
	kryos_evaluator_free(rig.evaluator);

	after.trust = KRYOS_TRUST_FLOOR;
	make(&rig, MINUTE);
	assert_ok(kryos_evaluator_add(rig.evaluator, &rule));
	take_sample(&rig, &before);
	take_sample(&rig, &after);
	assert_int_equal(rig.begun, 0); /* 30 s are known to have passed */
	after.t_boot_ns = KRYOS_HOURS(1);
	after.t_wall_ns = 0; /* a step of the wall clock within a boot is nothing */
	take_sample(&rig, &after);
	assert_int_equal(rig.begun, 1);
	assert_int_equal(rig.last.duration_ns, KRYOS_HOURS(1));
	assert_int_equal(rig.last.uncertain, 1);
	kryos_evaluator_free(rig.evaluator);
}

static void retiring_a_channel_ends_its_episodes(void **state)
{
	struct kryos_rule rule = hour_of_heat(KRYOS_GAP_HOLD);
	struct kryos_episode open;
	struct rig rig;

	(void)state;
	make(&rig, 10 * MINUTE);
	assert_ok(kryos_evaluator_add(rig.evaluator, &rule));
	take_many(&rig, 9, 7, 10 * MINUTE);
	assert_int_equal(kryos_evaluator_look(rig.evaluator, 0, &open), 1);
	assert_int_equal(open.ended_by, KRYOS_EPISODE_OPEN);
	assert_int_equal(open.duration_ns, KRYOS_HOURS(1));
	assert_int_equal(kryos_evaluator_look(rig.evaluator, 1, &open), 0);
	assert_fails(-EINVAL, kryos_evaluator_end(rig.evaluator, KRYOS_EPISODE_RECOVERED));
	assert_ok(kryos_evaluator_end(rig.evaluator, KRYOS_EPISODE_RETIRED));
	drain(&rig);
	assert_int_equal(rig.last.ended_by, KRYOS_EPISODE_RETIRED);
	assert_int_equal(rig.last.end.t_boot_ns, rig.now_ns);
	take_many(&rig, 9, 6, 10 * MINUTE);
	assert_int_equal(rig.begun, 1); /* begun anew */
	kryos_evaluator_free(rig.evaluator);
}

static void make_dose(struct rig *rig, int64_t window_ns)
{
	struct kryos_rule dose = hour_of_heat(KRYOS_GAP_HOLD);

	make(rig, 10 * MINUTE);
	dose.mode = KRYOS_RULE_CUMULATIVE;
	dose.window_ns = window_ns;
	assert_ok(kryos_evaluator_add(rig->evaluator, &dose));
}

static void save_and_restore(struct rig *rig, int64_t window_ns)
{
	struct kryos_evaluator *before = rig->evaluator;
	struct rig fresh;
	size_t count;
	void *bytes;

	assert_ok(kryos_evaluator_save(before, &bytes, &count));
	make_dose(&fresh, window_ns);
	rig->evaluator = fresh.evaluator;
	assert_ok(kryos_evaluator_restore(rig->evaluator, bytes, count));
	kryos_evaluator_free(before);
	free(bytes);
}

static void a_dose_that_was_spent_stays_spent_over_a_retirement(void **state)
{
	struct kryos_instant start;
	struct rig rig;

	(void)state;
	make_dose(&rig, 0);
	take_many(&rig, 9, 7, 10 * MINUTE);
	assert_int_equal(rig.begun, 1);
	start = rig.last.start;
	assert_ok(kryos_evaluator_end(rig.evaluator, KRYOS_EPISODE_RETIRED));
	drain(&rig);
	assert_int_equal(rig.last.ended_by, KRYOS_EPISODE_RETIRED);
	assert_int_equal(rig.last.accumulated_ns, KRYOS_HOURS(1));
	save_and_restore(&rig, 0);
	rig.now_ns += KRYOS_HOURS(5);
	assert_int_equal(take(&rig, 5), 1); /* the first sample, though in range */
	assert_int_equal(rig.begun, 2);
	assert_memory_equal(&rig.last.start, &start, sizeof(start));
	assert_int_equal(rig.last.trigger.t_boot_ns, rig.now_ns);
	assert_int_equal(rig.last.accumulated_ns, KRYOS_HOURS(1)); /* nothing of the five hours */
	assert_int_equal(rig.last.indeterminate_ns, KRYOS_HOURS(5) - 20 * MINUTE);
	kryos_evaluator_free(rig.evaluator);
}

static void half_a_dose_before_a_retirement_and_half_after_it_are_one(void **state)
{
	struct rig rig;

	(void)state;
	make_dose(&rig, 0);
	take_many(&rig, 9, 4, 10 * MINUTE);
	assert_ok(kryos_evaluator_end(rig.evaluator, KRYOS_EPISODE_RETIRED));
	rig.now_ns += KRYOS_HOURS(5);
	take_many(&rig, 9, 3, 10 * MINUTE);
	assert_int_equal(rig.begun, 0); /* 30 min and 20 min */
	take_many(&rig, 9, 1, 10 * MINUTE);
	assert_int_equal(rig.begun, 1);
	assert_int_equal(rig.last.accumulated_ns, KRYOS_HOURS(1));
	kryos_evaluator_free(rig.evaluator);
}

static void what_left_the_window_while_a_channel_was_retired_is_gone(void **state)
{
	struct rig rig;

	(void)state;
	for (int late_ns = 0; late_ns < 2; late_ns++) { /* a nanosecond of the hour has left it */
		make_dose(&rig, KRYOS_HOURS(3));
		take_many(&rig, 9, 7, 10 * MINUTE);
		assert_int_equal(rig.begun, 1);
		assert_ok(kryos_evaluator_end(rig.evaluator, KRYOS_EPISODE_RETIRED));
		drain(&rig);
		save_and_restore(&rig, KRYOS_HOURS(3));
		rig.now_ns += KRYOS_HOURS(2) + late_ns;
		assert_int_equal(take(&rig, 5), late_ns ? 0 : 1);
		assert_int_equal(rig.begun, late_ns ? 1 : 2);
		kryos_evaluator_free(rig.evaluator);
	}
}

static void a_changed_rule_ends_its_episode_on_restoring(void **state)
{
	struct kryos_rule rule = hour_of_heat(KRYOS_GAP_HOLD);
	struct rig rig;
	unsigned char *bytes;
	void *saved;
	size_t count;

	(void)state;
	make(&rig, 10 * MINUTE);
	assert_ok(kryos_evaluator_add(rig.evaluator, &rule));
	take_many(&rig, 9, 7, 10 * MINUTE);
	assert_ok(kryos_evaluator_save(rig.evaluator, &saved, &count));
	kryos_evaluator_free(rig.evaluator);

	make(&rig, 10 * MINUTE);
	rule.threshold_micro++;
	assert_ok(kryos_evaluator_add(rig.evaluator, &rule));
	bytes = saved;
	for (size_t i = 0; i < count; i++) { /* a flipped bit anywhere, or a cut, is found */
		bytes[i] ^= 4;
		assert_fails(KRYOS_ECORRUPT, kryos_evaluator_restore(rig.evaluator, bytes, count));
		bytes[i] ^= 4;
		assert_fails(KRYOS_ECORRUPT, kryos_evaluator_restore(rig.evaluator, bytes, i));
	}
	assert_ok(kryos_evaluator_restore(rig.evaluator, saved, count));
	free(saved);
	drain(&rig);
	assert_int_equal(rig.ended, 1);
	assert_int_equal(rig.last.ended_by, KRYOS_EPISODE_RECONFIGURED);
	assert_int_equal(rig.last.rule.threshold_micro, CELSIUS(8)); /* as it was */
	assert_int_equal(rig.last.duration_ns, KRYOS_HOURS(1));
	kryos_evaluator_free(rig.evaluator);
}

/* Every number of a state with an episode, spans and a gap, replaced by one that it cannot be, checksum and all. */
static void a_state_that_lies_does_no_harm(void **state)
{
	static const int64_t lies[] = { 0, 1, -1, 255, INT64_MAX, INT64_MIN, INT64_MAX / 2, KRYOS_DAYS(1) };
	struct kryos_rule rule = hour_of_heat(KRYOS_GAP_BREAK), sum = hour_of_heat(KRYOS_GAP_HOLD);
	unsigned int taken = 0, refused = 0;
	unsigned char *saved, lying[2048];
	struct rig rig, next;
	size_t count;
	void *bytes;

	(void)state;
	sum.name = "sum";
	sum.mode = KRYOS_RULE_CUMULATIVE;
	sum.window_ns = KRYOS_DAYS(1);
	make(&rig, 10 * MINUTE);
	assert_ok(kryos_evaluator_add(rig.evaluator, &rule));
	assert_ok(kryos_evaluator_add(rig.evaluator, &sum));
	take_many(&rig, 9, 3, 10 * MINUTE);
	take_many(&rig, 5, 1, 10 * MINUTE);
	take_many(&rig, 9, 7, 10 * MINUTE);
	assert_ok(kryos_evaluator_save(rig.evaluator, &bytes, &count));
	saved = bytes;
	assert_true(count < sizeof(lying));
	for (size_t at = 16; at + 12 <= count; at++) {
		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			uint32_t crc;
			int r;

			memcpy(lying, saved, count);
			for (int byte = 0; byte < 8; byte++)
				lying[at + (size_t)byte] = (unsigned char)((uint64_t)lies[i] >> 8 * byte);
			crc = kri_crc32c(0, lying, count - 4);
			for (int byte = 0; byte < 4; byte++)
				lying[count - 4 + (size_t)byte] = (unsigned char)(crc >> 8 * byte);
			make(&next, 10 * MINUTE);
			assert_ok(kryos_evaluator_add(next.evaluator, &rule));
			assert_ok(kryos_evaluator_add(next.evaluator, &sum));
			r = kryos_evaluator_restore(next.evaluator, lying, count);
			if (r < 0) {
				assert_int_equal(r, KRYOS_ECORRUPT);
				refused++;
			} else {
				struct kryos_sample sample = { .value_micro = CELSIUS(9),
					                       .t_boot_ns = rig.now_ns + KRYOS_DAYS(2) };

				drain(&next);
				r = kryos_evaluator_take(next.evaluator, &sample); /* any answer, and no harm */
				drain(&next);
				taken += r >= 0;
			}
			kryos_evaluator_free(next.evaluator);
		}
	}
	assert_true(taken > 0 && refused > 0);
	free(bytes);
	kryos_evaluator_free(rig.evaluator);
}

static void refuses(struct kryos_rule rule, const char *says)
{
	struct rig rig;

	make(&rig, MINUTE);
	assert_fails(-EINVAL, kryos_evaluator_add(rig.evaluator, &rule));
	assert_says(-EINVAL, says);
	kryos_evaluator_free(rig.evaluator);
}

static void a_wrong_rule_is_refused_by_its_field(void **state)
{
	const struct kryos_rule right = hour_of_heat(KRYOS_GAP_HOLD);
	struct kryos_rule rule;

	(void)state;
#define WRONG(change, says)                                                                                            \
	do {                                                                                                           \
		rule = right;                                                                                          \
		rule.change;                                                                                           \
		refuses(rule, says);                                                                                   \
	} while (0)
	WRONG(size = 0, "size");
	WRONG(name = "", "name");
	WRONG(name = "a b", "name");
	WRONG(name = "123456789012345678901234567890123456789012345678", "name");
	WRONG(kind = 0, "rule heat: kind");
	WRONG(comparator = 0, "rule heat: comparator");
	WRONG(comparator = KRYOS_COMPARATOR_LT, "rule heat: comparator: of kind heat gt or ge is needed");
	WRONG(comparator = KRYOS_COMPARATOR_LE, "rule heat: comparator: of kind heat gt or ge is needed");
	WRONG(kind = KRYOS_RULE_FREEZE, "rule heat: comparator: of kind freeze lt or le is needed");
	WRONG(has = KRYOS_RULE_DURATION, "rule heat: threshold: is missing");
	WRONG(has = KRYOS_RULE_THRESHOLD, "rule heat: duration: is missing");
	WRONG(duration_ns = -1, "rule heat: duration");
	WRONG(window_ns = 1, "rule heat: window");
	WRONG(hysteresis_micro = -1, "rule heat: hysteresis");
	WRONG(reset_ns = -1, "rule heat: reset");
	WRONG(gap = 3, "rule heat: gap");
	WRONG(gap_limit_ns = -1, "rule heat: gap");
	WRONG(kind = KRYOS_RULE_SENSOR, "kind sensor has no threshold");
	rule = right;
	rule.mode = KRYOS_RULE_CUMULATIVE;
	rule.gap = KRYOS_GAP_BREAK;
	refuses(rule, "rule heat: gap");
	rule.gap = KRYOS_GAP_HOLD;
	rule.window_ns = 1;
	refuses(rule, "rule heat: window");
	rule.window_ns = 0;
	rule.reset_ns = 1;
	refuses(rule, "rule heat: reset");
	rule.reset_ns = 0;
	rule.duration_ns = 0;
	refuses(rule, "rule heat: duration");
}

static void a_sample_out_of_order_changes_nothing(void **state)
{
	struct kryos_rule rule = hour_of_heat(KRYOS_GAP_HOLD);
	struct kryos_sample sample = { .value_micro = CELSIUS(9), .t_boot_ns = KRYOS_HOURS(2) };
	const struct kryos_episode *episode;
	struct rig rig;

	(void)state;
	rule.duration_ns = 0;
	make(&rig, MINUTE);
	assert_ok(kryos_evaluator_add(rig.evaluator, &rule));
	assert_fails(-EINVAL, kryos_evaluator_add(rig.evaluator, &rule));
	assert_says(-EINVAL, "one of that name already");
	assert_int_equal(kryos_evaluator_take(rig.evaluator, &sample), 1);
	assert_fails(-EBUSY, kryos_evaluator_take(rig.evaluator, &sample)); /* news waits */
	assert_int_equal(kryos_evaluator_next(rig.evaluator, &episode), 1);
	assert_int_equal(kryos_evaluator_next(rig.evaluator, &episode), 0);
	rule.name = "another";
	assert_fails(-EBUSY, kryos_evaluator_add(rig.evaluator, &rule));
	sample.t_boot_ns--;
	sample.value_micro = 0;
	assert_fails(-EINVAL, kryos_evaluator_take(rig.evaluator, &sample));
	sample.t_boot_ns = -1;
	assert_fails(-EINVAL, kryos_evaluator_take(rig.evaluator, &sample));
	sample.t_boot_ns = KRYOS_HOURS(2);
	assert_int_equal(kryos_evaluator_take(rig.evaluator, &sample), 0);
	kryos_evaluator_free(rig.evaluator);
	kryos_evaluator_free(NULL);
}

static void every_profile_is_made_of_rules_that_are_right(void **state)
{
	struct rig rig;
	unsigned int profiles = 0;

	(void)state;
	for (; kryos_profile_name(profiles); profiles++) {
		make_profile(&rig, kryos_profile_name(profiles), MINUTE);
		assert_non_null(kryos_profile_rule(kryos_profile_name(profiles), 1));
		kryos_evaluator_free(rig.evaluator);
	}
	assert_int_equal(profiles, 7);
	assert_null(kryos_profile_rule("who-nothing", 0));
	assert_null(kryos_profile_rule("who-refrigerator", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heat_is_above_eight_for_exactly_ten_hours),
		cmocka_unit_test(thirteen_readings_at_half_a_degree_below_are_an_hour),
		cmocka_unit_test(one_good_reading_begins_a_consecutive_rule_anew),
		cmocka_unit_test(a_door_is_open_at_exactly_five_minutes),
		cmocka_unit_test(a_transport_sums_ten_hours_at_thirty_degrees),
		cmocka_unit_test(a_window_forgets),
		cmocka_unit_test(forty_days_are_forty_days),
		cmocka_unit_test(a_gap_is_held_broken_or_counted_as_the_rule_says),
		cmocka_unit_test(a_doubtful_value_begins_and_prolongs_but_never_ends),
		cmocka_unit_test(hysteresis_wants_to_be_far_in_range_for_long_enough),
		cmocka_unit_test(a_lost_sensor_is_an_episode_of_its_own),
		cmocka_unit_test(a_reboot_is_bridged_by_trusted_wall_time_only),
		cmocka_unit_test(retiring_a_channel_ends_its_episodes),
		cmocka_unit_test(a_dose_that_was_spent_stays_spent_over_a_retirement),
		cmocka_unit_test(half_a_dose_before_a_retirement_and_half_after_it_are_one),
		cmocka_unit_test(what_left_the_window_while_a_channel_was_retired_is_gone),
		cmocka_unit_test(a_changed_rule_ends_its_episode_on_restoring),
		cmocka_unit_test(a_state_that_lies_does_no_harm),
		cmocka_unit_test(a_wrong_rule_is_refused_by_its_field),
		cmocka_unit_test(a_sample_out_of_order_changes_nothing),
		cmocka_unit_test(every_profile_is_made_of_rules_that_are_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
