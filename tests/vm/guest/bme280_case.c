/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bme280_case BUS [IMAGE]: the driver's numbers beside those of the kernel's own bmp280 driver, from the same registers
 * of an emulated chip at 0x76. The registers are written through SMBus (i2c-stub), or to the file IMAGE (cold_i2c).
 */
#include "kernel.h"
#include "support.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <i2c/smbus.h>
#include <linux/i2c-dev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ADDRESS 0x76
/* So many images of which the library says that all three values are good. */
#define IMAGES 200

static const char *bus, *image_path;

struct values {
	int64_t temperature, humidity, pressure; /* micro-Cel, micro-%RH, micro-Pa */
};

static uint64_t between(uint64_t *random, int64_t low, int64_t high)
{
	return (uint64_t)(low + (int64_t)(next_random(random) % (uint64_t)(high - low + 1)));
}

static void put_le(uint8_t *bytes, uint64_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
}

/*
 * Trimming values (BST-BME280-DS002, table 16) around those of real chips, each within a third or so, and measurements
 * from all over the range of the converter that such chips use.
 */
static void draw_image(uint64_t *random, uint8_t registers[256])
{
	static const struct {
		uint8_t at;
		int32_t low, high;
	} words[] = {
		{ 0x88, 26000, 29500 },  { 0x8a, 25500, 27500 }, { 0x8c, -1000, 1000 },    { 0x8e, 34000, 39000 },
		{ 0x90, -11500, -9500 }, { 0x92, 2500, 3500 },   { 0x94, 1000, 9000 },     { 0x96, -300, 300 },
		{ 0x98, -30, 30 },       { 0x9a, 9000, 16000 },  { 0x9c, -16000, -10000 }, { 0x9e, 3000, 8000 },
		{ 0xe1, 300, 420 },
	};
	uint64_t pressure = between(random, 200000, 650000), temperature = between(random, 320000, 700000);
	uint64_t humidity = between(random, 15000, 45000), h4 = between(random, 250, 400),
		 h5 = between(random, -60, 100);
	size_t i;

	memset(registers, 0, 256);
	registers[0xd0] = 0x60;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		put_le(registers + words[i].at, between(random, words[i].low, words[i].high));
	registers[0xa1] = (uint8_t)between(random, 0, 120);
	registers[0xe3] = (uint8_t)between(random, 0, 10);
	registers[0xe4] = (uint8_t)(h4 >> 4);
	registers[0xe5] = (uint8_t)((h4 & 15) | (h5 & 15) << 4);
	registers[0xe6] = (uint8_t)(h5 >> 4);
	registers[0xe7] = (uint8_t)between(random, 20, 40);
	registers[0xf7] = (uint8_t)(pressure >> 12);
	registers[0xf8] = (uint8_t)(pressure >> 4);
	registers[0xf9] = (uint8_t)(pressure << 4);
	registers[0xfa] = (uint8_t)(temperature >> 12);
	registers[0xfb] = (uint8_t)(temperature >> 4);
	registers[0xfc] = (uint8_t)(temperature << 4);
	registers[0xfd] = (uint8_t)(humidity >> 8);
	registers[0xfe] = (uint8_t)humidity;
}

static void write_image(const uint8_t registers[256])
{
	char path[32];
	int fd, reg;

	if (image_path) {
		fd = open(image_path, O_WRONLY | O_CLOEXEC);
		assert_int_equal(pwrite(fd, registers, 256, 0), 256);
		close(fd);
		return;
	}
	snprintf(path, sizeof(path), "/dev/%s", bus);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(fd, I2C_SLAVE, (unsigned long)ADDRESS), 0);
	for (reg = 0; reg < 256; reg++)
		assert_int_equal(i2c_smbus_write_byte_data(fd, (uint8_t)reg, registers[reg]), 0);
	close(fd);
}

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
		draw_image(&random, registers);
		write_image(registers);
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
	draw_image(&random, registers);
	write_image(registers);
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
