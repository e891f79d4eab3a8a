/* SPDX-License-Identifier: Apache-2.0 */
#include "ctx.h"
#include <fcntl.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now = { 0 };

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t system_boot_ns(void *userdata)
{
	(void)userdata;
	return read_clock(CLOCK_BOOTTIME);
}

static int64_t system_wall_ns(void *userdata)
{
	(void)userdata;
	return read_clock(CLOCK_REALTIME);
}

static int system_synced(void *userdata)
{
	struct timex state = { .modes = 0 };

	(void)userdata;
	return adjtimex(&state) != TIME_ERROR && !(state.status & STA_UNSYNC);
}

static int system_step(void *userdata, int64_t wall_ns)
{
	struct timespec to = { .tv_sec = (time_t)(wall_ns / INT64_C(1000000000)),
		               .tv_nsec = (long)(wall_ns % INT64_C(1000000000)) };

	(void)userdata;
	return clock_settime(CLOCK_REALTIME, &to) ? -errno : 0;
}

static void system_boot_id(void *userdata, char ret_id[37])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : read(fd, ret_id, 36);

	(void)userdata;
	ret_id[count > 0 ? count : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

const struct kryos_clock_source kri_system_clock = {
	.size = sizeof(kri_system_clock),
	.boot_ns = system_boot_ns,
	.wall_ns = system_wall_ns,
	.synced = system_synced,
	.step = system_step,
	.boot_id = system_boot_id,
};

int64_t kri_real_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

const struct kryos_clock_source *kri_clock_source(struct kryos_ctx *ctx, void **ret_userdata)
{
	bool dead;

	pthread_rwlock_rdlock(&ctx->outside_lock);
	dead = ctx->dead;
	pthread_rwlock_unlock(&ctx->outside_lock);
	*ret_userdata = ctx->config.clock_userdata;
	return dead ? &kri_system_clock : ctx->config.clock;
}

bool kri_clock_is_synced(struct kryos_ctx *ctx)
{
	const struct kryos_clock_source *source;
	bool synced;

	pthread_rwlock_rdlock(&ctx->outside_lock);
	source = ctx->dead ? &kri_system_clock : ctx->config.clock;
	synced = source->synced && source->synced(ctx->config.clock_userdata) > 0;
	pthread_rwlock_unlock(&ctx->outside_lock);
	return synced;
}

int64_t kri_boot_ns(struct kryos_ctx *ctx)
{
	int64_t now;

	if (ctx->config.clock == &kri_system_clock)
		return system_boot_ns(NULL);
	pthread_rwlock_rdlock(&ctx->outside_lock);
	now = ctx->dead ? system_boot_ns(NULL) : ctx->config.clock->boot_ns(ctx->config.clock_userdata);
	pthread_rwlock_unlock(&ctx->outside_lock);
	return now;
}

int64_t kri_wall_ns(struct kryos_ctx *ctx)
{
	int64_t now;

	if (ctx->config.clock == &kri_system_clock)
		return system_wall_ns(NULL);
	pthread_rwlock_rdlock(&ctx->outside_lock);
	now = ctx->dead ? system_wall_ns(NULL) : ctx->config.clock->wall_ns(ctx->config.clock_userdata);
	pthread_rwlock_unlock(&ctx->outside_lock);
	return now;
}
