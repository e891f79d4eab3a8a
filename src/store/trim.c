/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps state.db small, which outlives the segments. Writer thread. */
#include "private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t used_bytes(sqlite3 *db)
{
	int64_t pages = 0, unused = 0;
	int r = kri_sql_int(db, "PRAGMA page_count", &pages);

	if (r >= 0)
		r = kri_sql_int(db, "PRAGMA freelist_count", &unused);
	return r < 0 ? r : (pages - unused) * 512;
}

/* The oldest event that a queue still owes. */
static int64_t oldest_owed_event(struct kryos_store *store, const struct kri_absent_list *absent)
{
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	int64_t oldest = INT64_MAX;
	int count;

	for (int i = 0; i < absent->count; i++) {
		struct kri_run run;

		if (kri_ranges_next(&absent->list[i].events, 1, &run) && run.first < oldest)
			oldest = run.first;
	}
	pthread_mutex_lock(&store->lock);
	count = kri_store_take_queues(store, queues);
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < count; i++) {
		struct kri_run run;

		pthread_mutex_lock(&queues[i]->lock);
		if (kri_ranges_next(&queues[i]->events, 1, &run) && run.first < oldest)
			oldest = run.first;
		pthread_mutex_unlock(&queues[i]->lock);
		kri_queue_unref(queues[i]);
	}
	return oldest;
}

/* How many events of that queue are gone with a run, and from which on: one that speaks of others speaks for them. */
static int64_t count_gone(sqlite3 *db, const char *queue, struct kri_run *run)
{
	sqlite3_stmt *rows;
	int64_t count = 0;

	if (kri_sql_prepare(db, &rows,
	                    "SELECT type, code, name, first_seq, text FROM event WHERE seq BETWEEN ? AND ?") < 0)
		return 0;
	sqlite3_bind_int64(rows, 1, run->first);
	sqlite3_bind_int64(rows, 2, run->last);
	while (sqlite3_step(rows) == SQLITE_ROW) {
		const char *said = strchr(kri_sql_text(rows, 4), ';');

		if (sqlite3_column_int(rows, 0) == KRYOS_EVENT_GAP &&
		    sqlite3_column_int(rows, 1) == KRYOS_STREAM_EVENTS && strcmp(kri_sql_text(rows, 2), queue) == 0 &&
		    said) {
			count += strtoll(said + 1, NULL, 10);
			if (sqlite3_column_int64(rows, 3) < run->first)
				run->first = sqlite3_column_int64(rows, 3);
		} else {
			count++;
		}
	}
	sqlite3_finalize(rows);
	return count;
}

static int announce_gone(struct kryos_store *store, const char *queue, struct kri_run *run)
{
	int64_t count = count_gone(store->state->db, queue, run);
	char text[100];
	struct kryos_event gap = { .type = KRYOS_EVENT_GAP,
		                   .code = KRYOS_STREAM_EVENTS,
		                   .name = queue,
		                   .first_seq = run->first,
		                   .last_seq = run->last,
		                   .text = text };

	if (!count)
		return 0;
	snprintf(text, sizeof(text), "removed to make room; %" PRId64 " events were not delivered", count);
	return kri_store_is_gap_waiting(store, &gap) ? 0 : kri_store_announce(store, &gap);
}

/* What a queue owed of the events before that one becomes a gap. */
static int announce_all_gone(struct kryos_store *store, const struct kri_absent_list *absent, int64_t seq)
{
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	struct kri_run run;
	int count, r = kri_store_make_place(store, KRI_MAX_QUEUES);

	for (int i = 0; i < absent->count && r >= 0; i++) {
		if (!kri_ranges_next(&absent->list[i].events, 1, &run) || run.first >= seq)
			continue;
		run.last = seq - 1;
		r = announce_gone(store, absent->list[i].name, &run);
	}
	pthread_mutex_lock(&store->lock);
	count = kri_store_take_queues(store, queues);
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < count; i++) {
		if (r >= 0 && kri_queue_forget(queues[i], true, 1, seq - 1, &run, 1)) {
			struct kri_run owed = run;

			r = announce_gone(store, queues[i]->name, &run);
			if (r < 0)
				kri_queue_owe_again(queues[i], true, &owed);
		}
		kri_queue_unref(queues[i]);
	}
	return r;
}

/* The gaps are on the disk before the events go. Where they can't be stored now they are not announced again. */
static int give_up_before(struct kryos_store *store, const struct kri_absent_list *absent, int64_t seq)
{
	int r = store->trimming ? 0 : announce_all_gone(store, absent, seq);

	if (r < 0)
		return r;
	store->trimming = seq;
	pthread_mutex_lock(&store->lock);
	r = kri_store_commit_state(store);
	pthread_mutex_unlock(&store->lock);
	return r;
}

/*
 * What is kept must go on from something that is signed, and the record must say that there was more: both before
 * anything goes. 0: there is nothing to go.
 */
static int announce_trim(struct kryos_store *store, int64_t seq)
{
	struct kryos_event event = { .type = KRYOS_EVENT_AUDIT,
		                     .code = KRI_AUDIT_TRIM,
		                     .name = "store",
		                     .last_seq = seq - 1,
		                     .text = "events removed to make room" };
	int r = kri_sql_int(store->state->db, "SELECT coalesce(min(seq),0) FROM event", &event.first_seq);

	if (r < 0 || event.first_seq >= seq)
		return r;
	r = kri_audit_seal_before(store, seq);
	if (r >= 0)
		r = kri_store_announce(store, &event);
	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	r = kri_store_commit_state(store);
	pthread_mutex_unlock(&store->lock);
	return r < 0 ? r : 1;
}

/*
 * Of the limit an eighth may be events: else the older half of them goes, if delivered; at twice that in any case, for
 * a relay that never delivers must not fill the disk.
 */
static int trim_events(struct kryos_store *store, const struct kri_absent_list *absent)
{
	sqlite3 *db = store->state->db;
	int64_t used = used_bytes(db), middle = 0, owed;
	char sql[80];
	int r;

	if (used <= store->limit_bytes / 8)
		return used < 0 ? (int)used : 0;
	r = kri_sql_int(db,
	                "SELECT coalesce((SELECT seq FROM event ORDER BY seq LIMIT 1"
	                " OFFSET (SELECT count(*) / 2 FROM event)), 0)",
	                &middle);
	if (r < 0)
		return r;
	owed = oldest_owed_event(store, absent);
	if (store->trimming)
		middle = store->trimming;
	if (store->trimming || (owed < middle && used > store->limit_bytes / 4))
		r = give_up_before(store, absent, owed = middle);
	if (r < 0)
		return r;
	middle = owed < middle ? owed : middle;
	r = announce_trim(store, middle);
	if (r <= 0)
		return r;
	store->syncs.cause = KRI_SYNC_STATE;
	snprintf(sql, sizeof(sql), "%" PRId64, middle);
	r = kri_state_put_meta(store->state, "trimmed", sql);
	if (r < 0)
		return r;
	snprintf(sql, sizeof(sql), "DELETE FROM event WHERE seq < %" PRId64, middle);
	r = kri_sql_exec(db, sql);
	if (r >= 0)
		store->trimming = 0;
	return r;
}

/* Boots of which no sample and no event is left; never this one. */
static int trim_boots(struct kryos_store *store)
{
	int64_t event_boot = store->boot;
	uint32_t first;
	char sql[80];
	int r;

	r = kri_sql_int(store->state->db, "SELECT boot FROM event ORDER BY seq LIMIT 1", &event_boot);
	if (r < 0 && r != -ENOENT)
		return r;
	pthread_mutex_lock(&store->lock);
	first = event_boot < store->first_boot ? (uint32_t)event_boot : store->first_boot;
	if (first > store->boot) /* where damaged rows name later ones */
		first = store->boot;
	pthread_mutex_unlock(&store->lock);
	snprintf(sql, sizeof(sql), "DELETE FROM boot WHERE boot < %" PRIu32, first);
	r = kri_sql_exec(store->state->db, sql);
	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	kri_boots_forget(&store->boots, first);
	pthread_mutex_unlock(&store->lock);
	return 0;
}

int kri_store_trim_state(struct kryos_store *store, const struct kri_absent_list *absent)
{
	int64_t oldest;
	char sql[560];
	int r = trim_events(store, absent);

	store->syncs.cause = KRI_SYNC_STATE;
	if (r >= 0)
		r = trim_boots(store);
	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	oldest = store->segment_count ? store->segments[0].first_seq : 0;
	pthread_mutex_unlock(&store->lock);
	snprintf(sql, sizeof(sql),
	         "DELETE FROM channel WHERE segment < %" PRId64 ";"
	         "DELETE FROM gap WHERE id <= (SELECT max(id) FROM gap) - %d;"
	         "DELETE FROM seal WHERE dropped=1 AND first_seq < (SELECT first_seq FROM seal WHERE dropped=1"
	         " ORDER BY first_seq DESC LIMIT 1 OFFSET %d);"
	         "DELETE FROM audit_seal WHERE last_seq < (SELECT max(last_seq) FROM audit_seal WHERE last_seq <"
	         " (SELECT min(seq) FROM event)) AND last_seq <"
	         " (SELECT last_seq FROM audit_seal ORDER BY last_seq DESC LIMIT 1 OFFSET %d)",
	         oldest, KRI_KEPT_ROWS, KRI_KEPT_ROWS - 1, KRI_KEPT_AUDIT_SEALS - 1);
	return kri_sql_exec(store->state->db, sql);
}
