/* SPDX-License-Identifier: Apache-2.0 */
/* At open: seqs that nobody has, segments that should be there, and the first that is. */
#include "private.h"
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SAID (KRI_MAX_GAPS_WAITING / 2) /* missing segments at one open: the next one says more of them */

/* Seqs given to commits that failed ("claimed"), or to nothing ("skipped"). Where there are none it ends before it
 * begins. */
static struct kri_run read_run(struct kryos_store *store, const char *key)
{
	struct kri_run run;
	char text[64] = "";

	(void)!kri_state_get_meta(store->state, key, text, sizeof(text));
	return sscanf(text, "%" SCNd64 "-%" SCNd64, &run.first, &run.last) == 2 ? run : (struct kri_run){ 1, 0 };
}

/*
 * The newest segment can't be read now. What comes next has seqs beyond all that it can have; once it can be read again
 * those between are not to be taken for lost.
 */
int kri_store_note_skipped(struct kryos_store *store, const struct kri_segment_info *newest, int64_t known)
{
	int64_t first = known < newest->first_seq ? newest->first_seq : known + 1;
	struct kri_run before = read_run(store, "skipped");
	char text[64];

	/* More of the same segment's: one run. */
	if (before.first <= before.last && before.first >= newest->first_seq && before.first < first)
		first = before.first;
	snprintf(text, sizeof(text), "%" PRId64 "-%" PRId64, first, newest->last_seq);
	return kri_state_put_meta(store->state, "skipped", text);
}

/* How many of these seqs are events', nobody's, or given up by a gap record: each counted once, whoever else has it. */
static int count_known(struct kryos_store *store, int64_t first, int64_t last, int64_t *ret_known)
{
	struct kri_run claimed = read_run(store, "claimed"), skipped = read_run(store, "skipped");
	int64_t known = 0, events = 0;
	sqlite3_stmt *runs;
	int code, r = kri_state_count_events(store->state, first, last, &known);

	if (r >= 0)
		r = kri_sql_prepare(store->state->db, &runs,
		                    "SELECT first_seq, last_seq FROM gap WHERE last_seq >= ? AND first_seq <= ?"
		                    " UNION ALL SELECT ?, ? UNION ALL SELECT ?, ? ORDER BY 1");
	if (r < 0)
		return r;
	sqlite3_bind_int64(runs, 1, first);
	sqlite3_bind_int64(runs, 2, last);
	sqlite3_bind_int64(runs, 3, claimed.first);
	sqlite3_bind_int64(runs, 4, claimed.last);
	sqlite3_bind_int64(runs, 5, skipped.first);
	sqlite3_bind_int64(runs, 6, skipped.last);
	while (r >= 0 && (code = sqlite3_step(runs)) == SQLITE_ROW) {
		int64_t from = sqlite3_column_int64(runs, 0), to = sqlite3_column_int64(runs, 1);

		from = from > first ? from : first;
		to = to < last ? to : last;
		if (from > to)
			continue;
		r = kri_state_count_events(store->state, from, to, &events);
		known += to - from + 1 - events;
		first = to + 1;
	}
	if (r >= 0)
		r = kri_sql_fail(store->state->db, code);
	sqlite3_finalize(runs);
	if (r >= 0)
		*ret_known = known;
	return r;
}

/* The newest segment that begins behind that seq, had rows, and is not given up yet; 0: none. Its file is not there. */
static int find_lost_segment(struct kryos_store *store, int64_t behind, int64_t *ret_first)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
	         "SELECT coalesce(max(segment),0) FROM channel WHERE segment > %" PRId64
	         " AND segment <= 9007199254740992" /* KRI_MAX_SEQ */
	         " AND crc IS row_crc('channel',segment,channel,since,name,unit,place)"
	         " AND NOT EXISTS (SELECT 1 FROM gap WHERE segment BETWEEN first_seq AND last_seq)",
	         behind);
	return kri_sql_int(store->state->db, sql, ret_first);
}

/*
 * The last rows may be gone without a trace: a WAL that was removed, or flipped bits in the last place that counts. But
 * state.db knows of later seqs: each must be an event's, or have been given in vain. Or the file is gone: then its
 * channels are known still.
 */
int kri_store_check_end(struct kryos_store *store, int64_t *newest_seq, bool *ret_damage)
{
	struct kri_segment_info *newest = store->segment_count ? &store->segments[store->segment_count - 1] : NULL;
	int64_t known = 0, first = *newest_seq + 1, last = 0, lost = 0, claimed = read_run(store, "claimed").first;
	char text[32];
	int r = kri_state_newest_seq(store->state, &last);

	/* Nothing was accepted since: what is claimed from now on goes on from there. */
	store->claimed_before = claimed > *newest_seq ? claimed : 0;
	if (r >= 0)
		r = find_lost_segment(store, *newest_seq, &lost);
	if (r < 0)
		return r;
	last = last > lost ? last : lost;
	store->known_seq = last > *newest_seq ? last : *newest_seq;
	/* What was an event's below that, and is no more, can't be told from a sample's. */
	if (!lost && kri_state_get_meta(store->state, "trimmed", text, sizeof(text)) >= 0 &&
	    strtoll(text, NULL, 10) > first)
		first = strtoll(text, NULL, 10);
	if (last < first)
		return newest && newest->left_out && last < newest->last_seq
		               ? kri_store_note_skipped(store, newest, last)
		               : 0;
	r = count_known(store, first, last, &known);
	if (r < 0 || (!lost && known == last - first + 1))
		return r;
	*ret_damage = true;
	*newest_seq = last;
	if (newest && !newest->recorded && !newest->bad && !newest->left_out) {
		/* What can be found in the rest of its file is; the others become a gap then. */
		kri_segment_close(store->segment);
		store->segment = NULL;
		newest->last_seq = last;
		store->damaged_segment = newest->first_seq;
		return kri_store_condemn(store);
	}
	return kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_GAP,
	                                                        .name = "store",
	                                                        .first_seq = first,
	                                                        .last_seq = last,
	                                                        .text = "the newest segment is missing" });
}

/* What state.db has closed and retention has not removed must be there. Said once: the gap is stored with its event. */
int kri_store_report_missing(struct kryos_store *store)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(store->state->db, &rows,
	                        "SELECT first_seq, last_seq FROM seal WHERE dropped=0 AND NOT EXISTS (SELECT 1 FROM gap"
	                        " WHERE gap.first_seq=seal.first_seq AND gap.last_seq=seal.last_seq)"),
	    code, said = 0;

	if (r < 0)
		return r;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW && said < MAX_SAID) {
		int64_t first = sqlite3_column_int64(rows, 0);

		if (kri_store_find_segment(store, first))
			continue;
		said++;
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

/* Of a segment's file that is not there, and that state.db does not miss. */
static bool is_leftover(struct kryos_store *store, const char *name)
{
	static const char *const suffixes[] = { "-wal", "-shm", "-journal", ".bad", ".salvaged", ".salvaged-journal" };
	char path[PATH_MAX], sql[80];
	int64_t missing = 0, first;
	bool known = false;

	if (strspn(name, "0123456789") != 20 || strncmp(name + 20, ".seg", 4) != 0)
		return false;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(suffixes); i++)
		known |= strcmp(name + 24, suffixes[i]) == 0;
	first = strtoll(name, NULL, 10);
	kri_segment_path(store->folder, first, path, sizeof(path));
	if (!known || access(path, F_OK) == 0 || errno != ENOENT || kri_state_has_channels(store->state, first))
		return false;
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM seal WHERE dropped=0 AND first_seq=%" PRId64, first);
	return kri_sql_int(store->state->db, sql, &missing) >= 0 && !missing;
}

/* What a cut in the midst of a removal left. Nothing would ever look for it. */
void kri_store_remove_leftovers(struct kryos_store *store)
{
	DIR *directory = opendir(store->folder);
	struct dirent *entry;
	char path[PATH_MAX];

	while (directory && (entry = readdir(directory))) {
		if (!is_leftover(store, entry->d_name))
			continue;
		kri_segment_path(store->folder, strtoll(entry->d_name, NULL, 10), path, sizeof(path));
		if (kri_remove_db(path) < 0)
			kri_log(store->ctx, KRYOS_LOG_WARNING, "store", -EIO, "%s", kryos_strerror(-EIO));
	}
	if (directory)
		closedir(directory);
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
