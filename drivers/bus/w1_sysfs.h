/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 1-Wire bus driver, inside.
 *
 *     w1_sysfs.c    the bus driver: chips, their files, those of a master that convert together
 *     w1_reading.c  threads that read one chip each
 */
#ifndef KRI_W1_SYSFS_H
#define KRI_W1_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The scratchpad from the text of a w1_slave file, its CRC checked. -EIO: not such a text, or empty; KRYOS_ECRC. name
 * is for the sentences. Pure.
 */
int kri_w1_parse_slave(const char *text, const char *name, uint8_t scratchpad[9]);
/* Converts, waits, and reads root/chip/w1_slave. As read_scratchpad of a bus driver. Any thread. */
int kri_w1_read_slave(const char *root, const char *chip, uint8_t scratchpad[9]);

/* w1_reading.c. On the bus's worker. */
struct reading;
struct kri_w1_readings {
	struct reading *first;
	size_t count;
};
/* Begins to read a chip on a thread. -EBUSY: the one before hangs; -EAGAIN: too many at once; -ENOMEM. */
int kri_w1_begin(struct kri_w1_readings *readings, const char *root, const char *chip);
/* Waits for what was begun, at most 5 s, and gives its result; false: nothing was, or too long ago. */
bool kri_w1_take(struct kri_w1_readings *readings, const char *chip, uint8_t scratchpad[9], int *ret_result);
/* Waits for all that was begun, at most 0.9 s. */
void kri_w1_forget(struct kri_w1_readings *readings);

#endif
