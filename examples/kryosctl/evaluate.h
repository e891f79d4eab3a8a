/* SPDX-License-Identifier: Apache-2.0 */
/* kryosctl evaluate: what its files share. */
#ifndef KRYOSCTL_EVALUATE_H
#define KRYOSCTL_EVALUATE_H

#include "kryosctl.h"
#include "trace.h"

#define MAX_RULES 32

/* Rules from a profile or a file; their names live as long. */
struct rules {
	const char *from; /* "who-refrigerator", or the file */
	struct kryos_rule rules[MAX_RULES];
	char names[MAX_RULES][KRYOS_RULE_NAME_MAX];
	int lines[MAX_RULES];
	unsigned int count;
};

/* evaluate_rules.c. An exit status; what is wrong was said. */
int read_rules(const char *path, struct rules *rules);
int use_profile(const char *profile, struct rules *rules);

/* Rows of one channel of the trace, in order. */
struct log {
	const char *channel; /* NULL: the file has no such column */
	struct row *rows;
	size_t count;
	size_t left_out;     /* rows, by --repair */
	int64_t interval_ns; /* the median distance */
};

struct finding {
	const struct log *log;
	const struct rules *rules;
	struct kryos_exposure_result exposure;
	struct kryos_episode *episodes;
	size_t episode_count;
	struct kryos_history_day *days; /* in order, with --days */
	size_t day_count;
};

/* evaluate.c. A log has one clock, which is trusted. */
struct kryos_sample sample_of(const struct row *row);
/* evaluate_days.c. < 0: kryos_strerror. */
int find_days(struct finding *finding);

/* evaluate_show.c */
struct kri_json *finding_json(const struct options *options, const struct finding *finding);
void print_evaluation(const struct options *options, const struct finding *finding);

#endif
