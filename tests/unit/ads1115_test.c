/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include "support.h"
#include <errno.h>
#include <kryos/sys/sensor.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE "ads1115@i2c-1:0x48"
/* The common 10 kOhm NTC of below, in series with 10 kOhm. */
#define POINTS " series=10000 r1=32554.8 r2=10000 r3=3605.3"
#define BETA " series=10000 r25=10000 beta=3977"

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
	assert_ok(kryos_fake_bus_add_ads1115(rig->bus, "0x48", &rig->model));
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
	return kryos_sensor_open_with(&rig->sensor, rig->ctx, "tank", DEVICE, KRYOS_SENSOR_CONFIG(.options = options));
}

/* An hour later, so that no move is too fast. */
static void measure(struct rig *rig, struct kryos_sample *samples, int count)
{
	kryos_fake_clock_advance(rig->clock, KRYOS_HOURS(1));
	assert_int_equal(kryos_sensor_read(rig->sensor, samples, (size_t)count), count);
}

static void set_pin(struct rig *rig, const char *pin, double volts)
{
	assert_ok(kryos_model_set(rig->model, pin, llround(volts * 1e6)));
}

/*
 * A common NTC (10 kOhm at 25 C, B25/85 3977 K) by the four-term formula that its maker publishes for its table: the
 * reference for a curve of three terms.
 */
static double ntc_ohm(double celsius)
{
	double t = celsius + 273.15;

	return 10000 * exp(-14.6337 + 4791.842 / t - 115334 / t / t - 3.730535e6 / t / t / t);
}

/* With what an input takes in the range of 4.096 V: common mode 6 MOhm, differential 15 MOhm. */
static double loaded(double ohm)
{
	return 1 / (1 / ohm + 1 / 6e6 + 1 / 15e6);
}

static void set_ntc(struct rig *rig, const char *pin, double celsius, double supply)
{
	double r = loaded(ntc_ohm(celsius));

	set_pin(rig, pin, supply * r / (r + 10000));
}

static void voltage_is_that_before_its_divider(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[2];

	assert_ok(open_with(rig, "input0=voltage ratio0=11 input1=off input3=voltage"));
	assert_int_equal(kryos_sensor_get_channel_count(rig->sensor), 2);
	set_pin(rig, "voltage", 1.1);
	set_pin(rig, "voltage3", 3.3);
	measure(rig, samples, 2);
	assert_string_equal(kryos_channel_name(rig->ctx, samples[0].channel), "tank.voltage");
	assert_string_equal(kryos_channel_name(rig->ctx, samples[1].channel), "tank.voltage3");
	assert_true(llabs(samples[0].value_micro - 12100000) <= 11 * 63);
	assert_true(llabs(samples[1].value_micro - 3300000) <= 63);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(samples[1].quality, KRYOS_QUALITY_GOOD);
}

/* Whatever the voltage, it is measured well, and after some rounds in a range that fits it. */
static void range_follows_the_voltage_of_each_input(void **state)
{
	static const struct {
		double volts;
		unsigned int pga;
		int64_t within;
	} cases[] = { { 0.05, 5, 4 }, { 0.15, 5, 4 }, { 0.3, 4, 8 },  { 0.7, 3, 16 },
		      { 1.5, 2, 32 }, { 3.0, 0, 94 }, { 4.5, 0, 94 }, { 0.05, 5, 4 } };
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_ok(open_with(rig, "full_scale=0.256"));
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		set_pin(rig, "voltage", cases[i].volts);
		for (int round = 0; round < 6; round++) {
			measure(rig, &sample, 1);
			assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
			assert_true(llabs(sample.value_micro - llround(cases[i].volts * 1e6)) <= 94);
		}
		assert_true(llabs(sample.value_micro - llround(cases[i].volts * 1e6)) <= cases[i].within);
		assert_int_equal(kryos_model_peek(rig->model, 2) >> 1 & 7, cases[i].pga);
	}
}

static void voltage_above_every_range_is_not_good(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_ok(open_with(rig, NULL));
	set_pin(rig, "voltage", 7);
	measure(rig, &sample, 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_RANGE);
	set_pin(rig, "voltage", -0.2);
	measure(rig, &sample, 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_RANGE);
}

static void compare_with_its_maker(struct rig *rig, double from, double to, double supply, double within,
                                   enum kryos_quality quality)
{
	uint64_t seed = seed_from_environment(7000);
	struct kryos_sample samples[2];

	for (int n = 0; n < 1000; n++) {
		double celsius = from + (to - from) * (double)(next_random(&seed) % 100001) / 100000;

		set_ntc(rig, "voltage", celsius, supply);
		set_pin(rig, "voltage2", supply / 2);
		measure(rig, samples, kryos_sensor_get_channel_count(rig->sensor));
		if (samples[0].quality != quality || fabs((double)samples[0].value_micro / 1e6 - celsius) > within)
			fail_msg("%f C is %f C, %s", celsius, (double)samples[0].value_micro / 1e6,
			         kryos_quality_name(samples[0].quality));
	}
}

static void three_points_are_a_curve_as_the_makers(void **state)
{
	struct rig *rig = *state;

	assert_ok(open_with(rig, "input0=ntc supply=3.3" POINTS));
	compare_with_its_maker(rig, -24.9, 74.9, 3.3, 0.03, KRYOS_QUALITY_GOOD);
}

static void supply_that_sags_moves_no_temperature(void **state)
{
	struct rig *rig = *state;

	assert_ok(open_with(rig, "input0=ntc input2=voltage ratio2=2 supply_input=2" POINTS));
	compare_with_its_maker(rig, -24.9, 74.9, 3.3, 0.03, KRYOS_QUALITY_GOOD);
	compare_with_its_maker(rig, -24.9, 74.9, 2.7, 0.03, KRYOS_QUALITY_GOOD);
}

/* B25/85 alone: exact at both, half a degree off in a refrigerator, and far off in a freezer, which must not be good.
 */
static void beta_is_a_curve_through_two_points(void **state)
{
	struct rig *rig = *state;

	assert_ok(open_with(rig, "input0=ntc supply=3.3" BETA));
	compare_with_its_maker(rig, 24.9, 25.1, 3.3, 0.01, KRYOS_QUALITY_GOOD);
	compare_with_its_maker(rig, 84.9, 85.1, 3.3, 0.02, KRYOS_QUALITY_EXTRAPOLATED);
	compare_with_its_maker(rig, 5, 8, 3.3, 0.6, KRYOS_QUALITY_GOOD);
	compare_with_its_maker(rig, 1, 49, 3.3, 0.9, KRYOS_QUALITY_GOOD);
	compare_with_its_maker(rig, -20, -5, 3.3, 1.8, KRYOS_QUALITY_EXTRAPOLATED);
}

static void ntc_to_the_supply_is_measured_across_the_series_resistor(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;
	double r = ntc_ohm(5);

	assert_ok(open_with(rig, "input0=ntc ntc_to=supply supply=3.3" POINTS));
	set_pin(rig, "voltage", 3.3 * loaded(10000) / (r + loaded(10000)));
	measure(rig, &sample, 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_true(llabs(sample.value_micro - 5000000) < 10000);
	set_pin(rig, "voltage", 0);
	measure(rig, &sample, 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_OPEN);
	set_pin(rig, "voltage", 3.3);
	measure(rig, &sample, 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_SHORT);
}

static void broken_ntc_is_told_from_cold_and_warm(void **state)
{
	static const struct {
		double volts;
		enum kryos_quality quality;
	} cases[] = {
		{ 3.3, KRYOS_QUALITY_OPEN },
		{ 3.2999, KRYOS_QUALITY_OPEN },
		{ 3.5, KRYOS_QUALITY_OPEN },
		{ 3.3 * 4.286 / 4.296, KRYOS_QUALITY_OPEN }, /* the input's own load */
		{ 3.3 * 3 / 3.01, KRYOS_QUALITY_OPEN },      /* of one that takes more than is typical */
		{ 0, KRYOS_QUALITY_SHORT },
		{ 0.003, KRYOS_QUALITY_SHORT },
		{ -0.05, KRYOS_QUALITY_SHORT },
		{ 3.3 * 332100 / 342100, KRYOS_QUALITY_EXTRAPOLATED }, /* -40 C, of points from 0 to 50 C */
		{ 3.3 * 677.3 / 10677.3, KRYOS_QUALITY_EXTRAPOLATED }, /* 100 C */
		{ 3.3 * 25339 / 35339, KRYOS_QUALITY_GOOD },           /* 5 C */
	};
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_ok(open_with(rig, "input0=ntc supply=3.3" POINTS));
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		set_pin(rig, "voltage", cases[i].volts);
		measure(rig, &sample, 1);
		if (sample.quality != cases[i].quality)
			fail_msg("%f V is %s", cases[i].volts, kryos_quality_name(sample.quality));
	}
}

/* A disturbance that filled the range is over; its successor is measured in the range that was asked for. */
static void ntc_returns_to_its_range_after_one_that_did_not_fit(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_ok(open_with(rig, "input0=ntc supply=3.3" POINTS));
	set_pin(rig, "voltage", 4.5);
	measure(rig, &sample, 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_OPEN);
	assert_int_equal(kryos_model_peek(rig->model, 2) >> 1 & 7, 0);
	set_ntc(rig, "voltage", 5, 3.3);
	measure(rig, &sample, 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(kryos_model_peek(rig->model, 2) >> 1 & 7, 1);
}

static void temperature_without_a_supply_is_none(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[2];

	assert_ok(open_with(rig, "input0=ntc input3=voltage supply_input=3" POINTS));
	set_ntc(rig, "voltage", 5, 3.3);
	set_pin(rig, "voltage3", 0.1);
	measure(rig, samples, 2);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_RANGE);
	assert_int_equal(samples[0].value_micro, 0);
	set_pin(rig, "voltage3", 6.5);
	measure(rig, samples, 2);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_RANGE);
}

static void what_is_wired_must_be_said_and_make_sense(void **state)
{
	static const struct {
		const char *options, *sentence;
	} wrong[] = {
		{ "input0=off", "all of input0 to input3 are off" },
		{ "input0=ntc", "an ntc needs series" },
		{ "input0=ntc series=10000", "an ntc needs either supply or supply_input" },
		{ "input0=ntc series=10000 supply=3.3 supply_input=1", "an ntc needs either supply or supply_input" },
		{ "input0=ntc series=10000 supply_input=1", "supply_input is 1: then input1 must be voltage" },
		{ "input0=ntc series=10000 supply_input=0", "supply_input is 0: then input0 must be voltage" },
		{ "input0=ntc series=10000 supply=3.3", "an ntc needs r25 and beta, or all of r1, r2 and r3" },
		{ "input0=ntc series=10000 supply=3.3 r25=10000 beta=3977 r1=30000",
		  "an ntc needs r25 and beta, or all of r1, r2 and r3" },
		{ "input0=ntc series=10000 supply=3.3 r1=3605 r2=10000 r3=32554", "t1, t2, t3 must rise" },
		{ "input0=ntc series=10000 supply=3.3 t2=-5 r1=32554 r2=10000 r3=3605", "t1, t2, t3 must rise" },
		{ "input0=ntc series=10000 supply=3.3 r1=100000 r2=10000 r3=9990", "no NTC has these three points" },
		{ "input0=ntc supply=6", "supply: 6 is not allowed: 0 to 5.5 V is" },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		int r = open_with(rig, wrong[i].options);

		if (r != KRYOS_EDEVICE && r != -EINVAL)
			fail_msg("%s: %d", wrong[i].options, r);
		assert_says(r, wrong[i].sentence);
	}
	assert_int_equal(kryos_fake_bus_transfers(rig->bus), 0);
}

static void conversion_that_takes_longer_is_waited_for(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[4];

	assert_ok(open_with(rig, "input1=voltage input2=voltage input3=voltage"));
	set_pin(rig, "voltage2", 1);
	kryos_model_set_busy(rig->model, 20);
	measure(rig, samples, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(samples[i].quality, KRYOS_QUALITY_GOOD);
	assert_true(llabs(samples[2].value_micro - 1000000) <= 63);
	kryos_model_set_busy(rig->model, -1);
	measure(rig, samples, 4);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_BUS);
}

/*
 * A transfer fails while an input is converted, and the measurement begins again at once: what that conversion gives is
 * the voltage of another input than the one that is asked for now.
 */
static void conversion_under_way_is_not_taken_for_the_next(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[3];
	int good = 0;

	assert_ok(open_with(rig, "input1=voltage input2=voltage"));
	kryos_model_set_busy(rig->model, 12);
	for (int at = 0; at < 60; at++) {
		/* None stands still for so long that it is called stuck. */
		set_pin(rig, "voltage", 1 + at * 0.001);
		set_pin(rig, "voltage1", 1.4 + at * 0.001);
		set_pin(rig, "voltage2", 1.8 + at * 0.001);
		kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_EIO, at, 1);
		measure(rig, samples, 3);
		for (int i = 0; i < 3; i++) {
			if (samples[i].quality != KRYOS_QUALITY_GOOD)
				continue;
			good++;
			if (llabs(samples[i].value_micro - (1000000 + i * 400000 + at * 1000)) > 94)
				fail_msg("fault at %d: input %d is at %lld uV", at, i,
				         (long long)samples[i].value_micro);
		}
	}
	assert_int_equal(good, 3 * 60);
}

/* As another program may have left it. */
static void continuous_conversion_is_ended_first(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_ok(open_with(rig, "input0=off input1=voltage"));
	set_pin(rig, "voltage", 2);
	set_pin(rig, "voltage1", 1);
	assert_ok(kryos_model_poke(rig->model, 2, 0xc2)); /* AIN0 against ground, over and over */
	measure(rig, &sample, 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_true(llabs(sample.value_micro - 1000000) <= 63);
	assert_int_equal(kryos_model_peek(rig->model, 2) & 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(voltage_is_that_before_its_divider, setup, teardown),
		cmocka_unit_test_setup_teardown(range_follows_the_voltage_of_each_input, setup, teardown),
		cmocka_unit_test_setup_teardown(voltage_above_every_range_is_not_good, setup, teardown),
		cmocka_unit_test_setup_teardown(three_points_are_a_curve_as_the_makers, setup, teardown),
		cmocka_unit_test_setup_teardown(supply_that_sags_moves_no_temperature, setup, teardown),
		cmocka_unit_test_setup_teardown(beta_is_a_curve_through_two_points, setup, teardown),
		cmocka_unit_test_setup_teardown(ntc_to_the_supply_is_measured_across_the_series_resistor, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(broken_ntc_is_told_from_cold_and_warm, setup, teardown),
		cmocka_unit_test_setup_teardown(ntc_returns_to_its_range_after_one_that_did_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(temperature_without_a_supply_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_wired_must_be_said_and_make_sense, setup, teardown),
		cmocka_unit_test_setup_teardown(conversion_that_takes_longer_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(conversion_under_way_is_not_taken_for_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(continuous_conversion_is_ended_first, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
