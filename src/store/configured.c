/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in force of each channel and each part of the configuration, by the last event that said so: its end is
 * committed to meta together with it, as `config:<name>`, and read back at open. So a change is said once, whoever
 * restarts in between, and found without looking through all events. Where state.db was lost it is said again.
 */
#include "private.h"
#include "store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTHING "nothing"
#define IS "; is "
#define KEY "config:"

struct kri_configured {
	struct kri_configured *next;
	char name[64];
	char text[];
};

static struct kri_configured **find(struct kryos_store *store, const char *name)
{
	struct kri_configured **at = &store->configured;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static struct kri_configured *make(const char *name, const char *text)
{
	size_t size = strlen(text) + 1;
	struct kri_configured *made = malloc(sizeof(*made) + size);

	if (!made)
		return NULL;
	snprintf(made->name, sizeof(made->name), "%s", name);
	memcpy(made->text, text, size);
	return made;
}

/* Takes the place of what there is of that name. */
static void enter(struct kryos_store *store, struct kri_configured *made)
{
	struct kri_configured **at = find(store, made->name), *before = *at;

	made->next = before ? before->next : NULL;
	*at = made;
	free(before);
}

int kri_configured_load(struct kryos_store *store)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(store->state->db, &row,
	                        "SELECT substr(key, 8), value FROM meta WHERE key > '" KEY "' AND key < 'config;'"),
	    code = SQLITE_DONE;

	if (r < 0)
		return r;
	kri_configured_free(store);
	while (r >= 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		struct kri_configured *made = make(kri_sql_text(row, 0), kri_sql_text(row, 1));

		r = made ? 0 : -ENOMEM;
		if (made)
			enter(store, made);
	}
	if (r >= 0 && code != SQLITE_DONE)
		r = kri_sql_fail(store->state->db, code);
	sqlite3_finalize(row);
	return r;
}

void kri_configured_free(struct kryos_store *store)
{
	while (store->configured) {
		struct kri_configured *first = store->configured;

		store->configured = first->next;
		free(first);
	}
}

int kri_configured_put(struct kri_state *state, const struct kri_stored_event *event)
{
	const char *is = strstr(event->text, IS);
	char key[sizeof(event->name) + sizeof(KEY)];

	/* Somebody else's, with a text of his own. */
	if (!is)
		return 0;
	snprintf(key, sizeof(key), KEY "%s", event->name);
	return kri_state_put_meta(state, key, is + strlen(IS));
}

int kri_store_note(struct kryos_store *store, enum kryos_event_type type, const char *name, const char *is,
                   const char *who)
{
	struct kryos_event event = { .type = type, .name = name };
	struct kryos_time now = kri_store_now(store);
	struct kri_configured *made, *before;
	char text[1001];
	int r = 0;

	is = *is ? is : NOTHING;
	made = make(name, is);
	if (!made)
		return -ENOMEM;
	pthread_mutex_lock(&store->lock);
	before = *find(store, name);
	/* Of what nothing was ever said, that is no news. */
	if (strcmp(before ? before->text : NOTHING, is) == 0) {
		pthread_mutex_unlock(&store->lock);
		free(made);
		return 0;
	}
	snprintf(text, sizeof(text), "by %s; was %s" IS "%s", who, before ? before->text : "not known", is);
	event.text = text;
	r = kri_store_put_event(store, &event, now);
	if (r >= 0)
		enter(store, made);
	pthread_mutex_unlock(&store->lock);
	if (r < 0)
		free(made);
	else
		kri_event_push(store->ctx, &event);
	return r < 0 ? r : 1;
}

void kri_store_each_noted(struct kryos_store *store, const char *prefix, void (*each)(void *data, const char *name),
                          void *data)
{
	char name[sizeof(store->configured->name)] = "";
	bool more = true;

	/* In order of name, so that it can be gone on with after the lock was let go. */
	while (more) {
		const struct kri_configured *next = NULL;

		pthread_mutex_lock(&store->lock);
		for (const struct kri_configured *at = store->configured; at; at = at->next)
			if (strcmp(at->text, NOTHING) != 0 && strncmp(at->name, prefix, strlen(prefix)) == 0 &&
			    strcmp(at->name, name) > 0 && (!next || strcmp(at->name, next->name) < 0))
				next = at;
		more = next;
		if (next)
			memcpy(name, next->name, sizeof(name));
		pthread_mutex_unlock(&store->lock);
		if (more)
			each(data, name);
	}
}
