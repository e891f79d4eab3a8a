/* SPDX-License-Identifier: Apache-2.0 */
/* What the contract (tests/contract) does not ask of every driver: thermocouples of all types, and how one is wired. */
#include "sensor/sensor.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rig {
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	struct kryos_model *model;
	struct kryos_sensor *sensor;
	struct kryos_sample samples[2];
};

static int setup(void **state)
{
	struct rig *rig = test_calloc(1, sizeof(*rig));

	assert_ok(kryos_fake_clock_new(&rig->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_fake_bus_new(&rig->bus, "spi-0.0"));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	assert_ok(kryos_fake_bus_add_max31856(rig->bus, "", &rig->model));
	assert_ok(kryos_model_set(rig->model, "temperature", -195800000));
	assert_ok(kryos_model_set(rig->model, "junction", 23500000));
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	kryos_ctx_free(rig->ctx);
	kryos_fake_bus_free(rig->bus);
	kryos_fake_clock_free(rig->clock);
	test_free(rig);
	return 0;
}

static int open_with(struct rig *rig, const char *options)
{
	return kryos_sensor_open_with(&rig->sensor, rig->ctx, "tank", "max31856@spi-0.0",
	                              KRYOS_SENSOR_CONFIG(.options = options));
}

static void measure(struct rig *rig)
{
	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(1));
	assert_int_equal(kryos_sensor_read(rig->sensor, rig->samples, 2), 2);
}

static void check(struct rig *rig, enum kryos_quality temperature, enum kryos_quality junction)
{
	measure(rig);
	assert_int_equal(rig->samples[0].quality, temperature);
	assert_int_equal(rig->samples[1].quality, junction);
}

static void each_type_is_measured_over_its_own_range(void **state)
{
	/* In the order of the registers' codes; table 1. */
	static const struct {
		char letter;
		int low, high;
	} types[] = { { 'b', 250, 1820 },  { 'e', -200, 1000 }, { 'j', -210, 1200 }, { 'k', -200, 1372 },
		      { 'n', -200, 1300 }, { 'r', -50, 1768 },  { 's', -50, 1768 },  { 't', -200, 400 } };
	struct rig *rig = *state;
	char options[16];

	for (int i = 0; i < 8; i++) {
		const int ends[] = { types[i].low, types[i].high };

		snprintf(options, sizeof(options), "type=%c", types[i].letter);
		assert_ok(kryos_model_set(rig->model, "type", i * INT64_C(1000000)));
		assert_ok(open_with(rig, options));
		assert_int_equal(rig->sensor->has.channels[0].min_micro, types[i].low * INT64_C(1000000));
		assert_int_equal(rig->sensor->has.channels[0].max_micro, types[i].high * INT64_C(1000000));
		for (int n = 0; n < 2; n++) {
			assert_ok(kryos_model_set(rig->model, "temperature", ends[n] * INT64_C(1000000)));
			check(rig, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD);
			assert_int_equal(rig->samples[0].value_micro, ends[n] * INT64_C(1000000));
			/* The chip stops at the end, which would be a likely value. */
			assert_ok(kryos_model_set(rig->model, "temperature",
			                          (ends[n] + (n ? 5 : -5)) * INT64_C(1000000)));
			check(rig, KRYOS_QUALITY_RANGE, KRYOS_QUALITY_GOOD);
		}
		kryos_sensor_close(rig->sensor);
	}
	assert_fails(-EINVAL, open_with(rig, "type=u"));
	assert_says(-EINVAL, "k j n r s t e b");
}

static void wiring_that_is_broken_is_told(void **state)
{
	struct rig *rig = *state;

	assert_ok(open_with(rig, NULL));
	check(rig, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD);
	assert_int_equal(rig->samples[1].value_micro, 23500000);
	kryos_model_set_wiring(rig->model, KRYOS_WIRING_OPEN);
	check(rig, KRYOS_QUALITY_OPEN, KRYOS_QUALITY_GOOD);
	kryos_model_set_wiring(rig->model, KRYOS_WIRING_OVER);
	check(rig, KRYOS_QUALITY_SHORT, KRYOS_QUALITY_SHORT);
	kryos_model_set_wiring(rig->model, KRYOS_WIRING_GOOD);
	check(rig, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD);
	assert_in_range(rig->samples[0].value_micro + 195800000 + 4000, 0, 8000);
}

/* An input beyond the supply from power-on: nothing was ever converted, and all data is zero. */
static void chip_that_never_converted_measures_nothing(void **state)
{
	struct rig *rig = *state;

	kryos_model_set_wiring(rig->model, KRYOS_WIRING_OVER);
	assert_ok(open_with(rig, NULL));
	check(rig, KRYOS_QUALITY_SHORT, KRYOS_QUALITY_SHORT);
	assert_int_equal(rig->samples[0].value_micro, 0);
}

/* The compensation is as wrong as the junction is. */
static void junction_out_of_range_spoils_the_thermocouple(void **state)
{
	struct rig *rig = *state;

	assert_ok(open_with(rig, NULL));
	assert_ok(kryos_model_set(rig->model, "junction", 126000000));
	check(rig, KRYOS_QUALITY_RANGE, KRYOS_QUALITY_RANGE);
	assert_ok(kryos_model_set(rig->model, "junction", -56000000));
	check(rig, KRYOS_QUALITY_RANGE, KRYOS_QUALITY_RANGE);
	assert_ok(kryos_model_set(rig->model, "junction", -10000000));
	check(rig, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD);
}

/* Registers as data sheet tables 4 and 6 have them. */
static void options_are_in_the_registers(void **state)
{
	static const struct {
		const char *options;
		int cr0, cr1;
	} table[] = {
		{ NULL, 0x11, 0x03 },
		{ "filter=60 average=2", 0x10, 0x13 },
		{ "source=40k average=4 type=j", 0x21, 0x22 },
		{ "source=40k_filter average=16 type=e", 0x31, 0x41 },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(table); i++) {
		assert_ok(open_with(rig, table[i].options));
		assert_int_equal(kryos_model_peek(rig->model, 0), table[i].cr0);
		assert_int_equal(kryos_model_peek(rig->model, 1), table[i].cr1);
		kryos_sensor_close(rig->sensor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_type_is_measured_over_its_own_range, setup, teardown),
		cmocka_unit_test_setup_teardown(wiring_that_is_broken_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(chip_that_never_converted_measures_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(junction_out_of_range_spoils_the_thermocouple, setup, teardown),
		cmocka_unit_test_setup_teardown(options_are_in_the_registers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
