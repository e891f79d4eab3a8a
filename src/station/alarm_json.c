/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms and watched channels as JSON, for the status and the commands, and as sentences for those who look. */
#include "../json/json.h"
#include "shown.h"
#include <kryos/monitor.h>
#include <stdio.h>
#include <string.h>

static void add_seconds(struct kri_json *to, const char *key, int64_t ns)
{
	kri_json_add_micro(to, key, ns / 1000);
}

static struct kri_json *person_json(const char *by, const char *key, const char *said, const struct kryos_instant *when)
{
	struct kri_json *json = kri_json_object();

	kri_json_add_string(json, "by", by);
	kri_json_add_string(json, key, said);
	kri_json_add_time(json, "time", when->t_wall_ns);
	return json;
}

/* Of a door, or a sensor that is silent, there is no worse and worst. */
static bool has_worst(const struct kryos_episode *episode, const char *unit)
{
	return episode->has_extreme && episode->rule.kind != KRYOS_RULE_DOOR && strcmp(unit, "/") != 0;
}

struct kri_json *kri_alarm_json(const struct kryos_monitor_alarm *alarm, const char *unit)
{
	const struct kryos_episode *episode = &alarm->episode;
	struct kri_json *json = kri_json_object();

	kri_json_add_string(json, "channel", alarm->channel);
	kri_json_add_string(json, "rule", episode->name);
	kri_json_add_string(json, "kind", kryos_rule_kind_name(episode->rule.kind));
	kri_json_add_bool(json, "open", episode->ended_by == KRYOS_EPISODE_OPEN);
	kri_json_add_time(json, "start", episode->start.t_wall_ns);
	kri_json_add_string(json, "trust", kryos_trust_name(episode->start.trust));
	kri_json_add_time(json, "trigger", episode->trigger.t_wall_ns);
	kri_json_add_time(json, "end", episode->end.t_wall_ns);
	kri_json_add_string(json, "ended_by", episode->ended_by ? kryos_episode_end_name(episode->ended_by) : NULL);
	add_seconds(json, "duration", episode->duration_ns);
	add_seconds(json, "accumulated", episode->accumulated_ns);
	add_seconds(json, "indeterminate", episode->indeterminate_ns);
	if (has_worst(episode, unit))
		kri_json_add_micro(json, "extreme", episode->extreme_micro);
	else
		kri_json_add_null(json, "extreme");
	kri_json_add_time(json, "extreme_at", has_worst(episode, unit) ? episode->extreme_at.t_wall_ns : 0);
	kri_json_add_string(json, "unit", unit);
	if (alarm->acknowledged)
		kri_json_add(json, "acknowledged",
		             person_json(alarm->by, "comment", alarm->comment, &alarm->acknowledged_at));
	else
		kri_json_add_null(json, "acknowledged");
	return json;
}

/* The channel is watched, since there is an alarm of it. */
static const char *unit_of(struct kryos_monitor *monitor, const char *name, struct kryos_monitor_channel *channel)
{
	*channel = (struct kryos_monitor_channel){ .size = sizeof(*channel) };
	for (unsigned int i = 0; kryos_monitor_get_channel(monitor, i, channel) >= 0; i++)
		if (strcmp(channel->channel, name) == 0)
			return channel->unit;
	return "";
}

struct kri_json *kri_alarms_json(struct kryos_monitor *monitor)
{
	struct kryos_monitor_channel channel;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kri_json *list = kri_json_array();

	for (unsigned int i = 0; monitor && kryos_monitor_get_alarm(monitor, i, &alarm) >= 0; i++)
		kri_json_add(list, NULL, kri_alarm_json(&alarm, unit_of(monitor, alarm.channel, &channel)));
	return list;
}

static struct kri_json *vvm_json(const struct kryos_exposure_result *exposure)
{
	struct kri_json *json = kri_json_object(), *used = kri_json_object();

	kri_json_add_string(json, "model", kryos_vvm_model_name(KRYOS_VVM_GOLDWOOD_DIESBURG_2018));
	kri_json_add_bool(json, "estimate", true);
	for (unsigned int vvm = 0; vvm < KRYOS_VVM_COUNT; vvm++)
		kri_json_add_micro(used, kryos_vvm_name(vvm), exposure->vvm_micro[vvm]);
	kri_json_add(json, "used_percent", used);
	return json;
}

static void add_mean(struct kri_json *to, const char *key, const struct kryos_exposure_result *exposure, int64_t micro)
{
	if (exposure->has_mean)
		kri_json_add_micro(to, key, micro);
	else
		kri_json_add_null(to, key);
}

/* NULL: nothing was measured. */
static struct kri_json *window_json(const struct kryos_history *history, enum kryos_window window)
{
	struct kryos_exposure_result exposure = { .size = sizeof(exposure) };
	struct kri_json *json;

	if (kryos_history_get(history, window, &exposure) < 0 || !exposure.samples)
		return NULL;
	json = kri_json_object();
	kri_json_add_int(json, "samples", (int64_t)exposure.samples);
	kri_json_add_micro(json, "min", exposure.min_micro);
	kri_json_add_micro(json, "max", exposure.max_micro);
	add_mean(json, "mean", &exposure, exposure.mean_micro);
	add_mean(json, "mkt", &exposure, exposure.mkt_micro);
	add_seconds(json, "time", exposure.time_ns);
	add_seconds(json, "below", exposure.below_ns);
	add_seconds(json, "above", exposure.above_ns);
	if (window == KRYOS_WINDOW_ALL)
		kri_json_add(json, "vvm", vvm_json(&exposure));
	return json;
}

static void add_exposure(struct kri_json *to, const struct kryos_history *history)
{
	static const char *const keys[] = { "all", "24h", "30d" }; /* by enum kryos_window */
	struct kri_json *json = kri_json_object();

	for (unsigned int window = 0; history && window < KRI_ARRAY_SIZE(keys); window++) {
		struct kri_json *one = window_json(history, (enum kryos_window)window);

		if (one)
			kri_json_add(json, keys[window], one);
		else
			kri_json_add_null(json, keys[window]);
	}
	if (history) {
		kri_json_add(to, "exposure", json);
		return;
	}
	kri_json_free(json);
	kri_json_add_null(to, "exposure");
}

struct kri_json *kri_channels_json(struct kryos_monitor *monitor)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kri_json *list = kri_json_array();

	for (unsigned int i = 0; monitor && kryos_monitor_get_channel(monitor, i, &channel) >= 0; i++) {
		struct kri_json *json = kri_json_object(), *open = kri_json_array();

		for (unsigned int kind = KRYOS_RULE_HEAT; kind <= KRYOS_RULE_CUSTOM; kind++)
			if (channel.open & UINT32_C(1) << kind)
				kri_json_add_string(open, NULL, kryos_rule_kind_name(kind));
		kri_json_add_string(json, "channel", channel.channel);
		kri_json_add_int(json, "rules", channel.rule_count);
		kri_json_add(json, "open", open);
		if (channel.retired)
			kri_json_add(json, "retired",
			             person_json(channel.retired_by, "why", channel.retired_why, &channel.retired_at));
		else
			kri_json_add_null(json, "retired");
		add_exposure(json, channel.history);
		kri_json_add_int(json, "older", channel.older);
		kri_json_add(list, NULL, json);
	}
	return list;
}

struct kri_json *kri_station_test_json(struct kryos_station *station)
{
	struct kri_json *json;
	struct kryos_time when;

	if (!kri_station_get_test(station, &when))
		return NULL;
	json = kri_json_object();
	kri_json_add_time(json, "time", when.t_wall_ns);
	kri_json_add_string(json, "trust", kryos_trust_name(when.trust));
	return json;
}

/* In whole seconds, and how far it can be believed. */
static const char *time_text(const struct kryos_instant *instant, char buffer[KRYOS_TEXT_MAX + 20])
{
	kryos_time_text(instant->t_wall_ns - instant->t_wall_ns % KRYOS_SECONDS(1), buffer);
	if (instant->trust < KRYOS_TRUST_RTC)
		strcat(buffer, " (not trusted)");
	return buffer;
}

void kri_station_each_alarm(struct kryos_station *station, kri_problem_fn problem, void *data)
{
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_monitor_channel watched = { .size = sizeof(watched) };
	unsigned int index = 0;
	char channel[64];

	while (kri_station_next_shown(station, &index, &alarm, channel)) {
		const struct kryos_episode *episode = &alarm.episode;
		char text[400], start[KRYOS_TEXT_MAX + 20], end[KRYOS_TEXT_MAX + 20], extreme[KRYOS_TEXT_MAX + 40] = "";
		const char *unit = unit_of(station->monitor, channel, &watched);

		if (has_worst(episode, unit)) {
			char value[KRYOS_TEXT_MAX];

			snprintf(extreme, sizeof(extreme), ", %s%s%s at worst",
			         kryos_value_text(episode->extreme_micro, value), *unit ? " " : "", unit);
		}
		snprintf(text, sizeof(text), "%s: alarm %s %s %s%s%s%s; %s%s", channel, episode->name,
		         episode->ended_by ? "from" : "since", time_text(&episode->start, start),
		         episode->ended_by ? " to " : "", episode->ended_by ? time_text(&episode->end, end) : "",
		         extreme, alarm.acknowledged ? "acknowledged by " : "nobody has acknowledged it",
		         alarm.acknowledged ? alarm.by : "");
		problem(data, text);
	}
	for (unsigned int i = 0; station->monitor && kryos_monitor_get_channel(station->monitor, i, &watched) >= 0;
	     i++) {
		char text[200];

		if (!watched.older || watched.retired)
			continue;
		snprintf(text, sizeof(text), "%s: and %u older alarms, in the events only", watched.channel,
		         watched.older);
		problem(data, text);
	}
}
