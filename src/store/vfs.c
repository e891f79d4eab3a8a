/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VFS between SQLite and the default one that counts syncs where they happen: what the store says
 * of its own syncs is measured, not derived. Everything else is passed on. The default VFS is looked
 * up at each open, so that a test's own, registered later, is below this one.
 */
#include "private.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct counted_file {
	sqlite3_file base;
	sqlite3_file *real;
};

static _Thread_local struct kri_sync_counts *thread_counts;

void kri_vfs_count(struct kri_sync_counts *counts)
{
	thread_counts = counts;
}

#define REAL(file) (((struct counted_file *)(file))->real)

static int file_close(sqlite3_file *file)
{
	int code = REAL(file)->pMethods->xClose(REAL(file));

	sqlite3_free(REAL(file));
	return code;
}

static int file_read(sqlite3_file *file, void *data, int count, sqlite3_int64 offset)
{
	return REAL(file)->pMethods->xRead(REAL(file), data, count, offset);
}

static int file_write(sqlite3_file *file, const void *data, int count, sqlite3_int64 offset)
{
	return REAL(file)->pMethods->xWrite(REAL(file), data, count, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return REAL(file)->pMethods->xTruncate(REAL(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
	if (thread_counts)
		thread_counts->count[thread_counts->cause]++;
	return REAL(file)->pMethods->xSync(REAL(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	return REAL(file)->pMethods->xFileSize(REAL(file), ret_size);
}

static int file_lock(sqlite3_file *file, int level)
{
	return REAL(file)->pMethods->xLock(REAL(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	return REAL(file)->pMethods->xUnlock(REAL(file), level);
}

static int file_check_lock(sqlite3_file *file, int *ret_locked)
{
	return REAL(file)->pMethods->xCheckReservedLock(REAL(file), ret_locked);
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
	return REAL(file)->pMethods->xFileControl(REAL(file), operation, argument);
}

static int file_sector_size(sqlite3_file *file)
{
	return REAL(file)->pMethods->xSectorSize(REAL(file));
}

static int file_characteristics(sqlite3_file *file)
{
	return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

/*
 * Shared memory is a file, and a hole in it on a full disk is a SIGBUS for whoever writes there. SQLite writes one byte
 * in each 4096 against that (os_unix.c, unixShmMap), which is too few where blocks have 1024, as on small ext4. So all
 * of it is made writable before it is used, by a call that fails instead (madvise(2), from Linux 5.14 on).
 */
static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret_memory)
{
	int code = REAL(file)->pMethods->xShmMap(REAL(file), page, size, extend, ret_memory);

#ifdef MADV_POPULATE_WRITE
	if (code == SQLITE_OK && *ret_memory && madvise((void *)*ret_memory, (size_t)size, MADV_POPULATE_WRITE) &&
	    errno == EFAULT) {
		*ret_memory = NULL;
		errno = ENOSPC;
		return SQLITE_IOERR_SHMMAP;
	}
#endif
	return code;
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
	return REAL(file)->pMethods->xShmLock(REAL(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
	REAL(file)->pMethods->xShmBarrier(REAL(file));
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
	return REAL(file)->pMethods->xShmUnmap(REAL(file), remove);
}

/* Version 2: shared memory for WAL, no memory-mapped pages (the store does not use them). */
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
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct counted_file *counted = (struct counted_file *)file;
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	int code;

	(void)vfs;
	counted->base.pMethods = NULL;
	counted->real = sqlite3_malloc(real->szOsFile);
	if (!counted->real)
		return SQLITE_NOMEM;
	memset(counted->real, 0, (size_t)real->szOsFile);
	code = real->xOpen(real, name, counted->real, flags, ret_flags);
	if (code == SQLITE_OK) {
		counted->base.pMethods = &file_methods;
		return SQLITE_OK;
	}
	/* A VFS may ask for xClose even after a failed open, by leaving pMethods set. */
	if (counted->real->pMethods)
		counted->real->pMethods->xClose(counted->real);
	sqlite3_free(counted->real);
	return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	(void)vfs;
	if (thread_counts && sync_folder)
		thread_counts->count[thread_counts->cause]++;
	return real->xDelete(real, name, sync_folder);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_result)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	(void)vfs;
	return real->xAccess(real, name, flags, ret_result);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *ret_path)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	(void)vfs;
	return real->xFullPathname(real, name, size, ret_path);
}

static int vfs_randomness(sqlite3_vfs *vfs, int count, char *ret_bytes)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	(void)vfs;
	return real->xRandomness(real, count, ret_bytes);
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	(void)vfs;
	return real->xSleep(real, microseconds);
}

static int vfs_current_time(sqlite3_vfs *vfs, double *ret_days)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	(void)vfs;
	return real->xCurrentTime(real, ret_days);
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *ret_text)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	(void)vfs;
	return real->xGetLastError ? real->xGetLastError(real, size, ret_text) : 0;
}

/* SQLite keeps a list of VFSs for the process; this one entry never changes. */
static sqlite3_vfs counting_vfs = {
	.iVersion = 1,
	.szOsFile = sizeof(struct counted_file),
	.mxPathname = 4096,
	.zName = "kryos",
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_pathname,
	.xRandomness = vfs_randomness,
	.xSleep = vfs_sleep,
	.xCurrentTime = vfs_current_time,
	.xGetLastError = vfs_last_error,
};

static void register_vfs(void)
{
	sqlite3_vfs_register(&counting_vfs, 0);
}

const char *kri_vfs_name(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_vfs);
	return counting_vfs.zName;
}
