/* SPDX-License-Identifier: Apache-2.0 */
/* At open: what becomes of a log that ends in the middle of a commit. */
#include "salvage.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROWS_OF_FRAME 8 /* of 512 bytes, at least 64 each */

static int say_unread(struct kryos_store *store, int64_t first, int64_t last)
{
	int64_t events = 0;
	char text[200];
	int r;

	r = first > last ? 0 : kri_state_count_events(store->state, first, last, &events);
	if (r < 0 || events >= last - first + 1)
		return r;
	snprintf(text, sizeof(text),
	         "the log ends in the middle of a commit; at most %" PRId64
	         " samples may have been in what can't be read",
	         last - first + 1 - events);
	kri_store_announce(
		store,
		&(struct kryos_event){
			.type = KRYOS_EVENT_GAP, .name = "store", .first_seq = first, .last_seq = last, .text = text });
	return 0;
}

/*
 * A commit that a cut tore was never accepted, but it looks like one that was and lost a sector since. So what cannot
 * be read is said, and ids that may have been given there are not given again.
 */
int kri_store_take_tail(struct kryos_store *store, struct kri_segment *segment, const struct kri_wal_scan *scan,
                        int64_t *newest_seq)
{
	int64_t next = segment->last_seq + 1, taken = 0;
	/* So many rows fit in the frames. */
	int64_t last = segment->last_seq + ROWS_OF_FRAME * (scan->frames - scan->last_commit_frame);
	sqlite3_stmt *rows;
	char sql[80];
	int r, code;

	if (!segment->in_wal || segment->sealed || strcmp(segment->device, store->device) != 0)
		return 0;
	r = kri_segment_take_tail(segment, scan, store, &taken);
	snprintf(sql, sizeof(sql), "SELECT seq FROM sample WHERE seq >= %" PRId64 " ORDER BY seq", next);
	if (r >= 0)
		r = kri_sql_prepare(segment->db, &rows, sql);
	if (r < 0)
		return r;
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		r = say_unread(store, next, sqlite3_column_int64(rows, 0) - 1);
		next = sqlite3_column_int64(rows, 0) + 1;
	}
	if (r >= 0)
		r = kri_sql_fail(segment->db, code);
	sqlite3_finalize(rows);
	if (r >= 0)
		r = say_unread(store, next, last);
	if (last > *newest_seq)
		*newest_seq = last;
	kri_log(store->ctx, KRYOS_LOG_NOTICE, "store", r,
	        "%s: its log ends in the middle of a commit; %" PRId64 " samples of it were taken up", segment->path,
	        taken);
	return r;
}
