/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/sensor.h"
#include "station/station_file.h"
#include "support.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <stdlib.h>
#include <string.h>

/* A chip of two inputs, of which the second can be switched off. */
static const struct kryos_option_info options[] = {
	{ .name = "wires", .doc = "wires", .choices = "2 3 4", .value = 2 },
	{ .name = "rref",
	  .doc = "resistance",
	  .unit = "Ohm",
	  .value = 430000000,
	  .min_micro = 1000000,
	  .max_micro = INT64_C(5000000000) },
	{ .name = "second", .doc = "second input", .choices = "off on" },
};
static const struct kryos_channel_info channels[] = {
	{ .quantity = "temperature", .unit = "Cel", .min_micro = -40000000, .max_micro = 85000000 },
	{ .quantity = "voltage", .unit = "V", .min_micro = 0, .max_micro = 5000000 },
};

struct seen {
	int64_t wires, rref;
};

static int probe(void *priv, struct kryos_dev *dev)
{
	struct seen *seen = priv;

	seen->wires = kryos_dev_option(dev, 0);
	seen->rref = kryos_dev_option(dev, 1);
	return 0;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	(void)priv;
	(void)dev;
	*raw = 0;
	return 0;
}

static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	const struct seen *seen = priv;

	(void)raw;
	ret_readings[0].value_micro = seen->wires;
	ret_readings[1].value_micro = seen->rref / 1000;
}

static int describe(const char *place, const int64_t *values, struct kryos_description *ret_description)
{
	if (strcmp(place, "0x11") == 0)
		return kryos_fail(KRYOS_EDEVICE, "this chip is never at 0x11");
	memcpy(ret_description->channels, channels, sizeof(channels));
	ret_description->channel_count = values[2] ? 2 : 1;
	return 0;
}

static const struct kryos_sensor_driver driver = {
	.size = sizeof(driver),
	.name = "gauge",
	.title = "test gauge",
	.bus = "i2c spi",
	.private_size = sizeof(struct seen),
	.raw_size = 1,
	.probe = probe,
	.fetch = fetch,
	.decode = decode,
	.options = options,
	.option_count = KRI_ARRAY_SIZE(options),
	.describe = describe,
};

static int64_t values[KRYOS_SENSOR_MAX_OPTIONS];

static void options_are_the_defaults_where_nothing_is_said(void **state)
{
	(void)state;
	assert_ok(kri_options_parse(&driver, NULL, values));
	assert_int_equal(values[0], 2);
	assert_int_equal(values[1], 430000000);
	assert_int_equal(values[2], 0);
}

static void options_are_read_in_any_order(void **state)
{
	(void)state;
	assert_ok(kri_options_parse(&driver, " rref=400.25\twires=3 \n", values));
	assert_int_equal(values[0], 1);
	assert_int_equal(values[1], 400250000);
}

static void option_that_is_wrong_is_named_with_what_is_allowed(void **state)
{
	static const struct {
		const char *text, *sentence;
	} wrong[] = {
		{ "wire=3", "a gauge has no option wire; there is wires, rref, second" },
		{ "wires=5", "wires: \"5\" is not allowed; one of these is: 2 3 4" },
		{ "wires=2 wires=3", "wires was there before; once is allowed" },
		{ "rref=0.5", "rref: 0.5 is not allowed: 1 to 5000 Ohm is" },
		{ "rref=5000.000001", "rref: 5000.000001 is not allowed: 1 to 5000 Ohm is" },
		{ "rref=much", "rref: \"much\" is no number: digits with at most six decimals are allowed, as in 8, "
		               "-0.5 or 21.125" },
		{ "rref", "\"rref\" is no option; name=value is allowed, as in wires=3" },
		{ "rref=", "\"rref=\" is no option; name=value is allowed, as in wires=3" },
		{ "=3", "\"=3\" is no option; name=value is allowed, as in wires=3" },
	};

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		memset(values, 0x55, sizeof(values));
		assert_fails(-EINVAL, kri_options_parse(&driver, wrong[i].text, values));
		assert_string_equal(kryos_strerror(-EINVAL), wrong[i].sentence);
		assert_int_equal(values[0], INT64_C(0x5555555555555555));
	}
}

static void option_reaches_the_driver_and_says_which_channels_there_are(void **state)
{
	struct kryos_fake_bus *bus;
	struct kryos_sensor *sensor;
	struct kryos_sample samples[2];
	struct kryos_ctx *ctx;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_fake_bus_new(&bus, "i2c-1"));
	assert_ok(kryos_fake_bus_attach(bus, ctx));
	assert_ok(kryos_register_sensor(ctx, &driver));
	assert_ok(kryos_sensor_open_with(&sensor, ctx, "tank", "gauge@i2c-1:0x10",
	                                 KRYOS_SENSOR_CONFIG(.options = "wires=3 second=on rref=2500")));
	assert_int_equal(kryos_sensor_get_channel_count(sensor), 2);
	assert_int_equal(kryos_sensor_read(sensor, samples, 2), 2);
	assert_int_equal(samples[0].value_micro, 1);
	assert_int_equal(samples[1].value_micro, 2500000);
	assert_string_equal(kryos_channel_name(ctx, samples[1].channel), "tank.voltage");
	kryos_sensor_close(sensor);

	assert_ok(kryos_sensor_open(&sensor, ctx, "tank", "gauge@i2c-1:0x10"));
	assert_int_equal(kryos_sensor_get_channel_count(sensor), 1);
	kryos_sensor_close(sensor);

	assert_fails(-EINVAL, kryos_sensor_open_with(&sensor, ctx, "tank", "gauge@i2c-1:0x10",
	                                             KRYOS_SENSOR_CONFIG(.options = "wires=7")));
	assert_string_equal(kryos_strerror(-EINVAL), "tank: wires: \"7\" is not allowed; one of these is: 2 3 4");
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&sensor, ctx, "tank", "gauge@i2c-1:0x11"));
	assert_string_equal(kryos_strerror(KRYOS_EDEVICE), "tank: this chip is never at 0x11");
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&sensor, ctx, "tank", "gauge@w1:any"));
	assert_string_equal(kryos_strerror(KRYOS_EDEVICE),
	                    "tank: gauge@w1:any: a gauge is on i2c-0, -1, ... or spi-0.0, -0.1, ..., not on w1");
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&sensor, ctx, "tank", "gauge@spi-0"));
	assert_string_equal(kryos_strerror(KRYOS_EDEVICE),
	                    "tank: gauge@spi-0: spi-0 is no SPI device; bus and chip select are, as in gauge@spi-0.0");
	kryos_ctx_free(ctx);
	kryos_fake_bus_free(bus);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

#define STATION "[sensor tank]\naddress = gauge@i2c-1:0x10\n"

static void station_file_takes_a_drivers_options_as_keys(void **state)
{
	static const struct {
		const char *text, *errors;
	} files[] = {
		{ STATION "wires = 5\n", ":3: wires: \"5\" is not allowed; one of these is: 2 3 4" },
		{ STATION "wirse = 3\n", ":3: [sensor] has no key wirse; did you mean wires?" },
		{ STATION "wires = 3\nwires = 3\n", ":4: wires was there before, on line 3; once is allowed" },
		{ STATION "wires =\n", ":3: wires has no value; leave the line out if it should have none" },
		{ "[sensor tank]\naddress = gauge@i2c-1:0x11\n", ":2: address: this chip is never at 0x11" },
		{ "[sensor tank]\naddress = gauge@w1:any\nwires = 9\ncolour = red\n",
		  ":4: [sensor] has no key colour" },
	};
	struct kri_station_file *file;
	struct kryos_fake_bus *bus;
	struct kryos_ctx *ctx;
	char *folder = scratch_new(), *errors;
	const char *path = in(folder, "station.ini");

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_fake_bus_new(&bus, "i2c-1"));
	assert_ok(kryos_fake_bus_attach(bus, ctx));
	assert_ok(kryos_register_sensor(ctx, &driver));
	for (size_t i = 0; i < KRI_ARRAY_SIZE(files); i++) {
		write_file(path, files[i].text);
		errors = NULL;
		assert_fails(KRYOS_ECONFIG, kri_station_file_read(&file, ctx, path, &errors));
		if (!strstr(errors, files[i].errors))
			fail_msg("%zu: %s", i, errors);
		free(errors);
	}
	write_file(path, STATION "wires = 3\nrref = 400\n");
	assert_ok(kri_station_file_read(&file, ctx, path, &errors));
	errors = kri_station_options(kri_station_find(file, KRI_SECTION_SENSOR, "tank"));
	assert_string_equal(errors, "wires=3 rref=400 ");
	free(errors);
	kri_station_file_free(file);
	kryos_ctx_free(ctx);
	kryos_fake_bus_free(bus);
	scratch_free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_the_defaults_where_nothing_is_said),
		cmocka_unit_test(options_are_read_in_any_order),
		cmocka_unit_test(option_that_is_wrong_is_named_with_what_is_allowed),
		cmocka_unit_test(option_reaches_the_driver_and_says_which_channels_there_are),
		cmocka_unit_test(station_file_takes_a_drivers_options_as_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
