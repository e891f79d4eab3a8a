/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of a sensor that is lost or back, and what is done for it beyond its measurement: retries and freeing
 * its bus are part of that (measure.c, dev.c); a cycle of its power comes after, and a report when that did not help.
 */
#include "sensor.h"
#include <stdio.h>
#include <string.h>

/* Of what no cycle of its power mends nothing is asked. */
static bool is_of_the_chip(int code)
{
	return code == -ENODEV || code == -ENXIO || code == -EIO || code == -ETIMEDOUT || code == -EAGAIN ||
	       code == KRYOS_ESTUCK || code == KRYOS_ECRC || code == KRYOS_ECHIP;
}

static void report(const struct kri_measured *measured)
{
	static const struct {
		uint32_t step;
		const char *done;
	} words[] = {
		{ KRYOS_RECOVER_RETRY, "retries" },
		{ KRYOS_RECOVER_BUS, "recovery of its bus" },
		{ KRYOS_RECOVER_POWER, "a cycle of its power" },
	};
	struct kryos_sensor *sensor = measured->sensor;
	struct kryos_event event = {
		.size = sizeof(event), .type = KRYOS_EVENT_RECOVERY, .code = measured->code, .name = sensor->name
	};
	char text[512] = "is lost";

	for (size_t i = 0, count = 0; i < KRI_ARRAY_SIZE(words); i++)
		if (sensor->recover & words[i].step)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			         count++ ? ", " : " all the same after ", words[i].done);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ": %s", measured->text);
	event.text = text;
	kri_log(sensor->ctx, KRYOS_LOG_WARNING, "sensor", measured->code, "%s: %s", sensor->name, text);
	kri_event_push(sensor->ctx, &event);
}

static void escalate(const struct kri_measured *measured)
{
	struct kryos_sensor *sensor = measured->sensor;
	bool cycles = sensor->recover & KRYOS_RECOVER_POWER, reports;

	if (measured->code == -ENOTCONN)
		return; /* of its power, not of the chip */
	if (cycles && is_of_the_chip(measured->code))
		kri_rail_ask(sensor->rail, sensor->name, measured->code, measured->text);
	else
		cycles = false;
	pthread_mutex_lock(&sensor->lock);
	reports = sensor->recover & KRYOS_RECOVER_REPORT && !sensor->reported &&
	          (!cycles || kri_rail_was_cut(sensor->rail, sensor->lost_at));
	sensor->reported |= reports;
	pthread_mutex_unlock(&sensor->lock);
	if (reports)
		report(measured);
}

void kri_measured_announce(const struct kri_measured *measured)
{
	struct kryos_sensor *sensor = measured->sensor;
	struct kryos_event event = { .size = sizeof(event), .name = sensor->name };
	bool changed, lost = measured->code < 0;

	pthread_mutex_lock(&sensor->lock);
	/* Found where nothing was known is no news; lost is. */
	changed = sensor->presence != (lost ? KRI_LOST : KRI_PRESENT) && (lost || sensor->presence == KRI_LOST);
	sensor->presence = lost ? KRI_LOST : KRI_PRESENT;
	if (!lost)
		sensor->reported = false;
	else if (changed && sensor->rail)
		sensor->lost_at = kri_rail_generation(sensor->rail);
	pthread_mutex_unlock(&sensor->lock);
	if (changed) {
		event.type = lost ? KRYOS_EVENT_SENSOR_LOST : KRYOS_EVENT_SENSOR_BACK;
		event.code = measured->code;
		event.text = measured->text;
		kri_log(sensor->ctx, lost ? KRYOS_LOG_WARNING : KRYOS_LOG_NOTICE, "sensor", measured->code, "%s: %s",
		        sensor->name, lost ? measured->text : "is back");
		kri_event_push(sensor->ctx, &event);
		if (sensor->announced)
			sensor->announced(sensor->announced_data, &event);
	}
	if (lost)
		escalate(measured);
}
