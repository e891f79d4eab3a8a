/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include "json/json.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Prints and frees value; frees the text with the test. */
static void assert_prints(struct kri_json *value, const char *expected)
{
	char *text = kri_json_print(value);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	kri_json_free(value);
}

static struct kri_json *parsed(const char *text)
{
	struct kri_json *value = NULL;

	assert_ok(kri_json_parse(&value, text, strlen(text)));
	assert_non_null(value);
	return value;
}

static void integers_are_written_exactly_to_64_bits(void **state)
{
	struct kri_json *value = kri_json_array();

	(void)state;
	kri_json_add_int(value, NULL, INT64_MAX);
	kri_json_add_int(value, NULL, INT64_MIN);
	kri_json_add_int(value, NULL, INT64_C(9007199254740993));
	assert_prints(value, "[9223372036854775807,-9223372036854775808,9007199254740993]");
}

static void micro_units_are_written_as_exact_decimals(void **state)
{
	struct kri_json *value = kri_json_object();

	(void)state;
	kri_json_add_micro(value, "a", 5250000);
	kri_json_add_micro(value, "b", -62500);
	kri_json_add_micro(value, "c", 0);
	assert_prints(value, "{\"a\":5.25,\"b\":-0.0625,\"c\":0}");
}

static void doubles_read_back_as_the_same_number(void **state)
{
	static const double numbers[] = { 0.1, 1.0 / 3, 1e300, 5e-324, -0.0, 123456789.125 };

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct kri_json *value = kri_json_object(), *again;
		double back = 7;
		char *text;

		kri_json_add_double(value, "x", numbers[i]);
		text = kri_json_print(value);
		assert_non_null(text);
		again = parsed(text);
		assert_true(kri_json_get_double(again, "x", &back));
		assert_true(back == numbers[i]);
		free(text);
		kri_json_free(again);
		kri_json_free(value);
	}
}

static void what_is_no_finite_number_is_null(void **state)
{
	struct kri_json *value = kri_json_array();

	(void)state;
	kri_json_add_double(value, NULL, NAN);
	kri_json_add_double(value, NULL, -INFINITY);
	kri_json_add_string(value, NULL, NULL);
	kri_json_add_time(value, NULL, 0);
	assert_prints(value, "[null,null,null,null]");
}

static void numbers_have_a_point_in_a_locale_with_a_comma(void **state)
{
	static const char *const locales[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "fr_FR" };
	const char *got = NULL;
	struct kri_json *value;

	(void)state;
	for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]) && !got; i++)
		got = setlocale(LC_NUMERIC, locales[i]);
	if (!got) {
		print_message("no locale with a decimal comma is installed\n");
		skip();
	}
	value = kri_json_array();
	kri_json_add_double(value, NULL, -1.5e-7);
	assert_prints(value, "[-1.5e-07]");
	setlocale(LC_NUMERIC, "C");
}

static void times_are_iso_8601(void **state)
{
	struct kri_json *value = kri_json_object();

	(void)state;
	kri_json_add_time(value, "t", INT64_C(1795165920) * 1000000000);
	assert_prints(value, "{\"t\":\"2026-11-20T09:12:00Z\"}");
}

static void bytes_that_are_no_utf8_become_replacement_characters(void **state)
{
	struct kri_json *value = kri_json_array();

	(void)state;
	kri_json_add_string(value, NULL, "a\xffz");
	kri_json_add_string(value, NULL, "\xc3\xa9\xc3");         /* é and half of one */
	kri_json_add_string(value, NULL, "\xed\xa0\x80");         /* a surrogate */
	kri_json_add_string(value, NULL, "\xc0\xaf");             /* over-long */
	kri_json_add_string(value, NULL, "\xf4\x90\x80\x80");     /* above U+10FFFF */
	kri_json_add_string(value, NULL, "\xf0\x9f\xa7\x8a\"\n"); /* an ice cube, and what needs escapes */
	assert_prints(value, "[\"a\xef\xbf\xbdz\","
	                     "\"\xc3\xa9\xef\xbf\xbd\","
	                     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
	                     "\"\xef\xbf\xbd\xef\xbf\xbd\","
	                     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
	                     "\"\xf0\x9f\xa7\x8a\\\"\\n\"]");
}

static void a_failed_part_makes_the_whole_unprintable(void **state)
{
	struct kri_json *value = kri_json_object(), *child = kri_json_array();

	(void)state;
	kri_json_add_int(child, NULL, 1);
	kri_json_add(child, NULL, NULL); /* as if kri_json_object() had found no memory */
	kri_json_add(value, "child", child);
	assert_null(kri_json_print(value));
	assert_null(kri_json_print_pretty(value));
	kri_json_free(value);

	kri_json_add_int(NULL, "lost", 1);
	assert_null(kri_json_print(NULL));
	kri_json_free(NULL);
}

static void pretty_text_ends_in_a_newline(void **state)
{
	struct kri_json *value = kri_json_object();
	char *text;

	(void)state;
	kri_json_add_bool(value, "on", true);
	kri_json_add_raw(value, "raw", "[1,2]");
	text = kri_json_print_pretty(value);
	assert_non_null(text);
	assert_string_equal(text, "{\n\t\"on\":\ttrue,\n\t\"raw\":\t[1,2]\n}\n");
	free(text);
	kri_json_free(value);
}

static void numbers_that_were_added_can_be_got(void **state)
{
	struct kri_json *value = kri_json_object();
	int64_t number = 0;
	double real = 0;

	(void)state;
	kri_json_add_int(value, "owed", 17);
	kri_json_add_int(value, "big", INT64_MAX);
	kri_json_add_micro(value, "value", -62500);
	kri_json_add_raw(value, "list", "[1]");
	assert_true(kri_json_get_int(value, "owed", &number));
	assert_int_equal(number, 17);
	assert_true(kri_json_get_double(value, "value", &real));
	assert_true(real == -0.0625);
	assert_false(kri_json_get_int(value, "big", &number));
	assert_false(kri_json_get_int(value, "value", &number));
	assert_false(kri_json_get_double(value, "list", &real));
	assert_int_equal(number, 17);
	kri_json_free(value);
}

static void getters_refuse_other_types(void **state)
{
	struct kri_json *value =
		parsed("{\"s\":\"x\",\"n\":1.5,\"i\":-7,\"big\":9007199254740994,\"t\":true,\"o\":{},\"inf\":1e999}");
	const char *text = "kept";
	int64_t number = 42;
	double real = 42;
	bool truth = false;

	(void)state;
	assert_true(kri_json_get_string(value, "s", &text));
	assert_string_equal(text, "x");
	assert_false(kri_json_get_string(value, "i", &text));
	assert_false(kri_json_get_string(value, "S", &text));
	assert_false(kri_json_get_int(value, "n", &number));
	assert_false(kri_json_get_int(value, "big", &number));
	assert_false(kri_json_get_int(value, "s", &number));
	assert_int_equal(number, 42);
	assert_true(kri_json_get_int(value, "i", &number));
	assert_int_equal(number, -7);
	assert_true(kri_json_get_double(value, "n", &real));
	assert_true(real == 1.5);
	assert_false(kri_json_get_double(value, "inf", &real));
	assert_true(kri_json_get_bool(value, "t", &truth));
	assert_true(truth);
	assert_false(kri_json_get_bool(value, "i", &truth));
	assert_true(kri_json_is_object(kri_json_get(value, "o")));
	assert_null(kri_json_get(value, "none"));
	assert_null(kri_json_get(NULL, "none"));
	assert_false(kri_json_is_object(kri_json_get(value, "s")));
	kri_json_free(value);
}

static void members_and_elements_come_in_order(void **state)
{
	struct kri_json *value = parsed(" {\"b\":1,\"a\":[10,20]} \r\n"), *text = parsed("\"x\"");
	const char *key = NULL;

	(void)state;
	assert_non_null(kri_json_at(value, 0, &key));
	assert_string_equal(key, "b");
	assert_non_null(kri_json_at(value, 1, &key));
	assert_string_equal(key, "a");
	assert_null(kri_json_at(value, 2, &key));
	assert_string_equal(key, "a");
	assert_non_null(kri_json_at(kri_json_get(value, "a"), 1, NULL));
	assert_null(kri_json_at(kri_json_get(value, "a"), 2, NULL));
	assert_null(kri_json_at(kri_json_get(value, "b"), 0, NULL));
	assert_null(kri_json_text(kri_json_get(value, "b")));
	assert_null(kri_json_text(NULL));
	assert_string_equal(kri_json_text(text), "x");
	kri_json_free(text);
	kri_json_free(value);
}

static void parsing_refuses_what_is_not_json_and_names_the_byte(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "byte 0" },
		{ "   ", "not JSON" },
		{ "{", "not JSON" },
		{ "{\"a\":1}}", "byte 7: something follows" },
		{ "{} {}", "byte 3: something follows" },
		{ "{\"a\":01}", "byte 5: this is no number" },
		{ "[1.]", "byte 1: this is no number" },
		{ "[-]", "byte 1: this is no number" },
		{ "[1e]", "byte 1: this is no number" },
		{ "[+1]", "byte 1: this is not JSON" },
		{ "[NaN]", "byte 1: this is not JSON" },
		{ "[1,]", "this is not JSON" },
		{ "['a']", "byte 1: this is not JSON" },
		{ "\"abc", "byte 0: the string is not closed" },
		{ "\"abc\\", "byte 0: the string is not closed" },
		{ "\"a\nb\"", "byte 2: a control character in a string" },
		{ "\"a\xff\"", "byte 2: this byte is no UTF-8" },
		{ "\"a\\u0000\"", "byte 2: \\u0000" },
		{ "\"\\ud800\"", "this is not JSON" },
		{ "[1\f]", "byte 2: a control character" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kri_json *value = NULL;

		assert_fails(-EINVAL, kri_json_parse(&value, cases[i].text, strlen(cases[i].text)));
		assert_says(-EINVAL, cases[i].says);
		assert_null(value);
	}
}

static void a_key_that_is_given_twice_is_refused(void **state)
{
	static const char *const twice[] = {
		"{\"a\":1,\"a\":1}",
		"{\"b\":{},\"a\":1,\"c\":2,\"a\":{}}",
		"[{},{\"x\":[{\"y\":{\"a\":1,\"b\":2,\"a\":3}}]}]",
		"{\"a\":1,\"\\u0061\":2}",
	};
	struct kri_json *value = NULL;
	char *text, *to;

	(void)state;
	for (size_t i = 0; i < sizeof(twice) / sizeof(twice[0]); i++) {
		assert_fails(-EINVAL, kri_json_parse(&value, twice[i], strlen(twice[i])));
		assert_says(-EINVAL, "JSON: \"a\" is given twice in one object; once is allowed");
		assert_null(value);
	}
	kri_json_free(parsed("{\"a\":{\"a\":{\"A\":1,\"b\":1}},\"b\":[{\"a\":1},{\"a\":1}]}"));
	/* As many keys as fit in a message cost no time worth naming. */
	text = to = malloc(40 * 50000);
	to += sprintf(to, "{");
	for (int i = 0; i < 50000; i++)
		to += sprintf(to, "\"%d\":0,", i);
	sprintf(to, "\"7\":0}");
	assert_fails(-EINVAL, kri_json_parse(&value, text, strlen(text)));
	assert_says(-EINVAL, "\"7\" is given twice");
	free(text);
}

static void parsing_stops_at_the_count_and_refuses_a_nul_inside(void **state)
{
	struct kri_json *value = NULL;

	(void)state;
	assert_ok(kri_json_parse(&value, "123456", 3));
	kri_json_free(value);
	value = NULL;
	assert_fails(-EINVAL, kri_json_parse(&value, "{}\0{}", 5));
	assert_says(-EINVAL, "byte 2: a control character");
	assert_fails(-EINVAL, kri_json_parse(&value, NULL, 0));
	assert_null(value);
}

static void nesting_ends_at_32(void **state)
{
	char text[200];
	struct kri_json *value = NULL;

	(void)state;
	memset(text, '[', 32);
	memset(text + 32, ']', 32);
	assert_ok(kri_json_parse(&value, text, 64));
	kri_json_free(value);
	value = NULL;
	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	assert_fails(-EINVAL, kri_json_parse(&value, text, 66));
	assert_says(-EINVAL, "byte 32: nested deeper than 32");
	/* Brackets in strings and brackets that close again do not count. */
	assert_ok(kri_json_parse(&value, "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\",[],[]]", 55));
	kri_json_free(value);
}

/* Whatever bytes come: an error, or a value that can be printed and read again. */
static void random_bytes_never_crash_the_parser(void **state)
{
	static const char alphabet[] = "{}[]\",:\\u00d8truefalsn0123456789.eE+- \t\n\xc3\xa9\xff\x01";
	uint64_t random = seed_from_environment(20261120);
	unsigned int good = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char text[24];
		size_t count = next_random(&random) % sizeof(text);
		struct kri_json *value = NULL;

		for (size_t i = 0; i < count; i++)
			text[i] = alphabet[next_random(&random) % (sizeof(alphabet) - 1)];
		if (kri_json_parse(&value, text, count) >= 0) {
			char *line = kri_json_print(value);

			good++;
			assert_non_null(line);
			free(line);
			kri_json_free(value);
		} else {
			assert_null(value);
		}
	}
	assert_true(good > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_written_exactly_to_64_bits),
		cmocka_unit_test(micro_units_are_written_as_exact_decimals),
		cmocka_unit_test(doubles_read_back_as_the_same_number),
		cmocka_unit_test(what_is_no_finite_number_is_null),
		cmocka_unit_test(numbers_have_a_point_in_a_locale_with_a_comma),
		cmocka_unit_test(times_are_iso_8601),
		cmocka_unit_test(bytes_that_are_no_utf8_become_replacement_characters),
		cmocka_unit_test(a_failed_part_makes_the_whole_unprintable),
		cmocka_unit_test(pretty_text_ends_in_a_newline),
		cmocka_unit_test(numbers_that_were_added_can_be_got),
		cmocka_unit_test(getters_refuse_other_types),
		cmocka_unit_test(members_and_elements_come_in_order),
		cmocka_unit_test(parsing_refuses_what_is_not_json_and_names_the_byte),
		cmocka_unit_test(a_key_that_is_given_twice_is_refused),
		cmocka_unit_test(parsing_stops_at_the_count_and_refuses_a_nul_inside),
		cmocka_unit_test(nesting_ends_at_32),
		cmocka_unit_test(random_bytes_never_crash_the_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
