/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>

struct rig {
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	struct kryos_model *model;
	struct kryos_sensor *sensor;
};

static int setup(void **state)
{
	struct rig *rig = test_calloc(1, sizeof(*rig));

	assert_ok(kryos_fake_clock_new(&rig->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_fake_bus_new(&rig->bus, "i2c-1"));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	assert_ok(kryos_fake_bus_add_ina226(rig->bus, "0x40", &rig->model));
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

static void open_with(struct rig *rig, const char *options)
{
	assert_ok(kryos_sensor_open_with(&rig->sensor, rig->ctx, "battery", "ina226@i2c-1:0x40",
	                                 KRYOS_SENSOR_CONFIG(.options = options)));
}

static void set(struct rig *rig, int64_t voltage_micro, int64_t current_micro)
{
	assert_ok(kryos_model_set(rig->model, "voltage", voltage_micro));
	assert_ok(kryos_model_set(rig->model, "current", current_micro));
}

static void measure(struct rig *rig, struct kryos_sample *samples, int count)
{
	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(1));
	assert_int_equal(kryos_sensor_read(rig->sensor, samples, (size_t)count), count);
}

static void voltage_alone_is_measured_where_no_shunt_is_said(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;

	open_with(rig, NULL);
	assert_int_equal(kryos_sensor_get_channel_count(rig->sensor), 1);
	set(rig, 12600000, 0);
	measure(rig, &sample, 1);
	assert_string_equal(kryos_channel_name(rig->ctx, sample.channel), "battery.voltage");
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(sample.value_micro, 12600000);
}

/* The model's shunt is 0.1 Ohm; who says 0.01 has ten times the current. */
static void current_is_by_the_shunt_that_is_said_and_has_a_sign(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[2];

	open_with(rig, "shunt=0.01");
	set(rig, 13200000, -250000);
	measure(rig, samples, 2);
	assert_string_equal(kryos_channel_name(rig->ctx, samples[1].channel), "battery.current");
	assert_string_equal(kryos_channel_unit(rig->ctx, samples[1].channel), "A");
	assert_int_equal(samples[1].quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(samples[1].value_micro, -2500000);
}

/* Charged or discharged with more than the chip can tell; the voltage is right all the same. */
static void current_above_what_the_shunt_allows_is_not_good(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[2];

	open_with(rig, "shunt=0.1");
	for (int64_t sign = -1; sign <= 1; sign += 2) {
		set(rig, 12000000, sign * 2000000);
		measure(rig, samples, 2);
		assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
		assert_int_equal(samples[1].quality, KRYOS_QUALITY_RANGE);
	}
	set(rig, 38000000, 0);
	measure(rig, samples, 2);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_RANGE);
	assert_int_equal(samples[1].quality, KRYOS_QUALITY_GOOD);
}

/* Reading it clears the flag that a measurement is ready (7.1.7). */
static void ready_flag_that_was_seen_is_kept_over_a_failed_transfer(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;

	open_with(rig, NULL);
	set(rig, 5000000, 0);
	kryos_model_set_busy(rig->model, 3);
	/* Start, three unready looks, a ready one; then the settings. */
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_EIO, 5, 1);
	measure(rig, &sample, 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(sample.value_micro, 5000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(voltage_alone_is_measured_where_no_shunt_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(current_is_by_the_shunt_that_is_said_and_has_a_sign, setup, teardown),
		cmocka_unit_test_setup_teardown(current_above_what_the_shunt_allows_is_not_good, setup, teardown),
		cmocka_unit_test_setup_teardown(ready_flag_that_was_seen_is_kept_over_a_failed_transfer, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
