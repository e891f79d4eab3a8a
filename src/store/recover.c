/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an open finds, and what becomes of it:
 *
 *     segment without rows            removed; damaged, if state.db knows that it had some
 *     older one not sealed            sealed when idle; so is the newest if it is large
 *     newer format                    left, skipped, reported
 *     log broken before its end       as damaged, before SQLite looks at it
 *     log broken in its last commit   what can be read of that is committed again; a new epoch begins
 *     damaged                         marked, a new epoch begins; salvaged when idle (damage.c)
 *     the disk gives errors           left out until the next open; a new epoch begins
 *     state.db knows later seqs       the newest segment is damaged, or missing: a gap
 *     a closed one is not there       a gap
 *     log, marker without a segment   removed, if state.db does not miss it
 *     another board's                 closed as it stands; new device id, chain and epoch
 *     state.db of a newer version     set aside and made anew
 *     state.db damaged or lost        set aside, events taken over; cursors from the newest segment's header
 *     a row of state.db is damaged    removed, and made again from the newest segment's header
 */
#include "kept.h"
#include "salvage.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All pages of the segment that is to be gone on with are looked at; a larger one is left as it is. */
#define CHECK_BYTES (1024 * 1024)

struct found {
	bool rescue;    /* what was set aside may tell of events */
	bool damage;    /* something was lost: ids must not meet their namesakes */
	bool new_epoch; /* drawn for it already */
	bool new_device;
	bool same_boot;
	bool unfinished_state; /* its log ends in the middle of a commit */
	int64_t newest_seq;
	int64_t epoch;
	uint32_t newest_boot;
	char text[512];
};

/* The state.db that is there can't be used: another is to take its place. */
static int set_state_aside(struct kryos_store *store, struct found *found, int why)
{
	const char *suffix = why == KRYOS_EFORMAT ? "newer" : "bad";

	snprintf(found->text, sizeof(found->text), "state.db is set aside as state.db.%s and made anew: %s", suffix,
	         kryos_strerror(why));
	kri_store_report(store, KRYOS_EVENT_STORE, why, found->text);
	found->damage = true;
	found->rescue = why != KRYOS_EFORMAT;
	return kri_state_set_aside(store->folder, suffix);
}

/*
 * Drawn before anything writes over what tells of the damage: after a cut between the two nothing would, and the ids
 * of what is lost would be given again.
 */
static int end_epoch(struct kryos_store *store, struct found *found)
{
	int r = found->new_epoch ? 0 : kri_store_new_epoch(store);

	found->damage = true;
	found->new_epoch = r >= 0;
	return r;
}

static int open_state(struct kryos_store *store, struct found *found)
{
	struct kri_wal_scan scan = { .broken = false };
	char path[PATH_MAX];
	int64_t rescued = 0, events = 1;
	int r;

	snprintf(path, sizeof(path), "%s/state.db", store->folder);
	(void)!kri_wal_scan(path, &scan);
	r = kri_state_open(&store->state, store->folder, !store->segment_count, false);
	if (r == KRYOS_ECORRUPT || r == KRYOS_EFORMAT) {
		r = set_state_aside(store, found, r);
		if (r >= 0)
			r = kri_state_open(&store->state, store->folder, false, found->rescue);
	}
	/* A cut may have come before. */
	if (r >= 0 && store->state->aside)
		r = kri_sql_int(store->state->db, "SELECT count(*) FROM event", &events);
	if (r >= 0 && !events)
		r = kri_state_rescue(store->state, store->folder, "bad", &rescued);
	if (r < 0)
		return r;
	if (rescued)
		kri_log(store->ctx, KRYOS_LOG_NOTICE, "store", 0, "%" PRId64 " events were taken over", rescued);
	if (store->state->unmended && !store->state->bad_rows) {
		if (!found->damage && !store->state->torn)
			kri_store_report(store, KRYOS_EVENT_STORE, KRYOS_ECORRUPT,
			                 "state.db was lost, or some of it, and is made anew");
		found->damage = true;
	}
	if (store->state->bad_rows) {
		snprintf(found->text, sizeof(found->text), "state.db: %" PRId64 " rows had a wrong checksum",
		         store->state->bad_rows);
		kri_store_report(store, KRYOS_EVENT_STORE, KRYOS_ECRC, found->text);
		found->damage = true;
	}
	/* A queue's beginning may have been in the commit that is lost. */
	store->state_damaged = found->damage || scan.broken || scan.void_end;
	/* Older delivery state costs duplicates; but ids of events that are gone must not be given again. */
	found->unfinished_state = scan.broken || scan.frames_good > scan.last_commit_frame;
	/* (The commit that was cut may have been that of an epoch drawn for such damage.) */
	found->damage |= scan.void_end || found->unfinished_state;
	if (scan.broken && !scan.in_last_transaction) {
		snprintf(found->text, sizeof(found->text), "state.db lost its newest changes: %s", scan.text);
		kri_store_report(store, KRYOS_EVENT_STORE, KRYOS_ECORRUPT, found->text);
	}
	if (scan.broken || scan.void_end)
		r = kri_state_note_unmended(store->state, scan.broken && !scan.in_last_transaction ? "lost" : "torn");
	return r >= 0 && found->damage ? end_epoch(store, found) : r;
}

/* What state.db knows of closed segments, so that they need not be opened. */
static int read_seals(struct kryos_store *store, struct found *found)
{
	sqlite3_stmt *rows;
	char path[PATH_MAX];
	int r = kri_sql_prepare(store->state->db, &rows,
	                        "SELECT first_seq, last_seq, hash, last_wall_ns, last_trust, dropped, samples FROM seal"
	                        " ORDER BY first_seq"),
	    code;

	if (r < 0)
		return r;
	while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
		struct kri_segment_info *info = kri_store_find_segment(store, sqlite3_column_int64(rows, 0));

		/* As if it were not known: its file, if there is one, is looked into. */
		if (sqlite3_column_int64(rows, 1) > KRI_MAX_SEQ ||
		    sqlite3_column_int64(rows, 1) < sqlite3_column_int64(rows, 0))
			continue;
		if (sqlite3_column_int64(rows, 1) > found->newest_seq)
			found->newest_seq = sqlite3_column_int64(rows, 1);
		if (!info)
			continue;
		if (sqlite3_column_int(rows, 5)) {
			/* A cut came between the decision and the removal. */
			kri_segment_path(store->folder, info->first_seq, path, sizeof(path));
			r = kri_remove_db(path);
			if (r < 0)
				kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "%s", kryos_strerror(r));
			kri_store_drop_segment(store, info); /* the next open tries again */
			continue;
		}
		info->closed = info->recorded = true;
		info->last_seq = sqlite3_column_int64(rows, 1);
		snprintf(info->hash, sizeof(info->hash), "%s", kri_sql_text(rows, 2));
		info->last_wall_ns = sqlite3_column_int64(rows, 3);
		info->last_trust = (uint16_t)sqlite3_column_int(rows, 4);
		info->samples = sqlite3_column_int64(rows, 6);
	}
	r = kri_sql_fail(store->state->db, code);
	sqlite3_finalize(rows);
	return r;
}

/* More rows than fit in the file it cannot have held: no later seq can meet one of its own. */
static void assume_end(struct kryos_store *store, struct kri_segment_info *info)
{
	char path[PATH_MAX];

	kri_segment_path(store->folder, info->first_seq, path, sizeof(path));
	info->bytes = kri_segment_bytes_on_disk(path);
	info->last_seq = info->first_seq + kri_db_bytes(path) / 16 + KRI_MAX_WAITING;
	info->assumed = true;
	if (info + 1 < store->segments + store->segment_count && info->last_seq >= info[1].first_seq)
		info->last_seq = info[1].first_seq - 1;
}

/* The store goes on without it: for good if it is damaged, else until it can be read again. */
static void leave_out(struct kryos_store *store, struct kri_segment_info *info, int why)
{
	char text[PATH_MAX];
	int r;

	snprintf(text, sizeof(text), "%020" PRId64 ".seg: %s", info->first_seq, kryos_strerror(why));
	kri_store_report(store, KRYOS_EVENT_STORE, why, text);
	assume_end(store, info);
	info->left_out = why != KRYOS_ECORRUPT;
	if (info->left_out)
		return;
	store->damaged_segment = info->first_seq;
	r = kri_store_condemn(store);
	/* Without its marker it is found damaged at the next open again. */
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "%s", kryos_strerror(r));
}

/* Without reading every row, which takes too long for an open: seqs between the first and the last are samples or
 * events. */
static int count_samples(struct kryos_store *store, struct kri_segment_info *info)
{
	int64_t events = 0;
	int r = kri_state_count_events(store->state, info->first_seq, info->last_seq, &events);

	info->samples = info->last_seq - info->first_seq + 1 - events;
	return r;
}

/* Whether what comes next may be written to it. */
static bool goes_on(struct kryos_store *store, const struct kri_segment_info *info, const struct kri_segment *segment)
{
	return info == &store->segments[store->segment_count - 1] && segment->in_wal && !segment->sealed &&
	       strcmp(segment->device, store->device) == 0;
}

static int take_found(struct kryos_store *store, struct kri_segment_info *info, struct kri_segment *segment,
                      struct found *found)
{
	info->closed = !segment->in_wal;
	info->last_seq = segment->last_seq;
	info->last_wall_ns = segment->last_wall_ns;
	info->last_trust = segment->last_trust;
	kri_chain_text(&segment->chain, info->hash);
	if (segment->boot > found->newest_boot)
		found->newest_boot = segment->boot;
	return count_samples(store, info);
}

/* SQLite takes a log up to the first bad frame, and says nothing of what it drops: so it is not asked then. */
static int look_into_wal(const char *path, struct kri_wal_scan *ret_scan)
{
	int r = kri_wal_scan(path, ret_scan);

	if (r < 0)
		return r;
	return ret_scan->broken && !ret_scan->in_last_transaction
	               ? kryos_fail(KRYOS_ECORRUPT, "%s-wal: %s", path, ret_scan->text)
	               : 0;
}

/*
 * Without rows: it was never begun, or nothing was added yet; or its log is gone before anything of it was in the file.
 * KRYOS_ECORRUPT where state.db knows that it had some. Where its log is all zeros that is said, and where there is not
 * even a table no ids that it may have had are given again.
 */
static int drop_empty(struct kryos_store *store, struct kri_segment_info *info, bool never_begun,
                      const struct kri_wal_scan *scan, struct found *found)
{
	bool newest = info == &store->segments[store->segment_count - 1];
	char path[PATH_MAX];
	int r = 0;

	kri_segment_path(store->folder, info->first_seq, path, sizeof(path));
	if (kri_state_has_channels(store->state, info->first_seq))
		return kryos_fail(KRYOS_ECORRUPT, "%s: its rows are gone", path);
	if (never_begun)
		r = end_epoch(store, found);
	if (r >= 0)
		r = kri_store_note_wiped(store, info->first_seq, newest ? INT64_MAX : info[1].first_seq - 1, scan);
	if (r < 0)
		return r;
	r = kri_remove_db(path);
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "%s", kryos_strerror(r));
	kri_store_drop_segment(store, info);
	return 0;
}

/* Looks into one segment that state.db does not know as closed. */
static int look_into(struct kryos_store *store, int index, struct found *found)
{
	struct kri_segment_info *info = &store->segments[index];
	struct kri_segment *segment = NULL;
	struct kri_wal_scan scan = { .broken = false };
	char path[PATH_MAX];
	bool unfinished, checked;
	int r, noted = 0;

	kri_segment_path(store->folder, info->first_seq, path, sizeof(path));
	info->bytes = kri_db_bytes(path);
	r = look_into_wal(path, &scan);
	if (scan.broken || scan.void_end)
		noted = end_epoch(store, found);
	if (noted < 0)
		return noted;
	if (r >= 0)
		r = kri_segment_open(&segment, path, info->first_seq, store->ctx);
	/* A row that is written into a malformed page goes over one that is there. */
	checked = r >= 0 && (scan.broken || info->bytes <= CHECK_BYTES);
	if (checked)
		r = kri_sql_check_pages(segment->db, path);
	if (r >= 0 && scan.broken)
		r = kri_store_take_tail(store, segment, &scan);
	if (r < 0 && segment) {
		kri_segment_close(segment);
		segment = NULL;
	}
	if (r == -ENOENT || (r >= 0 && segment->last_seq < segment->first_seq)) {
		kri_segment_close(segment);
		segment = NULL;
		r = drop_empty(store, info, r == -ENOENT, &scan, found);
		if (r != KRYOS_ECORRUPT)
			return r;
	}
	/* A sector that can't be read must not keep a device from measuring; ids in a new epoch meet none of its. */
	if (r == KRYOS_ECORRUPT || r == -EIO)
		found->damage = true;
	if (r == KRYOS_ECORRUPT || r == -EIO || r == KRYOS_EFORMAT) {
		leave_out(store, info, r);
		return 0;
	}
	if (r < 0)
		return r;
	r = take_found(store, info, segment, found);
	/* What was taken up of a torn end may have holes. */
	if (r >= 0 && scan.broken)
		r = kri_sql_int(segment->db, "SELECT count(*) FROM sample", &info->samples);
	/* Frames of a commit that never was must not be taken for the end of a later one. */
	unfinished = scan.broken || scan.frames_good > scan.last_commit_frame;
	if (r >= 0 && segment->in_wal && (found->same_boot || unfinished) && kri_sql_settle(segment->db) < 0) {
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", -EIO, "%s is not written to any more", path);
		kri_segment_close(segment);
		return 0;
	}
	/* Records with ids behind its last may have left the device from RAM: in this epoch no others may follow. */
	if (segment->ring && info == &store->segments[store->segment_count - 1])
		found->damage = true;
	if (r >= 0 && checked && goes_on(store, info, segment)) {
		store->segment = segment;
		found->epoch = (int64_t)segment->epoch;
		return r;
	}
	kri_segment_close(segment);
	return r;
}

/*
 * What the process before this one wrote may be known to the kernel only, and after a sync that failed the kernel takes
 * it for written: no later sync brings it to the disk. Read now it looks well, and a commit that is written behind it
 * would be lost with it when the power goes. So it is written once more, into the database. After a restart of the
 * board all that can be read is on the disk. In doubt it is the same boot.
 */
static bool is_same_boot(struct kryos_store *store)
{
	sqlite3_stmt *row = NULL;
	bool same = true;

	if (kri_sql_prepare(store->state->db, &row, "SELECT boot_id FROM boot ORDER BY boot DESC LIMIT 1") >= 0 &&
	    sqlite3_step(row) == SQLITE_ROW)
		same = strcmp(kri_sql_text(row, 0), store->boot_id) == 0;
	sqlite3_finalize(row);
	return same;
}

static void settle_state(struct kryos_store *store, struct found *found)
{
	int r;

	found->same_boot = is_same_boot(store);
	r = found->same_boot || found->unfinished_state ? kri_sql_settle(store->state->db) : 0;
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "%s", kryos_strerror(r));
}

static int look_into_all(struct kryos_store *store, struct found *found)
{
	int r = 0;

	for (int i = 0; i < store->segment_count && r >= 0;) {
		int before = store->segment_count;
		struct kri_segment_info *info = &store->segments[i];

		if (info->bad) {
			assume_end(store, info);
			/* It may have been condemned in an epoch that no row was written in yet. */
			found->damage |= i == store->segment_count - 1;
		} else if (!info->recorded) {
			r = look_into(store, i, found);
		}
		if (store->segment_count == before)
			i++;
	}
	/* A segment left after a failed commit may hold rows that the next one has too: the newer are the right ones.
	 */
	for (int i = 0; i < store->segment_count; i++) {
		struct kri_segment_info *info = &store->segments[i];

		if (i + 1 < store->segment_count && info->last_seq >= info[1].first_seq)
			info->last_seq = info[1].first_seq - 1;
		if (info->last_seq > found->newest_seq)
			found->newest_seq = info->last_seq;
	}
	return r;
}

static int choose_epoch(struct kryos_store *store, struct found *found)
{
	char text[32] = "";
	int r;

	if (found->new_epoch)
		return 0;
	r = kri_state_get_meta(store->state, "epoch", text, sizeof(text));
	if (r < 0 && r != -ENOENT)
		return r;
	store->epoch = strtoull(text, NULL, 16);
	/* A cut came after damage, between the epoch that was drawn then and the first commit in it. */
	if (found->epoch && store->epoch && store->epoch != (uint64_t)found->epoch)
		found->damage = true;
	if (found->epoch)
		store->epoch = (uint64_t)found->epoch;
	return !store->epoch || found->damage || found->new_device ? kri_store_new_epoch(store) : 0;
}

/* What is known of the folder, up to the number and the epoch of what comes next. Damage found here is state.db's. */
static int recover(struct kryos_store *store, struct found *found)
{
	int64_t newest_event = 0, gaps = 0;
	int r = kri_list_segments(store->folder, &store->segments, &store->segment_count);

	if (r >= 0)
		r = open_state(store, found);
	if (r >= 0)
		settle_state(store, found);
	if (r >= 0)
		r = kri_store_identify(store, &found->new_device);
	if (r >= 0)
		r = read_seals(store, found);
	if (r >= 0)
		r = look_into_all(store, found);
	/* Where state.db was made anew it does not know what it should miss. */
	if (r >= 0 && !store->state_damaged)
		kri_store_remove_leftovers(store);
	if (r >= 0)
		r = kri_store_say_unread(store, &found->newest_seq);
	if (r >= 0)
		r = kri_store_report_missing(store);
	if (r >= 0 && store->state_damaged)
		r = kri_store_rebuild_state(store);
	if (r >= 0)
		r = kri_store_begin_boot(store, found->newest_boot, found->new_device);
	/* Whatever the row's checksum says: no other can be put where it is. */
	if (r >= 0)
		r = kri_sql_int(
			store->state->db,
			"SELECT coalesce(max(seq),0) FROM event WHERE seq <= 9007199254740992", /* KRI_MAX_SEQ */
			&newest_event);
	if (r >= 0)
		r = kri_store_check_end(store, &found->newest_seq, &found->damage);
	if (r >= 0)
		r = choose_epoch(store, found);
	/* One that was made anew is to know how far the rows went, too. */
	if (r >= 0 && store->state_damaged && found->newest_seq > 0) {
		snprintf(found->text, sizeof(found->text), "%" PRId64, found->newest_seq);
		r = kri_state_put_meta(store->state, "closed", found->text);
	}
	if (r >= 0)
		r = kri_sql_int(store->state->db, "SELECT count(*) FROM gap", &gaps);
	store->status.gaps = (uint64_t)gaps;
	store->stored_event_seq = newest_event;
	store->durable_seq = newest_event > found->newest_seq ? newest_event : found->newest_seq;
	store->next_seq = store->durable_seq + 1;
	return r;
}

/* As open_state does at once where the damage shows at once: all is to be looked at again. */
static int start_over(struct kryos_store *store, struct found *found)
{
	*found = (struct found){ .damage = true };
	kri_segment_close(store->segment);
	store->segment = NULL;
	kri_state_close(store->state);
	store->state = NULL;
	free(store->segments);
	store->segments = NULL;
	store->segment_count = 0;
	kri_key_free(store->key);
	store->key = NULL;
	kri_boots_clear(&store->boots);
	return set_state_aside(store, found, KRYOS_ECORRUPT);
}

/*
 * Whether there are rows of this boot whose time is not known. Where those before the segment that goes on are of it
 * too they are not looked at, which may take long: then there may be some, and a word more of its offset is said.
 */
static int look_for_untrusted(struct kryos_store *store, bool *ret_untrusted)
{
	int64_t found = 0;
	char sql[200];
	int r;

	snprintf(sql, sizeof(sql),
	         "SELECT EXISTS (SELECT 1 FROM sample WHERE boot=%" PRIu32 " AND trust < %d)"
	         " OR %d AND EXISTS (SELECT 1 FROM header WHERE key='boot' AND value='%" PRIu32 "')",
	         store->boot, KRYOS_TRUST_RTC, store->segment_count > 1, store->boot);
	r = kri_sql_int(store->segment->db, sql, &found);
	if (r >= 0)
		*ret_untrusted = found != 0;
	return r;
}

/* What the segment that goes on tells of the rows before. One whose rows can't be read does not go on. */
static int take_up(struct kryos_store *store, struct found *found)
{
	bool untrusted = false;
	int r = look_for_untrusted(store, &untrusted);

	if (r == KRYOS_ECORRUPT || r == -EIO) {
		kri_segment_close(store->segment);
		store->segment = NULL;
		leave_out(store, &store->segments[store->segment_count - 1], r);
		found->damage = true;
		if (store->durable_seq < store->segments[store->segment_count - 1].last_seq)
			store->durable_seq = store->segments[store->segment_count - 1].last_seq;
		store->next_seq = store->durable_seq + 1;
		return choose_epoch(store, found);
	}
	store->last_round = store->segment->last_round;
	store->segment->opened_boot_ns = kri_boot_ns(store->ctx);
	store->untrusted_in_boot &= untrusted;
	/* Damage somewhere: what is written from now on must carry the new epoch, so in a segment of its own. */
	if (r >= 0 && found->damage) {
		kri_segment_close(store->segment);
		store->segment = NULL;
	}
	return r;
}

int kri_store_recover(struct kryos_store *store)
{
	struct found found = { .damage = false };
	int r;

	store->syncs.cause = KRI_SYNC_ROTATION;
	r = kri_draw_epoch(&store->event_epoch);
	if (r >= 0)
		r = recover(store, &found);
	if (r == KRYOS_ECORRUPT && store->state) {
		r = start_over(store, &found);
		if (r >= 0)
			r = recover(store, &found);
	}
	if (r < 0)
		return r;
	/* Damage to the newest must not make the clock forget what the others know. */
	for (int i = store->segment_count - 1; i >= 0 && !store->last_wall_ns; i--) {
		store->last_wall_ns = store->segments[i].last_wall_ns;
		store->last_trust = store->segments[i].last_trust;
	}
	if (store->segment_count) {
		struct kri_segment_info *newest = &store->segments[store->segment_count - 1];

		store->last_segment = newest->first_seq;
		snprintf(store->last_hash, sizeof(store->last_hash), "%s", newest->hash);
	}
	r = kri_configured_load(store);
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "what is in force will be said again: %s",
		        kryos_strerror(r));
	r = kri_kept_load(store);
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "what was kept with the store is not known: %s",
		        kryos_strerror(r));
	r = kri_audit_load(store, found.new_device);
	if (r >= 0 && store->segment)
		r = take_up(store, &found);
	kri_store_learn_first(store);
	store->session_seq = store->next_seq;
	return r;
}
