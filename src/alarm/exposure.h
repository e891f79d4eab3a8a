/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exposure, inside. Samples become points (those of one time are one), points become steps from one to the next, and
 * steps are laid into sums: of all, of a window, of a day.
 */
#ifndef KRI_ALARM_EXPOSURE_H
#define KRI_ALARM_EXPOSURE_H

#include "bytes.h"
#include <kryos/exposure.h>

/* What was measured at one time: sums, and how many. */
struct kri_point {
	int64_t at_ns; /* on the time line */
	uint64_t count;
	double celsius, rate, aging[KRYOS_VVM_COUNT];
	int64_t last_micro;
};

/* Time from one point to the next, or to now. */
struct kri_step {
	int64_t from_ns, to_ns;
	bool joined; /* counts in the means, along a straight line */
	double celsius[2], rate[2];
	int64_t held_to_ns; /* until when the sample at its beginning is held; from_ns: nothing was measured there */
	int64_t held_micro;
};

struct kri_sums {
	uint64_t samples;
	int64_t min_micro, max_micro;
	int64_t time_ns;
	double celsius_ns, rate_ns;
	int64_t below_ns, above_ns;
};

struct kryos_exposure {
	struct kryos_exposure_config config;
	double kelvin; /* E / R */

	struct kri_time time;
	struct kri_point before, now; /* count 0: none */
	bool before_cut, now_cut;     /* a reboot of unknown length behind it */

	struct kri_sums sums;
	double aged[KRYOS_VVM_COUNT]; /* lives used */
};

int kri_exposure_init(struct kryos_exposure *exposure, const struct kryos_exposure_config *config);

/*
 * The next sample: the time line goes on, and what was a step until now is over. Returns 1 and the step, which is in
 * the sums already; 0: there is none. On failure nothing has changed.
 */
int kri_exposure_take(struct kryos_exposure *exposure, const struct kryos_sample *sample, struct kri_step *ret_step);
/* The steps that are not over: index 0 to the newest point, 1 from there to now; false: there is none. */
bool kri_exposure_rest(const struct kryos_exposure *exposure, unsigned int index, struct kri_step *ret_step);

/* Lays that part of the step there; returns for how much of it something was measured. */
int64_t kri_sums_add(struct kri_sums *sums, const struct kryos_exposure_config *config, const struct kri_step *step,
                     int64_t from_ns, int64_t to_ns);
void kri_sums_add_sample(struct kri_sums *sums, int64_t micro);
/* point: the newest, which is the mean of itself where it is all that there is; NULL: it is not in it. All but the vial
 * monitors. */
int kri_sums_result(const struct kri_sums *sums, const struct kryos_exposure *exposure, const struct kri_point *point,
                    struct kryos_exposure_result *ret_result);

/* laid_ns: no sum is of a longer time. */
void kri_pass_sums(struct kri_pass *pass, struct kri_sums *sums, int64_t laid_ns);
void kri_pass_exposure(struct kri_pass *pass, struct kryos_exposure *exposure);

/* How fast what the mean kinetic temperature is about goes on there, relative to 5 C. */
double kri_mkt_rate(double kelvin, double celsius);
/* vvm.c: lives per day at that temperature. */
double kri_vvm_aging(unsigned int model, unsigned int vvm, double celsius);

#endif
