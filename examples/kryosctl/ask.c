/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the daemon over its local socket; and where none runs, doing what it would. */
#include "kryosctl.h"
#include <errno.h>
#include <kryos/sys/bus.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_NS KRYOS_SECONDS(10)

bool nobody_answers(int result)
{
	return result == -ENOENT || result == -ECONNREFUSED;
}

static char *request_line(const char *command, struct kri_json *arguments)
{
	struct kri_json *request = kri_json_object();
	char *line;

	kri_json_add_string(request, "command", command);
	if (arguments)
		kri_json_add(request, "arguments", arguments);
	line = kri_json_print(request);
	kri_json_free(request);
	return line;
}

/* Its result as a copy that outlives the answer. from: who gave it. */
static int take_answer(const char *from, const char *text, struct kri_json **ret_result)
{
	struct kri_json *answer = NULL;
	bool ok = false;
	char *part;
	int r = kri_json_parse(&answer, text, strlen(text));

	if (r >= 0 && !kri_json_get_bool(answer, "ok", &ok))
		r = kryos_fail(KRYOS_EPROTO, "%s: what answers there is no daemon of this kind", from);
	if (r >= 0 && !ok)
		r = kryos_fail(KRYOS_EREJECTED, "%s", text_of(answer, "error"));
	if (r >= 0) {
		part = kri_json_print(kri_json_get(answer, "result"));
		r = part ? kri_json_parse(ret_result, part, strlen(part)) : -ENOMEM;
		free(part);
	}
	kri_json_free(answer);
	return r;
}

static int ask(const struct options *options, const char *line, struct kri_json **ret_result)
{
	char *text = NULL;
	int r = line ? kryos_door_ask(options->socket, line, PATIENCE_NS, &text) : -ENOMEM;

	if (r >= 0)
		r = take_answer(options->socket, text, ret_result);
	free(text);
	return r;
}

int ask_daemon(const struct options *options, const char *command, struct kri_json *arguments,
               struct kri_json **ret_result)
{
	char *line = request_line(command, arguments);
	int r = ask(options, line, ret_result);

	free(line);
	return r;
}

const char *own_name(char buffer[64])
{
	const struct passwd *user = getpwuid(getuid());

	if (user)
		snprintf(buffer, 64, "%.63s", user->pw_name);
	else
		snprintf(buffer, 64, "uid %lu", (unsigned long)getuid());
	return buffer;
}

/* With the station's store under its lock, and none of its devices and relays. */
static int do_here(const struct options *options, const char *line, struct kri_json **ret_result)
{
	const char *config = options->config ? options->config : DEFAULT_CONFIG;
	struct kryos_station *station = NULL;
	struct kryos_ctx *ctx = NULL;
	char who[64], *text = NULL;
	bool durable = true;
	int r = kryos_ctx_new(&ctx, NULL);

	if (r >= 0)
		r = kryos_station_open(&station, ctx, config, KRYOS_STATION_CONFIG(.store_only = 1));
	if (r >= 0)
		r = kryos_command_run(station, line, own_name(who), KRYOS_RIGHT_READ | KRYOS_RIGHT_CHANGE, &text);
	if (r >= 0)
		r = take_answer(config, text, ret_result);
	if (r >= 0)
		r = kryos_store_flush(kryos_station_get_store(station), PATIENCE_NS);
	/* Nobody tries again when this process has ended. */
	if (r >= 0 && kri_json_get_bool(*ret_result, "durable", &durable) && !durable)
		r = kryos_fail(-ETIMEDOUT, "%s: the disk did not take it in time: look whether it did", config);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	free(text);
	kryos_ctx_free(ctx);
	return r;
}

int ask_or_do(const struct options *options, const char *command, struct kri_json *arguments,
              struct kri_json **ret_result)
{
	char *line = request_line(command, arguments);
	int r = ask(options, line, ret_result);

	if (nobody_answers(r))
		r = do_here(options, line, ret_result);
	else if (r < 0)
		complain("%s", kryos_strerror(r));
	free(line);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
