/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store and its model, taken through a script of steps. A step is an operation and up to three numbers; after each
 * the writer has come to rest, so that a script does the same whenever it is run: idle work is done when a step asks
 * for it, a failed write is tried again with the next step, time is the fake clock's.
 */
#ifndef KRI_TEST_MODEL_RUN_H
#define KRI_TEST_MODEL_RUN_H

#include "cutvfs.h"
#include "model_store.h"
#include <kryos/testing/clock.h>

enum { MODEL_STEPS = 64, MODEL_ARGS = 3 };

struct model_step {
	int op;
	int args[MODEL_ARGS];
};
struct model_script {
	int count;
	struct model_step steps[MODEL_STEPS];
};

struct model_figures {
	uint64_t sequences, operations, cuts, failures, damages, lost, wrong;
	uint64_t volatile_samples, volatile_events; /* lent from memory */
};

struct model_gap {
	int64_t first, last;
	int queue;   /* -1: all */
	bool events; /* of events only */
};

struct model_run {
	struct model *model, *before; /* before: as it was when the step under way began */
	size_t step_began;            /* in the log of the crash rig */
	struct cutvfs *vfs;
	char *folders[2]; /* the store is in one of them, the next cut leaves its rest in the other */
	int folder;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_store *store; /* NULL: it could not be opened while the disk fails */
	struct kryos_queue *queues[MODEL_QUEUES];
	int queue_count;
	uint32_t channels[MODEL_CHANNELS];
	struct {
		int keep, policy; /* see op_store */
	} config;
	bool closed[MODEL_QUEUES]; /* on purpose */
	bool failed;               /* ever */
	bool filled;               /* ever: state.db may have had to become smaller */
	bool failing;              /* a failure is armed or has struck, and nothing was healed since */
	bool verbose;
	uint32_t round;
	/* What the last look found. */
	struct model_gap gaps[400], dropped[200];
	int gap_count, dropped_count;
	/* Seqs that were in files when these were damaged: samples may be gone, until a queue comes by. */
	struct model_gap harmed[MODEL_STEPS];
	int harmed_count;
	bool harmed_state;
	struct model_figures *figures;
};

/* An operation: what it is called in a script, how often it comes, how many values each number has. */
struct model_op {
	const char *name;
	int weight;
	int values[MODEL_ARGS];
	void (*run)(struct model_run *run, const int *args);
};
extern const struct model_op model_ops[];
extern const int model_op_count;

/* Runs the script in folders that are made below base. The first problem, or NULL. free() it. */
char *model_play(struct cutvfs *vfs, const char *base, const struct model_script *script, bool verbose,
                 struct model_figures *figures);

/* model_ops.c: one commit of count samples; stamps: 0 none, 1 boot time, 2 wall time and trust too. */
void model_append(struct model_run *run, int count, int stamps);

/* model_kept.c: an operation, and what must be so after an open. */
void model_keep(struct model_run *run, const int *args);
void model_check_kept(struct model_run *run);

/* model_life.c: opening, closing, coming to rest, looking. */
#define MODEL_QUIET_NS KRYOS_HOURS(1)
void model_open(struct model_run *run);
/* how: 0 queues first, 1 the store first, 2 all with their context. */
void model_close(struct model_run *run, int how);
void model_open_queue(struct model_run *run, int queue);
void model_try_again(struct model_run *run);
void model_rest(struct model_run *run);
void model_idle(struct model_run *run);
void model_heal(struct model_run *run);
void model_look(struct model_run *run);
/* Reads all a queue owes and acknowledges it. */
void model_drain(struct model_run *run, int queue);
void model_finish(struct model_run *run);
struct kryos_store_status model_status(struct model_run *run);

#endif
