/* SPDX-License-Identifier: Apache-2.0 */
/* A real-time clock behind the kernel's driver, /dev/rtcN (Linux, Documentation/admin-guide/rtc.rst). */
#include <errno.h>
#include <fcntl.h>
#include <kryos/sys/rtc.h>
#include <linux/rtc.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FIRST_S INT64_C(946684800) /* 2000-01-01 */
#define END_S INT64_C(4102444800)  /* 2100-01-01 */

/* Present since Linux 5.11; the older meaning of bit 0, "voltage low", leads to the same distrust. */
#define VL_DATA_INVALID 1u

/* The node is not kept open: it can be open once only, and hwclock and chronyd have business there too. */
struct node {
	char path[64];
};

static int open_node(const struct node *node, int *ret_fd)
{
	int fd = open(node->path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return kryos_fail(-ENODEV, "%s: no such clock; is the RTC's driver loaded?", node->path);
	if (errno == EBUSY)
		return kryos_fail(-EBUSY, "%s: in use by another process", node->path);
	return kryos_fail(-errno, "%s: %s", node->path, strerror(errno));
}

static int node_open(void *priv, struct kryos_dev *dev, const char *path)
{
	struct node *node = priv;
	struct rtc_time date;
	int fd = -1, r = 0;

	(void)dev;
	if (strlen(path) >= sizeof(node->path))
		return kryos_fail(KRYOS_EDEVICE, "%s: longer than %zu bytes", path, sizeof(node->path) - 1);
	strcpy(node->path, path);
	r = open_node(node, &fd);
	if (r < 0)
		return r;
	if (ioctl(fd, RTC_RD_TIME, &date) < 0 && errno == ENOTTY)
		r = kryos_fail(KRYOS_ECHIP, "%s: not a real-time clock", path);
	close(fd);
	return r;
}

static void node_close(void *priv, struct kryos_dev *dev)
{
	(void)priv;
	(void)dev;
}

static int64_t seconds_of(const struct rtc_time *date)
{
	struct tm tm = { .tm_sec = date->tm_sec,
		         .tm_min = date->tm_min,
		         .tm_hour = date->tm_hour,
		         .tm_mday = date->tm_mday,
		         .tm_mon = date->tm_mon,
		         .tm_year = date->tm_year };

	return (int64_t)timegm(&tm);
}

static int node_read(void *priv, struct kryos_dev *dev, struct kryos_rtc_reading *ret_reading)
{
	struct kryos_rtc_reading reading = { .stopped = 0 };
	struct node *node = priv;
	struct rtc_time date;
	unsigned int low = 0;
	int fd = -1, r;

	(void)dev;
	r = open_node(node, &fd);
	if (r < 0)
		return r;
	memset(&date, 0, sizeof(date));
	if (ioctl(fd, RTC_RD_TIME, &date) == 0) {
		reading.t_wall_ns = seconds_of(&date) * 1000000000;
	} else if (errno == EINVAL) {
		/* rtc_read_time(): the driver knows that its time is invalid, or it is no date. */
		reading.stopped = 1;
	} else {
		r = kryos_fail(-errno, "%s: cannot be read: %s", node->path, strerror(errno));
		goto close_fd;
	}
	/* Few drivers have it; ENOTTY, EINVAL say nothing. */
	if (ioctl(fd, RTC_VL_READ, &low) == 0 && low & VL_DATA_INVALID)
		reading.stopped = 1;
	*ret_reading = reading;
close_fd:
	close(fd);
	return r;
}

static int node_set(void *priv, struct kryos_dev *dev, int64_t t_wall_ns)
{
	time_t seconds = (time_t)(t_wall_ns / 1000000000);
	struct node *node = priv;
	struct rtc_time date;
	struct tm tm;
	int fd = -1, r;

	(void)dev;
	if (t_wall_ns / 1000000000 < FIRST_S || t_wall_ns / 1000000000 >= END_S || !gmtime_r(&seconds, &tm))
		return kryos_fail(-ERANGE, "%s: can be set to 2000 to 2099 only", node->path);
	memset(&date, 0, sizeof(date));
	date.tm_sec = tm.tm_sec;
	date.tm_min = tm.tm_min;
	date.tm_hour = tm.tm_hour;
	date.tm_mday = tm.tm_mday;
	date.tm_mon = tm.tm_mon;
	date.tm_year = tm.tm_year;
	date.tm_wday = tm.tm_wday;
	date.tm_yday = tm.tm_yday;
	r = open_node(node, &fd);
	if (r < 0)
		return r;
	/* The driver clears its chip's stop flag with it. Needs CAP_SYS_TIME. */
	if (ioctl(fd, RTC_SET_TIME, &date) < 0)
		r = kryos_fail(-errno, "%s: cannot be set: %s", node->path, strerror(errno));
	close(fd);
	return r;
}

extern const struct kryos_rtc_driver kri_rtc_node;
const struct kryos_rtc_driver kri_rtc_node = {
	.size = sizeof(kri_rtc_node),
	.name = "rtc",
	.private_size = sizeof(struct node),
	.open = node_open,
	.close = node_close,
	.read = node_read,
	.set = node_set,
};
