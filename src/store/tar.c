/* SPDX-License-Identifier: Apache-2.0 */
#include "tar.h"
#include "../core/core.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512
#define MAX_SIZE (INT64_C(1) << 33) /* eleven octal digits hold less */

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6],
		version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

/* The sum of all bytes, with blanks where it stands itself. */
static unsigned int sum(const struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned int total = 0;

	for (size_t i = 0; i < BLOCK; i++)
		total += i >= offsetof(struct header, checksum) && i < offsetof(struct header, type) ? ' ' : bytes[i];
	return total;
}

static int put(FILE *tar, const void *data, size_t count)
{
	return fwrite(data, 1, count, tar) == count ? 0
	                                            : kryos_fail(errno ? -errno : -EIO, "archive: can't be written");
}

int kri_tar_add(FILE *tar, const char *path, const char *name)
{
	static const char zeros[BLOCK];
	struct header header = { .type = '0', .magic = "ustar", .version = { '0', '0' } };
	FILE *file = fopen(path, "re");
	int64_t left = 0;
	struct stat status;
	char bytes[16384];
	int r = 0;

	if (!file)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (fstat(fileno(file), &status) || status.st_size >= MAX_SIZE)
		r = kryos_fail(-EFBIG, "%s: is too large for a tar archive", path);
	if (r >= 0) {
		left = status.st_size;
		snprintf(header.name, sizeof(header.name), "%s", name);
		snprintf(header.mode, sizeof(header.mode), "%07o", 0444);
		snprintf(header.uid, sizeof(header.uid), "%07o", 0);
		snprintf(header.gid, sizeof(header.gid), "%07o", 0);
		snprintf(header.size, sizeof(header.size), "%011llo", (unsigned long long)left);
		snprintf(header.mtime, sizeof(header.mtime), "%011o", 0);
		snprintf(header.checksum, sizeof(header.checksum), "%06o", sum(&header));
		header.checksum[7] = ' ';
		r = put(tar, &header, sizeof(header));
	}
	while (r >= 0 && left > 0) {
		size_t want = left < (int64_t)sizeof(bytes) ? (size_t)left : sizeof(bytes);

		if (fread(bytes, 1, want, file) != want)
			r = kryos_fail(-EIO, "%s: can't be read to its end", path);
		else
			r = put(tar, bytes, want);
		left -= (int64_t)want;
	}
	fclose(file);
	if (r >= 0 && status.st_size % BLOCK)
		r = put(tar, zeros, (size_t)(BLOCK - status.st_size % BLOCK));
	return r;
}

int kri_tar_end(FILE *tar)
{
	static const char zeros[2 * BLOCK];

	return put(tar, zeros, sizeof(zeros));
}

bool kri_tar_is(const char *path)
{
	struct header header = { .name = "" };
	FILE *file = fopen(path, "re");
	bool is = file && fread(&header, sizeof(header), 1, file) == 1 && memcmp(header.magic, "ustar", 5) == 0;

	if (file)
		fclose(file);
	return is;
}

/* Octal digits up to a NUL or a blank; -1: it is none. */
static int64_t number(const char *text, size_t size)
{
	int64_t value = 0;
	size_t i = 0;

	while (i < size && text[i] >= '0' && text[i] <= '7')
		value = value * 8 + (text[i++] - '0');
	return i && (i == size || !text[i] || text[i] == ' ') ? value : -1;
}

static int check(const struct header *header, const char *path, bool (*is_allowed)(const char *name),
                 char name[KRI_TAR_NAME], int64_t *ret_size)
{
	if (memcmp(header->magic, "ustar", 5) != 0 ||
	    number(header->checksum, sizeof(header->checksum)) != (int64_t)sum(header))
		return kryos_fail(KRYOS_ECORRUPT, "%s: what follows is no member of an archive", path);
	snprintf(name, KRI_TAR_NAME, "%.*s", (int)strnlen(header->name, sizeof(header->name)), header->name);
	if (header->prefix[0] || strnlen(header->name, sizeof(header->name)) >= KRI_TAR_NAME || !is_allowed(name))
		return kryos_fail(KRYOS_ECORRUPT, "%s: a member has a name that no bundle has", path);
	if (header->type != '0' && header->type)
		return kryos_fail(KRYOS_ECORRUPT, "%s: %s is no plain file", path, name);
	*ret_size = number(header->size, sizeof(header->size));
	return *ret_size >= 0 && *ret_size < MAX_SIZE ? 0
	                                              : kryos_fail(KRYOS_ECORRUPT, "%s: %s has no size", path, name);
}

static int unpack_one(FILE *tar, const char *archive, const char *folder, const char *name, int64_t size)
{
	char path[PATH_MAX], bytes[16384];
	FILE *file = NULL;
	int r = 0, fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0440);
	if (fd < 0 && errno == EEXIST)
		return kryos_fail(KRYOS_ECORRUPT, "%s: %s is in it twice", archive, name);
	if (fd < 0 || !(file = fdopen(fd, "w")))
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
	for (int64_t left = (size + BLOCK - 1) / BLOCK * BLOCK, wanted = size; left > 0 && r >= 0;) {
		size_t count = left < (int64_t)sizeof(bytes) ? (size_t)left : sizeof(bytes);
		size_t own = wanted < (int64_t)count ? (size_t)wanted : count;

		if (fread(bytes, 1, count, tar) != count)
			r = kryos_fail(KRYOS_ECORRUPT, "%s: the archive ends in the middle of %s", archive, name);
		else if (fwrite(bytes, 1, own, file) != own)
			r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
		left -= (int64_t)count;
		wanted -= (int64_t)own;
	}
	if (file && fclose(file) && r >= 0)
		r = kryos_fail(-errno, "%s: %s", path, strerror(errno));
	else if (!file && fd >= 0)
		close(fd);
	return r;
}

int kri_tar_unpack(const char *path, const char *folder, bool (*is_allowed)(const char *name))
{
	static const struct header end;
	FILE *tar = fopen(path, "re");
	char name[KRI_TAR_NAME];
	struct header header;
	int64_t size = 0;
	int r = 0;

	if (tar && !kri_tar_is(path))
		r = kryos_fail(KRYOS_ECORRUPT, "%s is no bundle: kryosctl export --bundle makes one", path);
	if (!tar)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	while (r >= 0) {
		if (fread(&header, sizeof(header), 1, tar) != 1) {
			r = kryos_fail(KRYOS_ECORRUPT, "%s: the archive has no end", path);
			break;
		}
		if (memcmp(&header, &end, sizeof(end)) == 0)
			break;
		r = check(&header, path, is_allowed, name, &size);
		if (r >= 0)
			r = unpack_one(tar, path, folder, name, size);
		if (r < 0)
			break;
	}
	/* What stands behind the end is in no list. */
	while (r >= 0 && fread(&header, 1, 1, tar) == 1)
		if (header.name[0])
			r = kryos_fail(KRYOS_ECORRUPT, "%s: something stands behind the archive's end", path);
	fclose(tar);
	return r;
}
