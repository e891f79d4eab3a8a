/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues that are not open. What they owe is in state.db; they come back, after a restart in a moment, and what was
 * removed meanwhile must not have been taken for delivered.
 */
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kri_absent_clear(struct kri_absent_list *absent)
{
	for (int i = 0; i < absent->count; i++) {
		kri_ranges_clear(&absent->list[i].samples);
		kri_ranges_clear(&absent->list[i].events);
	}
	free(absent->list);
	*absent = (struct kri_absent_list){ NULL, 0 };
}

bool kri_store_is_queue_open(const struct kryos_store *store, const char *name)
{
	for (const struct kryos_queue *queue = store->queues; queue; queue = queue->next)
		if (strcmp(queue->name, name) == 0)
			return true;
	return false;
}

static int add_absent(struct kri_absent_list *absent, sqlite3_stmt *row)
{
	struct kri_absent *grown = realloc(absent->list, (size_t)(absent->count + 1) * sizeof(*grown)), *added;

	if (!grown)
		return -ENOMEM;
	absent->list = grown;
	added = &grown[absent->count++];
	memset(added, 0, sizeof(*added));
	snprintf(added->name, sizeof(added->name), "%s", kri_sql_text(row, 0));
	return kri_ranges_parse_owed(&added->samples, &added->events, kri_sql_text(row, 1), kri_sql_text(row, 2));
}

int kri_absent_read(struct kryos_store *store, struct kri_absent_list *absent)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(store->state->db, &rows, "SELECT name, samples, events FROM queue"), code = SQLITE_DONE;
	bool open;

	*absent = (struct kri_absent_list){ NULL, 0 };
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		pthread_mutex_lock(&store->lock);
		open = kri_store_is_queue_open(store, kri_sql_text(rows, 0));
		pthread_mutex_unlock(&store->lock);
		if (!open)
			r = add_absent(absent, rows);
	}
	if (r >= 0)
		r = kri_sql_fail(store->state->db, code);
	sqlite3_finalize(rows);
	if (r < 0)
		kri_absent_clear(absent);
	return r;
}
