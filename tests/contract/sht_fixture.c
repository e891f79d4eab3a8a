/* SPDX-License-Identifier: Apache-2.0 */
/* SHT3x, STS3x and SHT4x: their formulas, and that one is not taken for the other. */
#include "sensor_contract.h"

/* The other of the two at another address: what is at one was added as the first. */
static const char *make_sht4x(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)model;
	assert_ok(kryos_fake_bus_add_sht4x(bus, "0x45", NULL));
	return "0x45";
}

static const char *make_sht3x(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)model;
	assert_ok(kryos_fake_bus_add_sht3x(bus, "0x45", NULL));
	return "0x45";
}

static void exchange(struct kryos_model *model, uint64_t *seed)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		assert_ok(kryos_model_poke(model, i, (uint8_t)(1 + next_random(seed) % 255)));
}

/* From what single bits leave when divided by x^8 + x^5 + x^4 + 1. */
static uint8_t checksum(unsigned int word)
{
	static const uint8_t of_bit[8] = { 0x31, 0x62, 0xc4, 0xb9, 0x43, 0x86, 0x3d, 0x7a };
	uint8_t crc = 0xff, next;
	int shift, bit;

	for (shift = 8; shift >= 0; shift -= 8) {
		crc = (uint8_t)(crc ^ (word >> shift & 0xff));
		next = 0;
		for (bit = 0; bit < 8; bit++)
			if (crc >> bit & 1)
				next ^= of_bit[bit];
		crc = next;
	}
	return crc;
}

/* Words, which one time in eight are spoilt in one bit. */
static enum kryos_quality make_up_words(uint64_t *seed, uint8_t *ret_raw, unsigned int *ret_words, unsigned int count)
{
	unsigned int i, bit;

	for (i = 0; i < count; i++) {
		ret_words[i] = (unsigned int)(next_random(seed) % 65536);
		ret_raw[3 * i] = (uint8_t)(ret_words[i] >> 8);
		ret_raw[3 * i + 1] = (uint8_t)ret_words[i];
		ret_raw[3 * i + 2] = checksum(ret_words[i]);
	}
	if (next_random(seed) % 8)
		return KRYOS_QUALITY_GOOD;
	bit = (unsigned int)(next_random(seed) % (24 * count));
	ret_raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
	return KRYOS_QUALITY_CRC;
}

static enum kryos_quality make_up_sts3x(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	unsigned int word;
	enum kryos_quality quality = make_up_words(seed, ret_raw, &word, 1);

	ret_values[0] = -45.0 + 175.0 * word / 65535.0;
	return quality;
}

static enum kryos_quality make_up_sht3x(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	unsigned int words[2];
	enum kryos_quality quality = make_up_words(seed, ret_raw, words, 2);

	ret_values[0] = -45.0 + 175.0 * words[0] / 65535.0;
	ret_values[1] = 100.0 * words[1] / 65535.0;
	return quality;
}

static enum kryos_quality make_up_sht4x(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	unsigned int words[2];
	enum kryos_quality quality = make_up_words(seed, ret_raw, words, 2);

	ret_values[0] = -45.0 + 175.0 * words[0] / 65535.0;
	ret_values[1] = -6.0 + 125.0 * words[1] / 65535.0;
	if (ret_values[1] < 0)
		ret_values[1] = 0;
	if (ret_values[1] > 100.0)
		ret_values[1] = 100.0;
	return quality;
}

/* The checksum's example (SHT3x-DIS, table 20), and both ends of the formulas. */
static const struct known sht3x_table[] = {
	{ .raw = { 0xbe, 0xef, 0x92, 0xbe, 0xef, 0x92 },
	  .value = { -45.0 + 175.0 * 48879.0 / 65535.0, 100.0 * 48879.0 / 65535.0 } },
	{ .raw = { 0x00, 0x00, 0x81, 0xff, 0xff, 0xac }, .value = { -45.0, 100.0 } },
	{ .raw = { 0xff, 0xff, 0xac, 0x00, 0x00, 0x81 }, .value = { 130.0, 0.0 } },
	{ .raw = { 0 }, .quality = KRYOS_QUALITY_CRC },
};
static const struct known sht4x_table[] = {
	{ .raw = { 0xbe, 0xef, 0x92, 0xbe, 0xef, 0x92 },
	  .value = { -45.0 + 175.0 * 48879.0 / 65535.0, -6.0 + 125.0 * 48879.0 / 65535.0 } },
	{ .raw = { 0x00, 0x00, 0x81, 0xff, 0xff, 0xac }, .value = { -45.0, 100.0 } },
	{ .raw = { 0xff, 0xff, 0xac, 0x00, 0x00, 0x81 }, .value = { 130.0, 0.0 } },
	{ .raw = { 0 }, .quality = KRYOS_QUALITY_CRC },
};

/* least_wait_ns: high repeatability, at most. */
const struct fixture sht_fixtures[] = {
	{ .driver = "sht3x",
	  .bus = "i2c-1",
	  .place = "0x44",
	  .other_place = "0x45",
	  .add = kryos_fake_bus_add_sht3x,
	  .low_micro = { -39990000, 0 },
	  .high_micro = { 124990000, 100000000 },
	  .tolerance_micro = { 1400, 800 },
	  .busy = true,
	  .least_wait_ns = INT64_C(15500000),
	  .make_wrong = make_sht4x,
	  .table = sht3x_table,
	  .table_count = KRI_ARRAY_SIZE(sht3x_table),
	  .make_up = make_up_sht3x },
	{ .driver = "sts3x",
	  .bus = "i2c-1",
	  .place = "0x4a",
	  .other_place = "0x4b",
	  .add = kryos_fake_bus_add_sts3x,
	  .low_micro = { -39990000 },
	  .high_micro = { 124990000 },
	  .tolerance_micro = { 1400 },
	  .busy = true,
	  .least_wait_ns = INT64_C(15500000),
	  .make_wrong = make_sht4x,
	  .table = sht3x_table,
	  .table_count = KRI_ARRAY_SIZE(sht3x_table),
	  .make_up = make_up_sts3x },
	{ .driver = "sht4x",
	  .bus = "i2c-1",
	  .place = "0x44",
	  .other_place = "0x46",
	  .add = kryos_fake_bus_add_sht4x,
	  .low_micro = { -39990000, 0 },
	  .high_micro = { 124990000, 100000000 },
	  .tolerance_micro = { 1400, 1000 },
	  .busy = true,
	  .least_wait_ns = INT64_C(8300000),
	  .make_wrong = make_sht3x,
	  .exchange = exchange,
	  .table = sht4x_table,
	  .table_count = KRI_ARRAY_SIZE(sht4x_table),
	  .make_up = make_up_sht4x },
	{ 0 },
};
