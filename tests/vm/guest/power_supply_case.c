/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power_supply_case BUS: what the kernel's sbs-battery measures, read through the library; also by the thermal zone
 * that the kernel makes of a battery. The battery is registers of i2c-stub at 0x0b (Smart Battery Data
 * Specification 1.1, 5.1: temperature in tenths of a kelvin, mV, mA, per cent).
 */
#include "kernel.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <i2c/smbus.h>
#include <linux/i2c-dev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ADDRESS 0x0b
enum { TEMPERATURE = 0x08, VOLTAGE = 0x09, CURRENT = 0x0a, RELATIVE_CHARGE = 0x0d, STATUS = 0x16 };
/* Of STATUS. */
#define INITIALIZED 0x80
#define DISCHARGING 0x40
#define FULLY_CHARGED 0x20

static const char *bus;

struct bench {
	struct kryos_ctx *ctx;
	struct kryos_sensor *battery, *zone;
	struct kryos_sample samples[6];
	int fd;
};

static void put(struct bench *bench, uint8_t reg, int value)
{
	assert_int_equal(i2c_smbus_write_word_data(bench->fd, reg, (uint16_t)value), 0);
}

static int setup(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));
	char path[32];

	snprintf(path, sizeof(path), "/dev/%s", bus);
	bench->fd = open(path, O_RDWR | O_CLOEXEC);
	/* Forced, because the kernel's driver has the address from now on. */
	assert_int_equal(ioctl(bench->fd, I2C_SLAVE_FORCE, ADDRESS), 0);
	put(bench, STATUS, INITIALIZED);
	put(bench, TEMPERATURE, 2981);
	kernel_bind(bus, "sbs-battery", ADDRESS);
	assert_ok(kryos_ctx_new(&bench->ctx, NULL));
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kernel_unbind(bus, ADDRESS);
	close(bench->fd);
	test_free(bench);
	return 0;
}

static int open_battery(struct bench *bench)
{
	char device[96];

	/* By its parent; the kernel calls it sbs-0-000b. */
	snprintf(device, sizeof(device), "power_supply@%d-%04x:capacity,voltage,current,temperature,status",
	         bus_number(bus), ADDRESS);
	return kryos_sensor_open(&bench->battery, bench->ctx, "battery", device);
}

static void check(const struct bench *bench, unsigned int channel, int64_t micro)
{
	if (bench->samples[channel].value_micro != micro || bench->samples[channel].quality != KRYOS_QUALITY_GOOD)
		fail_msg("channel %u is %lld, %s, not %lld", channel, (long long)bench->samples[channel].value_micro,
		         kryos_quality_name(bench->samples[channel].quality), (long long)micro);
}

static int64_t draw(uint64_t *random, int low, int high)
{
	return low + (int64_t)(next_random(random) % (uint64_t)(high - low + 1));
}

static void reads_what_the_battery_has(void **state)
{
	uint64_t random = seed_from_environment(0x0b);
	struct bench *bench = *state;
	char device[64];

	for (int i = 0; i < 50; i++) {
		int capacity = (int)draw(&random, 0, 100), voltage = (int)draw(&random, 2500, 17000);
		int current = (int)draw(&random, 1, 3000), tenths = (int)draw(&random, -200, 600);
		bool discharging = next_random(&random) % 2;

		put(bench, RELATIVE_CHARGE, capacity);
		put(bench, VOLTAGE, voltage);
		put(bench, CURRENT, discharging ? -current : current);
		put(bench, TEMPERATURE, tenths + 2731);
		put(bench, STATUS, INITIALIZED | (discharging ? DISCHARGING : 0));
		/* Each is a reading of its own, so that none is too far from the last. */
		assert_ok(open_battery(bench));
		assert_int_equal(kryos_sensor_read(bench->battery, bench->samples, 6), 5);
		check(bench, 0, capacity * INT64_C(1000000));
		check(bench, 1, voltage * INT64_C(1000));
		check(bench, 2, (discharging ? -current : current) * INT64_C(1000));
		check(bench, 3, tenths * INT64_C(100000));
		check(bench, 4, discharging ? 1000000 : 0);
		kryos_sensor_close(bench->battery);
		snprintf(device, sizeof(device), "thermal@sbs-%d-%04x", bus_number(bus), ADDRESS);
		assert_ok(kryos_sensor_open(&bench->zone, bench->ctx, "zone", device));
		assert_int_equal(kryos_sensor_read(bench->zone, bench->samples, 6), 1);
		check(bench, 0, tenths * INT64_C(100000));
		kryos_sensor_close(bench->zone);
	}
}

static void says_what_there_is_and_that_it_has_gone(void **state)
{
	struct bench *bench = *state;
	char device[64];

	snprintf(device, sizeof(device), "power_supply@sbs-%d-%04x:online", bus_number(bus), ADDRESS);
	assert_fails(KRYOS_ECHIP, kryos_sensor_open(&bench->battery, bench->ctx, "battery", device));
	printf("# %s\n", kryos_strerror(KRYOS_ECHIP));
	assert_says(KRYOS_ECHIP, "measures no online; there is ");
	put(bench, STATUS, INITIALIZED | FULLY_CHARGED);
	put(bench, CURRENT, 0); /* else the kernel's driver believes the current */
	assert_ok(open_battery(bench));
	assert_int_equal(kryos_sensor_read(bench->battery, bench->samples, 6), 5);
	check(bench, 4, 0);
	kernel_unbind(bus, ADDRESS);
	assert_int_equal(kryos_sensor_read(bench->battery, bench->samples, 6), 5);
	assert_int_equal(bench->samples[0].quality, KRYOS_QUALITY_ABSENT);
	assert_int_equal(bench->samples[4].quality, KRYOS_QUALITY_ABSENT);
	kernel_bind(bus, "sbs-battery", ADDRESS);
	assert_int_equal(kryos_sensor_read(bench->battery, bench->samples, 6), 5);
	check(bench, 4, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_the_battery_has),
		TEST(says_what_there_is_and_that_it_has_gone),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: power_supply_case BUS\n");
		return 2;
	}
	bus = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
