/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is taken along from a station, onto a stick. It is written into a folder whose name ends in .part, synced, and
 * only then given its name: a stick that is pulled too early holds nothing that looks whole, and what is left of that
 * is removed by the next one of that name. Nothing else that is there is touched. One runs on a stick at a time: what
 * ends in .part is nobody's then.
 */
#include "core/core.h"
#include "kryosctl.h"
#include "station/station_file.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_PATH 4096
#define MAX_A_DAY 999

/* As every file system of a stick takes it. */
static void plain_name(const char *from, char *to, size_t size)
{
	size_t count = 0;

	for (; *from && count + 1 < size; from++) {
		bool plain = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", *from);

		if (plain || (count > 0 && to[count - 1] != '-'))
			to[count++] = plain ? *from : '-';
	}
	while (count > 0 && to[count - 1] == '-')
		count--;
	to[count] = 0;
}

/* The station's name, else the device's id: whoever finds the folder must know whose it is. */
static int find_name(const struct options *options, struct kryos_ctx *ctx, char name[64])
{
	struct kryos_reader_device device = { .size = sizeof(device) };
	struct kri_station_file *file = NULL;
	struct kryos_reader *reader = NULL;
	const char *said = NULL;
	char *errors = NULL;
	int r = 0;

	if (kri_station_file_read(&file, ctx, options->config ? options->config : DEFAULT_CONFIG, &errors) >= 0)
		said = kri_station_text(kri_station_find(file, KRI_SECTION_STATION, NULL), KRI_STATION_NAME);
	plain_name(said ? said : "", name, 64);
	if (!*name) {
		r = kryos_reader_open(&reader, ctx, options->store);
		if (r >= 0)
			r = kryos_reader_get_device(reader, &device);
		plain_name(device.device, name, 64);
		kryos_reader_close(reader);
	}
	free(errors);
	kri_station_file_free(file);
	return r;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static void remove_part(const char *part)
{
	(void)nftw(part, remove_one, 4, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Held until it is closed, or this process ends. -EWOULDBLOCK: another one has it. */
static int lock_folder(const char *kryos, int *ret_lock)
{
	int lock = open(kryos, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;

	if (lock < 0)
		return -errno;
	if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		r = -errno;
	if (r < 0)
		close(lock);
	else
		*ret_lock = lock;
	return r;
}

/* Made, or made again. -EEXIST: something else has that name. */
static int make_part(const char *part)
{
	struct stat status;

	if (mkdir(part, 0777) == 0)
		return 0;
	if (errno != EEXIST || lstat(part, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -EEXIST;
	remove_part(part);
	return mkdir(part, 0777) < 0 ? -errno : 0;
}

/* FOLDER/kryos/<name>-<day>, with a number where there is one of that day; and its place while it is written. */
static int make_folder(const char *kryos, const char *name, char whole[MAX_PATH], char part[MAX_PATH + 8])
{
	time_t now = time(NULL);
	struct stat status;
	struct tm day;
	char date[16];
	int r;

	gmtime_r(&now, &day);
	strftime(date, sizeof(date), "%Y-%m-%d", &day);
	for (int i = 1; i <= MAX_A_DAY; i++) {
		char number[8] = "";

		if (i > 1)
			snprintf(number, sizeof(number), "-%d", i);
		if (snprintf(whole, MAX_PATH, "%s/%s-%s%s", kryos, name, date, number) >= MAX_PATH)
			return -ENAMETOOLONG;
		snprintf(part, MAX_PATH + 8, "%s.part", whole);
		if (lstat(whole, &status) == 0)
			continue;
		r = make_part(part);
		if (r != -EEXIST)
			return r;
	}
	return -EEXIST;
}

static int sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), r = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r >= 0)
		r = -errno;
	return r;
}

/* One that can't be made is no reason to go without the others. How many those were. */
static unsigned int write_parts(const struct options *options, const char *folder, char *written, size_t size)
{
	static const struct {
		const char *name;
		int (*write)(const struct options *options, const char *path);
	} parts[] = { { "report.pdf", write_report }, { "bundle.tar", write_bundle } };
	char path[MAX_PATH + 32];
	unsigned int failed = 0;

	*written = 0;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(parts); i++) {
		int r;

		snprintf(path, sizeof(path), "%s/%s", folder, parts[i].name);
		if (parts[i].write(options, path) != EXIT_SUCCESS)
			failed++;
		if (access(path, F_OK) < 0)
			continue;
		r = sync_path(path);
		if (r < 0) {
			complain("%s: %s", path, strerror(-r));
			failed++;
			unlink(path);
			continue;
		}
		snprintf(written + strlen(written), size - strlen(written), "%s%s", *written ? " and " : "",
		         parts[i].name);
	}
	return failed;
}

static int collect(const struct options *options, struct kryos_ctx *ctx, const char *kryos, int lock)
{
	char name[64], whole[MAX_PATH], part[MAX_PATH + 8], written[64];
	unsigned int failed;
	int r = find_name(options, ctx, name);

	if (r < 0)
		return complain("%s: nothing was written: %s", kryos, kryos_strerror(r));
	r = make_folder(kryos, name, whole, part);
	if (r < 0)
		return complain("%s: nothing was written: %s", kryos, strerror(-r));
	failed = write_parts(options, part, written, sizeof(written));
	r = sync_path(part);
	if (r >= 0 && *written && rename(part, whole) < 0)
		r = -errno;
	if (r < 0 || !*written) {
		remove_part(part);
		return r < 0 ? complain("%s: nothing was written: %s", whole, strerror(-r))
		             : complain("%s: nothing was written", kryos);
	}
	/* Its name, and all else that waits for the stick. */
	if (fsync(lock) < 0 || syncfs(lock) < 0)
		return complain("%s: it may not be whole: %s", whole, strerror(errno));
	printf("%s: %s; the stick may be pulled\n", whole, written);
	r = finish(stdout, "standard output");
	return failed ? EXIT_FAILURE : r;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kryos_ctx *ctx = NULL;
	char kryos[MAX_PATH];
	int lock = -1, r;

	if (count != 1)
		return misused("collect: FOLDER is needed: where the stick is mounted");
	if (snprintf(kryos, sizeof(kryos), "%s/kryos", arguments[0]) >= (int)sizeof(kryos))
		return complain("%s: %s", arguments[0], strerror(ENAMETOOLONG));
	r = lock_folder(kryos, &lock);
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		return complain("%s has no folder kryos: nothing was written", arguments[0]);
	if (r == -EWOULDBLOCK)
		return complain("%s: another kryosctl collect is writing there: nothing was written", kryos);
	if (r < 0)
		return complain("%s: nothing was written: %s", kryos, strerror(-r));
	r = kryos_ctx_new(&ctx, NULL);
	r = r < 0 ? complain("%s", kryos_strerror(r)) : collect(options, ctx, kryos, lock);
	kryos_ctx_free(ctx);
	close(lock);
	return r;
}

const struct command collect_command = {
	.name = "collect",
	.arguments = "FOLDER",
	.summary = "report and bundle onto a USB stick",
	.help = "Writes report.pdf and bundle.tar into FOLDER/kryos/<station>-<day>/, if there is a folder kryos on\n"
		"the stick; else nothing is written. What is there stays as it is. When it says that the stick may\n"
		"be pulled, all of it is on the stick. The device's key signs the bundle: run it as the store's\n"
		"owner. Exit status 1: nothing was written (as while another one writes to that stick), or not\n"
		"both.",
	.options = TAKES_STORE | TAKES_RANGE | TAKES_REPORT | TAKES_CONFIG,
	.run = run,
};
