/* SPDX-License-Identifier: Apache-2.0 */
/* Rows into an open segment, commit by commit, and its seal. */
#include "private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int kri_segment_begin(struct kri_segment *segment)
{
	int r = kri_sql_run(segment->begin);

	return r < 0 ? r : kri_chain_begin(&segment->chain, false);
}

static int add_boot(struct kri_segment *segment, const struct kri_commit *commit, const struct kryos_sample *sample)
{
	char line[KRI_LINE_MAX];
	uint32_t crc;
	size_t length;
	int r;

	length = (size_t)snprintf(line, sizeof(line) - 16, "boot|%" PRIu32 "|%" PRId64 "|%s", sample->boot, sample->seq,
	                          commit->boot_id);
	length = kri_text_end(line, length, segment->epoch_crc, &crc);
	sqlite3_bind_int64(segment->insert_boot, 1, sample->boot);
	sqlite3_bind_int64(segment->insert_boot, 2, sample->seq);
	kri_sql_bind_text(segment->insert_boot, 3, commit->boot_id);
	sqlite3_bind_int64(segment->insert_boot, 4, crc);
	r = kri_sql_run(segment->insert_boot);
	if (r >= 0)
		r = kri_chain_add(&segment->chain, line, length);
	if (r >= 0)
		segment->boot = sample->boot;
	return r;
}

static int add_channel(struct kri_segment *segment, const struct kri_commit *commit, const struct kryos_sample *sample)
{
	const char *name = kryos_channel_name(commit->ctx, sample->channel);
	const char *unit = kryos_channel_unit(commit->ctx, sample->channel);
	const char *place = commit->place_of(commit->data, sample->channel);
	uint32_t own = segment->channel_count + 1, crc;
	char line[KRI_LINE_MAX];
	size_t length;
	int r;

	length = (size_t)snprintf(line, sizeof(line) - 16, "channel|%" PRIu32 "|%" PRId64 "|%s|%s|%s", own, sample->seq,
	                          name, unit, place);
	length = kri_text_end(line, length, segment->epoch_crc, &crc);
	sqlite3_bind_int64(segment->insert_channel, 1, own);
	sqlite3_bind_int64(segment->insert_channel, 2, sample->seq);
	kri_sql_bind_text(segment->insert_channel, 3, name);
	kri_sql_bind_text(segment->insert_channel, 4, unit);
	kri_sql_bind_text(segment->insert_channel, 5, place);
	sqlite3_bind_int64(segment->insert_channel, 6, crc);
	r = kri_sql_run(segment->insert_channel);
	if (r >= 0)
		r = kri_chain_add(&segment->chain, line, length);
	if (r >= 0)
		r = kri_segment_map_channel(segment, sample->channel, own);
	if (r >= 0)
		segment->channel_count = own;
	return r;
}

int kri_segment_declare(struct kri_segment *segment, const struct kri_commit *commit, const struct kryos_sample *sample)
{
	int r = 0;

	if (sample->boot > segment->boot)
		r = add_boot(segment, commit, sample);
	if (r >= 0 && (sample->channel >= segment->channel_slots || !segment->channels[sample->channel]))
		r = add_channel(segment, commit, sample);
	return r;
}

int kri_segment_add(struct kri_segment *segment, const struct kryos_sample *sample, bool last)
{
	struct kri_row row = { .seq = sample->seq,
		               .t_boot_ns = sample->t_boot_ns,
		               .t_wall_ns = sample->t_wall_ns,
		               .value_micro = sample->value_micro,
		               .boot = sample->boot,
		               .round = sample->round,
		               .alarm = sample->alarm,
		               .trust = sample->trust,
		               .quality = sample->quality };
	sqlite3_stmt *insert = segment->insert;
	char line[KRI_LINE_MAX];
	size_t length;
	int r;

	row.channel = segment->channels[sample->channel];
	length = kri_row_text(&row, line);
	length = kri_text_end(line, length, segment->epoch_crc, &row.crc);
	r = kri_chain_add(&segment->chain, line, length);
	if (r >= 0 && last)
		r = kri_chain_end(&segment->chain);
	if (r < 0)
		return r;
	sqlite3_bind_int64(insert, 1, row.seq);
	sqlite3_bind_int64(insert, 2, row.channel);
	sqlite3_bind_int64(insert, 3, row.boot);
	sqlite3_bind_int64(insert, 4, row.round);
	sqlite3_bind_int64(insert, 5, row.t_boot_ns);
	sqlite3_bind_int64(insert, 6, row.t_wall_ns);
	sqlite3_bind_int64(insert, 7, row.trust);
	sqlite3_bind_int64(insert, 8, row.quality);
	sqlite3_bind_int64(insert, 9, row.value_micro);
	sqlite3_bind_int64(insert, 10, row.alarm);
	sqlite3_bind_int64(insert, 11, row.crc);
	if (last && segment->chain.sha)
		sqlite3_bind_blob(insert, 12, segment->chain.hash, KRI_SHA256_SIZE, SQLITE_STATIC);
	r = kri_sql_run(insert);
	if (r >= 0) {
		segment->last_seq = row.seq;
		segment->last_wall_ns = row.t_wall_ns;
		segment->last_trust = row.trust;
		segment->last_round = row.round;
	}
	return r;
}

int kri_segment_commit(struct kri_segment *segment)
{
	return kri_sql_run(segment->commit);
}

int64_t kri_segment_bytes(const struct kri_segment *segment)
{
	return segment->db_bytes + (int64_t)segment->wal_frames * 536; /* 512 and a frame header */
}

void kri_segment_rollback(struct kri_segment *segment)
{
	if (!sqlite3_get_autocommit(segment->db))
		sqlite3_exec(segment->db, "ROLLBACK", NULL, NULL, NULL);
}

int kri_segment_checkpoint(struct kri_segment *segment)
{
	int frames = 0, done = 0, code;

	code = sqlite3_wal_checkpoint_v2(segment->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
	segment->held_frames = segment->wal_frames;
	if (code != SQLITE_OK && code != SQLITE_BUSY)
		return kri_sql_fail(segment->db, code);
	/* All of it is in the database, so the next commit begins the WAL again, in the same file, without growing it.
	 */
	if (done == frames)
		segment->wal_frames = 0;
	segment->db_bytes = kri_file_bytes(segment->path);
	return 0;
}

size_t kri_seal_text(char text[256], const char *device, uint64_t epoch, int64_t first, int64_t last, const char *hash)
{
	char epoch_text[17];

	kri_epoch_text(epoch, epoch_text);
	return (size_t)snprintf(text, 256, "kryos-seal|1|%s|%s|%" PRId64 "|%" PRId64 "|%s\n", device, epoch_text, first,
	                        last, hash);
}

int kri_segment_seal(struct kri_segment *segment, struct kri_key *key, char ret_hash[KRI_HASH_TEXT],
                     char ret_signature[2 * KRI_SIGNATURE_SIZE + 1])
{
	uint8_t signature[KRI_SIGNATURE_SIZE];
	sqlite3_stmt *insert = NULL;
	char text[256];
	size_t length;
	int r = 0;

	ret_signature[0] = '\0';
	kri_chain_text(&segment->chain, ret_hash);
	if (key && segment->chain.sha) {
		length = kri_seal_text(text, segment->device, segment->epoch, segment->first_seq, segment->last_seq,
		                       ret_hash);
		r = kri_key_sign(key, text, length, signature);
		if (r >= 0)
			kri_hex(signature, sizeof(signature), ret_signature);
	}
	/* Ed25519 is deterministic, so a seal that a cut left behind is this same one. */
	if (r >= 0 && !segment->sealed && segment->in_wal && ret_signature[0]) {
		r = kri_sql_prepare(segment->db, &insert, "INSERT INTO seal VALUES(?,?,?,?)");
		if (r >= 0) {
			sqlite3_bind_int64(insert, 1, segment->first_seq);
			sqlite3_bind_int64(insert, 2, segment->last_seq);
			kri_sql_bind_text(insert, 3, ret_hash);
			kri_sql_bind_text(insert, 4, ret_signature);
			r = kri_sql_run(insert);
		}
		sqlite3_finalize(insert);
	}
	if (r < 0)
		return r;
	/*
	 * Checkpoints all of the WAL, syncs, and deletes it; refused while anybody else has the file open. EXTRA,
	 * because the change of mode is itself a transaction with a rollback journal: with FULL its removal is not
	 * synced, and a cut would bring it back and the segment into WAL mode again, which nobody can open read-only
	 * (measured).
	 */
	r = kri_sql_exec(segment->db, "PRAGMA synchronous=EXTRA; PRAGMA journal_mode=DELETE");
	if (r >= 0 && chmod(segment->path, 0440))
		r = kryos_fail(-errno, "%s: %s", segment->path, strerror(errno));
	if (r >= 0) {
		segment->wal_frames = 0;
		segment->db_bytes = kri_file_bytes(segment->path);
	}
	return r;
}
