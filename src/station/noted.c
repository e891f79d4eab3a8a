/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a station puts on record of itself: at each start what runs, and each change of its file, section by section.
 * A secret is not among it, for the file has none: it names files that have.
 */
#include "../digest/summary.h"
#include "../json/json.h"
#include "../store/store.h"
#include "station.h"
#include <kryos/sys/transport.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "section "
#define TEXT_MAX 460 /* as kri_store_note takes it, with room for what stands between */
#define MAX_PARTS 16
#define WHO "station file"

struct text {
	char *at;
	size_t left;
};

KRYOS_PRINTF(2, 3) static void add(struct text *text, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text->at, text->left, format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= text->left)
		return; /* cut at the end */
	text->at += length;
	text->left -= (size_t)length;
}

static int add_transport(void *data, const void *candidate, void *userdata)
{
	const struct kryos_transport_driver *driver = candidate;

	(void)userdata;
	if (driver->size > offsetof(struct kryos_transport_driver, version) && driver->version)
		add(data, " %s=%s", driver->name, driver->version());
	return 0;
}

int kri_station_open_store(struct kryos_station *station, const struct kryos_store_config *config)
{
	char config_hash[KRI_SUMMARY_SIZE] = "none", build[65], line[512];
	struct kryos_event start = { .type = KRYOS_EVENT_START, .name = kryos_version(), .text = line };
	struct text text = { line, sizeof(line) };
	int r;

	kri_build_id(build);
	(void)!kri_summary_of_file(station->file->path, config_hash);
	add(&text, "build=%s config=%s sqlite=%s libcrypto=%s cjson=%s", build, config_hash,
	    kri_store_library_version(), kri_digest_library_version(), kri_json_library_version());
	(void)!kri_registry_each(station->ctx, KRI_TRANSPORT, add_transport, &text);
	/* A store that a reload opens anew is no start, nor is a look at what it holds. */
	r = kri_store_open(&station->store, station->ctx, station->store_path, config,
	                   station->started || station->config.store_only ? NULL : &start);
	station->started |= r >= 0;
	return r;
}

/* A section as one or, where it is long, several texts. */
struct noting {
	struct kryos_station *station;
	const struct kri_station_file *file;
	char name[64], text[TEXT_MAX + 1];
	size_t length;
	int part;
};

static void note(struct kryos_station *station, const char *name, const char *text)
{
	int r = kri_store_note(station->store, KRYOS_EVENT_CONFIGURED, name, text, WHO);

	/* More than may wait for the disk. */
	if (r == -EAGAIN && kryos_store_flush(station->store, KRYOS_SECONDS(4)) >= 0)
		r = kri_store_note(station->store, KRYOS_EVENT_CONFIGURED, name, text, WHO);
	if (r < 0)
		kri_log(station->ctx, KRYOS_LOG_WARNING, "station", r, "%s: its change is not on record yet: %s", name,
		        kryos_strerror(r));
}

static void end_part(struct noting *noting)
{
	char name[sizeof(noting->name) + 16];

	if (!noting->length)
		return;
	snprintf(name, sizeof(name), noting->part ? "%s (%d)" : "%s", noting->name, noting->part + 1);
	note(noting->station, name, noting->text);
	noting->part++;
	noting->length = 0;
}

/* ";" has a meaning in the record. A line of the file has less than 200 bytes. */
static void add_entry(struct noting *noting, const char *key, const char *value)
{
	char entry[280];
	size_t length = (size_t)snprintf(entry, sizeof(entry), "%.60s = %.200s", key, value);

	for (char *at = entry; (at = strchr(at, ';'));)
		*at = ',';
	if (noting->length && noting->length + 2 + length > TEXT_MAX)
		end_part(noting);
	noting->length += (size_t)snprintf(noting->text + noting->length, sizeof(noting->text) - noting->length, "%s%s",
	                                   noting->length ? ", " : "", entry);
}

static void section_name(const struct kri_section *section, char name[64])
{
	snprintf(name, 64, PREFIX "%s%s%.48s", kri_station_sections[section->kind].name, *section->label ? " " : "",
	         section->label);
}

static void note_section(struct noting *noting, const struct kri_section *section)
{
	char name[sizeof(noting->name) + 16];

	section_name(section, noting->name);
	noting->part = 0;
	noting->length = 0;
	for (int key = 0; key < KRI_KEY_COUNT; key++)
		if (section->entries[key].text)
			add_entry(noting, kri_station_keys[key].name, section->entries[key].text);
	for (const struct kri_option *option = section->options; option; option = option->next)
		add_entry(noting, option->name, option->text);
	/* All of it default. */
	if (!noting->length && !noting->part)
		noting->length = (size_t)snprintf(noting->text, sizeof(noting->text), "there");
	end_part(noting);
	/* Parts that it had when it was longer. */
	for (int part = noting->part; part < MAX_PARTS; part++) {
		snprintf(name, sizeof(name), "%s (%d)", noting->name, part + 1);
		note(noting->station, name, "");
	}
}

/* A section, or one of its parts, that the file does not have any more. */
static void note_gone(void *data, const char *name)
{
	struct noting *noting = data;
	char there[64], more[72];

	for (const struct kri_section *section = noting->file->sections; section; section = section->next) {
		section_name(section, there);
		snprintf(more, sizeof(more), "%s (", there);
		if (strcmp(there, name) == 0 || strncmp(more, name, strlen(more)) == 0)
			return;
	}
	note(noting->station, name, "");
}

void kri_station_note(struct kryos_station *station, const struct kri_station_file *file)
{
	struct noting noting = { .station = station, .file = file };

	for (const struct kri_section *section = file->sections; section; section = section->next)
		note_section(&noting, section);
	kri_store_each_noted(station->store, PREFIX, note_gone, &noting);
}
