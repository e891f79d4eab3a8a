/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits for edges of all lines of a bus, and tells them. The kernel keeps 16 of a line: a thread of its own
 * fetches them whatever the bus's worker and the caller's loop are at.
 *
 * An epoll, and no poll: it holds no reference to a descriptor, so that a line is free once it is closed.
 */
#include "core/core.h"
#include "gpio.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 16

struct kri_gpio_watch {
	pthread_mutex_t lock; /* all below; held while edges are told */
	pthread_cond_t ended;
	unsigned int refs; /* the owner's, and one for each line */
	int epoll_fd, wake_fd;
	bool running, stopping;
	uint64_t last_id; /* 0 is the wake-up's */
	struct kri_gpio_watched *lines;
};

static void unref_unlock(struct kri_gpio_watch *watch)
{
	bool last = --watch->refs == 0;

	pthread_mutex_unlock(&watch->lock);
	if (!last)
		return;
	close(watch->epoll_fd);
	close(watch->wake_fd);
	pthread_cond_destroy(&watch->ended);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

int kri_gpio_watch_new(struct kri_gpio_watch **ret_watch)
{
	struct kri_gpio_watch *watch = calloc(1, sizeof(*watch));
	struct epoll_event event = { .events = EPOLLIN };
	int r;

	if (!watch)
		return -ENOMEM;
	watch->refs = 1;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->epoll_fd < 0 || watch->wake_fd < 0 ||
	    epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, watch->wake_fd, &event) < 0) {
		r = kryos_fail(-errno, "gpio: no descriptors: %s", strerror(errno));
		if (watch->epoll_fd >= 0)
			close(watch->epoll_fd);
		if (watch->wake_fd >= 0)
			close(watch->wake_fd);
		free(watch);
		return r;
	}
	pthread_mutex_init(&watch->lock, NULL);
	kri_cond_init(&watch->ended);
	*ret_watch = watch;
	return 0;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Both clocks at one instant: again where something came between the two. */
static void read_clocks(int64_t *ret_monotonic_ns, int64_t *ret_boot_ns)
{
	int64_t after;
	int tries = 8;

	do {
		*ret_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
		*ret_boot_ns = kri_real_ns();
		after = clock_ns(CLOCK_MONOTONIC);
	} while (after - *ret_monotonic_ns > KRYOS_MILLISECONDS(1) / 10 && --tries);
}

/*
 * CLOCK_BOOTTIME is CLOCK_MONOTONIC and the time that was slept. What was slept between the edge and now, if
 * anything, belongs before it: it is the edge that woke the board. A stamp of another clock (real time, before
 * Linux 5.7) is ahead of this one: then all that is known is now.
 */
int64_t kri_gpio_edge_time(int64_t stamp_ns, int64_t monotonic_ns, int64_t boot_ns, int64_t waited_ns)
{
	int64_t ago = monotonic_ns - stamp_ns;

	return boot_ns - (ago > 0 ? ago : 0) - waited_ns;
}

static void tell(struct kri_gpio_watched *line, const struct kri_gpio_record *record)
{
	const struct kryos_line_request *request = line->request;
	bool settled = line->backend->debounces;
	struct kryos_edge edge = { .active = record->active, .settled = settled };
	int64_t monotonic, boot;

	/* The kernel's debouncing stamps an edge when it has stood. */
	read_clocks(&monotonic, &boot);
	edge.t_boot_ns = kri_gpio_edge_time(record->t_ns, monotonic, boot, settled ? request->config.debounce_ns : 0);
	if (record->number && line->number)
		edge.lost = record->number - line->number - 1;
	line->number = record->number;
	/* Two clocks are not read at once: what was told later was not before. */
	if (edge.t_boot_ns < line->last_ns)
		edge.t_boot_ns = line->last_ns;
	line->last_ns = edge.t_boot_ns;
	request->edge(request->data, &edge);
}

/* False: nothing will ever come of it again (its chip has gone). */
static bool serve(struct kri_gpio_watched *line)
{
	_Alignas(uint64_t) unsigned char bytes[AT_ONCE * KRI_GPIO_RECORD_MAX];
	size_t size = line->backend->record_size;
	ssize_t got = read(line->fd, bytes, AT_ONCE * size); /* it is readable, and we alone read it: does not block */
	struct kri_gpio_record record;

	for (size_t at = 0; got > 0 && at + size <= (size_t)got; at += size) {
		line->backend->decode(bytes + at, &record);
		tell(line, &record);
	}
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void take(struct kri_gpio_watch *watch, const struct epoll_event *event)
{
	struct kri_gpio_watched *line = watch->lines;
	uint64_t count;
	ssize_t got;

	if (event->data.u64 == 0) {
		got = read(watch->wake_fd, &count, sizeof(count));
		(void)got;
		return;
	}
	while (line && line->id != event->data.u64)
		line = line->next;
	if (!line)
		return; /* removed meanwhile */
	if (!(event->events & EPOLLIN) || !serve(line))
		epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, line->fd, NULL);
}

static void watch_main(void *data)
{
	struct kri_gpio_watch *watch = data;
	struct epoll_event event;
	int count;

	for (;;) {
		count = epoll_wait(watch->epoll_fd, &event, 1, -1);
		pthread_mutex_lock(&watch->lock);
		if (watch->stopping)
			break;
		if (count > 0)
			take(watch, &event);
		pthread_mutex_unlock(&watch->lock);
	}
	watch->running = false;
	pthread_cond_broadcast(&watch->ended);
	unref_unlock(watch);
}

int kri_gpio_watch_add(struct kri_gpio_watch *watch, struct kri_gpio_watched *line)
{
	struct epoll_event event = { .events = EPOLLIN };
	int r = 0;

	pthread_mutex_lock(&watch->lock);
	if (!watch->running) {
		watch->refs++;
		r = kri_thread_start("kryos-gpio", watch_main, watch);
		if (r < 0)
			watch->refs--;
		watch->running = r >= 0;
	}
	line->id = event.data.u64 = ++watch->last_id;
	if (r >= 0 && epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, line->fd, &event) < 0)
		r = -errno;
	if (r >= 0) {
		line->watch = watch;
		line->next = watch->lines;
		watch->lines = line;
		watch->refs++;
	}
	pthread_mutex_unlock(&watch->lock);
	return r < 0 ? kryos_fail(r, "gpio: a line can't be watched: %s", strerror(-r)) : 0;
}

void kri_gpio_watch_remove(struct kri_gpio_watched *line)
{
	struct kri_gpio_watch *watch = line->watch;

	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	for (struct kri_gpio_watched **at = &watch->lines; *at; at = &(*at)->next) {
		if (*at == line) {
			*at = line->next;
			break;
		}
	}
	epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, line->fd, NULL);
	line->watch = NULL;
	unref_unlock(watch);
}

void kri_gpio_watch_stop(struct kri_gpio_watch *watch)
{
	uint64_t one = 1;
	ssize_t written;

	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->stopping = true;
	written = write(watch->wake_fd, &one, sizeof(one));
	(void)written;
	while (watch->running)
		kri_cond_wait(&watch->ended, &watch->lock, -1);
	unref_unlock(watch);
}
