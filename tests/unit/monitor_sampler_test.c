/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor behind a sampler, in simulated time: doors between rounds, and measurements that no record keeps. */
#include "monitor/monitor.h"
#include "support.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1795000000000000000)
#define WAIT_MS 20000
#define LID "lid.open"
#define FRIDGE "fridge.temperature"
#define MAINS "mains.online"
#define KEPT 64

struct bench {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio, *w1, *mains;
	struct kryos_model *wire, *chip, *supply;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_monitor *monitor;
	struct kryos_sampler *sampler;
	struct kryos_sample samples[KEPT]; /* accepted, the newest at (count - 1) % KEPT */
	size_t count;
	unsigned int on, off;
	struct kryos_episode last;
	struct kryos_sample decided; /* the sample of the last event */
};

static const struct kryos_rule open_rule = { .size = sizeof(open_rule),
	                                     .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	                                     .name = "open",
	                                     .kind = KRYOS_RULE_DOOR,
	                                     .comparator = KRYOS_COMPARATOR_GE,
	                                     .threshold_micro = 1000000,
	                                     .duration_ns = KRYOS_SECONDS(300) };
static const struct kryos_rule supply_rule = { .size = sizeof(supply_rule),
	                                       .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	                                       .name = "no-supply",
	                                       .kind = KRYOS_RULE_POWER,
	                                       .comparator = KRYOS_COMPARATOR_LT,
	                                       .threshold_micro = 1000000,
	                                       .duration_ns = KRYOS_SECONDS(120) };
static const struct kryos_rule warm_rule = { .size = sizeof(warm_rule),
	                                     .has = KRYOS_RULE_THRESHOLD | KRYOS_RULE_DURATION,
	                                     .name = "warm",
	                                     .kind = KRYOS_RULE_HEAT,
	                                     .comparator = KRYOS_COMPARATOR_GT,
	                                     .threshold_micro = 8000000,
	                                     .duration_ns = KRYOS_MINUTES(5) };

static void watch(struct bench *bench, const char *channel, const char *unit, const struct kryos_rule *rule)
{
	assert_ok(kryos_monitor_watch(bench->monitor, channel,
	                              KRYOS_MONITOR_CHANNEL_CONFIG(.rules = rule, .rule_count = 1, .unit = unit,
	                                                           .interval_ns = KRYOS_MINUTES(1))));
}

static void start(struct bench *bench)
{
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	assert_ok(kryos_fake_bus_attach(bench->w1, bench->ctx));
	assert_ok(kryos_fake_bus_attach(bench->mains, bench->ctx));
	assert_ok(kryos_store_open(&bench->store, bench->ctx, in(bench->folder, "store"),
	                           KRYOS_STORE_CONFIG(.board = "one")));
	assert_ok(kryos_monitor_new(&bench->monitor, bench->store));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.monitor = bench->monitor)));
	bench->on = bench->off = 0;
}

static void stop(struct bench *bench)
{
	kryos_ctx_free(bench->ctx);
	bench->ctx = NULL;
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	*state = bench;
	bench->folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	kryos_fake_clock_set_synced(bench->clock, 1);
	assert_ok(kryos_fake_bus_new(&bench->gpio, "gpio"));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO17", &bench->wire));
	assert_ok(kryos_fake_bus_new(&bench->w1, "w1"));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-0316a2795bff", &bench->chip));
	assert_ok(kryos_fake_bus_new(&bench->mains, "sysfs-power_supply@AC"));
	assert_ok(kryos_fake_bus_add_kernel(bench->mains, "online", &bench->supply));
	start(bench);
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	stop(bench);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_bus_free(bench->w1);
	kryos_fake_bus_free(bench->mains);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static bool is_idle(void *data)
{
	struct bench *bench = data;
	const struct kryos_event *event = NULL;

	while (kryos_ctx_next_event(bench->ctx, &event) > 0) {
		if (event->type == KRYOS_EVENT_SAMPLE)
			bench->samples[bench->count++ % KEPT] = event->sample;
		if (event->type != KRYOS_EVENT_ALARM_ON && event->type != KRYOS_EVENT_ALARM_OFF)
			continue;
		bench->on += event->type == KRYOS_EVENT_ALARM_ON;
		bench->off += event->type == KRYOS_EVENT_ALARM_OFF;
		bench->decided = event->sample;
		assert_ok(kryos_episode_parse(&bench->last, event->text));
	}
	return kryos_sampler_busy(bench->sampler) == 0;
}

static void advance(struct bench *bench, int64_t by_ns)
{
	kryos_fake_clock_advance(bench->clock, by_ns);
	assert_true(process_until(bench->ctx, is_idle, bench, WAIT_MS));
	is_idle(bench);
}

/* To so many seconds since the boot, with each round on the way in its time. */
static void go_to(struct bench *bench, int64_t seconds)
{
	int64_t now = kryos_fake_clock_boot_ns(bench->clock), end = KRYOS_SECONDS(seconds);

	while (now < end) {
		int64_t round = (now / KRYOS_MINUTES(1) + 1) * KRYOS_MINUTES(1), next = round < end ? round : end;

		advance(bench, next - now);
		now = next;
	}
}

static bool is_taken(void *data)
{
	struct bench *bench = data;

	is_idle(bench);
	return kryos_model_get_bias(bench->wire) >= 0;
}

static void add_lid(struct bench *bench)
{
	watch(bench, LID, "/", &open_rule);
	assert_ok(kryos_sampler_add(bench->sampler, "lid", "door@gpio:GPIO17"));
	assert_true(process_until(bench->ctx, is_taken, bench, WAIT_MS));
}

/* The wire goes to a level now, and stands there. */
static void drive(struct bench *bench, int level)
{
	kryos_model_drive(bench->wire, level, kryos_fake_clock_boot_ns(bench->clock));
	advance(bench, KRYOS_SECONDS(1));
}

static void a_door_counts_from_when_it_was_opened(void **state)
{
	struct bench *bench = *state;

	add_lid(bench);
	go_to(bench, 70);
	drive(bench, 1); /* ten seconds after a round */
	go_to(bench, 360);
	assert_int_equal(bench->on, 0); /* 290 s */
	go_to(bench, 420);
	assert_int_equal(bench->on, 1);
	assert_int_equal(bench->last.start.t_boot_ns, KRYOS_SECONDS(70));
	assert_int_equal(bench->last.trigger.t_boot_ns, KRYOS_SECONDS(370));
	assert_int_equal(bench->last.duration_ns, KRYOS_SECONDS(300));
	assert_int_equal(bench->samples[(bench->count - 1) % KEPT].alarm, 1 << KRYOS_RULE_DOOR);
	go_to(bench, 425);
	drive(bench, 0);
	assert_int_equal(bench->off, 1);
	assert_int_equal(bench->last.end.t_boot_ns, KRYOS_SECONDS(425));
	assert_int_equal(bench->decided.value_micro, 0);
	go_to(bench, 480);
	assert_int_equal(bench->samples[(bench->count - 1) % KEPT].alarm, 0);
}

static void a_door_is_alarmed_when_it_is_due_at_any_phase_of_the_rounds(void **state)
{
	struct bench *bench = *state;

	add_lid(bench);
	for (int phase = 0; phase < 60; phase += 7) {
		int64_t opened = 60 + 1200 * phase + phase;

		go_to(bench, opened);
		drive(bench, 1);
		go_to(bench, opened + 299);
		drive(bench, 0); /* 299 s */
		go_to(bench, opened + 600);
		assert_int_equal(bench->on, 0);
		drive(bench, 1);
		go_to(bench, opened + 900);
		assert_int_equal(bench->on, opened % 60 == 0); /* that round has measured it */
		advance(bench, KRYOS_SECONDS(1));              /* in which a change could still have been told */
		assert_int_equal(bench->on, 1);
		assert_int_equal(bench->off, 0);
		assert_int_equal(bench->last.trigger.t_boot_ns, KRYOS_SECONDS(opened + 900));
		assert_int_equal(bench->last.duration_ns, KRYOS_SECONDS(300));
		assert_int_equal(bench->decided.t_boot_ns, KRYOS_SECONDS(opened + 900));
		assert_int_equal(bench->decided.t_wall_ns, kryos_fake_clock_wall_ns(bench->clock) - KRYOS_SECONDS(1));
		drive(bench, 0);
		assert_int_equal(bench->off, 1);
		bench->on = bench->off = 0;
	}
}

/* The contact still bounces when the time is up, and when a round finds it shut: it was before. */
static void a_door_that_is_shut_in_the_last_moment_raises_no_alarm(void **state)
{
	static const int64_t opened[] = { 75, 720 }; /* to be due between rounds, or with one */
	struct bench *bench = *state;

	add_lid(bench);
	for (size_t i = 0; i < 2; i++) {
		go_to(bench, opened[i]);
		drive(bench, 1);
		go_to(bench, opened[i] + 299);
		kryos_model_drive(bench->wire, 0, KRYOS_SECONDS(opened[i] + 300) - KRYOS_MILLISECONDS(10));
		advance(bench, KRYOS_SECONDS(1));
		go_to(bench, opened[i] + 400);
		assert_int_equal(bench->on, 0);
	}
}

/* Due half a second before a round, and shut just before it: the round finds that before the change is told. */
static void a_round_before_the_change_is_told_takes_no_alarm_away(void **state)
{
	struct bench *bench = *state;

	add_lid(bench);
	for (int seen = 1; seen >= 0; seen--) {
		int64_t round = seen ? 1020 : 1620;

		go_to(bench, round - 301);
		advance(bench, KRYOS_MILLISECONDS(500));
		kryos_model_drive(bench->wire, 1, kryos_fake_clock_boot_ns(bench->clock));
		advance(bench, KRYOS_MILLISECONDS(500));
		go_to(bench, round - 1);
		if (!seen)
			kryos_model_lose_edges(bench->wire, 1, 0);
		kryos_model_drive(bench->wire, 0, KRYOS_SECONDS(round) - KRYOS_MILLISECONDS(10));
		for (int i = 0; i < 5; i++)
			advance(bench, i ? KRYOS_MILLISECONDS(300) : KRYOS_SECONDS(1));
		/* Where nobody saw it, it may have been before it was due. */
		assert_int_equal(bench->on, 1);
		assert_int_equal(bench->off, 1);
		assert_int_equal(bench->last.trigger.t_boot_ns, KRYOS_SECONDS(1020) - KRYOS_MILLISECONDS(500));
		assert_int_equal(bench->last.end.t_boot_ns, KRYOS_SECONDS(1020) - KRYOS_MILLISECONDS(10));
	}
	go_to(bench, 1740);
	assert_int_equal(bench->on, 1);
	assert_int_equal(bench->samples[(bench->count - 1) % KEPT].alarm, 0);
}

/* A loop that stands still finds what it would have found in time. */
static void a_loop_that_comes_late_alarms_as_of_when_it_was_due(void **state)
{
	struct bench *bench = *state;

	add_lid(bench);
	go_to(bench, 125);
	drive(bench, 1);
	go_to(bench, 420);
	advance(bench, KRYOS_SECONDS(50)); /* over 425, up to before the next round */
	assert_int_equal(bench->on, 0);    /* a change of that time may still be on its way */
	advance(bench, KRYOS_SECONDS(1));
	assert_int_equal(bench->on, 1);
	assert_int_equal(bench->last.trigger.t_boot_ns, KRYOS_SECONDS(425));
	drive(bench, 0);
	go_to(bench, 605);
	drive(bench, 1);
	go_to(bench, 900);
	advance(bench, KRYOS_SECONDS(60)); /* over 905, together with a round */
	assert_int_equal(bench->on, 2);
	assert_int_equal(bench->last.trigger.t_boot_ns, KRYOS_SECONDS(905));
}

static void nothing_is_due_of_a_door_that_cannot_be_read(void **state)
{
	struct bench *bench = *state;

	add_lid(bench);
	go_to(bench, 130);
	drive(bench, 1);
	go_to(bench, 410);
	kryos_model_set_present(bench->wire, 0);
	go_to(bench, 470); /* the round of 420 found nothing; due was 430 */
	assert_int_equal(bench->samples[(bench->count - 1) % KEPT].quality, KRYOS_QUALITY_ABSENT);
	assert_int_equal(bench->on, 0);
	kryos_model_set_present(bench->wire, 1);
	go_to(bench, 540);
	assert_int_equal(bench->on, 1); /* by what was measured then */
	assert_true(bench->last.trigger.t_boot_ns >= KRYOS_SECONDS(480));
}

/* Which it was when it would have been due is not known: it is shut when it is read again. */
static void nothing_is_due_where_nobody_reads_the_line(void **state)
{
	struct bench *bench = *state;

	/* Nobody judged: as if nothing of the state was kept. */
	assert_ok(kryos_sampler_add(bench->sampler, "lid", "door@gpio:GPIO17"));
	assert_true(process_until(bench->ctx, is_taken, bench, WAIT_MS));
	go_to(bench, 130);
	drive(bench, 1);
	go_to(bench, 425);
	stop(bench);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(10));
	kryos_model_drive(bench->wire, 0, kryos_fake_clock_boot_ns(bench->clock));
	start(bench);
	add_lid(bench);
	go_to(bench, 600);
	assert_int_equal(bench->on, 0);
}

static void nothing_is_due_of_a_line_that_was_given_back(void **state)
{
	struct bench *bench = *state;

	add_lid(bench);
	go_to(bench, 130);
	drive(bench, 1);
	go_to(bench, 425);
	kryos_sampler_free(bench->sampler);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(6)); /* over 430 */
	assert_ok(kryos_ctx_process(bench->ctx));
	kryos_model_drive(bench->wire, 0, kryos_fake_clock_boot_ns(bench->clock));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.monitor = bench->monitor)));
	assert_ok(kryos_sampler_add(bench->sampler, "lid", "door@gpio:GPIO17"));
	assert_true(process_until(bench->ctx, is_taken, bench, WAIT_MS));
	go_to(bench, 600);
	assert_int_equal(bench->on, 0);
}

static void after_299_seconds_no_after_300_yes(void **state)
{
	struct bench *bench = *state;

	add_lid(bench);
	go_to(bench, 121);
	drive(bench, 1);
	go_to(bench, 420); /* 299 s */
	assert_int_equal(bench->on, 0);
	drive(bench, 0);
	go_to(bench, 600);
	kryos_model_drive(bench->wire, 1, KRYOS_SECONDS(600) - 1000000); /* a millisecond before the round */
	go_to(bench, 660);
	drive(bench, 0);
	go_to(bench, 720);
	kryos_model_drive(bench->wire, 1, KRYOS_SECONDS(720));
	go_to(bench, 1020); /* 300 s */
	assert_int_equal(bench->on, 1);
	assert_int_equal(bench->last.duration_ns, KRYOS_SECONDS(300));
}

static void what_a_door_was_until_it_was_shut_counts(void **state)
{
	struct bench *bench = *state;

	add_lid(bench);
	go_to(bench, 125);
	drive(bench, 1);
	go_to(bench, 424);
	drive(bench, 0); /* 299 s */
	go_to(bench, 480);
	assert_int_equal(bench->on, 0);
	go_to(bench, 545);
	drive(bench, 1);
	go_to(bench, 845);
	drive(bench, 0); /* 300 s, of which the last round saw 295 */
	assert_int_equal(bench->on, 1);
	assert_int_equal(bench->off, 1);
	assert_int_equal(bench->last.duration_ns, KRYOS_SECONDS(300));
}

static void a_moment_shut_between_two_rounds_begins_anew(void **state)
{
	struct bench *bench = *state;

	add_lid(bench);
	go_to(bench, 70);
	drive(bench, 1);
	go_to(bench, 200);
	drive(bench, 0);
	go_to(bench, 205);
	drive(bench, 1);
	go_to(bench, 480); /* 275 s */
	assert_int_equal(bench->on, 0);
	go_to(bench, 506);
	assert_int_equal(bench->on, 1);
	assert_int_equal(bench->last.start.t_boot_ns, KRYOS_SECONDS(205));
	assert_int_equal(bench->last.trigger.t_boot_ns, KRYOS_SECONDS(505));
}

/* What was told of the door since the round's instant is newer than what the round measured. */
static void a_round_that_ends_after_a_change_does_not_undo_it(void **state)
{
	struct bench *bench = *state;
	struct kryos_sample sample = { .value_micro = 0, .t_boot_ns = KRYOS_SECONDS(120), .trust = KRYOS_TRUST_SYNCED };
	struct kryos_sample edge = { .value_micro = 1000000,
		                     .t_boot_ns = KRYOS_SECONDS(123),
		                     .trust = KRYOS_TRUST_SYNCED };

	watch(bench, LID, "/", &open_rule);
	assert_ok(kryos_channel_add(bench->ctx, LID, "/", &sample.channel));
	edge.channel = sample.channel;
	kri_monitor_set_debounce(bench->monitor, sample.channel, KRYOS_MILLISECONDS(50));
	assert_ok(kri_monitor_take_state(bench->monitor, &edge, 0));
	assert_ok(kryos_monitor_take(bench->monitor, &sample, 1));
	/* A change that is told late counts from the newest judged one on. */
	edge.value_micro = 0;
	edge.t_boot_ns = KRYOS_SECONDS(122);
	assert_ok(kri_monitor_take_state(bench->monitor, &edge, 0));
	edge.value_micro = 1000000;
	edge.t_boot_ns = KRYOS_SECONDS(124);
	assert_ok(kri_monitor_take_state(bench->monitor, &edge, 0));
	for (int i = 1; i <= 5; i++) {
		sample.value_micro = 1000000;
		sample.t_boot_ns = KRYOS_SECONDS(124 + 60 * i);
		assert_ok(kryos_monitor_take(bench->monitor, &sample, 1));
	}
	is_idle(bench);
	assert_int_equal(bench->on, 1);
	assert_int_equal(bench->last.start.t_boot_ns, KRYOS_SECONDS(124));
}

static void a_restart_knows_when_the_door_was_opened(void **state)
{
	struct bench *bench = *state;

	/* Nobody judged: as if nothing of the state was kept. */
	assert_ok(kryos_sampler_add(bench->sampler, "lid", "door@gpio:GPIO17"));
	assert_true(process_until(bench->ctx, is_taken, bench, WAIT_MS));
	go_to(bench, 70);
	drive(bench, 1);
	go_to(bench, 250);
	stop(bench);
	start(bench);
	add_lid(bench);
	go_to(bench, 360);
	assert_int_equal(bench->on, 0);
	go_to(bench, 371);
	assert_int_equal(bench->on, 1);
	assert_int_equal(bench->last.start.t_boot_ns, KRYOS_SECONDS(70));
	assert_int_equal(bench->last.trigger.t_boot_ns, KRYOS_SECONDS(370));
}

/* A round that begins when the supply's loss is due, with a bus that takes three seconds to answer. */
static void slow_round(struct bench *bench, int64_t seconds)
{
	go_to(bench, seconds - 1);
	kryos_fake_bus_plan(bench->w1, KRYOS_FAULT_HANG, 0, -1);
	for (int i = 0; i < 4; i++) {
		kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(1));
		process_for(bench->ctx, 20);
	}
	is_idle(bench);
	assert_int_equal(kryos_sampler_busy(bench->sampler), 1);
	assert_int_equal(bench->on, 0);
	kryos_fake_bus_plan(bench->w1, KRYOS_FAULT_NONE, 0, 0);
	assert_true(process_until(bench->ctx, is_idle, bench, WAIT_MS));
}

static void of_a_supply_that_is_only_measured_the_round_is_waited_for(void **state)
{
	struct bench *bench = *state;

	watch(bench, MAINS, "/", &supply_rule);
	assert_ok(kryos_model_set(bench->supply, "online", 1000000));
	assert_ok(kryos_sampler_add(bench->sampler, "mains", "power_supply@AC:online"));
	assert_ok(kryos_sampler_add(bench->sampler, "fridge", "ds18b20@w1:any"));
	for (int comes_back = 1; comes_back >= 0; comes_back--) {
		int64_t lost = comes_back ? 60 : 360;

		go_to(bench, lost);
		assert_ok(kryos_model_set(bench->supply, "online", 0));
		go_to(bench, lost + 150); /* found by two rounds: due with the next */
		assert_ok(kryos_model_set(bench->supply, "online", comes_back ? 1000000 : 0));
		slow_round(bench, lost + 180);
		assert_int_equal(bench->on, !comes_back);
	}
	assert_int_equal(bench->last.trigger.t_boot_ns, KRYOS_SECONDS(540));
}

static void every_measurement_of_a_recorded_period_is_judged(void **state)
{
	struct bench *bench = *state;
	unsigned int rows = 0;

	watch(bench, FRIDGE, "Cel", &warm_rule);
	assert_ok(kryos_model_set(bench->chip, "temperature", 5000000));
	assert_ok(kryos_sampler_add_with(bench->sampler, "fridge", "ds18b20@w1:any",
	                                 KRYOS_SAMPLER_SENSOR_CONFIG(.record_ns = KRYOS_MINUTES(15))));
	go_to(bench, 120);
	assert_ok(kryos_model_set(bench->chip, "temperature", 9000000));
	go_to(bench, 420);
	assert_int_equal(bench->on, 0);
	go_to(bench, 480);
	assert_int_equal(bench->on, 1);
	assert_int_equal(bench->count, 0); /* stored is nothing yet */
	assert_int_equal(bench->last.start.t_boot_ns, KRYOS_SECONDS(180));
	assert_ok(kryos_model_set(bench->chip, "temperature", 5000000));
	go_to(bench, 540);
	assert_int_equal(bench->off, 1);
	go_to(bench, 901);
	for (size_t i = 0; i < bench->count; i++) {
		assert_int_equal(bench->samples[i].alarm, 1 << KRYOS_RULE_HEAT); /* it was, in that period */
		rows++;
	}
	assert_int_equal(rows, 3); /* mean, min, max */
}

static void a_sampler_takes_the_monitor_of_its_own_store_only(void **state)
{
	struct bench *bench = *state;
	struct kryos_sampler *sampler = NULL;
	struct kryos_store *other;

	assert_ok(kryos_store_open(&other, bench->ctx, in(bench->folder, "other"), KRYOS_STORE_CONFIG(.board = "one")));
	assert_fails(-EINVAL, kryos_sampler_new(&sampler, other, KRYOS_SAMPLER_CONFIG(.monitor = bench->monitor)));
	assert_says(-EINVAL, "monitor");
	assert_null(sampler);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_door_counts_from_when_it_was_opened),
		CASE(a_door_is_alarmed_when_it_is_due_at_any_phase_of_the_rounds),
		CASE(a_door_that_is_shut_in_the_last_moment_raises_no_alarm),
		CASE(a_round_before_the_change_is_told_takes_no_alarm_away),
		CASE(a_loop_that_comes_late_alarms_as_of_when_it_was_due),
		CASE(nothing_is_due_of_a_door_that_cannot_be_read),
		CASE(nothing_is_due_where_nobody_reads_the_line),
		CASE(nothing_is_due_of_a_line_that_was_given_back),
		CASE(after_299_seconds_no_after_300_yes),
		CASE(what_a_door_was_until_it_was_shut_counts),
		CASE(a_moment_shut_between_two_rounds_begins_anew),
		CASE(a_round_that_ends_after_a_change_does_not_undo_it),
		CASE(a_restart_knows_when_the_door_was_opened),
		CASE(a_sampler_takes_the_monitor_of_its_own_store_only),
		CASE(of_a_supply_that_is_only_measured_the_round_is_waited_for),
		CASE(every_measurement_of_a_recorded_period_is_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
