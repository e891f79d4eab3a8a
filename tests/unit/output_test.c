/* SPDX-License-Identifier: Apache-2.0 */
/* Lamps and buzzers on lines of the fake bus, in simulated time. */
#include "output/output.h"
#include "support.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define MS(n) KRYOS_MILLISECONDS(n)
#define WAIT_MS 20000

struct bench {
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio;
	struct kryos_model *wire;
	struct kryos_ctx *ctx;
	struct kryos_output *output;
	int expected; /* level */
	enum kryos_event_type type;
	char name[64], text[256];
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	assert_ok(kryos_fake_clock_new(&bench->clock, INT64_C(1795000000000000000)));
	assert_ok(kryos_fake_bus_new(&bench->gpio, "gpio"));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO22", &bench->wire));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_fake_bus_plan(bench->gpio, KRYOS_FAULT_NONE, 0, 0);
	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_clock_free(bench->clock);
	free(bench);
	return 0;
}

static bool has_level(void *data)
{
	struct bench *bench = data;

	return kryos_model_get_level(bench->wire) == bench->expected;
}

static void expect_level(struct bench *bench, int level)
{
	bench->expected = level;
	if (!process_until(bench->ctx, has_level, bench, WAIT_MS))
		fail_msg("the wire does not go to %d", level);
}

static struct kryos_output_status status_of(struct bench *bench)
{
	struct kryos_output_status status = { .size = sizeof(status) };

	assert_ok(kryos_output_get_status(bench->output, &status));
	return status;
}

static bool has_event(void *data)
{
	const struct kryos_event *event = NULL;
	struct bench *bench = data;

	if (kryos_ctx_next_event(bench->ctx, &event) <= 0)
		return false;
	bench->type = event->type;
	snprintf(bench->name, sizeof(bench->name), "%s", event->name);
	snprintf(bench->text, sizeof(bench->text), "%s", event->text);
	return true;
}

static void expect_event(struct bench *bench, enum kryos_event_type type)
{
	if (!process_until(bench->ctx, has_event, bench, WAIT_MS))
		fail_msg("no event");
	assert_int_equal(bench->type, type);
	assert_string_equal(bench->name, "alarm");
}

static void open_lamp(struct bench *bench)
{
	assert_ok(kryos_output_open(&bench->output, bench->ctx, "alarm", "lamp@gpio:GPIO22", NULL));
}

static bool is_on(void *data)
{
	return status_of(data).on == 1;
}

static void lamp_is_off_at_first_does_as_told_and_is_off_when_closed(void **state)
{
	struct bench *bench = *state;

	kryos_model_drive(bench->wire, 1, 1);
	open_lamp(bench);
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
	assert_ok(kryos_output_set(bench->output, 1));
	expect_level(bench, 1);
	assert_true(process_until(bench->ctx, is_on, bench, WAIT_MS));
	assert_ok(kryos_output_set(bench->output, 0));
	expect_level(bench, 0);
	assert_ok(kryos_output_set(bench->output, 1));
	expect_level(bench, 1);
	kryos_output_close(bench->output);
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
	assert_int_equal(kryos_model_get_bias(bench->wire), -ENODEV);
}

static void context_that_is_freed_switches_it_off(void **state)
{
	struct bench *bench = *state;

	open_lamp(bench);
	assert_ok(kryos_output_set(bench->output, 1));
	expect_level(bench, 1);
	kryos_ctx_free(bench->ctx);
	bench->ctx = NULL;
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
}

static void active_low_turns_the_level(void **state)
{
	struct bench *bench = *state;

	assert_ok(kryos_output_open(&bench->output, bench->ctx, "alarm", "buzzer@gpio:GPIO22",
	                            KRYOS_LINE_CONFIG(.active_low = 1)));
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
	assert_ok(kryos_output_set(bench->output, 1));
	expect_level(bench, 0);
	kryos_output_close(bench->output);
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
}

static void pattern_is_played_over_and_over_without_drift(void **state)
{
	struct bench *bench = *state;

	open_lamp(bench);
	assert_ok(kryos_output_play(bench->output, KRYOS_PATTERN(.count = 2, .on_ns = MS(200), .off_ns = MS(100),
	                                                         .pause_ns = KRYOS_SECONDS(3))));
	for (int round = 0; round < 5; round++) {
		expect_level(bench, 1);
		kryos_fake_clock_advance(bench->clock, MS(200));
		expect_level(bench, 0);
		kryos_fake_clock_advance(bench->clock, MS(100));
		expect_level(bench, 1);
		kryos_fake_clock_advance(bench->clock, MS(200));
		expect_level(bench, 0);
		kryos_fake_clock_advance(bench->clock, MS(3099));
		process_for(bench->ctx, 20);
		assert_int_equal(kryos_model_get_level(bench->wire), 0);
		kryos_fake_clock_advance(bench->clock, MS(1));
	}
	expect_level(bench, 1);
	assert_ok(kryos_output_set(bench->output, 0));
	expect_level(bench, 0);
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(1));
	process_for(bench->ctx, 20);
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
}

static void line_that_is_lost_is_announced_and_does_as_told_when_it_is_back(void **state)
{
	struct bench *bench = *state;

	open_lamp(bench);
	assert_ok(kryos_output_set(bench->output, 1));
	expect_level(bench, 1);
	assert_true(process_until(bench->ctx, is_on, bench, WAIT_MS));
	/* Nobody switches it, and that it has gone is found all the same. */
	kryos_model_set_present(bench->wire, 0);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(10));
	expect_event(bench, KRYOS_EVENT_OUTPUT_LOST);
	assert_non_null(strstr(bench->text, "lamp@gpio:GPIO22"));
	assert_int_equal(status_of(bench).on, 0);
	assert_int_equal(status_of(bench).error, -ENODEV);
	kryos_model_drive(bench->wire, 0, 1);
	assert_ok(kryos_output_set(bench->output, 0));
	assert_ok(kryos_output_set(bench->output, 1));
	kryos_model_set_present(bench->wire, 1);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(10));
	expect_event(bench, KRYOS_EVENT_OUTPUT_BACK);
	assert_int_equal(kryos_model_get_level(bench->wire), 1);
	assert_int_equal(status_of(bench).error, 0);
}

/* It is tried again every ten seconds; when the call that hung ends is the worker's affair. */
static bool is_back(void *data)
{
	struct bench *bench = data;

	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(10));
	return has_event(data) && bench->type == KRYOS_EVENT_OUTPUT_BACK;
}

static void bus_that_hangs_is_announced(void **state)
{
	struct bench *bench = *state;

	open_lamp(bench);
	kryos_fake_bus_plan(bench->gpio, KRYOS_FAULT_HANG, 0, -1);
	assert_ok(kryos_output_set(bench->output, 1));
	/* A job has its time on the real clock: simulated time jumps while it runs, and a slow disk is no bus that
	 * hangs. */
	for (int i = 0; i < 3; i++) {
		kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(5));
		process_for(bench->ctx, 20);
	}
	assert_int_equal(status_of(bench).error, 0);
	expect_event(bench, KRYOS_EVENT_OUTPUT_LOST);
	assert_int_equal(status_of(bench).error, -ETIMEDOUT);
	kryos_fake_bus_plan(bench->gpio, KRYOS_FAULT_NONE, 0, 0);
	assert_true(process_until(bench->ctx, is_back, bench, WAIT_MS));
	expect_level(bench, 1);
}

static void lazy_one_takes_its_line_when_it_is_free(void **state)
{
	struct bench *bench = *state;

	kryos_model_hold(bench->wire, "led0");
	assert_fails(-EBUSY, kryos_output_open(&bench->output, bench->ctx, "alarm", "lamp@gpio:GPIO22", NULL));
	assert_says(-EBUSY, "held by \"led0\"");
	assert_ok(kri_output_new_lazy(&bench->output, bench->ctx, "alarm", "lamp@gpio:GPIO22", NULL));
	expect_event(bench, KRYOS_EVENT_OUTPUT_LOST);
	assert_ok(kryos_output_set(bench->output, 1));
	kryos_model_hold(bench->wire, NULL);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(10));
	expect_event(bench, KRYOS_EVENT_OUTPUT_BACK);
	expect_level(bench, 1);
	kryos_output_close(bench->output);
}

static void what_is_wrong_is_named(void **state)
{
	struct bench *bench = *state;

	assert_fails(-EINVAL, kryos_output_open(&bench->output, bench->ctx, "A", "lamp@gpio:GPIO22", NULL));
	assert_fails(KRYOS_EDEVICE, kryos_output_open(&bench->output, bench->ctx, "alarm", "door@gpio:GPIO22", NULL));
	assert_says(KRYOS_EDEVICE, "no output \"door\"; there is lamp, buzzer");
	assert_fails(KRYOS_EDEVICE, kryos_output_open(&bench->output, bench->ctx, "alarm", "lamp@i2c-1:0x20", NULL));
	assert_fails(-ENODEV, kryos_output_open(&bench->output, bench->ctx, "alarm", "lamp@gpio:GPIO23", NULL));
	assert_says(-ENODEV, "there is no line GPIO23");
	assert_fails(-EINVAL, kryos_output_set(NULL, 1));
	open_lamp(bench);
	assert_fails(-EINVAL, kryos_output_play(bench->output, KRYOS_PATTERN(.on_ns = MS(19), .off_ns = MS(20))));
	assert_fails(-EINVAL, kryos_output_play(bench->output, NULL));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(lamp_is_off_at_first_does_as_told_and_is_off_when_closed),
		CASE(context_that_is_freed_switches_it_off),
		CASE(active_low_turns_the_level),
		CASE(pattern_is_played_over_and_over_without_drift),
		CASE(line_that_is_lost_is_announced_and_does_as_told_when_it_is_back),
		CASE(bus_that_hangs_is_announced),
		CASE(lazy_one_takes_its_line_when_it_is_free),
		CASE(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
