/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job on a chip's bus that a caller waits for. What it works on is its own, because the caller may have gone when it
 * ends.
 */
#include "sensor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call {
	struct kri_job job;
	struct kryos_dev *dev;
	bool shared;
	int (*run)(struct kryos_dev *dev, void *data);
	int result;
	char text[256];
	_Alignas(max_align_t) unsigned char data[];
};

static void call_run(struct kri_job *job)
{
	struct call *call = KRI_CONTAINER_OF(job, struct call, job);

	call->result = kri_dev_ready(call->dev, call->shared);
	if (call->result >= 0) {
		kri_say_nothing();
		call->result = call->run(call->dev, call->data);
	}
	if (call->result < 0)
		snprintf(call->text, sizeof(call->text), "%s", kryos_strerror(call->result));
}

static void call_drop(struct kri_job *job)
{
	struct call *call = KRI_CONTAINER_OF(job, struct call, job);

	kri_dev_close(call->dev);
	free(call);
}

int kri_dev_call(struct kryos_dev *dev, bool shared, int (*run)(struct kryos_dev *dev, void *data), void *data,
                 size_t size, int64_t timeout_ns)
{
	struct call *call = calloc(1, sizeof(*call) + size);
	int r;

	if (!call)
		return -ENOMEM;
	call->job.run = call_run;
	call->job.drop = call_drop;
	call->dev = kri_dev_ref(dev);
	call->shared = shared;
	call->run = run;
	if (size)
		memcpy(call->data, data, size);
	r = kri_bus_call(kri_dev_bus(dev), &call->job, timeout_ns);
	if (r == -ETIMEDOUT)
		return kryos_fail(r, "%s: %s did not answer in %lld ms", kryos_dev_name(dev),
		                  kri_bus_name(kri_dev_bus(dev)), (long long)(timeout_ns / KRYOS_MILLISECONDS(1)));
	if (r < 0) {
		call_drop(&call->job);
		return r;
	}
	r = call->result;
	if (size)
		memcpy(data, call->data, size);
	if (r < 0)
		r = kryos_fail(r, "%s", call->text);
	kri_job_unref(&call->job);
	return r;
}
