/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the built kryosctl evaluate over logs written here. */
#include "program.h"
#include "support.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START INT64_C(1651449600) /* 2022-05-02T00:00:00Z */

static char program[PATH_MAX];

struct world {
	char *folder;
	struct program run;
	char out[65536], err[8192];
	FILE *log;
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->folder = scratch_new();
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	scratch_free(world->folder);
	free(world);
	return 0;
}

static void slurp(const char *path, char *buffer, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t count;

	assert_non_null(file);
	count = fread(buffer, 1, size - 1, file);
	buffer[count] = 0;
	fclose(file);
}

static int run_with(struct world *world, const char *const *arguments)
{
	const char *argv[16] = { program, "evaluate" };
	size_t count = 2;
	int status;

	for (; arguments[count - 2]; count++)
		argv[count] = arguments[count - 2];
	argv[count] = NULL;
	status = program_run(&world->run, world->folder, ARGV(NULL), argv);
	slurp(world->run.out, world->out, sizeof(world->out));
	slurp(world->run.err, world->err, sizeof(world->err));
	return status;
}

#define RUN(world, ...) run_with(world, (const char *const[]){ __VA_ARGS__, NULL })

static const char *path_of(struct world *world)
{
	return in(world->folder, "log.csv");
}

static void begin(struct world *world, const char *header)
{
	world->log = fopen(path_of(world), "w");
	assert_non_null(world->log);
	fprintf(world->log, "%s\n", header);
}

static void add(struct world *world, int64_t minute, const char *celsius)
{
	fprintf(world->log, "%lld,%s\n", (long long)(START + 60 * minute), celsius);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void an_episode_is_told_with_all_that_is_known_of_it(void **state)
{
	struct world *world = *state;

	begin(world, "time,celsius");
	for (int i = 0; i < 12; i++)
		add(world, 5 * i, "5");
	for (int i = 12; i <= 24; i++) /* 60 to 120 */
		add(world, 5 * i, i == 20 ? "-3.25" : "-0.5");
	add(world, 125, "1.5");
	add(world, 180, "5.5");
	fclose(world->log);
	assert_int_equal(RUN(world, path_of(world), "--json", "--profile", "who-refrigerator"), 0);
	assert_has(world->out, "\"samples\":27,\"from\":\"2022-05-02T00:00:00Z\",\"to\":\"2022-05-02T03:00:00Z\"");
	assert_has(world->out, "\"min_c\":-3.25,\"max_c\":5.5,");
	assert_has(world->out, "\"gaps\":[{\"from\":\"2022-05-02T02:05:00Z\",\"to\":\"2022-05-02T03:00:00Z\"}]");
	assert_has(world->out,
	           "\"episodes\":[{\"rule\":\"freeze\",\"kind\":\"freeze\",\"start\":\"2022-05-02T01:00:00Z\","
	           "\"trigger\":\"2022-05-02T02:00:00Z\",\"end\":\"2022-05-02T02:05:00Z\",\"duration_s\":3600,"
	           "\"accumulated_s\":3900,\"extreme_c\":-3.25,\"extreme_at\":\"2022-05-02T01:40:00Z\","
	           "\"ended_by\":\"recovered\",\"indeterminate_s\":0}]}\n");
	assert_string_equal(world->err, "");
	assert_int_equal(RUN(world, path_of(world)), 0);
	assert_has(world->out, "it says nothing about freezing");
	assert_has(world->out, "1 gaps, 1 episodes");
}

static void an_open_episode_has_no_end(void **state)
{
	struct world *world = *state;

	begin(world, "time,celsius");
	for (int i = 0; i <= 120; i++)
		add(world, 5 * i, "8.1");
	fclose(world->log);
	assert_int_equal(RUN(world, path_of(world), "--json"), 0);
	assert_has(world->out, "\"trigger\":\"2022-05-02T10:00:00Z\",\"end\":null,\"duration_s\":36000,");
	assert_has(world->out, "\"ended_by\":null");
	assert_has(world->out, "\"mean_c\":8.1,\"mkt_c\":8.1,");
}

static void rules_of_ones_own_are_taken(void **state)
{
	struct world *world = *state;
	const char *rules = in(world->folder, "rules.ini");

	write_file(rules, "[rule warm]\nkind = heat\nthreshold = 8\ncomparator = ge\nduration = 30m\n"
	                  "mode = cumulative\nwindow = 2h\ngap = count\n"
	                  "[rule at-once]\nkind = custom\nthreshold = 8.0\ncomparator = gt\nduration = 0s\n"
	                  "gap = break 10min\n");
	begin(world, "time,celsius");
	for (int i = 0; i < 40; i++)
		add(world, 5 * i, i % 2 ? "8" : "7");
	add(world, 500, "8.000001");
	add(world, 600, "8.000001");
	fclose(world->log);
	assert_int_equal(RUN(world, path_of(world), "--json", "--rules", rules), 0);
	assert_has(world->out, "{\"rule\":\"warm\",\"kind\":\"heat\",\"start\":\"2022-05-02T00:05:00Z\","
	                       "\"trigger\":\"2022-05-02T01:00:00Z\"");
	assert_has(world->out, "{\"rule\":\"at-once\",\"kind\":\"custom\",\"start\":\"2022-05-02T08:20:00Z\","
	                       "\"trigger\":\"2022-05-02T08:20:00Z\",\"end\":\"2022-05-02T08:30:00Z\",\"duration_s\":0,"
	                       "\"accumulated_s\":600,\"extreme_c\":8.000001,\"extreme_at\":\"2022-05-02T08:20:00Z\","
	                       "\"ended_by\":\"sensor_lost\",\"indeterminate_s\":0}");
}

static void rows_of_one_time_make_no_interval(void **state)
{
	struct world *world = *state;

	begin(world, "time,celsius");
	add(world, 0, "5");
	add(world, 0, "6");
	fclose(world->log);
	assert_int_equal(RUN(world, path_of(world), "--json"), 0);
	assert_has(world->out, "\"interval_s\":60,");
	begin(world, "time,celsius");
	for (int i = 0; i < 3; i++) {
		add(world, 5 * i, "5");
		add(world, 5 * i, "6");
		add(world, 5 * i, "7");
	}
	fclose(world->log);
	assert_int_equal(RUN(world, path_of(world), "--json"), 0);
	assert_has(world->out, "\"interval_s\":300,");
}

static void a_column_twice_and_a_folder_are_no_log(void **state)
{
	struct world *world = *state;
	char says[700];

	begin(world, "time,celsius,celsius");
	fclose(world->log);
	assert_int_equal(RUN(world, path_of(world)), 1);
	assert_has(world->err, ":1: column celsius stands twice in the header");
	begin(world, "time,celsius,time");
	fclose(world->log);
	assert_int_equal(RUN(world, path_of(world)), 1);
	assert_has(world->err, ":1: column time stands twice in the header");
	snprintf(says, sizeof(says), "%s: Is a directory\n", world->folder);
	assert_int_equal(RUN(world, world->folder), 1);
	assert_string_equal(world->err, says);
}

static void wrong_rules_are_named_by_their_line(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[rule a]\nkind = hot\n", "rules.ini:2: kind: \"hot\" is wrong; heat, freeze," },
		{ "[rule a]\nkind = heat\nthreshold = 8\ncomparator = gt\n",
		  "rules.ini:1: rule a: duration: is missing" },
		{ "[rule a]\nkind = heat\nduration = 1h\ncomparator = gt\n",
		  "rules.ini:1: rule a: threshold: is missing" },
		{ "[rule a]\nduration = 30\n", "rules.ini:2: duration: \"30\" is wrong" },
		{ "[rule a]\ncolour = red\n", "rules.ini:2: there is no key \"colour\"" },
		{ "[rule a]\ngap = hold 0s\n", "rules.ini:2: gap: \"hold 0s\" is wrong" },
		{ "[rule a]\nmode = cumulative\nmode = cumulative\n", "rules.ini:3: mode stands twice" },
		{ "[alarm a]\n", "rules.ini:1: there is no section [alarm]" },
		{ "; nothing\n", "rules.ini:1: there is no rule" },
	};
	struct world *world = *state;

	begin(world, "time,celsius");
	add(world, 0, "5");
	fclose(world->log);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(in(world->folder, "rules.ini"), cases[i].text);
		assert_int_equal(RUN(world, path_of(world), "--rules", in(world->folder, "rules.ini")), 1);
		assert_has(world->err, cases[i].says);
		assert_int_equal(world->err[strlen(world->err) - 1], '\n');
		assert_string_equal(world->out, "");
	}
	assert_int_equal(RUN(world, path_of(world), "--profile", "who-fridge"), 2);
	assert_has(world->err, "who-shipping-1");
	assert_int_equal(RUN(world, path_of(world), "--mkt-energy", "0"), 2);
	assert_int_equal(RUN(world, path_of(world), "another.csv"), 2);
}

static void a_bad_log_is_named_by_its_line_and_nothing_is_printed(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "log.csv:1: there is no row" },
		{ "time,celsius\n", "log.csv:2: there is no row" },
		{ "time,humidity\n1,2\n", "log.csv:1: \"time,humidity\" is no header" },
		{ "time,celsius\n2022-05-02T00:00:00Z,5\n2022-05-02T00:05:00Z\n",
		  "log.csv:3: a comma and a temperature" },
		{ "time,celsius\n2022-05-02T00:00:00Z,5\n2022-05-02T00:05:00Z,warm\n",
		  "log.csv:3: \"warm\" is no temp" },
		{ "time,celsius\n2022-05-02T00:00:00Z,-300\n", "log.csv:2: -300 C is no temperature" },
		{ "time,celsius\n2022-05-02T00:00:00,5\n", "log.csv:2: \"2022-05-02T00:00:00\" is no time" },
		{ "time,celsius\n99999999999,5\n", "log.csv:2: \"99999999999\" is no time" },
		{ "time\n1\n", "log.csv:1: \"time\" is no header" },
		{ "celsius\n5\n", "log.csv:1: \"celsius\" is no header" },
		{ "time,celsius\n1,5\n2,1e3\n", "log.csv:3: \"1e3\" is no temp" },
		{ "time,celsius\n1,5\n2,nan\n", "log.csv:3: \"nan\" is no temp" },
		{ "time,celsius\n1,5\n2,\377\376\n", "log.csv:3: \"" },
		{ "time,celsius\n1,5\n2,\033[31m\n", "log.csv:3: \"?[31m\" is no temp" },
		{ "\177ELF\002\001\001\n", "log.csv:1: " },
		{ "time,celsius,channel\n1,5,\n", "log.csv:2: the channel is missing" },
		{ "time,celsius\n200,5\n100,6\n", "log.csv:3: the row is older than the newest before it" },
		{ "time,celsius\n200,5\n200,5\n", "log.csv:3: the row is the same as the one before" },
	};
	struct world *world = *state;
	FILE *file;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(path_of(world), cases[i].text);
		assert_int_equal(RUN(world, path_of(world), "--json"), 1);
		assert_has(world->err, cases[i].says);
		assert_string_equal(world->out, "");
	}
	for (int rows = 0; rows < 2; rows++) { /* 10 GB of nothing, at once or behind a row: no line is read whole */
		file = fopen(path_of(world), "w");
		assert_non_null(file);
		fputs(rows ? "time,celsius\n1,5\n" : "", file);
		fflush(file);
		assert_int_equal(ftruncate(fileno(file), INT64_C(10000000000)), 0);
		fclose(file);
		assert_int_equal(RUN(world, path_of(world), "--json", "--repair"), 1);
		assert_has(world->err, rows ? "log.csv:3: a NUL byte" : "log.csv:1: a NUL byte");
		assert_string_equal(world->out, "");
	}
	assert_int_equal(RUN(world, in(world->folder, "none.csv")), 1);
	assert_has(world->err, "none.csv: No such file");
}

static void repair_leaves_out_what_it_names(void **state)
{
	struct world *world = *state;

	write_file(path_of(world), "time,celsius\n100,5\n200,6\n200,6\n150,90\n300,7\n300,9\n");
	assert_int_equal(RUN(world, path_of(world), "--json", "--repair"), 0);
	assert_has(world->err, "log.csv:4: the row is the same as the one before; left out");
	assert_has(world->err, "log.csv:5: the row is older than the newest before it; left out");
	assert_has(world->out, "\"samples\":4,");
	assert_has(world->out, "\"left_out\":2}");
	assert_has(world->out, "\"max_c\":9,\"mean_c\":6.25,"); /* of two values at one time their mean */
}

static void rows_too_far_apart_have_no_mean(void **state)
{
	struct world *world = *state;

	write_file(path_of(world), "time,celsius\n100,5\n864100,30\n");
	assert_int_equal(RUN(world, path_of(world), "--json"), 0);
	assert_has(world->out, "\"max_c\":30,\"mean_c\":null,\"mkt_c\":null,");
	assert_int_equal(RUN(world, path_of(world)), 0);
	assert_has(world->out, "min 5 C, max 30 C, mean - C\nmean kinetic temperature - C");
}

static void each_channel_is_judged_for_itself(void **state)
{
	struct world *world = *state;

	begin(world, "time,celsius,channel");
	for (int i = 0; i <= 120; i++) {
		add(world, 5 * i, "5,fridge");
		add(world, 5 * i, "9,room");
	}
	fclose(world->log);
	assert_int_equal(RUN(world, path_of(world), "--json"), 0);
	assert_has(world->out, "{\"channel\":\"fridge\",\"rules\":\"who-refrigerator\",\"samples\":121,");
	assert_has(world->out, "\"episodes\":[]}\n{\"channel\":\"room\",");
	assert_has(world->out, "\"gaps\":[],\"episodes\":[{\"rule\":\"heat\",");
}

/* At 37 C, of which a VVM14 lasts 14 days by the WHO, for 28 hours. */
static void vial_monitors_and_days_are_there_where_they_are_asked_for(void **state)
{
	struct world *world = *state;

	begin(world, "time,celsius");
	for (int i = 0; i <= 28 * 12; i++)
		add(world, 5 * i, "37");
	add(world, 30 * 60, "5.5");
	fclose(world->log);
	assert_int_equal(
		RUN(world, path_of(world), "--json", "--days", "--vvm", "vvm14,vvm2", "--vvm-model", "two-point"), 0);
	assert_has(world->out, "\"indeterminate_s\":6600}],\"vvm\":{\"model\":\"two-point\",\"estimate\":true,"
	                       "\"time_s\":100800,\"used_percent\":{\"vvm2\":58.333333,\"vvm14\":8.333333}},"
	                       "\"days\":[{\"date\":\"2022-05-02\",\"samples\":288,\"min_c\":37,\"max_c\":37,"
	                       "\"mean_c\":37,\"unmeasured_s\":0},{\"date\":\"2022-05-03\",\"samples\":50,"
	                       "\"min_c\":5.5,\"max_c\":37,\"mean_c\":37,\"unmeasured_s\":6600}]}\n");
	assert_int_equal(RUN(world, path_of(world), "--days", "--vvm", "vvm30"), 0);
	assert_has(world->out, "vvm30: an estimate of 4.48");
	assert_has(world->out, "2022-05-03   50       5.5        37         37         1 h 50 min");
	assert_int_equal(RUN(world, path_of(world), "--json"), 0);
	assert_null(strstr(world->out, "vvm"));
	assert_null(strstr(world->out, "days"));
	assert_int_equal(RUN(world, path_of(world), "--vvm", "vvm3"), 2);
	assert_has(world->err, "vvm2, vvm7, vvm14, vvm30");
	assert_int_equal(RUN(world, path_of(world), "--vvm-model", "arrhenius"), 2);
}

static void a_log_of_1970_has_its_times(void **state)
{
	struct world *world = *state;

	write_file(path_of(world), "time,celsius\n0,9\n36000,9\n");
	assert_int_equal(RUN(world, path_of(world), "--json", "--profile", "who-refrigerator"), 0);
	assert_has(world->out, "\"from\":\"1970-01-01T00:00:00Z\"");
	assert_has(world->out, "\"start\":\"1970-01-01T00:00:00Z\",\"trigger\":\"1970-01-01T10:00:00Z\",\"end\":null");
	assert_has(world->out, "\"extreme_at\":\"1970-01-01T00:00:00Z\",\"ended_by\":null");
}

static bool find_program(void)
{
	const char *given = getenv("KRYOSCTL");
	ssize_t length;

	if (given) {
		snprintf(program, sizeof(program), "%s", given);
		return access(program, X_OK) == 0;
	}
	/* The build folder's: <build>/tests/this, <build>/examples/kryosctl/kryosctl. */
	length = readlink("/proc/self/exe", program, sizeof(program) - 64);
	if (length <= 0)
		return false;
	program[length] = 0;
	snprintf(strrchr(program, '/'), 64, "/../examples/kryosctl/kryosctl");
	return access(program, X_OK) == 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_episode_is_told_with_all_that_is_known_of_it),
		TEST(an_open_episode_has_no_end),
		TEST(rules_of_ones_own_are_taken),
		TEST(rows_of_one_time_make_no_interval),
		TEST(a_column_twice_and_a_folder_are_no_log),
		TEST(wrong_rules_are_named_by_their_line),
		TEST(a_bad_log_is_named_by_its_line_and_nothing_is_printed),
		TEST(repair_leaves_out_what_it_names),
		TEST(rows_too_far_apart_have_no_mean),
		TEST(each_channel_is_judged_for_itself),
		TEST(vial_monitors_and_days_are_there_where_they_are_asked_for),
		TEST(a_log_of_1970_has_its_times),
	};

	if (!find_program()) {
		printf("skipped: kryosctl is not built (KRYOS_BUILD_DAEMON is off)\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
