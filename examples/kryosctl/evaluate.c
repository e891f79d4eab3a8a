/* SPDX-License-Identifier: Apache-2.0 */
/* The station's rules over anyone's log. Everything is read and evaluated before a word of it is printed. */
#include "evaluate.h"
#include "config/config.h"
#include <stdlib.h>
#include <string.h>

static const struct trace_format format = {
	.program = "",
	.min_micro = INT64_C(-273149999),
	.max_micro = INT64_C(9999999999),
	.out_of_range = "no temperature; above -273.15 is allowed",
	.any_time = true,
	.any_order = true,
	.channels = true,
};

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The median distance between rows that are not of one time, as the evaluator wants it; without any: a minute. */
static int find_interval(struct log *log)
{
	size_t count = 0;
	int64_t *distances;

	log->interval_ns = KRYOS_MINUTES(1);
	if (log->count < 2)
		return EXIT_SUCCESS;
	distances = malloc(log->count * sizeof(*distances));
	if (!distances)
		return complain("out of memory");
	for (size_t i = 1; i < log->count; i++)
		if (log->rows[i].t_wall_ns != log->rows[i - 1].t_wall_ns)
			distances[count++] = log->rows[i].t_wall_ns - log->rows[i - 1].t_wall_ns;
	if (count) {
		qsort(distances, count, sizeof(*distances), compare);
		log->interval_ns = distances[count / 2];
	}
	free(distances);
	if (log->interval_ns < KRYOS_MILLISECONDS(1))
		log->interval_ns = KRYOS_MILLISECONDS(1);
	if (log->interval_ns > KRYOS_DAYS(1))
		log->interval_ns = KRYOS_DAYS(1);
	return EXIT_SUCCESS;
}

/* What is wrong with a row behind the one before, of its channel; NULL: nothing. */
static const char *fault(const struct row *before, const struct row *row)
{
	if (row->t_wall_ns < before->t_wall_ns)
		return "the row is older than the newest before it";
	if (row->t_wall_ns == before->t_wall_ns && row->celsius_micro == before->celsius_micro)
		return "the row is the same as the one before";
	return NULL;
}

/* The rows of one channel, all in order: a row that is not is refused, or with repair left out and said. */
static int take_log(const struct options *options, const char *path, const struct trace *trace, uint32_t channel,
                    struct log *log)
{
	for (size_t i = 0; i < trace->count; i++) {
		const struct row *row = &trace->rows[i];
		const char *why;

		if (row->channel != channel)
			continue;
		why = log->count ? fault(&log->rows[log->count - 1], row) : NULL;
		if (!why) {
			log->rows[log->count++] = *row;
			continue;
		}
		fprintf(stderr, "%s:%u: %s%s\n", path, row->line, why,
		        options->repair ? "; left out" : "; --repair leaves such rows out");
		if (!options->repair)
			return EXIT_FAILURE;
		log->left_out++;
	}
	return find_interval(log);
}

static int keep(struct finding *finding, const struct kryos_episode *episode)
{
	struct kryos_episode *episodes;

	/* A power of two, and 0: all that there is room for is taken. */
	if ((finding->episode_count & (finding->episode_count - 1)) == 0) {
		size_t room = finding->episode_count ? 2 * finding->episode_count : 1;

		episodes = realloc(finding->episodes, room * sizeof(*episodes));
		if (!episodes)
			return -ENOMEM;
		finding->episodes = episodes;
	}
	finding->episodes[finding->episode_count++] = *episode;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct kryos_episode *x = a, *y = b;

	if (x->start.t_wall_ns != y->start.t_wall_ns)
		return x->start.t_wall_ns < y->start.t_wall_ns ? -1 : 1;
	return compare(&x->trigger.t_wall_ns, &y->trigger.t_wall_ns);
}

struct kryos_sample sample_of(const struct row *row)
{
	return (struct kryos_sample){ .value_micro = row->celsius_micro,
		                      .t_boot_ns = row->t_wall_ns,
		                      .t_wall_ns = row->t_wall_ns,
		                      .trust = KRYOS_TRUST_SYNCED };
}

static int judge(struct kryos_evaluator *evaluator, struct kryos_exposure *exposure, struct finding *finding)
{
	const struct log *log = finding->log;
	const struct kryos_episode *news;
	struct kryos_episode open;
	int r = 0;

	for (size_t i = 0; i < log->count && r >= 0; i++) {
		struct kryos_sample sample = sample_of(&log->rows[i]);

		r = kryos_evaluator_take(evaluator, &sample);
		if (r >= 0)
			r = kryos_exposure_take(exposure, &sample);
		while (r >= 0 && kryos_evaluator_next(evaluator, &news) > 0) {
			if (news->ended_by != KRYOS_EPISODE_OPEN)
				r = keep(finding, news);
		}
	}
	for (unsigned int i = 0; i < finding->rules->count && r >= 0; i++) {
		if (kryos_evaluator_look(evaluator, i, &open) > 0)
			r = keep(finding, &open);
	}
	finding->exposure.size = sizeof(finding->exposure);
	if (r >= 0)
		r = kryos_exposure_get(exposure, &finding->exposure);
	if (r >= 0 && finding->episode_count)
		qsort(finding->episodes, finding->episode_count, sizeof(*finding->episodes), by_start);
	return r;
}

static int evaluate(const struct options *options, struct finding *finding)
{
	struct kryos_evaluator *evaluator = NULL;
	struct kryos_exposure *exposure = NULL;
	int64_t interval_ns = finding->log->interval_ns;
	int r = kryos_evaluator_new(&evaluator, interval_ns);

	for (unsigned int i = 0; i < finding->rules->count && r >= 0; i++)
		r = kryos_evaluator_add(evaluator, &finding->rules->rules[i]);
	if (r >= 0)
		r = kryos_exposure_new(&exposure,
		                       KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 2 * interval_ns,
		                                             .activation_j_per_mol = options->activation_j_per_mol,
		                                             .vvm = options->vvm, .vvm_model = options->vvm_model));
	if (r >= 0)
		r = judge(evaluator, exposure, finding);
	if (r >= 0 && options->days)
		r = find_days(finding);
	kryos_exposure_free(exposure);
	kryos_evaluator_free(evaluator);
	return r < 0 ? complain("%s", kryos_strerror(r)) : EXIT_SUCCESS;
}

static void show(const struct options *options, const struct finding *finding)
{
	struct kri_json *json;

	if (!options->json) {
		print_evaluation(options, finding);
		return;
	}
	json = finding_json(options, finding);
	print_json(json);
	kri_json_free(json);
}

static int evaluate_trace(const struct options *options, const char *path, const struct trace *trace,
                          const struct rules *rules)
{
	uint32_t channels = trace->channel_count ? trace->channel_count : 1;
	struct finding findings[TRACE_MAX_CHANNELS] = { 0 };
	struct log logs[TRACE_MAX_CHANNELS] = { 0 };
	/* Rows of one channel stay where they are. */
	struct row *rows = channels > 1 ? calloc(trace->count, sizeof(*rows)) : NULL;
	struct row *next = channels > 1 ? rows : trace->rows;
	int r = EXIT_SUCCESS;

	if (!next)
		return complain("out of memory");
	for (uint32_t i = 0; i < channels && r == EXIT_SUCCESS; i++) {
		logs[i].rows = next;
		logs[i].channel = trace->channels ? trace->channels[i] : NULL;
		findings[i].log = &logs[i];
		findings[i].rules = rules;
		r = take_log(options, path, trace, i, &logs[i]);
		if (r == EXIT_SUCCESS)
			r = evaluate(options, &findings[i]);
		next += logs[i].count;
	}
	for (uint32_t i = 0; i < channels; i++) {
		if (r == EXIT_SUCCESS)
			show(options, &findings[i]);
		free(findings[i].episodes);
		free(findings[i].days);
	}
	free(rows);
	return r == EXIT_SUCCESS ? finish(stdout, "standard output") : r;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct rules rules;
	struct trace trace;
	int r;

	if (count != 1)
		return misused("evaluate: one file is needed");
	if (options->profile && options->rules)
		return misused("evaluate: --profile or --rules, not both");
	r = options->rules ? read_rules(options->rules, &rules)
	                   : use_profile(options->profile ? options->profile : "who-refrigerator", &rules);
	if (r != EXIT_SUCCESS)
		return r;
	if (trace_read(&trace, arguments[0], &format) < 0)
		return EXIT_FAILURE;
	r = evaluate_trace(options, arguments[0], &trace, &rules);
	trace_free(&trace);
	return r;
}

const struct command evaluate_command = {
	.name = "evaluate",
	.arguments = "FILE.csv",
	.summary = "which alarms a recorded temperature would have raised",
	.help = "Judges a log as a station would have: lines of time,celsius under a header that says so, with a\n"
		"column channel if it is of several. Times are 2022-05-02T04:44:00Z, with an offset as +02:00, or\n"
		"seconds since 1970. A log with a mistake gives its line and no result.\n"
		"Profiles: who-refrigerator (taken where nothing is said), who-shipping-1, who-shipping-2,\n"
		"fridge-2-8, freezer-25-15, ultra-cold-80-60, controlled-room.",
	.options = TAKES_JSON | TAKES_EVALUATE | TAKES_VVM,
	.run = run,
};
