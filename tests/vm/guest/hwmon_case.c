/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hwmon_case BUS: what the kernel's jc42 measures, read through the library. Its chips are registers of i2c-stub at
 * 0x18 and 0x19: the temperature is in register 5, sixteenths of a degree in thirteen bits (JEDEC JC-42.4; a MCP9808 is
 * one).
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

#define FIRST 0x18
#define SECOND 0x19

static const char *bus;
/* What the register of each chip holds, and what it held before; i2c-stub begins with 0. */
static struct {
	int64_t micro, before_micro;
} chips[2];

struct bench {
	struct kryos_ctx *ctx;
	struct kryos_sensor *fridge;
	struct kryos_sample sample;
};

static int setup(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));

	assert_ok(kryos_ctx_new(&bench->ctx, NULL));
	kernel_bind(bus, "jc42", FIRST);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	test_free(bench);
	kernel_unbind(bus, FIRST);
	kernel_unbind(bus, SECOND);
	return 0;
}

/*
 * Registers go over the wire with their high byte first, SMBus words with their low one. The kernel makes whole
 * thousandths of it, with the half cut off.
 */
static void measure(unsigned int address, int sixteenths)
{
	unsigned int raw = (unsigned int)sixteenths & 0x1fff;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", bus);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(fd, I2C_SLAVE_FORCE, (unsigned long)address), 0);
	assert_int_equal(i2c_smbus_write_word_data(fd, 5, (uint16_t)(raw >> 8 | raw << 8)), 0);
	close(fd);
	chips[address - FIRST].before_micro = chips[address - FIRST].micro;
	chips[address - FIRST].micro = (int64_t)(sixteenths * 125 / 2) * 1000;
}

static void name_parent(char device[64], unsigned int address)
{
	snprintf(device, 64, "hwmon@%d-%04x", bus_number(bus), address);
}

/* The kernel's driver may keep a value for a second: the one before, and no other. */
static void read_value(struct bench *bench, unsigned int address)
{
	int64_t micro = chips[address - FIRST].micro, before_micro = chips[address - FIRST].before_micro;

	for (int i = 0; i < 300; i++) {
		assert_int_equal(kryos_sensor_read(bench->fridge, &bench->sample, 1), 1);
		if (bench->sample.quality == KRYOS_QUALITY_GOOD && bench->sample.value_micro == micro)
			return;
		if (bench->sample.quality == KRYOS_QUALITY_GOOD && bench->sample.value_micro != before_micro)
			break;
		usleep(10000);
	}
	fail_msg("%lld, %s, not %lld", (long long)bench->sample.value_micro, kryos_quality_name(bench->sample.quality),
	         (long long)micro);
}

static void reads_what_the_chip_has(void **state)
{
	uint64_t random = seed_from_environment(0x42);
	struct bench *bench = *state;

	for (int i = 0; i < 50; i++) {
		measure(FIRST, (int)(next_random(&random) % (165 * 16)) - 40 * 16);
		/* Each is a reading of its own, so that none is too far from the last. */
		assert_ok(kryos_sensor_open(&bench->fridge, bench->ctx, "fridge", "hwmon@jc42:temp1"));
		read_value(bench, FIRST);
		kryos_sensor_close(bench->fridge);
	}
}

static void one_of_two_is_named_by_where_it_is(void **state)
{
	struct bench *bench = *state;
	char device[64];

	kernel_bind(bus, "jc42", SECOND);
	measure(FIRST, 5 * 16);
	measure(SECOND, -20 * 16);
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&bench->fridge, bench->ctx, "fridge", "hwmon@jc42"));
	printf("# %s\n", kryos_strerror(KRYOS_EDEVICE));
	assert_says(KRYOS_EDEVICE, "2 devices are called so: jc42 (");
	name_parent(device, FIRST);
	assert_ok(kryos_sensor_open(&bench->fridge, bench->ctx, "fridge", device));
	read_value(bench, FIRST);
	kryos_sensor_close(bench->fridge);
	name_parent(device, SECOND);
	assert_ok(kryos_sensor_open(&bench->fridge, bench->ctx, "fridge", device));
	read_value(bench, SECOND);
}

/* "hwmon3" */
static void number_of(unsigned int address, char number[64])
{
	char path[128];
	struct dirent *entry;
	DIR *entries;

	snprintf(path, sizeof(path), "/sys/bus/i2c/devices/%d-%04x/hwmon", bus_number(bus), address);
	entries = opendir(path);
	assert_non_null(entries);
	while ((entry = readdir(entries)))
		if (entry->d_name[0] != '.')
			snprintf(number, 64, "%.60s", entry->d_name);
	closedir(entries);
}

/* The kernel gives the lowest number that is free, so that the other chip gets the first one's. */
static void device_that_went_is_not_taken_for_the_one_that_got_its_number(void **state)
{
	struct bench *bench = *state;
	char device[64], numbered[80], before[64], after[64];

	measure(FIRST, 5 * 16);
	measure(SECOND, 21 * 16);
	name_parent(device, FIRST);
	assert_ok(kryos_sensor_open(&bench->fridge, bench->ctx, "fridge", device));
	read_value(bench, FIRST);
	number_of(FIRST, before);
	kernel_unbind(bus, FIRST);
	kernel_bind(bus, "jc42", SECOND);
	number_of(SECOND, after);
	assert_string_equal(before, after);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kryos_sensor_read(bench->fridge, &bench->sample, 1), 1);
		assert_int_equal(bench->sample.quality, KRYOS_QUALITY_ABSENT);
	}
	kernel_bind(bus, "jc42", FIRST);
	read_value(bench, FIRST);
	snprintf(numbered, sizeof(numbered), "hwmon@%s", before);
	kryos_sensor_close(bench->fridge);
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&bench->fridge, bench->ctx, "fridge", numbered));
	printf("# %s\n", kryos_strerror(KRYOS_EDEVICE));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_the_chip_has),
		TEST(one_of_two_is_named_by_where_it_is),
		TEST(device_that_went_is_not_taken_for_the_one_that_got_its_number),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: hwmon_case BUS\n");
		return 2;
	}
	bus = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
