/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"

static const char *make_other(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)bus;
	assert_ok(kryos_model_poke(model, 0x0b, 0x59));
	return "0x48";
}

/* "Temperature conversion formulas", 16 bits: code / 128, less 65536 / 128 below 0 C. */
static enum kryos_quality make_up(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	unsigned int code = (unsigned int)(next_random(seed) % 65536);

	ret_raw[0] = (uint8_t)(code >> 8);
	ret_raw[1] = (uint8_t)code;
	ret_values[0] = code < 32768 ? code / 128.0 : (code - 65536.0) / 128.0;
	return KRYOS_QUALITY_GOOD;
}

/* Table 5 has 13 bits, which are the upper ones of 16: 0x1d80, 0x1e70, 0x1fff, 0, 1, 0x190, 0x690, 0x7d0, 0x960. */
static const struct known table[] = {
	{ .raw = { 0xec, 0x00 }, .value = { -40 } },     { .raw = { 0xf3, 0x80 }, .value = { -25 } },
	{ .raw = { 0xff, 0xf8 }, .value = { -0.0625 } }, { .raw = { 0x00, 0x00 }, .value = { 0 } },
	{ .raw = { 0x00, 0x08 }, .value = { 0.0625 } },  { .raw = { 0x0c, 0x80 }, .value = { 25 } },
	{ .raw = { 0x34, 0x80 }, .value = { 105 } },     { .raw = { 0x3e, 0x80 }, .value = { 125 } },
	{ .raw = { 0x4b, 0x00 }, .value = { 150 } },
};

/* least_wait_ns: a conversion of 16 bits in the mode of one shot ("One-shot mode"). */
const struct fixture adt7420_fixtures[] = {
	{ .driver = "adt7420",
	  .bus = "i2c-1",
	  .place = "0x48",
	  .other_place = "0x49",
	  .add = kryos_fake_bus_add_adt7420,
	  .low_micro = { -40000000 },
	  .high_micro = { 150000000 },
	  .tolerance_micro = { 3907 },
	  .busy = true,
	  .least_wait_ns = KRYOS_MILLISECONDS(240),
	  .make_wrong = make_other,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .make_up = make_up },
	{ 0 },
};
