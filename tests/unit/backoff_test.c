/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"
#include "support.h"

static void waits_stay_below_the_doubling_limit_and_the_cap(void **state)
{
	struct kri_backoff backoff;
	uint64_t seed = seed_from_environment(1);
	int64_t limit = KRYOS_SECONDS(1);

	(void)state;
	kri_backoff_init(&backoff, KRYOS_SECONDS(1), KRYOS_SECONDS(300), seed);
	for (int i = 0; i < 100; i++) {
		int64_t wait = kri_backoff_next(&backoff);

		assert_true(wait >= 0);
		assert_true(wait <= limit);
		limit = limit * 2 > KRYOS_SECONDS(300) ? KRYOS_SECONDS(300) : limit * 2;
	}
}

static void jitter_is_full(void **state)
{
	struct kri_backoff backoff;
	int buckets[10] = { 0 };

	(void)state;
	kri_backoff_init(&backoff, KRYOS_SECONDS(10), KRYOS_SECONDS(10), seed_from_environment(2));
	for (int i = 0; i < 10000; i++)
		buckets[kri_backoff_next(&backoff) * 10 / (KRYOS_SECONDS(10) + 1)]++;
	/* 1000 are expected in each tenth; 5 standard deviations are 150. */
	for (int i = 0; i < 10; i++)
		assert_in_range(buckets[i], 850, 1150);
}

static void two_devices_do_not_come_back_together(void **state)
{
	struct kri_backoff a, b;
	int same = 0;

	(void)state;
	kri_backoff_init(&a, KRYOS_SECONDS(1), KRYOS_SECONDS(300), 1);
	kri_backoff_init(&b, KRYOS_SECONDS(1), KRYOS_SECONDS(300), 2);
	for (int i = 0; i < 100; i++)
		same += kri_backoff_next(&a) == kri_backoff_next(&b);
	assert_int_equal(same, 0);
}

static void reset_begins_anew(void **state)
{
	struct kri_backoff backoff;

	(void)state;
	kri_backoff_init(&backoff, 1000, INT64_C(1000000000), 3);
	for (int i = 0; i < 30; i++)
		(void)kri_backoff_next(&backoff);
	kri_backoff_reset(&backoff);
	assert_true(kri_backoff_next(&backoff) <= 1000);
}

static void a_cap_near_the_end_of_int64_does_not_overflow(void **state)
{
	struct kri_backoff backoff;

	(void)state;
	kri_backoff_init(&backoff, INT64_MAX / 3, INT64_MAX - 1, 4);
	for (int i = 0; i < 100; i++)
		assert_true(kri_backoff_next(&backoff) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_stay_below_the_doubling_limit_and_the_cap), cmocka_unit_test(jitter_is_full),
		cmocka_unit_test(two_devices_do_not_come_back_together),           cmocka_unit_test(reset_begins_anew),
		cmocka_unit_test(a_cap_near_the_end_of_int64_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
