/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"

static const char *make_mcp9804(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)bus;
	assert_ok(kryos_model_poke(model, 2 * 7, 0x02));
	return "0x18";
}

/* DS25095A, 5.1.3: three alert bits, a sign, 12 bits; below 0 C it is 256 less. */
static enum kryos_quality make_up(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	unsigned int bits = (unsigned int)(next_random(seed) % 65536);

	ret_raw[0] = (uint8_t)(bits >> 8);
	ret_raw[1] = (uint8_t)bits;
	ret_values[0] = (bits & 0x0fff) / 16.0 - (bits & 0x1000 ? 256.0 : 0.0);
	return KRYOS_QUALITY_GOOD;
}

/* The first is what figure 5-5 reads; the others are by the weights of register 5-4, each with its alert bits. */
static const struct known table[] = {
	{ .raw = { 0xc1, 0x94 }, .value = { 25.25 } },   { .raw = { 0x00, 0x00 }, .value = { 0 } },
	{ .raw = { 0x3f, 0xff }, .value = { -0.0625 } }, { .raw = { 0x3f, 0xf8 }, .value = { -0.5 } },
	{ .raw = { 0xc0, 0x80 }, .value = { 8 } },       { .raw = { 0xc7, 0xd0 }, .value = { 125 } },
	{ .raw = { 0x3d, 0x80 }, .value = { -40 } },     { .raw = { 0x1e, 0x70 }, .value = { -25 } },
};

/* least_wait_ns: the first conversion at 0.0625 C. */
const struct fixture mcp9808_fixtures[] = {
	{ .driver = "mcp9808",
	  .bus = "i2c-1",
	  .place = "0x18",
	  .other_place = "0x1f",
	  .add = kryos_fake_bus_add_mcp9808,
	  .low_micro = { -40000000 },
	  .high_micro = { 125000000 },
	  .tolerance_micro = { 31250 },
	  .least_wait_ns = KRYOS_MILLISECONDS(250),
	  .make_wrong = make_mcp9804,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .make_up = make_up },
	{ 0 },
};
