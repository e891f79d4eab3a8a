/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 20000 /* what takes milliseconds, on a machine that is very busy */

int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->folder = scratch_new();
	snprintf(rig->path, sizeof(rig->path), "%s/store", rig->folder);
	assert_ok(kryos_fake_clock_new(&rig->clock, RIG_START_NS));
	kryos_fake_clock_set_synced(rig->clock, 1);
	*state = rig;
	return 0;
}

int rig_setup_cut(void **state)
{
	struct cutvfs *vfs = cutvfs_new(); /* before any file of the store is opened */

	rig_setup(state);
	((struct rig *)*state)->vfs = vfs;
	return 0;
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;

	if (rig->vfs) {
		cutvfs_fail(rig->vfs, CUT_CALL_OPEN, NULL, 0, 0, false);
		cutvfs_delay_sync(rig->vfs, 0);
	}
	kryos_ctx_free(rig->ctx);
	kryos_fake_clock_free(rig->clock);
	cutvfs_free(rig->vfs);
	scratch_free(rig->folder);
	free(rig);
	return 0;
}

void rig_start(struct rig *rig, const struct kryos_store_config *config)
{
	assert_null(rig->ctx);
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_channel_add(rig->ctx, "fridge.temperature", "Cel", &rig->fridge));
	assert_ok(kryos_channel_add(rig->ctx, "room.temperature", "Cel", &rig->room));
	assert_ok(kryos_store_open(&rig->store, rig->ctx, rig->path, config));
}

void rig_open_queue(struct rig *rig, const struct kryos_queue_config *config)
{
	assert_ok(kryos_queue_open(&rig->queue, rig->store, "modem", config));
}

void rig_stop(struct rig *rig)
{
	kryos_ctx_free(rig->ctx); /* waits for the store's thread */
	rig->ctx = NULL;
	rig->store = NULL;
	rig->queue = NULL;
}

void rig_remove(struct rig *rig)
{
	assert_null(rig->ctx);
	scratch_free(strdup(rig->path));
}

struct kryos_sample rig_sample(uint32_t channel, int64_t value)
{
	return (struct kryos_sample){ .channel = channel, .value_micro = value, .round = (uint32_t)value };
}

int64_t rig_append(struct rig *rig, uint32_t channel, int64_t value)
{
	struct kryos_sample sample = rig_sample(channel, value);

	assert_ok(kryos_store_append(rig->store, &sample, 1));
	return sample.seq;
}

int64_t rig_append_minutes(struct rig *rig, int count)
{
	int64_t first = 0;

	for (int i = 0; i < count; i++) {
		int64_t seq = rig_append(rig, rig->fridge, i);

		first = first ? first : seq;
		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(60));
	}
	return first;
}

int rig_deliver(struct rig *rig, int count)
{
	const struct kryos_record *record;
	int delivered = 0, r = 1;

	while (delivered < count && (r = kryos_queue_next(rig->queue, &record)) > 0) {
		delivered += !record->event;
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
	}
	assert_ok(r);
	return delivered;
}

static int64_t newest(struct rig *rig)
{
	int64_t first_seq;

	pthread_mutex_lock(&rig->store->lock);
	first_seq = rig->store->segments[rig->store->segment_count - 1].first_seq;
	pthread_mutex_unlock(&rig->store->lock);
	return first_seq;
}

void rig_rotate(struct rig *rig)
{
	int64_t before = newest(rig);

	kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(601));
	for (int i = 0; i < PATIENCE_MS / 5; i++) {
		assert_ok(kryos_store_flush(rig->store, KRYOS_MILLISECONDS(PATIENCE_MS))); /* wakes the writer */
		process_for(rig->ctx, 5);
		if (newest(rig) != before)
			return;
	}
	fail_msg("no segment was begun after %" PRId64, before);
}

/* With their number, but for the newest, and for what will never be sealed. */
static int count_sealed(struct rig *rig, int *ret_all)
{
	int sealed = 0;

	*ret_all = 0;
	pthread_mutex_lock(&rig->store->lock);
	for (int i = 0; i < rig->store->segment_count; i++) {
		struct kri_segment_info *info = &rig->store->segments[i];

		sealed += info->recorded;
		*ret_all += info->recorded || (!info->bad && i + 1 < rig->store->segment_count);
		info->seal_at_ns = 0; /* no need to wait for the next try */
	}
	pthread_mutex_unlock(&rig->store->lock);
	return sealed;
}

int rig_count_sealed(struct rig *rig)
{
	int all;

	return count_sealed(rig, &all);
}

bool rig_is_sealed(void *data)
{
	struct rig *rig = data;
	int all;

	if (count_sealed(rig, &all) == all)
		return true;
	assert_ok(kryos_store_flush(rig->store, KRYOS_MILLISECONDS(PATIENCE_MS))); /* wakes the writer */
	return false;
}

void rig_wait_sealed(struct rig *rig)
{
	int all;

	if (!process_until(rig->ctx, rig_is_sealed, rig, PATIENCE_MS))
		fail_msg("%d segments are sealed of %d", count_sealed(rig, &all), all);
}

static bool is_mended(void *data)
{
	struct rig *rig = data;
	bool mended = true;

	pthread_mutex_lock(&rig->store->lock);
	mended = !rig->store->damaged_segment;
	for (int i = 0; i < rig->store->segment_count; i++)
		mended &= !rig->store->segments[i].bad || rig->store->segments[i].mended;
	pthread_mutex_unlock(&rig->store->lock);
	if (!mended)
		assert_ok(kryos_store_flush(rig->store, KRYOS_MILLISECONDS(PATIENCE_MS))); /* wakes the writer */
	return mended;
}

void rig_wait_mended(struct rig *rig)
{
	if (!process_until(rig->ctx, is_mended, rig, PATIENCE_MS))
		fail_msg("a damaged segment is not salvaged");
}

const char *rig_segment_path(struct rig *rig, int back)
{
	char name[64];

	pthread_mutex_lock(&rig->store->lock);
	snprintf(name, sizeof(name), "%020" PRId64 ".seg",
	         rig->store->segments[rig->store->segment_count - 1 - back].first_seq);
	pthread_mutex_unlock(&rig->store->lock);
	return in(rig->path, name);
}

struct kryos_store_status rig_status(struct rig *rig)
{
	struct kryos_store_status status = { .size = sizeof(status) };

	assert_ok(kryos_store_get_status(rig->store, &status));
	return status;
}

struct kryos_verify_result rig_verify(struct rig *rig)
{
	struct kryos_verify_result result = { .size = sizeof(result) };

	assert_ok(kryos_verify(rig->ctx, rig->path, &result));
	return result;
}

int64_t rig_count(struct rig *rig)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_ctx *ctx;
	int64_t count = 0, last = 0;
	uint64_t damaged;
	int r;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_reader_open(&reader, ctx, rig->path));
	while ((r = kryos_reader_next(reader, &record)) > 0) {
		assert_true(record->seq > last);
		last = record->seq;
		count++;
	}
	assert_ok(r);
	assert_ok(kryos_reader_get_damaged(reader, &damaged));
	assert_int_equal(damaged, 0);
	kryos_ctx_free(ctx);
	return count;
}

int rig_sql(const char *path, const char *sql)
{
	sqlite3 *db;
	int changed;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s: %s", path, sql, sqlite3_errmsg(db));
	changed = sqlite3_changes(db);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return changed;
}
