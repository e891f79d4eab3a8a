/* SPDX-License-Identifier: Apache-2.0 */
/* Databases as a store makes them, and rows of any kind put into them: what no byte turned by chance would write. */
#ifndef KRI_FUZZ_SQL_H
#define KRI_FUZZ_SQL_H

#include "fuzz.h"
#include <sqlite3.h>

/* A database file and its -wal, as a store that was cut off left them; malloc'ed once. */
struct fuzz_image {
	uint8_t *db, *wal;
	size_t db_size, wal_size;
};
/* A small store's: its segment 1 and its state.db. */
void fuzz_images(struct fuzz_image *ret_segment, struct fuzz_image *ret_state);
void fuzz_write_image(const char *folder, const char *name, const struct fuzz_image *image);

/* An input of bytes as a database and -wal: 1 byte of mode, 2 bytes how many pages of 512 are the database's. */
void fuzz_write_pages(const char *folder, const char *name, const uint8_t *data, size_t size);

/*
 * Puts rows into the database, until the input is used up or 64 were. row_crc(epoch, line), and row_crc(line) for rows
 * without an epoch, are there for fix, which is run at last, if at all: it makes checksums right.
 */
void fuzz_add_rows(const char *folder, const char *name, struct fuzz_bytes *bytes, const char *const *tables,
                   int table_count, const char *fix);

/*
 * The input as FUZZ_SEGMENT: as pages, or with bit 0 of its first byte the good one with rows of the input's, whose
 * checksums are made right with bit 1. That byte.
 */
uint8_t fuzz_write_segment(const char *folder, const struct fuzz_image *image, const uint8_t *data, size_t size);
#define FUZZ_SAMPLE_LINE                                                                                               \
	"'sample|'||seq||'|'||channel||'|'||boot||'|'||round||'|'||t_boot_ns||'|'||t_wall_ns||'|'||trust||'|'||"       \
	"quality||'|'||value_micro||'|'||alarm"

/* Reads all of a store from outside, of at most so many rows; with open it opens it then, appends, and empties a queue.
 */
void fuzz_use_store(const char *folder, size_t most_rows, bool open);

#define FUZZ_SEGMENT "00000000000000000001.seg"
#define FUZZ_EPOCH UINT64_C(0x0123456789abcdef)

#endif
