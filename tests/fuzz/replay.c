/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a fuzz target each file of the folders named, in order of their names: what was found once stays tested. */
#include "fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static unsigned int replay(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_file, alphasort);
	char path[4096];

	for (int i = 0; i < count; i++) {
		size_t size;
		uint8_t *data, *exact;

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		printf("%s\n", path);
		fflush(stdout);
		data = fuzz_read(path, &size);
		/* To the byte, so that the sanitizer sees a read behind its end. */
		exact = malloc(size ? size : 1);
		FUZZ_MUST(exact);
		memcpy(exact, data, size);
		free(data);
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return count > 0 ? (unsigned int)count : 0;
}

int main(int argc, char **argv)
{
	unsigned int count = 0;

	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%u inputs\n", count);
	return count ? 0 : 1;
}
