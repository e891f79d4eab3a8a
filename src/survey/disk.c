/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk under a folder: how long a sync takes, for how long there is room, how worn it is.
 *
 * Wear is what an eMMC tells of itself (JEDEC JESD84-B51: EXT_CSD DEVICE_LIFE_TIME_EST_TYP_A and _B in steps of 10 %,
 * PRE_EOL_INFO), through Linux's mmc attributes. SD cards tell nothing.
 */
#include "survey.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define SYNCS 50
#define TRIED 4096
/* What one sample takes in a segment: 62 bytes where four channels share a commit, more where fewer do. */
#define SAMPLE_BYTES 80.0
#define DAILY 1440.0

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const int64_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

/* Writes that a store would make: a page at the end, and a sync. Sorted. */
static int time_syncs(int fd, int64_t ret_ns[SYNCS])
{
	char page[TRIED];

	memset(page, 0x5a, sizeof(page));
	for (int i = 0; i < SYNCS; i++) {
		int64_t begin = now_ns();

		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			return errno ? -errno : -ENOSPC;
		if (fdatasync(fd) < 0)
			return -errno;
		ret_ns[i] = now_ns() - begin;
	}
	qsort(ret_ns, SYNCS, sizeof(ret_ns[0]), compare);
	return 0;
}

static int try_syncs(const char *folder, int64_t ret_ns[SYNCS])
{
	char path[4096];
	int fd, r;

	if (snprintf(path, sizeof(path), "%s/.survey-XXXXXX", folder) >= (int)sizeof(path))
		return kryos_fail(-ENAMETOOLONG, "%.40s...: its name is too long", folder);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return kryos_fail(-errno, "%s can't be written: %s", folder, strerror(errno));
	errno = 0;
	r = time_syncs(fd, ret_ns);
	close(fd);
	unlink(path);
	return r < 0 ? kryos_fail(r, "%s: %s", folder, strerror(-r)) : 0;
}

/* "room for 9 years", of what is free and what a store may use of it. */
static void room_text(const struct kri_survey *survey, char *text, size_t size)
{
	unsigned int channels = survey->config.channels ? survey->config.channels : survey->channels;
	struct statvfs status;
	double keep = (double)(survey->config.keep_bytes ? survey->config.keep_bytes : kri_default(KRI_ID_KEEP_BYTES));
	double bytes, days;

	if (statvfs(survey->config.folder, &status) < 0 || !channels) {
		*text = '\0';
		return;
	}
	bytes = (double)status.f_bavail * (double)status.f_frsize / 2;
	if (bytes > keep)
		bytes = keep;
	days = bytes / (SAMPLE_BYTES * DAILY * channels);
	if (days >= 730)
		snprintf(text, size, ", room for %.0f years", days / 365 > 99 ? 99 : days / 365);
	else
		snprintf(text, size, ", room for %.0f days", days);
}

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool good = file && fgets(line, (int)size, file);

	if (file)
		fclose(file);
	if (good)
		line[strcspn(line, "\n")] = '\0';
	return good;
}

/* ", 30 % worn" of an eMMC; -EIO when it says that its life is near its end. */
static int wear_text(const char *folder, char *text, size_t size)
{
	unsigned int slc = 0, mlc = 0, end = 0, worst;
	struct stat status;
	char path[128], line[64];

	snprintf(text, size, ", its wear cannot be read");
	if (stat(folder, &status) < 0)
		return 0;
	/* A partition's attributes are its disk's, one up. */
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../device/life_time", major(status.st_dev),
	         minor(status.st_dev));
	if (!read_line(path, line, sizeof(line)) || sscanf(line, "%x %x", &slc, &mlc) != 2)
		return 0;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../device/pre_eol_info", major(status.st_dev),
	         minor(status.st_dev));
	if (read_line(path, line, sizeof(line)))
		(void)sscanf(line, "%x", &end);
	worst = slc > mlc ? slc : mlc;
	if (worst) /* 0: not defined */
		snprintf(text, size, ", %s%u %% of its writes used", worst > 10 ? "more than " : "up to ",
		         worst > 10 ? 100 : worst * 10);
	if (end < 2 && worst < 10)
		return 0;
	snprintf(text + strlen(text), size - strlen(text), ": replace it soon");
	return kryos_fail(-EIO, "the disk is near the end of its life");
}

void kri_survey_disk(struct kri_survey *survey)
{
	char room[64], wear[128];
	int64_t took_ns[SYNCS];
	int r = try_syncs(survey->config.folder, took_ns);

	if (r < 0) {
		kri_survey_tell(survey, KRYOS_FINDING_DISK, r, "disk", "", "", "%s", kryos_strerror(r));
		return;
	}
	room_text(survey, room, sizeof(room));
	r = wear_text(survey->config.folder, wear, sizeof(wear));
	kri_survey_tell(survey, KRYOS_FINDING_DISK, r, "disk", "", "", "%s, sync %.0f ms (worst of %d: %.0f ms)%s%s",
	                survey->config.folder, (double)took_ns[SYNCS / 2] / 1e6, SYNCS,
	                (double)took_ns[SYNCS - 1] / 1e6, room, wear);
}
