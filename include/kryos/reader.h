/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader: looks at a store without owning it, from any process, while another writes.
 *
 * Reads in short statements, in order of seq, and never changes anything. What is damaged is
 * skipped and counted, never invented. One thread at a time.
 *
 * Who may read a store is a matter of the files' modes: the owner and the members of its group can,
 * whether or not a process writes. To others closed segments give -EACCES. What is still written
 * has a write-ahead log, whose -shm file must exist unless the reader may write in the folder: else
 * -EACCES and a sentence that says so (a copy without -shm files in a read-only folder).
 */
#ifndef KRYOS_READER_H
#define KRYOS_READER_H

#include <kryos/base.h>
#include <kryos/queue.h>
#include <stdio.h>

KRYOS_BEGIN

struct kryos_reader;

/*
 * Opens the store in folder path, or a bundle (kryos/bundle.h), which is unpacked in $TMPDIR until the reader is
 * closed: it is read as it is, which proves nothing; kryos_verify does. -ENOENT: no store there; -EACCES: not for this
 * user; KRYOS_ECORRUPT: a bundle that is none. Waits for the disk.
 */
KRYOS_API int kryos_reader_open(struct kryos_reader **ret_reader, struct kryos_ctx *ctx, const char *path);
KRYOS_EXPORT void kryos_reader_close(struct kryos_reader *reader);

/* Goes to the first record with this seq or a later one; or to the first sample at or after a wall time, and the first
 * event of all. */
KRYOS_API int kryos_reader_seek(struct kryos_reader *reader, int64_t seq);
KRYOS_API int kryos_reader_seek_time(struct kryos_reader *reader, int64_t t_wall_ns);

/*
 * The next sample: 1 and *ret_record, which lives until the next call; 0 at the end (call again later: it follows).
 * -EACCES: the next segment may not be read by this user; -EBUSY: call again.
 */
KRYOS_API int kryos_reader_next(struct kryos_reader *reader, const struct kryos_record **ret_record);
/*
 * The next samples as rows of a table, at most count of them, read many at a time: how many were written; 0: the
 * end. The same samples in the same order as by kryos_reader_next, and both go on where the other stopped. Fewer than
 * count also come before what can't be read: the next call gives its error.
 */
KRYOS_API int kryos_reader_read_rows(struct kryos_reader *reader, struct kryos_row *rows, size_t count);
/* The next stored event, in its own order; as kryos_reader_next. */
KRYOS_API int kryos_reader_next_event(struct kryos_reader *reader, const struct kryos_record **ret_record);

/* Rows left out so far because their checksum was wrong; a segment that is damaged as a whole counts as one. */
KRYOS_API int kryos_reader_get_damaged(struct kryos_reader *reader, uint64_t *ret_rows);
/* Segments left out so far because a newer version wrote them: nothing is wrong with them, it can read them. */
KRYOS_API int kryos_reader_get_newer(struct kryos_reader *reader, uint32_t *ret_segments);

/* What one queue owes, as stored; index from 0. -ENOENT: no more. Delivery since its last commit is not in it. */
KRYOS_API int kryos_reader_get_queue(struct kryos_reader *reader, unsigned int index,
                                     struct kryos_queue_status *ret_status);

/* What was signed when a segment was closed. It stays after retention removed the segment. */
struct kryos_reader_seal {
	uint32_t size;
	uint32_t kept;  /* 1: the segment is in the folder; 0: retention removed it */
	int64_t number; /* the segment's first seq: what its file is called by */
	int64_t last_seq, samples;
	int64_t last_wall_ns; /* of its newest sample, as good as last_trust says */
	enum kryos_trust last_trust;
	char hash[65];   /* of the chain at its end */
	char device[33]; /* who signed */
};
/* index from 0, the newest first. -ENOENT: no more. Fill size. */
KRYOS_API int kryos_reader_get_seal(struct kryos_reader *reader, unsigned int index,
                                    struct kryos_reader_seal *ret_seal);

struct kryos_reader_device {
	uint32_t size;
	uint32_t can_seal;    /* 1: it has a key; 0: nothing is signed, and fingerprint is "" */
	char device[33];      /* who writes this store: the first 32 digits of the fingerprint */
	char fingerprint[65]; /* SHA-256 of its public key's 32 bytes */
};
/* Of the newest segment that tells. -ENOENT: none does. Fill size. */
KRYOS_API int kryos_reader_get_device(struct kryos_reader *reader, struct kryos_reader_device *ret_device);

struct kryos_verify_result {
	uint32_t size;
	uint32_t segments, sealed; /* looked at; of them with a good signature */
	uint64_t samples;
	uint64_t bad_rows;  /* wrong row checksum */
	uint64_t bad_links; /* broken hash chain, inside or between segments, or of events */
	uint64_t bad_seals;
	char first_problem[256];          /* "" if all is well: file, what, seq, time */
	int64_t problem_seq;              /* of the row that it speaks of; 0: of none */
	int64_t problem_wall_ns;          /* that row's time as stored; 0: of none */
	uint64_t events, unsealed_events; /* looked at; of them behind the newest seal */
	uint32_t event_seals;             /* seals over events with a good signature */
	uint32_t anchors;                 /* of those asked for, found */
	uint32_t devices;                 /* whose keys the seals were checked with */
	uint32_t reserved;
	int64_t seal_number, events_number;  /* of the newest good seals of a segment and of events; 0: none */
	char seal_hash[65], events_hash[65]; /* ... */
	char fingerprint[65]; /* of the key they were checked with, the newest one where it is not given */
};
/* A seal as it was received elsewhere, on paper or upstream. */
struct kryos_anchor {
	int64_t number;   /* the segment's first seq; of a seal over events, their last */
	const char *hash; /* 64 lower-case hexadecimal digits */
};
struct kryos_verify_config {
	uint32_t size;
	uint32_t anchor_count;
	const struct kryos_anchor *anchors;
	const char *public_key; /* PEM; NULL: the one that is found in the record, which proves less */
};
#define KRYOS_VERIFY_CONFIG(...) KRYOS_CONFIG_OF(kryos_verify_config, __VA_ARGS__)

/*
 * Checks row checksums, hash chains and seals of samples and events of a store's folder, of one segment file, or of a
 * bundle (kryos/bundle.h), which is unpacked in $TMPDIR meanwhile. Fill size. 0: checked, see the counts; < 0: could
 * not look (-EACCES: not for this user, as above; KRYOS_EFORMAT: a newer version's). Reads everything: waits for the
 * disk.
 */
KRYOS_API int kryos_verify_with(struct kryos_ctx *ctx, const char *path, const struct kryos_verify_config *config,
                                struct kryos_verify_result *ret_result);
/* The same with no key and no anchors. */
KRYOS_API int kryos_verify(struct kryos_ctx *ctx, const char *path, struct kryos_verify_result *ret_result);

struct kryos_salvage_result {
	uint32_t size;
	uint32_t reserved;
	uint64_t samples;    /* written to the new file */
	uint64_t bytes;      /* looked at */
	uint64_t rejected;   /* shaped like rows, with a wrong checksum */
	uint64_t unreadable; /* pages that the disk gives an error for */
};
/*
 * Reads what is left of a damaged segment file, and of its -wal beside it, without trusting any of its structure, and
 * writes the rows whose checksum holds to a new segment file `out`, which any SQLite opens and kryos_verify checks row
 * by row. The damaged file is not changed. A store does this by itself; this is for a file from anywhere. Fill size.
 * -ENOENT, -EACCES: no such file, not for this user; -EEXIST: `out` is there already. Reads everything: waits for the
 * disk.
 */
KRYOS_API int kryos_salvage(struct kryos_ctx *ctx, const char *path, const char *out,
                            struct kryos_salvage_result *ret_result);

KRYOS_END
#endif
