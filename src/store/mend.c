/* SPDX-License-Identifier: Apache-2.0 */
/* What salvage finds of a damaged segment, as a segment of its own: <name>.salvaged, without chain and seal. */
#include "salvage.h"
#include <inttypes.h>
#include <kryos/reader.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void kri_mend_free(struct kri_mend *mend)
{
	if (!mend)
		return;
	kri_salvage_free(mend->salvage);
	sqlite3_finalize(mend->insert_sample);
	sqlite3_finalize(mend->insert_channel);
	sqlite3_finalize(mend->insert_boot);
	sqlite3_finalize(mend->insert_header);
	sqlite3_close_v2(mend->db);
	free(mend);
}

/* All rows of a segment are of one epoch: the first that is found tells which. */
static bool is_its(struct kri_mend *mend, const struct kri_salvage_origin *origin)
{
	if (!mend->epoch) {
		mend->epoch = origin->epoch;
		mend->epoch_crc = kri_epoch_crc(mend->epoch);
	}
	return mend->epoch == origin->epoch;
}

static int on_sample(void *data, const struct kri_row *row, const struct kri_salvage_origin *origin)
{
	struct kri_mend *mend = data;
	sqlite3_stmt *insert = mend->insert_sample;
	int r;

	if (row->seq < mend->first_seq || row->seq >= mend->end_seq || !is_its(mend, origin))
		return 0;
	sqlite3_bind_int64(insert, 1, row->seq);
	sqlite3_bind_int64(insert, 2, row->channel);
	sqlite3_bind_int64(insert, 3, row->boot);
	sqlite3_bind_int64(insert, 4, row->round);
	sqlite3_bind_int64(insert, 5, row->t_boot_ns);
	sqlite3_bind_int64(insert, 6, row->t_wall_ns);
	sqlite3_bind_int64(insert, 7, row->trust);
	sqlite3_bind_int64(insert, 8, row->quality);
	sqlite3_bind_int64(insert, 9, row->value_micro);
	sqlite3_bind_int64(insert, 10, row->alarm);
	sqlite3_bind_int64(insert, 11, row->crc);
	r = kri_sql_run(insert);
	if (r >= 0)
		mend->samples += sqlite3_changes(mend->db);
	return r;
}

int kri_mend_add_channel(struct kri_mend *mend, const struct kri_salvaged_channel *channel)
{
	sqlite3_stmt *insert = mend->insert_channel;
	char line[KRI_LINE_MAX];
	uint32_t crc;

	/* Longer ones no store has written. */
	if (strlen(channel->name) > 63 || strlen(channel->unit) > 15 || strlen(channel->place) > 31)
		return 0;
	kri_text_end(line,
	             (size_t)snprintf(line, sizeof(line) - 16, "channel|%" PRIu32 "|%" PRId64 "|%.63s|%.15s|%.31s",
	                              channel->channel, channel->since, channel->name, channel->unit, channel->place),
	             mend->epoch_crc, &crc);
	sqlite3_bind_int64(insert, 1, channel->channel);
	sqlite3_bind_int64(insert, 2, channel->since);
	kri_sql_bind_text(insert, 3, channel->name);
	kri_sql_bind_text(insert, 4, channel->unit);
	kri_sql_bind_text(insert, 5, channel->place);
	sqlite3_bind_int64(insert, 6, crc);
	return kri_sql_run(insert);
}

static int on_channel(void *data, const struct kri_salvaged_channel *channel, const struct kri_salvage_origin *origin)
{
	return is_its(data, origin) ? kri_mend_add_channel(data, channel) : 0;
}

static int on_boot(void *data, const struct kri_salvaged_boot *boot, const struct kri_salvage_origin *origin)
{
	struct kri_mend *mend = data;
	char line[KRI_LINE_MAX];
	uint32_t crc;

	if (!is_its(mend, origin) || strlen(boot->boot_id) > 63)
		return 0;
	kri_text_end(line,
	             (size_t)snprintf(line, sizeof(line) - 16, "boot|%" PRIu32 "|%" PRId64 "|%.63s", boot->boot,
	                              boot->since, boot->boot_id),
	             mend->epoch_crc, &crc);
	sqlite3_bind_int64(mend->insert_boot, 1, boot->boot);
	sqlite3_bind_int64(mend->insert_boot, 2, boot->since);
	kri_sql_bind_text(mend->insert_boot, 3, boot->boot_id);
	sqlite3_bind_int64(mend->insert_boot, 4, crc);
	return kri_sql_run(mend->insert_boot);
}

static int on_header(void *data, const char *key, const char *value, const struct kri_salvage_origin *origin)
{
	struct kri_mend *mend = data;

	(void)origin;
	/* (store-format.md, Identity) */
	if (strcmp(key, "device") == 0 && !mend->device[0] && strlen(value) == 32 &&
	    strspn(value, "0123456789abcdef") == 32)
		snprintf(mend->device, sizeof(mend->device), "%s", value);
	return 0;
}

static int open_out(struct kri_mend *mend)
{
	struct {
		sqlite3_stmt **statement;
		const char *sql;
	} all[] = {
		{ &mend->insert_sample, "INSERT OR IGNORE INTO sample VALUES(?,?,?,?,?,?,?,?,?,?,?,NULL)" },
		{ &mend->insert_channel, "INSERT OR IGNORE INTO channel VALUES(?,?,?,?,?,?)" },
		{ &mend->insert_boot, "INSERT OR IGNORE INTO boot VALUES(?,?,?,?)" },
		{ &mend->insert_header, "INSERT OR REPLACE INTO header VALUES(?,?)" },
	};
	int r = access(mend->out, F_OK) == 0 ? kri_remove_db(mend->out) : 0;

	if (r >= 0)
		r = kri_sql_open(&mend->db, mend->out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	/* Whole once it is read-only, and begun again if it is not: so nothing is synced but the end. */
	if (r >= 0)
		r = kri_segment_make_tables(mend->db, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;");
	for (size_t i = 0; r >= 0 && i < KRI_ARRAY_SIZE(all); i++)
		r = kri_sql_prepare(mend->db, all[i].statement, all[i].sql);
	return r;
}

int kri_mend_begin(struct kri_mend **ret_mend, const char *path, const char *out, int64_t first_seq, int64_t end_seq,
                   const uint64_t *epochs, size_t count)
{
	struct kri_mend *mend = calloc(1, sizeof(*mend));
	struct kri_salvage_found found = { .data = mend,
		                           .on_sample = on_sample,
		                           .on_channel = on_channel,
		                           .on_boot = on_boot,
		                           .on_header = on_header };
	int r;

	if (!mend)
		return -ENOMEM;
	mend->first_seq = first_seq;
	mend->end_seq = end_seq;
	snprintf(mend->out, sizeof(mend->out), "%s%s", out ? out : path, out ? "" : ".salvaged");
	r = open_out(mend);
	if (r >= 0) {
		r = kri_salvage_begin(&mend->salvage, path, epochs, count, &found);
		if (r == -ENOENT) { /* nothing is left, which is to be written down as well */
			mend->done = true;
			r = 0;
		}
	}
	if (r < 0) {
		kri_mend_free(mend);
		return r;
	}
	*ret_mend = mend;
	return 1;
}

int kri_mend_step(struct kri_mend *mend, size_t max_bytes)
{
	int r, committed;

	if (mend->done)
		return 0;
	r = kri_sql_exec(mend->db, "BEGIN");
	if (r >= 0)
		r = kri_salvage_step(mend->salvage, max_bytes);
	if (r < 0)
		return r;
	mend->done = r == 0;
	committed = kri_sql_exec(mend->db, "COMMIT");
	return committed < 0 ? committed : r;
}

int kri_mend_drop_nameless(struct kri_mend *mend)
{
	int r = kri_sql_exec(mend->db,
	                     "DELETE FROM sample WHERE channel NOT IN (SELECT channel FROM channel WHERE name <> '')");

	if (r >= 0)
		mend->samples -= sqlite3_changes(mend->db);
	return r;
}

static int put_header(struct kri_mend *mend, const char *key, const char *value)
{
	kri_sql_bind_text(mend->insert_header, 1, key);
	kri_sql_bind_text(mend->insert_header, 2, value);
	return kri_sql_run(mend->insert_header);
}

int kri_mend_finish(struct kri_mend *mend)
{
	char epoch[17], first[24], folder[PATH_MAX];
	const char *slash = strrchr(mend->out, '/');
	int r;

	kri_epoch_text(mend->epoch, epoch);
	snprintf(first, sizeof(first), "%" PRId64, mend->first_seq);
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - mend->out) : 1, slash ? mend->out : ".");
	r = kri_sql_exec(mend->db, "PRAGMA synchronous=FULL; BEGIN");
	if (r >= 0)
		r = put_header(mend, "format", "1");
	if (r >= 0)
		r = put_header(mend, "device", mend->device);
	if (r >= 0)
		r = put_header(mend, "epoch", epoch);
	if (r >= 0)
		r = put_header(mend, "first_seq", first);
	if (r >= 0)
		r = put_header(mend, "salvaged", "yes");
	if (r >= 0)
		r = kri_sql_exec(mend->db, "COMMIT");
	if (r >= 0)
		r = kri_sync_folder(folder[0] ? folder : "/");
	if (r >= 0 && chmod(mend->out, 0440))
		r = kryos_fail(-errno, "%s: %s", mend->out, strerror(errno));
	return r;
}

int kryos_salvage(struct kryos_ctx *ctx, const char *path, const char *out, struct kryos_salvage_result *ret_result)
{
	struct kryos_salvage_result result = { .size = sizeof(result) };
	const struct kri_salvage_counts *counts;
	struct kri_mend *mend = NULL;
	struct stat status;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!path || !out || !ret_result || ret_result->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "salvage: no file or result given, or its size is not set");
	if (stat(path, &status))
		return kryos_fail(-errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return kryos_fail(-EINVAL, "%s: is not a file; a segment (.seg) is wanted", path);
	if (stat(out, &status) == 0)
		return kryos_fail(-EEXIST, "%s: is there already", out);
	r = kri_mend_begin(&mend, path, out, 1, INT64_MAX, NULL, 0);
	while (r > 0)
		r = kri_mend_step(mend, 1 << 20);
	if (r >= 0)
		r = kri_mend_finish(mend);
	if (r >= 0 && mend->salvage) {
		counts = kri_salvage_get_counts(mend->salvage);
		result.samples = (uint64_t)mend->samples;
		result.bytes = (uint64_t)counts->bytes;
		result.rejected = (uint64_t)counts->rejected;
		result.unreadable = (uint64_t)counts->unreadable;
	}
	kri_mend_free(mend);
	/* A part must not be taken for the whole, nor be in the way of the next try. */
	if (r < 0)
		unlink(out);
	else
		memcpy(ret_result, &result, ret_result->size < sizeof(result) ? ret_result->size : sizeof(result));
	return r;
}
