/* SPDX-License-Identifier: Apache-2.0 */
/* Texas Instruments ADS1115, from its data sheet SBAS444, "Register Map" and "Device Functional Modes". */
#include "model.h"
#include <errno.h>
#include <math.h>
#include <string.h>

struct ads1115_model {
	struct kryos_model model;
	uint16_t reg[4]; /* result, settings, the comparator's limits */
	unsigned int pointer;
	uint16_t taken;     /* the settings when the conversion was begun */
	uint16_t limits[2]; /* that it powers on with */
	bool made;
	double pin[4]; /* volts */
	double ntc;    /* ohm, at AIN0; 0: none */
	int busy_polls, busy_left;
	bool timed; /* by the bus's transfers instead */
	int64_t left_ns;
};

static struct ads1115_model *self(struct kryos_model *model)
{
	return (struct ads1115_model *)model;
}

/* MUX of the config register: which pin is taken from which; -1: ground. */
static double at_mux(const struct ads1115_model *chip)
{
	static const signed char from[8] = { 0, 0, 1, 2, 0, 1, 2, 3 }, taken[8] = { 1, 3, 3, 3, -1, -1, -1, -1 };
	unsigned int mux = chip->taken >> 12 & 7;

	return chip->pin[(int)from[mux]] - (taken[mux] < 0 ? 0 : chip->pin[(int)taken[mux]]);
}

/* Below 10 kOhm at 3.3 V: the NTC, and what the input takes against ground in each range, in megohm. */
static double ntc_divider(const struct ads1115_model *chip)
{
	static const double common[8] = { 10, 6, 6, 3, 100, 100, 100, 100 };
	static const double differential[8] = { 22, 15, 4.9, 2.4, 0.71, 0.71, 0.71, 0.71 };
	unsigned int range = chip->taken >> 9 & 7;
	double siemens = 1 / chip->ntc + 1e-6 / common[range] + 1e-6 / differential[range];

	return 3.3 / (1 + 10000 * siemens);
}

static void convert(struct ads1115_model *chip)
{
	static const double full_scale[8] = { 6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256 };
	double code;

	if (chip->ntc > 0)
		chip->pin[0] = ntc_divider(chip);
	code = round(at_mux(chip) / full_scale[chip->taken >> 9 & 7] * 32768);

	code = code > 32767 ? 32767 : code < -32768 ? -32768 : code;
	chip->reg[0] = (uint16_t)(int16_t)code;
	chip->reg[1] |= 0x8000;
}

static void power_on(struct kryos_model *model)
{
	struct ads1115_model *chip = self(model);

	if (!chip->made) {
		chip->made = true;
		chip->limits[0] = 0x8000;
		chip->limits[1] = 0x7fff;
	}
	chip->reg[0] = 0;
	chip->reg[1] = 0x8583;
	memcpy(chip->reg + 2, chip->limits, sizeof(chip->limits));
	chip->pointer = 0;
	chip->busy_left = 0;
}

/* "voltage" is at AIN0, "voltage1" at AIN1, and so on. */
static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	static const char *const names[4] = { "voltage", "voltage1", "voltage2", "voltage3" };

	if (strcmp(quantity, "temperature") == 0) {
		self(model)->ntc = 10000 * exp(3977 * (1 / ((double)value_micro / 1e6 + 273.15) - 1 / 298.15));
		return 0;
	}
	for (unsigned int i = 0; i < 4; i++) {
		if (strcmp(quantity, names[i]) != 0)
			continue;
		self(model)->pin[i] = (double)value_micro / 1e6;
		if (i == 0)
			self(model)->ntc = 0;
		return 0;
	}
	return -ENOENT;
}

/* Byte by byte, the most significant one of each register first. */
static int peek(struct kryos_model *model, unsigned int reg)
{
	if (reg >= 8)
		return -ERANGE;
	return self(model)->reg[reg / 2] >> (reg % 2 ? 0 : 8) & 0xff;
}

/* A chip that powers on with other limits is another chip. */
static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	struct ads1115_model *chip = self(model);
	uint16_t *at = &chip->reg[reg / 2 % 4];

	if (reg >= 8)
		return -ERANGE;
	*at = (uint16_t)(reg % 2 ? (*at & 0xff00) | value : (*at & 0x00ff) | value << 8);
	if (reg >= 4)
		chip->limits[reg / 2 - 2] = *at;
	return 0;
}

/* OS starts a conversion where none is under way, and reads 0 while one is, which keeps the settings it has begun with.
 */
static void write_config(struct ads1115_model *chip, unsigned int value)
{
	static const int rates[8] = { 8, 16, 32, 64, 128, 250, 475, 860 };
	bool idle = chip->busy_left == 0;

	chip->reg[1] = (uint16_t)((value & 0x7fff) | (idle ? 0x8000 : 0));
	if (!(value & 0x8000) || !idle)
		return;
	chip->taken = chip->reg[1];
	/* A driver may look at once, and no conversion is as quick. */
	chip->busy_left = chip->busy_polls ? chip->busy_polls : 1;
	chip->left_ns = INT64_C(1000000000) / rates[value >> 5 & 7];
	chip->reg[1] &= 0x7fff;
}

/* The first byte points to a register; two more are written there. */
static int write_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct ads1115_model *chip = self(model);

	chip->pointer = bytes[0] & 3;
	if (count < 3)
		return 0;
	if (chip->pointer == 1)
		write_config(chip, (unsigned int)bytes[1] << 8 | bytes[2]);
	else if (chip->pointer > 1)
		chip->reg[chip->pointer] = (uint16_t)(bytes[1] << 8 | bytes[2]);
	return 0;
}

static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct ads1115_model *chip = self(model);

	if (!(chip->reg[1] & 0x0100)) { /* continuous mode: another one has ended meanwhile */
		chip->taken = chip->reg[1];
		convert(chip);
	}
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(chip->reg[chip->pointer] >> (i % 2 ? 0 : 8));
	if (!chip->timed && chip->pointer == 1 && chip->busy_left > 0 && --chip->busy_left == 0)
		convert(chip);
	return 0;
}

static void elapse(struct kryos_model *model, int64_t ns)
{
	struct ads1115_model *chip = self(model);

	chip->timed = ns > 0;
	chip->left_ns -= ns;
	if (chip->timed && chip->busy_left > 0 && chip->left_ns <= 0) {
		chip->busy_left = 0;
		convert(chip);
	}
}

static void set_busy(struct kryos_model *model, int polls)
{
	struct ads1115_model *chip = self(model);

	chip->busy_polls = polls;
	if (chip->busy_left < 0 && polls >= 0) { /* lets one go that would never have ended */
		chip->busy_left = 0;
		convert(chip);
	}
}

static const struct kri_model_ops ads1115_ops = {
	.power_on = power_on,
	.set = set,
	.peek = peek,
	.poke = poke,
	.write = write_bytes,
	.read = read_bytes,
	.set_busy = set_busy,
	.elapse = elapse,
};

int kryos_fake_bus_add_ads1115(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	return kri_model_add(bus, place, &ads1115_ops, sizeof(struct ads1115_model), ret_model);
}
