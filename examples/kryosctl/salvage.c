/* SPDX-License-Identifier: Apache-2.0 */
#include "kryosctl.h"
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static void show_json(const char *path, const char *output, const struct kryos_salvage_result *result)
{
	struct kri_json *json = kri_json_object();

	kri_json_add_string(json, "path", path);
	kri_json_add_string(json, "output", result->samples ? output : NULL);
	kri_json_add_int(json, "samples", (int64_t)result->samples);
	kri_json_add_int(json, "bytes", (int64_t)result->bytes);
	kri_json_add_int(json, "rejected", (int64_t)result->rejected);
	kri_json_add_int(json, "unreadable", (int64_t)result->unreadable);
	print_json(json);
	kri_json_free(json);
}

static void show(const char *path, const char *output, const struct kryos_salvage_result *result)
{
	if (result->samples)
		printf("%s: %" PRIu64 " samples whose checksum holds are in %s now\n", path, result->samples, output);
	else
		printf("%s: no sample whose checksum holds was found in it; nothing was written\n", path);
	printf("looked at %" PRIu64 " bytes; %" PRIu64 " places look like rows with a wrong checksum; %" PRIu64
	       " pages could not be read\n",
	       result->bytes, result->rejected, result->unreadable);
	if (!result->samples && result->rejected)
		printf("Checksums can't be told right from wrong where every header row, which names the epoch, is "
		       "lost; the store it is from knows its epochs and salvages it when it is opened.\n");
	if (result->samples)
		printf("It has no hash chain and no seal. How many are missing can't be told from the file: seqs "
		       "between the rows may be those of events.\n");
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kryos_salvage_result result = { .size = sizeof(result) };
	struct kryos_ctx *ctx = NULL;
	int r;

	if (count != 1)
		return misused("salvage: one segment file is wanted");
	if (!options->output)
		return misused("salvage: --output is missing, the file to write");
	r = kryos_ctx_new(&ctx, NULL);
	if (r >= 0)
		r = kryos_salvage(ctx, arguments[0], options->output, &result);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	kryos_ctx_free(ctx);
	if (r < 0)
		return EXIT_FAILURE;
	/* An empty segment would be taken for one. */
	if (!result.samples)
		unlink(options->output);
	if (options->json)
		show_json(arguments[0], options->output, &result);
	else
		show(arguments[0], options->output, &result);
	return finish(stdout, "standard output") == EXIT_SUCCESS && result.samples && !result.rejected &&
	                       !result.unreadable
	               ? EXIT_SUCCESS
	               : EXIT_FAILURE;
}

const struct command salvage_command = {
	.name = "salvage",
	.arguments = "SEGMENT",
	.summary = "what is left of a damaged segment, as a new one",
	.help = "Reads a damaged segment file (*.seg), and its -wal beside it if there is one, without trusting any\n"
		"of its structure, and writes the samples whose checksum holds to a new segment, which must not\n"
		"exist yet. The damaged file is not changed. A store does this by itself; this is for a file from\n"
		"anywhere.\n"
		"  kryosctl salvage 00000000000000000001.seg -o left.seg\n"
		"Gives 1 when something is known to be missing: rows with a wrong checksum, pages that could not be\n"
		"read, or no sample at all: then nothing is written. 0 does not say that all is there.",
	.options = TAKES_JSON | TAKES_OUTPUT,
	.run = run,
};
