/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the daemon over its local socket. */
#include "kryosctl.h"
#include <errno.h>
#include <kryos/sys/bus.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS KRYOS_SECONDS(10)

bool nobody_answers(int result)
{
	return result == -ENOENT || result == -ECONNREFUSED;
}

int ask_daemon(const struct options *options, const char *command, struct kri_json *arguments,
               struct kri_json **ret_result)
{
	struct kri_json *request = kri_json_object(), *answer = NULL, *result = NULL;
	char *line, *text = NULL, *part;
	bool ok = false;
	int r;

	kri_json_add_string(request, "command", command);
	if (arguments)
		kri_json_add(request, "arguments", arguments);
	line = kri_json_print(request);
	kri_json_free(request);
	r = line ? kryos_door_ask(options->socket, line, PATIENCE_NS, &text) : -ENOMEM;
	free(line);
	if (r < 0)
		return r;
	r = kri_json_parse(&answer, text, strlen(text));
	free(text);
	if (r >= 0 && !kri_json_get_bool(answer, "ok", &ok))
		r = kryos_fail(KRYOS_EPROTO, "%s: what answers there is no daemon of this kind", options->socket);
	if (r >= 0 && !ok)
		r = kryos_fail(KRYOS_EREJECTED, "%s", text_of(answer, "error"));
	if (r >= 0) {
		/* A copy that outlives the answer. */
		part = kri_json_print(kri_json_get(answer, "result"));
		r = part ? kri_json_parse(&result, part, strlen(part)) : -ENOMEM;
		free(part);
	}
	kri_json_free(answer);
	if (r >= 0)
		*ret_result = result;
	return r;
}
