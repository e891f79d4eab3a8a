/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thread that writes. What arrived while the last sync was under way is the next group, so
 * the disk is always busy and a sync is shared by all who wait. Idle work goes on between groups.
 */
#include "salvage.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINGER_NS KRYOS_MILLISECONDS(1)
#define IDLE_NS KRYOS_SECONDS(10)
#define GROUPS_PER_IDLE 256 /* a store that is never idle must still seal and remove */
#define PIECES_AT_ONCE 16
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

/* Ids for what has none. Those of a first try are its own only once it has worked; what joins the ring keeps its. */
static void number_group(struct kryos_store *store, struct kri_batch *group)
{
	int64_t seq;

	pthread_mutex_lock(&store->lock);
	seq = store->next_seq;
	for (struct kri_batch *batch = group; batch; batch = batch->next) {
		if (batch->volatile_rows || (store->ringing && batch->first_seq))
			continue;
		batch->first_seq = seq;
		seq += (int64_t)batch->count;
	}
	if (store->ringing)
		store->next_seq = seq;
	pthread_mutex_unlock(&store->lock);
}

static int write_rows(struct kryos_store *store, struct kri_batch *group, const struct kryos_time *now)
{
	struct kri_commit commit = {
		.ctx = store->ctx, .place_of = place_of, .data = store, .boot_id = store->boot_id
	};
	struct kryos_sample sample;
	int r = 0;

	if (!store->segment || kri_store_wants_rotation(store, 125)) {
		r = kri_store_new_segment(store);
		store->untidy = true;
	}
	/* Without a new one the present one goes on: rather too long than not at all. */
	if (r < 0 && !store->segment)
		return r;
	store->syncs.cause = KRI_SYNC_COMMIT;
	r = kri_segment_begin(store->segment);
	for (int pass = 0; pass < 2; pass++) {
		for (struct kri_batch *batch = group; batch && r >= 0; batch = batch->next) {
			for (size_t i = 0; i < batch->count && r >= 0; i++) {
				kri_batch_stamp(store, batch, i, now, &sample);
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
 * too, those ids are never used again, for they may be on the disk after all; the next segment that
 * can be written claims them, so that nobody reads what was never accepted. (Rows of the ring keep their
 * ids: nobody else has their epoch.)
 */
static int write_group(struct kryos_store *store, struct kri_batch *group, size_t samples, const struct kryos_time *now)
{
	bool tried = false;
	int r = 0;

	number_group(store, group);
	for (int i = 0; i < 2; i++) {
		r = write_rows(store, group, now);
		if (r >= 0)
			return r;
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "a commit failed: %s", kryos_strerror(r));
		tried |= abandon(store);
	}
	if (tried && !store->ringing) {
		if (!store->claim_seq)
			store->claim_seq = store->next_seq;
		pthread_mutex_lock(&store->lock);
		store->next_seq += (int64_t)samples;
		pthread_mutex_unlock(&store->lock);
	}
	return r;
}

/* All of the ring, which is never more than one group, and what fits behind it. */
static struct kri_batch *take_group(struct kryos_store *store, size_t *ret_samples)
{
	struct kri_batch *group = store->ring, **tail = group ? store->ring_tail : &group, *batch;
	size_t samples = store->ring_samples;
	int callers = 0;

	store->ring = NULL;
	store->ring_tail = &store->ring;
	while ((batch = store->batches) && (!samples || samples + batch->count <= KRI_MAX_WAITING)) {
		store->batches = batch->next;
		batch->next = NULL;
		*tail = batch;
		tail = &batch->next;
		samples += batch->count;
		callers += batch->waiting_caller;
	}
	if (!store->batches)
		store->batches_tail = &store->batches;
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
	int64_t last_seq = 0, newest_trusted = 0, first_wall_ns = 0;
	bool untrusted = false;

	for (struct kri_batch *batch = group; batch; batch = batch->next) {
		for (size_t i = 0; i < batch->count; i++) {
			struct kryos_sample sample;

			kri_batch_stamp(store, batch, i, now, &sample);
			last_seq = sample.seq;
			/* A queue may be reading what is in the ring. */
			if (!batch->volatile_rows)
				batch->samples[i] = sample;
			if (batch == group && i == 0)
				first_wall_ns = sample.t_wall_ns;
			if (sample.trust < KRYOS_TRUST_RTC)
				untrusted = true;
			else if (sample.t_wall_ns > newest_trusted)
				newest_trusted = sample.t_wall_ns;
			kri_event_push(store->ctx,
			               &(struct kryos_event){ .type = KRYOS_EVENT_SAMPLE,
			                                      .first_seq = sample.seq,
			                                      .last_seq = sample.seq,
			                                      .name = kryos_channel_name(store->ctx, sample.channel),
			                                      .sample = sample });
		}
	}
	if (newest_trusted)
		kri_clock_set_floor(store->ctx, newest_trusted);
	/* Not when the segment was begun: had this failed too, it would have been removed, and its claim with it. */
	store->claim_seq = store->claimed_before = 0;
	pthread_mutex_lock(&store->lock);
	store->untrusted_in_boot |= untrusted;
	kri_store_learn_offset(store, *now);
	if (store->next_seq <= last_seq)
		store->next_seq = last_seq + 1;
	/* Events may have come behind a ring's last. */
	store->durable_seq = last_seq > store->stored_event_seq ? last_seq : store->stored_event_seq;
	store->last_round = store->segment->last_round;
	store->last_wall_ns = store->segment->last_wall_ns;
	if (!store->first_boot) {
		store->first_boot = store->boot;
		store->status.first_wall_ns = first_wall_ns;
	}
	info = kri_store_find_segment(store, store->segment->first_seq);
	if (info) {
		info->last_seq = last_seq;
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

/* Lets each batch's owner know. store->lock held. */
static void finish_group(struct kryos_store *store, struct kri_batch *group)
{
	while (group) {
		struct kri_batch *batch = group;

		group = batch->next;
		store->waiting_samples -= batch->count;
		if (batch->volatile_rows)
			store->ring_samples -= batch->count;
		if (batch->waiting_caller)
			batch->finished = true;
		else
			kri_batch_deliver(store, batch, 0);
	}
	pthread_cond_broadcast(&store->finished);
}

void kri_store_publish_syncs(struct kryos_store *store)
{
	store->status.commit_syncs = store->syncs.count[KRI_SYNC_COMMIT];
	store->status.checkpoint_syncs = store->syncs.count[KRI_SYNC_CHECKPOINT];
	store->status.state_syncs = store->syncs.count[KRI_SYNC_STATE];
	store->status.rotation_syncs = store->syncs.count[KRI_SYNC_ROTATION];
}

void kri_store_wake_queues(struct kryos_store *store)
{
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	int count;

	pthread_mutex_lock(&store->lock);
	count = kri_store_take_queues(store, queues);
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < count; i++) {
		kri_queue_wake(queues[i]);
		kri_queue_unref(queues[i]);
	}
}

/* At the limit of the WAL this cannot wait for an idle moment. */
static void checkpoint_at_limit(struct kryos_store *store)
{
	int r;

	if (store->segment->wal_frames < KRI_WAL_LIMIT_FRAMES)
		return;
	store->syncs.cause = KRI_SYNC_CHECKPOINT;
	r = kri_segment_checkpoint(store->segment);
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "checkpoint: %s", kryos_strerror(r));
}

/* When a group failed: while there is a ring, longer each time, up to 60 times the first. store->lock held. */
static void put_off(struct kryos_store *store)
{
	int64_t first = store->retry_ns;

	if (!store->ring || store->wait_ns < first)
		store->wait_ns = first;
	else
		store->wait_ns = 2 * store->wait_ns < 60 * first ? 2 * store->wait_ns : 60 * first;
	store->samples_at_ns = kri_real_ns() + store->wait_ns;
}

/* A full disk may be helped at once: by the reserve, then by what is old. */
static int write_group_somehow(struct kryos_store *store, struct kri_batch *group, size_t samples,
                               const struct kryos_time *now)
{
	int r;

	kri_room_check(store);
	r = write_group(store, group, samples, now);
	if (r == -ENOSPC && kri_room_free_reserve(store))
		r = write_group(store, group, samples, now);
	if (r == -ENOSPC && kri_room_make(store))
		r = write_group(store, group, samples, now);
	kri_room_note_samples(store, r);
	return r;
}

/* store->lock held, and let go meanwhile. */
static void commit_group(struct kryos_store *store)
{
	bool was_ringing = store->ringing;
	struct kri_batch *group;
	struct kryos_time now;
	int64_t began;
	size_t samples;
	int r;

	linger(store);
	group = take_group(store, &samples);
	pthread_mutex_unlock(&store->lock);
	now = kri_store_now(store);
	began = kri_real_ns();
	r = write_group_somehow(store, group, samples, &now);
	if (r >= 0) {
		accepted(store, group, samples, &now, kri_real_ns() - began);
		checkpoint_at_limit(store);
	}
	pthread_mutex_lock(&store->lock);
	kri_store_set_health(store, KRI_HEALTH_SAMPLES, r < 0 ? r : 0, now);
	kri_store_publish_syncs(store);
	store->attempts++;
	store->committing = NULL;
	if (r < 0) {
		kri_ring_take(store, group, &now, r);
		put_off(store);
	} else {
		finish_group(store, group);
		store->samples_at_ns = store->wait_ns = 0;
	}
	pthread_mutex_unlock(&store->lock);
	if (r >= 0 && was_ringing)
		kri_ring_end(store);
	kri_room_update(store);
	kri_store_wake_queues(store);
	pthread_mutex_lock(&store->lock);
}

static bool wants_checkpoint(int frames, int held_frames)
{
	return frames >= KRI_WAL_LIMIT_FRAMES / 2 && frames != held_frames;
}

/*
 * One piece of work that nobody waits for; true: ask again. A piece that fails, or that somebody's open read holds up,
 * is not due again for a while, so that it never keeps the others from being done.
 */
static bool idle_work(struct kryos_store *store)
{
	int64_t now = kri_boot_ns(store->ctx);
	bool damaged;
	int r;

	pthread_mutex_lock(&store->lock);
	damaged = store->damaged_segment != 0;
	pthread_mutex_unlock(&store->lock);
	if (store->given_up) {
		r = kri_store_remove_given_up(store);
	} else if (damaged) {
		r = kri_store_condemn(store);
	} else if (kri_audit_is_due(store)) {
		r = kri_audit_seal(store);
	} else if (kri_store_wants_rotation(store, 100)) {
		r = kri_store_new_segment(store);
	} else if (store->segment && wants_checkpoint(store->segment->wal_frames, store->segment->held_frames)) {
		store->syncs.cause = KRI_SYNC_CHECKPOINT;
		r = kri_segment_checkpoint(store->segment);
	} else if (wants_checkpoint(store->state->wal_frames, store->state->held_frames)) {
		store->syncs.cause = KRI_SYNC_CHECKPOINT;
		r = kri_state_checkpoint(store->state);
	} else if (now - store->last_retention_ns >= RETAIN_EVERY_NS || now < store->last_retention_ns) {
		store->last_retention_ns = now;
		r = kri_store_retain(store);
	} else if (kri_store_mend_some(store)) {
		return true;
	} else if (kri_store_seal_one(store) > 0) {
		return true;
	} else {
		return kri_room_keep_reserve(store);
	}
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "%s", kryos_strerror(r));
	return true;
}

/* Between two groups of a store that is never idle. store->lock held, and let go meanwhile. */
static void tidy_up(struct kryos_store *store)
{
	store->untidy = false;
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < PIECES_AT_ONCE && idle_work(store); i++)
		;
	pthread_mutex_lock(&store->lock);
}

/* store->lock held. What the writer is at, a test wants to know that goes step by step. */
static int rest(struct kryos_store *store, enum kri_rest rest, int64_t timeout_ns)
{
	int r;

	store->rest = rest;
	r = kri_cond_wait(&store->changed, &store->lock, timeout_ns);
	store->rest = KRI_AWAKE;
	return r;
}

/* store->lock held; let go while waiting. What came while the lock was let go before is seen here. */
static void wait_for_work(struct kryos_store *store, int64_t due)
{
	int64_t now = kri_real_ns(), until = now + IDLE_NS;

	if (store->stopping)
		return;
	if ((store->batches || store->ring) && store->samples_at_ns < until)
		until = store->samples_at_ns;
	if (store->room.trouble && now + store->retry_ns < until)
		until = now + store->retry_ns;
	if (store->events || store->boot_changed || store->commit_wanted != store->commit_done)
		due = 0;
	if (due < store->state_at_ns)
		due = store->state_at_ns;
	if (due < until)
		until = due;
	if (store->damaged_segment || store->queue_touched || (store->ringing && store->batches))
		until = now;
	if (until > now)
		(void)rest(store, KRI_RESTS, until - now);
}

/* The last tries, whatever the waiting times; then those who still wait are told. store->lock held. */
static void finish_all(struct kryos_store *store)
{
	size_t lost = 0;
	int events;

	do {
		store->samples_at_ns = 0;
		if (store->batches || store->ring)
			commit_group(store);
	} while (store->batches && !store->samples_at_ns);
	pthread_mutex_unlock(&store->lock);
	kri_ring_announce_gap(store);
	pthread_mutex_lock(&store->lock);
	/* Delivery state that no timer has asked for yet. */
	store->commit_wanted++;
	/* Again where it failed; and for a gap that found a place only once others were stored, and for the seal. */
	if ((kri_store_commit_state(store) >= 0 || kri_store_commit_state(store) >= 0) && kri_audit_close(store))
		(void)kri_store_commit_state(store);
	lost = store->ring_samples;
	events = kri_store_drop_events(store);
	kri_ring_drop(store);
	while (store->batches) {
		struct kri_batch *batch = store->batches;

		store->batches = batch->next;
		store->waiting_samples -= batch->count;
		batch->result = -ECANCELED;
		batch->finished = true;
		if (!batch->waiting_caller) {
			lost += batch->count;
			free(batch);
		}
	}
	store->batches_tail = &store->batches;
	if (lost || events) {
		pthread_mutex_unlock(&store->lock);
		kri_log(store->ctx, KRYOS_LOG_ERROR, "store", -EIO,
		        "%s: closed before %zu samples and %d events could be written", store->folder, lost, events);
		pthread_mutex_lock(&store->lock);
	}
}

static void let_go(struct kryos_store *store)
{
	kri_mend_free(store->mend);
	store->mend = NULL;
	kri_segment_close(store->segment);
	store->segment = NULL;
	kri_state_close(store->state);
	store->state = NULL;
	kri_vfs_count(NULL);
	close(store->lock_fd);
	store->lock_fd = -1;
	kri_digest_end_thread();
}

/*
 * Whoever closes waits for this and frees what is left: this thread must have nothing more to do then, for the program
 * may be at its end, and libcrypto with it. If nobody waits any more, it is for this thread.
 */
static void end(struct kryos_store *store)
{
	bool alone;

	pthread_mutex_lock(&store->lock);
	store->writer_ended = true;
	alone = store->detached;
	if (!alone)
		atomic_fetch_sub(&store->refs, 1);
	pthread_cond_broadcast(&store->finished);
	pthread_mutex_unlock(&store->lock);
	if (alone)
		kri_store_unref(store);
}

/* Samples to write, or to take into the ring. store->lock held. */
static bool has_samples_due(const struct kryos_store *store, int64_t now)
{
	return (store->batches && store->ringing) || ((store->batches || store->ring) && now >= store->samples_at_ns);
}

/*
 * Who appends one commit after another comes back within moments of each: what looks idle then is not, and a
 * checkpoint then would come twice as often as needed, and in the way. store->lock held, let go while waiting.
 */
static bool is_quiet(struct kryos_store *store)
{
	int64_t now = kri_real_ns();

	if (store->stopping || has_samples_due(store, now))
		return false;
	if ((store->events || store->commit_wanted != store->commit_done) && now >= store->state_at_ns)
		return false;
	return rest(store, KRI_LISTENS, store->quiet_ns) == -ETIMEDOUT;
}

void kri_writer_main(void *data)
{
	struct kryos_store *store = data;
	unsigned int groups = 0;

	kri_vfs_count(&store->syncs);
	pthread_mutex_lock(&store->lock);
	while (!store->stopping) {
		int64_t now = kri_real_ns(), due;
		bool more;

		kri_store_publish_syncs(store);
		if (has_samples_due(store, now)) {
			if (now < store->samples_at_ns) {
				kri_ring_absorb(store);
				continue;
			}
			commit_group(store);
			if (++groups % GROUPS_PER_IDLE == 0 || store->untidy)
				tidy_up(store);
			continue;
		}
		due = kri_store_state_due(store);
		if (due <= now && now >= store->state_at_ns) {
			(void)kri_store_commit_state(store);
			continue;
		}
		if (!is_quiet(store))
			continue;
		pthread_mutex_unlock(&store->lock);
		kri_room_update(store);
		more = idle_work(store);
		pthread_mutex_lock(&store->lock);
		if (!more)
			wait_for_work(store, kri_store_state_due(store));
	}
	finish_all(store);
	kri_store_publish_syncs(store);
	pthread_mutex_unlock(&store->lock);
	let_go(store);
	end(store);
}
