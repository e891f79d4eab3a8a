/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds a worker: its maker until kri_worker_free, and its thread. Who holds a job: the worker
 * until it has run and been delivered, and a caller that waits for it. The last one lets go.
 */
#include "core.h"
#include <stdlib.h>
#include <string.h>

struct kri_worker {
	atomic_int refs;
	struct kryos_ctx *ctx;
	char name[16];
	unsigned int max_jobs;
	void *object;
	void (*release)(void *object);

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct kri_job *waiting, **waiting_tail;
	unsigned int waiting_count;
	struct kri_job *done, **done_tail; /* run, to be delivered on the context thread */
	struct kri_note note;
	pthread_t thread;
	bool started, running, stopping;
};

void kri_job_unref(struct kri_job *job)
{
	if (atomic_fetch_sub(&job->refs, 1) == 1)
		job->drop(job);
}

static void worker_unref(struct kri_worker *worker)
{
	if (atomic_fetch_sub(&worker->refs, 1) != 1)
		return;
	if (worker->release)
		worker->release(worker->object);
	kri_ctx_unref(worker->ctx);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

static bool is_stopping(struct kri_worker *worker)
{
	bool stopping;

	pthread_mutex_lock(&worker->lock);
	stopping = worker->stopping;
	pthread_mutex_unlock(&worker->lock);
	return stopping;
}

static void deliver(struct kri_note *note)
{
	struct kri_worker *worker = KRI_CONTAINER_OF(note, struct kri_worker, note);
	struct kri_job *job;

	/* One of those done may free the worker: the rest are dropped then, as kri_worker_free does with what it finds.
	 */
	atomic_fetch_add(&worker->refs, 1);
	pthread_mutex_lock(&worker->lock);
	job = worker->done;
	worker->done = NULL;
	worker->done_tail = &worker->done;
	pthread_mutex_unlock(&worker->lock);
	while (job) {
		struct kri_job *next = job->next;

		if (!is_stopping(worker))
			job->done(job);
		kri_job_unref(job);
		job = next;
	}
	worker_unref(worker);
}

int kri_worker_new(struct kri_worker **ret_worker, struct kryos_ctx *ctx, const char *name, unsigned int max_jobs,
                   void *object, void (*release)(void *object))
{
	struct kri_worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return -ENOMEM;
	atomic_init(&worker->refs, 1);
	worker->ctx = kri_ctx_ref(ctx);
	strncpy(worker->name, name, sizeof(worker->name) - 1);
	worker->max_jobs = max_jobs;
	worker->object = object;
	worker->release = release;
	worker->waiting_tail = &worker->waiting;
	worker->done_tail = &worker->done;
	worker->note.deliver = deliver;
	pthread_mutex_init(&worker->lock, NULL);
	kri_cond_init(&worker->changed);
	*ret_worker = worker;
	return 0;
}

static void finish(struct kri_worker *worker, struct kri_job *job)
{
	bool post = false;

	pthread_mutex_lock(&worker->lock);
	job->finished = true;
	worker->running = false;
	if (job->done && !worker->stopping) {
		job->next = NULL;
		*worker->done_tail = job;
		worker->done_tail = &job->next;
		job = NULL;
		post = true;
	}
	pthread_cond_broadcast(&worker->changed);
	/* Posted under the lock: kri_worker_free sets stopping under it and cancels the note after. */
	if (post)
		kri_note_post(worker->ctx, &worker->note);
	pthread_mutex_unlock(&worker->lock);
	if (job)
		kri_job_unref(job);
}

static void worker_main(void *data)
{
	struct kri_worker *worker = data;
	struct kri_job *job;

	pthread_mutex_lock(&worker->lock);
	worker->thread = pthread_self();
	for (;;) {
		while (!worker->waiting && !worker->stopping)
			kri_cond_wait(&worker->changed, &worker->lock, -1);
		if (worker->stopping)
			break;
		job = worker->waiting;
		worker->waiting = job->next;
		if (!worker->waiting)
			worker->waiting_tail = &worker->waiting;
		worker->waiting_count--;
		worker->running = true;
		pthread_mutex_unlock(&worker->lock);
		job->run(job);
		finish(worker, job);
		pthread_mutex_lock(&worker->lock);
	}
	worker->started = false;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
	worker_unref(worker);
}

static int post_locked(struct kri_worker *worker, struct kri_job *job, int refs)
{
	int r;

	if (worker->stopping)
		return -ECANCELED;
	if (worker->waiting_count >= worker->max_jobs)
		return kryos_fail(-EAGAIN, "%s: %u jobs already wait", worker->name, worker->max_jobs);
	if (!worker->started) {
		atomic_fetch_add(&worker->refs, 1);
		r = kri_thread_start(worker->name, worker_main, worker);
		if (r < 0) {
			atomic_fetch_sub(&worker->refs, 1);
			return r;
		}
		worker->started = true;
	}
	job->next = NULL;
	job->worker = worker;
	job->finished = false;
	atomic_init(&job->refs, refs);
	*worker->waiting_tail = job;
	worker->waiting_tail = &job->next;
	worker->waiting_count++;
	pthread_cond_broadcast(&worker->changed);
	return 0;
}

int kri_worker_post(struct kri_worker *worker, struct kri_job *job)
{
	int r;

	pthread_mutex_lock(&worker->lock);
	r = post_locked(worker, job, 1);
	pthread_mutex_unlock(&worker->lock);
	return r;
}

int kri_worker_call(struct kri_worker *worker, struct kri_job *job, int64_t timeout_ns)
{
	int64_t end = kri_real_ns() + timeout_ns, left;
	int r;

	atomic_fetch_add(&worker->refs, 1); /* it may be freed by another thread while this one waits */
	pthread_mutex_lock(&worker->lock);
	r = post_locked(worker, job, 2);
	while (r >= 0 && !job->finished) {
		left = end - kri_real_ns();
		if (left <= 0 || worker->stopping)
			r = -ETIMEDOUT;
		else
			kri_cond_wait(&worker->changed, &worker->lock, left);
	}
	pthread_mutex_unlock(&worker->lock);
	if (r == -ETIMEDOUT)
		kri_job_unref(job);
	worker_unref(worker);
	return r;
}

bool kri_worker_is_current(struct kri_worker *worker)
{
	bool current;

	pthread_mutex_lock(&worker->lock);
	current = worker->started && pthread_equal(worker->thread, pthread_self());
	pthread_mutex_unlock(&worker->lock);
	return current;
}

void kri_worker_free(struct kri_worker *worker, int64_t timeout_ns)
{
	struct kri_job *waiting, *done;
	int64_t end, left;

	if (!worker)
		return;
	end = kri_real_ns() + kri_ctx_patience(worker->ctx, timeout_ns);
	pthread_mutex_lock(&worker->lock);
	worker->stopping = true;
	waiting = worker->waiting;
	worker->waiting = NULL;
	worker->waiting_tail = &worker->waiting;
	worker->waiting_count = 0;
	pthread_cond_broadcast(&worker->changed);
	while (worker->started && (left = end - kri_real_ns()) > 0)
		kri_cond_wait(&worker->changed, &worker->lock, left);
	done = worker->done;
	worker->done = NULL;
	worker->done_tail = &worker->done;
	pthread_mutex_unlock(&worker->lock);
	kri_note_cancel(worker->ctx, &worker->note);
	for (int list = 0; list < 2; list++) {
		struct kri_job *job = list ? done : waiting;

		while (job) {
			struct kri_job *next = job->next;

			kri_job_unref(job);
			job = next;
		}
	}
	worker_unref(worker);
}
