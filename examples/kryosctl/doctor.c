/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a station that was set up is well: asks the daemon, looks at what a daemon cannot, and at all where none
 * runs. */
#include "config/config.h"
#include "kryosctl.h"
#include "station/station_file.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400.0

struct doctor {
	const struct options *options;
	const char *file;
	char folder[4096]; /* of the store */
	int64_t keep_bytes;
	unsigned int problems, channels;
	bool answers; /* a daemon does */
};

/* "  where       text", and with a mark what needs somebody's eye. */
static void say(struct doctor *doctor, bool good, const char *where, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static void say(struct doctor *doctor, bool good, const char *where, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("%s %-11s ", good ? " " : "!", where);
	print_text(stdout, text);
	putchar('\n');
	fflush(stdout);
	doctor->problems += !good;
}

static double seconds_at(const struct kri_json *object, const char *key)
{
	double seconds = 0;

	return kri_json_get_double(object, key, &seconds) ? seconds : 0;
}

/* Seconds since 1970 of a time in the status; 0: none. */
static int64_t time_at(const struct kri_json *object, const char *key)
{
	int64_t ns;

	return *text_of(object, key) && kri_parse_time(text_of(object, key), &ns) >= 0 ? ns / 1000000000 : 0;
}

/* A reading that is older than three rounds of its sensor is none of now; 0: no such sensor. */
static double oldest(const struct kri_json *status, const char *channel)
{
	const struct kri_json *sensors = kri_json_get(status, "sensors"), *sensor;
	size_t length = strcspn(channel, ".");

	for (unsigned int i = 0; (sensor = kri_json_at(sensors, i, NULL)); i++)
		if (strlen(text_of(sensor, "name")) == length && !strncmp(text_of(sensor, "name"), channel, length))
			return 3 * seconds_at(sensor, "every");
	return 0;
}

static void look_at_sensors(struct doctor *doctor, const struct kri_json *status)
{
	const struct kri_json *readings = kri_json_get(status, "readings"), *reading;
	char buffer[KRYOS_TEXT_MAX], age[KRYOS_TEXT_MAX];

	for (unsigned int i = 0; (reading = kri_json_at(readings, i, NULL)); i++) {
		const char *quality = text_of(reading, "quality"), *reason = text_of(reading, "reason");
		const char *value = decimal_of(reading, "value", buffer);
		bool measured = strcmp(value, "-") != 0;
		bool fresh = seconds_at(reading, "age") <= oldest(status, text_of(reading, "channel"));

		if (measured)
			say(doctor, fresh, text_of(reading, "channel"), "%s %s  %s, %s ago", value,
			    text_of(reading, "unit"), quality, age_text(seconds_at(reading, "age"), age));
		else
			say(doctor, false, text_of(reading, "channel"), "%s, %s ago", quality,
			    age_text(seconds_at(reading, "age"), age));
		if (!measured && *reason)
			say(doctor, true, "", "%s", reason);
		doctor->channels++;
	}
	if (!doctor->channels)
		say(doctor, false, "sensors", "nothing was measured yet");
}

static void look_at_relays(struct doctor *doctor, const struct kri_json *status)
{
	const struct kri_json *relays = kri_json_get(status, "relays"), *relay;
	const char *trust = text_of(kri_json_get(status, "clock"), "trust");
	bool known = !strcmp(trust, "rtc") || !strcmp(trust, "synced");
	int64_t now = time_at(status, "time");

	for (unsigned int i = 0; (relay = kri_json_at(relays, i, NULL)); i++) {
		bool up = !strcmp(text_of(relay, "link"), "up");
		int64_t until = known ? time_at(relay, "certificate_until") : 0;
		char days[64] = "";

		if (until)
			snprintf(days, sizeof(days),
			         until > now ? "; certificate good for %.0f more days"
			                     : "; certificate ended %.0f days ago",
			         (double)(until > now ? until - now : now - until) / DAY_S);
		say(doctor, up && (!until || until - now > 30 * DAY_S), text_of(relay, "name"),
		    "%s: %s%s%s, %" PRId64 " owed%s", text_of(relay, "url"), text_of(relay, "link"),
		    *text_of(relay, "error") ? ": " : "", text_of(relay, "error"), number_of(relay, "owed"), days);
	}
	if (!kri_json_at(relays, 0, NULL))
		say(doctor, true, "relay", "none: nothing leaves this device");
}

/* By what the store has taken a day so far. */
static void look_at_store(struct doctor *doctor, const struct kri_json *status)
{
	const struct kri_json *store = kri_json_get(status, "store");
	double days = (double)(time_at(status, "time") - time_at(store, "first_time")) / DAY_S;
	double bytes = (double)number_of(store, "bytes"), limit = (double)number_of(store, "limit_bytes");
	char worst[KRYOS_TEXT_MAX], room[64] = "";

	if (time_at(store, "first_time") && days >= 1 && bytes > 0)
		snprintf(room, sizeof(room), ", holds %.0f days at this rate", limit / (bytes / days));
	say(doctor, !*text_of(store, "error"), "store",
	    "%s: %" PRId64 " samples, %" PRId64 " gaps, worst sync %s s%s%s%s", text_of(store, "path"),
	    number_of(store, "samples"), number_of(store, "gaps"), decimal_of(store, "worst_sync", worst), room,
	    *text_of(store, "error") ? ": " : "", text_of(store, "error"));
}

static void look_at_clock(struct doctor *doctor, const struct kri_json *status)
{
	const struct kri_json *clock = kri_json_get(status, "clock"), *rtc = kri_json_get(clock, "rtc");
	const char *trust = text_of(clock, "trust");
	bool known = !strcmp(trust, "rtc") || !strcmp(trust, "synced"), valid = true;
	char time[KRYOS_TEXT_MAX];

	say(doctor, known, "clock", "%s, %s", seconds_of(status, "time", time), trust);
	if (kri_json_is_object(rtc) && kri_json_get_bool(rtc, "valid", &valid))
		say(doctor, valid, "rtc", "%s", text_of(rtc, "text"));
	if (*text_of(clock, "error"))
		say(doctor, false, "rtc", "%s", text_of(clock, "error"));
}

static void look_at_watchdog(struct doctor *doctor, const struct kri_json *status)
{
	const struct kri_json *watchdog = kri_json_get(status, "watchdog");
	const char *device = text_of(watchdog, "device"), *restart = text_of(watchdog, "restart");
	char seconds[KRYOS_TEXT_MAX], timeout[KRYOS_TEXT_MAX + 8] = "";

	if (seconds_at(watchdog, "timeout") > 0)
		snprintf(timeout, sizeof(timeout), ", %s s", decimal_of(watchdog, "timeout", seconds));
	if (!*device)
		say(doctor, !*text_of(watchdog, "error"), "watchdog", "none%s%s",
		    *text_of(watchdog, "error") ? ": " : "", text_of(watchdog, "error"));
	else
		say(doctor, true, "watchdog", "%s%s%s%s", device, timeout, *restart ? "; last run: " : "", restart);
}

/* Whether one of the lines above has said it: what a reading lacks, and what is of clock, store and watchdog. */
static bool is_said(const struct kri_json *status, const char *problem)
{
	const struct kri_json *readings = kri_json_get(status, "readings"), *reading;
	char text[400];

	for (unsigned int i = 0; (reading = kri_json_at(readings, i, NULL)); i++) {
		snprintf(text, sizeof(text), "%s: %s", text_of(reading, "channel"), text_of(reading, "quality"));
		if (!strncmp(problem, text, strlen(text)) && strchr(":", problem[strlen(text)]))
			return true;
	}
	if (!strncmp(problem, "relay ", 6) && strstr(problem, ": the certificate in "))
		return true;
	return !strncmp(problem, "clock:", 6) || !strncmp(problem, "store:", 6) || !strncmp(problem, "watchdog:", 9);
}

static void look_at_daemon(struct doctor *doctor, const struct kri_json *status)
{
	const struct kri_json *problems = kri_json_get(status, "problems");
	char uptime[KRYOS_TEXT_MAX];
	const char *text;

	say(doctor, true, "daemon", "kryos %s, up %s, %s", text_of(status, "version"),
	    age_text(seconds_at(status, "uptime"), uptime), text_of(status, "file"));
	look_at_clock(doctor, status);
	look_at_sensors(doctor, status);
	look_at_store(doctor, status);
	look_at_relays(doctor, status);
	look_at_watchdog(doctor, status);
	for (unsigned int i = 0; (text = kri_json_text(kri_json_at(problems, i, NULL))); i++)
		if (!is_said(status, text))
			say(doctor, false, "problem", "%s", text);
}

/*
 * A bus that is not there matters to the sensors of the file, which say so; a board may have no watchdog; and who may
 * not write to the store's folder can't try its disk.
 */
static bool is_fine(const struct kryos_finding *finding)
{
	return finding->code == 0 || finding->kind == KRYOS_FINDING_BUS || finding->kind == KRYOS_FINDING_CHIP ||
	       (finding->kind == KRYOS_FINDING_DISK && finding->code == -EACCES) ||
	       (finding->kind == KRYOS_FINDING_WATCHDOG &&
	        (finding->code == -ENOENT || strstr(finding->text, "systemd")));
}

static void found(void *data, const struct kryos_finding *finding)
{
	struct doctor *doctor = data;
	bool sensor = finding->kind == KRYOS_FINDING_SENSOR;

	if (doctor->answers && finding->kind == KRYOS_FINDING_WATCHDOG)
		return; /* it has said what it pets */
	say(doctor, is_fine(finding), finding->where, "%s%s%s", sensor ? finding->driver : "", sensor ? "  " : "",
	    finding->text);
}

static void try_sensor(struct doctor *doctor, struct kryos_ctx *ctx, const struct kri_section *section)
{
	const char *device = section->entries[KRI_SENSOR_ADDRESS].text;
	char *options = kri_station_options(section);
	struct kryos_line_config line;
	struct kryos_sensor *sensor = NULL;
	int r;

	kri_station_line_config(section, &line);
	r = options ? kryos_sensor_open_with(&sensor, ctx, section->label, device,
	                                     KRYOS_SENSOR_CONFIG(.options = options,
	                                                         .line = kri_station_is_line(section) ? &line : NULL))
	            : -ENOMEM;
	say(doctor, r >= 0, section->label, "%s%s%s", device, r < 0 ? ": " : "", r < 0 ? kryos_strerror(r) : "");
	doctor->channels += r >= 0 ? (unsigned int)kryos_sensor_get_channel_count(sensor) : 1;
	kryos_sensor_close(sensor);
	free(options);
}

static void try_rtc(struct doctor *doctor, struct kryos_ctx *ctx, const char *device)
{
	struct kryos_rtc_status status = { .size = sizeof(status) };
	int r = kryos_clock_use_rtc(ctx, device);

	if (r >= 0)
		r = kryos_clock_get_rtc(ctx, &status);
	say(doctor, r >= 0 && status.valid, "rtc", "%s%s%s", device, r < 0 || *status.text ? ": " : "",
	    r < 0 ? kryos_strerror(r) : status.text);
}

/* By the system's clock, which is all there is without a daemon. */
static void look_at_certificates(struct doctor *doctor, struct kryos_ctx *ctx, const struct kri_section *relay)
{
	struct kryos_time now = { 0 };
	const char *path;
	int64_t until;
	int r = kri_section_certificates_until(relay, &until, &path);

	if (r < 0)
		say(doctor, false, relay->label, "%s", kryos_strerror(r));
	else if (until != INT64_MAX && kryos_clock_now(ctx, &now) >= 0)
		say(doctor, until - now.t_wall_ns > KRYOS_DAYS(30), relay->label,
		    until > now.t_wall_ns ? "%s: good for %.0f more days, if the clock is right"
		                          : "%s: ended %.0f days ago, if the clock is right",
		    path,
		    (double)(until > now.t_wall_ns ? until - now.t_wall_ns : now.t_wall_ns - until) / 1e9 / DAY_S);
}

static void try_section(struct doctor *doctor, struct kryos_ctx *ctx, const struct kri_section *section)
{
	const char *power = section->kind == KRI_SECTION_SENSOR ? section->entries[KRI_SENSOR_POWER].text : NULL;

	if (power)
		say(doctor, true, section->label, "not tried: its power %s is off while no station runs", power);
	else if (section->kind == KRI_SECTION_SENSOR)
		try_sensor(doctor, ctx, section);
	else if (section->kind == KRI_SECTION_CLOCK && section->entries[KRI_CLOCK_RTC].text)
		try_rtc(doctor, ctx, section->entries[KRI_CLOCK_RTC].text);
	else if (section->kind == KRI_SECTION_RELAY)
		look_at_certificates(doctor, ctx, section);
}

/* What the file names, and whether it is there. */
static void try_file(struct doctor *doctor, struct kryos_ctx *ctx)
{
	struct kri_station_file *file = NULL;
	char *errors = NULL, *rest, *line;
	int r = kri_station_file_read(&file, ctx, doctor->file, &errors);

	rest = errors;
	while (r == KRYOS_ECONFIG && (line = strsep(&rest, "\n")))
		if (*line)
			say(doctor, false, "file", "%s", line);
	free(errors);
	if (r < 0 && r != KRYOS_ECONFIG)
		say(doctor, false, "file", "%s", kryos_strerror(r));
	if (r < 0)
		return;
	for (const struct kri_section *section = file->sections; section; section = section->next)
		try_section(doctor, ctx, section);
	kri_station_store_path(file, doctor->folder, sizeof(doctor->folder));
	doctor->keep_bytes = kri_station_number(kri_station_find(file, KRI_SECTION_STORE, NULL), KRI_STORE_SIZE);
	kri_station_file_free(file);
}

static int examine(struct doctor *doctor, struct kryos_ctx *ctx)
{
	struct kryos_survey_config config = { .size = sizeof(config), .folder = doctor->folder };
	struct kri_json *status = NULL;
	int r = ask_daemon(doctor->options, "status", NULL, &status);
	bool nobody = nobody_answers(r);

	doctor->answers = r >= 0;
	if (r >= 0) {
		look_at_daemon(doctor, status);
		snprintf(doctor->folder, sizeof(doctor->folder), "%s", text_of(kri_json_get(status, "store"), "path"));
		doctor->keep_bytes = number_of(kri_json_get(status, "store"), "limit_bytes");
	} else {
		say(doctor, false, "daemon", "%s", kryos_strerror(r));
	}
	kri_json_free(status);
	/* One that may be using the buses, though it does not answer, is left alone. */
	config.no_buses = !nobody;
	if (nobody) {
		config.no_board = 1;
		r = kryos_survey(ctx, &config, found, doctor);
		if (r >= 0)
			try_file(doctor, ctx);
		config.no_buses = 1;
		config.no_board = 0;
	}
	config.channels = doctor->channels ? doctor->channels : 1;
	config.keep_bytes = doctor->keep_bytes;
	if (!*doctor->folder)
		snprintf(doctor->folder, sizeof(doctor->folder), "%s", doctor->options->store);
	r = kryos_survey(ctx, &config, found, doctor);
	return r < 0 ? complain("%s", kryos_strerror(r)) : EXIT_SUCCESS;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct doctor doctor = { .options = options, .file = count ? arguments[0] : DEFAULT_CONFIG };
	struct kryos_ctx *ctx;
	int r;

	if (count > 1)
		return misused("doctor: one station file is allowed, not also \"%s\"", arguments[1]);
	r = kryos_ctx_new(&ctx, NULL);
	if (r < 0)
		return complain("%s", kryos_strerror(r));
	r = examine(&doctor, ctx);
	kryos_ctx_free(ctx);
	if (r != EXIT_SUCCESS)
		return r;
	printf(doctor.problems ? "%u thing%s to look after, marked \"!\"\n" : "all is well\n", doctor.problems,
	       doctor.problems == 1 ? "" : "s");
	r = finish(stdout, "standard output");
	return doctor.problems ? EXIT_FAILURE : r;
}

const struct command doctor_command = {
	.name = "doctor",
	.arguments = "[FILE]",
	.summary = "what is wrong with this station, if anything",
	.help = "Asks the daemon about clock, sensors, store, relays and watchdog, measures the disk's syncs,\n"
		"and marks with \"!\" what needs somebody's eye. Where no daemon runs it looks at the buses, and at\n"
		"sensors, clock and certificates of FILE (/etc/kryos/station.ini) itself; one that runs has its\n"
		"own file. Exit status 1: something is wrong.",
	.options = TAKES_SOCKET | TAKES_STORE,
	.run = run,
};
