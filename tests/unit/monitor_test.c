/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor over a real store, in fake time: what is told, what is stored of it, and what a restart makes of it. */
#include "monitor_rig.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct kryos_rule cold = { .size = sizeof(cold),
	                                .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	                                .name = "cold",
	                                .kind = KRYOS_RULE_FREEZE,
	                                .comparator = KRYOS_COMPARATOR_LT,
	                                .threshold_micro = 2000000,
	                                .duration_ns = KRYOS_MINUTES(2) };

static void an_episode_is_told_once_stored_once_and_on_every_sample(void **state)
{
	struct watch *watch = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_episode on, off;
	int64_t start;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch_minute(watch, 5000000), 0);
	assert_int_equal(watch_minute(watch, 9000000), 0);
	start = kryos_fake_clock_boot_ns(watch->rig->clock);
	for (int i = 0; i < 4; i++)
		assert_int_equal(watch_minute(watch, 9000000), 0);
	assert_int_equal(watch->on, 0);
	assert_int_equal(watch_minute(watch, 9500000), 1 << KRYOS_RULE_HEAT);
	assert_int_equal(watch_minute(watch, 9000000), 1 << KRYOS_RULE_HEAT);
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch_minute(watch, 7000000), 0);
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->off, 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, 0, &on), 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, 0, &off), 1);
	assert_int_equal(on.start.t_boot_ns, start);
	assert_int_equal(on.start.boot, 1);
	assert_int_equal(on.trigger.t_boot_ns, start + KRYOS_MINUTES(5));
	assert_int_equal(off.start.t_boot_ns, start);
	assert_int_equal(off.extreme_micro, 9500000);
	assert_int_equal(off.ended_by, KRYOS_EPISODE_RECOVERED);
	assert_ok(kryos_reader_open(&reader, watch->rig->ctx, watch->rig->path));
	for (int i = 0; i < 8; i++) {
		assert_int_equal(kryos_reader_next(reader, &record), 1);
		assert_int_equal(record->sample.alarm, i == 6 || i == 7 ? 1 << KRYOS_RULE_HEAT : 0);
	}
	kryos_reader_close(reader);
	watch_stop(watch);
}

static void an_open_episode_goes_on_after_a_restart(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_episode off;
	int64_t start;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_minute(watch, 9000000);
	start = kryos_fake_clock_boot_ns(watch->rig->clock);
	for (int i = 0; i < 6; i++)
		watch_minute(watch, 9000000);
	assert_int_equal(watch->on, 1);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_string_equal(alarm.channel, FRIDGE);
	assert_int_equal(alarm.episode.start.t_boot_ns, start);
	assert_fails(-ENOENT, kryos_monitor_get_alarm(watch->monitor, 1, &alarm));
	assert_int_equal(watch_minute(watch, 9000000), 1 << KRYOS_RULE_HEAT);
	watch_stop(watch);
	/* The board was off for an hour: its time line goes on by trusted wall time. */
	kryos_fake_clock_reboot(watch->rig->clock);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_minute(watch, 9000000);
	watch_minute(watch, 5000000);
	assert_int_equal(watch->on, 0);
	assert_int_equal(watch->off, 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, 0, NULL), 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, 0, &off), 1);
	assert_int_equal(off.start.t_boot_ns, start);
	assert_int_equal(off.start.boot, 1);
	assert_int_equal(off.end.boot, 2);
	assert_int_equal(off.uncertain, 0);
	watch_stop(watch);
}

/* Ten days are judged quietly; what is still open is told with its true beginning, and once. */
static void a_channel_of_which_nothing_is_known_tells_only_what_is_open(void **state)
{
	struct watch *watch = *state;
	struct kryos_episode on;
	int64_t start = 0;

	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	for (int i = 0; i < 10; i++)
		watch_minute(watch, 9000000);
	watch_minute(watch, 5000000);
	for (int i = 0; i < 10; i++) {
		watch_minute(watch, 9000000);
		start = start ? start : kryos_fake_clock_boot_ns(watch->rig->clock);
	}
	watch_stop(watch);
	for (int i = 0; i < 3; i++) {
		watch_start(watch);
		watch_rules(watch, FRIDGE, &watch_warm, 1);
		assert_int_equal(watch->on, i == 0);
		assert_int_equal(watch->off, 0);
		watch_stop(watch);
		/* The state is lost; the events say what was told. */
		watch_lose_state(watch);
	}
	watch_start(watch);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, 0, &on), 1);
	assert_int_equal(on.start.t_boot_ns, start);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_minute(watch, 5000000);
	assert_int_equal(watch->off, 1);
	watch_stop(watch);
}

static void other_rules_end_what_is_open_and_nothing_else(void **state)
{
	struct watch *watch = *state;
	struct kryos_rule changed = watch_warm, both[2] = { watch_warm, cold };
	struct kryos_episode off;

	watch_start(watch);
	watch_rules(watch, FRIDGE, both, 2);
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	assert_int_equal(watch->on, 1);
	watch_rules(watch, FRIDGE, both, 2);
	assert_int_equal(watch->off, 0);
	both[1].threshold_micro = 1000000; /* of the one that is not open */
	watch_rules(watch, FRIDGE, both, 2);
	assert_int_equal(watch->off, 0);
	changed.threshold_micro = 8500000;
	watch_rules(watch, FRIDGE, &changed, 1);
	assert_int_equal(watch->off, 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, 0, &off), 1);
	assert_int_equal(off.ended_by, KRYOS_EPISODE_RECONFIGURED);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, 0, NULL), 3);
	assert_int_equal(watch_minute(watch, 9000000), 0); /* it begins with nothing */
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &changed, 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, 0, NULL), 3); /* not said again */
	watch_stop(watch);
}

static void channels_do_not_know_of_each_other(void **state)
{
	struct watch *watch = *state;
	struct kryos_sample samples[2];

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_rules(watch, ROOM, &cold, 1);
	for (int i = 0; i < 8; i++) {
		kryos_fake_clock_advance(watch->rig->clock, KRYOS_MINUTES(1));
		samples[0] = rig_sample(watch->rig->fridge, 9000000);
		samples[1] = rig_sample(watch->rig->room, 1000000);
		assert_ok(kryos_monitor_take(watch->monitor, samples, 2));
		assert_int_equal(samples[0].alarm, i >= 5 ? 1 << KRYOS_RULE_HEAT : 0);
		assert_int_equal(samples[1].alarm, i >= 2 ? 1 << KRYOS_RULE_FREEZE : 0);
	}
	watch_stop(watch);
}

static void wrong_rules_are_refused_by_name_and_change_nothing(void **state)
{
	struct watch *watch = *state;
	struct kryos_rule two[2] = { watch_warm, watch_warm };

	watch_start(watch);
	assert_fails(-EINVAL, kryos_monitor_watch(watch->monitor, FRIDGE,
	                                          KRYOS_MONITOR_CHANNEL_CONFIG(.rules = two, .rule_count = 2,
	                                                                       .interval_ns = KRYOS_MINUTES(1))));
	assert_says(-EINVAL, "warm");
	two[1].name = "second";
	two[1].has = 0;
	assert_fails(-EINVAL, kryos_monitor_watch(watch->monitor, FRIDGE,
	                                          KRYOS_MONITOR_CHANNEL_CONFIG(.rules = two, .rule_count = 2,
	                                                                       .interval_ns = KRYOS_MINUTES(1))));
	assert_says(-EINVAL, "second");
	assert_fails(-EINVAL, kryos_monitor_watch(watch->monitor, FRIDGE,
	                                          KRYOS_MONITOR_CHANNEL_CONFIG(.rules = two, .rule_count = 33,
	                                                                       .interval_ns = KRYOS_MINUTES(1))));
	assert_fails(-EINVAL, kryos_monitor_watch(watch->monitor, "no channel",
	                                          KRYOS_MONITOR_CHANNEL_CONFIG(.rules = two, .rule_count = 1,
	                                                                       .interval_ns = KRYOS_MINUTES(1))));
	assert_fails(-EINVAL,
	             kryos_monitor_watch(watch->monitor, FRIDGE,
	                                 KRYOS_MONITOR_CHANNEL_CONFIG(.rules = two, .rule_count = 1,
	                                                              .interval_ns = KRYOS_MINUTES(1), .who = "a;b")));
	assert_fails(-ENOENT, kryos_monitor_unwatch(watch->monitor, FRIDGE));
	watch_stop(watch);
}

static void watch_many(struct watch *watch, const char *channel, int count, int64_t last_micro)
{
	struct kryos_rule many[32];
	char names[32][8];

	for (int i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "r%d", i);
		many[i] = watch_warm;
		many[i].name = names[i];
	}
	many[count - 1].threshold_micro = last_micro;
	watch_rules(watch, channel, many, (uint32_t)count);
}

/* How many times each of the rules stands in what was stored of them, once in all; of those from count on never. */
static void assert_audited(struct watch *watch, int count)
{
	struct kryos_reader *reader = NULL;
	const struct kryos_record *record;
	char word[32], all[20000] = "";

	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_reader_open(&reader, watch->rig->ctx, watch->rig->path));
	while (kryos_reader_next_event(reader, &record) > 0)
		if (record->event->type == KRYOS_EVENT_CONFIGURED)
			snprintf(all + strlen(all), sizeof(all) - strlen(all), " %s, ",
			         strstr(record->event->text, "; is "));
	kryos_reader_close(reader);
	assert_null(strstr(all, "crc32c"));
	for (int i = 0; i < 32; i++) {
		const char *at;

		snprintf(word, sizeof(word), " r%d kind=heat", i);
		at = strstr(all, word);
		assert_int_equal(at != NULL, i < count);
		assert_true(!at || !strstr(at + 1, word));
	}
}

static void a_long_list_of_rules_is_audited_to_its_last_word(void **state)
{
	struct watch *watch = *state;
	char text[1001];
	int stored;

	watch_start(watch);
	watch_many(watch, FRIDGE, 32, 9000000);
	assert_audited(watch, 32);
	stored = watch_stored(watch, KRYOS_EVENT_CONFIGURED, text, NULL);
	watch_many(watch, FRIDGE, 32, 9100000);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, text, NULL), stored + 1);
	assert_non_null(strstr(text, "threshold=9 "));
	assert_non_null(strstr(text, "threshold=9.1 "));
	watch_many(watch, FRIDGE, 32, 9100000);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, text, NULL), stored + 1);
	/* All texts but the first are nothing then, and the first has another rule. */
	watch_many(watch, FRIDGE, 1, 9000000);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, text, NULL), 2 * stored + 1);
	assert_non_null(strstr(text, "; is nothing"));
	watch_stop(watch);
}

/* The name of an event holds so much; what does not fit changes a checksum. */
static void of_a_channel_with_a_long_name_what_does_not_fit_is_counted(void **state)
{
	static const char name[] = "a-refrigerator-with-a-name-as-long-as-any.temperature-xyz";
	struct watch *watch = *state;
	char text[1001];

	watch_start(watch);
	watch_many(watch, name, 32, 9000000);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, text, NULL), 1);
	assert_non_null(strstr(text, "is every=1min r0 kind=heat"));
	assert_non_null(strstr(text, " more, crc32c="));
	watch_many(watch, name, 32, 9100000);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, text, NULL), 2);
	watch_many(watch, name, 32, 9100000);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_CONFIGURED, text, NULL), 2);
	watch_stop(watch);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(an_episode_is_told_once_stored_once_and_on_every_sample),
		CASE(an_open_episode_goes_on_after_a_restart),
		CASE(a_channel_of_which_nothing_is_known_tells_only_what_is_open),
		CASE(other_rules_end_what_is_open_and_nothing_else),
		CASE(channels_do_not_know_of_each_other),
		CASE(a_long_list_of_rules_is_audited_to_its_last_word),
		CASE(of_a_channel_with_a_long_name_what_does_not_fit_is_counted),
		CASE(wrong_rules_are_refused_by_name_and_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
