/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded temperature: lines of time,celsius under a header that says so. */
#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>
#include <stdint.h>

struct row {
	int64_t t_wall_ns;
	int64_t celsius_micro;
};

struct trace {
	struct row *rows; /* at least one, each later than the one before */
	size_t count;
};

/* Reads all of it. A mistake is one sentence on stderr, with file and line; -1. */
int trace_read(struct trace *trace, const char *path);
void trace_free(struct trace *trace);

#endif
