/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment that has no seal may begin among the seqs of one that has. A commit that failed leaves such, where its rows
 * came to the disk all the same: it was made again there, with the same ids, or its ids were given to nobody. Either
 * way it was the last commit of the one that is sealed, which was never written to again. A seq belongs to the later
 * file; so whoever puts another such file there would take the place of what is sealed. It must have the same rows; of
 * the last commit it may have none.
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
/* Where the last one begins: behind the last row but one that ends a commit. */
#define LAST_COMMIT                                                                                                    \
	"SELECT min(seq) FROM sample WHERE seq > coalesce((SELECT seq FROM sample WHERE hash IS NOT NULL"              \
	" ORDER BY seq DESC LIMIT 1 OFFSET 1), 0)"

static bool is_same(sqlite3_stmt *a, sqlite3_stmt *b)
{
	for (int i = 0; i < COLUMNS; i++)
		if (strcmp(kri_sql_text(a, i), kri_sql_text(b, i)) != 0)
			return false;
	return true;
}

/* Both in order of seq: each row that is sealed and is not given up, with the one of its seq here. */
static int compare(struct kri_check *check, sqlite3_stmt *sealed, sqlite3_stmt *own, int64_t given_up)
{
	int code, own_code = sqlite3_step(own);

	while ((code = sqlite3_step(sealed)) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(sealed, 0);
		bool there;

		while (own_code == SQLITE_ROW && sqlite3_column_int64(own, 0) < seq)
			own_code = sqlite3_step(own);
		there = own_code == SQLITE_ROW && sqlite3_column_int64(own, 0) == seq;
		if (there ? is_same(sealed, own) : seq >= given_up)
			continue;
		check->result->bad_links++;
		kri_verify_problem(check, seq, sqlite3_column_int64(sealed, 5),
		                   there ? "its row %" PRId64 " is another than the one that is sealed"
		                         : "it has no row %" PRId64 ", which is sealed before it",
		                   seq);
	}
	return kri_sql_fail(sqlite3_db_handle(sealed), code);
}

/* From which seq on the sealed one's rows may be missing here: its last commit, of which there is nothing here. */
static int find_given_up(struct kri_check *check, sqlite3 *sealed, int64_t *ret_seq)
{
	int64_t begin = 0, rows = 0;
	char sql[120];
	int r = kri_sql_int(sealed, LAST_COMMIT, &begin);

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM sample WHERE seq BETWEEN %" PRId64 " AND %" PRId64, begin,
	         check->sealed_last);
	if (r >= 0)
		r = kri_sql_int(check->db, sql, &rows);
	*ret_seq = rows || check->first_seq > begin ? INT64_MAX : begin;
	return r;
}

int kri_verify_overlap(struct kri_check *check, const char *folder)
{
	sqlite3_stmt *sealed = NULL, *own = NULL;
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int64_t seals = 0, given_up = 0;
	int r = kri_sql_int(check->db, "SELECT count(*) FROM seal", &seals);

	if (r < 0 || seals)
		return r;
	kri_segment_path(folder, check->sealed_first, path, sizeof(path));
	r = kri_sql_open_to_read(&db, path);
	if (r >= 0)
		r = find_given_up(check, db, &given_up);
	if (r >= 0)
		r = kri_sql_prepare(db, &sealed, ROWS);
	if (r >= 0)
		r = kri_sql_prepare(check->db, &own, ROWS);
	if (r >= 0) {
		sqlite3_bind_int64(sealed, 1, check->first_seq);
		sqlite3_bind_int64(own, 1, check->first_seq);
		r = compare(check, sealed, own, given_up);
	}
	sqlite3_finalize(sealed);
	sqlite3_finalize(own);
	sqlite3_close_v2(db);
	/* Removed by retention since it was looked at. */
	return r == -ENOENT ? 0 : r;
}
