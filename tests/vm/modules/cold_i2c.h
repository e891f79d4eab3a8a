/* SPDX-License-Identifier: GPL-2.0 */
/* A chip on the emulated bus: registers, and what its kind makes of them. */
#ifndef COLD_I2C_H
#define COLD_I2C_H

#include <linux/types.h>

struct cold_chip {
	const struct cold_kind *kind;
	u16 address;
	u8 image[256]; /* what was written to its file: the chip as it was made, and what it is to measure */
	u8 reg[256];   /* what it holds */
	u8 pointer;
	u64 until_ns; /* bme280: end of what it is doing; ds3231: begin of the next second */
};

struct cold_kind {
	/* As it leaves the factory, with its power on. */
	void (*make)(u8 *image);
	/* The image was changed from first to last. */
	void (*load)(struct cold_chip *chip, unsigned int first, unsigned int last, u64 now_ns);
	/* Time has passed; once for each message, so that a burst is of one moment. */
	void (*settle)(struct cold_chip *chip, u64 now_ns);
	/* What the master sent after the register's number. */
	void (*write)(struct cold_chip *chip, const u8 *bytes, unsigned int count, u64 now_ns);
	u8 (*next)(u8 pointer);
};

extern const struct cold_kind cold_bme280, cold_ds3231;

#endif
