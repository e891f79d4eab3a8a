/* SPDX-License-Identifier: Apache-2.0 */
/* What a history remembers, as bytes. */
#include "history.h"

#define MAGIC INT64_C(0x79726f747368796b) /* "kyhstory" */
#define VERSION 1
#define MAX_DAY_NUMBER 200000 /* as far as 64-bit nanoseconds go, both ways */

static void pass_date(struct kri_pass *pass, struct kri_date *date)
{
	date->known = kri_pass_within(pass, date->known, 0, 1);
	date->number = kri_pass_within(pass, date->number, -MAX_DAY_NUMBER, MAX_DAY_NUMBER);
	date->into_ns = kri_pass_within(pass, date->into_ns, 0, KRYOS_DAYS(1) - 1);
}

/* What is empty is one number. */
static void pass_bucket(struct kri_pass *pass, struct kri_sums *sums, int64_t most_ns)
{
	bool used = sums->samples || sums->time_ns || sums->below_ns || sums->above_ns;

	if (kri_pass_within(pass, used, 0, 1))
		kri_pass_sums(pass, sums, most_ns);
}

static void pass_day(struct kri_pass *pass, struct kri_day *day, int64_t laid_ns)
{
	day->used = kri_pass_within(pass, day->used, 0, 1);
	if (!day->used)
		return;
	day->number = kri_pass_within(pass, day->number, -MAX_DAY_NUMBER, MAX_DAY_NUMBER);
	day->unmeasured_ns = kri_pass_within(pass, day->unmeasured_ns, 0, laid_ns);
	kri_pass_sums(pass, &day->sums, laid_ns);
}

static void pass_history(struct kri_pass *pass, struct kryos_history *history)
{
	struct kryos_exposure_config *config = &history->exposure.config;
	int64_t laid_ns;

	config->has = (uint32_t)kri_pass_within(pass, config->has, 0, UINT32_MAX);
	config->activation_j_per_mol = kri_pass_within(pass, config->activation_j_per_mol, 1000, 1000000);
	kri_pass_number(pass, &config->low_micro);
	kri_pass_number(pass, &config->high_micro);
	config->vvm = (uint32_t)kri_pass_within(pass, config->vvm, 0, UINT32_MAX);
	config->vvm_model = (uint32_t)kri_pass_within(pass, config->vvm_model, 0, UINT32_MAX);
	kri_pass_exposure(pass, &history->exposure);
	laid_ns = history->exposure.before.at_ns;
	pass_date(pass, &history->point);
	pass_date(pass, &history->newest);
	history->undated_ns = kri_pass_within(pass, history->undated_ns, 0, laid_ns);
	history->has_day = kri_pass_within(pass, history->has_day, 0, 1);
	history->day = kri_pass_within(pass, history->day, -MAX_DAY_NUMBER, MAX_DAY_NUMBER);
	for (unsigned int i = 0; i < KRI_RINGS; i++) {
		for (int64_t j = 0; j < kri_rings[i].count; j++)
			pass_bucket(pass, &history->buckets[i][j],
			            laid_ns < kri_rings[i].width_ns ? laid_ns : kri_rings[i].width_ns);
	}
	for (unsigned int i = 0; i < KRYOS_HISTORY_DAYS; i++)
		pass_day(pass, &history->days[i], laid_ns);
}

static struct kri_pass begin(void)
{
	return (struct kri_pass){ .what = "history", .magic = MAGIC, .version = VERSION };
}

int kryos_history_save(const struct kryos_history *history, void **ret_bytes, size_t *ret_count)
{
	struct kri_pass pass = begin();
	struct kryos_history copy;

	if (!history || !ret_bytes || !ret_count)
		return kryos_fail(-EINVAL, "history: there is none, or nowhere to put the bytes");
	copy = *history;
	kri_pass_write(&pass);
	pass_history(&pass, &copy);
	return kri_pass_finish(&pass, ret_bytes, ret_count);
}

static void forget_thresholds(struct kryos_history *history)
{
	history->exposure.sums.below_ns = history->exposure.sums.above_ns = 0;
	for (unsigned int i = 0; i < KRI_RINGS; i++) {
		for (unsigned int j = 0; j < KRI_MAX_BUCKETS; j++)
			history->buckets[i][j].below_ns = history->buckets[i][j].above_ns = 0;
	}
	for (unsigned int i = 0; i < KRYOS_HISTORY_DAYS; i++)
		history->days[i].sums.below_ns = history->days[i].sums.above_ns = 0;
}

static bool has_thresholds(const struct kryos_exposure_config *a, const struct kryos_exposure_config *b)
{
	return a->has == b->has && (!(a->has & KRYOS_EXPOSURE_LOW) || a->low_micro == b->low_micro) &&
	       (!(a->has & KRYOS_EXPOSURE_HIGH) || a->high_micro == b->high_micro);
}

/* Of its config the bytes have all but the limit of a gap. */
static int read_saved(const struct kryos_history *history, const void *bytes, size_t count, struct kryos_history *saved)
{
	const struct kryos_exposure_config *config, *own;
	struct kri_pass pass = begin();
	int r;

	if (!history || !bytes)
		return kryos_fail(-EINVAL, "history: there is none, or there are no bytes");
	if (history->exposure.time.has)
		return kryos_fail(-EBUSY, "history: a state is restored before the first sample");
	r = kri_pass_read(&pass, bytes, count);
	if (r < 0)
		return r;
	pass_history(&pass, saved);
	r = kri_pass_finish(&pass, NULL, NULL);
	if (r < 0)
		return r;
	config = &saved->exposure.config;
	own = &history->exposure.config;
	if (config->activation_j_per_mol != own->activation_j_per_mol || config->vvm != own->vvm ||
	    config->vvm_model != own->vvm_model)
		return kryos_fail(-EINVAL,
		                  "history: it was saved with another activation energy, or other vial monitors");
	saved->exposure.kelvin = history->exposure.kelvin;
	return 0;
}

int kryos_history_restore(struct kryos_history *history, const void *bytes, size_t count)
{
	struct kryos_history saved = { 0 };
	int r = read_saved(history, bytes, count, &saved);

	if (r < 0)
		return r;
	if (!has_thresholds(&saved.exposure.config, &history->exposure.config))
		forget_thresholds(&saved);
	saved.exposure.config = history->exposure.config;
	*history = saved;
	return 0;
}

int kri_history_restore_whole(struct kryos_history *history, const void *bytes, size_t count)
{
	struct kryos_history saved = { 0 };
	int r = read_saved(history, bytes, count, &saved);

	if (r < 0)
		return r;
	saved.exposure.config.size = history->exposure.config.size;
	saved.exposure.config.gap_limit_ns = history->exposure.config.gap_limit_ns;
	*history = saved;
	return 0;
}
