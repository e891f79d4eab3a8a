/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crash rig: what a power cut leaves of SQLite files, tried at every single write.
 *
 * A SQLite VFS that works on a real folder through the real unix VFS and logs what is written,
 * truncated, synced, created and deleted. A replay then takes the log up to any operation, under
 * one of several models of what a disk keeps when the power goes, and writes the files as they
 * would be found. Model: a write reaches the disk when its file is synced, or earlier, in sectors
 * of 512 bytes, in any order; names reach it when the folder is synced, or earlier, in order. An
 * overwritten sector never harms its neighbours (SQLite's powersafe overwrite; ext4, F2FS).
 *
 * The shim registers itself as the default VFS, so that code which knows nothing of it is
 * recorded. Only files directly in the recorded folder are; shared memory (-shm) is not, for a cut
 * takes it. The folder's own fsync() is seen too, and what of databases and of markers (.bad) is
 * renamed, unlinked or, a marker, synced without SQLite; a marker that was not synced is never found.
 * A file that was made read-only after its last recorded operation is found so or not, by a coin. One
 * shim in a process; all calls are safe from any thread.
 */
#ifndef KRI_TEST_CUTVFS_H
#define KRI_TEST_CUTVFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cutvfs;

/* Makes the shim and makes it SQLite's default. Aborts the test when it can't. */
struct cutvfs *cutvfs_new(void);
/* Unregisters and frees it; every connection through it must be closed. */
void cutvfs_free(struct cutvfs *vfs);

/* Starts an empty log of folder. What is in it now counts as durable. */
void cutvfs_record(struct cutvfs *vfs, const char *folder);
/* Ends recording; the log stays for replays. */
void cutvfs_stop(struct cutvfs *vfs);
/* Notes in the log that something was promised here: rows up to value acknowledged, for example. */
void cutvfs_mark(struct cutvfs *vfs, int64_t value);

enum cut_kind {
	CUT_CREATE,
	CUT_WRITE,
	CUT_TRUNCATE,
	CUT_SYNC,
	CUT_SYNC_FAILED, /* the kernel forgets that the sectors were dirty: no later sync writes them */
	CUT_DELETE,
	CUT_RENAME, /* data: the new name */
	CUT_FOLDER_SYNC,
	CUT_MARK,
	CUT_KIND_COUNT
};

struct cut_op {
	enum cut_kind kind;
	int file;       /* which; -1: none */
	int64_t offset; /* of a write; length of a truncate; value of a mark */
	size_t size;
	const unsigned char *data;
};
size_t cutvfs_count(struct cutvfs *vfs);
/* Lives until the next cutvfs_record. */
struct cut_op cutvfs_get(struct cutvfs *vfs, size_t index);
/* The newest mark before operation cut; otherwise if there is none. */
int64_t cutvfs_marked(struct cutvfs *vfs, size_t cut, int64_t otherwise);
/* For messages: "write 512 at 1024 of 00000000000000000001.seg-wal". Lives until the next call. */
const char *cutvfs_describe(struct cutvfs *vfs, size_t index);

/* Failures on purpose. */
enum cut_call {
	CUT_CALL_OPEN,
	CUT_CALL_READ,
	CUT_CALL_WRITE,
	CUT_CALL_SYNC,
	CUT_CALL_TRUNCATE,
	CUT_CALL_DELETE,
	CUT_CALL_SIZE,
	CUT_CALL_ACCESS, /* SQLITE_NOTFOUND: "it is not there", as the unix VFS says whatever stat() gave */
	CUT_CALL_PATH,   /* xFullPathname */
	CUT_CALL_LOCK,
	CUT_CALL_UNLOCK, /* what fails to be unlocked stays locked */
	CUT_CALL_CHECK_LOCK,
	CUT_CALL_SHM_MAP,
	CUT_CALL_SHM_LOCK, /* to take one; how giving it back went SQLite does not ask */
	CUT_CALL_ANY       /* each up to deletion: a disk that is gone. The others are answered from memory. */
};
/*
 * From now on, the n-th such call (from 1) on a file of any folder whose name ends in suffix (NULL: any) gives
 * error (SQLITE_IOERR_WRITE, SQLITE_FULL, ...): once, or from then on for ever. n 0 ends it. A write
 * that fails has written half of its sectors.
 */
void cutvfs_fail(struct cutvfs *vfs, enum cut_call call, const char *suffix, int n, int error, bool forever);
/* What errno is then, as SQLite asks for it; until the next cutvfs_fail, which makes it EIO. */
void cutvfs_fail_errno(struct cutvfs *vfs, int system);
/* How often it has failed since. */
int cutvfs_failures(struct cutvfs *vfs);
/* What statvfs() says is free from now on; below 0: the truth. Nothing fails for that. */
void cutvfs_set_free(struct cutvfs *vfs, int64_t bytes);
/* From now on syncs of files whose name ends in suffix are not carried out and said to be done; NULL: none. */
void cutvfs_skip_syncs(struct cutvfs *vfs, const char *suffix);
/* Every sync takes this much longer, as on a bad card. */
void cutvfs_delay_sync(struct cutvfs *vfs, int ms);
/* The n-th sync of files whose name ends in suffix, and later ones, do not come back until this is called with NULL. */
void cutvfs_hold_sync(struct cutvfs *vfs, const char *suffix, int n);
/* How many wait so. */
int cutvfs_held(struct cutvfs *vfs);

/* What the disk kept at the cut. */
enum cut_mode {
	CUT_KEEP_ALL,        /* everything before the cut */
	CUT_TEAR_512,        /* ... but of the last write only some sectors of 512 bytes */
	CUT_TEAR_4096,       /* ... or of 4096 */
	CUT_DROP_ALL,        /* of unsynced writes nothing */
	CUT_DROP_SOME,       /* of unsynced sectors a seeded half, at any of their versions */
	CUT_DROP_ALL_NAMES,  /* as CUT_DROP_ALL, and of names nothing that the folder's sync did not cover */
	CUT_DROP_SOME_NAMES, /* as CUT_DROP_SOME, and names up to a seeded moment */
	CUT_MODE_COUNT
};
const char *cut_mode_name(enum cut_mode mode);

/* A replay goes forward through the log. */
struct cut_replay;
struct cut_replay *cut_replay_new(struct cutvfs *vfs, enum cut_mode mode, uint64_t seed);
void cut_replay_free(struct cut_replay *replay);
/* To just before operation cut; never backwards. */
void cut_replay_to(struct cut_replay *replay, size_t cut);
/* Changes whenever what would be found changes: cuts with the same number need be tried once. */
uint64_t cut_replay_version(const struct cut_replay *replay);
/*
 * Fills folder (emptied first, made if it is missing) with the files as they would be found, and with
 * copies of what the recorded folder has beside them (keys, locks, reserve).
 */
void cut_replay_write(struct cut_replay *replay, const char *folder);

#endif
