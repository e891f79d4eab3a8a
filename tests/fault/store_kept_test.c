/* SPDX-License-Identifier: Apache-2.0 */
/* What rooms above keep with the store, with the events that tell of it: both are there or neither, whatever happens.
 */
#include "rig.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY "monitor:fridge.temperature"

static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.board = "one", .segment_ns = KRYOS_MINUTES(10)));
	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
}

/* The state "<change> <step>", and with step 0 an event that says that the change was made. */
static int put(struct rig *rig, int change, int step)
{
	char number[16], text[32];
	struct kryos_event event = { .type = KRYOS_EVENT_ALARM_ON, .name = KEY, .text = number };
	int length = snprintf(text, sizeof(text), "%d %d", change, step);

	snprintf(number, sizeof(number), "%d", change);
	return kri_store_put_state(rig->store, KEY, text, (size_t)length, &event, !step);
}

static void flush(struct rig *rig)
{
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
}

/* Borrowed until the next call; "": nothing is kept. */
static const char *get(struct rig *rig, const char *key, int64_t *ret_seq)
{
	static char text[32];
	void *bytes = NULL;
	size_t count = 0;
	int r = kri_store_get_state(rig->store, key, &bytes, &count, ret_seq);

	if (r == -ENOENT)
		return "";
	assert_ok(r);
	assert_true(count < sizeof(text));
	memcpy(text, bytes, count);
	text[count] = '\0';
	free(bytes);
	return text;
}

static int change_kept(struct rig *rig)
{
	int64_t seq;

	return atoi(get(rig, KEY, &seq));
}

/* By the stored events; each was stored once, in order. */
static int change_told(struct rig *rig)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int told = 0;

	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next_event(reader, &record) > 0)
		if (record->event->type == KRYOS_EVENT_ALARM_ON)
			assert_int_equal(atoi(record->event->text), ++told);
	kryos_reader_close(reader);
	return told;
}

static void remove_state(struct rig *rig)
{
	assert_int_equal(unlink(in(rig->path, "state.db")), 0);
	unlink(in(rig->path, "state.db-wal"));
	unlink(in(rig->path, "state.db-shm"));
}

static void what_was_put_last_is_got_with_the_newest_record_of_that_time(void **state)
{
	struct rig *rig = *state;
	int64_t seq = -1, first;

	start(rig);
	assert_string_equal(get(rig, KEY, &seq), "");
	assert_ok(put(rig, 1, 1));
	assert_string_equal(get(rig, KEY, &seq), "1 1");
	first = rig_append(rig, rig->fridge, 1);
	rig_append(rig, rig->fridge, 2);
	assert_true(seq < first);
	assert_ok(put(rig, 1, 2));
	assert_string_equal(get(rig, KEY, &seq), "1 2");
	assert_int_equal(seq, first + 1);
	rig_append(rig, rig->fridge, 3);
	assert_ok(kri_store_put_state(rig->store, "b", "x", 1, NULL, 0));
	assert_ok(kri_store_put_state(rig->store, "c", "y", 1, NULL, 0));
	assert_ok(kri_store_put_state(rig->store, "c", NULL, 0, NULL, 0));
	rig_stop(rig);
	start(rig);
	assert_string_equal(get(rig, KEY, &seq), "1 2");
	assert_int_equal(seq, first + 1);
	assert_string_equal(get(rig, "b", &seq), "x");
	assert_int_equal(seq, first + 2);
	assert_string_equal(get(rig, "c", &seq), "");
	assert_ok(kri_store_put_state(rig->store, "b", NULL, 0, NULL, 0));
	assert_string_equal(get(rig, "b", &seq), "");
	rig_stop(rig);
	start(rig);
	assert_string_equal(get(rig, "b", &seq), "");
	assert_string_equal(get(rig, KEY, &seq), "1 2");
}

static void keys_and_sizes_have_limits(void **state)
{
	static const char *const wrong[] = { "", "A", "a b", "a|b", "a/b", "\xc3\xa4" };
	char key[KRI_STATE_KEY_MAX + 2], long_text[1002];
	struct kryos_event event = { .type = KRYOS_EVENT_ALARM_ON, .text = long_text };
	uint8_t *bytes = malloc(KRI_STATE_BYTES_MAX + 1);
	struct rig *rig = *state;
	void *back = NULL;
	size_t count = 0;
	int64_t seq;

	start(rig);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(wrong); i++)
		assert_fails(-EINVAL, kri_store_put_state(rig->store, wrong[i], "x", 1, NULL, 0));
	memset(key, 'k', sizeof(key));
	key[KRI_STATE_KEY_MAX + 1] = '\0';
	assert_fails(-EINVAL, kri_store_put_state(rig->store, key, "x", 1, NULL, 0));
	memset(long_text, 't', sizeof(long_text));
	long_text[1001] = '\0';
	assert_fails(-EINVAL, kri_store_put_state(rig->store, "a", "x", 1, &event, 1));
	assert_string_equal(get(rig, "a", &seq), "");
	for (int i = 0; i <= KRI_STATE_BYTES_MAX; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	assert_fails(-EINVAL, kri_store_put_state(rig->store, "a", bytes, KRI_STATE_BYTES_MAX + 1, NULL, 0));
	key[KRI_STATE_KEY_MAX] = '\0';
	assert_ok(kri_store_put_state(rig->store, key, bytes, KRI_STATE_BYTES_MAX, NULL, 0));
	/* The longest there is, also from a segment's header. */
	for (int lost = 0; lost < 2; lost++) {
		flush(rig);
		rig_append(rig, rig->fridge, 1);
		rig_rotate(rig);
		rig_append(rig, rig->fridge, 1);
		rig_stop(rig);
		if (lost)
			remove_state(rig);
		start(rig);
		assert_ok(kri_store_get_state(rig->store, key, &back, &count, &seq));
		assert_int_equal(count, KRI_STATE_BYTES_MAX);
		assert_memory_equal(back, bytes, count);
		free(back);
	}
	free(bytes);
}

static bool is_at_rest(void *data)
{
	struct kryos_store *store = ((struct rig *)data)->store;
	bool rests;

	pthread_mutex_lock(&store->lock);
	rests = store->rest == KRI_RESTS && !store->events && store->commit_wanted == store->commit_done;
	pthread_mutex_unlock(&store->lock);
	return rests;
}

/* The writer tells of them before it rests. */
static uint64_t syncs(struct rig *rig)
{
	assert_true(process_until(rig->ctx, is_at_rest, rig, 10000));
	return rig_status(rig).state_syncs;
}

struct wanted {
	struct rig *rig;
	uint64_t syncs;
};

static bool has_synced(void *data)
{
	struct wanted *wanted = data;

	return rig_status(wanted->rig).state_syncs >= wanted->syncs;
}

static void without_events_it_costs_no_sync_of_its_own(void **state)
{
	struct rig *rig = *state;
	struct wanted wanted = { .rig = rig };
	uint64_t before;
	int64_t seq;

	start(rig);
	rig_append(rig, rig->fridge, 0);
	flush(rig);
	/* Which segment has which channels is told a second after its first commit. */
	process_for(rig->ctx, 1500);
	before = syncs(rig);
	for (int i = 1; i <= 50; i++) {
		assert_ok(put(rig, 0, i));
		rig_append(rig, rig->fridge, i);
	}
	assert_int_equal(syncs(rig), before);
	/* It rides with what is due, here an event. */
	assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }));
	flush(rig);
	assert_in_range(syncs(rig), before + 1, before + 2);
	/* Alone it waits its time and no longer. */
	wanted.syncs = syncs(rig) + 1;
	rig->store->keep_ns = KRYOS_MILLISECONDS(1);
	assert_ok(put(rig, 0, 51));
	rig_append(rig, rig->fridge, 51);
	assert_true(process_until(rig->ctx, has_synced, &wanted, 10000));
	assert_int_equal(syncs(rig), wanted.syncs);
	rig->store->keep_ns = KRYOS_MINUTES(15);
	assert_ok(put(rig, 0, 52));
	rig_stop(rig);
	start(rig);
	assert_string_equal(get(rig, KEY, &seq), "0 52");
}

static void where_there_is_no_place_for_its_events_nothing_has_changed(void **state)
{
	struct rig *rig = *state;
	struct kryos_event events[3];
	int64_t seq;
	int free_places;

	for (int i = 0; i < 3; i++)
		events[i] = (struct kryos_event){ .type = KRYOS_EVENT_ACKNOWLEDGED, .name = "x", .text = "y" };
	start(rig);
	assert_ok(put(rig, 1, 0));
	flush(rig);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "state.db-wal", 1, SQLITE_IOERR_WRITE, true);
	for (free_places = 256; free_places > 2; free_places--)
		if (kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }) < 0)
			break;
	while (kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }) >= 0)
		;
	assert_fails(-EAGAIN, kri_store_put_state(rig->store, KEY, "2 0", 3, events, 3));
	assert_fails(-EAGAIN, put(rig, 2, 0));
	assert_string_equal(get(rig, KEY, &seq), "1 0");
	/* Without events there is always a place. */
	assert_ok(put(rig, 1, 1));
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	flush(rig);
	assert_ok(put(rig, 2, 0));
	assert_ok(kri_store_put_state(rig->store, "other", "z", 1, events, 3));
	rig_stop(rig);
	start(rig);
	assert_string_equal(get(rig, KEY, &seq), "2 0");
	assert_int_equal(change_told(rig), 2);
}

/* The next commit has it, whatever becomes of the one under way. */
static void what_is_put_while_a_commit_is_under_way_comes_with_the_next(void **state)
{
	struct rig *rig = *state;

	start(rig);
	assert_ok(put(rig, 1, 0));
	flush(rig);
	for (int change = 2; change <= 6; change += 2) {
		cutvfs_hold_sync(rig->vfs, "state.db-wal", 1);
		assert_ok(put(rig, change, 0));
		while (!cutvfs_held(rig->vfs))
			process_for(rig->ctx, 1);
		assert_ok(put(rig, change + 1, 0));
		/* The last one's commit fails, but for what comes after. */
		if (change == 6)
			cutvfs_fail(rig->vfs, CUT_CALL_SYNC, "state.db-wal", 1, SQLITE_IOERR_FSYNC, false);
		cutvfs_hold_sync(rig->vfs, NULL, 0);
		flush(rig);
		assert_int_equal(change_told(rig), change + 1);
		rig_stop(rig);
		start(rig);
		assert_int_equal(change_kept(rig), change + 1);
		assert_int_equal(change_told(rig), change + 1);
	}
}

/* At whatever write the power goes. */
static void a_cut_leaves_the_state_that_the_events_tell_of(void **state)
{
	struct rig *rig = *state;
	char own[sizeof(rig->path)];
	int least = 99, most = 0;
	uint64_t version = 0;
	size_t count;

	start(rig);
	assert_ok(put(rig, 1, 0));
	rig_append(rig, rig->fridge, 0);
	flush(rig);
	rig_stop(rig);
	cutvfs_record(rig->vfs, rig->path);
	start(rig);
	for (int change = 2; change <= 5; change++) {
		assert_ok(put(rig, change, 0));
		rig_append(rig, rig->fridge, change);
		assert_ok(put(rig, change, 1));
		if (change == 3) {
			rig_rotate(rig);
			rig_append(rig, rig->fridge, change);
		}
		flush(rig);
		assert_ok(put(rig, change, 2));
	}
	assert_ok(put(rig, 6, 0));
	assert_ok(put(rig, 7, 0));
	rig_stop(rig);
	cutvfs_stop(rig->vfs);
	count = cutvfs_count(rig->vfs);
	strcpy(own, rig->path);
	for (enum cut_mode mode = 0; mode < CUT_MODE_COUNT; mode++) {
		struct cut_replay *replay = cut_replay_new(rig->vfs, mode, 20261121);

		for (size_t cut = 0; cut <= count; cut++) {
			int kept;

			cut_replay_to(replay, cut);
			if (cut && cut_replay_version(replay) == version)
				continue;
			version = cut_replay_version(replay);
			snprintf(rig->path, sizeof(rig->path), "%s", in(rig->folder, "cut"));
			cut_replay_write(replay, rig->path);
			start(rig);
			kept = change_kept(rig);
			if (change_told(rig) != kept)
				fail_msg("cut %zu (%s): the events tell of %d changes, the state of %d", cut,
				         cut_mode_name(mode), change_told(rig), kept);
			/* It goes on from there. */
			assert_ok(put(rig, kept + 1, 0));
			rig_stop(rig);
			start(rig);
			assert_int_equal(change_kept(rig), kept + 1);
			assert_int_equal(change_told(rig), kept + 1);
			rig_stop(rig);
			strcpy(rig->path, own);
			least = kept < least ? kept : least;
			most = kept > most ? kept : most;
		}
		cut_replay_free(replay);
	}
	assert_int_equal(least, 1);
	assert_int_equal(most, 7);
}

/* The disk is dead, or full, for state.db: what was put waits, both of it, and what is on the disk agrees meanwhile. */
static void while_the_disk_is_away_state_and_events_wait_and_agree_when_it_is_back(void **state)
{
	static const int errors[] = { SQLITE_IOERR_WRITE, SQLITE_FULL };
	struct rig *rig = *state;
	char own[sizeof(rig->path)];
	struct kri_stored_event event;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(errors); i++) {
		char command[sizeof(rig->path) * 3];

		start(rig);
		assert_ok(put(rig, 1, 0));
		rig_append(rig, rig->fridge, 0);
		flush(rig);
		cutvfs_fail(rig->vfs, CUT_CALL_WRITE, "state.db-wal", 1, errors[i], true);
		cutvfs_fail_errno(rig->vfs, errors[i] == SQLITE_FULL ? ENOSPC : EIO);
		for (int change = 2; change <= 9; change++) {
			assert_ok(put(rig, change, 0));
			process_for(rig->ctx, 10);
			assert_ok(put(rig, change, 1));
		}
		assert_true(cutvfs_failures(rig->vfs) > 0);
		assert_int_equal(change_kept(rig), 9);
		assert_true(kri_store_next_waiting_event(rig->store, 1, &event));
		/* Whoever looks at the disk now, or after a cut, finds the old ones, both. */
		snprintf(command, sizeof(command), "cp -a '%s' '%s'", rig->path, in(rig->folder, "copy"));
		assert_int_equal(system(command), 0);
		cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
		flush(rig);
		rig_stop(rig);
		start(rig);
		assert_int_equal(change_kept(rig), 9);
		assert_int_equal(change_told(rig), 9);
		rig_stop(rig);
		strcpy(own, rig->path);
		snprintf(rig->path, sizeof(rig->path), "%s", in(rig->folder, "copy"));
		start(rig);
		assert_int_equal(change_kept(rig), 1);
		assert_int_equal(change_told(rig), 1);
		rig_stop(rig);
		rig_remove(rig);
		strcpy(rig->path, own);
		rig_remove(rig);
	}
}

/* What the newest segment began with is older than what was lost, with its seq: what came since is to be counted again.
 */
static void a_lost_state_comes_from_the_newest_segment(void **state)
{
	struct rig *rig = *state;
	int64_t seq, then;

	start(rig);
	then = rig_append(rig, rig->fridge, 0);
	assert_ok(put(rig, 1, 0));
	flush(rig);
	rig_rotate(rig);
	assert_true(rig_append(rig, rig->fridge, 1) > then);
	assert_ok(put(rig, 2, 0));
	rig_stop(rig);
	remove_state(rig);
	start(rig);
	assert_string_equal(get(rig, KEY, &seq), "1 0");
	assert_int_equal(seq, then);
	assert_int_equal(change_told(rig), 0);
	assert_ok(put(rig, 1, 1));
	rig_stop(rig);
	start(rig);
	assert_string_equal(get(rig, KEY, &seq), "1 1");
	/* The samples are whole; that events went with it is said. */
	if (!strstr(rig_verify(rig).first_problem, "the seal of events up to"))
		fail_msg("%s", rig_verify(rig).first_problem);
	assert_int_equal(rig_verify(rig).bad_rows + rig_verify(rig).bad_seals, 0);
}

/* A header's lines have no checksum of their own, and nobody looks at the chain before it goes on. */
static void a_header_with_a_flipped_bit_tells_nothing(void **state)
{
	static const char *const changes[] = {
		"UPDATE header SET value=replace(value,'312030','332030') WHERE key='state:" KEY "'",
		"UPDATE header SET value='2'||substr(value,2) WHERE key='state:" KEY "'",
		"UPDATE header SET key='state:monitor:freezer.temperature' WHERE key='state:" KEY "'",
		"UPDATE header SET value=substr(value,1,length(value)-1) WHERE key='state:" KEY "'",
		"UPDATE header SET value='' WHERE key='state:" KEY "'",
	};
	struct rig *rig = *state;
	char segment[sizeof(rig->path) + 64];
	int64_t seq;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(changes); i++) {
		start(rig);
		rig_append(rig, rig->fridge, 0);
		assert_ok(put(rig, 1, 0));
		flush(rig);
		rig_rotate(rig);
		rig_append(rig, rig->fridge, 1);
		snprintf(segment, sizeof(segment), "%s", rig_segment_path(rig, 0));
		rig_stop(rig);
		assert_int_equal(rig_sql(segment, changes[i]), 1);
		remove_state(rig);
		start(rig);
		assert_string_equal(get(rig, KEY, &seq), "");
		assert_string_equal(get(rig, "monitor:freezer.temperature", &seq), "");
		rig_stop(rig);
		rig_remove(rig);
	}
}

/* Of one that is set aside what can be read is taken over, as its events are. */
static void a_damaged_state_db_still_tells(void **state)
{
	struct rig *rig = *state;
	int64_t seq;

	start(rig);
	rig_append(rig, rig->fridge, 0);
	assert_ok(put(rig, 1, 0));
	flush(rig);
	rig_rotate(rig);
	rig_append(rig, rig->fridge, 1);
	assert_ok(put(rig, 2, 0));
	rig_stop(rig);
	rig_sql(in(rig->path, "state.db"), "DROP TABLE dead");
	start(rig);
	assert_int_equal(access(in(rig->path, "state.db.bad"), F_OK), 0);
	assert_string_equal(get(rig, KEY, &seq), "2 0");
	assert_int_equal(change_told(rig), 2);
	rig_stop(rig);
}

static void a_row_with_a_wrong_checksum_is_as_good_as_lost(void **state)
{
	static const char *const changes[] = { "UPDATE state SET bytes=x'392030'", "UPDATE state SET seq=seq+1",
		                               "UPDATE state SET key='monitor:freezer.temperature'",
		                               "UPDATE state SET crc=crc+1" };
	struct rig *rig = *state;
	int64_t seq, then;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(changes); i++) {
		const struct kryos_record *record;
		struct kryos_reader *reader;
		int said = 0;

		start(rig);
		then = rig_append(rig, rig->fridge, 0);
		assert_ok(put(rig, 1, 0));
		flush(rig);
		rig_rotate(rig);
		rig_append(rig, rig->fridge, 1);
		assert_ok(put(rig, 2, 0));
		rig_stop(rig);
		assert_int_equal(rig_sql(in(rig->path, "state.db"), changes[i]), 1);
		start(rig);
		assert_string_equal(get(rig, KEY, &seq), "1 0");
		assert_int_equal(seq, then);
		assert_string_equal(get(rig, "monitor:freezer.temperature", &seq), "");
		flush(rig);
		assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
		while (kryos_reader_next_event(reader, &record) > 0)
			said += record->event->type == KRYOS_EVENT_STORE && record->event->code < 0;
		assert_int_equal(said, 1);
		rig_stop(rig);
		rig_remove(rig);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_setup_cut, rig_teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_was_put_last_is_got_with_the_newest_record_of_that_time),
		CASE(keys_and_sizes_have_limits),
		CASE(without_events_it_costs_no_sync_of_its_own),
		CASE(where_there_is_no_place_for_its_events_nothing_has_changed),
		CASE(what_is_put_while_a_commit_is_under_way_comes_with_the_next),
		CASE(a_cut_leaves_the_state_that_the_events_tell_of),
		CASE(while_the_disk_is_away_state_and_events_wait_and_agree_when_it_is_back),
		CASE(a_lost_state_comes_from_the_newest_segment),
		CASE(a_header_with_a_flipped_bit_tells_nothing),
		CASE(a_damaged_state_db_still_tells),
		CASE(a_row_with_a_wrong_checksum_is_as_good_as_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
