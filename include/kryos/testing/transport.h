/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripted transport: a receiver in memory for urls "fake://name", which does what it is told.
 * Safe from any thread.
 */
#ifndef KRYOS_TESTING_TRANSPORT_H
#define KRYOS_TESTING_TRANSPORT_H

#include <kryos/sys/transport.h>

KRYOS_BEGIN

struct kryos_fake_transport;

KRYOS_API int kryos_fake_transport_new(struct kryos_fake_transport **ret_transport);
KRYOS_EXPORT void kryos_fake_transport_free(struct kryos_fake_transport *transport);
KRYOS_API int kryos_fake_transport_attach(struct kryos_fake_transport *transport, struct kryos_ctx *ctx);

/* How connecting ends from now on: 0: well; < 0: with this code; 1: never. */
KRYOS_EXPORT void kryos_fake_transport_set_connect(struct kryos_fake_transport *transport, int result);
/* Acknowledge at once (1, the default), or hold back until told (0). */
KRYOS_EXPORT void kryos_fake_transport_set_auto_ack(struct kryos_fake_transport *transport, int on);
/* Acknowledge what is held back, at most count, oldest first, or the newest first with reverse. */
KRYOS_EXPORT void kryos_fake_transport_ack(struct kryos_fake_transport *transport, int count, int reverse);
/* Acknowledge everything twice from now on. */
KRYOS_EXPORT void kryos_fake_transport_set_double_ack(struct kryos_fake_transport *transport, int on);
/* Refuse for ever what contains this text; NULL: nothing. */
KRYOS_EXPORT void kryos_fake_transport_refuse(struct kryos_fake_transport *transport, const char *text);
/* Drop the link now. */
KRYOS_EXPORT void kryos_fake_transport_drop(struct kryos_fake_transport *transport, int code);

/* What arrived, from index 0, in order, retained ones too. Borrowed until the transport is freed. -ENOENT: no more. */
struct kryos_fake_message {
	int64_t token;
	const char *topic, *payload;
	int acked;
};
KRYOS_API int kryos_fake_transport_get(struct kryos_fake_transport *transport, unsigned int index,
                                       struct kryos_fake_message *ret_message);
KRYOS_API unsigned int kryos_fake_transport_count(struct kryos_fake_transport *transport);
KRYOS_API unsigned int kryos_fake_transport_connects(struct kryos_fake_transport *transport);

KRYOS_END
#endif
