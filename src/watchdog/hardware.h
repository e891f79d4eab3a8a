/* SPDX-License-Identifier: Apache-2.0 */
/* Hardware: what the watcher pets, chosen by name. One thread at a time. */
#ifndef KRI_HARDWARE_H
#define KRI_HARDWARE_H

#include "../core/core.h"
#include <kryos/sys/watchdog.h>

struct kri_hardware {
	const struct kryos_watchdog_driver *driver;
	void *priv;
	int64_t timeout_ns; /* the real one; 0: nothing resets the board */
	uint32_t boot_status;
	char device[64];
};

/* Opens device ("auto" looks for one). As kryos_watchdog_open says; nothing is left on error. */
int kri_hardware_open(struct kri_hardware *ret_hardware, struct kryos_ctx *ctx, const char *device, int64_t timeout_ns);
int kri_hardware_pet(struct kri_hardware *hardware);
void kri_hardware_close(struct kri_hardware *hardware, bool disarm);

#endif
