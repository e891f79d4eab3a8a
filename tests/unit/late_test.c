/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include "watchdog/late.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_A "25e3e974-26c2-4391-b66a-0c9013033853"
#define BOOT_B "7d0a6c1e-90f1-4e7e-8a49-51d1c8f60a11"

static const struct kri_late_record a_run = {
	.kind = KRI_LATE_RUNNING,
	.pid = 4711,
	.started_ns = INT64_C(12345678901),
	.t_boot_ns = INT64_C(12345678999),
	.t_wall_ns = INT64_C(1763632800123456789),
	.timeout_ns = KRYOS_SECONDS(15),
	.boot_id = BOOT_A,
	.device = "/dev/watchdog0",
};

static struct kri_late_record a_task(void)
{
	struct kri_late_record task = a_run;

	task.kind = KRI_LATE_TASK;
	task.deadline_ns = KRYOS_SECONDS(60);
	task.late_ns = INT64_C(1250000000);
	strcpy(task.task, "sampler");
	return task;
}

static void assert_same(const struct kri_late_record *a, const struct kri_late_record *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->pid, b->pid);
	assert_int_equal(a->started_ns, b->started_ns);
	assert_int_equal(a->t_boot_ns, b->t_boot_ns);
	assert_int_equal(a->t_wall_ns, b->t_wall_ns);
	assert_int_equal(a->timeout_ns, b->timeout_ns);
	assert_int_equal(a->deadline_ns, b->deadline_ns);
	assert_int_equal(a->late_ns, b->late_ns);
	assert_string_equal(a->boot_id, b->boot_id);
	assert_string_equal(a->task, b->task);
	assert_string_equal(a->device, b->device);
}

static void record_comes_back_as_it_was_and_any_flipped_bit_is_noticed(void **state)
{
	struct kri_late_record task = a_task(), back;
	uint8_t bytes[KRI_LATE_RECORD];

	(void)state;
	memset(task.task, 'x', sizeof(task.task) - 1); /* the longest name */
	kri_late_encode(&task, bytes);
	kri_late_decode(bytes, &back);
	assert_same(&task, &back);
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		kri_late_decode(bytes, &back);
		assert_int_equal(back.kind, KRI_LATE_DAMAGED);
		assert_string_equal(back.task, "");
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	memset(bytes, 0, sizeof(bytes));
	kri_late_decode(bytes, &back);
	assert_int_equal(back.kind, KRI_LATE_NOTHING);
	memset(bytes, 0xff, sizeof(bytes));
	kri_late_decode(bytes, &back);
	assert_int_equal(back.kind, KRI_LATE_DAMAGED);
}

static int fdatasyncs; /* calls since it was set to 0 */

/* Takes the place of libc's: counts, then does the same. */
int fdatasync(int fd)
{
	fdatasyncs++;
	return fsync(fd);
}

static void file_is_whole_from_the_start_and_naming_takes_one_sync_and_no_block(void **state)
{
	char *folder = scratch_new();
	struct kri_late_record task = a_task(), run, back;
	struct kri_late *late = NULL;
	struct stat before, after;

	(void)state;
	assert_ok(kri_late_open(&late, folder));
	assert_int_equal(stat(in(folder, "late.rec"), &before), 0);
	assert_int_equal(before.st_size, 3 * KRI_LATE_RECORD);
	assert_true(before.st_blocks > 0);
	assert_ok(kri_late_read(late, &run, &back));
	assert_int_equal(run.kind, KRI_LATE_NOTHING);
	assert_int_equal(back.kind, KRI_LATE_NOTHING);

	fdatasyncs = 0;
	assert_ok(kri_late_begin(late, &a_run));
	assert_int_equal(fdatasyncs, 1);
	assert_ok(kri_late_write(late, &task));
	assert_int_equal(fdatasyncs, 2);
	assert_int_equal(stat(in(folder, "late.rec"), &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_blocks, before.st_blocks);
	kri_late_close(late);

	assert_ok(kri_late_open(&late, folder));
	assert_ok(kri_late_read(late, &run, &back));
	assert_same(&run, &a_run);
	assert_same(&back, &task);
	kri_late_close(late);
	scratch_free(folder);
}

static void beginning_a_run_puts_the_name_of_the_last_one_aside(void **state)
{
	char *folder = scratch_new();
	struct kri_late_record task = a_task(), run = a_run, back, aside;
	uint8_t bytes[3 * KRI_LATE_RECORD];
	struct kri_late *late = NULL;
	int fd;

	(void)state;
	assert_ok(kri_late_open(&late, folder));
	assert_ok(kri_late_begin(late, &a_run));
	assert_ok(kri_late_write(late, &task));
	for (int i = 0; i < 2; i++) { /* a second, quiet run does not lose it */
		run.started_ns++;
		assert_ok(kri_late_begin(late, &run));
		assert_ok(kri_late_read(late, &run, &back));
		assert_int_equal(back.kind, KRI_LATE_NOTHING);
		fd = open(in(folder, "late.rec"), O_RDONLY);
		assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
		close(fd);
		kri_late_decode(bytes + 2 * KRI_LATE_RECORD, &aside);
		assert_same(&aside, &task);
	}
	kri_late_close(late);
	kri_late_close(NULL);
	scratch_free(folder);
}

static void a_file_that_cannot_be_used_says_why(void **state)
{
	char *folder = scratch_new();
	struct kri_late *late = NULL, *second = NULL;

	(void)state;
	assert_fails(-ENOENT, kri_late_open(&late, in(folder, "missing")));
	assert_says(-ENOENT, "missing/late.rec");
	assert_int_equal(symlink("/dev/null", in(folder, "late.rec")), 0);
	assert_fails(-ELOOP, kri_late_open(&late, folder));
	assert_int_equal(unlink(in(folder, "late.rec")), 0);
	assert_int_equal(mkfifo(in(folder, "late.rec"), 0600), 0);
	assert_fails(-EINVAL, kri_late_open(&late, folder));
	assert_says(-EINVAL, "regular");
	assert_int_equal(unlink(in(folder, "late.rec")), 0);
	assert_ok(kri_late_open(&late, folder));
	assert_fails(-EBUSY, kri_late_open(&second, folder));
	assert_says(-EBUSY, "another process");
	kri_late_close(late);
	scratch_free(folder);
}

static void torn_and_short_files_are_repaired_by_the_next_run(void **state)
{
	char *folder = scratch_new();
	struct kri_late_record run, task;
	struct kri_late *late = NULL;
	char text[160];
	int fd;

	(void)state;
	fd = open(in(folder, "late.rec"), O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "KRYLATE\nhalf a record", 21), 21);
	close(fd);
	assert_ok(kri_late_open(&late, folder));
	assert_ok(kri_late_read(late, &run, &task));
	assert_int_equal(run.kind, KRI_LATE_DAMAGED);
	kri_late_explain(&run, &task, BOOT_A, 0, text);
	assert_string_equal(text, "unknown: late.rec is damaged");
	assert_ok(kri_late_begin(late, &a_run));
	assert_ok(kri_late_read(late, &run, &task));
	assert_same(&run, &a_run);
	kri_late_close(late);
	scratch_free(folder);
}

static void says(const struct kri_late_record *run, const struct kri_late_record *task, const char *boot_id,
                 uint32_t boot_status, const char *expected)
{
	char text[160];

	memset(text, '#', sizeof(text));
	kri_late_explain(run, task, boot_id, boot_status, text);
	assert_string_equal(text, expected);
}

static void restart_is_explained_from_what_the_run_the_boot_and_the_hardware_say(void **state)
{
	static const struct kri_late_record nothing = { .kind = KRI_LATE_NOTHING }, newer = { .kind = KRI_LATE_NEWER };
	struct kri_late_record task = a_task(), clean = a_run, stale = a_task(), soft = a_task();

	(void)state;
	clean.kind = KRI_LATE_CLEAN;
	stale.started_ns--;
	soft.timeout_ns = 0;
	says(&nothing, &nothing, BOOT_A, 0, "nothing is known of a run before");
	says(&nothing, &nothing, BOOT_A, 0x20, "watchdog reset; nothing is known of a run before");
	says(&newer, &nothing, BOOT_A, 0, "unknown: late.rec is of a newer version");
	says(&clean, &nothing, BOOT_A, 0, "clean stop");
	says(&clean, &nothing, BOOT_B, 0, "clean stop");
	says(&clean, &nothing, BOOT_A, 0x20, "clean stop");
	says(&clean, &nothing, BOOT_B, 0x20, "clean stop; later a watchdog reset");
	says(&a_run, &nothing, BOOT_A, 0, "process gone: killed or crashed, the board kept running");
	/* The boot before this one ended by a reset; the process died in this one. */
	says(&a_run, &nothing, BOOT_A, 0x20, "process gone: killed or crashed, the board kept running");
	says(&a_run, &nothing, BOOT_B, 0, "process gone: killed or power lost");
	says(&a_run, &nothing, BOOT_B, 0x20, "watchdog reset; no task was named: process gone, or a disk that hung");
	says(&a_run, &nothing, BOOT_B, 0x10, "process gone: power failed, says the hardware");
	says(&a_run, &nothing, BOOT_B, 0x01, "process gone: reset because of heat, says the hardware");
	says(&a_run, &task, BOOT_B, 0x20, "task sampler was late by 1.2 s; hardware reset");
	says(&a_run, &task, BOOT_B, 0,
	     "task sampler was late by 1.2 s; board restarted, the hardware does not say whether it did it");
	says(&a_run, &task, BOOT_A, 0, "task sampler was late by 1.2 s; process killed, the board kept running");
	says(&a_run, &soft, BOOT_A, 0, "task sampler was late by 1.2 s; no watchdog was petted; process gone");
	/* A name left from an older run accuses nobody of this one. */
	says(&a_run, &stale, BOOT_B, 0x20, "watchdog reset; no task was named: process gone, or a disk that hung");
	/* Late without hardware, then fed again, then stopped in good order. */
	says(&clean, &soft, BOOT_A, 0, "clean stop");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_comes_back_as_it_was_and_any_flipped_bit_is_noticed),
		cmocka_unit_test(file_is_whole_from_the_start_and_naming_takes_one_sync_and_no_block),
		cmocka_unit_test(beginning_a_run_puts_the_name_of_the_last_one_aside),
		cmocka_unit_test(a_file_that_cannot_be_used_says_why),
		cmocka_unit_test(torn_and_short_files_are_repaired_by_the_next_run),
		cmocka_unit_test(restart_is_explained_from_what_the_run_the_boot_and_the_hardware_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
