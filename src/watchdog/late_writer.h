/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writer: late.rec on a thread of its own, because a disk that hangs is what the watchdog must
 * outlive. Each call waits at most timeout_ns and then gives -ETIMEDOUT; the write may still happen.
 */
#ifndef KRI_LATE_WRITER_H
#define KRI_LATE_WRITER_H

#include "late.h"

struct kri_late_writer;

/* Starts nothing yet: the thread begins with the first call. */
int kri_late_writer_new(struct kri_late_writer **ret_writer, struct kryos_ctx *ctx, const char *folder);
/* Waits at most timeout_ns for what is under way. NULL is allowed. */
void kri_late_writer_free(struct kri_late_writer *writer, int64_t timeout_ns);

/* Opens the file (the first time) and gives what the run before left. */
int kri_late_writer_read(struct kri_late_writer *writer, struct kri_late_record *ret_run,
                         struct kri_late_record *ret_task, int64_t timeout_ns);
int kri_late_writer_begin(struct kri_late_writer *writer, const struct kri_late_record *run, int64_t timeout_ns);
/* The first of these needs no memory: it was set aside by kri_late_writer_new. */
int kri_late_writer_write(struct kri_late_writer *writer, const struct kri_late_record *record, int64_t timeout_ns);

#endif
