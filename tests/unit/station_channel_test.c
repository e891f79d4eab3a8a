/* SPDX-License-Identifier: Apache-2.0 */
/* A station whose file says something of its channels: readings, problems, the record of changes, reloads, expiry. */
#include "support.h"
#include "json/json.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define C(celsius) ((int64_t)((celsius)*1000000))
#define NOON INT64_C(1795176000000000000) /* 2026-11-20T12:00:00Z */
#define WAIT_MS 20000
#define ONE "[sensor one]\naddress = ds18b20@w1:28-000000000001\n"
#define TWO "[sensor two]\naddress = ds18b20@w1:28-000000000002\n"
#define POINTS "[channel one.temperature]\npoints = 0:0.1 5:5.08 25:24.97\ncertificate = NPL-2026-0815\n"

struct bench {
	char *folder;
	char path[300];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *w1;
	struct kryos_model *one, *two;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
	char log[8192];
};

static void keep_log(void *userdata, const struct kryos_log_record *record)
{
	struct bench *bench = userdata;
	size_t length = strlen(bench->log);

	if (record->level <= KRYOS_LOG_WARNING && !strcmp(record->module, "station"))
		snprintf(bench->log + length, sizeof(bench->log) - length, "%s\n", record->message);
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	unsetenv("STATE_DIRECTORY");
	bench->folder = scratch_new();
	snprintf(bench->path, sizeof(bench->path), "%s/station.ini", bench->folder);
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	kryos_fake_clock_set_synced(bench->clock, 1);
	assert_ok(kryos_fake_bus_new(&bench->w1, "w1"));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &bench->one));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000002", &bench->two));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock,
	                                         .log = keep_log, .log_userdata = bench)));
	assert_ok(kryos_fake_bus_attach(bench->w1, bench->ctx));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->w1);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static void write_file(struct bench *bench, const char *text)
{
	FILE *file = fopen(bench->path, "w");

	assert_non_null(file);
	fprintf(file, "[store]\npath = %s/store\n[watchdog]\ndevice = none\n%s", bench->folder, text);
	assert_int_equal(fclose(file), 0);
}

static void open_station(struct bench *bench, const char *text)
{
	kryos_station_close(bench->station);
	write_file(bench, text);
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->path, KRYOS_STATION_CONFIG(.manual = 1)));
}

static void reload(struct bench *bench, const char *text)
{
	write_file(bench, text);
	assert_ok(kryos_station_reload(bench->station));
}

static bool is_idle(void *data)
{
	struct bench *bench = data;

	return kryos_sampler_busy(kryos_station_get_sampler(bench->station)) == 0;
}

static void measure(struct bench *bench, double one, double two)
{
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_model_set(bench->one, "temperature", C(one)));
	assert_ok(kryos_model_set(bench->two, "temperature", C(two)));
	assert_ok(kryos_sampler_round(kryos_station_get_sampler(bench->station)));
	assert_true(process_until(bench->ctx, is_idle, bench, WAIT_MS));
}

static struct kri_json *status_of(struct bench *bench)
{
	struct kri_json *status = NULL;
	char *text = NULL;

	assert_ok(kryos_station_status_json(bench->station, &text));
	assert_ok(kri_json_parse(&status, text, strlen(text)));
	free(text);
	return status;
}

/* The reading of a channel: its quality, and its value where it has one. */
static void expect(struct bench *bench, unsigned int index, const char *quality, double value)
{
	struct kri_json *status = status_of(bench);
	const struct kri_json *reading = kri_json_at(kri_json_get(status, "readings"), index, NULL);
	const char *text = "";
	double number = -999;

	assert_true(kri_json_get_string(reading, "quality", &text));
	assert_string_equal(text, quality);
	kri_json_get_double(reading, "value", &number);
	if (number - value > 1e-9 || value - number > 1e-9)
		fail_msg("%g, not %g", number, value);
	kri_json_free(status);
}

static bool has_problem(struct bench *bench, const char *expected)
{
	struct kri_json *status = status_of(bench);
	char *text = kri_json_print(kri_json_get(status, "problems"));
	bool found = text && strstr(text, expected);

	free(text);
	kri_json_free(status);
	return found;
}

/* How many changes are stored, and the text of the newest. */
static unsigned int count_changes(struct bench *bench, char newest[1100])
{
	const struct kryos_record *record = NULL;
	struct kryos_reader *reader;
	unsigned int count = 0;

	assert_ok(kryos_store_flush(kryos_station_get_store(bench->station), KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, bench->ctx, in(bench->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_CALIBRATION)
			continue;
		count++;
		snprintf(newest, 1100, "%s: %s", record->event->name, record->event->text);
	}
	kryos_reader_close(reader);
	return count;
}

static void a_freeze_beyond_the_calibration_is_a_reading(void **state)
{
	struct bench *bench = *state;

	open_station(bench, ONE POINTS);
	measure(bench, 5, 5);
	expect(bench, 0, "good", 5.08);
	assert_false(has_problem(bench, "one.temperature"));
	measure(bench, -2, 5);
	expect(bench, 0, "extrapolated", -1.9);
	assert_false(has_problem(bench, "one.temperature"));
}

static void twins_that_differ_are_problems(void **state)
{
	struct bench *bench = *state;

	open_station(bench, ONE TWO "[channel one.temperature]\nagrees = two.temperature\nwithin = 0.5\n");
	measure(bench, 5, 5.25);
	expect(bench, 0, "good", 5);
	expect(bench, 1, "good", 5.25);
	measure(bench, 5, 7);
	expect(bench, 0, "disagrees", -999);
	expect(bench, 1, "disagrees", -999);
	assert_true(has_problem(bench, "one.temperature: disagrees"));
	assert_true(has_problem(bench, "two.temperature: disagrees"));
}

static void each_change_of_the_file_is_stored_once(void **state)
{
	struct bench *bench = *state;
	char newest[1100] = "";

	open_station(bench, ONE TWO POINTS);
	measure(bench, 5, 5);
	assert_int_equal(count_changes(bench, newest), 1);
	assert_string_equal(newest, "one.temperature: by station file; was not known; is points=0:0.1 5:5.08 25:24.97 "
	                            "certificate=NPL-2026-0815");
	open_station(bench, ONE TWO POINTS);
	measure(bench, 5, 5);
	assert_int_equal(count_changes(bench, newest), 1);
	/* Written another way it is the same. */
	reload(bench,
	       ONE TWO "[channel one.temperature]\ncertificate = NPL-2026-0815\npoints = 0:0.10  5.0:5.08 25:24.970\n");
	measure(bench, 5, 5);
	assert_int_equal(count_changes(bench, newest), 1);
	reload(bench, ONE TWO POINTS "max = 50\n");
	measure(bench, 5, 5);
	assert_int_equal(count_changes(bench, newest), 2);
	assert_string_equal(newest, "one.temperature: by station file; was points=0:0.1 5:5.08 25:24.97 "
	                            "certificate=NPL-2026-0815; is max=50 points=0:0.1 5:5.08 25:24.97 "
	                            "certificate=NPL-2026-0815");
	reload(bench, ONE TWO);
	measure(bench, 5, 5);
	expect(bench, 0, "good", 5);
	assert_int_equal(count_changes(bench, newest), 3);
	assert_non_null(strstr(newest, "; is nothing"));
	reload(bench, ONE TWO "[channel two.temperature]\noffset = 0.5\n");
	measure(bench, 5, 5);
	expect(bench, 1, "good", 5.5);
	assert_int_equal(count_changes(bench, newest), 4);
	open_station(bench, ONE TWO "[channel two.temperature]\noffset = 0.5\n");
	measure(bench, 5, 5);
	assert_int_equal(count_changes(bench, newest), 4);
}

static void a_new_sensor_with_something_said_of_it_leaves_the_others_alone(void **state)
{
	struct bench *bench = *state;
	struct kryos_sampler *sampler;

	open_station(bench, ONE POINTS);
	measure(bench, 5, 5);
	sampler = kryos_station_get_sampler(bench->station);
	reload(bench, ONE POINTS TWO "[channel two.temperature]\noffset = 0.5\n");
	assert_ptr_equal(kryos_station_get_sampler(bench->station), sampler);
	measure(bench, 5, 5);
	expect(bench, 0, "good", 5.08);
	expect(bench, 1, "good", 5.5);
}

static void a_calibration_that_expires_is_a_problem_a_month_before(void **state)
{
	static const char file[] = ONE POINTS "expires = 2026-12-21\n";
	struct bench *bench = *state;

	/* 31 days and 12 hours before. */
	open_station(bench, file);
	assert_false(has_problem(bench, "calibration"));
	kryos_fake_clock_advance(bench->clock, KRYOS_HOURS(12) - 1);
	assert_false(has_problem(bench, "calibration"));
	kryos_fake_clock_advance(bench->clock, 1);
	assert_true(has_problem(bench, "one.temperature: the calibration NPL-2026-0815 expires on 2026-12-21"));
	assert_null(strstr(bench->log, "calibration"));
	open_station(bench, file);
	assert_non_null(strstr(bench->log,
	                       "station.ini:10: one.temperature: the calibration NPL-2026-0815 expires on 2026-12-21"));
	kryos_fake_clock_advance(bench->clock, KRYOS_DAYS(30) - 1);
	assert_false(has_problem(bench, "has expired"));
	kryos_fake_clock_advance(bench->clock, 1);
	assert_true(has_problem(bench, "one.temperature: the calibration NPL-2026-0815 has expired on 2026-12-21"));
	/* It is used all the same: an old correction is nearer to the truth than none. */
	measure(bench, 5, 5);
	expect(bench, 0, "good", 5.08);
}

static void nothing_expires_by_a_clock_that_is_not_known(void **state)
{
	struct bench *bench = *state;

	kryos_fake_clock_set_synced(bench->clock, 0);
	open_station(bench, ONE POINTS "expires = 2026-03-01\n");
	assert_true(has_problem(bench, "the time is not known"));
	assert_false(has_problem(bench, "calibration"));
	assert_null(strstr(bench->log, "calibration"));
	kryos_fake_clock_set_synced(bench->clock, 1);
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(2));
	process_for(bench->ctx, 20);
	assert_true(has_problem(bench, "one.temperature: the calibration NPL-2026-0815 has expired on 2026-03-01"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_freeze_beyond_the_calibration_is_a_reading),
		CASE(twins_that_differ_are_problems),
		CASE(each_change_of_the_file_is_stored_once),
		CASE(a_new_sensor_with_something_said_of_it_leaves_the_others_alone),
		CASE(a_calibration_that_expires_is_a_problem_a_month_before),
		CASE(nothing_expires_by_a_clock_that_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
