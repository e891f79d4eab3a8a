/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept with the store: a state that names the last thing it was put with, and the event of that thing. */
#include "model_run.h"
#include "store/store.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "model"

/* keep STEP: 0: with an event; else bytes alone, which go on from what is kept. */
void model_keep(struct model_run *run, const int *args)
{
	char number[16], bytes[32];
	struct kryos_event event = { .type = KRYOS_EVENT_AUDIT, .name = MODEL_EVENT, .text = number };
	int r;

	if (!run->store || run->model->count + 2 > MODEL_THINGS || (args[0] && !run->model->kept))
		return;
	if (!args[0])
		snprintf(number, sizeof(number), "%d", model_add_event(run->model));
	snprintf(bytes, sizeof(bytes), "%d %d", args[0] ? run->model->kept : run->model->count, args[0]);
	r = kri_store_put_state(run->store, KEY, bytes, strlen(bytes), &event, !args[0]);
	if (r >= 0 && !args[0]) {
		run->model->kept = run->model->count;
		run->model->things[run->model->count].keeps = true;
	} else if (r < 0) {
		model_trouble(run->model, "keep: %s", kryos_strerror(r));
		if (!args[0])
			model_refused(run->model, run->model->count, false);
	}
}

/* 0: nothing is kept. */
static int get_kept(struct model_run *run)
{
	char text[32] = "";
	void *bytes = NULL;
	size_t count = 0;
	int64_t seq;
	int r = kri_store_get_state(run->store, KEY, &bytes, &count, &seq);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || count >= sizeof(text) || seq < 0)
		model_trouble(run->model, "what is kept has %zu bytes, seq %lld: %s", count, (long long)seq,
		              kryos_strerror(r));
	else
		memcpy(text, bytes, count);
	free(bytes);
	return atoi(text);
}

/* At an open, once it is known which events are there: the state is that of the newest it was put with. */
void model_check_kept(struct model_run *run)
{
	struct model *model = run->model;
	int kept = get_kept(run), told = 0;

	for (int i = 1; i <= model->count; i++)
		if (model->things[i].keeps && model->things[i].fate == MODEL_ACCEPTED)
			told = i;
	if (kept && (kept > model->count || !model->things[kept].keeps))
		model_trouble(model, "kept is %d, which was never put", kept);
	/* Events of a state.db that was lost are lost with it, and what is kept then is of some moment before. */
	else if (kept != told && !model->damaged)
		model_trouble(model, "kept is %d, and the events tell of %d", kept, told);
	model->kept = kept;
}
