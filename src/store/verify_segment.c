/* SPDX-License-Identifier: Apache-2.0 */
/* Row checksums, the chain, and the seal of one segment, and its link to the one before. */
#include "verify.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What it says of one boot, "boot:<number>" in the header. */
static int note_boot(struct kri_check *check, const char *number, const char *value)
{
	struct kri_noted_boot noted = { .segment = check->first_seq }, *grown;

	if (!kri_boot_parse(&noted.is, number, value))
		return 0;
	grown = realloc(check->boots, (size_t)(check->boot_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	check->boots = grown;
	grown[check->boot_count++] = noted;
	return 0;
}

/*
 * Header lines have no checksum: a value that reads as a line of its own would be chained as two rows are, and hide the
 * second. Only a public key has more than one line.
 */
static bool is_one_line(sqlite3_stmt *row, const char *key, const char *value)
{
	if ((size_t)sqlite3_column_bytes(row, 0) != strlen(key) ||
	    (size_t)sqlite3_column_bytes(row, 1) != strlen(value))
		return false;
	if (strpbrk(key, "|\n") || strstr(value, "\nheader|"))
		return false;
	return strcmp(key, "public_key") == 0 || !strchr(value, '\n');
}

static int read_header(struct kri_check *check)
{
	uint32_t running = 0;
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(check->db, &rows,
	                        "SELECT key, value, 'header|'||key||'|'||value||char(10) FROM header ORDER BY key"),
	    code;

	if (r < 0)
		return r;
	check->previous[0] = check->device[0] = check->events[0] = '\0';
	check->names = 0;
	check->epoch = 0;
	check->previous_segment = 0;
	check->salvaged = false;
	check->header_first = 0;
	check->boots_before = check->boot_count;
	r = kri_chain_begin(&check->chain, true);
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		const char *key = kri_sql_text(rows, 0), *value = kri_sql_text(rows, 1);

		if (!is_one_line(rows, key, value)) {
			check->result->bad_rows++;
			kri_verify_problem(check, 0, 0, "its header has a row that no store writes");
		}
		if (strcmp(key, "epoch") == 0)
			check->epoch = strtoull(value, NULL, 16);
		else if (strcmp(key, "device") == 0)
			snprintf(check->device, sizeof(check->device), "%s", value);
		else if (strcmp(key, "previous_hash") == 0)
			snprintf(check->previous, sizeof(check->previous), "%s", value);
		else if (strcmp(key, "previous_segment") == 0)
			check->previous_segment = strtoll(value, NULL, 10);
		else if (strcmp(key, "events") == 0)
			snprintf(check->events, sizeof(check->events), "%s", value);
		else if (strcmp(key, "salvaged") == 0)
			check->salvaged = true;
		else if (strcmp(key, "first_seq") == 0)
			check->header_first = strtoll(value, NULL, 10);
		else if (strcmp(key, "boot") == 0)
			running = (uint32_t)strtoul(value, NULL, 10);
		else if (strncmp(key, "boot:", 5) == 0)
			r = note_boot(check, key + 5, value);
		if (r >= 0)
			r = kri_chain_add(&check->chain, kri_sql_text(rows, 2), (size_t)sqlite3_column_bytes(rows, 2));
	}
	if (r >= 0)
		r = kri_sql_fail(check->db, code);
	if (r >= 0)
		r = kri_chain_end(&check->chain);
	for (int i = check->boots_before; i < check->boot_count; i++)
		check->boots[i].running = check->boots[i].is.boot == running;
	sqlite3_finalize(rows);
	check->epoch_crc = kri_epoch_crc(check->epoch);
	return r;
}

/* Lines of the rows that came with one commit (since: first to last seq), in the order they were chained. */
static int chain_names(struct kri_check *check, sqlite3_stmt *rows, int64_t first, int64_t last, int crc_column)
{
	char line[KRI_LINE_MAX];
	int code, r = 0;

	sqlite3_bind_int64(rows, 1, first);
	sqlite3_bind_int64(rows, 2, last);
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		size_t length = (size_t)snprintf(line, sizeof(line) - 16, "%s", kri_sql_text(rows, 0));
		/* Longer ones, and what stands behind a NUL, no store has written. */
		bool whole = length < sizeof(line) - 16 && length == (size_t)sqlite3_column_bytes(rows, 0);
		uint32_t crc;

		length = kri_text_end(line, length < sizeof(line) - 16 ? length : sizeof(line) - 17, check->epoch_crc,
		                      &crc);
		if (!whole || crc != sqlite3_column_int64(rows, crc_column)) {
			check->result->bad_rows++;
			kri_verify_problem(check, 0, 0, "wrong checksum of \"%.150s\"", kri_sql_text(rows, 0));
		}
		check->names++;
		r = kri_chain_add(&check->chain, line, length);
	}
	if (r >= 0)
		r = kri_sql_fail(check->db, code);
	sqlite3_reset(rows);
	return r;
}

/* Rows that no commit has are in no chain. */
static int check_names(struct kri_check *check)
{
	int64_t names = 0;
	int r = kri_sql_int(check->db, "SELECT (SELECT count(*) FROM boot) + (SELECT count(*) FROM channel)", &names);

	if (r >= 0 && names != check->names) {
		check->result->bad_links++;
		kri_verify_problem(check, 0, 0, "%" PRId64 " boots or channels are in no commit", names - check->names);
	}
	return r;
}

struct commit {
	char *lines;
	size_t length, capacity;
	int64_t first, last, last_wall_ns;
};

static int keep_line(struct commit *commit, const char *line, size_t length)
{
	char *grown;

	if (!commit->lines || commit->length + length > commit->capacity) {
		commit->capacity = 2 * commit->capacity + length + 4096;
		grown = realloc(commit->lines, commit->capacity);
		if (!grown)
			return -ENOMEM;
		commit->lines = grown;
	}
	memcpy(commit->lines + commit->length, line, length);
	commit->length += length;
	return 0;
}

static int end_commit(struct kri_check *check, struct commit *commit, sqlite3_stmt *boots, sqlite3_stmt *channels,
                      sqlite3_stmt *row)
{
	int r = kri_chain_begin(&check->chain, false);

	if (r >= 0)
		r = chain_names(check, boots, commit->first, commit->last, 1);
	if (r >= 0)
		r = chain_names(check, channels, commit->first, commit->last, 1);
	if (r >= 0)
		r = kri_chain_add(&check->chain, commit->lines, commit->length);
	if (r >= 0)
		r = kri_chain_end(&check->chain);
	if (r >= 0 && check->chain.sha) {
		const void *hash = sqlite3_column_blob(row, 11);

		if (sqlite3_column_bytes(row, 11) != KRI_SHA256_SIZE ||
		    memcmp(hash, check->chain.hash, KRI_SHA256_SIZE) != 0) {
			check->result->bad_links++;
			kri_verify_problem(check, commit->last, commit->last_wall_ns,
			                   "the hash chain is broken at seq %" PRId64, commit->last);
			/* Go on from what is stored, so that one change is counted once. */
			if (hash && sqlite3_column_bytes(row, 11) == KRI_SHA256_SIZE)
				memcpy(check->chain.hash, hash, KRI_SHA256_SIZE);
		}
	}
	commit->length = 0;
	commit->first = 0;
	return r;
}

/* SQLite takes any value in any column: what is stored must be the numbers that were read, not only begin like them. */
static bool is_as_read(sqlite3_stmt *rows, const struct kri_row *row)
{
	const int64_t read[] = { row->seq,   row->channel, row->boot,        row->round, row->t_boot_ns, row->t_wall_ns,
		                 row->trust, row->quality, row->value_micro, row->alarm, row->crc };

	for (int i = 0; i < (int)KRI_ARRAY_SIZE(read); i++)
		if (sqlite3_column_type(rows, i) != SQLITE_INTEGER || sqlite3_column_int64(rows, i) != read[i])
			return false;
	return true;
}

static int check_rows(struct kri_check *check, int64_t *ret_last)
{
	sqlite3_stmt *rows = NULL, *boots = NULL, *channels = NULL;
	struct commit commit = { .lines = NULL };
	char line[KRI_LINE_MAX];
	int r, code = SQLITE_DONE;

	*ret_last = check->first_seq - 1;
	r = kri_sql_prepare(check->db, &boots,
	                    "SELECT 'boot|'||boot||'|'||since||'|'||boot_id, crc FROM boot"
	                    " WHERE since BETWEEN ? AND ? ORDER BY since, boot");
	if (r >= 0)
		r = kri_sql_prepare(check->db, &channels,
		                    "SELECT 'channel|'||channel||'|'||since||'|'||name||'|'||unit||'|'||place, crc"
		                    " FROM channel WHERE since BETWEEN ? AND ? ORDER BY channel");
	if (r >= 0)
		r = kri_sql_prepare(
			check->db, &rows,
			"SELECT seq, channel, boot, round, t_boot_ns, t_wall_ns, trust, quality, value_micro,"
			" alarm, crc, hash FROM sample ORDER BY seq");
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		struct kri_row row = { .seq = sqlite3_column_int64(rows, 0),
			               .channel = (uint32_t)sqlite3_column_int64(rows, 1),
			               .boot = (uint32_t)sqlite3_column_int64(rows, 2),
			               .round = (uint32_t)sqlite3_column_int64(rows, 3),
			               .t_boot_ns = sqlite3_column_int64(rows, 4),
			               .t_wall_ns = sqlite3_column_int64(rows, 5),
			               .trust = (uint16_t)sqlite3_column_int64(rows, 6),
			               .quality = (uint16_t)sqlite3_column_int64(rows, 7),
			               .value_micro = sqlite3_column_int64(rows, 8),
			               .alarm = (uint32_t)sqlite3_column_int64(rows, 9) };
		size_t length = kri_row_text(&row, line);

		length = kri_text_end(line, length, check->epoch_crc, &row.crc);
		check->result->samples++;
		if (!is_as_read(rows, &row)) {
			check->result->bad_rows++;
			kri_verify_problem(check, row.seq, row.t_wall_ns, "wrong checksum of the row with seq %" PRId64,
			                   row.seq);
		}
		if (!commit.first)
			commit.first = row.seq;
		commit.last = *ret_last = row.seq;
		commit.last_wall_ns = row.t_wall_ns;
		r = keep_line(&commit, line, length);
		if (r >= 0 && sqlite3_column_type(rows, 11) != SQLITE_NULL)
			r = end_commit(check, &commit, boots, channels, rows);
	}
	if (r >= 0)
		r = kri_sql_fail(check->db, code);
	/* Not in any commit, so not looked at yet. */
	if (r >= 0 && check->salvaged)
		r = chain_names(check, boots, INT64_MIN, INT64_MAX, 1);
	if (r >= 0 && check->salvaged)
		r = chain_names(check, channels, INT64_MIN, INT64_MAX, 1);
	/* Without libcrypto nothing is chained, and no row says where its commit ends: all of them are one. */
	if (r >= 0 && commit.length && !check->chain.sha && !check->salvaged)
		r = chain_names(check, boots, commit.first, commit.last, 1);
	if (r >= 0 && commit.length && !check->chain.sha && !check->salvaged)
		r = chain_names(check, channels, commit.first, commit.last, 1);
	if (r >= 0 && commit.length && check->chain.sha && !check->counted) {
		check->result->bad_links++;
		if (check->salvaged)
			kri_verify_problem(check, 0, 0,
			                   "it was salvaged from a damaged one: it has no hash chain and no seal");
		else
			kri_verify_problem(check, commit.first, 0, "the rows from seq %" PRId64 " on are not chained",
			                   commit.first);
	}
	free(commit.lines);
	sqlite3_finalize(rows);
	sqlite3_finalize(boots);
	sqlite3_finalize(channels);
	return r;
}

/* One seal, whose rows must be all there are. */
static int judge_seal(struct kri_check *check, sqlite3_stmt *row, int64_t last_seq, const char *hash)
{
	uint8_t signature[KRI_SIGNATURE_SIZE];
	struct kri_key *key = NULL;
	char text[256];
	size_t length = kri_seal_text(text, check->device, check->epoch, check->first_seq, last_seq, hash);
	int r = kri_verify_key(check, check->device, kri_sql_text(row, 4), &key);

	if (r >= 0)
		r = kri_unhex(kri_sql_text(row, 3), signature, sizeof(signature));
	if (r >= 0)
		r = kri_key_verify(key, text, length, signature);
	if (r >= 0 && (strcmp(hash, kri_sql_text(row, 2)) != 0 || sqlite3_column_int64(row, 0) != check->first_seq ||
	               sqlite3_column_int64(row, 1) != last_seq || sqlite3_step(row) == SQLITE_ROW))
		r = kryos_fail(KRYOS_ECRC, "the seal is of other rows");
	return r;
}

static int check_seal(struct kri_check *check, int64_t last_seq)
{
	struct kri_noted_seal seal = { .number = check->first_seq,
		                       .previous = check->previous_segment,
		                       .has_rows = last_seq >= check->first_seq,
		                       .damaged = check->counted };
	sqlite3_stmt *row;
	int r, code;

	snprintf(seal.file, sizeof(seal.file), "%s", check->file);
	kri_chain_text(&check->chain, seal.hash);
	r = kri_sql_prepare(check->db, &row,
	                    "SELECT first_seq, last_seq, hash, signature,"
	                    " (SELECT value FROM header WHERE key='public_key') FROM seal");
	if (r < 0)
		return r;
	code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		r = judge_seal(check, row, last_seq, seal.hash);
		seal.sealed = r >= 0;
		if (r >= 0) {
			check->result->sealed++;
			check->sealed_first = check->first_seq;
			check->sealed_last = last_seq;
			for (int i = check->boots_before; i < check->boot_count; i++)
				check->boots[i].sealed = true;
			check->result->seal_number = seal.number;
			memcpy(check->result->seal_hash, seal.hash, sizeof(check->result->seal_hash));
			kri_verify_anchor(check, seal.number, seal.hash);
		} else if (r != -EOPNOTSUPP) {
			check->result->bad_seals++;
			kri_verify_problem(check, 0, 0, "the seal is not good: %s", kryos_strerror(r));
		}
		r = 0;
	} else {
		r = kri_sql_fail(check->db, code);
	}
	sqlite3_finalize(row);
	return r < 0 ? r : kri_verify_note(&check->segments, &check->segment_count, &seal);
}

/* The seal over events that was the newest when this segment was begun. */
static int note_named(struct kri_check *check)
{
	struct kri_noted_seal seal;
	char *end;

	if (!check->events[0])
		return 0;
	seal.number = strtoll(check->events, &end, 10);
	snprintf(seal.hash, sizeof(seal.hash), "%s", *end ? end + 1 : "");
	snprintf(seal.file, sizeof(seal.file), "%s", check->file);
	return kri_verify_note(&check->named, &check->named_count, &seal);
}

/* Whether state.db knows that a segment was removed by retention: 1, 0, or -ENOENT where it does not know it. */
static int was_removed(const char *folder, bool part, int64_t first_seq)
{
	char path[PATH_MAX], sql[120];
	sqlite3 *db = NULL;
	int64_t dropped = 0;
	int r;

	snprintf(path, sizeof(path), "%s/%s", folder, part ? "events.db" : "state.db");
	snprintf(sql, sizeof(sql), "SELECT dropped FROM seal WHERE first_seq=%" PRId64, first_seq);
	r = kri_sql_open_to_read(&db, path);
	if (r >= 0)
		r = kri_sql_int(db, sql, &dropped);
	sqlite3_close_v2(db);
	return r < 0 ? -ENOENT : dropped != 0;
}

/* Another segment than the one listed before this one is named: well if retention took it. */
static void check_hole(struct kri_check *check, const char *folder)
{
	int removed = was_removed(folder, check->part, check->previous_segment);

	/*
	 * In front of all that is kept, what state.db does not know (it was lost, say) cannot be held against anyone;
	 * nor a segment that could not be read, so that no hash of it is named, and turned out to have no rows.
	 */
	if (removed == 1 || ((removed < 0 || check->part) && (!check->before || !check->previous[0])))
		return;
	check->result->bad_links++;
	kri_verify_problem(check, 0, 0, "the segment before it, %" PRId64 ", is missing", check->previous_segment);
}

/*
 * The segment named as the one before must hold the hash that is named, as its last, or where a failed commit left it.
 * It need not be the one that is listed before this one: a failed commit may have left another between, of which nobody
 * knew that it had rows.
 */
static int check_link(struct kri_check *check, const char *folder)
{
	bool listed = check->previous_segment == check->before;
	char path[PATH_MAX], sql[256];
	sqlite3 *db = NULL;
	int64_t found = 0;
	int r;

	if (!check->previous_segment || check->previous_segment == check->empty)
		return 0;
	kri_segment_path(folder, check->previous_segment, path, sizeof(path));
	if (!listed && access(path, F_OK)) {
		check_hole(check, folder);
		return 0;
	}
	if (!check->before || !check->previous[0] || !check->before_last[0])
		return 0;
	if (listed && strcmp(check->previous, check->before_last) == 0)
		return 0;
	if (strspn(check->previous, "0123456789abcdef") == KRI_HASH_TEXT - 1) {
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM sample WHERE hash=x'%s'", check->previous);
		r = kri_sql_open(&db, path, SQLITE_OPEN_READWRITE);
		if (r >= 0)
			r = kri_sql_int(db, sql, &found);
		sqlite3_close_v2(db);
		if (r < 0)
			return r;
	}
	if (!found) {
		check->result->bad_links++;
		kri_verify_problem(check, 0, 0, "does not follow from the segment before it, %" PRId64,
		                   check->previous_segment);
	}
	return 0;
}

int kri_verify_one(struct kri_check *check, const char *path, int64_t first_seq, const char *folder)
{
	const char *slash = strrchr(path, '/');
	int64_t last_seq = 0;
	int r;

	check->file = slash ? slash + 1 : path;
	check->first_seq = first_seq;
	check->result->segments++;
	r = kri_sql_open_to_read(&check->db, path);
	if (r >= 0)
		r = kri_segment_check_format(check->db, path);
	/* What a writer adds meanwhile is not looked at. */
	if (r >= 0)
		r = kri_sql_exec(check->db, "BEGIN");
	if (r >= 0)
		r = read_header(check);
	/* By itself it may have any name. */
	if (r >= 0 && !folder && check->header_first > 0)
		check->first_seq = first_seq = check->header_first;
	if (r >= 0 && folder && check->header_first != first_seq) {
		check->result->bad_links++;
		kri_verify_problem(check, 0, 0, "its header says that it begins with seq %" PRId64,
		                   check->header_first);
	}
	if (r >= 0 && folder)
		r = check_link(check, folder);
	if (r >= 0 && folder && first_seq <= check->sealed_last)
		r = kri_verify_overlap(check, folder);
	if (r >= 0)
		r = check_rows(check, &last_seq);
	if (r >= 0)
		r = check_names(check);
	if (r >= 0)
		r = check_seal(check, last_seq);
	if (r >= 0)
		r = note_named(check);
	if (r == KRYOS_ECORRUPT) {
		check->result->bad_links++;
		kri_verify_problem(check, 0, 0, "%s", kri_verify_why(r, path));
		r = 0;
	}
	sqlite3_close_v2(check->db);
	check->db = NULL;
	if (last_seq > check->newest_row)
		check->newest_row = last_seq;
	/* One without rows (a failed beginning that could not be removed) is not in the chain. */
	if (last_seq >= first_seq) {
		check->before = first_seq;
		kri_chain_text(&check->chain, check->before_last);
	} else {
		check->empty = first_seq;
	}
	return r;
}
