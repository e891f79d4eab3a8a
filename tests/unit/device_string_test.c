/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include <errno.h>
#include <kryos/sys/sensor.h>
#include <sensor/sensor.h>
#include <string.h>

static void device_strings_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *driver, *bus, *place;
	} cases[] = {
		{ "bme280@i2c-1:0x76", "bme280", "i2c-1", "0x76" },
		{ "ds18b20@w1:28-0316a2795bff", "ds18b20", "w1", "28-0316a2795bff" },
		{ "ds18b20@w1:any", "ds18b20", "w1", "any" },
		{ "max31865@spi-0.0", "max31865", "spi-0.0", "" },
		{ "iio@bme280", "iio", "bme280", "" },
		{ "door@gpio:GPIO17", "door", "gpio", "GPIO17" },
		{ "rtc@/dev/rtc0", "rtc", "/dev/rtc0", "" },
		{ "rtc@/dev/by-path/a:b", "rtc", "/dev/by-path/a:b", "" },
		{ "x@y:z:w", "x", "y", "z:w" },
		{ "sht4x@i2c-1:0x70.3:0x44", "sht4x", "i2c-1", "0x70.3:0x44" },
	};
	struct kri_device device;

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		assert_ok(kri_device_parse(cases[i].text, &device));
		assert_string_equal(device.text, cases[i].text);
		assert_string_equal(device.driver, cases[i].driver);
		assert_string_equal(device.bus, cases[i].bus);
		assert_string_equal(device.place, cases[i].place);
	}
}

static void a_malformed_string_says_what_is_wrong_and_what_is_allowed(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ NULL, "no device given" },
		{ "", "no device given" },
		{ "bme280", "has no @" },
		{ "@i2c-1:0x76", "before the @" },
		{ "BME280@i2c-1:0x76", "before the @" },
		{ "bme280@", "no bus" },
		{ "bme280@:0x76", "no bus" },
		{ "bme280@i2c-1:", "no place" },
		{ "bme280@i2c-1: 0x76", "blank" },
		{ "bme280@i2c-1:0x76\n", "blank" },
		{ "bm\xc3\xa9@i2c-1:0x76", "not ASCII" },
		{ "a123456789012345678901234567890123456789@w1:any", "more than 31" },
		{ "a@b1234567890123456789012345678901234567890123456789012345678901234", "more than 63" },
		{ "a@b:c1234567890123456789012345678901234567890123456789012345678901234", "more than 63" },
	};
	struct kri_device device, before;

	(void)state;
	memset(&device, 0x5a, sizeof(device));
	before = device;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		assert_fails(KRYOS_EDEVICE, kri_device_parse(cases[i].text, &device));
		assert_says(KRYOS_EDEVICE, cases[i].says);
		assert_memory_equal(&device, &before, sizeof(device));
	}
}

static void the_longest_parts_fit(void **state)
{
	char text[KRI_DEVICE_MAX + 8];
	struct kri_device device;

	(void)state;
	snprintf(text, sizeof(text), "%031d@%063d:%063d", 1, 2, 3);
	assert_ok(kri_device_parse(text, &device));
	assert_string_equal(device.text, text);
	assert_int_equal(strlen(device.place), 63);
}

static void random_text_never_passes_without_its_parts(void **state)
{
	uint64_t random = seed_from_environment(20261120);
	static const char alphabet[] = "ab1@@::--/. \x80";
	struct kri_device device;
	char text[24];

	(void)state;
	for (int i = 0; i < 50000; i++) {
		size_t length = next_random(&random) % sizeof(text), at;

		for (at = 0; at < length; at++)
			text[at] = alphabet[next_random(&random) % (sizeof(alphabet) - 1)];
		text[at < sizeof(text) ? at : at - 1] = '\0';
		if (kri_device_parse(text, &device) < 0)
			continue;
		assert_string_equal(device.text, text);
		assert_true(device.driver[0] && device.bus[0]);
		assert_int_equal(strlen(text), strlen(device.driver) + 1 + strlen(device.bus) +
		                                       (device.place[0] ? 1 + strlen(device.place) : 0));
	}
}

static void places_are_checked_for_their_bus(void **state)
{
	static const struct {
		const char *text, *kind, *says; /* says NULL: right */
	} cases[] = {
		{ "a@i2c-1:0x03", "i2c", NULL },
		{ "a@i2c-1:0x77", "i2c", NULL },
		{ "a@i2c-1:0x7F", "i2c", "0x03 to 0x77" },
		{ "a@i2c-1:0x02", "i2c", "0x03 to 0x77" },
		{ "a@i2c-1:118", "i2c", "0x03 to 0x77" },
		{ "a@i2c-1:0x", "i2c", "0x03 to 0x77" },
		{ "a@i2c-1:0x7g", "i2c", "0x03 to 0x77" },
		{ "a@i2c-1:0x10000000000000076", "i2c", "0x03 to 0x77" },
		{ "a@i2c-1", "i2c", "no address" },
		{ "a@i2c-1:0x70.0:0x44", "i2c", NULL },
		{ "a@i2c-1:0x77.7:0x70", "i2c", NULL },
		{ "a@i2c-1:0x70.8:0x44", "i2c", "0x70.8 is no channel of a multiplexer" },
		{ "a@i2c-1:0x78.0:0x44", "i2c", "0x70.0 to 0x77.7 are" },
		{ "a@i2c-1:0x70:0x44", "i2c", "0x70 is no channel of a multiplexer" },
		{ "a@i2c-1:0x70.10:0x44", "i2c", "0x70.10 is no channel of a multiplexer" },
		{ "a@i2c-1:0x70.1", "i2c", "0x70.1 is no i2c address" },
		{ "a@i2c-1:0x70.1:0x78", "i2c", "0x78 is no i2c address; 0x03 to 0x77" },
		{ "a@i2c-1:0x70.1:0x70", "i2c", "0x70 is the multiplexer" },
		{ "a@i2c-1:0x70.1:0x71.2:0x44", "i2c", "one multiplexer is allowed" },
		{ "a@w1:any", "w1", NULL },
		{ "a@w1:28-0316a2795bff", "w1", NULL },
		{ "a@w1:28-0316A2795BFF", "w1", "1-Wire place" },
		{ "a@w1:28-", "w1", "1-Wire place" },
		{ "a@w1:280316a2795bff", "w1", "1-Wire place" },
		{ "a@w1", "w1", "nothing after the bus" },
		{ "a@w1:any", "i2c", "is on i2c-0, -1, ..., not on w1" },
		{ "a@i2c-1:0x76", "w1", "is on w1, not on i2c-1" },
		{ "a@i2cx-1:0x76", "i2c", "not on i2cx-1" },
		{ "a@gpio:GPIO17", NULL, NULL },
		{ "a@spi-0.0", "i2c spi", NULL },
		{ "a@spi-10.255", "spi", NULL },
		{ "a@spi-0", "spi", "spi-0 is no SPI device" },
		{ "a@spi-0.", "spi", "spi-0. is no SPI device" },
		{ "a@spi-.0", "spi", "spi-.0 is no SPI device" },
		{ "a@spi-+1.0", "spi", "spi-+1.0 is no SPI device" },
		{ "a@spi-0.0.0", "spi", "spi-0.0.0 is no SPI device" },
		{ "a@spi-1234.0", "spi", "spi-1234.0 is no SPI device" },
		{ "a@spi-0.0:0x76", "spi", "nothing is allowed after the bus" },
		{ "a@w1:any", "i2c spi", "is on i2c-0, -1, ... or spi-0.0, -0.1, ..., not on w1" },
	};
	struct kri_device device;

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		assert_ok(kri_device_parse(cases[i].text, &device));
		if (!cases[i].says) {
			assert_ok(kri_device_check_bus(&device, cases[i].kind));
			continue;
		}
		assert_fails(KRYOS_EDEVICE, kri_device_check_bus(&device, cases[i].kind));
		assert_says(KRYOS_EDEVICE, cases[i].says);
		assert_says(KRYOS_EDEVICE, cases[i].text);
	}
}

static int no_probe(void *priv, struct kryos_dev *dev)
{
	(void)priv;
	(void)dev;
	return -ENODEV;
}

static int no_fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	(void)raw;
	return no_probe(priv, dev);
}

static void no_decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	(void)priv;
	(void)raw;
	(void)ret_readings;
}

static const struct kryos_channel_info one_channel[] = { { .quantity = "voltage", .unit = "V", .max_micro = 1 } };

static const struct kryos_sensor_driver own_driver = {
	.size = sizeof(own_driver),
	.name = "cellar9",
	.title = "Cellar 9",
	.bus = "i2c",
	.channels = one_channel,
	.channel_count = 1,
	.raw_size = 1,
	.probe = no_probe,
	.fetch = no_fetch,
	.decode = no_decode,
};

static void an_unknown_driver_is_told_which_there_are(void **state)
{
	const struct kryos_sensor_driver *driver = NULL;
	struct kri_device device;
	struct kryos_ctx *ctx;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_register_sensor(ctx, &own_driver));
	assert_ok(kri_device_parse("cellar@i2c-1:0x20", &device));
	assert_fails(KRYOS_EDEVICE, kri_device_find_sensor(ctx, &device, &driver));
	assert_says(KRYOS_EDEVICE, "no sensor driver \"cellar\"");
	assert_says(KRYOS_EDEVICE, "cellar9");
	assert_null(driver);
	assert_ok(kri_device_parse("cellar9@i2c-1:0x20", &device));
	assert_ok(kri_device_find_sensor(ctx, &device, &driver));
	assert_ptr_equal(driver, &own_driver);
	kryos_ctx_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_strings_are_taken_apart),
		cmocka_unit_test(a_malformed_string_says_what_is_wrong_and_what_is_allowed),
		cmocka_unit_test(the_longest_parts_fit),
		cmocka_unit_test(random_text_never_passes_without_its_parts),
		cmocka_unit_test(places_are_checked_for_their_bus),
		cmocka_unit_test(an_unknown_driver_is_told_which_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
