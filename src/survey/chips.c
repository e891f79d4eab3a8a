/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chips on buses. An I2C bus has no list, and asking every address whether it is there disturbs some chip; so only the
 * addresses that drivers of this build have are asked, each by what identifies that driver's chip.
 */
#include "../clock/clock.h"
#include "../config/config.h"
#include "survey.h"
#include <kryos/sys/rtc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTIFY_NS KRYOS_SECONDS(1)
#define MEASURE_NS KRYOS_SECONDS(5)

/* "24.1 Cel", "46 %RH", "912.3 hPa": as a person says it. */
static void add_value(char *text, size_t size, const char *unit, const struct kryos_sample *sample)
{
	size_t length = strlen(text);
	double value = (double)sample->value_micro / 1e6;
	int decimals = !strcmp(unit, "%RH") ? 0 : !strcmp(unit, "V") || !strcmp(unit, "A") ? 3 : 1;

	if (!strcmp(unit, "Pa")) {
		unit = "hPa";
		value /= 100;
	}
	if (sample->quality == KRYOS_QUALITY_GOOD)
		snprintf(text + length, size - length, "%s%.*f %s", length ? "  " : "", decimals, value, unit);
	else
		snprintf(text + length, size - length, "%s%s: %s", length ? "  " : "", unit,
		         kryos_quality_name(sample->quality));
}

/* What it measures now, in text; < 0: why it gave nothing, the same. */
static int measure(struct kri_survey *survey, const char *device, char *text, size_t size)
{
	struct kri_measured measured;
	struct kryos_sensor *sensor;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "survey-%u", survey->number++);
	r = kri_sensor_new_lazy(&sensor, survey->ctx, name, device, NULL);
	if (r < 0)
		return r;
	r = kri_measure(sensor, false, MEASURE_NS, &measured);
	for (size_t i = 0; r >= 0 && i < measured.count; i++)
		add_value(text, size, sensor->has.channels[i].unit, &measured.samples[i]);
	if (r < 0)
		snprintf(text, size, "%s", kryos_strerror(r));
	survey->channels += (unsigned int)sensor->has.channel_count;
	kryos_sensor_close(sensor);
	return r;
}

static void tell_sensor(struct kri_survey *survey, const struct kryos_sensor_driver *driver, const char *where,
                        const char *device, const char *place)
{
	char text[256] = "";
	int r = 0;

	if (survey->config.measure)
		r = measure(survey, device, text, sizeof(text));
	kri_survey_tell(survey, KRYOS_FINDING_SENSOR, r < 0 ? r : 0, where, driver->name, device, "%s%s%s", place,
	                *place && *text ? "  " : "", text);
}

static int run_identify(struct kryos_dev *dev, void *data)
{
	const struct kryos_sensor_driver *const *driver = data;

	return (*driver)->identify(dev);
}

/* 0: it is this chip; else why not, with a sentence. */
static int identify(struct kri_survey *survey, const struct kryos_sensor_driver *driver, const char *device)
{
	int64_t options[KRYOS_SENSOR_MAX_OPTIONS];
	struct kryos_dev *dev;
	int r = kri_dev_open(survey->ctx, device, driver->bus, &dev);

	if (r < 0)
		return r;
	r = kri_options_parse(driver, NULL, options);
	if (r >= 0) {
		kri_dev_configure(dev, driver, options);
		r = kri_dev_call(dev, false, run_identify, &driver, sizeof(driver), IDENTIFY_NS);
	}
	kri_dev_close(dev);
	return r;
}

static bool has_word(const char *words, const char *word)
{
	return words && kri_list_find(words, word, strlen(word)) >= 0;
}

/* One address of one bus, and who of the drivers knows it. */
struct place {
	struct kri_survey *survey;
	const char *bus, *address;
	char where[80];
	bool told;  /* found, or a reason why it can't be used */
	bool stuck; /* nothing on this bus can be asked */
	char asked[32][32];
	unsigned int asked_count;
};

/* A chip that a kernel driver holds is no stranger: it is named, with what to do. */
static void judge_answer(struct place *place, int r)
{
	struct kri_survey *survey = place->survey;

	if (r == -EBUSY) {
		kri_survey_tell(survey, KRYOS_FINDING_CHIP, r, place->where, "", "", "%s", kryos_strerror(r));
		place->told = true;
	} else if (r == KRYOS_ESTUCK || r == -ETIMEDOUT || r == -EACCES) {
		kri_survey_tell(survey, KRYOS_FINDING_BUS, r, place->bus, "", "", "%s", kryos_strerror(r));
		place->told = place->stuck = true;
	}
}

static int try_sensor(void *data, const void *candidate, void *userdata)
{
	const struct kryos_sensor_driver *driver = candidate;
	struct place *place = data;
	char device[KRI_DEVICE_MAX];
	int r;

	(void)userdata;
	if (!driver->identify || !has_word(driver->bus, "i2c") || !has_word(driver->addresses, place->address))
		return 0;
	for (unsigned int i = 0; i < place->asked_count; i++)
		if (!strcmp(place->asked[i], driver->name))
			return 0; /* an integrator's own of that name was asked */
	if (place->asked_count < KRI_ARRAY_SIZE(place->asked))
		snprintf(place->asked[place->asked_count++], sizeof(place->asked[0]), "%s", driver->name);
	snprintf(device, sizeof(device), "%s@%s:%s", driver->name, place->bus, place->address);
	r = identify(place->survey, driver, device);
	if (r >= 0) {
		tell_sensor(place->survey, driver, place->where, device, "");
		place->told = true;
	} else {
		judge_answer(place, r);
	}
	return place->told;
}

/* "2026-11-20 09:11:58 UTC" */
static const char *clock_text(int64_t t_wall_ns, char buffer[KRYOS_TEXT_MAX])
{
	kri_second_text(t_wall_ns, buffer);
	buffer[strcspn(buffer, "T")] = ' ';
	strcpy(buffer + strcspn(buffer, "Z"), " UTC");
	return buffer;
}

/* The survey's context uses it then, as any program would. */
static int try_rtc(void *data, const void *candidate, void *userdata)
{
	const struct kryos_rtc_driver *driver = candidate;
	struct kryos_rtc_status status = { .size = sizeof(status) };
	struct place *place = data;
	char device[KRI_DEVICE_MAX], time[KRYOS_TEXT_MAX];
	int r;

	(void)userdata;
	if (!has_word(driver->addresses, place->address))
		return 0;
	snprintf(device, sizeof(device), "%s@%s:%s", driver->name, place->bus, place->address);
	r = kryos_clock_use_rtc(place->survey->ctx, device);
	if (r >= 0)
		r = kryos_clock_get_rtc(place->survey->ctx, &status);
	if (r >= 0) {
		kri_survey_tell(place->survey, KRYOS_FINDING_CLOCK, 0, place->where, driver->name, device, "%s%s%s%s",
		                status.valid ? "clock " : "", status.valid ? clock_text(status.t_wall_ns, time) : "",
		                status.valid ? ", " : "", status.text);
		place->told = true;
	} else if (r != -ENODEV && r != KRYOS_ECHIP) {
		judge_answer(place, r == -EACCES ? -EBUSY : r);
	}
	return place->told;
}

/* Every address that a driver has, once each and in order. */
static int note_addresses(const char *addresses, bool wanted[128])
{
	for (const char *at = addresses ? addresses : ""; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		unsigned long number = strtoul(at, NULL, 16);

		if (number < 128)
			wanted[number] = true;
	}
	return 0;
}

static int note_sensor(void *data, const void *driver, void *userdata)
{
	(void)userdata;
	return note_addresses(((const struct kryos_sensor_driver *)driver)->addresses, data);
}

static int note_rtc(void *data, const void *driver, void *userdata)
{
	(void)userdata;
	return note_addresses(((const struct kryos_rtc_driver *)driver)->addresses, data);
}

static bool look_at_i2c(struct kri_survey *survey, const char *bus, const bool wanted[128])
{
	bool any = false;

	for (unsigned int number = 0; number < 128; number++) {
		struct place place = { .survey = survey, .bus = bus };
		char address[8];

		if (!wanted[number])
			continue;
		snprintf(address, sizeof(address), "0x%02x", number);
		snprintf(place.where, sizeof(place.where), "%s %s", bus, address);
		place.address = address;
		if (!kri_registry_each(survey->ctx, KRI_RTC, try_rtc, &place))
			kri_registry_each(survey->ctx, KRI_SENSOR, try_sensor, &place);
		any |= place.told;
		if (place.stuck)
			break;
	}
	return any;
}

int kri_survey_i2c(struct kri_survey *survey)
{
	char **buses = kri_survey_buses(survey->ctx, "i2c");
	bool wanted[128] = { false }, any = false;

	if (!buses)
		return -ENOMEM;
	kri_registry_each(survey->ctx, KRI_SENSOR, note_sensor, wanted);
	kri_registry_each(survey->ctx, KRI_RTC, note_rtc, wanted);
	for (size_t i = 0; buses[i]; i++)
		any |= look_at_i2c(survey, buses[i], wanted);
	if (!any)
		kri_survey_tell(survey, KRYOS_FINDING_BUS, -ENODEV, buses[0] ? buses[0] : "i2c", "", "", "%s",
		                buses[0] ? kri_advice_no_chip("i2c") : kri_advice_no_bus("i2c"));
	kri_survey_free_buses(buses);
	return 0;
}

static int try_spi(void *data, const void *candidate, void *userdata)
{
	const struct kryos_sensor_driver *driver = candidate;
	struct place *place = data;
	char device[KRI_DEVICE_MAX];
	int r;

	(void)userdata;
	if (!driver->identify || !has_word(driver->bus, "spi"))
		return 0;
	snprintf(device, sizeof(device), "%s@%s", driver->name, place->bus);
	r = identify(place->survey, driver, device);
	if (r >= 0) {
		tell_sensor(place->survey, driver, place->bus, device, "");
		place->told = true;
	} else if (r != KRYOS_ECHIP && r != -ENODEV) {
		judge_answer(place, r);
	}
	return place->told;
}

int kri_survey_spi(struct kri_survey *survey)
{
	char **buses = kri_survey_buses(survey->ctx, "spi");
	bool any = false;

	if (!buses)
		return -ENOMEM;
	for (size_t i = 0; buses[i]; i++) {
		struct place place = { .survey = survey, .bus = buses[i] };

		kri_registry_each(survey->ctx, KRI_SENSOR, try_spi, &place);
		any |= place.told;
	}
	if (!any)
		kri_survey_tell(survey, KRYOS_FINDING_BUS, -ENODEV, buses[0] ? buses[0] : "spi", "", "", "%s",
		                buses[0] ? kri_advice_no_chip("spi") : kri_advice_no_bus("spi"));
	kri_survey_free_buses(buses);
	return 0;
}

struct probes {
	struct kri_survey *survey;
	const char *bus;
	unsigned int count;
};

static void take_probe(void *data, const struct kryos_address *address)
{
	const char *name = kri_dev_w1_driver(address->text);
	const struct kryos_sensor_driver *driver;
	struct probes *probes = data;
	struct kri_device device = { .text = "" };

	probes->count++;
	snprintf(device.driver, sizeof(device.driver), "%s", name ? name : "");
	snprintf(device.text, sizeof(device.text), "%s@%s:%s", device.driver, probes->bus, address->text);
	if (name && kri_device_find_sensor(probes->survey->ctx, &device, &driver) >= 0)
		tell_sensor(probes->survey, driver, probes->bus, device.text, address->text);
	else
		kri_survey_tell(probes->survey, KRYOS_FINDING_CHIP, KRYOS_ECHIP, probes->bus, device.driver, "",
		                "%s: no driver of this build speaks to family 0x%.2s", address->text, address->text);
}

int kri_survey_w1(struct kri_survey *survey)
{
	char **buses = kri_survey_buses(survey->ctx, "w1");
	struct probes probes = { .survey = survey };
	int r = 0;

	if (!buses)
		return -ENOMEM;
	for (size_t i = 0; buses[i]; i++) {
		probes.bus = buses[i];
		r = kri_survey_list(survey->ctx, buses[i], take_probe, &probes);
		if (r < 0)
			kri_survey_tell(survey, KRYOS_FINDING_BUS, r, buses[i], "", "", "%s", kryos_strerror(r));
		probes.count += r < 0;
	}
	if (!probes.count)
		kri_survey_tell(survey, KRYOS_FINDING_BUS, -ENODEV, "w1", "", "", "%s",
		                buses[0] ? kri_advice_no_chip("w1") : kri_advice_no_bus("w1"));
	kri_survey_free_buses(buses);
	return 0;
}
