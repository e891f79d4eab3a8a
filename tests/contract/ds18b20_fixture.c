/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"
#include <math.h>

static const char *make_ds18s20(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)model;
	assert_ok(kryos_fake_bus_add_ds18b20(bus, "10-000802b4c0d1", NULL));
	return "10-000802b4c0d1";
}

/* Maxim's CRC-8 as its data sheet draws it: a shift register with x^8 + x^5 + x^4 + 1, the lowest bit first. */
static uint8_t checksum(const uint8_t *bytes, size_t count)
{
	unsigned int shift = 0;

	for (size_t i = 0; i < count * 8; i++) {
		unsigned int in = (bytes[i / 8] >> i % 8 ^ shift) & 1;

		shift = shift >> 1 ^ (in ? 0x8c : 0);
	}
	return (uint8_t)shift;
}

/*
 * 85 C is believed where byte 6 says that the register is 85.0000 by a conversion (16 minus its sixteenths), not with
 * bits set that the resolution leaves undefined; 0x07ff is what a chip gives whose supply broke down.
 */
static enum kryos_quality quality_of(int raw, double celsius)
{
	if (raw == 0x07ff)
		return KRYOS_QUALITY_RANGE;
	return celsius == 85.0 && raw != 0x0550 ? KRYOS_QUALITY_POWER_ON : KRYOS_QUALITY_GOOD;
}

/* Every register value at every resolution: value = floor to the resolution, sixteenths, two's complement. */
static void compare_ds18b20(const struct fixture *fixture, uint64_t *seed)
{
	const struct kryos_sensor_driver *driver = driver_of(fixture->driver);
	struct kryos_reading reading;
	uint8_t scratchpad[9];
	int raw, bits;

	for (raw = -32768; raw < 32768; raw++) {
		for (bits = 9; bits <= 12; bits++) {
			double step = 0.0625 * (1 << (12 - bits)), expected = floor(raw * 0.0625 / step) * step;

			scratchpad[0] = (uint8_t)(raw & 0xff);
			scratchpad[1] = (uint8_t)(raw >> 8 & 0xff);
			scratchpad[2] = (uint8_t)next_random(seed);
			scratchpad[3] = (uint8_t)next_random(seed);
			scratchpad[4] = (uint8_t)(0x1f | (bits - 9) << 5);
			scratchpad[5] = 0xff;
			scratchpad[6] = (uint8_t)(16 - (raw & 15));
			scratchpad[7] = 0x10;
			scratchpad[8] = checksum(scratchpad, 8);
			driver->decode(NULL, scratchpad, &reading);
			if (reading.quality != quality_of(raw, expected) ||
			    (double)reading.value_micro != expected * 1e6)
				fail_msg("%d at %d bits is %lld, %s", raw, bits, (long long)reading.value_micro,
				         kryos_quality_name(reading.quality));
		}
	}
}

/* Table 1, temperature and data, with the byte 6 that a conversion leaves and the checksum of the whole. */
static const struct known table[] = {
	{ .raw = { 0xd0, 0x07, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10, 0x55 }, .value = { 125.0 } },
	{ .raw = { 0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10, 0xbd }, .value = { 85.0 } },
	{ .raw = { 0x91, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0f, 0x10, 0x25 }, .value = { 25.0625 } },
	{ .raw = { 0xa2, 0x00, 0x4b, 0x46, 0x7f, 0xff, 0x0e, 0x10, 0xe5 }, .value = { 10.125 } },
	{ .raw = { 0x08, 0x00, 0x4b, 0x46, 0x7f, 0xff, 0x08, 0x10, 0xd9 }, .value = { 0.5 } },
	{ .raw = { 0x00, 0x00, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10, 0x69 }, .value = { 0.0 } },
	{ .raw = { 0xf8, 0xff, 0x4b, 0x46, 0x7f, 0xff, 0x08, 0x10, 0xf8 }, .value = { -0.5 } },
	{ .raw = { 0x5e, 0xff, 0x4b, 0x46, 0x7f, 0xff, 0x02, 0x10, 0xb6 }, .value = { -10.125 } },
	{ .raw = { 0x6f, 0xfe, 0x4b, 0x46, 0x7f, 0xff, 0x01, 0x10, 0x61 }, .value = { -25.0625 } },
	{ .raw = { 0x90, 0xfc, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10, 0xee }, .value = { -55.0 } },
	/* After power-on. */
	{ .raw = { 0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10, 0x1c }, .quality = KRYOS_QUALITY_POWER_ON },
};

const struct fixture ds18b20_fixtures[] = {
	{ .driver = "ds18b20",
	  .bus = "w1",
	  .place = "28-0316a2795bff",
	  .other_place = "28-0416a1b2c3d4",
	  .add = kryos_fake_bus_add_ds18b20,
	  .low_micro = { -55000000 },
	  .high_micro = { 125000000 },
	  .tolerance_micro = { 31250 },
	  .make_wrong = make_ds18s20,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .compare = compare_ds18b20 },
	{ 0 },
};
