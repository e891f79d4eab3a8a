/* SPDX-License-Identifier: Apache-2.0 */
#include "alarm.h"
#include <kryos/exposure.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* USP <1160> has R = 8.3144 J/(mol K), so that 83.144 kJ/mol make 10000 K. */
#define GAS_CONSTANT 8.3144
#define USUAL_ACTIVATION 83144
#define ZERO_CELSIUS_K 273.15
/* Rates are relative to the one at 5 C, or exp() of -10000 / 193 would lose its digits beside that of -10000 / 300. */
#define REFERENCE_K 278.15

/* What was measured at one time: sums, and how many. */
struct instant {
	int64_t t_ns;
	uint64_t count;
	double celsius, rate;
};

struct kryos_exposure {
	struct kryos_exposure_config config;
	double kelvin; /* E / R */

	struct instant before, now; /* count 0: none, and of before: nothing leads from it to now */
	uint32_t boot;
	int64_t last_micro;

	uint64_t samples;
	int64_t min_micro, max_micro, time_ns, below_ns, above_ns;
	double celsius_ns, rate_ns;
};

int kryos_exposure_new(struct kryos_exposure **ret_exposure, const struct kryos_exposure_config *config)
{
	struct kryos_exposure_config ours = { 0 };
	struct kryos_exposure *exposure;
	int r;

	if (!ret_exposure || !config)
		return kryos_fail(-EINVAL, "exposure: there is no config, or nowhere to put it");
	r = kri_config_copy(&ours, sizeof(ours), config);
	if (r < 0)
		return r;
	if (ours.gap_limit_ns <= 0)
		return kryos_fail(-EINVAL, "exposure: gap_limit_ns: more than 0 is needed");
	if (ours.activation_j_per_mol == 0)
		ours.activation_j_per_mol = USUAL_ACTIVATION;
	if (ours.activation_j_per_mol < 1000 || ours.activation_j_per_mol > 1000000)
		return kryos_fail(-EINVAL, "exposure: activation_j_per_mol: 1000 to 1000000 is allowed");
	exposure = calloc(1, sizeof(*exposure));
	if (!exposure)
		return kryos_fail(-ENOMEM, "exposure: out of memory");
	exposure->config = ours;
	exposure->kelvin = (double)ours.activation_j_per_mol / GAS_CONSTANT;
	*ret_exposure = exposure;
	return 0;
}

void kryos_exposure_free(struct kryos_exposure *exposure)
{
	free(exposure);
}

static double rate_of(const struct kryos_exposure *exposure, double celsius)
{
	return exp(exposure->kelvin * (1 / REFERENCE_K - 1 / (celsius + ZERO_CELSIUS_K)));
}

static double celsius_of(const struct kryos_exposure *exposure, double rate)
{
	return 1 / (1 / REFERENCE_K - log(rate) / exposure->kelvin) - ZERO_CELSIUS_K;
}

/* The trapezoid between the two instants. */
static void add_step(struct kryos_exposure *exposure)
{
	const struct instant *a = &exposure->before, *b = &exposure->now;
	double ns = (double)(b->t_ns - a->t_ns);

	if (a->count == 0 || b->count == 0)
		return;
	exposure->time_ns += b->t_ns - a->t_ns;
	exposure->celsius_ns += ns * (a->celsius / (double)a->count + b->celsius / (double)b->count) / 2;
	exposure->rate_ns += ns * (a->rate / (double)a->count + b->rate / (double)b->count) / 2;
}

static void hold(struct kryos_exposure *exposure, int64_t passed_ns)
{
	const struct kryos_exposure_config *config = &exposure->config;
	int64_t held = passed_ns < config->gap_limit_ns ? passed_ns : config->gap_limit_ns;

	if ((config->has & KRYOS_EXPOSURE_LOW) && exposure->last_micro < config->low_micro)
		exposure->below_ns += held;
	if ((config->has & KRYOS_EXPOSURE_HIGH) && exposure->last_micro > config->high_micro)
		exposure->above_ns += held;
}

/* A later time, or another boot, of which nothing leads here. */
static void go_on(struct kryos_exposure *exposure, const struct kryos_sample *sample)
{
	bool same_boot = sample->boot == exposure->boot;
	int64_t passed = same_boot ? sample->t_boot_ns - exposure->now.t_ns : 0;

	add_step(exposure);
	hold(exposure, passed);
	exposure->before = exposure->now;
	if (!same_boot || passed > exposure->config.gap_limit_ns)
		exposure->before.count = 0;
	exposure->now = (struct instant){ .t_ns = sample->t_boot_ns };
}

int kryos_exposure_take(struct kryos_exposure *exposure, const struct kryos_sample *sample)
{
	double celsius;

	if (!exposure || !sample)
		return kryos_fail(-EINVAL, "exposure: there is none, or no sample");
	if (!kryos_quality_is_measured(sample->quality))
		return 0;
	if (sample->value_micro <= INT64_C(-273150000) || sample->value_micro > INT64_C(10000000000))
		return kryos_fail(-EINVAL, "exposure: above -273.15 C, and at most 10000, is allowed");
	if (sample->t_boot_ns < 0 ||
	    (exposure->samples && sample->boot == exposure->boot && sample->t_boot_ns < exposure->now.t_ns))
		return kryos_fail(-EINVAL, "exposure: the sample is earlier than the one before");
	if (exposure->samples && (sample->boot != exposure->boot || sample->t_boot_ns > exposure->now.t_ns))
		go_on(exposure, sample);
	if (exposure->samples++ == 0) {
		exposure->now.t_ns = sample->t_boot_ns;
		exposure->min_micro = exposure->max_micro = sample->value_micro;
	}
	if (sample->value_micro < exposure->min_micro)
		exposure->min_micro = sample->value_micro;
	if (sample->value_micro > exposure->max_micro)
		exposure->max_micro = sample->value_micro;
	celsius = kryos_micro_to_double(sample->value_micro);
	exposure->now.count++;
	exposure->now.celsius += celsius;
	exposure->now.rate += rate_of(exposure, celsius);
	exposure->boot = sample->boot;
	exposure->last_micro = sample->value_micro;
	return 0;
}

int kryos_exposure_get(const struct kryos_exposure *exposure, struct kryos_exposure_result *ret_result)
{
	struct kryos_exposure whole;
	struct kryos_exposure_result result = { 0 };
	double celsius, rate;
	int r = 0;

	if (!exposure || !ret_result || ret_result->size != sizeof(result))
		return kryos_fail(-EINVAL, "exposure: there is none, or a result whose size is not set");
	result.size = sizeof(result);
	whole = *exposure;
	add_step(&whole);
	if (whole.samples) {
		celsius = whole.time_ns ? whole.celsius_ns / (double)whole.time_ns
		                        : whole.now.celsius / (double)whole.now.count;
		rate = whole.time_ns ? whole.rate_ns / (double)whole.time_ns : whole.now.rate / (double)whole.now.count;
		result.samples = whole.samples;
		result.min_micro = whole.min_micro;
		result.max_micro = whole.max_micro;
		result.time_ns = whole.time_ns;
		result.below_ns = whole.below_ns;
		result.above_ns = whole.above_ns;
		r = kryos_micro_from_double(celsius, &result.mean_micro);
		if (r >= 0)
			r = kryos_micro_from_double(celsius_of(exposure, rate), &result.mkt_micro);
	}
	if (r >= 0)
		*ret_result = result;
	return r;
}
