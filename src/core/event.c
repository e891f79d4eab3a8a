/* SPDX-License-Identifier: Apache-2.0 */
#include "ctx.h"
#include <stdlib.h>
#include <string.h>

static struct kri_event_node *pop(struct kryos_ctx *ctx)
{
	struct kri_event_node *node = ctx->events;

	if (!node)
		return NULL;
	ctx->events = node->next;
	if (!ctx->events)
		ctx->events_tail = &ctx->events;
	ctx->event_count--;
	return node;
}

void kri_event_push(struct kryos_ctx *ctx, const struct kryos_event *event)
{
	const char *name = event->name ? event->name : "", *text = event->text ? event->text : "";
	size_t name_size = strlen(name) + 1, text_size = strlen(text) + 1;
	struct kri_event_node *node = malloc(sizeof(*node) + name_size + text_size), *oldest = NULL;

	pthread_mutex_lock(&ctx->lock);
	if (!node || ctx->dead) {
		ctx->events_dropped++;
		pthread_mutex_unlock(&ctx->lock);
		free(node);
		return;
	}
	node->next = NULL;
	node->event = *event;
	node->event.size = sizeof(node->event);
	node->event.name = memcpy((char *)(node + 1), name, name_size);
	node->event.text = memcpy((char *)(node + 1) + name_size, text, text_size);
	if (ctx->event_count == KRI_MAX_EVENTS) {
		oldest = pop(ctx);
		ctx->events_dropped++;
	}
	*ctx->events_tail = node;
	ctx->events_tail = &node->next;
	ctx->event_count++;
	for (struct kri_tap *tap = ctx->taps; tap; tap = tap->next)
		tap->seen(tap, &node->event);
	kri_wake(ctx); /* under the lock: kryos_ctx_free closes the eventfd only after taking it */
	pthread_mutex_unlock(&ctx->lock);
	free(oldest);
}

void kri_event_tap(struct kryos_ctx *ctx, struct kri_tap *tap)
{
	pthread_mutex_lock(&ctx->lock);
	tap->next = ctx->taps;
	ctx->taps = tap;
	pthread_mutex_unlock(&ctx->lock);
}

void kri_event_untap(struct kryos_ctx *ctx, struct kri_tap *tap)
{
	pthread_mutex_lock(&ctx->lock);
	for (struct kri_tap **at = &ctx->taps; *at; at = &(*at)->next)
		if (*at == tap) {
			*at = tap->next;
			break;
		}
	pthread_mutex_unlock(&ctx->lock);
}

int kryos_ctx_next_event(struct kryos_ctx *ctx, const struct kryos_event **ret_event)
{
	struct kri_event_node *node;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_event)
		return -EINVAL;
	pthread_mutex_lock(&ctx->lock);
	free(ctx->taken);
	node = pop(ctx);
	ctx->taken = node;
	if (node) {
		node->event.dropped = ctx->events_dropped;
		ctx->events_dropped = 0;
	}
	pthread_mutex_unlock(&ctx->lock);
	if (!node)
		return 0;
	*ret_event = &node->event;
	return 1;
}

void kri_events_free(struct kryos_ctx *ctx)
{
	free(ctx->taken);
	ctx->taken = NULL;
	for (struct kri_event_node *node = pop(ctx); node; node = pop(ctx))
		free(node);
}

static const char *const type_names[] = {
	[KRYOS_EVENT_SAMPLE] = "sample",
	[KRYOS_EVENT_SENSOR_LOST] = "sensor-lost",
	[KRYOS_EVENT_SENSOR_BACK] = "sensor-back",
	[KRYOS_EVENT_LINK_UP] = "link-up",
	[KRYOS_EVENT_LINK_DOWN] = "link-down",
	[KRYOS_EVENT_REJECTED] = "rejected",
	[KRYOS_EVENT_GAP] = "gap",
	[KRYOS_EVENT_CLOCK] = "clock",
	[KRYOS_EVENT_CORRECTED] = "corrected",
	[KRYOS_EVENT_TASK_LATE] = "task-late",
	[KRYOS_EVENT_RESTART] = "restart",
	[KRYOS_EVENT_SEALED] = "sealed",
	[KRYOS_EVENT_STORE] = "store",
	[KRYOS_EVENT_ALARM_ON] = "alarm-on",
	[KRYOS_EVENT_ALARM_OFF] = "alarm-off",
	[KRYOS_EVENT_AUDIT] = "audit",
	[KRYOS_EVENT_STATE] = "state",
	[KRYOS_EVENT_OUTPUT_LOST] = "output-lost",
	[KRYOS_EVENT_RECOVERY] = "recovery",
	[KRYOS_EVENT_OUTPUT_BACK] = "output-back",
	[KRYOS_EVENT_DISAGREES] = "disagrees",
	[KRYOS_EVENT_AGREES] = "agrees",
	[KRYOS_EVENT_CALIBRATION] = "calibration",
	[KRYOS_EVENT_CONFIGURED] = "configured",
	[KRYOS_EVENT_ACKNOWLEDGED] = "acknowledged",
	[KRYOS_EVENT_RETIRED] = "retired",
	[KRYOS_EVENT_RESUMED] = "resumed",
	[KRYOS_EVENT_TEST] = "test",
	[KRYOS_EVENT_START] = "start",
};

const char *kryos_event_type_name(unsigned int type)
{
	return type < KRI_ARRAY_SIZE(type_names) && type_names[type] ? type_names[type] : "?";
}
