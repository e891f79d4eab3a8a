/* SPDX-License-Identifier: Apache-2.0 */
/* Writer thread: what state.db is owed, committed together. */
#include "kept.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int kri_store_take_queues(struct kryos_store *store, struct kryos_queue *queues[KRI_MAX_QUEUES])
{
	int count = 0;

	/* No more can be open (link_queue). */
	for (struct kryos_queue *queue = store->queues; queue && count < KRI_MAX_QUEUES; queue = queue->next)
		queues[count++] = kri_queue_ref(queue);
	return count;
}

/* Events, delivery state, what is known of this boot; and what rooms above keep, which kept.c takes. */
struct state_commit {
	struct kri_stored_event *events; /* they stay in store->events until they are stored */
	int event_count;
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	int queue_count;
	struct kri_boot boot;
	bool has_boot;
	bool has_channels;
	int64_t closing_at; /* the newest sample or event, at the end of the last commit; 0: not the last, or known */
	uint64_t epoch;     /* 0: as stored */
	uint64_t wanted;
};

static uint32_t noted_channels(const struct kryos_store *store)
{
	return store->noted_segment == store->segment->first_seq ? store->noted_channels : 0;
}

static bool has_new_channels(const struct kryos_store *store)
{
	return store->segment && !store->segment->unreadable && noted_channels(store) < store->segment->channel_count;
}

static int write_state(struct kryos_store *store, struct state_commit *work)
{
	struct kri_stored_event *event = work->events;
	char claimed[64], closed[24], epoch[17], removed[2 * KRI_SIGNATURE_SIZE + 1];
	int r;

	work->has_channels = has_new_channels(store);
	store->syncs.cause = KRI_SYNC_STATE;
	r = kri_sql_exec(store->state->db, "BEGIN IMMEDIATE");
	/* (The last one's next is not looked at: others are being added there.) */
	for (int i = 0; i < work->event_count && r >= 0; i++) {
		event = i ? event->next : work->events;
		r = kri_state_put_event(store->state, event, store->event_epoch);
		if (r >= 0 && *event->removes)
			r = kri_state_drop_queue(store->state, event->removes);
		if (r >= 0 && (event->type == KRYOS_EVENT_CALIBRATION || event->type == KRYOS_EVENT_CONFIGURED))
			r = kri_configured_put(store->state, event);
		if (r >= 0 && event->type == KRYOS_EVENT_GAP)
			r = kri_state_put_gap(store->state, event->first_seq, event->last_seq, event->text);
	}
	if (r >= 0)
		r = kri_kept_write(store);
	/* At an open after damage, the ids of commits that failed are not to be taken for lost. */
	if (r >= 0 && (work->events || store->ringing) && store->claim_seq) {
		snprintf(claimed, sizeof(claimed), "%" PRId64 "-%" PRId64,
		         store->claimed_before ? store->claimed_before : store->claim_seq, store->next_seq - 1);
		r = kri_state_put_meta(store->state, "claimed", claimed);
	}
	/* What a damaged log loses of a store that was closed well is known by this. */
	if (r >= 0 && work->closing_at) {
		snprintf(closed, sizeof(closed), "%" PRId64, work->closing_at);
		r = kri_state_put_meta(store->state, "closed", closed);
	}
	if (r >= 0 && (store->state->unmended || store->state->unread))
		r = kri_sql_exec(store->state->db, KRI_STATE_MENDED);
	if (r >= 0 && work->has_channels)
		r = kri_state_put_channels(store->state, store->segment, noted_channels(store));
	/* That file must not hold up all that has nothing to do with it. */
	if (r < 0 && work->has_channels && store->segment->unreadable) {
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "channels: %s", kryos_strerror(r));
		/* A disk that gave an error once is not a damaged file. */
		if (r == KRYOS_ECORRUPT)
			kri_queue_condemn(store, store->segment->first_seq);
		store->segment->unreadable = r == KRYOS_ECORRUPT;
		store->note_at_ns = kri_real_ns() + KRYOS_SECONDS(1);
		work->has_channels = false;
		r = 0;
	}
	for (int i = 0; i < work->queue_count && r >= 0; i++)
		r = kri_queue_store(work->queues[i], store->state);
	if (r >= 0 && work->has_boot)
		r = kri_state_put_boot(store->state, &work->boot, store->boot_id);
	if (r >= 0 && store->giving_up)
		r = kri_audit_sign_removal(store, store->giving_up, removed);
	if (r >= 0 && store->giving_up)
		r = kri_state_drop_seal(store->state, store->giving_up, removed);
	if (r >= 0 && work->epoch) {
		kri_epoch_text(work->epoch, epoch);
		r = kri_state_put_epoch(store->state, epoch);
	}
	if (r >= 0 && work->epoch) {
		/* The ring's are somebody's now. */
		snprintf(claimed, sizeof(claimed), "%" PRId64 "-%" PRId64,
		         store->claimed_before ? store->claimed_before : store->ring_claim,
		         store->ring_refused ? store->ring_refused : store->ring_floor - 1);
		r = kri_state_put_meta(store->state, "claimed", claimed);
	}
	return r < 0 ? r : kri_sql_exec(store->state->db, "COMMIT");
}

/* A ring's epoch is entered once all of the ring is on the disk, and not before: an open must not go on with its ids.
 */
static bool wants_epoch(const struct kryos_store *store)
{
	return store->epoch_changed && !store->ringing;
}

/* store->lock held. */
static void take_work(struct kryos_store *store, struct state_commit *work)
{
	*work = (struct state_commit){ .events = store->events,
		                       .event_count = store->events_waiting,
		                       .wanted = store->commit_wanted };
	/* After a failure it may be on the disk all the same: so it keeps its id, and nothing else gets it. */
	for (struct kri_stored_event *event = store->events; event; event = event->next) {
		if (event->seq)
			continue;
		event->seq = store->next_seq++;
		event->boot = store->boot;
	}
	kri_kept_take(store);
	if (store->stopping && !store->ringing && store->durable_seq >= store->session_seq)
		work->closing_at = store->durable_seq;
	work->queue_count = kri_store_take_queues(store, work->queues);
	if (store->boot_changed) {
		work->has_boot = true;
		work->boot = *kri_boots_find(&store->boots, store->boot);
		store->boot_changed = false;
	}
	if (wants_epoch(store)) {
		work->epoch = store->epoch;
		store->epoch_changed = false;
	}
}

/* store->lock held. */
static void settle(struct kryos_store *store, struct state_commit *work)
{
	for (int i = 0; i < work->event_count; i++) {
		struct kri_stored_event *event = store->events;

		store->events = event->next;
		/* Of the seqs between, some may be the ring's, which is not on the disk. */
		if (!store->ringing && store->durable_seq < event->seq)
			store->durable_seq = event->seq;
		store->stored_event_seq = event->seq;
		store->status.gaps += event->type == KRYOS_EVENT_GAP;
		free(event);
	}
	if (!store->events)
		store->events_tail = &store->events;
	store->events_waiting -= work->event_count;
	store->commit_done = work->wanted;
	if (store->full)
		store->last_retention_ns = INT64_MAX; /* what was delivered may go now */
	pthread_cond_broadcast(&store->finished);
}

/* For the next try. What has been tried may leave from memory meanwhile: whether any may now. store->lock held. */
static bool put_back(struct kryos_store *store, const struct state_commit *work)
{
	bool news = false;

	for (struct kri_stored_event *event = store->events; event && event->seq; event = event->next) {
		/* What it tells of is not done yet. */
		if (*event->removes || event->volatile_row)
			continue;
		news = event->volatile_row = true;
	}
	store->boot_changed |= work->has_boot;
	store->epoch_changed |= work->epoch != 0;
	return news;
}

int kri_store_commit_state(struct kryos_store *store)
{
	uint8_t hash[KRI_SHA256_SIZE];
	struct state_commit work;
	struct kryos_time now;
	bool freed = false, news;
	int r;

	take_work(store, &work);
	pthread_mutex_unlock(&store->lock);

	memcpy(hash, store->state->chain.hash, sizeof(hash));
	r = write_state(store, &work);
	if (r < 0) {
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "delivery state waits: %s", kryos_strerror(r));
		if (!sqlite3_get_autocommit(store->state->db))
			sqlite3_exec(store->state->db, "ROLLBACK", NULL, NULL, NULL);
		memcpy(store->state->chain.hash, hash, sizeof(hash));
	}
	if (r >= 0)
		store->state->unmended = store->state->unread = false;
	if (r >= 0 && work.has_channels) {
		store->noted_segment = store->segment->first_seq;
		store->noted_channels = store->segment->channel_count;
	}
	if (r == -ENOSPC) {
		kri_room_found_none(store);
		freed = kri_room_free_reserve(store);
	}
	if (r >= 0 && store->giving_up) {
		store->given_up = store->giving_up;
		store->giving_up = 0;
	}
	now = kri_store_now(store);
	store->state_at_ns = r < 0 && !freed ? kri_real_ns() + store->retry_ns : 0;
	for (int i = 0; i < work.queue_count; i++)
		kri_queue_stored(work.queues[i], r >= 0);

	pthread_mutex_lock(&store->lock);
	kri_store_set_health(store, KRI_HEALTH_STATE, r < 0 ? r : 0, now);
	kri_kept_settle(store, r >= 0);
	if (r >= 0) {
		settle(store, &work);
		kri_store_learn_offset(store, now);
	}
	news = r >= 0 ? work.event_count > 0 : put_back(store, &work);
	pthread_mutex_unlock(&store->lock);
	if (news)
		kri_store_wake_queues(store);
	/* One that found no place before does now. */
	if (r >= 0 && !store->ringing)
		kri_ring_announce_gap(store);
	for (int i = 0; i < work.queue_count; i++)
		kri_queue_unref(work.queues[i]);
	pthread_mutex_lock(&store->lock);
	return r;
}

int kri_store_make_place(struct kryos_store *store, int gaps)
{
	int r = 0;

	pthread_mutex_lock(&store->lock);
	if (store->events_waiting + gaps > KRI_MAX_GAPS_WAITING)
		r = kri_store_commit_state(store);
	pthread_mutex_unlock(&store->lock);
	return r;
}

int64_t kri_store_state_due(struct kryos_store *store)
{
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	int64_t due = kri_kept_due(store);
	int count;

	/* Soon, but not before each first commit of a segment is told to have succeeded. */
	if (!has_new_channels(store))
		store->note_at_ns = 0;
	else if (!store->note_at_ns)
		store->note_at_ns = kri_real_ns() + KRYOS_SECONDS(1);
	if (store->note_at_ns && store->note_at_ns < due)
		due = store->note_at_ns;
	/* What is touched while the lock is let go is asked for again. */
	store->queue_touched = false;
	if (store->events || store->boot_changed || wants_epoch(store) || store->commit_wanted != store->commit_done)
		return 0;
	count = kri_store_take_queues(store, queues);
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < count; i++) {
		int64_t wants = kri_queue_due(queues[i]);

		due = wants < due ? wants : due;
		kri_queue_unref(queues[i]);
	}
	pthread_mutex_lock(&store->lock);
	return due;
}
