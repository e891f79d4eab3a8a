/* SPDX-License-Identifier: Apache-2.0 */
/* What the contract (tests/contract) does not ask of every driver: how a probe is wired, and what the chip does in
 * between. */
#include "sensor/sensor.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define BIAS 0x80

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
	assert_ok(kryos_fake_bus_new(&rig->bus, "spi-0.0"));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	assert_ok(kryos_fake_bus_add_max31865(rig->bus, "", &rig->model));
	assert_ok(kryos_model_set(rig->model, "temperature", -78500000));
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
	return kryos_sensor_open_with(&rig->sensor, rig->ctx, "ice", "max31865@spi-0.0",
	                              KRYOS_SENSOR_CONFIG(.options = options));
}

static struct kryos_sample measure(struct rig *rig)
{
	struct kryos_sample sample;

	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(1));
	assert_int_equal(kryos_sensor_read(rig->sensor, &sample, 1), 1);
	return sample;
}

static bool is_near(const struct kryos_sample *sample, int64_t micro)
{
	return llabs(sample->value_micro - micro) < 20000;
}

static void wiring_that_is_broken_is_told(void **state)
{
	static const struct {
		enum kryos_wiring wiring;
		enum kryos_quality quality;
	} table[] = {
		{ KRYOS_WIRING_OPEN, KRYOS_QUALITY_OPEN },
		{ KRYOS_WIRING_SHORT, KRYOS_QUALITY_SHORT },
		{ KRYOS_WIRING_GROUND, KRYOS_QUALITY_SHORT },
		{ KRYOS_WIRING_OVER, KRYOS_QUALITY_SHORT },
	};
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_ok(open_with(rig, NULL));
	for (size_t i = 0; i < KRI_ARRAY_SIZE(table); i++) {
		kryos_model_set_wiring(rig->model, table[i].wiring);
		sample = measure(rig);
		assert_int_equal(sample.quality, table[i].quality);
		/* Only the second half of the fault detection tells this one. */
		assert_int_equal(is_near(&sample, -78500000), table[i].wiring == KRYOS_WIRING_GROUND);
		kryos_model_set_wiring(rig->model, KRYOS_WIRING_GOOD);
		sample = measure(rig);
		assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
		assert_true(is_near(&sample, -78500000));
	}
}

/* It can be opened, and says what is wrong: the probe may be plugged in later. */
static void chip_without_a_probe_is_no_absent_chip(void **state)
{
	struct rig *rig = *state;

	kryos_model_set_wiring(rig->model, KRYOS_WIRING_OPEN);
	assert_ok(open_with(rig, NULL));
	assert_int_equal(measure(rig).quality, KRYOS_QUALITY_OPEN);
}

static void element_carries_no_current_between_measurements(void **state)
{
	struct rig *rig = *state;

	assert_ok(open_with(rig, NULL));
	assert_int_equal(kryos_model_peek(rig->model, 0) & BIAS, 0);
	assert_int_equal(measure(rig).quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(kryos_model_peek(rig->model, 0) & BIAS, 0);
	kryos_model_set_busy(rig->model, -1); /* a measurement that came to nothing */
	assert_int_not_equal(measure(rig).quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(kryos_model_peek(rig->model, 0) & BIAS, 0);
}

static void third_wire_takes_a_leads_resistance_off(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_ok(kryos_model_set(rig->model, "lead", 500000));
	assert_ok(open_with(rig, "wires=3"));
	sample = measure(rig);
	assert_true(is_near(&sample, -78500000));
	kryos_sensor_close(rig->sensor);
	assert_ok(open_with(rig, "wires=2"));
	sample = measure(rig);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_true(sample.value_micro > -77400000 && sample.value_micro < -77100000);
}

static void filter_is_for_50_hz_unless_60_is_asked_for(void **state)
{
	struct rig *rig = *state;

	assert_ok(open_with(rig, NULL));
	assert_int_equal(kryos_model_peek(rig->model, 0), 0x01);
	kryos_sensor_close(rig->sensor);
	assert_ok(open_with(rig, "filter=60 wires=3"));
	assert_int_equal(kryos_model_peek(rig->model, 0), 0x10);
}

static void reference_follows_the_element_unless_it_is_given(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_ok(kryos_model_set(rig->model, "element", 1000000000));
	assert_ok(kryos_model_set(rig->model, "reference", 4300000000));
	assert_ok(open_with(rig, "element=pt1000"));
	sample = measure(rig);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_true(is_near(&sample, -78500000));
	kryos_sensor_close(rig->sensor);
	assert_ok(kryos_model_set(rig->model, "reference", 4000000000));
	assert_ok(open_with(rig, "element=pt1000 rref=4000"));
	sample = measure(rig);
	assert_true(is_near(&sample, -78500000));
	kryos_sensor_close(rig->sensor);

	/* A board for the other element. */
	assert_fails(KRYOS_EDEVICE, open_with(rig, "element=pt1000 rref=430"));
	assert_string_equal(kryos_strerror(KRYOS_EDEVICE),
	                    "ice: rref: 430 Ohm is not allowed for a pt1000: 2000 to 10000 Ohm is");
	assert_fails(KRYOS_EDEVICE, open_with(rig, "rref=4300"));
	assert_says(KRYOS_EDEVICE, "rref: 4300 Ohm is not allowed for a pt100: 200 to 1000 Ohm is");
	assert_fails(KRYOS_EDEVICE, open_with(rig, "rref=43"));
}

static void small_reference_ends_the_range(void **state)
{
	struct rig *rig = *state;

	assert_ok(kryos_model_set(rig->model, "reference", 250000000));
	assert_ok(open_with(rig, "rref=250"));
	/* 249.98 Ohm are 408.5 C. */
	assert_in_range(rig->sensor->has.channels[0].max_micro, 408000000, 409000000);
	assert_int_equal(rig->sensor->has.channels[0].resolution_micro, 19521);
	assert_ok(kryos_model_set(rig->model, "temperature", 400000000));
	assert_int_equal(measure(rig).quality, KRYOS_QUALITY_GOOD);
	assert_ok(kryos_model_set(rig->model, "temperature", 410000000));
	assert_int_equal(measure(rig).quality, KRYOS_QUALITY_OPEN);
}

static void chip_that_is_not_there_is_told_by_an_idle_wire(void **state)
{
	struct rig *rig = *state;

	for (int level = 0; level < 2; level++) {
		kryos_fake_bus_set_idle(rig->bus, level);
		kryos_model_set_present(rig->model, 0);
		assert_fails(-ENODEV, open_with(rig, NULL));
		assert_says(-ENODEV, level ? "max31865@spi-0.0: nothing answers: all that is read is 0xff"
		                           : "max31865@spi-0.0: nothing answers: all that is read is 0x00");
		kryos_model_set_present(rig->model, 1);
		assert_ok(open_with(rig, NULL));
		kryos_model_set_present(rig->model, 0);
		assert_int_equal(measure(rig).quality, KRYOS_QUALITY_ABSENT);
		kryos_model_set_present(rig->model, 1);
		assert_int_equal(measure(rig).quality, KRYOS_QUALITY_GOOD);
		kryos_sensor_close(rig->sensor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wiring_that_is_broken_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(chip_without_a_probe_is_no_absent_chip, setup, teardown),
		cmocka_unit_test_setup_teardown(element_carries_no_current_between_measurements, setup, teardown),
		cmocka_unit_test_setup_teardown(third_wire_takes_a_leads_resistance_off, setup, teardown),
		cmocka_unit_test_setup_teardown(filter_is_for_50_hz_unless_60_is_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(reference_follows_the_element_unless_it_is_given, setup, teardown),
		cmocka_unit_test_setup_teardown(small_reference_ends_the_range, setup, teardown),
		cmocka_unit_test_setup_teardown(chip_that_is_not_there_is_told_by_an_idle_wire, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
