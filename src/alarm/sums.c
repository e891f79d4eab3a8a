/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over a time, and what they say. */
#include "exposure.h"
#include <math.h>

#define ZERO_CELSIUS_K 273.15
/* Rates are relative to the one at 5 C, or exp() of -10000 / 193 would lose its digits beside that of -10000 / 300. */
#define REFERENCE_K 278.15

double kri_mkt_rate(double kelvin, double celsius)
{
	return exp(kelvin * (1 / REFERENCE_K - 1 / (celsius + ZERO_CELSIUS_K)));
}

static double celsius_of(double kelvin, double rate)
{
	return 1 / (1 / REFERENCE_K - log(rate) / kelvin) - ZERO_CELSIUS_K;
}

/* On the straight line from a to b; exactly these at both ends. */
static double between(const double ends[2], const struct kri_step *step, int64_t at_ns)
{
	double part = (double)(at_ns - step->from_ns) / (double)(step->to_ns - step->from_ns);

	return ends[0] * (1 - part) + ends[1] * part;
}

static double trapezoid(const double ends[2], const struct kri_step *step, int64_t from_ns, int64_t to_ns)
{
	return (double)(to_ns - from_ns) * (between(ends, step, from_ns) + between(ends, step, to_ns)) / 2;
}

int64_t kri_sums_add(struct kri_sums *sums, const struct kryos_exposure_config *config, const struct kri_step *step,
                     int64_t from_ns, int64_t to_ns)
{
	int64_t held = (step->held_to_ns < to_ns ? step->held_to_ns : to_ns) - from_ns;

	if (step->joined) {
		sums->time_ns += to_ns - from_ns;
		sums->celsius_ns += trapezoid(step->celsius, step, from_ns, to_ns);
		sums->rate_ns += trapezoid(step->rate, step, from_ns, to_ns);
	}
	if (held <= 0)
		return 0;
	if ((config->has & KRYOS_EXPOSURE_LOW) && step->held_micro < config->low_micro)
		sums->below_ns += held;
	if ((config->has & KRYOS_EXPOSURE_HIGH) && step->held_micro > config->high_micro)
		sums->above_ns += held;
	return held;
}

void kri_sums_add_sample(struct kri_sums *sums, int64_t micro)
{
	if (sums->samples == 0 || micro < sums->min_micro)
		sums->min_micro = micro;
	if (sums->samples == 0 || micro > sums->max_micro)
		sums->max_micro = micro;
	sums->samples++;
}

int kri_sums_result(const struct kri_sums *sums, const struct kryos_exposure *exposure, const struct kri_point *point,
                    struct kryos_exposure_result *ret_result)
{
	struct kryos_exposure_result result = {
		.size = sizeof(result),
		.samples = sums->samples,
		.min_micro = sums->min_micro,
		.max_micro = sums->max_micro,
		.time_ns = sums->time_ns,
		.below_ns = sums->below_ns,
		.above_ns = sums->above_ns,
	};
	double celsius = sums->celsius_ns, rate = sums->rate_ns, over = (double)sums->time_ns;
	int r = 0;

	if (sums->time_ns == 0 && sums->samples && point && sums->samples == point->count) {
		celsius = point->celsius;
		rate = point->rate;
		over = (double)point->count;
	}
	result.has_mean = over > 0;
	if (result.has_mean)
		r = kryos_micro_from_double(celsius / over, &result.mean_micro);
	if (result.has_mean && r >= 0)
		r = kryos_micro_from_double(celsius_of(exposure->kelvin, rate / over), &result.mkt_micro);
	if (r >= 0)
		*ret_result = result;
	return r;
}

void kri_pass_sums(struct kri_pass *pass, struct kri_sums *sums, int64_t laid_ns)
{
	sums->samples = (uint64_t)kri_pass_within(pass, (int64_t)sums->samples, 0, INT64_MAX - 1);
	kri_pass_number(pass, &sums->min_micro);
	kri_pass_number(pass, &sums->max_micro);
	sums->time_ns = kri_pass_within(pass, sums->time_ns, 0, laid_ns);
	kri_pass_double(pass, &sums->celsius_ns, -INFINITY);
	kri_pass_double(pass, &sums->rate_ns, 0);
	sums->below_ns = kri_pass_within(pass, sums->below_ns, 0, laid_ns);
	sums->above_ns = kri_pass_within(pass, sums->above_ns, 0, laid_ns);
}
