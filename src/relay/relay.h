/* SPDX-License-Identifier: Apache-2.0 */
/* Relay, inside: the small parts that its state machine (link.h) and its drivers are made of. */
#ifndef KRI_RELAY_H
#define KRI_RELAY_H

#include "../core/core.h"
#include <kryos/queue.h>
#include <kryos/relay.h>
#include <kryos/sys/codec.h>
#include <kryos/sys/transport.h>

/* url.c. "scheme://host[:port]" and nothing else: no user, path or query. */
struct kri_url {
	char scheme[16];
	char host[256]; /* without the brackets of an IPv6 address */
	uint16_t port;  /* 0: none was given */
	bool numeric;   /* an address, not a name */
	bool v6;
	bool loopback; /* 127.0.0.0/8, ::1 or "localhost" */
};
/* KRYOS_ECONFIG with a sentence that names field. */
int kri_url_parse(struct kri_url *ret_url, const char *field, const char *text);

/* topic.c. AWS IoT Core's limits, which everybody else's are above: 256 bytes, 7 slashes. */
#define KRI_TOPIC_MAX 256
#define KRI_TOPIC_SLASHES 7
/* May topic be published to? KRYOS_ECONFIG with a sentence that names field. */
int kri_topic_check(const char *field, const char *topic);
/* Writes pattern with {device} replaced, then "/" and leaf, checked. buffer of KRI_TOPIC_MAX + 1. */
int kri_topic_make(char *buffer, const char *field, const char *pattern, const char *device, const char *leaf);

/* backoff.c: full jitter, rand(0, min(cap, base * 2^n)) (AWS architecture blog, "Exponential Backoff And Jitter"). */
struct kri_backoff {
	int64_t base_ns, cap_ns;
	unsigned int n;
	uint64_t seed;
};
void kri_backoff_init(struct kri_backoff *backoff, int64_t base_ns, int64_t cap_ns, uint64_t seed);
int64_t kri_backoff_next(struct kri_backoff *backoff);
void kri_backoff_reset(struct kri_backoff *backoff);
uint64_t kri_jitter(uint64_t *seed); /* splitmix64: for jitter, never for secrets */

/*
 * bucket.c: a token bucket in two shares. Live samples draw on theirs, backlog on the rest, so that
 * neither starves the other; what one share cannot hold any more flows into the other. In exact
 * integers: rates are records per 1000 s.
 */
struct kri_bucket {
	int64_t rate, live_percent;
	int64_t credit[2], capacity[2]; /* enum kri_share */
	int64_t last_ns;
};
enum kri_share { KRI_SHARE_LIVE, KRI_SHARE_REST };
void kri_bucket_init(struct kri_bucket *bucket, int64_t rate, unsigned int burst, unsigned int live_percent,
                     int64_t now);
void kri_bucket_fill(struct kri_bucket *bucket, int64_t now);
bool kri_bucket_has(const struct kri_bucket *bucket, enum kri_share share);
void kri_bucket_take(struct kri_bucket *bucket, enum kri_share share);
/* How long until share has a token, if nothing is taken; at least 1. */
int64_t kri_bucket_wait(const struct kri_bucket *bucket, enum kri_share share);

/* port.c: the mailbox that reports fall into. Any thread posts, the relay's worker takes. */
#define KRI_PORT_MAX 256
#define KRI_NEWS_RESOLVED 100 /* by resolve.c: token is the look-up's number */
#define KRI_REPORT_TLS 1      /* token of a DOWN: the other side's certificate was not accepted */
struct kri_report {
	int news; /* enum kryos_transport_news or KRI_NEWS_RESOLVED */
	int code;
	int64_t token;
	char *text; /* the taker frees it; may be NULL */
};
struct kryos_link_port;
int kri_port_new(struct kryos_link_port **ret_port);
struct kryos_link_port *kri_port_ref(struct kryos_link_port *port);
void kri_port_unref(struct kryos_link_port *port);
bool kri_port_take(struct kryos_link_port *port, struct kri_report *ret_report);
/* Forgets what was reported: the connection it was about is gone. Look-ups stay. */
void kri_port_clear(struct kryos_link_port *port);
/* Wakes whoever waits, without news: the queue has records, or the relay is to stop. */
void kri_port_poke(struct kryos_link_port *port);
/* Waits for news or a poke, at most timeout_ns (< 0: no limit); true if poked since the last call. */
bool kri_port_wait(struct kryos_link_port *port, int64_t timeout_ns);
/* Nothing is taken in any more. */
void kri_port_close(struct kryos_link_port *port);

/*
 * resolve.c: looks host up on a thread of its own, which may hang for as long as it likes: it
 * holds only port, and reports KRI_NEWS_RESOLVED. At most 4 look-ups hang at a time; then
 * further ones wait for one of them.
 */
struct kri_resolver;
int kri_resolver_new(struct kri_resolver **ret_resolver, struct kryos_ctx *ctx, struct kryos_link_port *port,
                     const char *host, bool numeric, int64_t timeout_ns);
void kri_resolver_free(struct kri_resolver *resolver); /* NULL is allowed; does not wait */
/* Begins a look-up, which is reported with this token. */
int kri_resolver_start(struct kri_resolver *resolver, int64_t token);

/* relay.c: the queue it empties; lives as long as the relay. */
struct kryos_queue *kri_relay_get_queue(struct kryos_relay *relay);

#endif
