/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evaluator against docs/alarms.md written down plainly, over random traces, each rule mode; and the same once
 * more, saved and restored between any two samples.
 */
#include "alarm_reference.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACES 10000

static void take_news(struct kryos_evaluator *evaluator, struct outcome *outcome)
{
	const struct kryos_episode *news;

	while (kryos_evaluator_next(evaluator, &news) > 0) {
		if (news->ended_by == KRYOS_EPISODE_OPEN)
			outcome->begun++;
		else
			outcome->episodes[outcome->count++] = *news;
	}
}

static void evaluate(const struct kryos_rule *rule, const struct trace *trace, uint64_t *split, struct outcome *outcome)
{
	struct kryos_evaluator *evaluator;

	assert_ok(kryos_evaluator_new(&evaluator, INTERVAL));
	assert_ok(kryos_evaluator_add(evaluator, rule));
	for (size_t i = 0; i < trace->count; i++) {
		if (split && next_random(split) % 4 == 0) {
			void *bytes;
			size_t count;

			assert_ok(kryos_evaluator_save(evaluator, &bytes, &count));
			kryos_evaluator_free(evaluator);
			assert_ok(kryos_evaluator_new(&evaluator, INTERVAL));
			assert_ok(kryos_evaluator_add(evaluator, rule));
			assert_ok(kryos_evaluator_restore(evaluator, bytes, count));
			free(bytes);
		}
		assert_ok(kryos_evaluator_take(evaluator, &trace->samples[i]));
		take_news(evaluator, outcome);
		if (i == trace->retired) {
			assert_ok(kryos_evaluator_end(evaluator, KRYOS_EPISODE_RETIRED));
			take_news(evaluator, outcome);
		}
	}
	if (kryos_evaluator_look(evaluator, 0, &outcome->episodes[outcome->count]) == 1)
		outcome->count++;
	kryos_evaluator_free(evaluator);
}

static bool same_instant(struct kryos_instant a, struct kryos_instant b)
{
	return a.t_boot_ns == b.t_boot_ns && a.t_wall_ns == b.t_wall_ns && a.boot == b.boot && a.trust == b.trust;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	bool all = a->count == b->count;

	for (size_t i = 0; all && i < a->count; i++) {
		const struct kryos_episode *x = &a->episodes[i], *y = &b->episodes[i];

		all = x->ended_by == y->ended_by && same_instant(x->start, y->start) &&
		      same_instant(x->trigger, y->trigger) && same_instant(x->end, y->end) &&
		      x->has_extreme == y->has_extreme && same_instant(x->extreme_at, y->extreme_at) &&
		      x->extreme_micro == y->extreme_micro && x->duration_ns == y->duration_ns &&
		      x->accumulated_ns == y->accumulated_ns && x->indeterminate_ns == y->indeterminate_ns &&
		      x->uncertain == y->uncertain;
	}
	return all;
}

static void follows_the_definitions(enum shape shape, enum kryos_rule_gap gap)
{
	uint64_t seed = seed_from_environment(20261120 + 10 * shape + gap);
	size_t episodes = 0;

	for (unsigned int n = 0; n < TRACES; n++) {
		static struct outcome expected, got, resumed;
		static struct trace trace;
		uint64_t random = seed + n, split = ~random;
		struct kryos_rule rule;

		got.count = got.begun = resumed.count = resumed.begun = 0;
		make_rule(&rule, shape, gap, &random);
		make_trace(&trace, &random);
		/* What becomes of a run then is another test's. */
		trace.retired = rule.mode == KRYOS_RULE_CUMULATIVE && next_random(&random) % 2
		                        ? next_random(&random) % trace.count
		                        : trace.count;
		expect_episodes(&rule, &trace, &expected);
		evaluate(&rule, &trace, NULL, &got);
		evaluate(&rule, &trace, &split, &resumed);
		if (!same(&expected, &got) || got.begun != expected.count)
			fail_msg("KRYOS_SEED=%" PRIu64 ": %zu episodes, not %zu as defined, or others", seed + n,
			         got.count, expected.count);
		if (!same(&got, &resumed) || got.begun != resumed.begun)
			fail_msg("KRYOS_SEED=%" PRIu64 ": others when it is saved and restored", seed + n);
		episodes += got.count;
	}
	print_message("seed %" PRIu64 ": %d traces, %zu episodes\n", seed, TRACES, episodes);
	assert_true(episodes > TRACES / 4); /* or nothing was compared */
}

static void a_run_that_holds_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(RUN, KRYOS_GAP_HOLD);
}

static void a_run_that_breaks_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(RUN, KRYOS_GAP_BREAK);
}

static void a_run_that_counts_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(RUN, KRYOS_GAP_COUNT);
}

static void a_run_with_reset_and_hysteresis_that_holds_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(RUN_WITH_RESET, KRYOS_GAP_HOLD);
}

static void a_run_with_reset_and_hysteresis_that_breaks_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(RUN_WITH_RESET, KRYOS_GAP_BREAK);
}

static void a_run_with_reset_and_hysteresis_that_counts_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(RUN_WITH_RESET, KRYOS_GAP_COUNT);
}

static void a_sum_that_holds_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(SUM, KRYOS_GAP_HOLD);
}

static void a_sum_that_counts_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(SUM, KRYOS_GAP_COUNT);
}

static void a_sum_in_a_window_that_holds_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(SUM_IN_WINDOW, KRYOS_GAP_HOLD);
}

static void a_sum_in_a_window_that_counts_over_gaps_follows_the_definitions(void **state)
{
	(void)state;
	follows_the_definitions(SUM_IN_WINDOW, KRYOS_GAP_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_that_holds_over_gaps_follows_the_definitions),
		cmocka_unit_test(a_run_that_breaks_over_gaps_follows_the_definitions),
		cmocka_unit_test(a_run_that_counts_over_gaps_follows_the_definitions),
		cmocka_unit_test(a_run_with_reset_and_hysteresis_that_holds_over_gaps_follows_the_definitions),
		cmocka_unit_test(a_run_with_reset_and_hysteresis_that_breaks_over_gaps_follows_the_definitions),
		cmocka_unit_test(a_run_with_reset_and_hysteresis_that_counts_over_gaps_follows_the_definitions),
		cmocka_unit_test(a_sum_that_holds_over_gaps_follows_the_definitions),
		cmocka_unit_test(a_sum_that_counts_over_gaps_follows_the_definitions),
		cmocka_unit_test(a_sum_in_a_window_that_holds_over_gaps_follows_the_definitions),
		cmocka_unit_test(a_sum_in_a_window_that_counts_over_gaps_follows_the_definitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
