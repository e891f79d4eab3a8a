/* SPDX-License-Identifier: Apache-2.0 */
/* cryo_daemon as its users see it: exit codes, signals, the service manager, status.json, traces. */
#include "program.h"
#include "support.h"
#include "json/json.h"
#include <inttypes.h>
#include <kryos/testing/clock.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TRACE_BEGIN INT64_C(1783987200) /* 2026-07-14T00:00:00Z */

struct bench {
	char *folder;
	int manager; /* a socket as systemd has one; -1 */
	char notify[4200], runtime[4200];
	const char *variables[8];
	struct program program;
	char heard[8192]; /* by the manager so far, one message a line */
};

static const char sensors[] = "[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\nplace = vaccine\nevery = 1s\n"
			      "[sensor room]\naddress = bme280@i2c-97:0x76\nplace = ambient\nevery = 1s\n"
			      "[watchdog]\ndevice = none\n";

static void write_station(struct bench *bench, const char *name, const char *more)
{
	char text[4096];

	snprintf(text, sizeof(text), "[station]\nname = %s\n%s[store]\npath = %s/store\n%s", name, sensors,
	         bench->folder, more);
	write_file(in(bench->folder, "station.ini"), text);
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	bench->folder = scratch_new();
	bench->manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", bench->folder);
	if (bench->manager < 0 || bind(bench->manager, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	snprintf(bench->notify, sizeof(bench->notify), "NOTIFY_SOCKET=%s/notify", bench->folder);
	snprintf(bench->runtime, sizeof(bench->runtime), "RUNTIME_DIRECTORY=%s", bench->folder);
	bench->variables[0] = bench->runtime;
	bench->variables[1] = bench->notify;
	bench->variables[2] = "STATE_DIRECTORY";
	bench->variables[3] = "JOURNAL_STREAM";
	write_station(bench, "Bench", "");
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	program_end(&bench->program);
	close(bench->manager);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

#define RUN(bench, ...)                                                                                                \
	program_run(&(bench)->program, (bench)->folder, (bench)->variables,                                            \
	            ARGV(built("examples/cryo_daemon/cryo_daemon"), "--config", in((bench)->folder, "station.ini"),    \
	                 __VA_ARGS__))
#define START(bench, ...)                                                                                              \
	program_start(&(bench)->program, (bench)->folder, (bench)->variables,                                          \
	              ARGV(built("examples/cryo_daemon/cryo_daemon"), "--config", in((bench)->folder, "station.ini"),  \
	                   __VA_ARGS__))

/* Until the manager has been told text, at most 10 s. */
static void hear(struct bench *bench, const char *text)
{
	struct pollfd ready = { .fd = bench->manager, .events = POLLIN };
	size_t length = strlen(bench->heard);

	while (!strstr(bench->heard, text)) {
		ssize_t got;

		if (poll(&ready, 1, 10000) <= 0) {
			char *said = file_text(bench->program.err);

			fail_msg("the manager was not told %s but:\n%sThe daemon said:\n%s", text, bench->heard, said);
		}
		if (length > sizeof(bench->heard) - 1024) /* old news */
			length = 0;
		got = recv(bench->manager, bench->heard + length, sizeof(bench->heard) - length - 2, 0);
		assert_true(got > 0);
		length += (size_t)got;
		strcpy(bench->heard + length++, "\n");
	}
}

static int stop(struct bench *bench)
{
	assert_int_equal(kill(bench->program.pid, SIGTERM), 0);
	return program_wait(&bench->program, 5000);
}

/* Rows every five minutes from TRACE_BEGIN on: 4.00, 4.25, ... 7.75, 4.00, ... which a DS18B20 gives exactly. */
static void write_trace(struct bench *bench, int rows)
{
	FILE *stream = fopen(in(bench->folder, "trace.csv"), "we");
	char when[KRYOS_TEXT_MAX];

	assert_non_null(stream);
	fputs("time,celsius\n", stream);
	for (int i = 0; i < rows; i++)
		fprintf(stream, "%s,%.2f\n", kryos_time_text(KRYOS_SECONDS(TRACE_BEGIN + 300 * i), when),
		        4 + 0.25 * (i % 16));
	assert_int_equal(fclose(stream), 0);
}

/* Each row once, in order, as the chips give it, in one boot that never went back. Returns how many there are. */
static int check_store(struct bench *bench)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_ctx *ctx;
	int rows = 0, others = 0, r;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_reader_open(&reader, ctx, in(bench->folder, "store")));
	while ((r = kryos_reader_next(reader, &record)) > 0) {
		const struct kryos_sample *sample = &record->sample;

		assert_int_equal(sample->quality, KRYOS_QUALITY_GOOD);
		assert_int_equal(sample->trust, KRYOS_TRUST_SYNCED);
		assert_int_equal(sample->boot, 1);
		if (strcmp(record->channel, "fridge.temperature") == 0) {
			assert_int_equal(sample->t_wall_ns, KRYOS_SECONDS(TRACE_BEGIN + 300 * rows));
			assert_int_equal(sample->t_boot_ns, KRYOS_SECONDS(10 + 300 * rows));
			assert_int_equal(sample->value_micro, 4000000 + 250000 * (rows % 16));
			rows++;
		} else {
			assert_int_equal(sample->t_wall_ns, KRYOS_SECONDS(TRACE_BEGIN + 300 * (rows - 1)));
			others++;
		}
	}
	assert_ok(r);
	assert_int_equal(others, 3 * rows);
	kryos_ctx_free(ctx);
	return rows;
}

static void a_right_file_is_printed_and_opens_nothing(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(RUN(bench, "--check"), 0);
	assert_file_has(bench->program.out, "[sensor fridge]");
	assert_file_has(bench->program.out, "# default");
	assert_int_not_equal(access(in(bench->folder, "store"), F_OK), 0);
}

static void every_mistake_is_named_and_exits_78(void **state)
{
	struct bench *bench = *state;
	const char *const modes[] = { "--check", "--once" };

	write_station(bench, "Bench", "kep = 3d\n[sensor attic]\naddress = bme281@i2c-1:0x76\n");
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(RUN(bench, modes[i]), 78);
		assert_file_has(bench->program.err, "station.ini:15: ");
		assert_file_has(bench->program.err, "station.ini:17: ");
		assert_file_has(bench->program.err, "keep");
	}
	assert_int_equal(access(in(bench->folder, "store"), F_OK), -1);
	assert_int_equal(unlink(in(bench->folder, "station.ini")), 0);
	assert_int_equal(RUN(bench, "--check"), 78);
	assert_file_has(bench->program.err, "station.ini");
}

static void wrong_options_exit_2(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(RUN(bench, "--nonsense"), 2);
	assert_int_equal(RUN(bench, "--speed", "3"), 2);
	assert_file_has(bench->program.err, "--speed is for --simulate");
	assert_int_equal(RUN(bench, "--simulate", "x.csv", "--speed", "-1"), 2);
	assert_int_equal(RUN(bench, "--simulate", "x.csv", "--speed", "3x"), 2);
	assert_int_equal(RUN(bench, "--simulate", "x.csv", "--speed", "nan"), 2);
	assert_int_equal(RUN(bench, "--simulate"), 2);
	assert_int_equal(RUN(bench, "station.ini"), 2);
	assert_file_has(bench->program.err, "there is no argument station.ini");
	assert_int_equal(RUN(bench, "--help"), 0);
	assert_file_has(bench->program.out, "--simulate");
	assert_int_equal(RUN(bench, "--version"), 0);
	assert_file_has(bench->program.out, kryos_version());
}

/* With WatchdogSec= in its unit and another watchdog in its file it would be killed once a minute, and the board with
 * it. */
static void a_manager_that_is_not_petted_is_told_to_expect_no_pets(void **state)
{
	struct bench *bench = *state;
	char text[4400];

	bench->variables[4] = "WATCHDOG_USEC=60000000";
	START(bench, "--print");
	hear(bench, "WATCHDOG_USEC=0\n");
	hear(bench, "READY=1");
	assert_int_equal(stop(bench), 0);

	bench->heard[0] = '\0';
	snprintf(text, sizeof(text),
	         "[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\n[store]\npath = %s/store\n", bench->folder);
	write_file(in(bench->folder, "station.ini"), text);
	START(bench, "--print");
	hear(bench, "READY=1");
	assert_non_null(strstr(bench->heard, "WATCHDOG=1\n"));
	assert_null(strstr(bench->heard, "WATCHDOG_USEC=0"));
	assert_int_equal(stop(bench), 0);
}

static void sigterm_stops_within_5_s_and_the_manager_is_told(void **state)
{
	struct bench *bench = *state;

	START(bench, "--syslog", "--control", in(bench->folder, "door"));
	hear(bench, "READY=1");
	hear(bench, "STATUS=");
	assert_int_equal(access(in(bench->folder, "door"), F_OK), 0);
	assert_int_equal(stop(bench), 0);
	hear(bench, "STOPPING=1");
	assert_int_equal(access(in(bench->folder, "door"), F_OK), -1);
	assert_file_has(in(bench->folder, "status.json"), "\"state\":\"stopped\"");
}

static void sigint_stops_it_too(void **state)
{
	struct bench *bench = *state;

	START(bench, "--control", in(bench->folder, "door"));
	hear(bench, "READY=1");
	assert_int_equal(kill(bench->program.pid, SIGINT), 0);
	assert_int_equal(program_wait(&bench->program, 5000), 0);
}

static void ask(struct bench *bench, const char *text)
{
	for (int i = 0; i < 300; i++) {
		char *answer = NULL;
		bool found;

		assert_ok(kryos_door_ask(in(bench->folder, "control"), "{\"command\":\"status\"}", KRYOS_SECONDS(5),
		                         &answer));
		found = strstr(answer, text);
		free(answer);
		if (found)
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("the status never said %s", text);
}

static void sighup_applies_a_right_file(void **state)
{
	struct bench *bench = *state;

	START(bench, "--config", in(bench->folder, "station.ini"));
	hear(bench, "READY=1");
	ask(bench, "\"name\":\"Bench\"");
	bench->heard[0] = '\0';
	write_station(bench, "Renamed", "[sensor attic]\naddress = bme280@i2c-97:0x77\n");
	assert_int_equal(kill(bench->program.pid, SIGHUP), 0);
	hear(bench, "RELOADING=1\nMONOTONIC_USEC=");
	hear(bench, "READY=1");
	ask(bench, "\"name\":\"Renamed\"");
	ask(bench, "\"sensors\":3");
	assert_int_equal(stop(bench), 0);
}

static void sighup_with_a_wrong_file_changes_nothing_and_logs_all_mistakes(void **state)
{
	struct bench *bench = *state;

	START(bench, "--config", in(bench->folder, "station.ini"));
	hear(bench, "READY=1");
	ask(bench, "\"name\":\"Bench\"");
	bench->heard[0] = '\0';
	write_station(bench, "Renamed", "kep = 3d\nsize = 7 pounds\n");
	assert_int_equal(kill(bench->program.pid, SIGHUP), 0);
	hear(bench, "RELOADING=1");
	hear(bench, "READY=1");
	ask(bench, "\"name\":\"Bench\"");
	assert_file_has(bench->program.err, "station.ini:15: ");
	assert_file_has(bench->program.err, "station.ini:16: ");
	assert_file_has(bench->program.err, "stays in force");
	write_station(bench, "Third", "");
	assert_int_equal(kill(bench->program.pid, SIGHUP), 0);
	ask(bench, "\"name\":\"Third\"");
	assert_int_equal(stop(bench), 0);
}

static void once_stores_and_prints_a_round(void **state)
{
	struct bench *bench = *state;
	struct stat status;

	assert_int_equal(RUN(bench, "--once"), 0);
	assert_file_has(bench->program.out, "fridge.temperature  absent");
	assert_file_has(bench->program.out, "room.pressure  absent");
	assert_int_equal(stat(in(bench->folder, "store"), &status), 0);
	write_trace(bench, 3);
	assert_int_equal(unlink(in(bench->folder, "store/lock")), 0);
	assert_int_equal(RUN(bench, "--once", "--simulate", in(bench->folder, "trace.csv")), 0);
}

static void print_tells_each_measurement_with_its_seq(void **state)
{
	struct bench *bench = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_ctx *ctx;
	char line[256];
	int r;

	write_trace(bench, 3);
	assert_int_equal(RUN(bench, "--print", "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_reader_open(&reader, ctx, in(bench->folder, "store")));
	while ((r = kryos_reader_next(reader, &record)) > 0) {
		char when[KRYOS_TEXT_MAX], value[KRYOS_TEXT_MAX];

		snprintf(line, sizeof(line), "%" PRId64 "  %s synced  %s  %s %s  good\n", record->seq,
		         kryos_time_text(record->sample.t_wall_ns, when), record->channel,
		         kryos_value_text(record->sample.value_micro, value), record->unit);
		assert_file_has(bench->program.out, line);
	}
	assert_int_equal(r, 0);
	kryos_ctx_free(ctx);
}

static void once_fails_where_another_has_the_store(void **state)
{
	struct bench *bench = *state;
	struct program other;
	char *folder = scratch_new();

	START(bench, "--control", in(bench->folder, "door"));
	hear(bench, "READY=1");
	assert_int_equal(program_run(&other, folder, bench->variables,
	                             ARGV(built("examples/cryo_daemon/cryo_daemon"), "-c",
	                                  in(bench->folder, "station.ini"), "--once")),
	                 1);
	assert_file_has(other.err, "writes to this store");
	scratch_free(folder);
	assert_int_equal(stop(bench), 0);
}

/* Until a file has text, at most 10 s. */
static void wait_for(const char *path, const char *text)
{
	for (int i = 0; i < 1000; i++) {
		char *found = file_text(path);
		bool has = strstr(found, text);

		free(found);
		if (has)
			return;
		usleep(10000);
	}
	assert_file_has(path, text);
}

/* A file where the store's folder should be: no card is mounted there yet, or it cannot be written. */
static void a_store_that_cannot_be_opened_is_waited_for(void **state)
{
	struct bench *bench = *state;
	char status[4200];

	snprintf(status, sizeof(status), "%s/status.json", bench->folder);
	write_file(in(bench->folder, "store"), "");
	START(bench, "--control", in(bench->folder, "door"));
	hear(bench, "STATUS=nothing is measured: ");
	wait_for(status, "{\"state\":\"waiting\",");
	assert_file_has(status, "/store: is not a folder; a store needs one that it may write in\"]}");
	assert_file_has(bench->program.err, "is not a folder");
	assert_null(strstr(bench->heard, "READY=1"));
	assert_int_equal(unlink(in(bench->folder, "store")), 0);
	hear(bench, "READY=1");
	hear(bench, "samples kept");
	wait_for(status, "{\"state\":\"running\",");
	assert_int_equal(stop(bench), 0);
	assert_file_has(bench->program.err, "the station is open");
}

static void it_stops_at_once_though_it_waits_for_the_store(void **state)
{
	struct bench *bench = *state;

	write_file(in(bench->folder, "store"), "");
	START(bench, "--control", in(bench->folder, "door"));
	hear(bench, "STATUS=nothing is measured: ");
	assert_int_equal(stop(bench), 0);
	assert_file_has(in(bench->folder, "status.json"), "{\"state\":\"stopped\",");
}

/* Nobody need start it again for a mistake of the file that is made meanwhile either. */
static void sighup_tries_the_store_at_once_with_the_file_as_it_is_then(void **state)
{
	struct bench *bench = *state;

	write_file(in(bench->folder, "store"), "");
	START(bench, "--control", in(bench->folder, "door"));
	hear(bench, "STATUS=nothing is measured: ");
	write_station(bench, "Bench", "kep = 3d\n");
	assert_int_equal(kill(bench->program.pid, SIGHUP), 0);
	hear(bench, "station.ini:15: ");
	write_station(bench, "Renamed", "");
	assert_int_equal(unlink(in(bench->folder, "store")), 0);
	assert_int_equal(kill(bench->program.pid, SIGHUP), 0);
	hear(bench, "READY=1");
	assert_file_has(bench->program.err, "did you mean keep?");
	wait_for(in(bench->folder, "status.json"), "\"name\":\"Renamed\"");
	assert_int_equal(stop(bench), 0);
}

/* The store is opened anew for it, and is not there: neither file can be in force. */
static void a_reload_that_cannot_open_the_store_is_tried_again(void **state)
{
	struct bench *bench = *state;
	char status[4200], away[4200];

	snprintf(status, sizeof(status), "%s/status.json", bench->folder);
	snprintf(away, sizeof(away), "%s/away", bench->folder);
	START(bench, "--control", in(bench->folder, "door"));
	hear(bench, "samples kept");
	assert_int_equal(rename(in(bench->folder, "store"), away), 0);
	write_file(in(bench->folder, "store"), "");
	write_station(bench, "Renamed", "keep = 3d\n");
	assert_int_equal(kill(bench->program.pid, SIGHUP), 0);
	hear(bench, "STATUS=nothing is measured: ");
	wait_for(status, "{\"state\":\"waiting\",");
	assert_int_equal(unlink(in(bench->folder, "store")), 0);
	assert_int_equal(rename(away, in(bench->folder, "store")), 0);
	bench->heard[0] = '\0';
	hear(bench, "READY=1");
	hear(bench, "samples kept");
	wait_for(status, "\"name\":\"Renamed\"");
	assert_file_has(status, "{\"state\":\"running\",");
	assert_int_equal(stop(bench), 0);
	assert_file_has(bench->program.err, "notice: daemon: reloaded ");
}

static void one_round_does_not_wait_for_the_store(void **state)
{
	struct bench *bench = *state;

	write_file(in(bench->folder, "store"), "");
	assert_int_equal(RUN(bench, "--once"), 1);
	assert_file_has(bench->program.err, "/store: is not a folder");
	assert_null(strstr(bench->heard, "waiting"));
}

static void without_a_runtime_folder_it_warns_and_goes_on(void **state)
{
	struct bench *bench = *state;

	snprintf(bench->runtime, sizeof(bench->runtime), "RUNTIME_DIRECTORY=%s/none/such", bench->folder);
	START(bench, "--config", in(bench->folder, "station.ini"));
	hear(bench, "STATUS=");
	assert_int_equal(stop(bench), 0);
	assert_file_has(bench->program.err, "none/such/status.json can't be written");
	assert_file_has(bench->program.err, "no local socket");
}

static void a_simulation_beside_a_station_leaves_its_status_alone(void **state)
{
	struct bench *bench = *state;
	struct program other = { 0 };
	char *folder = scratch_new();
	char store[4200];

	START(bench, "--print");
	hear(bench, "STATUS=");
	write_trace(bench, 3);
	snprintf(store, sizeof(store), "STATE_DIRECTORY=%s/desk", folder);
	assert_int_equal(program_run(&other, folder, ARGV(bench->runtime, store, "NOTIFY_SOCKET"),
	                             ARGV(built("examples/cryo_daemon/cryo_daemon"), "--config",
	                                  KRYOS_SOURCE_DIR "/examples/desk/desk.ini", "--simulate",
	                                  in(bench->folder, "trace.csv"))),
	                 0);
	assert_file_has(other.err, "status.json is theirs too");
	assert_file_has(in(bench->folder, "status.json"), "\"name\":\"Bench\"");
	scratch_free(folder);
	assert_int_equal(stop(bench), 0);
	assert_file_has(in(bench->folder, "status.json"), "\"state\":\"stopped\"");
}

static void who_waits_for_the_store_of_another_leaves_its_status_alone(void **state)
{
	struct bench *bench = *state;
	struct program other = { 0 };
	char *folder = scratch_new();

	START(bench, "--metrics", in(bench->folder, "metrics"));
	hear(bench, "samples kept");
	assert_int_equal(
		program_run(&other, folder, ARGV(bench->runtime, "NOTIFY_SOCKET"),
	                    ARGV("/usr/bin/timeout", "1", built("examples/cryo_daemon/cryo_daemon"), "--config",
	                         in(bench->folder, "station.ini"), "--metrics", in(bench->folder, "metrics"))),
		124);
	assert_file_has(other.err, "writes to this store");
	assert_file_has(in(bench->folder, "status.json"), "{\"state\":\"running\",");
	assert_file_has(in(bench->folder, "metrics"), "kryos_");
	scratch_free(folder);
	assert_int_equal(stop(bench), 0);
}

static void status_json_is_whole_at_every_moment(void **state)
{
	struct bench *bench = *state;
	int looks = 0, changes = 0;
	char *before = strdup("");

	write_trace(bench, 100000);
	START(bench, "--simulate", in(bench->folder, "trace.csv"), "--speed", "60000");
	hear(bench, "STATUS=");
	for (int i = 0; i < 2000; i++) {
		const struct timespec pause = { .tv_nsec = 1500000 };
		char *text = file_text(in(bench->folder, "status.json"));
		struct kri_json *json = NULL;
		const char *word = NULL;

		assert_ok(kri_json_parse(&json, text, strlen(text)));
		assert_true(kri_json_get_string(json, "state", &word));
		assert_string_equal(word, "running");
		kri_json_free(json);
		changes += strcmp(before, text) != 0;
		free(before);
		before = text;
		looks++;
		nanosleep(&pause, NULL);
	}
	free(before);
	print_message("%d looks, %d changes\n", looks, changes);
	/* Rows come 200 times a second; it is written at most once a second. */
	assert_in_range(changes, 2, 15);
	assert_int_equal(access(in(bench->folder, "status.json.tmp"), F_OK), -1);
	assert_int_equal(stop(bench), 0);
}

static void numbers_for_prometheus_are_there_while_it_runs(void **state)
{
	struct bench *bench = *state;
	char path[300];

	snprintf(path, sizeof(path), "%s/kryos.prom", bench->folder);
	write_station(bench, "Bench", "[button ack]\naddress = button@gpio:GPIO27\n");
	write_trace(bench, 100000);
	START(bench, "--simulate", in(bench->folder, "trace.csv"), "--speed", "60000", "--metrics", path);
	hear(bench, "STATUS=");
	assert_file_has(path, "# TYPE kryos_store_samples gauge\n");
	assert_file_has(path, "station=\"Bench\"");
	assert_int_equal(access(in(bench->folder, "kryos.prom.tmp"), F_OK), -1);
	assert_int_equal(stop(bench), 0);
	assert_int_equal(access(path, F_OK), -1);
	bench->heard[0] = 0;
	START(bench, "--simulate", in(bench->folder, "trace.csv"), "--metrics", in(bench->folder, "none/kryos.prom"));
	hear(bench, "STATUS=");
	assert_int_equal(stop(bench), 0);
	assert_file_has(bench->program.err, "none/kryos.prom can't be written");
}

static void a_simulation_gives_every_row_once(void **state)
{
	struct bench *bench = *state;

	write_trace(bench, 500);
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_int_equal(check_store(bench), 500);
	assert_file_has(bench->program.err, "the trace is over: 500 of its 500 rows were measured");
	/* Once more: there is nothing to do. */
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_file_has(bench->program.err,
	                "500 of the trace's 500 rows are skipped: the store's newest sample is no older");
	assert_int_equal(check_store(bench), 500);
	/* The trace has grown. */
	write_trace(bench, 520);
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_int_equal(check_store(bench), 520);
}

/* 4.5 C, the last row, as each of them quantises it. */
static void a_simulation_has_a_model_of_each_thermometer(void **state)
{
	static const struct {
		const char *driver, *place, *says;
	} chips[] = {
		{ "sht3x", "0x44", "sht3x.temperature  4.499886 Cel  good" },
		{ "sht4x", "0x45", "sht4x.temperature  4.499886 Cel  good" },
		{ "tmp117", "0x48", "tmp117.temperature  4.5 Cel  good" },
		{ "adt7420", "0x49", "adt7420.temperature  4.5 Cel  good" },
		{ "mcp9808", "0x18", "mcp9808.temperature  4.5 Cel  good" },
		{ "bmp280", "0x77", "bmp280.pressure  10" },
	};
	struct bench *bench = *state;
	char sections[1024] = "";
	size_t i;

	for (i = 0; i < sizeof(chips) / sizeof(chips[0]); i++)
		snprintf(sections + strlen(sections), sizeof(sections) - strlen(sections),
		         "[sensor %s]\naddress = %s@i2c-97:%s\n", chips[i].driver, chips[i].driver, chips[i].place);
	write_station(bench, "Bench", sections);
	write_trace(bench, 3);
	assert_int_equal(RUN(bench, "--print", "--simulate", in(bench->folder, "trace.csv")), 0);
	for (i = 0; i < sizeof(chips) / sizeof(chips[0]); i++)
		assert_file_has(bench->program.out, chips[i].says);
}

/* Each change is an event of its own besides, at the row's time. */
static void a_simulation_has_a_door_and_a_supply(void **state)
{
	struct bench *bench = *state;

	write_station(bench, "Bench",
	              "[sensor door]\naddress = door@gpio:GPIO17\n[sensor supply]\naddress = mains@gpio:GPIO22\n");
	write_file(in(bench->folder, "trace.csv"), "time,celsius,mains,door\n2026-07-14T00:00:00Z,4,1,0\n"
	                                           "2026-07-14T00:05:00Z,4,1,1\n2026-07-14T00:10:00Z,4,0,0\n");
	assert_int_equal(RUN(bench, "--print", "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_file_has(bench->program.out, "2026-07-14T00:00:00Z synced  door.open  0 /  good");
	assert_file_has(bench->program.out, "2026-07-14T00:05:00Z synced  door.open  1 /  good");
	assert_file_has(bench->program.out, "2026-07-14T00:10:00Z synced  door.open  0 /  good");
	assert_file_has(bench->program.out, "2026-07-14T00:05:00Z synced  supply.present  1 /  good");
	assert_file_has(bench->program.out, "2026-07-14T00:10:00Z synced  supply.present  0 /  good");
	assert_int_equal(program_run(&bench->program, bench->folder, bench->variables,
	                             ARGV(built("examples/kryosctl/kryosctl"), "export", "--events", "--store",
	                                  in(bench->folder, "store"))),
	                 0);
	assert_file_has(bench->program.out, "2026-07-14T00:05:00Z,state,door.open,");
	assert_file_has(bench->program.out, "2026-07-14T00:10:00Z,state,door.open,");
	assert_file_has(bench->program.out, "2026-07-14T00:10:00Z,state,supply.present,");
}

/* A start is of where the store ended then, so at most a row before the newest event: that row was not durable yet. */
static void check_starts(struct bench *bench)
{
	int64_t newest_ns = KRYOS_SECONDS(TRACE_BEGIN), start_ns = newest_ns;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_ctx *ctx;
	int r;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_reader_open(&reader, ctx, in(bench->folder, "store")));
	while ((r = kryos_reader_next_event(reader, &record)) > 0) {
		int64_t t_ns = record->sample.t_wall_ns;

		assert_true(t_ns >= newest_ns - KRYOS_SECONDS(300));
		newest_ns = t_ns > newest_ns ? t_ns : newest_ns;
		if (record->event->type == KRYOS_EVENT_START)
			start_ns = t_ns;
	}
	assert_ok(r);
	assert_true(start_ns > KRYOS_SECONDS(TRACE_BEGIN));
	kryos_ctx_free(ctx);
}

/* Whatever the disk and the machine do: a lamp that blinks is driven by real jobs while the trace's time jumps. */
static void a_lamp_of_a_simulation_is_never_lost(void **state)
{
	struct bench *bench = *state;
	char *said;

	write_station(bench, "Bench",
	              "[rule warm]\nkind = heat\nthreshold = 5\ncomparator = gt\nduration = 0s\n"
	              "[profile own]\nrules = warm\n"
	              "[alarm a]\nchannel = fridge.temperature\nprofile = own\n"
	              "[output lamp]\naddress = lamp@gpio:GPIO22\nshows = alarms\n"
	              "[output buzzer]\naddress = buzzer@gpio:GPIO23\nshows = alarm-sound\n");
	write_trace(bench, 3000);
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_int_equal(program_run(&bench->program, bench->folder, bench->variables,
	                             ARGV(built("examples/kryosctl/kryosctl"), "export", "--events", "--store",
	                                  in(bench->folder, "store"))),
	                 0);
	assert_file_has(bench->program.out, ",alarm-on,fridge.temperature,");
	said = file_text(bench->program.out);
	assert_null(strstr(said, "output-lost"));
	free(said);
}

static void a_simulation_goes_on_after_sigkill_where_it_was(void **state)
{
	struct bench *bench = *state;
	uint64_t seed = seed_from_environment(20261120);
	int kills = 0, status = 137;

	write_trace(bench, 8000);
	while (status == 137) {
		START(bench, "--simulate", in(bench->folder, "trace.csv"));
		if (kills < 15) {
			const struct timespec pause = { .tv_nsec = (long)(next_random(&seed) % 200000000) };

			nanosleep(&pause, NULL);
			kill(bench->program.pid, SIGKILL);
		}
		status = program_wait(&bench->program, 60000);
		kills += status == 137;
	}
	print_message("%d times killed\n", kills);
	assert_int_equal(status, 0);
	assert_true(kills >= 5);
	assert_int_equal(check_store(bench), 8000);
	check_starts(bench);
}

static void segments_are_made_and_removed_by_the_traces_time(void **state)
{
	struct bench *bench = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_ctx *ctx;
	int64_t days;

	write_station(bench, "Bench", "keep = 2d\n");
	write_trace(bench, 6 * 288);
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_reader_open(&reader, ctx, in(bench->folder, "store")));
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	days = (record->sample.t_wall_ns - KRYOS_SECONDS(TRACE_BEGIN)) / KRYOS_DAYS(1);
	print_message("the first %d days are gone\n", (int)days);
	assert_in_range(days, 2, 4);
	kryos_ctx_free(ctx);
}

static void speed_is_times_real_time(void **state)
{
	struct bench *bench = *state;
	struct timespec begin, end;
	double seconds;

	write_trace(bench, 11); /* 50 min, in 1 s */
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv"), "--speed", "3000"), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	print_message("%.2f s\n", seconds);
	assert_true(seconds >= 1.0);
	assert_int_equal(check_store(bench), 11);
}

static void a_simulation_with_a_relay_waits_until_all_is_delivered(void **state)
{
	struct bench *bench = *state;

	write_trace(bench, 5);
	/* Port 9 (discard) of loopback: nobody listens. */
	write_station(bench, "Bench", "[relay nobody]\nurl = mqtt://127.0.0.1:9\n");
	START(bench, "--simulate", in(bench->folder, "trace.csv"));
	hear(bench, "READY=1");
	ask(bench, "\"rounds\":5");
	poll(NULL, 0, 1000);
	assert_int_equal(kill(bench->program.pid, 0), 0);
	ask(bench, "\"rounds\":5");
	assert_int_equal(stop(bench), 0);
}

/* Its connections are made, by the kernel, and nobody ever answers. Returns the socket. */
static int listen_deaf(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void sigterm_stops_within_5_s_though_a_broker_never_answers(void **state)
{
	struct bench *bench = *state;
	char relay[128];
	uint16_t port;
	int fd = listen_deaf(&port);

	snprintf(relay, sizeof(relay), "[relay deaf]\nurl = mqtt://127.0.0.1:%u\n", port);
	write_station(bench, "Bench", relay);
	START(bench, "--config", in(bench->folder, "station.ini"));
	hear(bench, "READY=1");
	ask(bench, "\"link\":\"connecting\"");
	assert_int_equal(stop(bench), 0);
	close(fd);
}

static void a_sensor_added_by_a_reload_is_simulated_too(void **state)
{
	struct bench *bench = *state;

	write_trace(bench, 100000);
	START(bench, "--simulate", in(bench->folder, "trace.csv"), "--speed", "60000");
	hear(bench, "READY=1");
	ask(bench, "\"sensors\":2");
	write_station(bench, "Bench", "[sensor attic]\naddress = bme280@i2c-98:0x77\n");
	assert_int_equal(kill(bench->program.pid, SIGHUP), 0);
	ask(bench, "\"channel\":\"attic.humidity\",\"value\":");
	assert_int_equal(stop(bench), 0);
	assert_file_has(in(bench->folder, "status.json"), "\"failed\":0");
}

static void a_malformed_trace_is_named_by_line_and_nothing_is_stored(void **state)
{
	struct bench *bench = *state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "trace.csv:1: there is no row" },
		{ "time,celsius\n", "trace.csv:2: there is no row" },
		{ "zeit,grad\n2026-07-14T00:00:00Z,5\n", "trace.csv:1: \"zeit,grad\" is no header" },
		{ "time,celsius\n2026-07-14T00:00:00Z,5\n2026-07-14 00:05:00,5\n", "trace.csv:3: " },
		{ "time,celsius\n2026-02-29T00:00:00Z,5\n", "trace.csv:2: \"2026-02-29T00:00:00Z\" is no time" },
		{ "time,celsius\n2026-07-14T24:00:00Z,5\n", "is no time" },
		{ "time,celsius\n2026-07-14T00:00:00+02:00,5\n", "is no time" },
		{ "time,celsius\n2026-07-14T00:00:00Z\n", "trace.csv:2: a comma and a temperature are missing" },
		{ "time,celsius\n2026-07-14T00:00:00Z,warm\n", "trace.csv:2: \"warm\" is no temperature" },
		{ "time,celsius,door\n2026-07-14T00:00:00Z,5,open\n",
		  "trace.csv:2: door is missing or neither 0 nor 1" },
		{ "time,celsius,a,mains\n2026-07-14T00:00:00Z,5,1\n", "trace.csv:2: mains is missing or neither" },
		{ "time,celsius,x\n2026-07-14T00:00:00Z,5,25\n2026-07-14T00:05:00Z,5.\n", "trace.csv:3: \"5.\" is no" },
		{ "time,celsius\n2026-07-14T00:00:00Z,5,25\n",
		  "trace.csv:2: the row has more columns than the header" },
		{ "time,celsius,x\n2026-07-14T00:00:00Z,5,\"a\",1\n", "trace.csv:2: the row has more columns" },
		{ "time,celsius\n2026-07-14T00:00:00Z,125.01\n", "-55 to 125 is allowed" },
		{ "time,celsius\n2026-07-14T00:00:00Z,5\n2026-07-14T00:00:00Z,5\n", "trace.csv:3: this time is not" },
		{ "time,celsius\n2026-07-14T00:00:00Z,5\n\n2026-07-14T00:05:00Z,5\n",
		  "trace.csv:3: the line is empty" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(in(bench->folder, "trace.csv"), cases[i].text);
		assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 1);
		assert_file_has(bench->program.err, cases[i].says);
	}
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "none.csv")), 1);
	assert_file_has(bench->program.err, "No such file");
	assert_int_equal(access(in(bench->folder, "store"), F_OK), -1);
}

static void crlf_and_further_columns_are_allowed(void **state)
{
	struct bench *bench = *state;

	write_file(in(bench->folder, "trace.csv"),
	           "time,celsius,note\r\n2026-07-14T00:00:00Z,4,open\r\n2026-07-14T00:05:00.0Z,+4.250,\r\n");
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_int_equal(check_store(bench), 2);
}

static void a_spreadsheets_byte_order_mark_and_last_empty_lines_are_allowed(void **state)
{
	struct bench *bench = *state;

	write_file(in(bench->folder, "trace.csv"),
	           "\xef\xbb\xbftime,celsius,note\r\n2026-07-14T00:00:00Z,4,\"a, b\"\r\n\r\n\r\n");
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_int_equal(check_store(bench), 1);
}

static void a_simulation_touches_no_real_clock(void **state)
{
	struct bench *bench = *state;

	write_trace(bench, 2);
	write_station(bench, "Bench", "[clock]\nrtc = rtc@/dev/rtc0\n");
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 1);
	assert_file_has(bench->program.err, "there is no chip model for it");
	assert_int_equal(access(in(bench->folder, "store"), F_OK), -1);
	write_station(bench, "Bench", "[clock]\nrtc = ds3231@i2c-97:0x68\n");
	assert_int_equal(RUN(bench, "--simulate", in(bench->folder, "trace.csv")), 0);
	assert_file_has(in(bench->folder, "status.json"), "battery has kept it");
}

static void root_becomes_the_user_and_goes_on_writing(void **state)
{
	struct bench *bench = *state;
	struct stat status;
	char path[64];

	if (geteuid() != 0) {
		print_message("skipped: only root can become another user\n");
		skip();
	}
	write_trace(bench, 900); /* three days: segments are made after the change */
	assert_int_equal(chmod(bench->folder, 0755), 0);
	assert_int_equal(chmod(in(bench->folder, "notify"), 0777), 0); /* as systemd's */
	assert_int_equal(RUN(bench, "--user", "no-such-user", "--once"), 1);
	assert_file_has(bench->program.err, "there is no such user");
	assert_int_equal(access(in(bench->folder, "store"), F_OK), -1);
	START(bench, "--user", "nobody", "--simulate", in(bench->folder, "trace.csv"), "--speed", "120000", "--status",
	      in(bench->folder, "store/status.json"));
	hear(bench, "READY=1");
	snprintf(path, sizeof(path), "/proc/%d/status", (int)bench->program.pid);
	assert_file_has(path, "Uid:\t65534\t65534\t65534\t65534\n");
	assert_file_has(path, "NoNewPrivs:\t1");
	assert_file_has(path, "CapEff:\t0000000000000000");
	assert_int_equal(program_wait(&bench->program, 20000), 0);
	assert_int_equal(check_store(bench), 900);
	assert_int_equal(stat(in(bench->folder, "store/state.db"), &status), 0);
	assert_int_equal(status.st_uid, 65534);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_right_file_is_printed_and_opens_nothing),
		TEST(every_mistake_is_named_and_exits_78),
		TEST(wrong_options_exit_2),
		TEST(sigterm_stops_within_5_s_and_the_manager_is_told),
		TEST(a_manager_that_is_not_petted_is_told_to_expect_no_pets),
		TEST(sigint_stops_it_too),
		TEST(sighup_applies_a_right_file),
		TEST(sighup_with_a_wrong_file_changes_nothing_and_logs_all_mistakes),
		TEST(once_stores_and_prints_a_round),
		TEST(print_tells_each_measurement_with_its_seq),
		TEST(once_fails_where_another_has_the_store),
		TEST(a_store_that_cannot_be_opened_is_waited_for),
		TEST(it_stops_at_once_though_it_waits_for_the_store),
		TEST(sighup_tries_the_store_at_once_with_the_file_as_it_is_then),
		TEST(a_reload_that_cannot_open_the_store_is_tried_again),
		TEST(one_round_does_not_wait_for_the_store),
		TEST(without_a_runtime_folder_it_warns_and_goes_on),
		TEST(a_simulation_beside_a_station_leaves_its_status_alone),
		TEST(who_waits_for_the_store_of_another_leaves_its_status_alone),
		TEST(status_json_is_whole_at_every_moment),
		TEST(numbers_for_prometheus_are_there_while_it_runs),
		TEST(a_simulation_gives_every_row_once),
		TEST(a_simulation_has_a_model_of_each_thermometer),
		TEST(a_simulation_has_a_door_and_a_supply),
		TEST(a_lamp_of_a_simulation_is_never_lost),
		TEST(a_simulation_goes_on_after_sigkill_where_it_was),
		TEST(segments_are_made_and_removed_by_the_traces_time),
		TEST(speed_is_times_real_time),
		TEST(a_simulation_with_a_relay_waits_until_all_is_delivered),
		TEST(sigterm_stops_within_5_s_though_a_broker_never_answers),
		TEST(a_sensor_added_by_a_reload_is_simulated_too),
		TEST(a_malformed_trace_is_named_by_line_and_nothing_is_stored),
		TEST(crlf_and_further_columns_are_allowed),
		TEST(a_spreadsheets_byte_order_mark_and_last_empty_lines_are_allowed),
		TEST(a_simulation_touches_no_real_clock),
		TEST(root_becomes_the_user_and_goes_on_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
