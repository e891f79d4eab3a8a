/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texas Instruments TMP117, from its data sheet SNOSD82D: register map in 7.6, modes in 7.4. Registers are words; peek
 * and poke count their bytes, so that 2 is the high byte of register 1.
 */
#include "model.h"
#include <errno.h>
#include <math.h>
#include <string.h>

struct tmp117_model {
	struct kryos_model model;
	uint16_t reg[16];
	uint8_t pointer;
	double temperature;
	int eeprom_polls; /* readings of the configuration for which the EEPROM is still being read */
	int busy_polls;   /* the same for each conversion; -1: for ever */
	int busy_left;
};

static struct tmp117_model *self(struct kryos_model *model)
{
	return (struct tmp117_model *)model;
}

/* A conversion ends: the offset is added (7.6, Temp_Offset), Data_Ready is set, one shot ends in shutdown. */
static void finish(struct tmp117_model *chip)
{
	double steps = floor(chip->temperature * 128.0 + 0.5) + (int16_t)chip->reg[7];

	if (steps < -32768.0)
		steps = -32768.0;
	if (steps > 32767.0)
		steps = 32767.0;
	chip->reg[0] = (uint16_t)(int)steps;
	chip->reg[1] |= 0x2000;
	if ((chip->reg[1] & 0x0c00) == 0x0c00)
		chip->reg[1] &= (uint16_t)~0x0800u;
}

/* As delivered; what it was programmed with stays. */
static void power_on(struct kryos_model *model)
{
	struct tmp117_model *chip = self(model);
	uint16_t unique[3];

	memcpy(unique, (const uint16_t[]){ chip->reg[5], chip->reg[6], chip->reg[8] }, sizeof(unique));
	if (!chip->reg[15]) { /* the very first time */
		chip->temperature = 20;
		chip->reg[15] = 0x0117;
	}
	chip->reg[0] = 0x8000;
	chip->reg[1] = 0x1220;
	chip->reg[2] = 0x6000;
	chip->reg[3] = 0x8000;
	chip->reg[4] = 0;
	chip->reg[5] = unique[0];
	chip->reg[6] = unique[1];
	chip->reg[8] = unique[2];
	chip->reg[7] = 0;
	chip->pointer = 0;
	chip->eeprom_polls = 2;
	chip->busy_left = 0;
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	if (strcmp(quantity, "temperature") != 0)
		return -ENOENT;
	self(model)->temperature = (double)value_micro / 1e6;
	return 0;
}

static int peek(struct kryos_model *model, unsigned int reg)
{
	if (reg >= 32)
		return -ERANGE;
	return self(model)->reg[reg / 2] >> (reg % 2 ? 0 : 8) & 0xff;
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	struct tmp117_model *chip = self(model);

	if (reg >= 32)
		return -ERANGE;
	chip->reg[reg / 2] = (uint16_t)(reg % 2 ? (chip->reg[reg / 2] & 0xff00) | value
	                                        : (chip->reg[reg / 2] & 0x00ff) | value << 8);
	return 0;
}

/* Mode 2 is the same as 0 and reads so. In continuous mode the next conversion is a second away. */
static void configure(struct tmp117_model *chip, uint16_t value)
{
	chip->reg[1] = (uint16_t)((chip->reg[1] & 0xf000) | (value & 0x0ffc));
	chip->reg[1] &= (uint16_t)~0x2000u;
	chip->busy_left = 0;
	if ((value & 0x0c00) == 0x0800)
		chip->reg[1] &= (uint16_t)~0x0c00u;
	if ((value & 0x0c00) != 0x0c00)
		return;
	chip->busy_left = chip->busy_polls;
	if (!chip->busy_left)
		finish(chip);
}

static int write_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct tmp117_model *chip = self(model);
	uint16_t value;

	chip->pointer = bytes[0] & 15;
	if (count < 3)
		return 0;
	value = (uint16_t)(bytes[1] << 8 | bytes[2]);
	if (chip->pointer == 1 && value & 2)
		power_on(model);
	else if (chip->pointer == 1)
		configure(chip, value);
	else if (chip->pointer >= 2 && chip->pointer <= 8)
		chip->reg[chip->pointer] = value;
	return 0;
}

static void configuration_was_read(struct tmp117_model *chip)
{
	chip->reg[1] &= (uint16_t)~0xe000u;
	if (chip->eeprom_polls > 0 && --chip->eeprom_polls == 0)
		chip->reg[1] &= (uint16_t)~0x1000u;
	if (chip->busy_left > 0 && --chip->busy_left == 0)
		finish(chip);
}

static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct tmp117_model *chip = self(model);
	size_t i;

	for (i = 0; i < count; i++)
		bytes[i] = (uint8_t)(chip->reg[chip->pointer] >> (i % 2 ? 0 : 8));
	if (chip->pointer == 0)
		chip->reg[1] &= (uint16_t)~0x2000u;
	if (chip->pointer == 1)
		configuration_was_read(chip);
	return 0;
}

static void set_busy(struct kryos_model *model, int polls)
{
	struct tmp117_model *chip = self(model);

	chip->busy_polls = polls;
	if (chip->busy_left < 0 && polls >= 0) { /* lets one go that would never have ended */
		chip->busy_left = 0;
		finish(chip);
	}
}

int kryos_fake_bus_add_tmp117(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	static const struct kri_model_ops ops = { .power_on = power_on,
		                                  .set = set,
		                                  .peek = peek,
		                                  .poke = poke,
		                                  .write = write_bytes,
		                                  .read = read_bytes,
		                                  .set_busy = set_busy };

	return kri_model_add(bus, place, &ops, sizeof(struct tmp117_model), ret_model);
}
