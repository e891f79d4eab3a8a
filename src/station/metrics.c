/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a station as Prometheus reads it: its text format 0.0.4, names and base units as its conventions ask.
 * All samples of a name stand together behind its HELP and TYPE, and what there is nothing of is left out.
 */
#include "../store/store.h"
#include "shown.h"
#include <inttypes.h>
#include <kryos/clock.h>
#include <kryos/monitor.h>
#include <stdlib.h>
#include <string.h>

/* A name is announced with its first sample. */
struct family {
	FILE *stream;
	const char *name, *type, *help;
	bool announced;
};

struct label {
	const char *name, *value;
};

/* Backslash, quote and newline are escaped: text format, "Comments, help text, and type information". */
static void print_label(FILE *stream, const struct label *label)
{
	fprintf(stream, "%s=\"", label->name);
	for (const char *at = label->value; *at; at++) {
		if (*at == '\n')
			fputs("\\n", stream);
		else if (*at == '\\' || *at == '"')
			fprintf(stream, "\\%c", *at);
		else
			fputc(*at, stream);
	}
	fputc('"', stream);
}

/* value is a decimal number as text; labels end with a name of NULL. */
static void add(struct family *family, const struct label *labels, const char *value)
{
	FILE *stream = family->stream;

	if (!family->announced)
		fprintf(stream, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name, family->type);
	family->announced = true;
	fputs(family->name, stream);
	for (unsigned int i = 0; labels && labels[i].name; i++) {
		fputc(i ? ',' : '{', stream);
		print_label(stream, &labels[i]);
	}
	fprintf(stream, "%s %s\n", labels && labels[0].name ? "}" : "", value);
}

static void add_int(struct family *family, const struct label *labels, int64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, number);
	add(family, labels, text);
}

static void add_micro(struct family *family, const struct label *labels, int64_t micro)
{
	char text[KRYOS_TEXT_MAX];

	add(family, labels, kryos_value_text(micro, text));
}

static void add_seconds(struct family *family, const struct label *labels, int64_t ns)
{
	add_micro(family, labels, ns / 1000);
}

#define FAMILY(variable, of_name, of_type, of_help)                                                                    \
	struct family variable = { .stream = stream, .name = "kryos_" of_name, .type = of_type, .help = of_help }
#define LABELS(...)                                                                                                    \
	(const struct label[])                                                                                         \
	{                                                                                                              \
		__VA_ARGS__,                                                                                           \
		{                                                                                                      \
			NULL, NULL                                                                                     \
		}                                                                                                      \
	}

/* SenML's units as Prometheus names them; what is a percentage there is a ratio here. */
static const struct unit {
	const char *unit, *name, *help;
	int64_t divisor;
} units[] = {
	{ "Cel", "kryos_reading_celsius", "Newest measured temperature.", 1 },
	{ "%RH", "kryos_reading_humidity_ratio", "Newest measured relative humidity, 0 to 1.", 100 },
	{ "Pa", "kryos_reading_pascals", "Newest measured pressure.", 1 },
	{ "V", "kryos_reading_volts", "Newest measured voltage.", 1 },
	{ "A", "kryos_reading_amperes", "Newest measured current.", 1 },
	{ "W", "kryos_reading_watts", "Newest measured power.", 1 },
	{ "%EL", "kryos_reading_charge_ratio", "Newest measured charge of a battery, 0 to 1.", 100 },
	{ "/", "kryos_reading_state", "Newest state of what has two: 0 or 1.", 1 },
	{ NULL, "kryos_reading", "Newest measured value of other channels, in the unit of its label.", 1 },
};

static const struct unit *unit_of(const char *unit)
{
	const struct unit *found = units;

	while (found->unit && strcmp(found->unit, unit) != 0)
		found++;
	return found;
}

static void write_values(FILE *stream, struct kryos_station *station, const struct unit *unit)
{
	struct family family = { .stream = stream, .name = unit->name, .type = "gauge", .help = unit->help };
	struct kryos_sample sample;

	for (unsigned int i = 0; kri_station_get_latest(station, i, &sample); i++) {
		const char *own = kryos_channel_unit(station->ctx, sample.channel);

		if (unit_of(own) != unit || !kryos_quality_is_measured(sample.quality))
			continue;
		add_micro(&family,
		          LABELS({ "channel", kryos_channel_name(station->ctx, sample.channel) },
		                 { unit->unit ? NULL : "unit", own }),
		          sample.value_micro / unit->divisor);
	}
}

static void write_readings(FILE *stream, struct kryos_station *station)
{
	FAMILY(quality, "reading_quality_info", "gauge", "1 for the quality of the newest reading.");
	FAMILY(time, "reading_timestamp_seconds", "gauge", "When the newest reading was taken, since 1970.");
	struct kryos_sample sample;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(units); i++)
		write_values(stream, station, &units[i]);
	for (unsigned int i = 0; kri_station_get_latest(station, i, &sample); i++)
		add_int(&quality,
		        LABELS({ "channel", kryos_channel_name(station->ctx, sample.channel) },
		               { "quality", kryos_quality_name(sample.quality) }),
		        1);
	for (unsigned int i = 0; kri_station_get_latest(station, i, &sample); i++)
		add_seconds(&time, LABELS({ "channel", kryos_channel_name(station->ctx, sample.channel) }),
		            sample.t_wall_ns);
}

/* What of an alarm is open; without it there is none open by that rule. */
static bool find_open(struct kryos_station *station, const char *channel, const char *rule,
                      struct kryos_monitor_alarm *ret_alarm)
{
	for (unsigned int i = 0; kryos_monitor_get_alarm(station->monitor, i, ret_alarm) >= 0; i++)
		if (ret_alarm->episode.ended_by == KRYOS_EPISODE_OPEN && strcmp(ret_alarm->channel, channel) == 0 &&
		    strcmp(ret_alarm->episode.name, rule) == 0)
			return true;
	return false;
}

/* One pass over all rules of all alarms; what is asked decides which name is written. */
static void write_rules(struct family *family, struct kryos_station *station,
                        void (*write)(struct family *family, const struct label *labels,
                                      const struct kryos_monitor_alarm *open))
{
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kri_station_rules rules;

	for (const struct kri_section *section = station->file->sections; section; section = section->next) {
		const char *channel = section->entries[KRI_ALARM_CHANNEL].text;

		if (section->kind != KRI_SECTION_ALARM)
			continue;
		for (unsigned int i = kri_station_rules(station->file, channel, section, &rules); i < rules.count;
		     i++) {
			const struct kryos_rule *rule = &rules.rules[i];
			bool open = find_open(station, channel, rule->name, &alarm);

			write(family,
			      LABELS({ "channel", channel }, { "rule", rule->name },
			             { "kind", kryos_rule_kind_name(rule->kind) }),
			      open ? &alarm : NULL);
		}
	}
}

static void write_open(struct family *family, const struct label *labels, const struct kryos_monitor_alarm *open)
{
	add_int(family, labels, open != NULL);
}

static void write_duration(struct family *family, const struct label *labels, const struct kryos_monitor_alarm *open)
{
	add_seconds(family, labels, open ? open->episode.duration_ns : 0);
}

static void write_unseen(struct family *family, const struct label *labels, const struct kryos_monitor_alarm *open)
{
	add_int(family, labels, open && !open->acknowledged);
}

static void write_alarms(FILE *stream, struct kryos_station *station)
{
	FAMILY(open, "alarm_open", "gauge", "1 while an episode is open by that rule.");
	FAMILY(duration, "alarm_episode_seconds", "gauge", "How long the open episode has lasted; 0: none is open.");
	FAMILY(unseen, "alarm_open_unacknowledged", "gauge", "1 while one is open that nobody has acknowledged.");
	FAMILY(ended, "alarms_ended_unacknowledged", "gauge",
	       "Episodes that are over and that nobody has acknowledged, with those that are in the events only.");
	FAMILY(retired, "channel_retired", "gauge", "1 while a watched channel is retired: it raises no alarms.");
	FAMILY(test, "alarm_test_timestamp_seconds", "gauge", "When the alarms were tested last, since 1970.");
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_time when;
	int64_t over = 0;

	if (station->monitor) {
		write_rules(&open, station, write_open);
		write_rules(&duration, station, write_duration);
		write_rules(&unseen, station, write_unseen);
		for (unsigned int i = 0; kryos_monitor_get_alarm(station->monitor, i, &alarm) >= 0; i++)
			over += alarm.episode.ended_by != KRYOS_EPISODE_OPEN && !alarm.acknowledged;
		for (unsigned int i = 0; kryos_monitor_get_channel(station->monitor, i, &channel) >= 0; i++)
			over += channel.older;
		add_int(&ended, NULL, over);
		for (unsigned int i = 0; kryos_monitor_get_channel(station->monitor, i, &channel) >= 0; i++)
			add_int(&retired, LABELS({ "channel", channel.channel }), channel.retired);
	}
	if (kri_station_get_test(station, &when))
		add_seconds(&test, NULL, when.t_wall_ns);
}

static void write_store(FILE *stream, struct kryos_station *station)
{
	FAMILY(samples, "store_samples", "gauge", "Samples that are kept.");
	FAMILY(bytes, "store_bytes", "gauge", "Bytes on the disk.");
	FAMILY(limit, "store_limit_bytes", "gauge", "Bytes that the store may take.");
	FAMILY(accepted, "store_accepted_samples_total", "counter", "Samples that became durable since the start.");
	FAMILY(gaps, "store_gaps", "gauge", "Recorded gaps.");
	FAMILY(waiting, "store_volatile_samples", "gauge", "Samples in memory only, because the disk takes none.");
	FAMILY(newest, "store_last_sample_timestamp_seconds", "gauge", "When the newest kept sample was taken.");
	FAMILY(failing, "store_failing", "gauge", "1 while the store has an error; kryosctl status names it.");
	struct kryos_store_status status = { .size = sizeof(status) };

	if (!station->store || kryos_store_get_status(station->store, &status) < 0)
		return;
	add_int(&samples, NULL, status.samples);
	add_int(&bytes, NULL, status.bytes);
	add_int(&limit, NULL, status.limit_bytes);
	add_int(&accepted, NULL, (int64_t)status.accepted);
	add_int(&gaps, NULL, (int64_t)status.gaps);
	add_int(&waiting, NULL, status.volatile_samples);
	if (status.last_wall_ns)
		add_seconds(&newest, NULL, status.last_wall_ns);
	add_int(&failing, NULL, status.error < 0);
}

static int64_t relay_up(const struct kryos_relay_status *status)
{
	return status->link == KRYOS_LINK_UP;
}

static int64_t relay_owed(const struct kryos_relay_status *status)
{
	return status->owed;
}

static int64_t relay_acked(const struct kryos_relay_status *status)
{
	return (int64_t)status->acked;
}

static int64_t relay_rejected(const struct kryos_relay_status *status)
{
	return (int64_t)status->rejected;
}

static int64_t relay_failures(const struct kryos_relay_status *status)
{
	return (int64_t)status->failures;
}

/* Each number of all relays, then the next. */
static void write_relays(FILE *stream, struct kryos_station *station)
{
	struct {
		struct family family;
		int64_t (*get)(const struct kryos_relay_status *status);
	} numbers[] = {
#define RELAY(name, type, help, get) { { stream, "kryos_relay_" name, type, help, false }, get }
		RELAY("up", "gauge", "1 while the link is up.", relay_up),
		RELAY("owed_records", "gauge", "Records that are still to be delivered.", relay_owed),
		RELAY("acknowledged_records_total", "counter", "Records acknowledged since the start.", relay_acked),
		RELAY("rejected_records_total", "counter", "Records that the receiver refused for ever.",
		      relay_rejected),
		RELAY("failures_total", "counter", "Links that failed since the start.", relay_failures),
	};

	for (size_t i = 0; i < KRI_ARRAY_SIZE(numbers); i++) {
		for (struct kri_station_relay *relay = station->relays; relay; relay = relay->next) {
			struct kryos_relay_status status = { .size = sizeof(status) };

			if (kryos_relay_get_status(relay->relay, &status) >= 0)
				add_int(&numbers[i].family, LABELS({ "relay", relay->name }), numbers[i].get(&status));
		}
	}
}

static void count_problem(void *data, const char *text)
{
	(void)text;
	++*(int64_t *)data;
}

static void write_station(FILE *stream, struct kryos_station *station)
{
	FAMILY(info, "info", "gauge", "1; its labels say which device this is, and its version.");
	FAMILY(uptime, "uptime_seconds", "gauge", "How long the station has been open.");
	FAMILY(trust, "clock_trust", "gauge", "How far the time can be believed: 0 none, 1 floor, 2 rtc, 3 synced.");
	FAMILY(problems, "problems", "gauge", "Problems that kryosctl status names.");
	struct kryos_time now = { 0 };
	const char *name =
		kri_station_text(kri_station_find(station->file, KRI_SECTION_STATION, NULL), KRI_STATION_NAME);
	int64_t count = 0;

	if (kryos_clock_now(station->ctx, &now) < 0)
		now.trust = KRYOS_TRUST_NONE;
	kri_station_each_problem(station, count_problem, &count);
	add_int(&info,
	        LABELS({ "device", station->store ? kri_store_get_device(station->store) : "" },
	               { "station", name ? name : "" }, { "version", kryos_version() }),
	        1);
	add_seconds(&uptime, NULL, kri_boot_ns(station->ctx) - station->opened_boot_ns);
	add_int(&trust, NULL, now.trust);
	add_int(&problems, NULL, count);
}

int kryos_station_metrics(struct kryos_station *station, char **ret_text)
{
	char *text = NULL;
	FILE *stream;
	size_t size;
	int r;

	if (!station || !ret_text)
		return -EINVAL;
	r = kri_ctx_check(station->ctx);
	if (r < 0)
		return r;
	stream = open_memstream(&text, &size);
	if (!stream)
		return -ENOMEM;
	write_station(stream, station);
	write_readings(stream, station);
	write_alarms(stream, station);
	write_store(stream, station);
	write_relays(stream, station);
	if (fclose(stream) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}
