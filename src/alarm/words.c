/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a rule, the same in station files, files of rules and events. */
#include "../config/config.h"
#include "alarm.h"
#include <stdio.h>
#include <string.h>

/* In the order of their numbers, from the first one on. */
static const char kinds[] = "heat freeze door power sensor custom";
static const char comparators[] = "gt ge lt le";
static const char modes[] = "consecutive cumulative";
static const char gaps[] = "hold break count";

static const char *const kind_names[] = { "?", "heat", "freeze", "door", "power", "sensor", "custom" };
static const char *const end_names[] = { "open", "recovered", "sensor_lost", "retired", "reconfigured" };

const char *kryos_rule_kind_name(unsigned int kind)
{
	return kind < KRI_ARRAY_SIZE(kind_names) ? kind_names[kind] : "?";
}

char *kryos_alarm_text(uint32_t alarm, char *buffer)
{
	size_t length = 0;

	buffer[0] = '\0';
	for (unsigned int kind = KRYOS_RULE_HEAT; kind < KRI_ARRAY_SIZE(kind_names); kind++) {
		if (!(alarm >> kind & 1))
			continue;
		length += (size_t)snprintf(buffer + length, KRYOS_TEXT_MAX - length, "%s%s", length ? " " : "",
		                           kind_names[kind]);
		alarm &= ~(UINT32_C(1) << kind);
	}
	if (alarm)
		snprintf(buffer + length, KRYOS_TEXT_MAX - length, "%s?", length ? " " : "");
	return buffer;
}

const char *kryos_episode_end_name(unsigned int ended_by)
{
	return ended_by < KRI_ARRAY_SIZE(end_names) ? end_names[ended_by] : "?";
}

/* As in a station file, and 30m too, as rules are often written. */
static bool take_duration(const char *text, int64_t *ret_ns)
{
	size_t length = strlen(text);
	char minutes[32];

	if (length > 1 && length < 20 && text[length - 1] == 'm') {
		snprintf(minutes, sizeof(minutes), "%sin", text);
		text = minutes;
	}
	return kri_parse_duration(text, ret_ns) >= 0;
}

static bool take_word(const char *words, const char *text, size_t length, int *ret_place)
{
	*ret_place = kri_list_find(words, text, length);
	return *ret_place >= 0;
}

/* "hold", or with a limit "hold 30m"; in an event, whose words have blanks between, "hold:30min". */
static bool take_gap(struct kryos_rule *rule, const char *text)
{
	size_t length = strcspn(text, " :");
	int64_t limit_ns = 0;
	int gap;

	if (!take_word(gaps, text, length, &gap))
		return false;
	text += length;
	text += strspn(text, " :");
	if (*text && (!take_duration(text, &limit_ns) || limit_ns <= 0))
		return false;
	rule->gap = (enum kryos_rule_gap)gap;
	rule->gap_limit_ns = limit_ns;
	return true;
}

#define A_DURATION "a whole number and its unit, as in 30s, 30m, 10h, 3d,"

const char *const kri_rule_keys[] = { "kind",   "threshold", "comparator", "duration",   "mode",
	                              "window", "gap",       "reset",      "hysteresis", NULL };
enum key { KIND, THRESHOLD, COMPARATOR, DURATION, MODE, WINDOW, GAP, RESET, HYSTERESIS };

const char *kri_rule_set(struct kryos_rule *rule, const char *key, const char *value)
{
	unsigned int i = 0;
	int place = 0;

	while (kri_rule_keys[i] && strcmp(kri_rule_keys[i], key) != 0)
		i++;
	switch (i) {
	case KIND:
		if (!take_word(kinds, value, strlen(value), &place))
			return "heat, freeze, door, power, sensor or custom";
		rule->kind = (enum kryos_rule_kind)(KRYOS_RULE_HEAT + place);
		return NULL;
	case THRESHOLD:
		if (kri_parse_micro(value, &rule->threshold_micro) < 0)
			return "a number, as in 8 or -0.5,";
		rule->has |= KRYOS_RULE_THRESHOLD;
		return NULL;
	case COMPARATOR:
		if (!take_word(comparators, value, strlen(value), &place))
			return "gt, ge, lt or le";
		rule->comparator = (enum kryos_comparator)(KRYOS_COMPARATOR_GT + place);
		return NULL;
	case DURATION:
		if (!take_duration(value, &rule->duration_ns))
			return A_DURATION;
		rule->has |= KRYOS_RULE_DURATION;
		return NULL;
	case MODE:
		if (!take_word(modes, value, strlen(value), &place))
			return "consecutive or cumulative";
		rule->mode = (enum kryos_rule_mode)place;
		return NULL;
	case WINDOW:
		return take_duration(value, &rule->window_ns) ? NULL : A_DURATION;
	case GAP:
		return take_gap(rule, value) ? NULL : "hold, break or count, and a limit as in \"hold 30m\",";
	case RESET:
		return take_duration(value, &rule->reset_ns) ? NULL : A_DURATION;
	case HYSTERESIS:
		return kri_parse_micro(value, &rule->hysteresis_micro) >= 0 ? NULL : "a number, as in 0.5,";
	}
	return "none of that name";
}

/* The word at that place. */
static int word_at(const char *words, int place, const char **ret_word)
{
	while (place-- > 0 && strchr(words, ' '))
		words = strchr(words, ' ') + 1;
	*ret_word = words;
	return (int)strcspn(words, " ");
}

static size_t add_word(char *buffer, size_t size, size_t at, const char *key, const char *words, int place)
{
	const char *word;
	int length = word_at(words, place, &word);

	snprintf(buffer + at, size - at, "%s%s=%.*s", at ? " " : "", key, length, word);
	return at + strlen(buffer + at);
}

static size_t add_text(char *buffer, size_t size, size_t at, const char *key, const char *text)
{
	snprintf(buffer + at, size - at, " %s=%s", key, text);
	return at + strlen(buffer + at);
}

static size_t add_duration(char *buffer, size_t size, size_t at, const char *key, int64_t ns)
{
	char text[32];

	kri_duration_text(ns, text);
	return add_text(buffer, size, at, key, text);
}

static size_t add_micro(char *buffer, size_t size, size_t at, const char *key, int64_t micro)
{
	char text[KRYOS_TEXT_MAX];

	return add_text(buffer, size, at, key, kryos_value_text(micro, text));
}

size_t kri_rule_text(const struct kryos_rule *rule, char *buffer, size_t size)
{
	size_t at = add_word(buffer, size, 0, "kind", kinds, (int)rule->kind - KRYOS_RULE_HEAT);

	if (rule->has & KRYOS_RULE_THRESHOLD) {
		at = add_word(buffer, size, at, "comparator", comparators, (int)rule->comparator - KRYOS_COMPARATOR_GT);
		at = add_micro(buffer, size, at, "threshold", rule->threshold_micro);
	}
	at = add_duration(buffer, size, at, "duration", rule->duration_ns);
	at = add_word(buffer, size, at, "mode", modes, (int)rule->mode);
	if (rule->window_ns)
		at = add_duration(buffer, size, at, "window", rule->window_ns);
	at = add_word(buffer, size, at, "gap", gaps, (int)rule->gap);
	if (rule->gap_limit_ns && rule->gap_limit_ns != INT64_MAX) {
		char text[32];

		kri_duration_text(rule->gap_limit_ns, text);
		snprintf(buffer + at, size - at, ":%s", text);
		at += strlen(buffer + at);
	}
	if (rule->reset_ns)
		at = add_duration(buffer, size, at, "reset", rule->reset_ns);
	if (rule->hysteresis_micro)
		at = add_micro(buffer, size, at, "hysteresis", rule->hysteresis_micro);
	return at;
}
