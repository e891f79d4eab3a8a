/* SPDX-License-Identifier: Apache-2.0 */
/* The first evening: looks what there is, and writes a station file that uses it. */
#include "kryosctl.h"
#include "sensor/sensor.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_SENSORS 32

struct sensor {
	char driver[32], device[160], name[40];
	bool temperature, vaccine;
};

struct setup {
	const struct options *options;
	struct kryos_ctx *ctx;
	const char *file;
	char rtc[160];
	struct sensor sensors[MOST_SENSORS];
	unsigned int count, missing; /* missing: what could be mended */
};

static bool is_probe(const char *device)
{
	return strstr(device, "@w1:") || strstr(device, "@spi-");
}

/* What sits on a circuit board in the room's air; a thermometer on a board is the fridge's where there is no probe. */
static bool is_ambient(const char *driver)
{
	return !strncmp(driver, "bme", 3) || !strncmp(driver, "bmp", 3) || !strncmp(driver, "sht", 3);
}

/* Whether it measures one, as it is without options. */
static bool has_temperature(struct kryos_ctx *ctx, const char *text)
{
	const struct kryos_sensor_driver *driver;
	int64_t options[KRYOS_SENSOR_MAX_OPTIONS];
	struct kryos_description has = { .channel_count = 0 };
	struct kri_device device;

	if (kri_device_parse(text, &device) < 0 || kri_device_find_sensor(ctx, &device, &driver) < 0 ||
	    kri_options_parse(driver, NULL, options) < 0 ||
	    kri_sensor_describe(driver, device.place, options, &has) < 0)
		return false;
	for (size_t i = 0; i < has.channel_count; i++)
		if (!strcmp(has.channels[i].quantity, "temperature"))
			return true;
	return false;
}

static void found(void *data, const struct kryos_finding *finding)
{
	struct setup *setup = data;

	if (finding->kind == KRYOS_FINDING_WATCHDOG && finding->code == -EBUSY) {
		bool systemd = strstr(finding->text, "systemd") != NULL;

		printf("  %-11s %s: cryo_daemon %s\n", finding->where, finding->text,
		       systemd ? "will report to systemd" : "will run without a hardware watchdog");
		setup->missing += !systemd;
		return;
	}
	/* Few have anything on SPI: that nothing is there is worth a line where no probe is anywhere. */
	for (unsigned int i = 0; finding->code == -ENODEV && !strncmp(finding->where, "spi", 3) && i < setup->count;
	     i++)
		if (is_probe(setup->sensors[i].device))
			return;
	print_finding(finding);
	setup->missing += finding->code != 0 && strcmp(finding->where, "spi") != 0;
	if (finding->code != 0)
		return;
	if (finding->kind == KRYOS_FINDING_CLOCK && !*setup->rtc)
		snprintf(setup->rtc, sizeof(setup->rtc), "%s", finding->device);
	if (finding->kind == KRYOS_FINDING_SENSOR && setup->count < MOST_SENSORS) {
		struct sensor *sensor = &setup->sensors[setup->count++];

		snprintf(sensor->driver, sizeof(sensor->driver), "%s", finding->driver);
		snprintf(sensor->device, sizeof(sensor->device), "%s", finding->device);
		sensor->temperature = has_temperature(setup->ctx, finding->device);
	}
}

/* "fridge", "fridge2", ...: the first without a number. */
static void number_sensor(struct setup *setup, struct sensor *sensor, const char *stem)
{
	unsigned int number = 1;

	for (const struct sensor *other = setup->sensors; other < sensor; other++)
		number += !strncmp(other->name, stem, strlen(stem));
	snprintf(sensor->name, sizeof(sensor->name), number > 1 ? "%s%u" : "%s", stem, number);
}

/* Returns how many measure vaccines: probes on wires, or where there is none, thermometers on boards. */
static unsigned int name_sensors(struct setup *setup)
{
	unsigned int vaccines = 0;
	bool probes = false;

	for (unsigned int i = 0; i < setup->count; i++)
		probes |= is_probe(setup->sensors[i].device);
	for (unsigned int i = 0; i < setup->count; i++) {
		struct sensor *sensor = &setup->sensors[i];

		sensor->vaccine =
			sensor->temperature && (probes ? is_probe(sensor->device) : !is_ambient(sensor->driver));
		vaccines += sensor->vaccine;
		number_sensor(setup, sensor,
		              sensor->vaccine       ? "fridge"
		              : sensor->temperature ? "room"
		                                    : sensor->driver);
	}
	return vaccines;
}

/* "Raspberry Pi 4 Model B Rev 1.4", by the device tree; "" on other boards. */
static void board_name(char *name, size_t size)
{
	FILE *file = fopen("/proc/device-tree/model", "re");

	if (!file || !fgets(name, (int)size, file))
		*name = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
}

/* The zone's name, as the link to its file has it. */
static void time_zone(char *name, size_t size)
{
	char target[PATH_MAX];
	ssize_t length = readlink("/etc/localtime", target, sizeof(target) - 1);
	const char *zone;

	snprintf(name, size, "UTC");
	if (length < 0)
		return;
	target[length] = '\0';
	zone = strstr(target, "/zoneinfo/");
	if (zone && strlen(zone + 10) < size)
		snprintf(name, size, "%s", zone + 10);
}

static void write_head(FILE *stream)
{
	char board[128], zone[128], host[64] = "cold-chain station";

	board_name(board, sizeof(board));
	time_zone(zone, sizeof(zone));
	if (gethostname(host, sizeof(host)) < 0 || !isalnum((unsigned char)*host))
		snprintf(host, sizeof(host), "cold-chain station");
	host[sizeof(host) - 1] = '\0';
	fprintf(stream, "# written by `kryosctl setup`%s%s\n", *board ? " on this " : "", board);
	fprintf(stream,
	        "# After a change:  cryo_daemon --check   (names every mistake with its line; prints what is in "
	        "force, defaults too)\n"
	        "# Durations 10s 15min 10h 30d, sizes 512MB 2GB, temperatures in Celsius. Records are in UTC.\n\n");
	fprintf(stream, "[station]\nname     = %s\ntimezone = %s\n", host, zone);
}

static void write_sensors(FILE *stream, const struct setup *setup, unsigned int vaccines)
{
	for (unsigned int i = 0; i < setup->count; i++) {
		const struct sensor *sensor = &setup->sensors[i];

		fprintf(stream, "\n[sensor %s]\naddress = %s\n", sensor->name, sensor->device);
		if (sensor->temperature)
			fprintf(stream, "place   = %s\n", sensor->vaccine ? "vaccine" : "ambient");
		fprintf(stream, "every   = %s\n", sensor->vaccine ? "1min" : "5min");
	}
	for (unsigned int i = 0; i < setup->count; i++) {
		const struct sensor *sensor = &setup->sensors[i];

		if (!sensor->vaccine)
			continue;
		fprintf(stream, "\n[alarm %s]\nchannel = %s.temperature\nprofile = who-refrigerator\n", sensor->name,
		        sensor->name);
		fprintf(stream, "# above +8.0 for 10 h, or -0.5 and below for 60 min\n");
	}
	if (!vaccines)
		fprintf(stream,
		        "\n# No [alarm]: nothing here measures the vaccines. A probe in the fridge is needed for that, "
		        "such as a DS18B20.\n");
}

static void write_rest(FILE *stream, const struct setup *setup)
{
	fprintf(stream, "\n[store]\npath = %s\nkeep = 400d\nsize = 2GB\n\n[watchdog]\ndevice  = auto\ntimeout = 15s\n",
	        setup->options->store);
	fprintf(stream, "\n# Nothing leaves this device until a relay is named here. For Mosquitto on this machine:\n"
	                "#[relay local]\n#url = mqtt://127.0.0.1:1883\n#\n"
	                "# For any other machine the link is always encrypted and the other side always checked:\n"
	                "#[relay programme]\n#url  = mqtts://broker.example.org:8883\n#ca   = /etc/kryos/tls/ca.crt\n"
	                "#cert = /etc/kryos/tls/device.crt\n#key  = /etc/kryos/tls/device.key\n");
}

/* Never over one that is there: somebody may have worked on it. */
static FILE *create(const char *path)
{
	char folder[PATH_MAX], *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		if (mkdir(folder, 0755) < 0 && errno != EEXIST)
			return NULL;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int write_file(const struct setup *setup, unsigned int vaccines)
{
	FILE *file = create(setup->file);
	bool good;

	if (!file && errno == EEXIST)
		return complain("%s is there already and stays as it is; -o FILE writes another, to compare",
		                setup->file);
	if (!file)
		return complain("%s can't be written: %s", setup->file, strerror(errno));
	write_head(file);
	if (*setup->rtc)
		fprintf(file, "\n[clock]\nrtc = %s\n", setup->rtc);
	write_sensors(file, setup, vaccines);
	write_rest(file, setup);
	good = !ferror(file) && fflush(file) == 0 && fsync(fileno(file)) == 0;
	if (fclose(file) != 0 || !good)
		return complain("%s can't be written: %s", setup->file, strerror(errno));
	return EXIT_SUCCESS;
}

/* What was written must be what the daemon takes. */
static int check(const char *path)
{
	int r = kryos_station_check(path, NULL);

	return r < 0 ? complain("%s: %s", path, kryos_strerror(r)) : EXIT_SUCCESS;
}

static int look_and_write(struct kryos_ctx *ctx, struct setup *setup)
{
	struct kryos_survey_config config = { .size = sizeof(config), .measure = 1, .folder = setup->options->store };
	unsigned int vaccines;
	int r;

	if (mkdir(setup->options->store, 0750) < 0 && errno != EEXIST)
		config.folder = NULL;
	r = kryos_survey(ctx, &config, found, setup);
	if (r < 0)
		return complain("%s", kryos_strerror(r));
	if (!config.folder)
		printf("  %-11s %s can't be made: %s\n", "disk", setup->options->store, strerror(errno));
	if (!setup->count)
		return complain("no sensor was found, so there is nothing to write; see what is missing above");
	vaccines = name_sensors(setup);
	r = write_file(setup, vaccines);
	if (r == EXIT_SUCCESS)
		r = check(setup->file);
	if (r == EXIT_SUCCESS)
		printf("wrote %s. Start: sudo systemctl start cryo_daemon   Look: kryosctl status\n", setup->file);
	return r;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct setup setup = { .options = options,
		               .file = options->output ? options->output : "/etc/kryos/station.ini" };
	struct kryos_ctx *ctx;
	int r;

	if (count > 0)
		return misused("setup: there is no argument \"%s\"", arguments[0]);
	if (daemon_answers(options))
		return complain(
			"cryo_daemon runs and uses the sensors: stop it first (systemctl stop cryo_daemon), or see "
			"kryosctl doctor");
	r = kryos_ctx_new(&ctx, NULL);
	if (r < 0)
		return complain("%s", kryos_strerror(r));
	setup.ctx = ctx;
	r = look_and_write(ctx, &setup);
	kryos_ctx_free(ctx);
	return finish(stdout, "standard output") == EXIT_SUCCESS ? r : EXIT_FAILURE;
}

const struct command setup_command = {
	.name = "setup",
	.arguments = "",
	.summary = "finds what is connected and writes a station file for it",
	.help = "Looks at buses, clock, watchdog and disk, says what is missing and how to mend it, and writes\n"
		"/etc/kryos/station.ini (-o FILE: that one) with what was found. A file that is there stays.",
	.options = TAKES_SOCKET | TAKES_STORE | TAKES_OUTPUT,
	.run = run,
};
