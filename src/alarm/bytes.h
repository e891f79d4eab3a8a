/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state as bytes, the same on every machine. One description serves both ways: kri_pass_...() writes a field or reads
 * it. Every number is eight bytes, least significant first; text is its length and its bytes; the first two numbers say
 * what it is and in which version, the last four bytes are the CRC32C of all before.
 */
#ifndef KRI_ALARM_BYTES_H
#define KRI_ALARM_BYTES_H

#include "alarm.h"

struct kri_pass {
	const char *what; /* "evaluator", for sentences */
	int64_t magic, version;
	bool reading, failed; /* once it failed, nothing more is written or read */
	unsigned char *bytes;
	size_t at, room; /* reading: room is how many there are */
};

/* The state's magic and version stand in pass. */
void kri_pass_write(struct kri_pass *pass);
/* KRYOS_ECORRUPT: the bytes are none that kri_pass_finish() gave; KRYOS_EFORMAT: of another version. */
int kri_pass_read(struct kri_pass *pass, const void *bytes, size_t count);

void kri_pass_number(struct kri_pass *pass, int64_t *number);
/* What is read must lie in minimum to maximum; gives it. */
int64_t kri_pass_within(struct kri_pass *pass, int64_t number, int64_t minimum, int64_t maximum);
/* By its bits (IEEE 754). What is read must be finite, and not below minimum. */
void kri_pass_double(struct kri_pass *pass, double *number, double minimum);
void kri_pass_text(struct kri_pass *pass, char *text, size_t size); /* 1 to size - 1 bytes */
void kri_pass_time(struct kri_pass *pass, struct kri_time *time);
void kri_pass_instant(struct kri_pass *pass, struct kryos_instant *instant);

/*
 * Writing: the bytes go to *ret_bytes, to be freed; -ENOMEM. Reading: KRYOS_ECORRUPT where a field was wrong, or there
 * were more or fewer.
 */
int kri_pass_finish(struct kri_pass *pass, void **ret_bytes, size_t *ret_count);

#endif
