/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <kryos/testing/clock.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A board takes some seconds before its programs run, so boot time never begins at 0. */
#define BOOT_START_NS KRYOS_SECONDS(10)

struct kryos_fake_clock {
	pthread_mutex_t mutex;
	int64_t boot_ns;
	int64_t wall_ns;
	unsigned int boots;
	int synced;
	int refuse_step;
};

int kryos_fake_clock_new(struct kryos_fake_clock **ret_clock, int64_t t_wall_ns)
{
	struct kryos_fake_clock *clock;
	int r;

	if (!ret_clock)
		return -EINVAL;
	clock = calloc(1, sizeof(*clock));
	if (!clock)
		return -ENOMEM;
	r = pthread_mutex_init(&clock->mutex, NULL);
	if (r) {
		free(clock);
		return -r;
	}
	clock->boot_ns = BOOT_START_NS;
	clock->wall_ns = t_wall_ns;
	clock->boots = 1;
	*ret_clock = clock;
	return 0;
}

void kryos_fake_clock_free(struct kryos_fake_clock *clock)
{
	if (!clock)
		return;
	pthread_mutex_destroy(&clock->mutex);
	free(clock);
}

int64_t kryos_fake_clock_boot_ns(struct kryos_fake_clock *clock)
{
	int64_t now;

	pthread_mutex_lock(&clock->mutex);
	now = clock->boot_ns;
	pthread_mutex_unlock(&clock->mutex);
	return now;
}

int64_t kryos_fake_clock_wall_ns(struct kryos_fake_clock *clock)
{
	int64_t now;

	pthread_mutex_lock(&clock->mutex);
	now = clock->wall_ns;
	pthread_mutex_unlock(&clock->mutex);
	return now;
}

void kryos_fake_clock_advance(struct kryos_fake_clock *clock, int64_t by_ns)
{
	pthread_mutex_lock(&clock->mutex);
	/* Boot time never goes back within a boot, so neither does this clock: a step back is set_wall. */
	if (by_ns > 0) {
		clock->boot_ns += by_ns;
		clock->wall_ns += by_ns;
	}
	pthread_mutex_unlock(&clock->mutex);
}

void kryos_fake_clock_set_wall(struct kryos_fake_clock *clock, int64_t t_wall_ns)
{
	pthread_mutex_lock(&clock->mutex);
	clock->wall_ns = t_wall_ns;
	pthread_mutex_unlock(&clock->mutex);
}

void kryos_fake_clock_set_synced(struct kryos_fake_clock *clock, int synced)
{
	pthread_mutex_lock(&clock->mutex);
	clock->synced = synced != 0;
	pthread_mutex_unlock(&clock->mutex);
}

void kryos_fake_clock_refuse_step(struct kryos_fake_clock *clock, int refuse)
{
	pthread_mutex_lock(&clock->mutex);
	clock->refuse_step = refuse != 0;
	pthread_mutex_unlock(&clock->mutex);
}

void kryos_fake_clock_reboot(struct kryos_fake_clock *clock)
{
	pthread_mutex_lock(&clock->mutex);
	clock->boot_ns = BOOT_START_NS;
	clock->boots++;
	/* A kernel that has just started has not heard from a time server yet. */
	clock->synced = 0;
	pthread_mutex_unlock(&clock->mutex);
}

static int64_t source_boot_ns(void *userdata)
{
	return kryos_fake_clock_boot_ns(userdata);
}

static int64_t source_wall_ns(void *userdata)
{
	return kryos_fake_clock_wall_ns(userdata);
}

static int source_synced(void *userdata)
{
	struct kryos_fake_clock *clock = userdata;
	int synced;

	pthread_mutex_lock(&clock->mutex);
	synced = clock->synced;
	pthread_mutex_unlock(&clock->mutex);
	return synced;
}

static int source_step(void *userdata, int64_t wall_ns)
{
	struct kryos_fake_clock *clock = userdata;
	int r = -EPERM;

	pthread_mutex_lock(&clock->mutex);
	if (!clock->refuse_step) {
		clock->wall_ns = wall_ns;
		r = 0;
	}
	pthread_mutex_unlock(&clock->mutex);
	return r;
}

static void source_boot_id(void *userdata, char ret_id[37])
{
	struct kryos_fake_clock *clock = userdata;
	unsigned int boots;

	pthread_mutex_lock(&clock->mutex);
	boots = clock->boots;
	pthread_mutex_unlock(&clock->mutex);
	/* The shape of /proc/sys/kernel/random/boot_id. */
	snprintf(ret_id, 37, "fa4ec10c-0000-4000-8000-%012x", boots);
}

const struct kryos_clock_source *kryos_fake_clock_source(void)
{
	static const struct kryos_clock_source source = {
		.size = sizeof(source),
		.boot_ns = source_boot_ns,
		.wall_ns = source_wall_ns,
		.synced = source_synced,
		.step = source_step,
		.boot_id = source_boot_id,
		.simulated = 1,
	};

	return &source;
}
