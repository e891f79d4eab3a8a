/* SPDX-License-Identifier: Apache-2.0 */
/* driver@bus:place, the one string that names a device everywhere. */
#include "../config/config.h"
#include "sensor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX "0123456789abcdef"
#define SHAPE "a device is driver@bus:place, as bme280@i2c-1:0x76 or ds18b20@w1:any"

static bool is_of(const char *text, size_t length, const char *allowed)
{
	return strspn(text, allowed) >= length;
}

/* What a message shows of a text that may be long or hold anything. */
static const char *shown(const char *text, char buffer[48])
{
	size_t i;

	for (i = 0; text[i] && i < 40; i++)
		buffer[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
	strcpy(buffer + i, text[i] ? "..." : "");
	return buffer;
}

#define BUS_SIZE 64

static int copy_part(char *ret, size_t size, const char *part, size_t length, const char *what, const char *text)
{
	if (length >= size)
		return kryos_fail(KRYOS_EDEVICE, "%.40s...: its %s has more than %zu characters", text, what, size - 1);
	memcpy(ret, part, length);
	ret[length] = '\0';
	return 0;
}

int kri_device_parse(const char *text, struct kri_device *ret_device)
{
	struct kri_device device = { 0 };
	const char *at, *bus, *colon;
	char show[48];
	int r;

	if (!text || !text[0])
		return kryos_fail(KRYOS_EDEVICE, "no device given; " SHAPE);
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return kryos_fail(KRYOS_EDEVICE,
			                  "\"%s\": holds a blank or a character that is not ASCII; " SHAPE,
			                  shown(text, show));
	at = strchr(text, '@');
	if (!at)
		return kryos_fail(KRYOS_EDEVICE, "\"%s\": has no @; " SHAPE, shown(text, show));
	if (at == text || !is_of(text, (size_t)(at - text), "abcdefghijklmnopqrstuvwxyz0123456789_-"))
		return kryos_fail(KRYOS_EDEVICE,
		                  "\"%s\": a driver's name before the @ is of a-z 0-9 _ -, as in bme280@i2c-1:0x76",
		                  shown(text, show));
	bus = at + 1;
	/* A node is a path, in which a colon means nothing. */
	colon = bus[0] == '/' ? NULL : strchr(bus, ':');
	if (!bus[0] || colon == bus)
		return kryos_fail(KRYOS_EDEVICE, "\"%s\": no bus after the @; " SHAPE, shown(text, show));
	if (colon && !colon[1])
		return kryos_fail(KRYOS_EDEVICE, "\"%s\": no place after the colon; " SHAPE, shown(text, show));
	r = copy_part(device.driver, sizeof(device.driver), text, (size_t)(at - text), "driver's name", text);
	if (r >= 0)
		r = copy_part(device.bus, BUS_SIZE, bus, colon ? (size_t)(colon - bus) : strlen(bus), "bus", text);
	if (r >= 0 && colon)
		r = copy_part(device.place, sizeof(device.place), colon + 1, strlen(colon + 1), "place", text);
	if (r < 0)
		return r;
	/* Fits: the parts do. */
	snprintf(device.text, sizeof(device.text), "%s", text);
	*ret_device = device;
	return 0;
}

static int check_i2c_place(const struct kri_device *device)
{
	const char *digits, *place;
	struct kri_mux_place mux;
	unsigned long address;
	char text[256];

	if (!device->place[0])
		return kryos_fail(KRYOS_EDEVICE, "%s: no address; write %s@%s:0x76, with the chip's own", device->text,
		                  device->driver, device->bus);
	if (kri_mux_parse(device->place, &mux, &place) < 0) {
		snprintf(text, sizeof(text), "%s", kryos_strerror(KRYOS_EDEVICE));
		return kryos_fail(KRYOS_EDEVICE, "%s: %s", device->text, text);
	}
	if (strchr(place, ':'))
		return kryos_fail(KRYOS_EDEVICE, "%s: one multiplexer is allowed between the bus and a chip, not two",
		                  device->text);
	digits = place + 2;
	address = strtoul(place, NULL, 16);
	/* I2C specification UM10204, 3.1.12: 0x00-0x02 and 0x78-0x7f are reserved. */
	if (strncmp(place, "0x", 2) != 0 || !digits[0] || digits[strspn(digits, HEX "ABCDEF")] || address < 0x03 ||
	    address > 0x77)
		return kryos_fail(KRYOS_EDEVICE, "%s: %s is no i2c address; 0x03 to 0x77 are allowed", device->text,
		                  place);
	if (address == mux.address)
		return kryos_fail(KRYOS_EDEVICE, "%s: 0x%02x is the multiplexer, which hides a chip of its address",
		                  device->text, mux.address);
	return 0;
}

static int check_w1_place(const struct kri_device *device)
{
	const char *place = device->place;
	size_t length = strlen(place);

	if (!strcmp(place, "any"))
		return 0;
	if (length < 4 || length > 15 || !is_of(place, 2, HEX) || place[2] != '-' ||
	    strspn(place + 3, HEX) != length - 3)
		return kryos_fail(KRYOS_EDEVICE,
		                  "%s: %s%s is no 1-Wire place; \"any\", or family and serial number as in "
		                  "28-0316a2795bff",
		                  device->text, place[0] ? place : "nothing", place[0] ? "" : " after the bus");
	return 0;
}

/* "i2c" of "i2c-1"; "w1" of "w1". */
static size_t kind_length(const char *bus)
{
	return strcspn(bus, "-.:/");
}

static int fail_kind(const struct kri_device *device, const char *kinds)
{
	char text[128] = "";
	size_t count;

	for (const char *kind = kinds; *kind; kind += count + strspn(kind + count, " ")) {
		const char *example = "";

		count = strcspn(kind, " ");
		if (!strncmp(kind, "i2c", count))
			example = "-0, -1, ...";
		if (!strncmp(kind, "spi", count))
			example = "-0.0, -0.1, ...";
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s%s", *text ? " or " : "", (int)count,
		         kind, example);
	}
	return kryos_fail(KRYOS_EDEVICE, "%s: a %s is on %s, not on %s", device->text, device->driver, text,
	                  device->bus);
}

/* "spi-0.0": bus and chip select, so that there is no place beside. */
static int check_spi_place(const struct kri_device *device)
{
	static const char digits[] = "0123456789";
	const char *bus = device->bus + strlen("spi-"), *dot = bus + strspn(bus, digits);
	size_t bus_length = (size_t)(dot - bus), length = *dot == '.' ? strspn(dot + 1, digits) : 0;

	if (device->place[0])
		return kryos_fail(KRYOS_EDEVICE,
		                  "%s: nothing is allowed after the bus; as in %s@spi-0.0 (bus.chip select)",
		                  device->text, device->driver);
	if (bus_length < 1 || bus_length > 3 || length < 1 || length > 3 || dot[1 + length])
		return kryos_fail(KRYOS_EDEVICE, "%s: %s is no SPI device; bus and chip select are, as in %s@spi-0.0",
		                  device->text, device->bus, device->driver);
	return 0;
}

/* A name of the kernel's may hold nearly anything; what it holds in fact is compared, not opened. */
static int name_kernel_bus(struct kri_device *device)
{
	char name[BUS_SIZE];

	if (strchr(device->bus, '/'))
		return kryos_fail(KRYOS_EDEVICE,
		                  "%s: %s is no name of a kernel's device; its name is allowed, or its parent's, as in "
		                  "iio@bme280 or iio@1-0076",
		                  device->text, device->bus);
	strcpy(name, device->bus);
	snprintf(device->bus, sizeof(device->bus), "sysfs-%s@%s", device->driver, name);
	return 0;
}

int kri_device_check_bus(struct kri_device *device, const char *kind)
{
	if (kind && !strcmp(kind, "sysfs"))
		return name_kernel_bus(device);
	if (kind && kri_list_find(kind, device->bus, kind_length(device->bus)) < 0)
		return fail_kind(device, kind);
	if (!strncmp(device->bus, "spi-", 4))
		return check_spi_place(device);
	if (!strncmp(device->bus, "i2c-", 4))
		return check_i2c_place(device);
	if (!strcmp(device->bus, "w1"))
		return check_w1_place(device);
	if (!strcmp(device->bus, "gpio") && !device->place[0])
		return kryos_fail(KRYOS_EDEVICE, "%s: no line; write %s@gpio:GPIO17 with its name, or gpiochip0/17",
		                  device->text, device->driver);
	return 0;
}

struct search {
	const char *name;
	const struct kryos_sensor_driver *found;
	char names[512];
	size_t length;
};

static int look_at(void *data, const void *driver, void *userdata)
{
	const struct kryos_sensor_driver *candidate = driver;
	struct search *search = data;

	(void)userdata;
	if (!strcmp(candidate->name, search->name)) {
		search->found = candidate;
		return 1;
	}
	if (search->length < sizeof(search->names))
		search->length +=
			(size_t)snprintf(search->names + search->length, sizeof(search->names) - search->length, "%s%s",
		                         search->length ? ", " : "", candidate->name);
	return 0;
}

int kri_device_find_sensor(struct kryos_ctx *ctx, const struct kri_device *device,
                           const struct kryos_sensor_driver **ret_driver)
{
	struct search search = { .name = device->driver };

	kri_registry_each(ctx, KRI_SENSOR, look_at, &search);
	if (!search.found)
		return kryos_fail(KRYOS_EDEVICE, "%s: no sensor driver \"%s\"; there is %s", device->text,
		                  device->driver, search.length ? search.names : "none in this build");
	*ret_driver = search.found;
	return 0;
}
