/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include <errno.h>
#include <string.h>

/* As the evaluator gives one. */
static struct kryos_episode make(const struct kryos_rule *rule, bool ended)
{
	struct kryos_episode episode = { .rule = *rule };
	struct kryos_instant start = {
		.t_boot_ns = 123456789012, .t_wall_ns = 1795166060250000000, .boot = 3, .trust = KRYOS_TRUST_RTC
	};

	strcpy(episode.name, rule->name);
	episode.rule.gap_limit_ns = rule->gap == KRYOS_GAP_COUNT ? INT64_MAX : KRYOS_MINUTES(10);
	episode.start = start;
	episode.trigger = start;
	episode.trigger.t_boot_ns += KRYOS_HOURS(10);
	episode.trigger.t_wall_ns += KRYOS_HOURS(10);
	if (rule->kind != KRYOS_RULE_SENSOR) {
		episode.has_extreme = 1;
		episode.extreme_micro = -8437500;
		episode.extreme_at = episode.trigger;
	}
	episode.duration_ns = KRYOS_DAYS(40) + 1;
	episode.accumulated_ns = KRYOS_HOURS(11);
	episode.indeterminate_ns = KRYOS_SECONDS(90);
	episode.uncertain = 2;
	if (ended) {
		episode.ended_by = KRYOS_EPISODE_SENSOR_LOST;
		episode.end =
			(struct kryos_instant){ .t_boot_ns = 0, .t_wall_ns = 0, .boot = 4, .trust = KRYOS_TRUST_NONE };
	}
	return episode;
}

static void assert_same_instant(const struct kryos_instant *a, const struct kryos_instant *b)
{
	assert_int_equal(a->t_boot_ns, b->t_boot_ns);
	assert_int_equal(a->t_wall_ns, b->t_wall_ns);
	assert_int_equal(a->boot, b->boot);
	assert_int_equal(a->trust, b->trust);
}

static void assert_same(const struct kryos_episode *a, const struct kryos_episode *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(b->rule.name, b->name);
	assert_int_equal(a->rule.kind, b->rule.kind);
	assert_int_equal(a->rule.comparator, b->rule.comparator);
	assert_int_equal(a->rule.mode, b->rule.mode);
	assert_int_equal(a->rule.gap, b->rule.gap);
	assert_int_equal(a->rule.has, b->rule.has);
	assert_int_equal(a->rule.threshold_micro, b->rule.threshold_micro);
	assert_int_equal(a->rule.duration_ns, b->rule.duration_ns);
	assert_int_equal(a->rule.window_ns, b->rule.window_ns);
	assert_int_equal(a->rule.hysteresis_micro, b->rule.hysteresis_micro);
	assert_int_equal(a->rule.reset_ns, b->rule.reset_ns);
	assert_int_equal(a->rule.gap_limit_ns == INT64_MAX ? 0 : a->rule.gap_limit_ns, b->rule.gap_limit_ns);
	assert_int_equal(a->ended_by, b->ended_by);
	assert_int_equal(a->has_extreme, b->has_extreme);
	assert_int_equal(a->extreme_micro, b->extreme_micro);
	assert_int_equal(a->duration_ns, b->duration_ns);
	assert_int_equal(a->accumulated_ns, b->accumulated_ns);
	assert_int_equal(a->indeterminate_ns, b->indeterminate_ns);
	assert_int_equal(a->uncertain, b->uncertain);
	assert_same_instant(&a->start, &b->start);
	assert_same_instant(&a->trigger, &b->trigger);
	assert_same_instant(&a->extreme_at, &b->extreme_at);
	assert_same_instant(&a->end, &b->end);
}

static void an_episode_comes_back_from_its_words(void **state)
{
	struct kryos_rule own = { .size = sizeof(own),
		                  .name = "a-name-of-47-bytes-is-as-long-as-a-name-may-be.",
		                  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
		                  .kind = KRYOS_RULE_CUSTOM,
		                  .comparator = KRYOS_COMPARATOR_LE,
		                  .threshold_micro = INT64_MIN + 1,
		                  .duration_ns = 1,
		                  .hysteresis_micro = 500000,
		                  .reset_ns = KRYOS_SECONDS(90) };
	struct kryos_rule lost = { .size = sizeof(lost),
		                   .name = "lost",
		                   .has = KRYOS_RULE_DURATION,
		                   .kind = KRYOS_RULE_SENSOR,
		                   .gap = KRYOS_GAP_BREAK };
	const struct kryos_rule *rules[40] = { &own, &lost };
	struct kryos_episode back, episode;
	char text[KRYOS_EPISODE_TEXT_MAX];
	unsigned int count = 2;

	(void)state;
	for (unsigned int i = 0; kryos_profile_name(i); i++)
		for (unsigned int k = 0; kryos_profile_rule(kryos_profile_name(i), k); k++)
			rules[count++] = kryos_profile_rule(kryos_profile_name(i), k);
	for (unsigned int i = 0; i < 2 * count; i++) {
		episode = make(rules[i / 2], i % 2);
		assert_ptr_equal(kryos_episode_text(&episode, text), text);
		assert_true(strlen(text) < 600);
		memset(&back, 0x55, sizeof(back));
		assert_ok(kryos_episode_parse(&back, text));
		assert_same(&episode, &back);
	}
}

static void what_people_read_is_what_is_written_down(void **state)
{
	struct kryos_episode episode = make(kryos_profile_rule("who-refrigerator", 0), true);
	char text[KRYOS_EPISODE_TEXT_MAX];

	(void)state;
	assert_string_equal(
		kryos_episode_text(&episode, text),
		"rule=heat kind=heat comparator=gt threshold=8 duration=10h mode=consecutive gap=hold:10min "
		"start=2026-11-20T09:14:20.25Z/rtc/3/123.456789012 "
		"trigger=2026-11-20T19:14:20.25Z/rtc/3/36123.456789012 extreme=-8.4375 "
		"extreme_at=2026-11-20T19:14:20.25Z/rtc/3/36123.456789012 duration=3456000000000001ns "
		"accumulated=11h indeterminate=90s uncertain=2 ended=sensor_lost "
		"end=1970-01-01T00:00:00Z/none/4/0");
}

static void the_alarms_of_a_sample_are_the_names_of_their_kinds(void **state)
{
	static const struct {
		uint32_t alarm;
		const char *text;
	} cases[] = {
		{ 0, "" },
		{ 1u << KRYOS_RULE_HEAT, "heat" },
		{ 1u << KRYOS_RULE_FREEZE | 1u << KRYOS_RULE_HEAT, "heat freeze" },
		{ 1u << KRYOS_RULE_DOOR | 1u << 31, "door ?" },
		{ 1, "?" },
		{ UINT32_MAX, "heat freeze door power sensor custom ?" },
	};
	char text[KRYOS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(kryos_alarm_text(cases[i].alarm, text), cases[i].text);
}

static void words_that_are_wrong_are_named_and_change_nothing(void **state)
{
	static const char good[] = "rule=heat kind=heat start=2026-11-20T09:14:20Z/rtc/3/1 "
				   "trigger=2026-11-20T09:14:20Z/rtc/3/1.5 duration=1s";
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{ "", "missing" },
		{ "rule=heat", "missing" },
		{ "rule=heat start=2026-11-20T09:14:20Z/rtc/3/1 duration=1s", "missing" },
		{ "heat", "\"heat\" is no word" },
		{ "rule=", "rule" },
		{ "rule=heat kind=warm", "kind: \"warm\"" },
		{ "rule=heat start=2026-11-20T09:14:20Z/rtc/3", "start" },
		{ "rule=heat start=2026-11-20T09:14:20Z/rtc/3/1/2", "start" },
		{ "rule=heat start=2026-11-20T09:14:20Z/wrong/3/1", "start" },
		{ "rule=heat start=2026-11-20T09:14:20Z/rtc/-3/1", "start" },
		{ "rule=heat start=2026-11-20T09:14:20Z/rtc/4294967296/1", "start" },
		{ "rule=heat start=2026-11-20T09:14:20Z/rtc/3/1.", "start" },
		{ "rule=heat start=2026-11-20T09:14:20Z/rtc/3/9223372037", "start" },
		{ "rule=heat start=soon/rtc/3/1", "start" },
		{ "rule=heat start=2026-11-20T09:14:20Z/rtc/3/1 ended=never", "ended" },
		{ "rule=heat start=2026-11-20T09:14:20Z/rtc/3/1 trigger=2026-11-20T09:14:20Z/rtc/3/1 duration=1s "
		  "ended=recovered",
		  "half" },
	};
	struct kryos_episode episode, before;

	(void)state;
	assert_ok(kryos_episode_parse(&episode, good));
	memset(&episode, 0x55, sizeof(episode));
	before = episode;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(kryos_episode_parse(&episode, wrong[i].text), -EINVAL);
		if (!strstr(kryos_strerror(-EINVAL), wrong[i].says))
			fail_msg("\"%s\": %s", wrong[i].text, kryos_strerror(-EINVAL));
		assert_memory_equal(&episode, &before, sizeof(before));
	}
	assert_int_equal(kryos_episode_parse(NULL, good), -EINVAL);
	assert_int_equal(kryos_episode_parse(&episode, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_episode_comes_back_from_its_words),
		cmocka_unit_test(what_people_read_is_what_is_written_down),
		cmocka_unit_test(the_alarms_of_a_sample_are_the_names_of_their_kinds),
		cmocka_unit_test(words_that_are_wrong_are_named_and_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
