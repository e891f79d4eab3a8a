/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule may say. */
#include "alarm.h"
#include <string.h>

#define MAX_DURATION_NS KRYOS_DAYS(3660)
#define MAX_WINDOW_NS KRYOS_DAYS(366)

static bool is_name(const char *name)
{
	size_t length = name ? strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") : 0;

	return length > 0 && length < KRYOS_RULE_NAME_MAX && !name[length];
}

static int wrong(const struct kryos_rule *rule, const char *field, const char *allowed)
{
	return kryos_fail(-EINVAL, "rule %s: %s: %s", rule->name, field, allowed);
}

static int check_threshold(const struct kryos_rule *rule)
{
	if (rule->kind == KRYOS_RULE_SENSOR) {
		if ((rule->has & KRYOS_RULE_THRESHOLD) || rule->comparator || rule->hysteresis_micro)
			return wrong(rule, "threshold", "kind sensor has no threshold, comparator and hysteresis");
		return 0;
	}
	if (!(rule->has & KRYOS_RULE_THRESHOLD))
		return wrong(rule, "threshold", "is missing; it has no default");
	if (rule->comparator < KRYOS_COMPARATOR_GT || rule->comparator > KRYOS_COMPARATOR_LE)
		return wrong(rule, "comparator", "gt, ge, lt or le is needed");
	if (rule->kind == KRYOS_RULE_HEAT && rule->comparator >= KRYOS_COMPARATOR_LT)
		return wrong(rule, "comparator", "of kind heat gt or ge is needed; kind custom has any");
	if (rule->kind == KRYOS_RULE_FREEZE && rule->comparator <= KRYOS_COMPARATOR_GE)
		return wrong(rule, "comparator", "of kind freeze lt or le is needed; kind custom has any");
	return 0;
}

static int check_mode(const struct kryos_rule *rule)
{
	switch (rule->mode) {
	case KRYOS_RULE_CONSECUTIVE:
		if (rule->window_ns)
			return wrong(rule, "window", "only a cumulative rule has one");
		if (rule->hysteresis_micro < 0)
			return wrong(rule, "hysteresis", "0 or more is allowed");
		if (rule->reset_ns < 0 || rule->reset_ns > MAX_DURATION_NS)
			return wrong(rule, "reset", "0 to 3660 days is allowed");
		return 0;
	case KRYOS_RULE_CUMULATIVE:
		if (rule->window_ns < 0 || rule->window_ns > MAX_WINDOW_NS)
			return wrong(rule, "window", "at most 366 days is allowed, or none");
		if (rule->window_ns && rule->window_ns < rule->duration_ns)
			return wrong(rule, "window", "it must not be shorter than the duration");
		if (rule->hysteresis_micro || rule->reset_ns)
			return wrong(rule, "reset", "only a consecutive rule has one; a cumulative one has a window");
		if (rule->gap == KRYOS_GAP_BREAK)
			return wrong(rule, "gap", "a sum has no run to break; hold or count is allowed");
		if (rule->duration_ns == 0)
			return wrong(rule, "duration", "of a cumulative rule it is more than 0");
		return 0;
	}
	return wrong(rule, "mode", "consecutive or cumulative is needed");
}

int kri_rule_resolve(struct kri_track *track, const struct kryos_rule *config, int64_t interval_ns)
{
	struct kryos_rule rule = { 0 };
	int r;

	if (!config)
		return kryos_fail(-EINVAL, "rule: there is none");
	r = kri_config_copy(&rule, sizeof(rule), config);
	if (r < 0)
		return r;
	if (!is_name(rule.name))
		return kryos_fail(-EINVAL, "rule: name: 1 to %d letters, digits, \"_\", \"-\", \".\" are needed",
		                  KRYOS_RULE_NAME_MAX - 1);
	if (rule.kind < KRYOS_RULE_HEAT || rule.kind > KRYOS_RULE_CUSTOM)
		return wrong(&rule, "kind", "heat, freeze, door, power, sensor or custom is needed");
	if (!(rule.has & KRYOS_RULE_DURATION))
		return wrong(&rule, "duration", "is missing; it has no default");
	if (rule.duration_ns < 0 || rule.duration_ns > MAX_DURATION_NS)
		return wrong(&rule, "duration", "0 to 3660 days is allowed");
	if (rule.gap > KRYOS_GAP_COUNT)
		return wrong(&rule, "gap", "hold, break or count is needed");
	if (rule.gap_limit_ns < 0)
		return wrong(&rule, "gap", "a limit of 0 or more is allowed");
	r = check_threshold(&rule);
	if (r >= 0)
		r = check_mode(&rule);
	if (r < 0)
		return r;
	if (rule.gap_limit_ns == 0)
		rule.gap_limit_ns = rule.gap == KRYOS_GAP_COUNT ? INT64_MAX : 2 * interval_ns;
	memset(track->name, 0, sizeof(track->name));
	memcpy(track->name, rule.name, strlen(rule.name));
	track->rule = rule;
	track->rule.name = track->name;
	return 0;
}

bool kri_rule_is_out(const struct kryos_rule *rule, int64_t value_micro)
{
	switch (rule->comparator) {
	case KRYOS_COMPARATOR_GT:
		return value_micro > rule->threshold_micro;
	case KRYOS_COMPARATOR_GE:
		return value_micro >= rule->threshold_micro;
	case KRYOS_COMPARATOR_LT:
		return value_micro < rule->threshold_micro;
	case KRYOS_COMPARATOR_LE:
		return value_micro <= rule->threshold_micro;
	}
	return false;
}

bool kri_rule_is_beyond(const struct kryos_rule *rule, int64_t value_micro, int64_t other_micro)
{
	if (rule->comparator == KRYOS_COMPARATOR_GT || rule->comparator == KRYOS_COMPARATOR_GE)
		return value_micro > other_micro;
	return value_micro < other_micro;
}

bool kri_rule_is_same(const struct kryos_rule *rule, const struct kryos_rule *other)
{
	return strcmp(rule->name, other->name) == 0 && rule->kind == other->kind &&
	       rule->comparator == other->comparator && rule->mode == other->mode && rule->gap == other->gap &&
	       rule->threshold_micro == other->threshold_micro && rule->duration_ns == other->duration_ns &&
	       rule->window_ns == other->window_ns && rule->hysteresis_micro == other->hysteresis_micro &&
	       rule->reset_ns == other->reset_ns && rule->gap_limit_ns == other->gap_limit_ns;
}
