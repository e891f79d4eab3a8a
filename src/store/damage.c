/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged segments. One that is found so, at any time, gets a durable marker and is never written to again; the next
 * commit begins another, in a new epoch. What is left of it is then written, in slices and when nothing else is to be
 * done, into <name>.salvaged, from which it is read from then on; what is not is a gap. Writer thread.
 */
#include "salvage.h"
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLICE_BYTES 262144
#define MAX_GAPS 64
#define RETRY_NS KRYOS_SECONDS(10)

/* A marker beside it: database, WAL and shared memory can't be renamed as one. */
static int put_marker(struct kryos_store *store, int64_t first_seq)
{
	char path[PATH_MAX];
	int fd, r = 0;

	snprintf(path, sizeof(path), "%s/%020" PRId64 ".seg.bad", store->folder, first_seq);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0440);
	if (fd < 0)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (fsync(fd))
		r = kryos_fail(-errno, "%s: sync: %s", path, strerror(errno));
	close(fd);
	return r < 0 ? r : kri_sync_folder(store->folder);
}

int kri_state_put_epoch(struct kri_state *state, const char *epoch)
{
	char text[18 * KRI_SALVAGE_EPOCHS] = "";
	int r = kri_state_get_meta(state, "epochs", text, sizeof(text) - 18);

	if (r < 0 && r != -ENOENT)
		return r;
	/* The newest first. Salvage tells rows by them where a header is lost. */
	memmove(text + 17, text, strlen(text) + 1);
	memcpy(text, epoch, 16);
	text[16] = ' ';
	text[17 * (KRI_SALVAGE_EPOCHS - 1)] = '\0';
	r = kri_state_put_meta(state, "epochs", text);
	return r < 0 ? r : kri_state_put_meta(state, "epoch", epoch);
}

int kri_draw_epoch(uint64_t *ret_epoch)
{
	int r = 0;

	for (*ret_epoch = 0; r >= 0 && !*ret_epoch;)
		r = kri_random(ret_epoch, sizeof(*ret_epoch));
	return r;
}

int kri_store_new_epoch(struct kryos_store *store)
{
	uint64_t epoch;
	char first[17];
	int r = kri_draw_epoch(&epoch);

	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	store->epoch = epoch;
	pthread_mutex_unlock(&store->lock);
	kri_epoch_text(epoch, first);
	return kri_state_put_epoch(store->state, first);
}

int kri_store_condemn(struct kryos_store *store)
{
	struct kri_segment_info info = { .first_seq = 0 }, *at;
	char text[160], path[PATH_MAX];
	bool again = false;
	int r = 0;

	pthread_mutex_lock(&store->lock);
	at = kri_store_find_segment(store, store->damaged_segment);
	store->damaged_segment = 0;
	if (at && !at->bad) {
		at->bad = true;
		info = *at;
	} else if (at && at->mended) {
		/* What was salvaged is damaged in its turn: once more. */
		at->mended = false;
		snprintf(text, sizeof(text), "%020" PRId64 ".seg.salvaged", at->first_seq);
		again = true;
	}
	pthread_mutex_unlock(&store->lock);
	if (again) {
		snprintf(path, sizeof(path), "%s/%s", store->folder, text);
		return kri_remove_db(path);
	}
	if (!info.first_seq)
		return 0;
	/* Nothing more goes into it, marked or not. */
	if (store->segment && store->segment->first_seq == info.first_seq) {
		kri_segment_close(store->segment);
		store->segment = NULL;
		r = kri_store_new_epoch(store);
	}
	snprintf(text, sizeof(text), "%020" PRId64 ".seg is damaged: what is left of it is salvaged", info.first_seq);
	kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_STORE,
	                                                 .code = KRYOS_ECORRUPT,
	                                                 .name = "store",
	                                                 .first_seq = info.first_seq,
	                                                 .last_seq = info.last_seq,
	                                                 .text = text });
	return r < 0 ? r : put_marker(store, info.first_seq);
}

/* Epochs whose rows a segment may have: of its neighbours as state.db knows them, and the last ones drawn. */
static int read_epochs(struct kryos_store *store, uint64_t epochs[KRI_SALVAGE_EPOCHS], size_t *ret_count)
{
	char text[18 * KRI_SALVAGE_EPOCHS] = "";
	sqlite3_stmt *rows;
	size_t count = 0;
	int r, code;

	r = kri_state_get_meta(store->state, "epochs", text, sizeof(text));
	if (r < 0 && r != -ENOENT)
		return r;
	for (char *at = text, *end; count < KRI_SALVAGE_EPOCHS - 4; at = end) {
		uint64_t epoch = strtoull(at, &end, 16);

		if (end == at)
			break;
		epochs[count++] = epoch;
	}
	r = kri_sql_prepare(store->state->db, &rows, "SELECT DISTINCT epoch FROM seal ORDER BY first_seq DESC LIMIT 4");
	if (r < 0)
		return r;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW && count < KRI_SALVAGE_EPOCHS)
		epochs[count++] = strtoull(kri_sql_text(rows, 0), NULL, 16);
	r = code == SQLITE_ROW ? 0 : kri_sql_fail(store->state->db, code);
	sqlite3_finalize(rows);
	*ret_count = count;
	return r;
}

/* Channels whose row was lost with its page: state.db has them too. */
static int add_channels(struct kryos_store *store, struct kri_mend *mend)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(store->state->db, &rows,
	                        "SELECT channel, since, name, unit, place FROM channel WHERE segment=? AND crc IS"
	                        " row_crc('channel',segment,channel,since,name,unit,place)"),
	    code = SQLITE_DONE;

	if (r < 0)
		return r;
	sqlite3_bind_int64(rows, 1, mend->first_seq);
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		struct kri_salvaged_channel channel = { .channel = (uint32_t)sqlite3_column_int64(rows, 0),
			                                .since = sqlite3_column_int64(rows, 1),
			                                .name = kri_sql_text(rows, 2),
			                                .unit = kri_sql_text(rows, 3),
			                                .place = kri_sql_text(rows, 4) };

		r = kri_mend_add_channel(mend, &channel);
	}
	if (r >= 0)
		r = kri_sql_fail(store->state->db, code);
	sqlite3_finalize(rows);
	return r;
}

/* The device that wrote it, as state.db knows; what the damaged file says counts only if it is known here. */
static void choose_device(struct kryos_store *store, struct kri_mend *mend)
{
	char sql[200];
	int64_t known;

	snprintf(sql, sizeof(sql), "SELECT 1 FROM seal WHERE device='%.32s'", mend->device);
	if (strspn(mend->device, "0123456789abcdef") == 32 && kri_sql_int(store->state->db, sql, &known) >= 0)
		return;
	snprintf(mend->device, sizeof(mend->device), "%s", store->device);
}

struct holes {
	int64_t lost; /* samples, if their number is known; else -1 */
	int said;
	int64_t first, last; /* the last one, not said yet */
};

/* It waits for the disk since a try before this one, or is stored since before a cut: once is enough. */
static bool is_said(struct kryos_store *store, const struct kryos_event *gap)
{
	sqlite3_stmt *row;
	bool said = kri_store_is_gap_waiting(store, gap);

	if (said || kri_sql_prepare(store->state->db, &row,
	                            "SELECT 1 FROM gap WHERE first_seq=? AND last_seq=? AND reason=?") < 0)
		return said;
	sqlite3_bind_int64(row, 1, gap->first_seq);
	sqlite3_bind_int64(row, 2, gap->last_seq);
	kri_sql_bind_text(row, 3, gap->text);
	said = sqlite3_step(row) == SQLITE_ROW;
	sqlite3_finalize(row);
	return said;
}

static int say_hole(struct kryos_store *store, struct holes *holes)
{
	int64_t seqs = holes->last - holes->first + 1, events = 0;
	char text[160];
	struct kryos_event gap = { .type = KRYOS_EVENT_GAP,
		                   .name = "store",
		                   .first_seq = holes->first,
		                   .last_seq = holes->last,
		                   .text = text };

	/* Where they can't be counted, rather too many are said to be lost. */
	(void)!kri_state_count_events(store->state, holes->first, holes->last, &events);
	seqs -= events;
	if (!holes->first || seqs <= 0)
		return 0;
	if (holes->lost >= 0 && seqs > holes->lost)
		seqs = holes->lost;
	snprintf(text, sizeof(text), "the segment was damaged; %s%" PRId64 " samples could not be salvaged",
	         holes->lost >= 0 ? "" : "at most ", seqs);
	return is_said(store, &gap) ? 0 : kri_store_announce(store, &gap);
}

static int add_hole(struct kryos_store *store, struct holes *holes, int64_t first, int64_t last)
{
	int r = 0;

	if (first > last)
		return 0;
	/* More holes than are worth a record each: the last one spans them. */
	if (holes->first && holes->said < MAX_GAPS) {
		r = say_hole(store, holes);
		holes->said++;
		holes->first = 0;
	}
	if (!holes->first)
		holes->first = first;
	holes->last = last;
	return r;
}

/* What was not found, up to the last seq that was certainly given, becomes a gap. */
static int announce_holes(struct kryos_store *store, struct kri_mend *mend, const struct kri_segment_info *info)
{
	int64_t next = mend->first_seq, last, recorded = -1;
	struct holes holes = { .lost = -1 };
	sqlite3_stmt *rows;
	char sql[120];
	int r, code = SQLITE_DONE;

	snprintf(sql, sizeof(sql), "SELECT samples FROM seal WHERE first_seq=%" PRId64, mend->first_seq);
	/* Who counted fewer than there are counted in what was damaged already. */
	if (kri_sql_int(store->state->db, sql, &recorded) >= 0 && recorded >= mend->samples)
		holes.lost = recorded - mend->samples;
	if (!holes.lost)
		return 0;
	last = info->assumed && store->known_seq < info->last_seq ? store->known_seq : info->last_seq;
	r = kri_sql_prepare(mend->db, &rows, "SELECT seq FROM sample ORDER BY seq");
	if (r < 0)
		return r;
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(rows, 0);

		r = add_hole(store, &holes, next, seq - 1);
		next = seq + 1;
	}
	if (r >= 0)
		r = kri_sql_fail(mend->db, code);
	sqlite3_finalize(rows);
	if (r >= 0)
		r = add_hole(store, &holes, next, last);
	return r < 0 ? r : say_hole(store, &holes);
}

static int begin(struct kryos_store *store, int64_t first_seq)
{
	uint64_t epochs[KRI_SALVAGE_EPOCHS];
	struct kri_segment_info *info;
	int64_t end = INT64_MAX;
	char path[PATH_MAX];
	size_t count = 0;
	int r;

	pthread_mutex_lock(&store->lock);
	info = kri_store_find_segment(store, first_seq);
	if (info && info + 1 < store->segments + store->segment_count)
		end = info[1].first_seq;
	pthread_mutex_unlock(&store->lock);
	/* A segment without a successor has what was given up to now. */
	if (end == INT64_MAX)
		end = store->next_seq;
	r = read_epochs(store, epochs, &count);
	kri_segment_path(store->folder, first_seq, path, sizeof(path));
	if (r >= 0)
		r = kri_mend_begin(&store->mend, path, NULL, first_seq, end, epochs, count);
	return r;
}

static int finish(struct kryos_store *store)
{
	struct kri_mend *mend = store->mend;
	struct kri_segment_info info = { .first_seq = 0 }, *at;
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	char text[160], path[PATH_MAX];
	int count, r;

	kri_segment_path(store->folder, mend->first_seq, path, sizeof(path));
	pthread_mutex_lock(&store->lock);
	at = kri_store_find_segment(store, mend->first_seq);
	if (at)
		info = *at;
	pthread_mutex_unlock(&store->lock);
	if (!at) /* removed by retention meanwhile */
		return 0;
	choose_device(store, mend);
	r = add_channels(store, mend);
	if (r >= 0)
		r = kri_mend_drop_nameless(mend);
	if (r >= 0)
		r = announce_holes(store, mend, &info);
	/* The gaps first: they are on the disk before anybody finds the holes, after a cut too. */
	if (r >= 0) {
		pthread_mutex_lock(&store->lock);
		r = kri_store_commit_state(store);
		pthread_mutex_unlock(&store->lock);
	}
	if (r >= 0)
		r = kri_mend_finish(mend);
	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	at = kri_store_find_segment(store, mend->first_seq);
	at->mended = true;
	at->samples = mend->samples;
	at->bytes = kri_segment_bytes_on_disk(path);
	count = kri_store_take_queues(store, queues);
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < count; i++) {
		pthread_mutex_lock(&queues[i]->lock);
		kri_queue_look_again(queues[i], mend->first_seq);
		pthread_mutex_unlock(&queues[i]->lock);
		kri_queue_wake(queues[i]);
		kri_queue_unref(queues[i]);
	}
	snprintf(text, sizeof(text), "%020" PRId64 ".seg: %" PRId64 " samples were salvaged", mend->first_seq,
	         mend->samples);
	kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_STORE,
	                                                 .name = "store",
	                                                 .first_seq = mend->first_seq,
	                                                 .last_seq = info.last_seq,
	                                                 .text = text });
	return 0;
}

/* The oldest that is to be salvaged and not put off; 0: none. */
static int64_t choose(struct kryos_store *store)
{
	int64_t now = kri_real_ns(), first_seq = 0;

	pthread_mutex_lock(&store->lock);
	for (int i = 0; i < store->segment_count && !first_seq; i++) {
		struct kri_segment_info *info = &store->segments[i];

		if (info->bad && !info->mended && now >= info->seal_at_ns)
			first_seq = info->first_seq;
	}
	pthread_mutex_unlock(&store->lock);
	return first_seq;
}

static void put_off(struct kryos_store *store, int64_t first_seq)
{
	struct kri_segment_info *info;

	pthread_mutex_lock(&store->lock);
	info = kri_store_find_segment(store, first_seq);
	if (info)
		info->seal_at_ns = kri_real_ns() + RETRY_NS;
	pthread_mutex_unlock(&store->lock);
}

int kri_store_mend_some(struct kryos_store *store)
{
	int64_t first_seq = store->mend ? store->mend->first_seq : choose(store);
	int r = 1;

	if (!first_seq)
		return 0;
	store->syncs.cause = KRI_SYNC_ROTATION;
	if (!store->mend)
		r = begin(store, first_seq);
	else
		r = kri_mend_step(store->mend, SLICE_BYTES);
	if (r == 0 && store->mend && store->mend->done) {
		r = finish(store);
		kri_mend_free(store->mend);
		store->mend = NULL;
	}
	if (r < 0) {
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "salvage waits: %s", kryos_strerror(r));
		kri_mend_free(store->mend);
		store->mend = NULL;
		put_off(store, first_seq);
	}
	return 1;
}
