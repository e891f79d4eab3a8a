/* SPDX-License-Identifier: Apache-2.0 */
/* A door's changes between its measurements, in simulated time. */
#include "support.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <sampler/sampler_private.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1795000000000000000)
#define MS(n) KRYOS_MILLISECONDS(n)
#define WAIT_MS 20000
#define KEPT 512

struct bench {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio;
	struct kryos_model *wire;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_sampler *sampler;
	struct kryos_sample last; /* accepted */
	size_t samples;
	struct {
		enum kryos_event_type type;
		int code;
		int64_t t_boot_ns, t_wall_ns, lasted_ns;
		char name[64], text[256];
	} events[KEPT];
	size_t count;
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	bench->folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	assert_ok(kryos_fake_bus_new(&bench->gpio, "gpio"));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO17", &bench->wire));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	assert_ok(kryos_store_open(&bench->store, bench->ctx, in(bench->folder, "store"), NULL));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static void take_events(struct bench *bench)
{
	const struct kryos_event *event = NULL;

	while (kryos_ctx_next_event(bench->ctx, &event) > 0) {
		if (event->type == KRYOS_EVENT_SAMPLE) {
			bench->last = event->sample;
			bench->samples++;
			continue;
		}
		assert_true(bench->count < KEPT);
		bench->events[bench->count].type = event->type;
		bench->events[bench->count].code = event->code;
		bench->events[bench->count].t_boot_ns = event->sample.t_boot_ns;
		bench->events[bench->count].t_wall_ns = event->sample.t_wall_ns;
		bench->events[bench->count].lasted_ns = event->value_ns;
		snprintf(bench->events[bench->count].name, sizeof(bench->events[0].name), "%s", event->name);
		snprintf(bench->events[bench->count++].text, sizeof(bench->events[0].text), "%s", event->text);
	}
}

static bool is_idle(void *data)
{
	struct bench *bench = data;

	take_events(bench);
	return kryos_sampler_busy(bench->sampler) == 0;
}

static void settle(struct bench *bench)
{
	if (!process_until(bench->ctx, is_idle, bench, WAIT_MS))
		fail_msg("the sampler is still busy");
	take_events(bench);
}

static void advance(struct bench *bench, int64_t by_ns)
{
	kryos_fake_clock_advance(bench->clock, by_ns);
	settle(bench);
}

static int64_t now(struct bench *bench)
{
	return kryos_fake_clock_boot_ns(bench->clock);
}

static bool is_taken(void *data)
{
	struct bench *bench = data;

	return kryos_model_get_bias(bench->wire) >= 0;
}

/* The door, closed, and measured once (at 60 s). */
static void add_door(struct bench *bench, const struct kryos_line_config *line)
{
	assert_ok(kryos_sampler_add_with(bench->sampler, "lid", "door@gpio:GPIO17",
	                                 KRYOS_SAMPLER_SENSOR_CONFIG(.sensor = KRYOS_SENSOR_CONFIG(.line = line))));
	assert_true(process_until(bench->ctx, is_taken, bench, WAIT_MS));
	advance(bench, KRYOS_SECONDS(50));
	assert_int_equal(bench->samples, 1);
	assert_int_equal(bench->count, 0);
}

static void drive(struct bench *bench, int level)
{
	kryos_model_drive(bench->wire, level, now(bench));
}

#define assert_event(bench, index, state, at_ns, took_ns, words)                                                       \
	do {                                                                                                           \
		assert_int_equal((bench)->events[index].type, KRYOS_EVENT_STATE);                                      \
		assert_string_equal((bench)->events[index].name, "lid.open");                                          \
		assert_string_equal((bench)->events[index].text, words);                                               \
		assert_int_equal((bench)->events[index].code, state);                                                  \
		assert_int_equal((bench)->events[index].t_boot_ns, at_ns);                                             \
		assert_int_equal((bench)->events[index].lasted_ns, took_ns);                                           \
	} while (0)

static void door_is_measured_as_a_switch(void **state)
{
	struct bench *bench = *state;

	add_door(bench, NULL);
	assert_int_equal(kryos_model_get_bias(bench->wire), KRYOS_BIAS_PULL_UP);
	assert_string_equal(kryos_channel_name(bench->ctx, bench->last.channel), "lid.open");
	assert_string_equal(kryos_channel_unit(bench->ctx, bench->last.channel), "/");
	assert_int_equal(bench->last.value_micro, 0);
	drive(bench, 1);
	advance(bench, KRYOS_SECONDS(60));
	assert_int_equal(bench->last.value_micro, 1000000);
	/* Nobody opened it for two days: it is not stuck. */
	for (int i = 0; i < 50; i++)
		advance(bench, KRYOS_HOURS(1));
	assert_int_equal(bench->last.quality, KRYOS_QUALITY_GOOD);
}

static void change_is_told_with_its_own_time_once_it_has_stood(void **state)
{
	struct bench *bench = *state;
	int64_t opened, closed;

	add_door(bench, NULL);
	advance(bench, MS(1234));
	opened = now(bench);
	drive(bench, 1);
	advance(bench, MS(49));
	assert_int_equal(bench->count, 0);
	advance(bench, MS(1));
	assert_int_equal(bench->count, 1);
	assert_event(bench, 0, 1, opened, 0, "open");
	assert_int_equal(bench->events[0].t_wall_ns, NOON + opened - KRYOS_SECONDS(10));
	advance(bench, MS(7070));
	closed = now(bench);
	drive(bench, 0);
	advance(bench, MS(60));
	assert_int_equal(bench->count, 2);
	assert_event(bench, 1, 0, closed, closed - opened, "closed after 7.120 s open");
}

static void bouncing_is_one_change_at_its_first_edge(void **state)
{
	struct bench *bench = *state;
	int64_t opened;

	add_door(bench, KRYOS_LINE_CONFIG(.debounce_ns = MS(20)));
	advance(bench, MS(500));
	opened = now(bench);
	for (int i = 0; i < 9; i++) {
		drive(bench, i % 2 == 0);
		advance(bench, MS(15));
	}
	assert_int_equal(bench->count, 0);
	advance(bench, MS(5));
	assert_int_equal(bench->count, 1);
	assert_event(bench, 0, 1, opened, 0, "open");
}

static void glitch_is_no_change(void **state)
{
	struct bench *bench = *state;

	add_door(bench, NULL);
	advance(bench, MS(500));
	drive(bench, 1);
	advance(bench, MS(30));
	drive(bench, 0);
	advance(bench, KRYOS_SECONDS(50));
	assert_int_equal(bench->count, 0);
}

static void loop_that_comes_late_finds_every_change_with_its_time(void **state)
{
	struct bench *bench = *state;
	int64_t from;

	add_door(bench, NULL);
	from = now(bench);
	for (int i = 1; i <= 10; i++) {
		kryos_model_drive(bench->wire, i % 2, from + KRYOS_SECONDS(3 * i));
		/* It bounces once, each time. */
		kryos_model_drive(bench->wire, !(i % 2), from + KRYOS_SECONDS(3 * i) + MS(2));
		kryos_model_drive(bench->wire, i % 2, from + KRYOS_SECONDS(3 * i) + MS(5));
	}
	advance(bench, KRYOS_SECONDS(40));
	assert_int_equal(bench->count, 10);
	for (int i = 1; i <= 10; i++)
		assert_event(bench, i - 1, i % 2, from + KRYOS_SECONDS(3 * i), i > 1 ? KRYOS_SECONDS(3) : 0,
		             i == 1  ? "open"
		             : i % 2 ? "open after 3.000 s closed"
		                     : "closed after 3.000 s open");
}

static void what_the_bus_has_debounced_is_told_at_once(void **state)
{
	struct bench *bench = *state;

	kryos_model_set_settles(bench->wire, 1);
	add_door(bench, NULL);
	advance(bench, MS(500));
	kryos_model_drive(bench->wire, 1, now(bench) - MS(50));
	settle(bench);
	assert_int_equal(bench->count, 1);
	assert_event(bench, 0, 1, now(bench) - MS(50), 0, "open");
}

/* While the kernel debounced, what was measured was the state before; its edge is dated back over that. */
static void measurement_of_while_the_bus_debounced_is_no_change(void **state)
{
	struct bench *bench = *state;
	struct kri_measured old = { .count = 1 };

	kryos_model_set_settles(bench->wire, 1);
	add_door(bench, NULL);
	advance(bench, KRYOS_SECONDS(10));
	old.samples[0].t_boot_ns = now(bench) - MS(20);
	kryos_model_drive(bench->wire, 1, now(bench) - MS(50));
	settle(bench);
	assert_int_equal(bench->count, 1);
	kri_edges_measured(bench->sampler->probes->sensor->edges, &old);
	advance(bench, KRYOS_SECONDS(5));
	assert_int_equal(bench->count, 1);
}

static void change_that_no_edge_told_is_found_by_measuring(void **state)
{
	struct bench *bench = *state;

	add_door(bench, NULL);
	kryos_model_lose_edges(bench->wire, 1, 0);
	advance(bench, KRYOS_SECONDS(10));
	drive(bench, 1);
	advance(bench, KRYOS_SECONDS(50));
	assert_int_equal(bench->count, 0);
	advance(bench, KRYOS_SECONDS(1));
	assert_int_equal(bench->count, 1);
	assert_event(bench, 0, 1, KRYOS_SECONDS(120), 0, "open; found by measuring, the change itself was not seen");
	/* When it was opened is not known, so how long it was open is not either. */
	advance(bench, KRYOS_SECONDS(9));
	drive(bench, 0);
	advance(bench, KRYOS_SECONDS(1));
	assert_int_equal(bench->count, 2);
	assert_event(bench, 1, 0, KRYOS_SECONDS(130), 0, "closed");
}

/* A loop that is held up comes to the edge first, and then to a measurement of before it. */
static void measurement_of_before_an_edge_is_no_change(void **state)
{
	struct bench *bench = *state;
	struct kri_measured old = { .count = 1 };

	add_door(bench, NULL);
	advance(bench, KRYOS_SECONDS(10));
	old.samples[0].t_boot_ns = now(bench);
	drive(bench, 1);
	advance(bench, MS(60));
	assert_int_equal(bench->count, 1);
	kri_edges_measured(bench->sampler->probes->sensor->edges, &old);
	advance(bench, KRYOS_SECONDS(5));
	assert_int_equal(bench->count, 1);
	/* One of after it is believed. */
	old.samples[0].t_boot_ns = now(bench);
	kri_edges_measured(bench->sampler->probes->sensor->edges, &old);
	advance(bench, KRYOS_SECONDS(5));
	assert_int_equal(bench->count, 2);
}

static void lost_edges_are_said(void **state)
{
	struct bench *bench = *state;

	add_door(bench, NULL);
	drive(bench, 1);
	advance(bench, KRYOS_SECONDS(1));
	kryos_model_lose_edges(bench->wire, 2, 1);
	drive(bench, 0);
	advance(bench, KRYOS_SECONDS(1));
	drive(bench, 1);
	advance(bench, KRYOS_SECONDS(1));
	drive(bench, 0);
	advance(bench, KRYOS_SECONDS(1));
	assert_int_equal(bench->count, 2);
	assert_event(bench, 1, 0, KRYOS_SECONDS(63), 0, "closed; 2 edges before were lost");
}

static void contact_that_chatters_does_not_fill_the_store(void **state)
{
	struct bench *bench = *state;
	size_t told;
	int64_t last;

	add_door(bench, KRYOS_LINE_CONFIG(.debounce_ns = MS(1)));
	for (int i = 1; i <= 401; i++) {
		drive(bench, i % 2);
		advance(bench, MS(10));
	}
	/* A burst, what half a minute earns, and no more; it stands open at the end, and that is told in time. */
	told = bench->count;
	assert_in_range(told, 60, 66);
	last = now(bench) - MS(10);
	advance(bench, KRYOS_SECONDS(11));
	assert_int_equal(bench->count, told + 1);
	assert_int_equal(bench->events[told].code, 1);
	assert_int_equal(bench->events[told].t_boot_ns, last);
	assert_non_null(strstr(bench->events[told].text, "changes before were too many to record"));
	advance(bench, KRYOS_MINUTES(5));
	assert_int_equal(bench->count, told + 1);
	drive(bench, 0);
	advance(bench, KRYOS_SECONDS(1));
	assert_int_equal(bench->count, told + 2);
	assert_string_equal(bench->events[told + 1].text, "closed after 311.010 s open");
}

static void chip_that_goes_is_absent_and_says_nothing_of_meanwhile(void **state)
{
	struct bench *bench = *state;

	add_door(bench, NULL);
	kryos_model_set_present(bench->wire, 0);
	advance(bench, KRYOS_SECONDS(60));
	assert_int_equal(bench->last.quality, KRYOS_QUALITY_ABSENT);
	assert_int_equal(bench->count, 1);
	assert_int_equal(bench->events[0].type, KRYOS_EVENT_SENSOR_LOST);
	drive(bench, 1);
	kryos_model_set_present(bench->wire, 1);
	advance(bench, KRYOS_SECONDS(60));
	assert_int_equal(bench->last.value_micro, 1000000);
	advance(bench, KRYOS_SECONDS(5));
	assert_int_equal(bench->count, 2);
	assert_int_equal(bench->events[1].type, KRYOS_EVENT_SENSOR_BACK);
	drive(bench, 0);
	advance(bench, KRYOS_SECONDS(1));
	assert_event(bench, 2, 0, KRYOS_SECONDS(185), 0, "closed");
}

static void line_that_somebody_holds_is_named_and_taken_when_it_is_free(void **state)
{
	struct bench *bench = *state;

	kryos_model_hold(bench->wire, "spi0 CS1");
	assert_ok(kryos_sampler_add(bench->sampler, "lid", "door@gpio:GPIO17"));
	advance(bench, KRYOS_SECONDS(50));
	assert_int_equal(bench->last.quality, KRYOS_QUALITY_BUS);
	assert_int_equal(bench->events[0].type, KRYOS_EVENT_SENSOR_LOST);
	assert_int_equal(bench->events[0].code, -EBUSY);
	assert_string_equal(bench->events[0].text, "door@gpio:GPIO17: GPIO17 is held by \"spi0 CS1\"");
	kryos_model_hold(bench->wire, NULL);
	advance(bench, KRYOS_SECONDS(60));
	assert_int_equal(bench->last.quality, KRYOS_QUALITY_GOOD);
}

static void active_low_turns_states_and_edges(void **state)
{
	struct bench *bench = *state;

	add_door(bench, KRYOS_LINE_CONFIG(.active_low = 1, .bias = KRYOS_BIAS_OFF));
	assert_int_equal(kryos_model_get_bias(bench->wire), KRYOS_BIAS_OFF);
	assert_int_equal(bench->last.value_micro, 1000000);
	drive(bench, 1);
	advance(bench, KRYOS_SECONDS(1));
	assert_event(bench, 0, 0, KRYOS_SECONDS(60), 0, "closed");
}

static void sensor_alone_reads_its_line_as_it_is_told(void **state)
{
	struct kryos_sensor *mains = NULL;
	struct kryos_sample sample;
	struct bench *bench = *state;

	assert_ok(kryos_sensor_open_with(
		&mains, bench->ctx, "grid", "mains@gpio:GPIO17",
		KRYOS_SENSOR_CONFIG(.line = KRYOS_LINE_CONFIG(.active_low = 1, .bias = KRYOS_BIAS_PULL_DOWN))));
	assert_int_equal(kryos_model_get_bias(bench->wire), KRYOS_BIAS_PULL_DOWN);
	assert_int_equal(kryos_sensor_read(mains, &sample, 1), 1);
	assert_int_equal(sample.value_micro, 1000000);
	drive(bench, 1);
	assert_int_equal(kryos_sensor_read(mains, &sample, 1), 1);
	assert_int_equal(sample.value_micro, 0);
	kryos_sensor_close(mains);
	assert_fails(-EINVAL, kryos_sensor_open_with(&mains, bench->ctx, "fridge", "ds18b20@w1:any",
	                                             KRYOS_SENSOR_CONFIG(.line = KRYOS_LINE_CONFIG(.active_low = 1))));
	assert_string_equal(kryos_strerror(-EINVAL),
	                    "fridge: a Maxim DS18B20 is no GPIO line, so nothing can be said of one");
}

static void changes_are_stored_with_their_time(void **state)
{
	struct kryos_queue *queue = NULL;
	const struct kryos_record *record;
	struct bench *bench = *state;
	int found = 0;

	assert_ok(kryos_queue_open(&queue, bench->store, "clinic", NULL));
	add_door(bench, NULL);
	advance(bench, KRYOS_SECONDS(5));
	drive(bench, 1);
	advance(bench, KRYOS_SECONDS(4));
	drive(bench, 0);
	advance(bench, KRYOS_SECONDS(1));
	assert_ok(kryos_store_flush(bench->store, KRYOS_SECONDS(10)));
	while (kryos_queue_next(queue, &record) > 0) {
		if (!record->event || record->event->type != KRYOS_EVENT_STATE)
			continue;
		assert_string_equal(record->event->name, "lid.open");
		assert_int_equal(record->event->code, !found);
		assert_int_equal(record->sample.t_boot_ns, KRYOS_SECONDS(found ? 69 : 65));
		assert_int_equal(record->event->value_ns, found ? KRYOS_SECONDS(4) : 0);
		found++;
	}
	assert_int_equal(found, 2);
}

static void sensor_that_is_no_line_takes_no_line_config(void **state)
{
	struct bench *bench = *state;

	assert_fails(-EINVAL,
	             kryos_sampler_add_with(
			     bench->sampler, "fridge", "ds18b20@w1:any",
			     KRYOS_SAMPLER_SENSOR_CONFIG(
					     .sensor = KRYOS_SENSOR_CONFIG(.line = KRYOS_LINE_CONFIG(.bias = 1)))));
	assert_says(-EINVAL, "fridge: a Maxim DS18B20 is no GPIO line");
	assert_fails(
		-EINVAL,
		kryos_sampler_add_with(
			bench->sampler, "lid", "door@gpio:GPIO17",
			KRYOS_SAMPLER_SENSOR_CONFIG(
					.sensor = KRYOS_SENSOR_CONFIG(.line = KRYOS_LINE_CONFIG(.debounce_ns = 1)))));
	assert_says(-EINVAL, "lid: debounce_ns");
	assert_fails(KRYOS_EDEVICE, kryos_sampler_add(bench->sampler, "lid", "door@gpio"));
	assert_says(KRYOS_EDEVICE, "write door@gpio:GPIO17");
	assert_fails(KRYOS_EDEVICE, kryos_sampler_add(bench->sampler, "lid", "door@i2c-1:0x20"));
	assert_says(KRYOS_EDEVICE, "a door is on gpio");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(door_is_measured_as_a_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(change_is_told_with_its_own_time_once_it_has_stood, setup, teardown),
		cmocka_unit_test_setup_teardown(bouncing_is_one_change_at_its_first_edge, setup, teardown),
		cmocka_unit_test_setup_teardown(glitch_is_no_change, setup, teardown),
		cmocka_unit_test_setup_teardown(loop_that_comes_late_finds_every_change_with_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_bus_has_debounced_is_told_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(measurement_of_while_the_bus_debounced_is_no_change, setup, teardown),
		cmocka_unit_test_setup_teardown(change_that_no_edge_told_is_found_by_measuring, setup, teardown),
		cmocka_unit_test_setup_teardown(measurement_of_before_an_edge_is_no_change, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_edges_are_said, setup, teardown),
		cmocka_unit_test_setup_teardown(contact_that_chatters_does_not_fill_the_store, setup, teardown),
		cmocka_unit_test_setup_teardown(chip_that_goes_is_absent_and_says_nothing_of_meanwhile, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(line_that_somebody_holds_is_named_and_taken_when_it_is_free, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(active_low_turns_states_and_edges, setup, teardown),
		cmocka_unit_test_setup_teardown(sensor_alone_reads_its_line_as_it_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_are_stored_with_their_time, setup, teardown),
		cmocka_unit_test_setup_teardown(sensor_that_is_no_line_takes_no_line_config, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
