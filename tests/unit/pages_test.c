/* SPDX-License-Identifier: Apache-2.0 */
/* What pages of docs/ show as sections of a station file is what a station takes. */
#include "station/station_file.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The blocks that begin with a section, one file each; returns how many. */
static int try_page(struct kryos_ctx *ctx, const char *path, const char *scratch)
{
	char line[512], *errors;
	struct kri_station_file *station;
	FILE *page = fopen(path, "r"), *file = NULL;
	bool inside = false;
	int blocks = 0;

	assert_non_null(page);
	while (fgets(line, sizeof(line), page)) {
		bool fence = strncmp(line, "```", 3) == 0;

		if (inside && !fence && !file && line[0] == '[') {
			file = fopen(scratch, "w");
			assert_non_null(file);
			blocks++;
		}
		if (file && !fence)
			assert_true(fputs(line, file) >= 0);
		if (file && fence) {
			assert_int_equal(fclose(file), 0);
			file = NULL;
			errors = NULL;
			if (kri_station_file_read(&station, ctx, scratch, &errors) < 0)
				fail_msg("%s, block %d: %s", path, blocks, errors);
			kri_station_file_free(station);
		}
		inside = inside != fence;
	}
	fclose(page);
	return blocks;
}

static void sections_on_pages_are_taken(void **state)
{
	static const struct {
		const char *page;
		int blocks;
	} pages[] = { { "docs/api/analog.md", 2 }, { "docs/api/line.md", 1 } };
	char *folder = scratch_new(), path[512];
	struct kryos_ctx *ctx;

	(void)state;
	if (access(KRYOS_SOURCE_DIR "/docs", F_OK) < 0) {
		printf("# the pages are not on this machine\n");
		scratch_free(folder);
		skip();
	}
	assert_ok(kryos_ctx_new(&ctx, NULL));
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", KRYOS_SOURCE_DIR, pages[i].page);
		assert_int_equal(try_page(ctx, path, in(folder, "station.ini")), pages[i].blocks);
	}
	kryos_ctx_free(ctx);
	scratch_free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_on_pages_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
