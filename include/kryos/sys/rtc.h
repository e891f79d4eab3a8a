/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RTC driver: a real-time clock on a bus of the library, or behind a device node.
 *
 * As a sensor driver: one const object, slots on a worker, no clock reading of its own. A chip on
 * a bus gets dev; a node ("rtc@/dev/rtc0") gets dev NULL and its path at open.
 */
#ifndef KRYOS_SYS_RTC_H
#define KRYOS_SYS_RTC_H

#include <kryos/base.h>
#include <kryos/sys/bus.h>

KRYOS_BEGIN

struct kryos_rtc_reading {
	int64_t t_wall_ns;   /* whole seconds */
	int stopped;         /* 1: the oscillator had stopped; the time means nothing */
	int has_temperature; /* 1: temperature_micro and aging are set */
	int32_t aging;
	int64_t temperature_micro; /* Cel */
};

struct kryos_rtc_driver {
	uint32_t size;
	const char *name;      /* "ds3231", "rtc" */
	const char *bus;       /* "i2c"; NULL: a node */
	const char *addresses; /* on I2C: "0x68"; NULL: none */
	size_t private_size;

	/* Identifies the chip or opens the node. -ENODEV, KRYOS_ECHIP, -EBUSY (then the core tries the kernel's node).
	 */
	int (*open)(void *priv, struct kryos_dev *dev, const char *path);
	void (*close)(void *priv, struct kryos_dev *dev);
	/* One consistent reading. KRYOS_ECRC: registers hold no date. < 500 ms. */
	int (*read)(void *priv, struct kryos_dev *dev, struct kryos_rtc_reading *ret_reading);
	/* Sets the time and clears the stop flag. 2000-01-01 to 2099-12-31 at least, else -ERANGE. */
	int (*set)(void *priv, struct kryos_dev *dev, int64_t t_wall_ns);
};

KRYOS_API int kryos_register_rtc(struct kryos_ctx *ctx, const struct kryos_rtc_driver *driver);

KRYOS_END
#endif
