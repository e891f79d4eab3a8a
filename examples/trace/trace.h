/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded temperature: lines of time,celsius under a header that says so; further columns are taken where asked for.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_MAX_CHANNELS 64
#define TRACE_MAX_CHANNEL_NAME 64 /* with its end */

struct row {
	int64_t t_wall_ns;
	int64_t celsius_micro;
	uint32_t channel : 30; /* 0 where the file names none */
	uint32_t open : 1;     /* the door; 0 where the file has no such column */
	uint32_t mains : 1;    /* the supply is there; 1 where the file has no such column */
	uint32_t line;
};

struct trace {
	struct row *rows; /* at least one, in the order of the file */
	size_t count;
	char (*channels)[TRACE_MAX_CHANNEL_NAME]; /* NULL: there is no such column, or it was not asked for */
	uint32_t channel_count;
};

/* What is allowed. */
struct trace_format {
	const char *program; /* stands before each sentence: "cryo_daemon: " */
	int64_t min_micro, max_micro;
	const char *out_of_range; /* "nothing a DS18B20 can measure; -55 to 125 is allowed" */
	bool any_time;            /* also seconds since 1970, and an offset from UTC */
	bool any_order;           /* a row need not be later than the one before */
	bool channels;            /* a column that is called channel says whose row it is */
	bool states;              /* columns that are called door and mains, of 0 and 1 */
};

/* Reads all of it. A mistake is one sentence on stderr, with file and line; -1. */
int trace_read(struct trace *trace, const char *path, const struct trace_format *format);
void trace_free(struct trace *trace);

#endif
