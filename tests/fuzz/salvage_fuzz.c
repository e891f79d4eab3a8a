/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment, as pages or as a good one with rows of the input's, that is salvaged: what is found has its checksum, what
 * SQLite can read of it and has its checksum is found, and what is written is a segment that verifies row by row.
 */
#include "fuzz_sql.h"
#include "store/salvage.h"
#include <inttypes.h>
#include <kryos/kryos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT "00000000000000000002.seg"

static int on_sample(void *data, const struct kri_row *row, const struct kri_salvage_origin *origin)
{
	char line[400];
	int length = snprintf(line, sizeof(line),
	                      "sample|%" PRId64 "|%" PRIu32 "|%" PRIu32 "|%" PRIu32 "|%" PRId64 "|%" PRId64
	                      "|%u|%u|%" PRId64 "|%" PRIu32,
	                      row->seq, row->channel, row->boot, row->round, row->t_boot_ns, row->t_wall_ns, row->trust,
	                      row->quality, row->value_micro, row->alarm);

	FUZZ_MUST(kri_text_crc(kri_epoch_crc(origin->epoch), line, (size_t)length) == row->crc);
	++*(int64_t *)data;
	return 0;
}

static int on_channel(void *data, const struct kri_salvaged_channel *channel, const struct kri_salvage_origin *origin)
{
	(void)data;
	FUZZ_MUST(origin->epoch &&
	          strlen(channel->name) + strlen(channel->unit) + strlen(channel->place) < KRI_LINE_MAX);
	return 0;
}

static int on_boot(void *data, const struct kri_salvaged_boot *boot, const struct kri_salvage_origin *origin)
{
	(void)data;
	FUZZ_MUST(origin->epoch && strlen(boot->boot_id) < KRI_LINE_MAX);
	return 0;
}

static int on_header(void *data, const char *key, const char *value, const struct kri_salvage_origin *origin)
{
	(void)data;
	FUZZ_MUST(*key && strlen(key) < 96 && strlen(value) <= KRI_SALVAGE_PAYLOAD && !origin->epoch);
	return 0;
}

static int on_seal(void *data, const struct kri_salvaged_seal *seal, const struct kri_salvage_origin *origin)
{
	(void)data;
	(void)origin;
	FUZZ_MUST(strlen(seal->hash) == 64 && strlen(seal->signature) == 128);
	return 0;
}

struct pages {
	const uint8_t *data;
	size_t size, page_size;
};

static bool fetch(void *data, uint32_t page, unsigned int choice, uint8_t *ret_page)
{
	struct pages *pages = data;

	if (choice || page < 1 || page > pages->size / pages->page_size)
		return false;
	memcpy(ret_page, pages->data + (page - 1) * pages->page_size, pages->page_size);
	return true;
}

/* Pieces of memory to the byte, each as one page and as many. */
static void sift_memory(const uint8_t *data, size_t size, size_t page_size, bool chains)
{
	int64_t samples = 0;
	struct kri_salvage_found found = { .data = &samples,
		                           .on_sample = on_sample,
		                           .on_channel = on_channel,
		                           .on_boot = on_boot,
		                           .on_header = on_header,
		                           .on_seal = on_seal };
	struct pages pages = { data, size, page_size };
	struct kri_salvage_sift sift;

	FUZZ_MUST(kri_salvage_sift_init(&sift, &found) == 0);
	kri_salvage_add_epoch(&sift, FUZZ_EPOCH);
	sift.fetch = chains ? fetch : NULL;
	sift.fetch_data = &pages;
	for (size_t at = 0; at < size; at += page_size) {
		size_t count = size - at < page_size ? size - at : page_size;
		uint8_t *exact = malloc(count);

		FUZZ_MUST(exact);
		memcpy(exact, data + at, count);
		FUZZ_MUST(kri_salvage_page(&sift, exact, count, page_size) == 0);
		free(exact);
	}
	FUZZ_MUST(samples == sift.counts.samples && sift.counts.rejected >= 0);
	kri_salvage_sift_free(&sift);
}

static void row_crc(sqlite3_context *context, int count, sqlite3_value **values)
{
	uint64_t epoch = strtoull((const char *)sqlite3_value_text(values[0]), NULL, 16);

	(void)count;
	sqlite3_result_int64(context, kri_text_crc(kri_epoch_crc(epoch), (const char *)sqlite3_value_text(values[1]),
	                                           (size_t)sqlite3_value_bytes(values[1])));
}

/* Of the rows that a store may have written, how many SQLite reads from the damaged file and the new one has not. */
static int64_t count_missing(const char *folder)
{
	char sql[4400];
	sqlite3_stmt *row = NULL;
	int64_t missing = 0;
	sqlite3 *db;

	snprintf(sql, sizeof(sql), "%s/" FUZZ_SEGMENT, folder);
	if (sqlite3_open_v2(sql, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		goto close;
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_create_function(db, "row_crc", 2, SQLITE_UTF8, NULL, row_crc, NULL, NULL);
	snprintf(sql, sizeof(sql), "ATTACH '%s/" OUT "' AS salvaged", folder);
	FUZZ_MUST(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
	/* "+": from the row itself, not from an index that the input may have made. */
	if (sqlite3_prepare_v2(
		    db,
		    "SELECT count(*) FROM main.sample WHERE seq BETWEEN 1 AND 9223372036854775806"
		    " AND typeof(value_micro)='integer' AND typeof(t_boot_ns)='integer' AND"
		    " typeof(t_wall_ns)='integer' AND typeof(channel)='integer' AND typeof(boot)='integer'"
		    " AND typeof(round)='integer' AND typeof(trust)='integer' AND typeof(quality)='integer'"
		    " AND typeof(alarm)='integer' AND alarm BETWEEN 0 AND 4294967295"
		    " AND channel BETWEEN 0 AND 4294967295 AND boot BETWEEN 0 AND 4294967295"
		    " AND round BETWEEN 0 AND 4294967295 AND trust BETWEEN 0 AND 65535 AND quality BETWEEN 0 AND 65535"
		    " AND (hash IS NULL OR (typeof(hash)='blob' AND length(hash)=32))"
		    " AND crc IS row_crc((SELECT value FROM salvaged.header WHERE key='epoch'), " FUZZ_SAMPLE_LINE ")"
		    " AND +seq NOT IN (SELECT seq FROM salvaged.sample)",
		    -1, &row, NULL) == SQLITE_OK &&
	    sqlite3_step(row) == SQLITE_ROW)
		missing = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
close:
	sqlite3_close_v2(db);
	return missing;
}

static void salvage_file(const char *folder, bool rows)
{
	struct kryos_salvage_result result = { .size = sizeof(result) };
	struct kryos_verify_result check = { .size = sizeof(check) };
	char path[4096], out[4096];
	struct kryos_ctx *ctx;

	FUZZ_MUST(kryos_ctx_new(&ctx, NULL) == 0);
	snprintf(path, sizeof(path), "%s/" FUZZ_SEGMENT, folder);
	snprintf(out, sizeof(out), "%s/" OUT, folder);
	FUZZ_MUST(kryos_salvage(ctx, path, out, &result) == 0);
	FUZZ_MUST(kryos_verify(ctx, out, &check) == 0);
	FUZZ_MUST(check.samples == result.samples && check.segments == 1 && !check.bad_rows && !check.bad_seals);
	FUZZ_MUST(kryos_salvage(ctx, path, out, &result) == -EEXIST);
	kryos_ctx_free(ctx);
	if (rows)
		FUZZ_MUST(count_missing(folder) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_image image, state;
	const char *folder = fuzz_folder();
	uint8_t mode;

	if (!image.db)
		fuzz_images(&image, &state);
	mode = fuzz_write_segment(folder, &image, data, size);
	if (!(mode & 1) && size > 3)
		sift_memory(data + 3, size - 3, (size_t)512 << (mode >> 4 & 7), mode & 2);
	salvage_file(folder, mode & 1);
	return 0;
}
