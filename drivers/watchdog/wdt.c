/* SPDX-License-Identifier: Apache-2.0 */
/* Hardware behind /dev/watchdogN (Linux, Documentation/watchdog/watchdog-api.rst). Opening it starts it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <kryos/sys/bus.h>
#include <kryos/sys/watchdog.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct wdt {
	int fd;
};

/* Whether one of a process's descriptors is device, or the same hardware under its other name (/dev/watchdog). */
static int holds(const char *pid, const char *device)
{
	char path[300], target[256];
	struct dirent *entry;
	int found = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	folder = opendir(path); /* another user's: only root may look */
	if (!folder)
		return 0;
	while (!found && (entry = readdir(folder))) {
		ssize_t count = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

		if (count < 0)
			continue;
		target[count] = '\0';
		found = strcmp(target, device) == 0 ||
		        (strcmp(target, "/dev/watchdog") == 0 && strcmp(device, "/dev/watchdog0") == 0) ||
		        (strcmp(target, "/dev/watchdog0") == 0 && strcmp(device, "/dev/watchdog") == 0);
	}
	closedir(folder);
	return found;
}

/* "held by systemd (pid 1)", or what can be said without knowing. */
static void name_holder(const char *device, char *text, size_t size)
{
	char path[300], name[32] = "a process";
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	snprintf(text, size, "held by another process, which only root can name");
	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		FILE *comm;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !holds(entry->d_name, device))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		comm = fopen(path, "re");
		if (comm) {
			if (fgets(name, sizeof(name), comm))
				name[strcspn(name, "\n")] = '\0';
			fclose(comm);
		}
		snprintf(text, size, "held by %s (pid %.15s)", name, entry->d_name);
		break;
	}
	closedir(folder);
}

static int open_failed(const char *device, int error)
{
	char holder[128];

	switch (error) {
	case EBUSY:
		name_holder(device, holder, sizeof(holder));
		return kryos_fail(-EBUSY, "%s: %s", device, holder);
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return kryos_fail(-ENOENT, "%s: no such device; is the watchdog's driver loaded?", device);
	default:
		return kryos_fail(-error, "%s: %s", device, strerror(error));
	}
}

static int set_timeout(int fd, int seconds)
{
	return ioctl(fd, WDIOC_SETTIMEOUT, &seconds) < 0 ? -errno : 0;
}

/*
 * Some drivers refuse what is above their limit instead of taking the limit (bcm2835: 16 s). The
 * limit can't be asked for everywhere, so it is searched: the longest one below seconds that is taken.
 */
static void set_longest_below(int fd, int seconds)
{
	int low = 0, high = seconds; /* low is taken, high is refused */

	while (high - low > 1) {
		int middle = low + (high - low) / 2;

		if (set_timeout(fd, middle) < 0)
			high = middle;
		else
			low = middle;
	}
	if (low > 0)
		(void)set_timeout(fd, low);
}

static int wdt_open(void *priv, const char *device, int64_t timeout_ns, void *userdata, int64_t *ret_timeout_ns,
                    uint32_t *ret_boot_status)
{
	int seconds = (int)((timeout_ns + 999999999) / 1000000000), real = 0, boot_status = 0, r;
	struct wdt *wdt = priv;

	(void)userdata;
	wdt->fd = open(device, O_WRONLY | O_CLOEXEC);
	if (wdt->fd < 0)
		return open_failed(device, errno);
	r = set_timeout(wdt->fd, seconds);
	if (r == -EINVAL)
		set_longest_below(wdt->fd, seconds);
	/* A driver without SETTIMEOUT has one fixed timeout; what counts is what is read back. */
	if (ioctl(wdt->fd, WDIOC_GETTIMEOUT, &real) < 0 || real <= 0) {
		r = errno == ENOTTY ? kryos_fail(-EINVAL, "%s: not a watchdog, or one that tells no timeout", device)
		                    : kryos_fail(-EINVAL, "%s: tells no timeout: %s", device, strerror(errno));
		goto disarm;
	}
	if (ioctl(wdt->fd, WDIOC_GETBOOTSTATUS, &boot_status) < 0)
		boot_status = 0;
	*ret_timeout_ns = (int64_t)real * 1000000000;
	*ret_boot_status = (uint32_t)boot_status;
	return 0;

disarm:
	if (write(wdt->fd, "V", 1) < 0)
		r = kryos_fail(r, "%s: tells no timeout and cannot be stopped", device);
	close(wdt->fd);
	return r;
}

static int wdt_pet(void *priv)
{
	struct wdt *wdt = priv;

	if (ioctl(wdt->fd, WDIOC_KEEPALIVE, 0) < 0)
		return kryos_fail(-errno, "watchdog: cannot be petted: %s", strerror(errno));
	return 0;
}

static void wdt_close(void *priv, int disarm)
{
	struct wdt *wdt = priv;

	/* Magic close. A driver built with nowayout ignores it and resets the board, as its owner decided. */
	while (disarm && write(wdt->fd, "V", 1) < 0 && errno == EINTR)
		continue;
	close(wdt->fd);
}

/* "/sys/class/watchdog/watchdog0/identity" and others (CONFIG_WATCHDOG_SYSFS); "" where there is none. */
static void attribute(const char *device, const char *name, char *text, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/watchdog/%.32s/%s", strrchr(device, '/') + 1, name);
	file = fopen(path, "re");
	if (!file || !fgets(text, (int)size, file))
		*text = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (file)
		fclose(file);
}

static int wdt_look(const char *device, char *ret_text, size_t size)
{
	char identity[64], state[16], timeout[16];

	if (access(device, F_OK) < 0) {
		snprintf(ret_text, size, "none: there is no %s", device);
		return -ENOENT;
	}
	attribute(device, "identity", identity, sizeof(identity));
	attribute(device, "state", state, sizeof(state));
	attribute(device, "timeout", timeout, sizeof(timeout));
	if (strcmp(state, "active") == 0) {
		char holder[128];

		name_holder(device, holder, sizeof(holder));
		snprintf(ret_text, size, "%s", holder);
		return -EBUSY;
	}
	snprintf(ret_text, size, "%s%s%s%s%s%s", device, *identity ? " (" : "", identity, *identity ? ")" : "",
	         *timeout ? ", set to " : "", timeout);
	if (*timeout)
		strncat(ret_text, " s", size - strlen(ret_text) - 1);
	return 0;
}

extern const struct kryos_watchdog_driver kri_watchdog_wdt;
const struct kryos_watchdog_driver kri_watchdog_wdt = {
	.size = sizeof(kri_watchdog_wdt),
	.name = "wdt",
	.prefix = "/dev/watchdog",
	.private_size = sizeof(struct wdt),
	.open = wdt_open,
	.pet = wdt_pet,
	.close = wdt_close,
	.look = wdt_look,
};
