/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX];

void fuzz_breach(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
	abort();
}

uint8_t fuzz_u8(struct fuzz_bytes *bytes)
{
	if (!bytes->left)
		return 0;
	bytes->left--;
	return *bytes->at++;
}

uint64_t fuzz_u64(struct fuzz_bytes *bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value |= (uint64_t)fuzz_u8(bytes) << 8 * i;
	return value;
}

int64_t fuzz_number(struct fuzz_bytes *bytes)
{
	static const int64_t edges[] = {
		0,         1,         -1,         INT64_MAX,     INT64_MIN,
		INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX - 1, INT64_C(1795165920000000000)
	};
	uint8_t kind = fuzz_u8(bytes);

	if (kind < 128)
		return kind;
	if (kind < 192)
		return edges[kind % (sizeof(edges) / sizeof(edges[0]))];
	return (int64_t)(fuzz_u64(bytes) >> (kind & 63));
}

char *fuzz_text(struct fuzz_bytes *bytes, char *buffer, size_t size)
{
	size_t count = fuzz_u8(bytes), at = 0;

	while (at < count && at + 1 < size && bytes->left) {
		buffer[at] = (char)fuzz_u8(bytes);
		at += buffer[at] != 0;
	}
	buffer[at] = 0;
	return buffer;
}

static void must_write(int fd, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size) {
		ssize_t written = write(fd, at, size);

		FUZZ_MUST(written > 0);
		at += written;
		size -= (size_t)written;
	}
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
	static char path[40];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		FUZZ_MUST(fd >= 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	FUZZ_MUST(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	must_write(fd, data, size);
	return path;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	return ftw->level > 0 ? remove(path) : 0;
}

static void empty_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_folder(void)
{
	empty_folder();
	rmdir(folder);
}

const char *fuzz_folder(void)
{
	const char *base = getenv("TMPDIR");

	if (!*folder) {
		if (!base)
			base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
		snprintf(folder, sizeof(folder), "%s/kryos-fuzz-XXXXXX", base);
		FUZZ_MUST(mkdtemp(folder));
		atexit(remove_folder);
	}
	empty_folder();
	return folder;
}

void fuzz_write(const char *in_folder, const char *name, const void *data, size_t size)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", in_folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_MUST(fd >= 0);
	must_write(fd, data, size);
	close(fd);
}

uint8_t *fuzz_read(const char *path, size_t *ret_size)
{
	FILE *stream = fopen(path, "re");
	size_t count = 0, room = 4096, got;
	uint8_t *data = malloc(room);

	FUZZ_MUST(stream && data);
	while ((got = fread(data + count, 1, room - count, stream)) > 0) {
		count += got;
		if (count == room) {
			room *= 2;
			data = realloc(data, room);
			FUZZ_MUST(data);
		}
	}
	FUZZ_MUST(!ferror(stream));
	fclose(stream);
	*ret_size = count;
	return data;
}
