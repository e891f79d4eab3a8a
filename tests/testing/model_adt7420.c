/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Analog Devices ADT7420, from its data sheet, revision 0: registers in table 6, status in table 10, configuration in
 * table 11, temperature data format.
 */
#include "model.h"
#include <errno.h>
#include <math.h>
#include <string.h>

struct adt7420_model {
	struct kryos_model model;
	uint8_t reg[12];
	uint8_t pointer;
	double temperature;
	int busy_polls; /* readings of the status for which each conversion stays unfinished; -1: for ever */
	int busy_left;
};

static struct adt7420_model *self(struct kryos_model *model)
{
	return (struct adt7420_model *)model;
}

/* With 13 bits, the three lowest of the 16 are flags of the limits, which are not crossed here. */
static void finish(struct adt7420_model *chip)
{
	double step = chip->reg[3] & 0x80 ? 1.0 : 8.0, steps = floor(chip->temperature * 128.0 / step + 0.5) * step;

	if (steps > 32767.0)
		steps = 32767.0;
	if (steps < -32768.0)
		steps = -32768.0;
	chip->reg[0] = (uint8_t)((int)steps >> 8);
	chip->reg[1] = (uint8_t)(int)steps;
	chip->reg[2] &= 0x7f;
}

static void power_on(struct kryos_model *model)
{
	static const uint8_t values[] = { 0, 0, 0, 0, 0x20, 0, 0x05, 0, 0x49, 0x80, 0x05 };
	struct adt7420_model *chip = self(model);

	if (!chip->reg[11]) { /* the very first time */
		chip->temperature = 20;
		chip->reg[11] = 0xcb;
	}
	memcpy(chip->reg, values, sizeof(values));
	chip->pointer = 0;
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
	return reg < sizeof(self(model)->reg) ? self(model)->reg[reg] : -ERANGE;
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	if (reg >= sizeof(self(model)->reg))
		return -ERANGE;
	self(model)->reg[reg] = value;
	return 0;
}

/* RDY is set by a write to the mode; in continuous mode the next conversion is 240 ms away. */
static void configure(struct adt7420_model *chip, uint8_t value)
{
	chip->reg[3] = value;
	chip->reg[2] |= 0x80;
	chip->busy_left = 0;
	if ((value & 0x60) != 0x20)
		return;
	chip->busy_left = chip->busy_polls;
	if (!chip->busy_left)
		finish(chip);
}

static int write_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct adt7420_model *chip = self(model);
	size_t i;

	chip->pointer = bytes[0];
	if (bytes[0] == 0x2f)
		power_on(model);
	for (i = 1; i < count; i++, chip->pointer++) {
		if (chip->pointer == 3)
			configure(chip, bytes[i]);
		else if (chip->pointer >= 4 && chip->pointer <= 10)
			chip->reg[chip->pointer] = bytes[i];
	}
	return 0;
}

static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct adt7420_model *chip = self(model);
	size_t i;

	for (i = 0; i < count; i++) {
		bytes[i] = chip->pointer < sizeof(chip->reg) ? chip->reg[chip->pointer] : 0;
		if (chip->pointer == 1)
			chip->reg[2] |= 0x80;
		if (chip->pointer == 2 && chip->busy_left > 0 && --chip->busy_left == 0)
			finish(chip);
		chip->pointer++;
	}
	return 0;
}

static void set_busy(struct kryos_model *model, int polls)
{
	struct adt7420_model *chip = self(model);

	chip->busy_polls = polls;
	if (chip->busy_left < 0 && polls >= 0) { /* lets one go that would never have ended */
		chip->busy_left = 0;
		finish(chip);
	}
}

int kryos_fake_bus_add_adt7420(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	static const struct kri_model_ops ops = { .power_on = power_on,
		                                  .set = set,
		                                  .peek = peek,
		                                  .poke = poke,
		                                  .write = write_bytes,
		                                  .read = read_bytes,
		                                  .set_busy = set_busy };

	return kri_model_add(bus, place, &ops, sizeof(struct adt7420_model), ret_model);
}
