/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "kryosctl.h"
#include "station/station.h"
#include <errno.h>
#include <inttypes.h>
#include <kryos/sys/bus.h>
#include <stdlib.h>
#include <string.h>

static void show_queues(const struct kri_json *result, bool json)
{
	const struct kri_json *queue;

	if (json) {
		print_json(result);
		return;
	}
	for (unsigned int i = 0; (queue = kri_json_at(kri_json_get(result, "queues"), i, NULL)); i++)
		printf("%s: owes %" PRId64 " (oldest seq %" PRId64 "), %" PRId64 " lent, %" PRId64
		       " acknowledged, %" PRId64 " rejected, %" PRId64 " dead letters%s\n",
		       text_of(queue, "name"), number_of(queue, "owed"), number_of(queue, "oldest_seq"),
		       number_of(queue, "lent"), number_of(queue, "acked"), number_of(queue, "rejected"),
		       number_of(queue, "dead_letters"), kri_json_get(queue, "closed") ? "; no relay has it" : "");
	if (!kri_json_at(kri_json_get(result, "queues"), 0, NULL))
		printf("no queues\n");
}

static bool names(const struct kri_json *queues, const char *name)
{
	const struct kri_json *queue;

	for (unsigned int i = 0; (queue = kri_json_at(queues, i, NULL)); i++)
		if (strcmp(text_of(queue, "name"), name) == 0)
			return true;
	return false;
}

/* Adds what the store says of its queues, but those that the daemon told of (NULL: there is none). */
static int add_stored(const struct options *options, const struct kri_json *told, struct kri_json *list)
{
	struct kryos_queue_status status = { .size = sizeof(status) };
	struct kryos_reader *reader = NULL;
	struct kryos_ctx *ctx = NULL;
	int r = kryos_ctx_new(&ctx, NULL);

	if (r >= 0)
		r = kryos_reader_open(&reader, ctx, options->store);
	for (unsigned int i = 0; r >= 0; i++) {
		struct kri_json *queue;

		r = kryos_reader_get_queue(reader, i, &status);
		if (r < 0 || (told && names(told, status.name)))
			continue;
		queue = kri_queue_status_json(&status);
		if (told)
			kri_json_add_bool(queue, "closed", true);
		kri_json_add(list, NULL, queue);
	}
	if (reader && r == -ENOENT)
		r = 0;
	kryos_reader_close(reader);
	kryos_ctx_free(ctx);
	return r;
}

/* The daemon's own, as copies that can be added to. */
static int add_told(const struct kri_json *told, struct kri_json *list)
{
	const struct kri_json *queue;
	int r = 0;

	for (unsigned int i = 0; r >= 0 && (queue = kri_json_at(told, i, NULL)); i++) {
		char *text = kri_json_print(queue);
		struct kri_json *copy = NULL;

		r = text ? kri_json_parse(&copy, text, strlen(text)) : -ENOMEM;
		free(text);
		if (r >= 0)
			kri_json_add(list, NULL, copy);
	}
	return r;
}

static int list(const struct options *options)
{
	struct kri_json *answer = NULL, *result = kri_json_object(), *queues = kri_json_array();
	int r = ask_daemon(options, "queue", NULL, &answer);

	kri_json_add(result, "queues", queues);
	if (nobody_answers(r)) {
		fprintf(stderr, "kryosctl: no daemon answers; this is what the store says\n");
		r = add_stored(options, NULL, queues);
	} else if (r >= 0) {
		r = add_told(kri_json_get(answer, "queues"), queues);
		/* What no relay has is owed all the same. (The store may be elsewhere, or not ours to read.) */
		(void)add_stored(options, kri_json_get(answer, "queues"), queues);
	}
	if (r < 0)
		complain("%s", kryos_strerror(r));
	else
		show_queues(result, options->json);
	kri_json_free(answer);
	kri_json_free(result);
	return r >= 0 ? finish(stdout, "standard output") : EXIT_FAILURE;
}

static bool has_queue(struct kryos_ctx *ctx, const char *store, const char *name)
{
	struct kryos_queue_status status = { .size = sizeof(status) };
	struct kryos_reader *reader = NULL;
	bool found = false;

	if (kryos_reader_open(&reader, ctx, store) < 0)
		return false;
	for (unsigned int i = 0; !found && kryos_reader_get_queue(reader, i, &status) >= 0; i++)
		found = strcmp(status.name, name) == 0;
	kryos_reader_close(reader);
	return found;
}

static int audit(struct kryos_store *store, const char *what)
{
	char who[64];

	return kryos_store_add_event(store, &(struct kryos_event){ .size = sizeof(struct kryos_event),
	                                                           .type = KRYOS_EVENT_AUDIT,
	                                                           .name = own_name(who),
	                                                           .text = what });
}

/*
 * With no daemon the store is opened here, under its lock. The limits are the widest there are: a
 * station that keeps more than the defaults must not lose it to a command about queues.
 */
static int open_stored(const struct options *options, const char *name, struct kryos_ctx *ctx,
                       struct kryos_store **ret_store)
{
	if (!has_queue(ctx, options->store, name))
		return kryos_fail(-ENOENT, "%s: there is no store with a queue \"%s\" there", options->store, name);
	return kryos_store_open(ret_store, ctx, options->store,
	                        KRYOS_STORE_CONFIG(.keep_ns = kri_default_max(KRI_ID_KEEP_NS),
	                                           .keep_bytes = kri_default_max(KRI_ID_KEEP_BYTES)));
}

static int remove_stored(const struct options *options, const char *name)
{
	struct kryos_store *store = NULL;
	struct kryos_ctx *ctx = NULL;
	char what[200];
	int r = kryos_ctx_new(&ctx, NULL);

	snprintf(what, sizeof(what), "queue-remove {\"name\":\"%s\"}", name);
	if (r >= 0)
		r = open_stored(options, name, ctx, &store);
	if (r >= 0)
		r = audit(store, what);
	if (r >= 0)
		r = kryos_store_remove_queue(store, name);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	kryos_ctx_free(ctx);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int resend_stored(const struct options *options, const char *name, int64_t first, int64_t last)
{
	struct kryos_queue *queue = NULL;
	struct kryos_store *store = NULL;
	struct kryos_ctx *ctx = NULL;
	char what[200];
	int r = kryos_ctx_new(&ctx, NULL);

	snprintf(what, sizeof(what), "queue-resend {\"name\":\"%s\",\"first\":%" PRId64 ",\"last\":%" PRId64 "}", name,
	         first, last);
	if (r >= 0)
		r = open_stored(options, name, ctx, &store);
	if (r >= 0)
		r = audit(store, what);
	if (r >= 0)
		r = kryos_queue_open(&queue, store, name, NULL);
	if (r >= 0)
		r = kryos_queue_resend(queue, first, last);
	if (r >= 0)
		r = kryos_queue_commit(queue);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	kryos_ctx_free(ctx);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int resend(const struct options *options, const char *name, const char *first_text, const char *last_text)
{
	struct kri_json *arguments, *result = NULL;
	int64_t first = 0, last = 0;
	int status = EXIT_SUCCESS;
	int r = kri_parse_count(first_text, 1, INT64_C(9007199254740992), &first);

	if (r >= 0)
		r = kri_parse_count(last_text, first, INT64_C(9007199254740992), &last);
	if (r < 0)
		return misused("queue resend: %s", kryos_strerror(r));
	arguments = kri_json_object();
	kri_json_add_string(arguments, "name", name);
	kri_json_add_int(arguments, "first", first);
	kri_json_add_int(arguments, "last", last);
	r = ask_daemon(options, "queue-resend", arguments, &result);
	if (nobody_answers(r))
		status = resend_stored(options, name, first, last);
	else if (r < 0)
		status = complain("%s", kryos_strerror(r));
	if (status == EXIT_SUCCESS && result && options->json)
		print_json(result);
	else if (status == EXIT_SUCCESS && !options->json)
		printf("%s: %" PRId64 " to %" PRId64 " are owed again\n", name, first, last);
	kri_json_free(result);
	return status == EXIT_SUCCESS ? finish(stdout, "standard output") : status;
}

static int remove_queue(const struct options *options, const char *name)
{
	struct kri_json *arguments = kri_json_object(), *result = NULL;
	int status = EXIT_SUCCESS, r;

	kri_json_add_string(arguments, "name", name);
	r = ask_daemon(options, "queue-remove", arguments, &result);
	if (nobody_answers(r))
		status = remove_stored(options, name);
	else if (r < 0)
		status = complain("%s", kryos_strerror(r));
	if (status == EXIT_SUCCESS && result && options->json)
		print_json(result);
	else if (status == EXIT_SUCCESS && !options->json)
		printf("%s is removed\n", name);
	kri_json_free(result);
	return status == EXIT_SUCCESS ? finish(stdout, "standard output") : status;
}

/* Each rejection is an event of the store, so that it is known after the record itself is gone. */
static int dead(const struct options *options, const char *name)
{
	const struct kryos_record *record;
	struct kryos_reader *reader = NULL;
	struct kryos_ctx *ctx = NULL;
	int64_t found = 0;
	int r = kryos_ctx_new(&ctx, NULL);

	if (r >= 0)
		r = kryos_reader_open(&reader, ctx, options->store);
	if (r >= 0 && !has_queue(ctx, options->store, name))
		r = kryos_fail(-ENOENT, "%s: there is no queue \"%s\"", options->store, name);
	while (r >= 0 && (r = kryos_reader_next_event(reader, &record)) > 0) {
		if (record->event->type != KRYOS_EVENT_REJECTED || strcmp(record->event->name, name) != 0)
			continue;
		found++;
		print_record(record, options->json, stdout);
	}
	if (r < 0)
		complain("%s", kryos_strerror(r));
	else if (!found && !options->json)
		printf("%s: no dead letters\n", name);
	kryos_reader_close(reader);
	kryos_ctx_free(ctx);
	return r >= 0 ? finish(stdout, "standard output") : EXIT_FAILURE;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	if (count == 0 || (count == 1 && strcmp(arguments[0], "list") == 0))
		return list(options);
	if (strcmp(arguments[0], "resend") == 0)
		return count == 4 ? resend(options, arguments[1], arguments[2], arguments[3])
		                  : misused("queue resend: NAME FROM TO are needed");
	if (strcmp(arguments[0], "dead") == 0)
		return count == 2 ? dead(options, arguments[1]) : misused("queue dead: NAME is needed");
	if (strcmp(arguments[0], "remove") == 0)
		return count == 2 ? remove_queue(options, arguments[1]) : misused("queue remove: NAME is needed");
	return misused("queue: there is no \"%s\"; list, resend, dead and remove are", arguments[0]);
}

const struct command queue_command = {
	.name = "queue",
	.arguments = "[list | resend NAME FROM TO | dead NAME | remove NAME]",
	.summary = "what is still to be delivered, and delivering again",
	.help = "list              what each queue owes (the default)\n"
		"resend NAME FROM TO\n"
		"                  owes the records with seq FROM to TO again; what is no longer kept stays a gap.\n"
		"                  It is recorded who asked for it\n"
		"dead NAME         what the receiver refused for ever, and why\n"
		"remove NAME       removes a queue that no relay has any more: what it owes is owed to nobody, and\n"
		"                  is no longer kept for it. It is recorded who asked for it, and how much it was\n"
		"Asks the daemon; where none runs, list and dead read the store, and resend and remove open it\n"
		"under its lock.",
	.options = TAKES_STORE | TAKES_SOCKET | TAKES_JSON,
	.run = run,
};
