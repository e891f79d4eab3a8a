/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"
#include <math.h>

static const char *make_bmp280(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)bus;
	assert_ok(kryos_model_poke(model, 0xd0, 0x58));
	return "0x76";
}

static const char *make_bmp280_on_spi(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	(void)make_bmp280(bus, model);
	return "";
}

struct trimming {
	double t[4], p[10], h[7];
};

static double scatter(uint64_t *seed, double middle, double by)
{
	return floor(middle + by * ((double)(next_random(seed) % 2001) / 1000.0 - 1.0));
}

static void poke16(struct kryos_model *model, unsigned int reg, double value)
{
	unsigned int bits = (unsigned int)(int)value & 0xffff;

	assert_ok(kryos_model_poke(model, reg, (uint8_t)bits));
	assert_ok(kryos_model_poke(model, reg + 1, (uint8_t)(bits >> 8)));
}

/* Trimming as chips of one make scatter around, burnt into the model. */
static void trim(struct kryos_model *model, struct trimming *ret_trimming, uint64_t *seed)
{
	static const double p[] = { 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000 };
	static const double by[] = { 1500, 500, 20, 3000, 150, 0, 5800, 2000, 2000 };
	struct trimming *c = ret_trimming;
	int h4, h5, i;

	c->t[1] = scatter(seed, 27504, 900);
	c->t[2] = scatter(seed, 26435, 700);
	c->t[3] = scatter(seed, -500, 550);
	for (i = 1; i <= 9; i++)
		c->p[i] = scatter(seed, p[i - 1], by[i - 1]);
	c->h[1] = scatter(seed, 60, 60);
	c->h[2] = scatter(seed, 365, 15);
	c->h[3] = scatter(seed, 2, 2);
	c->h[4] = scatter(seed, 310, 40);
	c->h[5] = scatter(seed, 25, 60);
	c->h[6] = scatter(seed, 15, 40);
	for (i = 1; i <= 3; i++)
		poke16(model, 0x86 + 2 * (unsigned int)i, c->t[i]);
	for (i = 1; i <= 9; i++)
		poke16(model, 0x8c + 2 * (unsigned int)i, c->p[i]);
	h4 = (int)c->h[4];
	h5 = (int)c->h[5];
	assert_ok(kryos_model_poke(model, 0xa1, (uint8_t)c->h[1]));
	poke16(model, 0xe1, c->h[2]);
	assert_ok(kryos_model_poke(model, 0xe3, (uint8_t)c->h[3]));
	assert_ok(kryos_model_poke(model, 0xe4, (uint8_t)((unsigned int)h4 >> 4)));
	assert_ok(kryos_model_poke(model, 0xe5, (uint8_t)((h4 & 15) | (h5 & 15) << 4)));
	assert_ok(kryos_model_poke(model, 0xe6, (uint8_t)((unsigned int)h5 >> 4)));
	assert_ok(kryos_model_poke(model, 0xe7, (uint8_t)(int)c->h[6]));
}

/* Data sheet BST-BME280-DS002, section 8.1, as printed there. */
static void compensate(const struct trimming *c, double adc_t, double adc_p, double adc_h, double ret[3])
{
	double var1, var2, t_fine, p, h;

	var1 = (adc_t / 16384.0 - c->t[1] / 1024.0) * c->t[2];
	var2 = (adc_t / 131072.0 - c->t[1] / 8192.0) * (adc_t / 131072.0 - c->t[1] / 8192.0) * c->t[3];
	t_fine = var1 + var2;
	ret[0] = t_fine / 5120.0;

	h = t_fine - 76800.0;
	h = (adc_h - (c->h[4] * 64.0 + c->h[5] / 16384.0 * h)) *
	    (c->h[2] / 65536.0 * (1.0 + c->h[6] / 67108864.0 * h * (1.0 + c->h[3] / 67108864.0 * h)));
	h = h * (1.0 - c->h[1] * h / 524288.0);
	ret[1] = h > 100.0 ? 100.0 : h < 0.0 ? 0.0 : h;

	var1 = t_fine / 2.0 - 64000.0;
	var2 = var1 * var1 * c->p[6] / 32768.0;
	var2 = var2 + var1 * c->p[5] * 2.0;
	var2 = var2 / 4.0 + c->p[4] * 65536.0;
	var1 = (c->p[3] * var1 * var1 / 524288.0 + c->p[2] * var1) / 524288.0;
	var1 = (1.0 + var1 / 32768.0) * c->p[1];
	p = 1048576.0 - adc_p;
	p = (p - var2 / 4096.0) * 6250.0 / var1;
	var1 = c->p[9] * p * p / 2147483648.0;
	var2 = p * c->p[8] / 32768.0;
	ret[2] = p + (var1 + var2 + c->p[7]) / 16.0;
}

/*
 * Chips with other trimming than the model is delivered with, measuring anything; the formulas are given the codes the
 * driver was given. What the driver's integers may lose: t_fine is cut twice (0.0004 C), which moves pressure and
 * humidity along, and each cuts its own steps.
 */
static void compare_bme280(const struct fixture *fixture, uint64_t *seed)
{
	struct kryos_sample samples[MAX_CHANNELS];
	struct trimming trimming = { { 0 } };
	double expected[3];
	struct rig rig;
	unsigned int in_range = 0;
	int n, i;

	for (n = 0; n < 2 * CASES; n++) {
		uint8_t d[8];

		if (n % 50 == 0) {
			if (n)
				rig_down(&rig);
			rig_up(&rig, fixture);
			trim(rig.model, &trimming, seed);
			assert_ok(open_it(&rig));
		}
		set_random_truth(&rig, seed);
		read_it(&rig, samples);
		for (i = 0; i < 8; i++)
			d[i] = (uint8_t)kryos_model_peek(rig.model, 0xf7 + (unsigned int)i);
		compensate(&trimming, d[3] << 12 | d[4] << 4 | d[5] >> 4, d[0] << 12 | d[1] << 4 | d[2] >> 4,
		           d[6] << 8 | d[7], expected);
		for (i = 0; i < 3; i++) {
			static const double allowed[] = { 0.001, 0.03, 0.6 };
			double got = (double)samples[i].value_micro / 1e6;

			if (samples[i].quality != KRYOS_QUALITY_GOOD)
				continue;
			in_range++;
			if (fabs(got - expected[i]) > allowed[i])
				fail_msg("case %d: %s is %f, the formulas give %f", n, rig.has.channels[i].quantity,
				         got, expected[i]);
		}
	}
	assert_true(in_range > 3 * CASES);
	rig_down(&rig);
}

/* Another chip of the make. */
static void exchange(struct kryos_model *model, uint64_t *seed)
{
	struct trimming trimming;

	trim(model, &trimming, seed);
}

/* Of the worked example in section 3.12 of the BMP280's data sheet, which has the same formulas; its humidity is not
 * printed there. */
static const struct known table[] = {
	{ .raw = { 0x01, 0x00, 0x4c, 0xa0, 0x00, 0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00, 0x80, 0x00 },
	  .value = { 25.08, NAN, 100653.27 } },
};

/* The model's pressure and humidity end where its trimming lets a code reach: within the chip's range. */
/* Data sheet 9.1, at most: temperature twice, pressure four times, humidity once. */
#define LONGEST_NS INT64_C(18500000)

const struct fixture bme280_fixtures[] = {
	{ .driver = "bme280",
	  .bus = "i2c-1",
	  .place = "0x76",
	  .other_place = "0x77",
	  .add = kryos_fake_bus_add_bme280,
	  .low_micro = { -39900000, 1000000, 30100000000 },
	  .high_micro = { 84900000, 99000000, 109900000000 },
	  .tolerance_micro = { 5000, 60000, 6000000 },
	  .busy = true,
	  .least_wait_ns = LONGEST_NS,
	  .make_wrong = make_bmp280,
	  .exchange = exchange,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .table_tolerance = 0.02,
	  .compare = compare_bme280 },
	{ .driver = "bme280",
	  .bus = "spi-0.0",
	  .place = "",
	  .other_bus = "spi-0.1",
	  .add = kryos_fake_bus_add_bme280,
	  .low_micro = { -39900000, 1000000, 30100000000 },
	  .high_micro = { 84900000, 99000000, 109900000000 },
	  .tolerance_micro = { 5000, 60000, 6000000 },
	  .silent = true,
	  .busy = true,
	  .least_wait_ns = LONGEST_NS,
	  .make_wrong = make_bmp280_on_spi,
	  .exchange = exchange,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .table_tolerance = 0.02,
	  .compare = compare_bme280 },
	{ 0 },
};
