/* SPDX-License-Identifier: Apache-2.0 */
/* The record of what is in force of a channel or a part of the configuration, under cuts and damage: each change once,
 * and each in its place. */
#include "rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANNEL "fridge.temperature"

static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.board = "one"));
}

static void note(struct rig *rig, const char *is, int expected)
{
	assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CALIBRATION, CHANNEL, is, "the test"), expected);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
}

/* Each stored change begins where the one before it ended. How many there are; the last one's end in newest. */
static unsigned int check_changes(struct rig *rig, char newest[500])
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	unsigned int count = 0;

	strcpy(newest, "not known");
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		char was[520];

		if (record->event->type != KRYOS_EVENT_CALIBRATION)
			continue;
		snprintf(was, sizeof(was), "by the test; was %s; is ", newest);
		if (strncmp(record->event->text, was, strlen(was)) != 0)
			fail_msg("\"%s\" does not begin with \"%s\"", record->event->text, was);
		snprintf(newest, 500, "%s", record->event->text + strlen(was));
		count++;
	}
	kryos_reader_close(reader);
	return count;
}

/* At whatever write the power goes: what was committed is known and not said again, what was not is said. */
static void a_cut_leaves_a_change_and_the_knowledge_of_it_or_neither(void **state)
{
	struct rig *rig = *state;
	char own[sizeof(rig->path)], newest[500];
	unsigned int least = 99, most = 0;
	uint64_t version = 0;
	size_t count;

	start(rig);
	note(rig, "offset=1", 1);
	rig_stop(rig);
	kryos_fake_clock_reboot(rig->clock);
	cutvfs_record(rig->vfs, rig->path);
	start(rig);
	note(rig, "offset=1", 0);
	note(rig, "offset=2", 1);
	rig_append(rig, rig->fridge, 1);
	note(rig, "", 1);
	note(rig, "", 0);
	note(rig, "offset=3", 1);
	rig_stop(rig);
	cutvfs_stop(rig->vfs);
	count = cutvfs_count(rig->vfs);
	strcpy(own, rig->path);
	for (enum cut_mode mode = 0; mode < CUT_MODE_COUNT; mode++) {
		struct cut_replay *replay = cut_replay_new(rig->vfs, mode, 20261120);

		for (size_t cut = 0; cut <= count; cut++) {
			unsigned int changes;

			cut_replay_to(replay, cut);
			if (cut && cut_replay_version(replay) == version)
				continue;
			version = cut_replay_version(replay);
			snprintf(rig->path, sizeof(rig->path), "%s", in(rig->folder, "cut"));
			cut_replay_write(replay, rig->path);
			kryos_fake_clock_reboot(rig->clock);
			start(rig);
			changes = check_changes(rig, newest);
			note(rig, "offset=3", strcmp(newest, "offset=3") != 0);
			check_changes(rig, newest);
			assert_string_equal(newest, "offset=3");
			rig_stop(rig);
			strcpy(rig->path, own);
			least = changes < least ? changes : least;
			most = changes > most ? changes : most;
		}
		cut_replay_free(replay);
	}
	assert_int_equal(least, 1);
	assert_int_equal(most, 4);
}

static void what_is_not_known_any_more_is_said_again(void **state)
{
	struct rig *rig = *state;
	char newest[500];

	start(rig);
	note(rig, "offset=1", 1);
	rig_append(rig, rig->fridge, 1);
	rig_stop(rig);
	/* A row with a wrong checksum is one that is lost. */
	rig_sql(in(rig->path, "state.db"), "UPDATE meta SET value='offset=2' WHERE key='config:" CHANNEL "'");
	start(rig);
	note(rig, "offset=1", 1);
	note(rig, "offset=1", 0);
	rig_stop(rig);
	assert_int_equal(unlink(in(rig->path, "state.db")), 0);
	unlink(in(rig->path, "state.db-wal"));
	unlink(in(rig->path, "state.db-shm"));
	start(rig);
	assert_int_equal(check_changes(rig, newest), 0);
	note(rig, "offset=1", 1);
	assert_int_equal(check_changes(rig, newest), 1);
	assert_string_equal(newest, "offset=1");
	rig_stop(rig);
}

/* Each channel has its own; nothing said of one that never had anything is no news. */
static void channels_do_not_know_of_each_other(void **state)
{
	struct rig *rig = *state;

	start(rig);
	assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CALIBRATION, "a.temperature", "", "the test"), 0);
	assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CALIBRATION, "a.temperature", "min=1", "the test"), 1);
	assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CALIBRATION, "a.temperature2", "", "the test"), 0);
	assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CALIBRATION, "b.temperature", "min=1", "the test"), 1);
	assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CALIBRATION, "a.temperature", "", "the test"), 1);
	rig_stop(rig);
	start(rig);
	assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CALIBRATION, "a.temperature", "", "the test"), 0);
	assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CALIBRATION, "b.temperature", "min=1", "the test"), 0);
	rig_stop(rig);
}

/* A part of the configuration is kept in the same way, as an event of its own kind. */
static void a_part_of_the_configuration_is_said_when_it_changes(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	unsigned int count = 0;

	for (int run = 0; run < 2; run++) {
		start(rig);
		assert_int_equal(
			kri_store_note(rig->store, KRYOS_EVENT_CONFIGURED, "sensor fridge", "every=60s", "a nurse"),
			run == 0);
		rig_stop(rig);
	}
	start(rig);
	assert_int_equal(kri_store_note(rig->store, KRYOS_EVENT_CONFIGURED, "sensor fridge", "", "a nurse"), 1);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_CONFIGURED)
			continue;
		assert_string_equal(record->event->name, "sensor fridge");
		assert_string_equal(record->event->text, count++ ? "by a nurse; was every=60s; is nothing"
		                                                 : "by a nurse; was not known; is every=60s");
	}
	assert_int_equal(count, 2);
	kryos_reader_close(reader);
	rig_stop(rig);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, rig_setup_cut, rig_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_cut_leaves_a_change_and_the_knowledge_of_it_or_neither),
		CASE(what_is_not_known_any_more_is_said_again),
		CASE(channels_do_not_know_of_each_other),
		CASE(a_part_of_the_configuration_is_said_when_it_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
