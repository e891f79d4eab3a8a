/* SPDX-License-Identifier: Apache-2.0 */
/* From a request line to an answer line: looks the command up, checks arguments and right, audits, runs. */
#include "command.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct kri_command *find(const char *name)
{
	const struct kri_command *command = kri_commands;

	while (command->name && strcmp(command->name, name) != 0)
		command++;
	return command->name ? command : NULL;
}

static int unknown_command(const char *name)
{
	char words[400] = "", near[64];
	const char *meant;

	for (const struct kri_command *command = kri_commands; command->name; command++) {
		size_t length = strlen(words);

		snprintf(words + length, sizeof(words) - length, "%s%s", length ? " " : "", command->name);
	}
	meant = kri_suggest(name, words, near, sizeof(near));
	if (meant)
		return kryos_fail(-EINVAL, "there is no command \"%.60s\"; did you mean %s?", name, meant);
	return kryos_fail(-EINVAL, "there is no command \"%.60s\"; allowed are %s", name, words);
}

static const struct kri_argument *find_argument(const struct kri_command *command, const char *name)
{
	const struct kri_argument *argument = command->arguments;

	while (argument->name && strcmp(argument->name, name) != 0)
		argument++;
	return argument->name ? argument : NULL;
}

static int check_argument(const struct kri_command *command, const struct kri_argument *argument,
                          const struct kri_json *arguments)
{
	const char *text;
	int64_t number;

	if (!kri_json_get(arguments, argument->name)) {
		if (!argument->required)
			return 0;
		return kryos_fail(-EINVAL, "%s: %s is missing; %s is needed", command->name, argument->name,
		                  argument->type == KRI_ARGUMENT_TEXT ? "a text" : "a whole number");
	}
	if (argument->type == KRI_ARGUMENT_NUMBER) {
		if (!kri_json_get_int(arguments, argument->name, &number) || number < argument->minimum ||
		    number > argument->maximum)
			return kryos_fail(-EINVAL, "%s: %s must be a whole number from %" PRId64 " to %" PRId64,
			                  command->name, argument->name, argument->minimum, argument->maximum);
		return 0;
	}
	if (!kri_json_get_string(arguments, argument->name, &text))
		return kryos_fail(-EINVAL, "%s: %s must be a text", command->name, argument->name);
	if (argument->choices && !kri_is_choice(text, argument->choices))
		return kryos_fail(-EINVAL, "%s: %s must be one of %s", command->name, argument->name,
		                  argument->choices);
	return 0;
}

static int check_arguments(const struct kri_command *command, const struct kri_json *arguments)
{
	const char *key;
	int r;

	for (unsigned int i = 0; kri_json_at(arguments, i, &key); i++) {
		if (!find_argument(command, key))
			return kryos_fail(-EINVAL, "%s: there is no argument \"%.60s\"", command->name, key);
	}
	for (const struct kri_argument *argument = command->arguments; argument->name; argument++) {
		r = check_argument(command, argument, arguments);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What was asked is on its way to the disk before it is done; nothing is changed that can't be audited. */
static int audit(struct kryos_station *station, const struct kri_command *command, const struct kri_json *arguments,
                 const char *who, const char *outcome)
{
	char *what = kri_json_print(arguments), text[1000];
	int r;

	if (!what)
		return -ENOMEM;
	snprintf(text, sizeof(text), "%s%s%.600s%s%.300s", command->name, strcmp(what, "{}") == 0 ? "" : " ",
	         strcmp(what, "{}") == 0 ? "" : what, *outcome ? ": " : "", outcome);
	free(what);
	r = kryos_store_add_event(station->store, &(struct kryos_event){ .size = sizeof(struct kryos_event),
	                                                                 .type = KRYOS_EVENT_AUDIT,
	                                                                 .name = who,
	                                                                 .text = text });
	return r < 0 ? r : 0;
}

static int run(struct kryos_station *station, const struct kri_command *command, const struct kri_json *arguments,
               const char *who, struct kri_json **ret_result)
{
	char sentence[400];
	int r;

	if (command->right == KRYOS_RIGHT_CHANGE) {
		r = audit(station, command, arguments, who, "");
		if (r < 0)
			return kryos_fail(r, "%s was not done, because it could not be recorded: %s", command->name,
			                  kryos_strerror(r));
	}
	r = command->run_for ? command->run_for(station, arguments, who, ret_result)
	                     : command->run(station, arguments, ret_result);
	if (r < 0 && command->right == KRYOS_RIGHT_CHANGE) {
		snprintf(sentence, sizeof(sentence), "%s", kryos_strerror(r));
		if (audit(station, command, arguments, who, sentence) < 0)
			kri_log(station->ctx, KRYOS_LOG_WARNING, "command", r,
			        "%s failed for %s, which is not recorded: %s", command->name, who, sentence);
		r = kryos_fail(r, "%s", sentence);
	}
	return r;
}

static int carry_out(struct kryos_station *station, const struct kri_json *request, const struct kri_json *nothing,
                     const char *who, unsigned int rights, struct kri_json **ret_result)
{
	const struct kri_json *arguments = kri_json_get(request, "arguments");
	const struct kri_command *command;
	const char *name, *key;
	int r;

	if (!kri_json_is_object(request) || !kri_json_get_string(request, "command", &name))
		return kryos_fail(-EINVAL, "a request is {\"command\":\"name\",\"arguments\":{...}}");
	for (unsigned int i = 0; kri_json_at(request, i, &key); i++) {
		if (strcmp(key, "command") != 0 && strcmp(key, "arguments") != 0)
			return kryos_fail(-EINVAL, "a request has no \"%.60s\"; command and arguments are allowed",
			                  key);
	}
	if (arguments && !kri_json_is_object(arguments))
		return kryos_fail(-EINVAL, "arguments must be an object, as in {\"name\":\"programme\"}");
	arguments = arguments ? arguments : nothing;
	command = find(name);
	if (!command)
		return unknown_command(name);
	if ((rights & command->right) != (unsigned int)command->right)
		return kryos_fail(-EACCES, "%s may not use %s", who, command->name);
	r = check_arguments(command, arguments);
	return r < 0 ? r : run(station, command, arguments, who, ret_result);
}

int kryos_command_run(struct kryos_station *station, const char *request, const char *who, unsigned int rights,
                      char **ret_answer)
{
	struct kri_json *parsed = NULL, *nothing = kri_json_object(), *result = NULL, *answer = kri_json_object();
	char *text;
	int r;

	if (!station || !request || !who || !ret_answer) {
		kri_json_free(nothing);
		kri_json_free(answer);
		return -EINVAL;
	}
	r = kri_json_parse(&parsed, request, strlen(request));
	if (r >= 0)
		r = carry_out(station, parsed, nothing, who, rights, &result);
	kri_json_add_bool(answer, "ok", r >= 0);
	if (r >= 0)
		kri_json_add(answer, "result", result);
	else
		kri_json_add_string(answer, "error", kryos_strerror(r));
	text = kri_json_print(answer);
	kri_json_free(answer);
	kri_json_free(nothing);
	kri_json_free(parsed);
	if (!text)
		return -ENOMEM;
	*ret_answer = text;
	return 0;
}

int kryos_command_list(char **ret_json)
{
	struct kri_json *list = kri_json_array();
	char *text;

	if (!ret_json) {
		kri_json_free(list);
		return -EINVAL;
	}
	for (const struct kri_command *command = kri_commands; command->name; command++) {
		struct kri_json *item = kri_json_object(), *arguments = kri_json_object();

		kri_json_add_string(item, "name", command->name);
		kri_json_add_string(item, "right", command->right == KRYOS_RIGHT_READ ? "read" : "change");
		kri_json_add_string(item, "help", command->help);
		for (const struct kri_argument *argument = command->arguments; argument->name; argument++)
			kri_json_add_string(arguments, argument->name,
			                    argument->type == KRI_ARGUMENT_TEXT ? "text" : "number");
		kri_json_add(item, "arguments", arguments);
		kri_json_add(list, NULL, item);
	}
	text = kri_json_print(list);
	kri_json_free(list);
	if (!text)
		return -ENOMEM;
	*ret_json = text;
	return 0;
}
