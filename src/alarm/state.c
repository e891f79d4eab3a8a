/* SPDX-License-Identifier: Apache-2.0 */
/* What an evaluator remembers, as bytes. */
#include "bytes.h"
#include <stdlib.h>

#define MAGIC INT64_C(0x6d72616c6173796b) /* "kysalarm" */
#define VERSION 1

/* now_ns: no time is later, and no total is longer. */
static void pass_span(struct kri_pass *pass, struct kri_span *span, int64_t now_ns)
{
	span->from_ns = kri_pass_within(pass, span->from_ns, 0, now_ns);
	span->to_ns = kri_pass_within(pass, span->to_ns, span->from_ns, now_ns);
	span->out_ns = kri_pass_within(pass, span->out_ns, 0, now_ns);
	span->unknown_ns = kri_pass_within(pass, span->unknown_ns, 0, now_ns);
	span->uncertain = (uint32_t)kri_pass_within(pass, span->uncertain, 0, UINT32_MAX);
	span->has_extreme = kri_pass_within(pass, span->has_extreme, 0, 1);
	kri_pass_number(pass, &span->extreme_micro);
	kri_pass_instant(pass, &span->start);
	kri_pass_instant(pass, &span->extreme_at);
}

static void pass_rule(struct kri_pass *pass, struct kryos_rule *rule)
{
	rule->has = (uint32_t)kri_pass_within(pass, rule->has, 0, UINT32_MAX);
	rule->kind = (enum kryos_rule_kind)kri_pass_within(pass, rule->kind, KRYOS_RULE_HEAT, KRYOS_RULE_CUSTOM);
	rule->comparator = (enum kryos_comparator)kri_pass_within(pass, rule->comparator, 0, KRYOS_COMPARATOR_LE);
	rule->mode = (enum kryos_rule_mode)kri_pass_within(pass, rule->mode, 0, KRYOS_RULE_CUMULATIVE);
	rule->gap = (enum kryos_rule_gap)kri_pass_within(pass, rule->gap, 0, KRYOS_GAP_COUNT);
	kri_pass_number(pass, &rule->threshold_micro);
	rule->duration_ns = kri_pass_within(pass, rule->duration_ns, 0, INT64_MAX);
	rule->window_ns = kri_pass_within(pass, rule->window_ns, 0, INT64_MAX);
	rule->hysteresis_micro = kri_pass_within(pass, rule->hysteresis_micro, 0, INT64_MAX);
	rule->reset_ns = kri_pass_within(pass, rule->reset_ns, 0, INT64_MAX);
	rule->gap_limit_ns = kri_pass_within(pass, rule->gap_limit_ns, 1, INT64_MAX);
}

static void pass_track(struct kri_pass *pass, struct kri_track *track, int64_t now_ns)
{
	int64_t accounted_ns;
	size_t count;

	kri_pass_text(pass, track->name, sizeof(track->name));
	pass_rule(pass, &track->rule);
	track->has_last = kri_pass_within(pass, track->has_last, 0, 1);
	track->last_out = kri_pass_within(pass, track->last_out, 0, track->has_last);
	track->last_ns = kri_pass_within(pass, track->last_ns, 0, now_ns);
	kri_pass_instant(pass, &track->last);
	track->cut = kri_pass_within(pass, track->cut, 0, 1);
	/* Together they account for no more than there was, or what is added later could overflow. */
	accounted_ns = track->has_last ? track->last_ns : now_ns;
	track->out_ns = kri_pass_within(pass, track->out_ns, 0, accounted_ns);
	track->unknown_ns = kri_pass_within(pass, track->unknown_ns, 0, accounted_ns - track->out_ns);
	track->uncertain = (uint32_t)kri_pass_within(pass, track->uncertain, 0, UINT32_MAX);
	track->recovering = kri_pass_within(pass, track->recovering, 0, 1);
	track->recovering_since_ns = kri_pass_within(pass, track->recovering_since_ns, 0, now_ns);
	track->open = kri_pass_within(pass, track->open, 0, 1);
	track->last_out_ns = kri_pass_within(pass, track->last_out_ns, 0, now_ns);
	if (track->open) {
		pass_span(pass, &track->episode, now_ns);
		kri_pass_instant(pass, &track->trigger);
	}
	count = (size_t)kri_pass_within(pass, (int64_t)track->count, 0, INT32_MAX);
	for (size_t i = 0; i < count && !pass->failed; i++) {
		if (pass->reading) {
			pass->failed = kri_track_reserve(track) < 0;
			if (pass->failed)
				return;
			(void)kri_track_add_span(track);
		}
		pass_span(pass, kri_track_span(track, i), now_ns);
	}
}

/* Of the evaluator that is read only the time is set; tracks go to its own as they come. */
static void pass_head(struct kri_pass *pass, struct kryos_evaluator *evaluator)
{
	kri_pass_time(pass, &evaluator->time);
}

static struct kri_pass begin(void)
{
	return (struct kri_pass){ .what = "evaluator", .magic = MAGIC, .version = VERSION };
}

int kryos_evaluator_save(const struct kryos_evaluator *evaluator, void **ret_bytes, size_t *ret_count)
{
	struct kri_pass pass = begin();
	struct kryos_evaluator head;
	int64_t count;

	if (!evaluator || !ret_bytes || !ret_count)
		return kryos_fail(-EINVAL, "evaluator: there is none, or nowhere to put the bytes");
	if (evaluator->news_first < evaluator->news_count)
		return kryos_fail(-EBUSY, "evaluator: news of an episode waits; kryos_evaluator_next gives it");
	head = *evaluator;
	count = evaluator->track_count;
	kri_pass_write(&pass);
	pass_head(&pass, &head);
	kri_pass_number(&pass, &count);
	for (unsigned int i = 0; i < evaluator->track_count; i++) {
		struct kri_track track = evaluator->tracks[i]; /* its spans are shared, and only looked at */

		pass_track(&pass, &track, evaluator->time.ns);
	}
	return kri_pass_finish(&pass, ret_bytes, ret_count);
}

static void free_tracks(struct kri_track *tracks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(tracks[i].spans);
	free(tracks);
}

/* All of the bytes, or nothing: the tracks that were saved, and the time. */
static int read_all(const void *bytes, size_t count, struct kryos_evaluator *ret_head)
{
	struct kri_pass pass = begin();
	struct kryos_evaluator head = { 0 };
	int64_t tracks;
	int r = kri_pass_read(&pass, bytes, count);

	if (r < 0)
		return r;
	pass_head(&pass, &head);
	tracks = kri_pass_within(&pass, 0, 0, (int64_t)count);
	head.tracks = calloc((size_t)tracks + 1, sizeof(*head.tracks));
	if (!head.tracks)
		return kryos_fail(-ENOMEM, "evaluator: out of memory");
	for (; head.track_count < tracks && !pass.failed; head.track_count++)
		pass_track(&pass, &head.tracks[head.track_count], head.time.ns);
	r = kri_pass_finish(&pass, NULL, NULL);
	if (r < 0) {
		free_tracks(head.tracks, head.track_count);
		return r;
	}
	*ret_head = head;
	return 0;
}

static struct kri_track *find(const struct kryos_evaluator *evaluator, struct kri_track *saved)
{
	saved->rule.name = saved->name;
	for (unsigned int i = 0; i < evaluator->track_count; i++) {
		if (kri_rule_is_same(&evaluator->tracks[i].rule, &saved->rule))
			return &evaluator->tracks[i];
	}
	return NULL;
}

int kryos_evaluator_restore(struct kryos_evaluator *evaluator, const void *bytes, size_t count)
{
	struct kryos_evaluator saved = { 0 };
	int r;

	if (!evaluator || !bytes)
		return kryos_fail(-EINVAL, "evaluator: there is none, or there are no bytes");
	if (evaluator->time.has || evaluator->news_count)
		return kryos_fail(-EBUSY, "evaluator: a state is restored before the first sample");
	r = read_all(bytes, count, &saved);
	if (r >= 0) {
		r = kri_evaluator_make_room(evaluator, saved.track_count);
		if (r < 0)
			free_tracks(saved.tracks, saved.track_count);
	}
	if (r < 0)
		return r;
	evaluator->time = saved.time;
	for (unsigned int i = 0; i < saved.track_count; i++) {
		struct kri_track *from = &saved.tracks[i], *to = find(evaluator, from);

		if (to) {
			struct kri_span *spans = to->spans;

			*to = *from;
			to->rule.name = to->name;
			from->spans = spans; /* to be freed with it */
		} else {
			kri_track_end(evaluator, from, KRYOS_EPISODE_RECONFIGURED);
		}
	}
	free_tracks(saved.tracks, saved.track_count);
	return 0;
}

int kri_evaluator_restore_whole(struct kryos_evaluator *evaluator, const void *bytes, size_t count)
{
	struct kryos_evaluator saved = { 0 };
	int r = evaluator->track_count ? -EBUSY : read_all(bytes, count, &saved);

	if (r < 0)
		return r;
	r = kri_evaluator_make_room(evaluator, (size_t)KRI_NEWS_OF_RULE * saved.track_count);
	if (r < 0) {
		free_tracks(saved.tracks, saved.track_count);
		return r;
	}
	free(evaluator->tracks);
	evaluator->time = saved.time;
	evaluator->tracks = saved.tracks;
	evaluator->track_count = saved.track_count;
	for (unsigned int i = 0; i < evaluator->track_count; i++)
		evaluator->tracks[i].rule.name = evaluator->tracks[i].name;
	return 0;
}
