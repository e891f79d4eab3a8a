/* SPDX-License-Identifier: Apache-2.0 */
#include "model_script.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

static int choose_op(uint64_t *random)
{
	int sum = 0, at;

	for (int i = 0; i < model_op_count; i++)
		sum += model_ops[i].weight;
	at = (int)(next_random(random) % (uint64_t)sum);
	for (int i = 0;; i++) {
		at -= model_ops[i].weight;
		if (at < 0)
			return i;
	}
}

static int find_op(const char *name)
{
	int op = 0;

	while (op < model_op_count && strcmp(model_ops[op].name, name) != 0)
		op++;
	return op;
}

static void choose_args(struct model_step *step, uint64_t *random)
{
	const struct model_op *op = &model_ops[step->op];

	for (int i = 0; i < MODEL_ARGS; i++)
		step->args[i] = op->values[i] ? (int)(next_random(random) % (uint64_t)op->values[i]) : 0;
}

void model_make_script(struct model_script *script, uint64_t seed)
{
	uint64_t random = seed;

	memset(script, 0, sizeof(*script));
	script->count = 4 + (int)(next_random(&random) % 12);
	for (int i = 0; i < script->count; i++) {
		struct model_step *step = &script->steps[i];

		step->op = i ? choose_op(&random) : 0;
		choose_args(step, &random);
		if (strcmp(model_ops[step->op].name, "cut") == 0 && next_random(&random) % 2)
			step->args[1] = 0;
	}
	/* Long, so seldom: what grows until the log is written into its file. */
	if (next_random(&random) % 64 == 0) {
		struct model_step *step = &script->steps[1 + next_random(&random) % (uint64_t)(script->count - 1)];

		step->op = find_op("burst");
		choose_args(step, &random);
	}
}

static int arg_count(const struct model_op *op)
{
	int count = 0;

	while (count < MODEL_ARGS && op->values[count] > 1)
		count++;
	return count;
}

void model_print_script(const struct model_script *script, FILE *stream)
{
	for (int i = 0; i < script->count; i++) {
		const struct model_step *step = &script->steps[i];

		fprintf(stream, "%s", model_ops[step->op].name);
		for (int j = 0; j < arg_count(&model_ops[step->op]); j++)
			fprintf(stream, " %d", step->args[j]);
		fputc('\n', stream);
	}
}

static bool read_step(struct model_step *step, const char *line)
{
	char name[20], rest;
	int *args = step->args, got, wanted;

	memset(step, 0, sizeof(*step));
	got = sscanf(line, "%19s %d %d %d %c", name, &args[0], &args[1], &args[2], &rest) - 1;
	step->op = find_op(name);
	if (step->op == model_op_count)
		return false;
	wanted = arg_count(&model_ops[step->op]);
	for (int i = 0; i < wanted; i++)
		if (args[i] < 0 || args[i] >= model_ops[step->op].values[i])
			return false;
	return got == wanted;
}

bool model_read_script(struct model_script *script, FILE *stream, char *why, size_t size)
{
	char line[400];
	int number = 0;

	memset(script, 0, sizeof(*script));
	while (fgets(line, sizeof(line), stream)) {
		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (script->count == MODEL_STEPS || !read_step(&script->steps[script->count], line)) {
			snprintf(why, size, "line %d: not a step: %s", number, line);
			return false;
		}
		script->count++;
	}
	if (!script->count || script->steps[0].op != 0) {
		snprintf(why, size, "it does not begin with \"store\"");
		return false;
	}
	return true;
}

static bool shrink_steps(struct model_script *script, bool (*fails)(void *data, const struct model_script *script),
                         void *data)
{
	bool shorter = false;

	for (int size = script->count / 2; size >= 1; size /= 2) {
		for (int at = 1; at < script->count;) {
			struct model_script less = *script;
			int end = at + size < script->count ? at + size : script->count;

			memmove(&less.steps[at], &less.steps[end], (size_t)(script->count - end) * sizeof(*less.steps));
			less.count -= end - at;
			if (fails(data, &less)) {
				*script = less;
				shorter = true;
			} else {
				at += size;
			}
		}
	}
	return shorter;
}

static bool shrink_args(struct model_script *script, bool (*fails)(void *data, const struct model_script *script),
                        void *data)
{
	bool smaller = false;

	for (int i = 0; i < script->count; i++) {
		for (int j = 0; j < MODEL_ARGS; j++) {
			int was = script->steps[i].args[j];
			const int tries[] = { 0, was / 2, was - 1 };

			for (int k = 0; k < 3 && was; k++) {
				struct model_script less = *script;

				less.steps[i].args[j] = tries[k];
				if (tries[k] == was || !fails(data, &less))
					continue;
				*script = less;
				smaller = true;
				break;
			}
		}
	}
	return smaller;
}

void model_shrink_script(struct model_script *script, bool (*fails)(void *data, const struct model_script *script),
                         void *data)
{
	for (int i = 0; i < 4; i++) {
		bool shorter = shrink_steps(script, fails, data);

		if (!shrink_args(script, fails, data) && !shorter)
			return;
	}
}
