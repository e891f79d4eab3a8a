/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that state.db knows of and that are not there: whoever copies a store without its logs, or loses its newest
 * segment, is to hear of it. It is no proof, for nothing of this is signed: only where it says that there were rows,
 * and nothing else explains that there are none.
 */
#include "verify.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Its first ones may have come after it was looked at. */
static bool has_rows(const char *folder, int64_t number)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int64_t rows = 0;

	kri_segment_path(folder, number, path, sizeof(path));
	if (kri_sql_open_to_read(&db, path) < 0 || kri_sql_int(db, "SELECT EXISTS (SELECT 1 FROM sample)", &rows) < 0)
		rows = 0;
	sqlite3_close_v2(db);
	return rows != 0;
}

static void judge(struct kri_check *check, const char *folder, const char *path, int64_t number)
{
	const struct kri_noted_seal *there = kri_verify_find_segment(check, number);
	char file[PATH_MAX];

	if ((there && (there->damaged || there->has_rows)) || has_rows(folder, number) ||
	    (!there && kri_verify_may_be_away(check, path, number)))
		return;
	kri_segment_path(folder, number, file, sizeof(file));
	kri_verify_broken(check, &check->result->bad_links, 0, 0,
	                  access(file, F_OK) == 0 ? "segment %" PRId64
	                                            " has no rows, and there were some (its -wal file may be missing)"
	                                          : "segment %" PRId64 " is missing",
	                  number);
}

/* Its channels are noted once rows of it are durable. Of those that were sealed the seal says more. */
static int check_channels(struct kri_check *check, const char *folder, const char *path)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(check->db, &rows,
	                        "SELECT DISTINCT segment FROM channel WHERE crc IS row_crc('channel',segment,channel,"
	                        "since,name,unit,place) AND segment NOT IN (SELECT first_seq FROM seal) AND NOT EXISTS"
	                        " (SELECT 1 FROM gap WHERE segment BETWEEN first_seq AND last_seq) ORDER BY segment"),
	    code;

	if (r < 0)
		return r;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW)
		judge(check, folder, path, sqlite3_column_int64(rows, 0));
	r = kri_sql_fail(check->db, code);
	sqlite3_finalize(rows);
	return r;
}

#define CLOSED                                                                                                         \
	"SELECT 'the store was closed after seq '||closed||', and rows or events behind '||last||' are missing'||"     \
	"' (perhaps with a -wal file)', 0, 0 FROM (SELECT CAST(value AS INTEGER) AS closed, %" PRId64 " AS last"       \
	" FROM meta WHERE key='closed' AND crc IS row_crc('meta',key,value))"                                          \
	" WHERE closed - last > (SELECT count(*) FROM event WHERE seq > last AND seq <= closed)"                       \
	" AND NOT EXISTS (SELECT 1 FROM gap WHERE last_seq > last AND first_seq <= closed)"                            \
	" AND NOT EXISTS (SELECT 1 FROM meta WHERE key IN ('claimed','skipped','trimmed')"                             \
	" AND CAST(substr(value,instr(value,'-')+1) AS INTEGER) > last)"

/* Seqs behind the last row: events, or else of rows that were there when the store was closed in order. */
static int check_closed(struct kri_check *check)
{
	char sql[900];

	for (int i = 0; i < check->segment_count; i++)
		if (check->segments[i].damaged)
			return 0;
	snprintf(sql, sizeof(sql), CLOSED, check->newest_row);
	return kri_verify_each_row(check, &check->result->bad_links, sql);
}

int kri_verify_known_rows(struct kri_check *check, const char *folder, const char *path)
{
	uint64_t before = check->result->bad_links;
	int r;

	/* What was taken out of a store has a list of its files, and the rest may be elsewhere. */
	if (check->part)
		return 0;
	r = check_channels(check, folder, path);
	/* What was said is not said again. */
	return r < 0 || check->result->bad_links != before ? r : check_closed(check);
}
