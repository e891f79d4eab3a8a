/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maxim MAX31856: a thermocouple, linearised and compensated for its cold junction by the chip. Tables are those of its
 * data sheet, 19-7534 Rev 0.
 *
 * One conversion when asked for, with the test for an open circuit each time; then the chip rests. What it cannot tell
 * is a thermocouple that is shorted: it measures the temperature at the short. At the board that is the junction's.
 *
 * The chip has neither a number of its own nor a checksum. What is read is read twice and must agree; its thresholds
 * are our mark, which a chip that was reset or exchanged does not have.
 */
#include "core/core.h"
#include "registers.h"
#include <kryos/sys/sensor.h>
#include <string.h>

enum {
	/* Table 6; a write has bit 7 set. What is written stands before CJT. */
	REG_CR0 = 0x00,
	REG_CJT = 0x0a,
	REG_LTC = 0x0c,
	REG_SR = 0x0f,
	REGISTERS = 16,
	WRITE = 0x80,
	SETTINGS = REG_CJT,
	/* Configuration 0. */
	ONE_SHOT = 0x40,
	FILTER_50HZ = 0x01,
	/* Fault status. */
	FAULT_CJ = 0x80 | 0x20 | 0x10, /* out of range, above or below its thresholds */
	FAULT_TC = 0x40 | 0x08 | 0x04,
	FAULT_OVUV = 0x02,
	FAULT_OPEN = 0x01,
};

enum { OPTION_TYPE, OPTION_AVERAGE, OPTION_SOURCE, OPTION_FILTER, OPTIONS };

static const struct kryos_option_info options[OPTIONS] = {
	[OPTION_TYPE] = { .name = "type", .doc = "thermocouple", .choices = "k j n r s t e b" },
	[OPTION_AVERAGE] = { .name = "average", .doc = "conversions that make a measurement", .choices = "1 2 4 8 16" },
	[OPTION_SOURCE] = { .name = "source",
	                    .doc = "thermocouple with its leads, for the open-circuit test: below 5 kOhm; below 40 "
	                           "kOhm; "
	                           "that with a filter of more than 2 ms",
	                    .choices = "5k 40k 40k_filter" },
	[OPTION_FILTER] = { .name = "filter", .doc = "mains frequency that is filtered out, Hz", .choices = "50 60" },
};

/* In the order of the choices: code in configuration 1, and the range over which the chip linearises (table 1). */
static const struct {
	uint8_t code;
	int lowest, highest;
} types[] = { { 3, -200, 1372 }, { 2, -210, 1200 }, { 4, -200, 1300 }, { 5, -50, 1768 },
	      { 6, -50, 1768 },  { 7, -200, 400 },  { 1, -200, 1000 }, { 0, 250, 1820 } };

#define JUNCTION_LOWEST (-55)
#define JUNCTION_HIGHEST 125

struct max31856 {
	uint8_t settings[SETTINGS];
	int64_t conversion_ns;
};

static void put_sixteenths(uint8_t *bytes, int degrees)
{
	bytes[0] = (uint8_t)((unsigned int)(degrees * 16) >> 8);
	bytes[1] = (uint8_t)(degrees * 16);
}

/* Ten degrees beyond what the type allows, where the chip says out of range by itself, so that they only mark it. */
static void set_up(struct max31856 *chip, const struct kryos_dev *dev)
{
	/* The longest conversion, and the longest open-circuit test (table 4), in ms. */
	static const int64_t test_ms[] = { 15, 37, 125 };
	int64_t type = kryos_dev_option(dev, OPTION_TYPE), average = kryos_dev_option(dev, OPTION_AVERAGE);
	int64_t source = kryos_dev_option(dev, OPTION_SOURCE);
	bool is_50hz = kryos_dev_option(dev, OPTION_FILTER) == 0;

	chip->settings[0] = (uint8_t)((source + 1) << 4 | (is_50hz ? FILTER_50HZ : 0));
	chip->settings[1] = (uint8_t)(average << 4 | types[type].code);
	chip->settings[2] = 0xff; /* nothing pulls the line FAULT */
	chip->settings[3] = JUNCTION_HIGHEST;
	chip->settings[4] = (uint8_t)JUNCTION_LOWEST;
	put_sixteenths(chip->settings + 5, types[type].highest + 10);
	put_sixteenths(chip->settings + 7, types[type].lowest - 10);
	chip->settings[9] = 0; /* the junction is taken as measured */
	chip->conversion_ns = ((is_50hz ? 185 : 155) + test_ms[source]) * INT64_C(1000000) +
	                      ((1 << average) - 1) * (is_50hz ? INT64_C(40000000) : INT64_C(33400000));
}

static int fail_lost(struct kryos_dev *dev)
{
	return kryos_fail(KRYOS_ECHIP, "%s: its settings are not what was written: it was reset or exchanged",
	                  kryos_dev_name(dev));
}

static int read_all(struct kryos_dev *dev, uint8_t *raw)
{
	int r = kri_registers_read(dev, REG_CR0, raw, REGISTERS);

	return r < 0 ? r : kri_registers_heard(dev, raw, REGISTERS);
}

/* Whether all but configuration 0, which starts conversions, is as it was written. */
static int check_other(const struct max31856 *chip, struct kryos_dev *dev, const uint8_t *raw)
{
	size_t i = 1;

	while (i < SETTINGS && raw[i] == chip->settings[i])
		i++;
	if (i == SETTINGS)
		return 0;
	return kryos_fail(KRYOS_ECHIP,
	                  "%s: this is no MAX31856: its register 0x%02zx is 0x%02x after 0x%02x was written%s",
	                  kryos_dev_name(dev), i, raw[i], chip->settings[i],
	                  i == 1 ? "; that of a MAX31865 cannot be written" : "");
}

/* The filter may be changed only while no conversion runs, and whoever had the chip before may have left it on. */
static int probe(void *priv, struct kryos_dev *dev)
{
	struct max31856 *chip = priv;
	uint8_t raw[REGISTERS], out[SETTINGS] = { WRITE | (REG_CR0 + 1) };
	int r = read_all(dev, raw);

	set_up(chip, dev);
	memcpy(out + 1, chip->settings + 1, SETTINGS - 1);
	if (r >= 0)
		r = kryos_dev_write_register(dev, WRITE | REG_CR0, 0);
	if (r >= 0)
		r = kryos_dev_transfer(dev, out, sizeof(out), NULL, 0);
	if (r >= 0)
		r = read_all(dev, raw);
	if (r >= 0)
		r = check_other(chip, dev, raw);
	return r < 0 ? r : kryos_dev_write_register(dev, WRITE | REG_CR0, chip->settings[0]);
}

/*
 * Nothing acknowledges a write, and without a conversion the value of the last one would be read once more. One takes
 * 143 ms at least, so its bit is still set.
 */
static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	const struct max31856 *chip = priv;
	uint8_t asked = chip->settings[0] | ONE_SHOT, begun = 0, raw[REGISTERS];
	int r = kryos_dev_write_register(dev, WRITE | REG_CR0, asked);

	if (r >= 0)
		r = kryos_dev_read_registers(dev, REG_CR0, &begun, 1);
	if (r >= 0 && begun != asked) {
		r = read_all(dev, raw);
		if (r >= 0 && raw[0] != asked)
			r = kryos_fail(-EIO, "%s: did not begin to convert", kryos_dev_name(dev));
	}
	if (r >= 0)
		*ret_wait_ns = chip->conversion_ns;
	return r;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	const struct max31856 *chip = priv;
	int r = read_all(dev, raw);
	bool converts = raw[0] == (chip->settings[0] | ONE_SHOT);

	if (converts && (r >= 0 || r == KRYOS_ECRC)) /* it may have ended between the two */
		return -EAGAIN;
	return r >= 0 && memcmp(raw, chip->settings, SETTINGS) != 0 ? fail_lost(dev) : r;
}

/* 19 bits of 2^-7 C, and below them 5 that mean nothing; 14 bits of 2^-6 C, and 2. */
static int32_t thermocouple_code(const uint8_t *raw)
{
	return ((int8_t)raw[REG_LTC] * 65536 + raw[REG_LTC + 1] * 256 + (raw[REG_LTC + 2] & 0xe0)) / 32;
}

static int32_t junction_code(const uint8_t *raw)
{
	return ((int8_t)raw[REG_CJT] * 256 + (raw[REG_CJT + 1] & 0xfc)) / 4;
}

/* What is wrong with the junction spoils the thermocouple too; outside the supply nothing is converted at all. */
static void judge_faults(const uint8_t *raw, enum kryos_quality *ret_thermocouple, enum kryos_quality *ret_junction)
{
	uint8_t faults = raw[REG_SR];

	*ret_thermocouple = *ret_junction = KRYOS_QUALITY_GOOD;
	if (faults & FAULT_OVUV)
		*ret_thermocouple = *ret_junction = KRYOS_QUALITY_SHORT;
	else if (!thermocouple_code(raw) && !junction_code(raw)) /* never converted since power-on */
		*ret_thermocouple = *ret_junction = KRYOS_QUALITY_POWER_ON;
	else if (faults & FAULT_CJ)
		*ret_thermocouple = *ret_junction = KRYOS_QUALITY_RANGE;
	if (*ret_junction == KRYOS_QUALITY_GOOD && faults & FAULT_TC)
		*ret_thermocouple = KRYOS_QUALITY_RANGE;
	if (faults & FAULT_OPEN && !(faults & FAULT_OVUV))
		*ret_thermocouple = KRYOS_QUALITY_OPEN;
}

enum { TEMPERATURE, JUNCTION, CHANNELS };

static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	(void)priv;
	ret_readings[TEMPERATURE].value_micro = thermocouple_code(raw) * INT64_C(15625) / 2;
	ret_readings[JUNCTION].value_micro = junction_code(raw) * INT64_C(15625);
	judge_faults(raw, &ret_readings[TEMPERATURE].quality, &ret_readings[JUNCTION].quality);
}

/* A type K thermocouple's; describe has the others'. */
static const struct kryos_channel_info channels[CHANNELS] = {
	[TEMPERATURE] = { .quantity = "temperature",
	                  .unit = "Cel",
	                  .min_micro = INT64_C(-200000000),
	                  .max_micro = INT64_C(1372000000),
	                  .max_rate_micro = INT64_C(300000000), /* a bare tip in liquid nitrogen */
	                  .resolution_micro = 7812,
	                  .accuracy = "0.15 % of full scale and the junction's 0.7 C, beside the thermocouple's own" },
	[JUNCTION] = { .quantity = "junction",
	               .unit = "Cel",
	               .min_micro = JUNCTION_LOWEST * INT64_C(1000000),
	               .max_micro = JUNCTION_HIGHEST * INT64_C(1000000),
	               .max_rate_micro = INT64_C(30000000),
	               .resolution_micro = 15625,
	               .accuracy = "0.7 C, -20 to 85 C" },
};

static int describe(const char *place, const int64_t *values, struct kryos_description *ret_description)
{
	(void)place;
	memcpy(ret_description->channels, channels, sizeof(channels));
	ret_description->channel_count = CHANNELS;
	ret_description->channels[TEMPERATURE].min_micro = types[values[OPTION_TYPE]].lowest * INT64_C(1000000);
	ret_description->channels[TEMPERATURE].max_micro = types[values[OPTION_TYPE]].highest * INT64_C(1000000);
	return 0;
}

/* No remove: after one conversion the chip rests. */
const struct kryos_sensor_driver kri_sensor_max31856 = {
	.size = sizeof(kri_sensor_max31856),
	.name = "max31856",
	.title = "Maxim MAX31856",
	.bus = "spi",
	.channels = channels,
	.channel_count = CHANNELS,
	.private_size = sizeof(struct max31856),
	.raw_size = REGISTERS,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.options = options,
	.option_count = OPTIONS,
	.describe = describe,
	.spi_mode = 1,
	.spi_max_hz = 1000000, /* of 5 MHz */
	.datasheet = "Maxim 19-7534 Rev 0",
	.suits = "dry ice and liquid nitrogen with a type T or K thermocouple; 1 to 2 C, so no fridge",
	.conversion_ns = INT64_C(200000000),
};
