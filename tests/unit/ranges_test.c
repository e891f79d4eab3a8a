/* SPDX-License-Identifier: Apache-2.0 */
#include "store/private.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

#define SPAN 300

/* Every operation against a plain array of flags. */
static void ranges_equal_a_set_after_any_operations(void **state)
{
	uint64_t random = seed_from_environment(1);

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct kri_ranges ranges = { 0 }, again = { 0 };
		bool set[SPAN + 2] = { false };
		char *text;

		for (int step = 0; step < 100; step++) {
			int64_t first = 1 + (int64_t)(next_random(&random) % SPAN);
			int64_t last = first + (int64_t)(next_random(&random) % 12);
			bool add = next_random(&random) & 1;
			struct kri_run run;
			int64_t count = 0, from = 1 + (int64_t)(next_random(&random) % SPAN), next = 0;

			last = last > SPAN ? SPAN : last;
			assert_ok(add ? kri_ranges_add(&ranges, first, last) : kri_ranges_remove(&ranges, first, last));
			for (int64_t i = first; i <= last; i++)
				set[i] = add;
			for (int64_t i = 1; i <= SPAN; i++) {
				count += set[i];
				if (set[i] && i >= from && !next)
					next = i;
				assert_int_equal(kri_ranges_has(&ranges, i), set[i]);
			}
			assert_int_equal(kri_ranges_count(&ranges, SPAN), count);
			assert_int_equal(kri_ranges_next(&ranges, from, &run), next != 0);
			if (next)
				assert_int_equal(run.first, next);
			for (int i = 0; i + 1 < ranges.count; i++)
				assert_true(ranges.runs[i].last + 1 < ranges.runs[i + 1].first);
		}
		text = kri_ranges_text(&ranges);
		assert_ok(kri_ranges_parse(&again, text));
		assert_int_equal(again.count, ranges.count);
		if (ranges.count)
			assert_memory_equal(again.runs, ranges.runs, (size_t)ranges.count * sizeof(*ranges.runs));
		free(text);
		kri_ranges_clear(&ranges);
		kri_ranges_clear(&again);
	}
}

static void an_open_run_has_no_end(void **state)
{
	struct kri_ranges ranges = { 0 };
	char *text;

	(void)state;
	assert_ok(kri_ranges_add(&ranges, 5, INT64_MAX));
	assert_ok(kri_ranges_remove(&ranges, 9, 9));
	text = kri_ranges_text(&ranges);
	assert_string_equal(text, "5-8,10-");
	free(text);
	assert_true(kri_ranges_has(&ranges, INT64_MAX));
	assert_int_equal(kri_ranges_count(&ranges, 12), 7);
	kri_ranges_clear(&ranges);
	assert_ok(kri_ranges_parse(&ranges, "5-8,10-"));
	assert_int_equal(ranges.count, 2);
	kri_ranges_clear(&ranges);
}

static void too_many_runs_owe_too_much_never_too_little(void **state)
{
	struct kri_ranges ranges = { 0 };

	(void)state;
	assert_ok(kri_ranges_add(&ranges, 1, INT64_MAX));
	for (int64_t i = 2; i < 6000; i += 2)
		assert_ok(kri_ranges_remove(&ranges, i, i));
	assert_true(ranges.count <= KRI_MAX_RUNS);
	for (int64_t i = 1; i < 6000; i += 2)
		assert_true(kri_ranges_has(&ranges, i));
	assert_true(kri_ranges_has(&ranges, 100000));
	kri_ranges_clear(&ranges);
}

static void text_that_is_no_list_is_refused(void **state)
{
	static const char *const wrong[] = { "5",   "5-4",      "a-b",     "-5",
		                             "0-3", "5-8;9-10", "5-8,,9-", "99999999999999999999-" };
	struct kri_ranges ranges = { 0 };

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		assert_fails(KRYOS_ECORRUPT, kri_ranges_parse(&ranges, wrong[i]));
		kri_ranges_clear(&ranges);
	}
	assert_ok(kri_ranges_parse(&ranges, ""));
	assert_int_equal(ranges.count, 0);
}

static void what_is_in_either_is_counted_once(void **state)
{
	struct kri_ranges a = { 0 }, b = { 0 };

	(void)state;
	assert_ok(kri_ranges_parse(&a, "1-10,20-"));
	assert_ok(kri_ranges_parse(&b, "5-25,30-30"));
	assert_int_equal(kri_ranges_count_either(&a, 40, &b, 40), 40);
	assert_int_equal(kri_ranges_count_either(&a, 40, &b, 7), 10 + 21);
	assert_int_equal(kri_ranges_count_either(&a, 7, &b, 40), 25 + 1);
	assert_int_equal(kri_ranges_count_either(&a, 0, &b, 0), 0);
	kri_ranges_clear(&b);
	assert_int_equal(kri_ranges_count_either(&a, 22, &b, 40), 13);
	kri_ranges_clear(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_either_is_counted_once),
		cmocka_unit_test(ranges_equal_a_set_after_any_operations),
		cmocka_unit_test(an_open_run_has_no_end),
		cmocka_unit_test(too_many_runs_owe_too_much_never_too_little),
		cmocka_unit_test(text_that_is_no_list_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
