/* SPDX-License-Identifier: Apache-2.0 */
/* At open: which boot this is, and, where state.db was lost, what the newest segment knows of it. */
#include "kept.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The newest segment that can be read; -ENOENT: none. */
static int open_newest(struct kryos_store *store, sqlite3 **ret_db, int64_t *ret_first)
{
	char path[PATH_MAX];

	for (int i = store->segment_count - 1; i >= 0; i--) {
		const struct kri_segment_info *info = &store->segments[i];

		if (info->bad || info->left_out)
			continue;
		kri_segment_path(store->folder, info->first_seq, path, sizeof(path));
		*ret_first = info->first_seq;
		return kri_sql_open_to_read(ret_db, path);
	}
	return -ENOENT;
}

static int restore_entry(struct kri_state *state, const char *key, const char *value)
{
	const char *blank = strchr(value, ' ');
	struct kri_boot boot = { .boot = 0 };
	sqlite3_stmt *put = state->put_queue;
	char sql[80];
	int64_t known;

	/* What is there is newer. */
	if (strncmp(key, "queue:", 6) == 0 && blank) {
		snprintf(sql, sizeof(sql), "SELECT 1 FROM queue WHERE name='%.31s'", key + 6);
		if (strchr(key, '\'') || kri_sql_int(state->db, sql, &known) >= 0)
			return 0;
		kri_sql_bind_text(put, 1, key + 6);
		sqlite3_bind_text(put, 2, value, (int)(blank - value), SQLITE_TRANSIENT);
		kri_sql_bind_text(put, 3, blank + 1);
		sqlite3_bind_int64(put, 4, 0);
		sqlite3_bind_int64(put, 5, 0);
		return kri_sql_run(put);
	}
	if (strncmp(key, "state:", 6) == 0)
		return kri_kept_restore(state, key + 6, value);
	if (strncmp(key, "boot:", 5) != 0 || !kri_boot_parse(&boot, key + 5, value))
		return 0;
	snprintf(sql, sizeof(sql), "SELECT 1 FROM boot WHERE boot=%" PRIu32, boot.boot);
	return kri_sql_int(state->db, sql, &known) >= 0 ? 0 : kri_state_put_boot(state, &boot, "");
}

/*
 * Boots that the segment has samples of: their ids, and those that its header does not name, for they came later.
 * The result is of reading it; ret_put of writing state.db.
 */
static int restore_boots(struct kri_state *state, sqlite3 *segment, int *ret_put)
{
	struct kri_boots boots = { .list = NULL };
	struct kri_last_record last = { .boot = 0 };
	sqlite3_stmt *rows = NULL;
	int put = kri_boots_read(&boots, state->db, "", NULL), r = 0, code = SQLITE_DONE;

	if (put >= 0)
		r = kri_sql_prepare(segment, &rows,
		                    "SELECT boot, trust, t_boot_ns, t_wall_ns, coalesce(boot_id, '') FROM sample"
		                    " LEFT JOIN boot USING(boot) WHERE seq IN"
		                    " (SELECT max(seq) FROM sample GROUP BY boot) ORDER BY boot");
	while (r >= 0 && put >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		struct kri_last_record next = { .boot = (uint32_t)sqlite3_column_int64(rows, 0),
			                        .trust = (uint16_t)sqlite3_column_int(rows, 1),
			                        .t_boot_ns = sqlite3_column_int64(rows, 2),
			                        .t_wall_ns = sqlite3_column_int64(rows, 3) };

		const struct kri_boot *newest = boots.count ? &boots.list[boots.count - 1] : NULL;
		const struct kri_boot *known = kri_boots_find(&boots, next.boot);
		struct kri_boot boot = known ? *known : (struct kri_boot){ .boot = next.boot };

		if (!known && newest && newest->boot < next.boot) {
			boot = kri_boot_after(newest, &last, next.boot);
			if (next.trust >= KRYOS_TRUST_RTC)
				kri_boot_count_gap(&boot, kri_ns_subtract(next.t_wall_ns, next.t_boot_ns));
		}
		put = kri_state_put_boot(state, &boot, kri_sql_text(rows, 4));
		if (put >= 0)
			put = kri_boots_put(&boots, &boot);
		last = next;
	}
	if (r >= 0 && put >= 0)
		r = kri_sql_fail(segment, code);
	sqlite3_finalize(rows);
	kri_boots_clear(&boots);
	*ret_put = put;
	return r;
}

/* What cannot be read costs duplicates, or device time, and must not keep a device from measuring. */
static void go_without(struct kryos_store *store, int r)
{
	if (r < 0 && r != -ENOENT)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "the newest segment is not asked: %s",
		        kryos_strerror(r));
}

/*
 * What a boot learnt of its time behind that header is in an event, which may have been rescued. A better time that the
 * header has, or as good a one that came after the event, is of one which was not.
 */
static int take_told_offsets(struct kri_state *state, int64_t header_seq)
{
#define TOLD                                                                                                           \
	" FROM (SELECT seq, value_ns, CASE text WHEN 'synced' THEN 3 ELSE 2 END AS told FROM event WHERE type=9 AND "  \
	"code=boot.boot ORDER BY seq DESC LIMIT 1)"
	sqlite3_stmt *update;
	int r = kri_sql_prepare(state->db, &update,
	                        "UPDATE boot SET (offset_ns, trust, crc) = (SELECT value_ns, told, row_crc('boot',boot,"
	                        "boot_id,value_ns,told,device_ns,before_ns)" TOLD ") WHERE EXISTS (SELECT 1" TOLD
	                        " WHERE trust IS NULL OR told > trust OR (told = trust AND seq >= ?))");

	if (r < 0)
		return r;
	sqlite3_bind_int64(update, 1, header_seq);
	r = kri_sql_run(update);
	sqlite3_finalize(update);
	return r;
}

int kri_store_rebuild_state(struct kryos_store *store)
{
	sqlite3_stmt *rows = NULL;
	sqlite3 *segment = NULL;
	int64_t header_seq = 0;
	int put = 0, r = open_newest(store, &segment, &header_seq), code = SQLITE_DONE;

	if (r >= 0)
		r = kri_sql_prepare(segment, &rows, "SELECT key, value FROM header");
	while (r >= 0 && put >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW)
		put = restore_entry(store->state, kri_sql_text(rows, 0), kri_sql_text(rows, 1));
	if (r >= 0 && put >= 0)
		r = kri_sql_fail(segment, code);
	sqlite3_finalize(rows);
	if (r >= 0 && put >= 0)
		r = restore_boots(store->state, segment, &put);
	go_without(store, r);
	sqlite3_close_v2(segment);
	return put < 0 ? put : take_told_offsets(store->state, header_seq);
}

/* The record that the first row of a query is about. */
static int read_record(sqlite3 *db, const char *sql, struct kri_last_record *ret_record)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(db, &row, sql), code;

	if (r < 0)
		return r;
	code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		*ret_record = (struct kri_last_record){ .boot = (uint32_t)sqlite3_column_int64(row, 0),
			                                .trust = (uint16_t)sqlite3_column_int(row, 1),
			                                .t_boot_ns = sqlite3_column_int64(row, 2),
			                                .t_wall_ns = sqlite3_column_int64(row, 3) };
	r = kri_sql_fail(db, code);
	sqlite3_finalize(row);
	return r;
}

/* The later of the newest sample and the newest event; none: boot 0. */
static int read_last(struct kryos_store *store, struct kri_last_record *ret_last)
{
	struct kri_last_record sample = { .boot = 0 }, event = { .boot = 0 };
	sqlite3 *segment = NULL;
	int64_t first;
	int r = open_newest(store, &segment, &first);

	if (r >= 0)
		r = read_record(segment,
		                "SELECT boot, trust, t_boot_ns, t_wall_ns FROM sample ORDER BY seq DESC LIMIT 1",
		                &sample);
	go_without(store, r);
	sqlite3_close_v2(segment);
	r = read_record(store->state->db,
	                "SELECT boot, trust, t_boot_ns, t_wall_ns FROM event ORDER BY seq DESC LIMIT 1", &event);
	*ret_last = event.boot > sample.boot || (event.boot == sample.boot && event.t_boot_ns > sample.t_boot_ns)
	                    ? event
	                    : sample;
	return r;
}

int kri_store_begin_boot(struct kryos_store *store, uint32_t newest, bool new_device)
{
	struct kri_boot boot = { .device_ns = -kri_boot_ns(store->ctx) }; /* commissioned now */
	struct kri_last_record last;
	uint32_t same = 0;
	int r = kri_boots_read(&store->boots, store->state->db, store->boot_id, &same);

	if (r < 0)
		return r;
	if (store->boots.count && store->boots.list[store->boots.count - 1].boot > newest)
		newest = store->boots.list[store->boots.count - 1].boot;
	if (same && same == newest && !new_device) {
		store->boot = same;
		store->untrusted_in_boot = true; /* there may be some: recover.c looks */
		return 0;
	}
	if (store->boots.count && !new_device) {
		r = read_last(store, &last);
		if (r < 0)
			return r;
		boot = kri_boot_after(&store->boots.list[store->boots.count - 1], &last, newest + 1);
	}
	store->boot = boot.boot = newest + 1;
	r = kri_state_put_boot(store->state, &boot, store->boot_id);
	return r < 0 ? r : kri_boots_put(&store->boots, &boot);
}
