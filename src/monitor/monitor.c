/* SPDX-License-Identifier: Apache-2.0 */
#include "../alarm/alarm.h"
#include "private.h"
#include <kryos/clock.h>
#include <stdlib.h>
#include <string.h>

static void destroy_object(struct kri_object *object)
{
	kryos_monitor_free(KRI_CONTAINER_OF(object, struct kryos_monitor, object));
}

int kryos_monitor_new(struct kryos_monitor **ret_monitor, struct kryos_store *store)
{
	struct kryos_store_status status = { .size = sizeof(status) };
	struct kryos_monitor *monitor;
	int r;

	if (!ret_monitor || !store)
		return kryos_fail(-EINVAL, "monitor: no store given, or no place for the monitor");
	r = kri_ctx_check(kri_store_get_ctx(store));
	if (r >= 0)
		r = kryos_store_get_status(store, &status);
	if (r < 0)
		return r;
	monitor = calloc(1, sizeof(*monitor));
	if (!monitor)
		return kryos_fail(-ENOMEM, "monitor: out of memory");
	monitor->ctx = kri_store_get_ctx(store);
	monitor->store = store;
	monitor->boot = status.boot;
	monitor->timer.fire = kri_monitor_try_again;
	monitor->timer.real = true;
	r = kri_known_get(monitor);
	if (r < 0) {
		kri_known_free(monitor);
		free(monitor);
		return r;
	}
	kri_object_add(monitor->ctx, &monitor->object, destroy_object);
	*ret_monitor = monitor;
	return 0;
}

static int judge_aside(struct kri_watched *watched)
{
	if (!watched->has_aside || watched->leaving)
		return 0;
	watched->has_aside = false;
	return kri_watched_is_older(watched, &watched->aside) ? 0 : kri_watched_judge(watched, &watched->aside);
}

void kryos_monitor_free(struct kryos_monitor *monitor)
{
	if (!monitor || kri_ctx_check(monitor->ctx) < 0)
		return;
	kri_object_remove(&monitor->object);
	kri_timer_cancel(monitor->ctx, &monitor->timer);
	while (monitor->channels) {
		struct kri_watched *watched = monitor->channels;

		monitor->channels = watched->next;
		judge_aside(watched);
		kri_watched_note(watched);
		/* What is not stored now is told again by what is: the samples, judged after the next start. */
		if (watched->changed && !kri_watched_keep(watched))
			kri_log(monitor->ctx, KRYOS_LOG_WARNING, "monitor", -EAGAIN,
			        "%s: its state of now is not stored; it is made again from the samples", watched->name);
		kri_watched_free(watched);
	}
	kri_timer_cancel(monitor->ctx, &monitor->timer);
	kri_known_free(monitor);
	free(monitor->by_number);
	free(monitor);
}

void kri_monitor_flush(struct kryos_monitor *monitor)
{
	if (kri_real_ns() < monitor->patient_at_ns)
		return;
	if (kryos_store_flush(monitor->store, KRYOS_SECONDS(2)) < 0)
		monitor->patient_at_ns = kri_real_ns() + KRYOS_MINUTES(1);
}

bool kri_monitor_is_kept(const struct kryos_monitor *monitor, const char *channel)
{
	const struct kri_watched *watched = kri_monitor_find(monitor, channel);

	return !watched || (!watched->news && !watched->untold);
}

struct kryos_store *kri_monitor_store(const struct kryos_monitor *monitor)
{
	return monitor->store;
}

int kri_monitor_check(const struct kryos_monitor *monitor)
{
	if (!monitor)
		return kryos_fail(-EINVAL, "no monitor given");
	return kri_ctx_check(monitor->ctx);
}

struct kri_watched *kri_monitor_find(const struct kryos_monitor *monitor, const char *channel)
{
	struct kri_watched *watched = monitor->channels;

	while (watched && (watched->leaving || strcmp(watched->name, channel) != 0))
		watched = watched->next;
	return watched;
}

struct kryos_instant kri_instant_of(const struct kryos_sample *sample)
{
	return (struct kryos_instant){ .t_boot_ns = sample->t_boot_ns,
		                       .t_wall_ns = sample->t_wall_ns,
		                       .boot = sample->boot,
		                       .trust = sample->trust };
}

struct kryos_instant kri_monitor_now(struct kryos_monitor *monitor)
{
	struct kryos_time now = { 0 };

	if (kryos_clock_now(monitor->ctx, &now) < 0)
		now.t_boot_ns = kri_boot_ns(monitor->ctx);
	return (struct kryos_instant){
		.t_boot_ns = now.t_boot_ns, .t_wall_ns = now.t_wall_ns, .boot = monitor->boot, .trust = now.trust
	};
}

bool kri_instant_is_before(const struct kryos_instant *one, const struct kryos_instant *other)
{
	return one->boot != other->boot ? one->boot < other->boot : one->t_boot_ns < other->t_boot_ns;
}

bool kri_instant_is_same(const struct kryos_instant *one, const struct kryos_instant *other)
{
	return one->boot == other->boot && one->t_boot_ns == other->t_boot_ns;
}

static uint32_t open_kinds(const struct kri_watched *watched)
{
	struct kryos_episode episode;
	uint32_t open = 0;

	for (unsigned int i = 0; i < watched->rule_count; i++)
		if (kryos_evaluator_look(watched->evaluator, i, &episode) > 0)
			open |= UINT32_C(1) << watched->rules[i].kind;
	return open;
}

void kri_watched_adopt(struct kri_watched *watched, struct kryos_episode *found, const struct kryos_episode *told)
{
	kri_evaluator_adopt(watched->evaluator, found, told);
	found->start = told->start;
	found->trigger = told->trigger;
}

/*
 * While what is stored is judged, whether that was told before. Where what was lived through before is judged again
 * only the first end of a rule that was told to be open is news.
 */
static bool is_news(struct kri_watched *watched, struct kryos_episode *episode, bool *ret_told)
{
	struct kri_announced *announced = NULL;
	bool found;

	if (!watched->quiet)
		announced = kri_announced_take_begun(watched, episode);
	else if (episode->ended_by)
		announced = kri_announced_take(watched, episode->name, &episode->end);
	found = announced;
	if (found)
		kri_watched_adopt(watched, episode, &announced->episode);
	free(announced);
	*ret_told = episode->ended_by ? kri_announced_has_end(watched, episode, episode->ended_by) : found;
	return !watched->quiet || found;
}

void kri_watched_drain(struct kri_watched *watched, const struct kryos_sample *sample)
{
	const struct kryos_episode *found;

	while (kryos_evaluator_next(watched->evaluator, &found) > 0) {
		struct kryos_episode episode = *found;
		bool told, news = is_news(watched, &episode, &told);

		/* What is still open in the end is taken then: until then it may be one that people acknowledged. */
		if (news)
			kri_alarms_take(watched, &episode, true);
		if (news && !told)
			kri_news_tell(watched, &episode, sample);
		watched->open = open_kinds(watched);
	}
	if (!sample)
		watched->open = open_kinds(watched);
}

int kri_watched_judge_one(struct kri_watched *watched, const struct kryos_sample *sample)
{
	int r = 0;

	if (!watched->retired) {
		r = kryos_evaluator_take(watched->evaluator, sample);
		if (r < 0)
			return r;
		kri_watched_drain(watched, sample);
	}
	kri_watched_remember(watched, sample);
	kri_watched_hold(watched, sample);
	watched->judged = kri_instant_of(sample);
	watched->has_judged = true;
	watched->changed = true;
	return 0;
}

int kri_watched_judge(struct kri_watched *watched, const struct kryos_sample *sample)
{
	struct kryos_instant at = kri_instant_of(sample);
	int r = 0;

	/* A measurement that finds another state says nothing of when it left the one before; the change will. */
	if (!kryos_quality_is_measured(sample->quality) || sample->value_micro == watched->state.value_micro)
		r = kri_watched_judge_due(watched, &at);
	return r < 0 ? r : kri_watched_judge_one(watched, sample);
}

int kri_watched_judge_change(struct kri_watched *watched, const struct kryos_sample *sample, int64_t lasted_ns)
{
	struct kryos_instant at = kri_instant_of(sample);
	struct kryos_sample before = *sample;
	int r = kri_watched_judge_due(watched, &at);

	before.value_micro = sample->value_micro ? 0 : 1000000;
	if (r >= 0 && lasted_ns > 0)
		r = kri_watched_judge_one(watched, &before);
	return r < 0 ? r : kri_watched_judge_one(watched, sample);
}

bool kri_watched_is_older(const struct kri_watched *watched, const struct kryos_sample *sample)
{
	return watched->has_judged && sample->boot == watched->judged.boot &&
	       sample->t_boot_ns < watched->judged.t_boot_ns;
}

void kri_watched_put_last(const struct kri_watched *watched, struct kryos_sample *sample)
{
	sample->t_wall_ns += watched->judged.t_boot_ns - sample->t_boot_ns;
	sample->t_boot_ns = watched->judged.t_boot_ns;
}

static struct kri_watched *watched_of(const struct kryos_monitor *monitor, uint32_t channel)
{
	return channel < monitor->number_count ? monitor->by_number[channel] : NULL;
}

/* A copy, of this boot where it has none of its own. A stamp that the store would put in is put in now: it is one. */
static struct kryos_sample with_boot(struct kryos_monitor *monitor, struct kryos_sample *sample)
{
	struct kryos_sample own;

	if (!sample->t_boot_ns) {
		struct kryos_instant now = kri_monitor_now(monitor);

		sample->t_boot_ns = now.t_boot_ns;
		sample->t_wall_ns = now.t_wall_ns;
		sample->trust = (uint16_t)now.trust;
	}
	own = *sample;
	if (!own.boot)
		own.boot = monitor->boot;
	return own;
}

int kri_watched_taken(struct kri_watched *watched, int r)
{
	if (r < 0)
		kri_log(watched->monitor->ctx, KRYOS_LOG_WARNING, "monitor", r, "%s: a sample was not judged: %s",
		        watched->name, kryos_strerror(r));
	kri_watched_await(watched);
	kri_watched_keep_sometimes(watched);
	return r;
}

/*
 * A round may find another state before the change is told by which it came. When that was says the change, and so
 * whether anything was due: until then, or for a round, the measurement is set aside.
 */
static bool set_aside(struct kri_watched *watched, const struct kryos_sample *sample)
{
	if (!watched->lasts || !watched->debounce_ns || watched->has_aside ||
	    !kryos_quality_is_measured(sample->quality) || sample->value_micro == watched->state.value_micro)
		return false;
	watched->aside = *sample;
	watched->has_aside = true;
	kri_watched_await(watched);
	return true;
}

static int take_one(struct kri_watched *watched, const struct kryos_sample *sample)
{
	int r;

	/* A door's measurement is of its round's instant; what was told of the door since is newer. */
	if (kri_watched_is_older(watched, sample) || set_aside(watched, sample))
		return 0;
	r = judge_aside(watched);
	return kri_watched_taken(watched, r < 0 ? r : kri_watched_judge(watched, sample));
}

int kryos_monitor_take(struct kryos_monitor *monitor, struct kryos_sample *samples, size_t count)
{
	int r = kri_monitor_check(monitor), result = 0;

	if (r >= 0 && !samples && count)
		r = kryos_fail(-EINVAL, "monitor: no samples given");
	for (size_t i = 0; r >= 0 && i < count; i++) {
		struct kri_watched *watched = watched_of(monitor, samples[i].channel);
		struct kryos_sample sample;

		if (!watched)
			continue;
		sample = with_boot(monitor, &samples[i]);
		if (take_one(watched, &sample) < 0)
			result = -ENOMEM;
		samples[i].alarm = watched->open;
	}
	return r < 0 ? r : result;
}

int kri_monitor_take_state(struct kryos_monitor *monitor, const struct kryos_sample *sample, int64_t lasted_ns)
{
	struct kri_watched *watched = watched_of(monitor, sample->channel);
	struct kryos_sample own = *sample;
	int r = 0;

	if (!watched)
		return 0;
	own = with_boot(monitor, &own);
	if (watched->has_aside && own.t_boot_ns >= watched->aside.t_boot_ns)
		r = judge_aside(watched);
	if (kri_watched_is_older(watched, &own)) {
		kri_watched_put_last(watched, &own);
		lasted_ns = 0;
	}
	if (r >= 0)
		r = kri_watched_judge_change(watched, &own, lasted_ns);
	if (r >= 0)
		r = judge_aside(watched);
	return kri_watched_taken(watched, r);
}

void kri_monitor_set_debounce(struct kryos_monitor *monitor, uint32_t channel, int64_t debounce_ns)
{
	struct kri_watched *watched = watched_of(monitor, channel);

	if (watched)
		watched->debounce_ns = debounce_ns;
}

void kri_monitor_let_go(struct kryos_monitor *monitor, uint32_t channel)
{
	struct kri_watched *watched = watched_of(monitor, channel);

	if (!watched || !watched->lasts)
		return;
	judge_aside(watched);
	watched->lasts = false;
	watched->changed = true;
	kri_watched_await(watched);
	kri_watched_keep(watched);
}
