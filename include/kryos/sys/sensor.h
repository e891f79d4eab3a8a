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
#define KRYOS_SENSOR_MAX_OPTIONS 32

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
	int64_t resolution_micro; /* one step of the chip as this driver sets it up; 0: the source does not say */
	const char *accuracy;     /* the data sheet's words in short: "0.1 C, -20 to 50 C"; NULL: none is given */
	int stands_still;         /* 1: it may for ever, as the capacity of a full battery does */
};

/* What can be said of a chip beside where it is ("wires = 3"): a key of its section, a word of an option text. */
struct kryos_option_info {
	const char *name;    /* of [a-z0-9_] */
	const char *doc;     /* a phrase: "resistance of the reference resistor" */
	const char *choices; /* "2 3 4": one of these words, whose value is its place from 0; NULL: a number */
	const char *unit;    /* of a number: "Ohm"; NULL: it has none */
	int64_t value;       /* in force where nothing is said: micro-units, or the word's place */
	int64_t min_micro, max_micro;
};

/* What describe fills in. The names are room for quantities that are made up there. */
struct kryos_description {
	struct kryos_channel_info channels[KRYOS_SENSOR_MAX_CHANNELS];
	char names[KRYOS_SENSOR_MAX_CHANNELS][32];
	size_t channel_count;
};

struct kryos_reading {
	int64_t value_micro;
	enum kryos_quality quality;
};

struct kryos_sensor_driver {
	uint32_t size;
	const char *name;  /* "bme280" */
	const char *title; /* "Bosch BME280", for messages and documentation */
	/*
	 * Bus prefix without separator: "i2c", "spi", "w1", "gpio"; several: "i2c spi". "sysfs": what stands after the
	 * @ is a device of the kernel's class that is called as the driver is; it is a bus of its own, and open is
	 * given "sysfs-iio@bme280".
	 */
	const char *bus;
	const struct kryos_channel_info *channels; /* with describe: what it may have, for documentation; or NULL */
	size_t channel_count;                      /* at most KRYOS_SENSOR_MAX_CHANNELS */
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

	/*
	 * Whether this chip is there, by reading alone: 0; KRYOS_ECHIP: another; else the bus's error. For a search, so
	 * it may meet any chip. NULL: this chip can't be told from others.
	 */
	int (*identify)(struct kryos_dev *dev);

	/* What can be said of the chip, asked for by place in this table: kryos_dev_option. */
	const struct kryos_option_info *options;
	size_t option_count; /* at most KRYOS_SENSOR_MAX_OPTIONS */
	/*
	 * Pure: its channels, where the place or the options say what is measured; NULL: channels. Any thread, before
	 * any other slot. KRYOS_EDEVICE with a sentence: there is no such thing.
	 */
	int (*describe)(const char *place, const int64_t *options, struct kryos_description *ret_description);

	/* On SPI. */
	unsigned int spi_mode;   /* 0 to 3 */
	unsigned int spi_max_hz; /* 0: 1 MHz */

	/* For documentation and for kryosctl's search. */
	const char *datasheet; /* "Bosch BST-BME280-DS002-1.6" */
	const char *addresses; /* on I2C: "0x76 0x77"; NULL: none */
	const char *suits;     /* the cold-chain use its accuracy allows, a phrase */
	int64_t conversion_ns; /* longest from trigger to fetch, with default options, on a bus that is not slow */
};

/* The value of one of the driver's options: micro-units, or the place of the word among its choices. On the worker. */
KRYOS_EXPORT int64_t kryos_dev_option(const struct kryos_dev *dev, size_t option);
/* "i2c", "spi", "sysfs": the kind of bus it is on, for a chip that speaks several. Static. */
KRYOS_EXPORT const char *kryos_dev_bus_kind(const struct kryos_dev *dev);

/* Adds a driver to a context; it takes precedence over a built-in one of the same name. Must outlive it. */
KRYOS_API int kryos_register_sensor(struct kryos_ctx *ctx, const struct kryos_sensor_driver *driver);

KRYOS_END
#endif
