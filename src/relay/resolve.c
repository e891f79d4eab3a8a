/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getaddrinfo(3) has no limit of its own: with two dead servers in resolv.conf it takes 20 s and
 * more, and inside Paho it would be called under a mutex of the whole process. So the name is looked
 * up here first, and Paho is only called for a name that was resolved a moment ago.
 */
#include "relay.h"
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_LOOKUPS 4 /* threads that may hang at a time */

struct kri_resolver {
	atomic_int refs;
	atomic_int running;
	struct kryos_link_port *port;
	char *host;
	bool numeric;
	int64_t timeout_ns;
	kryos_resolve_fn registered; /* NULL: getaddrinfo */
	void *userdata;
};

struct lookup {
	struct kri_resolver *resolver;
	int64_t token;
};

static void resolver_unref(struct kri_resolver *resolver)
{
	if (atomic_fetch_sub(&resolver->refs, 1) > 1)
		return;
	kri_port_unref(resolver->port);
	free(resolver->host);
	free(resolver);
}

static int take_first(void *data, const void *driver, void *userdata)
{
	struct kri_resolver *resolver = data;

	resolver->registered = *(const kryos_resolve_fn *)driver;
	resolver->userdata = userdata;
	return 1;
}

static int look_up(const char *host)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found = NULL;
	int r = getaddrinfo(host, NULL, &hints, &found);

	if (r)
		return kryos_fail(-EHOSTUNREACH, "the name \"%s\" cannot be resolved: %s", host,
		                  r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
	freeaddrinfo(found);
	return 0;
}

static void run(void *data)
{
	struct lookup *lookup = data;
	struct kri_resolver *resolver = lookup->resolver;
	int r;

	if (resolver->registered)
		r = resolver->registered(resolver->userdata, resolver->host, resolver->timeout_ns);
	else
		r = look_up(resolver->host);
	atomic_fetch_sub(&resolver->running, 1);
	kryos_transport_report(resolver->port, (enum kryos_transport_news)KRI_NEWS_RESOLVED, lookup->token,
	                       r < 0 ? r : 0, r < 0 ? kryos_strerror(r) : NULL);
	resolver_unref(resolver);
	free(lookup);
}

int kri_resolver_new(struct kri_resolver **ret_resolver, struct kryos_ctx *ctx, struct kryos_link_port *port,
                     const char *host, bool numeric, int64_t timeout_ns)
{
	struct kri_resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return kryos_fail(-ENOMEM, "relay: out of memory");
	resolver->host = strdup(host);
	if (!resolver->host) {
		free(resolver);
		return kryos_fail(-ENOMEM, "relay: out of memory");
	}
	atomic_init(&resolver->refs, 1);
	atomic_init(&resolver->running, 0);
	resolver->port = kri_port_ref(port);
	kri_registry_each(ctx, KRI_RESOLVER, take_first, resolver);
	resolver->numeric = numeric;
	resolver->timeout_ns = timeout_ns;
	*ret_resolver = resolver;
	return 0;
}

void kri_resolver_free(struct kri_resolver *resolver)
{
	if (resolver)
		resolver_unref(resolver);
}

int kri_resolver_start(struct kri_resolver *resolver, int64_t token)
{
	struct lookup *lookup;
	int r;

	if (resolver->numeric) {
		kryos_transport_report(resolver->port, (enum kryos_transport_news)KRI_NEWS_RESOLVED, token, 0, NULL);
		return 0;
	}
	if (atomic_load(&resolver->running) >= MAX_LOOKUPS)
		return 0;
	lookup = malloc(sizeof(*lookup));
	if (!lookup)
		return kryos_fail(-ENOMEM, "relay: out of memory");
	lookup->resolver = resolver;
	lookup->token = token;
	atomic_fetch_add(&resolver->refs, 1);
	atomic_fetch_add(&resolver->running, 1);
	r = kri_thread_start("kryos-resolve", run, lookup);
	if (r < 0) {
		atomic_fetch_sub(&resolver->running, 1);
		resolver_unref(resolver);
		free(lookup);
	}
	return r;
}
