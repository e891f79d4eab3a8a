/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Bosch's BMP280 and BME280 share: registers, how they start, and the compensation of temperature and pressure.
 * Sections are those of the BME280's data sheet, BST-BME280-DS002; the BMP280's, BST-BMP280-DS001, has the same.
 */
#ifndef KRI_BMX280_H
#define KRI_BMX280_H

#include <kryos/sys/sensor.h>
#include <stdbool.h>

enum {
	BMX280_STATUS = 0xf3,
	BMX280_CTRL_MEAS = 0xf4,
	BMX280_CONFIG = 0xf5,
	BMX280_STATUS_MEASURING = 0x08,

	/*
	 * Oversampling (5.4.5): temperature x2 has steps of 0.0025 C (3.4.4: 17 bits) with less noise than the x1 of
	 * the suggested weather station (3.5.1); pressure x4, its steps well below its noise. At one measurement a
	 * minute the milliseconds they take do not warm the chip. The filter stays off, because it would mix
	 * measurements a minute apart (3.4.4).
	 */
	BMX280_SLEEP = 2 << 5 | 3 << 2,
	BMX280_SLEEP_LONG = 5 << 5 | 5 << 2, /* both x16 */
	BMX280_FORCED = 1,                   /* a bit of the mode that a chip which is done has cleared */
	/*
	 * The standby time means nothing in forced mode (5.4.6), so it is our mark: a chip that was reset, or
	 * exchanged for another with another calibration, does not have it.
	 */
	BMX280_MARK = 5 << 5,

	/* Table 4: what the 20-bit results hold from a reset on. It compensates to a likely temperature. */
	BMX280_RESET_20_BITS = 0x80000,
};

/* Trimming values by their names in table 16. */
struct kri_bmx280 {
	int64_t t1, t2, t3;
	int64_t p1, p2, p3, p4, p5, p6, p7, p8, p9;
	int64_t h1;     /* in one block with the others; nothing in a BMP280 */
	uint8_t asleep; /* ctrl_meas of the measurement that was begun last, once it has ended */
};

/* Writes a register, on I2C or SPI. */
int kri_bmx280_write(struct kryos_dev *dev, uint8_t reg, uint8_t value);
/* The chip id; -ENXIO, on SPI -ENODEV, and other errors. */
/*
 * What a search must not ask on SPI, where 0xd0 is a command to other chips: KRYOS_ECHIP there, 0 elsewhere.
 */
int kri_bmx280_may_search(struct kryos_dev *dev);
int kri_bmx280_identify(struct kryos_dev *dev, uint8_t *ret_id);
/* Resets it, waits until it has started, and reads its trimming; -EIO: it holds none. */
int kri_bmx280_start(struct kri_bmx280 *chip, struct kryos_dev *dev);
/*
 * Starts a measurement that takes at most measure_ns, or where that is over too soon a long one. -EIO: none began;
 * KRYOS_ECRC: other settings are read than were written.
 */
int kri_bmx280_measure(struct kri_bmx280 *chip, struct kryos_dev *dev, int64_t measure_ns, int64_t *ret_wait_ns);
/* Settings and status as read in one burst with the results: 0, -EAGAIN: still measuring, KRYOS_ECHIP: reset. */
int kri_bmx280_check(const struct kri_bmx280 *chip, struct kryos_dev *dev, uint8_t status, uint8_t ctrl_meas,
                     uint8_t config);

/* Results by their code: t_fine; C and Pa in micro-units, with the quality as far as trimming goes. */
int64_t kri_bmx280_fine_temperature(const struct kri_bmx280 *chip, int64_t code);
int64_t kri_bmx280_temperature(int64_t t_fine);
struct kryos_reading kri_bmx280_pressure(const struct kri_bmx280 *chip, int64_t code, int64_t t_fine);

static inline int64_t kri_bmx280_u16(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8;
}

static inline int64_t kri_bmx280_s16(const uint8_t *bytes)
{
	return (int16_t)kri_bmx280_u16(bytes);
}

static inline int64_t kri_bmx280_u20(const uint8_t *bytes)
{
	return bytes[0] << 12 | bytes[1] << 4 | bytes[2] >> 4;
}

#endif
