/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"
#include <errno.h>
#include <kryos/sys/bus.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* A line of more is none of a table of numbers, and a file of more rows would not fit into the memory of a small board.
 */
#define MAX_LINE 4096
#define MAX_ROWS 20000000

struct reading {
	struct kri_trace *trace;
	const struct kri_trace_format *format;
	const char *path;
	size_t room;
	unsigned long line, blank;                        /* blank: the first of the empty lines at the end so far */
	size_t columns;                                   /* of the header */
	size_t channel_column, door_column, mains_column; /* 0: none, for the first is the time */
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct reading *reading, const char *format, ...)
{
	char sentence[MAX_LINE + 200];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	for (char *c = sentence; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?'; /* what a log says must not steer the terminal */
	}
	return kryos_fail(-EBADMSG, "%s:%lu: %s", reading->path, reading->line, sentence);
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

/* Z, or how far the time is ahead of UTC. */
static bool take_zone(const char **text, bool any, int64_t *ret_ahead_ns)
{
	int sign = **text == '-' ? -1 : 1, hours, minutes;

	*ret_ahead_ns = 0;
	if (**text == 'Z') {
		++*text;
		return true;
	}
	if (!any || (**text != '+' && **text != '-'))
		return false;
	++*text;
	if (!take_number(text, 2, 0, 23, &hours) || !take_mark(text, ':') || !take_number(text, 2, 0, 59, &minutes))
		return false;
	*ret_ahead_ns = sign * (hours * 60 + minutes) * INT64_C(60000000000);
	return true;
}

/* 1651466640 or 1651466640.5: seconds since 1970, up to the end of 2199. */
static bool take_seconds(const char **text, int64_t *ret_ns)
{
	int64_t seconds = 0;
	long fraction;
	int count = 0;

	for (; **text >= '0' && **text <= '9' && count < 11; ++*text, count++)
		seconds = seconds * 10 + (**text - '0');
	fraction = take_fraction(text, 9);
	if (!count || fraction < 0 || seconds >= INT64_C(7258118400) || (**text != ',' && **text))
		return false;
	*ret_ns = seconds * 1000000000 + fraction;
	return true;
}

/* 2022-05-02T04:44:00Z, or with a fraction of the second: RFC 3339. */
static bool take_date(const char **text, bool any_zone, int64_t *ret_ns)
{
	struct tm date = { 0 }, same;
	time_t seconds;
	int64_t ahead_ns;
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
	if (fraction < 0 || !take_zone(text, any_zone, &ahead_ns))
		return false;
	date.tm_year -= 1900;
	date.tm_mon--;
	same = date;
	seconds = timegm(&same);
	if (same.tm_mday != date.tm_mday) /* 31 April became 1 May */
		return false;
	*ret_ns = (int64_t)seconds * 1000000000 + fraction - ahead_ns;
	return *ret_ns >= 0;
}

static bool take_time(const char **text, bool any, int64_t *ret_ns)
{
	const char *at = *text;

	if (any && take_seconds(&at, ret_ns)) {
		*text = at;
		return true;
	}
	return take_date(text, any, ret_ns);
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

static int add_row(struct reading *reading, const struct kri_trace_row *row)
{
	struct kri_trace *trace = reading->trace;
	struct kri_trace_row *rows;

	if (trace->count == MAX_ROWS)
		return wrong(reading, "more than %d rows", MAX_ROWS);
	if (trace->count == reading->room) {
		reading->room = reading->room ? 2 * reading->room : 1024;
		rows = realloc(trace->rows, reading->room * sizeof(*rows));
		if (!rows)
			return kryos_fail(-ENOMEM, "%s: out of memory", reading->path);
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

/* Where the value of this column begins and how long it is; false: there is none. */
static bool find_column(const char *line, size_t column, const char **ret_text, size_t *ret_length)
{
	bool quoted = false;

	*ret_text = line;
	for (;; line++) {
		quoted = quoted != (*line == '"');
		if (*line && (*line != ',' || quoted))
			continue;
		if (column-- == 0) {
			*ret_length = (size_t)(line - *ret_text);
			return true;
		}
		if (!*line)
			return false;
		*ret_text = line + 1;
	}
}

static bool is_called(const char *text, size_t length, const char *name)
{
	return strlen(name) == length && strncmp(text, name, length) == 0;
}

static int take_header(struct reading *reading, const char *line)
{
	const char *name;
	size_t length;

	if (strncmp(line, "\xef\xbb\xbf", 3) == 0) /* as spreadsheets write it */
		line += 3;
	if (strncmp(line, "time,celsius", 12) != 0 || (line[12] && line[12] != ','))
		return wrong(reading, "\"%.40s\" is no header; time,celsius is needed", line);
	reading->columns = count_columns(line);
	for (size_t i = 2; find_column(line, i, &name, &length); i++) {
		/* Which of the two is meant nobody can know. */
		if (is_called(name, length, "time") || is_called(name, length, "celsius") ||
		    (reading->channel_column && is_called(name, length, "channel")) ||
		    (reading->door_column && is_called(name, length, "door")) ||
		    (reading->mains_column && is_called(name, length, "mains")))
			return wrong(reading, "column %.*s stands twice in the header", (int)length, name);
		if (reading->format->channels && is_called(name, length, "channel"))
			reading->channel_column = i;
		else if (reading->format->states && is_called(name, length, "door"))
			reading->door_column = i;
		else if (reading->format->states && is_called(name, length, "mains"))
			reading->mains_column = i;
	}
	return 0;
}

/* What is not there, or neither 0 nor 1, would be believed to be the one or the other. */
static int take_state(struct reading *reading, const char *line, size_t column, const char *name, bool *ret_state)
{
	const char *text;
	size_t length;

	if (!column)
		return 0;
	if (!find_column(line, column, &text, &length) || length != 1 || (*text != '0' && *text != '1'))
		return wrong(reading, "%s is missing or neither 0 nor 1", name);
	*ret_state = *text == '1';
	return 0;
}

/* The channel's number, by its name. */
static int take_channel(struct reading *reading, const char *line, uint32_t *ret_channel)
{
	struct kri_trace *trace = reading->trace;
	const char *name;
	size_t length;

	if (!find_column(line, reading->channel_column, &name, &length) || length == 0 ||
	    length >= KRI_TRACE_MAX_CHANNEL_NAME || memchr(name, '"', length))
		return wrong(reading, "the channel is missing, quoted, or longer than %d bytes",
		             KRI_TRACE_MAX_CHANNEL_NAME - 1);
	for (uint32_t i = 0; i < trace->channel_count; i++) {
		if (strncmp(trace->channels[i], name, length) == 0 && !trace->channels[i][length]) {
			*ret_channel = i;
			return 0;
		}
	}
	if (trace->channel_count == KRI_TRACE_MAX_CHANNELS)
		return wrong(reading, "more than %d channels", KRI_TRACE_MAX_CHANNELS);
	if (!trace->channels)
		trace->channels = calloc(KRI_TRACE_MAX_CHANNELS, sizeof(*trace->channels));
	if (!trace->channels)
		return kryos_fail(-ENOMEM, "%s: out of memory", reading->path);
	memcpy(trace->channels[trace->channel_count], name, length);
	*ret_channel = trace->channel_count++;
	return 0;
}

static int take_line(struct reading *reading, const char *line)
{
	const struct kri_trace_format *format = reading->format;
	const struct kri_trace *trace = reading->trace;
	const char *whole = line, *at = line;
	struct kri_trace_row row = { .line = (uint32_t)reading->line };
	bool is_open = false, mains = true;
	uint32_t channel = 0;

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
	if (!take_time(&at, format->any_time, &row.t_wall_ns))
		return wrong(reading, "\"%.*s\" is no time; 2022-05-02T04:44:00Z (UTC)%s is allowed",
		             (int)strcspn(line, ",") > 40 ? 40 : (int)strcspn(line, ","), line,
		             format->any_time ? ", 2022-05-02T06:44:00+02:00 or seconds since 1970" : "");
	if (!take_mark(&at, ','))
		return wrong(reading, "a comma and a temperature are missing after the time");
	line = at;
	if (!take_celsius(&at, &row.celsius_micro) || (*at && *at != ','))
		return wrong(reading, "\"%.*s\" is no temperature; as 5.25 or -0.5 is allowed",
		             (int)strcspn(line, ",") > 40 ? 40 : (int)strcspn(line, ","), line);
	/* Or "5,25" would be taken for 5. */
	if (count_columns(line) + 1 > reading->columns)
		return wrong(reading, "the row has more columns than the header; a decimal point is \".\", not \",\"");
	if (row.celsius_micro < format->min_micro || row.celsius_micro > format->max_micro)
		return wrong(reading, "%.*s C is %s", (int)(at - line), line, format->out_of_range);
	if (reading->channel_column) {
		int r = take_channel(reading, whole, &channel);

		if (r < 0)
			return r;
	}
	if (take_state(reading, whole, reading->door_column, "door", &is_open) < 0 ||
	    take_state(reading, whole, reading->mains_column, "mains", &mains) < 0)
		return -EBADMSG;
	row.channel = channel;
	row.open = is_open;
	row.mains = mains;
	if (!format->any_order && trace->count && row.t_wall_ns <= trace->rows[trace->count - 1].t_wall_ns)
		return wrong(reading, "this time is not after the one of the row before");
	return add_row(reading, &row);
}

/* 1: a line without its end; 0: the file is over; -EBADMSG. */
static int read_line(struct reading *reading, FILE *stream, char *line)
{
	size_t length = 0;
	int c;

	reading->line++;
	while ((c = getc_unlocked(stream)) != EOF && c != '\n') {
		if (c == '\0')
			return wrong(reading, "a NUL byte: this is no CSV file");
		if (length == MAX_LINE)
			return wrong(reading, "the line is longer than %d bytes: this is no CSV file", MAX_LINE);
		line[length++] = (char)c;
	}
	if (c == EOF && ferror(stream))
		return kryos_fail(-errno, "%s: %s", reading->path, strerror(errno));
	if (c == EOF && length == 0)
		return 0;
	while (length > 0 && line[length - 1] == '\r')
		length--;
	line[length] = '\0';
	return 1;
}

int kri_trace_read(struct kri_trace *trace, const char *path, const struct kri_trace_format *format)
{
	struct reading reading = { .trace = trace, .path = path, .format = format };
	FILE *stream = fopen(path, "re");
	char line[MAX_LINE + 1];
	struct stat status;
	int r;

	*trace = (struct kri_trace){ 0 };
	if (!stream)
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (fstat(fileno(stream), &status) == 0 && S_ISDIR(status.st_mode)) {
		fclose(stream);
		return kryos_fail(-EISDIR, "%s: %s", path, strerror(EISDIR));
	}
	do {
		r = read_line(&reading, stream, line);
		if (r == 1) {
			r = take_line(&reading, line);
			r = r < 0 ? r : 1;
		}
	} while (r == 1);
	if (r == 0 && trace->count == 0)
		r = wrong(&reading, "there is no row");
	fclose(stream);
	if (r < 0)
		kri_trace_free(trace);
	return r;
}

void kri_trace_free(struct kri_trace *trace)
{
	free(trace->rows);
	free(trace->channels);
	*trace = (struct kri_trace){ 0 };
}
