/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"
#include <math.h>

static int add_pt100_at_400(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	int r = kryos_fake_bus_add_max31865(bus, place, ret_model);

	return r < 0 ? r : kryos_model_set(*ret_model, "reference", 400000000);
}

/* The highest reference there is to an element: the converter reaches beyond what any temperature gives. */
static int add_pt100_at_1000(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	int r = kryos_fake_bus_add_max31865(bus, place, ret_model);

	return r < 0 ? r : kryos_model_set(*ret_model, "reference", 1000000000);
}

/* At the end of a cable whose leads have an Ohm each; the wire to the master is pulled low. */
static int add_pt1000(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	int r = kryos_fake_bus_add_max31865(bus, place, ret_model);

	kryos_fake_bus_set_idle(bus, 0);
	if (r >= 0)
		r = kryos_model_set(*ret_model, "element", 1000000000);
	if (r >= 0)
		r = kryos_model_set(*ret_model, "reference", 4300000000);
	return r < 0 ? r : kryos_model_set(*ret_model, "lead", 1000000);
}

static const char *make_max31856(struct kryos_fake_bus *bus, struct kryos_model *model)
{
	kryos_model_set_present(model, 0);
	assert_ok(kryos_fake_bus_add_max31856(bus, "", NULL));
	return "";
}

/* IEC 60751, the coefficients written as resistance of a PT100. */
static long double pt100(long double t)
{
	long double r = 100 + 0.39083L * t - 5.775e-5L * t * t;

	return t < 0 ? r - 4.183e-10L * (t - 100) * t * t * t : r;
}

/* The temperature at which the formula gives r: halved until no number is left between. */
static double invert(long double r)
{
	long double low = -245, high = 1200;

	for (int i = 0; i < 100; i++) {
		long double middle = (low + high) / 2;

		if (pt100(middle) < r)
			low = middle;
		else
			high = middle;
	}
	return (double)low;
}

static enum kryos_quality make_up_ratio(uint64_t *seed, uint8_t *raw, double *value, long double ratio)
{
	unsigned int code = (unsigned int)(next_random(seed) % 32768), faults = 0;

	/* A measurement in half of all cases, else any faults, which bit 0 of the value announces. */
	if (next_random(seed) % 2)
		faults = (unsigned int)(next_random(seed) % 64) << 2;
	raw[1] = (uint8_t)(code >> 7);
	raw[2] = (uint8_t)(code << 1 | (faults != 0));
	raw[7] = (uint8_t)faults;
	if (faults & 0x80 || faults & 0x20)
		return KRYOS_QUALITY_OPEN;
	if (faults)
		return KRYOS_QUALITY_SHORT;
	*value = invert(code / 32768.0L * ratio * 100);
	return *value < -200 || *value > 850 ? KRYOS_QUALITY_RANGE : KRYOS_QUALITY_GOOD;
}

static enum kryos_quality make_up_430(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	return make_up_ratio(seed, ret_raw, ret_values, 4.3L);
}

static enum kryos_quality make_up_400(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	return make_up_ratio(seed, ret_raw, ret_values, 4.0L);
}

static enum kryos_quality make_up_1000(uint64_t *seed, uint8_t *ret_raw, double *ret_values)
{
	return make_up_ratio(seed, ret_raw, ret_values, 10.0L);
}

/* Table 9, but for -200 C, whose code is rounded to below that; from -80 C on computed ones. PT100 with 400 Ohm. */
#define ROW(t, code)                                                                                                   \
	{                                                                                                              \
		.raw = { 0x81, (code) >> 7, (code) << 1 & 0xff }, .value = { t }                                       \
	}
static const struct known table[] = {
	ROW(-175, 2394), ROW(-150, 3254), ROW(-125, 4101), ROW(-100, 4936), ROW(-75, 5762),  ROW(-50, 6579),
	ROW(-40, 6903),  ROW(-30, 7227),  ROW(-20, 7550),  ROW(-10, 7871),  ROW(0, 8192),    ROW(10, 8512),
	ROW(20, 8830),   ROW(30, 9148),   ROW(40, 9465),   ROW(100, 11346), ROW(200, 14406), ROW(250, 15901),
	ROW(300, 17371), ROW(400, 20242), ROW(550, 24370), ROW(-80, 5597),  ROW(-25, 7389),  ROW(5, 8352),
	ROW(8, 8448),    ROW(25, 8989),   ROW(37, 9370),
};

/* Half a step of the converter, at the end where an element's resistance grows least. */
#define HALF_STEP 23000
/* The same with a reference of 10 times the element. */
#define HALF_STEP_AT_1000 (HALF_STEP * 10 / 4)

/* least_wait_ns: 10.5 time constants of reference and element with the data sheet's capacitor, and 1 ms; then it says
 * itself. */
const struct fixture max31865_fixtures[] = {
	{ .driver = "max31865",
	  .bus = "spi-0.0",
	  .place = "",
	  .other_bus = "spi-0.1",
	  .add = kryos_fake_bus_add_max31865,
	  .low_micro = { -199900000 },
	  .high_micro = { 849900000 },
	  .tolerance_micro = { HALF_STEP },
	  .silent = true,
	  .busy = true,
	  .least_wait_ns = KRYOS_MILLISECONDS(2),
	  .make_wrong = make_max31856,
	  .make_up = make_up_430 },
	{ .driver = "max31865",
	  .bus = "spi-0.0",
	  .place = "",
	  .options = "rref=400 filter=60",
	  .other_bus = "spi-1.0",
	  .add = add_pt100_at_400,
	  .low_micro = { -199900000 },
	  .high_micro = { 849900000 },
	  .tolerance_micro = { HALF_STEP },
	  .silent = true,
	  .busy = true,
	  .least_wait_ns = KRYOS_MILLISECONDS(2),
	  .make_wrong = make_max31856,
	  .table = table,
	  .table_count = KRI_ARRAY_SIZE(table),
	  .table_tolerance = 0.02,
	  .make_up = make_up_400 },
	{ .driver = "max31865",
	  .bus = "spi-0.0",
	  .place = "",
	  .options = "rref=1000",
	  .other_bus = "spi-0.1",
	  .add = add_pt100_at_1000,
	  .low_micro = { -199900000 },
	  .high_micro = { 849900000 },
	  .tolerance_micro = { HALF_STEP_AT_1000 },
	  .silent = true,
	  .busy = true,
	  .least_wait_ns = KRYOS_MILLISECONDS(2),
	  .make_wrong = make_max31856,
	  .make_up = make_up_1000 },
	{ .driver = "max31865",
	  .bus = "spi-0.1",
	  .place = "",
	  .options = "element=pt1000 wires=3",
	  .other_bus = "spi-0.0",
	  .add = add_pt1000,
	  .low_micro = { -199900000 },
	  .high_micro = { 849900000 },
	  .tolerance_micro = { HALF_STEP },
	  .silent = true,
	  .busy = true,
	  .least_wait_ns = KRYOS_MILLISECONDS(2),
	  .make_wrong = make_max31856,
	  .make_up = make_up_430 },
	{ 0 },
};
