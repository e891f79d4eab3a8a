/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bosch BME280: temperature, humidity, pressure. Sections are those of the data sheet BST-BME280-DS002.
 *
 * Forced mode: one measurement when asked, then sleep (3.3.3). While the chip sleeps its registers
 * hold still, and it has no checksum: so whatever is read is read twice and must agree.
 */
#include "core/core.h"
#include <kryos/sys/sensor.h>
#include <string.h>

enum {
	REG_CALIBRATION_1 = 0x88, /* to 0xA1 */
	REG_ID = 0xd0,
	REG_RESET = 0xe0,
	REG_CALIBRATION_2 = 0xe1, /* to 0xE7 */
	REG_CTRL_HUM = 0xf2,      /* where fetch begins */
	REG_STATUS = 0xf3,
	REG_CTRL_MEAS = 0xf4,
	REG_CONFIG = 0xf5,
	CALIBRATION_1 = 26,
	CALIBRATION_2 = 7,
	RAW = 13, /* 0xF2 to 0xFE: settings, status, pressure, temperature, humidity */
	STATUS_COPYING = 0x01,
	STATUS_MEASURING = 0x08,
	ID_BME280 = 0x60,
	RESET_WORD = 0xb6,
};

/*
 * Oversampling (5.4.3, 5.4.5): temperature x2 has steps of 0.0025 C (3.4.4: 17 bits) with less noise than the x1 of
 * the suggested weather station (3.5.1); pressure x4, its steps well below its noise; humidity x1, whose 16 bits do
 * not grow. At one measurement a minute the 18.5 ms they take do not warm the chip. The filter stays off, because it
 * would mix measurements a minute apart (3.4.4).
 */
#define CTRL_HUM 0x01
#define CTRL_MEAS_SLEEP (2 << 5 | 3 << 2)
#define MODE_FORCED 1
#define CTRL_MEAS_FORCED (CTRL_MEAS_SLEEP | MODE_FORCED)
/*
 * The standby time means nothing in forced mode (5.4.6), so it is our mark: a chip that was reset, or exchanged for
 * another with another calibration, does not have it.
 */
#define CONFIG (5 << 5)
/* 9.1: 1.25 + 2.3 x 2 + (2.3 x 4 + 0.575) + (2.3 x 1 + 0.575) ms at most. */
#define MEASURE_NS INT64_C(18500000)

/* Table 4: what data registers hold from a reset to the first measurement. It compensates to a likely temperature. */
#define RESET_20_BITS 0x80000
#define RESET_16_BITS 0x8000

/* 2 ms of start-up (1.1) and copying the calibration; a poll takes at least 30 us even at the fastest bus clock. */
#define START_POLLS 100

/* Trimming values by their names in table 16. */
struct bme280 {
	int64_t t1, t2, t3;
	int64_t p1, p2, p3, p4, p5, p6, p7, p8, p9;
	int64_t h1, h2, h3, h4, h5, h6;
};

static int64_t u16_le(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8;
}

static int64_t s16_le(const uint8_t *bytes)
{
	return (int16_t)u16_le(bytes);
}

/* Table 16. H4 and H5 are signed 12-bit numbers that share the byte at 0xE5: its low half is H4's. */
static void parse_calibration(struct bme280 *chip, const uint8_t *a, const uint8_t *b)
{
	*chip = (struct bme280){
		.t1 = u16_le(a),
		.t2 = s16_le(a + 2),
		.t3 = s16_le(a + 4),
		.p1 = u16_le(a + 6),
		.p2 = s16_le(a + 8),
		.p3 = s16_le(a + 10),
		.p4 = s16_le(a + 12),
		.p5 = s16_le(a + 14),
		.p6 = s16_le(a + 16),
		.p7 = s16_le(a + 18),
		.p8 = s16_le(a + 20),
		.p9 = s16_le(a + 22),
		.h1 = a[25],
		.h2 = s16_le(b),
		.h3 = b[2],
		.h4 = (int8_t)b[3] * 16 + (b[4] & 0x0f),
		.h5 = (int8_t)b[5] * 16 + (b[4] >> 4),
		.h6 = (int8_t)b[6],
	};
}

static int read_twice(struct kryos_dev *dev, uint8_t reg, uint8_t *bytes, size_t count)
{
	uint8_t again[CALIBRATION_1];
	int r = kryos_dev_read_registers(dev, reg, bytes, count);

	if (r >= 0)
		r = kryos_dev_read_registers(dev, reg, again, count);
	if (r >= 0 && memcmp(bytes, again, count) != 0)
		r = kryos_fail(KRYOS_ECRC, "%s: two readings of registers 0x%02x to 0x%02x differ", kryos_dev_name(dev),
		               reg, (unsigned int)(reg + count - 1));
	return r;
}

static int identify(struct kryos_dev *dev)
{
	uint8_t id = 0;
	int r = read_twice(dev, REG_ID, &id, 1);

	if (r < 0 || id == ID_BME280)
		return r;
	if (id >= 0x56 && id <= 0x58)
		return kryos_fail(KRYOS_ECHIP, "%s: this is a BMP280: no humidity (chip id 0x%02x; a BME280 has 0x60)",
		                  kryos_dev_name(dev), id);
	return kryos_fail(KRYOS_ECHIP, "%s: this is no BME280: its chip id is 0x%02x, not 0x60%s", kryos_dev_name(dev),
	                  id, id == 0x61 ? "; a BME680 or BME688 has that" : "");
}

/* Until it has started the chip may not acknowledge; from then on status bit 0 says that calibration is copied. */
static int reset(struct kryos_dev *dev)
{
	uint8_t status = STATUS_COPYING;
	int r = kryos_dev_write_register(dev, REG_RESET, RESET_WORD), i;

	for (i = 0; r >= 0 && i < START_POLLS; i++) {
		r = kryos_dev_read_registers(dev, REG_STATUS, &status, 1);
		if (r >= 0 && !(status & STATUS_COPYING))
			return 0;
		if (r == -ENXIO)
			r = 0;
	}
	if (r < 0)
		return r;
	return kryos_fail(-ETIMEDOUT, "%s: did not come back from a reset", kryos_dev_name(dev));
}

static int read_calibration(struct bme280 *chip, struct kryos_dev *dev)
{
	uint8_t first[CALIBRATION_1], second[CALIBRATION_2];
	int r = read_twice(dev, REG_CALIBRATION_1, first, sizeof(first));

	if (r >= 0)
		r = read_twice(dev, REG_CALIBRATION_2, second, sizeof(second));
	if (r < 0)
		return r;
	parse_calibration(chip, first, second);
	/* Each block of a bus that reads all zero or all one, twice, would do for a chip with strange values. */
	if (!chip->t1 || chip->t1 == 0xffff || !chip->p1 || chip->p1 == 0xffff || chip->h2 <= 0)
		return kryos_fail(-EIO, "%s: the chip holds no calibration (T1 %d, P1 %d, H2 %d)", kryos_dev_name(dev),
		                  (int)chip->t1, (int)chip->p1, (int)chip->h2);
	return 0;
}

static int probe(void *priv, struct kryos_dev *dev)
{
	int r = identify(dev);

	if (r >= 0)
		r = reset(dev);
	if (r >= 0)
		r = read_calibration(priv, dev);
	if (r >= 0)
		r = kryos_dev_write_register(dev, REG_CONFIG, CONFIG);
	if (r >= 0)
		r = kryos_dev_write_register(dev, REG_CTRL_HUM, CTRL_HUM);
	/* ctrl_hum becomes effective when ctrl_meas is written (5.4.3): by each trigger. */
	if (r == -ENXIO)
		return kryos_fail(-ENODEV, "%s", kryos_strerror(r));
	return r;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	int r = kryos_dev_write_register(dev, REG_CTRL_MEAS, CTRL_MEAS_FORCED);

	(void)priv;
	if (r >= 0)
		*ret_wait_ns = MEASURE_NS;
	return r;
}

/* One burst, so that settings, status and results are of one moment (4: results are shadowed during a burst). */
static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	int r = read_twice(dev, REG_CTRL_HUM, raw, RAW);

	(void)priv;
	if (r == KRYOS_ECRC && raw[REG_STATUS - REG_CTRL_HUM] & STATUS_MEASURING)
		return -EAGAIN; /* it ended between the two */
	if (r < 0)
		return r;
	if (raw[0] != CTRL_HUM || raw[REG_CONFIG - REG_CTRL_HUM] != CONFIG ||
	    (raw[REG_CTRL_MEAS - REG_CTRL_HUM] & ~MODE_FORCED) != CTRL_MEAS_SLEEP)
		return kryos_fail(KRYOS_ECHIP, "%s: lost its settings: it was reset or exchanged", kryos_dev_name(dev));
	return raw[REG_STATUS - REG_CTRL_HUM] & STATUS_MEASURING ? -EAGAIN : 0;
}

/*
 * Section 4.2.3's integer code, widened to 64 bits where the original overflows with extreme trimming values; >> of
 * a negative number is arithmetic there as with our compilers, and rounds differently than /.
 */
static int64_t fine_temperature(const struct bme280 *chip, int64_t code)
{
	int64_t distance = (code >> 4) - chip->t1;

	return ((((code >> 3) - chip->t1 * 2) * chip->t2) >> 11) + ((((distance * distance) >> 12) * chip->t3) >> 14);
}

/* Q24.8 Pa. False where trimming values make no sense together: a step would divide by zero or not fit 64 bits. */
static bool compensate_pressure(const struct bme280 *chip, int64_t code, int64_t t_fine, int64_t *ret_q8)
{
	int64_t var1 = t_fine - 128000, var2, p;

	var2 = var1 * var1 * chip->p6 + var1 * chip->p5 * (INT64_C(1) << 17) + chip->p4 * (INT64_C(1) << 35);
	var1 = ((var1 * var1 * chip->p3) >> 8) + var1 * chip->p2 * (INT64_C(1) << 12);
	if (__builtin_mul_overflow((INT64_C(1) << 47) + var1, chip->p1, &var1) || var1 >> 33 == 0)
		return false;
	var1 >>= 33;
	p = 1048576 - code;
	if (__builtin_mul_overflow(p * (INT64_C(1) << 31) - var2, INT64_C(3125), &p))
		return false;
	p /= var1;
	if (p < 0 || p >= INT64_C(1) << 36) /* 16 times what any air has */
		return false;
	var1 = (chip->p9 * (p >> 13) * (p >> 13)) >> 25;
	var2 = (chip->p8 * p) >> 19;
	*ret_q8 = ((p + var1 + var2) >> 8) + chip->p7 * 16;
	return true;
}

/* Q22.10 %RH. */
static int64_t compensate_humidity(const struct bme280 *chip, int64_t code, int64_t t_fine)
{
	int64_t v = t_fine - 76800, gain;

	gain = ((((v * chip->h6) >> 10) * (((v * chip->h3) >> 11) + 32768)) >> 10) + 2097152;
	gain = (gain * chip->h2 + 8192) >> 14;
	v = ((code * 16384 - chip->h4 * (1 << 20) - chip->h5 * v + 16384) >> 15) * gain;
	v -= ((((v >> 15) * (v >> 15)) >> 7) * chip->h1) >> 4;
	if (v < 0)
		v = 0;
	if (v > 419430400)
		v = 419430400;
	return v >> 12;
}

static int64_t divide_rounded(int64_t number, int64_t by)
{
	return (number + (number < 0 ? -by / 2 : by / 2)) / by;
}

/*
 * One channel may well measure the reset value (0x80000 is 26.5 C with the data sheet's trimming), and fetch has seen
 * that all three were measured; two at once are no measurement.
 */
static bool is_reset_pattern(int64_t temperature, int64_t pressure, int64_t humidity)
{
	return (temperature == RESET_20_BITS) + (pressure == RESET_20_BITS) + (humidity == RESET_16_BITS) >= 2;
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

/*
 * The temperature is t_fine / 5120 as in the double precision code (8.1); the integer code's last step rounds it to
 * 0.01 C, coarser than the chip. Outside -40 to 85 C humidity and pressure cannot be compensated.
 */
static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	const struct bme280 *chip = priv;
	int64_t pressure = raw[5] << 12 | raw[6] << 4 | raw[7] >> 4;
	int64_t temperature = raw[8] << 12 | raw[9] << 4 | raw[10] >> 4, humidity = raw[11] << 8 | raw[12];
	int64_t t_fine = fine_temperature(chip, temperature), micro = divide_rounded(t_fine * 1000000, 5120), q8;
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
		divide_rounded(compensate_humidity(chip, humidity, t_fine) * 1000000, 1024);
	if (compensate_pressure(chip, pressure, t_fine, &q8))
		ret_readings[PRESSURE].value_micro = divide_rounded(q8 * 1000000, 256);
	else
		ret_readings[PRESSURE].quality = KRYOS_QUALITY_RANGE;
}

/* No remove: after a forced measurement the chip sleeps. */
const struct kryos_sensor_driver kri_sensor_bme280 = {
	.size = sizeof(kri_sensor_bme280),
	.identify = identify,
	.name = "bme280",
	.title = "Bosch BME280",
	.bus = "i2c",
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
