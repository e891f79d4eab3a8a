/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of state.db that no signature covers are compared with what is signed: who changes them is found. */
#include "rig.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char changed[600]; /* a copy that is changed */

static void copy_store(const struct rig *rig)
{
	char *command = NULL;

	assert_true(asprintf(&command, "rm -rf '%s' && cp -a '%s' '%s' && chmod -R u+w '%s'", changed, rig->path,
	                     changed, changed) > 0);
	assert_int_equal(system(command), 0);
	free(command);
}

/* Of state.db in the copy; with row_crc(). */
static int change(const char *sql)
{
	sqlite3 *db;
	int rows;

	assert_ok(kri_sql_open(&db, in(changed, "state.db"), SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_exec(db, sql));
	rows = sqlite3_changes(db);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return rows;
}

static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
}

/*
 * Three boots, two gaps. The first and the last learn their time in a segment that has begun without, the second never.
 */
static int setup(void **state)
{
	struct rig *rig;

	rig_setup(state);
	rig = *state;
	snprintf(changed, sizeof(changed), "%s/changed", rig->folder);
	kryos_fake_clock_set_synced(rig->clock, 0);
	for (int life = 0; life < 3; life++) {
		start(rig);
		rig_append_minutes(rig, 2);
		if (life == 0) {
			rig_rotate(rig);
			rig_append_minutes(rig, 2);
			kryos_fake_clock_set_synced(rig->clock, 1);
			kri_clock_refresh(rig->ctx);
			assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CONFIGURED, "section sensor fridge",
			                                "every = 1min", "a nurse"),
			                 1);
			for (int i = 0; i < 2; i++)
				assert_ok(kri_store_announce(rig->store,
				                             &(struct kryos_event){ .type = KRYOS_EVENT_GAP,
				                                                    .name = "modem",
				                                                    .first_seq = 1 + i,
				                                                    .last_seq = 2 + i,
				                                                    .text = i ? "twice" : "once" }));
		}
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
		rig_rotate(rig);
		rig_append_minutes(rig, 2);
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
		rig_wait_sealed(rig);
		if (life == 2) {
			kryos_fake_clock_set_synced(rig->clock, 1);
			kri_clock_refresh(rig->ctx);
			rig_rotate(rig);
			rig_append_minutes(rig, 2);
			rig_wait_sealed(rig);
		}
		rig_stop(rig);
		kryos_fake_clock_set_synced(rig->clock, 0);
		kryos_fake_clock_reboot(rig->clock);
	}
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	return 0;
}

static void expect(struct rig *rig, const char *what, const char *words)
{
	struct kryos_verify_result result = { .size = sizeof(result) };

	assert_ok(kryos_verify(rig->ctx, changed, &result));
	if (!strstr(result.first_problem, words) || (!*words && result.first_problem[0]))
		fail_msg("%s: \"%s\" does not say \"%s\"", what, result.first_problem, words);
	assert_true(!*words || result.bad_links || result.bad_rows || result.bad_seals);
}

#define BOOT "row_crc('boot',boot,boot_id,offset_ns,trust,device_ns,before_ns)"
#define SET_BOOT(what, where) "UPDATE boot SET " what " WHERE " where "; UPDATE boot SET crc=" BOOT
#define FIRST "boot=(SELECT min(boot) FROM boot)"
#define NEWEST "boot=(SELECT max(boot) FROM boot)"
#define NO_BOOT_ROW "boot 1, which segment "
#define META(key, value)                                                                                               \
	"INSERT OR REPLACE INTO meta VALUES('" key "','" value "',row_crc('meta','" key "','" value "'))"

static const struct {
	const char *sql, *words;
} cases[] = {
	{ SET_BOOT("device_ns=device_ns+2000000000", FIRST), "boot 1 is not what segment" },
	{ SET_BOOT("device_ns=device_ns+2000000000", "boot=2"), "boot 2 is not what segment" },
	{ SET_BOOT("device_ns=device_ns+2000000000", NEWEST), "boot 3 is not what segment" },
	{ SET_BOOT("before_ns=7", FIRST), "boot 1 is not what segment" },
	{ SET_BOOT("trust=2", FIRST), "the offset of boot 1 is not what event" },
	{ SET_BOOT("offset_ns=offset_ns+1", FIRST), "the offset of boot 1 is not what event" },
	{ SET_BOOT("offset_ns=NULL,trust=NULL", FIRST), "the offset of boot 1 is not what event" },
	{ SET_BOOT("offset_ns=77,trust=3", "boot=2"), "boot 2 is not what segment" },
	{ SET_BOOT("trust=3", "boot=2"), "there can be no boot 2" },
	{ "DELETE FROM boot", "which segment" },
	{ "DELETE FROM boot WHERE " FIRST, NO_BOOT_ROW },
	{ "INSERT INTO boot VALUES(0,'x',99,3,0,NULL,row_crc('boot',0,'x',99,3,0,NULL))", "there can be no boot 0" },
	{ "INSERT INTO boot VALUES(9,'x',99,3,0,NULL,row_crc('boot',9,'x',99,3,0,NULL))",
	  "the offset of boot 9 is in no event and no segment" },
	{ "INSERT INTO gap VALUES(77,1,3,'sensor broken')", "gap 1 to 3 is not as an event tells of it" },
	{ "INSERT INTO gap VALUES(-1,1,3,'sensor broken')", "gap 1 to 3 is not as an event tells of it" },
	{ "UPDATE gap SET last_seq=9 WHERE reason='once'", "gap 1 to 9 is not as" },
	{ "UPDATE gap SET reason='never' WHERE reason='twice'", "gap 2 to 3 is not as" },
	{ "DELETE FROM gap WHERE reason='once'", "tells of is missing" },
	{ "DELETE FROM gap", "tells of is missing" },
	{ "CREATE TABLE more(x); INSERT INTO more VALUES(1)", "its tables are not as they were made" },
	{ "ALTER TABLE gap ADD COLUMN more; UPDATE gap SET more=1", "its tables are not as they were made" },
	{ META("config:fridge", "offset 5"), "no event says that \"fridge\" is in force" },
	{ "UPDATE event SET epoch='0000000000000001' WHERE seq=(SELECT min(seq) FROM event)",
	  "wrong checksum of event" },
	{ "UPDATE event SET name='a|b' WHERE seq=(SELECT min(seq) FROM event)", "wrong checksum of event" },
	{ META("device", "00112233445566778899aabbccddeeff"), "signed nothing here, and no event tells of it" },
};

static void what_no_signature_covers_is_compared_with_what_is_signed(void **state)
{
	struct rig *rig = *state;

	copy_store(rig);
	expect(rig, "unchanged", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		copy_store(rig);
		if (change(cases[i].sql) < 1)
			fail_msg("changes nothing: %s", cases[i].sql);
		expect(rig, cases[i].sql, cases[i].words);
	}
}

/* The line that is signed would be another event's too. */
static void the_name_of_an_event_holds_no_bar(void **state)
{
	struct rig *rig = *state;
	const struct kryos_event event = { .type = KRYOS_EVENT_AUDIT, .name = "a|b", .text = "c" };

	kryos_ctx_free(rig->ctx);
	rig->ctx = NULL;
	start(rig);
	assert_int_equal(kryos_store_add_event(rig->store, &event), -EINVAL);
	assert_non_null(strstr(kryos_strerror(-EINVAL), "has no \"|\""));
	assert_ok(kri_store_announce(rig->store, &event));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	rig_stop(rig);
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	copy_store(rig);
	expect(rig, "one from inside", "");
	assert_int_equal(change("UPDATE event SET name='a|b' WHERE name='a/b'"), 1);
	expect(rig, "changed back", "wrong checksum of event");
}

/* Its later half once more, with other values and no seal: that is what a commit that failed leaves. */
static void a_file_that_takes_the_place_of_sealed_rows_is_found(void **state)
{
	struct rig *rig = *state;
	char first[700], second[700], *command = NULL;
	sqlite3 *db;

	copy_store(rig);
	snprintf(first, sizeof(first), "%s/%020d.seg", changed, 4);
	snprintf(second, sizeof(second), "%s/%020d.seg", changed, 5);
	assert_true(asprintf(&command, "cp '%s' '%s'", first, second) > 0);
	assert_int_equal(system(command), 0);
	free(command);
	assert_ok(kri_sql_open(&db, second, SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_exec(db, "DELETE FROM seal; DELETE FROM sample WHERE seq<5; UPDATE header SET value='5'"
	                           " WHERE key='first_seq'; UPDATE sample SET value_micro=4444444"));
	sqlite3_close(db);
	expect(rig, second, "is another than the one that is sealed");
}

static bool is_gone(void *path)
{
	return access(path, F_OK) != 0;
}

/* What retention removed, and somebody put back without its seal, so that other rows could stand in it. */
static void a_segment_that_was_removed_and_is_there_is_compared_with_its_seal(void **state)
{
	struct rig *rig = *state;
	struct kryos_verify_result result = { .size = sizeof(result) };
	char first[4200], put_back[700], *command = NULL;
	sqlite3 *db;

	snprintf(first, sizeof(first), "%s/%020d.seg", rig->path, 1);
	snprintf(put_back, sizeof(put_back), "%s/%020d.seg", changed, 1);
	kryos_ctx_free(rig->ctx);
	rig->ctx = NULL;
	assert_true(asprintf(&command, "cp '%s' '%s/kept'", first, rig->folder) > 0);
	assert_int_equal(system(command), 0);
	free(command);
	start(rig);
	rig->store->limit_bytes = 40000;
	for (int i = 0; i < 3; i++) {
		rig_append_minutes(rig, 2);
		rig_rotate(rig);
	}
	rig_append_minutes(rig, 2);
	assert_true(process_until(rig->ctx, is_gone, first, 20000));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	rig_stop(rig);
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	copy_store(rig);
	expect(rig, "removed", "");
	assert_true(asprintf(&command, "cp '%s/kept' '%s' && chmod u+w '%s'", rig->folder, put_back, put_back) > 0);
	assert_int_equal(system(command), 0);
	free(command);
	assert_ok(kri_sql_open(&db, put_back, SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_exec(db, "DELETE FROM seal"));
	sqlite3_close(db);
	/* Where retention took the one that names it too, that is found besides, and before. */
	assert_ok(kryos_verify(rig->ctx, changed, &result));
	if (strstr(result.first_problem, "has no seal, and no segment that has one follows from it"))
		assert_int_equal(result.bad_seals, 2);
	else
		expect(rig, "put back", "segment 1 is not the one that was sealed");
}

static void check_words(struct rig *rig, const char *what, const char *not_these)
{
	struct kryos_verify_result result = { .size = sizeof(result) };

	assert_ok(kryos_verify(rig->ctx, rig->path, &result));
	if (strstr(result.first_problem, not_these))
		fail_msg("%s: \"%s\"", what, result.first_problem);
}

/* With a page of its own broken, but not those of events: what the events say is taken over with them. */
static void a_state_that_was_damaged_and_made_anew_is_not_accused(void **state)
{
	struct rig *rig = *state;
	sqlite3 *db;

	kryos_ctx_free(rig->ctx);
	rig->ctx = NULL;
	assert_ok(kri_sql_open(&db, in(rig->path, "state.db"), SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_exec(db, "CREATE TABLE stray(x)"));
	sqlite3_close(db);
	start(rig);
	rig_append_minutes(rig, 2);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	rig_stop(rig);
	assert_int_equal(access(in(rig->path, "state.db.bad"), F_OK), 0);
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	check_words(rig, "made anew", "boot ");
	check_words(rig, "made anew", "gap ");
	check_words(rig, "made anew", "in force");
	check_words(rig, "made anew", "device ");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_no_signature_covers_is_compared_with_what_is_signed),
		CASE(a_file_that_takes_the_place_of_sealed_rows_is_found),
		CASE(the_name_of_an_event_holds_no_bar),
		CASE(a_segment_that_was_removed_and_is_there_is_compared_with_its_seal),
		CASE(a_state_that_was_damaged_and_made_anew_is_not_accused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
