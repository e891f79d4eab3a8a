/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging what the store holds: samples of the channel, changes of a channel of two states between them, and when the
 * channel was retired and resumed, each at its time. Of a recorded period that is the row of the channel itself.
 */
#include "private.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOST_NS KRYOS_DAYS(10)
#define KEEP_NEWS 32 /* are stored before more of what was stored is judged */

/* Both in their order, looked at in the order of time. */
struct feed {
	struct kri_watched *watched;
	struct kryos_reader *reader;
	struct kryos_sample sample, edge;
	enum kryos_event_type edge_type; /* a change; or a start or an alarm, which are marks among them */
	int64_t lasted_ns;               /* what was before the edge */
	bool has_sample, has_edge;
	bool is_mixed;              /* the sample is of a period in which a channel of two states was in both */
	struct kryos_sample newest; /* the newest edge that was looked at, or what was judged before */
	bool has_newest;
	struct kryos_instant from,
		last; /* what the state knows already; the newest that was judged, or is in the exposure */
	bool has_from, has_last;
	int64_t since_ns; /* by wall time: edges that are older, and before the first sample, are none of it; 0: all are
	                   */
	int result;
};

int kri_stored_next(struct kryos_reader *reader, int (*next)(struct kryos_reader *, const struct kryos_record **),
                    const struct kryos_record **ret_record)
{
	int r = next(reader, ret_record);

	for (int i = 0; r == -EBUSY && i < 100; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		r = next(reader, ret_record);
	}
	return r;
}

static bool next_record(struct feed *feed, int (*next)(struct kryos_reader *, const struct kryos_record **),
                        const struct kryos_record **ret_record)
{
	int r = kri_stored_next(feed->reader, next, ret_record);

	if (r < 0)
		feed->result = r;
	return r > 0;
}

/* Its mean says for how long the channel was in each, not in which it is. */
static bool is_mixed(const struct kryos_record *record)
{
	return strcmp(record->unit, "/") == 0 && record->sample.value_micro > 0 && record->sample.value_micro < 1000000;
}

static void find_sample(struct feed *feed)
{
	const struct kryos_record *record;

	feed->has_sample = false;
	while (!feed->has_sample && next_record(feed, kryos_reader_next, &record)) {
		if (strcmp(record->channel, feed->watched->name) != 0)
			continue;
		feed->is_mixed = is_mixed(record);
		feed->sample = record->sample;
		feed->sample.channel = feed->watched->channel;
		feed->has_sample = true;
	}
}

static void find_edge(struct feed *feed)
{
	const struct kryos_record *record;

	feed->has_edge = false;
	while (!feed->has_edge && next_record(feed, kryos_reader_next_event, &record)) {
		feed->edge_type = record->event->type;
		if (feed->edge_type != KRYOS_EVENT_START &&
		    ((feed->edge_type != KRYOS_EVENT_STATE && feed->edge_type != KRYOS_EVENT_ALARM_ON) ||
		     strcmp(record->event->name, feed->watched->name) != 0))
			continue;
		feed->edge = record->sample;
		feed->edge.channel = feed->watched->channel;
		feed->edge.value_micro = record->event->code ? 1000000 : 0;
		feed->edge.seq = 0;
		feed->lasted_ns = record->event->value_ns;
		feed->has_edge = true;
	}
}

/* The state at the end of a period in which it changed is that of the change; false: none of that period is stored. */
static bool take_newest_state(const struct feed *feed, struct kryos_sample *sample)
{
	if (!feed->has_newest || feed->newest.boot != sample->boot ||
	    sample->t_boot_ns - feed->newest.t_boot_ns > feed->watched->record_ns)
		return false;
	sample->value_micro = feed->newest.value_micro;
	return true;
}

static bool edge_comes_first(const struct feed *feed)
{
	struct kryos_instant sample = kri_instant_of(&feed->sample), edge = kri_instant_of(&feed->edge);

	return !feed->has_sample || kri_instant_is_before(&edge, &sample);
}

/* What people said before until (NULL: all of it) holds from then on. */
static void retire_until(const struct feed *feed, const struct kryos_instant *until)
{
	struct kri_retirement *retirement;

	while ((retirement = kri_retirements_take(feed->watched, until))) {
		if (!feed->has_from || !kri_instant_is_before(&retirement->at, &feed->from))
			kri_watched_retire(feed->watched, retirement);
		free(retirement);
	}
}

/* Before a start nobody knows until when the line was read; where an alarm was told it was until then. */
static void pass_mark(struct feed *feed)
{
	struct kryos_instant at = kri_instant_of(&feed->edge);
	int r = 0;

	retire_until(feed, &at);
	if (feed->edge_type == KRYOS_EVENT_START)
		feed->watched->lasts = feed->has_newest = false;
	else
		r = kri_watched_judge_due(feed->watched, &at);
	if (r < 0)
		feed->result = r;
}

/* The next of both, and of an edge how long what was before it lasted; false: there is none. */
static bool next(struct feed *feed, struct kryos_sample *ret_sample, int64_t *ret_lasted_ns)
{
	while (feed->has_sample || feed->has_edge) {
		bool says_state;

		if (feed->has_edge && edge_comes_first(feed) && feed->edge_type != KRYOS_EVENT_STATE) {
			pass_mark(feed);
			find_edge(feed);
			continue;
		}
		if (feed->has_edge && edge_comes_first(feed)) {
			*ret_sample = feed->newest = feed->edge;
			*ret_lasted_ns = feed->lasted_ns;
			feed->has_newest = true;
			find_edge(feed);
			return true;
		}
		*ret_sample = feed->sample;
		says_state = !feed->is_mixed || take_newest_state(feed, ret_sample);
		find_sample(feed);
		if (says_state)
			return true;
	}
	return false;
}

static bool is_known(const struct feed *feed, const struct kryos_instant *at)
{
	return feed->has_from && !kri_instant_is_before(&feed->from, at);
}

static int judge_one(struct feed *feed, const struct kryos_sample *sample)
{
	struct kryos_instant at = kri_instant_of(sample);
	bool known = is_known(feed, &at);
	int r = 0;

	retire_until(feed, &at);
	if (known)
		kri_watched_remember(feed->watched, sample);
	else if (kri_watched_is_older(feed->watched, sample))
		return 0;
	else
		r = kri_watched_judge(feed->watched, sample);
	feed->last = at;
	feed->has_last = true;
	return r;
}

/*
 * A period's row stands for all of it, and so does a change for how long the other state lasted: where what was before
 * is no further away, that is judged as often as it was measured, but for the last time. One sample in each period
 * would be mostly gap.
 */
static int judge_since_last(struct feed *feed, const struct kryos_sample *sample, int64_t lasted_ns)
{
	int64_t record_ns = feed->watched->record_ns, every_ns = feed->watched->interval_ns, before_ns = 0;
	struct kryos_sample part = *sample;
	int r = 0;

	if (record_ns && feed->has_last && sample->boot == feed->last.boot)
		before_ns = sample->t_boot_ns - feed->last.t_boot_ns;
	if (before_ns > record_ns + every_ns || before_ns > lasted_ns)
		return 0;
	for (before_ns -= every_ns; r >= 0 && before_ns > 0; before_ns -= every_ns) {
		part.t_boot_ns = sample->t_boot_ns - before_ns;
		part.t_wall_ns = sample->t_wall_ns - before_ns;
		r = judge_one(feed, &part);
	}
	return r;
}

static int judge_sample(struct feed *feed, const struct kryos_sample *sample)
{
	int r = judge_since_last(feed, sample, INT64_MAX);

	if (r >= 0)
		r = judge_one(feed, sample);
	feed->watched->replayed_seq = sample->seq;
	return r;
}

static int judge_edge(struct feed *feed, struct kryos_sample *edge, int64_t lasted_ns)
{
	struct kryos_instant at = kri_instant_of(edge);
	struct kryos_sample before = *edge;
	int r = 0;

	if (is_known(feed, &at))
		return 0;
	before.value_micro = edge->value_micro ? 0 : 1000000;
	if (kri_watched_is_older(feed->watched, edge)) {
		kri_watched_put_last(feed->watched, edge);
		lasted_ns = 0;
	} else {
		r = judge_since_last(feed, &before, lasted_ns);
	}
	retire_until(feed, &at);
	feed->last = kri_instant_of(edge);
	feed->has_last = true;
	return r < 0 ? r : kri_watched_judge_change(feed->watched, edge, lasted_ns);
}

static void judge_all(struct feed *feed)
{
	struct kri_watched *watched = feed->watched;
	struct kryos_sample sample;
	int64_t lasted_ns = 0;
	int r = 0;

	feed->from = feed->last = watched->judged;
	feed->has_from = feed->has_last = watched->has_judged;
	if (feed->has_from)
		kri_watched_get_remembered(watched, &feed->last);
	/* Changes from before the state was kept are not read: what lasts was judged last. */
	feed->newest = watched->state;
	feed->has_newest = watched->lasts;
	if (feed->result >= 0) {
		find_sample(feed);
		find_edge(feed);
		while (feed->has_edge && feed->edge.t_wall_ns < feed->since_ns && edge_comes_first(feed))
			find_edge(feed);
	}
	while (r >= 0 && next(feed, &sample, &lasted_ns)) {
		r = sample.seq ? judge_sample(feed, &sample) : judge_edge(feed, &sample, lasted_ns);
		if (!watched->quiet && watched->news_count >= KEEP_NEWS)
			kri_watched_keep(watched);
	}
	retire_until(feed, NULL);
	watched->lasts = false; /* until the line is read again */
	if (r < 0)
		feed->result = r;
	/* Where not all could be read the next start goes on from there. */
	if (feed->result >= 0)
		watched->replayed_seq = 0;
}

static bool open_feed(struct feed *feed)
{
	struct kryos_store *store = feed->watched->monitor->store;

	feed->result = kryos_reader_open(&feed->reader, feed->watched->monitor->ctx, kri_store_get_path(store));
	if (feed->result < 0)
		feed->reader = NULL;
	return feed->result >= 0;
}

/* 0 where all was judged, and where nothing is stored. */
static int close_feed(struct feed *feed)
{
	kryos_reader_close(feed->reader);
	if (feed->result >= 0 || feed->result == -ENOENT)
		return 0;
	kri_log(feed->watched->monitor->ctx, KRYOS_LOG_WARNING, "monitor", feed->result,
	        "%s: not all that was stored since its state was kept could be judged: %s", feed->watched->name,
	        kryos_strerror(feed->result));
	return feed->result;
}

/*
 * The newest trusted stamp among what is stored: what the clock says now, or said when nobody could trust it, may be
 * years off. Where there is none the clock is all there is.
 */
static int newest_wall_ns(struct feed *feed, int64_t *ret_wall_ns)
{
	struct kryos_monitor *monitor = feed->watched->monitor;
	const struct kryos_record *record;
	int64_t newest, after = kri_store_get_trusted_end(monitor->store, &newest);
	int r = kryos_reader_seek(feed->reader, after + 1);

	while (r >= 0 && next_record(feed, kryos_reader_next, &record))
		if (record->sample.trust >= KRYOS_TRUST_RTC && record->sample.t_wall_ns > newest)
			newest = record->sample.t_wall_ns;
	if (r >= 0)
		r = feed->result;
	*ret_wall_ns = newest ? newest : kri_wall_ns(monitor->ctx);
	return r;
}

/* Where the newest ten days begin, or as much as a rule looks back on, or what the events say is open since. */
static int seek_lost(struct feed *feed)
{
	struct kri_watched *watched = feed->watched;
	int64_t newest = 0, back = LOST_NS;
	int r = newest_wall_ns(feed, &newest);

	for (uint32_t i = 0; i < watched->rule_count; i++) {
		back = watched->rules[i].window_ns > back ? watched->rules[i].window_ns : back;
		back = watched->rules[i].duration_ns > back ? watched->rules[i].duration_ns : back;
	}
	if (r < 0)
		return r;
	/* A row stands for the period before it. */
	feed->since_ns = kri_announced_since(watched, newest - back) - watched->record_ns - watched->interval_ns;
	return kryos_reader_seek_time(feed->reader, feed->since_ns); /* of the samples; the events are all to come */
}

/* What is open and was not told is told, with its true beginning; what was told, and acknowledged, is the same still.
 */
static void take_open(struct kri_watched *watched)
{
	struct kryos_episode episode;

	for (unsigned int i = 0; i < watched->rule_count; i++) {
		struct kri_announced *announced;

		if (kryos_evaluator_look(watched->evaluator, i, &episode) <= 0)
			continue;
		episode.rule.name = episode.name;
		announced = kri_announced_take(watched, episode.name, NULL);
		if (announced)
			kri_watched_adopt(watched, &episode, &announced->episode);
		kri_alarms_take(watched, &episode, true);
		if (!announced)
			kri_news_tell(watched, &episode, NULL);
		free(announced);
	}
}

/* Whether the evaluator has it open. Where what it has open was told to have ended, it is the one that was told since.
 */
static bool goes_on(struct kri_watched *watched, unsigned int rule, const struct kryos_episode *told)
{
	struct kryos_episode episode;

	if (kryos_evaluator_look(watched->evaluator, rule, &episode) <= 0)
		return false;
	if (kri_announced_has_end(watched, &episode, KRYOS_EPISODE_OPEN)) {
		kri_watched_adopt(watched, &episode, told);
		kri_alarms_take(watched, &episode, true);
	}
	return kri_instant_is_same(&episode.trigger, &told->trigger);
}

/*
 * Of what was told to be open and is not found among what is stored, nothing is known any more from its trigger on: the
 * samples are gone, or their period's row is in range, or the rule is gone. What was told with the state it knows.
 */
static void end_unknown(const struct feed *feed)
{
	struct kri_watched *watched = feed->watched;

	for (struct kri_announced *at = watched->announced; at; at = at->next) {
		struct kryos_episode *episode = &at->episode;
		unsigned int i = 0;

		if (is_known(feed, &episode->trigger) || kri_announced_has_end(watched, episode, KRYOS_EPISODE_OPEN))
			continue;
		while (i < watched->rule_count && strcmp(watched->rule_names[i], episode->name) != 0)
			i++;
		if (i < watched->rule_count && goes_on(watched, i, episode))
			continue;
		episode->ended_by = i < watched->rule_count ? KRYOS_EPISODE_SENSOR_LOST : KRYOS_EPISODE_RECONFIGURED;
		episode->end = episode->trigger;
		kri_alarms_take(watched, episode, true);
		kri_news_tell(watched, episode, NULL);
	}
}

/* An open one that people acknowledged, of a rule that has none open now, was another. */
static void drop_stale(struct kri_watched *watched)
{
	struct kryos_episode episode;

	for (struct kri_alarm **at = &watched->alarms, *alarm; *at;) {
		bool open = false;

		alarm = *at;
		for (unsigned int i = 0; i < watched->rule_count && !open; i++)
			open = kryos_evaluator_look(watched->evaluator, i, &episode) > 0 &&
			       strcmp(episode.name, alarm->episode.name) == 0 &&
			       kri_instant_is_same(&episode.trigger, &alarm->episode.trigger);
		if (open || alarm->episode.ended_by) {
			at = &alarm->next;
			continue;
		}
		*at = alarm->next;
		free(alarm);
	}
}

int kri_watched_replay(struct kri_watched *watched, int64_t after_seq)
{
	struct feed feed = { .watched = watched };

	if (open_feed(&feed)) {
		feed.result = kryos_reader_seek(feed.reader, after_seq + 1);
		/* Where state.db was lost the state is older than events that could be saved. */
		if (feed.result >= 0)
			feed.result = kri_announced_load(watched, feed.reader, false);
		if (feed.result >= 0)
			feed.result = kryos_reader_seek(feed.reader, after_seq + 1);
		kri_watched_hold_kept(watched);
		judge_all(&feed);
		if (feed.result >= 0)
			end_unknown(&feed);
		kri_announced_free(watched);
	}
	return close_feed(&feed);
}

void kri_watched_replay_lost(struct kri_watched *watched)
{
	struct feed feed = { .watched = watched };

	kri_monitor_flush(watched->monitor);
	if (open_feed(&feed)) {
		feed.result = kri_announced_load(watched, feed.reader, true);
		watched->has_judged = watched->lasts = false;
		if (feed.result >= 0)
			feed.result = seek_lost(&feed);
		watched->quiet = true;
		judge_all(&feed);
		watched->quiet = false;
		take_open(watched);
		if (feed.result >= 0)
			end_unknown(&feed);
		drop_stale(watched);
		kri_announced_free(watched);
	}
	close_feed(&feed);
}
