/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment that has no seal may begin among the seqs of one that has: a commit that failed, and was written all the
 * same, was made again there, with the same ids. A seq belongs to the later file; so whoever puts another such file
 * there would take the place of what is sealed. It must have the same rows.
 */
#include "verify.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* (A channel's number is each segment's own.) */
#define ROWS                                                                                                           \
	"SELECT seq, name, boot, round, t_boot_ns, t_wall_ns, trust, quality, value_micro, alarm FROM sample"          \
	" LEFT JOIN channel USING (channel) WHERE seq >= ? ORDER BY seq"
#define COLUMNS 10

/* Seqs that a commit which failed was given, and that are nobody's ("claimed" of meta). */
static void read_claimed(const struct kri_check *check, const char *folder, int64_t *first, int64_t *last)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;

	*first = *last = 0;
	snprintf(path, sizeof(path), "%s/%s", folder, check->part ? "events.db" : "state.db");
	if (kri_sql_open_to_read(&db, path) < 0 ||
	    kri_sql_int(db, "SELECT CAST(value AS INTEGER) FROM meta WHERE key='claimed'", first) < 0 ||
	    kri_sql_int(db, "SELECT CAST(substr(value,instr(value,'-')+1) AS INTEGER) FROM meta WHERE key='claimed'",
	                last) < 0)
		*first = *last = 0;
	sqlite3_close_v2(db);
}

static bool is_same(sqlite3_stmt *a, sqlite3_stmt *b)
{
	for (int i = 0; i < COLUMNS; i++)
		if (strcmp(kri_sql_text(a, i), kri_sql_text(b, i)) != 0)
			return false;
	return true;
}

/* Both in order of seq: each row that is sealed, with the one of its seq here. */
static int compare(struct kri_check *check, const char *folder, sqlite3_stmt *sealed, sqlite3_stmt *own)
{
	int64_t first, last;
	int code = SQLITE_ROW, own_code = sqlite3_step(own);

	read_claimed(check, folder, &first, &last);
	while ((code = sqlite3_step(sealed)) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(sealed, 0);
		bool there;

		while (own_code == SQLITE_ROW && sqlite3_column_int64(own, 0) < seq)
			own_code = sqlite3_step(own);
		there = own_code == SQLITE_ROW && sqlite3_column_int64(own, 0) == seq;
		if (there ? is_same(sealed, own) : seq >= first && seq <= last)
			continue;
		check->result->bad_links++;
		kri_verify_problem(check, seq, sqlite3_column_int64(sealed, 5),
		                   there ? "its row %" PRId64 " is another than the one that is sealed"
		                         : "it has no row %" PRId64 ", which is sealed before it",
		                   seq);
	}
	return kri_sql_fail(sqlite3_db_handle(sealed), code);
}

int kri_verify_overlap(struct kri_check *check, const char *folder)
{
	sqlite3_stmt *sealed = NULL, *own = NULL;
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int64_t seals = 0;
	int r = kri_sql_int(check->db, "SELECT count(*) FROM seal", &seals);

	if (r < 0 || seals)
		return r;
	kri_segment_path(folder, check->sealed_first, path, sizeof(path));
	r = kri_sql_open_to_read(&db, path);
	if (r >= 0)
		r = kri_sql_prepare(db, &sealed, ROWS);
	if (r >= 0)
		r = kri_sql_prepare(check->db, &own, ROWS);
	if (r >= 0) {
		sqlite3_bind_int64(sealed, 1, check->first_seq);
		sqlite3_bind_int64(own, 1, check->first_seq);
		r = compare(check, folder, sealed, own);
	}
	sqlite3_finalize(sealed);
	sqlite3_finalize(own);
	sqlite3_close_v2(db);
	/* Removed by retention since it was looked at. */
	return r == -ENOENT ? 0 : r;
}
