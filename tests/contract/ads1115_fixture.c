/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"
#include <math.h>

/* What a TMP117 holds in the registers of an ADS1115's limits: one at 0x48 is a likely mistake. */
static const char *make_tmp117(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)bus;
	assert_ok(kryos_model_poke(model, 4, 0x60));
	assert_ok(kryos_model_poke(model, 5, 0x00));
	assert_ok(kryos_model_poke(model, 6, 0x80));
	assert_ok(kryos_model_poke(model, 7, 0x00));
	return "0x48";
}

/* Settings and result of AIN0 and AIN3, the same in both. */
#define BOTH(high, low)                                                                                                \
	{                                                                                                              \
		0xc5, 0x83, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0xf5, 0x83, high, low                                   \
	}

/* "Input Signal Versus Ideal Output Code", in the range of 2.048 V. Full scale may be more. */
static const struct known table[] = {
	{ .raw = BOTH(0x7f, 0xff), .quality = KRYOS_QUALITY_RANGE },
	{ .raw = BOTH(0x00, 0x01), .value = { 2.048 / 32768, 2.048 / 32768 } },
	{ .raw = BOTH(0x00, 0x00), .value = { 0, 0 } },
	{ .raw = BOTH(0xff, 0xff), .value = { -2.048 / 32768, -2.048 / 32768 } },
	{ .raw = BOTH(0x80, 0x00), .value = { -2.048, -2.048 } },
};

/* Any result in any range. */
static enum kryos_quality make_up_voltage(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	static const double full_scale[8] = { 6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256 };
	unsigned int channel, range, code;

	for (channel = 0; channel < 2; channel++) {
		uint8_t *at = ret_raw + (channel ? 12 : 0);

		range = (unsigned int)(next_random(seed) % 8);
		code = (unsigned int)(next_random(seed) % 65535);
		code += code >= 0x7fff; /* which says nothing */
		at[0] = (uint8_t)((channel ? 0x71 : 0x41) | range << 1);
		at[1] = 0x83;
		at[2] = (uint8_t)(code >> 8);
		at[3] = (uint8_t)code;
		ret_values[channel] = full_scale[range] * (code < 32768 ? code : code - 65536.0) / 32768;
	}
	return KRYOS_QUALITY_GOOD;
}

/* An NTC of 10 kOhm, B 3977 K, below 10 kOhm at 3.3 V, by Ohm's law, in the range of 4.096 V, in which an
 * input takes as much as 6 and 15 MOhm. */
static enum kryos_quality make_up_ntc(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	int code = 1000 + (int)(next_random(seed) % 25000);
	double volts = code * 4.096 / 32768, ohm = volts / ((3.3 - volts) / 10000);

	ret_raw[0] = 0xc3;
	ret_raw[1] = 0x83;
	ret_raw[2] = (uint8_t)(code >> 8);
	ret_raw[3] = (uint8_t)code;
	ohm = 1 / (1 / ohm - 1 / 6e6 - 1 / 15e6);
	ret_values[0] = 3977 / (log(ohm / 10000) + 3977 / 298.15) - 273.15;
	return ret_values[0] < 0 || ret_values[0] > 50 ? KRYOS_QUALITY_EXTRAPOLATED : KRYOS_QUALITY_GOOD;
}

/* 128 samples a second, and 10 % less than was set ("Data rate variation"). */
#define SLOWEST_NS (INT64_C(1000000000) * 10 / (128 * 9))

const struct fixture ads1115_fixtures[] = {
	{ .driver = "ads1115",
	  .bus = "i2c-1",
	  .place = "0x48",
	  .options = "input3=voltage",
	  .other_place = "0x4b",
	  .add = kryos_fake_bus_add_ads1115,
	  .low_micro = { 0, 0 },
	  .high_micro = { 5500000, 5500000 },
	  .tolerance_micro = { 95, 95 },
	  .busy = true,
	  .least_wait_ns = SLOWEST_NS,
	  .make_wrong = make_tmp117,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .make_up = make_up_voltage },
	{ .driver = "ads1115",
	  .bus = "i2c-1",
	  .place = "0x48",
	  .options = "input0=ntc series=10000 supply=3.3 r25=10000 beta=3977",
	  .other_place = "0x49",
	  .add = kryos_fake_bus_add_ads1115,
	  .low_micro = { 100000 },
	  .high_micro = { 49900000 },
	  .tolerance_micro = { 60000 },
	  .busy = true,
	  .least_wait_ns = SLOWEST_NS,
	  .make_wrong = make_tmp117,
	  .make_up = make_up_ntc },
	{ 0 },
};
