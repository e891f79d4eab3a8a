/* SPDX-License-Identifier: Apache-2.0 */
/* The store's door: opening, closing, and handing work to the writer. */
#include "private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOSE_NS KRYOS_SECONDS(4)

void kri_store_unref(struct kryos_store *store)
{
	if (atomic_fetch_sub(&store->refs, 1) != 1)
		return;
	while (store->batches) {
		struct kri_batch *batch = store->batches;

		store->batches = batch->next;
		free(batch);
	}
	while (store->delivered) {
		struct kri_batch *batch = store->delivered;

		store->delivered = batch->next;
		free(batch);
	}
	while (store->events) {
		struct kri_stored_event *event = store->events;

		store->events = event->next;
		free(event);
	}
	kri_segment_close(store->segment);
	kri_state_close(store->state);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	kri_key_free(store->key);
	for (uint32_t i = 0; i < store->place_count; i++)
		free(store->places[i]);
	free(store->places);
	free(store->offsets);
	free(store->segments);
	free(store->public_pem);
	free((char *)store->config.board);
	free((char *)store->config.key_path);
	free(store->folder);
	pthread_cond_destroy(&store->changed);
	pthread_cond_destroy(&store->finished);
	pthread_mutex_destroy(&store->lock);
	kri_ctx_unref(store->ctx);
	free(store);
}

static void deliver(struct kri_note *note)
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

/* Wall time of this boot became known, or known better: stored once it matters to a sample already kept. */
static void clock_changed(struct kri_clock_listener *listener, uint16_t trust, int64_t offset_ns)
{
	struct kryos_store *store = KRI_CONTAINER_OF(listener, struct kryos_store, listener);
	struct kri_boot_offset *last, *grown;

	kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_CLOCK,
	                                                 .code = trust,
	                                                 .name = "clock",
	                                                 .text = kryos_trust_name(trust) });
	pthread_mutex_lock(&store->lock);
	if (trust < KRYOS_TRUST_RTC || !store->untrusted_in_boot) {
		pthread_mutex_unlock(&store->lock);
		return;
	}
	last = store->offset_count ? &store->offsets[store->offset_count - 1] : NULL;
	if (!last || last->boot != store->boot) {
		grown = realloc(store->offsets, (size_t)(store->offset_count + 1) * sizeof(*grown));
		if (grown) {
			store->offsets = grown;
			last = &grown[store->offset_count++];
			*last = (struct kri_boot_offset){ .boot = store->boot, .trust = KRYOS_TRUST_NONE };
		} else {
			last = NULL;
		}
	}
	if (last && (trust > last->trust || llabs(last->offset_ns - offset_ns) > KRYOS_SECONDS(1))) {
		last->trust = trust;
		last->offset_ns = offset_ns;
		store->offset_changed = true;
		(void)!kri_store_put_event(store, &(struct kryos_event){ .type = KRYOS_EVENT_CORRECTED,
		                                                         .code = (int)store->boot,
		                                                         .name = "clock",
		                                                         .value_ns = offset_ns,
		                                                         .text = kryos_trust_name(trust) });
		pthread_cond_broadcast(&store->changed);
	}
	pthread_mutex_unlock(&store->lock);
}

static void destroy(struct kri_object *object)
{
	struct kryos_store *store = KRI_CONTAINER_OF(object, struct kryos_store, object);
	int64_t end = kri_real_ns() + kri_ctx_patience(store->ctx, CLOSE_NS), left;

	kri_clock_unlisten(store->ctx, &store->listener);
	pthread_mutex_lock(&store->lock);
	store->stopping = true;
	pthread_cond_broadcast(&store->changed);
	/* A sync that hangs is left to end by itself: the writer holds what it needs, the lock on the folder too. */
	while (store->writer_started && !store->writer_ended && (left = end - kri_real_ns()) > 0)
		kri_cond_wait(&store->finished, &store->lock, left);
	pthread_mutex_unlock(&store->lock);
	kri_note_cancel(store->ctx, &store->note);
	kri_object_remove(&store->object);
	kri_store_unref(store);
}

void kryos_store_close(struct kryos_store *store)
{
	if (store && kri_ctx_check(store->ctx) >= 0)
		destroy(&store->object);
}

static int take_config(struct kryos_store *store, const struct kryos_store_config *config)
{
	struct kryos_store_config *own = &store->config;
	int r = kri_config_copy(own, sizeof(*own), config);
	const char *board = own->board, *key_path = own->key_path;

	own->board = own->key_path = NULL;
	if (r >= 0)
		r = kri_config_number(&own->segment_ns, KRI_ID_SEGMENT_NS, "store config.segment_ns");
	if (r >= 0)
		r = kri_config_number(&own->segment_bytes, KRI_ID_SEGMENT_BYTES, "store config.segment_bytes");
	if (r >= 0)
		r = kri_config_number(&own->keep_ns, KRI_ID_KEEP_NS, "store config.keep_ns");
	if (r >= 0)
		r = kri_config_number(&own->keep_bytes, KRI_ID_KEEP_BYTES, "store config.keep_bytes");
	if (r >= 0 && (own->full < 0 || own->full > KRYOS_FULL_REFUSE))
		r = kryos_fail(-EINVAL, "store config.full: %d is not allowed; 1 (drop oldest) or 2 (refuse)",
		               own->full);
	if (r < 0)
		return r;
	if (!own->full)
		own->full = KRYOS_FULL_DROP_OLDEST;
	/* Retention removes whole segments, so several must fit. */
	if (own->segment_bytes > own->keep_bytes / 4)
		own->segment_bytes = own->keep_bytes / 4;
	if (board && !(own->board = strdup(board)))
		return -ENOMEM;
	if (key_path && !(own->key_path = strdup(key_path)))
		return -ENOMEM;
	return kri_board_name(own->board, store->board);
}

static int64_t limit_bytes(struct kryos_store *store)
{
	int64_t own = 0, free_bytes = kri_free_bytes(store->folder), half;

	for (int i = 0; i < store->segment_count; i++)
		own += store->segments[i].bytes;
	half = free_bytes > INT64_MAX - own ? INT64_MAX : (free_bytes + own) / 2;
	return store->config.keep_bytes < half ? store->config.keep_bytes : half;
}

static int new_store(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path)
{
	struct kryos_store *store = calloc(1, sizeof(*store));
	const struct kryos_clock_source *source;
	void *userdata;

	if (!store)
		return -ENOMEM;
	atomic_init(&store->refs, 1);
	store->ctx = kri_ctx_ref(ctx);
	store->lock_fd = -1;
	store->batches_tail = &store->batches;
	store->events_tail = &store->events;
	store->delivered_tail = &store->delivered;
	store->note.deliver = deliver;
	store->listener.changed = clock_changed;
	pthread_mutex_init(&store->lock, NULL);
	kri_cond_init(&store->changed);
	kri_cond_init(&store->finished);
	source = kri_clock_source(ctx, &userdata);
	source->boot_id(userdata, store->boot_id);
	store->folder = strdup(path);
	if (!store->folder) {
		kri_store_unref(store);
		return -ENOMEM;
	}
	*ret_store = store;
	return 0;
}

int kryos_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                     const struct kryos_store_config *config)
{
	struct kryos_store *store = NULL;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_store || !path || !*path)
		return kryos_fail(-EINVAL, "store: no folder given");
	r = new_store(&store, ctx, path);
	if (r < 0)
		return r;
	r = take_config(store, config);
	if (r >= 0)
		r = kri_lock_folder(path, &store->lock_fd);
	kri_vfs_count(&store->syncs);
	if (r >= 0)
		r = kri_store_recover(store);
	kri_vfs_count(NULL);
	if (r >= 0) {
		store->limit_bytes = limit_bytes(store);
		if (store->last_wall_ns && store->segment_count &&
		    store->segments[store->segment_count - 1].last_trust >= KRYOS_TRUST_RTC)
			kri_clock_set_floor(ctx, store->last_wall_ns);
		atomic_fetch_add(&store->refs, 1);
		r = kri_thread_start("kryos-store", kri_writer_main, store);
		if (r < 0)
			atomic_fetch_sub(&store->refs, 1);
	}
	if (r < 0) {
		kri_store_unref(store);
		return r;
	}
	store->writer_started = true;
	kri_object_add(ctx, &store->object, destroy);
	kri_clock_listen(ctx, &store->listener);
	*ret_store = store;
	return 0;
}

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
	if (store->stopping)
		return kryos_fail(-ECANCELED, "store: it is being closed");
	if (store->full)
		return kryos_fail(KRYOS_EFULL, "%s: full, and its policy is to refuse", store->folder);
	if (!batch->waiting_caller && store->waiting_samples + batch->count > KRI_MAX_WAITING)
		return kryos_fail(-EAGAIN, "%s: %zu samples already wait for the disk", store->folder,
		                  store->waiting_samples);
	batch->next = NULL;
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
	pthread_mutex_lock(&store->lock);
	r = hand_over(store, &batch);
	while (r >= 0 && !batch.finished)
		kri_cond_wait(&store->finished, &store->lock, -1);
	if (r >= 0 && batch.result < 0)
		r = kryos_fail(batch.result, "%s", store->status.text);
	pthread_mutex_unlock(&store->lock);
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
	struct kri_batch *lists[] = { store->batches, store->committing, store->delivered };

	for (size_t i = 0; i < KRI_ARRAY_SIZE(lists); i++)
		for (struct kri_batch *batch = lists[i]; batch; batch = batch->next)
			if (batch->data == data)
				batch->done = NULL;
	pthread_mutex_unlock(&store->lock);
}

int kryos_store_flush(struct kryos_store *store, int64_t timeout_ns)
{
	int64_t end = kri_real_ns() + timeout_ns, left;
	int r = 0;

	if (!store)
		return kryos_fail(-EINVAL, "no store given");
	if (kri_ctx_check(store->ctx) < 0)
		return KRYOS_EFORK;
	pthread_mutex_lock(&store->lock);
	store->commit_wanted++;
	pthread_cond_broadcast(&store->changed);
	for (uint64_t wanted = store->commit_wanted;
	     store->batches || store->committing || store->commit_done < wanted;) {
		left = end - kri_real_ns();
		if (left <= 0) {
			r = store->status.error
			            ? kryos_fail(store->status.error, "%s", store->status.text)
			            : kryos_fail(-ETIMEDOUT, "%s: the disk has not answered", store->folder);
			break;
		}
		kri_cond_wait(&store->finished, &store->lock, left);
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

static void copy_line(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
	for (char *at = to; *at; at++)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
}

int kri_store_put_event(struct kryos_store *store, const struct kryos_event *event)
{
	struct kri_stored_event *stored;
	struct kryos_time now = { 0 };

	if (store->events_waiting >= KRI_MAX_EVENTS_WAITING)
		return kryos_fail(-EAGAIN, "%s: %d events already wait for the disk", store->folder,
		                  store->events_waiting);
	stored = calloc(1, sizeof(*stored));
	if (!stored)
		return -ENOMEM;
	if (kryos_clock_now(store->ctx, &now) < 0)
		now.t_boot_ns = kri_boot_ns(store->ctx);
	stored->t_boot_ns = event->sample.t_boot_ns ? event->sample.t_boot_ns : now.t_boot_ns;
	stored->t_wall_ns = now.t_wall_ns - (now.t_boot_ns - stored->t_boot_ns);
	stored->trust = now.trust;
	stored->type = event->type;
	stored->code = event->code;
	stored->first_seq = event->first_seq;
	stored->last_seq = event->last_seq;
	stored->value_ns = event->value_ns;
	copy_line(stored->name, sizeof(stored->name), event->name);
	copy_line(stored->text, sizeof(stored->text), event->text);
	*store->events_tail = stored;
	store->events_tail = &stored->next;
	store->events_waiting++;
	pthread_cond_broadcast(&store->changed);
	return 0;
}

void kri_store_announce(struct kryos_store *store, const struct kryos_event *event)
{
	int r;

	kri_event_push(store->ctx, event);
	pthread_mutex_lock(&store->lock);
	r = kri_store_put_event(store, event);
	pthread_mutex_unlock(&store->lock);
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "event %s is not stored: %s",
		        kryos_event_type_name(event->type), kryos_strerror(r));
}

int kryos_store_add_event(struct kryos_store *store, const struct kryos_event *event)
{
	int r;

	if (!store || !event)
		return kryos_fail(-EINVAL, "no store or no event given");
	if (kri_ctx_check(store->ctx) < 0)
		return KRYOS_EFORK;
	if (kryos_event_type_name(event->type)[0] == '?' || event->type == KRYOS_EVENT_SAMPLE)
		return kryos_fail(-EINVAL, "store: events of type %d can't be stored", (int)event->type);
	if ((event->name && strlen(event->name) > 63) || (event->text && strlen(event->text) > 1000))
		return kryos_fail(-EINVAL, "store: an event has a name of at most 63 and a text of at most 1000 bytes");
	pthread_mutex_lock(&store->lock);
	r = kri_store_put_event(store, event);
	pthread_mutex_unlock(&store->lock);
	return r;
}

int kryos_store_get_status(struct kryos_store *store, struct kryos_store_status *ret_status)
{
	struct kryos_store_status *status;
	uint32_t size;

	if (!store || !ret_status || ret_status->size < sizeof(size))
		return kryos_fail(-EINVAL, "store: no status given, or its size is not set");
	if (kri_ctx_check(store->ctx) < 0)
		return KRYOS_EFORK;
	pthread_mutex_lock(&store->lock);
	status = &store->status;
	status->size = sizeof(*status);
	status->segments = (uint32_t)store->segment_count;
	status->first_seq = store->segment_count ? store->segments[0].first_seq : 0;
	status->last_seq = store->durable_seq;
	status->limit_bytes = store->limit_bytes;
	status->samples = 0;
	status->bytes = 0;
	for (int i = 0; i < store->segment_count; i++) {
		status->samples += store->segments[i].last_seq - store->segments[i].first_seq + 1;
		status->bytes += store->segments[i].bytes;
	}
	status->last_wall_ns = store->last_wall_ns;
	status->volatile_samples = (uint32_t)store->waiting_samples;
	status->epoch = store->epoch;
	status->boot = store->boot;
	status->can_seal = store->key != NULL;
	memcpy(status->device, store->device, sizeof(status->device));
	size = ret_status->size < sizeof(*status) ? ret_status->size : (uint32_t)sizeof(*status);
	memcpy(ret_status, status, size);
	ret_status->size = size;
	pthread_mutex_unlock(&store->lock);
	return 0;
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

int64_t kri_store_get_last_wall_ns(struct kryos_store *store)
{
	int64_t last;

	pthread_mutex_lock(&store->lock);
	last = store->last_wall_ns;
	pthread_mutex_unlock(&store->lock);
	return last;
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
