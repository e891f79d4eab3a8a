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

struct values {
	int64_t temperature, humidity, pressure; /* micro-Cel, micro-%RH, micro-Pa */
};

static int open_room(struct kryos_ctx *ctx, struct kryos_sensor **ret_room)
{
	char device[64];

	snprintf(device, sizeof(device), "bme280@%s:0x%02x", bus, ADDRESS);
	return kryos_sensor_open(ret_room, ctx, "room", device);
}

/* False where the library does not call all of it good. */
static bool read_library(struct kryos_ctx *ctx, struct values *ret_values)
{
	struct kryos_sample samples[3];
	struct kryos_sensor *room;

	assert_ok(open_room(ctx, &room));
	assert_int_equal(kryos_sensor_read(room, samples, 3), 3);
	kryos_sensor_close(room);
	*ret_values = (struct values){ samples[0].value_micro, samples[1].value_micro, samples[2].value_micro };
	return samples[0].quality == KRYOS_QUALITY_GOOD && samples[1].quality == KRYOS_QUALITY_GOOD &&
	       samples[2].quality == KRYOS_QUALITY_GOOD;
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
	ret_values->temperature = read_iio(folder, "in_temp_input") / 1000000;
	ret_values->humidity = read_iio(folder, "in_humidityrelative_input") / 1000000;
	ret_values->pressure = read_iio(folder, "in_pressure_input");
	kernel_unbind(bus, ADDRESS);
}

/*
 * Both compute with integers from the same formulas, so only the last step differs. Temperature: the kernel rounds to
 * 0.01 C, so at most 0.005 C and our own rounding to 1e-6. Pressure: it prints Q24.8 Pa in kPa with nine digits, cut
 * off; we round. Humidity: it cuts Q22.10 off to 0.001 %.
 */
static void compare(const struct values *ours, const struct values *theirs, int image)
{
	int64_t cut = ours->humidity - theirs->humidity;

	if (llabs(ours->temperature - theirs->temperature) > 5001 || llabs(ours->pressure - theirs->pressure) > 1 ||
	    cut < 0 || cut > 1000)
		fail_msg("image %d: %lld micro-Cel, %lld micro-%%RH, %lld micro-Pa; the kernel has %lld, %lld, %lld",
		         image, (long long)ours->temperature, (long long)ours->humidity, (long long)ours->pressure,
		         (long long)theirs->temperature, (long long)theirs->humidity, (long long)theirs->pressure);
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
		bme280_draw(&random, registers);
		bme280_write(bus, ADDRESS, image_path, registers);
		if (!read_library(ctx, &ours))
			continue;
		read_kernel(&theirs);
		compare(&ours, &theirs, images);
		good++;
	}
	printf("# %d of %d images compared\n", good, images);
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
