/* SPDX-License-Identifier: Apache-2.0 */
/* The store's folder, where SQLite is not: lock, names, sizes. Databases are removed through SQLite's own VFS. */
#include "private.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static long lock_owner(int fd)
{
	char text[32] = "";
	ssize_t count = pread(fd, text, sizeof(text) - 1, 0);

	return count > 0 ? strtol(text, NULL, 10) : 0;
}

/* Its name must outlive a power cut as all in it does. */
static int make_folder(const char *folder)
{
	char parent[PATH_MAX];
	size_t length;

	if (mkdir(folder, 0770))
		return errno == EEXIST
		               ? 0
		               : kryos_fail(-errno,
		                            "%s: can't make the folder: %s; a store needs one that it may write in",
		                            folder, strerror(errno));
	length = strlen(folder);
	while (length > 1 && folder[length - 1] == '/')
		length--;
	while (length && folder[length - 1] != '/')
		length--;
	if (length >= sizeof(parent))
		return kryos_fail(-ENAMETOOLONG, "%s: the name is too long", folder);
	snprintf(parent, sizeof(parent), "%.*s", length ? (int)length : 1, length ? folder : ".");
	return kri_sync_folder(parent);
}

int kri_lock_folder(const char *folder, int *ret_fd)
{
	char path[PATH_MAX], text[32];
	struct stat status;
	int fd, length, r;

	r = make_folder(folder);
	if (r < 0)
		return r;
	if (stat(folder, &status))
		return kryos_fail(-errno, "%s: %s", folder, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return kryos_fail(-ENOTDIR, "%s: is not a folder; a store needs one that it may write in", folder);
	snprintf(path, sizeof(path), "%s/lock", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
	if (fd < 0)
		return kryos_fail(-errno, "%s: can't write in the folder: %s; a store needs one that it may write in",
		                  folder, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		r = errno == EWOULDBLOCK
		            ? kryos_fail(-EBUSY, "%s: process %ld writes to this store", folder, lock_owner(fd))
		            : kryos_fail(-errno, "%s: can't lock: %s", path, strerror(errno));
		close(fd);
		return r;
	}
	/* For people and for the sentence above only; the lock itself is the flock. */
	length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)length, 0) != length) {
		r = kryos_fail(-errno, "%s: can't write: %s", path, strerror(errno));
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

void kri_segment_path(const char *folder, int64_t first_seq, char path[], size_t size)
{
	snprintf(path, size, "%s/%020" PRId64 ".seg", folder, first_seq);
}

void kri_segment_read_path(const char *folder, const struct kri_segment_info *info, char path[], size_t size)
{
	snprintf(path, size, "%s/%020" PRId64 ".seg%s", folder, info->first_seq, info->mended ? ".salvaged" : "");
}

int64_t kri_file_bytes(const char *path)
{
	struct stat status;

	return stat(path, &status) ? 0 : (int64_t)status.st_size;
}

int64_t kri_db_bytes(const char *path)
{
	char wal[PATH_MAX];

	snprintf(wal, sizeof(wal), "%s-wal", path);
	return kri_file_bytes(path) + kri_file_bytes(wal);
}

int64_t kri_segment_bytes_on_disk(const char *path)
{
	char salvaged[PATH_MAX];

	snprintf(salvaged, sizeof(salvaged), "%s.salvaged", path);
	return kri_db_bytes(path) + kri_file_bytes(salvaged);
}

static int compare(const void *a, const void *b)
{
	const struct kri_segment_info *x = a, *y = b;

	return (x->first_seq > y->first_seq) - (x->first_seq < y->first_seq);
}

static bool parse_name(const char *name, int64_t *ret_seq)
{
	char *end;

	if (strlen(name) != 24 || strspn(name, "0123456789") != 20 || strcmp(name + 20, ".seg") != 0)
		return false;
	errno = 0;
	*ret_seq = strtoll(name, &end, 10);
	return !errno && *ret_seq >= 1 && *ret_seq <= KRI_MAX_SEQ;
}

int kri_list_segments(const char *folder, struct kri_segment_info **ret_list, int *ret_count)
{
	struct kri_segment_info *list = NULL, *grown;
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *directory = opendir(folder);
	int count = 0, capacity = 0;
	int64_t seq;

	if (!directory)
		return kryos_fail(-errno, "%s: %s", folder, strerror(errno));
	while ((entry = readdir(directory))) {
		struct stat status;

		if (!parse_name(entry->d_name, &seq) || fstatat(dirfd(directory), entry->d_name, &status, 0) ||
		    !S_ISREG(status.st_mode))
			continue;
		if (count == capacity) {
			capacity = capacity ? 2 * capacity : 64;
			grown = realloc(list, (size_t)capacity * sizeof(*list));
			if (!grown) {
				free(list);
				closedir(directory);
				return -ENOMEM;
			}
			list = grown;
		}
		list[count] =
			(struct kri_segment_info){ .first_seq = seq, .last_seq = seq - 1, .bytes = status.st_size };
		/* A closed segment has been made read-only as its last step. */
		list[count].closed = !(status.st_mode & 0222);
		snprintf(path, sizeof(path), "%s.bad", entry->d_name);
		list[count].bad = faccessat(dirfd(directory), path, F_OK, 0) == 0;
		/* Read-only: all that was left of it is there. */
		snprintf(path, sizeof(path), "%s.salvaged", entry->d_name);
		list[count].mended =
			list[count].bad && fstatat(dirfd(directory), path, &status, 0) == 0 && !(status.st_mode & 0222);
		if (list[count].mended)
			list[count].bytes += status.st_size;
		count++;
	}
	closedir(directory);
	if (count)
		qsort(list, (size_t)count, sizeof(*list), compare);
	*ret_list = list;
	*ret_count = count;
	return 0;
}

int kri_remove_db(const char *path)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(kri_vfs_name());
	char other[PATH_MAX];
	static const char *const suffixes[] = {
		".salvaged", ".salvaged-journal", "", "-wal", "-shm", "-journal", ".bad"
	};
	int code, r = 0;

	/*
	 * The database before its WAL: a WAL without its database is ignored, a database without its WAL is an older
	 * one. What was salvaged before both: without the database nobody would look for it, and it may be as large.
	 */
	for (size_t i = 0; i < KRI_ARRAY_SIZE(suffixes); i++) {
		snprintf(other, sizeof(other), "%s%s", path, suffixes[i]);
		code = vfs->xDelete(vfs, other, !*suffixes[i]);
		if (code != SQLITE_OK && code != SQLITE_IOERR_DELETE_NOENT)
			r = kryos_fail(-EIO, "%s: can't be removed: %s", other, strerror(errno));
	}
	return r;
}

int kri_sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return kryos_fail(-errno, "%s: %s", folder, strerror(errno));
	if (fsync(fd))
		r = kryos_fail(-errno, "%s: sync: %s", folder, strerror(errno));
	close(fd);
	return r;
}

int64_t kri_free_bytes(const char *folder)
{
	struct statvfs status;

	if (statvfs(folder, &status))
		return INT64_MAX;
	return (int64_t)status.f_bavail * (int64_t)status.f_frsize;
}
