/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STACK_SIZE (256 * 1024) /* SQLite, OpenSSL and Paho fit well; untouched pages cost nothing */

struct start {
	char name[16];
	void (*run)(void *data);
	void *data;
};

static void *thread_main(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	pthread_setname_np(pthread_self(), start.name);
	start.run(start.data);
	return NULL;
}

int kri_thread_start(const char *name, void (*run)(void *data), void *data)
{
	struct start *start = calloc(1, sizeof(*start));
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (!start)
		return -ENOMEM;
	strncpy(start->name, name, sizeof(start->name) - 1);
	start->run = run;
	start->data = data;
	r = pthread_attr_init(&attr);
	if (r)
		goto free_start;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	/* A thread begins with its maker's mask: no signal of the program is ever delivered to one of ours. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attr, thread_main, start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (!r)
		return 0;
free_start:
	free(start);
	return kryos_fail(-r, "thread %s: %s", name, strerror(r));
}

void kri_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

int kri_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t timeout_ns)
{
	struct timespec until;

	if (timeout_ns < 0)
		return -pthread_cond_wait(cond, mutex);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(timeout_ns / INT64_C(1000000000));
	until.tv_nsec += (long)(timeout_ns % INT64_C(1000000000));
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return -pthread_cond_timedwait(cond, mutex, &until);
}
