/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random traces in which people retire the channel, resume it and acknowledge alarms, to the station or to who looks at
 * what is kept between two lives; and a life may find its state lost, without the evaluator's part, or an older one.
 * Against one evaluator that nobody ever stopped: the events that are stored in the end are the same, word by word, and
 * so is what is open, and acknowledged. KRYOS_SEED=n repeats a run, KRYOS_TEST_LONG=1 tries more.
 */
#include "monitor_rig.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define C(celsius) ((int64_t)(celsius)*1000000)
#define STEPS 80
#define MAX_EVENTS 200

static const struct kryos_rule rules[] = {
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "warm",
	  .kind = KRYOS_RULE_HEAT,
	  .comparator = KRYOS_COMPARATOR_GT,
	  .threshold_micro = C(8),
	  .duration_ns = KRYOS_MINUTES(3),
	  .hysteresis_micro = C(1),
	  .reset_ns = KRYOS_MINUTES(2) },
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "cold",
	  .kind = KRYOS_RULE_FREEZE,
	  .comparator = KRYOS_COMPARATOR_LE,
	  .threshold_micro = C(6),
	  .duration_ns = KRYOS_MINUTES(1),
	  .gap = KRYOS_GAP_BREAK },
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "dose",
	  .kind = KRYOS_RULE_CUSTOM,
	  .comparator = KRYOS_COMPARATOR_GE,
	  .threshold_micro = C(8),
	  .mode = KRYOS_RULE_CUMULATIVE,
	  .duration_ns = KRYOS_MINUTES(5),
	  .window_ns = KRYOS_MINUTES(20) },
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_DURATION,
	  .name = "lost",
	  .kind = KRYOS_RULE_SENSOR,
	  .duration_ns = KRYOS_MINUTES(2) },
};
enum { RULES = sizeof(rules) / sizeof(rules[0]) };

/* What becomes of the state when a life has ended. */
enum fate { FATE_WHOLE, FATE_LOST, FATE_IN_PART, FATE_OLDER, FATES };
enum acknowledged { ACKNOWLEDGED_NO, ACKNOWLEDGED_YES, ACKNOWLEDGED_MAYBE };

struct figures {
	unsigned int events, crashes, retired, visitors, fates[FATES];
};

struct trace {
	struct watch *watch;
	struct figures *figures;
	struct kryos_evaluator *evaluator; /* never stopped */
	uint64_t seed, random;
	int64_t value;
	bool retired, saved;
	enum acknowledged acknowledged[RULES]; /* what is open */
	char *expected[MAX_EVENTS];
	unsigned int count;
};

static unsigned int draw(struct trace *trace, unsigned int below)
{
	return (unsigned int)(next_random(&trace->random) % below);
}

static void drain_expected(struct trace *trace)
{
	const struct kryos_episode *episode;
	char text[KRYOS_EPISODE_TEXT_MAX];

	while (kryos_evaluator_next(trace->evaluator, &episode) > 0) {
		assert_true(trace->count < MAX_EVENTS);
		trace->expected[trace->count++] = strdup(kryos_episode_text(episode, text));
		for (int i = 0; i < RULES; i++)
			if (strcmp(rules[i].name, episode->name) == 0)
				trace->acknowledged[i] = ACKNOWLEDGED_NO;
	}
}

/* Somebody says something of it, and waits until it is on the disk. May they: a visitor may not always. */
static void speak(struct trace *trace, bool must)
{
	struct kryos_monitor *monitor = trace->watch->monitor;
	unsigned int rule = draw(trace, RULES);
	struct kryos_episode episode;
	int r;

	kryos_fake_clock_advance(trace->watch->rig->clock, KRYOS_SECONDS(draw(trace, 3) * 10));
	if (draw(trace, 3) == 0) {
		r = kryos_monitor_acknowledge(monitor, FRIDGE, rules[rule].name, "asha", "seen");
		assert_true(r >= 0 || r == -ENOENT || r == -EALREADY || !must);
		if (r >= 0 && kryos_evaluator_look(trace->evaluator, rule, &episode) > 0)
			trace->acknowledged[rule] = ACKNOWLEDGED_YES;
	} else if (trace->retired) {
		r = kryos_monitor_resume(monitor, FRIDGE, "asha", "full");
		assert_true(r >= 0 || !must);
		trace->retired = r < 0;
	} else {
		r = kryos_monitor_retire(monitor, FRIDGE, "asha", "empty");
		assert_true(r >= 0 || !must);
		trace->retired = r >= 0;
		if (r >= 0) {
			assert_ok(kryos_evaluator_end(trace->evaluator, KRYOS_EPISODE_RETIRED));
			drain_expected(trace);
			trace->figures->retired++;
		}
	}
	assert_ok(kryos_store_flush(trace->watch->rig->store, KRYOS_SECONDS(20)));
}

static void measure(struct trace *trace)
{
	static const uint16_t qualities[] = { KRYOS_QUALITY_ABSENT, KRYOS_QUALITY_STUCK, KRYOS_QUALITY_EXTRAPOLATED };
	struct rig *rig = trace->watch->rig;
	struct kryos_sample sample = rig_sample(rig->fridge, 0);

	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(1) + KRYOS_SECONDS(draw(trace, 3)) +
	                                             (draw(trace, 15) ? 0 : KRYOS_MINUTES(draw(trace, 8))));
	trace->value += C(1) * ((int)draw(trace, 5) - 2);
	trace->value = trace->value > C(11) ? C(11) : trace->value < C(3) ? C(3) : trace->value;
	sample.value_micro = trace->value;
	sample.quality = draw(trace, 5) ? KRYOS_QUALITY_GOOD : qualities[draw(trace, 3)];
	sample.round = 1;
	sample.t_boot_ns = kryos_fake_clock_boot_ns(rig->clock);
	sample.t_wall_ns = kryos_fake_clock_wall_ns(rig->clock);
	sample.trust = KRYOS_TRUST_SYNCED;
	assert_ok(kryos_monitor_take(trace->watch->monitor, &sample, 1));
	assert_ok(kryos_store_append(rig->store, &sample, 1));
	if (trace->retired)
		return;
	assert_ok(kryos_evaluator_take(trace->evaluator, &sample)); /* its boot is known now */
	drain_expected(trace);
}

/* The stopped store's, to come back later. */
static void save_state(struct trace *trace)
{
	struct rig *rig = trace->watch->rig;
	char sql[600];

	if (!trace->saved)
		fclose(fopen(in(rig->folder, "old.db"), "w"));
	snprintf(sql, sizeof(sql),
	         "ATTACH '%s' AS old; DROP TABLE IF EXISTS old.state; CREATE TABLE old.state AS SELECT * FROM state",
	         in(rig->folder, "old.db"));
	rig_sql(in(rig->path, "state.db"), sql);
	trace->saved = true;
}

/* What the next life finds. */
static void suffer(struct trace *trace, enum fate fate)
{
	struct rig *rig = trace->watch->rig;
	char sql[600];

	trace->figures->fates[fate]++;
	for (int i = 0; i < RULES; i++) {
		if (fate == FATE_LOST)
			trace->acknowledged[i] = ACKNOWLEDGED_NO;
		else if (fate == FATE_OLDER)
			trace->acknowledged[i] = ACKNOWLEDGED_MAYBE;
	}
	if (fate == FATE_LOST) {
		watch_lose_state(trace->watch);
	} else if (fate == FATE_IN_PART) {
		watch_cut_evaluator_out(trace->watch);
	} else if (fate == FATE_OLDER) {
		snprintf(sql, sizeof(sql), "ATTACH '%s' AS old; INSERT OR REPLACE INTO state SELECT * FROM old.state",
		         in(rig->folder, "old.db"));
		assert_true(rig_sql(in(rig->path, "state.db"), sql) > 0);
	}
}

/* Between two lives. */
static void visit(struct trace *trace, bool whole)
{
	watch_start(trace->watch);
	assert_ok(kri_monitor_visit(trace->watch->monitor));
	speak(trace, whole);
	watch_stop(trace->watch);
	trace->figures->visitors++;
}

/* What is open is, with who acknowledged it. */
static void compare_alarms(struct trace *trace)
{
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };

	assert_ok(kryos_monitor_get_channel(trace->watch->monitor, 0, &channel));
	if (channel.retired != (uint32_t)trace->retired)
		fail_msg("seed %llu: it is%s retired", (unsigned long long)trace->seed, channel.retired ? "" : " not");
	for (unsigned int i = 0; i < RULES; i++) {
		struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
		struct kryos_episode episode;
		bool open = kryos_evaluator_look(trace->evaluator, i, &episode) > 0, found = false;

		for (unsigned int n = 0; !found && kryos_monitor_get_alarm(trace->watch->monitor, n, &alarm) >= 0; n++)
			found = !alarm.episode.ended_by && strcmp(alarm.episode.name, rules[i].name) == 0;
		if (found != open || (open && episode.trigger.t_boot_ns != alarm.episode.trigger.t_boot_ns))
			fail_msg("seed %llu: what is open of %s is another", (unsigned long long)trace->seed,
			         rules[i].name);
		if (open && trace->acknowledged[i] != ACKNOWLEDGED_MAYBE &&
		    alarm.acknowledged != (uint32_t)trace->acknowledged[i])
			fail_msg("seed %llu: %s is%s acknowledged", (unsigned long long)trace->seed, rules[i].name,
			         alarm.acknowledged ? "" : " not");
	}
}

static void compare(struct trace *trace)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	unsigned int count = 0;

	assert_ok(kryos_store_flush(trace->watch->rig->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_reader_open(&reader, trace->watch->rig->ctx, trace->watch->rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_ALARM_ON && record->event->type != KRYOS_EVENT_ALARM_OFF)
			continue;
		if (count >= trace->count || strcmp(record->event->text, trace->expected[count]) != 0)
			fail_msg("seed %llu: event %u is\n%s\nand not\n%s", (unsigned long long)trace->seed, count,
			         record->event->text, count < trace->count ? trace->expected[count] : "(none)");
		count++;
	}
	kryos_reader_close(reader);
	if (count != trace->count)
		fail_msg("seed %llu: %u events, not %u", (unsigned long long)trace->seed, count, trace->count);
}

static void begin_life(struct trace *trace)
{
	cutvfs_record(trace->watch->rig->vfs, trace->watch->rig->path);
	kryos_fake_clock_set_synced(trace->watch->rig->clock, 1); /* events are stamped by the context */
	watch_start(trace->watch);
	watch_rules(trace->watch, FRIDGE, rules, RULES);
}

static void end_life(struct trace *trace, enum fate fate)
{
	char name[32];

	/* Without a state only what is stored of an episode that is over tells of it. */
	if (fate != FATE_WHOLE)
		assert_ok(kryos_store_flush(trace->watch->rig->store, KRYOS_SECONDS(20)));
	if (draw(trace, 2)) {
		snprintf(name, sizeof(name), "life%u", ++trace->figures->crashes);
		watch_crash(trace->watch, name);
	} else {
		watch_stop(trace->watch);
		cutvfs_stop(trace->watch->rig->vfs);
	}
	if (draw(trace, 3) == 0)
		save_state(trace);
	suffer(trace, fate);
}

static void run(struct watch *watch, uint64_t seed, struct figures *figures)
{
	struct trace trace = { .watch = watch, .figures = figures, .seed = seed, .random = seed, .value = C(7) };
	char first[32];

	snprintf(first, sizeof(first), "trace%llu", (unsigned long long)seed);
	snprintf(watch->rig->path, sizeof(watch->rig->path), "%s", in(watch->rig->folder, first));
	assert_ok(kryos_evaluator_new(&trace.evaluator, KRYOS_MINUTES(1)));
	for (int i = 0; i < RULES; i++)
		assert_ok(kryos_evaluator_add(trace.evaluator, &rules[i]));
	watch_start(watch); /* the folder, before it is recorded */
	watch_stop(watch);
	begin_life(&trace);
	for (int i = 0; i < STEPS; i++) {
		enum fate fate;

		measure(&trace);
		if (draw(&trace, 6) == 0)
			speak(&trace, true);
		if (draw(&trace, 5))
			continue;
		fate = draw(&trace, trace.saved ? FATES : FATE_OLDER);
		end_life(&trace, fate);
		if (draw(&trace, 2))
			kryos_fake_clock_reboot(watch->rig->clock);
		if (draw(&trace, 3) == 0)
			visit(&trace, fate == FATE_WHOLE);
		begin_life(&trace);
		compare_alarms(&trace);
	}
	compare(&trace);
	watch_stop(watch);
	cutvfs_stop(watch->rig->vfs);
	kryos_evaluator_free(trace.evaluator);
	figures->events += trace.count;
	while (trace.count)
		free(trace.expected[--trace.count]);
}

static void what_people_said_holds_whatever_becomes_of_the_state(void **state)
{
	uint64_t seed = seed_from_environment(20261121);
	unsigned int traces = getenv("KRYOS_TEST_LONG") ? 1000 : 25;
	struct figures figures = { 0 };

	for (unsigned int i = 0; i < traces; i++)
		run(*state, seed + i, &figures);
	print_message("%u traces, %u events, %u crashes, retired %u times, %u visitors; states: %u whole, %u lost, "
	              "%u in part, %u older\n",
	              traces, figures.events, figures.crashes, figures.retired, figures.visitors,
	              figures.fates[FATE_WHOLE], figures.fates[FATE_LOST], figures.fates[FATE_IN_PART],
	              figures.fates[FATE_OLDER]);
	assert_true(figures.events > traces && figures.retired > traces && figures.visitors > traces);
	for (int i = 0; i < FATES; i++)
		assert_true(figures.fates[i] > traces / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_people_said_holds_whatever_becomes_of_the_state, watch_setup_cut,
		                                watch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
