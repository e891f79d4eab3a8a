/* SPDX-License-Identifier: Apache-2.0 */
/* Chips whose registers count up while they are read, and which have no checksum. */
#ifndef KRI_REGISTERS_H
#define KRI_REGISTERS_H

#include <kryos/sys/bus.h>

/* Reads them twice, at most 32, and they must agree. KRYOS_ECRC; the bus's errors. */
int kri_registers_read(struct kryos_dev *dev, uint8_t reg, uint8_t *bytes, size_t count);
/*
 * Whether a chip sent these: nobody acknowledges on SPI, and a wire that no chip drives reads as all ones or all zeros,
 * which must be nothing that these registers can hold. -ENODEV.
 */
int kri_registers_heard(struct kryos_dev *dev, const uint8_t *bytes, size_t count);

#endif
