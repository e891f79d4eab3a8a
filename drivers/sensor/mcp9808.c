/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Microchip MCP9808: temperature. Sections are those of the data sheet DS25095A.
 *
 * It converts all the time, four times a second. Shut down between measurements it would hold the last result, with
 * nothing that tells it from a new one, and the longest time of a conversion is not given: a value of a minute ago
 * could pass for one of now. Its 200 uA warm it by hundredths of a degree, and its accuracy is specified with them.
 *
 * There is no checksum, so the result is read twice; and the configuration between the two, because two answers that
 * were lost in the same way would agree, on 0 C.
 */
#include "core/core.h"
#include "registers.h"
#include "word.h"

enum { REG_CONFIGURATION = 1, REG_TEMPERATURE = 5, REG_MANUFACTURER = 6, REG_DEVICE = 7, REG_RESOLUTION = 8 };

#define MANUFACTURER_MICROCHIP 0x0054
#define DEVICE_MCP9808 0x04 /* in the high byte; the low one is the revision */
#define RESOLUTION_0_0625 3

/*
 * The hysteresis of the alert output, which is off, is our mark (5.1.1): 6 C, two bits which are 0 from a power-up
 * on. By it a chip that was reset is known, whose temperature is 0 C until its first conversion has ended.
 */
#define OURS 0x0600
/*
 * Hysteresis, shutdown, and how alerts are given (5.1.1). Not bit 4, which says what the alert output does; nor 6 and
 * 7, which lock the alert's limits and, until the power is cut, what is written here, but change no measurement.
 */
#define SETTINGS 0x070f

/* Typically 250 ms (5.2.4); what is under way when the chip is told to convert may have to end first. */
#define FIRST_NS KRYOS_MILLISECONDS(500)

struct mcp9808 {
	bool converts; /* for long enough */
	bool differed;
};

static int identify(struct kryos_dev *dev)
{
	unsigned int manufacturer = 0, device = 0;
	int r = kri_word_get_surely(dev, REG_MANUFACTURER, &manufacturer);

	if (r >= 0)
		r = kri_word_get_surely(dev, REG_DEVICE, &device);
	if (r < 0 || (manufacturer == MANUFACTURER_MICROCHIP && device >> 8 == DEVICE_MCP9808))
		return r;
	return kryos_fail(KRYOS_ECHIP,
	                  "%s: this is no MCP9808: its manufacturer is 0x%04x and its device id 0x%04x, not 0x0054 and "
	                  "0x04..",
	                  kryos_dev_name(dev), manufacturer, device);
}

/* It has no checksum, so what it was told may not be what it heard. */
static int set_resolution(struct kryos_dev *dev)
{
	uint8_t resolution = 0;
	int r = kryos_dev_write_register(dev, REG_RESOLUTION, RESOLUTION_0_0625);

	if (r >= 0)
		r = kri_registers_read(dev, REG_RESOLUTION, &resolution, 1);
	if (r < 0 || resolution == RESOLUTION_0_0625)
		return r;
	return kryos_fail(-EIO, "%s: does not take its resolution (0x%02x)", kryos_dev_name(dev), resolution);
}

/* Lock bits, which the chip keeps until its power is cut, refuse both mark and conversions (5.1.1). */
static int configure(struct kryos_dev *dev)
{
	unsigned int configuration = 0;
	int r = kri_word_put(dev, REG_CONFIGURATION, OURS);

	if (r >= 0)
		r = kri_word_get_surely(dev, REG_CONFIGURATION, &configuration);
	if (r < 0 || (configuration & SETTINGS) == OURS)
		return r;
	return kryos_fail(-EIO, "%s: does not take its settings (0x%04x)%s", kryos_dev_name(dev), configuration,
	                  configuration & 0xc0 ? ": they are locked until its power is cut" : "");
}

static int probe(void *priv, struct kryos_dev *dev)
{
	int r = identify(dev);

	(void)priv;
	if (r >= 0)
		r = set_resolution(dev);
	if (r >= 0)
		r = configure(dev);
	return r;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	struct mcp9808 *chip = priv;

	(void)dev;
	*ret_wait_ns = chip->converts ? 0 : FIRST_NS;
	chip->converts = true;
	chip->differed = false;
	return 0;
}

/* A conversion that ended between two readings makes them differ once, noise again. */
static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	unsigned int first = 0, second = 0, configuration = 0;
	int r = kri_word_get(dev, REG_TEMPERATURE, &first);
	struct mcp9808 *chip = priv;

	if (r >= 0)
		r = kri_word_get(dev, REG_CONFIGURATION, &configuration);
	if (r >= 0 && (configuration & SETTINGS) != OURS)
		return kryos_fail(KRYOS_ECHIP, "%s: lost its settings (0x%04x): it was reset or exchanged",
		                  kryos_dev_name(dev), configuration);
	if (r >= 0)
		r = kri_word_get(dev, REG_TEMPERATURE, &second);
	if (r < 0)
		return r;
	if (first != second && !chip->differed) {
		chip->differed = true;
		return -EAGAIN;
	}
	if (first != second)
		return kryos_fail(KRYOS_ECRC, "%s: two readings of the temperature differ: 0x%04x, 0x%04x",
		                  kryos_dev_name(dev), first, second);
	raw[0] = (uint8_t)(first >> 8);
	raw[1] = (uint8_t)first;
	return 0;
}

/* 5.1.3: the three highest bits are alerts; below them stand 13 bits in two's complement, sixteenths of a degree. */
static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	int sixteenths = (raw[0] & 0x0f) << 8 | raw[1];

	(void)priv;
	if (raw[0] & 0x10)
		sixteenths -= 4096;
	ret_readings[0] =
		(struct kryos_reading){ .value_micro = sixteenths * INT64_C(62500), .quality = KRYOS_QUALITY_GOOD };
}

static const struct kryos_channel_info channels[] = {
	{ .quantity = "temperature",
	  .unit = "Cel",
	  .min_micro = INT64_C(-40000000),
	  .max_micro = INT64_C(125000000),
	  .max_rate_micro = INT64_C(30000000),
	  .resolution_micro = 62500,
	  .accuracy = "0.5 C, -20 to 100 C; 1 C, -40 to 125 C; typically 0.25 C" },
};

const struct kryos_sensor_driver kri_sensor_mcp9808 = {
	.size = sizeof(kri_sensor_mcp9808),
	.name = "mcp9808",
	.title = "Microchip MCP9808",
	.bus = "i2c",
	.channels = channels,
	.channel_count = KRI_ARRAY_SIZE(channels),
	.private_size = sizeof(struct mcp9808),
	.raw_size = 2,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.identify = identify,
	.datasheet = "Microchip DS25095A",
	.addresses = "0x18 0x19 0x1a 0x1b 0x1c 0x1d 0x1e 0x1f",
	.suits = "vaccine fridge logger (0.5 C class) without any margin: calibrate it",
	.conversion_ns = FIRST_NS,
};
