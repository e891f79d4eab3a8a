/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link: the state machine between a queue and a transport. It has no thread and no clock: whoever
 * drives it says what time it is, and is told when it wants to run next (or sooner, when its port
 * has news or the queue has records).
 *
 *              resolve ok               UP                  stop
 *     IDLE ---------------> CONNECTING ------> UP --------------> LEAVING --> DONE
 *      ^  \-> RESOLVING --/     |              |                     |
 *      |         |              | DOWN, limit  | DOWN, ack limit     | "offline" arrived, limit
 *      +---------+--------------+--------------+  after a back-off
 */
#ifndef KRI_LINK_H
#define KRI_LINK_H

#include "relay.h"

#define KRI_INFLIGHT_MAX 100
#define KRI_SUSPECTS_MAX KRI_INFLIGHT_MAX
#define KRI_POISON_TRIALS 5
#define KRI_POISON_MOMENT KRYOS_SECONDS(2)

/* What the machine is connected to; tests put their own here. */
struct kri_link_env {
	void *data;
	/* As kryos_queue_*. */
	int (*next)(void *data, unsigned int streams, const struct kryos_record **ret_record);
	int (*ack)(void *data, int64_t seq);
	int (*reject)(void *data, int64_t seq, const char *reason);
	int (*release)(void *data, int64_t seq);
	int (*release_all)(void *data);
	int (*set_live)(void *data);
	/* Begins a look-up of the host, which is reported to the port as KRI_NEWS_RESOLVED. */
	int (*resolve)(void *data, int64_t token);
	unsigned int (*trust)(void *data); /* of the clock, enum kryos_trust */
	/* The link came up (code 0), or is down for this reason. Only on change. */
	void (*announce)(void *data, bool up, int code, const char *text);
};

struct kri_link_config {
	int64_t rate; /* records per 1000 s */
	unsigned int burst, live_percent, inflight;
	size_t max_payload;
	int64_t backoff_min_ns, backoff_max_ns, stable_ns, ack_timeout_ns, connect_timeout_ns;
	const char *client_id;
	char sample_topic[KRI_TOPIC_MAX + 1], event_topic[KRI_TOPIC_MAX + 1], state_topic[KRI_TOPIC_MAX + 1];
	uint64_t seed;
};

enum kri_link_state {
	KRI_LINK_IDLE,
	KRI_LINK_RESOLVING,
	KRI_LINK_CONNECTING,
	KRI_LINK_UP,
	KRI_LINK_LEAVING,
	KRI_LINK_DONE
};

/* Sent and not acknowledged. */
struct kri_sent {
	int64_t token, seq; /* seq 0: "online" or "offline" */
	int64_t sent_ns;
	bool event;
};

/*
 * poison.c: a record that breaks each link it is sent on (a broker that closes over it) must not
 * block the queue for ever; a broker that flaps must never cost a good record. So a record is only
 * condemned by trial:
 *
 * - Suspicion. A record that was unacknowledged at two link losses in a row, each within
 *   KRI_POISON_MOMENT of the last record sent, or by its acknowledgement's timeout, is a suspect.
 *   While there are suspects one record is in flight at a time.
 * - Trial number n (from 0) of a suspect: n + 1 controls ("online" once more) are sent one after
 *   another, each acknowledged, each followed by a pause of random length during which the link
 *   stays up; then the suspect, alone. Acknowledged: acquitted, for good. Link lost within the
 *   moment, or no acknowledgement: the trial counts.
 * - Five trials in a row that count: a dead letter. Any loss that fits otherwise (during a control
 *   or a pause, of another record, later than the moment) says that the link breaks without the
 *   suspect's help, and sets every suspect's count to 0.
 *
 * A broker that dies after a fixed time is caught by the random pauses, one that allows a fixed
 * number of messages by the growing number of controls, one that stops acknowledging by the
 * controls themselves.
 */
struct kri_suspect {
	int64_t seq;
	bool event;
	unsigned int losses; /* in a row, before the trials */
	unsigned int trials; /* in a row that count */
};
enum kri_verdict { KRI_WAIT, KRI_SEND_CONTROL, KRI_SEND_RECORD };
struct kri_poison {
	struct kri_suspect suspects[KRI_SUSPECTS_MAX];
	unsigned int count;
	int64_t on_trial;      /* seq; 0: none */
	unsigned int controls; /* still to be sent */
	bool sent;             /* the suspect itself is in flight */
	int64_t pause_until;
	uint64_t seed;
};
/* Is one record at a time to be sent? */
bool kri_poison_careful(const struct kri_poison *poison);
/* A record is about to be sent: may it, or does its trial want something first? Updates what is known to be gone. */
enum kri_verdict kri_poison_ask(struct kri_poison *poison, const struct kryos_record *record, int64_t now);
void kri_poison_control_acked(struct kri_poison *poison, int64_t now);
void kri_poison_sent(struct kri_poison *poison, int64_t seq);
/* It was acknowledged, rejected, or is no longer there. */
void kri_poison_clear(struct kri_poison *poison, int64_t seq);
void kri_poison_clear_all(struct kri_poison *poison);
/*
 * The link was lost with these in flight. near: within the moment of the last one sent, or by an
 * acknowledgement's timeout or refusal. Returns the seq of the record that is condemned, or 0.
 */
int64_t kri_poison_lost(struct kri_poison *poison, const struct kri_sent *sent, unsigned int count, bool near);

struct kri_link {
	struct kri_link_env env;
	struct kri_link_config config;
	const struct kryos_codec *codec;
	const struct kryos_transport_driver *transport;
	void *priv, *userdata;
	const struct kryos_relay_config *relay_config; /* for the transport's open */
	struct kryos_link_port *port;
	bool opened;

	enum kri_link_state state;
	bool waiting;  /* for the clock */
	int announced; /* 0: nothing yet, 1: up, 2: down, 3: down for want of the time, which is told on its own */
	int64_t token, lookup;
	int64_t retry_ns, deadline_ns, up_ns, last_sent_ns, hold_ns, recheck_ns, trusted_ns, gone_ns;
	bool stable;
	bool busy;        /* hold_ns is the transport's "not now": an acknowledgement may end it */
	unsigned int dry; /* streams that gave nothing since the last poke */
	unsigned int takeovers;
	struct kri_backoff backoff;
	struct kri_bucket bucket;
	struct kri_poison poison;
	struct kri_sent sent[KRI_INFLIGHT_MAX + 4];
	unsigned int sent_count;
	char *buffer;
	size_t capacity;

	uint64_t sent_total, acked_total, rejected_total, connects, failures;
	int64_t last_ack_ns;
	int error;
	char text[200];
};

/* codec, transport, env, config, relay_config, port, priv and userdata are set before by the caller. */
void kri_link_init(struct kri_link *link, int64_t now);
/* Frees what the machine allocated; closes the transport. */
void kri_link_fini(struct kri_link *link);
/* The queue may have records. */
void kri_link_poke(struct kri_link *link);
/* Moves on as far as it goes without waiting; returns when it wants to run again at the latest. */
int64_t kri_link_step(struct kri_link *link, int64_t now);
/* Begins to leave: says "offline", then is DONE. */
void kri_link_stop(struct kri_link *link, int64_t now);
enum kryos_link kri_link_public(const struct kri_link *link);

#endif
