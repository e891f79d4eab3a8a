/* SPDX-License-Identifier: Apache-2.0 */
/* The lamps and buzzers of a station: opened and closed with its file, switched by what they show, tried by a command.
 */
#include "../json/json.h"
#include "shown.h"
#include <stdlib.h>
#include <string.h>

#define LOOK_NS KRYOS_SECONDS(5)
#define TRIAL_NS KRYOS_SECONDS(10)
#define TEST_NS KRYOS_SECONDS(5)

struct kri_station_output {
	struct kri_station_output *next;
	struct kryos_station *station;
	char name[32];
	struct kryos_output *output;
	enum { NOTHING, PROBLEMS, ALARMS, ALARM_SOUND } shows;
	int signal; /* enum kri_signal that it shows; -1: none yet */
	bool tried;
	struct kri_timer timer; /* ends a trial, else looks at what is shown */
};

static const char shows_words[] = "problems alarms alarm-sound";

static void count_problem(void *data, const char *text)
{
	(void)text;
	++*(unsigned int *)data;
}

/* A rhythm goes on as long as its signal does. */
static void show_signal(struct kri_station_output *output)
{
	enum kri_signal signal = kri_station_signal(output->station);

	if ((int)signal == output->signal)
		return;
	output->signal = (int)signal;
	/* Fails only in a child after fork, where it is not ours. */
	(void)!kri_output_show(output->output, signal, output->shows == ALARM_SOUND);
}

static void show(struct kri_station_output *output)
{
	struct kryos_ctx *ctx = output->station->ctx;
	unsigned int problems = 0;

	if (output->shows == ALARMS || output->shows == ALARM_SOUND) {
		show_signal(output);
	} else {
		if (output->shows == PROBLEMS)
			kri_station_each_problem(output->station, count_problem, &problems);
		(void)!kryos_output_set(output->output, problems > 0);
	}
	output->tried = false;
	if (output->shows != NOTHING)
		kri_timer_set(ctx, &output->timer, kri_boot_ns(ctx) + LOOK_NS);
}

static void try_for(struct kri_station_output *output, int64_t ns)
{
	struct kryos_ctx *ctx = output->station->ctx;

	output->tried = true;
	output->signal = -1;
	kri_timer_set(ctx, &output->timer, kri_boot_ns(ctx) + ns);
}

void kri_station_look_outputs(struct kryos_station *station)
{
	for (struct kri_station_output *output = station->outputs; output; output = output->next)
		if (!output->tried && output->shows != NOTHING)
			show(output);
}

static void on_timer(struct kri_timer *timer)
{
	show(KRI_CONTAINER_OF(timer, struct kri_station_output, timer));
}

int kri_station_open_output(struct kryos_station *station, const struct kri_section *section)
{
	struct kri_station_output *output = calloc(1, sizeof(*output)), **tail = &station->outputs;
	bool active_low = strcmp(kri_station_text(section, KRI_OUTPUT_ACTIVE), "low") == 0;
	const char *shows = kri_station_text(section, KRI_OUTPUT_SHOWS);
	int r;

	if (!output)
		return -ENOMEM;
	output->station = station;
	snprintf(output->name, sizeof(output->name), "%.31s", section->label);
	/* Its place among the words is its number less one; none is -1. */
	output->shows = (unsigned int)(1 + (shows ? kri_list_find(shows_words, shows, strlen(shows)) : -1));
	output->signal = -1;
	output->timer.fire = on_timer;
	r = kri_output_new_lazy(&output->output, station->ctx, output->name, section->entries[KRI_OUTPUT_ADDRESS].text,
	                        KRYOS_LINE_CONFIG(.active_low = active_low));
	if (r < 0) {
		free(output);
		return r;
	}
	while (*tail)
		tail = &(*tail)->next;
	*tail = output;
	/* The first look is the loop's first turn: not all parts are open yet. */
	if (output->shows != NOTHING)
		kri_timer_set(station->ctx, &output->timer, kri_boot_ns(station->ctx));
	return 0;
}

void kri_station_close_output(struct kryos_station *station, const char *name)
{
	struct kri_station_output **at = &station->outputs, *output;

	while (*at && name && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	output = *at;
	if (!output)
		return;
	*at = output->next;
	kri_timer_cancel(station->ctx, &output->timer);
	kryos_output_close(output->output);
	free(output);
}

static int no_output(struct kryos_station *station, const char *name)
{
	char names[400] = "";

	for (struct kri_station_output *output = station->outputs; output; output = output->next) {
		size_t length = strlen(names);

		snprintf(names + length, sizeof(names) - length, "%s%s", length ? ", " : "", output->name);
	}
	return kryos_fail(-ENOENT, "there is no output \"%s\"; there is %s", name, *names ? names : "none");
}

int kri_station_try_output(struct kryos_station *station, const char *name, const char *state)
{
	struct kryos_output_status status = { .size = sizeof(status) };
	struct kri_station_output *output = station->outputs;
	int r;

	while (output && strcmp(output->name, name) != 0)
		output = output->next;
	if (!output)
		return no_output(station, name);
	r = kryos_output_get_status(output->output, &status);
	if (r >= 0 && status.error < 0)
		r = kryos_fail(status.error, "%s", status.text);
	if (r < 0)
		return r;
	if (strcmp(state, "blink") == 0)
		r = kryos_output_play(output->output, KRYOS_PATTERN(.on_ns = KRYOS_MILLISECONDS(200),
		                                                    .off_ns = KRYOS_MILLISECONDS(300)));
	else
		r = kryos_output_set(output->output, strcmp(state, "on") == 0);
	if (r < 0)
		return r;
	try_for(output, TRIAL_NS);
	return 0;
}

void kri_station_test_outputs(struct kryos_station *station, struct kri_json *driven, struct kri_json *lost)
{
	for (struct kri_station_output *output = station->outputs; output; output = output->next) {
		struct kryos_output_status status = { .size = sizeof(status) };
		bool is_lost = kryos_output_get_status(output->output, &status) < 0 || status.error < 0 ||
		               kri_output_show(output->output, KRI_SIGNAL_TEST, output->shows == ALARM_SOUND) < 0;

		kri_json_add_string(is_lost ? lost : driven, NULL, output->name);
		if (!is_lost)
			try_for(output, TEST_NS);
	}
}

struct kri_json *kri_station_outputs(struct kryos_station *station)
{
	struct kri_json *list = kri_json_array();

	for (struct kri_station_output *output = station->outputs; output; output = output->next) {
		const struct kri_section *section = kri_station_find(station->file, KRI_SECTION_OUTPUT, output->name);
		struct kryos_output_status status = { .size = sizeof(status) };
		struct kri_json *json = kri_json_object();

		kri_json_add_string(json, "name", output->name);
		kri_json_add_string(json, "address", section ? section->entries[KRI_OUTPUT_ADDRESS].text : NULL);
		if (kryos_output_get_status(output->output, &status) >= 0) {
			kri_json_add_bool(json, "on", status.on);
			kri_json_add_bool(json, "tried", output->tried);
			kri_json_add_string(json, "error", status.error < 0 ? status.text : NULL);
		}
		kri_json_add(list, NULL, json);
	}
	return list;
}

void kri_station_each_lost_output(struct kryos_station *station, kri_problem_fn problem, void *data)
{
	for (struct kri_station_output *output = station->outputs; output; output = output->next) {
		struct kryos_output_status status = { .size = sizeof(status) };
		char text[320];

		if (kryos_output_get_status(output->output, &status) < 0 || status.error >= 0)
			continue;
		snprintf(text, sizeof(text), "output %s: %s", output->name, status.text);
		problem(data, text);
	}
}
