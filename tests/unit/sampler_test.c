/* SPDX-License-Identifier: Apache-2.0 */
/* The sampler, over chip models and a real store; most of it in simulated time. */
#include "support.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <sampler/sampler_private.h>
#include <stdlib.h>
#include <store/private.h>
#include <string.h>
#include <unistd.h>

#define C(celsius) ((int64_t)((celsius)*1000000))
#define NOON INT64_C(1795000000000000000)
#define WAIT_MS 20000
#define KEPT 512

struct bench {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *i2c, *w1;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_sampler *sampler;
	/* What was accepted, in order, and which other events came. */
	struct kryos_sample samples[KEPT];
	size_t count;
	struct {
		enum kryos_event_type type;
		int code;
		char name[32], text[256];
	} events[KEPT];
	size_t event_count;
};

static int make_bench(struct bench *bench)
{
	struct kryos_ctx_config config = { .size = sizeof(config) };

	if (bench->clock) {
		config.clock = kryos_fake_clock_source();
		config.clock_userdata = bench->clock;
	}
	if (kryos_ctx_new(&bench->ctx, &config) < 0 || kryos_fake_bus_attach(bench->i2c, bench->ctx) < 0 ||
	    kryos_fake_bus_attach(bench->w1, bench->ctx) < 0)
		return -1;
	return kryos_store_open(&bench->store, bench->ctx, in(bench->folder, "store"), NULL);
}

static int setup_any(void **state, bool simulated)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	bench->folder = scratch_new();
	if (kryos_fake_bus_new(&bench->i2c, "i2c-1") < 0 || kryos_fake_bus_new(&bench->w1, "w1") < 0 ||
	    (simulated && kryos_fake_clock_new(&bench->clock, NOON) < 0))
		return -1;
	return make_bench(bench);
}

static int setup(void **state)
{
	return setup_any(state, true);
}

static int setup_real(void **state)
{
	return setup_any(state, false);
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_NONE, 0, 0);
	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->i2c);
	kryos_fake_bus_free(bench->w1);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static void take_events(struct bench *bench)
{
	const struct kryos_event *event = NULL;

	while (kryos_ctx_next_event(bench->ctx, &event) > 0) {
		assert_int_equal(event->dropped, 0);
		if (event->type == KRYOS_EVENT_SAMPLE && bench->count < KEPT) {
			bench->samples[bench->count++] = event->sample;
		} else if (event->type != KRYOS_EVENT_SAMPLE && bench->event_count < KEPT) {
			size_t i = bench->event_count++;

			bench->events[i].type = event->type;
			bench->events[i].code = event->code;
			snprintf(bench->events[i].name, sizeof(bench->events[i].name), "%.31s", event->name);
			snprintf(bench->events[i].text, sizeof(bench->events[i].text), "%.255s", event->text);
		}
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
}

static void advance(struct bench *bench, int64_t by_ns)
{
	kryos_fake_clock_advance(bench->clock, by_ns);
	settle(bench);
}

static unsigned int events_of(const struct bench *bench, enum kryos_event_type type, const char *name)
{
	unsigned int count = 0;

	for (size_t i = 0; i < bench->event_count; i++)
		count += bench->events[i].type == type && !strcmp(bench->events[i].name, name);
	return count;
}

static struct kryos_sampler_status status_of(struct bench *bench)
{
	struct kryos_sampler_status status = { .size = sizeof(status) };

	assert_ok(kryos_sampler_get_status(bench->sampler, &status));
	return status;
}

static void add_fridge_and_room(struct bench *bench, struct kryos_model **fridge, struct kryos_model **room)
{
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-0316a2795bff", fridge));
	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x76", room));
	assert_ok(kryos_model_set(*fridge, "temperature", C(5.25)));
	assert_ok(kryos_sampler_add(bench->sampler, "fridge", "ds18b20@w1:any"));
	assert_ok(kryos_sampler_add(bench->sampler, "room", "bme280@i2c-1:0x76"));
}

static void samples_of_a_round_share_number_and_instant(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	add_fridge_and_room(bench, &fridge, &room);
	settle(bench);
	assert_int_equal(bench->count, 0);
	advance(bench, KRYOS_SECONDS(50));
	assert_int_equal(bench->count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(bench->samples[i].round, 1);
		assert_int_equal(bench->samples[i].t_boot_ns, KRYOS_SECONDS(60));
		assert_int_equal(bench->samples[i].t_wall_ns, NOON + KRYOS_SECONDS(50));
		assert_int_equal(bench->samples[i].quality, KRYOS_QUALITY_GOOD);
		assert_true(bench->samples[i].seq > 0);
	}
	assert_string_equal(kryos_channel_name(bench->ctx, bench->samples[0].channel), "fridge.temperature");
	assert_int_equal(bench->samples[0].value_micro, C(5.25));
	assert_string_equal(kryos_channel_name(bench->ctx, bench->samples[1].channel), "room.temperature");
	assert_string_equal(kryos_channel_name(bench->ctx, bench->samples[3].channel), "room.pressure");
	assert_int_equal(status_of(bench).rounds, 1);
	assert_int_equal(status_of(bench).sensors, 2);
	assert_int_equal(status_of(bench).failed, 0);
}

static void rounds_are_at_multiples_of_the_interval(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	add_fridge_and_room(bench, &fridge, &room);
	advance(bench, KRYOS_SECONDS(50) - 1);
	assert_int_equal(bench->count, 0);
	advance(bench, 1);
	assert_int_equal(bench->count, 4);
	advance(bench, KRYOS_SECONDS(59));
	assert_int_equal(bench->count, 4);
	/* 400 ms late is a loop's delay, 30 s late is another instant; either way the next is where it should be. */
	advance(bench, KRYOS_MILLISECONDS(1400));
	assert_int_equal(bench->count, 8);
	assert_int_equal(bench->samples[4].t_boot_ns, KRYOS_SECONDS(120));
	assert_int_equal(bench->samples[4].round, 2);
	advance(bench, KRYOS_SECONDS(89));
	assert_int_equal(bench->samples[8].t_boot_ns, KRYOS_MILLISECONDS(209400));
	assert_int_equal(bench->samples[8].t_wall_ns, NOON + KRYOS_MILLISECONDS(199400));
	advance(bench, KRYOS_MILLISECONDS(30600));
	assert_int_equal(bench->count, 16);
	assert_int_equal(bench->samples[12].t_boot_ns, KRYOS_SECONDS(240));
	assert_int_equal(status_of(bench).late, 0);
}

static void thirteen_readings_five_minutes_apart_make_sixty_minutes(void **state)
{
	uint64_t random = seed_from_environment(13);
	struct bench *bench = *state;
	struct kryos_model *fridge;

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &fridge));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.every_ns = KRYOS_MINUTES(5))));
	assert_ok(kryos_sampler_add(bench->sampler, "fridge", "ds18b20@w1:any"));
	while (bench->count < 13) {
		int64_t now = kryos_fake_clock_boot_ns(bench->clock),
			next = (now / KRYOS_MINUTES(5) + 1) * KRYOS_MINUTES(5);

		/* The loop wakes up to 20 ms late. */
		advance(bench, next - now + (int64_t)(next_random(&random) % 20000000));
	}
	assert_int_equal(bench->samples[12].t_boot_ns - bench->samples[0].t_boot_ns, KRYOS_MINUTES(60));
}

static void missed_rounds_are_counted_and_not_made_up_for(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	add_fridge_and_room(bench, &fridge, &room);
	advance(bench, KRYOS_SECONDS(50));
	/* 2 min to 11 min passed by: one round, now, on the instant of the last. */
	advance(bench, KRYOS_MINUTES(10));
	assert_int_equal(bench->count, 8);
	assert_int_equal(bench->samples[4].t_boot_ns, KRYOS_MINUTES(11));
	assert_int_equal(status_of(bench).rounds, 2);
	assert_int_equal(status_of(bench).late, 9);
	settle(bench);
	assert_int_equal(bench->count, 8);
	advance(bench, KRYOS_MINUTES(1));
	assert_int_equal(bench->samples[8].t_boot_ns, KRYOS_MINUTES(12));
	assert_int_equal(status_of(bench).late, 9);
}

static void an_absent_sensor_is_recorded_each_round_announced_once_and_taken_when_back(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	add_fridge_and_room(bench, &fridge, &room);
	kryos_model_set_present(room, 0);
	advance(bench, KRYOS_SECONDS(50));
	advance(bench, KRYOS_MINUTES(1));
	assert_int_equal(bench->count, 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(bench->samples[i].quality, i % 4 ? KRYOS_QUALITY_ABSENT : KRYOS_QUALITY_GOOD);
	assert_int_equal(events_of(bench, KRYOS_EVENT_SENSOR_LOST, "room"), 1);
	assert_int_equal(events_of(bench, KRYOS_EVENT_SENSOR_BACK, "room"), 0);
	kryos_model_set_present(room, 1);
	advance(bench, KRYOS_MINUTES(1));
	advance(bench, KRYOS_MINUTES(1));
	assert_int_equal(bench->samples[9].quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(events_of(bench, KRYOS_EVENT_SENSOR_BACK, "room"), 1);
	assert_int_equal(events_of(bench, KRYOS_EVENT_SENSOR_LOST, "fridge"), 0);
	assert_int_equal(status_of(bench).failed, 6);
}

static bool lost_is_known(void *data)
{
	struct bench *bench = data;

	take_events(bench);
	return events_of(bench, KRYOS_EVENT_SENSOR_LOST, "fridge") > 0;
}

static void what_is_missing_is_told_before_the_first_round(void **state)
{
	struct bench *bench = *state;
	size_t i = 0;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.every_ns = KRYOS_DAYS(1))));
	assert_ok(kryos_sampler_add(bench->sampler, "fridge", "ds18b20@w1:any"));
	assert_true(process_until(bench->ctx, lost_is_known, bench, WAIT_MS));
	while (bench->events[i].type != KRYOS_EVENT_SENSOR_LOST)
		i++;
	assert_string_equal(bench->events[i].text, "no DS18B20 on any 1-Wire bus; is \"dtoverlay=w1-gpio\" in "
	                                           "/boot/firmware/config.txt?");
	assert_int_equal(bench->events[i].code, -ENODEV);
	assert_int_equal(bench->count, 0);
}

static void losses_and_returns_are_stored_as_events(void **state)
{
	const struct kryos_record *record = NULL;
	struct kryos_model *fridge, *room;
	struct kryos_reader *reader;
	struct bench *bench = *state;
	int lost = 0, back = 0;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	add_fridge_and_room(bench, &fridge, &room);
	kryos_model_set_present(fridge, 0);
	advance(bench, KRYOS_SECONDS(50));
	kryos_model_set_present(fridge, 1);
	advance(bench, KRYOS_MINUTES(1));
	kryos_sampler_free(bench->sampler);
	kryos_store_close(bench->store);
	assert_ok(kryos_reader_open(&reader, bench->ctx, in(bench->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0) {
		lost += record->event->type == KRYOS_EVENT_SENSOR_LOST && !strcmp(record->event->name, "fridge");
		back += record->event->type == KRYOS_EVENT_SENSOR_BACK && !strcmp(record->event->name, "fridge");
	}
	kryos_reader_close(reader);
	assert_int_equal(lost, 1);
	assert_int_equal(back, 1);
}

static void another_chip_is_a_sample_with_that_reason(void **state)
{
	struct kryos_model *rtc;
	struct bench *bench = *state;

	assert_ok(kryos_fake_bus_add_ds3231(bench->i2c, "0x68", &rtc));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	assert_ok(kryos_sampler_add(bench->sampler, "room", "bme280@i2c-1:0x68"));
	advance(bench, KRYOS_SECONDS(50));
	assert_int_equal(bench->count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(bench->samples[i].quality, KRYOS_QUALITY_CHIP);
}

static void only_wrong_strings_and_names_in_use_fail(void **state)
{
	struct bench *bench = *state;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	assert_ok(kryos_sampler_add(bench->sampler, "room", "bme280@i2c-1:0x76"));
	assert_fails(-EEXIST, kryos_sampler_add(bench->sampler, "room", "bme280@i2c-1:0x77"));
	assert_fails(KRYOS_EDEVICE, kryos_sampler_add(bench->sampler, "b", "bme280"));
	assert_says(KRYOS_EDEVICE, "b: \"bme280\": has no @");
	assert_fails(KRYOS_EDEVICE, kryos_sampler_add(bench->sampler, "b", "nothing@i2c-1:0x76"));
	assert_fails(-EINVAL, kryos_sampler_add(bench->sampler, "B", "bme280@i2c-1:0x77"));
	assert_fails(-EINVAL, kryos_sampler_add(bench->sampler, NULL, "bme280@i2c-1:0x77"));
	assert_fails(-EINVAL, kryos_sampler_add(NULL, "b", "bme280@i2c-1:0x77"));
	assert_fails(-EINVAL, kryos_sampler_add_with(bench->sampler, "b", "bme280@i2c-1:0x77",
	                                             KRYOS_SAMPLER_SENSOR_CONFIG(.every_ns = 1)));
	assert_says(-EINVAL, "b: every_ns: 1 is not allowed");
	assert_fails(-EINVAL, kryos_sampler_add_with(bench->sampler, "b", "bme280@i2c-1:0x77",
	                                             KRYOS_SAMPLER_SENSOR_CONFIG(.record_ns = KRYOS_SECONDS(1))));
	assert_says(-EINVAL, "b: record_ns is less than every_ns");
	assert_int_equal(status_of(bench).sensors, 1);
	/* A failure leaves nothing: the name is free. */
	assert_ok(kryos_sampler_add(bench->sampler, "b", "bme280@i2c-1:0x77"));
	assert_int_equal(status_of(bench).sensors, 2);
}

static void a_wrong_configuration_says_which_field(void **state)
{
	struct kryos_sampler_status status = { 0 };
	struct bench *bench = *state;

	assert_fails(-EINVAL, kryos_sampler_new(NULL, bench->store, NULL));
	assert_fails(-EINVAL, kryos_sampler_new(&bench->sampler, NULL, NULL));
	assert_fails(-EINVAL,
	             kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.every_ns = KRYOS_DAYS(2))));
	assert_says(-EINVAL, "sampler: every_ns");
	assert_fails(-EINVAL, kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.record_ns = -1)));
	assert_says(-EINVAL, "sampler: record_ns");
	assert_fails(-EINVAL, kryos_sampler_new(&bench->sampler, bench->store, &(struct kryos_sampler_config){ 0 }));
	assert_null(bench->sampler);
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	assert_fails(-EINVAL, kryos_sampler_get_status(bench->sampler, &status));
	assert_fails(-EINVAL, kryos_sampler_busy(NULL));
	assert_fails(-EINVAL, kryos_sampler_round(NULL));
	kryos_sampler_free(NULL);
}

static void rounds_by_hand_happen_when_asked_for_and_one_at_a_time(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.manual = 1)));
	assert_ok(kryos_sampler_round(bench->sampler));
	assert_int_equal(kryos_sampler_busy(bench->sampler), 0);
	add_fridge_and_room(bench, &fridge, &room);
	advance(bench, KRYOS_HOURS(1));
	assert_int_equal(bench->count, 0);
	assert_ok(kryos_sampler_round(bench->sampler));
	assert_int_equal(kryos_sampler_busy(bench->sampler), 1);
	assert_fails(-EBUSY, kryos_sampler_round(bench->sampler));
	settle(bench);
	assert_int_equal(bench->count, 4);
	assert_int_equal(bench->samples[0].t_boot_ns, KRYOS_HOURS(1) + KRYOS_SECONDS(10));
	assert_ok(kryos_sampler_round(bench->sampler));
	settle(bench);
	assert_int_equal(bench->count, 8);
	assert_int_equal(bench->samples[4].round, bench->samples[0].round + 1);
}

static void round_numbers_go_on_after_a_restart(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	add_fridge_and_room(bench, &fridge, &room);
	advance(bench, KRYOS_SECONDS(50));
	advance(bench, KRYOS_MINUTES(1));
	kryos_ctx_free(bench->ctx);
	assert_int_equal(make_bench(bench), 0);
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	assert_ok(kryos_sampler_add(bench->sampler, "fridge", "ds18b20@w1:any"));
	advance(bench, KRYOS_MINUTES(1));
	assert_int_equal(bench->count, 9);
	assert_int_equal(bench->samples[7].round, 2);
	assert_int_equal(bench->samples[8].round, 3);
}

static void sensors_may_have_intervals_of_their_own(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;
	unsigned int fridges = 0, rooms = 0;

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &fridge));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000002", &room));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	assert_ok(kryos_sampler_add(bench->sampler, "fridge", "ds18b20@w1:28-000000000001"));
	assert_ok(kryos_sampler_add_with(bench->sampler, "room", "ds18b20@w1:28-000000000002",
	                                 KRYOS_SAMPLER_SENSOR_CONFIG(.every_ns = KRYOS_MINUTES(5))));
	advance(bench, KRYOS_SECONDS(50));
	for (int minute = 2; minute <= 10; minute++)
		advance(bench, KRYOS_MINUTES(1));
	for (size_t i = 0; i < bench->count; i++) {
		bool is_room = !strcmp(kryos_channel_name(bench->ctx, bench->samples[i].channel), "room.temperature");

		fridges += !is_room;
		rooms += is_room;
		if (is_room) {
			assert_int_equal(bench->samples[i].t_boot_ns % KRYOS_MINUTES(5), 0);
			/* What was due together is one round. */
			assert_int_equal(bench->samples[i].round, bench->samples[i - 1].round);
		}
	}
	assert_int_equal(fridges, 10);
	assert_int_equal(rooms, 2);
	assert_int_equal(status_of(bench).rounds, 10);
}

static void a_recorded_period_is_mean_minimum_and_maximum(void **state)
{
	struct bench *bench = *state;
	struct kryos_model *fridge;
	static const char *const names[] = { "fridge.temperature", "fridge.temperature.min", "fridge.temperature.max" };

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &fridge));
	assert_ok(
		kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.record_ns = KRYOS_MINUTES(15))));
	assert_ok(kryos_sampler_add(bench->sampler, "fridge", "ds18b20@w1:any"));
	assert_ok(kryos_model_set(fridge, "temperature", C(4)));
	advance(bench, KRYOS_SECONDS(50));
	for (int minute = 2; minute <= 31; minute++) {
		assert_ok(kryos_model_set(fridge, "temperature", C(4) + minute % 15 * C(0.5)));
		advance(bench, KRYOS_MINUTES(1));
	}
	assert_int_equal(bench->count, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_string_equal(kryos_channel_name(bench->ctx, bench->samples[i].channel), names[i % 3]);
		assert_string_equal(kryos_channel_unit(bench->ctx, bench->samples[i].channel), "Cel");
		assert_int_equal(bench->samples[i].t_boot_ns, KRYOS_MINUTES(15) * (i < 3 ? 1 : 2));
		assert_int_equal(bench->samples[i].quality, KRYOS_QUALITY_GOOD);
	}
	/* Second period: 16 to 30 min, values 4.5 to 11 and at last 4.0: 0.5 x (1 + ... + 14) / 15 + 4 = 7.5. */
	assert_int_equal(bench->samples[3].value_micro, C(7.5));
	assert_int_equal(bench->samples[4].value_micro, C(4));
	assert_int_equal(bench->samples[5].value_micro, C(11));
	/* Minute 31 is not lost when the sampler stops. */
	kryos_sampler_free(bench->sampler);
	assert_ok(kryos_store_flush(bench->store, KRYOS_SECONDS(10)));
	process_for(bench->ctx, 20);
	take_events(bench);
	assert_int_equal(bench->count, 9);
	assert_int_equal(bench->samples[6].value_micro, C(4.5));
	assert_int_equal(bench->samples[6].t_boot_ns, KRYOS_MINUTES(31));
}

static void a_period_cut_short_by_missed_rounds_is_recorded_with_the_next(void **state)
{
	struct bench *bench = *state;
	struct kryos_model *fridge;

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &fridge));
	assert_ok(
		kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.record_ns = KRYOS_MINUTES(15))));
	assert_ok(kryos_sampler_add(bench->sampler, "fridge", "ds18b20@w1:any"));
	advance(bench, KRYOS_SECONDS(50));
	assert_int_equal(bench->count, 0);
	advance(bench, KRYOS_MINUTES(30));
	assert_int_equal(bench->count, 3);
	assert_int_equal(bench->samples[0].t_boot_ns, KRYOS_MINUTES(1));
	assert_int_equal(status_of(bench).late, 29);
}

static void a_place_is_stored_with_the_temperature(void **state)
{
	const struct kryos_record *record = NULL;
	struct kryos_reader *reader;
	struct bench *bench = *state;
	struct kryos_model *room;
	int seen = 0;

	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x76", &room));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	assert_ok(kryos_sampler_add_with(bench->sampler, "room", "bme280@i2c-1:0x76",
	                                 KRYOS_SAMPLER_SENSOR_CONFIG(.place = "ambient")));
	advance(bench, KRYOS_SECONDS(50));
	assert_ok(kryos_reader_open(&reader, bench->ctx, in(bench->folder, "store")));
	while (kryos_reader_next(reader, &record) > 0) {
		assert_string_equal(record->place, strcmp(record->channel, "room.temperature") ? "" : "ambient");
		seen++;
	}
	kryos_reader_close(reader);
	assert_int_equal(seen, 3);
}

static void has_no_space(void *data, const char *folder, int64_t *ret_free, int64_t *ret_total)
{
	(void)data;
	(void)folder;
	*ret_free = 0;
	*ret_total = INT64_C(1) << 30;
}

static void what_the_store_refuses_is_counted_and_announced_once(void **state)
{
	struct kryos_store_config config = { .size = sizeof(config), .full = KRYOS_FULL_REFUSE };
	const struct kryos_event *event = NULL;
	struct kryos_sample filler = { 0 };
	struct bench *bench = *state;
	struct kryos_model *fridge;

	kryos_store_close(bench->store);
	assert_ok(kryos_store_open(&bench->store, bench->ctx, in(bench->folder, "small"), &config));
	pthread_mutex_lock(&bench->store->lock);
	bench->store->room.ask = has_no_space;
	pthread_mutex_unlock(&bench->store->lock);
	assert_ok(kryos_channel_add(bench->ctx, "filler.temperature", "Cel", &filler.channel));
	/* The first one finds out. */
	assert_ok(kryos_store_append(bench->store, &filler, 1));
	assert_int_equal(kryos_store_append(bench->store, &filler, 1), KRYOS_EFULL);
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &fridge));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	assert_ok(kryos_sampler_add(bench->sampler, "fridge", "ds18b20@w1:any"));
	process_for(bench->ctx, 20);
	while (kryos_ctx_next_event(bench->ctx, &event) > 0)
		; /* the fillers' are not of interest */
	for (int minute = 0; minute < 3; minute++)
		advance(bench, KRYOS_MINUTES(1));
	assert_int_equal(bench->count, 0);
	assert_int_equal(status_of(bench).rounds, 3);
	assert_int_equal(status_of(bench).refused, 3);
	assert_int_equal(events_of(bench, KRYOS_EVENT_STORE, "sampler"), 1);
}

static bool has_rounds(void *data)
{
	struct bench *bench = data;

	take_events(bench);
	return status_of(bench).rounds >= 5;
}

static void a_hung_bus_delays_nobody_and_gets_no_second_job(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;
	unsigned int asked, good = 0, timed_out = 0;
	uint64_t rounds;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store,
	                            KRYOS_SAMPLER_CONFIG(.every_ns = KRYOS_MILLISECONDS(200))));
	add_fridge_and_room(bench, &fridge, &room);
	process_for(bench->ctx, 300);
	settle(bench);
	take_events(bench);
	bench->count = bench->event_count = 0;
	rounds = status_of(bench).rounds;
	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_HANG, 0, -1);
	asked = kryos_fake_bus_transfers(bench->i2c);
	while (status_of(bench).rounds < rounds + 5)
		assert_true(process_until(bench->ctx, has_rounds, bench, WAIT_MS));
	process_for(bench->ctx, 100);
	take_events(bench);
	assert_int_equal(kryos_fake_bus_transfers(bench->i2c), asked + 1);
	/* Nothing is asked of it, so nothing is waited for: rounds end long before the next. */
	assert_true(process_until(bench->ctx, is_idle, bench, 150));
	for (size_t i = 0; i < bench->count; i++) {
		bool is_fridge =
			!strcmp(kryos_channel_name(bench->ctx, bench->samples[i].channel), "fridge.temperature");

		good += is_fridge && bench->samples[i].quality == KRYOS_QUALITY_GOOD;
		timed_out += !is_fridge && bench->samples[i].quality == KRYOS_QUALITY_TIMEOUT;
	}
	assert_true(good >= 3);
	assert_true(timed_out >= 12);
	assert_int_equal(events_of(bench, KRYOS_EVENT_SENSOR_LOST, "room"), 1);
	assert_int_equal(events_of(bench, KRYOS_EVENT_SENSOR_LOST, "fridge"), 0);
	/* It comes back: what was left behind is not recorded late, the next round is good. */
	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_NONE, 0, 0);
	process_for(bench->ctx, 1000);
	take_events(bench);
	assert_int_equal(events_of(bench, KRYOS_EVENT_SENSOR_BACK, "room"), 1);
	assert_int_equal(bench->samples[bench->count - 1].quality, KRYOS_QUALITY_GOOD);
	for (size_t i = 1; i < bench->count; i++)
		assert_true(bench->samples[i].t_boot_ns >= bench->samples[i - 1].t_boot_ns);
}

static void a_fast_sensor_goes_on_while_a_slow_ones_round_is_open(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;
	unsigned int good = 0, timed_out = 0;

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &fridge));
	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x76", &room));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	assert_ok(kryos_sampler_add_with(bench->sampler, "fridge", "ds18b20@w1:any",
	                                 KRYOS_SAMPLER_SENSOR_CONFIG(.every_ns = KRYOS_MILLISECONDS(200))));
	assert_ok(kryos_sampler_add_with(bench->sampler, "room", "bme280@i2c-1:0x76",
	                                 KRYOS_SAMPLER_SENSOR_CONFIG(.every_ns = KRYOS_SECONDS(2))));
	process_for(bench->ctx, 100);
	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_HANG, 0, -1);
	process_for(bench->ctx, 4200);
	take_events(bench);
	for (size_t i = 0; i < bench->count; i++) {
		good += bench->samples[i].quality == KRYOS_QUALITY_GOOD;
		timed_out += bench->samples[i].quality == KRYOS_QUALITY_TIMEOUT;
	}
	/* 20 intervals passed, of which 10 within the 2 s that the room was waited for. */
	assert_true(good >= 14);
	assert_true(timed_out >= 3);
}

static void a_sampler_is_freed_in_time_with_a_hung_round(void **state)
{
	struct kryos_model *fridge, *room;
	struct bench *bench = *state;
	int64_t begin;

	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.manual = 1)));
	add_fridge_and_room(bench, &fridge, &room);
	process_for(bench->ctx, 100);
	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_HANG, 0, -1);
	assert_ok(kryos_sampler_round(bench->sampler));
	process_for(bench->ctx, 50);
	begin = kri_real_ns();
	kryos_sampler_free(bench->sampler);
	assert_true(kri_real_ns() - begin < KRYOS_SECONDS(2));
	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_NONE, 0, 0);
	process_for(bench->ctx, 100);
	take_events(bench);
	assert_int_equal(bench->count, 0);
}

static bool task_is_late(void *data)
{
	struct bench *bench = data;

	take_events(bench);
	return events_of(bench, KRYOS_EVENT_TASK_LATE, "sampler") > 0;
}

static void each_round_proves_the_samplers_progress(void **state)
{
	struct kryos_model *fridge, *room;
	struct kryos_watchdog *watchdog;
	struct bench *bench = *state;
	struct kryos_task *task;

	assert_ok(kryos_watchdog_open(&watchdog, bench->ctx,
	                              KRYOS_WATCHDOG_CONFIG(.device = "none", .timeout_ns = KRYOS_SECONDS(2))));
	assert_ok(kryos_task_new(&task, watchdog, "sampler", KRYOS_SECONDS(1)));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store,
	                            KRYOS_SAMPLER_CONFIG(.every_ns = KRYOS_MILLISECONDS(200), .task = task)));
	/* Without a sensor it has nothing to prove. */
	assert_false(process_until(bench->ctx, task_is_late, bench, 2500));
	add_fridge_and_room(bench, &fridge, &room);
	assert_false(process_until(bench->ctx, task_is_late, bench, 2500));
	kryos_sampler_free(bench->sampler);
	assert_true(process_until(bench->ctx, task_is_late, bench, 5000));
}

static int64_t just_started(void *userdata)
{
	(void)userdata;
	return 0;
}

static int64_t at_noon(void *userdata)
{
	(void)userdata;
	return NOON;
}

static void no_boot_id(void *userdata, char ret_id[37])
{
	(void)userdata;
	strcpy(ret_id, "1");
}

static bool has_samples(void *data)
{
	take_events(data);
	return ((struct bench *)data)->count > 0;
}

static void a_clock_that_begins_at_zero_has_a_round_there(void **state)
{
	static const struct kryos_clock_source zero = {
		.size = sizeof(zero), .boot_ns = just_started, .wall_ns = at_noon, .boot_id = no_boot_id, .simulated = 1
	};
	struct bench *bench = *state;
	struct kryos_model *model;

	kryos_ctx_free(bench->ctx);
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-00000000000a", &model));
	assert_ok(kryos_ctx_new(&bench->ctx, KRYOS_CTX_CONFIG(.clock = &zero)));
	assert_ok(kryos_fake_bus_attach(bench->w1, bench->ctx));
	assert_ok(kryos_store_open(&bench->store, bench->ctx, in(bench->folder, "store"), NULL));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, NULL));
	assert_ok(kryos_sampler_add(bench->sampler, "a", "ds18b20@w1:any"));
	assert_true(process_until(bench->ctx, has_samples, bench, 5000));
	assert_int_equal(bench->samples[0].t_boot_ns, 0);
}

/* A 1-Wire bus whose chips convert one after the other. */
static atomic_bool slow;

static int slow_open(void *priv, const char *name, void *userdata)
{
	(void)priv;
	(void)name;
	(void)userdata;
	return 0;
}

static void slow_close(void *priv)
{
	(void)priv;
}

static int slow_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	(void)priv;
	*ret_address = (struct kryos_address){ .number = 0 };
	snprintf(ret_address->text, sizeof(ret_address->text), "%.15s", place);
	return 0;
}

static int slow_read(void *priv, const struct kryos_address *address, uint8_t scratchpad[9])
{
	static const uint8_t warm[9] = { 0x72, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0e, 0x10, 0x57 }; /* 23.125 C */

	(void)priv;
	(void)address;
	if (atomic_load(&slow))
		usleep(900000);
	memcpy(scratchpad, warm, sizeof(warm));
	return 0;
}

static void twelve_chips_that_convert_one_after_the_other_are_no_timeout(void **state)
{
	static const struct kryos_bus_driver driver = { .size = sizeof(driver),
		                                        .prefix = "w1",
		                                        .open = slow_open,
		                                        .close = slow_close,
		                                        .parse = slow_parse,
		                                        .read_scratchpad = slow_read };
	struct bench *bench = *state;
	char name[16], device[40];
	struct kryos_sampler_status status = { .size = sizeof(status) };

	atomic_store(&slow, false);
	assert_ok(kryos_register_bus(bench->ctx, &driver, NULL));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.manual = 1)));
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		snprintf(device, sizeof(device), "ds18b20@w1:28-0000000000%02x", (unsigned int)i);
		assert_ok(kryos_sampler_add(bench->sampler, name, device));
	}
	assert_ok(kryos_sampler_round(bench->sampler));
	assert_true(process_until(bench->ctx, is_idle, bench, 5000));
	atomic_store(&slow, true);
	assert_ok(kryos_sampler_round(bench->sampler));
	assert_true(process_until(bench->ctx, is_idle, bench, 20000));
	assert_ok(kryos_sampler_get_status(bench->sampler, &status));
	assert_int_equal(status.rounds, 2);
	assert_int_equal(status.failed, 0);
	atomic_store(&slow, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define REAL(name) cmocka_unit_test_setup_teardown(name, setup_real, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_clock_that_begins_at_zero_has_a_round_there),
		cmocka_unit_test_setup_teardown(twelve_chips_that_convert_one_after_the_other_are_no_timeout,
		                                setup_real, teardown),
		TEST(samples_of_a_round_share_number_and_instant),
		TEST(rounds_are_at_multiples_of_the_interval),
		TEST(thirteen_readings_five_minutes_apart_make_sixty_minutes),
		TEST(missed_rounds_are_counted_and_not_made_up_for),
		TEST(an_absent_sensor_is_recorded_each_round_announced_once_and_taken_when_back),
		TEST(what_is_missing_is_told_before_the_first_round),
		TEST(losses_and_returns_are_stored_as_events),
		TEST(another_chip_is_a_sample_with_that_reason),
		TEST(only_wrong_strings_and_names_in_use_fail),
		TEST(a_wrong_configuration_says_which_field),
		TEST(rounds_by_hand_happen_when_asked_for_and_one_at_a_time),
		TEST(round_numbers_go_on_after_a_restart),
		TEST(sensors_may_have_intervals_of_their_own),
		TEST(a_recorded_period_is_mean_minimum_and_maximum),
		TEST(a_period_cut_short_by_missed_rounds_is_recorded_with_the_next),
		TEST(a_place_is_stored_with_the_temperature),
		TEST(what_the_store_refuses_is_counted_and_announced_once),
		REAL(a_hung_bus_delays_nobody_and_gets_no_second_job),
		REAL(a_fast_sensor_goes_on_while_a_slow_ones_round_is_open),
		REAL(a_sampler_is_freed_in_time_with_a_hung_round),
		REAL(each_round_proves_the_samplers_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
