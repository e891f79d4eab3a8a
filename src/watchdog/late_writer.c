/* SPDX-License-Identifier: Apache-2.0 */
#include "late_writer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The worker's own: freed by it, when its thread has ended. */
struct disk {
	struct kri_late *late;
	char folder[];
};

enum action { READ, BEGIN, WRITE, CLOSE };

struct errand {
	struct kri_job job;
	struct disk *disk;
	enum action action;
	struct kri_late_record run, task; /* READ gives both; BEGIN takes run, WRITE takes task */
	int result;
	char error[256]; /* the sentence is the worker's thread's own, so it is carried over */
};

struct kri_late_writer {
	struct kryos_ctx *ctx;
	struct kri_worker *worker;
	struct disk *disk;    /* borrowed from the worker */
	struct errand *spare; /* so that a lack of memory cannot keep the late task from being named */
};

static void release_disk(void *object)
{
	struct disk *disk = object;

	kri_late_close(disk->late);
	free(disk);
}

static void drop_errand(struct kri_job *job)
{
	free(KRI_CONTAINER_OF(job, struct errand, job));
}

static int run_action(struct errand *errand)
{
	struct disk *disk = errand->disk;

	if (errand->action == READ && !disk->late) {
		int r = kri_late_open(&disk->late, disk->folder);

		if (r < 0)
			return r;
	}
	if (errand->action == CLOSE) {
		kri_late_close(disk->late);
		disk->late = NULL;
		return 0;
	}
	if (!disk->late)
		return kryos_fail(-EBADF, "%s/late.rec: is not open", disk->folder);
	switch (errand->action) {
	case READ:
		return kri_late_read(disk->late, &errand->run, &errand->task);
	case BEGIN:
		return kri_late_begin(disk->late, &errand->run);
	default:
		return kri_late_write(disk->late, &errand->task);
	}
}

static void run_errand(struct kri_job *job)
{
	struct errand *errand = KRI_CONTAINER_OF(job, struct errand, job);

	errand->result = run_action(errand);
	if (errand->result < 0)
		snprintf(errand->error, sizeof(errand->error), "%s", kryos_strerror(errand->result));
}

static struct errand *errand_new(struct kri_late_writer *writer, enum action action)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (!errand)
		return NULL;
	errand->job.run = run_errand;
	errand->job.drop = drop_errand;
	errand->disk = writer->disk;
	errand->action = action;
	return errand;
}

int kri_late_writer_new(struct kri_late_writer **ret_writer, struct kryos_ctx *ctx, const char *folder)
{
	struct kri_late_writer *writer = calloc(1, sizeof(*writer));
	int r = -ENOMEM;

	if (!writer)
		return -ENOMEM;
	writer->ctx = ctx;
	writer->disk = calloc(1, sizeof(*writer->disk) + strlen(folder) + 1);
	if (!writer->disk)
		goto free_writer;
	strcpy(writer->disk->folder, folder);
	writer->spare = errand_new(writer, WRITE);
	if (!writer->spare)
		goto free_disk;
	r = kri_worker_new(&writer->worker, ctx, "kryos-late", 4, writer->disk, release_disk);
	if (r < 0)
		goto free_spare;
	*ret_writer = writer;
	return 0;

free_spare:
	free(writer->spare);
free_disk:
	free(writer->disk);
free_writer:
	free(writer);
	return r;
}

/* Runs errand, which is given away. */
static int call(struct kri_late_writer *writer, struct errand *errand, struct kri_late_record *ret_run,
                struct kri_late_record *ret_task, int64_t timeout_ns)
{
	int r = kri_worker_call(writer->worker, &errand->job, timeout_ns);

	if (r == -ETIMEDOUT)
		return kryos_fail(-ETIMEDOUT, "%s/late.rec: the disk did not answer in time", writer->disk->folder);
	if (r < 0) {
		free(errand);
		return r;
	}
	r = errand->result;
	if (r < 0) {
		r = kryos_fail(r, "%s", errand->error);
	} else if (ret_run) {
		*ret_run = errand->run;
		*ret_task = errand->task;
	}
	kri_job_unref(&errand->job);
	return r;
}

int kri_late_writer_read(struct kri_late_writer *writer, struct kri_late_record *ret_run,
                         struct kri_late_record *ret_task, int64_t timeout_ns)
{
	struct errand *errand = errand_new(writer, READ);

	return errand ? call(writer, errand, ret_run, ret_task, timeout_ns) : -ENOMEM;
}

int kri_late_writer_begin(struct kri_late_writer *writer, const struct kri_late_record *run, int64_t timeout_ns)
{
	struct errand *errand = errand_new(writer, BEGIN);

	if (!errand)
		return -ENOMEM;
	errand->run = *run;
	return call(writer, errand, NULL, NULL, timeout_ns);
}

int kri_late_writer_write(struct kri_late_writer *writer, const struct kri_late_record *record, int64_t timeout_ns)
{
	struct errand *errand = errand_new(writer, WRITE);

	if (!errand) {
		errand = writer->spare;
		writer->spare = NULL;
	}
	if (!errand)
		return -ENOMEM;
	errand->task = *record;
	return call(writer, errand, NULL, NULL, timeout_ns);
}

void kri_late_writer_free(struct kri_late_writer *writer, int64_t timeout_ns)
{
	struct errand *errand;

	if (!writer)
		return;
	/* A worker lets go of what it owns a moment after kri_worker_free; the file may be opened again at once. */
	errand = timeout_ns > 0 ? errand_new(writer, CLOSE) : NULL;
	if (errand && call(writer, errand, NULL, NULL, timeout_ns) < 0)
		kri_log(writer->ctx, KRYOS_LOG_WARNING, "watchdog", -ETIMEDOUT,
		        "%s/late.rec: the disk hangs, the file stays open until it answers", writer->disk->folder);
	kri_worker_free(writer->worker, timeout_ns);
	free(writer->spare);
	free(writer);
}
