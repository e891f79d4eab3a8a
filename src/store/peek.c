/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a database, read through SQLite's VFS. Never through a descriptor of our own: closing one drops every
 * POSIX lock that this process holds on that file, and with them SQLite's (fcntl(2), sqlite.org/howtocorrupt.html 2.2).
 *
 * What SQLite's unix VFS does instead (os_unix.c): a file opened as SQLITE_OPEN_MAIN_DB, also read-only, gets the
 * locks' common unixInodeInfo (fillInUnixFile, findInodeInfo); unixClose puts its descriptor aside while any connection
 * of the process has a lock on that inode (nLock, setPendingFd), and the next read-only open takes it up again
 * (findReusableFd), so there is never more than one. A WAL is opened without locks and closed at once
 * (UNIXFILE_NOLOCK, nolockIoMethods): nobody ever locks one, WAL locks are on the database and on the -shm file.
 */
#include "salvage.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int fail(const char *name, int code, int system)
{
	int r = -EIO;

	if ((code & 0xff) == SQLITE_NOMEM)
		r = -ENOMEM;
	else if ((code & 0xff) == SQLITE_CANTOPEN && system)
		r = -system;
	return kryos_fail(r, "%s: can't be looked at: %s%s%s", name, sqlite3_errstr(code), system ? ": " : "",
	                  system ? strerror(system) : "");
}

/* The flags by which the VFS knows what it opens; the WAL's asks for the mode of a database that may be gone. */
static int open_flags(enum kri_peek_kind kind, const char *db_name)
{
	struct stat status;

	if (kind == KRI_PEEK_DB)
		return SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READONLY;
	if (stat(db_name, &status))
		return SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_READONLY;
	return SQLITE_OPEN_WAL | SQLITE_OPEN_READONLY;
}

int kri_peek_open(struct kri_peek *peek, const char *db_path, enum kri_peek_kind kind)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(kri_vfs_name());
	char full[PATH_MAX], journal[PATH_MAX + 16], wal[PATH_MAX + 16];
	sqlite3_int64 bytes = 0;
	struct stat status;
	const char *name;
	int code, r;

	memset(peek, 0, sizeof(*peek));
	errno = 0; /* a VFS need not set it, and an old one would be taken for the reason */
	code = vfs->xFullPathname(vfs, db_path, sizeof(full), full);
	if (code != SQLITE_OK && code != SQLITE_OK_SYMLINK)
		return fail(db_path, code, vfs->xGetLastError(vfs, 0, NULL));
	snprintf(journal, sizeof(journal), "%s-journal", full);
	snprintf(wal, sizeof(wal), "%s-wal", full);
	peek->names = (char *)sqlite3_create_filename(full, journal, wal, 0, NULL);
	peek->file = sqlite3_malloc(vfs->szOsFile);
	if (!peek->names || !peek->file) {
		r = kryos_fail(-ENOMEM, "%s: no memory to look at it", db_path);
		goto free_names;
	}
	memset(peek->file, 0, (size_t)vfs->szOsFile);
	name = kind == KRI_PEEK_DB ? peek->names : sqlite3_filename_wal(peek->names);
	if (stat(name, &status)) {
		r = kryos_fail(-errno, "%s: %s", name, strerror(errno));
		goto free_names;
	}
	errno = 0;
	code = vfs->xOpen(vfs, name, peek->file, open_flags(kind, peek->names), NULL);
	if (code != SQLITE_OK) {
		r = fail(name, code, vfs->xGetLastError(vfs, 0, NULL));
		goto free_names;
	}
	code = peek->file->pMethods->xFileSize(peek->file, &bytes);
	if (code != SQLITE_OK) {
		r = fail(name, code, 0);
		kri_peek_close(peek);
		return r;
	}
	peek->bytes = bytes;
	return 0;

free_names:
	sqlite3_free(peek->file);
	peek->file = NULL;
	kri_peek_close(peek);
	return r;
}

void kri_peek_memory(struct kri_peek *peek, const uint8_t *data, size_t size)
{
	*peek = (struct kri_peek){ .memory = data, .bytes = (int64_t)size };
}

int kri_peek_read(struct kri_peek *peek, void *data, size_t size, int64_t offset)
{
	int code;

	if (peek->memory) {
		if (offset < 0 || offset > peek->bytes || (int64_t)size > peek->bytes - offset)
			return -EIO;
		memcpy(data, peek->memory + offset, size);
		return 0;
	}
	code = peek->file->pMethods->xRead(peek->file, data, (int)size, offset);

	return code == SQLITE_OK ? 0 : fail(peek->names, code, 0);
}

void kri_peek_close(struct kri_peek *peek)
{
	if (peek->file && peek->file->pMethods)
		peek->file->pMethods->xClose(peek->file);
	sqlite3_free(peek->file);
	sqlite3_free_filename(peek->names);
	memset(peek, 0, sizeof(*peek));
}
