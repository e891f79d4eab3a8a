/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a DS18B20 can measure (data sheet, "Operating range"). */
#define MIN_MICRO INT64_C(-55000000)
#define MAX_MICRO INT64_C(125000000)

struct reading {
	struct trace *trace;
	const char *path;
	size_t room;
	unsigned long line, blank; /* blank: the first of the empty lines at the end so far */
	size_t columns;            /* of the header */
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct reading *reading, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "cryo_daemon: %s:%lu: ", reading->path, reading->line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -1;
}

/* Up to digits decimal digits after a point, as units of 10^-digits; *text goes behind them. -1: none, or too many. */
static long take_fraction(const char **text, int digits)
{
	long value = 0;
	int count = 0;

	if (**text != '.')
		return 0;
	for (++*text; **text >= '0' && **text <= '9'; ++*text) {
		if (++count > digits)
			return -1;
		value = value * 10 + (**text - '0');
	}
	if (count == 0)
		return -1;
	for (; count < digits; count++)
		value *= 10;
	return value;
}

static bool take_number(const char **text, int digits, int lowest, int highest, int *ret_value)
{
	int value = 0;

	for (int i = 0; i < digits; i++, ++*text) {
		if (**text < '0' || **text > '9')
			return false;
		value = value * 10 + (**text - '0');
	}
	*ret_value = value;
	return value >= lowest && value <= highest;
}

static bool take_mark(const char **text, char mark)
{
	return *(*text)++ == mark;
}

/* 2022-05-02T04:44:00Z, or with a fraction of the second: RFC 3339 in UTC. */
static bool take_time(const char **text, int64_t *ret_ns)
{
	struct tm date = { 0 }, same;
	time_t seconds;
	long fraction;
	bool right = take_number(text, 4, 1970, 2199, &date.tm_year) && take_mark(text, '-') &&
	             take_number(text, 2, 1, 12, &date.tm_mon) && take_mark(text, '-') &&
	             take_number(text, 2, 1, 31, &date.tm_mday) && take_mark(text, 'T') &&
	             take_number(text, 2, 0, 23, &date.tm_hour) && take_mark(text, ':') &&
	             take_number(text, 2, 0, 59, &date.tm_min) && take_mark(text, ':') &&
	             take_number(text, 2, 0, 59, &date.tm_sec);

	if (!right)
		return false;
	fraction = take_fraction(text, 9);
	if (fraction < 0 || !take_mark(text, 'Z'))
		return false;
	date.tm_year -= 1900;
	date.tm_mon--;
	same = date;
	seconds = timegm(&same);
	if (same.tm_mday != date.tm_mday) /* 31 April became 1 May */
		return false;
	*ret_ns = (int64_t)seconds * 1000000000 + fraction;
	return true;
}

static bool take_celsius(const char **text, int64_t *ret_micro)
{
	bool negative = **text == '-';
	int64_t whole = 0;
	long fraction;
	int count = 0;

	if (**text == '-' || **text == '+')
		++*text;
	for (; **text >= '0' && **text <= '9' && count < 4; ++*text, count++)
		whole = whole * 10 + (**text - '0');
	fraction = take_fraction(text, 6);
	if (count == 0 || fraction < 0)
		return false;
	*ret_micro = (whole * 1000000 + fraction) * (negative ? -1 : 1);
	return true;
}

static int add_row(struct reading *reading, const struct row *row)
{
	struct trace *trace = reading->trace;
	struct row *rows;

	if (trace->count == reading->room) {
		reading->room = reading->room ? 2 * reading->room : 1024;
		rows = realloc(trace->rows, reading->room * sizeof(*rows));
		if (!rows)
			return wrong(reading, "out of memory");
		trace->rows = rows;
	}
	trace->rows[trace->count++] = *row;
	return 0;
}

/* RFC 4180: a comma between quotes parts nothing. */
static size_t count_columns(const char *line)
{
	bool quoted = false;
	size_t count = 1;

	for (; *line; line++) {
		if (*line == '"')
			quoted = !quoted;
		count += *line == ',' && !quoted;
	}
	return count;
}

static int take_header(struct reading *reading, const char *line)
{
	if (strncmp(line, "\xef\xbb\xbf", 3) == 0) /* as spreadsheets write it */
		line += 3;
	if (strncmp(line, "time,celsius", 12) != 0 || (line[12] && line[12] != ','))
		return wrong(reading, "\"%.40s\" is no header; time,celsius is needed", line);
	reading->columns = count_columns(line);
	return 0;
}

static int take_line(struct reading *reading, const char *line)
{
	const struct trace *trace = reading->trace;
	const char *at = line;
	struct row row = { 0 };

	if (reading->line == 1)
		return take_header(reading, line);
	if (!*line) {
		if (!reading->blank)
			reading->blank = reading->line;
		return 0;
	}
	if (reading->blank) {
		reading->line = reading->blank;
		return wrong(reading, "the line is empty; only at the end of the file is that allowed");
	}
	if (!take_time(&at, &row.t_wall_ns))
		return wrong(reading, "\"%.*s\" is no time; 2022-05-02T04:44:00Z (UTC) is allowed",
		             (int)strcspn(line, ",") > 40 ? 40 : (int)strcspn(line, ","), line);
	if (!take_mark(&at, ','))
		return wrong(reading, "a comma and a temperature are missing after the time");
	line = at;
	if (!take_celsius(&at, &row.celsius_micro) || (*at && *at != ','))
		return wrong(reading, "\"%.*s\" is no temperature; as 5.25 or -0.5 is allowed",
		             (int)strcspn(line, ",") > 40 ? 40 : (int)strcspn(line, ","), line);
	/* Or "5,25" would be taken for 5. */
	if (count_columns(line) + 1 > reading->columns)
		return wrong(reading, "the row has more columns than the header; a decimal point is \".\", not \",\"");
	if (row.celsius_micro < MIN_MICRO || row.celsius_micro > MAX_MICRO)
		return wrong(reading, "%.*s C is nothing a DS18B20 can measure; -55 to 125 is allowed",
		             (int)(at - line), line);
	if (trace->count && row.t_wall_ns <= trace->rows[trace->count - 1].t_wall_ns)
		return wrong(reading, "this time is not after the one of the row before");
	return add_row(reading, &row);
}

int trace_read(struct trace *trace, const char *path)
{
	struct reading reading = { .trace = trace, .path = path };
	FILE *stream = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int r = 0;

	*trace = (struct trace){ 0 };
	if (!stream) {
		fprintf(stderr, "cryo_daemon: %s: %s\n", path, strerror(errno));
		return -1;
	}
	while (r == 0 && (errno = 0, length = getline(&line, &size, stream)) >= 0) {
		reading.line++;
		if (strlen(line) != (size_t)length)
			r = wrong(&reading, "a NUL byte: this is no CSV file");
		while (length > 0 && strchr("\r\n", line[length - 1]))
			line[--length] = '\0';
		if (r == 0)
			r = take_line(&reading, line);
	}
	if (r == 0 && ferror(stream)) {
		fprintf(stderr, "cryo_daemon: %s: %s\n", path, strerror(errno));
		r = -1;
	}
	if (r == 0 && trace->count == 0) {
		reading.line++;
		r = wrong(&reading, "there is no row");
	}
	free(line);
	fclose(stream);
	if (r < 0)
		trace_free(trace);
	return r;
}

void trace_free(struct trace *trace)
{
	free(trace->rows);
	*trace = (struct trace){ 0 };
}
