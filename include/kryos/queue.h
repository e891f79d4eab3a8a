/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queue: a named reader of a store that remembers, over restarts, what it still owes.
 *
 * kryos_queue_next lends each owed record once per session, until it is acknowledged, rejected or
 * released by its seq; what was lent and not acknowledged is owed again after reopening, with the
 * same id. Delivery state is committed after 100 acknowledgements or 5 s and at close, so a crash
 * gives duplicates, never a loss. Three streams, each in order of seq: events; live samples (newer
 * than the moment kryos_queue_set_live was called); backlog (the rest; historical). A record is in
 * exactly one. Calls are safe from any thread; kryos_queue_next reads the disk, at most 64 records.
 *
 * A queue that takes volatile rows also lends what the store keeps in RAM while its disk is away
 * (KRYOS_RECORD_VOLATILE), samples as live ones and events that could not be stored when that was tried, even where the
 * disk can't be read. What is acknowledged so is not delivered again once it is written; what is lost before that was
 * delivered all the same.
 */
#ifndef KRYOS_QUEUE_H
#define KRYOS_QUEUE_H

#include <kryos/base.h>
#include <kryos/ctx.h>
#include <kryos/sample.h>

KRYOS_BEGIN

struct kryos_store;
struct kryos_queue;

enum kryos_stream { KRYOS_STREAM_EVENTS = 1, KRYOS_STREAM_LIVE = 2, KRYOS_STREAM_BACKLOG = 4, KRYOS_STREAM_ANY = 7 };

enum kryos_record_flag {
	KRYOS_RECORD_HISTORICAL = 1, /* older than the link: replayed */
	KRYOS_RECORD_VOLATILE = 2,   /* in RAM only; keeps its id when written */
	KRYOS_RECORD_SALVAGED = 4    /* recovered from a damaged segment */
};

/* A lent record. Lives until the next call of kryos_queue_next on that queue, or its close. */
struct kryos_record {
	uint32_t size;
	uint32_t flags; /* enum kryos_record_flag */
	enum kryos_stream stream;
	uint32_t reserved;
	uint64_t epoch;
	int64_t seq;
	const char *device;  /* the id of the device that made it */
	const char *channel; /* of a sample: its name, unit, place; "" for events */
	const char *unit;
	const char *place;
	const struct kryos_event *event; /* NULL: it is a sample */
	struct kryos_sample sample;      /* for events its stamps only */
	int64_t device_ns;               /* device time of its t_boot_ns (kryos/store.h); -1: not known */
};

struct kryos_queue_config {
	uint32_t size;
	uint32_t from_now;      /* 1: a new queue owes only what comes from now on; 0: all that is kept */
	const char *channels;   /* comma-separated names or "fridge.*"; others are never owed; NULL: all */
	int64_t commit_ns;      /* 0: 5 s */
	uint32_t commit_acks;   /* 0: 100 */
	uint32_t max_lent;      /* 0: 256; kryos_queue_next gives 0 while so many are lent. 1 to 4096 */
	uint32_t take_volatile; /* 1: also what is in RAM only, flagged; 0: stored records only */
	uint32_t reserved;
};
#define KRYOS_QUEUE_CONFIG(...) KRYOS_CONFIG_OF(kryos_queue_config, __VA_ARGS__)

/* Opens or makes the queue of that name (1 to 31 of [a-z0-9_-]). -EBUSY: it is open already. Waits for the disk. */
KRYOS_API int kryos_queue_open(struct kryos_queue **ret_queue, struct kryos_store *store, const char *name,
                               const struct kryos_queue_config *config);
/* Commits what was acknowledged and closes. NULL is allowed. Waits for the disk, at most 4 s. */
KRYOS_EXPORT void kryos_queue_close(struct kryos_queue *queue);

/* Lends the next owed record: 1 and *ret_record; 0: none now. Events first, then live, then backlog. */
KRYOS_API int kryos_queue_next(struct kryos_queue *queue, const struct kryos_record **ret_record);
/* The same from some streams only (bits of enum kryos_stream). */
KRYOS_API int kryos_queue_next_of(struct kryos_queue *queue, unsigned int streams,
                                  const struct kryos_record **ret_record);

/* The far end has it. -ENOENT: that seq is not owed (acknowledged before: harmless). Does not block. */
KRYOS_API int kryos_queue_ack(struct kryos_queue *queue, int64_t seq);
/* The far end will never take it: it becomes a dead letter with this reason (at most 200 bytes) and blocks nothing. */
KRYOS_API int kryos_queue_reject(struct kryos_queue *queue, int64_t seq, const char *reason);
/* It was not sent after all: it is lent again, before newer ones of its stream. */
KRYOS_API int kryos_queue_release(struct kryos_queue *queue, int64_t seq);
/* Releases all that is lent; for when a link is lost. */
KRYOS_API int kryos_queue_release_all(struct kryos_queue *queue);
/* Owes first to last again (what is still kept of it), as backlog. */
KRYOS_API int kryos_queue_resend(struct kryos_queue *queue, int64_t first_seq, int64_t last_seq);
/* Samples accepted from now on are live, all before are backlog. Called when a link comes up. */
KRYOS_API int kryos_queue_set_live(struct kryos_queue *queue);
/* Commits delivery state now and waits for it, at most 4 s. */
KRYOS_API int kryos_queue_commit(struct kryos_queue *queue);

struct kryos_queue_status {
	uint32_t size;
	uint32_t lent;
	char name[32];
	int64_t owed;       /* records not acknowledged; an upper bound where seqs of others lie between */
	int64_t oldest_seq; /* oldest of them; 0: none */
	int64_t live_seq;   /* first live; 0: no link */
	uint64_t acked;     /* since the queue was made */
	uint64_t rejected;
	uint32_t dead_letters; /* kept, at most 1000 */
	uint32_t reserved;
};
/* Fill size. Does not block. */
KRYOS_API int kryos_queue_get_status(struct kryos_queue *queue, struct kryos_queue_status *ret_status);

KRYOS_END
#endif
