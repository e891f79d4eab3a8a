/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Line: how one GPIO line is read or driven.
 *
 * A line is named as every device is, "door@gpio:GPIO17": by its name, looked up over all chips, or
 * as "gpiochip0/17". Its state is 0 or 1; which level of the wire is 1 says active_low.
 */
#ifndef KRYOS_LINE_H
#define KRYOS_LINE_H

#include <kryos/base.h>

KRYOS_BEGIN

/* The resistor inside the chip, of lines that are read. */
enum kryos_bias {
	KRYOS_BIAS_DEFAULT = 0, /* pull-up */
	KRYOS_BIAS_PULL_UP = 1,
	KRYOS_BIAS_PULL_DOWN = 2,
	KRYOS_BIAS_OFF = 3
};

struct kryos_line_config {
	uint32_t size;
	uint32_t active_low;  /* 1: the state is 1 while the wire is low */
	enum kryos_bias bias; /* of lines that are read */
	uint32_t reserved;
	int64_t debounce_ns; /* a state shorter than this is bouncing; 0: 50 ms. 1 ms to 10 s; of lines that are read */
};
#define KRYOS_LINE_CONFIG(...) KRYOS_CONFIG_OF(kryos_line_config, __VA_ARGS__)

KRYOS_END
#endif
