/* SPDX-License-Identifier: Apache-2.0 */
/* What a station's lamps and buzzers show of its alarms, and what people do about it with a button or a command. */
#include "shown.h"
#include "../json/json.h"
#include "../store/store.h"
#include <kryos/monitor.h>
#include <stdio.h>
#include <string.h>

static bool gives_nothing(struct kryos_station *station, const char *channel)
{
	struct kryos_sample sample;

	for (unsigned int i = 0; kri_station_get_latest(station, i, &sample); i++) {
		if (strcmp(kryos_channel_name(station->ctx, sample.channel), channel) == 0)
			return !kryos_quality_is_measured(sample.quality) && sample.quality != KRYOS_QUALITY_STUCK &&
			       sample.quality != KRYOS_QUALITY_RATE && sample.quality != KRYOS_QUALITY_DISAGREES;
	}
	return false;
}

static bool is_retired(struct kryos_station *station, const char *name)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };

	for (unsigned int i = 0; kryos_monitor_get_channel(station->monitor, i, &channel) >= 0; i++)
		if (strcmp(channel.channel, name) == 0)
			return channel.retired;
	return false;
}

bool kri_station_next_shown(struct kryos_station *station, unsigned int *index, struct kryos_monitor_alarm *ret_alarm,
                            char ret_channel[64])
{
	while (station->monitor && kryos_monitor_get_alarm(station->monitor, (*index)++, ret_alarm) >= 0) {
		snprintf(ret_channel, 64, "%s", ret_alarm->channel);
		ret_alarm->channel = ret_channel;
		if (!is_retired(station, ret_channel))
			return true;
	}
	return false;
}

static enum kri_signal signal_of(const struct kryos_monitor_alarm *alarm)
{
	bool open = alarm->episode.ended_by == KRYOS_EPISODE_OPEN;

	if (alarm->acknowledged)
		return open ? KRI_SIGNAL_ACKNOWLEDGED : KRI_SIGNAL_NONE;
	return open ? KRI_SIGNAL_ALARM : KRI_SIGNAL_ENDED;
}

enum kri_signal kri_station_signal(struct kryos_station *station)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	enum kri_signal signal = KRI_SIGNAL_NONE;
	unsigned int index = 0;
	char name[64];

	if (!station->monitor)
		return signal;
	for (unsigned int i = 0; kryos_monitor_get_channel(station->monitor, i, &channel) >= 0; i++)
		if (!channel.retired && gives_nothing(station, channel.channel))
			signal = KRI_SIGNAL_BLIND;
	while (kri_station_next_shown(station, &index, &alarm, name))
		if (signal_of(&alarm) > signal)
			signal = signal_of(&alarm);
	return signal;
}

unsigned int kri_station_acknowledge_shown(struct kryos_station *station, const char *who, const char *comment)
{
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	unsigned int index = 0, count = 0;
	char channel[64];
	int r;

	while (kri_station_next_shown(station, &index, &alarm, channel)) {
		if (alarm.acknowledged)
			continue;
		r = kryos_monitor_acknowledge(station->monitor, channel, alarm.episode.name, who, comment);
		if (r < 0) {
			kri_log(station->ctx, KRYOS_LOG_WARNING, "station", r, "%s: %s is not acknowledged: %s",
			        channel, alarm.episode.name, kryos_strerror(r));
			continue;
		}
		count++;
		/* One that had ended is in the list no more. */
		index = 0;
	}
	return count;
}

void kri_station_find_test(struct kryos_station *station)
{
	int r = kri_store_get_newest(station->store, KRYOS_EVENT_TEST, &station->tested);

	if (r < 0 && r != -ENOENT)
		kri_log(station->ctx, KRYOS_LOG_WARNING, "station", r, "when the alarms were tested can't be read: %s",
		        kryos_strerror(r));
}

bool kri_station_get_test(const struct kryos_station *station, struct kryos_time *ret_when)
{
	*ret_when = station->tested;
	return station->tested.t_wall_ns != 0;
}

int kri_station_test_alarms(struct kryos_station *station, const char *who, struct kri_json **ret_result)
{
	struct kri_json *result = kri_json_object(), *driven = kri_json_array(), *lost = kri_json_array();
	char text[800], names[700] = "";
	int r;

	kri_station_test_outputs(station, driven, lost);
	for (unsigned int i = 0; kri_json_at(driven, i, NULL); i++) {
		size_t length = strlen(names);

		snprintf(names + length, sizeof(names) - length, "%s%s", i ? "," : "",
		         kri_json_text(kri_json_at(driven, i, NULL)));
	}
	snprintf(text, sizeof(text), "by=%s outputs=%s", who, *names ? names : "none");
	r = kryos_store_add_event(station->store, &(struct kryos_event){ .size = sizeof(struct kryos_event),
	                                                                 .type = KRYOS_EVENT_TEST,
	                                                                 .name = "",
	                                                                 .text = text });
	kri_json_add(result, "outputs", driven);
	kri_json_add(result, "lost", lost);
	kri_json_add_bool(result, "sent", station->relays != NULL);
	if (r >= 0 && kryos_clock_now(station->ctx, &station->tested) >= 0)
		kri_json_add_time(result, "time", station->tested.t_wall_ns);
	kri_log(station->ctx, KRYOS_LOG_NOTICE, "station", 0, "test of the alarms: %s", text);
	if (r < 0 || !ret_result)
		kri_json_free(result);
	else
		*ret_result = result;
	return r;
}
