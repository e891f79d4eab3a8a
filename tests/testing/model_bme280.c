/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bosch BME280, from its data sheet BST-BME280-DS002: memory map in section 5.3, registers in 5.4,
 * compensation in double precision in 8.1, which is what this model inverts. And BMP280, from BST-BMP280-DS001: the
 * same without humidity, whose registers read 0 (4.2), and with another chip id (4.3.1).
 */
#include "model.h"
#include <errno.h>
#include <math.h>
#include <string.h>

struct bme280_model {
	struct kryos_model model;
	uint8_t reg[256];
	uint8_t pointer;
	bool dry;                           /* a BMP280 */
	unsigned int humidity_oversampling; /* what ctrl_hum said when ctrl_meas was last written, 5.4.3 */
	double temperature, humidity, pressure;
	bool starting;   /* does not answer the first transfer after a soft reset (start-up time, 1.1) */
	int image_polls; /* status reads for which the calibration is still being copied */
	int busy_polls;  /* status reads for which each measurement stays unfinished; -1: for ever */
	int busy_left;
	bool timed; /* by the bus's transfers instead */
	int64_t left_ns;
};

/*
 * Trimming values of the data sheet's worked example for temperature and pressure (3.12 of the
 * BMP280's); the humidity ones are of the size real chips hold, with unlike nibbles in the byte
 * that H4 and H5 share (0xE5) and a negative H5.
 */
static const uint8_t power_on_0x88[26] = {
	0x70, 0x6b, 0x43, 0x67, 0x18, 0xfc, 0x7d, 0x8e, 0x43, 0xd6, 0xd0, 0x0b, 0x27,
	0x0b, 0x8c, 0x00, 0xf9, 0xff, 0x8c, 0x3c, 0xf8, 0xc6, 0x70, 0x17, 0x00, 0x4b
};
static const uint8_t power_on_0xe1[7] = { 0x72, 0x01, 0x00, 0x13, 0xc9, 0xfe, 0x1e };

static struct bme280_model *self(struct kryos_model *model)
{
	return (struct bme280_model *)model;
}

static double u16_at(const struct bme280_model *chip, unsigned int reg)
{
	return chip->reg[reg] + 256.0 * chip->reg[reg + 1];
}

static double s16_at(const struct bme280_model *chip, unsigned int reg)
{
	return (int16_t)(chip->reg[reg] | chip->reg[reg + 1] << 8);
}

static double s12(unsigned int bits)
{
	return bits & 0x800 ? (double)bits - 4096.0 : (double)bits;
}

/* The three formulas of section 8.1. Each takes a conversion result; t_fine joins them. */
static double fine_temperature(const struct bme280_model *chip, double code, double unused)
{
	double t1 = u16_at(chip, 0x88), a = code / 16384.0 - t1 / 1024.0, b = code / 131072.0 - t1 / 8192.0;

	(void)unused;
	return a * s16_at(chip, 0x8a) + b * b * s16_at(chip, 0x8c);
}

static double pressure_of(const struct bme280_model *chip, double code, double t_fine)
{
	double a = t_fine / 2.0 - 64000.0, b, p;

	b = a * a * s16_at(chip, 0x98) / 32768.0;
	b += a * s16_at(chip, 0x96) * 2.0;
	b = b / 4.0 + s16_at(chip, 0x94) * 65536.0;
	a = (s16_at(chip, 0x92) * a * a / 524288.0 + s16_at(chip, 0x90) * a) / 524288.0;
	a = (1.0 + a / 32768.0) * u16_at(chip, 0x8e);
	if (fabs(a) < 1e-9)
		return 0;
	p = (1048576.0 - code - b / 4096.0) * 6250.0 / a;
	a = s16_at(chip, 0x9e) * p * p / 2147483648.0;
	b = p * s16_at(chip, 0x9c) / 32768.0;
	return p + (a + b + s16_at(chip, 0x9a)) / 16.0;
}

static double humidity_of(const struct bme280_model *chip, double code, double t_fine)
{
	double h1 = chip->reg[0xa1], h2 = s16_at(chip, 0xe1), h3 = chip->reg[0xe3];
	double h4 = s12((unsigned int)chip->reg[0xe4] << 4 | (chip->reg[0xe5] & 0x0f));
	double h5 = s12((unsigned int)chip->reg[0xe6] << 4 | chip->reg[0xe5] >> 4);
	double h6 = (int8_t)chip->reg[0xe7], h = t_fine - 76800.0;

	h = (code - (h4 * 64.0 + h5 / 16384.0 * h)) *
	    (h2 / 65536.0 * (1.0 + h6 / 67108864.0 * h * (1.0 + h3 / 67108864.0 * h)));
	return h * (1.0 - h1 * h / 524288.0);
}

/* The code for which formula comes nearest to wanted. */
static uint32_t invert(const struct bme280_model *chip, double (*formula)(const struct bme280_model *, double, double),
                       double wanted, double t_fine, uint32_t top)
{
	uint32_t low = 0, high = top, middle;
	bool rising = formula(chip, low, t_fine) < formula(chip, high, t_fine);

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if ((formula(chip, middle, t_fine) < wanted) == rising)
			low = middle;
		else
			high = middle;
	}
	return fabs(formula(chip, low, t_fine) - wanted) < fabs(formula(chip, high, t_fine) - wanted) ? low : high;
}

/* Without the filter a result has 16 bits at x1 and one more for each doubling, with it 20 (3.4.4); the rest is 0. */
static uint32_t quantise(const struct bme280_model *chip, uint32_t code, unsigned int oversampling)
{
	unsigned int bits = chip->reg[0xf5] & 0x1c ? 20 : 15 + (oversampling > 5 ? 5 : oversampling);
	uint32_t step = UINT32_C(1) << (20 - bits), rounded = (code + step / 2) / step * step;

	return rounded > 0xfffff ? 0x100000 - step : rounded;
}

static void store_20_bits(struct bme280_model *chip, unsigned int reg, uint32_t code)
{
	chip->reg[reg] = (uint8_t)(code >> 12);
	chip->reg[reg + 1] = (uint8_t)(code >> 4);
	chip->reg[reg + 2] = (uint8_t)(code << 4);
}

/* A measurement ends. What is not oversampled is skipped and reads as after a reset (5.4.3, 5.4.5). */
static void measure(struct bme280_model *chip)
{
	unsigned int for_temperature = chip->reg[0xf4] >> 5, for_pressure = chip->reg[0xf4] >> 2 & 7;
	uint32_t temperature = invert(chip, fine_temperature, chip->temperature * 5120.0, 0, 0xfffff);
	uint32_t pressure = 0x80000, humidity = 0x8000;
	double t_fine;

	temperature = for_temperature ? quantise(chip, temperature, for_temperature) : 0x80000;
	t_fine = fine_temperature(chip, temperature, 0);
	if (for_pressure)
		pressure = quantise(chip, invert(chip, pressure_of, chip->pressure, t_fine, 0xfffff), for_pressure);
	if (chip->humidity_oversampling)
		humidity = invert(chip, humidity_of, chip->humidity, t_fine, 0xffff);
	store_20_bits(chip, 0xf7, pressure);
	store_20_bits(chip, 0xfa, temperature);
	if (!chip->dry) {
		chip->reg[0xfd] = (uint8_t)(humidity >> 8);
		chip->reg[0xfe] = (uint8_t)humidity;
	}
	chip->reg[0xf3] &= (uint8_t)~0x08;
	if ((chip->reg[0xf4] & 3) != 3)
		chip->reg[0xf4] &= (uint8_t)~3; /* forced mode falls back to sleep, 3.3.3 */
}

/* 5.3: what the data registers hold until the first measurement; everything writable is 0. */
static void clear_registers(struct bme280_model *chip)
{
	memset(chip->reg + 0xf2, 0, 5);
	store_20_bits(chip, 0xf7, 0x80000);
	store_20_bits(chip, 0xfa, 0x80000);
	chip->reg[0xfd] = chip->dry ? 0 : 0x80;
	chip->reg[0xfe] = 0;
	chip->humidity_oversampling = 0;
	chip->busy_left = 0;
	chip->reg[0xf3] = 0x01; /* the calibration is being copied from its memory */
	chip->image_polls = 2;
}

static void power_on(struct kryos_model *model)
{
	struct bme280_model *chip = self(model);

	if (!chip->reg[0xd0]) { /* the very first time: what is burnt in */
		memcpy(chip->reg + 0x88, power_on_0x88, sizeof(power_on_0x88));
		if (chip->dry)
			chip->reg[0xa1] = 0;
		else
			memcpy(chip->reg + 0xe1, power_on_0xe1, sizeof(power_on_0xe1));
		chip->reg[0xd0] = chip->dry ? 0x58 : 0x60;
		chip->temperature = 20;
		chip->humidity = 50;
		chip->pressure = 101325;
	}
	clear_registers(chip);
	chip->pointer = 0;
	chip->starting = false;
}

static void power_on_dry(struct kryos_model *model)
{
	self(model)->dry = true;
	power_on(model);
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	struct bme280_model *chip = self(model);
	double value = (double)value_micro / 1e6;

	if (strcmp(quantity, "temperature") == 0)
		chip->temperature = value;
	else if (strcmp(quantity, "humidity") == 0 && !chip->dry)
		chip->humidity = value;
	else if (strcmp(quantity, "pressure") == 0)
		chip->pressure = value;
	else
		return -ENOENT;
	return 0;
}

static int peek(struct kryos_model *model, unsigned int reg)
{
	return reg < 256 ? self(model)->reg[reg] : -ERANGE;
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	if (reg >= 256)
		return -ERANGE;
	self(model)->reg[reg] = value;
	return 0;
}

/* 9.1: what is typical. */
static int64_t typical_ns(const struct bme280_model *chip)
{
	unsigned int temperature = chip->reg[0xf4] >> 5, pressure = chip->reg[0xf4] >> 2 & 7;
	double ms = 1;

	ms += temperature ? 2 * (1 << (temperature - 1)) : 0;
	ms += pressure ? 2 * (1 << (pressure - 1)) + 0.5 : 0;
	ms += chip->humidity_oversampling ? 2 * (1 << (chip->humidity_oversampling - 1)) + 0.5 : 0;
	return (int64_t)(ms * 1e6);
}

static void write_register(struct bme280_model *chip, uint8_t reg, uint8_t value)
{
	switch (reg) {
	case 0xe0:
		if (value == 0xb6) {
			clear_registers(chip);
			chip->starting = true;
		}
		break;
	case 0xf2:
		if (!chip->dry)
			chip->reg[reg] = value & 0x07;
		break;
	case 0xf4:
		chip->reg[reg] = value;
		chip->humidity_oversampling = chip->reg[0xf2];
		if ((value & 3) == 0)
			break;
		/* A driver may look at once, and no measurement is as quick. */
		chip->busy_left = chip->busy_polls ? chip->busy_polls : 1;
		chip->left_ns = typical_ns(chip);
		chip->reg[0xf3] |= 0x08;
		break;
	case 0xf5:
		chip->reg[reg] = value & 0xfd;
		break;
	default:
		break; /* read only or reserved */
	}
}

/* 6.2.1: pairs of register and value; a byte left over is the register that is read next. */
static int write_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct bme280_model *chip = self(model);
	size_t i;

	if (chip->starting) {
		chip->starting = false;
		return -ENXIO;
	}
	for (i = 0; i + 1 < count; i += 2)
		write_register(chip, bytes[i], bytes[i + 1]);
	chip->pointer = bytes[count % 2 ? count - 1 : count - 2];
	return 0;
}

/* 6.3: the first byte of a pair has bit 7 clear to write; a byte with bit 7 set is the register that is read next. */
static int write_spi(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	struct bme280_model *chip = self(model);

	if (chip->starting || !count) {
		chip->starting = false;
		return -EIO;
	}
	chip->pointer = 0;
	for (size_t i = 0; i + 1 < count && !(bytes[i] & 0x80); i += 2)
		write_register(chip, bytes[i] | 0x80, bytes[i + 1]);
	if (bytes[0] & 0x80)
		chip->pointer = bytes[0];
	return 0;
}

static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count);

/* What follows a write is heard, not answered. */
static int read_spi(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	return self(model)->pointer & 0x80 ? read_bytes(model, bytes, count) : -EIO;
}

static void status_was_read(struct bme280_model *chip)
{
	if (chip->image_polls > 0 && --chip->image_polls == 0)
		chip->reg[0xf3] &= (uint8_t)~0x01;
	if (!chip->timed && chip->busy_left > 0 && --chip->busy_left == 0)
		measure(chip);
}

static void elapse(struct kryos_model *model, int64_t ns)
{
	struct bme280_model *chip = self(model);

	chip->timed = ns > 0;
	chip->left_ns -= ns;
	if (chip->timed && chip->busy_left > 0 && chip->left_ns <= 0) {
		chip->busy_left = 0;
		measure(chip);
	}
}

/* 6.2.2: the register counts up. A burst sees one measurement, because results are shadowed (4.0). */
static int read_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	struct bme280_model *chip = self(model);
	bool status_read = false;
	size_t i;

	if (chip->starting) {
		chip->starting = false;
		return -ENXIO;
	}
	if ((chip->reg[0xf4] & 3) == 3 && !chip->busy_left)
		measure(chip); /* normal mode: another one has ended meanwhile */
	for (i = 0; i < count; i++) {
		status_read |= chip->pointer == 0xf3;
		bytes[i] = chip->reg[chip->pointer++];
	}
	if (status_read)
		status_was_read(chip);
	return 0;
}

static void missed(struct kryos_model *model)
{
	self(model)->starting = false;
}

static void set_busy(struct kryos_model *model, int polls)
{
	struct bme280_model *chip = self(model);

	chip->busy_polls = polls;
	if (chip->busy_left < 0 && polls >= 0) { /* lets one go that would never have ended */
		chip->busy_left = 0;
		measure(chip);
	}
}

#define OPS(power_on_)                                                                                                 \
	{                                                                                                              \
		.power_on = power_on_, .set = set, .peek = peek, .poke = poke, .write = write_bytes,                   \
		.read = read_bytes, .missed = missed, .set_busy = set_busy, .elapse = elapse                           \
	}
#define SPI_OPS(power_on_)                                                                                             \
	{                                                                                                              \
		.wire = KRI_WIRE_SPI, .power_on = power_on_, .set = set, .peek = peek, .poke = poke,                   \
		.write = write_spi, .read = read_spi, .set_busy = set_busy, .spi_modes = 1 << 0 | 1 << 3,              \
		.spi_max_hz = 10000000                                                                                 \
	}

static int add(struct kryos_fake_bus *bus, const char *place, const struct kri_model_ops ops[2],
               struct kryos_model **ret_model)
{
	bool spi = bus && kri_fake_bus_wire(bus) == KRI_WIRE_SPI;

	return kri_model_add(bus, place, &ops[spi], sizeof(struct bme280_model), ret_model);
}

int kryos_fake_bus_add_bme280(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	static const struct kri_model_ops ops[] = { OPS(power_on), SPI_OPS(power_on) };

	return add(bus, place, ops, ret_model);
}

int kryos_fake_bus_add_bmp280(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	static const struct kri_model_ops ops[] = { OPS(power_on_dry), SPI_OPS(power_on_dry) };

	return add(bus, place, ops, ret_model);
}
