/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct kryos_transport_driver kri_transport_paho;

void wire_init(struct wire *wire, const char *scheme, const char *host, uint16_t port, unsigned int mqtt_version)
{
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	memset(wire, 0, sizeof(*wire));
	snprintf(wire->url, sizeof(wire->url), "%s://%s:%u", scheme, host, port);
	wire->config = (struct kryos_relay_config){ .size = sizeof(wire->config),
		                                    .mqtt_version = mqtt_version,
		                                    .url = wire->url,
		                                    .client_id = "wire",
		                                    .topic = "t",
		                                    .inflight = 16,
		                                    .max_payload = 131072,
		                                    .keepalive_ns = KRYOS_SECONDS(5),
		                                    .connect_timeout_ns = KRYOS_SECONDS(10) };
}

int wire_open(struct wire *wire)
{
	int r = kri_transport_paho.check(&wire->config);

	if (r < 0)
		return r;
	wire->priv = calloc(1, kri_transport_paho.private_size);
	r = wire->priv ? kri_port_new(&wire->port) : -ENOMEM;
	if (r >= 0)
		r = kri_transport_paho.open(wire->priv, &wire->config, wire->port, NULL);
	wire->open = r >= 0;
	return r;
}

int wire_next(struct wire *wire, int ms)
{
	int64_t until = kri_real_ns() + KRYOS_MILLISECONDS(ms);

	while (!kri_port_take(wire->port, &wire->report)) {
		int64_t left = until - kri_real_ns();

		if (left <= 0)
			return 0;
		(void)kri_port_wait(wire->port, left);
	}
	snprintf(wire->text, sizeof(wire->text), "%s", wire->report.text ? wire->report.text : "");
	free(wire->report.text);
	wire->report.text = NULL;
	return wire->report.news;
}

int wire_connect(struct wire *wire)
{
	int r = kri_transport_paho.connect(wire->priv, "t/state");

	return r < 0 ? r : wire_next(wire, 10000);
}

int wire_publish(struct wire *wire, const char *topic, const char *payload, int64_t token)
{
	struct kryos_message message = { .size = sizeof(message),
		                         .token = token,
		                         .topic = topic,
		                         .payload = payload,
		                         .payload_count = strlen(payload) };

	return kri_transport_paho.publish(wire->priv, &message);
}

bool wire_acked(struct wire *wire, unsigned int count, int ms)
{
	for (unsigned int i = 0; i < count; i++)
		if (wire_next(wire, ms) != KRYOS_TRANSPORT_ACKED)
			return false;
	return true;
}

void wire_disconnect(struct wire *wire)
{
	kri_transport_paho.disconnect(wire->priv);
	kri_port_clear(wire->port);
}

void wire_close(struct wire *wire)
{
	if (wire->open)
		kri_transport_paho.close(wire->priv);
	kri_port_unref(wire->port);
	free(wire->priv);
	memset(wire, 0, sizeof(*wire));
}
