/* SPDX-License-Identifier: Apache-2.0 */
/* The examples, run as they stand. */
#include "program.h"
#include "support.h"
#include "json/json.h"
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
	char *folder;
	char variable[4200];
	struct program program;
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	bench->folder = scratch_new();
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	/* A test that failed halfway: politely, for quickstart ends what it has started. */
	if (bench->program.pid > 0) {
		kill(bench->program.pid, SIGTERM);
		(void)program_wait(&bench->program, 30000);
	}
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

/* One line that begins so, and nothing else. */
static void assert_one_sentence(const char *path, const char *begin)
{
	char *text = file_text(path), *newline = strchr(text, '\n');

	if (strncmp(text, begin, strlen(begin)) != 0 || !newline || newline[1])
		fail_msg("not one sentence that begins with \"%s\" but:\n%s", begin, text);
	free(text);
}

/* How many lines of a file begin so. */
static int count_lines(const char *path, const char *begin)
{
	char *text = file_text(path), *rest = text, *line;
	int count = 0;

	while ((line = strsep(&rest, "\n")))
		count += strncmp(line, begin, strlen(begin)) == 0;
	free(text);
	return count;
}

static bool says(const char *path, const char *text)
{
	char *whole = file_text(path);
	bool found = strstr(whole, text);

	free(whole);
	return found;
}

static void hello_says_in_one_sentence_what_is_missing(void **state)
{
	struct bench *bench = *state;
	const char *hello = built("examples/hello/hello");

	if (access("/sys/bus/w1/devices", F_OK) == 0) {
		print_message("skipped: this machine has a 1-Wire bus\n");
		skip();
	}
	assert_int_equal(chdir(bench->folder), 0);
	assert_int_equal(program_run(&bench->program, bench->folder, ARGV(NULL), ARGV(hello)), 1);
	assert_one_sentence(bench->program.err,
	                    "hello: fridge: no DS18B20 on any 1-Wire bus; is \"dtoverlay=w1-gpio\"");
	assert_int_equal(access(in(bench->folder, "readings"), F_OK), -1);
}

static void embed_says_in_one_sentence_what_is_missing(void **state)
{
	struct bench *bench = *state;

	if (access("/data", F_OK) == 0) {
		print_message("skipped: this machine has a folder /data, which is not ours to write to\n");
		skip();
	}
	assert_int_equal(program_run(&bench->program, bench->folder, ARGV(NULL), ARGV(built("examples/embed/embed"))),
	                 1);
	assert_one_sentence(bench->program.err, "embed: /data/kryos: ");
}

static void start_embed(struct bench *bench)
{
	snprintf(bench->variable, sizeof(bench->variable), "EMBED_STORE=%s/store", bench->folder);
	program_start(&bench->program, bench->folder, ARGV(bench->variable), ARGV(built("examples/embed_bench")));
}

static void wait_for_lines(struct bench *bench, const char *begin, int count)
{
	for (int i = 0; count_lines(bench->program.out, begin) < count; i++) {
		if (i == 1000)
			fail_msg("not %d lines of %s in 10 s, but %s", count, begin, file_text(bench->program.out));
		poll(NULL, 0, 10);
	}
}

static void embed_measures_shows_lends_and_acknowledges(void **state)
{
	struct bench *bench = *state;
	struct kryos_queue_status owed = { .size = sizeof(owed) };
	struct kryos_reader *reader;
	struct kryos_ctx *ctx;

	start_embed(bench);
	wait_for_lines(bench, "panel: 5.25 good", 15);
	wait_for_lines(bench, "modem: sends ", 15);
	wait_for_lines(bench, "modem: confirmed ", 15);
	/* The chip was unplugged meanwhile. */
	wait_for_lines(bench, "panel: sensor-lost vaccine", 1);
	wait_for_lines(bench, "panel: - absent", 1);
	assert_int_equal(count_lines(bench->program.out, "panel: 0 "), 0);
	wait_for_lines(bench, "panel: sensor-back vaccine", 1);
	wait_for_lines(bench, "modem: sends 1: ", 1);
	poll(NULL, 0, 5500); /* what was acknowledged is committed after 5 s at the latest */
	assert_int_equal(kill(bench->program.pid, SIGKILL), 0);
	assert_int_equal(program_wait(&bench->program, 5000), 128 + SIGKILL);
	assert_int_equal(count_lines(bench->program.out, "modem: sends 2: "), 1);

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_reader_open(&reader, ctx, in(bench->folder, "store")));
	assert_ok(kryos_reader_get_queue(reader, 0, &owed));
	assert_string_equal(owed.name, "modem");
	assert_true(owed.acked >= 15);
	kryos_ctx_free(ctx);

	/* What was confirmed is not sent again by the next life. */
	start_embed(bench);
	wait_for_lines(bench, "modem: confirmed ", 1);
	assert_int_equal(count_lines(bench->program.out, "modem: sends 2: "), 0);
	assert_int_equal(kill(bench->program.pid, SIGTERM), 0);
	assert_int_equal(program_wait(&bench->program, 5000), 128 + SIGTERM);
}

static void the_station_file_is_right(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(program_run(&bench->program, bench->folder, ARGV(NULL),
	                             ARGV(built("examples/cryo_daemon/cryo_daemon"), "--check", "--config",
	                                  KRYOS_SOURCE_DIR "/examples/station/station.ini")),
	                 0);
	assert_file_has(bench->program.out, "Mawlai");
	assert_int_equal(count_lines(bench->program.err, ""), 1); /* the end of an empty file */
}

static bool has_tool(const char *name)
{
	static const char *const folders[] = { "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (access(in(folders[i], name), X_OK) == 0)
			return true;
	}
	return false;
}

static void start_quickstart(struct bench *bench, const char *option, const char *value)
{
	char build[4096];

	snprintf(build, sizeof(build), "%s", built("examples"));
	*strrchr(build, '/') = '\0';
	(void)built("examples/kryosctl/kryosctl");
	if (!has_tool("mosquitto") || !has_tool("mosquitto_sub") || !has_tool("openssl")) {
		print_message("skipped: mosquitto, mosquitto_sub and openssl are needed\n");
		skip();
	}
	assert_int_equal(mkdir(in(bench->folder, "temporary"), 0700), 0);
	snprintf(bench->variable, sizeof(bench->variable), "TMPDIR=%s/temporary", bench->folder);
	program_start(&bench->program, bench->folder, ARGV(bench->variable),
	              ARGV(KRYOS_SOURCE_DIR "/examples/quickstart", "--no-install", "--build", build, option, value));
}

static int count_entries(const char *path)
{
	DIR *entries = opendir(path);
	int count = 0;

	assert_non_null(entries);
	while (readdir(entries))
		count++;
	closedir(entries);
	return count - 2; /* . and .. */
}

static void quickstart_loses_nothing(void **state)
{
	struct bench *bench = *state;
	int64_t accepted = 0, delivered = 0, duplicates = -1, lost = -1, episodes = -1;
	struct kri_json *json = NULL;
	double syncs = 0, bytes = -1;
	char *text, *last;
	int status;

	start_quickstart(bench, "--json", NULL);
	status = program_wait(&bench->program, 200000);
	text = file_text(bench->program.out);
	if (status)
		fail_msg("quickstart ended with %d: %s%s", status, text, file_text(bench->program.err));
	assert_true(strlen(text) > 1);
	text[strlen(text) - 1] = '\0';
	last = strrchr(text, '\n') + 1;
	print_message("%s\n", last);
	assert_ok(kri_json_parse(&json, last, strlen(last)));
	assert_true(kri_json_get_int(json, "accepted", &accepted));
	assert_true(kri_json_get_int(json, "delivered", &delivered));
	assert_true(kri_json_get_int(json, "duplicates", &duplicates));
	assert_true(kri_json_get_int(json, "lost", &lost));
	assert_true(kri_json_get_int(json, "episodes", &episodes));
	assert_true(kri_json_get_double(json, "syncs_per_append", &syncs));
	assert_true(kri_json_get_double(json, "bytes_per_sample", &bytes));
	/* 279 rows of the built-in day, six channels each; a warm hour, and a door that was left open. */
	assert_int_equal(accepted, 1674);
	assert_int_equal(delivered, 1674);
	assert_int_equal(lost, 0);
	assert_int_equal(episodes, 2);
	assert_file_has(bench->program.out, "fridge.temperature, heat: out of range for 80min, over at 10:30:00");
	assert_file_has(bench->program.out, "door.open, door-open: out of range for 25min, over at 09:25:00");
	assert_true(duplicates >= 0 && syncs >= 1.0 && bytes >= 0);
	assert_int_equal(count_entries(in(bench->folder, "temporary")), 0);
	kri_json_free(json);
	free(text);
}

static void quickstart_cleans_up_when_interrupted(void **state)
{
	struct bench *bench = *state;

	start_quickstart(bench, NULL, NULL);
	for (int i = 0; i < 2000 && !says(bench->program.out, "measuring and delivering"); i++)
		poll(NULL, 0, 10);
	assert_int_equal(kill(bench->program.pid, SIGTERM), 0);
	assert_int_equal(program_wait(&bench->program, 20000), 143);
	assert_int_equal(count_entries(in(bench->folder, "temporary")), 0);
}

static void quickstart_refuses_what_it_does_not_know(void **state)
{
	struct bench *bench = *state;

	start_quickstart(bench, "--jason", NULL);
	assert_int_equal(program_wait(&bench->program, 10000), 2);
	assert_int_equal(rmdir(in(bench->folder, "temporary")), 0);
	start_quickstart(bench, "--trace", "none.csv");
	assert_int_equal(program_wait(&bench->program, 10000), 1);
	assert_file_has(bench->program.err, "none.csv can't be read");
	assert_int_equal(count_entries(in(bench->folder, "temporary")), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hello_says_in_one_sentence_what_is_missing),
		TEST(embed_says_in_one_sentence_what_is_missing),
		TEST(embed_measures_shows_lends_and_acknowledges),
		TEST(the_station_file_is_right),
		TEST(quickstart_refuses_what_it_does_not_know),
		TEST(quickstart_cleans_up_when_interrupted),
		TEST(quickstart_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
