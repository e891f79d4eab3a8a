/* SPDX-License-Identifier: Apache-2.0 */
/* The station's rules over anyone's log. */
#include "evaluate.h"
#include "core/core.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kri_trace_format format = {
	.min_micro = INT64_C(-273149999),
	.max_micro = INT64_C(9999999999),
	.out_of_range = "no temperature; above -273.15 is allowed",
	.any_time = true,
	.any_order = true,
	.channels = true,
};

int kri_list_add(struct kri_list *list, const void *item, size_t size)
{
	/* A power of two, and 0: all that there is room for is taken. */
	if ((list->count & (list->count - 1)) == 0) {
		void *items = realloc(list->items, (list->count ? 2 * list->count : 1) * size);

		if (!items)
			return kryos_fail(-ENOMEM, "out of memory");
		list->items = items;
	}
	memcpy((char *)list->items + list->count++ * size, item, size);
	return 0;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The median distance between rows that are not of one time, as the evaluator wants it; without any: a minute. */
static int find_interval(struct kri_finding *finding)
{
	size_t count = 0;
	int64_t *distances;

	finding->interval_ns = KRYOS_MINUTES(1);
	if (finding->count < 2)
		return 0;
	distances = malloc(finding->count * sizeof(*distances));
	if (!distances)
		return kryos_fail(-ENOMEM, "out of memory");
	for (size_t i = 1; i < finding->count; i++)
		if (finding->rows[i].t_wall_ns != finding->rows[i - 1].t_wall_ns)
			distances[count++] = finding->rows[i].t_wall_ns - finding->rows[i - 1].t_wall_ns;
	if (count) {
		qsort(distances, count, sizeof(*distances), compare);
		finding->interval_ns = distances[count / 2];
	}
	free(distances);
	if (finding->interval_ns < KRYOS_MILLISECONDS(1))
		finding->interval_ns = KRYOS_MILLISECONDS(1);
	if (finding->interval_ns > KRYOS_DAYS(1))
		finding->interval_ns = KRYOS_DAYS(1);
	return 0;
}

/* What is wrong with a row behind the one before, of its channel; NULL: nothing. */
static const char *fault(const struct kri_trace_row *before, const struct kri_trace_row *row)
{
	if (row->t_wall_ns < before->t_wall_ns)
		return "the row is older than the newest before it";
	if (row->t_wall_ns == before->t_wall_ns && row->celsius_micro == before->celsius_micro)
		return "the row is the same as the one before";
	return NULL;
}

/* The rows of one channel, all in order: a row that is not is refused, or with repair left out and listed. */
static int take_rows(struct kri_finding *finding, const struct kri_trace *trace, uint32_t channel, const char *path,
                     bool repair)
{
	int r = 0;

	for (size_t i = 0; i < trace->count && r >= 0; i++) {
		const struct kri_trace_row *row = &trace->rows[i];
		struct kri_left_out left_out = { .line = row->line };

		if (row->channel != channel)
			continue;
		left_out.why = finding->count ? fault(&finding->rows[finding->count - 1], row) : NULL;
		if (!left_out.why)
			finding->rows[finding->count++] = *row;
		else if (repair)
			r = kri_list_add(&finding->left_out, &left_out, sizeof(left_out));
		else
			r = kryos_fail(-EILSEQ, "%s:%u: %s", path, row->line, left_out.why);
	}
	return r < 0 ? r : find_interval(finding);
}

static int find_gaps(struct kri_finding *finding)
{
	int r = 0;

	for (size_t i = 1; i < finding->count && r >= 0; i++) {
		struct kri_gap gap = { finding->rows[i - 1].t_wall_ns, finding->rows[i].t_wall_ns };

		if (gap.to_ns - gap.from_ns > 2 * finding->interval_ns)
			r = kri_list_add(&finding->gaps, &gap, sizeof(gap));
	}
	return r;
}

static int by_start(const void *a, const void *b)
{
	const struct kryos_episode *x = a, *y = b;

	if (x->start.t_wall_ns != y->start.t_wall_ns)
		return x->start.t_wall_ns < y->start.t_wall_ns ? -1 : 1;
	return compare(&x->trigger.t_wall_ns, &y->trigger.t_wall_ns);
}

struct kryos_sample kri_sample_of_row(const struct kri_trace_row *row)
{
	return (struct kryos_sample){ .value_micro = row->celsius_micro,
		                      .t_boot_ns = row->t_wall_ns,
		                      .t_wall_ns = row->t_wall_ns,
		                      .trust = KRYOS_TRUST_SYNCED };
}

static int judge(struct kryos_evaluator *evaluator, struct kryos_exposure *exposure, unsigned int rules,
                 struct kri_finding *finding)
{
	const struct kryos_episode *news;
	struct kryos_episode open;
	int r = 0;

	for (size_t i = 0; i < finding->count && r >= 0; i++) {
		struct kryos_sample sample = kri_sample_of_row(&finding->rows[i]);

		r = kryos_evaluator_take(evaluator, &sample);
		if (r >= 0)
			r = kryos_exposure_take(exposure, &sample);
		while (r >= 0 && kryos_evaluator_next(evaluator, &news) > 0) {
			if (news->ended_by != KRYOS_EPISODE_OPEN)
				r = kri_list_add(&finding->episodes, news, sizeof(*news));
		}
	}
	for (unsigned int i = 0; i < rules && r >= 0; i++) {
		if (kryos_evaluator_look(evaluator, i, &open) > 0)
			r = kri_list_add(&finding->episodes, &open, sizeof(open));
	}
	finding->exposure.size = sizeof(finding->exposure);
	if (r >= 0)
		r = kryos_exposure_get(exposure, &finding->exposure);
	if (r >= 0 && finding->episodes.count)
		qsort(finding->episodes.items, finding->episodes.count, sizeof(struct kryos_episode), by_start);
	return r;
}

static int evaluate(struct kri_finding *finding, const struct kri_rules *rules,
                    const struct kryos_evaluate_config *config)
{
	struct kryos_evaluator *evaluator = NULL;
	struct kryos_exposure *exposure = NULL;
	int r = kryos_evaluator_new(&evaluator, finding->interval_ns);

	for (unsigned int i = 0; i < rules->count && r >= 0; i++)
		r = kryos_evaluator_add(evaluator, &rules->rules[i]);
	if (r >= 0)
		r = kryos_exposure_new(&exposure,
		                       KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 2 * finding->interval_ns,
		                                             .activation_j_per_mol = config->activation_j_per_mol,
		                                             .vvm = config->vvm, .vvm_model = config->vvm_model));
	if (r >= 0)
		r = judge(evaluator, exposure, rules->count, finding);
	if (r >= 0)
		r = find_gaps(finding);
	if (r >= 0 && config->days)
		r = kri_find_days(finding);
	kryos_exposure_free(exposure);
	kryos_evaluator_free(evaluator);
	return r;
}

static int evaluate_trace(struct kryos_evaluation *evaluation, const char *path,
                          const struct kryos_evaluate_config *config)
{
	struct kri_trace *trace = &evaluation->trace;
	struct kri_trace_row *next;
	int r = 0;

	evaluation->count = trace->channel_count ? trace->channel_count : 1;
	evaluation->findings = calloc(evaluation->count, sizeof(*evaluation->findings));
	/* Rows of one channel stay where they are. */
	if (evaluation->count > 1)
		evaluation->rows = calloc(trace->count, sizeof(*evaluation->rows));
	next = evaluation->count > 1 ? evaluation->rows : trace->rows;
	if (!evaluation->findings || !next)
		return kryos_fail(-ENOMEM, "out of memory");
	for (unsigned int i = 0; i < evaluation->count && r >= 0; i++) {
		struct kri_finding *finding = &evaluation->findings[i];

		finding->rows = next;
		finding->channel = trace->channels ? trace->channels[i] : NULL;
		r = take_rows(finding, trace, i, path, config->repair);
		if (r >= 0)
			r = evaluate(finding, &evaluation->rules, config);
		next += finding->count;
	}
	if (evaluation->rows) {
		free(trace->rows);
		trace->rows = NULL;
	}
	return r;
}

int kryos_evaluate(struct kryos_evaluation **ret_evaluation, const char *path,
                   const struct kryos_evaluate_config *config)
{
	struct kryos_evaluate_config own = { 0 };
	struct kryos_evaluation *evaluation;
	int r;

	if (!ret_evaluation || !path)
		return kryos_fail(-EINVAL, "evaluate: no file, or no place for the evaluation given");
	r = kri_config_copy(&own, sizeof(own), config);
	if (r < 0)
		return r;
	if (own.profile && own.rules)
		return kryos_fail(-EINVAL, "evaluate: profile or rules, not both");
	evaluation = calloc(1, sizeof(*evaluation));
	if (!evaluation)
		return -ENOMEM;
	r = own.rules ? kri_rules_from_file(&evaluation->rules, own.rules)
	              : kri_rules_from_profile(&evaluation->rules, own.profile ? own.profile : "who-refrigerator");
	if (r >= 0)
		r = kri_trace_read(&evaluation->trace, path, &format);
	if (r >= 0)
		r = evaluate_trace(evaluation, path, &own);
	if (r < 0) {
		kryos_evaluation_free(evaluation);
		return r;
	}
	*ret_evaluation = evaluation;
	return 0;
}

void kryos_evaluation_free(struct kryos_evaluation *evaluation)
{
	if (!evaluation)
		return;
	for (unsigned int i = 0; evaluation->findings && i < evaluation->count; i++) {
		struct kri_finding *finding = &evaluation->findings[i];

		free(finding->left_out.items);
		free(finding->gaps.items);
		free(finding->episodes.items);
		free(finding->days.items);
	}
	free(evaluation->findings);
	free(evaluation->rows);
	kri_trace_free(&evaluation->trace);
	free(evaluation->rules.from);
	free(evaluation);
}
