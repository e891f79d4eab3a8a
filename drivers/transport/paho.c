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
#include "paho_link.h"
#include "tls.h"
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAKE_UP_NS KRYOS_MILLISECONDS(50)
/* Paho polls its sockets for 1 s at a time and looks at a new one only after that (MQTTAsync_cycle). */
#define CONNECT_MIN_NS KRYOS_SECONDS(2)

/* AEAD suites that exist since TLS 1.2 only, so that no older version can be agreed on; 1.3 has its own list. */
#define CIPHERS "TLSv1.2+AESGCM:TLSv1.2+CHACHA20:!aNULL:!eNULL:!PSK:!SRP"

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
	struct kri_paho_link *link;
	int64_t published_ns; /* when last */
};

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
	options.maxBufferedMessages = (int)paho->config->inflight + KRI_PAHO_SLOTS_EXTRA;
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

/*
 * Paho 1.3.12 sends a PINGREQ after one interval of silence, waits one and a half for the answer, and looks about
 * once a second (measured). So that a dead link is noticed within one and a half of what was configured, as
 * brokers do it (MQTT 3.1.1, 3.1.2.10), its own interval is shorter.
 */
static int ping_seconds(int64_t keepalive_ns)
{
	int64_t s = (3 * (keepalive_ns / KRYOS_SECONDS(1)) - 4) / 5;

	return s > 1 ? (int)s : 1;
}

/* Bytes of a PUBLISH (MQTT 5, 3.3). */
static size_t packet_size(const struct kryos_message *message)
{
	size_t rest = 2 + strlen(message->topic) + 2 + 1 + message->payload_count;

	return 1 + (rest < 128 ? 1 : rest < 16384 ? 2 : rest < 2097152 ? 3 : 4) + rest;
}

static int begin_connect(struct paho *paho, const char *will_topic)
{
	const struct kryos_relay_config *config = paho->config;
	bool v5 = config->mqtt_version == 5;
	MQTTAsync_connectOptions options3 = MQTTAsync_connectOptions_initializer;
	MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
	MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
	MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
	unsigned char protos[257] = { 0 }; /* Paho copies it as a string */

	if (!v5) {
		options = options3;
		options.MQTTVersion = MQTTVERSION_3_1_1;
		options.cleansession = 1;
	}
	options.keepAliveInterval = ping_seconds(config->keepalive_ns);
	options.connectTimeout = seconds(config->connect_timeout_ns) + 3; /* the link's own limit comes first */
	options.maxInflight = (int)config->inflight + KRI_PAHO_SLOTS_EXTRA;
	options.automaticReconnect = 0;
	options.username = config->username;
	options.password = config->password;
	kri_paho_link_connects(paho->link, v5, &options, &ssl);
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

/*
 * Paho 1.3.12 loses topic and payload of what its send thread has not begun yet when the client is
 * destroyed (MQTTAsync_NULLPublishCommands, its issue 1474). It begins within milliseconds.
 */
static void let_paho_begin(const struct paho *paho)
{
	int64_t left = paho->published_ns + TAKE_UP_NS - kri_real_ns();
	struct timespec moment = { .tv_nsec = (long)left };

	if (paho->published_ns && left > 0)
		nanosleep(&moment, NULL);
}

static void paho_disconnect(void *priv)
{
	struct paho *paho = priv;

	kri_paho_link_end(paho->link);
	if (paho->client) {
		let_paho_begin(paho);
		MQTTAsync_destroy(&paho->client); /* sends DISCONNECT if it can at once */
	}
	paho->client = NULL;
	paho->published_ns = 0;
	kri_paho_link_unref(paho->link);
	paho->link = NULL;
}

static int paho_connect(void *priv, const char *will_topic)
{
	struct paho *paho = priv;
	int r;

	paho_disconnect(priv);
	paho->link = kri_paho_link_new(paho->config, &paho->url, paho->port);
	if (!paho->link)
		return kryos_fail(-ENOMEM, "mqtt: out of memory");
	r = client_new(paho, &paho->client);
	if (r >= 0)
		r = from_paho(kri_paho_link_attach(paho->link, paho->client), "mqtt");
	if (r >= 0)
		r = begin_connect(paho, will_topic);
	if (r < 0)
		paho_disconnect(priv);
	return r;
}

static int paho_publish(void *priv, const struct kryos_message *message)
{
	struct paho *paho = priv;
	MQTTAsync_message out = MQTTAsync_message_initializer;
	MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
	bool v5 = paho->config->mqtt_version == 5;
	struct kri_paho_slot *slot;
	int r;

	if (!paho->link)
		return kryos_fail(-ENOTCONN, "mqtt: not connected");
	r = kri_topic_check("topic", message->topic);
	if (r < 0)
		return kryos_fail(KRYOS_EREJECTED, "%s", kryos_strerror(r));
	if (message->payload_count > paho->config->max_payload)
		return kryos_fail(KRYOS_EREJECTED, "the message has %zu bytes; %u are allowed", message->payload_count,
		                  paho->config->max_payload);
	if (v5 && packet_size(message) > atomic_load(&paho->link->packet_max))
		return kryos_fail(KRYOS_EREJECTED, "the message takes %zu bytes; the broker takes %u at most",
		                  packet_size(message), atomic_load(&paho->link->packet_max));
	/*
	 * Paho keeps what is more than the broker takes at a time, but then the wait for an acknowledgement
	 * would begin long before the message is sent. A state is urgent and rare: Paho may keep it.
	 */
	slot = kri_paho_slot_take(paho->link, message->token, v5,
	                          message->retain ? UINT_MAX : atomic_load(&paho->link->receive_max), &response);
	if (!slot)
		return -EAGAIN;
	out.payload = (void *)(uintptr_t)message->payload; /* copied by MQTTAsync_send */
	out.payloadlen = (int)message->payload_count;
	out.qos = 1;
	out.retained = message->retain != 0;
	r = from_paho(MQTTAsync_sendMessage(paho->client, message->topic, &out, &response), "mqtt");
	paho->published_ns = kri_real_ns();
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

static const char *paho_version(void)
{
	for (const MQTTAsync_nameValue *info = MQTTAsync_getVersionInfo(); info && info->name; info++)
		if (strcmp(info->name, "Version") == 0)
			return info->value;
	return "unknown";
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
	.version = paho_version,
};
