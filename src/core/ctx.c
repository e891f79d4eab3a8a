/* SPDX-License-Identifier: Apache-2.0 */
#include "ctx.h"
#include <kryos_version.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define CLOSING_NS KRYOS_SECONDS(5)

const char *kryos_version(void)
{
	return KRI_VERSION;
}

uint32_t kryos_version_number(void)
{
	return KRI_VERSION_MAJOR << 16 | KRI_VERSION_MINOR << 8 | KRI_VERSION_PATCH;
}

int kri_ctx_check(struct kryos_ctx *ctx)
{
	if (!ctx)
		return kryos_fail(-EINVAL, "no context given");
	if (ctx->pid != getpid())
		return kryos_fail(KRYOS_EFORK, "the context was made before a fork; make one in the child");
	return 0;
}

struct kryos_ctx *kri_ctx_ref(struct kryos_ctx *ctx)
{
	atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

static void free_slot(struct kryos_ctx *ctx, enum kri_slot slot)
{
	if (ctx->slots[slot].state)
		ctx->slots[slot].destroy(ctx->slots[slot].state);
	ctx->slots[slot].state = NULL;
}

void kri_ctx_unref(struct kryos_ctx *ctx)
{
	if (atomic_fetch_sub(&ctx->refs, 1) != 1)
		return;
	/* A worker that outlives kryos_ctx_free may still ask for the time. */
	free_slot(ctx, KRI_SLOT_CLOCK);
	kri_events_free(ctx);
	for (uint32_t i = 0; i < ctx->channel_count; i++)
		free(ctx->channels[i]);
	free(ctx->channels);
	for (int kind = 0; kind < KRI_KIND_COUNT; kind++) {
		struct kri_registration *registration = ctx->registrations[kind];

		while (registration) {
			struct kri_registration *next = registration->next;

			if (kind == KRI_RESOLVER) /* boxed by kryos_register_resolver */
				free((void *)registration->driver);
			free(registration);
			registration = next;
		}
	}
	pthread_mutex_destroy(&ctx->lock);
	pthread_rwlock_destroy(&ctx->outside_lock);
	free(ctx);
}

int kryos_ctx_new(struct kryos_ctx **ret_ctx, const struct kryos_ctx_config *config)
{
	struct kryos_ctx *ctx;
	int r;

	if (!ret_ctx)
		return kryos_fail(-EINVAL, "no place for the context given");
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return -ENOMEM;
	r = kri_config_copy(&ctx->config, sizeof(ctx->config), config);
	if (r < 0)
		goto free_ctx;
	if (!ctx->config.log_level)
		ctx->config.log_level = KRYOS_LOG_NOTICE;
	if (!ctx->config.clock)
		ctx->config.clock = &kri_system_clock;
	if (ctx->config.clock->size < sizeof(*ctx->config.clock) || !ctx->config.clock->boot_ns ||
	    !ctx->config.clock->wall_ns || !ctx->config.clock->boot_id) {
		r = kryos_fail(-EINVAL, "config.clock: size, boot_ns, wall_ns and boot_id are required");
		goto free_ctx;
	}
	atomic_init(&ctx->refs, 1);
	ctx->pid = getpid();
	ctx->notes_tail = &ctx->notes;
	ctx->events_tail = &ctx->events;
	r = kri_loop_init(ctx);
	if (r < 0)
		goto free_ctx;
	pthread_mutex_init(&ctx->lock, NULL);
	pthread_rwlock_init(&ctx->outside_lock, NULL);
	*ret_ctx = ctx;
	return 0;
free_ctx:
	free(ctx);
	return r;
}

int64_t kri_ctx_patience(struct kryos_ctx *ctx, int64_t asked_ns)
{
	int64_t deadline, left;

	pthread_mutex_lock(&ctx->lock);
	deadline = ctx->closing_deadline_ns;
	pthread_mutex_unlock(&ctx->lock);
	if (!deadline)
		return asked_ns;
	left = deadline - kri_real_ns();
	left = left < 0 ? 0 : left;
	return left < asked_ns ? left : asked_ns;
}

void kryos_ctx_free(struct kryos_ctx *ctx)
{
	/* In a child after fork the threads are gone and the disk is the parent's: leave everything alone. */
	if (!ctx || ctx->pid != getpid())
		return;
	pthread_mutex_lock(&ctx->lock);
	ctx->closing_deadline_ns = kri_real_ns() + CLOSING_NS;
	pthread_mutex_unlock(&ctx->lock);
	while (ctx->newest)
		ctx->newest->destroy(ctx->newest);
	free_slot(ctx, KRI_SLOT_BUSES);
	pthread_rwlock_wrlock(&ctx->outside_lock);
	pthread_mutex_lock(&ctx->lock);
	ctx->dead = true;
	kri_loop_close(ctx);
	pthread_mutex_unlock(&ctx->lock);
	pthread_rwlock_unlock(&ctx->outside_lock);
	kri_ctx_unref(ctx);
}

double kryos_micro_to_double(int64_t micro)
{
	return (double)micro / 1e6;
}

int kryos_micro_from_double(double value, int64_t *ret_micro)
{
	double scaled = value * 1e6;

	if (!ret_micro)
		return -EINVAL;
	if (isnan(scaled) || scaled >= 9223372036854775808.0 || scaled < -9223372036854775808.0)
		return kryos_fail(-ERANGE, "%g: not a value in millionths", value);
	*ret_micro = llround(scaled);
	return 0;
}
