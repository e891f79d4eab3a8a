/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_tree.h"
#include "support.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a device lies, and its link; both below root. */
struct paths {
	char device[256], link[256];
	const char *up; /* from the link's folder to root */
};

static struct paths paths_of(const char *class, const char *number, const char *parent)
{
	struct paths paths = { .up = "../.." };

	if (strcmp(class, "iio") == 0) {
		snprintf(paths.device, sizeof(paths.device), "devices/%s/%s", parent, number);
		snprintf(paths.link, sizeof(paths.link), "bus/iio/devices/%s", number);
		paths.up = "../../..";
		return paths;
	}
	snprintf(paths.device, sizeof(paths.device), "devices/%s/%s/%s", *parent ? parent : "virtual", class, number);
	snprintf(paths.link, sizeof(paths.link), "class/%s/%s", class, number);
	return paths;
}

/* The folders of a path below root, the last one too if it ends in a slash. */
static void make_folders(const char *root, const char *path)
{
	char folder[256];

	for (const char *end = strchr(path, '/'); end; end = strchr(end + 1, '/')) {
		snprintf(folder, sizeof(folder), "%.*s", (int)(end - path), path);
		(void)mkdir(in(root, folder), 0700);
	}
}

const char *kernel_device(const char *root, const char *class, const char *number, const char *parent)
{
	static char folders[16][512];
	static unsigned int next;
	struct paths paths = paths_of(class, number, parent);
	char target[512], *folder = folders[next++ % 16];

	make_folders(root, paths.device);
	make_folders(root, paths.link);
	assert_int_equal(mkdir(in(root, paths.device), 0700), 0);
	snprintf(target, sizeof(target), "%s/%s", paths.up, paths.device);
	assert_int_equal(symlink(target, in(root, paths.link)), 0);
	if (*parent && strcmp(class, "iio") != 0) {
		snprintf(target, sizeof(target), "../../../%s", parent);
		assert_int_equal(symlink(target, in(in(root, paths.device), "device")), 0);
	}
	snprintf(folder, sizeof(folders[0]), "%s/%s", root, paths.device);
	return folder;
}

void kernel_file(const char *folder, const char *file, const char *text)
{
	FILE *stream;

	if (!text) {
		assert_int_equal(unlink(in(folder, file)), 0);
		return;
	}
	stream = fopen(in(folder, file), "w");
	assert_non_null(stream);
	fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

void kernel_remove(const char *root, const char *class, const char *number, const char *parent)
{
	struct paths paths = paths_of(class, number, parent);
	const char *folder = in(root, paths.device);
	struct dirent *entry;
	DIR *entries = opendir(folder);

	assert_non_null(entries);
	while ((entry = readdir(entries)))
		if (entry->d_name[0] != '.')
			assert_int_equal(unlink(in(folder, entry->d_name)), 0);
	closedir(entries);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(unlink(in(root, paths.link)), 0);
}
