/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring: what could not be written stays in RAM and has its ids all the same, so that it can leave the device.
 *
 *     a commit fails ---> the ring: an epoch of its own, ids from next_seq on ---> written, with these ids: accepted
 *                          ^    |
 *     more is handed over -'    '-> above KRI_MAX_WAITING the oldest go: one gap record, once the disk is back
 *
 * All of it is written in one commit, to a segment whose header says that it was begun for a ring. Whoever finds that
 * segment as the newest one after a crash can't know which ids were given out in its epoch, and begins another; whoever
 * finds none never hears of the epoch. So no id stands for two things, though what was in RAM is gone.
 */
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kri_batch_stamp(const struct kryos_store *store, const struct kri_batch *batch, size_t index,
                     const struct kryos_time *now, struct kryos_sample *ret_sample)
{
	*ret_sample = batch->samples[index];
	if (batch->volatile_rows)
		return;
	ret_sample->seq = batch->first_seq + (int64_t)index;
	ret_sample->boot = store->boot;
	/* Not now: the disk may have been away for an hour since. */
	if (!ret_sample->t_boot_ns)
		ret_sample->t_boot_ns = batch->t_boot_ns;
	if (!ret_sample->t_wall_ns) {
		/* The trust of a stamp that we give is ours. */
		ret_sample->t_wall_ns = now->t_wall_ns - (now->t_boot_ns - ret_sample->t_boot_ns);
		ret_sample->trust = now->trust;
	}
}

void kri_batch_deliver(struct kryos_store *store, struct kri_batch *batch, int result)
{
	batch->next = NULL;
	batch->result = result;
	batch->finished = true;
	if (batch->done && !store->detached) {
		*store->delivered_tail = batch;
		store->delivered_tail = &batch->next;
		kri_note_post(store->ctx, &store->note);
	} else {
		free(batch);
	}
}

static int begin(struct kryos_store *store)
{
	uint64_t epoch;
	int r;

	if (store->ringing)
		return 0;
	r = kri_draw_epoch(&epoch);
	if (r < 0)
		return r;
	store->epoch = epoch;
	store->epoch_changed = true;
	store->ringing = true;
	store->ring_floor = store->next_seq;
	/* The segment that the ring will be written to hides what a failed commit may have left. */
	if (!store->claim_seq)
		store->claim_seq = store->next_seq;
	store->ring_claim = store->claim_seq;
	store->ring_refused = 0;
	return 0;
}

/* The oldest make place: a device with a dead disk is asked for what is now. */
static void drop_oldest(struct kryos_store *store)
{
	while (store->ring_samples > KRI_MAX_WAITING) {
		struct kri_batch *batch = store->ring;
		size_t count = store->ring_samples - KRI_MAX_WAITING;

		count = count < batch->count ? count : batch->count;
		if (!store->ring_dropped)
			store->ring_gap.first = batch->first_seq;
		store->ring_gap.last = batch->first_seq + (int64_t)count - 1;
		store->ring_dropped += count;
		store->ring_samples -= count;
		store->waiting_samples -= count;
		batch->samples += count;
		batch->first_seq += (int64_t)count;
		batch->count -= count;
		if (batch->count)
			continue;
		store->ring = batch->next;
		if (!store->ring)
			store->ring_tail = &store->ring;
		free(batch);
	}
}

/* A caller's own samples are copied, for it goes on; NULL: no memory. */
static struct kri_batch *own(struct kri_batch *batch)
{
	struct kri_batch *copy;

	if (!batch->waiting_caller)
		return batch;
	copy = calloc(1, sizeof(*copy) + batch->count * sizeof(*batch->samples));
	if (!copy)
		return NULL;
	copy->samples = (struct kryos_sample *)(copy + 1);
	memcpy(copy->samples, batch->samples, batch->count * sizeof(*batch->samples));
	copy->count = batch->count;
	copy->number = batch->number;
	copy->t_boot_ns = batch->t_boot_ns;
	copy->first_seq = batch->first_seq;
	return copy;
}

/* Whoever handed it in hears that it is in RAM, and nothing more but its event. */
static void tell(struct kryos_store *store, struct kri_batch *batch, const struct kri_batch *kept)
{
	struct kri_batch *note;

	if (batch->waiting_caller) {
		for (size_t i = 0; i < kept->count; i++) {
			batch->samples[i] = kept->samples[i];
			batch->samples[i].flags |= KRYOS_SAMPLE_VOLATILE;
		}
		batch->result = KRYOS_EVOLATILE;
		batch->finished = true;
		return;
	}
	if (!batch->done)
		return;
	note = calloc(1, sizeof(*note));
	if (!note)
		return; /* it hears once the disk is back */
	note->done = batch->done;
	note->data = batch->data;
	batch->done = NULL;
	kri_batch_deliver(store, note, KRYOS_EVOLATILE);
}

static void append(struct kryos_store *store, struct kri_batch *batch)
{
	batch->next = NULL;
	*store->ring_tail = batch;
	store->ring_tail = &batch->next;
}

/* Of a batch that has no ids yet. */
static int keep(struct kryos_store *store, struct kri_batch *batch, const struct kryos_time *now)
{
	struct kri_batch *kept;
	int r = begin(store);

	kept = r >= 0 ? own(batch) : NULL;
	if (!kept)
		return r < 0 ? r : -ENOMEM;
	if (!kept->first_seq) {
		kept->first_seq = store->next_seq;
		store->next_seq += (int64_t)kept->count;
	}
	for (size_t i = 0; i < kept->count; i++)
		kri_batch_stamp(store, kept, i, now, &kept->samples[i]);
	kept->volatile_rows = true;
	store->ring_samples += kept->count;
	store->room.waited += kept->count;
	append(store, kept);
	tell(store, batch, kept);
	return 0;
}

void kri_ring_drop(struct kryos_store *store)
{
	while (store->ring) {
		struct kri_batch *batch = store->ring;

		store->ring = batch->next;
		store->waiting_samples -= batch->count;
		store->ring_samples -= batch->count;
		free(batch);
	}
	store->ring_tail = &store->ring;
}

static void refuse(struct kryos_store *store, struct kri_batch *batch, int why)
{
	store->waiting_samples -= batch->count;
	/* Its ids are on the disk, if at all, in a segment that was abandoned: nobody else gets them. */
	if (batch->first_seq)
		store->ring_refused = batch->first_seq + (int64_t)batch->count - 1;
	if (!batch->waiting_caller) {
		kri_batch_deliver(store, batch, why);
		return;
	}
	batch->result = why;
	batch->finished = true;
}

/* Who waits while the store is closed, or where a full disk is to refuse, is told the truth: it is not kept. */
static bool is_refused(const struct kryos_store *store, const struct kri_batch *batch, int why)
{
	return batch->waiting_caller &&
	       (store->stopping || (why == -ENOSPC && store->config.full == KRYOS_FULL_REFUSE));
}

void kri_ring_take(struct kryos_store *store, struct kri_batch *group, const struct kryos_time *now, int why)
{
	bool was_ringing = store->ringing;

	while (group) {
		struct kri_batch *batch = group;
		int r;

		group = batch->next;
		batch->next = NULL;
		if (batch->volatile_rows) {
			append(store, batch);
			continue;
		}
		/* The ids of the commit that failed may be on the disk, in the epoch before. */
		if (!was_ringing)
			batch->first_seq = 0;
		if (is_refused(store, batch, why)) {
			refuse(store, batch, why == -ENOSPC ? KRYOS_EFULL : why);
			continue;
		}
		r = keep(store, batch, now);
		if (r < 0)
			refuse(store, batch, r);
	}
	drop_oldest(store);
	pthread_cond_broadcast(&store->finished);
}

void kri_ring_absorb(struct kryos_store *store)
{
	struct kri_batch *group;
	struct kryos_time now;

	pthread_mutex_unlock(&store->lock);
	now = kri_store_now(store);
	pthread_mutex_lock(&store->lock);
	group = store->batches;
	store->batches = NULL;
	store->batches_tail = &store->batches;
	kri_ring_take(store, group, &now, store->health[KRI_HEALTH_SAMPLES].error);
	store->attempts++;
	pthread_mutex_unlock(&store->lock);
	kri_store_wake_queues(store);
	pthread_mutex_lock(&store->lock);
}

void kri_ring_announce_gap(struct kryos_store *store)
{
	struct kri_run gap;
	size_t dropped;
	char text[120];

	pthread_mutex_lock(&store->lock);
	gap = store->ring_gap;
	dropped = store->ring_dropped;
	pthread_mutex_unlock(&store->lock);
	if (!dropped)
		return;
	snprintf(text, sizeof(text), "memory was full while the disk was away; %zu samples were not stored", dropped);
	if (kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_GAP,
	                                                     .name = "store",
	                                                     .first_seq = gap.first,
	                                                     .last_seq = gap.last,
	                                                     .text = text }) < 0)
		return;
	pthread_mutex_lock(&store->lock);
	store->ring_dropped = 0;
	pthread_mutex_unlock(&store->lock);
}

void kri_ring_end(struct kryos_store *store)
{
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	int count;

	pthread_mutex_lock(&store->lock);
	store->ringing = false;
	count = kri_store_take_queues(store, queues);
	pthread_mutex_unlock(&store->lock);
	/* What was settled in memory can be kept now. */
	for (int i = 0; i < count; i++) {
		kri_queue_touch(queues[i]);
		kri_queue_unref(queues[i]);
	}
	kri_ring_announce_gap(store);
}

static const struct kryos_sample *find(const struct kri_batch *list, int64_t from_seq)
{
	for (const struct kri_batch *batch = list; batch; batch = batch->next) {
		if (!batch->volatile_rows || batch->first_seq + (int64_t)batch->count <= from_seq)
			continue;
		return &batch->samples[from_seq > batch->first_seq ? from_seq - batch->first_seq : 0];
	}
	return NULL;
}

bool kri_ring_next(struct kryos_store *store, int64_t from_seq, struct kryos_record *ret_record)
{
	const struct kryos_sample *found;
	struct kryos_sample sample;
	const char *place = "";
	uint64_t epoch;

	pthread_mutex_lock(&store->lock);
	/* While the writer tries, all of the ring is in its hands. */
	found = find(store->committing ? store->committing : store->ring, from_seq);
	epoch = store->epoch;
	if (found) {
		sample = *found;
		sample.flags |= KRYOS_SAMPLE_VOLATILE;
		if (sample.channel < store->place_count && store->places[sample.channel])
			place = store->places[sample.channel];
	}
	pthread_mutex_unlock(&store->lock);
	if (!found)
		return false;
	*ret_record = (struct kryos_record){ .size = sizeof(*ret_record),
		                             .flags = KRYOS_RECORD_VOLATILE,
		                             .stream = KRYOS_STREAM_LIVE,
		                             .epoch = epoch,
		                             .seq = sample.seq,
		                             .device = store->device,
		                             .channel = kryos_channel_name(store->ctx, sample.channel),
		                             .unit = kryos_channel_unit(store->ctx, sample.channel),
		                             .place = place,
		                             .device_ns = -1,
		                             .sample = sample };
	return true;
}
