/* SPDX-License-Identifier: Apache-2.0 */
/* Chips whose registers are words of 16 bits, the high byte first. They have no checksum. */
#ifndef KRI_WORD_H
#define KRI_WORD_H

#include <kryos/sys/sensor.h>

int kri_word_get(struct kryos_dev *dev, uint8_t reg, unsigned int *ret_word);
/* Of a register that holds still: read twice, and both must agree. KRYOS_ECRC. */
int kri_word_get_surely(struct kryos_dev *dev, uint8_t reg, unsigned int *ret_word);
int kri_word_put(struct kryos_dev *dev, uint8_t reg, unsigned int word);

#endif
