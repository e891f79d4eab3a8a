/* SPDX-License-Identifier: Apache-2.0 */
/* What lamps and buzzers do for each signal: docs/alarms.md has it as a table for people. */
#include "../core/core.h"
#include "output.h"

#define BLINK_NS KRYOS_MILLISECONDS(200)
#define PAIR(pause)                                                                                                    \
	{                                                                                                              \
		.size = sizeof(struct kryos_pattern), .count = 2, .on_ns = BLINK_NS, .off_ns = BLINK_NS,               \
		.pause_ns = (pause)-4 * BLINK_NS                                                                       \
	}
#define ONE(on, off)                                                                                                   \
	{                                                                                                              \
		.size = sizeof(struct kryos_pattern), .count = 1, .on_ns = (on), .off_ns = (off)                       \
	}

static const struct kri_show lamp[] = {
	[KRI_SIGNAL_NONE] = { .on = false },
	[KRI_SIGNAL_ACKNOWLEDGED] = { .on = true },
	[KRI_SIGNAL_ENDED] = { .pattern = ONE(BLINK_NS, KRYOS_SECONDS(3) - BLINK_NS) },
	[KRI_SIGNAL_BLIND] = { .pattern = PAIR(KRYOS_SECONDS(3)) },
	[KRI_SIGNAL_ALARM] = { .pattern = ONE(KRYOS_MILLISECONDS(500), KRYOS_MILLISECONDS(500)) },
	[KRI_SIGNAL_TEST] = { .on = true },
};

static const struct kri_show buzzer[] = {
	[KRI_SIGNAL_NONE] = { .on = false },
	[KRI_SIGNAL_ACKNOWLEDGED] = { .on = false },
	[KRI_SIGNAL_ENDED] = { .on = false },
	[KRI_SIGNAL_BLIND] = { .pattern = PAIR(KRYOS_MINUTES(3)) },
	[KRI_SIGNAL_ALARM] = { .pattern = PAIR(KRYOS_SECONDS(3)) },
	[KRI_SIGNAL_TEST] = { .on = true },
};

const struct kri_show *kri_signal_show(enum kri_signal signal, bool sounds)
{
	return sounds ? &buzzer[signal] : &lamp[signal];
}

int kri_output_show(struct kryos_output *output, enum kri_signal signal, bool sounds)
{
	const struct kri_show *show = kri_signal_show(signal, sounds);

	return show->pattern.on_ns ? kryos_output_play(output, &show->pattern) : kryos_output_set(output, show->on);
}
