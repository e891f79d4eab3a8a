/* SPDX-License-Identifier: Apache-2.0 */
/* The store's life. */
#include "kept.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOSE_NS KRYOS_SECONDS(4)
#define RETRY_NS KRYOS_SECONDS(1)
#define KEEP_NS KRYOS_MINUTES(15)
#define QUIET_NS KRYOS_MILLISECONDS(20)

void kri_store_unref(struct kryos_store *store)
{
	if (atomic_fetch_sub(&store->refs, 1) != 1)
		return;
	while (store->batches) {
		struct kri_batch *batch = store->batches;

		store->batches = batch->next;
		free(batch);
	}
	kri_ring_drop(store);
	while (store->delivered) {
		struct kri_batch *batch = store->delivered;

		store->delivered = batch->next;
		free(batch);
	}
	kri_store_drop_events(store);
	kri_configured_free(store);
	kri_kept_free(store);
	kri_segment_close(store->segment);
	kri_state_close(store->state);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	kri_key_free(store->key);
	for (uint32_t i = 0; i < store->place_count; i++)
		free(store->places[i]);
	free(store->places);
	kri_boots_clear(&store->boots);
	free(store->segments);
	free(store->public_pem);
	free((char *)store->config.board);
	free((char *)store->config.key_path);
	free(store->folder);
	pthread_cond_destroy(&store->changed);
	pthread_cond_destroy(&store->finished);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->naming);
	kri_ctx_unref(store->ctx);
	free(store);
}

void kri_store_learn_offset(struct kryos_store *store, struct kryos_time now)
{
	struct kri_boot *boot = kri_boots_find(&store->boots, store->boot);
	int64_t apart_ns = kri_ns_subtract(boot->offset_ns, store->offset_ns);

	if (!store->untrusted_in_boot || store->offset_trust < KRYOS_TRUST_RTC || store->offset_trust < boot->trust ||
	    (store->offset_trust == boot->trust && llabs(apart_ns) <= KRYOS_SECONDS(1)))
		return;
	/* Not without its event, which may have to wait for a place: verify takes no offset that no event tells of. */
	if (kri_store_put_event(store,
	                        &(struct kryos_event){ .type = KRYOS_EVENT_CORRECTED,
	                                               .code = (int)store->boot,
	                                               .name = "clock",
	                                               .value_ns = store->offset_ns,
	                                               .text = kryos_trust_name(store->offset_trust) },
	                        now) < 0)
		return;
	boot->trust = store->offset_trust;
	boot->offset_ns = store->offset_ns;
	store->boot_changed = true;
}

static void clock_changed(struct kri_clock_listener *listener, uint16_t trust, int64_t offset_ns)
{
	struct kryos_store *store = KRI_CONTAINER_OF(listener, struct kryos_store, listener);
	struct kryos_time now = kri_store_now(store);
	char text[160], before[KRYOS_TEXT_MAX], after[KRYOS_TEXT_MAX];
	struct kri_boot *boot;
	int r;

	/* The clock has told the context already; here it is kept, with what it said before. */
	snprintf(text, sizeof(text), "%s", kryos_trust_name(trust));
	if (store->clock_told && trust >= KRYOS_TRUST_RTC && store->clock_trust >= KRYOS_TRUST_RTC)
		snprintf(text, sizeof(text), "%s; was %s and %s, now %s", kryos_trust_name(trust),
		         kryos_trust_name(store->clock_trust),
		         kryos_time_text(now.t_boot_ns + store->clock_offset_ns, before),
		         kryos_time_text(now.t_boot_ns + offset_ns, after));
	else if (store->clock_told)
		snprintf(text, sizeof(text), "%s; was %s", kryos_trust_name(trust),
		         kryos_trust_name(store->clock_trust));
	store->clock_told = true;
	store->clock_trust = trust;
	store->clock_offset_ns = offset_ns;
	pthread_mutex_lock(&store->lock);
	r = kri_store_put_event(
		store, &(struct kryos_event){ .type = KRYOS_EVENT_CLOCK, .code = trust, .name = "clock", .text = text },
		now);
	if (trust >= KRYOS_TRUST_RTC) {
		boot = kri_boots_find(&store->boots, store->boot);
		store->boot_changed |= kri_boot_count_gap(boot, offset_ns);
		if (trust >= store->offset_trust) {
			store->offset_trust = trust;
			store->offset_ns = offset_ns;
		}
		kri_store_learn_offset(store, now);
		pthread_cond_broadcast(&store->changed);
	}
	pthread_mutex_unlock(&store->lock);
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "event clock is not stored: %s", kryos_strerror(r));
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
	store->detached = true;
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

/* Segments are opened by name for years, and who embeds us may change its folder meanwhile: daemon() does. */
static char *absolute(const char *path)
{
	char here[PATH_MAX], *whole;

	if (*path == '/' || !getcwd(here, sizeof(here)))
		return strdup(path);
	return asprintf(&whole, "%s/%s", here, path) < 0 ? NULL : whole;
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
	store->retry_ns = RETRY_NS;
	store->keep_ns = KEEP_NS;
	store->quiet_ns = QUIET_NS;
	store->batches_tail = &store->batches;
	store->ring_tail = &store->ring;
	store->events_tail = &store->events;
	store->delivered_tail = &store->delivered;
	store->note.deliver = kri_store_deliver;
	store->listener.changed = clock_changed;
	pthread_mutex_init(&store->naming, NULL);
	pthread_mutex_init(&store->lock, NULL);
	kri_cond_init(&store->changed);
	kri_cond_init(&store->finished);
	source = kri_clock_source(ctx, &userdata);
	source->boot_id(userdata, store->boot_id);
	store->folder = absolute(path);
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
	return kri_store_open(ret_store, ctx, path, config, NULL);
}

int kri_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                   const struct kryos_store_config *config, const struct kryos_event *first)
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
	/* (Nobody else has the store yet.) */
	if (r >= 0 && first)
		r = kri_store_put_event(store, first, kri_store_now(store));
	if (r >= 0)
		r = kri_store_recover(store);
	kri_vfs_count(NULL);
	if (r >= 0) {
		store->limit_bytes = limit_bytes(store);
		if (store->last_wall_ns && store->last_trust >= KRYOS_TRUST_RTC)
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
