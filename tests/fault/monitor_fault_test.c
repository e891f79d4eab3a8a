/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor under cuts, lost state and disks that fail: each event is told at once, and stored once. */
#include "monitor_rig.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define C(celsius) ((int64_t)(celsius)*1000000)

static const struct kryos_rule warm = { .size = sizeof(warm),
	                                .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	                                .name = "warm",
	                                .kind = KRYOS_RULE_HEAT,
	                                .comparator = KRYOS_COMPARATOR_GT,
	                                .threshold_micro = C(8),
	                                .duration_ns = KRYOS_MINUTES(2) };
/* One that flaps with every sample. */
static const struct kryos_rule restless = { .size = sizeof(restless),
	                                    .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	                                    .name = "restless",
	                                    .kind = KRYOS_RULE_CUSTOM,
	                                    .comparator = KRYOS_COMPARATOR_GT,
	                                    .threshold_micro = C(8),
	                                    .duration_ns = 0 };

/* Beginnings and ends as stored, in order. */
struct told {
	unsigned int count;
	struct {
		bool end;
		struct kryos_instant trigger;
	} events[64];
};

static void read_told(struct watch *watch, struct told *told)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_episode episode;

	told->count = 0;
	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_reader_open(&reader, watch->rig->ctx, watch->rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_ALARM_ON && record->event->type != KRYOS_EVENT_ALARM_OFF)
			continue;
		assert_string_equal(record->event->name, FRIDGE);
		assert_ok(kryos_episode_parse(&episode, record->event->text));
		assert_true(told->count < 64);
		told->events[told->count].end = episode.ended_by != KRYOS_EPISODE_OPEN;
		told->events[told->count++].trigger = episode.trigger;
	}
	kryos_reader_close(reader);
}

/* What the first count of these values tell, a minute apart, by an evaluator that nobody ever stopped. */
static void expect(const int64_t *values, size_t count, int64_t first_ns, struct told *told)
{
	struct kryos_evaluator *evaluator;
	const struct kryos_episode *episode;

	told->count = 0;
	assert_ok(kryos_evaluator_new(&evaluator, KRYOS_MINUTES(1)));
	assert_ok(kryos_evaluator_add(evaluator, &warm));
	for (size_t i = 0; i < count; i++) {
		struct kryos_sample sample = { .value_micro = values[i],
			                       .boot = 1,
			                       .t_boot_ns = first_ns + (int64_t)i * KRYOS_MINUTES(1),
			                       .trust = KRYOS_TRUST_SYNCED };

		assert_ok(kryos_evaluator_take(evaluator, &sample));
		while (kryos_evaluator_next(evaluator, &episode) > 0) {
			told->events[told->count].end = episode->ended_by != KRYOS_EPISODE_OPEN;
			told->events[told->count++].trigger = episode->trigger;
		}
	}
	kryos_evaluator_free(evaluator);
}

static bool is_same(const struct told *one, const struct told *other)
{
	if (one->count != other->count)
		return false;
	for (unsigned int i = 0; i < one->count; i++)
		if (one->events[i].end != other->events[i].end ||
		    one->events[i].trigger.t_boot_ns != other->events[i].trigger.t_boot_ns ||
		    one->events[i].trigger.boot != other->events[i].trigger.boot)
			return false;
	return true;
}

/* At whatever write the power goes, between samples and state or in the middle of either. */
static void a_cut_leaves_each_event_once(void **state)
{
	static const int64_t values[] = { C(5), C(9), C(9), C(9), C(5), C(9), C(9), C(9), C(9) };
	enum { COUNT = sizeof(values) / sizeof(values[0]) };
	struct watch *watch = *state;
	struct rig *rig = watch->rig;
	unsigned int least = 99, most = 0, ahead = 0, tried = 0;
	struct told told, expected;
	char own[sizeof(rig->path)];
	int64_t first_ns = 0;
	uint64_t version = 0;
	size_t count;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	watch_stop(watch);
	cutvfs_record(rig->vfs, rig->path);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	for (int i = 0; i < COUNT; i++) {
		struct kryos_sample sample;

		watch_judge(watch, rig->fridge, values[i], &sample);
		first_ns = first_ns ? first_ns : sample.t_boot_ns;
		/* An event may be on the disk before the sample that decided it. */
		if (i > 4)
			assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
		assert_ok(kryos_store_append(rig->store, &sample, 1));
	}
	watch_stop(watch);
	cutvfs_stop(rig->vfs);
	count = cutvfs_count(rig->vfs);
	strcpy(own, rig->path);
	for (enum cut_mode mode = 0; mode < CUT_MODE_COUNT; mode++) {
		struct cut_replay *replay = cut_replay_new(rig->vfs, mode, 20261120);

		for (size_t cut = 0; cut <= count; cut++) {
			int64_t stored;

			cut_replay_to(replay, cut);
			if (cut && cut_replay_version(replay) == version)
				continue;
			version = cut_replay_version(replay);
			snprintf(rig->path, sizeof(rig->path), "%s", in(rig->folder, "cut"));
			cut_replay_write(replay, rig->path);
			kryos_fake_clock_reboot(rig->clock);
			watch_start(watch);
			stored = rig_count(rig);
			watch_rules(watch, FRIDGE, &warm, 1);
			read_told(watch, &told);
			expect(values, (size_t)stored, first_ns, &expected);
			/* What was judged may be a sample ahead of what was stored. */
			if (!is_same(&told, &expected) && stored < COUNT) {
				expect(values, (size_t)stored + 1, first_ns, &expected);
				ahead++;
			}
			if (!is_same(&told, &expected))
				fail_msg("%s, cut at %zu of %zu (%s): %u events of %lld samples", cut_mode_name(mode),
				         cut, count, cutvfs_describe(rig->vfs, cut ? cut - 1 : 0), told.count,
				         (long long)stored);
			least = told.count < least ? told.count : least;
			most = told.count > most ? told.count : most;
			/* What is open goes on, and ends once. */
			watch_minute(watch, C(5));
			read_told(watch, &told);
			assert_int_equal(told.count % 2, 0);
			for (unsigned int i = 0; i < told.count; i++)
				assert_int_equal(told.events[i].end, i % 2);
			watch_stop(watch);
			strcpy(rig->path, own);
			tried++;
		}
		cut_replay_free(replay);
	}
	print_message("%u cuts, %u with the state ahead of the samples\n", tried, ahead);
	assert_true(ahead > 0);
	assert_int_equal(least, 0);
	assert_int_equal(most, 3);
}

/* As the newest segment's header has it, beside events that could be saved. */
static void a_state_older_than_the_events_tells_nothing_twice(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	char sql[600];
	struct told told;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	watch_minute(watch, C(9));
	watch_stop(watch);
	fclose(fopen(in(watch->rig->folder, "old.db"), "w"));
	snprintf(sql, sizeof(sql), "ATTACH '%s' AS old; CREATE TABLE old.state AS SELECT * FROM state",
	         in(watch->rig->folder, "old.db"));
	rig_sql(in(watch->rig->path, "state.db"), sql);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	for (int i = 0; i < 3; i++)
		watch_minute(watch, C(9));
	watch_minute(watch, C(5));
	for (int i = 0; i < 3; i++)
		watch_minute(watch, C(9));
	watch_stop(watch);
	snprintf(sql, sizeof(sql), "ATTACH '%s' AS old; INSERT OR REPLACE INTO state SELECT * FROM old.state",
	         in(watch->rig->folder, "old.db"));
	assert_true(rig_sql(in(watch->rig->path, "state.db"), sql) > 0);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	assert_int_equal(watch->on + watch->off, 0);
	read_told(watch, &told);
	assert_int_equal(told.count, 3);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm)); /* ended, and nobody has seen it */
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 1, &alarm));
	assert_int_equal(alarm.episode.ended_by, KRYOS_EPISODE_OPEN);
	assert_int_equal(alarm.episode.trigger.t_boot_ns, told.events[2].trigger.t_boot_ns);
	watch_minute(watch, C(5));
	assert_int_equal(watch->off, 1);
	watch_stop(watch);
}

static void without_state_db_an_open_episode_goes_on(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_instant start;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	watch_minute(watch, C(9));
	watch_minute(watch, C(5));
	for (int i = 0; i < 3; i++)
		watch_minute(watch, C(9));
	assert_int_equal(watch->on, 1);
	start = watch->last.start;
	watch_stop(watch);
	assert_int_equal(unlink(in(watch->rig->path, "state.db")), 0);
	unlink(in(watch->rig->path, "state.db-wal"));
	unlink(in(watch->rig->path, "state.db-shm"));
	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	assert_int_equal(watch->on, 1); /* nobody knows that it was told */
	assert_int_equal(watch->last.start.t_boot_ns, start.t_boot_ns);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.episode.start.t_boot_ns, start.t_boot_ns);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	assert_int_equal(watch->on, 0);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL), 1);
	watch_stop(watch);
}

static bool is_stored(void *data)
{
	struct watch *watch = data;

	watch_take_events(watch);
	return kryos_store_flush(watch->rig->store, KRYOS_MILLISECONDS(100)) >= 0;
}

static void an_alarm_comes_at_once_from_a_device_with_a_dead_disk(void **state)
{
	struct watch *watch = *state;
	struct kryos_sample sample;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	watch_minute(watch, C(5));
	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	cutvfs_fail(watch->rig->vfs, CUT_CALL_ANY, NULL, 1, SQLITE_IOERR, true);
	for (int i = 0; i < 3; i++)
		watch_judge(watch, watch->rig->fridge, C(9), &sample);
	assert_int_equal(watch->on, 1);
	assert_int_equal(sample.alarm, 1 << KRYOS_RULE_HEAT);
	watch_judge(watch, watch->rig->fridge, C(5), &sample);
	assert_int_equal(watch->off, 1);
	cutvfs_fail(watch->rig->vfs, CUT_CALL_ANY, NULL, 0, 0, false);
	assert_true(process_until(watch->rig->ctx, is_stored, watch, 20000));
	assert_int_equal(watch->on + watch->off, 2); /* not told again when they are stored */
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL), 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, NULL), 1);
	watch_stop(watch);
}

/* The store takes no event any more. */
static void fill_store(struct watch *watch)
{
	cutvfs_fail(watch->rig->vfs, CUT_CALL_ANY, NULL, 1, SQLITE_IOERR, true);
	while (kryos_store_add_event(watch->rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }) >= 0)
		;
}

static bool has_all(void *data)
{
	struct watch *watch = data;

	return is_stored(watch) && watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL) > 0;
}

static void what_the_store_has_no_place_for_is_told_and_stored_later(void **state)
{
	struct watch *watch = *state;
	struct kryos_sample sample;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	watch_minute(watch, C(5));
	fill_store(watch);
	for (int i = 0; i < 3; i++)
		watch_judge(watch, watch->rig->fridge, C(9), &sample);
	assert_int_equal(watch->on, 1);
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "the disk is dead too"));
	cutvfs_fail(watch->rig->vfs, CUT_CALL_ANY, NULL, 0, 0, false);
	assert_true(process_until(watch->rig->ctx, has_all, watch, 20000));
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL), 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ACKNOWLEDGED, NULL, NULL), 1);
	watch_stop(watch);
}

/* At a later one it would end what began since. */
static void what_is_said_before_a_dead_disk_is_stored_with_its_own_time(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_sample sample;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	watch_minute(watch, C(5));
	fill_store(watch);
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "defrosting"));
	kryos_fake_clock_advance(watch->rig->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_monitor_resume(watch->monitor, FRIDGE, "asha", "done"));
	for (int i = 0; i < 3; i++)
		watch_judge(watch, watch->rig->fridge, C(9), &sample);
	assert_int_equal(watch->on, 1);
	kryos_fake_clock_advance(watch->rig->clock, KRYOS_SECONDS(10));
	cutvfs_fail(watch->rig->vfs, CUT_CALL_ANY, NULL, 0, 0, false);
	assert_true(process_until(watch->rig->ctx, has_all, watch, 20000));
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_RESUMED, NULL, NULL), 1);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.episode.ended_by, KRYOS_EPISODE_OPEN);
	watch_stop(watch);
}

static void what_is_watched_no_more_waits_for_the_disk_to_say_so(void **state)
{
	struct watch *watch = *state;
	struct kryos_episode off;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };

	watch_start(watch);
	watch_rules(watch, FRIDGE, &warm, 1);
	for (int i = 0; i < 3; i++)
		watch_minute(watch, C(9));
	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	fill_store(watch);
	assert_ok(kryos_monitor_unwatch(watch->monitor, FRIDGE));
	watch_take_events(watch);
	assert_int_equal(watch->off, 1);
	assert_fails(-ENOENT, kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_fails(-EAGAIN, kryos_monitor_watch(watch->monitor, FRIDGE,
	                                          KRYOS_MONITOR_CHANNEL_CONFIG(.rules = &warm, .rule_count = 1,
	                                                                       .interval_ns = KRYOS_MINUTES(1))));
	cutvfs_fail(watch->rig->vfs, CUT_CALL_ANY, NULL, 0, 0, false);
	for (int i = 0; i < 200 && watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, &off) == 0; i++)
		process_for(watch->rig->ctx, 100);
	assert_int_equal(off.ended_by, KRYOS_EPISODE_RECONFIGURED);
	watch_rules(watch, FRIDGE, &warm, 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, NULL), 1);
	watch_stop(watch);
}

/* How many events of the channel say that others are missing; the last one's text. */
static int watch_lost(struct watch *watch, char *ret_text)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int count = 0;

	assert_ok(kryos_reader_open(&reader, watch->rig->ctx, watch->rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_STORE || strcmp(record->event->name, FRIDGE) != 0)
			continue;
		count++;
		strcpy(ret_text, record->event->text);
	}
	kryos_reader_close(reader);
	return count;
}

static void a_rule_that_flaps_before_a_dead_disk_takes_no_memory(void **state)
{
	struct watch *watch = *state;
	struct kryos_sample sample;
	size_t before = 0, after;
	char text[1001];

	watch_start(watch);
	watch_rules(watch, FRIDGE, &restless, 1);
	watch_minute(watch, C(5));
	fill_store(watch);
	for (int i = 0; i < 1000; i++) {
		watch_judge(watch, watch->rig->fridge, C(9), &sample);
		watch_judge(watch, watch->rig->fridge, C(5), &sample);
		if (i == 200)
			before = heap_bytes();
	}
	after = heap_bytes();
	watch_judge(watch, watch->rig->fridge, C(9), &sample);
	assert_true(after <= before + 20000);
	assert_int_equal(watch->on, 1001); /* the context heard of all */
	assert_fails(-EAGAIN, kryos_monitor_acknowledge(watch->monitor, FRIDGE, "restless", "asha", "stop it"));
	cutvfs_fail(watch->rig->vfs, CUT_CALL_ANY, NULL, 0, 0, false);
	assert_true(process_until(watch->rig->ctx, has_all, watch, 20000));
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, NULL, NULL), 64);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, NULL), 63);
	assert_int_equal(watch_lost(watch, text), 1);
	assert_string_equal(text, "937 episodes, or what else was to be said of it, were too many to keep");
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "restless", "asha", "stop it"));
	watch_stop(watch);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, watch_setup_cut, watch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_cut_leaves_each_event_once),
		CASE(a_state_older_than_the_events_tells_nothing_twice),
		CASE(without_state_db_an_open_episode_goes_on),
		CASE(an_alarm_comes_at_once_from_a_device_with_a_dead_disk),
		CASE(what_the_store_has_no_place_for_is_told_and_stored_later),
		CASE(what_is_said_before_a_dead_disk_is_stored_with_its_own_time),
		CASE(what_is_watched_no_more_waits_for_the_disk_to_say_so),
		CASE(a_rule_that_flaps_before_a_dead_disk_takes_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
