/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segment that is written:
 *
 *     create -> (begin declare* add* commit)* -> [checkpoint]* -> seal, or close and later open -> seal
 *
 * Each commit is one transaction and one sync of the WAL. Its last row carries the chain's hash.
 */
#include "private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * 512-byte pages cost the fewest bytes for commits of one round (measured: 5.2 KB against 8.7 KB). Where a row moves to
 * another page nothing of it stays behind, for salvage to find twice: Debian's SQLite is built to see to that,
 * Buildroot's is not.
 */
static const char pragmas[] = "PRAGMA page_size=512; PRAGMA cache_size=-128; PRAGMA temp_store=MEMORY;"
			      "PRAGMA secure_delete=ON;";
static const char wal_pragmas[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;";

#define TABLES                                                                                                         \
	"CREATE TABLE header(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"                                \
	"CREATE TABLE boot(boot INTEGER PRIMARY KEY, since INTEGER NOT NULL, boot_id TEXT NOT NULL, crc INTEGER NOT "  \
	"NULL);"                                                                                                       \
	"CREATE TABLE channel(channel INTEGER PRIMARY KEY, since INTEGER NOT NULL, name TEXT NOT NULL,"                \
	" unit TEXT NOT NULL, place TEXT NOT NULL, crc INTEGER NOT NULL);"                                             \
	"CREATE TABLE sample(seq INTEGER PRIMARY KEY, channel INTEGER NOT NULL, boot INTEGER NOT NULL,"                \
	" round INTEGER NOT NULL, t_boot_ns INTEGER NOT NULL, t_wall_ns INTEGER NOT NULL, trust INTEGER NOT NULL,"     \
	" quality INTEGER NOT NULL, value_micro INTEGER NOT NULL, alarm INTEGER NOT NULL, crc INTEGER NOT NULL, hash " \
	"BLOB);"                                                                                                       \
	"CREATE TABLE seal(first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, hash TEXT NOT NULL,"                 \
	" signature TEXT NOT NULL);"

static const char schema[] = "PRAGMA application_id=1263688015;" /* KRI_APPLICATION_ID */
			     "BEGIN;"
			     "PRAGMA user_version=1;" /* KRI_STORE_FORMAT */
	TABLES;

static int wal_grew(void *data, sqlite3 *db, const char *name, int frames)
{
	struct kri_segment *segment = data;

	(void)db;
	(void)name;
	segment->wal_frames = frames;
	return SQLITE_OK;
}

void kri_segment_close(struct kri_segment *segment)
{
	if (!segment)
		return;
	sqlite3_finalize(segment->insert);
	sqlite3_finalize(segment->insert_channel);
	sqlite3_finalize(segment->insert_boot);
	sqlite3_finalize(segment->begin);
	sqlite3_finalize(segment->commit);
	sqlite3_close_v2(segment->db);
	kri_chain_free(&segment->chain);
	free(segment->channels);
	free(segment->path);
	free(segment);
}

static int new_segment(struct kri_segment **ret_segment, const char *path, int64_t first_seq)
{
	struct kri_segment *segment = calloc(1, sizeof(*segment));
	int r = -ENOMEM;

	if (!segment)
		return r;
	segment->first_seq = first_seq;
	segment->last_seq = first_seq - 1;
	segment->path = strdup(path);
	if (segment->path)
		r = kri_chain_new(&segment->chain);
	if (r < 0)
		kri_segment_close(segment);
	else
		*ret_segment = segment;
	return r;
}

static int prepare(struct kri_segment *segment)
{
	int r;

	r = kri_sql_prepare(segment->db, &segment->insert, "INSERT INTO sample VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
	if (r >= 0)
		r = kri_sql_prepare(segment->db, &segment->insert_channel, "INSERT INTO channel VALUES(?,?,?,?,?,?)");
	if (r >= 0)
		r = kri_sql_prepare(segment->db, &segment->insert_boot, "INSERT INTO boot VALUES(?,?,?,?)");
	if (r >= 0)
		r = kri_sql_prepare(segment->db, &segment->begin, "BEGIN IMMEDIATE");
	if (r >= 0)
		r = kri_sql_prepare(segment->db, &segment->commit, "COMMIT");
	sqlite3_wal_hook(segment->db, wal_grew, segment);
	segment->epoch_crc = kri_epoch_crc(segment->epoch);
	return r;
}

/* The header is what the chain begins with: "header|key|value" lines in order of key. */
static int chain_header(struct kri_chain *chain, sqlite3 *db)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(db, &rows, "SELECT 'header|'||key||'|'||value||char(10) FROM header ORDER BY key"),
	    code;

	if (r < 0)
		return r;
	r = kri_chain_begin(chain, true);
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW)
		r = kri_chain_add(chain, kri_sql_text(rows, 0), (size_t)sqlite3_column_bytes(rows, 0));
	if (r >= 0)
		r = kri_sql_fail(db, code);
	if (r >= 0)
		r = kri_chain_end(chain);
	sqlite3_finalize(rows);
	return r;
}

int kri_segment_make_tables(sqlite3 *db, const char *mode)
{
	int r = kri_sql_exec(db, pragmas);

	if (r >= 0)
		r = kri_sql_exec(db, mode);
	if (r >= 0)
		r = kri_sql_exec(db, schema);
	return r < 0 ? r : kri_sql_exec(db, "COMMIT");
}

int kri_segment_create(struct kri_segment **ret_segment, const char *path, int64_t first_seq, uint64_t epoch,
                       const char *device, const struct kri_header_entry *entries, size_t count)
{
	struct kri_segment *segment = NULL;
	sqlite3_stmt *insert = NULL;
	int r;

	r = new_segment(&segment, path, first_seq);
	if (r < 0)
		return r;
	segment->epoch = epoch;
	segment->in_wal = true;
	strncpy(segment->device, device, sizeof(segment->device) - 1);
	r = kri_sql_open(&segment->db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (r >= 0)
		r = kri_sql_exec(segment->db, pragmas);
	if (r >= 0)
		r = kri_sql_exec(segment->db, wal_pragmas);
	if (r >= 0)
		r = kri_sql_exec(segment->db, schema);
	if (r >= 0)
		/* What a damaged state.db says twice must not keep samples from the disk. */
		r = kri_sql_prepare(segment->db, &insert, "INSERT OR IGNORE INTO header VALUES(?,?)");
	for (size_t i = 0; r >= 0 && i < count; i++) {
		kri_sql_bind_text(insert, 1, entries[i].key);
		kri_sql_bind_text(insert, 2, entries[i].value);
		r = kri_sql_run(insert);
	}
	sqlite3_finalize(insert);
	if (r >= 0)
		r = chain_header(&segment->chain, segment->db);
	if (r >= 0)
		r = kri_sql_exec(segment->db, "COMMIT");
	if (r >= 0)
		r = prepare(segment);
	if (r < 0) {
		kri_segment_close(segment);
		return r;
	}
	segment->db_bytes = kri_file_bytes(path);
	*ret_segment = segment;
	return 0;
}

static int read_header(struct kri_segment *segment)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(segment->db, &rows, "SELECT key, value FROM header"), code;

	if (r < 0)
		return r;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		const char *key = kri_sql_text(rows, 0), *value = kri_sql_text(rows, 1);

		if (strcmp(key, "epoch") == 0)
			segment->epoch = strtoull(value, NULL, 16);
		else if (strcmp(key, "ring") == 0)
			segment->ring = true;
		else if (strcmp(key, "device") == 0)
			snprintf(segment->device, sizeof(segment->device), "%s", value);
	}
	r = kri_sql_fail(segment->db, code);
	sqlite3_finalize(rows);
	if (r >= 0 && !segment->epoch)
		r = kryos_fail(KRYOS_ECORRUPT, "%s: its header names no epoch", segment->path);
	return r;
}

int kri_segment_map_channel(struct kri_segment *segment, uint32_t channel, uint32_t own)
{
	uint32_t *channels, slots = segment->channel_slots;

	if (channel >= slots) {
		slots = channel + 16;
		channels = realloc(segment->channels, slots * sizeof(*channels));
		if (!channels)
			return -ENOMEM;
		memset(channels + segment->channel_slots, 0, (slots - segment->channel_slots) * sizeof(*channels));
		segment->channels = channels;
		segment->channel_slots = slots;
	}
	segment->channels[channel] = own;
	return 0;
}

static int read_channels(struct kri_segment *segment, struct kryos_ctx *ctx)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(segment->db, &rows, "SELECT channel, name, unit FROM channel ORDER BY channel"), code;
	uint32_t channel;

	if (r < 0)
		return r;
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		segment->channel_count = (uint32_t)sqlite3_column_int64(rows, 0);
		/* A channel whose unit has changed since gets a new number when it is used next. */
		if (kryos_channel_add(ctx, kri_sql_text(rows, 1), kri_sql_text(rows, 2), &channel) >= 0)
			r = kri_segment_map_channel(segment, channel, segment->channel_count);
	}
	if (r >= 0)
		r = kri_sql_fail(segment->db, code);
	sqlite3_finalize(rows);
	return r;
}

/* A restart does not make a segment younger: what its samples span counts, as far as their stamps can be believed. */
static int read_age(struct kri_segment *segment)
{
	int64_t first = 0;
	int r;

	if (segment->last_trust < KRYOS_TRUST_RTC || segment->last_seq < segment->first_seq)
		return 0;
	r = kri_sql_int(segment->db,
	                "SELECT CASE WHEN trust >= 2 THEN t_wall_ns ELSE 0 END FROM sample ORDER BY seq LIMIT 1",
	                &first);
	if (r >= 0 && first && segment->last_wall_ns > first)
		segment->age_ns = kri_ns_subtract(segment->last_wall_ns, first);
	return r;
}

static int read_seal(struct kri_segment *segment)
{
	int64_t seals = 0;
	int r = kri_sql_int(segment->db, "SELECT count(*) FROM seal", &seals);

	segment->sealed = seals > 0;
	return r;
}

/*
 * The last row's stamps become the floor of the clock, which never goes back, and its seq says where new rows go: with
 * a flipped bit in it, behind a row that is not there.
 */
static int take_end(struct kri_segment *segment, sqlite3_stmt *row)
{
	struct kri_row end = { .seq = sqlite3_column_int64(row, 0),
		               .t_wall_ns = sqlite3_column_int64(row, 1),
		               .trust = (uint16_t)sqlite3_column_int64(row, 2),
		               .round = (uint32_t)sqlite3_column_int64(row, 3),
		               .channel = (uint32_t)sqlite3_column_int64(row, 5),
		               .boot = (uint32_t)sqlite3_column_int64(row, 6),
		               .t_boot_ns = sqlite3_column_int64(row, 7),
		               .quality = (uint16_t)sqlite3_column_int64(row, 8),
		               .value_micro = sqlite3_column_int64(row, 9),
		               .alarm = (uint32_t)sqlite3_column_int64(row, 10) };
	char line[KRI_LINE_MAX];
	size_t length = kri_row_text(&end, line);

	if (kri_text_crc(kri_epoch_crc(segment->epoch), line, length) != (uint32_t)sqlite3_column_int64(row, 11))
		return kryos_fail(KRYOS_ECORRUPT, "%s: the checksum of its last row, %" PRId64 ", is wrong",
		                  segment->path, end.seq);
	if (end.seq < segment->first_seq || end.seq > KRI_MAX_SEQ)
		return kryos_fail(KRYOS_ECORRUPT, "%s: its last row has seq %" PRId64, segment->path, end.seq);
	if (sqlite3_column_type(row, 4) == SQLITE_NULL)
		kri_chain_free(&segment->chain); /* begun without libcrypto: it goes on so */
	else if (sqlite3_column_bytes(row, 4) == KRI_SHA256_SIZE)
		memcpy(segment->chain.hash, sqlite3_column_blob(row, 4), KRI_SHA256_SIZE);
	else
		return kryos_fail(KRYOS_ECORRUPT, "%s: row %" PRId64 " has no hash of 32 bytes", segment->path,
		                  end.seq);
	segment->last_seq = end.seq;
	segment->last_wall_ns = end.t_wall_ns;
	segment->last_trust = end.trust;
	segment->last_round = end.round;
	return 0;
}

/* Where the chain stands: the last row's hash, or the header's. */
static int read_end(struct kri_segment *segment)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(segment->db, &row,
	                        "SELECT seq, t_wall_ns, trust, round, hash, channel, boot, t_boot_ns, quality,"
	                        " value_micro, alarm, crc FROM sample ORDER BY seq DESC LIMIT 1"),
	    code;

	if (r < 0)
		return r;
	code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		r = take_end(segment, row);
	else if (code == SQLITE_DONE)
		r = chain_header(&segment->chain, segment->db);
	else
		r = kri_sql_fail(segment->db, code);
	sqlite3_finalize(row);
	return r;
}

int kri_segment_check_format(sqlite3 *db, const char *path)
{
	int64_t version = 0, tables = 0;
	int r;

	/* In this order: both come with one commit, and its writer may be at it just now. */
	r = kri_sql_int(db, "SELECT count(*) FROM sqlite_master", &tables);
	if (r >= 0)
		r = kri_sql_int(db, "PRAGMA user_version", &version);
	if (r < 0)
		return r;
	if (version == KRI_STORE_FORMAT)
		return kri_sql_check_tables(db, path, TABLES);
	/* Tables without a version have lost it. */
	if (!version && tables)
		return kryos_fail(KRYOS_ECORRUPT, "%s: its header names no version", path);
	if (!version)
		return kryos_fail(-ENOENT, "%s: was never begun", path);
	return kryos_fail(KRYOS_EFORMAT, "%s: format %" PRId64 "; this version knows %d", path, version,
	                  KRI_STORE_FORMAT);
}

static int read_mode(struct kri_segment *segment)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(segment->db, &row, "PRAGMA journal_mode"), code;

	if (r < 0)
		return r;
	code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		segment->in_wal = strcmp(kri_sql_text(row, 0), "wal") == 0;
	else
		r = kri_sql_fail(segment->db, code);
	sqlite3_finalize(row);
	return r;
}

int kri_segment_open(struct kri_segment **ret_segment, const char *path, int64_t first_seq, struct kryos_ctx *ctx)
{
	struct kri_segment *segment = NULL;
	int64_t boot = 0;
	int r;

	r = new_segment(&segment, path, first_seq);
	if (r < 0)
		return r;
	kri_sql_free_shm(path);
	r = kri_sql_open(&segment->db, path, SQLITE_OPEN_READWRITE);
	if (r >= 0)
		r = kri_sql_exec(segment->db, pragmas);
	if (r >= 0)
		r = kri_segment_check_format(segment->db, path);
	if (r >= 0)
		r = kri_sql_check_writable(segment->db, path);
	if (r >= 0)
		r = read_mode(segment);
	if (r >= 0 && segment->in_wal)
		r = kri_sql_exec(segment->db, wal_pragmas);
	if (r >= 0)
		r = read_header(segment);
	if (r >= 0)
		r = read_channels(segment, ctx);
	if (r >= 0)
		r = read_end(segment);
	if (r >= 0)
		r = read_age(segment);
	if (r >= 0)
		r = read_seal(segment);
	if (r >= 0)
		r = kri_sql_int(segment->db, "SELECT coalesce(max(boot),0) FROM boot", &boot);
	segment->boot = (uint32_t)boot;
	if (r >= 0)
		r = prepare(segment);
	if (r < 0) {
		kri_segment_close(segment);
		return r;
	}
	segment->db_bytes = kri_file_bytes(path);
	*ret_segment = segment;
	return 0;
}
