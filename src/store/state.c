/* SPDX-License-Identifier: Apache-2.0 */
/* state.db: what changes after a sample was stored. Events form a chain of their own. */
#include "kept.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_BYTES (16 * 1024 * 1024)

#define TABLES_BEFORE                                                                                                  \
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;"            \
	"CREATE TABLE boot(boot INTEGER PRIMARY KEY, boot_id TEXT NOT NULL, offset_ns INTEGER, trust INTEGER,"         \
	" device_ns INTEGER NOT NULL, before_ns INTEGER, crc INTEGER NOT NULL);"
#define TABLES_OF_QUEUES                                                                                               \
	"CREATE TABLE queue(name TEXT PRIMARY KEY, samples TEXT NOT NULL, events TEXT NOT NULL,"                       \
	" acked INTEGER NOT NULL, rejected INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;"                     \
	"CREATE TABLE dead(id INTEGER PRIMARY KEY, queue TEXT NOT NULL, seq INTEGER NOT NULL, epoch TEXT NOT NULL,"    \
	" event INTEGER NOT NULL, reason TEXT NOT NULL);"
#define TABLES_AFTER                                                                                                   \
	"CREATE TABLE gap(id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,"              \
	" reason TEXT NOT NULL);"                                                                                      \
	"CREATE TABLE event(seq INTEGER PRIMARY KEY, epoch TEXT NOT NULL, boot INTEGER NOT NULL,"                      \
	" t_boot_ns INTEGER NOT NULL, t_wall_ns INTEGER NOT NULL, trust INTEGER NOT NULL, type INTEGER NOT NULL,"      \
	" code INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, value_ns INTEGER NOT NULL,"    \
	" name TEXT NOT NULL, text TEXT NOT NULL, crc INTEGER NOT NULL, hash BLOB);"                                   \
	"CREATE TABLE seal(first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, epoch TEXT NOT NULL,"             \
	" device TEXT NOT NULL, hash TEXT NOT NULL, signature TEXT NOT NULL, bytes INTEGER NOT NULL,"                  \
	" last_wall_ns INTEGER NOT NULL, last_trust INTEGER NOT NULL, samples INTEGER NOT NULL,"                       \
	" dropped INTEGER NOT NULL, removed TEXT NOT NULL, crc INTEGER NOT NULL);"                                     \
	"CREATE TABLE audit_seal(last_seq INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, device TEXT NOT NULL,"      \
	" public_key TEXT NOT NULL, hash TEXT NOT NULL, signature TEXT NOT NULL, crc INTEGER NOT NULL);"               \
	"CREATE TABLE channel(segment INTEGER NOT NULL, channel INTEGER NOT NULL, since INTEGER NOT NULL,"             \
	" name TEXT NOT NULL, unit TEXT NOT NULL, place TEXT NOT NULL, crc INTEGER NOT NULL,"                          \
	" PRIMARY KEY(segment, channel)) WITHOUT ROWID;"                                                               \
	"CREATE TABLE state(key TEXT PRIMARY KEY, seq INTEGER NOT NULL, bytes BLOB NOT NULL,"                          \
	" crc INTEGER NOT NULL) WITHOUT ROWID;"

#define TABLES TABLES_BEFORE TABLES_OF_QUEUES TABLES_AFTER

static const char schema[] = "BEGIN;" TABLES "INSERT INTO meta VALUES('format','1',row_crc('meta','format','1'));"
			     "PRAGMA user_version=1;";

int kri_state_check_tables(sqlite3 *db, const char *path, bool part)
{
	return kri_sql_check_tables(db, path, part ? TABLES_BEFORE TABLES_AFTER : TABLES);
}

/*
 * A flipped bit in a value is none to SQLite. Here it could remove a segment, or let a queue owe too little: a row
 * whose checksum is wrong is taken for lost, and made again from what the segments say.
 */
#define BAD_META "FROM meta WHERE crc IS NOT row_crc('meta',key,value)"
#define BAD_BOOT "FROM boot WHERE crc IS NOT row_crc('boot',boot,boot_id,offset_ns,trust,device_ns,before_ns)"
#define BAD_QUEUE "FROM queue WHERE crc IS NOT row_crc('queue',name,samples,events,acked,rejected)"
#define BAD_SEAL                                                                                                       \
	"FROM seal WHERE crc IS NOT row_crc('seal',first_seq,last_seq,epoch,device,hash,signature,bytes,last_wall_ns," \
	"last_trust,samples,dropped,removed)"

#define BAD_STATE "FROM state WHERE crc IS NOT " KRI_KEPT_CRC

/* A cut must not make what is lost, and not made again yet, look as if it had never been. */
#define UNMENDED(how) "INSERT OR REPLACE INTO meta VALUES('unmended','" how "',row_crc('meta','unmended','" how "'))"

static int scrub(struct kri_state *state)
{
	int r = kri_sql_int(state->db,
	                    "SELECT (SELECT count(*) " BAD_META ") + (SELECT count(*) " BAD_BOOT
	                    ") + (SELECT count(*) " BAD_QUEUE ") + (SELECT count(*) " BAD_SEAL
	                    ") + (SELECT count(*) " BAD_STATE ")",
	                    &state->bad_rows);

	if (r < 0 || !state->bad_rows)
		return r;
	return kri_sql_exec(state->db, "BEGIN; DELETE " BAD_META "; DELETE " BAD_BOOT "; DELETE " BAD_QUEUE
	                               "; DELETE " BAD_SEAL "; DELETE " BAD_STATE "; " UNMENDED("lost") "; COMMIT");
}

static int wal_grew(void *data, sqlite3 *db, const char *name, int frames)
{
	(void)db;
	(void)name;
	((struct kri_state *)data)->wal_frames = frames;
	return SQLITE_OK;
}

void kri_state_close(struct kri_state *state)
{
	if (!state)
		return;
	sqlite3_finalize(state->insert_event);
	sqlite3_finalize(state->put_queue);
	sqlite3_finalize(state->insert_dead);
	sqlite3_finalize(state->insert_gap);
	sqlite3_finalize(state->put_boot);
	sqlite3_finalize(state->put_seal);
	sqlite3_finalize(state->put_meta);
	sqlite3_close_v2(state->db);
	kri_chain_free(&state->chain);
	free(state);
}

static int prepare(struct kri_state *state)
{
	struct {
		sqlite3_stmt **statement;
		const char *sql;
	} all[] = {
		{ &state->insert_event, "INSERT INTO event VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)" },
		{ &state->put_queue,
		  "INSERT OR REPLACE INTO queue VALUES(?1,?2,?3,?4,?5,row_crc('queue',?1,?2,?3,?4,?5))" },
		{ &state->insert_dead, "INSERT INTO dead(queue,seq,epoch,event,reason) VALUES(?,?,?,?,?)" },
		{ &state->insert_gap, "INSERT INTO gap(first_seq,last_seq,reason) VALUES(?,?,?)" },
		{ &state->put_boot,
		  "INSERT OR REPLACE INTO boot VALUES(?1,?2,?3,?4,?5,?6,row_crc('boot',?1,?2,?3,?4,?5,?6))" },
		{ &state->put_seal, "INSERT OR REPLACE INTO seal VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,0,'',"
		                    "row_crc('seal',?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,0,''))" },
		{ &state->put_meta, "INSERT OR REPLACE INTO meta VALUES(?1,?2,row_crc('meta',?1,?2))" },
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < KRI_ARRAY_SIZE(all); i++)
		r = kri_sql_prepare(state->db, all[i].statement, all[i].sql);
	sqlite3_wal_hook(state->db, wal_grew, state);
	return r;
}

static int read_chain(struct kri_state *state)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(state->db, &row, "SELECT hash FROM event ORDER BY seq DESC LIMIT 1"), code;

	if (r < 0)
		return r;
	code = sqlite3_step(row);
	if (code == SQLITE_ROW && sqlite3_column_bytes(row, 0) == KRI_SHA256_SIZE)
		memcpy(state->chain.hash, sqlite3_column_blob(row, 0), KRI_SHA256_SIZE);
	r = kri_sql_fail(state->db, code);
	sqlite3_finalize(row);
	return r;
}

int kri_state_open(struct kri_state **ret_state, const char *folder, bool first, bool aside)
{
	struct kri_state *state = calloc(1, sizeof(*state));
	int64_t version = 0, tables = 0;
	char how[8] = "";
	char path[PATH_MAX];
	int r;

	if (!state)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/state.db", folder);
	r = kri_chain_new(&state->chain);
	kri_sql_free_shm(path);
	if (r >= 0)
		r = kri_sql_open(&state->db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (r >= 0)
		r = kri_sql_exec(state->db, "PRAGMA page_size=512; PRAGMA cache_size=-128; PRAGMA temp_store=MEMORY;"
		                            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		                            "PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=ON;");
	if ((r >= 0 || r == -EROFS) && kri_sql_check_writable(state->db, path) < 0)
		r = KRYOS_ECORRUPT;
	if (r >= 0)
		r = kri_sql_int(state->db, "SELECT count(*) FROM sqlite_master", &tables);
	if (r >= 0)
		r = kri_sql_int(state->db, "PRAGMA user_version", &version);
	if (r >= 0 && version <= 0 && tables)
		r = kryos_fail(KRYOS_ECORRUPT, "%s: its header names no version", path);
	if (r >= 0 && version > KRI_STORE_FORMAT)
		r = kryos_fail(KRYOS_EFORMAT, "%s: format %" PRId64 "; this version writes %d", path, version,
		               KRI_STORE_FORMAT);
	/*
	 * All of it while it is small, as it nearly always is: what is damaged in a table that is read later, as a
	 * queue's, would keep that queue from opening for ever. Where events have piled up it would take too long.
	 */
	if (r >= 0 && version > 0 && kri_db_bytes(path) <= CHECK_BYTES)
		r = kri_sql_check_pages(state->db, path);
	if (r >= 0 && version > 0)
		r = kri_state_check_tables(state->db, path, false);
	if (r >= 0 && version <= 0) {
		r = kri_sql_exec(state->db, schema);
		if (r >= 0)
			r = kri_sql_exec(state->db, aside   ? UNMENDED("aside") "; COMMIT"
			                            : first ? "COMMIT"
			                                    : UNMENDED("lost") "; COMMIT");
		state->created = true;
	} else if (r >= 0) {
		r = scrub(state);
	}
	if (r >= 0)
		r = prepare(state);
	if (r >= 0) {
		r = kri_state_get_meta(state, "unmended", how, sizeof(how));
		state->unmended = r >= 0;
		state->aside = strcmp(how, "aside") == 0;
		state->torn = strcmp(how, "torn") == 0;
		r = r == -ENOENT ? 0 : r;
	}
	if (r >= 0)
		r = read_chain(state);
	if (r < 0)
		kri_state_close(state);
	else
		*ret_state = state;
	return r;
}

int kri_state_get_meta(struct kri_state *state, const char *key, char *value, size_t size)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(state->db, &row, "SELECT value FROM meta WHERE key=?"), code;

	if (r < 0)
		return r;
	kri_sql_bind_text(row, 1, key);
	code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		snprintf(value, size, "%s", kri_sql_text(row, 0));
	else
		r = code == SQLITE_DONE ? -ENOENT : kri_sql_fail(state->db, code);
	sqlite3_finalize(row);
	return r;
}

int kri_state_put_meta(struct kri_state *state, const char *key, const char *value)
{
	kri_sql_bind_text(state->put_meta, 1, key);
	kri_sql_bind_text(state->put_meta, 2, value);
	return kri_sql_run(state->put_meta);
}

int kri_state_note_unmended(struct kri_state *state, const char *how)
{
	int r = state->unmended ? 0 : kri_state_put_meta(state, "unmended", how);

	state->unmended |= r >= 0;
	return r;
}

size_t kri_event_text(const struct kri_stored_event *event, uint64_t epoch, char text[KRI_LINE_MAX + 1024])
{
	return (size_t)snprintf(text, KRI_LINE_MAX + 1000,
	                        "event|%" PRId64 "|%016" PRIx64 "|%" PRIu32 "|%" PRId64 "|%" PRId64 "|%u|%d|%d|%" PRId64
	                        "|%" PRId64 "|%" PRId64 "|%s|%s",
	                        event->seq, epoch, event->boot, event->t_boot_ns, event->t_wall_ns, event->trust,
	                        (int)event->type, event->code, event->first_seq, event->last_seq, event->value_ns,
	                        event->name, event->text);
}

int kri_state_put_event(struct kri_state *state, const struct kri_stored_event *event, uint64_t epoch)
{
	char line[KRI_LINE_MAX + 1024], epoch_text[17];
	sqlite3_stmt *insert = state->insert_event;
	size_t length = kri_event_text(event, epoch, line);
	uint32_t crc;
	int r;

	length = kri_text_end(line, length, kri_epoch_crc(epoch), &crc);
	r = kri_chain_begin(&state->chain, false);
	if (r >= 0)
		r = kri_chain_add(&state->chain, line, length);
	if (r >= 0)
		r = kri_chain_end(&state->chain);
	if (r < 0)
		return r;
	kri_epoch_text(epoch, epoch_text);
	sqlite3_bind_int64(insert, 1, event->seq);
	kri_sql_bind_text(insert, 2, epoch_text);
	sqlite3_bind_int64(insert, 3, event->boot);
	sqlite3_bind_int64(insert, 4, event->t_boot_ns);
	sqlite3_bind_int64(insert, 5, event->t_wall_ns);
	sqlite3_bind_int64(insert, 6, event->trust);
	sqlite3_bind_int64(insert, 7, event->type);
	sqlite3_bind_int64(insert, 8, event->code);
	sqlite3_bind_int64(insert, 9, event->first_seq);
	sqlite3_bind_int64(insert, 10, event->last_seq);
	sqlite3_bind_int64(insert, 11, event->value_ns);
	kri_sql_bind_text(insert, 12, event->name);
	kri_sql_bind_text(insert, 13, event->text);
	sqlite3_bind_int64(insert, 14, crc);
	if (state->chain.sha)
		sqlite3_bind_blob(insert, 15, state->chain.hash, KRI_SHA256_SIZE, SQLITE_TRANSIENT);
	state->unsealed |= !kri_audit_is_own(event);
	return kri_sql_run(insert);
}

int kri_state_put_boot(struct kri_state *state, const struct kri_boot *boot, const char *boot_id)
{
	sqlite3_bind_int64(state->put_boot, 1, boot->boot);
	kri_sql_bind_text(state->put_boot, 2, boot_id);
	if (boot->trust >= KRYOS_TRUST_RTC) {
		sqlite3_bind_int64(state->put_boot, 3, boot->offset_ns);
		sqlite3_bind_int64(state->put_boot, 4, boot->trust);
	}
	sqlite3_bind_int64(state->put_boot, 5, boot->device_ns);
	if (boot->before_ns)
		sqlite3_bind_int64(state->put_boot, 6, boot->before_ns);
	return kri_sql_run(state->put_boot);
}

int kri_state_put_gap(struct kri_state *state, int64_t first_seq, int64_t last_seq, const char *reason)
{
	sqlite3_bind_int64(state->insert_gap, 1, first_seq);
	sqlite3_bind_int64(state->insert_gap, 2, last_seq);
	kri_sql_bind_text(state->insert_gap, 3, reason);
	return kri_sql_run(state->insert_gap);
}

int kri_state_drop_queue(struct kri_state *state, const char *name)
{
	char sql[160];

	snprintf(sql, sizeof(sql), "DELETE FROM queue WHERE name='%s'; DELETE FROM dead WHERE queue='%s'", name, name);
	return kri_sql_exec(state->db, sql);
}

int kri_state_put_seal(struct kri_state *state, const struct kri_seal *seal)
{
	char epoch_text[17];

	kri_epoch_text(seal->epoch, epoch_text);
	sqlite3_bind_int64(state->put_seal, 1, seal->first_seq);
	sqlite3_bind_int64(state->put_seal, 2, seal->last_seq);
	kri_sql_bind_text(state->put_seal, 3, epoch_text);
	kri_sql_bind_text(state->put_seal, 4, seal->device);
	kri_sql_bind_text(state->put_seal, 5, seal->hash);
	kri_sql_bind_text(state->put_seal, 6, seal->signature);
	sqlite3_bind_int64(state->put_seal, 7, seal->bytes);
	sqlite3_bind_int64(state->put_seal, 8, seal->last_wall_ns);
	sqlite3_bind_int64(state->put_seal, 9, seal->last_trust);
	sqlite3_bind_int64(state->put_seal, 10, seal->samples);
	return kri_sql_run(state->put_seal);
}

int kri_state_drop_seal(struct kri_state *state, int64_t first_seq, const char *removed)
{
	char sql[480];

	/* What has channels is to be there (missing.c). */
	snprintf(sql, sizeof(sql),
	         "UPDATE seal SET dropped=1, removed='%s', crc=row_crc('seal',first_seq,last_seq,epoch,device,hash,"
	         "signature,bytes,last_wall_ns,last_trust,samples,1,'%s') WHERE first_seq=%" PRId64
	         "; DELETE FROM channel WHERE segment=%" PRId64,
	         removed, removed, first_seq, first_seq);
	return kri_sql_exec(state->db, sql);
}

int kri_state_count_events(struct kri_state *state, int64_t first, int64_t last, int64_t *ret_count)
{
	char sql[120];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM event WHERE seq BETWEEN %" PRId64 " AND %" PRId64, first,
	         last);
	return kri_sql_int(state->db, sql, ret_count);
}

/* The newest event's seq; one whose checksum is wrong may have any. */
static int newest_event(struct kri_state *state, int64_t *ret_seq)
{
	struct kri_stored_event event;
	sqlite3_stmt *rows;
	bool bad = true;
	uint64_t epoch;
	int r = kri_sql_prepare(state->db, &rows, KRI_SELECT_EVENTS " ORDER BY seq DESC LIMIT 100"), code = SQLITE_DONE;

	*ret_seq = 0;
	if (r < 0)
		return r;
	while (bad && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		kri_state_take_event(rows, &event, &epoch, &bad);
		bad |= event.seq < 1 || event.seq > KRI_MAX_SEQ;
	}
	if (!bad)
		*ret_seq = event.seq;
	r = bad ? kri_sql_fail(state->db, code) : 0;
	sqlite3_finalize(rows);
	return r;
}

int kri_state_newest_seq(struct kri_state *state, int64_t *ret_seq)
{
	char text[32] = "";
	int64_t closed;
	int64_t sealed = 0;
	sqlite3_stmt *rows;
	int r, code;

	r = newest_event(state, ret_seq);
	if (r >= 0)
		r = kri_state_get_meta(state, "closed", text, sizeof(text));
	closed = strtoll(text, NULL, 10);
	if (closed > *ret_seq && closed <= KRI_MAX_SEQ)
		*ret_seq = closed;
	if (r == -ENOENT)
		r = 0;
	if (r >= 0)
		r = kri_sql_int(
			state->db,
			"SELECT coalesce(max(last_seq),0) FROM seal WHERE last_seq <= 9007199254740992" /* KRI_MAX_SEQ
		                                                                                         */
			,
			&sealed);
	if (r >= 0)
		r = kri_sql_prepare(state->db, &rows, "SELECT samples FROM queue UNION ALL SELECT events FROM queue");
	if (r < 0)
		return r;
	if (sealed > *ret_seq)
		*ret_seq = sealed;
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		struct kri_ranges owed = { .runs = NULL };
		const struct kri_run *last;

		r = kri_ranges_parse(&owed, kri_sql_text(rows, 0));
		last = r >= 0 && owed.count ? &owed.runs[owed.count - 1] : NULL;
		/* What comes next is always owed: the last run has no end, and begins behind what is no more. */
		if (last && last->last == INT64_MAX && last->first - 1 > *ret_seq && last->first <= KRI_MAX_SEQ)
			*ret_seq = last->first - 1;
		kri_ranges_clear(&owed);
	}
	if (r >= 0)
		r = kri_sql_fail(state->db, code);
	sqlite3_finalize(rows);
	return r;
}

/* A wrong name must not get a right checksum here. */
static bool is_good_channel(const struct kri_segment *segment, sqlite3_stmt *row)
{
	char line[KRI_LINE_MAX];
	int length = snprintf(line, sizeof(line), "channel|%" PRIu32 "|%" PRId64 "|%s|%s|%s",
	                      (uint32_t)sqlite3_column_int64(row, 0), (int64_t)sqlite3_column_int64(row, 1),
	                      kri_sql_text(row, 2), kri_sql_text(row, 3), kri_sql_text(row, 4));

	return length < (int)sizeof(line) &&
	       kri_text_crc(segment->epoch_crc, line, (size_t)length) == (uint32_t)sqlite3_column_int64(row, 5);
}

int kri_state_put_channels(struct kri_state *state, struct kri_segment *segment, uint32_t after)
{
	sqlite3_stmt *rows = NULL, *put = NULL;
	int r, code = SQLITE_DONE;

	r = kri_sql_prepare(segment->db, &rows,
	                    "SELECT channel, since, name, unit, place, crc FROM channel WHERE channel > ?");
	segment->unreadable = r == KRYOS_ECORRUPT || r == -EIO;
	if (r >= 0)
		r = kri_sql_prepare(state->db, &put,
		                    "INSERT OR REPLACE INTO channel VALUES(?1,?2,?3,?4,?5,?6,"
		                    "row_crc('channel',?1,?2,?3,?4,?5,?6))");
	if (r >= 0)
		sqlite3_bind_int64(rows, 1, after);
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		if (!is_good_channel(segment, rows))
			continue;
		sqlite3_bind_int64(put, 1, segment->first_seq);
		for (int i = 0; i < 5; i++)
			sqlite3_bind_value(put, i + 2, sqlite3_column_value(rows, i));
		r = kri_sql_run(put);
	}
	if (r >= 0) {
		r = kri_sql_fail(segment->db, code);
		/* As where a constant statement does not compile: it is compiled again when the schema has changed. */
		if ((code & 0xff) == SQLITE_ERROR)
			r = kryos_fail(KRYOS_ECORRUPT, "%s: its tables are not as they were made", segment->path);
		segment->unreadable = r == KRYOS_ECORRUPT || r == -EIO;
	}
	sqlite3_finalize(rows);
	sqlite3_finalize(put);
	return r;
}

bool kri_state_has_channels(struct kri_state *state, int64_t segment)
{
	int64_t count = 0;
	char sql[160];

	snprintf(sql, sizeof(sql),
	         "SELECT count(*) FROM channel WHERE segment=%" PRId64
	         " AND crc IS row_crc('channel',segment,channel,since,name,unit,place)",
	         segment);
	return kri_sql_int(state->db, sql, &count) >= 0 && count;
}

int kri_state_checkpoint(struct kri_state *state)
{
	int frames = 0, done = 0, code;

	code = sqlite3_wal_checkpoint_v2(state->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
	state->held_frames = state->wal_frames;
	if (code != SQLITE_OK && code != SQLITE_BUSY)
		return kri_sql_fail(state->db, code);
	if (done == frames)
		state->wal_frames = 0;
	return 0;
}

/* SQLite takes any value in any column: what is stored must be what was read, not only begin like it. */
static bool is_as_read(sqlite3_stmt *row, const struct kri_stored_event *event, uint64_t epoch)
{
	const int64_t read[] = { event->boot, event->t_boot_ns, event->t_wall_ns, event->trust,   (int64_t)event->type,
		                 event->code, event->first_seq, event->last_seq,  event->value_ns };
	char text[20];

	for (int i = 0; i < (int)KRI_ARRAY_SIZE(read); i++)
		if (sqlite3_column_type(row, 2 + i) != SQLITE_INTEGER || sqlite3_column_int64(row, 2 + i) != read[i])
			return false;
	snprintf(text, sizeof(text), "%016" PRIx64, epoch);
	return strcmp(text, kri_sql_text(row, 1)) == 0 &&
	       (size_t)sqlite3_column_bytes(row, 11) == strlen(event->name) &&
	       (size_t)sqlite3_column_bytes(row, 12) == strlen(event->text);
}

void kri_state_take_event(sqlite3_stmt *row, struct kri_stored_event *event, uint64_t *ret_epoch, bool *ret_bad)
{
	char line[KRI_LINE_MAX + 1024];
	size_t length;

	memset(event, 0, sizeof(*event));
	event->seq = sqlite3_column_int64(row, 0);
	*ret_epoch = strtoull(kri_sql_text(row, 1), NULL, 16);
	event->boot = (uint32_t)sqlite3_column_int64(row, 2);
	event->t_boot_ns = sqlite3_column_int64(row, 3);
	event->t_wall_ns = sqlite3_column_int64(row, 4);
	event->trust = (uint16_t)sqlite3_column_int64(row, 5);
	event->type = (enum kryos_event_type)sqlite3_column_int(row, 6);
	event->code = sqlite3_column_int(row, 7);
	event->first_seq = sqlite3_column_int64(row, 8);
	event->last_seq = sqlite3_column_int64(row, 9);
	event->value_ns = sqlite3_column_int64(row, 10);
	snprintf(event->name, sizeof(event->name), "%s", kri_sql_text(row, 11));
	snprintf(event->text, sizeof(event->text), "%s", kri_sql_text(row, 12));
	length = kri_event_text(event, *ret_epoch, line);
	*ret_bad = kri_text_crc(kri_epoch_crc(*ret_epoch), line, length) != sqlite3_column_int64(row, 13) ||
	           !is_as_read(row, event, *ret_epoch);
}

void kri_state_event_record(const struct kri_stored_event *stored, uint64_t epoch, const char *device,
                            struct kryos_event *ret_event, struct kryos_record *ret_record)
{
	*ret_event = (struct kryos_event){ .size = sizeof(*ret_event),
		                           .type = stored->type,
		                           .code = stored->code,
		                           .name = stored->name,
		                           .text = stored->text,
		                           .first_seq = stored->first_seq,
		                           .last_seq = stored->last_seq,
		                           .value_ns = stored->value_ns };
	*ret_record = (struct kryos_record){ .size = sizeof(*ret_record),
		                             .stream = KRYOS_STREAM_EVENTS,
		                             .epoch = epoch,
		                             .seq = stored->seq,
		                             .device = device,
		                             .channel = "",
		                             .unit = "",
		                             .place = "",
		                             .event = ret_event,
		                             .device_ns = -1,
		                             .sample = { .t_boot_ns = stored->t_boot_ns,
		                                         .t_wall_ns = stored->t_wall_ns,
		                                         .seq = stored->seq,
		                                         .boot = stored->boot,
		                                         .trust = stored->trust } };
}

int kri_state_read_events(const char *folder, int64_t from_seq, struct kri_stored_event *events, int count,
                          uint64_t *ret_epochs, bool *ret_bad)
{
	sqlite3_stmt *rows = NULL;
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int r, code = SQLITE_DONE, got = 0;

	snprintf(path, sizeof(path), "%s/state.db", folder);
	r = kri_sql_open_to_read(&db, path);
	if (r >= 0)
		r = kri_sql_prepare(db, &rows, KRI_SELECT_EVENTS " WHERE seq >= ? ORDER BY seq LIMIT ?");
	if (r >= 0) {
		sqlite3_bind_int64(rows, 1, from_seq);
		sqlite3_bind_int64(rows, 2, count);
		while (r >= 0 && got < count && (code = sqlite3_step(rows)) == SQLITE_ROW) {
			kri_state_take_event(rows, &events[got], &ret_epochs[got], &ret_bad[got]);
			if (events[got].seq < from_seq || events[got].seq > KRI_MAX_SEQ)
				r = kryos_fail(KRYOS_ECORRUPT, "state.db: event %" PRId64 " is out of order",
				               events[got].seq);
			from_seq = events[got++].seq + (r >= 0);
		}
		if (r >= 0 && code != SQLITE_ROW && code != SQLITE_DONE)
			r = kri_sql_fail(db, code);
	}
	sqlite3_finalize(rows);
	sqlite3_close_v2(db);
	return r < 0 ? r : got;
}
