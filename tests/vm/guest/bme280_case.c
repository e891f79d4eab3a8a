/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bme280_case BUS [IMAGE]: the driver's numbers beside those of the kernel's own bmp280 driver, from the same registers
 * of an emulated chip at 0x76. The registers are written through SMBus (i2c-stub), or to the file IMAGE (cold_i2c).
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
/* So many images of which the library says that all three values are good. */
#define IMAGES 200

static const char *bus, *image_path;

enum { TEMPERATURE, HUMIDITY, PRESSURE, CHANNELS };

struct values {
	int64_t micro[CHANNELS]; /* Cel, %RH, Pa */
	bool good[CHANNELS];
};

static int open_room(struct kryos_ctx *ctx, struct kryos_sensor **ret_room)
{
	char device[64];

	snprintf(device, sizeof(device), "bme280@%s:0x%02x", bus, ADDRESS);
	return kryos_sensor_open(ret_room, ctx, "room", device);
}

/* Whether the library calls all of it good; what it does not is outside what the chip can measure. */
static bool read_library(struct kryos_ctx *ctx, struct values *ret_values)
{
	struct kryos_sample samples[CHANNELS];
	struct kryos_sensor *room;
	bool good = true;

	assert_ok(open_room(ctx, &room));
	assert_int_equal(kryos_sensor_read(room, samples, CHANNELS), CHANNELS);
	kryos_sensor_close(room);
	for (int i = 0; i < CHANNELS; i++) {
		ret_values->micro[i] = samples[i].value_micro;
		ret_values->good[i] = samples[i].quality == KRYOS_QUALITY_GOOD;
		good = good && ret_values->good[i];
		if (!ret_values->good[i])
			assert_int_equal(samples[i].quality, KRYOS_QUALITY_RANGE);
	}
	return good;
}

/* "100.653253906" in millionths of a thousandth, to the last digit. */
static int64_t nano_of(const char *text)
{
	const char *point = strchr(text, '.');
	int64_t value = llabs(strtoll(text, NULL, 10));
	int digits;

	for (digits = 0; digits < 9; digits++)
		value = value * 10 + (point && *++point ? *point - '0' : (point = NULL, 0));
	return text[0] == '-' ? -value : value;
}

static int64_t read_iio(const char *folder, const char *name)
{
	char text[64];
	int i, r;

	/* Until its first measurement has ended the chip has nothing to give, and the kernel's driver says EIO. */
	for (i = 0; (r = kernel_read(text, sizeof(text), "%s/%s", folder, name)) == -EIO && i < 200; i++)
		usleep(5000);
	if (r < 0)
		fail_msg("%s/%s: %s", folder, name, strerror(-r));
	return nano_of(text);
}

static void read_kernel(struct values *ret_values)
{
	char parent[64], folder[512] = "";
	struct dirent *entry;
	DIR *entries;

	kernel_bind(bus, "bme280", ADDRESS);
	snprintf(parent, sizeof(parent), "/sys/bus/i2c/devices/%d-%04x", bus_number(bus), ADDRESS);
	entries = opendir(parent);
	assert_non_null(entries);
	while ((entry = readdir(entries)))
		if (strncmp(entry->d_name, "iio:device", 10) == 0)
			snprintf(folder, sizeof(folder), "%s/%s", parent, entry->d_name);
	closedir(entries);
	if (!folder[0])
		fail_msg("the kernel's driver did not take the chip at %s", parent);
	/* Units of IIO: thousandths of a degree and of a per cent, kPa. */
	ret_values->micro[TEMPERATURE] = read_iio(folder, "in_temp_input") / 1000000;
	ret_values->micro[HUMIDITY] = read_iio(folder, "in_humidityrelative_input") / 1000000;
	ret_values->micro[PRESSURE] = read_iio(folder, "in_pressure_input");
	kernel_unbind(bus, ADDRESS);
}

/*
 * Both compute with integers from the same formulas, so only the last step differs. Temperature: the kernel rounds to
 * 0.01 C, so at most 0.005 C and our own rounding to 1e-6. Pressure: it prints Q24.8 Pa in kPa with nine digits, cut
 * off; we round. Humidity: it cuts Q22.10 off to 0.001 %.
 */
static void compare(const struct values *ours, const struct values *theirs, int image)
{
	static const int64_t low[] = { -5001, 0, -1 }, high[] = { 5001, 1000, 1 };
	static const char *const units[] = { "Cel", "%RH", "Pa" };

	for (int i = 0; i < CHANNELS; i++) {
		int64_t more = ours->micro[i] - theirs->micro[i];

		if (ours->good[i] && (more < low[i] || more > high[i]))
			fail_msg("image %d: %lld micro-%s; the kernel has %lld", image, (long long)ours->micro[i],
			         units[i], (long long)theirs->micro[i]);
	}
}

/* As the kernel sees it, in a channel's range (data sheet, table 1) that is wider by so many of its roundings. */
static bool is_within(const struct values *theirs, int channel, int roundings)
{
	static const int64_t lowest[] = { -40000000, 0, 30000000000 },
			     highest[] = { 85000000, 100000000, 110000000000 }, rounding[] = { 5001, 1000, 1 };
	int64_t value = theirs->micro[channel], wider = roundings * rounding[channel];

	return value >= lowest[channel] - wider && value <= highest[channel] + wider;
}

/* What is out of range is so for the kernel, and what is not is not: itself, or the temperature it is computed with. */
static void compare_ranges(const struct values *ours, const struct values *theirs, int image)
{
	for (int i = 0; i < CHANNELS; i++) {
		int roundings = ours->good[i] ? 1 : -1;
		bool within = is_within(theirs, TEMPERATURE, roundings) && is_within(theirs, i, roundings);

		if (within != ours->good[i])
			fail_msg("image %d, channel %d: %s, but %lld micro-Cel, and %lld for the kernel", image, i,
			         ours->good[i] ? "good" : "out of range", (long long)theirs->micro[TEMPERATURE],
			         (long long)theirs->micro[i]);
	}
}

static void reads_what_the_kernels_driver_reads(void **state)
{
	uint64_t random = seed_from_environment(0xb3e280);
	struct values ours, theirs;
	uint8_t registers[256];
	struct kryos_ctx *ctx;
	int good = 0, images;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	for (images = 0; good < IMAGES && images < 4 * IMAGES; images++) {
		bool all_good;

		bme280_draw(&random, registers);
		bme280_write(bus, ADDRESS, image_path, registers);
		all_good = read_library(ctx, &ours);
		read_kernel(&theirs);
		compare(&ours, &theirs, images);
		compare_ranges(&ours, &theirs, images);
		good += all_good;
	}
	printf("# %d images compared, %d of them out of the chip's range\n", images, images - good);
	assert_int_equal(good, IMAGES);
	kryos_ctx_free(ctx);
}

static void says_that_the_kernels_driver_holds_the_chip(void **state)
{
	uint64_t random = 1;
	struct kryos_sensor *room;
	uint8_t registers[256];
	struct values values;
	struct kryos_ctx *ctx;

	(void)state;
	bme280_draw(&random, registers);
	bme280_write(bus, ADDRESS, image_path, registers);
	assert_ok(kryos_ctx_new(&ctx, NULL));
	kernel_bind(bus, "bme280", ADDRESS);
	assert_fails(-EBUSY, open_room(ctx, &room));
	printf("# %s\n", kryos_strerror(-EBUSY));
	assert_says(-EBUSY, "is held by the kernel's driver bmp280");
	assert_null(strchr(kryos_strerror(-EBUSY), '\n'));
	kernel_unbind(bus, ADDRESS);
	(void)read_library(ctx, &values);
	kryos_ctx_free(ctx);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_kernels_driver_reads),
		cmocka_unit_test(says_that_the_kernels_driver_holds_the_chip),
	};

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: bme280_case BUS [IMAGE]\n");
		return 2;
	}
	bus = argv[1];
	image_path = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
