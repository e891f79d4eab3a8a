/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay's thread. It is the only one that touches the link, the transport and a TLS library, and
 * it may hang in them: then kryos_relay_close goes on without it, and what it needs (struct core)
 * lives until it ends.
 */
#include "../clock/clock.h"
#include "../store/store.h"
#include "config.h"
#include <kryos/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_NS KRYOS_SECONDS(2)

struct core {
	atomic_int refs;
	struct kryos_ctx *ctx;
	struct kryos_queue *queue;
	struct kri_relay_config config;
	struct kryos_link_port *port;
	struct kri_resolver *resolver;
	struct kri_link link; /* the worker's */
	void *priv;
	char name[32];

	pthread_mutex_t lock; /* below */
	pthread_cond_t ended_cond;
	bool stopping, abandoned, ended;
	struct kryos_relay_status status;
	int64_t retry_ns; /* when, on CLOCK_BOOTTIME */
};

struct kryos_relay {
	struct kri_object object;
	struct core *core;
};

static void core_unref(struct core *core)
{
	if (atomic_fetch_sub(&core->refs, 1) > 1)
		return;
	kri_resolver_free(core->resolver);
	kri_port_unref(core->port);
	kri_relay_config_clear(&core->config);
	if (core->queue)
		kri_queue_unref(core->queue);
	pthread_cond_destroy(&core->ended_cond);
	pthread_mutex_destroy(&core->lock);
	kri_ctx_unref(core->ctx);
	free(core->priv);
	free(core);
}

static int queue_next(void *data, unsigned int streams, const struct kryos_record **ret_record)
{
	return kryos_queue_next_of(((struct core *)data)->queue, streams, ret_record);
}

static int queue_ack(void *data, int64_t seq)
{
	return kryos_queue_ack(((struct core *)data)->queue, seq);
}

static int queue_reject(void *data, int64_t seq, const char *reason)
{
	struct core *core = data;

	kri_log(core->ctx, KRYOS_LOG_WARNING, "relay", KRYOS_EREJECTED, "%s: record %lld became a dead letter: %s",
	        core->name, (long long)seq, reason);
	return kryos_queue_reject(core->queue, seq, reason);
}

static int queue_release(void *data, int64_t seq)
{
	return kryos_queue_release(((struct core *)data)->queue, seq);
}

static int queue_release_all(void *data)
{
	return kryos_queue_release_all(((struct core *)data)->queue);
}

static int queue_set_live(void *data)
{
	return kryos_queue_set_live(((struct core *)data)->queue);
}

static int resolve(void *data, int64_t token)
{
	return kri_resolver_start(((struct core *)data)->resolver, token);
}

static unsigned int trust(void *data)
{
	return kri_clock_trust(((struct core *)data)->ctx);
}

static void publish_status(struct core *core)
{
	const struct kri_link *link = &core->link;
	struct kryos_relay_status *status = &core->status;

	pthread_mutex_lock(&core->lock);
	status->link = kri_link_public(link);
	status->sent = link->sent_total;
	status->acked = link->acked_total;
	status->rejected = link->rejected_total;
	status->connects = link->connects;
	status->failures = link->failures;
	status->last_ack_boot_ns = link->last_ack_ns;
	status->inflight = link->sent_count;
	status->error = link->error;
	memcpy(status->text, link->text, sizeof(status->text));
	core->retry_ns = link->state == KRI_LINK_IDLE ? link->retry_ns : 0;
	pthread_mutex_unlock(&core->lock);
}

static void announce(void *data, bool up, int code, const char *text)
{
	struct core *core = data;
	struct kryos_event event = { .size = sizeof(event),
		                     .type = up ? KRYOS_EVENT_LINK_UP : KRYOS_EVENT_LINK_DOWN,
		                     .code = code,
		                     .name = core->name,
		                     .text = text };

	if (up)
		kri_log(core->ctx, KRYOS_LOG_NOTICE, "relay", 0, "%s: link up", core->name);
	else
		kri_log(core->ctx, KRYOS_LOG_WARNING, "relay", code, "%s: link down: %s", core->name, text);
	publish_status(core); /* whoever takes the event may ask at once */
	kri_event_push(core->ctx, &event);
}

/* After close the task belongs to nobody we know; it is touched only under the lock and before that. */
static void prove(struct core *core, bool progress)
{
	pthread_mutex_lock(&core->lock);
	if (!core->abandoned && progress)
		kryos_task_feed(core->config.public.task);
	else if (!core->abandoned)
		kryos_task_rest(core->config.public.task);
	pthread_mutex_unlock(&core->lock);
}

static bool is_stopping(struct core *core)
{
	bool stopping;

	pthread_mutex_lock(&core->lock);
	stopping = core->stopping;
	pthread_mutex_unlock(&core->lock);
	return stopping;
}

static void run(void *data)
{
	struct core *core = data;
	struct kri_link *link = &core->link;
	int64_t now = kri_real_ns(), next;

	kri_link_init(link, now);
	while (link->state != KRI_LINK_DONE) {
		prove(core, true);
		now = kri_real_ns();
		if (is_stopping(core))
			kri_link_stop(link, now);
		next = kri_link_step(link, now);
		publish_status(core);
		if (link->state == KRI_LINK_DONE)
			break;
		now = kri_real_ns();
		if (next <= now)
			continue;
		prove(core, false); /* waiting is not hanging */
		if (kri_port_wait(core->port, next == INT64_MAX ? -1 : next - now))
			kri_link_poke(link);
	}
	kri_link_fini(link);
	kri_port_close(core->port);
	publish_status(core);
	pthread_mutex_lock(&core->lock);
	core->ended = true;
	pthread_cond_broadcast(&core->ended_cond);
	pthread_mutex_unlock(&core->lock);
	core_unref(core);
}

static void wake(void *data)
{
	kri_port_poke(data);
}

static void destroy(struct kri_object *object)
{
	kryos_relay_close(KRI_CONTAINER_OF(object, struct kryos_relay, object));
}

static int core_new(struct core **ret_core, struct kryos_ctx *ctx, const char *name, const char *device,
                    const struct kryos_relay_config *config)
{
	struct core *core = calloc(1, sizeof(*core));
	int r;

	if (!core)
		return kryos_fail(-ENOMEM, "relay: out of memory");
	atomic_init(&core->refs, 1);
	pthread_mutex_init(&core->lock, NULL);
	kri_cond_init(&core->ended_cond);
	core->ctx = kri_ctx_ref(ctx);
	snprintf(core->name, sizeof(core->name), "%s", name);
	r = kri_relay_config_make(&core->config, ctx, device, config);
	if (r < 0)
		goto unref;
	core->priv = calloc(1, core->config.transport->private_size ? core->config.transport->private_size : 1);
	r = core->priv ? kri_port_new(&core->port) : kryos_fail(-ENOMEM, "relay: out of memory");
	if (r < 0)
		goto unref;
	r = kri_resolver_new(&core->resolver, ctx, core->port, core->config.url.host, core->config.url.numeric,
	                     core->config.public.connect_timeout_ns);
	if (r < 0)
		goto unref;
	core->link = (struct kri_link){ .env = { .data = core,
		                                 .next = queue_next,
		                                 .ack = queue_ack,
		                                 .reject = queue_reject,
		                                 .release = queue_release,
		                                 .release_all = queue_release_all,
		                                 .set_live = queue_set_live,
		                                 .resolve = resolve,
		                                 .trust = trust,
		                                 .announce = announce },
		                        .config = core->config.link,
		                        .codec = core->config.codec,
		                        .transport = core->config.transport,
		                        .userdata = core->config.transport_userdata,
		                        .relay_config = &core->config.public,
		                        .priv = core->priv,
		                        .port = core->port };
	*ret_core = core;
	return 0;

unref:
	core_unref(core);
	return r;
}

int kryos_relay_open(struct kryos_relay **ret_relay, struct kryos_store *store, const char *name,
                     const struct kryos_relay_config *config)
{
	struct kryos_queue *queue = NULL;
	struct kryos_relay *relay;
	struct kryos_ctx *ctx;
	int r;

	if (!ret_relay || !store || !name || !config)
		return kryos_fail(-EINVAL, "relay: store, name and config are required");
	ctx = kri_store_get_ctx(store);
	r = kri_ctx_check(ctx);
	if (r < 0)
		return r;
	relay = calloc(1, sizeof(*relay));
	if (!relay)
		return kryos_fail(-ENOMEM, "relay: out of memory");
	r = core_new(&relay->core, ctx, name, kri_store_get_device(store), config);
	if (r < 0)
		goto free_relay;
	r = kryos_queue_open(&queue, store, name,
	                     KRYOS_QUEUE_CONFIG(.channels = relay->core->config.public.channels, .take_volatile = 1));
	if (r < 0)
		goto free_core;
	relay->core->queue = kri_queue_ref(queue);
	kri_queue_set_wake(queue, wake, relay->core->port);
	atomic_fetch_add(&relay->core->refs, 1);
	r = kri_thread_start("kryos-relay", run, relay->core);
	if (r < 0)
		goto close_queue;
	kri_object_add(ctx, &relay->object, destroy);
	*ret_relay = relay;
	return 0;

close_queue:
	atomic_fetch_sub(&relay->core->refs, 1);
	kri_queue_set_wake(queue, NULL, NULL);
	kryos_queue_close(queue);
free_core:
	core_unref(relay->core);
free_relay:
	free(relay);
	return r;
}

void kryos_relay_close(struct kryos_relay *relay)
{
	struct core *core = relay ? relay->core : NULL;
	int64_t until, left;

	if (!relay || kri_ctx_check(core->ctx) < 0)
		return;
	until = kri_real_ns() + kri_ctx_patience(core->ctx, CLOSE_NS);
	kri_queue_set_wake(core->queue, NULL, NULL);
	pthread_mutex_lock(&core->lock);
	core->stopping = true;
	pthread_mutex_unlock(&core->lock);
	kri_port_poke(core->port);
	pthread_mutex_lock(&core->lock);
	/* The clock is read once for each wait: less than 0 would be one without a limit. */
	while (!core->ended && (left = until - kri_real_ns()) > 0)
		kri_cond_wait(&core->ended_cond, &core->lock, left);
	core->abandoned = true;
	if (!core->ended)
		kri_log(core->ctx, KRYOS_LOG_WARNING, "relay", -ETIMEDOUT, "%s: its thread hangs; left behind",
		        core->name);
	pthread_mutex_unlock(&core->lock);
	kryos_queue_close(core->queue);
	kri_object_remove(&relay->object);
	core_unref(core);
	free(relay);
}

struct kryos_queue *kri_relay_get_queue(struct kryos_relay *relay)
{
	return relay->core->queue;
}

int kryos_relay_get_status(struct kryos_relay *relay, struct kryos_relay_status *ret_status)
{
	struct kryos_queue_status queue = { .size = sizeof(queue) };
	struct kryos_relay_status status;
	uint32_t size;
	int64_t wait;
	int r = relay ? kri_ctx_check(relay->core->ctx) : -EINVAL;

	if (r < 0)
		return r;
	if (!ret_status || ret_status->size < sizeof(ret_status->size))
		return kryos_fail(-EINVAL, "relay: status.size is not set");
	size = ret_status->size;
	pthread_mutex_lock(&relay->core->lock);
	status = relay->core->status;
	wait = relay->core->retry_ns ? relay->core->retry_ns - kri_real_ns() : 0;
	pthread_mutex_unlock(&relay->core->lock);
	status.size = size;
	status.retry_ns = wait > 0 ? wait : 0;
	r = kryos_queue_get_status(relay->core->queue, &queue);
	if (r < 0)
		return r;
	status.owed = queue.owed;
	memcpy(ret_status, &status, size < sizeof(status) ? size : sizeof(status));
	return 0;
}
