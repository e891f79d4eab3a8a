/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"

/* An INA230 has the same registers, but none that names the manufacturer. */
static const char *make_ina230(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)bus;
	assert_ok(kryos_model_poke(model, 2 * 0xfe, 0));
	assert_ok(kryos_model_poke(model, 2 * 0xfe + 1, 0));
	return "0x40";
}

/*
 * The data sheet's example of a measurement, 20 mV over the shunt on 11.98 V, whose registers are 1F40h and 2570h,
 * here with a shunt of 0.1 Ohm; then the ends of the shunt's range, and 36 V.
 */
static const struct known table[] = {
	{ .raw = { 0x1f, 0x40, 0x25, 0x70 }, .value = { 11.98, 0.2 } },
	{ .raw = { 0xe0, 0xc0, 0x00, 0x00 }, .value = { 0, -0.2 } },
	{ .raw = { 0x7f, 0xfe, 0x70, 0x80 }, .value = { 36, 0.81915 } },
	{ .raw = { 0x80, 0x01, 0x00, 0x01 }, .value = { 0.00125, -0.819175 } },
};

static enum kryos_quality make_up(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	int shunt = (int)(next_random(seed) % 65533) - 32766, bus = (int)(next_random(seed) % 32768);

	ret_raw[0] = (uint8_t)((unsigned int)shunt >> 8);
	ret_raw[1] = (uint8_t)shunt;
	ret_raw[2] = (uint8_t)(bus >> 8);
	ret_raw[3] = (uint8_t)bus;
	ret_values[0] = bus * 1.25e-3;
	ret_values[1] = shunt * 2.5e-6 / 0.1;
	return KRYOS_QUALITY_GOOD;
}

/* Sixteen times both voltages, each 1.21 ms at most. */
#define LONGEST_NS (16 * 2 * INT64_C(1210000))

const struct fixture ina226_fixtures[] = {
	{ .driver = "ina226",
	  .bus = "i2c-1",
	  .place = "0x40",
	  .options = "shunt=0.1",
	  .other_place = "0x4f",
	  .add = kryos_fake_bus_add_ina226,
	  .low_micro = { 0, -819000 },
	  .high_micro = { 36000000, 819000 },
	  .tolerance_micro = { 625, 13 },
	  .busy = true,
	  .least_wait_ns = LONGEST_NS,
	  .make_wrong = make_ina230,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .make_up = make_up },
	{ 0 },
};
