/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channel: what is said of one channel of a sensor beside what its driver knows of the chip: which values are credible,
 * which other probe it has to agree with, and how it was calibrated.
 *
 * The calibration is applied first: points are joined by straight lines, and outside the first and the last the
 * correction stays what it is there, the quality being extrapolated. Limits are of the corrected value. What the chip
 * itself cannot measure or says is wrong is not corrected. docs/api/judging.md has the whole order, what each quality
 * means for those who use a value, and how to get from a corrected value back to the chip's.
 *
 * What a config points to is copied by the call that takes it; -EINVAL names the field and what is allowed.
 *
 * A sampler stores each change of what is in force for a channel as an event, KRYOS_EVENT_CALIBRATION, before it
 * measures.
 */
#ifndef KRYOS_CHANNEL_H
#define KRYOS_CHANNEL_H

#include <kryos/base.h>

KRYOS_BEGIN

#define KRYOS_CALIBRATION_MAX_POINTS 8

/* What a certificate says: the channel reads reading_micro where true_micro is right. */
struct kryos_calibration_point {
	int64_t reading_micro, true_micro;
};

/* Bits of has: fields for which 0 is a value as any other, and which count only with their bit. */
enum kryos_channel_field { KRYOS_CHANNEL_MIN = 1, KRYOS_CHANNEL_MAX = 2 };

#define KRYOS_FROZEN_NEVER INT64_MAX

struct kryos_channel_config {
	uint32_t size;
	uint32_t has;                 /* enum kryos_channel_field */
	const char *quantity;         /* which of the sensor's channels: "temperature" */
	int64_t min_micro, max_micro; /* outside is quality range; within what the chip measures */
	int64_t rate_micro; /* per minute; faster is quality rate, as what is faster than the driver's limit is. 0: that
	                       alone */
	int64_t frozen_ns;  /* the same to the last bit for longer is quality stuck; 0: 24 h. 1 h to 365 days, or never
	                     */
	const char *agrees; /* another sensor's channel, of the same unit: "fridge2.temperature"; NULL: none */
	int64_t within_micro; /* how far both may differ in one round; further is quality disagrees, of both */
	int64_t offset_micro; /* added to each value; 0: nothing */
	const struct kryos_calibration_point
		*points; /* instead of an offset: 2 to 8, readings and true values ascend */
	size_t point_count;
	const char *certificate; /* its number, at most 47 bytes without ";" and control characters; NULL: none */
	int64_t calibrated_ns;   /* wall time; 0: not said */
	int64_t expires_ns;      /* wall time, the first instant at which it is not valid any more; 0: not said */
};
#define KRYOS_CHANNEL_CONFIG(...) KRYOS_CONFIG_OF(kryos_channel_config, __VA_ARGS__)

KRYOS_END
#endif
