// SPDX-License-Identifier: GPL-2.0
/* Bosch BME280 by its data sheet BST-BME280-DS002. It measures what its image has in 0xf7 to 0xfe. */
#include "cold_i2c.h"
#include <linux/string.h>
#include <linux/time64.h>

#define CALIBRATION_1 0x88
#define ID 0xd0
#define RESET 0xe0
#define CALIBRATION_2 0xe1
#define CTRL_HUM 0xf2
#define STATUS 0xf3
#define CTRL_MEAS 0xf4
#define CONFIG 0xf5
#define DATA 0xf7 /* to 0xfe */

#define STATUS_COPYING 0x01
#define STATUS_MEASURING 0x08
#define MODE 3
#define MODE_NORMAL 3
#define START_NS (2 * NSEC_PER_MSEC)

/* Table 4, and what a measurement that is switched off gives (5.4.3, 5.4.5). */
static const u8 nothing[8] = { 0x80, 0, 0, 0x80, 0, 0, 0x80, 0 };

/* The trimming values of the data sheet's example, and of some chip's humidity; it measures 25 C. */
static void make(u8 *image)
{
	static const u8 trimming_1[] = { 0x70, 0x6b, 0x43, 0x67, 0x18, 0xfc, 0x7d, 0x8e, 0x43, 0xd6, 0xd0, 0x0b, 0x27,
		                         0x0b, 0x8c, 0x00, 0xf9, 0xff, 0x8c, 0x3c, 0xf8, 0xc6, 0x70, 0x17, 0x00, 0x4b };
	static const u8 trimming_2[] = { 0x6a, 0x01, 0x00, 0x14, 0x2d, 0x03, 0x1e };
	static const u8 measured[] = { 0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00, 0x75, 0x30 };

	image[ID] = 0x60;
	memcpy(image + CALIBRATION_1, trimming_1, sizeof(trimming_1));
	memcpy(image + CALIBRATION_2, trimming_2, sizeof(trimming_2));
	memcpy(image + DATA, measured, sizeof(measured));
}

static void power_on(struct cold_chip *chip, u64 until_ns)
{
	memset(chip->reg + CTRL_HUM, 0, CONFIG - CTRL_HUM + 1);
	memcpy(chip->reg + DATA, nothing, sizeof(nothing));
	chip->until_ns = until_ns;
	if (until_ns)
		chip->reg[STATUS] = STATUS_COPYING;
}

/* Another chip; but what it is to measure may change while it runs. */
static void load(struct cold_chip *chip, unsigned int first, unsigned int last, u64 now_ns)
{
	if (first >= DATA)
		return;
	memcpy(chip->reg, chip->image, sizeof(chip->reg));
	power_on(chip, 0);
}

/* Oversampling 0 is off, 5 and above are 16. */
static unsigned int samples(u8 setting)
{
	setting &= 7;
	return setting ? 1U << ((setting > 5 ? 5 : setting) - 1) : 0;
}

/* Section 9.1: the longest that a measurement takes. */
static u64 duration_ns(const struct cold_chip *chip)
{
	unsigned int temperature = samples(chip->reg[CTRL_MEAS] >> 5), pressure = samples(chip->reg[CTRL_MEAS] >> 2);
	unsigned int humidity = samples(chip->reg[CTRL_HUM]);
	u64 us = 1250 + 2300 * (temperature + pressure + humidity) + (pressure ? 575 : 0) + (humidity ? 575 : 0);

	return us * NSEC_PER_USEC;
}

static void settle(struct cold_chip *chip, u64 now_ns)
{
	u8 *reg = chip->reg;

	if (!chip->until_ns || now_ns < chip->until_ns)
		return;
	chip->until_ns = 0;
	if (reg[STATUS] & STATUS_MEASURING) {
		memcpy(reg + DATA, nothing, sizeof(nothing));
		if (reg[CTRL_MEAS] >> 2 & 7)
			memcpy(reg + DATA, chip->image + DATA, 3);
		if (reg[CTRL_MEAS] >> 5)
			memcpy(reg + DATA + 3, chip->image + DATA + 3, 3);
		if (reg[CTRL_HUM] & 7)
			memcpy(reg + DATA + 6, chip->image + DATA + 6, 2);
	}
	reg[STATUS] = 0;
	if ((reg[CTRL_MEAS] & MODE) != MODE_NORMAL) {
		reg[CTRL_MEAS] &= ~MODE;
		return;
	}
	reg[STATUS] = STATUS_MEASURING;
	chip->until_ns = now_ns + duration_ns(chip);
}

static void write_register(struct cold_chip *chip, u8 number, u8 value, u64 now_ns)
{
	switch (number) {
	case RESET:
		if (value == 0xb6)
			power_on(chip, now_ns + START_NS);
		break;
	case CTRL_MEAS:
		chip->reg[CTRL_MEAS] = value;
		chip->until_ns = 0;
		chip->reg[STATUS] = 0;
		if (value & MODE) {
			chip->reg[STATUS] = STATUS_MEASURING;
			chip->until_ns = now_ns + duration_ns(chip);
		}
		break;
	case CTRL_HUM:
	case CONFIG:
		chip->reg[number] = value;
		break;
	default: /* the others can only be read */
		break;
	}
}

/* Section 6.2.1: after the first, each byte has its register's number before it. */
static void write(struct cold_chip *chip, const u8 *bytes, unsigned int count, u64 now_ns)
{
	u8 number = chip->pointer;

	while (count) {
		write_register(chip, number, *bytes++, now_ns);
		if (--count < 2)
			break;
		number = *bytes++;
		count--;
	}
}

static u8 next(u8 pointer)
{
	return pointer + 1;
}

const struct cold_kind cold_bme280 = { .make = make, .load = load, .settle = settle, .write = write, .next = next };
