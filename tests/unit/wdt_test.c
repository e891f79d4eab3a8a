/* SPDX-License-Identifier: Apache-2.0 */
/* The real driver on a file, with the kernel's answers to its ioctls played by this test. */
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <kryos/sys/watchdog.h>
#include <linux/watchdog.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

extern const struct kryos_watchdog_driver kri_watchdog_wdt;

static struct {
	int timeout, minimum, maximum; /* s */
	int boot_status;
	bool clamps; /* takes the limit instead of refusing what is above it */
	bool fixed;  /* no WDIOC_SETTIMEOUT */
	bool silent; /* no WDIOC_GETTIMEOUT */
	int pet_error;
	const char *busy; /* the path that open() refuses to the driver */
	unsigned int pets, sets;
} kernel;

/* Takes the place of libc's: a watchdog that is open already cannot be opened again. */
int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	if (kernel.busy && strcmp(path, kernel.busy) == 0) {
		errno = EBUSY;
		return -1;
	}
	return openat(AT_FDCWD, path, flags, mode);
}

/* Takes the place of libc's in the driver. watchdog-api.rst */
int ioctl(int fd, ioctl_request request, ...)
{
	va_list args;
	int *argument;

	(void)fd;
	va_start(args, request);
	argument = va_arg(args, int *);
	va_end(args);
	switch ((unsigned int)request) {
	case WDIOC_SETTIMEOUT:
		kernel.sets++;
		if (kernel.fixed) {
			errno = EOPNOTSUPP;
			return -1;
		}
		if (!kernel.clamps && (*argument > kernel.maximum || *argument < kernel.minimum)) {
			errno = EINVAL;
			return -1;
		}
		kernel.timeout = *argument > kernel.maximum ? kernel.maximum : *argument;
		return 0;
	case WDIOC_GETTIMEOUT:
		if (kernel.silent) {
			errno = ENOTTY;
			return -1;
		}
		*argument = kernel.timeout;
		return 0;
	case WDIOC_GETBOOTSTATUS:
		*argument = kernel.boot_status;
		return 0;
	case WDIOC_KEEPALIVE:
		if (kernel.pet_error) {
			errno = kernel.pet_error;
			return -1;
		}
		kernel.pets++;
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

struct opened {
	char *folder;
	const char *path;
	void *priv;
	int64_t timeout_ns;
	uint32_t boot_status;
};

static int open_it(struct opened *opened, int64_t timeout_ns)
{
	int fd;

	opened->folder = scratch_new();
	opened->path = in(opened->folder, "watchdog");
	opened->priv = calloc(1, kri_watchdog_wdt.private_size);
	fd = open(opened->path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	return kri_watchdog_wdt.open(opened->priv, opened->path, timeout_ns, NULL, &opened->timeout_ns,
	                             &opened->boot_status);
}

static void assert_written(struct opened *opened, const char *expected)
{
	char text[16] = "";
	FILE *file = fopen(opened->path, "r");

	assert_non_null(file);
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

static void dispose(struct opened *opened)
{
	free(opened->priv);
	scratch_free(opened->folder);
}

static int reset_kernel(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.timeout = 60;
	kernel.minimum = 1;
	kernel.maximum = 600;
	return 0;
}

static void timeout_and_boot_status_are_read_back_and_magic_close_disarms(void **state)
{
	struct opened opened = { .priv = NULL };

	(void)state;
	kernel.boot_status = WDIOF_CARDRESET;
	assert_ok(open_it(&opened, KRYOS_MILLISECONDS(14500)));
	assert_int_equal(opened.timeout_ns, KRYOS_SECONDS(15)); /* whole seconds, never shorter than asked */
	assert_int_equal(opened.boot_status, 0x20);
	assert_ok(kri_watchdog_wdt.pet(opened.priv));
	assert_ok(kri_watchdog_wdt.pet(opened.priv));
	assert_int_equal(kernel.pets, 2);
	assert_written(&opened, "");
	kri_watchdog_wdt.close(opened.priv, 1);
	assert_written(&opened, "V");
	dispose(&opened);
}

static void closing_without_disarming_leaves_the_hardware_running(void **state)
{
	struct opened opened = { .priv = NULL };

	(void)state;
	assert_ok(open_it(&opened, KRYOS_SECONDS(15)));
	kri_watchdog_wdt.close(opened.priv, 0);
	assert_written(&opened, "");
	dispose(&opened);
}

static void the_longest_possible_timeout_is_found_where_too_long_ones_are_refused(void **state)
{
	static const int limits[] = { 1, 2, 15, 16, 59 };

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct opened opened = { .priv = NULL };

		reset_kernel(NULL);
		kernel.maximum = limits[i];
		assert_ok(open_it(&opened, KRYOS_SECONDS(60)));
		assert_int_equal(opened.timeout_ns, KRYOS_SECONDS(limits[i]));
		assert_in_range(kernel.sets, 2, 9);
		kri_watchdog_wdt.close(opened.priv, 1);
		dispose(&opened);
	}
}

static void hardware_that_takes_its_limit_or_has_one_fixed_timeout_says_it(void **state)
{
	struct opened opened = { .priv = NULL };

	(void)state;
	kernel.clamps = true;
	kernel.maximum = 16;
	assert_ok(open_it(&opened, KRYOS_SECONDS(60)));
	assert_int_equal(opened.timeout_ns, KRYOS_SECONDS(16));
	kri_watchdog_wdt.close(opened.priv, 1);
	dispose(&opened);

	reset_kernel(NULL);
	kernel.fixed = true;
	assert_ok(open_it(&opened, KRYOS_SECONDS(15)));
	assert_int_equal(opened.timeout_ns, KRYOS_SECONDS(60));
	kri_watchdog_wdt.close(opened.priv, 1);
	dispose(&opened);
}

static void what_tells_no_timeout_is_refused_and_not_left_running(void **state)
{
	struct opened opened = { .priv = NULL };

	(void)state;
	kernel.silent = true;
	assert_fails(-EINVAL, open_it(&opened, KRYOS_SECONDS(15)));
	assert_says(-EINVAL, "not a watchdog");
	assert_written(&opened, "V");
	dispose(&opened);
}

static void a_missing_device_and_a_failing_pet_are_reported(void **state)
{
	struct opened opened = { .priv = NULL };
	int64_t timeout_ns = 0;
	uint32_t boot_status = 0;

	(void)state;
	assert_ok(open_it(&opened, KRYOS_SECONDS(15)));
	kernel.pet_error = EIO;
	assert_fails(-EIO, kri_watchdog_wdt.pet(opened.priv));
	assert_says(-EIO, "cannot be petted");
	kri_watchdog_wdt.close(opened.priv, 1);
	assert_fails(-ENOENT, kri_watchdog_wdt.open(opened.priv, in(opened.folder, "watchdog9"), KRYOS_SECONDS(15),
	                                            NULL, &timeout_ns, &boot_status));
	assert_says(-ENOENT, "is the watchdog's driver loaded?");
	assert_fails(-EISDIR, kri_watchdog_wdt.open(opened.priv, opened.folder, KRYOS_SECONDS(15), NULL, &timeout_ns,
	                                            &boot_status));
	assert_int_equal(timeout_ns, 0);
	dispose(&opened);
}

static void a_held_device_names_its_holder(void **state)
{
	struct opened opened = { .priv = NULL };
	int64_t timeout_ns = 0;
	uint32_t boot_status = 0;
	char name[16], held[64];
	int fd;

	(void)state;
	assert_ok(open_it(&opened, KRYOS_SECONDS(15)));
	kri_watchdog_wdt.close(opened.priv, 1);
	assert_int_equal(prctl(PR_GET_NAME, name), 0); /* an emulator's, where one runs this program */
	fd = open(opened.path, O_WRONLY);
	assert_true(fd >= 0);
	kernel.busy = opened.path;
	assert_fails(-EBUSY, kri_watchdog_wdt.open(opened.priv, opened.path, KRYOS_SECONDS(15), NULL, &timeout_ns,
	                                           &boot_status));
	snprintf(held, sizeof(held), "held by %s (pid %d)", name, (int)getpid());
	assert_says(-EBUSY, held);
	close(fd);
	assert_fails(-EBUSY, kri_watchdog_wdt.open(opened.priv, opened.path, KRYOS_SECONDS(15), NULL, &timeout_ns,
	                                           &boot_status));
	assert_says(-EBUSY, "held by another process");
	dispose(&opened);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(timeout_and_boot_status_are_read_back_and_magic_close_disarms, reset_kernel),
		cmocka_unit_test_setup(closing_without_disarming_leaves_the_hardware_running, reset_kernel),
		cmocka_unit_test_setup(the_longest_possible_timeout_is_found_where_too_long_ones_are_refused,
		                       reset_kernel),
		cmocka_unit_test_setup(hardware_that_takes_its_limit_or_has_one_fixed_timeout_says_it, reset_kernel),
		cmocka_unit_test_setup(what_tells_no_timeout_is_refused_and_not_left_running, reset_kernel),
		cmocka_unit_test_setup(a_missing_device_and_a_failing_pet_are_reported, reset_kernel),
		cmocka_unit_test_setup(a_held_device_names_its_holder, reset_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
