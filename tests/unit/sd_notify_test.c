/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include "support.h"
#include "watchdog/notify.h"
#include <errno.h>
#include <fcntl.h>
#include <kryos/watchdog.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The service manager's end: a socket at name, and NOTIFY_SOCKET set to it. */
static int manager(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t length = strlen(name);

	assert_true(fd >= 0 && length < sizeof(address.sun_path));
	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '/'))),
	                 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* The next datagram within ms, "" if none comes. */
static const char *hear(int fd, int ms, char text[256])
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	ssize_t got;

	text[0] = '\0';
	if (poll(&ready, 1, ms) == 1) {
		got = recv(fd, text, 255, 0);
		assert_true(got >= 0);
		text[got] = '\0';
	}
	return text;
}

static int forget_environment(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return 0;
}

static void nobody_asks_is_no_error(void **state)
{
	(void)state;
	assert_int_equal(kri_notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(kri_notify("READY=1"), 0);
}

static void a_socket_in_the_file_system_and_an_abstract_one_are_told(void **state)
{
	char *folder = scratch_new(), name[64], text[256];
	int fd;

	(void)state;
	fd = manager(in(folder, "notify"));
	assert_int_equal(kri_notify("READY=1"), 1);
	assert_string_equal(hear(fd, 1000, text), "READY=1");
	assert_int_equal(kri_notify("STOPPING=1\nSTATUS=sealing"), 1);
	assert_string_equal(hear(fd, 1000, text), "STOPPING=1\nSTATUS=sealing");
	close(fd);
	assert_fails(-ECONNREFUSED, kri_notify("READY=1"));
	assert_says(-ECONNREFUSED, "notify");
	scratch_free(folder);

	snprintf(name, sizeof(name), "@kryos-test-%d", (int)getpid());
	fd = manager(name);
	assert_int_equal(kri_notify("READY=1"), 1);
	assert_string_equal(hear(fd, 1000, text), "READY=1");
	close(fd);
}

static void a_socket_name_that_cannot_be_is_refused(void **state)
{
	char name[200];

	(void)state;
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_fails(-EAFNOSUPPORT, kri_notify("READY=1"));
	assert_says(-EAFNOSUPPORT, "vsock:2:1234");
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_fails(-ENAMETOOLONG, kri_notify("READY=1"));
	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	assert_fails(-ENOENT, kri_notify("READY=1"));
}

static void a_manager_that_does_not_read_is_not_waited_for(void **state)
{
	char *folder = scratch_new();
	int fd = manager(in(folder, "notify")), r = 1;

	(void)state;
	for (int i = 0; i < 100000 && r == 1; i++)
		r = kri_notify("WATCHDOG=1");
	assert_int_equal(r, -EAGAIN);
	assert_says(-EAGAIN, "not told");
	close(fd);
	scratch_free(folder);
}

static const char *petted_device(struct kryos_ctx *ctx, const char *device, int *ret_result)
{
	static struct kryos_watchdog_status status;
	struct kryos_watchdog *watchdog = NULL;

	*ret_result = kryos_watchdog_open(&watchdog, ctx, KRYOS_WATCHDOG_CONFIG(.device = device));
	if (*ret_result < 0)
		return "";
	status = (struct kryos_watchdog_status){ .size = sizeof(status) };
	assert_ok(kryos_watchdog_get_status(watchdog, &status));
	kryos_watchdog_close(watchdog);
	return status.device;
}

static void systemd_is_petted_at_a_third_of_its_time_and_told_at_close(void **state)
{
	struct kryos_watchdog_status status = { .size = sizeof(status) };
	struct kryos_watchdog *watchdog = NULL;
	char *folder = scratch_new(), text[256], pid[32];
	struct kryos_ctx *ctx = NULL;
	struct timespec begin, end;
	int fd = manager(in(folder, "notify"));

	(void)state;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "900000", 1);
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_watchdog_open(&watchdog, ctx, NULL)); /* auto: who asks is served before any device */
	assert_string_equal(hear(fd, 1000, text), "WATCHDOG=1\nWATCHDOG_USEC=900000");
	assert_ok(kryos_watchdog_get_status(watchdog, &status));
	assert_string_equal(status.device, "systemd");
	assert_int_equal(status.timeout_ns, KRYOS_MILLISECONDS(900));
	assert_string_equal(hear(fd, 1000, text), "WATCHDOG=1");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < 4; i++)
		assert_string_equal(hear(fd, 600, text), "WATCHDOG=1");
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* Four thirds of 0.9 s. */
	assert_in_range((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000, 1100, 1700);
	kryos_watchdog_close(watchdog);
	while (strcmp(hear(fd, 500, text), "WATCHDOG=1") == 0)
		continue;
	assert_string_equal(text, "WATCHDOG_USEC=0");
	assert_string_equal(hear(fd, 500, text), "");
	kryos_ctx_free(ctx);
	close(fd);
	scratch_free(folder);
}

static void a_late_task_gets_no_more_pets_and_no_disarming(void **state)
{
	struct kryos_watchdog *watchdog = NULL;
	struct kryos_task *task = NULL;
	const struct kryos_event *event = NULL;
	char *folder = scratch_new(), text[256];
	struct kryos_ctx *ctx = NULL;
	int fd = manager(in(folder, "notify"));
	bool late = false;

	(void)state;
	setenv("WATCHDOG_USEC", "600000", 1);
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_watchdog_open(&watchdog, ctx, KRYOS_WATCHDOG_CONFIG(.device = "systemd")));
	assert_ok(kryos_task_new(&task, watchdog, "loop", KRYOS_SECONDS(1)));
	for (int i = 0; i < 300 && !late; i++) {
		process_for(ctx, 10);
		while (kryos_ctx_next_event(ctx, &event) > 0)
			late = late || event->type == KRYOS_EVENT_TASK_LATE;
	}
	assert_true(late);
	while (hear(fd, 0, text)[0])
		continue;
	assert_string_equal(hear(fd, 700, text), "");
	kryos_watchdog_close(watchdog);
	assert_string_equal(hear(fd, 100, text), "");
	kryos_ctx_free(ctx);
	close(fd);
	scratch_free(folder);
}

static void pets_asked_of_another_process_are_its_own_affair(void **state)
{
	char *folder = scratch_new();
	struct kryos_ctx *ctx = NULL;
	int fd = manager(in(folder, "notify")), r;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	setenv("WATCHDOG_USEC", "900000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	petted_device(ctx, "systemd", &r);
	assert_int_equal(r, -ENOENT);
	assert_says(r, "asks pid 1 for pets");
	assert_string_not_equal(petted_device(ctx, "auto", &r), "systemd");

	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	petted_device(ctx, "systemd", &r);
	assert_int_equal(r, -ENOENT);
	assert_says(r, "WatchdogSec=");
	setenv("WATCHDOG_USEC", "0", 1);
	petted_device(ctx, "systemd", &r);
	assert_int_equal(r, -ENOENT);
	setenv("WATCHDOG_USEC", "soon", 1);
	petted_device(ctx, "auto", &r);
	assert_int_equal(r, -EINVAL);
	assert_says(r, "WATCHDOG_USEC=soon");
	setenv("WATCHDOG_USEC", "99999999999999", 1);
	petted_device(ctx, "systemd", &r);
	assert_int_equal(r, -EINVAL);
	setenv("WATCHDOG_USEC", "900000", 1);
	unsetenv("NOTIFY_SOCKET");
	petted_device(ctx, "systemd", &r);
	assert_int_equal(r, -ENOENT);
	assert_says(r, "NOTIFY_SOCKET is not set");
	kryos_ctx_free(ctx);
	close(fd);
	scratch_free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nobody_asks_is_no_error, forget_environment),
		cmocka_unit_test_setup(a_socket_in_the_file_system_and_an_abstract_one_are_told, forget_environment),
		cmocka_unit_test_setup(a_socket_name_that_cannot_be_is_refused, forget_environment),
		cmocka_unit_test_setup(a_manager_that_does_not_read_is_not_waited_for, forget_environment),
		cmocka_unit_test_setup(systemd_is_petted_at_a_third_of_its_time_and_told_at_close, forget_environment),
		cmocka_unit_test_setup(a_late_task_gets_no_more_pets_and_no_disarming, forget_environment),
		cmocka_unit_test_setup(pets_asked_of_another_process_are_its_own_affair, forget_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
