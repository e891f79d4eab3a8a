/* SPDX-License-Identifier: Apache-2.0 */
/* When an episode is due, against what the definitions say of a sample of then, over random traces. */
#include "alarm/alarm.h"
#include "alarm_reference.h"
#include <inttypes.h>
#include <stdio.h>

#define TRACES 10000

/* The newest of its time that says something, or itself. */
static size_t find_said(const struct kryos_rule *rule, const struct trace *trace, size_t i)
{
	size_t said = i;

	while (said > 0 && side_of(rule, &trace->samples[said]) == NOTHING && trace->at[said - 1] == trace->at[i])
		said--;
	return side_of(rule, &trace->samples[said]) == NOTHING ? i : said;
}

/* Whether an episode is open after the sample of that number, and the same measured again so much later; 0: without. */
static bool is_open_after(const struct kryos_rule *rule, const struct trace *trace, size_t i, int64_t by_ns)
{
	static struct outcome outcome;
	static struct trace until;

	until = *trace;
	until.count = i + 1;
	if (by_ns > 0) {
		until.samples[i + 1] = until.samples[find_said(rule, trace, i)];
		until.samples[i + 1].t_boot_ns += by_ns;
		until.at[i + 1] = until.at[i] + by_ns;
		until.cut[i + 1] = false;
		until.count++;
	}
	until.retired = trace->retired <= i ? trace->retired : until.count;
	expect_episodes(rule, &until, &outcome);
	return outcome.count > 0 && outcome.episodes[outcome.count - 1].ended_by == KRYOS_EPISODE_OPEN;
}

static bool is_due_as_defined(const struct kryos_rule *rule, const struct trace *trace, size_t i, int64_t due)
{
	int64_t limit = rule->gap_limit_ns, most_ns = limit && limit < 2 * INTERVAL ? limit : 2 * INTERVAL;
	int64_t by_ns = due - trace->samples[i].t_boot_ns;
	size_t said = find_said(rule, trace, i);

	if ((said <= trace->retired && trace->retired <= i) || rule->kind == KRYOS_RULE_SENSOR ||
	    side_of(rule, &trace->samples[said]) != OUT || is_open_after(rule, trace, i, 0))
		return due == INT64_MAX;
	if (due == INT64_MAX)
		return !is_open_after(rule, trace, i, most_ns);
	return by_ns > 0 && by_ns <= most_ns && is_open_after(rule, trace, i, by_ns) &&
	       (by_ns == 1 || !is_open_after(rule, trace, i, by_ns - 1));
}

static void drop_news(struct kryos_evaluator *evaluator)
{
	const struct kryos_episode *news;

	while (kryos_evaluator_next(evaluator, &news) > 0)
		;
}

static void an_episode_is_due_when_a_sample_of_then_would_begin_it(void **state)
{
	uint64_t seed = seed_from_environment(20261121);
	size_t found = 0;

	(void)state;
	for (unsigned int n = 0; n < TRACES; n++) {
		static struct trace trace;
		enum shape shape = (enum shape)(n % 4);
		uint64_t random = seed + n;
		struct kryos_evaluator *evaluator;
		struct kryos_rule rule;

		make_rule(&rule, shape, shape < SUM ? (enum kryos_rule_gap)(n / 4 % 3) : KRYOS_GAP_HOLD, &random);
		rule.duration_ns += (int64_t)(next_random(&random) % 300) * KRYOS_SECONDS(1);
		rule.window_ns += rule.window_ns ? KRYOS_MINUTES(5) : 0;
		make_trace(&trace, &random);
		trace.retired = shape < SUM ? trace.count : next_random(&random) % (2 * trace.count);
		assert_ok(kryos_evaluator_new(&evaluator, INTERVAL));
		assert_ok(kryos_evaluator_add(evaluator, &rule));
		for (size_t i = 0; i < trace.count && i + 1 < MAX_SAMPLES; i++) {
			int64_t due;

			assert_ok(kryos_evaluator_take(evaluator, &trace.samples[i]));
			drop_news(evaluator);
			if (i == trace.retired)
				assert_ok(kryos_evaluator_end(evaluator, KRYOS_EPISODE_RETIRED));
			drop_news(evaluator);
			due = kri_evaluator_due(evaluator);
			found += due != INT64_MAX;
			if (!is_due_as_defined(&rule, &trace, i, due))
				fail_msg("KRYOS_SEED=%" PRIu64 ": after sample %zu it is not due at %" PRId64, seed + n,
				         i, due);
		}
		kryos_evaluator_free(evaluator);
	}
	print_message("seed %" PRIu64 ": %zu times due\n", seed, found);
	assert_true(found > TRACES / 4); /* or nothing was compared */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_episode_is_due_when_a_sample_of_then_would_begin_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
