/* SPDX-License-Identifier: Apache-2.0 */
#include "cutvfs_log.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* The one shim of this process, for fsync() below; which SQLite's own calls, counted by the shim, pass by. */
static struct cutvfs *the_shim;
static _Thread_local bool in_shim;

struct cut_file {
	sqlite3_file base; /* first */
	struct cutvfs *vfs;
	int file; /* index of names, -1: not recorded */
	const char *path;
	bool sync_folder; /* as the unix VFS: the first sync of a new journal or WAL syncs the folder */
	sqlite3_file *real;
};

static void note_marker(struct cutvfs *vfs, int fd)
{
	char link[64], path[4096];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return;
	path[length] = '\0';
	cut_log_marked(vfs, path);
}

/*
 * Folders are synced by a bare fsync(), past any VFS. Defined here it stands before the C library's for
 * the code under test.
 */
int fsync(int fd)
{
	int (*real)(int);
	struct stat status, folder;
	struct cutvfs *vfs = the_shim;
	int r;

	*(void **)&real = dlsym(RTLD_NEXT, "fsync");
	r = real(fd);
	if (r || !vfs || in_shim || fstat(fd, &status))
		return r;
	pthread_mutex_lock(&vfs->mutex);
	if (S_ISREG(status.st_mode)) {
		note_marker(vfs, fd);
	} else if (S_ISDIR(status.st_mode) && vfs->recording && !stat(vfs->log.folder, &folder) &&
	           folder.st_dev == status.st_dev && folder.st_ino == status.st_ino) {
		cut_log_add(vfs, (struct cut_op){ CUT_FOLDER_SYNC, -1, 0, 0, NULL }, NULL);
	}
	pthread_mutex_unlock(&vfs->mutex);
	return r;
}

/* As fsync() above; only what succeeded. */
int rename(const char *from, const char *to)
{
	int (*real)(const char *from, const char *to);
	struct cutvfs *vfs = the_shim;
	int r;

	*(void **)&real = dlsym(RTLD_NEXT, "rename");
	if (!vfs || in_shim)
		return real(from, to);
	pthread_mutex_lock(&vfs->mutex);
	r = real(from, to);
	if (!r)
		cut_log_renamed(vfs, from, to);
	pthread_mutex_unlock(&vfs->mutex);
	return r;
}

int unlink(const char *path)
{
	int (*real)(const char *path);
	struct cutvfs *vfs = the_shim;
	int r;

	*(void **)&real = dlsym(RTLD_NEXT, "unlink");
	if (!vfs || in_shim)
		return real(path);
	pthread_mutex_lock(&vfs->mutex);
	r = real(path);
	if (!r)
		cut_log_removed(vfs, path);
	pthread_mutex_unlock(&vfs->mutex);
	return r;
}

/* Free space is asked for past any VFS too. */
int statvfs(const char *path, struct statvfs *ret_status)
{
	int (*real)(const char *path, struct statvfs *ret_status);
	struct cutvfs *vfs = the_shim;
	int r;

	*(void **)&real = dlsym(RTLD_NEXT, sizeof(off_t) > sizeof(long) ? "statvfs64" : "statvfs");
	r = real(path, ret_status);
	if (r || !vfs)
		return r;
	pthread_mutex_lock(&vfs->mutex);
	if (vfs->free_bytes >= 0)
		ret_status->f_bavail = (fsblkcnt_t)(vfs->free_bytes / (int64_t)ret_status->f_frsize);
	pthread_mutex_unlock(&vfs->mutex);
	return 0;
}

static bool ends_in(const char *path, const char *suffix)
{
	size_t length = path ? strlen(path) : 0, end = strlen(suffix);

	return length >= end && strcmp((path ? path : "") + length - end, suffix) == 0;
}

/* The error this call must give, or SQLITE_OK. Caller holds the mutex. */
static int planned_failure(struct cutvfs *vfs, enum cut_call call, const char *path)
{
	bool meant = vfs->fail.call == call || (vfs->fail.call == CUT_CALL_ANY && call <= CUT_CALL_DELETE);

	if (vfs->fail.n == 0 || !meant || !ends_in(path, vfs->fail.suffix))
		return SQLITE_OK;
	if (vfs->fail.n > 1) {
		vfs->fail.n--;
		return SQLITE_OK;
	}
	if (!vfs->fail.forever)
		vfs->fail.n = 0;
	vfs->fail.failures++;
	errno = vfs->fail.system; /* as the system's own failing call would leave it, and SQLite tells it on */
	return vfs->fail.error;
}

static int asked_failure(struct cutvfs *vfs, enum cut_call call, const char *path)
{
	int r;

	pthread_mutex_lock(&vfs->mutex);
	r = planned_failure(vfs, call, path);
	pthread_mutex_unlock(&vfs->mutex);
	return r;
}

static int file_close(sqlite3_file *base)
{
	struct cut_file *file = (struct cut_file *)base;

	return file->real->pMethods->xClose(file->real);
}

static int file_read(sqlite3_file *base, void *data, int size, sqlite3_int64 offset)
{
	struct cut_file *file = (struct cut_file *)base;
	int r = asked_failure(file->vfs, CUT_CALL_READ, file->path);

	return r ? r : file->real->pMethods->xRead(file->real, data, size, offset);
}

static int file_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
	struct cut_file *file = (struct cut_file *)base;
	struct cutvfs *vfs = file->vfs;
	int r, failure;

	pthread_mutex_lock(&vfs->mutex);
	failure = planned_failure(vfs, CUT_CALL_WRITE, file->path);
	if (failure)
		size = size / 2 / CUT_SECTOR * CUT_SECTOR;
	r = size ? file->real->pMethods->xWrite(file->real, data, size, offset) : SQLITE_OK;
	if (!r && size)
		cut_log_add(vfs, (struct cut_op){ CUT_WRITE, file->file, offset, (size_t)size, NULL }, data);
	pthread_mutex_unlock(&vfs->mutex);
	return failure ? failure : r;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct cut_file *file = (struct cut_file *)base;
	int r;

	pthread_mutex_lock(&file->vfs->mutex);
	r = planned_failure(file->vfs, CUT_CALL_TRUNCATE, file->path);
	if (!r)
		r = file->real->pMethods->xTruncate(file->real, size);
	if (!r)
		cut_log_add(file->vfs, (struct cut_op){ CUT_TRUNCATE, file->file, size, 0, NULL }, NULL);
	pthread_mutex_unlock(&file->vfs->mutex);
	return r;
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct cut_file *file = (struct cut_file *)base;
	struct cutvfs *vfs = file->vfs;
	struct timespec delay = { 0 };
	int r;

	pthread_mutex_lock(&vfs->mutex);
	delay.tv_sec = vfs->sync_delay_ms / 1000;
	delay.tv_nsec = vfs->sync_delay_ms % 1000 * 1000000L;
	pthread_mutex_unlock(&vfs->mutex);
	if (delay.tv_sec || delay.tv_nsec)
		nanosleep(&delay, NULL);

	pthread_mutex_lock(&vfs->mutex);
	while (vfs->held_suffix[0] && ends_in(file->path, vfs->held_suffix)) {
		if (vfs->hold_at > 1) {
			vfs->hold_at--;
			break;
		}
		vfs->held++;
		pthread_cond_wait(&vfs->released, &vfs->mutex);
		vfs->held--;
	}
	r = planned_failure(vfs, CUT_CALL_SYNC, file->path);
	if (r) {
		cut_log_add(vfs, (struct cut_op){ CUT_SYNC_FAILED, file->file, 0, 0, NULL }, NULL);
	} else if (!vfs->skipped_syncs[0] || !ends_in(file->path, vfs->skipped_syncs)) {
		in_shim = true;
		r = file->real->pMethods->xSync(file->real, flags);
		in_shim = false;
		if (!r)
			cut_log_add(vfs, (struct cut_op){ CUT_SYNC, file->file, 0, 0, NULL }, NULL);
		if (!r && file->sync_folder && file->file >= 0) {
			cut_log_add(vfs, (struct cut_op){ CUT_FOLDER_SYNC, -1, 0, 0, NULL }, NULL);
			file->sync_folder = false;
		}
	}
	pthread_mutex_unlock(&vfs->mutex);
	return r;
}

#define REAL(base) ((struct cut_file *)(base))->real
static int file_failure(sqlite3_file *base, enum cut_call call)
{
	return asked_failure(((struct cut_file *)base)->vfs, call, ((struct cut_file *)base)->path);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	int r = file_failure(base, CUT_CALL_SIZE);

	return r ? r : REAL(base)->pMethods->xFileSize(REAL(base), size);
}
static int file_lock(sqlite3_file *base, int lock)
{
	int r = file_failure(base, CUT_CALL_LOCK);

	return r ? r : REAL(base)->pMethods->xLock(REAL(base), lock);
}
static int file_unlock(sqlite3_file *base, int lock)
{
	int r = file_failure(base, CUT_CALL_UNLOCK);

	return r ? r : REAL(base)->pMethods->xUnlock(REAL(base), lock);
}
static int file_check_reserved(sqlite3_file *base, int *out)
{
	int r = file_failure(base, CUT_CALL_CHECK_LOCK);

	return r ? r : REAL(base)->pMethods->xCheckReservedLock(REAL(base), out);
}
static int file_control(sqlite3_file *base, int op, void *arg)
{
	return REAL(base)->pMethods->xFileControl(REAL(base), op, arg);
}
static int file_sector_size(sqlite3_file *base)
{
	return REAL(base)->pMethods->xSectorSize(REAL(base));
}
static int file_characteristics(sqlite3_file *base)
{
	return REAL(base)->pMethods->xDeviceCharacteristics(REAL(base));
}
static int file_shm_map(sqlite3_file *base, int page, int size, int extend, void volatile **out)
{
	int r = file_failure(base, CUT_CALL_SHM_MAP);

	*out = NULL;
	return r ? r : REAL(base)->pMethods->xShmMap(REAL(base), page, size, extend, out);
}
static int file_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
	int r = flags & SQLITE_SHM_LOCK ? file_failure(base, CUT_CALL_SHM_LOCK) : SQLITE_OK;

	return r ? r : REAL(base)->pMethods->xShmLock(REAL(base), offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *base)
{
	REAL(base)->pMethods->xShmBarrier(REAL(base));
}
static int file_shm_unmap(sqlite3_file *base, int delete)
{
	return REAL(base)->pMethods->xShmUnmap(REAL(base), delete);
}

/* Version 2: without memory-mapped pages, which would be written behind the log's back. */
static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *out, int flags, int *ret_flags)
{
	struct cutvfs *vfs = (struct cutvfs *)base;
	struct cut_file *file = (struct cut_file *)out;
	const char *name;
	bool existed;
	int r;

	*file = (struct cut_file){ .vfs = vfs, .file = -1, .path = path };
	file->real = (sqlite3_file *)(file + 1);
	pthread_mutex_lock(&vfs->mutex);
	name = cut_log_inside(vfs, path);
	existed = path && access(path, F_OK) == 0;
	r = planned_failure(vfs, CUT_CALL_OPEN, path);
	in_shim = true;
	if (!r)
		r = vfs->real->xOpen(vfs->real, path, file->real, flags, ret_flags);
	in_shim = false;
	if (!r) {
		out->pMethods = &file_methods;
		if (name) {
			file->file = cut_log_find(vfs, name);
			if (file->file < 0 || !existed) {
				file->file = cut_log_add_name(vfs, name);
				cut_log_add(vfs, (struct cut_op){ CUT_CREATE, file->file, 0, 0, NULL }, NULL);
			}
			/* os_unix.c, unixOpen(): isNewJrnl. */
			file->sync_folder =
				(flags & SQLITE_OPEN_CREATE) &&
				(flags & (SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL));
		}
	}
	pthread_mutex_unlock(&vfs->mutex);
	return r;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync_folder)
{
	struct cutvfs *vfs = (struct cutvfs *)base;
	const char *name;
	int r, file;

	pthread_mutex_lock(&vfs->mutex);
	name = cut_log_inside(vfs, path);
	r = planned_failure(vfs, CUT_CALL_DELETE, path);
	if (!r) {
		in_shim = true;
		r = vfs->real->xDelete(vfs->real, path, sync_folder);
		in_shim = false;
	}
	file = !r && name ? cut_log_find(vfs, name) : -1;
	if (file >= 0) {
		vfs->log.names[file].present = false;
		cut_log_add(vfs, (struct cut_op){ CUT_DELETE, file, 0, 0, NULL }, NULL);
		if (sync_folder)
			cut_log_add(vfs, (struct cut_op){ CUT_FOLDER_SYNC, -1, 0, 0, NULL }, NULL);
	}
	pthread_mutex_unlock(&vfs->mutex);
	return r;
}

static int vfs_access(sqlite3_vfs *base, const char *path, int flags, int *out)
{
	struct cutvfs *vfs = (struct cutvfs *)base;
	int r = asked_failure(vfs, CUT_CALL_ACCESS, path);

	if (r == SQLITE_NOTFOUND) {
		*out = 0;
		return SQLITE_OK;
	}
	return r ? r : vfs->real->xAccess(vfs->real, path, flags, out);
}
static int vfs_full_pathname(sqlite3_vfs *base, const char *path, int size, char *out)
{
	struct cutvfs *vfs = (struct cutvfs *)base;
	int r = asked_failure(vfs, CUT_CALL_PATH, path);

	return r ? r : vfs->real->xFullPathname(vfs->real, path, size, out);
}
static int vfs_randomness(sqlite3_vfs *base, int size, char *out)
{
	sqlite3_vfs *real = ((struct cutvfs *)base)->real;

	return real->xRandomness(real, size, out);
}
static int vfs_sleep(sqlite3_vfs *base, int us)
{
	sqlite3_vfs *real = ((struct cutvfs *)base)->real;

	return real->xSleep(real, us);
}
static int vfs_current_time(sqlite3_vfs *base, double *out)
{
	sqlite3_vfs *real = ((struct cutvfs *)base)->real;

	return real->xCurrentTime(real, out);
}
static int vfs_last_error(sqlite3_vfs *base, int size, char *out)
{
	sqlite3_vfs *real = ((struct cutvfs *)base)->real;

	return real->xGetLastError(real, size, out);
}

struct cutvfs *cutvfs_new(void)
{
	struct cutvfs *vfs = cut_must(calloc(1, sizeof(*vfs)));

	vfs->real = cut_must(sqlite3_vfs_find(NULL));
	pthread_mutex_init(&vfs->mutex, NULL);
	vfs->free_bytes = -1;
	pthread_cond_init(&vfs->released, NULL);
	vfs->base = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = (int)sizeof(struct cut_file) + vfs->real->szOsFile,
		.mxPathname = vfs->real->mxPathname,
		.zName = "cut",
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_pathname,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_current_time,
		.xGetLastError = vfs_last_error,
	};
	if (the_shim || sqlite3_vfs_register(&vfs->base, 1))
		abort();
	the_shim = vfs;
	return vfs;
}

void cutvfs_free(struct cutvfs *vfs)
{
	if (!vfs)
		return;
	the_shim = NULL;
	sqlite3_vfs_unregister(&vfs->base);
	sqlite3_vfs_register(vfs->real, 1);
	cut_log_clear(&vfs->log);
	pthread_cond_destroy(&vfs->released);
	pthread_mutex_destroy(&vfs->mutex);
	free(vfs);
}

void cutvfs_fail(struct cutvfs *vfs, enum cut_call call, const char *suffix, int n, int error, bool forever)
{
	pthread_mutex_lock(&vfs->mutex);
	vfs->fail.call = call;
	snprintf(vfs->fail.suffix, sizeof(vfs->fail.suffix), "%s", suffix ? suffix : "");
	vfs->fail.n = n;
	vfs->fail.error = error;
	vfs->fail.forever = forever;
	vfs->fail.failures = 0;
	vfs->fail.system = EIO;
	pthread_mutex_unlock(&vfs->mutex);
}

void cutvfs_fail_errno(struct cutvfs *vfs, int system)
{
	pthread_mutex_lock(&vfs->mutex);
	vfs->fail.system = system;
	pthread_mutex_unlock(&vfs->mutex);
}

int cutvfs_failures(struct cutvfs *vfs)
{
	int failures;

	pthread_mutex_lock(&vfs->mutex);
	failures = vfs->fail.failures;
	pthread_mutex_unlock(&vfs->mutex);
	return failures;
}

void cutvfs_set_free(struct cutvfs *vfs, int64_t bytes)
{
	pthread_mutex_lock(&vfs->mutex);
	vfs->free_bytes = bytes;
	pthread_mutex_unlock(&vfs->mutex);
}

void cutvfs_skip_syncs(struct cutvfs *vfs, const char *suffix)
{
	pthread_mutex_lock(&vfs->mutex);
	snprintf(vfs->skipped_syncs, sizeof(vfs->skipped_syncs), "%s", suffix ? suffix : "");
	pthread_mutex_unlock(&vfs->mutex);
}

void cutvfs_delay_sync(struct cutvfs *vfs, int ms)
{
	pthread_mutex_lock(&vfs->mutex);
	vfs->sync_delay_ms = ms;
	pthread_mutex_unlock(&vfs->mutex);
}

void cutvfs_hold_sync(struct cutvfs *vfs, const char *suffix, int n)
{
	pthread_mutex_lock(&vfs->mutex);
	vfs->hold_at = n;
	snprintf(vfs->held_suffix, sizeof(vfs->held_suffix), "%s", suffix ? suffix : "");
	pthread_cond_broadcast(&vfs->released);
	pthread_mutex_unlock(&vfs->mutex);
}

int cutvfs_held(struct cutvfs *vfs)
{
	int held;

	pthread_mutex_lock(&vfs->mutex);
	held = vfs->held;
	pthread_mutex_unlock(&vfs->mutex);
	return held;
}
