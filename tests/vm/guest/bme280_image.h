/* SPDX-License-Identifier: Apache-2.0 */
/* What a BME280 holds: a random chip and a random measurement. */
#ifndef KRI_VM_BME280_IMAGE_H
#define KRI_VM_BME280_IMAGE_H

#include <stdint.h>

void bme280_draw(uint64_t *random, uint8_t registers[256]);
/* To the file of an emulated chip, or where that is NULL by SMBus (i2c-stub). */
void bme280_write(const char *bus, unsigned int address, const char *file, const uint8_t registers[256]);

#endif
