/* SPDX-License-Identifier: Apache-2.0 */
#include "kryosctl.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void show_json(const char *path, const struct kryos_verify_result *result, bool good)
{
	struct kri_json *json = kri_json_object();

	kri_json_add_string(json, "path", path);
	kri_json_add_bool(json, "good", good);
	kri_json_add_int(json, "segments", result->segments);
	kri_json_add_int(json, "sealed", result->sealed);
	kri_json_add_int(json, "samples", (int64_t)result->samples);
	kri_json_add_int(json, "bad_rows", (int64_t)result->bad_rows);
	kri_json_add_int(json, "bad_links", (int64_t)result->bad_links);
	kri_json_add_int(json, "bad_seals", (int64_t)result->bad_seals);
	kri_json_add_string(json, "first_problem", *result->first_problem ? result->first_problem : NULL);
	print_json(json);
	kri_json_free(json);
}

static void show(const char *path, const struct kryos_verify_result *result, bool good)
{
	printf("%s: %" PRIu64 " samples in %" PRIu32 " segments, %" PRIu32 " of them sealed\n", path, result->samples,
	       result->segments, result->sealed);
	printf("row checksums: %" PRIu64 " wrong; hash chain: %" PRIu64 " breaks; seals: %" PRIu64 " wrong\n",
	       result->bad_rows, result->bad_links, result->bad_seals);
	if (*result->first_problem) {
		printf("first problem: ");
		print_text(stdout, result->first_problem);
		putchar('\n');
	}
	printf(good ? "Nothing in it was changed after it was written, as far as it can tell by itself.\n"
	            : "It was changed or damaged after it was written.\n");
	printf("One device cannot prove alone: that its newest records were not cut off, that the segment still "
	       "open (not sealed) is whole, or what whoever holds its key has signed; compare the last seal with "
	       "one received elsewhere.\n");
}

/* Any other file would be called damaged. */
static bool is_verifiable(const char *path)
{
	size_t length = strlen(path);
	struct stat status;

	return stat(path, &status) < 0 || S_ISDIR(status.st_mode) ||
	       (length > 4 && strcmp(path + length - 4, ".seg") == 0);
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	const char *path = count == 1 ? arguments[0] : options->store;
	struct kryos_ctx *ctx = NULL;
	bool good;
	int r;

	if (count > 1)
		return misused("verify: one folder or file is allowed");
	if (!is_verifiable(path))
		return complain("verify: %s is neither a store's folder nor a segment (*.seg)", path);
	r = kryos_ctx_new(&ctx, NULL);
	if (r >= 0)
		r = kryos_verify(ctx, path, &result);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	kryos_ctx_free(ctx);
	if (r < 0)
		return EXIT_FAILURE;
	good = !result.bad_rows && !result.bad_links && !result.bad_seals && !*result.first_problem;
	if (options->json)
		show_json(path, &result, good);
	else
		show(path, &result, good);
	return finish(stdout, "standard output") == EXIT_SUCCESS && good ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command verify_command = {
	.name = "verify",
	.arguments = "[FOLDER | SEGMENT]",
	.summary = "whether a store was changed after it was written",
	.help = "Checks every row's checksum, the hash chain over all commits, and the signature of each closed\n"
		"segment, of a store's folder or of one segment file (*.seg) taken from it. Reads everything.\n"
		"Gives 1 when anything is wrong. What it can't tell is said in its last line.",
	.options = TAKES_STORE | TAKES_JSON,
	.run = run,
};
