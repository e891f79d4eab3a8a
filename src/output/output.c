/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an output should be is decided on the context thread, by calls and by the pattern's timer; jobs carry it to
 * the line, one at a time, so that a bus that hangs gathers none. A job that fails closes the line, and the next one
 * takes it anew. What was driven is driven again every ten seconds: a lamp whose chip went would be believed to be
 * on for as long as nobody switches it.
 */
#include "output.h"
#include "../sensor/sensor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_NS KRYOS_SECONDS(5)
#define CLOSE_NS KRYOS_SECONDS(1)
#define AGAIN_NS KRYOS_SECONDS(10)
#define LIMIT_NS KRYOS_SECONDS(10) /* of a job, in real time: simulated time may jump while it runs */
#define SHORTEST_NS KRYOS_MILLISECONDS(20)
#define LONGEST_NS KRYOS_DAYS(1)
#define MOST_PULSES 1000

/* What an output may be called, and what power is switched by: the line is the same. */
static const char *const kinds[] = { "lamp", "buzzer", NULL };
static const char *const switches[] = { "switch", NULL };

struct kryos_output {
	struct kri_object object; /* of a public one; a station owns its own */
	atomic_int refs;          /* the owner's, and one for each job */
	struct kryos_ctx *ctx;
	char name[32];
	struct kryos_dev *dev;

	/* Context thread only. */
	struct kri_timer phase, again, limit;
	struct kryos_pattern pattern;
	uint32_t pulse; /* of the pattern */
	bool wanted, asked, closed;
	int driven;                               /* -1: the line is not ours */
	void (*followed)(void *data, int driven); /* NULL: nobody follows it */
	void *followed_data;
	int error;
	char text[256];
};

/* Drives the line, on the bus's worker. */
struct task {
	struct kri_job job;
	struct kryos_output *output;
	bool wanted, closes;
	int result;
	char text[256];
};

static void output_unref(struct kryos_output *output)
{
	if (atomic_fetch_sub(&output->refs, 1) != 1)
		return;
	kri_dev_close(output->dev);
	kri_ctx_unref(output->ctx);
	free(output);
}

static int drive(struct kryos_dev *dev, bool wanted)
{
	int r = kri_dev_ready(dev, false);

	if (r >= 0)
		r = kryos_dev_open_line(dev);
	if (r >= 0)
		r = kryos_dev_set_line(dev, wanted);
	if (r < 0) {
		char text[512];

		/* The sentence is kept over the close. */
		snprintf(text, sizeof(text), "%s", kryos_strerror(r));
		kryos_dev_close_line(dev);
		kri_dev_lost(dev);
		r = kryos_fail(r, "%s", text);
	}
	return r;
}

static void task_run(struct kri_job *job)
{
	struct task *task = KRI_CONTAINER_OF(job, struct task, job);

	if (task->closes) {
		kryos_dev_close_line(task->output->dev);
		return;
	}
	task->result = drive(task->output->dev, task->wanted);
	if (task->result < 0)
		snprintf(task->text, sizeof(task->text), "%s", kryos_strerror(task->result));
}

static void task_drop(struct kri_job *job)
{
	struct task *task = KRI_CONTAINER_OF(job, struct task, job);

	output_unref(task->output);
	free(task);
}

static struct task *task_new(struct kryos_output *output)
{
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		return NULL;
	task->job.run = task_run;
	task->job.drop = task_drop;
	task->output = output;
	atomic_fetch_add(&output->refs, 1);
	return task;
}

static void announce(struct kryos_output *output, int error, const char *text)
{
	bool lost = error < 0;
	struct kryos_event event = { .size = sizeof(event),
		                     .type = lost ? KRYOS_EVENT_OUTPUT_LOST : KRYOS_EVENT_OUTPUT_BACK,
		                     .code = error,
		                     .name = output->name,
		                     .text = text };

	if (lost == (output->error < 0))
		return;
	kri_log(output->ctx, lost ? KRYOS_LOG_WARNING : KRYOS_LOG_NOTICE, "output", error, "%s: %s", output->name,
	        lost ? text : "is back");
	kri_event_push(output->ctx, &event);
}

static void drive_now(struct kryos_output *output);

/* So that the line is what is wanted; one that is lost waits for its next try. */
static void carry_out(struct kryos_output *output)
{
	if (!output->asked && output->error >= 0 && output->driven != (int)output->wanted)
		drive_now(output);
}

static void note(struct kryos_output *output, int driven, int error, const char *text)
{
	announce(output, error, text);
	output->driven = driven;
	output->error = error;
	snprintf(output->text, sizeof(output->text), "%s", text);
	kri_timer_set(output->ctx, &output->again, kri_boot_ns(output->ctx) + AGAIN_NS);
	if (output->followed)
		output->followed(output->followed_data, driven);
}

static void task_done(struct kri_job *job)
{
	struct task *task = KRI_CONTAINER_OF(job, struct task, job);
	struct kryos_output *output = task->output;

	if (output->closed)
		return;
	output->asked = false;
	kri_timer_cancel(output->ctx, &output->limit);
	note(output, task->result < 0 ? -1 : task->wanted, task->result, task->text);
	carry_out(output);
}

static void drive_now(struct kryos_output *output)
{
	struct task *task = task_new(output);
	int r = -ENOMEM;

	if (task) {
		task->wanted = output->wanted;
		task->job.done = task_done;
		r = kri_worker_post(kri_dev_worker(output->dev), &task->job);
		if (r < 0)
			task_drop(&task->job);
	}
	output->asked = r >= 0;
	if (r >= 0)
		kri_timer_set(output->ctx, &output->limit, kri_real_ns() + LIMIT_NS);
	else
		note(output, output->driven, r, kryos_strerror(r));
}

static void on_again(struct kri_timer *timer)
{
	struct kryos_output *output = KRI_CONTAINER_OF(timer, struct kryos_output, again);

	/* Else what comes of the job under way sets the timer. */
	if (!output->asked)
		drive_now(output);
}

static void on_limit(struct kri_timer *timer)
{
	struct kryos_output *output = KRI_CONTAINER_OF(timer, struct kryos_output, limit);
	char text[256];

	snprintf(text, sizeof(text), "%s: its bus hangs", kryos_dev_name(output->dev));
	note(output, -1, -ETIMEDOUT, text);
}

/* One phase of the pattern ends, the next begins where it ended: the rhythm does not drift. */
static void on_phase(struct kri_timer *timer)
{
	struct kryos_output *output = KRI_CONTAINER_OF(timer, struct kryos_output, phase);
	const struct kryos_pattern *pattern = &output->pattern;
	int64_t now = kri_boot_ns(output->ctx), next;

	output->wanted = !output->wanted;
	if (output->wanted) {
		next = pattern->on_ns;
	} else {
		next = pattern->off_ns;
		if (++output->pulse == pattern->count) {
			output->pulse = 0;
			next += pattern->pause_ns;
		}
	}
	/* Phases that were missed are gone. */
	next += timer->due_ns;
	kri_timer_set(output->ctx, timer, next > now ? next : now + SHORTEST_NS);
	carry_out(output);
}

static int check(const struct kryos_output *output)
{
	return output ? kri_ctx_check(output->ctx) : kryos_fail(-EINVAL, "no output given");
}

int kryos_output_set(struct kryos_output *output, int on)
{
	int r = check(output);

	if (r < 0)
		return r;
	kri_timer_cancel(output->ctx, &output->phase);
	output->wanted = on != 0;
	carry_out(output);
	return 0;
}

static bool is_within(int64_t ns, int64_t least)
{
	return ns >= least && ns <= LONGEST_NS;
}

int kryos_output_play(struct kryos_output *output, const struct kryos_pattern *pattern)
{
	struct kryos_pattern own = { 0 };
	int r = check(output);

	if (r >= 0)
		r = pattern ? kri_config_copy(&own, sizeof(own), pattern)
		            : kryos_fail(-EINVAL, "%s: no pattern given", output->name);
	if (r < 0)
		return r;
	own.count = own.count ? own.count : 1;
	if (own.count > MOST_PULSES || !is_within(own.on_ns, SHORTEST_NS) || !is_within(own.off_ns, SHORTEST_NS) ||
	    !is_within(own.pause_ns, 0))
		return kryos_fail(
			-EINVAL,
			"%s: a pattern has 1 to %d pulses, on and off of 20 ms to 1 day, and a pause of at most "
			"1 day",
			output->name, MOST_PULSES);
	output->pattern = own;
	output->pulse = 0;
	output->wanted = true;
	kri_timer_set(output->ctx, &output->phase, kri_boot_ns(output->ctx) + own.on_ns);
	carry_out(output);
	return 0;
}

int kryos_output_get_status(struct kryos_output *output, struct kryos_output_status *ret_status)
{
	struct kryos_output_status status = { 0 };
	uint32_t size;

	if (!output || !ret_status || ret_status->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "output status: no place given, or its size is not set");
	status.on = output->driven == 1;
	status.error = output->error;
	snprintf(status.text, sizeof(status.text), "%s", output->text);
	size = ret_status->size;
	memset(ret_status, 0, size);
	memcpy(ret_status, &status, size < sizeof(status) ? size : sizeof(status));
	ret_status->size = size;
	return 0;
}

static int check_kind(struct kri_device *device, const char *const *allowed)
{
	char names[64] = "";

	for (size_t i = 0; allowed[i]; i++) {
		if (!strcmp(device->driver, allowed[i]))
			return kri_device_check_bus(device, "gpio");
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? ", " : "", allowed[i]);
	}
	return kryos_fail(KRYOS_EDEVICE, "%s: no output \"%s\"; there is %s", device->text, device->driver, names);
}

int kri_output_check(struct kri_device *device)
{
	return check_kind(device, kinds);
}

int kri_output_check_switch(struct kri_device *device)
{
	return check_kind(device, switches);
}

static int make(struct kryos_output *output, const char *const *allowed, const char *text,
                const struct kryos_line_config *config)
{
	struct kri_device device;
	int r = kri_device_parse(text, &device);

	if (r >= 0)
		r = check_kind(&device, allowed);
	if (r >= 0)
		r = kri_dev_open(output->ctx, text, "gpio", &output->dev);
	if (r < 0)
		return r;
	kri_dev_line(output->dev)->request.output = 1;
	return kri_line_config_copy(&kri_dev_line(output->dev)->request.config, config, output->name);
}

static int output_new(struct kryos_output **ret_output, struct kryos_ctx *ctx, const char *const *allowed,
                      const char *name, const char *device, const struct kryos_line_config *config)
{
	size_t length = name ? strlen(name) : 0;
	struct kryos_output *output;
	int r;

	if (length < 1 || length > 31 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != length)
		return kryos_fail(-EINVAL, "\"%.40s\": an output's name is 1 to 31 of a-z 0-9 _ -", name ? name : "");
	output = calloc(1, sizeof(*output));
	if (!output)
		return -ENOMEM;
	atomic_init(&output->refs, 1);
	output->ctx = kri_ctx_ref(ctx);
	strcpy(output->name, name);
	output->phase.fire = on_phase;
	output->again.fire = on_again;
	output->limit.fire = on_limit;
	output->limit.real = true;
	output->driven = -1;
	r = make(output, allowed, device, config);
	if (r < 0) {
		output_unref(output);
		return r;
	}
	*ret_output = output;
	return 0;
}

int kri_output_new_lazy(struct kryos_output **ret_output, struct kryos_ctx *ctx, const char *name, const char *device,
                        const struct kryos_line_config *config)
{
	int r = output_new(ret_output, ctx, kinds, name, device, config);

	if (r >= 0)
		drive_now(*ret_output);
	return r;
}

static void destroy_object(struct kri_object *object)
{
	kryos_output_close(KRI_CONTAINER_OF(object, struct kryos_output, object));
}

static int open_now(struct kryos_dev *dev, void *data)
{
	return drive(dev, *(bool *)data);
}

static int open_and_wait(struct kryos_output *output)
{
	bool wanted = output->wanted;
	int r = kri_dev_call(output->dev, false, open_now, &wanted, sizeof(wanted), OPEN_NS);

	if (r >= 0)
		note(output, wanted, 0, "");
	return r;
}

int kri_output_new_switch(struct kryos_output **ret_output, struct kryos_ctx *ctx, const char *name, const char *device,
                          const struct kryos_line_config *config, bool lazily, void (*driven)(void *data, int driven),
                          void *data)
{
	struct kryos_output *output;
	int r = output_new(&output, ctx, switches, name, device, config);

	if (r < 0)
		return r;
	output->followed = driven;
	output->followed_data = data;
	output->wanted = true;
	if (lazily)
		drive_now(output);
	else
		r = open_and_wait(output);
	if (r < 0) {
		output_unref(output);
		return r;
	}
	*ret_output = output;
	return 0;
}

int kryos_output_open(struct kryos_output **ret_output, struct kryos_ctx *ctx, const char *name, const char *device,
                      const struct kryos_line_config *config)
{
	struct kryos_output *output;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_output)
		return kryos_fail(-EINVAL, "no place for the output given");
	r = output_new(&output, ctx, kinds, name, device, config);
	if (r < 0)
		return r;
	r = open_and_wait(output);
	if (r < 0) {
		output_unref(output);
		return r;
	}
	kri_object_add(ctx, &output->object, destroy_object);
	*ret_output = output;
	return 0;
}

/* Behind the job under way; not waited for where the bus hangs anyway. */
static void let_go(struct kryos_output *output)
{
	struct kri_bus *bus = kri_dev_bus(output->dev);
	struct task *task = task_new(output);
	int r;

	if (!task)
		return;
	task->closes = true;
	if (kri_bus_hangs(bus)) {
		r = kri_worker_post(kri_bus_worker(bus), &task->job);
		if (r < 0)
			task_drop(&task->job);
		return;
	}
	r = kri_bus_call(bus, &task->job, kri_ctx_patience(output->ctx, CLOSE_NS));
	if (r >= 0)
		kri_job_unref(&task->job);
	else if (r != -ETIMEDOUT)
		task_drop(&task->job);
}

void kryos_output_close(struct kryos_output *output)
{
	/* In a child after fork there is no worker to wait for. */
	if (!output || kri_ctx_check(output->ctx) < 0)
		return;
	if (output->object.ctx)
		kri_object_remove(&output->object);
	kri_timer_cancel(output->ctx, &output->phase);
	kri_timer_cancel(output->ctx, &output->again);
	kri_timer_cancel(output->ctx, &output->limit);
	/* A job under way may be delivered later. */
	output->closed = true;
	let_go(output);
	output_unref(output);
}
