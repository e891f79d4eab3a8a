/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exposure: what a temperature did to what was kept at it: mean kinetic temperature, mean, minimum, maximum, time above
 * and below, and how much of a vaccine vial monitor's life it is estimated to have used.
 *
 * Incremental and pure, as kryos/alarm.h. Only samples of quality good and extrapolated count; of others it is known
 * that time has passed. Means are weighted by time, along straight lines between samples: of the temperature itself,
 * and for the mean kinetic temperature of exp(-E / (R T)). Of several samples at one time the mean counts. What lies
 * between two samples further apart than the limit, or with a reboot of unknown length between, counts in no mean.
 * docs/alarms.md has the formulas, and the time line, which is an evaluator's.
 *
 * The mean kinetic temperature says nothing about freezing, and decides nothing. Nor does the estimate of a vial
 * monitor, which never overrides the monitor itself.
 *
 * One thread at a time for each; no call blocks.
 */
#ifndef KRYOS_EXPOSURE_H
#define KRYOS_EXPOSURE_H

#include <kryos/sample.h>

KRYOS_BEGIN

/* Bits of has: fields for which 0 is a value as any other. */
enum kryos_exposure_field { KRYOS_EXPOSURE_LOW = 1, KRYOS_EXPOSURE_HIGH = 2 };

/* Vaccine vial monitors, by the days that they last at 37 C (WHO PQS E006/IN05). The numbers are stored. */
enum kryos_vvm { KRYOS_VVM2 = 0, KRYOS_VVM7 = 1, KRYOS_VVM14 = 2, KRYOS_VVM30 = 3 };
#define KRYOS_VVM_COUNT 4

/* How fast one ages at a temperature. The numbers are stored. */
enum kryos_vvm_model {
	KRYOS_VVM_GOLDWOOD_DIESBURG_2018 = 0, /* published rates, faster than the limits of the category */
	KRYOS_VVM_TWO_POINT = 1               /* through the two points by which the WHO defines the category */
};

/* "vvm2", ...; "goldwood-diesburg-2018", "two-point"; "?" for an unknown number. Static. */
KRYOS_EXPORT const char *kryos_vvm_name(unsigned int vvm);
KRYOS_EXPORT const char *kryos_vvm_model_name(unsigned int model);

struct kryos_exposure_config {
	uint32_t size;
	uint32_t has;
	int64_t gap_limit_ns;          /* longer distances count in no mean; more than 0, no default */
	int64_t activation_j_per_mol;  /* 0: 83144, by which E/R is 10000 K (USP <1160>). 1000 to 1000000 */
	int64_t low_micro, high_micro; /* time below and above is counted where it is set */
	uint32_t vvm;                  /* which are estimated: bits 1 << enum kryos_vvm */
	uint32_t vvm_model;            /* enum kryos_vvm_model */
};
#define KRYOS_EXPOSURE_CONFIG(...) KRYOS_CONFIG_OF(kryos_exposure_config, __VA_ARGS__)

struct kryos_exposure_result {
	uint32_t size;     /* set by the caller */
	uint32_t has_mean; /* 0: no two instants were near enough to each other, and there were more than one */
	uint64_t samples;  /* that count; with 0 all below is 0 */
	int64_t min_micro, max_micro;
	int64_t mean_micro;         /* of one instant, the mean of its samples */
	int64_t mkt_micro;          /* 0, both, without has_mean */
	int64_t time_ns;            /* over which the means are */
	int64_t below_ns, above_ns; /* strictly; a sample is held until the next, at most for the limit */
	/* Of those that are estimated, the percent of its life used over time_ns, in millionths: 100000000 is its end
	   point. By enum kryos_vvm. What lies in gaps is not in it. */
	int64_t vvm_micro[KRYOS_VVM_COUNT];
};

struct kryos_exposure;

/* -EINVAL names the field; -ENOMEM. */
KRYOS_API int kryos_exposure_new(struct kryos_exposure **ret_exposure, const struct kryos_exposure_config *config);
KRYOS_EXPORT void kryos_exposure_free(struct kryos_exposure *exposure); /* NULL is allowed */

/* Degrees Celsius. -EINVAL, and nothing has changed: earlier than the one before in the same boot; at or below absolute
 * zero, or above 10000. -ERANGE: more than 292 years in all. */
KRYOS_API int kryos_exposure_take(struct kryos_exposure *exposure, const struct kryos_sample *sample);

/* Until now, rounded to the nearest millionth. -EINVAL: a result of unknown size. */
KRYOS_API int kryos_exposure_get(const struct kryos_exposure *exposure, struct kryos_exposure_result *ret_result);

KRYOS_END
#endif
