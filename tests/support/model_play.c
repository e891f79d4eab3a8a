/* SPDX-License-Identifier: Apache-2.0 */
#include "model_run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALL_NS KRYOS_SECONDS(INT64_C(1795166000)) /* 2026-11-20 */

static void begin(struct model_run *run, const char *base)
{
	run->model = calloc(1, sizeof(*run->model));
	run->before = calloc(1, sizeof(*run->before));
	for (int i = 0; i < 2; i++)
		if (asprintf(&run->folders[i], "%s/%c", base, 'a' + i) < 0 || mkdir(run->folders[i], 0755))
			abort();
	if (!run->model || !run->before || kryos_fake_clock_new(&run->clock, WALL_NS) < 0)
		abort();
	kryos_fake_clock_set_synced(run->clock, 1);
	run->model->queues[2].channels = "fridge.*";
	run->model->queues[2].from_now = true;
	/* The first boot of a script knows the time until it is told otherwise. */
	run->model->synced_in[1] = true;
	cutvfs_record(run->vfs, run->folders[0]);
}

static void end(struct model_run *run)
{
	run->figures->failures += (uint64_t)cutvfs_failures(run->vfs);
	cutvfs_fail(run->vfs, CUT_CALL_ANY, NULL, 0, 0, false);
	cutvfs_set_free(run->vfs, -1);
	run->failing = false;
	cutvfs_stop(run->vfs);
	kryos_store_close(run->store);
	kryos_ctx_free(run->ctx);
	kryos_fake_clock_free(run->clock);
	for (int i = 0; i < 2; i++)
		free(run->folders[i]);
	free(run->model);
	free(run->before);
}

static void play_step(struct model_run *run, const struct model_step *step)
{
	const struct model_op *op = &model_ops[step->op];
	size_t began;

	if (run->verbose) {
		printf("%s %d %d %d\n", op->name, step->args[0], step->args[1], step->args[2]);
		fflush(stdout);
	}
	run->figures->operations++;
	/* A cut goes back into the step before it. */
	if (strcmp(op->name, "cut") == 0) {
		op->run(run, step->args);
	} else {
		model_copy(run->before, run->model);
		began = cutvfs_count(run->vfs);
		run->step_began = began;
		op->run(run, step->args);
	}
	if (run->ctx)
		model_rest(run);
}

char *model_play(struct cutvfs *vfs, const char *base, const struct model_script *script, bool verbose,
                 struct model_figures *figures)
{
	struct model_run run = { .vfs = vfs, .verbose = verbose, .figures = figures };
	char *problem = NULL;

	begin(&run, base);
	figures->sequences++;
	for (int i = 0; i < script->count && !run.model->problem[0]; i++)
		play_step(&run, &script->steps[i]);
	if (!run.model->problem[0])
		model_finish(&run);
	if (run.model->problem[0])
		problem = strdup(run.model->problem);
	end(&run);
	return problem;
}
