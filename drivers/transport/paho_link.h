/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection through Paho, from the side of its callbacks. They run on Paho's threads under its
 * process-wide mutex, only report, and never call Paho.
 */
#ifndef KRI_PAHO_LINK_H
#define KRI_PAHO_LINK_H

#include "relay/relay.h"
#include <MQTTAsync.h>

#define KRI_PAHO_SLOTS_EXTRA 8 /* beside the window: "online", "offline", controls */
#define KRI_PAHO_TEXT_MAX 200

struct kri_paho_link;

/* One message under way: what Paho's callbacks are given. */
struct kri_paho_slot {
	struct kri_paho_link *link;
	int64_t token;
	atomic_bool busy;
};

/* Outlives its client object while an explanation is being looked for. */
struct kri_paho_link {
	atomic_int refs;
	pthread_mutex_t lock;
	struct kryos_link_port *port;
	bool dead; /* under lock: nothing is reported any more */
	bool down; /* under lock: and this was */
	char host[256], client_id[129];
	char *ca, *cert, *key, *alpn;
	uint16_t port_number;
	bool tls;
	/* What a broker of MQTT 5 said it takes at most (3.2.2.3.3 and .6); before UP is reported. */
	atomic_uint receive_max, packet_max;
	char tls_error[KRI_PAHO_TEXT_MAX]; /* by Paho's thread, before the explanation's is started */
	unsigned int slot_count;
	struct kri_paho_slot slots[];
};

/* NULL: out of memory. */
struct kri_paho_link *kri_paho_link_new(const struct kryos_relay_config *config, const struct kri_url *url,
                                        struct kryos_link_port *port);
/* From here on nothing is reported. NULL is allowed. */
void kri_paho_link_end(struct kri_paho_link *link);
void kri_paho_link_unref(struct kri_paho_link *link);

/* Which callbacks a client, a connect and a message have. The first returns Paho's code. */
int kri_paho_link_attach(struct kri_paho_link *link, MQTTAsync client);
void kri_paho_link_connects(struct kri_paho_link *link, bool v5, MQTTAsync_connectOptions *options,
                            MQTTAsync_SSLOptions *ssl);
/* NULL: all are under way, or so many as most. */
struct kri_paho_slot *kri_paho_slot_take(struct kri_paho_link *link, int64_t token, bool v5, unsigned int most,
                                         MQTTAsync_responseOptions *response);

#endif
