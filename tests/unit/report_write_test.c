/* SPDX-License-Identifier: Apache-2.0 */
/* What is drawn of records that nobody would wish for. */
#include "config/config.h"
#include "report/report.h"
#include "support.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FROM INT64_C(1793491200000000000) /* 2026-11-01T00:00:00Z */
#define FRIDGE "fridge.temperature"

struct bench {
	char *folder;
	struct kri_report *report;
	struct kri_report_config config;
};

static int setup(void **state)
{
	static struct bench bench;

	assert_ok(kri_zone_use("UTC"));
	bench = (struct bench){ .folder = scratch_new(),
		                .config = { .from_ns = FROM,
		                            .to_ns = FROM + KRYOS_DAYS(30),
		                            .printed_ns = FROM,
		                            .zone = "UTC",
		                            .station = "",
		                            .version = "test" } };
	assert_ok(kri_report_new(&bench.report, &bench.config));
	*state = &bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kri_report_free(bench->report);
	scratch_free(bench->folder);
	return 0;
}

static void event(struct bench *bench, enum kryos_event_type type, int64_t minute, const char *name, const char *text)
{
	struct kryos_event happened = { .size = sizeof(happened), .type = type, .name = name, .text = text };
	struct kryos_record record = { .size = sizeof(record), .device = "d", .channel = "", .event = &happened };

	record.sample.t_wall_ns = FROM + KRYOS_MINUTES(minute);
	assert_ok(kri_report_take_event(bench->report, &record));
}

static struct kri_report_channel *begin(struct bench *bench, const char *name)
{
	struct kri_report_channel *channel;

	assert_ok(kri_report_channel(bench->report, name, "Cel", "", &channel));
	assert_ok(kri_report_begin(bench->report, channel, KRYOS_MINUTES(5)));
	return channel;
}

static void sample_as(struct bench *bench, const char *name, int64_t minute, int64_t micro, uint16_t quality)
{
	struct kryos_record record = {
		.size = sizeof(record), .seq = minute + 1, .device = "d", .channel = name, .unit = "Cel", .place = ""
	};

	record.sample = (struct kryos_sample){ .value_micro = micro,
		                               .quality = quality,
		                               .boot = 1,
		                               .t_boot_ns = KRYOS_MINUTES(minute),
		                               .t_wall_ns = FROM + KRYOS_MINUTES(minute),
		                               .trust = KRYOS_TRUST_SYNCED };
	assert_ok(kri_report_take_sample(bench->report, &record));
}

static void sample(struct bench *bench, const char *name, int64_t minute, int64_t micro)
{
	sample_as(bench, name, minute, micro, KRYOS_QUALITY_GOOD);
}

static void failed(struct bench *bench, const char *name, int64_t minute)
{
	sample_as(bench, name, minute, 0, KRYOS_QUALITY_ABSENT);
}

static void add_episode_of(struct bench *bench, const char *channel, int64_t minute, bool judged_here)
{
	struct kryos_episode episode = { .rule = *kryos_profile_rule("who-refrigerator", 0),
		                         .has_extreme = 1,
		                         .ended_by = KRYOS_EPISODE_RECOVERED,
		                         .uncertain = 3 };

	strcpy(episode.name, "heat");
	episode.start.t_wall_ns = episode.trigger.t_wall_ns = FROM + KRYOS_MINUTES(minute);
	episode.start.trust = episode.trigger.trust = episode.end.trust = KRYOS_TRUST_SYNCED;
	episode.end.t_wall_ns = FROM + KRYOS_MINUTES(minute + 30);
	assert_ok(kri_report_add_episode(bench->report, channel, &episode, judged_here));
}

static void add_episode(struct bench *bench, const char *channel, int64_t minute)
{
	add_episode_of(bench, channel, minute, false);
}

static void judge_episode(struct bench *bench, const char *channel, int64_t minute)
{
	add_episode_of(bench, channel, minute, true);
}

/* As HTML, whose parts are text; PDF and SVG are made too. */
static char *write_all(struct bench *bench)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file;

	assert_ok(kri_report_finish(bench->report));
	assert_ok(kri_report_write(bench->report, KRI_REPORT_PDF, in(bench->folder, "a.pdf")));
	assert_ok(kri_report_write(bench->report, KRI_REPORT_SVG, in(bench->folder, "a.svg")));
	assert_ok(kri_report_write(bench->report, KRI_REPORT_HTML, in(bench->folder, "a.html")));
	file = fopen(in(bench->folder, "a.html"), "re");
	assert_non_null(file);
	assert_true(getdelim(&text, &size, 0, file) > 0);
	fclose(file);
	return text;
}

static int count_of(const char *text, const char *part)
{
	int count = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		count++;
	return count;
}

static void assert_is_clean(const char *text)
{
	size_t count = strlen(text), step;

	for (size_t at = 0; at < count; at += step) {
		step = kri_utf8_step(text + at, count - at);
		if (step == 0 || (step == 1 && (unsigned char)text[at] < ' ' && text[at] != '\n'))
			fail_msg("byte 0x%02x at %zu", (unsigned char)text[at], at);
	}
}

static void bytes_that_are_no_text_stop_nothing(void **state)
{
	struct bench *bench = *state;
	char *html;

	event(bench, KRYOS_EVENT_RETIRED, 10, FRIDGE,
	      "by=a\xff\xc3 why=\x01\x1b[31m]]><script>alert(1)</script>\xf5&\xef\xbf\xbf");
	event(bench, KRYOS_EVENT_TEST, 20, "", "by=\x80 outputs=\xc3");
	event(bench, KRYOS_EVENT_CALIBRATION, 20, FRIDGE, "by x; was nothing; is certificate=\xe2\x82");
	begin(bench, FRIDGE);
	for (int64_t minute = 0; minute < 4000; minute += 5)
		sample(bench, FRIDGE, minute, 5000000);
	html = write_all(bench);
	assert_is_clean(html);
	assert_int_equal(count_of(html, "<script"), 0);
	assert_int_equal(count_of(html, "&lt;script&gt;alert(1)&lt;/script&gt;"), 1);
	free(html);
}

static void words_without_end_are_broken_and_pages_are_counted_as_they_are_drawn(void **state)
{
	struct bench *bench = *state;
	char text[1001], pages[64], *html;
	int sections;

	memset(text, 'W', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	memcpy(text, "by=x why=", 9);
	event(bench, KRYOS_EVENT_RETIRED, 10, FRIDGE, text);
	event(bench, KRYOS_EVENT_START, 20, "0.1.0", text);
	begin(bench, FRIDGE);
	for (int64_t minute = 0; minute < 43200; minute += 15) /* nothing but gaps */
		sample(bench, FRIDGE, minute, minute % 2 ? 9000000 : -9000000);
	for (int i = 0; i < 120; i++)
		add_episode(bench, FRIDGE, i * 100);
	html = write_all(bench);
	sections = count_of(html, "<section");
	assert_true(sections > 12);
	snprintf(pages, sizeof(pages), ">Page %d of %d<", sections, sections);
	assert_int_equal(count_of(html, pages), 1);
	assert_int_equal(count_of(html, ">120  Heat, fridge.temperature: above 8 °C for 10 h<"), 1);
	free(html);
}

static void as_many_channels_as_there_may_be_are_drawn_and_one_more_is_refused(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel;
	char name[64], *html;

	for (int i = 0; i < KRI_REPORT_MAX_CHANNELS; i++) {
		snprintf(name, sizeof(name), "probe%d.temperature", i);
		begin(bench, name);
		sample(bench, name, 0, INT64_C(9223372036854775807) / (i + 1));
		sample(bench, name, 5, -INT64_C(9223372036854775807) / (i + 1));
	}
	assert_fails(-E2BIG, kri_report_channel(bench->report, "one.more", "Cel", "", &channel));
	html = write_all(bench);
	assert_is_clean(html);
	assert_true(count_of(html, ">probe63.temperature<") > 0);
	free(html);
}

static void of_a_channel_without_limits_no_number_of_excursions_is_given(void **state)
{
	struct bench *bench = *state;
	char *html;

	begin(bench, FRIDGE);
	sample(bench, FRIDGE, 0, 27000000);
	begin(bench, "freezer.temperature");
	add_episode(bench, "freezer.temperature", 100);
	kri_report_add_rule(kri_report_find(bench->report, "freezer.temperature"),
	                    kryos_profile_rule("who-refrigerator", 0), "heat");
	html = write_all(bench);
	assert_int_equal(count_of(html, ">No limits are known of fridge.temperature: no excursion of it would be "
	                                "recorded.<"),
	                 1);
	assert_int_equal(count_of(html, ">No limits are known of freezer.temperature:"), 0);
	free(html);
}

static void rules_that_are_not_on_record_are_counted_beside_those_that_are(void **state)
{
	struct bench *bench = *state;
	char *html;

	event(bench, KRYOS_EVENT_CONFIGURED, -5, "alarm " FRIDGE,
	      "by station; was nothing; is every=5min a kind=heat comparator=gt threshold=9 duration=1h "
	      "mode=consecutive gap=hold, 3 more, crc32c=01234567");
	for (int i = 1; i < 30; i++) {
		char name[80], text[200];

		snprintf(name, sizeof(name), "rules " FRIDGE " (%d)", i + 1);
		snprintf(text, sizeof(text),
		         "by station; was nothing; is a%d kind=heat comparator=gt threshold=%d duration=1h "
		         "mode=consecutive gap=hold",
		         i, 9 + i);
		event(bench, KRYOS_EVENT_CONFIGURED, -5, name, text);
	}
	begin(bench, FRIDGE);
	sample(bench, FRIDGE, 0, 5000000);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">3 more rules of fridge.temperature were in force than are on record: "), 1);
	assert_true(count_of(html, "above 9 °C for 1 h") > 0);
	assert_true(count_of(html, "above 38 °C for 1 h") > 0);
	assert_int_equal(count_of(html, "…"), 0);
	free(html);
}

/* An empty table beside "No excursion is recorded" would be taken for a good month. */
static void of_a_channel_that_was_not_measured_the_first_page_says_so(void **state)
{
	struct bench *bench = *state;
	char *html;

	bench->report->config.to_ns = FROM + KRYOS_DAYS(1);
	begin(bench, FRIDGE);
	kri_report_add_rule(kri_report_find(bench->report, FRIDGE), kryos_profile_rule("who-refrigerator", 0), "heat");
	for (int64_t minute = 0; minute < 24 * 60; minute += 5)
		failed(bench, FRIDGE, minute);
	begin(bench, "a.temperature");
	begin(bench, "b.temperature");
	for (int64_t minute = 0; minute < 24 * 60 - 140; minute += 5) {
		sample(bench, "a.temperature", minute, 5000000);
		if (minute < 24 * 60 - 170)
			sample(bench, "b.temperature", minute, 5000000);
	}
	html = write_all(bench);
	assert_int_equal(count_of(html, ">fridge.temperature was not measured in this period: no excursion of it could "
	                                "be recorded.<"),
	                 1);
	assert_int_equal(count_of(html, ">a.temperature was not measured"), 0);
	assert_int_equal(count_of(html, ">b.temperature was not measured for 2 h 45 min of this period: "), 1);
	free(html);
}

static void a_channel_with_rules_and_without_a_row_in_the_period_is_missed(void **state)
{
	struct bench *bench = *state;
	char *html;

	event(bench, KRYOS_EVENT_CONFIGURED, -5, "alarm " FRIDGE,
	      "by station; was nothing; is every=5min a kind=heat comparator=gt threshold=9 duration=1h "
	      "mode=consecutive gap=hold");
	event(bench, KRYOS_EVENT_CONFIGURED, -9, "alarm gone.temperature",
	      "by station; was nothing; is every=5min a kind=heat comparator=gt threshold=9 duration=1h "
	      "mode=consecutive gap=hold");
	event(bench, KRYOS_EVENT_CONFIGURED, -8, "alarm gone.temperature", "by station; was every=5min; is nothing");
	begin(bench, "freezer.temperature");
	sample(bench, "freezer.temperature", 0, -20000000);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">fridge.temperature was not measured in this period: "), 1);
	assert_int_equal(count_of(html, "gone.temperature"), 0);
	free(html);
}

static void rules_that_were_changed_within_the_period_say_when_they_were_in_force(void **state)
{
	struct bench *bench = *state;
	char *html;

	event(bench, KRYOS_EVENT_CONFIGURED, -10, "alarm " FRIDGE,
	      "by a; was nothing; is every=5min a kind=heat comparator=gt threshold=9 duration=1h");
	event(bench, KRYOS_EVENT_CONFIGURED, 500, "alarm " FRIDGE,
	      "by a; was nothing; is every=5min b kind=heat comparator=gt threshold=12 duration=1h");
	begin(bench, FRIDGE);
	sample(bench, FRIDGE, 0, 5000000);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">Limits: above 9 °C for 1 h, until 2026-11-01 08:20; above 12 °C for 1 h, "
	                                "from 2026-11-01 08:20<"),
	                 1);
	assert_int_equal(count_of(html, ">The rules of " FRIDGE " were changed in this period: "), 1);
	free(html);
}

/* Where everything that was measured is beyond a limit, the limit is in the chart, and how far it is. */
static void a_chart_reaches_to_its_limits_on_whichever_side_they_are(void **state)
{
	struct kryos_rule low = *kryos_profile_rule("who-refrigerator", 1),
			  high = *kryos_profile_rule("who-refrigerator", 0);
	struct bench *bench = *state;
	struct kri_report_channel *channel = begin(bench, FRIDGE), *other;
	char *html;

	kri_report_add_rule(channel, &high, "heat");
	sample(bench, FRIDGE, 0, 20000000);
	other = begin(bench, "other.temperature");
	low.threshold_micro = 45000000;
	kri_report_add_rule(other, &low, "freeze");
	sample(bench, "other.temperature", 0, 30000000);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">between the limits<"), 2);
	assert_int_equal(count_of(html, ">10<"), 1); /* numbers of their axes */
	assert_int_equal(count_of(html, ">40<"), 1);
	free(html);
}

static void between_limits_of_which_the_high_one_is_below_the_low_one_nothing_lies(void **state)
{
	struct kryos_rule low = *kryos_profile_rule("who-refrigerator", 1),
			  high = *kryos_profile_rule("who-refrigerator", 0);
	struct bench *bench = *state;
	struct kri_report_channel *channel = begin(bench, FRIDGE);
	char *html;

	low.threshold_micro = 15000000;
	kri_report_add_rule(channel, &high, "heat");
	kri_report_add_rule(channel, &low, "freeze");
	sample(bench, FRIDGE, 0, 9000000);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">between the limits<"), 0);
	free(html);
}

static void excursions_that_were_worked_out_here_are_counted_apart(void **state)
{
	struct bench *bench = *state;
	char *html;

	bench->report->config.profile = "who-refrigerator";
	begin(bench, FRIDGE);
	sample(bench, FRIDGE, 0, 5000000);
	add_episode(bench, FRIDGE, 1000);
	judge_episode(bench, FRIDGE, 2000);
	judge_episode(bench, FRIDGE, 3000);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">1 excursion is recorded in this period.<"), 1);
	assert_int_equal(count_of(html, ">Worked out for this report, profile who-refrigerator: 2 more.<"), 1);
	assert_int_equal(count_of(html, ">1 + 2<"), 1);
	assert_int_equal(count_of(html, ">Other alarms,"), 0);
	free(html);
}

static void words_say_exactly_what_the_numbers_beside_them_are(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel;
	char *html;

	assert_ok(kri_report_channel(bench->report, FRIDGE, "Cel", "", &channel));
	for (unsigned int i = 0; i < 2; i++)
		kri_report_add_rule(channel, kryos_profile_rule("who-refrigerator", i), i ? "freeze" : "heat");
	begin(bench, FRIDGE);
	sample(bench, FRIDGE, 0, 5000000);
	add_episode(bench, FRIDGE, 1000);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">Above 8 °C<"), 1);
	assert_int_equal(count_of(html, ">At or below -0.5 °C<") + count_of(html, ">At or below −0.5 °C<"), 1);
	assert_int_equal(count_of(html, ">The duration is from the first reading out of limits to the last."), 1);
	assert_int_equal(count_of(html, ">none recorded<"), 1);
	free(html);
}

static void what_was_out_of_limits_before_the_supply_went_was_not_held_by_anything(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel;
	char *html;

	assert_ok(kri_report_channel(bench->report, FRIDGE, "Cel", "", &channel));
	kri_report_add_rule(channel, kryos_profile_rule("who-refrigerator", 0), "heat");
	begin(bench, FRIDGE);
	assert_ok(kri_report_channel(bench->report, "grid.present", "/", "", &channel));
	assert_ok(kri_report_begin(bench->report, channel, KRYOS_MINUTES(5)));
	for (int64_t minute = 0; minute < 100; minute += 5) {
		sample(bench, FRIDGE, minute, 9000000);
		sample(bench, "grid.present", minute, minute < 50 ? 1000000 : 0);
	}
	html = write_all(bench);
	assert_int_equal(count_of(html, ">out before<"), 1);
	assert_int_equal(count_of(html, ">at least 0<"), 0);
	free(html);
}

static void a_loss_of_power_that_nothing_was_measured_in_has_no_holdover_and_says_so(void **state)
{
	struct bench *bench = *state;
	const char *contacts, *at_least;
	struct kri_report_channel *supply;
	char *html;

	begin(bench, FRIDGE); /* without limits */
	assert_ok(kri_report_channel(bench->report, "grid.present", "/", "", &supply));
	assert_ok(kri_report_begin(bench->report, supply, KRYOS_MINUTES(5)));
	for (int64_t minute = 0; minute < 100; minute += 5) {
		sample(bench, FRIDGE, minute, 5000000);
		sample(bench, "grid.present", minute, 0);
	}
	html = write_all(bench);
	assert_int_equal(count_of(html, ">Holdover after loss of power<"), 1);
	assert_int_equal(count_of(html, ">Power was lost. How long the vaccines stayed within limits is not known: "),
	                 1);
	/* It was away all the time, and nobody told since when. */
	contacts = strstr(html, ">Doors and power<");
	assert_non_null(contacts);
	at_least = strstr(contacts, ">at least 1 h 45 min<");
	assert_true(at_least && at_least < strstr(contacts, ">Holdover after"));
	free(html);
}

static void alarms_that_say_the_same_are_told_apart_by_the_names_of_their_rules(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode episode = { .rule = *kryos_profile_rule("who-refrigerator", 0),
		                         .ended_by = KRYOS_EPISODE_RECOVERED };
	char *html;

	begin(bench, FRIDGE);
	sample(bench, FRIDGE, 0, 5000000);
	episode.start.t_wall_ns = episode.trigger.t_wall_ns = FROM;
	episode.end.t_wall_ns = FROM + KRYOS_MINUTES(30);
	for (int i = 0; i < 2; i++) {
		strcpy(episode.name, i ? "tight.heat" : "heat");
		assert_ok(kri_report_add_episode(bench->report, FRIDGE, &episode, false));
	}
	html = write_all(bench);
	assert_int_equal(count_of(html, "Heat, fridge.temperature: above 8 °C for 10 h<"), 1);
	assert_int_equal(count_of(html, "Heat, fridge.temperature: above 8 °C for 10 h (tight.heat)<"), 1);
	free(html);
}

static void a_heading_is_as_long_as_its_words_are(void **state)
{
	static const char name[] = "refrigerator-vaccine-shelf-top1.temperature";
	struct bench *bench = *state;
	char *html;

	bench->config.to_ns = FROM + KRYOS_DAYS(60);
	kri_report_free(bench->report);
	assert_ok(kri_report_new(&bench->report, &bench->config));
	begin(bench, name);
	sample(bench, name, 0, 5000000);
	html = write_all(bench);
	assert_int_equal(count_of(html, "31 days of the period)<"), 1);
	assert_int_equal(count_of(html, "…"), 0);
	free(html);
}

static void a_table_of_seals_has_its_head_on_each_page(void **state)
{
	struct bench *bench = *state;
	char *html;
	int heads;

	for (int i = 0; i < 200; i++) {
		assert_ok(kri_report_grow(&bench->report->seals, bench->report->seal_count,
		                          sizeof(*bench->report->seals)));
		bench->report->seals[bench->report->seal_count++] =
			(struct kri_report_seal){ .number = 1 + i, .t_ns = FROM, .hash = "beef" };
	}
	html = write_all(bench);
	assert_int_equal(count_of(html, ">beef<"), 200);
	heads = count_of(html, ">Hash<");
	assert_true(heads > 2);
	assert_int_equal(heads, count_of(html, "<svg "));
	free(html);
}

static void who_took_a_channel_out_of_service_is_told_without_samples_too(void **state)
{
	struct bench *bench = *state;
	char *html;

	assert_ok(kri_report_grow(&bench->report->retired, 0, sizeof(*bench->report->retired)));
	bench->report->retired[bench->report->retired_count++] = (struct kri_report_retired){
		.channel = FRIDGE, .by = "amina", .why = "defrosted", .from_ns = FROM, .to_ns = INT64_MAX
	};
	html = write_all(bench);
	assert_int_equal(count_of(html, ">No measurement is stored for this period.<"), 1);
	assert_int_equal(count_of(html, ">out of service: defrosted by amina<"), 1);
	free(html);
}

/* It may lie behind the last reading out of limits, where the duration ends. */
static void an_alarm_of_a_contact_has_no_extreme_and_what_is_not_known_is_up_to_its_end(void **state)
{
	struct kryos_episode episode = { .rule = { .kind = KRYOS_RULE_DOOR, .has = KRYOS_RULE_THRESHOLD },
		                         .has_extreme = 1,
		                         .extreme_micro = 1000000,
		                         .ended_by = KRYOS_EPISODE_RECOVERED };
	struct bench *bench = *state;
	struct kri_report_channel *channel;
	const char *duration, *unknown, *in_all;
	char *html;

	assert_ok(kri_report_channel(bench->report, "lid.open", "/", "", &channel));
	assert_ok(kri_report_begin(bench->report, channel, KRYOS_MINUTES(5)));
	strcpy(episode.name, "door");
	episode.start.t_wall_ns = episode.trigger.t_wall_ns = episode.extreme_at.t_wall_ns = FROM;
	episode.end.t_wall_ns = FROM + KRYOS_MINUTES(30);
	assert_ok(kri_report_add_episode(bench->report, "lid.open", &episode, false));
	html = write_all(bench);
	assert_int_equal(count_of(html, ">1, 2026-11-01 00:00<"), 0);
	duration = strstr(html, ">Duration<");
	unknown = strstr(html, ">Not known, until its end<");
	in_all = strstr(html, ">Out of limits in all<");
	assert_true(duration && unknown && in_all && duration < unknown && unknown < in_all);
	free(html);
}

static void an_alarm_that_ended_after_the_period_went_on_at_its_end(void **state)
{
	struct bench *bench = *state;
	char *html;

	begin(bench, FRIDGE);
	sample(bench, FRIDGE, 0, 5000000);
	add_episode(bench, FRIDGE, 1000);
	add_episode(bench, FRIDGE, 30 * 24 * 60 - 10);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">Still going on at its end: 1.<"), 1);
	free(html);
}

static void alarms_outlive_what_was_measured(void **state)
{
	struct bench *bench = *state;
	char *html;

	add_episode(bench, FRIDGE, 1000);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">No measurement is stored for this period.<"), 1);
	assert_int_equal(count_of(html, ">1 excursion is recorded in this period.<"), 1);
	assert_int_equal(count_of(html, "says nothing about what was kept"), 0);
	free(html);
}

static void open_episode(struct bench *bench, int64_t minute, int64_t known)
{
	struct kryos_episode episode = { .rule = *kryos_profile_rule("who-refrigerator", 0),
		                         .duration_ns = KRYOS_HOURS(11) };
	int place;

	strcpy(episode.name, "heat");
	episode.start.t_wall_ns = episode.trigger.t_wall_ns = FROM + KRYOS_MINUTES(minute);
	place = kri_report_add_episode(bench->report, FRIDGE, &episode, false);
	assert_ok(place);
	bench->report->episodes[place].known_ns = known ? FROM + KRYOS_MINUTES(known) : 0;
}

static void an_alarm_that_goes_on_says_until_when_its_numbers_are(void **state)
{
	struct bench *bench = *state;
	char *html;

	bench->report->config.to_ns = FROM + KRYOS_MINUTES(700);
	begin(bench, FRIDGE);
	for (int64_t minute = 0; minute < 700; minute += 5)
		sample(bench, FRIDGE, minute, 9000000);
	open_episode(bench, 35, 695);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">Still going on at its end: 1.<"), 1);
	/* In lines as wide as their column. */
	assert_int_equal(count_of(html, ">still going on; figures to<"), 1);
	assert_int_equal(count_of(html, ">2026-11-01 11:35<"), 1);
	assert_int_equal(count_of(html, ">11 h<"), 1);
	assert_int_equal(count_of(html, ">at least 11 h<"), 0);
	free(html);
}

/* Two alarms of which no end was told, the second of which was seen to be over. */
static void an_alarm_that_was_seen_to_be_over_is_none_of_those_that_went_on_perhaps(void **state)
{
	struct bench *bench = *state;
	char *html;

	begin(bench, FRIDGE);
	sample(bench, FRIDGE, 0, 9000000);
	open_episode(bench, 35, 0);
	open_episode(bench, 900, 0);
	bench->report->episodes[1].is_over = true;
	bench->report->episodes[1].out_ns = FROM + KRYOS_MINUTES(1000);
	html = write_all(bench);
	assert_int_equal(count_of(html, "whether they went on: 1."), 1);
	free(html);
}

/* Of a period without measurements nobody knows that an alarm of before went on. */
static void an_alarm_from_before_a_period_without_measurements_is_no_excursion_of_it(void **state)
{
	struct bench *bench = *state;
	char endless[300], end[64], *html;

	for (int language = 0; language < KRI_LANGUAGE_COUNT; language++) {
		kri_report_free(bench->report);
		bench->config.language = (enum kri_language)language;
		assert_ok(kri_report_new(&bench->report, &bench->config));
		open_episode(bench, -3000, language % 2 ? -2000 : 0);
		html = write_all(bench);
		kri_phrase(bench->config.language, KRI_WORD_END_NOT_RECORDED, "1", "", endless, sizeof(endless));
		endless[60] = 0; /* it is longer than a line */
		assert_int_equal(count_of(html, kri_word(bench->config.language, KRI_WORD_NO_DATA)), 1);
		assert_int_equal(count_of(html, kri_word(bench->config.language, KRI_WORD_NO_DATA_WHY)), 1);
		assert_int_equal(count_of(html, endless), 1);
		snprintf(end, sizeof(end), ">%s", kri_word(bench->config.language, KRI_WORD_NO_END));
		assert_int_equal(count_of(html, end), 1);
		assert_int_equal(count_of(html, kri_word(bench->config.language, KRI_WORD_EXCURSIONS_ONE)), 0);
		assert_int_equal(count_of(html, kri_word(bench->config.language, KRI_WORD_STILL_OPEN)), 0);
		free(html);
	}
}

static void the_strip_of_a_contact_has_the_whole_name_of_its_sensor(void **state)
{
	struct kri_report_channel *channel;
	struct bench *bench = *state;
	char *html;

	begin(bench, FRIDGE);
	sample(bench, FRIDGE, 0, 5000000);
	assert_ok(kri_report_channel(bench->report, "mains-supply-2.present", "/", "", &channel));
	assert_ok(kri_report_begin(bench->report, channel, KRYOS_MINUTES(5)));
	html = write_all(bench);
	assert_int_equal(count_of(html, ">mains-supply-2<"), 1);
	assert_int_equal(count_of(html, "…"), 0);
	free(html);
}

static void a_calibration_has_the_whole_name_of_its_channel(void **state)
{
	static const char *const channel = "refrigerator-vaccine-shelf-top1.temperature";
	struct bench *bench = *state;
	char *html;

	event(bench, KRYOS_EVENT_CALIBRATION, 20, channel, "by x; was nothing; is certificate=NPL-1");
	begin(bench, channel);
	sample(bench, channel, 0, 5000000);
	html = write_all(bench);
	assert_int_equal(count_of(html, ">certificate NPL-1<"), 1);
	assert_int_equal(count_of(html, "…"), 0);
	free(html);
}

static void a_file_that_cannot_be_written_is_named_and_nothing_is_left(void **state)
{
	struct bench *bench = *state;
	struct stat status;

	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(mkdir(in(bench->folder, "a.pdf"), 0700), 0);
	assert_fails(-EISDIR, kri_report_write(bench->report, KRI_REPORT_PDF, in(bench->folder, "a.pdf")));
	assert_says(-EISDIR, "a.pdf");
	assert_int_equal(stat(in(bench->folder, "a.pdf.part"), &status), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_that_are_no_text_stop_nothing),
		TEST(words_without_end_are_broken_and_pages_are_counted_as_they_are_drawn),
		TEST(as_many_channels_as_there_may_be_are_drawn_and_one_more_is_refused),
		TEST(of_a_channel_without_limits_no_number_of_excursions_is_given),
		TEST(rules_that_are_not_on_record_are_counted_beside_those_that_are),
		TEST(of_a_channel_that_was_not_measured_the_first_page_says_so),
		TEST(a_channel_with_rules_and_without_a_row_in_the_period_is_missed),
		TEST(rules_that_were_changed_within_the_period_say_when_they_were_in_force),
		TEST(a_chart_reaches_to_its_limits_on_whichever_side_they_are),
		TEST(between_limits_of_which_the_high_one_is_below_the_low_one_nothing_lies),
		TEST(excursions_that_were_worked_out_here_are_counted_apart),
		TEST(words_say_exactly_what_the_numbers_beside_them_are),
		TEST(what_was_out_of_limits_before_the_supply_went_was_not_held_by_anything),
		TEST(a_loss_of_power_that_nothing_was_measured_in_has_no_holdover_and_says_so),
		TEST(alarms_that_say_the_same_are_told_apart_by_the_names_of_their_rules),
		TEST(a_heading_is_as_long_as_its_words_are),
		TEST(a_table_of_seals_has_its_head_on_each_page),
		TEST(who_took_a_channel_out_of_service_is_told_without_samples_too),
		TEST(an_alarm_of_a_contact_has_no_extreme_and_what_is_not_known_is_up_to_its_end),
		TEST(an_alarm_that_ended_after_the_period_went_on_at_its_end),
		TEST(alarms_outlive_what_was_measured),
		TEST(an_alarm_that_goes_on_says_until_when_its_numbers_are),
		TEST(an_alarm_that_was_seen_to_be_over_is_none_of_those_that_went_on_perhaps),
		TEST(an_alarm_from_before_a_period_without_measurements_is_no_excursion_of_it),
		TEST(the_strip_of_a_contact_has_the_whole_name_of_its_sensor),
		TEST(a_calibration_has_the_whole_name_of_its_channel),
		TEST(a_file_that_cannot_be_written_is_named_and_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
