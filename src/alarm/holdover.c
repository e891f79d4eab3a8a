/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"
#include <kryos/holdover.h>
#include <stdlib.h>

#define MAGIC INT64_C(0x7265766f646c6f68) /* "holdover" */
#define VERSION 1

struct kryos_holdover {
	struct kryos_holdover_config config;
	struct kri_time time;
	bool has_last; /* of the channel, and no reboot of unknown length since */
	int64_t last_ns, last_micro;
	bool supply_known;
	bool lost;
	int64_t start_ns;
	struct kryos_power_loss loss;
};

int kryos_holdover_new(struct kryos_holdover **ret_holdover, const struct kryos_holdover_config *config)
{
	struct kryos_holdover_config ours = { 0 };
	struct kryos_holdover *holdover;
	int r;

	if (!ret_holdover || !config)
		return kryos_fail(-EINVAL, "holdover: there is no config, or nowhere to put it");
	r = kri_config_copy(&ours, sizeof(ours), config);
	if (r < 0)
		return r;
	if (!(ours.has & (KRYOS_EXPOSURE_LOW | KRYOS_EXPOSURE_HIGH)))
		return kryos_fail(-EINVAL, "holdover: low_micro, high_micro: one is needed");
	if (ours.gap_limit_ns <= 0)
		return kryos_fail(-EINVAL, "holdover: gap_limit_ns: more than 0 is needed");
	holdover = calloc(1, sizeof(*holdover));
	if (!holdover)
		return kryos_fail(-ENOMEM, "holdover: out of memory");
	holdover->config = ours;
	*ret_holdover = holdover;
	return 0;
}

void kryos_holdover_free(struct kryos_holdover *holdover)
{
	free(holdover);
}

static bool is_in_range(const struct kryos_holdover *holdover, int64_t micro)
{
	const struct kryos_holdover_config *config = &holdover->config;

	return (!(config->has & KRYOS_EXPOSURE_LOW) || micro >= config->low_micro) &&
	       (!(config->has & KRYOS_EXPOSURE_HIGH) || micro <= config->high_micro);
}

/* Nobody knows what it was meanwhile: it is not said to have held. */
static void miss(struct kryos_holdover *holdover)
{
	if (holdover->lost && !(holdover->loss.known & KRYOS_LOSS_LEFT))
		holdover->loss.known |= KRYOS_LOSS_UNSEEN;
}

static int advance(struct kryos_holdover *holdover, const struct kryos_sample *sample)
{
	struct kri_time next;
	bool cut;
	int r;

	if (!holdover || !sample)
		return kryos_fail(-EINVAL, "holdover: there is none, or no sample");
	if (holdover->time.has && sample->boot == holdover->time.at.boot && sample->t_boot_ns >= 0 &&
	    sample->t_boot_ns < holdover->time.at.t_boot_ns)
		return 0;
	r = kri_time_advance(&holdover->time, sample, "holdover", &next, &cut);
	if (r < 0)
		return r;
	holdover->time = next;
	if (cut) {
		holdover->has_last = false;
		holdover->loss.uncertain += holdover->lost;
		miss(holdover);
	}
	return 0;
}

/* What was measured before the loss and was too old to stand for its beginning is nothing to go on from. */
static int64_t seen_until(const struct kryos_holdover *holdover)
{
	bool is_of_it = holdover->loss.known & (KRYOS_LOSS_VALUE | KRYOS_LOSS_EXTREMES);

	return holdover->has_last && is_of_it ? holdover->last_ns : holdover->start_ns;
}

int kryos_holdover_take(struct kryos_holdover *holdover, const struct kryos_sample *sample)
{
	struct kryos_power_loss *loss;
	int r = advance(holdover, sample);

	if (r < 0 || !kryos_quality_is_measured(sample->quality))
		return r;
	if (holdover->time.ns - seen_until(holdover) > holdover->config.gap_limit_ns)
		miss(holdover);
	holdover->has_last = true;
	holdover->last_ns = holdover->time.ns;
	holdover->last_micro = sample->value_micro;
	if (!holdover->lost)
		return 0;
	loss = &holdover->loss;
	if (!(loss->known & KRYOS_LOSS_EXTREMES) || sample->value_micro < loss->min_micro)
		loss->min_micro = sample->value_micro;
	if (!(loss->known & KRYOS_LOSS_EXTREMES) || sample->value_micro > loss->max_micro)
		loss->max_micro = sample->value_micro;
	loss->known |= KRYOS_LOSS_EXTREMES;
	if (loss->known & KRYOS_LOSS_LEFT)
		return 0;
	if (is_in_range(holdover, sample->value_micro)) {
		if (!(loss->known & KRYOS_LOSS_UNSEEN))
			loss->held_ns = holdover->time.ns - holdover->start_ns;
	} else {
		loss->known |= KRYOS_LOSS_LEFT;
		loss->left = holdover->time.at;
		loss->left_ns = holdover->time.ns - holdover->start_ns;
	}
	return 0;
}

static void begin_loss(struct kryos_holdover *holdover)
{
	struct kryos_power_loss *loss = &holdover->loss;

	holdover->lost = true;
	holdover->start_ns = holdover->time.ns;
	*loss = (struct kryos_power_loss){ .size = sizeof(*loss), .start = holdover->time.at };
	if (!holdover->supply_known)
		loss->known |= KRYOS_LOSS_EARLIER;
	if (!holdover->has_last || holdover->time.ns - holdover->last_ns > holdover->config.gap_limit_ns)
		return;
	loss->known |= KRYOS_LOSS_VALUE;
	loss->value_micro = holdover->last_micro;
	if (!is_in_range(holdover, holdover->last_micro)) {
		loss->known |= KRYOS_LOSS_LEFT;
		loss->left = loss->start;
	}
}

static struct kryos_power_loss so_far(const struct kryos_holdover *holdover)
{
	struct kryos_power_loss loss = holdover->loss;

	loss.length_ns = holdover->time.ns - holdover->start_ns;
	return loss;
}

int kryos_holdover_take_supply(struct kryos_holdover *holdover, const struct kryos_sample *sample, int on,
                               struct kryos_power_loss *ret_ended)
{
	struct kryos_power_loss loss;
	int r;

	if (ret_ended && ret_ended->size != sizeof(*ret_ended))
		return kryos_fail(-EINVAL, "holdover: a loss whose size is not set");
	r = advance(holdover, sample);
	if (r < 0 || !kryos_quality_is_measured(sample->quality))
		return r;
	if (!on && !holdover->lost)
		begin_loss(holdover);
	holdover->supply_known = true;
	if (!on || !holdover->lost)
		return 0;
	loss = so_far(holdover);
	loss.known |= KRYOS_LOSS_ENDED;
	loss.end = holdover->time.at;
	holdover->lost = false;
	if (ret_ended)
		*ret_ended = loss;
	return 1;
}

int kryos_holdover_look(const struct kryos_holdover *holdover, struct kryos_power_loss *ret_loss)
{
	if (!holdover || !ret_loss || ret_loss->size != sizeof(*ret_loss))
		return kryos_fail(-EINVAL, "holdover: there is none, or a loss whose size is not set");
	if (!holdover->lost)
		return 0;
	*ret_loss = so_far(holdover);
	return 1;
}

static void pass_loss(struct kri_pass *pass, struct kryos_power_loss *loss, int64_t most_ns)
{
	loss->size = sizeof(*loss);
	loss->known = (uint32_t)kri_pass_within(pass, loss->known, 0, 2 * KRYOS_LOSS_UNSEEN - 1);
	kri_pass_instant(pass, &loss->start);
	kri_pass_instant(pass, &loss->left);
	kri_pass_number(pass, &loss->value_micro);
	loss->held_ns = kri_pass_within(pass, loss->held_ns, 0, most_ns);
	loss->left_ns = kri_pass_within(pass, loss->left_ns, 0, most_ns);
	kri_pass_number(pass, &loss->min_micro);
	kri_pass_number(pass, &loss->max_micro);
	loss->uncertain = (uint32_t)kri_pass_within(pass, loss->uncertain, 0, UINT32_MAX);
}

static void pass_holdover(struct kri_pass *pass, struct kryos_holdover *holdover)
{
	kri_pass_time(pass, &holdover->time);
	holdover->has_last = kri_pass_within(pass, holdover->has_last, 0, 1);
	holdover->last_ns = kri_pass_within(pass, holdover->last_ns, 0, holdover->time.ns);
	kri_pass_number(pass, &holdover->last_micro);
	holdover->supply_known = kri_pass_within(pass, holdover->supply_known, 0, 1);
	holdover->lost = kri_pass_within(pass, holdover->lost, 0, 1);
	if (!holdover->lost)
		return;
	holdover->start_ns = kri_pass_within(pass, holdover->start_ns, 0, holdover->time.ns);
	pass_loss(pass, &holdover->loss, holdover->time.ns - holdover->start_ns);
}

static struct kri_pass begin(void)
{
	return (struct kri_pass){ .what = "holdover", .magic = MAGIC, .version = VERSION };
}

int kryos_holdover_save(const struct kryos_holdover *holdover, void **ret_bytes, size_t *ret_count)
{
	struct kri_pass pass = begin();
	struct kryos_holdover copy;

	if (!holdover || !ret_bytes || !ret_count)
		return kryos_fail(-EINVAL, "holdover: there is none, or nowhere to put the bytes");
	copy = *holdover;
	kri_pass_write(&pass);
	pass_holdover(&pass, &copy);
	return kri_pass_finish(&pass, ret_bytes, ret_count);
}

int kryos_holdover_restore(struct kryos_holdover *holdover, const void *bytes, size_t count)
{
	struct kri_pass pass = begin();
	struct kryos_holdover saved = { 0 };
	int r;

	if (!holdover || !bytes)
		return kryos_fail(-EINVAL, "holdover: there is none, or there are no bytes");
	if (holdover->time.has)
		return kryos_fail(-EBUSY, "holdover: a state is restored before the first sample");
	r = kri_pass_read(&pass, bytes, count);
	if (r < 0)
		return r;
	pass_holdover(&pass, &saved);
	r = kri_pass_finish(&pass, NULL, NULL);
	if (r < 0)
		return r;
	saved.config = holdover->config;
	*holdover = saved;
	return 0;
}
