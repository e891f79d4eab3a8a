/* SPDX-License-Identifier: Apache-2.0 */
/* A station's RTC over a reload: it, and what the file says beside it, may have taken each other's places. */
#include "station/station.h"
#include "support.h"
#include <errno.h>
#include <kryos/clock.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1795000000000000000)
#define ALONE "[clock]\nrtc = ds3231@i2c-1:0x68\n"
#define BEHIND "[clock]\nrtc = ds3231@i2c-1:0x70.7:0x68\n"
#define SENSOR "[sensor fridge]\naddress = bme280@i2c-1:0x70.0:0x68\n"

struct bench {
	char *folder;
	char path[300];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *bus;
	struct kryos_model *alone, *behind, *sensor;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
};

static int64_t rtc_now(void *userdata)
{
	struct bench *bench = userdata;

	return NOON + kryos_fake_clock_boot_ns(bench->clock);
}

static void add_rtc(struct bench *bench, const char *place, struct kryos_model **ret_model)
{
	assert_ok(kryos_fake_bus_add_ds3231(bench->bus, place, ret_model));
	kryos_model_set_present(*ret_model, 0);
}

static void plug_in(struct bench *bench, struct kryos_model *rtc)
{
	kryos_model_set_present(rtc, 1);
	kryos_model_set_clock(rtc, rtc_now, bench);
	assert_ok(kryos_model_poke(rtc, 0x0f, 0x00)); /* its battery has kept it */
}

/* A chip at 0x68 alone, or behind a multiplexer; each case plugs in what it has. */
static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	unsetenv("STATE_DIRECTORY");
	bench->folder = scratch_new();
	snprintf(bench->path, sizeof(bench->path), "%s/station.ini", bench->folder);
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	assert_ok(kryos_fake_bus_new(&bench->bus, "i2c-1"));
	assert_ok(kryos_fake_bus_add_mux(bench->bus, "0x70", NULL));
	add_rtc(bench, "0x68", &bench->alone);
	add_rtc(bench, "0x70.7:0x68", &bench->behind);
	assert_ok(kryos_fake_bus_add_bme280(bench->bus, "0x77", NULL));
	assert_ok(kryos_fake_bus_add_bme280(bench->bus, "0x70.0:0x68", &bench->sensor));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->bus, bench->ctx));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->bus);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static void write_file(struct bench *bench, const char *text)
{
	FILE *file = fopen(bench->path, "w");

	assert_non_null(file);
	fprintf(file,
	        "[store]\npath = %s/store\n[watchdog]\ndevice = none\n"
	        "[sensor room]\naddress = bme280@i2c-1:0x77\n%s",
	        bench->folder, text);
	assert_int_equal(fclose(file), 0);
}

static void open_station(struct bench *bench, const char *text)
{
	write_file(bench, text);
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->path, KRYOS_STATION_CONFIG(.manual = 1)));
}

static void reload(struct bench *bench, const char *text)
{
	write_file(bench, text);
	assert_ok(kryos_station_reload(bench->station));
}

static void assert_clock_is_used(struct bench *bench)
{
	struct kryos_rtc_status status = { .size = sizeof(status) };

	assert_ok(bench->station->rtc_error);
	assert_ok(kryos_clock_get_rtc(bench->ctx, &status));
	assert_int_equal(status.valid, 1);
	assert_int_equal(status.t_boot_ns, kryos_fake_clock_boot_ns(bench->clock));
}

static void assert_no_clock_is_used(struct bench *bench)
{
	struct kryos_rtc_status status = { .size = sizeof(status) };
	struct kryos_time now;

	assert_fails(-ENODEV, kryos_clock_get_rtc(bench->ctx, &status));
	assert_fails(-ENODEV, kryos_clock_set_rtc(bench->ctx));
	assert_ok(kryos_clock_now(bench->ctx, &now));
	assert_true(now.trust < KRYOS_TRUST_RTC);
}

static bool is_idle(void *data)
{
	struct bench *bench = data;

	return kryos_sampler_busy(kryos_station_get_sampler(bench->station)) == 0;
}

static void assert_both_are_measured(struct bench *bench)
{
	const struct kryos_event *event;
	unsigned int good = 0;

	while (kryos_ctx_next_event(bench->ctx, &event) > 0)
		;
	assert_ok(kryos_sampler_round(kryos_station_get_sampler(bench->station)));
	assert_true(process_until(bench->ctx, is_idle, bench, 20000));
	while (kryos_ctx_next_event(bench->ctx, &event) > 0)
		if (event->type == KRYOS_EVENT_SAMPLE)
			good += event->sample.quality == KRYOS_QUALITY_GOOD;
	assert_int_equal(good, 6);
}

static void a_clock_moves_behind_a_multiplexer_and_back(void **state)
{
	struct bench *bench = *state;

	plug_in(bench, bench->alone);
	open_station(bench, ALONE);
	assert_clock_is_used(bench);
	for (int i = 1; i <= 4; i++) {
		kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(1));
		kryos_model_set_present(i % 2 ? bench->alone : bench->behind, 0);
		plug_in(bench, i % 2 ? bench->behind : bench->alone);
		reload(bench, i % 2 ? BEHIND : ALONE);
		assert_clock_is_used(bench);
	}
}

static void a_clock_that_is_named_no_more_leaves_its_place_to_a_sensor(void **state)
{
	struct bench *bench = *state;
	struct kryos_time now;

	plug_in(bench, bench->alone);
	open_station(bench, ALONE);
	assert_ok(kryos_clock_now(bench->ctx, &now));
	assert_int_equal(now.trust, KRYOS_TRUST_RTC);
	kryos_model_set_present(bench->alone, 0);
	reload(bench, SENSOR);
	assert_no_clock_is_used(bench);
	assert_both_are_measured(bench);
}

static void a_clock_takes_the_place_of_a_sensor_that_went(void **state)
{
	struct bench *bench = *state;

	open_station(bench, SENSOR);
	assert_both_are_measured(bench);
	kryos_model_set_present(bench->sensor, 0);
	plug_in(bench, bench->alone);
	reload(bench, ALONE);
	assert_clock_is_used(bench);
}

/* As after a restart with the new file. */
static void a_clock_that_is_not_where_the_file_says_leaves_none(void **state)
{
	struct bench *bench = *state;

	plug_in(bench, bench->alone);
	open_station(bench, ALONE);
	kryos_model_set_present(bench->alone, 0);
	reload(bench, BEHIND SENSOR);
	assert_int_equal(bench->station->rtc_error, -ENODEV);
	assert_no_clock_is_used(bench);
	assert_both_are_measured(bench);
	plug_in(bench, bench->alone);
	reload(bench, ALONE);
	assert_clock_is_used(bench);
}

/* A reload that comes to nothing has the clock of the file before it. */
static void a_clock_comes_back_with_the_file_that_named_it(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor = NULL;

	plug_in(bench, bench->alone);
	open_station(bench, ALONE);
	assert_ok(kryos_sensor_open_with(&sensor, bench->ctx, "fridge", "bme280@i2c-1:0x77", NULL));
	write_file(bench, SENSOR);
	assert_fails(-EEXIST, kryos_station_reload(bench->station));
	assert_says(-EEXIST, "nothing was changed");
	assert_clock_is_used(bench);
}

/* Whoever named it, it was not the station's file. */
static void a_clock_that_the_program_named_stays(void **state)
{
	struct bench *bench = *state;

	plug_in(bench, bench->behind);
	assert_ok(kryos_clock_use_rtc(bench->ctx, "ds3231@i2c-1:0x70.7:0x68"));
	open_station(bench, SENSOR);
	assert_clock_is_used(bench);
	reload(bench, "");
	assert_clock_is_used(bench);
}

/* A second name that comes to nothing: the clock is used as before, and has its place. */
static void a_clock_stays_where_it_is_if_another_is_not_there(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor = NULL;

	plug_in(bench, bench->alone);
	assert_ok(kryos_clock_use_rtc(bench->ctx, "ds3231@i2c-1:0x68"));
	kryos_model_set_present(bench->alone, 0);
	assert_fails(-ENODEV, kryos_clock_use_rtc(bench->ctx, "ds3231@i2c-1:0x70.7:0x68"));
	assert_says(-ENODEV, "ds3231@i2c-1:0x70.7:0x68");
	assert_fails(KRYOS_EDEVICE,
	             kryos_sensor_open_with(&sensor, bench->ctx, "fridge", "bme280@i2c-1:0x70.0:0x68", NULL));
	assert_says(KRYOS_EDEVICE, "0x68 is on the bus itself already");
	plug_in(bench, bench->alone);
	kryos_fake_clock_set_synced(bench->clock, 1);
	assert_ok(kryos_clock_set_rtc(bench->ctx));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_clock_moves_behind_a_multiplexer_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clock_that_is_named_no_more_leaves_its_place_to_a_sensor, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_clock_takes_the_place_of_a_sensor_that_went, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clock_that_is_not_where_the_file_says_leaves_none, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clock_comes_back_with_the_file_that_named_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clock_that_the_program_named_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clock_stays_where_it_is_if_another_is_not_there, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
