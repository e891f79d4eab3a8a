/* SPDX-License-Identifier: Apache-2.0 */
/* A queue's life, and what of it is kept in state.db. */
#include "private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kryos_queue *kri_queue_ref(struct kryos_queue *queue)
{
	atomic_fetch_add(&queue->refs, 1);
	return queue;
}

void kri_queue_unref(struct kryos_queue *queue)
{
	struct kryos_store *store = queue->store;

	if (atomic_fetch_sub(&queue->refs, 1) != 1)
		return;
	kri_scan_end(&queue->live.scan);
	kri_scan_end(&queue->backlog.scan);
	kri_ranges_clear(&queue->samples);
	kri_ranges_clear(&queue->events);
	while (queue->dead) {
		struct kri_dead *dead = queue->dead;

		queue->dead = dead->next;
		free(dead);
	}
	free(queue->event_buffer);
	free(queue->lent);
	free(queue->channels);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
	kri_store_unref(store);
}

int64_t kri_queue_due(struct kryos_queue *queue)
{
	int64_t due = INT64_MAX;

	pthread_mutex_lock(&queue->lock);
	if (queue->dirty >= queue->config.commit_acks)
		due = 0;
	else if (queue->dirty)
		due = queue->dirty_since_ns + queue->config.commit_ns;
	pthread_mutex_unlock(&queue->lock);
	return due;
}

/* The first count dead letters: only the writer takes them off the list, so they need no lock. */
static int store_dead(struct kryos_queue *queue, struct kri_state *state, struct kri_dead *dead, uint32_t count)
{
	char epoch[17], sql[200];
	int r = 0;

	for (uint32_t i = 0; i < count && r >= 0; i++) {
		if (i)
			dead = dead->next;
		kri_epoch_text(dead->epoch, epoch);
		kri_sql_bind_text(state->insert_dead, 1, queue->name);
		sqlite3_bind_int64(state->insert_dead, 2, dead->seq);
		kri_sql_bind_text(state->insert_dead, 3, epoch);
		sqlite3_bind_int64(state->insert_dead, 4, dead->event);
		kri_sql_bind_text(state->insert_dead, 5, dead->reason);
		r = kri_sql_run(state->insert_dead);
	}
	if (r >= 0 && count) {
		snprintf(sql, sizeof(sql),
		         "DELETE FROM dead WHERE queue='%s' AND id NOT IN"
		         " (SELECT id FROM dead WHERE queue='%s' ORDER BY id DESC LIMIT %d)",
		         queue->name, queue->name, KRI_MAX_DEAD);
		r = kri_sql_exec(state->db, sql);
	}
	return r;
}

/*
 * What is kept of the samples it owes. What was settled in memory only is still owed: after a crash others may get
 * these seqs, in another epoch. NULL: no memory. queue->lock held.
 */
static char *owed_text(struct kryos_queue *queue)
{
	struct kri_ranges owed = { .runs = NULL };
	char *text = NULL;
	int64_t floor;
	int r = 0;

	pthread_mutex_lock(&queue->store->lock);
	floor = queue->store->ringing ? queue->store->ring_floor : 0;
	pthread_mutex_unlock(&queue->store->lock);
	if (!floor)
		return kri_ranges_text(&queue->samples);
	for (int i = 0; i < queue->samples.count && r >= 0; i++)
		r = kri_ranges_add(&owed, queue->samples.runs[i].first, queue->samples.runs[i].last);
	if (r >= 0)
		r = kri_ranges_add(&owed, floor, INT64_MAX);
	if (r >= 0)
		text = kri_ranges_text(&owed);
	kri_ranges_clear(&owed);
	return text;
}

void kri_queue_touch(struct kryos_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	if (!queue->dirty++)
		queue->dirty_since_ns = kri_real_ns();
	pthread_mutex_unlock(&queue->lock);
}

int kri_queue_store(struct kryos_queue *queue, struct kri_state *state)
{
	char *samples = NULL, *events = NULL;
	struct kri_dead *dead;
	int r = -ENOMEM;

	pthread_mutex_lock(&queue->lock);
	queue->storing = queue->dirty;
	queue->dead_storing = queue->storing ? queue->dead_waiting : 0;
	dead = queue->dead;
	if (queue->storing) {
		samples = owed_text(queue);
		events = kri_ranges_text(&queue->events);
		sqlite3_bind_int64(state->put_queue, 4, (sqlite3_int64)queue->acked);
		sqlite3_bind_int64(state->put_queue, 5, (sqlite3_int64)queue->rejected);
	}
	pthread_mutex_unlock(&queue->lock);
	if (!queue->storing)
		return 0;
	if (samples && events) {
		kri_sql_bind_text(state->put_queue, 1, queue->name);
		kri_sql_bind_text(state->put_queue, 2, samples);
		kri_sql_bind_text(state->put_queue, 3, events);
		r = kri_sql_run(state->put_queue);
		if (r >= 0)
			r = store_dead(queue, state, dead, queue->dead_storing);
	}
	free(samples);
	free(events);
	return r;
}

void kri_queue_stored(struct kryos_queue *queue, bool well)
{
	pthread_mutex_lock(&queue->lock);
	if (well) {
		queue->dirty -= queue->dirty < queue->storing ? queue->dirty : queue->storing;
		queue->dirty_since_ns = kri_real_ns();
		for (; queue->dead && queue->dead_storing; queue->dead_storing--) {
			struct kri_dead *dead = queue->dead;

			queue->dead = dead->next;
			if (!queue->dead)
				queue->dead_tail = &queue->dead;
			queue->dead_waiting--;
			free(dead);
		}
	}
	queue->storing = queue->dead_storing = 0;
	pthread_mutex_unlock(&queue->lock);
}

void kri_queue_wake(struct kryos_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	if (queue->wake && !queue->closed)
		queue->wake(queue->wake_data);
	pthread_mutex_unlock(&queue->lock);
}

void kri_queue_set_wake(struct kryos_queue *queue, void (*wake)(void *data), void *data)
{
	pthread_mutex_lock(&queue->lock);
	queue->wake = wake;
	queue->wake_data = data;
	pthread_mutex_unlock(&queue->lock);
}

char *kri_queue_cursor_text(struct kryos_queue *queue)
{
	char *samples, *events, *text = NULL;

	pthread_mutex_lock(&queue->lock);
	samples = owed_text(queue);
	events = kri_ranges_text(&queue->events);
	pthread_mutex_unlock(&queue->lock);
	if (samples && events && asprintf(&text, "%s %s", samples, events) < 0)
		text = NULL;
	free(samples);
	free(events);
	return text;
}

int kri_queue_forget(struct kryos_queue *queue, bool events, int64_t first, int64_t last, struct kri_run *ret_runs,
                     int max)
{
	struct kri_ranges *owed = events ? &queue->events : &queue->samples;
	struct kri_run run;
	int count = 0;

	pthread_mutex_lock(&queue->lock);
	for (int64_t at = first; kri_ranges_next(owed, at, &run) && run.first <= last; at = run.last + 1) {
		run.last = run.last < last ? run.last : last;
		if (count < max)
			ret_runs[count++] = run;
		else
			ret_runs[max - 1].last = run.last;
	}
	if (count && kri_ranges_remove(owed, first, last) >= 0) {
		if (!queue->dirty++)
			queue->dirty_since_ns = kri_real_ns();
	}
	pthread_mutex_unlock(&queue->lock);
	return count;
}

void kri_queue_owe_again(struct kryos_queue *queue, bool events, const struct kri_run *run)
{
	pthread_mutex_lock(&queue->lock);
	(void)!kri_ranges_add(events ? &queue->events : &queue->samples, run->first, run->last);
	kri_queue_look_again(queue, run->first);
	pthread_mutex_unlock(&queue->lock);
}

bool kri_store_boot_of(void *data, uint32_t number, struct kri_boot *ret_boot)
{
	struct kryos_store *store = data;
	const struct kri_boot *boot;

	pthread_mutex_lock(&store->lock);
	boot = kri_boots_find(&store->boots, number);
	if (boot)
		*ret_boot = *boot;
	pthread_mutex_unlock(&store->lock);
	return boot;
}

/* What was kept of it; a connection of its own, for the writer's is busy. -ENOENT: a new queue. */
static int load(struct kryos_queue *queue)
{
	char path[PATH_MAX];
	sqlite3_stmt *row = NULL;
	sqlite3 *db = NULL;
	int r, code;

	snprintf(path, sizeof(path), "%s/state.db", queue->store->folder);
	r = kri_sql_open(&db, path, SQLITE_OPEN_READWRITE);
	if (r >= 0)
		r = kri_sql_prepare(db, &row,
		                    "SELECT samples, events, acked, rejected,"
		                    " (SELECT count(*) FROM dead WHERE dead.queue=queue.name) FROM queue WHERE name=?");
	if (r >= 0) {
		kri_sql_bind_text(row, 1, queue->name);
		code = sqlite3_step(row);
		if (code == SQLITE_ROW) {
			r = kri_ranges_parse(&queue->samples, kri_sql_text(row, 0));
			if (r >= 0)
				r = kri_ranges_parse(&queue->events, kri_sql_text(row, 1));
			queue->acked = (uint64_t)sqlite3_column_int64(row, 2);
			queue->rejected = (uint64_t)sqlite3_column_int64(row, 3);
			queue->dead_letters = (uint32_t)sqlite3_column_int64(row, 4);
		} else {
			r = code == SQLITE_DONE ? -ENOENT : kri_sql_fail(db, code);
		}
	}
	sqlite3_finalize(row);
	sqlite3_close_v2(db);
	if (r == KRYOS_ECORRUPT) {
		/* Owing everything costs duplicates; owing too little would lose records. */
		kri_log(queue->store->ctx, KRYOS_LOG_WARNING, "queue", r, "%s owes everything again: %s", queue->name,
		        kryos_strerror(r));
		kri_ranges_clear(&queue->samples);
		kri_ranges_clear(&queue->events);
		queue->config.from_now = 0;
		r = -ENOENT;
	}
	return r;
}

static void unlink_queue(struct kryos_queue *queue)
{
	struct kryos_store *store = queue->store;

	pthread_mutex_lock(&store->lock);
	for (struct kryos_queue **at = &store->queues; *at; at = &(*at)->next) {
		if (*at == queue) {
			*at = queue->next;
			break;
		}
	}
	pthread_mutex_unlock(&store->lock);
}

int kri_store_commit_within(struct kryos_store *store, int64_t timeout_ns)
{
	int64_t end = kri_real_ns() + timeout_ns, left;
	uint64_t wanted;
	int r = 0;

	pthread_mutex_lock(&store->lock);
	wanted = ++store->commit_wanted;
	pthread_cond_broadcast(&store->changed);
	while (r >= 0 && store->commit_done < wanted) {
		left = end - kri_real_ns();
		if (store->writer_ended)
			r = kryos_fail(-ECANCELED, "%s: it was closed", store->folder);
		else if (left > 0)
			kri_cond_wait(&store->finished, &store->lock, left);
		else if (store->health[KRI_HEALTH_STATE].error)
			r = kryos_fail(store->health[KRI_HEALTH_STATE].error, "%s",
			               store->health[KRI_HEALTH_STATE].text);
		else
			r = kryos_fail(-ETIMEDOUT, "%s: the disk has not answered", store->folder);
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

int kryos_queue_commit(struct kryos_queue *queue)
{
	if (!queue)
		return kryos_fail(-EINVAL, "no queue given");
	if (kri_ctx_check(queue->store->ctx) < 0)
		return KRYOS_EFORK;
	return kri_store_commit_within(queue->store, KRYOS_SECONDS(4));
}

static void destroy(struct kri_object *object)
{
	struct kryos_queue *queue = KRI_CONTAINER_OF(object, struct kryos_queue, object);
	struct kryos_store *store = queue->store;
	bool dirty;

	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	queue->wake = NULL;
	dirty = queue->dirty > 0;
	pthread_mutex_unlock(&queue->lock);
	/* What can't be committed in time is delivered again: that is what ids are for. */
	if (dirty && kri_store_commit_within(store, kri_ctx_patience(store->ctx, KRYOS_SECONDS(4))) < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "queue", -ETIMEDOUT,
		        "%s: what was acknowledged last will be sent again", queue->name);
	unlink_queue(queue);
	kri_object_remove(&queue->object);
	kri_queue_unref(queue);
}

void kryos_queue_close(struct kryos_queue *queue)
{
	if (queue && kri_ctx_check(queue->store->ctx) >= 0)
		destroy(&queue->object);
}

/* A misspelt list would owe nothing and say nothing. */
static int check_channels(const char *list)
{
	while (list) {
		size_t length, name;

		list += strspn(list, " ");
		length = name = strcspn(list, ",");
		if (name && list[name - 1] == '*')
			name--;
		if (!length || strspn(list, "abcdefghijklmnopqrstuvwxyz0123456789_.-") < name)
			return kryos_fail(-EINVAL,
			                  "queue config.channels: \"%.*s\" is no channel; allowed are names as "
			                  "\"fridge.temperature\" or \"fridge.*\", joined by commas",
			                  (int)length, list);
		list = list[length] ? list + length + 1 : NULL;
	}
	return 0;
}

static int take_config(struct kryos_queue *queue, const struct kryos_queue_config *config)
{
	struct kryos_queue_config *own = &queue->config;
	int64_t acks;
	int r = kri_config_copy(own, sizeof(*own), config);

	if (r >= 0)
		r = check_channels(own->channels);
	if (r >= 0 && own->channels && !(queue->channels = strdup(own->channels)))
		return -ENOMEM;
	own->channels = NULL;
	if (r >= 0)
		r = kri_config_number(&own->commit_ns, KRI_ID_QUEUE_COMMIT_NS, "queue config.commit_ns");
	acks = own->commit_acks;
	if (r >= 0)
		r = kri_config_number(&acks, KRI_ID_QUEUE_COMMIT_ACKS, "queue config.commit_acks");
	own->commit_acks = (uint32_t)acks;
	if (!own->max_lent)
		own->max_lent = 256;
	if (r >= 0 && own->max_lent > 4096)
		r = kryos_fail(-EINVAL, "queue config.max_lent: %" PRIu32 " is not allowed; 1 to 4096", own->max_lent);
	return r;
}

/* store->lock held. */
static int check_name(struct kryos_store *store, const char *name)
{
	int count = 0;

	for (struct kryos_queue *other = store->queues; other; other = other->next) {
		count++;
		if (strcmp(other->name, name) == 0)
			return kryos_fail(-EBUSY, "queue %s: it is open already", name);
	}
	if (kri_store_is_removing(store, name))
		return kryos_fail(-EBUSY, "queue %s: it is being removed", name);
	if (count >= KRI_MAX_QUEUES)
		return kryos_fail(-ENOSPC, "queue %s: %d queues are open already", name, KRI_MAX_QUEUES);
	return 0;
}

static int link_queue(struct kryos_queue *queue)
{
	struct kryos_store *store = queue->store;
	int r;

	pthread_mutex_lock(&store->lock);
	r = check_name(store, queue->name);
	if (r >= 0) {
		queue->next = store->queues;
		store->queues = queue;
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

static int begin_owing(struct kryos_queue *queue)
{
	struct kryos_store *store = queue->store;
	int64_t first = 1;
	int r;

	if (queue->config.from_now && !store->state_damaged) {
		pthread_mutex_lock(&store->lock);
		first = store->durable_seq + 1;
		pthread_mutex_unlock(&store->lock);
	}
	r = kri_ranges_add(&queue->samples, first, INT64_MAX);
	if (r >= 0)
		r = kri_ranges_add(&queue->events, first, INT64_MAX);
	queue->dirty = 1;
	return r;
}

/* Nothing was delivered: its close need not wait for the disk once more. */
static void abandon(struct kryos_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->dirty = 0;
	pthread_mutex_unlock(&queue->lock);
}

int kri_queue_check_name(const char *name)
{
	size_t length = name ? strlen(name) : 0;

	if (length < 1 || length > 31 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != length)
		return kryos_fail(-EINVAL, "queue \"%s\": a name is 1 to 31 of a-z 0-9 _ -", name ? name : "");
	return 0;
}

int kryos_queue_open(struct kryos_queue **ret_queue, struct kryos_store *store, const char *name,
                     const struct kryos_queue_config *config)
{
	struct kryos_queue *queue;
	bool begins = false;
	int r;

	if (!ret_queue || !store)
		return kryos_fail(-EINVAL, "queue: no store, or no place for the queue given");
	r = kri_ctx_check(store->ctx);
	if (r < 0)
		return r;
	r = kri_queue_check_name(name);
	if (r < 0)
		return r;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	atomic_init(&queue->refs, 1);
	atomic_fetch_add(&store->refs, 1);
	queue->store = store;
	snprintf(queue->name, sizeof(queue->name), "%s", name);
	queue->dead_tail = &queue->dead;
	pthread_mutex_init(&queue->lock, NULL);
	queue->live.until = queue->backlog.until = -1;
	struct kri_stream *streams[] = { &queue->live, &queue->backlog };
	for (size_t i = 0; i < KRI_ARRAY_SIZE(streams); i++) {
		kri_scan_init(&streams[i]->scan, store->ctx, store->folder);
		streams[i]->scan.boot_of = kri_store_boot_of;
		streams[i]->scan.boot_data = store;
	}
	r = take_config(queue, config);
	pthread_mutex_lock(&store->naming);
	if (r >= 0) {
		/* While its namesake is still being closed, what that one owes is not on the disk yet. */
		pthread_mutex_lock(&store->lock);
		r = check_name(store, name);
		pthread_mutex_unlock(&store->lock);
	}
	if (r >= 0) {
		queue->lent = calloc(queue->config.max_lent, sizeof(*queue->lent));
		queue->event_buffer = calloc(KRI_EVENT_ROWS, sizeof(*queue->event_buffer));
		r = queue->lent && queue->event_buffer ? load(queue) : -ENOMEM;
	}
	if (r == -ENOENT)
		r = begin_owing(queue);
	begins = queue->dirty > 0;
	if (r >= 0)
		r = link_queue(queue);
	pthread_mutex_unlock(&store->naming);
	if (r < 0) {
		kri_queue_unref(queue);
		return r;
	}
	kri_object_add(store->ctx, &queue->object, destroy);
	/* A new queue's beginning must be on the disk, or a crash would move it. */
	if (begins && (r = kryos_queue_commit(queue)) < 0) {
		abandon(queue);
		destroy(&queue->object);
		return r;
	}
	*ret_queue = queue;
	return 0;
}
