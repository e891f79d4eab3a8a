/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I2C through Linux's i2c-dev (Documentation/i2c/dev-interface.rst).
 *
 * Where the adapter does plain I2C, a transfer is one I2C_RDWR with a repeated start, and register
 * chips cannot be interrupted between address and data. Adapters that only speak SMBus (PC chipsets,
 * i2c-stub) get SMBus I2C block transfers, which put the same bits on the wire.
 *
 * There is no list: every way of asking an address whether it is there disturbs some chip. There is
 * no recover either: user space has no call for it. Adapters that can free a bus do so themselves
 * before a transfer fails (i2c_recover_bus in the kernel); where that failed, KRYOS_ESTUCK is final.
 */
#include "i2c_dev.h"
#include "access.h"
#include "core/core.h"
#include <dirent.h>
#include <fcntl.h>
#include <i2c/smbus.h>
#include <limits.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct i2c_private {
	int fd;
	int number;
	unsigned long funcs;
};

/* The largest message i2c-dev takes. */
#define MAX_MESSAGE 8192

/* -1 where text is not a number in a base that digits allow, or beyond limit. */
static long number_of(const char *text, int base, const char *digits, long limit)
{
	long number;

	if (!*text || strspn(text, digits) != strlen(text) || strlen(text) > 8)
		return -1;
	number = strtol(text, NULL, base);
	return number <= limit ? number : -1;
}

int kri_i2c_parse_bus(const char *name)
{
	long number = strncmp(name, "i2c-", 4) == 0 ? number_of(name + 4, 10, "0123456789", 65535) : -1;

	if (number < 0)
		return kryos_fail(KRYOS_EDEVICE, "%s: no such bus; I2C buses are called i2c-0, i2c-1, ...", name);
	return (int)number;
}

int kri_i2c_parse_address(const char *place)
{
	long number;

	if (strncmp(place, "0x", 2) == 0 || strncmp(place, "0X", 2) == 0)
		number = number_of(place + 2, 16, "0123456789abcdefABCDEF", 0x77);
	else
		number = number_of(place, 10, "0123456789", 0x77);
	if (number < 0x03)
		return kryos_fail(KRYOS_EDEVICE, "\"%s\" is no I2C address; 0x03 to 0x77 are", place);
	return (int)number;
}

int kri_i2c_result(int errnum)
{
	switch (errnum) {
	case ENXIO:     /* no acknowledge of the address */
	case EREMOTEIO: /* the same from some adapters, older Raspberry Pis' among them */
		return -ENXIO;
	case ETIMEDOUT:
	case EAGAIN: /* arbitration lost */
		return -errnum;
	case EBUSY: /* the lines were not free for longer than is allowed, and recovery failed */
		return KRYOS_ESTUCK;
	case ENODEV: /* the adapter was unplugged */
	case ESHUTDOWN:
		return -ENODEV;
	default:
		return -EIO;
	}
}

enum kri_i2c_way kri_i2c_choose_way(unsigned long funcs, size_t out_count, size_t in_count)
{
	if (funcs & I2C_FUNC_I2C)
		return KRI_I2C_PLAIN;
	if (out_count == 1 && in_count > 0 && in_count <= 256 && funcs & I2C_FUNC_SMBUS_READ_I2C_BLOCK)
		return KRI_I2C_READ_BLOCK;
	if (out_count >= 2 && out_count <= 1 + I2C_SMBUS_BLOCK_MAX && !in_count &&
	    funcs & I2C_FUNC_SMBUS_WRITE_I2C_BLOCK)
		return KRI_I2C_WRITE_BLOCK;
	if (out_count == 1 && !in_count && funcs & I2C_FUNC_SMBUS_WRITE_BYTE)
		return KRI_I2C_WRITE_BYTE;
	if (!out_count && in_count == 1 && funcs & I2C_FUNC_SMBUS_READ_BYTE)
		return KRI_I2C_READ_BYTE;
	return KRI_I2C_IMPOSSIBLE;
}

int kri_i2c_read_split(int (*read)(void *data, uint8_t reg, uint8_t count, uint8_t *bytes), void *data, uint8_t reg,
                       uint8_t *bytes, size_t count)
{
	while (count) {
		uint8_t piece = (uint8_t)(count < I2C_SMBUS_BLOCK_MAX ? count : I2C_SMBUS_BLOCK_MAX);
		int r = read(data, reg, piece, bytes);

		if (r < 0)
			return r;
		if (r != piece)
			return -EIO;
		reg = (uint8_t)(reg + piece);
		bytes += piece;
		count -= piece;
	}
	return 0;
}

static int open_node(int number, const char *name)
{
	char path[32];
	int fd, error;

	snprintf(path, sizeof(path), "/dev/i2c-%d", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	error = errno;
	if (fd >= 0)
		return fd;
	if (error == ENOENT || error == ENXIO || error == ENODEV)
		return kryos_fail(-ENODEV,
		                  "%s: there is no %s; is \"dtparam=i2c_arm=on\" in /boot/firmware/config.txt, and the "
		                  "kernel module i2c-dev loaded?",
		                  name, path);
	if (error == EACCES || error == EPERM)
		return kri_fail_access(path, "i2c");
	return kryos_fail(-error, "%s: %s: %s", name, path, strerror(error));
}

static int i2c_open(void *priv, const char *name, void *userdata)
{
	struct i2c_private *bus = priv;
	int error;

	(void)userdata;
	bus->number = kri_i2c_parse_bus(name);
	if (bus->number < 0)
		return bus->number;
	bus->fd = open_node(bus->number, name);
	if (bus->fd < 0)
		return bus->fd;
	if (ioctl(bus->fd, I2C_FUNCS, &bus->funcs) == 0)
		return 0;
	error = errno;
	close(bus->fd);
	return kryos_fail(kri_i2c_result(error), "%s: /dev/i2c-%d is no I2C adapter: %s", name, bus->number,
	                  strerror(error));
}

static void i2c_close(void *priv)
{
	struct i2c_private *bus = priv;

	close(bus->fd);
	bus->fd = -1;
}

static int i2c_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	int number = kri_i2c_parse_address(place);

	(void)priv;
	if (number < 0)
		return number;
	*ret_address = (struct kryos_address){ .number = (uint32_t)number };
	snprintf(ret_address->text, sizeof(ret_address->text), "%s", place);
	return 0;
}

/* The name of the kernel driver bound to an address, from sysfs; "a kernel driver" where that does not tell. */
static void holder_of(int number, uint32_t address, char *name, size_t size)
{
	char path[64], target[PATH_MAX];
	const char *slash;
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/i2c/devices/%d-%04x/driver", number, address);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, size, "%s", slash && slash[1] ? slash + 1 : "a kernel driver");
}

/* "; its channels are i2c-4 (0), i2c-5 (1)" of a multiplexer that a kernel driver holds: it made a bus of each. */
static void channels_of(int number, uint32_t address, char *text, size_t size)
{
	char path[64], target[PATH_MAX];
	size_t length = 0;

	*text = '\0';
	for (unsigned int channel = 0; channel < 8; channel++) {
		const char *slash;
		ssize_t count;

		snprintf(path, sizeof(path), "/sys/bus/i2c/devices/%d-%04x/channel-%u", number, address, channel);
		count = readlink(path, target, sizeof(target) - 1);
		target[count < 0 ? 0 : count] = '\0';
		slash = strrchr(target, '/');
		if (slash && length < size)
			length += (size_t)snprintf(text + length, size - length, "%s%.16s (%u)",
			                           length ? ", " : "; its channels are the buses ", slash + 1, channel);
	}
}

/* ", which measures as iio@1-0076": what of the driver that holds an address can be read instead of the chip. */
static void source_of(int number, uint32_t address, char *text, size_t size)
{
	static const struct {
		const char *entry, *driver;
	} classes[] = { { "iio:device", "iio" }, { "hwmon", "hwmon" }, { "power_supply", "power_supply" } };
	struct dirent *entry;
	char path[64];
	DIR *folder;

	*text = '\0';
	snprintf(path, sizeof(path), "/sys/bus/i2c/devices/%d-%04x", number, address);
	folder = opendir(path);
	while (folder && !*text && (entry = readdir(folder)))
		for (size_t i = 0; i < KRI_ARRAY_SIZE(classes); i++)
			if (strncmp(entry->d_name, classes[i].entry, strlen(classes[i].entry)) == 0)
				snprintf(text, size, ", which measures as %s@%d-%04x", classes[i].driver, number,
				         address);
	if (folder)
		closedir(folder);
}

static int i2c_claim(void *priv, const struct kryos_address *address)
{
	struct i2c_private *bus = priv;
	char holder[128], channels[256], source[64];
	int error;

	if (ioctl(bus->fd, I2C_SLAVE, (unsigned long)address->number) == 0)
		return 0;
	error = errno;
	if (error != EBUSY)
		return kryos_fail(kri_i2c_result(error), "i2c-%d: address 0x%02x: %s", bus->number, address->number,
		                  strerror(error));
	holder_of(bus->number, address->number, holder, sizeof(holder));
	channels_of(bus->number, address->number, channels, sizeof(channels));
	if (*channels)
		return kryos_fail(-EBUSY,
		                  "the multiplexer at 0x%02x on i2c-%d is held by the kernel's driver %s%s; name "
		                  "one of them instead",
		                  address->number, bus->number, holder, channels);
	source_of(bus->number, address->number, source, sizeof(source));
	return kryos_fail(-EBUSY,
	                  "address 0x%02x on i2c-%d is held by the kernel's driver %s%s; to let it go: echo "
	                  "%d-%04x > /sys/bus/i2c/drivers/%s/unbind",
	                  address->number, bus->number, holder, source, bus->number, address->number, holder);
}

static int plain_transfer(const struct i2c_private *bus, uint16_t address, const uint8_t *out, size_t out_count,
                          uint8_t *in, size_t in_count)
{
	struct i2c_msg messages[2];
	struct i2c_rdwr_ioctl_data both = { .msgs = messages };

	/* The kernel's struct has no const; it does not write to what is sent. */
	if (out_count)
		messages[both.nmsgs++] = (struct i2c_msg){ .addr = address,
			                                   .len = (uint16_t)out_count,
			                                   .buf = (uint8_t *)(uintptr_t)out };
	if (in_count)
		messages[both.nmsgs++] =
			(struct i2c_msg){ .addr = address, .flags = I2C_M_RD, .len = (uint16_t)in_count, .buf = in };
	if (!both.nmsgs)
		return 0;
	return ioctl(bus->fd, I2C_RDWR, &both) < 0 ? -errno : 0;
}

static int read_block(void *data, uint8_t reg, uint8_t count, uint8_t *bytes)
{
	const struct i2c_private *bus = data;
	int r = i2c_smbus_read_i2c_block_data(bus->fd, reg, count, bytes);

	return r < 0 ? -errno : r;
}

static int smbus_transfer(struct i2c_private *bus, enum kri_i2c_way way, uint16_t address, const uint8_t *out,
                          size_t out_count, uint8_t *in, size_t in_count)
{
	int r;

	/* Forced, because who may not have the address was refused by claim; a bound RTC is read on purpose. */
	if (ioctl(bus->fd, I2C_SLAVE_FORCE, (unsigned long)address) < 0)
		return -errno;
	switch (way) {
	case KRI_I2C_READ_BLOCK:
		return kri_i2c_read_split(read_block, bus, out[0], in, in_count);
	case KRI_I2C_WRITE_BLOCK:
		r = i2c_smbus_write_i2c_block_data(bus->fd, out[0], (uint8_t)(out_count - 1), out + 1);
		return r < 0 ? -errno : 0;
	case KRI_I2C_WRITE_BYTE:
		return i2c_smbus_write_byte(bus->fd, out[0]) < 0 ? -errno : 0;
	default:
		r = i2c_smbus_read_byte(bus->fd);
		if (r < 0)
			return -errno;
		in[0] = (uint8_t)r;
		return 0;
	}
}

static const char *explain(int result)
{
	switch (result) {
	case -ENXIO:
		return "does not acknowledge";
	case -EAGAIN:
		return "arbitration lost to another master";
	case -ETIMEDOUT:
		return "no answer in time";
	case -ENODEV:
		return "the adapter has gone";
	case KRYOS_ESTUCK:
		return "the bus is busy for too long: a line may be held low, and the kernel's recovery did not free "
		       "it";
	default:
		return "transfer failed";
	}
}

static int i2c_transfer(void *priv, const struct kryos_address *address, const uint8_t *out, size_t out_count,
                        uint8_t *in, size_t in_count)
{
	struct i2c_private *bus = priv;
	enum kri_i2c_way way = kri_i2c_choose_way(bus->funcs, out_count, in_count);
	uint16_t number = (uint16_t)address->number;
	int r, result;

	if (out_count > MAX_MESSAGE || in_count > MAX_MESSAGE)
		return kryos_fail(-EINVAL, "i2c-%d: a transfer has at most %d bytes each way", bus->number,
		                  MAX_MESSAGE);
	if (!out_count && !in_count)
		return 0;
	if (way == KRI_I2C_IMPOSSIBLE)
		return kryos_fail(-EOPNOTSUPP,
		                  "i2c-%d: this adapter speaks only SMBus (functions 0x%08lx) and cannot write %zu and "
		                  "read %zu bytes in one transfer",
		                  bus->number, bus->funcs, out_count, in_count);
	if (way == KRI_I2C_PLAIN)
		r = plain_transfer(bus, number, out, out_count, in, in_count);
	else
		r = smbus_transfer(bus, way, number, out, out_count, in, in_count);
	if (r >= 0)
		return 0;
	result = kri_i2c_result(-r);
	return kryos_fail(result, "0x%02x on i2c-%d: %s (%s)", address->number, bus->number, explain(result),
	                  strerror(-r));
}

static void i2c_each(void (*found)(void *data, const char *name), void *data, void *userdata)
{
	DIR *folder = opendir("/dev");
	struct dirent *entry;

	(void)userdata;
	while (folder && (entry = readdir(folder)))
		if (strncmp(entry->d_name, "i2c-", 4) == 0 &&
		    number_of(entry->d_name + 4, 10, "0123456789", 65535) >= 0)
			found(data, entry->d_name);
	if (folder)
		closedir(folder);
}

const struct kryos_bus_driver kri_bus_i2c_dev = {
	.size = sizeof(kri_bus_i2c_dev),
	.prefix = "i2c-",
	.private_size = sizeof(struct i2c_private),
	.open = i2c_open,
	.close = i2c_close,
	.parse = i2c_parse,
	.claim = i2c_claim,
	.transfer = i2c_transfer,
	.each = i2c_each,
};
