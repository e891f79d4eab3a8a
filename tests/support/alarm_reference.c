/* SPDX-License-Identifier: Apache-2.0 */
#include "alarm_reference.h"
#include <stdlib.h>
#include <string.h>

/* What the reference looks at: the samples that say something, and the time between them. */
struct view {
	const struct kryos_rule *rule;
	const struct trace *trace;
	int64_t limit;
	size_t count;
	size_t index[MAX_SAMPLES + 1]; /* being retired stands behind its sample */
	enum side side[MAX_SAMPLES + 1];
	int64_t at[MAX_SAMPLES + 1];
	bool cut[MAX_SAMPLES + 1];     /* between this one and the one before */
	int64_t held[MAX_SAMPLES + 1]; /* until the next; the last: 0 */
	int64_t unknown[MAX_SAMPLES + 1];
	int64_t broken[MAX_SAMPLES + 1]; /* gap break behind it: how long it was held; -1: none */
};

enum side side_of(const struct kryos_rule *rule, const struct kryos_sample *sample)
{
	int64_t value = sample->value_micro, threshold = rule->threshold_micro;
	bool out;

	switch (rule->comparator) {
	case KRYOS_COMPARATOR_GT:
		out = value > threshold;
		break;
	case KRYOS_COMPARATOR_GE:
		out = value >= threshold;
		break;
	case KRYOS_COMPARATOR_LT:
		out = value < threshold;
		break;
	default:
		out = value <= threshold;
	}
	switch (sample->quality) {
	case KRYOS_QUALITY_GOOD:
	case KRYOS_QUALITY_EXTRAPOLATED:
		return rule->kind == KRYOS_RULE_SENSOR ? IN : out ? OUT : IN;
	case KRYOS_QUALITY_STUCK:
	case KRYOS_QUALITY_RATE:
	case KRYOS_QUALITY_DISAGREES:
		return rule->kind == KRYOS_RULE_SENSOR || out ? OUT : NOTHING;
	default:
		return rule->kind == KRYOS_RULE_SENSOR ? OUT : NOTHING;
	}
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void look(struct view *view, const struct kryos_rule *rule, const struct trace *trace)
{
	memset(view, 0, sizeof(*view));
	view->rule = rule;
	view->trace = trace;
	view->limit = rule->gap_limit_ns ? rule->gap_limit_ns : rule->gap == KRYOS_GAP_COUNT ? INT64_MAX : 2 * INTERVAL;
	for (size_t i = 0; i < trace->count; i++) {
		enum side sides[] = { side_of(rule, &trace->samples[i]), i == trace->retired ? RETIRED : NOTHING };

		for (size_t k = 0; k < 2; k++) {
			if (sides[k] == NOTHING)
				continue;
			view->index[view->count] = i;
			view->side[view->count] = sides[k];
			view->at[view->count++] = trace->at[i];
		}
	}
	for (size_t j = 0; j < view->count; j++) {
		size_t end = j + 1 < view->count ? view->index[j + 1] + 1 : trace->count;
		bool cut = false;

		view->broken[j] = -1;
		for (size_t i = view->index[j] + 1; i < end; i++) {
			cut = cut || trace->cut[i];
			if (rule->gap == KRYOS_GAP_BREAK && view->broken[j] < 0 &&
			    (cut || trace->at[i] - view->at[j] > view->limit))
				view->broken[j] = cut ? 0 : view->limit;
		}
		if (j + 1 == view->count)
			continue;
		view->cut[j + 1] = cut;
		view->held[j] = least(view->at[j + 1] - view->at[j], view->limit);
		view->unknown[j] = view->at[j + 1] - view->at[j] - view->held[j];
	}
}

static struct kryos_instant instant_of(const struct view *view, size_t j)
{
	const struct kryos_sample *sample = &view->trace->samples[view->index[j]];

	return (struct kryos_instant){ sample->t_boot_ns, sample->t_wall_ns, sample->boot, sample->trust };
}

/* The episode from start that was triggered and ended at these samples; end == count: it is open. by: what ended it. */
static void add(struct outcome *outcome, const struct view *view, size_t start, size_t trigger, size_t end,
                enum kryos_episode_end by)
{
	struct kryos_episode *episode = &outcome->episodes[outcome->count++];
	size_t last = by == KRYOS_EPISODE_OPEN ? view->count - 1 : end;

	memset(episode, 0, sizeof(*episode));
	episode->ended_by = by;
	episode->start = instant_of(view, start);
	episode->trigger = instant_of(view, trigger);
	for (size_t j = start; j <= last; j++) {
		const struct kryos_sample *sample = &view->trace->samples[view->index[j]];

		if (j < last) {
			episode->indeterminate_ns += view->unknown[j];
			episode->uncertain += view->cut[j + 1];
		}
		if (view->side[j] != OUT)
			continue;
		if (j < last)
			episode->accumulated_ns += view->held[j];
		else if (by == KRYOS_EPISODE_SENSOR_LOST)
			episode->accumulated_ns += view->broken[j];
		episode->duration_ns = view->at[j] - view->at[start];
		if (view->rule->kind == KRYOS_RULE_SENSOR || !kryos_quality_is_measured(sample->quality))
			continue;
		if (!episode->has_extreme ||
		    (view->rule->comparator <= KRYOS_COMPARATOR_GE ? sample->value_micro > episode->extreme_micro
		                                                   : sample->value_micro < episode->extreme_micro)) {
			episode->has_extreme = 1;
			episode->extreme_micro = sample->value_micro;
			episode->extreme_at = instant_of(view, j);
		}
	}
	if (by == KRYOS_EPISODE_OPEN)
		return;
	episode->end = instant_of(view, end);
	if (by == KRYOS_EPISODE_SENSOR_LOST) {
		episode->end.t_boot_ns += view->broken[end];
		episode->end.t_wall_ns += view->broken[end];
	}
}

/* Whether samples up to j have been far enough in range for long enough. */
static bool ends_run(const struct view *view, size_t j)
{
	size_t first = view->count;

	for (size_t i = j + 1; i-- > 0;) {
		int64_t value = view->trace->samples[view->index[i]].value_micro;

		if (view->side[i] == OUT || llabs(value - view->rule->threshold_micro) < view->rule->hysteresis_micro)
			break;
		first = i;
		if (i > 0 && (view->cut[i] || view->at[i] - view->at[i - 1] > view->limit))
			break;
	}
	return first < view->count && view->at[j] - view->at[first] >= view->rule->reset_ns;
}

static void expect_consecutive(const struct view *view, struct outcome *outcome)
{
	for (size_t start = 0; start < view->count; start++) {
		size_t end = view->count, trigger = view->count;
		enum kryos_episode_end by = KRYOS_EPISODE_OPEN;

		if (view->side[start] != OUT)
			continue;
		for (size_t j = start; j < view->count && by == KRYOS_EPISODE_OPEN; j++) {
			int64_t known = view->at[j] - view->at[start];

			for (size_t i = start; i < j; i++)
				known -= view->unknown[i];
			if (view->side[j] == OUT && trigger == view->count && known >= view->rule->duration_ns)
				trigger = j;
			end = j;
			if (view->side[j] == IN && ends_run(view, j))
				by = KRYOS_EPISODE_RECOVERED;
			else if (view->broken[j] >= 0)
				by = KRYOS_EPISODE_SENSOR_LOST;
		}
		if (trigger < view->count)
			add(outcome, view, start, trigger, end, by);
		if (by == KRYOS_EPISODE_OPEN)
			return;
		start = end;
	}
}

/* The oldest sample out of range whose unbroken stretch reaches into the window of sample j; count: none. */
static size_t oldest_of(const struct view *view, size_t j)
{
	for (size_t i = 0, next; i <= j; i = next) {
		int64_t to = view->at[i];

		next = i + 1;
		if (view->side[i] != OUT)
			continue;
		for (next = i; next < j && view->side[next] == OUT; next++) {
			to = view->at[next] + view->held[next];
			if (view->unknown[next] > 0) {
				next++;
				break;
			}
		}
		if (next == j && view->side[j] == OUT && (j == i || view->unknown[j - 1] == 0)) {
			to = view->at[j];
			next++;
		}
		if (view->rule->window_ns == 0 || to > view->at[j] - view->rule->window_ns)
			return i;
	}
	return view->count;
}

static void expect_cumulative(const struct view *view, struct outcome *outcome)
{
	size_t start = 0, trigger = 0;
	bool open = false;

	for (size_t j = 0; j < view->count; j++) {
		size_t oldest = oldest_of(view, j);
		int64_t since = view->rule->window_ns ? view->at[j] - view->rule->window_ns : INT64_MIN, sum = 0;

		for (size_t i = 0; i < j; i++) {
			if (view->side[i] == OUT)
				sum += most(0, view->at[i] + view->held[i] - most(since, view->at[i]));
		}
		if (view->side[j] == RETIRED) { /* nothing of the sum is lost */
			if (open)
				add(outcome, view, start, trigger, j, KRYOS_EPISODE_RETIRED);
			open = false;
			continue;
		}
		if (!open && oldest < view->count && sum >= view->rule->duration_ns) {
			open = true;
			start = oldest;
			trigger = j;
		} else if (open && view->side[j] == IN && sum < view->rule->duration_ns) {
			open = false;
			add(outcome, view, start, trigger, j, KRYOS_EPISODE_RECOVERED);
		}
	}
	if (open)
		add(outcome, view, start, trigger, view->count, KRYOS_EPISODE_OPEN);
}

void expect_episodes(const struct kryos_rule *rule, const struct trace *trace, struct outcome *outcome)
{
	static struct view view;

	outcome->count = 0;
	look(&view, rule, trace);
	if (rule->mode == KRYOS_RULE_CONSECUTIVE)
		expect_consecutive(&view, outcome);
	else
		expect_cumulative(&view, outcome);
}

void make_trace(struct trace *trace, uint64_t *random)
{
	static const uint16_t others[] = { KRYOS_QUALITY_ABSENT,       KRYOS_QUALITY_CRC,       KRYOS_QUALITY_STUCK,
		                           KRYOS_QUALITY_RATE,         KRYOS_QUALITY_DISAGREES, KRYOS_QUALITY_OPEN,
		                           KRYOS_QUALITY_EXTRAPOLATED, KRYOS_QUALITY_POWER_ON };
	struct kryos_sample sample = { .t_boot_ns = KRYOS_HOURS(1), .boot = 1, .trust = KRYOS_TRUST_SYNCED };
	unsigned int gaps = next_random(random) % 12, reboots = next_random(random) % 6, bad = next_random(random) % 8;
	int64_t wall = KRYOS_DAYS(20000), step = 0;

	trace->count = 1 + next_random(random) % MAX_SAMPLES;
	for (size_t i = 0; i < trace->count; i++) {
		int64_t by = INTERVAL + (int64_t)(next_random(random) % 3) * KRYOS_SECONDS(20) - KRYOS_SECONDS(20);
		int64_t value =
			(int64_t)(next_random(random) % 21) * 100000 - 1000000; /* -1 to 1 about the threshold */
		uint16_t trust = sample.trust;

		if (next_random(random) % 12 < gaps / 3)
			by = (int64_t)(next_random(random) % 5) * INTERVAL; /* 0, too: the same time twice */
		if (i > 0 && next_random(random) % 3)                       /* an excursion lasts */
			value = (sample.value_micro < 0 ? -1 : 1) * llabs(value);
		sample.value_micro = value;
		if (next_random(random) % 20 == 0)
			step += KRYOS_HOURS((int64_t)(next_random(random) % 5) - 2); /* of the wall clock */
		wall += by;
		sample.quality = next_random(random) % 16 < bad ? others[next_random(random) % 8] : KRYOS_QUALITY_GOOD;
		trace->cut[i] = false;
		if (i > 0 && next_random(random) % 60 < reboots) {
			bool trusted;

			trust = (uint16_t)(next_random(random) % 4);
			trusted = trust >= KRYOS_TRUST_RTC && sample.trust >= KRYOS_TRUST_RTC;
			sample.boot++;
			sample.t_boot_ns = KRYOS_SECONDS(20);
			by = wall + step - sample.t_wall_ns; /* what the two stamps say */
			if (!trusted || by < sample.t_boot_ns)
				by = sample.t_boot_ns;
			trace->cut[i] = !trusted;
		} else {
			sample.t_boot_ns += by;
		}
		sample.trust = trust;
		sample.t_wall_ns = wall + step;
		trace->at[i] = i == 0 ? 0 : trace->at[i - 1] + by;
		trace->samples[i] = sample;
	}
}

void make_rule(struct kryos_rule *rule, enum shape shape, enum kryos_rule_gap gap, uint64_t *random)
{
	*rule = (struct kryos_rule){ .size = sizeof(*rule), .has = KRYOS_RULE_DURATION, .name = "rule" };
	rule->kind = next_random(random) % 8 ? KRYOS_RULE_CUSTOM : KRYOS_RULE_SENSOR;
	rule->mode = shape == RUN || shape == RUN_WITH_RESET ? KRYOS_RULE_CONSECUTIVE : KRYOS_RULE_CUMULATIVE;
	rule->gap = gap;
	rule->duration_ns = (int64_t)(next_random(random) % 8) * INTERVAL;
	if (rule->mode == KRYOS_RULE_CUMULATIVE)
		rule->duration_ns += KRYOS_MINUTES(1);
	if (shape == SUM_IN_WINDOW)
		rule->window_ns = rule->duration_ns + (int64_t)(next_random(random) % 20) * INTERVAL;
	if (next_random(random) % 2)
		rule->gap_limit_ns = (int64_t)(1 + next_random(random) % 4) * INTERVAL;
	if (rule->kind != KRYOS_RULE_SENSOR) {
		rule->has |= KRYOS_RULE_THRESHOLD;
		rule->comparator = (enum kryos_comparator)(1 + next_random(random) % 4);
	}
	if (shape != RUN_WITH_RESET)
		return;
	rule->reset_ns = (int64_t)(next_random(random) % 4) * INTERVAL;
	if (rule->kind == KRYOS_RULE_SENSOR || (rule->reset_ns && next_random(random) % 2))
		return;
	rule->hysteresis_micro = (int64_t)(1 + next_random(random) % 4) * 100000;
}
