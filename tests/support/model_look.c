/* SPDX-License-Identifier: Apache-2.0 */
/* What is on the disk, read from outside, held against the model. */
#include "model_run.h"
#include "store/private.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* What of it was removed, or given up, is a list of ranges; those of state.db name no queue. */
static void read_ranges(struct model_run *run, sqlite3 *db, const char *sql, struct model_gap *list, int room,
                        int *count)
{
	sqlite3_stmt *rows = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &rows, NULL);

	while (code == SQLITE_OK && *count < room && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		list[(*count)++] = (struct model_gap){ sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1),
			                               sqlite3_column_int(rows, 2),
			                               sqlite3_column_int(rows, 3) == KRYOS_STREAM_EVENTS };
		code = SQLITE_OK;
	}
	if (code != SQLITE_DONE)
		model_trouble(run->model, "state.db: %s", sqlite3_errmsg(db));
	sqlite3_finalize(rows);
}

/* Gaps tell of themselves as events, which name their queue, until those are trimmed. */
static int read_state(struct model_run *run)
{
	static const char gaps[] = "SELECT first_seq, last_seq, CASE name WHEN 'modem' THEN 0 WHEN 'local' THEN 1"
				   " WHEN 'second' THEN 2 ELSE -1 END, code FROM event WHERE type=7";
	static const char all_gaps[] = "SELECT first_seq, last_seq, -1, 0 FROM gap";
	static const char dropped[] = "SELECT first_seq, last_seq, -1, 0 FROM seal WHERE dropped=1";
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int stored = 0;

	snprintf(path, sizeof(path), "%s/state.db", run->folders[run->folder]);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		model_trouble(run->model, "state.db: %s", sqlite3_errmsg(db));
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	run->gap_count = run->dropped_count = 0;
	read_ranges(run, db, all_gaps, run->gaps, (int)KRI_ARRAY_SIZE(run->gaps), &run->gap_count);
	stored = run->gap_count;
	if (run->config.keep != 2 && !run->filled && !run->model->damaged) {
		run->gap_count = 0;
		read_ranges(run, db, gaps, run->gaps, (int)KRI_ARRAY_SIZE(run->gaps), &run->gap_count);
	}
	read_ranges(run, db, dropped, run->dropped, (int)KRI_ARRAY_SIZE(run->dropped), &run->dropped_count);
	sqlite3_close(db);
	return stored;
}

static bool is_gap(void *data, int queue, bool event, int64_t seq)
{
	struct model_run *run = data;

	/* An event that went before anybody saw its seq is in one of them. */
	for (int i = 0; i < run->gap_count; i++)
		if ((!seq || (seq >= run->gaps[i].first && seq <= run->gaps[i].last)) &&
		    (event || !run->gaps[i].events) &&
		    (run->gaps[i].queue < 0 || queue < 0 || run->gaps[i].queue == queue))
			return true;
	return false;
}

static bool is_removed(void *data, bool event, int64_t seq)
{
	struct model_run *run = data;

	if (event)
		return run->config.keep == 2 || run->filled; /* the older half of what was delivered */
	for (int i = 0; i < run->dropped_count; i++)
		if (seq >= run->dropped[i].first && seq <= run->dropped[i].last)
			return true;
	/* Whether queues miss something is another check. */
	for (int i = 0; i < run->harmed_count; i++)
		if (seq >= run->harmed[i].first && seq <= run->harmed[i].last)
			return true;
	return run->model->damaged && is_gap(data, -1, event, seq);
}

static int read_samples(struct model_run *run, struct kryos_reader *reader)
{
	const struct kryos_record *record;
	int64_t last = 0;
	int r, count = 0;

	while ((r = kryos_reader_next(reader, &record)) > 0) {
		if (record->seq <= last)
			model_trouble(run->model, "reader: seq %" PRId64 " comes after %" PRId64, record->seq, last);
		last = record->seq;
		model_served(run->model, record, -1);
		count++;
	}
	if (r < 0)
		model_trouble(run->model, "reader: %s", kryos_strerror(r));
	return count;
}

static void read_events(struct model_run *run, struct kryos_reader *reader)
{
	const struct kryos_record *record;
	int64_t last = 0;
	int r;

	while ((r = kryos_reader_next_event(reader, &record)) > 0) {
		if (record->seq <= last)
			model_trouble(run->model, "reader: event %" PRId64 " comes after %" PRId64, record->seq, last);
		last = record->seq;
		model_served(run->model, record, -1);
	}
	if (r < 0)
		model_trouble(run->model, "reader: events: %s", kryos_strerror(r));
}

void model_look(struct model_run *run)
{
	struct model_excuses excuses = { is_removed, is_gap, run };
	struct kryos_store_status status;
	struct kryos_reader *reader = NULL;
	int r, samples, gaps;
	uint64_t damaged = 0;

	if (!run->store || run->failing)
		return;
	model_look_begin(run->model);
	r = kryos_reader_open(&reader, run->ctx, run->folders[run->folder]);
	if (r < 0) {
		model_trouble(run->model, "reader: open: %s", kryos_strerror(r));
		return;
	}
	samples = read_samples(run, reader);
	read_events(run, reader);
	if (kryos_reader_get_damaged(reader, &damaged) >= 0 && damaged && !run->model->damaged)
		model_trouble(run->model, "reader: %" PRIu64 " rows are damaged", damaged);
	kryos_reader_close(reader);
	gaps = read_state(run);
	model_look_end(run->model, &excuses);
	status = model_status(run);
	/* At an open they are counted from seqs, failed commits' too, and what is left out is not counted. */
	if (status.samples != samples && !run->failed && !run->model->damaged)
		model_trouble(run->model, "status: %" PRId64 " samples, and %d are there", status.samples, samples);
	if (status.gaps != (uint64_t)gaps)
		model_trouble(run->model, "status: %" PRIu64 " gaps, and %d are recorded", status.gaps, gaps);
}

static void check_queues(struct model_run *run)
{
	for (int i = 0; i < run->queue_count; i++) {
		struct kryos_queue_status status = { .size = sizeof(status) };
		int owed = model_owed(run->model, i);

		if (kryos_queue_get_status(run->queues[i], &status) < 0)
			model_trouble(run->model, "queue %d: status", i);
		else if (status.owed < owed)
			model_trouble(run->model, "queue %d: status: %" PRId64 " are owed, and it is %d", i,
			              status.owed, owed);
	}
}

static void check_chain(struct model_run *run)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	int r = kryos_verify(run->ctx, run->folders[run->folder], &result);

	if (run->model->damaged && r >= 0)
		return;
	if (r == -ENOENT && !model_status(run).samples)
		return;
	if (r < 0 || result.bad_rows || result.bad_links || result.bad_seals)
		model_trouble(run->model, "verify: %s", r < 0 ? kryos_strerror(r) : result.first_problem);
}

/* What failed last is no longer true once something was written. */
static void check_health(struct model_run *run)
{
	struct kryos_store_status status;

	model_append(run, 1, 0);
	model_rest(run);
	status = model_status(run);
	/* One that refuses, being full, writes nothing, and what was is still the last that is known. */
	if (status.error && status.error != KRYOS_EFULL && !(status.error == -ENOSPC && run->config.policy))
		model_trouble(run->model, "not healthy once the disk is well: %d: %s", status.error, status.text);
}

/* The disk is well, and nothing is to be asked of anybody but to go on. */
void model_finish(struct model_run *run)
{
	struct model_excuses excuses = { is_removed, is_gap, run };

	model_heal(run);
	for (int i = 0; i < run->queue_count && run->store; i++) {
		run->closed[i] = false;
		model_open_queue(run, i);
	}
	if (run->model->problem[0] || !run->store)
		return;
	check_health(run);
	/* A segment that could not be read at an open is left out until the next. */
	if (run->failed) {
		model_close(run, 0);
		model_open(run);
	}
	if (run->model->problem[0] || !run->store)
		return;
	/* What retention or damage took is known after a look only. */
	if (run->model->damaged)
		model_look(run);
	if (!run->config.keep && !run->filled)
		check_queues(run);
	for (int i = 0; i < run->queue_count; i++)
		model_drain(run, i);
	/* A damaged segment that a queue comes by is condemned, one after the other. */
	for (int pass = 0; pass < run->harmed_count + 1 && run->model->damaged; pass++) {
		model_idle(run);
		for (int i = 0; i < run->queue_count; i++)
			model_drain(run, i);
	}
	model_idle(run);
	model_look(run);
	model_check_delivered(run->model, &excuses);
	check_chain(run);
}
