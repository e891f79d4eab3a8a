/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Monitor, for src/monitor only.
 *
 *     monitor.c   the public calls around it, the way of one sample
 *     due.c       when the duration of a rule is reached between two samples
 *     watch.c     which channels are watched, by which rules
 *     news.c      what is to be said: to the context at once, to the store together with the state
 *     state.c     the state of a channel as bytes
 *     exposure.c  what the temperature did so far
 *     replay.c    judging what the store holds
 *     announced.c what stored events say is open, and since when it is retired
 *     people.c    acknowledging, retiring
 *     visit.c     a look at what is kept, where no station runs
 *
 * Context thread only.
 */
#ifndef KRI_MONITOR_PRIVATE_H
#define KRI_MONITOR_PRIVATE_H

#include "../store/store.h"
#include "monitor.h"
#include <kryos/history.h>

#define KRI_MONITOR_MAX_RULES 32
#define KRI_MONITOR_MAX_ENDED 16 /* episodes of a channel that ended and nobody acknowledged */
#define KRI_MONITOR_MAX_NEWS 128 /* of a channel, that wait for the store: it takes 256 in all */
#define KRI_WHO_MAX 32
#define KRI_COMMENT_MAX 201
#define KRI_RETIRED_TEXT (KRI_WHO_MAX + KRI_COMMENT_MAX + 16)
#define KRI_NOTED_ALARM "alarm " /* and the channel: the name by which the store knows its rules (kri_store_note) */

/* An episode that is open, or that ended and nobody acknowledged. */
struct kri_alarm {
	struct kri_alarm *next; /* the newer */
	struct kryos_episode episode;
	bool acknowledged;
	char by[KRI_WHO_MAX], comment[KRI_COMMENT_MAX];
	struct kryos_instant at;
};

/* An event on its way to the store. */
struct kri_news {
	struct kri_news *next;
	enum kryos_event_type type;
	struct kryos_sample sample;     /* where none decided: only its time, which is when it was said */
	char rule[KRYOS_RULE_NAME_MAX]; /* of an episode, and its trigger: of a rule no other one has it */
	struct kryos_instant trigger;
	char text[];
};

/* An episode as a stored event tells it. */
struct kri_announced {
	struct kri_announced *next;
	struct kryos_episode episode;
};

/* Somebody retired the channel, or resumed it. */
struct kri_retirement {
	struct kri_retirement *next; /* the newer */
	bool retired;
	char by[KRI_WHO_MAX], why[KRI_COMMENT_MAX];
	struct kryos_instant at;
};

struct kri_watched {
	struct kri_watched *next;
	struct kryos_monitor *monitor;
	uint32_t channel;
	char name[64], unit[16];

	struct kryos_evaluator *evaluator;
	struct kryos_history *history;                  /* NULL: it is no temperature */
	struct kryos_rule rules[KRI_MONITOR_MAX_RULES]; /* as they were given */
	char rule_names[KRI_MONITOR_MAX_RULES][KRYOS_RULE_NAME_MAX];
	uint32_t rule_count;
	int64_t interval_ns, record_ns;
	char *noted; /* the rules as texts, an empty one at last, until the store knows them; NULL: it does */
	char who[KRI_WHO_MAX];

	uint32_t open; /* as in kryos_sample.alarm */
	bool has_judged;
	struct kryos_instant judged; /* up to here everything was judged, or is not to be */
	struct kryos_sample state;   /* the newest that was judged */
	bool lasts;                  /* the channel has two of them, and is in this one until it changes */
	struct kryos_sample aside;   /* found another state, and waits for the change to be told */
	bool has_aside;
	int64_t debounce_ns; /* a change is told so much later; 0: none is told, it is only measured */
	struct kri_timer due;
	int64_t replayed_seq; /* while what is stored is judged: up to here; 0: as the store says */

	bool retired;
	char retired_by[KRI_WHO_MAX], retired_why[KRI_COMMENT_MAX];
	struct kryos_instant retired_at;

	struct kri_alarm *alarms;
	uint32_t older; /* that gave way to newer ones, until somebody acknowledges them */
	struct kri_news *news, **news_tail;
	unsigned int news_count;
	unsigned int untold; /* episodes whose news found no place */

	bool changed; /* since it was kept */
	int64_t kept_ns;
	bool quiet;                      /* what is judged was lived through before: only what is still open is told */
	struct kri_announced *announced; /* while what is stored is judged */
	struct kri_retirement *retirements; /* ... those that are to come in it, the oldest first */
	bool visited;                       /* as it is kept; nothing is stored by looking at it */
	bool said;                          /* ... and somebody has said something of it */
	bool unjudged;                      /* ... which is without the evaluator's part */
	char unread[200];                   /* ... why there is no state of it; "": there is */
	bool leaving;                       /* watched no more: what is left of it is its news */
};

struct kryos_monitor {
	struct kri_object object;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	uint32_t boot;
	struct kri_watched *channels;
	struct kri_watched **by_number; /* by the context's channel number */
	uint32_t number_count;
	char **known; /* channels that the store has a state of */
	size_t known_count;
	int64_t patient_at_ns;  /* a disk that did not answer is not waited for again before (real time) */
	struct kri_timer timer; /* what the store did not take is tried again */
};

/* monitor.c */
struct kri_watched *kri_monitor_find(const struct kryos_monitor *monitor, const char *channel);
int kri_monitor_check(const struct kryos_monitor *monitor);
/* Judges a sample whose boot is its own, and before it what is due by then. */
int kri_watched_judge(struct kri_watched *watched, const struct kryos_sample *sample);
int kri_watched_judge_one(struct kri_watched *watched, const struct kryos_sample *sample);
/* After that, of what is judged as it happens: what is to be kept, and what is due next. Returns r, which is logged. */
int kri_watched_taken(struct kri_watched *watched, int r);
/*
 * Judges a change to the state of the sample. Where it is known how long the other one lasted that is judged at the
 * same time first: it held until then, and not only until the round before.
 */
int kri_watched_judge_change(struct kri_watched *watched, const struct kryos_sample *sample, int64_t lasted_ns);
/* Within a boot. What another boot stamped is as the evaluator takes it. */
bool kri_watched_is_older(const struct kri_watched *watched, const struct kryos_sample *sample);
/* Stamped as the newest that was judged. */
void kri_watched_put_last(const struct kri_watched *watched, struct kryos_sample *sample);
/* Takes what the evaluator has to say; sample (NULL: none) decided it. */
void kri_watched_drain(struct kri_watched *watched, const struct kryos_sample *sample);
/* What was found is what was told: the episode, and the evaluator's, which is it while open, are as that began. */
void kri_watched_adopt(struct kri_watched *watched, struct kryos_episode *found, const struct kryos_episode *told);
/* Waits until what the store was given is on the disk, at most 2 s. */
void kri_monitor_flush(struct kryos_monitor *monitor);
bool kri_instant_is_before(const struct kryos_instant *one, const struct kryos_instant *other);
bool kri_instant_is_same(const struct kryos_instant *one, const struct kryos_instant *other);
struct kryos_instant kri_instant_of(const struct kryos_sample *sample);
struct kryos_instant kri_monitor_now(struct kryos_monitor *monitor);

/* due.c */
/* From this sample on, which was judged. */
void kri_watched_hold(struct kri_watched *watched, const struct kryos_sample *sample);
/* What lasted when the state was kept does from the newest sample on that it knows, if that was judged. */
void kri_watched_hold_kept(struct kri_watched *watched);
/* What the state that lasts makes due until then. */
int kri_watched_judge_due(struct kri_watched *watched, const struct kryos_instant *until);
/* For the next that is due there is a timer. */
void kri_watched_await(struct kri_watched *watched);
void kri_watched_on_due(struct kri_timer *timer);

/* watch.c */
int kri_watched_new(struct kryos_monitor *monitor, const char *channel, struct kri_watched **ret_watched);
void kri_watched_free(struct kri_watched *watched);
/* What is in force goes to the store, if it does not know it yet. */
void kri_watched_note(struct kri_watched *watched);
bool kri_monitor_is_leaving(const struct kryos_monitor *monitor, const char *channel);
/* Those that are watched no more, and of which all is stored, are gone. */
void kri_monitor_drop_left(struct kryos_monitor *monitor);

/* visit.c: the rules, the evaluator and the history are as the bytes of both have them. */
int kri_visited_restore(struct kri_watched *watched, const char *bytes, size_t judged, size_t exposed);

/* exposure.c */

/* A history of the channel as its rules are, if it is a temperature. -ENOMEM. */
int kri_watched_new_history(struct kri_watched *watched, const char *unit);
/* Unless it took the sample before. */
void kri_watched_remember(struct kri_watched *watched, const struct kryos_sample *sample);
/* The newest sample that it took; false: it took none, or there is no history. */
bool kri_watched_get_remembered(const struct kri_watched *watched, struct kryos_instant *ret_at);
/* Goes on from saved bytes; where they are of no use it begins anew, and that is logged. */
void kri_watched_restore_history(struct kri_watched *watched, const void *bytes, size_t count);

/* news.c */
/* Whether there is place for what a person says besides all that rules may. -EAGAIN with a sentence. */
int kri_news_check(const struct kri_watched *watched);
void kri_news_add(struct kri_watched *watched, enum kryos_event_type type, const struct kryos_episode *episode,
                  const struct kryos_sample *sample, const char *text);
void kri_news_tell(struct kri_watched *watched, const struct kryos_episode *episode, const struct kryos_sample *sample);
/* State and news go to the store; where it does not take them they are tried again. Whether it took them. */
bool kri_watched_keep(struct kri_watched *watched);
/* Once in a while also without news. */
void kri_watched_keep_sometimes(struct kri_watched *watched);
void kri_news_free(struct kri_watched *watched);
/* What the store did not take is tried again. */
void kri_monitor_arm(struct kryos_monitor *monitor);
void kri_monitor_try_again(struct kri_timer *timer);

/* state.c: keys of the store's state, and what is kept by them. */
int kri_watched_put_state(struct kri_watched *watched, const struct kryos_event *events, size_t count);
/* Takes over what was kept. -ENOENT: nothing was; KRYOS_ECORRUPT. *ret_judged: with the evaluator's part. */
int kri_watched_get_state(struct kri_watched *watched, int64_t *ret_seq, bool *ret_judged);
/* The list of known channels. */
int kri_known_get(struct kryos_monitor *monitor);
int kri_known_add(struct kryos_monitor *monitor, const char *channel);
void kri_known_remove(struct kryos_monitor *monitor, const char *channel);
bool kri_known_has(const struct kryos_monitor *monitor, const char *channel);
void kri_known_free(struct kryos_monitor *monitor);

/* replay.c: judges what is stored of the channel after that seq, or where nothing is known of it the newest ten days
 * stored. < 0: not all of it, which is logged. */
int kri_watched_replay(struct kri_watched *watched, int64_t after_seq);
void kri_watched_replay_lost(struct kri_watched *watched);
/* The reader's next, of which that is one; where it is busy for up to a second. */
int kri_stored_next(struct kryos_reader *reader, int (*next)(struct kryos_reader *, const struct kryos_record **),
                    const struct kryos_record **ret_record);

/* announced.c: what was told of the channel already, by the stored events, while samples are judged again. */

/*
 * From where the reader is: all, or only what is open, where the state is lost. And who retired the channel, and
 * resumed it: then what is left of the state is one of these, and the channel not retired before them. The reader's
 * result, or -ENOMEM.
 */
int kri_announced_load(struct kri_watched *watched, struct kryos_reader *reader, bool only_open);
/* The oldest retirement that is before that instant (NULL: whenever), taken out; free() it. NULL: there is none. */
struct kri_retirement *kri_retirements_take(struct kri_watched *watched, const struct kryos_instant *until);
/*
 * The first of that rule (NULL: of any), taken out; free() it. NULL: there is none, or it began to be one after that
 * instant (NULL: whenever).
 */
struct kri_announced *kri_announced_take(struct kri_watched *watched, const char *rule,
                                         const struct kryos_instant *until);
/*
 * The beginning that was told of this episode, taken out; free() it. Where it begins by the rows of periods that may be
 * up to a period and an interval off.
 */
struct kri_announced *kri_announced_take_begun(struct kri_watched *watched, const struct kryos_episode *episode);
/* Whether the end of this one was told, for that reason (KRYOS_EPISODE_OPEN: for any). */
bool kri_announced_has_end(const struct kri_watched *watched, const struct kryos_episode *episode,
                           enum kryos_episode_end why);
/* When the earliest began, by wall time, or otherwise. */
int64_t kri_announced_since(const struct kri_watched *watched, int64_t otherwise);
void kri_announced_free(struct kri_watched *watched);

/* people.c */
/* An episode has begun or ended; told: it was said. */
void kri_alarms_take(struct kri_watched *watched, const struct kryos_episode *episode, bool told);
/* The place of the open one of that rule, or of the end of the list. */
struct kri_alarm **kri_alarms_find_open(struct kri_watched *watched, const char *rule);
void kri_alarms_free(struct kri_watched *watched);
/* The channel is retired by what was said then, or resumed, if it was not before. */
void kri_watched_retire(struct kri_watched *watched, const struct kri_retirement *retirement);
/* By the text of its event the open one that it names was acknowledged at that instant. */
void kri_acknowledged_take(struct kri_watched *watched, const char *text, const struct kryos_instant *at);

#endif
