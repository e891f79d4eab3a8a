/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPI through Linux's spidev (Documentation/spi/spidev.rst): "spi-0.1" is /dev/spidev0.1, the chip at select 1 of
 * bus 0. So each chip is a bus of its own with a worker of its own; the kernel takes turns on the wires they share.
 *
 * A transfer is one message: what is written, then what is read, with the chip selected all the time.
 *
 * There is no list, claim or recover. A chip select does not say whether a chip is there; one that a kernel driver
 * holds has no node; and no chip can hold the wires against the master.
 */
#include "access.h"
#include "core/core.h"
#include <fcntl.h>
#include <kryos/sys/bus.h>
#include <limits.h>
#include <linux/spi/spidev.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What spidev takes in one message unless its parameter bufsiz says otherwise. */
#define MAX_MESSAGE 4096

struct spidev_private {
	int fd;
	char name[16], node[32];
	/* As the board is wired, not as a chip wants it: a chip select that is inverted, or none. */
	uint32_t wiring;
};

static int spidev_result(int errnum)
{
	switch (errnum) {
	case ETIMEDOUT:
		return -ETIMEDOUT;
	case ENODEV: /* the controller was unplugged, or the chip's node was taken away */
	case ESHUTDOWN:
		return -ENODEV;
	default:
		return -EIO;
	}
}

/* The node may be missing because a kernel driver has the chip; where it has not, who asks for the bus says more. */
static int fail_missing(const struct spidev_private *bus)
{
	char path[64], target[PATH_MAX];
	const char *device = bus->name + 4, *slash;
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/spi/devices/spi%s/driver", device);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	slash = strrchr(target, '/');
	if (!slash || !slash[1])
		return -ENODEV;
	return kryos_fail(-EBUSY,
	                  "%s is held by the kernel's driver %s; to let it go, as root in /sys/bus/spi: echo spi%s > "
	                  "drivers/%s/unbind; echo spidev > devices/spi%s/driver_override; echo spi%s > "
	                  "drivers/spidev/bind",
	                  bus->name, slash + 1, device, slash + 1, device, device);
}

/* "spi-0.1" */
static bool is_chip_select(const char *name)
{
	static const char digits[] = "0123456789";
	size_t bus, select;

	if (strncmp(name, "spi-", 4) != 0)
		return false;
	bus = strspn(name + 4, digits);
	if (bus < 1 || bus > 3 || name[4 + bus] != '.')
		return false;
	select = strspn(name + 5 + bus, digits);
	return select >= 1 && select <= 3 && !name[5 + bus + select];
}

static int spidev_open(void *priv, const char *name, void *userdata)
{
	struct spidev_private *bus = priv;
	uint32_t mode;
	int error;

	(void)userdata;
	if (!is_chip_select(name))
		return kryos_fail(KRYOS_EDEVICE, "%s: no such bus; SPI devices are called spi-0.0, spi-0.1, ...", name);
	snprintf(bus->name, sizeof(bus->name), "%s", name);
	snprintf(bus->node, sizeof(bus->node), "/dev/spidev%s", name + 4);
	bus->fd = open(bus->node, O_RDWR | O_CLOEXEC);
	error = errno;
	if (bus->fd < 0 && (error == ENOENT || error == ENXIO || error == ENODEV))
		return fail_missing(bus);
	if (bus->fd < 0 && (error == EACCES || error == EPERM))
		return kri_fail_access(bus->node, "spi");
	if (bus->fd < 0)
		return kryos_fail(-error, "%s: %s: %s", name, bus->node, strerror(error));
	if (ioctl(bus->fd, SPI_IOC_RD_MODE32, &mode) < 0) {
		error = errno;
		close(bus->fd);
		return kryos_fail(spidev_result(error), "%s: %s is no SPI device: %s", name, bus->node,
		                  strerror(error));
	}
	bus->wiring = mode & (SPI_CS_HIGH | SPI_NO_CS);
	return 0;
}

static void spidev_close(void *priv)
{
	struct spidev_private *bus = priv;

	close(bus->fd);
	bus->fd = -1;
}

static int spidev_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	const struct spidev_private *bus = priv;

	if (place[0])
		return kryos_fail(KRYOS_EDEVICE, "%s: \"%s\" is too much; the chip select is all the place there is",
		                  bus->name, place);
	*ret_address = (struct kryos_address){ .number = 0 };
	return 0;
}

/*
 * The kernel keeps one mode for each chip select, not for each who opened it: any other program may have changed it
 * since the last transfer. It is asked, rather than set each time, because setting it reaches the controller.
 */
static int set_mode(const struct spidev_private *bus, uint32_t mode)
{
	uint32_t in_force;

	mode |= bus->wiring;
	if (ioctl(bus->fd, SPI_IOC_RD_MODE32, &in_force) < 0)
		return -errno;
	return in_force == mode || ioctl(bus->fd, SPI_IOC_WR_MODE32, &mode) >= 0 ? 0 : -errno;
}

static int send_message(const struct spidev_private *bus, uint32_t hz, const uint8_t *out, size_t out_count,
                        uint8_t *in, size_t in_count)
{
	struct spi_ioc_transfer transfers[2];
	unsigned int count = 0;

	memset(transfers, 0, sizeof(transfers));
	if (out_count) {
		transfers[count].tx_buf = (uintptr_t)out;
		transfers[count++].len = (uint32_t)out_count;
	}
	if (in_count) {
		transfers[count].rx_buf = (uintptr_t)in;
		transfers[count++].len = (uint32_t)in_count;
	}
	for (unsigned int i = 0; i < count; i++) {
		transfers[i].speed_hz = hz;
		transfers[i].bits_per_word = 8;
	}
	return ioctl(bus->fd, count == 2 ? SPI_IOC_MESSAGE(2) : SPI_IOC_MESSAGE(1), transfers) < 0 ? -errno : 0;
}

static const char *explain(int result)
{
	switch (result) {
	case -ETIMEDOUT:
		return "the controller did not finish in time";
	case -ENODEV:
		return "the controller has gone";
	default:
		return "transfer failed";
	}
}

static int spidev_transfer(void *priv, const struct kryos_address *address, const uint8_t *out, size_t out_count,
                           uint8_t *in, size_t in_count)
{
	const struct spidev_private *bus = priv;
	int r, result;

	if (out_count + in_count > MAX_MESSAGE)
		return kryos_fail(-EINVAL, "%s: a transfer has at most %d bytes", bus->name, MAX_MESSAGE);
	if (!out_count && !in_count)
		return 0;
	r = set_mode(bus, address->spi_mode);
	if (r == -EINVAL)
		return kryos_fail(-EIO, "%s: the controller does not take SPI mode %u (%s)", bus->name,
		                  address->spi_mode, strerror(-r));
	if (r >= 0)
		r = send_message(bus, address->spi_max_hz, out, out_count, in, in_count);
	if (r >= 0)
		return 0;
	result = spidev_result(-r);
	return kryos_fail(result, "%s: %s (%s)", bus->name, explain(result), strerror(-r));
}

const struct kryos_bus_driver kri_bus_spidev = {
	.size = sizeof(kri_bus_spidev),
	.prefix = "spi-",
	.private_size = sizeof(struct spidev_private),
	.open = spidev_open,
	.close = spidev_close,
	.parse = spidev_parse,
	.transfer = spidev_transfer,
};
