/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device of the kernel: the files that drivers of its class give (Linux Documentation/ABI/testing/sysfs-bus-iio and
 * sysfs-class-power, hwmon/sysfs-interface.rst, driver-api/thermal/sysfs-api.rst), with what is measured in them. The
 * one of iio has the temperature as a TMP117's driver gives it, raw with a scale of 7.8125, and an offset besides.
 */
#include "model.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILES 32

struct kernel_model {
	struct kryos_model model;
	size_t count;
	struct {
		char name[48], text[80];
	} files[MAX_FILES];
	int polls; /* so often what is measured is not there yet; -1: always */
};

static void take_away(struct kernel_model *kernel, const char *name)
{
	for (size_t i = 0; i < kernel->count; i++)
		if (strcmp(kernel->files[i].name, name) == 0)
			memmove(&kernel->files[i], &kernel->files[i + 1],
			        (--kernel->count - i) * sizeof(kernel->files[0]));
}

/* Kept in the order in which the bus lists them. */
static int put(struct kernel_model *kernel, const char *name, const char *text)
{
	size_t place = 0;

	take_away(kernel, name);
	if (kernel->count == MAX_FILES || strlen(name) >= sizeof(kernel->files[0].name) ||
	    strlen(text) >= sizeof(kernel->files[0].text))
		return -ENOSPC;
	while (place < kernel->count && strverscmp(kernel->files[place].name, name) < 0)
		place++;
	memmove(&kernel->files[place + 1], &kernel->files[place], (kernel->count++ - place) * sizeof(kernel->files[0]));
	strcpy(kernel->files[place].name, name);
	strcpy(kernel->files[place].text, text);
	return 0;
}

static const struct form {
	const char *class, *quantity, *file;
	enum { WHOLE, KILO, RAW, SWITCH, STATUS } kind;
	double micro; /* of WHOLE: what one is */
} forms[] = {
	{ "iio", "temperature", "in_temp_raw", RAW, 0 },
	{ "iio", "humidity", "in_humidityrelative_input", WHOLE, 1000 },
	{ "iio", "pressure", "in_pressure_input", KILO, 0 },
	{ "iio", "voltage0", "in_voltage0_input", WHOLE, 1000 },
	{ "hwmon", "temperature", "temp1_input", WHOLE, 1000 },
	{ "hwmon", "temp2", "temp2_input", WHOLE, 1000 },
	{ "hwmon", "humidity", "humidity1_input", WHOLE, 1000 },
	{ "hwmon", "voltage", "in0_input", WHOLE, 1000 },
	{ "hwmon", "current", "curr1_input", WHOLE, 1000 },
	{ "hwmon", "power", "power1_input", WHOLE, 1 },
	{ "thermal", "temperature", "temp", WHOLE, 1000 },
	{ "power_supply", "capacity", "capacity", WHOLE, 1000000 },
	{ "power_supply", "voltage", "voltage_now", WHOLE, 1 },
	{ "power_supply", "current", "current_now", WHOLE, 1 },
	{ "power_supply", "power", "power_now", WHOLE, 1 },
	{ "power_supply", "temperature", "temp", WHOLE, 100000 },
	{ "power_supply", "online", "online", SWITCH, 0 },
	{ "power_supply", "status", "status", STATUS, 0 },
};
#define RAW_MICRO 7812.5
#define RAW_OFFSET (-512)

static bool is_of(const struct kernel_model *kernel, const char *class)
{
	const char *name = kri_fake_bus_name(kernel->model.bus) + strlen("sysfs-");

	return strncmp(name, class, strlen(class)) == 0 && name[strlen(class)] == '@';
}

static void form_text(const struct form *form, int64_t micro, char text[80])
{
	switch (form->kind) {
	case WHOLE:
		snprintf(text, 80, "%.0f", round((double)micro / form->micro));
		return;
	case KILO: /* thousandths of a Pa, in kPa */
		snprintf(text, 80, "%" PRId64 ".%06" PRId64 "000", micro / 1000000000, micro / 1000 % 1000000);
		return;
	case RAW:
		snprintf(text, 80, "%.0f", round((double)micro / RAW_MICRO) - RAW_OFFSET);
		return;
	case SWITCH:
		strcpy(text, micro >= 500000 ? "1" : "0");
		return;
	case STATUS:
		strcpy(text, micro >= 500000 ? "Discharging" : "Charging");
		return;
	}
}

static int kernel_set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	struct kernel_model *kernel = (struct kernel_model *)model;
	char text[80];

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (is_of(kernel, forms[i].class) && strcmp(forms[i].quantity, quantity) == 0) {
			form_text(&forms[i], value_micro, text);
			return put(kernel, forms[i].file, text);
		}
	return -ENOENT;
}

/* What the kernel gives does not change with the chip's power. */
static void kernel_power_on(struct kryos_model *model)
{
	static const char *const others[][3] = {
		{ "iio", "name", "gauge" },
		{ "iio", "in_temp_offset", "-512" },
		{ "iio", "in_temp_scale", "7.812500" },
		{ "hwmon", "name", "gauge" },
		{ "hwmon", "temp1_fault", "0" },
		{ "thermal", "type", "gauge" },
		{ "power_supply", "type", "Battery" },
		{ "power_supply", "present", "1" },
	};
	struct kernel_model *kernel = (struct kernel_model *)model;
	int r = 0;

	if (kernel->count)
		return;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (is_of(kernel, others[i][0]))
			r |= put(kernel, others[i][1], others[i][2]);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (is_of(kernel, forms[i].class))
			r |= kernel_set(model, forms[i].quantity, 0);
	if (r < 0)
		abort(); /* MAX_FILES is too small */
}

static bool is_measured(const struct kernel_model *kernel, const char *file)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (is_of(kernel, forms[i].class) && strcmp(forms[i].file, file) == 0)
			return true;
	return false;
}

static int kernel_read_text(struct kryos_model *model, const char *file, char *text, size_t size)
{
	struct kernel_model *kernel = (struct kernel_model *)model;

	for (size_t i = 0; i < kernel->count; i++) {
		if (strcmp(kernel->files[i].name, file) != 0)
			continue;
		if (is_measured(kernel, file) && kernel->polls) {
			kernel->polls -= kernel->polls > 0;
			return kryos_fail(-EAGAIN, "%s: not yet", file);
		}
		return snprintf(text, size, "%s", kernel->files[i].text);
	}
	return kryos_fail(-ENOENT, "has no %s", file);
}

static void kernel_list(struct kryos_model *model, kryos_found_fn found, void *userdata)
{
	const struct kernel_model *kernel = (const struct kernel_model *)model;
	struct kryos_address file = { .number = 0 };

	for (size_t i = 0; i < kernel->count; i++) {
		strcpy(file.text, kernel->files[i].name);
		found(userdata, &file);
	}
}

static void kernel_set_busy(struct kryos_model *model, int polls)
{
	((struct kernel_model *)model)->polls = polls;
}

static int no_register(struct kryos_model *model, unsigned int reg)
{
	(void)model;
	(void)reg;
	return -ERANGE;
}

static int no_register_to_set(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	(void)value;
	return no_register(model, reg);
}

static const struct kri_model_ops ops = {
	.wire = KRI_WIRE_SYSFS,
	.power_on = kernel_power_on,
	.set = kernel_set,
	.peek = no_register,
	.poke = no_register_to_set,
	.read_text = kernel_read_text,
	.list = kernel_list,
	.set_busy = kernel_set_busy,
};

int kryos_fake_bus_add_kernel(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	return kri_model_add(bus, place, &ops, sizeof(struct kernel_model), ret_model);
}

int kryos_model_set_file(struct kryos_model *model, const char *file, const char *text)
{
	int r = 0;

	if (model->ops != &ops)
		return kryos_fail(-EINVAL, "%s: a chip has no files", file);
	kri_fake_bus_lock(model, false);
	if (text)
		r = put((struct kernel_model *)model, file, text);
	else
		take_away((struct kernel_model *)model, file);
	kri_fake_bus_unlock(model);
	return r;
}
