/* SPDX-License-Identifier: Apache-2.0 */
/* The watcher runs on real time, so these take seconds: the shortest timeouts that are allowed are used. */
#include "core/core.h"
#include "support.h"
#include "watchdog/late.h"
#include <errno.h>
#include <fcntl.h>
#include <kryos/testing/clock.h>
#include <kryos/testing/watchdog.h>
#include <kryos/watchdog.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAKE "/dev/fake-watchdog0"
#define NOW (INT64_C(1763632800) * 1000000000)

/* A disk that hangs: fdatasync does not return while this is set. */
static atomic_bool disk_hangs;
static atomic_int fdatasyncs;

int fdatasync(int fd)
{
	atomic_fetch_add(&fdatasyncs, 1);
	while (atomic_load(&disk_hangs))
		usleep(2000);
	return fsync(fd);
}

struct board {
	struct kryos_fake_clock *clock;
	struct kryos_fake_watchdog *hardware;
	struct kryos_ctx *ctx;
	struct kryos_watchdog *watchdog;
	char *folder;
	atomic_int warnings, errors;
};

static void count_log(void *userdata, const struct kryos_log_record *record)
{
	struct board *board = userdata;

	if (record->level <= KRYOS_LOG_ERROR)
		atomic_fetch_add(&board->errors, 1);
	else if (record->level == KRYOS_LOG_WARNING)
		atomic_fetch_add(&board->warnings, 1);
}

/* The program starts: a new context, with the hardware that says boot_status. */
static void start(struct board *board, uint32_t boot_status)
{
	if (!board->clock)
		assert_ok(kryos_fake_clock_new(&board->clock, NOW));
	if (!board->folder)
		board->folder = scratch_new();
	kryos_fake_watchdog_free(board->hardware);
	assert_ok(kryos_fake_watchdog_new(&board->hardware, 0, boot_status));
	assert_ok(kryos_ctx_new(&board->ctx,
	                        KRYOS_CTX_CONFIG(.log = count_log, .log_userdata = board,
	                                         .clock = kryos_fake_clock_source(), .clock_userdata = board->clock)));
	assert_ok(kryos_fake_watchdog_attach(board->hardware, board->ctx));
}

static int open_watchdog(struct board *board, const char *device, int64_t timeout_ns)
{
	return kryos_watchdog_open(
		&board->watchdog, board->ctx,
		KRYOS_WATCHDOG_CONFIG(.device = device, .folder = board->folder, .timeout_ns = timeout_ns));
}

static void stop(struct board *board)
{
	kryos_ctx_free(board->ctx);
	board->ctx = NULL;
	board->watchdog = NULL;
}

static void dispose(struct board *board)
{
	stop(board);
	kryos_fake_watchdog_free(board->hardware);
	kryos_fake_clock_free(board->clock);
	scratch_free(board->folder);
}

static struct kryos_watchdog_status status_of(struct board *board)
{
	struct kryos_watchdog_status status = { .size = sizeof(status) };

	assert_ok(kryos_watchdog_get_status(board->watchdog, &status));
	return status;
}

static void says_restart(struct board *board, const char *expected)
{
	const struct kryos_event *event = NULL;

	assert_string_equal(status_of(board).restart, expected);
	assert_int_equal(kryos_ctx_next_event(board->ctx, &event), 1);
	assert_int_equal(event->type, KRYOS_EVENT_RESTART);
	assert_string_equal(event->text, expected);
	assert_int_equal(kryos_ctx_next_event(board->ctx, &event), 0);
}

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_ms(int ms)
{
	usleep((useconds_t)ms * 1000);
}

/* Takes events until one of that type comes, for at most ms. */
static const struct kryos_event *wait_event(struct board *board, enum kryos_event_type type, int ms)
{
	int64_t end = monotonic_ms() + ms;
	const struct kryos_event *event = NULL;

	while (monotonic_ms() < end) {
		assert_ok(kryos_ctx_process(board->ctx));
		while (kryos_ctx_next_event(board->ctx, &event) > 0)
			if (event->type == type)
				return event;
		wait_ms(5);
	}
	fail_msg("no event of type %s in %d ms", kryos_event_type_name(type), ms);
	return NULL;
}

static void hardware_is_petted_while_all_tasks_feed_and_disarmed_at_close(void **state)
{
	struct board board = { .ctx = NULL };
	struct kryos_task *sampler = NULL, *idle = NULL, *gone = NULL;
	struct kryos_watchdog_status status;
	unsigned int pets;

	(void)state;
	start(&board, 0);
	assert_ok(open_watchdog(&board, FAKE, KRYOS_SECONDS(2)));
	assert_ok(kryos_task_new(&sampler, board.watchdog, "sampler", KRYOS_SECONDS(1)));
	assert_ok(kryos_task_new(&idle, board.watchdog, "idle", KRYOS_SECONDS(1)));
	assert_ok(kryos_task_new(&gone, board.watchdog, "gone", KRYOS_SECONDS(1)));
	kryos_task_rest(idle);
	kryos_task_free(gone);
	kryos_task_free(NULL);
	kryos_task_feed(NULL);
	kryos_task_rest(NULL);
	for (int i = 0; i < 25; i++) {
		kryos_task_feed(sampler);
		wait_ms(100);
	}
	/* One at the start, then one per third of 2 s: at 0, 0.67, 1.33, 2.0 s. */
	pets = kryos_fake_watchdog_pets(board.hardware);
	assert_in_range(pets, 3, 5);
	status = status_of(&board);
	assert_int_equal(status.petting, 1);
	assert_int_equal(status.tasks, 2);
	assert_int_equal(status.timeout_ns, KRYOS_SECONDS(2));
	assert_string_equal(status.device, FAKE);
	assert_string_equal(status.late_task, "");
	assert_int_equal(kryos_fake_watchdog_armed(board.hardware), 1);
	kryos_watchdog_close(board.watchdog);
	kryos_watchdog_close(NULL);
	assert_int_equal(kryos_fake_watchdog_armed(board.hardware), 0);
	assert_int_equal(board.errors, 0);
	assert_int_equal(board.warnings, 0);
	dispose(&board);
}

static void late_task_is_named_then_petting_stops_for_ever(void **state)
{
	struct board board = { .ctx = NULL };
	struct kryos_task *slow = NULL, *good = NULL;
	const struct kryos_event *event;
	struct kryos_watchdog_status status;
	unsigned int pets;
	int syncs;

	(void)state;
	start(&board, 0);
	assert_ok(open_watchdog(&board, FAKE, KRYOS_SECONDS(2)));
	says_restart(&board, "nothing is known of a run before");
	assert_ok(kryos_task_new(&slow, board.watchdog, "relay clinic", KRYOS_SECONDS(1)));
	assert_ok(kryos_task_new(&good, board.watchdog, "good", KRYOS_MINUTES(1)));
	syncs = fdatasyncs;
	event = wait_event(&board, KRYOS_EVENT_TASK_LATE, 1500);
	assert_string_equal(event->name, "relay clinic");
	assert_non_null(strstr(event->text, "named in late.rec"));
	assert_true(event->value_ns >= 0 && event->value_ns < KRYOS_MILLISECONDS(400));
	assert_int_equal(fdatasyncs - syncs, 1);
	pets = kryos_fake_watchdog_pets(board.hardware);
	assert_int_equal(status_of(&board).petting, 0);
	/* Too late to be sorry. */
	kryos_task_feed(slow);
	wait_ms(1500);
	assert_int_equal(kryos_fake_watchdog_pets(board.hardware), pets);
	assert_int_equal(status_of(&board).petting, 0);
	assert_int_equal(board.errors, 1);
	stop(&board);
	assert_int_equal(kryos_fake_watchdog_armed(board.hardware), 1); /* the reset is not called off */

	kryos_fake_clock_advance(board.clock, KRYOS_SECONDS(40));
	kryos_fake_clock_reboot(board.clock);
	start(&board, 0x20);
	assert_ok(open_watchdog(&board, FAKE, KRYOS_SECONDS(2)));
	status = status_of(&board);
	assert_string_equal(status.late_task, "relay clinic");
	assert_int_equal(status.late_wall_ns, NOW);
	assert_int_equal(status.boot_status, 0x20);
	assert_non_null(strstr(status.restart, "task relay clinic was late by 0."));
	assert_non_null(strstr(status.restart, "; hardware reset"));
	event = wait_event(&board, KRYOS_EVENT_RESTART, 100);
	assert_string_equal(event->text, status.restart);
	assert_string_equal(event->name, "relay clinic");
	stop(&board);

	/* Said once: the run that said it ended well. */
	start(&board, 0);
	assert_ok(open_watchdog(&board, FAKE, KRYOS_SECONDS(2)));
	assert_string_equal(status_of(&board).late_task, "");
	says_restart(&board, "clean stop");
	dispose(&board);
}

static void a_disk_that_hangs_does_not_keep_a_late_task_petted(void **state)
{
	struct board board = { .ctx = NULL };
	struct kryos_task *stuck = NULL;
	const struct kryos_event *event;
	struct kri_late_record run, task;
	struct kri_late *late = NULL;
	unsigned int pets;
	int64_t begin;

	(void)state;
	start(&board, 0);
	assert_ok(open_watchdog(&board, FAKE, KRYOS_SECONDS(2)));
	assert_ok(kryos_task_new(&stuck, board.watchdog, "store", KRYOS_SECONDS(1)));
	atomic_store(&disk_hangs, true);
	begin = monotonic_ms();
	while (status_of(&board).petting)
		wait_ms(2);
	wait_ms(20); /* the last pet follows the decision */
	assert_in_range(monotonic_ms() - begin, 900, 1500);
	pets = kryos_fake_watchdog_pets(board.hardware);
	/* Half the timeout is waited for the name, then it is announced without. Nobody pets meanwhile. */
	event = wait_event(&board, KRYOS_EVENT_TASK_LATE, 2000);
	assert_in_range(monotonic_ms() - begin, 1900, 2600);
	assert_string_equal(event->name, "store");
	assert_non_null(strstr(event->text, "did not answer in time"));
	wait_ms(800);
	assert_int_equal(kryos_fake_watchdog_pets(board.hardware), pets);

	/* A context with a hung disk closes within its 5 s, and what hangs ends by itself. */
	begin = monotonic_ms();
	stop(&board);
	assert_in_range(monotonic_ms() - begin, 0, 5500);
	assert_int_equal(kryos_fake_watchdog_armed(board.hardware), 1);
	atomic_store(&disk_hangs, false);
	for (int i = 0; i < 200 && kri_late_open(&late, board.folder) == -EBUSY; i++)
		wait_ms(10);
	assert_non_null(late);
	/* The disk came back before the reset: the name is there all the same. */
	assert_ok(kri_late_read(late, &run, &task));
	assert_int_equal(task.kind, KRI_LATE_TASK);
	assert_string_equal(task.task, "store");
	assert_true(kri_late_is_of_run(&task, &run));
	kri_late_close(late);
	dispose(&board);
}

static void without_hardware_lateness_is_announced_once_and_excused_when_fed(void **state)
{
	struct board board = { .ctx = NULL };
	struct kryos_task *task = NULL;
	const struct kryos_event *event = NULL;

	(void)state;
	start(&board, 0);
	assert_ok(open_watchdog(&board, "none", 0));
	assert_int_equal(status_of(&board).timeout_ns, 0);
	assert_string_equal(status_of(&board).device, "none");
	assert_ok(kryos_task_new(&task, board.watchdog, "sampler", KRYOS_SECONDS(1)));
	wait_event(&board, KRYOS_EVENT_TASK_LATE, 1500);
	assert_int_equal(status_of(&board).petting, 0);
	process_for(board.ctx, 300);
	assert_int_equal(kryos_ctx_next_event(board.ctx, &event), 0);
	kryos_task_feed(task);
	wait_event(&board, KRYOS_EVENT_TASK_LATE, 7000); /* late again, so it was excused between */
	stop(&board);

	start(&board, 0);
	assert_ok(open_watchdog(&board, "none", 0));
	assert_string_equal(status_of(&board).late_task, "sampler");
	says_restart(&board, "clean stop");
	dispose(&board);
}

/* A child opens a watchdog, says so, and is killed. */
static void run_and_kill(struct board *board)
{
	int ready[2], gone;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ready[0]);
		start(board, 0);
		if (open_watchdog(board, FAKE, KRYOS_SECONDS(2)) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &gone, 0), pid);
	assert_true(WIFSIGNALED(gone));
}

static void a_killed_process_a_lost_power_and_a_reset_are_told_apart(void **state)
{
	static const struct {
		bool reboot;
		uint32_t boot_status;
		const char *text;
	} cases[] = {
		{ false, 0, "process gone: killed or crashed, the board kept running" },
		{ true, 0, "process gone: killed or power lost" },
		{ true, 0x20, "watchdog reset; no task was named: process gone, or a disk that hung" },
	};

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		struct board board = { .ctx = NULL };

		assert_ok(kryos_fake_clock_new(&board.clock, NOW));
		board.folder = scratch_new();
		run_and_kill(&board);
		if (cases[i].reboot)
			kryos_fake_clock_reboot(board.clock);
		start(&board, cases[i].boot_status);
		assert_ok(open_watchdog(&board, FAKE, KRYOS_SECONDS(2)));
		says_restart(&board, cases[i].text);
		dispose(&board);
	}
}

static void a_folder_that_does_not_work_costs_the_names_only(void **state)
{
	struct board board = { .ctx = NULL };
	struct kryos_task *task = NULL;
	const struct kryos_event *event;

	(void)state;
	start(&board, 0x20);
	assert_ok(kryos_watchdog_open(&board.watchdog, board.ctx,
	                              KRYOS_WATCHDOG_CONFIG(.device = FAKE, .folder = in(board.folder, "missing"),
	                                                    .timeout_ns = KRYOS_SECONDS(2))));
	assert_int_equal(board.warnings, 1);
	says_restart(&board, "watchdog reset; nothing is known of a run before");
	assert_ok(kryos_task_new(&task, board.watchdog, "sampler", KRYOS_SECONDS(1)));
	event = wait_event(&board, KRYOS_EVENT_TASK_LATE, 1500);
	assert_non_null(strstr(event->text, "no late.rec is kept"));
	assert_int_equal(status_of(&board).petting, 0);
	dispose(&board);
}

static void open_fails_with_a_sentence_and_leaves_the_last_report_alone(void **state)
{
	struct board board = { .ctx = NULL };

	(void)state;
	assert_ok(kryos_fake_clock_new(&board.clock, NOW));
	board.folder = scratch_new();
	run_and_kill(&board);
	start(&board, 0);
	assert_fails(-ENOENT, open_watchdog(&board, "/dev/nothing", 0));
	assert_says(-ENOENT, "allowed are auto, none, systemd and /dev/watchdogN");
	assert_fails(-ENOENT, open_watchdog(&board, "nonesuch", 0));
	kryos_fake_watchdog_set_busy(board.hardware, 1);
	assert_fails(-EBUSY, open_watchdog(&board, FAKE, 0));
	kryos_fake_watchdog_set_busy(board.hardware, 0);
	assert_fails(-EINVAL, open_watchdog(&board, FAKE, KRYOS_SECONDS(1)));
	assert_says(-EINVAL, "watchdog timeout_ns");
	assert_fails(-EINVAL, kryos_watchdog_open(NULL, board.ctx, NULL));
	assert_fails(-EINVAL, kryos_watchdog_open(&board.watchdog, NULL, NULL));
	assert_fails(-EINVAL,
	             kryos_watchdog_open(&board.watchdog, board.ctx, &(struct kryos_watchdog_config){ .size = 0 }));
	assert_null(board.watchdog);
	assert_ok(open_watchdog(&board, FAKE, 0));
	says_restart(&board, "process gone: killed or crashed, the board kept running");
	assert_int_equal(status_of(&board).timeout_ns, KRYOS_SECONDS(15));
	assert_fails(-EBUSY, open_watchdog(&board, FAKE, 0));
	dispose(&board);
}

static void a_timeout_far_from_the_asked_one_is_refused_and_a_near_one_is_used_and_said(void **state)
{
	struct board board = { .ctx = NULL };
	struct kryos_fake_watchdog *limited = NULL;

	(void)state;
	start(&board, 0);
	assert_ok(kryos_fake_watchdog_new(&limited, KRYOS_SECONDS(16), 0)); /* as the bcm2835's */
	assert_ok(kryos_fake_watchdog_attach(limited, board.ctx));
	assert_fails(-EINVAL, open_watchdog(&board, FAKE, KRYOS_SECONDS(60)));
	assert_says(-EINVAL, "60 s was asked for, the hardware can do 16 s");
	assert_int_equal(kryos_fake_watchdog_armed(limited), 0); /* not left running with nobody to pet it */
	assert_int_equal(atomic_load(&board.warnings), 0);
	assert_ok(open_watchdog(&board, FAKE, KRYOS_SECONDS(30)));
	assert_int_equal(status_of(&board).timeout_ns, KRYOS_SECONDS(16));
	assert_int_equal(atomic_load(&board.warnings), 1);
	kryos_watchdog_close(board.watchdog);
	assert_ok(open_watchdog(&board, FAKE, KRYOS_SECONDS(16)));
	assert_int_equal(atomic_load(&board.warnings), 1); /* nothing to be said of what it does */
	stop(&board);
	kryos_fake_watchdog_free(limited);
	dispose(&board);
}

static void tasks_are_checked_and_at_most_64(void **state)
{
	struct board board = { .ctx = NULL };
	struct kryos_task *tasks[64], *task = NULL;
	char name[40];

	(void)state;
	start(&board, 0);
	assert_ok(open_watchdog(&board, FAKE, 0));
	assert_fails(-EINVAL, kryos_task_new(&task, board.watchdog, "", 0));
	assert_fails(-EINVAL, kryos_task_new(&task, board.watchdog, NULL, 0));
	assert_fails(-EINVAL, kryos_task_new(&task, board.watchdog, "0123456789012345678901234567890x", 0));
	assert_says(-EINVAL, "1 to 31 bytes");
	assert_fails(-EINVAL, kryos_task_new(&task, board.watchdog, "a", KRYOS_SECONDS(1) - 1));
	assert_fails(-EINVAL, kryos_task_new(&task, board.watchdog, "a", KRYOS_HOURS(1) + 1));
	assert_fails(-EINVAL, kryos_task_new(&task, NULL, "a", 0));
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "task %d", i);
		assert_ok(kryos_task_new(&tasks[i], board.watchdog, name, 0));
	}
	assert_fails(-ENOSPC, kryos_task_new(&task, board.watchdog, "one more", 0));
	assert_null(task);
	kryos_task_free(tasks[7]);
	assert_ok(kryos_task_new(&task, board.watchdog, "0123456789012345678901234567890", KRYOS_HOURS(1)));
	assert_int_equal(status_of(&board).tasks, 64);
	dispose(&board);
}

/* Stands where the real /dev/watchdog0 would. */
static int auto_result;

static int auto_open(void *priv, const char *device, int64_t timeout_ns, void *userdata, int64_t *ret_timeout_ns,
                     uint32_t *ret_boot_status)
{
	(void)priv;
	(void)userdata;
	*ret_timeout_ns = timeout_ns;
	*ret_boot_status = 0;
	return auto_result < 0 ? kryos_fail(auto_result, "%s: failed on purpose", device) : 0;
}

static int auto_pet(void *priv)
{
	(void)priv;
	return 0;
}

static void auto_close(void *priv, int disarm)
{
	(void)priv;
	(void)disarm;
}

static void auto_takes_the_first_device_that_is_free_and_passes_mistakes_on(void **state)
{
	static const struct kryos_watchdog_driver real = {
		.size = sizeof(real),
		.name = "real",
		.prefix = "/dev/watchdog",
		.open = auto_open,
		.pet = auto_pet,
		.close = auto_close,
	};
	static const struct {
		int result;
		const char *device; /* NULL: open fails with result */
	} cases[] = {
		{ 0, "/dev/watchdog0" }, { -ENOENT, "none" }, { -EBUSY, "none" },
		{ -EACCES, "none" },     { -EPERM, "none" },  { -EINVAL, NULL },
	};

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		struct board board = { .ctx = NULL };

		start(&board, 0);
		assert_ok(kryos_register_watchdog(board.ctx, &real, NULL));
		auto_result = cases[i].result;
		if (cases[i].device) {
			assert_ok(open_watchdog(&board, i % 2 ? "auto" : NULL, 0));
			assert_string_equal(status_of(&board).device, cases[i].device);
		} else {
			assert_fails(cases[i].result, open_watchdog(&board, "auto", 0));
		}
		dispose(&board);
	}
}

static void a_child_after_fork_leaves_the_watchdog_to_its_parent(void **state)
{
	struct board board = { .ctx = NULL };
	int status = -1;
	pid_t child;

	(void)state;
	start(&board, 0);
	assert_ok(open_watchdog(&board, "none", 0));
	child = fork();
	if (child == 0) {
		int64_t before = monotonic_ms();

		kryos_watchdog_close(board.watchdog);
		_exit(monotonic_ms() - before < 500 ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(status_of(&board).petting, 1);
	dispose(&board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: they fork, while no thread runs. */
		cmocka_unit_test(a_killed_process_a_lost_power_and_a_reset_are_told_apart),
		cmocka_unit_test(open_fails_with_a_sentence_and_leaves_the_last_report_alone),
		cmocka_unit_test(hardware_is_petted_while_all_tasks_feed_and_disarmed_at_close),
		cmocka_unit_test(late_task_is_named_then_petting_stops_for_ever),
		cmocka_unit_test(a_disk_that_hangs_does_not_keep_a_late_task_petted),
		cmocka_unit_test(without_hardware_lateness_is_announced_once_and_excused_when_fed),
		cmocka_unit_test(a_folder_that_does_not_work_costs_the_names_only),
		cmocka_unit_test(a_timeout_far_from_the_asked_one_is_refused_and_a_near_one_is_used_and_said),
		cmocka_unit_test(tasks_are_checked_and_at_most_64),
		cmocka_unit_test(auto_takes_the_first_device_that_is_free_and_passes_mistakes_on),
		cmocka_unit_test(a_child_after_fork_leaves_the_watchdog_to_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
