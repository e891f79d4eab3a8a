/* SPDX-License-Identifier: Apache-2.0 */
/* The first evening: looks what there is, and writes a station file that uses it. */
#include "kryosctl.h"
#include "sensor/sensor.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_SENSORS 32

struct sensor {
	char driver[32], device[160], name[40];
	bool temperature, vaccine;
	bool wired; /* how it is wired has to be said: what it was measured with is a guess */
};

struct setup {
	const struct options *options;
	struct kryos_ctx *ctx;
	const char *file;
	char rtc[160];
	struct sensor sensors[MOST_SENSORS];
	unsigned int count;
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

/* Whether it measures a temperature, and that by itself: options of a chip are what is connected to it. */
static void describe(struct kryos_ctx *ctx, struct sensor *sensor)
{
	const struct kryos_sensor_driver *driver;
	int64_t options[KRYOS_SENSOR_MAX_OPTIONS];
	struct kryos_description has = { .channel_count = 0 };
	struct kri_device device;

	if (kri_device_parse(sensor->device, &device) < 0 || kri_device_find_sensor(ctx, &device, &driver) < 0 ||
	    kri_options_parse(driver, NULL, options) < 0 ||
	    kri_sensor_describe(driver, device.place, options, &has) < 0)
		return;
	for (size_t i = 0; i < has.channel_count; i++)
		sensor->temperature |= !strcmp(has.channels[i].quantity, "temperature");
	sensor->wired = sensor->temperature && driver->option_count > 0;
}

static void found(void *data, const struct kryos_finding *finding)
{
	struct setup *setup = data;

	if (finding->kind == KRYOS_FINDING_WATCHDOG && finding->code == -EBUSY) {
		bool systemd = strstr(finding->text, "systemd") != NULL;

		printf("  %-11s %s: cryo_daemon %s\n", finding->where, finding->text,
		       systemd ? "will report to systemd" : "will run without a hardware watchdog");
		return;
	}
	/* Few have anything on SPI: that nothing is there is worth a line where no probe is anywhere. */
	for (unsigned int i = 0; finding->code == -ENODEV && !strncmp(finding->where, "spi", 3) && i < setup->count;
	     i++)
		if (is_probe(setup->sensors[i].device))
			return;
	print_finding(finding);
	if (finding->code != 0)
		return;
	if (finding->kind == KRYOS_FINDING_CLOCK && !*setup->rtc)
		snprintf(setup->rtc, sizeof(setup->rtc), "%s", finding->device);
	if (finding->kind == KRYOS_FINDING_SENSOR && setup->count == MOST_SENSORS)
		printf("  %-11s not written: a station file of more than %d sensors is yours to write\n",
		       finding->where, MOST_SENSORS);
	if (finding->kind == KRYOS_FINDING_SENSOR && setup->count < MOST_SENSORS) {
		struct sensor *sensor = &setup->sensors[setup->count++];

		snprintf(sensor->driver, sizeof(sensor->driver), "%s", finding->driver);
		snprintf(sensor->device, sizeof(sensor->device), "%s", finding->device);
		describe(setup->ctx, sensor);
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
	if (zone && strlen(zone + 10) < size && access("/etc/localtime", R_OK) == 0)
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

/* Every option with what is in force, for a person to look at. */
static void write_options(FILE *stream, struct kryos_ctx *ctx, const struct sensor *sensor)
{
	const struct kryos_sensor_driver *driver;
	struct kri_device device;
	char text[KRYOS_TEXT_MAX];

	if (kri_device_parse(sensor->device, &device) < 0 || kri_device_find_sensor(ctx, &device, &driver) < 0)
		return;
	fprintf(stream, "# As it is wired; with another wiring its values are wrong:\n");
	for (size_t i = 0; i < driver->option_count; i++) {
		const struct kryos_option_info *option = &driver->options[i];
		const char *word = option->choices;

		for (int64_t place = 0; word && place < option->value; place++)
			word += strcspn(word, " ") + 1;
		fprintf(stream, "# %s%s%s\n", option->doc, word ? ": " : "", word ? option->choices : "");
		fprintf(stream, "%s = %.*s\n", option->name,
		        word ? (int)strcspn(word, " ") : (int)strlen(kryos_value_text(option->value, text)),
		        word ? word : text);
	}
}

static void write_sensors(FILE *stream, const struct setup *setup)
{
	for (unsigned int i = 0; i < setup->count; i++) {
		const struct sensor *sensor = &setup->sensors[i];

		fprintf(stream, "\n[sensor %s]\naddress = %s\n", sensor->name, sensor->device);
		if (sensor->temperature)
			fprintf(stream, "place   = %s\n", sensor->vaccine ? "vaccine" : "ambient");
		fprintf(stream, "every   = %s\n", sensor->vaccine ? "1min" : "5min");
		if (sensor->wired)
			write_options(stream, setup->ctx, sensor);
	}
}

static void write_alarms(FILE *stream, const struct setup *setup, unsigned int vaccines)
{
	for (unsigned int i = 0; i < setup->count; i++) {
		const struct sensor *sensor = &setup->sensors[i];
		const char *off = sensor->wired ? "#" : "";

		if (!sensor->vaccine)
			continue;
		fprintf(stream, "\n%s%s[alarm %s]\n%schannel = %s.temperature\n%sprofile = who-refrigerator\n",
		        sensor->wired ? "# Once it is said how the probe is wired:\n" : "", off, sensor->name, off,
		        sensor->name, off);
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

static int make_folder_of(const char *path)
{
	char folder[PATH_MAX], *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int fill(FILE *file, const struct setup *setup, unsigned int vaccines)
{
	bool good;

	write_head(file);
	if (*setup->rtc)
		fprintf(file, "\n[clock]\nrtc = %s\n", setup->rtc);
	write_sensors(file, setup);
	write_alarms(file, setup, vaccines);
	write_rest(file, setup);
	good = !ferror(file) && fflush(file) == 0 && fsync(fileno(file)) == 0;
	return fclose(file) != 0 || !good ? -1 : 0;
}

static int stays(const char *path)
{
	return complain("%s is there already and stays as it is; -o FILE writes another, to compare", path);
}

/* There or not at all, also after a power cut. FAT has no links. */
static int put(const char *path, const char *place)
{
	char folder[PATH_MAX];
	int fd;

	if (link(path, place) < 0 && ((errno != EPERM && errno != EOPNOTSUPP) || rename(path, place) < 0))
		return -1;
	snprintf(folder, sizeof(folder), "%s", place);
	fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	return 0;
}

/* Beside its place first, and there only once the daemon would take it; never over one that somebody worked on. */
static int write_file(const struct setup *setup, unsigned int vaccines)
{
	char path[PATH_MAX];
	int result = EXIT_SUCCESS, fd;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s.new", setup->file) >= (int)sizeof(path))
		return complain("%.40s...: its name is too long", setup->file);
	if (make_folder_of(path) < 0)
		return complain("the folder of %s can't be made: %s", setup->file, strerror(errno));
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return complain("%s can't be written: %s", path, strerror(errno));
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		result = complain("%s can't be written: %s", path, strerror(ENOMEM));
	} else if (fill(file, setup, vaccines) < 0)
		result = complain("%s can't be written: %s", path, strerror(errno));
	else if (kryos_station_check(path, NULL) < 0)
		result = complain("%s", kryos_strerror(KRYOS_ECONFIG));
	else if (put(path, setup->file) < 0)
		result = errno == EEXIST ? stays(setup->file)
		                         : complain("%s can't be made: %s", setup->file, strerror(errno));
	unlink(path);
	return result;
}

/* What a service manager calls it, where there is a unit. */
static bool has_unit(void)
{
	static const char *const folders[] = { "/etc", "/usr/lib", "/lib", "/usr/local/lib" };
	char path[128];

	for (size_t i = 0; i < KRI_ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s/systemd/system/cryo_daemon.service", folders[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static void say_what_next(const struct setup *setup)
{
	for (unsigned int i = 0; i < setup->count; i++)
		if (setup->sensors[i].wired)
			printf("  %-11s say how it is wired, in [sensor %s], before its values are believed\n", "",
			       setup->sensors[i].name);
	printf("wrote %s. Start: ", setup->file);
	if (has_unit())
		printf("sudo systemctl start cryo_daemon");
	else
		printf("cryo_daemon%s%s", strcmp(setup->file, DEFAULT_CONFIG) != 0 ? " -c " : "",
		       strcmp(setup->file, DEFAULT_CONFIG) != 0 ? setup->file : "");
	printf("   Look: kryosctl status\n");
}

static int look_and_write(struct kryos_ctx *ctx, struct setup *setup)
{
	struct kryos_survey_config config = { .size = sizeof(config), .measure = 1, .folder = setup->options->store };
	int made = mkdir(setup->options->store, 0750) < 0 && errno != EEXIST ? errno : 0, r;
	unsigned int vaccines;

	if (made)
		config.folder = NULL;
	r = kryos_survey(ctx, &config, found, setup);
	if (r < 0)
		return complain("%s", kryos_strerror(r));
	if (made)
		printf("  %-11s %s can't be made: %s\n", "disk", setup->options->store, strerror(made));
	if (!setup->count)
		return complain("no sensor was found, so there is nothing to write; see what is missing above");
	vaccines = name_sensors(setup);
	r = write_file(setup, vaccines);
	if (r == EXIT_SUCCESS)
		say_what_next(setup);
	return r;
}

static int run(const struct options *options, char *const *arguments, int count)
{
	struct setup setup = { .options = options, .file = options->output ? options->output : DEFAULT_CONFIG };
	struct kri_json *status = NULL;
	struct kryos_ctx *ctx;
	int r;

	if (count > 0)
		return misused("setup: there is no argument \"%s\"", arguments[0]);
	if (*options->store != '/')
		return misused("--store: \"%s\" is not allowed; a path from the root is, as in /var/lib/kryos",
		               options->store);
	if (access(setup.file, F_OK) == 0)
		return stays(setup.file);
	r = ask_daemon(options, "status", NULL, &status);
	kri_json_free(status);
	if (r < 0 && !nobody_answers(r))
		return complain("cryo_daemon may be using the sensors: %s", kryos_strerror(r));
	if (r >= 0)
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
		"/etc/kryos/station.ini (-o FILE: that one) with what was found. A file that is there stays. Chips\n"
		"behind a multiplexer, or on power that is switched off, are not found.",
	.options = TAKES_SOCKET | TAKES_STORE | TAKES_OUTPUT,
	.run = run,
};
