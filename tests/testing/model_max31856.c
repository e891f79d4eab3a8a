/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maxim MAX31856, from its data sheet 19-7534: memory map in table 6, data formats in tables 2 and 3, ranges of the
 * types in table 1. A thermocouple of one type is connected; taken for another it measures wrong.
 */
#include "model.h"
#include <errno.h>
#include <math.h>
#include <string.h>

struct max31856_model {
	struct kryos_model model;
	uint8_t reg[16];
	double temperature, junction;
	unsigned int type; /* of the thermocouple, as in CR1 */
	enum kryos_wiring wiring;
	int busy_polls; /* reads of CR0 for which a conversion stays unfinished; -1: for ever */
	int busy_left;
	bool soldered;
	uint8_t pointer;
};

static const uint8_t power_on_registers[16] = { 0x00, 0x03, 0xff, 0x7f, 0xc0, 0x7f, 0xff, 0x80 };

/* By the type's code: B, E, J, K, N, R, S, T. */
static const struct {
	double low, high;
} ranges[8] = { { 250, 1820 },  { -200, 1000 }, { -210, 1200 }, { -200, 1372 },
	        { -200, 1300 }, { -50, 1768 },  { -50, 1768 },  { -200, 400 } };

static struct max31856_model *self(struct kryos_model *model)
{
	return (struct max31856_model *)model;
}

static double s16_at(const struct max31856_model *chip, unsigned int reg)
{
	return (int16_t)(chip->reg[reg] << 8 | chip->reg[reg + 1]);
}

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

static void convert_junction(struct max31856_model *chip)
{
	double junction = chip->junction + (int8_t)chip->reg[9] / 16.0;
	int code = (int)floor(clamp(junction, -64, 127.984375) * 64.0 + 0.5);

	if (junction < -55 || junction > 125)
		chip->reg[15] |= 0x80;
	if (junction > (int8_t)chip->reg[3])
		chip->reg[15] |= 0x20;
	if (junction < (int8_t)chip->reg[4])
		chip->reg[15] |= 0x10;
	chip->reg[10] = (uint8_t)((unsigned int)code >> 6);
	chip->reg[11] = (uint8_t)((unsigned int)code << 2);
}

static double seen_temperature(struct max31856_model *chip)
{
	double t = chip->temperature;

	if ((chip->reg[1] & 15) != chip->type) /* another slope, from the junction on */
		t = chip->junction + (t - chip->junction) * (1.0 + 0.1 * ((chip->reg[1] & 15) - (double)chip->type));
	if (chip->wiring == KRYOS_WIRING_SHORT)
		t = chip->junction;
	if (chip->wiring == KRYOS_WIRING_OPEN) {
		t = chip->junction + 3; /* what leaks in */
		if (chip->reg[0] & 0x30)
			chip->reg[15] |= 0x01;
	}
	return t;
}

static void convert_thermocouple(struct max31856_model *chip)
{
	double t = seen_temperature(chip), low = ranges[chip->reg[1] & 7].low, high = ranges[chip->reg[1] & 7].high;
	int code = (int)floor(clamp(t, low, high) * 128.0 + 0.5);

	if (t < low || t > high)
		chip->reg[15] |= 0x40;
	if (t > s16_at(chip, 5) / 16.0)
		chip->reg[15] |= 0x08;
	if (t < s16_at(chip, 7) / 16.0)
		chip->reg[15] |= 0x04;
	chip->reg[12] = (uint8_t)((unsigned int)code >> 11);
	chip->reg[13] = (uint8_t)((unsigned int)code >> 3);
	chip->reg[14] = (uint8_t)((unsigned int)code << 5 | 0x15); /* the last five mean nothing */
}

/* Faults follow the input (comparator mode). Outside the supply conversions are suspended. */
static void convert(struct max31856_model *chip)
{
	chip->reg[0] &= (uint8_t)~0x40;
	chip->reg[15] = 0;
	if (chip->wiring == KRYOS_WIRING_OVER) {
		chip->reg[15] = 0x02;
		return;
	}
	convert_junction(chip);
	convert_thermocouple(chip);
}

static void power_on(struct kryos_model *model)
{
	struct max31856_model *chip = self(model);

	if (!chip->soldered) { /* the very first time */
		chip->soldered = true;
		chip->type = 3;
		chip->temperature = chip->junction = 20;
	}
	memcpy(chip->reg, power_on_registers, sizeof(chip->reg));
	chip->busy_left = 0;
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	struct max31856_model *chip = self(model);
	double value = (double)value_micro / 1e6;

	if (strcmp(quantity, "temperature") == 0)
		chip->temperature = value;
	else if (strcmp(quantity, "junction") == 0)
		chip->junction = value;
	else if (strcmp(quantity, "type") == 0)
		chip->type = (unsigned int)value;
	else
		return -ENOENT;
	return 0;
}

static int peek(struct kryos_model *model, unsigned int reg)
{
	return reg < 16 ? self(model)->reg[reg] : -ERANGE;
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	if (reg >= 16)
		return -ERANGE;
	self(model)->reg[reg] = value;
	return 0;
}

static void write_register(struct max31856_model *chip, uint8_t reg, uint8_t value)
{
	/* The junction's temperature can be written only where its sensor is switched off. */
	if (reg > 11 || (reg > 9 && !(chip->reg[0] & 0x08)))
		return;
	chip->reg[reg] = reg == 0 ? value & (uint8_t)~0x02 : value;
	if (reg == 0 && (value & 0xc0) == 0x40)
		/* No reading is as quick as to find it done. */
		chip->busy_left = chip->busy_polls ? chip->busy_polls : 1;
}

/* The first byte is the address, bit 7 for a write; then it counts up. */
static int write_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct max31856_model *chip = self(model);

	if (!count)
		return -EIO;
	chip->pointer = bytes[0];
	for (size_t i = 1; i < count; i++, chip->pointer++)
		if (bytes[0] & 0x80)
			write_register(chip, chip->pointer & 0x7f, bytes[i]);
	return 0;
}

static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct max31856_model *chip = self(model);
	bool cr0_read = false;

	if (chip->pointer & 0x80)
		return -EIO;
	for (size_t i = 0; i < count; i++, chip->pointer++) {
		cr0_read |= chip->pointer == 0;
		bytes[i] = chip->pointer < 16 ? chip->reg[chip->pointer] : 0;
	}
	if (cr0_read && chip->reg[0] & 0x40 && chip->busy_left > 0 && --chip->busy_left == 0)
		convert(chip);
	return 0;
}

static void set_busy(struct kryos_model *model, int polls)
{
	struct max31856_model *chip = self(model);

	chip->busy_polls = polls;
	if (chip->busy_left < 0 && polls >= 0) { /* lets one go that would never have ended */
		chip->busy_left = 0;
		if (chip->reg[0] & 0x40)
			convert(chip);
	}
}

static void set_wiring(struct kryos_model *model, enum kryos_wiring wiring)
{
	self(model)->wiring = wiring;
}

static const struct kri_model_ops max31856_ops = {
	.wire = KRI_WIRE_SPI,
	.power_on = power_on,
	.set = set,
	.peek = peek,
	.poke = poke,
	.write = write_bytes,
	.read = read_bytes,
	.set_busy = set_busy,
	.set_wiring = set_wiring,
	.spi_modes = 1 << 1 | 1 << 3,
	.spi_max_hz = 5000000,
};

int kryos_fake_bus_add_max31856(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	return kri_model_add(bus, place, &max31856_ops, sizeof(struct max31856_model), ret_model);
}
