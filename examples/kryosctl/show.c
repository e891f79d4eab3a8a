/* SPDX-License-Identifier: Apache-2.0 */
/* How values, readings and records are printed. */
#include "core/core.h"
#include "kryosctl.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void print_text(FILE *stream, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, stream);
}

void print_json(const struct kri_json *value)
{
	char *text = kri_json_print(value);

	if (text)
		puts(text);
	free(text);
}

const char *text_of(const struct kri_json *object, const char *key)
{
	const char *text = "";

	return kri_json_get_string(object, key, &text) ? text : "";
}

/* RFC 3339 of ours: the fraction, if any, stands before the Z. */
const char *seconds_of(const struct kri_json *object, const char *key, char *buffer)
{
	const char *text = text_of(object, key);

	snprintf(buffer, KRYOS_TEXT_MAX, "%.*s%s", (int)strcspn(text, "."), text, strchr(text, '.') ? "Z" : "");
	return buffer;
}

int64_t number_of(const struct kri_json *object, const char *key)
{
	int64_t number = 0;

	return kri_json_get_int(object, key, &number) ? number : 0;
}

const char *decimal_of(const struct kri_json *object, const char *key, char *buffer)
{
	double number;
	int64_t micro;

	if (!kri_json_get_double(object, key, &number) || kryos_micro_from_double(number, &micro) < 0)
		return "-";
	return kryos_value_text(micro, buffer);
}

const char *age_text(double seconds, char *buffer)
{
	if (seconds < 120)
		snprintf(buffer, KRYOS_TEXT_MAX, "%.0f s", seconds);
	else if (seconds < 7200)
		snprintf(buffer, KRYOS_TEXT_MAX, "%.0f min", seconds / 60);
	else if (seconds < 172800)
		snprintf(buffer, KRYOS_TEXT_MAX, "%.0f h", seconds / 3600);
	else
		snprintf(buffer, KRYOS_TEXT_MAX, "%.0f d", seconds / 86400);
	return buffer;
}

void print_readings(const struct kri_json *readings)
{
	char value[KRYOS_TEXT_MAX], age[KRYOS_TEXT_MAX];
	const struct kri_json *reading;
	double seconds = 0;

	for (unsigned int i = 0; (reading = kri_json_at(readings, i, NULL)); i++) {
		if (!kri_json_get_double(reading, "age", &seconds))
			seconds = 0;
		printf("  %-28s %10s %-4s %-12s %s ago (%s)\n", text_of(reading, "channel"),
		       decimal_of(reading, "value", value), text_of(reading, "unit"), text_of(reading, "quality"),
		       age_text(seconds, age), text_of(reading, "trust"));
	}
	if (!kri_json_at(readings, 0, NULL))
		printf("  nothing measured yet\n");
}

static struct kri_json *sample_json(const struct kryos_record *record)
{
	struct kri_json *json = kri_json_object();
	char alarm[KRYOS_TEXT_MAX];

	kri_json_add_time(json, "time", record->sample.t_wall_ns);
	kri_json_add_string(json, "channel", record->channel);
	if (kryos_quality_is_measured(record->sample.quality))
		kri_json_add_micro(json, "value", record->sample.value_micro);
	else
		kri_json_add_null(json, "value");
	kri_json_add_string(json, "unit", record->unit);
	kri_json_add_string(json, "quality", kryos_quality_name(record->sample.quality));
	if (record->sample.alarm)
		kri_json_add_string(json, "alarm", kryos_alarm_text(record->sample.alarm, alarm));
	return json;
}

static struct kri_json *event_json(const struct kryos_record *record)
{
	struct kri_json *json = kri_json_object();

	kri_json_add_time(json, "time", record->sample.t_wall_ns);
	kri_json_add_string(json, "event", kryos_event_type_name(record->event->type));
	kri_json_add_string(json, "name", record->event->name);
	kri_json_add_string(json, "text", record->event->text);
	kri_json_add_int(json, "code", record->event->code);
	kri_json_add_int(json, "first_seq", record->event->first_seq);
	kri_json_add_int(json, "last_seq", record->event->last_seq);
	return json;
}

static void print_record_json(const struct kryos_record *record, FILE *stream)
{
	struct kri_json *json = record->event ? event_json(record) : sample_json(record);
	char epoch[17], *text;

	snprintf(epoch, sizeof(epoch), "%016" PRIx64, record->epoch);
	kri_json_add_string(json, "trust", kryos_trust_name(record->sample.trust));
	kri_json_add_int(json, "seq", record->seq);
	if (!record->event) {
		kri_json_add_int(json, "round", record->sample.round);
		kri_json_add_string(json, "place", record->place);
		kri_json_add_string(json, "device", record->device);
		kri_json_add_bool(json, "corrected", record->sample.flags & KRYOS_SAMPLE_CORRECTED);
		kri_json_add_bool(json, "salvaged", record->flags & KRYOS_RECORD_SALVAGED);
	}
	kri_json_add_int(json, "boot", record->sample.boot);
	kri_json_add_int(json, "t_boot_ns", record->sample.t_boot_ns);
	kri_json_add_string(json, "epoch", epoch);
	text = kri_json_print(json);
	if (text)
		fprintf(stream, "%s\n", text);
	free(text);
	kri_json_free(json);
}

void print_record(const struct kryos_record *record, bool json, FILE *stream)
{
	char when[KRYOS_TEXT_MAX], value[KRYOS_TEXT_MAX], alarm[KRYOS_TEXT_MAX];
	const struct kryos_sample *sample = &record->sample;

	if (json) {
		print_record_json(record, stream);
		return;
	}
	fprintf(stream, "%s %s  ", kri_second_text(sample->t_wall_ns, when), kryos_trust_name(sample->trust));
	if (record->event) {
		fprintf(stream, "%s", kryos_event_type_name(record->event->type));
		fputs(*record->event->name ? "  " : "", stream);
		print_text(stream, record->event->name);
		if (record->event->first_seq)
			fprintf(stream, "  %" PRId64 " to %" PRId64, record->event->first_seq,
			        record->event->last_seq ? record->event->last_seq : record->event->first_seq);
		fputs(*record->event->text ? "  " : "", stream);
		print_text(stream, record->event->text);
		fputc('\n', stream);
	} else {
		fprintf(stream, "%s  ", record->channel);
		if (kryos_quality_is_measured(sample->quality))
			fprintf(stream, "%s %s  ", kryos_value_text(sample->value_micro, value), record->unit);
		fprintf(stream, "%s%s%s\n", kryos_quality_name(sample->quality), sample->alarm ? "  alarm: " : "",
		        kryos_alarm_text(sample->alarm, alarm));
	}
}

/* "fridge.temperature", or "fridge.*" for all of a sensor. */
static bool matches(const char *wanted, const char *channel)
{
	size_t count = strlen(wanted);

	if (count > 1 && strcmp(wanted + count - 2, ".*") == 0)
		return strncmp(wanted, channel, count - 1) == 0;
	return strcmp(wanted, channel) == 0;
}

bool is_channel_wanted(const struct options *options, const char *channel)
{
	bool wanted = options->channel_count == 0;

	for (unsigned int i = 0; i < options->channel_count && !wanted; i++)
		wanted = matches(options->channels[i], channel);
	return wanted;
}

bool is_wanted(const struct options *options, const struct kryos_record *record)
{
	return (record->event || is_channel_wanted(options, record->channel)) &&
	       record->sample.t_wall_ns >= options->from_ns && record->sample.t_wall_ns < options->to_ns;
}

int complain_of_gaps(struct kryos_reader *reader)
{
	uint64_t damaged = 0;
	uint32_t newer = 0;
	int status = EXIT_SUCCESS;

	if (kryos_reader_get_newer(reader, &newer) >= 0 && newer > 0)
		status = complain("%" PRIu32 " segments of a newer version's format were left out; this is kryosctl %s",
		                  newer, kryos_version());
	if (kryos_reader_get_damaged(reader, &damaged) >= 0 && damaged > 0)
		status = complain("%" PRIu64 " damaged rows or segments were left out; kryosctl verify says where",
		                  damaged);
	return status;
}

int finish(FILE *stream, const char *name)
{
	if (fflush(stream) == EOF || ferror(stream))
		return complain("%s: not everything could be written", name);
	return EXIT_SUCCESS;
}
