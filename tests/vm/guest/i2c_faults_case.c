/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i2c_faults_case BUS IMAGE PARAMETERS: what the library makes of transfers that fail or take long, on an emulated
 * BME280 at 0x76; through the kernel's I2C core, so that errno is what it gives. PARAMETERS is the folder of what can
 * be set (tests/vm/modules/cold_chips.c).
 */
#include "bme280_image.h"
#include "kernel.h"
#include "support.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ADDRESS 0x76
#define ALWAYS 1000000

static const char *bus, *image_path, *parameters;

struct room {
	struct kryos_ctx *ctx;
	struct kryos_sensor *sensor;
	uint64_t random;
	int64_t value_micro[3];
};

static void set(const char *name, int value)
{
	kernel_write(in(parameters, name), "%d", value);
}

static int transfers(void)
{
	char text[32];

	assert_int_equal(kernel_read(text, sizeof(text), "%s/transfers", parameters), 0);
	return atoi(text);
}

static void fail_transfers(int errnum, int after, int times)
{
	set("fail_errno", errnum);
	set("fail_after", after);
	set("fail_times", times);
}

static int open_sensor(struct room *room)
{
	char device[64];

	snprintf(device, sizeof(device), "bme280@%s:0x%02x", bus, ADDRESS);
	return kryos_sensor_open(&room->sensor, room->ctx, "room", device);
}

/* Another chip, and what it measures: by a sensor that is opened for it, so that nothing of the last one is known. */
static void exchange_chip(struct room *room)
{
	struct kryos_sample samples[3];
	uint8_t registers[256];
	bool good;
	int i;

	do {
		bme280_draw(&room->random, registers);
		bme280_write(bus, ADDRESS, image_path, registers);
		kryos_sensor_close(room->sensor);
		assert_ok(open_sensor(room));
		assert_int_equal(kryos_sensor_read(room->sensor, samples, 3), 3);
		for (i = 0, good = true; i < 3; i++) {
			good = good && samples[i].quality == KRYOS_QUALITY_GOOD;
			room->value_micro[i] = samples[i].value_micro;
		}
	} while (!good);
}

static int setup(void **state)
{
	struct room *room = test_calloc(1, sizeof(*room));

	room->random = seed_from_environment(0xfa017);
	assert_ok(kryos_ctx_new(&room->ctx, NULL));
	exchange_chip(room);
	*state = room;
	return 0;
}

static int teardown(void **state)
{
	struct room *room = *state;

	fail_transfers(ENXIO, 0, 0);
	set("delay_us", 0);
	kryos_ctx_free(room->ctx);
	test_free(room);
	return 0;
}

/* Every channel has this quality, and the value where it is good. */
static void reads(struct room *room, enum kryos_quality quality, const char *when)
{
	struct kryos_sample samples[3];
	int i;

	assert_int_equal(kryos_sensor_read(room->sensor, samples, 3), 3);
	for (i = 0; i < 3; i++)
		if (samples[i].quality != quality ||
		    (quality == KRYOS_QUALITY_GOOD && samples[i].value_micro != room->value_micro[i]))
			fail_msg("%s: channel %d is %s, %lld, not %s, %lld", when, i,
			         kryos_quality_name(samples[i].quality), (long long)samples[i].value_micro,
			         kryos_quality_name(quality), (long long)room->value_micro[i]);
}

static const struct {
	int errnum;
	int code;                         /* of an open */
	enum kryos_quality once, forever; /* one transfer of a measurement, and all of them */
} faults[] = {
	/* Noise passes, and one address that nobody acknowledged may be noise. */
	{ ENXIO, -ENODEV, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_ABSENT },
	{ EREMOTEIO, -ENODEV, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_ABSENT },
	{ EIO, -EIO, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_BUS },
	{ EAGAIN, -EAGAIN, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_BUS },
	{ ETIMEDOUT, -ETIMEDOUT, KRYOS_QUALITY_TIMEOUT, KRYOS_QUALITY_TIMEOUT },
	{ EBUSY, KRYOS_ESTUCK, KRYOS_QUALITY_BUS, KRYOS_QUALITY_BUS },
};

static void one_failed_transfer_is_never_a_wrong_value(void **state)
{
	struct room *room = *state;
	int count, n;
	size_t i;

	count = transfers();
	reads(room, KRYOS_QUALITY_GOOD, "nothing fails");
	count = transfers() - count;
	printf("# a measurement is %d transfers\n", count);
	assert_in_range(count, 2, 20);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		for (n = 0; n < count; n++) {
			char when[64];

			snprintf(when, sizeof(when), "%s in transfer %d", strerror(faults[i].errnum), n + 1);
			fail_transfers(faults[i].errnum, n, 1);
			reads(room, faults[i].once, when);
			reads(room, KRYOS_QUALITY_GOOD, when);
		}
}

static void a_bus_that_fails_is_named_and_recovers(void **state)
{
	struct room *room = *state;
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const char *when = strerror(faults[i].errnum);

		fail_transfers(faults[i].errnum, 0, ALWAYS);
		reads(room, faults[i].forever, when);
		fail_transfers(faults[i].errnum, 0, 0);
		reads(room, KRYOS_QUALITY_GOOD, when);
	}
}

static void opening_says_what_failed(void **state)
{
	struct room *room = *state;
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		kryos_sensor_close(room->sensor);
		room->sensor = NULL;
		fail_transfers(faults[i].errnum, 0, ALWAYS);
		assert_fails(faults[i].code, open_sensor(room));
		printf("# %s\n", kryos_strerror(faults[i].code));
		assert_says(faults[i].code, "bme280@");
		fail_transfers(faults[i].errnum, 0, 0);
		assert_ok(open_sensor(room));
		reads(room, KRYOS_QUALITY_GOOD, "opened after a failure");
	}
}

static void a_slow_bus_is_waited_for_and_a_hanging_one_is_not(void **state)
{
	struct room *room = *state;
	struct timespec before, after;
	int64_t ms;

	set("delay_us", 30000);
	reads(room, KRYOS_QUALITY_GOOD, "30 ms for each transfer");
	/* Longer than the longest measurement: that it began cannot be seen, and so that the value is of now. */
	set("delay_us", 200000);
	reads(room, KRYOS_QUALITY_BUS, "200 ms for each transfer");
	set("delay_us", 4000000);
	clock_gettime(CLOCK_BOOTTIME, &before);
	reads(room, KRYOS_QUALITY_TIMEOUT, "4 s for each transfer");
	clock_gettime(CLOCK_BOOTTIME, &after);
	ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
	printf("# given up after %lld ms\n", (long long)ms);
	assert_in_range(ms, 4900, 10000); /* three transfers would be 12 s */
	set("delay_us", 0);
	/* What hangs in the kernel ends by itself, and is waited for. */
	reads(room, KRYOS_QUALITY_GOOD, "fast again");
}

static void an_exchanged_chip_is_read_with_its_own_calibration(void **state)
{
	struct room *room = *state;
	struct kryos_sample samples[3], again[3];
	uint8_t registers[256];
	int n, i;

	for (n = 0; n < 10; n++) {
		bme280_draw(&room->random, registers);
		bme280_write(bus, ADDRESS, image_path, registers);
		assert_int_equal(kryos_sensor_read(room->sensor, samples, 3), 3);
		kryos_sensor_close(room->sensor);
		assert_ok(open_sensor(room));
		assert_int_equal(kryos_sensor_read(room->sensor, again, 3), 3);
		for (i = 0; i < 3; i++)
			assert_int_equal(samples[i].value_micro, again[i].value_micro);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_failed_transfer_is_never_a_wrong_value, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bus_that_fails_is_named_and_recovers, setup, teardown),
		cmocka_unit_test_setup_teardown(opening_says_what_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_bus_is_waited_for_and_a_hanging_one_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(an_exchanged_chip_is_read_with_its_own_calibration, setup, teardown),
	};

	if (argc != 4) {
		fprintf(stderr, "usage: i2c_faults_case BUS IMAGE PARAMETERS\n");
		return 2;
	}
	bus = argv[1];
	image_path = argv[2];
	parameters = argv[3];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
