/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relay: queue -> codec -> transport, on a worker of its own.
 *
 * Sends what its queue owes over MQTT, encrypted except on loopback, rate-limited, events first,
 * live samples with a share of the rate, backlog in order; acknowledges only what the receiver
 * acknowledged. A lost link costs nothing but time: full-jitter back-off, reset only after the link
 * was stable. What can never be accepted becomes a dead letter and blocks nothing. Several relays
 * run side by side. News comes as events of the context; nothing here waits for a network.
 */
#ifndef KRYOS_RELAY_H
#define KRYOS_RELAY_H

#include <kryos/base.h>
#include <kryos/ctx.h>

KRYOS_BEGIN

struct kryos_store;
struct kryos_relay;
struct kryos_task;

/* Strings are copied. Where a default stands, 0 or NULL means it. */
struct kryos_relay_config {
	uint32_t size;
	uint32_t mqtt_version;           /* 311 or 5; 0: 311 */
	const char *url;                 /* mqtts://host[:port] (8883), mqtt://127.0.0.1[:port] (1883, loopback only) */
	const char *client_id;           /* NULL: the device's id. 1 to 128 bytes */
	const char *username, *password; /* NULL: none */
	const char *ca;                  /* PEM file that the server is checked against; required for mqtts */
	const char *cert, *key;          /* PEM files for mutual TLS; both or none */
	const char *alpn;                /* e.g. "x-amzn-mqtt-ca" on port 443; NULL: none */
	const char *topic;     /* NULL: "kryos/{device}". Samples go to <topic>/sample, events to <topic>/event,
	                          state ("online", "offline" as last will, retained) to <topic>/state */
	const char *channels;  /* as in struct kryos_queue_config */
	const char *codec;     /* NULL: "senml" */
	double rate;           /* records per second; 0: 20. 0.01 to 100 */
	uint32_t burst;        /* 0: 100. 1 to 1000 */
	uint32_t live_percent; /* share of the rate kept for live samples; 0: 20. 1 to 90 */
	uint32_t inflight;     /* sent and not acknowledged; 0: 16. 1 to 100 */
	uint32_t max_payload;  /* bytes; larger records become dead letters; 0: 131072 */
	int64_t keepalive_ns;  /* 0: 60 s. 5 s to 20 min. After 1.5 of it in silence the link is given up */
	int64_t backoff_min_ns, backoff_max_ns; /* 0: 1 s, 5 min */
	int64_t stable_ns;                      /* a link this old resets the back-off; 0: 60 s */
	int64_t ack_timeout_ns;                 /* an acknowledgement that takes longer costs the link; 0: 30 s */
	int64_t connect_timeout_ns;             /* name resolution, and connect with TLS, each; 0: 20 s */
	struct kryos_task *task;                /* proves progress of the worker; NULL: none */
};
#define KRYOS_RELAY_CONFIG(...) KRYOS_CONFIG_OF(kryos_relay_config, __VA_ARGS__)

/*
 * Starts a relay called name, which is also its queue's name. Fails only on what no time will mend:
 * -EINVAL and KRYOS_ECONFIG (the text names field and what is allowed: a malformed url, mqtt:// to
 * another machine, an unreadable file, an illegal topic), -EBUSY (the queue is in use). Does not
 * wait for the network.
 */
KRYOS_API int kryos_relay_open(struct kryos_relay **ret_relay, struct kryos_store *store, const char *name,
                               const struct kryos_relay_config *config);

/* Stops and closes its queue. NULL is allowed. Waits at most 2 s; a worker that hangs is left to end by itself. */
KRYOS_EXPORT void kryos_relay_close(struct kryos_relay *relay);

enum kryos_link {
	KRYOS_LINK_DOWN = 0, /* waiting for the next try */
	KRYOS_LINK_CONNECTING = 1,
	KRYOS_LINK_UP = 2,
	KRYOS_LINK_WAITING = 3 /* for the clock to be set */
};

struct kryos_relay_status {
	uint32_t size;
	enum kryos_link link;
	uint64_t sent, acked, rejected; /* records since open */
	uint64_t connects, failures;
	int64_t retry_ns;         /* until the next try, 0 while up */
	int64_t last_ack_boot_ns; /* 0: never */
	uint32_t inflight;
	int error;      /* of the last failed try, 0 after a success */
	char text[200]; /* its sentence */
	int64_t owed;   /* records of its queue not acknowledged (kryos/queue.h) */
};
/* Fill size. Does not block. */
KRYOS_API int kryos_relay_get_status(struct kryos_relay *relay, struct kryos_relay_status *ret_status);

KRYOS_END
#endif
