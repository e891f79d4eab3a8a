/* SPDX-License-Identifier: Apache-2.0 */
/* What a board has, on a line each; and the same for setup and doctor. */
#include "kryosctl.h"
#include <stdlib.h>
#include <string.h>

void print_finding(const struct kryos_finding *finding)
{
	printf("  %-11s ", finding->where);
	if (*finding->driver && finding->kind != KRYOS_FINDING_WATCHDOG)
		printf("%-8s ", finding->driver);
	print_text(stdout, finding->text);
	putchar('\n');
	fflush(stdout);
}

static void print_finding_json(const struct kryos_finding *finding)
{
	static const char *const kinds[] = {
		[KRYOS_FINDING_BUS] = "bus",           [KRYOS_FINDING_CHIP] = "chip",
		[KRYOS_FINDING_CLOCK] = "clock",       [KRYOS_FINDING_SENSOR] = "sensor",
		[KRYOS_FINDING_WATCHDOG] = "watchdog", [KRYOS_FINDING_DISK] = "disk",
	};
	struct kri_json *json = kri_json_object();

	kri_json_add_string(json, "kind", kinds[finding->kind]);
	kri_json_add_bool(json, "usable", finding->code == 0);
	kri_json_add_string(json, "where", finding->where);
	kri_json_add_string(json, "driver", *finding->driver ? finding->driver : NULL);
	kri_json_add_string(json, "device", *finding->device ? finding->device : NULL);
	kri_json_add_string(json, "text", finding->text);
	print_json(json);
	kri_json_free(json);
}

static void found(void *data, const struct kryos_finding *finding)
{
	const struct options *options = data;

	if (options->json)
		print_finding_json(finding);
	else
		print_finding(finding);
}

bool daemon_answers(const struct options *options)
{
	struct kri_json *answer = NULL;
	int r = ask_daemon(options, "status", NULL, &answer);

	kri_json_free(answer);
	return r >= 0 || !nobody_answers(r);
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kryos_survey_config config = { .size = sizeof(config), .buses_only = 1 };
	struct options copy = *options;
	struct kryos_ctx *ctx;
	int r;

	if (count > 0)
		return misused("scan: there is no argument \"%s\"", arguments[0]);
	/* A measurement in between would spoil the daemon's. */
	config.measure = !daemon_answers(options);
	r = kryos_ctx_new(&ctx, NULL);
	if (r < 0)
		return complain("%s", kryos_strerror(r));
	r = kryos_survey(ctx, &config, found, &copy);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	else if (!config.measure && !options->json)
		printf("not measured, because cryo_daemon runs: kryosctl status has its readings\n");
	kryos_ctx_free(ctx);
	return r < 0 ? EXIT_FAILURE : finish(stdout, "standard output");
}

const struct command scan_command = {
	.name = "scan",
	.arguments = "",
	.summary = "which sensors and clocks there are on the buses",
	.help = "Looks at every bus for chips that this build has a driver for, and measures each once. Nothing\n"
		"is written to a chip that is not known. While cryo_daemon runs nothing is measured.",
	.options = TAKES_SOCKET | TAKES_JSON,
	.run = run,
};
