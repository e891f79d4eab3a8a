/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maxim MAX31865: a platinum resistance thermometer (PT100, PT1000) against a reference resistor. Tables and pages are
 * those of its data sheet, 19-6478 Rev 3; resistance to temperature is IEC 60751.
 *
 * A measurement takes four steps, because the element carries current only while it is measured (it would warm itself)
 * and because leads that are broken or grounded can give a value that looks right, which only the fault detection
 * cycle tells (tables 10 to 12):
 *
 *     bias on -- settles --> one conversion --> faults, FORCE- closed -- settles --> faults, FORCE- open --> bias off
 *
 * What no step tells is a broken lead to RTDIN+ of three or four wires: the input floats. 10 MOhm from RTDIN+ to BIAS
 * on the board make it a full-scale reading (page 20).
 *
 * The chip has neither a number of its own nor a checksum. What is read is read twice and must agree; its thresholds
 * are our mark, which a chip that was reset or exchanged does not have.
 */
#include "core/core.h"
#include "registers.h"
#include <kryos/sys/sensor.h>
#include <math.h>
#include <string.h>

enum {
	/* Table 1; a write has bit 7 set. */
	REG_CONFIG = 0x00,
	REG_RTD = 0x01,
	REG_THRESHOLDS = 0x03,
	REG_FAULT = 0x07,
	REGISTERS = 8,
	WRITE = 0x80,
	THRESHOLDS = 4,
	/* Configuration, page 12. */
	BIAS = 0x80,
	ONE_SHOT = 0x20,
	THREE_WIRE = 0x10,
	CYCLE = 0x0c,
	CYCLE_AUTOMATIC = 0x04,
	CYCLE_CLOSED = 0x08,
	CYCLE_OPEN = 0x0c,
	CLEAR = 0x02,
	FILTER_50HZ = 0x01,
	/* Fault status, table 7. */
	FAULT_HIGH = 0x80,
	FAULT_REFIN_HIGH = 0x20,
	FAULTS = 0xfc,
};

/*
 * 10.5 time constants of the input and 1 ms (page 12): with the data sheet's capacitors that is below 2 ms, with
 * 0.1 uF at a PT1000 5 ms, and boards differ.
 */
#define SETTLE_NS INT64_C(10500000)
/* 5 time constants before FORCE- is looked at while open (page 13), in fetches a millisecond apart. */
#define SETTLE_POLLS 5
/* An automatic cycle takes below 1 ms; a poll at least 16 us at 1 MHz. */
#define CYCLE_POLLS 200
/* Bias, the longest conversion at 50 Hz, both halves of the fault cycle, polls between them. */
#define CONVERSION_NS INT64_C(90000000)

enum { OPTION_ELEMENT, OPTION_WIRES, OPTION_RREF, OPTION_FILTER, OPTIONS };

static const struct kryos_option_info options[OPTIONS] = {
	[OPTION_ELEMENT] = { .name = "element", .doc = "what is connected", .choices = "pt100 pt1000" },
	[OPTION_WIRES] = { .name = "wires",
	                   .doc = "leads of the element; of three the resistance of one is subtracted",
	                   .choices = "2 3 4",
	                   .value = 2 },
	[OPTION_RREF] = { .name = "rref",
	                  .doc = "reference resistor on the board; 0: 430 with a PT100, 4300 with a PT1000",
	                  .unit = "Ohm",
	                  .max_micro = INT64_C(10000000000) },
	[OPTION_FILTER] = { .name = "filter", .doc = "mains frequency that is filtered out, Hz", .choices = "50 60" },
};

/* IEC 60751: R = R0 (1 + A t + B t^2 + C (t - 100) t^3), the last term below 0 C only. */
static const double cvd_a = 3.9083e-3, cvd_b = -5.775e-7, cvd_c = -4.183e-12;
#define LOWEST (-200)
#define HIGHEST 850

static double resistance_ratio(double t)
{
	return 1 + t * (cvd_a + t * (cvd_b + (t < 0 ? cvd_c * (t - 100) * t : 0)));
}

/*
 * The quadratic part is solved directly; below 0 C three of Newton's steps on the quartic follow. They begin at most
 * 2.4 C off (at -200 C) and square what is left of the error each time: below 1e-9 C from -200 to 850 C. NAN: more than
 * any temperature gives, which is 7.6 times the resistance at 0 C.
 */
static double temperature_of(double ratio)
{
	double t = (-cvd_a + sqrt(cvd_a * cvd_a - 4 * cvd_b * (1 - ratio))) / (2 * cvd_b);

	for (int i = 0; ratio < 1 && i < 3; i++)
		t -= (resistance_ratio(t) - ratio) / (cvd_a + t * (2 * cvd_b + cvd_c * t * (4 * t - 300)));
	return t;
}

struct max31865 {
	double reference_ratio; /* reference resistor to element at 0 C */
	uint8_t settings;       /* wires and filter, in the configuration */
	uint8_t thresholds[THRESHOLDS];
	enum { SETTLING, CONVERTING, CLOSED, OPEN } step;
	int polls;
};

static double reference_ratio(const int64_t *values)
{
	double nominal = values[OPTION_ELEMENT] ? 1000 : 100;

	return values[OPTION_RREF] ? (double)values[OPTION_RREF] / 1e6 / nominal : 4.3;
}

static unsigned int code_of(double t, double reference)
{
	double code = floor(resistance_ratio(t) / reference * 32768);

	return code < 32766 ? (unsigned int)code : 32766;
}

/* What the chip cannot measure is a fault to it: a few degrees beyond the element's range, or the end of its own. */
static void set_up(struct max31865 *chip, const int64_t *values)
{
	unsigned int high, low;

	chip->reference_ratio = reference_ratio(values);
	chip->settings = (uint8_t)((values[OPTION_WIRES] == 1 ? THREE_WIRE : 0) |
	                           (values[OPTION_FILTER] == 0 ? FILTER_50HZ : 0));
	high = code_of(HIGHEST + 10, chip->reference_ratio);
	low = code_of(LOWEST - 10, chip->reference_ratio);
	chip->thresholds[0] = (uint8_t)(high >> 7);
	chip->thresholds[1] = (uint8_t)(high << 1);
	chip->thresholds[2] = (uint8_t)(low >> 7);
	chip->thresholds[3] = (uint8_t)(low << 1);
}

static int configure(const struct max31865 *chip, struct kryos_dev *dev, uint8_t bits)
{
	return kryos_dev_write_register(dev, WRITE | REG_CONFIG, chip->settings | bits);
}

static int read_all(struct kryos_dev *dev, uint8_t *raw)
{
	int r = kri_registers_read(dev, REG_CONFIG, raw, REGISTERS);

	return r < 0 ? r : kri_registers_heard(dev, raw, REGISTERS);
}

static int fail_lost(struct kryos_dev *dev)
{
	return kryos_fail(KRYOS_ECHIP, "%s: its settings are not what was written: it was reset or exchanged",
	                  kryos_dev_name(dev));
}

static bool is_set_up(const struct max31865 *chip, const uint8_t *raw, uint8_t bits)
{
	return raw[REG_CONFIG] == (chip->settings | bits) &&
	       memcmp(raw + REG_THRESHOLDS, chip->thresholds, THRESHOLDS) == 0;
}

/*
 * The configuration, beside the settings, as it is now: expected, and any of the bits that are allowed. KRYOS_ECHIP: it
 * is not, and that is no error of reading.
 */
static int read_bits(const struct max31865 *chip, struct kryos_dev *dev, uint8_t expected, uint8_t allowed,
                     uint8_t *ret_bits)
{
	uint8_t raw[REGISTERS];
	int r = kryos_dev_read_registers(dev, REG_CONFIG, ret_bits, 1);

	if (r < 0)
		return r;
	*ret_bits ^= chip->settings;
	if ((*ret_bits & ~allowed) == expected)
		return 0;
	r = read_all(dev, raw);
	if (r < 0)
		return r;
	*ret_bits = raw[REG_CONFIG] ^ chip->settings;
	return is_set_up(chip, raw, expected | (*ret_bits & allowed)) ? 0 : fail_lost(dev);
}

/*
 * A chip of the same make and nearly the same registers, the MAX31856, keeps what is written just as well. But the bits
 * that run a fault detection cycle here are settings there, and do not clear themselves.
 */
static int identify(const struct max31865 *chip, struct kryos_dev *dev)
{
	uint8_t bits = CYCLE;
	int r = configure(chip, dev, BIAS | CYCLE_AUTOMATIC);

	for (int i = 0; r >= 0 && bits & CYCLE && i < CYCLE_POLLS; i++)
		r = read_bits(chip, dev, BIAS, CYCLE, &bits);
	if (r >= 0 && bits & CYCLE)
		r = kryos_fail(KRYOS_ECHIP,
		               "%s: this is no MAX31865: its fault detection never ends; a MAX31856 behaves so",
		               kryos_dev_name(dev));
	return r;
}

/* For a search: as it is from power-on, which nothing on an idle wire looks like (table 1). */
static int identify_new(struct kryos_dev *dev)
{
	static const uint8_t thresholds[THRESHOLDS] = { 0xff, 0xff, 0x00, 0x00 };
	uint8_t raw[REGISTERS];
	int r = read_all(dev, raw);

	if (r < 0)
		return r;
	if (raw[REG_CONFIG] || memcmp(raw + REG_THRESHOLDS, thresholds, THRESHOLDS) != 0)
		return kryos_fail(KRYOS_ECHIP, "%s: this is no MAX31865, or one that is in use", kryos_dev_name(dev));
	return 0;
}

/* As it is from power-on, so that a search finds it again. */
static void rest(void *priv, struct kryos_dev *dev)
{
	static const uint8_t out[] = { WRITE | REG_THRESHOLDS, 0xff, 0xff, 0x00, 0x00 };
	int ignored = configure(priv, dev, 0);

	ignored = kryos_dev_transfer(dev, out, sizeof(out), NULL, 0);
	ignored = kryos_dev_write_register(dev, WRITE | REG_CONFIG, 0);
	(void)ignored;
}

static int probe(void *priv, struct kryos_dev *dev)
{
	struct max31865 *chip = priv;
	uint8_t raw[REGISTERS], out[1 + THRESHOLDS] = { WRITE | REG_THRESHOLDS };
	int64_t values[OPTIONS];
	int r = read_all(dev, raw);

	for (size_t i = 0; i < OPTIONS; i++)
		values[i] = kryos_dev_option(dev, i);
	set_up(chip, values);
	memcpy(out + 1, chip->thresholds, THRESHOLDS);
	if (r >= 0)
		r = kryos_dev_transfer(dev, out, sizeof(out), NULL, 0);
	if (r >= 0)
		r = configure(chip, dev, CLEAR);
	if (r >= 0)
		r = read_all(dev, raw);
	if (r >= 0 && !is_set_up(chip, raw, 0))
		return kryos_fail(KRYOS_ECHIP,
		                  "%s: this is no MAX31865: written to its configuration was 0x%02x, read is 0x%02x; "
		                  "to its thresholds 0x%02x%02x%02x%02x, read is 0x%02x%02x%02x%02x",
		                  kryos_dev_name(dev), chip->settings, raw[0], out[1], out[2], out[3], out[4], raw[3],
		                  raw[4], raw[5], raw[6]);
	if (r >= 0)
		r = identify(chip, dev);
	if (r < 0)
		return r;
	return configure(chip, dev, 0);
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	struct max31865 *chip = priv;
	int r = configure(chip, dev, BIAS | CLEAR);

	if (r < 0)
		return r;
	chip->step = SETTLING;
	*ret_wait_ns = SETTLE_NS;
	return 0;
}

static int begin(struct max31865 *chip, struct kryos_dev *dev, int step, uint8_t bits)
{
	int r = configure(chip, dev, BIAS | bits);

	chip->step = step;
	chip->polls = 0;
	return r < 0 ? r : -EAGAIN;
}

/*
 * Nothing acknowledges a write: were the bias off, the input would not have settled, and without a conversion the value
 * of the last one would be read once more. A conversion takes 52 ms at least, so its bit is still set.
 */
static int begin_conversion(struct max31865 *chip, struct kryos_dev *dev)
{
	uint8_t bits;
	int r = read_bits(chip, dev, BIAS, 0, &bits), begun;

	if (r < 0)
		return r;
	begun = begin(chip, dev, CONVERTING, ONE_SHOT);
	r = begun == -EAGAIN ? read_bits(chip, dev, BIAS | ONE_SHOT, 0, &bits) : begun;
	return r < 0 ? r : begun;
}

/* One step each time, a millisecond after the one before. */
static int advance(struct max31865 *chip, struct kryos_dev *dev)
{
	uint8_t bits;
	int r;

	switch (chip->step) {
	case SETTLING:
		return begin_conversion(chip, dev);
	case CONVERTING:
		r = read_bits(chip, dev, BIAS, ONE_SHOT, &bits);
		if (r < 0 || bits & ONE_SHOT)
			return r < 0 ? r : -EAGAIN;
		return begin(chip, dev, CLOSED, CYCLE_CLOSED);
	case CLOSED:
		/* It waits for us to go on. */
		r = read_bits(chip, dev, BIAS | CYCLE_CLOSED, 0, &bits);
		if (r < 0 || ++chip->polls < SETTLE_POLLS)
			return r < 0 ? r : -EAGAIN;
		return begin(chip, dev, OPEN, CYCLE_OPEN);
	default:
		r = read_bits(chip, dev, BIAS, CYCLE, &bits);
		return r >= 0 && bits & CYCLE ? -EAGAIN : r;
	}
}

/* Reads all of it, and the configuration holds these bits beside the settings. */
static int read_checked(const struct max31865 *chip, struct kryos_dev *dev, uint8_t bits, uint8_t *raw)
{
	int r = read_all(dev, raw);

	return r >= 0 && !is_set_up(chip, raw, bits) ? fail_lost(dev) : r;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	struct max31865 *chip = priv;
	uint8_t at_rest[REGISTERS];
	int r = advance(chip, dev);

	if (r >= 0)
		r = read_checked(chip, dev, BIAS, raw);
	if (r >= 0)
		r = configure(chip, dev, 0);
	/* An element that stayed under current would be warmer the next time. */
	return r < 0 ? r : read_checked(chip, dev, 0, at_rest);
}

/*
 * Tables 10 to 12: a value beyond the upper threshold and REFIN- too high are an open element or lead; all the others,
 * the protected inputs' among them, a short between leads, to ground or to a supply.
 */
static enum kryos_quality judge_faults(const uint8_t *raw)
{
	uint8_t faults = raw[REG_FAULT] & FAULTS;

	if (!faults && !(raw[REG_RTD + 1] & 1))
		return KRYOS_QUALITY_GOOD;
	return !faults || faults & (FAULT_HIGH | FAULT_REFIN_HIGH) ? KRYOS_QUALITY_OPEN : KRYOS_QUALITY_SHORT;
}

static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	const struct max31865 *chip = priv;
	int code = (raw[REG_RTD] << 8 | raw[REG_RTD + 1]) >> 1;
	double t = temperature_of(code / 32768.0 * chip->reference_ratio);
	enum kryos_quality quality = judge_faults(raw);

	if (quality == KRYOS_QUALITY_GOOD && !(t >= LOWEST && t <= HIGHEST))
		quality = KRYOS_QUALITY_RANGE;
	*ret_readings = (struct kryos_reading){ .value_micro = isnan(t) ? 0 : llround(t * 1e6), .quality = quality };
}

/* Steps and accuracy are those of a PT100 or PT1000 at 0 C with a reference of 4.3 times that. */
static const struct kryos_channel_info channels[] = {
	{ .quantity = "temperature",
	  .unit = "Cel",
	  .min_micro = LOWEST * INT64_C(1000000),
	  .max_micro = HIGHEST * INT64_C(1000000),
	  .max_rate_micro = INT64_C(30000000),
	  .resolution_micro = 33577,
	  .accuracy = "0.5 C over all (0.05 % of full scale), beside the element's and the reference's" },
};

/* With less than twice the element's resistance there is no room above 0 C; with ten times, steps are 0.08 C. */
static int describe(const char *place, const int64_t *values, struct kryos_description *ret_description)
{
	double reference = reference_ratio(values), top;

	(void)place;
	if (reference < 2 || reference > 10)
		return kryos_fail(KRYOS_EDEVICE, "rref: %g Ohm is not allowed for a %s: %d to %d Ohm is",
		                  (double)values[OPTION_RREF] / 1e6, values[OPTION_ELEMENT] ? "pt1000" : "pt100",
		                  values[OPTION_ELEMENT] ? 2000 : 200, values[OPTION_ELEMENT] ? 10000 : 1000);
	memcpy(ret_description->channels, channels, sizeof(channels));
	ret_description->channel_count = KRI_ARRAY_SIZE(channels);
	ret_description->channels[0].resolution_micro = llround(reference / 32768 / cvd_a * 1e6);
	top = temperature_of(32766 / 32768.0 * reference);
	if (top < HIGHEST)
		ret_description->channels[0].max_micro = llround(top * 1e6);
	return 0;
}

const struct kryos_sensor_driver kri_sensor_max31865 = {
	.size = sizeof(kri_sensor_max31865),
	.name = "max31865",
	.title = "Maxim MAX31865",
	.bus = "spi",
	.channels = channels,
	.channel_count = KRI_ARRAY_SIZE(channels),
	.private_size = sizeof(struct max31865),
	.raw_size = REGISTERS,
	.identify = identify_new,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.remove = rest,
	.options = options,
	.option_count = OPTIONS,
	.describe = describe,
	.spi_mode = 1,
	.spi_max_hz = 1000000, /* of 5 MHz: probes hang on boards at the end of a cable */
	.datasheet = "Maxim 19-6478 Rev 3",
	.suits = "vaccine fridge, freezer and ultra-cold with a PT100 or PT1000 (0.5 C class) without any margin: "
		 "calibrate it",
	.conversion_ns = CONVERSION_NS,
};
