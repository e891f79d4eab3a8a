/* SPDX-License-Identifier: Apache-2.0 */
/* Maxim DS3231 (data sheet 19-5170): registers 0x00 to 0x12, table "Timekeeping Registers". */
#include <errno.h>
#include <inttypes.h>
#include <kryos/sys/rtc.h>
#include <stdbool.h>

#define REG_SECONDS 0x00
#define REG_CONTROL 0x0e
#define REG_STATUS 0x0f
#define REG_AGING 0x10
#define REG_TEMPERATURE 0x11
#define REGISTERS 0x13

#define HOURS_12 0x40 /* "AM/PM mode" */
#define HOURS_PM 0x20
#define CONTROL_EOSC 0x80 /* active low: set, the oscillator stops on battery */
#define STATUS_OSF 0x80

#define FIRST_S INT64_C(946684800) /* 2000-01-01 */
#define END_S INT64_C(4102444800)  /* 2100-01-01: "leap-year compensation valid up to 2100" */

/* Bits that read 0 on every DS3231; other chips at 0x68 (DS1307's RAM, an MPU-6050) rarely have all of them clear. */
static const struct {
	uint8_t reg, zero;
} fixed[] = {
	{ 0x00, 0x80 }, { 0x01, 0x80 }, { 0x02, 0x80 },       { 0x03, 0xf8 },
	{ 0x04, 0xc0 }, { 0x05, 0x60 }, { REG_STATUS, 0x70 }, { REG_TEMPERATURE + 1, 0x3f },
};

static int number_of(uint8_t bcd)
{
	return (bcd & 15) > 9 || bcd >> 4 > 9 ? -1 : (bcd >> 4) * 10 + (bcd & 15);
}

static uint8_t bcd_of(int64_t number)
{
	return (uint8_t)(number / 10 << 4 | number % 10);
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, month 1 to 12. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year; /* years begin in March, so that leap days end them */

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 719469;
}

static int hour_of(uint8_t reg)
{
	int hour;

	if (!(reg & HOURS_12)) {
		hour = number_of(reg & 0x3f);
		return hour > 23 ? -1 : hour;
	}
	hour = number_of(reg & 0x1f);
	if (hour < 1 || hour > 12)
		return -1;
	return hour % 12 + (reg & HOURS_PM ? 12 : 0);
}

/*
 * Seconds since 1970, or -1: no date. The century bit is not looked at: Linux before 4.x set it for
 * 20xx, others clear it, and the chip itself toggles it only at the end of 2099, when its leap years
 * go wrong anyway. So every year is 20xx.
 */
static int64_t seconds_of(const uint8_t *reg)
{
	static const uint8_t lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int second = number_of(reg[0]), minute = number_of(reg[1]), hour = hour_of(reg[2]);
	int day = number_of(reg[4]), month = number_of(reg[5] & 0x1f), year = number_of(reg[6]);

	if (second < 0 || second > 59 || minute < 0 || minute > 59 || hour < 0 || month < 1 || month > 12 || day < 1 ||
	    day > lengths[month - 1] || year < 0 || (month == 2 && day == 29 && year % 4 != 0))
		return -1;
	return days_of(2000 + year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

static int ds3231_open(void *priv, struct kryos_dev *dev, const char *path)
{
	uint8_t reg[REGISTERS];
	int r = kryos_dev_read_registers(dev, REG_SECONDS, reg, sizeof(reg));

	(void)priv;
	(void)path;
	if (r < 0)
		return r == -ENXIO ? kryos_fail(-ENODEV, "%s: nothing answers", kryos_dev_name(dev)) : r;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (reg[fixed[i].reg] & fixed[i].zero)
			return kryos_fail(KRYOS_ECHIP,
			                  "%s: register 0x%02x holds 0x%02x, which a DS3231's never does; another chip",
			                  kryos_dev_name(dev), fixed[i].reg, reg[fixed[i].reg]);
	return 0;
}

static void ds3231_close(void *priv, struct kryos_dev *dev)
{
	(void)priv;
	(void)dev;
}

/* One transfer: the chip copies its counters at the start condition, so no second passes between the bytes. */
static int ds3231_read(void *priv, struct kryos_dev *dev, struct kryos_rtc_reading *ret_reading)
{
	struct kryos_rtc_reading reading = { .has_temperature = 1 };
	uint8_t reg[REGISTERS];
	int64_t seconds;
	int r = kryos_dev_read_registers(dev, REG_SECONDS, reg, sizeof(reg));

	(void)priv;
	if (r < 0)
		return r;
	reading.stopped = (reg[REG_STATUS] & STATUS_OSF) != 0;
	seconds = seconds_of(reg);
	if (seconds < 0 && !reading.stopped)
		return kryos_fail(KRYOS_ECRC, "%s: its registers hold no date: %02x %02x %02x %02x %02x %02x",
		                  kryos_dev_name(dev), reg[6], reg[5], reg[4], reg[2], reg[1], reg[0]);
	reading.t_wall_ns = seconds < 0 ? 0 : seconds * 1000000000;
	reading.aging = (int8_t)reg[REG_AGING];
	/* 10 bits, two's complement, 0.25 C each. */
	reading.temperature_micro =
		((int8_t)reg[REG_TEMPERATURE] * INT64_C(4) + (reg[REG_TEMPERATURE + 1] >> 6)) * 250000;
	*ret_reading = reading;
	return 0;
}

static int ds3231_set(void *priv, struct kryos_dev *dev, int64_t t_wall_ns)
{
	int64_t seconds = t_wall_ns / 1000000000, of_day = seconds % 86400, days = seconds / 86400, left;
	uint8_t out[8] = { REG_SECONDS }, reg[2];
	int year = 2000, month = 1, r;

	(void)priv;
	if (seconds < FIRST_S || seconds >= END_S)
		return kryos_fail(-ERANGE, "%s: can be set to 2000 to 2099 only, not to %" PRId64 " s since 1970",
		                  kryos_dev_name(dev), seconds);
	while (days_of(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && days_of(year, month + 1, 1) <= days)
		month++;
	left = days - days_of(year, month, 1);
	out[1] = bcd_of(of_day % 60);
	out[2] = bcd_of(of_day / 60 % 60);
	out[3] = bcd_of(of_day / 3600);         /* 24-hour mode */
	out[4] = (uint8_t)((days + 4) % 7 + 1); /* 1970-01-01 was a Thursday; 1 is Sunday */
	out[5] = bcd_of(left + 1);
	out[6] = bcd_of(month);
	out[7] = bcd_of(year - 2000);
	r = kryos_dev_transfer(dev, out, sizeof(out), NULL, 0);
	if (r < 0)
		return r;
	r = kryos_dev_read_registers(dev, REG_CONTROL, reg, sizeof(reg));
	if (r < 0)
		return r;
	if (reg[0] & CONTROL_EOSC) {
		r = kryos_dev_write_register(dev, REG_CONTROL, reg[0] & (uint8_t)~CONTROL_EOSC);
		if (r < 0)
			return r;
	}
	/* Last, so that a power cut before leaves a time that nobody believes. The alarm flags can only be cleared. */
	return kryos_dev_write_register(dev, REG_STATUS, reg[1] & (uint8_t)~STATUS_OSF);
}

extern const struct kryos_rtc_driver kri_rtc_ds3231;
const struct kryos_rtc_driver kri_rtc_ds3231 = {
	.size = sizeof(kri_rtc_ds3231),
	.name = "ds3231",
	.bus = "i2c",
	.addresses = "0x68",
	.open = ds3231_open,
	.close = ds3231_close,
	.read = ds3231_read,
	.set = ds3231_set,
};
