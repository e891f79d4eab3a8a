/* SPDX-License-Identifier: Apache-2.0 */
#include "doc_file.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static int write_file(const char *path, const char *text, size_t size)
{
	FILE *file = fopen(path, "w");
	bool wrote = file && fwrite(text, 1, size, file) == size;

	if (file && fclose(file) == 0 && wrote)
		return 0;
	perror(path);
	return 1;
}

/* Line by line, so that it can say where. */
static int compare_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0, number = 1;
	ssize_t length;
	bool same = true;

	if (!file) {
		perror(path);
		return 1;
	}
	while (same && (length = getline(&line, &room, file)) >= 0) {
		same = strncmp(line, text, (size_t)length) == 0;
		text += same ? length : 0;
		number += same;
	}
	same = same && !*text;
	if (!same)
		printf("%s:%zu: the tables say:\n%.*s\nTo renew it: cmake --build build --target renew_docs\n", path,
		       number, (int)strcspn(text, "\n"), text);
	free(line);
	fclose(file);
	return same ? 0 : 1;
}

int doc_file(int argc, char **argv, void (*render)(FILE *out))
{
	bool write = argc == 3 && strcmp(argv[1], "--write") == 0;
	char *text = NULL;
	size_t size;
	FILE *out;
	int r;

	if (argc != 2 && !write) {
		fprintf(stderr, "usage: %s [--write] FILE\n", argv[0]);
		return 2;
	}
	out = open_memstream(&text, &size);
	if (!out)
		return 2;
	render(out);
	if (fclose(out) != 0)
		return 2;
	r = write ? write_file(argv[2], text, size) : compare_file(argv[1], text);
	free(text);
	return r;
}
