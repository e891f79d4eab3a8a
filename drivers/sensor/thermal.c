/* SPDX-License-Identifier: Apache-2.0 */
/* Thermal zones of the kernel (Linux Documentation/driver-api/thermal/sysfs-api.rst): the device's own temperature. */
#include "core/core.h"
#include "kernel_source.h"

static const struct kryos_channel_info channels[] = {
	{ "temperature", "Cel", .min_micro = INT64_C(-60000000), .max_micro = INT64_C(250000000) },
};
static const struct kri_kernel_quantity quantities[] = {
	{ "temp", 1e3 },
};

static const struct kri_kernel_class class = {
	.title = "a thermal zone",
	.channels = channels,
	.quantities = quantities,
	.count = KRI_ARRAY_SIZE(quantities),
	.otherwise = "temperature",
	.before = "",
	.after = { "" },
	.read = kri_kernel_read_value,
};
KRI_KERNEL_SLOTS(class)

const struct kryos_sensor_driver kri_sensor_thermal = {
	.size = sizeof(kri_sensor_thermal),
	.name = "thermal",
	.title = "thermal zone of the kernel",
	KRI_KERNEL_DRIVER,
	.datasheet = "Linux Documentation/driver-api/thermal/sysfs-api.rst",
	.suits = "the device's own processor; no product, no room",
};
