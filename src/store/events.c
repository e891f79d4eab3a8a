/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: stamped here, stored with the next commit of state.db. An event has its id before that commit is tried. It is
 * of an epoch that is drawn for each run of the store and never gone on with: so the id stands for nothing else when
 * the commit has failed, the event has left the device from memory, and the process ends before the disk is back.
 */
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy_line(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
	for (char *at = to; *at; at++)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
}

struct kryos_time kri_store_now(struct kryos_store *store)
{
	struct kryos_time now = { 0 };

	if (kryos_clock_now(store->ctx, &now) < 0)
		now.t_boot_ns = kri_boot_ns(store->ctx);
	return now;
}

static struct kri_stored_event *new_event(const struct kryos_event *event, struct kryos_time now)
{
	struct kri_stored_event *stored = calloc(1, sizeof(*stored));

	if (!stored)
		return NULL;
	stored->t_boot_ns = event->sample.t_boot_ns ? event->sample.t_boot_ns : now.t_boot_ns;
	stored->t_wall_ns = now.t_wall_ns - (now.t_boot_ns - stored->t_boot_ns);
	stored->trust = now.trust;
	stored->type = event->type;
	stored->code = event->code;
	stored->first_seq = event->first_seq;
	stored->last_seq = event->last_seq;
	stored->value_ns = event->value_ns;
	copy_line(stored->name, sizeof(stored->name), event->name);
	/* It joins the fields of the line that is signed. */
	for (char *at = stored->name; (at = strchr(at, '|'));)
		*at = '/';
	copy_line(stored->text, sizeof(stored->text), event->text);
	return stored;
}

static void drop_list(struct kri_stored_event *list)
{
	while (list) {
		struct kri_stored_event *event = list;

		list = event->next;
		free(event);
	}
}

int kri_store_put_events(struct kryos_store *store, const struct kryos_event *events, size_t count,
                         struct kryos_time now)
{
	struct kri_stored_event *list = NULL, **tail = &list;
	/* What was given up must be said: of gaps there may be one for each queue and hole. */
	int limit = count && events[0].type == KRYOS_EVENT_GAP ? KRI_MAX_GAPS_WAITING : KRI_MAX_EVENTS_WAITING;

	if (!count)
		return 0;
	if (count > (size_t)limit || store->events_waiting > limit - (int)count)
		return kryos_fail(-EAGAIN, "%s: %d events already wait for the disk", store->folder,
		                  store->events_waiting);
	for (size_t i = 0; i < count; i++) {
		*tail = new_event(&events[i], now);
		if (!*tail) {
			drop_list(list);
			return -ENOMEM;
		}
		tail = &(*tail)->next;
	}
	*store->events_tail = list;
	store->events_tail = tail;
	store->events_waiting += (int)count;
	pthread_cond_broadcast(&store->changed);
	return 0;
}

int kri_store_put_event(struct kryos_store *store, const struct kryos_event *event, struct kryos_time now)
{
	return kri_store_put_events(store, event, 1, now);
}

int kri_store_put_removal(struct kryos_store *store, const char *name, const struct kryos_event *event,
                          struct kryos_time now)
{
	struct kri_stored_event *stored;
	int r = kri_store_put_event(store, event, now);

	if (r < 0)
		return r;
	stored = KRI_CONTAINER_OF(store->events_tail, struct kri_stored_event, next);
	copy_line(stored->removes, sizeof(stored->removes), name);
	return 0;
}

bool kri_store_is_removing(const struct kryos_store *store, const char *name)
{
	for (const struct kri_stored_event *event = store->events; event; event = event->next)
		if (strcmp(event->removes, name) == 0)
			return true;
	return false;
}

bool kri_store_next_waiting_event(struct kryos_store *store, int64_t from_seq, struct kri_stored_event *ret_event)
{
	const struct kri_stored_event *event;

	pthread_mutex_lock(&store->lock);
	event = store->events;
	while (event && (!event->volatile_row || event->seq < from_seq))
		event = event->next;
	if (event)
		*ret_event = *event;
	pthread_mutex_unlock(&store->lock);
	return event;
}

int kri_store_drop_events(struct kryos_store *store)
{
	int count = store->events_waiting;

	drop_list(store->events);
	store->events = NULL;
	store->events_tail = &store->events;
	store->events_waiting = 0;
	return count;
}

void kri_store_report(struct kryos_store *store, enum kryos_event_type type, int code, const char *text)
{
	struct kryos_time now = kri_store_now(store);

	kri_log(store->ctx, KRYOS_LOG_WARNING, "store", code, "%s", text);
	pthread_mutex_lock(&store->lock);
	/* 256 may wait; an open reports a handful. */
	(void)!kri_store_put_event(
		store, &(struct kryos_event){ .type = type, .code = code, .name = "store", .text = text }, now);
	pthread_mutex_unlock(&store->lock);
}

bool kri_store_is_gap_waiting(struct kryos_store *store, const struct kryos_event *gap)
{
	bool found = false;

	pthread_mutex_lock(&store->lock);
	for (const struct kri_stored_event *event = store->events; event && !found; event = event->next)
		found = event->type == KRYOS_EVENT_GAP && event->first_seq == gap->first_seq &&
		        event->last_seq == gap->last_seq && strcmp(event->name, gap->name) == 0 &&
		        strcmp(event->text, gap->text) == 0;
	pthread_mutex_unlock(&store->lock);
	return found;
}

int kri_store_announce(struct kryos_store *store, const struct kryos_event *event)
{
	struct kryos_time now = kri_store_now(store);
	int r;

	pthread_mutex_lock(&store->lock);
	r = kri_store_put_event(store, event, now);
	pthread_mutex_unlock(&store->lock);
	/* A gap that finds no place is announced once it does. */
	if (r >= 0 || event->type != KRYOS_EVENT_GAP)
		kri_event_push(store->ctx, event);
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "event %s is not stored: %s",
		        kryos_event_type_name(event->type), kryos_strerror(r));
	return r;
}

int kri_store_check_event(const struct kryos_event *event)
{
	if (kryos_event_type_name(event->type)[0] == '?' || event->type == KRYOS_EVENT_SAMPLE)
		return kryos_fail(-EINVAL, "store: events of type %d can't be stored", (int)event->type);
	if (event->name && strchr(event->name, '|'))
		return kryos_fail(-EINVAL,
		                  "store: the name of an event has no \"|\", which joins what is signed of it");
	if ((event->name && strlen(event->name) > 63) || (event->text && strlen(event->text) > 1000))
		return kryos_fail(-EINVAL, "store: an event has a name of at most 63 and a text of at most 1000 bytes");
	return 0;
}

int kryos_store_add_event(struct kryos_store *store, const struct kryos_event *event)
{
	struct kryos_time now;
	int r;

	if (!store || !event)
		return kryos_fail(-EINVAL, "no store or no event given");
	if (kri_ctx_check(store->ctx) < 0)
		return KRYOS_EFORK;
	r = kri_store_check_event(event);
	if (r < 0)
		return r;
	now = kri_store_now(store);
	pthread_mutex_lock(&store->lock);
	r = kri_store_put_event(store, event, now);
	pthread_mutex_unlock(&store->lock);
	return r;
}
