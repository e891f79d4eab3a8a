/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <kryos/sys/bus.h>
#include <kryos/testing/transport.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct message {
	struct kryos_fake_message seen;
	const void *link; /* the connection it came over; NULL: that is gone, and its acknowledgement with it */
	int done;         /* acknowledged or refused */
};

struct link {
	struct kryos_fake_transport *transport;
	struct kryos_link_port *port;
	struct link *next;
	int up;
};

struct kryos_fake_transport {
	pthread_mutex_t lock;
	struct link *links;
	struct message **messages; /* each apart: borrowed pointers stay */
	unsigned int count, capacity, connects;
	int connect_result, auto_ack, double_ack;
	char *refused;
};

int kryos_fake_transport_new(struct kryos_fake_transport **ret_transport)
{
	struct kryos_fake_transport *transport = calloc(1, sizeof(*transport));

	if (!transport)
		return -ENOMEM;
	pthread_mutex_init(&transport->lock, NULL);
	transport->auto_ack = 1;
	*ret_transport = transport;
	return 0;
}

void kryos_fake_transport_free(struct kryos_fake_transport *transport)
{
	if (!transport)
		return;
	for (unsigned int i = 0; i < transport->count; i++) {
		free((char *)(uintptr_t)transport->messages[i]->seen.topic);
		free((char *)(uintptr_t)transport->messages[i]->seen.payload);
		free(transport->messages[i]);
	}
	free(transport->messages);
	free(transport->refused);
	pthread_mutex_destroy(&transport->lock);
	free(transport);
}

/* Under the lock. */
static void hang_up(struct link *link)
{
	struct kryos_fake_transport *transport = link->transport;

	link->up = 0;
	for (unsigned int i = 0; i < transport->count; i++)
		if (transport->messages[i]->link == link)
			transport->messages[i]->link = NULL;
}

static void acknowledge(struct kryos_fake_transport *transport, struct message *message)
{
	const struct link *link = message->link;

	message->done = 1;
	message->seen.acked = 1;
	for (int i = 0; i < 1 + transport->double_ack; i++)
		kryos_transport_report(link->port, KRYOS_TRANSPORT_ACKED, message->seen.token, 0, NULL);
}

static int check(const struct kryos_relay_config *config)
{
	return strncmp(config->url, "fake://", 7) ? kryos_fail(KRYOS_ECONFIG, "url: allowed is fake://name") : 0;
}

static int open_link(void *priv, const struct kryos_relay_config *config, struct kryos_link_port *port, void *userdata)
{
	struct link *link = priv;

	(void)config;
	*link = (struct link){ .transport = userdata, .port = port };
	pthread_mutex_lock(&link->transport->lock);
	link->next = link->transport->links;
	link->transport->links = link;
	pthread_mutex_unlock(&link->transport->lock);
	return 0;
}

static int connect_link(void *priv, const char *will_topic)
{
	struct link *link = priv;
	struct kryos_fake_transport *transport = link->transport;

	(void)will_topic;
	pthread_mutex_lock(&transport->lock);
	transport->connects++;
	if (transport->connect_result < 0)
		kryos_transport_report(link->port, KRYOS_TRANSPORT_DOWN, 0, transport->connect_result,
		                       "refused as the script says");
	link->up = transport->connect_result == 0;
	if (link->up)
		kryos_transport_report(link->port, KRYOS_TRANSPORT_UP, 0, 0, NULL);
	pthread_mutex_unlock(&transport->lock);
	return 0;
}

static struct message *message_new(const struct kryos_message *given)
{
	struct message *message = calloc(1, sizeof(*message));
	char *topic = strdup(given->topic), *payload = malloc(given->payload_count + 1);

	if (!message || !topic || !payload) {
		free(message);
		free(topic);
		free(payload);
		return NULL;
	}
	memcpy(payload, given->payload, given->payload_count);
	payload[given->payload_count] = 0;
	message->seen = (struct kryos_fake_message){ .token = given->token, .topic = topic, .payload = payload };
	return message;
}

static int keep(struct kryos_fake_transport *transport, struct message *message)
{
	if (transport->count == transport->capacity) {
		unsigned int capacity = transport->capacity ? 2 * transport->capacity : 64;
		struct message **grown = realloc(transport->messages, capacity * sizeof(struct message *));

		if (!grown)
			return -ENOMEM;
		transport->messages = grown;
		transport->capacity = capacity;
	}
	transport->messages[transport->count++] = message;
	return 0;
}

static int publish(void *priv, const struct kryos_message *given)
{
	struct link *link = priv;
	struct kryos_fake_transport *transport = link->transport;
	struct message *message;
	int r = -ENOTCONN;

	pthread_mutex_lock(&transport->lock);
	if (!link->up)
		goto unlock;
	r = -ENOMEM;
	message = message_new(given);
	if (!message)
		goto unlock;
	message->link = link;
	r = keep(transport, message);
	if (r < 0) {
		free((char *)(uintptr_t)message->seen.topic);
		free((char *)(uintptr_t)message->seen.payload);
		free(message);
		goto unlock;
	}
	if (transport->refused && strstr(message->seen.payload, transport->refused)) {
		message->done = 1;
		kryos_transport_report(link->port, KRYOS_TRANSPORT_REFUSED, given->token, 0,
		                       "refused as the script says");
	} else if (transport->auto_ack) {
		acknowledge(transport, message);
	}
unlock:
	pthread_mutex_unlock(&transport->lock);
	return r;
}

static void disconnect(void *priv)
{
	struct link *link = priv;

	pthread_mutex_lock(&link->transport->lock);
	hang_up(link);
	pthread_mutex_unlock(&link->transport->lock);
}

static void close_link(void *priv)
{
	struct link *link = priv, **at = &link->transport->links;

	pthread_mutex_lock(&link->transport->lock);
	hang_up(link);
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	pthread_mutex_unlock(&link->transport->lock);
}

static const struct kryos_transport_driver driver = {
	.size = sizeof(struct kryos_transport_driver),
	.name = "fake",
	.schemes = "fake",
	.private_size = sizeof(struct link),
	.check = check,
	.open = open_link,
	.connect = connect_link,
	.publish = publish,
	.disconnect = disconnect,
	.close = close_link,
};

/* The names in fake:// urls are nobody's. A test of resolving registers its own after this. */
static int resolve(void *userdata, const char *host, int64_t timeout_ns)
{
	(void)userdata;
	(void)host;
	(void)timeout_ns;
	return 0;
}

int kryos_fake_transport_attach(struct kryos_fake_transport *transport, struct kryos_ctx *ctx)
{
	int r = kryos_register_resolver(ctx, resolve, NULL);

	return r < 0 ? r : kryos_register_transport(ctx, &driver, transport);
}

void kryos_fake_transport_set_connect(struct kryos_fake_transport *transport, int result)
{
	pthread_mutex_lock(&transport->lock);
	transport->connect_result = result;
	pthread_mutex_unlock(&transport->lock);
}

void kryos_fake_transport_set_auto_ack(struct kryos_fake_transport *transport, int on)
{
	pthread_mutex_lock(&transport->lock);
	transport->auto_ack = on;
	pthread_mutex_unlock(&transport->lock);
}

void kryos_fake_transport_set_double_ack(struct kryos_fake_transport *transport, int on)
{
	pthread_mutex_lock(&transport->lock);
	transport->double_ack = on != 0;
	pthread_mutex_unlock(&transport->lock);
}

void kryos_fake_transport_ack(struct kryos_fake_transport *transport, int count, int reverse)
{
	pthread_mutex_lock(&transport->lock);
	for (unsigned int i = 0; i < transport->count && count > 0; i++) {
		struct message *message = transport->messages[reverse ? transport->count - 1 - i : i];

		if (message->done || !message->link)
			continue;
		acknowledge(transport, message);
		count--;
	}
	pthread_mutex_unlock(&transport->lock);
}

void kryos_fake_transport_refuse(struct kryos_fake_transport *transport, const char *text)
{
	pthread_mutex_lock(&transport->lock);
	free(transport->refused);
	transport->refused = text ? strdup(text) : NULL;
	pthread_mutex_unlock(&transport->lock);
}

void kryos_fake_transport_drop(struct kryos_fake_transport *transport, int code)
{
	pthread_mutex_lock(&transport->lock);
	for (struct link *link = transport->links; link; link = link->next) {
		if (!link->up)
			continue;
		hang_up(link);
		kryos_transport_report(link->port, KRYOS_TRANSPORT_DOWN, 0, code, "dropped as the script says");
	}
	pthread_mutex_unlock(&transport->lock);
}

int kryos_fake_transport_get(struct kryos_fake_transport *transport, unsigned int index,
                             struct kryos_fake_message *ret_message)
{
	int r = -ENOENT;

	pthread_mutex_lock(&transport->lock);
	if (index < transport->count) {
		*ret_message = transport->messages[index]->seen;
		r = 0;
	}
	pthread_mutex_unlock(&transport->lock);
	return r;
}

unsigned int kryos_fake_transport_count(struct kryos_fake_transport *transport)
{
	unsigned int count;

	pthread_mutex_lock(&transport->lock);
	count = transport->count;
	pthread_mutex_unlock(&transport->lock);
	return count;
}

unsigned int kryos_fake_transport_connects(struct kryos_fake_transport *transport)
{
	unsigned int connects;

	pthread_mutex_lock(&transport->lock);
	connects = transport->connects;
	pthread_mutex_unlock(&transport->lock);
	return connects;
}
