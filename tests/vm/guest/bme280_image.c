/* SPDX-License-Identifier: Apache-2.0 */
#include "bme280_image.h"
#include "support.h"
#include <fcntl.h>
#include <i2c/smbus.h>
#include <linux/i2c-dev.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static uint64_t between(uint64_t *random, int64_t low, int64_t high)
{
	return (uint64_t)(low + (int64_t)(next_random(random) % (uint64_t)(high - low + 1)));
}

static void put_le(uint8_t *bytes, uint64_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
}

/*
 * Trimming values (BST-BME280-DS002, table 16) around those of real chips, each within a third or so, and measurements
 * from all over the range of the converter that such chips use.
 */
void bme280_draw(uint64_t *random, uint8_t registers[256])
{
	static const struct {
		uint8_t at;
		int32_t low, high;
	} words[] = {
		{ 0x88, 26000, 29500 },  { 0x8a, 25500, 27500 }, { 0x8c, -1000, 1000 },    { 0x8e, 34000, 39000 },
		{ 0x90, -11500, -9500 }, { 0x92, 2500, 3500 },   { 0x94, 1000, 9000 },     { 0x96, -300, 300 },
		{ 0x98, -30, 30 },       { 0x9a, 9000, 16000 },  { 0x9c, -16000, -10000 }, { 0x9e, 3000, 8000 },
		{ 0xe1, 300, 420 },
	};
	uint64_t pressure = between(random, 200000, 650000), temperature = between(random, 320000, 700000);
	uint64_t humidity = between(random, 15000, 45000), h4 = between(random, 250, 400),
		 h5 = between(random, -60, 100);
	size_t i;

	memset(registers, 0, 256);
	registers[0xd0] = 0x60;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		put_le(registers + words[i].at, between(random, words[i].low, words[i].high));
	registers[0xa1] = (uint8_t)between(random, 0, 120);
	registers[0xe3] = (uint8_t)between(random, 0, 10);
	registers[0xe4] = (uint8_t)(h4 >> 4);
	registers[0xe5] = (uint8_t)((h4 & 15) | (h5 & 15) << 4);
	registers[0xe6] = (uint8_t)(h5 >> 4);
	registers[0xe7] = (uint8_t)between(random, 20, 40);
	registers[0xf7] = (uint8_t)(pressure >> 12);
	registers[0xf8] = (uint8_t)(pressure >> 4);
	registers[0xf9] = (uint8_t)(pressure << 4);
	registers[0xfa] = (uint8_t)(temperature >> 12);
	registers[0xfb] = (uint8_t)(temperature >> 4);
	registers[0xfc] = (uint8_t)(temperature << 4);
	registers[0xfd] = (uint8_t)(humidity >> 8);
	registers[0xfe] = (uint8_t)humidity;
}

void bme280_write(const char *bus, unsigned int address, const char *file, const uint8_t registers[256])
{
	char path[32];
	int fd, reg;

	if (file) {
		fd = open(file, O_WRONLY | O_CLOEXEC);
		assert_int_equal(pwrite(fd, registers, 256, 0), 256);
		close(fd);
		return;
	}
	snprintf(path, sizeof(path), "/dev/%s", bus);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(fd, I2C_SLAVE, (unsigned long)address), 0);
	for (reg = 0; reg < 256; reg++)
		assert_int_equal(i2c_smbus_write_byte_data(fd, (uint8_t)reg, registers[reg]), 0);
	close(fd);
}
