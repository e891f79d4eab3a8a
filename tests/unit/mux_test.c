/* SPDX-License-Identifier: Apache-2.0 */
/* Chips behind multiplexers of the fake bus, on which chips of one address that are reached together talk at once. */
#include "support.h"
#include <errno.h>
#include <kryos/clock.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <sensor/sensor.h>
#include <string.h>

#define C(celsius) ((int64_t)((celsius)*1000000))

/* Three of one address behind two multiplexers, and one on the bus itself. */
enum { NEAR, FAR, OTHER, ROOT, CHIPS };
static const struct {
	const char *name, *device, *place;
	int64_t micro;
} table[CHIPS] = {
	{ "near", "bme280@i2c-1:0x70.0:0x76", "0x70.0:0x76", C(3) },
	{ "far", "bme280@i2c-1:0x70.7:0x76", "0x70.7:0x76", C(-21) },
	{ "other", "bme280@i2c-1:0x71.0:0x76", "0x71.0:0x76", C(24) },
	{ "root", "bme280@i2c-1:0x77", "0x77", C(39) },
};

struct bench {
	struct kryos_fake_clock *clock; /* whose conversions take no time */
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	struct kryos_model *mux[2], *chips[CHIPS];
	struct kryos_sensor *sensors[CHIPS];
};

static int setup(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));

	*state = bench;
	assert_ok(kryos_fake_clock_new(&bench->clock, INT64_C(1795000000000000000)));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_new(&bench->bus, "i2c-1"));
	assert_ok(kryos_fake_bus_attach(bench->bus, bench->ctx));
	assert_ok(kryos_fake_bus_add_mux(bench->bus, "0x70", &bench->mux[0]));
	assert_ok(kryos_fake_bus_add_mux(bench->bus, "0x71", &bench->mux[1]));
	for (int i = 0; i < CHIPS; i++) {
		assert_ok(kryos_fake_bus_add_bme280(bench->bus, table[i].place, &bench->chips[i]));
		assert_ok(kryos_model_set(bench->chips[i], "temperature", table[i].micro));
	}
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->bus);
	kryos_fake_clock_free(bench->clock);
	test_free(bench);
	return 0;
}

static void open_all(struct bench *bench)
{
	for (int i = 0; i < CHIPS; i++)
		assert_ok(kryos_sensor_open(&bench->sensors[i], bench->ctx, table[i].name, table[i].device));
}

static struct kryos_sample read_one(struct bench *bench, int which)
{
	struct kryos_sample samples[3];

	assert_int_equal(kryos_sensor_read(bench->sensors[which], samples, 3), 3);
	return samples[0];
}

static void expect_own(struct bench *bench, int which)
{
	struct kryos_sample sample = read_one(bench, which);

	if (sample.quality != KRYOS_QUALITY_GOOD || sample.value_micro < table[which].micro - 20000 ||
	    sample.value_micro > table[which].micro + 20000)
		fail_msg("%s: %lld, %s, not %lld", table[which].name, (long long)sample.value_micro,
		         kryos_quality_name(sample.quality), (long long)table[which].micro);
}

static void chips_of_one_address_are_kept_apart(void **state)
{
	struct bench *bench = *state;
	uint64_t random = seed_from_environment(20261120);

	/* What a process that died has left open. */
	assert_ok(kryos_model_poke(bench->mux[0], 0, 0x81));
	assert_ok(kryos_model_poke(bench->mux[1], 0, 0xff));
	open_all(bench);
	for (int i = 0; i < 200; i++)
		expect_own(bench, (int)(next_random(&random) % CHIPS));
	/* At most one channel is open, and none once the bus's own chip was talked to. */
	expect_own(bench, FAR);
	assert_int_equal(kryos_model_peek(bench->mux[0], 0), 0x80);
	assert_int_equal(kryos_model_peek(bench->mux[1], 0), 0);
	expect_own(bench, ROOT);
	assert_int_equal(kryos_model_peek(bench->mux[0], 0), 0);
}

/* All at once, as a round measures them: triggers of all, then fetches. */
struct answers {
	size_t count;
	struct kri_measured results[CHIPS];
};

static void measured(void *data, const struct kri_measured *results, size_t count)
{
	struct answers *answers = data;

	answers->count = count;
	memcpy(answers->results, results, count * sizeof(results[0]));
}

static bool has_answers(void *data)
{
	return ((struct answers *)data)->count > 0;
}

static void a_round_goes_to_and_fro_between_channels(void **state)
{
	struct bench *bench = *state;
	struct answers answers = { 0 };
	struct kri_batch *batch;

	open_all(bench);
	assert_ok(kri_batch_start(&batch, bench->sensors, CHIPS, 0, KRYOS_SECONDS(5), measured, &answers));
	assert_true(process_until(bench->ctx, has_answers, &answers, 5000));
	assert_int_equal(answers.count, CHIPS);
	for (int i = 0; i < CHIPS; i++) {
		assert_int_equal(answers.results[i].code, 0);
		assert_in_range(answers.results[i].samples[0].value_micro - table[i].micro + 20000, 0, 40000);
	}
}

/* The chip is there, and the multiplexer in front of it lost its register. */
static void a_multiplexer_that_was_reset_or_exchanged_is_set_again(void **state)
{
	struct bench *bench = *state;

	open_all(bench);
	for (unsigned int i = 0; i < 40; i++) {
		expect_own(bench, FAR);
		if (i % 2)
			kryos_model_reset(bench->mux[0]);
		else
			assert_ok(kryos_model_poke(bench->mux[0], 0, (uint8_t)i));
		expect_own(bench, FAR);
	}
}

static int read_id(struct kryos_dev *dev, void *data)
{
	struct kryos_model *mux = *(struct kryos_model **)data;
	uint8_t id = 0;
	int r = kryos_dev_read_registers(dev, 0xd0, &id, 1);

	if (r < 0)
		return r;
	/* Within a job what was selected is believed, until nobody acknowledges. */
	kryos_model_reset(mux);
	r = kryos_dev_read_registers(dev, 0xd0, &id, 1);
	return r < 0 ? r : id;
}

static void a_reset_between_two_transfers_costs_none(void **state)
{
	struct bench *bench = *state;

	open_all(bench);
	assert_int_equal(kri_dev_call(bench->sensors[FAR]->dev, false, read_id, &bench->mux[0], sizeof(bench->mux[0]),
	                              KRYOS_SECONDS(5)),
	                 0x60);
}

static void a_chip_that_is_absent_is_told_from_its_multiplexer(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor;

	open_all(bench);
	kryos_model_set_present(bench->chips[FAR], 0);
	assert_int_equal(read_one(bench, FAR).quality, KRYOS_QUALITY_ABSENT);
	expect_own(bench, NEAR);
	kryos_sensor_close(bench->sensors[FAR]);
	assert_fails(-ENODEV, kryos_sensor_open(&sensor, bench->ctx, "far", table[FAR].device));
	assert_says(-ENODEV, "nothing answers at 0x70.7:0x76 on i2c-1");

	kryos_model_set_present(bench->mux[0], 0);
	assert_int_equal(read_one(bench, NEAR).quality, KRYOS_QUALITY_BUS);
	assert_fails(-EIO, kryos_sensor_open(&sensor, bench->ctx, "far", table[FAR].device));
	assert_says(-EIO, table[FAR].device);
	assert_says(-EIO, "the multiplexer at 0x70 does not acknowledge");
	/* What is not behind it goes on. */
	expect_own(bench, OTHER);
	expect_own(bench, ROOT);
	kryos_model_set_present(bench->mux[0], 1);
	expect_own(bench, NEAR);
}

static void another_chip_in_the_place_of_a_multiplexer_is_seen(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor;

	assert_ok(kryos_fake_bus_add_bme280(bench->bus, "0x72", NULL));
	assert_fails(KRYOS_ECHIP, kryos_sensor_open(&sensor, bench->ctx, "odd", "bme280@i2c-1:0x72.0:0x76"));
	assert_says(KRYOS_ECHIP, "at 0x72 there is no multiplexer");
}

/* Whatever fails, and wherever in a measurement: a value is the chip's own, or there is none. */
static void no_fault_gives_a_value_of_another_chip(void **state)
{
	static const enum kryos_fault faults[] = { KRYOS_FAULT_NACK, KRYOS_FAULT_EIO, KRYOS_FAULT_TIMEOUT,
		                                   KRYOS_FAULT_STUCK, KRYOS_FAULT_ZERO };
	struct bench *bench = *state;
	unsigned int failed = 0;

	open_all(bench);
	for (size_t fault = 0; fault < KRI_ARRAY_SIZE(faults); fault++) {
		for (int after = 0; after < 40; after++) {
			for (int times = 1; times <= 3; times++) {
				int which = (after + times) % CHIPS;
				struct kryos_sample sample;

				expect_own(bench, (which + 1) % CHIPS);
				kryos_fake_bus_plan(bench->bus, faults[fault], after, times);
				sample = read_one(bench, which);
				kryos_fake_bus_plan(bench->bus, KRYOS_FAULT_NONE, 0, 0);
				if (sample.quality != KRYOS_QUALITY_GOOD) {
					failed++;
					continue;
				}
				assert_in_range(sample.value_micro - table[which].micro + 20000, 0, 40000);
			}
		}
	}
	printf("# %u of %zu measurements had no value\n", failed, KRI_ARRAY_SIZE(faults) * 120);
	assert_true(failed > 0);
}

/* It answers whatever channel is open: what is read there is the AND of two chips. */
static void a_chip_on_the_bus_itself_shares_its_address_with_none_behind_a_channel(void **state)
{
	static const struct {
		const char *first, *second, *says;
	} cases[] = {
		{ "bme280@i2c-1:0x76", "bme280@i2c-1:0x70.0:0x76", "0x76 is on the bus itself already" },
		{ "bme280@i2c-1:0x70.0:0x76", "bme280@i2c-1:0x76",
		  "0x76 is behind a channel of a multiplexer already" },
		{ "bme280@i2c-1:0x77", "bme280@i2c-1:0x77.0:0x76", "0x77 is on the bus itself already" },
		{ "bme280@i2c-1:0x77.0:0x76", "bme280@i2c-1:0x77", "0x77 is a multiplexer already" },
		{ "bme280@i2c-1:0x70.0:0x77", "bme280@i2c-1:0x77.0:0x76", "0x77 is behind a channel" },
		{ "bme280@i2c-1:0x77.0:0x76", "bme280@i2c-1:0x70.0:0x77", "0x77 is a multiplexer already" },
	};
	struct bench *bench = *state;
	struct kryos_sensor *first, *second;
	unsigned int before, without;

	/* What is refused is in nobody's way. */
	assert_ok(kryos_sensor_open(&bench->sensors[ROOT], bench->ctx, "root", table[ROOT].device));
	before = kryos_fake_bus_transfers(bench->bus);
	expect_own(bench, ROOT);
	without = kryos_fake_bus_transfers(bench->bus) - before;
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&second, bench->ctx, "odd", "bme280@i2c-1:0x77.0:0x76"));
	expect_own(bench, ROOT);
	assert_int_equal(kryos_fake_bus_transfers(bench->bus) - before, 2 * without);
	kryos_sensor_close(bench->sensors[ROOT]);

	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		assert_ok(kri_sensor_new_lazy(&first, bench->ctx, "first", cases[i].first, NULL));
		assert_fails(KRYOS_EDEVICE, kri_sensor_new_lazy(&second, bench->ctx, "second", cases[i].second, NULL));
		assert_says(KRYOS_EDEVICE, cases[i].second);
		assert_says(KRYOS_EDEVICE, cases[i].says);
		/* Once the first is closed its place is free. */
		kryos_sensor_close(first);
		assert_ok(kri_sensor_new_lazy(&second, bench->ctx, "second", cases[i].second, NULL));
		assert_fails(KRYOS_EDEVICE, kri_sensor_new_lazy(&first, bench->ctx, "first", cases[i].first, NULL));
		kryos_sensor_close(second);
	}
	/* A clock that is a chip is one of them. */
	assert_ok(kri_sensor_new_lazy(&first, bench->ctx, "first", "bme280@i2c-1:0x70.0:0x68", NULL));
	assert_fails(KRYOS_EDEVICE, kryos_clock_use_rtc(bench->ctx, "ds3231@i2c-1:0x68"));
	assert_says(KRYOS_EDEVICE, "0x68 is behind a channel of a multiplexer already");
	kryos_sensor_close(first);
}

/* As when a station file is set right. */
static void a_chip_where_a_multiplexer_was_expected_is_not_written_to_as_one(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *wrong;
	unsigned int before, without;

	before = kryos_fake_bus_transfers(bench->bus);
	assert_ok(kryos_sensor_open(&bench->sensors[ROOT], bench->ctx, "root", table[ROOT].device));
	without = kryos_fake_bus_transfers(bench->bus) - before;
	kryos_sensor_close(bench->sensors[ROOT]);
	assert_fails(KRYOS_ECHIP, kryos_sensor_open(&wrong, bench->ctx, "root", "bme280@i2c-1:0x77.0:0x76"));
	before = kryos_fake_bus_transfers(bench->bus);
	assert_ok(kryos_sensor_open(&bench->sensors[ROOT], bench->ctx, "root", table[ROOT].device));
	assert_int_equal(kryos_fake_bus_transfers(bench->bus) - before, without);
	expect_own(bench, ROOT);
}

static void without_a_multiplexer_nothing_is_written_for_one(void **state)
{
	struct bench *bench = *state;
	unsigned int before, without;

	assert_ok(kryos_sensor_open(&bench->sensors[ROOT], bench->ctx, "root", table[ROOT].device));
	before = kryos_fake_bus_transfers(bench->bus);
	expect_own(bench, ROOT);
	without = kryos_fake_bus_transfers(bench->bus) - before;
	assert_ok(kryos_sensor_open(&bench->sensors[NEAR], bench->ctx, "near", table[NEAR].device));
	before = kryos_fake_bus_transfers(bench->bus);
	expect_own(bench, ROOT);
	/* Closed once in a measurement: written, and read back. */
	assert_int_equal(kryos_fake_bus_transfers(bench->bus) - before, without + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(chips_of_one_address_are_kept_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_round_goes_to_and_fro_between_channels, setup, teardown),
		cmocka_unit_test_setup_teardown(a_multiplexer_that_was_reset_or_exchanged_is_set_again, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_reset_between_two_transfers_costs_none, setup, teardown),
		cmocka_unit_test_setup_teardown(a_chip_that_is_absent_is_told_from_its_multiplexer, setup, teardown),
		cmocka_unit_test_setup_teardown(another_chip_in_the_place_of_a_multiplexer_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(no_fault_gives_a_value_of_another_chip, setup, teardown),
		cmocka_unit_test_setup_teardown(a_chip_on_the_bus_itself_shares_its_address_with_none_behind_a_channel,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_chip_where_a_multiplexer_was_expected_is_not_written_to_as_one, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(without_a_multiplexer_nothing_is_written_for_one, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
