/* SPDX-License-Identifier: Apache-2.0 */
/* Exposure in the hours and days of a time line, and in the days of a calendar. */
#include "history.h"
#include <stdlib.h>

const struct kri_ring kri_rings[KRI_RINGS] = {
	{ KRYOS_HOURS(1), 25 },
	{ KRYOS_DAYS(1), KRI_MAX_BUCKETS },
};

int kryos_history_new(struct kryos_history **ret_history, const struct kryos_exposure_config *config)
{
	struct kryos_history *history;
	int r;

	if (!ret_history)
		return kryos_fail(-EINVAL, "history: there is nowhere to put it");
	history = calloc(1, sizeof(*history));
	if (!history)
		return kryos_fail(-ENOMEM, "history: out of memory");
	r = kri_exposure_init(&history->exposure, config);
	if (r < 0) {
		free(history);
		return r;
	}
	*ret_history = history;
	return 0;
}

void kryos_history_free(struct kryos_history *history)
{
	free(history);
}

static struct kri_date date_of(const struct kryos_sample *sample, int32_t utc_offset_s)
{
	struct kri_date date = { 0 };
	int64_t local_ns;

	if (sample->trust < KRYOS_TRUST_RTC ||
	    __builtin_add_overflow(sample->t_wall_ns, KRYOS_SECONDS(utc_offset_s), &local_ns))
		return date;
	date.known = true;
	date.number = local_ns / KRYOS_DAYS(1);
	date.into_ns = local_ns % KRYOS_DAYS(1);
	if (date.into_ns < 0) {
		date.into_ns += KRYOS_DAYS(1);
		date.number--;
	}
	return date;
}

static struct kri_day *place_of(struct kryos_history *history, int64_t number)
{
	int64_t place = number % KRYOS_HISTORY_DAYS;

	return &history->days[place < 0 ? place + KRYOS_HISTORY_DAYS : place];
}

static struct kri_day *day_of(struct kryos_history *history, int64_t number)
{
	struct kri_day *day = place_of(history, number);

	if (!day->used || day->number != number)
		*day = (struct kri_day){ .used = true, .number = number };
	return day;
}

/* A step whose end has that date, backwards from day to day. */
static void lay_in_days(struct kryos_history *history, const struct kri_step *step, const struct kri_date *date)
{
	int64_t to_ns = step->to_ns, began_ns = to_ns - date->into_ns;

	if (!date->known) {
		history->undated_ns += to_ns - step->from_ns;
		return;
	}
	for (int64_t back = 0; back < KRYOS_HISTORY_DAYS && to_ns > step->from_ns; back++) {
		int64_t from_ns = began_ns > step->from_ns ? began_ns : step->from_ns;

		if (from_ns < to_ns) {
			struct kri_day *day = day_of(history, date->number - back);

			day->unmeasured_ns += to_ns - from_ns;
			day->unmeasured_ns -= kri_sums_add(&day->sums, &history->exposure.config, step, from_ns, to_ns);
		}
		to_ns = from_ns;
		began_ns -= KRYOS_DAYS(1);
	}
}

/* What of a step is still in the window. */
static void lay_in_ring(struct kryos_history *history, unsigned int ring, const struct kri_step *step)
{
	int64_t width_ns = kri_rings[ring].width_ns, count = kri_rings[ring].count;
	int64_t number = history->exposure.time.ns / width_ns - count + 1, from_ns = step->from_ns;

	if (number > from_ns / width_ns)
		from_ns = number * width_ns;
	for (number = from_ns / width_ns; from_ns < step->to_ns; number++) {
		int64_t left_ns = width_ns - from_ns % width_ns;
		int64_t to_ns = left_ns < step->to_ns - from_ns ? from_ns + left_ns : step->to_ns;

		kri_sums_add(&history->buckets[ring][number % count], &history->exposure.config, step, from_ns, to_ns);
		from_ns = to_ns;
	}
}

static void lay(struct kryos_history *history, const struct kri_step *step, const struct kri_date *date)
{
	for (unsigned int i = 0; i < KRI_RINGS; i++)
		lay_in_ring(history, i, step);
	lay_in_days(history, step, date);
}

/* The present bucket is now_ns's: those that began since then are empty. */
static void turn_ring(struct kryos_history *history, unsigned int ring, int64_t before_ns)
{
	int64_t width_ns = kri_rings[ring].width_ns, count = kri_rings[ring].count;
	int64_t to = history->exposure.time.ns / width_ns, from = before_ns / width_ns + 1;

	if (from < to - count + 1)
		from = to - count + 1;
	for (; from <= to; from++)
		history->buckets[ring][from % count] = (struct kri_sums){ 0 };
}

int kryos_history_take(struct kryos_history *history, const struct kryos_sample *sample, int32_t utc_offset_s)
{
	struct kri_step step;
	int64_t before_ns;
	int r;

	if (!history || utc_offset_s < -86400 || utc_offset_s > 86400)
		return kryos_fail(-EINVAL,
		                  "history: there is none, or utc_offset_s is not in the -86400 to 86400 allowed");
	before_ns = history->exposure.time.ns;
	r = kri_exposure_take(&history->exposure, sample, &step);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < KRI_RINGS; i++)
		turn_ring(history, i, before_ns);
	if (r > 0)
		lay(history, &step, &history->point);
	history->newest = date_of(sample, utc_offset_s);
	if (history->newest.known) {
		history->has_day = true;
		history->day = history->newest.number;
	}
	if (!kryos_quality_is_measured(sample->quality))
		return 0;
	history->point = history->newest;
	for (unsigned int i = 0; i < KRI_RINGS; i++) {
		int64_t number = history->exposure.time.ns / kri_rings[i].width_ns;

		kri_sums_add_sample(&history->buckets[i][number % kri_rings[i].count], sample->value_micro);
	}
	if (history->point.known)
		kri_sums_add_sample(&day_of(history, history->point.number)->sums, sample->value_micro);
	return 0;
}

/* With the steps that are not over. */
static struct kryos_history whole_of(const struct kryos_history *history)
{
	struct kryos_history whole = *history;
	struct kri_step step;

	if (kri_exposure_rest(&history->exposure, 0, &step))
		lay(&whole, &step, &history->point);
	if (kri_exposure_rest(&history->exposure, 1, &step))
		lay(&whole, &step, &history->newest);
	return whole;
}

static void add_bucket(struct kri_sums *sums, const struct kri_sums *bucket)
{
	if (bucket->samples && (!sums->samples || bucket->min_micro < sums->min_micro))
		sums->min_micro = bucket->min_micro;
	if (bucket->samples && (!sums->samples || bucket->max_micro > sums->max_micro))
		sums->max_micro = bucket->max_micro;
	sums->samples += bucket->samples;
	sums->time_ns += bucket->time_ns;
	sums->celsius_ns += bucket->celsius_ns;
	sums->rate_ns += bucket->rate_ns;
	sums->below_ns += bucket->below_ns;
	sums->above_ns += bucket->above_ns;
}

int kryos_history_get(const struct kryos_history *history, enum kryos_window window,
                      struct kryos_exposure_result *ret_result)
{
	unsigned int ring = (unsigned int)window - KRYOS_WINDOW_24H;
	struct kryos_history whole;
	struct kri_sums sums = { 0 };
	int64_t newest;

	if (!history || window > KRYOS_WINDOW_30D || !ret_result || ret_result->size != sizeof(*ret_result))
		return kryos_fail(-EINVAL, "history: there is none, no such window, or a result whose size is not set");
	if (window == KRYOS_WINDOW_ALL)
		return kryos_exposure_get(&history->exposure, ret_result);
	whole = whole_of(history);
	newest = history->exposure.time.ns / kri_rings[ring].width_ns;
	for (int64_t i = 1; i <= kri_rings[ring].count; i++) /* the oldest first */
		add_bucket(&sums, &whole.buckets[ring][(newest + i) % kri_rings[ring].count]);
	return kri_sums_result(&sums, &history->exposure, &history->exposure.now, ret_result);
}

int kryos_history_get_day(const struct kryos_history *history, unsigned int index, struct kryos_history_day *ret_day)
{
	struct kryos_exposure_result result;
	struct kryos_history whole;
	const struct kri_day *day = NULL;
	int r;

	if (!history || !ret_day || ret_day->size != sizeof(*ret_day))
		return kryos_fail(-EINVAL, "history: there is none, or a day whose size is not set");
	whole = whole_of(history);
	for (int64_t back = 0; back < KRYOS_HISTORY_DAYS && whole.has_day; back++) {
		const struct kri_day *place = place_of(&whole, whole.day - back);

		if (!place->used || place->number != whole.day - back || index-- > 0)
			continue;
		day = place;
		break;
	}
	if (!day)
		return kryos_fail(-ENOENT, "history: there are no more days");
	r = kri_sums_result(&day->sums, &history->exposure, NULL, &result);
	if (r < 0)
		return r;
	*ret_day = (struct kryos_history_day){
		.size = sizeof(*ret_day),
		.samples = result.samples < UINT32_MAX ? (uint32_t)result.samples : UINT32_MAX,
		.number = day->number,
		.min_micro = result.min_micro,
		.max_micro = result.max_micro,
		.mean_micro = result.mean_micro,
		.time_ns = result.time_ns,
		.below_ns = result.below_ns,
		.above_ns = result.above_ns,
		.unmeasured_ns = day->unmeasured_ns,
	};
	return 0;
}

int kryos_history_get_undated(const struct kryos_history *history, int64_t *ret_ns)
{
	if (!history || !ret_ns)
		return kryos_fail(-EINVAL, "history: there is none, or nowhere to put the time");
	*ret_ns = whole_of(history).undated_ns;
	return 0;
}
