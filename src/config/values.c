/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <inttypes.h>
#include <kryos/sample.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Smallest first; of two names for the same factor the first is written. */
static const struct unit durations[] = {
	{ "ns", 1 },
	{ "ms", KRYOS_MILLISECONDS(1) },
	{ "s", KRYOS_SECONDS(1) },
	{ "min", KRYOS_MINUTES(1) },
	{ "h", KRYOS_HOURS(1) },
	{ "d", KRYOS_DAYS(1) },
};
static const struct unit sizes[] = {
	{ "B", 1 },
	{ "kB", 1000 },
	{ "KB", 1000 },
	{ "KiB", 1024 },
	{ "MB", 1000000 },
	{ "MiB", 1048576 },
	{ "GB", 1000000000 },
	{ "GiB", 1073741824 },
	{ "TB", INT64_C(1000000000000) },
	{ "TiB", INT64_C(1099511627776) },
};

/* Reads digits from *text on, at least one, and moves *text behind them. False: none, or above INT64_MAX. */
static bool read_digits(const char **text, int64_t *ret_number)
{
	const char *at = *text;
	int64_t number = 0;

	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *at - '0', &number))
			return false;
	}
	*text = at;
	*ret_number = number;
	return true;
}

static bool with_unit(const char *text, const struct unit *units, size_t count, int64_t *ret_number)
{
	int64_t number;

	if (!read_digits(&text, &number))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, units[i].name) == 0)
			return !__builtin_mul_overflow(number, units[i].factor, ret_number);
	}
	return false;
}

int kri_parse_duration(const char *text, int64_t *ret_ns)
{
	int64_t ns;

	if (!with_unit(text, durations, KRI_ARRAY_SIZE(durations), &ns))
		return kryos_fail(-EINVAL,
		                  "\"%s\" is no duration: a whole number and its unit are allowed, as in 500ms, 10s, "
		                  "15min, 10h, 30d",
		                  text);
	*ret_ns = ns;
	return 0;
}

int kri_parse_size(const char *text, int64_t *ret_bytes)
{
	int64_t bytes;

	if (!with_unit(text, sizes, KRI_ARRAY_SIZE(sizes), &bytes))
		return kryos_fail(-EINVAL,
		                  "\"%s\" is no size: a whole number and its unit are allowed, as in 4096B, 64kB, "
		                  "512MB, 2GB or 16MiB",
		                  text);
	*ret_bytes = bytes;
	return 0;
}

int kri_parse_micro(const char *text, int64_t *ret_micro)
{
	const char *at = text, *fraction;
	bool negative = *at == '-';
	int64_t whole, part = 0, micro;

	if (*at == '-' || *at == '+')
		at++;
	if (!read_digits(&at, &whole))
		goto refused;
	if (*at == '.') {
		fraction = ++at;
		if (!read_digits(&at, &part) || at - fraction > 6)
			goto refused;
		for (ptrdiff_t digits = at - fraction; digits < 6; digits++)
			part *= 10;
	}
	if (*at)
		goto refused;
	if (negative) {
		whole = -whole;
		part = -part;
	}
	if (__builtin_mul_overflow(whole, 1000000, &micro) || __builtin_add_overflow(micro, part, &micro))
		goto refused;
	*ret_micro = micro;
	return 0;
refused:
	return kryos_fail(-EINVAL,
	                  "\"%s\" is no number: digits with at most six decimals are allowed, as in 8, -0.5 or 21.125",
	                  text);
}

int kri_parse_count(const char *text, int64_t minimum, int64_t maximum, int64_t *ret_count)
{
	const char *at = text;
	int64_t number;

	if (!read_digits(&at, &number) || *at || number < minimum || number > maximum)
		return kryos_fail(-EINVAL, "\"%s\" is not allowed: a whole number from %" PRId64 " to %" PRId64 " is",
		                  text, minimum, maximum);
	*ret_count = number;
	return 0;
}

int kri_parse_percent(const char *text, int64_t *ret_percent)
{
	const char *at = text;
	int64_t number;

	if (!read_digits(&at, &number) || strcmp(at, "%") != 0 || number > 100)
		return kryos_fail(-EINVAL, "\"%s\" is no percentage: 0%% to 100%% is allowed, as in 20%%", text);
	*ret_percent = number;
	return 0;
}

int kri_parse_bool(const char *text, bool *ret_truth)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return kryos_fail(-EINVAL, "\"%s\" is not allowed: yes or no is", text);
	*ret_truth = *text == 'y';
	return 0;
}

/* Exactly count digits at *text, and after them the character behind (0: whatever). */
static bool read_field(const char **text, int count, char behind, int *ret_number)
{
	const char *at = *text;
	int number = 0;

	for (int i = 0; i < count; i++, at++) {
		if (*at < '0' || *at > '9')
			return false;
		number = 10 * number + (*at - '0');
	}
	if (behind && *at++ != behind)
		return false;
	*text = at;
	*ret_number = number;
	return true;
}

/* An optional fraction of at most nine digits, in ns. */
static bool read_fraction(const char **text, int64_t *ret_ns)
{
	const char *begin = *text + 1;
	int64_t ns = 0;

	if (**text == '.') {
		++*text;
		if (!read_digits(text, &ns) || *text - begin > 9)
			return false;
		for (ptrdiff_t digits = *text - begin; digits < 9; digits++)
			ns *= 10;
	}
	*ret_ns = ns;
	return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, from 1970 on. */
static int64_t days_to(int year, int month, int day)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	int past = year - 1;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return INT64_C(365) * (year - 1970) + (past / 4 - past / 100 + past / 400) -
	       (1969 / 4 - 1969 / 100 + 1969 / 400) + before[month - 1] + (leap && month > 2) + day - 1;
}

static bool date_exists(int year, int month, int day)
{
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	/* The next month's first day bounds this one; December has 31. */
	return month == 12 || days_to(year, month, day) < days_to(year, month + 1, 1);
}

static bool calendar_time(const char *text, int64_t *ret_ns)
{
	int year, month, day, hour, minute, second;
	int64_t fraction, seconds;

	if (!read_field(&text, 4, '-', &year) || !read_field(&text, 2, '-', &month) ||
	    !read_field(&text, 2, 'T', &day) || !read_field(&text, 2, ':', &hour) ||
	    !read_field(&text, 2, ':', &minute) || !read_field(&text, 2, 0, &second) ||
	    !read_fraction(&text, &fraction) || strcmp(text, "Z") != 0)
		return false;
	if (!date_exists(year, month, day) || hour > 23 || minute > 59 || second > 59)
		return false;
	seconds = ((days_to(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
	return !__builtin_mul_overflow(seconds, INT64_C(1000000000), ret_ns) &&
	       !__builtin_add_overflow(*ret_ns, fraction, ret_ns);
}

int kri_parse_date(const char *text, int64_t *ret_wall_ns)
{
	const char *at = text;
	int year, month, day;

	/* The last day of a year that nanoseconds since 1970 reach is in 2262. */
	if (!read_field(&at, 4, '-', &year) || !read_field(&at, 2, '-', &month) || !read_field(&at, 2, 0, &day) ||
	    *at || !date_exists(year, month, day) || year > 2261)
		return kryos_fail(-EINVAL, "\"%s\" is no day; one from 1970 to 2261 is allowed, as in 2026-11-20",
		                  text);
	*ret_wall_ns = days_to(year, month, day) * KRYOS_DAYS(1);
	return 0;
}

static bool seconds_since_1970(const char *text, int64_t *ret_ns)
{
	int64_t seconds, fraction;

	return read_digits(&text, &seconds) && read_fraction(&text, &fraction) && !*text &&
	       !__builtin_mul_overflow(seconds, INT64_C(1000000000), ret_ns) &&
	       !__builtin_add_overflow(*ret_ns, fraction, ret_ns);
}

int kri_parse_time(const char *text, int64_t *ret_wall_ns)
{
	int64_t ns;

	if (!calendar_time(text, &ns) && !seconds_since_1970(text, &ns))
		return kryos_fail(
			-EINVAL, "\"%s\" is no time: UTC as in 2026-11-20T09:12:00Z, or seconds since 1970, is allowed",
			text);
	*ret_wall_ns = ns;
	return 0;
}

static void best_unit(int64_t number, const struct unit *units, size_t count, const char *smallest, char text[32])
{
	const struct unit *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (number % units[i].factor == 0 && (!best || units[i].factor > best->factor))
			best = &units[i];
	}
	if (number == 0 || !best)
		snprintf(text, 32, "%" PRId64 "%s", number, smallest);
	else
		snprintf(text, 32, "%" PRId64 "%s", number / best->factor, best->name);
}

void kri_duration_text(int64_t ns, char text[32])
{
	best_unit(ns, durations, KRI_ARRAY_SIZE(durations), ns == 0 ? "s" : "ns", text);
}

void kri_size_text(int64_t bytes, char text[32])
{
	best_unit(bytes, sizes, KRI_ARRAY_SIZE(sizes), "B", text);
}

int kri_list_find(const char *list, const char *word, size_t count)
{
	size_t length;
	int place = 0;

	for (const char *at = list; *at; at += length + strspn(at + length, " "), place++) {
		length = strcspn(at, " ");
		if (length == count && strncmp(at, word, count) == 0)
			return place;
	}
	return -1;
}
