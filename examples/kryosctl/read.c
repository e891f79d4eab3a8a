/* SPDX-License-Identifier: Apache-2.0 */
#include "kryosctl.h"
#include <kryos/sys/sensor.h>
#include <stdlib.h>
#include <string.h>

static void print_sample(struct kryos_ctx *ctx, const struct kryos_sample *sample, bool json)
{
	struct kryos_record record = {
		.size = sizeof(record),
		.channel = kryos_channel_name(ctx, sample->channel),
		.unit = kryos_channel_unit(ctx, sample->channel),
		.device = "",
		.place = "",
		.sample = *sample,
	};

	print_record(&record, json, stdout);
}

/* Opens one chip by its device string; channels are called after the driver: bme280.temperature. */
static int read_device(const struct options *options, const char *device, char *const *words, int count)
{
	struct kryos_sample samples[KRYOS_SENSOR_MAX_CHANNELS];
	struct kryos_sensor *sensor = NULL;
	struct kryos_ctx *ctx = NULL;
	bool any = false;
	char name[32], settings[512] = "";
	int r;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, "@"), device);
	for (int i = 0; i < count; i++)
		snprintf(settings + strlen(settings), sizeof(settings) - strlen(settings), "%s ", words[i]);
	r = kryos_ctx_new(&ctx, NULL);
	if (r >= 0)
		r = kryos_sensor_open_with(&sensor, ctx, name, device, KRYOS_SENSOR_CONFIG(.options = settings));
	if (r >= 0)
		r = kryos_sensor_read(sensor, samples, KRYOS_SENSOR_MAX_CHANNELS);
	if (r < 0)
		complain("%s", kryos_strerror(r));
	for (int i = 0; i < r; i++) {
		print_sample(ctx, &samples[i], options->json);
		any = any || kryos_quality_is_measured(samples[i].quality);
	}
	kryos_ctx_free(ctx);
	if (r >= 0 && !any)
		complain("%s: no channel has a good value", device);
	return finish(stdout, "standard output") == EXIT_SUCCESS && any ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct kri_json *result = NULL;
	int r;

	for (int i = 1; i < count; i++)
		if (!strchr(arguments[i], '='))
			return misused("read: one device is allowed, and its options as in wires=3; \"%s\" is none",
			               arguments[i]);
	if (count > 0)
		return read_device(options, arguments[0], arguments + 1, count - 1);
	r = ask_daemon(options, "read", NULL, &result);
	if (r < 0)
		return complain("%s", kryos_strerror(r));
	if (options->json)
		print_json(result);
	else
		print_readings(kri_json_get(result, "readings"));
	kri_json_free(result);
	return finish(stdout, "standard output");
}

const struct command read_command = {
	.name = "read",
	.arguments = "[DEVICE [OPTION=VALUE...]]",
	.summary = "the newest readings, or one chip measured now",
	.help = "Without DEVICE: asks the daemon for the newest reading of each channel.\n"
		"With DEVICE: opens that chip itself and measures once; no daemon or store is needed, but one\n"
		"that runs may be using the bus at the same time. A device is driver@bus:place:\n"
		"  kryosctl read bme280@i2c-1:0x76\n"
		"  kryosctl read ds18b20@w1:any\n"
		"  kryosctl read max31865@spi-0.0 wires=3\n"
		"Gives 1 when there is no good value.",
	.options = TAKES_SOCKET | TAKES_JSON,
	.run = run,
};
