/* SPDX-License-Identifier: Apache-2.0 */
/* No hardware: lateness is named and announced, nothing is reset. */
#include <kryos/sys/watchdog.h>

static int none_open(void *priv, const char *device, int64_t timeout_ns, void *userdata, int64_t *ret_timeout_ns,
                     uint32_t *ret_boot_status)
{
	(void)priv;
	(void)device;
	(void)timeout_ns;
	(void)userdata;
	*ret_timeout_ns = 0;
	*ret_boot_status = 0;
	return 0;
}

static int none_pet(void *priv)
{
	(void)priv;
	return 0;
}

static void none_close(void *priv, int disarm)
{
	(void)priv;
	(void)disarm;
}

extern const struct kryos_watchdog_driver kri_watchdog_none;
const struct kryos_watchdog_driver kri_watchdog_none = {
	.size = sizeof(kri_watchdog_none),
	.name = "none",
	.prefix = "none",
	.open = none_open,
	.pet = none_pet,
	.close = none_close,
};
