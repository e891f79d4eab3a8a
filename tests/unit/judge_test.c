/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include <errno.h>
#include <sensor/sensor.h>
#include <stdio.h>

#define C(celsius) ((int64_t)((celsius)*1000000))

/* -55 to 125 C, at most 1 C in a second. */
static const struct kryos_channel_info probe = {
	.quantity = "temperature", .unit = "Cel", .min_micro = C(-55), .max_micro = C(125), .max_rate_micro = C(1)
};
static const struct kryos_channel_info any_rate = {
	.quantity = "pressure", .unit = "Pa", .min_micro = INT64_MIN, .max_micro = INT64_MAX
};

static enum kryos_quality judge_of(struct kri_history *history, const struct kryos_channel_info *info,
                                   const struct kryos_reading *reading, int64_t t_boot_ns)
{
	struct kri_channel nothing_said;
	int64_t value = -1;
	enum kryos_quality quality;

	kri_channel_take(&nothing_said, NULL);
	quality = kri_judge(history, info, &nothing_said, reading, t_boot_ns, &value);
	assert_true(value == reading->value_micro);
	return quality;
}

static enum kryos_quality judge(struct kri_history *history, int64_t value, int64_t t_boot_ns)
{
	return judge_of(history, &probe, &(struct kryos_reading){ .value_micro = value }, t_boot_ns);
}

/* With what is said of the channel; *ret_micro as kri_judge. */
static enum kryos_quality judge_said(struct kri_history *history, const struct kryos_channel_config *config,
                                     int64_t value, int64_t t_boot_ns, int64_t *ret_micro)
{
	struct kryos_reading reading = { .value_micro = value };
	struct kri_channel channel;
	const char *field = NULL;

	assert_ok(kri_channel_check(config, &probe, &field));
	kri_channel_take(&channel, config);
	return kri_judge(history, &probe, &channel, &reading, t_boot_ns, ret_micro);
}

static void what_the_chip_says_is_wrong_stays_so_and_teaches_nothing(void **state)
{
	struct kri_history history = { 0 }, before;
	struct kryos_reading reading = { .value_micro = C(85), .quality = KRYOS_QUALITY_POWER_ON };

	(void)state;
	assert_int_equal(judge(&history, C(5), 0), KRYOS_QUALITY_GOOD);
	before = history;
	assert_int_equal(judge_of(&history, &probe, &reading, KRYOS_SECONDS(1)), KRYOS_QUALITY_POWER_ON);
	reading.quality = KRYOS_QUALITY_OPEN;
	assert_int_equal(judge_of(&history, &probe, &reading, KRYOS_SECONDS(1)), KRYOS_QUALITY_OPEN);
	before.is_interrupted = true;
	assert_memory_equal(&history, &before, sizeof(before));
}

static void limits_of_range_belong_to_it(void **state)
{
	struct kri_history history = { 0 };

	(void)state;
	assert_int_equal(judge(&history, C(125), 0), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(125) + 1, KRYOS_SECONDS(1)), KRYOS_QUALITY_RANGE);
	assert_int_equal(judge(&history, C(-55) - 1, KRYOS_SECONDS(2)), KRYOS_QUALITY_RANGE);
	assert_int_equal(judge(&history, C(-55), KRYOS_SECONDS(1000)), KRYOS_QUALITY_GOOD);
}

static void one_jump_is_not_believed_and_the_value_before_still_is(void **state)
{
	struct kri_history history = { 0 };

	(void)state;
	assert_int_equal(judge(&history, C(5), 0), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(15), KRYOS_SECONDS(10)), KRYOS_QUALITY_GOOD); /* 1 C/s to the last micro */
	assert_int_equal(judge(&history, C(25) + 1, KRYOS_SECONDS(20)), KRYOS_QUALITY_RATE);
	assert_int_equal(judge(&history, C(15.5), KRYOS_SECONDS(30)), KRYOS_QUALITY_GOOD);
	/* The jump is forgotten: a later one near it is alone again. */
	assert_int_equal(judge(&history, C(26), KRYOS_SECONDS(40)), KRYOS_QUALITY_RATE);
}

static void a_second_reading_near_the_jump_is_a_real_change(void **state)
{
	struct kri_history history = { 0 };

	(void)state;
	assert_int_equal(judge(&history, C(5), 0), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(40), KRYOS_SECONDS(10)), KRYOS_QUALITY_RATE);
	assert_int_equal(judge(&history, C(42), KRYOS_SECONDS(20)), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(42.5), KRYOS_SECONDS(21)), KRYOS_QUALITY_GOOD);
}

static void values_that_jump_about_are_never_believed(void **state)
{
	struct kri_history history = { 0 };

	(void)state;
	assert_int_equal(judge(&history, C(5), 0), KRYOS_QUALITY_GOOD);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(judge(&history, i % 2 ? C(60) : C(-40), KRYOS_SECONDS(i)), KRYOS_QUALITY_RATE);
}

static void two_readings_within_a_second_may_differ_by_a_seconds_move(void **state)
{
	struct kri_history history = { 0 };

	(void)state;
	assert_int_equal(judge(&history, C(5), 0), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(5.5), 1), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(7), 2), KRYOS_QUALITY_RATE);
}

static void after_a_long_silence_any_value_may_follow(void **state)
{
	struct kri_history history = { 0 };

	(void)state;
	assert_int_equal(judge(&history, C(-55), 0), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(125), INT64_MAX), KRYOS_QUALITY_GOOD);
}

static void extreme_values_do_not_overflow(void **state)
{
	struct kri_history history = { 0 };
	struct kryos_channel_info info = any_rate;

	(void)state;
	info.max_rate_micro = INT64_MAX;
	assert_int_equal(judge_of(&history, &info, &(struct kryos_reading){ .value_micro = INT64_MIN }, 0),
	                 KRYOS_QUALITY_GOOD);
	assert_int_equal(
		judge_of(&history, &info, &(struct kryos_reading){ .value_micro = INT64_MAX }, KRYOS_SECONDS(5)),
		KRYOS_QUALITY_RATE);
	assert_int_equal(judge_of(&history, &any_rate, &(struct kryos_reading){ .value_micro = 0 }, KRYOS_SECONDS(6)),
	                 KRYOS_QUALITY_GOOD);
}

static void a_value_that_stands_still_is_stuck_only_after_a_day(void **state)
{
	struct kri_history history = { 0 };
	int64_t minute;

	(void)state;
	for (minute = 0; minute <= 24 * 60; minute++)
		assert_int_equal(judge(&history, C(5.0625), KRYOS_MINUTES(minute)), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(5.0625), KRYOS_MINUTES(minute++)), KRYOS_QUALITY_STUCK);
	assert_int_equal(judge(&history, C(5.0625), KRYOS_MINUTES(minute++)), KRYOS_QUALITY_STUCK);
	/* One step of the converter, and it is alive. */
	assert_int_equal(judge(&history, C(5.125), KRYOS_MINUTES(minute++)), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(5.125), KRYOS_MINUTES(minute++)), KRYOS_QUALITY_GOOD);
}

static void a_few_equal_readings_days_apart_are_no_proof(void **state)
{
	struct kri_history history = { 0 };

	(void)state;
	for (int day = 0; day < 23; day++)
		assert_int_equal(judge(&history, C(5), KRYOS_DAYS(day)), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(5), KRYOS_DAYS(23)), KRYOS_QUALITY_STUCK);
}

static void a_sensor_that_was_away_has_not_stood_still(void **state)
{
	static const int away[] = { -ENODEV, -ENXIO, KRYOS_ECHIP, KRYOS_EDEVICE, -ENOTCONN };

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(away); i++) {
		struct kri_history history = { 0 };

		for (int hour = 0; hour <= 24; hour++)
			assert_int_equal(judge(&history, C(5), KRYOS_HOURS(hour)), KRYOS_QUALITY_GOOD);
		kri_judge_missing(&history, away[i]);
		for (int hour = 25; hour <= 25 + 24; hour++)
			assert_int_equal(judge(&history, C(5), KRYOS_HOURS(hour)), KRYOS_QUALITY_GOOD);
		/* The rate is still judged against the last good one: time has passed, and counts. */
		assert_int_equal(judge(&history, C(120), KRYOS_HOURS(49) + KRYOS_SECONDS(2)), KRYOS_QUALITY_RATE);
	}
}

static void noise_does_not_hide_one_that_stands_still(void **state)
{
	static const int noise[] = { KRYOS_ECRC, -EIO, -ETIMEDOUT, KRYOS_ESTUCK, -EAGAIN };

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(noise); i++) {
		struct kri_history history = { 0 };
		int64_t minute;

		for (minute = 0; minute <= 24 * 60; minute++) {
			if (minute == 12 * 60)
				kri_judge_missing(&history, noise[i]);
			else
				assert_int_equal(judge(&history, C(5), KRYOS_MINUTES(minute)), KRYOS_QUALITY_GOOD);
		}
		assert_int_equal(judge(&history, C(5), KRYOS_MINUTES(minute)), KRYOS_QUALITY_STUCK);
	}
}

/* Every second one fails: minutes apart it takes the day as ever, hours apart it takes 25 readings. */
static void noise_before_every_reading_does_not_hide_one_that_stands_still(void **state)
{
	static const struct {
		int every_minutes, stuck_after_minutes;
	} cases[] = { { 1, 24 * 60 }, { 30, 24 * 60 }, { 60, 48 * 60 }, { 12 * 60, 24 * 24 * 60 } };

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		struct kri_history history = { 0 };
		int minute, every = cases[i].every_minutes;

		for (minute = 0; minute <= cases[i].stuck_after_minutes; minute += 2 * every) {
			assert_int_equal(judge(&history, C(5), KRYOS_MINUTES(minute)), KRYOS_QUALITY_GOOD);
			kri_judge_missing(&history, -EIO);
		}
		assert_int_equal(judge(&history, C(5), KRYOS_MINUTES(minute)), KRYOS_QUALITY_STUCK);
	}
}

static void time_in_which_nothing_was_read_is_no_standing_still(void **state)
{
	struct kri_history history = { 0 };

	(void)state;
	for (int hour = 0; hour < 24; hour++)
		assert_int_equal(judge(&history, C(5), KRYOS_HOURS(hour)), KRYOS_QUALITY_GOOD);
	for (int hour = 24; hour < 72; hour++)
		kri_judge_missing(&history, -EIO);
	/* 23 hours, and one for the same value on both sides of the silence. */
	assert_int_equal(judge(&history, C(5), KRYOS_HOURS(72)), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge(&history, C(5), KRYOS_HOURS(73)), KRYOS_QUALITY_STUCK);
}

static void time_without_a_measurement_is_no_standing_still(void **state)
{
	static const struct kryos_reading nothing[] = {
		{ .quality = KRYOS_QUALITY_OPEN },
		{ .value_micro = C(85), .quality = KRYOS_QUALITY_POWER_ON },
		{ .value_micro = C(125) + 1 },
	};

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(nothing); i++) {
		struct kri_history history = { 0 };
		int hour;

		for (hour = 0; hour < 23; hour++)
			assert_int_equal(judge(&history, C(5), KRYOS_HOURS(hour)), KRYOS_QUALITY_GOOD);
		for (; hour < 48; hour++)
			assert_true(judge_of(&history, &probe, &nothing[i], KRYOS_HOURS(hour)) != KRYOS_QUALITY_GOOD);
		/* 22 hours, and one for the same value on both sides. */
		assert_int_equal(judge(&history, C(5), KRYOS_HOURS(48)), KRYOS_QUALITY_GOOD);
		assert_int_equal(judge(&history, C(5), KRYOS_HOURS(49)), KRYOS_QUALITY_GOOD);
		assert_int_equal(judge(&history, C(5), KRYOS_HOURS(50)), KRYOS_QUALITY_STUCK);
	}
}

static void time_outside_the_limits_that_were_set_is_no_standing_still(void **state)
{
	const struct kryos_channel_config *config = KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MAX, .max_micro = C(50));
	struct kri_history history = { 0 };
	int64_t value;
	int hour;

	(void)state;
	for (hour = 0; hour < 23; hour++)
		assert_int_equal(judge_said(&history, config, C(5), KRYOS_HOURS(hour), &value), KRYOS_QUALITY_GOOD);
	for (; hour < 48; hour++)
		assert_int_equal(judge_said(&history, config, C(60), KRYOS_HOURS(hour), &value), KRYOS_QUALITY_RANGE);
	assert_int_equal(judge_said(&history, config, C(5), KRYOS_HOURS(48), &value), KRYOS_QUALITY_GOOD);
}

static void every_failure_has_its_quality(void **state)
{
	static const struct {
		int code;
		enum kryos_quality quality;
	} cases[] = {
		{ -ENODEV, KRYOS_QUALITY_ABSENT },   { -ENXIO, KRYOS_QUALITY_ABSENT },
		{ KRYOS_ECHIP, KRYOS_QUALITY_CHIP }, { KRYOS_EDEVICE, KRYOS_QUALITY_CHIP },
		{ KRYOS_ECRC, KRYOS_QUALITY_CRC },   { -ETIMEDOUT, KRYOS_QUALITY_TIMEOUT },
		{ KRYOS_ESTUCK, KRYOS_QUALITY_BUS }, { -EIO, KRYOS_QUALITY_BUS },
		{ -EAGAIN, KRYOS_QUALITY_BUS },      { -EBUSY, KRYOS_QUALITY_BUS },
		{ -ENOMEM, KRYOS_QUALITY_BUS },
	};

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++)
		assert_int_equal(kri_judge_error(cases[i].code), cases[i].quality);
}

/* A slow sawtooth of the compressor, quantised at 0.0625 C, with a step of noise. */
static void a_noisy_fridge_is_good_throughout(void **state)
{
	uint64_t random = seed_from_environment(7);
	struct kri_history history = { 0 };

	(void)state;
	for (int minute = 0; minute < 10 * 24 * 60; minute++) {
		int64_t sawtooth = C(4) + (minute % 45) * C(0.05), noise = (int64_t)(next_random(&random) % 3) - 1;

		assert_int_equal(judge(&history, (sawtooth / 62500 + noise) * 62500, KRYOS_MINUTES(minute)),
		                 KRYOS_QUALITY_GOOD);
	}
}

static void limits_that_were_set_are_of_the_corrected_value_and_belong_to_the_range(void **state)
{
	const struct kryos_channel_config *config = KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MIN | KRYOS_CHANNEL_MAX,
	                                                                 .max_micro = C(50), .offset_micro = C(-0.25));
	struct kri_history history = { 0 };
	int64_t value = 0;

	(void)state;
	/* min is 0, a value as any other. */
	assert_int_equal(judge_said(&history, config, C(0.25), 0, &value), KRYOS_QUALITY_GOOD);
	assert_int_equal(value, 0);
	assert_int_equal(judge_said(&history, config, C(0.25) - 1, KRYOS_SECONDS(1), &value), KRYOS_QUALITY_RANGE);
	assert_int_equal(value, C(0.25) - 1);
	assert_int_equal(judge_said(&history, config, C(50.25), KRYOS_SECONDS(100), &value), KRYOS_QUALITY_GOOD);
	assert_int_equal(value, C(50));
	assert_int_equal(judge_said(&history, config, C(50.25) + 1, KRYOS_SECONDS(101), &value), KRYOS_QUALITY_RANGE);
	assert_int_equal(value, C(50.25) + 1);
	/* The chip's own limits are of what the chip says, whatever the correction would make of it. */
	assert_int_equal(judge_said(&history, KRYOS_CHANNEL_CONFIG(.offset_micro = C(-1)), C(125) + 1, 0, &value),
	                 KRYOS_QUALITY_RANGE);
	assert_int_equal(value, C(125) + 1);
}

static void a_rate_per_minute_is_judged_besides_the_drivers(void **state)
{
	const struct kryos_channel_config *config = KRYOS_CHANNEL_CONFIG(.rate_micro = C(5));
	struct kri_history history = { 0 };
	int64_t value;

	(void)state;
	assert_int_equal(judge_said(&history, config, C(5), 0, &value), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge_said(&history, config, C(10), KRYOS_MINUTES(1), &value), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge_said(&history, config, C(15) + 1, KRYOS_MINUTES(2), &value), KRYOS_QUALITY_RATE);
	assert_int_equal(value, C(15) + 1);
	assert_int_equal(judge_said(&history, config, C(15), KRYOS_MINUTES(3), &value), KRYOS_QUALITY_GOOD);
	/* Twelve seconds are a fifth of a minute. */
	assert_int_equal(judge_said(&history, config, C(16), KRYOS_SECONDS(192), &value), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge_said(&history, config, C(17) + 1, KRYOS_SECONDS(204), &value), KRYOS_QUALITY_RATE);
	/* The driver's limit holds where a longer interval would allow more. */
	history = (struct kri_history){ 0 };
	config = KRYOS_CHANNEL_CONFIG(.rate_micro = C(60));
	assert_int_equal(judge_said(&history, config, C(5), 0, &value), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge_said(&history, config, C(6) + 1, KRYOS_SECONDS(1), &value), KRYOS_QUALITY_RATE);
}

static void frozen_is_as_long_as_was_said_or_never(void **state)
{
	const struct kryos_channel_config *config = KRYOS_CHANNEL_CONFIG(.frozen_ns = KRYOS_HOURS(2));
	struct kri_history history = { 0 };
	int64_t value;

	(void)state;
	for (int minute = 0; minute <= 120; minute++)
		assert_int_equal(judge_said(&history, config, C(5), KRYOS_MINUTES(minute), &value), KRYOS_QUALITY_GOOD);
	assert_int_equal(judge_said(&history, config, C(5), KRYOS_MINUTES(121), &value), KRYOS_QUALITY_STUCK);
	assert_int_equal(value, C(5));
	config = KRYOS_CHANNEL_CONFIG(.frozen_ns = KRYOS_FROZEN_NEVER);
	for (int day = 0; day < 100; day++)
		assert_int_equal(judge_said(&history, config, C(5), KRYOS_DAYS(day), &value), KRYOS_QUALITY_GOOD);
}

/* Where the line is so flat that many readings become one value, it is the chip that has to stand still. */
static void it_is_the_chips_own_value_that_is_frozen(void **state)
{
	static const struct kryos_calibration_point points[] = { { 0, 0 }, { C(25), 1 } };
	const struct kryos_channel_config *config =
		KRYOS_CHANNEL_CONFIG(.points = points, .point_count = 2, .frozen_ns = KRYOS_HOURS(1));
	struct kri_history history = { 0 };
	int64_t value;

	(void)state;
	for (int minute = 0; minute < 200; minute++) {
		assert_int_equal(judge_said(&history, config, C(5) + minute % 2, KRYOS_MINUTES(minute), &value),
		                 KRYOS_QUALITY_GOOD);
		assert_int_equal(value, 0);
	}
}

/* A probe calibrated at 0, 5 and 25 that reads -2 has measured a freeze. */
static void beyond_the_points_a_value_is_corrected_and_says_so(void **state)
{
	static const struct kryos_calibration_point points[] = { { 0, C(0.1) },
		                                                 { C(5), C(5.08) },
		                                                 { C(25), C(24.97) } };
	const struct kryos_channel_config *config = KRYOS_CHANNEL_CONFIG(.points = points, .point_count = 3);
	struct kri_history history = { 0 };
	int64_t value;

	(void)state;
	assert_int_equal(judge_said(&history, config, C(-2), 0, &value), KRYOS_QUALITY_EXTRAPOLATED);
	assert_int_equal(value, C(-1.9));
	assert_int_equal(judge_said(&history, config, 0, KRYOS_MINUTES(1), &value), KRYOS_QUALITY_GOOD);
	assert_int_equal(value, C(0.1));
	assert_int_equal(judge_said(&history, config, C(25), KRYOS_MINUTES(2), &value), KRYOS_QUALITY_GOOD);
	assert_int_equal(value, C(24.97));
	assert_int_equal(judge_said(&history, config, C(25) + 1, KRYOS_MINUTES(3), &value), KRYOS_QUALITY_EXTRAPOLATED);
	assert_int_equal(value, C(24.97) + 1);
	/* The last believed one is as it was corrected: 0.1 C from here, within a second. */
	assert_int_equal(judge_said(&history, config, C(24.97), KRYOS_MINUTES(3), &value), KRYOS_QUALITY_GOOD);
}

/* An NTC outside the points of its table: a measurement, so whatever is asked of one is asked of it. */
static void what_the_driver_extrapolates_is_judged_as_any_measurement(void **state)
{
	const struct kryos_channel_config *config =
		KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MAX, .max_micro = C(80), .offset_micro = C(-0.5),
	                             .frozen_ns = KRYOS_HOURS(1));
	struct kryos_reading reading = { .value_micro = C(20), .quality = KRYOS_QUALITY_EXTRAPOLATED };
	struct kri_history history = { 0 };
	struct kri_channel channel;
	int64_t value = 0;

	(void)state;
	kri_channel_take(&channel, config);
	assert_int_equal(kri_judge(&history, &probe, &channel, &reading, 0, &value), KRYOS_QUALITY_EXTRAPOLATED);
	assert_int_equal(value, C(19.5));
	reading.value_micro = C(22) + 1;
	assert_int_equal(kri_judge(&history, &probe, &channel, &reading, KRYOS_SECONDS(2), &value), KRYOS_QUALITY_RATE);
	reading.value_micro = C(80.5) + 1;
	assert_int_equal(kri_judge(&history, &probe, &channel, &reading, KRYOS_HOURS(1), &value), KRYOS_QUALITY_RANGE);
	kri_channel_take(&channel, NULL);
	reading.value_micro = C(317.6);
	assert_int_equal(kri_judge(&history, &probe, &channel, &reading, KRYOS_HOURS(2), &value), KRYOS_QUALITY_RANGE);
	/* What it says is believed of the next one, too, and stands still no longer than any other. */
	kri_channel_take(&channel, config);
	reading.value_micro = C(20);
	for (int minute = 180; minute <= 240; minute++)
		assert_int_equal(kri_judge(&history, &probe, &channel, &reading, KRYOS_MINUTES(minute), &value),
		                 KRYOS_QUALITY_EXTRAPOLATED);
	assert_int_equal(kri_judge(&history, &probe, &channel, &reading, KRYOS_MINUTES(241), &value),
	                 KRYOS_QUALITY_STUCK);
	assert_int_equal(judge(&history, C(40), KRYOS_MINUTES(241) + KRYOS_SECONDS(1)), KRYOS_QUALITY_RATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_chip_says_is_wrong_stays_so_and_teaches_nothing),
		cmocka_unit_test(limits_of_range_belong_to_it),
		cmocka_unit_test(one_jump_is_not_believed_and_the_value_before_still_is),
		cmocka_unit_test(a_second_reading_near_the_jump_is_a_real_change),
		cmocka_unit_test(values_that_jump_about_are_never_believed),
		cmocka_unit_test(two_readings_within_a_second_may_differ_by_a_seconds_move),
		cmocka_unit_test(after_a_long_silence_any_value_may_follow),
		cmocka_unit_test(extreme_values_do_not_overflow),
		cmocka_unit_test(a_value_that_stands_still_is_stuck_only_after_a_day),
		cmocka_unit_test(a_few_equal_readings_days_apart_are_no_proof),
		cmocka_unit_test(a_sensor_that_was_away_has_not_stood_still),
		cmocka_unit_test(noise_does_not_hide_one_that_stands_still),
		cmocka_unit_test(noise_before_every_reading_does_not_hide_one_that_stands_still),
		cmocka_unit_test(time_in_which_nothing_was_read_is_no_standing_still),
		cmocka_unit_test(time_without_a_measurement_is_no_standing_still),
		cmocka_unit_test(time_outside_the_limits_that_were_set_is_no_standing_still),
		cmocka_unit_test(every_failure_has_its_quality),
		cmocka_unit_test(a_noisy_fridge_is_good_throughout),
		cmocka_unit_test(limits_that_were_set_are_of_the_corrected_value_and_belong_to_the_range),
		cmocka_unit_test(a_rate_per_minute_is_judged_besides_the_drivers),
		cmocka_unit_test(frozen_is_as_long_as_was_said_or_never),
		cmocka_unit_test(it_is_the_chips_own_value_that_is_frozen),
		cmocka_unit_test(beyond_the_points_a_value_is_corrected_and_says_so),
		cmocka_unit_test(what_the_driver_extrapolates_is_judged_as_any_measurement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
