/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "report/report.h"
#include "support.h"
#include <errno.h>
#include <string.h>

static int count_of(const char *text, const char *part)
{
	int count = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		count++;
	return count;
}

static void every_word_is_there_in_every_language_with_the_same_places(void **state)
{
	(void)state;
	for (int word = 0; word < KRI_WORD_COUNT; word++) {
		const char *english = kri_word(KRI_LANGUAGE_EN, (enum kri_word)word);

		for (int language = 0; language < KRI_LANGUAGE_COUNT; language++) {
			const char *text = kri_word((enum kri_language)language, (enum kri_word)word);

			if (!text || !*text)
				fail_msg("\"%s\" has no word in %s", english,
				         kri_language_code((enum kri_language)language));
			for (const char *place = "{1}"; place; place = strcmp(place, "{1}") == 0 ? "{2}" : NULL)
				if (count_of(text, place) != count_of(english, place))
					fail_msg("\"%s\": %s is not where English has it", text, place);
		}
	}
}

static void a_language_that_there_is_not_is_refused_with_those_that_there_are(void **state)
{
	(void)state;
	assert_int_equal(kri_language_find("pt"), KRI_LANGUAGE_PT);
	assert_int_equal(kri_language_find("de"), -EINVAL);
	assert_says(-EINVAL, "\"de\"; en, fr, es and pt are allowed");
}

static void assert_number(enum kri_language language, int64_t micro, int decimals, int64_t threshold,
                          const char *expected)
{
	char text[KRYOS_TEXT_MAX];

	assert_string_equal(kri_number_text(language, micro, decimals, &threshold, 1, text), expected);
}

static void a_number_has_as_many_decimals_as_tell_it_from_the_threshold(void **state)
{
	(void)state;
	assert_number(KRI_LANGUAGE_EN, 8040000, 1, 8000000, "8.04");
	assert_number(KRI_LANGUAGE_EN, 8000001, 1, 8000000, "8.000001");
	assert_number(KRI_LANGUAGE_EN, 8000000, 1, 8000000, "8.0");
	assert_number(KRI_LANGUAGE_EN, 7960000, 1, 8000000, "7.96");
	assert_number(KRI_LANGUAGE_EN, 7940000, 1, 8000000, "7.9");
	assert_number(KRI_LANGUAGE_EN, -460000, 1, -500000, "\u22120.46");
	assert_number(KRI_LANGUAGE_EN, -540000, 1, -500000, "\u22120.54");
	assert_number(KRI_LANGUAGE_EN, -500000, 0, -500000, "\u22120.5");
	assert_number(KRI_LANGUAGE_EN, -40000, 1, 8000000, "0.0");
	assert_number(KRI_LANGUAGE_EN, 12350000, 1, 8000000, "12.4");
	assert_number(KRI_LANGUAGE_EN, 999960000, 1, 8000000, "1000.0");
	assert_number(KRI_LANGUAGE_FR, 8040000, 1, 8000000, "8,04");
	assert_number(KRI_LANGUAGE_ES, -500000, 1, 8000000, "\u22120,5");
	assert_number(KRI_LANGUAGE_PT, 5000000, 0, 8000000, "5");
}

static void whatever_the_value_its_text_stands_to_the_threshold_as_it_does(void **state)
{
	uint64_t seed = seed_from_environment(20261120), random = seed;
	char text[KRYOS_TEXT_MAX], plain[KRYOS_TEXT_MAX];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t threshold = (int64_t)(next_random(&random) % 400) * 100000 - 20000000;
		int64_t micro = threshold + (int64_t)(next_random(&random) % 400001) - 200000, said = 0;
		const char *from = kri_number_text(KRI_LANGUAGE_EN, micro, 1, &threshold, 1, text);
		bool negative = strncmp(from, "\u2212", 3) == 0;

		snprintf(plain, sizeof(plain), "%s%s", negative ? "-" : "", negative ? from + 3 : from);
		assert_ok(kri_parse_micro(plain, &said));
		if ((said > threshold) - (said < threshold) != (micro > threshold) - (micro < threshold))
			fail_msg("%lld is written %s, threshold %lld; seed %llu", (long long)micro, text,
			         (long long)threshold, (unsigned long long)seed);
	}
}

static void assert_span(enum kri_language language, int64_t ns, const char *expected)
{
	char text[KRYOS_TEXT_MAX];

	assert_string_equal(kri_span_text(language, ns, text), expected);
}

static void a_duration_is_written_to_the_minute_from_an_hour_on(void **state)
{
	(void)state;
	assert_span(KRI_LANGUAGE_EN, 0, "0");
	assert_span(KRI_LANGUAGE_EN, KRYOS_SECONDS(59), "59 s");
	assert_span(KRI_LANGUAGE_EN, KRYOS_SECONDS(299), "4 min 59 s");
	assert_span(KRI_LANGUAGE_EN, KRYOS_MINUTES(60), "1 h");
	assert_span(KRI_LANGUAGE_EN, KRYOS_MINUTES(605), "10 h 05 min");
	assert_span(KRI_LANGUAGE_EN, KRYOS_DAYS(1) + KRYOS_MINUTES(15), "1 d 0 h 15 min");
	assert_span(KRI_LANGUAGE_FR, KRYOS_DAYS(40), "40 j");
	assert_span(KRI_LANGUAGE_FR, KRYOS_DAYS(40) + KRYOS_HOURS(3), "40 j 3 h");
}

static void a_place_has_its_word_and_one_of_ones_own_stays_as_it_is(void **state)
{
	(void)state;
	assert_string_equal(kri_place_word(KRI_LANGUAGE_FR, "vaccine"), "vaccins");
	assert_string_equal(kri_place_word(KRI_LANGUAGE_FR, "cold-room-2"), "cold-room-2");
}

static void a_rule_is_said_in_words_with_its_comparator(void **state)
{
	const struct kryos_rule *who = kryos_profile_rule("who-refrigerator", 0),
				*freeze = kryos_profile_rule("who-refrigerator", 1),
				*sum = kryos_profile_rule("who-shipping-1", 2);
	struct kryos_rule window = *sum;
	char text[256];

	(void)state;
	assert_string_equal(kri_rule_words(KRI_LANGUAGE_EN, who, "Cel", text, sizeof(text)), "above 8 °C for 10 h");
	assert_string_equal(kri_rule_words(KRI_LANGUAGE_PT, freeze, "Cel", text, sizeof(text)),
	                    "a \u22120,5 °C ou menos durante 1 h");
	assert_string_equal(kri_rule_words(KRI_LANGUAGE_EN, sum, "Cel", text, sizeof(text)),
	                    "at or above 30 °C for 10 h in all");
	window.window_ns = KRYOS_DAYS(30);
	assert_string_equal(kri_rule_words(KRI_LANGUAGE_EN, &window, "Cel", text, sizeof(text)),
	                    "at or above 30 °C for 10 h in all, within 30 d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_is_there_in_every_language_with_the_same_places),
		cmocka_unit_test(a_language_that_there_is_not_is_refused_with_those_that_there_are),
		cmocka_unit_test(a_number_has_as_many_decimals_as_tell_it_from_the_threshold),
		cmocka_unit_test(whatever_the_value_its_text_stands_to_the_threshold_as_it_does),
		cmocka_unit_test(a_duration_is_written_to_the_minute_from_an_hour_on),
		cmocka_unit_test(a_place_has_its_word_and_one_of_ones_own_stays_as_it_is),
		cmocka_unit_test(a_rule_is_said_in_words_with_its_comparator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
