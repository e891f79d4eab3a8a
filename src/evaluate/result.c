/* SPDX-License-Identifier: Apache-2.0 */
/* What was found of a log, piece by piece. */
#include "core/core.h"
#include "evaluate.h"
#include <string.h>

static const struct kri_finding *finding_of(const struct kryos_evaluation *evaluation, unsigned int channel)
{
	return evaluation && channel < evaluation->count ? &evaluation->findings[channel] : NULL;
}

static int no_such(const char *what)
{
	return kryos_fail(-ENOENT, "evaluation: there is no %s of that number", what);
}

/* The item at index; NULL: it is not there. */
static const void *item_of(const struct kri_list *list, size_t index, size_t size)
{
	return index < list->count ? (const char *)list->items + index * size : NULL;
}

/* A status that the caller sized, so that a newer library fills no more than that. */
static int give(void *ret, const void *own, size_t size)
{
	uint32_t asked = 0;

	if (ret)
		memcpy(&asked, ret, sizeof(asked));
	if (asked < sizeof(asked))
		return kryos_fail(-EINVAL, "evaluation: no place for the result given, or its size is not set");
	memcpy(ret, own, asked < size ? asked : size);
	memcpy(ret, &asked, sizeof(asked));
	return 0;
}

unsigned int kryos_evaluation_get_channel_count(const struct kryos_evaluation *evaluation)
{
	return evaluation ? evaluation->count : 0;
}

int kryos_evaluation_get_summary(const struct kryos_evaluation *evaluation, unsigned int channel,
                                 struct kryos_evaluation_summary *ret_summary)
{
	const struct kri_finding *finding = finding_of(evaluation, channel);
	struct kryos_evaluation_summary summary;

	if (!finding)
		return no_such("channel");
	summary = (struct kryos_evaluation_summary){
		.channel = finding->channel,
		.rules = evaluation->rules.from,
		.samples = finding->count,
		.left_out = finding->left_out.count,
		.gaps = finding->gaps.count,
		.episodes = finding->episodes.count,
		.days = finding->days.count,
		.from_ns = finding->rows[0].t_wall_ns,
		.to_ns = finding->rows[finding->count - 1].t_wall_ns,
		.interval_ns = finding->interval_ns,
	};
	return give(ret_summary, &summary, sizeof(summary));
}

int kryos_evaluation_get_exposure(const struct kryos_evaluation *evaluation, unsigned int channel,
                                  struct kryos_exposure_result *ret_result)
{
	const struct kri_finding *finding = finding_of(evaluation, channel);

	return finding ? give(ret_result, &finding->exposure, sizeof(finding->exposure)) : no_such("channel");
}

int kryos_evaluation_get_episode(const struct kryos_evaluation *evaluation, unsigned int channel, size_t index,
                                 struct kryos_episode *ret_episode)
{
	const struct kri_finding *finding = finding_of(evaluation, channel);
	const struct kryos_episode *episode =
		finding ? item_of(&finding->episodes, index, sizeof(struct kryos_episode)) : NULL;

	if (!episode)
		return no_such("episode");
	if (!ret_episode)
		return kryos_fail(-EINVAL, "evaluation: no place for the episode given");
	*ret_episode = *episode;
	ret_episode->rule.name = ret_episode->name;
	return 0;
}

int kryos_evaluation_get_gap(const struct kryos_evaluation *evaluation, unsigned int channel, size_t index,
                             int64_t *ret_from_ns, int64_t *ret_to_ns)
{
	const struct kri_finding *finding = finding_of(evaluation, channel);
	const struct kri_gap *gap = finding ? item_of(&finding->gaps, index, sizeof(struct kri_gap)) : NULL;

	if (!gap)
		return no_such("gap");
	if (!ret_from_ns || !ret_to_ns)
		return kryos_fail(-EINVAL, "evaluation: no place for the times given");
	*ret_from_ns = gap->from_ns;
	*ret_to_ns = gap->to_ns;
	return 0;
}

int kryos_evaluation_get_day(const struct kryos_evaluation *evaluation, unsigned int channel, size_t index,
                             struct kryos_history_day *ret_day)
{
	const struct kri_finding *finding = finding_of(evaluation, channel);
	const struct kryos_history_day *day =
		finding ? item_of(&finding->days, index, sizeof(struct kryos_history_day)) : NULL;

	return day ? give(ret_day, day, sizeof(*day)) : no_such("day");
}

int kryos_evaluation_get_left_out(const struct kryos_evaluation *evaluation, unsigned int channel, size_t index,
                                  uint32_t *ret_line, const char **ret_why)
{
	const struct kri_finding *finding = finding_of(evaluation, channel);
	const struct kri_left_out *left_out =
		finding ? item_of(&finding->left_out, index, sizeof(struct kri_left_out)) : NULL;

	if (!left_out)
		return no_such("row left out");
	if (!ret_line || !ret_why)
		return kryos_fail(-EINVAL, "evaluation: no place for line and reason given");
	*ret_line = left_out->line;
	*ret_why = left_out->why;
	return 0;
}

int kryos_evaluation_get_rows(const struct kryos_evaluation *evaluation, unsigned int channel, size_t first,
                              struct kryos_row *rows, size_t count)
{
	const struct kri_finding *finding = finding_of(evaluation, channel);
	size_t i;

	if (!finding)
		return no_such("channel");
	if (!rows && count)
		return kryos_fail(-EINVAL, "evaluation: no place for the rows given");
	for (i = 0; i < count && i < INT32_MAX && first + i < finding->count; i++) {
		const struct kri_trace_row *row = &finding->rows[first + i];

		rows[i] = (struct kryos_row){ .seq = row->line,
			                      .t_wall_ns = row->t_wall_ns,
			                      .value = kryos_micro_to_double(row->celsius_micro),
			                      .channel = channel,
			                      .round = (uint32_t)(first + i),
			                      .quality = KRYOS_QUALITY_GOOD,
			                      .trust = KRYOS_TRUST_SYNCED };
	}
	return (int)i;
}
