/* SPDX-License-Identifier: Apache-2.0 */
#include "kryosctl.h"
#include <stdlib.h>
#include <string.h>

static int list(bool as_json)
{
	struct kri_json *commands = NULL;
	const struct kri_json *command;
	const char *argument;
	char *text = NULL;
	int r = kryos_command_list(&text);

	if (r >= 0)
		r = kri_json_parse(&commands, text, strlen(text));
	if (r < 0) {
		free(text);
		return complain("%s", kryos_strerror(r));
	}
	if (as_json)
		puts(text);
	for (unsigned int i = 0; !as_json && (command = kri_json_at(commands, i, NULL)); i++) {
		printf("%-14s %-7s %s\n", text_of(command, "name"), text_of(command, "right"),
		       text_of(command, "help"));
		for (unsigned int j = 0; kri_json_at(kri_json_get(command, "arguments"), j, &argument); j++)
			printf("%-22s %s=%s\n", "", argument, text_of(kri_json_get(command, "arguments"), argument));
	}
	free(text);
	kri_json_free(commands);
	return finish(stdout, "standard output");
}

/* key=value; digits alone are a number. False: it is neither. */
static bool add_argument(struct kri_json *arguments, const char *text)
{
	const char *equals = strchr(text, '=');
	char key[64];

	if (!equals || equals == text || equals - text >= (ptrdiff_t)sizeof(key))
		return false;
	snprintf(key, sizeof(key), "%.*s", (int)(equals - text), text);
	if (equals[1] && !equals[1 + strspn(equals + 1, "0123456789")] && strlen(equals + 1) < 19)
		kri_json_add_int(arguments, key, strtoll(equals + 1, NULL, 10));
	else
		kri_json_add_string(arguments, key, equals + 1);
	return true;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kri_json *object, *result = NULL;
	int r;

	if (count == 0)
		return list(options->json);
	object = kri_json_object();
	for (int i = 1; i < count; i++) {
		if (add_argument(object, arguments[i]))
			continue;
		kri_json_free(object);
		return misused("command: \"%s\" is no argument; KEY=VALUE is", arguments[i]);
	}
	r = ask_daemon(options, arguments[0], object, &result);
	if (r < 0)
		return complain("%s", kryos_strerror(r));
	print_json(result);
	kri_json_free(result);
	return finish(stdout, "standard output");
}

const struct command command_command = {
	.name = "command",
	.arguments = "[NAME [KEY=VALUE...]]",
	.summary = "any command of the daemon, by name",
	.help = "Without NAME: lists the daemon's commands, their right and their arguments. With NAME: carries\n"
		"one out and prints its result as JSON.\n"
		"  kryosctl command log-level level=debug\n"
		"  kryosctl command sync-clock",
	.options = TAKES_SOCKET | TAKES_JSON,
	.run = run,
};
