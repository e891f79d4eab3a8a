/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the built kryosctl: against a store alone, and against a station served by this test. */
#include "bench.h"
#include "program.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char program[PATH_MAX];

/* What one run gave. */
struct outcome {
	int status;
	char out[65536], err[8192];
};

static void slurp(const char *path, char *buffer, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t count;

	assert_non_null(file);
	count = fread(buffer, 1, size - 1, file);
	buffer[count] = 0;
	fclose(file);
}

/* What runs, or ran last; ended by teardown where a test failed meanwhile. */
static struct program running;
static int running_status;

static bool has_ended(void *data)
{
	(void)data;
	if (running.pid > 0 && waitpid(running.pid, &running_status, WNOHANG) == running.pid)
		running.pid = 0;
	return running.pid == 0;
}

static void start(struct bench *bench, const char *const *arguments)
{
	const char *argv[24] = { program };
	size_t count = 1;

	for (; arguments[count - 1]; count++)
		argv[count] = arguments[count - 1];
	argv[count] = NULL;
	program_start(&running, bench->folder, ARGV(NULL), argv);
}

static void run_with(struct bench *bench, struct outcome *outcome, const char *const *arguments)
{
	start(bench, arguments);
	if (bench->ctx) {
		assert_true(process_until(bench->ctx, has_ended, NULL, 20000));
		assert_true(WIFEXITED(running_status));
		outcome->status = WEXITSTATUS(running_status);
	} else {
		outcome->status = program_wait(&running, 20000);
		assert_true(outcome->status < 128);
	}
	slurp(running.out, outcome->out, sizeof(outcome->out));
	slurp(running.err, outcome->err, sizeof(outcome->err));
}

#define RUN(bench, outcome, ...) run_with(bench, outcome, (const char *const[]){ __VA_ARGS__, NULL })

static void assert_status(const struct outcome *outcome, int expected)
{
	if (outcome->status != expected)
		fail_msg("exit status %d, not %d\n%s\n%s", outcome->status, expected, outcome->out, outcome->err);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static unsigned int count(const char *text, const char *part)
{
	unsigned int found = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		found++;
	return found;
}

static unsigned int count_lines(const char *text)
{
	return count(text, "\n");
}

static void stop_station(struct bench *bench)
{
	kryos_station_close(bench->station);
	bench->station = NULL;
	kryos_ctx_free(bench->ctx);
	bench->ctx = NULL;
}

/* Fifteen readings and one without a value, and nobody serving. */
static void leave_a_store(struct bench *bench)
{
	for (int i = 0; i < 15; i++)
		bench_measure(bench, 5000000 + i * 62500);
	kryos_model_set_present(bench->fridge, 0);
	bench_measure(bench, 0);
	stop_station(bench);
}

static void help_helps_and_misuse_is_status_2(void **state)
{
	static const char *const commands[] = { "status", "read",   "tail",    "export",
		                                "queue",  "verify", "salvage", "command" };
	struct bench *bench = *state;
	struct outcome outcome;

	RUN(bench, &outcome, "--help");
	assert_status(&outcome, 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		RUN(bench, &outcome, "--help");
		assert_has(outcome.out, commands[i]);
		RUN(bench, &outcome, commands[i], "--help");
		assert_status(&outcome, 0);
		assert_has(outcome.out, "Usage: kryosctl ");
		assert_has(outcome.out, commands[i]);
		assert_string_equal(outcome.err, "");
	}
	RUN(bench, &outcome, "--version");
	assert_status(&outcome, 0);
	assert_has(outcome.out, kryos_version());
	run_with(bench, &outcome, (const char *const[]){ NULL });
	assert_status(&outcome, 2);
	RUN(bench, &outcome, "statsu");
	assert_status(&outcome, 2);
	assert_has(outcome.err, "there is no command \"statsu\"");
	RUN(bench, &outcome, "status", "--follow");
	assert_status(&outcome, 2);
	assert_has(outcome.err, "status takes no --follow");
	RUN(bench, &outcome, "status", "more");
	assert_status(&outcome, 2);
	RUN(bench, &outcome, "--nothing");
	assert_status(&outcome, 2);
	RUN(bench, &outcome, "tail", "--count", "many");
	assert_status(&outcome, 2);
	assert_has(outcome.err, "\"many\" is not allowed: a whole number from 0 to 1000000 is");
	RUN(bench, &outcome, "export", "--from", "yesterday");
	assert_status(&outcome, 2);
	assert_has(outcome.err, "2026-11-20T09:12:00Z");
	RUN(bench, &outcome, "export", "--from", "20", "--to", "10");
	assert_status(&outcome, 2);
	RUN(bench, &outcome, "queue", "resend", "main");
	assert_status(&outcome, 2);
	RUN(bench, &outcome, "queue", "resend", "main", "2", "1");
	assert_status(&outcome, 2);
	RUN(bench, &outcome, "queue", "drop");
	assert_status(&outcome, 2);
}

static void tail_prints_the_newest_with_no_daemon(void **state)
{
	struct bench *bench = *state;
	struct outcome outcome;

	leave_a_store(bench);
	RUN(bench, &outcome, "tail", "--store", bench->store);
	assert_status(&outcome, 0);
	assert_int_equal(count_lines(outcome.out), 10);
	assert_has(outcome.out, "fridge.temperature  absent\n");
	assert_has(outcome.out, "2026-11-20T09:27:00Z none  fridge.temperature  5.875 Cel  good\n");
	assert_null(strstr(outcome.out, "5.25 Cel"));
	RUN(bench, &outcome, "--store", bench->store, "tail", "-n", "1000000");
	assert_status(&outcome, 0);
	assert_int_equal(count_lines(outcome.out), 16);
	RUN(bench, &outcome, "tail", "--store", bench->store, "-n", "2", "--json");
	assert_status(&outcome, 0);
	assert_int_equal(count_lines(outcome.out), 2);
	assert_has(outcome.out, "\"value\":5.875,\"unit\":\"Cel\",\"quality\":\"good\"");
	assert_has(outcome.out, "\"value\":null,\"unit\":\"Cel\",\"quality\":\"absent\"");
	RUN(bench, &outcome, "tail", "--store", bench->store, "-n", "0");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "");
	RUN(bench, &outcome, "tail", "--store", bench->store, "-c", "other.temperature");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "");
	assert_string_equal(outcome.err, "kryosctl: the store has no measurement of other.temperature\n");
	RUN(bench, &outcome, "tail", "--store", bench->store, "-c", "fridge.*", "-n", "3");
	assert_int_equal(count_lines(outcome.out), 3);
	assert_string_equal(outcome.err, "");
	RUN(bench, &outcome, "tail", "--store", bench->store, "--events");
	assert_status(&outcome, 0);
	assert_has(outcome.out, "sensor-lost  fridge");
	RUN(bench, &outcome, "tail", "--store", in(bench->folder, "nowhere"));
	assert_status(&outcome, 1);
	assert_has(outcome.err, "nowhere");
}

/* People are told seconds; what machines read keeps all that is known. */
static void times_for_people_are_whole_seconds(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	struct outcome outcome;

	kryos_fake_clock_advance(bench->clock, 123456789);
	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	bench_measure(bench, 5250000);
	RUN(bench, &outcome, "status", "--socket", bench->socket);
	assert_has(outcome.out, "clock\n  2026-11-20T09:13:00Z, none\n");
	assert_has(outcome.out, ", since 2026-11-20T09:13:00Z\n");
	assert_null(strstr(outcome.out, ".123456789"));
	RUN(bench, &outcome, "status", "--json", "--socket", bench->socket);
	assert_has(outcome.out, "\"time\":\"2026-11-20T09:13:00.123456789Z\"");
	RUN(bench, &outcome, "tail", "--store", bench->store);
	assert_string_equal(outcome.out, "2026-11-20T09:13:00Z none  fridge.temperature  5.25 Cel  good\n");
	RUN(bench, &outcome, "tail", "--json", "--store", bench->store);
	assert_has(outcome.out, "{\"time\":\"2026-11-20T09:13:00.123456789Z\",");
	RUN(bench, &outcome, "export", "--store", bench->store);
	assert_has(outcome.out, "\n2026-11-20T09:13:00.123456789Z,fridge.temperature,5.25,Cel,good,");
	kryos_door_close(door);
}

static bool has_new_line(void *data)
{
	char text[65536];

	(void)data;
	slurp(running.out, text, sizeof(text));
	return strstr(text, "7.5 Cel") != NULL;
}

static void tail_follows_while_a_station_writes(void **state)
{
	struct bench *bench = *state;

	bench_measure(bench, 5000000);
	start(bench, (const char *const[]){ "tail", "--store", bench->store, "-f", NULL });
	process_for(bench->ctx, 300);
	bench_measure(bench, 7500000);
	assert_true(process_until(bench->ctx, has_new_line, bench, 15000));
	assert_int_equal(kill(running.pid, SIGTERM), 0);
	assert_true(process_until(bench->ctx, has_ended, NULL, 10000));
	assert_true(WIFSIGNALED(running_status));
}

static void the_alarms_of_a_sample_are_exported_and_shown(void **state)
{
	struct bench *bench = *state;
	struct kryos_sample samples[] = { { .value_micro = 8100000, .alarm = 1u << KRYOS_RULE_HEAT },
		                          { .alarm = 1u << KRYOS_RULE_HEAT | 1u << KRYOS_RULE_SENSOR,
		                            .quality = KRYOS_QUALITY_OPEN },
		                          { .value_micro = 5000000 } };
	struct kryos_store *store;
	struct outcome outcome;
	struct kryos_ctx *ctx;

	stop_station(bench);
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_store_open(&store, ctx, bench->store, NULL));
	for (int i = 0; i < 3; i++)
		assert_ok(kryos_channel_add(ctx, "fridge.temperature", "Cel", &samples[i].channel));
	assert_ok(kryos_store_append(store, samples, 3));
	kryos_ctx_free(ctx);
	RUN(bench, &outcome, "export", "--store", bench->store);
	assert_status(&outcome, 0);
	assert_int_equal(count_lines(outcome.out), 4);
	assert_int_equal(count(outcome.out, ",heat\n"), 1);
	assert_int_equal(count(outcome.out, ",heat+sensor\n"), 1);
	assert_int_equal(count(outcome.out, ",\n"), 1);
	RUN(bench, &outcome, "export", "--store", bench->store, "--json");
	assert_status(&outcome, 0);
	assert_int_equal(count(outcome.out, "\"alarm\":\"heat\","), 1);
	assert_int_equal(count(outcome.out, "\"alarm\":\"heat sensor\","), 1);
	assert_int_equal(count(outcome.out, "alarm"), 2);
	RUN(bench, &outcome, "tail", "--store", bench->store);
	assert_status(&outcome, 0);
	assert_has(outcome.out, "fridge.temperature  8.1 Cel  good  alarm: heat\n");
	assert_has(outcome.out, "fridge.temperature  open  alarm: heat sensor\n");
	assert_has(outcome.out, "fridge.temperature  5 Cel  good\n");
}

static void export_writes_csv_that_names_every_record(void **state)
{
	struct bench *bench = *state;
	struct outcome outcome;
	char csv[65536];

	leave_a_store(bench);
	RUN(bench, &outcome, "export", "--store", bench->store);
	assert_status(&outcome, 0);
	assert_int_equal(count_lines(outcome.out), 17);
	assert_true(
		strncmp(outcome.out,
	                "time,channel,value,unit,quality,trust,seq,round,boot,t_boot_ns,place,device,epoch,corrected,"
	                "salvaged,device_ns,alarm\n",
	                116) == 0);
	assert_has(outcome.out, "2026-11-20T09:13:00Z,fridge.temperature,5,Cel,good,none,");
	assert_has(outcome.out, "2026-11-20T09:28:00Z,fridge.temperature,,Cel,absent,none,");
	assert_has(outcome.out, ",vaccine,");
	assert_has(outcome.err, "16 samples");
	RUN(bench, &outcome, "export", "--store", bench->store, "--from", "2026-11-20T09:20:00Z", "--to",
	    "2026-11-20T09:22:00Z", "-o", in(bench->folder, "out.csv"));
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "");
	slurp(in(bench->folder, "out.csv"), csv, sizeof(csv));
	assert_int_equal(count_lines(csv), 3);
	assert_has(csv, "2026-11-20T09:20:00Z,");
	assert_has(csv, "2026-11-20T09:21:00Z,");
	RUN(bench, &outcome, "export", "--store", bench->store, "--json");
	assert_status(&outcome, 0);
	assert_int_equal(count_lines(outcome.out), 16);
	assert_has(outcome.out, "{\"time\":\"2026-11-20T09:13:00Z\",\"channel\":\"fridge.temperature\",\"value\":5,");
	RUN(bench, &outcome, "export", "--store", bench->store, "--events");
	assert_status(&outcome, 0);
	assert_has(outcome.out, "time,event,name,text,code,first_seq,last_seq,trust,seq,boot,t_boot_ns,epoch\n");
	assert_has(outcome.out, ",sensor-lost,fridge,");
	RUN(bench, &outcome, "export", "--store", bench->store, "-o", in(bench->folder, "no/such/folder.csv"));
	assert_status(&outcome, 1);
	RUN(bench, &outcome, "export", "--store", bench->store, "-o", "/dev/full");
	assert_status(&outcome, 1);
	assert_has(outcome.err, "not everything could be written");
}

static void status_and_read_ask_the_daemon(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	struct outcome outcome;

	RUN(bench, &outcome, "status", "--socket", bench->socket);
	assert_status(&outcome, 1);
	assert_has(outcome.err, "nobody answers; is cryo_daemon running?");
	RUN(bench, &outcome, "read", "--socket", bench->socket);
	assert_status(&outcome, 1);

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	bench_measure(bench, 5250000);
	RUN(bench, &outcome, "status", "--socket", bench->socket);
	assert_status(&outcome, 0);
	assert_true(strncmp(outcome.out, "Bench\n", 6) == 0);
	assert_has(outcome.out, "fridge.temperature");
	assert_has(outcome.out, " 5.25 Cel  good ");
	assert_has(outcome.out, "  ! clock: the time is not known");
	assert_has(outcome.out, "relay main\n  fake://one: ");
	assert_has(outcome.out, "watchdog\n  ");
	RUN(bench, &outcome, "--json", "--socket", bench->socket, "status");
	assert_status(&outcome, 0);
	assert_int_equal(count_lines(outcome.out), 1);
	assert_has(outcome.out, "\"name\":\"Bench\"");
	assert_has(outcome.out, "\"value\":5.25");
	RUN(bench, &outcome, "read", "--socket", bench->socket);
	assert_status(&outcome, 0);
	assert_has(outcome.out, " 5.25 Cel  good ");
	RUN(bench, &outcome, "read", "--json", "--socket", bench->socket);
	assert_has(outcome.out, "{\"readings\":[{\"channel\":\"fridge.temperature\",\"value\":5.25,");
	kryos_door_close(door);
}

static void read_of_a_device_says_what_is_wrong_with_it(void **state)
{
	struct bench *bench = *state;
	struct outcome outcome;

	RUN(bench, &outcome, "read", "bme280");
	assert_status(&outcome, 1);
	assert_has(outcome.err, "driver@bus:place");
	RUN(bench, &outcome, "read", "nothing@i2c-1:0x76");
	assert_status(&outcome, 1);
	assert_has(outcome.err, "no sensor driver \"nothing\"");
	RUN(bench, &outcome, "read", "bme280@i2c-250:0x76");
	assert_status(&outcome, 1);
	assert_has(outcome.err, "i2c-250");
	RUN(bench, &outcome, "read", "a@b:c", "d@e:f");
	assert_status(&outcome, 2);
}

static void queues_are_listed_and_resent_with_and_without_a_daemon(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	struct outcome outcome;

	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	bench_measure(bench, 5250000);
	RUN(bench, &outcome, "queue", "--socket", bench->socket, "--store", bench->store);
	assert_status(&outcome, 0);
	assert_has(outcome.out, "main: owes ");
	assert_string_equal(outcome.err, "");
	RUN(bench, &outcome, "queue", "resend", "main", "1", "100", "--socket", bench->socket);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "main: 1 to 100 are owed again\n");
	RUN(bench, &outcome, "queue", "resend", "mian", "1", "100", "--socket", bench->socket);
	assert_status(&outcome, 1);
	assert_has(outcome.err, "there is no queue \"mian\"; there is main");
	kryos_door_close(door);
	/* The station goes on and holds the store, but does not answer. */
	RUN(bench, &outcome, "queue", "resend", "main", "1", "100", "--socket", bench->socket, "--store", bench->store);
	assert_status(&outcome, 1);
	assert_true(process_until(bench->ctx, NULL, NULL, 0) == false);

	stop_station(bench);
	RUN(bench, &outcome, "queue", "list", "--socket", bench->socket, "--store", bench->store);
	assert_status(&outcome, 0);
	assert_has(outcome.err, "no daemon answers; this is what the store says");
	assert_has(outcome.out, "main: owes ");
	assert_null(strstr(outcome.out, " 0 acknowledged"));
	RUN(bench, &outcome, "queue", "resend", "main", "1", "50", "--socket", bench->socket, "--store", bench->store);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "main: 1 to 50 are owed again\n");
	RUN(bench, &outcome, "queue", "list", "--socket", bench->socket, "--store", bench->store);
	assert_status(&outcome, 0);
	assert_has(outcome.out, "(oldest seq 1), 0 lent");
	assert_null(strstr(outcome.out, "main: owes 0 "));
	RUN(bench, &outcome, "queue", "resend", "none", "1", "50", "--socket", bench->socket, "--store", bench->store);
	assert_status(&outcome, 1);
	RUN(bench, &outcome, "tail", "--events", "-n", "100", "--store", bench->store);
	assert_has(outcome.out, "queue-resend {\"name\":\"main\",\"first\":1,\"last\":100}");
	assert_has(outcome.out, "queue-resend {\"name\":\"main\",\"first\":1,\"last\":50}");
	RUN(bench, &outcome, "queue", "resend", "main", "1", "50", "--socket", bench->socket, "--store",
	    in(bench->folder, "nowhere"));
	assert_status(&outcome, 1);
	assert_int_equal(access(in(bench->folder, "nowhere"), F_OK), -1);
}

/* One that a relay had under another name. */
static void queues_that_nobody_has_are_listed_and_removed_with_and_without_a_daemon(void **state)
{
	struct bench *bench = *state;
	struct kryos_store *store = kryos_station_get_store(bench->station);
	struct kryos_door *door = NULL;
	struct kryos_queue *queue;
	struct outcome outcome;

	bench_measure(bench, 5250000);
	assert_ok(kryos_queue_open(&queue, store, "old", NULL));
	kryos_queue_close(queue);
	assert_ok(kryos_queue_open(&queue, store, "older", NULL));
	kryos_queue_close(queue);
	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	RUN(bench, &outcome, "queue", "--socket", bench->socket, "--store", bench->store);
	assert_status(&outcome, 0);
	assert_has(outcome.out, "main: owes ");
	assert_has(outcome.out, "\nold: owes ");
	assert_has(outcome.out, " dead letters; no relay has it\nolder: owes ");
	RUN(bench, &outcome, "queue", "remove", "main", "--socket", bench->socket);
	assert_status(&outcome, 1);
	assert_has(outcome.err, "queue main: it is open");
	RUN(bench, &outcome, "queue", "remove", "old", "--socket", bench->socket);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "old is removed\n");
	RUN(bench, &outcome, "queue", "--json", "--socket", bench->socket, "--store", bench->store);
	assert_null(strstr(outcome.out, "\"old\""));
	assert_has(outcome.out, "\"name\":\"older\"");
	assert_has(outcome.out, "\"closed\":true");
	kryos_door_close(door);

	stop_station(bench);
	RUN(bench, &outcome, "queue", "remove", "older", "--socket", bench->socket, "--store", bench->store);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "older is removed\n");
	RUN(bench, &outcome, "queue", "remove", "older", "--socket", bench->socket, "--store", bench->store);
	assert_status(&outcome, 1);
	assert_has(outcome.err, "there is no store with a queue \"older\" there");
	RUN(bench, &outcome, "queue", "--socket", bench->socket, "--store", bench->store);
	assert_has(outcome.out, "main: owes ");
	assert_null(strstr(outcome.out, "older: "));
	RUN(bench, &outcome, "tail", "--events", "-n", "100", "--store", bench->store);
	assert_has(outcome.out, "queue-remove {\"name\":\"old\"}");
	assert_has(outcome.out, "queue old was removed; it owed at most ");
	assert_has(outcome.out, "queue-remove {\"name\":\"older\"}");
	assert_has(outcome.out, "queue older was removed; it owed at most ");
}

static unsigned int dead_letters(struct bench *bench)
{
	struct kryos_relay_status status = { .size = sizeof(status) };

	assert_ok(kryos_relay_get_status(kryos_station_get_relay(bench->station, 0, NULL), &status));
	return (unsigned int)status.rejected;
}

static bool has_dead_letters(void *data)
{
	return dead_letters(data) > 0;
}

static void dead_letters_are_named_with_the_receivers_reason(void **state)
{
	struct bench *bench = *state;
	struct outcome outcome;

	kryos_fake_transport_refuse(bench->transport, "fridge.temperature");
	bench_measure(bench, 5250000);
	assert_true(process_until(bench->ctx, has_dead_letters, bench, 10000));
	assert_ok(kryos_store_flush(kryos_station_get_store(bench->station), KRYOS_SECONDS(5)));
	RUN(bench, &outcome, "queue", "dead", "main", "--store", bench->store);
	assert_status(&outcome, 0);
	assert_has(outcome.out, "rejected  main  ");
	RUN(bench, &outcome, "queue", "dead", "main", "--json", "--store", bench->store);
	assert_has(outcome.out, "\"event\":\"rejected\",\"name\":\"main\"");
	RUN(bench, &outcome, "queue", "dead", "mian", "--store", bench->store);
	assert_status(&outcome, 1);
	assert_has(outcome.err, "there is no queue \"mian\"");
}

/* The first segment's file, once it is closed and sealed. */
static bool is_sealed(void *data)
{
	struct stat status;

	return stat(data, &status) == 0 && (status.st_mode & 0777) == 0440;
}

/* Its name is its first seq; names sort as seqs do. */
static void first_segment(struct bench *bench, char *path, size_t size)
{
	char pattern[400];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*.seg", bench->store);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	snprintf(path, size, "%s", found.gl_pathv[0]);
	globfree(&found);
}

/* Segments of a minute, the first of which holds 5.1875 Cel and is sealed. */
static void leave_sealed_segments(struct bench *bench, char *path, size_t size)
{
	FILE *file = fopen(bench->file, "w");

	assert_non_null(file);
	fprintf(file,
	        "[sensor fridge]\naddress = ds18b20@w1:any\n[store]\npath = %s\nsegment = 1min\n[watchdog]\ndevice = "
	        "none\n",
	        bench->store);
	assert_int_equal(fclose(file), 0);
	assert_ok(kryos_station_reload(bench->station));
	bench_measure(bench, 5187500);
	first_segment(bench, path, size);
	for (int i = 1; i < 5; i++)
		bench_measure(bench, 6000000);
	assert_true(process_until(bench->ctx, is_sealed, path, 15000));
	stop_station(bench);
}

/* Changes the last byte of the value in the row: SQLite itself does not notice. */
static void change_value(const char *path)
{
	char bytes[65536];
	size_t size, at = 0;
	FILE *file;

	assert_int_equal(chmod(path, 0600), 0);
	file = fopen(path, "r+");
	assert_non_null(file);
	size = fread(bytes, 1, sizeof(bytes), file);
	/* 5187500, as SQLite stores it: a big-endian integer of 24 bits (file format 2.1). */
	for (size_t i = 0; i + 3 <= size; i++) {
		if (memcmp(bytes + i, "\x4f\x27\xac", 3) == 0)
			at = i;
	}
	assert_true(at > 0);
	assert_int_equal(fseek(file, (long)at + 2, SEEK_SET), 0);
	assert_int_equal(fputc(0xad, file), 0xad);
	assert_int_equal(fclose(file), 0);
}

static void verify_tells_a_good_store_from_a_changed_one(void **state)
{
	struct bench *bench = *state;
	struct outcome outcome;
	char path[400];

	leave_sealed_segments(bench, path, sizeof(path));
	RUN(bench, &outcome, "verify", "--store", bench->store);
	assert_status(&outcome, 0);
	assert_has(outcome.out, "5 samples in ");
	assert_null(strstr(outcome.out, " 0 of them sealed"));
	assert_has(outcome.out, "row checksums: 0 wrong; hash chain: 0 breaks; seals: 0 wrong\n");
	assert_has(outcome.out, "One device cannot prove alone");
	assert_string_equal(strchr(strstr(outcome.out, "One device"), '\n'), "\n");
	RUN(bench, &outcome, "verify", "--json", bench->store);
	assert_status(&outcome, 0);
	assert_has(outcome.out, "\"good\":true");
	RUN(bench, &outcome, "verify", path);
	assert_status(&outcome, 0);

	change_value(path);
	RUN(bench, &outcome, "verify", bench->store);
	assert_status(&outcome, 1);
	assert_has(outcome.out, "row checksums: 1 wrong");
	assert_has(outcome.out, "first problem: ");
	assert_has(outcome.out, "It was changed or damaged");
	RUN(bench, &outcome, "export", "--store", bench->store);
	assert_status(&outcome, 1);
	assert_has(outcome.err, "1 damaged rows or segments were left out");
	assert_int_equal(count_lines(outcome.out), 5);
	RUN(bench, &outcome, "verify", in(bench->folder, "nowhere"));
	assert_status(&outcome, 1);
	assert_has(outcome.err, "No such file");
	/* Another file is not called damaged. */
	RUN(bench, &outcome, "verify", in(bench->store, "state.db"));
	assert_status(&outcome, 1);
	assert_has(outcome.err, "neither a store's folder nor a segment");
	assert_string_equal(outcome.out, "");
}

/* user_version, a big-endian integer at offset 60 of a SQLite file (file format 1.3). */
static void make_newer(const char *path)
{
	FILE *file;

	assert_int_equal(chmod(path, 0600), 0);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, 63, SEEK_SET), 0);
	assert_int_equal(fputc(9, file), 9);
	assert_int_equal(fclose(file), 0);
}

static void a_newer_versions_segment_is_not_called_damaged(void **state)
{
	struct bench *bench = *state;
	struct outcome outcome;
	char path[400];

	leave_sealed_segments(bench, path, sizeof(path));
	make_newer(path);
	RUN(bench, &outcome, "export", "--store", bench->store);
	assert_status(&outcome, 1);
	assert_has(outcome.err, "kryosctl: 1 segments of a newer version's format were left out; this is kryosctl ");
	assert_null(strstr(outcome.err, "damaged"));
	assert_null(strstr(outcome.out, ",5.1875,"));
	assert_has(outcome.out, ",6,Cel,good,");
	RUN(bench, &outcome, "tail", "--store", bench->store);
	assert_status(&outcome, 1);
	assert_has(outcome.err, "1 segments of a newer version's format");
	assert_null(strstr(outcome.err, "damaged"));
}

static void commands_are_listed_and_carried_out(void **state)
{
	struct bench *bench = *state;
	struct kryos_door *door = NULL;
	struct outcome outcome;

	RUN(bench, &outcome, "command");
	assert_status(&outcome, 0);
	assert_has(outcome.out, "log-level      change ");
	assert_has(outcome.out, "level=text");
	RUN(bench, &outcome, "command", "--json");
	assert_has(outcome.out, "[{\"name\":\"status\",\"right\":\"read\"");
	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
	RUN(bench, &outcome, "command", "log-level", "level=debug", "--socket", bench->socket);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "{\"level\":\"debug\"}\n");
	RUN(bench, &outcome, "command", "log-level", "level=7", "--socket", bench->socket);
	assert_status(&outcome, 1);
	assert_has(outcome.err, "level must be a text");
	RUN(bench, &outcome, "command", "log-level", "debug", "--socket", bench->socket);
	assert_status(&outcome, 2);
	kryos_door_close(door);
}

static bool find_program(void)
{
	const char *given = getenv("KRYOSCTL");
	ssize_t count;
	char *slash;

	if (given) {
		snprintf(program, sizeof(program), "%s", given);
		return access(program, X_OK) == 0;
	}
	/* The build folder's: <build>/tests/this, <build>/examples/kryosctl/kryosctl. */
	count = readlink("/proc/self/exe", program, sizeof(program) - 64);
	if (count < 0)
		return false;
	program[count] = 0;
	for (int i = 0; i < 2; i++) {
		slash = strrchr(program, '/');
		if (!slash)
			return false;
		*slash = 0;
	}
	strcat(program, "/examples/kryosctl/kryosctl");
	return access(program, X_OK) == 0;
}

static int teardown(void **state)
{
	program_end(&running);
	return bench_teardown(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(help_helps_and_misuse_is_status_2),
		TEST(tail_prints_the_newest_with_no_daemon),
		TEST(times_for_people_are_whole_seconds),
		TEST(tail_follows_while_a_station_writes),
		TEST(the_alarms_of_a_sample_are_exported_and_shown),
		TEST(export_writes_csv_that_names_every_record),
		TEST(status_and_read_ask_the_daemon),
		TEST(read_of_a_device_says_what_is_wrong_with_it),
		TEST(queues_are_listed_and_resent_with_and_without_a_daemon),
		TEST(queues_that_nobody_has_are_listed_and_removed_with_and_without_a_daemon),
		TEST(dead_letters_are_named_with_the_receivers_reason),
		TEST(verify_tells_a_good_store_from_a_changed_one),
		TEST(a_newer_versions_segment_is_not_called_damaged),
		TEST(commands_are_listed_and_carried_out),
	};

	if (!find_program()) {
		printf("skipped: kryosctl is not built (KRYOS_BUILD_DAEMON is off)\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
