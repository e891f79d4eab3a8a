/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include <errno.h>
#include <kryos/evaluate.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define START INT64_C(1651449600) /* 2022-05-02T00:00:00Z */

static char *folder;

static int setup(void **state)
{
	(void)state;
	folder = scratch_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_free(folder);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static struct kryos_evaluation *evaluate(const char *text, const struct kryos_evaluate_config *config)
{
	struct kryos_evaluation *evaluation = NULL;
	const char *path = in(folder, "log.csv");

	write_file(path, text);
	assert_ok(kryos_evaluate(&evaluation, path, config));
	return evaluation;
}

static void assert_refused(const char *text, const struct kryos_evaluate_config *config, int code, const char *part)
{
	struct kryos_evaluation *evaluation = NULL;
	const char *path = in(folder, "log.csv");

	write_file(path, text);
	assert_int_equal(kryos_evaluate(&evaluation, path, config), code);
	assert_null(evaluation);
	if (!strstr(kryos_strerror(code), part))
		fail_msg("\"%s\" is not in: %s", part, kryos_strerror(code));
}

static void each_channel_is_judged_and_given_for_itself(void **state)
{
	struct kryos_evaluation_summary summary = { .size = sizeof(summary) };
	struct kryos_exposure_result exposure = { .size = sizeof(exposure) };
	struct kryos_history_day day = { .size = sizeof(day) };
	struct kryos_evaluation *evaluation;
	struct kryos_episode episode;
	struct kryos_row rows[4];
	int64_t from_ns, to_ns;

	(void)state;
	evaluation = evaluate("time,celsius,channel\n"
	                      "2022-05-02T00:00:00Z,5,left\n2022-05-02T00:00:00Z,-1,right\n"
	                      "2022-05-02T00:30:00Z,5.25,left\n2022-05-02T00:30:00Z,-2.5,right\n"
	                      "2022-05-02T01:00:00Z,5,left\n2022-05-02T01:00:00Z,-1,right\n"
	                      "2022-05-02T06:00:00Z,5,left\n",
	                      KRYOS_EVALUATE_CONFIG(.days = 1));
	assert_int_equal(kryos_evaluation_get_channel_count(evaluation), 2);
	assert_ok(kryos_evaluation_get_summary(evaluation, 0, &summary));
	assert_string_equal(summary.channel, "left");
	assert_string_equal(summary.rules, "who-refrigerator");
	assert_int_equal(summary.samples, 4);
	assert_int_equal(summary.gaps, 1);
	assert_int_equal(summary.episodes, 0);
	assert_int_equal(summary.days, 1);
	assert_int_equal(summary.interval_ns, KRYOS_MINUTES(30));
	assert_ok(kryos_evaluation_get_gap(evaluation, 0, 0, &from_ns, &to_ns));
	assert_int_equal(from_ns, KRYOS_SECONDS(START) + KRYOS_HOURS(1));
	assert_int_equal(to_ns, KRYOS_SECONDS(START) + KRYOS_HOURS(6));
	assert_int_equal(kryos_evaluation_get_gap(evaluation, 0, 1, &from_ns, &to_ns), -ENOENT);
	assert_ok(kryos_evaluation_get_day(evaluation, 0, 0, &day));
	assert_int_equal(day.samples, 4);
	assert_int_equal(kryos_evaluation_get_day(evaluation, 0, 1, &day), -ENOENT);

	assert_ok(kryos_evaluation_get_summary(evaluation, 1, &summary));
	assert_int_equal(summary.episodes, 1);
	assert_ok(kryos_evaluation_get_episode(evaluation, 1, 0, &episode));
	assert_int_equal(episode.rule.kind, KRYOS_RULE_FREEZE);
	assert_ptr_equal(episode.rule.name, episode.name);
	assert_int_equal(episode.ended_by, KRYOS_EPISODE_OPEN);
	assert_int_equal(episode.extreme_micro, -2500000);
	assert_int_equal(kryos_evaluation_get_episode(evaluation, 1, 1, &episode), -ENOENT);
	assert_ok(kryos_evaluation_get_exposure(evaluation, 1, &exposure));
	assert_int_equal(exposure.min_micro, -2500000);

	assert_int_equal(kryos_evaluation_get_rows(evaluation, 1, 1, rows, 4), 2);
	assert_true(rows[0].value == -2.5 && rows[1].value == -1);
	assert_int_equal(rows[0].t_wall_ns, KRYOS_SECONDS(START) + KRYOS_MINUTES(30));
	assert_int_equal(rows[0].seq, 5);
	assert_int_equal(rows[0].round, 1);
	assert_int_equal(kryos_evaluation_get_rows(evaluation, 2, 0, rows, 4), -ENOENT);
	assert_int_equal(kryos_evaluation_get_summary(evaluation, 2, &summary), -ENOENT);
	kryos_evaluation_free(evaluation);
}

static void a_mistake_names_file_and_line_and_gives_no_result(void **state)
{
	static const char *const same = "time,celsius\n1651449600,5\n1651449660,5\n1651449660,5\n1651449600,6\n";
	struct kryos_evaluation *evaluation;
	char rules[300];
	const char *why;
	uint32_t line;

	(void)state;
	snprintf(rules, sizeof(rules), "%s/rules.ini", folder);
	assert_refused("time,celsius\n1651449600,5\n1651449660,warm\n", NULL, -EBADMSG, "log.csv:3: ");
	assert_refused("time,celsius\n", NULL, -EBADMSG, "there is no row");
	assert_refused(same, NULL, -EILSEQ, "log.csv:4: the row is the same as the one before");
	assert_refused(same, KRYOS_EVALUATE_CONFIG(.profile = "who-sauna"), -EINVAL, "allowed are who-refrigerator");
	assert_refused(same, KRYOS_EVALUATE_CONFIG(.profile = "fridge-2-8", .rules = rules), -EINVAL, "not both");
	assert_refused(same, KRYOS_EVALUATE_CONFIG(.rules = rules), -ENOENT, "rules.ini");
	write_file(rules, "[rule warm]\nkind = heat\n");
	assert_refused(same, KRYOS_EVALUATE_CONFIG(.rules = rules), KRYOS_ECONFIG, "rules.ini:1: ");
	write_file(rules, "# none\n");
	assert_refused(same, KRYOS_EVALUATE_CONFIG(.rules = rules), KRYOS_ECONFIG, "there is no rule");
	assert_int_equal(kryos_evaluate(&evaluation, in(folder, "none.csv"), NULL), -ENOENT);
	assert_int_equal(kryos_evaluate(&evaluation, folder, NULL), -EISDIR);
	assert_int_equal(kryos_evaluate(NULL, folder, NULL), -EINVAL);

	evaluation = evaluate(same, KRYOS_EVALUATE_CONFIG(.repair = 1));
	assert_ok(kryos_evaluation_get_left_out(evaluation, 0, 1, &line, &why));
	assert_int_equal(line, 5);
	assert_string_equal(why, "the row is older than the newest before it");
	assert_int_equal(kryos_evaluation_get_left_out(evaluation, 0, 2, &line, &why), -ENOENT);
	kryos_evaluation_free(evaluation);
}

static void a_result_of_an_older_program_is_filled_as_far_as_it_goes(void **state)
{
	struct kryos_evaluation *evaluation = evaluate("time,celsius\n1651449600,5\n", NULL);
	struct kryos_evaluation_summary summary = { .size = offsetof(struct kryos_evaluation_summary, left_out),
		                                    .interval_ns = 7 };

	(void)state;
	assert_ok(kryos_evaluation_get_summary(evaluation, 0, &summary));
	assert_int_equal(summary.samples, 1);
	assert_int_equal(summary.interval_ns, 7);
	summary.size = 0;
	assert_int_equal(kryos_evaluation_get_summary(evaluation, 0, &summary), -EINVAL);
	kryos_evaluation_free(evaluation);
	kryos_evaluation_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_channel_is_judged_and_given_for_itself),
		TEST(a_mistake_names_file_and_line_and_gives_no_result),
		TEST(a_result_of_an_older_program_is_filled_as_far_as_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
