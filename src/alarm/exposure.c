/* SPDX-License-Identifier: Apache-2.0 */
#include "exposure.h"
#include <stdlib.h>

/* USP <1160> has R = 8.3144 J/(mol K), so that 83.144 kJ/mol make 10000 K. */
#define GAS_CONSTANT 8.3144
#define USUAL_ACTIVATION 83144
#define MIN_MICRO INT64_C(-273149999)
#define MAX_MICRO INT64_C(10000000000)

int kri_exposure_init(struct kryos_exposure *exposure, const struct kryos_exposure_config *config)
{
	struct kryos_exposure_config ours = { 0 };
	int r;

	if (!config)
		return kryos_fail(-EINVAL, "exposure: there is no config");
	r = kri_config_copy(&ours, sizeof(ours), config);
	if (r < 0)
		return r;
	if (ours.gap_limit_ns <= 0)
		return kryos_fail(-EINVAL, "exposure: gap_limit_ns: more than 0 is needed");
	if (ours.activation_j_per_mol == 0)
		ours.activation_j_per_mol = USUAL_ACTIVATION;
	if (ours.activation_j_per_mol < 1000 || ours.activation_j_per_mol > 1000000)
		return kryos_fail(-EINVAL, "exposure: activation_j_per_mol: 1000 to 1000000 is allowed");
	if (ours.vvm >= 1U << KRYOS_VVM_COUNT)
		return kryos_fail(-EINVAL, "exposure: vvm: bits for vvm2, vvm7, vvm14 and vvm30 are allowed");
	if (ours.vvm_model > KRYOS_VVM_TWO_POINT)
		return kryos_fail(-EINVAL, "exposure: vvm_model: goldwood-diesburg-2018 or two-point is allowed");
	*exposure = (struct kryos_exposure){
		.config = ours,
		.kelvin = (double)ours.activation_j_per_mol / GAS_CONSTANT,
	};
	return 0;
}

int kryos_exposure_new(struct kryos_exposure **ret_exposure, const struct kryos_exposure_config *config)
{
	struct kryos_exposure *exposure, made;
	int r;

	if (!ret_exposure)
		return kryos_fail(-EINVAL, "exposure: there is nowhere to put it");
	r = kri_exposure_init(&made, config);
	if (r < 0)
		return r;
	exposure = malloc(sizeof(*exposure));
	if (!exposure)
		return kryos_fail(-ENOMEM, "exposure: out of memory");
	*exposure = made;
	*ret_exposure = exposure;
	return 0;
}

void kryos_exposure_free(struct kryos_exposure *exposure)
{
	free(exposure);
}

bool kri_exposure_rest(const struct kryos_exposure *exposure, unsigned int index, struct kri_step *ret_step)
{
	const struct kri_point *from = index == 0 ? &exposure->before : &exposure->now, *to = &exposure->now;
	bool cut = index == 0 ? exposure->before_cut : exposure->now_cut;
	int64_t limit_ns = exposure->config.gap_limit_ns, passed_ns;
	struct kri_step step = { .from_ns = from->at_ns, .held_micro = from->last_micro };

	step.to_ns = index == 0 ? to->at_ns : exposure->time.ns;
	passed_ns = step.to_ns - step.from_ns;
	if (passed_ns == 0)
		return false;
	step.held_to_ns = step.from_ns;
	if (from->count && !cut)
		step.held_to_ns += passed_ns < limit_ns ? passed_ns : limit_ns;
	if (index == 0 && step.held_to_ns == step.to_ns) {
		step.joined = true;
		step.celsius[0] = from->celsius / (double)from->count;
		step.celsius[1] = to->celsius / (double)to->count;
		step.rate[0] = from->rate / (double)from->count;
		step.rate[1] = to->rate / (double)to->count;
	}
	*ret_step = step;
	return true;
}

/* All of a step. */
static void lay(struct kryos_exposure *exposure, const struct kri_step *step)
{
	const struct kri_point *from = &exposure->before, *to = &exposure->now;
	double days = (double)(step->to_ns - step->from_ns) / (double)KRYOS_DAYS(1);

	kri_sums_add(&exposure->sums, &exposure->config, step, step->from_ns, step->to_ns);
	for (unsigned int i = 0; i < KRYOS_VVM_COUNT && step->joined; i++)
		exposure->aged[i] +=
			days * (from->aging[i] / (double)from->count + to->aging[i] / (double)to->count) / 2;
}

static int check(const struct kryos_exposure *exposure, const struct kryos_sample *sample)
{
	if (!exposure || !sample)
		return kryos_fail(-EINVAL, "exposure: there is none, or no sample");
	if (kryos_quality_is_measured(sample->quality) &&
	    (sample->value_micro < MIN_MICRO || sample->value_micro > MAX_MICRO))
		return kryos_fail(-EINVAL, "exposure: above -273.15 C, and at most 10000, is allowed");
	return 0;
}

int kri_exposure_take(struct kryos_exposure *exposure, const struct kryos_sample *sample, struct kri_step *ret_step)
{
	struct kri_point *now = &exposure->now;
	struct kri_time next;
	double celsius;
	bool cut;
	int r = check(exposure, sample), stepped = 0;

	if (r >= 0)
		r = kri_time_advance(&exposure->time, sample, "exposure", &next, &cut);
	if (r < 0)
		return r;
	exposure->time = next;
	exposure->now_cut = exposure->now_cut || cut;
	if (!kryos_quality_is_measured(sample->quality))
		return 0;
	if (now->count == 0) {
		now->at_ns = next.ns;
		exposure->now_cut = false;
	} else if (next.ns > now->at_ns || exposure->now_cut) {
		stepped = kri_exposure_rest(exposure, 0, ret_step);
		if (stepped)
			lay(exposure, ret_step);
		exposure->before = *now;
		exposure->before_cut = exposure->now_cut;
		exposure->now_cut = false;
		*now = (struct kri_point){ .at_ns = next.ns };
	}
	celsius = kryos_micro_to_double(sample->value_micro);
	now->count++;
	now->celsius += celsius;
	now->rate += kri_mkt_rate(exposure->kelvin, celsius);
	for (unsigned int i = 0; i < KRYOS_VVM_COUNT; i++) {
		if (exposure->config.vvm & 1U << i)
			now->aging[i] += kri_vvm_aging(exposure->config.vvm_model, i, celsius);
	}
	now->last_micro = sample->value_micro;
	kri_sums_add_sample(&exposure->sums, sample->value_micro);
	return stepped;
}

int kryos_exposure_take(struct kryos_exposure *exposure, const struct kryos_sample *sample)
{
	struct kri_step step;
	int r = kri_exposure_take(exposure, sample, &step);

	return r < 0 ? r : 0;
}

int kryos_exposure_get(const struct kryos_exposure *exposure, struct kryos_exposure_result *ret_result)
{
	struct kryos_exposure whole;
	struct kryos_exposure_result result;
	struct kri_step step;
	int r;

	if (!exposure || !ret_result || ret_result->size != sizeof(result))
		return kryos_fail(-EINVAL, "exposure: there is none, or a result whose size is not set");
	whole = *exposure;
	for (unsigned int i = 0; i < 2; i++) {
		if (kri_exposure_rest(exposure, i, &step))
			lay(&whole, &step);
	}
	r = kri_sums_result(&whole.sums, exposure, &exposure->now, &result);
	for (unsigned int i = 0; i < KRYOS_VVM_COUNT && r >= 0; i++)
		r = kryos_micro_from_double(100 * whole.aged[i], &result.vvm_micro[i]);
	if (r >= 0)
		*ret_result = result;
	return r;
}

static void pass_point(struct kri_pass *pass, struct kri_point *point, int64_t now_ns)
{
	point->at_ns = kri_pass_within(pass, point->at_ns, 0, now_ns);
	point->count = (uint64_t)kri_pass_within(pass, (int64_t)point->count, 0, INT64_MAX - 1);
	kri_pass_double(pass, &point->celsius, -1e30);
	kri_pass_double(pass, &point->rate, 0);
	for (unsigned int i = 0; i < KRYOS_VVM_COUNT; i++)
		kri_pass_double(pass, &point->aging[i], 0);
	point->last_micro = kri_pass_within(pass, point->last_micro, MIN_MICRO, MAX_MICRO);
}

void kri_pass_exposure(struct kri_pass *pass, struct kryos_exposure *exposure)
{
	kri_pass_time(pass, &exposure->time);
	pass_point(pass, &exposure->now, exposure->time.ns);
	pass_point(pass, &exposure->before, exposure->now.at_ns);
	pass->failed = pass->failed || (exposure->before.count && !exposure->now.count);
	exposure->before_cut = kri_pass_within(pass, exposure->before_cut, 0, 1);
	exposure->now_cut = kri_pass_within(pass, exposure->now_cut, 0, 1);
	kri_pass_sums(pass, &exposure->sums, exposure->before.at_ns); /* so far steps are laid */
	for (unsigned int i = 0; i < KRYOS_VVM_COUNT; i++)
		kri_pass_double(pass, &exposure->aged[i], 0);
}
