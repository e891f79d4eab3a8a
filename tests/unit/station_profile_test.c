/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and profiles of one's own in a station file. */
#include "station/station_file.h"
#include "support.h"
#include <kryos/station.h>
#include <stdlib.h>
#include <string.h>

#define SENSORS "[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\n[sensor lid]\naddress = door@gpio:GPIO17\n"
#define WARM                                                                                                           \
	"[rule warm]\nkind = heat\nthreshold = 10\ncomparator = ge\nduration = 30m\nhysteresis = 0.5\nreset = 5min\n"
#define OPEN "[rule open]\nkind = door\nthreshold = 1\ncomparator = ge\nduration = 5min\ngap = break 10m\n"

struct fixture {
	struct kryos_ctx *ctx;
	char *folder;
	char path[300];
	struct kri_station_file *file;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	unsetenv("STATE_DIRECTORY");
	assert_ok(kryos_ctx_new(&fixture->ctx, NULL));
	fixture->folder = scratch_new();
	snprintf(fixture->path, sizeof(fixture->path), "%s/station.ini", fixture->folder);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	kri_station_file_free(fixture->file);
	kryos_ctx_free(fixture->ctx);
	scratch_free(fixture->folder);
	free(fixture);
	return 0;
}

static int read_text(struct fixture *fixture, const char *text, char **ret_errors)
{
	FILE *file = fopen(fixture->path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	kri_station_file_free(fixture->file);
	fixture->file = NULL;
	return kri_station_file_read(&fixture->file, fixture->ctx, fixture->path, ret_errors);
}

/* says: the errors, each "line: sentence" and a newline. */
static void assert_refuses(struct fixture *fixture, const char *text, const char *says)
{
	char *errors = NULL, expected[2000] = "";

	assert_int_equal(read_text(fixture, text, &errors), KRYOS_ECONFIG);
	for (const char *line = says; *line; line = strchr(line, '\n') + 1)
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%s%s:%.*s",
		         *expected ? "\n" : "", fixture->path, (int)strcspn(line, "\n"), line);
	assert_string_equal(errors, expected);
	free(errors);
}

static void a_profile_of_ones_own_has_the_rules_it_names(void **state)
{
	struct kryos_rule rules[KRI_PROFILE_MAX_RULES];
	struct fixture *fixture = *state;
	char *errors = NULL;

	assert_ok(read_text(fixture,
	                    SENSORS WARM
	                    "[rule cold]\nkind = freeze\nthreshold = -1\ncomparator = lt\nduration = 10min\n"
	                    "mode = cumulative\nwindow = 1d\n[profile strict]\nrules = cold  warm\n"
	                    "[alarm a]\nchannel = fridge.temperature\nprofile = strict\n"
	                    "[alarm b]\nchannel = fridge.temperature\nprofile = who-refrigerator\n",
	                    &errors));
	assert_int_equal(kri_station_profile(fixture->file, "strict", rules, KRI_PROFILE_MAX_RULES), 2);
	assert_string_equal(rules[0].name, "cold");
	assert_int_equal(rules[0].mode, KRYOS_RULE_CUMULATIVE);
	assert_true(rules[0].window_ns == KRYOS_DAYS(1) && rules[0].threshold_micro == -1000000);
	assert_string_equal(rules[1].name, "warm");
	assert_int_equal(rules[1].comparator, KRYOS_COMPARATOR_GE);
	assert_true(rules[1].duration_ns == KRYOS_MINUTES(30) && rules[1].reset_ns == KRYOS_MINUTES(5) &&
	            rules[1].hysteresis_micro == 500000);
	assert_int_equal(kri_station_profile(fixture->file, "strict", rules, 1), 1);
	assert_int_equal(kri_station_profile(fixture->file, "who-refrigerator", rules, KRI_PROFILE_MAX_RULES), 2);
	assert_int_equal(kri_station_profile(fixture->file, "warm", rules, KRI_PROFILE_MAX_RULES), 0);
}

static void rules_of_a_door_judge_a_door_and_rules_of_heat_do_not(void **state)
{
	struct fixture *fixture = *state;
	char *errors = NULL;

	assert_ok(read_text(
		fixture, SENSORS OPEN "[profile lid]\nrules = open\n[alarm lid]\nchannel = lid.open\nprofile = lid\n",
		&errors));
	assert_refuses(fixture,
	               SENSORS OPEN WARM "[profile lid]\nrules = open warm\n"
	                                 "[alarm lid]\nchannel = lid.open\nprofile = lid\n",
	               "21: channel: \"lid.open\": lid has rules of heat or freeze, which judge temperatures only\n");
}

static void what_is_wrong_in_a_rule_is_named_by_its_line(void **state)
{
	struct fixture *fixture = *state;

	assert_refuses(fixture, SENSORS "[rule warm]\nkind = hot\nduration = 30\nthreshold = x\ntreshold = 8\n",
	               "6: kind: \"hot\" is wrong; heat, freeze, door, power, sensor or custom is allowed\n"
	               "9: [rule] has no key treshold; did you mean threshold?\n");
	assert_refuses(fixture, SENSORS "[rule warm]\nkind = heat\ncomparator = gt\nduration = 1h\n",
	               "5: rule warm: threshold: is missing; it has no default\n");
	assert_refuses(fixture, SENSORS WARM "mode = cumulative\n",
	               "5: rule warm: reset: only a consecutive rule has one; a cumulative one has a window\n");
	assert_refuses(fixture, SENSORS WARM "kind = heat\n",
	               "12: kind was there before, on line 6; once is allowed\n");
	assert_refuses(fixture, SENSORS "[rule Warm]\nkind = sensor\nduration = 1h\n",
	               "5: [rule Warm]: a name of 1 to 47 of a-z 0-9 _ - is allowed, as in [rule one]\n");
}

static void what_is_wrong_in_a_profile_is_named_by_its_line(void **state)
{
	struct fixture *fixture = *state;

	assert_refuses(fixture, SENSORS WARM "[profile a]\nrules = wram\n[profile b]\nrules = warm colour warm\n",
	               "13: rules: there is no [rule wram]; did you mean warm?\n"
	               "15: rules: there is no [rule colour]; there is warm\n"
	               "15: rules: warm stands twice; once is allowed\n");
	assert_refuses(fixture,
	               SENSORS WARM "[profile who-mine]\nrules = warm\n[profile fridge-2-8]\nrules = warm\n"
	                            "[profile empty]\n",
	               "12: [profile who-mine]: profiles called who-... hold what WHO published and nothing else; "
	               "another name is allowed\n"
	               "14: [profile fridge-2-8]: a built-in profile has that name; another one is allowed\n"
	               "16: [profile empty] has no rules; one is needed, as in rules = too-warm too-cold\n");
	assert_refuses(fixture, SENSORS "[alarm a]\nchannel = fridge.temperature\nprofile = strict\n",
	               "7: profile: \"strict\" is not allowed; a [profile NAME] of this file is, or one of these: "
	               "who-refrigerator who-shipping-1 who-shipping-2 fridge-2-8 freezer-25-15 ultra-cold-80-60 "
	               "controlled-room\n");
	assert_refuses(fixture,
	               SENSORS WARM "[profile strict]\nrules = warm\n"
	                            "[alarm a]\nchannel = fridge.temperature\nprofile = srtict\n",
	               "16: profile: \"srtict\" is not allowed; did you mean strict?\n");
}

static bool has_remark(const struct kri_station_file *file, int line, const char *says)
{
	for (const struct kri_remark *remark = file->remarks; remark; remark = remark->next)
		if (remark->line == line && strstr(remark->text, says))
			return true;
	return false;
}

static void a_rule_or_profile_that_nothing_names_is_remarked(void **state)
{
	struct fixture *fixture = *state;
	char *errors = NULL;

	assert_ok(read_text(fixture, SENSORS WARM OPEN "[profile strict]\nrules = warm\n", &errors));
	assert_true(has_remark(fixture->file, 12, "[rule open] is in no [profile ...]"));
	assert_true(has_remark(fixture->file, 18, "[profile strict] is in no [alarm ...]"));
	assert_false(has_remark(fixture->file, 5, "[rule warm]"));
}

static void check_prints_the_rules_in_force(void **state)
{
	struct fixture *fixture = *state;
	char *text = NULL, *errors = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_ok(read_text(fixture,
	                    SENSORS WARM "[profile strict]\nrules = warm\n[alarm a]\nchannel = fridge.temperature\n"
	                                 "profile = strict\n[alarm b]\nchannel = fridge.temperature\n"
	                                 "profile = who-refrigerator\n",
	                    &errors));
	assert_ok(kryos_station_check(fixture->path, stream));
	fclose(stream);
	assert_non_null(strstr(text, "[rule warm]\nkind            = heat\nthreshold       = 10\n"));
	assert_non_null(strstr(text, "mode            = consecutive                  # default\n"));
	assert_non_null(strstr(text, "profile         = strict\n# rule warm: kind=heat comparator=ge threshold=10 "
	                             "duration=30min mode=consecutive gap=hold reset=5min hysteresis=0.5\n"));
	assert_non_null(strstr(text, "profile         = who-refrigerator\n# rule heat: kind=heat comparator=gt "
	                             "threshold=8 duration=10h mode=consecutive gap=hold\n"));
	free(text);
}

static void a_rule_whose_name_is_taken_is_called_by_its_alarm_too(void **state)
{
	struct fixture *fixture = *state;
	struct kri_station_rules rules;
	char *errors = NULL;

	assert_ok(read_text(fixture,
	                    SENSORS "[alarm who]\nchannel = fridge.temperature\nprofile = who-refrigerator\n"
	                            "[alarm tight]\nchannel = fridge.temperature\nprofile = fridge-2-8\n",
	                    &errors));
	assert_int_equal(kri_station_rules(fixture->file, "fridge.temperature", NULL, &rules), 2);
	assert_int_equal(rules.count, 4);
	assert_string_equal(rules.rules[0].name, "heat");
	assert_string_equal(rules.rules[1].name, "freeze");
	assert_string_equal(rules.rules[2].name, "tight.heat");
	assert_string_equal(rules.rules[3].name, "cold");
	assert_int_equal(rules.rules[2].duration_ns, KRYOS_HOURS(1));
}

static void a_rule_whose_name_gets_too_long_is_refused(void **state)
{
#define LONG "a23456789012345678901234567890123456789012345"
#define TWICE(rule)                                                                                                    \
	SENSORS "[rule " rule "]\nkind = sensor\nduration = 1h\n[profile own]\nrules = " rule                          \
		"\n[alarm a]\nchannel = fridge.temperature\nprofile = own\n"                                           \
		"[alarm b]\nchannel = fridge.temperature\nprofile = own\n"
	struct fixture *fixture = *state;
	char *errors = NULL;

	assert_ok(read_text(fixture, TWICE(LONG), &errors));
	assert_refuses(fixture, TWICE(LONG "6"),
	               "15: profile: fridge.temperature has a rule " LONG "6 of an alarm before already, and b." LONG
	               "6 is a name of more than 47 bytes; a shorter name of the alarm, or another one of the rule, "
	               "is allowed\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_profile_of_ones_own_has_the_rules_it_names),
		TEST(rules_of_a_door_judge_a_door_and_rules_of_heat_do_not),
		TEST(what_is_wrong_in_a_rule_is_named_by_its_line),
		TEST(what_is_wrong_in_a_profile_is_named_by_its_line),
		TEST(a_rule_or_profile_that_nothing_names_is_remarked),
		TEST(a_rule_whose_name_is_taken_is_called_by_its_alarm_too),
		TEST(a_rule_whose_name_gets_too_long_is_refused),
		TEST(check_prints_the_rules_in_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
