/* SPDX-License-Identifier: Apache-2.0 */
/* Writes seeds/segment, salvage, wal, state and bundle below the folder given: what a real store made, as pages. */
#include "fuzz_sql.h"
#include <kryos/kryos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_pages(const char *folder, const char *name, uint8_t mode, const struct fuzz_image *image, bool wal)
{
	size_t size = 3 + image->db_size + (wal ? image->wal_size : 0), pages = image->db_size / 512;
	uint8_t *data = malloc(size);

	FUZZ_MUST(data);
	data[0] = mode;
	data[1] = (uint8_t)pages;
	data[2] = (uint8_t)(pages >> 8);
	memcpy(data + 3, image->db, image->db_size);
	if (wal)
		memcpy(data + 3 + image->db_size, image->wal, image->wal_size);
	fuzz_write(folder, name, data, size);
	free(data);
}

/* Without its WAL: all of it checkpointed into the database. */
static void checkpoint(const char *name, const struct fuzz_image *image, struct fuzz_image *ret_image)
{
	const char *folder = fuzz_folder();
	char path[4096];
	sqlite3 *db;

	fuzz_write_image(folder, name, image);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FUZZ_MUST(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
	FUZZ_MUST(sqlite3_exec(db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close_v2(db);
	ret_image->db = fuzz_read(path, &ret_image->db_size);
}

static void write_seeds(const char *folder, const char *name, const char *file, const struct fuzz_image *image)
{
	struct fuzz_image closed = { 0 };
	char to[4096];

	snprintf(to, sizeof(to), "%s/%s", folder, name);
	checkpoint(file, image, &closed);
	write_pages(to, "wal", 4, image, true);
	write_pages(to, "closed", 0, &closed, false);
	free(closed.db);
}

static void write_wal(const char *folder, const struct fuzz_image *image)
{
	const struct fuzz_image alone = { .db = image->wal, .db_size = image->wal_size };
	char to[4096];

	snprintf(to, sizeof(to), "%s/wal", folder);
	write_pages(to, "segment", 0, &alone, false);
}

/* Not signed: a mutator that can't sign would not come further with one that is. */
static void write_bundle(const char *folder, const struct fuzz_image *segment, const struct fuzz_image *state)
{
	const char *store = fuzz_folder();
	struct kryos_ctx *ctx;
	char path[4096];

	fuzz_write_image(store, FUZZ_SEGMENT, segment);
	fuzz_write_image(store, "state.db", state);
	snprintf(path, sizeof(path), "%s/bundle/unsigned", folder);
	FUZZ_MUST(kryos_ctx_new(&ctx, NULL) == 0);
	FUZZ_MUST(kryos_bundle_write(ctx, store, path, KRYOS_BUNDLE_CONFIG(.is_unsigned = 1), NULL) == 0);
	kryos_ctx_free(ctx);
}

int main(int argc, char **argv)
{
	struct fuzz_image segment, state;

	if (argc != 2) {
		fprintf(stderr, "fuzz_seeds FOLDER\n");
		return 2;
	}
	fuzz_images(&segment, &state);
	write_seeds(argv[1], "segment", FUZZ_SEGMENT, &segment);
	write_seeds(argv[1], "salvage", FUZZ_SEGMENT, &segment);
	write_wal(argv[1], &segment);
	write_seeds(argv[1], "state", "state.db", &state);
	write_bundle(argv[1], &segment, &state);
	free(segment.db);
	free(segment.wal);
	free(state.db);
	free(state.wal);
	return 0;
}
