/* SPDX-License-Identifier: Apache-2.0 */
/* kryosctl alarm, channel and collect: against a station that this test serves, and with its store alone. */
#include "program.h"
#include "rig.h"
#include <dirent.h>
#include <fcntl.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOON INT64_C(1795000000000000000)
#define WAIT_MS 20000

struct bench {
	char *folder;
	char path[300], socket[300];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio, *w1;
	struct kryos_model *fridge, *lamp;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
	struct program program;
	int status;
	char *out, *err;
};

static void start_station(struct bench *bench)
{
	struct kryos_door *door;

	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	assert_ok(kryos_fake_bus_attach(bench->w1, bench->ctx));
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->path, KRYOS_STATION_CONFIG(.manual = 1)));
	assert_ok(kryos_door_open(&door, bench->station, bench->socket));
}

static void stop_station(struct bench *bench)
{
	kryos_ctx_free(bench->ctx);
	bench->ctx = NULL;
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	char text[2000];

	*state = bench;
	unsetenv("STATE_DIRECTORY");
	bench->folder = scratch_new();
	snprintf(bench->path, sizeof(bench->path), "%s/station.ini", bench->folder);
	snprintf(bench->socket, sizeof(bench->socket), "%s/control", bench->folder);
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	kryos_fake_clock_set_synced(bench->clock, 1);
	assert_ok(kryos_fake_bus_new(&bench->gpio, "gpio"));
	assert_ok(kryos_fake_bus_new(&bench->w1, "w1"));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &bench->fridge));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO22", &bench->lamp));
	snprintf(text, sizeof(text),
	         "[station]\nname = Clinic 1 (north)\n[sensor fridge]\naddress = ds18b20@w1:28-000000000001\n[rule "
	         "hot]\nkind = heat\nthreshold = 8\n"
	         "comparator = gt\nduration = 0s\n[profile own]\nrules = hot\n[alarm fridge]\n"
	         "channel = fridge.temperature\nprofile = own\n[output lamp]\naddress = lamp@gpio:GPIO22\n"
	         "shows = alarms\n[watchdog]\ndevice = none\n[store]\npath = %s/store\n",
	         bench->folder);
	write_file(bench->path, text);
	start_station(bench);
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	program_end(&bench->program);
	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_bus_free(bench->w1);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench->out);
	free(bench->err);
	free(bench);
	return 0;
}

static bool is_idle(void *data)
{
	struct bench *bench = data;

	return kryos_sampler_busy(kryos_station_get_sampler(bench->station)) == 0;
}

static void measure(struct bench *bench, int celsius)
{
	assert_ok(kryos_model_set(bench->fridge, "temperature", celsius * 1000000));
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(1));
	assert_ok(kryos_sampler_round(kryos_station_get_sampler(bench->station)));
	assert_true(process_until(bench->ctx, is_idle, bench, WAIT_MS));
	process_for(bench->ctx, 20);
}

static bool has_ended(void *data)
{
	struct bench *bench = data;
	int status;

	if (bench->program.pid > 0 && waitpid(bench->program.pid, &status, WNOHANG) == bench->program.pid) {
		bench->program.pid = 0;
		assert_true(WIFEXITED(status));
		bench->status = WEXITSTATUS(status);
	}
	return bench->program.pid == 0;
}

/* Served meanwhile, where there is a station. */
static void run(struct bench *bench, const char *const *arguments)
{
	const char *argv[16] = { built("examples/kryosctl/kryosctl"), "--socket", bench->socket };
	size_t count = 3;

	for (; arguments[count - 3]; count++)
		argv[count] = arguments[count - 3];
	program_start(&bench->program, bench->folder, ARGV(NULL), argv);
	if (bench->ctx)
		assert_true(process_until(bench->ctx, has_ended, bench, WAIT_MS));
	else
		bench->status = program_wait(&bench->program, WAIT_MS);
	free(bench->out);
	free(bench->err);
	bench->out = file_text(bench->program.out);
	bench->err = file_text(bench->program.err);
}

#define RUN(bench, ...) run(bench, (const char *const[]){ __VA_ARGS__, NULL })

static void expect(struct bench *bench, int status, const char *says)
{
	if (bench->status != status || !strstr(status ? bench->err : bench->out, says))
		fail_msg("exit status %d, not %d with \"%s\"\n%s%s", bench->status, status, says, bench->out,
		         bench->err);
}

/* name NULL: whatever it is. */
static unsigned int stored(struct bench *bench, enum kryos_event_type type, const char *name, const char *says)
{
	const struct kryos_record *record = NULL;
	struct kryos_reader *reader;
	struct kryos_ctx *ctx;
	unsigned int count = 0;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_reader_open(&reader, ctx, in(bench->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0)
		count += record->event->type == type && (!name || strcmp(record->event->name, name) == 0) &&
		         strstr(record->event->text, says);
	kryos_ctx_free(ctx);
	return count;
}

static unsigned int stored_any(struct bench *bench, enum kryos_event_type type)
{
	return stored(bench, type, NULL, "");
}

static const char *login(void)
{
	const struct passwd *user = getpwuid(getuid());

	assert_non_null(user);
	return user->pw_name;
}

static void an_alarm_is_listed_and_acknowledged(void **state)
{
	struct bench *bench = *state;
	char by[100];

	measure(bench, 5);
	RUN(bench, "alarm");
	expect(bench, 0, "no alarms\n");
	measure(bench, 12);
	RUN(bench, "alarm", "list");
	expect(bench, 0,
	       "fridge.temperature hot: open since 2026-11-18T11:06:42Z, 12 Cel at worst; nobody has acknowledged "
	       "it\n");
	RUN(bench, "alarm", "ack", "fridge.temperature", "hot");
	expect(bench, 2, "--comment TEXT is needed");
	RUN(bench, "alarm", "ack", "fridge.temperature", "cold", "--comment", "x");
	expect(bench, 1, "fridge.temperature: cold: there is nothing to acknowledge");
	RUN(bench, "alarm", "ack", "fridge.temperature", "hot", "--comment", "door was open");
	expect(bench, 0, "fridge.temperature hot of 2026-11-18T11:06:42Z is acknowledged\n");
	RUN(bench, "alarm");
	snprintf(by, sizeof(by), "; acknowledged at 2026-11-18T11:06:42Z by %.40s: door was open\n", login());
	expect(bench, 0, by);
	RUN(bench, "--json", "alarm");
	expect(bench, 0, "{\"alarms\":[{\"channel\":\"fridge.temperature\",\"rule\":\"hot\",\"kind\":\"heat\"");
	RUN(bench, "status");
	expect(bench, 0,
	       "  ! fridge.temperature: alarm hot since 2026-11-18T11:06:42Z, 12 Cel at worst; acknowledged by ");
	assert_int_equal(stored(bench, KRYOS_EVENT_AUDIT, login(), "alarm.acknowledge {\"channel\""), 2 + 1);
	RUN(bench, "alarm", "silence");
	expect(bench, 2, "there is no \"silence\"; list, ack and test are");
}

static void of_several_alarms_the_newest_is_acknowledged_and_named(void **state)
{
	struct bench *bench = *state;

	measure(bench, 12);
	measure(bench, 5);
	measure(bench, 13);
	measure(bench, 5);
	RUN(bench, "alarm", "ack", "fridge.temperature", "hot", "--comment", "the second");
	expect(bench, 0, "fridge.temperature hot of 2026-11-18T11:06:43Z is acknowledged\n");
	RUN(bench, "alarm", "ack", "fridge.temperature", "hot", "--comment", "the first");
	expect(bench, 0, "fridge.temperature hot of 2026-11-18T11:06:41Z is acknowledged\n");
	RUN(bench, "alarm");
	expect(bench, 0, "no alarms\n");
}

static void alarms_that_gave_way_to_newer_ones_are_counted(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 19; i++) {
		measure(bench, 12);
		measure(bench, 5);
	}
	RUN(bench, "alarm");
	expect(bench, 0, "fridge.temperature: and 3 older ones, in the events only\n");
	RUN(bench, "status", "--prometheus");
	expect(bench, 0, "\nkryos_alarms_ended_unacknowledged 19\n");
	stop_station(bench);
	start_station(bench);
	RUN(bench, "status");
	expect(bench, 0, "  ! fridge.temperature: and 3 older alarms, in the events only\n");
	for (int i = 0; i < 16; i++)
		RUN(bench, "alarm", "ack", "fridge.temperature", "hot", "--comment", "seen");
	expect(bench, 0, "fridge.temperature hot of ");
	RUN(bench, "alarm");
	expect(bench, 0, "fridge.temperature: and 3 older ones, in the events only\n");
	assert_null(strstr(bench->out, "no alarms"));
	RUN(bench, "alarm", "ack", "fridge.temperature", "cold", "--comment", "seen");
	expect(bench, 1, "there is nothing to acknowledge");
	RUN(bench, "alarm", "ack", "fridge.temperature", "hot", "--comment", "read the events");
	expect(bench, 0, "fridge.temperature: 3 older ones are acknowledged\n");
	RUN(bench, "alarm");
	expect(bench, 0, "no alarms\n");
	assert_null(strstr(bench->out, "older"));
}

static void a_test_is_run_by_the_daemon_only(void **state)
{
	struct bench *bench = *state;

	measure(bench, 5);
	RUN(bench, "alarm", "test");
	expect(bench, 0, "on for 5 s: lamp\nno message: the station has no relay\n");
	RUN(bench, "status");
	expect(bench, 0, "  tested: 2026-11-18T11:06:41Z\n");
	stop_station(bench);
	RUN(bench, "alarm", "test", "--config", bench->path);
	expect(bench, 1, "only a daemon has the lamps and buzzers");
	assert_int_equal(stored(bench, KRYOS_EVENT_TEST, "", "outputs=lamp"), 1);
}

static void a_channel_is_retired_and_resumed(void **state)
{
	struct bench *bench = *state;

	measure(bench, 12);
	RUN(bench, "channel");
	expect(bench, 0, "fridge.temperature: alarm: heat\n");
	RUN(bench, "channel", "retire", "fridge.temperature");
	expect(bench, 2, "--why TEXT is needed");
	RUN(bench, "channel", "retire", "room.temperature", "--why", "x");
	expect(bench, 1, "room.temperature: no rules watch this channel");
	RUN(bench, "channel", "retire", "fridge.temperature", "--why", "empty");
	expect(bench, 0, "fridge.temperature is retired: it is still recorded, and raises no alarms\n");
	RUN(bench, "channel");
	expect(bench, 0, "fridge.temperature: retired since 2026-11-18T11:06:41Z by ");
	RUN(bench, "channel", "retire", "fridge.temperature", "--why", "again");
	expect(bench, 1, "it is retired, by ");
	RUN(bench, "channel", "resume", "fridge.temperature", "--why", "full");
	expect(bench, 0, "fridge.temperature raises alarms again\n");
	RUN(bench, "channel");
	expect(bench, 0, "fridge.temperature: no alarm\n");
}

/* Another process holds the lock of writers, which is byte 120 of the shared memory (SQLite, WAL-mode file format). */
static pid_t hold_disk(struct bench *bench)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 120, .l_len = 1 };
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(in(bench->folder, "store/state.db-shm"), O_RDWR | O_CLOEXEC);

		if (fd < 0 || fcntl(fd, F_SETLKW, &lock) < 0 || write(ready[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void what_the_disk_has_not_taken_is_said_to_be_on_its_way(void **state)
{
	struct bench *bench = *state;
	pid_t holder;

	measure(bench, 12);
	holder = hold_disk(bench);
	RUN(bench, "alarm", "ack", "fridge.temperature", "hot", "--comment", "seen");
	expect(bench, 0, " is acknowledged\n! the disk has not taken it yet");
	RUN(bench, "--json", "channel", "retire", "fridge.temperature", "--why", "empty");
	expect(bench, 0, "\"retired\":true,\"durable\":false");
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	RUN(bench, "--json", "channel", "resume", "fridge.temperature", "--why", "full");
	expect(bench, 0, "\"retired\":false,\"durable\":true");
	assert_int_equal(stored(bench, KRYOS_EVENT_ACKNOWLEDGED, "fridge.temperature", " comment=seen"), 1);
	assert_int_equal(stored(bench, KRYOS_EVENT_RESUMED, "fridge.temperature", " why=full"), 1);
}

/* What is said without a daemon is in force when it comes back. */
static void without_a_daemon_the_store_is_told(void **state)
{
	struct bench *bench = *state;
	char by[100];

	measure(bench, 12);
	stop_station(bench);
	RUN(bench, "alarm", "--config", bench->path);
	expect(bench, 0, "fridge.temperature hot: open since 2026-11-18T11:06:41Z, 12 Cel at worst;");
	expect(bench, 0, "fridge.temperature: no daemon runs, and this is up to 2026-11-18T11:06:41Z\n");
	RUN(bench, "channel", "--config", bench->path);
	expect(bench, 0,
	       "fridge.temperature: alarm: heat\nfridge.temperature: no daemon runs, and this is up to 2026-");
	RUN(bench, "alarm", "ack", "fridge.temperature", "hot", "--comment", "seen", "--config", bench->path);
	expect(bench, 0, "fridge.temperature hot of 2026-11-18T11:06:41Z is acknowledged\n");
	snprintf(by, sizeof(by), " by=%.31s comment=seen", login());
	assert_int_equal(stored(bench, KRYOS_EVENT_ACKNOWLEDGED, "fridge.temperature", by), 1);
	assert_int_equal(stored(bench, KRYOS_EVENT_AUDIT, login(), "alarm.acknowledge {\"channel\""), 1);
	RUN(bench, "--json", "channel", "retire", "fridge.temperature", "--why", "empty", "--config", bench->path);
	expect(bench, 0, "\"retired\":true,\"durable\":true");
	/* Nothing was measured meanwhile. */
	RUN(bench, "channel", "--config", bench->path);
	expect(bench, 0, "fridge.temperature: retired since ");
	expect(bench, 0, "fridge.temperature: no daemon runs, and this is up to 2026-11-18T11:06:41Z\n");
	RUN(bench, "channel", "resume", "fridge.temperature", "--why", "full", "--config", bench->path);
	RUN(bench, "channel", "--config", bench->path);
	expect(bench, 0, "fridge.temperature: no daemon runs, and this is up to 2026-11-18T11:06:41Z\n");
	RUN(bench, "channel", "retire", "fridge.temperature", "--why", "empty", "--config", bench->path);
	/* Told once each, by whoever was the first to know. */
	assert_int_equal(stored(bench, KRYOS_EVENT_ALARM_ON, "fridge.temperature", ""), 1);
	assert_int_equal(stored(bench, KRYOS_EVENT_ALARM_OFF, "fridge.temperature", "ended=retired"), 1);
	start_station(bench);
	measure(bench, 12);
	RUN(bench, "channel");
	expect(bench, 0, "fridge.temperature: retired since ");
	RUN(bench, "alarm");
	expect(bench, 0, "no alarms\n");
	assert_int_equal(stored(bench, KRYOS_EVENT_ALARM_ON, "fridge.temperature", ""), 1);
	/* Nor without a file, or beside a daemon that does not answer but holds the store. */
	unlink(bench->socket);
	RUN(bench, "channel", "--config", in(bench->folder, "none.ini"));
	expect(bench, 1, "none.ini");
	RUN(bench, "channel", "--config", bench->path);
	expect(bench, 1, "store");
}

/* No alarms is not what is said where nobody knows. */
static void a_channel_without_a_state_is_not_known(void **state)
{
	struct bench *bench = *state;

	measure(bench, 12);
	stop_station(bench);
	RUN(bench, "channel", "--config", bench->path);
	expect(bench, 0, "fridge.temperature: alarm: heat\n");
	assert_true(rig_sql(in(bench->folder, "store/state.db"), "DELETE FROM state") > 0);
	RUN(bench, "alarm", "--config", bench->path);
	expect(bench, 1, "fridge.temperature: its alarms are not known");
	assert_non_null(strstr(bench->out, "fridge.temperature hot: open since 2026-11-18T11:06:41Z"));
	RUN(bench, "channel", "--config", bench->path);
	expect(bench, 1, "fridge.temperature: its alarms are not known");
	assert_string_equal(bench->out, "");
	RUN(bench, "--json", "channel", "--config", bench->path);
	expect(bench, 1, "its alarms are not known");
	assert_non_null(strstr(bench->out, "\"channels\":[],\"visited\":[{\"channel\":\"fridge.temperature\","
	                                   "\"until\":null,\"trust\":\"none\",\"unknown\":\"nothing is kept of it\""));
	RUN(bench, "alarm", "ack", "fridge.temperature", "hot", "--comment", "seen", "--config", bench->path);
	expect(bench, 1, "the daemon has to run first");
	start_station(bench);
	RUN(bench, "alarm");
	expect(bench, 0, "fridge.temperature hot: open since 2026-11-18T11:06:41Z");
	assert_null(strstr(bench->out, "no daemon runs"));
	assert_int_equal(stored_any(bench, KRYOS_EVENT_ALARM_ON), 1);
}

/* Looking at alarms, with a file that knows of none, is no order to give them up. */
static void a_look_with_another_file_changes_nothing(void **state)
{
	struct bench *bench = *state;
	char text[400], by[100], other[320];
	unsigned int configured;

	measure(bench, 12);
	stop_station(bench);
	configured = stored_any(bench, KRYOS_EVENT_CONFIGURED);
	assert_int_equal(stored_any(bench, KRYOS_EVENT_START), 1);
	snprintf(other, sizeof(other), "%s/other.ini", bench->folder);
	snprintf(text, sizeof(text),
	         "[sensor room]\naddress = ds18b20@w1:28-000000000002\n[watchdog]\ndevice = none\n"
	         "[store]\npath = %s/store\n",
	         bench->folder);
	write_file(other, text);
	RUN(bench, "alarm", "--config", other);
	expect(bench, 0, "fridge.temperature hot: open since 2026-11-18T11:06:41Z");
	RUN(bench, "channel", "--config", other);
	expect(bench, 0, "fridge.temperature: alarm: heat\n");
	RUN(bench, "alarm", "ack", "fridge.temperature", "hot", "--comment", "seen", "--config", other);
	expect(bench, 0, "is acknowledged\n");
	assert_int_equal(stored_any(bench, KRYOS_EVENT_CONFIGURED), configured);
	assert_int_equal(stored_any(bench, KRYOS_EVENT_START), 1);
	assert_int_equal(stored_any(bench, KRYOS_EVENT_ALARM_OFF), 0);
	start_station(bench);
	measure(bench, 12);
	RUN(bench, "alarm");
	snprintf(by, sizeof(by), " by %.40s: seen\n", login());
	expect(bench, 0, by);
	expect(bench, 0, "hot: open since 2026-11-18T11:06:41Z");
	assert_int_equal(stored_any(bench, KRYOS_EVENT_ALARM_OFF), 0);
	assert_int_equal(stored_any(bench, KRYOS_EVENT_ALARM_ON), 1);
}

static void prometheus_gets_its_numbers(void **state)
{
	struct bench *bench = *state;

	measure(bench, 12);
	RUN(bench, "status", "--prometheus");
	expect(bench, 0, "\nkryos_alarm_open{channel=\"fridge.temperature\",rule=\"hot\",kind=\"heat\"} 1\n");
}

/* The folder that was written to, by what was said. */
static char *folder_of(struct bench *bench)
{
	const char *end = strstr(bench->out, ": report.pdf");

	assert_non_null(end);
	return strndup(bench->out, (size_t)(end - bench->out));
}

static void assert_report(const char *folder)
{
	char *text = file_text(in(folder, "report.pdf"));

	assert_true(strncmp(text, "%PDF", 4) == 0);
	free(text);
}

static unsigned int count_entries(const char *path)
{
	DIR *folder = opendir(path);
	unsigned int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 2; /* "." and ".." */
}

/* As a run that was cut leaves it where the next one begins: its folder, with a bundle's own in it. */
static void leave_part(const char *first)
{
	char part[400], inner[440];

	snprintf(part, sizeof(part), "%s-2.part", first);
	assert_int_equal(mkdir(part, 0700), 0);
	snprintf(inner, sizeof(inner), "%s/bundle.tar.abcdef", part);
	assert_int_equal(mkdir(inner, 0700), 0);
	write_file(in(inner, "MANIFEST"), "half");
	write_file(in(part, "report.pdf.part"), "half");
}

static void a_stick_gets_a_report_and_keeps_what_is_on_it(void **state)
{
	struct bench *bench = *state;
	char stick[300], kryos[320], *first, *second;

	for (int i = 0; i < 5; i++)
		measure(bench, 5 + i);
	stop_station(bench);
	snprintf(stick, sizeof(stick), "%s/stick", bench->folder);
	snprintf(kryos, sizeof(kryos), "%s/kryos", stick);
	assert_int_equal(mkdir(stick, 0700), 0);
	RUN(bench, "collect", stick, "--store", in(bench->folder, "store"), "--config", bench->path);
	expect(bench, 1, "stick has no folder kryos: nothing was written\n");
	assert_int_equal(count_entries(stick), 0);
	assert_int_equal(mkdir(kryos, 0700), 0);
	RUN(bench, "collect", stick, "--store", in(bench->folder, "store"), "--config", bench->path);
	if (strstr(bench->err, "was built without reports")) {
		print_message("skipped: this kryosctl was built without reports\n");
		skip();
	}
	expect(bench, 0, ": report.pdf and bundle.tar; the stick may be pulled\n");
	first = folder_of(bench);
	assert_non_null(strstr(first, "/kryos/Clinic-1-north-20"));
	assert_report(first);
	RUN(bench, "verify", in(first, "bundle.tar"));
	expect(bench, 0, "");
	write_file(in(first, "report.pdf"), "kept");
	/* A stick that was pulled too early. */
	leave_part(first);
	RUN(bench, "collect", stick, "--store", in(bench->folder, "store"), "--config", bench->path);
	expect(bench, 0, "; the stick may be pulled\n");
	second = folder_of(bench);
	assert_string_not_equal(first, second);
	assert_report(second);
	assert_file_has(in(first, "report.pdf"), "kept");
	/* What can't be made leaves nothing. */
	RUN(bench, "collect", stick, "--store", in(bench->folder, "none"), "--config", bench->path);
	expect(bench, 1, "nothing was written\n");
	assert_int_equal(count_entries(kryos), 2);
	RUN(bench, "collect");
	expect(bench, 2, "FOLDER is needed");
	free(first);
	free(second);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(of_several_alarms_the_newest_is_acknowledged_and_named),
		CASE(an_alarm_is_listed_and_acknowledged),
		CASE(alarms_that_gave_way_to_newer_ones_are_counted),
		CASE(a_test_is_run_by_the_daemon_only),
		CASE(a_channel_is_retired_and_resumed),
		CASE(what_the_disk_has_not_taken_is_said_to_be_on_its_way),
		CASE(without_a_daemon_the_store_is_told),
		CASE(a_channel_without_a_state_is_not_known),
		CASE(a_look_with_another_file_changes_nothing),
		CASE(prometheus_gets_its_numbers),
		CASE(a_stick_gets_a_report_and_keeps_what_is_on_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
