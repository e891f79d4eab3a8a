/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ds3231_case BUS IMAGE: the library's DS3231 beside the kernel's rtc-ds1307, on the same emulated chip at 0x68 that
 * runs; alone on the bus, and where the kernel's driver holds it. IMAGE is the file of its registers. The context's
 * clock is a fake one, so that the machine's own is not stepped, and what is set can be any time.
 */
#include "kernel.h"
#include "support.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <kryos/testing/clock.h>
#include <linux/rtc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define ADDRESS 0x68
#define DATES 100

static const char *bus, *image_path;
static int64_t set_after_ns, set_before_ns; /* between these the chip was set last; since then it runs */

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t seconds_of(int year, int month, int day, int hour, int minute, int second)
{
	struct tm tm = { .tm_year = year - 1900,
		         .tm_mon = month - 1,
		         .tm_mday = day,
		         .tm_hour = hour,
		         .tm_min = minute,
		         .tm_sec = second };

	return (int64_t)timegm(&tm);
}

static uint8_t bcd(int number)
{
	return (uint8_t)(number / 10 * 16 + number % 10);
}

/* What the chip's own makers would have in it, with flags for how they wrote the hours and the century. */
enum { HOURS_12 = 1, CENTURY = 2, STOPPED = 4 };

static void put_time(int64_t seconds, int flags)
{
	time_t wall = (time_t)seconds;
	uint8_t registers[0x13] = { 0 };
	struct tm tm;
	int fd;

	gmtime_r(&wall, &tm);
	registers[0] = bcd(tm.tm_sec);
	registers[1] = bcd(tm.tm_min);
	registers[2] = bcd(tm.tm_hour);
	if (flags & HOURS_12)
		registers[2] =
			(uint8_t)(0x40 | (tm.tm_hour >= 12 ? 0x20 : 0) | bcd(tm.tm_hour % 12 ? tm.tm_hour % 12 : 12));
	registers[3] = (uint8_t)(tm.tm_wday + 1);
	registers[4] = bcd(tm.tm_mday);
	registers[5] = (uint8_t)(bcd(tm.tm_mon + 1) | (flags & CENTURY ? 0x80 : 0));
	registers[6] = bcd(tm.tm_year - 100);
	registers[0x0e] = 0x1c;
	registers[0x0f] = flags & STOPPED ? 0x88 : 0x08;
	registers[0x11] = 25;
	registers[0x12] = 0x40;
	fd = open(image_path, O_WRONLY | O_CLOEXEC);
	set_after_ns = now_ns(CLOCK_MONOTONIC);
	assert_int_equal(pwrite(fd, registers, sizeof(registers), 0), sizeof(registers));
	set_before_ns = now_ns(CLOCK_MONOTONIC);
	close(fd);
}

/* Whether a reader that began then and has ended by now can have seen that, of a chip that was set to seconds. */
static bool is_right(int64_t seen, int64_t seconds, int64_t began_ns)
{
	return seen >= seconds + (began_ns - set_before_ns) / 1000000000 &&
	       seen <= seconds + (now_ns(CLOCK_MONOTONIC) - set_after_ns) / 1000000000;
}

struct library {
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_rtc_status status;
};

static void look(struct library *library)
{
	library->status = (struct kryos_rtc_status){ .size = sizeof(library->status) };
	assert_ok(kryos_clock_get_rtc(library->ctx, &library->status));
}

/* The system's clock, which is far behind, and whether it is synchronised. */
static void open_library(struct library *ret_library, int64_t wall_s, bool synced)
{
	char device[64];

	snprintf(device, sizeof(device), "ds3231@%s:0x%02x", bus, ADDRESS);
	assert_ok(kryos_fake_clock_new(&ret_library->clock, KRYOS_SECONDS(wall_s)));
	kryos_fake_clock_set_synced(ret_library->clock, synced);
	assert_ok(kryos_ctx_new(&ret_library->ctx, KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(),
	                                                            .clock_userdata = ret_library->clock)));
	assert_ok(kryos_clock_use_rtc(ret_library->ctx, device));
	look(ret_library);
}

static void close_library(struct library *library)
{
	kryos_ctx_free(library->ctx);
	kryos_fake_clock_free(library->clock);
}

static void library_sees(int64_t seconds, bool valid, const char *text)
{
	int64_t began_ns = now_ns(CLOCK_MONOTONIC), seen;
	struct library library;

	open_library(&library, 1000, false);
	seen = library.status.t_wall_ns / 1000000000;
	if (library.status.valid != valid || (valid && !is_right(seen, seconds, began_ns)) ||
	    !strstr(library.status.text, text))
		fail_msg("the library sees %lld (valid %d, \"%s\"), not %lld", (long long)seen, library.status.valid,
		         library.status.text, (long long)seconds);
	close_library(&library);
}

/* Of the clock that the kernel's driver holds. */
static const char *node_path(void)
{
	static char path[300];
	struct dirent *entry;
	char folder[96];
	DIR *entries;

	snprintf(folder, sizeof(folder), "/sys/bus/i2c/devices/%d-%04x/rtc", bus_number(bus), ADDRESS);
	entries = opendir(folder);
	assert_non_null(entries);
	while ((entry = readdir(entries)))
		if (strncmp(entry->d_name, "rtc", 3) == 0)
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
	closedir(entries);
	return path;
}

static int open_node(void)
{
	const char *path = node_path();
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

/* The kernel's driver is bound. -1: it says that the time means nothing. */
static int64_t kernel_time(void)
{
	struct rtc_time date = { 0 };
	int fd = open_node(), r = ioctl(fd, RTC_RD_TIME, &date);

	close(fd);
	if (r < 0)
		assert_int_equal(errno, EINVAL);
	return r < 0 ? -1
	             : seconds_of(date.tm_year + 1900, date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min,
	                          date.tm_sec);
}

static void kernel_sees(int64_t seconds)
{
	int64_t began_ns = now_ns(CLOCK_MONOTONIC), seen = kernel_time();

	if (!is_right(seen, seconds, began_ns))
		fail_msg("the kernel's driver sees %lld, not %lld", (long long)seen, (long long)seconds);
}

static void kernel_sets(int64_t seconds)
{
	time_t wall = (time_t)seconds;
	struct rtc_time date = { 0 };
	int fd = open_node();
	struct tm tm;

	gmtime_r(&wall, &tm);
	date.tm_year = tm.tm_year;
	date.tm_mon = tm.tm_mon;
	date.tm_mday = tm.tm_mday;
	date.tm_hour = tm.tm_hour;
	date.tm_min = tm.tm_min;
	date.tm_sec = tm.tm_sec;
	date.tm_wday = tm.tm_wday;
	set_after_ns = now_ns(CLOCK_MONOTONIC);
	assert_int_equal(ioctl(fd, RTC_SET_TIME, &date), 0);
	set_before_ns = now_ns(CLOCK_MONOTONIC);
	close(fd);
}

static bool flag_is_set(void)
{
	uint8_t status;
	int fd = open(image_path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, &status, 1, 0x0f), 1);
	close(fd);
	return status & 0x80;
}

static void both_see(int64_t seconds, int flags)
{
	put_time(seconds, flags);
	library_sees(seconds, true, "battery");
	kernel_bind(bus, "ds3231", ADDRESS);
	kernel_sees(seconds);
	library_sees(seconds, true, "battery");
	kernel_unbind(bus, ADDRESS);
}

static void reads_what_the_kernels_driver_reads(void **state)
{
	static const int dates[][6] = {
		{ 2024, 2, 29, 12, 0, 0 }, { 2025, 2, 28, 23, 59, 50 },  { 2026, 12, 31, 12, 34, 56 },
		{ 2027, 1, 1, 0, 0, 0 },   { 2099, 12, 31, 23, 59, 50 }, { 2096, 2, 29, 0, 0, 0 },
	};
	uint64_t random = seed_from_environment(0xd53231);
	int64_t first = seconds_of(2024, 1, 1, 0, 0, 0), last = seconds_of(2099, 12, 31, 23, 59, 50), seconds;
	const int *date;
	size_t i;

	(void)state;
	for (i = 0; i < DATES + sizeof(dates) / sizeof(dates[0]); i++) {
		date = i < DATES ? NULL : dates[i - DATES];
		seconds = date ? seconds_of(date[0], date[1], date[2], date[3], date[4], date[5])
		               : first + (int64_t)(next_random(&random) % (uint64_t)(last - first));
		both_see(seconds, (int)(i % 4));
	}
}

static void goes_over_the_ends_of_month_and_year_with_the_chip(void **state)
{
	static const int dates[][6] = {
		{ 2024, 2, 28, 23, 59, 59 },  { 2025, 2, 28, 23, 59, 59 }, { 2025, 4, 30, 23, 59, 59 },
		{ 2025, 12, 31, 23, 59, 59 }, { 2026, 6, 15, 11, 59, 59 },
	};
	int64_t seconds;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		const int *date = dates[i];

		seconds = seconds_of(date[0], date[1], date[2], date[3], date[4], date[5]);
		put_time(seconds, i % 2 ? HOURS_12 : 0);
		usleep(1100000);
		library_sees(seconds, true, "battery");
		kernel_bind(bus, "ds3231", ADDRESS);
		kernel_sees(seconds);
		kernel_unbind(bus, ADDRESS);
	}
}

/* Whatever the kernel's driver makes of it: Linux 6.1.192 refuses to tell the time, 6.1.176 tells it. */
static void does_not_trust_a_clock_that_had_stopped(void **state)
{
	int64_t seconds = seconds_of(2026, 11, 20, 9, 12, 0);

	(void)state;
	put_time(seconds, STOPPED);
	library_sees(seconds, false, "stopped");
	kernel_bind(bus, "ds3231", ADDRESS);
	printf("# the kernel's driver %s\n", kernel_time() < 0 ? "tells no time" : "tells the time of a stopped clock");
	library_sees(seconds, false, "stopped");
	kernel_unbind(bus, ADDRESS);
	library_sees(seconds, false, "stopped");
}

static void library_sets(int64_t seconds)
{
	struct library library;

	set_after_ns = now_ns(CLOCK_MONOTONIC);
	open_library(&library, seconds, true);
	assert_ok(kryos_clock_set_rtc(library.ctx));
	set_before_ns = now_ns(CLOCK_MONOTONIC);
	look(&library);
	assert_true(library.status.valid);
	close_library(&library);
}

static void what_the_library_sets_the_kernel_reads(void **state)
{
	static const int64_t days[] = { 1709208000 /* 2024-02-29 */, 1767225540 /* 2025-12-31 23:59 */, 4102444700 };
	size_t i, bound;

	(void)state;
	for (i = 0; i < sizeof(days) / sizeof(days[0]); i++)
		for (bound = 0; bound < 2; bound++) {
			put_time(seconds_of(2000, 1, 1, 0, 0, 0), STOPPED | HOURS_12);
			if (bound)
				kernel_bind(bus, "ds3231", ADDRESS);
			library_sets(days[i]);
			if (!bound)
				kernel_bind(bus, "ds3231", ADDRESS);
			kernel_sees(days[i]);
			library_sees(days[i], true, "battery");
			kernel_unbind(bus, ADDRESS);
			library_sees(days[i], true, "battery");
		}
}

static void what_the_kernel_sets_the_library_reads(void **state)
{
	int64_t seconds = seconds_of(2028, 2, 29, 23, 30, 0);

	(void)state;
	put_time(seconds_of(2000, 1, 1, 0, 0, 0), 0);
	kernel_bind(bus, "ds3231", ADDRESS);
	kernel_sets(seconds);
	library_sees(seconds, true, "battery");
	kernel_unbind(bus, ADDRESS);
	library_sees(seconds, true, "battery");

	/* Where the kernel's driver leaves the flag (6.1.176), the chip goes on saying that its time means nothing. */
	put_time(seconds_of(2000, 1, 1, 0, 0, 0), STOPPED);
	kernel_bind(bus, "ds3231", ADDRESS);
	kernel_sets(seconds);
	if (flag_is_set())
		library_sees(seconds, false, "stopped");
	else
		library_sees(seconds, true, "battery");
}

/* What hwclock tells, as busybox or as util-linux writes it. */
static int64_t hwclock_time(void)
{
	char command[400], text[100] = "";
	struct tm tm = { 0 };
	FILE *pipe;

	snprintf(command, sizeof(command), "TZ=UTC0 hwclock -r -u -f %s", node_path());
	pipe = popen(command, "re");
	assert_non_null(pipe);
	if (!fgets(text, sizeof(text), pipe) ||
	    (!strptime(text, "%a %b %d %H:%M:%S %Y", &tm) && !strptime(text, "%Y-%m-%d %H:%M:%S", &tm)))
		fail_msg("hwclock says \"%s\"", text);
	assert_int_equal(pclose(pipe), 0);
	return timegm(&tm);
}

static void hwclock_reads_what_the_library_sets(void **state)
{
	static const int dates[][6] = { { 2024, 2, 29, 12, 34, 56 },
		                        { 2026, 3, 31, 23, 15, 7 },
		                        { 2099, 12, 31, 23, 59, 20 } };
	int64_t seconds, began_ns, seen;

	(void)state;
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]) * 2; i++) {
		const int *date = dates[i / 2];

		seconds = seconds_of(date[0], date[1], date[2], date[3], date[4], date[5]);
		put_time(seconds_of(2000, 1, 1, 0, 0, 0), 0);
		if (i % 2)
			kernel_bind(bus, "ds3231", ADDRESS);
		library_sets(seconds);
		if (i % 2 == 0)
			kernel_bind(bus, "ds3231", ADDRESS);
		began_ns = now_ns(CLOCK_MONOTONIC);
		seen = hwclock_time();
		if (!is_right(seen, seconds, began_ns))
			fail_msg("hwclock reads %lld, not %lld", (long long)seen, (long long)seconds);
		kernel_unbind(bus, ADDRESS);
	}
}

/* It sets what the system's clock says, in whole seconds, at some time between its start and its end. */
static void library_reads_what_hwclock_sets(void **state)
{
	int64_t first, last, began_ns, seen;
	struct library library;
	bool is_one;
	char command[400];

	(void)state;
	for (int bound = 0; bound < 2; bound++) {
		put_time(seconds_of(2000, 1, 1, 0, 0, 0), bound ? HOURS_12 : 0);
		kernel_bind(bus, "ds3231", ADDRESS);
		snprintf(command, sizeof(command), "hwclock -w -u -f %s", node_path());
		first = now_ns(CLOCK_REALTIME) / 1000000000;
		set_after_ns = now_ns(CLOCK_MONOTONIC);
		assert_int_equal(system(command), 0);
		set_before_ns = now_ns(CLOCK_MONOTONIC);
		last = now_ns(CLOCK_REALTIME) / 1000000000;
		if (!bound)
			kernel_unbind(bus, ADDRESS);
		began_ns = now_ns(CLOCK_MONOTONIC);
		open_library(&library, 1000, false);
		seen = library.status.t_wall_ns / 1000000000;
		assert_true(library.status.valid);
		is_one = false;
		for (int64_t seconds = first; seconds <= last && !is_one; seconds++)
			is_one = is_right(seen, seconds, began_ns);
		if (!is_one)
			fail_msg("the library sees %lld, hwclock has set %lld to %lld", (long long)seen,
			         (long long)first, (long long)last);
		close_library(&library);
		kernel_unbind(bus, ADDRESS);
	}
}

static int let_go(void **state)
{
	(void)state;
	kernel_unbind(bus, ADDRESS);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(reads_what_the_kernels_driver_reads, let_go),
		cmocka_unit_test_teardown(goes_over_the_ends_of_month_and_year_with_the_chip, let_go),
		cmocka_unit_test_teardown(does_not_trust_a_clock_that_had_stopped, let_go),
		cmocka_unit_test_teardown(what_the_library_sets_the_kernel_reads, let_go),
		cmocka_unit_test_teardown(what_the_kernel_sets_the_library_reads, let_go),
		cmocka_unit_test_teardown(hwclock_reads_what_the_library_sets, let_go),
		cmocka_unit_test_teardown(library_reads_what_hwclock_sets, let_go),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: ds3231_case BUS IMAGE\n");
		return 2;
	}
	bus = argv[1];
	image_path = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
