/* SPDX-License-Identifier: Apache-2.0 */
/* What Paho calls, and what that becomes: see paho_link.h. */
#include "paho_link.h"
#include "tls.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPLAIN_NS KRYOS_SECONDS(5)

void kri_paho_link_unref(struct kri_paho_link *link)
{
	if (!link || atomic_fetch_sub(&link->refs, 1) > 1)
		return;
	kri_port_unref(link->port);
	pthread_mutex_destroy(&link->lock);
	free(link->ca);
	free(link->cert);
	free(link->key);
	free(link->alpn);
	free(link);
}

static char *copy(const char *text, bool *failed)
{
	char *copied = text ? strdup(text) : NULL;

	*failed = *failed || (text && !copied);
	return copied;
}

struct kri_paho_link *kri_paho_link_new(const struct kryos_relay_config *config, const struct kri_url *url,
                                        struct kryos_link_port *port)
{
	unsigned int count = config->inflight + KRI_PAHO_SLOTS_EXTRA;
	struct kri_paho_link *link = calloc(1, sizeof(*link) + count * sizeof(link->slots[0]));
	bool failed = false;

	if (!link)
		return NULL;
	atomic_init(&link->refs, 1);
	pthread_mutex_init(&link->lock, NULL);
	link->port = kri_port_ref(port);
	snprintf(link->host, sizeof(link->host), "%s", url->host);
	snprintf(link->client_id, sizeof(link->client_id), "%s", config->client_id);
	link->port_number = url->port;
	link->tls = !strcmp(url->scheme, "mqtts");
	link->ca = copy(config->ca, &failed);
	link->cert = copy(config->cert, &failed);
	link->key = copy(config->key, &failed);
	link->alpn = copy(config->alpn, &failed);
	link->slot_count = count;
	atomic_init(&link->receive_max, 65535);
	atomic_init(&link->packet_max, UINT32_MAX);
	for (unsigned int i = 0; i < count; i++) {
		link->slots[i].link = link;
		atomic_init(&link->slots[i].busy, false);
	}
	if (!failed)
		return link;
	kri_paho_link_unref(link);
	return NULL;
}

static void report(struct kri_paho_link *link, enum kryos_transport_news news, int64_t token, int code,
                   const char *text)
{
	pthread_mutex_lock(&link->lock);
	if (!link->dead && !(news == KRYOS_TRANSPORT_DOWN && link->down))
		kryos_transport_report(link->port, news, token, code, text);
	link->down = link->down || news == KRYOS_TRANSPORT_DOWN;
	pthread_mutex_unlock(&link->lock);
}

static void explain(void *data)
{
	struct kri_paho_link *link = data;
	struct kri_tls_target target = { .host = link->host,
		                         .port = link->port_number,
		                         .tls = link->tls,
		                         .ca = link->ca,
		                         .cert = link->cert,
		                         .key = link->key,
		                         .alpn = link->alpn };
	char text[KRI_PAHO_TEXT_MAX];
	bool tls = false;
	int r = kri_tls_explain(&target, EXPLAIN_NS, text, sizeof(text), &tls);

	if (r >= 0) {
		r = link->tls_error[0] ? KRYOS_EAUTH : -ECONNRESET;
		tls = link->tls_error[0] != 0;
		if (tls)
			snprintf(text, sizeof(text), "%.90s:%u: TLS failed: %.80s", link->host, link->port_number,
			         link->tls_error);
		else
			snprintf(text, sizeof(text), "%.100s:%u: the connection was closed before it was accepted",
			         link->host, link->port_number);
	}
	report(link, KRYOS_TRANSPORT_DOWN, tls ? KRI_REPORT_TLS : 0, r, text);
	kri_paho_link_unref(link);
}

/* One line of OpenSSL's error queue: "...:error:0A000086:SSL routines:function:reason:file:line:data". */
static int on_tls_error(const char *line, size_t count, void *context)
{
	struct kri_paho_link *link = context;
	const char *reason = line;
	int n = (int)count;

	for (unsigned int colons = 0; *reason && colons < 5; reason++)
		colons += *reason == ':';
	if (*reason)
		n = (int)strcspn(reason, ":\n");
	else
		reason = line;
	snprintf(link->tls_error, sizeof(link->tls_error), "%.*s", n, reason);
	return 1;
}

/* CONNACK: MQTT 3.1.1 table 3.1, MQTT 5 table 3-1. */
static void connect_refused(struct kri_paho_link *link, int code)
{
	static const char *const v3[] = { "",
		                          "unacceptable protocol version",
		                          "the client id is not allowed",
		                          "the server is not available",
		                          "bad user name or password",
		                          "not authorised" };
	const char *what = code >= 0x80 ? MQTTReasonCode_toString((enum MQTTReasonCodes)code) : NULL;
	bool ours = code == 2 || code == 4 || code == 5 || code == 0x85 || code == 0x86 || code == 0x87 ||
	            code == 0x8a || code == 0x8c;
	char text[KRI_PAHO_TEXT_MAX];

	if (code > 0 && code < (int)KRI_ARRAY_SIZE(v3))
		what = v3[code];
	snprintf(text, sizeof(text), "the broker refused the connection: %s (%d)", what ? what : "unknown reason",
	         code);
	report(link, KRYOS_TRANSPORT_DOWN, 0, ours ? KRYOS_EAUTH : -ECONNREFUSED, text);
}

static void connect_failed(struct kri_paho_link *link, int code)
{
	int r;

	if (code == MQTTASYNC_OPERATION_INCOMPLETE) /* MQTTAsync_destroy gives up what waits */
		return;
	if (code > 0) {
		connect_refused(link, code);
		return;
	}
	atomic_fetch_add(&link->refs, 1);
	r = kri_thread_start("kryos-explain", explain, link);
	if (r >= 0)
		return;
	report(link, KRYOS_TRANSPORT_DOWN, 0, -ECONNREFUSED, "cannot connect");
	kri_paho_link_unref(link);
}

static void on_connect3(void *context, MQTTAsync_successData *data)
{
	(void)data;
	report(context, KRYOS_TRANSPORT_UP, 0, 0, NULL);
}

static void on_connect5(void *context, MQTTAsync_successData5 *data)
{
	struct kri_paho_link *link = context;

	if (data && MQTTProperties_hasProperty(&data->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM))
		atomic_store(&link->receive_max, (unsigned int)MQTTProperties_getNumericValue(
							 &data->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM));
	if (data && MQTTProperties_hasProperty(&data->properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE))
		atomic_store(&link->packet_max, (unsigned int)MQTTProperties_getNumericValue(
							&data->properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE));
	report(context, KRYOS_TRANSPORT_UP, 0, 0, NULL);
}

static void on_connect_failed3(void *context, MQTTAsync_failureData *data)
{
	connect_failed(context, data ? data->code : 0);
}

static void on_connect_failed5(void *context, MQTTAsync_failureData5 *data)
{
	connect_failed(context, !data ? 0 : data->reasonCode ? (int)data->reasonCode : data->code);
}

static void on_lost(void *context, char *cause)
{
	(void)cause; /* always NULL in 1.3 */
	report(context, KRYOS_TRANSPORT_DOWN, 0, -ECONNRESET, "the connection was closed, or a ping went unanswered");
}

/* MQTT 5 only: the broker says why, and Paho then does not call on_lost. */
static void on_disconnected(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
	struct kri_paho_link *link = context;
	const char *what = MQTTReasonCode_toString(reason);
	char text[KRI_PAHO_TEXT_MAX];

	(void)properties;
	if (reason == MQTTREASONCODE_SESSION_TAKEN_OVER)
		snprintf(text, sizeof(text), "another client connected with the id \"%s\" and took over",
		         link->client_id);
	else
		snprintf(text, sizeof(text), "the broker ended the connection: %s (%d)", what ? what : "unknown reason",
		         (int)reason);
	report(link, KRYOS_TRANSPORT_DOWN, 0, -ECONNRESET, text);
}

static int on_arrived(void *context, char *topic, int topic_count, MQTTAsync_message *message)
{
	(void)context;
	(void)topic_count;
	MQTTAsync_freeMessage(&message);
	MQTTAsync_free(topic);
	return 1;
}

static void settle(struct kri_paho_slot *slot, enum kryos_transport_news news, int code, const char *text)
{
	int64_t token = slot->token;

	atomic_store(&slot->busy, false);
	report(slot->link, news, token, code, text);
}

static void on_sent3(void *context, MQTTAsync_successData *data)
{
	(void)data;
	settle(context, KRYOS_TRANSPORT_ACKED, 0, NULL);
}

static void on_sent5(void *context, MQTTAsync_successData5 *data)
{
	(void)data;
	settle(context, KRYOS_TRANSPORT_ACKED, 0, NULL);
}

/* Only for a connection that ends, which is reported for itself: MQTT 3.1.1 has no negative acknowledgement. */
static void on_send_failed3(void *context, MQTTAsync_failureData *data)
{
	struct kri_paho_slot *slot = context;

	(void)data;
	atomic_store(&slot->busy, false);
}

static void on_send_failed5(void *context, MQTTAsync_failureData5 *data)
{
	struct kri_paho_slot *slot = context;
	int reason = data ? (int)data->reasonCode : 0;
	const char *what = reason >= 0x80 ? MQTTReasonCode_toString((enum MQTTReasonCodes)reason) : NULL;
	char text[KRI_PAHO_TEXT_MAX];

	if (reason < 0x80) {
		atomic_store(&slot->busy, false);
		return;
	}
	snprintf(text, sizeof(text), "the broker refused the message: %s (%d)", what ? what : "unknown reason", reason);
	/* What is wrong with the message itself stays wrong; rights and quotas change. */
	if (reason == MQTTREASONCODE_TOPIC_NAME_INVALID || reason == MQTTREASONCODE_PAYLOAD_FORMAT_INVALID ||
	    reason == MQTTREASONCODE_PACKET_TOO_LARGE)
		settle(slot, KRYOS_TRANSPORT_REFUSED, KRYOS_EREJECTED, text);
	else
		settle(slot, KRYOS_TRANSPORT_FAILED, reason == MQTTREASONCODE_NOT_AUTHORIZED ? KRYOS_EAUTH : -EIO,
		       text);
}

void kri_paho_link_end(struct kri_paho_link *link)
{
	if (!link)
		return;
	pthread_mutex_lock(&link->lock);
	link->dead = true;
	pthread_mutex_unlock(&link->lock);
}

int kri_paho_link_attach(struct kri_paho_link *link, MQTTAsync client)
{
	int rc = MQTTAsync_setCallbacks(client, link, on_lost, on_arrived, NULL);

	return rc == MQTTASYNC_SUCCESS ? MQTTAsync_setDisconnected(client, link, on_disconnected) : rc;
}

void kri_paho_link_connects(struct kri_paho_link *link, bool v5, MQTTAsync_connectOptions *options,
                            MQTTAsync_SSLOptions *ssl)
{
	options->context = link;
	options->onSuccess = v5 ? NULL : on_connect3;
	options->onFailure = v5 ? NULL : on_connect_failed3;
	options->onSuccess5 = v5 ? on_connect5 : NULL;
	options->onFailure5 = v5 ? on_connect_failed5 : NULL;
	ssl->ssl_error_cb = on_tls_error;
	ssl->ssl_error_context = link;
}

struct kri_paho_slot *kri_paho_slot_take(struct kri_paho_link *link, int64_t token, bool v5, unsigned int most,
                                         MQTTAsync_responseOptions *response)
{
	struct kri_paho_slot *slot = NULL;
	unsigned int busy = 0;

	for (unsigned int i = 0; i < link->slot_count; i++) {
		if (atomic_load(&link->slots[i].busy))
			busy++;
		else if (!slot)
			slot = &link->slots[i];
	}
	if (!slot || busy >= most)
		return NULL;
	slot->token = token;
	atomic_store(&slot->busy, true);
	response->context = slot;
	response->onSuccess = v5 ? NULL : on_sent3;
	response->onFailure = v5 ? NULL : on_send_failed3;
	response->onSuccess5 = v5 ? on_sent5 : NULL;
	response->onFailure5 = v5 ? on_send_failed5 : NULL;
	return slot;
}
