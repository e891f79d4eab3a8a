/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be said. The context hears it at once. The store takes it together with the state that led to it, or not
 * at all; then it waits here. What waits is bounded: where a rule flaps before a disk that does not answer, episodes
 * that began and ended meanwhile give way, the oldest at first, and their number is said instead.
 */
#include "../alarm/alarm.h"
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY_AGAIN_NS KRYOS_SECONDS(1)
#define KEEP_EVERY_NS KRYOS_MINUTES(15)

static bool is_of_same_episode(const struct kri_news *one, const struct kri_news *other)
{
	return strcmp(one->rule, other->rule) == 0 && kri_instant_is_same(&one->trigger, &other->trigger);
}

static void remove_news(struct kri_watched *watched, struct kri_news **at)
{
	struct kri_news *news = *at;

	*at = news->next;
	if (!*at)
		watched->news_tail = at;
	watched->news_count--;
	free(news);
}

/* The oldest episode of which both beginning and end wait. */
static bool forget_whole_episode(struct kri_watched *watched)
{
	for (struct kri_news **on = &watched->news; *on; on = &(*on)->next) {
		if ((*on)->type != KRYOS_EVENT_ALARM_ON)
			continue;
		for (struct kri_news **off = &(*on)->next; *off; off = &(*off)->next) {
			if ((*off)->type != KRYOS_EVENT_ALARM_OFF || !is_of_same_episode(*on, *off))
				continue;
			remove_news(watched, off);
			remove_news(watched, on);
			watched->untold++;
			return true;
		}
	}
	return false;
}

int kri_news_check(const struct kri_watched *watched)
{
	/* Of each rule there may be one end, and one beginning, that can't give way. */
	if (watched->news_count + 2 * KRI_MONITOR_MAX_RULES < KRI_MONITOR_MAX_NEWS)
		return 0;
	if (watched->visited)
		return kryos_fail(-EAGAIN,
		                  "%s: too much happened since its state was kept: the daemon has to run first",
		                  watched->name);
	return kryos_fail(-EAGAIN, "%s: too much of it waits for the disk", watched->name);
}

void kri_news_add(struct kri_watched *watched, enum kryos_event_type type, const struct kryos_episode *episode,
                  const struct kryos_sample *sample, const char *text)
{
	struct kryos_event event = { .type = type, .name = watched->name, .text = text };
	size_t size = strlen(text) + 1;
	struct kri_news *news = malloc(sizeof(*news) + size);
	struct kryos_instant now = kri_monitor_now(watched->monitor);

	if (sample)
		event.sample = *sample;
	kri_event_push(watched->monitor->ctx, &event);
	watched->changed = true;
	while (watched->news_count >= KRI_MONITOR_MAX_NEWS && forget_whole_episode(watched))
		;
	if (!news || watched->news_count >= KRI_MONITOR_MAX_NEWS) {
		free(news);
		watched->untold++;
		return;
	}
	*news = (struct kri_news){ .type = type, .sample = event.sample };
	if (!sample) { /* it is of now, however late the store takes it */
		news->sample.boot = now.boot;
		news->sample.t_boot_ns = now.t_boot_ns;
	}
	memcpy(news->text, text, size);
	if (episode) {
		memcpy(news->rule, episode->name, sizeof(news->rule));
		news->trigger = episode->trigger;
	}
	*watched->news_tail = news;
	watched->news_tail = &news->next;
	watched->news_count++;
}

void kri_news_tell(struct kri_watched *watched, const struct kryos_episode *episode, const struct kryos_sample *sample)
{
	bool begins = episode->ended_by == KRYOS_EPISODE_OPEN;
	char text[KRYOS_EPISODE_TEXT_MAX];

	kryos_episode_text(episode, text);
	kri_log(watched->monitor->ctx, begins ? KRYOS_LOG_WARNING : KRYOS_LOG_NOTICE, "monitor", 0, "%s: %s: %s",
	        watched->name, begins ? "alarm" : "end of an alarm", text);
	kri_news_add(watched, begins ? KRYOS_EVENT_ALARM_ON : KRYOS_EVENT_ALARM_OFF, episode, sample, text);
}

void kri_news_free(struct kri_watched *watched)
{
	while (watched->news)
		remove_news(watched, &watched->news);
	watched->untold = 0;
}

void kri_monitor_arm(struct kryos_monitor *monitor)
{
	if (!monitor->timer.armed)
		kri_timer_set(monitor->ctx, &monitor->timer, kri_real_ns() + TRY_AGAIN_NS);
}

bool kri_watched_keep(struct kri_watched *watched)
{
	struct kryos_event events[KRI_MONITOR_MAX_NEWS + 1];
	char untold[120];
	size_t count = 0;
	int r;

	if (watched->visited && !watched->said)
		return true;
	for (const struct kri_news *news = watched->news; news; news = news->next) {
		events[count] = (struct kryos_event){
			.type = news->type, .name = watched->name, .text = news->text, .sample = news->sample
		};
		/* What decided in an earlier boot has no place on this one's clock. */
		if (news->sample.boot != watched->monitor->boot)
			events[count].sample.t_boot_ns = 0;
		count++;
	}
	if (watched->untold) {
		snprintf(untold, sizeof(untold),
		         "%u episodes, or what else was to be said of it, were too many to keep", watched->untold);
		events[count++] = (struct kryos_event){
			.type = KRYOS_EVENT_STORE, .code = -EAGAIN, .name = watched->name, .text = untold
		};
	}
	r = kri_watched_put_state(watched, events, count);
	if (r < 0) {
		kri_log(watched->monitor->ctx, KRYOS_LOG_DEBUG, "monitor", r, "%s: not stored yet: %s", watched->name,
		        kryos_strerror(r));
		kri_monitor_arm(watched->monitor);
		return false;
	}
	kri_news_free(watched);
	if (watched->leaving)
		kri_known_remove(watched->monitor, watched->name);
	watched->changed = false;
	watched->kept_ns = kri_boot_ns(watched->monitor->ctx);
	return true;
}

void kri_watched_keep_sometimes(struct kri_watched *watched)
{
	if (watched->news || watched->untold ||
	    (watched->changed && kri_boot_ns(watched->monitor->ctx) - watched->kept_ns >= KEEP_EVERY_NS))
		kri_watched_keep(watched);
}

void kri_monitor_try_again(struct kri_timer *timer)
{
	struct kryos_monitor *monitor = KRI_CONTAINER_OF(timer, struct kryos_monitor, timer);

	for (struct kri_watched *watched = monitor->channels; watched; watched = watched->next) {
		kri_watched_note(watched);
		if (watched->leaving && watched->changed)
			kri_watched_keep(watched);
		else
			kri_watched_keep_sometimes(watched);
	}
	kri_monitor_drop_left(monitor);
}
