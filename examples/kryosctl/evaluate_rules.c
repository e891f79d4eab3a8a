/* SPDX-License-Identifier: Apache-2.0 */
/* Rules from a profile, or from a file of sections [rule NAME]. */
#include "config/config.h"
#include "evaluate.h"
#include <stdlib.h>
#include <string.h>

struct choice {
	const char *name;
	int value;
};

static const struct choice kinds[] = {
	{ "heat", KRYOS_RULE_HEAT },
	{ "freeze", KRYOS_RULE_FREEZE },
	{ "door", KRYOS_RULE_DOOR },
	{ "power", KRYOS_RULE_POWER },
	{ "sensor", KRYOS_RULE_SENSOR },
	{ "custom", KRYOS_RULE_CUSTOM },
	{ NULL, 0 },
};
static const struct choice comparators[] = {
	{ "gt", KRYOS_COMPARATOR_GT },
	{ "ge", KRYOS_COMPARATOR_GE },
	{ "lt", KRYOS_COMPARATOR_LT },
	{ "le", KRYOS_COMPARATOR_LE },
	{ NULL, 0 },
};
static const struct choice modes[] = {
	{ "consecutive", KRYOS_RULE_CONSECUTIVE },
	{ "cumulative", KRYOS_RULE_CUMULATIVE },
	{ NULL, 0 },
};
static const struct choice gaps[] = {
	{ "hold", KRYOS_GAP_HOLD }, { "break", KRYOS_GAP_BREAK }, { "count", KRYOS_GAP_COUNT }, { NULL, 0 }
};

const char *kind_name(enum kryos_rule_kind kind)
{
	for (const struct choice *choice = kinds; choice->name; choice++) {
		if (choice->value == (int)kind)
			return choice->name;
	}
	return "?";
}

struct reading {
	struct rules *rules;
	struct kryos_rule *rule; /* of this section; NULL: none that can be read */
	unsigned int seen;       /* keys of this section */
};

static bool choose(const struct choice *choices, const char *text, size_t length, int *ret_value)
{
	for (; choices->name; choices++) {
		if (strlen(choices->name) == length && strncmp(choices->name, text, length) == 0) {
			*ret_value = choices->value;
			return true;
		}
	}
	return false;
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

static bool take_choice(const struct choice *choices, const char *text, void *ret_enum)
{
	int value;

	if (!choose(choices, text, strlen(text), &value))
		return false;
	memcpy(ret_enum, &value, sizeof(value)); /* enumerations of the rule are as wide as int */
	return true;
}

/* "hold", or "hold 30m". */
static bool take_gap(struct kryos_rule *rule, const char *text)
{
	size_t length = strcspn(text, " ");
	int gap;

	if (!choose(gaps, text, length, &gap))
		return false;
	rule->gap = (enum kryos_rule_gap)gap;
	text += length;
	text += strspn(text, " ");
	return !*text || (take_duration(text, &rule->gap_limit_ns) && rule->gap_limit_ns > 0);
}

static bool take_micro(const char *text, int64_t *ret_micro)
{
	return kri_parse_micro(text, ret_micro) >= 0;
}

#define DURATION "a whole number and its unit, as in 30s, 30m, 10h, 3d,"

static const char *const keys[] = { "kind",   "threshold", "comparator", "duration",   "mode",
	                            "window", "gap",       "reset",      "hysteresis", NULL };
enum key { KIND, THRESHOLD, COMPARATOR, DURATION_KEY, MODE, WINDOW, GAP, RESET, HYSTERESIS };

/* NULL, or what would be allowed. */
static const char *set(struct kryos_rule *rule, enum key key, const char *value)
{
	switch (key) {
	case KIND:
		return take_choice(kinds, value, &rule->kind) ? NULL : "heat, freeze, door, power, sensor or custom";
	case THRESHOLD:
		rule->has |= KRYOS_RULE_THRESHOLD;
		return take_micro(value, &rule->threshold_micro) ? NULL : "a number, as in 8 or -0.5,";
	case COMPARATOR:
		return take_choice(comparators, value, &rule->comparator) ? NULL : "gt, ge, lt or le";
	case DURATION_KEY:
		rule->has |= KRYOS_RULE_DURATION;
		return take_duration(value, &rule->duration_ns) ? NULL : DURATION;
	case MODE:
		return take_choice(modes, value, &rule->mode) ? NULL : "consecutive or cumulative";
	case WINDOW:
		return take_duration(value, &rule->window_ns) ? NULL : DURATION;
	case GAP:
		return take_gap(rule, value) ? NULL : "hold, break or count, and a limit as in \"hold 30m\",";
	case RESET:
		return take_duration(value, &rule->reset_ns) ? NULL : DURATION;
	case HYSTERESIS:
		return take_micro(value, &rule->hysteresis_micro) ? NULL : "a number, as in 0.5,";
	}
	return "nothing";
}

/* The library says what is wrong with a rule as a whole. */
static void check(struct kri_ini *ini, const struct rules *rules, unsigned int index)
{
	struct kryos_evaluator *evaluator;
	int r = kryos_evaluator_new(&evaluator, KRYOS_MINUTES(1));

	if (r < 0)
		return;
	r = kryos_evaluator_add(evaluator, &rules->rules[index]);
	if (r < 0)
		kri_ini_error(ini, rules->lines[index], "%s", kryos_strerror(r));
	kryos_evaluator_free(evaluator);
}

static void finish_section(struct kri_ini *ini, void *data)
{
	struct reading *reading = data;

	if (reading->rule)
		check(ini, reading->rules, reading->rules->count - 1);
	reading->rule = NULL;
}

static void section(struct kri_ini *ini, void *data, const char *name, const char *label, int line)
{
	struct reading *reading = data;
	struct rules *rules = reading->rules;

	finish_section(ini, data);
	reading->seen = 0;
	if (strcmp(name, "rule") != 0) {
		if (*name)
			kri_ini_error(ini, line, "there is no section [%s]; [rule NAME] is allowed", name);
		return;
	}
	for (unsigned int i = 0; i < rules->count; i++) {
		if (strcmp(rules->names[i], label) == 0) {
			kri_ini_error(ini, line, "there is a rule %s already, in line %d", label, rules->lines[i]);
			return;
		}
	}
	if (rules->count == MAX_RULES) {
		kri_ini_error(ini, line, "more than %d rules", MAX_RULES);
		return;
	}
	snprintf(rules->names[rules->count], sizeof(rules->names[0]), "%s", label);
	rules->lines[rules->count] = line;
	reading->rule = &rules->rules[rules->count];
	*reading->rule = (struct kryos_rule){ .size = sizeof(struct kryos_rule), .name = rules->names[rules->count] };
	rules->count++;
	if (strlen(label) >= KRYOS_RULE_NAME_MAX) {
		kri_ini_error(ini, line, "a rule's name is at most %d bytes long", KRYOS_RULE_NAME_MAX - 1);
		reading->rule = NULL;
	}
}

static void entry(struct kri_ini *ini, void *data, const char *key, const char *value, int line)
{
	struct reading *reading = data;
	const char *allowed;
	unsigned int i = 0;

	if (!reading->rule)
		return;
	while (keys[i] && strcmp(keys[i], key) != 0)
		i++;
	if (!keys[i]) {
		kri_ini_error(ini, line,
		              "there is no key \"%s\" in a rule; kind, threshold, comparator, duration, mode, "
		              "window, gap, reset and hysteresis are allowed",
		              key);
		return;
	}
	if (reading->seen & 1U << i) {
		kri_ini_error(ini, line, "%s stands twice", key);
		return;
	}
	reading->seen |= 1U << i;
	allowed = set(reading->rule, (enum key)i, value);
	if (allowed) {
		kri_ini_error(ini, line, "%s: \"%s\" is wrong; %s is allowed", key, value, allowed);
		reading->rule = NULL; /* what else is missing in it is not known */
	}
}

int read_rules(const char *path, struct rules *rules)
{
	static const struct kri_ini_handler handler = { .section = section, .entry = entry, .end = finish_section };
	struct reading reading = { .rules = rules };
	char *errors = NULL;
	int r;

	*rules = (struct rules){ .from = path };
	r = kri_ini_read(path, &handler, &reading, &errors);
	if (r == KRYOS_ECONFIG)
		fputs(errors, stderr);
	else if (r < 0)
		complain("%s", kryos_strerror(r));
	free(errors);
	if (r >= 0 && rules->count == 0) {
		fprintf(stderr, "%s:1: there is no rule; a section [rule NAME] is needed\n", path);
		return EXIT_FAILURE;
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int use_profile(const char *profile, struct rules *rules)
{
	const struct kryos_rule *rule;
	char names[256] = "";

	*rules = (struct rules){ .from = profile };
	while (rules->count < MAX_RULES && (rule = kryos_profile_rule(profile, rules->count)))
		rules->rules[rules->count++] = *rule;
	if (rules->count > 0)
		return EXIT_SUCCESS;
	for (unsigned int i = 0; kryos_profile_name(i); i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s", kryos_profile_name(i));
	return misused("there is no profile \"%s\"; allowed are%s", profile, names);
}
