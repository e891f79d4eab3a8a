/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a store from outside: the folder is listed anew whenever its end is reached. */
#include "bundle.h"
#include "tar.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kryos_reader {
	struct kri_object object;
	struct kryos_ctx *ctx;
	char *folder;
	bool is_unpacked; /* a bundle, in a folder of its own */
	struct kri_scan scan;
	struct kri_segment_info *segments;
	int segment_count, segment_at;
	int64_t next_seq;
	uint64_t damaged;
	uint32_t newer;
	int64_t unreadable; /* newest segment that was counted as a whole */
	struct kryos_record record;
	struct kri_stored_event *events;
	uint64_t epochs[KRI_EVENT_ROWS];
	bool bad[KRI_EVENT_ROWS];
	int event_count, event_at;
	int64_t next_event_seq;
	struct kryos_event event;
	struct kri_boots boots;
};

static bool boot_of(void *data, uint32_t number, struct kri_boot *ret_boot)
{
	struct kryos_reader *reader = data;
	const struct kri_boot *boot = kri_boots_find(&reader->boots, number);

	if (boot)
		*ret_boot = *boot;
	return boot;
}

/* Without state.db there are simply no corrections. */
static void read_boots(struct kryos_reader *reader)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/state.db", reader->folder);
	if (kri_sql_open_to_read(&db, path) >= 0)
		(void)!kri_boots_read(&reader->boots, db, "", NULL);
	sqlite3_close_v2(db);
}

static int list(struct kryos_reader *reader)
{
	struct kri_segment_info *segments;
	int count, r = kri_list_segments(reader->folder, &segments, &count);

	if (r < 0)
		return r;
	free(reader->segments);
	reader->segments = segments;
	reader->segment_count = count;
	/* What each holds ends where the next begins; the newest's end is not known from outside. */
	for (int i = 0; i < count; i++)
		segments[i].last_seq = i + 1 < count ? segments[i + 1].first_seq - 1 : INT64_MAX;
	reader->segment_at = 0;
	while (reader->segment_at < count && segments[reader->segment_at].last_seq < reader->next_seq)
		reader->segment_at++;
	read_boots(reader);
	return 0;
}

static void destroy(struct kri_object *object)
{
	struct kryos_reader *reader = KRI_CONTAINER_OF(object, struct kryos_reader, object);

	kri_scan_end(&reader->scan);
	kri_object_remove(&reader->object);
	free(reader->segments);
	kri_boots_clear(&reader->boots);
	free(reader->events);
	if (reader->is_unpacked)
		kri_bundle_clear(reader->folder);
	free(reader->folder);
	free(reader);
}

void kryos_reader_close(struct kryos_reader *reader)
{
	if (reader && kri_ctx_check(reader->ctx) >= 0)
		destroy(&reader->object);
}

/* What a bundle calls events.db is a state.db without its queues. */
static int unpack(struct kryos_reader *reader, const char *path)
{
	char folder[PATH_MAX], events[PATH_MAX + 16], state[PATH_MAX + 16];
	int r = kri_bundle_open(path, folder, sizeof(folder));

	if (r < 0)
		return r;
	reader->is_unpacked = true;
	reader->folder = strdup(folder);
	if (!reader->folder) {
		kri_bundle_clear(folder);
		reader->is_unpacked = false;
		return -ENOMEM;
	}
	snprintf(events, sizeof(events), "%s/events.db", folder);
	snprintf(state, sizeof(state), "%s/state.db", folder);
	return rename(events, state) ? kryos_fail(KRYOS_ECORRUPT, "%s: there is no events.db in it", path) : 0;
}

int kryos_reader_open(struct kryos_reader **ret_reader, struct kryos_ctx *ctx, const char *path)
{
	struct kryos_reader *reader;
	char state[PATH_MAX + 16];
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_reader || !path)
		return kryos_fail(-EINVAL, "reader: no folder, or no place for the reader given");
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->ctx = ctx;
	reader->next_seq = reader->next_event_seq = 1;
	reader->events = calloc(KRI_EVENT_ROWS, sizeof(*reader->events));
	kri_scan_init(&reader->scan, ctx, NULL);
	kri_object_add(ctx, &reader->object, destroy);
	if (kri_tar_is(path))
		r = unpack(reader, path);
	else
		reader->folder = strdup(path);
	if (r >= 0)
		r = reader->folder && reader->events ? list(reader) : -ENOMEM;
	if (r >= 0)
		snprintf(state, sizeof(state), "%s/state.db", reader->folder);
	if (r >= 0 && !reader->segment_count && !kri_file_bytes(state))
		r = kryos_fail(-ENOENT, "%s: there is no store in this folder", path);
	if (r < 0) {
		destroy(&reader->object);
		return r;
	}
	kri_scan_init(&reader->scan, ctx, reader->folder);
	reader->scan.boot_of = boot_of;
	reader->scan.boot_data = reader;
	*ret_reader = reader;
	return 0;
}

const char *kri_reader_get_folder(const struct kryos_reader *reader)
{
	return reader->folder;
}

int kryos_reader_seek(struct kryos_reader *reader, int64_t seq)
{
	if (!reader || seq < 0)
		return kryos_fail(-EINVAL, "reader: no reader given, or a seq below 0");
	reader->next_seq = seq < 1 ? 1 : seq;
	reader->next_event_seq = reader->next_seq;
	reader->scan.count = reader->scan.at = 0;
	reader->event_count = reader->event_at = 0;
	return list(reader);
}

/* Once for each segment, however often its end is looked at. */
static void count_unreadable(struct kryos_reader *reader, int64_t segment, int why)
{
	if (reader->unreadable >= segment)
		return;
	reader->unreadable = segment;
	if (why == KRYOS_EFORMAT)
		reader->newer++;
	else
		reader->damaged++;
}

/* Of a damaged segment what was salvaged, or nothing yet. */
static int fill(struct kryos_reader *reader, const struct kri_segment_info *info, int64_t from_seq)
{
	if (info->bad && !info->mended)
		return KRYOS_ECORRUPT;
	return kri_scan_fill(&reader->scan, info, from_seq, info->last_seq);
}

/* The next row of the scan's buffer that is not damaged: 1 and its index; 0: the end. */
static int next_row(struct kryos_reader *reader, int *ret_index)
{
	struct kri_scan *scan = &reader->scan;
	bool relisted = false;
	int r;

	for (;;) {
		while (scan->at < scan->count) {
			int index = scan->at++;

			reader->next_seq = scan->buffer[index].seq + 1;
			if (scan->bad[index]) {
				reader->damaged++;
				continue;
			}
			*ret_index = index;
			return 1;
		}
		if (reader->segment_at < reader->segment_count) {
			struct kri_segment_info *info = &reader->segments[reader->segment_at];

			r = fill(reader, info, reader->next_seq);
			if (r > 0)
				continue;
			/* Gone since it was listed (retention), never begun, newer or damaged: the next one. */
			if (r < 0 && r != -ENOENT && r != KRYOS_ECORRUPT && r != KRYOS_EFORMAT && r != -EIO)
				return r;
			if (r < 0 && r != -ENOENT)
				count_unreadable(reader, info->first_seq, r);
			if (reader->segment_at + 1 < reader->segment_count) {
				reader->segment_at++;
				reader->next_seq = reader->segments[reader->segment_at].first_seq;
				continue;
			}
		}
		if (relisted)
			return 0;
		relisted = true;
		r = list(reader);
		if (r < 0)
			return r;
	}
}

int kryos_reader_next(struct kryos_reader *reader, const struct kryos_record **ret_record)
{
	int index, r;

	if (!reader || !ret_record)
		return kryos_fail(-EINVAL, "reader: no reader, or no place for the record given");
	r = kri_ctx_check(reader->ctx);
	if (r >= 0)
		r = next_row(reader, &index);
	if (r <= 0)
		return r;
	kri_scan_record(&reader->scan, index, &reader->record);
	*ret_record = &reader->record;
	return 1;
}

int kryos_reader_read_rows(struct kryos_reader *reader, struct kryos_row *rows, size_t count)
{
	int index, done = 0, r;

	if (!reader || (!rows && count) || count > INT_MAX)
		return kryos_fail(-EINVAL, "reader: no reader, no place for the rows, or more than 2147483647 of them");
	r = kri_ctx_check(reader->ctx);
	/* What is in the buffer comes first. */
	if (r >= 0 && reader->scan.at == reader->scan.count)
		r = kri_scan_widen(&reader->scan);
	while (r >= 0 && done < (int)count && (r = next_row(reader, &index)) > 0)
		kri_scan_row(&reader->scan, index, &rows[done++]);
	return r < 0 && !done ? r : done;
}

int kryos_reader_seek_time(struct kryos_reader *reader, int64_t t_wall_ns)
{
	const struct kryos_record *record;
	int r = kryos_reader_seek(reader, 1), begin;

	if (r < 0)
		return r;
	begin = reader->segment_at;
	/* The segment before the first one that begins too late; within it, row by row. Of one that has no row yet, or
	   none that can be read, it is not known when it begins. */
	while (reader->segment_at + 1 < reader->segment_count) {
		struct kri_segment_info *next = &reader->segments[++reader->segment_at];

		r = fill(reader, next, next->first_seq);
		while (reader->scan.at < reader->scan.count && reader->scan.bad[reader->scan.at])
			reader->scan.at++;
		if (r <= 0 || reader->scan.at == reader->scan.count)
			continue;
		kri_scan_record(&reader->scan, reader->scan.at, &reader->record);
		if (reader->record.sample.t_wall_ns >= t_wall_ns)
			break;
		begin = reader->segment_at;
	}
	reader->segment_at = begin;
	reader->scan.count = reader->scan.at = 0;
	if (reader->segment_count)
		reader->next_seq = reader->segments[reader->segment_at].first_seq;
	while ((r = kryos_reader_next(reader, &record)) > 0)
		if (record->sample.t_wall_ns >= t_wall_ns)
			break;
	if (r > 0) {
		/* Lend this one again. */
		reader->scan.at--;
		reader->next_seq = record->seq;
	}
	return r < 0 ? r : 0;
}

int kryos_reader_next_event(struct kryos_reader *reader, const struct kryos_record **ret_record)
{
	int r;

	if (!reader || !ret_record)
		return kryos_fail(-EINVAL, "reader: no reader, or no place for the record given");
	r = kri_ctx_check(reader->ctx);
	if (r < 0)
		return r;
	for (;;) {
		struct kri_stored_event *stored;
		struct kri_boot boot;
		int at = reader->event_at;

		if (at == reader->event_count) {
			reader->event_at = reader->event_count = 0;
			r = kri_state_read_events(reader->folder, reader->next_event_seq, reader->events,
			                          KRI_EVENT_ROWS, reader->epochs, reader->bad);
			if (r <= 0)
				return r;
			reader->event_count = r;
			continue;
		}
		reader->event_at++;
		stored = &reader->events[at];
		reader->next_event_seq = stored->seq + 1;
		if (reader->bad[at]) {
			reader->damaged++;
			continue;
		}
		kri_state_event_record(stored, reader->epochs[at], "", &reader->event, &reader->record);
		if (boot_of(reader, stored->boot, &boot))
			kri_boot_apply(&boot, &reader->record);
		*ret_record = &reader->record;
		return 1;
	}
}

int kryos_reader_get_damaged(struct kryos_reader *reader, uint64_t *ret_rows)
{
	if (!reader || !ret_rows)
		return kryos_fail(-EINVAL, "reader: no reader, or no place for the number given");
	*ret_rows = reader->damaged;
	return 0;
}

int kryos_reader_get_newer(struct kryos_reader *reader, uint32_t *ret_segments)
{
	if (!reader || !ret_segments)
		return kryos_fail(-EINVAL, "reader: no reader, or no place for the number given");
	*ret_segments = reader->newer;
	return 0;
}

/* The newest sample's seq, from outside; 0: none that can be read. */
static int64_t newest_sample(struct kryos_reader *reader)
{
	char path[PATH_MAX];
	sqlite3 *segment = NULL;
	int64_t newest = 0;

	for (int i = reader->segment_count - 1; i >= 0 && !newest; i--) {
		kri_segment_path(reader->folder, reader->segments[i].first_seq, path, sizeof(path));
		if (kri_sql_open(&segment, path, SQLITE_OPEN_READWRITE) >= 0 &&
		    kri_sql_int(segment, "SELECT coalesce(max(seq),0) FROM sample", &newest) < 0)
			newest = 0;
		sqlite3_close_v2(segment);
		segment = NULL;
	}
	return newest;
}

static int fill_queue(struct kryos_reader *reader, sqlite3 *db, sqlite3_stmt *row, struct kryos_queue_status *status)
{
	struct kri_ranges samples = { 0 }, events = { 0 };
	int64_t newest = newest_sample(reader), newest_event = 0;
	struct kri_run run;
	int r;

	if (kri_sql_int(db, "SELECT coalesce(max(seq),0) FROM event", &newest_event) < 0)
		newest_event = 0;
	/* Seqs up to the newest of either kind may be samples. */
	newest = newest > newest_event ? newest : newest_event;
	newest = newest < KRI_MAX_SEQ ? newest : KRI_MAX_SEQ;
	newest_event = newest_event < newest ? newest_event : newest;
	snprintf(status->name, sizeof(status->name), "%s", kri_sql_text(row, 0));
	r = kri_ranges_parse(&samples, kri_sql_text(row, 1));
	if (r >= 0)
		r = kri_ranges_parse(&events, kri_sql_text(row, 2));
	if (r >= 0) {
		status->owed = kri_ranges_count_either(&samples, newest, &events, newest_event);
		if (kri_ranges_next(&samples, 1, &run) && run.first <= newest)
			status->oldest_seq = run.first;
		if (kri_ranges_next(&events, 1, &run) && run.first <= newest_event &&
		    (!status->oldest_seq || run.first < status->oldest_seq))
			status->oldest_seq = run.first;
		status->acked = (uint64_t)sqlite3_column_int64(row, 3);
		status->rejected = (uint64_t)sqlite3_column_int64(row, 4);
		status->dead_letters = (uint32_t)sqlite3_column_int64(row, 5);
	}
	kri_ranges_clear(&samples);
	kri_ranges_clear(&events);
	return r;
}

int kryos_reader_get_queue(struct kryos_reader *reader, unsigned int index, struct kryos_queue_status *ret_status)
{
	struct kryos_queue_status status = { .size = sizeof(status) };
	sqlite3_stmt *row = NULL;
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int r, code;

	if (!reader || !ret_status || ret_status->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "reader: no reader or status given, or its size is not set");
	snprintf(path, sizeof(path), "%s/state.db", reader->folder);
	r = kri_sql_open_to_read(&db, path);
	if (r >= 0)
		r = kri_sql_prepare(db, &row,
		                    "SELECT name, samples, events, acked, rejected,"
		                    " (SELECT count(*) FROM dead WHERE dead.queue=queue.name)"
		                    " FROM queue ORDER BY name LIMIT 1 OFFSET ?");
	if (r >= 0) {
		sqlite3_bind_int64(row, 1, index);
		code = sqlite3_step(row);
		if (code == SQLITE_ROW)
			r = fill_queue(reader, db, row, &status);
		else
			r = code == SQLITE_DONE ? kryos_fail(-ENOENT, "%s: no queue %u", reader->folder, index)
			                        : kri_sql_fail(db, code);
	}
	sqlite3_finalize(row);
	sqlite3_close_v2(db);
	if (r >= 0)
		memcpy(ret_status, &status, ret_status->size < sizeof(status) ? ret_status->size : sizeof(status));
	return r;
}
