/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpio_output_case: lamps and buzzers on the kernel's gpio-sim. The level of a wire is read in sysfs; what a line was
 * told to be comes from the kernel's trace, for a line that nobody holds any more goes back to its pull.
 */
#include "core/core.h"
#include "gpio_sim.h"
#include "support.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS(n) KRYOS_MILLISECONDS(n)
#define WAIT_MS 20000
/* A machine that is starved for a moment is late with a phase: then it is tried again. */
#define TRIES 10
#define LATE_NS MS(40)
#define MOST 100

static int wanted_level;

static bool has_level(void *data)
{
	(void)data;
	return gpio_sim_level(LAMP) == wanted_level;
}

static void expect_level(struct kryos_ctx *ctx, int level)
{
	wanted_level = level;
	if (!process_until(ctx, has_level, NULL, WAIT_MS))
		fail_msg("the line does not go to %d", level);
}

static void begin_trace(void)
{
	if (gpio_trace_begin())
		return;
	printf("# this kernel does not trace what lines are told to be\n");
	skip();
}

static void output_is_driven_as_told(void **state)
{
	struct kryos_output *lamp = NULL;
	struct kryos_ctx *ctx = NULL;

	(void)state;
	for (uint32_t low = 0; low < 2; low++) {
		assert_ok(kryos_ctx_new(&ctx, NULL));
		assert_ok(
			kryos_output_open(&lamp, ctx, "lamp", "lamp@gpio:lamp", KRYOS_LINE_CONFIG(.active_low = low)));
		assert_int_equal(gpio_sim_level(LAMP), low);
		for (int i = 1; i <= 6; i++) {
			assert_ok(kryos_output_set(lamp, i % 2));
			expect_level(ctx, i % 2 != (int)low);
		}
		kryos_ctx_free(ctx);
	}
}

static void output_is_switched_off_when_it_is_closed(void **state)
{
	struct gpio_driven driven[MOST];
	struct kryos_output *lamp = NULL;
	struct kryos_ctx *ctx = NULL;
	size_t count;

	(void)state;
	for (int i = 0; i < 4; i++) {
		uint32_t low = (uint32_t)i % 2;

		begin_trace();
		assert_ok(kryos_ctx_new(&ctx, NULL));
		assert_ok(
			kryos_output_open(&lamp, ctx, "lamp", "lamp@gpio:lamp", KRYOS_LINE_CONFIG(.active_low = low)));
		assert_ok(kryos_output_set(lamp, 1));
		expect_level(ctx, !low);
		if (i < 2)
			kryos_output_close(lamp);
		kryos_ctx_free(ctx);
		count = gpio_trace_end(driven, MOST);
		assert_true(count >= 2);
		assert_int_equal(driven[count - 2].level, !low);
		assert_int_equal(driven[count - 1].level, low);
	}
}

/* Two beeps, and a pause. True: each phase was as long as it should be. */
static bool plays(struct kryos_ctx *ctx, struct kryos_output *buzzer)
{
	static const int64_t phases[] = { MS(100), MS(200), MS(100), MS(700) };
	struct gpio_driven driven[MOST];
	bool in_time = true;
	size_t count;

	begin_trace();
	assert_ok(kryos_output_play(
		buzzer, KRYOS_PATTERN(.count = 2, .on_ns = MS(100), .off_ns = MS(200), .pause_ns = MS(500))));
	process_for(ctx, 2800);
	assert_ok(kryos_output_set(buzzer, 0));
	process_for(ctx, 100);
	count = gpio_trace_end(driven, MOST);
	assert_true(count > 8);
	for (size_t i = 0; i < 8; i++) {
		int64_t late = driven[i + 1].t_ns - driven[i].t_ns - phases[i % 4];

		assert_int_equal(driven[i].level, i % 2 == 0);
		in_time = in_time && late > -LATE_NS && late < LATE_NS;
	}
	assert_int_equal(driven[count - 1].level, 0);
	return in_time;
}

static void buzzer_plays_its_pattern(void **state)
{
	struct kryos_output *buzzer = NULL;
	struct kryos_ctx *ctx = NULL;
	bool in_time = false;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_output_open(&buzzer, ctx, "beeper", "buzzer@gpio:buzzer", NULL));
	for (int i = 0; i < TRIES && !in_time; i++)
		in_time = plays(ctx, buzzer);
	assert_true(in_time);
	kryos_ctx_free(ctx);
}

static void output_whose_chip_goes_is_lost_and_comes_back(void **state)
{
	struct kryos_output_status status = { .size = sizeof(status) };
	struct kryos_output *lamp = NULL;
	struct kryos_ctx *ctx = NULL;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_output_open(&lamp, ctx, "lamp", "lamp@gpio:lamp", NULL));
	gpio_sim_go();
	assert_ok(kryos_output_set(lamp, 1));
	process_for(ctx, 500);
	assert_ok(kryos_output_get_status(lamp, &status));
	assert_int_equal(status.error, -ENODEV);
	assert_int_equal(status.on, 0);
	gpio_sim_come();
	expect_level(ctx, 1);
	kryos_ctx_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_is_driven_as_told),
		cmocka_unit_test(output_is_switched_off_when_it_is_closed),
		cmocka_unit_test(buzzer_plays_its_pattern),
		cmocka_unit_test(output_whose_chip_goes_is_lost_and_comes_back),
	};

	return cmocka_run_group_tests(tests, gpio_sim_make, gpio_sim_remove);
}
