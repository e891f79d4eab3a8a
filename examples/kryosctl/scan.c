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

/* What the daemon uses, by its status: between its transfers nobody else should talk to a chip. */
static int show_daemons(const struct options *options, const struct kri_json *status, int result)
{
	const struct kri_json *sensors = kri_json_get(status, "sensors"), *sensor;

	if (result < 0)
		return complain("cryo_daemon may be using the buses: %s", kryos_strerror(result));
	for (unsigned int i = 0; (sensor = kri_json_at(sensors, i, NULL)); i++) {
		if (options->json)
			print_json(sensor);
		else
			printf("  %-11s %s\n", text_of(sensor, "name"), text_of(sensor, "address"));
	}
	if (!options->json)
		printf("these are what cryo_daemon uses; the buses were not looked at while it runs\n");
	return finish(stdout, "standard output");
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kryos_survey_config config = { .size = sizeof(config), .no_board = 1, .measure = 1 };
	struct options copy = *options;
	struct kri_json *status = NULL;
	struct kryos_ctx *ctx = NULL;
	int r;

	if (count > 0)
		return misused("scan: there is no argument \"%s\"", arguments[0]);
	r = ask_daemon(options, "status", NULL, &status);
	if (!nobody_answers(r)) {
		r = show_daemons(options, status, r);
		kri_json_free(status);
		return r;
	}
	r = kryos_ctx_new(&ctx, NULL);
	if (r >= 0)
		r = kryos_survey(ctx, &config, found, &copy);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	kryos_ctx_free(ctx);
	return r < 0 ? EXIT_FAILURE : finish(stdout, "standard output");
}

const struct command scan_command = {
	.name = "scan",
	.arguments = "",
	.summary = "which sensors and clocks there are on the buses",
	.help = "Looks at every bus for chips that this build has a driver for, and measures each once. Nothing\n"
		"is written to a chip that is not known. While cryo_daemon runs, it is asked which it uses. Chips\n"
		"behind a multiplexer, or on power that is switched off, are not found.",
	.options = TAKES_SOCKET | TAKES_JSON,
	.run = run,
};
