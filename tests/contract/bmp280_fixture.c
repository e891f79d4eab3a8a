/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"
#include <math.h>

static const char *make_bme280(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)bus;
	assert_ok(kryos_model_poke(model, 0xd0, 0x60));
	return "0x76";
}

static const char *make_bme280_on_spi(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)make_bme280(bus, model);
	return "";
}

/* Where the wire to the master is pulled low. */
static int add_on_spi(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	kryos_fake_bus_set_idle(bus, 0);
	return kryos_fake_bus_add_bmp280(bus, place, ret_model);
}

/* dig_T1 to dig_T3, dig_P1 to dig_P9 as in section 3.12 of BST-BMP280-DS001, and how far chips of the make scatter. */
static const double middle[] = { 27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000 };
static const double spread[] = { 900, 700, 50, 1500, 500, 20, 3000, 150, 0, 5800, 2000, 2000 };

static void trim(struct kryos_model *model, double dig[12], uint64_t *seed)
{
	unsigned int i, bits;

	for (i = 0; i < 12; i++) {
		dig[i] = floor(middle[i] + spread[i] * ((double)(next_random(seed) % 2001) / 1000.0 - 1.0));
		bits = (unsigned int)(int)dig[i];
		assert_ok(kryos_model_poke(model, 0x88 + 2 * i, (uint8_t)bits));
		assert_ok(kryos_model_poke(model, 0x89 + 2 * i, (uint8_t)(bits >> 8)));
	}
}

static void exchange(struct kryos_model *model, uint64_t *seed)
{
	double dig[12];

	trim(model, dig, seed);
}

/* Section 8.1, in double precision, as printed there. */
static double temperature_of(const double *dig_T, double adc_T, double *ret_t_fine)
{
	double var1 = (adc_T / 16384.0 - dig_T[0] / 1024.0) * dig_T[1];
	double var2 = (adc_T / 131072.0 - dig_T[0] / 8192.0) * (adc_T / 131072.0 - dig_T[0] / 8192.0) * dig_T[2];

	*ret_t_fine = var1 + var2;
	return (var1 + var2) / 5120.0;
}

static double pressure_of(const double *dig_P, double adc_P, double t_fine)
{
	double var1 = t_fine / 2.0 - 64000.0, var2 = var1 * var1 * dig_P[5] / 32768.0, p;

	var2 = var2 + var1 * dig_P[4] * 2.0;
	var2 = var2 / 4.0 + dig_P[3] * 65536.0;
	var1 = (dig_P[2] * var1 * var1 / 524288.0 + dig_P[1] * var1) / 524288.0;
	var1 = (1.0 + var1 / 32768.0) * dig_P[0];
	p = 1048576.0 - adc_P;
	p = (p - var2 / 4096.0) * 6250.0 / var1;
	var1 = dig_P[8] * p * p / 2147483648.0;
	var2 = p * dig_P[7] / 32768.0;
	return p + (var1 + var2 + dig_P[6]) / 16.0;
}

/*
 * Codes as oversampling leaves them: 17 bits of 20 for temperature x2, 18 for pressure x4 (tables 4, 5). The driver's
 * integers cut t_fine twice (0.0004 C), which moves the pressure along.
 */
static void compare_bmp280(const struct fixture *fixture, uint64_t *seed)
{
	unsigned int good = 0, i, n;
	double dig[12] = { 0 }, t_fine, t, p;

	for (n = 0; n < 2 * CASES / 50; n++) {
		struct kryos_reading readings[2];
		struct rig rig;

		rig_up(&rig, fixture);
		trim(rig.model, dig, seed);
		assert_ok(open_it(&rig));
		for (i = 0; i < 50; i++) {
			uint32_t adc_T = 0x70000 + (uint32_t)(next_random(seed) % 0x20000 & ~UINT64_C(7));
			uint32_t adc_P = 0x40000 + (uint32_t)(next_random(seed) % 0x40000 & ~UINT64_C(3));
			uint8_t raw[KRYOS_SENSOR_MAX_RAW] = { 0, 0x4c, 0xa0, 0 };

			raw[4] = (uint8_t)(adc_P >> 12);
			raw[5] = (uint8_t)(adc_P >> 4);
			raw[6] = (uint8_t)(adc_P << 4);
			raw[7] = (uint8_t)(adc_T >> 12);
			raw[8] = (uint8_t)(adc_T >> 4);
			raw[9] = (uint8_t)(adc_T << 4);
			rig.driver->decode(rig.sensor->priv, raw, readings);
			t = temperature_of(dig, adc_T, &t_fine);
			p = pressure_of(dig + 3, adc_P, t_fine);
			if (readings[0].quality != KRYOS_QUALITY_GOOD)
				continue;
			good++;
			if (fabs((double)readings[0].value_micro / 1e6 - t) > 0.001 ||
			    fabs((double)readings[1].value_micro / 1e6 - p) > 0.6)
				fail_msg("codes %u, %u: %f C, %f Pa; the formulas give %f, %f", adc_T, adc_P,
				         (double)readings[0].value_micro / 1e6, (double)readings[1].value_micro / 1e6,
				         t, p);
		}
		rig_down(&rig);
	}
	assert_true(good > CASES);
}

static const struct known table[] = {
	/* Section 3.12. */
	{ .raw = { 0x00, 0x4c, 0xa0, 0x00, 0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00 }, .value = { 25.08, 100653.27 } },
	/* What a reset leaves. */
	{ .raw = { 0x00, 0x4c, 0xa0, 0x00, 0x80, 0x00, 0x00, 0x80, 0x00, 0x00 }, .quality = KRYOS_QUALITY_POWER_ON },
};

/* Data sheet 3.8.1, at most: 13.3 ms with temperature once, pressure four times; 2.3 ms for temperature once more. */
#define LONGEST_NS INT64_C(15600000)

const struct fixture bmp280_fixtures[] = {
	{ .driver = "bmp280",
	  .bus = "i2c-1",
	  .place = "0x76",
	  .other_place = "0x77",
	  .add = kryos_fake_bus_add_bmp280,
	  .low_micro = { -39900000, 30100000000 },
	  .high_micro = { 84900000, 109900000000 },
	  .tolerance_micro = { 5000, 6000000 },
	  .busy = true,
	  .least_wait_ns = LONGEST_NS,
	  .make_wrong = make_bme280,
	  .exchange = exchange,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .table_tolerance = 0.02,
	  .compare = compare_bmp280 },
	{ .driver = "bmp280",
	  .bus = "spi-0.0",
	  .place = "",
	  .other_bus = "spi-0.1",
	  .add = add_on_spi,
	  .low_micro = { -39900000, 30100000000 },
	  .high_micro = { 84900000, 109900000000 },
	  .tolerance_micro = { 5000, 6000000 },
	  .silent = true,
	  .busy = true,
	  .least_wait_ns = LONGEST_NS,
	  .make_wrong = make_bme280_on_spi,
	  .exchange = exchange,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .table_tolerance = 0.02,
	  .compare = compare_bmp280 },
	{ 0 },
};
