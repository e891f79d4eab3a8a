/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chips whose measurement is seen to begin, on a bus whose transfers take longer than one: a USB adapter, or a machine
 * with something better to do between two of them. The sensor is not lost for that, and a start that was lost on the
 * way does not make a new measurement of the old result.
 */
#include "core/core.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>

#define MAX_CHANNELS 4

struct chip {
	const char *device, *options, *place, *quantity;
	int (*add)(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
	int channels, channel; /* how many there are, and which is the quantity */
	int64_t first, step, within;
};

static const struct chip bme280 = { .device = "bme280@i2c-1:0x76",
	                            .place = "0x76",
	                            .quantity = "temperature",
	                            .add = kryos_fake_bus_add_bme280,
	                            .channels = 3,
	                            .first = 5000000,
	                            .step = 20000,
	                            .within = 5000 };
static const struct chip bmp280 = { .device = "bmp280@i2c-1:0x76",
	                            .place = "0x76",
	                            .quantity = "temperature",
	                            .add = kryos_fake_bus_add_bmp280,
	                            .channels = 2,
	                            .first = 5000000,
	                            .step = 20000,
	                            .within = 5000 };
static const struct chip ads1115 = { .device = "ads1115@i2c-1:0x48",
	                             .options = "input1=voltage input2=voltage input3=voltage",
	                             .place = "0x48",
	                             .quantity = "voltage2",
	                             .add = kryos_fake_bus_add_ads1115,
	                             .channels = 4,
	                             .channel = 2,
	                             .first = 1500000,
	                             .step = 1000,
	                             .within = 100 };

struct rig {
	const struct chip *chip;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *bus;
	struct kryos_model *model;
	struct kryos_sensor *sensor;
	int64_t truth;
};

static void rig_up(struct rig *rig, const struct chip *chip, int64_t transfer_ns)
{
	*rig = (struct rig){ .chip = chip, .truth = chip->first };
	assert_ok(kryos_fake_clock_new(&rig->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_fake_bus_new(&rig->bus, "i2c-1"));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	assert_ok(chip->add(rig->bus, chip->place, &rig->model));
	kryos_fake_bus_set_transfer_ns(rig->bus, transfer_ns);
	assert_ok(kryos_sensor_open_with(&rig->sensor, rig->ctx, "one", chip->device,
	                                 KRYOS_SENSOR_CONFIG(.options = chip->options)));
}

static void rig_down(struct rig *rig)
{
	kryos_ctx_free(rig->ctx);
	kryos_fake_bus_free(rig->bus);
	kryos_fake_clock_free(rig->clock);
}

/* Whether the next measurement, of another value than the one before, is good; it never is another value. */
static bool measures(struct rig *rig)
{
	struct kryos_sample samples[MAX_CHANNELS] = { 0 };
	const struct chip *chip = rig->chip;
	const struct kryos_sample *sample = &samples[chip->channel];

	rig->truth += chip->step;
	assert_ok(kryos_model_set(rig->model, chip->quantity, rig->truth));
	kryos_fake_clock_advance(rig->clock, KRYOS_HOURS(1));
	assert_int_equal(kryos_sensor_read(rig->sensor, samples, MAX_CHANNELS), chip->channels);
	if (sample->quality != KRYOS_QUALITY_GOOD)
		return false;
	if (llabs(sample->value_micro - rig->truth) > chip->within)
		fail_msg("%s: %lld, not %lld", chip->device, (long long)sample->value_micro, (long long)rig->truth);
	return true;
}

/* With a simulated clock nobody waits for a conversion: it ends by the transfers that ask whether it has. */
static void chip_is_measured_however_long_a_transfer_takes(void **state)
{
	static const int microseconds[] = { 1000, 3000, 5000, 7500, 8000, 10000, 15000, 20000, 40000, 60000 };

	for (size_t i = 0; i < KRI_ARRAY_SIZE(microseconds); i++) {
		struct rig rig;

		rig_up(&rig, *state, microseconds[i] * INT64_C(1000));
		for (int n = 0; n < 5; n++)
			if (!measures(&rig))
				fail_msg("%s: nothing, at %d us a transfer", rig.chip->device, microseconds[i]);
		rig_down(&rig);
	}
}

/* Each bit of what is written, in each transfer of a measurement. */
static void lost_start_repeats_no_old_value_on_any_bus(void **state)
{
	static const int microseconds[] = { 1000, 5000, 10000, 30000 };

	for (size_t i = 0; i < KRI_ARRAY_SIZE(microseconds); i++) {
		struct rig rig;
		unsigned int before;
		int transfers;

		rig_up(&rig, *state, microseconds[i] * INT64_C(1000));
		assert_true(measures(&rig));
		before = kryos_fake_bus_transfers(rig.bus);
		assert_true(measures(&rig));
		transfers = (int)(kryos_fake_bus_transfers(rig.bus) - before);
		for (int at = 0; at < transfers; at++) {
			for (int bit = 0; bit < 16; bit++) {
				kryos_fake_bus_plan(rig.bus, KRYOS_FAULT_FLIP_OUT, at, 1);
				if (!measures(&rig))
					fail_msg("%s: nothing, with a fault at %d, at %d us a transfer",
					         rig.chip->device, at, microseconds[i]);
			}
		}
		rig_down(&rig);
	}
}

#define CASES(chip)                                                                                                    \
	{ "chip_is_measured_however_long_a_transfer_takes: " #chip, chip_is_measured_however_long_a_transfer_takes,    \
	  NULL, NULL, (void *)&chip },                                                                                 \
	{                                                                                                              \
		"lost_start_repeats_no_old_value_on_any_bus: " #chip, lost_start_repeats_no_old_value_on_any_bus,      \
			NULL, NULL, (void *)&chip                                                                      \
	}

int main(void)
{
	const struct CMUnitTest tests[] = { CASES(bme280), CASES(bmp280), CASES(ads1115) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
