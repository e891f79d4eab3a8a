/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes when a limit is reached: the oldest segment whose samples every queue has delivered,
 * else the oldest, as a recorded gap. Decided durably first, removed after, so that a cut between
 * leaves nothing half gone. Events outlive segments. Writer thread.
 */
#include "private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_GAPS 16 /* for one queue and one segment; what is more is said of together */

static int64_t total_bytes(struct kryos_store *store)
{
	char path[PATH_MAX];
	int64_t total, state;

	snprintf(path, sizeof(path), "%s/state.db", store->folder);
	total = state = kri_db_bytes(path);
	pthread_mutex_lock(&store->lock);
	store->state_bytes = state;
	for (int i = 0; i < store->segment_count; i++)
		total += store->segments[i].bytes;
	pthread_mutex_unlock(&store->lock);
	return total;
}

static bool is_owed(struct kryos_store *store, const struct kri_segment_info *info,
                    const struct kri_absent_list *absent)
{
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	bool owed = false;
	int count;

	for (int i = 0; i < absent->count; i++) {
		struct kri_run run;

		if (kri_ranges_next(&absent->list[i].samples, info->first_seq, &run) && run.first <= info->last_seq)
			return true;
	}
	pthread_mutex_lock(&store->lock);
	count = kri_store_take_queues(store, queues);
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < count; i++) {
		struct kri_run run;

		pthread_mutex_lock(&queues[i]->lock);
		owed |= kri_ranges_next(&queues[i]->samples, info->first_seq, &run) && run.first <= info->last_seq;
		pthread_mutex_unlock(&queues[i]->lock);
		kri_queue_unref(queues[i]);
	}
	return owed;
}

/* How many samples a closed segment has there; -1: it can't be read. */
static int64_t count_samples(struct kryos_store *store, const struct kri_segment_info *info, const struct kri_run *run)
{
	char path[PATH_MAX], sql[120];
	int64_t count = -1;
	sqlite3 *db = NULL;

	/* What SQL finds in a damaged one says nothing of what it had. */
	if (info->bad && !info->mended)
		return -1;
	kri_segment_read_path(store->folder, info, path, sizeof(path));
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM sample WHERE seq BETWEEN %" PRId64 " AND %" PRId64, run->first,
	         run->last);
	if (kri_sql_open(&db, path, SQLITE_OPEN_READONLY) < 0 || kri_sql_int(db, sql, &count) < 0)
		count = -1;
	sqlite3_close_v2(db);
	return count;
}

/* Of seqs without a row: whether they are events', or nobody's as far as the segment is as it was written. */
static bool had_no_samples(struct kryos_store *store, const struct kri_segment_info *info, const struct kri_run *run)
{
	char path[PATH_MAX];
	int64_t events = 0;
	bool whole = false;

	if (info->whole || info->mended ||
	    (kri_state_count_events(store->state, run->first, run->last, &events) >= 0 &&
	     events == run->last - run->first + 1))
		return true;
	kri_segment_path(store->folder, info->first_seq, path, sizeof(path));
	return kri_verify_segment(path, info->first_seq, &whole) >= 0 && whole;
}

static int announce_gap(struct kryos_store *store, const struct kri_segment_info *info, const char *queue,
                        const struct kri_run *run, const char *why)
{
	int64_t count = count_samples(store, info, run);
	char text[200];
	struct kryos_event gap = {
		.type = KRYOS_EVENT_GAP, .name = queue, .first_seq = run->first, .last_seq = run->last, .text = text
	};

	if (!count && had_no_samples(store, info, run))
		return 0;
	if (count > 0)
		snprintf(text, sizeof(text), "%s; %" PRId64 " samples were not delivered", why, count);
	else
		snprintf(text, sizeof(text), "%s; what was not delivered can't be counted", why);
	/* (By a try before this one, which found no place for all.) */
	return kri_store_is_gap_waiting(store, &gap) ? 0 : kri_store_announce(store, &gap);
}

/* The same for one that is not open: it finds out when it comes that there is nothing, and the gap says why. */
static int announce_absent(struct kryos_store *store, const struct kri_segment_info *info,
                           const struct kri_absent *absent, const char *why)
{
	struct kri_run run;
	int64_t at = info->first_seq;
	int r = 0;

	for (int i = 0;
	     i < MAX_GAPS && r >= 0 && kri_ranges_next(&absent->samples, at, &run) && run.first <= info->last_seq;
	     i++) {
		/* The last one spans what is left. */
		if (run.last > info->last_seq || i + 1 == MAX_GAPS)
			run.last = info->last_seq;
		r = announce_gap(store, info, absent->name, &run, why);
		at = run.last + 1;
	}
	return r;
}

/* What is no longer to be delivered becomes a gap, for each queue that still owed of it. */
static int forget(struct kryos_store *store, const struct kri_segment_info *info, const char *why)
{
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	struct kri_run runs[MAX_GAPS];
	int count, r = 0;

	pthread_mutex_lock(&store->lock);
	count = kri_store_take_queues(store, queues);
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < count; i++) {
		int lost =
			r < 0 ? 0 : kri_queue_forget(queues[i], false, info->first_seq, info->last_seq, runs, MAX_GAPS);

		for (int j = 0; j < lost; j++) {
			if (r >= 0)
				r = announce_gap(store, info, queues[i]->name, &runs[j], why);
			if (r < 0)
				kri_queue_owe_again(queues[i], false, &runs[j]);
		}
		kri_queue_unref(queues[i]);
	}
	return r;
}

int kri_store_remove_given_up(struct kryos_store *store)
{
	int64_t first_seq = store->given_up;
	struct kri_segment_info *info;
	char path[PATH_MAX];

	if (!first_seq)
		return 0;
	store->given_up = 0;
	store->syncs.cause = KRI_SYNC_ROTATION;
	kri_segment_path(store->folder, first_seq, path, sizeof(path));
	pthread_mutex_lock(&store->lock);
	info = kri_store_find_segment(store, first_seq);
	if (info)
		kri_store_drop_segment(store, info);
	pthread_mutex_unlock(&store->lock);
	kri_log(store->ctx, KRYOS_LOG_NOTICE, "store", 0, "removed %s", path);
	kri_store_learn_first(store);
	return kri_remove_db(path);
}

/* The gaps and the mark that it is gone come with one commit, and the file goes once that is on the disk. */
static int drop(struct kryos_store *store, const struct kri_segment_info *chosen, const struct kri_absent_list *absent,
                const char *why)
{
	struct kri_segment_info info = *chosen;
	char text[24];
	int r = 0;

	/* On a disk that is full the gap may not find room either: then nothing is given up. */
	if (store->room.trouble || store->state_at_ns) {
		snprintf(text, sizeof(text), "%" PRId64, info.first_seq);
		r = kri_state_put_meta(store->state, "making_room", text);
	}
	if (r < 0)
		return r;
	/* (One that could not be committed before goes first: its gaps are on their way.) */
	if (!store->giving_up) {
		r = kri_store_make_place(store, KRI_MAX_QUEUES * MAX_GAPS);
		if (r >= 0)
			r = forget(store, &info, why);
		for (int i = 0; i < absent->count && r >= 0; i++)
			r = announce_absent(store, &info, &absent->list[i], why);
		if (r < 0)
			return r;
		store->giving_up = info.first_seq;
	}
	pthread_mutex_lock(&store->lock);
	r = kri_store_commit_state(store);
	pthread_mutex_unlock(&store->lock);
	return r < 0 ? r : kri_store_remove_given_up(store);
}

static bool is_old(struct kryos_store *store, const struct kri_segment_info *info)
{
	struct kryos_time now = { 0 };

	/* Only by time that can be believed on both ends: a wrong clock must never delete a month. */
	if (kryos_clock_now(store->ctx, &now) < 0 || now.trust < KRYOS_TRUST_RTC || info->last_trust < KRYOS_TRUST_RTC)
		return false;
	return kri_ns_subtract(now.t_wall_ns, info->last_wall_ns) > store->config.keep_ns;
}

/* What may go: the oldest of all, the oldest that nobody is owed of, the oldest that is too old. NULL: none. */
struct choice {
	const struct kri_segment_info *oldest, *delivered, *old;
};

/* Only this thread changes the list. */
static struct choice choose(struct kryos_store *store, const struct kri_absent_list *absent)
{
	struct choice choice = { NULL, NULL, NULL };
	bool judged = false;

	/* The newest is the one written to. */
	for (int i = 0; i + 1 < store->segment_count && !(choice.delivered && judged); i++) {
		const struct kri_segment_info *info = &store->segments[i];

		if (info->left_out || (!info->recorded && !info->bad) ||
		    (store->segment && store->segment->first_seq == info->first_seq))
			continue;
		if (!choice.oldest)
			choice.oldest = info;
		if (!choice.delivered && !is_owed(store, info, absent))
			choice.delivered = info;
		/* Age goes by order: what is behind one that is kept is younger. A damaged one has no age. */
		if (!info->bad && !judged) {
			judged = true;
			choice.old = is_old(store, info) ? info : NULL;
		}
	}
	return choice;
}

static void set_full(struct kryos_store *store, bool full)
{
	pthread_mutex_lock(&store->lock);
	store->full = full && store->config.full == KRYOS_FULL_REFUSE;
	pthread_mutex_unlock(&store->lock);
}

/* One step: 1: something went, ask again; 0: nothing is to go. */
static int retain_one(struct kryos_store *store, const struct kri_absent_list *absent)
{
	bool over = total_bytes(store) > store->limit_bytes, tight = kri_room_is_tight(store);
	struct choice choice = choose(store, absent);
	const struct kri_segment_info *gone;
	int r;

	set_full(store, (over || tight) && !choice.delivered);
	gone = over ? choice.delivered : choice.old;
	if (!gone && over && store->config.full == KRYOS_FULL_DROP_OLDEST)
		gone = choice.oldest;
	if (!gone)
		return 0;
	r = drop(store, gone, absent, over ? "removed to make room" : "older than is to be kept");
	return r < 0 ? r : 1;
}

static int make_room(struct kryos_store *store, const struct kri_absent_list *absent, bool undelivered)
{
	bool tight = store->room.tight, owed;
	int removed = 0, r;

	do {
		struct choice choice = choose(store, absent);
		const struct kri_segment_info *gone = choice.delivered;

		owed = !gone;
		if (owed && undelivered && store->config.full == KRYOS_FULL_DROP_OLDEST && kri_room_may_help(store))
			gone = choice.oldest;
		if (tight && !gone)
			set_full(store, true);
		if (!gone)
			return removed;
		r = drop(store, gone, absent, "removed to make room");
		if (r < 0)
			return r;
		removed = 1;
		kri_room_removed(store, owed);
	} while (tight && kri_room_is_tight(store));
	return removed;
}

int kri_store_make_room(struct kryos_store *store, bool undelivered)
{
	struct kri_absent_list absent;
	int r = kri_absent_read(store, &absent);

	if (r < 0)
		return r;
	r = make_room(store, &absent, undelivered);
	kri_absent_clear(&absent);
	return r;
}

int kri_store_retain(struct kryos_store *store)
{
	struct kri_absent_list absent;
	int r = kri_absent_read(store, &absent);

	if (r < 0)
		return r;
	r = kri_store_trim_state(store, &absent);
	while (r >= 0 && (r = retain_one(store, &absent)) > 0)
		;
	if (r >= 0 && store->room.tight)
		r = make_room(store, &absent, true);
	kri_absent_clear(&absent);
	return r;
}
