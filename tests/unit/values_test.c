/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

struct number_case {
	const char *text;
	int64_t number;
};

static void check_good(int (*parse)(const char *, int64_t *), const struct number_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int64_t number = -1;

		assert_ok(parse(cases[i].text, &number));
		if (number != cases[i].number)
			fail_msg("%s: %lld, not %lld", cases[i].text, (long long)number, (long long)cases[i].number);
	}
}

static void check_bad(int (*parse)(const char *, int64_t *), const char *const *cases, const char *allowed)
{
	for (; *cases; cases++) {
		int64_t number = 77;
		int r = parse(*cases, &number);

		if (r != -EINVAL)
			fail_msg("\"%s\": %d (%lld)", *cases, r, (long long)number);
		assert_says(-EINVAL, *cases);
		assert_says(-EINVAL, allowed);
		assert_int_equal(number, 77);
	}
}

static void durations_need_a_whole_number_and_a_unit(void **state)
{
	static const struct number_case good[] = {
		{ "500ms", INT64_C(500000000) },
		{ "10s", INT64_C(10000000000) },
		{ "15min", INT64_C(900000000000) },
		{ "10h", INT64_C(36000000000000) },
		{ "400d", INT64_C(34560000000000000) },
		{ "0s", 0 },
		{ "106751d", INT64_C(9223286400000000000) },
	};
	static const char *const bad[] = { "60",
		                           "",
		                           "s",
		                           "-1s",
		                           "+1s",
		                           "1.5h",
		                           "1 s",
		                           "1S",
		                           "1m",
		                           "1minute",
		                           "0x10s",
		                           "106752d",
		                           " 10s",
		                           "10s ",
		                           "10s10s",
		                           "1\xc2\xb5s",
		                           "9223372036854775808ms",
		                           NULL };

	(void)state;
	check_good(kri_parse_duration, good, KRI_ARRAY_SIZE(good));
	check_bad(kri_parse_duration, bad, "15min");
}

static void sizes_know_decimal_and_binary_units(void **state)
{
	static const struct number_case good[] = {
		{ "4096B", 4096 },
		{ "1kB", 1000 },
		{ "1KB", 1000 },
		{ "1KiB", 1024 },
		{ "512MB", 512000000 },
		{ "16MiB", 16777216 },
		{ "2GB", INT64_C(2000000000) },
		{ "1GiB", INT64_C(1073741824) },
		{ "1TB", INT64_C(1000000000000) },
	};
	static const char *const bad[] = { "512",           "2gb", "2G", "-1B", "1.5GB", "9223372036854775808B",
		                           "10000000000TB", NULL };

	(void)state;
	check_good(kri_parse_size, good, KRI_ARRAY_SIZE(good));
	check_bad(kri_parse_size, bad, "512MB");
}

static void decimals_become_micro_units_without_rounding(void **state)
{
	static const struct number_case good[] = {
		{ "8", 8000000 },
		{ "+8.0", 8000000 },
		{ "-0.5", -500000 },
		{ "0.000001", 1 },
		{ "-0.000001", -1 },
		{ "21.125", 21125000 },
		{ "9223372036854.775807", INT64_MAX },
		{ "-9223372036854.775808", INT64_MIN },
	};
	static const char *const bad[] = { "",
		                           "-",
		                           "1.",
		                           ".5",
		                           "1e3",
		                           "0.0000001",
		                           "1,5",
		                           "0x1",
		                           "1 ",
		                           "--1",
		                           "9223372036854.775808",
		                           "nan",
		                           "9223372036854775807",
		                           NULL };

	(void)state;
	check_good(kri_parse_micro, good, KRI_ARRAY_SIZE(good));
	check_bad(kri_parse_micro, bad, "six decimals");
}

static void counts_stay_in_their_range(void **state)
{
	int64_t number = 77;

	(void)state;
	assert_ok(kri_parse_count("16", 1, 100, &number));
	assert_int_equal(number, 16);
	assert_ok(kri_parse_count("1", 1, 100, &number));
	assert_ok(kri_parse_count("100", 1, 100, &number));
	assert_fails(-EINVAL, kri_parse_count("0", 1, 100, &number));
	assert_fails(-EINVAL, kri_parse_count("101", 1, 100, &number));
	assert_says(-EINVAL, "\"101\" is not allowed: a whole number from 1 to 100 is");
	assert_fails(-EINVAL, kri_parse_count("-5", -10, 100, &number));
	assert_fails(-EINVAL, kri_parse_count("5x", 1, 100, &number));
	assert_fails(-EINVAL, kri_parse_count("18446744073709551617", 1, 100, &number));
	assert_int_equal(number, 100);
}

static void percentages_carry_their_sign(void **state)
{
	static const struct number_case good[] = { { "0%", 0 }, { "20%", 20 }, { "100%", 100 } };
	static const char *const bad[] = { "20", "101%", "-1%", "2.5%", "%", "20%%", NULL };

	(void)state;
	check_good(kri_parse_percent, good, KRI_ARRAY_SIZE(good));
	check_bad(kri_parse_percent, bad, "0% to 100%");
}

static void truth_is_yes_or_no(void **state)
{
	bool truth = false;

	(void)state;
	assert_ok(kri_parse_bool("yes", &truth));
	assert_true(truth);
	assert_fails(-EINVAL, kri_parse_bool("true", &truth));
	assert_true(truth);
	assert_says(-EINVAL, "yes or no");
	assert_ok(kri_parse_bool("no", &truth));
	assert_false(truth);
}

static void times_are_utc_or_seconds(void **state)
{
	static const struct number_case good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-20T09:12:00Z", INT64_C(1795165920000000000) },
		{ "2026-11-20T09:12:00.25Z", INT64_C(1795165920250000000) },
		{ "2024-02-29T23:59:59.999999999Z", INT64_C(1709251199999999999) },
		{ "2000-02-29T00:00:00Z", INT64_C(951782400000000000) },
		{ "2100-03-01T00:00:00Z", INT64_C(4107542400000000000) },
		{ "2262-04-11T23:47:16.854775807Z", INT64_MAX },
		{ "1795165920", INT64_C(1795165920000000000) },
		{ "0.5", 500000000 },
	};
	static const char *const bad[] = { "2026-11-20",
		                           "2026-11-20T09:12:00",
		                           "2026-11-20 09:12:00Z",
		                           "2026-11-20T09:12:00+05:30",
		                           "2026-02-29T00:00:00Z",
		                           "2100-02-29T00:00:00Z",
		                           "2026-13-01T00:00:00Z",
		                           "2026-00-01T00:00:00Z",
		                           "2026-04-31T00:00:00Z",
		                           "2026-01-01T24:00:00Z",
		                           "2026-01-01T00:60:00Z",
		                           "1969-12-31T23:59:59Z",
		                           "2262-04-11T23:47:17Z",
		                           "2026-11-20T09:12:00.Z",
		                           "2026-11-20T09:12:00.1234567891Z",
		                           "-1",
		                           "9223372037",
		                           "now",
		                           "",
		                           NULL };

	(void)state;
	check_good(kri_parse_time, good, KRI_ARRAY_SIZE(good));
	check_bad(kri_parse_time, bad, "2026-11-20T09:12:00Z");
}

static void days_are_whole_dates_of_the_calendar(void **state)
{
	static const struct number_case good[] = {
		{ "1970-01-01", 0 },
		{ "2026-03-01", INT64_C(1772323200000000000) },
		{ "2024-02-29", INT64_C(1709164800000000000) },
		{ "2261-12-31", INT64_C(9214560000000000000) },
	};
	static const char *const bad[] = { "2026-02-29", "2026-13-01", "2026-1-1",    "2026-03-01T00:00:00Z",
		                           "2262-01-01", "1969-12-31", "2026-03-01 ", "20260301",
		                           "tomorrow",   "",           NULL };

	(void)state;
	check_good(kri_parse_date, good, KRI_ARRAY_SIZE(good));
	check_bad(kri_parse_date, bad, "1970 to 2261");
}

/* Both ways over four centuries, against the C library's calendar. */
static void every_day_of_the_calendar_is_read_right(void **state)
{
	char text[KRYOS_TEXT_MAX];

	(void)state;
	for (int64_t day = 0; day < 106000; day++) {
		int64_t expected = (day * 86400 + day % 86400) * INT64_C(1000000000), ns;

		kryos_time_text(expected, text);
		assert_ok(kri_parse_time(text, &ns));
		assert_true(ns == expected);
		text[10] = 0;
		assert_ok(kri_parse_date(text, &ns));
		assert_true(ns == day * KRYOS_DAYS(1));
	}
}

static void texts_use_the_largest_unit_that_divides(void **state)
{
	static const struct {
		int64_t number;
		const char *duration, *size;
	} cases[] = {
		{ 0, "0s", "0B" },
		{ INT64_C(900000000000), "15min", "900GB" },
		{ INT64_C(90000000000), "90s", "90GB" },
		{ INT64_C(34560000000000000), "400d", "34560TB" },
		{ INT64_C(1500000), "1500000ns", "1500kB" },
		{ INT64_C(131072), "131072ns", "128KiB" },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		kri_duration_text(cases[i].number, text);
		assert_string_equal(text, cases[i].duration);
		kri_size_text(cases[i].number, text);
		assert_string_equal(text, cases[i].size);
	}
	kri_duration_text(INT64_MIN, text);
	kri_size_text(INT64_MAX, text);
	assert_string_equal(text, "9223372036854775807B");
}

/* defaults.def says each default twice: as a number and as a station file would. */
static void defaults_say_the_same_in_text_and_number(void **state)
{
	static const struct {
		const char *key, *kind, *text;
		int64_t value, minimum, maximum;
	} all[] = {
#define KRYOS_DEFAULT(section, key, symbol, kind, value, text, minimum, maximum, doc)                                  \
	{ section "." key, #kind, text, value, minimum, maximum },
#include "config/defaults.def"
#undef KRYOS_DEFAULT
	};

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(all); i++) {
		int64_t number = -1;

		if (strcmp(all[i].key, "sensor.record") == 0)
			continue; /* "every" is its own word */
		if (strcmp(all[i].kind, "duration") == 0) {
			assert_ok(kri_parse_duration(all[i].text, &number));
		} else if (strcmp(all[i].kind, "size") == 0) {
			assert_ok(kri_parse_size(all[i].text, &number));
		} else if (strcmp(all[i].kind, "percent") == 0) {
			assert_ok(kri_parse_percent(all[i].text, &number));
		} else if (strcmp(all[i].kind, "rate") == 0) {
			assert_ok(kri_parse_micro(all[i].text, &number));
			number /= 1000;
		} else {
			assert_string_equal(all[i].kind, "count");
			assert_ok(kri_parse_count(all[i].text, 0, INT64_MAX, &number));
		}
		if (number != all[i].value || number < all[i].minimum || number > all[i].maximum)
			fail_msg("%s: \"%s\" is %lld", all[i].key, all[i].text, (long long)number);
	}
}

static void utf8_steps_follow_rfc_3629(void **state)
{
	(void)state;
	assert_int_equal(kri_utf8_step("a", 1), 1);
	assert_int_equal(kri_utf8_step("", 0), 0);
	assert_int_equal(kri_utf8_step("\xc2\xb0", 2), 2);
	assert_int_equal(kri_utf8_step("\xc2\xb0", 1), 0);
	assert_int_equal(kri_utf8_step("\xe2\x82\xac", 3), 3);
	assert_int_equal(kri_utf8_step("\xf4\x8f\xbf\xbf", 4), 4);
	assert_int_equal(kri_utf8_step("\xf4\x90\x80\x80", 4), 0);
	assert_int_equal(kri_utf8_step("\xe0\x9f\xbf", 3), 0);
	assert_int_equal(kri_utf8_step("\xed\xa0\x80", 3), 0);
	assert_int_equal(kri_utf8_step("\xf0\x8f\xbf\xbf", 4), 0);
	assert_int_equal(kri_utf8_step("\xc1\xbf", 2), 0);
	assert_int_equal(kri_utf8_step("\x80", 1), 0);
	assert_int_equal(kri_utf8_step("\xe2\x82(", 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_need_a_whole_number_and_a_unit),
		cmocka_unit_test(sizes_know_decimal_and_binary_units),
		cmocka_unit_test(decimals_become_micro_units_without_rounding),
		cmocka_unit_test(counts_stay_in_their_range),
		cmocka_unit_test(percentages_carry_their_sign),
		cmocka_unit_test(truth_is_yes_or_no),
		cmocka_unit_test(times_are_utc_or_seconds),
		cmocka_unit_test(days_are_whole_dates_of_the_calendar),
		cmocka_unit_test(every_day_of_the_calendar_is_read_right),
		cmocka_unit_test(texts_use_the_largest_unit_that_divides),
		cmocka_unit_test(defaults_say_the_same_in_text_and_number),
		cmocka_unit_test(utf8_steps_follow_rfc_3629),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
