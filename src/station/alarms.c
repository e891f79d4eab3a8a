/* SPDX-License-Identifier: Apache-2.0 */
/* The channels that the file's alarms watch, each by the rules of all alarms that name it. */
#include "../monitor/monitor.h"
#include "station.h"
#include "station_rules.h"
#include <kryos/alarm.h>
#include <string.h>

#define WHO "station file"

static const struct kri_section *sensor_of(const struct kri_station_file *file, const char *channel)
{
	char label[50];

	snprintf(label, sizeof(label), "%.*s", (int)strcspn(channel, "."), channel);
	return kri_station_find(file, KRI_SECTION_SENSOR, label);
}

static int watch(struct kryos_station *station, const struct kri_station_file *file, const char *channel)
{
	const struct kri_section *sensor = sensor_of(file, channel);
	const struct kryos_sensor_driver *driver;
	struct kri_station_rules rules;
	struct kryos_description has;
	const char *unit = NULL;

	if (!kri_station_describe(station->ctx, sensor, &driver, &has))
		return kryos_fail(-EINVAL, "[alarm] of %s: its sensor is none any more", channel);
	for (size_t i = 0; i < has.channel_count; i++)
		if (strcmp(has.channels[i].quantity, strchr(channel, '.') + 1) == 0)
			unit = has.channels[i].unit;
	(void)kri_station_rules(file, channel, NULL, &rules);
	return kryos_monitor_watch(
		station->monitor, channel,
		KRYOS_MONITOR_CHANNEL_CONFIG(.rules = rules.rules, .rule_count = rules.count, .unit = unit,
	                                     .interval_ns = kri_station_number(sensor, KRI_SENSOR_EVERY), .who = WHO,
	                                     .record_ns = kri_station_number(sensor, KRI_SENSOR_RECORD)));
}

static bool is_watched(const struct kri_station_file *file, const char *channel)
{
	struct kri_station_rules rules;

	(void)kri_station_rules(file, channel, NULL, &rules);
	return rules.count > 0;
}

int kri_station_open_alarms(struct kryos_station *station, const struct kri_station_file *file)
{
	const char *known;
	int r = 0;

	if (!station->monitor)
		r = kryos_monitor_new(&station->monitor, station->store);
	for (unsigned int i = 0; r >= 0 && (known = kri_monitor_known(station->monitor, i));) {
		if (is_watched(file, known))
			i++;
		else
			r = kri_monitor_unwatch(station->monitor, known, WHO);
	}
	for (const struct kri_section *section = file->sections; r >= 0 && section; section = section->next)
		if (section->kind == KRI_SECTION_ALARM)
			r = watch(station, file, kri_station_text(section, KRI_ALARM_CHANNEL));
	return r;
}

int kri_station_visit_alarms(struct kryos_station *station, const struct kri_station_file *file)
{
	int r = kryos_monitor_new(&station->monitor, station->store);

	if (r >= 0)
		r = kri_monitor_visit(station->monitor);
	for (const struct kri_section *section = file->sections; r >= 0 && section; section = section->next)
		if (section->kind == KRI_SECTION_ALARM)
			r = kri_monitor_visit_channel(station->monitor, kri_station_text(section, KRI_ALARM_CHANNEL));
	return r;
}

void kri_station_close_alarms(struct kryos_station *station)
{
	kryos_monitor_free(station->monitor);
	station->monitor = NULL;
}
