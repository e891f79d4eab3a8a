/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ds18b20_case PARAMETERS: two DS18B20 (28-010000000001, 28-010000000002) on an emulated 1-Wire bus, through the
 * kernel's w1 core and w1_therm. PARAMETERS is the folder of what can be set there (tests/vm/modules/cold_w1.c).
 */
#include "kernel.h"
#include "support.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST "28-010000000001"
#define SECOND "28-010000000002"
#define DEVICES "/sys/bus/w1/devices/"

static const char *parameters;

static void set(const char *name, const char *value)
{
	kernel_write(in(parameters, name), "%s", value);
}

struct probe {
	struct kryos_ctx *ctx;
	struct kryos_sensor *sensor;
};

static int setup(void **state)
{
	struct probe *probe = test_calloc(1, sizeof(*probe));

	set("sixteenths", "82,-289");
	assert_ok(kryos_ctx_new(&probe->ctx, NULL));
	assert_ok(kryos_sensor_open(&probe->sensor, probe->ctx, "fridge", "ds18b20@w1:" FIRST));
	*state = probe;
	return 0;
}

static int teardown(void **state)
{
	struct probe *probe = *state;

	set("present", "255");
	set("badcrc", "0");
	set("noconv", "0");
	set("parasite", "0");
	kryos_ctx_free(probe->ctx);
	test_free(probe);
	return 0;
}

static void reads(struct probe *probe, int64_t micro, enum kryos_quality quality)
{
	struct kryos_sample sample;

	assert_int_equal(kryos_sensor_read(probe->sensor, &sample, 1), 1);
	if (sample.quality != quality || (quality == KRYOS_QUALITY_GOOD && sample.value_micro != micro))
		fail_msg("%lld, %s, not %lld, %s", (long long)sample.value_micro, kryos_quality_name(sample.quality),
		         (long long)micro, kryos_quality_name(quality));
}

/* No probe moves so fast: a sensor that is opened anew has nothing to compare with. */
static void reads_anew(struct probe *probe, int64_t micro)
{
	kryos_sensor_close(probe->sensor);
	assert_ok(kryos_sensor_open(&probe->sensor, probe->ctx, "fridge", "ds18b20@w1:" FIRST));
	reads(probe, micro, KRYOS_QUALITY_GOOD);
}

/* In thousandths of a degree, cut off. */
static void kernel_reads(int64_t micro)
{
	char text[32];

	assert_int_equal(kernel_read(text, sizeof(text), DEVICES FIRST "/temperature"), 0);
	if (strtoll(text, NULL, 10) != micro / 1000)
		fail_msg("the kernel's driver reads %s, not %lld", text, (long long)(micro / 1000));
}

static void reads_what_the_kernels_driver_reads(void **state)
{
	static const int sixteenths[] = { 1, -1, 0, 82, -289, -880, 1360, 2000 };
	size_t i;

	for (i = 0; i < sizeof(sixteenths) / sizeof(sixteenths[0]); i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", sixteenths[i]);
		set("sixteenths", text);
		reads_anew(*state, sixteenths[i] * INT64_C(62500));
		kernel_reads(sixteenths[i] * INT64_C(62500));
	}
}

static void leaves_out_the_bits_below_the_resolution(void **state)
{
	static const int expected[] = { 88, 92, 94, 95 };
	int bits;

	set("sixteenths", "95");
	for (bits = 9; bits <= 12; bits++) {
		kernel_write(DEVICES FIRST "/resolution", "%d\n", bits);
		reads_anew(*state, expected[bits - 9] * INT64_C(62500));
	}
}

static void a_wrong_checksum_is_never_a_value(void **state)
{
	char text[256];

	reads(*state, 5125000, KRYOS_QUALITY_GOOD);
	set("badcrc", "1");
	reads(*state, 0, KRYOS_QUALITY_BUS);
	assert_int_equal(kernel_read(text, sizeof(text), DEVICES FIRST "/w1_slave"), 0);
	/* An empty file (Linux 6.1), or one that says so ("crc=5a NO"). */
	if (text[0] && (!strstr(text, " NO\n") || strstr(text, "YES")))
		fail_msg("with a wrong checksum the kernel's file says \"%s\"", text);
	set("badcrc", "0");
	reads(*state, 5125000, KRYOS_QUALITY_GOOD);
}

static void an_unplugged_probe_is_never_a_value(void **state)
{
	char text[256];

	reads(*state, 5125000, KRYOS_QUALITY_GOOD);
	set("present", "2");
	assert_int_equal(kernel_read(text, sizeof(text), DEVICES FIRST "/w1_slave"), 0);
	assert_string_equal(text, ""); /* still listed, and an empty file */
	reads(*state, 0, KRYOS_QUALITY_BUS);
	set("present", "3");
	reads(*state, 5125000, KRYOS_QUALITY_GOOD);
}

static void a_probe_without_power_holds_85_degrees_that_are_none(void **state)
{
	reads(*state, 5125000, KRYOS_QUALITY_GOOD);
	set("noconv", "1");
	reads(*state, 0, KRYOS_QUALITY_POWER_ON);
	set("noconv", "0");
	reads(*state, 5125000, KRYOS_QUALITY_GOOD);
	set("sixteenths", "1360"); /* measured: 85 degrees that are some */
	reads_anew(*state, 85000000);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How long both probes take, one after the other as a round reads them. */
static int64_t read_both_ms(struct probe *probe, struct kryos_sensor *second)
{
	struct kryos_sample sample;
	int64_t begin = now_ms();

	reads(probe, 5125000, KRYOS_QUALITY_GOOD);
	assert_int_equal(kryos_sensor_read(second, &sample, 1), 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(sample.value_micro, -18062500);
	return now_ms() - begin;
}

/* Those that have no supply of their own convert one after the other, 750 ms each. */
static void two_probes_convert_together(void **state)
{
	struct probe *probe = *state;
	struct kryos_sensor *second;
	int64_t together_ms, apart_ms;

	assert_ok(kryos_sensor_open(&second, probe->ctx, "freezer", "ds18b20@w1:" SECOND));
	(void)read_both_ms(probe, second);
	together_ms = read_both_ms(probe, second);
	set("parasite", "3");
	apart_ms = read_both_ms(probe, second);
	set("parasite", "0");
	printf("# both in %lld ms; with parasitic power in %lld ms\n", (long long)together_ms, (long long)apart_ms);
	assert_in_range(together_ms, 750, apart_ms - 500);
	assert_true(apart_ms >= 1500);
}

/* Each of these conversions is over, and nobody has read it, when the temperature changes. */
static void what_somebody_had_converted_before_is_not_taken_for_now(void **state)
{
	struct probe *probe = *state;

	kernel_write(DEVICES FIRST "/../therm_bulk_read", "trigger\n");
	set("sixteenths", "84,-289");
	reads(probe, 5250000, KRYOS_QUALITY_GOOD);
	set("parasite", "3");
	kernel_write(DEVICES FIRST "/../therm_bulk_read", "trigger\n");
	set("sixteenths", "86,-289");
	reads(probe, 5375000, KRYOS_QUALITY_GOOD);
	set("parasite", "0");
}

static void any_needs_one_probe_and_lists_more(void **state)
{
	struct probe *probe = *state;
	struct kryos_sensor *sensor;
	int r = kryos_sensor_open(&sensor, probe->ctx, "any", "ds18b20@w1:any");

	assert_true(r < 0);
	printf("# %s\n", kryos_strerror(r));
	assert_says(r, FIRST);
	assert_says(r, SECOND);
	kernel_write(DEVICES "w1_bus_master1/w1_master_remove", SECOND);
	assert_ok(kryos_sensor_open(&sensor, probe->ctx, "any", "ds18b20@w1:any"));
	kryos_sensor_close(sensor);
	kernel_write(DEVICES "w1_bus_master1/w1_master_add", SECOND);
	r = kryos_sensor_open(&sensor, probe->ctx, "gone", "ds18b20@w1:28-0000000000ff");
	assert_int_equal(r, -ENODEV);
	printf("# %s\n", kryos_strerror(r));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_what_the_kernels_driver_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_out_the_bits_below_the_resolution, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wrong_checksum_is_never_a_value, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unplugged_probe_is_never_a_value, setup, teardown),
		cmocka_unit_test_setup_teardown(a_probe_without_power_holds_85_degrees_that_are_none, setup, teardown),
		cmocka_unit_test_setup_teardown(two_probes_convert_together, setup, teardown),
		cmocka_unit_test_setup_teardown(what_somebody_had_converted_before_is_not_taken_for_now, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(any_needs_one_probe_and_lists_more, setup, teardown),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: ds18b20_case PARAMETERS\n");
		return 2;
	}
	parameters = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
