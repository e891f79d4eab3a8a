/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maxim MAX31865, from its data sheet 19-6478: registers in tables 1 to 7, what broken wiring does in tables 10 to 12.
 * The element follows IEC 60751. Time does not pass, but order matters: a conversion in the transfer that switches the
 * bias on samples an input that has not settled.
 */
#include "model.h"
#include <errno.h>
#include <math.h>
#include <string.h>

struct max31865_model {
	struct kryos_model model;
	uint8_t reg[8];
	double temperature, nominal, reference;
	double lead; /* of one lead in Ohm; there are three */
	enum kryos_wiring wiring;
	bool settled;   /* the bias was on before this transfer */
	int busy_polls; /* reads of the configuration for which a conversion stays unfinished; -1: for ever */
	int busy_left;
	int cycle_left; /* the same of the second half of a fault detection cycle, or of an automatic one */
	bool cycle_full;
	/* The transfer under way. */
	uint8_t pointer;
};

static struct max31865_model *self(struct kryos_model *model)
{
	return (struct max31865_model *)model;
}

static double element_resistance(const struct max31865_model *chip)
{
	double t = chip->temperature, r = 100.0 + 0.39083 * t - 5.775e-5 * t * t;

	if (t < 0)
		r -= 4.183e-10 * t * t * t * (t - 100.0);
	return r * chip->nominal / 100.0;
}

static void set_fault(struct max31865_model *chip, uint8_t bit)
{
	chip->reg[7] |= bit;
}

static void refresh_fault_bit(struct max31865_model *chip)
{
	if (chip->wiring == KRYOS_WIRING_OVER)
		set_fault(chip, 0x04);
	chip->reg[2] = (uint8_t)((chip->reg[2] & 0xfe) | (chip->reg[7] != 0));
}

static void convert(struct max31865_model *chip)
{
	double resistance = element_resistance(chip) + (chip->reg[0] & 0x10 ? 0 : chip->lead);
	double code = resistance / chip->reference * 32768.0;
	unsigned int value, high, low;

	if (!chip->settled)
		code *= 0.6;
	if (chip->wiring == KRYOS_WIRING_OPEN)
		code = 32767;
	if (chip->wiring == KRYOS_WIRING_SHORT)
		code = 3;
	if (chip->wiring == KRYOS_WIRING_OVER)
		code *= 1.01;
	code = floor(code + 0.5);
	value = code < 0 ? 0 : code > 32767 ? 32767 : (unsigned int)code;
	chip->reg[1] = (uint8_t)(value >> 7);
	chip->reg[2] = (uint8_t)(value << 1);
	high = (unsigned int)(chip->reg[3] << 8 | chip->reg[4]) >> 1;
	low = (unsigned int)(chip->reg[5] << 8 | chip->reg[6]) >> 1;
	if (value >= high)
		set_fault(chip, 0x80);
	if (value <= low)
		set_fault(chip, 0x40);
	chip->reg[0] &= (uint8_t)~0x20;
	refresh_fault_bit(chip);
}

static void check_closed(struct max31865_model *chip)
{
	if (chip->wiring == KRYOS_WIRING_OPEN)
		set_fault(chip, 0x20);
	refresh_fault_bit(chip);
}

static void check_open(struct max31865_model *chip)
{
	if (chip->wiring == KRYOS_WIRING_GROUND)
		set_fault(chip, 0x18);
	refresh_fault_bit(chip);
}

static void end_cycle(struct max31865_model *chip)
{
	if (chip->cycle_full)
		check_closed(chip);
	check_open(chip);
	chip->reg[0] &= (uint8_t)~0x0c;
}

static void power_on(struct kryos_model *model)
{
	struct max31865_model *chip = self(model);

	if (chip->nominal == 0) { /* the very first time: as it is soldered */
		chip->nominal = 100;
		chip->reference = 430;
		chip->temperature = 20;
	}
	memset(chip->reg, 0, sizeof(chip->reg));
	chip->reg[3] = chip->reg[4] = 0xff;
	chip->settled = false;
	chip->busy_left = chip->cycle_left = 0;
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	struct max31865_model *chip = self(model);
	double value = (double)value_micro / 1e6;

	if (strcmp(quantity, "temperature") == 0)
		chip->temperature = value;
	else if (strcmp(quantity, "element") == 0)
		chip->nominal = value;
	else if (strcmp(quantity, "reference") == 0)
		chip->reference = value;
	else if (strcmp(quantity, "lead") == 0)
		chip->lead = value;
	else
		return -ENOENT;
	return 0;
}

static int peek(struct kryos_model *model, unsigned int reg)
{
	return reg < 8 ? self(model)->reg[reg] : -ERANGE;
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	if (reg >= 8)
		return -ERANGE;
	self(model)->reg[reg] = value;
	return 0;
}

static void write_configuration(struct max31865_model *chip, uint8_t value)
{
	unsigned int cycle = value >> 2 & 3, before = chip->reg[0] >> 2 & 3;

	chip->settled = chip->reg[0] & value & 0x80;
	chip->reg[0] = value & (uint8_t)~0x02;
	if ((value & 0x2e) == 0x02) /* only with these other bits clear, page 13 */
		chip->reg[7] = 0;
	refresh_fault_bit(chip);
	if ((value & 0xe0) != 0x80)
		chip->reg[0] &= (uint8_t)~0x0c; /* a cycle runs with the bias on and no conversion asked for */
	else if (cycle == 2)
		check_closed(chip);
	else if (cycle == 1 || (cycle == 3 && before == 2)) {
		chip->cycle_full = cycle == 1;
		chip->cycle_left = 2;
	}
	if ((value & 0x60) == 0x20) {
		/* No reading of the configuration is as quick as to find it done. */
		chip->busy_left = chip->busy_polls ? chip->busy_polls : 1;
	}
}

static void write_register(struct max31865_model *chip, uint8_t reg, uint8_t value)
{
	if (reg == 0)
		write_configuration(chip, value);
	else if (reg >= 3 && reg <= 6)
		chip->reg[reg] = value;
}

/* The first byte is the address, bit 7 for a write; then it counts up. */
static int write_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct max31865_model *chip = self(model);

	if (!count)
		return -EIO;
	chip->pointer = bytes[0];
	for (size_t i = 1; i < count; i++, chip->pointer++)
		if (bytes[0] & 0x80)
			write_register(chip, chip->pointer & 0x7f, bytes[i]);
	return 0;
}

static void configuration_was_read(struct max31865_model *chip)
{
	if (chip->reg[0] & 0x20 && chip->busy_left > 0 && --chip->busy_left == 0)
		convert(chip);
	if (chip->cycle_left > 0 && --chip->cycle_left == 0)
		end_cycle(chip);
}

static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct max31865_model *chip = self(model);
	bool configuration_read = false;

	if (chip->pointer & 0x80)
		return -EIO;
	for (size_t i = 0; i < count; i++, chip->pointer++) {
		configuration_read |= chip->pointer == 0;
		bytes[i] = chip->pointer < 8 ? chip->reg[chip->pointer] : 0;
	}
	if (configuration_read)
		configuration_was_read(chip);
	return 0;
}

static void set_busy(struct kryos_model *model, int polls)
{
	struct max31865_model *chip = self(model);

	chip->busy_polls = polls;
	if (chip->busy_left < 0 && polls >= 0) { /* lets one go that would never have ended */
		chip->busy_left = 0;
		if (chip->reg[0] & 0x20)
			convert(chip);
	}
}

static void set_wiring(struct kryos_model *model, enum kryos_wiring wiring)
{
	self(model)->wiring = wiring;
}

static const struct kri_model_ops max31865_ops = {
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

int kryos_fake_bus_add_max31865(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	return kri_model_add(bus, place, &max31865_ops, sizeof(struct max31865_model), ret_model);
}
