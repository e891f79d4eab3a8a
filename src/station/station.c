/* SPDX-License-Identifier: Apache-2.0 */
#include "station.h"
#include <kryos/clock.h>
#include <stdlib.h>
#include <string.h>

static void destroy(struct kri_object *object)
{
	struct kryos_station *station = KRI_CONTAINER_OF(object, struct kryos_station, object);

	while (station->users) {
		struct kri_station_user *user = station->users;

		station->users = user->next;
		user->closing(user);
	}
	kri_station_watch_stop(station);
	kri_station_close_parts(station);
	kri_object_remove(&station->object);
	kri_station_file_free(station->file);
	free(station);
}

static void log_expiry(void *data, int line, const char *text)
{
	const struct kryos_station *station = data;

	kri_log(station->ctx, KRYOS_LOG_WARNING, "station", 0, "%s:%d: %s", station->file->path, line, text);
}

/* After the parts: the clock may be known by them. */
static void warn_of_expiry(struct kryos_station *station)
{
	struct kryos_time now;

	if (kryos_clock_now(station->ctx, &now) >= 0)
		kri_station_each_expiry(station->file, &now, log_expiry, station);
}

int kryos_station_open(struct kryos_station **ret_station, struct kryos_ctx *ctx, const char *config_path,
                       const struct kryos_station_config *config)
{
	struct kryos_station *station;
	char *errors = NULL;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_station || !config_path)
		return -EINVAL;
	station = calloc(1, sizeof(*station));
	if (!station)
		return -ENOMEM;
	station->ctx = ctx;
	station->opened_boot_ns = kri_boot_ns(ctx);
	r = kri_config_copy(&station->config, sizeof(station->config), config);
	if (r < 0)
		goto free_station;
	r = kri_station_file_read(&station->file, ctx, config_path, &errors);
	if (r < 0)
		goto free_station;
	/* Before the parts: what they announce while opening is to be stored too. */
	r = kri_station_watch_start(station);
	if (r < 0)
		goto free_file;
	r = kri_station_open_parts(station, station->file);
	if (r < 0)
		goto close_parts;
	/* Once, however often it takes to open. */
	kri_station_warn(station, station->file, NULL);
	warn_of_expiry(station);
	kri_object_add(ctx, &station->object, destroy);
	*ret_station = station;
	return 0;
close_parts:
	/* Closing may fail at things of its own; the sentence is the first failure's. */
	errors = strdup(kryos_strerror(r));
	kri_station_watch_stop(station);
	kri_station_close_parts(station);
	if (errors)
		r = kryos_fail(r, "%s", errors);
free_file:
	kri_station_file_free(station->file);
free_station:
	free(errors);
	free(station);
	return r;
}

void kryos_station_close(struct kryos_station *station)
{
	if (station && kri_ctx_check(station->ctx) >= 0)
		destroy(&station->object);
}

/* What --check says beside what is in force. */
struct notice {
	const struct kri_station_file *file;
	FILE *stream;
};

static void print_expiry(void *data, int line, const char *text)
{
	const struct notice *notice = data;

	fprintf(notice->stream, "%s:%d: notice: %s\n", notice->file->path, line, text);
}

int kryos_station_check(const char *config_path, FILE *stream)
{
	struct kri_station_file *file = NULL;
	struct kryos_time now;
	struct kryos_ctx *ctx = NULL;
	char *errors = NULL;
	int r;

	if (!config_path)
		return -EINVAL;
	r = kryos_ctx_new(&ctx, NULL);
	if (r < 0)
		return r;
	r = kri_station_file_read(&file, ctx, config_path, &errors);
	if (stream && r >= 0) {
		if (kryos_clock_now(ctx, &now) >= 0)
			kri_station_each_expiry(file, &now, print_expiry,
			                        &(struct notice){ .file = file, .stream = stream });
		kri_station_file_print(file, stream);
	}
	if (stream && r < 0 && errors)
		fprintf(stream, "%s\n", errors);
	free(errors);
	kri_station_file_free(file);
	kryos_ctx_free(ctx);
	return r;
}

/* Two lists of sections of one kind: is each of the one in the other, alike? */
static bool covers(const struct kri_station_file *file, const struct kri_station_file *other,
                   enum kri_section_kind kind)
{
	for (const struct kri_section *section = other->sections; section; section = section->next) {
		const struct kri_section *same = kri_station_find(file, kind, section->label);

		if (section->kind == kind && (!same || !kri_section_equal(section, same)))
			return false;
	}
	return true;
}

static bool changed(const struct kryos_station *station, const struct kri_station_file *file,
                    enum kri_section_kind kind)
{
	return !kri_section_equal(kri_station_find(station->file, kind, NULL), kri_station_find(file, kind, NULL));
}

/* What is said of a channel belongs to its sensor: what is new of one that is there changes that. */
static bool says_more(const struct kri_station_file *file, const struct kri_station_file *before)
{
	for (const struct kri_section *section = file->sections; section; section = section->next) {
		const struct kri_section *sensor = before->sections;

		if (section->kind != KRI_SECTION_CHANNEL ||
		    kri_station_find(before, KRI_SECTION_CHANNEL, section->label))
			continue;
		while (sensor &&
		       (sensor->kind != KRI_SECTION_SENSOR || !kri_station_is_channel_of(section, sensor->label)))
			sensor = sensor->next;
		if (sensor)
			return true;
	}
	return false;
}

static bool same_powers(const struct kryos_station *station, const struct kri_station_file *file)
{
	return covers(file, station->file, KRI_SECTION_POWER) && covers(station->file, file, KRI_SECTION_POWER);
}

static bool needs_new_sampler(const struct kryos_station *station, const struct kri_station_file *file)
{
	return kri_station_sampler_deadline(station->file) != kri_station_sampler_deadline(file) ||
	       !same_powers(station, file) || !covers(file, station->file, KRI_SECTION_SENSOR) ||
	       !covers(file, station->file, KRI_SECTION_CHANNEL) || says_more(file, station->file);
}

static int begin_anew(struct kryos_station *station, const struct kri_station_file *file)
{
	int r = 0;

	if (!same_powers(station, file)) {
		kri_station_close_powers(station);
		r = kri_station_open_powers(station, file);
	}
	return r < 0 ? r : kri_station_open_sampler(station, file);
}

static int add_sensors(struct kryos_station *station, const struct kri_station_file *file)
{
	int r = 0;

	for (const struct kri_section *section = file->sections; section && r >= 0; section = section->next) {
		if (section->kind == KRI_SECTION_SENSOR &&
		    !kri_station_find(station->file, KRI_SECTION_SENSOR, section->label))
			r = kri_station_add_sensor(station, file, section);
	}
	return r;
}

/*
 * Adds sensors that are new; where others changed or went, begins with a new sampler. The clock is between the old ones
 * and the new ones: it may take the place of the former, and the latter may take its.
 */
static int apply_clock_and_sensors(struct kryos_station *station, const struct kri_station_file *file)
{
	bool anew = needs_new_sampler(station, file);

	if (anew) {
		kri_station_close_sampler(station);
		kri_station_watch_forget(station);
	}
	if (changed(station, file, KRI_SECTION_CLOCK))
		kri_station_use_rtc(station, file);
	return anew ? begin_anew(station, file) : add_sensors(station, file);
}

static int apply_relays(struct kryos_station *station, const struct kri_station_file *file)
{
	const struct kri_section *section, *before;
	int r = 0;

	for (section = station->file->sections; section; section = section->next) {
		const struct kri_section *now = kri_station_find(file, KRI_SECTION_RELAY, section->label);

		if (section->kind == KRI_SECTION_RELAY && (!now || !kri_section_equal(section, now)))
			kri_station_close_relay(station, section->label);
	}
	for (section = file->sections; section && r >= 0; section = section->next) {
		before = kri_station_find(station->file, KRI_SECTION_RELAY, section->label);
		if (section->kind == KRI_SECTION_RELAY && (!before || !kri_section_equal(section, before)))
			r = kri_station_open_relay(station, file, section);
	}
	return r;
}

/* Of one kind, those that changed or went. Before new sensors: these may have their lines. */
static void close_changed(struct kryos_station *station, const struct kri_station_file *file,
                          enum kri_section_kind kind, void (*close)(struct kryos_station *station, const char *name))
{
	for (const struct kri_section *section = station->file->sections; section; section = section->next) {
		const struct kri_section *now = kri_station_find(file, kind, section->label);

		if (section->kind == kind && (!now || !kri_section_equal(section, now)))
			close(station, section->label);
	}
}

/* And those that changed or are new. */
static int open_changed(struct kryos_station *station, const struct kri_station_file *file, enum kri_section_kind kind,
                        int (*open)(struct kryos_station *station, const struct kri_section *section))
{
	int r = 0;

	for (const struct kri_section *section = file->sections; section && r >= 0; section = section->next) {
		const struct kri_section *before = kri_station_find(station->file, kind, section->label);

		if (section->kind == kind && (!before || !kri_section_equal(section, before)))
			r = open(station, section);
	}
	return r;
}

static int apply(struct kryos_station *station, const struct kri_station_file *file)
{
	int r;

	/* Everything hangs off these two; and what is open of a broken station is no measure. */
	if (station->broken || changed(station, file, KRI_SECTION_STORE) ||
	    changed(station, file, KRI_SECTION_WATCHDOG)) {
		kri_station_close_parts(station);
		return kri_station_open_parts(station, file);
	}
	close_changed(station, file, KRI_SECTION_BUTTON, kri_station_close_button);
	close_changed(station, file, KRI_SECTION_OUTPUT, kri_station_close_output);
	r = apply_clock_and_sensors(station, file);
	if (r >= 0)
		r = kri_station_open_alarms(station, file);
	if (r >= 0)
		r = apply_relays(station, file);
	if (r >= 0)
		r = open_changed(station, file, KRI_SECTION_OUTPUT, kri_station_open_output);
	return r < 0 ? r : open_changed(station, file, KRI_SECTION_BUTTON, kri_station_open_button);
}

/* Nothing of a file that could not be applied stays: the old one is in force again. */
static int fall_back(struct kryos_station *station, int result)
{
	char *text = strdup(kryos_strerror(result));
	int r;

	kri_station_close_parts(station);
	r = kri_station_open_parts(station, station->file);
	station->broken = r < 0;
	if (r < 0) {
		kri_log(station->ctx, KRYOS_LOG_ERROR, "station", r,
		        "the file before the reload is not in force either: %s", kryos_strerror(r));
		free(text);
		return r;
	}
	result = kryos_fail(result, "%s: nothing was changed: %s", station->file->path, text ? text : "");
	free(text);
	return result;
}

int kryos_station_reload(struct kryos_station *station)
{
	struct kri_station_file *file = NULL;
	char path[4096], *errors = NULL;
	int r;

	if (!station)
		return -EINVAL;
	r = kri_ctx_check(station->ctx);
	if (r < 0)
		return r;
	r = kri_station_file_read(&file, station->ctx, station->file->path, &errors);
	free(errors);
	if (r < 0)
		return r;
	if (strcmp(kri_station_store_path(file, path, sizeof(path)), station->store_path) != 0) {
		r = kryos_fail(-EBUSY, "%s: the store is in %s; %s needs a restart", file->path, station->store_path,
		               path);
		goto free_file;
	}
	kri_station_warn(station, file, station->file);
	r = apply(station, file);
	if (r < 0) {
		r = fall_back(station, r);
	} else {
		kri_station_note(station, file);
		kri_station_file_free(station->file);
		station->file = file;
		station->broken = false;
		file = NULL;
	}
	/* New parts are newer than the station; it must be closed before them. */
	kri_object_remove(&station->object);
	kri_object_add(station->ctx, &station->object, destroy);
free_file:
	kri_station_file_free(file);
	return r;
}

struct kryos_store *kryos_station_get_store(struct kryos_station *station)
{
	return station ? station->store : NULL;
}

struct kryos_sampler *kryos_station_get_sampler(struct kryos_station *station)
{
	return station ? station->sampler : NULL;
}

struct kryos_watchdog *kryos_station_get_watchdog(struct kryos_station *station)
{
	return station ? station->watchdog : NULL;
}

struct kryos_relay *kryos_station_get_relay(struct kryos_station *station, unsigned int index, const char **ret_name)
{
	struct kri_station_relay *relay = station ? station->relays : NULL;

	while (relay && index-- > 0)
		relay = relay->next;
	if (relay && ret_name)
		*ret_name = relay->name;
	return relay ? relay->relay : NULL;
}

void kri_station_add_user(struct kryos_station *station, struct kri_station_user *user)
{
	user->next = station->users;
	station->users = user;
}

void kri_station_remove_user(struct kryos_station *station, struct kri_station_user *user)
{
	for (struct kri_station_user **at = &station->users; *at; at = &(*at)->next) {
		if (*at == user) {
			*at = user->next;
			return;
		}
	}
}
