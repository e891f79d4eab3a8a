/* SPDX-License-Identifier: Apache-2.0 */
/* A station whose sensors are fed by a line: from its file, through a cycle, over a reload. */
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1795000000000000000)
#define WAIT_MS 20000
#define SENSORS                                                                                                        \
	"[sensor fridge]\naddress = bme280@i2c-1:0x70.0:0x76\npower = probes\n"                                        \
	"recover = retry bus power report\n"                                                                           \
	"[sensor freezer]\naddress = bme280@i2c-1:0x70.1:0x76\npower = probes\n"
#define POWER "[power probes]\naddress = switch@gpio:GPIO5\n"

struct bench {
	char *folder;
	char path[300];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio, *i2c;
	struct kryos_model *wire, *fridge, *freezer;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
	int level;
	unsigned int recoveries, good;
	char text[512];
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	unsetenv("STATE_DIRECTORY");
	bench->folder = scratch_new();
	snprintf(bench->path, sizeof(bench->path), "%s/station.ini", bench->folder);
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	kryos_fake_clock_set_synced(bench->clock, 1);
	assert_ok(kryos_fake_bus_new(&bench->gpio, "gpio"));
	assert_ok(kryos_fake_bus_new(&bench->i2c, "i2c-1"));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO5", &bench->wire));
	assert_ok(kryos_fake_bus_add_mux(bench->i2c, "0x70", NULL));
	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x70.0:0x76", &bench->fridge));
	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x70.1:0x76", &bench->freezer));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	assert_ok(kryos_fake_bus_attach(bench->i2c, bench->ctx));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_bus_free(bench->i2c);
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

/* The chips have power while the wire is at that level. */
static void open_station(struct bench *bench, const char *text, int level)
{
	assert_ok(kryos_model_feed(bench->wire, bench->fridge, level));
	assert_ok(kryos_model_feed(bench->wire, bench->freezer, level));
	write_file(bench, text);
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->path, KRYOS_STATION_CONFIG(.manual = 1)));
}

static bool is_idle(void *data)
{
	struct bench *bench = data;

	return kryos_sampler_busy(kryos_station_get_sampler(bench->station)) == 0;
}

static void count_events(struct bench *bench)
{
	const struct kryos_event *event;

	while (kryos_ctx_next_event(bench->ctx, &event) > 0)
		if (event->type == KRYOS_EVENT_SAMPLE)
			bench->good += event->sample.quality == KRYOS_QUALITY_GOOD;
}

/* How many of the six samples of a round are good. */
static unsigned int measure(struct bench *bench)
{
	count_events(bench);
	bench->good = 0;
	assert_ok(kryos_sampler_round(kryos_station_get_sampler(bench->station)));
	assert_true(process_until(bench->ctx, is_idle, bench, WAIT_MS));
	count_events(bench);
	return bench->good;
}

static bool has_level(void *data)
{
	struct bench *bench = data;

	return kryos_model_get_level(bench->wire) == bench->level;
}

static bool is_stored(void *data)
{
	const struct kryos_record *record = NULL;
	struct bench *bench = data;
	struct kryos_reader *reader;

	bench->recoveries = 0;
	assert_ok(kryos_store_flush(kryos_station_get_store(bench->station), KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, bench->ctx, in(bench->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_RECOVERY)
			continue;
		bench->recoveries++;
		snprintf(bench->text, sizeof(bench->text), "%s: %s", record->event->name, record->event->text);
	}
	kryos_reader_close(reader);
	return bench->recoveries > 0;
}

static void a_file_has_its_sensors_power_cycled_and_the_store_says_so(void **state)
{
	struct bench *bench = *state;

	open_station(bench, SENSORS POWER "active = low\noff = 2s\nsettle = 50ms\n", 0);
	assert_int_equal(measure(bench), 6);
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
	kryos_model_hold_bus(bench->fridge);
	assert_int_equal(measure(bench), 0);
	bench->level = 1;
	assert_true(process_until(bench->ctx, has_level, bench, WAIT_MS));
	assert_true(process_until(bench->ctx, is_stored, bench, WAIT_MS));
	assert_non_null(strstr(bench->text, "probes: switched off for 2000 ms because of "));
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(2) - 1);
	process_for(bench->ctx, 50);
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
	assert_int_equal(measure(bench), 0);
	for (int i = 0; i < 2000 && measure(bench) < 6; i++)
		kryos_fake_clock_advance(bench->clock, KRYOS_MILLISECONDS(1));
	assert_int_equal(measure(bench), 6);
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
}

static void a_reload_switches_what_changed(void **state)
{
	struct bench *bench = *state;
	struct kryos_model *other;

	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO6", &other));
	open_station(bench, SENSORS POWER, 1);
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
	assert_int_equal(measure(bench), 6);
	/* Another sensor changes nothing for the power. */
	write_file(bench, SENSORS POWER "[sensor room]\naddress = bme280@i2c-1:0x77\n");
	assert_ok(kryos_station_reload(bench->station));
	assert_int_equal(measure(bench), 6);
	write_file(bench, SENSORS "[power probes]\naddress = switch@gpio:GPIO6\n");
	assert_ok(kryos_station_reload(bench->station));
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
	assert_int_equal(kryos_model_get_level(other), 1);
	assert_int_equal(measure(bench), 0);
	write_file(bench, SENSORS POWER);
	assert_ok(kryos_station_reload(bench->station));
	assert_int_equal(kryos_model_get_level(other), 0);
	assert_int_equal(measure(bench), 6);
	kryos_station_close(bench->station);
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
}

/* A station opens all the same, and says why its sensors have no power. */
static void a_line_that_somebody_else_holds_is_waited_for(void **state)
{
	struct bench *bench = *state;

	kryos_model_hold(bench->wire, "led0");
	open_station(bench, SENSORS POWER, 1);
	assert_int_equal(measure(bench), 0);
	kryos_model_hold(bench->wire, NULL);
	for (int i = 0; i < 2000 && measure(bench) < 6; i++)
		kryos_fake_clock_advance(bench->clock, KRYOS_MILLISECONDS(100));
	assert_int_equal(measure(bench), 6);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_file_has_its_sensors_power_cycled_and_the_store_says_so),
		CASE(a_reload_switches_what_changed),
		CASE(a_line_that_somebody_else_holds_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
