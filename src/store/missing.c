/* SPDX-License-Identifier: Apache-2.0 */
/* At open: seqs that nobody has, segments that should be there, and the first that is. */
#include "private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

/* Seqs given to commits that failed ("claimed"), or to nothing ("skipped"), for what they are: nobody's. */
int64_t kri_store_count_nobodys(struct kryos_store *store, const char *key, int64_t first, int64_t last)
{
	int64_t from = 0, to = 0;
	char text[64] = "";

	(void)!kri_state_get_meta(store->state, key, text, sizeof(text));
	if (sscanf(text, "%" SCNd64 "-%" SCNd64, &from, &to) != 2)
		return 0;
	from = from > first ? from : first;
	to = to < last ? to : last;
	return from <= to ? to - from + 1 : 0;
}

/*
 * The newest segment can't be read now. What comes next has seqs beyond all that it can have; once it can be read again
 * those between are not to be taken for lost.
 */
int kri_store_note_skipped(struct kryos_store *store, const struct kri_segment_info *newest, int64_t known)
{
	int64_t from = 0, to = 0, first = known < newest->first_seq ? newest->first_seq : known + 1;
	char text[64] = "";

	(void)!kri_state_get_meta(store->state, "skipped", text, sizeof(text));
	/* More of the same segment's: one run. */
	if (sscanf(text, "%" SCNd64 "-%" SCNd64, &from, &to) == 2 && from >= newest->first_seq && from < first)
		first = from;
	snprintf(text, sizeof(text), "%" PRId64 "-%" PRId64, first, newest->last_seq);
	return kri_state_put_meta(store->state, "skipped", text);
}

/* What state.db has closed and retention has not removed must be there. Said once: the gap is stored with its event. */
int kri_store_report_missing(struct kryos_store *store)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(store->state->db, &rows,
	                        "SELECT first_seq, last_seq FROM seal WHERE dropped=0 AND NOT EXISTS (SELECT 1 FROM gap"
	                        " WHERE gap.first_seq=seal.first_seq AND gap.last_seq=seal.last_seq)"),
	    code;

	if (r < 0)
		return r;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		int64_t first = sqlite3_column_int64(rows, 0);

		if (kri_store_find_segment(store, first))
			continue;
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", -ENOENT, "segment %" PRId64 " is missing", first);
		kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_GAP,
		                                                 .name = "store",
		                                                 .first_seq = first,
		                                                 .last_seq = sqlite3_column_int64(rows, 1),
		                                                 .text = "the segment's file is missing" });
	}
	r = kri_sql_fail(store->state->db, code);
	sqlite3_finalize(rows);
	return r;
}

void kri_store_learn_first(struct kryos_store *store)
{
	char path[PATH_MAX];
	int64_t first = 0, wall = 0, boot = 0;
	sqlite3 *db = NULL;

	pthread_mutex_lock(&store->lock);
	for (int i = 0; i < store->segment_count && !first; i++)
		if (!store->segments[i].bad)
			first = store->segments[i].first_seq;
	pthread_mutex_unlock(&store->lock);
	if (first) {
		kri_segment_path(store->folder, first, path, sizeof(path));
		if (kri_sql_open(&db, path, SQLITE_OPEN_READWRITE) >= 0 &&
		    kri_sql_int(db, "SELECT t_wall_ns FROM sample ORDER BY seq LIMIT 1", &wall) >= 0)
			(void)!kri_sql_int(db, "SELECT boot FROM sample ORDER BY seq LIMIT 1", &boot);
		sqlite3_close_v2(db);
	}
	pthread_mutex_lock(&store->lock);
	store->status.first_wall_ns = wall;
	store->first_boot = (uint32_t)boot;
	pthread_mutex_unlock(&store->lock);
}
