/* SPDX-License-Identifier: Apache-2.0 */
/* Texas Instruments INA226 with a shunt of 0.1 Ohm, from its data sheet SBOS547B: registers in section 7.1. */
#include "model.h"
#include <errno.h>
#include <math.h>
#include <string.h>

struct ina226_model {
	struct kryos_model model;
	uint16_t reg[256];
	uint8_t pointer;
	bool made;
	double voltage, current;
	int busy_polls, busy_left;
};

static struct ina226_model *self(struct kryos_model *model)
{
	return (struct ina226_model *)model;
}

static double clip(double code, double low, double high)
{
	return code < low ? low : code > high ? high : code;
}

/* 6.3.1, 7.1.2, 7.1.3: which of the two is converted is in the mode's lower two bits. */
static void measure(struct ina226_model *chip)
{
	if (chip->reg[0] & 1)
		chip->reg[1] = (uint16_t)(int16_t)clip(round(chip->current * 0.1 / 2.5e-6), -32768, 32767);
	if (chip->reg[0] & 2)
		chip->reg[2] = (uint16_t)clip(round(chip->voltage / 1.25e-3), 0, 32767);
	chip->reg[6] |= 0x0008;
}

static void power_on(struct kryos_model *model)
{
	struct ina226_model *chip = self(model);

	if (!chip->made) { /* the very first time: what is burnt in */
		chip->made = true;
		chip->reg[0xfe] = 0x5449;
		chip->reg[0xff] = 0x2260;
	}
	memset(chip->reg, 0, 8 * sizeof(chip->reg[0]));
	chip->reg[0] = 0x4127;
	chip->pointer = 0;
	chip->busy_left = 0;
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	if (strcmp(quantity, "voltage") == 0)
		self(model)->voltage = (double)value_micro / 1e6;
	else if (strcmp(quantity, "current") == 0)
		self(model)->current = (double)value_micro / 1e6;
	else
		return -ENOENT;
	return 0;
}

/* Byte by byte, the most significant one of each register first. */
static int peek(struct kryos_model *model, unsigned int reg)
{
	if (reg >= 512)
		return -ERANGE;
	return self(model)->reg[reg / 2] >> (reg % 2 ? 0 : 8) & 0xff;
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	uint16_t *at = &self(model)->reg[reg / 2 % 256];

	if (reg >= 512)
		return -ERANGE;
	*at = (uint16_t)(reg % 2 ? (*at & 0xff00) | value : (*at & 0x00ff) | value << 8);
	return 0;
}

/* Starts what its mode says, and clears the ready flag, unless it says to power down (7.1.7). */
static void write_config(struct ina226_model *chip, unsigned int value)
{
	if (value & 0x8000) {
		power_on(&chip->model);
		return;
	}
	chip->reg[0] = (uint16_t)((value & 0x0fff) | 0x4000);
	chip->busy_left = 0;
	if ((value & 3) == 0)
		return;
	chip->reg[6] &= (uint16_t)~0x0008;
	chip->busy_left = chip->busy_polls;
	if (!chip->busy_left)
		measure(chip);
}

/* 6.5.5.3: the first byte points to a register; two more are written there. */
static int write_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct ina226_model *chip = self(model);
	unsigned int value;

	chip->pointer = bytes[0];
	if (count < 3)
		return 0;
	value = (unsigned int)bytes[1] << 8 | bytes[2];
	if (chip->pointer == 0)
		write_config(chip, value);
	else if (chip->pointer == 5 || chip->pointer == 7)
		chip->reg[chip->pointer] = (uint16_t)value;
	else if (chip->pointer == 6)
		chip->reg[6] = (uint16_t)((value & 0xfc03) | (chip->reg[6] & 0x001c));
	return 0;
}

static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct ina226_model *chip = self(model);

	if ((chip->reg[0] & 4) && (chip->reg[0] & 3))
		measure(chip); /* continuous mode: another one has ended meanwhile */
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(chip->reg[chip->pointer] >> (i % 2 ? 0 : 8));
	if (chip->pointer != 6)
		return 0;
	chip->reg[6] &= (uint16_t)~0x0008;
	if (chip->busy_left > 0 && --chip->busy_left == 0)
		measure(chip);
	return 0;
}

static void set_busy(struct kryos_model *model, int polls)
{
	struct ina226_model *chip = self(model);

	chip->busy_polls = polls;
	if (chip->busy_left < 0 && polls >= 0) { /* lets one go that would never have ended */
		chip->busy_left = 0;
		measure(chip);
	}
}

static const struct kri_model_ops ina226_ops = {
	.power_on = power_on,
	.set = set,
	.peek = peek,
	.poke = poke,
	.write = write_bytes,
	.read = read_bytes,
	.set_busy = set_busy,
};

int kryos_fake_bus_add_ina226(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	return kri_model_add(bus, place, &ina226_ops, sizeof(struct ina226_model), ret_model);
}
