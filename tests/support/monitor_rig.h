/* SPDX-License-Identifier: Apache-2.0 */
/* A monitor on a store's bench: one life after another, and what it told in each. Fails the test where it can't. */
#ifndef KRI_TEST_MONITOR_RIG_H
#define KRI_TEST_MONITOR_RIG_H

#include "monitor/monitor.h"
#include "rig.h"

#define FRIDGE "fridge.temperature"
#define ROOM "room.temperature"

struct watch {
	struct rig *rig;
	struct kryos_monitor *monitor; /* NULL: nothing is judged */
	unsigned int on, off;          /* told since the start */
	struct kryos_episode last;     /* told */
};

/* cmocka's: *state is a struct watch. */
int watch_setup(void **state);
int watch_setup_cut(void **state);
int watch_teardown(void **state);

void watch_start(struct watch *watch);
void watch_stop(struct watch *watch);
void watch_rules(struct watch *watch, const char *channel, const struct kryos_rule *rules, uint32_t count);
/* A minute later a sample of the fridge is judged, and stored: its alarm. */
uint32_t watch_minute(struct watch *watch, int64_t value_micro);
/* The same, not stored. */
uint32_t watch_judge(struct watch *watch, uint32_t channel, int64_t value_micro, struct kryos_sample *ret_sample);
void watch_take_events(struct watch *watch);
/* How many events of that type are stored; the last one's text and episode, where asked for. */
unsigned int watch_stored(struct watch *watch, enum kryos_event_type type, char *ret_text,
                          struct kryos_episode *ret_episode);
/*
 * What the power leaves of a life that was recorded (cutvfs_record): all that was written, and nothing of what was to
 * be written yet. The store is then in a folder of that name.
 */
void watch_crash(struct watch *watch, const char *name);
/* What the stopped store keeps of the monitor is gone. */
void watch_lose_state(struct watch *watch);
/* ... or of the fridge without the evaluator's part, as a state is kept that is too long. */
void watch_cut_evaluator_out(struct watch *watch);

/* Above 8 C for 5 min. */
extern const struct kryos_rule watch_warm;

#endif
