/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixty days without a link, four channels, a sample a minute of each: what the relay's state machine sends when
 * the link is back, at the default rate, second by second of the nearly five hours that it takes.
 */
#include "relay/link.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG (60 * 1440 * 4)
#define FRESH_MAX 40000 /* live samples and events */
#define WINDOW 16
#define RATE 20
#define SHARE 4 /* of RATE for live samples: 20 % */
#define BURST 100
#define RTT KRYOS_MILLISECONDS(200)

enum kind { EVENTS, LIVE, OLD, KINDS };

struct message {
	int64_t token, due;
};

struct fresh {
	int64_t seq, arrived, acked;
};

struct world {
	int64_t now, last_seq;
	struct kri_link link;
	struct kryos_relay_config relay_config;
	struct kryos_record record;
	struct kryos_event event;
	int64_t old_next;                 /* of the backlog, from 1 */
	struct fresh fresh[2][FRESH_MAX]; /* EVENTS, LIVE */
	unsigned int fresh_count[2], lent_count[2];
	struct message pending[2 * WINDOW];
	unsigned int pending_first, pending_count;
	int64_t published[KINDS], acked[KINDS];
	int64_t last_acked[KINDS];
	enum kind kind; /* of the record lent last */
};

static int queue_next(void *data, unsigned int streams, const struct kryos_record **ret_record)
{
	struct world *world = data;
	int64_t seq;

	world->kind = streams == KRYOS_STREAM_EVENTS ? EVENTS : streams == KRYOS_STREAM_LIVE ? LIVE : OLD;
	if (world->kind == OLD) {
		if (world->old_next > BACKLOG)
			return 0;
		seq = world->old_next++;
	} else {
		if (world->lent_count[world->kind] == world->fresh_count[world->kind])
			return 0;
		seq = world->fresh[world->kind][world->lent_count[world->kind]++].seq;
	}
	world->record = (struct kryos_record){ .size = sizeof(world->record),
		                               .stream = (enum kryos_stream)streams,
		                               .seq = seq,
		                               .event = world->kind == EVENTS ? &world->event : NULL,
		                               .sample = { .trust = KRYOS_TRUST_SYNCED } };
	*ret_record = &world->record;
	return 1;
}

static int queue_ack(void *data, int64_t seq)
{
	struct world *world = data;
	enum kind kind = OLD;

	for (int k = EVENTS; k <= LIVE && seq > BACKLOG; k++) {
		struct fresh *fresh = &world->fresh[k][world->acked[k]];

		if (world->acked[k] < world->fresh_count[k] && fresh->seq == seq) {
			fresh->acked = world->now;
			kind = (enum kind)k;
		}
	}
	/* Each in order, and once: what is acknowledged is what was acknowledged before, and one. */
	if (kind == OLD)
		assert_int_equal(seq, world->last_acked[OLD] + 1);
	assert_true(seq > world->last_acked[kind]);
	world->last_acked[kind] = seq;
	world->acked[kind]++;
	return 0;
}

static int never_seq(void *data, int64_t seq)
{
	(void)data;
	fail_msg("record %lld was given back", (long long)seq);
	return 0;
}

static int never_reject(void *data, int64_t seq, const char *reason)
{
	(void)data;
	fail_msg("record %lld was rejected: %s", (long long)seq, reason);
	return 0;
}

static int nothing(void *data)
{
	(void)data;
	return 0;
}

static int resolve(void *data, int64_t token)
{
	kryos_transport_report(((struct world *)data)->link.port, (enum kryos_transport_news)KRI_NEWS_RESOLVED, token,
	                       0, NULL);
	return 0;
}

static unsigned int trust(void *data)
{
	(void)data;
	return KRYOS_TRUST_SYNCED;
}

static void announce(void *data, bool up, int code, const char *text)
{
	(void)data;
	(void)code;
	if (!up)
		fail_msg("the link was lost: %s", text);
}

static int t_open(void *priv, const struct kryos_relay_config *config, struct kryos_link_port *port, void *userdata)
{
	(void)priv;
	(void)config;
	(void)port;
	(void)userdata;
	return 0;
}

static int t_connect(void *priv, const char *will_topic)
{
	(void)will_topic;
	kryos_transport_report(((struct world *)priv)->link.port, KRYOS_TRANSPORT_UP, 0, 0, NULL);
	return 0;
}

static int t_publish(void *priv, const struct kryos_message *message)
{
	struct world *world = priv;

	assert_true(world->pending_count < 2 * WINDOW);
	world->pending[(world->pending_first + world->pending_count++) % (2 * WINDOW)] =
		(struct message){ message->token, world->now + RTT };
	if (!message->retain)
		world->published[world->kind]++;
	return 0;
}

static void t_disconnect(void *priv)
{
	(void)priv;
}

static const struct kryos_transport_driver transport = {
	.size = sizeof(transport),
	.name = "test",
	.schemes = "test",
	.open = t_open,
	.connect = t_connect,
	.publish = t_publish,
	.disconnect = t_disconnect,
	.close = t_disconnect,
};

static int t_encode(const struct kryos_record *record, char *buffer, size_t capacity)
{
	(void)record;
	if (capacity)
		buffer[0] = 'x';
	return 1;
}

static const struct kryos_codec codec = { .size = sizeof(codec), .name = "test", .encode = t_encode };

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->now = KRYOS_SECONDS(1000);
	world->old_next = 1;
	world->last_seq = BACKLOG;
	world->event = (struct kryos_event){ .size = sizeof(world->event), .type = KRYOS_EVENT_ALARM_ON };
	world->link.env = (struct kri_link_env){ .data = world,
		                                 .next = queue_next,
		                                 .ack = queue_ack,
		                                 .reject = never_reject,
		                                 .release = never_seq,
		                                 .release_all = nothing,
		                                 .set_live = nothing,
		                                 .resolve = resolve,
		                                 .trust = trust,
		                                 .announce = announce };
	world->link.config = (struct kri_link_config){ .rate = RATE * 1000,
		                                       .burst = BURST,
		                                       .live_percent = SHARE * 100 / RATE,
		                                       .inflight = WINDOW,
		                                       .max_payload = 1000,
		                                       .backoff_min_ns = KRYOS_SECONDS(1),
		                                       .backoff_max_ns = KRYOS_MINUTES(5),
		                                       .stable_ns = KRYOS_SECONDS(60),
		                                       .ack_timeout_ns = KRYOS_SECONDS(30),
		                                       .connect_timeout_ns = KRYOS_SECONDS(20),
		                                       .client_id = "me",
		                                       .sample_topic = "t/sample",
		                                       .event_topic = "t/event",
		                                       .state_topic = "t/state",
		                                       .seed = 1 };
	world->link.codec = &codec;
	world->link.transport = &transport;
	world->link.priv = world;
	world->link.relay_config = &world->relay_config;
	assert_ok(kri_port_new(&world->link.port));
	kri_link_init(&world->link, world->now);
	for (int i = 0; i < 3; i++) /* resolved, connected: reported within a step, seen by the next */
		kri_link_step(&world->link, world->now);
	assert_int_equal(world->link.state, KRI_LINK_UP);
	return world;
}

static void world_free(struct world *world)
{
	kri_link_fini(&world->link);
	kri_port_unref(world->link.port);
	free(world);
}

static void arrive(struct world *world, enum kind kind, unsigned int count)
{
	for (; count; count--) {
		assert_true(world->fresh_count[kind] < FRESH_MAX);
		world->fresh[kind][world->fresh_count[kind]++] =
			(struct fresh){ .seq = ++world->last_seq, .arrived = world->now };
	}
	kri_link_poke(&world->link);
}

static void run(struct world *world, int64_t ns)
{
	int64_t end = world->now + ns;

	for (;;) {
		int64_t next;

		while (world->pending_count && world->pending[world->pending_first].due <= world->now) {
			kryos_transport_report(world->link.port, KRYOS_TRANSPORT_ACKED,
			                       world->pending[world->pending_first].token, 0, NULL);
			world->pending_first = (world->pending_first + 1) % (2 * WINDOW);
			world->pending_count--;
		}
		next = kri_link_step(&world->link, world->now);
		if (world->pending_count && world->pending[world->pending_first].due < next)
			next = world->pending[world->pending_first].due;
		if (next <= world->now)
			next = world->now + 1;
		if (next > end) {
			world->now = end;
			return;
		}
		world->now = next;
	}
}

static int64_t published(const struct world *world)
{
	return world->published[EVENTS] + world->published[LIVE] + world->published[OLD];
}

static int64_t worst_latency(const struct world *world, enum kind kind, int64_t from)
{
	int64_t worst = 0;

	for (int64_t i = from; i < world->acked[kind]; i++) {
		int64_t took = world->fresh[kind][i].acked - world->fresh[kind][i].arrived;

		worst = took > worst ? took : worst;
	}
	return worst;
}

static void sixty_days_go_out_at_the_rate_and_disturb_nobody(void **state)
{
	struct world *world = world_new();
	int64_t before, live, old, began = world->now;

	(void)state;
	/* An ordinary hour: four live samples a minute beside the backlog. */
	for (int minute = 0; minute < 60; minute++) {
		arrive(world, LIVE, 4);
		before = published(world);
		run(world, KRYOS_MINUTES(1));
		/* The rate: to the record, but for the burst at the beginning, and one at each border. */
		assert_in_range(published(world) - before, RATE * 60 - 1, RATE * 60 + 1 + (minute ? 0 : BURST));
	}
	assert_int_equal(world->acked[LIVE], 240);
	assert_true(worst_latency(world, LIVE, 0) < KRYOS_SECONDS(1));
	assert_true(world->acked[OLD] > 71000);

	/* Ten minutes in which more live samples come than the whole rate: the share, and not more, is theirs. */
	for (int second = 0; second < 600; second++) {
		live = world->published[LIVE];
		old = world->published[OLD];
		arrive(world, LIVE, 30);
		run(world, KRYOS_SECONDS(1));
		/* What of their share lay unused before goes first: 20 % of the burst. */
		assert_in_range(world->published[LIVE] - live, SHARE - 1,
		                SHARE + 1 + (second < 6 ? BURST * SHARE / RATE : 0));
		assert_in_range(world->published[OLD] - old, RATE - SHARE - 1, RATE - SHARE + 1);
	}

	/* Five hundred events at once: all of the rate is theirs until the last is out. */
	old = world->published[OLD];
	live = world->published[LIVE];
	arrive(world, EVENTS, 500);
	before = world->now;
	run(world, KRYOS_SECONDS(500 / RATE) - 2 * RTT);
	assert_int_equal(world->published[OLD], old);
	assert_int_equal(world->published[LIVE], live);
	run(world, KRYOS_SECONDS(2));
	assert_int_equal(world->acked[EVENTS], 500);
	assert_true(worst_latency(world, EVENTS, 0) <= KRYOS_SECONDS(500 / RATE) + 2 * RTT);

	/* A single event in the thick of it. */
	for (int i = 0; i < 100; i++) {
		run(world, KRYOS_MILLISECONDS(777));
		arrive(world, EVENTS, 1);
	}
	run(world, KRYOS_SECONDS(1));
	assert_int_equal(world->acked[EVENTS], 600);
	assert_true(worst_latency(world, EVENTS, 500) < KRYOS_SECONDS(1));

	/* And all of it arrives, in the time that the rate says: neither share lies idle while the other wants. */
	while (world->acked[OLD] < BACKLOG || world->acked[LIVE] < world->fresh_count[LIVE]) {
		run(world, KRYOS_SECONDS(10));
		assert_true(world->now - began < KRYOS_MINUTES(60 * 6));
	}
	assert_in_range((world->now - began) / KRYOS_SECONDS(1), (published(world) - BURST) / RATE - 10,
	                (published(world) - BURST) / RATE + 20);
	assert_int_equal(published(world), BACKLOG + 240 + 600 * 30 + 600);
	print_message("%lld records in %lld s\n", (long long)published(world),
	              (long long)((world->now - began) / KRYOS_SECONDS(1)));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sixty_days_go_out_at_the_rate_and_disturb_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
