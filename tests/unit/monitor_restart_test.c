/* SPDX-License-Identifier: Apache-2.0 */
/* What the store keeps of the monitor: state and events together, over restarts. */
#include "monitor_rig.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void what_was_stored_behind_its_back_is_judged_at_the_next_start(void **state)
{
	struct watch *watch = *state;
	struct kryos_episode on;
	int64_t start;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_minute(watch, 5000000);
	watch_stop(watch);
	watch_start(watch); /* nobody watches: as after a crash before the state was kept */
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	watch_minute(watch, 9000000);
	start = kryos_fake_clock_boot_ns(watch->rig->clock);
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	watch_minute(watch, 5000000);
	watch_minute(watch, 9000000);
	watch_stop(watch);
	kryos_fake_clock_reboot(watch->rig->clock);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->off, 1);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on, 0);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_ON, 0, &on), 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, 0, NULL), 1);
	assert_int_equal(on.start.t_boot_ns, start);
	watch_stop(watch);
}

static void what_is_watched_no_more_ends_and_is_forgotten(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_rules(watch, ROOM, &watch_warm, 1);
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	assert_int_equal(watch->on, 1);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 1, &channel));
	assert_string_equal(channel.channel, ROOM);
	watch_stop(watch);
	watch_start(watch);
	assert_ok(kryos_monitor_unwatch(watch->monitor, FRIDGE)); /* watched before this start only */
	assert_fails(-ENOENT, kryos_monitor_unwatch(watch->monitor, FRIDGE));
	watch_take_events(watch);
	assert_int_equal(watch->off, 1);
	assert_fails(-ENOENT, kryos_monitor_get_channel(watch->monitor, 0, &channel));
	watch_stop(watch);
	watch_start(watch);
	assert_fails(-ENOENT, kryos_monitor_unwatch(watch->monitor, FRIDGE));
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, 0, NULL), 1);
	watch_stop(watch);
}

static void who_acknowledged_and_why_outlives_a_restart(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	char text[1001];

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_fails(-ENOENT, kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "seen"));
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	assert_fails(-EINVAL, kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", ""));
	assert_fails(-EINVAL, kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "two\nlines"));
	assert_fails(-EINVAL, kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "", "seen"));
	assert_fails(-ENOENT, kryos_monitor_acknowledge(watch->monitor, FRIDGE, "cold", "asha", "seen"));
	assert_fails(-ENOENT, kryos_monitor_acknowledge(watch->monitor, ROOM, "warm", "asha", "seen"));
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "asha", "the lid was open; closed it"));
	assert_fails(-EALREADY, kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "ravi", "me too"));
	assert_says(-EALREADY, "asha");
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.acknowledged, 1);
	assert_string_equal(alarm.by, "asha");
	assert_string_equal(alarm.comment, "the lid was open; closed it");
	assert_true(alarm.acknowledged_at.t_boot_ns > 0);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ACKNOWLEDGED, text, NULL), 1);
	assert_non_null(strstr(text, "rule=warm start=2026-11-20T09:1"));
	assert_non_null(strstr(text, " by=asha comment=the lid was open; closed it"));
	watch_minute(watch, 5000000); /* it ends, acknowledged: nothing is left to do */
	assert_fails(-ENOENT, kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	watch_minute(watch, 5000000);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm)); /* ended, and nobody has seen it yet */
	assert_int_equal(alarm.acknowledged, 0);
	assert_int_equal(alarm.episode.ended_by, KRYOS_EPISODE_RECOVERED);
	assert_ok(kryos_monitor_acknowledge(watch->monitor, FRIDGE, "warm", "ravi", "power was back at ten"));
	assert_fails(-ENOENT, kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	watch_stop(watch);
}

static void a_retired_channel_stays_so_without_its_state(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "why=defrosting"));
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	watch_stop(watch);
	watch_lose_state(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.retired, 1);
	assert_string_equal(channel.retired_by, "asha");
	assert_string_equal(channel.retired_why, "why=defrosting");
	assert_int_equal(watch_minute(watch, 9000000), 0);
	assert_ok(kryos_monitor_resume(watch->monitor, FRIDGE, "asha", "done"));
	for (int i = 0; i < 4; i++)
		watch_minute(watch, 9000000);
	watch_stop(watch);
	watch_lose_state(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch_minute(watch, 9000000), 0); /* five minutes since it was resumed are not over */
	watch_minute(watch, 9000000);
	assert_int_equal(watch->on, 1);
	watch_stop(watch);
}

/* A window full of stretches is more than the store keeps. */
static void a_state_too_long_to_be_kept_is_made_again(void **state)
{
	static const struct kryos_rule dose = { .size = sizeof(dose),
		                                .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
		                                .name = "dose",
		                                .kind = KRYOS_RULE_HEAT,
		                                .comparator = KRYOS_COMPARATOR_GT,
		                                .threshold_micro = 8000000,
		                                .mode = KRYOS_RULE_CUMULATIVE,
		                                .duration_ns = KRYOS_HOURS(5),
		                                .window_ns = KRYOS_DAYS(30) };
	struct watch *watch = *state;
	struct kryos_monitor_alarm before = { .size = sizeof(before) }, after = { .size = sizeof(after) };
	void *bytes;
	size_t count;
	int64_t seq;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &dose, 1);
	for (int i = 0; i < 1300; i++)
		watch_minute(watch, i % 2 ? 9000000 : 5000000);
	assert_int_equal(watch->on, 1);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &before));
	watch_stop(watch);
	watch_start(watch);
	assert_ok(kri_store_get_state(watch->rig->store, "alarm:" FRIDGE, &bytes, &count, &seq));
	assert_in_range(count, 1, 10000); /* without the evaluator's part, and with the exposure */
	free(bytes);
	watch_rules(watch, FRIDGE, &dose, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &after));
	assert_memory_equal(&before.episode.start, &after.episode.start, sizeof(after.episode.start));
	assert_memory_equal(&before.episode.trigger, &after.episode.trigger, sizeof(after.episode.trigger));
	assert_int_equal(before.episode.accumulated_ns, after.episode.accumulated_ns);
	assert_int_equal(watch_minute(watch, 5000000), 1 << KRYOS_RULE_HEAT);
	watch_stop(watch);
}

static void append_untrusted(struct watch *watch, uint32_t channel, int64_t value_micro)
{
	struct kryos_sample sample = rig_sample(channel, value_micro);

	kryos_fake_clock_advance(watch->rig->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_store_append(watch->rig->store, &sample, 1));
}

/* Of a clock that nobody trusts, now and for the last samples. */
static void a_clock_that_is_years_off_hides_nothing_of_what_is_stored(void **state)
{
	struct watch *watch = *state;
	uint32_t fridge;

	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	fridge = watch->rig->fridge;
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	watch_stop(watch);
	kryos_fake_clock_set_synced(watch->rig->clock, 0);
	kryos_fake_clock_set_wall(watch->rig->clock, INT64_C(2500000000000000000)); /* 2049 */
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on, 1);
	kryos_fake_clock_advance(watch->rig->clock, KRYOS_MINUTES(1));
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	for (int i = 0; i < 2; i++)
		append_untrusted(watch, fridge, 9000000);
	watch_stop(watch);
	watch_lose_state(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on + watch->off, 0); /* it was told, and goes on */
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, NULL, NULL), 0);
	watch_stop(watch);
}

static void a_retired_channel_raises_nothing_until_it_is_resumed(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct kryos_episode off;
	char text[1001];

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	for (int i = 0; i < 7; i++)
		watch_minute(watch, 9000000);
	assert_fails(-EALREADY, kryos_monitor_resume(watch->monitor, FRIDGE, "asha", "it is back"));
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "defrosting"));
	assert_fails(-EALREADY, kryos_monitor_retire(watch->monitor, FRIDGE, "ravi", "again"));
	watch_take_events(watch);
	assert_int_equal(watch->off, 1);
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_ALARM_OFF, 0, &off), 1);
	assert_int_equal(off.ended_by, KRYOS_EPISODE_RETIRED);
	assert_int_equal(watch_minute(watch, 9000000), 0);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.retired, 1);
	assert_string_equal(channel.retired_by, "asha");
	assert_string_equal(channel.retired_why, "defrosting");
	for (int i = 0; i < 20; i++)
		assert_int_equal(watch_minute(watch, 12000000), 0);
	assert_ok(kryos_monitor_resume(watch->monitor, FRIDGE, "ravi", "it is cold again"));
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_RETIRED, text, NULL), 1);
	assert_string_equal(text, "by=asha why=defrosting");
	assert_int_equal(watch_stored(watch, KRYOS_EVENT_RESUMED, text, NULL), 1);
	assert_string_equal(text, "by=ravi why=it is cold again");
	for (int i = 0; i < 5; i++)
		assert_int_equal(watch_minute(watch, 9000000), 0);
	assert_int_equal(watch_minute(watch, 9000000), 1 << KRYOS_RULE_HEAT);
	assert_int_equal(watch->on, 1);
	watch_stop(watch);
}

static void a_dose_is_not_forgotten_because_a_channel_was_retired(void **state)
{
	struct watch *watch = *state;
	struct kryos_rule dose = watch_warm;

	dose.mode = KRYOS_RULE_CUMULATIVE;
	watch_start(watch);
	watch_rules(watch, FRIDGE, &dose, 1);
	for (int i = 0; i < 6; i++)
		watch_minute(watch, 9000000);
	assert_int_equal(watch->on, 1);
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "moved to another truck"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(watch_minute(watch, 9000000), 0);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &dose, 1);
	assert_int_equal(watch_minute(watch, 5000000), 0);
	assert_ok(kryos_monitor_resume(watch->monitor, FRIDGE, "asha", "loaded"));
	assert_int_equal(watch->on, 0);
	assert_int_equal(watch_minute(watch, 5000000), 1 << KRYOS_RULE_HEAT);
	assert_int_equal(watch->on, 1);
	assert_int_equal(watch->last.accumulated_ns, KRYOS_MINUTES(5));
	watch_stop(watch);
}

/* Six minutes above, of which five are held; then the channel is retired, for three minutes so far. */
static void spend_dose(struct watch *watch, struct kryos_rule *dose)
{
	*dose = watch_warm;
	dose->mode = KRYOS_RULE_CUMULATIVE;
	watch_start(watch);
	watch_rules(watch, FRIDGE, dose, 1);
	for (int i = 0; i < 6; i++)
		watch_minute(watch, 9000000);
	assert_int_equal(watch->on, 1);
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "moved to another truck"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(watch_minute(watch, 9000000), 0);
}

static void a_dose_is_not_forgotten_with_the_state_of_a_channel_that_was_retired(void **state)
{
	struct watch *watch = *state;
	struct kryos_rule dose;

	spend_dose(watch, &dose);
	watch_stop(watch);
	watch_lose_state(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &dose, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_int_equal(watch_minute(watch, 5000000), 0);
	assert_ok(kryos_monitor_resume(watch->monitor, FRIDGE, "asha", "loaded"));
	assert_int_equal(watch_minute(watch, 5000000), 1 << KRYOS_RULE_HEAT);
	assert_int_equal(watch->last.accumulated_ns, KRYOS_MINUTES(5));
	watch_stop(watch);
}

static void an_alarm_that_came_again_after_a_retirement_goes_on_without_its_state(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct kryos_rule dose;
	struct kryos_instant trigger;

	spend_dose(watch, &dose);
	assert_ok(kryos_monitor_resume(watch->monitor, FRIDGE, "asha", "loaded"));
	assert_int_equal(watch_minute(watch, 5000000), 1 << KRYOS_RULE_HEAT);
	trigger = watch->last.trigger;
	watch_stop(watch);
	watch_lose_state(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &dose, 1);
	assert_int_equal(watch->on + watch->off, 0);
	assert_ok(kryos_monitor_get_alarm(watch->monitor, 0, &alarm));
	assert_int_equal(alarm.episode.ended_by, KRYOS_EPISODE_OPEN);
	assert_int_equal(alarm.episode.trigger.t_boot_ns, trigger.t_boot_ns);
	assert_int_equal(alarm.episode.accumulated_ns, KRYOS_MINUTES(5));
	watch_stop(watch);
}

/* Longer ago than any rule looks back, and by a start that measured nothing. */
static void a_retirement_from_before_all_that_is_judged_again_holds(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_minute(watch, 5000000);
	watch_stop(watch);
	kryos_fake_clock_reboot(watch->rig->clock);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_ok(kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "defrosting"));
	watch_stop(watch);
	kryos_fake_clock_reboot(watch->rig->clock);
	kryos_fake_clock_advance(watch->rig->clock, KRYOS_DAYS(12));
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	for (int i = 0; i < 7; i++)
		assert_int_equal(watch_minute(watch, 9000000), 0);
	watch_stop(watch);
	watch_lose_state(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on, 0);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.retired, 1);
	assert_string_equal(channel.retired_why, "defrosting");
	watch_stop(watch);
}

static void a_retirement_in_words_of_others_is_one(void **state)
{
	struct watch *watch = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };

	watch_start(watch);
	assert_ok(kryos_store_add_event(
		watch->rig->store,
		&(struct kryos_event){ .type = KRYOS_EVENT_RETIRED, .name = FRIDGE, .text = "asha: defrosting" }));
	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.retired, 1);
	assert_string_equal(channel.retired_by, "?");
	assert_string_equal(channel.retired_why, "asha: defrosting");
	watch_stop(watch);
	watch_lose_state(watch);
	watch_start(watch);
	kryos_fake_clock_advance(watch->rig->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_store_add_event(
		watch->rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_RESUMED, .name = FRIDGE, .text = "" }));
	assert_ok(kryos_store_flush(watch->rig->store, KRYOS_SECONDS(20)));
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_ok(kryos_monitor_get_channel(watch->monitor, 0, &channel));
	assert_int_equal(channel.retired, 0);
	watch_stop(watch);
}

/* An alarm may be among what was not read: to who looks the channel is not known, and nothing of it is written. */
static void what_cannot_be_read_whole_is_judged_by_the_next_start(void **state)
{
	struct watch *watch = *state;
	struct kri_visited visited;

	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	watch_minute(watch, 5000000);
	watch_stop(watch);
	watch_start(watch);
	kryos_monitor_free(watch->monitor);
	watch->monitor = NULL;
	for (int i = 0; i < 10; i++)
		watch_minute(watch, 9000000);
	watch_stop(watch);
	watch_start(watch);
	rig_sql(in(watch->rig->path, "state.db"), "ALTER TABLE event RENAME TO hidden");
	assert_ok(kri_monitor_visit(watch->monitor));
	assert_true(kri_monitor_get_visited(watch->monitor, 0, &visited));
	assert_non_null(visited.unread);
	assert_fails(-EAGAIN, kryos_monitor_retire(watch->monitor, FRIDGE, "asha", "empty"));
	kryos_monitor_free(watch->monitor);
	assert_ok(kryos_monitor_new(&watch->monitor, watch->rig->store));
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	rig_sql(in(watch->rig->path, "state.db"), "ALTER TABLE hidden RENAME TO event");
	assert_int_equal(watch->on, 0);
	watch_stop(watch);
	watch_start(watch);
	watch_rules(watch, FRIDGE, &watch_warm, 1);
	assert_int_equal(watch->on, 1);
	watch_stop(watch);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_cannot_be_read_whole_is_judged_by_the_next_start),
		CASE(what_was_stored_behind_its_back_is_judged_at_the_next_start),
		CASE(what_is_watched_no_more_ends_and_is_forgotten),
		CASE(who_acknowledged_and_why_outlives_a_restart),
		CASE(a_retired_channel_stays_so_without_its_state),
		CASE(a_state_too_long_to_be_kept_is_made_again),
		CASE(a_clock_that_is_years_off_hides_nothing_of_what_is_stored),
		CASE(a_dose_is_not_forgotten_because_a_channel_was_retired),
		CASE(a_dose_is_not_forgotten_with_the_state_of_a_channel_that_was_retired),
		CASE(an_alarm_that_came_again_after_a_retirement_goes_on_without_its_state),
		CASE(a_retirement_from_before_all_that_is_judged_again_holds),
		CASE(a_retirement_in_words_of_others_is_one),
		CASE(a_retired_channel_raises_nothing_until_it_is_resumed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
