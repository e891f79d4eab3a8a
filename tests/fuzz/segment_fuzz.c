/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder whose segment is the input: as pages, or a good one with rows of the input's. It is opened as the store
 * does, verified and read from outside, then a store goes on with it.
 */
#include "fuzz_sql.h"
#include "store/private.h"
#include <kryos/kryos.h>
#include <stdio.h>

static void open_segment(const char *folder)
{
	struct kri_segment *segment = NULL;
	struct kryos_ctx *ctx;
	char path[4096];

	FUZZ_MUST(kryos_ctx_new(&ctx, NULL) == 0);
	snprintf(path, sizeof(path), "%s/" FUZZ_SEGMENT, folder);
	if (kri_segment_open(&segment, path, 1, ctx) >= 0) {
		FUZZ_MUST(segment->last_seq >= 0 && segment->epoch);
		kri_segment_close(segment);
	} else {
		FUZZ_MUST(!segment);
	}
	kryos_ctx_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_image image, state;
	const char *folder = fuzz_folder();
	uint8_t mode;

	if (!image.db)
		fuzz_images(&image, &state);
	mode = fuzz_write_segment(folder, &image, data, size);
	if (mode & 4)
		fuzz_write_image(folder, "state.db", &state);
	open_segment(folder);
	fuzz_use_store(folder, size + 4096, !(mode & 8));
	return 0;
}
