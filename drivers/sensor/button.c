/* SPDX-License-Identifier: Apache-2.0 */
/* A push button: 1 is pressed. One from the line to ground pulls the line low then: active = low. */
#include "contact.h"

static const struct kryos_channel_info channels[] = {
	{ .quantity = "pressed",
	  .unit = "/",
	  .min_micro = 0,
	  .max_micro = 1000000,
	  .states = { "released", "pressed" } },
};

const struct kryos_sensor_driver kri_sensor_button = {
	.size = sizeof(kri_sensor_button),
	.name = "button",
	.title = "push button",
	.bus = "gpio",
	.channels = channels,
	.channel_count = 1,
	.raw_size = 1,
	.probe = kri_contact_probe,
	.fetch = kri_contact_fetch,
	.decode = kri_contact_decode,
	.remove = kri_contact_remove,
	.suits = "acknowledging an alarm, in a section [button NAME]",
};
