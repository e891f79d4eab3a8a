// SPDX-License-Identifier: GPL-2.0
/* Maxim DS3231 by its data sheet 19-5170: a clock that runs. */
#include "cold_i2c.h"
#include <linux/bcd.h>
#include <linux/math64.h>
#include <linux/rtc.h>
#include <linux/string.h>
#include <linux/time64.h>

#define HOURS 2
#define HOURS_12 0x40
#define HOURS_PM 0x20
#define MONTH 5
#define CENTURY 0x80
#define STATUS 0x0f
#define STATUS_CLEARED 0x83 /* OSF, A2F, A1F: can be cleared only */
#define STATUS_EN32KHZ 0x08
#define TEMPERATURE 0x11
#define LAST 0x12

/* Bits that can be written, of the registers that are not treated apart. */
static const u8 writable[LAST + 1] = { 0x7f, 0x7f, 0x7f, 0x07, 0x3f, 0x9f, 0xff, 0xff, 0xff, 0xff,
	                               0xff, 0xff, 0xff, 0xff, 0xff, 0,    0xff, 0,    0 };

/* "Timekeeping Registers": the state when power is first applied. */
static void make(u8 *image)
{
	image[3] = 1;
	image[4] = 1;
	image[MONTH] = 1;
	image[0x0e] = 0x1c;
	image[STATUS] = 0x88;
	image[TEMPERATURE] = 25;
}

static void load(struct cold_chip *chip, unsigned int first, unsigned int last, u64 now_ns)
{
	memcpy(chip->reg + first, chip->image + first, last - first + 1);
	if (first == 0)
		chip->until_ns = now_ns + NSEC_PER_SEC;
}

static unsigned int hour_of(u8 hours)
{
	if (!(hours & HOURS_12))
		return bcd2bin(hours & 0x3f);
	return bcd2bin(hours & 0x1f) % 12 + (hours & HOURS_PM ? 12 : 0);
}

static u8 hours_of(unsigned int hour, u8 before)
{
	if (!(before & HOURS_12))
		return bin2bcd(hour);
	return HOURS_12 | (hour >= 12 ? HOURS_PM : 0) | bin2bcd(hour % 12 ? hour % 12 : 12);
}

/* Every year that 4 divides is a leap year to it, so 2000 to 2099 are right. What is no date stays as it is. */
static void advance(u8 *reg, u64 seconds)
{
	struct rtc_time tm = { .tm_sec = bcd2bin(reg[0]),
		               .tm_min = bcd2bin(reg[1]),
		               .tm_hour = hour_of(reg[HOURS]),
		               .tm_mday = bcd2bin(reg[4]),
		               .tm_mon = bcd2bin(reg[MONTH] & 0x1f) - 1,
		               .tm_year = 100 + bcd2bin(reg[6]) };
	time64_t before, after;
	int days;

	if (rtc_valid_tm(&tm))
		return;
	before = rtc_tm_to_time64(&tm);
	after = before + seconds;
	rtc_time64_to_tm(after, &tm);
	days = (int)(div_s64(after, 86400) - div_s64(before, 86400));
	reg[3] = (reg[3] - 1 + days) % 7 + 1;
	reg[0] = bin2bcd(tm.tm_sec);
	reg[1] = bin2bcd(tm.tm_min);
	reg[HOURS] = hours_of(tm.tm_hour, reg[HOURS]);
	reg[4] = bin2bcd(tm.tm_mday);
	reg[MONTH] = ((reg[MONTH] ^ (tm.tm_year >= 200 ? CENTURY : 0)) & CENTURY) | bin2bcd(tm.tm_mon + 1);
	reg[6] = bin2bcd(tm.tm_year % 100);
}

static void settle(struct cold_chip *chip, u64 now_ns)
{
	u64 seconds;

	if (!chip->until_ns)
		chip->until_ns = now_ns + NSEC_PER_SEC;
	if (now_ns < chip->until_ns)
		return;
	seconds = 1 + div_u64(now_ns - chip->until_ns, NSEC_PER_SEC);
	chip->until_ns += seconds * NSEC_PER_SEC;
	advance(chip->reg, seconds);
}

static void write(struct cold_chip *chip, const u8 *bytes, unsigned int count, u64 now_ns)
{
	u8 number = chip->pointer;

	for (; count; count--, bytes++) {
		if (number == 0) /* the countdown chain starts anew */
			chip->until_ns = now_ns + NSEC_PER_SEC;
		if (number == STATUS)
			chip->reg[STATUS] = (chip->reg[STATUS] & *bytes & STATUS_CLEARED) | (*bytes & STATUS_EN32KHZ);
		else if (number < TEMPERATURE)
			chip->reg[number] = *bytes & writable[number];
		number = number >= LAST ? 0 : number + 1;
	}
	chip->pointer = number;
}

static u8 next(u8 pointer)
{
	return pointer >= LAST ? 0 : pointer + 1;
}

const struct cold_kind cold_ds3231 = { .make = make, .load = load, .settle = settle, .write = write, .next = next };
