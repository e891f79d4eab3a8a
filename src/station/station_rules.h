/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules of a station file share among themselves. */
#ifndef KRI_STATION_RULES_H
#define KRI_STATION_RULES_H

#include "../sensor/sensor.h"
#include "station_file.h"
#include <kryos/sys/sensor.h>

struct kri_judging {
	struct kri_ini *ini;
	struct kryos_ctx *ctx;
	struct kri_station_file *file;
	bool wrong[KRI_KEY_COUNT]; /* in the section being judged */
	bool no_memory;
};

bool kri_has(const struct kri_section *section, enum kri_key key);
/*
 * Reports "key: ..." on the key's line, or the section's where the key was not written; KRI_KEY_COUNT: of the section
 * as a whole, on its header's line.
 */
void kri_wrong(struct kri_judging *judging, const struct kri_section *section, enum kri_key key, const char *format,
               ...) KRYOS_PRINTF(4, 5);
bool kri_needs(struct kri_judging *judging, const struct kri_section *section, enum kri_key key, const char *example);
bool kri_judge_file(struct kri_judging *judging, const struct kri_section *section, enum kri_key key);
void kri_judge_secret(struct kri_judging *judging, const struct kri_section *section, enum kri_key key);
/* Whether there is a driver for a device's bus; reported if not. */
bool kri_judge_bus(struct kri_judging *judging, const struct kri_section *section, enum kri_key key,
                   const struct kri_device *device);

/* rules_sensor.c */
/* Whether a sensor's address is one, with what is said of the chip; reported if not. */
bool kri_judge_address(struct kri_judging *judging, const struct kri_section *section, struct kri_device *ret_device);
/* Whether a power's address is one; reported if not. */
bool kri_judge_power(struct kri_judging *judging, const struct kri_section *section, struct kri_device *ret_device);
/* A sensor's power, and what is done when it fails. */
void kri_judge_recovery(struct kri_judging *judging, const struct kri_section *section);
/* The channels of a sensor's section; false where its address or an option of it is missing or wrong. */
bool kri_station_describe(struct kryos_ctx *ctx, const struct kri_section *sensor,
                          const struct kryos_sensor_driver **ret_driver, struct kryos_description *ret_description);

/* rules_channel.c */
void kri_judge_channel_section(struct kri_judging *judging, const struct kri_section *section);

/* rules_alarm.c */
void kri_judge_rule(struct kri_judging *judging, const struct kri_section *section);
void kri_judge_profile(struct kri_judging *judging, const struct kri_section *section);
void kri_judge_alarm(struct kri_judging *judging, const struct kri_section *section);

/* rules_relay.c */
void kri_judge_relay(struct kri_judging *judging, const struct kri_section *section);
/* Whether name is a channel of this file ("fridge.temperature"; with wild also "fridge.*"); reported if not. */
bool kri_judge_channel(struct kri_judging *judging, const struct kri_section *section, enum kri_key key,
                       const char *name, bool wild);

#endif
