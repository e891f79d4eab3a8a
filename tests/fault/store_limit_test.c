/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store at its limit, the smallest that is allowed, by rows really written: what is gone was
 * delivered or is in a gap record, to the sample; what refuses takes again after a delivery.
 */
#include "rig.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT INT64_C(1000000)
enum { MAX_SEQ = 100000, BATCH = 32 };

/* What became of each sample; the rig's own. */
struct tally {
	int64_t last_seq, written;
	bool sample[MAX_SEQ], acked[MAX_SEQ], kept[MAX_SEQ], gap[MAX_SEQ];
};

static int setup(void **state)
{
	int r = rig_setup(state);

	((struct rig *)*state)->own = calloc(1, sizeof(struct tally));
	return r;
}

static int teardown(void **state)
{
	free(((struct rig *)*state)->own);
	return rig_teardown(state);
}

static void start(struct rig *rig, enum kryos_full_policy full)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.full = full, .segment_bytes = 100000, .keep_bytes = LIMIT));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig_open_queue(rig, KRYOS_QUEUE_CONFIG(.max_lent = 4096));
}

/* One commit. What append says. */
static int append(struct rig *rig)
{
	struct tally *tally = rig->own;
	struct kryos_sample samples[BATCH] = { 0 };
	int r;

	for (int i = 0; i < BATCH; i++)
		samples[i] = (struct kryos_sample){ .channel = rig->fridge, .value_micro = tally->written + i };
	r = kryos_store_append(rig->store, samples, BATCH);
	kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(20));
	for (int i = 0; i < BATCH && r >= 0; i++) {
		assert_in_range(samples[i].seq, tally->last_seq + 1, MAX_SEQ - 1);
		tally->last_seq = samples[i].seq;
		tally->sample[samples[i].seq] = true;
		tally->written++;
	}
	return r;
}

static void deliver(struct rig *rig, int count)
{
	struct tally *tally = rig->own;
	const struct kryos_record *record;

	while (count > 0 && kryos_queue_next(rig->queue, &record) > 0) {
		if (!record->event) {
			tally->acked[record->seq] = true;
			count--;
		}
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
	}
}

/* The idle moments of ten minutes. */
static void rest(struct rig *rig)
{
	for (int i = 0; i < 10; i++) {
		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(61));
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
		process_for(rig->ctx, 8);
	}
}

static int64_t folder_bytes(const char *folder)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;
	struct stat status;
	int64_t bytes = 0;

	while ((entry = readdir(directory)))
		if (!strstr(entry->d_name, "-shm") && !fstatat(dirfd(directory), entry->d_name, &status, 0) &&
		    S_ISREG(status.st_mode))
			bytes += status.st_size;
	closedir(directory);
	return bytes;
}

/* Every sample written is kept, delivered or in a gap; no gap holds one that was delivered or is kept. */
static int64_t account(struct rig *rig)
{
	struct tally *tally = rig->own;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int64_t gaps = 0, counted = 0, said = 0;

	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next(reader, &record) > 0)
		tally->kept[record->seq] = true;
	while (kryos_reader_next_event(reader, &record) > 0) {
		const char *count;

		if (record->event->type != KRYOS_EVENT_GAP)
			continue;
		assert_string_equal(record->event->name, "modem");
		for (int64_t seq = record->event->first_seq; seq <= record->event->last_seq; seq++)
			tally->gap[seq] = true;
		count = strchr(record->event->text, ';');
		assert_non_null(count);
		said += strtoll(count + 1, NULL, 10);
		gaps++;
	}
	kryos_reader_close(reader);
	for (int64_t seq = 1; seq <= tally->last_seq; seq++) {
		if (!tally->sample[seq])
			continue;
		if (!tally->kept[seq] && !tally->acked[seq] && !tally->gap[seq])
			fail_msg("seq %" PRId64 " is gone, and nothing says so", seq);
		if (tally->gap[seq] && (tally->kept[seq] || tally->acked[seq]))
			fail_msg("seq %" PRId64 " is %s, and a gap says it is gone", seq,
			         tally->kept[seq] ? "kept" : "delivered");
		counted += tally->gap[seq];
	}
	assert_int_equal(said, counted);
	return gaps;
}

static void the_oldest_samples_go_and_each_is_in_a_gap_record(void **state)
{
	struct rig *rig = *state;
	struct tally *tally = rig->own;
	int64_t worst = 0, bytes;

	start(rig, KRYOS_FULL_DROP_OLDEST);
	for (int i = 0; i < 900; i++) {
		assert_ok(append(rig));
		if (i == 100)
			deliver(rig, 777); /* into the middle of a segment */
		if (i % 50 == 49) {
			process_for(rig->ctx, 10);
			bytes = folder_bytes(rig->path);
			worst = bytes > worst ? bytes : worst;
		}
	}
	rest(rig);
	assert_true(account(rig) > 3);
	assert_int_equal(rig_status(rig).gaps, account(rig));
	assert_true(rig_status(rig).first_seq > 1);
	print_message("limit %" PRId64 ": %" PRId64 " samples written, %" PRId64 " bytes at most, %" PRId64
	              " in the end\n",
	              rig_status(rig).limit_bytes, tally->written, worst, folder_bytes(rig->path));
	/* A write-ahead log of half a megabyte each for the segment and state.db may stand beside the limit. */
	assert_in_range(worst, LIMIT / 2, 2 * LIMIT + 100000);
	/* What is still owed comes, in order, and nothing that is in a gap. */
	deliver(rig, MAX_SEQ);
	for (int64_t seq = 1; seq <= tally->last_seq; seq++)
		assert_false(tally->sample[seq] && !tally->acked[seq] && !tally->gap[seq]);
	account(rig);
}

static void what_was_delivered_goes_first_and_leaves_no_gap(void **state)
{
	struct rig *rig = *state;

	start(rig, KRYOS_FULL_DROP_OLDEST);
	for (int i = 0; i < 900; i++) {
		assert_ok(append(rig));
		deliver(rig, BATCH);
		if (i % 50 == 49)
			process_for(rig->ctx, 10);
	}
	rest(rig);
	assert_int_equal(account(rig), 0);
	assert_true(rig_status(rig).first_seq > 1);
}

static bool takes(void *data)
{
	return append(data) >= 0;
}

static void a_store_that_refuses_loses_nothing_and_takes_again_after_a_delivery(void **state)
{
	struct rig *rig = *state;
	int64_t first;
	int r = 0;

	start(rig, KRYOS_FULL_REFUSE);
	/* Sealing makes a little room: full is what refuses after an idle time too. */
	for (int i = 0; i < 2000 && (r >= 0 || append(rig) >= 0); i++) {
		r = append(rig);
		if (r < 0)
			rest(rig);
		else if (i % 20 == 19)
			process_for(rig->ctx, 10);
	}
	assert_int_equal(r, KRYOS_EFULL);
	assert_says(KRYOS_EFULL, "policy is to refuse");
	assert_in_range(folder_bytes(rig->path), LIMIT * 8 / 10, 2 * LIMIT);
	assert_int_equal(account(rig), 0);
	first = rig_status(rig).first_seq;
	assert_int_equal(first, 1);
	/* An event is still taken. */
	assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT, .text = "x" }));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));

	deliver(rig, 3000);
	if (!process_until(rig->ctx, takes, rig, 10000))
		fail_msg("after a delivery: %s", kryos_strerror(KRYOS_EFULL));
	rest(rig);
	assert_int_equal(account(rig), 0);
	assert_true(rig_status(rig).first_seq > first);
}

static void a_limit_holds_over_restarts(void **state)
{
	struct rig *rig = *state;

	for (int run = 0; run < 6; run++) {
		start(rig, KRYOS_FULL_DROP_OLDEST);
		for (int i = 0; i < 150; i++)
			assert_ok(append(rig));
		rest(rig);
		rig_stop(rig);
	}
	start(rig, KRYOS_FULL_DROP_OLDEST);
	assert_true(account(rig) > 1);
	assert_int_equal(rig_status(rig).gaps, account(rig));
	assert_in_range(folder_bytes(rig->path), LIMIT / 2, 2 * LIMIT);
}

/* Years of a link that comes and goes. */
static void delivered_events_do_not_grow_without_bound(void **state)
{
	struct rig *rig = *state;
	const struct kryos_record *record;
	struct kryos_reader *reader;
	char text[400];
	int kept = 0, last = 0;
	int64_t bytes;

	start(rig, KRYOS_FULL_DROP_OLDEST);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 1; i <= 3000; i++) {
		struct kryos_event event = { .type = KRYOS_EVENT_AUDIT, .code = i, .text = text };

		assert_ok(kryos_store_add_event(rig->store, &event));
		if (i % 100)
			continue;
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
		while (kryos_queue_next(rig->queue, &record) > 0) {
			if (record->event->type == KRYOS_EVENT_AUDIT)
				assert_int_equal(record->event->code, ++last);
			assert_ok(kryos_queue_ack(rig->queue, record->seq));
		}
		assert_ok(append(rig));
		rest(rig);
		deliver(rig, BATCH);
	}
	assert_int_equal(last, 3000);
	bytes = kri_file_bytes(in(rig->path, "state.db"));
	assert_in_range(bytes, 1, LIMIT * 3 / 10);
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while (kryos_reader_next_event(reader, &record) > 0)
		kept++;
	assert_in_range(kept, 50, 1000);
	print_message("%d events kept in %" PRId64 " bytes\n", kept, bytes);
	account(rig);
}

/* A relay whose broker never answers. */
static void events_that_nobody_takes_become_a_gap_before_they_fill_the_disk(void **state)
{
	enum { EVENTS = 4000, AT_ONCE = 100 };
	struct rig *rig = *state;
	const struct kryos_record *record;
	int delivered = 0, said = 0, last = 0;
	bool from_the_first = false;
	char text[400];

	start(rig, KRYOS_FULL_DROP_OLDEST);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 1; i <= EVENTS; i++) {
		struct kryos_event event = { .type = KRYOS_EVENT_AUDIT, .code = i, .text = text };

		assert_ok(kryos_store_add_event(rig->store, &event));
		if (i % AT_ONCE)
			continue;
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
		assert_ok(append(rig));
		rest(rig);
	}
	assert_in_range(kri_file_bytes(in(rig->path, "state.db")), LIMIT / 8, LIMIT * 4 / 10);
	while (kryos_queue_next_of(rig->queue, KRYOS_STREAM_EVENTS, &record) > 0) {
		if (record->event->type == KRYOS_EVENT_AUDIT && strcmp(record->event->name, "store") != 0) {
			assert_true(!last || record->event->code == last + 1);
			last = record->event->code;
			delivered++;
		} else if (record->event->type == KRYOS_EVENT_GAP) {
			assert_string_equal(record->event->name, "modem");
			assert_int_equal(record->event->code, KRYOS_STREAM_EVENTS);
			said += atoi(strchr(record->event->text, ';') + 1);
			from_the_first |= record->event->first_seq <= AT_ONCE;
		}
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
	}
	print_message("%d events of %d delivered\n", delivered, EVENTS);
	assert_int_equal(last, EVENTS);
	assert_true(from_the_first);
	assert_in_range(delivered, 100, EVENTS / 2);
	/* (Those of the clock, of seals and of what went before are among the ones not delivered.) */
	print_message("%d events said to be gone\n", said);
	assert_in_range(delivered + said, EVENTS, EVENTS + 40);
}

static int64_t rows_of(struct rig *rig, const char *sql)
{
	int64_t rows = -1;
	sqlite3 *db;

	assert_ok(kri_sql_open(&db, in(rig->path, "state.db"), SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_int(db, sql, &rows));
	sqlite3_close(db);
	return rows;
}

/* What decades, or a fault that comes back every second, leave in state.db. */
static void gaps_seals_and_boots_of_what_is_gone_are_bounded(void **state)
{
	struct rig *rig = *state;
	sqlite3 *db;

	start(rig, KRYOS_FULL_DROP_OLDEST);
	assert_ok(append(rig));
	rig_stop(rig);
	assert_ok(kri_sql_open(&db, in(rig->path, "state.db"), SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<10050)"
	                           " INSERT INTO gap(first_seq,last_seq,reason) SELECT i,i,'test' FROM n;"
	                           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<10050)"
	                           " INSERT INTO seal SELECT -i,-i,'','','','',0,0,0,0,1,'',"
	                           "row_crc('seal',-i,-i,'','','','',0,0,0,0,1,'') FROM n;"
	                           "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM n WHERE i<5000)"
	                           " INSERT INTO boot SELECT i,'',NULL,NULL,0,NULL,"
	                           "row_crc('boot',i,'',NULL,NULL,0,NULL) FROM n"));
	sqlite3_close(db);
	start(rig, KRYOS_FULL_DROP_OLDEST);
	assert_ok(append(rig));
	/* Idle work comes when the machine has an idle moment too. */
	for (int i = 0; i < 30 && rows_of(rig, "SELECT count(*) FROM seal WHERE dropped=1") != 10000; i++)
		rest(rig);
	assert_in_range(rows_of(rig, "SELECT count(*) FROM gap"), 10000, 10003);
	assert_int_equal(rows_of(rig, "SELECT count(*) FROM seal WHERE dropped=1"), 10000);
	assert_int_equal(rows_of(rig, "SELECT max(first_seq) FROM seal WHERE dropped=1"), -1);
	/* The first boot's sample and events are still there: so all are. */
	assert_int_equal(rows_of(rig, "SELECT count(*) FROM boot"), 5001);
	assert_ok(kri_sql_open(&db, in(rig->path, "state.db"), SQLITE_OPEN_READWRITE));
	assert_ok(kri_sql_exec(db, "DELETE FROM event"));
	sqlite3_close(db);
	for (int i = 0; i < 100 && rows_of(rig, "SELECT count(*) FROM boot") > 1; i++) {
		kryos_fake_clock_advance(rig->clock, KRYOS_DAYS(1));
		assert_ok(append(rig));
		rest(rig);
	}
	assert_int_equal(rows_of(rig, "SELECT count(*) FROM boot"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_samples_go_and_each_is_in_a_gap_record, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_delivered_goes_first_and_leaves_no_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_that_refuses_loses_nothing_and_takes_again_after_a_delivery,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_limit_holds_over_restarts, setup, teardown),
		cmocka_unit_test_setup_teardown(delivered_events_do_not_grow_without_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(gaps_seals_and_boots_of_what_is_gone_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(events_that_nobody_takes_become_a_gap_before_they_fill_the_disk, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
