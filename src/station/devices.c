/* SPDX-License-Identifier: Apache-2.0 */
/* What a station file names, for programs that prepare something before it is opened: buses, a folder's owner. */
#include "station_file.h"
#include <kryos/station.h>
#include <stdlib.h>
#include <string.h>

static int read_file(const char *config_path, struct kryos_ctx **ret_ctx, struct kri_station_file **ret_file)
{
	char *errors = NULL;
	int r = kryos_ctx_new(ret_ctx, NULL);

	if (r < 0)
		return r;
	r = kri_station_file_read(ret_file, *ret_ctx, config_path, &errors);
	free(errors);
	if (r < 0) {
		kryos_ctx_free(*ret_ctx);
		*ret_ctx = NULL;
	}
	return r;
}

static int give(const char *name, const char *device, char ret_name[32], char ret_device[96])
{
	if (strlen(name) >= 32 || strlen(device) >= 96)
		return kryos_fail(-ENAMETOOLONG, "%s: %s: names of 31 and devices of 95 bytes are allowed", name,
		                  device);
	strcpy(ret_name, name);
	strcpy(ret_device, device);
	return 0;
}

static int find_device(const struct kri_station_file *file, unsigned int index, char ret_name[32], char ret_device[96])
{
	const char *rtc = kri_station_text(kri_station_find(file, KRI_SECTION_CLOCK, NULL), KRI_CLOCK_RTC);
	unsigned int at = 0;

	for (const struct kri_section *section = file->sections; section; section = section->next) {
		if (section->kind == KRI_SECTION_SENSOR && at++ == index)
			return give(section->label, section->entries[KRI_SENSOR_ADDRESS].text, ret_name, ret_device);
	}
	for (const struct kri_section *section = file->sections; section; section = section->next) {
		if (section->kind == KRI_SECTION_POWER && at++ == index)
			return give(section->label, section->entries[KRI_POWER_ADDRESS].text, ret_name, ret_device);
	}
	for (const struct kri_section *section = file->sections; section; section = section->next) {
		if (section->kind == KRI_SECTION_OUTPUT && at++ == index)
			return give(section->label, section->entries[KRI_OUTPUT_ADDRESS].text, ret_name, ret_device);
	}
	for (const struct kri_section *section = file->sections; section; section = section->next) {
		if (section->kind == KRI_SECTION_BUTTON && at++ == index)
			return give(section->label, section->entries[KRI_BUTTON_ADDRESS].text, ret_name, ret_device);
	}
	if (rtc && at == index)
		return give("", rtc, ret_name, ret_device);
	return kryos_fail(-ENOENT, "%s: names no %u devices", file->path, index + 1);
}

int kryos_station_get_device(const char *config_path, unsigned int index, char ret_name[32], char ret_device[96])
{
	struct kri_station_file *file = NULL;
	struct kryos_ctx *ctx = NULL;
	int r;

	if (!config_path || !ret_name || !ret_device)
		return -EINVAL;
	r = read_file(config_path, &ctx, &file);
	if (r < 0)
		return r;
	r = find_device(file, index, ret_name, ret_device);
	kri_station_file_free(file);
	kryos_ctx_free(ctx);
	return r;
}

int kryos_station_get_store_path(const char *config_path, char *ret_path, size_t size)
{
	struct kri_station_file *file = NULL;
	struct kryos_ctx *ctx = NULL;
	char path[4096];
	size_t length;
	int r;

	if (!config_path || !ret_path)
		return -EINVAL;
	r = read_file(config_path, &ctx, &file);
	if (r < 0)
		return r;
	length = strlen(kri_station_store_path(file, path, sizeof(path)));
	if (length < size)
		memcpy(ret_path, path, length + 1);
	else
		r = kryos_fail(-ENAMETOOLONG, "%s: the store's path needs %zu bytes", config_path, length + 1);
	kri_station_file_free(file);
	kryos_ctx_free(ctx);
	return r;
}
