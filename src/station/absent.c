/* SPDX-License-Identifier: Apache-2.0 */
/* Built instead of the station where inih or cJSON is left out. */
#include "../core/core.h"
#include <kryos/station.h>

static int absent(void)
{
	return kryos_fail(-EOPNOTSUPP, "this build has no stations: it was made without inih or cJSON");
}

int kryos_station_open(struct kryos_station **ret_station, struct kryos_ctx *ctx, const char *config_path,
                       const struct kryos_station_config *config)
{
	(void)ret_station;
	(void)ctx;
	(void)config_path;
	(void)config;
	return absent();
}

void kryos_station_close(struct kryos_station *station)
{
	(void)station;
}

int kryos_station_check(const char *config_path, FILE *stream)
{
	(void)config_path;
	(void)stream;
	return absent();
}

int kryos_station_reload(struct kryos_station *station)
{
	(void)station;
	return absent();
}

struct kryos_store *kryos_station_get_store(struct kryos_station *station)
{
	(void)station;
	return NULL;
}

struct kryos_sampler *kryos_station_get_sampler(struct kryos_station *station)
{
	(void)station;
	return NULL;
}

struct kryos_watchdog *kryos_station_get_watchdog(struct kryos_station *station)
{
	(void)station;
	return NULL;
}

struct kryos_relay *kryos_station_get_relay(struct kryos_station *station, unsigned int index, const char **ret_name)
{
	(void)station;
	(void)index;
	(void)ret_name;
	return NULL;
}

int kryos_station_status_json(struct kryos_station *station, char **ret_json)
{
	(void)station;
	(void)ret_json;
	return absent();
}

int kryos_station_metrics(struct kryos_station *station, char **ret_text)
{
	(void)station;
	(void)ret_text;
	return absent();
}

int kryos_station_get_device(const char *config_path, unsigned int index, char ret_name[32], char ret_device[96])
{
	(void)config_path;
	(void)index;
	(void)ret_name;
	(void)ret_device;
	return absent();
}

int kryos_station_get_store_path(const char *config_path, char *ret_path, size_t size)
{
	(void)config_path;
	(void)ret_path;
	(void)size;
	return absent();
}
