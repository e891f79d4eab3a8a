/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store on a full disk: one that says so beforehand (soft limit), one that does not (a quota: ENOSPC beside plenty
 * of space), and real small file systems that another file fills. Whatever happens, each sample that was accepted is
 * kept, delivered, or in a gap record, and nothing is deleted that did not have to be.
 */
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLENTY INT64_C(1000000000)
enum { MAX_VALUES = 100000, BATCH = 32, RESERVE = 262144 };

enum fate { NEVER, WAITS, ACCEPTED };

/* The rig's own. Its vfs is there where failures are made, not met. */
struct disk {
	bool mounted; /* on the rig's folder */
	int value;
	int64_t last_seq;
	enum fate fates[MAX_VALUES];
	int64_t seqs[MAX_VALUES];
	bool acked[MAX_VALUES], kept[MAX_VALUES];
	_Atomic int64_t free_bytes, others; /* of the pretended disk: what is free, or what of it others leave */
	bool pretends;
	int began, ended; /* events of a full disk */
	uint64_t waited, refused;
};

static struct disk *disk(struct rig *rig)
{
	return rig->own;
}

static int setup(void **state)
{
	rig_setup(state);
	((struct rig *)*state)->own = calloc(1, sizeof(struct disk));
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	rig_stop(rig);
	if (disk(rig)->mounted)
		umount2(rig->folder, MNT_DETACH);
	free(rig->own);
	return rig_teardown(state);
}

static int64_t segment_bytes(const char *folder)
{
	struct kri_segment_info *list = NULL;
	int64_t used = 0;
	char path[4096];
	int count = 0;

	assert_ok(kri_list_segments(folder, &list, &count));
	for (int i = 0; i < count; i++) {
		kri_segment_path(folder, list[i].first_seq, path, sizeof(path));
		used += kri_db_bytes(path);
	}
	free(list);
	return used;
}

/* A disk of 100 MB on which so much is free, or others leave so much to the store's segments. */
static void pretend(void *data, const char *folder, int64_t *ret_free, int64_t *ret_total)
{
	struct rig *rig = data;
	int64_t others = disk(rig)->others, used = others ? segment_bytes(folder) : 0;

	*ret_total = 100000000;
	*ret_free = others ? (used < others ? others - used : 0) : disk(rig)->free_bytes;
}

/* So many of the oldest segments would have to go for the soft limit to hold again. */
static void take_away(struct rig *rig, int segments)
{
	struct kri_segment_info *list = NULL;
	int64_t lacking = 0;
	char path[4096];
	int count = 0;

	assert_ok(kri_list_segments(rig->path, &list, &count));
	assert_true(count > segments);
	for (int i = 0; i < segments; i++) {
		kri_segment_path(rig->path, list[i].first_seq, path, sizeof(path));
		lacking += kri_db_bytes(path);
	}
	free(list);
	/* (The next commit takes some as well.) */
	disk(rig)->others = segment_bytes(rig->path) + 2097152 - lacking + 20000;
}

static int open_store(struct rig *rig, enum kryos_full_policy full)
{
	int r;

	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_channel_add(rig->ctx, "fridge.temperature", "Cel", &rig->fridge));
	r = kryos_store_open(&rig->store, rig->ctx, rig->path,
	                     KRYOS_STORE_CONFIG(.full = full, .segment_bytes = 65536, .board = "board-of-this-test"));
	if (r < 0)
		return r;
	if (disk(rig)->pretends) {
		pthread_mutex_lock(&rig->store->lock);
		rig->store->room.ask = pretend;
		rig->store->room.data = rig;
		pthread_mutex_unlock(&rig->store->lock);
	}
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig->store->retry_ns = KRYOS_MILLISECONDS(4);
	return kryos_queue_open(&rig->queue, rig->store, "modem", KRYOS_QUEUE_CONFIG(.max_lent = 4096));
}

static void start(struct rig *rig, enum kryos_full_policy full)
{
	disk(rig)->pretends = true;
	if (!disk(rig)->free_bytes)
		disk(rig)->free_bytes = PLENTY;
	assert_ok(open_store(rig, full));
}

/* What news says of what waited. */
static void take_news(struct rig *rig)
{
	const struct kryos_event *event;

	assert_ok(kryos_ctx_process(rig->ctx));
	while (kryos_ctx_next_event(rig->ctx, &event) > 0) {
		int64_t value = event->sample.value_micro;

		if (event->type != KRYOS_EVENT_SAMPLE)
			continue;
		assert_true(disk(rig)->fates[value] != NEVER);
		if (disk(rig)->fates[value] == WAITS)
			assert_int_equal(disk(rig)->seqs[value], event->sample.seq);
		disk(rig)->fates[value] = ACCEPTED;
		disk(rig)->seqs[value] = event->sample.seq;
		disk(rig)->last_seq = event->sample.seq > disk(rig)->last_seq ? event->sample.seq : disk(rig)->last_seq;
	}
}

/* One commit, which is accepted, kept in memory, or refused. */
static int append(struct rig *rig)
{
	struct kryos_sample samples[BATCH] = { 0 };
	int first = disk(rig)->value + 1, r;

	for (int i = 0; i < BATCH; i++)
		samples[i] = (struct kryos_sample){ .channel = rig->fridge, .value_micro = first + i };
	for (int i = 0; i < BATCH; i++)
		disk(rig)->fates[first + i] = NEVER;
	r = kryos_store_append(rig->store, samples, BATCH);
	kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(20));
	if (r >= 0 || r == KRYOS_EVOLATILE) {
		disk(rig)->value += BATCH;
		for (int i = 0; i < BATCH; i++) {
			disk(rig)->fates[first + i] = r < 0 ? WAITS : ACCEPTED;
			disk(rig)->seqs[first + i] = samples[i].seq;
			disk(rig)->last_seq =
				samples[i].seq > disk(rig)->last_seq ? samples[i].seq : disk(rig)->last_seq;
		}
	}
	take_news(rig);
	return r;
}

static void fill_segments(struct rig *rig, uint32_t count)
{
	while (rig_status(rig).segments < count) {
		assert_ok(append(rig));
		process_for(rig->ctx, 2);
	}
}

/* (One that was in use for a moment is tried again after 10 s.) */
static bool all_sealed(void *data)
{
	struct rig *rig = data;
	bool sealed = true;

	take_news(rig);
	pthread_mutex_lock(&rig->store->lock);
	for (int i = 0; i + 1 < rig->store->segment_count; i++)
		sealed &= rig->store->segments[i].recorded;
	pthread_mutex_unlock(&rig->store->lock);
	return sealed;
}

static void deliver(struct rig *rig, int count)
{
	const struct kryos_record *record;

	while (count > 0 && kryos_queue_next(rig->queue, &record) > 0) {
		if (!record->event) {
			disk(rig)->acked[record->sample.value_micro] = true;
			count--;
		}
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
	}
}

static bool trouble_is_over(void *data)
{
	struct rig *rig = data;
	bool over;

	take_news(rig);
	pthread_mutex_lock(&rig->store->lock);
	over = !rig->store->ring_samples && !rig->store->waiting_samples;
	pthread_mutex_unlock(&rig->store->lock);
	return over && !rig_status(rig).error;
}

/* Nothing waits any more: each sample that was not refused is kept, delivered or in a gap, and a gap holds no other.
 * How many are in gaps. */
static int account(struct rig *rig)
{
	const struct kryos_record *record;
	struct kryos_reader *reader;
	bool *gap = calloc((size_t)disk(rig)->last_seq + 100000, sizeof(*gap));
	int lost = 0, r;

	disk(rig)->began = disk(rig)->ended = 0;
	memset(disk(rig)->kept, 0, sizeof(disk(rig)->kept));
	assert_ok(kryos_reader_open(&reader, rig->ctx, rig->path));
	while ((r = kryos_reader_next(reader, &record)) > 0) {
		int64_t value = record->sample.value_micro;

		assert_in_range(value, 1, disk(rig)->value);
		assert_false(disk(rig)->kept[value]);
		assert_int_equal(record->seq, disk(rig)->seqs[value]);
		disk(rig)->kept[value] = true;
	}
	assert_int_equal(r, 0);
	while (kryos_reader_next_event(reader, &record) > 0) {
		const struct kryos_event *event = record->event;

		if (event->type == KRYOS_EVENT_STORE) {
			disk(rig)->began += event->code == -ENOSPC;
			disk(rig)->ended += !event->code;
			if (!event->code)
				assert_int_equal(sscanf(event->text,
				                        "there is room on the disk again; %" SCNu64
				                        " samples waited in memory, %" SCNu64 " were refused",
				                        &disk(rig)->waited, &disk(rig)->refused),
				                 2);
		}
		if (event->type == KRYOS_EVENT_GAP && event->code != KRYOS_STREAM_EVENTS)
			for (int64_t seq = event->first_seq; seq <= event->last_seq && seq <= disk(rig)->last_seq;
			     seq++)
				gap[seq] = true;
	}
	kryos_reader_close(reader);
	for (int value = 1; value <= disk(rig)->value; value++) {
		if (!disk(rig)->kept[value] && !disk(rig)->acked[value] && !gap[disk(rig)->seqs[value]])
			fail_msg("value %d is gone, and nothing says so", value);
		if (gap[disk(rig)->seqs[value]] && (disk(rig)->kept[value] || disk(rig)->acked[value]))
			fail_msg("value %d is %s, and a gap says it is gone", value,
			         disk(rig)->kept[value] ? "kept" : "delivered");
		lost += gap[disk(rig)->seqs[value]];
	}
	free(gap);
	assert_string_equal(rig_verify(rig).first_problem, "");
	return lost;
}

static void what_was_delivered_goes_while_writes_still_succeed(void **state)
{
	struct rig *rig = *state;
	uint32_t before;

	start(rig, KRYOS_FULL_DROP_OLDEST);
	fill_segments(rig, 12);
	assert_true(process_until(rig->ctx, all_sealed, rig, 15000));
	deliver(rig, disk(rig)->value);
	assert_ok(kryos_queue_commit(rig->queue));
	before = rig_status(rig).segments;
	take_away(rig, 3);
	assert_ok(append(rig));
	print_message("%u segments, then %u\n", before, rig_status(rig).segments);
	assert_in_range(rig_status(rig).segments, before - 4, before - 2);
	assert_true(rig_status(rig).first_seq > 1);
	disk(rig)->others = PLENTY;
	assert_true(process_until(rig->ctx, trouble_is_over, rig, 5000));
	process_for(rig->ctx, 30);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_int_equal(account(rig), 0);
	assert_int_equal(disk(rig)->began, 1);
	assert_int_equal(disk(rig)->ended, 1);
	assert_int_equal(disk(rig)->waited + disk(rig)->refused, 0);
}

static void then_the_oldest_goes_as_a_gap_and_no_more_than_must(void **state)
{
	struct rig *rig = *state;
	uint32_t before;

	start(rig, KRYOS_FULL_DROP_OLDEST);
	fill_segments(rig, 12);
	assert_true(process_until(rig->ctx, all_sealed, rig, 15000));
	before = rig_status(rig).segments;
	take_away(rig, 3);
	assert_ok(append(rig));
	assert_in_range(rig_status(rig).segments, before - 4, before - 2);
	for (int i = 0; i < 20; i++)
		assert_ok(append(rig));
	/* (The one that is written to needs several times what is left of it once it is closed.) */
	assert_in_range(rig_status(rig).segments, before - 8, before - 1);
	disk(rig)->others = PLENTY;
	process_for(rig->ctx, 50);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_true(account(rig) > 100);
	assert_int_equal(disk(rig)->began, 1);
	assert_int_equal(disk(rig)->ended, 1);
}

/* What takes the space is not the store's: all of its records for nothing would be no help. */
static void what_does_not_help_is_not_deleted(void **state)
{
	struct rig *rig = *state;

	start(rig, KRYOS_FULL_DROP_OLDEST);
	fill_segments(rig, 8);
	assert_true(process_until(rig->ctx, all_sealed, rig, 15000));
	disk(rig)->free_bytes = 5000;
	for (int i = 0; i < 10; i++)
		assert_ok(append(rig));
	assert_in_range(rig_status(rig).segments, 6, 8);
	disk(rig)->free_bytes = PLENTY;
	process_for(rig->ctx, 50);
	assert_ok(append(rig));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	account(rig);
	assert_int_equal(disk(rig)->began, 1);
	assert_int_equal(disk(rig)->ended, 1);
}

static bool takes(void *data)
{
	return append(data) >= 0;
}

static void a_policy_to_refuse_refuses_below_the_soft_limit_and_deletes_nothing(void **state)
{
	struct rig *rig = *state;

	start(rig, KRYOS_FULL_REFUSE);
	fill_segments(rig, 3);
	assert_true(process_until(rig->ctx, all_sealed, rig, 15000));
	disk(rig)->free_bytes = 2000000;
	/* The one that finds it out is written: there is still room for it. */
	assert_ok(append(rig));
	for (int i = 0; i < 5; i++)
		assert_fails(KRYOS_EFULL, append(rig));
	assert_true(rig_status(rig).segments >= 3);
	disk(rig)->free_bytes = PLENTY;
	if (!process_until(rig->ctx, takes, rig, 5000))
		fail_msg("it refuses although there is room");
	process_for(rig->ctx, 30);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	assert_int_equal(account(rig), 0);
	assert_int_equal(disk(rig)->began, 1);
	assert_int_equal(disk(rig)->ended, 1);
	assert_in_range(disk(rig)->refused, 5 * BATCH, 100 * BATCH);
}

static bool has_reserve(void *data)
{
	struct rig *rig = data;
	struct stat status;

	return !stat(in(rig->path, "reserve"), &status) && status.st_size == RESERVE &&
	       status.st_blocks * 512 >= RESERVE;
}

static void a_reserve_is_made_when_there_is_room_and_given_up_for_a_commit(void **state)
{
	struct rig *rig = *state;

	rig->vfs = cutvfs_new();
	disk(rig)->free_bytes = 7000000;
	start(rig, KRYOS_FULL_DROP_OLDEST);
	/* (The first look may come before the pretended disk.) */
	if (has_reserve(rig))
		assert_int_equal(unlink(in(rig->path, "reserve")), 0);
	pthread_mutex_lock(&rig->store->lock);
	rig->store->room.reserve_at_ns = 0;
	pthread_mutex_unlock(&rig->store->lock);
	assert_ok(append(rig));
	process_for(rig->ctx, 30);
	assert_false(has_reserve(rig));
	disk(rig)->free_bytes = PLENTY;
	for (int i = 0; i < 200 && !has_reserve(rig); i++) {
		assert_ok(append(rig));
		process_for(rig->ctx, 10);
	}
	assert_true(has_reserve(rig));
	/* Two tries of one commit fail; the third, after the reserve is gone, does not. */
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, ".seg-wal", 1, SQLITE_FULL, true);
	assert_fails(KRYOS_EVOLATILE, append(rig));
	assert_false(has_reserve(rig));
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	for (int i = 0; i < 200 && !has_reserve(rig); i++) {
		assert_ok(append(rig));
		process_for(rig->ctx, 10);
	}
	assert_true(has_reserve(rig));
	assert_int_equal(account(rig), 0);
}

/* A quota, or a fault of a moment: the file system itself has plenty of space. */
static void no_space_for_a_moment_deletes_nothing_that_is_owed(void **state)
{
	struct rig *rig = *state;
	int64_t first;

	rig->vfs = cutvfs_new();
	start(rig, KRYOS_FULL_DROP_OLDEST);
	fill_segments(rig, 5);
	assert_true(process_until(rig->ctx, all_sealed, rig, 15000));
	first = rig_status(rig).first_seq;
	rig->store->retry_ns = KRYOS_SECONDS(3600);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, ".seg-wal", 1, SQLITE_FULL, true);
	for (int i = 0; i < 5; i++)
		assert_fails(KRYOS_EVOLATILE, append(rig));
	assert_int_equal(rig_status(rig).error, -ENOSPC);
	/* Whatever is idle looks after the rest meanwhile, long after that no. */
	for (int i = 0; i < 5; i++) {
		kryos_fake_clock_advance(rig->clock, KRYOS_MINUTES(2));
		assert_ok(kryos_store_add_event(rig->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT }));
		process_for(rig->ctx, 10);
	}
	assert_int_equal(rig_status(rig).first_seq, first);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	pthread_mutex_lock(&rig->store->lock);
	rig->store->samples_at_ns = 0;
	pthread_cond_broadcast(&rig->store->changed);
	pthread_mutex_unlock(&rig->store->lock);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	process_for(rig->ctx, 20);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	take_news(rig);
	assert_int_equal(account(rig), 0);
	assert_int_equal(disk(rig)->began, 1);
	assert_int_equal(disk(rig)->ended, 1);
	assert_int_equal(disk(rig)->waited, 5 * BATCH);
}

static void no_space_that_stays_makes_room_but_not_for_nothing(void **state)
{
	struct rig *rig = *state;
	uint32_t segments;

	rig->vfs = cutvfs_new();
	start(rig, KRYOS_FULL_DROP_OLDEST);
	fill_segments(rig, 8);
	assert_true(process_until(rig->ctx, all_sealed, rig, 15000));
	segments = rig_status(rig).segments;
	rig->store->retry_ns = KRYOS_MILLISECONDS(1);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, ".seg-wal", 1, SQLITE_FULL, true);
	for (int i = 0; i < 5; i++)
		assert_fails(KRYOS_EVOLATILE, append(rig));
	process_for(rig->ctx, 300); /* a dozen tries */
	assert_in_range(rig_status(rig).segments, segments - 3, segments - 2);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	take_news(rig);
	assert_true(account(rig) > 100);
}

static void refusing_what_finds_no_space_keeps_nothing_in_memory(void **state)
{
	struct rig *rig = *state;

	rig->vfs = cutvfs_new();
	start(rig, KRYOS_FULL_REFUSE);
	assert_ok(append(rig));
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, ".seg-wal", 1, SQLITE_FULL, true);
	for (int i = 0; i < 3; i++)
		assert_fails(KRYOS_EFULL, append(rig));
	assert_int_equal(rig_status(rig).volatile_samples, 0);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_ok(append(rig));
	assert_int_equal(account(rig), 0);
}

/* A mount of our own, which ends with this process whatever happens. */
static bool mount_small(struct rig *rig, const char *type, const char *command)
{
	static bool apart;

	if (!apart && (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))) {
		print_message("can't mount: %s\n", strerror(errno));
		return false;
	}
	apart = true;
	if (command ? system(command) != 0 : mount("tmpfs", rig->folder, "tmpfs", 0, type) != 0) {
		print_message("can't mount: %s\n", command ? command : strerror(errno));
		return false;
	}
	disk(rig)->mounted = true;
	return true;
}

static void fill_disk(const char *path)
{
	char block[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	assert_true(fd >= 0);
	memset(block, 'x', sizeof(block));
	for (size_t size = sizeof(block); size;)
		if (write(fd, block, size) <= 0)
			size /= 2;
	close(fd);
}

/* Fill, policy, unfill, recovery. */
static void lives_through(struct rig *rig, int commits)
{
	int waited = 0, lost;

	assert_ok(open_store(rig, KRYOS_FULL_DROP_OLDEST));
	for (int i = 0; i < 60; i++)
		assert_ok(append(rig));
	assert_true(process_until(rig->ctx, all_sealed, rig, 15000));
	deliver(rig, disk(rig)->value / 3);
	assert_ok(kryos_queue_commit(rig->queue));
	fill_disk(in(rig->folder, "other"));
	for (int i = 0; i < commits; i++) {
		int r = append(rig);

		if (r < 0)
			assert_int_equal(r, KRYOS_EVOLATILE);
		waited += r < 0;
		if (i % 20 == 19)
			process_for(rig->ctx, 10);
		if (i % 40 == 39 && i < 100)
			fill_disk(in(rig->folder, "other"));
	}
	assert_int_equal(unlink(in(rig->folder, "other")), 0);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	assert_true(process_until(rig->ctx, trouble_is_over, rig, 5000));
	process_for(rig->ctx, 50);
	assert_ok(append(rig));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(5)));
	lost = account(rig);
	print_message(
		"%d samples, %d in gaps, %d of %d commits waited in memory, trouble began %d and ended %d times\n",
		disk(rig)->value, lost, waited, commits, disk(rig)->began, disk(rig)->ended);
	/* (A small store does not keep all of its events.) */
	assert_in_range(disk(rig)->ended, 1, 5);
	assert_in_range(disk(rig)->began, 0, disk(rig)->ended);
	deliver(rig, MAX_VALUES);
	assert_int_equal(account(rig), lost);
	rig_stop(rig);
	assert_ok(open_store(rig, KRYOS_FULL_DROP_OLDEST));
	assert_ok(append(rig));
	assert_int_equal(account(rig), lost);
}

static void forget_all(struct rig *rig)
{
	disk(rig)->value = 0;
	disk(rig)->last_seq = 0;
	memset(disk(rig)->fates, 0, sizeof(disk(rig)->fates));
	memset(disk(rig)->acked, 0, sizeof(disk(rig)->acked));
}

static void a_tmpfs_that_another_file_fills_is_lived_on(void **state)
{
	struct rig *rig = *state;
	int r;

	if (!mount_small(rig, "size=64k", NULL))
		skip();
	/* There may be no room even for state.db; else it waits in memory. */
	r = open_store(rig, KRYOS_FULL_DROP_OLDEST);
	for (int i = 0; i < 10 && r >= 0; i++) {
		r = append(rig);
		r = r == KRYOS_EVOLATILE ? 0 : r < 0 ? r : -EDOM;
	}
	print_message("on 64 KiB: %s\n", r < 0 ? kryos_strerror(r) : rig_status(rig).text);
	assert_true(r == 0 || r == -ENOSPC);
	assert_int_equal(mount("tmpfs", rig->folder, "tmpfs", MS_REMOUNT, "size=1536k"), 0);
	if (r >= 0) {
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
		assert_int_equal(account(rig), 0);
	}
	rig_stop(rig);

	/* (What it keeps of events is bounded by what was free at first.) */
	forget_all(rig);
	assert_int_equal(umount2(rig->folder, MNT_DETACH), 0);
	assert_int_equal(mount("tmpfs", rig->folder, "tmpfs", 0, "size=1536k"), 0);
	lives_through(rig, 300);
}

static void an_ext4_that_another_file_fills_is_lived_on(void **state)
{
	struct rig *rig = *state;
	char *image = scratch_new(), command[600];

	snprintf(command, sizeof(command),
	         "truncate -s 4M %s/image && mkfs.ext4 -q -F %s/image 2>&1 && mount -o loop %s/image %s 2>&1", image,
	         image, image, rig->folder);
	if (!mount_small(rig, NULL, command)) {
		scratch_free(image);
		skip();
	}
	scratch_free(image); /* the mount has it open */
	lives_through(rig, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(what_was_delivered_goes_while_writes_still_succeed),
		CASE(then_the_oldest_goes_as_a_gap_and_no_more_than_must),
		CASE(what_does_not_help_is_not_deleted),
		CASE(a_policy_to_refuse_refuses_below_the_soft_limit_and_deletes_nothing),
		CASE(a_reserve_is_made_when_there_is_room_and_given_up_for_a_commit),
		CASE(no_space_for_a_moment_deletes_nothing_that_is_owed),
		CASE(no_space_that_stays_makes_room_but_not_for_nothing),
		CASE(refusing_what_finds_no_space_keeps_nothing_in_memory),
		CASE(a_tmpfs_that_another_file_fills_is_lived_on),
		CASE(an_ext4_that_another_file_fills_is_lived_on),
#undef CASE
	};

	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
