/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands and what each does. */
#include "../relay/relay.h"
#include "../store/store.h"
#include "command.h"
#include <inttypes.h>
#include <kryos/clock.h>
#include <string.h>

static int run_status(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	(void)arguments;
	*ret_result = kri_station_status(station);
	return 0;
}

static int run_read(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	(void)arguments;
	*ret_result = kri_json_object();
	kri_json_add(*ret_result, "readings", kri_station_readings(station));
	return 0;
}

static int run_version(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	(void)arguments;
	*ret_result = kri_json_object();
	kri_json_add_string(*ret_result, "version", kryos_version());
	kri_json_add_string(
		*ret_result, "station",
		kri_station_text(kri_station_find(station->file, KRI_SECTION_STATION, NULL), KRI_STATION_NAME));
	return 0;
}

static int run_queue(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	struct kri_json *list = kri_json_array();

	(void)arguments;
	for (struct kri_station_relay *relay = station->relays; relay; relay = relay->next) {
		struct kryos_queue_status status = { .size = sizeof(status) };

		if (kryos_queue_get_status(kri_relay_get_queue(relay->relay), &status) >= 0)
			kri_json_add(list, NULL, kri_queue_status_json(&status));
	}
	*ret_result = kri_json_object();
	kri_json_add(*ret_result, "queues", list);
	return 0;
}

static int find_queue(struct kryos_station *station, const char *name, struct kryos_queue **ret_queue)
{
	char names[400] = "";

	for (struct kri_station_relay *relay = station->relays; relay; relay = relay->next) {
		size_t length = strlen(names);

		if (strcmp(relay->name, name) == 0) {
			*ret_queue = kri_relay_get_queue(relay->relay);
			return 0;
		}
		snprintf(names + length, sizeof(names) - length, "%s%s", length ? ", " : "", relay->name);
	}
	return kryos_fail(-ENOENT, "there is no queue \"%s\"; there is %s", name, *names ? names : "none");
}

static int run_queue_resend(struct kryos_station *station, const struct kri_json *arguments,
                            struct kri_json **ret_result)
{
	struct kryos_queue_status status = { .size = sizeof(status) };
	struct kryos_queue *queue = NULL;
	const char *name = "";
	int64_t first = 0, last = 0;
	int r;

	(void)(kri_json_get_string(arguments, "name", &name) && kri_json_get_int(arguments, "first", &first) &&
	       kri_json_get_int(arguments, "last", &last));
	if (first > last)
		return kryos_fail(-EINVAL, "first %" PRId64 " is after last %" PRId64, first, last);
	r = find_queue(station, name, &queue);
	if (r >= 0)
		r = kryos_queue_resend(queue, first, last);
	if (r >= 0)
		r = kryos_queue_get_status(queue, &status);
	if (r < 0)
		return r;
	*ret_result = kri_queue_status_json(&status);
	return 0;
}

/* A relay's own queue is open, and stays. */
static int run_queue_remove(struct kryos_station *station, const struct kri_json *arguments,
                            struct kri_json **ret_result)
{
	const char *name = "";
	int r;

	if (!kri_json_get_string(arguments, "name", &name))
		return -EINVAL;
	r = kri_store_remove_queue(station->store, name, KRI_FLUSH_NS);
	if (r < 0)
		return r;
	*ret_result = kri_json_object();
	kri_json_add_string(*ret_result, "name", name);
	return 0;
}

static int run_log_level(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	static const struct {
		const char *name;
		enum kryos_log_level level;
	} levels[] = {
		{ "error", KRYOS_LOG_ERROR }, { "warning", KRYOS_LOG_WARNING }, { "notice", KRYOS_LOG_NOTICE },
		{ "info", KRYOS_LOG_INFO },   { "debug", KRYOS_LOG_DEBUG },
	};
	const char *name = "";

	if (!kri_json_get_string(arguments, "level", &name))
		return -EINVAL;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(levels); i++) {
		if (strcmp(levels[i].name, name) == 0)
			kri_log_set_level(station->ctx, levels[i].level);
	}
	*ret_result = kri_json_object();
	kri_json_add_string(*ret_result, "level", name);
	return 0;
}

static int run_flush(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	struct kryos_store_status status = { .size = sizeof(status) };
	int r = kryos_store_flush(station->store, KRI_FLUSH_NS);

	(void)arguments;
	if (r == -ETIMEDOUT)
		return kryos_fail(r, "the disk has not finished within 1 s; what waits for it is not durable yet");
	if (r >= 0)
		r = kryos_store_get_status(station->store, &status);
	if (r < 0)
		return r;
	*ret_result = kri_json_object();
	kri_json_add_int(*ret_result, "last_seq", status.last_seq);
	return 0;
}

static int run_sync_clock(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	struct kryos_time now = { 0 };
	int r = kryos_clock_set_rtc(station->ctx);

	(void)arguments;
	if (r >= 0)
		r = kryos_clock_now(station->ctx, &now);
	if (r < 0)
		return r;
	*ret_result = kri_json_object();
	kri_json_add_time(*ret_result, "time", now.t_wall_ns);
	return 0;
}

static int run_output(struct kryos_station *station, const struct kri_json *arguments, struct kri_json **ret_result)
{
	const char *name = "", *state = "";
	int r;

	(void)(kri_json_get_string(arguments, "name", &name) && kri_json_get_string(arguments, "state", &state));
	r = kri_station_try_output(station, name, state);
	if (r < 0)
		return r;
	*ret_result = kri_json_object();
	kri_json_add_string(*ret_result, "name", name);
	kri_json_add_string(*ret_result, "state", state);
	return 0;
}

#define ANY_SEQ .minimum = 1, .maximum = INT64_C(9007199254740992)

const struct kri_command kri_commands[] = {
	{ .name = "status", .right = KRYOS_RIGHT_READ, .help = "the whole state of the station", .run = run_status },
	{ .name = "read",
	  .right = KRYOS_RIGHT_READ,
	  .help = "the newest reading of each channel since the start",
	  .run = run_read },
	{ .name = "version", .right = KRYOS_RIGHT_READ, .help = "which library answers", .run = run_version },
	{ .name = "queue", .right = KRYOS_RIGHT_READ, .help = "what each queue owes", .run = run_queue },
	{ .name = "queue-resend",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "owes records first to last again",
	  .arguments = { { .name = "name", .type = KRI_ARGUMENT_TEXT, .required = true },
	                 { .name = "first", .type = KRI_ARGUMENT_NUMBER, .required = true, ANY_SEQ },
	                 { .name = "last", .type = KRI_ARGUMENT_NUMBER, .required = true, ANY_SEQ } },
	  .run = run_queue_resend },
	{ .name = "queue-remove",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "removes a queue that no relay has: what it owes is owed to nobody",
	  .arguments = { { .name = "name", .type = KRI_ARGUMENT_TEXT, .required = true } },
	  .run = run_queue_remove },
	{ .name = "log-level",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "how much is logged until the next start",
	  .arguments = { { .name = "level",
	                   .type = KRI_ARGUMENT_TEXT,
	                   .required = true,
	                   .choices = "error warning notice info debug" } },
	  .run = run_log_level },
	{ .name = "flush",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "waits until all that was measured is on the disk, at most 1 s",
	  .run = run_flush },
	{ .name = "sync-clock",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "sets the real-time clock from synchronised time",
	  .run = run_sync_clock },
	{ .name = "output",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "tries a lamp or a buzzer for 10 s",
	  .arguments = { { .name = "name", .type = KRI_ARGUMENT_TEXT, .required = true },
	                 { .name = "state", .type = KRI_ARGUMENT_TEXT, .required = true, .choices = "on off blink" } },
	  .run = run_output },
	{ .name = "alarm.list",
	  .right = KRYOS_RIGHT_READ,
	  .help = "alarms that are open, or over and not acknowledged",
	  .run = kri_run_alarm_list },
	{ .name = "alarm.acknowledge",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "says that somebody knows of an alarm",
	  .arguments = { { .name = "channel", .type = KRI_ARGUMENT_TEXT, .required = true },
	                 { .name = "rule", .type = KRI_ARGUMENT_TEXT, .required = true },
	                 { .name = "comment", .type = KRI_ARGUMENT_TEXT, .required = true } },
	  .run_for = kri_run_alarm_acknowledge },
	{ .name = "alarm.test",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "drives lamps and buzzers for 5 s, and sends one message marked test",
	  .run_for = kri_run_alarm_test },
	{ .name = "channel.list",
	  .right = KRYOS_RIGHT_READ,
	  .help = "channels that alarms watch, and which of them are retired",
	  .run = kri_run_channel_list },
	{ .name = "channel.retire",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "no alarms of a channel from now on; it is still recorded",
	  .arguments = { { .name = "name", .type = KRI_ARGUMENT_TEXT, .required = true },
	                 { .name = "why", .type = KRI_ARGUMENT_TEXT, .required = true } },
	  .run_for = kri_run_channel_retire },
	{ .name = "channel.resume",
	  .right = KRYOS_RIGHT_CHANGE,
	  .help = "alarms of a retired channel again",
	  .arguments = { { .name = "name", .type = KRI_ARGUMENT_TEXT, .required = true },
	                 { .name = "why", .type = KRI_ARGUMENT_TEXT, .required = true } },
	  .run_for = kri_run_channel_resume },
	{ .name = "metrics",
	  .right = KRYOS_RIGHT_READ,
	  .help = "the state as Prometheus reads it",
	  .run = kri_run_metrics },
	{ .name = NULL },
};
