/* SPDX-License-Identifier: Apache-2.0 */
/* What a lamp and a buzzer do for each signal, followed on the wire second by second in simulated time. */
#include "output/output.h"
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define STEP_NS KRYOS_MILLISECONDS(100)
#define WAIT_MS 20000

struct bench {
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio;
	struct kryos_model *wire;
	struct kryos_ctx *ctx;
	struct kryos_output *output;
	int expected; /* level */
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
	assert_ok(kryos_output_open(&bench->output, bench->ctx, "alarm", "lamp@gpio:GPIO22", NULL));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

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

/* rhythm: one letter for each 100 ms, "#" is on; begins when the signal does, and is repeated as often. */
static void expect(struct bench *bench, enum kri_signal signal, bool sounds, const char *rhythm, int times)
{
	assert_ok(kri_output_show(bench->output, signal, sounds));
	for (int i = 0; i < times * (int)strlen(rhythm); i++) {
		bench->expected = rhythm[i % (int)strlen(rhythm)] == '#';
		if (!process_until(bench->ctx, has_level, bench, WAIT_MS))
			fail_msg("signal %d: the wire is not at %d after %d ms", signal, bench->expected, 100 * i);
		kryos_fake_clock_advance(bench->clock, STEP_NS - 1);
		assert_ok(kryos_ctx_process(bench->ctx));
		assert_int_equal(kryos_model_get_level(bench->wire), bench->expected);
		kryos_fake_clock_advance(bench->clock, 1);
	}
}

#define OFF10 ".........."

static void a_lamp_has_a_rhythm_for_each_signal(void **state)
{
	struct bench *bench = *state;

	expect(bench, KRI_SIGNAL_ALARM, false, "#####.....", 5);
	expect(bench, KRI_SIGNAL_ACKNOWLEDGED, false, "##########", 5);
	expect(bench, KRI_SIGNAL_ENDED, false, "##........" OFF10 OFF10, 3);
	expect(bench, KRI_SIGNAL_BLIND, false, "##..##...." OFF10 OFF10, 3);
	expect(bench, KRI_SIGNAL_TEST, false, "##########", 5);
	expect(bench, KRI_SIGNAL_NONE, false, OFF10, 5);
}

static void a_buzzer_sounds_for_what_nobody_has_acknowledged(void **state)
{
	struct bench *bench = *state;

	expect(bench, KRI_SIGNAL_ALARM, true, "##..##...." OFF10 OFF10, 3);
	expect(bench, KRI_SIGNAL_ACKNOWLEDGED, true, OFF10, 5);
	expect(bench, KRI_SIGNAL_ENDED, true, OFF10, 5);
	expect(bench, KRI_SIGNAL_TEST, true, "##########", 5);
	expect(bench, KRI_SIGNAL_NONE, true, OFF10, 5);
}

static void a_buzzer_beeps_twice_in_three_minutes_where_nothing_can_be_judged(void **state)
{
	const struct kryos_pattern *pattern = &kri_signal_show(KRI_SIGNAL_BLIND, true)->pattern;
	struct bench *bench = *state;

	expect(bench, KRI_SIGNAL_BLIND, true, "##..##....", 1);
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(3) - KRYOS_SECONDS(1) - 1);
	assert_ok(kryos_ctx_process(bench->ctx));
	assert_int_equal(kryos_model_get_level(bench->wire), 0);
	kryos_fake_clock_advance(bench->clock, 1);
	bench->expected = 1;
	assert_true(process_until(bench->ctx, has_level, bench, WAIT_MS));
	assert_true(pattern->count * (pattern->on_ns + pattern->off_ns) + pattern->pause_ns == KRYOS_MINUTES(3));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_lamp_has_a_rhythm_for_each_signal),
		CASE(a_buzzer_sounds_for_what_nobody_has_acknowledged),
		CASE(a_buzzer_beeps_twice_in_three_minutes_where_nothing_can_be_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
