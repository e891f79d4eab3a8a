/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store: a durable, segmented log of samples and events in one folder.
 *
 * What kryos_store_append returned success for, or a KRYOS_EVENT_SAMPLE announced, is on the disk:
 * written, synced, checksummed and chained, before anyone hears of it. Each record's id is
 * (device, epoch, seq); seq grows over the whole store and is never reused. One process writes (a
 * second gets -EBUSY with the owner's pid); others read with struct kryos_reader. Nothing is ever
 * changed or deleted in a segment; retention removes whole segments. The format is
 * docs/store-format.md. All calls are safe from any thread.
 *
 * A disk that is gone, or has no space, does not stop measuring: what it does not take is volatile, that is in RAM
 * only, with an id of its own, at most 4096 samples (then the oldest become a gap) and 256 events. Queues that ask for
 * it deliver it from there, and it is written with the same ids when the disk is back. Before space runs out (2 MiB, or
 * a sixteenth of the file system) the policy makes room.
 *
 * Device time counts from when the device was commissioned, that is when the store was made or came to another board.
 * It goes with CLOCK_BOOTTIME, and over a reboot on from the last record; the time between counts once trusted wall
 * time is known on both sides of it. So it never goes back; where wall time is never known it lacks the time that the
 * device was off.
 */
#ifndef KRYOS_STORE_H
#define KRYOS_STORE_H

#include <kryos/base.h>
#include <kryos/ctx.h>
#include <kryos/sample.h>

KRYOS_BEGIN

struct kryos_store;

/* What happens when a limit is reached. */
enum kryos_full_policy {
	KRYOS_FULL_DROP_OLDEST = 1, /* oldest delivered, then oldest undelivered as a recorded gap */
	KRYOS_FULL_REFUSE = 2       /* append gives KRYOS_EFULL until something is delivered, or there is room again */
};

struct kryos_store_config {
	uint32_t size;
	enum kryos_full_policy full; /* 0: drop oldest */
	int64_t segment_ns;          /* a segment is closed after this; 0: 1 day */
	int64_t segment_bytes;       /* ... or this; 0: 16 MB */
	int64_t keep_ns;             /* older segments are removed; 0: 400 days */
	int64_t keep_bytes;          /* the folder's limit; 0: 2 GB, and at most half the free space at start */
	const char *board;           /* what tells this board from another; NULL: its serial number or machine id */
	const char *key_path;        /* device key, made on the board's first start; NULL: "<path>/device.key" */
};
#define KRYOS_STORE_CONFIG(...) KRYOS_CONFIG_OF(kryos_store_config, __VA_ARGS__)

/*
 * Opens or makes the store in the folder path (one level is made). Waits for the disk. What a cut
 * left behind is recovered; damage never makes this fail: what is readable is kept, the rest is
 * reported as a gap. -EBUSY: another process writes here (the text has its pid); -EROFS, -EACCES,
 * -ENOSPC, -ENOTDIR: the folder can't be written; KRYOS_EFORMAT: made by a newer version.
 */
KRYOS_API int kryos_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                               const struct kryos_store_config *config);

/* Commits delivery state and closes. NULL is allowed. Waits for the disk, at most 4 s. */
KRYOS_EXPORT void kryos_store_close(struct kryos_store *store);

/*
 * Appends count samples (at most 4096) as one commit and sets seq, boot and missing stamps in them.
 * Returns 0 once they are durable: waits for the disk, one sync, shared with callers that arrive
 * together. KRYOS_EVOLATILE: the disk failed, and they are kept in RAM, with seq, boot and stamps set; do not append
 * them again: they are written when it is back, which their KRYOS_EVENT_SAMPLE tells, or become a gap. While the disk
 * stays away this comes at once but when it is just tried again, after 1 s and then less and less often, up to 60 s.
 * (A warning to a program that goes on; one that ends now has lost them, unless the last try, at the close, succeeds.)
 * KRYOS_EFULL: the policy refuses; other errors: nothing was accepted. (A commit that failed may be on the disk all the
 * same: its ids are never used again, and are hidden by the next commit that succeeds.) -ECANCELED: closed meanwhile.
 */
KRYOS_API int kryos_store_append(struct kryos_store *store, struct kryos_sample *samples, size_t count);

/*
 * The same without waiting: copies the samples to the writer and returns 0. Each is accepted when
 * its KRYOS_EVENT_SAMPLE comes. -EAGAIN: 4096 samples already wait for a disk that does not answer. KRYOS_EFULL: the
 * policy refuses.
 */
KRYOS_API int kryos_store_submit(struct kryos_store *store, const struct kryos_sample *samples, size_t count);

/* Waits until all that was handed in before is durable, at most timeout_ns: 0, -ETIMEDOUT, or the writer's error. */
KRYOS_API int kryos_store_flush(struct kryos_store *store, int64_t timeout_ns);

/*
 * Records an event: it is stored, chained and delivered first by every queue. name at most 63
 * bytes, none of them a "|", text at most 1000; both copied. Returns at once; durable a moment later, or once the disk
 * is back (until then it is volatile). -EAGAIN: 256 wait.
 */
KRYOS_API int kryos_store_add_event(struct kryos_store *store, const struct kryos_event *event);

/*
 * Removes the queue of that name, with its dead letters, for ever: what it still owes is owed to nobody then, and no
 * longer keeps segments from being removed or the policy from accepting. An event says how much that was. For a queue
 * that nobody will open again; one that is only closed stays owed. Waits for the disk, at most 4 s. -ENOENT: there is
 * none; -EBUSY: it is open, or being removed; -ETIMEDOUT, or the disk's error: it is removed when the disk is back,
 * unless the process ends before.
 */
KRYOS_API int kryos_store_remove_queue(struct kryos_store *store, const char *name);

struct kryos_store_status {
	uint32_t size;
	uint32_t segments;
	int64_t first_seq, last_seq; /* oldest kept and newest accepted; 0: none */
	int64_t samples;             /* kept */
	int64_t bytes;               /* of the folder */
	int64_t limit_bytes;         /* what keep_bytes and the free space allow */
	int64_t first_wall_ns, last_wall_ns;
	uint64_t accepted;     /* samples since open */
	uint64_t commits;      /* since open: groups of samples made durable */
	uint64_t commit_syncs; /* since open, by cause */
	uint64_t checkpoint_syncs;
	uint64_t state_syncs;
	uint64_t rotation_syncs;
	int64_t last_sync_ns, worst_sync_ns; /* how long a commit took */
	uint64_t gaps;                       /* recorded, since the store was made */
	uint32_t volatile_samples;           /* in RAM only: handed over and not yet accepted */
	int error;                           /* 0: healthy; why samples, or else events and delivery state, wait */
	uint64_t epoch;
	uint32_t boot;
	uint32_t can_seal; /* 1: segments are signed when closed */
	char device[33];   /* the device's id */
	char text[160];    /* why error is not 0 */
	int64_t device_ns; /* device time now */
};
/* Fill size. Does not wait for the disk. */
KRYOS_API int kryos_store_get_status(struct kryos_store *store, struct kryos_store_status *ret_status);

KRYOS_END
#endif
