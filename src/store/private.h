/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store, for src/store only. Who may touch what:
 *
 *   writer thread   the open segment, state.db, rotation, sealing, retention
 *   store->lock     what callers hand to the writer, the list of segments, status
 *   queue->lock     one queue's delivery state and its scan; taken before store->lock, never after
 *
 * Nothing holds a lock while it waits for the disk, but queue->lock is held while that queue reads rows.
 */
#ifndef KRI_STORE_PRIVATE_H
#define KRI_STORE_PRIVATE_H

#include "../clock/clock.h"
#include "../digest/digest.h"
#include "store.h"
#include <sqlite3.h>

#define KRI_STORE_FORMAT 1
#define KRI_APPLICATION_ID 0x4b52594f /* "KRYO", for file(1) */
#define KRI_WAL_LIMIT_FRAMES 970      /* of 536 bytes: 512 KiB */
#define KRI_MAX_WAITING 4096          /* samples handed over and not yet durable */
#define KRI_MAX_EVENTS_WAITING 256
#define KRI_MAX_GAPS_WAITING 2048
#define KRI_MAX_SEQ (INT64_C(1) << 53) /* exact as a JSON number; no store gets so far: a greater one is damage */
#define KRI_SCAN_ROWS 64
#define KRI_SCAN_MANY 8192 /* for who reads everything: 0.7 MB */
#define KRI_EVENT_ROWS 8
#define KRI_MAX_RUNS 1000
#define KRI_MAX_DEAD 1000
#define KRI_KEPT_AUDIT_SEALS 1000
#define KRI_KEPT_ROWS 10000 /* of gaps, and of seals whose segment is gone: years, where one goes a day */
#define KRI_HASH_TEXT (2 * KRI_SHA256_SIZE + 1)
#define KRI_LINE_MAX 1536

/* vfs.c: counts syncs of the calling thread by cause, below SQLite, where they happen. */
enum kri_sync_cause { KRI_SYNC_COMMIT, KRI_SYNC_CHECKPOINT, KRI_SYNC_STATE, KRI_SYNC_ROTATION, KRI_SYNC_CAUSES };
struct kri_sync_counts {
	enum kri_sync_cause cause;
	uint64_t count[KRI_SYNC_CAUSES];
};
const char *kri_vfs_name(void);                     /* registers it when first asked */
void kri_vfs_count(struct kri_sync_counts *counts); /* for this thread; NULL: stop */

/* sql.c */
int kri_sql_open(sqlite3 **ret_db, const char *path, int flags);
/*
 * A reader of another user leaves a -shm file that we may not write, where it found none; it would make the database
 * read-only to us. What is in it is made anew from the WAL. For the one who writes.
 */
void kri_sql_free_shm(const char *path);
/* For looking only; read-write where allowed, because a WAL's index may have to be rebuilt. */
int kri_sql_open_to_read(sqlite3 **ret_db, const char *path);
/*
 * KRYOS_ECORRUPT where SQLite refuses to write for the sake of byte 18 of the header (fileformat2, 1.3.3), which must
 * have been read, although the file may be written.
 */
int kri_sql_check_writable(sqlite3 *db, const char *path);
/* Reads every page: KRYOS_ECORRUPT where one is malformed, -EIO. Some 100 MB in a second from memory. */
int kri_sql_check_pages(sqlite3 *db, const char *path);
/* KRYOS_ECORRUPT where the tables were not made by these CREATE statements, each ended by ";". */
int kri_sql_check_tables(sqlite3 *db, const char *path, const char *tables);
/*
 * Writes all of the WAL into the database, synced, and empties it: frames of a commit that a cut tore must not lie
 * there when later damage makes the log's end worth reading. -EBUSY: somebody reads.
 */
int kri_sql_settle(sqlite3 *db);
int kri_sql_exec(sqlite3 *db, const char *sql);
int kri_sql_prepare(sqlite3 *db, sqlite3_stmt **ret_statement, const char *sql);
/* Steps to the end, resets and unbinds: for statements without rows. */
int kri_sql_run(sqlite3_stmt *statement);
/* The first column of the first row; -ENOENT: no row. */
int kri_sql_int(sqlite3 *db, const char *sql, int64_t *ret_value);
int kri_sql_fail(sqlite3 *db, int code);
int kri_sql_bind_text(sqlite3_stmt *statement, int index, const char *text);
const char *kri_sql_text(sqlite3_stmt *statement, int column); /* "" for NULL */

/* row.c: the canonical form, which the row's checksum and the chain are over (docs/store-format.md). */
struct kri_row {
	int64_t seq, t_boot_ns, t_wall_ns, value_micro;
	uint32_t channel, boot, round; /* channel: the segment's own number */
	uint32_t alarm;
	uint16_t trust, quality;
	uint32_t crc;
};
size_t kri_row_text(const struct kri_row *row, char *text);                            /* without checksum, newline */
size_t kri_text_end(char *text, size_t length, uint32_t epoch_crc, uint32_t *ret_crc); /* appends "|crc\n" */
uint32_t kri_epoch_crc(uint64_t epoch);
uint32_t kri_text_crc(uint32_t epoch_crc, const char *text, size_t length);
void kri_epoch_text(uint64_t epoch, char text[17]);

/* chain.c: SHA-256 over the previous hash and a commit's lines. Does nothing without libcrypto. */
struct kri_chain {
	struct kri_sha256 *sha; /* NULL: no libcrypto */
	uint8_t hash[KRI_SHA256_SIZE];
};
int kri_chain_new(struct kri_chain *chain);
void kri_chain_free(struct kri_chain *chain);
int kri_chain_begin(struct kri_chain *chain, bool first);
int kri_chain_add(struct kri_chain *chain, const char *text, size_t length);
int kri_chain_end(struct kri_chain *chain);
void kri_chain_text(const struct kri_chain *chain, char text[KRI_HASH_TEXT]);

/* A segment as the store knows it without opening it. */
struct kri_segment_info {
	int64_t first_seq, last_seq; /* last_seq < first_seq: empty */
	int64_t last_wall_ns;
	int64_t bytes;
	int64_t samples; /* rows: seqs between may be events */
	uint16_t last_trust;
	int64_t seal_at_ns; /* not sealed before this (real time): somebody read it, or the disk failed */
	bool closed;        /* no WAL any more: complete, read-only */
	bool recorded;      /* state.db has it as closed */
	bool bad;           /* damaged: not to be read */
	bool mended;        /* what was left of it is in <name>.salvaged, and is read there */
	bool assumed;       /* last_seq is no more than what it cannot be beyond */
	bool whole;         /* its chain was checked in this run: a seq without a row is none of a sample */
	bool left_out;      /* a newer version's, or the disk gives errors: it stays owed, and is not ours to remove */
	char hash[KRI_HASH_TEXT];
};

/* segment.c: the one that is written. Writer thread only. */
struct kri_segment {
	char *path;
	sqlite3 *db;
	sqlite3_stmt *insert, *insert_channel, *insert_boot, *begin, *commit;
	struct kri_chain chain;
	int64_t first_seq, last_seq, opened_boot_ns, age_ns, db_bytes;
	int64_t last_wall_ns;
	uint32_t last_round;
	uint16_t last_trust;
	uint64_t epoch;
	uint32_t epoch_crc, boot;
	char device[33];
	int wal_frames;
	int held_frames;    /* a checkpoint could not finish at so many: no use to ask again before there are more */
	bool sealed;        /* has its seal, so nothing may be added */
	bool in_wal;        /* as it was found */
	bool unreadable;    /* its channels could not be read for state.db */
	bool ring;          /* begun for what had waited in RAM, in an epoch that only this process knows all ids of */
	uint32_t *channels; /* the context's number -> this segment's, 0: not yet */
	uint32_t channel_slots, channel_count;
};
struct kri_header_entry {
	const char *key, *value;
};
int kri_segment_create(struct kri_segment **ret_segment, const char *path, int64_t first_seq, uint64_t epoch,
                       const char *device, const struct kri_header_entry *entries, size_t count);
/* Opens one to add to or to seal it. What is in DELETE mode stays so: it is closed but for its entry in state.db. */
int kri_segment_open(struct kri_segment **ret_segment, const char *path, int64_t first_seq, struct kryos_ctx *ctx);
/* 0: ours; KRYOS_EFORMAT: newer; -ENOENT: a cut came before it was begun; KRYOS_ECORRUPT. */
int kri_segment_check_format(sqlite3 *db, const char *path);
/* The tables of a segment in a new database. */
int kri_segment_make_tables(sqlite3 *db, const char *mode);
void kri_segment_close(struct kri_segment *segment); /* NULL is allowed; leaves the WAL as it is */
struct kri_commit {
	struct kryos_ctx *ctx;
	const char *(*place_of)(void *data, uint32_t channel);
	void *data;
	const char *boot_id;
};
/* One durable commit: samples already have seq and boot. On failure the outcome is unknown: abandon the segment. */
int kri_segment_begin(struct kri_segment *segment);
/* The context's channel has that number in it. */
int kri_segment_map_channel(struct kri_segment *segment, uint32_t channel, uint32_t own);
/* Writes the boot and channel that a sample needs, where new; for all samples of a commit, before the first is added.
 */
int kri_segment_declare(struct kri_segment *segment, const struct kri_commit *commit,
                        const struct kryos_sample *sample);
int kri_segment_add(struct kri_segment *segment, const struct kryos_sample *sample, bool last);
int kri_segment_commit(struct kri_segment *segment);
void kri_segment_rollback(struct kri_segment *segment);
int64_t kri_segment_bytes(const struct kri_segment *segment);
int kri_segment_checkpoint(struct kri_segment *segment);
/* Writes the seal (key may be NULL: closed unsealed), leaves WAL mode, closes; -EBUSY: somebody reads, try again later.
 */
int kri_segment_seal(struct kri_segment *segment, struct kri_key *key, char ret_hash[KRI_HASH_TEXT],
                     char ret_signature[2 * KRI_SIGNATURE_SIZE + 1]);
size_t kri_seal_text(char text[256], const char *device, uint64_t epoch, int64_t first, int64_t last, const char *hash);

/* boots.c */
struct kri_boot {
	uint32_t boot;
	uint16_t trust;    /* of offset_ns; below RTC: there is none, or no record needed it */
	int64_t offset_ns; /* wall time less t_boot_ns */
	int64_t device_ns; /* device time less t_boot_ns */
	int64_t before_ns; /* wall time of the last record before it, to be counted yet; 0: counted, or never known */
};
struct kri_boots {
	struct kri_boot *list; /* by number */
	int count;
};
struct kri_boot *kri_boots_find(const struct kri_boots *boots, uint32_t number); /* NULL: not known */
int kri_boots_put(struct kri_boots *boots, const struct kri_boot *boot);
void kri_boots_forget(struct kri_boots *boots, uint32_t before);
void kri_boots_clear(struct kri_boots *boots);
/* From state.db; ret_same (NULL: not wanted): the newest one's number if it is the boot of that id, else 0. */
int kri_boots_read(struct kri_boots *boots, sqlite3 *db, const char *boot_id, uint32_t *ret_same);
struct kri_last_record {
	uint32_t boot;
	uint16_t trust;
	int64_t t_boot_ns, t_wall_ns;
};
/* The boot of that number, which comes after the previous one and its last record. */
struct kri_boot kri_boot_after(const struct kri_boot *previous, const struct kri_last_record *last, uint32_t number);
/* Wall time became known: the time the device was off counts. Whether that changed anything. */
bool kri_boot_count_gap(struct kri_boot *boot, int64_t offset_ns);
/* Sets a record's device time and corrects its stamp if it could not be trusted. */
void kri_boot_apply(const struct kri_boot *boot, struct kryos_record *record);
/* As in a segment's header. */
size_t kri_boot_text(const struct kri_boot *boot, char *text, size_t size);
/* number: as in the key of a segment's header; text: what kri_boot_text() wrote. False: they are something else. */
bool kri_boot_parse(struct kri_boot *boot, const char *number, const char *text);
/* Of numbers that come from a file and may be anything: a difference that does not fit is the greatest that does. */
int64_t kri_ns_subtract(int64_t a, int64_t b);

/* scan.c: reads rows of one segment after another. One thread at a time. */
struct kri_place_names {
	char name[64], unit[16], place[32];
	uint32_t channel; /* the context's number */
};
struct kri_scan {
	struct kryos_ctx *ctx;
	const char *folder;
	bool (*boot_of)(void *data, uint32_t number, struct kri_boot *ret_boot);
	void *boot_data;
	sqlite3 *db; /* kept open on closed segments only */
	sqlite3_stmt *rows;
	int64_t segment; /* whose header and channels these are: first seq */
	bool mended;     /* it is what was salvaged of it */
	uint64_t epoch;
	uint32_t epoch_crc;
	char device[33];
	struct kri_place_names *channels;
	uint32_t channel_count;
	struct kri_row *buffer; /* few, or what kri_scan_widen made */
	bool *bad;
	int room, count, at;
	struct kri_row few[KRI_SCAN_ROWS];
	bool few_bad[KRI_SCAN_ROWS];
};
void kri_scan_init(struct kri_scan *scan, struct kryos_ctx *ctx, const char *folder);
void kri_scan_end(struct kri_scan *scan);
/* From the next fill on KRI_SCAN_MANY rows come at once; what is in the buffer is forgotten. -ENOMEM. */
int kri_scan_widen(struct kri_scan *scan);
/* Fills the buffer with rows of that segment from seq on; 0: none. KRYOS_ECORRUPT. */
int kri_scan_fill(struct kri_scan *scan, const struct kri_segment_info *segment, int64_t from_seq, int64_t to_seq);
/* The record of a buffered row. */
void kri_scan_record(struct kri_scan *scan, int index, struct kryos_record *ret_record);
void kri_scan_row(struct kri_scan *scan, int index, struct kryos_row *ret_row);

/* reader.c */
/* reader_seals.c: PEM, of the newest segment that tells; "": it has none. -ENOENT: none tells. */
int kri_reader_public_key(struct kryos_reader *reader, char *pem, size_t size);
const char *kri_reader_get_folder(const struct kryos_reader *reader);

/* state.c: state.db. Writer thread only, but for open. */
struct kri_state {
	sqlite3 *db;
	sqlite3_stmt *insert_event, *put_queue, *insert_dead, *insert_gap, *put_boot, *put_seal, *put_meta;
	struct kri_chain chain;
	uint32_t epoch_crc;
	int wal_frames, held_frames; /* as a segment's */
	bool created;
	bool unmended;    /* what was lost of it is still to be made again from segments: no commit says so yet */
	bool aside;       /* all of it: another was set aside */
	bool torn;        /* no more than a cut may take: the end of its log */
	bool unread;      /* gaps are noted that no commit has yet (tail.c) */
	int64_t bad_rows; /* with a wrong checksum, taken out when it was opened */
	bool unsealed;    /* events came since the last seal over their chain */
};
/* first: there is no segment either, so what it does not have was not lost; aside: another was set aside as bad. */
int kri_state_open(struct kri_state **ret_state, const char *folder, bool first, bool aside);
#define KRI_STATE_MENDED "DELETE FROM meta WHERE key IN ('unmended', 'unread')"
void kri_state_close(struct kri_state *state);
/* That its tables are ours and no others; part: as a bundle has them. KRYOS_ECORRUPT. */
int kri_state_check_tables(sqlite3 *db, const char *path, bool part);
int kri_state_get_meta(struct kri_state *state, const char *key, char *value, size_t size);
int kri_state_put_meta(struct kri_state *state, const char *key, const char *value);
/* Before what tells of it is written over: "lost" or "torn". Until the first commit of what was made again. */
int kri_state_note_unmended(struct kri_state *state, const char *how);
struct kri_stored_event {
	struct kri_stored_event *next;
	int64_t seq, t_boot_ns, t_wall_ns, first_seq, last_seq, value_ns;
	uint32_t boot;
	uint16_t trust;
	enum kryos_event_type type;
	int code;
	bool volatile_row; /* waits, and a commit of it failed: queues that ask for it have it from memory */
	char removes[32];  /* stored together with the removal of that queue; "": of none */
	char name[64];
	char text[1001];
};
int kri_state_put_event(struct kri_state *state, const struct kri_stored_event *event, uint64_t epoch);
int kri_state_put_boot(struct kri_state *state, const struct kri_boot *boot, const char *boot_id);
int kri_state_put_gap(struct kri_state *state, int64_t first_seq, int64_t last_seq, const char *reason);
struct kri_seal {
	int64_t first_seq, last_seq, bytes, last_wall_ns, samples;
	uint64_t epoch;
	const char *device, *hash, *signature;
	uint16_t last_trust;
};
int kri_state_drop_queue(struct kri_state *state, const char *name); /* with its dead letters */
int kri_state_put_seal(struct kri_state *state, const struct kri_seal *seal);
/* Its segment is to be removed; removed: kri_audit_sign_removal's. */
int kri_state_drop_seal(struct kri_state *state, int64_t first_seq, const char *removed);
/* The newest that anything in it speaks of: so many seqs were given once, whatever is left of them. */
int kri_state_newest_seq(struct kri_state *state, int64_t *ret_seq);
int kri_state_count_events(struct kri_state *state, int64_t first, int64_t last, int64_t *ret_count);
/*
 * A segment's channels above that number, inside an open transaction: salvage needs their names. If it was the segment
 * that failed it is marked unreadable.
 */
int kri_state_put_channels(struct kri_state *state, struct kri_segment *segment, uint32_t after);
/* They are put there once rows of it are durable. */
bool kri_state_has_channels(struct kri_state *state, int64_t segment);
size_t kri_event_text(const struct kri_stored_event *event, uint64_t epoch, char text[KRI_LINE_MAX + 1024]);
int kri_state_checkpoint(struct kri_state *state);
/* As a record that points to stored and to ret_event. */
void kri_state_event_record(const struct kri_stored_event *stored, uint64_t epoch, const char *device,
                            struct kryos_event *ret_event, struct kryos_record *ret_record);
#define KRI_SELECT_EVENTS                                                                                              \
	"SELECT seq, epoch, boot, t_boot_ns, t_wall_ns, trust, type, code, first_seq, last_seq, value_ns, name, text," \
	" crc FROM event"
void kri_state_take_event(sqlite3_stmt *row, struct kri_stored_event *event, uint64_t *ret_epoch, bool *ret_bad);
/* state_rescue.c, at open: state.db becomes state.db.<suffix>, with its log; an older one of that name goes. */
int kri_state_set_aside(const char *folder, const char *suffix);
/* Takes over what can be read from one set aside of events, and of what rooms above keep. */
int kri_state_rescue(struct kri_state *state, const char *folder, const char *suffix, int64_t *ret_rescued);
/* Reads events from seq on through a connection of its own. */
int kri_state_read_events(const char *folder, int64_t from_seq, struct kri_stored_event *events, int count,
                          uint64_t *ret_epochs, bool *ret_bad);

/* ranges.c: sorted, disjoint runs of seqs; last INT64_MAX: without end. */
struct kri_run {
	int64_t first, last;
};
struct kri_ranges {
	struct kri_run *runs;
	int count, capacity;
};
int kri_ranges_add(struct kri_ranges *ranges, int64_t first, int64_t last);
int kri_ranges_remove(struct kri_ranges *ranges, int64_t first, int64_t last);
bool kri_ranges_has(const struct kri_ranges *ranges, int64_t seq);
/* The first owed seq >= from and the end of its run; false: none. */
bool kri_ranges_next(const struct kri_ranges *ranges, int64_t from, struct kri_run *ret_run);
int64_t kri_ranges_count(const struct kri_ranges *ranges, int64_t up_to);
/* How many seqs are in one, up to a_to, or in the other, up to b_to. */
int64_t kri_ranges_count_either(const struct kri_ranges *a, int64_t a_to, const struct kri_ranges *b, int64_t b_to);
void kri_ranges_clear(struct kri_ranges *ranges);
char *kri_ranges_text(const struct kri_ranges *ranges); /* "5-9,12-"; free() it */
int kri_ranges_parse(struct kri_ranges *ranges, const char *text);
/* What a queue that is not open owes, as state.db has it. What can't be read owes everything, as its open has it. */
int kri_ranges_parse_owed(struct kri_ranges *samples, struct kri_ranges *events, const char *samples_text,
                          const char *events_text);

/* files.c */
int kri_lock_folder(const char *folder, int *ret_fd);
int kri_list_segments(const char *folder, struct kri_segment_info **ret_list, int *ret_count);
void kri_segment_path(const char *folder, int64_t first_seq, char path[], size_t size);
/* Where its rows are read: its file, or what was salvaged of it. */
void kri_segment_read_path(const char *folder, const struct kri_segment_info *info, char path[], size_t size);
int kri_remove_db(const char *path); /* file, -wal, -shm, synced, below SQLite's own VFS */
int64_t kri_file_bytes(const char *path);
int64_t kri_db_bytes(const char *path);              /* with -wal */
int64_t kri_segment_bytes_on_disk(const char *path); /* with what was salvaged of it */
int kri_sync_folder(const char *folder);
int64_t kri_free_bytes(const char *folder);

/* identity.c */
int kri_board_name(const char *given, char board[128]);
/* At open, once state.db is: device id and key. */
int kri_store_identify(struct kryos_store *store, bool *ret_new_device);

/* room.c: what is free on the store's file system, and what is done about it. Writer thread, but for refused. */
struct kri_room {
	void (*ask)(void *data, const char *folder, int64_t *ret_free,
	            int64_t *ret_total); /* a test's own; store->lock */
	void *data;
	bool tight;            /* less than the soft limit was free when last asked */
	bool trouble;          /* announced, and not over */
	int64_t unused;        /* when last asked */
	int tries;             /* groups in a row that found no space */
	int unhelpful;         /* segments in a row that went undelivered and for nothing */
	int64_t reserve_at_ns; /* not made again before */
	uint64_t waited;       /* samples, since the trouble began */
	uint64_t refused;      /* the same; store->lock */
};

/* What callers hand to the writer. */
struct kri_batch {
	struct kri_batch *next;
	struct kryos_sample *samples;
	size_t count;
	uint64_t number;     /* in order of handing over */
	int64_t t_boot_ns;   /* when it was handed over: the stamp of samples that have none */
	int64_t first_seq;   /* the writer's: of samples[0]; final once it is in the ring */
	bool waiting_caller; /* samples are the caller's own; else they follow the struct */
	bool volatile_rows;  /* in the ring: stamped, with ids, and nothing of it changes any more */
	bool finished;
	int result;
	void (*done)(void *data, int result);
	void *data;
};

/* Samples are written to a segment, all else to state.db; one can fail without the other. */
enum kri_health { KRI_HEALTH_SAMPLES, KRI_HEALTH_STATE, KRI_HEALTH_PARTS };

#define KRI_MAX_QUEUES 64

struct kryos_store {
	struct kri_object object;
	struct kryos_ctx *ctx;
	char *folder;
	struct kryos_store_config config;
	int64_t limit_bytes;
	_Atomic int64_t retry_ns; /* how long a failed write waits for its next try */
	_Atomic int64_t keep_ns;  /* how long what is kept may wait for a commit that is due anyway */
	_Atomic int64_t quiet_ns; /* how long nothing must come before idle work is done */
	int lock_fd;
	atomic_int refs; /* the handle, the writer, each queue */

	/* Fixed after open. */
	char device[33];
	char board[128];
	char boot_id[37];
	uint32_t boot;
	uint64_t event_epoch; /* of this run's events */
	bool state_damaged;   /* what state.db told was lost, or some of it: no queue is a new one */
	struct kri_key *key;  /* NULL: no libcrypto */
	char *public_pem;

	/* Writer thread only. */
	struct kri_segment *segment; /* NULL: the next commit makes one */
	struct kri_state *state;
	struct kri_sync_counts syncs;
	uint64_t epoch;
	int64_t next_seq;
	int64_t claim_seq;      /* from here to next_seq the outcome of commits is unknown; 0: none */
	int64_t claimed_before; /* where such seqs of a run before begin that no sample was accepted behind; 0: none */
	int64_t samples_at_ns, state_at_ns, rotate_at_ns; /* after a failure: no other try before (real time) */
	int64_t wait_ns;                                  /* how long the last of them waits */
	int64_t last_retention_ns;                        /* INT64_MAX: it is due */
	int64_t giving_up, given_up; /* segments to go: once the gaps are committed; now that they are. 0: none */
	int64_t trimming;            /* events before it are to go: their gaps are announced; 0: none */
	int64_t audit_seq;           /* events up to it are sealed, or another device's; 0: none */
	int64_t audit_at_ns;         /* when they are sealed at the latest (CLOCK_BOOTTIME) */
	bool untidy;
	int last_group_callers;
	struct kri_kept *kept_taken;   /* from here on, those of the commit under way */
	struct kri_mend *mend;         /* salvage under way */
	int64_t session_seq;           /* from here on this run wrote all there is; fixed after open */
	int64_t known_seq;             /* at open: the newest that state.db and the segments speak of */
	int64_t noted_segment;         /* whose channels state.db has too, */
	uint32_t noted_channels;       /* so many of them */
	int64_t note_at_ns;            /* when the others are to be noted (real time); 0: none are */
	char last_hash[KRI_HASH_TEXT]; /* of the segment before this one */
	int64_t last_segment;

	pthread_mutex_t naming; /* a queue is being opened or removed; taken before all others */
	pthread_mutex_t lock;
	pthread_cond_t changed;  /* work for the writer */
	pthread_cond_t finished; /* of batches, commits of delivery state, the writer itself */
	struct kri_batch *batches, **batches_tail;
	struct kri_batch *committing; /* the group the writer is at */
	size_t waiting_samples;       /* in all three lists */
	uint64_t attempts;            /* groups that came to an end, one way or the other */
	/* The ring (ring.c); only the writer changes it. */
	struct kri_batch *ring, **ring_tail;
	size_t ring_samples;  /* also while the writer is at them */
	int64_t ring_floor;   /* no seq from here on is on the disk as a sample */
	int64_t ring_claim;   /* those from here on to the floor are nobody's, and if some were refused */
	int64_t ring_refused; /* meanwhile, what is not on the disk up to the last of these */
	bool ringing;         /* store->epoch is the ring's; until all of it is written */
	bool epoch_changed;   /* state.db does not know it yet */
	struct kri_run ring_gap;
	size_t ring_dropped;
	struct kri_room room;
	uint64_t handed_over;
	struct kri_stored_event *events, **events_tail; /* that wait for state.db; only the writer takes any away */
	int events_waiting;
	struct kri_configured *configured;             /* configured.c */
	struct kri_kept *kept;                         /* kept.c */
	struct kri_batch *delivered, **delivered_tail; /* finished ones with done, for the context thread */
	struct kri_note note;
	struct kri_segment_info *segments;
	int segment_count;
	struct kryos_queue *queues;
	bool queue_touched; /* since the writer last asked queues when they want their state committed */
	struct kryos_store_status status;
	int64_t state_bytes; /* of state.db and its log, when last looked at */
	struct {
		int error;
		char text[160];
	} health[KRI_HEALTH_PARTS];
	int64_t durable_seq; /* newest sample or event that queues may see */
	int64_t stored_event_seq;
	uint32_t first_boot; /* of the oldest sample; 0: not known */
	uint32_t last_round;
	int64_t last_wall_ns;
	uint16_t last_trust;    /* of that, at open */
	struct kri_boots boots; /* this one's always */
	bool boot_changed;      /* this one's, to be stored */
	bool untrusted_in_boot;
	uint16_t offset_trust; /* the best that the clock said of this boot's offset; below RTC: nothing yet */
	int64_t offset_ns;
	char **places; /* by the context's channel number */
	uint32_t place_count;
	uint64_t commit_wanted, commit_done; /* numbered requests to commit delivery state */
	int64_t damaged_segment;             /* a queue found it unreadable: first seq, 0: none */
	bool writer_started, writer_ended, stopping, full;
	enum kri_rest { KRI_AWAKE, KRI_LISTENS, KRI_RESTS } rest; /* the writer waits: before idle work, or after it */
	bool detached; /* closed, though the writer may still hang: nobody is to be told anything */
	struct kri_clock_listener listener;
	bool listening;
	bool clock_told; /* context thread: what the clock said last */
	uint16_t clock_trust;
	int64_t clock_offset_ns;
};

/*
 * ring.c; writer thread, store->lock held. A group that could not be written: what is kept of it stays in RAM and gets
 * its ids now; each caller that waits for it is told.
 */
void kri_ring_take(struct kryos_store *store, struct kri_batch *group, const struct kryos_time *now, int why);
/* What was handed over since joins the ring, without a try. store->lock is let go meanwhile. */
void kri_ring_absorb(struct kryos_store *store);
void kri_ring_drop(struct kryos_store *store); /* at the end */
/* All of it is written. Announces what did not fit; store->lock not held. */
void kri_ring_end(struct kryos_store *store);
/* If there was any. Where there is no place for the gap it is kept for the next time. */
void kri_ring_announce_gap(struct kryos_store *store);
/* The first row of the ring from that seq on, as a record; any thread, takes store->lock. */
bool kri_ring_next(struct kryos_store *store, int64_t from_seq, struct kryos_record *ret_record);
/* room.c; store->lock not held. Before a commit: what makes room while writes still succeed. */
void kri_room_check(struct kryos_store *store);
/* Asks again whether the file system is nearly full. */
bool kri_room_is_tight(struct kryos_store *store);
/* Removes the reserve; whether there was one. */
bool kri_room_free_reserve(struct kryos_store *store);
/* Makes it where there is room for it; true: did something. In idle time. */
bool kri_room_keep_reserve(struct kryos_store *store);
/* A commit found no space: removes something, if that is allowed now. Whether it did. */
bool kri_room_make(struct kryos_store *store);
/* Whether removing what is still owed has not yet proved to be of no use. */
bool kri_room_may_help(const struct kryos_store *store);
/* A segment has gone; owed: with what was not delivered. */
void kri_room_removed(struct kryos_store *store, bool owed);
/* How a group of samples went in the end. */
void kri_room_note_samples(struct kryos_store *store, int result);
/* A write found no space: announced, if that is news. */
void kri_room_found_none(struct kryos_store *store);
/* Announces the end of the trouble when it is over. */
void kri_room_update(struct kryos_store *store);
/* A sample as it will be stored. */
void kri_batch_stamp(const struct kryos_store *store, const struct kri_batch *batch, size_t index,
                     const struct kryos_time *now, struct kryos_sample *ret_sample);
/* Tells who asked for it, on the context thread. The batch is not for the writer any more. store->lock held. */
void kri_batch_deliver(struct kryos_store *store, struct kri_batch *batch, int result);
/* accept.c: the note that tells the context thread of finished batches. */
void kri_store_deliver(struct kri_note *note);
/* writer.c: groups of samples, events and delivery state, idle work. */
void kri_writer_main(void *data);
void kri_store_publish_syncs(struct kryos_store *store);
void kri_store_wake_queues(struct kryos_store *store);
/* state_commit.c; writer thread, store->lock held and let go meanwhile. Commits what state.db is owed. */
int kri_store_commit_state(struct kryos_store *store);
/*
 * store.c; store->lock held. Takes what the clock said of this boot's wall time, as soon as a sample that is kept needs
 * it and its event finds a place: asked whenever one of them may have changed.
 */
void kri_store_learn_offset(struct kryos_store *store, struct kryos_time now);
/* So that as many gaps find a place: what waits is committed first where they would not. store->lock not held. */
int kri_store_make_place(struct kryos_store *store, int gaps);
/* When state.db wants a commit (real time, 0: now; INT64_MAX: not). */
int64_t kri_store_state_due(struct kryos_store *store);
/* The open queues, each with a reference; store->lock held. */
int kri_store_take_queues(struct kryos_store *store, struct kryos_queue *queues[KRI_MAX_QUEUES]);
/* status.c: how writing of that part went; announced when the store's health changes. store->lock held. */
void kri_store_set_health(struct kryos_store *store, enum kri_health part, int error, struct kryos_time now);
/* recover.c: what an open finds, as a cut, another board or a newer version may have left it. */
int kri_store_recover(struct kryos_store *store);
/* missing.c, at open. */
int kri_store_note_skipped(struct kryos_store *store, const struct kri_segment_info *newest, int64_t known);
int kri_store_report_missing(struct kryos_store *store);
void kri_store_remove_leftovers(struct kryos_store *store);
/* Whether state.db knows of seqs behind the newest that nobody has. Where it does they are passed over, and damage. */
int kri_store_check_end(struct kryos_store *store, int64_t *newest_seq, bool *ret_damage);
/* rebuild.c, at open: queues' cursors and boots, from the newest segment that can be read. */
int kri_store_rebuild_state(struct kryos_store *store);
/* Which boot this is. newest: the highest number seen in segments. new_device: device time begins again. */
int kri_store_begin_boot(struct kryos_store *store, uint32_t newest, bool new_device);
/* What is known of a boot; data is the store. Takes store->lock. */
bool kri_store_boot_of(void *data, uint32_t number, struct kri_boot *ret_boot);
/* When and in which boot the oldest sample was taken; that changes as segments are removed. Takes store->lock. */
void kri_store_learn_first(struct kryos_store *store);
/* rotate.c; writer thread. Ends the present segment, if any, and begins another at next_seq. */
int kri_store_new_segment(struct kryos_store *store);
bool kri_store_wants_rotation(struct kryos_store *store, int percent);
/* Seals the oldest one that is not; 1: ask again; 0: none is to be sealed, or only what had to be put off. */
int kri_store_seal_one(struct kryos_store *store);
/* The list of segments; store->lock held. */
struct kri_segment_info *kri_store_find_segment(struct kryos_store *store, int64_t first_seq);
int kri_store_add_segment(struct kryos_store *store, const struct kri_segment_info *info);
void kri_store_drop_segment(struct kryos_store *store, struct kri_segment_info *info); /* of the list */
/*
 * Hands an event of that time to the writer. Any thread; store->lock held. -EAGAIN: too many wait. The clock is asked
 * before, without the lock: it takes one that a log callback, which may call the store, is called under.
 */
int kri_store_put_event(struct kryos_store *store, const struct kryos_event *event, struct kryos_time now);
/* All of them, or none. */
int kri_store_put_events(struct kryos_store *store, const struct kryos_event *events, size_t count,
                         struct kryos_time now);
int kri_store_check_event(const struct kryos_event *event); /* that it is one that a program may store */
/* The same of one that tells that the queue of this name is removed, and comes to be with that. */
int kri_store_put_removal(struct kryos_store *store, const char *name, const struct kryos_event *event,
                          struct kryos_time now);
/* configured.c: what is in force of each channel and part of the configuration, by the events. At open; of an event,
 * inside an open transaction. */
int kri_configured_load(struct kryos_store *store);
void kri_configured_free(struct kryos_store *store);
int kri_configured_put(struct kri_state *state, const struct kri_stored_event *event);
/* Whether that waits for the disk. store->lock held. */
bool kri_store_is_removing(const struct kryos_store *store, const char *name);
struct kryos_time kri_store_now(struct kryos_store *store);
/* The first event from that seq on that waits and may leave from memory. Any thread, takes store->lock. */
bool kri_store_next_waiting_event(struct kryos_store *store, int64_t from_seq, struct kri_stored_event *ret_event);
/* All that wait, at the end; how many there were. store->lock held, or nobody else is left. */
int kri_store_drop_events(struct kryos_store *store);
/* For what an open finds: to the log and, as the store's event, to the writer; takes store->lock. */
void kri_store_report(struct kryos_store *store, enum kryos_event_type type, int code, const char *text);
/*
 * The same, and to the context as news; takes store->lock. What is not stored is logged. Whoever announces a gap keeps
 * its cause where that fails.
 */
int kri_store_announce(struct kryos_store *store, const struct kryos_event *event);
/* Whether one of the same queue, seqs and text waits for the disk. Takes store->lock. */
bool kri_store_is_gap_waiting(struct kryos_store *store, const struct kryos_event *gap);
/* absent.c; writer thread: what queues that are not open owe, as state.db has it. */
struct kri_absent {
	char name[32];
	struct kri_ranges samples, events;
};
struct kri_absent_list {
	struct kri_absent *list;
	int count;
};
bool kri_store_is_queue_open(const struct kryos_store *store, const char *name); /* store->lock held */
int kri_absent_read(struct kryos_store *store, struct kri_absent_list *absent);
void kri_absent_clear(struct kri_absent_list *absent);
/*
 * audit.c: seals over the chain of events. Writer thread, or at open; store->lock not held. Nothing is done in a store
 * without a key.
 */
#define KRI_AUDIT_SEAL 1 /* code of a KRYOS_EVENT_SEALED that is of events, not of a segment */
#define KRI_AUDIT_TRIM 1 /* code of a KRYOS_EVENT_AUDIT: events first_seq to last_seq were removed to make room */
bool kri_audit_is_own(const struct kri_stored_event *event); /* says that events were sealed, and calls for no seal */
int kri_audit_load(struct kryos_store *store, bool new_device);
bool kri_audit_is_due(const struct kryos_store *store);
/* Signs the chain's head if there is anything new; what can't be done now is tried again later. */
int kri_audit_seal(struct kryos_store *store);
/* The last seal; whether events wait then. store->lock held, and let go meanwhile. */
bool kri_audit_close(struct kryos_store *store);
/* Of the events before seq, as many as there are seals for are made to end in one: where what is kept begins. */
int kri_audit_seal_before(struct kryos_store *store, int64_t seq);
/* The newest seal as "last_seq hash", "" where there is none: what a segment's header says. */
int kri_audit_newest(struct kryos_store *store, char text[KRI_HASH_TEXT + 24]);
size_t kri_audit_text(char text[256], const char *device, int64_t first, int64_t last, const char *hash);
/* That this device removed a segment: the signature in hex, "" where there is no key or no seal of it. */
int kri_audit_sign_removal(struct kryos_store *store, int64_t first_seq,
                           char ret_signature[2 * KRI_SIGNATURE_SIZE + 1]);
size_t kri_audit_removal_text(char text[256], const char *device, int64_t first, int64_t last, const char *hash);
/* retention.c; writer thread */
int kri_store_retain(struct kryos_store *store);
/* The file of a segment whose gaps are on the disk. */
int kri_store_remove_given_up(struct kryos_store *store);
/* Removes what was delivered, oldest first, or also else the oldest, while the disk is nearly full: 1 if it did. */
int kri_store_make_room(struct kryos_store *store, bool undelivered);
/* trim.c; writer thread: events, gaps, seals and boots beyond what is kept. */
int kri_store_trim_state(struct kryos_store *store, const struct kri_absent_list *absent);
/* damage.c; writer thread, or at open. Takes the segment that was found damaged out of service. */
int kri_store_condemn(struct kryos_store *store);
/* A slice of salvage; 0: there is none to do. */
int kri_store_mend_some(struct kryos_store *store);
/* As the present one, and among those that salvage knows. */
int kri_state_put_epoch(struct kri_state *state, const char *epoch);
/* Draws an epoch for what comes next and stores it. */
int kri_store_new_epoch(struct kryos_store *store);
int kri_draw_epoch(uint64_t *ret_epoch); /* a random one; 0 is none */
/* verify.c: whether one segment's checksums and chain hold; no libcrypto: only its checksums. */
int kri_verify_segment(const char *path, int64_t first_seq, bool *ret_whole);
void kri_store_unref(struct kryos_store *store);

/* queue.c, for the writer */
struct kryos_queue {
	struct kri_object object;
	struct kryos_queue *next;
	struct kryos_store *store;
	atomic_int refs;
	char name[32];
	struct kryos_queue_config config;
	char *channels;

	pthread_mutex_t lock;
	bool closed;
	struct kri_ranges samples, events; /* owed; the runs of each may span seqs of the other kind */
	int64_t live_seq;                  /* 0: no link */
	struct kri_lent {
		int64_t seq;
		uint64_t epoch;
		bool event, audited; /* audited: a rejection of it is not announced again */
	} * lent;                    /* sorted by seq */
	uint32_t lent_count;
	struct kri_stream {
		int64_t at;          /* looks from here on */
		int64_t from, until; /* the scan's buffer holds all rows between; until < from: nothing */
		bool unreadable;     /* the rows between are there, but not for us */
		int64_t failing_segment, failing_since_ns; /* the disk gives an error there; 0: none */
		struct kri_scan scan;
	} live, backlog;
	int64_t volatile_at;       /* looks from here on in the ring */
	int64_t volatile_event_at; /* ... and among the events that wait */
	int64_t event_at;
	struct kri_stored_event *event_buffer;
	uint64_t event_epochs[KRI_EVENT_ROWS];
	bool event_bad[KRI_EVENT_ROWS];
	int event_count, event_next;
	struct kri_stored_event volatile_event; /* the one lent last from memory */
	struct kryos_event event;
	struct kryos_record record;
	uint64_t acked, rejected;
	uint32_t dead_letters;
	uint32_t dirty, storing; /* changes since the last commit, and those in the one under way */
	int64_t dirty_since_ns;
	struct kri_dead *dead, **dead_tail; /* to be stored */
	uint32_t dead_waiting, dead_storing;
	void (*wake)(void *data);
	void *wake_data;
};
struct kri_dead {
	struct kri_dead *next;
	int64_t seq;
	uint64_t epoch;
	bool event;
	char reason[201];
};
/* Commits what state.db is owed and waits for it: 0, the disk's error, -ETIMEDOUT, -ECANCELED. */
int kri_store_commit_within(struct kryos_store *store, int64_t timeout_ns);
/* Whether a queue may be of that name (1 to 31 of [a-z0-9_-]). */
int kri_queue_check_name(const char *name);
/* When it wants its state committed next (real time; INT64_MAX: nothing to commit). queue->lock is taken inside. */
int64_t kri_queue_due(struct kryos_queue *queue);
/* Stores its state inside the open transaction of state.db, and undoes that when the transaction failed. */
int kri_queue_store(struct kryos_queue *queue, struct kri_state *state);
void kri_queue_stored(struct kryos_queue *queue, bool well);
void kri_queue_wake(struct kryos_queue *queue);
/* queue_look.c; queue->lock held. Makes the stream's buffer hold the rows from seq on. 1; 0: none up to `to`; < 0. */
int kri_queue_look(struct kryos_queue *queue, struct kri_stream *stream, int64_t seq, int64_t to);
/* Whether a seq without a row may be nobody's: 1; 0: its segment is not whole, and is taken out of service; < 0. */
int kri_queue_check_hole(struct kryos_store *store, struct kri_stream *stream, int64_t seq);
/* Has the writer take a segment out of service. */
void kri_queue_condemn(struct kryos_store *store, int64_t first_seq);
/* Looks again from seq on, whichever stream it is in; what was read ahead may be something else now. */
void kri_queue_look_again(struct kryos_queue *queue, int64_t seq);
void kri_queue_touch(struct kryos_queue *queue);        /* its state is to be stored again */
char *kri_queue_cursor_text(struct kryos_queue *queue); /* "samples events" as stored; free() it */
/*
 * Samples, or events, first to last are gone: nothing of it is owed any more. Gives the runs that were, at most max of
 * them (the last then spans what is left), and how many.
 */
int kri_queue_forget(struct kryos_queue *queue, bool events, int64_t first, int64_t last, struct kri_run *ret_runs,
                     int max);
/* It is owed again: nothing said that it is gone. */
void kri_queue_owe_again(struct kryos_queue *queue, bool events, const struct kri_run *run);

#endif
