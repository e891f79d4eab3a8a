/* SPDX-License-Identifier: Apache-2.0 */
/* A device whose clocks are wrong: what it measures keeps its order and distances, and gets its right time in the end.
 */
#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define TRUE_START INT64_C(1795165920000000000) /* 2026-11-20T09:12:00Z */
#define WRONG_START INT64_C(946684800000000000) /* 2000-01-01, as an RTC without battery says */
#define MAX_SAMPLES 100

struct device {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *i2c, *w1;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_sampler *sampler;
};

static int64_t rtc_now(void *userdata)
{
	return kryos_fake_clock_wall_ns(userdata);
}

static void begin(struct device *device)
{
	assert_ok(kryos_ctx_new(&device->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = device->clock)));
	assert_ok(kryos_fake_bus_attach(device->i2c, device->ctx));
	assert_ok(kryos_fake_bus_attach(device->w1, device->ctx));
	assert_ok(kryos_clock_use_rtc(device->ctx, "ds3231@i2c-1:0x68"));
	assert_ok(kryos_store_open(&device->store, device->ctx, in(device->folder, "store"), NULL));
	assert_ok(
		kryos_sampler_new(&device->sampler, device->store, KRYOS_SAMPLER_CONFIG(.every_ns = KRYOS_MINUTES(5))));
	assert_ok(kryos_sampler_add(device->sampler, "fridge", "ds18b20@w1:28-0316a2795bff"));
}

static int setup(void **state)
{
	struct device *device = calloc(1, sizeof(*device));
	struct kryos_model *fridge, *rtc;

	*state = device;
	device->folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&device->clock, WRONG_START));
	assert_ok(kryos_fake_bus_new(&device->i2c, "i2c-1"));
	assert_ok(kryos_fake_bus_new(&device->w1, "w1"));
	assert_ok(kryos_fake_bus_add_ds18b20(device->w1, "28-0316a2795bff", &fridge));
	assert_ok(kryos_model_set(fridge, "temperature", 5250000));
	/* Fresh from the factory: its oscillator-stop flag is set. */
	assert_ok(kryos_fake_bus_add_ds3231(device->i2c, "0x68", &rtc));
	kryos_model_set_clock(rtc, rtc_now, device->clock);
	begin(device);
	return 0;
}

static int teardown(void **state)
{
	struct device *device = *state;

	kryos_ctx_free(device->ctx);
	kryos_fake_bus_free(device->i2c);
	kryos_fake_bus_free(device->w1);
	kryos_fake_clock_free(device->clock);
	scratch_free(device->folder);
	free(device);
	return 0;
}

static bool is_idle(void *data)
{
	return kryos_sampler_busy(((struct device *)data)->sampler) == 0;
}

static void measure(struct device *device, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		kryos_fake_clock_advance(device->clock, KRYOS_MINUTES(5));
		assert_true(process_until(device->ctx, is_idle, device, 20000));
	}
}

static int read_all(struct device *device, struct kryos_sample *samples)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int count = 0;

	assert_ok(kryos_store_flush(device->store, KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, device->ctx, in(device->folder, "store")));
	while (kryos_reader_next(reader, &record) > 0 && count < MAX_SAMPLES)
		samples[count++] = record->sample;
	kryos_reader_close(reader);
	return count;
}

/* Within one boot every distance is the interval, whatever wall time did; order is the order of measuring. */
static void check_distances(const struct kryos_sample *samples, int count)
{
	for (int i = 1; i < count; i++) {
		assert_true(samples[i].seq > samples[i - 1].seq);
		assert_true(samples[i].boot >= samples[i - 1].boot);
		if (samples[i].boot == samples[i - 1].boot)
			assert_int_equal(samples[i].t_boot_ns - samples[i - 1].t_boot_ns, KRYOS_MINUTES(5));
	}
}

static void steps_of_wall_time_change_neither_distances_nor_order(void **state)
{
	struct device *device = *state;
	struct kryos_sample samples[MAX_SAMPLES];
	int count;

	measure(device, 4);
	kryos_fake_clock_set_wall(device->clock, WRONG_START - KRYOS_DAYS(365));
	measure(device, 4);
	kryos_fake_clock_set_wall(device->clock, WRONG_START + KRYOS_DAYS(3653));
	measure(device, 4);
	count = read_all(device, samples);
	assert_int_equal(count, 12);
	check_distances(samples, count);
	for (int i = 0; i < count; i++) {
		assert_int_equal(samples[i].quality, KRYOS_QUALITY_GOOD);
		assert_true(samples[i].trust < KRYOS_TRUST_RTC);
	}
}

/* The kernel vouches for each of these times in turn: wall time may jump, nothing else does. */
static void steps_while_synced_change_neither_distances_nor_order(void **state)
{
	static const int64_t steps[] = { 0, -KRYOS_DAYS(365), KRYOS_DAYS(3653) };
	struct device *device = *state;
	struct kryos_sample samples[MAX_SAMPLES];
	const struct kryos_record *record;
	struct kryos_queue *queue;
	int64_t wall[3], boot[3], last = 0;
	int count, lent = 0;

	kryos_fake_clock_set_synced(device->clock, 1);
	for (int i = 0; i < 3; i++) {
		kryos_fake_clock_set_wall(device->clock, TRUE_START + steps[i]);
		wall[i] = kryos_fake_clock_wall_ns(device->clock);
		boot[i] = kryos_fake_clock_boot_ns(device->clock);
		measure(device, 4);
	}
	count = read_all(device, samples);
	assert_int_equal(count, 12);
	check_distances(samples, count);
	for (int i = 0; i < count; i++) {
		assert_int_equal(samples[i].quality, KRYOS_QUALITY_GOOD);
		assert_int_equal(samples[i].trust, KRYOS_TRUST_SYNCED);
		/* Each as it was believed when it was measured: a later step changes no stamp. */
		assert_int_equal(samples[i].t_wall_ns, wall[i / 4] + samples[i].t_boot_ns - boot[i / 4]);
		assert_int_equal(samples[i].flags & KRYOS_SAMPLE_CORRECTED, 0);
	}
	/* Delivered in the order of measuring, too. */
	assert_ok(kryos_queue_open(&queue, device->store, "receiver", NULL));
	while (kryos_queue_next(queue, &record) > 0) {
		if (record->event)
			continue;
		assert_true(record->seq > last);
		last = record->seq;
		lent++;
	}
	assert_int_equal(lent, 12);
}

static void stamps_are_corrected_once_time_is_known_and_the_receiver_is_told(void **state)
{
	struct device *device = *state;
	struct kryos_sample samples[MAX_SAMPLES];
	const struct kryos_record *record;
	struct kryos_queue *queue;
	bool told = false;
	int64_t now, boot;
	int count;

	measure(device, 4);
	/* The network is there at last: the true time, 26 years later. */
	kryos_fake_clock_set_wall(device->clock, TRUE_START);
	kryos_fake_clock_set_synced(device->clock, 1);
	now = kryos_fake_clock_wall_ns(device->clock);
	boot = kryos_fake_clock_boot_ns(device->clock);
	measure(device, 4);
	count = read_all(device, samples);
	assert_int_equal(count, 8);
	check_distances(samples, count);
	for (int i = 0; i < count; i++) {
		assert_int_equal(samples[i].t_wall_ns, now + samples[i].t_boot_ns - boot);
		assert_int_equal(samples[i].trust, KRYOS_TRUST_SYNCED);
		assert_int_equal(!!(samples[i].flags & KRYOS_SAMPLE_CORRECTED), i < 4);
	}
	assert_ok(kryos_queue_open(&queue, device->store, "receiver", NULL));
	while (kryos_queue_next_of(queue, KRYOS_STREAM_EVENTS, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_CORRECTED)
			continue;
		told = true;
		assert_int_equal(record->event->value_ns, now - boot);
		assert_int_equal(record->event->code, (int)samples[0].boot);
	}
	assert_true(told);
}

static void a_reboot_without_time_keeps_order_and_never_goes_below_the_floor(void **state)
{
	struct device *device = *state;
	struct kryos_sample samples[MAX_SAMPLES];
	int count;

	kryos_fake_clock_set_wall(device->clock, TRUE_START);
	kryos_fake_clock_set_synced(device->clock, 1);
	measure(device, 3);
	kryos_ctx_free(device->ctx);
	/* Power cut; the battery of the clock is flat, and nobody knows the time: it is 2000 again. */
	kryos_fake_clock_reboot(device->clock);
	kryos_fake_clock_set_synced(device->clock, 0);
	kryos_fake_clock_set_wall(device->clock, WRONG_START);
	begin(device);
	measure(device, 3);
	count = read_all(device, samples);
	assert_int_equal(count, 6);
	check_distances(samples, count);
	for (int i = 3; i < 6; i++) {
		assert_int_equal(samples[i].boot, samples[0].boot + 1);
		assert_int_equal(samples[i].trust, KRYOS_TRUST_FLOOR);
		assert_true(samples[i].t_wall_ns >= samples[2].t_wall_ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(steps_of_wall_time_change_neither_distances_nor_order, setup, teardown),
		cmocka_unit_test_setup_teardown(steps_while_synced_change_neither_distances_nor_order, setup, teardown),
		cmocka_unit_test_setup_teardown(stamps_are_corrected_once_time_is_known_and_the_receiver_is_told, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_reboot_without_time_keeps_order_and_never_goes_below_the_floor, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
