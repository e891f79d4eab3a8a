/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Microchip MCP9808, data sheet DS25095: 16-bit registers, most significant byte first (section 5).
 *
 * Its traps: the temperature register reads 0.0 C from power-on to the end of the first conversion, and nothing it
 * sends has a checksum. So a limit register, which is 0 after a reset, is set to a mark and read back with each value;
 * and the chip is stopped before it is read, so that the value stands still and can be read twice.
 */
#include "mcp9808.h"
#include <errno.h>
#include <string.h>

enum {
	REG_CONFIGURATION = 0x01,
	REG_UPPER_LIMIT = 0x02,
	REG_AMBIENT = 0x05,
	REG_MANUFACTURER = 0x06,
	REG_DEVICE = 0x07,
	REG_RESOLUTION = 0x08,
};

#define MANUFACTURER 0x0054
#define DEVICE 0x04                      /* upper byte; the lower one is the revision */
#define CONVERTING 0x0000                /* section 5.2.1; the alert output is off */
#define STOPPED 0x0100                   /* its registers keep what they hold */
#define MARK 0x0500                      /* 80 C: with the alert output off the limit does nothing */
#define RESOLUTION_0_0625 0x03           /* section 5.2.4 */
#define CONVERSION_NS INT64_C(500000000) /* twice the 250 ms typical: stopped too early, it keeps its old value */

static int read16(struct kryos_dev *dev, uint8_t reg, unsigned int *ret_value)
{
	uint8_t bytes[2];
	int r = kryos_dev_read_registers(dev, reg, bytes, sizeof(bytes));

	if (r >= 0)
		*ret_value = (unsigned int)bytes[0] << 8 | bytes[1];
	return r;
}

static int write16(struct kryos_dev *dev, uint8_t reg, unsigned int value)
{
	uint8_t bytes[3] = { reg, (uint8_t)(value >> 8), (uint8_t)value };

	return kryos_dev_transfer(dev, bytes, sizeof(bytes), NULL, 0);
}

static int identify(struct kryos_dev *dev)
{
	unsigned int manufacturer = 0, device = 0;
	int r = read16(dev, REG_MANUFACTURER, &manufacturer);

	if (r >= 0)
		r = read16(dev, REG_DEVICE, &device);
	if (r < 0)
		return r == -ENXIO ? -ENODEV : r;
	if (manufacturer == MANUFACTURER && device >> 8 == DEVICE)
		return 0;
	return kryos_fail(KRYOS_ECHIP,
	                  "%s: this is no MCP9808: manufacturer 0x%04x, device 0x%04x, not 0x0054 and 0x04xx",
	                  kryos_dev_name(dev), manufacturer, device);
}

static int probe(void *priv, struct kryos_dev *dev)
{
	uint8_t resolution[2] = { REG_RESOLUTION, RESOLUTION_0_0625 };
	int r = identify(dev);

	(void)priv;
	if (r >= 0)
		r = kryos_dev_transfer(dev, resolution, sizeof(resolution), NULL, 0);
	if (r >= 0)
		r = write16(dev, REG_UPPER_LIMIT, MARK);
	return r == -ENXIO ? -ENODEV : r;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	int r = write16(dev, REG_CONFIGURATION, CONVERTING);

	(void)priv;
	if (r >= 0)
		*ret_wait_ns = CONVERSION_NS;
	return r;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	unsigned int mark = 0;
	uint8_t again[2];
	int r = write16(dev, REG_CONFIGURATION, STOPPED);

	(void)priv;
	if (r >= 0)
		r = kryos_dev_read_registers(dev, REG_AMBIENT, raw, 2);
	if (r >= 0)
		r = read16(dev, REG_UPPER_LIMIT, &mark);
	if (r >= 0)
		r = kryos_dev_read_registers(dev, REG_AMBIENT, again, 2);
	if (r < 0)
		return r;
	if (mark != MARK)
		return kryos_fail(KRYOS_ECHIP, "%s: lost its settings: it was reset", kryos_dev_name(dev));
	if (memcmp(raw, again, sizeof(again)) != 0)
		return kryos_fail(KRYOS_ECRC, "%s: two readings of register 5 differ", kryos_dev_name(dev));
	return 0;
}

/* Section 5.1.3: three alert flags, the sign, and twelve bits of sixteenths of a degree. */
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
	  .min_micro = -40000000,
	  .max_micro = 125000000,
	  .max_rate_micro = 30000000,
	  .resolution_micro = 62500,
	  .accuracy = "0.5 C, -20 to 100 C; 1 C, -40 to 125 C" },
};

const struct kryos_sensor_driver mcp9808_driver = {
	.size = sizeof(mcp9808_driver),
	.name = "mcp9808",
	.title = "Microchip MCP9808",
	.bus = "i2c",
	.channels = channels,
	.channel_count = 1,
	.raw_size = 2,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.datasheet = "Microchip DS25095",
	.addresses = "0x18 0x19 0x1a 0x1b 0x1c 0x1d 0x1e 0x1f",
	.suits = "vaccine fridge logger (0.5 C class) without any margin",
	.conversion_ns = CONVERSION_NS,
};
