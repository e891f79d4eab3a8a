/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store on its bench. Folder and clock live as long as the test; context, store and queue come and
 * go with rig_start and rig_stop, as in one life of a device after another. Everything here fails the
 * test where it does not succeed.
 */
#ifndef KRI_TEST_RIG_H
#define KRI_TEST_RIG_H

#include "cutvfs.h"
#include "store/private.h"
#include "support.h"
#include <kryos/testing/clock.h>

#define RIG_START_NS INT64_C(1795165920000000000) /* 2026-11-20T09:12:00Z */

struct rig {
	char *folder;    /* scratch */
	char path[4096]; /* the store's, in it */
	struct cutvfs *vfs;
	struct kryos_fake_clock *clock; /* synchronised */
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_queue *queue;
	uint32_t fridge, room; /* channels */
	void *own;             /* what a test keeps besides; its setup's and teardown's matter */
};

/* cmocka's: *state is a struct rig. */
int rig_setup(void **state);
int rig_teardown(void **state);
/* The same on a file system that can fail (cutvfs.h). What was set to fail no longer does at the end. */
int rig_setup_cut(void **state);

void rig_start(struct rig *rig, const struct kryos_store_config *config);
/* Its name is "modem". */
void rig_open_queue(struct rig *rig, const struct kryos_queue_config *config);
void rig_stop(struct rig *rig);
/* The stopped store's folder: the next start makes another. */
void rig_remove(struct rig *rig);

struct kryos_sample rig_sample(uint32_t channel, int64_t value);
/* One sample, durable: its seq. */
int64_t rig_append(struct rig *rig, uint32_t channel, int64_t value);
/* count samples of fridge, values 0, 1, ...; a minute passes after each. The first one's seq. */
int64_t rig_append_minutes(struct rig *rig, int count);
/* Hands what is owed, count samples at most and the events between, to nobody, and acknowledges it: how many samples.
 */
int rig_deliver(struct rig *rig, int count);

/* A little over ten minutes pass; returns when the next segment has begun. The newest must have a sample. */
void rig_rotate(struct rig *rig);
/* Until all segments but the newest are sealed and recorded, as far as they are not damaged. */
bool rig_is_sealed(void *rig);
void rig_wait_sealed(struct rig *rig);
/* Until what is left of damaged segments is salvaged. */
void rig_wait_mended(struct rig *rig);
/* How many are recorded as sealed. */
int rig_count_sealed(struct rig *rig);
/* A segment's file, counted from the newest, which is 0; borrowed as in() says. */
const char *rig_segment_path(struct rig *rig, int back);

struct kryos_store_status rig_status(struct rig *rig);
struct kryos_verify_result rig_verify(struct rig *rig);
/* Samples that a reader from outside gets, in order and undamaged. */
int64_t rig_count(struct rig *rig);
/* Runs SQL on a file, behind the store's back. How many rows it changed. */
int rig_sql(const char *path, const char *sql);

#endif
