/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buttons of a station. Each is a sensor of two states that no sampler has: its changes come from its edges, and it
 * is measured now and then only to have its line, and to have it again when its chip was away. None of it is stored but
 * a loss and a return.
 *
 * A press that ends within three seconds acknowledges all that is shown. One that lasts tests the alarms, while the
 * button is still held, so that whoever presses knows when to let go.
 */
#include "../sensor/sensor.h"
#include "shown.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLD_NS KRYOS_SECONDS(3)
#define LOOK_NS KRYOS_SECONDS(10)
#define LIMIT_NS KRYOS_SECONDS(5)

struct kri_station_button {
	struct kri_station_button *next;
	struct kryos_station *station;
	char name[32], who[32];
	struct kryos_sensor *sensor;
	struct kri_batch *batch;     /* a measurement under way */
	int64_t began_ns;            /* real: simulated time jumps while it runs */
	struct kri_timer look, hold; /* the next measurement; the end of what is a short press */
	bool pressed;
	int error;
	char text[256];
};

static void note_error(struct kri_station_button *button, int error, const char *text)
{
	button->error = error < 0 ? error : 0;
	snprintf(button->text, sizeof(button->text), "%s", error < 0 ? text : "");
}

static void measured(void *data, const struct kri_measured *results, size_t count)
{
	struct kri_station_button *button = data;

	button->batch = NULL;
	if (count)
		note_error(button, results[0].code, results[0].text);
}

static void on_look(struct kri_timer *timer)
{
	struct kri_station_button *button = KRI_CONTAINER_OF(timer, struct kri_station_button, look);
	struct kryos_ctx *ctx = button->station->ctx;
	char text[160];
	int r = 0;

	if (!button->batch) {
		button->began_ns = kri_real_ns();
		r = kri_batch_start(&button->batch, &button->sensor, 1, 0, LIMIT_NS, measured, button);
	} else if (kri_real_ns() - button->began_ns >= LIMIT_NS) {
		snprintf(text, sizeof(text), "%s: its bus hangs", kryos_dev_name(button->sensor->dev));
		note_error(button, -ETIMEDOUT, text);
	}
	if (r < 0)
		note_error(button, r, kryos_strerror(r));
	kri_timer_set(ctx, timer, kri_boot_ns(ctx) + LOOK_NS);
}

static void test(struct kri_station_button *button)
{
	int r = kri_station_test_alarms(button->station, button->who, NULL);

	button->pressed = false;
	if (r < 0)
		kri_log(button->station->ctx, KRYOS_LOG_WARNING, "station", r, "%s: the test is not recorded: %s",
		        button->who, kryos_strerror(r));
}

static void on_hold(struct kri_timer *timer)
{
	test(KRI_CONTAINER_OF(timer, struct kri_station_button, hold));
}

static void on_release(struct kri_station_button *button, int64_t lasted_ns)
{
	if (!button->pressed)
		return; /* the test was made, or the press began before anybody looked */
	kri_timer_cancel(button->station->ctx, &button->hold);
	if (lasted_ns >= HOLD_NS) {
		test(button); /* the loop stood still meanwhile */
		return;
	}
	button->pressed = false;
	kri_station_acknowledge_shown(button->station, button->who, "pressed");
}

/* The sensor's edges, and its losses and returns. */
static void announced(void *data, const struct kryos_event *event)
{
	struct kri_station_button *button = data;
	int r;

	if (event->type == KRYOS_EVENT_STATE && event->code) {
		button->pressed = true;
		kri_timer_set(button->station->ctx, &button->hold, event->sample.t_boot_ns + HOLD_NS);
	} else if (event->type == KRYOS_EVENT_STATE) {
		on_release(button, event->value_ns);
	} else {
		r = kryos_store_add_event(button->station->store, event);
		if (r < 0)
			kri_log(button->station->ctx, KRYOS_LOG_WARNING, "station", r, "%s: %s is not stored: %s",
			        button->who, kryos_event_type_name(event->type), kryos_strerror(r));
	}
}

int kri_station_open_button(struct kryos_station *station, const struct kri_section *section)
{
	struct kri_station_button *button = calloc(1, sizeof(*button)), **tail = &station->buttons;
	struct kryos_line_config line;
	int r;

	if (!button)
		return -ENOMEM;
	button->station = station;
	snprintf(button->name, sizeof(button->name), "%.24s", section->label);
	snprintf(button->who, sizeof(button->who), "button %.24s", section->label);
	button->look.fire = on_look;
	button->hold.fire = on_hold;
	kri_station_line_config(section, &line);
	r = kri_sensor_new_lazy(&button->sensor, station->ctx, button->name, section->entries[KRI_BUTTON_ADDRESS].text,
	                        KRYOS_SENSOR_CONFIG(.line = &line));
	if (r < 0) {
		free(button);
		return r;
	}
	r = kri_edges_new(button->sensor);
	if (r < 0) {
		kryos_sensor_close(button->sensor);
		free(button);
		return r;
	}
	button->sensor->announced = announced;
	button->sensor->announced_data = button;
	while (*tail)
		tail = &(*tail)->next;
	*tail = button;
	on_look(&button->look);
	return 0;
}

void kri_station_close_button(struct kryos_station *station, const char *name)
{
	struct kri_station_button **at = &station->buttons, *button;

	while (*at && name && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	button = *at;
	if (!button)
		return;
	*at = button->next;
	kri_timer_cancel(station->ctx, &button->look);
	kri_timer_cancel(station->ctx, &button->hold);
	if (button->batch)
		kri_batch_forget(button->batch);
	button->sensor->announced = NULL;
	kryos_sensor_close(button->sensor);
	free(button);
}

void kri_station_each_lost_button(struct kryos_station *station, kri_problem_fn problem, void *data)
{
	for (struct kri_station_button *button = station->buttons; button; button = button->next) {
		char text[320];

		if (!button->error)
			continue;
		snprintf(text, sizeof(text), "%s: %s", button->who, button->text);
		problem(data, text);
	}
}
