/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store, cut at every operation of a scripted run with rotation, sealing, checkpoints and
 * retention, in every mode of the crash rig. After each cut the store is opened as the next boot
 * would, and must keep what it promised before the cut; and for some of these cuts, that next boot's
 * recovery is itself cut at every operation. Under sanitizers every few cuts are tried; KRYOS_TEST_LONG=1 in
 * the environment tries all of those that are left out to save time, in every mode.
 */
#include "cutvfs.h"
#include "support.h"
#include <inttypes.h>
#include <kryos/testing/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 11, INTERRUPTED = 4 };
#else
enum { STRIDE = 1, INTERRUPTED = 28 };
#endif

enum { MAX_SEQ = 4096, CHANNELS = 2 };
#define WALL_NS KRYOS_SECONDS(INT64_C(1795166000))

static bool is_long(void)
{
	const char *text = getenv("KRYOS_TEST_LONG");

	return text && strcmp(text, "1") == 0;
}

static const char *const channel_names[CHANNELS] = { "fridge.temperature", "room.humidity" };

/* What the log's marks say: a kind in the low bits, a seq above them. */
enum promise { ACCEPTED, ACKED, COMMITTED, REMOVED, PROMISES };
static int64_t mark_of(enum promise promise, int64_t seq)
{
	return seq * PROMISES + promise;
}

/* What was handed in, by the seq it was given. */
struct expected {
	bool known;
	uint32_t channel;
	int64_t value_micro, t_boot_ns;
	uint64_t epoch;
};

struct run {
	struct cutvfs *vfs;
	char *live, *found;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_queue *queue;
	uint32_t channels[CHANNELS];
	struct expected expected[MAX_SEQ];
	int64_t last_seq; /* newest sample */
	int sealed;
	int64_t value;
};

static int run_up(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	run->vfs = cutvfs_new();
	run->live = scratch_new();
	run->found = scratch_new();
	*state = run;
	return 0;
}

static int run_down(void **state)
{
	struct run *run = *state;

	kryos_ctx_free(run->ctx);
	kryos_fake_clock_free(run->clock);
	cutvfs_free(run->vfs);
	scratch_free(run->live);
	scratch_free(run->found);
	free(run);
	return 0;
}

static void add_channels(struct kryos_ctx *ctx, uint32_t channels[CHANNELS])
{
	assert_ok(kryos_channel_add(ctx, channel_names[0], "Cel", &channels[0]));
	assert_ok(kryos_channel_add(ctx, channel_names[1], "%RH", &channels[1]));
}

/* Limits so small that the script meets all of them. */
static struct kryos_store_config small_config(void)
{
	return (struct kryos_store_config){
		.size = sizeof(struct kryos_store_config),
		.segment_ns = KRYOS_MINUTES(1),
		.segment_bytes = 65536,
		.keep_ns = KRYOS_HOURS(1),
		.board = "board-of-this-test",
	};
}

static void begin(struct run *run, const struct kryos_store_config *config)
{
	assert_ok(kryos_fake_clock_new(&run->clock, WALL_NS));
	kryos_fake_clock_set_synced(run->clock, 1);
	cutvfs_record(run->vfs, run->live);
	assert_ok(kryos_ctx_new(&run->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = run->clock)));
	add_channels(run->ctx, run->channels);
	assert_ok(kryos_store_open(&run->store, run->ctx, run->live, config));
	assert_ok(kryos_queue_open(&run->queue, run->store, "modem", NULL));
}

static void end(struct run *run)
{
	kryos_ctx_free(run->ctx);
	run->ctx = NULL;
	run->store = NULL;
	run->queue = NULL;
	cutvfs_stop(run->vfs);
}

static void take_news(struct run *run)
{
	const struct kryos_event *event;

	assert_ok(kryos_ctx_process(run->ctx));
	while (kryos_ctx_next_event(run->ctx, &event) > 0)
		run->sealed += event->type == KRYOS_EVENT_SEALED && event->code == 0;
}

/* One commit of count samples, marked as soon as it is promised. */
static void append(struct run *run, size_t count)
{
	struct kryos_store_status status = { .size = sizeof(status) };
	struct kryos_sample samples[16] = { 0 };

	for (size_t i = 0; i < count; i++) {
		samples[i].channel = run->channels[i % CHANNELS];
		samples[i].value_micro = ++run->value * 1000003;
		samples[i].trust = KRYOS_TRUST_SYNCED;
	}
	assert_ok(kryos_store_append(run->store, samples, count));
	cutvfs_mark(run->vfs, mark_of(ACCEPTED, samples[count - 1].seq));
	assert_ok(kryos_store_get_status(run->store, &status));
	for (size_t i = 0; i < count; i++) {
		assert_in_range(samples[i].seq, run->last_seq + 1, MAX_SEQ - 1);
		run->last_seq = samples[i].seq;
		run->expected[samples[i].seq] = (struct expected){ true, samples[i].channel, samples[i].value_micro,
			                                           samples[i].t_boot_ns, status.epoch };
	}
	take_news(run);
}

/* Takes what the queue owes and acknowledges it in order; events too. */
static void deliver(struct run *run, int count, bool commit)
{
	const struct kryos_record *record;
	int64_t last = 0;

	for (int i = 0; i < count && kryos_queue_next(run->queue, &record) > 0; i++) {
		bool sample = !record->event;
		int64_t seq = record->seq;

		/* Begun, not promised: from here on it may or may not be owed after a cut. */
		if (sample)
			cutvfs_mark(run->vfs, mark_of(ACKED, seq));
		assert_ok(kryos_queue_ack(run->queue, seq));
		if (sample)
			last = seq;
	}
	if (commit) {
		assert_ok(kryos_queue_commit(run->queue));
		if (last)
			cutvfs_mark(run->vfs, mark_of(COMMITTED, last));
	}
}

static bool was_sealed(void *data)
{
	struct run *run = data;

	take_news(run);
	return run->sealed > 0;
}

/* A minute passes: the next commit begins a new segment, and the one before is sealed when there is time. */
static void rotate(struct run *run)
{
	kryos_fake_clock_advance(run->clock, KRYOS_SECONDS(61));
	run->sealed = 0;
	append(run, 3);
	if (!process_until(run->ctx, was_sealed, run, 5000))
		fail_msg("no segment was sealed");
}

static int64_t checkpoint_syncs(struct run *run)
{
	struct kryos_store_status status = { .size = sizeof(status) };

	/* Idle work is done while nobody asks for anything. */
	process_for(run->ctx, 40);
	take_news(run);
	assert_ok(kryos_store_get_status(run->store, &status));
	return (int64_t)status.checkpoint_syncs;
}

static bool was_removed(void *data)
{
	struct kryos_store_status status = { .size = sizeof(status) };
	struct run *run = data;

	take_news(run);
	assert_ok(kryos_store_get_status(run->store, &status));
	return status.first_seq > 1 && status.segments <= 2;
}

/* What was promised before a cut. */
struct promised {
	int64_t accepted, acked, committed, removed;
};

static struct promised promised_before(struct cutvfs *vfs, size_t cut)
{
	struct promised promised = { 0 };

	for (size_t i = 0; i < cut; i++) {
		struct cut_op op = cutvfs_get(vfs, i);

		if (op.kind != CUT_MARK)
			continue;
		switch ((enum promise)(op.offset % PROMISES)) {
		case ACCEPTED:
			promised.accepted = op.offset / PROMISES;
			break;
		case ACKED:
			promised.acked = op.offset / PROMISES;
			break;
		case COMMITTED:
			promised.committed = op.offset / PROMISES;
			break;
		case REMOVED:
			promised.removed = op.offset / PROMISES;
			break;
		default:
			break;
		}
	}
	return promised;
}

/* One cut. What is found wrong first is kept; the run goes on, to see how much is. */
struct trial {
	struct run *run;
	struct promised promised;
	char problem[400];
	bool seen[MAX_SEQ];
	int64_t newest; /* found after the cut */
	int appended_seen;
	int boots; /* since the run, before this one */
};

KRYOS_PRINTF(2, 3) static void trouble(struct trial *trial, const char *format, ...)
{
	va_list args;

	if (trial->problem[0])
		return;
	va_start(args, format);
	vsnprintf(trial->problem, sizeof(trial->problem), format, args);
	va_end(args);
}

/* A record that was stored before the cut: is it what was handed in? */
static bool is_as_handed_in(struct trial *trial, const struct kryos_record *record)
{
	const struct expected *expected;
	struct run *run = trial->run;

	if (record->seq < 1 || record->seq >= MAX_SEQ || !run->expected[record->seq].known) {
		trouble(trial, "seq %" PRId64 " was never given", record->seq);
		return false;
	}
	expected = &run->expected[record->seq];
	if (record->epoch == expected->epoch && record->sample.value_micro == expected->value_micro &&
	    record->sample.t_boot_ns == expected->t_boot_ns &&
	    !strcmp(record->channel, channel_names[expected->channel == run->channels[1]]))
		return true;
	trouble(trial, "seq %" PRId64 " is another record than was handed in", record->seq);
	return false;
}

/*
 * Every accepted sample is there, in order, once. newest < 0: the first look after the cut; else what was appended
 * since comes after newest.
 */
static void check_samples(struct trial *trial, struct kryos_ctx *ctx, int64_t newest)
{
	struct kryos_reader *reader = NULL;
	const struct kryos_record *record;
	int64_t last = 0;
	uint64_t damaged = 0;
	int r;

	memset(trial->seen, 0, sizeof(trial->seen));
	r = kryos_reader_open(&reader, ctx, trial->run->found);
	while (r >= 0 && (r = kryos_reader_next(reader, &record)) > 0) {
		if (record->seq <= last)
			trouble(trial, "seq %" PRId64 " comes after %" PRId64, record->seq, last);
		last = record->seq;
		if (newest >= 0 && record->seq > newest)
			trial->appended_seen++;
		else if (is_as_handed_in(trial, record))
			trial->seen[record->seq] = true;
	}
	if (r < 0)
		trouble(trial, "reading: %s", kryos_strerror(r));
	if (reader && kryos_reader_get_damaged(reader, &damaged) >= 0 && damaged)
		trouble(trial, "%" PRIu64 " rows are damaged", damaged);
	kryos_reader_close(reader);
	if (newest < 0)
		trial->newest = last;
	for (int64_t seq = trial->promised.removed + 1; seq <= trial->promised.accepted; seq++)
		if (trial->run->expected[seq].known && !trial->seen[seq])
			trouble(trial, "accepted and lost: seq %" PRId64 " of %" PRId64, seq, trial->promised.accepted);
}

/* Delivery: nothing is lost, nothing comes twice in a session, what was committed does not come again. */
static void check_queue(struct trial *trial, struct kryos_store *store)
{
	const struct kryos_record *record;
	struct kryos_queue *queue = NULL;
	bool lent[MAX_SEQ] = { false };
	int64_t last = 0;
	int r;

	r = kryos_queue_open(&queue, store, "modem", KRYOS_QUEUE_CONFIG(.max_lent = MAX_SEQ));
	while (r >= 0 && (r = kryos_queue_next(queue, &record)) > 0) {
		if (record->event || !is_as_handed_in(trial, record))
			continue;
		if (record->seq <= last)
			trouble(trial, "queue: seq %" PRId64 " comes after %" PRId64, record->seq, last);
		last = record->seq;
		lent[record->seq] = true;
	}
	if (r < 0)
		trouble(trial, "queue: %s", kryos_strerror(r));
	for (int64_t seq = trial->promised.removed + 1; seq <= trial->newest; seq++) {
		if (!trial->run->expected[seq].known || !trial->seen[seq])
			continue;
		if (seq > trial->promised.acked && !lent[seq])
			trouble(trial, "seq %" PRId64 " was never acknowledged and is not owed", seq);
		if (seq <= trial->promised.committed && lent[seq])
			trouble(trial, "seq %" PRId64 " was acknowledged and committed, and is owed again", seq);
	}
	kryos_queue_close(queue);
}

/* Work goes on: new samples get seqs that nothing has. */
static void check_appending(struct trial *trial, struct kryos_ctx *ctx, struct kryos_store *store)
{
	struct kryos_sample samples[CHANNELS] = { 0 };
	uint32_t channels[CHANNELS];
	int64_t before = trial->newest;
	int r;

	if (before < trial->promised.accepted)
		before = trial->promised.accepted;
	add_channels(ctx, channels);
	for (int i = 0; i < CHANNELS; i++)
		samples[i].channel = channels[i];
	r = kryos_store_append(store, samples, CHANNELS);
	if (r < 0)
		trouble(trial, "append after the cut: %s", kryos_strerror(r));
	for (int i = 0; i < CHANNELS && r >= 0; before = samples[i++].seq)
		if (samples[i].seq <= before)
			trouble(trial, "seq %" PRId64 " was given again: %" PRId64 " is in use", samples[i].seq,
			        before);
}

static void check_chain(struct trial *trial, struct kryos_ctx *ctx)
{
	struct kryos_verify_result result = { .size = sizeof(result) };
	int r = kryos_verify(ctx, trial->run->found, &result);

	if (r < 0)
		trouble(trial, "verify: %s", kryos_strerror(r));
	else if (result.bad_rows || result.bad_links || result.bad_seals)
		trouble(trial, "verify: %s", result.first_problem);
}

/* The next boot, a little later: opens, reads, delivers, appends; and the boot after that finds all of it again. */
static void try_cut(struct trial *trial, bool twice)
{
	struct kryos_store_config config = small_config();
	struct kryos_fake_clock *clock = NULL;
	struct kryos_store *store = NULL;
	struct kryos_ctx *ctx = NULL;
	int r;

	config.keep_ns = KRYOS_DAYS(400); /* what is there now stays for the checks */
	assert_ok(kryos_fake_clock_new(&clock, kryos_fake_clock_wall_ns(trial->run->clock) + KRYOS_SECONDS(20)));
	kryos_fake_clock_set_synced(clock, 1);
	for (int i = 0; i <= trial->boots; i++)
		kryos_fake_clock_reboot(clock);
	assert_ok(kryos_ctx_new(&ctx, KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = clock)));
	r = kryos_store_open(&store, ctx, trial->run->found, &config);
	if (r < 0) {
		trouble(trial, "open: %s", kryos_strerror(r));
	} else {
		check_samples(trial, ctx, -1);
		check_queue(trial, store);
		check_appending(trial, ctx, store);
		kryos_store_close(store);
	}
	if (r >= 0 && twice) {
		kryos_fake_clock_reboot(clock);
		r = kryos_store_open(&store, ctx, trial->run->found, &config);
		if (r < 0)
			trouble(trial, "second open: %s", kryos_strerror(r));
		else
			kryos_store_close(store);
		check_samples(trial, ctx, trial->newest);
		if (trial->appended_seen != CHANNELS)
			trouble(trial, "%d of %d samples appended after the cut are there", trial->appended_seen,
			        CHANNELS);
		check_chain(trial, ctx);
	}
	kryos_ctx_free(ctx);
	kryos_fake_clock_free(clock);
}

/* Which cuts are tried: from first on, all but promises; of the many alike operations on a WAL every stride-th. */
struct selection {
	size_t first, stride;
};

static bool is_tried(struct run *run, size_t cut, enum cut_mode mode, const struct selection *selection)
{
	struct cut_op op;
	size_t stride = STRIDE;

	if (cut == cutvfs_count(run->vfs))
		return true;
	op = cutvfs_get(run->vfs, cut);
	if (op.kind == CUT_MARK || cut < selection->first)
		return false;
	if (op.file >= 0 && strstr(cutvfs_describe(run->vfs, cut), "-wal"))
		stride *= selection->stride;
	return (cut + (size_t)mode) % stride == 0;
}

/* Each cut of the log in one mode. Returns how many broke a promise. */
static int cut_everywhere(struct run *run, enum cut_mode mode, uint64_t seed, const struct selection *selection)
{
	struct cut_replay *replay = cut_replay_new(run->vfs, mode, seed);
	size_t count = cutvfs_count(run->vfs);
	int tried = 0, broken = 0;

	for (size_t cut = 0; cut <= count; cut++) {
		struct trial trial = { .run = run };

		if (!is_tried(run, cut, mode, selection))
			continue;
		trial.promised = promised_before(run->vfs, cut);
		cut_replay_to(replay, cut);
		cut_replay_write(replay, run->found);
		try_cut(&trial, tried++ % 4 == 0);
		if (trial.problem[0] && broken++ < 3)
			print_error("%s, cut before %s: %s\n", cut_mode_name(mode),
			            cut < count ? cutvfs_describe(run->vfs, cut) : "the end", trial.problem);
	}
	cut_replay_free(replay);
	print_message("%-28s %4d cuts, %3d broken promises\n", cut_mode_name(mode), tried, broken);
	return broken;
}

static void cut_in_all_modes(struct run *run, size_t first, size_t stride)
{
	struct selection selection = { first, stride };
	uint64_t seed = seed_from_environment(20261120);
	int broken = 0;

	end(run);
	for (int mode = 0; mode < CUT_MODE_COUNT; mode++)
		broken += cut_everywhere(run, (enum cut_mode)mode, seed, &selection);
	assert_int_equal(broken, 0);
}

static void rotation_and_sealing_keep_promises_at_every_cut(void **state)
{
	struct kryos_store_config config = small_config();
	struct run *run = *state;

	begin(run, &config);
	for (int segment = 0; segment < 3; segment++) {
		for (size_t i = 1; i <= 3; i++) {
			kryos_fake_clock_advance(run->clock, KRYOS_SECONDS(5));
			append(run, i);
		}
		deliver(run, 5, segment % 2 == 0);
		rotate(run);
	}
	deliver(run, 4, false);
	cut_in_all_modes(run, 0, 1);
}

/*
 * The WAL grows to where it is written into the file, twice. Of its thousands of writes, which are alike, every 41st is
 * a cut (KRYOS_TEST_LONG=1: each), of all else every one.
 */
static void checkpoints_keep_promises_at_cuts(void **state)
{
	struct kryos_store_config config = small_config();
	struct run *run = *state;
	bool checkpointed = false;

	config.segment_ns = KRYOS_DAYS(1);
	config.segment_bytes = 16000000;
	begin(run, &config);
	for (int i = 0; i < 60 && !checkpointed; i++) {
		append(run, 16);
		for (int j = 0; j < 6; j++)
			append(run, 1);
		deliver(run, 22, true);
		checkpointed = checkpoint_syncs(run) >= 2;
	}
	assert_true(checkpointed);
	append(run, 3);
	cut_in_all_modes(run, 0, is_long() ? 1 : 41);
}

/* Segments that are old enough go, newest promises stay. */
static void retention_keeps_promises_at_every_cut(void **state)
{
	struct kryos_store_config config = small_config();
	struct run *run = *state;
	size_t first;

	begin(run, &config);
	for (int segment = 0; segment < 2; segment++) {
		append(run, 2);
		rotate(run);
	}
	deliver(run, 4, true);
	/* Two hours later the first two segments are older than is to be kept: they may be gone from here on. */
	first = cutvfs_count(run->vfs);
	cutvfs_mark(run->vfs, mark_of(REMOVED, run->last_seq));
	kryos_fake_clock_advance(run->clock, KRYOS_HOURS(2));
	append(run, 2);
	if (!process_until(run->ctx, was_removed, run, 15000))
		fail_msg("nothing was removed");
	append(run, 2);
	cut_in_all_modes(run, first, 1);
}

/* What a first cut left, and what was promised before it. */
struct remains {
	char *folder;
	enum cut_mode mode;
	struct promised promised;
};

/* First cuts all over the log, each mode in its turn. */
static void leave_remains(struct run *run, struct remains *remains, int count, uint64_t *random)
{
	size_t operations = cutvfs_count(run->vfs), part = operations / (size_t)count;

	for (int i = 0; i < count; i++) {
		size_t cut = (size_t)i * part + (size_t)(next_random(random) % part);
		struct cut_replay *replay;

		while (cut < operations && cutvfs_get(run->vfs, cut).kind == CUT_MARK)
			cut++;
		remains[i].folder = scratch_new();
		remains[i].mode = (enum cut_mode)(i % CUT_MODE_COUNT);
		remains[i].promised = promised_before(run->vfs, cut);
		replay = cut_replay_new(run->vfs, remains[i].mode, next_random(random));
		cut_replay_to(replay, cut);
		cut_replay_write(replay, remains[i].folder);
		cut_replay_free(replay);
	}
}

/* The next boot finds the remains and is recorded: what the open repairs, and what idle time after it brings. */
static void record_recovery(struct run *run, const char *folder)
{
	struct kryos_store_config config = small_config();
	struct kryos_fake_clock *clock = NULL;
	struct kryos_store *store = NULL;
	struct kryos_ctx *ctx = NULL;

	config.keep_ns = KRYOS_DAYS(400);
	assert_ok(kryos_fake_clock_new(&clock, kryos_fake_clock_wall_ns(run->clock) + KRYOS_SECONDS(10)));
	kryos_fake_clock_reboot(clock);
	assert_ok(kryos_ctx_new(&ctx, KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = clock)));
	cutvfs_record(run->vfs, folder);
	assert_ok(kryos_store_open(&store, ctx, folder, &config));
	process_for(ctx, 20);
	kryos_ctx_free(ctx);
	cutvfs_stop(run->vfs);
	kryos_fake_clock_free(clock);
}

/* Every operation of the recovery is a cut in one of the modes, or in all. Returns how many broke a promise. */
static int cut_recovery(struct run *run, const struct remains *remains, int number, uint64_t seed, int *ret_tried)
{
	size_t count = cutvfs_count(run->vfs);
	int broken = 0;

	for (int mode = 0; mode < CUT_MODE_COUNT; mode++) {
		struct cut_replay *replay = cut_replay_new(run->vfs, (enum cut_mode)mode, seed);

		for (size_t cut = 0; cut < count; cut++) {
			struct trial trial = { .run = run, .promised = remains->promised, .boots = 1 };

			if (cutvfs_get(run->vfs, cut).kind == CUT_MARK ||
			    (!is_long() && (cut + (size_t)mode + (size_t)number) % CUT_MODE_COUNT != 0))
				continue;
			cut_replay_to(replay, cut);
			cut_replay_write(replay, run->found);
			try_cut(&trial, ++*ret_tried % 4 == 0);
			if (trial.problem[0] && broken++ < 3)
				print_error("%s, then %s, cut before %s: %s\n", cut_mode_name(remains->mode),
				            cut_mode_name((enum cut_mode)mode), cutvfs_describe(run->vfs, cut),
				            trial.problem);
		}
		cut_replay_free(replay);
	}
	return broken;
}

static void a_recovery_that_is_cut_at_every_operation_keeps_promises(void **state)
{
	struct kryos_store_config config = small_config();
	struct remains remains[INTERRUPTED];
	uint64_t seed = seed_from_environment(20261121), random = seed;
	struct run *run = *state;
	int broken = 0, tried = 0;

	begin(run, &config);
	for (int segment = 0; segment < 2; segment++) {
		append(run, 2);
		deliver(run, 3, segment == 0);
		append(run, 1);
		rotate(run);
	}
	deliver(run, 2, false);
	end(run);
	leave_remains(run, remains, INTERRUPTED, &random);
	for (int i = 0; i < INTERRUPTED; i++) {
		record_recovery(run, remains[i].folder);
		broken += cut_recovery(run, &remains[i], i, next_random(&random), &tried);
		scratch_free(remains[i].folder);
	}
	print_message("%d recoveries, %d cuts, %d broken promises\n", INTERRUPTED, tried, broken);
	assert_true(tried >= INTERRUPTED);
	assert_int_equal(broken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rotation_and_sealing_keep_promises_at_every_cut, run_up, run_down),
		cmocka_unit_test_setup_teardown(checkpoints_keep_promises_at_cuts, run_up, run_down),
		cmocka_unit_test_setup_teardown(retention_keeps_promises_at_every_cut, run_up, run_down),
		cmocka_unit_test_setup_teardown(a_recovery_that_is_cut_at_every_operation_keeps_promises, run_up,
		                                run_down),
	};

	/* The rig decides what a disk keeps; a real one would only cost time. */
	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
