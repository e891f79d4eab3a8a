/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thread that writes. What arrived while the last sync was under way is the next group, so
 * the disk is always busy and a sync is shared by all who wait. Idle work goes on between groups.
 */
#include "private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINGER_NS KRYOS_MILLISECONDS(1)
#define RETRY_NS KRYOS_SECONDS(1)
#define IDLE_NS KRYOS_SECONDS(10)
#define GROUPS_PER_IDLE 256 /* a store that is never idle must still seal and remove */
#define RETAIN_EVERY_NS KRYOS_SECONDS(60)

static const char *place_of(void *data, uint32_t channel)
{
	struct kryos_store *store = data;
	const char *place = "";

	/* A place, once set, is never freed or changed while the store is open. */
	pthread_mutex_lock(&store->lock);
	if (channel < store->place_count && store->places[channel])
		place = store->places[channel];
	pthread_mutex_unlock(&store->lock);
	return place;
}

static void stamp(struct kryos_store *store, const struct kryos_sample *given, struct kryos_sample *sample, int64_t seq,
                  const struct kryos_time *now)
{
	*sample = *given;
	sample->seq = seq;
	sample->boot = store->boot;
	if (!sample->t_boot_ns)
		sample->t_boot_ns = now->t_boot_ns;
	if (!sample->t_wall_ns) {
		/* The trust of a stamp that we give is ours. */
		sample->t_wall_ns = now->t_wall_ns - (now->t_boot_ns - sample->t_boot_ns);
		sample->trust = now->trust;
	}
}

static int write_rows(struct kryos_store *store, struct kri_batch *group, const struct kryos_time *now)
{
	struct kri_commit commit = {
		.ctx = store->ctx, .place_of = place_of, .data = store, .boot_id = store->boot_id
	};
	struct kryos_sample sample;
	int r = 0;

	if (!store->segment || kri_store_wants_rotation(store, 125))
		r = kri_store_new_segment(store);
	if (r < 0)
		return r;
	store->syncs.cause = KRI_SYNC_COMMIT;
	r = kri_segment_begin(store->segment);
	for (int pass = 0; pass < 2; pass++) {
		int64_t seq = store->next_seq;

		for (struct kri_batch *batch = group; batch && r >= 0; batch = batch->next) {
			for (size_t i = 0; i < batch->count && r >= 0; i++) {
				stamp(store, &batch->samples[i], &sample, seq++, now);
				r = pass ? kri_segment_add(store->segment, &sample,
				                           !batch->next && i + 1 == batch->count)
				         : kri_segment_declare(store->segment, &commit, &sample);
			}
		}
	}
	return r < 0 ? r : kri_segment_commit(store->segment);
}

/* Lets go of the open segment after a failure. Returns whether rows may have reached it. */
static bool abandon(struct kryos_store *store)
{
	struct kri_segment *failed = store->segment;
	struct kri_segment_info *info;
	char path[PATH_MAX];
	bool empty = false;

	if (!failed)
		return false;
	kri_segment_rollback(failed);
	pthread_mutex_lock(&store->lock);
	info = kri_store_find_segment(store, failed->first_seq);
	if (info && info->last_seq >= info->first_seq) {
		store->last_segment = failed->first_seq;
		snprintf(store->last_hash, sizeof(store->last_hash), "%s", info->hash);
	} else if (info) {
		empty = true;
		kri_store_drop_segment(store, info);
	}
	pthread_mutex_unlock(&store->lock);
	store->segment = NULL;
	snprintf(path, sizeof(path), "%s", failed->path);
	kri_segment_close(failed);
	if (empty && kri_remove_db(path) < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", -EIO, "%s is left behind, empty", path);
	return true;
}

/*
 * A commit that failed has an unknown outcome: a later sync on the same descriptor may say "done" for
 * pages that were dropped (fsync errors are reported once). So that segment is left as it is, and
 * the same rows with the same ids go to a new one; readers take each id from the newer. If that fails
 * too, those ids are never used again, for they may be on the disk after all.
 */
static int write_group(struct kryos_store *store, struct kri_batch *group, size_t samples, const struct kryos_time *now)
{
	bool tried = false;
	int r = 0;

	for (int i = 0; i < 2; i++) {
		r = write_rows(store, group, now);
		if (r >= 0)
			return r;
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "a commit failed: %s", kryos_strerror(r));
		tried |= abandon(store);
	}
	if (tried)
		store->next_seq += (int64_t)samples;
	return r;
}

static struct kri_batch *take_group(struct kryos_store *store, size_t *ret_samples)
{
	struct kri_batch *group = store->batches, *last = NULL;
	size_t samples = 0;
	int callers = 0;

	for (struct kri_batch *batch = group; batch; batch = batch->next) {
		if (last && samples + batch->count > KRI_MAX_WAITING)
			break;
		samples += batch->count;
		callers += batch->waiting_caller;
		last = batch;
	}
	store->batches = last->next;
	if (!store->batches)
		store->batches_tail = &store->batches;
	last->next = NULL;
	store->committing = group;
	store->last_group_callers = callers;
	*ret_samples = samples;
	return group;
}

/* Callers that came together last time come together again: without this pause they would split into two groups for
 * ever. */
static void linger(struct kryos_store *store)
{
	int64_t end = kri_real_ns() + LINGER_NS, left;

	if (store->last_group_callers < 2)
		return;
	for (;;) {
		int callers = 0;

		for (struct kri_batch *batch = store->batches; batch; batch = batch->next)
			callers += batch->waiting_caller;
		left = end - kri_real_ns();
		if (callers >= store->last_group_callers || left <= 0 || store->stopping)
			return;
		kri_cond_wait(&store->changed, &store->lock, left);
	}
}

static void accepted(struct kryos_store *store, struct kri_batch *group, size_t samples, const struct kryos_time *now,
                     int64_t took_ns)
{
	struct kri_segment_info *info;
	int64_t seq = store->next_seq, newest_trusted = 0;
	bool untrusted = false;

	for (struct kri_batch *batch = group; batch; batch = batch->next) {
		for (size_t i = 0; i < batch->count; i++) {
			stamp(store, &batch->samples[i], &batch->samples[i], seq++, now);
			if (batch->samples[i].trust < KRYOS_TRUST_RTC)
				untrusted = true;
			else if (batch->samples[i].t_wall_ns > newest_trusted)
				newest_trusted = batch->samples[i].t_wall_ns;
			kri_event_push(store->ctx,
			               &(struct kryos_event){
					       .type = KRYOS_EVENT_SAMPLE,
					       .first_seq = seq - 1,
					       .last_seq = seq - 1,
					       .name = kryos_channel_name(store->ctx, batch->samples[i].channel),
					       .sample = batch->samples[i] });
		}
	}
	if (newest_trusted)
		kri_clock_set_floor(store->ctx, newest_trusted);
	pthread_mutex_lock(&store->lock);
	store->untrusted_in_boot |= untrusted;
	store->next_seq = seq;
	store->durable_seq = seq - 1;
	store->last_round = store->segment->last_round;
	store->last_wall_ns = store->segment->last_wall_ns;
	info = kri_store_find_segment(store, store->segment->first_seq);
	if (info) {
		info->last_seq = seq - 1;
		info->samples += (int64_t)samples;
		info->bytes = kri_segment_bytes(store->segment);
		info->last_wall_ns = store->segment->last_wall_ns;
		info->last_trust = store->segment->last_trust;
		kri_chain_text(&store->segment->chain, info->hash);
	}
	store->status.accepted += samples;
	store->status.commits++;
	store->status.last_sync_ns = took_ns;
	if (took_ns > store->status.worst_sync_ns)
		store->status.worst_sync_ns = took_ns;
	pthread_mutex_unlock(&store->lock);
}

/* Lets each batch's owner know; what was only handed over stays for another try. store->lock held. */
static void finish_group(struct kryos_store *store, struct kri_batch *group, int result)
{
	struct kri_batch *kept = NULL, **kept_tail = &kept;

	store->committing = NULL;
	while (group) {
		struct kri_batch *batch = group;

		group = batch->next;
		batch->next = NULL;
		if (!batch->waiting_caller && result < 0) {
			*kept_tail = batch;
			kept_tail = &batch->next;
			continue;
		}
		store->waiting_samples -= batch->count;
		batch->result = result;
		batch->finished = true;
		if (batch->waiting_caller)
			continue;
		if (batch->done) {
			*store->delivered_tail = batch;
			store->delivered_tail = &batch->next;
			kri_note_post(store->ctx, &store->note);
		} else {
			free(batch);
		}
	}
	if (kept) {
		*kept_tail = store->batches;
		if (!store->batches)
			store->batches_tail = kept_tail;
		store->batches = kept;
	}
	pthread_cond_broadcast(&store->finished);
}

static void publish_syncs(struct kryos_store *store)
{
	store->status.commit_syncs = store->syncs.count[KRI_SYNC_COMMIT];
	store->status.checkpoint_syncs = store->syncs.count[KRI_SYNC_CHECKPOINT];
	store->status.state_syncs = store->syncs.count[KRI_SYNC_STATE];
	store->status.rotation_syncs = store->syncs.count[KRI_SYNC_ROTATION];
}

static void set_health(struct kryos_store *store, int error)
{
	bool changed = store->status.error != error;

	store->status.error = error;
	snprintf(store->status.text, sizeof(store->status.text), "%s", error ? kryos_strerror(error) : "");
	if (changed)
		kri_store_put_event(store,
		                    &(struct kryos_event){ .type = KRYOS_EVENT_STORE,
		                                           .code = error,
		                                           .text = error ? store->status.text : "writing again" });
}

static void wake_queues(struct kryos_store *store)
{
	struct kryos_queue *queue, *next;

	pthread_mutex_lock(&store->lock);
	queue = store->queues ? kri_queue_ref(store->queues) : NULL;
	pthread_mutex_unlock(&store->lock);
	while (queue) {
		kri_queue_wake(queue);
		pthread_mutex_lock(&store->lock);
		next = queue->next ? kri_queue_ref(queue->next) : NULL;
		pthread_mutex_unlock(&store->lock);
		kri_queue_unref(queue);
		queue = next;
	}
}

static void commit_group(struct kryos_store *store)
{
	struct kri_batch *group;
	struct kryos_time now = { 0 };
	int64_t began;
	size_t samples;
	int r;

	linger(store);
	group = take_group(store, &samples);
	pthread_mutex_unlock(&store->lock);
	began = kri_real_ns();
	r = kryos_clock_now(store->ctx, &now);
	if (r >= 0)
		r = write_group(store, group, samples, &now);
	if (r >= 0)
		accepted(store, group, samples, &now, kri_real_ns() - began);
	else
		store->retry_at_ns = kri_real_ns() + RETRY_NS;
	/* At the limit of the WAL this cannot wait for an idle moment. */
	if (r >= 0 && store->segment->wal_frames >= KRI_WAL_LIMIT_FRAMES) {
		int checkpointed;

		store->syncs.cause = KRI_SYNC_CHECKPOINT;
		checkpointed = kri_segment_checkpoint(store->segment);
		if (checkpointed < 0)
			kri_log(store->ctx, KRYOS_LOG_WARNING, "store", checkpointed, "checkpoint: %s",
			        kryos_strerror(checkpointed));
	}
	pthread_mutex_lock(&store->lock);
	set_health(store, r < 0 ? r : 0);
	publish_syncs(store);
	finish_group(store, group, r);
	pthread_mutex_unlock(&store->lock);
	if (r >= 0)
		wake_queues(store);
	pthread_mutex_lock(&store->lock);
}

/* What of state.db is to be committed together: events, delivery state, this boot's offset. */
struct state_commit {
	struct kri_stored_event *events;
	int event_count;
	struct kryos_queue *queues[64];
	int queue_count;
	struct kri_boot_offset offset;
	bool has_offset;
	uint64_t wanted;
};

static int write_state(struct kryos_store *store, struct state_commit *work)
{
	int64_t seq = store->next_seq;
	int r;

	store->syncs.cause = KRI_SYNC_STATE;
	r = kri_sql_exec(store->state->db, "BEGIN IMMEDIATE");
	for (struct kri_stored_event *event = work->events; event && r >= 0; event = event->next) {
		event->seq = seq++;
		event->boot = store->boot;
		r = kri_state_put_event(store->state, event, store->epoch);
		if (r >= 0 && event->type == KRYOS_EVENT_GAP)
			r = kri_state_put_gap(store->state, event->first_seq, event->last_seq, event->text);
	}
	for (int i = 0; i < work->queue_count && r >= 0; i++)
		r = kri_queue_store(work->queues[i], store->state);
	if (r >= 0 && work->has_offset)
		r = kri_state_put_boot(store->state, store->boot, store->boot_id, &work->offset);
	return r < 0 ? r : kri_sql_exec(store->state->db, "COMMIT");
}

void kri_store_commit_state(struct kryos_store *store)
{
	uint8_t hash[KRI_SHA256_SIZE];
	struct state_commit work = { .events = store->events, .event_count = store->events_waiting };
	struct kri_stored_event *last = NULL;
	int64_t now = kri_real_ns();
	int r;

	store->events = NULL;
	store->events_tail = &store->events;
	work.wanted = store->commit_wanted;
	for (struct kryos_queue *queue = store->queues; queue && work.queue_count < 64; queue = queue->next)
		work.queues[work.queue_count++] = kri_queue_ref(queue);
	if (store->offset_changed) {
		work.has_offset = true;
		work.offset = store->offsets[store->offset_count - 1];
		store->offset_changed = false;
	}
	pthread_mutex_unlock(&store->lock);

	memcpy(hash, store->state->chain.hash, sizeof(hash));
	r = write_state(store, &work);
	if (r < 0) {
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "delivery state waits: %s", kryos_strerror(r));
		if (!sqlite3_get_autocommit(store->state->db))
			sqlite3_exec(store->state->db, "ROLLBACK", NULL, NULL, NULL);
		memcpy(store->state->chain.hash, hash, sizeof(hash));
		store->next_seq +=
			work.event_count; /* they may be on the disk after all: nothing else gets these ids */
		store->retry_at_ns = now + RETRY_NS;
	}
	for (int i = 0; i < work.queue_count; i++)
		kri_queue_stored(work.queues[i], r >= 0);

	pthread_mutex_lock(&store->lock);
	if (r >= 0) {
		while (work.events) {
			struct kri_stored_event *event = work.events;

			work.events = event->next;
			store->next_seq = event->seq + 1;
			store->durable_seq = event->seq;
			store->stored_event_seq = event->seq;
			free(event);
		}
		store->events_waiting -= work.event_count;
		store->commit_done = work.wanted;
		pthread_cond_broadcast(&store->finished);
	} else {
		for (last = work.events; last && last->next;)
			last = last->next;
		if (last) {
			last->next = store->events;
			if (!store->events)
				store->events_tail = &last->next;
			store->events = work.events;
		}
		store->offset_changed |= work.has_offset;
	}
	pthread_mutex_unlock(&store->lock);
	if (r >= 0 && work.event_count)
		wake_queues(store);
	for (int i = 0; i < work.queue_count; i++)
		kri_queue_unref(work.queues[i]);
	pthread_mutex_lock(&store->lock);
}

/* When state.db wants a commit; store->lock held, and let go while queues are asked. */
static int64_t state_due(struct kryos_store *store)
{
	struct kryos_queue *queues[64];
	int64_t due = INT64_MAX;
	int count = 0;

	if (store->events || store->offset_changed || store->commit_wanted != store->commit_done)
		return 0;
	for (struct kryos_queue *queue = store->queues; queue && count < 64; queue = queue->next)
		queues[count++] = kri_queue_ref(queue);
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < count; i++) {
		int64_t wants = kri_queue_due(queues[i]);

		due = wants < due ? wants : due;
		kri_queue_unref(queues[i]);
	}
	pthread_mutex_lock(&store->lock);
	return due;
}

/* One piece of work that nobody waits for; true: ask again. */
static bool idle_work(struct kryos_store *store)
{
	int64_t now = kri_boot_ns(store->ctx);
	int r = 0;

	if (store->damaged_segment) {
		r = kri_store_condemn(store);
	} else if (kri_store_wants_rotation(store, 100)) {
		r = kri_store_new_segment(store);
		store->last_retention_ns = now - RETAIN_EVERY_NS;
	} else if (store->segment && store->segment->wal_frames >= KRI_WAL_LIMIT_FRAMES / 2) {
		int before = store->segment->wal_frames;

		store->syncs.cause = KRI_SYNC_CHECKPOINT;
		r = kri_segment_checkpoint(store->segment);
		if (r >= 0 && store->segment->wal_frames == before)
			return false; /* a reader holds it: the next commit asks again */
	} else if (store->state->wal_frames >= KRI_WAL_LIMIT_FRAMES / 2) {
		int before = store->state->wal_frames;

		store->syncs.cause = KRI_SYNC_CHECKPOINT;
		r = kri_state_checkpoint(store->state);
		if (r >= 0 && store->state->wal_frames == before)
			return false;
	} else if (now - store->last_retention_ns >= RETAIN_EVERY_NS || now < store->last_retention_ns) {
		store->last_retention_ns = now;
		r = kri_store_retain(store);
	} else {
		return kri_store_seal_one(store) > 0;
	}
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "%s", kryos_strerror(r));
	return r >= 0;
}

/* store->lock held; let go while waiting. What came while the lock was let go before is seen here. */
static void wait_for_work(struct kryos_store *store, int64_t due)
{
	int64_t now = kri_real_ns(), until = now + IDLE_NS;
	bool work = store->batches || store->events || store->offset_changed || store->damaged_segment ||
	            store->commit_wanted != store->commit_done;

	if (store->stopping)
		return;
	if (due < until || work)
		until = work ? now : due;
	if (store->retry_at_ns > now && until < store->retry_at_ns)
		until = store->retry_at_ns;
	if (until > now)
		kri_cond_wait(&store->changed, &store->lock, until - now);
}

void kri_writer_main(void *data)
{
	struct kryos_store *store = data;
	unsigned int groups = 0;

	kri_vfs_count(&store->syncs);
	pthread_mutex_lock(&store->lock);
	for (;;) {
		int64_t now = kri_real_ns(), due;
		bool more;

		publish_syncs(store);
		if (store->batches && (now >= store->retry_at_ns || store->stopping)) {
			commit_group(store);
			if (++groups % GROUPS_PER_IDLE == 0) {
				pthread_mutex_unlock(&store->lock);
				idle_work(store);
				pthread_mutex_lock(&store->lock);
			}
			if (!store->stopping || store->retry_at_ns <= now)
				continue;
		}
		due = state_due(store);
		if (due <= now && (now >= store->retry_at_ns || store->stopping)) {
			kri_store_commit_state(store);
			if (!store->stopping || store->retry_at_ns <= now)
				continue;
		}
		if (store->stopping)
			break;
		if (store->batches || due <= now) {
			wait_for_work(store, due);
			continue;
		}
		pthread_mutex_unlock(&store->lock);
		more = idle_work(store);
		pthread_mutex_lock(&store->lock);
		if (!more && !store->batches && !store->stopping)
			wait_for_work(store, state_due(store));
	}
	/* Delivery state that no timer has asked for yet. */
	store->commit_wanted++;
	kri_store_commit_state(store);
	pthread_mutex_unlock(&store->lock);

	kri_segment_close(store->segment);
	store->segment = NULL;
	kri_state_close(store->state);
	store->state = NULL;
	kri_vfs_count(NULL);
	close(store->lock_fd);
	store->lock_fd = -1;
	pthread_mutex_lock(&store->lock);
	store->writer_ended = true;
	pthread_cond_broadcast(&store->finished);
	pthread_mutex_unlock(&store->lock);
	kri_store_unref(store);
}
