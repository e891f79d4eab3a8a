/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/alarms.md written down plainly: at each sample everything is worked out anew from all samples before it. And
 * random traces, with jitter, gaps, reboots, clock steps and every quality, and rules of each mode to try it with.
 */
#ifndef KRI_TEST_ALARM_REFERENCE_H
#define KRI_TEST_ALARM_REFERENCE_H

#include "support.h"
#include <kryos/alarm.h>

#define INTERVAL KRYOS_MINUTES(5)
#define MAX_SAMPLES 60
#define MAX_EPISODES (2 * MAX_SAMPLES)

enum side { NOTHING, IN, OUT, RETIRED };

struct trace {
	size_t count;
	struct kryos_sample samples[MAX_SAMPLES];
	int64_t at[MAX_SAMPLES]; /* on one time line */
	bool cut[MAX_SAMPLES];   /* a reboot of unknown length just before */
	size_t retired;          /* after this sample; count: never */
};

struct outcome {
	size_t count, begun;
	struct kryos_episode episodes[MAX_EPISODES];
};

/* The modes: how a rule counts, and what ends its episodes. */
enum shape { RUN, RUN_WITH_RESET, SUM, SUM_IN_WINDOW };

/* What a sample says to the rule. */
enum side side_of(const struct kryos_rule *rule, const struct kryos_sample *sample);
/* The episodes of a trace by the definitions, the open one last. */
void expect_episodes(const struct kryos_rule *rule, const struct trace *trace, struct outcome *outcome);
void make_trace(struct trace *trace, uint64_t *random);
void make_rule(struct kryos_rule *rule, enum shape shape, enum kryos_rule_gap gap, uint64_t *random);

#endif
