/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maxim DS18B20 temperature sensor and its clones, by its scratchpad (data sheet 19-7487, figure 9):
 *
 *     0 1   temperature, sixteenths of a degree, little-endian
 *     2 3   T_H, T_L: alarm limits or user bytes
 *     4     configuration: 0 R1 R0 1 1 1 1 1
 *     5-7   reserved
 *     8     CRC of the above
 *
 * The kernel converts when the scratchpad is asked for; a trigger says only that it will be.
 */
#include "core/core.h"
#include <kryos/sys/sensor.h>
#include <string.h>

enum { CONFIGURATION = 4, RESERVED = 6, CRC = 8, SCRATCHPAD = 9 };

/* 85 C, the register's value after power-on; and what it reads when the supply broke down while converting. */
#define POWER_ON_RAW 0x0550
#define WEAK_SUPPLY_RAW 0x07ff

/* A chip fallen out of warm water into ice water moves at about this rate; no fridge does. */
#define MAX_RATE_MICRO INT64_C(30000000)

/* A shorted data line reads all zero, and the CRC of zeros is zero: without this it would be a valid 0.0 C. */
static bool is_blank(const uint8_t *scratchpad)
{
	static const uint8_t blank[SCRATCHPAD];

	return memcmp(scratchpad, blank, SCRATCHPAD) == 0;
}

static int read_checked(struct kryos_dev *dev, uint8_t *scratchpad)
{
	int r = kryos_dev_read_scratchpad(dev, scratchpad);

	if (r < 0)
		return r;
	if (is_blank(scratchpad))
		return kryos_fail(KRYOS_ECRC, "%s: the scratchpad is all zero: is the data wire shorted to ground?",
		                  kryos_dev_name(dev));
	if (kryos_crc8_maxim(scratchpad, CRC) != scratchpad[CRC])
		return kryos_fail(KRYOS_ECRC, "%s: the scratchpad's checksum is 0x%02x, its bytes give 0x%02x",
		                  kryos_dev_name(dev), scratchpad[CRC], kryos_crc8_maxim(scratchpad, CRC));
	return 0;
}

/* The family code is the first byte of the ROM; other thermometers scale their scratchpads in other ways. */
static int probe(void *priv, struct kryos_dev *dev)
{
	static const struct {
		const char *family, *title;
	} others[] = { { "10-", "a DS18S20" }, { "22-", "a DS1822" }, { "3b-", "a DS1825" }, { "42-", "a DS28EA00" } };
	const char *place = kryos_dev_address(dev)->text, *title = "no thermometer this driver knows";
	uint8_t scratchpad[SCRATCHPAD];
	size_t i;

	(void)priv;
	if (strncmp(place, "28-", 3) == 0)
		return read_checked(dev, scratchpad);
	for (i = 0; i < KRI_ARRAY_SIZE(others); i++)
		if (strncmp(place, others[i].family, 3) == 0)
			title = others[i].title;
	return kryos_fail(KRYOS_ECHIP, "%s: family 0x%.2s is %s; a DS18B20 has family 0x28", kryos_dev_name(dev), place,
	                  title);
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	(void)priv;
	kryos_dev_begin_scratchpad(dev);
	*ret_wait_ns = 0;
	return 0;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	(void)priv;
	return read_checked(dev, raw);
}

/*
 * Bits below the resolution are undefined (table 2). A configuration byte that no DS18B20 can hold is a clone's, and
 * those convert at 12 bits whatever it says.
 */
static int mask_undefined(int raw, uint8_t configuration)
{
	if ((configuration & 0x9f) != 0x1f)
		return raw;
	return raw & ~(7 >> (configuration >> 5 & 3));
}

/*
 * 85.000 C is what the register holds when no conversion took place. Genuine chips tell it from a measured one by
 * the byte the data sheet calls reserved: 0x0C from power-on, and 16 minus the sixteenths (so 0x10 at 85.000) after
 * a conversion. Clones that keep 0x0C, or anything else, give no such proof. Where vaccines are kept, a chip that
 * lost its supply is far likelier than exactly 85.000 C, so 85.000 is believed with the proof only.
 */
static bool is_power_on_value(int masked, const uint8_t *scratchpad)
{
	return masked == POWER_ON_RAW && scratchpad[RESERVED] != 0x10;
}

static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	int sixteenths = (int16_t)(raw[0] | raw[1] << 8), masked = mask_undefined(sixteenths, raw[CONFIGURATION]);
	enum kryos_quality quality = KRYOS_QUALITY_GOOD;

	(void)priv;
	if (is_blank(raw) || kryos_crc8_maxim(raw, CRC) != raw[CRC]) {
		*ret_readings = (struct kryos_reading){ .quality = KRYOS_QUALITY_CRC };
		return;
	}
	if (is_power_on_value(masked, raw))
		quality = KRYOS_QUALITY_POWER_ON;
	else if (sixteenths == WEAK_SUPPLY_RAW)
		quality = KRYOS_QUALITY_RANGE;
	*ret_readings = (struct kryos_reading){ .value_micro = masked * INT64_C(62500), .quality = quality };
}

static const struct kryos_channel_info channels[] = {
	{ .quantity = "temperature",
	  .unit = "Cel",
	  .min_micro = INT64_C(-55000000),
	  .max_micro = INT64_C(125000000),
	  .max_rate_micro = MAX_RATE_MICRO,
	  .resolution_micro = 62500,
	  .accuracy = "0.5 C, -10 to 85 C; 2 C, -55 to 125 C" },
};

const struct kryos_sensor_driver kri_sensor_ds18b20 = {
	.size = sizeof(kri_sensor_ds18b20),
	.name = "ds18b20",
	.title = "Maxim DS18B20",
	.bus = "w1",
	.channels = channels,
	.channel_count = KRI_ARRAY_SIZE(channels),
	.raw_size = SCRATCHPAD,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.datasheet = "Maxim 19-7487",
	.suits = "vaccine fridge logger (0.5 C class) without any margin: calibrate it",
	.conversion_ns = KRYOS_MILLISECONDS(750),
};
