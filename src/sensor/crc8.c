/* SPDX-License-Identifier: Apache-2.0 */
#include <kryos/sys/bus.h>

/*
 * Bit by bit: a scratchpad is nine bytes, and reading it takes a thousand times longer. Reflected polynomial and
 * shift direction as in Maxim application note 27, "Understanding and Using Cyclic Redundancy Checks".
 */
uint8_t kryos_crc8_maxim(const void *data, size_t count)
{
	const uint8_t *bytes = data;
	uint8_t crc = 0;

	for (size_t i = 0; i < count; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint8_t)(crc & 1 ? crc >> 1 ^ 0x8c : crc >> 1);
	}
	return crc;
}

/* As in the SHT3x's data sheet, 4.12: 0xbeef gives 0x92. */
uint8_t kryos_crc8_sensirion(const void *data, size_t count)
{
	const uint8_t *bytes = data;
	uint8_t crc = 0xff;

	for (size_t i = 0; i < count; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint8_t)(crc & 0x80 ? crc << 1 ^ 0x31 : crc << 1);
	}
	return crc;
}
