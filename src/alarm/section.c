/* SPDX-License-Identifier: Apache-2.0 */
/* A section [rule NAME] of a file, key by key and then as a whole. */
#include "../config/config.h"
#include "alarm.h"
#include <string.h>

void kri_rule_section_begin(struct kri_ini *ini, struct kri_rule_section *section, const char *name, int line)
{
	*section = (struct kri_rule_section){ .line = line };
	section->rule.size = sizeof(section->rule);
	section->rule.name = section->name;
	snprintf(section->name, sizeof(section->name), "%s", name);
	section->broken = strlen(name) >= sizeof(section->name);
	if (section->broken)
		kri_ini_error(ini, line, "a rule's name is at most %d bytes long", KRYOS_RULE_NAME_MAX - 1);
}

void kri_rule_section_take(struct kri_ini *ini, struct kri_rule_section *section, const char *key, const char *value,
                           int line)
{
	const char *allowed;
	unsigned int i = 0;

	if (section->broken)
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
	if (section->seen & 1U << i) {
		kri_ini_error(ini, line, "%s stands twice", key);
		return;
	}
	section->seen |= 1U << i;
	allowed = kri_rule_set(&section->rule, key, value);
	if (allowed) {
		kri_ini_error(ini, line, "%s: \"%s\" is wrong; %s is allowed", key, value, allowed);
		section->broken = true;
	}
}

/* What it says as a whole is the evaluator's to judge; how often the channel is measured has no part in that. */
bool kri_rule_section_end(struct kri_ini *ini, struct kri_rule_section *section)
{
	struct kryos_evaluator *evaluator = NULL;
	int r;

	if (section->broken)
		return false;
	r = kryos_evaluator_new(&evaluator, KRYOS_MINUTES(1));
	if (r >= 0)
		r = kryos_evaluator_add(evaluator, &section->rule);
	if (r < 0)
		kri_ini_error(ini, section->line, "%s", kryos_strerror(r));
	kryos_evaluator_free(evaluator);
	return r >= 0;
}
