/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of single chips on I2C that tests/contract/ does not know; what all of them owe is there. */
#include "core/core.h"
#include "support.h"
#include <errno.h>
#include <kryos/sys/sensor.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <string.h>

struct rig {
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	struct kryos_sensor *sensor;
};

static int set_up(void **state)
{
	struct rig *rig = test_calloc(1, sizeof(*rig));

	assert_ok(kryos_fake_clock_new(&rig->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_fake_bus_new(&rig->bus, "i2c-1"));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	kryos_ctx_free(rig->ctx);
	kryos_fake_bus_free(rig->bus);
	kryos_fake_clock_free(rig->clock);
	test_free(rig);
	return 0;
}

static const struct kryos_sensor_driver *driver_of(const char *name)
{
	const void *const *driver;

	for (driver = kri_builtin_drivers[KRI_SENSOR]; *driver; driver++)
		if (strcmp(((const struct kryos_sensor_driver *)*driver)->name, name) == 0)
			return *driver;
	print_message("%s is not in this build\n", name);
	skip();
	return NULL;
}

static void refuses(struct rig *rig, const char *device, int code, const char *words)
{
	assert_fails(code, kryos_sensor_open(&rig->sensor, rig->ctx, "fridge", device));
	assert_says(code, device);
	assert_says(code, words);
}

static void chips_at_one_address_are_told_apart(void **state)
{
	struct kryos_model *model;
	struct rig *rig = *state;

	driver_of("sht3x");
	driver_of("sht4x");
	driver_of("bmp280");
	driver_of("tmp117");
	assert_ok(kryos_fake_bus_add_sht3x(rig->bus, "0x44", NULL));
	assert_ok(kryos_fake_bus_add_sht4x(rig->bus, "0x45", NULL));
	assert_ok(kryos_fake_bus_add_tmp117(rig->bus, "0x48", &model));
	assert_ok(kryos_fake_bus_add_bme280(rig->bus, "0x76", NULL));
	refuses(rig, "sht3x@i2c-1:0x45", KRYOS_ECHIP, "this is an SHT4x: write sht4x");
	refuses(rig, "sht4x@i2c-1:0x44", KRYOS_ECHIP, "this is an SHT3x: write sht3x");
	refuses(rig, "bmp280@i2c-1:0x76", KRYOS_ECHIP,
	        "its chip id is 0x60, not 0x58; a BME280 has that: write bme280");
	assert_ok(kryos_model_poke(model, 2 * 0x0f, 0x11));
	assert_ok(kryos_model_poke(model, 2 * 0x0f + 1, 0x16));
	refuses(rig, "tmp117@i2c-1:0x48", KRYOS_ECHIP, "its device id is 0x1116, not 0x0117; a TMP116 has that");
	refuses(rig, "sht3x@i2c-1:0x46", -ENODEV, "nothing answers");
	refuses(rig, "sht4x@i2c-1:0x46", -ENODEV, "nothing answers");
}

/* SNOSD82D, 7.6: bit 12 of register 1. What is written while the EEPROM is read may be overwritten from it. */
static void tmp117_is_left_alone_until_its_eeprom_is_read(void **state)
{
	struct kryos_model *model;
	struct rig *rig = *state;

	driver_of("tmp117");
	assert_ok(kryos_fake_bus_add_tmp117(rig->bus, "0x48", &model));
	assert_int_equal(kryos_model_peek(model, 2) & 0x10, 0x10);
	assert_ok(kryos_sensor_open(&rig->sensor, rig->ctx, "fridge", "tmp117@i2c-1:0x48"));
	assert_int_equal(kryos_model_peek(model, 2) & 0x10, 0);
}

/* SNOSD82D, 7.6: the chip adds what it was told to, which nothing in its results shows. */
static void tmp117_with_an_offset_is_refused(void **state)
{
	struct kryos_sample sample;
	struct kryos_model *model;
	struct rig *rig = *state;

	driver_of("tmp117");
	assert_ok(kryos_fake_bus_add_tmp117(rig->bus, "0x48", &model));
	assert_ok(kryos_model_set(model, "temperature", 5000000));
	assert_ok(kryos_model_poke(model, 2 * 7, 0xff));
	assert_ok(kryos_model_poke(model, 2 * 7 + 1, 0xc0)); /* -64 steps: half a degree */
	refuses(rig, "tmp117@i2c-1:0x48", KRYOS_ECHIP, "it adds -0.5 C of its own (register 0x07 is 0xffc0)");
	assert_ok(kryos_model_poke(model, 2 * 7, 0));
	assert_ok(kryos_model_poke(model, 2 * 7 + 1, 0));
	assert_ok(kryos_sensor_open(&rig->sensor, rig->ctx, "fridge", "tmp117@i2c-1:0x48"));
	assert_int_equal(kryos_sensor_read(rig->sensor, &sample, 1), 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(sample.value_micro, 5000000);
	/* While it is measured: the smallest there is, by another program. */
	assert_ok(kryos_model_poke(model, 2 * 7 + 1, 1));
	assert_int_equal(kryos_sensor_read(rig->sensor, &sample, 1), 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_CHIP);
	assert_ok(kryos_model_poke(model, 2 * 7 + 1, 0));
	assert_int_equal(kryos_sensor_read(rig->sensor, &sample, 1), 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(sample.value_micro, 5000000);
}

static void mcp9808_measures_in_sixteenths_whatever_it_was_left_at(void **state)
{
	struct kryos_sample sample;
	struct kryos_model *model;
	struct rig *rig = *state;

	driver_of("mcp9808");
	assert_ok(kryos_fake_bus_add_mcp9808(rig->bus, "0x18", &model));
	assert_ok(kryos_model_poke(model, 2 * 8 + 1, 0)); /* half degrees */
	assert_ok(kryos_model_set(model, "temperature", 4187500));
	assert_ok(kryos_sensor_open(&rig->sensor, rig->ctx, "fridge", "mcp9808@i2c-1:0x18"));
	assert_int_equal(kryos_sensor_read(rig->sensor, &sample, 1), 1);
	assert_int_equal(sample.value_micro, 4187500);
}

/* DS25095A, 5.1.1: bit 4 is what the alert output does, which no write changes; locked limits change no measurement. */
static void mcp9808_is_not_lost_for_what_its_alert_says(void **state)
{
	struct kryos_sample sample;
	struct kryos_model *model;
	struct rig *rig = *state;

	driver_of("mcp9808");
	assert_ok(kryos_fake_bus_add_mcp9808(rig->bus, "0x18", &model));
	assert_ok(kryos_model_set(model, "temperature", 5000000));
	assert_ok(kryos_sensor_open(&rig->sensor, rig->ctx, "fridge", "mcp9808@i2c-1:0x18"));
	assert_ok(kryos_model_poke(model, 3, 0x50));
	assert_int_equal(kryos_sensor_read(rig->sensor, &sample, 1), 1);
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(sample.value_micro, 5000000);
}

/* DS25095A, 5.1.1: a chip whose limits somebody locked takes no settings, and so no mark either. */
static void mcp9808_that_is_locked_says_so(void **state)
{
	struct kryos_model *model;
	struct rig *rig = *state;

	driver_of("mcp9808");
	assert_ok(kryos_fake_bus_add_mcp9808(rig->bus, "0x18", &model));
	assert_ok(kryos_model_poke(model, 3, 0x40));
	refuses(rig, "mcp9808@i2c-1:0x18", -EIO, "they are locked until its power is cut");
	kryos_model_set_present(model, 0);
	kryos_model_set_present(model, 1);
	assert_ok(kryos_sensor_open(&rig->sensor, rig->ctx, "fridge", "mcp9808@i2c-1:0x18"));
}

/* It converts by itself, so only the first conversion is waited for: at least the 250 ms that one takes. */
static void mcp9808_is_waited_for_once(void **state)
{
	const struct kryos_sensor_driver *driver = driver_of("mcp9808");
	void *priv = test_calloc(1, driver->private_size);
	int64_t wait_ns = 0;

	(void)state;
	assert_ok(driver->trigger(priv, NULL, &wait_ns));
	assert_true(wait_ns >= KRYOS_MILLISECONDS(250));
	assert_ok(driver->trigger(priv, NULL, &wait_ns));
	assert_int_equal(wait_ns, 0);
	test_free(priv);
}

static int (*sht4x_fetch)(void *priv, struct kryos_dev *dev, uint8_t *raw);
static bool disturbed_once;

/* When it has measured, another process asks for the serial number, as a search does, before we have read. */
static int disturb_and_fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	static const uint8_t read_serial[] = { 0x89 };
	int r = 0;

	if (!disturbed_once) {
		disturbed_once = true;
		r = kryos_dev_transfer(dev, read_serial, sizeof(read_serial), NULL, 0);
	}
	return r < 0 ? r : sht4x_fetch(priv, dev, raw);
}

static void sht4x_does_not_take_its_serial_number_for_a_measurement(void **state)
{
	static struct kryos_sensor_driver disturbed;
	struct kryos_sample samples[2];
	struct rig *rig = *state;

	disturbed = *driver_of("sht4x");
	sht4x_fetch = disturbed.fetch;
	disturbed.fetch = disturb_and_fetch;
	assert_ok(kryos_register_sensor(rig->ctx, &disturbed));
	assert_ok(kryos_fake_bus_add_sht4x(rig->bus, "0x44", NULL));
	assert_ok(kryos_sensor_open(&rig->sensor, rig->ctx, "fridge", "sht4x@i2c-1:0x44"));
	assert_int_equal(kryos_sensor_read(rig->sensor, samples, 2), 2);
	/* It was measured once more. */
	assert_int_equal(samples[0].quality, KRYOS_QUALITY_GOOD);
	assert_in_range(samples[0].value_micro, 19990000, 20010000);
	assert_int_equal(samples[1].quality, KRYOS_QUALITY_GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(chips_at_one_address_are_told_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tmp117_is_left_alone_until_its_eeprom_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tmp117_with_an_offset_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mcp9808_measures_in_sixteenths_whatever_it_was_left_at, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(mcp9808_is_not_lost_for_what_its_alert_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mcp9808_that_is_locked_says_so, set_up, tear_down),
		cmocka_unit_test(mcp9808_is_waited_for_once),
		cmocka_unit_test_setup_teardown(sht4x_does_not_take_its_serial_number_for_a_measurement, set_up,
		                                tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
