/* SPDX-License-Identifier: Apache-2.0 */
/* A station file, read and judged whole. It is right or says why, and says so in lines that name the file. */
#include "fuzz.h"
#include "station/station_file.h"
#include <kryos/kryos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	struct kri_station_file *file = NULL;
	char *errors = NULL, *text = NULL;
	static struct kryos_ctx *ctx; /* one for all: reading changes nothing in it */
	size_t count;
	FILE *stream;
	int r;

	FUZZ_MUST(ctx || kryos_ctx_new(&ctx, NULL) == 0);
	r = kri_station_file_read(&file, ctx, path, &errors);
	if (r < 0) {
		FUZZ_MUST(r == KRYOS_ECONFIG && !file && errors);
		FUZZ_MUST(strncmp(errors, path, strlen(path)) == 0);
		FUZZ_MUST(*kryos_strerror(r));
	} else {
		FUZZ_MUST(file && !errors);
		stream = open_memstream(&text, &count);
		FUZZ_MUST(stream);
		kri_station_file_print(file, stream);
		fclose(stream);
		FUZZ_MUST(count > 0);
		free(text);
	}
	free(errors);
	kri_station_file_free(file);
	return 0;
}
