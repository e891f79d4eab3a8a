/* SPDX-License-Identifier: Apache-2.0 */
/* Rules from a profile, or from a file of sections [rule NAME]. */
#include "alarm/alarm.h"
#include "config/config.h"
#include "evaluate.h"
#include <stdlib.h>
#include <string.h>

struct reading {
	struct rules *rules;
	struct kryos_rule *rule; /* of this section; NULL: none that can be read */
	unsigned int seen;       /* keys of this section */
};

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
	while (kri_rule_keys[i] && strcmp(kri_rule_keys[i], key) != 0)
		i++;
	if (!kri_rule_keys[i]) {
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
	allowed = kri_rule_set(reading->rule, key, value);
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
