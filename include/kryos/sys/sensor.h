/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sensor driver: one const object in one file.
 *
 * A driver never opens a node, sleeps, logs or reads a clock: it talks to its chip through the
 * kryos_dev_ calls (kryos/sys/bus.h), says how long to wait, and decodes. The core allocates
 * private_size zeroed bytes per chip, retries (twice), bounds waits, stamps and judges. All slots
 * but decode run on the bus's worker, in the states drawn here:
 *
 *     probe ok -> [ trigger -> wait -> fetch -> decode ]* -> remove
 *     probe failed: remove is not called; probe is called again later
 */
#ifndef KRYOS_SYS_SENSOR_H
#define KRYOS_SYS_SENSOR_H

#include <kryos/base.h>
#include <kryos/sample.h>
#include <kryos/sys/bus.h>

KRYOS_BEGIN

#define KRYOS_SENSOR_MAX_CHANNELS 8
#define KRYOS_SENSOR_MAX_RAW 64

struct kryos_channel_info {
	const char *quantity;         /* "temperature", "humidity", "pressure", "voltage" */
	const char *unit;             /* SenML's: "Cel", "%RH", "Pa", "V" */
	int64_t min_micro, max_micro; /* what the chip can measure; outside is quality range */
	int64_t max_rate_micro;       /* per second; faster is quality rate; 0: not judged */
	/*
	 * What 0 and 1000000 are called, where it has these two states only ("closed", "open"; unit "/", as RFC 8428
	 * has it for a switch). It may stand still for ever. NULL: a quantity.
	 */
	const char *states[2];
};

struct kryos_reading {
	int64_t value_micro;
	enum kryos_quality quality;
};

struct kryos_sensor_driver {
	uint32_t size;
	const char *name;  /* "bme280" */
	const char *title; /* "Bosch BME280", for messages and documentation */
	const char *bus;   /* bus prefix without separator: "i2c", "spi", "w1", "gpio" */
	const struct kryos_channel_info *channels;
	size_t channel_count; /* at most KRYOS_SENSOR_MAX_CHANNELS */
	size_t private_size;
	size_t raw_size; /* what fetch fills, at most KRYOS_SENSOR_MAX_RAW */

	/* Identifies the chip, resets it, reads its calibration. -ENODEV: nothing answers; KRYOS_ECHIP: another chip.
	 */
	int (*probe)(void *priv, struct kryos_dev *dev);
	/* Starts a measurement and says how long it takes. NULL: nothing to start. */
	int (*trigger)(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns);
	/* Reads raw_size bytes. -EAGAIN: not ready yet, ask again in a millisecond. KRYOS_ECHIP: the chip was reset. */
	int (*fetch)(void *priv, struct kryos_dev *dev, uint8_t *raw);
	/* Pure: raw bytes and calibration to one reading per channel, with what they themselves tell of quality. */
	void (*decode)(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings);
	/* Puts the chip to rest. NULL: nothing to do. The chip may be gone. */
	void (*remove)(void *priv, struct kryos_dev *dev);
};

/* Adds a driver to a context; it takes precedence over a built-in one of the same name. Must outlive it. */
KRYOS_API int kryos_register_sensor(struct kryos_ctx *ctx, const struct kryos_sensor_driver *driver);

KRYOS_END
#endif
