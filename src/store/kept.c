/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rooms above keep with the store: bytes of theirs by a key, committed together with the events that tell of the
 * change. The caller hands both over under one lock, and the writer takes both under it: so a commit has the events up
 * to some moment and the bytes of that same moment.
 *
 *     put ---> waits ---> taken for a commit of state.db ---> stored
 *                ^                                  |
 *                '---------- the commit failed -----'
 */
#include "kept.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A value, once made, is never changed: the writer has its own reference while it writes. */
struct kri_kept_value {
	unsigned int refs; /* store->lock */
	int64_t seq;
	size_t count;
	uint8_t bytes[];
};

struct kri_kept {
	struct kri_kept *next;                  /* never changed, and none is removed before the end: the writer walks
	                                           without the lock */
	struct kri_kept_value *value, *writing; /* NULL: none; it is to be removed */
	bool waits, taken;
	int64_t since_ns; /* real time */
	char key[KRI_STATE_KEY_MAX + 1];
};

static struct kri_kept *find(const struct kryos_store *store, const char *key)
{
	struct kri_kept *kept = store->kept;

	while (kept && strcmp(kept->key, key) != 0)
		kept = kept->next;
	return kept;
}

static void unref(struct kri_kept_value *value)
{
	if (value && --value->refs == 0)
		free(value);
}

static int make_value(struct kri_kept_value **ret_value, const void *bytes, size_t count)
{
	struct kri_kept_value *value = malloc(sizeof(*value) + count);

	if (!value)
		return -ENOMEM;
	value->refs = 1;
	value->seq = 0;
	value->count = count;
	memcpy(value->bytes, bytes, count);
	*ret_value = value;
	return 0;
}

static struct kri_kept *make_kept(const char *key)
{
	struct kri_kept *kept = calloc(1, sizeof(*kept));

	if (kept)
		snprintf(kept->key, sizeof(kept->key), "%s", key);
	return kept;
}

static bool is_key(const char *key)
{
	size_t length = key ? strlen(key) : 0;

	return length >= 1 && length <= KRI_STATE_KEY_MAX &&
	       strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_.:-") == length;
}

static int check(const char *key, const void *bytes, size_t count, const struct kryos_event *events, size_t event_count)
{
	if (!is_key(key))
		return kryos_fail(-EINVAL, "store: a key of a state is 1 to %d of [a-z0-9_.:-]", KRI_STATE_KEY_MAX);
	if (count > KRI_STATE_BYTES_MAX || (count && !bytes))
		return kryos_fail(-EINVAL, "store: the state \"%s\" has %zu bytes; at most %d are allowed", key, count,
		                  KRI_STATE_BYTES_MAX);
	for (size_t i = 0; i < event_count; i++) {
		int r = kri_store_check_event(&events[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* store->lock held; the value, and a new entry if it is needed, are the store's then. */
static void enter(struct kryos_store *store, const char *key, struct kri_kept_value *value, struct kri_kept **made)
{
	struct kri_kept *kept = find(store, key);

	if (!kept && !value)
		return;
	if (!kept) {
		kept = *made;
		*made = NULL;
		kept->next = store->kept;
		store->kept = kept;
	}
	if (value)
		value->seq = store->durable_seq;
	unref(kept->value);
	kept->value = value;
	if (!kept->waits)
		kept->since_ns = kri_real_ns();
	kept->waits = true;
}

int kri_store_put_state(struct kryos_store *store, const char *key, const void *bytes, size_t count,
                        const struct kryos_event *events, size_t event_count)
{
	int r = check(key, bytes, count, events, event_count);
	struct kryos_time now = kri_store_now(store);
	struct kri_kept_value *value = NULL;
	struct kri_kept *made = NULL;

	if (r >= 0 && !(made = make_kept(key)))
		r = -ENOMEM;
	if (r >= 0 && count)
		r = make_value(&value, bytes, count);
	if (r >= 0) {
		pthread_mutex_lock(&store->lock);
		r = kri_store_put_events(store, events, event_count, now);
		if (r >= 0)
			enter(store, key, value, &made);
		pthread_mutex_unlock(&store->lock);
	}
	free(made);
	if (r < 0)
		free(value);
	return r;
}

int kri_store_get_state(struct kryos_store *store, const char *key, void **ret_bytes, size_t *ret_count,
                        int64_t *ret_seq)
{
	const struct kri_kept *kept;
	void *bytes = NULL;
	int r = -ENOENT;

	pthread_mutex_lock(&store->lock);
	kept = find(store, key);
	if (kept && kept->value) {
		bytes = malloc(kept->value->count);
		r = bytes ? 0 : -ENOMEM;
	}
	if (bytes) {
		memcpy(bytes, kept->value->bytes, kept->value->count);
		*ret_bytes = bytes;
		*ret_count = kept->value->count;
		*ret_seq = kept->value->seq;
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

int kri_kept_load(struct kryos_store *store)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(store->state->db, &row, "SELECT key, seq, bytes FROM state"), code = SQLITE_DONE;

	if (r < 0)
		return r;
	kri_kept_free(store);
	while (r >= 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(row, 1);
		const void *bytes = sqlite3_column_blob(row, 2);
		size_t count = (size_t)sqlite3_column_bytes(row, 2);
		struct kri_kept *kept;

		/* What was not put here says nothing. */
		if (!is_key(kri_sql_text(row, 0)) || !count || count > KRI_STATE_BYTES_MAX || seq < 0 ||
		    seq > KRI_MAX_SEQ)
			continue;
		kept = make_kept(kri_sql_text(row, 0));
		if (!kept)
			r = -ENOMEM;
		else
			r = make_value(&kept->value, bytes, count);
		if (r < 0) {
			free(kept);
			continue;
		}
		kept->value->seq = seq;
		kept->next = store->kept;
		store->kept = kept;
	}
	if (r >= 0)
		r = kri_sql_fail(store->state->db, code);
	sqlite3_finalize(row);
	return r;
}

void kri_kept_free(struct kryos_store *store)
{
	while (store->kept) {
		struct kri_kept *kept = store->kept;

		store->kept = kept->next;
		unref(kept->value);
		free(kept);
	}
}

void kri_kept_take(struct kryos_store *store)
{
	for (struct kri_kept *kept = store->kept; kept; kept = kept->next) {
		kept->taken = kept->waits;
		kept->writing = kept->taken ? kept->value : NULL;
		if (kept->writing)
			kept->writing->refs++;
	}
	store->kept_taken = store->kept;
}

static int write_one(const struct kri_kept *kept, sqlite3_stmt *put, sqlite3_stmt *drop)
{
	const struct kri_kept_value *value = kept->writing;
	sqlite3_stmt *statement = value ? put : drop;

	kri_sql_bind_text(statement, 1, kept->key);
	if (value) {
		sqlite3_bind_int64(statement, 2, value->seq);
		sqlite3_bind_blob(statement, 3, value->bytes, (int)value->count, SQLITE_STATIC);
	}
	return kri_sql_run(statement);
}

int kri_kept_write(struct kryos_store *store)
{
	sqlite3_stmt *put = NULL, *drop = NULL;
	int r = 0;

	for (const struct kri_kept *kept = store->kept_taken; kept && r >= 0; kept = kept->next) {
		if (!kept->taken)
			continue;
		if (!put)
			r = kri_sql_prepare(store->state->db, &put,
			                    "INSERT OR REPLACE INTO state VALUES(?1,?2,?3,"
			                    "row_crc('state',?1,?2,lower(hex(?3))))");
		if (r >= 0 && !drop)
			r = kri_sql_prepare(store->state->db, &drop, "DELETE FROM state WHERE key=?");
		if (r >= 0)
			r = write_one(kept, put, drop);
	}
	sqlite3_finalize(put);
	sqlite3_finalize(drop);
	return r;
}

void kri_kept_settle(struct kryos_store *store, bool well)
{
	for (struct kri_kept *kept = store->kept_taken; kept; kept = kept->next) {
		if (!kept->taken)
			continue;
		/* Another may have been put meanwhile. */
		if (well && kept->value == kept->writing)
			kept->waits = false;
		unref(kept->writing);
		kept->writing = NULL;
		kept->taken = false;
	}
	store->kept_taken = NULL;
}

int64_t kri_kept_due(const struct kryos_store *store)
{
	int64_t due = INT64_MAX;

	for (const struct kri_kept *kept = store->kept; kept; kept = kept->next)
		if (kept->waits && kept->since_ns + store->keep_ns < due)
			due = kept->since_ns + store->keep_ns;
	return due;
}

int kri_kept_list(struct kri_state *state, int (*each)(void *data, const char *key, const char *text), void *data)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(
		    state->db, &row,
		    "SELECT key, seq||' '||crc||' '||lower(hex(bytes)) FROM state WHERE crc IS " KRI_KEPT_CRC
		    " ORDER BY key"),
	    code = SQLITE_DONE;

	if (r < 0)
		return r;
	while (r >= 0 && (code = sqlite3_step(row)) == SQLITE_ROW)
		r = each(data, kri_sql_text(row, 0), kri_sql_text(row, 1));
	if (r >= 0)
		r = kri_sql_fail(state->db, code);
	sqlite3_finalize(row);
	return r;
}

/* Where nothing is of that key, and only what its checksum vouches for: of a header nobody else has looked at it. */
static int restore(struct kri_state *state, const char *key, int64_t seq, int64_t crc, const void *bytes, size_t count)
{
	sqlite3_stmt *put;
	int r;

	if (!is_key(key) || !count || count > KRI_STATE_BYTES_MAX || seq < 0 || seq > KRI_MAX_SEQ)
		return 0;
	r = kri_sql_prepare(state->db, &put,
	                    "INSERT OR IGNORE INTO state SELECT ?1,?2,?3,?4"
	                    " WHERE ?4 IS row_crc('state',?1,?2,lower(hex(?3)))");
	if (r < 0)
		return r;
	kri_sql_bind_text(put, 1, key);
	sqlite3_bind_int64(put, 2, seq);
	sqlite3_bind_blob(put, 3, bytes, (int)count, SQLITE_STATIC);
	sqlite3_bind_int64(put, 4, crc);
	r = kri_sql_run(put);
	sqlite3_finalize(put);
	return r;
}

int kri_kept_restore(struct kri_state *state, const char *key, const char *text)
{
	long long seq = -1, crc = -1;
	uint8_t *bytes;
	size_t count;
	int at = 0, r = 0;

	if (sscanf(text, "%18lld %18lld %n", &seq, &crc, &at) != 2 || !at || strlen(text + at) % 2)
		return 0;
	count = strlen(text + at) / 2;
	bytes = malloc(count + 1);
	if (!bytes)
		return -ENOMEM;
	if (kri_unhex(text + at, bytes, count) >= 0)
		r = restore(state, key, seq, crc, bytes, count);
	free(bytes);
	return r;
}

int kri_kept_rescue(struct kri_state *state, sqlite3 *aside)
{
	sqlite3_stmt *row;
	int r = 0;

	/* What can't be read is lost; that is known already. */
	if (kri_sql_prepare(aside, &row, "SELECT key, seq, crc, bytes FROM state") < 0)
		return 0;
	while (r >= 0 && sqlite3_step(row) == SQLITE_ROW)
		r = restore(state, kri_sql_text(row, 0), sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2),
		            sqlite3_column_blob(row, 3), (size_t)sqlite3_column_bytes(row, 3));
	sqlite3_finalize(row);
	return r;
}
