/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll over an eventfd (notes, news, stop), a timerfd and whatever doors there are. */
#include "ctx.h"
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NOTES_AT_ONCE 256
#define TIMERS_AT_ONCE 64
#define FDS_AT_ONCE 32

static void drain(struct kri_io *io, uint32_t events)
{
	uint64_t count;
	ssize_t got = read(io->fd, &count, sizeof(count)); /* non-blocking; EAGAIN: nothing there */

	(void)got;
	(void)events;
}

void kri_wake(struct kryos_ctx *ctx)
{
	int saved_errno = errno;
	uint64_t one = 1;
	ssize_t count;

	/* One write until the loop has seen it: a hundred samples of one commit are one system call. */
	if (atomic_exchange(&ctx->awake, true))
		return;
	count = write(ctx->event_fd, &one, sizeof(one));
	(void)count;
	errno = saved_errno;
}

static void wake_seen(struct kri_io *io, uint32_t events)
{
	struct kryos_ctx *ctx = KRI_CONTAINER_OF(io, struct kryos_ctx, wake_io);

	drain(io, events);
	/* After the read: whoever comes between finds itself served by what follows in this turn of the loop. */
	atomic_store(&ctx->awake, false);
}

int kri_io_add(struct kryos_ctx *ctx, struct kri_io *io, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = io };

	return epoll_ctl(ctx->epoll_fd, EPOLL_CTL_ADD, io->fd, &event) ? -errno : 0;
}

int kri_io_change(struct kryos_ctx *ctx, struct kri_io *io, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = io };

	return epoll_ctl(ctx->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) ? -errno : 0;
}

void kri_io_remove(struct kryos_ctx *ctx, struct kri_io *io)
{
	epoll_ctl(ctx->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
}

int kri_loop_init(struct kryos_ctx *ctx)
{
	int r;

	ctx->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ctx->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ctx->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ctx->epoll_fd < 0 || ctx->event_fd < 0 || ctx->timer_fd < 0) {
		r = kryos_fail(-errno, "context: no descriptors: %s", strerror(errno));
		goto close_fds;
	}
	ctx->wake_io = (struct kri_io){ .fd = ctx->event_fd, .ready = wake_seen };
	ctx->timer_io = (struct kri_io){ .fd = ctx->timer_fd, .ready = drain };
	r = kri_io_add(ctx, &ctx->wake_io, EPOLLIN);
	if (r >= 0)
		r = kri_io_add(ctx, &ctx->timer_io, EPOLLIN);
	if (r >= 0)
		return 0;
close_fds:
	kri_loop_close(ctx);
	return r;
}

void kri_loop_close(struct kryos_ctx *ctx)
{
	int *fds[] = { &ctx->timer_fd, &ctx->event_fd, &ctx->epoll_fd };

	for (size_t i = 0; i < KRI_ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int64_t timer_now(struct kryos_ctx *ctx, int real)
{
	return real ? kri_real_ns() : kri_boot_ns(ctx);
}

/* Sets the timerfd to the earliest timer that runs in real time. */
static void arm(struct kryos_ctx *ctx)
{
	struct itimerspec when = { 0 };
	int64_t wait = INT64_MAX;

	for (int real = ctx->config.clock->simulated ? 1 : 0; real < 2; real++) {
		if (ctx->timers[real]) {
			int64_t left = ctx->timers[real]->due_ns - timer_now(ctx, real);

			wait = left < wait ? left : wait;
		}
	}
	if (wait != INT64_MAX) {
		wait = wait < 1 ? 1 : wait; /* 0 would disarm */
		when.it_value.tv_sec = (time_t)(wait / INT64_C(1000000000));
		when.it_value.tv_nsec = (long)(wait % INT64_C(1000000000));
	}
	timerfd_settime(ctx->timer_fd, 0, &when, NULL);
}

static void unlink_timer(struct kryos_ctx *ctx, struct kri_timer *timer)
{
	for (struct kri_timer **at = &ctx->timers[timer->real]; *at; at = &(*at)->next) {
		if (*at == timer) {
			*at = timer->next;
			break;
		}
	}
	timer->armed = false;
}

void kri_timer_set(struct kryos_ctx *ctx, struct kri_timer *timer, int64_t due_ns)
{
	struct kri_timer **at = &ctx->timers[timer->real];

	if (timer->armed)
		unlink_timer(ctx, timer);
	timer->due_ns = due_ns;
	timer->armed = true;
	while (*at && (*at)->due_ns <= due_ns)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
	if (ctx->timers[timer->real] == timer)
		arm(ctx);
}

void kri_timer_cancel(struct kryos_ctx *ctx, struct kri_timer *timer)
{
	if (timer->armed)
		unlink_timer(ctx, timer);
}

static void fire_timers(struct kryos_ctx *ctx)
{
	int left = TIMERS_AT_ONCE; /* one that sets itself due again at once must not hold the loop */

	for (int real = 0; real < 2; real++) {
		int64_t now = timer_now(ctx, real);

		while (ctx->timers[real] && ctx->timers[real]->due_ns <= now && left-- > 0) {
			struct kri_timer *timer = ctx->timers[real];

			unlink_timer(ctx, timer);
			timer->fire(timer);
		}
	}
	arm(ctx);
}

void kri_note_post(struct kryos_ctx *ctx, struct kri_note *note)
{

	pthread_mutex_lock(&ctx->lock);
	if (!note->posted && !ctx->dead) {
		note->posted = true;
		note->next = NULL;
		*ctx->notes_tail = note;
		ctx->notes_tail = &note->next;
		/* Under the lock: kryos_ctx_free closes the eventfd only after taking it. */
		kri_wake(ctx);
	}
	pthread_mutex_unlock(&ctx->lock);
}

void kri_note_cancel(struct kryos_ctx *ctx, struct kri_note *note)
{
	pthread_mutex_lock(&ctx->lock);
	if (note->posted) {
		for (struct kri_note **at = &ctx->notes; *at; at = &(*at)->next) {
			if (*at == note) {
				*at = note->next;
				if (ctx->notes_tail == &note->next)
					ctx->notes_tail = at;
				break;
			}
		}
		note->posted = false;
	}
	pthread_mutex_unlock(&ctx->lock);
}

static void deliver_notes(struct kryos_ctx *ctx)
{
	struct kri_note *note = NULL;

	for (int left = NOTES_AT_ONCE; left > 0; left--) {
		pthread_mutex_lock(&ctx->lock);
		note = ctx->notes;
		if (note) {
			ctx->notes = note->next;
			if (!ctx->notes)
				ctx->notes_tail = &ctx->notes;
			note->posted = false;
		}
		pthread_mutex_unlock(&ctx->lock);
		if (!note)
			return;
		note->deliver(note);
	}
	kri_wake(ctx); /* the rest in the next call */
}

int kryos_ctx_get_fd(struct kryos_ctx *ctx)
{
	int r = kri_ctx_check(ctx);

	return r < 0 ? r : ctx->epoll_fd;
}

int kryos_ctx_process(struct kryos_ctx *ctx)
{
	struct epoll_event event;
	int r = kri_ctx_check(ctx), left = FDS_AT_ONCE;

	if (r < 0)
		return r;
	/* One at a time: what a handler removes cannot be in a list already fetched. The kernel takes turns. */
	while (left-- > 0 && epoll_wait(ctx->epoll_fd, &event, 1, 0) > 0) {
		struct kri_io *io = event.data.ptr;

		io->ready(io, event.events);
	}
	deliver_notes(ctx);
	fire_timers(ctx);
	deliver_notes(ctx);
	return 0;
}

int kryos_ctx_run(struct kryos_ctx *ctx)
{
	struct pollfd ready;
	bool news;
	int r;

	for (;;) {
		r = kryos_ctx_process(ctx);
		if (r < 0)
			return r;
		if (atomic_exchange(&ctx->stop, false))
			return 0;
		pthread_mutex_lock(&ctx->lock);
		news = ctx->events != NULL;
		pthread_mutex_unlock(&ctx->lock);
		if (news)
			return 1;
		ready = (struct pollfd){ .fd = ctx->epoll_fd, .events = POLLIN };
		if (poll(&ready, 1, -1) < 0 && errno != EINTR)
			return kryos_fail(-errno, "context: poll: %s", strerror(errno));
	}
}

void kryos_ctx_stop(struct kryos_ctx *ctx)
{
	if (!ctx)
		return;
	atomic_store(&ctx->stop, true);
	kri_wake(ctx);
}
