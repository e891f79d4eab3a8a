/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"
#include "support.h"
#include "json/json.h"
#include <kryos/alarm.h>
#include <stdio.h>
#include <string.h>

extern const struct kryos_codec kri_codec_senml;

#define DEVICE "00112233445566778899aabbccddeeff"
#define WALL INT64_C(1795165920123456789)

static struct kryos_record sample_record(void)
{
	return (struct kryos_record){ .size = sizeof(struct kryos_record),
		                      .stream = KRYOS_STREAM_LIVE,
		                      .epoch = UINT64_C(0xfedcba9876543210),
		                      .seq = 42,
		                      .device = DEVICE,
		                      .channel = "fridge.temperature",
		                      .unit = "Cel",
		                      .place = "vaccine",
		                      .sample = { .value_micro = 5250000,
		                                  .t_boot_ns = INT64_C(3600500000000),
		                                  .t_wall_ns = WALL,
		                                  .seq = 42,
		                                  .round = 7,
		                                  .boot = 3,
		                                  .trust = KRYOS_TRUST_RTC } };
}

static const char *encode(const struct kryos_record *record)
{
	static char buffer[4096];
	int n = kri_codec_senml.encode(record, buffer, sizeof(buffer) - 1);

	assert_ok(n);
	assert_true(n < (int)sizeof(buffer));
	buffer[n] = 0;
	return buffer;
}

static void a_sample_is_written_exactly(void **state)
{
	struct kryos_record record = sample_record();

	(void)state;
	assert_string_equal(encode(&record),
	                    "[{\"bn\":\"kryos:" DEVICE ":\",\"n\":\"fridge.temperature\",\"u\":\"Cel\",\"v\":5.25,"
	                    "\"t\":1795165920.123456789,\"boottime\":3600.5,\"epoch\":\"fedcba9876543210\",\"seq\":42,"
	                    "\"boot\":3,\"trust\":\"rtc\",\"historical\":false,\"round\":7,\"quality\":\"good\","
	                    "\"place\":\"vaccine\"}]");
}

static void a_sample_of_an_excursion_names_the_kinds_of_its_alarms(void **state)
{
	struct kryos_record record = sample_record();

	(void)state;
	record.sample.alarm = 1u << KRYOS_RULE_HEAT | 1u << KRYOS_RULE_FREEZE;
	assert_non_null(strstr(encode(&record), "\"quality\":\"good\",\"alarm\":\"heat freeze\",\"place\""));
	record.sample.alarm = 0;
	assert_null(strstr(encode(&record), "alarm"));
}

static void values_of_a_negative_fraction_keep_every_digit(void **state)
{
	struct kryos_record record = sample_record();

	(void)state;
	record.sample.value_micro = -62500;
	assert_non_null(strstr(encode(&record), "\"v\":-0.0625,"));
	record.sample.value_micro = -1;
	assert_non_null(strstr(encode(&record), "\"v\":-0.000001,"));
	record.sample.value_micro = 0;
	assert_non_null(strstr(encode(&record), "\"v\":0,"));
	record.sample.value_micro = INT64_MIN;
	assert_non_null(strstr(encode(&record), "\"v\":-9223372036854.775808,"));
}

static void a_failed_sample_has_a_reason_and_no_value(void **state)
{
	struct kryos_record record = sample_record();
	const char *text;

	(void)state;
	record.sample.quality = KRYOS_QUALITY_OPEN;
	record.sample.value_micro = 0;
	text = encode(&record);
	assert_null(strstr(text, "\"v\":"));
	assert_null(strstr(text, "\"u\":"));
	assert_null(strstr(text, "\"raw\""));
	assert_non_null(strstr(text, "\"vs\":\"open\""));
	assert_non_null(strstr(text, "\"quality\":\"open\""));

	record.sample.quality = KRYOS_QUALITY_POWER_ON;
	record.sample.value_micro = 85000000;
	text = encode(&record);
	assert_null(strstr(text, "\"v\":"));
	assert_non_null(strstr(text, "\"raw\":85,"));

	record.sample.quality = KRYOS_QUALITY_DISAGREES;
	text = encode(&record);
	assert_null(strstr(text, "\"v\":"));
	assert_non_null(strstr(text, "\"raw\":85,"));
}

static void an_extrapolated_value_is_a_value_that_says_so(void **state)
{
	struct kryos_record record = sample_record();
	const char *text;

	(void)state;
	record.sample.quality = KRYOS_QUALITY_EXTRAPOLATED;
	record.sample.value_micro = -2000000;
	text = encode(&record);
	assert_non_null(strstr(text, "\"v\":-2,"));
	assert_non_null(strstr(text, "\"quality\":\"extrapolated\""));
	assert_null(strstr(text, "\"vs\":"));
	assert_null(strstr(text, "\"raw\""));
}

static void an_unknown_time_is_not_invented(void **state)
{
	struct kryos_record record = sample_record();
	const char *text;

	(void)state;
	record.sample.trust = KRYOS_TRUST_NONE;
	text = encode(&record);
	assert_null(strstr(text, "\"t\":"));
	assert_null(strstr(text, "undated_")); /* live: "roughly now" is right */
	assert_non_null(strstr(text, "\"boottime\":3600.5"));
	assert_non_null(strstr(text, "\"trust\":\"none\""));

	record.flags = KRYOS_RECORD_HISTORICAL;
	text = encode(&record);
	assert_null(strstr(text, "\"t\":"));
	assert_non_null(strstr(text, "\"undated_\":true"));

	/* 1970: below 2^28 s RFC 8428 reads a time as relative. */
	record.sample.trust = KRYOS_TRUST_FLOOR;
	record.sample.t_wall_ns = KRYOS_SECONDS(100);
	assert_null(strstr(encode(&record), "\"t\":"));
	record.sample.t_wall_ns = KRYOS_SECONDS(INT64_C(1) << 28);
	assert_non_null(strstr(encode(&record), "\"t\":268435456,"));
}

static void flags_are_labels(void **state)
{
	struct kryos_record record = sample_record();
	const char *text;

	(void)state;
	record.flags = KRYOS_RECORD_HISTORICAL | KRYOS_RECORD_VOLATILE | KRYOS_RECORD_SALVAGED;
	text = encode(&record);
	assert_non_null(strstr(text, "\"historical\":true"));
	assert_non_null(strstr(text, "\"volatile\":true"));
	assert_non_null(strstr(text, "\"salvaged\":true"));
}

static void events_carry_what_their_type_has(void **state)
{
	struct kryos_record record = sample_record();
	struct kryos_event event = { .size = sizeof(event),
		                     .type = KRYOS_EVENT_GAP,
		                     .name = "",
		                     .text = "disk full: \"oldest\" first",
		                     .first_seq = 10,
		                     .last_seq = 19 };
	const char *text;

	(void)state;
	record.stream = KRYOS_STREAM_EVENTS;
	record.channel = record.unit = record.place = "";
	record.event = &event;
	text = encode(&record);
	assert_non_null(strstr(text, "\"n\":\"event\",\"vs\":\"gap\""));
	assert_non_null(strstr(text, "\"first\":10,\"last\":19"));
	assert_non_null(strstr(text, "\"text\":\"disk full: \\\"oldest\\\" first\""));
	assert_null(strstr(text, "\"name\""));
	assert_null(strstr(text, "\"round\""));

	event = (struct kryos_event){ .size = sizeof(event),
		                      .type = KRYOS_EVENT_CORRECTED,
		                      .name = "",
		                      .text = "",
		                      .code = 3,
		                      .value_ns = WALL };
	text = encode(&record);
	assert_non_null(strstr(text, "\"vs\":\"corrected\""));
	assert_non_null(strstr(text, "\"code\":3"));
	assert_non_null(strstr(text, "\"seconds\":1795165920.123456789"));

	event = (struct kryos_event){ .size = sizeof(event),
		                      .type = KRYOS_EVENT_ALARM_ON,
		                      .name = "fridge",
		                      .text = "above 8 for 10 h",
		                      .sample = { .seq = 41, .value_micro = 8100000 } };
	text = encode(&record);
	assert_non_null(strstr(text, "\"name\":\"fridge\""));
	assert_non_null(strstr(text, "\"sample\":41,\"quality\":\"good\",\"value\":8.1"));

	/* A state is told also where it is 0. */
	event = (struct kryos_event){ .size = sizeof(event),
		                      .type = KRYOS_EVENT_STATE,
		                      .name = "lid.open",
		                      .text = "closed after 42.120 s open",
		                      .value_ns = KRYOS_MILLISECONDS(42120) };
	text = encode(&record);
	assert_non_null(strstr(text, "\"vs\":\"state\""));
	assert_non_null(strstr(text, "\"name\":\"lid.open\",\"text\":\"closed after 42.120 s open\",\"code\":0,"
	                             "\"seconds\":42.12"));
}

static void every_output_is_json_a_parser_reads_back(void **state)
{
	struct kryos_record record = sample_record();
	struct kri_json *pack = NULL;
	const struct kri_json *entry;
	const char *text;
	int64_t seq = 0;

	(void)state;
	record.place = "a\"\\\n\x01\xff"; /* quotes, controls, no UTF-8 */
	text = encode(&record);
	assert_ok(kri_json_parse(&pack, text, strlen(text)));
	entry = kri_json_at(pack, 0, NULL);
	assert_non_null(entry);
	assert_null(kri_json_at(pack, 1, NULL));
	assert_true(kri_json_get_int(entry, "seq", &seq));
	assert_int_equal(seq, 42);
	assert_true(kri_json_get_string(entry, "bn", &text));
	assert_string_equal(text, "kryos:" DEVICE ":");
	kri_json_free(pack);
}

static void a_small_buffer_gives_the_length_needed(void **state)
{
	struct kryos_record record = sample_record();
	char small[8] = "1234567";
	int n = kri_codec_senml.encode(&record, small, 7);

	(void)state;
	assert_int_equal(n, strlen(encode(&record)));
	assert_string_equal(small, "1234567");
	assert_int_equal(kri_codec_senml.encode(&record, NULL, 0), n);
}

static void random_records_never_break_the_form(void **state)
{
	uint64_t seed = seed_from_environment(20);

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct kryos_record record = sample_record();
		struct kri_json *pack = NULL;
		const char *text;

		record.sample.value_micro = (int64_t)next_random(&seed);
		record.sample.t_boot_ns = (int64_t)next_random(&seed);
		record.sample.t_wall_ns = (int64_t)next_random(&seed);
		record.sample.quality = (uint16_t)next_random(&seed) % 20;
		record.sample.trust = (uint16_t)next_random(&seed) % 6;
		record.seq = (int64_t)(next_random(&seed) >> 1);
		record.flags = (uint32_t)next_random(&seed);
		text = encode(&record);
		assert_ok(kri_json_parse(&pack, text, strlen(text)));
		kri_json_free(pack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sample_is_written_exactly),
		cmocka_unit_test(a_sample_of_an_excursion_names_the_kinds_of_its_alarms),
		cmocka_unit_test(values_of_a_negative_fraction_keep_every_digit),
		cmocka_unit_test(a_failed_sample_has_a_reason_and_no_value),
		cmocka_unit_test(an_extrapolated_value_is_a_value_that_says_so),
		cmocka_unit_test(an_unknown_time_is_not_invented),
		cmocka_unit_test(flags_are_labels),
		cmocka_unit_test(events_carry_what_their_type_has),
		cmocka_unit_test(every_output_is_json_a_parser_reads_back),
		cmocka_unit_test(a_small_buffer_gives_the_length_needed),
		cmocka_unit_test(random_records_never_break_the_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
