/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maxim DS3231, from its data sheet 19-5170: register map in figure 1, power-on values in the
 * register descriptions. Its counters are kept as a chip keeps them, digits that carry into each
 * other, so that dates which do not exist can be put in and the year 2100 goes as wrong as in life.
 */
#include "model.h"
#include <errno.h>
#include <string.h>
#include <time.h>

enum { SECONDS, MINUTES, HOURS, DAY, DATE, MONTH, YEAR, CONTROL = 0x0e, STATUS, AGING, TEMPERATURE, REGISTERS = 0x13 };

struct ds3231_model {
	struct kryos_model model;
	uint8_t reg[REGISTERS];
	uint8_t pointer;
	int64_t (*now_ns)(void *userdata);
	void *userdata;
	int64_t tick_ns; /* of the clock, when the counters last moved on by a whole second */
};

static struct ds3231_model *self(struct kryos_model *model)
{
	return (struct ds3231_model *)model;
}

static int64_t system_now_ns(void *userdata)
{
	struct timespec now;

	(void)userdata;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static unsigned int from_bcd(unsigned int bcd)
{
	return (bcd >> 4) * 10 + (bcd & 15);
}

static uint8_t to_bcd(unsigned int number)
{
	return (uint8_t)(number / 10 << 4 | number % 10);
}

/* Hours: bit 6 set is 12 h with bit 5 for PM, clear is 24 h with bit 5 for twenty. */
static unsigned int get_hours(const struct ds3231_model *chip)
{
	uint8_t hours = chip->reg[HOURS];

	if (hours & 0x40)
		return from_bcd(hours & 0x1f) % 12 + (hours & 0x20 ? 12 : 0);
	return from_bcd(hours & 0x3f);
}

static void set_hours(struct ds3231_model *chip, unsigned int hours)
{
	unsigned int half = hours % 12 ? hours % 12 : 12;

	if (chip->reg[HOURS] & 0x40)
		chip->reg[HOURS] = (uint8_t)(0x40 | (hours >= 12 ? 0x20 : 0) | to_bcd(half));
	else
		chip->reg[HOURS] = to_bcd(hours);
}

static void next_day(struct ds3231_model *chip)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned int month = from_bcd(chip->reg[MONTH] & 0x1f), year = from_bcd(chip->reg[YEAR]);
	unsigned int date = from_bcd(chip->reg[DATE]), length;

	chip->reg[DAY] = (uint8_t)(chip->reg[DAY] % 7 + 1);
	length = month >= 1 && month <= 12 ? lengths[month - 1] : 31;
	if (month == 2 && year % 4 == 0)
		length = 29; /* in 2100 too: "valid up to 2100" */
	if (date < length) {
		chip->reg[DATE] = to_bcd(date + 1);
		return;
	}
	chip->reg[DATE] = 1;
	if (month < 12) {
		chip->reg[MONTH] = (uint8_t)((chip->reg[MONTH] & 0x80) | to_bcd(month + 1));
		return;
	}
	chip->reg[MONTH] = (uint8_t)((chip->reg[MONTH] & 0x80) | 1);
	chip->reg[YEAR] = year < 99 ? to_bcd(year + 1) : 0;
	if (year >= 99)
		chip->reg[MONTH] ^= 0x80; /* the century bit toggles from 99 to 00 */
}

static void move_on(struct ds3231_model *chip)
{
	int64_t now = chip->now_ns(chip->userdata), seconds = (now - chip->tick_ns) / 1000000000;

	if (now < chip->tick_ns) {
		chip->tick_ns = now; /* its source was set back; a chip only counts up */
		return;
	}
	if (!seconds)
		return;
	chip->tick_ns += seconds * 1000000000;
	seconds += get_hours(chip) * 3600 + from_bcd(chip->reg[MINUTES]) * 60 + from_bcd(chip->reg[SECONDS]);
	for (; seconds >= 86400; seconds -= 86400)
		next_day(chip);
	set_hours(chip, (unsigned int)(seconds / 3600));
	chip->reg[MINUTES] = to_bcd((unsigned int)(seconds / 60 % 60));
	chip->reg[SECONDS] = to_bcd((unsigned int)(seconds % 60));
}

static void power_on(struct kryos_model *model)
{
	struct ds3231_model *chip = self(model);

	if (!chip->now_ns)
		chip->now_ns = system_now_ns;
	memset(chip->reg, 0, sizeof(chip->reg));
	chip->reg[DAY] = chip->reg[DATE] = chip->reg[MONTH] = 1; /* 01/01/00 01 00:00:00 */
	chip->reg[CONTROL] = 0x1c;
	chip->reg[STATUS] = 0x88; /* oscillator stopped; 32 kHz output on */
	chip->reg[TEMPERATURE] = 25;
	chip->pointer = 0;
	chip->tick_ns = chip->now_ns(chip->userdata);
}

/* From here on the counters follow the source, as if they had been set from it; the stop flag stays as it is. */
static void set_clock(struct kryos_model *model, int64_t (*now_ns)(void *userdata), void *userdata)
{
	struct ds3231_model *chip = self(model);
	time_t seconds;
	struct tm date;

	chip->now_ns = now_ns ? now_ns : system_now_ns;
	chip->userdata = now_ns ? userdata : NULL;
	chip->tick_ns = chip->now_ns(chip->userdata);
	if (!now_ns)
		return;
	seconds = (time_t)(chip->tick_ns / 1000000000);
	gmtime_r(&seconds, &date);
	chip->tick_ns -= chip->tick_ns % 1000000000;
	chip->reg[SECONDS] = to_bcd((unsigned int)date.tm_sec);
	chip->reg[MINUTES] = to_bcd((unsigned int)date.tm_min);
	set_hours(chip, (unsigned int)date.tm_hour);
	chip->reg[DAY] = (uint8_t)(date.tm_wday + 1);
	chip->reg[DATE] = to_bcd((unsigned int)date.tm_mday);
	chip->reg[MONTH] = (uint8_t)(to_bcd((unsigned int)date.tm_mon + 1) | (date.tm_year >= 200 ? 0x80 : 0));
	chip->reg[YEAR] = to_bcd((unsigned int)date.tm_year % 100);
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	struct ds3231_model *chip = self(model);
	int64_t quarters = (value_micro + (value_micro < 0 ? -125000 : 125000)) / 250000;

	if (strcmp(quantity, "temperature") != 0)
		return -ENOENT;
	if (quarters > 511)
		quarters = 511;
	if (quarters < -512)
		quarters = -512;
	chip->reg[TEMPERATURE] = (uint8_t)((uint64_t)quarters >> 2);
	chip->reg[TEMPERATURE + 1] = (uint8_t)((uint64_t)quarters << 6);
	return 0;
}

static int peek(struct kryos_model *model, unsigned int reg)
{
	if (reg >= REGISTERS)
		return -ERANGE;
	move_on(self(model));
	return self(model)->reg[reg];
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	if (reg >= REGISTERS)
		return -ERANGE;
	move_on(self(model));
	self(model)->reg[reg] = value;
	return 0;
}

static void write_register(struct ds3231_model *chip, uint8_t value)
{
	uint8_t old = chip->reg[chip->pointer];

	switch (chip->pointer) {
	case SECONDS:
		chip->reg[SECONDS] = value & 0x7f;
		chip->tick_ns = chip->now_ns(chip->userdata); /* writing the seconds starts the second anew */
		break;
	case CONTROL:
		chip->reg[CONTROL] = value & 0xdf; /* a conversion asked for is over at once */
		break;
	case STATUS: /* stop and alarm flags can only be cleared; busy is the chip's */
		chip->reg[STATUS] = (uint8_t)((old & value & 0x83) | (value & 0x08));
		break;
	case TEMPERATURE:
	case TEMPERATURE + 1:
		break;
	default:
		chip->reg[chip->pointer] = value;
		break;
	}
	chip->pointer = (uint8_t)((chip->pointer + 1) % REGISTERS);
}

static int write_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct ds3231_model *chip = self(model);
	size_t i;

	move_on(chip);
	chip->pointer = bytes[0] % REGISTERS;
	for (i = 1; i < count; i++)
		write_register(chip, bytes[i]);
	return 0;
}

/* The time is latched at the start condition, so a burst never mixes two seconds. */
static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct ds3231_model *chip = self(model);
	size_t i;

	move_on(chip);
	for (i = 0; i < count; i++) {
		bytes[i] = chip->reg[chip->pointer];
		chip->pointer = (uint8_t)((chip->pointer + 1) % REGISTERS);
	}
	return 0;
}

static const struct kri_model_ops ds3231_ops = {
	.power_on = power_on,
	.set = set,
	.peek = peek,
	.poke = poke,
	.write = write_bytes,
	.read = read_bytes,
	.set_clock = set_clock,
};

int kryos_fake_bus_add_ds3231(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	return kri_model_add(bus, place, &ds3231_ops, sizeof(struct ds3231_model), ret_model);
}
