/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation of a log, inside: rules.c and days.c fill what evaluate.c puts together and result.c gives out. */
#ifndef KRI_EVALUATE_H
#define KRI_EVALUATE_H

#include "trace.h"
#include <kryos/evaluate.h>

#define KRI_EVALUATE_RULES 32

/* Rules from a profile or a file; their names live as long. */
struct kri_rules {
	char *from; /* "who-refrigerator", or the file */
	struct kryos_rule rules[KRI_EVALUATE_RULES];
	char names[KRI_EVALUATE_RULES][KRYOS_RULE_NAME_MAX];
	int lines[KRI_EVALUATE_RULES];
	unsigned int count;
};
int kri_rules_from_profile(struct kri_rules *rules, const char *profile);
int kri_rules_from_file(struct kri_rules *rules, const char *path);

struct kri_left_out {
	uint32_t line;
	const char *why;
};

/* A list that grows; free() of items is the owner's. */
struct kri_list {
	void *items;
	size_t count;
};
/* Appends a copy. -ENOMEM. */
int kri_list_add(struct kri_list *list, const void *item, size_t size);

/* One channel of the log: its rows, in order, and what was found of them. */
struct kri_finding {
	const char *channel; /* NULL: the file has no such column */
	struct kri_trace_row *rows;
	size_t count;
	int64_t interval_ns; /* the median distance */
	struct kri_list left_out, gaps, episodes, days;
	struct kryos_exposure_result exposure;
};

struct kri_gap {
	int64_t from_ns, to_ns;
};

struct kryos_evaluation {
	struct kri_rules rules;
	struct kri_trace trace;
	struct kri_trace_row *rows; /* by channel, where there are several */
	struct kri_finding *findings;
	unsigned int count;
};

/* A log has one clock, which is trusted. */
struct kryos_sample kri_sample_of_row(const struct kri_trace_row *row);
int kri_find_days(struct kri_finding *finding);

#endif
