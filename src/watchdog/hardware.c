/* SPDX-License-Identifier: Apache-2.0 */
#include "hardware.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wanted {
	const char *device;
	const struct kryos_watchdog_driver *driver;
	void *userdata;
};

static int matches(void *data, const void *candidate, void *userdata)
{
	const struct kryos_watchdog_driver *driver = candidate;
	struct wanted *wanted = data;

	/* A path goes on after its prefix ("/dev/watchdog1"), a word does not. */
	if (driver->prefix[0] == '/' ? strncmp(wanted->device, driver->prefix, strlen(driver->prefix)) != 0
	                             : strcmp(wanted->device, driver->prefix) != 0)
		return 0;
	wanted->driver = driver;
	wanted->userdata = userdata;
	return 1;
}

/* systemd's timeout is the unit's, whatever was asked; no hardware has none. Drivers count whole seconds, rounded up.
 */
static int check_timeout(struct kryos_ctx *ctx, const struct kri_hardware *hardware, int64_t asked_ns)
{
	int64_t real_ns = hardware->timeout_ns;

	if (real_ns == 0 || hardware->driver->prefix[0] != '/')
		return 0;
	if (real_ns > 2 * asked_ns || real_ns < asked_ns / 2)
		return kryos_fail(-EINVAL,
		                  "%s: a timeout of %" PRId64 " s was asked for, the hardware can do %" PRId64 " s",
		                  hardware->device, asked_ns / 1000000000, real_ns / 1000000000);
	if (real_ns < asked_ns || real_ns >= asked_ns + KRYOS_SECONDS(1))
		kri_log(ctx, KRYOS_LOG_WARNING, "watchdog", 0,
		        "%s: a timeout of %" PRId64 " s was asked for, the hardware has %" PRId64 " s",
		        hardware->device, asked_ns / 1000000000, real_ns / 1000000000);
	return 0;
}

static int open_one(struct kri_hardware *ret_hardware, struct kryos_ctx *ctx, const char *device, int64_t timeout_ns)
{
	struct wanted wanted = { .device = device };
	struct kri_hardware hardware = { .timeout_ns = 0 };
	int r;

	if (!kri_registry_each(ctx, KRI_WATCHDOG, matches, &wanted))
		return kryos_fail(-ENOENT,
		                  "watchdog device \"%s\": no driver for it; allowed are auto, none, systemd and "
		                  "/dev/watchdogN",
		                  device);
	if (strlen(device) >= sizeof(hardware.device))
		return kryos_fail(-ENOENT, "watchdog device \"%s\": longer than %zu bytes", device,
		                  sizeof(hardware.device) - 1);
	hardware.driver = wanted.driver;
	strcpy(hardware.device, device);
	hardware.priv = calloc(1, wanted.driver->private_size ? wanted.driver->private_size : 1);
	if (!hardware.priv)
		return -ENOMEM;
	r = wanted.driver->open(hardware.priv, device, timeout_ns, wanted.userdata, &hardware.timeout_ns,
	                        &hardware.boot_status);
	if (r < 0)
		goto free_priv;
	r = check_timeout(ctx, &hardware, timeout_ns);
	if (r < 0)
		goto close_driver;
	*ret_hardware = hardware;
	return 0;

close_driver:
	wanted.driver->close(hardware.priv, 1);
free_priv:
	free(hardware.priv);
	return r;
}

int kri_hardware_open(struct kri_hardware *ret_hardware, struct kryos_ctx *ctx, const char *device, int64_t timeout_ns)
{
	int r;

	if (device && strcmp(device, "auto") != 0)
		return open_one(ret_hardware, ctx, device, timeout_ns);
	/* Who asks for pets must get them, or it kills us: a mistake in how it asks is an error, not a reason to go on.
	 */
	r = open_one(ret_hardware, ctx, "systemd", timeout_ns);
	if (r != -ENOENT)
		return r;
	r = open_one(ret_hardware, ctx, "/dev/watchdog0", timeout_ns);
	if (r != -ENOENT && r != -EBUSY && r != -EACCES && r != -EPERM)
		return r;
	kri_log(ctx, r == -ENOENT ? KRYOS_LOG_INFO : KRYOS_LOG_NOTICE, "watchdog", r, "no hardware is petted: %s",
	        kryos_strerror(r));
	return open_one(ret_hardware, ctx, "none", timeout_ns);
}

int kri_hardware_pet(struct kri_hardware *hardware)
{
	return hardware->driver->pet(hardware->priv);
}

void kri_hardware_close(struct kri_hardware *hardware, bool disarm)
{
	if (!hardware->driver)
		return;
	hardware->driver->close(hardware->priv, disarm);
	free(hardware->priv);
	hardware->priv = NULL;
	hardware->driver = NULL;
}
