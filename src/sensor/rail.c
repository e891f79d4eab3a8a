/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power as its sensors see it: whether it is on, which time since it was made, and how many measure just now. Who
 * switches it stands above (src/output/power.c). Any thread.
 */
#include "sensor.h"
#include <stdio.h>
#include <stdlib.h>

void kri_rail_init(struct kri_rail *rail, const char *name)
{
	atomic_init(&rail->refs, 1);
	pthread_mutex_init(&rail->lock, NULL);
	snprintf(rail->name, sizeof(rail->name), "%s", name);
}

struct kri_rail *kri_rail_ref(struct kri_rail *rail)
{
	atomic_fetch_add(&rail->refs, 1);
	return rail;
}

void kri_rail_unref(struct kri_rail *rail)
{
	if (!rail || atomic_fetch_sub(&rail->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&rail->lock);
	rail->release(rail);
}

void kri_rail_set(struct kri_rail *rail, bool on, bool cut)
{
	pthread_mutex_lock(&rail->lock);
	rail->on = on;
	rail->generation += cut;
	pthread_mutex_unlock(&rail->lock);
}

bool kri_rail_is_on(struct kri_rail *rail)
{
	bool on;

	pthread_mutex_lock(&rail->lock);
	on = rail->on;
	pthread_mutex_unlock(&rail->lock);
	return on;
}

bool kri_rail_is_used(struct kri_rail *rail)
{
	bool used;

	pthread_mutex_lock(&rail->lock);
	used = rail->users > 0;
	pthread_mutex_unlock(&rail->lock);
	return used;
}

int kri_rail_enter(struct kri_rail *rail, unsigned int *ret_generation)
{
	bool on;

	pthread_mutex_lock(&rail->lock);
	on = rail->on;
	rail->users += on;
	*ret_generation = rail->generation;
	pthread_mutex_unlock(&rail->lock);
	return on ? 0 : kryos_fail(-ENOTCONN, "its power \"%s\" is off", rail->name);
}

void kri_rail_leave(struct kri_rail *rail)
{
	pthread_mutex_lock(&rail->lock);
	if (--rail->users == 0 && !rail->on && rail->wake)
		rail->wake(rail);
	pthread_mutex_unlock(&rail->lock);
}

unsigned int kri_rail_generation(struct kri_rail *rail)
{
	unsigned int generation;

	pthread_mutex_lock(&rail->lock);
	generation = rail->generation;
	pthread_mutex_unlock(&rail->lock);
	return generation;
}

bool kri_rail_was_cut(struct kri_rail *rail, unsigned int generation)
{
	return kri_rail_generation(rail) != generation;
}

void kri_rail_ask(struct kri_rail *rail, const char *sensor, int code, const char *text)
{
	pthread_mutex_lock(&rail->lock);
	if (rail->on && !rail->asked && rail->wake) {
		rail->asked = true;
		rail->code = code;
		snprintf(rail->text, sizeof(rail->text), "%s: %s", sensor, text);
		rail->wake(rail);
	}
	pthread_mutex_unlock(&rail->lock);
}

bool kri_rail_is_asked(struct kri_rail *rail, int *ret_code, char ret_text[256])
{
	bool asked;

	pthread_mutex_lock(&rail->lock);
	asked = rail->asked;
	rail->asked = false;
	*ret_code = rail->code;
	snprintf(ret_text, 256, "%s", rail->text);
	pthread_mutex_unlock(&rail->lock);
	return asked;
}

void kri_rail_stop(struct kri_rail *rail)
{
	pthread_mutex_lock(&rail->lock);
	rail->on = false;
	rail->generation++;
	rail->wake = NULL;
	pthread_mutex_unlock(&rail->lock);
}

void kri_rail_add(struct kri_rail *rail, struct kryos_sensor *sensor)
{
	pthread_mutex_lock(&rail->lock);
	sensor->next_on_rail = rail->sensors;
	rail->sensors = sensor;
	pthread_mutex_unlock(&rail->lock);
}

void kri_rail_remove(struct kri_rail *rail, struct kryos_sensor *sensor)
{
	struct kryos_sensor **at;

	pthread_mutex_lock(&rail->lock);
	for (at = &rail->sensors; *at && *at != sensor; at = &(*at)->next_on_rail)
		;
	if (*at)
		*at = sensor->next_on_rail;
	pthread_mutex_unlock(&rail->lock);
}

void kri_rail_look(struct kri_rail *rail)
{
	struct kryos_sensor **sensors = NULL;
	size_t count = 0;

	/* Looking takes other locks. */
	pthread_mutex_lock(&rail->lock);
	for (struct kryos_sensor *sensor = rail->sensors; sensor; sensor = sensor->next_on_rail)
		count++;
	if (count)
		sensors = calloc(count, sizeof(struct kryos_sensor *));
	count = 0;
	for (struct kryos_sensor *sensor = rail->sensors; sensors && sensor; sensor = sensor->next_on_rail)
		sensors[count++] = kri_sensor_ref(sensor);
	pthread_mutex_unlock(&rail->lock);
	for (size_t i = 0; i < count; i++) {
		(void)!kri_sensor_look(sensors[i]); /* else in its next round */
		kri_sensor_unref(sensors[i]);
	}
	free(sensors);
}
