/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room on the store's file system, which is not the store's alone.
 *
 *     free < soft limit        the policy acts before the commit, while writes still succeed
 *     a commit gets ENOSPC     the reserve is given up, and the commit tried again at once; then what was delivered
 * goes
 *     ... three times          also the oldest undelivered: as long as that helps
 *
 * A quota, or a fault of a moment, gives ENOSPC while the file system says that there is plenty: that alone deletes
 * nothing that is still owed. What is said of it is one event when the trouble begins and one when it is over.
 */
#include "private.h"
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SOFT_BYTES INT64_C(2097152)
#define RESERVE_BYTES INT64_C(262144)
#define TRIES 3
#define UNHELPFUL 2

struct space {
	int64_t free_bytes, soft;
	int64_t unused; /* with what only root may use: what a removal gives back may go there first */
};

static struct space ask(struct kryos_store *store)
{
	int64_t free_bytes = INT64_MAX, total = INT64_MAX, unused = INT64_MAX;
	void (*other)(void *data, const char *folder, int64_t *ret_free, int64_t *ret_total);
	struct statvfs status;

	pthread_mutex_lock(&store->lock);
	other = store->room.ask;
	pthread_mutex_unlock(&store->lock);
	if (other) {
		other(store->room.data, store->folder, &free_bytes, &total);
		unused = free_bytes;
	} else if (!statvfs(store->folder, &status)) {
		free_bytes = (int64_t)status.f_bavail * (int64_t)status.f_frsize;
		total = (int64_t)status.f_blocks * (int64_t)status.f_frsize;
		unused = (int64_t)status.f_bfree * (int64_t)status.f_frsize;
	}
	return (struct space){ free_bytes, total / 16 < SOFT_BYTES ? total / 16 : SOFT_BYTES, unused };
}

static void reserve_path(const struct kryos_store *store, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/reserve", store->folder);
}

static void begin_trouble(struct kryos_store *store, const char *text)
{
	if (store->room.trouble)
		return;
	store->room.trouble = true;
	store->room.waited = 0;
	pthread_mutex_lock(&store->lock);
	store->room.refused = 0;
	pthread_mutex_unlock(&store->lock);
	kri_store_announce(store, &(struct kryos_event){
					  .type = KRYOS_EVENT_STORE, .code = -ENOSPC, .name = "store", .text = text });
}

bool kri_room_is_tight(struct kryos_store *store)
{
	struct space space = ask(store);
	char text[160];

	store->room.tight = space.free_bytes < space.soft;
	store->room.unused = space.unused;
	if (store->room.tight) {
		snprintf(text, sizeof(text), "the disk is nearly full: %" PRId64 " bytes are free, below %" PRId64,
		         space.free_bytes, space.soft);
		begin_trouble(store, text);
	}
	return store->room.tight;
}

void kri_room_found_none(struct kryos_store *store)
{
	begin_trouble(store, "the disk is full: a write found no space");
}

bool kri_room_may_help(const struct kryos_store *store)
{
	return store->room.unhelpful < UNHELPFUL;
}

/* It helps if more is free than before; where there seemed to be plenty, if the next write finds space. */
void kri_room_removed(struct kryos_store *store, bool owed)
{
	int64_t before = store->room.unused;

	store->room.unused = ask(store).unused;
	if (store->room.tight && store->room.unused > before)
		store->room.unhelpful = 0;
	else if (owed)
		store->room.unhelpful++;
}

static bool remove_some(struct kryos_store *store, bool undelivered)
{
	int r = kri_store_make_room(store, undelivered);

	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "no room is made: %s", kryos_strerror(r));
	return r > 0;
}

void kri_room_check(struct kryos_store *store)
{
	if (kri_room_is_tight(store))
		(void)remove_some(store, true);
}

bool kri_room_make(struct kryos_store *store)
{
	return remove_some(store, store->room.tight || store->room.tries + 1 >= TRIES);
}

void kri_room_note_samples(struct kryos_store *store, int result)
{
	if (result == -ENOSPC) {
		store->room.tries++;
		kri_room_found_none(store);
	} else {
		store->room.tries = 0;
		if (result >= 0 && !store->room.tight)
			store->room.unhelpful = 0;
	}
}

bool kri_room_free_reserve(struct kryos_store *store)
{
	char path[PATH_MAX];

	reserve_path(store, path);
	store->room.reserve_at_ns = kri_real_ns() + 60 * store->retry_ns;
	return !unlink(path);
}

/* Written in full: a file with holes reserves nothing. Not zeros, which some file systems do not store either. */
static int write_reserve(const char *path)
{
	char block[4096];
	uint64_t value = UINT64_C(0x9e3779b97f4a7c15);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640), r = 0;

	if (fd < 0)
		return -errno;
	for (int64_t written = 0; written < RESERVE_BYTES && r >= 0; written += (int64_t)sizeof(block)) {
		for (size_t i = 0; i < sizeof(block); i += sizeof(value)) {
			value = value * UINT64_C(6364136223846793005) + 1;
			memcpy(block + i, &value, sizeof(value));
		}
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			r = -ENOSPC;
	}
	if (r >= 0 && fsync(fd))
		r = -errno;
	close(fd);
	if (r < 0)
		unlink(path);
	return r;
}

bool kri_room_keep_reserve(struct kryos_store *store)
{
	char path[PATH_MAX];
	struct space space;

	if (store->room.trouble || store->ringing || kri_real_ns() < store->room.reserve_at_ns)
		return false;
	reserve_path(store, path);
	if (kri_file_bytes(path) == RESERVE_BYTES) {
		store->room.reserve_at_ns = INT64_MAX;
		return false;
	}
	space = ask(store);
	store->room.reserve_at_ns = kri_real_ns() + 60 * store->retry_ns;
	if (space.free_bytes < 4 * space.soft || space.free_bytes < 4 * RESERVE_BYTES)
		return false;
	/* Without it there is one try less on a full disk. */
	if (write_reserve(path) >= 0)
		store->room.reserve_at_ns = INT64_MAX;
	return true;
}

/* The soft limit twice, so that what hovers about it is one trouble and not a hundred. */
static bool is_over(struct kryos_store *store)
{
	struct space space = ask(store);
	bool waits;

	pthread_mutex_lock(&store->lock);
	waits = store->health[KRI_HEALTH_SAMPLES].error == -ENOSPC || store->health[KRI_HEALTH_STATE].error == -ENOSPC;
	pthread_mutex_unlock(&store->lock);
	return !waits && space.free_bytes >= 2 * space.soft;
}

void kri_room_update(struct kryos_store *store)
{
	bool was_tight = store->room.tight;
	uint64_t refused;
	char text[160];

	if (!store->room.trouble)
		return;
	if (was_tight && !kri_room_is_tight(store))
		store->last_retention_ns = INT64_MAX; /* who was refused may be taken again */
	if (!is_over(store))
		return;
	store->room.trouble = false;
	store->room.unhelpful = 0;
	pthread_mutex_lock(&store->lock);
	refused = store->room.refused;
	pthread_mutex_unlock(&store->lock);
	snprintf(text, sizeof(text),
	         "there is room on the disk again; %" PRIu64 " samples waited in memory, %" PRIu64 " were refused",
	         store->room.waited, refused);
	kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_STORE, .name = "store", .text = text });
}
