/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_sql.h"
#include "store/private.h"
#include <kryos/kryos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 512
#define KEY "board.key"

static void read_image(const char *folder, const char *name, struct fuzz_image *image)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	image->db = fuzz_read(path, &image->db_size);
	strcat(path, "-wal");
	image->wal = fuzz_read(path, &image->wal_size);
}

void fuzz_images(struct fuzz_image *ret_segment, struct fuzz_image *ret_state)
{
	const char *folder = fuzz_folder();
	const struct kryos_record *record;
	struct kryos_store *store;
	struct kryos_queue *queue;
	struct kryos_ctx *ctx;
	uint32_t channel;

	FUZZ_MUST(kryos_ctx_new(&ctx, NULL) == 0);
	FUZZ_MUST(kryos_channel_add(ctx, "fridge.temperature", "Cel", &channel) == 0);
	FUZZ_MUST(kryos_store_open(&store, ctx, folder, KRYOS_STORE_CONFIG(.board = "fuzz")) == 0);
	FUZZ_MUST(kryos_queue_open(&queue, store, "modem", NULL) == 0);
	for (int i = 0; i < 5; i++) {
		struct kryos_sample samples[2] = { { .channel = channel, .value_micro = 5250000 + i, .round = 1 },
			                           { .channel = channel, .value_micro = -i, .round = 1 } };

		FUZZ_MUST(kryos_store_append(store, samples, 2) == 0);
	}
	FUZZ_MUST(kryos_store_add_event(store, &(struct kryos_event){ .size = sizeof(struct kryos_event),
	                                                              .type = KRYOS_EVENT_AUDIT,
	                                                              .name = "nurse",
	                                                              .text = "looked" }) >= 0);
	FUZZ_MUST(kryos_store_flush(store, KRYOS_SECONDS(10)) == 0);
	for (int i = 0; i < 4 && kryos_queue_next(queue, &record) > 0; i++)
		FUZZ_MUST(i == 2 ? kryos_queue_reject(queue, record->seq, "no") == 0
		                 : kryos_queue_ack(queue, record->seq) == 0);
	kryos_queue_close(queue);
	kryos_store_close(store);
	kryos_ctx_free(ctx);
	read_image(folder, FUZZ_SEGMENT, ret_segment);
	read_image(folder, "state.db", ret_state);
}

void fuzz_write_image(const char *folder, const char *name, const struct fuzz_image *image)
{
	char wal[64];

	fuzz_write(folder, name, image->db, image->db_size);
	snprintf(wal, sizeof(wal), "%s-wal", name);
	fuzz_write(folder, wal, image->wal, image->wal_size);
}

void fuzz_write_pages(const char *folder, const char *name, const uint8_t *data, size_t size)
{
	size_t db_size;
	char wal[64];

	if (size < 3) {
		fuzz_write(folder, name, data, size);
		return;
	}
	db_size = PAGE * (size_t)(data[1] | data[2] << 8);
	data += 3;
	size -= 3;
	if (db_size > size)
		db_size = size;
	fuzz_write(folder, name, data, db_size);
	if (size == db_size)
		return;
	snprintf(wal, sizeof(wal), "%s-wal", name);
	fuzz_write(folder, wal, data + db_size, size - db_size);
}

static void row_crc(sqlite3_context *context, int count, sqlite3_value **values)
{
	uint64_t epoch = strtoull((const char *)sqlite3_value_text(values[0]), NULL, 16);

	(void)count;
	sqlite3_result_int64(context, kri_text_crc(kri_epoch_crc(epoch), (const char *)sqlite3_value_text(values[1]),
	                                           (size_t)sqlite3_value_bytes(values[1])));
}

static void plain_crc(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	sqlite3_result_int64(context, kri_text_crc(0, (const char *)sqlite3_value_text(values[0]),
	                                           (size_t)sqlite3_value_bytes(values[0])));
}

static void bind_value(sqlite3_stmt *insert, int column, struct fuzz_bytes *bytes)
{
	static const char *const words[] = { "modem",
		                             "epoch",
		                             "device",
		                             "board",
		                             "format",
		                             "1-",
		                             "5-9,12-",
		                             "9-5,1-1",
		                             "-1--1",
		                             "",
		                             "0123456789abcdef",
		                             "boot_offset:7",
		                             "queue:modem",
		                             "9223372036854775807-",
		                             "|",
		                             "previous_hash" };
	char text[256], *words_of_one;
	uint8_t count;

	switch (fuzz_u8(bytes) % 8) {
	case 0:
	case 1:
		sqlite3_bind_int64(insert, column, fuzz_number(bytes));
		break;
	case 2:
		sqlite3_bind_text(insert, column, fuzz_text(bytes, text, sizeof(text)), -1, SQLITE_TRANSIENT);
		break;
	case 3:
		count = fuzz_u8(bytes);
		words_of_one = malloc(count * 16u + 1);
		FUZZ_MUST(words_of_one);
		memset(words_of_one, 'a' + count % 16, count * 16u);
		sqlite3_bind_text(insert, column, words_of_one, count * 16, free);
		break;
	case 4:
		break; /* NULL */
	case 5:
		sqlite3_bind_double(insert, column, (double)fuzz_number(bytes) * 1e300);
		break;
	case 6:
		sqlite3_bind_text(insert, column, words[fuzz_u8(bytes) % KRI_ARRAY_SIZE(words)], -1, SQLITE_STATIC);
		break;
	default:
		sqlite3_bind_zeroblob(insert, column, fuzz_u8(bytes) % 64);
		break;
	}
}

static int count_columns(sqlite3 *db, const char *table)
{
	sqlite3_stmt *statement;
	char sql[64];
	int count;

	snprintf(sql, sizeof(sql), "SELECT * FROM %s", table);
	FUZZ_MUST(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
	count = sqlite3_column_count(statement);
	sqlite3_finalize(statement);
	return count;
}

void fuzz_add_rows(const char *folder, const char *name, struct fuzz_bytes *bytes, const char *const *tables,
                   int table_count, const char *fix)
{
	char path[4096], sql[160];
	sqlite3_stmt *insert;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FUZZ_MUST(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
	/* As a store does: what it wrote last is in the WAL when it is opened again. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	FUZZ_MUST(sqlite3_create_function(db, "row_crc", 2, SQLITE_UTF8, NULL, row_crc, NULL, NULL) == SQLITE_OK);
	FUZZ_MUST(sqlite3_create_function(db, "row_crc", 1, SQLITE_UTF8, NULL, plain_crc, NULL, NULL) == SQLITE_OK);
	FUZZ_MUST(sqlite3_exec(db, "PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=0; BEGIN", NULL, NULL, NULL) ==
	          SQLITE_OK);
	for (int rows = 0; bytes->left && rows < 64; rows++) {
		const char *table = tables[fuzz_u8(bytes) % table_count];
		int length = snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO %s VALUES(?", table);
		int columns = count_columns(db, table);

		for (int i = 1; i < columns; i++)
			length += snprintf(sql + length, sizeof(sql) - (size_t)length, ",?");
		snprintf(sql + length, sizeof(sql) - (size_t)length, ")");
		FUZZ_MUST(sqlite3_prepare_v2(db, sql, -1, &insert, NULL) == SQLITE_OK);
		for (int i = 1; i <= columns; i++)
			bind_value(insert, i, bytes);
		sqlite3_step(insert); /* what the schema forbids is not in */
		sqlite3_finalize(insert);
	}
	if (fix)
		FUZZ_MUST(sqlite3_exec(db, fix, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	sqlite3_close_v2(db);
}

static void read_outside(struct kryos_ctx *ctx, const char *folder, size_t most_rows)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	struct kryos_queue_status status = { .size = sizeof(status) };
	const struct kryos_record *record;
	struct kryos_reader *reader;
	size_t count = 0;
	int64_t last = 0;

	(void)!kryos_verify(ctx, folder, &result);
	if (kryos_reader_open(&reader, ctx, folder) < 0)
		return;
	while (kryos_reader_next(reader, &record) > 0) {
		FUZZ_MUST(++count <= most_rows);
		FUZZ_MUST(record->seq > last);
		FUZZ_MUST(record->channel[0] && strlen(record->device) <= 32);
		last = record->seq;
	}
	for (last = 0, count = 0; kryos_reader_next_event(reader, &record) > 0; last = record->seq) {
		FUZZ_MUST(++count <= most_rows);
		FUZZ_MUST(record->seq > last && record->event);
	}
	(void)!kryos_reader_seek_time(reader, INT64_C(1795165920000000000));
	for (unsigned int i = 0; i < 70 && kryos_reader_get_queue(reader, i, &status) >= 0; i++)
		FUZZ_MUST(status.owed >= 0 && strlen(status.name) < sizeof(status.name));
	kryos_reader_close(reader);
}

static void read_queue(struct kryos_store *store, size_t most_rows)
{
	const struct kryos_record *record;
	struct kryos_queue *queue;
	size_t count = 0;

	if (kryos_queue_open(&queue, store, "modem", KRYOS_QUEUE_CONFIG(.max_lent = 4096)) < 0)
		return;
	while (kryos_queue_next(queue, &record) > 0) {
		FUZZ_MUST(++count <= most_rows);
		FUZZ_MUST(kryos_queue_ack(queue, record->seq) >= 0);
	}
	kryos_queue_close(queue);
}

/* Damage never makes an open fail (store.h), and what follows is measured. */
static void open_store(struct kryos_ctx *ctx, const char *folder, size_t most_rows)
{
	struct kryos_sample sample = { .value_micro = 4000000 };
	struct kryos_store *store;
	char key[4096];
	int r;

	snprintf(key, sizeof(key), "%s/" KEY, folder);
	r = kryos_channel_add(ctx, "room.humidity", "%RH", &sample.channel);
	if (r < 0) /* the segments read so far named 4096 others, or this one with another unit */
		return;
	r = kryos_store_open(&store, ctx, folder, KRYOS_STORE_CONFIG(.board = "fuzz", .key_path = key));
	if (r == KRYOS_EFORMAT)
		return;
	if (r < 0)
		fprintf(stderr, "%s\n", kryos_strerror(r));
	FUZZ_MUST(r == 0);
	r = kryos_store_append(store, &sample, 1);
	if (r < 0)
		fprintf(stderr, "%s\n", kryos_strerror(r));
	FUZZ_MUST(r == 0 && sample.seq > 0);
	read_queue(store, most_rows);
	kryos_store_close(store);
}

uint8_t fuzz_write_segment(const char *folder, const struct fuzz_image *image, const uint8_t *data, size_t size)
{
#define EPOCH "(SELECT value FROM header WHERE key='epoch')"
	static const char *const tables[] = { "header", "boot", "channel", "sample", "seal" };
	static const char fix[] = "UPDATE boot SET crc=row_crc(" EPOCH ", 'boot|'||boot||'|'||since||'|'||boot_id);"
				  "UPDATE channel SET crc=row_crc(" EPOCH ","
				  " 'channel|'||channel||'|'||since||'|'||name||'|'||unit||'|'||place);"
				  "UPDATE sample SET crc=row_crc(" EPOCH ", " FUZZ_SAMPLE_LINE ");";
#undef EPOCH
	struct fuzz_bytes bytes = { data, size };
	uint8_t mode = fuzz_u8(&bytes);

	if (!(mode & 1)) {
		fuzz_write_pages(folder, FUZZ_SEGMENT, data, size);
		return mode;
	}
	fuzz_write_image(folder, FUZZ_SEGMENT, image);
	fuzz_add_rows(folder, FUZZ_SEGMENT, &bytes, tables, KRI_ARRAY_SIZE(tables), mode & 2 ? fix : NULL);
	return mode;
}

void fuzz_use_store(const char *folder, size_t most_rows, bool open)
{
	static uint8_t *key;
	static size_t key_size;
	struct kryos_ctx *ctx;
	char path[4096];

	/* One key for all inputs: making it takes the most time of an open. */
	if (key)
		fuzz_write(folder, KEY, key, key_size);
	FUZZ_MUST(kryos_ctx_new(&ctx, NULL) == 0);
	read_outside(ctx, folder, most_rows);
	kryos_ctx_free(ctx);
	if (!open)
		return;
	FUZZ_MUST(kryos_ctx_new(&ctx, NULL) == 0);
	open_store(ctx, folder, most_rows);
	kryos_ctx_free(ctx);
	snprintf(path, sizeof(path), "%s/" KEY, folder);
	if (!key && access(path, R_OK) == 0)
		key = fuzz_read(path, &key_size);
}
