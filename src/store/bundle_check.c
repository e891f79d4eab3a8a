/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle that came from anywhere: nothing of it is trusted, least of all its names. */
#include "../digest/summary.h"
#include "bundle.h"
#include "tar.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LIST (4 * 1024 * 1024)

void kri_bundle_clear(const char *folder)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		(void)!unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	rmdir(folder);
}

static bool is_allowed(const char *name)
{
	static const char *const words[] = { "events.db", "device.pub", "MANIFEST", "MANIFEST.sig", "README.txt" };

	for (size_t i = 0; i < KRI_ARRAY_SIZE(words); i++)
		if (strcmp(name, words[i]) == 0)
			return true;
	return strspn(name, "0123456789") == 20 &&
	       (strcmp(name + 20, ".seg") == 0 || strcmp(name + 20, ".seg.bad") == 0 ||
	        strcmp(name + 20, ".seg.salvaged") == 0);
}

int kri_bundle_open(const char *path, char *ret_folder, size_t size)
{
	const char *where = getenv("TMPDIR");
	char why[300];
	int r;

	if (snprintf(ret_folder, size, "%s/kryos-bundle-XXXXXX", where && *where ? where : "/tmp") >= (int)size)
		return kryos_fail(-ENAMETOOLONG, "TMPDIR: the name is too long");
	if (!mkdtemp(ret_folder))
		return kryos_fail(-errno, "%s: %s", ret_folder, strerror(errno));
	r = kri_tar_unpack(path, ret_folder, is_allowed);
	if (r < 0) {
		snprintf(why, sizeof(why), "%s", kryos_strerror(r));
		kri_bundle_clear(ret_folder);
		r = kryos_fail(r, "%s", why);
	}
	return r;
}

/* All of a small file; free() it. NULL: it is not there, or too large. */
static char *read_file(const char *folder, const char *name, size_t *ret_count)
{
	char path[PATH_MAX], *text = NULL;
	struct stat status;
	FILE *file;

	snprintf(path, sizeof(path), "%.4000s/%s", folder, name);
	file = fopen(path, "re");
	if (file && fstat(fileno(file), &status) == 0 && status.st_size <= MAX_LIST)
		text = calloc(1, (size_t)status.st_size + 1);
	*ret_count = text ? fread(text, 1, (size_t)status.st_size, file) : 0;
	if (file)
		fclose(file);
	return text;
}

KRYOS_PRINTF(3, 4) static void broken(struct kri_check *check, const char *file, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	check->file = file;
	check->result->bad_seals++;
	kri_verify_problem(check, 0, 0, "%s", text);
}

static void check_signature(struct kri_check *check, const char *folder, const char *list, size_t count)
{
	size_t key_count = 0, signature_count = 0;
	char *pem = read_file(folder, "device.pub", &key_count);
	char *signature = read_file(folder, "MANIFEST.sig", &signature_count);
	char fingerprint[2 * KRI_SHA256_SIZE + 1];
	struct kri_key *key = NULL;
	int r;

	if (!pem || !signature || signature_count != KRI_SIGNATURE_SIZE) {
		broken(check, "MANIFEST.sig", "the bundle is not signed");
	} else {
		r = kri_key_from_public(&key, pem, key_count);
		if (r >= 0)
			r = kri_key_fingerprint(key, fingerprint);
		if (r >= 0 && check->pinned[0] && strcmp(check->pinned, fingerprint) != 0)
			r = kryos_fail(KRYOS_ECRC, "it is not of the key that was given");
		if (r >= 0)
			r = kri_key_verify(key, list, count, (const uint8_t *)signature);
		if (r < 0)
			broken(check, "MANIFEST.sig", "the signature is not good: %s", kryos_strerror(r));
		else
			memcpy(check->signer, fingerprint, sizeof(check->signer));
		kri_key_free(key);
	}
	free(pem);
	free(signature);
}

void kri_bundle_check_signer(struct kri_check *check)
{
	/* One that has sealed nothing yet is only named. */
	bool known = !check->key_count && strncmp(check->signer, check->device, 32) == 0;

	for (int i = 0; i < check->key_count && !known; i++)
		known = strcmp(check->keys[i].fingerprint, check->signer) == 0;
	if (check->signer[0] && !known)
		broken(check, "MANIFEST.sig", "it was signed with key %.16s..., which signed nothing else in here",
		       check->signer);
}

/* A line of the list: its file's checksum. */
static void check_line(struct kri_check *check, const char *folder, char *line)
{
	char path[PATH_MAX], hash[KRI_SUMMARY_SIZE] = "";
	char *name = strlen(line) > 66 ? line + 66 : line;

	line[strlen(line) > 64 ? 64 : 0] = '\0';
	if (!is_allowed(name)) {
		broken(check, "MANIFEST", "a line of it names no member");
		return;
	}
	snprintf(path, sizeof(path), "%.4000s/%s", folder, name);
	if (kri_summary_of_file(path, hash) < 0)
		broken(check, "MANIFEST", "%s, which it lists, is missing", name);
	else if (strcmp(hash, line) != 0)
		broken(check, "MANIFEST", "%s is not as it was put in", name);
}

/* Whether a line ends in that name. */
static bool is_listed(const char *list, const char *name)
{
	char line[80];

	snprintf(line, sizeof(line), "  %.60s\n", name);
	return strstr(list, line);
}

int kri_bundle_check(struct kri_check *check, const char *folder)
{
	size_t count = 0;
	char *list = read_file(folder, "MANIFEST", &count), *next, *line;
	DIR *directory = opendir(folder);
	struct dirent *entry;

	if (!list || strlen(list) != count) {
		broken(check, "MANIFEST", "is missing, or no list");
	} else {
		check_signature(check, folder, list, count);
		while (directory && (entry = readdir(directory)))
			if (is_allowed(entry->d_name) && strcmp(entry->d_name, "MANIFEST") != 0 &&
			    strcmp(entry->d_name, "MANIFEST.sig") != 0 && !is_listed(list, entry->d_name))
				broken(check, "MANIFEST", "%.60s is not in the list", entry->d_name);
		for (line = list; *line; line = next) {
			next = line + strcspn(line, "\n");
			if (*next)
				*next++ = '\0';
			check_line(check, folder, line);
		}
	}
	if (directory)
		closedir(directory);
	free(list);
	return 0;
}
