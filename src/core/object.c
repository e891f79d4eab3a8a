/* SPDX-License-Identifier: Apache-2.0 */
#include "ctx.h"

void kri_object_add(struct kryos_ctx *ctx, struct kri_object *object, void (*destroy)(struct kri_object *object))
{
	object->ctx = ctx;
	object->destroy = destroy;
	object->newer = NULL;
	pthread_mutex_lock(&ctx->lock);
	object->older = ctx->newest;
	if (ctx->newest)
		ctx->newest->newer = object;
	ctx->newest = object;
	pthread_mutex_unlock(&ctx->lock);
}

void kri_object_remove(struct kri_object *object)
{
	struct kryos_ctx *ctx = object->ctx;

	pthread_mutex_lock(&ctx->lock);
	if (object->newer)
		object->newer->older = object->older;
	else
		ctx->newest = object->older;
	if (object->older)
		object->older->newer = object->newer;
	object->older = object->newer = NULL;
	pthread_mutex_unlock(&ctx->lock);
}

void *kri_slot_get(struct kryos_ctx *ctx, enum kri_slot slot)
{
	void *state;

	pthread_mutex_lock(&ctx->lock);
	state = ctx->slots[slot].state;
	pthread_mutex_unlock(&ctx->lock);
	return state;
}

int kri_slot_set(struct kryos_ctx *ctx, enum kri_slot slot, void *state, void (*destroy)(void *state))
{
	int r = -EEXIST;

	pthread_mutex_lock(&ctx->lock);
	if (!ctx->slots[slot].state) {
		ctx->slots[slot].state = state;
		ctx->slots[slot].destroy = destroy;
		r = 0;
	}
	pthread_mutex_unlock(&ctx->lock);
	return r;
}
