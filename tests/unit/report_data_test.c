/* SPDX-License-Identifier: Apache-2.0 */
/* What a report makes of records, given one by one. */
#include "report/report.h"
#include "support.h"
#include <errno.h>
#include <string.h>

#define FROM INT64_C(1793491200000000000) /* 2026-11-01T00:00:00Z */
#define FRIDGE "fridge.temperature"

struct bench {
	struct kri_report *report;
	struct kri_report_config config;
	int64_t seq;
};

static int setup(void **state)
{
	static struct bench bench;

	memset(&bench, 0, sizeof(bench));
	assert_ok(kri_zone_use("UTC"));
	bench.config = (struct kri_report_config){
		.from_ns = FROM, .to_ns = FROM + KRYOS_DAYS(3), .zone = "UTC", .station = "", .version = "test"
	};
	assert_ok(kri_report_new(&bench.report, &bench.config));
	*state = &bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kri_report_free(bench->report);
	return 0;
}

/* Another config than the usual one. */
static void again(struct bench *bench)
{
	kri_report_free(bench->report);
	bench->report = NULL;
	assert_ok(kri_report_new(&bench->report, &bench->config));
}

static void event(struct bench *bench, enum kryos_event_type type, int64_t minute, const char *name, int code,
                  int64_t value_ns, const char *text)
{
	struct kryos_event happened = {
		.size = sizeof(happened), .type = type, .name = name, .text = text, .code = code, .value_ns = value_ns
	};
	struct kryos_record record = { .size = sizeof(record),
		                       .seq = ++bench->seq,
		                       .device = "d",
		                       .channel = "",
		                       .unit = "",
		                       .place = "",
		                       .event = &happened };

	record.sample.t_wall_ns = FROM + KRYOS_MINUTES(minute);
	assert_ok(kri_report_take_event(bench->report, &record));
}

static struct kri_report_channel *begin(struct bench *bench, const char *name, const char *unit)
{
	struct kri_report_channel *channel;

	assert_ok(kri_report_channel(bench->report, name, unit, "", &channel));
	assert_ok(kri_report_begin(bench->report, channel, KRYOS_MINUTES(5)));
	return channel;
}

static void sample_as(struct bench *bench, const char *name, int64_t minute, int64_t tenths, unsigned int quality)
{
	struct kryos_record record = {
		.size = sizeof(record), .seq = ++bench->seq, .device = "d", .channel = name, .unit = "Cel", .place = ""
	};

	record.sample = (struct kryos_sample){ .value_micro = tenths * 100000,
		                               .quality = (uint16_t)quality,
		                               .boot = 1,
		                               .t_boot_ns = KRYOS_MINUTES(minute) + KRYOS_SECONDS(10),
		                               .t_wall_ns = FROM + KRYOS_MINUTES(minute),
		                               .trust = KRYOS_TRUST_SYNCED };
	assert_ok(kri_report_take_sample(bench->report, &record));
}

static void sample(struct bench *bench, int64_t minute, int64_t tenths)
{
	sample_as(bench, FRIDGE, minute, tenths, KRYOS_QUALITY_GOOD);
}

static void samples(struct bench *bench, int64_t from, int64_t to, int64_t tenths)
{
	for (; from < to; from += 5)
		sample(bench, from, tenths);
}

static struct kryos_episode episode_at(int64_t minute)
{
	struct kryos_episode episode = { .rule = *kryos_profile_rule("who-refrigerator", 0),
		                         .has_extreme = 1,
		                         .extreme_micro = 9500000 };

	strcpy(episode.name, episode.rule.name);
	episode.rule.name = episode.name;
	episode.rule.gap_limit_ns = KRYOS_MINUTES(10);
	episode.start = (struct kryos_instant){ .t_boot_ns = KRYOS_MINUTES(minute + 20000),
		                                .t_wall_ns = FROM + KRYOS_MINUTES(minute),
		                                .boot = 1,
		                                .trust = KRYOS_TRUST_RTC };
	episode.trigger = episode.extreme_at = episode.start;
	episode.trigger.t_wall_ns += KRYOS_HOURS(10);
	episode.trigger.t_boot_ns += KRYOS_HOURS(10);
	episode.duration_ns = KRYOS_HOURS(10);
	return episode;
}

static void tell(struct bench *bench, struct kryos_episode *episode, int64_t end)
{
	char text[KRYOS_EPISODE_TEXT_MAX];

	episode->rule.name = episode->name;
	if (end) {
		episode->ended_by = KRYOS_EPISODE_RECOVERED;
		episode->end = episode->start;
		episode->end.t_wall_ns = FROM + KRYOS_MINUTES(end);
	}
	event(bench, end ? KRYOS_EVENT_ALARM_OFF : KRYOS_EVENT_ALARM_ON, end, FRIDGE, 0, 0,
	      kryos_episode_text(episode, text));
}

static void acknowledge(struct bench *bench, struct kryos_episode *episode, int64_t minute)
{
	char text[KRYOS_EPISODE_TEXT_MAX], said[KRYOS_EPISODE_TEXT_MAX + 100], *start;

	start = strstr(kryos_episode_text(episode, text), "start=");
	assert_non_null(start);
	snprintf(said, sizeof(said), "rule=heat %.*s by=amina comment=lid was open, by=nobody",
	         (int)strcspn(start, " "), start);
	event(bench, KRYOS_EVENT_ACKNOWLEDGED, minute, FRIDGE, 0, 0, said);
}

static void beginning_end_and_acknowledgement_make_one_episode(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode first = episode_at(100), second = episode_at(2000);

	tell(bench, &first, 0);
	acknowledge(bench, &first, 800);
	tell(bench, &first, 900);
	tell(bench, &second, 0);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->episode_count, 2);
	assert_true(bench->report->episodes[0].is_acknowledged);
	assert_string_equal(bench->report->episodes[0].by, "amina");
	assert_string_equal(bench->report->episodes[0].comment, "lid was open, by=nobody");
	assert_int_equal(bench->report->episodes[0].episode.ended_by, KRYOS_EPISODE_RECOVERED);
	assert_int_equal(bench->report->episodes[1].episode.ended_by, KRYOS_EPISODE_OPEN);
	assert_false(bench->report->episodes[1].is_acknowledged);
}

static void an_episode_outside_of_the_period_is_left_out_and_one_that_reaches_in_is_not(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode before = episode_at(-3000), into = episode_at(-2000), open = episode_at(-1000),
			     after = episode_at(3 * 1440 + 5);

	tell(bench, &before, -2100);
	tell(bench, &into, 30);
	tell(bench, &open, 0);
	tell(bench, &after, 0);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->episode_count, 2);
	assert_int_equal(bench->report->episodes[0].episode.start.t_wall_ns, FROM - KRYOS_MINUTES(2000));
	assert_int_equal(bench->report->episodes[1].episode.start.t_wall_ns, FROM - KRYOS_MINUTES(1000));
}

static void what_was_stamped_before_the_clock_was_set_is_corrected_as_its_boot_was(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode episode = episode_at(100);

	episode.start.trust = KRYOS_TRUST_NONE;
	episode.start.t_wall_ns = KRYOS_MINUTES(100);
	tell(bench, &episode, 900);
	event(bench, KRYOS_EVENT_CORRECTED, 1000, "", 1, FROM - KRYOS_MINUTES(20000), "");
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->episode_count, 1);
	assert_int_equal(bench->report->episodes[0].episode.start.t_wall_ns, FROM + KRYOS_MINUTES(100));
}

static void a_text_that_is_no_episode_is_no_episode(void **state)
{
	struct bench *bench = *state;

	event(bench, KRYOS_EVENT_ALARM_ON, 5, FRIDGE, 0, 0, "it is warm");
	event(bench, KRYOS_EVENT_ACKNOWLEDGED, 6, FRIDGE, 0, 0, "rule=heat");
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->episode_count, 0);
}

static void a_gap_has_the_reason_that_is_known_of_it(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel;

	event(bench, KRYOS_EVENT_RESTART, 400, "", 0, 0, "power was lost");
	channel = begin(bench, FRIDGE, "Cel");
	samples(bench, 60, 120, 50); /* an hour late; then nothing, until 200 */
	samples(bench, 200, 300, 50);
	samples(bench, 405, 500, 50); /* behind the restart */
	for (int64_t at = 500; at < 560; at += 5)
		sample_as(bench, FRIDGE, at, 0, KRYOS_QUALITY_CRC);
	samples(bench, 560, 4000, 50);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(channel->gap_count, 5);
	assert_int_equal(channel->gaps[0].reason, KRI_GAP_BEFORE);
	assert_int_equal(channel->gaps[0].to_ns - channel->gaps[0].from_ns, KRYOS_MINUTES(60));
	assert_int_equal(channel->gaps[1].reason, KRI_GAP_NOTHING);
	assert_int_equal(channel->gaps[1].from_ns, FROM + KRYOS_MINUTES(115));
	assert_int_equal(channel->gaps[1].to_ns, FROM + KRYOS_MINUTES(200));
	assert_int_equal(channel->gaps[2].reason, KRI_GAP_RESTART);
	assert_int_equal(channel->gaps[3].reason, KRI_GAP_QUALITY);
	assert_int_equal(channel->gaps[3].quality, KRYOS_QUALITY_CRC);
	assert_int_equal(channel->gaps[4].reason, KRI_GAP_AFTER);
	assert_int_equal(channel->gaps[4].to_ns, FROM + KRYOS_DAYS(3));
	/* Of each but the first, the measurement before it stands for two intervals. */
	assert_int_equal(channel->days[0].unmeasured_ns, KRYOS_MINUTES(60 + 75 + 100 + 55));
	assert_int_equal(channel->days[1].unmeasured_ns, 0);
}

static void the_parts_of_a_day_add_up_to_the_day(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode episode = episode_at(-9000);
	struct kri_report_channel *channel;
	int64_t unmeasured_ns = 0;

	tell(bench, &episode, -8000);
	channel = begin(bench, FRIDGE, "Cel");
	/* Always above its limit, but for gaps, of which one is held over midnight; a clock that goes back. */
	samples(bench, 20, 600, 95);
	samples(bench, 700, 1440, 95);
	samples(bench, 1300, 1400, 95);
	samples(bench, 1700, 2000, 95);
	assert_ok(kri_report_finish(bench->report));
	for (size_t i = 0; i < bench->report->day_count; i++) {
		const struct kri_report_day *day = &channel->days[i];

		assert_int_equal(day->above_ns + day->below_ns + day->unmeasured_ns, KRYOS_DAYS(1));
		unmeasured_ns += day->unmeasured_ns;
	}
	assert_int_equal(channel->days[0].unmeasured_ns, KRYOS_MINUTES(20 + 95));
	assert_int_equal(channel->days[1].above_ns, KRYOS_MINUTES(5 + 300 + 5));
	assert_int_equal(channel->unmeasured_ns, unmeasured_ns);
}

static void the_measurement_before_the_period_stands_into_it(void **state)
{
	const struct kryos_sample before = { .t_wall_ns = FROM - KRYOS_MINUTES(3), .value_micro = 9500000 };
	struct bench *bench = *state;
	struct kryos_episode episode = episode_at(-9000);
	struct kri_report_channel *channel;

	tell(bench, &episode, -8000);
	channel = begin(bench, FRIDGE, "Cel");
	assert_ok(kri_report_take_before(bench->report, channel, &before));
	samples(bench, 2, 500, 50);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(channel->days[0].above_ns, KRYOS_MINUTES(2));
	assert_int_equal(channel->days[0].unmeasured_ns, KRYOS_MINUTES(1440 - 497 - 10));
}

static void samples_that_were_given_up_are_named_as_that(void **state)
{
	struct bench *bench = *state;
	struct kryos_event gap = {
		.size = sizeof(gap), .type = KRYOS_EVENT_GAP, .name = "", .text = "", .first_seq = 30, .last_seq = 60
	};
	struct kryos_record record = { .size = sizeof(record), .device = "d", .channel = "", .event = &gap };
	struct kri_report_channel *channel;

	assert_ok(kri_report_take_event(bench->report, &record));
	channel = begin(bench, FRIDGE, "Cel");
	samples(bench, 0, 100, 50); /* seqs 1 to 20 */
	bench->seq = 80;
	samples(bench, 500, 4320, 50);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(channel->gap_count, 1);
	assert_int_equal(channel->gaps[0].reason, KRI_GAP_GIVEN_UP);
}

static void one_missed_measurement_is_no_gap_and_a_slower_interval_becomes_the_usual_one(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel = begin(bench, FRIDGE, "Cel");

	samples(bench, 0, 100, 50);
	samples(bench, 105, 1440, 50);
	for (int64_t at = 1440; at < 4320; at += 15)
		sample(bench, at, 50);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(channel->interval_ns, KRYOS_MINUTES(15));
	/* The first few distances are gaps until it is known that they are not. */
	assert_true(channel->gap_count < KRI_REPORT_DISTANCES);
}

static void a_day_has_its_lowest_highest_and_the_time_out_of_limits_on_it(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode episode = episode_at(-9000);
	struct kri_report_channel *channel;

	tell(bench, &episode, -8000); /* before the period: only its rule counts */
	channel = begin(bench, FRIDGE, "Cel");
	assert_true(channel->has_high);
	samples(bench, 0, 1430, 50);
	samples(bench, 1430, 1450, 95); /* over midnight */
	samples(bench, 1450, 2880, 30);
	samples(bench, 2880, 4320, 80); /* at the limit is not above it */
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->day_count, 3);
	assert_int_equal(channel->days[0].max_micro, 9500000);
	assert_int_equal(channel->days[0].max_ns, FROM + KRYOS_MINUTES(1430));
	assert_int_equal(channel->days[0].above_ns, KRYOS_MINUTES(10));
	assert_int_equal(channel->days[1].above_ns, KRYOS_MINUTES(10));
	assert_int_equal(channel->days[1].min_micro, 3000000);
	assert_int_equal(channel->days[2].above_ns, 0);
	assert_int_equal(channel->result.above_ns, KRYOS_MINUTES(20));
	assert_int_equal(bench->report->episode_count, 0);
}

static bool is_freezer(void *data, const char *channel)
{
	(void)data;
	return strcmp(channel, "freezer.temperature") == 0;
}

static void power_is_no_measurement_of_another_channel(void **state)
{
	struct bench *bench = *state;

	bench->report->config.wanted = is_freezer;
	begin(bench, "supply.present", "/");
	sample_as(bench, "supply.present", 5, 10, KRYOS_QUALITY_GOOD);
	assert_int_equal(bench->report->samples, 0);
	begin(bench, "freezer.temperature", "Cel");
	sample_as(bench, "freezer.temperature", 5, -200, KRYOS_QUALITY_GOOD);
	assert_int_equal(bench->report->samples, 1);
}

static void time_above_is_the_sum_of_the_days_to_the_end_of_the_period(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode episode = episode_at(-9000);
	struct kri_report_channel *channel;
	int64_t sum = 0;

	tell(bench, &episode, -8000);
	channel = begin(bench, FRIDGE, "Cel");
	samples(bench, 4300, 4317, 95); /* each 5 min, the last of them 5 min before the end */
	assert_ok(kri_report_finish(bench->report));
	for (size_t i = 0; i < bench->report->day_count; i++)
		sum += channel->days[i].above_ns;
	assert_int_equal(channel->result.above_ns, KRYOS_MINUTES(20));
	assert_int_equal(channel->result.above_ns, sum);
}

static void lowest_and_highest_of_recorded_periods_widen_the_curve_of_their_mean(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel = begin(bench, FRIDGE, "Cel");

	sample(bench, 5, 50);
	sample_as(bench, FRIDGE ".min", 5, 21, KRYOS_QUALITY_GOOD);
	sample_as(bench, FRIDGE ".max", 5, 84, KRYOS_QUALITY_GOOD);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(channel->min_micro, 2100000);
	assert_int_equal(channel->max_micro, 8400000);
	assert_int_equal(channel->result.samples, 1);
	assert_int_equal(bench->report->samples, 1);
}

static void a_profile_finds_what_the_device_did_not_tell_and_says_nothing_twice(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode told = episode_at(100);

	bench->config.profile = "who-refrigerator";
	again(bench);
	tell(bench, &told, 900);
	begin(bench, FRIDGE, "Cel");
	samples(bench, 0, 100, 50);
	samples(bench, 100, 900, 95); /* told */
	samples(bench, 900, 2000, 50);
	samples(bench, 2000, 2060, -5); /* not told: -0.5 for 55 min, which is too short */
	samples(bench, 2060, 3000, 50);
	samples(bench, 3000, 3065, -5); /* 60 min */
	samples(bench, 3065, 4320, 50);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->episode_count, 2);
	assert_false(bench->report->episodes[0].judged_here);
	assert_true(bench->report->episodes[1].judged_here);
	assert_int_equal(bench->report->episodes[1].episode.start.t_wall_ns, FROM + KRYOS_MINUTES(3000));
	assert_string_equal(bench->report->episodes[1].episode.rule.name, "freeze");
}

static void a_channel_out_of_service_is_not_judged(void **state)
{
	struct bench *bench = *state;

	bench->config.profile = "who-refrigerator";
	again(bench);
	event(bench, KRYOS_EVENT_RETIRED, 1000, FRIDGE, 0, 0, "by=amina why=defrosted");
	event(bench, KRYOS_EVENT_RESUMED, 2500, FRIDGE, 0, 0, "by=amina why=done");
	begin(bench, FRIDGE, "Cel");
	samples(bench, 0, 1200, 95); /* ends with the service */
	samples(bench, 1200, 2400, 50);
	samples(bench, 2400, 3200, 95); /* 11 h 40 min, begun anew at its end */
	samples(bench, 3200, 4320, 50);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->episode_count, 2);
	assert_int_equal(bench->report->episodes[0].episode.ended_by, KRYOS_EPISODE_RETIRED);
	assert_int_equal(bench->report->episodes[0].episode.end.t_wall_ns, FROM + KRYOS_MINUTES(995));
	assert_int_equal(bench->report->episodes[1].episode.start.t_wall_ns, FROM + KRYOS_MINUTES(2500));
}

static void limits_are_those_that_the_device_said_were_in_force(void **state)
{
	static const struct kri_report_rule other = { .channel = FRIDGE,
		                                      .rule = { .size = sizeof(struct kryos_rule),
		                                                .name = "now",
		                                                .has = 3,
		                                                .kind = KRYOS_RULE_HEAT,
		                                                .comparator = KRYOS_COMPARATOR_GT,
		                                                .threshold_micro = 30000000 } };
	struct bench *bench = *state;
	struct kri_report_channel *channel;

	bench->config.rules = &other;
	bench->config.rule_count = 1;
	again(bench);
	event(bench, KRYOS_EVENT_CONFIGURED, -200, "alarm " FRIDGE, 0, 0,
	      "by station; was not known; is every=5min hot kind=heat comparator=gt threshold=12 duration=1h "
	      "mode=consecutive "
	      "gap=hold");
	event(bench, KRYOS_EVENT_CONFIGURED, -100, "alarm " FRIDGE, 0, 0,
	      "by station; was every=5min hot kind=heat; is every=5min heat kind=heat comparator=gt threshold=8 "
	      "duration=10h "
	      "mode=consecutive gap=hold:10min, freeze kind=freeze comparator=le threshold=-0.5 duration=1h "
	      "mode=consecutive "
	      "gap=hold, 3 more, crc32c=01234567");
	event(bench, KRYOS_EVENT_CONFIGURED, -50, "alarm fridge", 0, 0, "by station; was nothing; is channel=" FRIDGE);
	channel = begin(bench, FRIDGE, "Cel");
	assert_int_equal(channel->rule_count, 2);
	assert_int_equal(channel->rules_unknown, 3);
	assert_int_equal(channel->high_micro, 8000000);
	assert_int_equal(channel->low_micro, -500000);
	assert_int_equal(channel->rules[0].duration_ns, KRYOS_HOURS(10));
	assert_string_equal(channel->rules[1].name, "freeze");
	channel = begin(bench, "other.temperature", "Cel");
	assert_int_equal(channel->rule_count, 0);
}

static void configured(struct bench *bench, int64_t minute, const char *name, const char *is)
{
	char text[1001];

	snprintf(text, sizeof(text), "by station; was not known; is %s", is);
	event(bench, KRYOS_EVENT_CONFIGURED, minute, name, 0, 0, text);
}

/* Of a long list each event has a part, and takes the place of that part only. */
static void rules_are_those_of_all_parts_of_the_list_that_the_device_noted(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel;

	configured(bench, -300, "alarm " FRIDGE,
	           "every=5min a kind=heat comparator=gt threshold=9 duration=1h mode=consecutive gap=hold");
	configured(bench, -300, "rules " FRIDGE " (2)",
	           "b kind=freeze comparator=lt threshold=2 duration=1h mode=consecutive gap=hold, c kind=heat "
	           "comparator=ge threshold=30 duration=1h mode=consecutive gap=hold");
	configured(bench, -300, "rules " FRIDGE " (3)",
	           "d kind=heat comparator=gt threshold=8 duration=10h mode=consecutive gap=hold");
	configured(bench, -200, "rules " FRIDGE " (3)", "nothing");
	configured(bench, -100, "rules " FRIDGE " (2)",
	           "b kind=freeze comparator=lt threshold=1 duration=1h mode=consecutive gap=hold");
	configured(bench, -100, "rules " FRIDGE, "x kind=sensor duration=1h");
	configured(bench, -100, "rules " FRIDGE " (0)", "x kind=sensor duration=1h");
	channel = begin(bench, FRIDGE, "Cel");
	assert_int_equal(channel->rule_count, 2);
	assert_int_equal(channel->rules_unknown, 0);
	assert_int_equal(channel->high_micro, 9000000);
	assert_int_equal(channel->low_micro, 1000000);
	/* Within the period the old and the new one were in force. */
	configured(bench, 100, "rules " FRIDGE " (2)",
	           "b kind=freeze comparator=lt threshold=0 duration=1h mode=consecutive gap=hold");
	assert_int_equal(channel->rule_count, 3);
	assert_int_equal(channel->low_micro, 1000000);
}

#define RULE(name, comparator, threshold)                                                                              \
	name " comparator=" comparator " threshold=" threshold " duration=1h mode=consecutive gap=hold"
#define A RULE("a kind=heat", "gt", "9")
#define B RULE("b kind=freeze", "lt", "2")
#define C RULE("c kind=heat", "gt", "12")

/* Two alarms of a channel may have the same profile, and then one of them only. */
static void a_rule_of_two_parts_is_in_force_until_the_last_of_them_goes(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel;

	configured(bench, -300, "alarm " FRIDGE, "every=5min " A ", " B);
	configured(bench, -300, "rules " FRIDGE " (2)", A ", " B);
	configured(bench, -200, "rules " FRIDGE " (2)", "nothing");
	channel = begin(bench, FRIDGE, "Cel");
	assert_int_equal(channel->rule_count, 2);
	assert_true(channel->has_low && channel->has_high);
	configured(bench, -100, "alarm " FRIDGE, "every=5min " A);
	assert_int_equal(channel->rule_count, 1);
	assert_false(channel->has_low);
}

/* The part that was noted first is missing, in a store that was damaged. */
static void of_a_list_without_its_first_part_the_rest_is_not_all(void **state)
{
	static const struct kri_report_rule other = { .channel = FRIDGE,
		                                      .rule = { .size = sizeof(struct kryos_rule),
		                                                .name = "now",
		                                                .has = 3,
		                                                .kind = KRYOS_RULE_HEAT,
		                                                .comparator = KRYOS_COMPARATOR_GT,
		                                                .threshold_micro = 30000000 } };
	struct bench *bench = *state;
	struct kri_report_channel *channel;

	bench->config.rules = &other;
	bench->config.rule_count = 1;
	again(bench);
	configured(bench, -300, "rules " FRIDGE " (2)", B);
	channel = begin(bench, FRIDGE, "Cel");
	assert_false(channel->is_watched);
	assert_int_equal(channel->rules_unknown, 1);
	assert_int_equal(channel->rule_count, 2);
	configured(bench, -200, "alarm " FRIDGE, "every=5min " A);
	assert_int_equal(channel->rules_unknown, 0);
}

static void a_rule_of_an_alarm_of_before_is_none_of_a_period_for_which_the_device_noted_all(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode episode = episode_at(-5000);
	struct kri_report_channel *channel;

	tell(bench, &episode, -4000);
	configured(bench, -300, "alarm " FRIDGE, "every=5min " B);
	/* As it ends when its rule is another. */
	tell(bench, &episode, -4000);
	channel = begin(bench, FRIDGE, "Cel");
	assert_int_equal(channel->rule_count, 1);
	assert_false(channel->has_high);
}

static void a_rule_that_was_taken_away_before_the_period_or_that_alarmed_behind_it_is_none_of_it(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode before = episode_at(-5000), after = episode_at(3 * 1440 + 5);
	char text[KRYOS_EPISODE_TEXT_MAX];

	tell(bench, &before, 0);
	before.end = before.start;
	before.ended_by = KRYOS_EPISODE_RECONFIGURED;
	before.rule.name = before.name;
	event(bench, KRYOS_EVENT_ALARM_OFF, -4000, FRIDGE, 0, 0, kryos_episode_text(&before, text));
	tell(bench, &after, 0);
	assert_int_equal(begin(bench, FRIDGE, "Cel")->rule_count, 0);
}

static void of_rules_that_changed_within_the_period_it_is_known_when_they_were_in_force(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel;

	/* The first list, which the period begins in, is no change of any. */
	configured(bench, 10, "alarm " FRIDGE, "every=5min " A);
	configured(bench, 10, "rules " FRIDGE " (2)", B);
	assert_ok(kri_report_channel(bench->report, FRIDGE, "Cel", "", &channel));
	assert_false(channel->rules_changed);
	configured(bench, 100, "alarm " FRIDGE, "every=1min " A);
	assert_false(channel->rules_changed);
	configured(bench, 200, "alarm " FRIDGE, "every=1min " B);
	configured(bench, 200, "rules " FRIDGE " (2)", C);
	begin(bench, FRIDGE, "Cel");
	assert_true(channel->rules_changed);
	assert_int_equal(channel->rule_count, 3);
	assert_true(channel->rule_times[0].from_ns == INT64_MIN);
	assert_int_equal(channel->rule_times[0].to_ns, FROM + KRYOS_MINUTES(200));
	assert_true(channel->rule_times[1].from_ns == INT64_MIN && channel->rule_times[1].to_ns == INT64_MAX);
	assert_int_equal(channel->rule_times[2].from_ns, FROM + KRYOS_MINUTES(200));
	assert_true(channel->rule_times[2].to_ns == INT64_MAX);
	/* From one part of the list to the other. */
	configured(bench, 300, "alarm " FRIDGE, "every=1min " C);
	configured(bench, 300, "rules " FRIDGE " (2)", B);
	assert_true(channel->rule_times[1].to_ns == INT64_MAX);
	assert_int_equal(channel->rule_times[2].from_ns, FROM + KRYOS_MINUTES(200));
}

static void of_a_channel_that_was_watched_no_more_before_the_period_there_are_no_limits(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel;

	configured(bench, -300, "alarm " FRIDGE,
	           "every=5min a kind=heat comparator=gt threshold=9 duration=1h mode=consecutive gap=hold, 2 more, "
	           "crc32c=01234567");
	configured(bench, -200, "alarm " FRIDGE, "nothing");
	channel = begin(bench, FRIDGE, "Cel");
	assert_int_equal(channel->rule_count, 0);
	assert_int_equal(channel->rules_unknown, 0);
	assert_false(channel->has_high);
}

static void more_rules_than_there_is_place_for_are_counted(void **state)
{
	struct bench *bench = *state;
	struct kri_report_channel *channel = begin(bench, FRIDGE, "Cel");
	struct kryos_rule rule = *kryos_profile_rule("who-refrigerator", 0);

	for (int i = 0; i < KRI_REPORT_MAX_RULES + 3; i++) {
		rule.threshold_micro++;
		kri_report_add_rule(channel, &rule, "heat");
	}
	assert_int_equal(channel->rule_count, KRI_REPORT_MAX_RULES);
	assert_int_equal(channel->rules_unknown, 3);
}

static void the_station_has_the_name_that_the_device_noted(void **state)
{
	struct bench *bench = *state;

	event(bench, KRYOS_EVENT_CONFIGURED, 5, "section station", 0, 0,
	      "by station file; was not known; is name = Clinic 3, Mawlai, timezone = Asia/Kolkata");
	assert_string_equal(bench->report->station, "Clinic 3, Mawlai");
	bench->config.station = "As the file has it now";
	again(bench);
	event(bench, KRYOS_EVENT_CONFIGURED, 5, "section station", 0, 0, "by x; was nothing; is name = Other");
	assert_string_equal(bench->report->station, "As the file has it now");
}

static void what_a_station_noted_of_itself_is_found_key_by_key(void **state)
{
	static const char text[] = "by station file; was name = Old, timezone = UTC; is name = Clinic 3, Mawlai, "
				   "timezone = Asia/Kolkata, vvm = vvm7, vvm14";
	char value[64] = "as it was";

	(void)state;
	assert_true(kri_report_noted(text, "name", value, sizeof(value)));
	assert_string_equal(value, "Clinic 3, Mawlai");
	assert_true(kri_report_noted(text, "timezone", value, sizeof(value)));
	assert_string_equal(value, "Asia/Kolkata");
	assert_true(kri_report_noted(text, "vvm", value, sizeof(value)));
	assert_string_equal(value, "vvm7, vvm14");
	assert_false(kri_report_noted(text, "language", value, sizeof(value)));
	assert_true(kri_report_noted("by x; was nothing; is timezone = UTC", "timezone", value, sizeof(value)));
	assert_string_equal(value, "UTC");
	assert_false(kri_report_noted("by x; was name = Old; is nothing", "name", value, sizeof(value)));
	assert_false(kri_report_noted("", "name", value, sizeof(value)));
}

static void the_newest_seal_over_events_is_kept(void **state)
{
	struct bench *bench = *state;
	struct kryos_event sealed = { .size = sizeof(sealed),
		                      .type = KRYOS_EVENT_SEALED,
		                      .name = "d",
		                      .text = "aa",
		                      .code = 1,
		                      .first_seq = 1,
		                      .last_seq = 7 };
	struct kryos_record record = { .size = sizeof(record), .device = "d", .channel = "", .event = &sealed };

	assert_ok(kri_report_take_event(bench->report, &record));
	sealed.text = "bb";
	sealed.last_seq = 12;
	assert_ok(kri_report_take_event(bench->report, &record));
	sealed.text = "cc"; /* of a segment */
	sealed.code = 0;
	assert_ok(kri_report_take_event(bench->report, &record));
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->event_seal.number, 12);
	assert_string_equal(bench->report->event_seal.hash, "bb");
}

static void a_door_is_counted_from_its_changes_within_the_period(void **state)
{
	struct bench *bench = *state;
	struct kri_report_contact *door;

	event(bench, KRYOS_EVENT_STATE, -30, "lid.open", 1, 0, "");
	event(bench, KRYOS_EVENT_STATE, 10, "lid.open", 0, KRYOS_MINUTES(40), "");
	event(bench, KRYOS_EVENT_STATE, 100, "lid.open", 1, KRYOS_MINUTES(90), "");
	event(bench, KRYOS_EVENT_STATE, 105, "lid.open", 0, KRYOS_MINUTES(5), "");
	event(bench, KRYOS_EVENT_STATE, 4300, "lid.open", 1, 0, "");
	event(bench, KRYOS_EVENT_STATE, 50, "grid.present", 0, 0, "");
	event(bench, KRYOS_EVENT_STATE, 80, "grid.present", 1, KRYOS_MINUTES(30), "");
	begin(bench, "lid.open", "/");
	sample_as(bench, "lid.open", 4305, 10, KRYOS_QUALITY_GOOD);
	sample_as(bench, "lid.open", 4310, 10, KRYOS_QUALITY_GOOD);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->contact_count, 2);
	door = &bench->report->contacts[0];
	assert_int_equal(door->count, 3);
	assert_int_equal(door->total_ns, KRYOS_MINUTES(10 + 5 + 20)); /* open at the end, until it */
	assert_false(door->is_at_least);
	assert_int_equal(door->longest_ns, KRYOS_MINUTES(20));
	assert_true(bench->report->contacts[1].is_power);
	assert_int_equal(bench->report->contacts[1].total_ns, KRYOS_MINUTES(30));
}

static void see(struct bench *bench, const char *name, int64_t from, int64_t to, bool is_one)
{
	for (; from < to; from += 5)
		sample_as(bench, name, from, is_one ? 10 : 0, KRYOS_QUALITY_GOOD);
}

static void assert_stretch(const struct kri_report_contact *contact, size_t at, int64_t from, int64_t to)
{
	assert_int_equal(contact->spans[at].from_ns, FROM + KRYOS_MINUTES(from));
	assert_int_equal(contact->spans[at].to_ns, FROM + KRYOS_MINUTES(to));
}

/* Behind a restart nobody tells what the door did meanwhile; a measurement stands for two intervals. */
static void a_door_whose_end_no_change_told_was_open_as_long_as_it_was_seen_so(void **state)
{
	struct bench *bench = *state;
	struct kri_report_contact *door;

	event(bench, KRYOS_EVENT_STATE, 102, "lid.open", 1, 0, "");
	event(bench, KRYOS_EVENT_STATE, 1002, "lid.open", 1, 0, "");
	event(bench, KRYOS_EVENT_STATE, 1098, "lid.open", 1, 0, "");
	event(bench, KRYOS_EVENT_STATE, 1203, "lid.open", 0, KRYOS_MINUTES(105), "");
	event(bench, KRYOS_EVENT_STATE, 3000, "lid.open", 1, 0, "");
	begin(bench, "lid.open", "/");
	see(bench, "lid.open", 0, 102, false);
	see(bench, "lid.open", 105, 125, true);
	see(bench, "lid.open", 160, 1001, false);
	see(bench, "lid.open", 1005, 1050, true);
	see(bench, "lid.open", 1055, 1096, false);
	see(bench, "lid.open", 1100, 1202, true);
	see(bench, "lid.open", 1205, 2000, false);
	see(bench, "lid.open", 2000, 2020, true);
	see(bench, "lid.open", 2020, 3000, false);
	assert_ok(kri_report_finish(bench->report));
	door = &bench->report->contacts[0];
	assert_int_equal(door->count, 5);
	assert_stretch(door, 0, 102, 130);
	assert_stretch(door, 1, 1002, 1055);
	assert_stretch(door, 2, 1098, 1203);
	assert_stretch(door, 3, 2000, 2020);
	assert_stretch(door, 4, 3000, 3010);
	assert_int_equal(door->total_ns, KRYOS_MINUTES(28 + 53 + 105 + 20 + 10));
	assert_int_equal(door->longest_ns, KRYOS_MINUTES(105));
	assert_true(door->is_at_least);
}

/* Means of periods say nothing of an instant; what the changes in them told is not counted once more. */
static void a_mean_of_a_contact_in_both_states_says_that_it_was_so_where_no_change_did(void **state)
{
	struct bench *bench = *state;
	struct kri_report_contact *door;

	event(bench, KRYOS_EVENT_STATE, 101, "lid.open", 1, 0, "");
	event(bench, KRYOS_EVENT_STATE, 104, "lid.open", 0, KRYOS_MINUTES(3), "");
	begin(bench, "lid.open", "/");
	see(bench, "lid.open", 0, 105, false);
	sample_as(bench, "lid.open", 105, 6, KRYOS_QUALITY_GOOD);
	see(bench, "lid.open", 110, 4320, false);
	assert_ok(kri_report_finish(bench->report));
	door = &bench->report->contacts[0];
	assert_int_equal(door->count, 1);
	assert_stretch(door, 0, 101, 104);
	assert_false(door->is_at_least);
	again(bench);
	begin(bench, "lid.open", "/");
	see(bench, "lid.open", 0, 105, false);
	sample_as(bench, "lid.open", 105, 6, KRYOS_QUALITY_GOOD);
	see(bench, "lid.open", 110, 4320, false);
	assert_ok(kri_report_finish(bench->report));
	door = &bench->report->contacts[0];
	assert_int_equal(door->count, 1);
	assert_int_equal(door->total_ns, 0);
	assert_true(door->is_at_least);
}

static void a_loss_of_power_tells_how_long_the_range_was_kept(void **state)
{
	struct bench *bench = *state;
	struct kryos_episode episode = episode_at(-9000);
	struct kri_report_channel *supply;
	const struct kryos_power_loss *loss;

	tell(bench, &episode, -8000); /* above 8 is out */
	begin(bench, FRIDGE, "Cel");
	assert_ok(kri_report_channel(bench->report, "grid.present", "/", "", &supply));
	assert_ok(kri_report_begin(bench->report, supply, KRYOS_MINUTES(5)));
	for (int64_t at = 0; at < 1000; at += 5) {
		sample_as(bench, "grid.present", at, at < 100 || at >= 400 ? 10 : 0, KRYOS_QUALITY_GOOD);
		sample(bench, at, at < 300 ? 50 : at < 450 ? 81 : 50);
	}
	sample_as(bench, "grid.present", 1000, 0, KRYOS_QUALITY_GOOD);
	sample(bench, 1000, 50);
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->loss_count, 2);
	loss = &bench->report->losses[0].loss;
	assert_int_equal(loss->known, KRYOS_LOSS_ENDED | KRYOS_LOSS_VALUE | KRYOS_LOSS_EXTREMES | KRYOS_LOSS_LEFT);
	assert_int_equal(loss->length_ns, KRYOS_MINUTES(300));
	assert_int_equal(loss->held_ns, KRYOS_MINUTES(195));
	assert_int_equal(loss->left_ns, KRYOS_MINUTES(200));
	assert_int_equal(loss->max_micro, 8100000);
	assert_false(bench->report->losses[1].loss.known & (KRYOS_LOSS_ENDED | KRYOS_LOSS_LEFT));
}

static void who_took_a_channel_out_of_service_and_why_is_kept(void **state)
{
	struct bench *bench = *state;

	event(bench, KRYOS_EVENT_RETIRED, 100, FRIDGE, 0, 0, "by=amina k. why=emptied, why=defrosted");
	event(bench, KRYOS_EVENT_RESUMED, 200, FRIDGE, 0, 0, "by=amina why=done");
	event(bench, KRYOS_EVENT_RETIRED, 300, FRIDGE, 0, 0, "by=joao why=again");
	assert_ok(kri_report_finish(bench->report));
	assert_int_equal(bench->report->retired_count, 2);
	assert_string_equal(bench->report->retired[0].by, "amina k.");
	assert_string_equal(bench->report->retired[0].why, "emptied, why=defrosted");
	assert_int_equal(bench->report->retired[0].to_ns, FROM + KRYOS_MINUTES(200));
	assert_true(bench->report->retired[1].to_ns == INT64_MAX);
}

static void a_period_that_ends_before_it_begins_is_refused(void **state)
{
	struct bench *bench = *state;
	struct kri_report *report = NULL;

	bench->config.to_ns = FROM;
	assert_fails(-EINVAL, kri_report_new(&report, &bench->config));
	bench->config.to_ns = FROM + KRYOS_DAYS(4000);
	assert_fails(-EINVAL, kri_report_new(&report, &bench->config));
	assert_null(report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(beginning_end_and_acknowledgement_make_one_episode),
		TEST(an_episode_outside_of_the_period_is_left_out_and_one_that_reaches_in_is_not),
		TEST(what_was_stamped_before_the_clock_was_set_is_corrected_as_its_boot_was),
		TEST(a_text_that_is_no_episode_is_no_episode),
		TEST(a_gap_has_the_reason_that_is_known_of_it),
		TEST(the_parts_of_a_day_add_up_to_the_day),
		TEST(the_measurement_before_the_period_stands_into_it),
		TEST(samples_that_were_given_up_are_named_as_that),
		TEST(one_missed_measurement_is_no_gap_and_a_slower_interval_becomes_the_usual_one),
		TEST(a_day_has_its_lowest_highest_and_the_time_out_of_limits_on_it),
		TEST(power_is_no_measurement_of_another_channel),
		TEST(time_above_is_the_sum_of_the_days_to_the_end_of_the_period),
		TEST(lowest_and_highest_of_recorded_periods_widen_the_curve_of_their_mean),
		TEST(a_profile_finds_what_the_device_did_not_tell_and_says_nothing_twice),
		TEST(a_channel_out_of_service_is_not_judged),
		TEST(limits_are_those_that_the_device_said_were_in_force),
		TEST(rules_are_those_of_all_parts_of_the_list_that_the_device_noted),
		TEST(a_rule_of_two_parts_is_in_force_until_the_last_of_them_goes),
		TEST(of_a_list_without_its_first_part_the_rest_is_not_all),
		TEST(a_rule_of_an_alarm_of_before_is_none_of_a_period_for_which_the_device_noted_all),
		TEST(a_rule_that_was_taken_away_before_the_period_or_that_alarmed_behind_it_is_none_of_it),
		TEST(of_rules_that_changed_within_the_period_it_is_known_when_they_were_in_force),
		TEST(of_a_channel_that_was_watched_no_more_before_the_period_there_are_no_limits),
		TEST(more_rules_than_there_is_place_for_are_counted),
		TEST(the_station_has_the_name_that_the_device_noted),
		TEST(what_a_station_noted_of_itself_is_found_key_by_key),
		TEST(the_newest_seal_over_events_is_kept),
		TEST(a_door_is_counted_from_its_changes_within_the_period),
		TEST(a_door_whose_end_no_change_told_was_open_as_long_as_it_was_seen_so),
		TEST(a_mean_of_a_contact_in_both_states_says_that_it_was_so_where_no_change_did),
		TEST(a_loss_of_power_tells_how_long_the_range_was_kept),
		TEST(who_took_a_channel_out_of_service_and_why_is_kept),
		TEST(a_period_that_ends_before_it_begins_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
