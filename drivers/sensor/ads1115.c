/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texas Instruments ADS1115: four voltages, or NTC thermistors in a divider. Revisions of the
 * data sheet SBAS444 number their sections differently, so these are named.
 *
 * One input after another is converted in single-shot mode ("Single-Shot Mode and Power-Down"). The chip has neither an
 * identity nor a checksum, and a result of 0 is what a reset leaves as well as what 0 V gives: so settings and result
 * are read twice in turn, and count only if the settings are those of the input that was asked for, both times, and the
 * results agree.
 */
#include "core/core.h"
#include "ntc.h"
#include "word.h"
#include <kryos/sys/sensor.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* "Register Map": 16 bits each, most significant byte first. */
enum { REG_RESULT = 0, REG_CONFIG = 1, REG_LOW_THRESHOLD = 2, REG_HIGH_THRESHOLD = 3 };

/* "Config Register": start or done; single-shot mode, comparator off. A reset leaves 0x8583. */
#define CONFIG_OS 0x8000u
#define CONFIG_SINGLE_SHOT 0x0100u
#define CONFIG_SETTINGS (CONFIG_SINGLE_SHOT | 0x0003u)
#define CONFIG_INPUT(input) ((4u + (input)) << 12) /* against ground */
#define CONFIG_RANGE(range) ((unsigned int)(range) << 9)

/* "Lo_thresh and Hi_thresh Registers": what a reset leaves in the comparator's limits, which this driver does not
 * touch. */
#define LOW_THRESHOLD 0x8000
#define HIGH_THRESHOLD 0x7fff

#define CONVERSION_NS INT64_C(8800000)

/* 128, 32 and 8 conversions a second, 10 % longer at most ("Data rate variation"), and 25 us to wake up. */
static const struct {
	unsigned int config;
	int64_t conversion_ns;
} rates[] = { { 0x0080, CONVERSION_NS }, { 0x0040, 34500000 }, { 0x0000, 137600000 } };

#define INPUTS 4
#define WIDEST 0
#define NARROWEST 5
#define CLIPPED 0x7fff

enum option {
	INPUT, /* one for each input */
	RATIO = INPUT + INPUTS,
	FULL_SCALE = RATIO + INPUTS,
	SUPPLY,
	SUPPLY_INPUT,
	SERIES,
	NTC_TO,
	R25,
	BETA,
	T1,
	R1,
	T2,
	R2,
	T3,
	R3,
	OPTIONS,
};

enum kind { OFF, VOLTAGE, NTC };
enum { TO_GROUND, TO_SUPPLY };

#define OHM(what, text)                                                                                                \
	{                                                                                                              \
		.name = (what), .doc = (text), .unit = "Ohm", .max_micro = INT64_C(10000000000000)                     \
	}
#define POINT(what, text, celsius)                                                                                     \
	{                                                                                                              \
		.name = (what), .doc = (text), .unit = "Cel", .value = (celsius)*INT64_C(1000000),                     \
		.min_micro = INT64_C(-100000000), .max_micro = INT64_C(200000000)                                      \
	}
/* 6.144e9 nV at the highest ratio, in the halves of a nanovolt that decode counts, still fit 64 bits. */
#define RATIO_OF(what, text)                                                                                           \
	{                                                                                                              \
		.name = (what), .doc = (text), .value = 1000000, .min_micro = 1000, .max_micro = INT64_C(500000000)    \
	}

static const struct kryos_option_info options[OPTIONS] = {
	[INPUT] = { .name = "input0", .doc = "what AIN0 measures", .choices = "off voltage ntc", .value = VOLTAGE },
	[INPUT + 1] = { .name = "input1", .doc = "what AIN1 measures", .choices = "off voltage ntc" },
	[INPUT + 2] = { .name = "input2", .doc = "what AIN2 measures", .choices = "off voltage ntc" },
	[INPUT + 3] = { .name = "input3", .doc = "what AIN3 measures", .choices = "off voltage ntc" },
	[RATIO] = RATIO_OF("ratio0", "voltage before AIN0's divider or transformer, by that at the pin"),
	[RATIO + 1] = RATIO_OF("ratio1", "the same for AIN1"),
	[RATIO + 2] = RATIO_OF("ratio2", "the same for AIN2"),
	[RATIO + 3] = RATIO_OF("ratio3", "the same for AIN3"),
	[FULL_SCALE] = { .name = "full_scale",
	                 .doc = "range in V that each input begins with; of voltages later rounds take the one that "
	                        "fits",
	                 .choices = "6.144 4.096 2.048 1.024 0.512 0.256",
	                 .value = 1 },
	[SUPPLY] = { .name = "supply",
	             .doc = "voltage over NTC and series resistor; 0: not said",
	             .unit = "V",
	             .max_micro = 5500000 },
	[SUPPLY_INPUT] = { .name = "supply_input",
	                   .doc = "the input that measures this voltage, which is better",
	                   .choices = "none 0 1 2 3" },
	[SERIES] = OHM("series", "resistor in series with the NTC; 0: not said"),
	[NTC_TO] = { .name = "ntc_to", .doc = "where the NTC's other end is", .choices = "ground supply" },
	[R25] = OHM("r25", "the NTC at 25 C; 0: not said"),
	[BETA] = { .name = "beta",
	           .doc = "the NTC's B value; 0: not said. Three points are better: B alone is 0.5 C off at 5 C",
	           .unit = "K",
	           .max_micro = INT64_C(10000000000) },
	[T1] = POINT("t1", "three points of the NTC's table: the coldest", 0),
	[R1] = OHM("r1", "its resistance there; 0: r25 and beta are taken"),
	[T2] = POINT("t2", "the middle one", 25),
	[R2] = OHM("r2", "its resistance there"),
	[T3] = POINT("t3", "the warmest", 50),
	[R3] = OHM("r3", "its resistance there"),
};

/* What the options say, and how far a round has come. */
struct ads1115 {
	enum kind kind[INPUTS];
	int64_t ratio_micro[INPUTS];
	int supply_input; /* -1: supply is known */
	double supply, series;
	bool to_supply;
	struct kri_ntc ntc;

	bool waiting;       /* for one to end that was begun before */
	unsigned int input; /* that is being converted */
	unsigned int full_scale, range[INPUTS];
	unsigned int rate;       /* of this conversion */
	uint8_t raw[4 * INPUTS]; /* settings and result of each */
};

static int take_curve(struct kri_ntc *ntc, const int64_t *values)
{
	double celsius[3], ohm[3];
	int points = 0;

	for (int i = 0; i < 3; i++) {
		celsius[i] = (double)values[T1 + 2 * i] / 1e6;
		ohm[i] = (double)values[R1 + 2 * i] / 1e6;
		points += values[R1 + 2 * i] > 0;
	}
	if (points == 3)
		return kri_ntc_from_points(ntc, celsius, ohm);
	if (points || !values[R25] || !values[BETA])
		return kryos_fail(KRYOS_EDEVICE, "an ntc needs r25 and beta, or all of r1, r2 and r3");
	kri_ntc_from_beta(ntc, (double)values[R25] / 1e6, (double)values[BETA] / 1e6);
	return 0;
}

/* What an NTC is in series with, and under which voltage: guessed, it would give temperatures that look right. */
static int take_divider(struct ads1115 *chip, const int64_t *values)
{
	chip->supply_input = (int)values[SUPPLY_INPUT] - 1;
	chip->supply = (double)values[SUPPLY] / 1e6;
	chip->series = (double)values[SERIES] / 1e6;
	chip->to_supply = values[NTC_TO] == TO_SUPPLY;
	if (!values[SERIES])
		return kryos_fail(KRYOS_EDEVICE, "an ntc needs series, the resistor in series with it");
	if (!values[SUPPLY] == !values[SUPPLY_INPUT])
		return kryos_fail(KRYOS_EDEVICE, "an ntc needs either supply or supply_input");
	if (chip->supply_input >= 0 && chip->kind[chip->supply_input] != VOLTAGE)
		return kryos_fail(KRYOS_EDEVICE, "supply_input is %d: then input%d must be voltage", chip->supply_input,
		                  chip->supply_input);
	return take_curve(&chip->ntc, values);
}

static int take_options(struct ads1115 *chip, const int64_t *values)
{
	bool any = false, ntc = false;

	*chip = (struct ads1115){ .supply_input = -1, .full_scale = (unsigned int)values[FULL_SCALE] };
	for (unsigned int i = 0; i < INPUTS; i++) {
		chip->kind[i] = (enum kind)values[INPUT + i];
		chip->ratio_micro[i] = values[RATIO + i];
		chip->range[i] = chip->full_scale;
		any = any || chip->kind[i] != OFF;
		ntc = ntc || chip->kind[i] == NTC;
	}
	if (!any)
		return kryos_fail(KRYOS_EDEVICE, "all of input0 to input3 are off");
	return ntc ? take_divider(chip, values) : 0;
}

/* The limits of its comparator are the only mark it has. */
static int probe(void *priv, struct kryos_dev *dev)
{
	unsigned int low[2] = { 0 }, high[2] = { 0 };
	int64_t values[OPTIONS];
	int r = 0;

	for (int i = 0; r >= 0 && i < 2; i++) {
		r = kri_word_get(dev, REG_LOW_THRESHOLD, &low[i]);
		if (r >= 0)
			r = kri_word_get(dev, REG_HIGH_THRESHOLD, &high[i]);
	}
	if (r < 0)
		return r == -ENXIO ? kryos_fail(-ENODEV, "%s", kryos_strerror(r)) : r;
	if (low[0] != low[1] || high[0] != high[1])
		return kryos_fail(KRYOS_ECRC, "%s: two readings of registers 2 and 3 differ", kryos_dev_name(dev));
	if (low[0] != LOW_THRESHOLD || high[0] != HIGH_THRESHOLD)
		return kryos_fail(KRYOS_ECHIP,
		                  "%s: this is no ADS1115, or its comparator is in use: registers 2 and 3 are 0x%04x "
		                  "and 0x%04x, not 0x8000 and 0x7fff",
		                  kryos_dev_name(dev), low[0], high[0]);
	for (size_t i = 0; i < OPTIONS; i++)
		values[i] = kryos_dev_option(dev, i);
	return take_options(priv, values);
}

static unsigned int config_of(const struct ads1115 *chip)
{
	return CONFIG_INPUT(chip->input) | CONFIG_RANGE(chip->range[chip->input]) | CONFIG_SETTINGS |
	       rates[chip->rate].config;
}

/*
 * A start whose OS was garbled is acknowledged, and the settings change all the same: the result of the input before it
 * would pass for that of this one. While a conversion is under way OS is 0; it is 1 again, too, where a transfer takes
 * as long as one: a USB adapter, a machine that is busy. So what was not seen to begin is begun once more, and takes
 * longer.
 */
static int convert(struct ads1115 *chip, struct kryos_dev *dev)
{
	unsigned int config = CONFIG_OS;
	int r = 0;

	for (chip->rate = 0; chip->rate < KRI_ARRAY_SIZE(rates); chip->rate++) {
		r = kri_word_put(dev, REG_CONFIG, CONFIG_OS | config_of(chip));
		if (r >= 0)
			r = kri_word_get(dev, REG_CONFIG, &config);
		if (r < 0 || !(config & CONFIG_OS))
			return r;
	}
	chip->rate = 0;
	return kryos_fail(-EIO, "%s: did not begin to convert, or the bus is too slow to see it", kryos_dev_name(dev));
}

/* The next input in use after those before it; INPUTS: none. */
static unsigned int next_input(const struct ads1115 *chip, unsigned int input)
{
	while (input < INPUTS && chip->kind[input] == OFF)
		input++;
	return input;
}

/*
 * While a conversion is under way none can be begun ("OS"), but the settings change all the same: its result would pass
 * for that of the next input. One is under way after a transfer has failed in the middle of a measurement, or where
 * another program has left the chip converting all the time, which ends with the conversion.
 */
static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	struct ads1115 *chip = priv;
	unsigned int config = 0;
	int r = kri_word_get(dev, REG_CONFIG, &config);

	chip->input = next_input(chip, 0);
	chip->waiting = !(config & CONFIG_OS) || !(config & CONFIG_SINGLE_SHOT);
	if (r >= 0 && !chip->waiting)
		r = convert(chip, dev);
	else if (r >= 0 && !(config & CONFIG_SINGLE_SHOT))
		r = kri_word_put(dev, REG_CONFIG, config_of(chip));
	if (r >= 0)
		*ret_wait_ns = rates[chip->rate].conversion_ns;
	return r;
}

static int begin_late(struct ads1115 *chip, struct kryos_dev *dev)
{
	unsigned int config = 0;
	int r = kri_word_get(dev, REG_CONFIG, &config);

	if (r < 0 || !(config & CONFIG_OS))
		return r < 0 ? r : -EAGAIN;
	chip->waiting = false;
	r = convert(chip, dev);
	return r < 0 ? r : -EAGAIN;
}

static int read_result(const struct ads1115 *chip, struct kryos_dev *dev, unsigned int *ret_code)
{
	unsigned int config = 0, code[2] = { 0 };
	int r;

	for (int i = 0; i < 2; i++) {
		r = kri_word_get(dev, REG_CONFIG, &config);
		if (r < 0)
			return r;
		if ((config & ~CONFIG_OS) != config_of(chip))
			return kryos_fail(KRYOS_ECHIP, "%s: its settings are 0x%04x: it was reset or exchanged",
			                  kryos_dev_name(dev), config);
		if (!(config & CONFIG_OS))
			return -EAGAIN;
		r = kri_word_get(dev, REG_RESULT, &code[i]);
		if (r < 0)
			return r;
	}
	if (code[0] != code[1])
		return kryos_fail(KRYOS_ECRC, "%s: two readings of register 0 differ", kryos_dev_name(dev));
	*ret_code = code[0];
	return 0;
}

/*
 * Each range is half of the one before it, but for the widest: what fills 40 % at most fits into the next, with room.
 * An NTC has the one that was said, but for a reading that did not fit: a narrower one takes more from its divider.
 */
static void fit_range(struct ads1115 *chip, unsigned int code)
{
	if (chip->kind[chip->input] == NTC)
		chip->range[chip->input] = chip->full_scale;
	else if (code < CLIPPED * 2 / 5 && chip->range[chip->input] < NARROWEST)
		chip->range[chip->input]++;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	struct ads1115 *chip = priv;
	unsigned int code = 0, config = config_of(chip);
	uint8_t *at = chip->raw + 4 * chip->input;
	int r;

	if (chip->waiting)
		return begin_late(chip, dev);
	r = read_result(chip, dev, &code);
	if (r < 0)
		return r;
	if (code == CLIPPED && chip->range[chip->input] != WIDEST) {
		chip->range[chip->input] = WIDEST;
	} else {
		at[0] = (uint8_t)(config >> 8);
		at[1] = (uint8_t)config;
		at[2] = (uint8_t)(code >> 8);
		at[3] = (uint8_t)code;
		fit_range(chip, code);
		chip->input = next_input(chip, chip->input + 1);
		if (chip->input == INPUTS) {
			memcpy(raw, chip->raw, sizeof(chip->raw));
			return 0;
		}
	}
	r = convert(chip, dev);
	return r < 0 ? r : -EAGAIN;
}

static unsigned int range_of(const uint8_t *raw, unsigned int input)
{
	return raw[4 * input] >> 1 & 7;
}

/* At the pin, in halves of a nanovolt: 7.8125 uV, the step of the narrowest range, are 15625 of them. False: it may be
 * more. */
static bool pin_voltage(const uint8_t *raw, unsigned int input, int64_t *ret_half_nv)
{
	static const int64_t step[8] = { 375000, 250000, 125000, 62500, 31250, 15625, 15625, 15625 };
	const uint8_t *at = raw + 4 * input;
	int code = (int16_t)(at[2] << 8 | at[3]);

	*ret_half_nv = code * step[range_of(raw, input)];
	return code != CLIPPED;
}

static struct kryos_reading voltage_of(const struct ads1115 *chip, const uint8_t *raw, unsigned int input)
{
	int64_t half_nv;
	bool known = pin_voltage(raw, input, &half_nv);

	return (struct kryos_reading){ .value_micro =
		                               kri_divide_rounded(half_nv * chip->ratio_micro[input], 2000000000),
		                       .quality = known ? KRYOS_QUALITY_GOOD : KRYOS_QUALITY_RANGE };
}

/* Volts over NTC and series resistor; 0: there is none, or nobody knows how many. Below half a volt there is none. */
static double supply_of(const struct ads1115 *chip, const uint8_t *raw)
{
	struct kryos_reading reading;

	if (chip->supply_input < 0)
		return chip->supply;
	reading = voltage_of(chip, raw, (unsigned int)chip->supply_input);
	return reading.quality == KRYOS_QUALITY_GOOD && reading.value_micro >= 500000
	               ? (double)reading.value_micro / 1e6
	               : 0;
}

/*
 * What an input against ground takes in each range, as a resistor, typically: the impedances that the data sheet gives
 * for common mode and for differential signals, side by side. With 10 kOhm in series it is 0.1 C at 5 C.
 */
#define LOAD(common, differential) ((common)*1e6 * (differential) / ((common) + (differential)))
static const double load_ohm[8] = { LOAD(10, 22),    LOAD(6, 15),     LOAD(6, 4.9),    LOAD(3, 2.4),
	                            LOAD(100, 0.71), LOAD(100, 0.71), LOAD(100, 0.71), LOAD(100, 0.71) };

/*
 * Of the NTC, at this share of the supply. HUGE_VAL: it is open, 0: it is shorted; no NTC comes within a thousandth of
 * either end. What is left of the supply where a wire is cut is the load's.
 */
static double resistance_of(const struct ads1115 *chip, double share, double load)
{
	double below = chip->series * share / (1 - share);

	if (share < 0.001)
		return chip->to_supply ? HUGE_VAL : 0;
	if (share > 0.999)
		return chip->to_supply ? 0 : HUGE_VAL;
	if (chip->to_supply)
		return (1 - share) / share / (1 / chip->series + 1 / load);
	return below < load / 2 ? 1 / (1 / below - 1 / load) : HUGE_VAL;
}

static struct kryos_reading temperature_of(const struct ads1115 *chip, const uint8_t *raw, unsigned int input)
{
	double supply = supply_of(chip, raw), ohm, celsius;
	struct kryos_reading reading = { .quality = KRYOS_QUALITY_RANGE };
	int64_t half_nv;

	if (!pin_voltage(raw, input, &half_nv) || supply <= 0)
		return reading;
	ohm = resistance_of(chip, (double)half_nv / 2e9 / supply, load_ohm[range_of(raw, input)]);
	if (ohm <= 0 || isinf(ohm)) {
		reading.quality = ohm <= 0 ? KRYOS_QUALITY_SHORT : KRYOS_QUALITY_OPEN;
		return reading;
	}
	celsius = kri_ntc_celsius(&chip->ntc, ohm);
	if (!(celsius > -273 && celsius < 1000))
		return reading;
	reading.value_micro = llround(celsius * 1e6);
	reading.quality =
		celsius < chip->ntc.low || celsius > chip->ntc.high ? KRYOS_QUALITY_EXTRAPOLATED : KRYOS_QUALITY_GOOD;
	return reading;
}

static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	const struct ads1115 *chip = priv;
	size_t channel = 0;

	for (unsigned int i = next_input(chip, 0); i < INPUTS; i = next_input(chip, i + 1))
		ret_readings[channel++] =
			chip->kind[i] == NTC ? temperature_of(chip, raw, i) : voltage_of(chip, raw, i);
}

/*
 * Inputs reach from ground to the supply, of 5.5 V at most; 10 mV below ground are what offset and noise may
 * give. The ADC's errors are 3 LSB and 0.15 %; two inputs differ by 0.1 % at most, and two ranges by as much.
 */
static const struct kryos_channel_info channels[] = {
	[VOLTAGE - 1] = { .quantity = "voltage",
	                  .unit = "V",
	                  .min_micro = -10000,
	                  .max_micro = 5500000,
	                  .resolution_micro = 125,
	                  .accuracy = "0.15 % and 3 steps, times the ratio" },
	/*
	 * What falls out of warm water into ice water moves at about this rate. The step is that at 25 C of 10 kOhm in
	 * series with 10 kOhm at 3.3 V.
	 */
	[NTC - 1] = { .quantity = "temperature",
	              .unit = "Cel",
	              .min_micro = INT64_C(-100000000),
	              .max_micro = INT64_C(150000000),
	              .max_rate_micro = INT64_C(30000000),
	              .resolution_micro = 3400,
	              .accuracy = "that of NTC and series resistor; the chip adds 0.15 C at 5 C with supply_input" },
};

static void describe_voltage(const struct ads1115 *chip, unsigned int input, struct kryos_channel_info *channel)
{
	static const int64_t step_nv[] = { 187500, 125000, 62500, 31250, 15625, 7813 };
	int64_t ratio = chip->ratio_micro[input];

	channel->min_micro = kri_divide_rounded(channel->min_micro * ratio, 1000000);
	channel->max_micro = kri_divide_rounded(channel->max_micro * ratio, 1000000);
	channel->resolution_micro = kri_divide_rounded(step_nv[chip->range[input]] * ratio, 1000000000);
	if (!channel->resolution_micro)
		channel->resolution_micro = 1;
}

static int describe(const char *place, const int64_t *values, struct kryos_description *ret_description)
{
	struct ads1115 chip;
	size_t n = 0;
	int r = take_options(&chip, values);

	(void)place;
	if (r < 0)
		return r;
	for (unsigned int i = next_input(&chip, 0); i < INPUTS; i = next_input(&chip, i + 1), n++) {
		struct kryos_channel_info *channel = &ret_description->channels[n];

		*channel = channels[chip.kind[i] - 1];
		if (chip.kind[i] == VOLTAGE)
			describe_voltage(&chip, i, channel);
		/* By the input's number, so that using another input later gives no channel another meaning. */
		if (i > 0) {
			snprintf(ret_description->names[n], sizeof(ret_description->names[n]), "%s%u",
			         channel->quantity, i);
			channel->quantity = ret_description->names[n];
		}
	}
	ret_description->channel_count = n;
	return 0;
}

/* No remove: after a conversion the chip sleeps. */
const struct kryos_sensor_driver kri_sensor_ads1115 = {
	.size = sizeof(kri_sensor_ads1115),
	.name = "ads1115",
	.title = "Texas Instruments ADS1115",
	.bus = "i2c",
	.channels = channels,
	.channel_count = KRI_ARRAY_SIZE(channels),
	.private_size = sizeof(struct ads1115),
	.raw_size = 4 * INPUTS,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.options = options,
	.option_count = OPTIONS,
	.describe = describe,
	.datasheet = "TI SBAS444",
	.addresses = "0x48 0x49 0x4a 0x4b",
	.suits = "battery and mains voltage; NTC probes of the 0.5 C class with three points of the NTC's table",
	.conversion_ns = CONVERSION_NS,
};
