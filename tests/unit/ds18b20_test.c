/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/sensor.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <string.h>

extern const struct kryos_sensor_driver kri_sensor_ds18b20;

#define PLACE "28-0316a2795bff"

struct rig {
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	struct kryos_model *model;
	struct kryos_sensor *probe;
};

static int setup(void **state)
{
	struct rig *rig = test_calloc(1, sizeof(*rig));

	assert_ok(kryos_fake_clock_new(&rig->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_fake_bus_new(&rig->bus, "w1"));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	assert_ok(kryos_fake_bus_add_ds18b20(rig->bus, PLACE, &rig->model));
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	kryos_ctx_free(rig->ctx);
	kryos_fake_bus_free(rig->bus);
	kryos_fake_clock_free(rig->clock);
	test_free(rig);
	return 0;
}

static struct kryos_reading decoded(const uint8_t scratchpad[9])
{
	struct kryos_reading reading = { .value_micro = 1, .quality = KRYOS_QUALITY_CHIP };

	kri_sensor_ds18b20.decode(NULL, scratchpad, &reading);
	return reading;
}

/* A scratchpad as a chip at 12 bits would send it; the CRC is the library's, checked against published ones below. */
static struct kryos_reading decoded_raw(uint16_t raw, uint8_t configuration, uint8_t reserved)
{
	uint8_t scratchpad[9] = { (uint8_t)raw, (uint8_t)(raw >> 8), 0x4b, 0x46, configuration, 0xff, reserved, 0x10 };

	scratchpad[8] = kryos_crc8_maxim(scratchpad, 8);
	return decoded(scratchpad);
}

static void ds18b20_decodes_published_scratchpads(void **state)
{
	static const uint8_t power_on[] = { 0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10, 0x1c };
	static const uint8_t at_23_125[] = { 0x72, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0e, 0x10, 0x57 };
	static const uint8_t rom[] = { 0x02, 0x1c, 0xb8, 0x01, 0x00, 0x00, 0x00 };
	uint8_t wrong[9];
	int bit;

	(void)state;
	assert_int_equal(kryos_crc8_maxim(rom, sizeof(rom)), 0xa2); /* Maxim application note 27 */
	assert_int_equal(decoded(power_on).quality, KRYOS_QUALITY_POWER_ON);
	assert_int_equal(decoded(power_on).value_micro, 85000000);
	assert_int_equal(decoded(at_23_125).quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(decoded(at_23_125).value_micro, 23125000);
	for (bit = 0; bit < 72; bit++) {
		memcpy(wrong, at_23_125, 9);
		wrong[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(decoded(wrong).quality, KRYOS_QUALITY_CRC);
		assert_int_equal(decoded(wrong).value_micro, 0);
	}
}

static void ds18b20_decodes_the_data_sheets_table(void **state)
{
	static const struct {
		uint16_t raw;
		int64_t micro;
	} table[] = { { 0x07d0, 125000000 }, { 0x0191, 25062500 }, { 0x00a2, 10125000 },  { 0x0008, 500000 },
		      { 0x0000, 0 },         { 0xfff8, -500000 },  { 0xff5e, -10125000 }, { 0xfe6f, -25062500 },
		      { 0xfc90, -55000000 }, { 0x0001, 62500 } };
	size_t i;

	(void)state;
	for (i = 0; i < KRI_ARRAY_SIZE(table); i++) {
		struct kryos_reading reading = decoded_raw(table[i].raw, 0x7f, (uint8_t)(16 - (table[i].raw & 15)));

		assert_int_equal(reading.quality, KRYOS_QUALITY_GOOD);
		assert_int_equal(reading.value_micro, table[i].micro);
	}
}

static void ds18b20_flags_85_degrees_as_power_on(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;

	(void)state;
	assert_int_equal(decoded_raw(0x0550, 0x7f, 0x0c).quality, KRYOS_QUALITY_POWER_ON);
	assert_int_equal(decoded_raw(0x0550, 0x7f, 0xff).quality, KRYOS_QUALITY_POWER_ON); /* a clone: no proof */
	assert_int_equal(decoded_raw(0x0557, 0x1f, 0x0c).quality, KRYOS_QUALITY_POWER_ON); /* 9 bits */
	assert_int_equal(decoded_raw(0x0550, 0x7f, 0x10).quality, KRYOS_QUALITY_GOOD);     /* measured */
	assert_int_equal(decoded_raw(0x0551, 0x7f, 0x0c).quality, KRYOS_QUALITY_GOOD);
	/* 0x0C is also what a conversion leaves where the sixteenths are 4. */
	assert_int_equal(decoded_raw(0x0054, 0x7f, 0x0c).quality, KRYOS_QUALITY_GOOD);

	assert_ok(kryos_sensor_open(&rig->probe, rig->ctx, "fridge", "ds18b20@w1:" PLACE));
	assert_ok(kryos_model_set(rig->model, "temperature", 85000000));
	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	kryos_model_reset(rig->model); /* the supply breaks down during the conversion */
	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_POWER_ON);
	assert_int_equal(sample.value_micro, 85000000);
}

static void ds18b20_flags_an_insufficient_supply(void **state)
{
	(void)state;
	assert_int_equal(decoded_raw(0x07ff, 0x7f, 0x0c).quality, KRYOS_QUALITY_RANGE);
	assert_int_equal(decoded_raw(0x07ff, 0x1f, 0x01).quality, KRYOS_QUALITY_RANGE);
	assert_true(decoded_raw(0x07ff, 0x7f, 0x01).value_micro == 127937500);
}

static void ds18b20_never_reports_zero_for_a_shorted_line(void **state)
{
	static const uint8_t zero[9];
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_int_equal(decoded(zero).quality, KRYOS_QUALITY_CRC);
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_ZERO, 0, -1);
	assert_fails(KRYOS_ECRC, kryos_sensor_open(&rig->probe, rig->ctx, "fridge", "ds18b20@w1:" PLACE));
	assert_says(KRYOS_ECRC, "all zero: is the data wire shorted to ground?");
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_NONE, 0, 0);
	assert_ok(kryos_model_set(rig->model, "temperature", 0));
	assert_ok(kryos_sensor_open(&rig->probe, rig->ctx, "fridge", "ds18b20@w1:" PLACE));
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD); /* a real 0.0 C */
	assert_int_equal(sample.value_micro, 0);
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_ZERO, 0, -1);
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_CRC);
}

static void ds18b20_masks_bits_below_its_resolution(void **state)
{
	static const struct {
		uint8_t configuration;
		int64_t micro;
	} cases[] = { { 0x1f, 4500000 }, { 0x3f, 4750000 }, { 0x5f, 4875000 }, { 0x7f, 4937500 },
		      { 0xff, 4937500 }, { 0x00, 4937500 } /* no DS18B20 has these: clones fixed at 12 bits */ };
	struct rig *rig = *state;
	struct kryos_sample sample;
	size_t i;

	for (i = 0; i < KRI_ARRAY_SIZE(cases); i++)
		assert_int_equal(decoded_raw(0x004f, cases[i].configuration, 1).value_micro, cases[i].micro);
	assert_int_equal(decoded_raw(0xfff7, 0x1f, 1).value_micro, -1000000);
	assert_ok(kryos_model_poke(rig->model, 4, 0x1f));
	assert_ok(kryos_model_set(rig->model, "temperature", -12500000));
	assert_ok(kryos_sensor_open(&rig->probe, rig->ctx, "fridge", "ds18b20@w1:any"));
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.value_micro, -12500000);
}

static void ds18b20_refuses_other_families_and_names_them(void **state)
{
	static const char *const devices[] = { "ds18b20@w1:10-000000000001", "ds18b20@w1:22-000000000001",
		                               "ds18b20@w1:3b-000000000001", "ds18b20@w1:42-000000000001",
		                               "ds18b20@w1:01-000000000001" };
	static const char *const says[] = { "DS18S20", "DS1822", "DS1825", "DS28EA00", "no thermometer" };
	struct rig *rig = *state;
	size_t i;

	for (i = 0; i < KRI_ARRAY_SIZE(devices); i++) {
		assert_ok(kryos_fake_bus_add_ds18b20(rig->bus, strchr(devices[i], ':') + 1, NULL));
		assert_fails(KRYOS_ECHIP, kryos_sensor_open(&rig->probe, rig->ctx, "fridge", devices[i]));
		assert_says(KRYOS_ECHIP, says[i]);
		assert_says(KRYOS_ECHIP, "family 0x28");
	}
}

static void ds18b20_tells_unplugged_from_bad_checksum(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample sample;

	assert_ok(kryos_sensor_open(&rig->probe, rig->ctx, "fridge", "ds18b20@w1:" PLACE));
	kryos_model_set_present(rig->model, 0);
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_ABSENT);
	kryos_model_set_present(rig->model, 1);
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1)); /* found again */
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_FLIP, 0, 1); /* once: asked for again */
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_FLIP, 0, -1);
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_CRC);
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_EMPTY, 0, -1);
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_BUS);
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_NONE, 0, 0);
	assert_ok(kryos_sensor_read(rig->probe, &sample, 1));
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ds18b20_decodes_published_scratchpads),
		cmocka_unit_test(ds18b20_decodes_the_data_sheets_table),
		cmocka_unit_test_setup_teardown(ds18b20_flags_85_degrees_as_power_on, setup, teardown),
		cmocka_unit_test(ds18b20_flags_an_insufficient_supply),
		cmocka_unit_test_setup_teardown(ds18b20_never_reports_zero_for_a_shorted_line, setup, teardown),
		cmocka_unit_test_setup_teardown(ds18b20_masks_bits_below_its_resolution, setup, teardown),
		cmocka_unit_test_setup_teardown(ds18b20_refuses_other_families_and_names_them, setup, teardown),
		cmocka_unit_test_setup_teardown(ds18b20_tells_unplugged_from_bad_checksum, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
