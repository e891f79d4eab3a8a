/* SPDX-License-Identifier: Apache-2.0 */
/* The crash rig, proved on plain SQLite: what must survive does, and what is known to be lost is seen to be lost. */
#include "cutvfs.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 24 };

static void run_sql(sqlite3 *db, const char *sql)
{
	char *text = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &text))
		fail_msg("%s: %s", sql, text);
}

static int64_t ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) || sqlite3_step(statement) != SQLITE_ROW)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

/* Rows 1 to ROWS, one commit each and marked when acknowledged; checkpoints on the way in WAL mode. */
static void write_rows(struct cutvfs *vfs, const char *folder, const char *journal, const char *synchronous)
{
	char sql[256];
	sqlite3 *db = NULL;

	cutvfs_record(vfs, folder);
	cutvfs_mark(vfs, 0);
	assert_int_equal(sqlite3_open(in(folder, "rows.db"), &db), SQLITE_OK);
	snprintf(sql, sizeof(sql), "PRAGMA page_size=512; PRAGMA journal_mode=%s; PRAGMA synchronous=%s;", journal,
	         synchronous);
	run_sql(db, sql);
	run_sql(db, "PRAGMA wal_autocheckpoint=0");
	run_sql(db, "CREATE TABLE row(id INTEGER PRIMARY KEY, text TEXT)");
	for (int i = 1; i <= ROWS; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO row VALUES(%d, hex(zeroblob(%d)))", i, 20 + i * 7 % 300);
		run_sql(db, sql);
		cutvfs_mark(vfs, i);
		if (i % 10 == 0 && !strcmp(journal, "WAL"))
			run_sql(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	}
	sqlite3_close(db);
	cutvfs_stop(vfs);
}

struct outcome {
	int cuts;    /* tried */
	int lost;    /* cuts after which an acknowledged row was missing */
	int corrupt; /* cuts after which SQLite found damage */
	char first[200];
};

static void judge_cut(const char *folder, int64_t promised, struct outcome *outcome)
{
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;
	int64_t rows = 0;
	bool whole = false;

	outcome->cuts++;
	if (sqlite3_open(in(folder, "rows.db"), &db) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		whole = !strcmp((const char *)sqlite3_column_text(statement, 0), "ok");
	sqlite3_finalize(statement);
	statement = NULL;
	/* Before the table's own commit there is none; rows must be 1 to n without holes. */
	if (whole &&
	    sqlite3_prepare_v2(db, "SELECT count(*), ifnull(max(id), 0) FROM row", -1, &statement, NULL) == SQLITE_OK) {
		assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
		rows = sqlite3_column_int64(statement, 0);
		whole = rows == sqlite3_column_int64(statement, 1);
	}
	sqlite3_finalize(statement);
	sqlite3_close(db);
	outcome->corrupt += !whole;
	outcome->lost += rows < promised;
}

/* Cuts at every operation of the log in one mode. */
static struct outcome cut_everywhere(struct cutvfs *vfs, enum cut_mode mode, uint64_t seed, const char *folder)
{
	struct cut_replay *replay = cut_replay_new(vfs, mode, seed);
	struct outcome outcome = { 0 };
	size_t count = cutvfs_count(vfs);

	for (size_t cut = 0; cut <= count; cut++) {
		/* Where a promise follows at once, the later cut demands more of the same files. */
		if (cut < count && cutvfs_get(vfs, cut).kind == CUT_MARK)
			continue;
		cut_replay_to(replay, cut);
		cut_replay_write(replay, folder);
		judge_cut(folder, cutvfs_marked(vfs, cut, 0), &outcome);
		if (outcome.lost + outcome.corrupt > 0 && !outcome.first[0] && cut < count)
			snprintf(outcome.first, sizeof(outcome.first), "before %s", cutvfs_describe(vfs, cut));
	}
	cut_replay_free(replay);
	return outcome;
}

struct rig {
	struct cutvfs *vfs;
	char *live, *found;
};

static int rig_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->vfs = cutvfs_new();
	rig->live = scratch_new();
	rig->found = scratch_new();
	*state = rig;
	return 0;
}

static int rig_down(void **state)
{
	struct rig *rig = *state;

	cutvfs_free(rig->vfs);
	scratch_free(rig->live);
	scratch_free(rig->found);
	free(rig);
	return 0;
}

/* Runs every mode; what a mode may lose or break is up to the caller. */
static void cut_in_all_modes(struct rig *rig, struct outcome outcomes[CUT_MODE_COUNT])
{
	uint64_t seed = seed_from_environment(20261120);

	for (int mode = 0; mode < CUT_MODE_COUNT; mode++) {
		outcomes[mode] = cut_everywhere(rig->vfs, (enum cut_mode)mode, seed, rig->found);
		print_message("%-28s %4d cuts, %3d lost rows, %3d corrupt %s\n", cut_mode_name((enum cut_mode)mode),
		              outcomes[mode].cuts, outcomes[mode].lost, outcomes[mode].corrupt, outcomes[mode].first);
	}
}

static void wal_with_full_sync_loses_nothing_at_any_cut(void **state)
{
	struct outcome outcomes[CUT_MODE_COUNT];
	struct rig *rig = *state;

	write_rows(rig->vfs, rig->live, "WAL", "FULL");
	cut_in_all_modes(rig, outcomes);
	for (int mode = 0; mode < CUT_MODE_COUNT; mode++) {
		assert_true(outcomes[mode].cuts > 100);
		assert_int_equal(outcomes[mode].lost, 0);
		assert_int_equal(outcomes[mode].corrupt, 0);
	}
}

static void wal_with_normal_sync_loses_acknowledged_rows(void **state)
{
	struct outcome outcomes[CUT_MODE_COUNT];
	struct rig *rig = *state;

	write_rows(rig->vfs, rig->live, "WAL", "NORMAL");
	cut_in_all_modes(rig, outcomes);
	assert_int_equal(outcomes[CUT_KEEP_ALL].lost, 0);
	assert_true(outcomes[CUT_DROP_ALL].lost > 0);
	assert_true(outcomes[CUT_DROP_SOME].lost > 0);
	/* It never promised durability, but it did promise to stay whole. */
	for (int mode = 0; mode < CUT_MODE_COUNT; mode++)
		assert_int_equal(outcomes[mode].corrupt, 0);
}

static void sync_off_loses_rows_and_corrupts(void **state)
{
	struct outcome outcomes[CUT_MODE_COUNT];
	struct rig *rig = *state;

	write_rows(rig->vfs, rig->live, "WAL", "OFF");
	cut_in_all_modes(rig, outcomes);
	assert_int_equal(outcomes[CUT_KEEP_ALL].lost, 0);
	assert_int_equal(outcomes[CUT_KEEP_ALL].corrupt, 0);
	assert_true(outcomes[CUT_DROP_ALL].lost > 0);
	assert_true(outcomes[CUT_DROP_SOME].lost > 0);
	assert_true(outcomes[CUT_DROP_SOME].corrupt > 0);
}

/* SQLite's documentation of synchronous=EXTRA says this of FULL; a rig that did not see it would not model names. */
static void rollback_journal_with_full_sync_loses_the_last_commit_when_its_deletion_is_lost(void **state)
{
	struct outcome outcomes[CUT_MODE_COUNT];
	struct rig *rig = *state;

	write_rows(rig->vfs, rig->live, "DELETE", "FULL");
	cut_in_all_modes(rig, outcomes);
	for (int mode = 0; mode < CUT_MODE_COUNT; mode++)
		assert_int_equal(outcomes[mode].corrupt, 0);
	assert_int_equal(outcomes[CUT_DROP_ALL].lost, 0);
	assert_true(outcomes[CUT_DROP_ALL_NAMES].lost > 0);
}

static void rollback_journal_with_extra_sync_loses_nothing(void **state)
{
	struct outcome outcomes[CUT_MODE_COUNT];
	struct rig *rig = *state;

	write_rows(rig->vfs, rig->live, "DELETE", "EXTRA");
	cut_in_all_modes(rig, outcomes);
	for (int mode = 0; mode < CUT_MODE_COUNT; mode++) {
		assert_int_equal(outcomes[mode].lost, 0);
		assert_int_equal(outcomes[mode].corrupt, 0);
	}
}

static void assert_same_file(const char *a, const char *b)
{
	static char one[1 << 20], other[1 << 20];
	FILE *first = fopen(a, "rb"), *second = fopen(b, "rb");
	size_t n, m;

	assert_non_null(first);
	assert_non_null(second);
	n = fread(one, 1, sizeof(one), first);
	m = fread(other, 1, sizeof(other), second);
	assert_int_equal(n, m);
	assert_memory_equal(one, other, n);
	fclose(first);
	fclose(second);
}

static void replay_of_the_whole_log_gives_the_live_files(void **state)
{
	struct rig *rig = *state;
	struct cut_replay *replay;
	sqlite3 *db = NULL;
	FILE *beside = fopen(in(rig->live, "device.key"), "wb");

	fputs("not SQLite's", beside);
	fclose(beside);
	/* The second recording begins with files: they are its base. */
	write_rows(rig->vfs, rig->live, "WAL", "FULL");
	cutvfs_record(rig->vfs, rig->live);
	assert_int_equal(sqlite3_open(in(rig->live, "rows.db"), &db), SQLITE_OK);
	run_sql(db, "INSERT INTO row VALUES(1000, 'x')");
	replay = cut_replay_new(rig->vfs, CUT_KEEP_ALL, 0);
	cut_replay_to(replay, cutvfs_count(rig->vfs));
	cut_replay_write(replay, rig->found);
	assert_same_file(in(rig->live, "rows.db"), in(rig->found, "rows.db"));
	assert_same_file(in(rig->live, "rows.db-wal"), in(rig->found, "rows.db-wal"));
	assert_same_file(in(rig->live, "device.key"), in(rig->found, "device.key"));
	assert_int_equal(access(in(rig->found, "rows.db-shm"), F_OK), -1);
	cut_replay_free(replay);
	sqlite3_close(db);
}

static void planned_failures_reach_sqlite_and_leave_a_whole_database(void **state)
{
	static const struct {
		enum cut_call call;
		const char *suffix;
		int error, code;
	} cases[] = {
		{ CUT_CALL_WRITE, "-wal", SQLITE_IOERR_WRITE, SQLITE_IOERR },
		{ CUT_CALL_WRITE, "-wal", SQLITE_FULL, SQLITE_FULL },
		{ CUT_CALL_SYNC, "-wal", SQLITE_IOERR_FSYNC, SQLITE_IOERR },
		{ CUT_CALL_WRITE, NULL, SQLITE_IOERR_WRITE, SQLITE_IOERR },
	};
	struct rig *rig = *state;
	sqlite3 *db = NULL;

	write_rows(rig->vfs, rig->live, "WAL", "FULL");
	assert_int_equal(sqlite3_open(in(rig->live, "rows.db"), &db), SQLITE_OK);
	run_sql(db, "PRAGMA synchronous=FULL");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cutvfs_fail(rig->vfs, cases[i].call, cases[i].suffix, 1, cases[i].error, false);
		assert_int_equal(sqlite3_exec(db, "INSERT INTO row(text) VALUES('fails')", NULL, NULL, NULL),
		                 cases[i].code);
		assert_int_equal(cutvfs_failures(rig->vfs), 1);
		run_sql(db, "INSERT INTO row(text) VALUES('goes on')");
	}
	/* For ever, until it is ended. */
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "-wal", 2, SQLITE_FULL, true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sqlite3_exec(db, "INSERT INTO row(text) VALUES('full')", NULL, NULL, NULL),
		                 SQLITE_FULL);
	assert_true(cutvfs_failures(rig->vfs) >= 3);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	run_sql(db, "INSERT INTO row(text) VALUES('room again')");
	assert_int_equal(ask(db, "SELECT count(*) FROM row WHERE text='goes on'"), 4);
	assert_int_equal(ask(db, "SELECT count(*) FROM row WHERE text IN ('fails', 'full')"), 0);
	sqlite3_close(db);
}

static sqlite3_file *open_raw(const char *path)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("cut");
	sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);

	assert_non_null(file);
	assert_int_equal(
		vfs->xOpen(vfs, path, file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB, NULL),
		SQLITE_OK);
	return file;
}

static void close_raw(sqlite3_file *file)
{
	file->pMethods->xClose(file);
	free(file);
}

static int call_raw(sqlite3_file *file, enum cut_call call)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("cut");
	void volatile *memory = NULL;
	sqlite3_int64 size;
	char path[512];
	int locked;

	switch (call) {
	case CUT_CALL_SIZE:
		return file->pMethods->xFileSize(file, &size);
	case CUT_CALL_ACCESS:
		return vfs->xAccess(vfs, "/", SQLITE_ACCESS_EXISTS, &locked);
	case CUT_CALL_PATH:
		return vfs->xFullPathname(vfs, "name.db", sizeof(path), path);
	case CUT_CALL_LOCK:
		return file->pMethods->xLock(file, SQLITE_LOCK_SHARED);
	case CUT_CALL_UNLOCK:
		return file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
	case CUT_CALL_CHECK_LOCK:
		return file->pMethods->xCheckReservedLock(file, &locked);
	case CUT_CALL_SHM_MAP:
		return file->pMethods->xShmMap(file, 0, 32768, 1, &memory);
	case CUT_CALL_SHM_LOCK:
		return file->pMethods->xShmLock(file, 0, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
	default:
		fail_msg("call %d", (int)call);
		return -1;
	}
}

/* Each does what it is for, fails when that is planned, with the number that was asked for, and no other call does. */
static void each_call_that_does_not_write_fails_by_itself(void **state)
{
	struct rig *rig = *state;
	sqlite3_file *file = open_raw(in(rig->live, "file.db"));
	int there = -1;

	for (enum cut_call planned = CUT_CALL_SIZE; planned < CUT_CALL_ANY; planned++) {
		for (enum cut_call call = CUT_CALL_SIZE; call < CUT_CALL_ANY; call++) {
			cutvfs_fail(rig->vfs, planned, NULL, 1, SQLITE_IOERR, false);
			cutvfs_fail_errno(rig->vfs, ENODEV);
			errno = 0;
			assert_int_equal(call_raw(file, call), call == planned ? SQLITE_IOERR : SQLITE_OK);
			assert_int_equal(cutvfs_failures(rig->vfs), call == planned);
			if (call == planned)
				assert_int_equal(errno, ENODEV);
			if (call == CUT_CALL_SHM_LOCK)
				(void)file->pMethods->xShmLock(file, 0, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
		}
	}
	/* What is planned for all of a disk leaves out what is answered from memory. */
	cutvfs_fail(rig->vfs, CUT_CALL_ANY, NULL, 1, SQLITE_IOERR, true);
	assert_int_equal(call_raw(file, CUT_CALL_LOCK), SQLITE_OK);
	assert_int_equal(file->pMethods->xTruncate(file, 0), SQLITE_IOERR);
	/* As the unix VFS, which knows only "there" and "not there". */
	cutvfs_fail(rig->vfs, CUT_CALL_ACCESS, NULL, 1, SQLITE_NOTFOUND, false);
	for (int expected = 0; expected < 2; expected++) {
		sqlite3_vfs *vfs = sqlite3_vfs_find("cut");

		assert_int_equal(vfs->xAccess(vfs, "/", SQLITE_ACCESS_EXISTS, &there), SQLITE_OK);
		assert_int_equal(there, expected);
	}
	file->pMethods->xShmUnmap(file, 1);
	close_raw(file);
}

/* Whether row 26 is there after a cut before operation cut, of unsynced writes nothing kept. */
static bool keeps_row_26(struct rig *rig, size_t cut)
{
	struct cut_replay *replay = cut_replay_new(rig->vfs, CUT_DROP_ALL, 0);
	struct outcome outcome = { 0 };

	cut_replay_to(replay, cut);
	cut_replay_write(replay, rig->found);
	judge_cut(rig->found, 26, &outcome);
	cut_replay_free(replay);
	return outcome.lost == 0;
}

/* The kernel marks pages clean after a failed fsync: a later one proves nothing about them. */
static void a_failed_sync_makes_nothing_durable_and_a_rewrite_does(void **state)
{
	struct rig *rig = *state;
	sqlite3 *db = NULL;
	size_t failed = 0;

	write_rows(rig->vfs, rig->live, "WAL", "FULL");
	cutvfs_record(rig->vfs, rig->live);
	assert_int_equal(sqlite3_open(in(rig->live, "rows.db"), &db), SQLITE_OK);
	run_sql(db, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0");
	run_sql(db, "INSERT INTO row VALUES(25, 'durable')");
	cutvfs_fail(rig->vfs, CUT_CALL_SYNC, "-wal", 1, SQLITE_IOERR_FSYNC, false);
	assert_int_equal(sqlite3_exec(db, "INSERT INTO row VALUES(26, 'unknown')", NULL, NULL, NULL), SQLITE_IOERR);
	while (cutvfs_get(rig->vfs, failed).kind != CUT_SYNC_FAILED)
		failed++;
	assert_false(keeps_row_26(rig, failed + 1));
	/* A retry writes its frames once more, so these are dirty again when they are synced. */
	run_sql(db, "INSERT INTO row VALUES(26, 'again')");
	assert_true(keeps_row_26(rig, cutvfs_count(rig->vfs)));
	sqlite3_close(db);
}

/* Synced bytes are the disk's; bytes whose sync failed are not, also if a later sync of that file succeeds. */
static void a_sync_after_a_failed_sync_saves_nothing(void **state)
{
	struct rig *rig = *state;
	struct cut_replay *replay;
	char block[512], found[4096];
	sqlite3_file *file;
	FILE *stream;

	cutvfs_record(rig->vfs, rig->live);
	file = open_raw(in(rig->live, "file.db"));
	memset(block, 'a', sizeof(block));
	assert_int_equal(file->pMethods->xWrite(file, block, sizeof(block), 0), SQLITE_OK);
	assert_int_equal(file->pMethods->xWrite(file, block, sizeof(block), 512), SQLITE_OK);
	assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
	memset(block, 'b', sizeof(block));
	assert_int_equal(file->pMethods->xWrite(file, block, sizeof(block), 0), SQLITE_OK);
	cutvfs_fail(rig->vfs, CUT_CALL_SYNC, NULL, 1, SQLITE_IOERR_FSYNC, false);
	assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_IOERR_FSYNC);
	assert_int_equal(file->pMethods->xWrite(file, block, sizeof(block), 512), SQLITE_OK);
	assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
	close_raw(file);
	cutvfs_stop(rig->vfs);

	replay = cut_replay_new(rig->vfs, CUT_DROP_ALL, 1);
	cut_replay_to(replay, cutvfs_count(rig->vfs));
	cut_replay_write(replay, rig->found);
	cut_replay_free(replay);
	stream = fopen(in(rig->found, "file.db"), "rb");
	assert_non_null(stream);
	assert_int_equal(fread(found, 1, sizeof(found), stream), 1024);
	fclose(stream);
	assert_int_equal(found[0], 'a');
	assert_int_equal(found[512], 'b');
}

/* The code under test syncs its folder past SQLite. */
static void a_bare_sync_of_the_folder_makes_names_durable(void **state)
{
	struct rig *rig = *state;
	int folder = open(rig->live, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cut_replay *replay;

	cutvfs_record(rig->vfs, rig->live);
	close_raw(open_raw(in(rig->live, "file.db")));
	assert_int_equal(fsync(folder), 0);
	close(folder);
	close_raw(open_raw(in(rig->live, "later.db")));
	cutvfs_stop(rig->vfs);
	replay = cut_replay_new(rig->vfs, CUT_DROP_ALL_NAMES, 0);
	cut_replay_to(replay, cutvfs_count(rig->vfs));
	cut_replay_write(replay, rig->found);
	cut_replay_free(replay);
	assert_int_equal(access(in(rig->found, "file.db"), F_OK), 0);
	assert_int_equal(access(in(rig->found, "later.db"), F_OK), -1);
}

static void sync_folder(struct rig *rig)
{
	int folder = open(rig->live, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(fsync(folder), 0);
	close(folder);
}

/* As the store marks a segment: an empty file, past SQLite. */
static void make_empty(struct rig *rig, const char *name, bool synced)
{
	int fd = open(in(rig->live, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0440);

	assert_true(fd >= 0);
	if (synced)
		assert_int_equal(fsync(fd), 0);
	close(fd);
}

/* A database file of these bytes, durable but for its name. */
static void make_file(struct rig *rig, const char *name, char content)
{
	sqlite3_file *file = open_raw(in(rig->live, name));

	assert_int_equal(file->pMethods->xWrite(file, &content, 1, 0), SQLITE_OK);
	assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
	close_raw(file);
}

/* What is found after a cut just before that operation. */
static void cut_at(struct rig *rig, enum cut_mode mode, uint64_t its_seed, size_t cut)
{
	struct cut_replay *replay = cut_replay_new(rig->vfs, mode, its_seed);

	cut_replay_to(replay, cut);
	cut_replay_write(replay, rig->found);
	cut_replay_free(replay);
}

/* The file's one byte; 0: it is empty; -1: there is none. */
static int found_byte(struct rig *rig, const char *name)
{
	char byte = 0;
	int fd = open(in(rig->found, name), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	assert_true(read(fd, &byte, 1) >= 0);
	close(fd);
	return byte;
}

static void a_marker_is_durable_once_its_folder_was_synced_and_so_is_its_removal(void **state)
{
	struct rig *rig = *state;
	size_t synced, removed;

	cutvfs_record(rig->vfs, rig->live);
	make_empty(rig, "one.seg.bad", true);
	assert_int_equal(cutvfs_count(rig->vfs), 1);
	assert_int_equal(cutvfs_get(rig->vfs, 0).kind, CUT_CREATE);
	make_empty(rig, "one.seg.bad", true); /* it is there already */
	make_empty(rig, "two.seg.bad", false);
	make_empty(rig, "notes", true);
	assert_int_equal(cutvfs_count(rig->vfs), 1);
	sync_folder(rig);
	synced = cutvfs_count(rig->vfs);
	assert_int_equal(unlink(in(rig->live, "one.seg.bad")), 0);
	assert_int_equal(unlink(in(rig->live, "notes")), 0);
	removed = cutvfs_count(rig->vfs);
	assert_int_equal(removed, synced + 1);
	assert_int_equal(cutvfs_get(rig->vfs, synced).kind, CUT_DELETE);
	assert_non_null(strstr(cutvfs_describe(rig->vfs, synced), "delete 0 at 0 of one.seg.bad"));
	sync_folder(rig);
	cutvfs_stop(rig->vfs);

	cut_at(rig, CUT_DROP_ALL_NAMES, 1, synced - 1);
	assert_int_equal(found_byte(rig, "one.seg.bad"), -1);
	cut_at(rig, CUT_DROP_ALL, 1, synced - 1); /* this disk keeps all names */
	assert_int_equal(found_byte(rig, "one.seg.bad"), 0);
	cut_at(rig, CUT_DROP_ALL_NAMES, 1, synced);
	assert_int_equal(found_byte(rig, "one.seg.bad"), 0);
	cut_at(rig, CUT_DROP_ALL_NAMES, 1, removed);
	assert_int_equal(found_byte(rig, "one.seg.bad"), 0);
	cut_at(rig, CUT_KEEP_ALL, 1, removed);
	assert_int_equal(found_byte(rig, "one.seg.bad"), -1);
	cut_at(rig, CUT_DROP_ALL_NAMES, 1, removed + 1);
	assert_int_equal(found_byte(rig, "one.seg.bad"), -1);
	cut_at(rig, CUT_KEEP_ALL, 1, removed + 1);
	assert_int_equal(found_byte(rig, "two.seg.bad"), -1); /* never synced */
}

static void a_rename_takes_the_content_along_and_replaces_what_was_there(void **state)
{
	struct rig *rig = *state;
	size_t begun, done;

	cutvfs_record(rig->vfs, rig->live);
	make_file(rig, "state.db", 'n');
	make_file(rig, "state.db.bad", 'o');
	make_empty(rig, "notes", true);
	sync_folder(rig);
	begun = cutvfs_count(rig->vfs);
	assert_int_equal(rename(in(rig->live, "state.db"), in(rig->live, "state.db.bad")), 0);
	assert_int_equal(rename(in(rig->live, "notes"), in(rig->live, "more notes")), 0);
	done = cutvfs_count(rig->vfs);
	assert_int_equal(done, begun + 2); /* the old one goes, the new one has its name */
	assert_int_equal(cutvfs_get(rig->vfs, begun).kind, CUT_DELETE);
	assert_int_equal(cutvfs_get(rig->vfs, begun + 1).kind, CUT_RENAME);
	assert_string_equal((const char *)cutvfs_get(rig->vfs, begun + 1).data, "state.db.bad");
	make_file(rig, "state.db", 'x'); /* another of the name */
	sync_folder(rig);
	cutvfs_stop(rig->vfs);

	cut_at(rig, CUT_DROP_ALL_NAMES, 1, done);
	assert_int_equal(found_byte(rig, "state.db"), 'n');
	assert_int_equal(found_byte(rig, "state.db.bad"), 'o');
	cut_at(rig, CUT_KEEP_ALL, 1, done);
	assert_int_equal(found_byte(rig, "state.db"), -1);
	assert_int_equal(found_byte(rig, "state.db.bad"), 'n');
	cut_at(rig, CUT_DROP_ALL_NAMES, 1, cutvfs_count(rig->vfs));
	assert_int_equal(found_byte(rig, "state.db"), 'x');
	assert_int_equal(found_byte(rig, "state.db.bad"), 'n');
}

/* A journal of names: what came first is there first, and never the second alone. */
static void renames_reach_the_disk_in_order(void **state)
{
	uint64_t random = seed_from_environment(20261120);
	int seen[3] = { 0 };
	struct rig *rig = *state;

	cutvfs_record(rig->vfs, rig->live);
	make_file(rig, "state.db", 'a');
	make_file(rig, "state.db-wal", 'b');
	sync_folder(rig);
	assert_int_equal(rename(in(rig->live, "state.db"), in(rig->live, "state.db.bad")), 0);
	assert_int_equal(rename(in(rig->live, "state.db-wal"), in(rig->live, "state.db.bad-wal")), 0);
	cutvfs_stop(rig->vfs);
	for (int i = 0; i < 64; i++) {
		bool first, second;

		cut_at(rig, CUT_DROP_SOME_NAMES, next_random(&random), cutvfs_count(rig->vfs));
		first = found_byte(rig, "state.db.bad") == 'a';
		second = found_byte(rig, "state.db.bad-wal") == 'b';
		assert_int_equal(found_byte(rig, "state.db"), first ? -1 : 'a');
		assert_int_equal(found_byte(rig, "state.db-wal"), second ? -1 : 'b');
		assert_true(first || !second);
		seen[first + second]++;
	}
	assert_true(seen[0] && seen[1] && seen[2]);
}

static void torn_writes_keep_some_sectors_and_lose_some(void **state)
{
	struct rig *rig = *state;
	char block[2048], found[4096];
	struct cut_replay *replay;
	bool kept = false, lost = false;
	sqlite3_file *file;
	FILE *stream;
	size_t size;

	cutvfs_record(rig->vfs, rig->live);
	file = open_raw(in(rig->live, "torn.db"));
	memset(block, 'a', sizeof(block));
	assert_int_equal(file->pMethods->xWrite(file, block, sizeof(block), 0), SQLITE_OK);
	assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
	memset(block, 'b', sizeof(block));
	assert_int_equal(file->pMethods->xWrite(file, block, sizeof(block), 0), SQLITE_OK);
	close_raw(file);
	cutvfs_stop(rig->vfs);

	replay = cut_replay_new(rig->vfs, CUT_TEAR_512, 1);
	cut_replay_to(replay, cutvfs_count(rig->vfs));
	cut_replay_write(replay, rig->found);
	cut_replay_free(replay);
	stream = fopen(in(rig->found, "torn.db"), "rb");
	assert_non_null(stream);
	size = fread(found, 1, sizeof(found), stream);
	fclose(stream);
	assert_int_equal(size, sizeof(block));
	for (size_t i = 0; i < size; i++) {
		kept |= found[i] == 'b';
		lost |= found[i] == 'a';
		assert_int_equal(found[i], found[i / 512 * 512]);
	}
	assert_true(kept);
	assert_true(lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
		CASE(replay_of_the_whole_log_gives_the_live_files),
		CASE(torn_writes_keep_some_sectors_and_lose_some),
		CASE(wal_with_full_sync_loses_nothing_at_any_cut),
		CASE(wal_with_normal_sync_loses_acknowledged_rows),
		CASE(sync_off_loses_rows_and_corrupts),
		CASE(rollback_journal_with_full_sync_loses_the_last_commit_when_its_deletion_is_lost),
		CASE(rollback_journal_with_extra_sync_loses_nothing),
		CASE(planned_failures_reach_sqlite_and_leave_a_whole_database),
		CASE(each_call_that_does_not_write_fails_by_itself),
		CASE(a_failed_sync_makes_nothing_durable_and_a_rewrite_does),
		CASE(a_sync_after_a_failed_sync_saves_nothing),
		CASE(a_bare_sync_of_the_folder_makes_names_durable),
		CASE(a_marker_is_durable_once_its_folder_was_synced_and_so_is_its_removal),
		CASE(a_rename_takes_the_content_along_and_replaces_what_was_there),
		CASE(renames_reach_the_disk_in_order),
#undef CASE
	};

	/* The rig decides what a disk keeps; a real one would only cost time. */
	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
