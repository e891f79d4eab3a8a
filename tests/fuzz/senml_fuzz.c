/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record to SenML and back: what a receiver reads is what the record said, digit by digit. The parser here is the
 * test's own and knows just as much JSON as a pack of one record needs.
 */
#include "fuzz.h"
#include <kryos/kryos.h>
#include <kryos/sys/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct kryos_codec kri_codec_senml;

struct member {
	char key[24], kind; /* s, n, t, f */
	char text[8192];
};
static struct member members[32];
static int member_count;

static const char *take(const char *at, char mark)
{
	FUZZ_MUST(*at == mark);
	return at + 1;
}

static unsigned int hex4(const char *at)
{
	unsigned int value = 0;

	FUZZ_MUST(strspn(at, "0123456789abcdefABCDEF") >= 4 && sscanf(at, "%4x", &value) == 1);
	return value;
}

static const char *take_string(const char *at, char *to, size_t size)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	char *end = to + size - 1;

	for (at = take(at, '"'); *at != '"'; at++) {
		FUZZ_MUST(to < end && (unsigned char)*at >= 0x20);
		if (*at != '\\') {
			*to++ = *at;
		} else if (*++at == 'u') {
			unsigned int c = hex4(at + 1);

			FUZZ_MUST(c > 0 && c < 0x80); /* all else is written as it is */
			*to++ = (char)c;
			at += 4;
		} else {
			FUZZ_MUST(*at && strchr(from, *at));
			*to++ = into[strchr(from, *at) - from];
		}
	}
	*to = 0;
	return at + 1;
}

static const char *take_member(const char *at)
{
	struct member *member = &members[member_count++];
	size_t count;

	FUZZ_MUST(member_count <= 32);
	at = take(take_string(at, member->key, sizeof(member->key)), ':');
	for (int i = 0; i + 1 < member_count; i++)
		FUZZ_MUST(strcmp(members[i].key, member->key) != 0);
	if (*at == '"') {
		member->kind = 's';
		return take_string(at, member->text, sizeof(member->text));
	}
	member->kind = *at == 't' || *at == 'f' ? *at : 'n';
	count = member->kind == 'n' ? strspn(at, "-0123456789.") : member->kind == 't' ? 4 : 5;
	FUZZ_MUST(count > 0 && count < 40);
	memcpy(member->text, at, count);
	member->text[count] = 0;
	FUZZ_MUST(member->kind == 'n' || strcmp(member->text, member->kind == 't' ? "true" : "false") == 0);
	return at + count;
}

static void parse(const char *text)
{
	const char *at = take(take(text, '['), '{');

	member_count = 0;
	for (at = take_member(at); *at == ','; at = take_member(at + 1))
		;
	at = take(take(at, '}'), ']');
	FUZZ_MUST(!*at);
}

static const struct member *find(const char *key)
{
	for (int i = 0; i < member_count; i++)
		if (strcmp(members[i].key, key) == 0)
			return &members[i];
	return NULL;
}

/* A decimal as a whole number of 10^-digits. */
static __int128 decimal(const char *text, int digits)
{
	bool negative = *text == '-';
	__int128 value = 0;

	text += negative;
	FUZZ_MUST(*text >= '0' && *text <= '9' && (*text != '0' || !text[1] || text[1] == '.'));
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (*text - '0');
	if (*text == '.')
		FUZZ_MUST(text[1]);
	for (text += *text == '.'; *text; text++, digits--) {
		FUZZ_MUST(*text >= '0' && *text <= '9' && digits > 0);
		value = value * 10 + (*text - '0');
	}
	for (; digits > 0; digits--)
		value *= 10;
	return negative ? -value : value;
}

static void is_number(const char *key, int64_t expected, int digits)
{
	const struct member *member = find(key);

	FUZZ_MUST(member && member->kind == 'n' && decimal(member->text, digits) == expected);
}

/* How many bytes a character takes, by table 3-7 of the Unicode standard; 0: it is none. */
static size_t utf8(const unsigned char *c)
{
	if (c[0] < 0x80)
		return 1;
	if (c[0] >= 0xc2 && c[0] <= 0xdf)
		return (c[1] & 0xc0) == 0x80 ? 2 : 0;
	if (c[0] >= 0xe0 && c[0] <= 0xef) {
		if ((c[1] & 0xc0) != 0x80 || (c[2] & 0xc0) != 0x80 || (c[0] == 0xe0 && c[1] < 0xa0) ||
		    (c[0] == 0xed && c[1] > 0x9f))
			return 0;
		return 3;
	}
	if (c[0] < 0xf0 || c[0] > 0xf4 || (c[1] & 0xc0) != 0x80 || (c[2] & 0xc0) != 0x80 || (c[3] & 0xc0) != 0x80)
		return 0;
	return (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f) ? 0 : 4;
}

static void is_text(const char *key, const char *expected)
{
	const struct member *member = find(key);
	const char *got, *at = expected;

	FUZZ_MUST(member && member->kind == 's');
	for (got = member->text; *at;) {
		size_t count = utf8((const unsigned char *)at);

		if (count) {
			FUZZ_MUST(strncmp(got, at, count) == 0);
			got += count;
			at += count;
		} else {
			FUZZ_MUST(strncmp(got, "\xef\xbf\xbd", 3) == 0);
			got += 3;
			at++;
		}
	}
	FUZZ_MUST(!*got);
}

static void is_text_or_none(const char *key, const char *expected)
{
	if (expected && *expected)
		is_text(key, expected);
	else
		FUZZ_MUST(!find(key));
}

static void is_true(const char *key, bool expected)
{
	const struct member *member = find(key);

	FUZZ_MUST(member ? member->kind == (expected ? 't' : 'f') : !expected);
}

static void compare_event(const struct kryos_event *event)
{
	is_text("n", "event");
	is_text("vs", kryos_event_type_name(event->type));
	is_text_or_none("name", event->name);
	is_text_or_none("text", event->text);
	if (event->code)
		is_number("code", event->code, 0);
	if (event->first_seq || event->last_seq) {
		is_number("first", event->first_seq, 0);
		is_number("last", event->last_seq, 0);
	}
	if (event->value_ns)
		is_number("seconds", event->value_ns, 9);
	if (event->sample.seq) {
		is_number("sample", event->sample.seq, 0);
		is_number("value", event->sample.value_micro, 6);
		is_text("quality", kryos_quality_name(event->sample.quality));
	}
}

static void compare_sample(const struct kryos_record *record)
{
	const struct kryos_sample *sample = &record->sample;
	char alarm[KRYOS_TEXT_MAX];

	is_text("n", record->channel);
	is_text("quality", kryos_quality_name(sample->quality));
	is_number("round", sample->round, 0);
	is_text_or_none("place", record->place);
	is_text_or_none("alarm", kryos_alarm_text(sample->alarm, alarm));
	if (sample->quality == KRYOS_QUALITY_GOOD || sample->quality == KRYOS_QUALITY_EXTRAPOLATED) {
		is_number("v", sample->value_micro, 6);
		is_text_or_none("u", record->unit);
		FUZZ_MUST(!find("vs") && !find("raw"));
		return;
	}
	/* What is no measurement must not look like one. */
	FUZZ_MUST(!find("v"));
	is_text("vs", kryos_quality_name(sample->quality));
	if (find("raw"))
		is_number("raw", sample->value_micro, 6);
}

static void compare(const struct kryos_record *record)
{
	const struct member *epoch = find("epoch");
	char base[80];

	snprintf(base, sizeof(base), "kryos:%s:", record->device);
	is_text("bn", base);
	FUZZ_MUST(epoch && strlen(epoch->text) == 16 && strtoull(epoch->text, NULL, 16) == record->epoch);
	is_number("seq", record->seq, 0);
	is_number("boot", record->sample.boot, 0);
	is_text("trust", kryos_trust_name(record->sample.trust));
	is_true("historical", record->flags & KRYOS_RECORD_HISTORICAL);
	is_true("volatile", record->flags & KRYOS_RECORD_VOLATILE);
	is_true("salvaged", record->flags & KRYOS_RECORD_SALVAGED);
	is_number("boottime", record->sample.t_boot_ns, 9);
	if (record->sample.trust == KRYOS_TRUST_NONE || record->sample.t_wall_ns < INT64_C(1000000000) << 28) {
		FUZZ_MUST(!find("t"));
		is_true("undated_", record->flags & KRYOS_RECORD_HISTORICAL);
	} else {
		is_number("t", record->sample.t_wall_ns, 9);
		FUZZ_MUST(!find("undated_"));
	}
	if (record->event)
		compare_event(record->event);
	else
		compare_sample(record);
}

static void encode(const struct kryos_record *record, size_t guess)
{
	char *buffer = malloc(guess ? guess : 1), *whole;
	int count;

	FUZZ_MUST(buffer);
	count = kri_codec_senml.encode(record, buffer, guess);
	free(buffer);
	FUZZ_MUST(count > 0);
	whole = malloc((size_t)count + 1);
	FUZZ_MUST(whole && kri_codec_senml.encode(record, whole, (size_t)count) == count);
	whole[count] = 0;
	FUZZ_MUST(strlen(whole) == (size_t)count);
	parse(whole);
	free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes bytes = { data, size };
	char device[33], channel[64], unit[16], place[32], name[64], text[1001];
	uint8_t kind = fuzz_u8(&bytes), guess = fuzz_u8(&bytes);
	struct kryos_event event = { .size = sizeof(event), .name = name, .text = text };
	struct kryos_record record = { .size = sizeof(record),
		                       .flags = kind & 7,
		                       .device = fuzz_text(&bytes, device, sizeof(device)),
		                       .channel = fuzz_text(&bytes, channel, sizeof(channel)),
		                       .unit = fuzz_text(&bytes, unit, sizeof(unit)),
		                       .place = fuzz_text(&bytes, place, sizeof(place)) };

	record.epoch = fuzz_u64(&bytes);
	record.seq = record.sample.seq = fuzz_number(&bytes);
	record.sample.value_micro = fuzz_number(&bytes);
	record.sample.t_boot_ns = fuzz_number(&bytes);
	record.sample.t_wall_ns = fuzz_number(&bytes);
	record.sample.round = (uint32_t)fuzz_number(&bytes);
	record.sample.boot = (uint32_t)fuzz_number(&bytes);
	record.sample.alarm = kind & 16 ? (uint32_t)fuzz_number(&bytes) : 0;
	record.sample.quality = fuzz_u8(&bytes) % 18;
	record.sample.trust = fuzz_u8(&bytes) % 4;
	if (kind & 8) {
		fuzz_text(&bytes, name, sizeof(name));
		fuzz_text(&bytes, text, sizeof(text));
		event.type = (enum kryos_event_type)(fuzz_u8(&bytes) % 32);
		event.code = (int)fuzz_number(&bytes);
		event.first_seq = fuzz_number(&bytes);
		event.last_seq = fuzz_number(&bytes);
		event.value_ns = fuzz_number(&bytes);
		event.sample.seq = fuzz_number(&bytes);
		event.sample.value_micro = fuzz_number(&bytes);
		event.sample.quality = fuzz_u8(&bytes) % 18;
		record.event = &event;
	}
	encode(&record, guess * 8u);
	compare(&record);
	return 0;
}
