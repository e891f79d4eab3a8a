/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_case OUTPUT INPUT: two lines of this machine that a wire connects. What the one is switched to the other is
 * told, as a change and in the next measurement.
 */
#include "core/core.h"
#include "support.h"
#include <stdio.h>
#include <string.h>

#define WAIT_MS 20000
#define CHANGES 10
#define DEBOUNCE_NS KRYOS_MILLISECONDS(50)

static const char *output_name, *input_name;

struct seen {
	struct kryos_ctx *ctx;
	struct kryos_sampler *sampler;
	unsigned int changes;
	int state;
	int64_t t_boot_ns;
	struct kryos_sample sample;
};

static void take_events(struct seen *seen)
{
	const struct kryos_event *event = NULL;

	while (kryos_ctx_next_event(seen->ctx, &event) > 0) {
		if (event->type == KRYOS_EVENT_SAMPLE)
			seen->sample = event->sample;
		if (event->type != KRYOS_EVENT_STATE)
			continue;
		seen->changes++;
		seen->state = event->code;
		seen->t_boot_ns = event->sample.t_boot_ns;
	}
}

static bool has_changed(void *data)
{
	struct seen *seen = data;

	take_events(seen);
	return seen->changes > 0;
}

static bool has_measured(void *data)
{
	struct seen *seen = data;

	take_events(seen);
	return kryos_sampler_busy(seen->sampler) == 0;
}

static void measures(struct seen *seen, int on)
{
	assert_ok(kryos_sampler_round(seen->sampler));
	assert_true(process_until(seen->ctx, has_measured, seen, WAIT_MS));
	take_events(seen);
	assert_int_equal(seen->sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(seen->sample.value_micro, on ? 1000000 : 0);
}

static void what_is_switched_is_told_at_the_other_end(void **state)
{
	char *folder = scratch_new(), output[80], input[80];
	struct seen seen = { .changes = 0 };
	struct kryos_output *lamp = NULL;
	struct kryos_store *store = NULL;
	int64_t before_ns, told_ns;

	(void)state;
	snprintf(output, sizeof(output), "lamp@gpio:%s", output_name);
	snprintf(input, sizeof(input), "door@gpio:%s", input_name);
	assert_ok(kryos_ctx_new(&seen.ctx, NULL));
	assert_ok(kryos_output_open(&lamp, seen.ctx, "lamp", output, NULL));
	assert_ok(kryos_store_open(&store, seen.ctx, in(folder, "store"), NULL));
	assert_ok(kryos_sampler_new(&seen.sampler, store, KRYOS_SAMPLER_CONFIG(.manual = 1)));
	assert_ok(kryos_sampler_add_with(
		seen.sampler, "lid", input,
		KRYOS_SAMPLER_SENSOR_CONFIG(
				.sensor = KRYOS_SENSOR_CONFIG(.line = KRYOS_LINE_CONFIG(.bias = KRYOS_BIAS_PULL_DOWN,
	                                                                                .debounce_ns = DEBOUNCE_NS)))));
	process_for(seen.ctx, 500);
	measures(&seen, 0);
	for (int i = 1; i <= CHANGES; i++) {
		seen.changes = 0;
		before_ns = kri_real_ns();
		assert_ok(kryos_output_set(lamp, i % 2));
		if (!process_until(seen.ctx, has_changed, &seen, WAIT_MS))
			fail_msg("nothing is told when the lamp is switched %s", i % 2 ? "on" : "off");
		told_ns = kri_real_ns();
		process_for(seen.ctx, 300);
		take_events(&seen);
		assert_int_equal(seen.changes, 1);
		assert_int_equal(seen.state, i % 2);
		/* The kernel's debouncing counts ticks, and dates an edge back. */
		assert_in_range(seen.t_boot_ns, before_ns - KRYOS_MILLISECONDS(5), told_ns - DEBOUNCE_NS);
		measures(&seen, i % 2);
	}
	kryos_ctx_free(seen.ctx);
	scratch_free(folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_switched_is_told_at_the_other_end) };

	if (argc != 3) {
		fprintf(stderr, "usage: wire_case OUTPUT INPUT\n");
		return 2;
	}
	output_name = argv[1];
	input_name = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
