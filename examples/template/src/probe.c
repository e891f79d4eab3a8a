/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TMP117 (Texas Instruments SNOSD82D) potted in a vial. The chip measures from -55 to 150 C as fast as it likes; in
 * the vial nothing but -30 to 60 C is true, and nothing that changes faster than half a degree in a second.
 */
#include "probe.h"
#include <errno.h>
#include <string.h>

enum { REG_TEMPERATURE = 0x00, REG_CONFIGURATION = 0x01, REG_ID = 0x0f };

/* Bits of the configuration register, 7.6. */
#define DATA_READY 0x2000
#define ONE_SHOT 0x0c00 /* when it is done the chip falls back to shutdown */
#define SETTINGS 0x02a0 /* eight conversions; the unused cycle time is 5, not the factory's 4: a reset shows */
#define SETTINGS_MASK 0x03e0
#define MEASURE_NS KRYOS_MILLISECONDS(140) /* eight of 17.5 ms at most, 6.5 */

static int get(struct kryos_dev *dev, uint8_t reg, unsigned int *ret_value)
{
	uint8_t bytes[2];
	int r = kryos_dev_read_registers(dev, reg, bytes, sizeof(bytes));

	if (r >= 0)
		*ret_value = (unsigned int)bytes[0] << 8 | bytes[1];
	return r;
}

static int configure(struct kryos_dev *dev, unsigned int value)
{
	uint8_t bytes[3] = { REG_CONFIGURATION, (uint8_t)(value >> 8), (uint8_t)value };

	return kryos_dev_transfer(dev, bytes, sizeof(bytes), NULL, 0);
}

static int probe(void *priv, struct kryos_dev *dev)
{
	unsigned int id = 0;
	int r = get(dev, REG_ID, &id);

	(void)priv;
	if (r == -ENXIO)
		return -ENODEV;
	if (r >= 0 && (id & 0x0fff) != 0x0117)
		return kryos_fail(KRYOS_ECHIP, "%s: this is no TMP117: its device id is 0x%04x, not 0x0117",
		                  kryos_dev_name(dev), id);
	return r;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	int r = configure(dev, SETTINGS | ONE_SHOT);

	(void)priv;
	if (r >= 0)
		*ret_wait_ns = MEASURE_NS;
	return r;
}

/* There is no checksum: what is read twice and stands still between is believed. */
static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	unsigned int configuration = 0;
	uint8_t again[2];
	int r = get(dev, REG_CONFIGURATION, &configuration);

	(void)priv;
	if (r >= 0 && (configuration & SETTINGS_MASK) != SETTINGS)
		return kryos_fail(KRYOS_ECHIP, "%s: lost its settings: it was reset", kryos_dev_name(dev));
	if (r >= 0 && !(configuration & DATA_READY))
		return -EAGAIN;
	if (r >= 0)
		r = kryos_dev_read_registers(dev, REG_TEMPERATURE, raw, 2);
	if (r >= 0)
		r = kryos_dev_read_registers(dev, REG_TEMPERATURE, again, sizeof(again));
	if (r >= 0 && memcmp(raw, again, sizeof(again)) != 0)
		return kryos_fail(KRYOS_ECRC, "%s: two readings of the temperature differ", kryos_dev_name(dev));
	return r;
}

/* Steps of 7.8125 mC, two's complement; 0x8000 is what the register holds before the first conversion. */
static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	int steps = raw[0] << 8 | raw[1];

	(void)priv;
	if (steps >= 0x8000)
		steps -= 0x10000;
	ret_readings[0] = (struct kryos_reading){
		.value_micro = steps * INT64_C(15625) / 2,
		.quality = steps == -0x8000 ? KRYOS_QUALITY_POWER_ON : KRYOS_QUALITY_GOOD,
	};
}

static const struct kryos_channel_info channels[] = {
	{ .quantity = "temperature",
	  .unit = "Cel",
	  .min_micro = -30000000,
	  .max_micro = 60000000,
	  .max_rate_micro = 500000,
	  .resolution_micro = 7813,
	  .accuracy = "0.1 C, -20 to 50 C" },
};

const struct kryos_sensor_driver vial_driver = {
	.size = sizeof(vial_driver),
	.name = "vial",
	.title = "Probe in a vial of glycol (TMP117)",
	.bus = "i2c",
	.channels = channels,
	.channel_count = 1,
	.raw_size = 2,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.datasheet = "TI SNOSD82D",
	.addresses = "0x48 0x49 0x4a 0x4b",
	.suits = "the temperature of vaccine, not of the air around it",
	.conversion_ns = MEASURE_NS,
};
