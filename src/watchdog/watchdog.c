/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds a watchdog: its maker until kryos_watchdog_close, and the watcher thread. The hardware
 * and late.rec are the watcher's while it runs; a watcher that hangs in the kernel keeps them.
 *
 *	all fed ----- a task is late -----> named ----> nobody pets, the board is reset
 *	   ^                                  |
 *	   `---- fed again, no hardware ------'
 */
#include "hardware.h"
#include "late_writer.h"
#include <inttypes.h>
#include <kryos/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TASKS 64
#define DISK_NS KRYOS_SECONDS(5)  /* at open, what is waited for a disk */
#define CLOSE_NS KRYOS_SECONDS(2) /* at close, for the watcher, and for a disk */
#define IDLE_NS KRYOS_SECONDS(5)  /* between looks where no hardware asks for more */
#define AGAIN_NS KRYOS_SECONDS(1) /* the same while a task is late without hardware */
#define SHORTEST_NS KRYOS_MILLISECONDS(1)

struct kryos_task {
	struct kryos_watchdog *watchdog;
	char name[32];
	int64_t deadline_ns;
	/*
	 * When progress was last made, in ms of CLOCK_BOOTTIME modulo 2^32; 0: nothing to prove. 32 bits, because not
	 * every board has a lock-free 64-bit store; deadlines end at 1 h, differences are good for 24 days.
	 */
	atomic_uint fed_ms;
	uint32_t said_ms; /* the fed_ms whose lateness was announced; 0: none was */
	bool used;
};

struct kryos_watchdog {
	struct kri_object object;
	struct kryos_ctx *ctx;
	atomic_int refs;
	struct kri_hardware hardware;
	struct kri_late_writer *writer; /* NULL: no late.rec */
	struct kri_late_record run;
	struct kryos_watchdog_status status; /* what does not change after open */

	pthread_mutex_t lock; /* never held across a call that can wait */
	pthread_cond_t changed;
	bool stop, ended;
	bool late; /* a task was late and is not excused: petting has stopped */
	struct kryos_task tasks[MAX_TASKS];
};

/* What was seen of a late task under the lock. */
struct lateness {
	char name[32];
	int64_t deadline_ns, late_ns;
};

static uint32_t boot_ms(void)
{
	return (uint32_t)(kri_real_ns() / 1000000);
}

static void unref(struct kryos_watchdog *watchdog)
{
	if (atomic_fetch_sub(&watchdog->refs, 1) != 1)
		return;
	kri_late_writer_free(watchdog->writer, KRYOS_SECONDS(1));
	pthread_cond_destroy(&watchdog->changed);
	pthread_mutex_destroy(&watchdog->lock);
	kri_ctx_unref(watchdog->ctx);
	free(watchdog);
}

static struct kri_late_record new_record(struct kryos_watchdog *watchdog, enum kri_late_kind kind)
{
	struct kri_late_record record = watchdog->run;

	record.kind = kind;
	record.t_boot_ns = kri_real_ns();
	record.t_wall_ns = kri_wall_ns(watchdog->ctx);
	return record;
}

/*
 * Looks at every task: true and *ret_late, the longest overdue one not yet announced. *ret_next is
 * how long none can become late. Under the lock.
 */
static bool find_late(struct kryos_watchdog *watchdog, struct lateness *ret_late, int64_t *ret_next)
{
	struct kryos_task *worst = NULL;
	bool excused = watchdog->hardware.timeout_ns == 0;
	uint32_t worst_fed_ms = 0;
	int64_t worst_ns = 0;

	*ret_next = IDLE_NS;
	for (size_t i = 0; i < MAX_TASKS; i++) {
		struct kryos_task *task = &watchdog->tasks[i];
		uint32_t fed_ms = task->used ? atomic_load_explicit(&task->fed_ms, memory_order_relaxed) : 0;
		int64_t left_ns = task->deadline_ns - (int64_t)(int32_t)(boot_ms() - fed_ms) * 1000000;

		if (fed_ms == 0)
			continue;
		if (left_ns >= 0) {
			*ret_next = left_ns < *ret_next ? left_ns : *ret_next;
			continue;
		}
		excused = false;
		*ret_next = AGAIN_NS < *ret_next ? AGAIN_NS : *ret_next;
		if (task->said_ms != fed_ms && -left_ns >= worst_ns) {
			worst = task;
			worst_fed_ms = fed_ms;
			worst_ns = -left_ns;
		}
	}
	if (excused)
		watchdog->late = false;
	if (!worst)
		return false;
	worst->said_ms = worst_fed_ms;
	strcpy(ret_late->name, worst->name);
	ret_late->deadline_ns = worst->deadline_ns;
	ret_late->late_ns = worst_ns;
	return true;
}

/* Names the late task on the disk. "named in late.rec", or why not. */
static const char *name_late(struct kryos_watchdog *watchdog, const struct lateness *late)
{
	struct kri_late_record record = new_record(watchdog, KRI_LATE_TASK);
	int64_t timeout_ns = watchdog->hardware.timeout_ns;
	int r;

	if (!watchdog->writer)
		return "no late.rec is kept";
	strcpy(record.task, late->name);
	record.deadline_ns = late->deadline_ns;
	record.late_ns = late->late_ns;
	r = kri_late_writer_write(watchdog->writer, &record, timeout_ns ? timeout_ns / 2 : IDLE_NS);
	return r < 0 ? kryos_strerror(r) : "named in late.rec";
}

/*
 * The hardware is petted one last time, so that a slow disk has one whole timeout to take the name;
 * from here on nothing depends on the disk any more: whether it answers or hangs, nobody pets.
 */
static void be_late(struct kryos_watchdog *watchdog, const struct lateness *late)
{
	struct kryos_event event = { .size = sizeof(event), .type = KRYOS_EVENT_TASK_LATE };
	int64_t timeout_ns = watchdog->hardware.timeout_ns;
	const char *named;
	char text[512];

	if (timeout_ns)
		(void)kri_hardware_pet(&watchdog->hardware);
	named = name_late(watchdog, late);
	snprintf(text, sizeof(text), "no progress for %" PRId64 ".%" PRId64 " s, %" PRId64 " s are allowed; %s",
	         (late->deadline_ns + late->late_ns) / 1000000000, (late->deadline_ns + late->late_ns) / 100000000 % 10,
	         late->deadline_ns / 1000000000, named);
	event.name = late->name;
	event.text = text;
	event.value_ns = late->late_ns;
	kri_event_push(watchdog->ctx, &event);
	kri_log(watchdog->ctx, KRYOS_LOG_ERROR, "watchdog", 0, "task %s: %s; %s", late->name, text,
	        timeout_ns ? "petting has stopped, the reset is coming" : "no hardware will reset the board");
}

static void watch(void *data)
{
	struct kryos_watchdog *watchdog = data;
	int64_t timeout_ns = watchdog->hardware.timeout_ns, period_ns = timeout_ns ? timeout_ns / 3 : IDLE_NS;
	int64_t next_pet_ns = kri_real_ns(), wait_ns;
	bool pet_failed = false, reset_coming = false;

	pthread_mutex_lock(&watchdog->lock);
	while (!watchdog->stop) {
		struct lateness late;
		bool found = !reset_coming && find_late(watchdog, &late, &wait_ns);

		if (found) {
			watchdog->late = true;
			reset_coming = timeout_ns != 0;
			pthread_mutex_unlock(&watchdog->lock);
			be_late(watchdog, &late);
			pthread_mutex_lock(&watchdog->lock);
			continue;
		}
		if (reset_coming) {
			kri_cond_wait(&watchdog->changed, &watchdog->lock, -1);
			continue;
		}
		if (kri_real_ns() >= next_pet_ns) {
			int r;

			pthread_mutex_unlock(&watchdog->lock);
			next_pet_ns = kri_real_ns() + period_ns;
			r = kri_hardware_pet(&watchdog->hardware);
			if (r < 0 && !pet_failed)
				kri_log(watchdog->ctx, KRYOS_LOG_ERROR, "watchdog", r, "%s", kryos_strerror(r));
			pet_failed = r < 0;
			pthread_mutex_lock(&watchdog->lock);
			continue;
		}
		if (next_pet_ns - kri_real_ns() < wait_ns)
			wait_ns = next_pet_ns - kri_real_ns();
		kri_cond_wait(&watchdog->changed, &watchdog->lock, wait_ns < SHORTEST_NS ? SHORTEST_NS : wait_ns);
	}
	pthread_mutex_unlock(&watchdog->lock);
	kri_hardware_close(&watchdog->hardware, !reset_coming);
	pthread_mutex_lock(&watchdog->lock);
	watchdog->ended = true;
	pthread_cond_broadcast(&watchdog->changed);
	pthread_mutex_unlock(&watchdog->lock);
	unref(watchdog);
}

/* Reads what the run before left. A folder that does not work costs the names, never the watchdog itself. */
static int open_record(struct kryos_watchdog *watchdog, const char *folder, struct kri_late_record *ret_run,
                       struct kri_late_record *ret_task)
{
	int r;

	if (!folder)
		return 0;
	r = kri_late_writer_new(&watchdog->writer, watchdog->ctx, folder);
	if (r < 0)
		return r;
	r = kri_late_writer_read(watchdog->writer, ret_run, ret_task, DISK_NS);
	if (r < 0) {
		kri_log(watchdog->ctx, KRYOS_LOG_WARNING, "watchdog", r, "a late task will not be named: %s",
		        kryos_strerror(r));
		kri_late_writer_free(watchdog->writer, 0);
		watchdog->writer = NULL;
		ret_run->kind = ret_task->kind = KRI_LATE_NOTHING;
	}
	return 0;
}

static void fill_run(struct kryos_watchdog *watchdog)
{
	const struct kryos_clock_source *source;
	char boot_id[37] = "";
	void *userdata;

	source = kri_clock_source(watchdog->ctx, &userdata);
	source->boot_id(userdata, boot_id);
	strcpy(watchdog->run.boot_id, boot_id);
	watchdog->run.pid = (uint32_t)getpid();
	watchdog->run.started_ns = kri_real_ns();
	watchdog->run.timeout_ns = watchdog->hardware.timeout_ns;
	memcpy(watchdog->run.device, watchdog->hardware.device, sizeof(watchdog->run.device));
}

static void fill_status(struct kryos_watchdog *watchdog, const struct kri_late_record *run,
                        const struct kri_late_record *task)
{
	struct kryos_watchdog_status *status = &watchdog->status;

	status->timeout_ns = watchdog->hardware.timeout_ns;
	status->boot_status = watchdog->hardware.boot_status;
	memcpy(status->device, watchdog->hardware.device, sizeof(status->device));
	if (kri_late_is_of_run(task, run)) {
		memcpy(status->late_task, task->task, sizeof(status->late_task));
		status->late_wall_ns = task->t_wall_ns;
	}
	kri_late_explain(run, task, watchdog->run.boot_id, status->boot_status, status->restart);
}

static void begin_run(struct kryos_watchdog *watchdog)
{
	struct kryos_event event = { .size = sizeof(event), .type = KRYOS_EVENT_RESTART };
	struct kri_late_record run = new_record(watchdog, KRI_LATE_RUNNING);
	int r;

	if (watchdog->writer) {
		r = kri_late_writer_begin(watchdog->writer, &run, DISK_NS);
		if (r < 0)
			kri_log(watchdog->ctx, KRYOS_LOG_WARNING, "watchdog", r,
			        "how this run ends may not be known after it: %s", kryos_strerror(r));
	}
	event.name = watchdog->status.late_task;
	event.text = watchdog->status.restart;
	event.code = (int)watchdog->status.boot_status;
	kri_event_push(watchdog->ctx, &event);
}

static void destroy(struct kri_object *object)
{
	kryos_watchdog_close(KRI_CONTAINER_OF(object, struct kryos_watchdog, object));
}

int kryos_watchdog_open(struct kryos_watchdog **ret_watchdog, struct kryos_ctx *ctx,
                        const struct kryos_watchdog_config *config)
{
	struct kri_late_record run = { .kind = KRI_LATE_NOTHING }, task = { .kind = KRI_LATE_NOTHING };
	struct kryos_watchdog_config our = { .size = 0 };
	struct kryos_watchdog *watchdog;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_watchdog)
		return kryos_fail(-EINVAL, "no place for the watchdog given");
	r = kri_config_copy(&our, sizeof(our), config);
	if (r >= 0)
		r = kri_config_number(&our.timeout_ns, KRI_ID_WATCHDOG_TIMEOUT_NS, "watchdog timeout_ns");
	if (r < 0)
		return r;
	watchdog = calloc(1, sizeof(*watchdog));
	if (!watchdog)
		return -ENOMEM;
	atomic_init(&watchdog->refs, 1);
	watchdog->ctx = kri_ctx_ref(ctx);
	pthread_mutex_init(&watchdog->lock, NULL);
	kri_cond_init(&watchdog->changed);
	for (size_t i = 0; i < MAX_TASKS; i++)
		watchdog->tasks[i].watchdog = watchdog;

	/* The disk first: hardware that runs while a dead card is waited for would reset the board, again and again. */
	r = open_record(watchdog, our.folder, &run, &task);
	if (r < 0)
		goto release;
	r = kri_hardware_open(&watchdog->hardware, ctx, our.device, our.timeout_ns);
	if (r < 0)
		goto release;
	fill_run(watchdog);
	fill_status(watchdog, &run, &task);
	atomic_fetch_add(&watchdog->refs, 1);
	r = kri_thread_start("kryos-watch", watch, watchdog);
	if (r < 0) {
		kri_hardware_close(&watchdog->hardware, true);
		atomic_fetch_sub(&watchdog->refs, 1);
		goto release;
	}
	begin_run(watchdog);
	kri_object_add(ctx, &watchdog->object, destroy);
	*ret_watchdog = watchdog;
	return 0;

release:
	unref(watchdog);
	return r;
}

/* Says in late.rec that all was well, unless the reset is coming. */
static void end_run(struct kryos_watchdog *watchdog)
{
	struct kri_late_record record = new_record(watchdog, KRI_LATE_CLEAN);
	int r = kri_late_writer_write(watchdog->writer, &record, kri_ctx_patience(watchdog->ctx, CLOSE_NS));

	if (r < 0)
		kri_log(watchdog->ctx, KRYOS_LOG_WARNING, "watchdog", r,
		        "the next start will take this stop for a crash: %s", kryos_strerror(r));
}

void kryos_watchdog_close(struct kryos_watchdog *watchdog)
{
	int64_t end, left;
	bool ended, clean;

	/* In a child after fork there is no watcher, and the hardware is the parent's. */
	if (!watchdog || kri_ctx_check(watchdog->ctx) < 0)
		return;
	kri_object_remove(&watchdog->object);
	end = kri_real_ns() + kri_ctx_patience(watchdog->ctx, CLOSE_NS);
	pthread_mutex_lock(&watchdog->lock);
	watchdog->stop = true;
	pthread_cond_broadcast(&watchdog->changed);
	while (!watchdog->ended && (left = end - kri_real_ns()) > 0)
		kri_cond_wait(&watchdog->changed, &watchdog->lock, left);
	ended = watchdog->ended;
	clean = ended && !(watchdog->late && watchdog->status.timeout_ns);
	pthread_mutex_unlock(&watchdog->lock);
	if (clean && watchdog->writer)
		end_run(watchdog);
	if (ended) {
		/* Now, not when the watcher lets go of the last reference: late.rec may be opened again at once. */
		kri_late_writer_free(watchdog->writer, kri_ctx_patience(watchdog->ctx, KRYOS_SECONDS(1)));
		watchdog->writer = NULL;
	}
	unref(watchdog);
}

int kryos_task_new(struct kryos_task **ret_task, struct kryos_watchdog *watchdog, const char *name, int64_t deadline_ns)
{
	struct kryos_task *task = NULL;
	int r;

	if (!watchdog || !ret_task)
		return kryos_fail(-EINVAL, "task: no watchdog, or no place for the task given");
	r = kri_ctx_check(watchdog->ctx);
	if (r < 0)
		return r;
	if (!name || !*name || strlen(name) >= sizeof(task->name))
		return kryos_fail(-EINVAL, "task \"%s\": a name of 1 to 31 bytes is needed", name ? name : "");
	r = kri_config_number(&deadline_ns, KRI_ID_TASK_DEADLINE_NS, "task deadline_ns");
	if (r < 0)
		return r;
	pthread_mutex_lock(&watchdog->lock);
	for (size_t i = 0; i < MAX_TASKS && !task; i++)
		if (!watchdog->tasks[i].used)
			task = &watchdog->tasks[i];
	if (task) {
		strcpy(task->name, name);
		task->deadline_ns = deadline_ns;
		task->said_ms = 0;
		kryos_task_feed(task);
		task->used = true;
		pthread_cond_broadcast(&watchdog->changed);
	}
	pthread_mutex_unlock(&watchdog->lock);
	if (!task)
		return kryos_fail(-ENOSPC, "task %s: %d tasks are the most", name, MAX_TASKS);
	*ret_task = task;
	return 0;
}

void kryos_task_free(struct kryos_task *task)
{
	if (!task)
		return;
	pthread_mutex_lock(&task->watchdog->lock);
	task->used = false;
	pthread_mutex_unlock(&task->watchdog->lock);
}

void kryos_task_feed(struct kryos_task *task)
{
	uint32_t now = boot_ms();

	if (task)
		atomic_store_explicit(&task->fed_ms, now ? now : 1, memory_order_relaxed);
}

void kryos_task_rest(struct kryos_task *task)
{
	if (task)
		atomic_store_explicit(&task->fed_ms, 0, memory_order_relaxed);
}

int kryos_watchdog_get_status(struct kryos_watchdog *watchdog, struct kryos_watchdog_status *ret_status)
{
	struct kryos_watchdog_status status;
	uint32_t size;

	if (!watchdog || !ret_status || ret_status->size < sizeof(size))
		return kryos_fail(-EINVAL, "watchdog status: size is not set");
	status = watchdog->status;
	pthread_mutex_lock(&watchdog->lock);
	for (size_t i = 0; i < MAX_TASKS; i++)
		status.tasks += watchdog->tasks[i].used;
	status.petting = !watchdog->late;
	pthread_mutex_unlock(&watchdog->lock);
	size = ret_status->size < sizeof(status) ? ret_status->size : (uint32_t)sizeof(status);
	status.size = ret_status->size;
	memcpy(ret_status, &status, size);
	return 0;
}
