/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contact of a door: 1 is open. A reed contact from the line to ground is closed by the magnet of a
 * closed door and pulls the line low, so open is high; so does a cut wire read, which is seen that way.
 */
#include "contact.h"

static const struct kryos_channel_info channels[] = {
	{ .quantity = "open", .unit = "/", .min_micro = 0, .max_micro = 1000000, .states = { "closed", "open" } },
};

const struct kryos_sensor_driver kri_sensor_door = {
	.size = sizeof(kri_sensor_door),
	.name = "door",
	.title = "door contact",
	.bus = "gpio",
	.channels = channels,
	.channel_count = 1,
	.raw_size = 1,
	.probe = kri_contact_probe,
	.fetch = kri_contact_fetch,
	.decode = kri_contact_decode,
	.remove = kri_contact_remove,
	.suits = "how long and how often a door stands open",
};
