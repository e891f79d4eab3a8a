/* SPDX-License-Identifier: Apache-2.0 */
#include "cutvfs_log.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file as programs see it (now) and as the disk has it. Sectors differ only where dirty. */
struct replay_file {
	unsigned char *now, *disk;
	unsigned char *dirty; /* one byte per sector */
	size_t room;          /* of all three, a multiple of CUT_SECTOR */
	size_t now_size, disk_size;
	const char *now_name, *disk_name; /* NULL: none */
	size_t last_op;                   /* of the whole log */
};

struct cut_replay {
	const struct cut_log *log;
	enum cut_mode mode;
	uint64_t random;
	size_t at;
	uint64_t version;
	struct replay_file *files;
	bool names_dirty;

	/* CUT_TEAR: what the last operation, if it was a write, covered. */
	int torn_file;
	size_t torn_offset, torn_size, torn_old_size;
	unsigned char *torn_old;
};

const char *cut_mode_name(enum cut_mode mode)
{
	static const char *const names[CUT_MODE_COUNT] = {
		[CUT_KEEP_ALL] = "keep all",
		[CUT_TEAR_512] = "tear at 512",
		[CUT_TEAR_4096] = "tear at 4096",
		[CUT_DROP_ALL] = "drop all unsynced",
		[CUT_DROP_SOME] = "drop some unsynced",
		[CUT_DROP_ALL_NAMES] = "drop all unsynced and names",
		[CUT_DROP_SOME_NAMES] = "drop some unsynced and names",
	};

	return mode < CUT_MODE_COUNT ? names[mode] : "?";
}

static bool coin(struct cut_replay *replay)
{
	uint64_t z = (replay->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) & 1;
}

static bool keeps_unsynced(const struct cut_replay *replay)
{
	return replay->mode <= CUT_TEAR_4096;
}

static bool drops_names(const struct cut_replay *replay)
{
	return replay->mode == CUT_DROP_ALL_NAMES || replay->mode == CUT_DROP_SOME_NAMES;
}

static bool writes_back_early(const struct cut_replay *replay)
{
	return replay->mode == CUT_DROP_SOME || replay->mode == CUT_DROP_SOME_NAMES;
}

static void make_room(struct replay_file *file, size_t size)
{
	size_t room = (size + CUT_SECTOR - 1) / CUT_SECTOR * CUT_SECTOR;

	if (room <= file->room)
		return;
	if (room < file->room * 2)
		room = file->room * 2;
	file->now = cut_must(realloc(file->now, room));
	file->disk = cut_must(realloc(file->disk, room));
	file->dirty = cut_must(realloc(file->dirty, room / CUT_SECTOR));
	memset(file->now + file->room, 0, room - file->room);
	memset(file->disk + file->room, 0, room - file->room);
	memset(file->dirty + file->room / CUT_SECTOR, 0, (room - file->room) / CUT_SECTOR);
	file->room = room;
}

/* The disk takes one sector as it is now. */
static void write_back(struct cut_replay *replay, struct replay_file *file, size_t sector)
{
	size_t at = sector * CUT_SECTOR;

	file->dirty[sector] = 0;
	if (memcmp(file->disk + at, file->now + at, CUT_SECTOR) != 0) {
		memcpy(file->disk + at, file->now + at, CUT_SECTOR);
		replay->version++;
	}
}

static void write_back_size(struct cut_replay *replay, struct replay_file *file)
{
	if (file->disk_size == file->now_size)
		return;
	/* What lies behind the end of a file is gone, also if it grows again. */
	if (file->now_size < file->disk_size)
		memset(file->disk + file->now_size, 0, file->disk_size - file->now_size);
	file->disk_size = file->now_size;
	replay->version++;
}

static void write_back_all(struct cut_replay *replay, struct replay_file *file)
{
	for (size_t sector = 0; sector < file->room / CUT_SECTOR; sector++)
		if (file->dirty[sector])
			write_back(replay, file, sector);
	write_back_size(replay, file);
}

static void write_back_names(struct cut_replay *replay)
{
	for (int i = 0; replay->names_dirty && i < replay->log->name_count; i++) {
		struct replay_file *file = &replay->files[i];

		if (file->disk_name != file->now_name) {
			file->disk_name = file->now_name;
			replay->version++;
		}
	}
	replay->names_dirty = false;
}

static void replay_write_op(struct cut_replay *replay, struct replay_file *file, const struct cut_op *op)
{
	size_t offset = (size_t)op->offset;

	make_room(file, offset + op->size);
	if (replay->mode == CUT_TEAR_512 || replay->mode == CUT_TEAR_4096) {
		replay->torn_file = op->file;
		replay->torn_offset = offset;
		replay->torn_size = op->size;
		replay->torn_old_size = file->now_size;
		replay->torn_old = cut_must(realloc(replay->torn_old, op->size));
		memcpy(replay->torn_old, file->now + offset, op->size);
		replay->version++; /* the tear itself */
	}
	memcpy(file->now + offset, op->data, op->size);
	if (offset + op->size > file->now_size)
		file->now_size = offset + op->size;
	for (size_t sector = offset / CUT_SECTOR; sector * CUT_SECTOR < offset + op->size; sector++) {
		file->dirty[sector] = 1;
		if (keeps_unsynced(replay) || (writes_back_early(replay) && coin(replay)))
			write_back(replay, file, sector);
	}
	if (keeps_unsynced(replay) || (writes_back_early(replay) && coin(replay)))
		write_back_size(replay, file);
}

static void replay_truncate_op(struct cut_replay *replay, struct replay_file *file, const struct cut_op *op)
{
	size_t size = (size_t)op->offset;

	make_room(file, size);
	if (size < file->now_size) {
		memset(file->now + size, 0, file->now_size - size);
		for (size_t sector = size / CUT_SECTOR; sector * CUT_SECTOR < file->now_size; sector++) {
			/* Blocks that the disk never counted as part of the file do not come back when it grows. */
			if (sector * CUT_SECTOR >= file->disk_size && sector * CUT_SECTOR >= size)
				memset(file->disk + sector * CUT_SECTOR, 0, CUT_SECTOR);
			file->dirty[sector] = 1;
		}
	}
	file->now_size = size;
	if (keeps_unsynced(replay))
		write_back_all(replay, file);
	else if (writes_back_early(replay) && coin(replay))
		write_back_size(replay, file);
}

static void replay_op(struct cut_replay *replay, const struct cut_op *op)
{
	struct replay_file *file = op->file >= 0 ? &replay->files[op->file] : NULL;

	if (replay->torn_file >= 0) {
		replay->torn_file = -1;
		replay->version++;
	}
	if (!file) {
		if (op->kind == CUT_FOLDER_SYNC)
			write_back_names(replay);
		return;
	}
	switch (op->kind) {
	case CUT_CREATE:
	case CUT_DELETE:
	case CUT_RENAME:
		file->now_name = op->kind == CUT_DELETE   ? NULL
		                 : op->kind == CUT_RENAME ? (const char *)op->data
		                                          : replay->log->names[op->file].born;
		replay->names_dirty = true;
		/* A journalling file system commits names in order: up to now, or not yet. */
		if (!drops_names(replay) || (replay->mode == CUT_DROP_SOME_NAMES && coin(replay)))
			write_back_names(replay);
		break;
	case CUT_WRITE:
		replay_write_op(replay, file, op);
		break;
	case CUT_TRUNCATE:
		replay_truncate_op(replay, file, op);
		break;
	case CUT_SYNC:
		write_back_all(replay, file);
		break;
	case CUT_SYNC_FAILED:
		for (size_t sector = 0; sector < file->room / CUT_SECTOR; sector++) {
			if (file->dirty[sector] && writes_back_early(replay) && coin(replay))
				write_back(replay, file, sector);
			file->dirty[sector] = 0;
		}
		break;
	default:
		break;
	}
}

struct cut_replay *cut_replay_new(struct cutvfs *vfs, enum cut_mode mode, uint64_t seed)
{
	struct cut_replay *replay = cut_must(calloc(1, sizeof(*replay)));

	replay->log = cutvfs_log(vfs);
	replay->mode = mode;
	replay->random = seed;
	replay->torn_file = -1;
	replay->files = cut_must(calloc((size_t)replay->log->name_count + 1, sizeof(*replay->files)));
	for (size_t i = 0; i < replay->log->count; i++)
		if (replay->log->ops[i].file >= 0)
			replay->files[replay->log->ops[i].file].last_op = i;
	for (int i = 0; i < replay->log->name_count; i++) {
		const struct cut_name *name = &replay->log->names[i];
		struct replay_file *file = &replay->files[i];

		if (!name->from_start)
			continue;
		file->now_name = file->disk_name = name->born;
		if (!name->base_size)
			continue;
		make_room(file, name->base_size);
		memcpy(file->now, name->base, name->base_size);
		memcpy(file->disk, name->base, name->base_size);
		file->now_size = file->disk_size = name->base_size;
	}
	return replay;
}

void cut_replay_free(struct cut_replay *replay)
{
	if (!replay)
		return;
	for (int i = 0; i < replay->log->name_count; i++) {
		free(replay->files[i].now);
		free(replay->files[i].disk);
		free(replay->files[i].dirty);
	}
	free(replay->files);
	free(replay->torn_old);
	free(replay);
}

void cut_replay_to(struct cut_replay *replay, size_t cut)
{
	if (cut < replay->at || cut > replay->log->count)
		abort();
	while (replay->at < cut)
		replay_op(replay, &replay->log->ops[replay->at++]);
}

uint64_t cut_replay_version(const struct cut_replay *replay)
{
	return replay->version;
}

static void write_all(int fd, const unsigned char *data, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, data, size);

		if (done <= 0)
			abort();
		data += done;
		size -= (size_t)done;
	}
}

/* Some sectors of the last write were not written after all: at least one, and not all if there are several. */
static void tear(struct cut_replay *replay, unsigned char *content, size_t *size)
{
	size_t grain = replay->mode == CUT_TEAR_4096 ? 4096 : CUT_SECTOR;
	size_t first = replay->torn_offset / grain, end = replay->torn_offset + replay->torn_size;
	size_t sectors = (end + grain - 1) / grain - first;
	size_t kept_end = replay->torn_old_size, kept = 0, lost = 0;

	for (size_t i = 0; i < sectors; i++) {
		size_t from = (first + i) * grain, to = from + grain;
		bool lose = coin(replay);

		if (i + 1 == sectors && lost == 0)
			lose = true;
		if (i + 1 == sectors && kept == 0 && sectors > 1)
			lose = false;
		if (from < replay->torn_offset)
			from = replay->torn_offset;
		if (to > end)
			to = end;
		if (lose)
			memcpy(content + from, replay->torn_old + (from - replay->torn_offset), to - from);
		else if (to > kept_end)
			kept_end = to;
		lost += lose;
		kept += !lose;
	}
	if (*size > kept_end)
		*size = kept_end;
}

static void write_file(struct cut_replay *replay, int dir, int live, int index)
{
	struct stat status;
	const struct replay_file *file = &replay->files[index];
	size_t size = file->disk_size;
	unsigned char *content = NULL;
	int fd = openat(dir, file->disk_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		abort();
	if (index == replay->torn_file) {
		content = cut_must(malloc(file->room + 1));
		memcpy(content, file->disk, file->room);
		tear(replay, content, &size);
	}
	write_all(fd, content ? content : file->disk, size);
	free(content);
	/* A change of mode passes by any VFS. */
	if (file->last_op < replay->at && live >= 0 && !fstatat(live, file->disk_name, &status, 0) &&
	    !(status.st_mode & 0222) && coin(replay) && fchmod(fd, status.st_mode & 0777))
		abort();
	close(fd);
}

static void empty_folder(const char *folder)
{
	struct dirent *entry;
	DIR *dir;

	if (mkdir(folder, 0755) == 0)
		return;
	dir = cut_must(opendir(folder));
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_REG && unlinkat(dirfd(dir), entry->d_name, 0))
			abort();
	closedir(dir);
}

/* Or what no cut leaves: shared memory, and a marker that nobody synced. */
static bool is_logged(const struct cut_replay *replay, const char *name)
{
	size_t length = strlen(name);

	if ((length > 4 && !strcmp(name + length - 4, "-shm")) || cut_log_is_marker(name))
		return true;
	for (int i = 0; i < replay->log->name_count; i++)
		if (!strcmp(replay->log->names[i].name, name) || !strcmp(replay->log->names[i].born, name))
			return true;
	return false;
}

static void copy_file(int from_dir, int to_dir, const char *name)
{
	unsigned char buffer[65536];
	struct stat status;
	ssize_t got;
	int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
	int to;

	if (from < 0 || fstat(from, &status))
		abort();
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, status.st_mode & 0777);
	if (to < 0)
		abort();
	while ((got = read(from, buffer, sizeof(buffer))) > 0)
		write_all(to, buffer, (size_t)got);
	close(to);
	close(from);
}

static void copy_others(const struct cut_replay *replay, int to_dir)
{
	DIR *dir = cut_must(opendir(replay->log->folder));
	struct dirent *entry;

	while ((entry = readdir(dir)))
		if (entry->d_type == DT_REG && !is_logged(replay, entry->d_name))
			copy_file(dirfd(dir), to_dir, entry->d_name);
	closedir(dir);
}

void cut_replay_write(struct cut_replay *replay, const char *folder)
{
	int dir, live = open(replay->log->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	empty_folder(folder);
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || live < 0)
		abort();
	copy_others(replay, dir);
	for (int i = 0; i < replay->log->name_count; i++)
		if (replay->files[i].disk_name)
			write_file(replay, dir, live, i);
	close(live);
	close(dir);
}
