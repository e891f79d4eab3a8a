/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the built kryosctl report over a made-up month, and looks at its files with others' programs where they are.
 */
#include "month_store.h"
#include "program.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char program[PATH_MAX];
static char *folder;
static struct program run_of;

/* What it said on stderr stays until the next run. */
static char *said;

static int run_with(const char *const *arguments)
{
	const char *argv[24] = { program,   "report",           "--config", in(folder, "station.ini"),
		                 "--store", in(folder, "store") };
	size_t count = 6;
	int status;

	for (size_t i = 0; arguments[i]; i++)
		argv[count++] = arguments[i];
	argv[count] = NULL;
	status = program_run(&run_of, folder, ARGV("SOURCE_DATE_EPOCH=1796083200", NULL), argv);
	free(said);
	said = file_text(run_of.err);
	return status;
}

#define RUN(...) run_with((const char *const[]){ __VA_ARGS__, NULL })

static void assert_said(const char *part)
{
	if (!strstr(said, part))
		fail_msg("\"%s\" is not in: %s", part, said);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%.20000s", part, text);
}

static void assert_has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in it", part);
}

static int make(void **state)
{
	(void)state;
	folder = scratch_new();
	month_store_make(in(folder, "store"),
	                 &(struct month){ .days = 30, .channels = 2, .every_ns = KRYOS_MINUTES(5) });
	write_file(in(folder, "station.ini"),
	           "[station]\nname = Clinic <A> & B\ntimezone = UTC\n"
	           "[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\n"
	           "[sensor room]\naddress = ds18b20@w1:28-0316a2795bfe\n"
	           "[alarm fridge]\nchannel = fridge.temperature\nprofile = who-refrigerator\n"
	           "[store]\npath = /var/lib/kryos\n");
	return 0;
}

static int clean(void **state)
{
	(void)state;
	free(said);
	scratch_free(folder);
	return 0;
}

/* Skips, visibly, where the other program is not here. */
static char *output_of(const char *const *argv)
{
	int status = program_run(&run_of, folder, ARGV(NULL), argv);

	if (status == 127) {
		print_message("skipped: %s is not installed\n", argv[1]);
		skip();
	}
	if (status != 0)
		fail_msg("%s gave %d: %s", argv[0], status, file_text(run_of.err));
	return file_text(run_of.out);
}

static void html_has_every_fact_as_text_that_can_be_searched(void **state)
{
	char *html;

	(void)state;
	assert_int_equal(RUN("-o", in(folder, "a.html")), 0);
	assert_string_equal(said, "");
	html = file_text(in(folder, "a.html"));
	assert_has(html, "<html lang=\"en\">");
	assert_has(html, ">Clinic &lt;A&gt; &amp; B<");
	assert_has(html, ">2 excursions are recorded in this period.<");
	assert_has(html, ">Not acknowledged: 1.<");
	assert_has(html, ">1  Heat, fridge.temperature: above 8 °C for 10 h<");
	assert_has(html, ">2  Cold, fridge.temperature: at or below \u22120.5 °C for 1 h<");
	assert_has(html, "2026-11-06 06:00");
	assert_has(html, "by amina: door left ajar &amp; vaccines moved to &lt;B&gt;");
	assert_has(html, "measurement failed: probe wire open");
	assert_has(html, "the device was off or restarted");
	assert_has(html, "out of service: room is painted,");
	assert_has(html, "says nothing about freezing");
	assert_has(html, "certificate ISO 17025 no. 4711/2026, valid until 2027-03-01");
	assert_has(html, ": lamp,buzzer<");
	assert_has(html, ">23 h 20 min<"); /* the door was open */
	assert_has(html, ">Holdover after loss of power<");
	assert_has(html, ">2026-11-12 22:00<");
	assert_has(html, "Local time UTC, UTC+00:00");
	assert_has(html, "NUMBER:HASH");
	/* Nothing is asked of anybody else. */
	assert_has_not(html, "src=");
	assert_has_not(html, "url(http");
	free(html);
}

static void pdf_has_the_same_in_each_language_on_every_page(void **state)
{
	static const struct {
		const char *language, *title, *page, *number;
	} languages[] = {
		{ "en", "Cold chain temperature report", "Page 4 of ", "12.1 °C" },
		{ "fr", "Rapport de température de la chaîne du froid", "Page 4 sur ", "12,1 °C" },
		{ "es", "Informe de temperatura de la cadena de frío", "Página 4 de ", "12,1 °C" },
		{ "pt", "Relatório de temperatura da cadeia de frio", "Página 4 de ", "12,1 °C" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(languages) / sizeof(*languages); i++) {
		char *text;

		assert_int_equal(RUN("--lang", languages[i].language, "-o", in(folder, "a.pdf")), 0);
		text = output_of(ARGV("/usr/bin/env", "pdftotext", "-layout", in(folder, "a.pdf"), "-"));
		assert_has(text, languages[i].title);
		assert_has(text, languages[i].page);
		assert_has(text, languages[i].number);
		free(text);
	}
}

static void svg_is_well_formed_and_so_is_what_stands_in_html(void **state)
{
	(void)state;
	assert_int_equal(RUN("-o", in(folder, "a.svg")), 0);
	free(output_of(ARGV("/usr/bin/env", "xmllint", "--noout", in(folder, "a.svg"))));
	assert_int_equal(RUN("-o", in(folder, "a.html")), 0);
	/* Its messages are about svg, which that program's HTML does not know; names given twice would be another. */
	free(output_of(ARGV("/usr/bin/env", "sh", "-c", "! grep -o ' id=\"[^\"]*\"' \"$0\" | sort | uniq -d | grep .",
	                    in(folder, "a.html"))));
}

static void the_same_store_gives_the_same_bytes(void **state)
{
	static const char *const names[] = { "x.pdf", "x.svg", "x.html" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(RUN("-o", in(folder, names[i])), 0);
		assert_int_equal(rename(in(folder, names[i]), in(folder, "before")), 0);
		assert_int_equal(RUN("-o", in(folder, names[i])), 0);
		free(output_of(ARGV("/usr/bin/env", "cmp", in(folder, "before"), in(folder, names[i]))));
	}
}

static void a_change_of_the_clock_within_the_period_is_said_and_every_time_has_its_offset(void **state)
{
	char *html;

	(void)state;
	assert_int_equal(RUN("--timezone", "CET-1CEST,M11.2.0,M3.5.0/3", "-o", in(folder, "z.html")), 0);
	html = file_text(in(folder, "z.html"));
	assert_has(html, "UTC+01:00, from 2026-11-08 03:00 UTC+02:00");
	assert_has(html, ">2026-11-06 07:00 UTC+01:00<");
	assert_has(html, "2026-11-13 04:00 UTC+02:00");
	free(html);
}

static void a_period_without_data_is_a_page_that_says_so(void **state)
{
	char *html;

	(void)state;
	assert_int_equal(
		RUN("--from", "2020-01-01T00:00:00Z", "--to", "2020-02-01T00:00:00Z", "-o", in(folder, "n.html")), 0);
	html = file_text(in(folder, "n.html"));
	assert_has(html, ">No measurement is stored for this period.<");
	assert_has_not(html, "excursion");
	free(html);
}

static void one_channel_and_a_profile_are_what_was_asked_for(void **state)
{
	char *html;

	(void)state;
	assert_int_equal(
		RUN("-c", "room.temperature", "--profile", "fridge-2-8", "--vvm", "vvm7", "-o", in(folder, "r.html")),
		0);
	html = file_text(in(folder, "r.html"));
	assert_has_not(html, ">fridge.temperature<");
	assert_has(html, ">1  Heat, room.temperature: above 8 °C for 1 h<");
	assert_has(html, "worked out for this report, profile fridge-2-8");
	assert_has(html, ">VVM7 used, estimate<");
	free(html);
}

static void language_and_vial_monitors_are_the_stations_where_no_option_says_otherwise(void **state)
{
	char *html;

	(void)state;
	write_file(in(folder, "fr.ini"),
	           "[station]\nname = A\nlanguage = fr\nvvm = vvm14, vvm30\n"
	           "[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\n[store]\npath = /var/lib/kryos\n");
	assert_int_equal(RUN("--config", in(folder, "fr.ini"), "-o", in(folder, "f.html")), 0);
	html = file_text(in(folder, "f.html"));
	assert_has(html, "<html lang=\"fr\">");
	assert_has(html, ">VVM14 consommé, estimation<");
	assert_has(html, ">VVM30 consommé, estimation<");
	assert_has_not(html, ">VVM7 consommé");
	free(html);
	assert_int_equal(
		RUN("--config", in(folder, "fr.ini"), "--lang", "es", "--vvm", "vvm7", "-o", in(folder, "f.html")), 0);
	html = file_text(in(folder, "f.html"));
	assert_has(html, "<html lang=\"es\">");
	assert_has(html, ">VVM7 gastado, estimación<");
	assert_has_not(html, ">VVM14 ");
	free(html);
}

/* As of a card that was pulled, on a computer that has no station file. */
static void without_a_station_file_zone_and_language_are_what_the_device_noted(void **state)
{
	char *html;

	(void)state;
	if (access("/etc/kryos/station.ini", F_OK) == 0) {
		print_message("skipped: this machine is a station\n");
		skip();
	}
	assert_int_equal(
		program_run(&run_of, folder, ARGV("SOURCE_DATE_EPOCH=1796083200", NULL),
	                    ARGV(program, "report", "--store", in(folder, "store"), "-o", in(folder, "s.html"))),
		0);
	html = file_text(in(folder, "s.html"));
	assert_has(html, "<html lang=\"pt\">");
	assert_has(html, ">Month<");
	assert_has(html, "UTC+05:45");
	assert_has(html, ">2026-11-06 11:45<");
	free(html);
}

static void a_profile_knows_of_an_excursion_that_began_before_the_period(void **state)
{
	char *html;

	(void)state;
	assert_int_equal(RUN("-c", "room.temperature", "--profile", "fridge-2-8", "--from", "2026-11-10T00:00:00Z",
	                     "--to", "2026-11-10T00:30:00Z", "-o", in(folder, "p.html")),
	                 0);
	html = file_text(in(folder, "p.html"));
	assert_has(html, ">Worked out for this report, profile fridge-2-8: 1 more.<");
	assert_has(html, ">2026-11-01 00:00<");
	free(html);
}

static int count_files(void)
{
	DIR *directory = opendir(folder);
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void what_cannot_be_done_is_one_sentence_and_leaves_no_file(void **state)
{
	int files;

	(void)state;
	assert_int_equal(RUN("-o", in(folder, "kept.pdf")), 0);
	files = count_files();
	assert_int_equal(RUN("-o", in(folder, "a.docx")), 2);
	assert_said("ends in none of .pdf, .html and .svg");
	assert_int_equal(RUN("--lang", "de", "-o", in(folder, "b.pdf")), 2);
	assert_said("there is no language \"de\"; en, fr, es and pt are allowed");
	assert_int_equal(RUN("--vvm", "vvm99", "-o", in(folder, "b.pdf")), 2);
	assert_said("vvm2, vvm7, vvm14, vvm30 with commas between are allowed");
	assert_int_equal(RUN("--profile", "who", "-o", in(folder, "b.pdf")), 2);
	assert_said("there is no profile \"who\"");
	assert_int_equal(RUN("--timezone", "Mars/Olympus", "-o", in(folder, "b.pdf")), 1);
	assert_said("there is no time zone \"Mars/Olympus\"");
	assert_int_equal(RUN("--config", in(folder, "none.ini"), "-o", in(folder, "b.pdf")), 1);
	assert_said("none.ini");
	assert_int_equal(RUN("--store", in(folder, "nothing"), "-o", in(folder, "b.pdf")), 1);
	assert_said("nothing");
	assert_int_equal(RUN("-o", in(folder, "no/such/folder.pdf")), 1);
	assert_said("No such file or directory");
	assert_int_equal(RUN("-o", "/dev/full/x.pdf"), 1);
	assert_int_equal(RUN("x.pdf"), 2);
	assert_said("report: there is no argument \"x.pdf\"");
	assert_int_equal(RUN("--json", "-o", in(folder, "b.pdf")), 2);
	assert_int_equal(RUN("-c", "fridge.*", "-c", "frige.temperature", "-o", in(folder, "b.pdf")), 1);
	assert_said("-c frige.temperature: nothing in this period is called that");
	assert_int_equal(count_files(), files);
}

static void a_disk_that_is_full_leaves_the_older_report_as_it_was(void **state)
{
	char *before, *after, command[3 * PATH_MAX];

	(void)state;
	assert_int_equal(RUN("-o", in(folder, "kept.html")), 0);
	before = file_text(in(folder, "kept.html"));
	/* A limit on the size of files is a full disk to who writes. */
	snprintf(command, sizeof(command),
	         "trap '' XFSZ; ulimit -f 20; '%s' report --config '%s/station.ini' --store '%s/store' --lang fr -o "
	         "'%s/kept.html'",
	         program, folder, folder, folder);
	assert_int_equal(program_run(&run_of, folder, ARGV(NULL), ARGV("/bin/bash", "-c", command)), 1);
	after = file_text(in(folder, "kept.html"));
	assert_string_equal(before, after);
	assert_int_equal(access(in(folder, "kept.html.part"), F_OK), -1);
	free(before);
	free(after);
}

/* The build folder's: <build>/tests/this, <build>/examples/kryosctl/kryosctl. */
static bool find_program(void)
{
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 64);

	if (length <= 0)
		return false;
	program[length] = 0;
	snprintf(strrchr(program, '/'), 64, "/../examples/kryosctl/kryosctl");
	return access(program, X_OK) == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(html_has_every_fact_as_text_that_can_be_searched),
		cmocka_unit_test(pdf_has_the_same_in_each_language_on_every_page),
		cmocka_unit_test(svg_is_well_formed_and_so_is_what_stands_in_html),
		cmocka_unit_test(the_same_store_gives_the_same_bytes),
		cmocka_unit_test(a_change_of_the_clock_within_the_period_is_said_and_every_time_has_its_offset),
		cmocka_unit_test(a_period_without_data_is_a_page_that_says_so),
		cmocka_unit_test(one_channel_and_a_profile_are_what_was_asked_for),
		cmocka_unit_test(a_profile_knows_of_an_excursion_that_began_before_the_period),
		cmocka_unit_test(without_a_station_file_zone_and_language_are_what_the_device_noted),
		cmocka_unit_test(language_and_vial_monitors_are_the_stations_where_no_option_says_otherwise),
		cmocka_unit_test(what_cannot_be_done_is_one_sentence_and_leaves_no_file),
		cmocka_unit_test(a_disk_that_is_full_leaves_the_older_report_as_it_was),
	};

	if (!find_program()) {
		printf("skipped: kryosctl is not built (KRYOS_BUILD_DAEMON is off)\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, make, clean);
}
