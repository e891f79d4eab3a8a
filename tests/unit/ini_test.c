/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "support.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What the callbacks were told, one a line. */
struct seen {
	FILE *stream;
	char *text;
	size_t size;
	char *folder;
	const char *path;
};

static void see_section(struct kri_ini *ini, void *data, const char *name, const char *label, int line)
{
	struct seen *seen = data;

	fprintf(seen->stream, "%d[%s|%s]\n", line, name, label);
	if (strcmp(name, "wrong") == 0)
		kri_ini_error(ini, line, "[wrong] is refused by its user");
}

static void see_entry(struct kri_ini *ini, void *data, const char *key, const char *value, int line)
{
	struct seen *seen = data;

	fprintf(seen->stream, "%d %s=%s.\n", line, key, value);
	if (strcmp(value, "wrong") == 0)
		kri_ini_error(ini, line, "%s is refused by its user", key);
}

static void see_end(struct kri_ini *ini, void *data)
{
	struct seen *seen = data;

	fprintf(seen->stream, "end\n");
	fflush(seen->stream);
	if (strstr(seen->text, "[late|]"))
		kri_ini_error(ini, 1, "found at the end");
}

static const struct kri_ini_handler handler = { .section = see_section, .entry = see_entry, .end = see_end };

static int setup(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	seen->folder = scratch_new();
	seen->path = strdup(in(seen->folder, "x.ini"));
	*state = seen;
	return 0;
}

static int teardown(void **state)
{
	struct seen *seen = *state;

	scratch_free(seen->folder);
	free((char *)seen->path);
	free(seen->text);
	free(seen);
	return 0;
}

static int read_bytes(struct seen *seen, const char *bytes, size_t count, char **ret_errors)
{
	FILE *file = fopen(seen->path, "w");
	int r;

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	assert_int_equal(fclose(file), 0);
	free(seen->text);
	seen->text = NULL;
	seen->stream = open_memstream(&seen->text, &seen->size);
	fflush(seen->stream);
	r = kri_ini_read(seen->path, &handler, seen, ret_errors);
	fclose(seen->stream);
	return r;
}

static void assert_sees(struct seen *seen, const char *text, const char *expected)
{
	char *errors = NULL;

	assert_ok(read_bytes(seen, text, strlen(text), &errors));
	assert_null(errors);
	assert_string_equal(seen->text, expected);
}

/* The whole text of the errors, without the path, must be expected. */
static void assert_refuses_bytes(struct seen *seen, const char *text, size_t count, const char *expected)
{
	char *errors = NULL, *plain, *from, *to;
	size_t prefix = strlen(seen->path);

	assert_fails(KRYOS_ECONFIG, read_bytes(seen, text, count, &errors));
	assert_non_null(errors);
	plain = to = strdup(errors);
	for (from = errors; *from;) {
		if (strncmp(from, seen->path, prefix) == 0 && from[prefix] == ':')
			from += prefix;
		*to++ = *from++;
	}
	*to = 0;
	assert_string_equal(plain, expected);
	free(plain);
	free(errors);
}

static void assert_refuses(struct seen *seen, const char *text, const char *expected)
{
	assert_refuses_bytes(seen, text, strlen(text), expected);
}

static void sections_and_entries_come_with_their_lines(void **state)
{
	assert_sees(*state,
	            "# a comment\n"
	            "; another\n"
	            "\n"
	            "[station]\n"
	            "name     = Vaccine fridge #1, \xe2\x80\x9cMawlai\xe2\x80\x9d; ward 3\n"
	            "  # an indented comment\n"
	            "[ sensor \t fridge ]   \r\n"
	            "every=1min\t\r\n"
	            "empty =\n"
	            "url = mqtts://a:b=c\n"
	            "[nothing]\n"
	            "last = no newline",
	            "4[station|]\n"
	            "5 name=Vaccine fridge #1, \xe2\x80\x9cMawlai\xe2\x80\x9d; ward 3.\n"
	            "7[sensor|fridge]\n"
	            "8 every=1min.\n"
	            "9 empty=.\n"
	            "10 url=mqtts://a:b=c.\n"
	            "11[nothing|]\n"
	            "12 last=no newline.\n"
	            "end\n");
}

static void a_section_without_entries_is_seen(void **state)
{
	assert_sees(*state, "[staiton]\n[store]\n", "1[staiton|]\n2[store|]\nend\n");
	assert_sees(*state, "", "end\n");
	assert_sees(*state, "\xef\xbb\xbf[a]\n", "1[a|]\nend\n");
}

static void an_indented_line_is_not_joined_to_the_one_above(void **state)
{
	struct seen *seen = *state;

	assert_refuses(seen, "[a]\nx = 1\n  y = 2\n\t[b]\nz = 3\n",
	               ":3: the line is indented; entries and headers must begin in the first column\n"
	               ":4: the line is indented; entries and headers must begin in the first column");
	assert_string_equal(seen->text, "1[a|]\n2 x=1.\n4[b|]\n5 z=3.\nend\n");
}

static void a_colon_is_no_equals_sign(void **state)
{
	struct seen *seen = *state;

	assert_refuses(seen, "[a]\nurl: mqtts://x\nurl : a=b\nalone\n= 1\na b = 1\n",
	               ":2: \"url: mqtts://x\" is no entry; key = value is allowed, with \"=\" and not \":\"\n"
	               ":3: \"url : a=b\" is no entry; key = value is allowed, with \"=\" and not \":\"\n"
	               ":4: \"alone\" is no entry; key = value is allowed\n"
	               ":5: \"= 1\" is no entry; key = value is allowed\n"
	               ":6: \"a b = 1\" is no entry; key = value is allowed");
	assert_string_equal(seen->text, "1[a|]\nend\n");
}

static void a_comment_behind_a_value_is_refused_not_cut(void **state)
{
	assert_refuses(
		*state, "[a]\nx = 1 ; one\ny =;\nz = ok;ok\n[b] ; two\n[c\n",
		":2: \";\" behind a blank is not allowed; a comment needs a line of its own\n"
		":3: \";\" behind a blank is not allowed; a comment needs a line of its own\n"
		":5: a section header must end in \"]\" with nothing behind it, as in [store] or [sensor fridge]\n"
		":6: a section header must end in \"]\" with nothing behind it, as in [store] or [sensor fridge]");
}

static void a_header_with_a_mistake_is_what_it_can_be_read_as(void **state)
{
	struct seen *seen = *state;

	assert_refuses(
		seen,
		"[store\nkeep = 400\n[sensor a] ; lid\nx = 1\n[relay a b]\n [clock]\nrtc = 2\n[\xff]\nz = "
		"3\n[clock]\n",
		":1: a section header must end in \"]\" with nothing behind it, as in [store] or [sensor fridge]\n"
		":3: a section header must end in \"]\" with nothing behind it, as in [store] or [sensor fridge]\n"
		":5: a section header holds one name and at most one label of up to 49 bytes, as in [sensor "
		"fridge]\n"
		":6: the line is indented; entries and headers must begin in the first column\n"
		":8: byte 2 of the line (0xff) is no UTF-8; only UTF-8 is allowed");
	assert_string_equal(seen->text, "1[store|]\n2 keep=400.\n3[sensor|a]\n4 x=1.\n5[relay|a]\n6[clock|]\n"
	                                "7 rtc=2.\n8[|]\n9 z=3.\n10[clock|]\nend\n");
}

static void text_outside_sections_is_refused(void **state)
{
	assert_refuses(*state, "every = 1min\n[a]\n",
	               ":1: \"every\" stands in no section; a header such as [station] must come first");
}

static void headers_hold_a_name_and_at_most_one_label(void **state)
{
	assert_refuses(
		*state, "[]\n[ ]\n[a b c]\n[a abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz]\n",
		":1: a section header holds one name and at most one label of up to 49 bytes, as in [sensor fridge]\n"
		":2: a section header holds one name and at most one label of up to 49 bytes, as in [sensor fridge]\n"
		":3: a section header holds one name and at most one label of up to 49 bytes, as in [sensor fridge]\n"
		":4: a section header holds one name and at most one label of up to 49 bytes, as in [sensor fridge]");
}

static void long_lines_and_names_are_refused_not_cut(void **state)
{
	struct seen *seen = *state;
	char text[600], value[200];

	memset(value, 'v', sizeof(value));
	value[193] = 0; /* with "x = ": 197 */
	snprintf(text, sizeof(text), "[a]\nx = %s\ny = %sv\n", value, value);
	assert_refuses(seen, text, ":3: the line has 198 bytes; at most 197 are allowed");
	assert_non_null(strstr(seen->text, value));

	memset(value, 'k', 50);
	value[50] = 0;
	snprintf(text, sizeof(text), "[a]\n%s = 1\n%s = 2\n", value, value + 1);
	assert_refuses(
		seen, text,
		":2: \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...\" is too long a name; at most 49 bytes "
		"are allowed");
	snprintf(text, sizeof(text), "3 %s=2.", value + 1);
	assert_non_null(strstr(seen->text, text));
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	static const char text[] = "[a]\nx = \xff\ny = a\0b\nz = \x1b[0m\n#\xc3(\nw = 1\rv = 2\n";

	assert_refuses_bytes(*state, text, sizeof(text) - 1,
	                     ":2: byte 5 of the line (0xff) is no UTF-8; only UTF-8 is allowed\n"
	                     ":3: byte 6 of the line is a control character (0x00); only text is allowed\n"
	                     ":4: byte 5 of the line is a control character (0x1b); only text is allowed\n"
	                     ":5: byte 2 of the line (0xc3) is no UTF-8; only UTF-8 is allowed\n"
	                     ":6: byte 6 of the line is a control character (0x0d); only text is allowed");
}

static void all_errors_come_out_in_the_order_of_their_lines(void **state)
{
	struct seen *seen = *state;

	assert_refuses(seen, "[late]\n[wrong]\nx = wrong\ny\nz = wrong\n",
	               ":1: found at the end\n"
	               ":2: [wrong] is refused by its user\n"
	               ":3: x is refused by its user\n"
	               ":4: \"y\" is no entry; key = value is allowed\n"
	               ":5: z is refused by its user");
}

static void ten_thousand_mistakes_are_counted_not_printed(void **state)
{
	struct seen *seen = *state;
	char *text = malloc(20001), *errors = NULL;
	size_t lines = 0;

	for (int i = 0; i < 10000; i++)
		memcpy(text + 2 * i, "x\n", 2);
	assert_fails(KRYOS_ECONFIG, read_bytes(seen, text, 20000, &errors));
	for (char *at = errors; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 1000);
	assert_non_null(strstr(errors, ": and 9000 more"));
	free(errors);
	free(text);
}

static void a_file_over_256_kib_is_refused(void **state)
{
	struct seen *seen = *state;
	char *text = malloc(262145), *errors = NULL;

	memset(text, '\n', 262145);
	assert_ok(read_bytes(seen, text, 262144, &errors));
	assert_fails(KRYOS_ECONFIG, read_bytes(seen, text, 262145, &errors));
	assert_non_null(errors);
	assert_non_null(strstr(errors, "longer than 256 KiB"));
	free(errors);
	free(text);
}

static void what_is_no_file_is_named(void **state)
{
	struct seen *seen = *state;
	char *errors = NULL;

	assert_fails(-ENOENT, kri_ini_read(in(seen->folder, "none.ini"), &handler, seen, &errors));
	assert_says(-ENOENT, "none.ini: No such file");
	assert_fails(-EINVAL, kri_ini_read(seen->folder, &handler, seen, &errors));
	assert_says(-EINVAL, "no regular file");
	assert_int_equal(mkfifo(in(seen->folder, "pipe"), 0600), 0);
	assert_fails(-EINVAL, kri_ini_read(in(seen->folder, "pipe"), &handler, seen, &errors));
	assert_null(errors);
}

/* Whatever the bytes: no crash, and either no error or a text that names a line. */
static void random_bytes_never_crash_the_reader(void **state)
{
	static const char alphabet[] = "[]=;:# \t\r\n\nabx1.\"\xc3\xa9\x00";
	uint64_t random = seed_from_environment(7);
	struct seen *seen = *state;

	for (int round = 0; round < 3000; round++) {
		char text[120], *errors = NULL;
		size_t count = next_random(&random) % sizeof(text);
		int r;

		for (size_t i = 0; i < count; i++)
			text[i] = alphabet[next_random(&random) % (sizeof(alphabet) - 1)];
		r = read_bytes(seen, text, count, &errors);
		assert_true(r == 0 || r == KRYOS_ECONFIG);
		assert_true((r == 0) == (errors == NULL));
		assert_true(!errors || !strstr(errors, "could not be read"));
		free(errors);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(sections_and_entries_come_with_their_lines),
		TEST(a_section_without_entries_is_seen),
		TEST(an_indented_line_is_not_joined_to_the_one_above),
		TEST(a_colon_is_no_equals_sign),
		TEST(a_comment_behind_a_value_is_refused_not_cut),
		TEST(a_header_with_a_mistake_is_what_it_can_be_read_as),
		TEST(text_outside_sections_is_refused),
		TEST(headers_hold_a_name_and_at_most_one_label),
		TEST(long_lines_and_names_are_refused_not_cut),
		TEST(bytes_that_are_no_text_are_refused),
		TEST(all_errors_come_out_in_the_order_of_their_lines),
		TEST(ten_thousand_mistakes_are_counted_not_printed),
		TEST(a_file_over_256_kib_is_refused),
		TEST(what_is_no_file_is_named),
		TEST(random_bytes_never_crash_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
