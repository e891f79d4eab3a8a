/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random traces in lives that end well or by a crash, against one evaluator that nobody ever stopped: the events that
 * are stored in the end are the same, word by word. KRYOS_SEED=n repeats a run, KRYOS_TEST_LONG=1 tries more.
 */
#include "alarm/alarm.h"
#include "monitor_rig.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define C(celsius) ((int64_t)(celsius)*1000000)
#define STEPS 80
#define MAX_EVENTS 200
#define LID "lid.open"

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
static const struct kryos_rule door_rules[] = {
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "open",
	  .kind = KRYOS_RULE_DOOR,
	  .comparator = KRYOS_COMPARATOR_GE,
	  .threshold_micro = 1000000,
	  .duration_ns = KRYOS_MINUTES(3) },
	{ .size = sizeof(struct kryos_rule),
	  .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	  .name = "ajar",
	  .kind = KRYOS_RULE_DOOR,
	  .comparator = KRYOS_COMPARATOR_GE,
	  .threshold_micro = 1000000,
	  .mode = KRYOS_RULE_CUMULATIVE,
	  .duration_ns = KRYOS_MINUTES(4),
	  .window_ns = KRYOS_MINUTES(15) },
};
enum { DOOR_RULES = sizeof(door_rules) / sizeof(door_rules[0]) };

struct trace {
	struct watch *watch;
	struct kryos_evaluator *evaluator; /* never stopped */
	bool door;
	uint32_t channel;
	struct kryos_sample newest; /* of the door, as far as it lasts */
	bool lasts;
	uint64_t random;
	int64_t value;
	unsigned int folders, crashes, ends, said, dues;
	char *expected[MAX_EVENTS];
	unsigned int count;
};

static unsigned int draw(struct trace *trace, unsigned int below)
{
	return (unsigned int)(next_random(&trace->random) % below);
}

static void begin_life(struct trace *trace)
{
	cutvfs_record(trace->watch->rig->vfs, trace->watch->rig->path);
	kryos_fake_clock_set_synced(trace->watch->rig->clock, 1); /* events are stamped by the context */
	watch_start(trace->watch);
	trace->lasts = false;
	trace->channel = trace->watch->rig->fridge;
	if (!trace->door) {
		watch_rules(trace->watch, FRIDGE, rules, RULES);
		return;
	}
	assert_ok(kryos_channel_add(trace->watch->rig->ctx, LID, "/", &trace->channel));
	assert_ok(kryos_store_add_event(trace->watch->rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_START }));
	assert_ok(kryos_store_flush(trace->watch->rig->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_monitor_watch(trace->watch->monitor, LID,
	                              KRYOS_MONITOR_CHANNEL_CONFIG(.rules = door_rules, .rule_count = DOOR_RULES,
	                                                           .unit = "/", .interval_ns = KRYOS_MINUTES(1))));
	kri_monitor_set_debounce(trace->watch->monitor, trace->channel, KRYOS_MILLISECONDS(50));
	watch_take_events(trace->watch);
}

static void crash(struct trace *trace)
{
	char name[32];

	snprintf(name, sizeof(name), "life%u", ++trace->folders);
	watch_crash(trace->watch, name);
	trace->crashes++;
}

static void end_well(struct trace *trace)
{
	watch_stop(trace->watch);
	cutvfs_stop(trace->watch->rig->vfs);
	trace->ends++;
}

/*
 * Between two lives somebody looks at what is kept, and acknowledges what he sees or does not; the power may go then
 * too. It is the station, or he, who tells what was stored and not judged.
 */
static void look(struct trace *trace)
{
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct watch *watch = trace->watch;
	struct kri_visited visited;
	int r;

	cutvfs_record(watch->rig->vfs, watch->rig->path);
	watch_start(watch);
	assert_ok(kri_monitor_visit(watch->monitor));
	assert_true(kri_monitor_get_visited(watch->monitor, 0, &visited));
	assert_null(visited.unread);
	if (draw(trace, 2) && kryos_monitor_get_alarm(watch->monitor, 0, &alarm) >= 0) {
		r = kryos_monitor_acknowledge(watch->monitor, trace->door ? LID : FRIDGE, alarm.episode.name, "asha",
		                              "seen");
		assert_true(r >= 0 || r == -EALREADY);
		trace->said += r >= 0;
	}
	if (draw(trace, 2))
		crash(trace);
	else
		end_well(trace);
}

static void take_one(struct trace *trace, const struct kryos_sample *sample)
{
	const struct kryos_episode *episode;
	char text[KRYOS_EPISODE_TEXT_MAX];

	assert_ok(kryos_evaluator_take(trace->evaluator, sample));
	while (kryos_evaluator_next(trace->evaluator, &episode) > 0) {
		assert_true(trace->count < MAX_EVENTS);
		trace->expected[trace->count++] = strdup(kryos_episode_text(episode, text));
	}
}

/* Of a door with what is due before it. */
static void take_expected(struct trace *trace, const struct kryos_sample *sample)
{
	int64_t due;

	while (trace->lasts && trace->newest.boot == sample->boot &&
	       (due = kri_evaluator_due(trace->evaluator)) <= sample->t_boot_ns) {
		trace->newest.t_wall_ns += due - trace->newest.t_boot_ns;
		trace->newest.t_boot_ns = due;
		take_one(trace, &trace->newest);
		trace->dues++;
	}
	take_one(trace, sample);
	trace->newest = *sample;
	trace->lasts = trace->door && kryos_quality_is_measured(sample->quality);
}

/* The loop runs once in between, and once at the end, or it does not. */
static void pass(struct trace *trace, int64_t by_ns)
{
	struct rig *rig = trace->watch->rig;

	for (int half = 0; half < 2; half++) {
		kryos_fake_clock_advance(rig->clock, half ? by_ns - by_ns / 2 : by_ns / 2);
		if (draw(trace, 2))
			assert_ok(kryos_ctx_process(rig->ctx));
	}
}

static void measure(struct trace *trace)
{
	static const uint16_t qualities[] = { KRYOS_QUALITY_ABSENT, KRYOS_QUALITY_STUCK, KRYOS_QUALITY_EXTRAPOLATED };
	struct rig *rig = trace->watch->rig;
	struct kryos_sample sample = rig_sample(trace->channel, 0);

	pass(trace,
	     KRYOS_MINUTES(1) + KRYOS_SECONDS(draw(trace, 3)) + (draw(trace, 15) ? 0 : KRYOS_MINUTES(draw(trace, 8))));
	if (!trace->door) {
		trace->value += C(1) * ((int)draw(trace, 5) - 2);
		trace->value = trace->value > C(11) ? C(11) : trace->value < C(3) ? C(3) : trace->value;
	}
	sample.value_micro = trace->value;
	sample.quality = draw(trace, 5) ? KRYOS_QUALITY_GOOD : qualities[draw(trace, 3)];
	sample.round = 1;
	sample.t_boot_ns = kryos_fake_clock_boot_ns(rig->clock);
	sample.t_wall_ns = kryos_fake_clock_wall_ns(rig->clock);
	sample.trust = KRYOS_TRUST_SYNCED;
	assert_ok(kryos_monitor_take(trace->watch->monitor, &sample, 1));
	assert_ok(kryos_store_append(rig->store, &sample, 1));
	take_expected(trace, &sample); /* its boot is known now */
}

/* A door changes between two rounds, once or twice; what the sampler then does is done, and is on the disk. */
static void move(struct trace *trace)
{
	struct rig *rig = trace->watch->rig;

	for (unsigned int changes = draw(trace, 3); changes > 0; changes--) {
		struct kryos_sample sample = rig_sample(trace->channel, 0);

		pass(trace, KRYOS_SECONDS(1 + draw(trace, 20)));
		trace->value = trace->value ? 0 : 1000000;
		sample.value_micro = trace->value;
		sample.t_boot_ns = kryos_fake_clock_boot_ns(rig->clock);
		sample.t_wall_ns = kryos_fake_clock_wall_ns(rig->clock);
		sample.trust = KRYOS_TRUST_SYNCED;
		assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_STATE,
		                                                                   .code = trace->value != 0,
		                                                                   .name = LID,
		                                                                   .sample = sample }));
		assert_ok(kri_monitor_take_state(trace->watch->monitor, &sample, 0));
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
		sample.boot = rig_status(rig).boot;
		take_expected(trace, &sample);
	}
}

static void compare(struct trace *trace, uint64_t seed)
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
			fail_msg("seed %llu: event %u is\n%s\nand not\n%s", (unsigned long long)seed, count,
			         record->event->text, count < trace->count ? trace->expected[count] : "(none)");
		count++;
	}
	kryos_reader_close(reader);
	if (count != trace->count)
		fail_msg("seed %llu: %u events, not %u", (unsigned long long)seed, count, trace->count);
}

static void run(struct watch *watch, uint64_t seed, bool door, unsigned int *ret_events, unsigned int *ret_crashes,
                unsigned int *ret_said, unsigned int *ret_dues)
{
	struct trace trace = { .watch = watch, .random = seed, .door = door, .value = door ? 0 : C(7) };
	char first[32];

	snprintf(first, sizeof(first), "trace%llu", (unsigned long long)seed);
	snprintf(watch->rig->path, sizeof(watch->rig->path), "%s", in(watch->rig->folder, first));
	assert_ok(kryos_evaluator_new(&trace.evaluator, KRYOS_MINUTES(1)));
	for (int i = 0; i < (door ? DOOR_RULES : RULES); i++)
		assert_ok(kryos_evaluator_add(trace.evaluator, door ? &door_rules[i] : &rules[i]));
	watch_start(watch); /* the folder, before it is recorded */
	watch_stop(watch);
	begin_life(&trace);
	for (int i = 0; i < STEPS; i++) {
		unsigned int what = draw(&trace, 20);

		if (door)
			move(&trace);
		measure(&trace);
		if (what > 1)
			continue;
		if (what == 0)
			crash(&trace);
		else
			end_well(&trace);
		if (draw(&trace, 2))
			kryos_fake_clock_reboot(watch->rig->clock);
		if (draw(&trace, 2))
			look(&trace);
		begin_life(&trace);
	}
	compare(&trace, seed);
	end_well(&trace);
	kryos_evaluator_free(trace.evaluator);
	*ret_events += trace.count;
	*ret_crashes += trace.crashes;
	*ret_said += trace.said;
	*ret_dues += trace.dues;
	while (trace.count)
		free(trace.expected[--trace.count]);
}

static void lives_that_end_anywhere_tell_what_one_life_tells(void **state)
{
	uint64_t seed = seed_from_environment(20261120);
	unsigned int traces = getenv("KRYOS_TEST_LONG") ? 1000 : 40, events = 0, crashes = 0, said = 0, dues = 0;

	for (unsigned int i = 0; i < traces; i++)
		run(*state, seed + i, i % 3 == 2, &events, &crashes, &said, &dues);
	print_message("%u traces, %u events, %u crashes, %u acknowledged without a station, %u times due\n", traces,
	              events, crashes, said, dues);
	assert_true(events > traces && crashes > traces && said > traces / 2 && dues > traces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lives_that_end_anywhere_tell_what_one_life_tells, watch_setup_cut,
		                                watch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
