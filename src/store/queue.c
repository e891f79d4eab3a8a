/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lending and settling. What is owed is a list of runs of seqs; a run may span seqs that are no
 * record of its kind (the other kind's, or none's), which are dropped from it when they are come by.
 *
 *     owed --next--> lent --ack--> gone
 *                     |--reject--> gone, and a dead letter
 *                     |--release-> owed, and looked at again from there on
 */
#include "private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find_lent(const struct kryos_queue *queue, int64_t seq)
{
	int low = 0, high = (int)queue->lent_count;

	while (low < high) {
		int middle = (low + high) / 2;

		if (queue->lent[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_lent(const struct kryos_queue *queue, int64_t seq)
{
	int at = find_lent(queue, seq);

	return at < (int)queue->lent_count && queue->lent[at].seq == seq;
}

static void lend(struct kryos_queue *queue, const struct kryos_record *record)
{
	int at = find_lent(queue, record->seq);

	memmove(&queue->lent[at + 1], &queue->lent[at], (queue->lent_count - (uint32_t)at) * sizeof(*queue->lent));
	queue->lent[at] = (struct kri_lent){ .seq = record->seq,
		                             .epoch = record->epoch,
		                             .event = record->event != NULL,
		                             .audited = record->event && record->event->type == KRYOS_EVENT_REJECTED };
	queue->lent_count++;
}

static void take_back(struct kryos_queue *queue, int at)
{
	memmove(&queue->lent[at], &queue->lent[at + 1], (queue->lent_count - (uint32_t)at - 1) * sizeof(*queue->lent));
	queue->lent_count--;
}

/* Delivery state has changed: the writer is told when it may want to commit sooner than it thinks. */
static void touched(struct kryos_queue *queue)
{
	struct kryos_store *store = queue->store;

	queue->dirty++;
	if (queue->dirty == 1)
		queue->dirty_since_ns = kri_real_ns();
	if (queue->dirty == 1 || queue->dirty >= queue->config.commit_acks) {
		pthread_mutex_lock(&store->lock);
		store->queue_touched = true;
		pthread_cond_broadcast(&store->changed);
		pthread_mutex_unlock(&store->lock);
	}
}

/* "fridge.temperature,room.*": whole names, or everything under a sensor. */
static bool wants(const struct kryos_queue *queue, const char *channel)
{
	const char *at = queue->channels;
	size_t name = strlen(channel);

	if (!at)
		return true;
	while (*at) {
		size_t length = strcspn(at, ",");

		if (length && at[length - 1] == '*' ? strncmp(at, channel, length - 1) == 0
		                                    : length == name && strncmp(at, channel, length) == 0)
			return true;
		at += length;
		at += strspn(at, ", ");
	}
	return false;
}

static int report_bad_row(struct kryos_queue *queue, int64_t seq)
{
	return kri_store_announce(queue->store, &(struct kryos_event){ .type = KRYOS_EVENT_GAP,
	                                                               .name = queue->name,
	                                                               .first_seq = seq,
	                                                               .last_seq = seq,
	                                                               .text = "the row's checksum is wrong" });
}

/* The next sample between low and high that is owed and not lent: 1, 0 or an error. */
static int next_sample(struct kryos_queue *queue, struct kri_stream *stream, int64_t low, int64_t high,
                       struct kryos_record *ret_record)
{
	struct kri_scan *scan = &stream->scan;
	struct kri_run run;
	int64_t durable;
	int r;

	pthread_mutex_lock(&queue->store->lock);
	durable = queue->store->durable_seq;
	pthread_mutex_unlock(&queue->store->lock);
	high = high < durable ? high : durable;
	if (stream->at < low)
		stream->at = low;
	while (kri_ranges_next(&queue->samples, stream->at, &run) && run.first <= high) {
		int64_t last = run.last < high ? run.last : high, row;

		r = kri_queue_look(queue, stream, run.first, last);
		if (r <= 0)
			return r;
		while (scan->at < scan->count && scan->buffer[scan->at].seq < run.first)
			scan->at++;
		row = scan->at < scan->count ? scan->buffer[scan->at].seq : INT64_MAX;
		if (row > run.first) {
			/* No sample has these seqs. */
			int64_t hole = row - 1 < stream->until ? row - 1 : stream->until;

			hole = hole < last ? hole : last;
			r = kri_queue_check_hole(queue->store, stream, run.first);
			if (r <= 0)
				return r;
			/* What can't be read now, or a newer version wrote, stays owed. */
			r = stream->unreadable ? 0 : kri_ranges_remove(&queue->samples, run.first, hole);
			if (r < 0)
				return r;
			stream->at = hole + 1;
			continue;
		}
		stream->at = row + 1;
		if (is_lent(queue, row))
			continue;
		if (scan->bad[scan->at]) {
			kri_queue_condemn(queue->store, scan->segment);
			return 0;
		}
		kri_scan_record(scan, scan->at, ret_record);
		if (wants(queue, ret_record->channel))
			return 1;
		r = kri_ranges_remove(&queue->samples, row, row);
		if (r < 0)
			return r;
	}
	return 0;
}

static int next_event(struct kryos_queue *queue)
{
	struct kryos_store *store = queue->store;
	struct kri_stored_event *stored;
	struct kri_boot boot;
	struct kri_run run;
	int64_t newest;
	int r;

	pthread_mutex_lock(&store->lock);
	newest = store->stored_event_seq;
	pthread_mutex_unlock(&store->lock);
	while (kri_ranges_next(&queue->events, queue->event_at, &run) && run.first <= newest) {
		if (queue->event_next == queue->event_count || queue->event_buffer[queue->event_next].seq < run.first) {
			/* Behind the buffer or past it: read again from here on. */
			while (queue->event_next < queue->event_count &&
			       queue->event_buffer[queue->event_next].seq < run.first)
				queue->event_next++;
			if (queue->event_next == queue->event_count) {
				queue->event_next = queue->event_count = 0;
				r = kri_state_read_events(store->folder, run.first, queue->event_buffer, KRI_EVENT_ROWS,
				                          queue->event_epochs, queue->event_bad);
				if (r < 0)
					return r;
				queue->event_count = r;
			}
		}
		stored = queue->event_next < queue->event_count ? &queue->event_buffer[queue->event_next] : NULL;
		if (!stored || stored->seq > run.first) {
			int64_t hole = stored && stored->seq - 1 < run.last ? stored->seq - 1 : run.last;

			hole = hole < newest ? hole : newest;
			r = kri_ranges_remove(&queue->events, run.first, hole);
			if (r < 0)
				return r;
			queue->event_at = hole + 1;
			continue;
		}
		queue->event_at = stored->seq + 1;
		if (is_lent(queue, stored->seq))
			continue;
		if (!queue->event_bad[queue->event_next]) {
			kri_state_event_record(stored, queue->event_epochs[queue->event_next], store->device,
			                       &queue->event, &queue->record);
			if (kri_store_boot_of(store, stored->boot, &boot))
				kri_boot_apply(&boot, &queue->record);
			return 1;
		}
		r = report_bad_row(queue, stored->seq);
		if (r < 0) {
			queue->event_at = stored->seq;
			return r;
		}
		r = kri_ranges_remove(&queue->events, stored->seq, stored->seq);
		touched(queue);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The next event that waits for the disk, is owed and not lent. */
static bool next_volatile_event(struct kryos_queue *queue)
{
	struct kri_stored_event *event = &queue->volatile_event;
	struct kryos_store *store = queue->store;
	struct kri_boot boot;

	while (kri_store_next_waiting_event(store, queue->volatile_event_at, event)) {
		queue->volatile_event_at = event->seq + 1;
		if (is_lent(queue, event->seq) || !kri_ranges_has(&queue->events, event->seq))
			continue;
		kri_state_event_record(event, store->event_epoch, store->device, &queue->event, &queue->record);
		queue->record.flags |= KRYOS_RECORD_VOLATILE;
		if (kri_store_boot_of(store, event->boot, &boot))
			kri_boot_apply(&boot, &queue->record);
		return true;
	}
	return false;
}

/* The next row of the ring that is owed and not lent. */
static bool next_volatile(struct kryos_queue *queue)
{
	struct kryos_record *record = &queue->record;
	struct kri_boot boot;

	while (kri_ring_next(queue->store, queue->volatile_at, record)) {
		queue->volatile_at = record->seq + 1;
		if (is_lent(queue, record->seq) || !kri_ranges_has(&queue->samples, record->seq) ||
		    !wants(queue, record->channel))
			continue;
		if (kri_store_boot_of(queue->store, record->sample.boot, &boot))
			kri_boot_apply(&boot, record);
		return true;
	}
	return false;
}

static int next_locked(struct kryos_queue *queue, unsigned int streams)
{
	int r = 0, first;

	if (queue->lent_count >= queue->config.max_lent)
		return 0;
	if (streams & KRYOS_STREAM_EVENTS)
		r = next_event(queue);
	/* What cannot be read in one stream holds up none of the others. */
	first = r < 0 ? r : 0;
	if (r <= 0 && (streams & KRYOS_STREAM_EVENTS) && queue->config.take_volatile && next_volatile_event(queue))
		r = 1;
	if (r <= 0 && (streams & KRYOS_STREAM_LIVE)) {
		r = next_sample(queue, &queue->live, queue->live_seq, INT64_MAX, &queue->record);
		if (r > 0)
			queue->record.stream = KRYOS_STREAM_LIVE;
		first = first ? first : r;
	}
	/* What the disk can't give must not hold up what is in memory. */
	if (r <= 0 && (streams & KRYOS_STREAM_LIVE) && queue->config.take_volatile && next_volatile(queue))
		r = 1;
	if (r <= 0 && (streams & KRYOS_STREAM_BACKLOG) && queue->live_seq) {
		r = next_sample(queue, &queue->backlog, 0, queue->live_seq - 1, &queue->record);
		if (r > 0) {
			queue->record.stream = KRYOS_STREAM_BACKLOG;
			queue->record.flags |= KRYOS_RECORD_HISTORICAL;
		}
		first = first ? first : r;
	}
	if (r <= 0)
		return first;
	lend(queue, &queue->record);
	return r;
}

static int check(struct kryos_queue *queue)
{
	if (!queue)
		return kryos_fail(-EINVAL, "no queue given");
	return kri_ctx_check(queue->store->ctx);
}

int kryos_queue_next_of(struct kryos_queue *queue, unsigned int streams, const struct kryos_record **ret_record)
{
	int r = check(queue);

	if (r < 0)
		return r;
	if (!ret_record || !streams || (streams & ~(unsigned int)KRYOS_STREAM_ANY))
		return kryos_fail(-EINVAL, "queue %s: no place for the record, or unknown streams", queue->name);
	pthread_mutex_lock(&queue->lock);
	r = queue->closed ? -ECANCELED : next_locked(queue, streams);
	pthread_mutex_unlock(&queue->lock);
	if (r > 0)
		*ret_record = &queue->record;
	return r;
}

int kryos_queue_next(struct kryos_queue *queue, const struct kryos_record **ret_record)
{
	return kryos_queue_next_of(queue, KRYOS_STREAM_ANY, ret_record);
}

/* queue->lock held. */
static int settle(struct kryos_queue *queue, int64_t seq, struct kri_lent *ret_lent)
{
	int at = find_lent(queue, seq);

	if (at == (int)queue->lent_count || queue->lent[at].seq != seq)
		return kryos_fail(-ENOENT, "queue %s: %" PRId64 " is not lent", queue->name, seq);
	*ret_lent = queue->lent[at];
	take_back(queue, at);
	return kri_ranges_remove(ret_lent->event ? &queue->events : &queue->samples, seq, seq);
}

int kryos_queue_ack(struct kryos_queue *queue, int64_t seq)
{
	struct kri_lent lent;
	int r = check(queue);

	if (r < 0)
		return r;
	pthread_mutex_lock(&queue->lock);
	r = settle(queue, seq, &lent);
	if (r >= 0) {
		queue->acked++;
		touched(queue);
	}
	pthread_mutex_unlock(&queue->lock);
	return r;
}

int kryos_queue_reject(struct kryos_queue *queue, int64_t seq, const char *reason)
{
	struct kri_dead *dead;
	struct kri_lent lent = { 0 };
	int r = check(queue);

	if (r < 0)
		return r;
	dead = calloc(1, sizeof(*dead));
	if (!dead)
		return -ENOMEM;
	pthread_mutex_lock(&queue->lock);
	r = settle(queue, seq, &lent);
	if (r < 0) {
		free(dead);
	} else {
		dead->seq = seq;
		dead->epoch = lent.epoch;
		dead->event = lent.event;
		snprintf(dead->reason, sizeof(dead->reason), "%s", reason ? reason : "");
		*queue->dead_tail = dead;
		queue->dead_tail = &dead->next;
		queue->dead_waiting++;
		queue->rejected++;
		if (queue->dead_letters < KRI_MAX_DEAD)
			queue->dead_letters++;
		touched(queue);
	}
	pthread_mutex_unlock(&queue->lock);
	/* A rejected rejection says nothing new, and would go round for ever. */
	if (r >= 0 && !lent.audited)
		kri_store_announce(queue->store, &(struct kryos_event){ .type = KRYOS_EVENT_REJECTED,
		                                                        .name = queue->name,
		                                                        .first_seq = seq,
		                                                        .last_seq = seq,
		                                                        .text = reason });
	return r;
}

int kryos_queue_release(struct kryos_queue *queue, int64_t seq)
{
	int r = check(queue), at;

	if (r < 0)
		return r;
	pthread_mutex_lock(&queue->lock);
	at = find_lent(queue, seq);
	if (at < (int)queue->lent_count && queue->lent[at].seq == seq) {
		take_back(queue, at);
		kri_queue_look_again(queue, seq);
	} else {
		r = kryos_fail(-ENOENT, "queue %s: %" PRId64 " is not lent", queue->name, seq);
	}
	pthread_mutex_unlock(&queue->lock);
	return r;
}

int kryos_queue_release_all(struct kryos_queue *queue)
{
	int r = check(queue);

	if (r < 0)
		return r;
	pthread_mutex_lock(&queue->lock);
	if (queue->lent_count)
		kri_queue_look_again(queue, queue->lent[0].seq);
	queue->lent_count = 0;
	pthread_mutex_unlock(&queue->lock);
	return 0;
}

int kryos_queue_resend(struct kryos_queue *queue, int64_t first_seq, int64_t last_seq)
{
	int r = check(queue);
	int64_t durable;

	if (r < 0)
		return r;
	if (first_seq < 1 || last_seq < first_seq)
		return kryos_fail(-EINVAL, "queue %s: %" PRId64 " to %" PRId64 " is no range of records", queue->name,
		                  first_seq, last_seq);
	pthread_mutex_lock(&queue->store->lock);
	durable = queue->store->durable_seq;
	pthread_mutex_unlock(&queue->store->lock);
	/* What is to come is owed anyway. */
	last_seq = last_seq < durable ? last_seq : durable;
	if (last_seq < first_seq)
		return 0;
	pthread_mutex_lock(&queue->lock);
	r = kri_ranges_add(&queue->samples, first_seq, last_seq);
	if (r >= 0)
		r = kri_ranges_add(&queue->events, first_seq, last_seq);
	kri_queue_look_again(queue, first_seq);
	touched(queue);
	pthread_mutex_unlock(&queue->lock);
	kri_queue_wake(queue);
	return r;
}

int kryos_queue_set_live(struct kryos_queue *queue)
{
	int r = check(queue);
	int64_t durable;

	if (r < 0)
		return r;
	pthread_mutex_lock(&queue->store->lock);
	durable = queue->store->durable_seq;
	pthread_mutex_unlock(&queue->store->lock);
	pthread_mutex_lock(&queue->lock);
	queue->live_seq = durable + 1;
	kri_queue_look_again(queue, 0);
	pthread_mutex_unlock(&queue->lock);
	return 0;
}

int kryos_queue_get_status(struct kryos_queue *queue, struct kryos_queue_status *ret_status)
{
	struct kryos_queue_status status = { .size = sizeof(status) };
	struct kri_run sample, event;
	int r = check(queue);
	int64_t durable, newest_event;

	if (r < 0)
		return r;
	if (!ret_status || ret_status->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "queue %s: no status given, or its size is not set", queue->name);
	pthread_mutex_lock(&queue->store->lock);
	durable = queue->store->durable_seq;
	newest_event = queue->store->stored_event_seq;
	pthread_mutex_unlock(&queue->store->lock);
	pthread_mutex_lock(&queue->lock);
	status.lent = queue->lent_count;
	memcpy(status.name, queue->name, sizeof(status.name));
	status.owed = kri_ranges_count_either(&queue->samples, durable, &queue->events, newest_event);
	if (kri_ranges_next(&queue->samples, 1, &sample) && sample.first <= durable)
		status.oldest_seq = sample.first;
	if (kri_ranges_next(&queue->events, 1, &event) && event.first <= newest_event &&
	    (!status.oldest_seq || event.first < status.oldest_seq))
		status.oldest_seq = event.first;
	status.live_seq = queue->live_seq;
	status.acked = queue->acked;
	status.rejected = queue->rejected;
	status.dead_letters = queue->dead_letters;
	pthread_mutex_unlock(&queue->lock);
	memcpy(ret_status, &status, ret_status->size < sizeof(status) ? ret_status->size : sizeof(status));
	return 0;
}
