/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What drivers of the kernel measure, in the files of a device of theirs. What the drivers iio, hwmon, thermal and
 * power_supply share: each has a table of quantities, and says how it reads one.
 */
#ifndef KRI_KERNEL_SOURCE_H
#define KRI_KERNEL_SOURCE_H

#include <kryos/sys/sensor.h>
#include <stdbool.h>

/* A quantity as a class of the kernel's devices has it. */
struct kri_kernel_quantity {
	const char *kernel; /* what the kernel calls it: "temp" */
	double micro;       /* the kernel's unit in millionths of ours */
};

/* One that is measured, as the place says it: "temperature", or with the kernel's own word "temp2". */
struct kri_kernel_channel {
	size_t quantity; /* its place in the class's tables */
	char word[32];
	char name[32];  /* the kernel's, once the device was looked at: "temp2" */
	char value[48]; /* the files: of the value, or what it is computed from; "": there is none */
	char offset[48], scale[48], fault[48];
};

struct kri_kernel_private {
	struct kri_kernel_channel channels[KRYOS_SENSOR_MAX_CHANNELS];
	size_t count;
};

struct kri_kernel_class {
	const char *title;                            /* "a thermal zone", for sentences */
	const struct kryos_channel_info *channels;    /* their quantities are the words in a place */
	const struct kri_kernel_quantity *quantities; /* as many, in the same order */
	size_t count;
	const char *otherwise;             /* the place where none is written */
	bool many;                         /* the kernel's words have a number, or more, behind them: "temp2" */
	const char *before;                /* of the files' names: "in_" */
	const char *after[2];              /* "_input"; the second where the first is not there; "": none */
	const char *refused, *refused_why; /* devices of this name; why, and what to use. NULL: none */
	/* One value in the kernel's unit. -ENODATA: there is none at present; else the device has failed. */
	int (*read)(struct kryos_dev *dev, const struct kri_kernel_channel *channel, double *ret_value,
	            enum kryos_quality *ret_quality);
};

/* The slots of kryos_sensor_driver, for a class. */
int kri_kernel_describe(const struct kri_kernel_class *class, const char *place,
                        struct kryos_description *ret_description);
int kri_kernel_probe(const struct kri_kernel_class *class, struct kri_kernel_private *source, struct kryos_dev *dev);
int kri_kernel_fetch(const struct kri_kernel_class *class, const struct kri_kernel_private *source,
                     struct kryos_dev *dev, uint8_t *raw);
void kri_kernel_decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings);

/*
 * Its slots in a file of its own, each the one above with that file's class, and what the driver says of them. raw_size
 * is the most, for eight values; a conversion takes place while a value is read.
 */
#define KRI_KERNEL_SLOTS(class)                                                                                        \
	static int describe(const char *place, const int64_t *options, struct kryos_description *ret_description)      \
	{                                                                                                              \
		(void)options;                                                                                         \
		return kri_kernel_describe(&(class), place, ret_description);                                          \
	}                                                                                                              \
	static int probe(void *priv, struct kryos_dev *dev)                                                            \
	{                                                                                                              \
		return kri_kernel_probe(&(class), priv, dev);                                                          \
	}                                                                                                              \
	static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)                                              \
	{                                                                                                              \
		return kri_kernel_fetch(&(class), priv, dev, raw);                                                     \
	}
#define KRI_KERNEL_DRIVER                                                                                              \
	.bus = "sysfs", .channels = channels, .channel_count = KRI_ARRAY_SIZE(channels),                               \
	.private_size = sizeof(struct kri_kernel_private), .raw_size = KRYOS_SENSOR_MAX_CHANNELS * sizeof(int64_t),    \
	.describe = describe, .probe = probe, .fetch = fetch, .decode = kri_kernel_decode

/* The number in a file. -EIO: what it holds is none, or it is empty. */
int kri_kernel_read_number(struct kryos_dev *dev, const char *file, double *ret_value);
/* The value of a file that holds it. */
int kri_kernel_read_value(struct kryos_dev *dev, const struct kri_kernel_channel *channel, double *ret_value,
                          enum kryos_quality *ret_quality);
/* Pure: digits with a sign before and a point in them, nothing else. -EINVAL. */
int kri_kernel_parse_number(const char *text, double *ret_value);

#endif
