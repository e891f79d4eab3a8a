/* SPDX-License-Identifier: Apache-2.0 */
#include "cutvfs_log.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cut_log_add(struct cutvfs *vfs, struct cut_op op, const void *data)
{
	struct cut_log *log = &vfs->log;

	if (!vfs->recording || (op.file < 0 && op.kind != CUT_MARK && op.kind != CUT_FOLDER_SYNC))
		return;
	if (log->count == log->room) {
		log->room = log->room ? log->room * 2 : 1024;
		log->ops = cut_must(realloc(log->ops, log->room * sizeof(*log->ops)));
	}
	if (data && op.size)
		op.data = memcpy(cut_must(malloc(op.size)), data, op.size);
	log->ops[log->count++] = op;
}

int cut_log_add_name(struct cutvfs *vfs, const char *name)
{
	struct cut_log *log = &vfs->log;

	if (log->name_count == log->name_room) {
		log->name_room = log->name_room ? log->name_room * 2 : 16;
		log->names = cut_must(realloc(log->names, (size_t)log->name_room * sizeof(*log->names)));
	}
	log->names[log->name_count] =
		(struct cut_name){ .name = cut_must(strdup(name)), .born = cut_must(strdup(name)), .present = true };
	return log->name_count++;
}

const char *cut_log_inside(const struct cutvfs *vfs, const char *path)
{
	size_t length = vfs->log.folder ? strlen(vfs->log.folder) : 0;

	if (!vfs->recording || !vfs->log.folder || !path || strncmp(path, vfs->log.folder, length) != 0 ||
	    path[length] != '/' || strchr(path + length + 1, '/'))
		return NULL;
	return path + length + 1;
}

int cut_log_find(const struct cutvfs *vfs, const char *name)
{
	for (int i = vfs->log.name_count - 1; i >= 0; i--)
		if (vfs->log.names[i].present && !strcmp(vfs->log.names[i].name, name))
			return i;
	return -1;
}

void cut_log_clear(struct cut_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free((void *)log->ops[i].data);
	for (int i = 0; i < log->name_count; i++) {
		free(log->names[i].name);
		free(log->names[i].born);
		free(log->names[i].base);
	}
	free(log->ops);
	free(log->names);
	free(log->folder);
	*log = (struct cut_log){ 0 };
}

static bool ends_in(const char *name, const char *end)
{
	size_t length = strlen(name), size = strlen(end);

	return length >= size && !strcmp(name + length - size, end);
}

bool cut_log_is_marker(const char *name)
{
	return ends_in(name, ".bad");
}

void cut_log_removed(struct cutvfs *vfs, const char *path)
{
	const char *name = cut_log_inside(vfs, path);
	int file = name ? cut_log_find(vfs, name) : -1;

	if (file < 0)
		return;
	vfs->log.names[file].present = false;
	cut_log_add(vfs, (struct cut_op){ CUT_DELETE, file, 0, 0, NULL }, NULL);
}

void cut_log_renamed(struct cutvfs *vfs, const char *from, const char *to)
{
	const char *name = cut_log_inside(vfs, from);
	int file = name ? cut_log_find(vfs, name) : -1;

	name = cut_log_inside(vfs, to);
	if (file < 0 || !name)
		return;
	cut_log_removed(vfs, to);
	free(vfs->log.names[file].name);
	vfs->log.names[file].name = cut_must(strdup(name));
	cut_log_add(vfs, (struct cut_op){ CUT_RENAME, file, 0, strlen(name) + 1, NULL }, name);
}

/* An empty file was made, and synced. */
void cut_log_marked(struct cutvfs *vfs, const char *path)
{
	const char *name = cut_log_inside(vfs, path);

	if (!name || !cut_log_is_marker(name) || cut_log_find(vfs, name) >= 0)
		return;
	cut_log_add(vfs, (struct cut_op){ CUT_CREATE, cut_log_add_name(vfs, name), 0, 0, NULL }, NULL);
}

/* Only SQLite's own files and markers are replayed; what lies beside them is copied as it is. */
static bool is_replayed(const char *name, const unsigned char *data, size_t size)
{
	/* By its name too: a damaged one may have lost its header. */
	static const char *const ends[] = { "-wal", "-journal", ".seg", ".salvaged", ".db", ".bad" };

	if (ends_in(name, "-shm"))
		return false;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_in(name, ends[i]))
			return true;
	return size >= 16 && !memcmp(data, "SQLite format 3", 16);
}

static void read_base(struct cutvfs *vfs, const char *name)
{
	char path[4096];
	unsigned char *data;
	long size;
	FILE *stream;
	int file;

	snprintf(path, sizeof(path), "%s/%s", vfs->log.folder, name);
	stream = fopen(path, "rb");
	if (!stream)
		return;
	fseek(stream, 0, SEEK_END);
	size = ftell(stream);
	rewind(stream);
	data = cut_must(malloc((size_t)size + 1));
	if (fread(data, 1, (size_t)size, stream) != (size_t)size)
		abort();
	fclose(stream);
	if (!is_replayed(name, data, (size_t)size)) {
		free(data);
		return;
	}
	file = cut_log_add_name(vfs, name);
	vfs->log.names[file].base = data;
	vfs->log.names[file].base_size = (size_t)size;
	vfs->log.names[file].from_start = true;
}

void cutvfs_record(struct cutvfs *vfs, const char *folder)
{
	struct dirent *entry;
	DIR *dir;

	pthread_mutex_lock(&vfs->mutex);
	cut_log_clear(&vfs->log);
	vfs->log.folder = cut_must(realpath(folder, NULL));
	dir = cut_must(opendir(vfs->log.folder));
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_REG)
			read_base(vfs, entry->d_name);
	closedir(dir);
	vfs->recording = true;
	pthread_mutex_unlock(&vfs->mutex);
}

void cutvfs_stop(struct cutvfs *vfs)
{
	pthread_mutex_lock(&vfs->mutex);
	vfs->recording = false;
	pthread_mutex_unlock(&vfs->mutex);
}

void cutvfs_mark(struct cutvfs *vfs, int64_t value)
{
	pthread_mutex_lock(&vfs->mutex);
	cut_log_add(vfs, (struct cut_op){ CUT_MARK, -1, value, 0, NULL }, NULL);
	pthread_mutex_unlock(&vfs->mutex);
}

const struct cut_log *cutvfs_log(struct cutvfs *vfs)
{
	return &vfs->log;
}

size_t cutvfs_count(struct cutvfs *vfs)
{
	size_t count;

	pthread_mutex_lock(&vfs->mutex);
	count = vfs->log.count;
	pthread_mutex_unlock(&vfs->mutex);
	return count;
}

struct cut_op cutvfs_get(struct cutvfs *vfs, size_t index)
{
	struct cut_op op;

	pthread_mutex_lock(&vfs->mutex);
	if (index >= vfs->log.count)
		abort();
	op = vfs->log.ops[index];
	pthread_mutex_unlock(&vfs->mutex);
	return op;
}

int64_t cutvfs_marked(struct cutvfs *vfs, size_t cut, int64_t otherwise)
{
	int64_t value = otherwise;

	pthread_mutex_lock(&vfs->mutex);
	for (size_t i = cut < vfs->log.count ? cut : vfs->log.count; i > 0; i--)
		if (vfs->log.ops[i - 1].kind == CUT_MARK) {
			value = vfs->log.ops[i - 1].offset;
			break;
		}
	pthread_mutex_unlock(&vfs->mutex);
	return value;
}

const char *cutvfs_describe(struct cutvfs *vfs, size_t index)
{
	static const char *const kinds[CUT_KIND_COUNT] = {
		[CUT_CREATE] = "create",     [CUT_WRITE] = "write",
		[CUT_TRUNCATE] = "truncate", [CUT_SYNC] = "sync",
		[CUT_DELETE] = "delete",     [CUT_FOLDER_SYNC] = "folder sync",
		[CUT_MARK] = "mark",         [CUT_SYNC_FAILED] = "failed sync",
		[CUT_RENAME] = "rename",
	};
	struct cut_op op = cutvfs_get(vfs, index);

	snprintf(vfs->text, sizeof(vfs->text), "%zu: %s %zu at %lld of %s", index, kinds[op.kind], op.size,
	         (long long)op.offset, op.file >= 0 ? vfs->log.names[op.file].name : "-");
	return vfs->text;
}
