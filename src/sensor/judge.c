/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a reading can be believed, from the reading, the channel, and what came before. Pure.
 *
 * Range and rate have their limits from the driver. A value that has not moved is another matter: a
 * probe in glycol in a good fridge, quantised at 0.0625 C (DS18B20 at 12 bit), stands still for
 * hours, at night and over a weekend, and calling that a fault would cost more trust than the fault.
 * Over a whole day doors, compressor and room move any probe by one step; so only a value that is
 * the same to the last bit for more than a day is called stuck. A channel of two states may stay in one for ever.
 */
#include "sensor.h"

#define STUCK_NS KRYOS_HOURS(24)
/* A probe that is read twice a day may well be found at the same value: a day needs this many readings. */
#define STUCK_READINGS 24
/* Two readings in quick succession differ by noise and quantisation, whatever the rate. */
#define LEAST_INTERVAL_NS KRYOS_SECONDS(1)

/* How far a value may have moved in this time; INT64_MAX if it may be anywhere. */
static int64_t allowed_move(const struct kryos_channel_info *info, int64_t elapsed_ns)
{
	int64_t move, milliseconds;

	if (elapsed_ns < LEAST_INTERVAL_NS)
		elapsed_ns = LEAST_INTERVAL_NS;
	milliseconds = elapsed_ns / KRYOS_MILLISECONDS(1);
	if (__builtin_mul_overflow(info->max_rate_micro, milliseconds, &move))
		return INT64_MAX;
	return move / 1000;
}

static bool is_near(const struct kryos_channel_info *info, int64_t value_micro, int64_t before_micro,
                    int64_t elapsed_ns)
{
	int64_t moved;

	if (__builtin_sub_overflow(value_micro, before_micro, &moved) || moved == INT64_MIN)
		return false;
	return (moved < 0 ? -moved : moved) <= allowed_move(info, elapsed_ns);
}

static bool is_stuck(struct kri_history *history, int64_t value_micro, int64_t t_boot_ns)
{
	if (!history->has_value || history->value_micro != value_micro) {
		history->has_value = true;
		history->value_micro = value_micro;
		history->since_ns = t_boot_ns;
		history->repeats = 1;
		return false;
	}
	if (history->repeats < UINT32_MAX)
		history->repeats++;
	return t_boot_ns - history->since_ns > STUCK_NS && history->repeats >= STUCK_READINGS;
}

enum kryos_quality kri_judge(struct kri_history *history, const struct kryos_channel_info *info,
                             const struct kryos_reading *reading, int64_t t_boot_ns)
{
	int64_t value = reading->value_micro;
	bool stuck;

	/* What the chip itself says is wrong tells nothing about the next value. */
	if (reading->quality != KRYOS_QUALITY_GOOD)
		return reading->quality;
	if (value < info->min_micro || value > info->max_micro)
		return KRYOS_QUALITY_RANGE;
	stuck = !info->states[0] && is_stuck(history, value, t_boot_ns);
	if (info->max_rate_micro > 0 && history->has_good &&
	    !is_near(info, value, history->good_micro, t_boot_ns - history->good_ns)) {
		/* A second reading near the first far one: it has really moved (the probe was taken out). */
		bool confirmed = history->has_suspect &&
		                 is_near(info, value, history->suspect_micro, t_boot_ns - history->suspect_ns);

		if (!confirmed) {
			history->has_suspect = true;
			history->suspect_micro = value;
			history->suspect_ns = t_boot_ns;
			return KRYOS_QUALITY_RATE;
		}
	}
	history->has_suspect = false;
	history->has_good = true;
	history->good_micro = value;
	history->good_ns = t_boot_ns;
	return stuck ? KRYOS_QUALITY_STUCK : KRYOS_QUALITY_GOOD;
}

void kri_judge_missing(struct kri_history *history)
{
	history->has_value = false;
}

enum kryos_quality kri_judge_error(int result)
{
	switch (result) {
	case -ENODEV:
	case -ENXIO:
		return KRYOS_QUALITY_ABSENT;
	/* Several where "any" was asked: which of them is meant is not known. */
	case KRYOS_EDEVICE:
	case KRYOS_ECHIP:
		return KRYOS_QUALITY_CHIP;
	case KRYOS_ECRC:
		return KRYOS_QUALITY_CRC;
	case -ETIMEDOUT:
		return KRYOS_QUALITY_TIMEOUT;
	default:
		return KRYOS_QUALITY_BUS;
	}
}
