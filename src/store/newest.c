/* SPDX-License-Identifier: Apache-2.0 */
/* When something happened last, by the stored events. */
#include "private.h"
#include "store.h"
#include <limits.h>

/* Damaged rows are passed over. */
static int find(sqlite3 *db, enum kryos_event_type type, struct kryos_time *ret_when)
{
	struct kri_stored_event event;
	int r, code = SQLITE_DONE;
	sqlite3_stmt *rows;
	uint64_t epoch;
	bool bad = true;

	r = kri_sql_prepare(db, &rows, KRI_SELECT_EVENTS " WHERE type = ? ORDER BY seq DESC");
	if (r < 0)
		return r;
	sqlite3_bind_int(rows, 1, (int)type);
	while (bad && (code = sqlite3_step(rows)) == SQLITE_ROW)
		kri_state_take_event(rows, &event, &epoch, &bad);
	if (!bad)
		*ret_when = (struct kryos_time){ .t_boot_ns = event.t_boot_ns,
			                         .t_wall_ns = event.t_wall_ns,
			                         .trust = event.trust };
	else
		r = code == SQLITE_DONE ? -ENOENT : kri_sql_fail(db, code);
	sqlite3_finalize(rows);
	return r;
}

int kri_store_get_newest(struct kryos_store *store, enum kryos_event_type type, struct kryos_time *ret_when)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int r;

	snprintf(path, sizeof(path), "%s/state.db", kri_store_get_path(store));
	r = kri_sql_open_to_read(&db, path);
	if (r >= 0)
		r = find(db, type, ret_when);
	sqlite3_close_v2(db);
	return r;
}
