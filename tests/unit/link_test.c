/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay's state machine in a simulated world: a queue in memory, a broker that is a function,
 * and a clock that jumps to whatever happens next. Hours take milliseconds.
 */
#include "relay/link.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RECORDS 20000
#define MAX_PENDING 4096

enum record_state { OWED, LENT, ACKED, DEAD };
enum answer {
	ANSWER_ACK,
	ANSWER_TWICE,
	ANSWER_SILENCE,
	ANSWER_DROP,
	ANSWER_REFUSE,
	ANSWER_FAIL,
	ANSWER_BUSY,
	ANSWER_GONE
};

struct pending {
	int64_t at, token;
	int news, code;
	unsigned int generation;
	char text[100];
};

struct world {
	int64_t now;
	struct kri_link link;
	struct kryos_relay_config relay_config;
	unsigned int trust;
	uint64_t seed;

	enum record_state states[MAX_RECORDS + 1]; /* by seq, from 1 */
	bool events[MAX_RECORDS + 1];
	int64_t count, live_from, last[8];
	int64_t first[3]; /* where to look from, by kind */
	char reason[201];
	unsigned int rejected, order_broken, max_lent_seen;
	struct kryos_record record;
	struct kryos_event event;

	bool up;
	unsigned int generation, connects, publishes, link_publishes, in_flight;
	int64_t rtt, connect_delay, lifetime_end;
	struct pending pending[MAX_PENDING];
	unsigned int pending_count;
	enum answer (*answer)(struct world *world, int64_t seq, unsigned int nth);
	int64_t (*lifetime)(struct world *world); /* of a link; NULL: for ever */
	int connect_code;                         /* < 0: fails so */
	int64_t connect_token;                    /* of that report */
	bool resolve_hangs;
	int64_t last_delivered[3]; /* by stream kind: to see the order */
	unsigned int deliveries[MAX_RECORDS + 1];
	int64_t acked_at[MAX_RECORDS + 1];
	int ups, downs, last_code, down_code;
	char last_text[300];
	char last_state[16];
};

static int kind_of(unsigned int stream)
{
	return stream == KRYOS_STREAM_EVENTS ? 0 : stream == KRYOS_STREAM_LIVE ? 1 : 2;
}

static unsigned int stream_of(const struct world *world, int64_t seq)
{
	if (world->events[seq])
		return KRYOS_STREAM_EVENTS;
	return world->live_from && seq >= world->live_from ? KRYOS_STREAM_LIVE : KRYOS_STREAM_BACKLOG;
}

static int queue_next(void *data, unsigned int streams, const struct kryos_record **ret_record)
{
	struct world *world = data;
	int64_t *from = &world->first[kind_of(streams)];

	while (*from <= world->count && (world->states[*from] == ACKED || world->states[*from] == DEAD))
		(*from)++;
	for (int64_t seq = *from; seq <= world->count; seq++) {
		if (world->states[seq] != OWED || !(streams & stream_of(world, seq)))
			continue;
		world->states[seq] = LENT;
		world->record = (struct kryos_record){ .size = sizeof(world->record),
			                               .stream = stream_of(world, seq),
			                               .seq = seq,
			                               .device = "d",
			                               .channel = "c",
			                               .event = world->events[seq] ? &world->event : NULL,
			                               .sample = { .trust = KRYOS_TRUST_RTC } };
		*ret_record = &world->record;
		return 1;
	}
	return 0;
}

static int queue_set(void *data, int64_t seq, enum record_state state)
{
	struct world *world = data;

	assert_true(seq >= 1 && seq <= world->count);
	if (world->states[seq] != LENT)
		return -ENOENT;
	world->states[seq] = state;
	for (int i = 0; i < 3; i++)
		if (state == OWED && seq < world->first[i])
			world->first[i] = seq;
	return 0;
}

static int queue_ack(void *data, int64_t seq)
{
	struct world *world = data;

	world->acked_at[seq] = world->now;
	return queue_set(data, seq, ACKED);
}

static int queue_reject(void *data, int64_t seq, const char *reason)
{
	struct world *world = data;

	snprintf(world->reason, sizeof(world->reason), "%s", reason);
	world->rejected++;
	return queue_set(data, seq, DEAD);
}

static int queue_release(void *data, int64_t seq)
{
	return queue_set(data, seq, OWED);
}

static int queue_release_all(void *data)
{
	struct world *world = data;

	for (int64_t seq = 1; seq <= world->count; seq++)
		if (world->states[seq] == LENT)
			assert_int_equal(queue_set(data, seq, OWED), 0);
	return 0;
}

static int queue_set_live(void *data)
{
	struct world *world = data;

	world->live_from = world->count + 1;
	for (int i = 0; i < 3; i++)
		world->first[i] = 1;
	return 0;
}

static void later(struct world *world, int64_t delay, int news, int64_t token, int code, const char *text)
{
	struct pending *pending;

	assert_true(world->pending_count < MAX_PENDING);
	pending = &world->pending[world->pending_count++];
	*pending = (struct pending){
		.at = world->now + delay, .token = token, .news = news, .code = code, .generation = world->generation
	};
	snprintf(pending->text, sizeof(pending->text), "%s", text ? text : "");
}

static int resolve(void *data, int64_t token)
{
	struct world *world = data;

	if (!world->resolve_hangs)
		later(world, KRYOS_MILLISECONDS(1), KRI_NEWS_RESOLVED, token, 0, NULL);
	return 0;
}

static unsigned int trust(void *data)
{
	return ((struct world *)data)->trust;
}

static void announce(void *data, bool up, int code, const char *text)
{
	struct world *world = data;

	world->ups += up;
	world->downs += !up;
	world->last_code = code;
	world->down_code = up ? world->down_code : code;
	snprintf(world->last_text, sizeof(world->last_text), "%s", text);
}

/* The transport: each world's private block is the world. */
static int t_check(const struct kryos_relay_config *config)
{
	(void)config;
	return 0;
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
	struct world *world = priv;

	assert_string_equal(will_topic, "t/state");
	world->connects++;
	world->link_publishes = 0;
	if (world->connect_code < 0) {
		later(world, world->connect_delay, KRYOS_TRANSPORT_DOWN, world->connect_token, world->connect_code,
		      "scripted");
		return 0;
	}
	later(world, world->connect_delay, KRYOS_TRANSPORT_UP, 0, 0, NULL);
	if (world->lifetime)
		later(world, world->connect_delay + world->lifetime(world), KRYOS_TRANSPORT_DOWN, 0, -ECONNRESET,
		      "end of life");
	world->up = true;
	return 0;
}

static int t_publish(void *priv, const struct kryos_message *message)
{
	struct world *world = priv;
	int64_t seq = 0;
	enum answer answer;

	assert_true(world->up);
	if (strstr(message->topic, "/state")) {
		assert_true(message->retain);
		snprintf(world->last_state, sizeof(world->last_state), "%.*s", (int)message->payload_count,
		         (const char *)message->payload);
	} else {
		seq = strtoll(message->payload, NULL, 10);
	}
	world->publishes++;
	answer = world->answer(world, seq, world->link_publishes++);
	if (answer == ANSWER_BUSY)
		return -EAGAIN;
	if (answer == ANSWER_GONE)
		return kryos_fail(-ENOTCONN, "not connected");
	if (seq) {
		world->in_flight++;
		if (world->in_flight > world->max_lent_seen)
			world->max_lent_seen = world->in_flight;
		world->deliveries[seq]++;
	}
	switch (answer) {
	case ANSWER_TWICE:
		later(world, world->rtt, KRYOS_TRANSPORT_ACKED, message->token, 0, NULL);
		later(world, world->rtt, KRYOS_TRANSPORT_ACKED, message->token, 0, NULL);
		break;
	case ANSWER_ACK:
		later(world, world->rtt, KRYOS_TRANSPORT_ACKED, message->token, 0, NULL);
		break;
	case ANSWER_DROP:
		later(world, world->rtt, KRYOS_TRANSPORT_DOWN, 0, -ECONNRESET, "closed over a message");
		break;
	case ANSWER_REFUSE:
		later(world, world->rtt, KRYOS_TRANSPORT_REFUSED, message->token, 0, "payload format invalid");
		break;
	case ANSWER_FAIL:
		later(world, world->rtt, KRYOS_TRANSPORT_FAILED, message->token, -EIO, "quota exceeded");
		break;
	default:
		break;
	}
	/* Of one stream nothing may overtake what it has not delivered yet. */
	if (seq) {
		unsigned int stream = stream_of(world, seq);

		for (int64_t s = world->first[kind_of(stream)]; s < seq; s++)
			if (world->states[s] == OWED && stream_of(world, s) == stream)
				world->order_broken++;
	}
	return 0;
}

static void t_disconnect(void *priv)
{
	struct world *world = priv;

	world->up = false;
	world->generation++;
	world->in_flight = 0;
}

static void t_close(void *priv)
{
	(void)priv;
}

static const struct kryos_transport_driver transport = {
	.size = sizeof(transport),
	.name = "test",
	.schemes = "test",
	.check = t_check,
	.open = t_open,
	.connect = t_connect,
	.publish = t_publish,
	.disconnect = t_disconnect,
	.close = t_close,
};

static size_t body_size;

static int t_encode(const struct kryos_record *record, char *buffer, size_t capacity)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%lld", (long long)record->seq) + 1;

	if (body_size && record->seq == 2)
		return (int)body_size;
	if ((size_t)n <= capacity)
		memcpy(buffer, text, (size_t)n);
	return n;
}

static const struct kryos_codec codec = { .size = sizeof(codec), .name = "test", .encode = t_encode };
static const struct kryos_codec wall_codec = {
	.size = sizeof(codec), .name = "wall", .encode = t_encode, .needs_wall_time = 1
};

static enum answer answer_well(struct world *world, int64_t seq, unsigned int nth)
{
	(void)world;
	(void)seq;
	(void)nth;
	return ANSWER_ACK;
}

static struct world *world_new(uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->now = KRYOS_SECONDS(1000);
	world->trust = KRYOS_TRUST_SYNCED;
	world->seed = seed;
	world->rtt = KRYOS_MILLISECONDS(40);
	world->connect_delay = KRYOS_MILLISECONDS(80);
	world->answer = answer_well;
	world->first[0] = world->first[1] = world->first[2] = 1;
	world->event = (struct kryos_event){ .size = sizeof(world->event), .type = KRYOS_EVENT_GAP };
	world->link.env = (struct kri_link_env){ .data = world,
		                                 .next = queue_next,
		                                 .ack = queue_ack,
		                                 .reject = queue_reject,
		                                 .release = queue_release,
		                                 .release_all = queue_release_all,
		                                 .set_live = queue_set_live,
		                                 .resolve = resolve,
		                                 .trust = trust,
		                                 .announce = announce };
	world->link.config = (struct kri_link_config){ .rate = 100000,
		                                       .burst = 1000,
		                                       .live_percent = 20,
		                                       .inflight = 16,
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
		                                       .seed = seed };
	world->link.codec = &codec;
	world->link.transport = &transport;
	world->link.priv = world;
	world->link.relay_config = &world->relay_config;
	assert_ok(kri_port_new(&world->link.port));
	return world;
}

static void world_free(struct world *world)
{
	kri_link_fini(&world->link);
	kri_port_unref(world->link.port);
	free(world);
}

static void add(struct world *world, int64_t count, bool events)
{
	for (; count > 0; count--) {
		assert_true(world->count < MAX_RECORDS);
		world->events[++world->count] = events;
		world->states[world->count] = OWED;
	}
	kri_link_poke(&world->link);
}

static void deliver_pending(struct world *world)
{
	for (unsigned int i = 0; i < world->pending_count;) {
		struct pending pending = world->pending[i];

		if (pending.at > world->now) {
			i++;
			continue;
		}
		/* In order of posting, as one broker's answers are. */
		memmove(&world->pending[i], &world->pending[i + 1], (--world->pending_count - i) * sizeof(pending));
		if (pending.generation != world->generation && pending.news != KRI_NEWS_RESOLVED)
			continue;
		if (pending.news == KRYOS_TRANSPORT_ACKED && world->in_flight)
			world->in_flight--;
		kryos_transport_report(world->link.port, (enum kryos_transport_news)pending.news, pending.token,
		                       pending.code, pending.text);
	}
}

/* Lets the world go on for ns. */
static void run(struct world *world, int64_t ns)
{
	int64_t end = world->now + ns;

	for (;;) {
		int64_t next;
		unsigned int steps = 0;

		deliver_pending(world);
		next = kri_link_step(&world->link, world->now);
		assert_true(next > world->now || ++steps < 1000); /* it never spins */
		for (unsigned int i = 0; i < world->pending_count; i++)
			if (world->pending[i].at < next)
				next = world->pending[i].at;
		if (next <= world->now)
			next = world->now + 1;
		if (next > end) {
			world->now = end;
			return;
		}
		world->now = next;
	}
}

static void start(struct world *world)
{
	kri_link_init(&world->link, world->now);
}

static int64_t acked(const struct world *world)
{
	int64_t n = 0;

	for (int64_t seq = 1; seq <= world->count; seq++)
		n += world->states[seq] == ACKED;
	return n;
}

static void everything_is_delivered_once_and_in_order(void **state)
{
	struct world *world = world_new(1);

	(void)state;
	add(world, 1000, false);
	add(world, 10, true);
	add(world, 1000, false);
	start(world);
	run(world, KRYOS_SECONDS(60));
	assert_int_equal(acked(world), 2010);
	assert_int_equal(world->order_broken, 0);
	for (int64_t seq = 1; seq <= world->count; seq++)
		assert_int_equal(world->deliveries[seq], 1);
	assert_int_equal(world->ups, 1);
	assert_int_equal(world->link.acked_total, 2010);
	assert_string_equal(world->last_state, "online");
	world_free(world);
}

static void events_go_before_samples(void **state)
{
	struct world *world = world_new(2);

	(void)state;
	add(world, 500, false);
	add(world, 5, true);
	start(world);
	run(world, KRYOS_MILLISECONDS(200));
	for (int64_t seq = 501; seq <= 505; seq++)
		assert_int_equal(world->states[seq], ACKED);
	assert_true(acked(world) < 100);
	world_free(world);
}

static void the_window_is_kept(void **state)
{
	struct world *world = world_new(3);

	(void)state;
	add(world, 500, false);
	start(world);
	run(world, KRYOS_SECONDS(60));
	assert_int_equal(acked(world), 500);
	assert_int_equal(world->max_lent_seen, 16);
	world_free(world);
}

static void the_rate_is_kept_and_live_has_its_share(void **state)
{
	struct world *world = world_new(4);
	int64_t worst = 0;

	(void)state;
	world->link.config.rate = 20000;
	world->link.config.burst = 10;
	add(world, 6000, false);
	start(world);
	run(world, KRYOS_SECONDS(10));
	for (int i = 0; i < 180; i++) { /* one live sample a second beside a long backlog */
		int64_t at = world->now;

		add(world, 1, false);
		run(world, KRYOS_SECONDS(1));
		assert_int_equal(world->states[world->count], ACKED);
		if (world->acked_at[world->count] - at > worst)
			worst = world->acked_at[world->count] - at;
	}
	assert_true(worst < KRYOS_MILLISECONDS(500));
	/* 190 s of 20 per second, and the burst. */
	assert_in_range(acked(world), 3700, 3820);
	assert_int_equal(world->order_broken, 0);
	world_free(world);
}

static enum answer answer_twice(struct world *world, int64_t seq, unsigned int nth)
{
	(void)world;
	(void)seq;
	(void)nth;
	return ANSWER_TWICE;
}

static void acknowledging_twice_is_harmless(void **state)
{
	struct world *world = world_new(5);

	(void)state;
	world->answer = answer_twice;
	add(world, 300, false);
	start(world);
	run(world, KRYOS_SECONDS(30));
	assert_int_equal(world->link.acked_total, 300);
	assert_int_equal(world->downs, 0);
	world_free(world);
}

static enum answer answer_silence(struct world *world, int64_t seq, unsigned int nth)
{
	(void)world;
	(void)seq;
	(void)nth;
	return ANSWER_SILENCE;
}

static void withheld_acknowledgements_cost_the_link_and_nothing_else(void **state)
{
	struct world *world = world_new(6);

	(void)state;
	world->answer = answer_silence;
	add(world, 100, false);
	start(world);
	run(world, KRYOS_SECONDS(29));
	assert_int_equal(world->downs, 0);
	for (int i = 0; i < 300 && !world->downs; i++)
		run(world, KRYOS_MILLISECONDS(10));
	assert_int_equal(world->downs, 1);
	assert_int_equal(world->last_code, -ETIMEDOUT);
	assert_non_null(strstr(world->last_text, "not acknowledged"));
	run(world, KRYOS_HOURS(12));
	assert_int_equal(acked(world), 0);
	assert_int_equal(world->rejected, 0); /* however long it lasts */
	assert_true(world->connects > 10);
	world->answer = answer_well;
	run(world, KRYOS_MINUTES(10));
	assert_int_equal(acked(world), 100);
	assert_int_equal(world->order_broken, 0);
	world_free(world);
}

static int64_t live_1ms(struct world *world)
{
	(void)world;
	return KRYOS_MILLISECONDS(1);
}

static void accepting_and_closing_does_not_reset_the_back_off(void **state)
{
	struct world *world = world_new(7);

	(void)state;
	world->lifetime = live_1ms;
	start(world);
	run(world, KRYOS_HOURS(10));
	/* 300 s at most, 150 s on average once the limit is reached. */
	assert_in_range(world->connects, 150, 360);
	assert_true(world->link.failures >= world->connects - 1);
	assert_non_null(strstr(world->link.text, "perhaps another client has the id \"me\""));
	/* Down was said once, up each time: an event only on change. */
	assert_int_equal(world->ups, world->downs);
	world->lifetime = NULL;
	run(world, KRYOS_MINUTES(7)); /* up at the latest after 5 min, stable 60 s later */
	assert_int_equal(world->link.backoff.n, 0);
	world_free(world);
}

static int64_t live_59s(struct world *world)
{
	(void)world;
	return KRYOS_SECONDS(59);
}

static int64_t live_61s(struct world *world)
{
	(void)world;
	return KRYOS_SECONDS(61);
}

static void only_a_stable_link_resets_the_back_off(void **state)
{
	struct world *world = world_new(8);

	(void)state;
	world->lifetime = live_59s;
	start(world);
	run(world, KRYOS_HOURS(3));
	assert_true(world->link.backoff.n >= 8);
	world->lifetime = live_61s;
	run(world, KRYOS_HOURS(1));
	assert_true(world->link.backoff.n <= 1);
	world_free(world);
}

/* The broker that closes over record 50, whatever else it is sent. */
static enum answer answer_poison_50(struct world *world, int64_t seq, unsigned int nth)
{
	(void)world;
	(void)nth;
	return seq == 50 ? ANSWER_DROP : ANSWER_ACK;
}

static void a_record_that_breaks_each_link_becomes_a_dead_letter_alone(void **state)
{
	struct world *world = world_new(9);

	(void)state;
	world->answer = answer_poison_50;
	add(world, 200, false);
	start(world);
	run(world, KRYOS_MINUTES(30));
	assert_int_equal(world->states[50], DEAD);
	assert_int_equal(world->rejected, 1);
	assert_int_equal(acked(world), 199);
	assert_int_equal(world->order_broken, 0);
	assert_non_null(strstr(world->reason, "5 times in a row right after this record was sent alone"));
	/* Two losses to be a suspect, five trials. */
	assert_int_equal(world->deliveries[50], 7);
	assert_int_equal(world->link.poison.count, 0);
	world_free(world);
}

static enum answer answer_never_acks_50(struct world *world, int64_t seq, unsigned int nth)
{
	(void)world;
	(void)nth;
	return seq == 50 ? ANSWER_SILENCE : ANSWER_ACK;
}

static void a_record_that_is_never_acknowledged_blocks_nothing_for_ever(void **state)
{
	struct world *world = world_new(10);

	(void)state;
	world->answer = answer_never_acks_50;
	add(world, 200, false);
	start(world);
	run(world, KRYOS_HOURS(1));
	assert_int_equal(world->states[50], DEAD);
	assert_int_equal(acked(world), 199);
	world_free(world);
}

static enum answer answer_poison_sevens(struct world *world, int64_t seq, unsigned int nth)
{
	(void)world;
	(void)nth;
	return seq && seq % 70 == 0 ? ANSWER_DROP : ANSWER_ACK;
}

static void several_poisonous_records_are_found_one_by_one(void **state)
{
	struct world *world = world_new(11);

	(void)state;
	world->answer = answer_poison_sevens;
	add(world, 150, false);
	add(world, 150, true);
	start(world);
	run(world, KRYOS_HOURS(6));
	assert_int_equal(world->rejected, 4); /* 70, 140, 210, 280 */
	assert_int_equal(acked(world), 296);
	assert_int_equal(world->order_broken, 0);
	world_free(world);
}

/* Brokers that fail in every manner but over a record of their own. */
static int64_t live_random(struct world *world)
{
	/* Exponential, by the sum of halvings: mean about 4 s. */
	int64_t unit = KRYOS_MILLISECONDS(100);

	while (unit < KRYOS_SECONDS(200) && next_random(&world->seed) % 100 < 55)
		unit *= 2;
	return (int64_t)(next_random(&world->seed) % (uint64_t)unit);
}

static int64_t live_3s(struct world *world)
{
	(void)world;
	return KRYOS_SECONDS(3);
}

static int64_t live_400ms(struct world *world)
{
	(void)world;
	return KRYOS_MILLISECONDS(400);
}

static unsigned int allowed;

static enum answer answer_so_many(struct world *world, int64_t seq, unsigned int nth)
{
	(void)world;
	(void)seq;
	return nth >= allowed ? ANSWER_DROP : ANSWER_ACK;
}

static enum answer answer_sometimes(struct world *world, int64_t seq, unsigned int nth)
{
	(void)seq;
	(void)nth;
	return next_random(&world->seed) % 4 == 0   ? ANSWER_SILENCE
	       : next_random(&world->seed) % 4 == 0 ? ANSWER_DROP
	                                            : ANSWER_ACK;
}

static void flap(uint64_t seed, int64_t (*lifetime)(struct world *),
                 enum answer (*answer)(struct world *, int64_t, unsigned int), int64_t rtt, const char *what)
{
	struct world *world = world_new(seed);

	world->lifetime = lifetime;
	world->answer = answer;
	world->rtt = rtt;
	world->link.config.backoff_max_ns = KRYOS_SECONDS(2); /* as many links as possible */
	world->link.config.ack_timeout_ns = KRYOS_SECONDS(5);
	add(world, 300, false);
	add(world, 20, true);
	start(world);
	for (int i = 0; i < 60; i++) {
		run(world, KRYOS_MINUTES(4));
		add(world, 1, false);
	}
	if (world->rejected)
		fail_msg("%s, seed %llu: a good record became a dead letter: %s", what, (unsigned long long)seed,
		         world->reason);
	assert_int_equal(world->order_broken, 0);
	/* And when it has done flapping, everything arrives. */
	world->lifetime = NULL;
	world->answer = answer_well;
	run(world, KRYOS_MINUTES(10));
	assert_int_equal(acked(world), world->count);
	world_free(world);
}

static void a_flapping_broker_never_costs_a_good_record(void **state)
{
	uint64_t seed = seed_from_environment(100);

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		flap(seed + i, live_random, answer_well, KRYOS_MILLISECONDS(40), "random lifetimes");
		flap(seed + i, live_random, answer_well, KRYOS_MILLISECONDS(800), "random lifetimes, slow");
		flap(seed + i, live_3s, answer_well, KRYOS_MILLISECONDS(40), "3 s");
		flap(seed + i, live_400ms, answer_well, KRYOS_MILLISECONDS(40), "400 ms");
		flap(seed + i, live_1ms, answer_well, KRYOS_MILLISECONDS(40), "1 ms");
		flap(seed + i, live_400ms, answer_well, KRYOS_MILLISECONDS(300), "400 ms, slow");
	}
}

static void a_broker_that_allows_few_messages_never_costs_a_good_record(void **state)
{
	uint64_t seed = seed_from_environment(200);

	(void)state;
	for (allowed = 0; allowed <= 8; allowed++)
		flap(seed + allowed, NULL, answer_so_many, KRYOS_MILLISECONDS(40), "few messages");
}

static void a_broker_that_drops_at_random_never_costs_a_good_record(void **state)
{
	uint64_t seed = seed_from_environment(300);

	(void)state;
	for (unsigned int i = 0; i < 10; i++)
		flap(seed + i, NULL, answer_sometimes, KRYOS_MILLISECONDS(40), "random answers");
}

static enum answer answer_refuse_3(struct world *world, int64_t seq, unsigned int nth)
{
	(void)world;
	(void)nth;
	return seq == 3 ? ANSWER_REFUSE : ANSWER_ACK;
}

static void what_the_receiver_refuses_becomes_a_dead_letter_and_blocks_nothing(void **state)
{
	struct world *world = world_new(12);

	(void)state;
	world->answer = answer_refuse_3;
	add(world, 100, false);
	start(world);
	run(world, KRYOS_SECONDS(20));
	assert_int_equal(world->states[3], DEAD);
	assert_string_equal(world->reason, "payload format invalid");
	assert_int_equal(acked(world), 99);
	assert_int_equal(world->downs, 0);
	world_free(world);
}

static enum answer answer_fail_at_first(struct world *world, int64_t seq, unsigned int nth)
{
	(void)nth;
	return seq && world->connects < 3 ? ANSWER_FAIL : ANSWER_ACK;
}

static void a_delivery_that_failed_is_tried_again_in_order(void **state)
{
	struct world *world = world_new(13);

	(void)state;
	world->answer = answer_fail_at_first;
	add(world, 100, false);
	start(world);
	run(world, KRYOS_MINUTES(2));
	assert_int_equal(acked(world), 100);
	assert_int_equal(world->rejected, 0);
	assert_int_equal(world->order_broken, 0);
	assert_true(world->downs >= 2);
	world_free(world);
}

static enum answer answer_busy_at_first(struct world *world, int64_t seq, unsigned int nth)
{
	(void)nth;
	return seq && world->publishes % 3 ? ANSWER_BUSY : ANSWER_ACK;
}

static void a_busy_transport_is_asked_again(void **state)
{
	struct world *world = world_new(14);

	(void)state;
	world->answer = answer_busy_at_first;
	add(world, 100, false);
	start(world);
	run(world, KRYOS_SECONDS(60));
	assert_int_equal(acked(world), 100);
	assert_int_equal(world->order_broken, 0);
	assert_int_equal(world->downs, 0);
	world_free(world);
}

static enum answer answer_gone(struct world *world, int64_t seq, unsigned int nth)
{
	(void)world;
	return seq && nth >= 3 ? ANSWER_GONE : ANSWER_ACK;
}

static int64_t live_shortly(struct world *world)
{
	(void)world;
	return KRYOS_MILLISECONDS(500);
}

static void a_transport_that_is_gone_may_say_why_a_moment_later(void **state)
{
	struct world *world = world_new(26);

	(void)state;
	world->answer = answer_gone;
	world->lifetime = live_shortly;
	add(world, 10, false);
	start(world);
	run(world, KRYOS_MILLISECONDS(1 + 80 + 500));
	assert_int_equal(world->downs, 1);
	assert_string_equal(world->last_text, "end of life");
	world_free(world);
	/* But it is not waited for. */
	world = world_new(27);
	world->answer = answer_gone;
	add(world, 10, false);
	start(world);
	run(world, KRYOS_MILLISECONDS(900));
	assert_int_equal(world->downs, 0);
	run(world, KRYOS_SECONDS(1));
	assert_int_equal(world->downs, 1);
	assert_int_equal(world->down_code, -ENOTCONN);
	world->answer = answer_well;
	run(world, KRYOS_SECONDS(60));
	assert_int_equal(acked(world), 10);
	world_free(world);
}

static enum answer answer_three_at_a_time(struct world *world, int64_t seq, unsigned int nth)
{
	(void)nth;
	return seq && world->in_flight >= 3 ? ANSWER_BUSY : ANSWER_ACK;
}

static void a_transport_that_takes_few_at_a_time_is_used_to_the_full(void **state)
{
	struct world *world = world_new(28);

	(void)state;
	world->answer = answer_three_at_a_time;
	world->rtt = KRYOS_MILLISECONDS(10);
	add(world, 600, false);
	start(world);
	/* Three in 10 ms; were each "not now" 50 ms of waiting, it would take five times as long. */
	run(world, KRYOS_MILLISECONDS(2500));
	assert_int_equal(acked(world), 600);
	assert_int_equal(world->max_lent_seen, 3);
	assert_int_equal(world->order_broken, 0);
	world_free(world);
}

static void too_large_a_record_is_a_dead_letter_before_it_is_sent(void **state)
{
	struct world *world = world_new(15);

	(void)state;
	body_size = 1001;
	add(world, 10, false);
	start(world);
	run(world, KRYOS_SECONDS(10));
	body_size = 0;
	assert_int_equal(world->states[2], DEAD);
	assert_int_equal(world->deliveries[2], 0);
	assert_string_equal(world->reason, "the record takes 1001 bytes; 1000 are allowed");
	assert_int_equal(acked(world), 9);
	world_free(world);
}

static int undated_next(void *data, unsigned int streams, const struct kryos_record **ret_record)
{
	int r = queue_next(data, streams, ret_record);

	if (r > 0)
		((struct world *)data)->record.sample.trust =
			((struct world *)data)->record.event ? KRYOS_TRUST_RTC : KRYOS_TRUST_NONE;
	return r;
}

static void a_format_that_demands_time_waits_for_it(void **state)
{
	struct world *world = world_new(16);

	(void)state;
	world->link.codec = &wall_codec;
	world->link.env.next = undated_next;
	world->trust = KRYOS_TRUST_FLOOR;
	add(world, 5, false);
	add(world, 5, true);
	start(world);
	run(world, KRYOS_HOURS(2));
	assert_int_equal(acked(world), 5); /* the events, which have their time */
	assert_int_equal(world->rejected, 0);
	world->trust = KRYOS_TRUST_SYNCED;
	world->link.env.next = queue_next; /* the store corrects what it reads */
	run(world, KRYOS_SECONDS(30));
	assert_int_equal(acked(world), 10);
	world_free(world);
}

static void what_will_never_have_a_time_does_not_block(void **state)
{
	struct world *world = world_new(17);

	(void)state;
	world->link.codec = &wall_codec;
	world->link.env.next = undated_next;
	add(world, 5, false);
	start(world);
	run(world, KRYOS_SECONDS(50));
	assert_int_equal(world->rejected, 0);
	run(world, KRYOS_MINUTES(5));
	assert_int_equal(world->rejected, 5);
	assert_non_null(strstr(world->reason, "time was never known"));
	world_free(world);
}

static void a_tls_failure_without_a_clock_waits_for_the_clock(void **state)
{
	struct world *world = world_new(18);
	unsigned int connects;

	(void)state;
	world->connect_code = KRYOS_EAUTH;
	world->connect_token = KRI_REPORT_TLS;
	world->trust = KRYOS_TRUST_NONE;
	start(world);
	run(world, KRYOS_HOURS(5));
	assert_int_equal(kri_link_public(&world->link), KRYOS_LINK_WAITING);
	assert_int_equal(world->last_code, KRYOS_ECLOCK);
	assert_string_equal(world->last_text, "the clock is not set (trust none): scripted");
	assert_int_equal(world->downs, 1);
	world->connect_code = 0;
	world->trust = KRYOS_TRUST_RTC;
	connects = world->connects;
	run(world, KRYOS_SECONDS(3)); /* at once, not after the back-off */
	assert_int_equal(world->connects, connects + 1);
	assert_int_equal(kri_link_public(&world->link), KRYOS_LINK_UP);
	world_free(world);
}

/* No network, then one but no time: the second is news. A network that comes and goes repeats neither. */
static void waiting_for_the_clock_is_told_though_the_link_was_down_before(void **state)
{
	struct world *world = world_new(24);

	(void)state;
	world->trust = KRYOS_TRUST_NONE;
	world->connect_code = -ENETUNREACH;
	start(world);
	run(world, KRYOS_MINUTES(10));
	assert_int_equal(world->downs, 1);
	assert_int_equal(world->last_code, -ENETUNREACH);
	for (int i = 0; i < 3; i++) {
		world->connect_code = KRYOS_EAUTH;
		world->connect_token = KRI_REPORT_TLS;
		run(world, KRYOS_MINUTES(10));
		assert_int_equal(kri_link_public(&world->link), KRYOS_LINK_WAITING);
		assert_int_equal(world->last_code, KRYOS_ECLOCK);
		assert_int_equal(world->downs, 2);
		world->connect_code = -ENETUNREACH;
		world->connect_token = 0;
		run(world, KRYOS_MINUTES(10));
		assert_int_equal(kri_link_public(&world->link), KRYOS_LINK_DOWN);
	}
	world->connect_code = 0;
	run(world, KRYOS_MINUTES(10));
	assert_int_equal(world->ups, 1);
	world_free(world);
}

/* NTP steps the clock, and TLS works; a moment later the kernel vouches for it. What is sent then has its time. */
static void records_wait_a_moment_for_a_clock_that_was_set_just_now(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct world *world = world_new(25 + i);

		world->trust = KRYOS_TRUST_NONE;
		world->connect_code = KRYOS_EAUTH;
		world->connect_token = KRI_REPORT_TLS;
		add(world, 10, false);
		start(world);
		run(world, KRYOS_MINUTES(10));
		world->connect_code = 0;
		while (!world->ups)
			run(world, KRYOS_SECONDS(1));
		run(world, KRYOS_SECONDS(9));
		assert_int_equal(acked(world), 0);
		if (i == 0)
			world->trust = KRYOS_TRUST_SYNCED;
		else
			run(world, KRYOS_SECONDS(20)); /* nobody vouches for it: that is no reason to wait for ever */
		run(world, KRYOS_SECONDS(3));
		assert_int_equal(acked(world), 10);
		assert_int_equal(world->ups, 1);
		world_free(world);
	}
}

static void a_tls_failure_with_a_clock_says_what_it_is(void **state)
{
	struct world *world = world_new(19);

	(void)state;
	world->connect_code = KRYOS_EAUTH;
	world->connect_token = KRI_REPORT_TLS;
	start(world);
	run(world, KRYOS_SECONDS(1));
	assert_int_equal(kri_link_public(&world->link), KRYOS_LINK_DOWN);
	assert_int_equal(world->last_code, KRYOS_EAUTH);
	assert_string_equal(world->last_text, "scripted");
	/* What is no matter of certificates is none of the clock either. */
	world->trust = KRYOS_TRUST_NONE;
	world->connect_token = 0;
	run(world, KRYOS_MINUTES(1));
	assert_int_equal(world->link.error, KRYOS_EAUTH);
	world_free(world);
}

static void a_resolver_that_hangs_is_given_up_in_time(void **state)
{
	struct world *world = world_new(20);

	(void)state;
	world->resolve_hangs = true;
	add(world, 10, false);
	start(world);
	run(world, KRYOS_SECONDS(19));
	assert_int_equal(kri_link_public(&world->link), KRYOS_LINK_CONNECTING);
	run(world, KRYOS_SECONDS(1));
	assert_int_equal(world->last_code, -ETIMEDOUT);
	assert_int_equal(world->connects, 0);
	world->resolve_hangs = false;
	run(world, KRYOS_MINUTES(1));
	assert_int_equal(acked(world), 10);
	world_free(world);
}

static void nobody_who_answers_is_given_up_in_time(void **state)
{
	struct world *world = world_new(21);

	(void)state;
	world->connect_delay = KRYOS_HOURS(1);
	start(world);
	run(world, KRYOS_SECONDS(21));
	assert_int_equal(world->last_code, -ETIMEDOUT);
	assert_non_null(strstr(world->last_text, "nobody answers"));
	world_free(world);
}

static void leaving_says_offline_and_waits_only_a_moment(void **state)
{
	struct world *world = world_new(22);

	(void)state;
	start(world);
	run(world, KRYOS_SECONDS(1));
	kri_link_stop(&world->link, world->now);
	run(world, KRYOS_MILLISECONDS(100));
	assert_string_equal(world->last_state, "offline");
	assert_int_equal(world->link.state, KRI_LINK_DONE);
	world_free(world);

	world = world_new(23);
	start(world);
	run(world, KRYOS_SECONDS(1));
	world->answer = answer_silence;
	kri_link_stop(&world->link, world->now);
	run(world, KRYOS_MILLISECONDS(600));
	assert_int_equal(world->link.state, KRI_LINK_LEAVING);
	run(world, KRYOS_MILLISECONDS(200));
	assert_int_equal(world->link.state, KRI_LINK_DONE);
	world_free(world);
}

static void stopping_in_any_state_ends(void **state)
{
	uint64_t seed = seed_from_environment(23);

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct world *world = world_new(seed + (unsigned int)i);

		add(world, 50, false);
		world->lifetime = i % 2 ? live_400ms : NULL;
		start(world);
		run(world, (int64_t)(next_random(&seed) % KRYOS_SECONDS(1)));
		kri_link_stop(&world->link, world->now);
		run(world, KRYOS_SECONDS(1));
		assert_int_equal(world->link.state, KRI_LINK_DONE);
		assert_int_equal(kri_link_step(&world->link, world->now), INT64_MAX);
		world_free(world);
	}
}

static void a_suspect_that_retention_removed_does_not_slow_the_rest(void **state)
{
	struct world *world = world_new(24);

	(void)state;
	world->answer = answer_poison_50;
	add(world, 60, false);
	start(world);
	while (!kri_poison_careful(&world->link.poison))
		run(world, KRYOS_MILLISECONDS(100));
	for (int64_t seq = 1; seq <= 60; seq++)
		world->states[seq] = ACKED; /* nobody owes them any more */
	world->link.sent_count = 0;
	add(world, 100, false);
	run(world, KRYOS_MINUTES(2));
	assert_int_equal(world->link.poison.count, 0);
	assert_int_equal(world->rejected, 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_delivered_once_and_in_order),
		cmocka_unit_test(events_go_before_samples),
		cmocka_unit_test(the_window_is_kept),
		cmocka_unit_test(the_rate_is_kept_and_live_has_its_share),
		cmocka_unit_test(acknowledging_twice_is_harmless),
		cmocka_unit_test(withheld_acknowledgements_cost_the_link_and_nothing_else),
		cmocka_unit_test(accepting_and_closing_does_not_reset_the_back_off),
		cmocka_unit_test(only_a_stable_link_resets_the_back_off),
		cmocka_unit_test(a_record_that_breaks_each_link_becomes_a_dead_letter_alone),
		cmocka_unit_test(a_record_that_is_never_acknowledged_blocks_nothing_for_ever),
		cmocka_unit_test(several_poisonous_records_are_found_one_by_one),
		cmocka_unit_test(a_flapping_broker_never_costs_a_good_record),
		cmocka_unit_test(a_broker_that_allows_few_messages_never_costs_a_good_record),
		cmocka_unit_test(a_broker_that_drops_at_random_never_costs_a_good_record),
		cmocka_unit_test(what_the_receiver_refuses_becomes_a_dead_letter_and_blocks_nothing),
		cmocka_unit_test(a_delivery_that_failed_is_tried_again_in_order),
		cmocka_unit_test(a_busy_transport_is_asked_again),
		cmocka_unit_test(a_transport_that_is_gone_may_say_why_a_moment_later),
		cmocka_unit_test(a_transport_that_takes_few_at_a_time_is_used_to_the_full),
		cmocka_unit_test(too_large_a_record_is_a_dead_letter_before_it_is_sent),
		cmocka_unit_test(a_format_that_demands_time_waits_for_it),
		cmocka_unit_test(what_will_never_have_a_time_does_not_block),
		cmocka_unit_test(a_tls_failure_without_a_clock_waits_for_the_clock),
		cmocka_unit_test(waiting_for_the_clock_is_told_though_the_link_was_down_before),
		cmocka_unit_test(records_wait_a_moment_for_a_clock_that_was_set_just_now),
		cmocka_unit_test(a_tls_failure_with_a_clock_says_what_it_is),
		cmocka_unit_test(a_resolver_that_hangs_is_given_up_in_time),
		cmocka_unit_test(nobody_who_answers_is_given_up_in_time),
		cmocka_unit_test(leaving_says_offline_and_waits_only_a_moment),
		cmocka_unit_test(stopping_in_any_state_ends),
		cmocka_unit_test(a_suspect_that_retention_removed_does_not_slow_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
