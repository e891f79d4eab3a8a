/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PAIRS 32

struct pair {
	int client, server; /* -1: free */
	size_t forwarded;
};

struct proxy {
	pthread_mutex_t lock;
	pthread_t thread;
	int listener;
	uint16_t port, to;
	enum proxy_mode mode;
	size_t limit;
	unsigned int connections;
	bool cut, stop;
	struct pair pairs[MAX_PAIRS]; /* the thread's */
};

static int dial(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons(port),
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void pair_close(struct pair *pair)
{
	if (pair->client >= 0)
		close(pair->client);
	if (pair->server >= 0)
		close(pair->server);
	pair->client = pair->server = -1;
}

static void take_in(struct proxy *proxy)
{
	int fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
	enum proxy_mode mode;

	if (fd < 0)
		return;
	pthread_mutex_lock(&proxy->lock);
	proxy->connections++;
	mode = proxy->mode;
	pthread_mutex_unlock(&proxy->lock);
	for (struct pair *pair = proxy->pairs; mode != PROXY_CLOSE && pair < proxy->pairs + MAX_PAIRS; pair++) {
		if (pair->client >= 0)
			continue;
		*pair = (struct pair){ .client = fd, .server = -1 };
		if (mode == PROXY_PASS || mode == PROXY_ONE_WAY) {
			pair->server = dial(proxy->to);
			if (pair->server < 0)
				pair_close(pair);
		}
		return;
	}
	close(fd);
}

/* MQTT 5: CONNACK, then DISCONNECT with reason 0x8E, session taken over. */
static void take_over(struct pair *pair)
{
	static const unsigned char answer[] = { 0x20, 3, 0, 0, 0, 0xe0, 2, 0x8e, 0 };
	char buffer[1024];

	if (recv(pair->client, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		(void)!send(pair->client, answer, sizeof(answer), MSG_NOSIGNAL);
}

/* False: the connection is over. */
static bool forward(int from, int to, bool swallow, size_t *ret_count)
{
	char buffer[16384];
	ssize_t n = recv(from, buffer, sizeof(buffer), MSG_DONTWAIT), sent = 0;

	if (n <= 0)
		return false;
	*ret_count += (size_t)n;
	while (!swallow && to >= 0 && sent < n) {
		ssize_t more = send(to, buffer + sent, (size_t)(n - sent), MSG_NOSIGNAL);

		if (more <= 0)
			return false;
		sent += more;
	}
	return true;
}

static void *run(void *data)
{
	struct proxy *proxy = data;
	struct pollfd fds[1 + 2 * MAX_PAIRS];

	for (;;) {
		enum proxy_mode mode;
		size_t limit, ignored = 0;
		bool cut, stop;

		pthread_mutex_lock(&proxy->lock);
		cut = proxy->cut;
		stop = proxy->stop;
		proxy->cut = false;
		pthread_mutex_unlock(&proxy->lock);
		for (int i = 0; i < MAX_PAIRS; i++)
			if (cut || stop)
				pair_close(&proxy->pairs[i]);
		if (stop)
			return NULL;
		fds[0] = (struct pollfd){ .fd = proxy->listener, .events = POLLIN };
		for (int i = 0; i < MAX_PAIRS; i++) {
			fds[1 + 2 * i] = (struct pollfd){ .fd = proxy->pairs[i].client, .events = POLLIN };
			fds[2 + 2 * i] = (struct pollfd){ .fd = proxy->pairs[i].server, .events = POLLIN };
		}
		if (poll(fds, 1 + 2 * MAX_PAIRS, 5) <= 0)
			continue;
		pthread_mutex_lock(&proxy->lock);
		mode = proxy->mode;
		limit = proxy->limit;
		pthread_mutex_unlock(&proxy->lock);
		for (int i = 0; i < MAX_PAIRS; i++) {
			struct pair *pair = &proxy->pairs[i];
			bool good = true;

			if (fds[1 + 2 * i].revents && mode == PROXY_TAKE_OVER && pair->server < 0)
				take_over(pair);
			else if (fds[1 + 2 * i].revents)
				good = forward(pair->client, pair->server, false, &pair->forwarded);
			if (good && fds[2 + 2 * i].revents)
				good = forward(pair->server, pair->client, mode == PROXY_ONE_WAY, &ignored);
			if (!good || (limit && pair->forwarded >= limit))
				pair_close(pair);
		}
		if (fds[0].revents)
			take_in(proxy);
	}
}

struct proxy *proxy_start(uint16_t to_port)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	if (!proxy)
		abort();
	pthread_mutex_init(&proxy->lock, NULL);
	for (int i = 0; i < MAX_PAIRS; i++)
		proxy->pairs[i].client = proxy->pairs[i].server = -1;
	proxy->to = to_port;
	proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(proxy->listener, (struct sockaddr *)&address, sizeof(address)) || listen(proxy->listener, 16) ||
	    getsockname(proxy->listener, (struct sockaddr *)&address, &size))
		abort();
	proxy->port = ntohs(address.sin_port);
	if (pthread_create(&proxy->thread, NULL, run, proxy))
		abort();
	return proxy;
}

uint16_t proxy_port(const struct proxy *proxy)
{
	return proxy->port;
}

void proxy_set_mode(struct proxy *proxy, enum proxy_mode mode)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->mode = mode;
	pthread_mutex_unlock(&proxy->lock);
}

void proxy_set_limit(struct proxy *proxy, size_t bytes)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->limit = bytes;
	pthread_mutex_unlock(&proxy->lock);
}

void proxy_cut(struct proxy *proxy)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->cut = true;
	pthread_mutex_unlock(&proxy->lock);
}

unsigned int proxy_connections(struct proxy *proxy)
{
	unsigned int connections;

	pthread_mutex_lock(&proxy->lock);
	connections = proxy->connections;
	pthread_mutex_unlock(&proxy->lock);
	return connections;
}

void proxy_free(struct proxy *proxy)
{
	if (!proxy)
		return;
	pthread_mutex_lock(&proxy->lock);
	proxy->stop = true;
	pthread_mutex_unlock(&proxy->lock);
	pthread_join(proxy->thread, NULL);
	close(proxy->listener);
	pthread_mutex_destroy(&proxy->lock);
	free(proxy);
}
