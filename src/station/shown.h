/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown of a station's alarms, and what is done about it. Context thread. */
#ifndef KRI_SHOWN_H
#define KRI_SHOWN_H

#include "../output/output.h"
#include "station.h"

struct kryos_monitor;
struct kryos_monitor_alarm;

/* What the lamps and buzzers of a station have to show. */
enum kri_signal kri_station_signal(struct kryos_station *station);
/* The alarms that count for it, those of retired channels left out: *index from 0. False: no more. */
bool kri_station_next_shown(struct kryos_station *station, unsigned int *index, struct kryos_monitor_alarm *ret_alarm,
                            char ret_channel[64]);
/* All that nobody has acknowledged. How many it were. */
unsigned int kri_station_acknowledge_shown(struct kryos_station *station, const char *who, const char *comment);

/*
 * Drives all lamps and buzzers for five seconds and stores one event, which goes out as every other. *ret_result:
 * {"outputs":[names driven],"lost":[names that can't be],"time"}; NULL: not wanted. -EAGAIN: the event found no place.
 */
int kri_station_test_alarms(struct kryos_station *station, const char *who, struct kri_json **ret_result);
/* When that was done last, by any run; false: never. What the store knows of it is read when the station opens. */
bool kri_station_get_test(const struct kryos_station *station, struct kryos_time *ret_when);
void kri_station_find_test(struct kryos_station *station);

/* alarm_json.c. Of no monitor: empty lists. */
/* unit: of its channel, "" where it is not known. */
struct kri_json *kri_alarm_json(const struct kryos_monitor_alarm *alarm, const char *unit);
struct kri_json *kri_alarms_json(struct kryos_monitor *monitor);
struct kri_json *kri_channels_json(struct kryos_monitor *monitor);
/* NULL: there was none. */
struct kri_json *kri_station_test_json(struct kryos_station *station);
void kri_station_each_alarm(struct kryos_station *station, kri_problem_fn problem, void *data);

/* outputs.c: adds the names of those that are driven, and of those that are lost. */
void kri_station_test_outputs(struct kryos_station *station, struct kri_json *driven, struct kri_json *lost);
/* Looks at once at what is to be shown. */
void kri_station_look_outputs(struct kryos_station *station);

#endif
