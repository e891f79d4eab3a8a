/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batteries and mains adapters of the kernel (Linux Documentation/ABI/testing/sysfs-class-power): microvolt,
 * microampere and microwatt, tenths of a degree, per cent, and words. Whether current is negative while a battery is
 * discharged depends on its driver.
 */
#include "core/core.h"
#include "kernel_source.h"
#include <string.h>

#define BETWEEN(low, high) .min_micro = INT64_C(low) * 1000000, .max_micro = INT64_C(high) * 1000000

static const struct kryos_channel_info channels[] = {
	{ "capacity", "%EL", BETWEEN(0, 100), .stands_still = 1 },
	{ "voltage", "V", BETWEEN(0, 1000), .stands_still = 1 },
	{ "current", "A", BETWEEN(-1000, 1000), .stands_still = 1 },
	{ "power", "W", BETWEEN(-100000, 100000), .stands_still = 1 },
	{ "temperature", "Cel", BETWEEN(-60, 150) },
	{ "online", "/", BETWEEN(0, 1), .states = { "offline", "online" } },
	{ "status", "/", BETWEEN(0, 1), .states = { "supplied", "discharging" } },
};
static const struct kri_kernel_quantity quantities[] = {
	{ "capacity", 1e6 }, { "voltage_now", 1 }, { "current_now", 1 }, { "power_now", 1 },
	{ "temp", 1e5 },     { "online", 1e6 },    { "status", 1e6 },
};

/* Charging, full, or kept from charging: it has mains. Unknown: the gauge does not say. */
static int read_status(struct kryos_dev *dev, const char *file, double *ret_value)
{
	static const struct {
		const char *text;
		int discharging;
	} known[] = { { "Charging", 0 }, { "Discharging", 1 }, { "Full", 0 }, { "Not charging", 0 } };
	char text[32];
	int r = kryos_dev_read_text(dev, file, text, sizeof(text));

	if (r < 0)
		return r;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(known); i++)
		if (strcmp(text, known[i].text) == 0) {
			*ret_value = known[i].discharging;
			return 0;
		}
	if (strcmp(text, "Unknown") == 0)
		return -ENODATA;
	return kryos_fail(-EIO, "%s: status \"%s\" is none that the kernel documents", kryos_dev_name(dev), text);
}

static int read_channel(struct kryos_dev *dev, const struct kri_kernel_channel *channel, double *ret_value,
                        enum kryos_quality *ret_quality)
{
	double present = 1;
	int r = kri_kernel_read_number(dev, "present", &present);

	/* Mains adapters have no such file. */
	if (r < 0 && r != -ENOENT)
		return r;
	/* What a gauge gives without its battery is left over. */
	if (present == 0)
		return -ENODATA;
	if (strcmp(channel->value, "status") == 0)
		return read_status(dev, channel->value, ret_value);
	r = kri_kernel_read_value(dev, channel, ret_value, ret_quality);
	/* 2: at a voltage that was agreed on, of USB. */
	if (r >= 0 && channels[channel->quantity].states[0])
		*ret_value = *ret_value != 0;
	return r;
}

static const struct kri_kernel_class class = {
	.title = "a power supply",
	.channels = channels,
	.quantities = quantities,
	.count = KRI_ARRAY_SIZE(quantities),
	.otherwise = "capacity,voltage",
	.before = "",
	.after = { "" },
	.read = read_channel,
};
KRI_KERNEL_SLOTS(class)

const struct kryos_sensor_driver kri_sensor_power_supply = {
	.size = sizeof(kri_sensor_power_supply),
	.name = "power_supply",
	.title = "power supply of the kernel",
	KRI_KERNEL_DRIVER,
	.datasheet = "Linux Documentation/ABI/testing/sysfs-class-power",
	.suits = "battery and mains of the device",
};
