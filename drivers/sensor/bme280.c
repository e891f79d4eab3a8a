/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bosch BME280: temperature, humidity, pressure. Sections are those of the data sheet BST-BME280-DS002.
 *
 * Forced mode: one measurement when asked, then sleep (3.3.3). While the chip sleeps its registers
 * hold still, and it has no checksum: so whatever is read is read twice and must agree.
 */
#include "bmx280.h"
#include "core/core.h"
#include "registers.h"

enum {
	REG_H2 = 0xe1,       /* to 0xE7, H6 */
	REG_CTRL_HUM = 0xf2, /* where fetch begins */
	CALIBRATION = 7,
	RAW = 13, /* 0xF2 to 0xFE: settings, status, pressure, temperature, humidity */
	ID_BME280 = 0x60,
	/* Humidity x1, whose 16 bits do not grow with oversampling (5.4.3). */
	CTRL_HUM = 0x01,
	RESET_16_BITS = 0x8000, /* table 4, as BMX280_RESET_20_BITS */
};

/* 9.1: 1.25 + 2.3 x 2 + (2.3 x 4 + 0.575) + (2.3 x 1 + 0.575) ms at most. */
#define MEASURE_NS INT64_C(18500000)

/* Trimming values by their names in table 16. */
struct bme280 {
	struct kri_bmx280 common;
	int64_t h2, h3, h4, h5, h6;
};

static int identify(struct kryos_dev *dev)
{
	uint8_t id = 0;
	int r = kri_bmx280_identify(dev, &id);

	if (r < 0 || id == ID_BME280)
		return r;
	if (id >= 0x56 && id <= 0x58)
		return kryos_fail(
			KRYOS_ECHIP,
			"%s: this is a BMP280, which has no humidity: write bmp280 (chip id 0x%02x; a BME280 has 0x60)",
			kryos_dev_name(dev), id);
	return kryos_fail(KRYOS_ECHIP, "%s: this is no BME280: its chip id is 0x%02x, not 0x60%s", kryos_dev_name(dev),
	                  id, id == 0x61 ? "; a BME680 or BME688 has that" : "");
}

/* Table 16. H4 and H5 are signed 12-bit numbers that share the byte at 0xE5: its low half is H4's. */
static int read_humidity_calibration(struct bme280 *chip, struct kryos_dev *dev)
{
	uint8_t b[CALIBRATION];
	int r = kri_registers_read(dev, REG_H2, b, sizeof(b));

	if (r < 0)
		return r;
	chip->h2 = kri_bmx280_s16(b);
	chip->h3 = b[2];
	chip->h4 = (int8_t)b[3] * 16 + (b[4] & 0x0f);
	chip->h5 = (int8_t)b[5] * 16 + (b[4] >> 4);
	chip->h6 = (int8_t)b[6];
	if (chip->h2 <= 0)
		return kryos_fail(-EIO, "%s: the chip holds no calibration (H2 %d)", kryos_dev_name(dev),
		                  (int)chip->h2);
	return 0;
}

static int search(struct kryos_dev *dev)
{
	int r = kri_bmx280_may_search(dev);

	return r < 0 ? r : identify(dev);
}

static int probe(void *priv, struct kryos_dev *dev)
{
	struct bme280 *chip = priv;
	int r = identify(dev);

	if (r >= 0)
		r = kri_bmx280_start(&chip->common, dev);
	if (r >= 0)
		r = read_humidity_calibration(chip, dev);
	if (r >= 0)
		r = kri_bmx280_write(dev, BMX280_CONFIG, BMX280_MARK);
	if (r >= 0)
		r = kri_bmx280_write(dev, REG_CTRL_HUM, CTRL_HUM);
	/* ctrl_hum becomes effective when ctrl_meas is written (5.4.3): by each trigger. */
	if (r == -ENXIO)
		return kryos_fail(-ENODEV, "%s", kryos_strerror(r));
	return r;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	struct bme280 *chip = priv;

	return kri_bmx280_measure(&chip->common, dev, MEASURE_NS, ret_wait_ns);
}

/* One burst, so that settings, status and results are of one moment (4: results are shadowed during a burst). */
static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	const struct bme280 *chip = priv;
	const uint8_t *status = raw + BMX280_STATUS - REG_CTRL_HUM, *ctrl_meas = raw + BMX280_CTRL_MEAS - REG_CTRL_HUM;
	int r = kri_registers_read(dev, REG_CTRL_HUM, raw, RAW);

	if (r == KRYOS_ECRC && *status & BMX280_STATUS_MEASURING)
		return -EAGAIN; /* it ended between the two */
	if (r < 0)
		return r;
	if (raw[0] != CTRL_HUM)
		return kryos_fail(KRYOS_ECHIP, "%s: lost its settings: it was reset or exchanged", kryos_dev_name(dev));
	return kri_bmx280_check(&chip->common, dev, *status, *ctrl_meas, raw[BMX280_CONFIG - REG_CTRL_HUM]);
}

/* Q22.10 %RH. */
static int64_t compensate_humidity(const struct bme280 *chip, int64_t code, int64_t t_fine)
{
	int64_t v = t_fine - 76800, gain;

	gain = ((((v * chip->h6) >> 10) * (((v * chip->h3) >> 11) + 32768)) >> 10) + 2097152;
	gain = (gain * chip->h2 + 8192) >> 14;
	v = ((code * 16384 - chip->h4 * (1 << 20) - chip->h5 * v + 16384) >> 15) * gain;
	v -= ((((v >> 15) * (v >> 15)) >> 7) * chip->common.h1) >> 4;
	if (v < 0)
		v = 0;
	if (v > 419430400)
		v = 419430400;
	return v >> 12;
}

/*
 * One channel may well measure the reset value (0x80000 is 26.5 C with the data sheet's trimming), and fetch has seen
 * that all three were measured; two at once are no measurement.
 */
static bool is_reset_pattern(int64_t temperature, int64_t pressure, int64_t humidity)
{
	return (temperature == BMX280_RESET_20_BITS) + (pressure == BMX280_RESET_20_BITS) +
	               (humidity == RESET_16_BITS) >=
	       2;
}

enum { TEMPERATURE, HUMIDITY, PRESSURE, CHANNELS };

static const struct kryos_channel_info channels[CHANNELS] = {
	[TEMPERATURE] = { .quantity = "temperature",
	                  .unit = "Cel",
	                  .min_micro = INT64_C(-40000000),
	                  .max_micro = INT64_C(85000000),
	                  .max_rate_micro = INT64_C(30000000),
	                  .resolution_micro = 2500,
	                  .accuracy = "0.5 C at 25 C; 1 C, 0 to 65 C; 1.25 C, -20 to 0 C; 1.5 C below" },
	[HUMIDITY] = { .quantity = "humidity",
	               .unit = "%RH",
	               .min_micro = 0,
	               .max_micro = INT64_C(100000000),
	               .resolution_micro = 8000,
	               .accuracy = "3 %RH, 20 to 80 %RH at 25 C" },
	[PRESSURE] = { .quantity = "pressure",
	               .unit = "Pa",
	               .min_micro = INT64_C(30000000000),
	               .max_micro = INT64_C(110000000000),
	               .resolution_micro = 660000,
	               .accuracy = "100 Pa, 0 to 65 C; 170 Pa, -20 to 0 C" },
};

/* Outside -40 to 85 C humidity and pressure cannot be compensated. */
static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	const struct bme280 *chip = priv;
	int64_t pressure = kri_bmx280_u20(raw + 5), temperature = kri_bmx280_u20(raw + 8);
	int64_t humidity = raw[11] << 8 | raw[12];
	int64_t t_fine = kri_bmx280_fine_temperature(&chip->common, temperature);
	int64_t micro = kri_bmx280_temperature(t_fine);
	enum kryos_quality quality = KRYOS_QUALITY_GOOD;

	if (micro < channels[TEMPERATURE].min_micro || micro > channels[TEMPERATURE].max_micro)
		quality = KRYOS_QUALITY_RANGE;
	if (is_reset_pattern(temperature, pressure, humidity))
		quality = KRYOS_QUALITY_POWER_ON;
	ret_readings[TEMPERATURE] = (struct kryos_reading){ .value_micro = micro, .quality = quality };
	ret_readings[HUMIDITY] = ret_readings[PRESSURE] = (struct kryos_reading){ .quality = quality };
	if (quality != KRYOS_QUALITY_GOOD)
		return;
	ret_readings[HUMIDITY].value_micro =
		kri_divide_rounded(compensate_humidity(chip, humidity, t_fine) * 1000000, 1024);
	ret_readings[PRESSURE] = kri_bmx280_pressure(&chip->common, pressure, t_fine);
}

/* No remove: after a forced measurement the chip sleeps. */
const struct kryos_sensor_driver kri_sensor_bme280 = {
	.size = sizeof(kri_sensor_bme280),
	.identify = search,
	.name = "bme280",
	.title = "Bosch BME280",
	.bus = "i2c spi",
	.channels = channels,
	.channel_count = CHANNELS,
	.private_size = sizeof(struct bme280),
	.raw_size = RAW,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.datasheet = "Bosch BST-BME280-DS002",
	.addresses = "0x76 0x77",
	.suits = "ambient: air around the appliance; 1 C is not enough for a product",
	.conversion_ns = MEASURE_NS,
};
