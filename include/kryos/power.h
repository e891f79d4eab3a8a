/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power: what sensors are fed by, switched by a GPIO line ("switch@gpio:GPIO5"); on while it is open.
 *
 * Sensors name it in their config (kryos/sensor.h). They are measured once it is on and has settled. One that fails,
 * and is not mended by trying again or by freeing its bus, has it switched off and on: a cycle. For that everything on
 * it is let finish measuring, at most 5 s; then it is off, is on again, settles, and all sensors on it are looked for
 * anew. What was measured while it was cut is no value. A cycle is told (KRYOS_EVENT_RECOVERY). Cycles happen inside
 * kryos_ctx_process. One thread at a time, that of kryos_ctx_process.
 */
#ifndef KRYOS_POWER_H
#define KRYOS_POWER_H

#include <kryos/base.h>

KRYOS_BEGIN

struct kryos_ctx;
struct kryos_power;

struct kryos_power_config {
	uint32_t size;
	uint32_t active_low; /* 1: it is on while the wire is low */
	int64_t off_ns;      /* of a cycle; 0: 1 s. 10 ms to 1 min */
	int64_t settle_ns;   /* from on until chips may be talked to; 0: 100 ms. 1 ms to 10 s */
	int64_t again_ns;    /* from one cycle to the next at least; 0: 10 min. 10 s to 7 days */
};
#define KRYOS_POWER_CONFIG(...) KRYOS_CONFIG_OF(kryos_power_config, __VA_ARGS__)

/*
 * Opens it, switches it on and waits until it has settled, at most 5 s and that time. name is 1 to 31 of [a-z0-9_-],
 * copied; config may be NULL. Results as of kryos_output_open (kryos/output.h). A line that is lost later is looked for
 * until it is back (KRYOS_EVENT_OUTPUT_LOST), and its sensors fail with -ENOTCONN meanwhile.
 */
KRYOS_API int kryos_power_open(struct kryos_power **ret_power, struct kryos_ctx *ctx, const char *name,
                               const char *device, const struct kryos_power_config *config);
/* Switches it off and closes it; waits for that at most 1 s. Sensors that are still on it fail. NULL is allowed. */
KRYOS_EXPORT void kryos_power_close(struct kryos_power *power);

struct kryos_power_status {
	uint32_t size;
	int on;          /* 1: on and settled */
	int error;       /* why its line is lost; 0: it is not */
	uint32_t cycles; /* since it was opened */
};
/* Fill size. Does not block. */
KRYOS_API int kryos_power_get_status(struct kryos_power *power, struct kryos_power_status *ret_status);

KRYOS_END
#endif
