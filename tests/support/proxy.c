/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_flow.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PAIRS 32
#define MAX_WAITING (256 * 1024) /* bytes: then the sender is held up, as a slow network does */

struct proxy {
	pthread_mutex_t lock;
	pthread_t thread;
	int listener, wake;
	uint16_t port, to;
	enum proxy_mode mode;
	enum proxy_frame frame;
	size_t limit;
	unsigned int connections;
	bool cut, stop;
	struct plot plot;             /* under lock */
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
	struct linger at_once = { .l_onoff = 1 };

	for (int i = 0; i < 2; i++) {
		if (pair->fds[i] >= 0 && pair->ending == RESETS)
			setsockopt(pair->fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		if (pair->fds[i] >= 0)
			close(pair->fds[i]);
		flow_clear(&pair->flows[i]);
	}
	*pair = (struct pair){ .fds = { -1, -1 } };
}

static void take_in(struct proxy *proxy)
{
	int fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
	enum proxy_mode mode = proxy->mode;

	if (fd < 0)
		return;
	proxy->connections++;
	for (struct pair *pair = proxy->pairs; mode != PROXY_CLOSE && pair < proxy->pairs + MAX_PAIRS; pair++) {
		if (pair->used)
			continue;
		*pair = (struct pair){ .fds = { fd, -1 }, .used = true, .frame = proxy->frame };
		if (mode == PROXY_PASS || mode == PROXY_ONE_WAY) {
			pair->fds[1] = dial(proxy->to);
			if (pair->fds[1] < 0)
				pair_close(pair);
		}
		for (int i = 0; i < 2; i++)
			if (pair->fds[i] >= 0)
				setsockopt(pair->fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		return;
	}
	close(fd);
}

/* MQTT 5: CONNACK, then DISCONNECT with reason 0x8E, session taken over. */
static void take_over(struct pair *pair)
{
	static const unsigned char reply[] = { 0x20, 3, 0, 0, 0, 0xe0, 2, 0x8e, 0 };
	char buffer[1024];

	if (recv(pair->fds[0], buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		(void)!send(pair->fds[0], reply, sizeof(reply), MSG_NOSIGNAL);
}

/* False: that side is gone. */
static bool read_side(struct proxy *proxy, struct pair *pair, enum proxy_way way)
{
	unsigned char buffer[16384];
	ssize_t n = recv(pair->fds[way], buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n <= 0 && way == PROXY_BACK && pair->flows[way].hole) {
		/* Nobody hears of it. */
		close(pair->fds[1]);
		pair->fds[1] = -1;
		return true;
	}
	if (n <= 0)
		return false;
	if (way == PROXY_UP)
		pair->forwarded += (size_t)n;
	if (way == PROXY_BACK && proxy->mode == PROXY_ONE_WAY)
		return true;
	flow_take(pair, &proxy->plot, way, buffer, (size_t)n);
	return true;
}

static bool is_frozen(const struct pair *pair, int64_t now)
{
	return pair->frozen_until_ms > now;
}

static void serve(struct proxy *proxy, struct pair *pair, const struct pollfd ready[2], int64_t now)
{
	if (is_frozen(pair, now)) {
		if (ready[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) /* the client gave up */
			pair_close(pair);
		return;
	}
	if (ready[0].revents && proxy->mode == PROXY_TAKE_OVER && pair->fds[1] < 0) {
		take_over(pair);
		return;
	}
	for (int way = 0; way < 2; way++)
		if ((ready[way].revents & (POLLIN | POLLHUP | POLLERR)) && pair->ending == GOES_ON &&
		    !read_side(proxy, pair, (enum proxy_way)way))
			pair->ending = ENDS;
	for (int way = 0; way < 2; way++)
		if (!flow_write(pair, (enum proxy_way)way, now)) {
			pair_close(pair);
			return;
		}
	if (proxy->limit && pair->forwarded >= proxy->limit)
		pair->ending = ENDS;
	if (pair->ending && !pair->flows[0].first && !pair->flows[1].first && !is_frozen(pair, now))
		pair_close(pair);
}

static int64_t wishes(const struct pair *pair, struct pollfd fds[2], int64_t now)
{
	int64_t due = INT64_MAX;

	for (int way = 0; way < 2; way++) {
		bool full = pair->flows[way].out_count > MAX_WAITING || pair->ending;
		int64_t next = flow_due(pair, (enum proxy_way)way);

		fds[way] = (struct pollfd){ .fd = full ? -1 : pair->fds[way], .events = POLLIN };
		if (next <= now) /* the other side has no room: do not spin */
			next = now + 2;
		due = next < due ? next : due;
	}
	if (!is_frozen(pair, now))
		return due;
	fds[0] = (struct pollfd){ .fd = pair->fds[0], .events = POLLRDHUP };
	fds[1].fd = -1;
	return pair->frozen_until_ms;
}

static void *run(void *data)
{
	struct proxy *proxy = data;
	struct pollfd fds[2 + 2 * MAX_PAIRS];

	for (;;) {
		int64_t now = proxy_now_ms(), due = INT64_MAX;
		uint64_t ignored;
		bool stop;

		pthread_mutex_lock(&proxy->lock);
		stop = proxy->stop;
		for (int i = 0; i < MAX_PAIRS; i++)
			if (proxy->pairs[i].used && (proxy->cut || stop))
				pair_close(&proxy->pairs[i]);
		proxy->cut = false;
		pthread_mutex_unlock(&proxy->lock);
		if (stop)
			return NULL;
		for (int i = 0; i < MAX_PAIRS; i++) {
			int64_t next = wishes(&proxy->pairs[i], &fds[2 + 2 * i], now);

			due = next < due ? next : due;
		}
		fds[0] = (struct pollfd){ .fd = proxy->listener, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = proxy->wake, .events = POLLIN };
		if (poll(fds, 2 + 2 * MAX_PAIRS, due == INT64_MAX ? -1 : due > now ? (int)(due - now) : 0) < 0)
			continue;
		now = proxy_now_ms();
		if (fds[1].revents)
			(void)!read(proxy->wake, &ignored, sizeof(ignored));
		pthread_mutex_lock(&proxy->lock);
		for (int i = 0; i < MAX_PAIRS; i++)
			if (proxy->pairs[i].used)
				serve(proxy, &proxy->pairs[i], &fds[2 + 2 * i], now);
		if (fds[0].revents)
			take_in(proxy);
		pthread_mutex_unlock(&proxy->lock);
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
		proxy->pairs[i] = (struct pair){ .fds = { -1, -1 } };
	proxy->to = to_port;
	proxy->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
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

static void unlock_and_wake(struct proxy *proxy)
{
	uint64_t one = 1;

	pthread_mutex_unlock(&proxy->lock);
	(void)!write(proxy->wake, &one, sizeof(one));
}

void proxy_set_mode(struct proxy *proxy, enum proxy_mode mode)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->mode = mode;
	unlock_and_wake(proxy);
}

void proxy_set_limit(struct proxy *proxy, size_t bytes)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->limit = bytes;
	unlock_and_wake(proxy);
}

void proxy_set_target(struct proxy *proxy, uint16_t to_port)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->to = to_port;
	unlock_and_wake(proxy);
}

void proxy_set_narrow(struct proxy *proxy)
{
	/* Accepted sockets inherit both. Segments as small as on old lines keep the sender's own buffer small too. */
	int bytes = 2048, segment = 536;

	setsockopt(proxy->listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(proxy->listener, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
}

void proxy_set_frame(struct proxy *proxy, enum proxy_frame frame)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->frame = frame;
	unlock_and_wake(proxy);
}

void proxy_set_script(struct proxy *proxy, const struct proxy_script *script)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->plot.script = script ? *script : (struct proxy_script){ 0 };
	proxy->plot.connections_struck = 0;
	unlock_and_wake(proxy);
}

void proxy_cut(struct proxy *proxy)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->cut = true;
	unlock_and_wake(proxy);
}

unsigned int proxy_connections(struct proxy *proxy)
{
	unsigned int connections;

	pthread_mutex_lock(&proxy->lock);
	connections = proxy->connections;
	pthread_mutex_unlock(&proxy->lock);
	return connections;
}

struct proxy_tally proxy_get_tally(struct proxy *proxy)
{
	struct proxy_tally tally;

	pthread_mutex_lock(&proxy->lock);
	tally = proxy->plot.tally;
	pthread_mutex_unlock(&proxy->lock);
	return tally;
}

void proxy_free(struct proxy *proxy)
{
	if (!proxy)
		return;
	pthread_mutex_lock(&proxy->lock);
	proxy->stop = true;
	unlock_and_wake(proxy);
	pthread_join(proxy->thread, NULL);
	close(proxy->wake);
	close(proxy->listener);
	pthread_mutex_destroy(&proxy->lock);
	free(proxy);
}
