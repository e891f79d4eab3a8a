/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle from anywhere is judged, or refused with a sentence. */
#include "fuzz.h"
#include <kryos/kryos.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	const char *path = fuzz_file(data, size);
	struct kryos_ctx *ctx;
	int r;

	FUZZ_MUST(kryos_ctx_new(&ctx, NULL) == 0);
	r = kryos_verify(ctx, path, &result);
	FUZZ_MUST(r <= 0);
	FUZZ_MUST(r == 0 || *kryos_strerror(r));
	FUZZ_MUST(memchr(result.first_problem, 0, sizeof(result.first_problem)));
	FUZZ_MUST(r < 0 || !result.first_problem[0] == !(result.bad_rows || result.bad_links || result.bad_seals));
	kryos_ctx_free(ctx);
	return 0;
}
