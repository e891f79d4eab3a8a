/* SPDX-License-Identifier: Apache-2.0 */
/* Bosch BMP280: temperature, pressure. Sections are those of the data sheet BST-BMP280-DS001; see bmx280.h. */
#include "bmx280.h"
#include "core/core.h"
#include "registers.h"

enum {
	REG_FIRST = BMX280_STATUS,
	RAW = 10, /* 0xF3 to 0xFC: status, settings, one that is not there, pressure, temperature */
	ID_BMP280 = 0x58,
	ID_SAMPLE_1 = 0x56, /* engineering samples */
	ID_SAMPLE_2 = 0x57,
};

/* 3.8.1 gives 13.3 ms at most with temperature x1, pressure x4; another 2.3 ms for temperature x2. */
#define MEASURE_NS INT64_C(15700000)

static int identify(struct kryos_dev *dev)
{
	uint8_t id = 0;
	int r = kri_bmx280_identify(dev, &id);

	if (r < 0 || id == ID_BMP280 || id == ID_SAMPLE_1 || id == ID_SAMPLE_2)
		return r;
	return kryos_fail(KRYOS_ECHIP, "%s: this is no BMP280: its chip id is 0x%02x, not 0x58%s", kryos_dev_name(dev),
	                  id, id == 0x60 ? "; a BME280 has that: write bme280" : "");
}

static int search(struct kryos_dev *dev)
{
	int r = kri_bmx280_may_search(dev);

	return r < 0 ? r : identify(dev);
}

static int probe(void *priv, struct kryos_dev *dev)
{
	int r = identify(dev);

	if (r >= 0)
		r = kri_bmx280_start(priv, dev);
	if (r >= 0)
		r = kri_bmx280_write(dev, BMX280_CONFIG, BMX280_MARK);
	if (r == -ENXIO)
		return kryos_fail(-ENODEV, "%s", kryos_strerror(r));
	return r;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	return kri_bmx280_measure(priv, dev, MEASURE_NS, ret_wait_ns);
}

/* One burst, so that settings, status and results are of one moment (3.10: results are shadowed during a burst). */
static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	int r = kri_registers_read(dev, REG_FIRST, raw, RAW);

	if (r == KRYOS_ECRC && raw[0] & BMX280_STATUS_MEASURING)
		return -EAGAIN; /* it ended between the two */
	if (r < 0)
		return r;
	return kri_bmx280_check(priv, dev, raw[0], raw[BMX280_CTRL_MEAS - REG_FIRST], raw[BMX280_CONFIG - REG_FIRST]);
}

enum { TEMPERATURE, PRESSURE, CHANNELS };

static const struct kryos_channel_info channels[CHANNELS] = {
	[TEMPERATURE] = { .quantity = "temperature",
	                  .unit = "Cel",
	                  .min_micro = INT64_C(-40000000),
	                  .max_micro = INT64_C(85000000),
	                  .max_rate_micro = INT64_C(30000000),
	                  .resolution_micro = 2500,
	                  .accuracy = "0.5 C at 25 C; 1 C, 0 to 65 C" },
	[PRESSURE] = { .quantity = "pressure",
	               .unit = "Pa",
	               .min_micro = INT64_C(30000000000),
	               .max_micro = INT64_C(110000000000),
	               .resolution_micro = 660000,
	               .accuracy = "100 Pa, 0 to 65 C" },
};

/* One result may well be the reset value (0x80000 is 26.5 C with the data sheet's trimming), both are no measurement.
 */
static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	int64_t pressure = kri_bmx280_u20(raw + 4), temperature = kri_bmx280_u20(raw + 7);
	int64_t t_fine = kri_bmx280_fine_temperature(priv, temperature), micro = kri_bmx280_temperature(t_fine);
	enum kryos_quality quality = KRYOS_QUALITY_GOOD;

	if (micro < channels[TEMPERATURE].min_micro || micro > channels[TEMPERATURE].max_micro)
		quality = KRYOS_QUALITY_RANGE;
	if (temperature == BMX280_RESET_20_BITS && pressure == BMX280_RESET_20_BITS)
		quality = KRYOS_QUALITY_POWER_ON;
	ret_readings[TEMPERATURE] = (struct kryos_reading){ .value_micro = micro, .quality = quality };
	ret_readings[PRESSURE] = (struct kryos_reading){ .quality = quality };
	if (quality == KRYOS_QUALITY_GOOD)
		ret_readings[PRESSURE] = kri_bmx280_pressure(priv, pressure, t_fine);
}

/* No remove: after a forced measurement the chip sleeps. */
const struct kryos_sensor_driver kri_sensor_bmp280 = {
	.size = sizeof(kri_sensor_bmp280),
	.name = "bmp280",
	.title = "Bosch BMP280",
	.bus = "i2c spi",
	.channels = channels,
	.channel_count = CHANNELS,
	.private_size = sizeof(struct kri_bmx280),
	.raw_size = RAW,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.identify = search,
	.datasheet = "Bosch BST-BMP280-DS001",
	.addresses = "0x76 0x77",
	.suits = "ambient: air around the appliance; 1 C is not enough for a product",
	.conversion_ns = MEASURE_NS,
};
