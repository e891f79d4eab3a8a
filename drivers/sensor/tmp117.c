/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texas Instruments TMP117: temperature. Sections are those of the data sheet SNOSD82D.
 *
 * One-shot conversions (7.4.3): the chip sleeps in between and does not warm itself. There is no checksum, so the
 * result is read twice; and the configuration between the two, because two answers that were lost in the same
 * way would agree, on 0 C.
 *
 * The chip adds an offset to each result that another program may have set, the kernel's driver for instance, or that
 * is in its EEPROM. No sample shows it, so a chip that has one is refused: a correction belongs to the channel, where
 * it is on record.
 */
#include "core/core.h"
#include "word.h"

enum { REG_TEMPERATURE = 0x00, REG_CONFIGURATION = 0x01, REG_OFFSET = 0x07, REG_ID = 0x0f };

/* Bits of the configuration register, 7.6. */
enum {
	DATA_READY = 1 << 13,  /* cleared by being read, and by reading the temperature */
	EEPROM_BUSY = 1 << 12, /* at power-up, too */
	MODE_ONE_SHOT = 3 << 10,
	MODE_SHUTDOWN = 1 << 10, /* what one shot falls back to; one bit of both, and of no other mode */
	AVERAGE_8 = 1 << 5,      /* as from the factory */
	/*
	 * The time between conversions, which means nothing in one shot, is our mark: from the factory it is 4, so a
	 * chip that was reset or exchanged differs in two bits.
	 */
	MARK = 5 << 7,
	SETTINGS = 0x17ff,
	OURS = MODE_SHUTDOWN | MARK | AVERAGE_8,
};

/* What the temperature register holds until the first conversion is complete (7.6): -256 C. */
#define POWER_ON_RAW 0x8000
#define ID_MASK 0x0fff /* above it stands the revision */
#define ID_TMP117 0x0117

/* Eight conversions of 17.5 ms at most (6.5). */
#define MEASURE_NS KRYOS_MILLISECONDS(140)
/* 1.5 ms of power-up (7.3.1), 7 ms where somebody programs it; a poll takes 0.1 ms at 400 kHz. */
#define START_POLLS 100

static int identify(struct kryos_dev *dev)
{
	unsigned int id = 0;
	int r = kri_word_get_surely(dev, REG_ID, &id);

	if (r < 0 || (id & ID_MASK) == ID_TMP117)
		return r;
	return kryos_fail(KRYOS_ECHIP, "%s: this is no TMP117: its device id is 0x%04x, not 0x0117%s",
	                  kryos_dev_name(dev), id, (id & ID_MASK) == 0x0116 ? "; a TMP116 has that" : "");
}

static int wait_for_eeprom(struct kryos_dev *dev)
{
	unsigned int configuration = EEPROM_BUSY;
	int r = 0;

	for (int i = 0; r >= 0 && configuration & EEPROM_BUSY && i < START_POLLS; i++)
		r = kri_word_get(dev, REG_CONFIGURATION, &configuration);
	if (r >= 0 && configuration & EEPROM_BUSY)
		return kryos_fail(-ETIMEDOUT, "%s: its EEPROM is busy for ever", kryos_dev_name(dev));
	return r;
}

/* 7.6, Temp_Offset: steps as those of the result. */
static int judge_offset(struct kryos_dev *dev, unsigned int offset)
{
	if (!offset)
		return 0;
	return kryos_fail(KRYOS_ECHIP,
	                  "%s: it adds %g C of its own (register 0x07 is 0x%04x): write 0 there, and to its EEPROM if "
	                  "it is back at the next power-up; a correction belongs into [channel], as offset",
	                  kryos_dev_name(dev), (int16_t)offset * 0.0078125, offset);
}

static int probe(void *priv, struct kryos_dev *dev)
{
	unsigned int offset = 0;
	int r = identify(dev);

	(void)priv;
	if (r >= 0)
		r = wait_for_eeprom(dev);
	if (r >= 0)
		r = kri_word_get_surely(dev, REG_OFFSET, &offset);
	if (r >= 0)
		r = judge_offset(dev, offset);
	if (r >= 0)
		r = kri_word_put(dev, REG_CONFIGURATION, OURS);
	return r;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	int r = kri_word_put(dev, REG_CONFIGURATION, OURS | MODE_ONE_SHOT);

	(void)priv;
	if (r >= 0)
		*ret_wait_ns = MEASURE_NS;
	return r;
}

static int get_configuration(struct kryos_dev *dev, unsigned int *ret_configuration)
{
	int r = kri_word_get(dev, REG_CONFIGURATION, ret_configuration);

	if (r >= 0 && (*ret_configuration & SETTINGS) != OURS)
		return kryos_fail(KRYOS_ECHIP, "%s: lost its settings (0x%04x): it was reset or exchanged",
		                  kryos_dev_name(dev), *ret_configuration);
	return r;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	unsigned int configuration = 0, offset = 0, first = 0, second = 0;
	int r = get_configuration(dev, &configuration);

	(void)priv;
	if (r >= 0 && !(configuration & DATA_READY))
		return -EAGAIN;
	if (r >= 0)
		r = kri_word_get(dev, REG_TEMPERATURE, &first);
	if (r >= 0)
		r = get_configuration(dev, &configuration);
	if (r >= 0)
		r = kri_word_get(dev, REG_OFFSET, &offset);
	if (r >= 0)
		r = judge_offset(dev, offset);
	if (r >= 0)
		r = kri_word_get(dev, REG_TEMPERATURE, &second);
	if (r < 0)
		return r;
	if (first != second)
		return kryos_fail(KRYOS_ECRC, "%s: two readings of the temperature differ: 0x%04x, 0x%04x",
		                  kryos_dev_name(dev), first, second);
	raw[0] = (uint8_t)(first >> 8);
	raw[1] = (uint8_t)first;
	return 0;
}

/* 7.3.3: 7.8125 mC a step, two's complement; rounded to the nearest millionth. */
static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	int64_t steps = (int16_t)(raw[0] << 8 | raw[1]), halves = steps * 15625;

	(void)priv;
	ret_readings[0] = (struct kryos_reading){
		.value_micro = (halves + (halves < 0 ? -1 : 1)) / 2,
		.quality = (raw[0] << 8 | raw[1]) == POWER_ON_RAW ? KRYOS_QUALITY_POWER_ON : KRYOS_QUALITY_GOOD,
	};
}

static const struct kryos_channel_info channels[] = {
	{ .quantity = "temperature",
	  .unit = "Cel",
	  .min_micro = INT64_C(-55000000),
	  .max_micro = INT64_C(150000000),
	  .max_rate_micro = INT64_C(30000000),
	  .resolution_micro = 7812,
	  .accuracy = "0.1 C, -20 to 50 C; 0.15 C, -40 to 70 C; 0.25 C, -55 to 125 C; 0.3 C above" },
};

/* No remove: after one shot the chip sleeps. */
const struct kryos_sensor_driver kri_sensor_tmp117 = {
	.size = sizeof(kri_sensor_tmp117),
	.name = "tmp117",
	.title = "TI TMP117",
	.bus = "i2c",
	.channels = channels,
	.channel_count = KRI_ARRAY_SIZE(channels),
	.raw_size = 2,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.identify = identify,
	.datasheet = "Texas Instruments SNOSD82D",
	.addresses = "0x48 0x49 0x4a 0x4b",
	.suits = "vaccine fridge and freezer logger (0.5 C class) with a wide margin; not ultra-cold",
	.conversion_ns = MEASURE_NS,
};
