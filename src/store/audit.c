/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events are a chain of their own, and this signs it. Each link's hash covers all before it, so one signature over the
 * newest proves every event up to it. What is signed, and when: before a segment begins, whose header then names the
 * seal, at close, and once a day. A segment's header in its turn is under that segment's seal: whoever takes events and
 * their newest seals away has to take the newest segments away too.
 */
#include "private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_NS KRYOS_DAYS(1)
#define RETRY_NS KRYOS_SECONDS(10)

size_t kri_audit_text(char text[256], const char *device, int64_t first, int64_t last, const char *hash)
{
	return (size_t)snprintf(text, 256, "kryos-events|1|%s|%" PRId64 "|%" PRId64 "|%s\n", device, first, last, hash);
}

size_t kri_audit_removal_text(char text[256], const char *device, int64_t first, int64_t last, const char *hash)
{
	return (size_t)snprintf(text, 256, "kryos-removed|1|%s|%" PRId64 "|%" PRId64 "|%s\n", device, first, last,
	                        hash);
}

bool kri_audit_is_own(const struct kri_stored_event *event)
{
	return event->type == KRYOS_EVENT_SEALED && event->code == KRI_AUDIT_SEAL;
}

static bool can_seal(const struct kryos_store *store)
{
	return store->key && store->state->chain.sha;
}

int kri_audit_load(struct kryos_store *store, bool new_device)
{
	int64_t unsealed = 0;
	char sql[200], text[24] = "";
	int r;

	r = kri_sql_int(store->state->db, "SELECT coalesce(max(last_seq),0) FROM audit_seal", &store->audit_seq);
	/* What another device left without a seal stays without: the new one does not sign for it. */
	if (r >= 0 && new_device) {
		r = kri_sql_int(store->state->db, "SELECT coalesce(max(seq),0) FROM event", &store->audit_seq);
		snprintf(text, sizeof(text), "%" PRId64, store->audit_seq);
		if (r >= 0)
			r = kri_state_put_meta(store->state, "audit_from", text);
	} else if (r >= 0) {
		r = kri_state_get_meta(store->state, "audit_from", text, sizeof(text));
		if (r >= 0 && strtoll(text, NULL, 10) > store->audit_seq)
			store->audit_seq = strtoll(text, NULL, 10);
		r = r == -ENOENT ? 0 : r;
	}
	if (r >= 0) {
		snprintf(sql, sizeof(sql),
		         "SELECT count(*) FROM (SELECT 1 FROM event WHERE seq > %" PRId64
		         " AND NOT (type=%d AND code=%d) LIMIT 1)",
		         store->audit_seq, KRYOS_EVENT_SEALED, KRI_AUDIT_SEAL);
		r = kri_sql_int(store->state->db, sql, &unsealed);
	}
	store->state->unsealed = unsealed > 0;
	/* Left by a run that could not close. One that restarts again and again must not put it off for ever. */
	store->audit_at_ns = kri_boot_ns(store->ctx) + (unsealed ? 0 : EVERY_NS);
	return r;
}

bool kri_audit_is_due(const struct kryos_store *store)
{
	return can_seal(store) && store->state->unsealed && kri_boot_ns(store->ctx) >= store->audit_at_ns;
}

/* The line between the first and the last of a PEM file: a row of a table is to be one line too. */
static void bare_key(const char *pem, char key[64])
{
	const char *line = strchr(pem, '\n');

	snprintf(key, 64, "%.*s", line ? (int)strcspn(line + 1, "\n") : 0, line ? line + 1 : "");
}

/* On record, and so upstream; to the program it is no news. */
static int tell(struct kryos_store *store, int64_t first, int64_t last, const char *hash)
{
	const struct kryos_event event = { .type = KRYOS_EVENT_SEALED,
		                           .code = KRI_AUDIT_SEAL,
		                           .first_seq = first,
		                           .last_seq = last,
		                           .name = store->device,
		                           .text = hash };
	struct kryos_time now = kri_store_now(store);
	int r;

	pthread_mutex_lock(&store->lock);
	r = kri_store_put_event(store, &event, now);
	pthread_mutex_unlock(&store->lock);
	return r == -EAGAIN ? 0 : r;
}

static int put(struct kryos_store *store, int64_t first, int64_t last, const char *hash)
{
	char text[256], key[64], signature_text[2 * KRI_SIGNATURE_SIZE + 1];
	uint8_t signature[KRI_SIGNATURE_SIZE];
	sqlite3_stmt *insert = NULL;
	int r;

	r = kri_key_sign(store->key, text, kri_audit_text(text, store->device, first, last, hash), signature);
	if (r >= 0)
		r = kri_sql_prepare(store->state->db, &insert,
		                    "INSERT OR REPLACE INTO audit_seal VALUES(?1,?2,?3,?4,?5,?6,"
		                    "row_crc('audit_seal',?1,?2,?3,?4,?5,?6))");
	if (r >= 0) {
		bare_key(store->public_pem, key);
		kri_hex(signature, sizeof(signature), signature_text);
		sqlite3_bind_int64(insert, 1, last);
		sqlite3_bind_int64(insert, 2, first);
		kri_sql_bind_text(insert, 3, store->device);
		kri_sql_bind_text(insert, 4, key);
		kri_sql_bind_text(insert, 5, hash);
		kri_sql_bind_text(insert, 6, signature_text);
		store->syncs.cause = KRI_SYNC_STATE;
		r = kri_sql_run(insert);
	}
	sqlite3_finalize(insert);
	return r < 0 ? r : tell(store, first, last, hash);
}

/* The stored events after audit_seq and before seq: the first, the last and the last one's hash. 0: there are none. */
static int find_stretch(struct kryos_store *store, int64_t seq, int64_t *ret_first, int64_t *ret_last,
                        char ret_hash[KRI_HASH_TEXT])
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(store->state->db, &row,
	                        "SELECT seq, lower(hex(hash)), (SELECT min(seq) FROM event WHERE seq > ?1) FROM event"
	                        " WHERE seq > ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1"),
	    code;

	if (r < 0)
		return r;
	sqlite3_bind_int64(row, 1, store->audit_seq);
	sqlite3_bind_int64(row, 2, seq);
	code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		*ret_last = sqlite3_column_int64(row, 0);
		snprintf(ret_hash, KRI_HASH_TEXT, "%s", kri_sql_text(row, 1));
		*ret_first = sqlite3_column_int64(row, 2);
		/* Written by a build without libcrypto: there is no chain to sign. */
		r = strlen(ret_hash) == KRI_HASH_TEXT - 1;
	} else {
		r = kri_sql_fail(store->state->db, code);
	}
	sqlite3_finalize(row);
	return r;
}

static int seal_up_to(struct kryos_store *store, int64_t seq)
{
	int64_t first = 0, last = 0;
	char hash[KRI_HASH_TEXT];
	int r = find_stretch(store, seq, &first, &last, hash);

	if (r > 0)
		r = put(store, first, last, hash);
	if (r >= 0 && last)
		store->audit_seq = last;
	return r;
}

int kri_audit_seal(struct kryos_store *store)
{
	int r;

	if (!can_seal(store) || !store->state->unsealed)
		return 0;
	r = seal_up_to(store, INT64_MAX);
	if (r >= 0)
		store->state->unsealed = false;
	store->audit_at_ns = kri_boot_ns(store->ctx) + (r >= 0 ? EVERY_NS : RETRY_NS);
	return r;
}

bool kri_audit_close(struct kryos_store *store)
{
	int r;

	pthread_mutex_unlock(&store->lock);
	r = kri_audit_seal(store);
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "the newest events are not sealed: %s",
		        kryos_strerror(r));
	pthread_mutex_lock(&store->lock);
	return store->events;
}

int kri_audit_seal_before(struct kryos_store *store, int64_t seq)
{
	int64_t there = 0;
	char sql[128];
	int r;

	if (!can_seal(store))
		return 0;
	if (store->audit_seq < seq - 1)
		return seal_up_to(store, seq);
	/* In the middle of a stretch that has its seal: one more, of what is to go. */
	snprintf(sql, sizeof(sql),
	         "SELECT count(*) FROM audit_seal WHERE last_seq=(SELECT max(seq) FROM event WHERE seq < %" PRId64 ")",
	         seq);
	r = kri_sql_int(store->state->db, sql, &there);
	if (r >= 0 && !there) {
		int64_t sealed = store->audit_seq;

		store->audit_seq = 0;
		r = seal_up_to(store, seq);
		store->audit_seq = sealed;
	}
	return r;
}

int kri_audit_newest(struct kryos_store *store, char text[KRI_HASH_TEXT + 24])
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(store->state->db, &row,
	                        "SELECT last_seq||' '||hash FROM audit_seal ORDER BY last_seq DESC LIMIT 1"),
	    code;

	text[0] = '\0';
	if (r < 0)
		return r;
	code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		snprintf(text, KRI_HASH_TEXT + 24, "%s", kri_sql_text(row, 0));
	else
		r = kri_sql_fail(store->state->db, code);
	sqlite3_finalize(row);
	return r;
}

int kri_audit_sign_removal(struct kryos_store *store, int64_t first_seq, char ret_signature[2 * KRI_SIGNATURE_SIZE + 1])
{
	uint8_t signature[KRI_SIGNATURE_SIZE];
	sqlite3_stmt *row;
	char text[256];
	int r, code;

	ret_signature[0] = '\0';
	if (!store->key)
		return 0;
	r = kri_sql_prepare(store->state->db, &row, "SELECT last_seq, hash FROM seal WHERE first_seq=?");
	if (r < 0)
		return r;
	sqlite3_bind_int64(row, 1, first_seq);
	code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		r = kri_key_sign(store->key, text,
		                 kri_audit_removal_text(text, store->device, first_seq, sqlite3_column_int64(row, 0),
		                                        kri_sql_text(row, 1)),
		                 signature);
		if (r >= 0)
			kri_hex(signature, sizeof(signature), ret_signature);
	} else {
		r = kri_sql_fail(store->state->db, code);
	}
	sqlite3_finalize(row);
	return r;
}
