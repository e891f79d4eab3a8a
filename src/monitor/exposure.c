/* SPDX-License-Identifier: Apache-2.0 */
/* What the temperature of a channel did so far: kept with the evaluator's state, and made on from the same samples. */
#include "../alarm/history.h"
#include "private.h"
#include <string.h>

/* Above the lowest of the rules of heat, below the highest of those of freezing. */
static void set_range(struct kryos_exposure_config *config, const struct kri_watched *watched)
{
	for (uint32_t i = 0; i < watched->rule_count; i++) {
		const struct kryos_rule *rule = &watched->rules[i];
		int64_t threshold = rule->threshold_micro;

		if (rule->kind == KRYOS_RULE_HEAT &&
		    (!(config->has & KRYOS_EXPOSURE_HIGH) || threshold < config->high_micro)) {
			config->has |= KRYOS_EXPOSURE_HIGH;
			config->high_micro = threshold;
		} else if (rule->kind == KRYOS_RULE_FREEZE &&
		           (!(config->has & KRYOS_EXPOSURE_LOW) || threshold > config->low_micro)) {
			config->has |= KRYOS_EXPOSURE_LOW;
			config->low_micro = threshold;
		}
	}
}

int kri_watched_new_history(struct kri_watched *watched, const char *unit)
{
	struct kryos_exposure_config config = { .size = sizeof(config),
		                                .gap_limit_ns = 2 * watched->interval_ns,
		                                .vvm = (1U << KRYOS_VVM_COUNT) - 1 };

	if (strcmp(unit, "Cel") != 0)
		return 0;
	set_range(&config, watched);
	return kryos_history_new(&watched->history, &config);
}

bool kri_watched_get_remembered(const struct kri_watched *watched, struct kryos_instant *ret_at)
{
	if (!watched->history || !watched->history->exposure.time.has)
		return false;
	*ret_at = watched->history->exposure.time.at;
	return true;
}

void kri_watched_remember(struct kri_watched *watched, const struct kryos_sample *sample)
{
	struct kryos_instant at = kri_instant_of(sample), newest;
	int r;

	if (!watched->history || (kri_watched_get_remembered(watched, &newest) && !kri_instant_is_before(&newest, &at)))
		return;
	r = kryos_history_take(watched->history, sample, 0);
	if (r < 0)
		kri_log(watched->monitor->ctx, KRYOS_LOG_WARNING, "monitor", r, "%s: a sample is in no exposure: %s",
		        watched->name, kryos_strerror(r));
}

void kri_watched_restore_history(struct kri_watched *watched, const void *bytes, size_t count)
{
	int r = 0;

	if (watched->history && count)
		r = watched->visited ? kri_history_restore_whole(watched->history, bytes, count)
		                     : kryos_history_restore(watched->history, bytes, count);
	if (r < 0)
		kri_log(watched->monitor->ctx, KRYOS_LOG_WARNING, "monitor", r, "%s: its exposure begins anew: %s",
		        watched->name, kryos_strerror(r));
}
