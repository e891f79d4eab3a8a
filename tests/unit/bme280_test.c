/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/sensor.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct kryos_sensor_driver kri_sensor_bme280;
static const struct kryos_sensor_driver *const driver = &kri_sensor_bme280;

#define PRIVATE 256

struct rig {
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	struct kryos_model *model;
	struct kryos_dev *dev;
};

/* One measurement by the driver's own slots, on the bus's worker. */
struct work {
	_Alignas(max_align_t) unsigned char priv[PRIVATE];
	uint8_t raw[KRYOS_SENSOR_MAX_RAW];
	int64_t wait_ns;
};

static int setup(void **state)
{
	struct rig *rig = test_calloc(1, sizeof(*rig));

	assert_true(driver->private_size <= PRIVATE);
	assert_ok(kryos_fake_clock_new(&rig->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_fake_bus_new(&rig->bus, "i2c-1"));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	assert_ok(kryos_fake_bus_add_bme280(rig->bus, "0x76", &rig->model));
	assert_ok(kri_dev_open(rig->ctx, "bme280@i2c-1:0x76", "i2c", &rig->dev));
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	kri_dev_close(rig->dev);
	kryos_ctx_free(rig->ctx);
	kryos_fake_bus_free(rig->bus);
	kryos_fake_clock_free(rig->clock);
	test_free(rig);
	return 0;
}

static int run_probe(struct kryos_dev *dev, void *data)
{
	return driver->probe(((struct work *)data)->priv, dev);
}

static int run_trigger(struct kryos_dev *dev, void *data)
{
	struct work *work = data;

	return driver->trigger(work->priv, dev, &work->wait_ns);
}

static int run_fetch(struct kryos_dev *dev, void *data)
{
	struct work *work = data;

	return driver->fetch(work->priv, dev, work->raw);
}

static int on_worker(struct rig *rig, int (*run)(struct kryos_dev *dev, void *data), struct work *work)
{
	return kri_dev_call(rig->dev, false, run, work, sizeof(*work), KRYOS_SECONDS(5));
}

/* A measurement that has ended: while it is under way fetch says so. */
static void measure(struct rig *rig, struct work *work)
{
	assert_ok(on_worker(rig, run_trigger, work));
	assert_fails(-EAGAIN, on_worker(rig, run_fetch, work));
}

/* What the driver is given after a measurement: settings and status, then the codes as in 0xF7 to 0xFE. */
static void decode_codes(const struct work *work, uint32_t temperature, uint32_t pressure, uint32_t humidity,
                         struct kryos_reading readings[3])
{
	uint8_t raw[KRYOS_SENSOR_MAX_RAW] = { 0 }, *d = raw + driver->raw_size - 8;

	d[0] = (uint8_t)(pressure >> 12);
	d[1] = (uint8_t)(pressure >> 4);
	d[2] = (uint8_t)(pressure << 4);
	d[3] = (uint8_t)(temperature >> 12);
	d[4] = (uint8_t)(temperature >> 4);
	d[5] = (uint8_t)(temperature << 4);
	d[6] = (uint8_t)(humidity >> 8);
	d[7] = (uint8_t)humidity;
	driver->decode(work->priv, raw, readings);
}

/* The model is delivered with the data sheet's trimming values. 25767233 / 256 Pa is what its 64-bit code gives. */
static void bme280_compensates_the_data_sheets_example_exactly(void **state)
{
	struct kryos_reading readings[3];
	struct work work = { .wait_ns = 0 };

	assert_ok(on_worker(*state, run_probe, &work));
	decode_codes(&work, 519888, 415148, 0x7000, readings);
	assert_int_equal(readings[0].value_micro, 25082422); /* t_fine 128422 / 5120 */
	assert_int_equal(readings[2].value_micro, 100653253906);
	assert_true(llabs(readings[2].value_micro - INT64_C(100653270000)) <= 1000000);
	assert_int_equal(readings[0].quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(readings[1].quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(readings[2].quality, KRYOS_QUALITY_GOOD);
}

/* Section 8.1's humidity formula, for trimming values H1 to H6. */
static double humidity(const double h[7], double code, double t_fine)
{
	double v = t_fine - 76800.0;

	v = (code - (h[4] * 64.0 + h[5] / 16384.0 * v)) *
	    (h[2] / 65536.0 * (1.0 + h[6] / 67108864.0 * v * (1.0 + h[3] / 67108864.0 * v)));
	v = v * (1.0 - h[1] * v / 524288.0);
	return v < 0 ? 0 : v > 100 ? 100 : v;
}

static void bme280_unpacks_the_nibbles_of_h4_and_h5_with_their_signs(void **state)
{
	static const struct {
		uint8_t e4, e5, e6;
		double h4, h5;
	} cases[] = {
		{ 0x13, 0x29, 0x03, 0x139, 0x032 }, { 0x14, 0xf0, 0xff, 0x140, -1 },        { 0xff, 0x0f, 0x00, -1, 0 },
		{ 0x80, 0x10, 0x7f, -2048, 0x7f1 }, { 0x7f, 0x8f, 0x80, 0x7ff, -2048 + 8 },
	};
	struct rig *rig = *state;
	struct kryos_reading readings[3];
	size_t i;

	for (i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		double h[7] = { 0, 75, 370, 0, cases[i].h4, cases[i].h5, 30 }, expected;
		uint32_t code = (uint32_t)(cases[i].h4 * 64 + 9000 > 0 ? cases[i].h4 * 64 + 9000 : 2000);
		struct work work = { .wait_ns = 0 };

		code = code > 0xffff ? 0xffff : code;
		assert_ok(kryos_model_poke(rig->model, 0xe4, cases[i].e4));
		assert_ok(kryos_model_poke(rig->model, 0xe5, cases[i].e5));
		assert_ok(kryos_model_poke(rig->model, 0xe6, cases[i].e6));
		assert_ok(on_worker(rig, run_probe, &work));
		decode_codes(&work, 519888, 415148, code, readings);
		expected = humidity(h, code, 128422);
		if (fabs((double)readings[1].value_micro / 1e6 - expected) > 0.02)
			fail_msg("case %zu: %f %%RH, not %f", i, (double)readings[1].value_micro / 1e6, expected);
	}
}

static void bme280_sets_its_chip_to_forced_mode_and_waits_long_enough(void **state)
{
	struct rig *rig = *state;
	struct work work = { .wait_ns = 0 };
	int meas, hum;
	double least;

	assert_ok(on_worker(rig, run_probe, &work));
	assert_int_equal(kryos_model_peek(rig->model, 0xf5) & 0x1c, 0); /* filter off */
	kryos_model_set_busy(rig->model, -1);
	assert_ok(on_worker(rig, run_trigger, &work));
	meas = kryos_model_peek(rig->model, 0xf4);
	hum = kryos_model_peek(rig->model, 0xf2);
	assert_int_equal(meas & 3, 1);
	assert_true(meas >> 5 && (meas >> 2 & 7) && hum);
	/* Appendix B, 9.1: the longest measurement. */
	least = 1.25 + 2.3 * (1 << ((meas >> 5) - 1)) + 2.3 * (1 << ((meas >> 2 & 7) - 1)) + 0.575 +
	        2.3 * (1 << (hum - 1)) + 0.575;
	assert_true(work.wait_ns >= (int64_t)(least * 1e6) && work.wait_ns < KRYOS_MILLISECONDS(120));
	assert_fails(-EAGAIN, on_worker(rig, run_fetch, &work));
	kryos_model_set_busy(rig->model, 0);
	assert_ok(on_worker(rig, run_fetch, &work));
}

static void bme280_waits_out_the_chips_start_and_says_when_there_is_no_end(void **state)
{
	struct rig *rig = *state;
	struct work work = { .wait_ns = 0 };

	assert_ok(on_worker(rig, run_probe, &work));
	/* From the second transfer on (the id is read twice) no acknowledge for ever: it does not come back. */
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_NACK, 3, -1);
	assert_fails(-ETIMEDOUT, on_worker(rig, run_probe, &work));
	assert_says(-ETIMEDOUT, "did not come back from a reset");
	assert_says(-ETIMEDOUT, "bme280@i2c-1:0x76");
}

static void bme280_names_other_chips_it_finds(void **state)
{
	static const struct {
		uint8_t id;
		const char *text;
	} others[] = { { 0x58, "this is a BMP280, which has no humidity: write bmp280" },
		       { 0x56, "this is a BMP280, which has no humidity: write bmp280" },
		       { 0x61, "BME680" },
		       { 0x55, "chip id is 0x55" },
		       { 0xff, "chip id is 0xff" } };
	struct rig *rig = *state;
	struct work work = { .wait_ns = 0 };
	size_t i;

	for (i = 0; i < KRI_ARRAY_SIZE(others); i++) {
		assert_ok(kryos_model_poke(rig->model, 0xd0, others[i].id));
		assert_fails(KRYOS_ECHIP, on_worker(rig, run_probe, &work));
		assert_says(KRYOS_ECHIP, others[i].text);
		assert_says(KRYOS_ECHIP, "bme280@i2c-1:0x76");
	}
}

static void bme280_says_that_nothing_answers(void **state)
{
	struct rig *rig = *state;
	struct work work = { .wait_ns = 0 };
	int when;

	kryos_model_set_present(rig->model, 0);
	assert_fails(-ENODEV, on_worker(rig, run_probe, &work));
	assert_says(-ENODEV, "nothing answers");
	kryos_model_set_present(rig->model, 1);
	for (when = 0; when < 3; when++) { /* pulled between two transfers */
		kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_NACK, when, -1);
		assert_fails(-ENODEV, on_worker(rig, run_probe, &work));
	}
}

static void bme280_refuses_a_chip_without_calibration(void **state)
{
	static const unsigned int places[] = { 0x88, 0x8e, 0xe1 };
	struct rig *rig = *state;
	size_t i;
	int low, high;

	for (i = 0; i < KRI_ARRAY_SIZE(places); i++) {
		struct work work = { .wait_ns = 0 };

		low = kryos_model_peek(rig->model, places[i]);
		high = kryos_model_peek(rig->model, places[i] + 1);
		assert_ok(kryos_model_poke(rig->model, places[i], 0));
		assert_ok(kryos_model_poke(rig->model, places[i] + 1, 0));
		assert_fails(-EIO, on_worker(rig, run_probe, &work));
		assert_says(-EIO, "holds no calibration");
		assert_ok(kryos_model_poke(rig->model, places[i], (uint8_t)low));
		assert_ok(kryos_model_poke(rig->model, places[i] + 1, (uint8_t)high));
		assert_ok(on_worker(rig, run_probe, &work));
	}
}

static void bme280_notices_a_reset_between_any_two_steps(void **state)
{
	struct rig *rig = *state;
	struct work work = { .wait_ns = 0 };

	assert_ok(on_worker(rig, run_probe, &work));
	assert_ok(on_worker(rig, run_trigger, &work));
	kryos_model_reset(rig->model);
	assert_fails(KRYOS_ECHIP, on_worker(rig, run_fetch, &work));
	assert_says(KRYOS_ECHIP, "reset");

	assert_ok(on_worker(rig, run_probe, &work));
	kryos_model_reset(rig->model); /* then triggered: measures, without humidity */
	measure(rig, &work);
	assert_fails(KRYOS_ECHIP, on_worker(rig, run_fetch, &work));

	assert_ok(on_worker(rig, run_probe, &work));
	kryos_model_set_busy(rig->model, -1);
	assert_ok(on_worker(rig, run_trigger, &work));
	kryos_model_reset(rig->model); /* while it measures */
	kryos_model_set_busy(rig->model, 0);
	assert_fails(KRYOS_ECHIP, on_worker(rig, run_fetch, &work));
}

static void bme280_notices_any_setting_that_is_not_its_own(void **state)
{
	static const struct {
		unsigned int reg;
		uint8_t value;
	} strange[] = { { 0xf2, 0 }, { 0xf5, 0 }, { 0xf4, 0 }, { 0xf4, 0x27 } };
	struct rig *rig = *state;
	struct work work = { .wait_ns = 0 };
	size_t i;

	for (i = 0; i < KRI_ARRAY_SIZE(strange); i++) {
		assert_ok(on_worker(rig, run_probe, &work));
		measure(rig, &work);
		assert_ok(kryos_model_poke(rig->model, strange[i].reg, strange[i].value));
		assert_fails(KRYOS_ECHIP, on_worker(rig, run_fetch, &work));
	}
}

static void bme280_reads_twice_because_the_chip_has_no_checksum(void **state)
{
	struct rig *rig = *state;
	struct work work = { .wait_ns = 0 }, before;
	int which;

	assert_ok(on_worker(rig, run_probe, &work));
	measure(rig, &work);
	before = work;
	for (which = 0; which < 2; which++) {
		kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_FLIP, which, 1);
		assert_fails(KRYOS_ECRC, on_worker(rig, run_fetch, &work));
		assert_says(KRYOS_ECRC, "two readings of registers 0xf2 to 0xfe differ");
	}
	kryos_fake_bus_plan(rig->bus, KRYOS_FAULT_FLIP, 0, 1);
	assert_fails(KRYOS_ECRC, on_worker(rig, run_probe, &work));
	work = before;
	assert_ok(on_worker(rig, run_probe, &work));
}

static void bme280_calls_the_reset_pattern_a_power_on_value(void **state)
{
	struct work work = { .wait_ns = 0 };
	struct kryos_reading readings[3];
	int i;

	assert_ok(on_worker(*state, run_probe, &work));
	decode_codes(&work, 0x80000, 0x80000, 0x8000, readings);
	for (i = 0; i < 3; i++)
		assert_int_equal(readings[i].quality, KRYOS_QUALITY_POWER_ON);
	decode_codes(&work, 0x80000, 0x80000, 0x7000, readings);
	assert_int_equal(readings[0].quality, KRYOS_QUALITY_POWER_ON);
	/* The code alone can be measured: at 26.46 C with this trimming. */
	decode_codes(&work, 0x80000, 415148, 0x7000, readings);
	assert_int_equal(readings[0].quality, KRYOS_QUALITY_GOOD);
	assert_in_range(readings[0].value_micro, 26400000, 26500000);
}

static void bme280_calls_impossible_temperatures_out_of_range(void **state)
{
	struct work work = { .wait_ns = 0 };
	struct kryos_reading readings[3];
	int i;

	assert_ok(on_worker(*state, run_probe, &work));
	decode_codes(&work, 0xfffff, 415148, 0x7000, readings);
	assert_true(readings[0].value_micro > 85000000);
	for (i = 0; i < 3; i++)
		assert_int_equal(readings[i].quality, KRYOS_QUALITY_RANGE);
	decode_codes(&work, 0, 415148, 0x7000, readings);
	assert_true(readings[0].value_micro < -40000000);
	assert_int_equal(readings[0].quality, KRYOS_QUALITY_RANGE);
}

/* Whatever a broken chip claims its trimming to be: no overflow (built with the sanitizer), no impossible humidity. */
static void bme280_computes_safely_with_any_calibration_and_any_code(void **state)
{
	struct rig *rig = *state;
	uint64_t seed = seed_from_environment(280);
	struct kryos_reading readings[3];
	unsigned int reg, n, i, good = 0;

	for (n = 0; n < 300; n++) {
		struct work work = { .wait_ns = 0 };
		bool extreme = next_random(&seed) % 4 == 0;

		for (reg = 0x88; reg <= 0xe7; reg = reg == 0xa1 ? 0xe1 : reg + 1)
			assert_ok(kryos_model_poke(rig->model, reg,
			                           extreme ? (uint8_t)(next_random(&seed) & 1 ? 0xff : 0x7f)
			                                   : (uint8_t)next_random(&seed)));
		assert_ok(kryos_model_poke(rig->model, 0xa0, 0));
		assert_ok(kryos_model_poke(rig->model, 0x89, 0x6b));
		assert_ok(kryos_model_poke(rig->model, 0x8f, 0x8e));
		assert_ok(kryos_model_poke(rig->model, 0xe2, 0x7f)); /* probe would refuse other signs */
		assert_ok(on_worker(rig, run_probe, &work));
		for (i = 0; i < 300; i++) {
			decode_codes(&work, (uint32_t)next_random(&seed) & 0xfffff,
			             (uint32_t)next_random(&seed) & 0xfffff, (uint32_t)next_random(&seed) & 0xffff,
			             readings);
			assert_in_range(readings[1].value_micro, 0, 100000000);
			good += readings[0].quality == KRYOS_QUALITY_GOOD;
		}
	}
	assert_true(good > 1000); /* the formulas behind the range check ran too */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bme280_compensates_the_data_sheets_example_exactly, setup, teardown),
		cmocka_unit_test_setup_teardown(bme280_unpacks_the_nibbles_of_h4_and_h5_with_their_signs, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(bme280_sets_its_chip_to_forced_mode_and_waits_long_enough, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(bme280_waits_out_the_chips_start_and_says_when_there_is_no_end, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(bme280_names_other_chips_it_finds, setup, teardown),
		cmocka_unit_test_setup_teardown(bme280_says_that_nothing_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(bme280_refuses_a_chip_without_calibration, setup, teardown),
		cmocka_unit_test_setup_teardown(bme280_notices_a_reset_between_any_two_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(bme280_notices_any_setting_that_is_not_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(bme280_reads_twice_because_the_chip_has_no_checksum, setup, teardown),
		cmocka_unit_test_setup_teardown(bme280_calls_the_reset_pattern_a_power_on_value, setup, teardown),
		cmocka_unit_test_setup_teardown(bme280_calls_impossible_temperatures_out_of_range, setup, teardown),
		cmocka_unit_test_setup_teardown(bme280_computes_safely_with_any_calibration_and_any_code, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
