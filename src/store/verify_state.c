/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What state.db proves: the chain of events and the seals over it, the seals of segments that are there or gone. What
 * it says besides is verify_told.c's.
 */
#include "kept.h"
#include "verify.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void kri_verify_broken(struct kri_check *check, uint64_t *count, int64_t seq, int64_t wall_ns, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	++*count;
	kri_verify_problem(check, seq, wall_ns, "%s", text);
}

int kri_verify_each_row(struct kri_check *check, uint64_t *count, const char *sql)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(check->db, &rows, sql), code;

	if (r < 0)
		return r;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW)
		kri_verify_broken(check, count, sqlite3_column_int64(rows, 1), sqlite3_column_int64(rows, 2), "%.180s",
		                  kri_sql_text(rows, 0));
	r = kri_sql_fail(check->db, code);
	sqlite3_finalize(rows);
	return r;
}

static int check_checksums(struct kri_check *check)
{
	static const char *const tables[] = {
		"SELECT 'wrong checksum of meta \"'||key||'\"',0,0 FROM meta WHERE crc IS NOT "
		"row_crc('meta',key,value)",
		"SELECT 'wrong checksum of boot '||boot,0,0 FROM boot WHERE crc IS NOT"
		" row_crc('boot',boot,boot_id,offset_ns,trust,device_ns,before_ns)",
		"SELECT 'wrong checksum of the seal of segment '||first_seq,0,0 FROM seal WHERE crc IS NOT "
		"row_crc('seal',"
		"first_seq,last_seq,epoch,device,hash,signature,bytes,last_wall_ns,last_trust,samples,dropped,removed)",
		"SELECT 'wrong checksum of the seal of events '||last_seq,0,0 FROM audit_seal WHERE crc IS NOT"
		" row_crc('audit_seal',last_seq,first_seq,device,public_key,hash,signature)",
		"SELECT 'wrong checksum of state \"'||key||'\"',0,0 FROM state WHERE crc IS NOT"
		" " KRI_KEPT_CRC,
		"SELECT 'wrong checksum of channel '||name,0,0 FROM channel WHERE crc IS NOT"
		" row_crc('channel',segment,channel,since,name,unit,place)",
	};
	int r = 0;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(tables) && r >= 0; i++)
		r = kri_verify_each_row(check, &check->result->bad_rows, tables[i]);
	return r;
}

static int verify_text(struct kri_key *key, const char *text, size_t length, const char *hex)
{
	uint8_t signature[KRI_SIGNATURE_SIZE];
	int r = kri_unhex(hex, signature, sizeof(signature));

	return r < 0 ? kryos_fail(KRYOS_ECRC, "its signature is none") : kri_key_verify(key, text, length, signature);
}

/* Columns: last_seq, first_seq, device, public_key, hash, signature. */
static int judge_audit_seal(struct kri_check *check, sqlite3_stmt *row)
{
	char pem[160], text[256];
	struct kri_key *key = NULL;
	size_t length;
	int r;

	snprintf(pem, sizeof(pem), "-----BEGIN PUBLIC KEY-----\n%.70s\n-----END PUBLIC KEY-----\n",
	         kri_sql_text(row, 3));
	r = kri_verify_key(check, kri_sql_text(row, 2), pem, &key);
	length = kri_audit_text(text, kri_sql_text(row, 2), sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 0),
	                        kri_sql_text(row, 4));
	return r < 0 ? r : verify_text(key, text, length, kri_sql_text(row, 5));
}

/* The good ones go into seals, in order. */
static int read_audit_seals(struct kri_check *check, struct kri_noted_seal **seals, int *count)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(check->db, &rows,
	                        "SELECT last_seq, first_seq, device, public_key, hash, signature FROM audit_seal"
	                        " ORDER BY last_seq"),
	    code = SQLITE_DONE;

	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		struct kri_noted_seal seal = { .number = sqlite3_column_int64(rows, 0) };

		r = judge_audit_seal(check, rows);
		if (r == -EOPNOTSUPP)
			break;
		if (r < 0) {
			kri_verify_broken(check, &check->result->bad_seals, seal.number, 0,
			                  "the seal of events up to %" PRId64 " is not good: %s", seal.number,
			                  kryos_strerror(r));
			r = 0;
			continue;
		}
		snprintf(seal.hash, sizeof(seal.hash), "%s", kri_sql_text(rows, 4));
		check->result->event_seals++;
		check->result->events_number = seal.number;
		memcpy(check->result->events_hash, seal.hash, sizeof(check->result->events_hash));
		kri_verify_anchor(check, seal.number, seal.hash);
		r = kri_verify_note(seals, count, &seal);
	}
	if (r >= 0)
		r = kri_sql_fail(check->db, code);
	sqlite3_finalize(rows);
	return r == -EOPNOTSUPP ? 0 : r;
}

/* The chain goes on from the newest seal before the first event that is kept, or begins with it. */
static void begin_chain(struct kri_check *check, const struct kri_noted_seal *seals, int count, int64_t first)
{
	memset(check->chain.hash, 0, sizeof(check->chain.hash));
	for (int i = 0; i < count && seals[i].number < first; i++)
		(void)!kri_unhex(seals[i].hash, check->chain.hash, sizeof(check->chain.hash));
}

static int chain_event(struct kri_check *check, const struct kri_stored_event *event, uint64_t epoch)
{
	char line[KRI_LINE_MAX + 1024];
	uint32_t crc;
	size_t length = kri_text_end(line, kri_event_text(event, epoch, line), kri_epoch_crc(epoch), &crc);
	int r = kri_chain_begin(&check->chain, false);

	if (r >= 0)
		r = kri_chain_add(&check->chain, line, length);
	return r < 0 ? r : kri_chain_end(&check->chain);
}

/* One event against its row's hash and against the seal of that seq, if it has one. */
static void judge_event(struct kri_check *check, const struct kri_stored_event *event, sqlite3_stmt *row,
                        const struct kri_noted_seal *seal)
{
	const void *hash = sqlite3_column_blob(row, 14);
	bool has_hash = sqlite3_column_bytes(row, 14) == KRI_SHA256_SIZE;
	char text[KRI_HASH_TEXT];

	/* Written by a build without libcrypto; where anything was sealed it was not. */
	if (!check->chain.sha || (!has_hash && !check->result->event_seals && !check->named_count))
		return;
	kri_chain_text(&check->chain, text);
	if (!has_hash || memcmp(hash, check->chain.hash, KRI_SHA256_SIZE) != 0)
		kri_verify_broken(check, &check->result->bad_links, event->seq, event->t_wall_ns,
		                  "the chain of events is broken at event %" PRId64, event->seq);
	else if (seal && strcmp(seal->hash, text) != 0)
		kri_verify_broken(check, &check->result->bad_links, event->seq, event->t_wall_ns,
		                  "the events up to %" PRId64 " are not those that were sealed", event->seq);
	/* Go on from what is stored, so that one change is counted once. */
	if (has_hash)
		memcpy(check->chain.hash, hash, KRI_SHA256_SIZE);
}

static int check_events(struct kri_check *check, const struct kri_noted_seal *seals, int count)
{
	struct kri_stored_event event;
	sqlite3_stmt *rows;
	uint64_t epoch;
	bool bad;
	int at = 0, r, code = SQLITE_DONE;

	r = kri_sql_prepare(check->db, &rows,
	                    "SELECT seq, epoch, boot, t_boot_ns, t_wall_ns, trust, type, code, first_seq, last_seq,"
	                    " value_ns, name, text, crc, hash FROM event ORDER BY seq");
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		const struct kri_noted_seal *seal = NULL;

		kri_state_take_event(rows, &event, &epoch, &bad);
		if (!check->result->events++) {
			begin_chain(check, seals, count, event.seq);
			while (at < count && seals[at].number < event.seq)
				at++;
		}
		if (bad)
			kri_verify_broken(check, &check->result->bad_rows, event.seq, event.t_wall_ns,
			                  "wrong checksum of event %" PRId64, event.seq);
		if (strchr(event.name, '|'))
			kri_verify_broken(check, &check->result->bad_rows, event.seq, event.t_wall_ns,
			                  "event %" PRId64 " has a name that none can have", event.seq);
		for (; at < count && seals[at].number < event.seq; at++)
			kri_verify_broken(check, &check->result->bad_links, seals[at].number, 0,
			                  "event %" PRId64 ", up to which was sealed, is missing", seals[at].number);
		if (at < count && seals[at].number == event.seq)
			seal = &seals[at++];
		check->result->unsealed_events = seal ? 0 : check->result->unsealed_events + 1;
		r = chain_event(check, &event, epoch);
		if (r >= 0)
			judge_event(check, &event, rows, seal);
	}
	if (r >= 0)
		r = kri_sql_fail(check->db, code);
	sqlite3_finalize(rows);
	for (; r >= 0 && check->result->events && at < count; at++)
		kri_verify_broken(check, &check->result->bad_links, seals[at].number, 0,
		                  "event %" PRId64 ", up to which was sealed, is missing", seals[at].number);
	if (r >= 0 && !check->result->events && count)
		kri_verify_broken(check, &check->result->bad_links, seals[count - 1].number, 0,
		                  "all events are missing");
	return r;
}

/* What segments say of events is under the segments' seals. */
static void check_named(struct kri_check *check, const struct kri_noted_seal *seals, int count)
{
	const char *file = check->file;

	for (int i = 0; i < check->named_count; i++) {
		const struct kri_noted_seal *named = &check->named[i];
		int at = 0;

		/* Fewer of them are all there ever were, unless state.db was lost, and events with it: that is said. */
		if (count >= KRI_KEPT_AUDIT_SEALS && named->number < seals[0].number)
			continue;
		while (at < count && seals[at].number != named->number)
			at++;
		if (at < count && strcmp(seals[at].hash, named->hash) == 0)
			continue;
		check->file = named->file;
		kri_verify_broken(check, &check->result->bad_links, named->number, 0,
		                  "the seal of events up to %" PRId64 ", which it names, is missing in state.db",
		                  named->number);
		check->file = file;
	}
}

/* Of one that was damaged what was salvaged comes first. */
const struct kri_noted_seal *kri_verify_find_segment(const struct kri_check *check, int64_t number)
{
	for (int i = check->segment_count - 1; i >= 0; i--)
		if (check->segments[i].number == number)
			return &check->segments[i];
	return NULL;
}

/* Signed by any of the devices that are known here: it need not be the one that wrote the segment. */
static bool is_removal_signed(struct kri_check *check, sqlite3_stmt *row)
{
	char text[256];

	for (int i = 0; i < check->key_count; i++) {
		size_t length = kri_audit_removal_text(text, check->keys[i].device, sqlite3_column_int64(row, 0),
		                                       sqlite3_column_int64(row, 1), kri_sql_text(row, 4));

		if (verify_text(check->keys[i].key, text, length, kri_sql_text(row, 7)) >= 0)
			return true;
	}
	return false;
}

/* Outside what was taken out of a store, or removed by retention just now. */
bool kri_verify_may_be_away(struct kri_check *check, const char *path, int64_t number)
{
	sqlite3 *db = NULL;
	int64_t dropped = 0;
	char sql[100];

	if (check->part)
		return !check->segment_count || number < check->segments[0].number ||
		       number > check->segments[check->segment_count - 1].number;
	snprintf(sql, sizeof(sql), "SELECT dropped FROM seal WHERE first_seq=%" PRId64, number);
	if (kri_sql_open_to_read(&db, path) < 0 || kri_sql_int(db, sql, &dropped) < 0)
		dropped = 0;
	sqlite3_close_v2(db);
	return dropped != 0;
}

/* Its writer closed it after it, or its folder, was looked at, and it has that seal now. */
static bool was_sealed_meanwhile(const char *folder, int64_t number, const char *hash)
{
	char path[PATH_MAX], sql[160];
	sqlite3 *db = NULL;
	int64_t same = 0;

	kri_segment_path(folder, number, path, sizeof(path));
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM seal WHERE hash='%.64s'", hash);
	if (kri_sql_open_to_read(&db, path) < 0 || kri_sql_int(db, sql, &same) < 0)
		same = 0;
	sqlite3_close_v2(db);
	return same == 1;
}

/* Retention may have taken it since it was looked at. */
static bool is_there(const char *folder, int64_t number)
{
	char path[PATH_MAX];

	kri_segment_path(folder, number, path, sizeof(path));
	return access(path, F_OK) == 0;
}

/* Columns: first_seq, last_seq, epoch, device, hash, signature, dropped, removed. */
static void judge_segment_seal(struct kri_check *check, const char *folder, const char *path, sqlite3_stmt *row)
{
	int64_t number = sqlite3_column_int64(row, 0);
	const char *hash = kri_sql_text(row, 4);
	const struct kri_noted_seal *there = kri_verify_find_segment(check, number);
	uint64_t *bad = &check->result->bad_seals;
	struct kri_key *key = NULL;
	char text[256];
	size_t length;

	/* Where all segments of that device are gone nothing here tells its key. */
	if (kri_verify_key(check, kri_sql_text(row, 3), NULL, &key) >= 0) {
		length = kri_seal_text(text, kri_sql_text(row, 3), strtoull(kri_sql_text(row, 2), NULL, 16), number,
		                       sqlite3_column_int64(row, 1), hash);
		if (verify_text(key, text, length, kri_sql_text(row, 5)) < 0) {
			kri_verify_broken(check, bad, 0, 0, "the seal of segment %" PRId64 " is not good", number);
			return;
		}
		if (sqlite3_column_int(row, 6) && !is_removal_signed(check, row)) {
			kri_verify_broken(check, bad, 0, 0,
			                  "that segment %" PRId64 " was removed by retention is not signed", number);
			return;
		}
		kri_verify_anchor(check, number, hash);
	}
	if (sqlite3_column_int(row, 6) && (!there || !is_there(folder, number)))
		return;
	if (there ? there->damaged || (there->sealed && strcmp(there->hash, hash) == 0)
	          : kri_verify_may_be_away(check, path, number))
		return;
	if (!(there && there->sealed) && was_sealed_meanwhile(folder, number, hash))
		return;
	if (there)
		kri_verify_broken(check, bad, 0, 0, "segment %" PRId64 " is not the one that was sealed", number);
	else
		kri_verify_broken(check, &check->result->bad_links, 0, 0,
		                  is_there(folder, number) ? "segment %" PRId64 " is empty, and was sealed"
		                                           : "segment %" PRId64 " is missing",
		                  number);
}

static int check_segment_seals(struct kri_check *check, const char *folder, const char *path)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(check->db, &rows,
	                        "SELECT first_seq, last_seq, epoch, device, hash, signature, dropped, removed FROM seal"
	                        " WHERE signature<>'' ORDER BY first_seq"),
	    code = SQLITE_DONE;

	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW)
		judge_segment_seal(check, folder, path, rows);
	if (r >= 0)
		r = kri_sql_fail(check->db, code);
	sqlite3_finalize(rows);
	return r;
}

/* What is there besides the tables could be taken for evidence by whoever opens it with a shell. */
static int check_tables(struct kri_check *check, const char *name)
{
	int r = kri_state_check_tables(check->db, name, check->part);

	if (r != KRYOS_ECORRUPT)
		return r;
	kri_verify_broken(check, &check->result->bad_links, 0, 0, "its tables are not as they were made");
	return 0;
}

int kri_verify_state(struct kri_check *check, const char *folder, const char *name)
{
	struct kri_noted_seal *seals = NULL;
	char path[PATH_MAX];
	int count = 0, r;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	check->file = name;
	if (access(path, F_OK)) {
		kri_verify_broken(check, &check->result->bad_links, 0, 0, "is missing, and with it all events");
		return 0;
	}
	r = kri_sql_open_to_read(&check->db, path);
	if (r >= 0)
		r = kri_sql_exec(check->db, "BEGIN");
	if (r >= 0)
		r = check_tables(check, name);
	if (r >= 0)
		r = check_checksums(check);
	if (r >= 0)
		r = read_audit_seals(check, &seals, &count);
	if (r >= 0)
		r = check_events(check, seals, count);
	if (r >= 0) {
		check_named(check, seals, count);
		r = check_segment_seals(check, folder, path);
	}
	if (r >= 0)
		r = kri_verify_told(check);
	if (r >= 0)
		r = kri_verify_known_rows(check, folder, path);
	if (r == KRYOS_ECORRUPT) {
		kri_verify_broken(check, &check->result->bad_links, 0, 0, "%s", kri_verify_why(r, path));
		r = 0;
	}
	free(seals);
	sqlite3_close_v2(check->db);
	check->db = NULL;
	return r;
}
