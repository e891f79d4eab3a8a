/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Analog Devices ADT7420: temperature, 16 bits. By the data sheet, revision 0: tables 6 to 19.
 *
 * One-shot conversions: the chip sleeps in between and does not warm itself. There is no checksum, so the result
 * is read twice; and the configuration between the two, because two answers that were lost in the same way would
 * agree, on 0 C. An ADT7410 (0.5 C) may carry the same id: which of the two is there, only its package says.
 */
#include "core/core.h"
#include <kryos/sys/sensor.h>
#include <string.h>

enum { REG_TEMPERATURE = 0x00, REG_STATUS = 0x02, REG_CONFIGURATION = 0x03, REG_ID = 0x0b };

#define ID_ADT7420 0xcb
#define STATUS_NOT_READY 0x80 /* cleared when a result is written */

/*
 * Configuration: 16 bits, a mode, and as our mark two faults before an alert, which nobody listens to. From a power-up
 * on all of it is 0, and the temperature, 0 C, is said to be ready (table 6): only by its settings is a chip that was
 * reset told from one at 0 C.
 */
enum {
	BITS_16 = 0x80,
	MARK = 0x01,
	MODE_ONE_SHOT = 0x20,
	MODE_SHUTDOWN = 0x60, /* which a shot ends in */
	SETTINGS = 0xbf,      /* all but what tells these two modes apart */
	OURS = BITS_16 | MODE_ONE_SHOT | MARK,
};

/* Typically; when it is done the status says. */
#define MEASURE_NS KRYOS_MILLISECONDS(240)

static int identify(struct kryos_dev *dev)
{
	uint8_t first = 0, second = 0;
	int r = kryos_dev_read_registers(dev, REG_ID, &first, 1);

	if (r >= 0)
		r = kryos_dev_read_registers(dev, REG_ID, &second, 1);
	if (r < 0)
		return r;
	if (first != second)
		return kryos_fail(KRYOS_ECRC, "%s: two readings of its id differ: 0x%02x, 0x%02x", kryos_dev_name(dev),
		                  first, second);
	if (first != ID_ADT7420)
		return kryos_fail(KRYOS_ECHIP, "%s: this is no ADT7420: its id is 0x%02x, not 0xcb",
		                  kryos_dev_name(dev), first);
	return 0;
}

static int probe(void *priv, struct kryos_dev *dev)
{
	int r = identify(dev);

	(void)priv;
	if (r >= 0)
		r = kryos_dev_write_register(dev, REG_CONFIGURATION, OURS | MODE_SHUTDOWN);
	return r;
}

static int trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	int r = kryos_dev_write_register(dev, REG_CONFIGURATION, OURS);

	(void)priv;
	if (r >= 0)
		*ret_wait_ns = MEASURE_NS;
	return r;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	uint8_t status = 0, configuration = 0, again[2];
	int r = kryos_dev_read_registers(dev, REG_STATUS, &status, 1);

	(void)priv;
	if (r >= 0 && status & STATUS_NOT_READY)
		return -EAGAIN;
	if (r >= 0)
		r = kryos_dev_read_registers(dev, REG_TEMPERATURE, raw, 2);
	if (r >= 0)
		r = kryos_dev_read_registers(dev, REG_CONFIGURATION, &configuration, 1);
	if (r >= 0 && (configuration & SETTINGS) != OURS)
		return kryos_fail(KRYOS_ECHIP, "%s: lost its settings (0x%02x): it was reset or exchanged",
		                  kryos_dev_name(dev), configuration);
	if (r >= 0)
		r = kryos_dev_read_registers(dev, REG_TEMPERATURE, again, sizeof(again));
	if (r >= 0 && memcmp(raw, again, sizeof(again)) != 0)
		return kryos_fail(KRYOS_ECRC, "%s: two readings of the temperature differ: 0x%02x%02x, 0x%02x%02x",
		                  kryos_dev_name(dev), raw[0], raw[1], again[0], again[1]);
	return r;
}

/* "Temperature data format": 1/128 C a step, two's complement; rounded to the nearest millionth. */
static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	int64_t halves = (int16_t)(raw[0] << 8 | raw[1]) * INT64_C(15625);

	(void)priv;
	ret_readings[0] = (struct kryos_reading){ .value_micro = (halves + (halves < 0 ? -1 : 1)) / 2,
		                                  .quality = KRYOS_QUALITY_GOOD };
}

static const struct kryos_channel_info channels[] = {
	{ .quantity = "temperature",
	  .unit = "Cel",
	  .min_micro = INT64_C(-40000000),
	  .max_micro = INT64_C(150000000),
	  .max_rate_micro = INT64_C(30000000),
	  .resolution_micro = 7812,
	  .accuracy = "0.2 C, -10 to 85 C at 3.0 V; 0.25 C, -20 to 105 C" },
};

/* No remove: after one shot the chip sleeps. */
const struct kryos_sensor_driver kri_sensor_adt7420 = {
	.size = sizeof(kri_sensor_adt7420),
	.name = "adt7420",
	.title = "Analog Devices ADT7420",
	.bus = "i2c",
	.channels = channels,
	.channel_count = KRI_ARRAY_SIZE(channels),
	.raw_size = 2,
	.probe = probe,
	.trigger = trigger,
	.fetch = fetch,
	.decode = decode,
	.identify = identify,
	.datasheet = "Analog Devices ADT7420, revision 0",
	.addresses = "0x48 0x49 0x4a 0x4b",
	.suits = "vaccine fridge logger (0.5 C class)",
	.conversion_ns = MEASURE_NS,
};
