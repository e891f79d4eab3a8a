/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a station is made of, opened in this order and closed in the reverse:
 * clock, store, watchdog, power, alarms, sampler, relays, outputs and buttons.
 */
#include "../clock/clock.h"
#include "../output/output.h"
#include "shown.h"
#include <kryos/clock.h>
#include <kryos/sensor.h>
#include <stdlib.h>
#include <string.h>

static const struct kri_section *only(const struct kri_station_file *file, enum kri_section_kind kind)
{
	return kri_station_find(file, kind, NULL);
}

/*
 * An RTC that is absent or says nothing costs trust, not the station. One that the file does not name any more is
 * given up, as it would be by a restart: sensors of the new file may have its place.
 */
void kri_station_use_rtc(struct kryos_station *station, const struct kri_station_file *file)
{
	const char *device = kri_station_text(only(file, KRI_SECTION_CLOCK), KRI_CLOCK_RTC);
	int r = device ? kryos_clock_use_rtc(station->ctx, device) : 0;

	station->rtc_error = r < 0 ? r : 0;
	snprintf(station->rtc_text, sizeof(station->rtc_text), "%s", r < 0 ? kryos_strerror(r) : "");
	if (r < 0)
		kri_log(station->ctx, KRYOS_LOG_WARNING, "station", r, "clock %s is not used: %s", device,
		        station->rtc_text);
	if (device && strcmp(device, station->rtc_device) == 0)
		return;
	if (station->rtc_device[0] && (!device || r < 0))
		kri_clock_stop_rtc(station->ctx);
	snprintf(station->rtc_device, sizeof(station->rtc_device), "%s", device && r >= 0 ? device : "");
}

static int open_store(struct kryos_station *station, const struct kri_station_file *file)
{
	const struct kri_section *section = only(file, KRI_SECTION_STORE);
	const char *full = kri_station_text(section, KRI_STORE_FULL);

	kri_station_store_path(file, station->store_path, sizeof(station->store_path));
	return kri_station_open_store(
		station,
		KRYOS_STORE_CONFIG(.full = strcmp(full, "refuse") == 0 ? KRYOS_FULL_REFUSE : KRYOS_FULL_DROP_OLDEST,
	                           .segment_ns = kri_station_number(section, KRI_STORE_SEGMENT),
	                           .segment_bytes = kri_station_number(section, KRI_STORE_SEGMENT_SIZE),
	                           .keep_ns = kri_station_number(section, KRI_STORE_KEEP),
	                           .keep_bytes = kri_station_number(section, KRI_STORE_SIZE),
	                           .key_path = kri_station_text(section, KRI_STORE_KEY)));
}

int64_t kri_station_sampler_deadline(const struct kri_station_file *file)
{
	int64_t task = kri_station_number(only(file, KRI_SECTION_WATCHDOG), KRI_WATCHDOG_TASK);
	int64_t every = INT64_MAX, needed;

	for (const struct kri_section *section = file->sections; section; section = section->next) {
		if (section->kind == KRI_SECTION_SENSOR && kri_station_number(section, KRI_SENSOR_EVERY) < every)
			every = kri_station_number(section, KRI_SENSOR_EVERY);
	}
	if (every > kri_default_max(KRI_ID_EVERY_NS))
		return task;
	/* A round may begin one interval late, and takes at most 10 s or, with many sensors on a bus, an interval. */
	needed = 2 * every + KRYOS_SECONDS(10);
	if (needed > kri_default_max(KRI_ID_TASK_DEADLINE_NS))
		return 0;
	return needed > task ? needed : task;
}

static int new_task(struct kryos_station *station, struct kryos_task **ret_task, const char *name, int64_t deadline_ns)
{
	int r;

	if (!station->watchdog || deadline_ns == 0)
		return 0;
	r = kryos_task_new(ret_task, station->watchdog, name, deadline_ns);
	return r < 0 ? r : 0;
}

/*
 * A watchdog that can't be had (held by another process, gone from the kernel) is reported and
 * shown in the status; measuring without it is better than not measuring.
 */
static int open_watchdog(struct kryos_station *station, const struct kri_station_file *file)
{
	const struct kri_section *section = only(file, KRI_SECTION_WATCHDOG);
	int r;

	station->watchdog_error = 0;
	station->watchdog_text[0] = 0;
	if (station->config.no_watchdog)
		return 0;
	r = kryos_watchdog_open(&station->watchdog, station->ctx,
	                        KRYOS_WATCHDOG_CONFIG(.device = kri_station_text(section, KRI_WATCHDOG_DEVICE),
	                                              .folder = station->store_path,
	                                              .timeout_ns = kri_station_number(section, KRI_WATCHDOG_TIMEOUT)));
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		station->watchdog_error = r;
		snprintf(station->watchdog_text, sizeof(station->watchdog_text), "%s", kryos_strerror(r));
		kri_log(station->ctx, KRYOS_LOG_ERROR, "station", r, "no watchdog: %s", station->watchdog_text);
		return 0;
	}
	return new_task(station, &station->store_task, "store", kri_station_number(section, KRI_WATCHDOG_TASK));
}

static int open_power(struct kryos_station *station, const struct kri_section *section)
{
	struct kri_station_power *power = calloc(1, sizeof(*power));
	int r;

	if (!power)
		return -ENOMEM;
	snprintf(power->name, sizeof(power->name), "%.31s", section->label);
	r = kri_power_new_lazy(
		&power->power, station->ctx, power->name, section->entries[KRI_POWER_ADDRESS].text,
		KRYOS_POWER_CONFIG(.active_low = strcmp(kri_station_text(section, KRI_POWER_ACTIVE), "low") == 0,
	                           .off_ns = kri_station_number(section, KRI_POWER_OFF),
	                           .settle_ns = kri_station_number(section, KRI_POWER_SETTLE),
	                           .again_ns = kri_station_number(section, KRI_POWER_AGAIN)));
	if (r < 0) {
		free(power);
		return r;
	}
	power->next = station->powers;
	station->powers = power;
	return 0;
}

int kri_station_open_powers(struct kryos_station *station, const struct kri_station_file *file)
{
	int r = 0;

	for (const struct kri_section *section = file->sections; section && r >= 0; section = section->next) {
		if (section->kind == KRI_SECTION_POWER)
			r = open_power(station, section);
	}
	return r;
}

void kri_station_close_powers(struct kryos_station *station)
{
	while (station->powers) {
		struct kri_station_power *power = station->powers;

		station->powers = power->next;
		kryos_power_close(power->power);
		free(power);
	}
}

static struct kryos_power *find_power(const struct kryos_station *station, const char *name)
{
	for (const struct kri_station_power *power = station->powers; power && name; power = power->next)
		if (strcmp(power->name, name) == 0)
			return power->power;
	return NULL;
}

int kri_station_add_sensor(struct kryos_station *station, const struct kri_station_file *file,
                           const struct kri_section *section)
{
	struct kri_station_channels *channels = calloc(1, sizeof(*channels));
	char *options = kri_station_options(section);
	struct kryos_sensor_config sensor = { .size = sizeof(sensor), .options = options };
	struct kryos_line_config line;
	int r = options && channels ? kri_station_channels(file, section->label, channels) : -ENOMEM;

	if (r >= 0)
		r = kri_station_recover(section, &sensor.recover);
	if (r >= 0) {
		kri_station_line_config(section, &line);
		sensor.channels = channels->configs;
		sensor.power = find_power(station, kri_station_text(section, KRI_SENSOR_POWER));
		if (kri_station_is_line(section))
			sensor.line = &line;
		r = kryos_sampler_add_with(
			station->sampler, section->label, section->entries[KRI_SENSOR_ADDRESS].text,
			KRYOS_SAMPLER_SENSOR_CONFIG(.every_ns = kri_station_number(section, KRI_SENSOR_EVERY),
		                                    .record_ns = kri_station_number(section, KRI_SENSOR_RECORD),
		                                    .place = kri_station_text(section, KRI_SENSOR_PLACE),
		                                    .who = "station file", .sensor = &sensor));
	}
	free(options);
	free(channels);
	return r;
}

int kri_station_open_sampler(struct kryos_station *station, const struct kri_station_file *file)
{
	int r = 0;

	if (!station->config.manual)
		r = new_task(station, &station->sampler_task, "sampler", kri_station_sampler_deadline(file));
	if (r >= 0)
		r = kryos_sampler_new(&station->sampler, station->store,
		                      KRYOS_SAMPLER_CONFIG(.manual = station->config.manual,
		                                           .task = station->sampler_task, .monitor = station->monitor));
	for (const struct kri_section *section = file->sections; section && r >= 0; section = section->next) {
		if (section->kind == KRI_SECTION_SENSOR)
			r = kri_station_add_sensor(station, file, section);
	}
	return r < 0 ? r : 0;
}

void kri_station_close_sampler(struct kryos_station *station)
{
	kryos_sampler_free(station->sampler);
	station->sampler = NULL;
	kryos_task_free(station->sampler_task);
	station->sampler_task = NULL;
}

int kri_station_open_relay(struct kryos_station *station, const struct kri_station_file *file,
                           const struct kri_section *section)
{
	const char *password_file = section->entries[KRI_RELAY_PASSWORD_FILE].text;
	const struct kri_section *watchdog = only(file, KRI_SECTION_WATCHDOG);
	struct kri_station_relay *relay = calloc(1, sizeof(*relay)), **tail = &station->relays;
	struct kryos_relay_config config;
	char password[256] = "", task[32];
	int r = 0;

	if (!relay)
		return -ENOMEM;
	snprintf(relay->name, sizeof(relay->name), "%.31s", section->label);
	snprintf(task, sizeof(task), "relay %.25s", section->label);
	if (password_file)
		r = kri_station_read_password(password_file, password);
	if (r >= 0)
		r = new_task(station, &relay->task, task, kri_station_number(watchdog, KRI_WATCHDOG_TASK));
	if (r >= 0) {
		kri_station_relay_config(section, password_file ? password : NULL, &config);
		config.task = relay->task;
		r = kryos_relay_open(&relay->relay, station->store, relay->name, &config);
	}
	explicit_bzero(password, sizeof(password));
	if (r < 0) {
		kryos_task_free(relay->task);
		free(relay);
		return r;
	}
	while (*tail)
		tail = &(*tail)->next;
	*tail = relay;
	return 0;
}

void kri_station_close_relay(struct kryos_station *station, const char *name)
{
	struct kri_station_relay **at = &station->relays, *relay;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	relay = *at;
	if (!relay)
		return;
	*at = relay->next;
	kryos_relay_close(relay->relay);
	kryos_task_free(relay->task);
	free(relay);
}

int kri_station_open_parts(struct kryos_station *station, const struct kri_station_file *file)
{
	int r;

	kri_station_use_rtc(station, file);
	r = open_store(station, file);
	if (r >= 0)
		kri_station_find_test(station);
	if (r >= 0 && station->config.store_only)
		return kri_station_visit_alarms(station, file);
	if (r >= 0)
		kri_station_note(station, file);
	if (r >= 0)
		r = open_watchdog(station, file);
	if (r >= 0)
		r = kri_station_open_powers(station, file);
	if (r >= 0)
		r = kri_station_open_alarms(station, file);
	if (r >= 0)
		r = kri_station_open_sampler(station, file);
	for (const struct kri_section *section = file->sections; section && r >= 0; section = section->next) {
		if (section->kind == KRI_SECTION_RELAY)
			r = kri_station_open_relay(station, file, section);
		else if (section->kind == KRI_SECTION_OUTPUT)
			r = kri_station_open_output(station, section);
		else if (section->kind == KRI_SECTION_BUTTON)
			r = kri_station_open_button(station, section);
	}
	return r < 0 ? r : 0;
}

void kri_station_close_parts(struct kryos_station *station)
{
	while (station->buttons)
		kri_station_close_button(station, NULL);
	while (station->outputs)
		kri_station_close_output(station, NULL);
	while (station->relays)
		kri_station_close_relay(station, station->relays->name);
	kri_station_close_sampler(station);
	kri_station_close_alarms(station);
	kri_station_close_powers(station);
	kryos_task_free(station->store_task);
	station->store_task = NULL;
	kryos_watchdog_close(station->watchdog);
	station->watchdog = NULL;
	kryos_store_close(station->store);
	station->store = NULL;
}

static bool had_remark(const struct kri_station_file *file, const char *text)
{
	for (const struct kri_remark *remark = file ? file->remarks : NULL; remark; remark = remark->next) {
		if (strcmp(remark->text, text) == 0)
			return true;
	}
	return false;
}

void kri_station_warn(struct kryos_station *station, const struct kri_station_file *file,
                      const struct kri_station_file *before)
{
	for (const struct kri_remark *remark = file->remarks; remark; remark = remark->next) {
		if (!had_remark(before, remark->text))
			kri_log(station->ctx, KRYOS_LOG_WARNING, "station", 0, "%s:%d: %s", file->path, remark->line,
			        remark->text);
	}
}
