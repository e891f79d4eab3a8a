/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store, for src/store only: what can be known of a database whose SQL can't be trusted. Nothing here writes, nothing
 * believes a number that it has read, and what a row says counts only with its checksum. One thread at a time.
 */
#ifndef KRI_STORE_SALVAGE_H
#define KRI_STORE_SALVAGE_H

#include "private.h"

/* peek.c: reading the bytes of a database and of its WAL, also while SQLite has them open. */
enum kri_peek_kind { KRI_PEEK_DB, KRI_PEEK_WAL };
struct kri_peek {
	sqlite3_file *file;    /* NULL: not open */
	const uint8_t *memory; /* not a file */
	char *names;           /* as sqlite3_create_filename() makes them: SQLite's files keep a pointer to theirs */
	int64_t bytes;
};
/* -ENOENT: there is none. */
int kri_peek_open(struct kri_peek *peek, const char *db_path, enum kri_peek_kind kind);
/* The bytes themselves instead of a file, which must live as long; for tests and fuzzers. */
void kri_peek_memory(struct kri_peek *peek, const uint8_t *data, size_t size);
int kri_peek_read(struct kri_peek *peek, void *data, size_t size, int64_t offset); /* all of it, or an error */
void kri_peek_close(struct kri_peek *peek);                                        /* also one that is not open */

/* wal.c */
#define KRI_WAL_HEADER 32
#define KRI_WAL_FRAME_HEADER 24
struct kri_wal_scan {
	int64_t bytes;             /* of the file; 0: empty, or there is none */
	uint32_t page_size;        /* 0: nothing in it tells */
	int64_t frames;            /* whole ones in the file, of whatever age */
	int64_t frames_good;       /* from the start on, without a fault; what SQLite looks at */
	int64_t last_commit_frame; /* of the good ones, counted from 1; 0: none. What SQLite reads */
	int64_t frames_beyond;     /* written in the present round and lost to SQLite, for one before them is bad */
	/*
	 * broken: there are such frames, or the header is no header while frames are there. A plain torn end is not.
	 * in_last_transaction: nothing shows that a whole commit is among them. It may be damage in the last commit,
	 * which was durable, of more than a bit, or what a cut left of one that never was.
	 */
	bool broken, in_last_transaction;
	/*
	 * What follows the good frames is neither of this round nor of an older one, as zeros are: of a commit that a
	 * cut came into, or of one that was durable and is gone without a trace.
	 */
	bool void_end;
	char text[200]; /* one line for people */
};
/*
 * Looks at db_path's WAL, which must not be written meanwhile. SQLite takes a WAL up to the first frame that is bad and
 * says `ok`: this finds what it drops silently. To be asked before SQLite opens the database, which may begin the WAL
 * anew. -errno if it can't be read; no WAL is 0 and all zero.
 */
int kri_wal_scan(const char *db_path, struct kri_wal_scan *ret_scan);
int kri_wal_scan_peek(struct kri_peek *file, struct kri_wal_scan *ret_scan);

/* What was found, as callbacks; each may be NULL. A result below 0 ends the step that called with it. */
struct kri_salvage_origin {
	uint64_t epoch; /* whose checksum holds; 0 for rows without one */
	/*
	 * It is from a frame of the WAL that is not part of a commit that SQLite can read: it was durable if the WAL is
	 * broken, it may also be what a cut left of a commit that never was, and its seq may have been given again.
	 */
	bool doubtful;
};
struct kri_salvaged_channel {
	int64_t since;
	uint32_t channel;
	const char *name, *unit, *place;
};
struct kri_salvaged_boot {
	int64_t since;
	uint32_t boot;
	const char *boot_id;
};
struct kri_salvaged_seal {
	int64_t first_seq, last_seq;
	const char *hash, *signature; /* hex digits; the key decides */
};
struct kri_salvage_found {
	void *data;
	int (*on_sample)(void *data, const struct kri_row *row, const struct kri_salvage_origin *origin);
	int (*on_channel)(void *data, const struct kri_salvaged_channel *channel,
	                  const struct kri_salvage_origin *origin);
	int (*on_boot)(void *data, const struct kri_salvaged_boot *boot, const struct kri_salvage_origin *origin);
	/* Without a checksum in the file: as found. A key of the format's, and text. */
	int (*on_header)(void *data, const char *key, const char *value, const struct kri_salvage_origin *origin);
	int (*on_seal)(void *data, const struct kri_salvaged_seal *seal, const struct kri_salvage_origin *origin);
};
struct kri_salvage_counts {
	int64_t bytes;                                    /* looked at */
	int64_t samples, channels, boots, headers, seals; /* reported; one row may be, several times */
	int64_t rejected;   /* shaped like a row with a checksum, which fails; a damaged row, or no row at all */
	int64_t unreadable; /* pages that the disk gives an error for: left out */
};

/* salvage_row.c: what a record says. */
#define KRI_SALVAGE_EPOCHS 16
#define KRI_SALVAGE_PAYLOAD 135168 /* the longest row that is put together: what a room above keeps, as digits */
#define KRI_SALVAGE_COLUMNS 12
struct kri_salvage_sift {
	struct kri_salvage_found found;
	uint64_t epochs[KRI_SALVAGE_EPOCHS]; /* candidates: whose rows may be here */
	uint32_t epoch_crcs[KRI_SALVAGE_EPOCHS];
	int epoch_count, last_epoch;
	bool missed; /* a row was rejected before the newest candidate was known */
	bool again;  /* ... and it might be good under that */
	bool doubtful;
	struct kri_salvage_counts counts;
	uint8_t *payload; /* room for KRI_SALVAGE_PAYLOAD, a NUL, and a page */
	/*
	 * Reads page into ret_page, page_size bytes: where it is found choice places further (0: the best). False:
	 * there is no such place. NULL: rows that go on on other pages are left out.
	 */
	bool (*fetch)(void *data, uint32_t page, unsigned int choice, uint8_t *ret_page);
	void *fetch_data;
};
int kri_salvage_sift_init(struct kri_salvage_sift *sift, const struct kri_salvage_found *found);
void kri_salvage_sift_free(struct kri_salvage_sift *sift);
void kri_salvage_add_epoch(struct kri_salvage_sift *sift, uint64_t epoch); /* at most KRI_SALVAGE_EPOCHS */
struct kri_salvage_cell {
	bool table; /* of a table with rowids */
	uint64_t rowid, size;
	const uint8_t *payload;
	size_t header, local; /* the columns begin at header; local bytes of size are here */
	uint32_t types[KRI_SALVAGE_COLUMNS];
	int columns;
};
uint32_t kri_salvage_type_size(uint32_t type);
bool kri_salvage_is_row(const struct kri_salvage_cell *cell);
bool kri_salvage_is_key(const uint8_t *key, size_t have, size_t length);
/* Reports what kri_salvage_is_row takes for a row, whole in memory: 1; 0: it is none; below 0: a callback's result. */
int kri_salvage_row(struct kri_salvage_sift *sift, const struct kri_salvage_cell *cell);

/* salvage_page.c: rows in a piece of memory. */
/*
 * Looks for rows in size bytes, at every offset, whatever the page's own header says of them. page_size decides when a
 * row is so long that it goes on elsewhere (512 to 65536). 0 or what a callback gave.
 */
int kri_salvage_page(struct kri_salvage_sift *sift, const uint8_t *bytes, size_t size, size_t page_size);

/* salvage.c: all of a database file and its WAL, in slices. */
struct kri_salvage;
/*
 * candidates: epochs whose rows may be here; what header rows name is added. Rows come in this order: commits in the
 * WAL, the database, the rest of the WAL. So where a (epoch, seq) comes twice with different content, which only one of
 * doubtful origin can cause, the first is right. -ENOENT: neither file is there.
 */
int kri_salvage_begin(struct kri_salvage **ret_salvage, const char *db_path, const uint64_t *candidates, size_t count,
                      const struct kri_salvage_found *found);
/* Looks at about max_bytes (at least 64 KiB) more; 1: there is more, 0: that was all. A page that can't be read is no
 * error. */
int kri_salvage_step(struct kri_salvage *salvage, size_t max_bytes);
const struct kri_salvage_counts *kri_salvage_get_counts(const struct kri_salvage *salvage);
void kri_salvage_free(struct kri_salvage *salvage); /* NULL is allowed */

/*
 * tail.c, at open, before anything is written: what can be read behind the last commit of a log that is broken in its
 * last transaction becomes a commit; what can't is noted. On failure the segment is not to be written to.
 */
int kri_store_take_tail(struct kryos_store *store, struct kri_segment *segment, const struct kri_wal_scan *scan);
/* Of a segment without rows: a log of nothing but zeros may have had some. */
int kri_store_note_wiped(struct kryos_store *store, int64_t first, int64_t last, const struct kri_wal_scan *scan);
/* Announces the gaps that are noted, by this open or one that a cut ended, and passes over their seqs. */
int kri_store_say_unread(struct kryos_store *store, int64_t *newest_seq);

/* mend.c: what is found, written as a segment of its own. */
struct kri_mend {
	int64_t first_seq, end_seq; /* seqs from first to before end are its */
	char out[4096];
	struct kri_salvage *salvage;
	sqlite3 *db;
	sqlite3_stmt *insert_sample, *insert_channel, *insert_boot, *insert_header;
	uint64_t epoch; /* 0: nothing found yet */
	uint32_t epoch_crc;
	char device[33]; /* as its header says, which has no checksum */
	int64_t samples;
	bool done; /* all was looked at */
};
/* Of path, into out (NULL: <path>.salvaged). 1, or an error. */
int kri_mend_begin(struct kri_mend **ret_mend, const char *path, const char *out, int64_t first_seq, int64_t end_seq,
                   const uint64_t *epochs, size_t count);
int kri_mend_step(struct kri_mend *mend, size_t max_bytes); /* 1: there is more; 0: done */
int kri_mend_add_channel(struct kri_mend *mend, const struct kri_salvaged_channel *channel);
/* A value of a channel that nobody names any more is nobody's: takes such rows out again. */
int kri_mend_drop_nameless(struct kri_mend *mend);
int kri_mend_finish(struct kri_mend *mend); /* durable, and closed for good */
void kri_mend_free(struct kri_mend *mend);  /* NULL is allowed */

#endif
