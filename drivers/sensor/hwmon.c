/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hardware monitors of the kernel (Linux Documentation/hwmon/sysfs-interface.rst): <channel>_input in thousandths of a
 * degree, of a per cent, of volt and ampere, of power in millionths of a watt. Where there is a <channel>_fault, a
 * value beside a 1 in it is none.
 */
#include "core/core.h"
#include "kernel_source.h"

/* A probe fallen out of warm water into ice water moves at about this rate; no fridge does. */
#define MAX_RATE_MICRO INT64_C(30000000)
#define MILLI 1e3
#define BETWEEN(low, high) .min_micro = INT64_C(low) * 1000000, .max_micro = INT64_C(high) * 1000000

/* The kernel does not tell the range of the chip: these are of any chip of the kind. */
static const struct kryos_channel_info channels[] = {
	{ "temperature", "Cel", BETWEEN(-210, 1800), .max_rate_micro = MAX_RATE_MICRO },
	{ "humidity", "%RH", BETWEEN(0, 100) },
	{ "voltage", "V", BETWEEN(-1000, 1000), .stands_still = 1 },
	{ "current", "A", BETWEEN(-1000, 1000), .stands_still = 1 },
	{ "power", "W", BETWEEN(-100000, 100000), .stands_still = 1 },
};
static const struct kri_kernel_quantity quantities[] = {
	{ "temp", MILLI }, { "humidity", MILLI }, { "in", MILLI }, { "curr", MILLI }, { "power", 1 },
};

/* The fault is asked for last, and also where there was no value: it says more than an error. */
static int read_channel(struct kryos_dev *dev, const struct kri_kernel_channel *channel, double *ret_value,
                        enum kryos_quality *ret_quality)
{
	int r = kri_kernel_read_number(dev, channel->value, ret_value), r_fault;
	double fault = 0;

	if (!channel->fault[0] || r == -ENODEV || r == -ENOENT || r == -EAGAIN)
		return r;
	r_fault = kri_kernel_read_number(dev, channel->fault, &fault);
	if (r_fault < 0)
		return r_fault;
	if (fault != 0) {
		*ret_quality = KRYOS_QUALITY_OPEN;
		return 0;
	}
	return r;
}

static const struct kri_kernel_class class = {
	.title = "a hardware monitor",
	.channels = channels,
	.quantities = quantities,
	.count = KRI_ARRAY_SIZE(quantities),
	.otherwise = "temperature",
	.many = true,
	.before = "",
	.after = { "_input" },
	/* Linux drivers/w1/slaves/w1_therm.c */
	.refused = "w1_slave_temp",
	.refused_why =
		"the kernel's driver gives 85 C for a DS18B20 that lost its supply; use ds18b20@w1:any, or with the "
		"probe's number, which tells it",
	.read = read_channel,
};
KRI_KERNEL_SLOTS(class)

const struct kryos_sensor_driver kri_sensor_hwmon = {
	.size = sizeof(kri_sensor_hwmon),
	.name = "hwmon",
	.title = "hardware monitor of the kernel",
	KRI_KERNEL_DRIVER,
	.datasheet = "Linux Documentation/hwmon/sysfs-interface.rst",
	.suits = "what the chip's accuracy allows; not a DS18B20, whose power-on value the kernel's driver gives as 85 "
		 "C",
};
