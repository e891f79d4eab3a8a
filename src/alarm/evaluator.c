/* SPDX-License-Identifier: Apache-2.0 */
/* The time line of one channel, its rules, and the news of them. */
#include "alarm.h"
#include <stdlib.h>
#include <string.h>

int kryos_evaluator_new(struct kryos_evaluator **ret_evaluator, int64_t interval_ns)
{
	struct kryos_evaluator *evaluator;

	if (!ret_evaluator || interval_ns < KRYOS_MILLISECONDS(1) || interval_ns > KRYOS_DAYS(1))
		return kryos_fail(-EINVAL, "evaluator: an interval of 1 ms to 1 day is needed");
	evaluator = calloc(1, sizeof(*evaluator));
	if (!evaluator)
		return kryos_fail(-ENOMEM, "evaluator: out of memory");
	evaluator->interval_ns = interval_ns;
	*ret_evaluator = evaluator;
	return 0;
}

void kryos_evaluator_free(struct kryos_evaluator *evaluator)
{
	if (!evaluator)
		return;
	for (unsigned int i = 0; i < evaluator->track_count; i++)
		free(evaluator->tracks[i].spans);
	free(evaluator->tracks);
	free(evaluator->news);
	free(evaluator);
}

int kri_evaluator_make_room(struct kryos_evaluator *evaluator, size_t count)
{
	struct kryos_episode *news;

	if (count <= evaluator->news_room)
		return 0;
	news = realloc(evaluator->news, count * sizeof(*news));
	if (!news)
		return kryos_fail(-ENOMEM, "evaluator: out of memory");
	evaluator->news = news;
	evaluator->news_room = count;
	return 0;
}

void kri_evaluator_tell(struct kryos_evaluator *evaluator, const struct kryos_episode *episode)
{
	evaluator->news[evaluator->news_count++] = *episode;
}

static bool has_news(const struct kryos_evaluator *evaluator)
{
	return evaluator->news_first < evaluator->news_count;
}

/* Every call that can bring news begins with it. */
static int check(struct kryos_evaluator *evaluator)
{
	if (!evaluator)
		return kryos_fail(-EINVAL, "evaluator: there is none");
	if (has_news(evaluator))
		return kryos_fail(-EBUSY, "evaluator: news of an episode waits; kryos_evaluator_next gives it");
	evaluator->news_first = evaluator->news_count = 0;
	return 0;
}

int kryos_evaluator_add(struct kryos_evaluator *evaluator, const struct kryos_rule *rule)
{
	struct kri_track track = { 0 }, *tracks;
	int r = check(evaluator);

	if (r >= 0 && evaluator->time.has)
		r = kryos_fail(-EBUSY, "evaluator: rules are added before the first sample");
	if (r >= 0)
		r = kri_rule_resolve(&track, rule, evaluator->interval_ns);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < evaluator->track_count; i++) {
		if (strcmp(evaluator->tracks[i].name, track.name) == 0)
			return kryos_fail(-EINVAL, "rule %s: name: there is one of that name already", track.name);
	}
	r = kri_evaluator_make_room(evaluator, (size_t)KRI_NEWS_OF_RULE * (evaluator->track_count + 1));
	if (r < 0)
		return r;
	tracks = realloc(evaluator->tracks, (evaluator->track_count + 1) * sizeof(*tracks));
	if (!tracks)
		return kryos_fail(-ENOMEM, "evaluator: out of memory");
	evaluator->tracks = tracks;
	tracks[evaluator->track_count++] = track;
	for (unsigned int i = 0; i < evaluator->track_count; i++)
		tracks[i].rule.name = tracks[i].name; /* they may have moved */
	return 0;
}

int kryos_evaluator_take(struct kryos_evaluator *evaluator, const struct kryos_sample *sample)
{
	struct kri_time next;
	bool cut;
	int r = check(evaluator), open = 0;

	if (r >= 0 && !sample)
		r = kryos_fail(-EINVAL, "evaluator: there is no sample");
	if (r >= 0)
		r = kri_time_advance(&evaluator->time, sample, "evaluator", &next, &cut);
	for (unsigned int i = 0; r >= 0 && i < evaluator->track_count; i++)
		r = kri_track_reserve(&evaluator->tracks[i]);
	if (r < 0)
		return r;
	evaluator->time = next;
	for (unsigned int i = 0; i < evaluator->track_count; i++) {
		struct kri_track *track = &evaluator->tracks[i];

		track->cut = track->cut || (cut && track->has_last);
		kri_track_take(evaluator, track, sample);
		open += track->open;
	}
	return open;
}

int kryos_evaluator_next(struct kryos_evaluator *evaluator, const struct kryos_episode **ret_episode)
{
	struct kryos_episode *episode;

	if (!evaluator || !ret_episode)
		return kryos_fail(-EINVAL, "evaluator: there is none, or nowhere to put the episode");
	if (!has_news(evaluator))
		return 0;
	episode = &evaluator->news[evaluator->news_first++];
	episode->rule.name = episode->name;
	*ret_episode = episode;
	return 1;
}

int kryos_evaluator_look(const struct kryos_evaluator *evaluator, unsigned int index, struct kryos_episode *ret_episode)
{
	if (!evaluator || !ret_episode)
		return kryos_fail(-EINVAL, "evaluator: there is none, or nowhere to put the episode");
	if (index >= evaluator->track_count || !evaluator->tracks[index].open)
		return 0;
	kri_track_look(&evaluator->tracks[index], ret_episode);
	ret_episode->rule.name = ret_episode->name;
	return 1;
}

static bool is_same_instant(const struct kryos_instant *one, const struct kryos_instant *other)
{
	return one->boot == other->boot && one->t_boot_ns == other->t_boot_ns;
}

void kri_evaluator_adopt(struct kryos_evaluator *evaluator, const struct kryos_episode *found,
                         const struct kryos_episode *told)
{
	for (unsigned int i = 0; i < evaluator->track_count; i++) {
		struct kri_track *track = &evaluator->tracks[i];
		struct kri_span *episode = &track->episode;
		int64_t from_ns = episode->from_ns + told->start.t_boot_ns - episode->start.t_boot_ns;

		if (!track->open || strcmp(track->name, found->name) != 0 ||
		    !is_same_instant(&track->trigger, &found->trigger))
			continue;
		if (told->start.boot == episode->start.boot && from_ns >= 0 && from_ns <= episode->to_ns)
			episode->from_ns = from_ns;
		episode->start = told->start;
		track->trigger = told->trigger;
	}
}

int kryos_evaluator_end(struct kryos_evaluator *evaluator, enum kryos_episode_end why)
{
	int r = check(evaluator);

	if (r >= 0 && why != KRYOS_EPISODE_RETIRED && why != KRYOS_EPISODE_SENSOR_LOST &&
	    why != KRYOS_EPISODE_RECONFIGURED)
		r = kryos_fail(-EINVAL, "evaluator: an episode is ended as retired, sensor lost or reconfigured");
	for (unsigned int i = 0; r >= 0 && i < evaluator->track_count; i++)
		kri_track_end(evaluator, &evaluator->tracks[i], why);
	return r;
}
