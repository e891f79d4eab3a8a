/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sensirion SHT40, SHT41, SHT45: temperature, humidity. Sections are those of the data sheet SHT4x.
 *
 * Each measurement is asked for (4.5); in between the chip sleeps. It has no register that says what it is, but a
 * serial number of two words, each with a checksum. The heater is on only for a measurement that asks for it
 * (4.9), which this driver never does: it would spoil the temperature.
 */
#include "core/core.h"
#include "sensirion.h"
#include <string.h>

/* Table of commands, 4.5: high precision; serial number; soft reset. */
static const uint8_t measure[] = { 0xfd };
static const uint8_t read_serial[] = { 0x89 };
static const uint8_t soft_reset[] = { 0x94 };

#define MEASURE_NS INT64_C(8300000)

struct sht4x {
	int late;
	uint8_t serial[KRI_SENSIRION_RAW];
};

/* The command is one byte, as the number of a register is: to a chip that has registers it writes nothing. */
static int identify(struct kryos_dev *dev)
{
	uint8_t serial[6];
	int r = kryos_dev_transfer(dev, read_serial, sizeof(read_serial), NULL, 0);

	if (r < 0)
		return r;
	r = kri_sensirion_read(dev, serial, sizeof(serial));
	if (r == KRYOS_ECRC || r == -ENXIO)
		return kryos_fail(KRYOS_ECHIP, "%s: no serial number with checksums, as an SHT4x has one",
		                  kryos_dev_name(dev));
	return r;
}

/* After a reset, 1 ms at most, it acknowledges nothing; then the serial number takes a moment. */
static int probe(void *priv, struct kryos_dev *dev)
{
	struct sht4x *chip = priv;
	int r = kryos_dev_transfer(dev, soft_reset, sizeof(soft_reset), NULL, 0);

	if (r >= 0)
		r = kri_sensirion_command(dev, read_serial, sizeof(read_serial));
	if (r >= 0)
		r = kri_sensirion_read(dev, chip->serial, sizeof(chip->serial));
	if (r != -ENXIO)
		return r;
	if (kri_sensirion_is_sht3x(dev))
		return kryos_fail(KRYOS_ECHIP, "%s: this is an SHT3x: write sht3x", kryos_dev_name(dev));
	return -ENODEV;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	int r = kryos_dev_transfer(dev, measure, sizeof(measure), NULL, 0);

	((struct sht4x *)priv)->late = KRI_SENSIRION_LATE;
	if (r >= 0)
		*ret_wait_ns = MEASURE_NS;
	return r;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	struct sht4x *chip = priv;
	int r = kri_sensirion_fetch(dev, &chip->late, read_serial, sizeof(read_serial), raw, KRI_SENSIRION_RAW);

	/* Another process asked for it meanwhile: it has checksums, too, and would pass for a measurement. */
	if (r >= 0 && memcmp(raw, chip->serial, sizeof(chip->serial)) == 0)
		return kryos_fail(-EIO,
		                  "%s: gave its serial number where a measurement was asked for: does another "
		                  "process use it?",
		                  kryos_dev_name(dev));
	return r;
}

enum { TEMPERATURE, HUMIDITY, CHANNELS };

/* 4.6: T = -45 + 175 S / (2^16 - 1), RH = -6 + 125 S / (2^16 - 1), cropped to 0 to 100, as it says there. */
static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	int64_t humidity = kri_sensirion_scale(raw + 3, INT64_C(125000000)) - 6000000;

	(void)priv;
	if (!kri_sensirion_is_whole(raw, KRI_SENSIRION_RAW)) {
		ret_readings[TEMPERATURE].quality = ret_readings[HUMIDITY].quality = KRYOS_QUALITY_CRC;
		return;
	}
	ret_readings[TEMPERATURE] = (struct kryos_reading){
		.value_micro = kri_sensirion_scale(raw, INT64_C(175000000)) - 45000000,
		.quality = KRYOS_QUALITY_GOOD,
	};
	if (humidity < 0)
		humidity = 0;
	if (humidity > 100000000)
		humidity = 100000000;
	ret_readings[HUMIDITY] = (struct kryos_reading){ .value_micro = humidity, .quality = KRYOS_QUALITY_GOOD };
}

static const struct kryos_channel_info channels[CHANNELS] = {
	[TEMPERATURE] = { .quantity = "temperature",
	                  .unit = "Cel",
	                  .min_micro = INT64_C(-40000000),
	                  .max_micro = INT64_C(125000000),
	                  .max_rate_micro = INT64_C(30000000),
	                  .resolution_micro = 10000,
	                  .accuracy = "typically 0.2 C (SHT40, SHT41), 0.1 C (SHT45)" },
	[HUMIDITY] = { .quantity = "humidity",
	               .unit = "%RH",
	               .min_micro = 0,
	               .max_micro = INT64_C(100000000),
	               .resolution_micro = 10000,
	               .accuracy = "typically 1.8 %RH (SHT40, SHT41), 1 %RH (SHT45)" },
};

/* No remove: after a measurement the chip sleeps. */
const struct kryos_sensor_driver kri_sensor_sht4x = {
	.size = sizeof(kri_sensor_sht4x),
	.name = "sht4x",
	.title = "Sensirion SHT4x",
	.bus = "i2c",
	.channels = channels,
	.channel_count = CHANNELS,
	.private_size = sizeof(struct sht4x),
	.raw_size = KRI_SENSIRION_RAW,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.identify = identify,
	.datasheet = "Sensirion SHT4x",
	.addresses = "0x44 0x45 0x46",
	.suits = "vaccine fridge logger (0.5 C class), air and humidity of a store",
	.conversion_ns = MEASURE_NS,
};
