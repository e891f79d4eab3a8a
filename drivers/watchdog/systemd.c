/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd's watchdog of a service (WatchdogSec=, sd_watchdog_enabled(3)): a service that sends no
 * WATCHDOG=1 in time is killed with SIGABRT and restarted. The hardware is systemd's own affair
 * (RuntimeWatchdogSec=).
 */
#include "watchdog/notify.h"
#include <errno.h>
#include <inttypes.h>
#include <kryos/sys/bus.h>
#include <kryos/sys/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct systemd {
	int fd;
};

/* 0 and what $name says; -ENOENT: not set; -EINVAL: no number. */
static int number_of(const char *name, uint64_t *ret_number)
{
	const char *text = getenv(name);
	unsigned long long number;
	char *end;

	if (!text || !*text)
		return -ENOENT;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (*end || errno || text[0] < '0' || text[0] > '9')
		return kryos_fail(-EINVAL, "%s=%s: not a number", name, text);
	*ret_number = number;
	return 0;
}

static int systemd_open(void *priv, const char *device, int64_t timeout_ns, void *userdata, int64_t *ret_timeout_ns,
                        uint32_t *ret_boot_status)
{
	struct systemd *systemd = priv;
	uint64_t usec = 0, pid = 0;
	char state[64];
	int r;

	(void)device;
	(void)timeout_ns; /* the unit file decides */
	(void)userdata;
	r = number_of("WATCHDOG_USEC", &usec);
	if (r == -EINVAL)
		return r;
	if (r < 0 || usec == 0)
		return kryos_fail(-ENOENT, "systemd: asks for no pets; set WatchdogSec= in the unit");
	if (usec > UINT64_C(86400000000))
		return kryos_fail(-EINVAL, "WATCHDOG_USEC=%" PRIu64 ": a day is the most that makes sense", usec);
	/* sd_watchdog_enabled(3): inherited by a child it is not meant for. Absent: for whoever reads it. */
	r = number_of("WATCHDOG_PID", &pid);
	if (r == -EINVAL)
		return r;
	if (r == 0 && pid != (uint64_t)getpid())
		return kryos_fail(-ENOENT, "systemd: asks pid %" PRIu64 " for pets, not this process", pid);
	r = kri_notify_open(&systemd->fd);
	if (r == 0)
		return kryos_fail(-ENOENT, "systemd: asks for pets but NOTIFY_SOCKET is not set");
	if (r < 0)
		return r;
	/* Arms it again where an earlier close disarmed it. */
	snprintf(state, sizeof(state), "WATCHDOG=1\nWATCHDOG_USEC=%" PRIu64, usec);
	r = kri_notify_send(systemd->fd, state);
	if (r < 0) {
		close(systemd->fd);
		return r;
	}
	*ret_timeout_ns = (int64_t)usec * 1000;
	*ret_boot_status = 0;
	return 0;
}

static int systemd_pet(void *priv)
{
	struct systemd *systemd = priv;

	return kri_notify_send(systemd->fd, "WATCHDOG=1");
}

static void systemd_close(void *priv, int disarm)
{
	struct systemd *systemd = priv;

	/* 0 stops the timer (service_start_watchdog() in systemd's service.c); if it is not heard, the kill is honest.
	 */
	if (disarm && kri_notify_send(systemd->fd, "WATCHDOG_USEC=0") < 0)
		kri_notify_send(systemd->fd, "WATCHDOG=1");
	close(systemd->fd);
}

extern const struct kryos_watchdog_driver kri_watchdog_systemd;
const struct kryos_watchdog_driver kri_watchdog_systemd = {
	.size = sizeof(kri_watchdog_systemd),
	.name = "systemd",
	.prefix = "systemd",
	.private_size = sizeof(struct systemd),
	.open = systemd_open,
	.pet = systemd_pet,
	.close = systemd_close,
};
