/* SPDX-License-Identifier: Apache-2.0 */
#include "bmx280.h"
#include "core/core.h"
#include "registers.h"
#include <string.h>

enum {
	REG_CALIBRATION = 0x88, /* to 0xA1 */
	REG_ID = 0xd0,
	REG_RESET = 0xe0,
	CALIBRATION = 26,
	STATUS_COPYING = 0x01,
	RESET_WORD = 0xb6,
};

/* 2 ms of start-up (1.1) and copying the calibration; a poll takes at least 30 us even at the fastest bus clock. */
#define START_POLLS 100

/* 9.1, with the BME280's humidity: 1.25 + 2.3 x 16 + (2.3 x 16 + 0.575) + (2.3 x 1 + 0.575) ms at most. */
#define LONG_NS INT64_C(78500000)

static bool is_on_spi(const struct kryos_dev *dev)
{
	return strcmp(kryos_dev_bus_kind(dev), "spi") == 0;
}

int kri_bmx280_write(struct kryos_dev *dev, uint8_t reg, uint8_t value)
{
	/* 6.3: there bit 7 of the register, which all of them have, says whether it is read. */
	return kryos_dev_write_register(dev, is_on_spi(dev) ? reg & 0x7f : reg, value);
}

int kri_bmx280_may_search(struct kryos_dev *dev)
{
	if (strcmp(kryos_dev_bus_kind(dev), "spi") != 0)
		return 0;
	return kryos_fail(KRYOS_ECHIP, "%s: is not searched for on SPI", kryos_dev_name(dev));
}

int kri_bmx280_identify(struct kryos_dev *dev, uint8_t *ret_id)
{
	int r = kri_registers_read(dev, REG_ID, ret_id, 1);

	return r >= 0 && is_on_spi(dev) ? kri_registers_heard(dev, ret_id, 1) : r;
}

/*
 * Until it has started the chip may not acknowledge, or on SPI has no id; from then on status bit 0 says that
 * calibration is copied.
 */
static int reset(struct kryos_dev *dev)
{
	uint8_t status = STATUS_COPYING, id;
	int r = kri_bmx280_write(dev, REG_RESET, RESET_WORD), i;

	for (i = 0; r >= 0 && i < START_POLLS; i++) {
		r = kryos_dev_read_registers(dev, BMX280_STATUS, &status, 1);
		if (r >= 0 && is_on_spi(dev)) {
			r = kryos_dev_read_registers(dev, REG_ID, &id, 1);
			if (r >= 0 && kri_registers_heard(dev, &id, 1) < 0)
				status = STATUS_COPYING;
		}
		if (r >= 0 && !(status & STATUS_COPYING))
			return 0;
		if (r == -ENXIO)
			r = 0;
	}
	if (r < 0)
		return r;
	return kryos_fail(-ETIMEDOUT, "%s: did not come back from a reset", kryos_dev_name(dev));
}

/*
 * A start that was unheard, or garbled in its mode, which I2C acknowledges all the same, would have the results of the
 * last measurement read once more: it has begun when ctrl_meas says so. That is over by the time it is read where a
 * transfer takes as long as a measurement: a USB adapter, a machine that is busy. So what was not seen is begun again
 * with more oversampling: it takes five times as long, and measures the same.
 */
int kri_bmx280_measure(struct kri_bmx280 *chip, struct kryos_dev *dev, int64_t measure_ns, int64_t *ret_wait_ns)
{
	static const uint8_t oversampling[] = { BMX280_SLEEP, BMX280_SLEEP_LONG };
	uint8_t ctrl_meas = 0;
	int r = 0;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(oversampling); i++) {
		chip->asleep = oversampling[i];
		r = kri_bmx280_write(dev, BMX280_CTRL_MEAS, chip->asleep | BMX280_FORCED);
		if (r >= 0)
			r = kryos_dev_read_registers(dev, BMX280_CTRL_MEAS, &ctrl_meas, 1);
		if (r < 0)
			return r;
		if (ctrl_meas == (chip->asleep | BMX280_FORCED)) {
			*ret_wait_ns = i ? LONG_NS : measure_ns;
			return 0;
		}
		if (ctrl_meas != chip->asleep)
			return kryos_fail(KRYOS_ECRC, "%s: register 0x%02x reads 0x%02x after 0x%02x was written",
			                  kryos_dev_name(dev), BMX280_CTRL_MEAS, ctrl_meas,
			                  chip->asleep | BMX280_FORCED);
	}
	return kryos_fail(-EIO, "%s: did not begin to measure, or the bus is too slow to see it", kryos_dev_name(dev));
}

int kri_bmx280_start(struct kri_bmx280 *chip, struct kryos_dev *dev)
{
	uint8_t a[CALIBRATION];
	int r = reset(dev);

	if (r >= 0)
		r = kri_registers_read(dev, REG_CALIBRATION, a, sizeof(a));
	if (r < 0)
		return r;
	*chip = (struct kri_bmx280){
		.t1 = kri_bmx280_u16(a),
		.t2 = kri_bmx280_s16(a + 2),
		.t3 = kri_bmx280_s16(a + 4),
		.p1 = kri_bmx280_u16(a + 6),
		.p2 = kri_bmx280_s16(a + 8),
		.p3 = kri_bmx280_s16(a + 10),
		.p4 = kri_bmx280_s16(a + 12),
		.p5 = kri_bmx280_s16(a + 14),
		.p6 = kri_bmx280_s16(a + 16),
		.p7 = kri_bmx280_s16(a + 18),
		.p8 = kri_bmx280_s16(a + 20),
		.p9 = kri_bmx280_s16(a + 22),
		.h1 = a[25],
	};
	/* A bus that reads all zero or all one, twice, would do for a chip with strange values. */
	if (!chip->t1 || chip->t1 == 0xffff || !chip->p1 || chip->p1 == 0xffff)
		return kryos_fail(-EIO, "%s: the chip holds no calibration (T1 %d, P1 %d)", kryos_dev_name(dev),
		                  (int)chip->t1, (int)chip->p1);
	return 0;
}

int kri_bmx280_check(const struct kri_bmx280 *chip, struct kryos_dev *dev, uint8_t status, uint8_t ctrl_meas,
                     uint8_t config)
{
	if (config != BMX280_MARK || (ctrl_meas & ~BMX280_FORCED) != chip->asleep)
		return kryos_fail(KRYOS_ECHIP, "%s: lost its settings: it was reset or exchanged", kryos_dev_name(dev));
	return status & BMX280_STATUS_MEASURING ? -EAGAIN : 0;
}

/*
 * Section 4.2.3's integer code, widened to 64 bits where the original overflows with extreme trimming values; >> of
 * a negative number is arithmetic there as with our compilers, and rounds differently than /.
 */
int64_t kri_bmx280_fine_temperature(const struct kri_bmx280 *chip, int64_t code)
{
	int64_t distance = (code >> 4) - chip->t1;

	return ((((code >> 3) - chip->t1 * 2) * chip->t2) >> 11) + ((((distance * distance) >> 12) * chip->t3) >> 14);
}

/* As in the double precision code (8.1); the integer code's last step rounds to 0.01 C, coarser than the chip. */
int64_t kri_bmx280_temperature(int64_t t_fine)
{
	return kri_divide_rounded(t_fine * 1000000, 5120);
}

/* Q24.8 Pa. False where trimming values make no sense together: a step would divide by zero or not fit 64 bits. */
static bool compensate_pressure(const struct kri_bmx280 *chip, int64_t code, int64_t t_fine, int64_t *ret_q8)
{
	int64_t var1 = t_fine - 128000, var2, p;

	var2 = var1 * var1 * chip->p6 + var1 * chip->p5 * (INT64_C(1) << 17) + chip->p4 * (INT64_C(1) << 35);
	var1 = ((var1 * var1 * chip->p3) >> 8) + var1 * chip->p2 * (INT64_C(1) << 12);
	if (__builtin_mul_overflow((INT64_C(1) << 47) + var1, chip->p1, &var1) || var1 >> 33 == 0)
		return false;
	var1 >>= 33;
	p = 1048576 - code;
	if (__builtin_mul_overflow(p * (INT64_C(1) << 31) - var2, INT64_C(3125), &p))
		return false;
	p /= var1;
	if (p < 0 || p >= INT64_C(1) << 36) /* 16 times what any air has */
		return false;
	var1 = (chip->p9 * (p >> 13) * (p >> 13)) >> 25;
	var2 = (chip->p8 * p) >> 19;
	*ret_q8 = ((p + var1 + var2) >> 8) + chip->p7 * 16;
	return true;
}

struct kryos_reading kri_bmx280_pressure(const struct kri_bmx280 *chip, int64_t code, int64_t t_fine)
{
	int64_t q8;

	if (!compensate_pressure(chip, code, t_fine, &q8))
		return (struct kryos_reading){ .quality = KRYOS_QUALITY_RANGE };
	return (struct kryos_reading){ .value_micro = kri_divide_rounded(q8 * 1000000, 256),
		                       .quality = KRYOS_QUALITY_GOOD };
}
