/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bus {
	struct bus *next;
	struct kryos_fake_bus *fake;
	char name[64];
};

/* What a model measures: the trace; the room that the refrigerator stands in; its door and supply; nothing that moves.
 */
enum role { PRODUCT, ROOM, CLOCK, MAINS, DOOR, STILL };

static const struct kind {
	const char *name;
	enum role role;
	int (*add)(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
} kinds[] = {
	{ "bme280", ROOM, kryos_fake_bus_add_bme280 },      { "bmp280", ROOM, kryos_fake_bus_add_bmp280 },
	{ "ds18b20", PRODUCT, kryos_fake_bus_add_ds18b20 }, { "sht3x", PRODUCT, kryos_fake_bus_add_sht3x },
	{ "sht4x", PRODUCT, kryos_fake_bus_add_sht4x },     { "sts3x", PRODUCT, kryos_fake_bus_add_sts3x },
	{ "tmp117", PRODUCT, kryos_fake_bus_add_tmp117 },   { "mcp9808", PRODUCT, kryos_fake_bus_add_mcp9808 },
	{ "adt7420", PRODUCT, kryos_fake_bus_add_adt7420 }, { "ds3231", CLOCK, kryos_fake_bus_add_ds3231 },
	{ "door", DOOR, kryos_fake_bus_add_line },          { "mains", MAINS, kryos_fake_bus_add_line },
	{ "lamp", STILL, kryos_fake_bus_add_line },         { "buzzer", STILL, kryos_fake_bus_add_line },
	{ "switch", STILL, kryos_fake_bus_add_line },       { "button", STILL, kryos_fake_bus_add_line },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct chip {
	struct chip *next;
	struct kryos_model *model;
	const struct kind *kind;
	int state; /* of a line; -1: not set yet */
	char device[96];
};

struct chips {
	struct kryos_fake_clock *clock;
	struct bus *buses;
	struct chip *chips;
};

int chips_new(struct chips **ret_chips, struct kryos_fake_clock *clock)
{
	struct chips *chips = calloc(1, sizeof(*chips));

	if (!chips)
		return -ENOMEM;
	chips->clock = clock;
	*ret_chips = chips;
	return 0;
}

void chips_free(struct chips *chips)
{
	if (!chips)
		return;
	while (chips->chips) {
		struct chip *chip = chips->chips;

		chips->chips = chip->next;
		free(chip);
	}
	while (chips->buses) {
		struct bus *bus = chips->buses;

		chips->buses = bus->next;
		kryos_fake_bus_free(bus->fake);
		free(bus);
	}
	free(chips);
}

static int get_bus(struct chips *chips, struct kryos_ctx *ctx, const char *name, struct kryos_fake_bus **ret_bus)
{
	struct bus *bus = chips->buses;
	int r;

	while (bus && strcmp(bus->name, name) != 0)
		bus = bus->next;
	if (!bus) {
		bus = calloc(1, sizeof(*bus));
		if (!bus)
			return -ENOMEM;
		strcpy(bus->name, name);
		r = kryos_fake_bus_new(&bus->fake, name);
		if (r >= 0)
			r = kryos_fake_bus_attach(bus->fake, ctx);
		if (r < 0) {
			kryos_fake_bus_free(bus->fake);
			free(bus);
			return r;
		}
		bus->next = chips->buses;
		chips->buses = bus;
	}
	*ret_bus = bus->fake;
	return 0;
}

static int64_t trace_now_ns(void *userdata)
{
	return kryos_fake_clock_wall_ns(userdata);
}

/* A battery-backed clock that has never stopped: its oscillator-stop flag, bit 7 of 0x0f, is clear. */
static int start_rtc(struct chips *chips, struct kryos_model *model)
{
	kryos_model_set_clock(model, trace_now_ns, chips->clock);
	return kryos_model_poke(model, 0x0f, 0);
}

/* "0x70.3:0x76" is behind a multiplexer, which several chips may share. */
static int add_mux(struct kryos_fake_bus *bus, const char *place)
{
	char mux[8];
	int r;

	if (!strchr(place, ':'))
		return 0;
	snprintf(mux, sizeof(mux), "%.*s", (int)strcspn(place, "."), place);
	r = kryos_fake_bus_add_mux(bus, mux, NULL);
	return r == -EEXIST ? 0 : r;
}

/* What is there has a number; "any" is only a way to ask for it. */
static int add_model(struct chips *chips, struct kryos_fake_bus *bus, const struct kind *kind, const char *place,
                     struct kryos_model **ret_model)
{
	int r = kind->add(bus, strcmp(place, "any") == 0 ? "28-000000000001" : place, ret_model);

	return r >= 0 && kind->role == CLOCK ? start_rtc(chips, *ret_model) : r;
}

static int no_model(const char *name, const char *device)
{
	char names[512] = "";

	for (size_t i = 0; i < KINDS; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
		         i == 0           ? ""
		         : i == KINDS - 1 ? " and "
		                          : ", ",
		         kinds[i].name);
	return kryos_fail(-EOPNOTSUPP, "simulate: %s%s: there is no chip model for it; %s have one",
	                  *name ? name : "clock ", *name ? "" : device, names);
}

int chips_add(struct chips *chips, struct kryos_ctx *ctx, const char *name, const char *device)
{
	const char *at = strchr(device, '@'), *colon = at ? strchr(at, ':') : NULL;
	struct kryos_fake_bus *bus = NULL;
	char bus_name[64];
	struct chip *chip;
	size_t kind;
	int r;

	for (chip = chips->chips; chip; chip = chip->next) {
		if (strcmp(chip->device, device) == 0)
			return 0;
	}
	for (kind = 0; at && kind < KINDS; kind++) {
		if (strlen(kinds[kind].name) == (size_t)(at - device) &&
		    memcmp(kinds[kind].name, device, (size_t)(at - device)) == 0)
			break;
	}
	if (!colon || kind == KINDS || colon - at > (ptrdiff_t)sizeof(bus_name) ||
	    strlen(device) >= sizeof(chip->device))
		return no_model(name, device);
	snprintf(bus_name, sizeof(bus_name), "%.*s", (int)(colon - at - 1), at + 1);
	chip = calloc(1, sizeof(*chip));
	if (!chip)
		return -ENOMEM;
	chip->kind = &kinds[kind];
	chip->state = -1;
	strcpy(chip->device, device);
	r = get_bus(chips, ctx, bus_name, &bus);
	if (r >= 0)
		r = add_mux(bus, colon + 1);
	if (r >= 0)
		r = add_model(chips, bus, chip->kind, colon + 1, &chip->model);
	if (r < 0) {
		free(chip);
		return r;
	}
	chip->next = chips->chips;
	chips->chips = chip;
	return 0;
}

/* The room the refrigerator stands in: warmest at 15:00 UTC; its pressure has the half-daily tide of the tropics. */
static int set_room(struct kryos_model *model, int64_t t_wall_ns)
{
	double day = 2 * M_PI * (double)(t_wall_ns / 1000000000 % 86400) / 86400;
	int r = kryos_model_set(model, "temperature",
	                        24000000 + (int64_t)lrint(2000000 * cos(day - 2 * M_PI * 15 / 24)));

	if (r >= 0)
		r = kryos_model_set(model, "humidity",
		                    55000000 - (int64_t)lrint(8000000 * cos(day - 2 * M_PI * 15 / 24)));
	if (r == -ENOENT) /* a BMP280 has none */
		r = 0;
	if (r >= 0)
		r = kryos_model_set(model, "pressure",
		                    INT64_C(101000000000) + (int64_t)llrint(150e6 * cos(2 * day - 2 * M_PI * 10 / 12)));
	return r;
}

/* At first as it has always been; then each change is an edge, at the row's time, which a kernel has debounced. */
static int set_line(struct chips *chips, struct chip *chip, int state)
{
	int level, r = 0;

	if (chip->state < 0) {
		kryos_model_set_settles(chip->model, 1);
		r = kryos_model_set(chip->model, "state", state * 1000000);
	} else if (chip->state != state) {
		level = kryos_model_get_level(chip->model);
		if (level < 0)
			return level;
		kryos_model_drive(chip->model, !level, kryos_fake_clock_boot_ns(chips->clock));
	}
	chip->state = state;
	return r;
}

int chips_set(struct chips *chips, const struct kri_trace_row *row)
{
	int r = 0;

	for (struct chip *chip = chips->chips; chip && r >= 0; chip = chip->next) {
		if (chip->kind->role == PRODUCT)
			r = kryos_model_set(chip->model, "temperature", row->celsius_micro);
		else if (chip->kind->role == ROOM)
			r = set_room(chip->model, row->t_wall_ns);
		else if (chip->kind->role == MAINS)
			r = set_line(chips, chip, row->mains);
		else if (chip->kind->role == DOOR)
			r = set_line(chips, chip, row->open);
	}
	return r < 0 ? kryos_fail(r, "simulate: a chip model can't be at %lld micro-Celsius",
	                          (long long)row->celsius_micro)
	             : 0;
}
