/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules between the lines of a station file: what must be there, what must agree, what the named
 * drivers and files have to say. Mistakes go to the line they can be mended on.
 */
#include "station_rules.h"
#include "../alarm/alarm.h"
#include "../output/output.h"
#include "../sensor/sensor.h"
#include "station.h"
#include "station_file.h"
#include <fcntl.h>
#include <kryos/sys/rtc.h>
#include <kryos/sys/watchdog.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo"

bool kri_has(const struct kri_section *section, enum kri_key key)
{
	return section && section->entries[key].text;
}

void kri_wrong(struct kri_judging *judging, const struct kri_section *section, enum kri_key key, const char *format,
               ...)
{
	char *text = NULL;
	va_list args;
	int length, line = section->line;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (key == KRI_KEY_COUNT) {
		kri_ini_error(judging->ini, line, "[%s %s]: %s", kri_station_sections[section->kind].name,
		              section->label, length < 0 ? "wrong" : text);
	} else {
		judging->wrong[key] = true;
		line = section->entries[key].line ? section->entries[key].line : line;
		kri_ini_error(judging->ini, line, "%s: %s", kri_station_keys[key].name, length < 0 ? "wrong" : text);
	}
	if (length >= 0)
		free(text);
}

/* True when the key has a value; reported where it was not written at all. */
bool kri_needs(struct kri_judging *judging, const struct kri_section *section, enum kri_key key, const char *example)
{
	if (kri_has(section, key))
		return true;
	if (!section->entries[key].line)
		kri_ini_error(judging->ini, section->line, "[%s %s] has no %s; one is needed, as in %s = %s",
		              kri_station_sections[section->kind].name, section->label, kri_station_keys[key].name,
		              kri_station_keys[key].name, example);
	return false;
}

static void judge_timezone(struct kri_judging *judging, const struct kri_section *section)
{
	const char *zone = section->entries[KRI_STATION_TIMEZONE].text;
	char path[256];

	if (!zone || strcmp(zone, "UTC") == 0)
		return;
	if (zone[strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")] || *zone == '/' ||
	    strlen(zone) > 100) {
		kri_wrong(judging, section, KRI_STATION_TIMEZONE,
		          "\"%s\" is no time zone; a name of the tz database is allowed, as in Asia/Kolkata", zone);
		return;
	}
	snprintf(path, sizeof(path), ZONES "/%s", zone);
	/* Small systems have no zone files; then the name is taken as it is. */
	if (access(ZONES "/UTC", F_OK) == 0 || access(ZONES "/Europe", F_OK) == 0) {
		struct stat status;

		if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
			kri_wrong(judging, section, KRI_STATION_TIMEZONE,
			          "\"%s\" is not in " ZONES "; a name from there is allowed, as in Asia/Kolkata", zone);
	}
}

static void judge_station(struct kri_judging *judging, const struct kri_section *section)
{
	const char *vvm = section->entries[KRI_STATION_VVM].text;
	uint32_t kinds;

	judge_timezone(judging, section);
	if (vvm && !kri_vvm_parse(vvm, &kinds))
		kri_wrong(judging, section, KRI_STATION_VVM, "\"%s\" is not allowed; " KRI_VVM_KINDS " are", vvm);
}

/* Looks through a kind of drivers for one that takes text; lists their names. */
struct choice {
	enum kri_kind kind;
	const char *text;
	const void *found;
	char names[256];
};

static const char *driver_takes(const struct choice *choice, const void *driver, bool *ret_takes)
{
	if (choice->kind == KRI_RTC) {
		const struct kryos_rtc_driver *rtc = driver;

		*ret_takes = strcmp(rtc->name, choice->text) == 0;
		return rtc->name;
	}
	if (choice->kind == KRI_BUS) {
		const struct kryos_bus_driver *bus = driver;

		*ret_takes = strncmp(bus->prefix, choice->text, strlen(bus->prefix)) == 0;
		return bus->prefix;
	}
	*ret_takes = strncmp(((const struct kryos_watchdog_driver *)driver)->prefix, choice->text,
	                     strlen(((const struct kryos_watchdog_driver *)driver)->prefix)) == 0;
	return ((const struct kryos_watchdog_driver *)driver)->prefix;
}

static int choose(void *data, const void *driver, void *userdata)
{
	struct choice *choice = data;
	size_t length = strlen(choice->names);
	bool takes;
	const char *name = driver_takes(choice, driver, &takes);

	(void)userdata;
	if (takes)
		choice->found = driver;
	else if (length < sizeof(choice->names) && !strstr(choice->names, name))
		snprintf(choice->names + length, sizeof(choice->names) - length, "%s%s", length ? ", " : "", name);
	return takes;
}

bool kri_judge_bus(struct kri_judging *judging, const struct kri_section *section, enum kri_key key,
                   const struct kri_device *device)
{
	struct choice choice = { .kind = KRI_BUS, .text = device->bus };

	kri_registry_each(judging->ctx, KRI_BUS, choose, &choice);
	if (!choice.found)
		kri_wrong(judging, section, key, "%s: there is no bus driver for %s; there is %s", device->text,
		          device->bus, *choice.names ? choice.names : "none in this build");
	return choice.found;
}

static bool judge_rtc(struct kri_judging *judging, const struct kri_section *section, struct kri_device *ret_device)
{
	const char *text = section->entries[KRI_CLOCK_RTC].text;
	struct choice choice = { .kind = KRI_RTC, .text = ret_device->driver };
	const struct kryos_rtc_driver *driver;
	int r = kri_device_parse(text, ret_device);

	if (r < 0)
		goto refused;
	kri_registry_each(judging->ctx, KRI_RTC, choose, &choice);
	if (!choice.found) {
		kri_wrong(judging, section, KRI_CLOCK_RTC, "there is no clock driver \"%s\"; there is %s",
		          ret_device->driver, *choice.names ? choice.names : "none in this build");
		return false;
	}
	driver = choice.found;
	if (!driver->bus) {
		if (strncmp(ret_device->bus, "/dev/", 5) == 0)
			return false; /* a node: it shares no address */
		kri_wrong(judging, section, KRI_CLOCK_RTC, "\"%s\" names no device; %s@/dev/rtc0 is allowed", text,
		          driver->name);
		return false;
	}
	r = kri_device_check_bus(ret_device, driver->bus);
	if (r >= 0)
		return kri_judge_bus(judging, section, KRI_CLOCK_RTC, ret_device);
refused:
	kri_wrong(judging, section, KRI_CLOCK_RTC, "%s", kryos_strerror(r));
	return false;
}

/*
 * A chip on the bus itself, and a multiplexer, answer whatever channel is open; chips behind different channels may
 * have one address.
 */
static bool same_i2c_place(const struct kri_device *one, const struct kri_device *other)
{
	struct kri_mux_place mux_one, mux_other;
	const char *chip_one, *chip_other;
	unsigned long a, b;

	if (kri_mux_parse(one->place, &mux_one, &chip_one) < 0 ||
	    kri_mux_parse(other->place, &mux_other, &chip_other) < 0)
		return false; /* reported where it was checked */
	a = strtoul(chip_one, NULL, 16);
	b = strtoul(chip_other, NULL, 16);
	if (a == mux_other.address || b == mux_one.address)
		return true;
	return a == b && (!mux_one.address || !mux_other.address ||
	                  (mux_one.address == mux_other.address && mux_one.channel == mux_other.channel));
}

static bool same_place(const struct kri_device *one, const struct kri_device *other)
{
	char *end_one, *end_other;
	unsigned long a, b;

	if (strcmp(one->bus, other->bus) != 0)
		return false;
	if (strncmp(one->bus, "i2c-", 4) == 0)
		return same_i2c_place(one, other);
	if (strcmp(one->bus, "gpio") == 0)
		return strcmp(one->place, other->place) == 0;
	if (strcasecmp(one->place, other->place) == 0)
		return strcmp(one->place, "any") != 0 || strcmp(one->driver, other->driver) == 0;
	a = strtoul(one->place, &end_one, 0);
	b = strtoul(other->place, &end_other, 0);
	if (end_one > one->place && end_other > other->place && !*end_one && !*end_other)
		return a == b;
	/* "any" is for the only chip of its kind on a bus. */
	return strcmp(one->driver, other->driver) == 0 &&
	       (strcmp(one->place, "any") == 0 || strcmp(other->place, "any") == 0);
}

static bool is_behind_mux(const struct kri_device *device)
{
	return strncmp(device->bus, "i2c-", 4) == 0 && strchr(device->place, ':');
}

/* The chips of a file so far, for those that would be two at one place. */
struct places {
	unsigned int count;
	struct {
		const struct kri_section *section;
		struct kri_device device;
	} used[256];
};

static void judge_place(struct kri_judging *judging, struct places *places, const struct kri_section *section,
                        enum kri_key key, const struct kri_device *device)
{
	for (unsigned int i = 0; i < places->count; i++) {
		const struct kri_section *other = places->used[i].section;

		if (!same_place(device, &places->used[i].device))
			continue;
		kri_wrong(judging, section, key, "%s is taken by [%s%s%s] on line %d (%s); %s", device->text,
		          kri_station_sections[other->kind].name, *other->label ? " " : "", other->label, other->line,
		          places->used[i].device.text,
		          is_behind_mux(device) || is_behind_mux(&places->used[i].device)
		                  ? "what is on a bus itself, multiplexers too, shares its address with nothing "
		                    "behind a channel, nor do two chips on one channel"
		                  : "one chip has one section");
		return;
	}
	if (places->count < KRI_ARRAY_SIZE(places->used)) {
		places->used[places->count].section = section;
		places->used[places->count++].device = *device;
	}
}

static void judge_sensor(struct kri_judging *judging, struct places *places, const struct kri_section *section)
{
	int64_t every = kri_station_number(section, KRI_SENSOR_EVERY);
	int64_t record = kri_station_number(section, KRI_SENSOR_RECORD);
	static const enum kri_key line_keys[] = { KRI_SENSOR_ACTIVE, KRI_SENSOR_BIAS, KRI_SENSOR_DEBOUNCE };
	struct kri_device device;
	char text[32];

	if (kri_judge_address(judging, section, &device)) {
		judge_place(judging, places, section, KRI_SENSOR_ADDRESS, &device);
		for (size_t i = 0; i < KRI_ARRAY_SIZE(line_keys); i++)
			if (kri_has(section, line_keys[i]) && !kri_station_is_line(section))
				kri_wrong(judging, section, line_keys[i],
				          "%s is no GPIO line; allowed with one, as with door@gpio:GPIO17",
				          device.text);
	}
	kri_judge_recovery(judging, section);
	if (record > 0 && record < every) {
		kri_duration_text(every, text);
		kri_wrong(judging, section, KRI_SENSOR_RECORD,
		          "a period of %s holds no measurement of every %s; \"every\", or %s and more, is allowed",
		          section->entries[KRI_SENSOR_RECORD].text, text, text);
	}
}

static void judge_output(struct kri_judging *judging, struct places *places, const struct kri_section *section)
{
	struct kri_device device;
	int r;

	if (!kri_needs(judging, section, KRI_OUTPUT_ADDRESS, "lamp@gpio:GPIO22"))
		return;
	r = kri_device_parse(section->entries[KRI_OUTPUT_ADDRESS].text, &device);
	if (r >= 0)
		r = kri_output_check(&device);
	if (r < 0)
		kri_wrong(judging, section, KRI_OUTPUT_ADDRESS, "%s", kryos_strerror(r));
	else if (kri_judge_bus(judging, section, KRI_OUTPUT_ADDRESS, &device))
		judge_place(judging, places, section, KRI_OUTPUT_ADDRESS, &device);
}

static void judge_button(struct kri_judging *judging, struct places *places, const struct kri_section *section)
{
	const struct kri_section *sensor = kri_station_find(judging->file, KRI_SECTION_SENSOR, section->label);
	struct kri_device device;
	int r;

	if (sensor && *section->label)
		kri_wrong(judging, section, KRI_KEY_COUNT,
		          "[sensor %s] on line %d has that name; another one is allowed", sensor->label, sensor->line);
	if (!kri_needs(judging, section, KRI_BUTTON_ADDRESS, "button@gpio:GPIO27"))
		return;
	r = kri_device_parse(section->entries[KRI_BUTTON_ADDRESS].text, &device);
	if (r >= 0 && strcmp(device.driver, "button") != 0)
		r = kryos_fail(KRYOS_EDEVICE, "%s: \"%s\" is no button; button@gpio:GPIO27 is allowed", device.text,
		               device.driver);
	if (r >= 0)
		r = kri_device_check_bus(&device, "gpio");
	if (r < 0)
		kri_wrong(judging, section, KRI_BUTTON_ADDRESS, "%s", kryos_strerror(r));
	else if (kri_judge_bus(judging, section, KRI_BUTTON_ADDRESS, &device))
		judge_place(judging, places, section, KRI_BUTTON_ADDRESS, &device);
}

static void judge_store(struct kri_judging *judging, const struct kri_section *section)
{
	int64_t size = kri_station_number(section, KRI_STORE_SIZE);
	int64_t segment = kri_station_number(section, KRI_STORE_SEGMENT_SIZE);
	enum kri_key key = kri_has(section, KRI_STORE_SEGMENT_SIZE) ? KRI_STORE_SEGMENT_SIZE : KRI_STORE_SIZE;
	char size_text[32], segment_text[32];

	kri_size_text(size, size_text);
	kri_size_text(segment, segment_text);
	if (2 * segment > size)
		kri_wrong(judging, section, key,
		          "segments of %s in a store of %s leave none to remove; at most half of size is allowed",
		          segment_text, size_text);
	kri_judge_secret(judging, section, KRI_STORE_KEY);
}

static void judge_watchdog(struct kri_judging *judging, const struct kri_section *section)
{
	const char *device = section->entries[KRI_WATCHDOG_DEVICE].text;
	struct choice choice = { .kind = KRI_WATCHDOG, .text = device };

	if (!device || strcmp(device, "auto") == 0)
		return;
	kri_registry_each(judging->ctx, KRI_WATCHDOG, choose, &choice);
	if (!choice.found)
		kri_wrong(judging, section, KRI_WATCHDOG_DEVICE, "\"%s\" is not allowed; auto, or one of %s is", device,
		          *choice.names ? choice.names : "none");
}

/* A file that must be there: opened, because permission bits do not tell what access(2) of root would. */
bool kri_judge_file(struct kri_judging *judging, const struct kri_section *section, enum kri_key key)
{
	const char *path = section->entries[key].text;
	struct stat status;
	int fd;

	if (!path)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		kri_wrong(judging, section, key, "%s can't be read: %s", path, strerror(errno));
		return false;
	}
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
		kri_wrong(judging, section, key, "%s is no file with something in it", path);
		close(fd);
		return false;
	}
	close(fd);
	return true;
}

/* A file that others should not read, if it is there. */
void kri_judge_secret(struct kri_judging *judging, const struct kri_section *section, enum kri_key key)
{
	const struct kri_entry *entry = &section->entries[key];
	struct stat status;

	if (!entry->text || stat(entry->text, &status) < 0 || !(status.st_mode & 0007))
		return;
	if (!kri_station_remark(judging->file, entry->line, "%s: anyone on this machine can open %s; chmod o= %s",
	                        kri_station_keys[key].name, entry->text, entry->text))
		judging->no_memory = true;
}

static void remark_slow_sampler(struct kri_judging *judging)
{
	const struct kri_section *watchdog = kri_station_find(judging->file, KRI_SECTION_WATCHDOG, NULL);
	const struct kri_section *sensor = kri_station_find(judging->file, KRI_SECTION_SENSOR, NULL);

	if (!sensor || strcmp(kri_station_text(watchdog, KRI_WATCHDOG_DEVICE), "none") == 0 ||
	    kri_station_sampler_deadline(judging->file) != 0)
		return;
	if (!kri_station_remark(
		    judging->file, sensor->line,
		    "no sensor is measured more often than every 29min: no task of the watchdog can wait so "
		    "long, and none watches the sampler"))
		judging->no_memory = true;
}

void kri_station_judge(struct kri_ini *ini, struct kryos_ctx *ctx, struct kri_station_file *file, int last_line)
{
	struct kri_judging judging = { .ini = ini, .ctx = ctx, .file = file };
	struct places *places = calloc(1, sizeof(*places));
	struct kri_device device;

	if (!places) {
		kri_ini_error(ini, last_line, "out of memory");
		return;
	}
	if (!kri_station_find(file, KRI_SECTION_SENSOR, NULL))
		kri_ini_error(
			ini, last_line > 0 ? last_line : 1,
			"a station needs at least one sensor, as in [sensor fridge] with address = ds18b20@w1:any");
	for (const struct kri_section *section = file->sections; section; section = section->next) {
		memset(judging.wrong, 0, sizeof(judging.wrong));
		if (section->repeated)
			continue;
		if (section->kind == KRI_SECTION_STATION)
			judge_station(&judging, section);
		else if (section->kind == KRI_SECTION_CLOCK && kri_has(section, KRI_CLOCK_RTC) &&
		         judge_rtc(&judging, section, &device))
			judge_place(&judging, places, section, KRI_CLOCK_RTC, &device);
		else if (section->kind == KRI_SECTION_POWER && kri_judge_power(&judging, section, &device))
			judge_place(&judging, places, section, KRI_POWER_ADDRESS, &device);
		else if (section->kind == KRI_SECTION_SENSOR)
			judge_sensor(&judging, places, section);
		else if (section->kind == KRI_SECTION_CHANNEL)
			kri_judge_channel_section(&judging, section);
		else if (section->kind == KRI_SECTION_OUTPUT)
			judge_output(&judging, places, section);
		else if (section->kind == KRI_SECTION_BUTTON)
			judge_button(&judging, places, section);
		else if (section->kind == KRI_SECTION_RULE)
			kri_judge_rule(&judging, section);
		else if (section->kind == KRI_SECTION_PROFILE)
			kri_judge_profile(&judging, section);
		else if (section->kind == KRI_SECTION_ALARM)
			kri_judge_alarm(&judging, section);
		else if (section->kind == KRI_SECTION_STORE)
			judge_store(&judging, section);
		else if (section->kind == KRI_SECTION_WATCHDOG)
			judge_watchdog(&judging, section);
		else if (section->kind == KRI_SECTION_RELAY)
			kri_judge_relay(&judging, section);
	}
	remark_slow_sampler(&judging);
	if (judging.no_memory)
		kri_ini_error(ini, last_line, "out of memory");
	free(places);
}
