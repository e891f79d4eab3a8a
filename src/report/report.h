/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report: what was stored in a period, as pages that a health worker or an auditor prints.
 *
 * A report is filled record by record and keeps no samples: of each channel so many columns of the chart, a line for
 * each day, statistics and gaps. So its memory depends on the length of the period in days and not on the number of
 * samples. It says facts; what they mean for a vaccine is not its matter.
 *
 * No part of libkryos: whoever links this has cairo too.
 */
#ifndef KRI_REPORT_H
#define KRI_REPORT_H

#include "../core/core.h"
#include <kryos/alarm.h>
#include <kryos/exposure.h>
#include <kryos/holdover.h>
#include <kryos/queue.h>

#define KRI_REPORT_COLUMNS 960
#define KRI_REPORT_MAX_CHANNELS 64
#define KRI_REPORT_MAX_GAPS 4096
#define KRI_REPORT_MAX_RULES 64
#define KRI_REPORT_MAX_PART 63
#define KRI_REPORT_DISTANCES 15

enum kri_language { KRI_LANGUAGE_EN, KRI_LANGUAGE_FR, KRI_LANGUAGE_ES, KRI_LANGUAGE_PT, KRI_LANGUAGE_COUNT };
enum kri_report_form { KRI_REPORT_PDF, KRI_REPORT_SVG, KRI_REPORT_HTML };

/* A rule that is known of a channel. */
struct kri_report_rule {
	const char *channel;
	struct kryos_rule rule;
};

struct kri_report_config {
	int64_t from_ns, to_ns; /* wall time; both are set */
	int64_t printed_ns;     /* when it is made; says "printed", and is the only date in the file */
	enum kri_language language;
	const char *zone;                    /* of the tz database; what kri_zone_use was given */
	const char *station;                 /* its name; "": as the device noted it */
	const char *profile;                 /* judges channels of temperature by it too; NULL: none */
	uint32_t vvm;                        /* vial monitors of which the age is estimated: bits 1 << enum kryos_vvm */
	const struct kri_report_rule *rules; /* of the station; outlive the report */
	size_t rule_count;
	const char *version;                             /* of the software that makes the report */
	bool (*wanted)(void *data, const char *channel); /* NULL: all channels, and a chart of temperatures only */
	void *wanted_data;
};

struct kri_span_of_time {
	int64_t from_ns, to_ns;
};

enum kri_gap_reason {
	KRI_GAP_NOTHING, /* nothing was stored, and nothing says why */
	KRI_GAP_BEFORE,  /* before the first sample of the channel */
	KRI_GAP_AFTER,
	KRI_GAP_QUALITY, /* it was measured and failed: quality */
	KRI_GAP_RESTART, /* the program, or the device, was not running */
	KRI_GAP_GIVEN_UP /* samples were taken, and are no longer in the store */
};

struct kri_report_gap {
	int64_t from_ns, to_ns; /* measurements on both sides of it */
	enum kri_gap_reason reason;
	unsigned int quality;
};

/* One column of a chart. */
struct kri_column {
	int64_t min_micro, max_micro;
	double sum;
	uint32_t count;
};

struct kri_report_day {
	int64_t from_ns; /* local midnight */
	int64_t min_micro, max_micro, min_ns, max_ns;
	int64_t above_ns, below_ns;
	int64_t unmeasured_ns; /* for which no value stands: a measurement is held for two intervals at most */
	uint32_t count;
};

struct kri_report_channel {
	char name[64], unit[16], place[64];
	bool is_temperature, is_contact, is_judged;
	bool is_wanted;      /* power is looked at for its losses all the same */
	bool is_of_vaccines; /* a temperature, and not of what is around them */
	int64_t interval_ns;
	struct kri_column *columns;  /* KRI_REPORT_COLUMNS */
	struct kri_report_day *days; /* report.day_count */
	struct kri_report_gap *gaps;
	size_t gap_count;
	uint64_t gaps_left_out;
	int64_t gap_ns;        /* all of them, from measurement to measurement */
	int64_t unmeasured_ns; /* as its days have it */

	uint64_t samples, measured, doubtful, failed, unsure; /* unsure: at a time that is not trusted */
	bool has_extremes;
	int64_t min_micro, max_micro, min_ns, max_ns;
	struct kryos_exposure *exposure;
	struct kryos_exposure_result result;
	struct kryos_holdover *holdover; /* NULL: not of vaccines, or no limits are known */

	/* The rules that are known of it, each once; the safe range between them. */
	struct kryos_rule rules[KRI_REPORT_MAX_RULES];
	char rule_names[KRI_REPORT_MAX_RULES][KRYOS_RULE_NAME_MAX];
	uint64_t rule_parts[KRI_REPORT_MAX_RULES]; /* bits 1 << part of the device's list; 1 << 0: from elsewhere */
	struct kri_span_of_time rule_times[KRI_REPORT_MAX_RULES]; /* in which each was in force */
	unsigned int rule_count;
	unsigned int rules_unknown; /* how many more were in force */
	bool rules_changed;         /* within the period */
	bool is_watched;            /* the device said by which rules, so the station file of now is not asked */
	int64_t watched_ns;         /* since then */
	bool has_low, has_high;
	int64_t low_micro, high_micro; /* thresholds */
	int64_t low_edge, high_edge;   /* values below, or above, are out of range */
	struct kryos_evaluator *evaluator;
	bool is_out_of_service; /* as of the last sample that was judged */

	char *calibration; /* as its event says; NULL: nothing is known */
	char *certificate;
	int64_t calibrated_ns, expires_ns;

	/* While samples are taken. */
	bool has_last, has_any, has_before;
	int64_t before_ns; /* of the newest measurement before the period, which may stand into it */
	int64_t distances_ns[KRI_REPORT_DISTANCES];
	unsigned int distance_at;
	int64_t last_ns, last_value_micro, last_seq; /* measured */
	int64_t last_any_ns;
	unsigned int last_failure;
};

struct kri_report_episode {
	char channel[64];
	const struct kri_report_channel *of; /* once finished; NULL: nothing else is known of it */
	struct kryos_episode episode;
	int64_t known_ns; /* open: until then its numbers are known; 0: only those that it began with */
	bool judged_here; /* by the profile that was asked for, not by the device */
	bool is_left_out;
	bool is_ended_here; /* by the samples: the device told no end */
	bool is_acknowledged;
	char by[32], comment[204];
	int64_t acknowledged_ns;

	/* While it is followed. */
	struct kryos_evaluator *evaluator; /* NULL: it is not */
	bool is_followed, is_contact, has_begun, is_triggered, is_found;
	int64_t out_ns; /* the newest reading that was out of limits all the same */
	bool is_over;   /* and one in range came then */
};

struct kri_report_change {
	int64_t t_ns, lasted_ns; /* how long the other state had; 0: not known */
	bool is_so;
};

struct kri_report_stretch {
	int64_t from_ns, to_ns;
	bool begin_unknown, end_unknown; /* it was so before perhaps, or longer: nobody saw it */
};

/* What a contact was, from its changes and measurements. */
struct kri_report_contact {
	char name[64];
	bool is_power;                    /* what is told is its absence, else that it is open */
	struct kri_report_stretch *spans; /* in which it was so; once finished, within the period */
	size_t count;
	int64_t total_ns, longest_ns;
	bool is_at_least; /* some of them had no beginning or end that is known */

	/* While samples are taken. */
	struct kri_report_change *changes;
	size_t change_count, change_at;
	bool is_so;       /* as it was seen last */
	int64_t known_ns; /* then; INT64_MIN: never yet */
	int64_t interval_ns;
};

/* What became of a channel while the supply was away. */
struct kri_report_loss {
	const struct kri_report_channel *channel;
	struct kryos_power_loss loss;
};

struct kri_report_retired {
	char channel[64], by[32], why[204];
	int64_t from_ns, to_ns; /* INT64_MAX: still */
};

struct kri_report_seal {
	int64_t number, last_seq; /* the number is its first seq */
	int64_t t_ns;             /* of its newest sample */
	char hash[65];
};

/* Wall time of that boot is t_boot and this. */
struct kri_report_offset {
	uint32_t boot;
	int64_t by_ns;
};

struct kri_report {
	struct kri_report_config config;
	char device[33], fingerprint[65], station[256]; /* "": not known */
	struct kri_report_channel **channels;           /* by name */
	size_t channel_count;
	size_t day_count;
	int64_t *day_starts; /* day_count + 1 */

	struct kri_report_episode *episodes;
	size_t episode_count;
	struct kri_report_contact *contacts;
	size_t contact_count;
	const struct kri_report_channel *supply; /* NULL: none is measured */
	struct kri_report_loss *losses;
	size_t loss_count;
	struct kri_report_retired *retired;
	size_t retired_count;
	struct kri_report_seal *seals;
	size_t seal_count;
	struct kri_report_seal event_seal; /* the newest over events, whose number is its last seq; 0: none */
	struct kri_span_of_time *given_up; /* seqs, both included */
	size_t given_up_count;
	int64_t *restarts;
	size_t restart_count;
	struct kri_report_offset *offsets;
	size_t offset_count;

	char *start, *start_version; /* of the newest start; NULL: none is known */
	char *test, test_by[32];     /* of the newest test: its outputs */
	int64_t start_ns, test_ns;
	uint64_t samples, damaged;
	uint64_t unplaced;           /* samples stored about then whose time is not trusted, and not of the period */
	int64_t first_seq, last_seq; /* of samples in the period */
	size_t looked_at;
};

/* report.c. The config's texts are borrowed. */
int kri_report_new(struct kri_report **ret_report, const struct kri_report_config *config);
void kri_report_free(struct kri_report *report);
/* array is the place of a pointer: room for one more behind count of that size. -ENOMEM. */
int kri_report_grow(void *array, size_t count, size_t size);
/* The channel of that name; made where there is none. unit and place "": not known. -ENOMEM; -E2BIG. */
int kri_report_channel(struct kri_report *report, const char *name, const char *unit, const char *place,
                       struct kri_report_channel **ret_channel);
struct kri_report_channel *kri_report_find(struct kri_report *report, const char *name);

/* events.c: all events first, in their order, from the store's beginning on. */
int kri_report_take_event(struct kri_report *report, const struct kryos_record *record);
/* What a station noted of a key of [station], in an event of its section; key: name, timezone, language or vvm. */
bool kri_report_noted(const char *text, const char *key, char *buffer, size_t size);
/* Episodes are told apart by channel, rule and start; one that is known takes on what is new. Returns its place. */
int kri_report_add_episode(struct kri_report *report, const char *channel, const struct kryos_episode *episode,
                           bool judged_here);

/* contacts.c: the contact of that name; made where there is none. NULL: no memory. */
struct kri_report_contact *kri_report_contact(struct kri_report *report, const char *name);
/* A change of one, which is the state that it has from now on: all of them before samples. */
int kri_report_take_state(struct kri_report *report, const struct kryos_record *record);
/* A measurement of one. */
int kri_report_see_contact(struct kri_report *report, const struct kri_report_channel *channel,
                           const struct kryos_sample *sample);
int kri_report_end_contact(struct kri_report *report, struct kri_report_contact *contact);

/* rules.c: a rule that is known of the channel. */
void kri_report_add_rule(struct kri_report_channel *channel, const struct kryos_rule *rule, const char *name);
/* Those of the station as it is now, and of alarms, as far as the device did not say all that were in force. */
void kri_report_add_rules(struct kri_report *report, struct kri_report_channel *channel);
/*
 * All rules that are in force from now on, as the monitor has them in events: "alarm CHANNEL" with "every=5min heat
 * kind=heat ..., ...", and "rules CHANNEL (2)" with what that had no room for.
 */
int kri_report_take_rules(struct kri_report *report, const struct kryos_record *record);
bool kri_rule_words_same(const struct kryos_rule *a, const struct kryos_rule *b);
/* Has the channel judged by the profile that was asked for, if it is one of its kind. */
int kri_report_judge_by(struct kri_report *report, struct kri_report_channel *channel);
int kri_report_judge(struct kri_report *report, struct kri_report_channel *channel, const struct kryos_sample *sample);
int kri_report_judge_end(struct kri_report *report, struct kri_report_channel *channel);

/* samples.c: then each channel is begun, with how often it is measured, and samples are taken in order of seq. */
int kri_report_begin(struct kri_report *report, struct kri_report_channel *channel, int64_t interval_ns);
/* Before them, those of a begun channel from before the period, in order of time. */
int kri_report_take_before(struct kri_report *report, struct kri_report_channel *channel,
                           const struct kryos_sample *sample);
/* Those outside of the period, and of channels that were not begun, are left out. */
int kri_report_take_sample(struct kri_report *report, const struct kryos_record *record);
int kri_report_end(struct kri_report *report, struct kri_report_channel *channel);
/* Of 1 to KRI_REPORT_DISTANCES. */
int64_t kri_median(const int64_t *distances, size_t count);

/* follow.c: what became of alarms of which no end was told. Begins with all of them: returns how many, and since when
 * samples of any time before the period's end are wanted, in order of seq. */
int kri_report_follow(struct kri_report *report, int64_t *ret_since_ns);
int kri_report_follow_sample(struct kri_report *report, const struct kryos_record *record);
int kri_report_follow_end(struct kri_report *report);
void kri_report_unfollow(struct kri_report_episode *at);
/* Of a finished report: whether it was still so at the end of the period, as far as there are samples to tell it. */
bool kri_goes_on(const struct kri_report *report, const struct kri_report_episode *at);
/* Whether any of it is known to be of the period; else it was told before, and nothing of it since. */
bool kri_reaches_in(const struct kri_report *report, const struct kri_report_episode *at);
/* Until when it is known to have been so; INT64_MAX: it goes on. */
int64_t kri_episode_until(const struct kri_report *report, const struct kri_report_episode *at);

/* losses.c: holdover of the channels, by the supply that was measured first. */
int kri_report_watch_supply(struct kri_report_channel *channel);
int kri_report_take_loss(struct kri_report *report, struct kri_report_channel *channel,
                         const struct kryos_sample *sample);
int kri_report_end_losses(struct kri_report *report);
/* Whether a channel of that name tells whether a supply is there. */
bool kri_is_supply(const char *channel);

/* finish.c: times of episodes that were stamped before the clock was set, as far as they became known. */
void kri_report_correct(struct kri_report *report);
/* Ends channels and contacts, and leaves what is of the period and the wanted channels, in order of time. */
int kri_report_finish(struct kri_report *report);

/* read.c: all of it from a store. Fills in from_ns and to_ns where they are 0 and INT64_MAX. */
int kri_report_read(struct kri_report **ret_report, struct kryos_ctx *ctx, const char *store,
                    struct kri_report_config *config);

/* The newest text of that event, as the store has it; "" where there is none. */
int kri_report_read_station(struct kryos_ctx *ctx, const char *store, char *text, size_t size);

/* zone.c: local time of this process. */
struct kri_local {
	int year, month, day, hour, minute, second, weekday;
	int offset_s; /* east of UTC */
};
/* -EINVAL: no such zone. For programs: TZ is the process's. */
int kri_zone_use(const char *zone);
void kri_local(int64_t t_wall_ns, struct kri_local *ret_local);
int64_t kri_local_midnight(int64_t t_wall_ns);  /* at or before it */
int64_t kri_next_midnight(int64_t midnight_ns); /* 23 to 25 h later */
/* The next change of the offset after t, not later than until; INT64_MAX: none. */
int64_t kri_zone_change(int64_t t_wall_ns, int64_t until_ns);
#define KRI_LOCAL_TEXT 48
char *kri_offset_text(int offset_s, char *buffer);                       /* "UTC+05:30" */
char *kri_local_text(int64_t t_wall_ns, bool with_offset, char *buffer); /* "2026-11-20 14:42" */
char *kri_local_date(int64_t t_wall_ns, char *buffer);

/* words.c */
enum kri_word {
#define WORD(name, en, fr, es, pt) KRI_WORD_##name,
#include "words.def"
#undef WORD
	KRI_WORD_COUNT
};
const char *kri_word(enum kri_language language, enum kri_word word);
const char *kri_language_code(enum kri_language language); /* NULL: no such number */
int kri_language_find(const char *code);                   /* -EINVAL lists them */
/* The word with {1} and {2} in it replaced. Returns buffer. */
char *kri_phrase(enum kri_language language, enum kri_word word, const char *one, const char *two, char *buffer,
                 size_t size);
/* A duration, in whole minutes from an hour on: "3 d 4 h 05 min", "1 h 05 min", "4 min 59 s". buffer of KRYOS_TEXT_MAX.
 */
char *kri_span_text(enum kri_language language, int64_t ns, char *buffer);
/* What kind of episode, what ended it, what was wrong with a measurement. */
const char *kri_kind_word(enum kri_language language, unsigned int kind);
const char *kri_end_word(enum kri_language language, unsigned int ended_by);
const char *kri_quality_word(enum kri_language language, unsigned int quality);
/* What a channel measures of, where it is one of the usual places; else as it is. */
const char *kri_place_word(enum kri_language language, const char *place);
/* "above 8 °C for 10 h" */
char *kri_rule_words(enum kri_language language, const struct kryos_rule *rule, const char *unit, char *buffer,
                     size_t size);

/* numbers.c: as few decimals as tell the value from every threshold that it is not equal to, at least decimals. */
char *kri_number_text(enum kri_language language, int64_t micro, int decimals, const int64_t *thresholds, size_t count,
                      char *buffer);
/* A value of the channel, told from the thresholds of its rules; with its unit. buffer of KRYOS_TEXT_MAX. */
char *kri_reading_text(enum kri_language language, const struct kri_report_channel *channel, int64_t micro,
                       char *buffer);
const char *kri_unit_text(const char *unit);

/* output.c: writes it beside path first, and renames. KRYOS_... */
int kri_report_write(const struct kri_report *report, enum kri_report_form form, const char *path);

#endif
