/* SPDX-License-Identifier: Apache-2.0 */
/* The 1-Wire bus driver's pure part, for its tests. */
#ifndef KRI_W1_SYSFS_H
#define KRI_W1_SYSFS_H

#include <stdint.h>

/*
 * The scratchpad from the text of a w1_slave file, its CRC checked. -EIO: not such a text, or empty; KRYOS_ECRC. name
 * is for the sentences.
 */
int kri_w1_parse_slave(const char *text, const char *name, uint8_t scratchpad[9]);

#endif
