/* SPDX-License-Identifier: Apache-2.0 */
/* Short texts that people and messages give: devices, topics, addresses of brokers, values, lists of ranges. */
#include "config/config.h"
#include "fuzz.h"
#include "relay/relay.h"
#include "sensor/sensor.h"
#include "store/private.h"
#include <stdlib.h>
#include <string.h>

static void device(const char *text)
{
	struct kri_device parsed;

	if (kri_device_parse(text, &parsed) < 0)
		return;
	FUZZ_MUST(strcmp(parsed.text, text) == 0);
	FUZZ_MUST(*parsed.driver && *parsed.bus);
	FUZZ_MUST(strlen(parsed.driver) + strlen(parsed.bus) + strlen(parsed.place) + (*parsed.place ? 2 : 1) ==
	          strlen(text));
}

static void topic(const char *text)
{
	char made[KRI_TOPIC_MAX + 1];
	unsigned int slashes = 0;

	if (kri_topic_make(made, "topic", text, "0123456789abcdef0123456789abcdef", "sample") < 0)
		return;
	FUZZ_MUST(strlen(made) <= KRI_TOPIC_MAX && !strpbrk(made, "+#{}") && made[0] != '$');
	for (const char *c = made; *c; c++)
		slashes += *c == '/';
	FUZZ_MUST(slashes <= KRI_TOPIC_SLASHES);
	FUZZ_MUST(kri_topic_check("topic", made) == 0);
}

static void url(const char *text)
{
	struct kri_url parsed;

	if (kri_url_parse(&parsed, "url", text) < 0)
		return;
	FUZZ_MUST(*parsed.scheme && *parsed.host && strlen(parsed.host) < sizeof(parsed.host));
	FUZZ_MUST(strncmp(text, parsed.scheme, strlen(parsed.scheme)) == 0 && strstr(text, parsed.host));
}

static void values(const char *text)
{
	char written[KRYOS_TEXT_MAX];
	int64_t value, again;
	bool truth;

	if (kri_parse_micro(text, &value) >= 0)
		FUZZ_MUST(kri_parse_micro(kryos_value_text(value, written), &again) >= 0 && again == value);
	if (kri_parse_duration(text, &value) >= 0) {
		kri_duration_text(value, written);
		FUZZ_MUST(value >= 0 && kri_parse_duration(written, &again) >= 0 && again == value);
	}
	if (kri_parse_size(text, &value) >= 0) {
		kri_size_text(value, written);
		FUZZ_MUST(value >= 0 && kri_parse_size(written, &again) >= 0 && again == value);
	}
	if (kri_parse_time(text, &value) >= 0)
		FUZZ_MUST(kri_parse_time(kryos_time_text(value, written), &again) >= 0 && again == value);
	if (kri_parse_count(text, -5, 5000, &value) >= 0)
		FUZZ_MUST(value >= -5 && value <= 5000);
	if (kri_parse_percent(text, &value) >= 0)
		FUZZ_MUST(value >= 0 && value <= 100);
	(void)!kri_parse_bool(text, &truth);
}

static void ranges(const char *text)
{
	struct kri_ranges parsed = { 0 }, again = { 0 };
	char *written;

	if (kri_ranges_parse(&parsed, text) >= 0) {
		FUZZ_MUST(parsed.count <= KRI_MAX_RUNS);
		for (int i = 0; i < parsed.count; i++) {
			FUZZ_MUST(parsed.runs[i].first <= parsed.runs[i].last);
			FUZZ_MUST(i == 0 || parsed.runs[i - 1].last < parsed.runs[i].first);
		}
		(void)kri_ranges_count(&parsed, INT64_MAX);
		written = kri_ranges_text(&parsed);
		FUZZ_MUST(written && kri_ranges_parse(&again, written) >= 0 && again.count == parsed.count);
		free(written);
	}
	kri_ranges_clear(&parsed);
	kri_ranges_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_MUST(text);
	memcpy(text, data, size);
	text[size] = 0;
	device(text);
	topic(text);
	url(text);
	values(text);
	ranges(text);
	free(text);
	return 0;
}
