/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alarm, inside. A track is one rule and what it remembers. All of its times are on the evaluator's own time line;
 * instants are kept beside them for people.
 */
#ifndef KRI_ALARM_H
#define KRI_ALARM_H

#include "../core/core.h"
#include <kryos/alarm.h>

/* Where a time line stands, which begins with 0 at the first sample and goes on over reboots. */
struct kri_time {
	bool has; /* there was a sample */
	int64_t ns;
	struct kryos_instant at;
};

/* Samples out of range without a break. Totals of the track as they were at its beginning, so that differences tell. */
struct kri_span {
	int64_t from_ns;
	int64_t to_ns; /* until when its last sample is held */
	int64_t out_ns, unknown_ns;
	uint32_t uncertain;
	bool has_extreme;
	int64_t extreme_micro;
	struct kryos_instant start, extreme_at;
	uint64_t peak; /* of the ring's place, not of the span: the track's peaks */
};

struct kri_track {
	struct kryos_rule rule; /* resolved; its name is name */
	char name[KRYOS_RULE_NAME_MAX];

	bool has_last, last_out; /* the last sample that says in or out */
	int64_t last_ns;
	struct kryos_instant last;
	bool cut; /* a reboot of unknown length since then */

	int64_t out_ns, unknown_ns; /* totals */
	uint32_t uncertain;

	/* The run of a consecutive rule is the one span. A cumulative rule has all of its window; without one, the
	   first, which then stands for all. A ring: the oldest at first. */
	struct kri_span *spans;
	size_t first, count, room;
	/* Those of them, the newest apart, whose extreme no later one is beyond: the first has the window's. Numbers
	   that count spans; a ring of the same room. */
	uint64_t first_number;
	size_t first_peak, peak_count;

	bool recovering;
	int64_t recovering_since_ns;

	bool open;
	struct kri_span episode; /* its beginning, and its extreme */
	struct kryos_instant trigger;
	int64_t last_out_ns;
};

struct kryos_evaluator {
	int64_t interval_ns;
	struct kri_track *tracks;
	unsigned int track_count;

	struct kri_time time;

	struct kryos_episode *news; /* room for all that one call can bring */
	size_t news_first, news_count, news_room;
};

/*
 * time.c. Where the line stands at the next sample. *ret_cut: a reboot lies before it of which only the least length is
 * known. -EINVAL: it is earlier than the one before in the same boot; -ERANGE: more than 292 years in all. what:
 * "evaluator", for the sentence.
 */
int kri_time_advance(const struct kri_time *time, const struct kryos_sample *sample, const char *what,
                     struct kri_time *ret_next, bool *ret_cut);

/* rule.c: checks, and fills in the defaults. config's name goes to name. -EINVAL with a sentence. */
int kri_rule_resolve(struct kri_track *track, const struct kryos_rule *config, int64_t interval_ns);
bool kri_rule_is_out(const struct kryos_rule *rule, int64_t value_micro);
/* Whether value is further out of range. */
bool kri_rule_is_beyond(const struct kryos_rule *rule, int64_t value_micro, int64_t other_micro);
bool kri_rule_is_same(const struct kryos_rule *rule, const struct kryos_rule *other);

/*
 * words.c: a key of a rule as files and events have it. NULL, or what would be allowed. The rule's name is no key of
 * it. kri_rule_keys: the keys, NULL at the end.
 */
extern const char *const kri_rule_keys[];
const char *kri_rule_set(struct kryos_rule *rule, const char *key, const char *value);
/* All that is set, as "kind=heat comparator=gt threshold=8 ..."; returns how many bytes. */
size_t kri_rule_text(const struct kryos_rule *rule, char *buffer, size_t size);

/*
 * section.c: a section [rule NAME] of a file. What is wrong with a key is reported on the key's line, what is missing
 * in the whole on the header's.
 */
struct kri_ini;
struct kri_rule_section {
	struct kryos_rule rule; /* its name is name */
	char name[KRYOS_RULE_NAME_MAX];
	int line;
	unsigned int seen; /* bits of kri_rule_keys */
	bool broken;       /* what else is missing in it is not known */
};
void kri_rule_section_begin(struct kri_ini *ini, struct kri_rule_section *section, const char *name, int line);
void kri_rule_section_take(struct kri_ini *ini, struct kri_rule_section *section, const char *key, const char *value,
                           int line);
/* False: the rule is none; it was reported why. */
bool kri_rule_section_end(struct kri_ini *ini, struct kri_rule_section *section);

/* vvm.c: "vvm7, vvm14", as bits 1 << enum kryos_vvm. False: it is not that. */
bool kri_vvm_parse(const char *list, uint32_t *ret_kinds);
#define KRI_VVM_KINDS "vvm2, vvm7, vvm14, vvm30 with commas between"

/* track.c */
/* Room for one more span: what kri_track_take may need. -ENOMEM. */
int kri_track_reserve(struct kri_track *track);
struct kri_span *kri_track_span(const struct kri_track *track, size_t index);
/* One more span, for which there is room; all 0. */
struct kri_span *kri_track_add_span(struct kri_track *track);
/* The evaluator's time line stands at the sample already. */
void kri_track_take(struct kryos_evaluator *evaluator, struct kri_track *track, const struct kryos_sample *sample);
/* Ends what is open at the last sample, and forgets everything but the totals, and a sum unless it is reconfigured. */
void kri_track_end(struct kryos_evaluator *evaluator, struct kri_track *track, enum kryos_episode_end why);
void kri_track_look(const struct kri_track *track, struct kryos_episode *ret_episode);

/* due.c */
/*
 * When a rule's duration is reached if what was said at the newest sample's time lasts, by the clock of that sample's
 * boot: an episode would begin with a sample of then. Not later than two intervals, or a rule's limit where that is
 * less, after it. INT64_MAX: in that time none would.
 */
int64_t kri_evaluator_due(const struct kryos_evaluator *evaluator);

/* state.c: as kryos_evaluator_restore, of an evaluator without rules: it has those of the bytes then. */
int kri_evaluator_restore_whole(struct kryos_evaluator *evaluator, const void *bytes, size_t count);

/* evaluator.c */
/* What one call can bring for each rule: an episode that ended, and one that began. */
#define KRI_NEWS_OF_RULE 2
void kri_evaluator_tell(struct kryos_evaluator *evaluator, const struct kryos_episode *episode);
/* The open episode that was found is one that was told before: it began, and became one, when that says. */
void kri_evaluator_adopt(struct kryos_evaluator *evaluator, const struct kryos_episode *found,
                         const struct kryos_episode *told);
/* Room for this many pieces of news. -ENOMEM. */
int kri_evaluator_make_room(struct kryos_evaluator *evaluator, size_t count);

#endif
