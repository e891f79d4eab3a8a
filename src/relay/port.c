/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"
#include <stdlib.h>
#include <string.h>

struct kryos_link_port {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	atomic_int refs;
	struct kri_report ring[KRI_PORT_MAX];
	unsigned int first, count;
	/* Apart, so that a full ring never hides that the link is down. It is taken after the ring. */
	struct kri_report down;
	bool has_down, poked, closed;
};

int kri_port_new(struct kryos_link_port **ret_port)
{
	struct kryos_link_port *port = calloc(1, sizeof(*port));

	if (!port)
		return kryos_fail(-ENOMEM, "relay: out of memory");
	pthread_mutex_init(&port->lock, NULL);
	kri_cond_init(&port->wake);
	atomic_init(&port->refs, 1);
	*ret_port = port;
	return 0;
}

struct kryos_link_port *kri_port_ref(struct kryos_link_port *port)
{
	atomic_fetch_add(&port->refs, 1);
	return port;
}

static void drop_all(struct kryos_link_port *port)
{
	for (; port->count; port->count--) {
		free(port->ring[port->first].text);
		port->first = (port->first + 1) % KRI_PORT_MAX;
	}
	if (port->has_down)
		free(port->down.text);
	port->has_down = false;
}

void kri_port_unref(struct kryos_link_port *port)
{
	if (!port || atomic_fetch_sub(&port->refs, 1) > 1)
		return;
	drop_all(port);
	pthread_cond_destroy(&port->wake);
	pthread_mutex_destroy(&port->lock);
	free(port);
}

static void post(struct kryos_link_port *port, int news, int64_t token, int code, const char *text)
{
	struct kri_report report = { .news = news, .token = token, .code = code, .text = text ? strdup(text) : NULL };

	pthread_mutex_lock(&port->lock);
	if (port->closed) {
		free(report.text);
	} else if (news == KRYOS_TRANSPORT_DOWN || port->count == KRI_PORT_MAX) {
		/* An acknowledgement that finds no room must not be lost silently: it costs the link. */
		if (news != KRYOS_TRANSPORT_DOWN) {
			free(report.text);
			report = (struct kri_report){ .news = KRYOS_TRANSPORT_DOWN,
				                      .code = -ENOBUFS,
				                      .text = strdup("more reports than can be kept") };
		}
		if (port->has_down) /* the first one says why */
			free(report.text);
		else
			port->down = report;
		port->has_down = true;
	} else {
		port->ring[(port->first + port->count++) % KRI_PORT_MAX] = report;
	}
	pthread_cond_broadcast(&port->wake);
	pthread_mutex_unlock(&port->lock);
}

void kryos_transport_report(struct kryos_link_port *port, enum kryos_transport_news news, int64_t token, int code,
                            const char *text)
{
	post(port, news, token, code, text);
}

bool kri_port_take(struct kryos_link_port *port, struct kri_report *ret_report)
{
	bool taken = true;

	pthread_mutex_lock(&port->lock);
	if (port->count) {
		*ret_report = port->ring[port->first];
		port->first = (port->first + 1) % KRI_PORT_MAX;
		port->count--;
	} else if (port->has_down) {
		*ret_report = port->down;
		port->has_down = false;
	} else {
		taken = false;
	}
	pthread_mutex_unlock(&port->lock);
	return taken;
}

void kri_port_clear(struct kryos_link_port *port)
{
	struct kri_report kept[4];
	unsigned int keep = 0;

	pthread_mutex_lock(&port->lock);
	for (unsigned int i = 0; i < port->count; i++) {
		struct kri_report *report = &port->ring[(port->first + i) % KRI_PORT_MAX];

		if (report->news == KRI_NEWS_RESOLVED && keep < KRI_ARRAY_SIZE(kept)) {
			kept[keep++] = *report;
			report->text = NULL;
		}
	}
	drop_all(port);
	memcpy(port->ring, kept, keep * sizeof(kept[0]));
	port->first = 0;
	port->count = keep;
	pthread_mutex_unlock(&port->lock);
}

void kri_port_poke(struct kryos_link_port *port)
{
	pthread_mutex_lock(&port->lock);
	port->poked = true;
	pthread_cond_broadcast(&port->wake);
	pthread_mutex_unlock(&port->lock);
}

bool kri_port_wait(struct kryos_link_port *port, int64_t timeout_ns)
{
	bool poked;

	pthread_mutex_lock(&port->lock);
	while (!port->poked && !port->count && !port->has_down)
		if (kri_cond_wait(&port->wake, &port->lock, timeout_ns) < 0)
			break;
	poked = port->poked;
	port->poked = false;
	pthread_mutex_unlock(&port->lock);
	return poked;
}

void kri_port_close(struct kryos_link_port *port)
{
	pthread_mutex_lock(&port->lock);
	port->closed = true;
	drop_all(port);
	pthread_mutex_unlock(&port->lock);
}
