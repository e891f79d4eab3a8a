/* SPDX-License-Identifier: Apache-2.0 */
/* What may be said of a channel, and what a calibration makes of a value: against double precision, and by its
 * properties. */
#include "support.h"
#include <errno.h>
#include <sensor/sensor.h>
#include <string.h>

#define C(celsius) ((int64_t)((celsius)*1000000))
#define POINTS(...)                                                                                                    \
	.points = (const struct kryos_calibration_point[]){ __VA_ARGS__ },                                             \
	.point_count = sizeof((const struct kryos_calibration_point[]){ __VA_ARGS__ }) /                               \
	               sizeof(struct kryos_calibration_point)

static const struct kryos_channel_info probe = {
	.quantity = "temperature", .unit = "Cel", .min_micro = C(-55), .max_micro = C(125), .max_rate_micro = C(1)
};
static const struct kryos_channel_info endless = {
	.quantity = "pressure", .unit = "Pa", .min_micro = INT64_MIN, .max_micro = INT64_MAX
};

static void refuses(const struct kryos_channel_config *config, const char *field, const char *says)
{
	const char *wrong = NULL;

	assert_fails(-EINVAL, kri_channel_check(config, &probe, &wrong));
	assert_string_equal(wrong, field);
	assert_says(-EINVAL, says);
}

static void allows(const struct kryos_channel_config *config)
{
	const char *wrong = NULL;

	assert_ok(kri_channel_check(config, &probe, &wrong));
}

static void what_is_wrong_is_named_with_its_field_and_its_neighbour_is_right(void **state)
{
	(void)state;
	refuses(KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MIN, .min_micro = C(-55) - 1), "min", "-55 to 125 Cel");
	allows(KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MIN, .min_micro = C(-55)));
	refuses(KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MAX, .max_micro = C(125) + 1), "max", "125.000001");
	allows(KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MAX, .max_micro = C(125)));
	refuses(KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MIN | KRYOS_CHANNEL_MAX), "max", "more than min");
	allows(KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MIN | KRYOS_CHANNEL_MAX, .max_micro = 1));
	refuses(KRYOS_CHANNEL_CONFIG(.has = 4), "quantity", "bits");
	refuses(KRYOS_CHANNEL_CONFIG(.rate_micro = -1), "rate", "per minute");
	refuses(KRYOS_CHANNEL_CONFIG(.rate_micro = C(60) + 1), "rate", "up to 60 Cel per minute");
	allows(KRYOS_CHANNEL_CONFIG(.rate_micro = C(60)));
	refuses(KRYOS_CHANNEL_CONFIG(.frozen_ns = KRYOS_HOURS(1) - 1), "frozen", "365 days");
	refuses(KRYOS_CHANNEL_CONFIG(.frozen_ns = KRYOS_DAYS(365) + 1), "frozen", "never");
	allows(KRYOS_CHANNEL_CONFIG(.frozen_ns = KRYOS_DAYS(365)));
	allows(KRYOS_CHANNEL_CONFIG(.frozen_ns = KRYOS_FROZEN_NEVER));
	refuses(KRYOS_CHANNEL_CONFIG(.agrees = "b.temperature"), "agrees", "within is missing");
	refuses(KRYOS_CHANNEL_CONFIG(.within_micro = 1), "within", "agrees is missing");
	refuses(KRYOS_CHANNEL_CONFIG(.agrees = "b.temperature", .within_micro = -1), "within", "less than 0");
	allows(KRYOS_CHANNEL_CONFIG(.agrees = "b.temperature", .within_micro = 1));
	refuses(KRYOS_CHANNEL_CONFIG(.offset_micro = C(180) + 1), "offset", "whole range");
	refuses(KRYOS_CHANNEL_CONFIG(.offset_micro = 1, POINTS({ 0, 0 }, { 1, 1 })), "offset", "one of both");
	refuses(KRYOS_CHANNEL_CONFIG(POINTS({ 0, 0 })), "points", "for one there is offset");
	refuses(KRYOS_CHANNEL_CONFIG(.points = NULL, .point_count = 3), "points", "0 of them");
	refuses(KRYOS_CHANNEL_CONFIG(POINTS({ 0, 0 }, { 0, 1 })), "points", "number 2");
	refuses(KRYOS_CHANNEL_CONFIG(POINTS({ 0, 1 }, { 1, 2 }, { 2, 2 })), "points", "number 3");
	refuses(KRYOS_CHANNEL_CONFIG(POINTS({ C(-56), 0 }, { 1, 1 })), "points", "-56 is not allowed");
	refuses(KRYOS_CHANNEL_CONFIG(POINTS({ 0, 0 }, { 1, C(126) })), "points", "126 is not allowed");
	refuses(KRYOS_CHANNEL_CONFIG(POINTS({ 0, 0 }, { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 }, { 5, 5 }, { 6, 6 },
	                                    { 7, 7 }, { 8, 8 })),
	        "points", "9 of them");
	refuses(KRYOS_CHANNEL_CONFIG(.certificate = ""), "certificate", "1 to 47 bytes");
	refuses(KRYOS_CHANNEL_CONFIG(.certificate = "a;b"), "certificate", "without \";\"");
	refuses(KRYOS_CHANNEL_CONFIG(.certificate = "a\nb"), "certificate", "control");
	refuses(KRYOS_CHANNEL_CONFIG(.certificate = "123456789012345678901234567890123456789012345678"), "certificate",
	        "1 to 47 bytes");
	allows(KRYOS_CHANNEL_CONFIG(.certificate = "12345678901234567890123456789012345678901234567"));
	refuses(KRYOS_CHANNEL_CONFIG(.calibrated_ns = 5, .expires_ns = 5), "expires", "later day");
	allows(KRYOS_CHANNEL_CONFIG(.calibrated_ns = 5, .expires_ns = 6));
}

static void of_two_states_nothing_can_be_said(void **state)
{
	const struct kryos_channel_info lid = {
		.quantity = "open", .unit = "/", .max_micro = C(1), .states = { "closed", "open" }
	};
	const char *wrong = NULL;

	(void)state;
	assert_fails(-EINVAL, kri_channel_check(KRYOS_CHANNEL_CONFIG(.frozen_ns = KRYOS_DAYS(2)), &lid, &wrong));
	assert_says(-EINVAL, "two states");
}

static int64_t corrected(const struct kri_channel *channel, int64_t raw, bool *ret_extrapolated)
{
	int64_t value = 0;

	assert_true(kri_channel_correct(channel, raw, &value, ret_extrapolated));
	return value;
}

static void halves_between_points_are_rounded_up(void **state)
{
	struct kri_channel channel;
	bool beyond;

	(void)state;
	kri_channel_take(&channel, KRYOS_CHANNEL_CONFIG(POINTS({ 0, 0 }, { 2, 1 }, { 6, 4 })));
	assert_int_equal(corrected(&channel, 1, &beyond), 1);
	assert_int_equal(corrected(&channel, 3, &beyond), 2); /* 1.75 */
	assert_int_equal(corrected(&channel, 4, &beyond), 3); /* 2.5 */
	assert_int_equal(corrected(&channel, 5, &beyond), 3); /* 3.25 */
	kri_channel_take(&channel, KRYOS_CHANNEL_CONFIG(POINTS({ -4, -3 }, { -2, -2 })));
	assert_int_equal(corrected(&channel, -3, &beyond), -2); /* -2.5 */
}

/* Random calibrations: exact at the points, the line's value to half a millionth between, never falling. */
static void a_correction_is_the_line_through_its_points(void **state)
{
	uint64_t random = seed_from_environment(11);
	struct kryos_calibration_point points[KRYOS_CALIBRATION_MAX_POINTS];

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t count = 2 + next_random(&random) % (KRYOS_CALIBRATION_MAX_POINTS - 1);
		int64_t reading = C(-55), truth = C(-55), before = INT64_MIN;
		struct kri_channel channel;
		const char *wrong = NULL;
		bool beyond;

		for (size_t i = 0; i < count; i++) {
			reading += 1 + (int64_t)(next_random(&random) % C(20));
			truth += 1 + (int64_t)(next_random(&random) % C(20));
			points[i] = (struct kryos_calibration_point){ reading, truth };
		}
		assert_ok(kri_channel_check(KRYOS_CHANNEL_CONFIG(.points = points, .point_count = count), &endless,
		                            &wrong));
		kri_channel_take(&channel, KRYOS_CHANNEL_CONFIG(.points = points, .point_count = count));
		for (size_t i = 0; i + 1 < count; i++) {
			const struct kryos_calibration_point *low = &points[i], *high = low + 1;
			int64_t span = high->reading_micro - low->reading_micro;

			for (int k = 0; k < 4; k++) {
				int64_t step = k * (span / 4),
					value = corrected(&channel, low->reading_micro + step, &beyond);
				long double line = (long double)low->true_micro +
				                   (long double)(high->true_micro - low->true_micro) * step / span;

				assert_false(beyond);
				assert_true((long double)value - line <= 0.5L && line - (long double)value <= 0.5L);
				assert_true(value >= before);
				before = value;
			}
			assert_int_equal(corrected(&channel, high->reading_micro, &beyond), high->true_micro);
		}
		assert_int_equal(corrected(&channel, points[0].reading_micro - C(3), &beyond),
		                 points[0].true_micro - C(3));
		assert_true(beyond);
		assert_int_equal(corrected(&channel, points[count - 1].reading_micro + 1, &beyond),
		                 points[count - 1].true_micro + 1);
		assert_true(beyond);
	}
}

static void the_largest_numbers_do_not_overflow(void **state)
{
	const int64_t most = INT64_C(1000000000000000);
	struct kri_channel channel;
	const char *wrong = NULL;
	int64_t value;
	bool beyond;

	(void)state;
	assert_fails(-EINVAL,
	             kri_channel_check(KRYOS_CHANNEL_CONFIG(POINTS({ -most - 1, 0 }, { 0, 1 })), &endless, &wrong));
	assert_ok(kri_channel_check(KRYOS_CHANNEL_CONFIG(POINTS({ -most, -most }, { most, most })), &endless, &wrong));
	kri_channel_take(&channel, KRYOS_CHANNEL_CONFIG(POINTS({ -most, -most }, { most, most - 7 })));
	assert_int_equal(corrected(&channel, most - 1, &beyond), most - 8);
	assert_int_equal(corrected(&channel, 0, &beyond), -3); /* -3.5 */
	assert_int_equal(corrected(&channel, INT64_MAX, &beyond), INT64_MAX - 7);
	kri_channel_take(&channel, KRYOS_CHANNEL_CONFIG(.offset_micro = 1));
	assert_false(kri_channel_correct(&channel, INT64_MAX, &value, &beyond));
}

static void the_text_has_what_was_said_and_nothing_else(void **state)
{
	char text[KRI_CHANNEL_TEXT], small[8];

	(void)state;
	assert_int_equal(kri_channel_text(KRYOS_CHANNEL_CONFIG(.quantity = "temperature"), text, sizeof(text)), 0);
	assert_string_equal(text, "");
	/* 24 h is what is in force where nothing is said. */
	kri_channel_text(
		KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MIN, .frozen_ns = KRYOS_HOURS(24), .offset_micro = C(-0.12)),
		text, sizeof(text));
	assert_string_equal(text, "min=0 offset=-0.12");
	kri_channel_text(KRYOS_CHANNEL_CONFIG(.has = KRYOS_CHANNEL_MIN | KRYOS_CHANNEL_MAX, .min_micro = C(-30),
	                                      .max_micro = C(50), .rate_micro = C(5), .frozen_ns = KRYOS_FROZEN_NEVER,
	                                      .agrees = "fridge2.temperature", .within_micro = C(0.5),
	                                      POINTS({ 0, C(0.1) }, { C(5), C(5.08) }, { C(25), C(24.97) }),
	                                      .certificate = "NPL 2026-0815",
	                                      .calibrated_ns = INT64_C(1772323200000000000),
	                                      .expires_ns = INT64_C(1803859200000000000)),
	                 text, sizeof(text));
	assert_string_equal(text, "min=-30 max=50 rate=5 frozen=never agrees=fridge2.temperature within=0.5 "
	                          "points=0:0.1 5:5.08 25:24.97 calibrated=2026-03-01T00:00:00Z "
	                          "expires=2027-03-01T00:00:00Z certificate=NPL 2026-0815");
	assert_int_equal(kri_channel_text(KRYOS_CHANNEL_CONFIG(.offset_micro = C(-0.12)), small, sizeof(small)), 12);
	assert_string_equal(small, "offset=");
}

static void more_than_a_record_holds_is_refused(void **state)
{
	const struct kryos_channel_config *config = KRYOS_CHANNEL_CONFIG(
			.agrees = "a123456789012345678901234567890.a123456789012345678901234567890", .within_micro = 1,
			.has = KRYOS_CHANNEL_MIN | KRYOS_CHANNEL_MAX, .min_micro = -123456789123456,
			.max_micro = 123456789123456, .rate_micro = 123456789123456,
			.certificate = "12345678901234567890123456789012345678901234567", .calibrated_ns = 1,
			.expires_ns = INT64_MAX,
			POINTS({ -123456789123456, -123456789123456 }, { -123456789123455, -123456789123455 },
	                       { -123456789123454, -123456789123454 }, { -123456789123453, -123456789123453 },
	                       { -123456789123452, -123456789123452 }, { -123456789123451, -123456789123451 }));
	const char *wrong = NULL;

	(void)state;
	assert_fails(-EINVAL, kri_channel_check(config, &endless, &wrong));
	assert_string_equal(wrong, "points");
	assert_says(-EINVAL, "469 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_named_with_its_field_and_its_neighbour_is_right),
		cmocka_unit_test(of_two_states_nothing_can_be_said),
		cmocka_unit_test(halves_between_points_are_rounded_up),
		cmocka_unit_test(a_correction_is_the_line_through_its_points),
		cmocka_unit_test(the_largest_numbers_do_not_overflow),
		cmocka_unit_test(the_text_has_what_was_said_and_nothing_else),
		cmocka_unit_test(more_than_a_record_holds_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
