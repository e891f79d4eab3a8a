/* SPDX-License-Identifier: Apache-2.0 */
#include "model_run.h"
#include "store/private.h"
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { PATIENCE_MS = 60000 };
#else
enum { PATIENCE_MS = 10000 };
#endif

struct kryos_store_status model_status(struct model_run *run)
{
	struct kryos_store_status status = { .size = sizeof(status) };

	if (kryos_store_get_status(run->store, &status) < 0)
		abort();
	return status;
}

static void take_news(struct model_run *run)
{
	const struct kryos_event *event;
	int64_t number;

	if (kryos_ctx_process(run->ctx) < 0)
		model_trouble(run->model, "process: %s", kryos_strerror(-EIO));
	while (kryos_ctx_next_event(run->ctx, &event) > 0) {
		if (event->type != KRYOS_EVENT_SAMPLE)
			continue;
		number = event->sample.value_micro / MODEL_MICRO;
		if (event->sample.value_micro % MODEL_MICRO || number < 1 || number > run->model->count)
			model_trouble(run->model, "value %" PRId64 " is announced and was never handed in",
			              event->sample.value_micro);
		else
			/* (Of which epoch is not told, and the present one may be a later.) */
			model_accepted(run->model, (int)number, 0, event->sample.seq);
		model_hide_refused(run->model, (int)number);
	}
}

/* store->lock held, and let go meanwhile. */
static bool is_at_rest(struct kryos_store *store, enum kri_rest rest)
{
	int64_t now = kri_real_ns();

	if (store->writer_ended)
		return true;
	if (store->rest < rest || store->committing || (store->batches && now >= store->samples_at_ns) ||
	    (store->rest == KRI_RESTS && store->damaged_segment))
		return false;
	/* It has just been woken, if this is due. */
	if (now >= store->state_at_ns && kri_store_state_due(store) <= now)
		return false;
	return store->rest >= rest;
}

static void wait_for_writer(struct model_run *run, enum kri_rest rest)
{
	struct timespec moment = { .tv_nsec = 20000 };
	int64_t end = kri_real_ns() + KRYOS_MILLISECONDS(PATIENCE_MS);
	struct kryos_store *store = run->store;

	pthread_mutex_lock(&store->lock);
	for (int i = 0; !is_at_rest(store, rest); i++) {
		pthread_mutex_unlock(&store->lock);
		if (i < 20)
			sched_yield();
		else
			nanosleep(&moment, NULL);
		pthread_mutex_lock(&store->lock);
		if (kri_real_ns() > end) {
			model_trouble(run->model, "the writer does not come to rest");
			break;
		}
	}
	pthread_mutex_unlock(&store->lock);
}

/* The writer finds that the time of waiting is over when it is woken next. */
void model_try_again(struct model_run *run)
{
	struct kryos_store *store = run->store;

	/* These are the writer's own while it is at work. */
	wait_for_writer(run, KRI_LISTENS);
	pthread_mutex_lock(&store->lock);
	store->samples_at_ns = store->state_at_ns = store->rotate_at_ns = 0;
	for (int i = 0; i < store->segment_count; i++)
		store->segments[i].seal_at_ns = 0;
	pthread_mutex_unlock(&store->lock);
}

/* All that waits for another try is tried now. */
static void pass_time(struct model_run *run)
{
	struct kryos_store *store = run->store;

	model_try_again(run);
	pthread_mutex_lock(&store->lock);
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
	wait_for_writer(run, KRI_LISTENS);
}

/* While nothing fails, what was handed in is durable once the writer rests. */
static void check_waiting(struct model_run *run)
{
	for (int i = 1; i <= run->model->count; i++) {
		struct model_thing *thing = &run->model->things[i];

		if (thing->fate != MODEL_WAITING)
			continue;
		if (thing->event)
			model_accepted(run->model, i, 0, 0);
		else
			model_trouble(run->model, "%d was submitted and is not announced", i);
	}
}

/* A boot in which wall time was known: its samples may be corrected. */
static void note_trust(struct model_run *run)
{
	struct kryos_time now;
	uint32_t boot = run->store ? model_status(run).boot : MODEL_BOOTS;

	if (boot < MODEL_BOOTS && kryos_clock_now(run->ctx, &now) >= 0 && now.trust >= KRYOS_TRUST_RTC)
		run->model->synced_in[boot] = true;
}

void model_rest(struct model_run *run)
{
	take_news(run);
	if (!run->store)
		return;
	note_trust(run);
	if (run->failing)
		pass_time(run);
	wait_for_writer(run, KRI_LISTENS);
	take_news(run);
	wait_for_writer(run, KRI_LISTENS);
	if (!run->failing)
		check_waiting(run);
}

void model_idle(struct model_run *run)
{
	struct kryos_store *store = run->store;

	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->quiet_ns = 1000;
	store->rest = KRI_AWAKE;
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
	wait_for_writer(run, KRI_RESTS);
	store->quiet_ns = MODEL_QUIET_NS;
	model_rest(run);
}

void model_open_queue(struct model_run *run, int queue)
{
	static const char *const names[MODEL_QUEUES] = { "modem", "local", "second" };
	const struct model_queue *model = &run->model->queues[queue];
	int r;

	/* A new one's beginning is committed, for which its open waits: in vain while the disk fails. */
	if (!run->store || run->queues[queue] || (run->failing && !model->made))
		return;
	r = kryos_queue_open(&run->queues[queue], run->store, names[queue],
	                     KRYOS_QUEUE_CONFIG(.from_now = model->from_now, .channels = model->channels,
	                                        .commit_ns = KRYOS_HOURS(1), .commit_acks = queue == 1 ? 3 : 100,
	                                        .take_volatile = queue < 2));
	if (r < 0) {
		run->queues[queue] = NULL;
		if (!run->failing)
			model_trouble(run->model, "queue %d: open: %s", queue, kryos_strerror(r));
		return;
	}
	if (!model->made)
		model_queue_made(run->model, queue);
}

/* Limits below those that a configuration may name, so that a short script meets them. */
static void make_small(struct model_run *run)
{
	struct kryos_store *store = run->store;

	wait_for_writer(run, KRI_LISTENS);
	pthread_mutex_lock(&store->lock);
	store->retry_ns = MODEL_QUIET_NS;
	store->quiet_ns = MODEL_QUIET_NS;
	if (run->config.keep == 2) {
		store->config.segment_bytes = 16384;
		store->limit_bytes = 160000;
	}
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
}

void model_open(struct model_run *run)
{
	int r = kryos_ctx_new(&run->ctx,
	                      KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = run->clock,
	                                       .log = run->verbose ? kryos_log_to_stderr : NULL,
	                                       .log_level = KRYOS_LOG_INFO));

	for (int i = 0; i < MODEL_CHANNELS && r >= 0; i++)
		r = kryos_channel_add(run->ctx, model_channels[i], model_units[i], &run->channels[i]);
	if (r < 0)
		abort();
	r = kryos_store_open(&run->store, run->ctx, run->folders[run->folder],
	                     KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(1),
	                                        .keep_ns = run->config.keep == 1 ? KRYOS_HOURS(1) : 0,
	                                        .full = run->config.policy ? KRYOS_FULL_REFUSE : 0,
	                                        .board = "board-of-this-test"));
	if (r < 0) {
		run->store = NULL;
		if (!run->failing)
			model_trouble(run->model, "open: %s", kryos_strerror(r));
		return;
	}
	make_small(run);
	for (int i = 0; i < run->queue_count; i++)
		if (!run->closed[i])
			model_open_queue(run, i);
	model_rest(run);
	if (model_is_unsure(run->model))
		model_look(run);
	if (!run->failing && !run->model->problem[0])
		model_check_kept(run);
}

void model_close(struct model_run *run, int how)
{
	bool well = run->store && !run->failing;

	if (!run->ctx)
		return;
	/* A queue's close waits for its commit, in vain while the disk fails. */
	if (!well && how != 1)
		how = 1;
	if (how == 1) {
		kryos_store_close(run->store);
		run->store = NULL;
	}
	for (int i = 0; i < MODEL_QUEUES && how < 2; i++)
		kryos_queue_close(run->queues[i]);
	if (how == 0)
		kryos_store_close(run->store);
	kryos_ctx_free(run->ctx);
	memset(run->queues, 0, sizeof(run->queues));
	run->store = NULL;
	run->ctx = NULL;
	model_session_ended(run->model, well);
}

void model_heal(struct model_run *run)
{
	int r;

	run->figures->failures += (uint64_t)cutvfs_failures(run->vfs);
	cutvfs_fail(run->vfs, CUT_CALL_ANY, NULL, 0, 0, false);
	cutvfs_set_free(run->vfs, -1);
	if (!run->failing)
		return;
	run->failing = false;
	if (!run->store) {
		kryos_ctx_free(run->ctx);
		model_open(run);
		return;
	}
	pass_time(run);
	r = kryos_store_flush(run->store, KRYOS_SECONDS(20));
	if (r < 0)
		model_trouble(run->model, "flush once the disk is well: %s", kryos_strerror(r));
	for (int i = 0; i < run->queue_count; i++)
		if (!run->closed[i])
			model_open_queue(run, i);
	model_rest(run);
}

void model_drain(struct model_run *run, int queue)
{
	const struct kryos_record *record;
	int r, number;

	if (kryos_queue_release_all(run->queues[queue]) < 0)
		model_trouble(run->model, "queue %d: release: %s", queue, kryos_strerror(-EIO));
	model_released(run->model, queue, 0);
	if (kryos_queue_set_live(run->queues[queue]) < 0)
		model_trouble(run->model, "queue %d: set live", queue);
	model_look_again(run->model, queue, 0);
	while ((r = kryos_queue_next(run->queues[queue], &record)) > 0 && !run->model->problem[0]) {
		number = model_served(run->model, record, queue);
		r = kryos_queue_ack(run->queues[queue], record->seq);
		if (r < 0)
			model_trouble(run->model, "queue %d: ack: %s", queue, kryos_strerror(r));
		model_settled(run->model, queue, number);
	}
	if (r < 0)
		model_trouble(run->model, "queue %d: next: %s", queue, kryos_strerror(r));
}
