/* SPDX-License-Identifier: Apache-2.0 */
/* Row checksums, the chain, and seals, of one segment or of a folder, as docs/store-format.md describes them. */
#include "private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
	struct kryos_verify_result *result;
	const char *file;
	sqlite3 *db;
	struct kri_chain chain;
	uint32_t epoch_crc;
	uint64_t epoch;
	char device[33], previous[KRI_HASH_TEXT];
	int64_t first_seq, previous_segment;
	/* Of the segment before: its hashes may be what this one names. */
	int64_t before;
	char before_last[KRI_HASH_TEXT];
	int64_t empty; /* one without rows between the two, which may be named all the same */
	bool salvaged; /* as its header says: neither chained nor sealed */
	bool counted;  /* ... which is counted already */
};

KRYOS_PRINTF(2, 3) static void problem(struct check *check, const char *format, ...)
{
	size_t length;
	va_list args;

	if (check->result->first_problem[0])
		return;
	length = (size_t)snprintf(check->result->first_problem, sizeof(check->result->first_problem),
	                          "%s: ", check->file);
	if (length >= sizeof(check->result->first_problem))
		return;
	va_start(args, format);
	vsnprintf(check->result->first_problem + length, sizeof(check->result->first_problem) - length, format, args);
	va_end(args);
}

static int read_header(struct check *check)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(check->db, &rows,
	                        "SELECT key, value, 'header|'||key||'|'||value||char(10) FROM header ORDER BY key"),
	    code;

	if (r < 0)
		return r;
	check->previous[0] = check->device[0] = '\0';
	check->epoch = 0;
	check->previous_segment = 0;
	check->salvaged = false;
	r = kri_chain_begin(&check->chain, true);
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		const char *key = kri_sql_text(rows, 0), *value = kri_sql_text(rows, 1);

		if (strcmp(key, "epoch") == 0)
			check->epoch = strtoull(value, NULL, 16);
		else if (strcmp(key, "device") == 0)
			snprintf(check->device, sizeof(check->device), "%s", value);
		else if (strcmp(key, "previous_hash") == 0)
			snprintf(check->previous, sizeof(check->previous), "%s", value);
		else if (strcmp(key, "previous_segment") == 0)
			check->previous_segment = strtoll(value, NULL, 10);
		else if (strcmp(key, "salvaged") == 0)
			check->salvaged = true;
		r = kri_chain_add(&check->chain, kri_sql_text(rows, 2), (size_t)sqlite3_column_bytes(rows, 2));
	}
	if (r >= 0)
		r = kri_sql_fail(check->db, code);
	if (r >= 0)
		r = kri_chain_end(&check->chain);
	sqlite3_finalize(rows);
	check->epoch_crc = kri_epoch_crc(check->epoch);
	return r;
}

/* Lines of the rows that came with one commit (since: first to last seq), in the order they were chained. */
static int chain_names(struct check *check, sqlite3_stmt *rows, int64_t first, int64_t last, int crc_column)
{
	char line[KRI_LINE_MAX];
	int code, r = 0;

	sqlite3_bind_int64(rows, 1, first);
	sqlite3_bind_int64(rows, 2, last);
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		size_t length = (size_t)snprintf(line, sizeof(line) - 16, "%s", kri_sql_text(rows, 0));
		bool whole = length < sizeof(line) - 16; /* longer ones no store has written */
		uint32_t crc;

		length = kri_text_end(line, whole ? length : sizeof(line) - 17, check->epoch_crc, &crc);
		if (!whole || crc != (uint32_t)sqlite3_column_int64(rows, crc_column)) {
			check->result->bad_rows++;
			problem(check, "wrong checksum of \"%.200s\"", kri_sql_text(rows, 0));
		}
		r = kri_chain_add(&check->chain, line, length);
	}
	if (r >= 0)
		r = kri_sql_fail(check->db, code);
	sqlite3_reset(rows);
	return r;
}

struct commit {
	char *lines;
	size_t length, capacity;
	int64_t first, last;
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

static int end_commit(struct check *check, struct commit *commit, sqlite3_stmt *boots, sqlite3_stmt *channels,
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
			problem(check, "the hash chain is broken at seq %" PRId64, commit->last);
			/* Go on from what is stored, so that one change is counted once. */
			if (hash && sqlite3_column_bytes(row, 11) == KRI_SHA256_SIZE)
				memcpy(check->chain.hash, hash, KRI_SHA256_SIZE);
		}
	}
	commit->length = 0;
	commit->first = 0;
	return r;
}

static int check_rows(struct check *check, int64_t *ret_last)
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
		if (row.crc != (uint32_t)sqlite3_column_int64(rows, 10)) {
			check->result->bad_rows++;
			problem(check, "wrong checksum of the row with seq %" PRId64, row.seq);
		}
		if (!commit.first)
			commit.first = row.seq;
		commit.last = *ret_last = row.seq;
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
	if (r >= 0 && commit.length && check->chain.sha && !check->counted) {
		check->result->bad_links++;
		if (check->salvaged)
			problem(check, "it was salvaged from a damaged one: it has no hash chain and no seal");
		else
			problem(check, "the rows from seq %" PRId64 " on are not chained", commit.first);
	}
	free(commit.lines);
	sqlite3_finalize(rows);
	sqlite3_finalize(boots);
	sqlite3_finalize(channels);
	return r;
}

static int check_seal(struct check *check, int64_t last_seq)
{
	char hash[KRI_HASH_TEXT], text[256], fingerprint[2 * KRI_SHA256_SIZE + 1];
	uint8_t signature[KRI_SIGNATURE_SIZE];
	struct kri_key *key = NULL;
	sqlite3_stmt *row;
	size_t length;
	int r, code;

	r = kri_sql_prepare(check->db, &row,
	                    "SELECT first_seq, last_seq, hash, signature,"
	                    " (SELECT value FROM header WHERE key='public_key') FROM seal");
	if (r < 0)
		return r;
	code = sqlite3_step(row);
	if (code != SQLITE_ROW) {
		sqlite3_finalize(row);
		return kri_sql_fail(check->db, code);
	}
	kri_chain_text(&check->chain, hash);
	length = kri_seal_text(text, check->device, check->epoch, check->first_seq, last_seq, hash);
	r = kri_key_from_public(&key, kri_sql_text(row, 4), (size_t)sqlite3_column_bytes(row, 4));
	if (r == -EOPNOTSUPP) {
		sqlite3_finalize(row);
		return 0;
	}
	if (r >= 0)
		r = kri_key_fingerprint(key, fingerprint);
	if (r >= 0 && strncmp(fingerprint, check->device, 32) != 0)
		r = kryos_fail(KRYOS_ECRC, "the public key is not device %s's", check->device);
	if (r >= 0)
		r = kri_unhex(kri_sql_text(row, 3), signature, sizeof(signature));
	if (r >= 0)
		r = kri_key_verify(key, text, length, signature);
	if (r >= 0 && (strcmp(hash, kri_sql_text(row, 2)) != 0 || sqlite3_column_int64(row, 0) != check->first_seq ||
	               sqlite3_column_int64(row, 1) != last_seq))
		r = kryos_fail(KRYOS_ECRC, "the seal is of other rows");
	if (r < 0) {
		check->result->bad_seals++;
		problem(check, "the seal is not good: %s", kryos_strerror(r));
	} else {
		check->result->sealed++;
	}
	kri_key_free(key);
	sqlite3_finalize(row);
	return 0;
}

/* Whether state.db knows that a segment was removed by retention: 1, 0, or -ENOENT where it does not know it. */
static int was_removed(const char *folder, int64_t first_seq)
{
	char path[PATH_MAX], sql[120];
	sqlite3 *db = NULL;
	int64_t dropped = 0;
	int r;

	snprintf(path, sizeof(path), "%s/state.db", folder);
	snprintf(sql, sizeof(sql), "SELECT dropped FROM seal WHERE first_seq=%" PRId64, first_seq);
	r = kri_sql_open_to_read(&db, path);
	if (r >= 0)
		r = kri_sql_int(db, sql, &dropped);
	sqlite3_close_v2(db);
	return r < 0 ? -ENOENT : dropped != 0;
}

/* Another segment than the one listed before this one is named: well if retention took it. */
static void check_hole(struct check *check, const char *folder)
{
	int removed = was_removed(folder, check->previous_segment);

	/*
	 * In front of all that is kept, what state.db does not know (it was lost, say) cannot be held against anyone;
	 * nor a segment that could not be read, so that no hash of it is named, and turned out to have no rows.
	 */
	if (removed == 1 || (removed < 0 && (!check->before || !check->previous[0])))
		return;
	check->result->bad_links++;
	problem(check, "the segment before it, %" PRId64 ", is missing", check->previous_segment);
}

/*
 * The segment named as the one before must hold the hash that is named, as its last, or where a failed commit left it.
 * It need not be the one that is listed before this one: a failed commit may have left another between, of which nobody
 * knew that it had rows.
 */
static int check_link(struct check *check, const char *folder)
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
		problem(check, "does not follow from the segment before it, %" PRId64, check->previous_segment);
	}
	return 0;
}

static int check_segment(struct check *check, const char *path, int64_t first_seq, const char *folder)
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
	if (r >= 0)
		r = read_header(check);
	if (r >= 0 && folder)
		r = check_link(check, folder);
	if (r >= 0)
		r = check_rows(check, &last_seq);
	if (r >= 0)
		r = check_seal(check, last_seq);
	if (r == KRYOS_ECORRUPT) {
		check->result->bad_links++;
		problem(check, "%s", kryos_strerror(r));
		r = 0;
	}
	sqlite3_close_v2(check->db);
	check->db = NULL;
	/* One without rows (a failed beginning that could not be removed) is not in the chain. */
	if (last_seq >= first_seq) {
		check->before = first_seq;
		kri_chain_text(&check->chain, check->before_last);
	} else {
		check->empty = first_seq;
	}
	return r;
}

int kri_verify_segment(const char *path, int64_t first_seq, bool *ret_whole)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	struct check check = { .result = &result };
	int r = kri_chain_new(&check.chain);

	if (r >= 0)
		r = check_segment(&check, path, first_seq, NULL);
	kri_chain_free(&check.chain);
	*ret_whole = r >= 0 && !result.bad_rows && !result.bad_links && !result.bad_seals;
	return r;
}

/*
 * Damaged and known to be: what is said of it is that, and the next one's link is not held against anyone. Of what was
 * salvaged the rows are checked.
 */
static int check_damaged(struct check *check, const struct kri_segment_info *info, const char *folder)
{
	char name[32], path[PATH_MAX];
	int r = 0;

	snprintf(name, sizeof(name), "%020" PRId64 ".seg", info->first_seq);
	check->file = name;
	check->result->bad_links++;
	if (info->mended) {
		problem(check, "was damaged; what could be salvaged of it is in %s.salvaged", name);
		snprintf(path, sizeof(path), "%s/%s.salvaged", folder, name);
		check->counted = true;
		r = check_segment(check, path, info->first_seq, NULL);
		check->counted = false;
	} else {
		problem(check, "is damaged; what is left of it is not salvaged yet");
		check->result->segments++;
	}
	check->before = info->first_seq;
	check->before_last[0] = '\0';
	check->file = NULL;
	return r;
}

int kryos_verify(struct kryos_ctx *ctx, const char *path, struct kryos_verify_result *ret_result)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	struct check check = { .result = &result };
	struct kri_segment_info *list = NULL;
	char file[PATH_MAX];
	struct stat status;
	int count = 0, r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!path || !ret_result || ret_result->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "verify: no path or result given, or its size is not set");
	if (stat(path, &status))
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	r = kri_chain_new(&check.chain);
	if (r >= 0 && S_ISDIR(status.st_mode)) {
		r = kri_list_segments(path, &list, &count);
		if (r >= 0 && !count)
			r = kryos_fail(-ENOENT, "%s: there is no segment in this folder", path);
		for (int i = 0; i < count && r >= 0; i++) {
			kri_segment_path(path, list[i].first_seq, file, sizeof(file));
			if (list[i].bad)
				r = check_damaged(&check, &list[i], path);
			else
				r = check_segment(&check, file, list[i].first_seq, path);
			/* Removed by retention since it was listed. */
			if (r == -ENOENT) {
				result.segments--;
				r = 0;
			}
		}
	} else if (r >= 0) {
		const char *slash = strrchr(path, '/');

		r = check_segment(&check, path, strtoll(slash ? slash + 1 : path, NULL, 10), NULL);
	}
	kri_chain_free(&check.chain);
	free(list);
	if (r >= 0)
		memcpy(ret_result, &result, ret_result->size < sizeof(result) ? ret_result->size : sizeof(result));
	return r;
}
