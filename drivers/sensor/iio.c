/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of the kernel's Industrial I/O (Linux Documentation/ABI/testing/sysfs-bus-iio): in_<channel>_input is a
 * value, or (in_<channel>_raw + in_<channel>_offset) * in_<channel>_scale is. Units are thousandths of a degree, of a
 * per cent, of volt, ampere and watt; of pressure it is the kilopascal.
 */
#include "core/core.h"
#include "kernel_source.h"

/* A probe fallen out of warm water into ice water moves at about this rate; no fridge does. */
#define MAX_RATE_MICRO INT64_C(30000000)
#define MILLI 1e3
#define KILO 1e9
#define BETWEEN(low, high) .min_micro = INT64_C(low) * 1000000, .max_micro = INT64_C(high) * 1000000

/*
 * Ranges are what any probe of the kind can measure, from liquid nitrogen to a thermocouple in a flame: the kernel does
 * not tell those of the chip. They keep out what chips give that have not measured (-256 C of a TMP117).
 */
static const struct kryos_channel_info channels[] = {
	{ "temperature", "Cel", BETWEEN(-210, 1800), .max_rate_micro = MAX_RATE_MICRO },
	{ "humidity", "%RH", BETWEEN(0, 100) },
	{ "pressure", "Pa", BETWEEN(1, 100000000) },
	{ "voltage", "V", BETWEEN(-1000, 1000), .stands_still = 1 },
	{ "current", "A", BETWEEN(-1000, 1000), .stands_still = 1 },
	{ "power", "W", BETWEEN(-100000, 100000), .stands_still = 1 },
};
static const struct kri_kernel_quantity quantities[] = {
	{ "temp", MILLI },    { "humidityrelative", MILLI }, { "pressure", KILO },
	{ "voltage", MILLI }, { "current", MILLI },          { "power", MILLI },
};

/*
 * The factors are asked for each time, because another program may set the range of a converter; the scale before and
 * after, for it may do so just now.
 */
static int read_channel(struct kryos_dev *dev, const struct kri_kernel_channel *channel, double *ret_value,
                        enum kryos_quality *ret_quality)
{
	double raw, offset = 0, scale, scale_after;
	int r;

	if (!channel->scale[0])
		return kri_kernel_read_value(dev, channel, ret_value, ret_quality);
	r = kri_kernel_read_number(dev, channel->scale, &scale);
	if (r >= 0 && channel->offset[0])
		r = kri_kernel_read_number(dev, channel->offset, &offset);
	if (r >= 0)
		r = kri_kernel_read_number(dev, channel->value, &raw);
	if (r >= 0)
		r = kri_kernel_read_number(dev, channel->scale, &scale_after);
	if (r < 0)
		return r;
	if (scale != scale_after)
		return kryos_fail(-EAGAIN, "%s: %s was changed meanwhile", kryos_dev_name(dev), channel->scale);
	*ret_value = (raw + offset) * scale;
	return 0;
}

static const struct kri_kernel_class class = {
	.title = "an IIO device",
	.channels = channels,
	.quantities = quantities,
	.count = KRI_ARRAY_SIZE(quantities),
	.otherwise = "temperature",
	.many = true,
	.before = "in_",
	.after = { "_input", "_raw" },
	/* Linux drivers/iio/temperature/max31865.c: a resistance is scaled as if it were a temperature, less its
	   offset. */
	.refused = "max31865",
	.refused_why =
		"the kernel's driver for the MAX31865 drops the fault bit and does not give degrees; have it let the "
		"chip go, and use max31865@spi-0.0",
	.read = read_channel,
};
KRI_KERNEL_SLOTS(class)

const struct kryos_sensor_driver kri_sensor_iio = {
	.size = sizeof(kri_sensor_iio),
	.name = "iio",
	.title = "IIO device of the kernel",
	KRI_KERNEL_DRIVER,
	.datasheet = "Linux Documentation/ABI/testing/sysfs-bus-iio",
	.suits = "what the chip's accuracy allows; not a MAX31865, whose faults the kernel's driver hides",
};
