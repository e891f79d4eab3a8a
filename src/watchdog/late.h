/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Late: late.rec, the one file that outlives a hardware reset and says who was late.
 *
 * Three records of 512 bytes, each with its own checksum: the run under way (or how it ended), who
 * was late in it, and who was late in the last run that had such a task. The file is written out
 * once when it is made, so that naming a task later needs no block from a full disk and one
 * fdatasync. Every call waits for the disk; one thread at a time.
 */
#ifndef KRI_LATE_H
#define KRI_LATE_H

#include "../core/core.h"

#define KRI_LATE_RECORD 512

enum kri_late_kind {
	KRI_LATE_NOTHING = 0, /* never written */
	KRI_LATE_RUNNING = 1, /* a run began, and nothing says that it ended */
	KRI_LATE_CLEAN = 2,   /* it was closed in good order */
	KRI_LATE_TASK = 3,    /* a task was late in it */
	KRI_LATE_DAMAGED = 4, /* not readable; never written */
	KRI_LATE_NEWER = 5    /* of a newer version; never written */
};

struct kri_late_record {
	enum kri_late_kind kind;
	uint32_t pid;
	int64_t started_ns; /* when the run began, CLOCK_BOOTTIME: with boot_id, which run this is of */
	int64_t t_boot_ns;  /* both clocks when it was written */
	int64_t t_wall_ns;
	int64_t timeout_ns;  /* of the hardware; 0: none */
	int64_t deadline_ns; /* of the task */
	int64_t late_ns;     /* how far past it */
	char boot_id[40];
	char task[32];
	char device[64];
};

struct kri_late;

/* Opens folder/late.rec, making it; -EBUSY: another process has it. */
int kri_late_open(struct kri_late **ret_late, const char *folder);
void kri_late_close(struct kri_late *late); /* NULL is allowed */
/* What the run before left. A record that is torn has kind KRI_LATE_DAMAGED. */
int kri_late_read(struct kri_late *late, struct kri_late_record *ret_run, struct kri_late_record *ret_task);
/* A run begins: puts the last task's record aside and clears its place. */
int kri_late_begin(struct kri_late *late, const struct kri_late_record *run);
/* Names a task, or ends the run in good order: one write, one fdatasync. */
int kri_late_write(struct kri_late *late, const struct kri_late_record *record);

/* Pure. Decoding gives the kind, KRI_LATE_DAMAGED and KRI_LATE_NEWER included; then nothing else is set. */
void kri_late_encode(const struct kri_late_record *record, uint8_t ret_bytes[KRI_LATE_RECORD]);
void kri_late_decode(const uint8_t bytes[KRI_LATE_RECORD], struct kri_late_record *ret_record);
/* Whether task names somebody of the run. */
bool kri_late_is_of_run(const struct kri_late_record *task, const struct kri_late_record *run);
/* Why the run ended, in a sentence, seen from boot_id with what the hardware says (WDIOC_GETBOOTSTATUS). */
void kri_late_explain(const struct kri_late_record *run, const struct kri_late_record *task, const char *boot_id,
                      uint32_t boot_status, char ret_text[160]);

#endif
