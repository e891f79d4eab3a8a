/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sensor: one chip on one bus, with one or more channels.
 *
 * A device is named by one string everywhere: driver@bus:place ("bme280@i2c-1:0x76",
 * "ds18b20@w1:28-0316a2795bff", "ds18b20@w1:any" where exactly one is present); "sht4x@i2c-1:0x70.3:0x44" is behind
 * channel 3 of the multiplexer at 0x70 (docs/api/bus.md). Its channels are
 * "<name>.<quantity>", for example "fridge.temperature". All chips of a bus share one worker
 * thread; calls that wait say how long and are safe from any thread.
 */
#ifndef KRYOS_SENSOR_H
#define KRYOS_SENSOR_H

#include <kryos/base.h>
#include <kryos/sample.h>

KRYOS_BEGIN

struct kryos_channel_config; /* kryos/channel.h */
struct kryos_line_config;    /* kryos/line.h */
struct kryos_power;          /* kryos/power.h */
struct kryos_sensor;

/*
 * Opens and probes a sensor; waits at most 5 s. name is 1 to 31 of [a-z0-9_-], unique among open
 * sensors of the context, copied.
 * KRYOS_EDEVICE: malformed string or unknown driver or bus (the text lists what there is);
 * -ENODEV: nothing answers there; KRYOS_ECHIP: something else does (the text says what);
 * -EBUSY: a kernel driver holds the address; KRYOS_ESTUCK, KRYOS_ECRC, -EIO, -ETIMEDOUT: the bus.
 */
KRYOS_API int kryos_sensor_open(struct kryos_sensor **ret_sensor, struct kryos_ctx *ctx, const char *name,
                                const char *device);

/* What is done when a measurement fails, one after the other; at the end it is announced as lost in any case. */
enum kryos_recovery {
	KRYOS_RECOVER_RETRY = 1, /* measured again, twice at most */
	KRYOS_RECOVER_BUS = 2,   /* a bus that is stuck is freed, where its driver can */
	KRYOS_RECOVER_POWER = 4, /* its power is switched off and on (kryos/power.h) */
	KRYOS_RECOVER_REPORT = 8 /* KRYOS_EVENT_RECOVERY, once: all of the above was done, somebody must look */
};

/* What can be said of a chip beside where it is. All that it points to is copied, but power. */
struct kryos_sensor_config {
	uint32_t size;
	uint32_t recover;    /* of enum kryos_recovery; 0: retry, bus, and power where there is one */
	const char *options; /* the driver's (docs/sensors.md), blanks between: "wires=3 element=pt1000"; NULL: none */
	const struct kryos_line_config *line; /* of one that is a GPIO line (kryos/line.h); NULL: its defaults */
	/*
	 * What is said of its channels, in any order, each once; the list ends with NULL. NULL: nothing. A single
	 * sensor has nobody to agree with, and no store for changes: only a sampler looks at these.
	 */
	const struct kryos_channel_config *const *channels;
	struct kryos_power *power; /* what it is fed by; may be closed before it. NULL: it is always on */
};
#define KRYOS_SENSOR_CONFIG(...) KRYOS_CONFIG_OF(kryos_sensor_config, __VA_ARGS__)

/*
 * The same with a config, which may be NULL. -EINVAL: an option that the driver has not, or a value it does not allow;
 * what is said of a channel that the sensor has not, or that contradicts itself (the text says which field). -ENOTCONN:
 * its power is off.
 */
KRYOS_API int kryos_sensor_open_with(struct kryos_sensor **ret_sensor, struct kryos_ctx *ctx, const char *name,
                                     const char *device, const struct kryos_sensor_config *config);

/* Closes it. NULL is allowed. Waits for a measurement under way, at most 1 s, else abandons it. */
KRYOS_EXPORT void kryos_sensor_close(struct kryos_sensor *sensor);

/*
 * Measures once and writes up to count samples, one per channel in the driver's order; returns how
 * many channels were written. What failed is a sample with its reason, so this is not an error.
 * Waits for the conversion and retries, at most 5 s (then quality timeout). -EINVAL; KRYOS_EFORK.
 */
KRYOS_API int kryos_sensor_read(struct kryos_sensor *sensor, struct kryos_sample *samples, size_t count);

/* How many channels it has, and the number of each (kryos/sample.h). -EINVAL: no such index. */
KRYOS_API int kryos_sensor_get_channel_count(struct kryos_sensor *sensor);
KRYOS_API int kryos_sensor_get_channel(struct kryos_sensor *sensor, unsigned int index, uint32_t *ret_channel);

KRYOS_END
#endif
