/* SPDX-License-Identifier: Apache-2.0 */
/* A chip of the kernel's gpio-sim: its wires are pulled and read through sysfs, and what drives them is traced. */
#ifndef KRI_VM_GPIO_SIM_H
#define KRI_VM_GPIO_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The offsets of its lines, which are called so; the kernel itself holds "taken", as "led0". */
enum { DOOR, MAINS, LAMP, TAKEN, OTHER, BUZZER };

/* Setup and teardown of a group. Between them the chip may go and come back. */
int gpio_sim_make(void **state);
int gpio_sim_remove(void **state);
void gpio_sim_go(void);
void gpio_sim_come(void);
/* "gpiochip0". */
const char *gpio_sim_chip(void);

void gpio_sim_pull(unsigned int line, int level);
/* The file that does so, for a process that can't fail a test: "pull-up" or "pull-down" is written. */
int gpio_sim_open_pull(unsigned int line);
int gpio_sim_level(unsigned int line);

/* What a line was told to be, and when on CLOCK_MONOTONIC. */
struct gpio_driven {
	int64_t t_ns;
	int level;
};
/* From here on it is traced what lines of the machine are told to be. False: this kernel does not trace that. */
bool gpio_trace_begin(void);
/* All that it was since, in order, and the end of it; the test drives one line. */
size_t gpio_trace_end(struct gpio_driven *ret_driven, size_t size);

#endif
