/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A round takes as long as its slowest chip. Built-in drivers, over chip models, in real time: what is looked at is who
 * did what after whom, and nothing that a busy machine could change.
 */
#include "core/core.h"
#include "support.h"
#include <kryos/sys/sensor.h>
#include <kryos/testing/bus.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BUSES 3
#define SENSORS 12
#define NOTES 4096
/* How often each conversion of an ADS1115 is found unfinished. */
#define BUSY_POLLS 5
#define RENDEZVOUS_S 20

extern const struct kryos_sensor_driver kri_sensor_ads1115, kri_sensor_bme280, kri_sensor_ina226;

static const char *const bus_names[BUSES] = { "i2c-1", "i2c-3", "i2c-4" };

static const struct {
	const struct kryos_sensor_driver *driver;
	const char *place, *options;
	int (*add)(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
} chips[SENSORS / BUSES] = {
	{ &kri_sensor_bme280, "0x76", NULL, kryos_fake_bus_add_bme280 },
	{ &kri_sensor_ads1115, "0x48", "input1=voltage input2=voltage input3=voltage", kryos_fake_bus_add_ads1115 },
	{ &kri_sensor_ads1115, "0x49", "input1=voltage", kryos_fake_bus_add_ads1115 },
	{ &kri_sensor_ina226, "0x40", "shunt=0.1", kryos_fake_bus_add_ina226 },
};

/* What the drivers did, in order, of all buses. */
enum act { TRIGGERED, NOT_READY, FETCHED };
struct note {
	enum act act;
	char device[48];
	int64_t t_ns;     /* when a measurement had begun, or its result was asked for */
	int64_t ready_ns; /* of one that had begun: when its result may be asked for */
};
static struct {
	pthread_mutex_t lock;
	pthread_cond_t met;
	struct note notes[NOTES];
	size_t count;
	unsigned int buses_met;
	bool missed;
} diary = { .lock = PTHREAD_MUTEX_INITIALIZER, .met = PTHREAD_COND_INITIALIZER };

static void note(enum act act, struct kryos_dev *dev, int64_t t_ns, int64_t wait_ns)
{
	pthread_mutex_lock(&diary.lock);
	if (diary.count < NOTES) {
		struct note *last = &diary.notes[diary.count++];

		*last = (struct note){ .act = act, .t_ns = t_ns, .ready_ns = t_ns + wait_ns };
		snprintf(last->device, sizeof(last->device), "%s", kryos_dev_name(dev));
	}
	pthread_mutex_unlock(&diary.lock);
}

/*
 * The first chip of each bus does not get further before those of all other buses are there, which never happens if
 * one bus waits for another.
 */
static void meet(struct kryos_dev *dev)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += RENDEZVOUS_S;
	pthread_mutex_lock(&diary.lock);
	if (strstr(kryos_dev_name(dev), chips[0].place)) {
		diary.buses_met++;
		pthread_cond_broadcast(&diary.met);
		while (diary.buses_met < BUSES && !diary.missed)
			diary.missed = pthread_cond_timedwait(&diary.met, &diary.lock, &until) != 0;
	}
	pthread_mutex_unlock(&diary.lock);
}

/* A driver that is another one, and writes down what it does. */
#define WITNESS(name)                                                                                                  \
	static int name##_trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)                             \
	{                                                                                                              \
		int r = kri_sensor_##name.trigger(priv, dev, ret_wait_ns);                                             \
                                                                                                                       \
		note(TRIGGERED, dev, kri_real_ns(), *ret_wait_ns);                                                     \
		meet(dev);                                                                                             \
		return r;                                                                                              \
	}                                                                                                              \
	static int name##_fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)                                       \
	{                                                                                                              \
		int64_t asked_ns = kri_real_ns();                                                                      \
		int r = kri_sensor_##name.fetch(priv, dev, raw);                                                       \
                                                                                                                       \
		note(r < 0 ? NOT_READY : FETCHED, dev, asked_ns, 0);                                                   \
		return r;                                                                                              \
	}
WITNESS(ads1115)
WITNESS(bme280)
WITNESS(ina226)

static struct kryos_sensor_driver witnesses[3];

struct bench {
	char *folder;
	struct kryos_fake_bus *buses[BUSES];
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_sampler *sampler;
};

static void register_witnesses(struct kryos_ctx *ctx)
{
	witnesses[0] = kri_sensor_ads1115;
	witnesses[0].trigger = ads1115_trigger;
	witnesses[0].fetch = ads1115_fetch;
	witnesses[1] = kri_sensor_bme280;
	witnesses[1].trigger = bme280_trigger;
	witnesses[1].fetch = bme280_fetch;
	witnesses[2] = kri_sensor_ina226;
	witnesses[2].trigger = ina226_trigger;
	witnesses[2].fetch = ina226_fetch;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(witnesses); i++)
		assert_ok(kryos_register_sensor(ctx, &witnesses[i]));
}

static int setup(void **state)
{
	struct bench *bench = test_calloc(1, sizeof(*bench));
	struct kryos_model *model;

	*state = bench;
	bench->folder = scratch_new();
	assert_ok(kryos_ctx_new(&bench->ctx, NULL));
	register_witnesses(bench->ctx);
	assert_ok(kryos_store_open(&bench->store, bench->ctx, in(bench->folder, "store"), NULL));
	assert_ok(kryos_sampler_new(&bench->sampler, bench->store, KRYOS_SAMPLER_CONFIG(.manual = 1)));
	for (size_t b = 0; b < BUSES; b++) {
		assert_ok(kryos_fake_bus_new(&bench->buses[b], bus_names[b]));
		assert_ok(kryos_fake_bus_attach(bench->buses[b], bench->ctx));
		for (size_t c = 0; c < KRI_ARRAY_SIZE(chips); c++) {
			struct kryos_sensor_config options = { .size = sizeof(options) };
			char name[32], device[48];

			assert_ok(chips[c].add(bench->buses[b], chips[c].place, &model));
			if (chips[c].add == kryos_fake_bus_add_ads1115)
				kryos_model_set_busy(model, BUSY_POLLS);
			snprintf(name, sizeof(name), "s%zu-%zu", b, c);
			snprintf(device, sizeof(device), "%s@%s:%s", chips[c].driver->name, bus_names[b],
			         chips[c].place);
			options.options = chips[c].options;
			assert_ok(kryos_sampler_add_with(bench->sampler, name, device,
			                                 KRYOS_SAMPLER_SENSOR_CONFIG(.sensor = &options)));
		}
	}
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	for (size_t b = 0; b < BUSES; b++)
		kryos_fake_bus_free(bench->buses[b]);
	scratch_free(bench->folder);
	test_free(bench);
	return 0;
}

static bool is_idle(void *data)
{
	return kryos_sampler_busy(((struct bench *)data)->sampler) == 0;
}

/* The first or the last note that says this of a device; NOTES: there is none. */
static size_t find(const char *device, enum act act, bool last)
{
	size_t found = NOTES;

	for (size_t i = 0; i < diary.count && (last || found == NOTES); i++)
		if (diary.notes[i].act == act && strcmp(diary.notes[i].device, device) == 0)
			found = i;
	return found;
}

static const char *device_of(size_t bus, size_t chip, char *buffer)
{
	sprintf(buffer, "%s@%s:%s", chips[chip].driver->name, bus_names[bus], chips[chip].place);
	return buffer;
}

/* All of a bus have begun before one is asked, and none is asked before it said it would be ready. */
static void check_bus(size_t bus)
{
	size_t last_trigger = 0, first_fetch = NOTES, c;
	char device[48];

	for (c = 0; c < KRI_ARRAY_SIZE(chips); c++) {
		size_t trigger = find(device_of(bus, c, device), TRIGGERED, false);
		size_t early = find(device, NOT_READY, false), fetch = find(device, FETCHED, false);

		assert_true(trigger < NOTES && fetch < NOTES);
		fetch = early < fetch ? early : fetch;
		if (diary.notes[fetch].t_ns < diary.notes[trigger].ready_ns)
			fail_msg("%s was asked too early", device);
		last_trigger = trigger > last_trigger ? trigger : last_trigger;
		first_fetch = fetch < first_fetch ? fetch : first_fetch;
	}
	assert_true(last_trigger < first_fetch);
}

/* While one converts the next of its inputs, those after it are asked. */
static void check_turns(size_t bus)
{
	char device[48];
	size_t slowest = find(device_of(bus, 1, device), FETCHED, false);

	assert_true(find(device_of(bus, 2, device), NOT_READY, false) < slowest);
	assert_true(find(device_of(bus, 2, device), FETCHED, false) < slowest);
	assert_true(find(device_of(bus, 3, device), FETCHED, false) < slowest);
}

/* The same chips, one after another, each by itself. */
static int64_t time_of_each(struct bench *bench)
{
	struct kryos_ctx *ctx;
	int64_t begin, sum = 0;
	char device[48];

	assert_ok(kryos_ctx_new(&ctx, NULL));
	for (size_t b = 0; b < BUSES; b++)
		assert_ok(kryos_fake_bus_attach(bench->buses[b], ctx));
	for (size_t i = 0; i < SENSORS; i++) {
		struct kryos_sample samples[KRYOS_SENSOR_MAX_CHANNELS];
		struct kryos_sensor *sensor;
		size_t chip = i % KRI_ARRAY_SIZE(chips);

		assert_ok(kryos_sensor_open_with(&sensor, ctx, "alone",
		                                 device_of(i / KRI_ARRAY_SIZE(chips), chip, device),
		                                 KRYOS_SENSOR_CONFIG(.options = chips[chip].options)));
		begin = kri_real_ns();
		assert_ok(kryos_sensor_read(sensor, samples, KRI_ARRAY_SIZE(samples)));
		sum += kri_real_ns() - begin;
		kryos_sensor_close(sensor);
	}
	kryos_ctx_free(ctx);
	return sum;
}

static void twelve_sensors_are_read_in_the_time_of_the_slowest(void **state)
{
	struct bench *bench = *state;
	struct kryos_sampler_status status = { .size = sizeof(status) };
	int64_t begin = kri_real_ns(), together;

	assert_ok(kryos_sampler_round(bench->sampler));
	assert_true(process_until(bench->ctx, is_idle, bench, 2 * RENDEZVOUS_S * 1000));
	together = kri_real_ns() - begin;
	assert_ok(kryos_sampler_get_status(bench->sampler, &status));
	assert_int_equal(status.rounds, 1);
	assert_int_equal(status.failed, 0);
	assert_false(diary.missed);
	assert_true(diary.count < NOTES);
	for (size_t b = 0; b < BUSES; b++) {
		check_bus(b);
		check_turns(b);
	}
	printf("twelve sensors on three buses take %.1f ms with the store, one after another %.1f ms\n",
	       (double)together / 1e6, (double)time_of_each(bench) / 1e6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(twelve_sensors_are_read_in_the_time_of_the_slowest, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
