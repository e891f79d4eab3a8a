/* SPDX-License-Identifier: Apache-2.0 */
/* A subscriber of its own making (MQTT 3.1.1), so that what is checked does not pass through the library it checks. */
#include "broker.h"
#include <arpa/inet.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct sink {
	int fd;
	unsigned char *bytes;
	size_t count, capacity;
	char **lines;
	size_t line_count, line_capacity, line_bytes;
	bool subscribed;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void keep(struct sink *sink, int retained, const unsigned char *topic, size_t topic_count,
                 const unsigned char *payload, size_t payload_count)
{
	char *line = malloc(topic_count + payload_count + 4);

	if (sink->line_count == sink->line_capacity) {
		sink->line_capacity = sink->line_capacity ? 2 * sink->line_capacity : 64;
		sink->lines = realloc(sink->lines, sink->line_capacity * sizeof(char *));
	}
	if (!line || !sink->lines)
		abort();
	sprintf(line, "%d %.*s ", retained, (int)topic_count, (const char *)topic);
	memcpy(line + topic_count + 3, payload, payload_count);
	line[topic_count + 3 + payload_count] = 0;
	sink->line_bytes += malloc_usable_size(line) + sizeof(size_t);
	sink->lines[sink->line_count++] = line;
}

/* MQTT 3.1.1, 3.3: topic, packet id at QoS 1, payload. */
static void on_publish(struct sink *sink, unsigned char flags, const unsigned char *body, size_t count)
{
	size_t topic_count = (size_t)body[0] << 8 | body[1], at = 2 + topic_count;

	if (flags & 6) {
		unsigned char ack[4] = { 0x40, 2, body[at], body[at + 1] };

		at += 2;
		if (send(sink->fd, ack, sizeof(ack), MSG_NOSIGNAL) < 0)
			return;
	}
	keep(sink, flags & 1, body + 2, topic_count, body + at, count - at);
}

static void take_packets(struct sink *sink)
{
	for (;;) {
		size_t head = 1, length = 0;
		unsigned int shift = 0;
		unsigned char byte;

		do {
			if (head >= sink->count)
				return;
			byte = sink->bytes[head++];
			length |= (size_t)(byte & 127) << shift;
			shift += 7;
		} while (byte & 128);
		if (sink->count < head + length)
			return;
		if (sink->bytes[0] >> 4 == 3)
			on_publish(sink, sink->bytes[0] & 15, sink->bytes + head, length);
		else if (sink->bytes[0] >> 4 == 9) /* SUBACK */
			sink->subscribed = true;
		sink->count -= head + length;
		memmove(sink->bytes, sink->bytes + head + length, sink->count);
	}
}

static void read_more(struct sink *sink, int ms)
{
	struct pollfd ready = { .fd = sink->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&ready, 1, ms) <= 0)
		return;
	for (;;) {
		if (sink->capacity - sink->count < 65536) {
			sink->capacity = sink->capacity ? 2 * sink->capacity : 262144;
			sink->bytes = realloc(sink->bytes, sink->capacity);
			if (!sink->bytes)
				abort();
		}
		n = recv(sink->fd, sink->bytes + sink->count, sink->capacity - sink->count, MSG_DONTWAIT);
		if (n <= 0)
			break;
		sink->count += (size_t)n;
		take_packets(sink);
	}
	if (n == 0) /* the broker is gone: do not spin */
		poll(NULL, 0, ms);
}

struct sink *sink_start(uint16_t port)
{
	static const unsigned char hello[] = { 0x10, 16,  0,   4,   'M', 'Q',  'T', 'T', 4, 2, 0, 0,   0,
		                               4,    's', 'i', 'n', 'k', 0x82, 6,   0,   1, 0, 1, '#', 1 };
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons(port),
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sink *sink = calloc(1, sizeof(*sink));
	int64_t until = now_ms() + 5000;

	if (!sink)
		abort();
	sink->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(sink->fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    send(sink->fd, hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello))
		while (!sink->subscribed && now_ms() < until)
			read_more(sink, 50);
	if (sink->subscribed)
		return sink;
	sink_free(sink);
	return NULL;
}

size_t sink_count(struct sink *sink, const char *text)
{
	size_t count = 0;

	read_more(sink, 0);
	for (size_t i = 0; i < sink->line_count; i++)
		count += !text || strstr(sink->lines[i], text);
	return count;
}

const char *sink_line(struct sink *sink, size_t index)
{
	read_more(sink, 0);
	return index < sink->line_count ? sink->lines[index] : NULL;
}

bool sink_wait(struct sink *sink, const char *text, size_t count, int ms)
{
	int64_t until = now_ms() + ms;

	while (sink_count(sink, text) < count) {
		int64_t left = until - now_ms();

		if (left <= 0)
			return false;
		read_more(sink, left > 50 ? 50 : (int)left);
	}
	return true;
}

size_t sink_bytes(const struct sink *sink)
{
	return sink->line_bytes + sink->line_capacity * sizeof(char *) + sink->capacity;
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	close(sink->fd);
	for (size_t i = 0; i < sink->line_count; i++)
		free(sink->lines[i]);
	free(sink->lines);
	free(sink->bytes);
	free(sink);
}
