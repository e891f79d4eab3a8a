/* SPDX-License-Identifier: Apache-2.0 */
/* What others ask of a store. */
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int kryos_store_get_status(struct kryos_store *store, struct kryos_store_status *ret_status)
{
	struct kryos_store_status *status;
	int64_t now_ns;
	uint32_t size;

	if (!store || !ret_status || ret_status->size < sizeof(size))
		return kryos_fail(-EINVAL, "store: no status given, or its size is not set");
	if (kri_ctx_check(store->ctx) < 0)
		return KRYOS_EFORK;
	now_ns = kri_boot_ns(store->ctx);
	pthread_mutex_lock(&store->lock);
	status = &store->status;
	status->size = sizeof(*status);
	status->segments = (uint32_t)store->segment_count;
	status->first_seq = store->segment_count ? store->segments[0].first_seq : 0;
	status->last_seq = store->durable_seq;
	status->limit_bytes = store->limit_bytes;
	status->samples = 0;
	status->bytes = store->state_bytes;
	for (int i = 0; i < store->segment_count; i++) {
		status->samples += store->segments[i].samples;
		status->bytes += store->segments[i].bytes;
	}
	status->last_wall_ns = store->last_wall_ns;
	status->volatile_samples = (uint32_t)store->waiting_samples;
	status->epoch = store->epoch;
	status->boot = store->boot;
	status->device_ns = kri_boots_find(&store->boots, store->boot)->device_ns + now_ns;
	status->can_seal = store->key != NULL;
	memcpy(status->device, store->device, sizeof(status->device));
	size = ret_status->size < sizeof(*status) ? ret_status->size : (uint32_t)sizeof(*status);
	memcpy(ret_status, status, size);
	ret_status->size = size;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

void kri_store_set_health(struct kryos_store *store, enum kri_health part, int error, struct kryos_time now)
{
	struct kryos_store_status *status = &store->status;
	int before = status->error;

	store->health[part].error = error;
	snprintf(store->health[part].text, sizeof(store->health[part].text), "%s", error ? kryos_strerror(error) : "");
	status->error = 0;
	status->text[0] = '\0';
	for (int i = KRI_HEALTH_PARTS - 1; i >= 0; i--) {
		if (!store->health[i].error)
			continue;
		status->error = store->health[i].error;
		memcpy(status->text, store->health[i].text, sizeof(status->text));
	}
	/* Of a full disk another says so (room.c). */
	if (status->error != before && status->error != -ENOSPC && (status->error || before != -ENOSPC)) {
		struct kryos_event event = { .type = KRYOS_EVENT_STORE,
			                     .code = status->error,
			                     .name = "store",
			                     .text = status->error ? status->text : "writing again" };

		kri_event_push(store->ctx, &event);
		/* At 256 waiting ones the oldest tell of this already. */
		(void)!kri_store_put_event(store, &event, now);
	}
}

struct kryos_ctx *kri_store_get_ctx(struct kryos_store *store)
{
	return store->ctx;
}

const char *kri_store_get_device(struct kryos_store *store)
{
	return store->device;
}

const char *kri_store_get_path(struct kryos_store *store)
{
	return store->folder;
}

uint32_t kri_store_get_last_round(struct kryos_store *store)
{
	uint32_t round;

	pthread_mutex_lock(&store->lock);
	round = store->last_round;
	pthread_mutex_unlock(&store->lock);
	return round;
}

int64_t kri_store_get_trusted_end(struct kryos_store *store, int64_t *ret_wall_ns)
{
	int64_t seq = 0;

	*ret_wall_ns = 0;
	pthread_mutex_lock(&store->lock);
	for (int i = store->segment_count - 1; i >= 0 && !seq; i--) {
		if (store->segments[i].last_trust < KRYOS_TRUST_RTC)
			continue;
		seq = store->segments[i].last_seq;
		*ret_wall_ns = store->segments[i].last_wall_ns;
	}
	pthread_mutex_unlock(&store->lock);
	return seq;
}

int kri_store_set_place(struct kryos_store *store, uint32_t channel, const char *place)
{
	char **grown;
	int r = 0;

	if (strlen(place) > 31)
		return kryos_fail(-EINVAL, "place \"%s\": at most 31 bytes are allowed", place);
	pthread_mutex_lock(&store->lock);
	if (channel >= store->place_count) {
		uint32_t count = channel + 16;

		grown = realloc(store->places, count * sizeof(*grown));
		if (grown) {
			memset(grown + store->place_count, 0, (count - store->place_count) * sizeof(*grown));
			store->places = grown;
			store->place_count = count;
		} else {
			r = -ENOMEM;
		}
	}
	/* The writer reads it without the lock: once set it stays. */
	if (r >= 0 && !store->places[channel]) {
		store->places[channel] = strdup(place);
		r = store->places[channel] ? 0 : -ENOMEM;
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

bool kri_store_is_waiting(struct kryos_store *store, uint64_t *ret_attempts)
{
	bool waiting;

	pthread_mutex_lock(&store->lock);
	/* What is in the ring waits for the disk, but not for the writer. */
	waiting = store->batches || store->committing;
	*ret_attempts = store->attempts;
	pthread_mutex_unlock(&store->lock);
	return waiting;
}
