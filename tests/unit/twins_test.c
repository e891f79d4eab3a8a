/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of channels, in a sampler: two probes that have to agree, corrections, and the record of their changes.
 */
#include "support.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define C(celsius) ((int64_t)((celsius)*1000000))
#define NOON INT64_C(1795000000000000000)
#define WAIT_MS 20000
#define ONE "ds18b20@w1:28-000000000001"
#define TWO "ds18b20@w1:28-000000000002"

struct bench {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *w1, *gpio;
	struct kryos_model *one, *two, *lid;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_sampler *sampler;
	/* Of the last round, by the probe. */
	struct kryos_sample first, second;
	unsigned int begun, ended, changes;
	char text[1001];
};

static void begin(struct bench *bench)
{
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->w1, bench->ctx));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	assert_ok(kryos_store_open(&bench->store, bench->ctx, in(bench->folder, "store"), NULL));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.manual = 1)));
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	bench->folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	assert_ok(kryos_fake_bus_new(&bench->w1, "w1"));
	assert_ok(kryos_fake_bus_new(&bench->gpio, "gpio"));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &bench->one));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000002", &bench->two));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO17", &bench->lid));
	begin(bench);
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->w1);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static void take_events(struct bench *bench)
{
	const struct kryos_event *event = NULL;

	while (kryos_ctx_next_event(bench->ctx, &event) > 0) {
		const char *name = kryos_channel_name(bench->ctx, event->sample.channel);

		if (event->type == KRYOS_EVENT_SAMPLE && !strcmp(name, "one.temperature"))
			bench->first = event->sample;
		else if (event->type == KRYOS_EVENT_SAMPLE && !strcmp(name, "two.temperature"))
			bench->second = event->sample;
		bench->begun += event->type == KRYOS_EVENT_DISAGREES;
		bench->ended += event->type == KRYOS_EVENT_AGREES;
		bench->changes += event->type == KRYOS_EVENT_CALIBRATION;
		if (event->type == KRYOS_EVENT_DISAGREES || event->type == KRYOS_EVENT_AGREES ||
		    event->type == KRYOS_EVENT_CALIBRATION)
			snprintf(bench->text, sizeof(bench->text), "%s: %s", event->name, event->text);
	}
}

static bool is_idle(void *data)
{
	struct bench *bench = data;

	take_events(bench);
	return kryos_sampler_busy(bench->sampler) == 0;
}

/* A minute later. */
static void measure(struct bench *bench, double one, double two)
{
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_model_set(bench->one, "temperature", C(one)));
	assert_ok(kryos_model_set(bench->two, "temperature", C(two)));
	assert_ok(kryos_sampler_round(bench->sampler));
	if (!process_until(bench->ctx, is_idle, bench, WAIT_MS))
		fail_msg("the sampler is still busy");
}

static int add(struct bench *bench, const char *name, const char *device, const struct kryos_channel_config *channel)
{
	const struct kryos_channel_config *channels[] = { channel, NULL };

	return kryos_sampler_add_with(
		bench->sampler, name, device,
		KRYOS_SAMPLER_SENSOR_CONFIG(.sensor = KRYOS_SENSOR_CONFIG(.channels = channels), .who = "the test"));
}

static void restart(struct bench *bench)
{
	kryos_ctx_free(bench->ctx);
	begin(bench);
}

static unsigned int stored(struct bench *bench, enum kryos_event_type type)
{
	const struct kryos_record *record = NULL;
	struct kryos_reader *reader;
	unsigned int count = 0;

	assert_ok(kryos_store_flush(bench->store, KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, bench->ctx, in(bench->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0)
		count += record->event->type == type;
	kryos_reader_close(reader);
	return count;
}

static void twins(struct bench *bench)
{
	assert_ok(add(
		bench, "one", ONE,
		KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .agrees = "two.temperature", .within_micro = C(0.5))));
	assert_ok(kryos_sampler_add(bench->sampler, "two", TWO));
	take_events(bench);
	bench->changes = 0;
}

static void expect(struct bench *bench, enum kryos_quality first, enum kryos_quality second, unsigned int begun,
                   unsigned int ended)
{
	assert_string_equal(kryos_quality_name(bench->first.quality), kryos_quality_name(first));
	assert_string_equal(kryos_quality_name(bench->second.quality), kryos_quality_name(second));
	assert_int_equal(bench->begun, begun);
	assert_int_equal(bench->ended, ended);
}

static void both_of_two_that_differ_are_flagged_and_it_is_said_once(void **state)
{
	struct bench *bench = *state;

	twins(bench);
	measure(bench, 5, 5.5);
	expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD, 0, 0);
	measure(bench, 5, 5.5625);
	expect(bench, KRYOS_QUALITY_DISAGREES, KRYOS_QUALITY_DISAGREES, 1, 0);
	assert_int_equal(bench->first.value_micro, C(5));
	assert_int_equal(bench->second.value_micro, C(5.5625));
	assert_string_equal(bench->text, "one.temperature: 5 Cel, and two.temperature 5.5625: more than 0.5 apart");
	measure(bench, 5, -2);
	expect(bench, KRYOS_QUALITY_DISAGREES, KRYOS_QUALITY_DISAGREES, 1, 0);
	/* Each sample is as its round says; that it is over is said when it has lasted. */
	measure(bench, 5, 5);
	expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD, 1, 0);
	measure(bench, 5, 6);
	for (int i = 0; i < 10; i++) {
		measure(bench, 5, 4.5);
		expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD, 1, 0);
	}
	measure(bench, 5, 4.5);
	expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD, 1, 1);
	assert_string_equal(bench->text, "one.temperature: 5 Cel, and two.temperature 4.5: within 0.5 for 10 min");
	measure(bench, 5, 8);
	expect(bench, KRYOS_QUALITY_DISAGREES, KRYOS_QUALITY_DISAGREES, 2, 1);
	assert_int_equal(stored(bench, KRYOS_EVENT_DISAGREES), 2);
	assert_int_equal(stored(bench, KRYOS_EVENT_AGREES), 1);
}

static void where_one_is_missing_nothing_is_said_of_the_other(void **state)
{
	struct bench *bench = *state;

	twins(bench);
	kryos_model_set_present(bench->two, 0);
	measure(bench, 5, 25);
	expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_ABSENT, 0, 0);
	kryos_model_set_present(bench->two, 1);
	measure(bench, 5, 25);
	expect(bench, KRYOS_QUALITY_DISAGREES, KRYOS_QUALITY_DISAGREES, 1, 0);
	/* Nor is it over by that. */
	kryos_model_set_present(bench->two, 0);
	for (int i = 0; i < 15; i++)
		measure(bench, 5, 25);
	expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_ABSENT, 1, 0);
	kryos_model_set_present(bench->two, 1);
	measure(bench, 5, 5);
	expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD, 1, 0);
}

/* Two single rounds in which they agreed, with nothing between them, are no ten minutes. */
static void a_break_begins_the_ten_minutes_anew(void **state)
{
	struct bench *bench = *state;

	twins(bench);
	measure(bench, 5, 6);
	measure(bench, 5, 5);
	kryos_model_set_present(bench->two, 0);
	for (int i = 0; i < 10; i++)
		measure(bench, 5, 5);
	kryos_model_set_present(bench->two, 1);
	measure(bench, 5, 5);
	expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD, 1, 0);
	for (int i = 0; i < 10; i++)
		measure(bench, 5, 5);
	expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD, 1, 1);
}

static void corrected_values_are_compared(void **state)
{
	struct bench *bench = *state;

	assert_ok(add(bench, "two", TWO, KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .offset_micro = C(1))));
	assert_ok(add(
		bench, "one", ONE,
		KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .agrees = "two.temperature", .within_micro = C(0.5))));
	measure(bench, 5, 4);
	expect(bench, KRYOS_QUALITY_GOOD, KRYOS_QUALITY_GOOD, 0, 0);
	assert_int_equal(bench->second.value_micro, C(5));
	measure(bench, 5, 5);
	expect(bench, KRYOS_QUALITY_DISAGREES, KRYOS_QUALITY_DISAGREES, 1, 0);
}

static void pairs_that_cannot_be_compared_are_refused(void **state)
{
	const struct kryos_channel_config *with_two =
		KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .agrees = "two.temperature", .within_micro = C(0.5));
	const struct kryos_channel_config *with_one =
		KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .agrees = "one.temperature", .within_micro = C(0.5));
	struct bench *bench = *state;

	assert_fails(-EINVAL, add(bench, "one", ONE, with_one));
	assert_says(-EINVAL, "of the same sensor");
	assert_fails(-EINVAL, add(bench, "one", ONE, KRYOS_CHANNEL_CONFIG(.quantity = "humidity", .offset_micro = 1)));
	assert_says(-EINVAL, "no channel \"humidity\"");
	assert_fails(-EINVAL,
	             add(bench, "one", ONE, KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .within_micro = 1)));
	assert_says(-EINVAL, "one: temperature: within: agrees is missing beside it");
	assert_ok(add(bench, "one", ONE, with_two));
	assert_fails(-EINVAL, add(bench, "two", TWO, with_one));
	assert_says(-EINVAL, "says it already");
	assert_fails(-EINVAL, kryos_sampler_add_with(bench->sampler, "two", TWO,
	                                             KRYOS_SAMPLER_SENSOR_CONFIG(.every_ns = KRYOS_MINUTES(5))));
	assert_says(-EINVAL, "not measured equally often");
	assert_ok(kryos_sampler_add(bench->sampler, "two", TWO));
	measure(bench, 5, 7);
	expect(bench, KRYOS_QUALITY_DISAGREES, KRYOS_QUALITY_DISAGREES, 1, 0);
}

/* There is no second reading of a door, and nothing to correct. */
static void a_door_has_no_calibration(void **state)
{
	struct bench *bench = *state;

	assert_fails(-EINVAL, add(bench, "lid", "door@gpio:GPIO17",
	                          KRYOS_CHANNEL_CONFIG(.quantity = "open", .offset_micro = 1)));
	assert_says(-EINVAL, "two states");
}

static void each_change_is_stored_once_with_old_and_new_over_restarts(void **state)
{
	const struct kryos_channel_config *config =
		KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .offset_micro = C(-0.12),
	                             .certificate = "NPL-2026-0815");
	struct bench *bench = *state;

	assert_ok(add(bench, "one", ONE, config));
	measure(bench, 5, 5);
	assert_int_equal(bench->first.value_micro, C(4.88));
	assert_int_equal(bench->changes, 1);
	assert_string_equal(bench->text,
	                    "one.temperature: by the test; was not known; is offset=-0.12 certificate=NPL-2026-0815");
	for (int i = 0; i < 3; i++) {
		restart(bench);
		assert_ok(add(bench, "one", ONE, config));
		measure(bench, 5, 5);
		assert_int_equal(bench->changes, 1);
		assert_int_equal(stored(bench, KRYOS_EVENT_CALIBRATION), 1);
	}
	restart(bench);
	assert_ok(add(bench, "one", ONE, KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .offset_micro = C(-0.1))));
	measure(bench, 5, 5);
	assert_int_equal(bench->changes, 2);
	assert_string_equal(bench->text,
	                    "one.temperature: by the test; was offset=-0.12 certificate=NPL-2026-0815; is offset=-0.1");
	restart(bench);
	assert_ok(kryos_sampler_add(bench->sampler, "one", ONE));
	measure(bench, 5, 5);
	assert_int_equal(bench->first.value_micro, C(5));
	assert_int_equal(bench->changes, 3);
	assert_string_equal(bench->text, "one.temperature: by program; was offset=-0.1; is nothing");
	restart(bench);
	assert_ok(kryos_sampler_add(bench->sampler, "one", ONE));
	measure(bench, 5, 5);
	assert_int_equal(bench->changes, 3);
	assert_int_equal(stored(bench, KRYOS_EVENT_CALIBRATION), 3);
}

/* The store was opened and closed without one commit in between: what it was told is not lost, nor said twice. */
static void a_change_that_nobody_measured_with_is_stored_too(void **state)
{
	const struct kryos_channel_config *config =
		KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .has = KRYOS_CHANNEL_MIN);
	struct bench *bench = *state;

	assert_ok(add(bench, "one", ONE, config));
	restart(bench);
	assert_ok(add(bench, "one", ONE, config));
	measure(bench, 5, 5);
	assert_int_equal(stored(bench, KRYOS_EVENT_CALIBRATION), 1);
}

static void a_correction_is_stored_before_the_first_value_it_was_applied_to(void **state)
{
	const struct kryos_record *record = NULL;
	struct kryos_reader *reader;
	struct bench *bench = *state;
	int64_t since = -1;

	measure(bench, 5, 5);
	assert_ok(add(bench, "one", ONE, KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .offset_micro = C(-0.12))));
	measure(bench, 5, 5);
	assert_ok(kryos_store_flush(bench->store, KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, bench->ctx, in(bench->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0)
		if (record->event->type == KRYOS_EVENT_CALIBRATION)
			since = record->sample.t_boot_ns;
	kryos_reader_close(reader);
	assert_true(since >= 0 && since <= bench->first.t_boot_ns);
}

static void a_single_sensor_is_corrected_too(void **state)
{
	const struct kryos_channel_config *channels[] = {
		KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .offset_micro = C(0.25)), NULL
	};
	struct kryos_sensor *sensor = NULL;
	struct bench *bench = *state;
	struct kryos_sample sample;

	assert_ok(kryos_model_set(bench->one, "temperature", C(5)));
	assert_ok(kryos_sensor_open_with(&sensor, bench->ctx, "one", ONE, KRYOS_SENSOR_CONFIG(.channels = channels)));
	assert_int_equal(kryos_sensor_read(sensor, &sample, 1), 1);
	assert_int_equal(sample.value_micro, C(5.25));
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	kryos_sensor_close(sensor);
	channels[0] = KRYOS_CHANNEL_CONFIG(.quantity = "temperature", .frozen_ns = 1);
	assert_fails(-EINVAL, kryos_sensor_open_with(&sensor, bench->ctx, "one", ONE,
	                                             KRYOS_SENSOR_CONFIG(.channels = channels)));
	assert_says(-EINVAL, "one: temperature: frozen: 1 ns is not allowed");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(both_of_two_that_differ_are_flagged_and_it_is_said_once),
		CASE(where_one_is_missing_nothing_is_said_of_the_other),
		CASE(a_break_begins_the_ten_minutes_anew),
		CASE(corrected_values_are_compared),
		CASE(pairs_that_cannot_be_compared_are_refused),
		CASE(a_door_has_no_calibration),
		CASE(each_change_is_stored_once_with_old_and_new_over_restarts),
		CASE(a_change_that_nobody_measured_with_is_stored_too),
		CASE(a_correction_is_stored_before_the_first_value_it_was_applied_to),
		CASE(a_single_sensor_is_corrected_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
