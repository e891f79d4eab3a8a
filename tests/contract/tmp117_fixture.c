/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"

static const char *make_tmp116(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)bus;
	assert_ok(kryos_model_poke(model, 2 * 0x0f, 0x11));
	assert_ok(kryos_model_poke(model, 2 * 0x0f + 1, 0x16));
	return "0x48";
}

/* EEPROM1 to EEPROM3 hold what traces a chip to its maker's calibration. */
static void exchange(struct kryos_model *model, uint64_t *seed)
{
	static const unsigned int at[] = { 10, 11, 12, 13, 16, 17 };
	unsigned int i;

	for (i = 0; i < KRI_ARRAY_SIZE(at); i++)
		assert_ok(kryos_model_poke(model, at[i], (uint8_t)next_random(seed)));
}

/* SNOSD82D, 7.3.3: 16 bits, two's complement, 7.8125 mC. */
static enum kryos_quality make_up(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	double steps = (double)(next_random(seed) % 65535) - 32767.0;
	unsigned int bits = (unsigned int)(int)steps;

	ret_raw[0] = (uint8_t)(bits >> 8);
	ret_raw[1] = (uint8_t)bits;
	ret_values[0] = steps * 0.0078125;
	return KRYOS_QUALITY_GOOD;
}

/* Table 7-1. */
static const struct known table[] = {
	{ .raw = { 0x80, 0x00 }, .quality = KRYOS_QUALITY_POWER_ON },
	{ .raw = { 0xf3, 0x80 }, .value = { -25 } },
	{ .raw = { 0xff, 0xf0 }, .value = { -0.1250 } },
	{ .raw = { 0xff, 0xff }, .value = { -0.0078125 } },
	{ .raw = { 0x00, 0x00 }, .value = { 0 } },
	{ .raw = { 0x00, 0x01 }, .value = { 0.0078125 } },
	{ .raw = { 0x00, 0x10 }, .value = { 0.1250 } },
	{ .raw = { 0x00, 0x80 }, .value = { 1 } },
	{ .raw = { 0x0c, 0x80 }, .value = { 25 } },
	{ .raw = { 0x32, 0x00 }, .value = { 100 } },
	{ .raw = { 0x7f, 0xff }, .value = { 255.9921875 } },
};

/* least_wait_ns: eight conversions, at most. */
const struct fixture tmp117_fixtures[] = {
	{ .driver = "tmp117",
	  .bus = "i2c-1",
	  .place = "0x48",
	  .other_place = "0x4b",
	  .add = kryos_fake_bus_add_tmp117,
	  .low_micro = { -55000000 },
	  .high_micro = { 150000000 },
	  .tolerance_micro = { 3907 },
	  .busy = true,
	  .least_wait_ns = 8 * INT64_C(17500000),
	  .make_wrong = make_tmp116,
	  .exchange = exchange,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .make_up = make_up },
	{ 0 },
};
