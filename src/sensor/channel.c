/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a channel: checked against what its driver knows, taken over, written out; and its calibration. Pure.
 */
#include "../config/config.h"
#include "sensor.h"
#include <inttypes.h>
#include <kryos/channel.h>
#include <stdio.h>
#include <string.h>

#define TEXT KRYOS_TEXT_MAX
#define MAX_CERTIFICATE 47

/* A thousand million units: sums and differences of two such values are none to worry about. */
#define LARGEST INT64_C(1000000000000000)

static int64_t least_of(const struct kryos_channel_info *info)
{
	return info->min_micro > -LARGEST ? info->min_micro : -LARGEST;
}

static int64_t most_of(const struct kryos_channel_info *info)
{
	return info->max_micro < LARGEST ? info->max_micro : LARGEST;
}

static bool is_within(int64_t value, const struct kryos_channel_info *info)
{
	return value >= least_of(info) && value <= most_of(info);
}

static int fail_range(int64_t value, const struct kryos_channel_info *info)
{
	char text[TEXT], least[TEXT], most[TEXT];

	return kryos_fail(-EINVAL, "%s is not allowed: %s to %s %s is, what the chip measures",
	                  kryos_value_text(value, text), kryos_value_text(least_of(info), least),
	                  kryos_value_text(most_of(info), most), info->unit);
}

static int check_limits(const struct kryos_channel_config *config, const struct kryos_channel_info *info,
                        const char **ret_field)
{
	int64_t fastest;

	*ret_field = "min";
	if ((config->has & KRYOS_CHANNEL_MIN) && !is_within(config->min_micro, info))
		return fail_range(config->min_micro, info);
	*ret_field = "max";
	if ((config->has & KRYOS_CHANNEL_MAX) && !is_within(config->max_micro, info))
		return fail_range(config->max_micro, info);
	if ((config->has & KRYOS_CHANNEL_MIN) && (config->has & KRYOS_CHANNEL_MAX) &&
	    config->max_micro <= config->min_micro)
		return kryos_fail(-EINVAL, "nothing lies between min and max; more than min is allowed");
	*ret_field = "rate";
	if (config->rate_micro < 0)
		return kryos_fail(-EINVAL, "less than 0 is not allowed; a move per minute is");
	if (__builtin_mul_overflow(info->max_rate_micro, 60, &fastest))
		fastest = INT64_MAX;
	if (info->max_rate_micro > 0 && config->rate_micro > fastest) {
		char text[TEXT], most[TEXT];

		return kryos_fail(-EINVAL, "%s is not allowed: up to %s %s per minute is, for faster is judged anyway",
		                  kryos_value_text(config->rate_micro, text), kryos_value_text(fastest, most),
		                  info->unit);
	}
	*ret_field = "frozen";
	if (config->frozen_ns && config->frozen_ns != KRYOS_FROZEN_NEVER &&
	    (config->frozen_ns < kri_default_min(KRI_ID_FROZEN_NS) ||
	     config->frozen_ns > kri_default_max(KRI_ID_FROZEN_NS)))
		return kryos_fail(-EINVAL, "%" PRId64 " ns is not allowed; an hour to 365 days is, or never",
		                  config->frozen_ns);
	return 0;
}

static int check_twin(const struct kryos_channel_config *config, const char **ret_field)
{
	*ret_field = "within";
	if (config->within_micro && !config->agrees)
		return kryos_fail(-EINVAL, "agrees is missing beside it; both, or none, are allowed");
	if (config->within_micro < 0)
		return kryos_fail(-EINVAL, "less than 0 is not allowed; how far both may differ is");
	*ret_field = "agrees";
	if (config->agrees && !config->within_micro)
		return kryos_fail(-EINVAL, "within is missing beside it; both, or none, are allowed");
	return 0;
}

static int check_points(const struct kryos_channel_config *config, const struct kryos_channel_info *info)
{
	const struct kryos_calibration_point *points = config->points;

	if (!points || config->point_count < 2 || config->point_count > KRYOS_CALIBRATION_MAX_POINTS)
		return kryos_fail(-EINVAL, "%zu of them; 2 to %d are allowed (for one there is offset)",
		                  points ? config->point_count : 0, KRYOS_CALIBRATION_MAX_POINTS);
	for (size_t i = 0; i < config->point_count; i++) {
		if (!is_within(points[i].reading_micro, info))
			return fail_range(points[i].reading_micro, info);
		if (!is_within(points[i].true_micro, info))
			return fail_range(points[i].true_micro, info);
		if (i && (points[i].reading_micro <= points[i - 1].reading_micro ||
		          points[i].true_micro <= points[i - 1].true_micro))
			return kryos_fail(-EINVAL,
			                  "number %zu is not above the one before it; readings and true values "
			                  "must both ascend",
			                  i + 1);
	}
	return 0;
}

static bool is_line(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == ';' || *text == 0x7f)
			return false;
	return true;
}

static int check_calibration(const struct kryos_channel_config *config, const struct kryos_channel_info *info,
                             const char **ret_field)
{
	int64_t span = most_of(info) - least_of(info);
	int r;

	*ret_field = "offset";
	if (config->offset_micro && config->points)
		return kryos_fail(-EINVAL, "is beside points; one of both is allowed");
	if (config->offset_micro < -span || config->offset_micro > span)
		return kryos_fail(-EINVAL, "is more than the chip's whole range; a correction is allowed");
	*ret_field = "points";
	r = config->points || config->point_count ? check_points(config, info) : 0;
	if (r < 0)
		return r;
	*ret_field = "certificate";
	if (config->certificate &&
	    (!*config->certificate || strlen(config->certificate) > MAX_CERTIFICATE || !is_line(config->certificate)))
		return kryos_fail(-EINVAL, "1 to %d bytes without \";\" and control characters are allowed",
		                  MAX_CERTIFICATE);
	*ret_field = "expires";
	if (config->expires_ns && config->expires_ns <= config->calibrated_ns)
		return kryos_fail(-EINVAL, "is not after calibrated; a later day is allowed");
	return 0;
}

int kri_channel_check(const struct kryos_channel_config *config, const struct kryos_channel_info *info,
                      const char **ret_field)
{
	char text[2 * KRI_CHANNEL_TEXT];
	int r;

	*ret_field = "quantity";
	if (info->states[0])
		return kryos_fail(-EINVAL, "%s has two states; limits and a calibration are of what is measured",
		                  info->quantity);
	if (config->has & ~(uint32_t)(KRYOS_CHANNEL_MIN | KRYOS_CHANNEL_MAX))
		return kryos_fail(-EINVAL, "has: bits are set that this version does not know");
	r = check_limits(config, info, ret_field);
	if (r >= 0)
		r = check_twin(config, ret_field);
	if (r >= 0)
		r = check_calibration(config, info, ret_field);
	if (r >= 0 && kri_channel_text(config, text, sizeof(text)) >= KRI_CHANNEL_TEXT) {
		*ret_field = config->points ? "points" : "certificate";
		r = kryos_fail(-EINVAL,
		               "all that is said of the channel is more than a record of it holds, %d bytes; "
		               "fewer points, or fewer decimals, are allowed",
		               KRI_CHANNEL_TEXT - 1);
	}
	return r;
}

void kri_channel_take(struct kri_channel *ret_channel, const struct kryos_channel_config *config)
{
	*ret_channel = (struct kri_channel){ .min_micro = INT64_MIN,
		                             .max_micro = INT64_MAX,
		                             .frozen_ns = kri_default(KRI_ID_FROZEN_NS) };
	if (!config)
		return;
	if (config->has & KRYOS_CHANNEL_MIN)
		ret_channel->min_micro = config->min_micro;
	if (config->has & KRYOS_CHANNEL_MAX)
		ret_channel->max_micro = config->max_micro;
	if (config->frozen_ns)
		ret_channel->frozen_ns = config->frozen_ns;
	ret_channel->rate_micro = config->rate_micro;
	ret_channel->offset_micro = config->offset_micro;
	ret_channel->point_count = config->point_count;
	if (config->point_count)
		memcpy(ret_channel->points, config->points, config->point_count * sizeof(config->points[0]));
}

/* factor * part / whole to the nearest, halves up, where part <= whole < 2^63: no product is ever larger than whole. */
static uint64_t share(uint64_t factor, uint64_t part, uint64_t whole)
{
	uint64_t quotient = 0, rest = 0;

	for (int bit = 63; bit >= 0; bit--) {
		rest *= 2;
		quotient *= 2;
		if (rest >= whole) {
			rest -= whole;
			quotient++;
		}
		if (factor >> bit & 1) {
			rest += part;
			if (rest >= whole) {
				rest -= whole;
				quotient++;
			}
		}
	}
	return quotient + (rest >= whole - rest);
}

/* On the line between two points: from the true value of the lower one up, both differences being positive. */
static int64_t between(const struct kryos_calibration_point *low, const struct kryos_calibration_point *high,
                       int64_t raw_micro)
{
	return low->true_micro + (int64_t)share((uint64_t)high->true_micro - (uint64_t)low->true_micro,
	                                        (uint64_t)raw_micro - (uint64_t)low->reading_micro,
	                                        (uint64_t)high->reading_micro - (uint64_t)low->reading_micro);
}

bool kri_channel_correct(const struct kri_channel *channel, int64_t raw_micro, int64_t *ret_micro,
                         bool *ret_extrapolated)
{
	const struct kryos_calibration_point *points = channel->points, *end;
	size_t i = 0;

	*ret_extrapolated = false;
	if (!channel->point_count)
		return !__builtin_add_overflow(raw_micro, channel->offset_micro, ret_micro);
	while (i < channel->point_count && points[i].reading_micro < raw_micro)
		i++;
	if (i < channel->point_count && points[i].reading_micro == raw_micro) {
		*ret_micro = points[i].true_micro;
		return true;
	}
	if (i > 0 && i < channel->point_count) {
		*ret_micro = between(&points[i - 1], &points[i], raw_micro);
		return true;
	}
	end = &points[i ? i - 1 : 0];
	*ret_extrapolated = true;
	return !__builtin_add_overflow(raw_micro, end->true_micro - end->reading_micro, ret_micro);
}

/* A growing line of "key=value" words. */
struct words {
	char *text;
	size_t size, length;
};

static void add(struct words *words, const char *name, const char *value)
{
	int count = snprintf(words->text + (words->length < words->size ? words->length : words->size - 1),
	                     words->length < words->size ? words->size - words->length : 1, "%s%s%s",
	                     words->length ? " " : "", name, value);

	words->length += (size_t)count;
}

static void add_micro(struct words *words, const char *name, int64_t value)
{
	char text[TEXT];

	add(words, name, kryos_value_text(value, text));
}

static void add_time(struct words *words, const char *name, int64_t t_wall_ns)
{
	char text[TEXT];

	if (t_wall_ns)
		add(words, name, kryos_time_text(t_wall_ns, text));
}

size_t kri_channel_text(const struct kryos_channel_config *config, char *text, size_t size)
{
	struct words words = { .text = text, .size = size };
	char value[2 * TEXT];

	*text = '\0';
	if (config->has & KRYOS_CHANNEL_MIN)
		add_micro(&words, "min=", config->min_micro);
	if (config->has & KRYOS_CHANNEL_MAX)
		add_micro(&words, "max=", config->max_micro);
	if (config->rate_micro)
		add_micro(&words, "rate=", config->rate_micro);
	if (config->frozen_ns && config->frozen_ns != kri_default(KRI_ID_FROZEN_NS)) {
		kri_duration_text(config->frozen_ns, value);
		add(&words, "frozen=", config->frozen_ns == KRYOS_FROZEN_NEVER ? "never" : value);
	}
	if (config->agrees) {
		add(&words, "agrees=", config->agrees);
		add_micro(&words, "within=", config->within_micro);
	}
	if (config->offset_micro)
		add_micro(&words, "offset=", config->offset_micro);
	for (size_t i = 0; i < config->point_count; i++) {
		char reading[TEXT], is[TEXT];

		snprintf(value, sizeof(value), "%s:%s", kryos_value_text(config->points[i].reading_micro, reading),
		         kryos_value_text(config->points[i].true_micro, is));
		add(&words, i ? "" : "points=", value);
	}
	add_time(&words, "calibrated=", config->calibrated_ns);
	add_time(&words, "expires=", config->expires_ns);
	if (config->certificate)
		add(&words, "certificate=", config->certificate);
	return words.length;
}
