/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a reading can be believed, from the reading, the channel, and what came before. Pure. What the driver itself
 * extrapolates is a measurement, so it goes through all of this as any other.
 *
 *     what the chip says is wrong                      as it says; not corrected
 *     outside what the chip measures                   range; not corrected
 *     correction, by calibration
 *     outside the limits that somebody set             range; as the chip said
 *     the same raw value for too long                  stuck
 *     too far from the last one believed               rate
 *     beyond the calibration's or the driver's points  extrapolated
 *
 * The driver has limits of range and rate, and what is said of the channel (kryos/channel.h) may have narrower ones. A
 * value that has not moved is another matter: a probe in glycol in a good fridge, quantised at 0.0625 C (DS18B20 at 12
 * bit), stands still for hours, at night and over a weekend, and calling that a fault would cost more trust than the
 * fault. Over a whole day doors, compressor and room move any probe by one step; so only a value that is the same to
 * the last bit for more than a day is called stuck, where nothing else is said. A channel of two states, and one that
 * says that it may stand still, do so for ever.
 */
#include "sensor.h"

/* A probe that is read twice a day may well be found at the same value: a day needs this many readings. */
#define STUCK_READINGS 24
/* Two readings in quick succession differ by noise and quantisation, whatever the rate. */
#define LEAST_INTERVAL_NS KRYOS_SECONDS(1)

/* How far a value may have moved in this time at so much in per_ms; INT64_MAX if it may be anywhere. */
static int64_t allowed_move(int64_t rate_micro, int64_t per_ms, int64_t elapsed_ns)
{
	int64_t move;

	if (elapsed_ns < LEAST_INTERVAL_NS)
		elapsed_ns = LEAST_INTERVAL_NS;
	if (rate_micro <= 0 || __builtin_mul_overflow(rate_micro, elapsed_ns / KRYOS_MILLISECONDS(1), &move))
		return INT64_MAX;
	return move / per_ms;
}

static bool is_near(const struct kryos_channel_info *info, const struct kri_channel *channel, int64_t value_micro,
                    int64_t before_micro, int64_t elapsed_ns)
{
	int64_t drivers = allowed_move(info->max_rate_micro, 1000, elapsed_ns);
	int64_t own = allowed_move(channel->rate_micro, 60000, elapsed_ns), moved;

	if (__builtin_sub_overflow(value_micro, before_micro, &moved) || moved == INT64_MIN)
		return info->max_rate_micro <= 0 && channel->rate_micro <= 0;
	moved = moved < 0 ? -moved : moved;
	return moved <= drivers && moved <= own;
}

static bool stands_still(struct kri_history *history, int64_t frozen_ns, int64_t value_micro, int64_t t_boot_ns)
{
	int64_t unread = t_boot_ns - history->seen_ns, most = frozen_ns / STUCK_READINGS;

	if (!history->has_value || history->value_micro != value_micro) {
		history->has_value = true;
		history->value_micro = value_micro;
		history->since_ns = t_boot_ns;
		history->repeats = 1;
		return false;
	}
	/*
	 * Nobody knows whether it stood still all the while it could not be measured, but that it is the same again to
	 * the last bit is evidence: such a time counts, and no more than what one of the readings stands for. If it
	 * did not count at all, one failure before each reading would hide a dead probe for ever.
	 */
	if (history->is_interrupted && unread > most)
		history->since_ns += unread - most;
	if (history->repeats < UINT32_MAX)
		history->repeats++;
	return t_boot_ns - history->since_ns > frozen_ns && history->repeats >= STUCK_READINGS;
}

static bool is_stuck(struct kri_history *history, int64_t frozen_ns, int64_t value_micro, int64_t t_boot_ns)
{
	bool stuck = stands_still(history, frozen_ns, value_micro, t_boot_ns);

	history->is_interrupted = false;
	history->seen_ns = t_boot_ns;
	return stuck;
}

/* Whether it is near the last one believed, or has really moved there (the probe was taken out). */
static bool is_credible(struct kri_history *history, const struct kryos_channel_info *info,
                        const struct kri_channel *channel, int64_t value_micro, int64_t t_boot_ns)
{
	if (history->has_good &&
	    !is_near(info, channel, value_micro, history->good_micro, t_boot_ns - history->good_ns)) {
		/* A second reading near the first far one: so it has. */
		bool confirmed = history->has_suspect && is_near(info, channel, value_micro, history->suspect_micro,
		                                                 t_boot_ns - history->suspect_ns);

		if (!confirmed) {
			history->has_suspect = true;
			history->suspect_micro = value_micro;
			history->suspect_ns = t_boot_ns;
			return false;
		}
	}
	history->has_suspect = false;
	history->has_good = true;
	history->good_micro = value_micro;
	history->good_ns = t_boot_ns;
	return true;
}

/* What the chip itself says is wrong, and what cannot be, tells nothing about the next value. */
static enum kryos_quality no_measurement(struct kri_history *history, enum kryos_quality quality)
{
	history->is_interrupted = true;
	return quality;
}

enum kryos_quality kri_judge(struct kri_history *history, const struct kryos_channel_info *info,
                             const struct kri_channel *channel, const struct kryos_reading *reading, int64_t t_boot_ns,
                             int64_t *ret_micro)
{
	int64_t raw = reading->value_micro, value;
	bool stuck, extrapolated;

	*ret_micro = raw;
	if (!kryos_quality_is_measured(reading->quality))
		return no_measurement(history, reading->quality);
	if (raw < info->min_micro || raw > info->max_micro)
		return no_measurement(history, KRYOS_QUALITY_RANGE);
	if (!kri_channel_correct(channel, raw, &value, &extrapolated) || value < channel->min_micro ||
	    value > channel->max_micro)
		return no_measurement(history, KRYOS_QUALITY_RANGE);
	*ret_micro = value;
	stuck = !info->states[0] && !info->stands_still && is_stuck(history, channel->frozen_ns, raw, t_boot_ns);
	if (!is_credible(history, info, channel, value, t_boot_ns))
		return KRYOS_QUALITY_RATE;
	if (stuck)
		return KRYOS_QUALITY_STUCK;
	return extrapolated ? KRYOS_QUALITY_EXTRAPOLATED : reading->quality;
}

void kri_judge_missing(struct kri_history *history, int code)
{
	enum kryos_quality quality = kri_judge_error(code);

	if (quality == KRYOS_QUALITY_ABSENT || quality == KRYOS_QUALITY_CHIP || code == -ENOTCONN)
		history->has_value = false;
	history->is_interrupted = true;
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
