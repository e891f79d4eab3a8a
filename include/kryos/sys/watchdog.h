/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watchdog driver: what the watcher thread pets. All slots are called on one thread at a time.
 */
#ifndef KRYOS_SYS_WATCHDOG_H
#define KRYOS_SYS_WATCHDOG_H

#include <kryos/base.h>

KRYOS_BEGIN

struct kryos_ctx;

struct kryos_watchdog_driver {
	uint32_t size;
	const char *name;   /* "wdt", "systemd", "none" */
	const char *prefix; /* of device names it takes: "/dev/watchdog", "systemd", "none" */
	size_t private_size;
	/* Opens, asks for timeout_ns and reads back the real one and the boot status. userdata is the registration's.
	 */
	int (*open)(void *priv, const char *device, int64_t timeout_ns, void *userdata, int64_t *ret_timeout_ns,
	            uint32_t *ret_boot_status);
	/* Proves life once. Must not block longer than the timeout. */
	int (*pet)(void *priv);
	/* Closes: disarm 1 stops the hardware (magic close), 0 leaves it running. */
	void (*close)(void *priv, int disarm);
	/*
	 * What can be said of a device without opening it, which would start it: 0 and a sentence; -ENOENT: none;
	 * -EBUSY: somebody has it. NULL: nothing.
	 */
	int (*look)(const char *device, char *ret_text, size_t size);
};

KRYOS_API int kryos_register_watchdog(struct kryos_ctx *ctx, const struct kryos_watchdog_driver *driver,
                                      void *userdata);

KRYOS_END
#endif
