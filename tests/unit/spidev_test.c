/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spidev driver against a stand-in for the kernel: open, ioctl and readlink of this program answer for
 * /dev/spidev7.1 as spidev does, and pass everything else on. The real kernel is met in tests/vm/cases/spi.sh.
 */
#include "core/core.h"
#include "sensor/sensor.h"
#include "support.h"
#include <fcntl.h>
#include <linux/spi/spidev.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const struct kryos_bus_driver kri_bus_spidev;

/* One chip whose registers count up and hold their own number; a first byte with bit 7 writes. */
static struct controller {
	int fd, open_error, error, mode_error;
	bool is_spi, bound;
	uint32_t mode, hz;
	unsigned int messages, modes;
	uint8_t reg[128];
} controller;

#define STAND_IN __attribute__((visibility("default")))

STAND_IN int open(const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
	va_end(more);
	if (strcmp(path, "/dev/spidev7.1") != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (controller.open_error) {
		errno = controller.open_error;
		return -1;
	}
	controller.fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", flags, 0);
	return controller.fd;
}

STAND_IN ssize_t readlink(const char *path, char *buffer, size_t size)
{
	static const char target[] = "../../../../bus/spi/drivers/max31865";

	if (strcmp(path, "/sys/bus/spi/devices/spi7.1/driver") != 0 || !controller.bound)
		return syscall(SYS_readlinkat, AT_FDCWD, path, buffer, size);
	assert_true(size >= sizeof(target));
	memcpy(buffer, target, sizeof(target) - 1);
	return sizeof(target) - 1;
}

/* The chip hears the bytes of a message as one, because it stays selected. */
static int message(const struct spi_ioc_transfer *transfers, unsigned int count)
{
	uint8_t first = 0, at = 0;
	size_t heard = 0;

	controller.messages++;
	for (unsigned int i = 0; i < count; i++) {
		const uint8_t *tx = (const uint8_t *)(uintptr_t)transfers[i].tx_buf;
		uint8_t *rx = (uint8_t *)(uintptr_t)transfers[i].rx_buf;

		assert_int_equal(transfers[i].bits_per_word, 8);
		assert_int_equal(transfers[i].cs_change, 0);
		controller.hz = transfers[i].speed_hz;
		for (uint32_t n = 0; n < transfers[i].len; n++, heard++) {
			uint8_t out = tx ? tx[n] : 0;

			if (!heard)
				first = at = out;
			else if (first & 0x80)
				controller.reg[at++ & 0x7f] = out;
			if (rx)
				rx[n] = heard ? controller.reg[at++ & 0x7f] : 0xff;
		}
	}
	return 0;
}

static int answer(unsigned long request, uintptr_t argument)
{
	if (!controller.is_spi)
		return ENOTTY;
	if (request == SPI_IOC_RD_MODE32) {
		*(uint32_t *)argument = controller.mode;
		return 0;
	}
	if (request == SPI_IOC_WR_MODE32) {
		controller.modes++;
		if (!controller.mode_error)
			controller.mode = *(uint32_t *)argument;
		return controller.mode_error;
	}
	if (controller.error)
		return controller.error;
	if (request == SPI_IOC_MESSAGE(1))
		return message((const struct spi_ioc_transfer *)argument, 1);
	return request == SPI_IOC_MESSAGE(2) ? message((const struct spi_ioc_transfer *)argument, 2) : ENOTTY;
}

STAND_IN int ioctl(int fd, ioctl_request request, ...)
{
	va_list more;
	uintptr_t argument;

	va_start(more, request);
	argument = va_arg(more, uintptr_t);
	va_end(more);
	if (fd != controller.fd || fd < 0)
		return (int)syscall(SYS_ioctl, fd, request, argument);
	errno = answer((unsigned int)request, argument);
	return errno ? -1 : 0;
}

static _Alignas(max_align_t) char priv[256];

static void plug_in(uint32_t mode)
{
	controller = (struct controller){ .fd = -1, .is_spi = true, .mode = mode };
	for (unsigned int i = 0; i < sizeof(controller.reg); i++)
		controller.reg[i] = (uint8_t)i;
	memset(priv, 0, sizeof(priv));
	assert_true(kri_bus_spidev.private_size <= sizeof(priv));
	assert_ok(kri_bus_spidev.open(priv, "spi-7.1", NULL));
	assert_true(controller.fd >= 0);
}

static void pull_out(void)
{
	kri_bus_spidev.close(priv);
	controller.fd = -1;
}

static int transfer(uint32_t mode, const void *out, size_t out_count, void *in_bytes, size_t in_count)
{
	struct kryos_address chip;

	assert_ok(kri_bus_spidev.parse(priv, "", &chip));
	chip.spi_mode = mode;
	chip.spi_max_hz = 123456;
	return kri_bus_spidev.transfer(priv, &chip, out, out_count, in_bytes, in_count);
}

static void spidev_takes_names_of_chip_selects_only(void **state)
{
	static const char *const wrong[] = { "spi-",     "spi-0",   "spi-0.",     "spi-.0",
		                             "spi-0.0x", "spi-x.0", "spi-1234.0", "i2c-0.0" };
	struct kryos_address address;

	(void)state;
	controller = (struct controller){ .fd = -1 };
	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++) {
		assert_fails(KRYOS_EDEVICE, kri_bus_spidev.open(priv, wrong[i], NULL));
		assert_says(KRYOS_EDEVICE, "spi-0.0, spi-0.1");
	}
	plug_in(0);
	assert_fails(KRYOS_EDEVICE, kri_bus_spidev.parse(priv, "0x76", &address));
	pull_out();
}

static void spidev_says_what_is_missing_when_there_is_no_bus(void **state)
{
	struct kryos_ctx *ctx;
	struct kryos_dev *dev;

	(void)state;
	controller = (struct controller){ .fd = -1, .open_error = ENOENT };
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kri_dev_open(ctx, "thermometer@spi-7.1", "spi", &dev));
	assert_fails(-ENODEV, kri_dev_call(dev, false, NULL, NULL, 0, KRYOS_SECONDS(5)));
	assert_says(-ENODEV, "thermometer@spi-7.1: no bus spi-7.1; is \"dtparam=spi=on\"");
	kri_dev_close(dev);
	kryos_ctx_free(ctx);

	controller.bound = true;
	assert_fails(-EBUSY, kri_bus_spidev.open(priv, "spi-7.1", NULL));
	assert_says(-EBUSY, "spi-7.1 is held by the kernel's driver max31865");
	assert_says(-EBUSY, "echo spi7.1 > drivers/max31865/unbind");
	controller.open_error = EACCES;
	assert_fails(-EACCES, kri_bus_spidev.open(priv, "spi-7.1", NULL));
	assert_says(-EACCES, "its group is \"spi\"");
	controller.open_error = EMFILE;
	assert_fails(-EMFILE, kri_bus_spidev.open(priv, "spi-7.1", NULL));
	controller.open_error = 0; /* opens, but is none */
	assert_fails(-EIO, kri_bus_spidev.open(priv, "spi-7.1", NULL));
	assert_says(-EIO, "/dev/spidev7.1 is no SPI device");
	assert_int_equal(fcntl(controller.fd, F_GETFD), -1); /* nothing is left open */
	controller.fd = -1;
}

static void spidev_transfers_in_one_message_with_the_chip_selected(void **state)
{
	uint8_t bytes[100], out[3] = { 0x90, 0xaa, 0xbb }, reg = 0x08;

	(void)state;
	plug_in(0);
	assert_ok(transfer(0, &reg, 1, bytes, sizeof(bytes)));
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], i + 8);
	assert_int_equal(controller.messages, 1);
	assert_int_equal(controller.hz, 123456);
	assert_ok(transfer(0, out, 3, NULL, 0));
	assert_int_equal(controller.reg[0x10], 0xaa);
	assert_int_equal(controller.reg[0x11], 0xbb);
	assert_ok(transfer(0, NULL, 0, bytes, 3));
	assert_int_equal(controller.messages, 3);
	assert_ok(transfer(0, NULL, 0, NULL, 0));
	assert_int_equal(controller.messages, 3);
	assert_fails(-EINVAL, transfer(0, &reg, 1, bytes, 4096));
	pull_out();
}

/* Chip selects that are inverted on the board stay so; what another program makes of a chip's mode does not. */
static void spidev_sets_the_mode_whenever_it_is_another(void **state)
{
	uint8_t byte, reg = 0;

	(void)state;
	plug_in(SPI_MODE_3 | SPI_CS_HIGH | SPI_LSB_FIRST);
	assert_ok(transfer(1, &reg, 1, &byte, 1));
	assert_int_equal(controller.mode, SPI_MODE_1 | SPI_CS_HIGH);
	assert_ok(transfer(1, &reg, 1, &byte, 1));
	assert_int_equal(controller.modes, 1);
	controller.mode = SPI_MODE_2 | SPI_CS_HIGH; /* by another program, meanwhile */
	assert_ok(transfer(1, &reg, 1, &byte, 1));
	assert_int_equal(controller.mode, SPI_MODE_1 | SPI_CS_HIGH);
	assert_int_equal(controller.modes, 2);
	assert_ok(transfer(0, &reg, 1, &byte, 1));
	assert_int_equal(controller.mode, SPI_MODE_0 | SPI_CS_HIGH);
	assert_int_equal(controller.modes, 3);
	controller.mode_error = EINVAL;
	assert_fails(-EIO, transfer(2, &reg, 1, &byte, 1));
	assert_says(-EIO, "spi-7.1: the controller does not take SPI mode 2");
	controller.mode_error = 0;
	assert_ok(transfer(2, &reg, 1, &byte, 1)); /* what failed is tried again */
	assert_int_equal(controller.modes, 5);
	pull_out();
	plug_in(SPI_MODE_1);
	assert_ok(transfer(1, &reg, 1, &byte, 1));
	assert_int_equal(controller.modes, 0);
	pull_out();
}

static void spidev_names_what_failed(void **state)
{
	const struct {
		int errnum, result;
		const char *sentence;
	} table[] = { { ETIMEDOUT, -ETIMEDOUT, "did not finish in time" },
		      { ESHUTDOWN, -ENODEV, "has gone" },
		      { ENODEV, -ENODEV, "has gone" },
		      { EIO, -EIO, "transfer failed" },
		      { EMSGSIZE, -EIO, strerror(EMSGSIZE) } };
	uint8_t byte, reg = 0;

	(void)state;
	plug_in(0);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(table); i++) {
		controller.error = table[i].errnum;
		assert_fails(table[i].result, transfer(0, &reg, 1, &byte, 1));
		assert_says(table[i].result, "spi-7.1: ");
		assert_says(table[i].result, table[i].sentence);
	}
	pull_out();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spidev_takes_names_of_chip_selects_only),
		cmocka_unit_test(spidev_says_what_is_missing_when_there_is_no_bus),
		cmocka_unit_test(spidev_transfers_in_one_message_with_the_chip_selected),
		cmocka_unit_test(spidev_sets_the_mode_whenever_it_is_another),
		cmocka_unit_test(spidev_names_what_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
