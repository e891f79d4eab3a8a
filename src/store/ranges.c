/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int make_room(struct kri_ranges *ranges)
{
	struct kri_run *runs;
	int capacity;

	if (ranges->count < ranges->capacity)
		return 0;
	capacity = ranges->capacity ? 2 * ranges->capacity : 4;
	runs = realloc(ranges->runs, (size_t)capacity * sizeof(*runs));
	if (!runs)
		return -ENOMEM;
	ranges->runs = runs;
	ranges->capacity = capacity;
	return 0;
}

/* Index of the first run that ends at or after seq. */
static int find(const struct kri_ranges *ranges, int64_t seq)
{
	int low = 0, high = ranges->count;

	while (low < high) {
		int middle = (low + high) / 2;

		if (ranges->runs[middle].last < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void drop(struct kri_ranges *ranges, int at, int count)
{
	memmove(&ranges->runs[at], &ranges->runs[at + count],
	        (size_t)(ranges->count - at - count) * sizeof(*ranges->runs));
	ranges->count -= count;
}

/* Memory stays bounded by owing too much again, which costs duplicates, never by owing too little. */
static void merge_nearest(struct kri_ranges *ranges)
{
	int best = 0;

	for (int i = 0; i + 1 < ranges->count; i++)
		if (ranges->runs[i + 1].first - ranges->runs[i].last <
		    ranges->runs[best + 1].first - ranges->runs[best].last)
			best = i;
	ranges->runs[best].last = ranges->runs[best + 1].last;
	drop(ranges, best + 1, 1);
}

int kri_ranges_add(struct kri_ranges *ranges, int64_t first, int64_t last)
{
	int at = find(ranges, first > INT64_MIN ? first - 1 : first), end = at, r;

	if (first > last)
		return 0;
	/* Everything from at on that touches first..last becomes one run. */
	while (end < ranges->count && (last == INT64_MAX || ranges->runs[end].first <= last + 1)) {
		if (ranges->runs[end].first < first)
			first = ranges->runs[end].first;
		if (ranges->runs[end].last > last)
			last = ranges->runs[end].last;
		end++;
	}
	if (end > at) {
		ranges->runs[at] = (struct kri_run){ first, last };
		drop(ranges, at + 1, end - at - 1);
		return 0;
	}
	r = make_room(ranges);
	if (r < 0)
		return r;
	memmove(&ranges->runs[at + 1], &ranges->runs[at], (size_t)(ranges->count - at) * sizeof(*ranges->runs));
	ranges->runs[at] = (struct kri_run){ first, last };
	ranges->count++;
	if (ranges->count > KRI_MAX_RUNS)
		merge_nearest(ranges);
	return 0;
}

int kri_ranges_remove(struct kri_ranges *ranges, int64_t first, int64_t last)
{
	int at = find(ranges, first), r;

	if (first > last)
		return 0;
	if (at < ranges->count && ranges->runs[at].first < first && ranges->runs[at].last > last) {
		r = make_room(ranges);
		if (r < 0)
			return r;
		memmove(&ranges->runs[at + 1], &ranges->runs[at], (size_t)(ranges->count - at) * sizeof(*ranges->runs));
		ranges->count++;
		ranges->runs[at].last = first - 1;
		ranges->runs[at + 1].first = last + 1;
		if (ranges->count > KRI_MAX_RUNS)
			merge_nearest(ranges);
		return 0;
	}
	while (at < ranges->count && ranges->runs[at].first <= last) {
		struct kri_run *run = &ranges->runs[at];

		if (run->first >= first && run->last <= last) {
			drop(ranges, at, 1);
			continue;
		}
		if (run->first < first)
			run->last = first - 1;
		else
			run->first = last + 1;
		at++;
	}
	return 0;
}

bool kri_ranges_next(const struct kri_ranges *ranges, int64_t from, struct kri_run *ret_run)
{
	int at = find(ranges, from);

	if (at == ranges->count)
		return false;
	*ret_run = ranges->runs[at];
	if (ret_run->first < from)
		ret_run->first = from;
	return true;
}

bool kri_ranges_has(const struct kri_ranges *ranges, int64_t seq)
{
	struct kri_run run;

	return kri_ranges_next(ranges, seq, &run) && run.first == seq;
}

int64_t kri_ranges_count(const struct kri_ranges *ranges, int64_t up_to)
{
	int64_t count = 0;

	for (int i = 0; i < ranges->count && ranges->runs[i].first <= up_to; i++)
		count += (ranges->runs[i].last < up_to ? ranges->runs[i].last : up_to) - ranges->runs[i].first + 1;
	return count;
}

int64_t kri_ranges_count_either(const struct kri_ranges *a, int64_t a_to, const struct kri_ranges *b, int64_t b_to)
{
	int64_t both = 0, to = a_to < b_to ? a_to : b_to;
	int i = 0, j = 0;

	while (i < a->count && j < b->count) {
		const struct kri_run *x = &a->runs[i], *y = &b->runs[j];
		int64_t first = x->first > y->first ? x->first : y->first;
		int64_t last = x->last < y->last ? x->last : y->last;

		last = last < to ? last : to;
		if (last >= first)
			both += last - first + 1;
		if (x->last < y->last)
			i++;
		else
			j++;
	}
	return kri_ranges_count(a, a_to) + kri_ranges_count(b, b_to) - both;
}

void kri_ranges_clear(struct kri_ranges *ranges)
{
	free(ranges->runs);
	memset(ranges, 0, sizeof(*ranges));
}

char *kri_ranges_text(const struct kri_ranges *ranges)
{
	size_t size = (size_t)ranges->count * 42 + 1, length = 0;
	char *text = malloc(size);

	if (!text)
		return NULL;
	text[0] = '\0';
	for (int i = 0; i < ranges->count; i++) {
		length += (size_t)snprintf(text + length, size - length, "%s%" PRId64 "-", i ? "," : "",
		                           ranges->runs[i].first);
		if (ranges->runs[i].last != INT64_MAX)
			length += (size_t)snprintf(text + length, size - length, "%" PRId64, ranges->runs[i].last);
	}
	return text;
}

int kri_ranges_parse(struct kri_ranges *ranges, const char *text)
{
	while (*text) {
		int64_t first, last = INT64_MAX;
		char *end;
		int r;

		errno = 0;
		first = strtoll(text, &end, 10);
		if (end == text || *end != '-' || errno || first < 1)
			return kryos_fail(KRYOS_ECORRUPT, "delivery state \"%.40s\": not a list of runs", text);
		text = end + 1;
		if (*text && *text != ',') {
			last = strtoll(text, &end, 10);
			if (end == text || errno || last < first)
				return kryos_fail(KRYOS_ECORRUPT, "delivery state \"%.40s\": not a list of runs", text);
			text = end;
		}
		r = kri_ranges_add(ranges, first, last);
		if (r < 0)
			return r;
		if (*text && *text++ != ',')
			return kryos_fail(KRYOS_ECORRUPT, "delivery state: \",\" is missing at \"%.40s\"", text - 1);
	}
	return 0;
}

int kri_ranges_parse_owed(struct kri_ranges *samples, struct kri_ranges *events, const char *samples_text,
                          const char *events_text)
{
	int r;

	if (kri_ranges_parse(samples, samples_text) >= 0 && kri_ranges_parse(events, events_text) >= 0)
		return 0;
	kri_ranges_clear(samples);
	kri_ranges_clear(events);
	r = kri_ranges_add(samples, 1, INT64_MAX);
	return r < 0 ? r : kri_ranges_add(events, 1, INT64_MAX);
}
