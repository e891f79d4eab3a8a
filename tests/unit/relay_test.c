/* SPDX-License-Identifier: Apache-2.0 */
/* The relay whole, over a real store and the scripted transport. Its state machine alone: link_test. */
#include "relay/relay.h"
#include "store/store.h"
#include "support.h"
#include <kryos/testing/clock.h>
#include <kryos/testing/transport.h>
#include <kryos/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define START INT64_C(1795165920000000000)

struct rig {
	char *folder;
	struct kryos_fake_clock *clock;
	struct kryos_fake_transport *far;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_relay *relay;
	uint32_t fridge, room;
	int64_t appended[1000]; /* seqs: events take numbers too */
	unsigned int appended_count;
	/* What the context told. */
	int ups, downs, rejected, late;
	char down_text[256];
};

static void open_store(struct rig *rig)
{
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_fake_transport_attach(rig->far, rig->ctx));
	assert_ok(kryos_channel_add(rig->ctx, "fridge.temperature", "Cel", &rig->fridge));
	assert_ok(kryos_channel_add(rig->ctx, "room.temperature", "Cel", &rig->room));
	assert_ok(kryos_store_open(&rig->store, rig->ctx, in(rig->folder, "store"), NULL));
}

#define FAST                                                                                                           \
	.backoff_min_ns = KRYOS_MILLISECONDS(10), .backoff_max_ns = KRYOS_MILLISECONDS(30), .rate = 100, .burst = 1000

static void open_relay(struct rig *rig)
{
	assert_ok(kryos_relay_open(&rig->relay, rig->store, "cloud", KRYOS_RELAY_CONFIG(.url = "fake://far", FAST)));
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->folder = scratch_new();
	assert_ok(kryos_fake_clock_new(&rig->clock, START));
	kryos_fake_clock_set_synced(rig->clock, 1);
	assert_ok(kryos_fake_transport_new(&rig->far));
	open_store(rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	kryos_ctx_free(rig->ctx);
	kryos_fake_transport_free(rig->far);
	kryos_fake_clock_free(rig->clock);
	scratch_free(rig->folder);
	free(rig);
	return 0;
}

static void append(struct rig *rig, int count)
{
	for (; count > 0; count--) {
		struct kryos_sample samples[2] = { { .channel = rig->fridge, .value_micro = 5250000 },
			                           { .channel = rig->room, .value_micro = 21500000 } };

		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(60));
		assert_ok(kryos_store_append(rig->store, samples, 2));
		assert_true(rig->appended_count + 2 <= KRI_ARRAY_SIZE(rig->appended));
		rig->appended[rig->appended_count++] = samples[0].seq;
		rig->appended[rig->appended_count++] = samples[1].seq;
	}
}

static void take_events(struct rig *rig)
{
	const struct kryos_event *event;

	while (kryos_ctx_next_event(rig->ctx, &event) > 0) {
		rig->ups += event->type == KRYOS_EVENT_LINK_UP;
		rig->rejected += event->type == KRYOS_EVENT_REJECTED;
		rig->late += event->type == KRYOS_EVENT_TASK_LATE;
		if (event->type == KRYOS_EVENT_LINK_DOWN) {
			rig->downs++;
			snprintf(rig->down_text, sizeof(rig->down_text), "%s", event->text);
		}
	}
}

static struct kryos_relay_status status_of(struct rig *rig)
{
	struct kryos_relay_status status = { .size = sizeof(status) };

	assert_ok(kryos_relay_get_status(rig->relay, &status));
	return status;
}

static bool is_up(void *data)
{
	take_events(data);
	return status_of(data).link == KRYOS_LINK_UP;
}

static bool is_down(void *data)
{
	take_events(data);
	return ((struct rig *)data)->downs > 0;
}

static uint64_t wanted;

static bool has_acked(void *data)
{
	take_events(data);
	return status_of(data).acked >= wanted;
}

static bool has_failed(void *data)
{
	take_events(data);
	return status_of(data).failures > 0;
}

/* How often each sample's seq arrived, and that each arrived in order at first: its last index. */
static unsigned int arrivals(struct rig *rig, unsigned int *seen, unsigned int capacity)
{
	struct kryos_fake_message message;
	unsigned int samples = 0;

	memset(seen, 0, capacity * sizeof(*seen));
	for (unsigned int i = 0; kryos_fake_transport_get(rig->far, i, &message) >= 0; i++) {
		const char *at = strstr(message.payload, "\"seq\":");
		unsigned long seq = at ? strtoul(at + 6, NULL, 10) : 0;

		if (!at || !strstr(message.topic, "/sample"))
			continue;
		assert_true(seq < capacity);
		seen[seq]++;
		samples++;
	}
	return samples;
}

static void what_no_time_will_mend_is_refused_at_once(void **state)
{
	struct rig *rig = *state;
	struct kryos_queue *queue;
	struct kryos_relay *relay = NULL;
	static const struct {
		const struct kryos_relay_config config;
		int code;
		const char *says;
	} bad[] = {
#define BAD(code, says, ...) { { .size = sizeof(struct kryos_relay_config), __VA_ARGS__ }, code, says }
		BAD(KRYOS_ECONFIG, "url: is missing", .url = NULL),
		BAD(KRYOS_ECONFIG, "url: \"nonsense\"", .url = "nonsense"),
		BAD(KRYOS_ECONFIG, "nothing here speaks \"gopher\"", .url = "gopher://far"),
		BAD(KRYOS_ECONFIG, "codec: there is no \"morse\"", .url = "fake://far", .codec = "morse"),
		BAD(KRYOS_ECONFIG, "topic: ", .url = "fake://far", .topic = "a/+/b"),
		BAD(KRYOS_ECONFIG, "topic: ", .url = "fake://far", .topic = "1/2/3/4/5/6/7/8"),
		BAD(KRYOS_ECONFIG, "client_id: 0 bytes", .url = "fake://far", .client_id = ""),
		BAD(KRYOS_ECONFIG, "key: is missing", .url = "fake://far", .cert = "c.crt"),
		BAD(KRYOS_ECONFIG, "cert: is missing", .url = "fake://far", .key = "c.key"),
		BAD(KRYOS_ECONFIG, "backoff_min_ns", .url = "fake://far", .backoff_min_ns = KRYOS_MINUTES(10)),
		BAD(-EINVAL, "rate: 101", .url = "fake://far", .rate = 101),
		BAD(-EINVAL, "rate: 0.001", .url = "fake://far", .rate = 0.001),
		BAD(-EINVAL, "rate: -1", .url = "fake://far", .rate = -1),
		BAD(-EINVAL, "live_percent: 91", .url = "fake://far", .live_percent = 91),
		BAD(-EINVAL, "inflight: 101", .url = "fake://far", .inflight = 101),
		BAD(-EINVAL, "burst: 1001", .url = "fake://far", .burst = 1001),
		BAD(-EINVAL, "keepalive_ns: ", .url = "fake://far", .keepalive_ns = KRYOS_SECONDS(1)),
		BAD(-EINVAL, "mqtt_version: 4", .url = "fake://far", .mqtt_version = 4),
	};

	for (size_t i = 0; i < KRI_ARRAY_SIZE(bad); i++) {
		assert_fails(bad[i].code, kryos_relay_open(&relay, rig->store, "cloud", &bad[i].config));
		assert_says(bad[i].code, bad[i].says);
		assert_null(relay);
	}
	assert_fails(-EINVAL, kryos_relay_open(&relay, rig->store, "cloud", NULL));
	assert_fails(-EINVAL, kryos_relay_open(&relay, NULL, "cloud", &bad[0].config));
	assert_fails(-EINVAL,
	             kryos_relay_open(&relay, rig->store, "Not Allowed", KRYOS_RELAY_CONFIG(.url = "fake://f")));
	assert_fails(-EINVAL, kryos_relay_get_status(NULL, NULL));
	kryos_relay_close(NULL);
	/* Nothing was left: the queue of that name is free. Then it is not. */
	assert_ok(kryos_queue_open(&queue, rig->store, "cloud", NULL));
	assert_fails(-EBUSY, kryos_relay_open(&relay, rig->store, "cloud", KRYOS_RELAY_CONFIG(.url = "fake://far")));
	kryos_queue_close(queue);
	open_relay(rig);
}

static void what_is_owed_is_delivered_and_acknowledged(void **state)
{
	struct rig *rig = *state;
	struct kryos_fake_message message;
	char topic[80], says[80];
	unsigned int seen[300];

	append(rig, 50);
	open_relay(rig);
	wanted = 100;
	assert_true(process_until(rig->ctx, has_acked, rig, 10000));
	append(rig, 20);
	wanted = 140;
	assert_true(process_until(rig->ctx, has_acked, rig, 10000));
	assert_int_equal(rig->ups, 1);
	assert_int_equal(rig->downs, 0);
	assert_int_equal(arrivals(rig, seen, KRI_ARRAY_SIZE(seen)), 140);
	assert_int_equal(status_of(rig).connects, 1);
	assert_int_equal(status_of(rig).inflight, 0);
	assert_true(status_of(rig).last_ack_boot_ns > 0);
	assert_ok(kryos_fake_transport_get(rig->far, 0, &message));
	snprintf(topic, sizeof(topic), "kryos/%s/state", kri_store_get_device(rig->store));
	assert_string_equal(message.topic, topic);
	assert_string_equal(message.payload, "online");
	snprintf(says, sizeof(says), "\"bn\":\"kryos:%s:\"", kri_store_get_device(rig->store));
	assert_ok(kryos_fake_transport_get(rig->far, 50, &message));
	assert_non_null(strstr(message.payload, says));
	assert_non_null(strstr(message.payload, "\"trust\":\"synced\""));
	kryos_relay_close(rig->relay);
	/* The last word. */
	assert_ok(kryos_fake_transport_get(rig->far, kryos_fake_transport_count(rig->far) - 1, &message));
	assert_string_equal(message.payload, "offline");
	/* And nothing is owed. */
	rig->ups = 0;
	open_relay(rig);
	assert_true(process_until(rig->ctx, is_up, rig, 5000));
	process_for(rig->ctx, 200);
	assert_int_equal(status_of(rig).sent, 0);
}

static void what_was_before_the_link_is_historical_and_what_comes_after_is_not(void **state)
{
	struct rig *rig = *state;
	struct kryos_fake_message message;
	unsigned int historical = 0, live = 0;

	append(rig, 5);
	open_relay(rig);
	wanted = 10;
	assert_true(process_until(rig->ctx, has_acked, rig, 5000));
	append(rig, 3);
	wanted = 16;
	assert_true(process_until(rig->ctx, has_acked, rig, 5000));
	for (unsigned int i = 0; kryos_fake_transport_get(rig->far, i, &message) >= 0; i++) {
		if (!strstr(message.topic, "/sample"))
			continue;
		historical += strstr(message.payload, "\"historical\":true") != NULL;
		live += strstr(message.payload, "\"historical\":false") != NULL;
	}
	assert_int_equal(historical, 10);
	assert_int_equal(live, 6);
}

static void a_dropped_link_is_told_and_heals(void **state)
{
	struct rig *rig = *state;
	unsigned int seen[300];

	kryos_fake_transport_set_auto_ack(rig->far, 0);
	append(rig, 20);
	open_relay(rig);
	assert_true(process_until(rig->ctx, is_up, rig, 5000));
	process_for(rig->ctx, 100);
	assert_int_equal(status_of(rig).acked, 0);
	kryos_fake_transport_drop(rig->far, -ECONNRESET);
	assert_true(process_until(rig->ctx, is_down, rig, 5000));
	assert_string_equal(rig->down_text, "dropped as the script says");
	kryos_fake_transport_set_auto_ack(rig->far, 1);
	wanted = 40;
	assert_true(process_until(rig->ctx, has_acked, rig, 10000));
	assert_true(rig->ups >= 2);
	arrivals(rig, seen, KRI_ARRAY_SIZE(seen));
	for (unsigned int i = 0; i < rig->appended_count; i++)
		assert_in_range(seen[rig->appended[i]], 1, 3); /* those in flight again, with the same id */
}

static void acknowledgements_in_any_order_and_twice_are_taken(void **state)
{
	struct rig *rig = *state;

	kryos_fake_transport_set_auto_ack(rig->far, 0);
	kryos_fake_transport_set_double_ack(rig->far, 1);
	append(rig, 20);
	open_relay(rig);
	assert_true(process_until(rig->ctx, is_up, rig, 5000));
	wanted = 40;
	for (int i = 0; i < 200 && !has_acked(rig); i++) {
		kryos_fake_transport_ack(rig->far, 3, i % 2);
		process_for(rig->ctx, 20);
	}
	assert_true(status_of(rig).acked >= 40);
	assert_int_equal(rig->downs, 0);
}

static void what_is_refused_becomes_a_dead_letter_and_an_event(void **state)
{
	struct rig *rig = *state;

	kryos_fake_transport_refuse(rig->far, "\"seq\":7,");
	append(rig, 20);
	open_relay(rig);
	wanted = 39;
	assert_true(process_until(rig->ctx, has_acked, rig, 5000));
	process_for(rig->ctx, 200);
	take_events(rig);
	assert_int_equal(rig->rejected, 1);
	assert_int_equal(status_of(rig).rejected, 1);
}

static void what_was_not_acknowledged_is_sent_again_after_reopening_with_the_same_id(void **state)
{
	struct rig *rig = *state;
	struct kryos_fake_message message;
	char *first = NULL;
	unsigned int same = 0;

	kryos_fake_transport_set_auto_ack(rig->far, 0);
	append(rig, 1);
	open_relay(rig);
	assert_true(process_until(rig->ctx, is_up, rig, 5000));
	for (int i = 0; i < 100 && kryos_fake_transport_count(rig->far) < 3; i++)
		process_for(rig->ctx, 20);
	kryos_ctx_free(rig->ctx); /* closes all that is open under it */
	for (unsigned int i = 0; kryos_fake_transport_get(rig->far, i, &message) >= 0; i++)
		if (!first && strstr(message.topic, "/sample"))
			first = strdup(strstr(message.payload, "\"epoch\""));
	assert_non_null(first);
	*strstr(first, "\"boot\"") = 0; /* "epoch":"...","seq":1, */
	kryos_fake_transport_set_auto_ack(rig->far, 1);
	open_store(rig);
	open_relay(rig);
	wanted = 2;
	assert_true(process_until(rig->ctx, has_acked, rig, 5000));
	for (unsigned int i = 0; kryos_fake_transport_get(rig->far, i, &message) >= 0; i++)
		same += strstr(message.payload, first) != NULL;
	assert_int_equal(same, 2);
	free(first);
}

/* How many of what was appended have not come, whatever came twice. */
static unsigned int missing(struct rig *rig)
{
	static unsigned int seen[2000];
	unsigned int count = 0;

	arrivals(rig, seen, KRI_ARRAY_SIZE(seen));
	for (unsigned int i = 0; i < rig->appended_count; i++)
		count += !seen[rig->appended[i]];
	return count;
}

static void closing_at_any_moment_loses_nothing(void **state)
{
	struct rig *rig = *state;
	uint64_t seed = seed_from_environment(77);
	unsigned int total = 0;

	for (int round = 0; round < 40; round++) {
		append(rig, 5);
		total += 10;
		kryos_fake_transport_set_auto_ack(rig->far, round % 3 != 0);
		open_relay(rig);
		process_for(rig->ctx, (int)(next_random(&seed) % 30));
		if (round % 5 == 4) {
			kryos_ctx_free(rig->ctx);
			open_store(rig);
		} else {
			kryos_relay_close(rig->relay);
		}
	}
	kryos_fake_transport_set_auto_ack(rig->far, 1);
	open_relay(rig);
	for (int i = 0; i < 3000 && missing(rig); i++)
		process_for(rig->ctx, 20);
	assert_int_equal(rig->appended_count, total);
	if (missing(rig))
		fail_msg("%u of %u samples never arrived", missing(rig), total);
}

static void two_relays_have_their_own_channels_and_queues(void **state)
{
	struct rig *rig = *state;
	struct kryos_relay *other = NULL;
	struct kryos_fake_message message;
	unsigned int fridge = 0, all = 0;

	append(rig, 10);
	assert_ok(kryos_relay_open(&rig->relay, rig->store, "cloud",
	                           KRYOS_RELAY_CONFIG(.url = "fake://far", .topic = "one", FAST)));
	assert_ok(kryos_relay_open(
		&other, rig->store, "clinic",
		KRYOS_RELAY_CONFIG(.url = "fake://far", .topic = "two", .channels = "fridge.*", FAST)));
	wanted = 20;
	assert_true(process_until(rig->ctx, has_acked, rig, 5000));
	for (int i = 0; i < 100 && fridge < 10; i++) {
		process_for(rig->ctx, 20);
		fridge = all = 0;
		for (unsigned int k = 0; kryos_fake_transport_get(rig->far, k, &message) >= 0; k++) {
			all += !strcmp(message.topic, "one/sample");
			fridge += !strcmp(message.topic, "two/sample");
			assert_false(!strcmp(message.topic, "two/sample") && strstr(message.payload, "room."));
		}
	}
	assert_int_equal(all, 20);
	assert_int_equal(fridge, 10);
	kryos_relay_close(other);
}

/* Something of the integrator's that hangs until it is let go. */
struct hook {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int entered, left;
	bool go;
};

static void hook_init(struct hook *hook)
{
	memset(hook, 0, sizeof(*hook));
	pthread_mutex_init(&hook->lock, NULL);
	pthread_cond_init(&hook->changed, NULL);
}

static void hang(struct hook *hook)
{
	pthread_mutex_lock(&hook->lock);
	hook->entered++;
	pthread_cond_broadcast(&hook->changed);
	while (!hook->go)
		pthread_cond_wait(&hook->changed, &hook->lock);
	hook->left++;
	pthread_cond_broadcast(&hook->changed);
	pthread_mutex_unlock(&hook->lock);
}

static void let_go(struct hook *hook)
{
	struct timespec moment = { .tv_nsec = 200000000 };

	pthread_mutex_lock(&hook->lock);
	hook->go = true;
	pthread_cond_broadcast(&hook->changed);
	while (hook->left < hook->entered)
		pthread_cond_wait(&hook->changed, &hook->lock);
	pthread_mutex_unlock(&hook->lock);
	nanosleep(&moment, NULL); /* for the thread to end, so that a leak checker sees what it left */
}

static int hanging_resolver(void *userdata, const char *host, int64_t timeout_ns)
{
	(void)host;
	(void)timeout_ns;
	hang(userdata);
	return 0;
}

static void a_resolver_that_hangs_hinders_nobody(void **state)
{
	struct rig *rig = *state;
	struct hook hook;
	int64_t before;

	hook_init(&hook);
	assert_ok(kryos_register_resolver(rig->ctx, hanging_resolver, &hook));
	append(rig, 5);
	before = kri_real_ns();
	assert_ok(kryos_relay_open(
		&rig->relay, rig->store, "cloud",
		KRYOS_RELAY_CONFIG(.url = "fake://far", .connect_timeout_ns = KRYOS_MILLISECONDS(200), FAST)));
	assert_true(kri_real_ns() - before < KRYOS_SECONDS(1));
	assert_true(process_until(rig->ctx, has_failed, rig, 5000));
	take_events(rig);
	assert_non_null(strstr(rig->down_text, "could not be resolved in time"));
	process_for(rig->ctx, 2000); /* many tries, and yet a handful of threads */
	assert_true(status_of(rig).failures >= 5);
	pthread_mutex_lock(&hook.lock);
	assert_in_range(hook.entered, 1, 4);
	pthread_mutex_unlock(&hook.lock);
	before = kri_real_ns();
	kryos_relay_close(rig->relay);
	assert_true(kri_real_ns() - before < KRYOS_SECONDS(1));
	let_go(&hook);
}

static struct hook *hanging;

static int h_check(const struct kryos_relay_config *config)
{
	(void)config;
	return 0;
}

static int h_open(void *priv, const struct kryos_relay_config *config, struct kryos_link_port *port, void *userdata)
{
	(void)priv;
	(void)config;
	(void)port;
	(void)userdata;
	return 0;
}

static int h_connect(void *priv, const char *will_topic)
{
	(void)priv;
	(void)will_topic;
	hang(hanging);
	return -EIO;
}

static int h_publish(void *priv, const struct kryos_message *message)
{
	(void)priv;
	(void)message;
	return -EIO;
}

static void h_end(void *priv)
{
	(void)priv;
}

static const struct kryos_transport_driver hanging_transport = {
	.size = sizeof(hanging_transport),
	.name = "hanging",
	.schemes = "hanging",
	.private_size = 16,
	.check = h_check,
	.open = h_open,
	.connect = h_connect,
	.publish = h_publish,
	.disconnect = h_end,
	.close = h_end,
};

static bool has_entered(void *data)
{
	struct hook *hook = data;
	bool entered;

	pthread_mutex_lock(&hook->lock);
	entered = hook->entered > 0;
	pthread_mutex_unlock(&hook->lock);
	return entered;
}

static bool is_late(void *data)
{
	take_events(data);
	return ((struct rig *)data)->late > 0;
}

static void a_transport_that_hangs_is_left_behind_and_named(void **state)
{
	struct rig *rig = *state;
	struct kryos_watchdog *watchdog = NULL;
	struct kryos_task *task = NULL;
	struct kryos_relay *well = NULL;
	struct hook hook;
	int64_t before;

	hook_init(&hook);
	hanging = &hook;
	assert_ok(kryos_watchdog_open(&watchdog, rig->ctx, KRYOS_WATCHDOG_CONFIG(.device = "none")));
	assert_ok(kryos_task_new(&task, watchdog, "relay", KRYOS_SECONDS(1)));
	assert_ok(kryos_register_transport(rig->ctx, &hanging_transport, NULL));
	append(rig, 5);
	assert_ok(kryos_relay_open(&rig->relay, rig->store, "cloud",
	                           KRYOS_RELAY_CONFIG(.url = "hanging://127.0.0.1", .task = task, FAST)));
	assert_true(process_until(rig->ctx, has_entered, &hook, 5000));
	assert_int_not_equal(status_of(rig).link, KRYOS_LINK_UP);
	assert_true(process_until(rig->ctx, is_late, rig, 5000));
	/* It hinders no other relay. */
	assert_ok(kryos_relay_open(&well, rig->store, "clinic", KRYOS_RELAY_CONFIG(.url = "fake://far", FAST)));
	kryos_relay_close(well);
	before = kri_real_ns();
	kryos_relay_close(rig->relay);
	assert_in_range((kri_real_ns() - before) / 1000000, 1900, 3000);
	/* What it held is there when it comes back to life, long after. */
	kryos_task_free(task);
	kryos_ctx_free(rig->ctx);
	rig->ctx = NULL;
	let_go(&hook);
}

static void an_idle_relay_needs_no_feeding(void **state)
{
	struct rig *rig = *state;
	struct kryos_watchdog *watchdog = NULL;
	struct kryos_task *task = NULL;

	assert_ok(kryos_watchdog_open(&watchdog, rig->ctx, KRYOS_WATCHDOG_CONFIG(.device = "none")));
	assert_ok(kryos_task_new(&task, watchdog, "relay", KRYOS_SECONDS(1)));
	assert_ok(kryos_relay_open(&rig->relay, rig->store, "cloud",
	                           KRYOS_RELAY_CONFIG(.url = "fake://far", .task = task, FAST)));
	process_for(rig->ctx, 2500);
	take_events(rig);
	assert_int_equal(rig->late, 0);
}

static void the_status_says_why_and_when_next(void **state)
{
	struct rig *rig = *state;
	struct kryos_relay_status status;

	kryos_fake_transport_set_connect(rig->far, KRYOS_EAUTH);
	assert_ok(kryos_relay_open(&rig->relay, rig->store, "cloud",
	                           KRYOS_RELAY_CONFIG(.url = "fake://far", .backoff_min_ns = KRYOS_MINUTES(5))));
	assert_true(process_until(rig->ctx, has_failed, rig, 5000));
	status = status_of(rig);
	assert_int_equal(status.link, KRYOS_LINK_DOWN);
	assert_int_equal(status.error, KRYOS_EAUTH);
	assert_string_equal(status.text, "refused as the script says");
	assert_int_equal(status.connects, 0);
	assert_in_range(status.retry_ns, 0, KRYOS_MINUTES(5));
	/* A smaller struct, of an older program, is filled as far as it goes. */
	memset(&status, 0xee, sizeof(status));
	status.size = offsetof(struct kryos_relay_status, failures);
	assert_ok(kryos_relay_get_status(rig->relay, &status));
	assert_int_equal(status.connects, 0);
	assert_int_equal(status.failures, UINT64_C(0xeeeeeeeeeeeeeeee));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(what_no_time_will_mend_is_refused_at_once),
		CASE(what_is_owed_is_delivered_and_acknowledged),
		CASE(what_was_before_the_link_is_historical_and_what_comes_after_is_not),
		CASE(a_dropped_link_is_told_and_heals),
		CASE(acknowledgements_in_any_order_and_twice_are_taken),
		CASE(what_is_refused_becomes_a_dead_letter_and_an_event),
		CASE(what_was_not_acknowledged_is_sent_again_after_reopening_with_the_same_id),
		CASE(closing_at_any_moment_loses_nothing),
		CASE(two_relays_have_their_own_channels_and_queues),
		CASE(a_resolver_that_hangs_hinders_nobody),
		CASE(a_transport_that_hangs_is_left_behind_and_named),
		CASE(an_idle_relay_needs_no_feeding),
		CASE(the_status_says_why_and_when_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
