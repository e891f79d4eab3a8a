/* SPDX-License-Identifier: Apache-2.0 */
/* Sensors, over chip models on fake buses, and over a toy chip where time and failures are to be exact. */
#include "support.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <pthread.h>
#include <sensor/sensor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define C(celsius) ((int64_t)((celsius)*1000000))

/*
 * The toy: chips on bus "i2c-9" by address. A transfer with one byte out and four in reads the value
 * in millidegrees; codes are what the next operations of a chip give.
 */
struct toy_chip {
	int32_t milli;
	int probe_codes[8], fetch_codes[8];
	unsigned int probes, triggers, fetches, removes;
	bool present;
};

static struct {
	struct toy_chip chips[128];
	int64_t wait_ns;
	char order[256]; /* t and f, as they came */
} * toys;                /* the tests' own, made anew for each; drivers have no userdata */

static int toy_open(void *priv, const char *name, void *userdata)
{
	(void)priv;
	(void)name;
	(void)userdata;
	return 0;
}

static void toy_close(void *priv)
{
	(void)priv;
}

static int toy_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	(void)priv;
	ret_address->number = (uint32_t)strtoul(place, NULL, 16);
	snprintf(ret_address->text, sizeof(ret_address->text), "%s", place);
	return 0;
}

static int toy_transfer(void *priv, const struct kryos_address *address, const uint8_t *out, size_t out_count,
                        uint8_t *in, size_t in_count)
{
	struct toy_chip *chip = &toys->chips[address->number & 127];

	(void)priv;
	(void)out;
	(void)out_count;
	if (!chip->present)
		return -ENXIO;
	if (in_count == sizeof(chip->milli))
		memcpy(in, &chip->milli, sizeof(chip->milli));
	return 0;
}

static const struct kryos_bus_driver toy_bus = {
	.size = sizeof(toy_bus),
	.prefix = "i2c-9",
	.open = toy_open,
	.close = toy_close,
	.parse = toy_parse,
	.transfer = toy_transfer,
};

static struct toy_chip *chip_of(struct kryos_dev *dev)
{
	return &toys->chips[kryos_dev_address(dev)->number & 127];
}

static void note(char what)
{
	size_t length = strlen(toys->order);

	if (length + 1 < sizeof(toys->order))
		toys->order[length] = what;
}

static int toy_probe(void *priv, struct kryos_dev *dev)
{
	struct toy_chip *chip = chip_of(dev);
	uint8_t byte = 0;
	int r;

	*(int *)priv = 1;
	if (chip->probes < 8 && chip->probe_codes[chip->probes] < 0)
		return chip->probe_codes[chip->probes++];
	chip->probes++;
	r = kryos_dev_transfer(dev, &byte, 1, NULL, 0);
	return r == -ENXIO ? -ENODEV : r;
}

static int toy_trigger(void *priv, struct kryos_dev *dev, int64_t *ret_wait_ns)
{
	uint8_t byte = 1;

	(void)priv;
	chip_of(dev)->triggers++;
	note('t');
	*ret_wait_ns = toys->wait_ns;
	return kryos_dev_transfer(dev, &byte, 1, NULL, 0);
}

static int toy_fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	struct toy_chip *chip = chip_of(dev);

	(void)priv;
	note('f');
	if (chip->fetch_codes[chip->fetches & 7] < 0)
		return chip->fetch_codes[chip->fetches++ & 7];
	chip->fetches++;
	return kryos_dev_read_registers(dev, 2, raw, 4);
}

static void toy_decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	int32_t milli;

	(void)priv;
	memcpy(&milli, raw, sizeof(milli));
	ret_readings[0].value_micro = (int64_t)milli * 1000;
}

static void toy_remove(void *priv, struct kryos_dev *dev)
{
	(void)priv;
	chip_of(dev)->removes++;
}

static const struct kryos_channel_info toy_channels[] = {
	{ .quantity = "temperature", .unit = "Cel", .min_micro = C(-100), .max_micro = C(100) },
};

static const struct kryos_sensor_driver toy_driver = {
	.size = sizeof(toy_driver),
	.name = "toy",
	.title = "Toy",
	.bus = "i2c",
	.channels = toy_channels,
	.channel_count = 1,
	.private_size = sizeof(int),
	.raw_size = 4,
	.probe = toy_probe,
	.trigger = toy_trigger,
	.fetch = toy_fetch,
	.decode = toy_decode,
	.remove = toy_remove,
};

struct bench {
	struct kryos_ctx *ctx;
	struct kryos_fake_bus *i2c, *w1;
	struct kryos_fake_clock *clock;
};

static int make_bench(struct bench *bench, const struct kryos_ctx_config *config)
{
	toys = calloc(1, sizeof(*toys));
	for (int i = 0; i < 128; i++)
		toys->chips[i] = (struct toy_chip){ .present = true, .milli = i * 100 };
	if (kryos_ctx_new(&bench->ctx, config) < 0 || kryos_fake_bus_new(&bench->i2c, "i2c-1") < 0 ||
	    kryos_fake_bus_new(&bench->w1, "w1") < 0 || kryos_fake_bus_attach(bench->i2c, bench->ctx) < 0 ||
	    kryos_fake_bus_attach(bench->w1, bench->ctx) < 0 || kryos_register_bus(bench->ctx, &toy_bus, NULL) < 0 ||
	    kryos_register_sensor(bench->ctx, &toy_driver) < 0)
		return -1;
	return 0;
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	return make_bench(bench, NULL);
}

static int setup_simulated(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	if (kryos_fake_clock_new(&bench->clock, INT64_C(1795000000000000000)) < 0)
		return -1;
	return make_bench(bench, KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock));
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->i2c);
	kryos_fake_bus_free(bench->w1);
	kryos_fake_clock_free(bench->clock);
	free(bench);
	free(toys);
	toys = NULL;
	return 0;
}

static struct kryos_sample read_one(struct kryos_sensor *sensor)
{
	struct kryos_sample sample = { 0 };

	assert_int_equal(kryos_sensor_read(sensor, &sample, 1), 1);
	return sample;
}

static void expect_event(struct bench *bench, enum kryos_event_type type, const char *name, const char *says)
{
	const struct kryos_event *event = NULL;

	if (kryos_ctx_next_event(bench->ctx, &event) != 1)
		fail_msg("no event \"%s\" of %s", kryos_event_type_name(type), name);
	assert_int_equal(event->type, type);
	assert_string_equal(event->name, name);
	if (!strstr(event->text, says))
		fail_msg("\"%s\" does not say \"%s\"", event->text, says);
}

static void expect_no_event(struct bench *bench)
{
	const struct kryos_event *event = NULL;

	if (kryos_ctx_next_event(bench->ctx, &event) != 0)
		fail_msg("an event \"%s\": %s", kryos_event_type_name(event->type), event->text);
}

static void a_probe_found_by_any_is_read_with_stamps_and_channel(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *fridge;
	struct kryos_model *model;
	struct kryos_sample sample;
	uint32_t channel = 0;
	int64_t before = kri_boot_ns(bench->ctx), wall = kri_wall_ns(bench->ctx);

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-0316a2795bff", &model));
	assert_ok(kryos_model_set(model, "temperature", C(5.25)));
	assert_ok(kryos_sensor_open(&fridge, bench->ctx, "fridge", "ds18b20@w1:any"));
	assert_int_equal(kryos_sensor_get_channel_count(fridge), 1);
	assert_ok(kryos_sensor_get_channel(fridge, 0, &channel));
	assert_string_equal(kryos_channel_name(bench->ctx, channel), "fridge.temperature");
	assert_string_equal(kryos_channel_unit(bench->ctx, channel), "Cel");
	sample = read_one(fridge);
	assert_int_equal(sample.value_micro, C(5.25));
	assert_int_equal(sample.quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(sample.channel, channel);
	assert_int_equal(sample.seq, 0);
	assert_in_range(sample.t_boot_ns, before, kri_boot_ns(bench->ctx));
	assert_in_range(sample.t_wall_ns, wall, kri_wall_ns(bench->ctx));
	expect_no_event(bench);
}

static void a_chip_of_three_channels_fills_what_there_is_room_for(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *room;
	struct kryos_model *model;
	struct kryos_sample samples[4];

	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x76", &model));
	assert_ok(kryos_model_set(model, "temperature", C(21)));
	assert_ok(kryos_sensor_open(&room, bench->ctx, "room", "bme280@i2c-1:0x76"));
	memset(samples, 0x55, sizeof(samples));
	assert_int_equal(kryos_sensor_read(room, samples, 4), 3);
	assert_string_equal(kryos_channel_name(bench->ctx, samples[0].channel), "room.temperature");
	assert_in_range(samples[0].value_micro, C(20.99), C(21.01));
	assert_int_equal(samples[2].t_boot_ns, samples[0].t_boot_ns);
	assert_int_equal(samples[3].round, 0x55555555);
	samples[1].round = 7;
	assert_int_equal(kryos_sensor_read(room, samples, 1), 1);
	assert_int_equal(samples[1].round, 7);
}

static void every_open_error_begins_with_the_sensors_name(void **state)
{
	static const struct {
		const char *device;
		int code;
		const char *sentence;
	} cases[] = {
		{ "ds18b20@w1:any", -ENODEV,
		  "fridge: no DS18B20 on any 1-Wire bus; is \"dtoverlay=w1-gpio\" in /boot/firmware/config.txt?" },
		{ "bme280@i2c-1:0x76", -ENODEV, "fridge: bme280@i2c-1:0x76: nothing answers at 0x76 on i2c-1" },
		{ "ds18b20@w1:28-000000000001", -ENODEV,
		  "fridge: ds18b20@w1:28-000000000001: nothing answers at 28-000000000001 on w1; there is nothing of "
		  "its kind" },
		{ "bme280", KRYOS_EDEVICE,
		  "fridge: \"bme280\": has no @; a device is driver@bus:place, as bme280@i2c-1:0x76 or "
		  "ds18b20@w1:any" },
		{ "bme280@i2c-1:0x99", KRYOS_EDEVICE,
		  "fridge: bme280@i2c-1:0x99: 0x99 is no i2c address; 0x03 to 0x77 are allowed" },
		{ "bme280@w1:any", KRYOS_EDEVICE,
		  "fridge: bme280@w1:any: a bme280 is on i2c-0, -1, ... or spi-0.0, -0.1, ..., not on w1" },
	};
	struct bench *bench = *state;
	struct kryos_sensor *sensor = NULL;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		assert_fails(cases[i].code, kryos_sensor_open(&sensor, bench->ctx, "fridge", cases[i].device));
		assert_string_equal(kryos_strerror(cases[i].code), cases[i].sentence);
		assert_null(sensor);
	}
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&sensor, bench->ctx, "fridge", "bmp999@i2c-1:0x76"));
	assert_says(KRYOS_EDEVICE, "fridge: bmp999@i2c-1:0x76: no sensor driver \"bmp999\"; there is ");
	assert_says(KRYOS_EDEVICE, ", ds18b20, ");
	expect_no_event(bench);
}

static void another_chip_at_the_address_is_named(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor = NULL;
	struct kryos_model *model;

	assert_ok(kryos_fake_bus_add_ds3231(bench->i2c, "0x68", &model));
	assert_fails(KRYOS_ECHIP, kryos_sensor_open(&sensor, bench->ctx, "room", "bme280@i2c-1:0x68"));
	assert_says(KRYOS_ECHIP, "room: bme280@i2c-1:0x68: this is no BME280");
}

static void several_probes_where_any_was_asked_are_listed(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor = NULL;
	struct kryos_model *model;

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-00000000000a", &model));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-00000000000b", &model));
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&sensor, bench->ctx, "fridge", "ds18b20@w1:any"));
	assert_says(KRYOS_EDEVICE, "2 are present, name one of them: 28-00000000000a, 28-00000000000b");
}

static void names_are_checked_and_unique_among_open_sensors(void **state)
{
	static const char *const bad[] = { "", "Fridge", "a b", "a.b", "x1234567890123456789012345678901", NULL };
	struct bench *bench = *state;
	struct kryos_sensor *first, *second = NULL;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(bad); i++) {
		assert_fails(-EINVAL, kryos_sensor_open(&second, bench->ctx, bad[i], "toy@i2c-9:0x10"));
		assert_says(-EINVAL, "a sensor's name is 1 to 31 of a-z 0-9 _ -");
	}
	assert_ok(kryos_sensor_open(&first, bench->ctx, "a", "toy@i2c-9:0x10"));
	assert_fails(-EEXIST, kryos_sensor_open(&second, bench->ctx, "a", "toy@i2c-9:0x11"));
	assert_says(-EEXIST, "a: another open sensor has this name");
	assert_fails(-ENODEV, kryos_sensor_open(&second, bench->ctx, "b", "bme280@i2c-1:0x76"));
	kryos_sensor_close(first);
	assert_ok(kryos_sensor_open(&first, bench->ctx, "a", "toy@i2c-9:0x11"));
	assert_ok(kryos_sensor_open(&second, bench->ctx, "b", "toy@i2c-9:0x10"));
	assert_int_equal(read_one(first).value_micro, C(1.7));
	assert_int_equal(read_one(second).value_micro, C(1.6));
}

static void senseless_arguments_are_refused(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor;
	struct kryos_sample sample;
	uint32_t channel = 77;

	assert_fails(-EINVAL, kryos_sensor_open(NULL, bench->ctx, "a", "toy@i2c-9:0x10"));
	assert_fails(-EINVAL, kryos_sensor_open(&sensor, NULL, "a", "toy@i2c-9:0x10"));
	assert_fails(KRYOS_EDEVICE, kryos_sensor_open(&sensor, bench->ctx, "a", NULL));
	assert_ok(kryos_sensor_open(&sensor, bench->ctx, "a", "toy@i2c-9:0x10"));
	assert_fails(-EINVAL, kryos_sensor_read(NULL, &sample, 1));
	assert_fails(-EINVAL, kryos_sensor_read(sensor, NULL, 1));
	assert_fails(-EINVAL, kryos_sensor_read(sensor, &sample, 0));
	assert_fails(-EINVAL, kryos_sensor_get_channel_count(NULL));
	assert_fails(-EINVAL, kryos_sensor_get_channel(sensor, 1, &channel));
	assert_says(-EINVAL, "a: has 1 channels; there is no index 1");
	assert_int_equal(channel, 77);
	kryos_sensor_close(NULL);
}

static void two_checksum_errors_are_retried_and_a_third_is_a_sample(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *fridge;
	struct kryos_model *model;
	struct kryos_sample sample;

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &model));
	assert_ok(kryos_sensor_open(&fridge, bench->ctx, "fridge", "ds18b20@w1:28-000000000001"));
	kryos_fake_bus_plan(bench->w1, KRYOS_FAULT_FLIP, 0, 2);
	assert_int_equal(read_one(fridge).quality, KRYOS_QUALITY_GOOD);
	expect_no_event(bench);
	kryos_fake_bus_plan(bench->w1, KRYOS_FAULT_FLIP, 0, 3);
	sample = read_one(fridge);
	assert_int_equal(sample.quality, KRYOS_QUALITY_CRC);
	assert_int_equal(sample.value_micro, 0);
	expect_event(bench, KRYOS_EVENT_SENSOR_LOST, "fridge", "checksum");
	assert_int_equal(read_one(fridge).quality, KRYOS_QUALITY_GOOD);
	expect_event(bench, KRYOS_EVENT_SENSOR_BACK, "fridge", "");
}

static void each_failure_of_the_bus_has_its_quality(void **state)
{
	static const struct {
		enum kryos_fault fault;
		enum kryos_quality quality;
	} cases[] = {
		{ KRYOS_FAULT_NACK, KRYOS_QUALITY_ABSENT },     { KRYOS_FAULT_EIO, KRYOS_QUALITY_BUS },
		{ KRYOS_FAULT_TIMEOUT, KRYOS_QUALITY_TIMEOUT }, { KRYOS_FAULT_STUCK, KRYOS_QUALITY_BUS },
		{ KRYOS_FAULT_EMPTY, KRYOS_QUALITY_BUS },       { KRYOS_FAULT_ZERO, KRYOS_QUALITY_CRC },
	};
	struct bench *bench = *state;
	struct kryos_sensor *fridge;
	struct kryos_model *model;

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &model));
	assert_ok(kryos_sensor_open(&fridge, bench->ctx, "fridge", "ds18b20@w1:any"));
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		kryos_fake_bus_plan(bench->w1, cases[i].fault, 0, -1);
		assert_int_equal(read_one(fridge).quality, cases[i].quality);
		assert_int_equal(read_one(fridge).quality, cases[i].quality);
		kryos_fake_bus_plan(bench->w1, KRYOS_FAULT_NONE, 0, 0);
		assert_int_equal(read_one(fridge).quality, KRYOS_QUALITY_GOOD);
		expect_event(bench, KRYOS_EVENT_SENSOR_LOST, "fridge", "ds18b20@w1:any: ");
		expect_event(bench, KRYOS_EVENT_SENSOR_BACK, "fridge", "");
		expect_no_event(bench);
	}
}

static void a_chip_pulled_and_plugged_is_lost_once_and_back_once(void **state)
{
	struct bench *bench = *state;
	struct kryos_sample samples[3];
	struct kryos_sensor *room;
	struct kryos_model *model;

	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x76", &model));
	assert_ok(kryos_sensor_open(&room, bench->ctx, "room", "bme280@i2c-1:0x76"));
	kryos_model_set_present(model, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kryos_sensor_read(room, samples, 3), 3);
		for (int channel = 0; channel < 3; channel++)
			assert_int_equal(samples[channel].quality, KRYOS_QUALITY_ABSENT);
	}
	kryos_model_set_present(model, 1);
	assert_int_equal(read_one(room).quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(read_one(room).quality, KRYOS_QUALITY_GOOD);
	expect_event(bench, KRYOS_EVENT_SENSOR_LOST, "room", "nothing answers at 0x76 on i2c-1");
	expect_event(bench, KRYOS_EVENT_SENSOR_BACK, "room", "");
	expect_no_event(bench);
}

static void a_chip_that_was_reset_is_set_up_again_within_the_measurement(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *room;
	struct kryos_model *model;

	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x76", &model));
	assert_ok(kryos_model_set(model, "temperature", C(-12)));
	assert_ok(kryos_sensor_open(&room, bench->ctx, "room", "bme280@i2c-1:0x76"));
	kryos_model_reset(model);
	assert_int_equal(read_one(room).quality, KRYOS_QUALITY_GOOD);
	expect_no_event(bench);
}

static void any_finds_the_probe_that_replaced_the_first(void **state)
{
	struct bench *bench = *state;
	struct kryos_model *first, *second;
	struct kryos_sensor *fridge;

	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &first));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000002", &second));
	kryos_model_set_present(second, 0);
	assert_ok(kryos_model_set(second, "temperature", C(3.5)));
	assert_ok(kryos_sensor_open(&fridge, bench->ctx, "fridge", "ds18b20@w1:any"));
	kryos_model_set_present(first, 0);
	kryos_model_set_present(second, 1);
	assert_int_equal(read_one(fridge).quality, KRYOS_QUALITY_ABSENT);
	assert_int_equal(read_one(fridge).value_micro, C(3.5));
}

static void a_driver_whose_probe_succeeded_is_removed_exactly_once_for_each(void **state)
{
	struct toy_chip *chip = &toys->chips[0x20];
	struct bench *bench = *state;
	struct kryos_sensor *sensor = NULL;

	chip->probe_codes[0] = KRYOS_ECHIP;
	assert_fails(KRYOS_ECHIP, kryos_sensor_open(&sensor, bench->ctx, "a", "toy@i2c-9:0x20"));
	assert_string_equal(kryos_strerror(KRYOS_ECHIP), "a: toy@i2c-9:0x20: another chip answers at that address");
	assert_int_equal(chip->removes, 0);
	assert_ok(kryos_sensor_open(&sensor, bench->ctx, "a", "toy@i2c-9:0x20"));
	chip->fetch_codes[0] = KRYOS_ECHIP;
	assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(chip->probes, 3);
	assert_int_equal(chip->removes, 1);
	kryos_sensor_close(sensor);
	assert_int_equal(chip->removes, 2);
}

static void a_chip_that_is_never_ready_ends_in_a_sample(void **state)
{
	struct toy_chip *chip = &toys->chips[0x20];
	struct bench *bench = *state;
	struct kryos_sensor *sensor;

	assert_ok(kryos_sensor_open(&sensor, bench->ctx, "a", "toy@i2c-9:0x20"));
	for (int i = 0; i < 3; i++)
		chip->fetch_codes[i] = -EAGAIN;
	assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_GOOD);
	assert_int_equal(chip->triggers, 1);
	for (int i = 0; i < 8; i++)
		chip->fetch_codes[i] = -EAGAIN;
	assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_BUS);
	assert_int_equal(chip->triggers, 4);
	expect_event(bench, KRYOS_EVENT_SENSOR_LOST, "a", "is not done long after it said it would be");
}

static void one_that_misses_its_address_once_is_measured_all_the_same(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *fridge;
	struct kryos_model *model;
	unsigned int before, each;

	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x76", &model));
	assert_ok(kryos_sensor_open(&fridge, bench->ctx, "fridge", "bme280@i2c-1:0x76"));
	before = kryos_fake_bus_transfers(bench->i2c);
	assert_int_equal(read_one(fridge).quality, KRYOS_QUALITY_GOOD);
	each = kryos_fake_bus_transfers(bench->i2c) - before;
	for (unsigned int at = 0; at < each; at++) {
		kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_NACK, (int)at, 1);
		assert_int_equal(read_one(fridge).quality, KRYOS_QUALITY_GOOD);
	}
	expect_no_event(bench);
}

/* Looked for once more while it was there a moment ago; from then on once in each measurement. */
static void one_that_is_gone_is_not_looked_for_again_and_again(void **state)
{
	struct toy_chip *chip = &toys->chips[0x20];
	struct bench *bench = *state;
	struct kryos_sensor *sensor;

	assert_ok(kryos_sensor_open(&sensor, bench->ctx, "a", "toy@i2c-9:0x20"));
	chip->present = false;
	assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_ABSENT);
	assert_int_equal(chip->probes, 2);
	expect_event(bench, KRYOS_EVENT_SENSOR_LOST, "a", "nothing answers at 0x20");
	assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_ABSENT);
	assert_int_equal(chip->probes, 3);
	assert_int_equal(chip->triggers, 1);
	expect_no_event(bench);
}

static void close_all(struct kryos_sensor **sensors, int count)
{
	while (count-- > 0)
		kryos_sensor_close(sensors[count]);
}

struct collected {
	struct kri_measured results[16];
	size_t count, calls;
};

static void collect(void *data, const struct kri_measured *results, size_t count)
{
	struct collected *collected = data;

	collected->calls++;
	collected->count = count;
	for (size_t i = 0; i < count; i++)
		collected->results[i] = results[i];
}

static bool was_called(void *data)
{
	return ((struct collected *)data)->calls > 0;
}

#define MANY 12

static void open_many(struct bench *bench, struct kryos_sensor **sensors)
{
	char name[16], device[24];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(device, sizeof(device), "toy@i2c-9:0x%02x", 0x10 + i);
		assert_ok(kri_sensor_new_lazy(&sensors[i], bench->ctx, name, device, NULL));
	}
}

static void twelve_sensors_of_a_bus_take_the_time_of_the_slowest(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensors[MANY];
	struct collected collected = { 0 };
	struct kri_batch *batch;
	int64_t begin;

	open_many(bench, sensors);
	toys->wait_ns = KRYOS_MILLISECONDS(100);
	begin = kri_real_ns();
	assert_ok(kri_batch_start(&batch, sensors, MANY, KRYOS_SECONDS(77), KRYOS_SECONDS(5), collect, &collected));
	assert_true(process_until(bench->ctx, was_called, &collected, 5000));
	/* One after another they would take 1.2 s. */
	assert_in_range(kri_real_ns() - begin, KRYOS_MILLISECONDS(100), KRYOS_MILLISECONDS(600));
	assert_string_equal(toys->order, "ttttttttttttffffffffffff");
	assert_int_equal(collected.count, MANY);
	for (int i = 0; i < MANY; i++) {
		assert_ptr_equal(collected.results[i].sensor, sensors[i]);
		assert_int_equal(collected.results[i].code, 0);
		assert_int_equal(collected.results[i].samples[0].value_micro, (0x10 + i) * C(0.1));
		assert_int_equal(collected.results[i].samples[0].t_boot_ns, KRYOS_SECONDS(77));
	}
	close_all(sensors, MANY);
}

static void one_failing_sensor_of_a_batch_spoils_no_other(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensors[MANY];
	struct collected collected = { 0 };
	struct kri_batch *batch;

	open_many(bench, sensors);
	toys->chips[0x12].present = false;
	toys->chips[0x13].fetch_codes[0] = -EIO;
	for (int i = 0; i < 8; i++)
		toys->chips[0x14].fetch_codes[i] = KRYOS_ECRC;
	assert_ok(kri_batch_start(&batch, sensors, MANY, 0, KRYOS_SECONDS(5), collect, &collected));
	assert_true(process_until(bench->ctx, was_called, &collected, 5000));
	for (int i = 0; i < MANY; i++)
		assert_int_equal(collected.results[i].samples[0].quality, i == 2   ? KRYOS_QUALITY_ABSENT
		                                                          : i == 4 ? KRYOS_QUALITY_CRC
		                                                                   : KRYOS_QUALITY_GOOD);
	assert_int_equal(toys->chips[0x10].triggers, 1);
	assert_int_equal(toys->chips[0x13].triggers, 2);
	assert_int_equal(toys->chips[0x14].triggers, 3);
	expect_event(bench, KRYOS_EVENT_SENSOR_LOST, "s2", "nothing answers at 0x12");
	expect_event(bench, KRYOS_EVENT_SENSOR_LOST, "s4", "checksum");
	expect_no_event(bench);
	close_all(sensors, MANY);
}

/* Half of the time is left after the first pass, which is less than another takes. */
static void a_retry_that_would_end_too_late_does_not_begin(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensors[MANY];
	struct collected collected = { 0 };
	struct kri_batch *batch;

	open_many(bench, sensors);
	toys->wait_ns = KRYOS_MILLISECONDS(200);
	toys->chips[0x11].fetch_codes[0] = KRYOS_ECRC;
	assert_ok(kri_batch_start(&batch, sensors, MANY, 0, KRYOS_MILLISECONDS(380), collect, &collected));
	assert_true(process_until(bench->ctx, was_called, &collected, 5000));
	assert_int_equal(toys->chips[0x11].triggers, 1);
	assert_int_equal(toys->chips[0x11].removes, 1);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(collected.results[i].samples[0].quality,
		                 i == 1 ? KRYOS_QUALITY_CRC : KRYOS_QUALITY_GOOD);
	expect_event(bench, KRYOS_EVENT_SENSOR_LOST, "s1", "checksum");
	close_all(sensors, MANY);
}

static void a_simulated_clock_does_not_wait_for_conversions(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor;
	struct kryos_sample sample;
	int64_t begin = kri_real_ns();

	toys->wait_ns = KRYOS_SECONDS(3);
	assert_ok(kryos_sensor_open(&sensor, bench->ctx, "a", "toy@i2c-9:0x10"));
	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(5));
	sample = read_one(sensor);
	assert_int_equal(sample.t_boot_ns, KRYOS_SECONDS(310));
	assert_int_equal(sample.t_wall_ns, INT64_C(1795000000000000000) + KRYOS_MINUTES(5));
	assert_true(kri_real_ns() - begin < KRYOS_SECONDS(1));
}

static void a_chip_that_stands_still_for_a_day_is_stuck_unless_it_was_away(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor;

	assert_ok(kryos_sensor_open(&sensor, bench->ctx, "a", "toy@i2c-9:0x10"));
	for (int hour = 0; hour <= 24; hour++) {
		assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_GOOD);
		kryos_fake_clock_advance(bench->clock, KRYOS_HOURS(1));
	}
	assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_STUCK);
	toys->chips[0x10].present = false;
	assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_ABSENT);
	toys->chips[0x10].present = true;
	assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_GOOD);
}

static void a_forgotten_batch_is_not_delivered(void **state)
{
	struct bench *bench = *state;
	struct collected collected = { 0 };
	struct kryos_sensor *sensor;
	struct kri_batch *batch;

	assert_ok(kri_sensor_new_lazy(&sensor, bench->ctx, "a", "toy@i2c-9:0x10", NULL));
	toys->wait_ns = KRYOS_MILLISECONDS(50);
	assert_ok(kri_batch_start(&batch, &sensor, 1, 0, KRYOS_SECONDS(5), collect, &collected));
	kri_batch_forget(batch);
	kryos_sensor_close(sensor);
	process_for(bench->ctx, 100);
	assert_int_equal(collected.calls, 0);
}

static void an_abandoned_batch_says_when_it_has_ended_and_nothing_else(void **state)
{
	struct bench *bench = *state;
	struct collected collected = { .count = 99 };
	struct kryos_sensor *sensor;
	struct kri_batch *batch;

	assert_ok(kri_sensor_new_lazy(&sensor, bench->ctx, "a", "toy@i2c-9:0x10", NULL));
	toys->chips[0x10].present = false;
	toys->wait_ns = KRYOS_MILLISECONDS(50);
	assert_ok(kri_batch_start(&batch, &sensor, 1, 0, KRYOS_SECONDS(5), collect, &collected));
	kri_batch_abandon(batch);
	assert_true(process_until(bench->ctx, was_called, &collected, 5000));
	assert_int_equal(collected.count, 0);
	expect_no_event(bench);
	kryos_sensor_close(sensor);
}

static bool event_waits(void *data)
{
	const struct kryos_event *event = NULL;
	struct bench *bench = data;

	return kryos_ctx_next_event(bench->ctx, &event) == 1 && event->type == KRYOS_EVENT_SENSOR_LOST;
}

static void a_look_announces_what_is_not_there_without_waiting(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *absent, *present;

	assert_ok(kri_sensor_new_lazy(&absent, bench->ctx, "a", "bme280@i2c-1:0x77", NULL));
	assert_ok(kri_sensor_new_lazy(&present, bench->ctx, "b", "toy@i2c-9:0x10", NULL));
	assert_ok(kri_sensor_look(absent));
	assert_ok(kri_sensor_look(present));
	assert_true(process_until(bench->ctx, event_waits, bench, 5000));
	process_for(bench->ctx, 50);
	expect_no_event(bench);
	assert_int_equal(toys->chips[0x10].probes, 1);
	assert_int_equal(toys->chips[0x10].triggers, 0);
	kryos_sensor_close(absent);
	kryos_sensor_close(present);
}

static void a_hung_bus_gives_timeouts_and_lets_go_of_the_sensor(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *room;
	struct kryos_model *model;
	int64_t begin;

	assert_ok(kryos_fake_bus_add_bme280(bench->i2c, "0x76", &model));
	assert_ok(kryos_sensor_open(&room, bench->ctx, "room", "bme280@i2c-1:0x76"));
	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_HANG, 0, -1);
	begin = kri_real_ns();
	assert_int_equal(read_one(room).quality, KRYOS_QUALITY_TIMEOUT);
	assert_in_range(kri_real_ns() - begin, KRYOS_MILLISECONDS(4900), KRYOS_MILLISECONDS(6500));
	expect_event(bench, KRYOS_EVENT_SENSOR_LOST, "room", "bme280@i2c-1:0x76: no answer in 5 s");
	begin = kri_real_ns();
	kryos_sensor_close(room);
	assert_true(kri_real_ns() - begin < KRYOS_MILLISECONDS(1500));
	/* Back to life: the same bus serves the next one. */
	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_NONE, 0, 0);
	assert_ok(kryos_sensor_open(&room, bench->ctx, "room", "bme280@i2c-1:0x76"));
	assert_int_equal(read_one(room).quality, KRYOS_QUALITY_GOOD);
}

static void a_context_with_many_sensors_on_a_hung_bus_is_freed_within_five_seconds(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensors[4];
	struct kri_batch *batch;
	struct kryos_model *model;
	char name[4] = "s0", device[24];
	int64_t begin;

	for (int i = 0; i < 4; i++) {
		name[1] = (char)('0' + i);
		snprintf(device, sizeof(device), "0x%02x", 0x70 + i);
		assert_ok(kryos_fake_bus_add_bme280(bench->i2c, device, &model));
		snprintf(device, sizeof(device), "bme280@i2c-1:0x%02x", 0x70 + i);
		assert_ok(kryos_sensor_open(&sensors[i], bench->ctx, name, device));
	}
	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_HANG, 0, -1);
	assert_ok(kri_batch_start(&batch, sensors, 4, 0, KRYOS_SECONDS(5), NULL, NULL));
	usleep(20000);
	begin = kri_real_ns();
	kryos_ctx_free(bench->ctx);
	bench->ctx = NULL;
	assert_true(kri_real_ns() - begin < KRYOS_SECONDS(5));
	kryos_fake_bus_plan(bench->i2c, KRYOS_FAULT_NONE, 0, 0);
	usleep(200000); /* the abandoned thread ends by itself */
}

struct reader {
	struct kryos_sensor *sensor;
	int good;
};

static void *read_many(void *data)
{
	struct reader *reader = data;
	struct kryos_sample sample;

	for (int i = 0; i < 50; i++)
		if (kryos_sensor_read(reader->sensor, &sample, 1) == 1 && sample.quality == KRYOS_QUALITY_GOOD &&
		    sample.value_micro == C(1.6))
			reader->good++;
	return NULL;
}

static void threads_may_read_the_same_sensor(void **state)
{
	struct bench *bench = *state;
	struct reader readers[4] = { 0 };
	pthread_t threads[4];
	struct kryos_sensor *sensor;

	assert_ok(kryos_sensor_open(&sensor, bench->ctx, "a", "toy@i2c-9:0x10"));
	for (int i = 0; i < 4; i++) {
		readers[i].sensor = sensor;
		assert_int_equal(pthread_create(&threads[i], NULL, read_many, &readers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(readers[i].good, 50);
	}
}

static void a_child_after_fork_is_told_so(void **state)
{
	struct bench *bench = *state;
	struct kryos_sensor *sensor;
	struct kryos_sample sample;
	int status = -1;
	pid_t child;

	assert_ok(kryos_sensor_open(&sensor, bench->ctx, "a", "toy@i2c-9:0x10"));
	child = fork();
	if (child == 0) {
		int r = kryos_sensor_read(sensor, &sample, 1);

		kryos_sensor_close(sensor);
		_exit(r == KRYOS_EFORK ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read_one(sensor).quality, KRYOS_QUALITY_GOOD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_probe_found_by_any_is_read_with_stamps_and_channel),
		TEST(a_chip_of_three_channels_fills_what_there_is_room_for),
		TEST(every_open_error_begins_with_the_sensors_name),
		TEST(another_chip_at_the_address_is_named),
		TEST(several_probes_where_any_was_asked_are_listed),
		TEST(names_are_checked_and_unique_among_open_sensors),
		TEST(senseless_arguments_are_refused),
		TEST(two_checksum_errors_are_retried_and_a_third_is_a_sample),
		TEST(each_failure_of_the_bus_has_its_quality),
		TEST(a_chip_pulled_and_plugged_is_lost_once_and_back_once),
		TEST(a_chip_that_was_reset_is_set_up_again_within_the_measurement),
		TEST(any_finds_the_probe_that_replaced_the_first),
		TEST(a_driver_whose_probe_succeeded_is_removed_exactly_once_for_each),
		TEST(a_chip_that_is_never_ready_ends_in_a_sample),
		TEST(one_that_misses_its_address_once_is_measured_all_the_same),
		TEST(one_that_is_gone_is_not_looked_for_again_and_again),
		TEST(twelve_sensors_of_a_bus_take_the_time_of_the_slowest),
		TEST(one_failing_sensor_of_a_batch_spoils_no_other),
		TEST(a_retry_that_would_end_too_late_does_not_begin),
		cmocka_unit_test_setup_teardown(a_simulated_clock_does_not_wait_for_conversions, setup_simulated,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_chip_that_stands_still_for_a_day_is_stuck_unless_it_was_away,
		                                setup_simulated, teardown),
		TEST(a_forgotten_batch_is_not_delivered),
		TEST(an_abandoned_batch_says_when_it_has_ended_and_nothing_else),
		TEST(a_look_announces_what_is_not_there_without_waiting),
		TEST(a_hung_bus_gives_timeouts_and_lets_go_of_the_sensor),
		TEST(a_context_with_many_sensors_on_a_hung_bus_is_freed_within_five_seconds),
		TEST(threads_may_read_the_same_sensor),
		TEST(a_child_after_fork_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
