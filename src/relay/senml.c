/* SPDX-License-Identifier: Apache-2.0 */
/* SenML JSON (RFC 8428). The mapping and the reasons for it are docs/api/senml.md. */
#include "../json/json.h"
#include "relay.h"
#include <inttypes.h>
#include <kryos/alarm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8428, 4.5.3: smaller times are relative to now. A wall time below it (1978) is a clock that was never set. */
#define ABSOLUTE_NS (INT64_C(1000000000) << 28)

static void add_seconds(struct kri_json *to, const char *label, int64_t ns)
{
	char text[32];
	uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	int n = snprintf(text, sizeof(text), "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "",
	                 magnitude / UINT64_C(1000000000), magnitude % UINT64_C(1000000000));

	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	text[n] = 0;
	kri_json_add_raw(to, label, text);
}

static void add_time(struct kri_json *to, const struct kryos_record *record)
{
	const struct kryos_sample *sample = &record->sample;
	bool known = sample->trust >= KRYOS_TRUST_FLOOR && sample->t_wall_ns >= ABSOLUTE_NS;

	if (known)
		add_seconds(to, "t", sample->t_wall_ns);
	add_seconds(to, "boottime", sample->t_boot_ns);
	/*
	 * Without t a record means "roughly now" (4.5.3), which is right for a live one and a lie for
	 * an old one: a label with "_" at its end makes a receiver that does not know it refuse (4.4).
	 */
	if (!known && (record->flags & KRYOS_RECORD_HISTORICAL))
		kri_json_add_bool(to, "undated_", true);
}

static void add_identity(struct kri_json *to, const struct kryos_record *record)
{
	char epoch[17];

	snprintf(epoch, sizeof(epoch), "%016" PRIx64, record->epoch);
	kri_json_add_string(to, "epoch", epoch);
	kri_json_add_int(to, "seq", record->seq);
	kri_json_add_int(to, "boot", record->sample.boot);
	kri_json_add_string(to, "trust", kryos_trust_name(record->sample.trust));
	kri_json_add_bool(to, "historical", record->flags & KRYOS_RECORD_HISTORICAL);
	if (record->flags & KRYOS_RECORD_VOLATILE)
		kri_json_add_bool(to, "volatile", true);
	if (record->flags & KRYOS_RECORD_SALVAGED)
		kri_json_add_bool(to, "salvaged", true);
}

/* The qualities with which value_micro is a number that must not be taken for a measurement. */
static bool has_raw_value(unsigned int quality)
{
	switch (quality) {
	case KRYOS_QUALITY_RANGE:
	case KRYOS_QUALITY_POWER_ON:
	case KRYOS_QUALITY_STUCK:
	case KRYOS_QUALITY_RATE:
	case KRYOS_QUALITY_DISAGREES:
		return true;
	default:
		return false;
	}
}

static void add_sample(struct kri_json *to, const struct kryos_record *record)
{
	const struct kryos_sample *sample = &record->sample;
	const char *quality = kryos_quality_name(sample->quality);
	char alarm[KRYOS_TEXT_MAX];

	kri_json_add_string(to, "n", record->channel);
	if (kryos_quality_is_measured(sample->quality)) {
		if (record->unit && *record->unit)
			kri_json_add_string(to, "u", record->unit);
		kri_json_add_micro(to, "v", sample->value_micro);
	} else {
		kri_json_add_string(to, "vs", quality);
		if (has_raw_value(sample->quality))
			kri_json_add_micro(to, "raw", sample->value_micro);
	}
	add_time(to, record);
	add_identity(to, record);
	kri_json_add_int(to, "round", sample->round);
	kri_json_add_string(to, "quality", quality);
	if (sample->alarm)
		kri_json_add_string(to, "alarm", kryos_alarm_text(sample->alarm, alarm));
	if (record->place && *record->place)
		kri_json_add_string(to, "place", record->place);
}

static void add_event(struct kri_json *to, const struct kryos_record *record)
{
	const struct kryos_event *event = record->event;

	kri_json_add_string(to, "n", "event");
	kri_json_add_string(to, "vs", kryos_event_type_name(event->type));
	add_time(to, record);
	add_identity(to, record);
	if (event->name && *event->name)
		kri_json_add_string(to, "name", event->name);
	if (event->text && *event->text)
		kri_json_add_string(to, "text", event->text);
	if (event->code || event->type == KRYOS_EVENT_STATE)
		kri_json_add_int(to, "code", event->code);
	if (event->first_seq || event->last_seq) {
		kri_json_add_int(to, "first", event->first_seq);
		kri_json_add_int(to, "last", event->last_seq);
	}
	/* Nanoseconds since 1970 do not fit the 53 bits that a JSON number keeps with every receiver. */
	if (event->value_ns)
		add_seconds(to, "seconds", event->value_ns);
	if (event->sample.seq) {
		kri_json_add_int(to, "sample", event->sample.seq);
		kri_json_add_string(to, "quality", kryos_quality_name(event->sample.quality));
		kri_json_add_micro(to, "value", event->sample.value_micro);
	}
}

static int senml_encode(const struct kryos_record *record, char *buffer, size_t capacity)
{
	struct kri_json *pack = kri_json_array(), *entry = kri_json_object();
	char base[80], *text;
	size_t count;

	snprintf(base, sizeof(base), "kryos:%s:", record->device);
	kri_json_add_string(entry, "bn", base);
	if (record->event)
		add_event(entry, record);
	else
		add_sample(entry, record);
	kri_json_add(pack, NULL, entry);
	text = kri_json_print(pack);
	kri_json_free(pack);
	if (!text)
		return kryos_fail(-ENOMEM, "senml: out of memory");
	count = strlen(text);
	if (count <= capacity)
		memcpy(buffer, text, count);
	free(text);
	return (int)count;
}

const struct kryos_codec kri_codec_senml = {
	.size = sizeof(struct kryos_codec),
	.name = "senml",
	.content_type = "application/senml+json",
	.needs_wall_time = 0,
	.encode = senml_encode,
};
