/* SPDX-License-Identifier: Apache-2.0 */
/* What a relay was asked to be: copied, completed with defaults, checked. */
#ifndef KRI_RELAY_CONFIG_H
#define KRI_RELAY_CONFIG_H

#include "link.h"

struct kri_relay_config {
	struct kryos_relay_config public; /* strings are our own; no default is left open */
	struct kri_url url;
	struct kri_link_config link;
	const struct kryos_transport_driver *transport;
	void *transport_userdata;
	const struct kryos_codec *codec;
};

/* -EINVAL, KRYOS_ECONFIG with a sentence; nothing is left then. */
int kri_relay_config_make(struct kri_relay_config *ret_made, struct kryos_ctx *ctx, const char *device,
                          const struct kryos_relay_config *asked);
void kri_relay_config_clear(struct kri_relay_config *made);

#endif
