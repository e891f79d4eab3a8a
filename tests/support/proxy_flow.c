/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy_flow.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int64_t proxy_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void emit(struct pair *pair, enum proxy_way way, const unsigned char *data, size_t count)
{
	struct flow *flow = &pair->flows[way];
	struct chunk *chunk;

	if (!count || flow->hole || pair->fds[!way] < 0)
		return;
	chunk = malloc(sizeof(*chunk) + count);
	if (!chunk)
		abort();
	*chunk = (struct chunk){ .due_ms = proxy_now_ms() + flow->delay_ms, .count = count };
	memcpy(chunk->data, data, count);
	if (flow->last)
		flow->last->next = chunk;
	else
		flow->first = chunk;
	flow->last = chunk;
	flow->out_count += count;
}

/* Size of the packet that data begins with; 0: more is needed to know. */
static size_t packet_size(enum proxy_frame frame, const unsigned char *data, size_t count)
{
	size_t length = 0, head = 1;

	if (frame == PROXY_BYTES)
		return count;
	if (frame == PROXY_TLS)
		return count < 5 ? 0 : 5 + ((size_t)data[3] << 8 | data[4]);
	for (unsigned int shift = 0; head < count && shift < 28; shift += 7) {
		unsigned char byte = data[head++];

		length |= (size_t)(byte & 127) << shift;
		if (!(byte & 128))
			return head + length;
	}
	return 0;
}

static unsigned int packet_type(enum proxy_frame frame, const unsigned char *packet)
{
	return frame == PROXY_MQTT ? packet[0] >> 4 : frame == PROXY_TLS ? packet[0] & 31 : 0;
}

static void count_packet(struct pair *pair, struct plot *plot, enum proxy_way way, const unsigned char *packet)
{
	unsigned int type = packet_type(pair->frame, packet);

	plot->tally.packets[way][type]++;
	if (pair->frame != PROXY_MQTT)
		return;
	if (way == PROXY_UP && type == MQTT_PUBLISH && ++pair->unacked > plot->tally.max_unacked)
		plot->tally.max_unacked = pair->unacked;
	if (way == PROXY_BACK && type == MQTT_PUBACK && pair->unacked)
		pair->unacked--;
}

static bool is_meant(struct pair *pair, struct plot *plot, enum proxy_way way, const unsigned char *packet,
                     size_t count)
{
	const struct proxy_script *script = &plot->script;

	if (!script->fault || script->way != way || (script->type && script->type != packet_type(pair->frame, packet)))
		return false;
	if (script->text && !memmem(packet, count, script->text, strlen(script->text)))
		return false;
	pair->matched++;
	if (script->nth && script->nth != pair->matched)
		return false;
	if (!pair->struck && script->times && plot->connections_struck >= script->times)
		return false;
	plot->connections_struck += !pair->struck;
	pair->struck = true;
	plot->tally.struck++;
	return true;
}

/* MQTT 5, 3.4 and 3.14. */
static void answer(struct pair *pair, const struct proxy_script *script, const unsigned char *packet, size_t count)
{
	size_t at = 1, topic;

	while (packet[at++] & 128)
		;
	topic = (size_t)packet[at] << 8 | packet[at + 1];
	if (script->fault == PROXY_BYE) {
		const unsigned char bye[] = { 0xe0, 2, script->reason, 0 };

		emit(pair, PROXY_BACK, bye, sizeof(bye));
		pair->ending = ENDS;
	} else if (at + topic + 4 <= count) {
		const unsigned char ack[] = {
			0x40, 4, packet[at + 2 + topic], packet[at + 3 + topic], script->reason, 0
		};

		emit(pair, PROXY_BACK, ack, sizeof(ack));
	}
}

static void strike(struct pair *pair, const struct proxy_script *script, enum proxy_way way,
                   const unsigned char *packet, size_t count)
{
	struct flow *flow = &pair->flows[way];
	size_t before = script->bytes == PROXY_MIDDLE ? count / 2 : script->bytes < count ? script->bytes : count;

	switch (script->fault) {
	case PROXY_DELAY:
		flow->delay_ms = script->ms;
		emit(pair, way, packet, count);
		return;
	case PROXY_DRIP:
		flow->drip_ms = script->ms;
		emit(pair, way, packet, count);
		return;
	case PROXY_TWICE:
		emit(pair, way, packet, count);
		emit(pair, way, packet, count);
		return;
	case PROXY_REFUSE:
	case PROXY_BYE:
		answer(pair, script, packet, count);
		return;
	default:
		break;
	}
	emit(pair, way, packet, before);
	switch (script->fault) {
	case PROXY_CUT:
		pair->ending = ENDS;
		break;
	case PROXY_RESET:
		pair->ending = RESETS;
		break;
	case PROXY_HOLE_BOTH:
		pair->flows[!way].hole = true;
		/* fall through */
	case PROXY_HOLE:
		flow->hole = true;
		break;
	case PROXY_HALF_OPEN:
		pair->frozen_until_ms = INT64_MAX;
		pair->flows[!way].hole = flow->hole = true; /* what was read already */
		break;
	case PROXY_STALL:
		pair->frozen_until_ms = proxy_now_ms() + script->ms;
		emit(pair, way, packet + before, count - before);
		break;
	default:
		break;
	}
}

void flow_take(struct pair *pair, struct plot *plot, enum proxy_way way, const unsigned char *data, size_t count)
{
	struct flow *flow = &pair->flows[way];
	size_t at = 0, size;

	if (flow->in_count + count > flow->in_capacity) {
		flow->in_capacity = 2 * (flow->in_count + count);
		flow->in = realloc(flow->in, flow->in_capacity);
		if (!flow->in)
			abort();
	}
	memcpy(flow->in + flow->in_count, data, count);
	flow->in_count += count;
	while (at < flow->in_count && pair->ending == GOES_ON) {
		const unsigned char *packet = flow->in + at;

		size = packet_size(pair->frame, packet, flow->in_count - at);
		if (!size || size > flow->in_count - at)
			break;
		if (!flow->hole) {
			count_packet(pair, plot, way, packet);
			if (is_meant(pair, plot, way, packet, size))
				strike(pair, &plot->script, way, packet, size);
			else
				emit(pair, way, packet, size);
		}
		at += size;
	}
	if (at)
		memmove(flow->in, flow->in + at, flow->in_count - at);
	flow->in_count -= at;
}

bool flow_write(struct pair *pair, enum proxy_way way, int64_t now_ms)
{
	struct flow *flow = &pair->flows[way];
	struct chunk *chunk;

	while ((chunk = flow->first) && chunk->due_ms <= now_ms) {
		size_t count = chunk->count - chunk->at;
		ssize_t n;

		if (flow->drip_ms && flow->drip_at_ms > now_ms)
			return true;
		n = send(pair->fds[!way], chunk->data + chunk->at, flow->drip_ms ? 1 : count,
		         MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN;
		flow->drip_at_ms = now_ms + flow->drip_ms;
		chunk->at += (size_t)n;
		flow->out_count -= (size_t)n;
		if (chunk->at < chunk->count)
			continue;
		flow->first = chunk->next;
		if (!flow->first)
			flow->last = NULL;
		free(chunk);
	}
	return true;
}

int64_t flow_due(const struct pair *pair, enum proxy_way way)
{
	const struct flow *flow = &pair->flows[way];

	if (!flow->first)
		return INT64_MAX;
	return flow->drip_ms && flow->drip_at_ms > flow->first->due_ms ? flow->drip_at_ms : flow->first->due_ms;
}

void flow_clear(struct flow *flow)
{
	while (flow->first) {
		struct chunk *chunk = flow->first;

		flow->first = chunk->next;
		free(chunk);
	}
	free(flow->in);
	*flow = (struct flow){ 0 };
}
