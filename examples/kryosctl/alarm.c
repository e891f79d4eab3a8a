/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms and the channels that they watch. */
#include "kryosctl.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is_trusted(const struct kri_json *json)
{
	return strcmp(text_of(json, "trust"), "synced") == 0 || strcmp(text_of(json, "trust"), "rtc") == 0;
}

static void show_alarm(const struct kri_json *alarm)
{
	const struct kri_json *acknowledged = kri_json_get(alarm, "acknowledged");
	const char *end = text_of(alarm, "end");
	char start_text[KRYOS_TEXT_MAX], end_text[KRYOS_TEXT_MAX], extreme[KRYOS_TEXT_MAX], when[KRYOS_TEXT_MAX];
	char unit[50] = "";

	printf("%s %s: %s %s", text_of(alarm, "channel"), text_of(alarm, "rule"), *end ? "from" : "open since",
	       seconds_of(alarm, "start", start_text));
	if (!is_trusted(alarm))
		printf(" (not trusted)");
	if (*end)
		printf(" to %s (%s)", seconds_of(alarm, "end", end_text), text_of(alarm, "ended_by"));
	if (*text_of(alarm, "unit"))
		snprintf(unit, sizeof(unit), " %.40s", text_of(alarm, "unit"));
	if (strcmp(decimal_of(alarm, "extreme", extreme), "-") != 0)
		printf(", %s%s at worst", extreme, unit);
	printf("; ");
	if (!kri_json_is_object(acknowledged)) {
		printf("nobody has acknowledged it\n");
		return;
	}
	printf("acknowledged at %s by ", seconds_of(acknowledged, "time", when));
	print_text(stdout, text_of(acknowledged, "by"));
	printf(": ");
	print_text(stdout, text_of(acknowledged, "comment"));
	putchar('\n');
}

static bool is_known(const struct kri_json *visited)
{
	return !*text_of(visited, "unknown");
}

static bool knows_all(const struct kri_json *result)
{
	const struct kri_json *list = kri_json_get(result, "visited"), *visited;

	for (unsigned int i = 0; (visited = kri_json_at(list, i, NULL)); i++)
		if (!is_known(visited))
			return false;
	return true;
}

/* Where no daemon judges, up to when what is shown goes. */
static void show_visited(const struct kri_json *result)
{
	const struct kri_json *list = kri_json_get(result, "visited"), *visited;
	char until[KRYOS_TEXT_MAX];

	for (unsigned int i = 0; (visited = kri_json_at(list, i, NULL)); i++) {
		if (!is_known(visited))
			continue;
		if (*seconds_of(visited, "until", until))
			printf("%s: no daemon runs, and this is up to %s%s\n", text_of(visited, "channel"), until,
			       is_trusted(visited) ? "" : " (not trusted)");
		else
			printf("%s: no daemon runs, and nothing was measured\n", text_of(visited, "channel"));
	}
}

/* What nobody knows is told as an error: there may be alarms of it. */
static int complain_of_unknown(const struct kri_json *result)
{
	const struct kri_json *list = kri_json_get(result, "visited"), *visited;
	int status = EXIT_SUCCESS;

	for (unsigned int i = 0; (visited = kri_json_at(list, i, NULL)); i++)
		if (!is_known(visited))
			status = complain("%s: its alarms are not known, but for those that stored events say are "
			                  "open: %s; the daemon makes it again from the samples",
			                  text_of(visited, "channel"), text_of(visited, "unknown"));
	return status;
}

static void show_alarms(const struct kri_json *result)
{
	const struct kri_json *alarms = kri_json_get(result, "alarms"), *alarm;
	const struct kri_json *older = kri_json_get(result, "older"), *channel;

	for (unsigned int i = 0; (alarm = kri_json_at(alarms, i, NULL)); i++)
		show_alarm(alarm);
	for (unsigned int i = 0; (channel = kri_json_at(older, i, NULL)); i++)
		printf("%s: and %" PRId64 " older ones, in the events only\n", text_of(channel, "channel"),
		       number_of(channel, "count"));
	if (!kri_json_at(alarms, 0, NULL) && !kri_json_at(older, 0, NULL) && knows_all(result))
		printf("no alarms\n");
	show_visited(result);
}

static void print_names(const struct kri_json *names)
{
	const char *name;

	for (unsigned int i = 0; (name = kri_json_text(kri_json_at(names, i, NULL))); i++)
		printf("%s%s", i ? ", " : "", name);
}

static void show_test(const struct kri_json *result)
{
	const struct kri_json *driven = kri_json_get(result, "outputs"), *lost = kri_json_get(result, "lost");
	bool sent = false;

	if (kri_json_at(driven, 0, NULL)) {
		printf("on for 5 s: ");
		print_names(driven);
		putchar('\n');
	} else {
		printf("no lamp or buzzer was driven\n");
	}
	if (kri_json_at(lost, 0, NULL)) {
		printf("! lost: ");
		print_names(lost);
		putchar('\n');
	}
	if (kri_json_get_bool(result, "sent", &sent) && sent)
		printf("one message marked test is on its way\n");
	else
		printf("no message: the station has no relay\n");
}

static void show_channels(const struct kri_json *result)
{
	const struct kri_json *channels = kri_json_get(result, "channels"), *channel, *retired, *open;
	char when[KRYOS_TEXT_MAX];

	for (unsigned int i = 0; (channel = kri_json_at(channels, i, NULL)); i++) {
		retired = kri_json_get(channel, "retired");
		open = kri_json_get(channel, "open");
		printf("%s: ", text_of(channel, "channel"));
		if (kri_json_is_object(retired)) {
			printf("retired since %s by ", seconds_of(retired, "time", when));
			print_text(stdout, text_of(retired, "by"));
			printf(": ");
			print_text(stdout, text_of(retired, "why"));
		} else if (kri_json_at(open, 0, NULL)) {
			printf("alarm: ");
			print_names(open);
		} else {
			printf("no alarm");
		}
		putchar('\n');
	}
	if (!kri_json_at(channels, 0, NULL) && knows_all(result))
		printf("no channel is watched\n");
	show_visited(result);
}

/* Shows the result, or a line about it. */
static int finish_with(const struct options *options, int status, struct kri_json *result,
                       void (*show)(const struct kri_json *result))
{
	if (status == EXIT_SUCCESS) {
		if (options->json)
			print_json(result);
		else
			show(result);
	}
	kri_json_free(result);
	return status == EXIT_SUCCESS ? finish(stdout, "standard output") : status;
}

/* In force it is, but a power cut before the disk has it would undo it. */
static void show_durable(const struct kri_json *result)
{
	bool durable = true;

	if (kri_json_get_bool(result, "durable", &durable) && !durable)
		printf("! the disk has not taken it yet: it is on its way, and not safe from a power cut\n");
}

static void show_acknowledged(const struct kri_json *result)
{
	int64_t older = number_of(result, "older");
	char when[KRYOS_TEXT_MAX];

	if (older)
		printf("%s: %" PRId64 " older ones are acknowledged\n", text_of(result, "channel"), older);
	else
		printf("%s %s of %s is acknowledged\n", text_of(result, "channel"), text_of(result, "rule"),
		       seconds_of(result, "start", when));
	show_durable(result);
}

static int acknowledge(const struct options *options, const char *channel, const char *rule)
{
	struct kri_json *arguments, *result = NULL;
	int status;

	if (!options->comment)
		return misused("alarm ack: --comment TEXT is needed: what was seen, or done about it");
	arguments = kri_json_object();
	kri_json_add_string(arguments, "channel", channel);
	kri_json_add_string(arguments, "rule", rule);
	kri_json_add_string(arguments, "comment", options->comment);
	status = ask_or_do(options, "alarm.acknowledge", arguments, &result);
	return finish_with(options, status, result, show_acknowledged);
}

static int list(const struct options *options, const char *command, void (*show)(const struct kri_json *result))
{
	struct kri_json *result = NULL;
	int status = ask_or_do(options, command, NULL, &result);
	int known = status == EXIT_SUCCESS ? complain_of_unknown(result) : status;

	status = finish_with(options, status, result, show);
	return known == EXIT_SUCCESS ? status : known;
}

static int test(const struct options *options)
{
	struct kri_json *result = NULL;
	int r = ask_daemon(options, "alarm.test", NULL, &result);

	if (r < 0)
		return complain("%s%s", kryos_strerror(r),
		                nobody_answers(r) ? " (only a daemon has the lamps and buzzers)" : "");
	r = kri_json_at(kri_json_get(result, "lost"), 0, NULL) ? EXIT_FAILURE : EXIT_SUCCESS;
	return finish_with(options, EXIT_SUCCESS, result, show_test) == EXIT_SUCCESS ? r : EXIT_FAILURE;
}

static int run_alarm(const struct options *options, char *const *arguments, int count)
{
	if (count == 0 || (count == 1 && strcmp(arguments[0], "list") == 0))
		return list(options, "alarm.list", show_alarms);
	if (strcmp(arguments[0], "ack") == 0)
		return count == 3 ? acknowledge(options, arguments[1], arguments[2])
		                  : misused("alarm ack: CHANNEL RULE --comment TEXT are needed");
	if (strcmp(arguments[0], "test") == 0)
		return count == 1 ? test(options) : misused("alarm test: there is no argument \"%s\"", arguments[1]);
	return misused("alarm: there is no \"%s\"; list, ack and test are", arguments[0]);
}

static void show_retired(const struct kri_json *result)
{
	bool retired = false;

	if (kri_json_get_bool(result, "retired", &retired) && retired)
		printf("%s is retired: it is still recorded, and raises no alarms\n", text_of(result, "channel"));
	else
		printf("%s raises alarms again\n", text_of(result, "channel"));
	show_durable(result);
}

static int set_retired(const struct options *options, const char *verb, const char *name)
{
	struct kri_json *arguments, *result = NULL;
	char command[32];
	int status;

	if (!options->why)
		return misused("channel %s: --why TEXT is needed: it is printed on every report", verb);
	snprintf(command, sizeof(command), "channel.%s", verb);
	arguments = kri_json_object();
	kri_json_add_string(arguments, "name", name);
	kri_json_add_string(arguments, "why", options->why);
	status = ask_or_do(options, command, arguments, &result);
	return finish_with(options, status, result, show_retired);
}

static int run_channel(const struct options *options, char *const *arguments, int count)
{
	if (count == 0 || (count == 1 && strcmp(arguments[0], "list") == 0))
		return list(options, "channel.list", show_channels);
	if (strcmp(arguments[0], "retire") == 0 || strcmp(arguments[0], "resume") == 0)
		return count == 2 ? set_retired(options, arguments[0], arguments[1])
		                  : misused("channel %s: NAME --why TEXT are needed", arguments[0]);
	return misused("channel: there is no \"%s\"; list, retire and resume are", arguments[0]);
}

const struct command alarm_command = {
	.name = "alarm",
	.arguments = "[list | ack CHANNEL RULE | test]",
	.summary = "alarms: which there are, acknowledging, testing",
	.help = "list              alarms that are open, and those over that nobody has acknowledged (the default)\n"
		"ack CHANNEL RULE  says that somebody knows of it: the buzzer falls silent. --comment is needed. Of\n"
		"                  several by one rule it is the one that is open, else the newest; where none is "
		"left,\n"
		"                  all older ones, which are in the events only. It is recorded who said so\n"
		"test              drives all lamps and buzzers for 5 s and sends one message marked test; its date\n"
		"                  is on the report. Exit status 1: one of them is lost\n"
		"Asks the daemon; where none runs, list and ack open the store of the station file under its lock and\n"
		"judge what was stored by the rules that were in force: it is said up to when. Exit status 1 of list:\n"
		"of a channel there is no state that can be read, so that its alarms are not known.",
	.options = TAKES_SOCKET | TAKES_JSON | TAKES_COMMENT | TAKES_CONFIG,
	.run = run_alarm,
};

const struct command channel_command = {
	.name = "channel",
	.arguments = "[list | retire NAME | resume NAME]",
	.summary = "channels that alarms watch, and taking one out of service",
	.help = "list              each of them, and whether it is in alarm or retired (the default)\n"
		"retire NAME       no alarms of it from now on; it is still recorded, and reports hatch it. --why is\n"
		"                  needed: an empty fridge, a probe that is calibrated\n"
		"resume NAME       alarms of it again. --why is needed\n"
		"It is recorded who said so. Asks the daemon; where none runs, opens the store of the station file\n"
		"under its lock and judges what was stored by the rules that were in force: it is said up to when.\n"
		"Exit status 1 of list: of a channel there is no state that can be read.",
	.options = TAKES_SOCKET | TAKES_JSON | TAKES_WHY | TAKES_CONFIG,
	.run = run_channel,
};
