/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements, each looked at once: columns of the chart, days, statistics, gaps. */
#include "../config/config.h"
#include "report.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int64_t kri_median(const int64_t *distances, size_t count)
{
	int64_t sorted[KRI_REPORT_DISTANCES];

	memcpy(sorted, distances, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	return sorted[count / 2];
}

static int64_t clamped(int64_t interval_ns)
{
	if (interval_ns < KRYOS_MILLISECONDS(1))
		return KRYOS_MILLISECONDS(1);
	return interval_ns > KRYOS_DAYS(1) ? KRYOS_DAYS(1) : interval_ns;
}

int kri_report_begin(struct kri_report *report, struct kri_report_channel *channel, int64_t interval_ns)
{
	struct kryos_exposure_config config = { .size = sizeof(config) };
	int r;

	channel->is_wanted = !report->config.wanted || report->config.wanted(report->config.wanted_data, channel->name);
	channel->interval_ns = clamped(interval_ns);
	channel->columns = calloc(KRI_REPORT_COLUMNS, sizeof(*channel->columns));
	channel->days = calloc(report->day_count, sizeof(*channel->days));
	if (!channel->columns || !channel->days)
		return kryos_fail(-ENOMEM, "out of memory");
	for (size_t i = 0; i < KRI_REPORT_DISTANCES; i++)
		channel->distances_ns[i] = channel->interval_ns;
	kri_report_add_rules(report, channel);
	r = kri_report_judge_by(report, channel);
	if (r < 0 || !channel->is_temperature)
		return r;
	config.gap_limit_ns = 2 * channel->interval_ns;
	config.vvm = report->config.vvm;
	if (channel->has_low) {
		config.has |= KRYOS_EXPOSURE_LOW;
		config.low_micro = channel->low_edge;
	}
	if (channel->has_high) {
		config.has |= KRYOS_EXPOSURE_HIGH;
		config.high_micro = channel->high_edge;
	}
	r = kryos_exposure_new(&channel->exposure, &config);
	return r < 0 ? r : kri_report_watch_supply(channel);
}

/* How often it is measured may change within the period; the last few distances tell. */
static void learn(struct kri_report_channel *channel, int64_t distance_ns)
{
	int64_t *at = &channel->distances_ns[channel->distance_at];

	if (*at == distance_ns)
		return;
	*at = distance_ns;
	channel->distance_at = (channel->distance_at + 1) % KRI_REPORT_DISTANCES;
	/* Most are the same but for a moment, and the median stays. */
	if (llabs(distance_ns - channel->interval_ns) > channel->interval_ns / 8)
		channel->interval_ns = clamped(kri_median(channel->distances_ns, KRI_REPORT_DISTANCES));
}

static size_t day_at(const struct kri_report *report, int64_t t_ns)
{
	size_t day = (size_t)((t_ns - report->day_starts[0]) / KRYOS_DAYS(1));

	day = day >= report->day_count ? report->day_count - 1 : day;
	while (day > 0 && t_ns < report->day_starts[day])
		day--;
	while (day + 1 < report->day_count && t_ns >= report->day_starts[day + 1])
		day++;
	return day;
}

/* The last value stands from one to the other, on whatever days that is. */
static void hold(const struct kri_report *report, struct kri_report_channel *channel, int64_t from_ns, int64_t until_ns)
{
	for (size_t i = day_at(report, from_ns); from_ns < until_ns && i < report->day_count; i++) {
		struct kri_report_day *day = &channel->days[i];
		int64_t end_ns = report->day_starts[i + 1] < until_ns ? report->day_starts[i + 1] : until_ns;
		int64_t held_ns = end_ns - from_ns;

		if (channel->has_high && channel->last_value_micro > channel->high_edge)
			day->above_ns += held_ns;
		if (channel->has_low && channel->last_value_micro < channel->low_edge)
			day->below_ns += held_ns;
		from_ns = end_ns;
	}
}

/* Nothing stands from one to the other, on whatever days that is. */
static void spread_unmeasured(const struct kri_report *report, struct kri_report_channel *channel, int64_t from_ns,
                              int64_t to_ns)
{
	channel->unmeasured_ns += to_ns - from_ns;
	for (size_t i = day_at(report, from_ns); from_ns < to_ns && i < report->day_count; i++) {
		int64_t end_ns = report->day_starts[i + 1] < to_ns ? report->day_starts[i + 1] : to_ns;

		channel->days[i].unmeasured_ns += end_ns - from_ns;
		from_ns = end_ns;
	}
}

static bool was_given_up(const struct kri_report *report, int64_t after_seq, int64_t before_seq)
{
	for (size_t i = 0; i < report->given_up_count; i++)
		if (report->given_up[i].from_ns < before_seq && report->given_up[i].to_ns > after_seq)
			return true;
	return false;
}

static bool was_restarted(const struct kri_report *report, int64_t from_ns, int64_t to_ns)
{
	for (size_t i = 0; i < report->restart_count; i++)
		if (report->restarts[i] > from_ns && report->restarts[i] <= to_ns)
			return true;
	return false;
}

/* Nothing was measured from one to the other; before_seq: of the measurement behind it, INT64_MAX: there is none. */
static int add_gap(const struct kri_report *report, struct kri_report_channel *channel, int64_t to_ns,
                   int64_t before_seq)
{
	int64_t from_ns = channel->has_last ? channel->last_ns : report->config.from_ns;
	struct kri_report_gap gap = { .from_ns = from_ns, .to_ns = to_ns };
	int r;

	if (channel->last_failure) {
		gap.reason = KRI_GAP_QUALITY;
		gap.quality = channel->last_failure;
	} else if (channel->has_last && before_seq != INT64_MAX &&
	           was_given_up(report, channel->last_seq, before_seq)) {
		gap.reason = KRI_GAP_GIVEN_UP;
	} else if (was_restarted(report, from_ns, to_ns + channel->interval_ns)) {
		gap.reason = KRI_GAP_RESTART;
	} else if (!channel->has_last) {
		gap.reason = KRI_GAP_BEFORE;
	} else if (before_seq == INT64_MAX) {
		gap.reason = KRI_GAP_AFTER;
	}
	channel->gap_ns += to_ns - from_ns;
	if (channel->gap_count == KRI_REPORT_MAX_GAPS) {
		channel->gaps_left_out++;
		return 0;
	}
	r = kri_report_grow(&channel->gaps, channel->gap_count, sizeof(gap));
	if (r >= 0)
		channel->gaps[channel->gap_count++] = gap;
	return r;
}

static int close_stretch(const struct kri_report *report, struct kri_report_channel *channel, int64_t t_ns, int64_t seq)
{
	int64_t from_ns = channel->has_last ? channel->last_ns : report->config.from_ns;
	int64_t limit_ns = 2 * channel->interval_ns, passed_ns = t_ns - from_ns, held_to_ns = from_ns;

	if (passed_ns <= 0)
		return 0;
	if (channel->has_last || channel->has_before)
		held_to_ns = (channel->has_last ? from_ns : channel->before_ns) + limit_ns;
	held_to_ns = held_to_ns < from_ns ? from_ns : held_to_ns > t_ns ? t_ns : held_to_ns;
	hold(report, channel, from_ns, held_to_ns);
	if (held_to_ns < t_ns)
		spread_unmeasured(report, channel, held_to_ns, t_ns);
	return passed_ns > limit_ns ? add_gap(report, channel, t_ns, seq) : 0;
}

static struct kri_column *column_at(const struct kri_report *report, struct kri_report_channel *channel, int64_t t_ns)
{
	double part = (double)(t_ns - report->config.from_ns) /
	              (double)(report->config.to_ns - report->config.from_ns) * KRI_REPORT_COLUMNS;
	size_t at = (size_t)part;

	return &channel->columns[at < KRI_REPORT_COLUMNS ? at : KRI_REPORT_COLUMNS - 1];
}

static void widen(const struct kri_report *report, struct kri_report_channel *channel, int64_t t_ns, int64_t value)
{
	struct kri_column *column = column_at(report, channel, t_ns);
	struct kri_report_day *day = &channel->days[day_at(report, t_ns)];

	if (!column->count || value < column->min_micro)
		column->min_micro = value;
	if (!column->count || value > column->max_micro)
		column->max_micro = value;
	column->sum += (double)value;
	column->count++;
	if (!day->count || value < day->min_micro) {
		day->min_micro = value;
		day->min_ns = t_ns;
	}
	if (!day->count || value > day->max_micro) {
		day->max_micro = value;
		day->max_ns = t_ns;
	}
	day->count++;
	if (!channel->has_extremes || value < channel->min_micro) {
		channel->min_micro = value;
		channel->min_ns = t_ns;
	}
	if (!channel->has_extremes || value > channel->max_micro) {
		channel->max_micro = value;
		channel->max_ns = t_ns;
	}
	channel->has_extremes = true;
}

static int take_measured(struct kri_report *report, struct kri_report_channel *channel,
                         const struct kryos_record *record)
{
	const struct kryos_sample *sample = &record->sample;
	int r = close_stretch(report, channel, sample->t_wall_ns, record->seq);

	if (r < 0)
		return r;
	channel->measured++;
	channel->last_failure = 0;
	/* One that is earlier than the newest counts as of that one: no time is taken twice. */
	if (!channel->has_last || sample->t_wall_ns > channel->last_ns)
		channel->last_ns = sample->t_wall_ns;
	channel->has_last = true;
	channel->last_value_micro = sample->value_micro;
	channel->last_seq = record->seq;
	if (channel->is_contact)
		return kri_report_see_contact(report, channel, sample);
	widen(report, channel, sample->t_wall_ns, sample->value_micro);
	r = channel->exposure ? kryos_exposure_take(channel->exposure, sample) : 0;
	return r == -EINVAL ? 0 : r; /* out of order within its boot */
}

/* Lowest and highest of a recorded period are channels of their own, beside the one that has its mean. */
static struct kri_report_channel *base_of(struct kri_report *report, const char *name)
{
	size_t count = strlen(name);
	char base[64];

	if (count < 5 || count >= sizeof(base) ||
	    (strcmp(name + count - 4, ".min") && strcmp(name + count - 4, ".max")))
		return NULL;
	memcpy(base, name, count - 4);
	base[count - 4] = 0;
	return kri_report_find(report, base);
}

int kri_report_take_before(struct kri_report *report, struct kri_report_channel *channel,
                           const struct kryos_sample *sample)
{
	/* What came later may have a stamp of before, where its clock was wrong. */
	if (!kryos_quality_is_measured(sample->quality) ||
	    (channel->has_before && sample->t_wall_ns < channel->before_ns))
		return 0;
	channel->has_before = true;
	channel->before_ns = sample->t_wall_ns;
	channel->last_value_micro = sample->value_micro;
	return channel->is_contact ? kri_report_see_contact(report, channel, sample) : 0;
}

int kri_report_take_sample(struct kri_report *report, const struct kryos_record *record)
{
	const struct kryos_sample *sample = &record->sample;
	struct kri_report_channel *channel;
	int r = 0;

	if (sample->t_wall_ns < report->config.from_ns || sample->t_wall_ns >= report->config.to_ns)
		return 0;
	if (!report->first_seq)
		report->first_seq = record->seq;
	report->last_seq = record->seq;
	channel = kri_report_find(report, record->channel);
	if (!channel || !channel->columns) {
		channel = base_of(report, record->channel);
		if (channel && channel->columns && !channel->is_contact && kryos_quality_is_measured(sample->quality))
			widen(report, channel, sample->t_wall_ns, sample->value_micro);
		return 0;
	}
	report->samples += channel->is_wanted;
	channel->samples++;
	channel->unsure += sample->trust < KRYOS_TRUST_RTC;
	if (channel->has_any && sample->t_wall_ns > channel->last_any_ns)
		learn(channel, sample->t_wall_ns - channel->last_any_ns);
	channel->has_any = true;
	channel->last_any_ns = sample->t_wall_ns;
	if (channel->is_judged)
		r = kri_report_judge(report, channel, sample);
	if (r < 0)
		return r;
	r = kri_report_take_loss(report, channel, sample);
	if (r < 0)
		return r;
	if (kryos_quality_is_measured(sample->quality))
		return take_measured(report, channel, record);
	channel->doubtful += kri_quality_is_doubtful(sample->quality);
	channel->failed += !kri_quality_is_doubtful(sample->quality);
	channel->last_failure = sample->quality;
	return 0;
}

int kri_report_end(struct kri_report *report, struct kri_report_channel *channel)
{
	int r = close_stretch(report, channel, report->config.to_ns, INT64_MAX);

	if (r >= 0 && channel->is_judged)
		r = kri_report_judge_end(report, channel);
	channel->result.size = sizeof(channel->result);
	if (r >= 0 && channel->exposure)
		r = kryos_exposure_get(channel->exposure, &channel->result);
	if (r < 0)
		return r;
	/* As the days have it, to the end of the period: a sum on paper is added up. */
	channel->result.above_ns = channel->result.below_ns = 0;
	for (size_t i = 0; i < report->day_count; i++) {
		channel->result.above_ns += channel->days[i].above_ns;
		channel->result.below_ns += channel->days[i].below_ns;
	}
	return 0;
}
