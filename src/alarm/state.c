/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state as bytes. One description serves both ways: pass_*() writes a field or reads it. Every number is eight
 * bytes, least significant first; text is its length and its bytes; the last four are the CRC32C of all before.
 */
#include "alarm.h"
#include "digest/digest.h"
#include <stdlib.h>
#include <string.h>

#define MAGIC INT64_C(0x6d72616c6173796b) /* "kysalarm" */
#define VERSION 1
#define CHECKSUM_SIZE 4

struct pass {
	bool reading, failed;
	unsigned char *bytes;
	size_t at, room; /* reading: room is how many there are */
};

static bool make_room(struct pass *pass, size_t count)
{
	unsigned char *bytes;

	if (pass->failed)
		return false;
	if (count <= pass->room - pass->at)
		return true;
	pass->failed = true;
	if (pass->reading)
		return false;
	bytes = realloc(pass->bytes, 2 * pass->room + count);
	if (!bytes)
		return false;
	pass->bytes = bytes;
	pass->room = 2 * pass->room + count;
	pass->failed = false;
	return true;
}

static void pass_number(struct pass *pass, int64_t *number)
{
	uint64_t value = (uint64_t)*number;

	if (!make_room(pass, 8))
		return;
	if (pass->reading) {
		value = 0;
		for (int i = 0; i < 8; i++)
			value |= (uint64_t)pass->bytes[pass->at++] << 8 * i;
		*number = (int64_t)value;
		return;
	}
	for (int i = 0; i < 8; i++)
		pass->bytes[pass->at++] = (unsigned char)(value >> 8 * i);
}

/* What is read must lie in minimum to maximum. */
static int64_t pass_within(struct pass *pass, int64_t number, int64_t minimum, int64_t maximum)
{
	pass_number(pass, &number);
	if (number < minimum || number > maximum) {
		pass->failed = true;
		return minimum;
	}
	return number;
}

static void pass_name(struct pass *pass, char *name)
{
	size_t length = (size_t)pass_within(pass, (int64_t)strlen(name), 1, KRYOS_RULE_NAME_MAX - 1);

	if (!make_room(pass, length))
		return;
	if (pass->reading)
		memcpy(name, pass->bytes + pass->at, length);
	else
		memcpy(pass->bytes + pass->at, name, length);
	pass->at += length;
}

static void pass_instant(struct pass *pass, struct kryos_instant *instant)
{
	instant->t_boot_ns = pass_within(pass, instant->t_boot_ns, 0, INT64_MAX);
	pass_number(pass, &instant->t_wall_ns);
	instant->boot = (uint32_t)pass_within(pass, instant->boot, 0, UINT32_MAX);
	instant->trust = (uint32_t)pass_within(pass, instant->trust, 0, UINT16_MAX);
}

/* now_ns: no time is later, and no total is longer. */
static void pass_span(struct pass *pass, struct kri_span *span, int64_t now_ns)
{
	span->from_ns = pass_within(pass, span->from_ns, 0, now_ns);
	span->to_ns = pass_within(pass, span->to_ns, span->from_ns, now_ns);
	span->out_ns = pass_within(pass, span->out_ns, 0, now_ns);
	span->unknown_ns = pass_within(pass, span->unknown_ns, 0, now_ns);
	span->uncertain = (uint32_t)pass_within(pass, span->uncertain, 0, UINT32_MAX);
	span->has_extreme = pass_within(pass, span->has_extreme, 0, 1);
	pass_number(pass, &span->extreme_micro);
	pass_instant(pass, &span->start);
	pass_instant(pass, &span->extreme_at);
}

static void pass_rule(struct pass *pass, struct kryos_rule *rule)
{
	rule->has = (uint32_t)pass_within(pass, rule->has, 0, UINT32_MAX);
	rule->kind = (enum kryos_rule_kind)pass_within(pass, rule->kind, KRYOS_RULE_HEAT, KRYOS_RULE_CUSTOM);
	rule->comparator = (enum kryos_comparator)pass_within(pass, rule->comparator, 0, KRYOS_COMPARATOR_LE);
	rule->mode = (enum kryos_rule_mode)pass_within(pass, rule->mode, 0, KRYOS_RULE_CUMULATIVE);
	rule->gap = (enum kryos_rule_gap)pass_within(pass, rule->gap, 0, KRYOS_GAP_COUNT);
	pass_number(pass, &rule->threshold_micro);
	rule->duration_ns = pass_within(pass, rule->duration_ns, 0, INT64_MAX);
	rule->window_ns = pass_within(pass, rule->window_ns, 0, INT64_MAX);
	rule->hysteresis_micro = pass_within(pass, rule->hysteresis_micro, 0, INT64_MAX);
	rule->reset_ns = pass_within(pass, rule->reset_ns, 0, INT64_MAX);
	rule->gap_limit_ns = pass_within(pass, rule->gap_limit_ns, 1, INT64_MAX);
}

static void pass_track(struct pass *pass, struct kri_track *track, int64_t now_ns)
{
	int64_t accounted_ns;
	size_t count;

	pass_name(pass, track->name);
	pass_rule(pass, &track->rule);
	track->has_last = pass_within(pass, track->has_last, 0, 1);
	track->last_out = pass_within(pass, track->last_out, 0, track->has_last);
	track->last_ns = pass_within(pass, track->last_ns, 0, now_ns);
	pass_instant(pass, &track->last);
	track->cut = pass_within(pass, track->cut, 0, 1);
	/* Together they account for no more than there was, or what is added later could overflow. */
	accounted_ns = track->has_last ? track->last_ns : now_ns;
	track->out_ns = pass_within(pass, track->out_ns, 0, accounted_ns);
	track->unknown_ns = pass_within(pass, track->unknown_ns, 0, accounted_ns - track->out_ns);
	track->uncertain = (uint32_t)pass_within(pass, track->uncertain, 0, UINT32_MAX);
	track->recovering = pass_within(pass, track->recovering, 0, 1);
	track->recovering_since_ns = pass_within(pass, track->recovering_since_ns, 0, now_ns);
	track->open = pass_within(pass, track->open, 0, 1);
	track->last_out_ns = pass_within(pass, track->last_out_ns, 0, now_ns);
	if (track->open) {
		pass_span(pass, &track->episode, now_ns);
		pass_instant(pass, &track->trigger);
	}
	count = (size_t)pass_within(pass, (int64_t)track->count, 0, INT32_MAX);
	for (size_t i = 0; i < count && !pass->failed; i++) {
		if (pass->reading) {
			pass->failed = kri_track_reserve(track) < 0;
			if (pass->failed)
				return;
			*kri_track_span(track, track->count++) = (struct kri_span){ 0 };
		}
		pass_span(pass, kri_track_span(track, i), now_ns);
	}
}

/* Of the evaluator that is read only the time is set; tracks go to its own as they come. */
static void pass_head(struct pass *pass, struct kryos_evaluator *evaluator)
{
	evaluator->has_time = pass_within(pass, evaluator->has_time, 0, 1);
	evaluator->now_ns = pass_within(pass, evaluator->now_ns, 0, INT64_MAX);
	pass_instant(pass, &evaluator->now);
}

int kryos_evaluator_save(const struct kryos_evaluator *evaluator, void **ret_bytes, size_t *ret_count)
{
	struct pass pass = { 0 };
	struct kryos_evaluator head;
	int64_t magic = MAGIC, version = VERSION, count;
	uint32_t crc;

	if (!evaluator || !ret_bytes || !ret_count)
		return kryos_fail(-EINVAL, "evaluator: there is none, or nowhere to put the bytes");
	if (evaluator->news_first < evaluator->news_count)
		return kryos_fail(-EBUSY, "evaluator: news of an episode waits; kryos_evaluator_next gives it");
	head = *evaluator;
	count = evaluator->track_count;
	pass_number(&pass, &magic);
	pass_number(&pass, &version);
	pass_head(&pass, &head);
	pass_number(&pass, &count);
	for (unsigned int i = 0; i < evaluator->track_count; i++) {
		struct kri_track track = evaluator->tracks[i]; /* its spans are shared, and only looked at */

		pass_track(&pass, &track, evaluator->now_ns);
	}
	if (!make_room(&pass, CHECKSUM_SIZE)) {
		free(pass.bytes);
		return kryos_fail(-ENOMEM, "evaluator: out of memory");
	}
	crc = kri_crc32c(0, pass.bytes, pass.at);
	for (int i = 0; i < CHECKSUM_SIZE; i++)
		pass.bytes[pass.at++] = (unsigned char)(crc >> 8 * i);
	*ret_bytes = pass.bytes;
	*ret_count = pass.at;
	return 0;
}

static void free_tracks(struct kri_track *tracks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(tracks[i].spans);
	free(tracks);
}

static bool checksum_holds(const unsigned char *bytes, size_t count)
{
	uint32_t crc = 0;

	if (count < 16 + CHECKSUM_SIZE)
		return false;
	for (int i = 0; i < CHECKSUM_SIZE; i++)
		crc |= (uint32_t)bytes[count - CHECKSUM_SIZE + (size_t)i] << 8 * i;
	return crc == kri_crc32c(0, bytes, count - CHECKSUM_SIZE);
}

/* All of the bytes, or nothing: the tracks that were saved, and the time. */
static int read_all(const void *bytes, size_t count, struct kryos_evaluator *ret_head)
{
	struct pass pass = { .reading = true, .bytes = (unsigned char *)bytes, .room = count - CHECKSUM_SIZE };
	struct kryos_evaluator head = { 0 };
	int64_t magic = 0, version = 0, tracks;

	pass_number(&pass, &magic);
	pass_number(&pass, &version);
	if (magic != MAGIC)
		return kryos_fail(KRYOS_ECORRUPT, "evaluator: these bytes are no saved state");
	if (version != VERSION)
		return kryos_fail(KRYOS_EFORMAT, "evaluator: the state is of version %lld; %d is known",
		                  (long long)version, VERSION);
	pass_head(&pass, &head);
	tracks = pass_within(&pass, 0, 0, (int64_t)count);
	head.tracks = calloc((size_t)tracks + 1, sizeof(*head.tracks));
	if (!head.tracks)
		return kryos_fail(-ENOMEM, "evaluator: out of memory");
	for (; head.track_count < tracks && !pass.failed; head.track_count++)
		pass_track(&pass, &head.tracks[head.track_count], head.now_ns);
	if (pass.failed || pass.at != pass.room) {
		free_tracks(head.tracks, head.track_count);
		return kryos_fail(KRYOS_ECORRUPT, "evaluator: the saved state does not fit together");
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
	if (evaluator->has_time || evaluator->news_count)
		return kryos_fail(-EBUSY, "evaluator: a state is restored before the first sample");
	if (!checksum_holds(bytes, count))
		return kryos_fail(KRYOS_ECORRUPT, "evaluator: the checksum of the saved state is wrong");
	r = read_all(bytes, count, &saved);
	if (r >= 0) {
		r = kri_evaluator_make_room(evaluator, saved.track_count);
		if (r < 0)
			free_tracks(saved.tracks, saved.track_count);
	}
	if (r < 0)
		return r;
	evaluator->has_time = saved.has_time;
	evaluator->now_ns = saved.now_ns;
	evaluator->now = saved.now;
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
