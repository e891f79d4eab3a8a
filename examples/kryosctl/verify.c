/* SPDX-License-Identifier: Apache-2.0 */
#include "kryosctl.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void add_seal(struct kri_json *json, const char *key, int64_t number, const char *hash)
{
	struct kri_json *seal;

	if (!number)
		return;
	seal = kri_json_object();
	kri_json_add_int(seal, "number", number);
	kri_json_add_string(seal, "hash", hash);
	kri_json_add(json, key, seal);
}

static void show_json(const char *path, const struct kryos_verify_result *result, bool good)
{
	struct kri_json *json = kri_json_object();
	char when[KRYOS_TEXT_MAX];

	kri_json_add_string(json, "path", path);
	kri_json_add_bool(json, "good", good);
	kri_json_add_int(json, "segments", result->segments);
	kri_json_add_int(json, "sealed", result->sealed);
	kri_json_add_int(json, "samples", (int64_t)result->samples);
	kri_json_add_int(json, "events", (int64_t)result->events);
	kri_json_add_int(json, "event_seals", result->event_seals);
	kri_json_add_int(json, "unsealed_events", (int64_t)result->unsealed_events);
	kri_json_add_int(json, "bad_rows", (int64_t)result->bad_rows);
	kri_json_add_int(json, "bad_links", (int64_t)result->bad_links);
	kri_json_add_int(json, "bad_seals", (int64_t)result->bad_seals);
	kri_json_add_int(json, "anchors", result->anchors);
	kri_json_add_string(json, "key", *result->fingerprint ? result->fingerprint : NULL);
	add_seal(json, "newest_seal", result->seal_number, result->seal_hash);
	add_seal(json, "newest_event_seal", result->events_number, result->events_hash);
	kri_json_add_string(json, "first_problem", *result->first_problem ? result->first_problem : NULL);
	if (result->problem_seq)
		kri_json_add_int(json, "problem_seq", result->problem_seq);
	if (result->problem_wall_ns)
		kri_json_add_string(json, "problem_time", kryos_time_text(result->problem_wall_ns, when));
	print_json(json);
	kri_json_free(json);
}

/* By itself, not in a folder or a bundle. */
static bool is_segment(const char *path)
{
	size_t length = strlen(path);
	struct stat status;

	return length > 4 && strcmp(path + length - 4, ".seg") == 0 && stat(path, &status) == 0 &&
	       !S_ISDIR(status.st_mode);
}

static const char *judge(const struct kryos_verify_result *result, const struct options *options, bool good)
{
	bool is_signed = result->sealed || result->event_seals;

	if (good)
		return is_signed
		               ? "Nothing in it was changed after it was written, as far as it can tell by itself."
		               : "Nothing is wrong with it, but nothing in it is signed: whoever writes the files can "
		                 "make all of it anew.";
	if (options->key && !*result->fingerprint)
		return "Nothing in it is signed with the key of --key: another device wrote it, or it was made anew.";
	if (!result->bad_rows && !result->bad_links && result->anchors < options->anchor_count &&
	    result->bad_seals == options->anchor_count - result->anchors)
		return "It is whole in itself, but what an anchor was taken from is not in it: it was cut off or made "
		       "anew since, or the anchor is of another store.";
	return "It was changed or damaged after it was written.";
}

static void show(const char *path, const struct kryos_verify_result *result, const struct options *options, bool good)
{
	if (is_segment(path))
		printf("%s: %" PRIu64 " samples in one segment, %s\n", path, result->samples,
		       result->sealed ? "sealed" : "not sealed");
	else
		printf("%s: %" PRIu64 " samples in %" PRIu32 " segments, %" PRIu32 " of them sealed\n", path,
		       result->samples, result->segments, result->sealed);
	if (result->events)
		printf("%" PRIu64 " events, %" PRIu64 " of them sealed\n", result->events,
		       result->events - result->unsealed_events);
	printf("row checksums: %" PRIu64 " wrong; hash chain: %" PRIu64 " breaks; seals: %" PRIu64 " wrong\n",
	       result->bad_rows, result->bad_links, result->bad_seals);
	if (*result->fingerprint)
		printf("trusted: the key %s %s%s%s\n", options->key ? "of --key," : "that was found inside,",
		       result->fingerprint, result->devices > 1 ? ", and those of other devices before it" : "",
		       options->key ? "" : " (compare it with the device's)");
	if (result->seal_number)
		printf("newest seal of a segment: %" PRId64 ":%s\n", result->seal_number, result->seal_hash);
	if (result->events_number)
		printf("newest seal of events: %" PRId64 ":%s\n", result->events_number, result->events_hash);
	if (options->anchor_count)
		printf("anchors: %" PRIu32 " of %u found\n", result->anchors, options->anchor_count);
	if (*result->first_problem) {
		printf("first problem: ");
		print_text(stdout, result->first_problem);
		putchar('\n');
	}
	printf("%s\n", judge(result, options, good));
	if (is_segment(path))
		printf("What was before and behind a segment only a store's folder or a bundle can show.\n");
	printf("One device cannot prove alone: that its newest segments were not cut off, that the segment still "
	       "open (not sealed) and the events behind the newest seal are unchanged, or that nobody else holds its "
	       "key; compare the newest seals with those received elsewhere (--anchor NUMBER:HASH).\n");
}

/* The whole of a small file, which is to be a public key; free() it. */
static char *read_key(const char *path)
{
	char *text = calloc(1, 4097);
	FILE *file = text ? fopen(path, "re") : NULL;
	size_t count = file ? fread(text, 1, 4096, file) : 0;

	if (!count || ferror(file)) {
		complain("%s: %s", path, file && !errno ? "is empty" : strerror(errno));
		free(text);
		text = NULL;
	} else if (!strstr(text, "-----BEGIN PUBLIC KEY-----")) {
		complain("%s: no public key in PEM form; a bundle has its device's as device.pub", path);
		free(text);
		text = NULL;
	}
	if (file)
		fclose(file);
	return text;
}

static bool take_anchor(const char *text, struct kryos_anchor *anchor)
{
	size_t digits = strspn(text, "0123456789");

	anchor->number = strtoll(text, NULL, 10);
	anchor->hash = text + digits + 1;
	return digits && digits < 17 && text[digits] == ':' && strlen(anchor->hash) == 64 &&
	       strspn(anchor->hash, "0123456789abcdef") == 64 && anchor->number > 0;
}

static int verify(const struct options *options, const char *path, struct kryos_verify_result *result)
{
	struct kryos_anchor anchors[MAX_ANCHORS];
	struct kryos_ctx *ctx = NULL;
	char *key = NULL;
	int r;

	for (unsigned int i = 0; i < options->anchor_count; i++)
		if (!take_anchor(options->anchors[i], &anchors[i]))
			return misused("--anchor: \"%.90s\" is wrong; a number, a colon and a hash of 64 digits of "
			               "0-9 a-f are allowed",
			               options->anchors[i]);
	if (options->key && !(key = read_key(options->key)))
		return EXIT_FAILURE;
	r = kryos_ctx_new(&ctx, NULL);
	if (r >= 0)
		r = kryos_verify_with(ctx, path,
		                      KRYOS_VERIFY_CONFIG(.anchor_count = options->anchor_count, .anchors = anchors,
		                                          .public_key = key),
		                      result);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	kryos_ctx_free(ctx);
	free(key);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Any other file would be called damaged. */
static bool is_verifiable(const char *path)
{
	size_t length = strlen(path);
	struct stat status;

	return stat(path, &status) < 0 || S_ISDIR(status.st_mode) ||
	       (length > 4 && (strcmp(path + length - 4, ".seg") == 0 || strcmp(path + length - 4, ".tar") == 0));
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	const char *path = count == 1 ? arguments[0] : options->store;
	bool good;
	int status;

	if (count > 1)
		return misused("verify: one folder or file is allowed");
	if (!is_verifiable(path))
		return complain("verify: %s is neither a store's folder nor a segment (*.seg) or a bundle (*.tar)",
		                path);
	status = verify(options, path, &result);
	if (status != EXIT_SUCCESS)
		return status;
	good = !result.bad_rows && !result.bad_links && !result.bad_seals && !*result.first_problem;
	if (options->json)
		show_json(path, &result, good);
	else
		show(path, &result, options, good);
	return finish(stdout, "standard output") == EXIT_SUCCESS && good ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command verify_command = {
	.name = "verify",
	.arguments = "[FOLDER | SEGMENT | BUNDLE]",
	.summary = "whether a store was changed after it was written",
	.help = "Checks every row's checksum, the hash chains over all commits and all events, and the signature of\n"
		"each seal, of a store's folder, of one segment file (*.seg) taken from it, or of a bundle (*.tar)\n"
		"that kryosctl export --bundle made. Reads everything. A copy of a folder needs its -wal files.\n"
		"It names the first broken link: its file, row (seq) and time. Without --key the key found inside\n"
		"is trusted, and the fingerprint says which: compare it with the device's. --anchor NUMBER:HASH\n"
		"is a seal received elsewhere: it must be there, or retention must have removed what it was of.\n"
		"Gives 1 when anything is wrong. What it can't tell is said in its last line.",
	.options = TAKES_STORE | TAKES_JSON | TAKES_VERIFY,
	.run = run,
};
