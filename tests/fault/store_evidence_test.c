/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is changed in a store is found: by somebody who changes a row, and by somebody who makes all checksums and
 * chains anew and lacks nothing but the key.
 */
#include "rig.h"
#include <fcntl.h>
#include <inttypes.h>
#include <kryos/bundle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum where { OLDEST, MIDDLE, OPEN, STATE, FILES };

static const char *whole; /* the store's folder, as it was written */
static char changed[600]; /* a copy that is changed */
static int64_t numbers[3];

static void copy_folder(const char *from, const char *to)
{
	char *command = NULL;

	assert_true(asprintf(&command, "rm -rf '%s' && cp -a '%s' '%s' && chmod -R u+w '%s'", to, from, to, to) > 0);
	assert_int_equal(system(command), 0);
	free(command);
}

/* As rig_sql, with row_crc(). */
static int change(const char *path, const char *sql)
{
	sqlite3 *db;
	int rows;

	assert_ok(kri_sql_open(&db, path, SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_exec(db, sql));
	rows = sqlite3_changes(db);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return rows;
}

static const char *file_of(enum where where)
{
	static char path[700];

	if (where == STATE)
		snprintf(path, sizeof(path), "%s/state.db", changed);
	else
		snprintf(path, sizeof(path), "%s/%020" PRId64 ".seg", changed, numbers[where]);
	return path;
}

/* Two sealed segments and an open one, some of it from before the time was known, events between. */
static int setup(void **state)
{
	struct rig *rig;

	rig_setup(state);
	rig = *state;
	kryos_fake_clock_set_synced(rig->clock, 0);
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_append_minutes(rig, 2);
	kryos_fake_clock_set_synced(rig->clock, 1);
	kri_clock_refresh(rig->ctx);
	assert_int_equal(
		kri_store_note(rig->store, KRYOS_EVENT_CONFIGURED, "section sensor fridge", "every = 1min", "a nurse"),
		1);
	for (int i = 0; i < 3; i++) {
		struct kryos_event event = { .type = KRYOS_EVENT_AUDIT,
			                     .name = "nurse",
			                     .text = i ? "looked" : "came" };

		assert_ok(kryos_store_add_event(rig->store, &event));
		numbers[i] = rig_append_minutes(rig, 3);
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
		if (i < 2)
			rig_rotate(rig);
	}
	rig_wait_sealed(rig);
	for (int i = 0; i < 3; i++)
		numbers[i] = rig->store->segments[i].first_seq;
	assert_int_equal(rig->store->segment_count, 3);
	rig_stop(rig);
	whole = rig->path;
	snprintf(changed, sizeof(changed), "%s/changed", rig->folder);
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	return 0;
}

/* All that can be made anew of a segment by somebody who has the format's description and no key. */
static void forge_segment(const char *path)
{
	struct kri_chain chain;
	sqlite3 *db;
	sqlite3_stmt *rows, *put;
	char text[KRI_LINE_MAX], hash[KRI_HASH_TEXT], sql[200];
	uint64_t epoch;
	int64_t first = 0;

	assert_ok(kri_sql_open(&db, path, SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_prepare(db, &rows, "SELECT value FROM header WHERE key='epoch'"));
	assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
	epoch = strtoull(kri_sql_text(rows, 0), NULL, 16);
	sqlite3_finalize(rows);
	assert_ok(kri_chain_new(&chain));
	assert_ok(kri_chain_begin(&chain, true));
	assert_ok(kri_sql_prepare(db, &rows, "SELECT 'header|'||key||'|'||value||char(10) FROM header ORDER BY key"));
	while (sqlite3_step(rows) == SQLITE_ROW)
		assert_ok(kri_chain_add(&chain, kri_sql_text(rows, 0), strlen(kri_sql_text(rows, 0))));
	sqlite3_finalize(rows);
	assert_ok(kri_chain_end(&chain));
	for (int kind = 0; kind < 3; kind++) {
		static const char *const lines[] = {
			"SELECT rowid, 'boot|'||boot||'|'||since||'|'||boot_id FROM boot",
			"SELECT rowid, 'channel|'||channel||'|'||since||'|'||name||'|'||unit||'|'||place FROM channel",
			"SELECT rowid, "
			"'sample|'||seq||'|'||channel||'|'||boot||'|'||round||'|'||t_boot_ns||'|'||t_wall_ns||'|'"
			"||trust||'|'||quality||'|'||value_micro||'|'||alarm FROM sample"
		};
		static const char *const puts[] = { "UPDATE boot SET crc=? WHERE rowid=?",
			                            "UPDATE channel SET crc=? WHERE rowid=?",
			                            "UPDATE sample SET crc=? WHERE rowid=?" };

		assert_ok(kri_sql_prepare(db, &rows, lines[kind]));
		assert_ok(kri_sql_prepare(db, &put, puts[kind]));
		while (sqlite3_step(rows) == SQLITE_ROW) {
			const char *line = kri_sql_text(rows, 1);

			sqlite3_bind_int64(put, 1, kri_text_crc(kri_epoch_crc(epoch), line, strlen(line)));
			sqlite3_bind_int64(put, 2, sqlite3_column_int64(rows, 0));
			assert_ok(kri_sql_run(put));
		}
		sqlite3_finalize(rows);
		sqlite3_finalize(put);
	}
	/* One commit a row. */
	assert_ok(kri_sql_prepare(db, &rows,
	                          "SELECT seq, 'sample|'||seq||'|'||channel||'|'||boot||'|'||round||'|'||"
	                          "t_boot_ns||'|'||t_wall_ns||'|'||trust||'|'||quality||'|'||value_micro||"
	                          "'|'||alarm||'|'||crc||char(10) FROM sample ORDER BY seq"));
	while (sqlite3_step(rows) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(rows, 0);
		sqlite3_stmt *names;

		assert_ok(kri_chain_begin(&chain, false));
		for (int kind = 0; kind < 2; kind++) {
			assert_ok(kri_sql_prepare(
				db, &names,
				kind ? "SELECT "
				       "'channel|'||channel||'|'||since||'|'||name||'|'||unit||'|'||place||'|'||crc||"
				       "char(10) FROM channel WHERE since=? ORDER BY channel"
				     : "SELECT 'boot|'||boot||'|'||since||'|'||boot_id||'|'||crc||char(10) FROM boot"
				       " WHERE since=? ORDER BY boot"));
			sqlite3_bind_int64(names, 1, seq);
			while (sqlite3_step(names) == SQLITE_ROW)
				assert_ok(
					kri_chain_add(&chain, kri_sql_text(names, 0), strlen(kri_sql_text(names, 0))));
			sqlite3_finalize(names);
		}
		snprintf(text, sizeof(text), "%s", kri_sql_text(rows, 1));
		assert_ok(kri_chain_add(&chain, text, strlen(text)));
		assert_ok(kri_chain_end(&chain));
		kri_chain_text(&chain, hash);
		snprintf(sql, sizeof(sql), "UPDATE sample SET hash=x'%s' WHERE seq=%" PRId64, hash, seq);
		assert_ok(kri_sql_exec(db, sql));
		first = first ? first : seq;
	}
	sqlite3_finalize(rows);
	snprintf(sql, sizeof(sql), "UPDATE seal SET hash='%s', last_seq=(SELECT max(seq) FROM sample)", hash);
	assert_ok(kri_sql_exec(db, sql));
	sqlite3_close(db);
	kri_chain_free(&chain);
}

/* The same of events. */
static void forge_events(const char *path)
{
	struct kri_stored_event event;
	struct kri_chain chain;
	sqlite3_stmt *rows, *put;
	uint64_t epoch;
	sqlite3 *db;
	bool bad;

	assert_ok(kri_sql_open(&db, path, SQLITE_OPEN_READWRITE));
	assert_ok(kri_chain_new(&chain));
	assert_ok(kri_sql_prepare(db, &rows, KRI_SELECT_EVENTS " ORDER BY seq"));
	assert_ok(kri_sql_prepare(db, &put, "UPDATE event SET crc=?, hash=? WHERE seq=?"));
	while (sqlite3_step(rows) == SQLITE_ROW) {
		char line[KRI_LINE_MAX + 1024];
		uint32_t crc;
		size_t length;

		kri_state_take_event(rows, &event, &epoch, &bad);
		length = kri_text_end(line, kri_event_text(&event, epoch, line), kri_epoch_crc(epoch), &crc);
		assert_ok(kri_chain_begin(&chain, false));
		assert_ok(kri_chain_add(&chain, line, length));
		assert_ok(kri_chain_end(&chain));
		sqlite3_bind_int64(put, 1, crc);
		sqlite3_bind_blob(put, 2, chain.hash, KRI_SHA256_SIZE, SQLITE_TRANSIENT);
		sqlite3_bind_int64(put, 3, event.seq);
		assert_ok(kri_sql_run(put));
	}
	sqlite3_finalize(rows);
	sqlite3_finalize(put);
	sqlite3_close(db);
	kri_chain_free(&chain);
}

static void expect_with(struct rig *rig, const char *what, const char *words, const struct kryos_verify_config *config)
{
	struct kryos_verify_result result = { .size = sizeof(result) };

	assert_ok(kryos_verify_with(rig->ctx, changed, config, &result));
	if (!strstr(result.first_problem, words) || (!*words && result.first_problem[0]))
		fail_msg("%s: \"%s\" does not say \"%s\"", what, result.first_problem, words);
	assert_true(!*words || result.bad_rows || result.bad_links || result.bad_seals);
}

static void expect(struct rig *rig, const char *what, const char *words)
{
	expect_with(rig, what, words, NULL);
}

#define SECOND "(SELECT seq FROM sample ORDER BY seq LIMIT 1 OFFSET 1)"
#define SET(column, value) "UPDATE sample SET " column "=" value " WHERE seq=" SECOND
#define ROW "wrong checksum of the row with seq"
#define SEAL "the seal is not good"
#define CONFIG "key='config:section sensor fridge'"
/* In the middle of a sealed stretch. */
#define AN_EVENT                                                                                                       \
	"seq=(SELECT max(seq) FROM event WHERE seq < (SELECT max(last_seq) FROM audit_seal) AND seq NOT IN (SELECT"    \
	" last_seq FROM audit_seal) AND type<>24)"
/* Of hexadecimal digits: the first is another one. */
#define OTHER(what) "CASE substr(" what ",1,1) WHEN '0' THEN '1' ELSE '0' END||substr(" what ",2)"
#define OTHERS "are not those that were sealed"

static const struct {
	enum where where;
	const char *sql, *plain, *forged; /* what is said of it, and once all is made anew; NULL: not tried */
} cases[] = {
	{ OLDEST, SET("value_micro", "value_micro+1"), ROW, SEAL },
	{ OLDEST, SET("quality", "6"), ROW, SEAL },
	{ OLDEST, SET("alarm", "alarm+1"), ROW, SEAL },
	{ OLDEST, SET("t_wall_ns", "t_wall_ns+1"), ROW, SEAL },
	{ OLDEST, SET("t_boot_ns", "t_boot_ns+1"), ROW, SEAL },
	{ OLDEST, SET("trust", "3-trust"), ROW, SEAL },
	{ OLDEST, SET("round", "round+7"), ROW, SEAL },
	{ OLDEST, SET("channel", "channel+1"), ROW, SEAL },
	{ OLDEST, SET("boot", "boot+1"), ROW, SEAL },
	{ OLDEST, SET("crc", "crc+1"), ROW, NULL },
	/* What reads as the same number and is another one to whoever asks SQLite. */
	{ OLDEST, SET("quality", "quality+65536"), ROW, NULL },
	{ OLDEST, SET("channel", "channel+4294967296"), ROW, NULL },
	{ OLDEST, SET("value_micro", "value_micro||'x'"), ROW, NULL },
	{ OLDEST, SET("value_micro", "value_micro+0.5"), ROW, NULL },
	{ OLDEST, SET("crc", "crc+4294967296"), ROW, NULL },
	{ OLDEST, "UPDATE channel SET place=place||char(0)||'freezer'", "wrong checksum of \"channel|", NULL },
	{ OLDEST, "UPDATE sample SET hash=zeroblob(32) WHERE seq=" SECOND, "the hash chain is broken at seq", NULL },
	{ OLDEST, "DELETE FROM sample WHERE seq=" SECOND, "the hash chain is broken at seq", SEAL },
	{ OLDEST,
	  "INSERT INTO sample SELECT max(seq)+1,channel,boot,round,t_boot_ns,t_wall_ns,trust,quality,value_micro,"
	  "alarm,crc,NULL FROM sample",
	  ROW, SEAL },
	{ OLDEST,
	  "UPDATE sample SET value_micro=(SELECT sum(value_micro) FROM sample s WHERE s.seq<=" SECOND ")-value_micro,"
	  "t_wall_ns=t_wall_ns+1 WHERE seq<=" SECOND,
	  ROW, SEAL },
	{ OLDEST, "UPDATE boot SET boot_id='x'", "wrong checksum of \"boot|", SEAL },
	{ OLDEST, "INSERT INTO boot VALUES(99,0,'x',0)", "boots or channels are in no commit", "in no commit" },
	{ OLDEST, "UPDATE channel SET name='other.temperature'", "wrong checksum of \"channel|", SEAL },
	{ OLDEST, "UPDATE channel SET unit='K'", "wrong checksum of \"channel|", SEAL },
	{ OLDEST, "UPDATE channel SET place='freezer'", "wrong checksum of \"channel|", SEAL },
	{ OLDEST, "UPDATE header SET value='2020-01-01T00:00:00Z' WHERE key='created'", "the hash chain is broken",
	  SEAL },
	{ MIDDLE, "UPDATE header SET value='x' WHERE key='events'", "the hash chain is broken", SEAL },
	/* Two rows in one, whose line is the same bytes. */
	{ MIDDLE,
	  "UPDATE header SET value=value||char(10)||'header|events|'||(SELECT value FROM header WHERE key='events')"
	  " WHERE key='epoch'; DELETE FROM header WHERE key='events'",
	  "its header has a row that no store writes", NULL },
	{ MIDDLE, "UPDATE header SET value=" OTHER("value") " WHERE key='previous_hash'", "does not follow",
	  "does not follow" },
	{ MIDDLE, SET("value_micro", "value_micro+1"), ROW, SEAL },
	{ OPEN, SET("value_micro", "value_micro+1"), ROW, NULL },
	{ OPEN, "DELETE FROM sample WHERE seq=" SECOND, "the hash chain is broken", NULL },
	{ OLDEST, "UPDATE seal SET signature=" OTHER("signature"), SEAL, NULL },
	{ OLDEST, "UPDATE seal SET last_seq=last_seq+1", SEAL, NULL },
	{ OLDEST, "DELETE FROM seal", "is not the one that was sealed", NULL },
	{ OLDEST, "DELETE FROM seal; " SET("value_micro", "value_micro+1"), ROW,
	  "does not follow from the segment before" },
	{ MIDDLE, "DELETE FROM seal; " SET("value_micro", "value_micro+1"), ROW,
	  "does not follow from the segment before" },
	{ STATE, "UPDATE event SET text='stole' WHERE " AN_EVENT, "wrong checksum of event", OTHERS },
	{ STATE, "UPDATE event SET t_wall_ns=t_wall_ns+1 WHERE " AN_EVENT, "wrong checksum of event", OTHERS },
	{ STATE, "UPDATE event SET code=code+4294967296 WHERE " AN_EVENT, "wrong checksum of event", NULL },
	{ STATE, "UPDATE event SET text=text||char(0)||'stole' WHERE " AN_EVENT, "wrong checksum of event", NULL },
	{ STATE, "UPDATE event SET epoch=epoch||'0' WHERE " AN_EVENT, "wrong checksum of event", NULL },
	{ STATE, "INSERT INTO state VALUES('x',1,x'00',5)", "wrong checksum of state", NULL },
	{ STATE, "DELETE FROM event WHERE " AN_EVENT, "the chain of events is broken", OTHERS },
	{ STATE,
	  "INSERT INTO event SELECT -5,epoch,boot,t_boot_ns,t_wall_ns,trust,type,code,first_seq,last_seq,value_ns,"
	  "name,text,crc,hash FROM event WHERE " AN_EVENT,
	  "wrong checksum of event", OTHERS },
	{ STATE, "UPDATE event SET text=CASE text WHEN 'came' THEN 'looked' ELSE 'came' END WHERE name='nurse'",
	  "wrong checksum of event", OTHERS },
	{ STATE, "DELETE FROM event WHERE seq=(SELECT max(last_seq) FROM audit_seal)", "is missing", "is missing" },
	{ STATE, "DELETE FROM event WHERE seq<=(SELECT min(last_seq) FROM audit_seal)",
	  "no event tells of their removal", NULL },
	{ STATE, "UPDATE audit_seal SET signature=" OTHER("signature"), "wrong checksum of the seal of events", NULL },
	{ STATE,
	  "UPDATE audit_seal SET hash=" OTHER("hash") ",crc=row_crc('audit_seal',last_seq,first_seq,device,"
	                                              "public_key," OTHER("hash") ",signature)",
	  "the seal of events up to", "the seal of events up to" },
	{ STATE, "DELETE FROM audit_seal WHERE last_seq=(SELECT max(last_seq) FROM audit_seal)",
	  "tells of is another or missing", NULL },
	{ STATE, "DELETE FROM event WHERE " AN_EVENT "; DELETE FROM audit_seal", NULL, "which it names, is missing" },
	{ STATE, "UPDATE meta SET value='every = 1d' WHERE " CONFIG, "wrong checksum of meta", NULL },
	{ STATE, "UPDATE meta SET value='every = 1d',crc=row_crc('meta',key,'every = 1d') WHERE " CONFIG,
	  "what is in force of \"section sensor fridge\" is not what event", NULL },
	{ STATE, "DELETE FROM meta WHERE " CONFIG, "what is in force of", NULL },
	{ STATE,
	  "UPDATE boot SET offset_ns=offset_ns+1,crc=row_crc('boot',boot,boot_id,offset_ns+1,trust,device_ns,before_ns)"
	  " WHERE offset_ns IS NOT NULL",
	  "the offset of boot", NULL },
	{ STATE, "UPDATE seal SET hash=" OTHER("hash"), "wrong checksum of the seal of segment", NULL },
	{ STATE,
	  "UPDATE seal SET hash=" OTHER("hash") ",crc=row_crc('seal',first_seq,last_seq,epoch,device," OTHER(
		  "hash") ",signature,bytes,last_wall_ns,last_trust,samples,dropped,removed)",
	  "the seal of segment", NULL },
	{ STATE, "DELETE FROM seal WHERE first_seq=(SELECT max(first_seq) FROM seal)", "tells of is another or missing",
	  NULL },
};

static void each_kind_of_change_is_found(void **state)
{
	struct rig *rig = *state;
	int tried = 0;

	copy_folder(whole, changed);
	expect(rig, "unchanged", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int forge = 0; forge < 2; forge++) {
			const char *words = forge ? cases[i].forged : cases[i].plain;

			if (!words)
				continue;
			copy_folder(whole, changed);
			if (change(file_of(cases[i].where), cases[i].sql) < 1)
				fail_msg("changes nothing: %s", cases[i].sql);
			if (forge && cases[i].where == STATE)
				forge_events(file_of(STATE));
			else if (forge)
				forge_segment(file_of(cases[i].where));
			expect(rig, cases[i].sql, words);
			tried++;
		}
	}
	print_message("%d changes tried\n", tried);
}

/* What is said to have been removed by retention, with a good checksum. */
#define DROP(number)                                                                                                   \
	"UPDATE seal SET "                                                                                             \
	"dropped=1,crc=row_crc('seal',first_seq,last_seq,epoch,device,hash,signature,bytes,last_wall_ns,"              \
	"last_trust,samples,1,removed) WHERE first_seq=" number

static void whole_files_are_missed(void **state)
{
	struct rig *rig = *state;
	char other[700];

	for (enum where where = OLDEST; where <= MIDDLE; where++) {
		copy_folder(whole, changed);
		assert_int_equal(unlink(file_of(where)), 0);
		expect(rig, "removed", "is missing");
		assert_int_equal(change(file_of(STATE), where ? DROP("(SELECT max(first_seq) FROM seal)")
		                                              : DROP("(SELECT min(first_seq) FROM seal)")),
		                 1);
		expect(rig, "said to be removed by retention", "was removed by retention is not signed");
		assert_true(change(file_of(STATE),
		                   where ? "DELETE FROM seal WHERE first_seq=(SELECT max(first_seq) FROM seal)"
		                         : "DELETE FROM seal WHERE first_seq=(SELECT min(first_seq) FROM seal)") > 0);
		expect(rig, "removed with its seal", where ? "is missing" : "is another or missing");
	}
	copy_folder(whole, changed);
	snprintf(other, sizeof(other), "%s", file_of(OLDEST));
	assert_int_equal(rename(other, file_of(MIDDLE)), 0);
	expect(rig, "one in another's place", ".seg: ");
	copy_folder(whole, changed);
	assert_int_equal(truncate(file_of(MIDDLE), 2048), 0);
	expect(rig, "cut", ".seg: ");
	copy_folder(whole, changed);
	assert_int_equal(unlink(file_of(STATE)), 0);
	expect(rig, "events removed", "is missing, and with it all events");
}

static void one_that_nobody_signed_takes_no_sealed_row_s_place(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader = NULL;
	char other[700], *text = NULL;
	int64_t seq = 0;

	copy_folder(whole, changed);
	assert_ok(kryos_reader_open(&reader, rig->ctx, changed));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kryos_reader_next(reader, &record), 1);
		seq = record->seq;
	}
	kryos_reader_close(reader);
	snprintf(other, sizeof(other), "%s/%020" PRId64 ".seg", changed, seq);
	assert_true(asprintf(&text, "cp '%s' '%s'", file_of(OLDEST), other) > 0);
	assert_int_equal(system(text), 0);
	free(text);
	assert_true(asprintf(&text,
	                     "UPDATE header SET value='%" PRId64 "' WHERE key='previous_segment';"
	                     "UPDATE header SET value=(SELECT lower(hex(hash)) FROM sample WHERE seq<%" PRId64
	                     " ORDER BY seq DESC LIMIT 1) WHERE key='previous_hash';"
	                     "UPDATE header SET value=%" PRId64 " WHERE key='first_seq';"
	                     "DELETE FROM sample WHERE seq<%" PRId64 "; UPDATE boot SET since=%" PRId64
	                     "; UPDATE channel SET since=%" PRId64
	                     "; DELETE FROM seal; UPDATE sample SET value_micro=4444444",
	                     numbers[OLDEST], seq, seq, seq, seq, seq) > 0);
	change(other, text);
	free(text);
	forge_segment(other);
	/* A segment claims the rows from its number on, whatever earlier ones have: so it must be found. */
	assert_ok(kryos_reader_open(&reader, rig->ctx, changed));
	assert_ok(kryos_reader_seek(reader, seq));
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_int_equal(record->sample.value_micro, 4444444);
	kryos_reader_close(reader);
	expect(rig, "between two", "is another than the one that is sealed");
}

static void a_bundle_s_events_do_not_stand_in_for_the_store_s(void **state)
{
	struct rig *rig = *state;
	char *command = NULL;

	copy_folder(whole, changed);
	assert_true(asprintf(&command, "cp '%s/state.db' '%s/events.db'", changed, changed) > 0);
	assert_int_equal(system(command), 0);
	free(command);
	expect(rig, "events.db", "events.db: is of a bundle");
	assert_int_equal(unlink(file_of(STATE)), 0);
	expect(rig, "instead", "MANIFEST: is missing");
}

/* The newest seals are what no device can prove alone. */
static void an_anchor_finds_what_was_cut_off(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result = { .size = sizeof(result) };
	struct kryos_anchor anchors[2];

	copy_folder(whole, changed);
	assert_ok(kryos_verify(rig->ctx, changed, &result));
	assert_int_equal(result.seal_number, numbers[1]);
	assert_true(result.events_number > 0);
	anchors[0] = (struct kryos_anchor){ result.seal_number, result.seal_hash };
	anchors[1] = (struct kryos_anchor){ result.events_number, result.events_hash };
	expect_with(rig, "anchors", "", KRYOS_VERIFY_CONFIG(.anchors = anchors, .anchor_count = 2));
	anchors[0].number++;
	expect_with(rig, "another number", "there is no good seal",
	            KRYOS_VERIFY_CONFIG(.anchors = anchors, .anchor_count = 1));
	anchors[0].hash = result.events_hash;
	anchors[0].number--;
	expect_with(rig, "another hash", "there is no good seal",
	            KRYOS_VERIFY_CONFIG(.anchors = anchors, .anchor_count = 1));
}

/* As another device would have signed it. */
static void another_key_is_not_trusted_where_one_is_given(void **state)
{
	struct rig *rig = *state;
	struct kri_key *key = NULL;
	bool created;

	copy_folder(whole, changed);
	assert_ok(kri_key_open(&key, in(changed, "device.key"), &created));
	assert_false(created);
	expect_with(rig, "its own", "", KRYOS_VERIFY_CONFIG(.public_key = kri_key_public_pem(key)));
	kri_key_free(key);
	assert_ok(kri_key_open(&key, in(changed, "other.key"), &created));
	expect_with(rig, "another", "not with the one that was given",
	            KRYOS_VERIFY_CONFIG(.public_key = kri_key_public_pem(key)));
	/* All seals taken away: then there is none that is not of that key. */
	for (enum where where = OLDEST; where <= OPEN; where++) {
		if (where < OPEN)
			change(file_of(where), "DELETE FROM seal");
		change(file_of(where), "DELETE FROM header WHERE key IN ('events','previous_hash')");
		forge_segment(file_of(where));
	}
	change(file_of(STATE), "DELETE FROM seal; DELETE FROM audit_seal; DELETE FROM event WHERE type=12;"
	                       " DELETE FROM meta WHERE key='closed'");
	forge_events(file_of(STATE));
	expect_with(rig, "none", "nothing in it is signed with the key that was given",
	            KRYOS_VERIFY_CONFIG(.public_key = kri_key_public_pem(key)));
	kri_key_free(key);
}

static void write_bundle(struct rig *rig, char path[700])
{
	snprintf(path, 700, "%s/whole.tar", rig->folder);
	assert_ok(kryos_bundle_write(rig->ctx, whole, path, NULL, NULL));
}

static char *slurp(const char *path, size_t *ret_count)
{
	FILE *file = fopen(path, "r");
	char *bytes;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	*ret_count = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*ret_count);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *ret_count, file), *ret_count);
	fclose(file);
	return bytes;
}

static void spill(const char *path, const char *bytes, size_t count)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	assert_int_equal(fclose(file), 0);
}

static void a_changed_member_of_a_bundle_is_found(void **state)
{
	struct rig *rig = *state;
	char path[700];
	size_t count, members = 0;
	char *bytes;

	write_bundle(rig, path);
	snprintf(changed, sizeof(changed), "%s/changed.tar", rig->folder);
	bytes = slurp(path, &count);
	spill(changed, bytes, count);
	expect(rig, "unchanged", "");
	for (size_t at = 0; at + 512 < count && bytes[at];) {
		size_t size = strtoul(bytes + at + 124, NULL, 8);

		bytes[at + 512 + size / 2] ^= 1;
		spill(changed, bytes, count);
		expect(rig, bytes + at, "MANIFEST");
		bytes[at + 512 + size / 2] ^= 1;
		at += 512 + (size + 511) / 512 * 512;
		members++;
	}
	assert_int_equal(members, 8);
	free(bytes);
}

static void refuse(struct rig *rig, const char *bytes, size_t count, const char *words)
{
	struct kryos_verify_result result = { .size = sizeof(result) };

	spill(changed, bytes, count);
	assert_int_equal(kryos_verify(rig->ctx, changed, &result), KRYOS_ECORRUPT);
	assert_non_null(strstr(kryos_strerror(KRYOS_ECORRUPT), words));
}

/* Its checksum, so that what is wrong is what the case says. */
static void sum_header(char *header)
{
	unsigned int total = 0;

	memset(header + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		total += (unsigned char)header[i];
	snprintf(header + 148, 7, "%06o", total);
	header[154] = '\0';
}

static void a_hostile_archive_is_refused(void **state)
{
	struct rig *rig = *state;
	char path[700], *bytes, keep[512];
	size_t count;

	write_bundle(rig, path);
	snprintf(changed, sizeof(changed), "%s/changed.tar", rig->folder);
	bytes = slurp(path, &count);
	memcpy(keep, bytes, 512);
	refuse(rig, bytes, count - 1024, "the archive has no end");
	refuse(rig, bytes, 700, "ends in the middle");
	bytes[count - 1] = 'x';
	refuse(rig, bytes, count, "archive's end");
	bytes[count - 1] = '\0';
	bytes[0] = 'r';
	refuse(rig, bytes, count, "no member of an archive");
	bytes[257] ^= 1; /* "ustar" */
	refuse(rig, bytes, count, "is no bundle");
	bytes[257] ^= 1;
	strcpy(bytes, "../README.txt");
	sum_header(bytes);
	refuse(rig, bytes, count, "a name that no bundle has");
	strcpy(bytes, "device.pub");
	sum_header(bytes);
	refuse(rig, bytes, count, "twice");
	memcpy(bytes, keep, 512);
	bytes[156] = '2';
	strcpy(bytes + 157, "/etc/passwd");
	sum_header(bytes);
	refuse(rig, bytes, count, "is no plain file");
	memcpy(bytes, keep, 512);
	memset(bytes + 124, '7', 11);
	sum_header(bytes);
	refuse(rig, bytes, count, "ends in the middle");
	memcpy(bytes, keep, 512);
	memset(bytes + 124, 'x', 11);
	sum_header(bytes);
	refuse(rig, bytes, count, "has no size");
	free(bytes);
}

static void a_bundle_is_signed_or_says_that_it_is_not(void **state)
{
	struct rig *rig = *state;
	char key[700], hidden[700];

	snprintf(changed, sizeof(changed), "%s/changed.tar", rig->folder);
	snprintf(key, sizeof(key), "%s/device.key", whole);
	snprintf(hidden, sizeof(hidden), "%s/elsewhere.key", rig->folder);
	assert_int_equal(rename(key, hidden), 0);
	assert_int_equal(kryos_bundle_write(rig->ctx, whole, changed, NULL, NULL), -ENOENT);
	assert_non_null(strstr(kryos_strerror(-ENOENT), "so the bundle can't be signed"));
	assert_int_equal(access(changed, F_OK), -1);
	assert_int_equal(access(key, F_OK), -1);
	assert_ok(kryos_bundle_write(rig->ctx, whole, changed, KRYOS_BUNDLE_CONFIG(.is_unsigned = 1), NULL));
	expect(rig, "not signed", "the bundle is not signed");
	assert_ok(kryos_bundle_write(rig->ctx, whole, changed, KRYOS_BUNDLE_CONFIG(.key_path = hidden), NULL));
	expect(rig, "signed", "");
}

/* A list that is signed with any key says nothing of whose records these are. */
static void a_bundle_is_signed_by_whom_it_is_of(void **state)
{
	struct rig *rig = *state;
	char path[700], unpacked[599], *command = NULL;

	write_bundle(rig, path);
	snprintf(unpacked, sizeof(unpacked), "%.580s/unpacked", rig->folder);
	snprintf(changed, sizeof(changed), "%s/changed.tar", rig->folder);
	assert_true(asprintf(&command,
	                     "mkdir '%s' && cd '%s' && tar -xf '%s' && chmod u+w * &&"
	                     " openssl genpkey -algorithm ed25519 -out ../other.key &&"
	                     " openssl pkey -in ../other.key -pubout -out device.pub && rm MANIFEST* &&"
	                     " sha256sum * > MANIFEST.new && mv MANIFEST.new MANIFEST && sed -i /MANIFEST/d MANIFEST &&"
	                     " openssl pkeyutl -sign -rawin -inkey ../other.key -in MANIFEST -out MANIFEST.sig &&"
	                     " tar --format=ustar -cf '%s' *",
	                     unpacked, unpacked, path, changed) > 0);
	assert_int_equal(system(command), 0);
	free(command);
	expect(rig, "another's", "which signed nothing else in here");
	snprintf(changed, sizeof(changed), "%s", unpacked);
	expect(rig, "unpacked", "which signed nothing else in here");
}

static void a_part_of_a_store_is_whole_in_itself(void **state)
{
	struct rig *rig = *state;
	struct kryos_bundle_result result = { .size = sizeof(result) };

	snprintf(changed, sizeof(changed), "%s/changed.tar", rig->folder);
	assert_ok(kryos_bundle_write(rig->ctx, whole, changed,
	                             KRYOS_BUNDLE_CONFIG(.from_ns = RIG_START_NS + KRYOS_MINUTES(14)), &result));
	assert_int_equal(result.segments, 2);
	expect(rig, "later", "");
	assert_ok(kryos_bundle_write(rig->ctx, whole, changed,
	                             KRYOS_BUNDLE_CONFIG(.to_ns = RIG_START_NS + KRYOS_MINUTES(20)), &result));
	assert_int_equal(result.segments, 2);
	expect(rig, "earlier", "");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		CASE(each_kind_of_change_is_found),
		CASE(whole_files_are_missed),
		CASE(one_that_nobody_signed_takes_no_sealed_row_s_place),
		CASE(a_bundle_s_events_do_not_stand_in_for_the_store_s),
		CASE(an_anchor_finds_what_was_cut_off),
		CASE(another_key_is_not_trusted_where_one_is_given),
		CASE(a_changed_member_of_a_bundle_is_found),
		CASE(a_hostile_archive_is_refused),
		CASE(a_bundle_is_signed_or_says_that_it_is_not),
		CASE(a_bundle_is_signed_by_whom_it_is_of),
		CASE(a_part_of_a_store_is_whole_in_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
