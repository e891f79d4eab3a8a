/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state.db that can't be used, damaged or a newer version's: set aside, and what it can still tell of events, and of
 * what rooms above keep, taken over.
 */
#include "kept.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int kri_state_set_aside(const char *folder, const char *suffix)
{
	char path[PATH_MAX], aside[PATH_MAX];

	/* An older one goes, its log first: a log beside another database would be taken for that one's. */
	snprintf(aside, sizeof(aside), "%s/state.db.%s-wal", folder, suffix);
	if (unlink(aside) && errno != ENOENT)
		return kryos_fail(-errno, "%s: %s", aside, strerror(errno));
	snprintf(path, sizeof(path), "%s/state.db", folder);
	snprintf(aside, sizeof(aside), "%s/state.db.%s", folder, suffix);
	if (rename(path, aside))
		return kryos_fail(-errno, "%s: can't be moved aside: %s", path, strerror(errno));
	/* A cut here leaves a log without its database, which SQLite removes: what was in it alone is lost. */
	snprintf(path, sizeof(path), "%s/state.db-wal", folder);
	snprintf(aside, sizeof(aside), "%s/state.db.%s-wal", folder, suffix);
	if (rename(path, aside) && errno != ENOENT)
		return kryos_fail(-errno, "%s: can't be moved aside: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/state.db-shm", folder);
	if (unlink(path) && errno != ENOENT)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	return kri_sync_folder(folder);
}

/* From that seq on, until the end or a page that can't be read. The last seq seen, which need not have been good. */
static int take_over(struct kri_state *state, sqlite3 *db, int64_t *from, int64_t *rescued, bool *ret_end)
{
	struct kri_stored_event event;
	sqlite3_stmt *rows;
	uint64_t epoch;
	bool bad;
	int put = 0, r = kri_sql_prepare(db, &rows, KRI_SELECT_EVENTS " WHERE seq >= ? ORDER BY seq");

	*ret_end = true;
	if (r < 0)
		return 0;
	sqlite3_bind_int64(rows, 1, *from);
	while (put >= 0 && (r = sqlite3_step(rows)) == SQLITE_ROW) {
		kri_state_take_event(rows, &event, &epoch, &bad);
		*from = event.seq + 1;
		if (bad)
			continue;
		put = kri_state_put_event(state, &event, epoch);
		*rescued += put >= 0;
		/* With its record, or what it says is lost would be missed once more. */
		if (put >= 0 && event.type == KRYOS_EVENT_GAP)
			put = kri_state_put_gap(state, event.first_seq, event.last_seq, event.text);
		/* What is in force is what the events say. */
		if (put >= 0 && (event.type == KRYOS_EVENT_CALIBRATION || event.type == KRYOS_EVENT_CONFIGURED))
			put = kri_configured_put(state, &event);
	}
	*ret_end = r == SQLITE_DONE;
	sqlite3_finalize(rows);
	return put;
}

int kri_state_rescue(struct kri_state *state, const char *folder, const char *suffix, int64_t *ret_rescued)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int64_t from = 1;
	bool end = false;
	int r = 0;

	*ret_rescued = 0;
	snprintf(path, sizeof(path), "%s/state.db.%s", folder, suffix);
	if (kri_sql_open_to_read(&db, path) < 0)
		return 0;
	r = kri_sql_exec(state->db, "BEGIN IMMEDIATE");
	/* Over what can't be read, in growing steps. */
	for (int64_t step = 1; r >= 0 && !end && step < 1 << 20; step *= 2) {
		int64_t before = from;

		r = take_over(state, db, &from, ret_rescued, &end);
		if (from > before)
			step = 1;
		from += step;
	}
	r = r < 0 ? r : kri_kept_rescue(state, db);
	r = r < 0 ? r : kri_sql_exec(state->db, "COMMIT");
	if (r < 0 && !sqlite3_get_autocommit(state->db))
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close_v2(db);
	return r;
}
