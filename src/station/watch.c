/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows what the context announces: keeps the newest sample of each channel for the status, hands
 * to the store what belongs there and is announced by rooms that know no store, and proves for the
 * task "store" that what was handed over becomes durable.
 */
#include "../clock/clock.h"
#include "../sensor/sensor.h"
#include "../store/store.h"
#include "shown.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_NEWS 256 /* as many as wait in a context */

/*
 * The watchdog's, the outputs', what was done for a sensor and steps of the system clock, of rooms which know no store.
 * All others that are stored come from rooms that do. A watchdog opened anew by a reload is no restart.
 */
static bool belongs_in_store(struct kri_station_watch *watch, const struct kryos_event *event)
{
	enum kryos_event_type type = event->type;
	bool first = !watch->restart_seen;

	if (type == KRYOS_EVENT_RESTART)
		watch->restart_seen = true;
	return type == KRYOS_EVENT_TASK_LATE || type == KRYOS_EVENT_OUTPUT_LOST || type == KRYOS_EVENT_OUTPUT_BACK ||
	       type == KRYOS_EVENT_RECOVERY ||
	       (type == KRYOS_EVENT_CLOCK && strcmp(event->name, KRI_CLOCK_SYSTEM) == 0) ||
	       (type == KRYOS_EVENT_RESTART && first);
}

/* Whether there is something to judge now and was not before, or the other way round. */
static bool keep_latest(struct kri_station_watch *watch, const struct kryos_sample *sample)
{
	struct kryos_sample *bigger;
	uint32_t count;
	bool changed;

	if (sample->channel >= watch->latest_count) {
		count = sample->channel + 16;
		bigger = realloc(watch->latest, count * sizeof(*bigger));
		if (!bigger)
			return false; /* the status lacks it; the store has it */
		memset(bigger + watch->latest_count, 0, (count - watch->latest_count) * sizeof(*bigger));
		watch->latest = bigger;
		watch->latest_count = count;
	}
	changed = kryos_quality_is_measured(watch->latest[sample->channel].quality) !=
	          kryos_quality_is_measured(sample->quality);
	watch->latest[sample->channel] = *sample;
	return changed;
}

static void wake(struct kri_station_watch *watch)
{
	uint64_t one = 1;
	ssize_t written = write(watch->io.fd, &one, sizeof(one)); /* EAGAIN: it is full of wake-ups already */

	(void)written;
}

static void keep_news(struct kri_station_watch *watch, const struct kryos_event *event)
{
	size_t name_size = strlen(event->name) + 1, text_size = strlen(event->text) + 1;
	struct kri_station_news *news = NULL;

	if (watch->news_count < MAX_NEWS)
		news = malloc(sizeof(*news) + name_size + text_size);
	if (!news) {
		watch->news_lost++;
		return;
	}
	news->next = NULL;
	news->event = *event;
	news->event.name = memcpy((char *)(news + 1), event->name, name_size);
	news->event.text = memcpy((char *)(news + 1) + name_size, event->text, text_size);
	*watch->news_tail = news;
	watch->news_tail = &news->next;
	watch->news_count++;
	wake(watch);
}

static void forget_lost(struct kri_station_watch *watch, const char *name)
{
	struct kri_station_lost **at = &watch->lost, *lost;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	lost = *at;
	if (lost)
		*at = lost->next;
	free(lost);
}

/* Without memory the status does not say why; the store has it. */
static void keep_lost(struct kri_station_watch *watch, const struct kryos_event *event)
{
	struct kri_station_lost *lost = malloc(sizeof(*lost));

	forget_lost(watch, event->name);
	if (!lost)
		return;
	lost->code = event->code;
	snprintf(lost->name, sizeof(lost->name), "%s", event->name);
	snprintf(lost->text, sizeof(lost->text), "%s", event->text);
	lost->next = watch->lost;
	watch->lost = lost;
}

/* What lamps and buzzers show may be another thing from now on. */
static bool belongs_on_lamps(enum kryos_event_type type)
{
	return (type >= KRYOS_EVENT_ACKNOWLEDGED && type <= KRYOS_EVENT_RESUMED) || type == KRYOS_EVENT_ALARM_ON ||
	       type == KRYOS_EVENT_ALARM_OFF;
}

/* On any thread, under the context's lock. */
static void seen(struct kri_tap *tap, const struct kryos_event *event)
{
	struct kri_station_watch *watch = KRI_CONTAINER_OF(tap, struct kri_station_watch, tap);

	bool lamps = belongs_on_lamps(event->type);

	pthread_mutex_lock(&watch->lock);
	if (event->type == KRYOS_EVENT_SAMPLE)
		lamps = keep_latest(watch, &event->sample);
	else if (event->type == KRYOS_EVENT_SENSOR_LOST)
		keep_lost(watch, event);
	else if (event->type == KRYOS_EVENT_SENSOR_BACK)
		forget_lost(watch, event->name);
	else if (belongs_in_store(watch, event))
		keep_news(watch, event);
	if (lamps)
		wake(watch);
	pthread_mutex_unlock(&watch->lock);
}

static struct kri_station_news *take_news(struct kri_station_watch *watch)
{
	struct kri_station_news *news;

	pthread_mutex_lock(&watch->lock);
	news = watch->news;
	if (news) {
		watch->news = news->next;
		if (!watch->news)
			watch->news_tail = &watch->news;
		watch->news_count--;
	}
	pthread_mutex_unlock(&watch->lock);
	return news;
}

static void put_back(struct kri_station_watch *watch, struct kri_station_news *news)
{
	pthread_mutex_lock(&watch->lock);
	news->next = watch->news;
	watch->news = news;
	if (!news->next)
		watch->news_tail = &news->next;
	watch->news_count++;
	pthread_mutex_unlock(&watch->lock);
}

static void store_news(struct kryos_station *station)
{
	struct kri_station_news *news;
	unsigned int lost;
	int r = 0;

	while (station->store && (news = take_news(&station->watch))) {
		r = kryos_store_add_event(station->store, &news->event);
		if (r == -EAGAIN) {
			put_back(&station->watch, news); /* the timer tries again */
			break;
		}
		if (r < 0)
			kri_log(station->ctx, KRYOS_LOG_WARNING, "station", r, "event %s %s was not stored: %s",
			        kryos_event_type_name(news->event.type), news->event.name, kryos_strerror(r));
		free(news);
	}
	pthread_mutex_lock(&station->watch.lock);
	lost = station->watch.news_lost;
	station->watch.news_lost = 0;
	pthread_mutex_unlock(&station->watch.lock);
	if (lost)
		kri_log(station->ctx, KRYOS_LOG_WARNING, "station", -EAGAIN,
		        "%u events were not stored: too many at once", lost);
}

static void ready(struct kri_io *io, uint32_t events)
{
	struct kryos_station *station = KRI_CONTAINER_OF(io, struct kryos_station, watch.io);
	uint64_t count;
	ssize_t got = read(io->fd, &count, sizeof(count));

	(void)events;
	(void)got;
	store_news(station);
	kri_station_look_outputs(station);
}

/*
 * The store has proved progress when nothing waits for its writer, or when that comes to an end with one group after
 * another, well or not: a disk that fails makes nobody wait, since samples are then kept in memory. What is left is one
 * that hangs.
 */
static void feed_store_task(struct kryos_station *station)
{
	uint64_t attempts = 0;

	if (!kri_store_is_waiting(station->store, &attempts) || attempts != station->watch.attempts)
		kryos_task_feed(station->store_task);
	station->watch.attempts = attempts;
}

static void set_timer(struct kryos_station *station)
{
	const struct kri_section *section = kri_station_find(station->file, KRI_SECTION_WATCHDOG, NULL);

	kri_timer_set(station->ctx, &station->watch.timer,
	              kri_real_ns() + kri_station_number(section, KRI_WATCHDOG_TASK) / 4);
}

static void tick(struct kri_timer *timer)
{
	struct kryos_station *station = KRI_CONTAINER_OF(timer, struct kryos_station, watch.timer);

	if (station->store) {
		feed_store_task(station);
		store_news(station);
	}
	set_timer(station);
}

int kri_station_watch_start(struct kryos_station *station)
{
	struct kri_station_watch *watch = &station->watch;
	int r;

	watch->news_tail = &watch->news;
	watch->tap.seen = seen;
	watch->io.ready = ready;
	watch->timer.fire = tick;
	watch->timer.real = true;
	watch->io.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->io.fd < 0)
		return kryos_fail(-errno, "station: no descriptor: %s", strerror(errno));
	r = kri_io_add(station->ctx, &watch->io, EPOLLIN);
	if (r < 0) {
		close(watch->io.fd);
		return kryos_fail(r, "station: %s", strerror(-r));
	}
	pthread_mutex_init(&watch->lock, NULL);
	set_timer(station);
	kri_event_tap(station->ctx, &watch->tap);
	return 0;
}

void kri_station_watch_stop(struct kryos_station *station)
{
	struct kri_station_watch *watch = &station->watch;
	struct kri_station_news *news;

	kri_event_untap(station->ctx, &watch->tap);
	kri_timer_cancel(station->ctx, &watch->timer);
	store_news(station);
	kri_io_remove(station->ctx, &watch->io);
	close(watch->io.fd);
	while ((news = take_news(watch)))
		free(news);
	free(watch->latest);
	while (watch->lost)
		forget_lost(watch, watch->lost->name);
	pthread_mutex_destroy(&watch->lock);
}

bool kri_station_get_reason(struct kryos_station *station, const struct kryos_sample *sample, char *ret_text,
                            size_t size)
{
	const char *channel = kryos_channel_name(station->ctx, sample->channel);
	struct kri_station_watch *watch = &station->watch;
	const struct kri_station_lost *lost;
	size_t length = strcspn(channel, ".");
	bool known;

	*ret_text = '\0';
	pthread_mutex_lock(&watch->lock);
	lost = watch->lost;
	while (lost && (strlen(lost->name) != length || strncmp(lost->name, channel, length) != 0))
		lost = lost->next;
	/* A loss is announced once; what is wrong since may be another thing. */
	known = lost && kri_judge_error(lost->code) == (enum kryos_quality)sample->quality;
	if (known)
		snprintf(ret_text, size, "%s", lost->text);
	pthread_mutex_unlock(&watch->lock);
	return known;
}

void kri_station_watch_forget(struct kryos_station *station)
{
	struct kri_station_watch *watch = &station->watch;

	pthread_mutex_lock(&watch->lock);
	while (watch->lost)
		forget_lost(watch, watch->lost->name);
	if (watch->latest)
		memset(watch->latest, 0, watch->latest_count * sizeof(*watch->latest));
	pthread_mutex_unlock(&watch->lock);
}

bool kri_station_get_latest(struct kryos_station *station, unsigned int index, struct kryos_sample *ret_sample)
{
	struct kri_station_watch *watch = &station->watch;
	bool found = false;

	pthread_mutex_lock(&watch->lock);
	for (uint32_t i = 0; i < watch->latest_count && !found; i++) {
		found = watch->latest[i].channel && index-- == 0;
		if (found)
			*ret_sample = watch->latest[i];
	}
	pthread_mutex_unlock(&watch->lock);
	return found;
}
