/* SPDX-License-Identifier: Apache-2.0 */
/* Segments written by the store's own code, and what a salvage gives of them beside what was written. */
#ifndef KRI_TEST_SEGMENTS_H
#define KRI_TEST_SEGMENTS_H

#include "store/salvage.h"
#include "support.h"

struct segments {
	char *folder;
	char path[256], wal[264];
	struct kryos_ctx *ctx;
	uint32_t channels[3];
	uint64_t epoch, random;
	struct kri_segment *segment; /* NULL: closed */
	struct kryos_sample *samples;
	int64_t count; /* seqs 1 to count were written */
};
void segments_new(struct segments *segments, uint64_t seed);
/* Begins the segment of seq 1 with a long public key and a queue's cursor of cursor_size bytes in its header. */
void segments_create(struct segments *segments, size_t cursor_size);
void segments_commit(struct segments *segments, int rows);
void segments_close(struct segments *segments); /* its WAL stays as it is */
/* Checkpointed, out of WAL mode: one file. */
void segments_seal(struct segments *segments);
void segments_free(struct segments *segments);

/* What came of a salvage. */
struct salvaged {
	const struct segments *segments;
	uint8_t *times; /* of each seq */
	int64_t distinct, wrong, doubtful, channels, boots, seals, false_seals, headers;
	int64_t misleading;      /* of the wrong ones: not marked as doubtful, or before the right row of that seq */
	bool public_key, cursor; /* came as they were written */
};
void salvaged_new(struct salvaged *salvaged, const struct segments *segments);
void salvaged_clear(struct salvaged *salvaged);
void salvaged_free(struct salvaged *salvaged);
struct kri_salvage_found salvaged_found(struct salvaged *salvaged);
/* Salvages path in slices; without the epoch among the candidates when know_epoch is false. */
struct kri_salvage_counts salvage_file(struct salvaged *salvaged, const char *path, bool know_epoch);

/* A whole file; free() it. */
uint8_t *file_read(const char *path, size_t *ret_size);
void file_write(const char *path, const void *data, size_t size);

#endif
