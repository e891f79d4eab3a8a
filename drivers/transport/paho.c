/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT 3.1.1 and 5 by Eclipse Paho's MQTTAsync (1.3.x).
 *
 * Paho is given no memory of its own: no persistence, nothing buffered while disconnected, no
 * reconnecting; our queue is the only truth. Its client object is made anew for each connection.
 * All its callbacks run under its process-wide mutex (MQTTAsync_cycle, MQTTAsync_processCommand),
 * and MQTTAsync_destroy takes the same: when that has returned, none runs for that client any more.
 * They only report, and never call Paho.
 *
 * Paho's threads are started by the first MQTTAsync_connect of the process and inherit the signal
 * mask of that thread. A relay's worker blocks all signals, so a broken connection's SIGPIPE stays
 * pending on a Paho thread and never reaches the program. A program that uses Paho itself before
 * the first relay must block SIGPIPE there, or ignore it.
 */
#include "relay/relay.h"
#include "tls.h"
#include <MQTTAsync.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_EXTRA 8 /* "online", "offline", controls */
#define EXPLAIN_NS KRYOS_SECONDS(5)
#define TEXT_MAX 200
/* Paho polls its sockets for 1 s at a time and looks at a new one only after that (MQTTAsync_cycle). */
#define CONNECT_MIN_NS KRYOS_SECONDS(2)

/* AEAD suites that exist since TLS 1.2 only, so that no older version can be agreed on; 1.3 has its own list. */
#define CIPHERS "TLSv1.2+AESGCM:TLSv1.2+CHACHA20:!aNULL:!eNULL:!PSK:!SRP"

struct link;

/* One message under way: what Paho's callbacks are given. */
struct slot {
	struct link *link;
	int64_t token;
	atomic_bool busy;
};

/* One connection. Outlives its client object while an explanation is being looked for. */
struct link {
	atomic_int refs;
	pthread_mutex_t lock;
	struct kryos_link_port *port;
	bool dead; /* under lock: nothing is reported any more */
	bool down; /* under lock: and this was */
	char host[256], client_id[129];
	char *ca, *cert, *key, *alpn;
	uint16_t port_number;
	bool tls;
	char tls_error[TEXT_MAX]; /* by Paho's thread only */
	unsigned int slot_count;
	struct slot slots[];
};

struct paho {
	const struct kryos_relay_config *config;
	struct kryos_link_port *port;
	struct kri_url url;
	char uri[300];
	/*
	 * Never connected. While it is there Paho's threads go on; without it each reconnect of the
	 * only relay would wait 1 s for them to end, within MQTTAsync_destroy.
	 */
	MQTTAsync anchor;
	MQTTAsync client;
	struct link *link;
};

static void link_unref(struct link *link)
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

static struct link *link_new(const struct paho *paho)
{
	const struct kryos_relay_config *config = paho->config;
	unsigned int count = config->inflight + SLOTS_EXTRA;
	struct link *link = calloc(1, sizeof(*link) + count * sizeof(link->slots[0]));
	bool failed = false;

	if (!link)
		return NULL;
	atomic_init(&link->refs, 1);
	pthread_mutex_init(&link->lock, NULL);
	link->port = kri_port_ref(paho->port);
	snprintf(link->host, sizeof(link->host), "%s", paho->url.host);
	snprintf(link->client_id, sizeof(link->client_id), "%s", config->client_id);
	link->port_number = paho->url.port;
	link->tls = !strcmp(paho->url.scheme, "mqtts");
	link->ca = copy(config->ca, &failed);
	link->cert = copy(config->cert, &failed);
	link->key = copy(config->key, &failed);
	link->alpn = copy(config->alpn, &failed);
	link->slot_count = count;
	for (unsigned int i = 0; i < count; i++) {
		link->slots[i].link = link;
		atomic_init(&link->slots[i].busy, false);
	}
	if (!failed)
		return link;
	link_unref(link);
	return NULL;
}

static void report(struct link *link, enum kryos_transport_news news, int64_t token, int code, const char *text)
{
	pthread_mutex_lock(&link->lock);
	if (!link->dead && !(news == KRYOS_TRANSPORT_DOWN && link->down))
		kryos_transport_report(link->port, news, token, code, text);
	link->down = link->down || news == KRYOS_TRANSPORT_DOWN;
	pthread_mutex_unlock(&link->lock);
}

static void explain(void *data)
{
	struct link *link = data;
	struct kri_tls_target target = { .host = link->host,
		                         .port = link->port_number,
		                         .tls = link->tls,
		                         .ca = link->ca,
		                         .cert = link->cert,
		                         .key = link->key,
		                         .alpn = link->alpn };
	char text[TEXT_MAX];
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
	link_unref(link);
}

/* One line of OpenSSL's error queue: "...:error:0A000086:SSL routines:function:reason:file:line:data". */
static int on_tls_error(const char *line, size_t count, void *context)
{
	struct link *link = context;
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
static void connect_refused(struct link *link, int code)
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
	char text[TEXT_MAX];

	if (code > 0 && code < (int)KRI_ARRAY_SIZE(v3))
		what = v3[code];
	snprintf(text, sizeof(text), "the broker refused the connection: %s (%d)", what ? what : "unknown reason",
	         code);
	report(link, KRYOS_TRANSPORT_DOWN, 0, ours ? KRYOS_EAUTH : -ECONNREFUSED, text);
}

static void connect_failed(struct link *link, int code)
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
	link_unref(link);
	report(link, KRYOS_TRANSPORT_DOWN, 0, -ECONNREFUSED, "cannot connect");
}

static void on_connect3(void *context, MQTTAsync_successData *data)
{
	(void)data;
	report(context, KRYOS_TRANSPORT_UP, 0, 0, NULL);
}

static void on_connect5(void *context, MQTTAsync_successData5 *data)
{
	(void)data;
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
	struct link *link = context;
	const char *what = MQTTReasonCode_toString(reason);
	char text[TEXT_MAX];

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

static void settle(struct slot *slot, enum kryos_transport_news news, int code, const char *text)
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
	struct slot *slot = context;

	(void)data;
	atomic_store(&slot->busy, false);
}

static void on_send_failed5(void *context, MQTTAsync_failureData5 *data)
{
	struct slot *slot = context;
	int reason = data ? (int)data->reasonCode : 0;
	const char *what = reason >= 0x80 ? MQTTReasonCode_toString((enum MQTTReasonCodes)reason) : NULL;
	char text[TEXT_MAX];

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

static int check_plain(const struct kryos_relay_config *config, const struct kri_url *url)
{
	const char *proxy = getenv("http_proxy");

	if (!url->loopback)
		return kryos_fail(KRYOS_ECONFIG,
		                  "url: \"%s\": mqtt:// is allowed to this machine only (127.0.0.1, ::1, localhost); "
		                  "use mqtts:// with ca",
		                  config->url);
	if (config->ca || config->cert || config->alpn)
		return kryos_fail(KRYOS_ECONFIG, "%s: has no meaning with mqtt://; use mqtts://",
		                  config->ca     ? "ca"
		                  : config->cert ? "cert"
		                                 : "alpn");
	/* Paho would send it there in the clear (MQTTProtocol_connect), and 1.3 cannot be told not to. */
	if (proxy && *proxy)
		return kryos_fail(KRYOS_ECONFIG,
		                  "url: \"%s\" would go through http_proxy=%s; unset http_proxy for this program",
		                  config->url, proxy);
	return 0;
}

static int paho_check(const struct kryos_relay_config *config)
{
	struct kri_url url;
	int r = kri_url_parse(&url, "url", config->url);

	if (r < 0)
		return r;
	if (config->connect_timeout_ns < CONNECT_MIN_NS)
		return kryos_fail(KRYOS_ECONFIG, "connect_timeout_ns: %lld ms are not enough for MQTT; at least %lld",
		                  (long long)(config->connect_timeout_ns / 1000000),
		                  (long long)(CONNECT_MIN_NS / 1000000));
	if (config->password && !config->username)
		return kryos_fail(KRYOS_ECONFIG, "username: is missing; a password needs one (MQTT 3.1.1, 3.1.2.9)");
	if (!strcmp(url.scheme, "mqtt"))
		return check_plain(config, &url);
	if (!config->ca)
		return kryos_fail(KRYOS_ECONFIG,
		                  "ca: is missing; mqtts:// needs a PEM file to check the server against");
	if (url.v6)
		return kryos_fail(KRYOS_ECONFIG,
		                  "url: \"%s\": a certificate cannot be checked against an IPv6 address; use a name",
		                  config->url);
	if (config->alpn && (!*config->alpn || strlen(config->alpn) > 255))
		return kryos_fail(KRYOS_ECONFIG, "alpn: %zu bytes are not allowed; 1 to 255", strlen(config->alpn));
	return kri_tls_check(config->ca, config->cert, config->key);
}

static int from_paho(int rc, const char *what)
{
	switch (rc) {
	case MQTTASYNC_SUCCESS:
		return 0;
	case MQTTASYNC_DISCONNECTED:
		return kryos_fail(-ENOTCONN, "%s: not connected", what);
	case MQTTASYNC_MAX_BUFFERED_MESSAGES:
	case MQTTASYNC_NO_MORE_MSGIDS:
		return -EAGAIN;
	case MQTTASYNC_BAD_UTF8_STRING:
		return kryos_fail(KRYOS_EREJECTED, "%s: the topic or client id is no UTF-8", what);
	default:
		return kryos_fail(rc == -99 ? -ENOMEM : -EIO, "%s: Paho error %d", what, rc); /* PAHO_MEMORY_ERROR */
	}
}

static int client_new(struct paho *paho, MQTTAsync *ret_client)
{
	MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
	struct sigaction before, after;
	int rc;

	options.MQTTVersion = paho->config->mqtt_version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	options.sendWhileDisconnected = 0;
	options.maxBufferedMessages = (int)paho->config->inflight + SLOTS_EXTRA;
	options.restoreMessages = 0;
	options.persistQoS0 = 0;
	/* The first client of a process makes Paho ignore SIGPIPE for all of it (Socket_outInitialize). Put that right.
	 */
	sigaction(SIGPIPE, NULL, &before);
	rc = MQTTAsync_createWithOptions(ret_client, paho->uri, paho->config->client_id, MQTTCLIENT_PERSISTENCE_NONE,
	                                 NULL, &options);
	sigaction(SIGPIPE, NULL, &after);
	if (after.sa_handler == SIG_IGN && before.sa_handler != SIG_IGN)
		sigaction(SIGPIPE, &before, NULL);
	return from_paho(rc, "mqtt");
}

static int paho_open(void *priv, const struct kryos_relay_config *config, struct kryos_link_port *port, void *userdata)
{
	struct paho *paho = priv;
	bool tls;
	int r;

	(void)userdata;
	*paho = (struct paho){ .config = config, .port = port };
	r = kri_url_parse(&paho->url, "url", config->url);
	if (r < 0)
		return r;
	tls = !strcmp(paho->url.scheme, "mqtts");
	if (!paho->url.port)
		paho->url.port = tls ? 8883 : 1883;
	/* With TLS Paho needs the name, to send it (SNI) and to check it; without, an address spares a look-up. */
	if (!tls && !paho->url.numeric)
		snprintf(paho->url.host, sizeof(paho->url.host), "127.0.0.1");
	snprintf(paho->uri, sizeof(paho->uri), "%s://%s%s%s:%u", tls ? "ssl" : "tcp", paho->url.v6 ? "[" : "",
	         paho->url.host, paho->url.v6 ? "]" : "", paho->url.port);
	return client_new(paho, &paho->anchor);
}

static int seconds(int64_t ns)
{
	int64_t s = (ns + 999999999) / 1000000000;

	return s < INT_MAX ? (int)s : INT_MAX;
}

static int begin_connect(struct paho *paho, const char *will_topic)
{
	const struct kryos_relay_config *config = paho->config;
	bool v5 = config->mqtt_version == 5;
	MQTTAsync_connectOptions options3 = MQTTAsync_connectOptions_initializer;
	MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
	MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
	MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
	unsigned char protos[256];

	if (!v5) {
		options = options3;
		options.MQTTVersion = MQTTVERSION_3_1_1;
		options.cleansession = 1;
	}
	options.keepAliveInterval = seconds(config->keepalive_ns);
	options.connectTimeout = seconds(config->connect_timeout_ns) + 3; /* the link's own limit comes first */
	options.maxInflight = (int)config->inflight + SLOTS_EXTRA;
	options.automaticReconnect = 0;
	options.username = config->username;
	options.password = config->password;
	options.context = paho->link;
	options.onSuccess = v5 ? NULL : on_connect3;
	options.onFailure = v5 ? NULL : on_connect_failed3;
	options.onSuccess5 = v5 ? on_connect5 : NULL;
	options.onFailure5 = v5 ? on_connect_failed5 : NULL;
	will.topicName = will_topic;
	will.message = "offline";
	will.retained = 1;
	will.qos = 1;
	options.will = &will;
	if (paho->link->tls) {
		ssl.trustStore = config->ca;
		ssl.keyStore = config->cert;
		ssl.privateKey = config->key;
		ssl.enabledCipherSuites = CIPHERS;
		ssl.enableServerCertAuth = 1;
		ssl.verify = 1;
		ssl.disableDefaultTrustStore = 1;
		ssl.ssl_error_cb = on_tls_error;
		ssl.ssl_error_context = paho->link;
		if (config->alpn) {
			protos[0] = (unsigned char)strlen(config->alpn);
			memcpy(protos + 1, config->alpn, protos[0]);
			ssl.protos = protos;
			ssl.protos_len = protos[0] + 1u;
		}
		options.ssl = &ssl;
	}
	return from_paho(MQTTAsync_connect(paho->client, &options), "mqtt");
}

static void paho_disconnect(void *priv)
{
	struct paho *paho = priv;

	if (paho->link) {
		pthread_mutex_lock(&paho->link->lock);
		paho->link->dead = true;
		pthread_mutex_unlock(&paho->link->lock);
	}
	if (paho->client)
		MQTTAsync_destroy(&paho->client); /* sends DISCONNECT if it can at once */
	paho->client = NULL;
	link_unref(paho->link);
	paho->link = NULL;
}

static int paho_connect(void *priv, const char *will_topic)
{
	struct paho *paho = priv;
	int r;

	paho_disconnect(priv);
	paho->link = link_new(paho);
	if (!paho->link)
		return kryos_fail(-ENOMEM, "mqtt: out of memory");
	r = client_new(paho, &paho->client);
	if (r >= 0)
		r = from_paho(MQTTAsync_setCallbacks(paho->client, paho->link, on_lost, on_arrived, NULL), "mqtt");
	if (r >= 0)
		r = from_paho(MQTTAsync_setDisconnected(paho->client, paho->link, on_disconnected), "mqtt");
	if (r >= 0)
		r = begin_connect(paho, will_topic);
	if (r < 0)
		paho_disconnect(priv);
	return r;
}

static struct slot *slot_take(struct link *link, int64_t token)
{
	for (unsigned int i = 0; i < link->slot_count; i++)
		if (!atomic_load(&link->slots[i].busy)) {
			link->slots[i].token = token;
			atomic_store(&link->slots[i].busy, true);
			return &link->slots[i];
		}
	return NULL;
}

static int paho_publish(void *priv, const struct kryos_message *message)
{
	struct paho *paho = priv;
	MQTTAsync_message out = MQTTAsync_message_initializer;
	MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
	bool v5 = paho->config->mqtt_version == 5;
	struct slot *slot;
	int r;

	if (!paho->link)
		return kryos_fail(-ENOTCONN, "mqtt: not connected");
	r = kri_topic_check("topic", message->topic);
	if (r < 0)
		return kryos_fail(KRYOS_EREJECTED, "%s", kryos_strerror(r));
	if (message->payload_count > paho->config->max_payload)
		return kryos_fail(KRYOS_EREJECTED, "the message has %zu bytes; %u are allowed", message->payload_count,
		                  paho->config->max_payload);
	slot = slot_take(paho->link, message->token);
	if (!slot)
		return -EAGAIN;
	response.context = slot;
	response.onSuccess = v5 ? NULL : on_sent3;
	response.onFailure = v5 ? NULL : on_send_failed3;
	response.onSuccess5 = v5 ? on_sent5 : NULL;
	response.onFailure5 = v5 ? on_send_failed5 : NULL;
	out.payload = (void *)(uintptr_t)message->payload; /* copied by MQTTAsync_send */
	out.payloadlen = (int)message->payload_count;
	out.qos = 1;
	out.retained = message->retain != 0;
	r = from_paho(MQTTAsync_sendMessage(paho->client, message->topic, &out, &response), "mqtt");
	if (r < 0)
		atomic_store(&slot->busy, false);
	return r;
}

static void paho_close(void *priv)
{
	struct paho *paho = priv;

	paho_disconnect(priv);
	if (paho->anchor)
		MQTTAsync_destroy(&paho->anchor);
	paho->anchor = NULL;
}

const struct kryos_transport_driver kri_transport_paho = {
	.size = sizeof(struct kryos_transport_driver),
	.name = "paho",
	.schemes = "mqtt mqtts",
	.private_size = sizeof(struct paho),
	.check = paho_check,
	.open = paho_open,
	.connect = paho_connect,
	.publish = paho_publish,
	.disconnect = paho_disconnect,
	.close = paho_close,
};
