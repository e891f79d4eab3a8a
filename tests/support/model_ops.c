/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of a script. What a number means is said at each; all are valid, so that any step may be left out. */
#include "model_run.h"
#include "store/private.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* store KEEP POLICY QUEUES (less one): the first step. KEEP 0: all; 1: one hour; 2: few bytes. */
static void op_store(struct model_run *run, const int *args)
{
	if (run->ctx)
		return;
	run->config.keep = args[0];
	run->config.policy = args[0] == 2 ? args[1] : 0;
	run->queue_count = 1 + args[2];
	run->closed[2] = true; /* made later, by a step of its own */
	model_open(run);
}

static struct kryos_sample new_sample(struct model_run *run, int stamps, int *ret_number)
{
	int number = run->model->count + 1;
	struct kryos_sample sample = { .value_micro = (int64_t)number * MODEL_MICRO,
		                       .t_boot_ns = kryos_fake_clock_boot_ns(run->clock),
		                       .channel = (uint32_t)(number % MODEL_CHANNELS),
		                       .round = ++run->round,
		                       .alarm = (uint32_t)number,
		                       .quality = number % 5 ? KRYOS_QUALITY_GOOD : KRYOS_QUALITY_STUCK };

	if (stamps) {
		sample.t_boot_ns -= KRYOS_MILLISECONDS(number);
		sample.t_wall_ns = stamps == 2 ? kryos_fake_clock_wall_ns(run->clock) - number : 0;
		sample.trust = stamps == 2 ? (uint16_t)(number % 4) : KRYOS_TRUST_NONE;
	}
	*ret_number = model_add(run->model, &sample, stamps);
	/* As the store shall have it: its own stamp is that of the moment, which the model knows already. */
	if (!stamps)
		sample.t_boot_ns = 0;
	sample.channel = run->channels[sample.channel];
	return sample;
}

static void hand_in(struct model_run *run, int count, int stamps, bool waits)
{
	struct kryos_sample samples[32];
	int first = run->model->count + 1, number, r;

	if (!run->store || run->model->count + count + 2 > MODEL_THINGS)
		return;
	for (int i = 0; i < count; i++)
		samples[i] = new_sample(run, stamps, &number);
	if (waits)
		model_try_again(run);
	r = waits ? kryos_store_append(run->store, samples, (size_t)count)
	          : kryos_store_submit(run->store, samples, (size_t)count);
	/* An append that is refused wakes nobody; what was told to be tried again must be. */
	if (r < 0 && waits) {
		pthread_mutex_lock(&run->store->lock);
		pthread_cond_broadcast(&run->store->changed);
		pthread_mutex_unlock(&run->store->lock);
	}
	if (r < 0 && r != KRYOS_EVOLATILE && !run->failing && !(r == KRYOS_EFULL && run->config.policy))
		model_trouble(run->model, "%s: %s", waits ? "append" : "submit", kryos_strerror(r));
	if (r >= 0 && waits)
		model_hide_refused(run->model, first);
	for (int i = 0; i < count; i++) {
		if (r >= 0 && waits)
			model_accepted(run->model, first + i, model_status(run).epoch, samples[i].seq);
		else if (r < 0 && r != KRYOS_EVOLATILE)
			model_refused(run->model, first + i, waits && r != KRYOS_EFULL);
	}
}

void model_append(struct model_run *run, int count, int stamps)
{
	hand_in(run, count, stamps, true);
}

/* append COUNT STAMPS */
static void op_append(struct model_run *run, const int *args)
{
	hand_in(run, args[0] + 1, args[1], true);
}

/* submit COUNT STAMPS */
static void op_submit(struct model_run *run, const int *args)
{
	hand_in(run, args[0] + 1, args[1], false);
}

/* burst TENS: so many commits of one sample that the WAL grows to where it is written into the file. */
static void op_burst(struct model_run *run, const int *args)
{
	for (int i = 0; i < 10 * args[0]; i++)
		hand_in(run, 1, 0, true);
}

static void op_event(struct model_run *run, const int *args)
{
	char text[16];
	int r;

	(void)args;
	if (!run->store || run->model->count + 2 > MODEL_THINGS)
		return;
	snprintf(text, sizeof(text), "%d", model_add_event(run->model));
	r = kryos_store_add_event(
		run->store, &(struct kryos_event){ .type = KRYOS_EVENT_AUDIT, .name = MODEL_EVENT, .text = text });
	if (r < 0) {
		model_trouble(run->model, "event: %s", kryos_strerror(r));
		model_refused(run->model, run->model->count, false);
	}
}

static void settle_one(struct model_run *run, int queue, int64_t seq, int number, bool reject)
{
	int r = reject ? kryos_queue_reject(run->queues[queue], seq, "not wanted")
	               : kryos_queue_ack(run->queues[queue], seq);

	if (r < 0)
		model_trouble(run->model, "queue %d: settling seq %" PRId64 ": %s", queue, seq, kryos_strerror(r));
	model_settled(run->model, queue, number);
}

/* take QUEUE COUNT HOW: lends records of HOW % 4 (any stream, events, live, backlog); HOW / 4: ack, keep, reject. */
static void op_take(struct model_run *run, const int *args)
{
	static const unsigned int streams[] = { KRYOS_STREAM_ANY, KRYOS_STREAM_EVENTS, KRYOS_STREAM_LIVE,
		                                KRYOS_STREAM_BACKLOG };
	const struct kryos_record *record;
	int queue = args[0], r = 1;

	if (!run->queues[queue])
		return;
	for (int i = 0; i <= args[1] && r > 0; i++) {
		r = kryos_queue_next_of(run->queues[queue], streams[args[2] % 4], &record);
		if (r > 0) {
			int number = model_served(run->model, record, queue);

			if (record->flags & KRYOS_RECORD_VOLATILE)
				*(record->event ? &run->figures->volatile_events : &run->figures->volatile_samples) +=
					1;
			/* What is kept is known by its thing; the store's own events are settled at once. */
			if (args[2] / 4 != 1 || !number)
				settle_one(run, queue, record->seq, number, args[2] / 4 == 2);
		} else if (r < 0 && !run->failing) {
			model_trouble(run->model, "queue %d: next: %s", queue, kryos_strerror(r));
		}
	}
}

/* settle QUEUE HOW: what is lent: 0 ack all, newest first; 1 ack the oldest; 2 reject it; 3 release it; 4 release all.
 */
static void op_settle(struct model_run *run, const int *args)
{
	int queue = args[0], how = args[1];

	if (!run->queues[queue])
		return;
	if (how == 4) {
		if (kryos_queue_release_all(run->queues[queue]) < 0)
			model_trouble(run->model, "queue %d: release all", queue);
		model_released(run->model, queue, 0);
		return;
	}
	for (int i = run->model->count; i >= 1; i--) {
		struct model_thing *thing = &run->model->things[how ? run->model->count + 1 - i : i];

		if (!thing->queue[queue].lent)
			continue;
		if (how < 3) {
			settle_one(run, queue, thing->seq, (int)(thing - run->model->things), how == 2);
		} else {
			if (kryos_queue_release(run->queues[queue], thing->seq) < 0)
				model_trouble(run->model, "queue %d: release", queue);
			model_released(run->model, queue, (int)(thing - run->model->things));
		}
		if (how)
			return;
	}
}

/* resend QUEUE FIRST LAST: in tenths of all seqs. */
static void op_resend(struct model_run *run, const int *args)
{
	int queue = args[0], from = args[1] < args[2] ? args[1] : args[2], to = args[1] + args[2] - from;
	int64_t last;

	if (!run->queues[queue])
		return;
	last = model_status(run).last_seq;
	if (!last)
		return;
	if (kryos_queue_resend(run->queues[queue], last * from / 10 + 1, last * (to + 1) / 10 + 1) < 0)
		model_trouble(run->model, "queue %d: resend", queue);
	model_resent(run->model, queue, last * from / 10 + 1, last * (to + 1) / 10 + 1);
}

/* live QUEUE: the link comes up. */
static void op_live(struct model_run *run, const int *args)
{
	if (!run->queues[args[0]])
		return;
	if (kryos_queue_set_live(run->queues[args[0]]) < 0)
		model_trouble(run->model, "queue %d: set live", args[0]);
	model_look_again(run->model, args[0], 0);
}

/* commit QUEUE */
static void op_commit(struct model_run *run, const int *args)
{
	int r;

	if (!run->queues[args[0]])
		return;
	if (run->failing) {
		/* The same without its wait of seconds, in vain perhaps. */
		(void)!kryos_store_flush(run->store, 0);
		return;
	}
	r = kryos_queue_commit(run->queues[args[0]]);
	if (r < 0)
		model_trouble(run->model, "queue %d: commit: %s", args[0], kryos_strerror(r));
	else
		model_committed(run->model, args[0]);
}

static void op_flush(struct model_run *run, const int *args)
{
	int r;

	(void)args;
	if (!run->store)
		return;
	r = kryos_store_flush(run->store, run->failing ? 0 : KRYOS_SECONDS(20));
	if (r < 0 && !run->failing)
		model_trouble(run->model, "flush: %s", kryos_strerror(r));
	for (int i = 0; i < MODEL_QUEUES && r >= 0; i++)
		if (run->queues[i])
			model_committed(run->model, i);
}

static void op_idle(struct model_run *run, const int *args)
{
	(void)args;
	model_idle(run);
}

/* wait HOW: time passes, segments and samples grow old. */
static void op_wait(struct model_run *run, const int *args)
{
	static const int seconds[] = { 1, 62, 80, 80, 600, 7300 };

	kryos_fake_clock_advance(run->clock, KRYOS_SECONDS(seconds[args[0]]));
}

/* clock HOW: a step of wall time. */
static void op_clock(struct model_run *run, const int *args)
{
	static const int seconds[] = { -3600, -10, 10, 3600, 30 * 86400, -30 * 86400 };

	kryos_fake_clock_set_wall(run->clock, kryos_fake_clock_wall_ns(run->clock) + KRYOS_SECONDS(seconds[args[0]]));
}

/* trust ON: the kernel is synchronised, or not any more. */
static void op_trust(struct model_run *run, const int *args)
{
	kryos_fake_clock_set_synced(run->clock, args[0]);
	kryos_fake_clock_advance(run->clock, KRYOS_SECONDS(70)); /* the context looks again */
}

/* The log of the crash rig begins anew: a cut in what comes now goes back to here. */
static void record_anew(struct model_run *run)
{
	cutvfs_record(run->vfs, run->folders[run->folder]);
	model_copy(run->before, run->model);
	run->step_began = 0;
}

/* reopen HOW BOOT: a clean end; BOOT: and a restart of the board. */
static void op_reopen(struct model_run *run, const int *args)
{
	model_close(run, args[0]);
	if (args[1]) {
		/* What can be read after a restart is on the disk, whatever became of its sync. */
		record_anew(run);
		kryos_fake_clock_reboot(run->clock);
	}
	model_open(run);
}

/*
 * cut MODE WHERE SYNCED: the power goes: WHERE 0: now; else in the midst of the step before, so many twentieths of its
 * writes and syncs ago. The next boot finds what the mode of the crash rig leaves.
 */
static void op_cut(struct model_run *run, const int *args)
{
	size_t count = cutvfs_count(run->vfs), cut = count;
	struct cut_replay *replay;

	if (!run->ctx)
		return;
	if (args[1])
		cut = run->step_began + (count - run->step_began) * (size_t)(20 - args[1]) / 20;
	cutvfs_stop(run->vfs);
	replay = cut_replay_new(run->vfs, (enum cut_mode)args[0], (uint64_t)run->model->count * 1000 + count);
	cut_replay_to(replay, cut);
	run->folder = !run->folder;
	cut_replay_write(replay, run->folders[run->folder]);
	cut_replay_free(replay);
	/* Ends what is left of the process, in the folder that nobody will see again. */
	kryos_store_close(run->store);
	run->store = NULL;
	kryos_ctx_free(run->ctx);
	memset(run->queues, 0, sizeof(run->queues));
	model_cut(run->model, cut < count ? run->before : NULL);
	run->figures->cuts++;
	record_anew(run);
	kryos_fake_clock_reboot(run->clock);
	kryos_fake_clock_set_synced(run->clock, args[2]);
	model_open(run);
}

/* fail CALL N HOW: the N-th such call fails; HOW & 1: and all after it; HOW / 2: on any file, segments' logs,
 * state.db's. */
static void op_fail(struct model_run *run, const int *args)
{
	static const int errors[CUT_CALL_ANY] = {
		[CUT_CALL_OPEN] = SQLITE_CANTOPEN,           [CUT_CALL_READ] = SQLITE_IOERR_READ,
		[CUT_CALL_WRITE] = SQLITE_IOERR_WRITE,       [CUT_CALL_SYNC] = SQLITE_IOERR_FSYNC,
		[CUT_CALL_TRUNCATE] = SQLITE_IOERR_TRUNCATE, [CUT_CALL_DELETE] = SQLITE_IOERR_DELETE,
		[CUT_CALL_SIZE] = SQLITE_IOERR_FSTAT,        [CUT_CALL_ACCESS] = SQLITE_NOTFOUND,
		[CUT_CALL_PATH] = SQLITE_CANTOPEN,           [CUT_CALL_LOCK] = SQLITE_IOERR_LOCK,
		[CUT_CALL_UNLOCK] = SQLITE_IOERR_UNLOCK,     [CUT_CALL_CHECK_LOCK] = SQLITE_IOERR_CHECKRESERVEDLOCK,
		[CUT_CALL_SHM_MAP] = SQLITE_IOERR_SHMMAP,    [CUT_CALL_SHM_LOCK] = SQLITE_IOERR_SHMLOCK
	};
	static const char *const suffixes[] = { NULL, NULL, ".seg-wal", "state.db-wal" };
	bool forever = args[2] & 1;

	/* A single failure has its time until something heals it. */
	run->figures->failures += (uint64_t)cutvfs_failures(run->vfs);
	cutvfs_fail(run->vfs, (enum cut_call)args[0], suffixes[args[2] / 2], args[1] + 1, errors[args[0]], forever);
	run->failing = run->failed = true;
}

/* full N HOW: the disk is full from the N-th write on; HOW: until it is healed, or once. */
static void op_full(struct model_run *run, const int *args)
{
	run->figures->failures += (uint64_t)cutvfs_failures(run->vfs);
	cutvfs_fail(run->vfs, CUT_CALL_WRITE, NULL, args[0] + 1, SQLITE_FULL, args[1]);
	run->failing = run->failed = true;
}

/* dead N: from the N-th call on the disk is gone. */
static void op_dead(struct model_run *run, const int *args)
{
	run->figures->failures += (uint64_t)cutvfs_failures(run->vfs);
	cutvfs_fail(run->vfs, CUT_CALL_ANY, NULL, args[0] + 1, SQLITE_IOERR, true);
	run->failing = run->failed = true;
}

/* fill LEFT: others take the disk's free space, but for so many bytes; 4: they give it back. */
static void op_fill(struct model_run *run, const int *args)
{
	static const int64_t left[] = { 0, 50000, 200000, 1000000, -1 };

	cutvfs_set_free(run->vfs, left[args[0]]);
	run->filled = true;
}

static void op_heal(struct model_run *run, const int *args)
{
	(void)args;
	model_heal(run);
}

static void op_look(struct model_run *run, const int *args)
{
	(void)args;
	model_look(run);
}

/* queue QUEUE: closes it, or opens it again. */
static void op_queue(struct model_run *run, const int *args)
{
	int queue = args[0];

	if (queue >= run->queue_count || run->failing || !run->store)
		return;
	run->closed[queue] = !run->closed[queue];
	if (!run->closed[queue]) {
		model_look(run);
		model_open_queue(run, queue);
		return;
	}
	kryos_queue_close(run->queues[queue]);
	run->queues[queue] = NULL;
	model_committed(run->model, queue);
	for (int i = 1; i <= run->model->count; i++)
		run->model->things[i].queue[queue].lent = run->model->things[i].queue[queue].done = false;
	memset(run->model->queues[queue].last, 0, sizeof(run->model->queues[queue].last));
}

enum target { SEGMENT, SEGMENT_LOG, STATE, STATE_LOG, SHARED_MEMORY };

static bool is_target(const char *name, enum target target)
{
	const char *dot = strstr(name, ".seg"), *dash = strrchr(name, '-');

	switch (target) {
	case SEGMENT:
		return dot && strcmp(dot, ".seg") == 0;
	case SEGMENT_LOG:
		return dot && dash && strcmp(dash, "-wal") == 0;
	case STATE:
		return strcmp(name, "state.db") == 0;
	case STATE_LOG:
		return strcmp(name, "state.db-wal") == 0;
	default:
		return dash && strcmp(dash, "-shm") == 0;
	}
}

static void spoil(const char *path, int where, int how)
{
	unsigned char block[4096];
	struct stat status;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t at;
	size_t size = how == 0 ? 1 : how == 1 ? 512 : 4096;

	if (fd < 0 || fstat(fd, &status) || !status.st_size) {
		if (fd >= 0)
			close(fd);
		return;
	}
	at = status.st_size * where / 1000 / (off_t)size * (off_t)size;
	if (pread(fd, block, 1, at) != 1)
		block[0] = 0;
	if (how == 0)
		block[0] ^= (unsigned char)(1 << where % 8);
	else
		memset(block, where & 1 ? 0 : 0xa5, size);
	if (at + (off_t)size > status.st_size)
		size = (size_t)(status.st_size - at);
	if (pwrite(fd, block, size, at) != (ssize_t)size)
		abort();
	close(fd);
}

/* Samples that may be gone with that file: up to the next segment. It may well go on before a queue finds out. */
static void note_harm(struct model_run *run, struct dirent **names, int count, int chosen)
{
	struct model_gap *harm = &run->harmed[run->harmed_count];

	if (run->harmed_count == (int)KRI_ARRAY_SIZE(run->harmed))
		abort();
	*harm = (struct model_gap){ strtoll(names[chosen]->d_name, NULL, 10), INT64_MAX, -1, false };
	for (int i = chosen + 1; i < count && harm->last == INT64_MAX; i++)
		if (is_target(names[i]->d_name, SEGMENT) && strtoll(names[i]->d_name, NULL, 10) > harm->first)
			harm->last = strtoll(names[i]->d_name, NULL, 10) - 1;
	run->harmed_count++;
}

/*
 * WHERE HOW: of a closed store the newest of such files, or with WHERE odd the oldest: HOW: a bit, 512 or 4096 bytes,
 * at so many thousandths of it.
 */
static void damage(struct model_run *run, enum target target, const int *args)
{
	struct dirent **names = NULL;
	char path[PATH_MAX];
	int count, chosen = -1;

	if (!run->store || run->failing)
		return;
	/* What state.db and the segments know of each other is lost with both: that is not promised (reliability.md).
	 */
	if (target == STATE || target == STATE_LOG)
		run->harmed_state = true;
	else if (target != SHARED_MEMORY && run->harmed_state)
		return;
	model_look(run);
	model_close(run, 1);
	count = scandir(run->folders[run->folder], &names, NULL, alphasort);
	for (int i = 0; i < count; i++)
		if (is_target(names[i]->d_name, target) && (chosen < 0 || !(args[0] & 1)))
			chosen = i;
	if (chosen >= 0) {
		snprintf(path, sizeof(path), "%s/%s", run->folders[run->folder], names[chosen]->d_name);
		spoil(path, args[0], args[1]);
		if (target == SEGMENT || target == SEGMENT_LOG)
			note_harm(run, names, count, chosen);
		model_damaged(run->model, target == STATE || target == STATE_LOG);
		run->figures->damages++;
	}
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	record_anew(run);
	model_open(run);
}

/* damage_segment WHERE HOW, and so on */
static void op_damage_segment(struct model_run *run, const int *args)
{
	damage(run, SEGMENT, args);
}

static void op_damage_log(struct model_run *run, const int *args)
{
	damage(run, SEGMENT_LOG, args);
}

static void op_damage_state(struct model_run *run, const int *args)
{
	damage(run, STATE, args);
}

static void op_damage_state_log(struct model_run *run, const int *args)
{
	damage(run, STATE_LOG, args);
}

static void op_damage_shm(struct model_run *run, const int *args)
{
	damage(run, SHARED_MEMORY, args);
}

const struct model_op model_ops[] = {
	{ "store", 0, { 3, 2, MODEL_QUEUES }, op_store },
	{ "append", 24, { 6, 3 }, op_append },
	{ "submit", 10, { 4, 3 }, op_submit },
	{ "event", 6, { 1 }, op_event },
	{ "keep", 6, { 3 }, model_keep },
	{ "take", 14, { MODEL_QUEUES, 12, 12 }, op_take },
	{ "settle", 6, { MODEL_QUEUES, 5 }, op_settle },
	{ "resend", 2, { MODEL_QUEUES, 10, 10 }, op_resend },
	{ "live", 3, { MODEL_QUEUES }, op_live },
	{ "commit", 4, { MODEL_QUEUES }, op_commit },
	{ "flush", 3, { 1 }, op_flush },
	{ "idle", 6, { 1 }, op_idle },
	{ "wait", 12, { 6 }, op_wait },
	{ "clock", 2, { 6 }, op_clock },
	{ "trust", 2, { 2 }, op_trust },
	{ "reopen", 3, { 3, 2 }, op_reopen },
	{ "cut", 7, { CUT_MODE_COUNT, 21, 2 }, op_cut },
	{ "fail", 4, { CUT_CALL_ANY, 30, 8 }, op_fail },
	{ "full", 2, { 30, 2 }, op_full },
	{ "dead", 3, { 30 }, op_dead },
	{ "fill", 1, { 5 }, op_fill },
	{ "heal", 5, { 1 }, op_heal },
	{ "look", 1, { 1 }, op_look },
	{ "queue", 2, { MODEL_QUEUES }, op_queue },
	{ "burst", 0, { 16 }, op_burst },
	{ "damage_segment", 4, { 1000, 3 }, op_damage_segment },
	{ "damage_log", 4, { 1000, 3 }, op_damage_log },
	{ "damage_state", 3, { 1000, 3 }, op_damage_state },
	{ "damage_state_log", 3, { 1000, 3 }, op_damage_state_log },
	{ "damage_shm", 1, { 1000, 3 }, op_damage_shm },
};
const int model_op_count = (int)KRI_ARRAY_SIZE(model_ops);
