/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded temperature: lines of time,celsius under a header that says so; further columns are taken where asked for.
 */
#ifndef KRI_TRACE_H
#define KRI_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KRI_TRACE_MAX_CHANNELS 64
#define KRI_TRACE_MAX_CHANNEL_NAME 64 /* with its end */

struct kri_trace_row {
	int64_t t_wall_ns;
	int64_t celsius_micro;
	uint32_t channel : 30; /* 0 where the file names none */
	uint32_t open : 1;     /* the door; 0 where the file has no such column */
	uint32_t mains : 1;    /* the supply is there; 1 where the file has no such column */
	uint32_t line;
};

struct kri_trace {
	struct kri_trace_row *rows; /* at least one, in the order of the file */
	size_t count;
	char (*channels)[KRI_TRACE_MAX_CHANNEL_NAME]; /* NULL: there is no such column, or it was not asked for */
	uint32_t channel_count;
};

/* What is allowed. */
struct kri_trace_format {
	int64_t min_micro, max_micro;
	const char *out_of_range; /* "nothing a DS18B20 can measure; -55 to 125 is allowed" */
	bool any_time;            /* also seconds since 1970, and an offset from UTC */
	bool any_order;           /* a row need not be later than the one before */
	bool channels;            /* a column that is called channel says whose row it is */
	bool states;              /* columns that are called door and mains, of 0 and 1 */
};

/* Reads all of it. -EBADMSG: a mistake, with file and line; -errno: the file can't be read. */
int kri_trace_read(struct kri_trace *trace, const char *path, const struct kri_trace_format *format);
void kri_trace_free(struct kri_trace *trace);

#endif
