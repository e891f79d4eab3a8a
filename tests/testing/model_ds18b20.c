/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maxim DS18B20, from its data sheet 19-7487: the scratchpad (figure 9), its power-on state, the
 * configuration register (figure 10, table 2). Byte 6 is called reserved there; genuine chips hold
 * 0x0C in it until the first conversion and 16 minus the sixteenths after one.
 */
#include "model.h"
#include <errno.h>
#include <string.h>

struct ds18b20_model {
	struct kryos_model model;
	uint8_t scratchpad[9];
	uint8_t eeprom[3]; /* T_H, T_L, configuration: survive a power cut */
	double temperature;
	bool conversion_lost; /* the supply broke down between conversion and reading */
	bool frozen;          /* bytes were poked: conversions leave them alone */
};

static struct ds18b20_model *self(struct kryos_model *model)
{
	return (struct ds18b20_model *)model;
}

/* As the data sheet draws it (figure 11): a shift register with feedback into stages 8, 5 and 4. */
static uint8_t checksum(const uint8_t *bytes, size_t count)
{
	unsigned int stages = 0, feedback, bit;
	size_t i;

	for (i = 0; i < count; i++) {
		for (bit = 0; bit < 8; bit++) {
			feedback = (stages ^ (unsigned int)(bytes[i] >> bit)) & 1;
			stages >>= 1;
			if (feedback)
				stages ^= 1u << 7 | 1u << 3 | 1u << 2;
		}
	}
	return (uint8_t)stages;
}

static void load_power_on_values(struct ds18b20_model *chip)
{
	static const uint8_t values[] = { 0x50, 0x05, 0, 0, 0, 0xff, 0x0c, 0x10 };

	memcpy(chip->scratchpad, values, sizeof(values));
	memcpy(chip->scratchpad + 2, chip->eeprom, sizeof(chip->eeprom));
	chip->scratchpad[8] = checksum(chip->scratchpad, 8);
	chip->frozen = false;
}

static void power_on(struct kryos_model *model)
{
	struct ds18b20_model *chip = self(model);

	if (!chip->eeprom[2]) { /* the very first time: as delivered, 12 bits */
		memcpy(chip->eeprom, (const uint8_t[]){ 0x4b, 0x46, 0x7f }, sizeof(chip->eeprom));
		chip->temperature = 20;
	}
	load_power_on_values(chip);
	chip->conversion_lost = false;
}

static void reset(struct kryos_model *model)
{
	power_on(model);
	self(model)->conversion_lost = true;
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	if (strcmp(quantity, "temperature") != 0)
		return -ENOENT;
	self(model)->temperature = (double)value_micro / 1e6;
	self(model)->frozen = false;
	return 0;
}

static int peek(struct kryos_model *model, unsigned int reg)
{
	return reg < 9 ? self(model)->scratchpad[reg] : -ERANGE;
}

/* T_H, T_L and configuration are written for good; any other byte stays until something is set. The CRC follows. */
static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	struct ds18b20_model *chip = self(model);

	if (reg > 8)
		return -ERANGE;
	chip->scratchpad[reg] = value;
	if (reg >= 2 && reg <= 4)
		chip->eeprom[reg - 2] = value;
	else
		chip->frozen = true;
	if (reg != 8)
		chip->scratchpad[8] = checksum(chip->scratchpad, 8);
	return 0;
}

static void convert(struct kryos_model *model, uint8_t scratchpad[9])
{
	struct ds18b20_model *chip = self(model);
	unsigned int resolution = chip->scratchpad[4] >> 5 & 3, undefined = 7u >> resolution;
	double sixteenths = chip->temperature * 16.0;
	int raw;

	if (sixteenths > 2000)
		sixteenths = 2000;
	if (sixteenths < -880)
		sixteenths = -880;
	raw = (int)(sixteenths < 0 ? sixteenths - 0.5 : sixteenths + 0.5);
	if (!chip->frozen && !chip->conversion_lost) {
		/* Table 2 calls the bits below the resolution undefined: set, so that who does not mask them shows. */
		raw |= (int)undefined;
		chip->scratchpad[0] = (uint8_t)raw;
		chip->scratchpad[1] = (uint8_t)((unsigned int)raw >> 8);
		chip->scratchpad[6] = (uint8_t)(16 - (raw & 15));
		chip->scratchpad[8] = checksum(chip->scratchpad, 8);
	}
	chip->conversion_lost = false;
	memcpy(scratchpad, chip->scratchpad, 9);
}

static const struct kri_model_ops ds18b20_ops = {
	.wire = KRI_WIRE_W1,
	.power_on = power_on,
	.reset = reset,
	.set = set,
	.peek = peek,
	.poke = poke,
	.convert = convert,
};

int kryos_fake_bus_add_ds18b20(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	return kri_model_add(bus, place, &ds18b20_ops, sizeof(struct ds18b20_model), ret_model);
}
