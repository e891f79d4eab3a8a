/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"

/* Type T, and what the model calls it; the wire to the master is pulled low. */
static int add_type_t(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	int r = kryos_fake_bus_add_max31856(bus, place, ret_model);

	kryos_fake_bus_set_idle(bus, 0);
	return r < 0 ? r : kryos_model_set(*ret_model, "type", 7000000);
}

static const char *make_max31865(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	kryos_model_set_present(model, 0);
	assert_ok(kryos_fake_bus_add_max31865(bus, "", NULL));
	return "";
}

/* Table 3 with the junction of table 2; what stands in the bits that mean nothing is not looked at. */
#define ROW(h, m, l, t, cjh, cjl, j)                                                                                   \
	{                                                                                                              \
		.raw = { [10] = (cjh), (cjl), (h), (m), (l) }, .value = { t, j }                                       \
	}
static const struct known table[] = {
	ROW(0x64, 0x00, 0x00, 1600, 0x7f, 0xfc, 127.984375),  ROW(0x3e, 0x80, 0x00, 1000, 0x7f, 0x00, 127),
	ROW(0x06, 0x4f, 0x00, 100.9375, 0x7d, 0x00, 125),     ROW(0x01, 0x90, 0x00, 25, 0x40, 0x00, 64),
	ROW(0x00, 0x01, 0x00, 0.0625, 0x19, 0x00, 25),        ROW(0x00, 0x00, 0x1f, 0, 0x00, 0x80, 0.5),
	ROW(0xff, 0xff, 0x00, -0.0625, 0x00, 0x04, 0.015625), ROW(0xff, 0xfc, 0x00, -0.25, 0xff, 0x83, -0.5),
	ROW(0xff, 0xf0, 0x00, -1, 0xe7, 0x00, -25),           ROW(0xf0, 0x60, 0x00, -250, 0xc9, 0x00, -55),
	ROW(0x00, 0x00, 0x20, 0.0078125, 0x00, 0x00, 0),      { .raw = { 0 }, .quality = KRYOS_QUALITY_POWER_ON },
};

/* Signed steps of 2^-7 and 2^-6 C; sums of powers of two are exact. */
static enum kryos_quality make_up(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	for (int i = 10; i < 15; i++)
		ret_raw[i] = (uint8_t)next_random(seed);
	ret_values[0] = ret_values[1] = 0;
	for (int bit = 0; bit < 19; bit++)
		if (ret_raw[12 + bit / 8] >> (7 - bit % 8) & 1)
			ret_values[0] += (bit ? 2048.0 : -2048.0) / (1 << bit);
	for (int bit = 0; bit < 14; bit++)
		if (ret_raw[10 + bit / 8] >> (7 - bit % 8) & 1)
			ret_values[1] += (bit ? 128.0 : -128.0) / (1 << bit);
	/* Faults that spoil both channels, in some cases. */
	if (next_random(seed) % 4 == 0) {
		static const uint8_t junction[] = { 0x80, 0x20, 0x10 };

		if (next_random(seed) % 2) {
			ret_raw[15] = 0x02;
			return KRYOS_QUALITY_SHORT;
		}
		ret_raw[15] = junction[next_random(seed) % 3];
		return KRYOS_QUALITY_RANGE;
	}
	return KRYOS_QUALITY_GOOD;
}

/* least_wait_ns: one shot, at most, with the test for an open circuit (table 4), and for each sample more one period.
 */
const struct fixture max31856_fixtures[] = {
	{ .driver = "max31856",
	  .bus = "spi-0.0",
	  .place = "",
	  .other_bus = "spi-0.1",
	  .add = kryos_fake_bus_add_max31856,
	  .low_micro = { -200000000, -55000000 },
	  .high_micro = { 1372000000, 125000000 },
	  .tolerance_micro = { 3907, 7813 },
	  .silent = true,
	  .busy = true,
	  .least_wait_ns = KRYOS_MILLISECONDS(185 + 15),
	  .make_wrong = make_max31865,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .make_up = make_up },
	{ .driver = "max31856",
	  .bus = "spi-0.0",
	  .place = "",
	  .options = "type=t average=16 filter=60 source=40k_filter",
	  .other_bus = "spi-1.0",
	  .add = add_type_t,
	  .low_micro = { -200000000, -55000000 },
	  .high_micro = { 400000000, 125000000 },
	  .tolerance_micro = { 3907, 7813 },
	  .silent = true,
	  .busy = true,
	  .least_wait_ns = KRYOS_MILLISECONDS(155 + 15 * 100 / 3 + 125),
	  .make_wrong = make_max31865,
	  .make_up = make_up },
	{ 0 },
};
