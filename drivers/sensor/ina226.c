/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texas Instruments INA226: voltage of a battery or supply, and the current through a shunt. Sections are those of the
 * data sheet SBOS547B.
 *
 * The current is made here from the shunt's voltage (6.5.3), exactly; the chip's own multiplier stays off, and with it
 * the flag of its overflow. There is no checksum: settings and results are read twice in turn and must agree.
 */
#include "core/core.h"
#include <kryos/sys/sensor.h>
#include <string.h>

/* 7.1: registers of 16 bits, most significant byte first. */
enum {
	REG_CONFIG = 0x00,
	REG_SHUNT = 0x01,
	REG_BUS = 0x02,
	REG_MASK = 0x06,
	REG_MANUFACTURER = 0xfe,
	REG_DIE = 0xff,
};

#define MANUFACTURER 0x5449 /* "TI" */
#define DIE 0x226           /* the upper twelve bits; the lower four are the revision */

/*
 * 7.1.1: both voltages, once when this is written, as the mean of 16 conversions of 1.1 ms each, through which the
 * ripple of a charger averages out; then the chip sleeps. A reset leaves 0x4127.
 */
#define CONFIG 0x4523
/* 16 x 2 x 1.21 ms (5.5). */
#define CONVERSION_NS INT64_C(38720000)
#define READY 0x0008 /* in REG_MASK; reading clears it (7.1.7) */

enum { SHUNT_OPTION, OPTIONS };
static const struct kryos_option_info options[OPTIONS] = {
	[SHUNT_OPTION] = { .name = "shunt",
	                   .doc = "the shunt's resistance; 0: not said, and no current is measured",
	                   .unit = "Ohm",
	                   .max_micro = 10000000 },
};

struct ina226 {
	int64_t shunt_micro;
	bool ready; /* seen in this round */
};

static int read16(struct kryos_dev *dev, uint8_t reg, uint8_t bytes[2])
{
	return kryos_dev_read_registers(dev, reg, bytes, 2);
}

static int identify(struct kryos_dev *dev)
{
	uint8_t ids[2][4] = { { 0 } };
	unsigned int manufacturer, die;
	int r = 0;

	for (int i = 0; r >= 0 && i < 2; i++) {
		r = read16(dev, REG_MANUFACTURER, ids[i]);
		if (r >= 0)
			r = read16(dev, REG_DIE, ids[i] + 2);
	}
	if (r < 0)
		return r;
	if (memcmp(ids[0], ids[1], sizeof(ids[0])) != 0)
		return kryos_fail(KRYOS_ECRC, "%s: two readings of its identity differ", kryos_dev_name(dev));
	manufacturer = (unsigned int)ids[0][0] << 8 | ids[0][1];
	die = (unsigned int)ids[0][2] << 8 | ids[0][3];
	if (manufacturer == MANUFACTURER && die >> 4 == DIE)
		return 0;
	return kryos_fail(KRYOS_ECHIP, "%s: this is no INA226: manufacturer 0x%04x, die 0x%04x, not 0x5449 and 0x226x",
	                  kryos_dev_name(dev), manufacturer, die);
}

static int probe(void *priv, struct kryos_dev *dev)
{
	struct ina226 *chip = priv;
	int r = identify(dev);

	chip->shunt_micro = kryos_dev_option(dev, SHUNT_OPTION);
	return r == -ENXIO ? kryos_fail(-ENODEV, "%s", kryos_strerror(r)) : r;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	static const uint8_t bytes[3] = { REG_CONFIG, CONFIG >> 8, CONFIG & 0xff };
	struct ina226 *chip = priv;
	int r = kryos_dev_transfer(dev, bytes, sizeof(bytes), NULL, 0);

	chip->ready = false;
	if (r >= 0)
		*ret_wait_ns = CONVERSION_NS;
	return r;
}

static int read_results(struct kryos_dev *dev, uint8_t raw[4])
{
	uint8_t config[2] = { 0 };
	int r = read16(dev, REG_CONFIG, config);

	if (r >= 0 && (config[0] << 8 | config[1]) != CONFIG)
		return kryos_fail(KRYOS_ECHIP, "%s: its settings are 0x%02x%02x: it was reset or exchanged",
		                  kryos_dev_name(dev), config[0], config[1]);
	if (r >= 0)
		r = read16(dev, REG_SHUNT, raw);
	if (r >= 0)
		r = read16(dev, REG_BUS, raw + 2);
	return r;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	struct ina226 *chip = priv;
	uint8_t mask[2] = { 0 }, again[4] = { 0 };
	int r = 0;

	if (!chip->ready) {
		r = read16(dev, REG_MASK, mask);
		chip->ready = r >= 0 && mask[1] & READY;
		if (r >= 0 && !chip->ready)
			return -EAGAIN;
	}
	if (r >= 0)
		r = read_results(dev, raw);
	if (r >= 0)
		r = read_results(dev, again);
	if (r >= 0 && memcmp(raw, again, sizeof(again)) != 0)
		return kryos_fail(KRYOS_ECRC, "%s: two readings of registers 1 and 2 differ", kryos_dev_name(dev));
	return r;
}

enum { VOLTAGE, CURRENT, CHANNELS };

/* 5.5: steps of 2.5 uV over the shunt, of 1.25 mV on the bus. A shunt's voltage at either end may be more. */
static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	const struct ina226 *chip = priv;
	int shunt = (int16_t)(raw[0] << 8 | raw[1]), bus = raw[2] << 8 | raw[3];

	ret_readings[VOLTAGE] = (struct kryos_reading){ .value_micro = bus * INT64_C(1250) };
	if (!chip->shunt_micro)
		return;
	ret_readings[CURRENT].value_micro = kri_divide_rounded(shunt * INT64_C(2500000), chip->shunt_micro);
	ret_readings[CURRENT].quality =
		shunt == INT16_MAX || shunt == INT16_MIN ? KRYOS_QUALITY_RANGE : KRYOS_QUALITY_GOOD;
}

/* The current's limits are those over a shunt of 1 Ohm. */
static const struct kryos_channel_info channels[CHANNELS] = {
	[VOLTAGE] = { .quantity = "voltage",
	              .unit = "V",
	              .min_micro = 0,
	              .max_micro = 36000000,
	              .resolution_micro = 1250,
	              .accuracy = "0.1 % and 7.5 mV" },
	[CURRENT] = { .quantity = "current",
	              .unit = "A",
	              .min_micro = -81917,
	              .max_micro = 81917,
	              .resolution_micro = 3,
	              .accuracy = "0.1 % and 10 uV by the shunt, and the shunt's tolerance" },
};

static int describe(const char *place, const int64_t *values, struct kryos_description *ret_description)
{
	int64_t shunt_micro = values[SHUNT_OPTION];
	struct kryos_channel_info *current = &ret_description->channels[CURRENT];

	(void)place;
	memcpy(ret_description->channels, channels, sizeof(channels));
	ret_description->channel_count = shunt_micro ? CHANNELS : CHANNELS - 1;
	if (!shunt_micro)
		return 0;
	current->max_micro = kri_divide_rounded(current->max_micro * 1000000, shunt_micro);
	current->min_micro = -current->max_micro;
	current->resolution_micro = kri_divide_rounded(2500000, shunt_micro);
	if (!current->resolution_micro)
		current->resolution_micro = 1;
	return 0;
}

/* No remove: after a measurement the chip sleeps. */
const struct kryos_sensor_driver kri_sensor_ina226 = {
	.size = sizeof(kri_sensor_ina226),
	.name = "ina226",
	.title = "Texas Instruments INA226",
	.bus = "i2c",
	.channels = channels,
	.channel_count = CHANNELS,
	.private_size = sizeof(struct ina226),
	.raw_size = 4,
	.identify = identify,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.options = options,
	.option_count = OPTIONS,
	.describe = describe,
	.datasheet = "TI SBOS547B",
	.addresses = "0x40 0x41 0x42 0x43 0x44 0x45 0x46 0x47 0x48 0x49 0x4a 0x4b 0x4c 0x4d 0x4e 0x4f",
	.suits = "voltage and current of battery, solar panel or supply",
	.conversion_ns = CONVERSION_NS,
};
