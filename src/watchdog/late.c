/* SPDX-License-Identifier: Apache-2.0 */
#include "late.h"
#include "../digest/digest.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION 1
#define SLOTS 3 /* the run, its late task, an earlier one */
#define SIZE (SLOTS * KRI_LATE_RECORD)

/* The bits of WDIOC_GETBOOTSTATUS that say something of the restart (linux/watchdog.h, stable kernel ABI). */
#define STATUS_OVERHEAT 0x01
#define STATUS_POWER_UNDER 0x10
#define STATUS_CARD_RESET 0x20

static const char magic[8] = { 'K', 'R', 'Y', 'L', 'A', 'T', 'E', '\n' };

/* Offsets in a record; numbers are little-endian, strings padded with NUL. */
enum {
	AT_MAGIC = 0,
	AT_VERSION = 8,
	AT_KIND = 12,
	AT_PID = 16,
	AT_STARTED = 24,
	AT_BOOT = 32,
	AT_WALL = 40,
	AT_TIMEOUT = 48,
	AT_DEADLINE = 56,
	AT_LATE = 64,
	AT_BOOT_ID = 72,
	AT_TASK = 112,
	AT_DEVICE = 144,
	AT_CRC = KRI_LATE_RECORD - 4
};

struct kri_late {
	int fd;
	char *path;
};

static void put(uint8_t *to, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *from, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)from[i] << 8 * i;
	return value;
}

static void get_text(char *to, const uint8_t *from, size_t size)
{
	memcpy(to, from, size);
	to[size - 1] = '\0';
}

void kri_late_encode(const struct kri_late_record *record, uint8_t ret_bytes[KRI_LATE_RECORD])
{
	memset(ret_bytes, 0, KRI_LATE_RECORD);
	memcpy(ret_bytes + AT_MAGIC, magic, sizeof(magic));
	put(ret_bytes + AT_VERSION, VERSION, 4);
	put(ret_bytes + AT_KIND, record->kind, 4);
	put(ret_bytes + AT_PID, record->pid, 4);
	put(ret_bytes + AT_STARTED, (uint64_t)record->started_ns, 8);
	put(ret_bytes + AT_BOOT, (uint64_t)record->t_boot_ns, 8);
	put(ret_bytes + AT_WALL, (uint64_t)record->t_wall_ns, 8);
	put(ret_bytes + AT_TIMEOUT, (uint64_t)record->timeout_ns, 8);
	put(ret_bytes + AT_DEADLINE, (uint64_t)record->deadline_ns, 8);
	put(ret_bytes + AT_LATE, (uint64_t)record->late_ns, 8);
	memcpy(ret_bytes + AT_BOOT_ID, record->boot_id, strnlen(record->boot_id, sizeof(record->boot_id) - 1));
	memcpy(ret_bytes + AT_TASK, record->task, strnlen(record->task, sizeof(record->task) - 1));
	memcpy(ret_bytes + AT_DEVICE, record->device, strnlen(record->device, sizeof(record->device) - 1));
	put(ret_bytes + AT_CRC, kri_crc32c(0, ret_bytes, AT_CRC), 4);
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

void kri_late_decode(const uint8_t bytes[KRI_LATE_RECORD], struct kri_late_record *ret_record)
{
	uint64_t kind = get(bytes + AT_KIND, 4);

	memset(ret_record, 0, sizeof(*ret_record));
	if (is_zero(bytes, KRI_LATE_RECORD))
		return;
	ret_record->kind = KRI_LATE_DAMAGED;
	if (memcmp(bytes + AT_MAGIC, magic, sizeof(magic)) != 0 ||
	    get(bytes + AT_CRC, 4) != kri_crc32c(0, bytes, AT_CRC))
		return;
	if (get(bytes + AT_VERSION, 4) > VERSION) {
		ret_record->kind = KRI_LATE_NEWER;
		return;
	}
	if (kind != KRI_LATE_RUNNING && kind != KRI_LATE_CLEAN && kind != KRI_LATE_TASK)
		return;
	ret_record->kind = (enum kri_late_kind)kind;
	ret_record->pid = (uint32_t)get(bytes + AT_PID, 4);
	ret_record->started_ns = (int64_t)get(bytes + AT_STARTED, 8);
	ret_record->t_boot_ns = (int64_t)get(bytes + AT_BOOT, 8);
	ret_record->t_wall_ns = (int64_t)get(bytes + AT_WALL, 8);
	ret_record->timeout_ns = (int64_t)get(bytes + AT_TIMEOUT, 8);
	ret_record->deadline_ns = (int64_t)get(bytes + AT_DEADLINE, 8);
	ret_record->late_ns = (int64_t)get(bytes + AT_LATE, 8);
	get_text(ret_record->boot_id, bytes + AT_BOOT_ID, sizeof(ret_record->boot_id));
	get_text(ret_record->task, bytes + AT_TASK, sizeof(ret_record->task));
	get_text(ret_record->device, bytes + AT_DEVICE, sizeof(ret_record->device));
}

static int failed(const struct kri_late *late)
{
	return kryos_fail(-errno, "%s: %s", late->path, strerror(errno));
}

static int write_at(struct kri_late *late, const uint8_t *bytes, size_t count, off_t at)
{
	while (count > 0) {
		ssize_t done = pwrite(late->fd, bytes, count, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return failed(late);
		bytes += done;
		count -= (size_t)done;
		at += done;
	}
	while (fdatasync(late->fd) < 0)
		if (errno != EINTR)
			return failed(late);
	return 0;
}

/* Zeros are written, not only reserved: turning a reserved extent into a written one costs a journal commit later. */
static int preallocate(struct kri_late *late, const char *folder)
{
	const uint8_t zeros[SIZE] = { 0 };
	struct stat status;
	int fd, r = 0;

	if (fstat(late->fd, &status) < 0)
		return failed(late);
	if (!S_ISREG(status.st_mode))
		return kryos_fail(-EINVAL, "%s: not a regular file", late->path);
	if (status.st_size >= SIZE)
		return 0;
	r = write_at(late, zeros + status.st_size, (size_t)(SIZE - status.st_size), status.st_size);
	if (r < 0)
		return r;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0 || fsync(late->fd) < 0)
		r = failed(late);
	if (fd >= 0)
		close(fd);
	return r;
}

int kri_late_open(struct kri_late **ret_late, const char *folder)
{
	struct kri_late *late = calloc(1, sizeof(*late));
	int r;

	if (!late)
		return -ENOMEM;
	late->fd = -1;
	if (asprintf(&late->path, "%s/late.rec", folder) < 0) {
		late->path = NULL;
		r = -ENOMEM;
		goto close_late;
	}
	late->fd = open(late->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (late->fd < 0) {
		r = failed(late);
		goto close_late;
	}
	if (flock(late->fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? kryos_fail(-EBUSY, "%s: another process uses it", late->path) : failed(late);
		goto close_late;
	}
	r = preallocate(late, folder);
	if (r < 0)
		goto close_late;
	*ret_late = late;
	return 0;

close_late:
	kri_late_close(late);
	return r;
}

void kri_late_close(struct kri_late *late)
{
	if (!late)
		return;
	if (late->fd >= 0)
		close(late->fd);
	free(late->path);
	free(late);
}

static int read_all(struct kri_late *late, uint8_t bytes[SIZE])
{
	size_t have = 0;

	memset(bytes, 0, SIZE);
	while (have < SIZE) {
		ssize_t got = pread(late->fd, bytes + have, SIZE - have, (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return failed(late);
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return 0;
}

int kri_late_read(struct kri_late *late, struct kri_late_record *ret_run, struct kri_late_record *ret_task)
{
	uint8_t bytes[SIZE];
	int r = read_all(late, bytes);

	if (r < 0)
		return r;
	kri_late_decode(bytes, ret_run);
	kri_late_decode(bytes + KRI_LATE_RECORD, ret_task);
	return 0;
}

int kri_late_begin(struct kri_late *late, const struct kri_late_record *run)
{
	struct kri_late_record task;
	uint8_t bytes[SIZE];
	int r = read_all(late, bytes);

	if (r < 0)
		return r;
	kri_late_decode(bytes + KRI_LATE_RECORD, &task);
	if (task.kind == KRI_LATE_TASK)
		memcpy(bytes + 2 * KRI_LATE_RECORD, bytes + KRI_LATE_RECORD, KRI_LATE_RECORD);
	memset(bytes + KRI_LATE_RECORD, 0, KRI_LATE_RECORD);
	kri_late_encode(run, bytes);
	return write_at(late, bytes, sizeof(bytes), 0);
}

int kri_late_write(struct kri_late *late, const struct kri_late_record *record)
{
	uint8_t bytes[KRI_LATE_RECORD];

	kri_late_encode(record, bytes);
	return write_at(late, bytes, sizeof(bytes), record->kind == KRI_LATE_TASK ? KRI_LATE_RECORD : 0);
}

bool kri_late_is_of_run(const struct kri_late_record *task, const struct kri_late_record *run)
{
	if (task->kind != KRI_LATE_TASK)
		return false;
	/* Where the run's own record is torn there is no other run the task could be of: begin clears its place. */
	if (run->kind != KRI_LATE_RUNNING && run->kind != KRI_LATE_CLEAN)
		return true;
	return task->started_ns == run->started_ns && strcmp(task->boot_id, run->boot_id) == 0;
}

static void explain_task(const struct kri_late_record *task, bool same_boot, bool reset, char text[160])
{
	const char *end;

	if (task->timeout_ns == 0)
		end = same_boot ? "no watchdog was petted; process gone" : "no watchdog was petted; board restarted";
	else if (same_boot)
		end = "process killed, the board kept running";
	else
		end = reset ? "hardware reset" : "board restarted, the hardware does not say whether it did it";
	snprintf(text, 160, "task %s was late by %" PRId64 ".%" PRId64 " s; %s", task->task, task->late_ns / 1000000000,
	         task->late_ns / 100000000 % 10, end);
}

void kri_late_explain(const struct kri_late_record *run, const struct kri_late_record *task, const char *boot_id,
                      uint32_t boot_status, char ret_text[160])
{
	bool reset = boot_status & STATUS_CARD_RESET, same_boot = strcmp(run->boot_id, boot_id) == 0;
	const char *text;

	if (run->kind != KRI_LATE_CLEAN && kri_late_is_of_run(task, run)) {
		explain_task(task, strcmp(task->boot_id, boot_id) == 0, reset, ret_text);
		return;
	}
	if (run->kind == KRI_LATE_CLEAN)
		text = reset && !same_boot ? "clean stop; later a watchdog reset" : "clean stop";
	else if (run->kind == KRI_LATE_RUNNING && same_boot)
		text = "process gone: killed or crashed, the board kept running";
	else if (run->kind == KRI_LATE_RUNNING && reset)
		text = "watchdog reset; no task was named: process gone, or a disk that hung";
	else if (run->kind == KRI_LATE_RUNNING && boot_status & STATUS_POWER_UNDER)
		text = "process gone: power failed, says the hardware";
	else if (run->kind == KRI_LATE_RUNNING && boot_status & STATUS_OVERHEAT)
		text = "process gone: reset because of heat, says the hardware";
	else if (run->kind == KRI_LATE_RUNNING)
		text = "process gone: killed or power lost";
	else if (run->kind == KRI_LATE_DAMAGED)
		text = reset ? "watchdog reset; late.rec is damaged" : "unknown: late.rec is damaged";
	else if (run->kind == KRI_LATE_NEWER)
		text = reset ? "watchdog reset; late.rec is of a newer version"
		             : "unknown: late.rec is of a newer version";
	else
		text = reset ? "watchdog reset; nothing is known of a run before" : "nothing is known of a run before";
	snprintf(ret_text, 160, "%s", text);
}
