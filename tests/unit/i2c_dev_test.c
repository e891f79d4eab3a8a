/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The i2c-dev driver against a stand-in for the kernel: open, ioctl and readlink of this program
 * answer for /dev/i2c-7 as i2c-dev does, and pass everything else on. The real kernel is met in
 * tests/integration/i2c_kernel_test.c.
 */
#include "../../drivers/bus/i2c_dev.h"
#include "core/core.h"
#include "support.h"
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const struct kryos_bus_driver kri_bus_i2c_dev;

/* One adapter with one register chip at 0x76, whose register counts up; registers hold their own number. */
static struct adapter {
	int fd, open_error, error;
	unsigned long funcs;
	uint32_t slave;
	bool bound, is_adapter;
	unsigned int calls;
	uint8_t reg[256], pointer;
} adapter;

/* Seen by libi2c too, although everything else of ours is hidden. */
#define STAND_IN __attribute__((visibility("default")))

STAND_IN int open(const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
	va_end(more);
	if (strcmp(path, "/dev/i2c-7") != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (adapter.open_error) {
		errno = adapter.open_error;
		return -1;
	}
	adapter.fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", flags, 0);
	return adapter.fd;
}

STAND_IN ssize_t readlink(const char *path, char *buffer, size_t size)
{
	static const struct {
		const char *path, *target;
	} links[] = {
		{ "/sys/bus/i2c/devices/7-0068/driver", "../../../../bus/i2c/drivers/rtc-ds1307" },
		{ "/sys/bus/i2c/devices/7-0070/driver", "../../../../bus/i2c/drivers/pca954x" },
		{ "/sys/bus/i2c/devices/7-0070/channel-0", "../i2c-10" },
		{ "/sys/bus/i2c/devices/7-0070/channel-3", "../i2c-13" },
	};

	for (size_t i = 0; i < KRI_ARRAY_SIZE(links); i++) {
		size_t length = strlen(links[i].target);

		if (strcmp(path, links[i].path) != 0)
			continue;
		assert_true(size >= length);
		memcpy(buffer, links[i].target, length);
		return (ssize_t)length;
	}
	return syscall(SYS_readlinkat, AT_FDCWD, path, buffer, size);
}

static int message(const struct i2c_msg *m)
{
	size_t i;

	if (m->addr != 0x76)
		return ENXIO;
	if (m->flags & I2C_M_RD) {
		for (i = 0; i < m->len; i++)
			m->buf[i] = adapter.reg[adapter.pointer++];
		return 0;
	}
	adapter.pointer = m->buf[0];
	for (i = 1; i < m->len; i++)
		adapter.reg[adapter.pointer++] = m->buf[i];
	return 0;
}

static int rdwr(const struct i2c_rdwr_ioctl_data *data)
{
	unsigned int i;
	int error;

	if (!(adapter.funcs & I2C_FUNC_I2C))
		return EOPNOTSUPP;
	for (i = 0; i < data->nmsgs; i++) {
		error = message(&data->msgs[i]);
		if (error)
			return error;
	}
	return 0;
}

static int smbus(const struct i2c_smbus_ioctl_data *call)
{
	uint8_t i;

	if (adapter.slave != 0x76)
		return ENXIO;
	if (call->size == I2C_SMBUS_BYTE && call->read_write == I2C_SMBUS_READ) {
		call->data->byte = adapter.reg[adapter.pointer++];
		return 0;
	}
	adapter.pointer = call->command;
	if (call->size == I2C_SMBUS_BYTE)
		return 0;
	/* libi2c writes, and asks for a full block, by the older number, which the kernel still takes. */
	if (call->size != I2C_SMBUS_I2C_BLOCK_DATA && call->size != I2C_SMBUS_I2C_BLOCK_BROKEN)
		return EINVAL;
	if (call->size == I2C_SMBUS_I2C_BLOCK_BROKEN && call->read_write == I2C_SMBUS_READ)
		call->data->block[0] = I2C_SMBUS_BLOCK_MAX;
	if (call->data->block[0] < 1 || call->data->block[0] > 32)
		return EINVAL;
	for (i = 1; i <= call->data->block[0]; i++) {
		if (call->read_write == I2C_SMBUS_READ)
			call->data->block[i] = adapter.reg[adapter.pointer++];
		else
			adapter.reg[adapter.pointer++] = call->data->block[i];
	}
	return 0;
}

static int answer(unsigned long request, uintptr_t argument)
{
	if (request == I2C_SLAVE && adapter.bound)
		return EBUSY;
	if (request == I2C_SLAVE || request == I2C_SLAVE_FORCE) {
		adapter.slave = (uint32_t)argument;
		return 0;
	}
	if (request == I2C_FUNCS) {
		*(unsigned long *)argument = adapter.funcs;
		return adapter.is_adapter ? 0 : ENOTTY;
	}
	adapter.calls++;
	if (adapter.error)
		return adapter.error;
	if (request == I2C_RDWR)
		return rdwr((const struct i2c_rdwr_ioctl_data *)argument);
	return request == I2C_SMBUS ? smbus((const struct i2c_smbus_ioctl_data *)argument) : ENOTTY;
}

STAND_IN int ioctl(int fd, ioctl_request request, ...)
{
	va_list more;
	uintptr_t argument;

	va_start(more, request);
	argument = va_arg(more, uintptr_t);
	va_end(more);
	if (fd != adapter.fd || fd < 0)
		return (int)syscall(SYS_ioctl, fd, request, argument);
	errno = answer((unsigned int)request, argument);
	return errno ? -1 : 0;
}

#if defined(_TIME_BITS) && defined(__TIMESIZE) && __TIMESIZE == 32
/* Where we ask for times of 64 bit, our ioctl is __ioctl_time64; libi2c, which is built without, calls this one. */
STAND_IN int plain_ioctl(int fd, ioctl_request request, ...) __asm__("ioctl");
STAND_IN int plain_ioctl(int fd, ioctl_request request, ...)
{
	va_list more;
	uintptr_t argument;

	va_start(more, request);
	argument = va_arg(more, uintptr_t);
	va_end(more);
	return ioctl(fd, request, argument);
}
#endif

static _Alignas(max_align_t) char priv[256];
static const struct kryos_address chip = { .number = 0x76, .text = "0x76" };

static void plug_in(unsigned long funcs)
{
	unsigned int i;

	adapter = (struct adapter){ .fd = -1, .funcs = funcs, .is_adapter = true };
	for (i = 0; i < 256; i++)
		adapter.reg[i] = (uint8_t)i;
	memset(priv, 0, sizeof(priv));
	assert_true(kri_bus_i2c_dev.private_size <= sizeof(priv));
	assert_ok(kri_bus_i2c_dev.open(priv, "i2c-7", NULL));
	assert_true(adapter.fd >= 0);
}

static void pull_out(void)
{
	kri_bus_i2c_dev.close(priv);
	adapter.fd = -1;
}

static int transfer(const void *out, size_t out_count, void *in_bytes, size_t in_count)
{
	return kri_bus_i2c_dev.transfer(priv, &chip, out, out_count, in_bytes, in_count);
}

static const unsigned long smbus_only =
	I2C_FUNC_SMBUS_READ_I2C_BLOCK | I2C_FUNC_SMBUS_WRITE_I2C_BLOCK | I2C_FUNC_SMBUS_BYTE;

static void i2c_dev_parses_buses_and_addresses(void **state)
{
	static const char *const wrong_buses[] = {
		"i2c-", "i2c-x", "i2c-1x", "i2c--1", "i2c-99999", "spi-1", "i2c-1 "
	};
	static const char *const wrong_places[] = { "0x02", "0x78",   "0x",  "",           "76h",
		                                    "-3",   "0x076g", "120", "0x100000076" };
	size_t i;

	(void)state;
	assert_int_equal(kri_i2c_parse_bus("i2c-0"), 0);
	assert_int_equal(kri_i2c_parse_bus("i2c-22"), 22);
	assert_int_equal(kri_i2c_parse_address("0x76"), 0x76);
	assert_int_equal(kri_i2c_parse_address("0X3"), 3);
	assert_int_equal(kri_i2c_parse_address("119"), 0x77);
	for (i = 0; i < KRI_ARRAY_SIZE(wrong_buses); i++)
		assert_fails(KRYOS_EDEVICE, kri_i2c_parse_bus(wrong_buses[i]));
	for (i = 0; i < KRI_ARRAY_SIZE(wrong_places); i++) {
		assert_fails(KRYOS_EDEVICE, kri_i2c_parse_address(wrong_places[i]));
		assert_says(KRYOS_EDEVICE, "0x03 to 0x77");
	}
}

static void i2c_dev_maps_errnos_as_the_kernel_documents_them(void **state)
{
	static const struct {
		int errnum, result;
	} table[] = { { ENXIO, -ENXIO },       { EREMOTEIO, -ENXIO }, { ETIMEDOUT, -ETIMEDOUT }, { EAGAIN, -EAGAIN },
		      { EBUSY, KRYOS_ESTUCK }, { ENODEV, -ENODEV },   { ESHUTDOWN, -ENODEV },    { EIO, -EIO },
		      { EPROTO, -EIO },        { EBADMSG, -EIO },     { EINVAL, -EIO } };
	uint8_t byte, reg = 0xd0;
	size_t i;

	(void)state;
	plug_in(I2C_FUNC_I2C);
	for (i = 0; i < KRI_ARRAY_SIZE(table); i++) {
		assert_int_equal(kri_i2c_result(table[i].errnum), table[i].result);
		adapter.error = table[i].errnum;
		assert_fails(table[i].result, transfer(&reg, 1, &byte, 1));
		assert_says(table[i].result, "0x76 on i2c-7");
	}
	pull_out();
}

static void i2c_dev_says_what_is_missing_when_there_is_no_bus(void **state)
{
	(void)state;
	adapter = (struct adapter){ .fd = -1, .open_error = ENOENT };
	assert_fails(-ENODEV, kri_bus_i2c_dev.open(priv, "i2c-7", NULL));
	assert_says(-ENODEV, "/dev/i2c-7");
	assert_says(-ENODEV, "dtparam=i2c_arm=on");
	assert_says(-ENODEV, "i2c-dev");
	adapter.open_error = EACCES;
	assert_fails(-EACCES, kri_bus_i2c_dev.open(priv, "i2c-7", NULL));
	assert_says(-EACCES, "its group is \"i2c\"");
	adapter.open_error = EMFILE;
	assert_fails(-EMFILE, kri_bus_i2c_dev.open(priv, "i2c-7", NULL));
	adapter.open_error = 0; /* opens, but is no adapter */
	assert_fails(-EIO, kri_bus_i2c_dev.open(priv, "i2c-7", NULL));
	assert_says(-EIO, "is no I2C adapter");
	assert_int_equal(fcntl(adapter.fd, F_GETFD), -1); /* nothing is left open */
	adapter.fd = -1;
	assert_fails(KRYOS_EDEVICE, kri_bus_i2c_dev.open(priv, "i2c-", NULL));
}

static void i2c_dev_transfers_plainly_where_the_adapter_can(void **state)
{
	uint8_t bytes[256], out[3] = { 0x10, 0xaa, 0xbb }, reg = 0x08;
	struct kryos_address absent = { .number = 0x20, .text = "0x20" };
	unsigned int i;

	(void)state;
	plug_in(I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL);
	assert_ok(transfer(&reg, 1, bytes, 100));
	for (i = 0; i < 100; i++)
		assert_int_equal(bytes[i], i + 8);
	assert_int_equal(adapter.calls, 1); /* with a repeated start, in one call */
	assert_ok(transfer(out, 3, NULL, 0));
	assert_int_equal(adapter.reg[0x10], 0xaa);
	assert_int_equal(adapter.reg[0x11], 0xbb);
	assert_ok(transfer(out, 1, NULL, 0));
	assert_ok(transfer(NULL, 0, bytes, 2));
	assert_int_equal(bytes[1], 0xbb);
	assert_ok(transfer(NULL, 0, NULL, 0));
	assert_fails(-EINVAL, transfer(&reg, 1, bytes, 8193));
	assert_fails(-ENXIO, kri_bus_i2c_dev.transfer(priv, &absent, &reg, 1, bytes, 1));
	assert_says(-ENXIO, "0x20 on i2c-7: does not acknowledge");
	pull_out();
}

static void i2c_dev_falls_back_to_smbus_blocks(void **state)
{
	uint8_t bytes[256], out[40] = { 0x10, 0xaa, 0xbb }, reg = 0x08;
	unsigned int i;

	(void)state;
	plug_in(smbus_only);
	assert_ok(transfer(&reg, 1, bytes, 100));
	for (i = 0; i < 100; i++)
		assert_int_equal(bytes[i], i + 8);
	assert_int_equal(adapter.calls, 4); /* 32 + 32 + 32 + 4 */
	assert_ok(transfer(out, 3, NULL, 0));
	assert_int_equal(adapter.reg[0x10], 0xaa);
	assert_int_equal(adapter.reg[0x11], 0xbb);
	assert_ok(transfer(out, 2, NULL, 0));
	assert_ok(transfer(out, 33, NULL, 0));
	assert_int_equal(adapter.reg[0x12], 0);
	assert_ok(transfer(&reg, 1, NULL, 0));
	assert_ok(transfer(NULL, 0, bytes, 1));
	assert_int_equal(bytes[0], 0x08);
	assert_fails(-EOPNOTSUPP, transfer(out, 34, NULL, 0));
	assert_says(-EOPNOTSUPP, "speaks only SMBus");
	assert_says(-EOPNOTSUPP, "write 34 and read 0 bytes");
	assert_fails(-EOPNOTSUPP, transfer(out, 2, bytes, 1));
	assert_fails(-EOPNOTSUPP, transfer(NULL, 0, bytes, 2));
	adapter.error = ENXIO;
	assert_fails(-ENXIO, transfer(&reg, 1, bytes, 100));
	assert_fails(-ENXIO, transfer(out, 3, NULL, 0));
	pull_out();

	plug_in(I2C_FUNC_SMBUS_QUICK);
	assert_fails(-EOPNOTSUPP, transfer(&reg, 1, bytes, 1));
	pull_out();
}

static int short_at_96(void *data, uint8_t reg, uint8_t count, uint8_t *bytes)
{
	(void)data;
	memset(bytes, reg, count);
	return reg == 96 ? count - 1 : count;
}

static void i2c_dev_refuses_a_short_block(void **state)
{
	uint8_t bytes[128];

	(void)state;
	assert_ok(kri_i2c_read_split(short_at_96, NULL, 0, bytes, 96));
	assert_fails(-EIO, kri_i2c_read_split(short_at_96, NULL, 0, bytes, 128));
	assert_int_equal(bytes[64], 64);
}

static void i2c_dev_names_the_kernel_driver_that_holds_an_address(void **state)
{
	struct kryos_address rtc = { .number = 0x68, .text = "0x68" }, mux = { .number = 0x70, .text = "0x70" };
	uint8_t bytes[2], reg = 0x0f;

	(void)state;
	plug_in(smbus_only);
	assert_ok(kri_bus_i2c_dev.claim(priv, &rtc));
	adapter.bound = true;
	assert_fails(-EBUSY, kri_bus_i2c_dev.claim(priv, &rtc));
	assert_says(-EBUSY, "0x68 on i2c-7 is held by the kernel's driver rtc-ds1307");
	assert_fails(-EBUSY, kri_bus_i2c_dev.claim(priv, &chip));
	assert_says(-EBUSY, "a kernel driver");
	assert_fails(-EBUSY, kri_bus_i2c_dev.claim(priv, &mux));
	assert_says(-EBUSY, "the multiplexer at 0x70 on i2c-7 is held by the kernel's driver pca954x; its channels are "
	                    "the buses i2c-10 (0), i2c-13 (3)");
	assert_ok(transfer(&reg, 1, bytes, 2)); /* on purpose, as for the status register of a bound clock */
	assert_int_equal(bytes[0], 0x0f);
	pull_out();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i2c_dev_parses_buses_and_addresses),
		cmocka_unit_test(i2c_dev_maps_errnos_as_the_kernel_documents_them),
		cmocka_unit_test(i2c_dev_says_what_is_missing_when_there_is_no_bus),
		cmocka_unit_test(i2c_dev_transfers_plainly_where_the_adapter_can),
		cmocka_unit_test(i2c_dev_falls_back_to_smbus_blocks),
		cmocka_unit_test(i2c_dev_refuses_a_short_block),
		cmocka_unit_test(i2c_dev_names_the_kernel_driver_that_holds_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
