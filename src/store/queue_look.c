/* SPDX-License-Identifier: Apache-2.0 */
/* How a queue finds the rows it owes: in which segment, and whether what is not there may be missing. */
#include "private.h"
#include <limits.h>
#include <stdio.h>

#define GIVE_UP_NS KRYOS_SECONDS(60)

/* The segment that holds from, or the next one after it, readable or not. false: none. */
static bool segment_for(struct kryos_store *store, int64_t from, struct kri_segment_info *ret_info,
                        int64_t *ret_durable)
{
	int low = 0, high;
	bool found;

	pthread_mutex_lock(&store->lock);
	*ret_durable = store->durable_seq;
	high = store->segment_count;
	while (low < high) {
		int middle = (low + high) / 2;

		if (store->segments[middle].last_seq < from)
			low = middle + 1;
		else
			high = middle;
	}
	found = low < store->segment_count;
	if (found)
		*ret_info = store->segments[low];
	pthread_mutex_unlock(&store->lock);
	return found;
}

/* A disk may give errors for a moment; a sector that still does later is lost, and must not hold up the rest. */
static bool is_given_up(struct kri_stream *stream, int64_t segment)
{
	int64_t now = kri_real_ns();

	if (stream->failing_segment != segment) {
		stream->failing_segment = segment;
		stream->failing_since_ns = now;
	}
	return now - stream->failing_since_ns >= GIVE_UP_NS;
}

/* A newer version's, written over ours: it stays owed, and what is behind it need not wait. */
static void leave_out(struct kryos_store *store, int64_t first_seq)
{
	struct kri_segment_info *info;
	char text[160];
	bool fresh;

	snprintf(text, sizeof(text), "%s", kryos_strerror(KRYOS_EFORMAT));
	pthread_mutex_lock(&store->lock);
	info = kri_store_find_segment(store, first_seq);
	fresh = info && !info->left_out;
	if (info)
		info->left_out = true;
	pthread_mutex_unlock(&store->lock);
	if (fresh)
		kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_STORE,
		                                                 .code = KRYOS_EFORMAT,
		                                                 .name = "store",
		                                                 .text = text });
}

/* The writer takes it out of service. What was salvaged and is damaged again is not salvaged again. */
void kri_queue_condemn(struct kryos_store *store, int64_t first_seq)
{
	pthread_mutex_lock(&store->lock);
	store->damaged_segment = first_seq;
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
}

void kri_queue_look_again(struct kryos_queue *queue, int64_t seq)
{
	struct kri_stream *streams[] = { &queue->live, &queue->backlog };

	if (seq < queue->event_at) {
		queue->event_at = seq;
		queue->event_next = queue->event_count = 0;
	}
	for (size_t i = 0; i < KRI_ARRAY_SIZE(streams); i++) {
		if (seq < streams[i]->at)
			streams[i]->at = seq;
		streams[i]->from = 0;
		streams[i]->until = -1;
	}
	if (seq < queue->volatile_at)
		queue->volatile_at = seq;
	if (seq < queue->volatile_event_at)
		queue->volatile_event_at = seq;
}

int kri_queue_look(struct kryos_queue *queue, struct kri_stream *stream, int64_t seq, int64_t to)
{
	struct kryos_store *store = queue->store;
	struct kri_segment_info info;
	int64_t durable;
	int r;

	if (seq >= stream->from && seq <= stream->until)
		return 1;
	stream->from = seq;
	stream->until = seq - 1;
	stream->unreadable = false;
	stream->scan.count = stream->scan.at = 0;
	if (!segment_for(store, seq, &info, &durable)) {
		stream->until = to < durable ? to : durable;
		return 1;
	}
	if (info.first_seq > seq) {
		stream->until = info.first_seq - 1; /* nothing between two segments */
		return 1;
	}
	/* What is being salvaged stays owed; what is behind it need not wait. */
	if ((info.bad && !info.mended) || info.left_out) {
		stream->until = info.last_seq;
		stream->unreadable = true;
		return 1;
	}
	to = to < info.last_seq ? to : info.last_seq;
	r = kri_scan_fill(&stream->scan, &info, seq, to);
	/* (-ENOENT: no file, or nothing in it.) */
	if (r == KRYOS_ECORRUPT || ((r == -EIO || r == -ENOENT) && is_given_up(stream, info.first_seq))) {
		kri_queue_condemn(store, info.first_seq);
		return 0;
	}
	if (r == KRYOS_EFORMAT) {
		stream->until = info.last_seq;
		stream->unreadable = true;
		leave_out(store, info.first_seq);
		return 1;
	}
	if (r < 0)
		return r;
	stream->failing_segment = 0;
	stream->until = r == stream->scan.room ? stream->scan.buffer[r - 1].seq : to;
	return 1;
}

/*
 * Seqs without a row are events', or of commits that failed; damage can make rows vanish as well, and SQLite says
 * nothing. So a segment that this run has not written itself is checked once, when the first hole is met: 1: it is
 * whole; 0: not, and taken out of service.
 */
int kri_queue_check_hole(struct kryos_store *store, struct kri_stream *stream, int64_t seq)
{
	struct kri_segment_info info, *at;
	bool whole = false;
	char path[PATH_MAX];
	int64_t durable;
	int r;

	if (stream->unreadable || seq >= store->session_seq || !segment_for(store, seq, &info, &durable) ||
	    info.first_seq > seq || info.mended || info.whole)
		return 1;
	kri_segment_path(store->folder, info.first_seq, path, sizeof(path));
	r = kri_verify_segment(path, info.first_seq, &whole);
	if (r == -EIO && is_given_up(stream, info.first_seq))
		r = 0;
	if (r < 0)
		return r;
	if (!whole) {
		kri_queue_condemn(store, info.first_seq);
		return 0;
	}
	pthread_mutex_lock(&store->lock);
	at = kri_store_find_segment(store, info.first_seq);
	if (at)
		at->whole = true;
	pthread_mutex_unlock(&store->lock);
	return 1;
}
