/* SPDX-License-Identifier: Apache-2.0 */
/* Rules from a profile, or from a file of sections [rule NAME]. */
#include "alarm/alarm.h"
#include "config/config.h"
#include "evaluate.h"
#include <stdlib.h>
#include <string.h>

struct reading {
	struct rules *rules;
	struct kri_rule_section section;
	bool open; /* a section that is read */
};

static void finish_section(struct kri_ini *ini, void *data)
{
	struct reading *reading = data;
	struct kryos_rule *rule = &reading->rules->rules[reading->rules->count];

	if (reading->open && kri_rule_section_end(ini, &reading->section)) {
		*rule = reading->section.rule;
		rule->name = reading->rules->names[reading->rules->count];
	}
	/* A wrong one counts too: its name is taken, and none of the rules will be used. */
	reading->rules->count += reading->open;
	reading->open = false;
}

static void section(struct kri_ini *ini, void *data, const char *name, const char *label, int line)
{
	struct reading *reading = data;
	struct rules *rules = reading->rules;

	finish_section(ini, data);
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
	kri_rule_section_begin(ini, &reading->section, label, line);
	reading->open = true;
}

static void entry(struct kri_ini *ini, void *data, const char *key, const char *value, int line)
{
	struct reading *reading = data;

	if (reading->open)
		kri_rule_section_take(ini, &reading->section, key, value, line);
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
		fprintf(stderr, "%s\n", errors);
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
