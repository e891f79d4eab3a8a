/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measuring, on a bus's worker: what is due on one bus is one job.
 *
 *     pass:  ready, probe if needed, trigger      each sensor
 *            wait until the slowest is done       once for all
 *            fetch, decode, judge                 each sensor; those not ready again, in turn
 *
 * A sensor that failed in a way that may pass goes through another pass, twice at most, and only where that will be
 * over in time: those that were measured have to wait for it.
 */
#include "sensor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PASSES 3
/* Longer than any conversion of the kind of chip this is for; a driver's mistake must not hold a bus. */
#define LONGEST_WAIT_NS KRYOS_SECONDS(4)
#define NOT_READY_POLL_NS KRYOS_MILLISECONDS(1)
#define NOT_READY_POLLS 100

struct progress {
	bool powered, started, ended;
};

struct kri_batch {
	struct kri_job job;
	atomic_int refs; /* the job's, and that of a caller who waits */
	struct kryos_ctx *ctx;
	int64_t t_boot_ns, end_ns; /* end_ns: no other pass is to last longer; of kri_real_ns */
	bool probe_only, simulated;
	atomic_bool abandoned;
	void (*measured)(void *data, const struct kri_measured *results, size_t count);
	void *data;
	size_t count;
	struct kri_measured *results;
	struct progress progress[];
};

static void batch_unref(struct kri_batch *batch)
{
	if (atomic_fetch_sub(&batch->refs, 1) != 1)
		return;
	for (size_t i = 0; i < batch->count; i++)
		kri_sensor_unref(batch->results[i].sensor);
	kri_ctx_unref(batch->ctx);
	free(batch->results);
	free(batch);
}

static void batch_drop(struct kri_job *job)
{
	batch_unref(KRI_CONTAINER_OF(job, struct kri_batch, job));
}

/* A simulated clock's conversions take no time. */
static void wait_until(const struct kri_batch *batch, int64_t real_ns)
{
	struct timespec until = { .tv_sec = (time_t)(real_ns / INT64_C(1000000000)),
		                  .tv_nsec = (long)(real_ns % INT64_C(1000000000)) };

	if (batch->simulated)
		return;
	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

void kri_measured_fail(struct kri_measured *ret_measured, struct kryos_sensor *sensor, int code, const char *text,
                       int64_t t_boot_ns)
{
	memset(ret_measured, 0, sizeof(*ret_measured));
	ret_measured->sensor = sensor;
	ret_measured->code = code;
	snprintf(ret_measured->text, sizeof(ret_measured->text), "%s", text);
	ret_measured->count = sensor->has.channel_count;
	for (size_t i = 0; i < ret_measured->count; i++) {
		ret_measured->samples[i].channel = sensor->channels[i];
		ret_measured->samples[i].quality = (uint16_t)kri_judge_error(code);
		ret_measured->samples[i].t_boot_ns = t_boot_ns;
	}
}

/* So that the next pass probes: remove for what a probe made, whether the chip is there or not. */
static void unprobe(struct kryos_sensor *sensor)
{
	if (atomic_exchange(&sensor->probed, false) && sensor->driver->remove)
		sensor->driver->remove(sensor->priv, sensor->dev);
}

/* What its power has been cut of is not what was probed. */
static int take_power(struct kryos_sensor *sensor, bool *ret_powered)
{
	unsigned int generation;
	int r;

	if (!sensor->rail)
		return 0;
	kri_say_nothing();
	r = kri_rail_enter(sensor->rail, &generation);
	if (r < 0)
		return kri_dev_fail(sensor->dev, r);
	*ret_powered = true;
	if (generation != sensor->powered)
		unprobe(sensor);
	sensor->powered = generation;
	return 0;
}

static int start(struct kryos_sensor *sensor, bool probe_only, bool *ret_powered, int64_t *ret_wait_ns)
{
	const struct kryos_sensor_driver *driver = sensor->driver;
	int64_t wait = 0;
	int r = kri_dev_ready(sensor->dev, false);

	if (r >= 0)
		r = take_power(sensor, ret_powered);
	if (r < 0)
		return r;
	kri_say_nothing();
	if (!atomic_load(&sensor->probed)) {
		memset(sensor->priv, 0, driver->private_size);
		r = driver->probe(sensor->priv, sensor->dev);
		if (r < 0)
			return kri_dev_fail(sensor->dev, r);
		atomic_store(&sensor->probed, true);
	}
	if (driver->trigger && !probe_only) {
		r = driver->trigger(sensor->priv, sensor->dev, &wait);
		if (r < 0)
			return kri_dev_fail(sensor->dev, r);
	}
	wait = wait < 0 ? 0 : wait;
	*ret_wait_ns = wait < LONGEST_WAIT_NS ? wait : LONGEST_WAIT_NS;
	return 0;
}

/* -EAGAIN: not yet, unless this is the last try: then it is a failure like another. */
static int fetch(struct kryos_sensor *sensor, bool last, uint8_t *raw)
{
	int r;

	kri_say_nothing();
	r = sensor->driver->fetch(sensor->priv, sensor->dev, raw);
	if (r == -EAGAIN && !last)
		return r;
	if (r >= 0 && sensor->rail && kri_rail_was_cut(sensor->rail, sensor->powered))
		r = kryos_fail(KRYOS_ECHIP, "%s: its power was cut while it was measured", kryos_dev_name(sensor->dev));
	if (r == -EAGAIN)
		return kri_dev_fail(sensor->dev, kryos_fail(r, "is not done long after it said it would be"));
	return r < 0 ? kri_dev_fail(sensor->dev, r) : 0;
}

static void decode(struct kri_measured *measured, const uint8_t *raw, int64_t t_boot_ns)
{
	struct kryos_reading readings[KRYOS_SENSOR_MAX_CHANNELS] = { 0 };
	struct kryos_sensor *sensor = measured->sensor;
	const struct kryos_sensor_driver *driver = sensor->driver;

	driver->decode(sensor->priv, raw, readings);
	measured->code = 0;
	measured->text[0] = '\0';
	measured->count = sensor->has.channel_count;
	for (size_t i = 0; i < measured->count; i++) {
		struct kryos_sample *sample = &measured->samples[i];

		*sample = (struct kryos_sample){ .channel = sensor->channels[i], .t_boot_ns = t_boot_ns };
		sample->quality = (uint16_t)kri_judge(&sensor->history[i], &sensor->has.channels[i], &sensor->said[i],
		                                      &readings[i], t_boot_ns, &sample->value_micro);
	}
}

static bool is_no_answer(int code)
{
	return code == -ENODEV || code == -ENXIO;
}

/*
 * Noise on the wire, or a chip that was reset under us and answers once it is set up again. One that did not answer may
 * have missed its address; but only one that was there a moment ago, on a bus that still is.
 */
static bool may_pass(struct kryos_sensor *sensor, int code, bool in_fetch)
{
	unsigned int open;

	if (!(sensor->recover & KRYOS_RECOVER_RETRY))
		return false;
	kri_bus_driver(kri_dev_bus(sensor->dev), NULL, &open);
	return code == KRYOS_ECRC || code == -EIO || code == -EAGAIN || (code == KRYOS_ECHIP && in_fetch) ||
	       (is_no_answer(code) && atomic_load(&sensor->probed) && open);
}

static void give_up(struct kri_batch *batch, size_t index)
{
	struct kryos_sensor *sensor = batch->results[index].sensor;

	unprobe(sensor);
	/* Looked for anew next time: the place ("any" may be another probe), the claim, the chip itself. */
	kri_dev_lost(sensor->dev);
	for (size_t i = 0; i < sensor->has.channel_count; i++)
		kri_judge_missing(&sensor->history[i], batch->results[index].code);
	batch->progress[index].ended = true;
}

static void note_failure(struct kri_batch *batch, size_t index, int code, bool in_fetch, int64_t t_boot_ns)
{
	struct kryos_sensor *sensor = batch->results[index].sensor;
	char text[sizeof(batch->results[index].text)];

	snprintf(text, sizeof(text), "%s", kryos_strerror(code));
	kri_measured_fail(&batch->results[index], sensor, code, text, t_boot_ns);
	if (!may_pass(sensor, code, in_fetch))
		give_up(batch, index);
	else if (code == KRYOS_ECHIP || is_no_answer(code))
		unprobe(sensor);
}

/* Whether there is another pass, for those that have not ended. */
static bool goes_on(struct kri_batch *batch, int pass, int64_t longest_ns)
{
	bool again = pass < PASSES && !atomic_load(&batch->abandoned) && kri_real_ns() + longest_ns < batch->end_ns;
	bool any = false;

	for (size_t i = 0; i < batch->count; i++) {
		const struct kri_measured *measured = &batch->results[i];

		if (batch->progress[i].ended)
			continue;
		any = true;
		if (again)
			kri_log(batch->ctx, KRYOS_LOG_WARNING, "sensor", measured->code, "%s: %s; once more",
			        measured->sensor->name, measured->text);
		else
			give_up(batch, i);
	}
	return any && again;
}

static void start_all(struct kri_batch *batch, int64_t t_boot_ns)
{
	int64_t wait = 0, done, slowest = 0;

	for (size_t i = 0; i < batch->count; i++) {
		int r;

		batch->progress[i].started = false;
		if (batch->progress[i].ended)
			continue;
		r = start(batch->results[i].sensor, batch->probe_only, &batch->progress[i].powered, &wait);
		if (r < 0) {
			note_failure(batch, i, r, false, t_boot_ns);
			continue;
		}
		batch->progress[i].started = true;
		done = kri_real_ns() + wait;
		if (wait > 0 && done > slowest)
			slowest = done;
	}
	if (slowest)
		wait_until(batch, slowest);
}

/* Whether some are still converting. */
static bool fetch_ready(struct kri_batch *batch, bool last, int64_t t_boot_ns)
{
	bool converting = false;

	for (size_t i = 0; i < batch->count; i++) {
		struct kri_measured *measured = &batch->results[i];
		uint8_t raw[KRYOS_SENSOR_MAX_RAW] = { 0 };
		int r = 0;

		if (!batch->progress[i].started)
			continue;
		if (!batch->probe_only)
			r = fetch(measured->sensor, last, raw);
		if (r == -EAGAIN && !last) {
			converting = true;
			continue;
		}
		batch->progress[i].started = false;
		if (r < 0) {
			note_failure(batch, i, r, true, t_boot_ns);
			continue;
		}
		measured->code = 0;
		if (!batch->probe_only)
			decode(measured, raw, t_boot_ns);
		batch->progress[i].ended = true;
	}
	return converting;
}

/* Those that are not ready are asked again in turn, so that they convert at the same time. */
static void fetch_all(struct kri_batch *batch, int64_t t_boot_ns)
{
	for (int polls = 1; fetch_ready(batch, polls == NOT_READY_POLLS, t_boot_ns); polls++)
		wait_until(batch, kri_real_ns() + NOT_READY_POLL_NS);
}

static void leave_power(struct kri_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->progress[i].powered)
			kri_rail_leave(batch->results[i].sensor->rail);
		batch->progress[i].powered = false;
	}
}

static void batch_run(struct kri_job *job)
{
	struct kri_batch *batch = KRI_CONTAINER_OF(job, struct kri_batch, job);
	int64_t t_boot_ns = batch->t_boot_ns, longest = 0;
	bool again = !atomic_load(&batch->abandoned);

	if (!t_boot_ns)
		t_boot_ns = kri_boot_ns(batch->ctx);
	for (int pass = 1; again; pass++) {
		int64_t begin = kri_real_ns(), took;

		start_all(batch, t_boot_ns);
		fetch_all(batch, t_boot_ns);
		took = kri_real_ns() - begin;
		longest = took > longest ? took : longest;
		again = goes_on(batch, pass, longest);
		leave_power(batch);
	}
}

static void batch_done(struct kri_job *job)
{
	struct kri_batch *batch = KRI_CONTAINER_OF(job, struct kri_batch, job);
	bool in_time = !atomic_load(&batch->abandoned);

	for (size_t i = 0; in_time && i < batch->count; i++) {
		kri_measured_announce(&batch->results[i]);
		if (!batch->probe_only)
			kri_edges_measured(batch->results[i].sensor->edges, &batch->results[i]);
	}
	if (batch->measured)
		batch->measured(batch->data, in_time ? batch->results : NULL, in_time ? batch->count : 0);
}

static int batch_new(struct kri_batch **ret_batch, struct kryos_sensor *const *sensors, size_t count)
{
	struct kri_batch *batch = calloc(1, sizeof(*batch) + count * sizeof(batch->progress[0]));
	void *userdata;

	if (!batch)
		return -ENOMEM;
	batch->results = calloc(count, sizeof(*batch->results));
	if (!batch->results) {
		free(batch);
		return -ENOMEM;
	}
	atomic_init(&batch->refs, 1);
	atomic_init(&batch->abandoned, false);
	batch->job.run = batch_run;
	batch->job.drop = batch_drop;
	batch->ctx = kri_ctx_ref(sensors[0]->ctx);
	batch->simulated = kri_clock_source(batch->ctx, &userdata)->simulated;
	batch->count = count;
	for (size_t i = 0; i < count; i++)
		batch->results[i].sensor = kri_sensor_ref(sensors[i]);
	*ret_batch = batch;
	return 0;
}

static int post(struct kri_batch *batch)
{
	int r;

	batch->job.done = batch_done;
	r = kri_worker_post(kri_dev_worker(batch->results[0].sensor->dev), &batch->job);
	if (r < 0)
		batch_unref(batch);
	return r;
}

int kri_batch_start(struct kri_batch **ret_batch, struct kryos_sensor *const *sensors, size_t count, int64_t t_boot_ns,
                    int64_t limit_ns, void (*measured)(void *data, const struct kri_measured *results, size_t count),
                    void *data)
{
	struct kri_batch *batch;
	int r = batch_new(&batch, sensors, count);

	if (r < 0)
		return r;
	batch->t_boot_ns = t_boot_ns;
	batch->end_ns = kri_real_ns() + limit_ns;
	batch->measured = measured;
	batch->data = data;
	r = post(batch);
	if (r >= 0)
		*ret_batch = batch; /* alive: it is delivered on this thread */
	return r;
}

void kri_batch_abandon(struct kri_batch *batch)
{
	atomic_store(&batch->abandoned, true);
}

void kri_batch_forget(struct kri_batch *batch)
{
	kri_batch_abandon(batch);
	batch->measured = NULL;
}

int kri_sensor_look(struct kryos_sensor *sensor)
{
	struct kri_batch *batch;
	int r;

	if (sensor->rail && !kri_rail_is_on(sensor->rail))
		return 0;
	r = batch_new(&batch, &sensor, 1);
	if (r < 0)
		return r;
	batch->probe_only = true;
	return post(batch);
}

int kri_measure(struct kryos_sensor *sensor, bool probe_only, int64_t limit_ns, struct kri_measured *ret_measured)
{
	struct kri_bus *bus = kri_dev_bus(sensor->dev);
	struct kri_batch *batch;
	int r;

	ret_measured->sensor = NULL;
	r = batch_new(&batch, &sensor, 1);
	if (r < 0)
		return r;
	batch->probe_only = probe_only;
	batch->end_ns = kri_real_ns() + limit_ns;
	atomic_fetch_add(&batch->refs, 1);
	r = kri_bus_call(bus, &batch->job, limit_ns);
	if (r >= 0) {
		*ret_measured = batch->results[0];
		r = ret_measured->code;
		if (r < 0)
			r = kryos_fail(r, "%s", ret_measured->text);
		kri_job_unref(&batch->job);
	} else if (r == -ETIMEDOUT) {
		atomic_store(&batch->abandoned, true);
		r = kryos_fail(r, "%s: no answer in %lld s", kryos_dev_name(sensor->dev),
		               (long long)(limit_ns / KRYOS_SECONDS(1)));
	} else {
		atomic_fetch_sub(&batch->refs, 1); /* the job's, which was not taken */
	}
	batch_unref(batch);
	return r;
}
