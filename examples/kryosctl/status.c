/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "kryosctl.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void show_problems(const struct kri_json *problems)
{
	const char *text;

	for (unsigned int i = 0; (text = kri_json_text(kri_json_at(problems, i, NULL))); i++) {
		printf("  ! ");
		print_text(stdout, text);
		putchar('\n');
	}
}

static void show_exposure(const struct kri_json *exposure, const char *key, const char *name)
{
	const struct kri_json *window = kri_json_get(exposure, key);
	char min[KRYOS_TEXT_MAX], max[KRYOS_TEXT_MAX], mean[KRYOS_TEXT_MAX];
	const char *mkt;

	if (!kri_json_is_object(window))
		return;
	printf("    %s  %s to %s C", name, decimal_of(window, "min", min), decimal_of(window, "max", max));
	mkt = decimal_of(window, "mkt", mean);
	if (strcmp(mkt, "-") != 0)
		printf(", mean kinetic temperature %s C, which says nothing about freezing", mkt);
	putchar('\n');
}

/* What is open stands among the problems. */
static void show_alarms(const struct kri_json *status)
{
	const struct kri_json *channels = kri_json_get(status, "channels"), *channel, *retired;
	const char *test = text_of(kri_json_get(status, "test"), "time");
	char time[KRYOS_TEXT_MAX];

	printf("alarms\n");
	if (!kri_json_at(channels, 0, NULL))
		printf("  none: nothing is judged\n");
	for (unsigned int i = 0; (channel = kri_json_at(channels, i, NULL)); i++) {
		printf("  %-28s ", text_of(channel, "channel"));
		retired = kri_json_get(channel, "retired");
		if (kri_json_is_object(retired)) {
			printf("retired since %s by ", seconds_of(retired, "time", time));
			print_text(stdout, text_of(retired, "by"));
			printf(": ");
			print_text(stdout, text_of(retired, "why"));
			putchar('\n');
		} else {
			printf("rules: %" PRId64 "\n", number_of(channel, "rules"));
		}
		show_exposure(kri_json_get(channel, "exposure"), "24h", "24 h");
		show_exposure(kri_json_get(channel, "exposure"), "30d", "30 d");
	}
	printf("  tested: %s\n", *test ? seconds_of(kri_json_get(status, "test"), "time", time) : "never");
}

static void show_store(const struct kri_json *store)
{
	char bytes[32], limit[32], worst[KRYOS_TEXT_MAX], first[KRYOS_TEXT_MAX];

	kri_size_text(number_of(store, "bytes"), bytes);
	kri_size_text(number_of(store, "limit_bytes"), limit);
	printf("store\n  %s: %" PRId64 " samples, seq %" PRId64 " to %" PRId64 ", since %s\n", text_of(store, "path"),
	       number_of(store, "samples"), number_of(store, "first_seq"), number_of(store, "last_seq"),
	       *text_of(store, "first_time") ? seconds_of(store, "first_time", first) : "-");
	printf("  %s of %s, %" PRId64 " segments, %" PRId64 " gaps, worst sync %s s\n", bytes, limit,
	       number_of(store, "segments"), number_of(store, "gaps"), decimal_of(store, "worst_sync", worst));
	printf("  device %s\n", text_of(store, "device"));
}

static void show_relays(const struct kri_json *relays)
{
	const struct kri_json *relay;
	char retry[KRYOS_TEXT_MAX];

	for (unsigned int i = 0; (relay = kri_json_at(relays, i, NULL)); i++) {
		printf("relay %s\n  %s: %s, %" PRId64 " acknowledged, %" PRId64 " owed, %" PRId64 " in flight, %" PRId64
		       " rejected\n",
		       text_of(relay, "name"), text_of(relay, "url"), text_of(relay, "link"), number_of(relay, "acked"),
		       number_of(relay, "owed"), number_of(relay, "inflight"), number_of(relay, "rejected"));
		if (*text_of(relay, "error")) {
			printf("  ! ");
			print_text(stdout, text_of(relay, "error"));
			printf(" (again in %s s)\n", decimal_of(relay, "retry", retry));
		}
	}
	if (!kri_json_at(relays, 0, NULL))
		printf("relay\n  none: nothing leaves this device\n");
}

static void show_watchdog(const struct kri_json *watchdog)
{
	char timeout[KRYOS_TEXT_MAX];
	bool petting = false;

	if (!*text_of(watchdog, "device")) {
		printf("watchdog\n  none\n");
		return;
	}
	if (!kri_json_get_bool(watchdog, "petting", &petting))
		petting = false;
	printf("watchdog\n  %s, %s s, %" PRId64 " tasks%s\n", text_of(watchdog, "device"),
	       decimal_of(watchdog, "timeout", timeout), number_of(watchdog, "tasks"),
	       petting ? "" : "; a task is late, the reset is coming");
	if (*text_of(watchdog, "restart")) {
		printf("  last run: ");
		print_text(stdout, text_of(watchdog, "restart"));
		putchar('\n');
	}
}

static void show(const struct kri_json *status)
{
	const struct kri_json *clock = kri_json_get(status, "clock"), *rtc = kri_json_get(clock, "rtc");
	char uptime[KRYOS_TEXT_MAX], time[KRYOS_TEXT_MAX];
	double seconds = 0;

	if (!kri_json_get_double(status, "uptime", &seconds))
		seconds = 0;
	print_text(stdout, *text_of(status, "name") ? text_of(status, "name") : "(no name)");
	printf("\n  kryos %s, up %s, %s\n", text_of(status, "version"), age_text(seconds, uptime),
	       text_of(status, "file"));
	show_problems(kri_json_get(status, "problems"));
	printf("clock\n  %s, %s\n", seconds_of(status, "time", time), text_of(clock, "trust"));
	if (kri_json_is_object(rtc)) {
		printf("  real-time clock: %s, ", seconds_of(rtc, "time", time));
		print_text(stdout, text_of(rtc, "text"));
		putchar('\n');
	}
	show_alarms(status);
	printf("readings\n");
	print_readings(kri_json_get(status, "readings"));
	show_store(kri_json_get(status, "store"));
	show_relays(kri_json_get(status, "relays"));
	show_watchdog(kri_json_get(status, "watchdog"));
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kri_json *status = NULL;
	int r;

	if (count > 0)
		return misused("status: there is no argument \"%s\"", arguments[0]);
	r = ask_daemon(options, options->prometheus ? "metrics" : "status", NULL, &status);
	if (r < 0)
		return complain("%s%s", kryos_strerror(r),
		                nobody_answers(r) ? " (tail, export and verify read the store without it)" : "");
	if (options->prometheus)
		fputs(text_of(status, "text"), stdout);
	else if (options->json)
		print_json(status);
	else
		show(status);
	kri_json_free(status);
	return finish(stdout, "standard output");
}

const struct command status_command = {
	.name = "status",
	.arguments = "",
	.summary = "the state of the running station",
	.help = "Asks the daemon for its state: what needs somebody's eye (marked \"!\"), clock, newest\n"
		"readings, store, relays and watchdog. --json gives all of it, as in status.json,\n"
		"--prometheus the numbers of it in Prometheus' text format.",
	.options = TAKES_SOCKET | TAKES_JSON | TAKES_PROMETHEUS,
	.run = run,
};
