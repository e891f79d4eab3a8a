/* SPDX-License-Identifier: Apache-2.0 */
/* The i2c-dev bus driver's pure parts, for its tests. */
#ifndef KRI_I2C_DEV_H
#define KRI_I2C_DEV_H

#include <stddef.h>
#include <stdint.h>

/* "i2c-1" -> 1. KRYOS_EDEVICE with a sentence. */
int kri_i2c_parse_bus(const char *name);
/* "0x76" -> 0x76. KRYOS_EDEVICE with a sentence. */
int kri_i2c_parse_address(const char *place);

/* How a transfer goes out. */
enum kri_i2c_way {
	KRI_I2C_PLAIN,       /* I2C_RDWR, any shape */
	KRI_I2C_READ_BLOCK,  /* a register, then bytes: SMBus I2C block reads of at most 32 */
	KRI_I2C_WRITE_BLOCK, /* a register and at most 32 bytes */
	KRI_I2C_WRITE_BYTE,  /* one byte */
	KRI_I2C_READ_BYTE,
	KRI_I2C_IMPOSSIBLE
};
/* funcs as of the ioctl I2C_FUNCS. */
enum kri_i2c_way kri_i2c_choose_way(unsigned long funcs, size_t out_count, size_t in_count);
/*
 * Calls read for pieces of at most 32 bytes, the register counting up; read gives how many bytes it got or -errno.
 * -EIO when a piece is short.
 */
int kri_i2c_read_split(int (*read)(void *data, uint8_t reg, uint8_t count, uint8_t *bytes), void *data, uint8_t reg,
                       uint8_t *bytes, size_t count);
/* What a failed i2c-dev ioctl means, from Linux's Documentation/i2c/fault-codes.rst. errnum > 0; gives a result < 0. */
int kri_i2c_result(int errnum);

#endif
