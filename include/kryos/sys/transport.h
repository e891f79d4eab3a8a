/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport: moves messages of one relay and says which arrived. All slots are called on the
 * relay's worker. None waits for a network: connect and publish begin something whose outcome is
 * reported later, from any thread, with kryos_transport_report(). A slot that blocks all the same
 * (a library's global lock) delays that relay only.
 *
 *     open -> connect -> report UP -> publish* -> report ACKED / REFUSED ...
 *                     -> report DOWN -> disconnect -> connect ...           -> close
 */
#ifndef KRYOS_SYS_TRANSPORT_H
#define KRYOS_SYS_TRANSPORT_H

#include <kryos/base.h>
#include <kryos/relay.h>

KRYOS_BEGIN

struct kryos_ctx;
struct kryos_link_port; /* where reports go; made by the relay, lives until close has returned */

enum kryos_transport_news {
	KRYOS_TRANSPORT_UP = 1,      /* connected */
	KRYOS_TRANSPORT_DOWN = 2,    /* lost or could not connect: code and text say why; token 1: over a certificate */
	KRYOS_TRANSPORT_ACKED = 3,   /* token arrived for good */
	KRYOS_TRANSPORT_REFUSED = 4, /* the receiver will never take token: text says why */
	KRYOS_TRANSPORT_FAILED = 5   /* token was not delivered, but may be later */
};

/* Reports news. Copies text. Any thread, never blocks; ignored after close. */
KRYOS_EXPORT void kryos_transport_report(struct kryos_link_port *port, enum kryos_transport_news news, int64_t token,
                                         int code, const char *text);

struct kryos_message {
	uint32_t size;
	int retain;
	int64_t token;     /* the sender's; comes back in reports */
	const char *topic; /* lives during the call */
	const void *payload;
	size_t payload_count;
};

struct kryos_transport_driver {
	uint32_t size;
	const char *name;    /* "paho" */
	const char *schemes; /* space-separated: "mqtt mqtts" */
	size_t private_size;

	/* Checks config (KRYOS_ECONFIG, text names field and what is allowed). config lives until close. */
	int (*check)(const struct kryos_relay_config *config);
	int (*open)(void *priv, const struct kryos_relay_config *config, struct kryos_link_port *port, void *userdata);
	/* Begins a connection, with a last will of "offline" on will_topic, retained. */
	int (*connect)(void *priv, const char *will_topic);
	/* Begins to send at least once. -EAGAIN: not now; KRYOS_EREJECTED: never (topic, size). */
	int (*publish)(void *priv, const struct kryos_message *message);
	/* Ends the connection, politely if it is up; tokens not reported yet never will be. < 1 s. */
	void (*disconnect)(void *priv);
	void (*close)(void *priv);

	/* The version of what it is built on, as it was loaded. Static. NULL: none to tell. Any thread, does not block.
	 */
	const char *(*version)(void);
};

KRYOS_API int kryos_register_transport(struct kryos_ctx *ctx, const struct kryos_transport_driver *driver,
                                       void *userdata);

/* Name resolution with a limit, as the relay does it first: the library's is getaddrinfo on a thread of its own. */
typedef int (*kryos_resolve_fn)(void *userdata, const char *host, int64_t timeout_ns);
KRYOS_API int kryos_register_resolver(struct kryos_ctx *ctx, kryos_resolve_fn resolve, void *userdata);

KRYOS_END
#endif
