/* SPDX-License-Identifier: Apache-2.0 */
/* Power that a line switches, its sensors on fake buses, in simulated time. */
#include "support.h"
#include <errno.h>
#include <kryos/sys/sensor.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <output/output.h>
#include <semaphore.h>
#include <sensor/sensor.h>
#include <stdlib.h>
#include <string.h>

#define MS(n) KRYOS_MILLISECONDS(n)
#define S(n) KRYOS_SECONDS(n)
#define WAIT_MS 20000

/* Fridge and freezer are fed by GPIO5, the room is not; fridge and room share a bus. */
enum { FRIDGE, FREEZER, ROOM, CHIPS };
static const struct {
	const char *name, *device, *place;
	int bus;
} table[CHIPS] = {
	{ "fridge", "bme280@i2c-1:0x76", "0x76", 0 },
	{ "freezer", "bme280@i2c-2:0x76", "0x76", 1 },
	{ "room", "bme280@i2c-1:0x77", "0x77", 0 },
};

struct bench {
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio, *buses[2];
	struct kryos_model *wire, *chips[CHIPS];
	struct kryos_ctx *ctx;
	struct kryos_power *power;
	struct kryos_sensor *sensors[CHIPS];
	int level;
	unsigned int lost, back, recoveries;
	char name[64], text[512]; /* of the last recovery */
	size_t answers;
	struct kri_measured answer;
};

static int setup(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));

	*state = bench;
	assert_ok(kryos_fake_clock_new(&bench->clock, INT64_C(1795000000000000000)));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_new(&bench->gpio, "gpio"));
	assert_ok(kryos_fake_bus_new(&bench->buses[0], "i2c-1"));
	assert_ok(kryos_fake_bus_new(&bench->buses[1], "i2c-2"));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO5", &bench->wire));
	for (int i = 0; i < 2; i++)
		assert_ok(kryos_fake_bus_attach(bench->buses[i], bench->ctx));
	for (int i = 0; i < CHIPS; i++) {
		assert_ok(kryos_fake_bus_add_bme280(bench->buses[table[i].bus], table[i].place, &bench->chips[i]));
		if (i != ROOM)
			assert_ok(kryos_model_feed(bench->wire, bench->chips[i], 1));
	}
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_bus_free(bench->buses[0]);
	kryos_fake_bus_free(bench->buses[1]);
	kryos_fake_clock_free(bench->clock);
	test_free(bench);
	return 0;
}

static void open_power(struct bench *bench)
{
	assert_ok(kryos_power_open(&bench->power, bench->ctx, "probes", "switch@gpio:GPIO5", NULL));
}

static int try_sensor(struct bench *bench, int which, uint32_t recover)
{
	return kryos_sensor_open_with(
		&bench->sensors[which], bench->ctx, table[which].name, table[which].device,
		KRYOS_SENSOR_CONFIG(.recover = recover, .power = which == ROOM ? NULL : bench->power));
}

static enum kryos_quality read_one(struct bench *bench, int which)
{
	struct kryos_sample samples[3];

	assert_int_equal(kryos_sensor_read(bench->sensors[which], samples, 3), 3);
	return samples[0].quality;
}

static void take_events(struct bench *bench)
{
	const struct kryos_event *event;

	while (kryos_ctx_next_event(bench->ctx, &event) > 0) {
		bench->lost += event->type == KRYOS_EVENT_SENSOR_LOST;
		bench->back += event->type == KRYOS_EVENT_SENSOR_BACK;
		if (event->type != KRYOS_EVENT_RECOVERY)
			continue;
		bench->recoveries++;
		snprintf(bench->name, sizeof(bench->name), "%s", event->name);
		snprintf(bench->text, sizeof(bench->text), "%s", event->text);
	}
}

static bool has_level(void *data)
{
	struct bench *bench = data;

	take_events(bench);
	return kryos_model_get_level(bench->wire) == bench->level;
}

static void expect_level(struct bench *bench, int level)
{
	bench->level = level;
	if (!process_until(bench->ctx, has_level, bench, WAIT_MS))
		fail_msg("the wire does not go to %d", level);
}

static bool is_on(void *data)
{
	struct kryos_power_status status = { .size = sizeof(status) };
	struct bench *bench = data;

	take_events(bench);
	assert_ok(kryos_power_get_status(bench->power, &status));
	return status.on;
}

static uint32_t cycles_of(struct bench *bench)
{
	struct kryos_power_status status = { .size = sizeof(status) };

	assert_ok(kryos_power_get_status(bench->power, &status));
	return status.cycles;
}

/* In small steps: how soon the loop sets a timer is not known. */
static void advance_until(struct bench *bench, bool (*done)(void *data), int level)
{
	bench->level = level;
	for (int i = 0; i < 2000 && !done(bench); i++) {
		kryos_fake_clock_advance(bench->clock, MS(1));
		process_for(bench->ctx, 1);
	}
	assert_true(done(bench));
}

/* The wire goes low, stays so for a second, and is high for 100 ms before anybody is talked to. */
static void expect_cycle(struct bench *bench)
{
	unsigned int transfers;

	expect_level(bench, 0);
	kryos_fake_clock_advance(bench->clock, S(1) - 1);
	process_for(bench->ctx, 50);
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
	advance_until(bench, has_level, 1);
	transfers = kryos_fake_bus_transfers(bench->buses[1]);
	kryos_fake_clock_advance(bench->clock, MS(100) - 1);
	process_for(bench->ctx, 50);
	assert_false(is_on(bench));
	assert_int_equal(kryos_fake_bus_transfers(bench->buses[1]), transfers);
	advance_until(bench, is_on, 1);
}

static bool is_back(void *data)
{
	struct bench *bench = data;

	take_events(bench);
	return bench->back > 0;
}

static void power_is_on_while_it_is_open(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(kryos_model_get_level(bench->wire), 0);
	open_power(bench);
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
	assert_ok(try_sensor(bench, FRIDGE, 0));
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_GOOD);
	kryos_power_close(bench->power);
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_BUS);
	kryos_sensor_close(bench->sensors[FRIDGE]);
	open_power(bench);
	assert_ok(try_sensor(bench, FRIDGE, 0));
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_GOOD);
}

static void a_bus_that_a_chip_holds_is_freed_by_a_cycle(void **state)
{
	struct bench *bench = *state;

	open_power(bench);
	for (int i = 0; i < CHIPS; i++)
		assert_ok(try_sensor(bench, i, 0));
	kryos_model_hold_bus(bench->chips[FRIDGE]);
	/* Not on that power: it has no way out, and its failure asks for none. */
	assert_int_equal(read_one(bench, ROOM), KRYOS_QUALITY_BUS);
	process_for(bench->ctx, 50);
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_BUS);
	assert_true(kryos_fake_bus_recoveries(bench->buses[0]) > 0);
	expect_cycle(bench);
	assert_true(process_until(bench->ctx, is_back, bench, WAIT_MS));
	assert_int_equal(bench->recoveries, 1);
	assert_string_equal(bench->name, "probes");
	assert_non_null(strstr(bench->text, "switched off for 1000 ms because of fridge: bme280@i2c-1:0x76: "));
	for (int i = 0; i < CHIPS; i++)
		assert_int_equal(read_one(bench, i), KRYOS_QUALITY_GOOD);
	assert_int_equal(cycles_of(bench), 1);
}

static void what_is_dead_costs_its_neighbours_a_cycle_in_ten_minutes(void **state)
{
	struct bench *bench = *state;
	unsigned int good = 0;

	open_power(bench);
	assert_ok(try_sensor(bench, FREEZER, 0));
	assert_ok(try_sensor(bench, FRIDGE, 0));
	for (int minute = 0; minute < 25; minute++) {
		kryos_model_set_present(bench->chips[FRIDGE], 0);
		good += read_one(bench, FREEZER) == KRYOS_QUALITY_GOOD;
		assert_true(read_one(bench, FRIDGE) != KRYOS_QUALITY_GOOD);
		process_for(bench->ctx, 20);
		if (minute % 10 == 0)
			expect_cycle(bench);
		assert_int_equal(kryos_model_get_level(bench->wire), 1);
		kryos_fake_clock_advance(bench->clock, S(60));
	}
	assert_int_equal(good, 25);
	assert_int_equal(cycles_of(bench), 3);
	take_events(bench);
	assert_int_equal(bench->recoveries, 3);
}

static void what_helped_not_is_reported_once(void **state)
{
	const uint32_t steps = KRYOS_RECOVER_RETRY | KRYOS_RECOVER_POWER | KRYOS_RECOVER_REPORT;
	struct bench *bench = *state;

	open_power(bench);
	assert_ok(try_sensor(bench, FRIDGE, steps));
	kryos_fake_bus_plan(bench->buses[0], KRYOS_FAULT_EIO, 0, -1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_BUS);
		process_for(bench->ctx, 20);
		if (i == 0)
			expect_cycle(bench);
		kryos_fake_clock_advance(bench->clock, S(60));
	}
	process_for(bench->ctx, 20);
	take_events(bench);
	assert_int_equal(bench->recoveries, 2);
	assert_string_equal(bench->name, "fridge");
	assert_non_null(strstr(bench->text, "is lost all the same after retries, a cycle of its power: "));
	/* Well again, and lost again: told again, where there is nothing left to do before. */
	kryos_fake_bus_plan(bench->buses[0], KRYOS_FAULT_NONE, 0, 0);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_GOOD);
	kryos_sensor_close(bench->sensors[FRIDGE]);
	assert_ok(try_sensor(bench, FRIDGE, KRYOS_RECOVER_REPORT));
	for (int i = 0; i < 4; i++) {
		kryos_fake_bus_plan(bench->buses[0], i % 2 ? KRYOS_FAULT_NONE : KRYOS_FAULT_EIO, 0, -1);
		(void)read_one(bench, FRIDGE);
	}
	take_events(bench);
	assert_int_equal(bench->recoveries, 4);
	assert_non_null(strstr(bench->text, "is lost: bme280@i2c-1:0x76: "));
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
}

static void only_the_steps_that_are_named_are_taken(void **state)
{
	struct bench *bench = *state;

	open_power(bench);
	assert_ok(try_sensor(bench, FRIDGE, KRYOS_RECOVER_BUS));
	/* One failure in the first transfer of a measurement: a second try would be good. */
	kryos_fake_bus_plan(bench->buses[0], KRYOS_FAULT_EIO, 0, 1);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_BUS);
	kryos_fake_bus_plan(bench->buses[0], KRYOS_FAULT_STUCK, 0, 1);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_GOOD);
	take_events(bench);
	assert_string_equal(bench->name, "i2c-1");
	assert_string_equal(bench->text, "was stuck and has been freed for bme280@i2c-1:0x76");
	kryos_sensor_close(bench->sensors[FRIDGE]);
	assert_ok(try_sensor(bench, FRIDGE, KRYOS_RECOVER_RETRY));
	kryos_fake_bus_plan(bench->buses[0], KRYOS_FAULT_EIO, 0, 1);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_GOOD);
	kryos_fake_bus_plan(bench->buses[0], KRYOS_FAULT_STUCK, 0, 1);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_BUS);
	assert_int_equal(kryos_fake_bus_recoveries(bench->buses[0]), 1);
	process_for(bench->ctx, 50);
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
}

/* A chip whose reading lasts as long as the test wants; it is not touched. */
static struct {
	sem_t entered, go;
} * gate;

static int gate_probe(void *priv, struct kryos_dev *dev)
{
	(void)priv;
	(void)dev;
	return 0;
}

static int gate_fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	(void)priv;
	(void)dev;
	raw[0] = 42;
	sem_post(&gate->entered);
	while (sem_wait(&gate->go) < 0)
		;
	return 0;
}

static void gate_decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	(void)priv;
	ret_readings[0].value_micro = raw[0];
}

static const struct kryos_channel_info gate_channels[] = { { .quantity = "voltage", .unit = "V", .max_micro = 100 } };

static const struct kryos_sensor_driver gate_driver = {
	.size = sizeof(gate_driver),
	.name = "gate",
	.title = "Gate",
	.bus = "i2c",
	.channels = gate_channels,
	.channel_count = 1,
	.raw_size = 1,
	.probe = gate_probe,
	.fetch = gate_fetch,
	.decode = gate_decode,
};

static void measured(void *data, const struct kri_measured *results, size_t count)
{
	struct bench *bench = data;

	bench->answers = count;
	bench->answer = results[0];
}

static bool has_answer(void *data)
{
	struct bench *bench = data;

	take_events(bench);
	return bench->answers > 0;
}

/* Until it is in its fetch; then the fridge, on the same power, asks for a cycle. */
static struct kryos_sensor *begin_at_the_gate(struct bench *bench)
{
	struct kryos_sensor *sensor;
	struct kri_batch *batch;

	open_power(bench);
	assert_ok(kryos_register_sensor(bench->ctx, &gate_driver));
	assert_ok(try_sensor(bench, FRIDGE, 0));
	assert_ok(kryos_sensor_open_with(&sensor, bench->ctx, "gate", "gate@i2c-2:0x20",
	                                 KRYOS_SENSOR_CONFIG(.power = bench->power)));
	assert_ok(kri_batch_start(&batch, &sensor, 1, 0, S(60), measured, bench));
	while (sem_wait(&gate->entered) < 0)
		;
	kryos_model_set_present(bench->chips[FRIDGE], 0);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_ABSENT);
	process_for(bench->ctx, 50);
	return sensor;
}

static void who_measures_is_waited_for(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor = begin_at_the_gate(bench);

	/* However far simulated time jumps: it is real. */
	kryos_fake_clock_advance(bench->clock, S(60));
	process_for(bench->ctx, 50);
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
	/* Nobody begins meanwhile. */
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_BUS);
	sem_post(&gate->go);
	assert_true(process_until(bench->ctx, has_answer, bench, WAIT_MS));
	assert_int_equal(bench->answer.code, 0);
	assert_int_equal(bench->answer.samples[0].value_micro, 42);
	expect_cycle(bench);
	kryos_sensor_close(sensor);
}

static void what_was_measured_over_a_cut_is_no_value(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor = begin_at_the_gate(bench);

	/* As long as that only a bus that hangs takes. */
	expect_level(bench, 0);
	sem_post(&gate->go);
	assert_true(process_until(bench->ctx, has_answer, bench, WAIT_MS));
	assert_int_equal(bench->answer.code, -ENOTCONN);
	assert_int_equal(bench->answer.samples[0].quality, KRYOS_QUALITY_BUS);
	assert_non_null(strstr(bench->answer.text, "its power \"probes\" is off"));
	expect_cycle(bench);
	kryos_sensor_close(sensor);
}

/* The chip was off, and is not what was set up: probed anew, or BME280's driver would say that it was exchanged. */
static void everything_on_it_is_probed_anew(void **state)
{
	struct bench *bench = *state;

	open_power(bench);
	assert_ok(try_sensor(bench, FRIDGE, 0));
	assert_ok(try_sensor(bench, FREEZER, 0));
	assert_int_equal(read_one(bench, FREEZER), KRYOS_QUALITY_GOOD);
	kryos_model_set_present(bench->chips[FRIDGE], 0);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_ABSENT);
	expect_cycle(bench);
	kryos_fake_bus_plan(bench->buses[1], KRYOS_FAULT_NONE, 0, 0);
	assert_int_equal(read_one(bench, FREEZER), KRYOS_QUALITY_GOOD);
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_GOOD);
	process_for(bench->ctx, 20);
	take_events(bench);
	assert_int_equal(bench->lost, 1); /* the freezer never was */
}

static void a_line_that_is_lost_is_no_power_until_it_is_back(void **state)
{
	struct bench *bench = *state;

	open_power(bench);
	assert_ok(try_sensor(bench, FRIDGE, 0));
	kryos_model_set_present(bench->wire, 0);
	for (int i = 0; i < 100 && is_on(bench); i++) {
		kryos_fake_clock_advance(bench->clock, S(1));
		process_for(bench->ctx, 10);
	}
	assert_false(is_on(bench));
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_BUS);
	process_for(bench->ctx, 20);
	assert_int_equal(cycles_of(bench), 0);
	kryos_model_set_present(bench->wire, 1);
	for (int i = 0; i < 100 && !is_on(bench); i++) {
		kryos_fake_clock_advance(bench->clock, S(1));
		process_for(bench->ctx, 10);
	}
	assert_true(is_on(bench));
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_GOOD);
}

/* As a station does it: the line is driven, and settles, while the loop already runs. */
static void who_waits_for_power_at_first_is_not_lost(void **state)
{
	struct bench *bench = *state;
	struct kryos_ctx *ctx;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_fake_bus_attach(bench->gpio, ctx));
	assert_ok(kryos_fake_bus_attach(bench->buses[0], ctx));
	kryos_ctx_free(bench->ctx);
	bench->ctx = ctx;
	assert_ok(kri_power_new_lazy(&bench->power, ctx, "probes", "switch@gpio:GPIO5", NULL));
	assert_ok(kri_sensor_new_lazy(&bench->sensors[FRIDGE], ctx, table[FRIDGE].name, table[FRIDGE].device,
	                              KRYOS_SENSOR_CONFIG(.power = bench->power)));
	assert_ok(kri_sensor_look(bench->sensors[FRIDGE]));
	assert_true(process_until(ctx, is_on, bench, WAIT_MS));
	assert_int_equal(read_one(bench, FRIDGE), KRYOS_QUALITY_GOOD);
	process_for(ctx, 20);
	take_events(bench);
	assert_int_equal(bench->lost, 0);
	kryos_sensor_close(bench->sensors[FRIDGE]);
	kryos_power_close(bench->power);
}

static void what_can_be_no_power_is_refused(void **state)
{
	struct bench *bench = *state;
	struct kryos_power *power = NULL;
	struct kryos_sensor *sensor = NULL;

	assert_fails(-ENODEV, kryos_power_open(&power, bench->ctx, "p", "switch@gpio:GPIO6", NULL));
	assert_fails(KRYOS_EDEVICE, kryos_power_open(&power, bench->ctx, "p", "lamp@gpio:GPIO5", NULL));
	assert_says(KRYOS_EDEVICE, "no output \"lamp\"; there is switch");
	assert_fails(-EINVAL, kryos_power_open(&power, bench->ctx, "P", "switch@gpio:GPIO5", NULL));
	assert_fails(-EINVAL,
	             kryos_power_open(&power, bench->ctx, "p", "switch@gpio:GPIO5", KRYOS_POWER_CONFIG(.off_ns = 1)));
	assert_says(-EINVAL, "off_ns");
	assert_null(power);
	assert_int_equal(kryos_model_get_bias(bench->wire), -ENODEV);
	assert_fails(-EINVAL, kryos_sensor_open_with(&sensor, bench->ctx, "room", table[ROOM].device,
	                                             KRYOS_SENSOR_CONFIG(.recover = KRYOS_RECOVER_POWER)));
	assert_says(-EINVAL, "no power is named");
	assert_fails(-EINVAL, kryos_sensor_open_with(&sensor, bench->ctx, "room", table[ROOM].device,
	                                             KRYOS_SENSOR_CONFIG(.recover = 16)));
	assert_null(sensor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(power_is_on_while_it_is_open, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bus_that_a_chip_holds_is_freed_by_a_cycle, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_dead_costs_its_neighbours_a_cycle_in_ten_minutes, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_helped_not_is_reported_once, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_steps_that_are_named_are_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(who_measures_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_measured_over_a_cut_is_no_value, setup, teardown),
		cmocka_unit_test_setup_teardown(everything_on_it_is_probed_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(a_line_that_is_lost_is_no_power_until_it_is_back, setup, teardown),
		cmocka_unit_test_setup_teardown(who_waits_for_power_at_first_is_not_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(what_can_be_no_power_is_refused, setup, teardown),
	};
	int r;

	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return 1;
	sem_init(&gate->entered, 0, 0);
	sem_init(&gate->go, 0, 0);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	free(gate);
	return r;
}
