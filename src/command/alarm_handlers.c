/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about alarms and the channels that they watch. */
#include "../monitor/monitor.h"
#include "../station/shown.h"
#include "command.h"
#include <kryos/monitor.h>
#include <stdlib.h>
#include <string.h>

#define WHO_MAX 31 /* what a monitor takes */

static int check_monitor(const struct kryos_station *station)
{
	return station->monitor ? 0 : kryos_fail(-ENOENT, "the station file has no [alarm NAME]: nothing is judged");
}

/* A login longer than that is cut; the audit has all of it. */
static void take_who(const char *who, char buffer[WHO_MAX + 1])
{
	snprintf(buffer, WHO_MAX + 1, "%s", who);
}

/*
 * What somebody says is in force at once. Whether it will be after a power cut is part of the answer. Where no loop
 * waits for it the disk is given time.
 */
static void add_durable(struct kryos_station *station, const char *channel, struct kri_json *to)
{
	int64_t limit_ns = station->config.store_only ? KRYOS_SECONDS(10) : KRI_FLUSH_NS;

	kri_json_add_bool(to, "durable",
	                  kri_monitor_is_kept(station->monitor, channel) &&
	                          kryos_store_flush(station->store, limit_ns) >= 0);
}

/* Alarms that are in the events only, of each channel that has such. */
static struct kri_json *older_json(struct kryos_monitor *monitor)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kri_json *list = kri_json_array();

	for (unsigned int i = 0; monitor && kryos_monitor_get_channel(monitor, i, &channel) >= 0; i++) {
		struct kri_json *json = channel.older ? kri_json_object() : NULL;

		if (!json)
			continue;
		kri_json_add_string(json, "channel", channel.channel);
		kri_json_add_int(json, "count", channel.older);
		kri_json_add(list, NULL, json);
	}
	return list;
}

/* Where no station runs: up to when each channel is known, or why it is not. */
static void add_visited(struct kri_json *to, const struct kryos_station *station)
{
	struct kri_json *list = kri_json_array();
	struct kri_visited visited;

	for (unsigned int i = 0; station->monitor && kri_monitor_get_visited(station->monitor, i, &visited); i++) {
		struct kri_json *json = kri_json_object();

		kri_json_add_string(json, "channel", visited.channel);
		kri_json_add_time(json, "until", visited.measured.t_wall_ns);
		kri_json_add_string(json, "trust", kryos_trust_name(visited.measured.trust));
		kri_json_add_string(json, "unknown", visited.unread);
		kri_json_add(list, NULL, json);
	}
	if (station->config.store_only)
		kri_json_add(to, "visited", list);
	else
		kri_json_free(list);
}

int kri_run_alarm_list(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	(void)arguments;
	*ret_result = kri_json_object();
	kri_json_add(*ret_result, "alarms", kri_alarms_json(station->monitor));
	kri_json_add(*ret_result, "older", older_json(station->monitor));
	add_visited(*ret_result, station);
	return 0;
}

int kri_run_channel_list(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	(void)arguments;
	*ret_result = kri_json_object();
	kri_json_add(*ret_result, "channels", kri_channels_json(station->monitor));
	add_visited(*ret_result, station);
	return 0;
}

/* Which of several by one rule kryos_monitor_acknowledge takes: what is open, else the newest. */
static int64_t find_start(struct kryos_monitor *monitor, const char *channel, const char *rule)
{
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	int64_t start_ns = 0;
	bool is_open = false;

	for (unsigned int i = 0; !is_open && kryos_monitor_get_alarm(monitor, i, &alarm) >= 0; i++) {
		if (alarm.acknowledged || strcmp(alarm.channel, channel) != 0 || strcmp(alarm.episode.name, rule) != 0)
			continue;
		is_open = alarm.episode.ended_by == KRYOS_EPISODE_OPEN;
		start_ns = alarm.episode.start.t_wall_ns;
	}
	return start_ns;
}

static uint32_t older_of(struct kryos_monitor *monitor, const char *name)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };

	for (unsigned int i = 0; kryos_monitor_get_channel(monitor, i, &channel) >= 0; i++)
		if (strcmp(channel.channel, name) == 0)
			return channel.older;
	return 0;
}

int kri_run_alarm_acknowledge(struct kryos_station *station, const struct kri_json *arguments, const char *who,
                              struct kri_json **ret_result)
{
	const char *channel = "", *rule = "", *comment = "";
	char by[WHO_MAX + 1];
	int64_t start_ns = 0;
	uint32_t older = 0;
	int r = check_monitor(station);

	(void)(kri_json_get_string(arguments, "channel", &channel) && kri_json_get_string(arguments, "rule", &rule) &&
	       kri_json_get_string(arguments, "comment", &comment));
	take_who(who, by);
	if (r >= 0) {
		start_ns = find_start(station->monitor, channel, rule);
		older = older_of(station->monitor, channel);
		r = kryos_monitor_acknowledge(station->monitor, channel, rule, by, comment);
	}
	if (r < 0)
		return r;
	kri_station_look_outputs(station);
	*ret_result = kri_json_object();
	kri_json_add_string(*ret_result, "channel", channel);
	kri_json_add_string(*ret_result, "rule", rule);
	kri_json_add_time(*ret_result, "start", start_ns);
	kri_json_add_int(*ret_result, "older", older - older_of(station->monitor, channel));
	add_durable(station, channel, *ret_result);
	return 0;
}

int kri_run_alarm_test(struct kryos_station *station, const struct kri_json *arguments, const char *who,
                       struct kri_json **ret_result)
{
	char by[WHO_MAX + 1];

	(void)arguments;
	take_who(who, by);
	return kri_station_test_alarms(station, by, ret_result);
}

static int set_retired(struct kryos_station *station, const struct kri_json *arguments, const char *who, bool retired,
                       struct kri_json **ret_result)
{
	const char *name = "", *why = "";
	char by[WHO_MAX + 1];
	int r = check_monitor(station);

	(void)(kri_json_get_string(arguments, "name", &name) && kri_json_get_string(arguments, "why", &why));
	take_who(who, by);
	if (r >= 0)
		r = retired ? kryos_monitor_retire(station->monitor, name, by, why)
		            : kryos_monitor_resume(station->monitor, name, by, why);
	if (r < 0)
		return r;
	kri_station_look_outputs(station);
	*ret_result = kri_json_object();
	kri_json_add_string(*ret_result, "channel", name);
	kri_json_add_bool(*ret_result, "retired", retired);
	add_durable(station, name, *ret_result);
	return 0;
}

int kri_run_channel_retire(struct kryos_station *station, const struct kri_json *arguments, const char *who,
                           struct kri_json **ret_result)
{
	return set_retired(station, arguments, who, true, ret_result);
}

int kri_run_channel_resume(struct kryos_station *station, const struct kri_json *arguments, const char *who,
                           struct kri_json **ret_result)
{
	return set_retired(station, arguments, who, false, ret_result);
}

int kri_run_metrics(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	char *text = NULL;
	int r = kryos_station_metrics(station, &text);

	(void)arguments;
	if (r < 0)
		return r;
	*ret_result = kri_json_object();
	kri_json_add_string(*ret_result, "text", text);
	free(text);
	return 0;
}
