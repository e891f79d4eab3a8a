/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spi_case N: a MAX31865 at /dev/spidevN.0 and a MAX31856 at /dev/spidevN.1, emulated by cold_spi behind the kernel's
 * own SPI core; the drivers' numbers beside those of the kernel's drivers for these chips.
 */
#include "kernel.h"
#include "support.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CODES 20

static int number;

static void set_knob(const char *name, int value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/cold_spi/parameters/%s", name);
	kernel_write(path, "%d", value);
}

static int get_knob(const char *name)
{
	char text[32];

	assert_ok(kernel_read(text, sizeof(text), "/sys/module/cold_spi/parameters/%s", name));
	return atoi(text);
}

static void take_away(int select)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/spi/devices/spi%d.%d/driver/unbind", number, select);
	if (access(path, F_OK) == 0)
		kernel_write(path, "spi%d.%d", number, select);
}

/* As root would, by the commands in the library's sentence. */
static void give_to(const char *driver, int select)
{
	char path[128];

	take_away(select);
	snprintf(path, sizeof(path), "/sys/bus/spi/devices/spi%d.%d/driver_override", number, select);
	kernel_write(path, "%s\n", strcmp(driver, "spidev") ? "" : driver);
	snprintf(path, sizeof(path), "/sys/bus/spi/drivers/%s/bind", driver);
	kernel_write(path, "spi%d.%d", number, select);
}

static bool has_driver(const char *driver)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/spi/drivers/%s", driver);
	return access(path, F_OK) == 0;
}

static int open_at(struct kryos_ctx *ctx, int select, const char *options, struct kryos_sensor **ret_sensor)
{
	char device[64];

	snprintf(device, sizeof(device), "%s@spi-%d.%d", select ? "max31856" : "max31865", number, select);
	return kryos_sensor_open_with(ret_sensor, ctx, "ice", device, KRYOS_SENSOR_CONFIG(.options = options));
}

/* By a program of its own each time: the node was another's meanwhile, and nothing real jumps as these values do. */
static void measure(int select, const char *options, struct kryos_sample samples[2])
{
	struct kryos_sensor *sensor;
	struct kryos_ctx *ctx;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(open_at(ctx, select, options, &sensor));
	assert_int_equal(kryos_sensor_read(sensor, samples, 2), select ? 2 : 1);
	kryos_ctx_free(ctx);
}

static void check_fails(int select, int code)
{
	struct kryos_sensor *sensor;
	struct kryos_ctx *ctx;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_fails(code, open_at(ctx, select, NULL, &sensor));
	printf("# %s\n", kryos_strerror(code));
	kryos_ctx_free(ctx);
}

static int read_iio(int select, const char *name)
{
	char parent[64], folder[512] = "", text[64];
	struct dirent *entry;
	DIR *entries;
	int r;

	snprintf(parent, sizeof(parent), "/sys/bus/spi/devices/spi%d.%d", number, select);
	entries = opendir(parent);
	assert_non_null(entries);
	while ((entry = readdir(entries)))
		if (strncmp(entry->d_name, "iio:device", 10) == 0)
			snprintf(folder, sizeof(folder), "%s/%s", parent, entry->d_name);
	closedir(entries);
	if (!folder[0])
		fail_msg("the kernel's driver did not take the chip at %s", parent);
	r = kernel_read(text, sizeof(text), "%s/%s", folder, name);
	if (r < 0)
		fail_msg("%s/%s: %s", folder, name, strerror(-r));
	return atoi(text);
}

/* IEC 60751, by halving. */
static int64_t pt100_micro(double resistance)
{
	double low = -250, high = 1000;

	for (int i = 0; i < 60; i++) {
		double t = (low + high) / 2, r = 100 + 0.39083 * t - 5.775e-5 * t * t;

		if (t < 0)
			r -= 4.183e-10 * (t - 100) * t * t * t;
		if (r < resistance)
			low = t;
		else
			high = t;
	}
	return llround(low * 1e6);
}

static void max31865_reads_what_the_kernels_driver_reads(void **state)
{
	uint64_t random = seed_from_environment(0x31865);
	struct kryos_sample samples[CODES];
	int codes[CODES];

	(void)state;
	give_to("spidev", 0);
	for (int i = 0; i < CODES; i++) {
		struct kryos_sample both[2];

		/* Of a PT100 with 400 Ohm: -199 to 849 C. */
		codes[i] = 1553 + (int)(next_random(&random) % 30411);
		set_knob("rtd", codes[i]);
		measure(0, i % 2 ? "rref=400 filter=60" : "rref=400", both);
		samples[i] = both[0];
	}
	assert_int_equal(get_knob("hz"), 1000000);
	for (int i = 0; i < CODES; i++) {
		assert_int_equal(samples[i].quality, KRYOS_QUALITY_GOOD);
		if (llabs(samples[i].value_micro - pt100_micro(codes[i] / 32768.0 * 400)) > 1)
			fail_msg("code %d: %lld micro-Cel", codes[i], (long long)samples[i].value_micro);
	}
	if (!has_driver("max31865"))
		return;
	give_to("max31865", 0);
	for (int i = 0; i < CODES; i++) {
		set_knob("rtd", codes[i]);
		assert_int_equal(read_iio(0, "in_temp_raw"), codes[i]);
	}
	printf("# %d values compared\n", CODES);
}

/* What a grounded lead gives looks right, and the kernel's driver passes it on. */
static void max31865_tells_faults_that_the_kernels_driver_does_not(void **state)
{
	static const struct {
		const char *knob;
		int value, quality;
	} faults[] = { { "closed", 0x20, KRYOS_QUALITY_OPEN },
		       { "open", 0x18, KRYOS_QUALITY_SHORT },
		       { "rtd", 32767, KRYOS_QUALITY_OPEN },
		       { "rtd", 3, KRYOS_QUALITY_SHORT } };
	struct kryos_sample samples[2];

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		set_knob("rtd", 8352);
		set_knob(faults[i].knob, faults[i].value);
		give_to("spidev", 0);
		measure(0, "rref=400", samples);
		assert_int_equal(samples[0].quality, faults[i].quality);
		if (has_driver("max31865")) {
			give_to("max31865", 0);
			assert_int_equal(read_iio(0, "in_temp_raw"),
			                 strcmp(faults[i].knob, "rtd") ? 8352 : faults[i].value);
		}
		set_knob("closed", 0);
		set_knob("open", 0);
	}
	set_knob("rtd", 8352);
	give_to("spidev", 0);
	measure(0, "rref=400", samples);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
}

static void max31856_reads_what_the_kernels_driver_reads(void **state)
{
	uint64_t random = seed_from_environment(0x31856);
	struct kryos_sample samples[CODES][2];
	int codes[CODES][2];

	(void)state;
	for (int i = 0; i < CODES; i++) {
		codes[i][0] = (int)(next_random(&random) % (1572 * 128)) - 200 * 128;
		codes[i][1] = (int)(next_random(&random) % (180 * 64)) - 55 * 64;
	}
	give_to("spidev", 1);
	for (int i = 0; i < CODES; i++) {
		set_knob("thermocouple", codes[i][0]);
		set_knob("junction", codes[i][1]);
		measure(1, NULL, samples[i]);
	}
	for (int i = 0; i < CODES; i++) {
		assert_int_equal(samples[i][0].quality, KRYOS_QUALITY_GOOD);
		assert_int_equal(samples[i][0].value_micro, codes[i][0] * INT64_C(15625) / 2);
		assert_int_equal(samples[i][1].quality, KRYOS_QUALITY_GOOD);
		assert_int_equal(samples[i][1].value_micro, codes[i][1] * INT64_C(15625));
	}
	if (!has_driver("max31856"))
		return;
	give_to("max31856", 1);
	usleep(250000);
	for (int i = 0; i < CODES; i++) {
		set_knob("thermocouple", codes[i][0]);
		set_knob("junction", codes[i][1]);
		assert_int_equal(read_iio(1, "in_temp_raw"), codes[i][0]);
		assert_int_equal(read_iio(1, "in_temp_ambient_raw"), codes[i][1]);
	}
	printf("# %d pairs of values compared\n", CODES);
}

static void says_that_the_kernels_driver_holds_the_chip(void **state)
{
	struct kryos_sample samples[2];

	(void)state;
	if (!has_driver("max31856")) {
		printf("# the kernel has no driver for any of the chips\n");
		skip();
	}
	set_knob("thermocouple", -195 * 128);
	set_knob("junction", 25 * 64);
	give_to("max31856", 1);
	check_fails(1, -EBUSY);
	assert_says(-EBUSY, "is held by the kernel's driver max31856");
	assert_null(strchr(kryos_strerror(-EBUSY), '\n'));
	/* That driver leaves it converting all the time. */
	give_to("spidev", 1);
	measure(1, NULL, samples);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
	take_away(1);
	check_fails(1, -ENODEV);
	assert_says(-ENODEV, "dtparam=spi=on");
}

static void chip_that_is_not_there_is_told(void **state)
{
	struct kryos_sample samples[2];

	(void)state;
	give_to("spidev", 0);
	set_knob("present", 2);
	check_fails(0, -ENODEV);
	assert_says(-ENODEV, "all that is read is 0xff");
	set_knob("present", 3);
	measure(0, "rref=400", samples);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
}

static int count_messages(struct kryos_sensor *sensor, struct kryos_sample samples[2])
{
	int before = get_knob("messages");

	assert_in_range(kryos_sensor_read(sensor, samples, 2), 1, 2);
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
	return get_knob("messages") - before;
}

/*
 * That message of a measurement fails. While a chip converts it is asked every millisecond, so that one measurement has
 * more messages than another: where this one had not as many, nothing failed, and it is made again.
 */
static void measure_with_fault(struct kryos_sensor *sensor, int errnum, int message, struct kryos_sample samples[2])
{
	set_knob("fail_errno", errnum);
	for (int tries = 0; tries < 50; tries++) {
		set_knob("fail_after", message);
		set_knob("fail_times", 1);
		assert_in_range(kryos_sensor_read(sensor, samples, 2), 1, 2);
		if (get_knob("fail_times") == 0)
			return;
		set_knob("fail_times", 0);
		assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
	}
	fail_msg("no measurement has a message %d", message + 1);
}

/* Each message of a measurement fails once: noise passes; a controller that did not finish is told. */
static void fail_each_message(struct kryos_sensor *sensor)
{
	struct kryos_sample samples[2];
	int64_t value_micro;
	int count = INT_MAX;

	for (int i = 0; i < 5; i++) {
		int messages = count_messages(sensor, samples);

		count = messages < count ? messages : count;
	}
	value_micro = samples[0].value_micro;
	printf("# a measurement is %d messages\n", count);
	for (int message = 0; message < count; message++) {
		measure_with_fault(sensor, EIO, message, samples);
		if (samples[0].quality != KRYOS_QUALITY_GOOD || samples[0].value_micro != value_micro)
			fail_msg("EIO in message %d: %lld, %s, not %lld", message + 1,
			         (long long)samples[0].value_micro, kryos_quality_name(samples[0].quality),
			         (long long)value_micro);
		measure_with_fault(sensor, ETIMEDOUT, message, samples);
		if (samples[0].quality != KRYOS_QUALITY_TIMEOUT)
			fail_msg("ETIMEDOUT in message %d: %s", message + 1, kryos_quality_name(samples[0].quality));
	}
	(void)count_messages(sensor, samples); /* and the last failure is over, too */
}

static void transfers_that_fail_are_repeated_or_told(void **state)
{
	struct kryos_sensor *sensor;
	struct kryos_ctx *ctx;

	(void)state;
	set_knob("rtd", 8352);
	set_knob("thermocouple", -195 * 128);
	set_knob("junction", 25 * 64);
	for (int select = 0; select < 2; select++) {
		give_to("spidev", select);
		assert_ok(kryos_ctx_new(&ctx, NULL));
		assert_ok(open_at(ctx, select, select ? NULL : "rref=400", &sensor));
		fail_each_message(sensor);
		kryos_ctx_free(ctx);
	}
}

/* Its node goes while it is open, as with an adapter that is unplugged, and comes back. */
static void node_that_goes_and_comes_back_is_found_again(void **state)
{
	struct kryos_sample sample;
	struct kryos_sensor *sensor;
	struct kryos_ctx *ctx;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(open_at(ctx, 0, "rref=400", &sensor));
	take_away(0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kryos_sensor_read(sensor, &sample, 1), 1);
		assert_int_equal(sample.quality, KRYOS_QUALITY_ABSENT);
	}
	give_to("spidev", 0);
	assert_int_equal(kryos_sensor_read(sensor, &sample, 1), 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	kryos_ctx_free(ctx);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(max31865_reads_what_the_kernels_driver_reads),
		cmocka_unit_test(max31865_tells_faults_that_the_kernels_driver_does_not),
		cmocka_unit_test(max31856_reads_what_the_kernels_driver_reads),
		cmocka_unit_test(says_that_the_kernels_driver_holds_the_chip),
		cmocka_unit_test(chip_that_is_not_there_is_told),
		cmocka_unit_test(transfers_that_fail_are_repeated_or_told),
		cmocka_unit_test(node_that_goes_and_comes_back_is_found_again),
	};

	if (argc != 2 || !argv[1][0]) {
		fprintf(stderr, "usage: spi_case N, for /dev/spidevN.0 and /dev/spidevN.1\n");
		return 2;
	}
	number = atoi(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
