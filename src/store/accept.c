/* SPDX-License-Identifier: Apache-2.0 */
/* Handing samples to the writer, and hearing of them again. */
#include "private.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int check_samples(struct kryos_store *store, const struct kryos_sample *samples, size_t count)
{
	if (!store)
		return kryos_fail(-EINVAL, "no store given");
	if (kri_ctx_check(store->ctx) < 0)
		return KRYOS_EFORK;
	if (!samples || count < 1 || count > KRI_MAX_WAITING)
		return kryos_fail(-EINVAL, "store: 1 to %d samples at once are allowed", KRI_MAX_WAITING);
	for (size_t i = 0; i < count; i++) {
		if (kryos_channel_name(store->ctx, samples[i].channel)[0] == '?')
			return kryos_fail(-EINVAL, "store: sample %zu: channel %" PRIu32 " was never added", i,
			                  samples[i].channel);
		if (samples[i].boot && samples[i].boot != store->boot)
			return kryos_fail(-EINVAL, "store: sample %zu: boot %" PRIu32 " is not this one (%" PRIu32 ")",
			                  i, samples[i].boot, store->boot);
		if (kryos_quality_name(samples[i].quality)[0] == '?' || kryos_trust_name(samples[i].trust)[0] == '?')
			return kryos_fail(-EINVAL, "store: sample %zu: unknown quality or trust", i);
	}
	return 0;
}

/* store->lock held. */
static int hand_over(struct kryos_store *store, struct kri_batch *batch)
{
	size_t waiting;

	if (store->stopping)
		return kryos_fail(-ECANCELED, "store: it is being closed");
	if (store->full) {
		store->room.refused += batch->count;
		return kryos_fail(KRYOS_EFULL, "%s: full, and its policy is to refuse", store->folder);
	}
	/* Those in the ring make place for newer ones. */
	waiting = store->waiting_samples - store->ring_samples;
	if (!batch->waiting_caller && waiting + batch->count > KRI_MAX_WAITING)
		return kryos_fail(-EAGAIN, "%s: %zu samples already wait for the disk", store->folder, waiting);
	batch->next = NULL;
	batch->number = ++store->handed_over;
	*store->batches_tail = batch;
	store->batches_tail = &batch->next;
	store->waiting_samples += batch->count;
	pthread_cond_broadcast(&store->changed);
	return 0;
}

int kryos_store_append(struct kryos_store *store, struct kryos_sample *samples, size_t count)
{
	struct kri_batch batch = { .samples = samples, .count = count, .waiting_caller = true };
	int r = check_samples(store, samples, count);

	if (r < 0)
		return r;
	batch.t_boot_ns = kri_boot_ns(store->ctx);
	/* Another thread may close the store while this one waits. */
	atomic_fetch_add(&store->refs, 1);
	pthread_mutex_lock(&store->lock);
	r = hand_over(store, &batch);
	while (r >= 0 && !batch.finished)
		kri_cond_wait(&store->finished, &store->lock, -1);
	if (r >= 0 && batch.result == -ECANCELED)
		r = kryos_fail(-ECANCELED, "%s: it is being closed", store->folder);
	else if (r >= 0 && batch.result == KRYOS_EVOLATILE)
		r = kryos_fail(KRYOS_EVOLATILE, "kept in memory only, and written when the disk is back: %s",
		               store->health[KRI_HEALTH_SAMPLES].text);
	else if (r >= 0 && batch.result < 0)
		r = kryos_fail(batch.result, "%s", store->health[KRI_HEALTH_SAMPLES].text);
	pthread_mutex_unlock(&store->lock);
	kri_store_unref(store);
	return r;
}

int kri_store_submit(struct kryos_store *store, const struct kryos_sample *samples, size_t count,
                     void (*done)(void *data, int result), void *data)
{
	struct kri_batch *batch;
	int r = check_samples(store, samples, count);

	if (r < 0)
		return r;
	batch = calloc(1, sizeof(*batch) + count * sizeof(*samples));
	if (!batch)
		return -ENOMEM;
	batch->samples = (struct kryos_sample *)(batch + 1);
	memcpy(batch->samples, samples, count * sizeof(*samples));
	batch->count = count;
	batch->t_boot_ns = kri_boot_ns(store->ctx);
	batch->done = done;
	batch->data = data;
	pthread_mutex_lock(&store->lock);
	r = hand_over(store, batch);
	pthread_mutex_unlock(&store->lock);
	if (r < 0)
		free(batch);
	return r;
}

int kryos_store_submit(struct kryos_store *store, const struct kryos_sample *samples, size_t count)
{
	return kri_store_submit(store, samples, count, NULL, NULL);
}

void kri_store_forget(struct kryos_store *store, void *data)
{
	pthread_mutex_lock(&store->lock);
	struct kri_batch *lists[] = { store->batches, store->committing, store->ring, store->delivered };

	for (size_t i = 0; i < KRI_ARRAY_SIZE(lists); i++)
		for (struct kri_batch *batch = lists[i]; batch; batch = batch->next)
			if (batch->data == data)
				batch->done = NULL;
	pthread_mutex_unlock(&store->lock);
}

/* Whether a batch handed over up to that number is not durable yet. store->lock held. */
static bool is_waiting(struct kryos_store *store, uint64_t number)
{
	return (store->committing && store->committing->number <= number) ||
	       (store->ring && store->ring->number <= number) || (store->batches && store->batches->number <= number);
}

static int why_not_flushed(struct kryos_store *store)
{
	if (store->writer_ended)
		return kryos_fail(-ECANCELED, "%s: it was closed", store->folder);
	if (store->status.error)
		return kryos_fail(store->status.error, "%s", store->status.text);
	return kryos_fail(-ETIMEDOUT, "%s: the disk has not answered", store->folder);
}

int kryos_store_flush(struct kryos_store *store, int64_t timeout_ns)
{
	int64_t now = kri_real_ns(), end, left;
	uint64_t number, wanted;
	int r = 0;

	if (!store)
		return kryos_fail(-EINVAL, "no store given");
	if (kri_ctx_check(store->ctx) < 0)
		return KRYOS_EFORK;
	end = timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
	atomic_fetch_add(&store->refs, 1);
	pthread_mutex_lock(&store->lock);
	number = store->handed_over;
	wanted = ++store->commit_wanted;
	pthread_cond_broadcast(&store->changed);
	while (r >= 0 && (is_waiting(store, number) || store->commit_done < wanted)) {
		left = end - kri_real_ns();
		if (left <= 0 || store->writer_ended)
			r = why_not_flushed(store);
		else
			kri_cond_wait(&store->finished, &store->lock, left);
	}
	pthread_mutex_unlock(&store->lock);
	kri_store_unref(store);
	return r;
}

void kri_store_deliver(struct kri_note *note)
{
	struct kryos_store *store = KRI_CONTAINER_OF(note, struct kryos_store, note);
	struct kri_batch *batch;

	pthread_mutex_lock(&store->lock);
	while ((batch = store->delivered)) {
		store->delivered = batch->next;
		if (!store->delivered)
			store->delivered_tail = &store->delivered;
		pthread_mutex_unlock(&store->lock);
		if (batch->done)
			batch->done(batch->data, batch->result);
		free(batch);
		pthread_mutex_lock(&store->lock);
	}
	pthread_mutex_unlock(&store->lock);
}
