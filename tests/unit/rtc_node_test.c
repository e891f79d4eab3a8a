/* SPDX-License-Identifier: Apache-2.0 */
/* The real node driver, and the way to it from a chip that the kernel holds, with the kernel's answers played here. */
#include "clock/clock.h"
#include "support.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <kryos/sys/rtc.h>
#include <kryos/testing/clock.h>
#include <linux/rtc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define S INT64_C(1000000000)
#define T (INT64_C(1763632800) * S) /* 2025-11-20T10:00:00Z */

extern const struct kryos_rtc_driver kri_rtc_node;

static const struct rtc_time a_date = { .tm_year = 125, .tm_mon = 10, .tm_mday = 20, .tm_hour = 10, .tm_wday = 4 };

static struct {
	struct rtc_time date;
	int read_error, set_error, open_error;
	int voltage;                      /* what RTC_VL_READ gives; -1: not supported */
	bool leaves_flag;                 /* setting does not clear the chip's stop flag: Linux 6.1.176 */
	const char *path, *real;          /* opening path opens real */
	const char *folder, *real_folder; /* the same for opendir */
} kernel;

/* An i2c bus with one DS3231 that rtc-ds1307 holds: claiming it is refused, a combined transfer is not. */
static uint8_t registers[0x13];
static int transfer_error, writes;

/* These take the places of libc's. */
int ioctl(int fd, ioctl_request request, ...)
{
	va_list args;
	void *argument;

	(void)fd;
	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	switch ((unsigned int)request) {
	case RTC_RD_TIME:
		errno = kernel.read_error;
		*(struct rtc_time *)argument = kernel.date;
		return kernel.read_error ? -1 : 0;
	case RTC_SET_TIME:
		errno = kernel.set_error;
		if (!kernel.set_error)
			kernel.date = *(struct rtc_time *)argument;
		if (!kernel.set_error && !kernel.leaves_flag)
			registers[0x0f] &= 0x7f;
		return kernel.set_error ? -1 : 0;
	case RTC_VL_READ:
		errno = ENOTTY;
		if (kernel.voltage >= 0)
			*(unsigned int *)argument = (unsigned int)kernel.voltage;
		return kernel.voltage >= 0 ? 0 : -1;
	default:
		errno = ENOTTY;
		return -1;
	}
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	if (kernel.path && strcmp(path, kernel.path) == 0) {
		if (kernel.open_error) {
			errno = kernel.open_error;
			return -1;
		}
		path = kernel.real;
	}
	return openat(AT_FDCWD, path, flags, mode);
}

DIR *opendir(const char *path)
{
	int fd;

	if (kernel.folder && strcmp(path, kernel.folder) == 0)
		path = kernel.real_folder;
	fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? NULL : fdopendir(fd);
}

struct board {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
};

static int start(void **state)
{
	static struct board board;
	static char real[256];
	int fd;

	memset(&kernel, 0, sizeof(kernel));
	kernel.date = a_date;
	kernel.voltage = -1;
	board.folder = scratch_new();
	strcpy(real, in(board.folder, "node"));
	fd = open(real, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	kernel.path = "/dev/rtc0";
	kernel.real = real;
	assert_ok(kryos_fake_clock_new(&board.clock, T));
	assert_ok(kryos_ctx_new(&board.ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = board.clock)));
	*state = &board;
	return 0;
}

static int dispose(void **state)
{
	struct board *board = *state;

	kryos_ctx_free(board->ctx);
	kryos_fake_clock_free(board->clock);
	scratch_free(board->folder);
	return 0;
}

static uint16_t trust_of(struct board *board)
{
	struct kryos_time now = { .trust = 99 };

	assert_ok(kryos_clock_now(board->ctx, &now));
	return now.trust;
}

static struct kryos_rtc_status rtc_of(struct board *board)
{
	struct kryos_rtc_status status = { .size = sizeof(status) };

	assert_ok(kryos_clock_get_rtc(board->ctx, &status));
	return status;
}

static void a_node_is_read_and_trusted(void **state)
{
	struct board *board = *state;

	assert_ok(kryos_clock_use_rtc(board->ctx, "rtc@/dev/rtc0"));
	assert_int_equal(trust_of(board), KRYOS_TRUST_RTC);
	assert_int_equal(rtc_of(board).t_wall_ns, T);
	assert_int_equal(rtc_of(board).valid, 1);
	assert_int_equal(rtc_of(board).temperature_micro_valid, 0);
}

static void a_time_the_driver_calls_invalid_is_a_stopped_clock(void **state)
{
	struct board *board = *state;

	kernel.read_error = EINVAL;
	assert_ok(kryos_clock_use_rtc(board->ctx, "rtc@/dev/rtc0"));
	assert_int_equal(trust_of(board), KRYOS_TRUST_NONE);
	assert_non_null(strstr(rtc_of(board).text, "oscillator was stopped"));

	kernel.read_error = 0;
	kernel.voltage = RTC_VL_DATA_INVALID;
	assert_ok(kryos_clock_use_rtc(board->ctx, "rtc@/dev/rtc0"));
	assert_int_equal(trust_of(board), KRYOS_TRUST_NONE);

	/* A battery that will be empty soon has kept the time so far. */
	kernel.voltage = RTC_VL_BACKUP_LOW;
	assert_ok(kryos_clock_use_rtc(board->ctx, "rtc@/dev/rtc0"));
	assert_int_equal(trust_of(board), KRYOS_TRUST_RTC);
}

static void a_node_that_does_not_work_says_why(void **state)
{
	static const struct {
		int open_error, read_error, result;
		const char *text;
	} cases[] = {
		{ ENOENT, 0, -ENODEV, "is the RTC's driver loaded?" },
		{ EBUSY, 0, -EBUSY, "in use by another process" },
		{ EACCES, 0, -EACCES, "/dev/rtc0" },
		{ 0, ENOTTY, KRYOS_ECHIP, "not a real-time clock" },
		{ 0, EIO, -EIO, "cannot be read" },
	};
	struct kryos_rtc_status status = { .size = sizeof(status) };
	struct board *board = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		kernel.open_error = cases[i].open_error;
		kernel.read_error = cases[i].read_error;
		assert_fails(cases[i].result, kryos_clock_use_rtc(board->ctx, "rtc@/dev/rtc0"));
		assert_says(cases[i].result, cases[i].text);
	}
	assert_fails(-ENODEV, kryos_clock_get_rtc(board->ctx, &status));
	assert_fails(KRYOS_EDEVICE,
	             kryos_clock_use_rtc(board->ctx,
	                                 "rtc@/0123456789012345678901234567890123456789012345678901234567890123"
	                                 "4567890123456789"));
}

static void setting_gives_the_kernel_every_field(void **state)
{
	struct board *board = *state;
	char priv[256] = { 0 };

	assert_ok(kryos_clock_use_rtc(board->ctx, "rtc@/dev/rtc0"));
	kryos_fake_clock_set_synced(board->clock, 1);
	kryos_fake_clock_set_wall(board->clock, INT64_C(1709211845) * S); /* 2024-02-29T13:04:05Z, a Thursday */
	assert_ok(kryos_clock_set_rtc(board->ctx));
	assert_int_equal(kernel.date.tm_year, 124);
	assert_int_equal(kernel.date.tm_mon, 1);
	assert_int_equal(kernel.date.tm_mday, 29);
	assert_int_equal(kernel.date.tm_hour, 13);
	assert_int_equal(kernel.date.tm_min, 4);
	assert_int_equal(kernel.date.tm_sec, 5);
	assert_int_equal(kernel.date.tm_wday, 4);
	assert_int_equal(rtc_of(board).t_wall_ns, INT64_C(1709211845) * S);
	kernel.set_error = EACCES;
	assert_fails(-EACCES, kryos_clock_set_rtc(board->ctx));
	assert_says(-EACCES, "cannot be set");

	assert_true(kri_rtc_node.private_size <= sizeof(priv));
	assert_ok(kri_rtc_node.open(priv, NULL, "/dev/rtc0"));
	assert_fails(-ERANGE, kri_rtc_node.set(priv, NULL, -S));
	assert_fails(-ERANGE, kri_rtc_node.set(priv, NULL, INT64_C(4102444800) * S));
	kri_rtc_node.close(priv, NULL);
}

static int bound_open(void *priv, const char *name, void *userdata)
{
	(void)priv;
	(void)name;
	(void)userdata;
	return 0;
}

static void bound_close(void *priv)
{
	(void)priv;
}

static int bound_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	(void)priv;
	ret_address->number = (uint32_t)strtoul(place, NULL, 16);
	return 0;
}

static int bound_claim(void *priv, const struct kryos_address *address)
{
	(void)priv;
	(void)address;
	return kryos_fail(-EBUSY, "ds3231@i2c-3:0x68: held by the kernel's driver rtc-ds1307");
}

static int bound_transfer(void *priv, const struct kryos_address *address, const uint8_t *out, size_t out_count,
                          uint8_t *in, size_t in_count)
{
	(void)priv;
	(void)address;
	if (transfer_error)
		return transfer_error;
	if (!in_count && out_count > 1 && out[0] + out_count - 1 <= sizeof(registers)) {
		memcpy(registers + out[0], out + 1, out_count - 1);
		writes++;
	} else if (out_count == 1 && out[0] + in_count <= sizeof(registers)) {
		memcpy(in, registers + out[0], in_count);
	} else {
		return -EIO;
	}
	return 0;
}

static const struct kryos_bus_driver bound_bus = {
	.size = sizeof(bound_bus),
	.prefix = "i2c-",
	.open = bound_open,
	.close = bound_close,
	.parse = bound_parse,
	.claim = bound_claim,
	.transfer = bound_transfer,
};

static void use_bound_chip(struct board *board)
{
	static const uint8_t sane[0x13] = {
		0x07, 0x00, 0x10, 5, 0x20, 0x11, 0x25, [0x0e] = 0x1c, [0x0f] = 0x08, [0x11] = 21,
	};
	static char rtc_folder[256];

	memcpy(registers, sane, sizeof(registers));
	transfer_error = writes = 0;
	assert_ok(kryos_register_bus(board->ctx, &bound_bus, NULL));
	strcpy(rtc_folder, in(board->folder, "rtc"));
	assert_int_equal(mkdir(rtc_folder, 0700), 0);
	assert_int_equal(mkdir(in(rtc_folder, "rtc0"), 0700), 0);
	kernel.folder = "/sys/bus/i2c/devices/3-0068/rtc";
	kernel.real_folder = rtc_folder;
}

static void a_chip_the_kernel_holds_is_used_through_its_node_and_its_flag_is_seen(void **state)
{
	struct board *board = *state;

	use_bound_chip(board);
	assert_ok(kryos_clock_use_rtc(board->ctx, "ds3231@i2c-3:0x68"));
	assert_int_equal(trust_of(board), KRYOS_TRUST_RTC);
	assert_int_equal(rtc_of(board).t_wall_ns, T); /* the node's, not the 10:00:07 of the registers */
	assert_int_equal(rtc_of(board).temperature_micro, 21000000);

	registers[0x0f] = 0x88; /* the node says nothing of it */
	assert_ok(kryos_clock_use_rtc(board->ctx, "ds3231@i2c-3:0x68"));
	assert_int_equal(trust_of(board), KRYOS_TRUST_NONE);
	assert_non_null(strstr(rtc_of(board).text, "oscillator was stopped"));

	kryos_fake_clock_set_synced(board->clock, 1);
	kryos_fake_clock_set_wall(board->clock, T + 60 * S);
	assert_ok(kryos_clock_set_rtc(board->ctx));
	assert_int_equal(kernel.date.tm_min, 1); /* set by the kernel's driver, */
	assert_int_equal(writes, 0);             /* not behind its back */
}

static void a_flag_that_the_kernel_leaves_is_cleared_with_the_time(void **state)
{
	struct board *board = *state;

	use_bound_chip(board);
	registers[0x0f] = 0x88;
	kernel.leaves_flag = true;
	kryos_fake_clock_set_synced(board->clock, 1);
	kryos_fake_clock_set_wall(board->clock, T + 60 * S);
	assert_ok(kryos_clock_use_rtc(board->ctx, "ds3231@i2c-3:0x68"));
	assert_int_equal(rtc_of(board).valid, 0);
	assert_ok(kryos_clock_set_rtc(board->ctx));
	assert_int_equal(kernel.date.tm_min, 1);
	assert_int_equal(registers[0x0f], 0x08);
	assert_int_equal(registers[1], 0x01); /* a flag that is cleared speaks for this time, and for no other */
	assert_int_equal(registers[0], 0x00);
	assert_int_equal(rtc_of(board).valid, 1);
}

static void without_the_right_to_its_registers_the_node_alone_is_used(void **state)
{
	struct board *board = *state;

	use_bound_chip(board);
	transfer_error = -EACCES;
	assert_ok(kryos_clock_use_rtc(board->ctx, "ds3231@i2c-3:0x68"));
	assert_int_equal(trust_of(board), KRYOS_TRUST_RTC);
	assert_int_equal(rtc_of(board).temperature_micro_valid, 0);
}

static void a_chip_held_by_something_that_is_no_rtc_stays_refused(void **state)
{
	struct board *board = *state;

	use_bound_chip(board);
	kernel.folder = NULL;
	assert_fails(-EBUSY, kryos_clock_use_rtc(board->ctx, "ds3231@i2c-3:0x68"));
	assert_says(-EBUSY, "held by the kernel's driver rtc-ds1307");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_node_is_read_and_trusted, start, dispose),
		cmocka_unit_test_setup_teardown(a_time_the_driver_calls_invalid_is_a_stopped_clock, start, dispose),
		cmocka_unit_test_setup_teardown(a_node_that_does_not_work_says_why, start, dispose),
		cmocka_unit_test_setup_teardown(setting_gives_the_kernel_every_field, start, dispose),
		cmocka_unit_test_setup_teardown(a_chip_the_kernel_holds_is_used_through_its_node_and_its_flag_is_seen,
		                                start, dispose),
		cmocka_unit_test_setup_teardown(a_flag_that_the_kernel_leaves_is_cleared_with_the_time, start, dispose),
		cmocka_unit_test_setup_teardown(without_the_right_to_its_registers_the_node_alone_is_used, start,
		                                dispose),
		cmocka_unit_test_setup_teardown(a_chip_held_by_something_that_is_no_rtc_stays_refused, start, dispose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
