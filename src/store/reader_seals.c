/* SPDX-License-Identifier: Apache-2.0 */
/* What was signed, and by whom, for whoever prints it: what verifies it is verify.c. */
#include "private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Opens state.db and steps to the one row asked for. -ENOENT: there is none. */
static int find_row(sqlite3 **ret_db, sqlite3_stmt **ret_row, const char *path, const char *sql, int64_t offset)
{
	int r, code;

	r = kri_sql_open_to_read(ret_db, path);
	if (r >= 0)
		r = kri_sql_prepare(*ret_db, ret_row, sql);
	if (r < 0)
		return r;
	sqlite3_bind_int64(*ret_row, 1, offset);
	code = sqlite3_step(*ret_row);
	if (code == SQLITE_ROW)
		return 0;
	return code == SQLITE_DONE ? -ENOENT : kri_sql_fail(*ret_db, code);
}

int kryos_reader_get_seal(struct kryos_reader *reader, unsigned int index, struct kryos_reader_seal *ret_seal)
{
	struct kryos_reader_seal seal = { .size = sizeof(seal) };
	sqlite3_stmt *row = NULL;
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int r;

	if (!reader || !ret_seal || ret_seal->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "reader: no reader or seal given, or its size is not set");
	snprintf(path, sizeof(path), "%s/state.db", kri_reader_get_folder(reader));
	r = find_row(&db, &row, path,
	             "SELECT first_seq, last_seq, samples, last_wall_ns, last_trust, hash, device, dropped FROM seal"
	             " WHERE signature<>'' ORDER BY first_seq DESC LIMIT 1 OFFSET ?",
	             index);
	if (r >= 0) {
		seal.number = sqlite3_column_int64(row, 0);
		seal.last_seq = sqlite3_column_int64(row, 1);
		seal.samples = sqlite3_column_int64(row, 2);
		seal.last_wall_ns = sqlite3_column_int64(row, 3);
		seal.last_trust = (enum kryos_trust)sqlite3_column_int(row, 4);
		snprintf(seal.hash, sizeof(seal.hash), "%s", kri_sql_text(row, 5));
		snprintf(seal.device, sizeof(seal.device), "%s", kri_sql_text(row, 6));
		seal.kept = !sqlite3_column_int(row, 7);
	} else if (r == -ENOENT) {
		r = kryos_fail(-ENOENT, "%s: no seal %u", kri_reader_get_folder(reader), index);
	}
	sqlite3_finalize(row);
	sqlite3_close_v2(db);
	if (r >= 0)
		memcpy(ret_seal, &seal, ret_seal->size < sizeof(seal) ? ret_seal->size : sizeof(seal));
	return r;
}

/* Of the newest segment that tells: device and PEM, "" where it has no key. */
static int find_device(struct kryos_reader *reader, char device[33], char *pem, size_t size)
{
	const char *folder = kri_reader_get_folder(reader);
	struct kri_segment_info *list = NULL;
	char path[PATH_MAX];
	int count = 0, r = kri_list_segments(folder, &list, &count);

	device[0] = pem[0] = '\0';
	for (int i = count - 1; i >= 0 && !device[0] && r >= 0; i--) {
		sqlite3_stmt *row = NULL;
		sqlite3 *db = NULL;

		kri_segment_path(folder, list[i].first_seq, path, sizeof(path));
		r = find_row(&db, &row, path,
		             "SELECT value, (SELECT value FROM header WHERE key='public_key') FROM header"
		             " WHERE key='device' LIMIT 1 OFFSET ?",
		             0);
		if (r >= 0) {
			snprintf(device, 33, "%s", kri_sql_text(row, 0));
			snprintf(pem, size, "%s", kri_sql_text(row, 1));
		}
		/* Never begun, damaged, or a newer version's: another may tell. */
		if (r == -ENOENT || r == KRYOS_ECORRUPT)
			r = 0;
		sqlite3_finalize(row);
		sqlite3_close_v2(db);
	}
	free(list);
	return r < 0 || device[0] ? r : kryos_fail(-ENOENT, "%s: no segment here tells whose it is", folder);
}

int kri_reader_public_key(struct kryos_reader *reader, char *pem, size_t size)
{
	char device[33];

	return find_device(reader, device, pem, size);
}

int kryos_reader_get_device(struct kryos_reader *reader, struct kryos_reader_device *ret_device)
{
	struct kryos_reader_device device = { .size = sizeof(device) };
	struct kri_key *key = NULL;
	char pem[512];
	int r;

	if (!reader || !ret_device || ret_device->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "reader: no reader or device given, or its size is not set");
	r = find_device(reader, device.device, pem, sizeof(pem));
	if (r >= 0 && pem[0]) {
		r = kri_key_from_public(&key, pem, strlen(pem));
		if (r >= 0)
			r = kri_key_fingerprint(key, device.fingerprint);
		device.can_seal = r >= 0;
		kri_key_free(key);
		r = r == -EOPNOTSUPP ? 0 : r;
	}
	if (r >= 0)
		memcpy(ret_device, &device, ret_device->size < sizeof(device) ? ret_device->size : sizeof(device));
	return r;
}
