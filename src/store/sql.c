/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite calls, with its errors as ours. */
#include "private.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int to_errno(sqlite3 *db, int code)
{
	int system = db ? sqlite3_system_errno(db) : 0;

	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_IOERR:
		return system == ENOSPC || system == EDQUOT ? -ENOSPC : -EIO;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return KRYOS_ECORRUPT;
	case SQLITE_CANTOPEN:
		return system ? -system : -EIO;
	case SQLITE_PERM:
		return -EACCES;
	default:
		return -EIO;
	}
}

/*
 * What is in WAL mode needs its -shm file, which SQLite makes where it is missing: in a folder that may not be written
 * that fails with an errno that speaks of the -shm, not of the database.
 */
static bool lacks_shm(sqlite3 *db, const char *file, int code)
{
	return (code & 0xff) == SQLITE_CANTOPEN && file && *file && sqlite3_system_errno(db) != ENOMEM &&
	       access(file, R_OK) == 0;
}

int kri_sql_fail(sqlite3 *db, int code)
{
	const char *file = db ? sqlite3_db_filename(db, "main") : NULL;
	int r = to_errno(db, db ? sqlite3_extended_errcode(db) : code);

	if (!r)
		r = to_errno(db, code);
	if (!r)
		return 0;
	if (db && lacks_shm(db, file, code))
		return kryos_fail(-EACCES, "%s: its -shm file can't be made or opened (%s); read it as a user who may",
		                  file, strerror(sqlite3_system_errno(db)));
	return kryos_fail(r, "%s: %s", file && *file ? file : "store", db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

/*
 * row_crc(...): CRC-32C of the values as the sqlite3 shell prints them, joined by "|": so that what is read can be
 * checked, and written with its checksum, in one statement.
 */
static void row_crc(sqlite3_context *context, int count, sqlite3_value **values)
{
	uint32_t crc = 0;

	for (int i = 0; i < count; i++) {
		const unsigned char *text = sqlite3_value_text(values[i]);

		if (i)
			crc = kri_crc32c(crc, "|", 1);
		if (text)
			crc = kri_crc32c(crc, text, (size_t)sqlite3_value_bytes(values[i]));
	}
	sqlite3_result_int64(context, crc);
}

int kri_sql_open(sqlite3 **ret_db, const char *path, int flags)
{
	sqlite3 *db = NULL;
	int code, r;

	if (!(flags & SQLITE_OPEN_NOMUTEX))
		flags |= SQLITE_OPEN_FULLMUTEX;
	code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_PRIVATECACHE, kri_vfs_name());
	if (code != SQLITE_OK) {
		r = kri_sql_fail(db, code);
		if (db && r != -ENOMEM)
			r = kryos_fail(r, "%s: %s%s%s", path, sqlite3_errmsg(db), sqlite3_system_errno(db) ? ": " : "",
			               sqlite3_system_errno(db) ? strerror(sqlite3_system_errno(db)) : "");
		sqlite3_close_v2(db);
		return r;
	}
	sqlite3_extended_result_codes(db, 1);
	/* Never checkpoint at a stop: a stop must be quick, and a reader's close must not write at all. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* Schemas are data from outside: no functions, no writable_schema tricks (sqlite.org/security.html). */
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* A view in a table's place could give rows for ever. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_busy_timeout(db, 200);
	r = kri_sql_fail(db, sqlite3_create_function(db, "row_crc", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
	                                             row_crc, NULL, NULL));
	if (r < 0)
		sqlite3_close_v2(db);
	else
		*ret_db = db;
	return r;
}

void kri_sql_free_shm(const char *path)
{
	char shm[PATH_MAX];

	snprintf(shm, sizeof(shm), "%s-shm", path);
	if (access(shm, F_OK) == 0 && access(shm, W_OK))
		unlink(shm);
}

int kri_sql_open_to_read(sqlite3 **ret_db, const char *path)
{
	int r = kri_sql_open(ret_db, path, SQLITE_OPEN_READWRITE);

	return r == -EACCES || r == -EROFS ? kri_sql_open(ret_db, path, SQLITE_OPEN_READONLY) : r;
}

int kri_sql_check_writable(sqlite3 *db, const char *path)
{
	if (!db || sqlite3_db_readonly(db, "main") != 1 || access(path, W_OK))
		return 0;
	return kryos_fail(KRYOS_ECORRUPT, "%s: its header says that it may not be written", path);
}

int kri_sql_settle(sqlite3 *db)
{
	int code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_file *wal = NULL;

	/*
	 * SQLite leaves that to the next commit's sync, for what a cut brings back is what was in the database already.
	 * But where a sync had failed its last frames are not brought back, and the older ones hide the newer pages.
	 */
	if (code == SQLITE_OK)
		code = sqlite3_file_control(db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &wal);
	if (code == SQLITE_OK && wal && wal->pMethods)
		code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
	return code == SQLITE_OK ? 0 : kri_sql_fail(db, code);
}

/* Our statements are constant: one that does not compile means that the schema, or the format, is not ours. */
static int constant(int code, int r)
{
	return (code & 0xff) == SQLITE_ERROR ? kryos_fail(KRYOS_ECORRUPT, "%s", kryos_strerror(r)) : r;
}

/* SQLite asks no more of this text than that it can be parsed: a column of another name would be none to it. */
int kri_sql_check_tables(sqlite3 *db, const char *path, const char *tables)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(db, &row,
	                        "SELECT group_concat(sql || ';','') FROM (SELECT sql FROM sqlite_master"
	                        " WHERE sql IS NOT NULL ORDER BY rowid)"),
	    code;

	if (r < 0)
		return r;
	code = sqlite3_step(row);
	if (code != SQLITE_ROW)
		r = kri_sql_fail(db, code);
	else if (strcmp(kri_sql_text(row, 0), tables) != 0)
		r = kryos_fail(KRYOS_ECORRUPT, "%s: its tables are not as they were made", path);
	sqlite3_finalize(row);
	return r;
}

int kri_sql_exec(sqlite3 *db, const char *sql)
{
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return constant(code, kri_sql_fail(db, code));
}

int kri_sql_prepare(sqlite3 *db, sqlite3_stmt **ret_statement, const char *sql)
{
	int code;

	*ret_statement = NULL; /* so that it may be finalized whatever happened */
	code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL);
	return constant(code, kri_sql_fail(db, code));
}

int kri_sql_run(sqlite3_stmt *statement)
{
	sqlite3 *db = sqlite3_db_handle(statement);
	int code = sqlite3_step(statement), r = 0;

	if (code != SQLITE_DONE && code != SQLITE_ROW)
		r = kri_sql_fail(db, code);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return r;
}

int kri_sql_int(sqlite3 *db, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *statement;
	int r = kri_sql_prepare(db, &statement, sql), code;

	if (r < 0)
		return r;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(statement, 0);
	else if (code == SQLITE_DONE)
		r = kryos_fail(-ENOENT, "%s: no row for %s", sqlite3_db_filename(db, "main"), sql);
	else
		r = kri_sql_fail(db, code);
	sqlite3_finalize(statement);
	return r;
}

int kri_sql_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	return sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT);
}

const char *kri_sql_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

/* The check puts a page that the disk did not give into words too, as if it were damaged. */
static bool is_disk_error(const char *text)
{
	const char *at = strstr(text, "error code");

	if (!at)
		return false;
	at += strcspn(at, "0123456789");
	return (atoi(at) & 0xff) == SQLITE_IOERR;
}

int kri_sql_check_pages(sqlite3 *db, const char *path)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(db, &row, "PRAGMA quick_check(1)"), code;

	if (r < 0)
		return r;
	code = sqlite3_step(row);
	if (code != SQLITE_ROW)
		r = kri_sql_fail(db, code);
	else if (strcmp(kri_sql_text(row, 0), "ok") != 0)
		r = kryos_fail(is_disk_error(kri_sql_text(row, 0)) ? -EIO : KRYOS_ECORRUPT, "%s: %.200s", path,
		               kri_sql_text(row, 0));
	sqlite3_finalize(row);
	return r;
}

const char *kri_store_library_version(void)
{
	return sqlite3_libversion();
}
