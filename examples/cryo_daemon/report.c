/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void say(const struct daemon *daemon, enum kryos_log_level level, const char *format, ...)
{
	struct kryos_log_record record = { .size = sizeof(record), .level = level, .module = "daemon" };
	char text[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	record.message = text;
	daemon->log(NULL, &record);
}

void say_mistakes(const struct daemon *daemon, enum kryos_log_level level)
{
	char *text = NULL, *line, *rest;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	int r = stream ? kryos_station_check(daemon->options->config, stream) : 0;

	if (stream)
		fclose(stream);
	if (r < 0 && !size)
		say(daemon, level, "%s", kryos_strerror(r));
	rest = r < 0 ? text : NULL;
	while (rest && (line = strsep(&rest, "\n"))) {
		if (*line)
			say(daemon, level, "%s", line);
	}
	free(text);
}

int64_t monotonic_ns(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return KRYOS_SECONDS(now.tv_sec) + now.tv_nsec;
}
