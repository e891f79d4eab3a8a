/* SPDX-License-Identifier: Apache-2.0 */
/* A look at what the store keeps of alarms, and what people say of it, where no station runs. */
#include "monitor_rig.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void visit(struct watch *watch)
{
	watch_start(watch);
	assert_ok(kri_monitor_visit(watch->monitor));
}

/* Samples of the fridge are stored and judged by nobody, as if the device had crashed before it kept what it judged. */
static void store_unjudged(struct watch *watch, int minutes, int64_t value_micro)
{
	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	for (int i = 0; i < minutes; i++)
		watch_minute(watch, value_micro);
	watch_stop(watch);
}

/* An open alarm, and then some samples that nobody judged, as after a crash. */
static void live(struct watch *watch)
{
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	assert_int_equal(watch->on, 1);
	watch_stop(watch);
	store_unjudged(watch, 4, 10000000);
	visit(watch);
}

static void what_is_kept_is_seen_and_nothing_is_written(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kri_visited visited;
	unsigned int configured;

	live(watch);
	assert_true(kri_monitor_get_visited(watch->monitor, 0, &visited));
	assert_string_equal(visited.channel, FRIDGE);
	assert_null(visited.unread);
	assert_int_equal(visited.measured.t_boot_ns, kryos_fake_clock_boot_ns(watch->rig->clock));
	assert_false(kri_monitor_get_visited(watch->monitor, 1, &visited));
	configured = watch_stored(watch, KRYOS_EVENT_CONFIGURED, NULL, NULL);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_string_equal(channel.channel, FRIDGE);
	assert_int_equal(channel.open, 1 << KRYOS_RULE_HEAT);
	assert_int_equal(channel.rule_count, 1);
	assert_string_equal(channel.unit, "Cel");
	assert_non_null(channel.history);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_string_equal(alarm.episode.name, "warm");
	assert_int_equal(alarm.episode.extreme_micro, 10000000);
	assert_int_equal(alarm.episode.duration_ns, KRYOS_MINUTES(10));
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.acknowledged, 0);
	assert_int_equal(alarm.episode.extreme_micro, 10000000); /* what was stored is judged by who watches */
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, NULL, NULL), configured);
	watch_stop(watch);
}

static void what_is_acknowledged_goes_on_being_judged(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };

	live(watch);
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.acknowledged, 1);
	assert_int_equal(alarm.episode.extreme_micro, 10000000);
	assert_int_equal(alarm.episode.duration_ns, KRYOS_MINUTES(10));
	watch_stop(watch);
}

static void who_retires_a_channel_costs_it_no_exposure(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_exposure_result exposure = { .size = sizeof(exposure) };
	struct kryos_episode off;

	live(watch);
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	assert_fails(-EALREADY, kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, &off), 1);
	assert_int_equal(off.ended_by, KRYOS_EPISODE_RETIRED);
	assert_int_equal(off.extreme_micro, 10000000);
	assert_int_equal(off.duration_ns, KRYOS_MINUTES(10));
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.retired, 1);
	assert_ok(kryos_history_get(channel.history, KRYOS_WINDOW_ALL, &exposure));
	assert_int_equal(exposure.samples, 11);
	watch_stop(watch);
}

/* What began and ended since the state was kept is told by whoever is the first to store something of it. */
static void an_alarm_that_began_since_is_told_once(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_rule hot = watch_warm;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_minute(watch, 5000000);
	watch_stop(watch);
	store_unjudged(watch, 8, 9000000);
	for (int i = 0; i < 2; i++) {
		visit(watch);
		assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
		assert_int_equal(alarm.episode.duration_ns, KRYOS_MINUTES(7));
		watch_stop(watch);
	}
	watch_start(watch);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL), 0);
	watch_stop(watch);
	visit(watch);
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL), 1);
	watch_stop(watch);
	hot.threshold_micro = 8500000; /* the rule is another one when the station comes back */
	watch_start(watch);
	watch_rules(watch, FRIDGE, &hot, 1);
	assert_int_equal(watch->on, 0);
	assert_int_equal(watch->off, 1);
	assert_int_equal(watch->last.ended_by, KRYOS_EPISODE_RECONFIGURED);
	assert_int_equal(watch->last.duration_ns, KRYOS_MINUTES(7));
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL), 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, NULL), 1);
	watch_stop(watch);
}

/* Whatever it measures: what says so is kept, and what of it was stored is judged. */
static void what_is_no_temperature_has_its_unit_and_no_exposure(void **state)
{
	struct kryos_rule dry = watch_warm;
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_sample sample;
	uint32_t number;

	dry.kind = KRYOS_RULE_CUSTOM;
	dry.comparator = KRYOS_COMPARATOR_LT;
	dry.threshold_micro = 30000000;
	watch_start(watch);
	assert_ok(kryos_monitor_watch(watch->monitor, "room.humidity",
	                              KRYOS_MONITOR_CHANNEL_CONFIG(.rules = &dry, .rule_count = 1, .unit = "%RH",
	                                                           .interval_ns = KRYOS_MINUTES(1))));
	watch_stop(watch);
	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	assert_ok(kryos_channel_add(watch->rig->ctx, "room.humidity", "%RH", &number));
	for (int i = 0; i < 8; i++) {
		watch_judge(watch, number, 25000000, &sample);
		assert_ok(kryos_store_append(watch->rig->store, &sample, 1));
	}
	watch_stop(watch);
	visit(watch);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_string_equal(channel.unit, "%RH");
	assert_null(channel.history);
	assert_int_equal(channel.open, 1 << KRYOS_RULE_CUSTOM);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.episode.extreme_micro, 25000000);
	watch_stop(watch);
}

/* What is to be told of one channel is not in the way of what was said of another. */
static void what_was_said_of_a_channel_is_kept_for_itself(void **state)
{
	struct watch *watch = *state;
	struct kryos_sample sample;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_rules(watch, ROOM, &watch_warm, 1);
	watch_minute(watch, 5000000);
	watch_stop(watch);
	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	for (int i = 0; i < 8; i++) {
		watch_minute(watch, 9000000);
		watch_judge(watch, watch->rig->room, 9000000, &sample);
		assert_ok(kryos_store_append(watch->rig->store, &sample, 1));
	}
	watch_stop(watch);
	visit(watch);
	assert_false(kri_monitor_is_kept(watch->monitor, FRIDGE));
	assert_false(kri_monitor_is_kept(watch->monitor, ROOM));
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
	assert_true(kri_monitor_is_kept(watch->monitor, FRIDGE));
	assert_false(kri_monitor_is_kept(watch->monitor, ROOM));
	watch_stop(watch);
	watch_start(watch);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL), 1);
	watch_stop(watch);
}

/* More than is told with one thing that is said: the station tells it as it stores it. */
static void what_is_too_much_to_be_told_at_once_is_seen_and_refused(void **state)
{
	struct kryos_rule restless = watch_warm;
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };

	restless.duration_ns = 0;
	watch_start(watch);
	watch_rules(watch, FRIDGE, &restless, 1);
	watch_stop(watch);
	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	for (int i = 0; i < 200; i++)
		watch_minute(watch, i % 2 ? 5000000 : 9000000);
	watch_stop(watch);
	visit(watch);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 15, &alarm));
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.older, 100 - 16);
	assert_fails(-EAGAIN, kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	assert_says(-EAGAIN, "the daemon has to run first");
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &restless, 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL), 100);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, NULL), 100);
	watch_stop(watch);
}

static void rules_that_nobody_has_judged_by_yet_are_told_of_by_the_station_only(void **state)
{
	struct watch *watch = *state;
	struct kryos_rule hot = watch_warm;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_minute(watch, 5000000);
	watch_stop(watch);
	store_unjudged(watch, 8, 9000000);
	visit(watch);
	watch_stop(watch);
	hot.threshold_micro = 9500000;
	watch_start(watch);
	watch_rules(watch, FRIDGE, &hot, 1);
	assert_int_equal(watch->on + watch->off, 0); /* by these there never was an alarm */
	watch_stop(watch);
}

static void watch_rows(struct watch *watch, const struct kryos_rule *rule)
{
	assert_ok(kryos_monitor_watch(watch->monitor, FRIDGE,
	                              KRYOS_MONITOR_CHANNEL_CONFIG(.rules = rule, .rule_count = 1,
	                                                           .interval_ns = KRYOS_MINUTES(5),
	                                                           .record_ns = KRYOS_MINUTES(15))));
}

/* A row each 15 min, of which each stands for as many measurements; hours that nobody judged. */
static void rows_of_a_period_are_judged_as_the_station_does(void **state)
{
	struct watch *watch = *state;
	struct kryos_exposure_result exposure = { .size = sizeof(exposure) };
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_rule hours = watch_warm;

	hours.duration_ns = KRYOS_HOURS(1);
	watch_start(watch);
	watch_rows(watch, &hours);
	watch_minute(watch, 5000000);
	watch_stop(watch);
	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	for (int i = 0; i < 8; i++) {
		kryos_fake_clock_advance(watch->rig->clock, KRYOS_MINUTES(14));
		watch_minute(watch, 9000000);
	}
	watch_stop(watch);
	visit(watch);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.episode.duration_ns, KRYOS_MINUTES(8 * 15 - 5));
	assert_int_equal(alarm.episode.indeterminate_ns, 0);
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
	watch_stop(watch);
	watch_start(watch);
	watch_rows(watch, &hours);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_ok(kryos_history_get(channel.history, KRYOS_WINDOW_ALL, &exposure));
	assert_int_equal(exposure.samples, 1 + 8 * 3);
	assert_int_equal(exposure.time_ns, KRYOS_MINUTES(8 * 15));
	watch_stop(watch);
}

static struct kryos_exposure_result exposure_of(struct watch *watch)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_exposure_result exposure = { .size = sizeof(exposure) };

	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_ok(kryos_history_get(channel.history, KRYOS_WINDOW_ALL, &exposure));
	return exposure;
}

/*
 * A window full of stretches is more than the store keeps: what people say is kept, and all but what was judged, which
 * is made again. How its alarms end nobody can say until then.
 */
static void a_state_without_the_part_of_the_evaluator_stays_without(void **state)
{
	struct kryos_rule dose = watch_warm;
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	int64_t accumulated_ns, above_ns;

	dose.mode = KRYOS_RULE_CUMULATIVE;
	dose.duration_ns = KRYOS_HOURS(5);
	dose.window_ns = KRYOS_DAYS(30);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &dose, 1);
	for (int i = 0; i < 1300; i++)
		watch_minute(watch, i % 2 ? 9000000 : 5000000);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	accumulated_ns = alarm.episode.accumulated_ns;
	above_ns = exposure_of(watch).above_ns;
	assert_true(above_ns > KRYOS_HOURS(10));
	watch_stop(watch);
	visit(watch);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.open, 1 << KRYOS_RULE_HEAT);
	assert_int_equal(exposure_of(watch).above_ns, above_ns);
	assert_fails(-EAGAIN, kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	assert_says(-EAGAIN, "the daemon has to run first");
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &dose, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.acknowledged, 1);
	assert_int_equal(alarm.episode.accumulated_ns, accumulated_ns);
	assert_int_equal(exposure_of(watch).above_ns, above_ns);
	watch_stop(watch);
}

static void expect_unread(struct watch *watch, const char *why)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kri_visited visited;

	assert_true(kri_monitor_get_visited(watch->monitor, 0, &visited));
	assert_string_equal(visited.channel, FRIDGE);
	assert_non_null(visited.unread);
	assert_non_null(strstr(visited.unread, why));
	assert_false(kri_monitor_get_visited(watch->monitor, 1, &visited));
	assert_fails(-ENOENT, kryos_monitor_get_channel(watch->monitor, 0, &channel));
}

/* Which channels there are is known by the rules that were noted; what is open, by the events. */
static void a_state_that_is_lost_or_none_is_said_and_the_events_are_asked(void **state)
{
	static const char *const losses[] = { "DELETE FROM state", "DELETE FROM state WHERE key LIKE 'alarm:%'" };
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	for (int i = 0; i < 10; i++) /* one that is over, and one that goes on */
		watch_minute(watch, i == 6 ? 5000000 : 9000000);
	for (int i = 0; i < 6; i++)
		watch_minute(watch, 9500000);
	assert_int_equal(watch->on, 2);
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "by=me comment=seen"));
	watch_stop(watch);
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		assert_true(rig_sql(in(watch->rig->path, "state.db"), losses[i]) > 0);
		visit(watch);
		expect_unread(watch, "nothing is kept of it");
		assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
		assert_string_equal(alarm.channel, FRIDGE);
		assert_int_equal(alarm.episode.ended_by, KRYOS_EPISODE_OPEN);
		assert_int_equal(alarm.acknowledged, 1);
		assert_string_equal(alarm.by, "asha");
		assert_string_equal(alarm.comment, "by=me comment=seen");
		assert_fails(-ENOENT, kryos_monitor_get_alarm(watch->monitor, 1, &alarm));
		assert_fails(-EAGAIN, kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
		assert_fails(-EAGAIN, kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
		watch_stop(watch);
		watch_start(watch);
		watch_rules(watch, FRIDGE, &watch_warm, 1);
		assert_int_equal(watch->on + watch->off, 0);
		watch_stop(watch);
	}
}

static void a_state_of_another_version_is_unread(void **state)
{
	static const char other[] = "monitor 2\n";
	struct watch *watch = *state;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	kryos_monitor_free(watch->monitor);
	assert_ok(kri_store_put_state(watch->rig->store, "alarm:" FRIDGE, other, sizeof(other) - 1, NULL, 0));
	watch_stop(watch);
	visit(watch);
	expect_unread(watch, "no state of this version");
	watch_stop(watch);
}

static void a_channel_that_was_never_watched_is_not_known_where_it_should_be(void **state)
{
	struct watch *watch = *state;
	struct kri_visited visited;

	visit(watch);
	assert_false(kri_monitor_get_visited(watch->monitor, 0, &visited));
	assert_ok(kri_monitor_visit_channel(watch->monitor, FRIDGE));
	assert_ok(kri_monitor_visit_channel(watch->monitor, FRIDGE));
	expect_unread(watch, "nothing is kept of it");
	watch_stop(watch);
}

/* What a station does first and somebody says then, or somebody alone: what a crash left is the same in the end. */
#define RUNS 24

enum saying { NOTHING, ACKNOWLEDGE, RETIRE, RETIRE_AND_RESUME, SAYINGS };

/* Whether anything was said. */
static bool say(struct watch *watch, enum saying saying)
{
	int r = saying == NOTHING ? -ENOENT : 0;

	if (saying == ACKNOWLEDGE)
		r = kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen");
	assert_true(r >= 0 || r == -ENOENT);
	if (saying == RETIRE || saying == RETIRE_AND_RESUME)
		assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	if (saying == RETIRE_AND_RESUME)
		assert_ok(kryos_monitor_resume(watch->monitor, FRIDGE, "asha", "full"));
	return r >= 0;
}

static void live_some_minutes(struct watch *watch, uint64_t *random, unsigned int most)
{
	unsigned int minutes = (unsigned int)(next_random(random) % most);
	int64_t value_micro = 9000000;

	while (minutes--) {
		if (next_random(random) % 6 == 0)
			value_micro = 5000000 + (int64_t)(next_random(random) % 6) * 1000000;
		watch_minute(watch, value_micro);
	}
}

static void write_events(struct watch *watch, FILE *stream)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;

	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_reader_open(&reader, watch->rig->ctx, watch->rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		enum kryos_event_type type = record->event->type;

		if (type == KRYOS_EVENT_ALARM_ON || type == KRYOS_EVENT_ALARM_OFF || type == KRYOS_EVENT_ACKNOWLEDGED ||
		    type == KRYOS_EVENT_RETIRED || type == KRYOS_EVENT_RESUMED)
			fprintf(stream, "%s %s\n", kryos_event_type_name(type), record->event->text);
	}
	kryos_reader_close(reader);
}

/* All that was stored of alarms, and how they and the exposure stand; free() it. */
static char *run(uint64_t seed, bool visited)
{
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_exposure_result exposure;
	struct kryos_rule rule = watch_warm;
	struct watch *watch = NULL;
	char *text = NULL, episode[KRYOS_EPISODE_TEXT_MAX];
	uint64_t random = seed;
	enum saying saying;
	void *rig = NULL;
	size_t count;
	FILE *stream;

	watch_setup(&rig);
	watch = rig;
	rule.mode = next_random(&random) % 2 ? KRYOS_RULE_CUMULATIVE : KRYOS_RULE_CONSECUTIVE;
	rule.window_ns = rule.mode == KRYOS_RULE_CUMULATIVE ? KRYOS_HOURS(1) : 0;
	watch_start(watch);
	watch_rules(watch, FRIDGE, &rule, 1);
	live_some_minutes(watch, &random, 40);
	watch_stop(watch);
	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	live_some_minutes(watch, &random, 20);
	watch_stop(watch);
	if (next_random(&random) % 2)
		kryos_fake_clock_reboot(watch->rig->clock);
	saying = (enum saying)(next_random(&random) % SAYINGS);
	if (visited) {
		visit(watch);
	} else {
		watch_start(watch);
		watch_rules(watch, FRIDGE, &rule, 1);
	}
	/* Of what nobody said anything, other rules tell another story. */
	if (say(watch, saying) && next_random(&random) % 2)
		rule.duration_ns *= 2;
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &rule, 1);
	live_some_minutes(watch, &random, 20);
	stream = open_memstream(&text, &count);
	assert_non_null(stream);
	write_events(watch, stream);
	for (unsigned int i = 0; kryos_monitor_get_alarm(watch->monitor, i, &alarm) >= 0; i++)
		fprintf(stream, "%u %s\n", alarm.acknowledged, kryos_episode_text(&alarm.episode, episode));
	exposure = exposure_of(watch);
	fprintf(stream, "%" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", exposure.samples, exposure.time_ns,
	        exposure.above_ns, exposure.mkt_micro);
	fclose(stream);
	watch_stop(watch);
	watch_teardown(&rig);
	return text;
}

static void who_says_it_without_a_station_leaves_what_one_would(void **state)
{
	uint64_t seed = seed_from_environment(20261122);
	unsigned int told = 0;

	(void)state;
	for (unsigned int n = 0; n < RUNS; n++) {
		char *by_visit = run(seed + n, true), *by_station = run(seed + n, false);

		if (strcmp(by_visit, by_station) != 0)
			fail_msg("KRYOS_SEED=%" PRIu64 ": without a station\n%swith one\n%s", seed + n, by_visit,
			         by_station);
		told += strstr(by_visit, "alarm-on") != NULL;
		free(by_visit);
		free(by_station);
	}
	assert_true(told > RUNS / 4);
	print_message("seed %" PRIu64 ": %d runs, %u with alarms\n", seed, RUNS, told);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_is_kept_is_seen_and_nothing_is_written),
		CASE(what_is_acknowledged_goes_on_being_judged),
		CASE(who_retires_a_channel_costs_it_no_exposure),
		CASE(an_alarm_that_began_since_is_told_once),
		CASE(what_is_no_temperature_has_its_unit_and_no_exposure),
		CASE(what_was_said_of_a_channel_is_kept_for_itself),
		CASE(what_is_too_much_to_be_told_at_once_is_seen_and_refused),
		CASE(rules_that_nobody_has_judged_by_yet_are_told_of_by_the_station_only),
		CASE(rows_of_a_period_are_judged_as_the_station_does),
		CASE(a_state_without_the_part_of_the_evaluator_stays_without),
		CASE(a_state_that_is_lost_or_none_is_said_and_the_events_are_asked),
		CASE(a_state_of_another_version_is_unread),
		CASE(a_channel_that_was_never_watched_is_not_known_where_it_should_be),
		cmocka_unit_test(who_says_it_without_a_station_leaves_what_one_would),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
