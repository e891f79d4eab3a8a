/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of the kernel: iio, hwmon, thermal, power_supply. What is in their files is text, so that is made up here. */
#include "sensor_contract.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One that measures less; it is named as the other was. */
static void take_files(struct kryos_model *model)
{
	assert_ok(kryos_model_set_file(model, "in_humidityrelative_input", NULL));
	assert_ok(kryos_model_set_file(model, "humidity1_input", NULL));
	assert_ok(kryos_model_set_file(model, "temp", NULL));
}

#define PLACE_IIO "temperature,humidity,pressure,voltage0"
#define PLACE_HWMON "temperature,temp2,humidity,voltage,current,power"
#define PLACE_SUPPLY "capacity,voltage,current,power,temperature,online,status"
#define MAKE_WRONG(name, place)                                                                                        \
	static const char *name(struct kryos_fake_bus *bus, struct kryos_model *model)                                 \
	{                                                                                                              \
		(void)bus;                                                                                             \
		take_files(model);                                                                                     \
		return place;                                                                                          \
	}
MAKE_WRONG(make_another_iio, PLACE_IIO)
MAKE_WRONG(make_another_hwmon, PLACE_HWMON)
MAKE_WRONG(make_another_thermal, "temperature")
MAKE_WRONG(make_another_supply, PLACE_SUPPLY)

/* At most 999999999.999999999, with so many decimals as the kernel writes, or none. */
static long double draw(uint64_t *seed, int64_t most, int decimals, bool sign, char text[40])
{
	int64_t whole = (int64_t)(next_random(seed) % (uint64_t)(most + 1));
	int64_t part = (int64_t)(next_random(seed) % 1000000000);

	if (decimals == 6)
		part /= 1000;
	snprintf(text, 40, "%s%lld", sign && next_random(seed) % 2 ? "-" : "", (long long)whole);
	if (decimals)
		snprintf(text + strlen(text), 40 - strlen(text), ".%0*lld", decimals, (long long)part);
	return strtold(text, NULL);
}

/* The nearest millionth; where an exact half, or a last bit, decides, either. */
static void check_text(const struct rig *rig, long double expected, long double tolerance, const char *what, int n)
{
	struct kryos_sample samples[MAX_CHANNELS];
	const struct kryos_channel_info *info = &rig->has.channels[0];
	long double micro = expected * 1e6L;
	bool inside = micro >= (long double)info->min_micro && micro <= (long double)info->max_micro;

	kryos_fake_clock_advance(rig->clock, KRYOS_HOURS(24));
	assert_int_equal(kryos_sensor_read(rig->sensor, samples, MAX_CHANNELS), 1);
	if (inside ? samples[0].quality != KRYOS_QUALITY_GOOD ||
	                     fabsl((long double)samples[0].value_micro - micro) > 0.501L + tolerance
	           : samples[0].quality != KRYOS_QUALITY_RANGE)
		fail_msg("%s, case %d: %s is %lld, %s, not %.9Lf", rig->fixture->driver, n, what,
		         (long long)samples[0].value_micro, kryos_quality_name(samples[0].quality), expected);
}

/* With one file that is measured, of which place speaks. */
static void rig_up_one(struct rig *rig, const struct fixture *fixture, const char *place, const char *file)
{
	static struct fixture one;

	one = *fixture;
	one.place = place;
	rig_up(rig, &one);
	assert_ok(kryos_model_set_file(rig->model, file, "1"));
}

/* Whole numbers, or with decimals, of a unit of which one of ours has so many. */
static void compare_value(const struct fixture *fixture, uint64_t *seed, const char *place, const char *file,
                          int64_t most, int decimals, long double units)
{
	char text[40];
	struct rig rig;

	rig_up_one(&rig, fixture, place, file);
	assert_ok(open_it(&rig));
	for (int n = 0; n < CASES; n++) {
		long double value = draw(seed, most, decimals, !decimals, text);

		assert_ok(kryos_model_set_file(rig.model, file, text));
		check_text(&rig, value / units, 0, text, n);
	}
	rig_down(&rig);
}

/* (raw + offset) * scale in thousandths of a volt: of 24 bits, with steps of a nanovolt to a volt. */
static void compare_iio(const struct fixture *fixture, uint64_t *seed)
{
	char raw[40], offset[40], scale[40];
	struct rig rig;

	compare_value(fixture, seed, "pressure", "in_pressure_input", 120, 9, 1e-3L);
	rig_up_one(&rig, fixture, "voltage7", "in_voltage7_raw");
	assert_ok(kryos_model_set_file(rig.model, "in_voltage_offset", "0"));
	assert_ok(kryos_model_set_file(rig.model, "in_voltage7_scale", "1"));
	assert_ok(open_it(&rig));
	for (int n = 0; n < CASES; n++) {
		long double value = draw(seed, 1 << 24, 0, true, raw);

		value += draw(seed, 9999, n % 2 ? 6 : 0, true, offset);
		value *= draw(seed, n % 3 ? 0 : 9, n % 5 ? 9 : 6, false, scale);
		assert_ok(kryos_model_set_file(rig.model, "in_voltage7_raw", raw));
		assert_ok(kryos_model_set_file(rig.model, "in_voltage_offset", offset));
		assert_ok(kryos_model_set_file(rig.model, "in_voltage7_scale", scale));
		check_text(&rig, value / 1000, fabsl(value) * 1e-11L, raw, n);
	}
	rig_down(&rig);
}

static void compare_hwmon(const struct fixture *fixture, uint64_t *seed)
{
	compare_value(fixture, seed, "temp3", "temp3_input", 250000, 0, 1e3L);
	compare_value(fixture, seed, "power1", "power1_input", INT64_C(200000000000), 0, 1e6L);
}

static void compare_thermal(const struct fixture *fixture, uint64_t *seed)
{
	compare_value(fixture, seed, "temperature", "temp", 120000, 0, 1e3L);
}

static void compare_supply(const struct fixture *fixture, uint64_t *seed)
{
	compare_value(fixture, seed, "voltage", "voltage_now", 60000000, 0, 1e6L);
	compare_value(fixture, seed, "temperature", "temp", 900, 0, 10);
}

#define KERNEL(name, words)                                                                                            \
	.driver = name, .bus = "sysfs-" name "@gauge", .place = words, .other_bus = "sysfs-" name "@other",            \
	.add = kryos_fake_bus_add_kernel, .generic = true, .busy = true

const struct fixture kernel_fixtures[] = {
	{ KERNEL("iio", PLACE_IIO), .low_micro = { -100000000, 0, 1000000, -1000000 },
	  .high_micro = { 250000000, 100000000, INT64_C(200000000000), 5000000 },
	  .tolerance_micro = { 3907, 500, 1000, 500 }, .make_wrong = make_another_iio, .compare = compare_iio },
	{ KERNEL("hwmon", PLACE_HWMON), .low_micro = { -55000000, -55000000, 0, -1000000, -5000000, 0 },
	  .high_micro = { 125000000, 125000000, 100000000, 5000000, 5000000, 50000000 },
	  .tolerance_micro = { 500, 500, 500, 500, 500, 0 }, .make_wrong = make_another_hwmon,
	  .compare = compare_hwmon },
	{ KERNEL("thermal", "temperature"), .low_micro = { -40000000 }, .high_micro = { 125000000 },
	  .tolerance_micro = { 500 }, .make_wrong = make_another_thermal, .compare = compare_thermal },
	{ KERNEL("power_supply", PLACE_SUPPLY), .low_micro = { 0, 0, -5000000, 0, -20000000, 0, 0 },
	  .high_micro = { 100000000, 60000000, 5000000, 50000000, 60000000, 1000000, 1000000 },
	  .tolerance_micro = { 500000, 0, 0, 0, 50000, 500000, 500000 }, .make_wrong = make_another_supply,
	  .compare = compare_supply },
	{ 0 },
};
