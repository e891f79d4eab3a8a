/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the MQTT transport directly, without queue and relay, as a relay's worker would. */
#ifndef KRI_TEST_WIRE_H
#define KRI_TEST_WIRE_H

#include "relay/relay.h"

struct wire {
	struct kryos_relay_config config;
	struct kryos_link_port *port;
	void *priv;
	bool open;
	char url[64], text[256]; /* of the last report */
	struct kri_report report;
};

/* scheme "mqtt" or "mqtts"; the rest of the configuration may be set before wire_open. Blocks SIGPIPE, as workers do.
 */
void wire_init(struct wire *wire, const char *scheme, const char *host, uint16_t port, unsigned int mqtt_version);
int wire_open(struct wire *wire);
/* Connects and waits for UP or DOWN, at most 10 s: the report's news, 0 if none came. */
int wire_connect(struct wire *wire);
int wire_publish(struct wire *wire, const char *topic, const char *payload, int64_t token);
/* Waits for the next report: its news, 0 if none came. */
int wire_next(struct wire *wire, int ms);
/* Waits until count tokens were acknowledged; false if something else came, or nothing. */
bool wire_acked(struct wire *wire, unsigned int count, int ms);
void wire_disconnect(struct wire *wire);
void wire_close(struct wire *wire);

#endif
