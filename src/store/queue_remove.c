/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a queue that nobody will open again: it would owe for ever, and what it owes would be kept for it. */
#include "private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

struct owed {
	struct kri_ranges samples, events;
};

/* A connection of its own, for the writer's is busy. Nobody changes the row of a queue that is not open. */
static int read_owed(struct kryos_store *store, const char *name, struct owed *owed)
{
	sqlite3_stmt *row = NULL;
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int r, code;

	snprintf(path, sizeof(path), "%s/state.db", store->folder);
	r = kri_sql_open_to_read(&db, path);
	if (r >= 0)
		r = kri_sql_prepare(db, &row, "SELECT samples, events FROM queue WHERE name=?");
	if (r >= 0) {
		kri_sql_bind_text(row, 1, name);
		code = sqlite3_step(row);
		if (code == SQLITE_ROW)
			r = kri_ranges_parse_owed(&owed->samples, &owed->events, kri_sql_text(row, 0),
			                          kri_sql_text(row, 1));
		else
			r = code == SQLITE_DONE ? kryos_fail(-ENOENT, "queue %s: there is none of that name", name)
			                        : kri_sql_fail(db, code);
	}
	sqlite3_finalize(row);
	sqlite3_close_v2(db);
	return r;
}

/* store->lock held. */
static int check_absent(const struct kryos_store *store, const char *name)
{
	if (kri_store_is_removing(store, name))
		return kryos_fail(-EBUSY, "queue %s: it is being removed", name);
	return kri_store_is_queue_open(store, name) ? kryos_fail(-EBUSY, "queue %s: it is open; close it first", name)
	                                            : 0;
}

/* store->lock held. */
static int put_removal(struct kryos_store *store, const char *name, const struct owed *owed, struct kryos_time now)
{
	struct kryos_event event = { .type = KRYOS_EVENT_AUDIT, .name = "store" };
	int64_t count =
		kri_ranges_count_either(&owed->samples, store->durable_seq, &owed->events, store->stored_event_seq);
	char text[120];

	snprintf(text, sizeof(text), "queue %s was removed; it owed %s%" PRId64 " records", name,
	         count ? "at most " : "", count);
	event.text = text;
	return kri_store_put_removal(store, name, &event, now);
}

/* store->naming held. */
static int begin(struct kryos_store *store, const char *name)
{
	struct owed owed = { .samples = { .runs = NULL } };
	struct kryos_time now = kri_store_now(store);
	int r;

	pthread_mutex_lock(&store->lock);
	r = check_absent(store, name);
	pthread_mutex_unlock(&store->lock);
	if (r >= 0)
		r = read_owed(store, name, &owed);
	if (r >= 0) {
		pthread_mutex_lock(&store->lock);
		r = put_removal(store, name, &owed, now);
		pthread_mutex_unlock(&store->lock);
	}
	kri_ranges_clear(&owed.samples);
	kri_ranges_clear(&owed.events);
	return r;
}

int kri_store_remove_queue(struct kryos_store *store, const char *name, int64_t timeout_ns)
{
	char why[200];
	int r;

	if (!store)
		return kryos_fail(-EINVAL, "no store given");
	if (kri_ctx_check(store->ctx) < 0)
		return KRYOS_EFORK;
	r = kri_queue_check_name(name);
	if (r < 0)
		return r;
	/* Who opens it meanwhile would go on with what it owed. */
	pthread_mutex_lock(&store->naming);
	r = begin(store, name);
	pthread_mutex_unlock(&store->naming);
	if (r < 0)
		return r;
	r = kri_store_commit_within(store, timeout_ns);
	if (r >= 0)
		return 0;
	snprintf(why, sizeof(why), "%s", kryos_strerror(r));
	return kryos_fail(r, "queue %s: it is removed once the disk is back: %s", name, why);
}

int kryos_store_remove_queue(struct kryos_store *store, const char *name)
{
	return kri_store_remove_queue(store, name, KRYOS_SECONDS(4));
}
