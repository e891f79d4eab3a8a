/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store promised, kept in memory beside it: each sample and event that was handed in, what the call said, what
 * each queue was lent, and what was acknowledged. Whatever the store serves is held against this; the first
 * contradiction is kept as a sentence. The model knows nothing of files: it is the promises, not the way to keep them.
 *
 *     waiting --announced--> accepted            a cut:    waiting -> unknown
 *     refused --next open--> unknown             a look:   unknown -> accepted | gone
 *
 * What a queue is lent from memory is still waiting: its id is for nothing else ever, but a cut may take it, and then
 * its seq may be given in another epoch.
 *
 * (A commit that failed may be on the disk all the same until one that succeeds hides it: kryos/store.h, append.)
 */
#ifndef KRI_TEST_MODEL_STORE_H
#define KRI_TEST_MODEL_STORE_H

#include <kryos/kryos.h>
#include <stdbool.h>

enum {
	MODEL_THINGS = 1200,
	MODEL_QUEUES = 3,
	MODEL_CLAIMS = 3000,
	MODEL_BOOTS = 64,
	MODEL_CHANNELS = 3,
	MODEL_STREAMS = 5
};
#define MODEL_MICRO                                                                                                    \
	1000003 /* a sample's value is its number times this: no other value was handed in; its alarm is its number */
#define MODEL_EVENT "model" /* the name of events that were handed in; the text is their number */

enum model_fate { MODEL_WAITING, MODEL_ACCEPTED, MODEL_REFUSED, MODEL_UNKNOWN, MODEL_GONE };

/* A sample or an event; its number is its place in the list, from 1. */
struct model_thing {
	bool event;
	bool keeps;                              /* a state was put with it */
	uint8_t fate;                            /* enum model_fate */
	bool maybe_there;                        /* refused, but rows may have reached the disk */
	bool removed;                            /* no longer on the device, and rightly so */
	uint8_t seen;                            /* by the look under way */
	uint8_t channel, quality, trust, stamps; /* stamps: 0 none given, 1 boot time, 2 wall time and trust too */
	uint32_t round;
	int64_t t_boot_ns, t_wall_ns;
	uint64_t epoch;
	int64_t seq; /* 0: not known */
	struct {
		uint8_t owed;   /* enum model_owed */
		bool lent;      /* in this session, and not settled */
		bool done;      /* acknowledged or rejected in this session */
		bool firm;      /* ... and committed: never again */
		bool delivered; /* ever: the far end has it */
		bool once;      /* the far end has had it, even if it is to be sent again */
		bool resent;    /* owed again, which is not committed yet */
	} queue[MODEL_QUEUES];
};
enum model_owed { MODEL_MUST, MODEL_MAY, MODEL_NOT };

struct model_claim {
	uint64_t epoch, what;
	int64_t seq;
	bool durable; /* it was seen on the disk too */
};

struct model_queue {
	bool made, unsure; /* unsure: making it failed, or was cut: it may be there */
	bool from_now;
	const char *channels; /* as its config's */
	/* Newest lent of events, live, backlog, and from memory events, samples: what comes next is newer. */
	int64_t last[MODEL_STREAMS];
};

struct model {
	int count; /* of things, the first is 1 */
	int claims;
	int kept; /* the thing that the state names, 0: none */
	struct model_queue queues[MODEL_QUEUES];
	bool damaged; /* files were: ids may be given anew in another epoch, delivery state may be older */
	bool synced_in[MODEL_BOOTS]; /* boots in which wall time was known at some time */
	char problem[400];
	struct model_thing things[MODEL_THINGS];
	struct model_claim claimed[MODEL_CLAIMS];
};

extern const char *const model_channels[MODEL_CHANNELS], *const model_units[MODEL_CHANNELS];

KRYOS_PRINTF(2, 3) void model_trouble(struct model *model, const char *format, ...);
/* Copies what is in use, for a cut that goes back before the step under way. */
void model_copy(struct model *to, const struct model *from);

/* Handing in: a sample as it will be given to the store (channel: an index of model_channels), or an event. */
int model_add(struct model *model, const struct kryos_sample *sample, int stamps);
int model_add_event(struct model *model);
/* The call's answer for the thing: accepted with an id, refused; hidden: whether a refused one can't be on the disk. */
void model_accepted(struct model *model, int number, uint64_t epoch, int64_t seq);
void model_refused(struct model *model, int number, bool maybe_there);
/* The sample of that number was accepted: what was refused before is hidden by it. */
void model_hide_refused(struct model *model, int number);

/* A record, served by a queue (0, ...) or a reader (-1). Returns the number of the thing it is, 0: one of the store's
 * own events. */
int model_served(struct model *model, const struct kryos_record *record, int queue);
void model_settled(struct model *model, int queue, int number);  /* acknowledged or rejected */
void model_released(struct model *model, int queue, int number); /* 0: all that is lent */
void model_resent(struct model *model, int queue, int64_t first, int64_t last);
void model_look_again(struct model *model, int queue, int64_t seq); /* what comes next may be as old as that */
void model_committed(struct model *model, int queue);
void model_queue_made(struct model *model, int queue);

/* The process ended; what was acknowledged and not committed may be owed again. */
void model_session_ended(struct model *model, bool committed);
/* The power went; before: what was so when the step that was cut began, or NULL if the cut was after it. */
void model_cut(struct model *model, struct model *before);

/* Files were changed behind the store's back; state: those with delivery state and events among them. */
void model_damaged(struct model *model, bool state);

/*
 * A look at all that is there: begin, serve each record of a reader, end. is_excused says whether a seq that is not
 * there any more may be missing (removed by retention or recorded as a gap); is_gap whether a gap of that queue or of
 * the store is recorded for it.
 */
struct model_excuses {
	bool (*is_removed)(void *data, bool event, int64_t seq);
	bool (*is_gap)(void *data, int queue, bool event, int64_t seq);
	void *data;
};
/* Whether it is to be learned what became of something. */
bool model_is_unsure(const struct model *model);
void model_look_begin(struct model *model);
void model_look_end(struct model *model, const struct model_excuses *excuses);
/* All was drained: whatever a queue must have had, it has had. */
void model_check_delivered(struct model *model, const struct model_excuses *excuses);
/* How many things a queue surely still owes. */
int model_owed(const struct model *model, int queue);

#endif
