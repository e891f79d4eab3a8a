/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/sensors.md, from the tables of the built-in sensor drivers, all of them: 77 where one is left out of this
 * build.
 */
#include "core/core.h"
#include "doc_file.h"
#include <kryos/sample.h>
#include <kryos/sys/sensor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char intro[] =
	"<!-- Generated from the drivers' tables by tests/rules/sensors_doc.c: cmake --build build --target renew_docs "
	"-->\n"
	"# Sensors\n"
	"\n"
	"Every built-in sensor driver, as its own table has it. A vaccine logger must be within 0.5 C (WHO TRS 961, "
	"CDC);\n"
	"*suits* says what a chip's data sheet allows. Accuracy is the data sheet's, of the chip alone: its place, "
	"its\n"
	"wires and its own heat come on top. Time is from the start of a measurement to its result, at most, with the\n"
	"default options.\n"
	"\n"
	"A device is named `driver@bus:place`, as in `bme280@i2c-1:0x76`. Options are keys of a `[sensor]` section of "
	"the\n"
	"station file, or words of `kryos_sensor_config.options`. A driver for another chip is one file:\n"
	"[howto/add-a-sensor.md](howto/add-a-sensor.md).\n"
	"\n";

/* SenML's unit as people write it. */
static const char *unit_text(const char *unit)
{
	return strcmp(unit, "Cel") == 0 ? "C" : unit;
}

/* "i2c spi" as "I2C, SPI". */
static void print_buses(FILE *out, const char *buses)
{
	static const struct {
		const char *kind, *name;
	} names[] = { { "i2c", "I2C" }, { "spi", "SPI" }, { "w1", "1-Wire" }, { "gpio", "GPIO" } };
	const char *between = "";

	while (*buses) {
		size_t count = strcspn(buses, " ");
		const char *name = NULL;

		for (size_t i = 0; i < KRI_ARRAY_SIZE(names); i++)
			if (strlen(names[i].kind) == count && strncmp(names[i].kind, buses, count) == 0)
				name = names[i].name;
		if (name)
			fprintf(out, "%s%s", between, name);
		else
			fprintf(out, "%s%.*s", between, (int)count, buses);
		between = ", ";
		buses += count + strspn(buses + count, " ");
	}
}

/* The words of a list, each as code. */
static void print_words(FILE *out, const char *words)
{
	while (*words) {
		size_t count = strcspn(words, " ");

		fprintf(out, "`%.*s`", (int)count, words);
		words += count + strspn(words + count, " ");
		if (*words)
			fputs(", ", out);
	}
}

static void print_word(FILE *out, const char *words, int64_t place)
{
	for (; place > 0; place--)
		words += strcspn(words, " ") + 1;
	fprintf(out, "`%.*s`", (int)strcspn(words, " "), words);
}

static void print_time(FILE *out, int64_t ns)
{
	char text[KRYOS_TEXT_MAX];

	if (ns)
		fprintf(out, "%s ms", kryos_value_text((ns + 999) / 1000 * 1000, text));
	else
		fputs("none", out);
}

/* What it has: its table, or what its default options make of it. 0: that depends on what is there. */
static size_t channels_of(const struct kryos_sensor_driver *driver, struct kryos_description *room,
                          const struct kryos_channel_info **ret_channels)
{
	int64_t values[KRYOS_SENSOR_MAX_OPTIONS] = { 0 };

	*ret_channels = driver->channels;
	if (driver->channels || !driver->describe)
		return driver->channel_count;
	for (size_t i = 0; i < driver->option_count; i++)
		values[i] = driver->options[i].value;
	*ret_channels = room->channels;
	return driver->describe("", values, room) < 0 ? 0 : room->channel_count;
}

static void print_overview(FILE *out, const struct kryos_sensor_driver *const *drivers, size_t count)
{
	fputs("| driver | chip | measures | bus | time | suits |\n|---|---|---|---|---|---|\n", out);
	for (size_t d = 0; d < count; d++) {
		const struct kryos_sensor_driver *driver = drivers[d];
		struct kryos_description room = { .channel_count = 0 };
		const struct kryos_channel_info *channels;
		size_t has = channels_of(driver, &room, &channels);

		fprintf(out, "| [%s](#%s) | %s | ", driver->name, driver->name, driver->title);
		for (size_t i = 0; i < has; i++)
			fprintf(out, "%s%s", i ? ", " : "", channels[i].quantity);
		if (!has)
			fputs("what is there", out);
		fputs(" | ", out);
		print_buses(out, driver->bus);
		fputs(" | ", out);
		print_time(out, driver->conversion_ns);
		fprintf(out, " | %s |\n", driver->suits ? driver->suits : "");
	}
}

static void print_channel(FILE *out, const struct kryos_channel_info *channel)
{
	char low[KRYOS_TEXT_MAX], high[KRYOS_TEXT_MAX], step[KRYOS_TEXT_MAX];
	const char *unit = unit_text(channel->unit);

	if (channel->states[0]) {
		fprintf(out, "| %s | 0 %s, 1 %s | | |\n", channel->quantity, channel->states[0], channel->states[1]);
		return;
	}
	fprintf(out, "| %s | %s to %s %s | ", channel->quantity, kryos_value_text(channel->min_micro, low),
	        kryos_value_text(channel->max_micro, high), unit);
	if (channel->resolution_micro)
		fprintf(out, "%s %s", kryos_value_text(channel->resolution_micro, step), unit);
	fprintf(out, " | %s |\n", channel->accuracy ? channel->accuracy : "");
}

static void print_option(FILE *out, const struct kryos_option_info *option)
{
	char text[KRYOS_TEXT_MAX], low[KRYOS_TEXT_MAX], high[KRYOS_TEXT_MAX];
	const char *unit = option->unit ? option->unit : "";

	fprintf(out, "| `%s` | ", option->name);
	if (option->choices) {
		print_words(out, option->choices);
		fputs(" | ", out);
		print_word(out, option->choices, option->value);
	} else {
		fprintf(out, "%s to %s%s%s | %s%s%s", kryos_value_text(option->min_micro, low),
		        kryos_value_text(option->max_micro, high), *unit ? " " : "", unit_text(unit),
		        kryos_value_text(option->value, text), *unit ? " " : "", unit_text(unit));
	}
	fprintf(out, " | %s |\n", option->doc);
}

static void print_driver(FILE *out, const struct kryos_sensor_driver *driver)
{
	struct kryos_description room = { .channel_count = 0 };
	const struct kryos_channel_info *channels;
	size_t has = channels_of(driver, &room, &channels);

	fprintf(out, "\n## %s\n%s on ", driver->name, driver->title);
	print_buses(out, driver->bus);
	if (driver->addresses) {
		fputs(", at ", out);
		print_words(out, driver->addresses);
	}
	if (driver->datasheet)
		fprintf(out, "; data sheet %s", driver->datasheet);
	fputs(".\n", out);
	if (has)
		fputs("\n| channel | range | resolution | accuracy |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < has; i++)
		print_channel(out, &channels[i]);
	if (driver->option_count)
		fputs("\n| option | allowed | default | says |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < driver->option_count; i++)
		print_option(out, &driver->options[i]);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct kryos_sensor_driver *const *)a)->name,
	              (*(const struct kryos_sensor_driver *const *)b)->name);
}

static void render(FILE *out)
{
	const struct kryos_sensor_driver *drivers[256];
	const void *const *driver = kri_builtin_drivers[KRI_SENSOR];
	size_t count = 0;

	while (driver[count] && count < KRI_ARRAY_SIZE(drivers)) {
		drivers[count] = driver[count];
		count++;
	}
	qsort(drivers, count, sizeof(drivers[0]), by_name);
	fputs(intro, out);
	print_overview(out, drivers, count);
	for (size_t i = 0; i < count; i++)
		print_driver(out, drivers[i]);
}

int main(int argc, char **argv)
{
	if (*KRYOS_SENSORS_OFF) {
		puts("skipped: sensor drivers are left out of this build: " KRYOS_SENSORS_OFF);
		return 77;
	}
	return doc_file(argc, argv, render);
}
