/* SPDX-License-Identifier: Apache-2.0 */
/* What an evaluation found, for people and as JSON. */
#include "evaluate.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool next_gap(const struct finding *finding, size_t index, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
	return kryos_evaluation_get_gap(finding->evaluation, finding->channel, index, ret_from_ns, ret_to_ns) >= 0;
}

static bool next_episode(const struct finding *finding, size_t index, struct kryos_episode *ret_episode)
{
	return kryos_evaluation_get_episode(finding->evaluation, finding->channel, index, ret_episode) >= 0;
}

/* Seconds, exact. */
static void add_seconds(struct kri_json *json, const char *key, int64_t ns)
{
	kri_json_add_micro(json, key, ns / 1000);
}

/* Any time that a log has, 1970 too. */
static void add_time(struct kri_json *json, const char *key, int64_t t_wall_ns)
{
	char text[KRYOS_TEXT_MAX];

	kri_json_add_string(json, key, kryos_time_text(t_wall_ns, text));
}

static void add_celsius(struct kri_json *json, const char *key, int64_t micro, bool is_known)
{
	if (is_known)
		kri_json_add_micro(json, key, micro);
	else
		kri_json_add_null(json, key);
}

static struct kri_json *episode_json(const struct kryos_episode *episode)
{
	struct kri_json *json = kri_json_object();
	bool is_open = episode->ended_by == KRYOS_EPISODE_OPEN;

	kri_json_add_string(json, "rule", episode->name);
	kri_json_add_string(json, "kind", kryos_rule_kind_name(episode->rule.kind));
	add_time(json, "start", episode->start.t_wall_ns);
	add_time(json, "trigger", episode->trigger.t_wall_ns);
	if (is_open)
		kri_json_add_null(json, "end");
	else
		add_time(json, "end", episode->end.t_wall_ns);
	add_seconds(json, "duration_s", episode->duration_ns);
	add_seconds(json, "accumulated_s", episode->accumulated_ns);
	add_celsius(json, "extreme_c", episode->extreme_micro, episode->has_extreme);
	if (episode->has_extreme)
		add_time(json, "extreme_at", episode->extreme_at.t_wall_ns);
	else
		kri_json_add_null(json, "extreme_at");
	kri_json_add_string(json, "ended_by", is_open ? NULL : kryos_episode_end_name(episode->ended_by));
	add_seconds(json, "indeterminate_s", episode->indeterminate_ns);
	return json;
}

static struct kri_json *vvm_json(const struct options *options, const struct kryos_exposure_result *exposure)
{
	struct kri_json *json = kri_json_object(), *used = kri_json_object();

	kri_json_add_string(json, "model", kryos_vvm_model_name(options->vvm_model));
	kri_json_add_bool(json, "estimate", true);
	add_seconds(json, "time_s", exposure->time_ns);
	for (unsigned int i = 0; i < KRYOS_VVM_COUNT; i++) {
		if (options->vvm & 1U << i)
			kri_json_add_micro(used, kryos_vvm_name(i), exposure->vvm_micro[i]);
	}
	kri_json_add(json, "used_percent", used);
	return json;
}

/* "2022-05-02" */
static void date_text(int64_t number, char text[KRYOS_TEXT_MAX])
{
	kryos_time_text(KRYOS_DAYS(number), text);
	*strchr(text, 'T') = '\0';
}

static struct kri_json *days_json(const struct finding *finding)
{
	struct kri_json *json = kri_json_array();
	struct kryos_history_day day = { .size = sizeof(day) };

	for (size_t i = 0; kryos_evaluation_get_day(finding->evaluation, finding->channel, i, &day) >= 0; i++) {
		struct kri_json *one = kri_json_object();
		char date[KRYOS_TEXT_MAX];

		date_text(day.number, date);
		kri_json_add_string(one, "date", date);
		kri_json_add_int(one, "samples", day.samples);
		add_celsius(one, "min_c", day.min_micro, day.samples);
		add_celsius(one, "max_c", day.max_micro, day.samples);
		add_celsius(one, "mean_c", day.mean_micro, day.time_ns);
		add_seconds(one, "unmeasured_s", day.unmeasured_ns);
		kri_json_add(json, NULL, one);
	}
	return json;
}

struct kri_json *finding_json(const struct options *options, const struct finding *finding)
{
	const struct kryos_evaluation_summary *summary = &finding->summary;
	struct kri_json *json = kri_json_object(), *gaps = kri_json_array(), *episodes = kri_json_array();
	struct kryos_episode episode;
	int64_t from_ns, to_ns;

	if (summary->channel)
		kri_json_add_string(json, "channel", summary->channel);
	kri_json_add_string(json, "rules", summary->rules);
	kri_json_add_int(json, "samples", (int64_t)summary->samples);
	add_time(json, "from", summary->from_ns);
	add_time(json, "to", summary->to_ns);
	add_seconds(json, "interval_s", summary->interval_ns);
	kri_json_add_micro(json, "min_c", finding->exposure.min_micro);
	kri_json_add_micro(json, "max_c", finding->exposure.max_micro);
	add_celsius(json, "mean_c", finding->exposure.mean_micro, finding->exposure.has_mean);
	add_celsius(json, "mkt_c", finding->exposure.mkt_micro, finding->exposure.has_mean);
	for (size_t i = 0; next_gap(finding, i, &from_ns, &to_ns); i++) {
		struct kri_json *gap = kri_json_object();

		add_time(gap, "from", from_ns);
		add_time(gap, "to", to_ns);
		kri_json_add(gaps, NULL, gap);
	}
	kri_json_add(json, "gaps", gaps);
	for (size_t i = 0; next_episode(finding, i, &episode); i++)
		kri_json_add(episodes, NULL, episode_json(&episode));
	kri_json_add(json, "episodes", episodes);
	if (options->repair)
		kri_json_add_int(json, "left_out", (int64_t)summary->left_out);
	if (options->vvm)
		kri_json_add(json, "vvm", vvm_json(options, &finding->exposure));
	if (options->days)
		kri_json_add(json, "days", days_json(finding));
	return json;
}

static void print_span(const char *before, int64_t ns)
{
	int64_t minutes = ns / KRYOS_MINUTES(1);

	printf("%s%" PRId64 " h %02" PRId64 " min", before, minutes / 60, minutes % 60);
	if (ns % KRYOS_MINUTES(1))
		printf(" %02" PRId64 " s", ns / KRYOS_SECONDS(1) % 60);
}

static void print_episode(const struct kryos_episode *episode)
{
	char from[KRYOS_TEXT_MAX], to[KRYOS_TEXT_MAX], at[KRYOS_TEXT_MAX], value[KRYOS_TEXT_MAX];
	bool is_open = episode->ended_by == KRYOS_EPISODE_OPEN;

	printf("%s (%s)  %s to %s, %s\n", episode->name, kryos_rule_kind_name(episode->rule.kind),
	       kryos_time_text(episode->start.t_wall_ns, from),
	       is_open ? "the end of the log" : kryos_time_text(episode->end.t_wall_ns, to),
	       kryos_episode_end_name(episode->ended_by));
	printf("  triggered %s", kryos_time_text(episode->trigger.t_wall_ns, at));
	print_span("; duration ", episode->duration_ns);
	print_span(", accumulated ", episode->accumulated_ns);
	print_span(", indeterminate ", episode->indeterminate_ns);
	if (episode->has_extreme)
		printf("; extreme %s C at %s", kryos_value_text(episode->extreme_micro, value),
		       kryos_time_text(episode->extreme_at.t_wall_ns, at));
	putchar('\n');
}

static void print_vvm(const struct options *options, const struct kryos_exposure_result *exposure)
{
	char percent[KRYOS_TEXT_MAX];

	for (unsigned int i = 0; i < KRYOS_VVM_COUNT; i++) {
		if (options->vvm & 1U << i)
			printf("%s: an estimate of %s %% of its life used, by %s; the monitor itself decides\n",
			       kryos_vvm_name(i), kryos_value_text(exposure->vvm_micro[i], percent),
			       kryos_vvm_model_name(options->vvm_model));
	}
}

static void print_days(const struct finding *finding)
{
	struct kryos_history_day day = { .size = sizeof(day) };

	if (finding->summary.days)
		printf("day (UTC)    samples  min C      max C      mean C     without a measurement\n");
	for (size_t i = 0; kryos_evaluation_get_day(finding->evaluation, finding->channel, i, &day) >= 0; i++) {
		char date[KRYOS_TEXT_MAX], text[3][KRYOS_TEXT_MAX];

		date_text(day.number, date);
		printf("%-12s %-8" PRIu32 " %-10s %-10s %-10s", date, day.samples,
		       day.samples ? kryos_value_text(day.min_micro, text[0]) : "-",
		       day.samples ? kryos_value_text(day.max_micro, text[1]) : "-",
		       day.time_ns ? kryos_value_text(day.mean_micro, text[2]) : "-");
		print_span(" ", day.unmeasured_ns);
		putchar('\n');
	}
}

void print_evaluation(const struct options *options, const struct finding *finding)
{
	const struct kryos_evaluation_summary *summary = &finding->summary;
	const struct kryos_exposure_result *exposure = &finding->exposure;
	char from[KRYOS_TEXT_MAX], to[KRYOS_TEXT_MAX], text[4][KRYOS_TEXT_MAX];
	struct kryos_episode episode;
	int64_t from_ns, to_ns;

	if (summary->channel) {
		print_text(stdout, summary->channel);
		putchar('\n');
	}
	printf("%" PRIu64 " samples, %s to %s, every %s s; rules: ", summary->samples,
	       kryos_time_text(summary->from_ns, from), kryos_time_text(summary->to_ns, to),
	       kryos_value_text(summary->interval_ns / 1000, text[0]));
	print_text(stdout, summary->rules);
	printf("\nmin %s C, max %s C, mean %s C\n", kryos_value_text(exposure->min_micro, text[0]),
	       kryos_value_text(exposure->max_micro, text[1]),
	       exposure->has_mean ? kryos_value_text(exposure->mean_micro, text[2]) : "-");
	printf("mean kinetic temperature %s C at %s kJ/mol; it says nothing about freezing\n",
	       exposure->has_mean ? kryos_value_text(exposure->mkt_micro, text[0]) : "-",
	       kryos_value_text(options->activation_j_per_mol * 1000, text[1]));
	if (options->repair)
		printf("%" PRIu64 " rows left out\n", summary->left_out);
	print_vvm(options, exposure);
	print_days(finding);
	for (size_t i = 0; next_gap(finding, i, &from_ns, &to_ns); i++)
		printf("gap  %s to %s\n", kryos_time_text(from_ns, from), kryos_time_text(to_ns, to));
	for (size_t i = 0; next_episode(finding, i, &episode); i++)
		print_episode(&episode);
	printf("%" PRIu64 " gaps, %" PRIu64 " episodes\n", summary->gaps, summary->episodes);
}
