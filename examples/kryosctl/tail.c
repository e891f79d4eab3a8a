/* SPDX-License-Identifier: Apache-2.0 */
#include "kryosctl.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_AGAIN_S 1

static int next_of(struct kryos_reader *reader, const struct options *options, const struct kryos_record **ret_record)
{
	int r;

	do {
		r = options->events ? kryos_reader_next_event(reader, ret_record)
		                    : kryos_reader_next(reader, ret_record);
	} while (r > 0 && !is_wanted(options, *ret_record));
	return r;
}

/* Whether there is a record with this seq or a later one. */
static int reaches(struct kryos_reader *reader, const struct options *options, int64_t seq)
{
	const struct kryos_record *record;
	int r = kryos_reader_seek(reader, seq);

	if (r < 0)
		return r;
	return options->events ? kryos_reader_next_event(reader, &record) : kryos_reader_next(reader, &record);
}

/* The newest seq, found by halving: a store knows where a seq is, and is not read from its beginning. 0: empty. */
static int find_newest(struct kryos_reader *reader, const struct options *options, int64_t *ret_seq)
{
	int64_t below = 0, above = 1;
	int r;

	while ((r = reaches(reader, options, above)) > 0 && above < INT64_MAX / 2) {
		below = above;
		above *= 2;
	}
	while (r >= 0 && above - below > 1) {
		int64_t middle = below + (above - below) / 2;

		r = reaches(reader, options, middle);
		if (r > 0)
			below = middle;
		else
			above = middle;
	}
	if (r < 0)
		return r;
	*ret_seq = below;
	return 0;
}

/* Goes so far back that count wanted records follow, if there are so many; *ret_skip of them are too many. */
static int go_back(struct kryos_reader *reader, const struct options *options, int64_t *ret_skip)
{
	int64_t newest = 0, span = 4 * options->count + 64, found;
	const struct kryos_record *record;
	int r = find_newest(reader, options, &newest);

	for (;; span *= 8) {
		int64_t from = span < newest ? newest - span + 1 : 1;

		if (r >= 0)
			r = kryos_reader_seek(reader, from);
		for (found = 0; r >= 0 && (r = next_of(reader, options, &record)) > 0; found++)
			;
		if (r >= 0 && (found >= options->count || from == 1)) {
			*ret_skip = found > options->count ? found - options->count : 0;
			return kryos_reader_seek(reader, from);
		}
		if (r < 0)
			return r;
	}
}

static int print_all(struct kryos_reader *reader, const struct options *options, int64_t skip)
{
	const struct kryos_record *record;
	bool any = false;
	int r;

	for (;;) {
		while ((r = next_of(reader, options, &record)) > 0) {
			any = true;
			if (skip > 0)
				skip--;
			else
				print_record(record, options->json, stdout);
		}
		/* A misspelt channel gives no error anywhere else. */
		if (r >= 0 && !any && !options->follow && options->channel_count > 0 && !options->events)
			fprintf(stderr, "kryosctl: the store has no measurement of %s\n",
			        options->channel_count == 1 ? options->channels[0] : "these channels");
		if (r < 0 || !options->follow)
			return r;
		if (finish(stdout, "standard output") != EXIT_SUCCESS)
			return 0;
		sleep(LOOK_AGAIN_S);
	}
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kryos_reader *reader = NULL;
	struct kryos_ctx *ctx = NULL;
	int64_t skip = 0;
	int r;

	if (count > 0)
		return misused("tail: there is no argument \"%s\"", arguments[0]);
	r = kryos_ctx_new(&ctx, NULL);
	if (r >= 0)
		r = kryos_reader_open(&reader, ctx, options->store);
	if (r >= 0)
		r = go_back(reader, options, &skip);
	if (r >= 0)
		r = print_all(reader, options, skip);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	else
		r = -complain_of_gaps(reader);
	kryos_reader_close(reader);
	kryos_ctx_free(ctx);
	return finish(stdout, "standard output") == EXIT_SUCCESS && r >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command tail_command = {
	.name = "tail",
	.arguments = "",
	.summary = "the newest records of the store",
	.help = "Prints the newest measurements of the store, oldest first; with --events what happened\n"
		"instead (sensors lost, gaps, clock, seals, who changed what). Reads the store itself, whether\n"
		"a daemon runs or not.\n"
		"  kryosctl tail -f -c fridge.temperature",
	.options = TAKES_STORE | TAKES_JSON | TAKES_FOLLOW | TAKES_COUNT | TAKES_CHANNEL | TAKES_EVENTS,
	.run = run,
};
