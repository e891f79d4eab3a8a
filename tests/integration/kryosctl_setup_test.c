/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup, scan and doctor on a machine without a board, and beside a station of models in this process; with chips on
 * the real kernel they are tried in tests/vm/cases/setup.sh.
 */
#include "program.h"
#include "support.h"
#include <errno.h>
#include <glob.h>
#include <kryos/command.h>
#include <kryos/station.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct program running;
static int running_status;

struct desk {
	char *folder;
	char out[16384], err[4096];
	int status;
	/* Of a station. */
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	struct kryos_model *probe;
	struct kryos_station *station;
	struct kryos_door *door;
	uint64_t rounds;
};

static int set_up(void **state)
{
	struct desk *desk = test_calloc(1, sizeof(*desk));

	desk->folder = scratch_new();
	*state = desk;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *desk = *state;

	if (desk->ctx) {
		kryos_door_close(desk->door);
		kryos_ctx_free(desk->ctx);
		kryos_fake_bus_free(desk->bus);
		kryos_fake_clock_free(desk->clock);
	}
	scratch_free(desk->folder);
	test_free(desk);
	return 0;
}

static void slurp(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length;

	assert_non_null(file);
	length = fread(text, 1, size - 1, file);
	text[length] = '\0';
	fclose(file);
}

static bool has_ended(void *data)
{
	(void)data;
	if (running.pid > 0 && waitpid(running.pid, &running_status, WNOHANG) == running.pid)
		running.pid = 0;
	return running.pid == 0;
}

static void run(struct desk *desk, const char *const *arguments)
{
	const char *argv[16] = { built("examples/kryosctl/kryosctl") };
	size_t count = 1;

	for (; arguments[count - 1]; count++)
		argv[count] = arguments[count - 1];
	argv[count] = NULL;
	program_start(&running, desk->folder, ARGV(NULL), argv);
	if (desk->ctx) {
		assert_true(process_until(desk->ctx, has_ended, NULL, 20000));
		assert_true(WIFEXITED(running_status));
		desk->status = WEXITSTATUS(running_status);
	} else {
		desk->status = program_wait(&running, 20000);
	}
	slurp(running.out, desk->out, sizeof(desk->out));
	slurp(running.err, desk->err, sizeof(desk->err));
}
#define RUN(desk, ...) run(desk, (const char *const[]){ __VA_ARGS__, NULL })

static void expect(const struct desk *desk, int status, const char *out, const char *err)
{
	if (desk->status != status || !strstr(desk->out, out) || !strstr(desk->err, err))
		fail_msg("%d, not %d with \"%s\" and \"%s\":\n%s\n%s", desk->status, status, out, err, desk->out,
		         desk->err);
}

static void expect_not(const struct desk *desk, const char *text)
{
	if (strstr(desk->out, text))
		fail_msg("\"%s\" is in:\n%s", text, desk->out);
}

/* Real buses would be looked at, and what is on them found. */
static void skip_with_buses(void)
{
	glob_t found = { 0 };
	bool any = glob("/dev/i2c-*", 0, NULL, &found) == 0 || glob("/dev/spidev*", GLOB_APPEND, NULL, &found) == 0;

	globfree(&found);
	if (!any && access("/sys/bus/w1/devices", F_OK) < 0)
		return;
	print_message("skipped: this machine has buses of its own\n");
	skip();
}

static void setup_says_what_is_missing_and_writes_nothing(void **state)
{
	struct desk *desk = *state;
	const char *file = in(desk->folder, "station.ini"), *store = in(desk->folder, "store");

	skip_with_buses();
	RUN(desk, "setup", "--store", store, "-o", file, "--socket", in(desk->folder, "control"));
	expect(desk, 1, "  i2c         nothing: ", "no sensor was found, so there is nothing to write");
	expect(desk, 1, "  w1          nothing: ", "");
	expect(desk, 1, "  disk        ", "");
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(access(in(desk->folder, "station.ini.new"), F_OK), -1);
}

static void setup_refuses_what_it_can_not_do_before_it_looks(void **state)
{
	struct desk *desk = *state;
	const char *file = in(desk->folder, "station.ini");
	char text[64];

	RUN(desk, "setup", "--store", "data");
	expect(desk, 2, "", "--store: \"data\" is not allowed; a path from the root is, as in /var/lib/kryos");
	RUN(desk, "setup", "now");
	expect(desk, 2, "", "there is no argument \"now\"");
	write_file(file, "# mine\n");
	RUN(desk, "setup", "--store", in(desk->folder, "store"), "-o", file);
	expect(desk, 1, "", "is there already and stays as it is");
	assert_int_equal(strlen(desk->out), 0);
	slurp(file, text, sizeof(text));
	assert_string_equal(text, "# mine\n");
}

static void scan_prints_findings_as_json(void **state)
{
	struct desk *desk = *state;

	skip_with_buses();
	RUN(desk, "scan", "--json", "--socket", in(desk->folder, "control"));
	expect(desk, 0,
	       "{\"kind\":\"bus\",\"usable\":false,\"where\":\"w1\",\"driver\":null,\"device\":null,\"text\":\"nothing:"
	       " ",
	       "");
}

static void doctor_without_a_daemon_looks_at_the_file(void **state)
{
	struct desk *desk = *state;
	const char *file = in(desk->folder, "station.ini"), *control = in(desk->folder, "control");
	char text[512];

	RUN(desk, "doctor", "--socket", control, in(desk->folder, "none.ini"));
	expect(desk, 1, "! daemon      ", "");
	expect(desk, 1, "No such file or directory", "");

	write_file(file, "[sensor fridge]\naddress = ds18b20@w1:nowhere\n[store]\nsegment = 5\n");
	RUN(desk, "doctor", "--socket", control, file);
	expect(desk, 1, "station.ini:2: address: ", "");
	expect(desk, 1, "station.ini:4: segment: ", "");

	assert_int_equal(mkdir(in(desk->folder, "store"), 0700), 0);
	snprintf(text, sizeof(text),
	         "[sensor fridge]\naddress = bme280@i2c-250:0x76\n[power rail]\naddress = switch@gpio:GPIO5\n"
	         "[sensor room]\naddress = bme280@i2c-251:0x76\npower = rail\n[store]\npath = %s\n",
	         in(desk->folder, "store"));
	write_file(file, text);
	RUN(desk, "doctor", "--socket", control, file);
	expect(desk, 1, "! fridge      bme280@i2c-250:0x76: ", "");
	expect(desk, 1, "  room        not tried: its power rail is off while no station runs", "");
	snprintf(text, sizeof(text), "  disk        %s, sync ", in(desk->folder, "store"));
	expect(desk, 1, text, "");
}

/* --- beside a station --- */

static void open_station(struct desk *desk, const char *more)
{
	char text[2048];

	assert_ok(kryos_fake_clock_new(&desk->clock, KRYOS_SECONDS(1800000000)));
	kryos_fake_clock_set_synced(desk->clock, 1);
	assert_ok(kryos_ctx_new(&desk->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = desk->clock)));
	assert_ok(kryos_fake_bus_new(&desk->bus, "w1"));
	assert_ok(kryos_fake_bus_add_ds18b20(desk->bus, "28-0316a2795bff", &desk->probe));
	assert_ok(kryos_model_set(desk->probe, "temperature", 5250000));
	assert_ok(kryos_fake_bus_attach(desk->bus, desk->ctx));
	snprintf(text, sizeof(text),
	         "[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\n[store]\npath = %s\n[watchdog]\n"
	         "device = none\n%s",
	         in(desk->folder, "store"), more);
	write_file(in(desk->folder, "station.ini"), text);
	assert_ok(kryos_station_open(&desk->station, desk->ctx, in(desk->folder, "station.ini"), NULL));
	assert_ok(kryos_door_open(&desk->door, desk->station, in(desk->folder, "control")));
}

static bool has_measured(void *data)
{
	struct desk *desk = data;
	struct kryos_sampler *sampler = kryos_station_get_sampler(desk->station);
	struct kryos_sampler_status status = { .size = sizeof(status) };

	return kryos_sampler_get_status(sampler, &status) >= 0 && status.rounds > desk->rounds &&
	       !kryos_sampler_busy(sampler);
}

static void measure(struct desk *desk)
{
	struct kryos_sampler_status status = { .size = sizeof(status) };

	assert_ok(kryos_sampler_get_status(kryos_station_get_sampler(desk->station), &status));
	desk->rounds = status.rounds;
	kryos_fake_clock_advance(desk->clock, KRYOS_MINUTES(1));
	assert_true(process_until(desk->ctx, has_measured, desk, 10000));
	process_for(desk->ctx, 200);
}

static void doctor_asks_the_daemon_and_leaves_the_buses_alone(void **state)
{
	struct desk *desk = *state;
	unsigned int transfers;

	open_station(desk, "");
	measure(desk);
	transfers = kryos_fake_bus_transfers(desk->bus);
	RUN(desk, "doctor", "--socket", in(desk->folder, "control"));
	expect(desk, 0, "  fridge.temperature 5.25 Cel  good, ", "");
	expect(desk, 0, "all is well\n", "");
	expect(desk, 0, ", sync ", "");
	expect_not(desk, "i2c ");
	assert_int_equal(kryos_fake_bus_transfers(desk->bus), transfers);
	RUN(desk, "scan", "--socket", in(desk->folder, "control"));
	expect(desk, 0, "  fridge      ds18b20@w1:28-0316a2795bff\n", "");
	expect(desk, 0, "the buses were not looked at while it runs", "");
	RUN(desk, "setup", "--store", in(desk->folder, "other"), "-o", in(desk->folder, "other.ini"), "--socket",
	    in(desk->folder, "control"));
	expect(desk, 1, "", "cryo_daemon runs and uses the sensors: stop it first");
	assert_int_equal(kryos_fake_bus_transfers(desk->bus), transfers);
}

static void doctor_says_why_a_sensor_gives_nothing(void **state)
{
	struct desk *desk = *state;

	open_station(desk, "");
	kryos_model_set_present(desk->probe, 0);
	measure(desk);
	RUN(desk, "doctor", "--socket", in(desk->folder, "control"));
	expect(desk, 1, "! fridge.temperature absent, ", "");
	expect_not(desk, " Cel");
	expect(desk, 1, "nothing answers at 28-0316a2795bff on w1", "");
	expect(desk, 1, "1 thing to look after, marked \"!\"", "");
	kryos_model_set_present(desk->probe, 1);
	measure(desk);
	RUN(desk, "doctor", "--socket", in(desk->folder, "control"));
	expect(desk, 0, "all is well\n", "");
}

/* What was wrong with the sensors of the file before is nothing of those of this one. */
static void a_reload_forgets_why_a_sensor_gave_nothing(void **state)
{
	struct desk *desk = *state;
	char text[1024];

	open_station(desk, "");
	kryos_model_set_present(desk->probe, 0);
	measure(desk);
	kryos_model_set_present(desk->probe, 1);
	snprintf(text, sizeof(text),
	         "[sensor tank]\naddress = ds18b20@w1:any\n[store]\npath = %s\n[watchdog]\ndevice = none\n",
	         in(desk->folder, "store"));
	write_file(in(desk->folder, "station.ini"), text);
	assert_ok(kryos_station_reload(desk->station));
	measure(desk);
	RUN(desk, "doctor", "--socket", in(desk->folder, "control"));
	expect(desk, 0, "  tank.temperature 5.25 Cel  good, ", "");
	expect_not(desk, "fridge");
	RUN(desk, "read", "--json", "--socket", in(desk->folder, "control"));
	expect(desk, 0, "\"reason\":null", "");
	expect_not(desk, "nothing answers");
}

static void doctor_marks_a_calibration_that_has_ended(void **state)
{
	struct desk *desk = *state;

	open_station(desk, "[channel fridge.temperature]\noffset = 0.5\ncertificate = NPL-1\ncalibrated = 2024-01-01\n"
	                   "expires = 2025-01-01\n");
	measure(desk);
	RUN(desk, "doctor", "--socket", in(desk->folder, "control"));
	expect(desk, 1, "  fridge.temperature 5.75 Cel  good, ", "");
	expect(desk, 1, "! problem     fridge.temperature: ", "");
	expect(desk, 1, "NPL-1", "");
}

static void a_measurement_beyond_the_points_is_a_value_and_no_problem(void **state)
{
	struct desk *desk = *state;

	open_station(desk, "[channel fridge.temperature]\npoints = 10:10.5 20:20\n");
	measure(desk);
	RUN(desk, "doctor", "--socket", in(desk->folder, "control"));
	expect(desk, 0, "  fridge.temperature 5.75 Cel  extrapolated, ", "");
	expect(desk, 0, "all is well\n", "");
}

int main(void)
{
#define DESK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DESK_TEST(setup_says_what_is_missing_and_writes_nothing),
		DESK_TEST(setup_refuses_what_it_can_not_do_before_it_looks),
		DESK_TEST(scan_prints_findings_as_json),
		DESK_TEST(doctor_without_a_daemon_looks_at_the_file),
		DESK_TEST(doctor_asks_the_daemon_and_leaves_the_buses_alone),
		DESK_TEST(doctor_says_why_a_sensor_gives_nothing),
		DESK_TEST(a_reload_forgets_why_a_sensor_gave_nothing),
		DESK_TEST(doctor_marks_a_calibration_that_has_ended),
		DESK_TEST(a_measurement_beyond_the_points_is_a_value_and_no_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
