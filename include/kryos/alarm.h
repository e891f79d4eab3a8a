/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alarm: rules about one channel, and the episodes in which they were broken.
 *
 * An evaluator takes the samples of one channel in order and says when an episode begins and ends. It is pure: it reads
 * no clock, no file and no context, so the same samples give the same episodes, on a device, after a restart from its
 * saved state, or years later from a log. Nothing of a rule is silently chosen: docs/alarms.md defines every word
 * below.
 *
 * A rule's time is CLOCK_BOOTTIME within a boot. Between two boots it is the difference of wall times where both are
 * trusted (rtc or synced); else only the time since the later boot is known to have passed, and the episode says so. A
 * step of the wall clock changes nothing. A log that has one clock puts it in both stamps, with boot 0.
 *
 * Samples of quality good and extrapolated are measured. Those of stuck, rate and disagrees are doubtful: they may
 * begin or prolong an episode and never end one. All others are time without a measurement.
 *
 * One thread at a time for each evaluator; no call blocks.
 */
#ifndef KRYOS_ALARM_H
#define KRYOS_ALARM_H

#include <kryos/sample.h>

KRYOS_BEGIN

/* What a rule is about. The numbers are stored: none is ever given another meaning. */
enum kryos_rule_kind {
	KRYOS_RULE_HEAT = 1,
	KRYOS_RULE_FREEZE = 2,
	KRYOS_RULE_DOOR = 3,
	KRYOS_RULE_POWER = 4,
	KRYOS_RULE_SENSOR = 5, /* out of range is each sample that is not measured; no threshold */
	KRYOS_RULE_CUSTOM = 6
};

/* How a value that is out of range compares with the threshold. */
enum kryos_comparator {
	KRYOS_COMPARATOR_GT = 1,
	KRYOS_COMPARATOR_GE = 2,
	KRYOS_COMPARATOR_LT = 3,
	KRYOS_COMPARATOR_LE = 4
};

enum kryos_rule_mode {
	KRYOS_RULE_CONSECUTIVE = 0, /* one run of samples out of range */
	KRYOS_RULE_CUMULATIVE = 1   /* time out of range, summed over a window or over everything */
};

/* What becomes of the time between two measurements that are further apart than the limit. */
enum kryos_rule_gap {
	KRYOS_GAP_HOLD = 0, /* the earlier one holds for the limit, the rest is indeterminate */
	KRYOS_GAP_BREAK,    /* the same, and there the run ends: sensor lost. Of consecutive rules only */
	KRYOS_GAP_COUNT     /* the earlier one holds until the next, or for the limit if one is given */
};

/* Bits of has: fields for which 0 is a value as any other. They must be set. */
enum kryos_rule_field { KRYOS_RULE_THRESHOLD = 1, KRYOS_RULE_DURATION = 2 };

struct kryos_rule {
	uint32_t size;
	uint32_t has;     /* enum kryos_rule_field; of the kind sensor only the duration */
	const char *name; /* 1 to 47 of letters, digits, "_", "-", "." */
	enum kryos_rule_kind kind;
	enum kryos_comparator comparator;
	enum kryos_rule_mode mode;
	enum kryos_rule_gap gap;
	int64_t threshold_micro;
	int64_t duration_ns; /* 0 to 3660 days: an episode begins when it is reached; cumulative: from 1 ns on */
	int64_t window_ns;   /* cumulative: what is older counts no more; 0: nothing is forgotten. At most 366 days */
	int64_t hysteresis_micro; /* consecutive: how far in range a sample must be to end the run */
	int64_t reset_ns;         /* consecutive: for how long samples must be that far; 0: one is enough */
	int64_t gap_limit_ns;     /* 0: two intervals, of count none */
};
#define KRYOS_RULE(...) KRYOS_CONFIG_OF(kryos_rule, __VA_ARGS__)

/*
 * The rules of a profile: index 0, 1, ... until NULL; NULL at once: there is no such profile. Static. Profiles called
 * who-... hold what WHO published and nothing else; of the others the range is published and the duration ours.
 */
KRYOS_EXPORT const struct kryos_rule *kryos_profile_rule(const char *profile, unsigned int index);
/* The profiles' names: index 0, 1, ... until NULL. Static. */
KRYOS_EXPORT const char *kryos_profile_name(unsigned int index);

/* When something was, by both clocks. */
struct kryos_instant {
	int64_t t_boot_ns, t_wall_ns;
	uint32_t boot;
	uint32_t trust; /* enum kryos_trust, of t_wall_ns */
};

/* How an episode ended. The numbers are stored. */
enum kryos_episode_end {
	KRYOS_EPISODE_OPEN = 0,
	KRYOS_EPISODE_RECOVERED = 1,
	KRYOS_EPISODE_SENSOR_LOST = 2,
	KRYOS_EPISODE_RETIRED = 3,
	KRYOS_EPISODE_RECONFIGURED = 4
};

#define KRYOS_RULE_NAME_MAX 48

struct kryos_episode {
	struct kryos_rule rule; /* as it was, its limit resolved; rule.name is name */
	char name[KRYOS_RULE_NAME_MAX];
	enum kryos_episode_end ended_by;
	uint32_t has_extreme;         /* 0: no measured sample was out of range, or kind sensor */
	struct kryos_instant start;   /* the first sample out of range that counts */
	struct kryos_instant trigger; /* the sample at which the rule's duration was reached */
	struct kryos_instant end;     /* all 0 while it is open */
	struct kryos_instant extreme_at;
	int64_t extreme_micro;    /* the furthest out of range of all measured samples, the first of equal ones */
	int64_t duration_ns;      /* from start to the last sample out of range, gaps included */
	int64_t accumulated_ns;   /* how long samples out of range were held, from start on */
	int64_t indeterminate_ns; /* how long nothing was known, from start on */
	uint32_t uncertain;       /* reboots since start after which it is not known how long the device was off */
	uint32_t reserved;
};

/*
 * An episode as words "key=value" with blanks between, as events carry it, and back. The keys are those of a rule in a
 * station file, then start, trigger, extreme, extreme_at, duration, accumulated, indeterminate, uncertain, ended and
 * end; what there is none of is left out. An instant is its wall time, its trust, its boot and the seconds since that.
 * buffer has KRYOS_EPISODE_TEXT_MAX bytes; returns buffer. Parse: -EINVAL names the word; *ret_episode is then
 * unchanged.
 */
#define KRYOS_EPISODE_TEXT_MAX 1000
KRYOS_EXPORT char *kryos_episode_text(const struct kryos_episode *episode, char *buffer);
KRYOS_API int kryos_episode_parse(struct kryos_episode *ret_episode, const char *text);

/* "heat", "freeze", ...; "open", "recovered", "sensor_lost", ...; "?" for an unknown number. Static. */
KRYOS_EXPORT const char *kryos_rule_kind_name(unsigned int kind);
KRYOS_EXPORT const char *kryos_episode_end_name(unsigned int ended_by);

/*
 * The alarms of a sample as names of kinds with blanks between, in the order of their numbers: "heat freeze"; "?" at
 * the end stands for bits that this version knows no kind for, "" for 0. buffer has KRYOS_TEXT_MAX bytes; returns
 * buffer.
 */
KRYOS_EXPORT char *kryos_alarm_text(uint32_t alarm, char *buffer);

struct kryos_evaluator;

/* interval_ns: how often the channel is measured, 1 ms to 1 day; of a log the median. -EINVAL, -ENOMEM. */
KRYOS_API int kryos_evaluator_new(struct kryos_evaluator **ret_evaluator, int64_t interval_ns);
KRYOS_EXPORT void kryos_evaluator_free(struct kryos_evaluator *evaluator); /* NULL is allowed */

/*
 * Adds a rule, which is copied; before the first sample, and before its state is restored. -EINVAL: the sentence names
 * the rule, the field and what is allowed. -EBUSY: samples were taken. -ENOMEM.
 */
KRYOS_API int kryos_evaluator_add(struct kryos_evaluator *evaluator, const struct kryos_rule *rule);

/*
 * Takes the next sample. Returns how many rules have an open episode now. On failure nothing has changed: -EINVAL: it
 * is earlier than the one before in the same boot; -ERANGE: more than 292 years in all; -EBUSY: an episode's news waits
 * (kryos_evaluator_next); -ENOMEM.
 */
KRYOS_API int kryos_evaluator_take(struct kryos_evaluator *evaluator, const struct kryos_sample *sample);

/*
 * The next piece of news: 1 and an episode that began (ended_by is open) or ended; 0: none. *ret_episode lives until
 * the next call for this evaluator.
 */
KRYOS_API int kryos_evaluator_next(struct kryos_evaluator *evaluator, const struct kryos_episode **ret_episode);

/* The open episode of the rule that was added as number index, from 0, as it stands: 1; 0: it has none, or no such
 * rule. */
KRYOS_API int kryos_evaluator_look(const struct kryos_evaluator *evaluator, unsigned int index,
                                   struct kryos_episode *ret_episode);

/*
 * Ends all open episodes at the last sample: the channel is retired, or its sensor given up. Consecutive rules begin
 * anew with the next. A cumulative one keeps what it has summed, unless why is reconfigured: where that still reaches
 * the duration, an episode begins with the next sample that says in or out. -EINVAL: why is neither retired, sensor
 * lost nor reconfigured; -EBUSY as take.
 */
KRYOS_API int kryos_evaluator_end(struct kryos_evaluator *evaluator, enum kryos_episode_end why);

/*
 * The state between two samples as bytes, to go on from after a restart: the same on every machine. free() them.
 * -EBUSY: news waits, which would be lost. -ENOMEM.
 */
KRYOS_API int kryos_evaluator_save(const struct kryos_evaluator *evaluator, void **ret_bytes, size_t *ret_count);

/*
 * Goes on from a saved state: with the rules that were added and no sample taken. A rule of the same name and the same
 * words goes on; of one that was changed or is gone the open episode ends, reconfigured, at the last sample. On failure
 * nothing has changed: KRYOS_ECORRUPT: these are not the bytes that were saved; KRYOS_EFORMAT: a newer version saved
 * them; -EBUSY: samples were taken; -ENOMEM.
 */
KRYOS_API int kryos_evaluator_restore(struct kryos_evaluator *evaluator, const void *bytes, size_t count);

KRYOS_END
#endif
