/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of state.db that are under no signature of their own, against what is: boots against the headers of sealed
 * segments, and boots, gaps, and what is in force against the events. A state.db that was lost, and made anew from a
 * segment's header and what events could be rescued, is not accused of what it had to make again: only of the events
 * that are gone.
 */
#include "verify.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTE(x) #x
#define NUMBER(x) QUOTE(x)
#define TRIMMED "EXISTS (SELECT 1 FROM event WHERE type=16 AND code=" NUMBER(KRI_AUDIT_TRIM) " AND name='store')"
/* What was made anew knows of some boots only. */
#define MADE_ANEW "EXISTS (SELECT 1 FROM event WHERE type=13 AND name='store' AND text LIKE 'state.db%')"

/* What events tell of must be as they tell. (Event types by number: 7 to 24 of enum kryos_event_type.) */
static int check_events_told(struct kri_check *check)
{
	static const char *const seals =
		"SELECT 'the seal '||first_seq||' that event '||seq||' tells of is another or missing', seq, t_wall_ns"
		" FROM event WHERE type=12 AND code=0 AND (first_seq >= (SELECT min(first_seq) FROM seal) OR NOT"
		" (" MADE_ANEW " OR (SELECT count(*) FROM seal WHERE dropped=1) >= " NUMBER(
			KRI_KEPT_ROWS) "))"
				       " AND NOT EXISTS (SELECT 1 FROM seal WHERE seal.first_seq=event.first_seq AND "
				       "seal.hash=event.text)";
	static const char *const audit =
		"SELECT 'the seal '||last_seq||' that event '||seq||' tells of is another or missing', seq, t_wall_ns"
		" FROM event WHERE type=12 AND code=" NUMBER(
			KRI_AUDIT_SEAL) " AND last_seq >= coalesce((SELECT min(last_seq) FROM audit_seal),0) AND NOT "
					"EXISTS"
					" (SELECT 1 FROM audit_seal WHERE audit_seal.last_seq=event.last_seq AND "
					"audit_seal.hash=event.text)";
	/* As kri_configured_put: what is behind "; is ". */
	static const char *const configured =
		"SELECT 'what is in force of \"'||name||'\" is not what event '||seq||' says', seq, t_wall_ns"
		" FROM (SELECT max(seq) AS seq, name, text, t_wall_ns FROM event WHERE type IN (22,24)"
		" AND instr(text,'; is ') GROUP BY name) WHERE NOT EXISTS (SELECT 1 FROM meta"
		" WHERE key='config:'||name AND value=substr(text,instr(text,'; is ')+5))";
	/* The first event that is kept goes on from the seal of others, which another one tells of. */
	static const char *const trimmed =
		"SELECT 'events before '||first||' are missing, and no event tells of their removal', first, 0 FROM"
		" (SELECT min(seq) AS first FROM event) WHERE first > (SELECT min(last_seq) FROM audit_seal) AND NOT "
		"EXISTS"
		" (SELECT 1 FROM event WHERE type=16 AND code=" NUMBER(
			KRI_AUDIT_TRIM) " AND name='store'"
					" AND event.last_seq >= (SELECT max(last_seq) FROM audit_seal WHERE last_seq < "
					"first))";
	/* Each event of a configuration that was ever kept is there: so none is in force that no event tells of. */
	static const char *const invented =
		"SELECT 'no event says that \"'||substr(key,8)||'\" is in force', 0, 0 FROM meta"
		" WHERE substr(key,1,7)='config:' AND NOT " TRIMMED " AND NOT EXISTS (SELECT 1 FROM event"
		" WHERE type IN (22,24) AND name=substr(key,8) AND instr(text,'; is '))";
	int r = kri_verify_each_row(check, &check->result->bad_links, trimmed);

	if (r >= 0)
		r = kri_verify_each_row(check, &check->result->bad_seals, seals);
	if (r >= 0)
		r = kri_verify_each_row(check, &check->result->bad_seals, audit);
	if (r >= 0)
		r = kri_verify_each_row(check, &check->result->bad_links, configured);
	if (r >= 0)
		r = kri_verify_each_row(check, &check->result->bad_links, invented);
	return r;
}

/* The newest header that names the boot; sealed: of those that are. NULL: none. */
static const struct kri_noted_boot *find_named(const struct kri_check *check, uint32_t boot, bool sealed)
{
	for (int i = check->boot_count - 1; i >= 0; i--)
		if (check->boots[i].is.boot == boot && (!sealed || check->boots[i].sealed))
			return &check->boots[i];
	return NULL;
}

/* What the newest sealed header names: the boots between its first and its last are all that there were. */
static bool is_left_out(const struct kri_check *check, uint32_t boot)
{
	uint32_t low = UINT32_MAX, high = 0;
	int64_t segment = 0;

	for (int i = check->boot_count - 1; i >= 0; i--) {
		const struct kri_noted_boot *noted = &check->boots[i];

		if (!noted->sealed || (segment && noted->segment != segment))
			continue;
		segment = noted->segment;
		if (noted->is.boot == boot)
			return false;
		low = noted->is.boot < low ? noted->is.boot : low;
		high = noted->is.boot > high ? noted->is.boot : high;
	}
	return boot > low && boot < high;
}

/* An offset as the newest event of its boot tells of it. */
struct told {
	int64_t seq, t_wall_ns, offset_ns; /* seq 0: none does */
	uint16_t trust;
};

static int find_told(struct kri_check *check, uint32_t boot, struct told *ret_told)
{
	sqlite3_stmt *row;
	int r = kri_sql_prepare(check->db, &row,
	                        "SELECT seq, t_wall_ns, value_ns, CASE text WHEN 'rtc' THEN 2 WHEN 'synced' THEN 3 END"
	                        " FROM event WHERE type=9 AND code=? ORDER BY seq DESC LIMIT 1"),
	    code;

	*ret_told = (struct told){ .seq = 0 };
	if (r < 0)
		return r;
	sqlite3_bind_int64(row, 1, boot);
	code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		*ret_told = (struct told){ sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
			                   sqlite3_column_int64(row, 2), (uint16_t)sqlite3_column_int(row, 3) };
	r = kri_sql_fail(check->db, code);
	sqlite3_finalize(row);
	return r;
}

/* How long it was off, by the first event of that boot whose time is known; within a second, for the clock is slewed.
 */
static bool is_counted(struct kri_check *check, const struct kri_boot *row, const struct kri_boot *was)
{
	int64_t offset_ns, off_ns, more_ns = kri_ns_subtract(row->device_ns, was->device_ns);
	char sql[160];

	snprintf(sql, sizeof(sql),
	         "SELECT t_wall_ns-t_boot_ns FROM event WHERE boot=%" PRIu32 " AND trust >= %d ORDER BY seq LIMIT 1",
	         row->boot, KRYOS_TRUST_RTC);
	if (kri_sql_int(check->db, sql, &offset_ns) < 0)
		return more_ns >= 0;
	off_ns = kri_ns_subtract(offset_ns, was->before_ns);
	return llabs(kri_ns_subtract(more_ns, off_ns > 0 ? off_ns : 0)) <= KRYOS_SECONDS(1);
}

/* A boot that went on after its header was written may have learnt the time since, and with it how long it was off. */
static bool may_follow(struct kri_check *check, const struct kri_boot *row, const struct kri_noted_boot *named)
{
	const struct kri_boot *was = &named->is;

	if (!named->running)
		return row->device_ns == was->device_ns && row->before_ns == was->before_ns &&
		       row->trust == was->trust && row->offset_ns == was->offset_ns;
	if (was->trust && !row->trust)
		return false;
	if (row->before_ns == was->before_ns)
		return row->device_ns == was->device_ns;
	return was->before_ns && !row->before_ns && is_counted(check, row, was);
}

static bool is_same(const struct kri_boot *row, uint16_t trust, int64_t offset_ns)
{
	return row->trust == trust && row->offset_ns == offset_ns;
}

/* Made anew, where the event of it was lost: as kri_store_rebuild_state() takes what the header has. */
static bool may_be_named(const struct kri_boot *row, const struct kri_noted_boot *named, const struct told *told)
{
	return named && is_same(row, named->is.trust, named->is.offset_ns) &&
	       (named->is.trust > told->trust || (named->is.trust == told->trust && named->segment > told->seq));
}

static int judge_boot(struct kri_check *check, const struct kri_boot *row)
{
	const struct kri_noted_boot *sealed = find_named(check, row->boot, true);
	const struct kri_noted_boot *named = find_named(check, row->boot, false);
	uint64_t *bad = &check->result->bad_links;
	int64_t made_anew = 0;
	struct told told;
	int r = find_told(check, row->boot, &told);

	if (r >= 0)
		r = kri_sql_int(check->db, "SELECT " MADE_ANEW, &made_anew);
	if (r < 0)
		return r;
	if (told.seq && !is_same(row, told.trust, told.offset_ns) && !(made_anew && may_be_named(row, named, &told)))
		kri_verify_broken(check, bad, told.seq, told.t_wall_ns,
		                  "the offset of boot %" PRIu32 " is not what event %" PRId64 " says", row->boot,
		                  told.seq);
	else if (sealed && !may_follow(check, row, sealed))
		kri_verify_broken(check, bad, 0, 0, "boot %" PRIu32 " is not what segment %" PRId64 " says of it",
		                  row->boot, sealed->segment);
	else if (!sealed && is_left_out(check, row->boot))
		kri_verify_broken(check, bad, 0, 0, "boot %" PRIu32 " is in no segment that should name it", row->boot);
	else if (!told.seq && row->trust && !(named && is_same(row, named->is.trust, named->is.offset_ns)))
		kri_verify_broken(check, bad, 0, 0, "the offset of boot %" PRIu32 " is in no event and no segment",
		                  row->boot);
	return 0;
}

/* Boots stay as long as an event of them does. */
static int check_missing_boots(struct kri_check *check, const struct kri_boots *rows)
{
	static const char *const missing =
		"SELECT 'boot '||boot||' of event '||min(seq)||' is missing', min(seq), 0"
		" FROM event WHERE NOT " MADE_ANEW " AND boot NOT IN (SELECT boot FROM boot) GROUP BY boot";
	int64_t oldest = INT64_MAX, newest = 0;
	int r = kri_sql_int(check->db, "SELECT coalesce((SELECT boot FROM event ORDER BY seq LIMIT 1),1<<40)", &oldest);

	for (int i = check->boot_count - 1; i >= 0 && r >= 0; i--) {
		const struct kri_noted_boot *noted = &check->boots[i];

		if (!noted->sealed || (newest && noted->segment != newest))
			continue;
		newest = noted->segment;
		if (noted->is.boot >= oldest && !kri_boots_find(rows, noted->is.boot))
			kri_verify_broken(check, &check->result->bad_links, 0, 0,
			                  "boot %" PRIu32 ", which segment %" PRId64 " names, is missing",
			                  noted->is.boot, noted->segment);
	}
	return r < 0 ? r : kri_verify_each_row(check, &check->result->bad_links, missing);
}

static int check_boots(struct kri_check *check)
{
	static const char *const numbers =
		"SELECT 'there can be no boot '||boot, 0, 0 FROM boot WHERE boot NOT BETWEEN 1 AND 4294967295"
		" OR (offset_ns IS NULL) <> (trust IS NULL) OR coalesce(trust,2) NOT IN (2,3)";
	struct kri_boots rows = { .list = NULL };
	int r = kri_verify_each_row(check, &check->result->bad_links, numbers);

	if (r >= 0)
		r = kri_boots_read(&rows, check->db, "", NULL);
	for (int i = 0; i < rows.count && r >= 0; i++)
		r = judge_boot(check, &rows.list[i]);
	if (r >= 0)
		r = check_missing_boots(check, &rows);
	kri_boots_clear(&rows);
	return r;
}

/*
 * Each gap has its event, committed with it, in the same order: so from the newest on they go in pairs. Of gaps only
 * the newest 10,000 stay, of events what was not trimmed.
 */
static int check_gaps(struct kri_check *check)
{
	static const char *const alone =
		"SELECT 'gap '||gap.first_seq||' to '||gap.last_seq||' is not as an event tells of it', 0, 0 FROM"
		" (SELECT *, row_number() OVER (ORDER BY id DESC) AS n FROM gap) gap LEFT JOIN (SELECT *, row_number()"
		" OVER (ORDER BY seq DESC) AS n FROM event WHERE type=7) event USING (n)"
		" WHERE CASE WHEN event.seq IS NULL THEN NOT " TRIMMED " ELSE gap.first_seq<>event.first_seq"
		" OR gap.last_seq<>event.last_seq OR gap.reason<>event.text END ORDER BY n";
	static const char *const missing =
		"SELECT 'the gap that event '||seq||' tells of is missing', seq, t_wall_ns FROM (SELECT *, row_number()"
		" OVER (ORDER BY seq DESC) AS n FROM event WHERE type=7) WHERE n <= 10000"
		" AND n > (SELECT count(*) FROM gap) ORDER BY n";
	int r = kri_verify_each_row(check, &check->result->bad_links, alone);

	return r < 0 ? r : kri_verify_each_row(check, &check->result->bad_links, missing);
}

/* The device that goes on with this store signed something here, or an event tells of it. */
static int check_device(struct kri_check *check)
{
	char sql[200];
	bool known = !check->key_count;
	int64_t count = 0;
	int r = 0;

	for (int i = 0; i < check->key_count && r >= 0 && !known; i++) {
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM meta WHERE key='device' AND value='%.32s'",
		         check->keys[i].fingerprint);
		r = kri_sql_int(check->db, sql, &count);
		known = count > 0;
	}
	if (r < 0 || known)
		return r;
	return kri_verify_each_row(check, &check->result->bad_links,
	                           "SELECT 'device '||value||' signed nothing here, and no event tells of it', 0, 0"
	                           " FROM meta WHERE key='device' AND NOT EXISTS (SELECT 1 FROM event WHERE type=16"
	                           " AND instr(text, value))");
}

int kri_verify_told(struct kri_check *check)
{
	int r = check_events_told(check);

	if (r >= 0)
		r = check_boots(check);
	if (r >= 0)
		r = check_gaps(check);
	return r < 0 ? r : check_device(check);
}
