/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines: what a bus of GPIO lines does beyond kryos/sys/bus.h, and what the driver of a line is given.
 *
 * The table stands in the bus driver's slot line. The core allocates private_size zeroed bytes for
 * each line. Slots run on the bus's worker, but for close, which may run on any thread once nothing
 * else does. States are logical: 1 is active, whatever the level.
 */
#ifndef KRYOS_SYS_GPIO_H
#define KRYOS_SYS_GPIO_H

#include <kryos/base.h>
#include <kryos/line.h>
#include <kryos/sys/bus.h>

KRYOS_BEGIN

/* A change of a line's state. */
struct kryos_edge {
	int64_t t_boot_ns; /* when it was, CLOCK_BOOTTIME */
	int active;        /* the state it led to */
	int settled;       /* 1: the bus has debounced it; 0: each bounce is told */
	uint32_t lost;     /* how many before it, since the last one told, are known to be lost */
};

struct kryos_line_request {
	struct kryos_line_config config; /* as in force: nothing in it is left to a default */
	int output;                      /* 1: driven, inactive at first; 0: read */
	/* NULL: edges are not asked for. Called on any thread; takes no lock that is held over a call of a slot. */
	void (*edge)(void *data, const struct kryos_edge *edge);
	void *data;
};

struct kryos_line_ops {
	uint32_t size;
	size_t private_size;

	/*
	 * Takes the line. -ENODEV: no such line; -EBUSY: somebody else has it (the text says who); -EACCES;
	 * KRYOS_EDEVICE: several have that name. < 1 s. Nothing is left on error.
	 */
	int (*open)(void *line, void *bus_priv, const struct kryos_address *address,
	            const struct kryos_line_request *request);
	/* Lets it go; one that was driven is made inactive first. After it edge is not called any more. */
	void (*close)(void *line);
	/* 1 or 0. -ENODEV: its chip is gone; -EIO. < 100 ms. */
	int (*get)(void *line);
	int (*set)(void *line, int active);
};

/*
 * For drivers of one line: takes it as the device was configured (nothing to do when it is taken), lets
 * it go, reads it (0 or 1), drives it. On the bus's worker only.
 */
KRYOS_API int kryos_dev_open_line(struct kryos_dev *dev);
KRYOS_EXPORT void kryos_dev_close_line(struct kryos_dev *dev);
KRYOS_API int kryos_dev_get_line(struct kryos_dev *dev);
KRYOS_API int kryos_dev_set_line(struct kryos_dev *dev, int active);

KRYOS_END
#endif
