/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes when a limit is reached: the oldest segment whose samples every queue has delivered,
 * else the oldest, as a recorded gap. Decided durably first, removed after, so that a cut between
 * leaves nothing half gone. Events outlive segments. Writer thread.
 */
#include "private.h"
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t total_bytes(struct kryos_store *store)
{
	char path[PATH_MAX];
	int64_t total;

	snprintf(path, sizeof(path), "%s/state.db", store->folder);
	total = kri_db_bytes(path);
	pthread_mutex_lock(&store->lock);
	for (int i = 0; i < store->segment_count; i++)
		total += store->segments[i].bytes;
	store->status.bytes = total;
	pthread_mutex_unlock(&store->lock);
	return total;
}

static int take_queues(struct kryos_store *store, struct kryos_queue *queues[64])
{
	int count = 0;

	pthread_mutex_lock(&store->lock);
	for (struct kryos_queue *queue = store->queues; queue && count < 64; queue = queue->next)
		queues[count++] = kri_queue_ref(queue);
	pthread_mutex_unlock(&store->lock);
	return count;
}

static bool is_owed(struct kryos_store *store, const struct kri_segment_info *info)
{
	struct kryos_queue *queues[64];
	int count = take_queues(store, queues);
	bool owed = false;

	for (int i = 0; i < count; i++) {
		struct kri_run run;

		pthread_mutex_lock(&queues[i]->lock);
		owed |= kri_ranges_next(&queues[i]->samples, info->first_seq, &run) && run.first <= info->last_seq;
		pthread_mutex_unlock(&queues[i]->lock);
		kri_queue_unref(queues[i]);
	}
	return owed;
}

/* What is no longer to be delivered becomes a gap, for each queue that still owed of it. why NULL: said elsewhere. */
static void forget(struct kryos_store *store, const struct kri_segment_info *info, const char *why)
{
	struct kryos_queue *queues[64];
	int count = take_queues(store, queues);

	for (int i = 0; i < count; i++) {
		int64_t lost = kri_queue_forget(queues[i], info->first_seq, info->last_seq);
		char text[200];

		if (lost > 0 && why) {
			snprintf(text, sizeof(text), "%s; %" PRId64 " records were not delivered", why, lost);
			kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_GAP,
			                                                 .name = queues[i]->name,
			                                                 .first_seq = info->first_seq,
			                                                 .last_seq = info->last_seq,
			                                                 .text = text });
		}
		kri_queue_unref(queues[i]);
	}
}

static int drop(struct kryos_store *store, const struct kri_segment_info *chosen, const char *why)
{
	struct kri_segment_info info = *chosen, *at;
	char sql[120], path[PATH_MAX];
	int r;

	store->syncs.cause = KRI_SYNC_ROTATION;
	snprintf(sql, sizeof(sql), "UPDATE seal SET dropped=1 WHERE first_seq=%" PRId64, info.first_seq);
	forget(store, &info, why);
	pthread_mutex_lock(&store->lock);
	kri_store_commit_state(store);
	r = store->events ? -EIO : 0; /* the gap is not on the disk: keep the data */
	pthread_mutex_unlock(&store->lock);
	store->syncs.cause = KRI_SYNC_ROTATION;
	if (r >= 0)
		r = kri_sql_exec(store->state->db, sql);
	if (r < 0)
		return r;
	kri_segment_path(store->folder, info.first_seq, path, sizeof(path));
	pthread_mutex_lock(&store->lock);
	at = kri_store_find_segment(store, info.first_seq);
	kri_store_drop_segment(store, at);
	pthread_mutex_unlock(&store->lock);
	kri_log(store->ctx, KRYOS_LOG_NOTICE, "store", 0, "removed %s: %s", path, why);
	return kri_remove_db(path);
}

static bool is_old(struct kryos_store *store, const struct kri_segment_info *info)
{
	struct kryos_time now = { 0 };

	/* Only by time that can be believed on both ends: a wrong clock must never delete a month. */
	if (kryos_clock_now(store->ctx, &now) < 0 || now.trust < KRYOS_TRUST_RTC || info->last_trust < KRYOS_TRUST_RTC)
		return false;
	return now.t_wall_ns - info->last_wall_ns > store->config.keep_ns;
}

int kri_store_retain(struct kryos_store *store)
{
	for (;;) {
		struct kri_segment_info list[2] = { { .first_seq = 0 },
			                            { .first_seq = 0 } }; /* oldest, oldest delivered */
		bool full = total_bytes(store) > store->limit_bytes, old;
		int count, r;

		pthread_mutex_lock(&store->lock);
		count = store->segment_count;
		pthread_mutex_unlock(&store->lock);
		/* The newest is the one written to. Only this thread changes the list. */
		for (int i = 0; i + 1 < count && !list[1].first_seq; i++) {
			struct kri_segment_info *info = &store->segments[i];

			if (!info->closed || info->bad)
				continue;
			if (!list[0].first_seq)
				list[0] = *info;
			if (!is_owed(store, info))
				list[1] = *info;
			else if (!full)
				break; /* age goes by order */
		}
		old = list[0].first_seq && is_old(store, &list[0]);
		pthread_mutex_lock(&store->lock);
		store->full = full && store->config.full == KRYOS_FULL_REFUSE && !list[1].first_seq;
		pthread_mutex_unlock(&store->lock);
		if (!list[0].first_seq || (!full && !old) || (full && store->full))
			return 0;
		if (full && list[1].first_seq)
			r = drop(store, &list[1], "removed to make room");
		else if (full)
			r = drop(store, &list[0], "removed to make room");
		else
			r = drop(store, &list[0], "older than is to be kept");
		if (r < 0)
			return r;
	}
}

int kri_store_condemn(struct kryos_store *store)
{
	struct kri_segment_info info, *at;
	char path[PATH_MAX];
	int fd, r;

	pthread_mutex_lock(&store->lock);
	at = kri_store_find_segment(store, store->damaged_segment);
	store->damaged_segment = 0;
	if (at) {
		at->bad = true;
		info = *at;
	}
	pthread_mutex_unlock(&store->lock);
	if (!at)
		return 0;
	/* A marker beside it: database, WAL and shared memory can't be renamed as one. */
	snprintf(path, sizeof(path), "%s/%020" PRId64 ".seg.bad", store->folder, info.first_seq);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0440);
	if (fd < 0)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	r = fsync(fd) ? -errno : 0;
	close(fd);
	if (r >= 0)
		r = kri_sync_folder(store->folder);
	if (store->segment && store->segment->first_seq == info.first_seq) {
		kri_segment_close(store->segment);
		store->segment = NULL;
		while (r >= 0 && (r = kri_random(&store->epoch, sizeof(store->epoch))) >= 0 && !store->epoch)
			;
	}
	/* Whether or not a queue is open: what is not delivered must be said. */
	forget(store, &info, NULL);
	kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_GAP,
	                                                 .name = "store",
	                                                 .first_seq = info.first_seq,
	                                                 .last_seq = info.last_seq,
	                                                 .text = "the segment is damaged" });
	return r;
}
