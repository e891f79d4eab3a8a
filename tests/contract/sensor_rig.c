/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_contract.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct kryos_sensor_driver *driver_of(const char *name)
{
	const void *const *driver;

	for (driver = kri_builtin_drivers[KRI_SENSOR]; *driver; driver++)
		if (strcmp(((const struct kryos_sensor_driver *)*driver)->name, name) == 0)
			return *driver;
	return NULL;
}

const char *where(const struct fixture *fixture)
{
	return fixture->place[0] ? fixture->place : fixture->bus;
}

void rig_up(struct rig *rig, const struct fixture *fixture)
{
	int64_t options[KRYOS_SENSOR_MAX_OPTIONS];

	*rig = (struct rig){ .fixture = fixture, .driver = driver_of(fixture->driver) };
	assert_ok(kri_options_parse(rig->driver, fixture->options, options));
	assert_ok(kri_sensor_describe(rig->driver, fixture->place, options, &rig->has));
	assert_ok(kryos_fake_clock_new(&rig->clock, KRYOS_SECONDS(1700000000)));
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_fake_bus_new(&rig->bus, fixture->bus));
	assert_ok(kryos_fake_bus_attach(rig->bus, rig->ctx));
	if (fixture->other_bus) {
		assert_ok(kryos_fake_bus_new(&rig->other_bus, fixture->other_bus));
		assert_ok(kryos_fake_bus_attach(rig->other_bus, rig->ctx));
	}
	assert_ok(fixture->add(rig->bus, fixture->place, &rig->model));
}

void rig_down(struct rig *rig)
{
	kryos_ctx_free(rig->ctx);
	kryos_fake_bus_free(rig->bus);
	kryos_fake_bus_free(rig->other_bus);
	kryos_fake_clock_free(rig->clock);
}

int open_at(struct rig *rig, const char *name, const char *bus, const char *place, struct kryos_sensor **ret_sensor)
{
	const char *at = strchr(bus, '@'); /* "sysfs-iio@bme280" is named by the end */
	char device[128];

	snprintf(device, sizeof(device), "%s@%s%s%s", rig->fixture->driver, at ? at + 1 : bus, place[0] ? ":" : "",
	         place);
	return kryos_sensor_open_with(ret_sensor, rig->ctx, name, device,
	                              KRYOS_SENSOR_CONFIG(.options = rig->fixture->options));
}

int open_it(struct rig *rig)
{
	int r = open_at(rig, "fridge", rig->fixture->bus, rig->fixture->place, &rig->sensor);

	if (r >= 0)
		assert_int_equal(kryos_sensor_get_channel_count(rig->sensor), (int)rig->has.channel_count);
	return r;
}

void set_truth(struct rig *rig, unsigned int channel, int64_t micro)
{
	rig->truth[channel] = micro;
	assert_ok(kryos_model_set(rig->model, rig->has.channels[channel].quantity, micro));
}

void set_random_truth(struct rig *rig, uint64_t *seed)
{
	uint64_t span;
	unsigned int i;

	for (i = 0; i < rig->has.channel_count; i++) {
		span = (uint64_t)(rig->fixture->high_micro[i] - rig->fixture->low_micro[i]);
		set_truth(rig, i, rig->fixture->low_micro[i] + (int64_t)(next_random(seed) % (span + 1)));
	}
}

void read_it(struct rig *rig, struct kryos_sample samples[MAX_CHANNELS])
{
	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(1));
	assert_int_equal(kryos_sensor_read(rig->sensor, samples, MAX_CHANNELS), (int)rig->has.channel_count);
}

static bool is_true(const struct rig *rig, const struct kryos_sample *samples, unsigned int channel)
{
	return llabs(samples[channel].value_micro - rig->truth[channel]) <= rig->fixture->tolerance_micro[channel];
}

bool check_no_lie(const struct rig *rig, const struct kryos_sample *samples, const char *when, int step)
{
	bool all_good = true;
	unsigned int i;

	for (i = 0; i < rig->has.channel_count; i++) {
		if (samples[i].quality == KRYOS_QUALITY_GOOD && !is_true(rig, samples, i))
			fail_msg("%s, %s %d: channel %u says %lld, in truth %lld", rig->fixture->driver, when, step, i,
			         (long long)samples[i].value_micro, (long long)rig->truth[i]);
		all_good = all_good && samples[i].quality == KRYOS_QUALITY_GOOD;
	}
	return all_good;
}

void check_good(struct rig *rig, const char *when, int step)
{
	struct kryos_sample samples[MAX_CHANNELS];

	read_it(rig, samples);
	if (!check_no_lie(rig, samples, when, step))
		fail_msg("%s, %s %d: quality %s", rig->fixture->driver, when, step,
		         kryos_quality_name(samples[0].quality));
}
