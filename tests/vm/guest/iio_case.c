/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iio_case BUS IMAGE PARAMETERS: what the kernel's bmp280 measures with an emulated BME280 at 0x76, read through the
 * library. PARAMETERS is the folder of what can be set (tests/vm/modules/cold_chips.c).
 */
#include "bme280_image.h"
#include "kernel.h"
#include "support.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESS 0x76
#define ALWAYS 1000000
#define IMAGES 50
#define WORDS "temperature,humidity,pressure"

static const char *bus, *image_path, *parameters;

struct bench {
	struct kryos_ctx *ctx;
	struct kryos_sensor *room;
	struct kryos_sample samples[3];
	uint64_t random;
};

static int setup(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));

	assert_ok(kryos_ctx_new(&bench->ctx, NULL));
	bench->random = seed_from_environment(0x110);
	*state = bench;
	return 0;
}

static void fail_transfers(int errnum, int times)
{
	kernel_write(in(parameters, "fail_errno"), "%d", errnum);
	kernel_write(in(parameters, "fail_times"), "%d", times);
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	test_free(bench);
	fail_transfers(ENXIO, 0);
	kernel_unbind(bus, ADDRESS);
	return 0;
}

/* The chip's trimming is no real one where it is to measure what no probe can, -228 C. */
static void put_chip(struct bench *bench, bool beyond)
{
	static const uint8_t trimming[] = { 0xff, 0xff, 0xcc, 0x5b, 0x60, 0xf0 }; /* T1 65535, T2 23500, T3 -4000 */
	static const uint8_t temperature[] = { 0x4e, 0x20, 0x00 };
	uint8_t registers[256];

	bme280_draw(&bench->random, registers);
	if (beyond) {
		memcpy(registers + 0x88, trimming, sizeof(trimming));
		memcpy(registers + 0xfa, temperature, sizeof(temperature));
	}
	bme280_write(bus, ADDRESS, image_path, registers);
	kernel_bind(bus, "bme280", ADDRESS);
}

/* Until its first measurement has ended the chip has nothing to give, and the kernel's driver says EIO. */
static void read_until(struct bench *bench, enum kryos_quality quality)
{
	for (int i = 0; i < 400; i++) {
		assert_int_equal(kryos_sensor_read(bench->room, bench->samples, 3), 3);
		if (bench->samples[0].quality == quality)
			return;
		usleep(5000);
	}
	fail_msg("quality %s, not %s", kryos_quality_name(bench->samples[0].quality), kryos_quality_name(quality));
}

/* A file of the kernel's device in so many digits behind the point. */
static long double kernel_value(const char *file)
{
	char parent[64], path[512] = "", text[64], *end;
	struct dirent *entry;
	long double value;
	DIR *entries;

	snprintf(parent, sizeof(parent), "/sys/bus/i2c/devices/%d-%04x", bus_number(bus), ADDRESS);
	entries = opendir(parent);
	assert_non_null(entries);
	while ((entry = readdir(entries)))
		if (strncmp(entry->d_name, "iio:device", 10) == 0)
			snprintf(path, sizeof(path), "%s/%s/%s", parent, entry->d_name, file);
	closedir(entries);
	if (kernel_read(text, sizeof(text), "%s", path) < 0)
		fail_msg("%s can't be read", path);
	value = strtold(text, &end);
	assert_int_equal(*end, '\0');
	return value;
}

/* By the channel's place in WORDS: to the last digit; or out of what any probe of the kind can measure. */
static void check_value(const struct kryos_sample *sample, int channel)
{
	static const struct {
		const char *file;
		long double micro, lowest, highest;
	} kernel[] = {
		{ "in_temp_input", 1e3L, -210e6L, 1800e6L },
		{ "in_humidityrelative_input", 1e3L, 0, 100e6L },
		{ "in_pressure_input", 1e9L, 1e6L, 1e14L },
	};
	long double expected = kernel_value(kernel[channel].file) * kernel[channel].micro;
	long double off = (long double)sample->value_micro - expected;
	bool within = expected >= kernel[channel].lowest && expected <= kernel[channel].highest;

	if (sample->quality != (within ? KRYOS_QUALITY_GOOD : KRYOS_QUALITY_RANGE) || off < -0.5L || off > 0.5L)
		fail_msg("%s: %lld, %s, not %Lf", kernel[channel].file, (long long)sample->value_micro,
		         kryos_quality_name(sample->quality), expected);
}

static void reads_what_is_in_the_kernels_files(void **state)
{
	struct bench *bench = *state;
	int good = 0;

	for (int image = 0; image < IMAGES; image++) {
		bool beyond = image % 10 == 9;

		put_chip(bench, beyond);
		assert_ok(kryos_sensor_open(&bench->room, bench->ctx, "room", "iio@bme280:" WORDS));
		for (int i = 0; i < 400 && kryos_sensor_read(bench->room, bench->samples, 3) == 3 &&
		                bench->samples[2].quality == KRYOS_QUALITY_BUS;
		     i++)
			usleep(5000);
		for (int i = 0; i < 3; i++) {
			check_value(&bench->samples[i], i);
			good += bench->samples[i].quality == KRYOS_QUALITY_GOOD;
		}
		if (beyond)
			assert_int_equal(bench->samples[0].quality, KRYOS_QUALITY_RANGE);
		kryos_sensor_close(bench->room);
		kernel_unbind(bus, ADDRESS);
	}
	printf("# %d images compared, of whose values %d are good\n", IMAGES, good);
}

static void says_why_there_is_no_value(void **state)
{
	static const struct {
		int errnum;
		enum kryos_quality quality;
	} faults[] = {
		{ ENXIO, KRYOS_QUALITY_ABSENT },
		{ EREMOTEIO, KRYOS_QUALITY_ABSENT },
		{ EIO, KRYOS_QUALITY_BUS },
		{ ETIMEDOUT, KRYOS_QUALITY_TIMEOUT },
	};
	struct bench *bench = *state;

	put_chip(bench, false);
	assert_ok(kryos_sensor_open(&bench->room, bench->ctx, "room", "iio@bme280"));
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		for (int n = 0; n < 400 && kryos_sensor_read(bench->room, bench->samples, 1) == 1 &&
		                bench->samples[0].quality != KRYOS_QUALITY_GOOD;
		     n++)
			usleep(5000);
		assert_int_equal(bench->samples[0].quality, KRYOS_QUALITY_GOOD);
		fail_transfers(faults[i].errnum, ALWAYS);
		assert_int_equal(kryos_sensor_read(bench->room, bench->samples, 1), 1);
		if (bench->samples[0].quality != faults[i].quality)
			fail_msg("%s: %s, not %s", strerror(faults[i].errnum),
			         kryos_quality_name(bench->samples[0].quality), kryos_quality_name(faults[i].quality));
		fail_transfers(ENXIO, 0);
	}
	kryos_sensor_close(bench->room);
	fail_transfers(ENXIO, ALWAYS);
	assert_fails(-ENODEV, kryos_sensor_open(&bench->room, bench->ctx, "room", "iio@bme280"));
	printf("# %s\n", kryos_strerror(-ENODEV));
	assert_says(-ENODEV, "room: iio@bme280: in_temp_input: nothing answers the kernel's driver");
}

static void device_is_away_while_its_driver_is_and_found_again(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *own;
	char device[64];

	put_chip(bench, false);
	snprintf(device, sizeof(device), "iio@%d-%04x:" WORDS, bus_number(bus), ADDRESS);
	assert_ok(kryos_sensor_open(&bench->room, bench->ctx, "room", device));
	snprintf(device, sizeof(device), "bme280@%s:0x%02x", bus, ADDRESS);
	for (int i = 0; i < 3; i++) {
		read_until(bench, KRYOS_QUALITY_GOOD);
		assert_fails(-EBUSY, kryos_sensor_open(&own, bench->ctx, "own", device));
		assert_says(-EBUSY, "is held by the kernel's driver bmp280, which measures as iio@");
		kernel_unbind(bus, ADDRESS);
		read_until(bench, KRYOS_QUALITY_ABSENT);
		assert_ok(kryos_sensor_open(&own, bench->ctx, "own", device));
		kryos_sensor_close(own);
		kernel_bind(bus, "bme280", ADDRESS);
	}
	printf("# %s\n", kryos_strerror(-EBUSY));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_is_in_the_kernels_files),
		TEST(says_why_there_is_no_value),
		TEST(device_is_away_while_its_driver_is_and_found_again),
	};

	if (argc != 4) {
		fprintf(stderr, "usage: iio_case BUS IMAGE PARAMETERS\n");
		return 2;
	}
	bus = argv[1];
	image_path = argv[2];
	parameters = argv[3];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
