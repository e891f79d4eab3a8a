/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MAX_CLIENT_ID 128 /* AWS IoT Core; MQTT 3.1.1 3.1.3.1 obliges brokers to 23 */

/* Every string of the struct, once. */
#define STRINGS(config)                                                                                                \
	{                                                                                                              \
		&(config)->url, &(config)->client_id, &(config)->username, &(config)->password, &(config)->ca,         \
			&(config)->cert, &(config)->key, &(config)->alpn, &(config)->topic, &(config)->channels,       \
			&(config)->codec                                                                               \
	}

static int own_strings(struct kryos_relay_config *config)
{
	const char **strings[] = STRINGS(config);
	bool failed = false;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(strings); i++)
		if (*strings[i]) {
			*strings[i] = strdup(*strings[i]);
			failed = failed || !*strings[i];
		}
	return failed ? kryos_fail(-ENOMEM, "relay: out of memory") : 0;
}

static int set_default(const char **string, const char *otherwise)
{
	if (!*string)
		*string = strdup(otherwise);
	return *string ? 0 : kryos_fail(-ENOMEM, "relay: out of memory");
}

void kri_relay_config_clear(struct kri_relay_config *made)
{
	const char **strings[] = STRINGS(&made->public);

	for (size_t i = 0; i < KRI_ARRAY_SIZE(strings); i++) {
		free((char *)(uintptr_t)*strings[i]);
		*strings[i] = NULL;
	}
}

static int make_numbers(struct kri_relay_config *made)
{
	struct kryos_relay_config *c = &made->public;
	const struct {
		uint32_t *value;
		enum kri_default_id id;
		const char *field;
	} counts[] = {
		{ &c->burst, KRI_ID_RELAY_BURST, "burst" },
		{ &c->live_percent, KRI_ID_RELAY_LIVE_PERCENT, "live_percent" },
		{ &c->inflight, KRI_ID_RELAY_INFLIGHT, "inflight" },
		{ &c->max_payload, KRI_ID_RELAY_MAX_PAYLOAD, "max_payload" },
	};
	const struct {
		int64_t *value;
		enum kri_default_id id;
		const char *field;
	} times[] = {
		{ &c->keepalive_ns, KRI_ID_RELAY_KEEPALIVE_NS, "keepalive_ns" },
		{ &c->backoff_min_ns, KRI_ID_RELAY_BACKOFF_MIN_NS, "backoff_min_ns" },
		{ &c->backoff_max_ns, KRI_ID_RELAY_BACKOFF_MAX_NS, "backoff_max_ns" },
		{ &c->stable_ns, KRI_ID_RELAY_STABLE_NS, "stable_ns" },
		{ &c->ack_timeout_ns, KRI_ID_RELAY_ACK_TIMEOUT_NS, "ack_timeout_ns" },
		{ &c->connect_timeout_ns, KRI_ID_RELAY_CONNECT_TIMEOUT_NS, "connect_timeout_ns" },
	};
	double low = (double)kri_default_min(KRI_ID_RELAY_RATE) / 1000;
	double high = (double)kri_default_max(KRI_ID_RELAY_RATE) / 1000;
	int r;

	if (c->rate == 0)
		c->rate = (double)kri_default(KRI_ID_RELAY_RATE) / 1000;
	if (!(c->rate >= low && c->rate <= high))
		return kryos_fail(-EINVAL, "rate: %g is not allowed; %g to %g records per second", c->rate, low, high);
	made->link.rate = (int64_t)(c->rate * 1000 + 0.5);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(counts); i++) {
		int64_t value = *counts[i].value;

		r = kri_config_number(&value, counts[i].id, counts[i].field);
		if (r < 0)
			return r;
		*counts[i].value = (uint32_t)value;
	}
	for (size_t i = 0; i < KRI_ARRAY_SIZE(times); i++) {
		r = kri_config_number(times[i].value, times[i].id, times[i].field);
		if (r < 0)
			return r;
	}
	if (c->backoff_min_ns > c->backoff_max_ns)
		return kryos_fail(KRYOS_ECONFIG, "backoff_min_ns: it is above backoff_max_ns; it must not be");
	if (c->mqtt_version == 0)
		c->mqtt_version = 311;
	if (c->mqtt_version != 311 && c->mqtt_version != 5)
		return kryos_fail(-EINVAL, "mqtt_version: %u is not allowed; 311 or 5", c->mqtt_version);
	return 0;
}

static int make_names(struct kri_relay_config *made, const char *device)
{
	struct kryos_relay_config *c = &made->public;
	struct kri_link_config *link = &made->link;
	int r = kri_url_parse(&made->url, "url", c->url);

	if (r >= 0)
		r = set_default(&c->client_id, device);
	if (r >= 0)
		r = set_default(&c->topic, "kryos/{device}");
	if (r >= 0)
		r = set_default(&c->codec, "senml");
	if (r >= 0)
		r = kri_topic_make(link->sample_topic, "topic", c->topic, device, "sample");
	if (r >= 0)
		r = kri_topic_make(link->event_topic, "topic", c->topic, device, "event");
	if (r >= 0)
		r = kri_topic_make(link->state_topic, "topic", c->topic, device, "state");
	if (r < 0)
		return r;
	if (!*c->client_id || strlen(c->client_id) > MAX_CLIENT_ID)
		return kryos_fail(KRYOS_ECONFIG, "client_id: %zu bytes are not allowed; 1 to %d", strlen(c->client_id),
		                  MAX_CLIENT_ID);
	if (!c->cert != !c->key)
		return kryos_fail(KRYOS_ECONFIG, "%s: is missing; cert and key are given both or not at all",
		                  c->cert ? "key" : "cert");
	return 0;
}

static int find_transport(void *data, const void *driver, void *userdata)
{
	struct kri_relay_config *made = data;
	const struct kryos_transport_driver *transport = driver;
	size_t count = strlen(made->url.scheme);

	for (const char *at = transport->schemes; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (n == count && !memcmp(at, made->url.scheme, n)) {
			made->transport = transport;
			made->transport_userdata = userdata;
			return 1;
		}
		at += n;
	}
	return 0;
}

static int find_codec(void *data, const void *driver, void *userdata)
{
	struct kri_relay_config *made = data;
	const struct kryos_codec *codec = driver;

	(void)userdata;
	if (strcmp(codec->name, made->public.codec))
		return 0;
	made->codec = codec;
	return 1;
}

static int find_drivers(struct kri_relay_config *made, struct kryos_ctx *ctx)
{
	kri_registry_each(ctx, KRI_TRANSPORT, find_transport, made);
	if (!made->transport)
		return kryos_fail(KRYOS_ECONFIG,
		                  "url: nothing here speaks \"%s\"; built in are mqtts, and mqtt on loopback",
		                  made->url.scheme);
	kri_registry_each(ctx, KRI_CODEC, find_codec, made);
	if (!made->codec)
		return kryos_fail(KRYOS_ECONFIG, "codec: there is no \"%s\"; built in is senml", made->public.codec);
	return made->transport->check(&made->public);
}

int kri_relay_config_make(struct kri_relay_config *ret_made, struct kryos_ctx *ctx, const char *device,
                          const struct kryos_relay_config *asked)
{
	struct kri_relay_config made = { 0 };
	int r = kri_config_copy(&made.public, sizeof(made.public), asked);

	if (r < 0)
		return r;
	r = own_strings(&made.public);
	if (r >= 0)
		r = make_numbers(&made);
	if (r >= 0)
		r = make_names(&made, device);
	if (r >= 0)
		r = find_drivers(&made, ctx);
	if (r < 0) {
		kri_relay_config_clear(&made);
		return r;
	}
	made.link.burst = made.public.burst;
	made.link.live_percent = made.public.live_percent;
	made.link.inflight = made.public.inflight;
	made.link.max_payload = made.public.max_payload;
	made.link.backoff_min_ns = made.public.backoff_min_ns;
	made.link.backoff_max_ns = made.public.backoff_max_ns;
	made.link.stable_ns = made.public.stable_ns;
	made.link.ack_timeout_ns = made.public.ack_timeout_ns;
	made.link.connect_timeout_ns = made.public.connect_timeout_ns;
	made.link.client_id = made.public.client_id;
	/* Devices that lost power together must not come back together. */
	if (getrandom(&made.link.seed, sizeof(made.link.seed), GRND_NONBLOCK) != sizeof(made.link.seed))
		made.link.seed = (uint64_t)kri_real_ns() ^ (uintptr_t)ctx;
	*ret_made = made;
	return 0;
}
