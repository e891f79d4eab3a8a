/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exposure: what a temperature did to what was kept at it: mean kinetic temperature, mean, minimum, maximum, time above
 * and below.
 *
 * Incremental and pure, as kryos/alarm.h. Only samples of quality good and extrapolated count. Means are weighted by
 * time, along straight lines between samples: of the temperature itself, and for the mean kinetic temperature of
 * exp(-E / (R T)). Of several samples at one time the mean counts. What lies between two samples further apart than the
 * limit, or of two boots, counts in no mean. docs/alarms.md has the formulas.
 *
 * The mean kinetic temperature says nothing about freezing, and decides nothing.
 *
 * One thread at a time for each; no call blocks.
 */
#ifndef KRYOS_EXPOSURE_H
#define KRYOS_EXPOSURE_H

#include <kryos/sample.h>

KRYOS_BEGIN

/* Bits of has: fields for which 0 is a value as any other. */
enum kryos_exposure_field { KRYOS_EXPOSURE_LOW = 1, KRYOS_EXPOSURE_HIGH = 2 };

struct kryos_exposure_config {
	uint32_t size;
	uint32_t has;
	int64_t gap_limit_ns;          /* longer distances count in no mean; more than 0, no default */
	int64_t activation_j_per_mol;  /* 0: 83144, by which E/R is 10000 K (USP <1160>). 1000 to 1000000 */
	int64_t low_micro, high_micro; /* time below and above is counted where it is set */
};
#define KRYOS_EXPOSURE_CONFIG(...) KRYOS_CONFIG_OF(kryos_exposure_config, __VA_ARGS__)

struct kryos_exposure_result {
	uint32_t size; /* set by the caller */
	uint32_t reserved;
	uint64_t samples; /* that count; with 0 all below is 0 */
	int64_t min_micro, max_micro;
	int64_t mean_micro; /* of one instant, the mean of its samples */
	int64_t mkt_micro;
	int64_t time_ns;            /* over which the means are */
	int64_t below_ns, above_ns; /* strictly; a sample is held until the next, at most for the limit */
};

struct kryos_exposure;

/* -EINVAL names the field; -ENOMEM. */
KRYOS_API int kryos_exposure_new(struct kryos_exposure **ret_exposure, const struct kryos_exposure_config *config);
KRYOS_EXPORT void kryos_exposure_free(struct kryos_exposure *exposure); /* NULL is allowed */

/* Degrees Celsius. -EINVAL, and nothing has changed: earlier than the one before in the same boot; at or below absolute
 * zero, or above 10000. */
KRYOS_API int kryos_exposure_take(struct kryos_exposure *exposure, const struct kryos_sample *sample);

/* Until now, rounded to the nearest millionth. -EINVAL: a result of unknown size. */
KRYOS_API int kryos_exposure_get(const struct kryos_exposure *exposure, struct kryos_exposure_result *ret_result);

KRYOS_END
#endif
