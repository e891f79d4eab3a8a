/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sensirion SHT3x, STS3x, which is the first without humidity, and SHT4x, from their data sheets (SHT3x-DIS version 5:
 * commands in 4.3 to 4.11, checksum in 4.12, conversion in 4.13; SHT4x: commands in 4.5, conversion in 4.6). What there
 * is to read, a measurement or what a command asked for, is read once; without it the read header is not acknowledged.
 */
#include "model.h"
#include <errno.h>
#include <math.h>
#include <string.h>

struct sht_model {
	struct kryos_model model;
	bool four; /* an SHT4x */
	bool dry;  /* an STS3x */
	double temperature, humidity;
	uint8_t serial[4];   /* SHT4x */
	unsigned int status; /* SHT3x, table 18 */
	uint8_t answer[6];
	size_t count; /* of answer; 0: nothing to read */
	int wait;     /* reads that come too early for the answer; -1: for ever */
	bool measuring;
	bool starting; /* takes nothing in the next transfer */
	int busy_polls;
};

static struct sht_model *self(struct kryos_model *model)
{
	return (struct sht_model *)model;
}

/* Long division by x^8 + x^5 + x^4 + 1, of the word with 0xff in front by exclusive or (table 20). */
static void put_word(uint8_t *to, unsigned int word)
{
	uint32_t rest = (uint32_t)(word ^ 0xff00u) << 8;

	for (int bit = 23; bit >= 8; bit--)
		if (rest >> bit & 1)
			rest ^= UINT32_C(0x131) << (bit - 8);
	to[0] = (uint8_t)(word >> 8);
	to[1] = (uint8_t)word;
	to[2] = (uint8_t)rest;
}

static unsigned int code_of(double share)
{
	double code = floor(share * 65535.0 + 0.5);

	return code < 0 ? 0 : code > 65535.0 ? 65535 : (unsigned int)code;
}

static void measure(struct sht_model *chip)
{
	put_word(chip->answer, code_of((chip->temperature + 45.0) / 175.0));
	put_word(chip->answer + 3, code_of(chip->four ? (chip->humidity + 6.0) / 125.0 : chip->humidity / 100.0));
	chip->count = chip->dry ? 3 : 6;
	chip->wait = chip->busy_polls;
	chip->measuring = true;
}

static void start_anew(struct sht_model *chip)
{
	chip->status = 0x8010; /* an alert, and a reset */
	chip->count = 0;
	chip->measuring = false;
}

static void power_on(struct kryos_model *model)
{
	struct sht_model *chip = self(model);

	if (!chip->serial[0]) { /* the very first time */
		memcpy(chip->serial, (const uint8_t[]){ 0x0f, 0xba, 0x7c, 0x21 }, sizeof(chip->serial));
		chip->temperature = 20;
		chip->humidity = 50;
	}
	start_anew(chip);
	chip->starting = false;
}

static void power_on_four(struct kryos_model *model)
{
	self(model)->four = true;
	power_on(model);
}

static void power_on_dry(struct kryos_model *model)
{
	self(model)->dry = true;
	power_on(model);
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	if (strcmp(quantity, "temperature") == 0)
		self(model)->temperature = (double)value_micro / 1e6;
	else if (strcmp(quantity, "humidity") == 0 && !self(model)->dry)
		self(model)->humidity = (double)value_micro / 1e6;
	else
		return -ENOENT;
	return 0;
}

/* The serial number is all that there is. */
static int peek(struct kryos_model *model, unsigned int reg)
{
	return reg < 4 ? self(model)->serial[reg] : -ERANGE;
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	if (reg >= 4)
		return -ERANGE;
	self(model)->serial[reg] = value;
	return 0;
}

static void take_command(struct sht_model *chip, unsigned int command)
{
	chip->status &= ~2u;
	switch (command) {
	case 0x2400:
	case 0x240b:
	case 0x2416:
		measure(chip);
		break;
	case 0x3093: /* break: ends a measurement, 4.8 */
		chip->count = 0;
		chip->measuring = false;
		chip->starting = true;
		break;
	case 0x30a2:
		start_anew(chip);
		chip->starting = true;
		break;
	case 0x3041:
		chip->status &= ~0x8c10u;
		break;
	case 0xf32d:
		put_word(chip->answer, chip->status);
		chip->count = 3;
		chip->wait = 0;
		chip->measuring = false;
		break;
	default:
		chip->status |= 2; /* last command not processed */
	}
}

/* A command of which the second byte does not come is none. */
static int write_three(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct sht_model *chip = self(model);

	if (chip->starting) {
		chip->starting = false;
		return -ENXIO;
	}
	if (count >= 2)
		take_command(chip, (unsigned int)(bytes[0] << 8 | bytes[1]));
	return 0;
}

static int write_four(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct sht_model *chip = self(model);

	if (chip->starting || count != 1) {
		chip->starting = false;
		return -ENXIO;
	}
	switch (bytes[0]) {
	case 0xfd:
	case 0xf6:
	case 0xe0:
		measure(chip);
		return 0;
	case 0x89:
		put_word(chip->answer, (unsigned int)(chip->serial[0] << 8 | chip->serial[1]));
		put_word(chip->answer + 3, (unsigned int)(chip->serial[2] << 8 | chip->serial[3]));
		chip->count = 6;
		chip->wait = 1;
		chip->measuring = false;
		return 0;
	case 0x94:
		start_anew(chip);
		chip->starting = true;
		return 0;
	default:
		return -ENXIO;
	}
}

static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct sht_model *chip = self(model);

	if (chip->starting || !chip->count || chip->wait) {
		chip->starting = false;
		if (chip->wait > 0)
			chip->wait--;
		return -ENXIO;
	}
	memset(bytes, 0xff, count);
	memcpy(bytes, chip->answer, count < chip->count ? count : chip->count);
	chip->count = 0;
	return 0;
}

static void missed(struct kryos_model *model)
{
	self(model)->starting = false;
}

static void set_busy(struct kryos_model *model, int polls)
{
	struct sht_model *chip = self(model);

	chip->busy_polls = polls;
	if (chip->measuring && chip->wait < 0)
		chip->wait = polls;
}

#define OPS(power_on_, write_)                                                                                         \
	{                                                                                                              \
		.power_on = power_on_, .set = set, .peek = peek, .poke = poke, .write = write_, .read = read_bytes,    \
		.missed = missed, .set_busy = set_busy                                                                 \
	}

int kryos_fake_bus_add_sht3x(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	static const struct kri_model_ops ops = OPS(power_on, write_three);

	return kri_model_add(bus, place, &ops, sizeof(struct sht_model), ret_model);
}

int kryos_fake_bus_add_sts3x(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	static const struct kri_model_ops ops = OPS(power_on_dry, write_three);

	return kri_model_add(bus, place, &ops, sizeof(struct sht_model), ret_model);
}

int kryos_fake_bus_add_sht4x(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	static const struct kri_model_ops ops = OPS(power_on_four, write_four);

	return kri_model_add(bus, place, &ops, sizeof(struct sht_model), ret_model);
}
