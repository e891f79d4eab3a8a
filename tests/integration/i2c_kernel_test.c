/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The i2c-dev and w1 drivers on a real kernel. Hardware is not touched unasked: KRYOS_TEST_I2C names the bus with a
 * BME280 at 0x76 and nothing at 0x77 (an emulator's, i2c-stub's with an image, or a bench's); KRYOS_TEST_W1=1 says that
 * exactly one DS18B20 is on the 1-Wire bus.
 */
#include "core/core.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *device(const char *driver, const char *place)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s@%s:%s", driver, getenv("KRYOS_TEST_I2C"), place);
	return text;
}

static void kernel_i2c_reads_a_bme280(void **state)
{
	struct kryos_sample samples[3];
	struct kryos_sensor *room;
	struct kryos_ctx *ctx;
	int n;

	(void)state;
	if (!getenv("KRYOS_TEST_I2C"))
		skip();
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_sensor_open(&room, ctx, "room", device("bme280", "0x76")));
	for (n = 0; n < 20; n++) {
		assert_int_equal(kryos_sensor_read(room, samples, 3), 3);
		assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
		assert_in_range(samples[0].value_micro + 40000000, 0, 125000000);
	}
	for (n = 0; n < 3; n++)
		kryos_sample_print(ctx, &samples[n], stdout);
	kryos_ctx_free(ctx);
}

static void kernel_i2c_says_that_nothing_answers(void **state)
{
	struct kryos_sensor *room;
	struct kryos_ctx *ctx;

	(void)state;
	if (!getenv("KRYOS_TEST_I2C"))
		skip();
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_fails(-ENODEV, kryos_sensor_open(&room, ctx, "room", device("bme280", "0x77")));
	assert_says(-ENODEV, "nothing answers at 0x77");
	kryos_ctx_free(ctx);
}

static void kernel_w1_reads_a_ds18b20(void **state)
{
	struct kryos_sensor *fridge;
	struct kryos_sample sample;
	struct kryos_ctx *ctx;

	(void)state;
	if (!getenv("KRYOS_TEST_W1"))
		skip();
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_sensor_open(&fridge, ctx, "fridge", "ds18b20@w1:any"));
	assert_int_equal(kryos_sensor_read(fridge, &sample, 1), 1);
	kryos_sample_print(ctx, &sample, stdout);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	kryos_ctx_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_i2c_reads_a_bme280),
		cmocka_unit_test(kernel_i2c_says_that_nothing_answers),
		cmocka_unit_test(kernel_w1_reads_a_ds18b20),
	};

	if (!getenv("KRYOS_TEST_I2C") && !getenv("KRYOS_TEST_W1")) {
		puts("skipped: neither KRYOS_TEST_I2C (a bus with a BME280 at 0x76) nor KRYOS_TEST_W1 is set");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
