/* SPDX-License-Identifier: Apache-2.0 */
/* Whether mains is there: 1 is present. An optocoupler across it pulls the line low then: active = low. */
#include "contact.h"

static const struct kryos_channel_info channels[] = {
	{ .quantity = "present", .unit = "/", .min_micro = 0, .max_micro = 1000000, .states = { "absent", "present" } },
};

const struct kryos_sensor_driver kri_sensor_mains = {
	.size = sizeof(kri_sensor_mains),
	.name = "mains",
	.title = "mains detector",
	.bus = "gpio",
	.channels = channels,
	.channel_count = 1,
	.raw_size = 1,
	.probe = kri_contact_probe,
	.fetch = kri_contact_fetch,
	.decode = kri_contact_decode,
	.remove = kri_contact_remove,
	.suits = "whether a cut of the supply goes with an excursion",
};
