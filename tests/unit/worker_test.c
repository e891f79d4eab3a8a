/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include "support.h"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct task {
	struct kri_job job;
	atomic_int *ran, *done, *dropped;
	atomic_bool *hold;
};

static void run(struct kri_job *job)
{
	struct task *task = KRI_CONTAINER_OF(job, struct task, job);

	while (task->hold && atomic_load(task->hold))
		usleep(1000);
	atomic_fetch_add(task->ran, 1);
}

static void done(struct kri_job *job)
{
	atomic_fetch_add(KRI_CONTAINER_OF(job, struct task, job)->done, 1);
}

static void drop(struct kri_job *job)
{
	struct task *task = KRI_CONTAINER_OF(job, struct task, job);

	atomic_fetch_add(task->dropped, 1);
	free(task);
}

static atomic_int ran, finished, dropped, released;
static atomic_bool hold;

static struct task *new_task(bool with_done)
{
	struct task *task = calloc(1, sizeof(*task));

	task->job.run = run;
	task->job.done = with_done ? done : NULL;
	task->job.drop = drop;
	task->ran = &ran;
	task->done = &finished;
	task->dropped = &dropped;
	task->hold = &hold;
	return task;
}

static void release(void *object)
{
	(void)object;
	atomic_fetch_add(&released, 1);
}

/* A worker's thread lets go of it a moment after kri_worker_free: wait for that, or the next case would count it. */
static int settle(void **state)
{
	(void)state;
	for (int i = 0; i < 5000 && !atomic_load(&released); i++)
		usleep(1000);
	return atomic_load(&released) == 1 ? 0 : -1;
}

static int reset(void **state)
{
	(void)state;
	ran = finished = dropped = released = 0;
	hold = false;
	return 0;
}

static bool all_done(void *data)
{
	return atomic_load(&finished) == *(int *)data;
}

static void jobs_run_in_order_and_are_delivered_on_the_context_thread(void **state)
{
	struct kryos_ctx *ctx;
	struct kri_worker *worker;
	int count = 20;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kri_worker_new(&worker, ctx, "test", 32, NULL, release));
	for (int i = 0; i < count; i++)
		assert_ok(kri_worker_post(worker, &new_task(true)->job));
	assert_true(process_until(ctx, all_done, &count, 5000));
	assert_int_equal(dropped, count);
	kri_worker_free(worker, KRYOS_SECONDS(1));
	kryos_ctx_free(ctx);
}

static void a_full_mailbox_refuses_and_leaves_the_job_to_the_caller(void **state)
{
	struct kryos_ctx *ctx;
	struct kri_worker *worker;
	struct task *extra = new_task(false);

	(void)state;
	hold = true;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kri_worker_new(&worker, ctx, "test", 2, NULL, release));
	assert_ok(kri_worker_post(worker, &new_task(false)->job));
	while (kri_worker_post(worker, &extra->job) >= 0)
		extra = new_task(false);
	assert_fails(-EAGAIN, kri_worker_post(worker, &extra->job));
	free(extra);
	hold = false;
	kri_worker_free(worker, KRYOS_SECONDS(5));
	kryos_ctx_free(ctx);
	assert_int_equal(settle(NULL), 0);
	assert_true(dropped >= 2 && dropped <= 3);
}

static void a_call_waits_for_the_job(void **state)
{
	struct kryos_ctx *ctx;
	struct kri_worker *worker;
	struct task *task = new_task(false);

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kri_worker_new(&worker, ctx, "test", 2, NULL, release));
	assert_ok(kri_worker_call(worker, &task->job, KRYOS_SECONDS(5)));
	assert_int_equal(ran, 1);
	assert_int_equal(dropped, 0);
	kri_job_unref(&task->job);
	kri_worker_free(worker, KRYOS_SECONDS(5));
	kryos_ctx_free(ctx);
	assert_int_equal(settle(NULL), 0);
	assert_int_equal(dropped, 1);
}

static void a_hanging_job_is_left_behind_and_cleaned_up_when_it_ends(void **state)
{
	struct kryos_ctx *ctx;
	struct kri_worker *worker;
	int64_t before;

	(void)state;
	hold = true;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kri_worker_new(&worker, ctx, "test", 2, NULL, release));
	/* Long enough for the worker to have begun with it: what has not begun is dropped at once. */
	assert_fails(-ETIMEDOUT, kri_worker_call(worker, &new_task(false)->job, KRYOS_MILLISECONDS(500)));
	before = kri_real_ns();
	kri_worker_free(worker, KRYOS_MILLISECONDS(50));
	kryos_ctx_free(ctx);
	assert_true(kri_real_ns() - before < KRYOS_SECONDS(3));
	assert_int_equal(released, 0);
	assert_int_equal(dropped, 0);
	hold = false;
	assert_int_equal(settle(NULL), 0);
	assert_int_equal(dropped, 1);
}

static void free_worker(struct kri_job *job)
{
	done(job);
	kri_worker_free(job->worker, KRYOS_SECONDS(5));
}

static bool have_run(void *data)
{
	return atomic_load(&ran) == *(int *)data;
}

static void what_was_not_delivered_when_one_of_them_frees_the_worker_is_dropped(void **state)
{
	struct kryos_ctx *ctx;
	struct kri_worker *worker;
	struct task *first = new_task(true);
	int count = 5;

	(void)state;
	first->job.done = free_worker;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kri_worker_new(&worker, ctx, "test", 8, NULL, release));
	assert_ok(kri_worker_post(worker, &first->job));
	for (int i = 1; i < count; i++)
		assert_ok(kri_worker_post(worker, &new_task(true)->job));
	/* All have run before the first is delivered. */
	for (int i = 0; i < 5000 && !have_run(&count); i++)
		usleep(1000);
	usleep(20000);
	count = 1;
	assert_true(process_until(ctx, all_done, &count, 5000));
	assert_int_equal(finished, 1);
	assert_int_equal(ran, 5);
	assert_int_equal(settle(NULL), 0);
	assert_int_equal(dropped, 5);
	kryos_ctx_free(ctx);
}

struct caller {
	struct kri_worker *worker;
	int result;
};

static void *call_and_wait(void *data)
{
	struct caller *caller = data;

	caller->result = kri_worker_call(caller->worker, &new_task(false)->job, KRYOS_SECONDS(20));
	return NULL;
}

static void a_call_ends_when_another_thread_frees_the_worker(void **state)
{
	struct kryos_ctx *ctx;
	struct caller caller = { .result = 0 };
	pthread_t thread;
	int64_t before;

	(void)state;
	hold = true;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kri_worker_new(&caller.worker, ctx, "test", 4, NULL, release));
	assert_ok(kri_worker_post(caller.worker, &new_task(false)->job));
	assert_int_equal(pthread_create(&thread, NULL, call_and_wait, &caller), 0);
	usleep(50000);
	before = kri_real_ns();
	kri_worker_free(caller.worker, KRYOS_MILLISECONDS(20));
	pthread_join(thread, NULL);
	assert_true(kri_real_ns() - before < KRYOS_SECONDS(5));
	assert_int_equal(caller.result, -ETIMEDOUT);
	kryos_ctx_free(ctx);
	hold = false;
	assert_int_equal(settle(NULL), 0);
	assert_int_equal(ran, 1);
	assert_int_equal(dropped, 2);
}

static void ask_mask(struct kri_job *job)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	atomic_fetch_add(KRI_CONTAINER_OF(job, struct task, job)->ran,
	                 sigismember(&mask, SIGTERM) && sigismember(&mask, SIGPIPE) && sigismember(&mask, SIGALRM));
}

static void workers_block_every_signal(void **state)
{
	struct kryos_ctx *ctx;
	struct kri_worker *worker;
	struct task *task = new_task(false);

	(void)state;
	task->job.run = ask_mask;
	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kri_worker_new(&worker, ctx, "test", 2, NULL, release));
	assert_ok(kri_worker_call(worker, &task->job, KRYOS_SECONDS(5)));
	assert_int_equal(ran, 1);
	kri_job_unref(&task->job);
	kri_worker_free(worker, KRYOS_SECONDS(5));
	kryos_ctx_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(jobs_run_in_order_and_are_delivered_on_the_context_thread, reset,
		                                settle),
		cmocka_unit_test_setup_teardown(a_full_mailbox_refuses_and_leaves_the_job_to_the_caller, reset, settle),
		cmocka_unit_test_setup_teardown(a_call_waits_for_the_job, reset, settle),
		cmocka_unit_test_setup_teardown(a_hanging_job_is_left_behind_and_cleaned_up_when_it_ends, reset,
		                                settle),
		cmocka_unit_test_setup_teardown(what_was_not_delivered_when_one_of_them_frees_the_worker_is_dropped,
		                                reset, settle),
		cmocka_unit_test_setup_teardown(a_call_ends_when_another_thread_frees_the_worker, reset, settle),
		cmocka_unit_test_setup_teardown(workers_block_every_signal, reset, settle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
