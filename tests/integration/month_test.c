/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A month in a minute: cryo_daemon through 30 simulated days over the end of a year, and over a leap day. What it takes
 * of memory, descriptors, threads and disk is looked at on each of these days; a subscriber keeps what arrives.
 */
#include "broker.h"
#include "program.h"
#include "support.h"
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DAYS 30
#define KEEP_DAYS 7
#define EVERY 600 /* seconds between rows */
#define ROWS (DAYS * 86400 / EVERY)
#define SPEED "50000" /* a day in 1.7 s: 144 records, of 100 that a relay may send in a second */

struct use {
	long anonymous_kb, fds, threads, segments, state; /* the last two: bytes on the disk */
};

struct bench {
	char *folder;
	time_t begin;
	struct broker *broker;
	struct sink *sink;
	struct program daemon;
	struct use days[DAYS + 1];
	int count;
};

static double celsius(int row)
{
	return 4 + 0.25 * (row % 16);
}

static const char *row_time(const struct bench *bench, int row)
{
	static char text[32];
	time_t at = bench->begin + (time_t)row * EVERY;
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	return text;
}

static int setup(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));

	bench->folder = scratch_new();
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	program_end(&bench->daemon);
	sink_free(bench->sink);
	broker_free(bench->broker);
	scratch_free(bench->folder);
	test_free(bench);
	return 0;
}

static void write_files(struct bench *bench, uint16_t port)
{
	FILE *trace = fopen(in(bench->folder, "trace.csv"), "we");
	char station[4400];

	assert_non_null(trace);
	fputs("time,celsius\n", trace);
	for (int row = 0; row < ROWS; row++)
		fprintf(trace, "%s,%.2f\n", row_time(bench, row), celsius(row));
	assert_int_equal(fclose(trace), 0);
	snprintf(station, sizeof(station),
	         "[station]\nname = Month\n[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\nplace = vaccine\n"
	         "[store]\npath = %s/store\nkeep = %dd\n[watchdog]\ndevice = none\n"
	         "[relay local]\nurl = mqtt://127.0.0.1:%u\nrate = 100\n",
	         bench->folder, KEEP_DAYS, port);
	write_file(in(bench->folder, "station.ini"), station);
}

/* The number after the first text in a file of /proc. */
static long number(struct bench *bench, const char *file, const char *text)
{
	char path[64], *content, *at;
	long found = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)bench->daemon.pid, file);
	content = file_text(path);
	at = strstr(content, text);
	if (at)
		found = strtol(at + strlen(text), NULL, 10);
	free(content);
	return found;
}

/* Names in a folder; *ret_bytes: what their files have on the disk. */
static long list(const char *path, const char *prefix, long *ret_bytes)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	long count = 0;

	*ret_bytes = 0;
	while (folder && (entry = readdir(folder))) {
		struct stat status;

		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		count++;
		if (fstatat(dirfd(folder), entry->d_name, &status, 0) == 0)
			*ret_bytes += (long)status.st_blocks * 512;
	}
	if (folder)
		closedir(folder);
	return count;
}

static void look(struct bench *bench, struct use *use)
{
	char path[64];
	long unused;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)bench->daemon.pid);
	use->anonymous_kb = number(bench, "status", "RssAnon:");
	use->threads = number(bench, "status", "Threads:");
	use->fds = list(path, "", &unused);
	list(in(bench->folder, "store"), "", &use->segments);
	list(in(bench->folder, "store"), "state.db", &use->state);
	use->segments -= use->state;
}

/* The simulated day that the newest stored sample is of, from 0; -1: none yet, or nobody answers. */
static int day_now(struct bench *bench)
{
	static const char key[] = "\"last_time\":\"";
	char *answer = NULL, *at;
	struct tm tm = { .tm_isdst = 0 };
	int day = -1;

	if (kryos_door_ask(in(bench->folder, "control"), "{\"command\":\"status\"}", KRYOS_SECONDS(5), &answer) < 0)
		return -1;
	at = strstr(answer, key);
	if (at && strptime(at + sizeof(key) - 1, "%Y-%m-%dT%H:%M:%S", &tm))
		day = (int)((timegm(&tm) - bench->begin) / 86400);
	free(answer);
	return day;
}

static bool runs(const struct bench *bench)
{
	char path[64], *content;
	bool alive;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)bench->daemon.pid);
	content = file_text(path);
	alive = *content && !strstr(content, ") Z ");
	free(content);
	return alive;
}

static void live_through_it(struct bench *bench)
{
	const char *variables[] = { NULL, "STATE_DIRECTORY", "NOTIFY_SOCKET", "http_proxy", NULL };
	char runtime[4200];

	snprintf(runtime, sizeof(runtime), "RUNTIME_DIRECTORY=%s", bench->folder);
	variables[0] = runtime;
	program_start(&bench->daemon, bench->folder, variables,
	              ARGV(built("examples/cryo_daemon/cryo_daemon"), "--config", in(bench->folder, "station.ini"),
	                   "--simulate", in(bench->folder, "trace.csv"), "--speed", SPEED));
	while (runs(bench)) {
		int day = day_now(bench);

		/* A day may be over between two looks, on a machine that is busy. */
		if (day >= 0 && day < DAYS && !bench->days[day].threads) {
			look(bench, &bench->days[day]);
			bench->count++;
		}
		poll(NULL, 0, 50);
	}
	if (program_wait(&bench->daemon, 5000) != 0)
		fail_msg("the daemon failed:\n%s", file_text(bench->daemon.err));
}

/* Each row has arrived, at its time and with its value, and nothing is said to be missing. */
static void check_arrivals(struct bench *bench)
{
	int64_t seqs[ROWS] = { 0 }, last = 0;
	int arrived = 0, twice = 0;
	const char *line;

	assert_true(sink_wait(bench->sink, "/sample ", ROWS, 20000));
	assert_int_equal(sink_count(bench->sink, "\"vs\":\"gap\""), 0);
	for (size_t i = 0; (line = sink_line(bench->sink, i)); i++) {
		const char *time = strstr(line, "\"t\":"), *value = strstr(line, "\"v\":"),
			   *seq = strstr(line, "\"seq\":");
		long long at, row;

		if (!strstr(line, "/sample "))
			continue;
		if (!time || !value || !seq || !strstr(line, "\"trust\":\"synced\""))
			fail_msg("%s", line);
		at = strtoll(time + 4, NULL, 10) - bench->begin;
		row = at / EVERY;
		if (at % EVERY || row < 0 || row >= ROWS || strtod(value + 4, NULL) != celsius((int)row))
			fail_msg("no row is like this: %s", line);
		if (seqs[row] && seqs[row] != strtoll(seq + 6, NULL, 10))
			fail_msg("two records of one row: %s", line);
		twice += seqs[row] != 0;
		arrived += seqs[row] == 0;
		seqs[row] = strtoll(seq + 6, NULL, 10);
	}
	for (int row = 0; row < ROWS; row++) {
		if (seqs[row] <= last)
			fail_msg("%s: seq %lld after %lld", row_time(bench, row), (long long)seqs[row],
			         (long long)last);
		last = seqs[row];
	}
	print_message("accepted %d, delivered %d, twice %d, lost %d\n", ROWS, arrived, twice, ROWS - arrived);
}

/* What kryosctl prints of the last days: each date as the calendar has it, back to the limit of keep and no further. */
static void check_kept(struct bench *bench)
{
	struct program kryosctl;
	char *text, *line, *rest;
	int row = ROWS, kept = 0;

	if (program_run(&kryosctl, bench->folder, ARGV("STATE_DIRECTORY"),
	                ARGV(built("examples/kryosctl/kryosctl"), "export", "--json", "--store",
	                     in(bench->folder, "store"))) != 0)
		fail_msg("kryosctl: %s", file_text(kryosctl.err));
	text = file_text(kryosctl.out);
	for (line = text; (line = strstr(line, "{\"time\":\"")); line++)
		kept++;
	row = ROWS - kept;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char expected[64];

		snprintf(expected, sizeof(expected), "{\"time\":\"%s\"", row_time(bench, row++));
		if (strncmp(line, expected, strlen(expected)) != 0)
			fail_msg("%s expected, not %s", expected, line);
	}
	free(text);
	/* Segments of a day go as a whole, once their last sample is too old. */
	assert_in_range(kept, KEEP_DAYS * 86400 / EVERY, (KEEP_DAYS + 2) * 86400 / EVERY);
	print_message("kept %.1f days\n", kept * EVERY / 86400.0);
}

static struct use most(const struct bench *bench, int first, int end)
{
	struct use most = { 0 };

#define MORE(field) most.field = bench->days[day].field > most.field ? bench->days[day].field : most.field
	for (int day = first; day < end; day++) {
		MORE(anonymous_kb);
		MORE(fds);
		MORE(threads);
		MORE(segments);
		MORE(state);
	}
#undef MORE
	return most;
}

/* Once retention has begun, the later days take no more than the earlier ones. */
static void check_flat(struct bench *bench)
{
	struct use early = most(bench, 2, 16), late = most(bench, 16, DAYS);

	for (int day = 0; day < DAYS; day++) {
		const struct use *use = &bench->days[day];

		if (use->threads)
			print_message("day %2d: memory %ld KiB, descriptors %ld, threads %ld, segments %ld KiB, "
			              "state.db %ld KiB\n",
			              day + 1, use->anonymous_kb, use->fds, use->threads, use->segments / 1024,
			              use->state / 1024);
	}
	print_message("at most in days 3 to 16, and 17 to 30: memory %ld, %ld KiB; descriptors %ld, %ld; threads %ld, "
	              "%ld; segments %ld, %ld KiB; state.db %ld, %ld KiB\n",
	              early.anonymous_kb, late.anonymous_kb, early.fds, late.fds, early.threads, late.threads,
	              early.segments / 1024, late.segments / 1024, early.state / 1024, late.state / 1024);
	assert_in_range(bench->count, DAYS - 5, DAYS);
	assert_true(early.anonymous_kb > 0 && early.fds > 0 && early.threads > 1 && early.segments > 0);
	/* SQLite's cache of a growing state.db is some KiB; 64 bytes lost in each round would be more than that. */
	assert_true(late.anonymous_kb <= early.anonymous_kb + 128);
	/* A segment that is being closed is open besides, with its log, its index and their folder; one a day is 14. */
	assert_true(late.fds <= early.fds + 5);
	assert_true(late.threads <= early.threads);
	/* A segment that is being closed has its log besides, if one looks just then; two weeks more would be 250 KiB.
	 */
	assert_true(late.segments <= early.segments + 160 * 1024);
	/* Its log goes to 512 KiB before it is taken over. */
	assert_true(late.state <= 700 * 1024);
}

static void month(struct bench *bench, time_t begin)
{
	uint16_t port = broker_free_port();

	bench->begin = begin;
	write_files(bench, port);
	bench->broker = broker_start(bench->folder, port, NULL);
	assert_non_null(bench->broker);
	bench->sink = sink_start(port);
	assert_non_null(bench->sink);
	live_through_it(bench);
	check_arrivals(bench);
	check_kept(bench);
	check_flat(bench);
}

static void thirty_days_over_the_end_of_a_year(void **state)
{
	month(*state, 1828051200); /* 2027-12-06 */
}

static void thirty_days_over_a_leap_day(void **state)
{
	month(*state, 1833235200); /* 2028-02-04 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(thirty_days_over_the_end_of_a_year, setup, teardown),
		cmocka_unit_test_setup_teardown(thirty_days_over_a_leap_day, setup, teardown),
	};
	const char *missing = broker_missing();

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	print_message("skipped: under a sanitizer the memory is the sanitizer's\n");
	return 77;
#endif
	if (missing) {
		print_message("skipped: %s is not installed\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
