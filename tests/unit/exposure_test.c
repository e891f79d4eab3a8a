/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE KRYOS_MINUTES(1)

static struct kryos_exposure *make(int64_t activation)
{
	struct kryos_exposure *exposure;

	assert_ok(kryos_exposure_new(&exposure, KRYOS_EXPOSURE_CONFIG(.has = KRYOS_EXPOSURE_LOW | KRYOS_EXPOSURE_HIGH,
	                                                              .gap_limit_ns = 20 * MINUTE,
	                                                              .activation_j_per_mol = activation,
	                                                              .low_micro = 2000000, .high_micro = 8000000)));
	return exposure;
}

static void take_of(struct kryos_exposure *exposure, int64_t minutes, double celsius, uint32_t boot,
                    unsigned int quality)
{
	struct kryos_sample sample = { .t_boot_ns = minutes * MINUTE, .boot = boot, .quality = (uint16_t)quality };

	assert_ok(kryos_micro_from_double(celsius, &sample.value_micro));
	assert_ok(kryos_exposure_take(exposure, &sample));
}

static void take(struct kryos_exposure *exposure, int64_t minutes, double celsius)
{
	take_of(exposure, minutes, celsius, 0, KRYOS_QUALITY_GOOD);
}

static struct kryos_exposure_result finish(struct kryos_exposure *exposure)
{
	struct kryos_exposure_result result = { .size = sizeof(result) };

	assert_ok(kryos_exposure_get(exposure, &result));
	kryos_exposure_free(exposure);
	return result;
}

/* Haynes' formula over pieces of (minutes, rate), in its own arithmetic. */
static int64_t mkt(double kelvin, const double (*pieces)[2], size_t count)
{
	double sum = 0, minutes = 0, result;

	for (size_t i = 0; i < count; i++) {
		sum += pieces[i][0] * pieces[i][1];
		minutes += pieces[i][0];
	}
	result = kelvin / -log(sum / minutes) - 273.15;
	return llround(result * 1e6);
}

static double rate(double kelvin, double celsius)
{
	return exp(-kelvin / (celsius + 273.15));
}

static void a_constant_temperature_is_its_own_mean(void **state)
{
	struct kryos_exposure_result result;

	(void)state;
	for (int celsius = -80; celsius <= 40; celsius += 20) {
		struct kryos_exposure *exposure = make(0);

		for (int i = 0; i < 100; i++)
			take(exposure, 7 * i, celsius);
		result = finish(exposure);
		assert_int_equal(result.mean_micro, celsius * 1000000);
		assert_int_equal(result.mkt_micro, celsius * 1000000);
		assert_int_equal(result.time_ns, 99 * 7 * MINUTE);
	}
}

static void distances_weigh_and_a_gap_counts_in_no_mean(void **state)
{
	const double e = 10000, a = rate(e, 5), b = rate(e, 25), c = rate(e, 10);
	const double pieces[][2] = { { 10, (a + b) / 2 }, { 20, (b + c) / 2 }, { 5, (a + c) / 2 } };
	struct kryos_exposure *exposure = make(0);
	struct kryos_exposure_result result;

	(void)state;
	take(exposure, 0, 5);
	take(exposure, 10, 25);
	take(exposure, 30, 10);
	take_of(exposure, 40, 85, 0, KRYOS_QUALITY_POWER_ON);
	take_of(exposure, 45, 85, 0, KRYOS_QUALITY_RATE);
	take(exposure, 51, 10); /* 21 min: a gap */
	take(exposure, 56, 5);
	result = finish(exposure);
	assert_int_equal(result.samples, 5);
	assert_int_equal(result.time_ns, 35 * MINUTE);
	assert_int_equal(result.mean_micro, llround(537.5e6 / 35)); /* 10 min of 15, 20 of 17.5, 5 of 7.5 */
	assert_in_range(llabs(result.mkt_micro - mkt(e, pieces, 3)), 0, 1);
	assert_true(result.mkt_micro > result.mean_micro);
	assert_int_equal(result.min_micro, 5000000);
	assert_int_equal(result.max_micro, 25000000);
	assert_int_equal(result.above_ns, (20 + 20 + 5) * MINUTE);
	assert_int_equal(result.below_ns, 0);
}

static void samples_of_one_time_are_averaged_first(void **state)
{
	const double e = 60000 / 8.3144, a = rate(e, 0), b = (rate(e, 10) + rate(e, 30)) / 2;
	const double pieces[][2] = { { 10, (a + b) / 2 } };
	struct kryos_exposure *exposure = make(60000);
	struct kryos_exposure_result result;

	(void)state;
	take(exposure, 0, 0);
	take(exposure, 10, 10);
	take(exposure, 10, 30);
	result = finish(exposure);
	assert_int_equal(result.mean_micro, 10000000);
	assert_in_range(llabs(result.mkt_micro - mkt(e, pieces, 1)), 0, 1);
	assert_int_equal(result.below_ns, 10 * MINUTE);
}

static void another_boot_is_another_beginning(void **state)
{
	struct kryos_exposure *exposure = make(0);
	struct kryos_exposure_result result;

	(void)state;
	take(exposure, 100, 5);
	result.size = sizeof(result);
	assert_ok(kryos_exposure_get(exposure, &result));
	assert_int_equal(result.mean_micro, 5000000);
	take(exposure, 110, 7);
	take_of(exposure, 1, 30, 1, KRYOS_QUALITY_GOOD);
	take_of(exposure, 11, 30, 1, KRYOS_QUALITY_EXTRAPOLATED);
	result = finish(exposure);
	assert_int_equal(result.time_ns, 20 * MINUTE);
	assert_int_equal(result.mean_micro, 18000000);
}

static void a_reboot_between_trusted_times_is_a_distance_as_any_other(void **state)
{
	struct kryos_exposure *exposure = make(0);
	struct kryos_exposure_result result;
	struct kryos_sample sample = { .value_micro = 10000000,
		                       .t_boot_ns = KRYOS_HOURS(9),
		                       .t_wall_ns = KRYOS_DAYS(20000),
		                       .boot = 1,
		                       .trust = KRYOS_TRUST_RTC };

	(void)state;
	assert_ok(kryos_exposure_take(exposure, &sample));
	sample.boot = 2;
	sample.t_boot_ns = MINUTE;
	sample.t_wall_ns += 10 * MINUTE;
	sample.value_micro = 20000000;
	assert_ok(kryos_exposure_take(exposure, &sample));
	sample.boot = 3;
	sample.trust = KRYOS_TRUST_FLOOR;
	assert_ok(kryos_exposure_take(exposure, &sample));
	result = finish(exposure);
	assert_int_equal(result.time_ns, 10 * MINUTE);
	assert_int_equal(result.mean_micro, 15000000);
	assert_int_equal(result.above_ns, 10 * MINUTE);
}

/* How many days until the end point, of the kinds in their order, at a constant temperature; 0: not looked at. */
static void assert_lives(unsigned int model, double celsius, const double days[KRYOS_VVM_COUNT], double tolerance)
{
	struct kryos_exposure_result result;
	struct kryos_exposure *exposure;

	assert_ok(kryos_exposure_new(
		&exposure, KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 20 * MINUTE, .vvm = 15, .vvm_model = model)));
	for (int i = 0; i <= 1440; i++)
		take(exposure, 10 * i, celsius); /* ten days */
	result = finish(exposure);
	for (unsigned int i = 0; i < KRYOS_VVM_COUNT; i++) {
		double got = 10 * 1e8 / (double)result.vvm_micro[i];

		if (days[i] > 0 && fabs(got - days[i]) > tolerance)
			fail_msg("%s, %s at %g C: %g days, not %g", kryos_vvm_model_name(model), kryos_vvm_name(i),
			         celsius, got, days[i]);
	}
}

static void a_vial_monitor_lasts_as_long_as_was_published(void **state)
{
	(void)state;
	assert_lives(KRYOS_VVM_GOLDWOOD_DIESBURG_2018, 37, (const double[]){ 1.76, 6.07, 12.15, 25.99 }, 0.005);
	assert_lives(KRYOS_VVM_GOLDWOOD_DIESBURG_2018, 5, (const double[]){ 176.7, 0, 0, 0 }, 0.05);
}

static void through_two_points_it_lasts_as_the_who_defines_it(void **state)
{
	(void)state;
	assert_lives(KRYOS_VVM_TWO_POINT, 37, (const double[]){ 2, 7, 14, 30 }, 1e-4);
	assert_lives(KRYOS_VVM_TWO_POINT, 25, (const double[]){ 10.4, 45, 90, 193 }, 0.05);
	assert_lives(KRYOS_VVM_TWO_POINT, 5, (const double[]){ 225, 0, 0, 0 }, 0.001);
	assert_lives(KRYOS_VVM_TWO_POINT, 30, (const double[]){ 0, 0, 40.7, 0 }, 0.05);
	assert_lives(KRYOS_VVM_TWO_POINT, 8, (const double[]){ 0, 0, 0, 3540 }, 1);
}

static void a_vial_monitor_ages_along_straight_lines_of_its_rate(void **state)
{
	const double at_5 = 1.0766e18 * exp(-13652 / 278.15), at_25 = 1.0766e18 * exp(-13652 / 298.15);
	struct kryos_exposure_result result;
	struct kryos_exposure *exposure;

	(void)state;
	assert_ok(kryos_exposure_new(&exposure,
	                             KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = KRYOS_HOURS(2), .vvm = 1 << KRYOS_VVM14)));
	take(exposure, 0, 5);
	take(exposure, 60, 25);
	take(exposure, 120, 25);
	take(exposure, 300, 37); /* a gap */
	result = finish(exposure);
	assert_int_equal(result.vvm_micro[KRYOS_VVM14], llround(1e8 / 24 * ((at_5 + at_25) / 2 + at_25)));
	assert_int_equal(result.vvm_micro[KRYOS_VVM2], 0); /* was not asked for */
	assert_fails(-EINVAL, kryos_exposure_new(&exposure, KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 1, .vvm = 16)));
	assert_fails(-EINVAL, kryos_exposure_new(&exposure, KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 1, .vvm_model = 2)));
}

/* Measured half as often as was said. */
static void instants_that_are_too_far_apart_have_no_mean(void **state)
{
	struct kryos_exposure *exposure = make(0);
	struct kryos_exposure_result result = { .size = sizeof(result) };

	(void)state;
	take(exposure, 0, 3);
	take(exposure, 0, 5);
	assert_ok(kryos_exposure_get(exposure, &result));
	assert_int_equal(result.has_mean, 1);
	assert_int_equal(result.mean_micro, 4000000);
	take(exposure, 25, 30);
	take(exposure, 50, 6);
	result = finish(exposure);
	assert_int_equal(result.has_mean, 0);
	assert_int_equal(result.mean_micro, 0);
	assert_int_equal(result.mkt_micro, 0);
	assert_int_equal(result.max_micro, 30000000);
	assert_int_equal(result.above_ns, 20 * MINUTE);
}

static void what_is_no_temperature_is_refused(void **state)
{
	struct kryos_exposure_result result = { 0 };
	struct kryos_exposure *exposure;
	struct kryos_sample sample = { .value_micro = INT64_C(-273150000), .t_boot_ns = MINUTE };

	(void)state;
	assert_fails(-EINVAL, kryos_exposure_new(&exposure, KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 0)));
	assert_fails(-EINVAL, kryos_exposure_new(&exposure, KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 1,
	                                                                          .activation_j_per_mol = 999)));
	assert_says(-EINVAL, "activation_j_per_mol");
	exposure = make(0);
	assert_fails(-EINVAL, kryos_exposure_take(exposure, &sample));
	sample.value_micro++;
	assert_ok(kryos_exposure_take(exposure, &sample));
	sample.t_boot_ns--;
	assert_fails(-EINVAL, kryos_exposure_take(exposure, &sample));
	assert_fails(-EINVAL, kryos_exposure_get(exposure, &result));
	kryos_exposure_free(exposure);
	kryos_exposure_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_constant_temperature_is_its_own_mean),
		cmocka_unit_test(distances_weigh_and_a_gap_counts_in_no_mean),
		cmocka_unit_test(samples_of_one_time_are_averaged_first),
		cmocka_unit_test(another_boot_is_another_beginning),
		cmocka_unit_test(a_reboot_between_trusted_times_is_a_distance_as_any_other),
		cmocka_unit_test(a_vial_monitor_lasts_as_long_as_was_published),
		cmocka_unit_test(through_two_points_it_lasts_as_the_who_defines_it),
		cmocka_unit_test(a_vial_monitor_ages_along_straight_lines_of_its_rate),
		cmocka_unit_test(instants_that_are_too_far_apart_have_no_mean),
		cmocka_unit_test(what_is_no_temperature_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
