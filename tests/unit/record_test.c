/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include <sampler/sampler_private.h>
#include <stdlib.h>

#define QUARTER KRYOS_MINUTES(15)

static void add(struct kri_record *record, int64_t minute, int64_t value_micro, enum kryos_quality quality)
{
	struct kryos_sample sample = { .channel = 1,
		                       .value_micro = value_micro,
		                       .quality = (uint16_t)quality,
		                       .t_boot_ns = KRYOS_MINUTES(minute),
		                       .round = (uint32_t)minute };

	kri_record_add(record, QUARTER, &sample);
}

static void a_period_holds_its_end_and_not_its_beginning(void **state)
{
	(void)state;
	assert_int_equal(kri_record_end(1, QUARTER), QUARTER);
	assert_int_equal(kri_record_end(QUARTER - 1, QUARTER), QUARTER);
	assert_int_equal(kri_record_end(QUARTER, QUARTER), QUARTER);
	assert_int_equal(kri_record_end(QUARTER + 1, QUARTER), 2 * QUARTER);
}

static void mean_minimum_and_maximum_have_the_stamps_of_the_last_reading(void **state)
{
	struct kri_record record = { 0 };
	struct kryos_sample samples[3];

	(void)state;
	add(&record, 1, 5000000, KRYOS_QUALITY_GOOD);
	add(&record, 2, 6000001, KRYOS_QUALITY_GOOD);
	add(&record, 3, -4000000, KRYOS_QUALITY_GOOD);
	assert_int_equal(record.end_ns, QUARTER);
	kri_record_take(&record, 2, 3, samples);
	assert_int_equal(samples[0].value_micro, 2333334); /* 7000001 / 3 = 2333333.67 */
	assert_int_equal(samples[1].value_micro, -4000000);
	assert_int_equal(samples[2].value_micro, 6000001);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(samples[i].channel, i + 1);
		assert_int_equal(samples[i].t_boot_ns, KRYOS_MINUTES(3));
		assert_int_equal(samples[i].round, 3);
		assert_int_equal(samples[i].quality, KRYOS_QUALITY_GOOD);
	}
	assert_int_equal(record.readings, 0);
}

/* A freeze beyond a probe's calibration must be the period's minimum. */
static void what_is_extrapolated_counts_and_the_record_says_so(void **state)
{
	struct kri_record record = { 0 };
	struct kryos_sample samples[3];

	(void)state;
	add(&record, 1, 1000000, KRYOS_QUALITY_GOOD);
	add(&record, 2, -2000000, KRYOS_QUALITY_EXTRAPOLATED);
	add(&record, 3, 4000000, KRYOS_QUALITY_GOOD);
	add(&record, 4, -9000000, KRYOS_QUALITY_DISAGREES);
	kri_record_take(&record, 2, 3, samples);
	assert_int_equal(samples[0].value_micro, 1000000);
	assert_int_equal(samples[1].value_micro, -2000000);
	assert_int_equal(samples[2].value_micro, 4000000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(samples[i].quality, KRYOS_QUALITY_EXTRAPOLATED);
	add(&record, 16, 1000000, KRYOS_QUALITY_GOOD);
	kri_record_take(&record, 2, 3, samples);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
}

static void an_alarm_of_any_measurement_is_the_periods(void **state)
{
	struct kri_record record = { 0 };
	struct kryos_sample samples[3];

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		kri_record_add(&record, QUARTER,
		               &(struct kryos_sample){ .t_boot_ns = KRYOS_MINUTES(i + 1),
		                                       .quality = i == 1 ? KRYOS_QUALITY_OPEN : KRYOS_QUALITY_GOOD,
		                                       .alarm = i < 3 ? 1u << i : 0 });
	kri_record_take(&record, 2, 3, samples);
	for (int i = 0; i < 3; i++)
		assert_int_equal(samples[i].alarm, 7);
	add(&record, 16, 1000000, KRYOS_QUALITY_GOOD);
	kri_record_take(&record, 2, 3, samples);
	assert_int_equal(samples[0].alarm, 0);
}

static void what_failed_is_left_out_of_the_mean(void **state)
{
	struct kri_record record = { 0 };
	struct kryos_sample samples[3];

	(void)state;
	add(&record, 1, 5000000, KRYOS_QUALITY_GOOD);
	add(&record, 2, 85000000, KRYOS_QUALITY_POWER_ON);
	add(&record, 3, 0, KRYOS_QUALITY_ABSENT);
	kri_record_take(&record, 2, 3, samples);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(samples[i].value_micro, 5000000);
		assert_int_equal(samples[i].quality, KRYOS_QUALITY_GOOD);
	}
}

static void a_period_without_a_good_reading_has_the_last_reason(void **state)
{
	struct kri_record record = { 0 };
	struct kryos_sample samples[3];

	(void)state;
	add(&record, 1, 0, KRYOS_QUALITY_CRC);
	add(&record, 2, 0, KRYOS_QUALITY_ABSENT);
	kri_record_take(&record, 2, 3, samples);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(samples[i].quality, KRYOS_QUALITY_ABSENT);
		assert_int_equal(samples[i].value_micro, 0);
		assert_int_equal(samples[i].channel, i + 1);
	}
}

static void means_are_exact_for_any_value(void **state)
{
	uint64_t random = seed_from_environment(99);
	struct kri_record record = { 0 };
	struct kryos_sample samples[3];
	int64_t sum;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		int count = 1 + (int)(next_random(&random) % 40);

		sum = 0;
		for (int i = 0; i < count; i++) {
			int64_t value =
				(int64_t)(next_random(&random) % UINT64_C(200000000000)) - INT64_C(100000000000);

			sum += value;
			add(&record, 1, value, KRYOS_QUALITY_GOOD);
		}
		kri_record_take(&record, 2, 3, samples);
		/* To nearest: twice the distance is not more than the count. */
		assert_true(llabs(2 * (samples[0].value_micro * count - sum)) <= count);
	}
	for (int i = 0; i < 100000; i++)
		add(&record, 1, INT64_MIN, KRYOS_QUALITY_GOOD);
	kri_record_take(&record, 2, 3, samples);
	assert_true(samples[0].value_micro == INT64_MIN);
	for (int i = 0; i < 100000; i++)
		add(&record, 1, INT64_MAX, KRYOS_QUALITY_GOOD);
	kri_record_take(&record, 2, 3, samples);
	assert_true(samples[0].value_micro == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_period_holds_its_end_and_not_its_beginning),
		cmocka_unit_test(mean_minimum_and_maximum_have_the_stamps_of_the_last_reading),
		cmocka_unit_test(what_is_extrapolated_counts_and_the_record_says_so),
		cmocka_unit_test(an_alarm_of_any_measurement_is_the_periods),
		cmocka_unit_test(what_failed_is_left_out_of_the_mean),
		cmocka_unit_test(a_period_without_a_good_reading_has_the_last_reason),
		cmocka_unit_test(means_are_exact_for_any_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
