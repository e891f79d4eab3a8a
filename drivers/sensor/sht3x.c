/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sensirion SHT30, SHT31, SHT35: temperature, humidity; STS30 to STS35: the same chip without humidity. Sections are
 * those of the data sheet SHT3x-DIS, version 5.
 *
 * Single shot, high repeatability, without clock stretching (4.3), because a chip that holds the clock holds the whole
 * bus. The chip has no number that says what it is; but its status register, with a checksum, tells of the reset
 * that it was just given (4.11), and of none once that flag is cleared. The heater, which would spoil the
 * temperature, is off after a reset (4.10).
 */
#include "core/core.h"
#include "sensirion.h"

/* Table 9, single shot: high repeatability, no clock stretching. Tables 13, 14, 17, 19. */
static const uint8_t measure[] = { 0x24, 0x00 };
static const uint8_t stop_periodic[] = { 0x30, 0x93 };
static const uint8_t soft_reset[] = { 0x30, 0xa2 };
static const uint8_t read_status[] = { 0xf3, 0x2d };
static const uint8_t clear_status[] = { 0x30, 0x41 };

#define STATUS_RESET 0x0010
#define STS3X_RAW 3

/* Later versions of the data sheet have 15.5 ms at most where earlier ones have 15 (table 4). */
#define MEASURE_NS INT64_C(15500000)

struct sht3x {
	int late;
};

/* While it starts, 1.5 ms at most (table 4), it acknowledges nothing. */
static int get_status(struct kryos_dev *dev, unsigned int *ret_status)
{
	uint8_t word[3];
	int r = -ENXIO;

	for (int i = 0; r == -ENXIO && i < KRI_SENSIRION_POLLS; i++)
		r = kryos_dev_transfer(dev, read_status, sizeof(read_status), word, sizeof(word));
	if (r >= 0)
		r = kri_sensirion_check(dev, word, sizeof(word));
	if (r >= 0)
		*ret_status = (unsigned int)(word[0] << 8 | word[1]);
	return r;
}

static int reset(struct kryos_dev *dev)
{
	unsigned int after_reset = 0, after_clear = 0;
	int r = kri_sensirion_command(dev, soft_reset, sizeof(soft_reset));

	if (r >= 0)
		r = get_status(dev, &after_reset);
	if (r >= 0)
		r = kri_sensirion_command(dev, clear_status, sizeof(clear_status));
	if (r >= 0)
		r = get_status(dev, &after_clear);
	if (r < 0)
		return r;
	if (!(after_reset & STATUS_RESET) || after_clear & STATUS_RESET)
		return kryos_fail(
			KRYOS_ECHIP,
			"%s: this is no SHT3x or STS3x: its status is 0x%04x after a reset, 0x%04x once cleared",
			kryos_dev_name(dev), after_reset, after_clear);
	return 0;
}

/*
 * For a search. Its command is two bytes, by which a chip with registers of 8 bits would be written to at 0xf3: none is
 * known that has such a register at 0x44 or 0x45 (an INA226's have 16 bits, a PCA9685's 0xf3 is reserved). At the
 * STS3x's addresses there may be: it is not searched for.
 */
static int identify(struct kryos_dev *dev)
{
	if (kri_sensirion_is_sht4x(dev) || !kri_sensirion_is_sht3x(dev))
		return kryos_fail(KRYOS_ECHIP, "%s: this is no SHT3x", kryos_dev_name(dev));
	return 0;
}

/* A chip that measures by itself takes nothing but the break command (4.8). */
static int probe(void *priv, struct kryos_dev *dev)
{
	int r = kryos_dev_transfer(dev, stop_periodic, sizeof(stop_periodic), NULL, 0);

	(void)priv;
	if (r >= 0)
		r = reset(dev);
	if (r != -ENXIO)
		return r;
	if (kri_sensirion_is_sht4x(dev))
		return kryos_fail(KRYOS_ECHIP, "%s: this is an SHT4x: write sht4x", kryos_dev_name(dev));
	return -ENODEV;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	int r = kryos_dev_transfer(dev, measure, sizeof(measure), NULL, 0);

	((struct sht3x *)priv)->late = KRI_SENSIRION_LATE;
	if (r >= 0)
		*ret_wait_ns = MEASURE_NS;
	return r;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	return kri_sensirion_fetch(dev, &((struct sht3x *)priv)->late, read_status, sizeof(read_status), raw,
	                           KRI_SENSIRION_RAW);
}

static int fetch_temperature(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	return kri_sensirion_fetch(dev, &((struct sht3x *)priv)->late, read_status, sizeof(read_status), raw,
	                           STS3X_RAW);
}

enum { TEMPERATURE, HUMIDITY, CHANNELS };

/* 4.13: T = -45 + 175 S / (2^16 - 1), RH = 100 S / (2^16 - 1). */
static void decode_temperature(const void *priv, const uint8_t *raw, struct kryos_reading *ret_reading)
{
	(void)priv;
	*ret_reading = (struct kryos_reading){ .quality = KRYOS_QUALITY_CRC };
	if (kri_sensirion_is_whole(raw, STS3X_RAW))
		*ret_reading = (struct kryos_reading){
			.value_micro = kri_sensirion_scale(raw, INT64_C(175000000)) - 45000000,
			.quality = KRYOS_QUALITY_GOOD,
		};
}

static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	if (!kri_sensirion_is_whole(raw, KRI_SENSIRION_RAW)) {
		ret_readings[TEMPERATURE].quality = ret_readings[HUMIDITY].quality = KRYOS_QUALITY_CRC;
		return;
	}
	decode_temperature(priv, raw, &ret_readings[TEMPERATURE]);
	ret_readings[HUMIDITY] = (struct kryos_reading){
		.value_micro = kri_sensirion_scale(raw + 3, INT64_C(100000000)),
		.quality = KRYOS_QUALITY_GOOD,
	};
}

#define TEMPERATURE_OF(accuracy_)                                                                                      \
	{                                                                                                              \
		.quantity = "temperature", .unit = "Cel", .min_micro = INT64_C(-40000000),                             \
		.max_micro = INT64_C(125000000), .max_rate_micro = INT64_C(30000000), .resolution_micro = 15000,       \
		.accuracy = accuracy_                                                                                  \
	}

static const struct kryos_channel_info channels[CHANNELS] = {
	[TEMPERATURE] = TEMPERATURE_OF("typically 0.2 C, 0 to 65 C (SHT30), 0 to 90 C (SHT31); 0.1 C, 20 to 60 C "
	                               "(SHT35)"),
	[HUMIDITY] = { .quantity = "humidity",
	               .unit = "%RH",
	               .min_micro = 0,
	               .max_micro = INT64_C(100000000),
	               .resolution_micro = 10000,
	               .accuracy = "typically 2 %RH (SHT30, SHT31), 1.5 %RH (SHT35)" },
};

/*
 * No remove: after a single shot the chip sleeps.
 */
const struct kryos_sensor_driver kri_sensor_sht3x = {
	.size = sizeof(kri_sensor_sht3x),
	.name = "sht3x",
	.title = "Sensirion SHT3x",
	.bus = "i2c",
	.channels = channels,
	.channel_count = CHANNELS,
	.private_size = sizeof(struct sht3x),
	.raw_size = KRI_SENSIRION_RAW,
	.identify = identify,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.datasheet = "Sensirion SHT3x-DIS, version 5",
	.addresses = "0x44 0x45",
	.suits = "vaccine fridge logger (0.5 C class), air and humidity of a store",
	.conversion_ns = MEASURE_NS,
};

static const struct kryos_channel_info sts3x_channels[] = {
	TEMPERATURE_OF("0.1 C (STS35); 0.4 C, each with a certificate (STS32, STS33)"),
};

const struct kryos_sensor_driver kri_sensor_sts3x = {
	.size = sizeof(kri_sensor_sts3x),
	.name = "sts3x",
	.title = "Sensirion STS3x",
	.bus = "i2c",
	.channels = sts3x_channels,
	.channel_count = KRI_ARRAY_SIZE(sts3x_channels),
	.private_size = sizeof(struct sht3x),
	.raw_size = STS3X_RAW,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch_temperature,
	.decode = decode_temperature,
	.datasheet = "Sensirion STS3x-DIS, version 5",
	.addresses = "0x4a 0x4b",
	.suits = "vaccine fridge logger (0.5 C class); STS32 and STS33 come calibrated at -30, 5 and 70 C",
	.conversion_ns = MEASURE_NS,
};
