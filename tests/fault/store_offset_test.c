/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a boot learnt of wall time after it had samples already: the offset is in force with the event that tells of it,
 * or not at all, and the newest word of it stays, whatever is lost of the others.
 */
#include "rig.h"
#include "store/verify.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Wall time less CLOCK_BOOTTIME: as the clock has it; and wrong ones. */
#define TRUE_NS(rig) (kryos_fake_clock_wall_ns((rig)->clock) - kryos_fake_clock_boot_ns((rig)->clock))
#define EARLY_NS (RIG_START_NS - KRYOS_HOURS(3))
#define LATE_NS (RIG_START_NS + KRYOS_HOURS(5))

static int setup(void **state)
{
	rig_setup_cut(state);
	kryos_fake_clock_set_synced(((struct rig *)*state)->clock, 0);
	return 0;
}

static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	process_for(rig->ctx, 5); /* the clock tells the store what it has to say */
}

static void flush(struct rig *rig)
{
	/* Twice: what finds a place only once others are stored is stored with the second. */
	for (int i = 0; i < 2; i++)
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
}

static void synchronise(struct rig *rig)
{
	kryos_fake_clock_set_synced(rig->clock, 1);
	kri_clock_refresh(rig->ctx);
}

/* As the clock would say it. */
static void say(struct rig *rig, uint16_t trust, int64_t offset_ns)
{
	rig->store->listener.changed(&rig->store->listener, trust, offset_ns);
	flush(rig);
}

static int64_t ask(struct rig *rig, const char *sql)
{
	int64_t answer = 0;
	sqlite3 *db;

	assert_ok(kri_sql_open_to_read(&db, in(rig->path, "state.db")));
	assert_ok(kri_sql_int(db, sql, &answer));
	sqlite3_close(db);
	return answer;
}

/* Of state.db, with row_crc(). */
static int change(struct rig *rig, const char *sql)
{
	sqlite3 *db;
	int rows;

	assert_ok(kri_sql_open(&db, in(rig->path, "state.db"), SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_exec(db, sql));
	rows = sqlite3_changes(db);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return rows;
}

static void check_first_boot(struct rig *rig, uint16_t trust, int64_t offset_ns)
{
	assert_int_equal(ask(rig, "SELECT coalesce(trust,0) FROM boot WHERE boot=1"), trust);
	assert_int_equal(ask(rig, "SELECT coalesce(offset_ns,0) FROM boot WHERE boot=1"), offset_ns);
}

static void verify(struct rig *rig)
{
	struct kryos_verify_result result = rig_verify(rig);

	if (result.first_problem[0])
		fail_msg("\"%s\"", result.first_problem);
}

/* That state.db holds of the boots what headers and events tell, whatever else was lost with it. */
static void verify_told(struct rig *rig)
{
	struct kryos_verify_config config = { .size = sizeof(config) };
	struct kryos_verify_result result = { .size = sizeof(result) };
	struct kri_check check = { .result = &result, .config = &config };
	struct kri_segment_info *segments;
	int count;

	assert_ok(kri_chain_new(&check.chain));
	assert_ok(kri_list_segments(rig->path, &segments, &count));
	for (int i = 0; i < count; i++)
		assert_ok(
			kri_verify_one(&check, rig_segment_path(rig, count - 1 - i), segments[i].first_seq, rig->path));
	assert_true(check.boot_count > 0);
	result = (struct kryos_verify_result){ .size = sizeof(result) };
	check.file = "state.db";
	assert_ok(kri_sql_open_to_read(&check.db, in(rig->path, "state.db")));
	assert_ok(kri_verify_told(&check));
	if (result.first_problem[0] || result.bad_links || result.bad_seals)
		fail_msg("\"%s\"", result.first_problem);
	sqlite3_close(check.db);
	for (int i = 0; i < check.key_count; i++)
		kri_key_free(check.keys[i].key);
	free(check.segments);
	free(check.named);
	free(check.boots);
	free(segments);
	kri_chain_free(&check.chain);
}

static void an_offset_that_no_event_can_tell_of_waits_for_its_event(void **state)
{
	const struct kryos_event event = { .type = KRYOS_EVENT_AUDIT, .name = "nurse", .text = "looked" };
	struct rig *rig = *state;
	int64_t offset_ns;
	int added = 0;

	start(rig);
	rig_append(rig, rig->fridge, 1);
	flush(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "state.db-wal", 1, SQLITE_IOERR_WRITE, true);
	while (kryos_store_add_event(rig->store, &event) >= 0)
		added++;
	assert_in_range(added, 1, KRI_MAX_EVENTS_WAITING);
	synchronise(rig);
	offset_ns = TRUE_NS(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	flush(rig);
	check_first_boot(rig, KRYOS_TRUST_SYNCED, offset_ns);
	assert_int_equal(ask(rig, "SELECT value_ns FROM event WHERE type=9"), offset_ns);
	verify(rig);
}

/* The disk was away when the time became known: the samples of before come to it afterwards. */
static void samples_that_come_to_the_disk_after_the_time_is_known_are_corrected(void **state)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct rig *rig = *state;
	struct kryos_sample sample;

	start(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 1, SQLITE_IOERR_WRITE, true);
	sample = rig_sample(rig->fridge, 1);
	assert_int_equal(kryos_store_append(rig->store, &sample, 1), KRYOS_EVOLATILE);
	synchronise(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	flush(rig);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	assert_int_equal(kryos_reader_next(reader, &record), 1);
	assert_int_equal(record->sample.seq, sample.seq);
	assert_int_equal(record->sample.trust, KRYOS_TRUST_SYNCED);
	assert_true(record->sample.flags & KRYOS_SAMPLE_CORRECTED);
	kryos_reader_close(reader);
	check_first_boot(rig, KRYOS_TRUST_SYNCED, TRUE_NS(rig));
	verify(rig);
}

static void a_time_of_less_trust_does_not_take_the_place_of_a_better_one(void **state)
{
	struct rig *rig = *state;

	start(rig);
	rig_append(rig, rig->fridge, 1);
	say(rig, KRYOS_TRUST_RTC, EARLY_NS);
	check_first_boot(rig, KRYOS_TRUST_RTC, EARLY_NS);
	say(rig, KRYOS_TRUST_SYNCED, RIG_START_NS);
	check_first_boot(rig, KRYOS_TRUST_SYNCED, RIG_START_NS);
	say(rig, KRYOS_TRUST_RTC, LATE_NS);
	check_first_boot(rig, KRYOS_TRUST_SYNCED, RIG_START_NS);
	say(rig, KRYOS_TRUST_SYNCED, LATE_NS);
	check_first_boot(rig, KRYOS_TRUST_SYNCED, LATE_NS);
	verify(rig);
}

/* The power goes while state.db does not take the event: a segment that was begun meanwhile must not say what it says.
 */
static void a_header_has_no_offset_whose_event_is_not_stored(void **state)
{
	struct rig *rig = *state;
	struct cut_replay *replay;
	size_t cut;

	start(rig);
	rig_append(rig, rig->fridge, 1);
	flush(rig);
	rig_stop(rig);
	cutvfs_record(rig->vfs, rig->path);
	start(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "state.db-wal", 1, SQLITE_IOERR_WRITE, true);
	synchronise(rig);
	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(13));
	rig_append(rig, rig->fridge, 2);
	assert_int_equal(rig->store->segment_count, 2);
	cut = cutvfs_count(rig->vfs);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	rig_stop(rig);
	cutvfs_stop(rig->vfs);
	replay = cut_replay_new(rig->vfs, CUT_DROP_ALL, 0);
	cut_replay_to(replay, cut);
	snprintf(rig->path, sizeof(rig->path), "%s", in(rig->folder, "cut"));
	cut_replay_write(replay, rig->path);
	cut_replay_free(replay);
	kryos_fake_clock_reboot(rig->clock);
	start(rig);
	kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(13));
	rig_append(rig, rig->fridge, 3);
	rig_wait_sealed(rig);
	flush(rig);
	check_first_boot(rig, KRYOS_TRUST_NONE, 0);
	verify(rig);
}

static int count_corrected(struct rig *rig)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int corrected = 0;

	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next(reader, &record) > 0)
		corrected += !record->event && (record->sample.flags & KRYOS_SAMPLE_CORRECTED);
	kryos_reader_close(reader);
	return corrected;
}

/* The daemon starts again within a boot, whose samples without a time are not in the segment that goes on. */
static void samples_of_segments_before_are_corrected_after_a_restart_too(void **state)
{
	struct rig *rig = *state;

	start(rig);
	rig_append(rig, rig->fridge, 1);
	rig_rotate(rig);
	rig_stop(rig);
	start(rig);
	synchronise(rig);
	rig_append(rig, rig->fridge, 2);
	flush(rig);
	check_first_boot(rig, KRYOS_TRUST_SYNCED, TRUE_NS(rig));
	assert_int_equal(count_corrected(rig), 1);
	verify(rig);
}

/* The time became known, but state.db did not take it before the power went; many samples had come since. */
static void samples_are_corrected_though_the_word_of_it_was_lost_and_many_came_since(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample samples[1001];

	start(rig);
	rig_append(rig, rig->fridge, 1);
	flush(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "state.db-wal", 1, SQLITE_IOERR_WRITE, true);
	synchronise(rig);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(samples); i++)
		samples[i] = rig_sample(rig->fridge, 2);
	assert_ok(kryos_store_append(rig->store, samples, KRI_ARRAY_SIZE(samples)));
	rig_stop(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	start(rig);
	flush(rig);
	check_first_boot(rig, KRYOS_TRUST_SYNCED, TRUE_NS(rig));
	assert_int_equal(count_corrected(rig), 1);
	verify(rig);
}

static bool is_refused(void *data)
{
	return rig_status(data).error < 0;
}

/* state.db takes nothing until the process ends, and not at its first try then: a disk that was full is so. */
static void an_offset_that_waits_at_the_end_is_tried_again_then(void **state)
{
	struct rig *rig = *state;
	int64_t offset_ns;

	start(rig);
	rig_append(rig, rig->fridge, 1);
	flush(rig);
	rig->store->retry_ns = KRYOS_HOURS(1);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "state.db-wal", 1, SQLITE_FULL, true);
	synchronise(rig);
	offset_ns = TRUE_NS(rig);
	assert_true(process_until(rig->ctx, is_refused, rig, 20000));
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "state.db-wal", 1, SQLITE_FULL, false);
	rig_stop(rig);
	assert_int_equal(cutvfs_failures(rig->vfs), 1);
	check_first_boot(rig, KRYOS_TRUST_SYNCED, offset_ns);
	assert_int_equal(ask(rig, "SELECT count(*) FROM event WHERE type=9"), 1);
}

/* A boot before had no time; this one, which has it, has nothing to correct. */
static void a_boot_of_which_every_sample_has_its_time_is_not_corrected(void **state)
{
	struct rig *rig = *state;

	start(rig);
	rig_append(rig, rig->fridge, 1);
	rig_stop(rig);
	kryos_fake_clock_reboot(rig->clock);
	kryos_fake_clock_set_synced(rig->clock, 1);
	for (int run = 0; run < 2; run++) {
		start(rig);
		rig_append(rig, rig->fridge, 2);
		flush(rig);
		rig_stop(rig);
	}
	start(rig);
	assert_int_equal(ask(rig, "SELECT count(*) FROM event WHERE type=9"), 0);
	assert_int_equal(count_corrected(rig), 0);
	verify(rig);
}

/* Two words of it, before or after the newest segment's header was written; then state.db is lost, and one of them. */
static const struct {
	const char *what;
	uint16_t trust[2];
	bool header_between; /* it has the first only; else both */
	int lost;            /* of the events: 1, the second; 0, none */
	int expected;
} cases[] = {
	{ "both are told, and the header has the older", { KRYOS_TRUST_RTC, KRYOS_TRUST_SYNCED }, true, 0, 1 },
	{ "the same of equal trust", { KRYOS_TRUST_RTC, KRYOS_TRUST_RTC }, true, 0, 1 },
	{ "the header alone has the newer", { KRYOS_TRUST_RTC, KRYOS_TRUST_SYNCED }, false, 1, 1 },
	{ "the same of equal trust", { KRYOS_TRUST_SYNCED, KRYOS_TRUST_SYNCED }, false, 1, 1 },
	{ "nothing has the newer", { KRYOS_TRUST_RTC, KRYOS_TRUST_SYNCED }, true, 1, 0 },
};

static void the_newest_word_of_a_boot_s_time_is_taken_over_from_where_it_is(void **state)
{
	static const int64_t offsets[] = { EARLY_NS, RIG_START_NS };
	struct rig *rig = *state;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		start(rig);
		rig_append(rig, rig->fridge, 1);
		for (int word = 0; word < 2; word++) {
			if (word && cases[i].header_between)
				rig_rotate(rig);
			say(rig, cases[i].trust[word], offsets[word]);
		}
		if (!cases[i].header_between)
			rig_rotate(rig);
		rig_append(rig, rig->fridge, 2);
		flush(rig);
		rig_stop(rig);
		if (cases[i].lost)
			assert_int_equal(change(rig, "UPDATE event SET crc=crc+1 WHERE seq=(SELECT max(seq) FROM event"
			                             " WHERE type=9)"),
			                 1);
		assert_int_equal(change(rig, "CREATE TABLE stray(x); DELETE FROM queue"), 0);
		kryos_fake_clock_reboot(rig->clock);
		start(rig);
		rig_append(rig, rig->fridge, 3);
		flush(rig);
		print_message("%s\n", cases[i].what);
		check_first_boot(rig, cases[i].trust[cases[i].expected], offsets[cases[i].expected]);
		verify_told(rig);
		rig_stop(rig);
		rig_remove(rig);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		CASE(an_offset_that_no_event_can_tell_of_waits_for_its_event),
		CASE(samples_that_come_to_the_disk_after_the_time_is_known_are_corrected),
		CASE(a_time_of_less_trust_does_not_take_the_place_of_a_better_one),
		CASE(a_header_has_no_offset_whose_event_is_not_stored),
		CASE(samples_of_segments_before_are_corrected_after_a_restart_too),
		CASE(samples_are_corrected_though_the_word_of_it_was_lost_and_many_came_since),
		CASE(an_offset_that_waits_at_the_end_is_tried_again_then),
		CASE(a_boot_of_which_every_sample_has_its_time_is_not_corrected),
		CASE(the_newest_word_of_a_boot_s_time_is_taken_over_from_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
