/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Microchip MCP9808, from its data sheet DS25095A: registers in 5.1, resolution in 5.2.4. Registers are words, but for
 * the resolution; peek and poke count their bytes, so that 2 is the high byte of register 1.
 */
#include "model.h"
#include <errno.h>
#include <math.h>
#include <string.h>

enum { CONFIG = 1, UPPER, LOWER, CRITICAL, AMBIENT, MAKER, DEVICE, RESOLUTION, REGISTERS };

struct mcp9808_model {
	struct kryos_model model;
	uint16_t reg[REGISTERS];
	uint8_t pointer;
	double temperature;
	int first; /* readings of the temperature before the first conversion after a power-up has ended */
};

static struct mcp9808_model *self(struct kryos_model *model)
{
	return (struct mcp9808_model *)model;
}

static void power_on(struct kryos_model *model)
{
	struct mcp9808_model *chip = self(model);

	if (!chip->reg[MAKER]) { /* the very first time */
		chip->temperature = 20;
		chip->reg[MAKER] = 0x0054;
		chip->reg[DEVICE] = 0x0400;
	}
	chip->reg[CONFIG] = chip->reg[UPPER] = chip->reg[LOWER] = chip->reg[CRITICAL] = chip->reg[AMBIENT] = 0;
	chip->reg[RESOLUTION] = 3;
	chip->pointer = 0;
	chip->first = 2;
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
	if (reg >= 2 * REGISTERS)
		return -ERANGE;
	return self(model)->reg[reg / 2] >> (reg % 2 ? 0 : 8) & 0xff;
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	struct mcp9808_model *chip = self(model);

	if (reg >= 2 * REGISTERS)
		return -ERANGE;
	chip->reg[reg / 2] = (uint16_t)(reg % 2 ? (chip->reg[reg / 2] & 0xff00) | value
	                                        : (chip->reg[reg / 2] & 0x00ff) | value << 8);
	return 0;
}

/* Limits have quarters of a degree, in the temperature's place and with its sign (5.1.2). */
static double limit(const struct mcp9808_model *chip, unsigned int reg)
{
	double sixteenths = chip->reg[reg] & 0x0ffc;

	return (chip->reg[reg] & 0x1000 ? sixteenths - 4096.0 : sixteenths) / 16.0;
}

/* 5.1.3: in what the resolution leaves, with the three comparisons above it. */
static void convert(struct mcp9808_model *chip)
{
	double step = 8.0 / (1 << (chip->reg[RESOLUTION] & 3)), value;
	int sixteenths = (int)(floor(chip->temperature * 16.0 / step + 0.5) * step);

	value = sixteenths / 16.0;
	chip->reg[AMBIENT] = (uint16_t)(sixteenths & 0x1fff);
	if (value >= limit(chip, CRITICAL))
		chip->reg[AMBIENT] |= 0x8000;
	if (value > limit(chip, UPPER))
		chip->reg[AMBIENT] |= 0x4000;
	if (value < limit(chip, LOWER))
		chip->reg[AMBIENT] |= 0x2000;
}

/* 5.1.1: locked, the hysteresis stays and the chip can't be shut down, only woken. */
static void configure(struct mcp9808_model *chip, uint16_t value)
{
	uint16_t old = chip->reg[CONFIG], locks = old & 0xc0;

	value &= 0x07ef;
	if (locks)
		value = (uint16_t)((value & ~0x0600) | (old & 0x0600) | locks);
	if (locks && !(old & 0x0100))
		value &= (uint16_t)~0x0100;
	chip->reg[CONFIG] = value & (uint16_t)~0x20; /* the interrupt that it clears */
	/* Whoever sets it up waits for the first conversion, and a simulated clock's conversions take no time. */
	chip->first = 0;
}

static int write_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct mcp9808_model *chip = self(model);

	chip->pointer = bytes[0] & 15;
	if (chip->pointer == RESOLUTION && count == 2)
		chip->reg[RESOLUTION] = bytes[1] & 3;
	if (count != 3)
		return 0;
	if (chip->pointer == CONFIG)
		configure(chip, (uint16_t)(bytes[1] << 8 | bytes[2]));
	else if (chip->pointer >= UPPER && chip->pointer <= CRITICAL)
		chip->reg[chip->pointer] = (uint16_t)((bytes[1] << 8 | bytes[2]) & 0x1ffc);
	return 0;
}

static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct mcp9808_model *chip = self(model);
	uint16_t value;
	size_t i;

	if (chip->pointer == AMBIENT && chip->first > 0)
		chip->first--;
	else if (chip->pointer == AMBIENT && !(chip->reg[CONFIG] & 0x0100))
		convert(chip);
	value = chip->pointer < REGISTERS ? chip->reg[chip->pointer] : 0;
	if (chip->pointer == RESOLUTION)
		value = (uint16_t)(value << 8);
	for (i = 0; i < count; i++)
		bytes[i] = (uint8_t)(value >> (i % 2 ? 0 : 8));
	return 0;
}

int kryos_fake_bus_add_mcp9808(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	static const struct kri_model_ops ops = {
		.power_on = power_on, .set = set, .peek = peek, .poke = poke, .write = write_bytes, .read = read_bytes
	};

	return kri_model_add(bus, place, &ops, sizeof(struct mcp9808_model), ret_model);
}
