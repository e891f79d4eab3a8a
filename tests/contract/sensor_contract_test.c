/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every built-in sensor driver owes, tried on its chip model. A driver without a row in the
 * table below fails this test.
 */
#include "core/core.h"
#include "support.h"
#include <kryos/sys/sensor.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASES 1000
#define MAX_CHANNELS KRYOS_SENSOR_MAX_CHANNELS

struct fixture {
	const char *driver, *bus, *place, *other_place;
	int (*add)(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
	/* In the driver's order: where the model is tried, and how far quantisation may take a reading from it. */
	int64_t low_micro[MAX_CHANNELS], high_micro[MAX_CHANNELS], tolerance_micro[MAX_CHANNELS];
	/* Makes it another chip, or, where the address says what it is, names that address. NULL: nothing tells one
	 * from another. */
	const char *(*make_wrong)(struct kryos_fake_bus *bus, struct kryos_model *model);
	/* Compares the driver with formulas in double precision, for chips chosen at random. */
	void (*compare)(const struct fixture *fixture, uint64_t *seed);
};

struct rig {
	const struct fixture *fixture;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	struct kryos_model *model;
	struct kryos_sensor *sensor;
	int64_t truth[MAX_CHANNELS];
};

static const struct kryos_sensor_driver *driver_of(const char *name)
{
	const void *const *driver;

	for (driver = kri_builtin_drivers[KRI_SENSOR]; *driver; driver++)
		if (strcmp(((const struct kryos_sensor_driver *)*driver)->name, name) == 0)
			return *driver;
	fail_msg("no driver called %s in this build", name);
	return NULL;
}

static void rig_up(struct rig *rig, const struct fixture *fixture)
{
	*rig = (struct rig){ .fixture = fixture };
	assert_ok(kryos_fake_clock_new(&rig->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_fake_bus_new(&rig->bus, fixture->bus));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	assert_ok(fixture->add(rig->bus, fixture->place, &rig->model));
}

static void rig_down(struct rig *rig)
{
	kryos_ctx_free(rig->ctx);
	kryos_fake_bus_free(rig->bus);
	kryos_fake_clock_free(rig->clock);
}

static int open_at(struct rig *rig, const char *place)
{
	char device[128];

	snprintf(device, sizeof(device), "%s@%s:%s", rig->fixture->driver, rig->fixture->bus, place);
	return kryos_sensor_open(&rig->sensor, rig->ctx, "fridge", device);
}

static int open_it(struct rig *rig)
{
	return open_at(rig, rig->fixture->place);
}

static void set_truth(struct rig *rig, unsigned int channel, int64_t micro)
{
	const struct kryos_sensor_driver *driver = driver_of(rig->fixture->driver);

	rig->truth[channel] = micro;
	assert_ok(kryos_model_set(rig->model, driver->channels[channel].quantity, micro));
}

static void set_random_truth(struct rig *rig, uint64_t *seed)
{
	const struct kryos_sensor_driver *driver = driver_of(rig->fixture->driver);
	uint64_t span;
	unsigned int i;

	for (i = 0; i < driver->channel_count; i++) {
		span = (uint64_t)(rig->fixture->high_micro[i] - rig->fixture->low_micro[i]);
		set_truth(rig, i, rig->fixture->low_micro[i] + (int64_t)(next_random(seed) % (span + 1)));
	}
}

/* A minute later, so that no move is too fast. */
static void read_it(struct rig *rig, struct kryos_sample samples[MAX_CHANNELS])
{
	size_t count = driver_of(rig->fixture->driver)->channel_count;

	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(1));
	assert_int_equal(kryos_sensor_read(rig->sensor, samples, count), (int)count);
}

static bool is_true(const struct rig *rig, const struct kryos_sample *samples, unsigned int channel)
{
	return llabs(samples[channel].value_micro - rig->truth[channel]) <= rig->fixture->tolerance_micro[channel];
}

/* Every sample says good and is right, or says what is wrong. Returns whether all are good. */
static bool check_no_lie(const struct rig *rig, const struct kryos_sample *samples, const char *when, int step)
{
	size_t count = driver_of(rig->fixture->driver)->channel_count;
	bool all_good = true;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (samples[i].quality == KRYOS_QUALITY_GOOD && !is_true(rig, samples, i))
			fail_msg("%s, %s %d: channel %u says %lld, in truth %lld", rig->fixture->driver, when, step, i,
			         (long long)samples[i].value_micro, (long long)rig->truth[i]);
		all_good = all_good && samples[i].quality == KRYOS_QUALITY_GOOD;
	}
	return all_good;
}

static void check_good(struct rig *rig, const char *when, int step)
{
	struct kryos_sample samples[MAX_CHANNELS];

	read_it(rig, samples);
	if (!check_no_lie(rig, samples, when, step))
		fail_msg("%s, %s %d: quality %s", rig->fixture->driver, when, step,
		         kryos_quality_name(samples[0].quality));
}

static void sensor_describes_itself_within_the_limits(void **state)
{
	const struct fixture *fixture = *state;
	const struct kryos_sensor_driver *driver = driver_of(fixture->driver);
	size_t i;

	assert_int_equal(driver->size, sizeof(*driver));
	assert_in_range(driver->channel_count, 1, KRYOS_SENSOR_MAX_CHANNELS);
	assert_in_range(driver->raw_size, 1, KRYOS_SENSOR_MAX_RAW);
	assert_non_null(driver->title);
	assert_non_null(driver->probe);
	assert_non_null(driver->fetch);
	assert_non_null(driver->decode);
	for (i = 0; i < driver->channel_count; i++) {
		assert_true(strlen(driver->channels[i].quantity) > 0);
		assert_in_range(strlen(driver->channels[i].unit), 1, 15);
		assert_true(driver->channels[i].min_micro < driver->channels[i].max_micro);
		assert_true(driver->channels[i].max_rate_micro >= 0);
		assert_true(fixture->low_micro[i] >= driver->channels[i].min_micro);
		assert_true(fixture->high_micro[i] <= driver->channels[i].max_micro);
	}
}

static void sensor_measures_its_whole_range_as_its_model(void **state)
{
	uint64_t seed = seed_from_environment(1000);
	struct rig rig;
	unsigned int i;
	int n;

	rig_up(&rig, *state);
	set_random_truth(&rig, &seed);
	assert_ok(open_it(&rig));
	for (n = 0; n < CASES; n++) {
		set_random_truth(&rig, &seed);
		for (i = 0; n < 2 && i < driver_of(rig.fixture->driver)->channel_count; i++)
			set_truth(&rig, i, n ? rig.fixture->high_micro[i] : rig.fixture->low_micro[i]);
		check_good(&rig, "value", n);
	}
	rig_down(&rig);
}

static void sensor_decodes_as_its_data_sheets_formulas(void **state)
{
	const struct fixture *fixture = *state;
	uint64_t seed = seed_from_environment(2000);

	fixture->compare(fixture, &seed);
}

static const enum kryos_fault faults[] = { KRYOS_FAULT_NACK, KRYOS_FAULT_EIO,  KRYOS_FAULT_TIMEOUT, KRYOS_FAULT_STUCK,
	                                   KRYOS_FAULT_FLIP, KRYOS_FAULT_ZERO, KRYOS_FAULT_EMPTY };

static bool is_documented(int r)
{
	static const int codes[] = { -ENODEV, KRYOS_ECHIP, KRYOS_ESTUCK, KRYOS_ECRC, -EIO, -ETIMEDOUT };
	size_t i;

	for (i = 0; i < KRI_ARRAY_SIZE(codes); i++)
		if (r == codes[i])
			return true;
	return false;
}

/* How many transfers opening and one reading take when nothing is wrong. */
static void count_transfers(const struct fixture *fixture, int *ret_open, int *ret_read)
{
	struct rig rig;
	unsigned int opened;

	rig_up(&rig, fixture);
	assert_ok(open_it(&rig));
	opened = kryos_fake_bus_transfers(rig.bus);
	rig.truth[0] = 0;
	kryos_fake_clock_advance(rig.clock, KRYOS_MINUTES(1));
	assert_true(kryos_sensor_read(rig.sensor, &(struct kryos_sample){ 0 }, 1) == 1);
	*ret_open = (int)opened;
	*ret_read = (int)(kryos_fake_bus_transfers(rig.bus) - opened);
	rig_down(&rig);
}

static void try_fault_at_open(const struct fixture *fixture, enum kryos_fault fault, int at, int times, uint64_t *seed)
{
	struct rig rig;
	int r;

	rig_up(&rig, fixture);
	set_random_truth(&rig, seed);
	kryos_fake_bus_plan(rig.bus, fault, at, times);
	r = open_it(&rig);
	kryos_fake_bus_plan(rig.bus, KRYOS_FAULT_NONE, 0, 0);
	if (r < 0) {
		if (!is_documented(r) || !strstr(kryos_strerror(r), fixture->place))
			fail_msg("%s, fault %d at transfer %d: %d: %s", fixture->driver, fault, at, r,
			         kryos_strerror(r));
		assert_ok(open_it(&rig));
	}
	check_good(&rig, "after a fault at open", at);
	rig_down(&rig);
}

static void sensor_opens_or_fails_well_with_a_fault_at_each_transfer(void **state)
{
	const struct fixture *fixture = *state;
	uint64_t seed = seed_from_environment(3000);
	int opening, reading, at;
	size_t f;

	count_transfers(fixture, &opening, &reading);
	for (f = 0; f < KRI_ARRAY_SIZE(faults); f++) {
		for (at = 0; at <= opening; at++) {
			try_fault_at_open(fixture, faults[f], at, 1, &seed);
			try_fault_at_open(fixture, faults[f], at, -1, &seed);
		}
	}
}

static void try_fault_at_read(const struct fixture *fixture, enum kryos_fault fault, int at, int times, uint64_t *seed)
{
	struct kryos_sample samples[MAX_CHANNELS];
	struct rig rig;

	rig_up(&rig, fixture);
	set_random_truth(&rig, seed);
	assert_ok(open_it(&rig));
	check_good(&rig, "before a fault at", at);
	set_random_truth(&rig, seed);
	kryos_fake_bus_plan(rig.bus, fault, at, times);
	read_it(&rig, samples);
	check_no_lie(&rig, samples, "under a fault at", at);
	if (times < 0 && at == 0 && samples[0].quality == KRYOS_QUALITY_GOOD)
		fail_msg("%s: good although fault %d never ends", fixture->driver, fault);
	/* Once more under the plan, from which the core may have gone on to probe. */
	read_it(&rig, samples);
	check_no_lie(&rig, samples, "under a fault later than", at);
	kryos_fake_bus_plan(rig.bus, KRYOS_FAULT_NONE, 0, 0);
	check_good(&rig, "after a fault at", at);
	rig_down(&rig);
}

static void sensor_never_lies_with_a_fault_at_each_transfer(void **state)
{
	const struct fixture *fixture = *state;
	uint64_t seed = seed_from_environment(4000);
	int opening, reading, at;
	size_t f;

	count_transfers(fixture, &opening, &reading);
	for (f = 0; f < KRI_ARRAY_SIZE(faults); f++) {
		for (at = 0; at <= reading; at++) {
			try_fault_at_read(fixture, faults[f], at, 1, &seed);
			try_fault_at_read(fixture, faults[f], at, 2, &seed);
			try_fault_at_read(fixture, faults[f], at, -1, &seed);
		}
	}
}

static void sensor_says_when_it_is_absent_and_is_found_again(void **state)
{
	struct kryos_sample samples[MAX_CHANNELS];
	uint64_t seed = seed_from_environment(5000);
	struct rig rig;
	size_t i;

	rig_up(&rig, *state);
	set_random_truth(&rig, &seed);
	kryos_model_set_present(rig.model, 0);
	assert_fails(-ENODEV, open_it(&rig));
	assert_says(-ENODEV, rig.fixture->place);
	kryos_model_set_present(rig.model, 1);
	assert_ok(open_it(&rig));
	check_good(&rig, "plugged", 1);
	kryos_model_set_present(rig.model, 0);
	read_it(&rig, samples);
	for (i = 0; i < driver_of(rig.fixture->driver)->channel_count; i++) {
		assert_int_equal(samples[i].quality, KRYOS_QUALITY_ABSENT);
		assert_int_equal(samples[i].value_micro, 0);
	}
	kryos_model_set_present(rig.model, 1);
	set_random_truth(&rig, &seed);
	check_good(&rig, "plugged", 2);
	rig_down(&rig);
}

static void sensor_survives_a_reset_in_operation(void **state)
{
	struct kryos_sample samples[MAX_CHANNELS];
	uint64_t seed = seed_from_environment(6000);
	struct rig rig;
	int n;

	rig_up(&rig, *state);
	set_random_truth(&rig, &seed);
	assert_ok(open_it(&rig));
	for (n = 0; n < 20; n++) {
		kryos_model_reset(rig.model);
		set_random_truth(&rig, &seed);
		read_it(&rig, samples);
		check_no_lie(&rig, samples, "after reset", n);
		check_good(&rig, "second reading after reset", n);
	}
	rig_down(&rig);
}

static void sensor_names_a_wrong_chip(void **state)
{
	struct kryos_sample samples[MAX_CHANNELS];
	const struct fixture *fixture = *state;
	struct rig rig;
	const char *place;

	rig_up(&rig, fixture);
	place = fixture->make_wrong(rig.bus, rig.model);
	assert_fails(KRYOS_ECHIP, open_at(&rig, place));
	assert_says(KRYOS_ECHIP, place);
	rig_down(&rig);

	if (strcmp(place, fixture->place) != 0)
		return; /* an address that says what the chip is cannot be taken by another */
	rig_up(&rig, fixture);
	assert_ok(open_it(&rig));
	kryos_model_set_present(rig.model, 0);
	read_it(&rig, samples);
	fixture->make_wrong(rig.bus, rig.model);
	kryos_model_set_present(rig.model, 1);
	read_it(&rig, samples);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_CHIP);
	rig_down(&rig);
}

/* --- BME280 --- */

static const char *make_bmp280(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)bus;
	assert_ok(kryos_model_poke(model, 0xd0, 0x58));
	return "0x76";
}

struct trimming {
	double t[4], p[10], h[7];
};

static double scatter(uint64_t *seed, double middle, double by)
{
	return floor(middle + by * ((double)(next_random(seed) % 2001) / 1000.0 - 1.0));
}

static void poke16(struct kryos_model *model, unsigned int reg, double value)
{
	unsigned int bits = (unsigned int)(int)value & 0xffff;

	assert_ok(kryos_model_poke(model, reg, (uint8_t)bits));
	assert_ok(kryos_model_poke(model, reg + 1, (uint8_t)(bits >> 8)));
}

/* Trimming as chips of one make scatter around, burnt into the model. */
static void trim(struct kryos_model *model, struct trimming *ret_trimming, uint64_t *seed)
{
	static const double p[] = { 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000 };
	static const double by[] = { 1500, 500, 20, 3000, 150, 0, 5800, 2000, 2000 };
	struct trimming *c = ret_trimming;
	int h4, h5, i;

	c->t[1] = scatter(seed, 27504, 900);
	c->t[2] = scatter(seed, 26435, 700);
	c->t[3] = scatter(seed, -500, 550);
	for (i = 1; i <= 9; i++)
		c->p[i] = scatter(seed, p[i - 1], by[i - 1]);
	c->h[1] = scatter(seed, 60, 60);
	c->h[2] = scatter(seed, 365, 15);
	c->h[3] = scatter(seed, 2, 2);
	c->h[4] = scatter(seed, 310, 40);
	c->h[5] = scatter(seed, 25, 60);
	c->h[6] = scatter(seed, 15, 40);
	for (i = 1; i <= 3; i++)
		poke16(model, 0x86 + 2 * (unsigned int)i, c->t[i]);
	for (i = 1; i <= 9; i++)
		poke16(model, 0x8c + 2 * (unsigned int)i, c->p[i]);
	h4 = (int)c->h[4];
	h5 = (int)c->h[5];
	assert_ok(kryos_model_poke(model, 0xa1, (uint8_t)c->h[1]));
	poke16(model, 0xe1, c->h[2]);
	assert_ok(kryos_model_poke(model, 0xe3, (uint8_t)c->h[3]));
	assert_ok(kryos_model_poke(model, 0xe4, (uint8_t)((unsigned int)h4 >> 4)));
	assert_ok(kryos_model_poke(model, 0xe5, (uint8_t)((h4 & 15) | (h5 & 15) << 4)));
	assert_ok(kryos_model_poke(model, 0xe6, (uint8_t)((unsigned int)h5 >> 4)));
	assert_ok(kryos_model_poke(model, 0xe7, (uint8_t)(int)c->h[6]));
}

/* Data sheet BST-BME280-DS002, section 8.1, as printed there. */
static void compensate(const struct trimming *c, double adc_t, double adc_p, double adc_h, double ret[3])
{
	double var1, var2, t_fine, p, h;

	var1 = (adc_t / 16384.0 - c->t[1] / 1024.0) * c->t[2];
	var2 = (adc_t / 131072.0 - c->t[1] / 8192.0) * (adc_t / 131072.0 - c->t[1] / 8192.0) * c->t[3];
	t_fine = var1 + var2;
	ret[0] = t_fine / 5120.0;

	h = t_fine - 76800.0;
	h = (adc_h - (c->h[4] * 64.0 + c->h[5] / 16384.0 * h)) *
	    (c->h[2] / 65536.0 * (1.0 + c->h[6] / 67108864.0 * h * (1.0 + c->h[3] / 67108864.0 * h)));
	h = h * (1.0 - c->h[1] * h / 524288.0);
	ret[1] = h > 100.0 ? 100.0 : h < 0.0 ? 0.0 : h;

	var1 = t_fine / 2.0 - 64000.0;
	var2 = var1 * var1 * c->p[6] / 32768.0;
	var2 = var2 + var1 * c->p[5] * 2.0;
	var2 = var2 / 4.0 + c->p[4] * 65536.0;
	var1 = (c->p[3] * var1 * var1 / 524288.0 + c->p[2] * var1) / 524288.0;
	var1 = (1.0 + var1 / 32768.0) * c->p[1];
	p = 1048576.0 - adc_p;
	p = (p - var2 / 4096.0) * 6250.0 / var1;
	var1 = c->p[9] * p * p / 2147483648.0;
	var2 = p * c->p[8] / 32768.0;
	ret[2] = p + (var1 + var2 + c->p[7]) / 16.0;
}

/*
 * Chips with other trimming than the model is delivered with, measuring anything; the formulas are given the codes the
 * driver was given. What the driver's integers may lose: t_fine is cut twice (0.0004 C), which moves pressure and
 * humidity along, and each cuts its own steps.
 */
static void compare_bme280(const struct fixture *fixture, uint64_t *seed)
{
	const struct kryos_sensor_driver *driver = driver_of(fixture->driver);
	struct kryos_sample samples[MAX_CHANNELS];
	struct trimming trimming = { { 0 } };
	double expected[3];
	struct rig rig;
	unsigned int in_range = 0;
	int n, i;

	for (n = 0; n < 2 * CASES; n++) {
		uint8_t d[8];

		if (n % 50 == 0) {
			if (n)
				rig_down(&rig);
			rig_up(&rig, fixture);
			trim(rig.model, &trimming, seed);
			assert_ok(open_it(&rig));
		}
		set_random_truth(&rig, seed);
		read_it(&rig, samples);
		for (i = 0; i < 8; i++)
			d[i] = (uint8_t)kryos_model_peek(rig.model, 0xf7 + (unsigned int)i);
		compensate(&trimming, d[3] << 12 | d[4] << 4 | d[5] >> 4, d[0] << 12 | d[1] << 4 | d[2] >> 4,
		           d[6] << 8 | d[7], expected);
		for (i = 0; i < 3; i++) {
			static const double allowed[] = { 0.001, 0.03, 0.6 };
			double got = (double)samples[i].value_micro / 1e6;

			if (samples[i].quality != KRYOS_QUALITY_GOOD)
				continue;
			in_range++;
			if (fabs(got - expected[i]) > allowed[i])
				fail_msg("case %d: %s is %f, the formulas give %f", n, driver->channels[i].quantity,
				         got, expected[i]);
		}
	}
	assert_true(in_range > 3 * CASES);
	rig_down(&rig);
}

/* --- DS18B20 --- */

static const char *make_ds18s20(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)model;
	assert_ok(kryos_fake_bus_add_ds18b20(bus, "10-000802b4c0d1", NULL));
	return "10-000802b4c0d1";
}

/* Every register value at every resolution: value = floor to the resolution, sixteenths, two's complement. */
static void compare_ds18b20(const struct fixture *fixture, uint64_t *seed)
{
	const struct kryos_sensor_driver *driver = driver_of(fixture->driver);
	struct kryos_reading reading;
	uint8_t scratchpad[9];
	int raw, bits;

	for (raw = -32768; raw < 32768; raw++) {
		for (bits = 9; bits <= 12; bits++) {
			double step = 0.0625 * (1 << (12 - bits)), expected = floor(raw * 0.0625 / step) * step;

			scratchpad[0] = (uint8_t)(raw & 0xff);
			scratchpad[1] = (uint8_t)(raw >> 8 & 0xff);
			scratchpad[2] = (uint8_t)next_random(seed);
			scratchpad[3] = (uint8_t)next_random(seed);
			scratchpad[4] = (uint8_t)(0x1f | (bits - 9) << 5);
			scratchpad[5] = 0xff;
			scratchpad[6] = (uint8_t)(16 - (raw & 15));
			scratchpad[7] = 0x10;
			scratchpad[8] = kryos_crc8_maxim(scratchpad, 8);
			driver->decode(NULL, scratchpad, &reading);
			if ((double)reading.value_micro != expected * 1e6)
				fail_msg("%d at %d bits is %lld", raw, bits, (long long)reading.value_micro);
		}
	}
}

/* --- Contacts --- */

static void compare_contact(const struct fixture *fixture, uint64_t *seed)
{
	const struct kryos_sensor_driver *driver = driver_of(fixture->driver);
	struct kryos_reading reading;
	uint8_t raw;

	(void)seed;
	for (raw = 0; raw < 2; raw++) {
		driver->decode(NULL, &raw, &reading);
		assert_int_equal(reading.value_micro, raw * 1000000);
		assert_int_equal(reading.quality, KRYOS_QUALITY_GOOD);
		assert_non_null(driver->channels[0].states[raw]);
	}
	assert_string_equal(driver->channels[0].unit, "/");
}

#define CONTACT(name)                                                                                                  \
	{                                                                                                              \
		.driver = name, .bus = "gpio", .place = "GPIO17", .add = kryos_fake_bus_add_line,                      \
		.high_micro = { 1000000 }, .tolerance_micro = { 500000 }, .compare = compare_contact                   \
	}

static const struct fixture fixtures[] = {
	/* The model's pressure and humidity end where its trimming lets a code reach: within the chip's range. */
	{ .driver = "bme280",
	  .bus = "i2c-1",
	  .place = "0x76",
	  .add = kryos_fake_bus_add_bme280,
	  .low_micro = { -39900000, 1000000, 30100000000 },
	  .high_micro = { 84900000, 99000000, 109900000000 },
	  .tolerance_micro = { 5000, 60000, 6000000 },
	  .make_wrong = make_bmp280,
	  .compare = compare_bme280 },
	{ .driver = "ds18b20",
	  .bus = "w1",
	  .place = "28-0316a2795bff",
	  .add = kryos_fake_bus_add_ds18b20,
	  .low_micro = { -55000000 },
	  .high_micro = { 125000000 },
	  .tolerance_micro = { 31250 },
	  .make_wrong = make_ds18s20,
	  .compare = compare_ds18b20 },
	CONTACT("door"),
	CONTACT("mains"),
};

static void every_sensor_driver_has_its_model(void **state)
{
	const void *const *driver;
	size_t i;

	(void)state;
	for (driver = kri_builtin_drivers[KRI_SENSOR]; *driver; driver++) {
		const char *name = ((const struct kryos_sensor_driver *)*driver)->name;
		bool found = false;

		for (i = 0; i < KRI_ARRAY_SIZE(fixtures); i++)
			found = found || strcmp(fixtures[i].driver, name) == 0;
		if (!found)
			fail_msg("%s has no row in this test", name);
	}
}

#define CONTRACT(test)                                                                                                 \
	{                                                                                                              \
#test, test                                                                                            \
	}

int main(void)
{
	static const struct {
		const char *name;
		CMUnitTestFunction function;
	} contract[] = {
		CONTRACT(sensor_describes_itself_within_the_limits),
		CONTRACT(sensor_measures_its_whole_range_as_its_model),
		CONTRACT(sensor_decodes_as_its_data_sheets_formulas),
		CONTRACT(sensor_opens_or_fails_well_with_a_fault_at_each_transfer),
		CONTRACT(sensor_never_lies_with_a_fault_at_each_transfer),
		CONTRACT(sensor_says_when_it_is_absent_and_is_found_again),
		CONTRACT(sensor_survives_a_reset_in_operation),
		CONTRACT(sensor_names_a_wrong_chip),
	};
	static char names[KRI_ARRAY_SIZE(fixtures)][KRI_ARRAY_SIZE(contract)][96];
	const struct CMUnitTest once[] = { cmocka_unit_test(every_sensor_driver_has_its_model) };
	struct CMUnitTest tests[KRI_ARRAY_SIZE(contract)];
	int failed = cmocka_run_group_tests(once, NULL, NULL);
	size_t f, t, count;

	for (f = 0; f < KRI_ARRAY_SIZE(fixtures); f++) {
		/* A line carries nothing by which one switch could be told from another: no wrong one, the last of
		 * these. */
		count = KRI_ARRAY_SIZE(contract) - (fixtures[f].make_wrong ? 0 : 1);
		for (t = 0; t < count; t++) {
			snprintf(names[f][t], sizeof(names[f][t]), "%s: %s", fixtures[f].driver, contract[t].name);
			tests[t] = (struct CMUnitTest){ .name = names[f][t],
				                        .test_func = contract[t].function,
				                        .initial_state = (void *)(uintptr_t)&fixtures[f] };
		}
		failed += _cmocka_run_group_tests(fixtures[f].driver, tests, count, NULL, NULL);
	}
	return failed ? 1 : 0;
}
