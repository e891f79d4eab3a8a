/* SPDX-License-Identifier: Apache-2.0 */
/* One look at what the record proves: verify.c goes through the segments, then verify_state.c and
 * verify_told.c through state.db. */
#ifndef KRI_VERIFY_H
#define KRI_VERIFY_H

#include "private.h"

#define KRI_VERIFY_KEYS 32
#define KRI_NUMBERED (KRI_HASH_TEXT + 24) /* "number hash" */

/* A seal of a segment that was looked at, or one over events that a segment's header names. */
struct kri_noted_seal {
	int64_t number;
	char hash[KRI_HASH_TEXT];
	char file[32];
	bool sealed;  /* false: the segment has no good one */
	bool damaged; /* the segment is known to be, and counted as that */
	bool vouched; /* a later one, that is sealed or vouched for, names it as the one before */
	bool has_rows;
	int64_t previous; /* the number of the segment that it names as the one before */
};

/* What the header of a segment says of a boot. */
struct kri_noted_boot {
	struct kri_boot is;
	int64_t segment;
	bool running; /* it was begun in that boot */
	bool sealed;
};

struct kri_check {
	struct kryos_verify_result *result;
	const struct kryos_verify_config *config;
	const char *file;
	sqlite3 *db;
	struct kri_chain chain;
	uint32_t epoch_crc;
	uint64_t epoch;
	char device[33], previous[KRI_HASH_TEXT], events[KRI_NUMBERED];
	int64_t first_seq, previous_segment;
	/* Of the segment before: its hashes may be what this one names. */
	int64_t before;
	char before_last[KRI_HASH_TEXT];
	int64_t empty;        /* one without rows between the two, which may be named all the same */
	bool salvaged;        /* as its header says: neither chained nor sealed */
	bool counted;         /* ... which is counted already */
	bool part;            /* of a store: what is not here may be elsewhere */
	int64_t header_first; /* its first seq, as its header says */
	/* The newest one that is sealed, and its last row. */
	int64_t sealed_first, sealed_last;
	int64_t newest_row;
	int64_t names; /* rows of boots and channels that came with a commit */
	struct {
		char device[33], fingerprint[2 * KRI_SHA256_SIZE + 1];
		struct kri_key *key;
	} keys[KRI_VERIFY_KEYS];
	int key_count;
	char pinned[2 * KRI_SHA256_SIZE + 1]; /* fingerprint of the key that was given; "": none */
	char signer[2 * KRI_SHA256_SIZE + 1]; /* ... of the one that signed the bundle */
	struct kri_noted_seal *segments, *named;
	int segment_count, named_count;
	struct kri_noted_boot *boots; /* in order of segments */
	int boot_count, boots_before; /* before: those of other segments than the present one */
	bool *anchored;               /* which of the config's anchors were found */
};

/* The first one is kept, with the row and its time where seq is not 0. */
void kri_verify_problem(struct kri_check *check, int64_t seq, int64_t wall_ns, const char *format, ...)
	KRYOS_PRINTF(4, 5);
/*
 * The key of that device from PEM text, which must be its and, where one was given, that one. KRYOS_ECRC with a
 * sentence; -EOPNOTSUPP. PEM NULL: one seen before, -ENOENT.
 */
int kri_verify_key(struct kri_check *check, const char *device, const char *pem, struct kri_key **ret_key);
/* A good seal: does an anchor ask for it? */
void kri_verify_anchor(struct kri_check *check, int64_t number, const char *hash);
int kri_verify_note(struct kri_noted_seal **list, int *count, const struct kri_noted_seal *seal);
/* verify_segment.c: one file; folder NULL: not as one of a sequence. KRYOS_EFORMAT, -ENOENT, ... */
int kri_verify_one(struct kri_check *check, const char *path, int64_t first_seq, const char *folder);
KRYOS_PRINTF(5, 6)
void kri_verify_broken(struct kri_check *check, uint64_t *count, int64_t seq, int64_t wall_ns, const char *format, ...);
/* Each row that the statement gives is a problem, with its text in column 0, seq in 1 and time in 2. */
int kri_verify_each_row(struct kri_check *check, uint64_t *count, const char *sql);
/* verify_overlap.c: the segment begins among the rows of one that is sealed; of one that has no seal itself. */
int kri_verify_overlap(struct kri_check *check, const char *folder);
/* verify_state.c: events, their seals, what is said of segments, of the store in folder. name: its database. */
int kri_verify_state(struct kri_check *check, const char *folder, const char *name);
/* verify_told.c: what else check->db says, against events and headers. */
int kri_verify_told(struct kri_check *check);
/* verify_rows.c: that the rows which check->db, the file at path, knows of in that folder are there. */
int kri_verify_known_rows(struct kri_check *check, const char *folder, const char *path);
/* Of a segment that was not there when it was looked for: whether it may be away. */
bool kri_verify_may_be_away(struct kri_check *check, const char *path, int64_t number);
/* Of one that was looked at; NULL: it was not. */
const struct kri_noted_seal *kri_verify_find_segment(const struct kri_check *check, int64_t number);
/* What SQLite says of that file, without its path in front. */
const char *kri_verify_why(int r, const char *path);

#endif
