/* SPDX-License-Identifier: Apache-2.0 */
/* Local time by the C library, whose zone is the process's: so it is for programs, and set once. */
#include "report.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ZONES "/usr/share/zoneinfo"

/* POSIX's own words ("CET-1CEST,M3.5.0,M10.5.0/3") need no file; a name does. */
static bool has_file(const char *zone)
{
	struct stat status;
	char path[256];

	if (strpbrk(zone, ",<") || strcmp(zone, "UTC") == 0 || strcmp(zone, "UTC0") == 0)
		return true;
	if (*zone == '/' || strstr(zone, "..") || strlen(zone) > 100)
		return false;
	snprintf(path, sizeof(path), ZONES "/%s", zone);
	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

int kri_zone_use(const char *zone)
{
	if (!*zone || !has_file(zone))
		return kryos_fail(-EINVAL,
		                  "there is no time zone \"%.60s\" on this machine; UTC and names in " ZONES
		                  " are allowed, as in Asia/Kolkata",
		                  zone);
	if (setenv("TZ", zone, 1) < 0)
		return kryos_fail(-errno, "TZ: %s", strerror(errno));
	tzset();
	return 0;
}

static int64_t floor_seconds(int64_t ns)
{
	int64_t seconds = ns / KRYOS_SECONDS(1);

	return ns % KRYOS_SECONDS(1) < 0 ? seconds - 1 : seconds;
}

void kri_local(int64_t t_wall_ns, struct kri_local *ret_local)
{
	time_t seconds = (time_t)floor_seconds(t_wall_ns);
	struct tm tm = { 0 };

	localtime_r(&seconds, &tm);
	*ret_local = (struct kri_local){ .year = tm.tm_year + 1900,
		                         .month = tm.tm_mon + 1,
		                         .day = tm.tm_mday,
		                         .hour = tm.tm_hour,
		                         .minute = tm.tm_min,
		                         .second = tm.tm_sec,
		                         .weekday = tm.tm_wday,
		                         .offset_s = (int)tm.tm_gmtoff };
}

/* The first instant of a local day, which a change of the clock at midnight may make later than 0:00. */
static int64_t day_begin(int year, int month, int day)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = -1 };

	return (int64_t)mktime(&tm) * KRYOS_SECONDS(1);
}

int64_t kri_local_midnight(int64_t t_wall_ns)
{
	struct kri_local local;

	kri_local(t_wall_ns, &local);
	return day_begin(local.year, local.month, local.day);
}

int64_t kri_next_midnight(int64_t midnight_ns)
{
	struct kri_local local;

	kri_local(midnight_ns, &local);
	return day_begin(local.year, local.month, local.day + 1);
}

static int offset_at(int64_t t_wall_ns)
{
	struct kri_local local;

	kri_local(t_wall_ns, &local);
	return local.offset_s;
}

int64_t kri_zone_change(int64_t t_wall_ns, int64_t until_ns)
{
	int64_t low = t_wall_ns, high = t_wall_ns;
	int offset = offset_at(low);

	while (offset_at(high) == offset) {
		if (high >= until_ns)
			return INT64_MAX;
		low = high;
		high = until_ns - high > KRYOS_DAYS(7) ? high + KRYOS_DAYS(7) : until_ns;
	}
	low = floor_seconds(low);
	high = floor_seconds(high);
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (offset_at(middle * KRYOS_SECONDS(1)) == offset)
			low = middle;
		else
			high = middle;
	}
	return high * KRYOS_SECONDS(1);
}

char *kri_offset_text(int offset_s, char *buffer)
{
	int minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;

	snprintf(buffer, KRI_LOCAL_TEXT, "UTC%s%02d:%02d", offset_s < 0 ? "\u2212" : "+", minutes / 60, minutes % 60);
	return buffer;
}

char *kri_local_text(int64_t t_wall_ns, bool with_offset, char *buffer)
{
	struct kri_local local;
	char offset[KRI_LOCAL_TEXT] = "";

	kri_local(t_wall_ns, &local);
	if (with_offset)
		kri_offset_text(local.offset_s, offset);
	snprintf(buffer, KRI_LOCAL_TEXT, "%04d-%02d-%02d %02d:%02d%s%.20s", local.year % 10000, local.month, local.day,
	         local.hour, local.minute, *offset ? " " : "", offset);
	return buffer;
}

char *kri_local_date(int64_t t_wall_ns, char *buffer)
{
	struct kri_local local;

	kri_local(t_wall_ns, &local);
	snprintf(buffer, KRI_LOCAL_TEXT, "%04d-%02d-%02d", local.year % 10000, local.month, local.day);
	return buffer;
}
