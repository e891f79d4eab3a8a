/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a station as JSON: what status.json and kryosctl status show. */
#include "../json/json.h"
#include "../store/store.h"
#include "shown.h"
#include <kryos/clock.h>
#include <stdlib.h>

static const char *const link_names[] = {
	[KRYOS_LINK_DOWN] = "down",
	[KRYOS_LINK_CONNECTING] = "connecting",
	[KRYOS_LINK_UP] = "up",
	[KRYOS_LINK_WAITING] = "waiting for the clock",
};

static void add_seconds(struct kri_json *to, const char *key, int64_t ns)
{
	kri_json_add_micro(to, key, ns / 1000);
}

static void add_error(struct kri_json *to, int error, const char *text)
{
	if (error < 0)
		kri_json_add_string(to, "error", *text ? text : kryos_strerror(error));
	else
		kri_json_add_null(to, "error");
}

/* "" is "there is none" in a struct, and null in JSON. */
static void add_text(struct kri_json *to, const char *key, const char *text)
{
	kri_json_add_string(to, key, text && *text ? text : NULL);
}

struct kri_json *kri_station_readings(struct kryos_station *station)
{
	struct kri_json *list = kri_json_array();
	int64_t now = kri_boot_ns(station->ctx);
	struct kryos_sample sample;

	for (unsigned int i = 0; kri_station_get_latest(station, i, &sample); i++) {
		struct kri_json *reading = kri_json_object();
		char reason[256];

		kri_json_add_string(reading, "channel", kryos_channel_name(station->ctx, sample.channel));
		if (kryos_quality_is_measured(sample.quality))
			kri_json_add_micro(reading, "value", sample.value_micro);
		else
			kri_json_add_null(reading, "value");
		kri_json_add_string(reading, "unit", kryos_channel_unit(station->ctx, sample.channel));
		kri_json_add_string(reading, "quality", kryos_quality_name(sample.quality));
		kri_station_get_reason(station, &sample, reason, sizeof(reason));
		add_text(reading, "reason", reason);
		kri_json_add_time(reading, "time", sample.t_wall_ns);
		kri_json_add_string(reading, "trust", kryos_trust_name(sample.trust));
		add_seconds(reading, "age", now - sample.t_boot_ns);
		kri_json_add_int(reading, "seq", sample.seq);
		kri_json_add(list, NULL, reading);
	}
	return list;
}

static struct kri_json *clock_json(struct kryos_station *station, const struct kryos_time *now)
{
	struct kri_json *clock = kri_json_object();
	struct kryos_rtc_status rtc = { .size = sizeof(rtc) };
	struct kri_json *chip;

	kri_json_add_string(clock, "trust", kryos_trust_name(now->trust));
	if (kryos_clock_get_rtc(station->ctx, &rtc) < 0) {
		kri_json_add_null(clock, "rtc");
	} else {
		chip = kri_json_object();
		kri_json_add_bool(chip, "valid", rtc.valid);
		kri_json_add_time(chip, "time", rtc.t_wall_ns);
		add_text(chip, "text", rtc.text);
		if (rtc.temperature_micro_valid)
			kri_json_add_micro(chip, "temperature", rtc.temperature_micro);
		kri_json_add(clock, "rtc", chip);
	}
	add_error(clock, station->rtc_error, station->rtc_text);
	return clock;
}

static struct kri_json *store_json(struct kryos_station *station)
{
	struct kryos_store_status status = { .size = sizeof(status) };
	struct kri_json *store = kri_json_object(), *syncs;

	if (!station->store || kryos_store_get_status(station->store, &status) < 0)
		return store;
	syncs = kri_json_object();
	kri_json_add_int(syncs, "commit", (int64_t)status.commit_syncs);
	kri_json_add_int(syncs, "checkpoint", (int64_t)status.checkpoint_syncs);
	kri_json_add_int(syncs, "state", (int64_t)status.state_syncs);
	kri_json_add_int(syncs, "rotation", (int64_t)status.rotation_syncs);
	kri_json_add_string(store, "path", station->store_path);
	kri_json_add_string(store, "device", status.device);
	kri_json_add_int(store, "boot", status.boot);
	add_seconds(store, "device_time", status.device_ns);
	kri_json_add_int(store, "samples", status.samples);
	kri_json_add_int(store, "first_seq", status.first_seq);
	kri_json_add_int(store, "last_seq", status.last_seq);
	kri_json_add_time(store, "first_time", status.first_wall_ns);
	kri_json_add_time(store, "last_time", status.last_wall_ns);
	kri_json_add_int(store, "segments", status.segments);
	kri_json_add_int(store, "bytes", status.bytes);
	kri_json_add_int(store, "limit_bytes", status.limit_bytes);
	kri_json_add_int(store, "accepted", (int64_t)status.accepted);
	kri_json_add_int(store, "commits", (int64_t)status.commits);
	kri_json_add(store, "syncs", syncs);
	kri_json_add_int(store, "gaps", (int64_t)status.gaps);
	kri_json_add_int(store, "volatile", status.volatile_samples);
	add_seconds(store, "last_sync", status.last_sync_ns);
	add_seconds(store, "worst_sync", status.worst_sync_ns);
	kri_json_add_bool(store, "sealing", status.can_seal);
	add_error(store, status.error, status.text);
	return store;
}

static struct kri_json *sampler_json(struct kryos_station *station)
{
	struct kryos_sampler_status status = { .size = sizeof(status) };
	struct kri_json *sampler = kri_json_object();

	if (!station->sampler || kryos_sampler_get_status(station->sampler, &status) < 0)
		return sampler;
	kri_json_add_int(sampler, "sensors", status.sensors);
	kri_json_add_int(sampler, "rounds", (int64_t)status.rounds);
	kri_json_add_int(sampler, "late", (int64_t)status.late);
	kri_json_add_int(sampler, "failed", (int64_t)status.failed);
	kri_json_add_int(sampler, "refused", (int64_t)status.refused);
	return sampler;
}

static struct kri_json *sensors_json(struct kryos_station *station)
{
	struct kri_json *list = kri_json_array();

	for (const struct kri_section *section = station->file->sections; section; section = section->next) {
		struct kri_json *sensor;

		if (section->kind != KRI_SECTION_SENSOR)
			continue;
		sensor = kri_json_object();
		kri_json_add_string(sensor, "name", section->label);
		kri_json_add_string(sensor, "address", section->entries[KRI_SENSOR_ADDRESS].text);
		kri_json_add_string(sensor, "place", section->entries[KRI_SENSOR_PLACE].text);
		add_seconds(sensor, "every", kri_station_number(section, KRI_SENSOR_EVERY));
		kri_json_add(list, NULL, sensor);
	}
	return list;
}

struct kri_json *kri_queue_status_json(const struct kryos_queue_status *status)
{
	struct kri_json *queue = kri_json_object();

	kri_json_add_string(queue, "name", status->name);
	kri_json_add_int(queue, "owed", status->owed);
	kri_json_add_int(queue, "lent", status->lent);
	kri_json_add_int(queue, "oldest_seq", status->oldest_seq);
	kri_json_add_int(queue, "acked", (int64_t)status->acked);
	kri_json_add_int(queue, "rejected", (int64_t)status->rejected);
	kri_json_add_int(queue, "dead_letters", status->dead_letters);
	return queue;
}

static struct kri_json *relay_json(struct kryos_station *station, struct kri_station_relay *relay)
{
	const struct kri_section *section = kri_station_find(station->file, KRI_SECTION_RELAY, relay->name);
	struct kryos_relay_status status = { .size = sizeof(status) };
	struct kri_json *json = kri_json_object();
	int64_t until_ns;

	kri_json_add_string(json, "name", relay->name);
	kri_json_add_string(json, "url", section ? section->entries[KRI_RELAY_URL].text : NULL);
	if (kryos_relay_get_status(relay->relay, &status) < 0)
		return json;
	kri_json_add_string(json, "link",
	                    (size_t)status.link < KRI_ARRAY_SIZE(link_names) ? link_names[status.link] : "?");
	kri_json_add_int(json, "sent", (int64_t)status.sent);
	kri_json_add_int(json, "acked", (int64_t)status.acked);
	kri_json_add_int(json, "rejected", (int64_t)status.rejected);
	kri_json_add_int(json, "connects", (int64_t)status.connects);
	kri_json_add_int(json, "failures", (int64_t)status.failures);
	kri_json_add_int(json, "inflight", status.inflight);
	kri_json_add_int(json, "owed", status.owed);
	add_seconds(json, "retry", status.retry_ns);
	if (status.last_ack_boot_ns)
		add_seconds(json, "last_ack_age", kri_real_ns() - status.last_ack_boot_ns);
	else
		kri_json_add_null(json, "last_ack_age");
	until_ns = kri_station_certificates_until(station, relay);
	if (until_ns == INT64_MAX)
		kri_json_add_null(json, "certificate_until");
	else
		kri_json_add_time(json, "certificate_until", until_ns);
	add_error(json, status.error, status.text);
	return json;
}

static struct kri_json *watchdog_json(struct kryos_station *station)
{
	struct kryos_watchdog_status status = { .size = sizeof(status) };
	struct kri_json *watchdog = kri_json_object();

	if (!station->watchdog || kryos_watchdog_get_status(station->watchdog, &status) < 0) {
		kri_json_add_null(watchdog, "device");
		add_error(watchdog, station->watchdog_error, station->watchdog_text);
		return watchdog;
	}
	kri_json_add_string(watchdog, "device", status.device);
	add_seconds(watchdog, "timeout", status.timeout_ns);
	kri_json_add_int(watchdog, "tasks", status.tasks);
	kri_json_add_bool(watchdog, "petting", status.petting);
	add_text(watchdog, "restart", status.restart);
	add_text(watchdog, "late_task", status.late_task);
	kri_json_add_time(watchdog, "late_time", status.late_wall_ns);
	add_error(watchdog, 0, "");
	return watchdog;
}

struct problems {
	kri_problem_fn problem;
	void *data;
};

static void pass_on(void *data, int line, const char *text)
{
	const struct problems *problems = data;

	(void)line;
	problems->problem(problems->data, text);
}

void kri_station_each_problem(struct kryos_station *station, kri_problem_fn problem, void *data)
{
	struct kryos_store_status store = { .size = sizeof(store) };
	struct kryos_time now = { 0 };
	struct kryos_sample sample;
	char text[400];

	if (station->store && kryos_store_get_status(station->store, &store) >= 0 && store.error < 0) {
		snprintf(text, sizeof(text), "store: %s", *store.text ? store.text : kryos_strerror(store.error));
		problem(data, text);
	}
	if (kryos_clock_now(station->ctx, &now) < 0 || now.trust < KRYOS_TRUST_RTC)
		problem(data, "clock: the time is not known; set it, or fit a real-time clock");
	if (station->rtc_error < 0) {
		snprintf(text, sizeof(text), "clock: %s", station->rtc_text);
		problem(data, text);
	}
	if (station->watchdog_error < 0) {
		snprintf(text, sizeof(text), "watchdog: %s", station->watchdog_text);
		problem(data, text);
	}
	for (unsigned int i = 0; kri_station_get_latest(station, i, &sample); i++) {
		const char *name = kryos_channel_name(station->ctx, sample.channel);
		char reason[256] = "";

		if (kryos_quality_is_measured(sample.quality))
			continue;
		kri_station_get_reason(station, &sample, reason, sizeof(reason));
		snprintf(text, sizeof(text), "%s: %s%s%s", name, kryos_quality_name(sample.quality),
		         *reason ? ": " : "", reason);
		problem(data, text);
	}
	kri_station_each_alarm(station, problem, data);
	kri_station_each_lost_output(station, problem, data);
	kri_station_each_lost_button(station, problem, data);
	kri_station_each_old_certificate(station, &now, problem, data);
	kri_station_each_expiry(station->file, &now, pass_on, &(struct problems){ .problem = problem, .data = data });
	for (const struct kri_remark *remark = station->file->remarks; remark; remark = remark->next)
		problem(data, remark->text);
}

static void add_test(struct kri_json *status, struct kryos_station *station)
{
	struct kri_json *test = kri_station_test_json(station);

	if (test)
		kri_json_add(status, "test", test);
	else
		kri_json_add_null(status, "test");
}

static void add_problem(void *data, const char *text)
{
	kri_json_add_string(data, NULL, text);
}

struct kri_json *kri_station_status(struct kryos_station *station)
{
	const struct kri_section *section = kri_station_find(station->file, KRI_SECTION_STATION, NULL);
	struct kri_json *status = kri_json_object(), *relays = kri_json_array(), *problems = kri_json_array();
	struct kryos_time now = { 0 };

	/* Fails only for a context that is not ours; then it is time 0, trust none. */
	if (kryos_clock_now(station->ctx, &now) < 0)
		now.trust = KRYOS_TRUST_NONE;
	kri_json_add_string(status, "name", kri_station_text(section, KRI_STATION_NAME));
	kri_json_add_string(status, "timezone", kri_station_text(section, KRI_STATION_TIMEZONE));
	kri_json_add_string(status, "version", kryos_version());
	kri_json_add_string(status, "file", station->file->path);
	kri_json_add_time(status, "time", now.t_wall_ns);
	add_seconds(status, "uptime", kri_boot_ns(station->ctx) - station->opened_boot_ns);
	kri_station_each_problem(station, add_problem, problems);
	kri_json_add(status, "problems", problems);
	kri_json_add(status, "readings", kri_station_readings(station));
	kri_json_add(status, "alarms", kri_alarms_json(station->monitor));
	kri_json_add(status, "channels", kri_channels_json(station->monitor));
	add_test(status, station);
	kri_json_add(status, "sensors", sensors_json(station));
	kri_json_add(status, "outputs", kri_station_outputs(station));
	kri_json_add(status, "clock", clock_json(station, &now));
	kri_json_add(status, "store", store_json(station));
	kri_json_add(status, "sampler", sampler_json(station));
	for (struct kri_station_relay *relay = station->relays; relay; relay = relay->next)
		kri_json_add(relays, NULL, relay_json(station, relay));
	kri_json_add(status, "relays", relays);
	kri_json_add(status, "watchdog", watchdog_json(station));
	return status;
}

int kryos_station_status_json(struct kryos_station *station, char **ret_json)
{
	struct kri_json *status;
	char *text;
	int r;

	if (!station || !ret_json)
		return -EINVAL;
	r = kri_ctx_check(station->ctx);
	if (r < 0)
		return r;
	status = kri_station_status(station);
	text = kri_json_print(status);
	kri_json_free(status);
	if (!text)
		return -ENOMEM;
	*ret_json = text;
	return 0;
}
