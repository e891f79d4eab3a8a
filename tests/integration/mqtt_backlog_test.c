/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two weeks of backlog at one record a minute through Paho and a real Mosquitto, while the device measures on;
 * KRYOS_TEST_LONG=1: 60 days. The relay's machine, queue, codec and transport as they are, driven from here because
 * kryos_relay_open allows 100 records a second at most, and this should take seconds.
 */
#include "lane.h"
#include "relay/link.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE 2500
#define BATCH 800
#define OURS "in the thick of it"
#define FLAT (1024 * 1024) /* caches that fill up in the beginning */

extern const struct kryos_transport_driver kri_transport_paho;
extern const struct kryos_codec kri_codec_senml;

enum kind { EVENTS, LIVE, OLD, KINDS };

struct rig {
	char *folder;
	uint16_t port;
	struct broker *broker;
	struct sink *sink;
	struct lane *lane;
	struct kryos_queue *queue;
	struct kryos_relay_config config;
	struct kri_link link;
	int backlog, downs;
	size_t looked_at;
	int64_t seen[KINDS], last[KINDS];
	unsigned int broken; /* order, or seen twice */
};

static int next_of(void *data, unsigned int streams, const struct kryos_record **ret_record)
{
	return kryos_queue_next_of(((struct rig *)data)->queue, streams, ret_record);
}

static int ack(void *data, int64_t seq)
{
	return kryos_queue_ack(((struct rig *)data)->queue, seq);
}

static int reject(void *data, int64_t seq, const char *reason)
{
	(void)data;
	fail_msg("%lld: %s", (long long)seq, reason);
	return 0;
}

static int release(void *data, int64_t seq)
{
	return kryos_queue_release(((struct rig *)data)->queue, seq);
}

static int release_all(void *data)
{
	return kryos_queue_release_all(((struct rig *)data)->queue);
}

static int set_live(void *data)
{
	return kryos_queue_set_live(((struct rig *)data)->queue);
}

static int resolve(void *data, int64_t token)
{
	kryos_transport_report(((struct rig *)data)->link.port, (enum kryos_transport_news)KRI_NEWS_RESOLVED, token, 0,
	                       NULL);
	return 0;
}

static unsigned int trust(void *data)
{
	(void)data;
	return KRYOS_TRUST_SYNCED;
}

static void announce(void *data, bool up, int code, const char *text)
{
	(void)code;
	if (!up) {
		((struct rig *)data)->downs++;
		print_message("link down: %s\n", text);
	}
}

static void fill(struct rig *rig)
{
	static struct kryos_sample samples[BATCH];

	for (int done = 0; done < rig->backlog; done += BATCH) {
		for (int i = 0; i < BATCH; i++)
			samples[i] = (struct kryos_sample){ .channel = rig->lane->channel, .value_micro = 5000000 };
		kryos_fake_clock_advance(rig->lane->clock, KRYOS_MINUTES(BATCH));
		assert_ok(kryos_store_append(rig->lane->store, samples, BATCH));
	}
}

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->folder = scratch_new();
	rig->backlog = getenv("KRYOS_TEST_LONG") ? 86400 : 20000;
	rig->port = broker_free_port();
	rig->broker = broker_start(rig->folder, rig->port, NULL);
	assert_non_null(rig->broker);
	rig->sink = sink_start(rig->port);
	assert_non_null(rig->sink);
	rig->lane = lane_new("t", rig->port, 311);
	fill(rig);
	assert_ok(kryos_queue_open(&rig->queue, rig->lane->store, "cloud", NULL));
	rig->config = lane_config(rig->lane);
	rig->config.client_id = "backlog";
	rig->config.inflight = 100;
	rig->config.max_payload = 10000;
	rig->link.env = (struct kri_link_env){ .data = rig,
		                               .next = next_of,
		                               .ack = ack,
		                               .reject = reject,
		                               .release = release,
		                               .release_all = release_all,
		                               .set_live = set_live,
		                               .resolve = resolve,
		                               .trust = trust,
		                               .announce = announce };
	rig->link.config = (struct kri_link_config){ .rate = RATE * 1000,
		                                     .burst = 100,
		                                     .live_percent = 20,
		                                     .inflight = 100,
		                                     .max_payload = 10000,
		                                     .backoff_min_ns = KRYOS_MILLISECONDS(50),
		                                     .backoff_max_ns = KRYOS_SECONDS(1),
		                                     .stable_ns = KRYOS_SECONDS(60),
		                                     .ack_timeout_ns = KRYOS_SECONDS(30),
		                                     .connect_timeout_ns = KRYOS_SECONDS(10),
		                                     .client_id = "backlog",
		                                     .sample_topic = "t/sample",
		                                     .event_topic = "t/event",
		                                     .state_topic = "t/state",
		                                     .seed = 1 };
	rig->link.codec = &kri_codec_senml;
	rig->link.transport = &kri_transport_paho;
	rig->link.relay_config = &rig->config;
	rig->link.priv = calloc(1, kri_transport_paho.private_size);
	assert_non_null(rig->link.priv);
	assert_ok(kri_port_new(&rig->link.port));
	kri_link_init(&rig->link, kri_real_ns());
	return rig;
}

static void rig_free(struct rig *rig)
{
	kri_link_fini(&rig->link);
	kri_port_unref(rig->link.port);
	free(rig->link.priv);
	kryos_queue_close(rig->queue);
	lane_free(rig->lane);
	sink_free(rig->sink);
	broker_free(rig->broker);
	scratch_free(rig->folder);
	free(rig);
}

/* As the relay's thread does, for ms at most. */
static void drive(struct rig *rig, int ms)
{
	int64_t end = kri_real_ns() + KRYOS_MILLISECONDS(ms), now, next;

	while ((now = kri_real_ns()) < end) {
		next = kri_link_step(&rig->link, now);
		if (next > end)
			next = end;
		now = kri_real_ns();
		if (next > now)
			(void)kri_port_wait(rig->link.port, next - now);
	}
}

static int64_t append_live(struct rig *rig, int count)
{
	struct kryos_sample samples[300] = { 0 };
	int64_t before = kri_real_ns();

	for (int i = 0; i < count; i++)
		samples[i] = (struct kryos_sample){ .channel = rig->lane->channel, .value_micro = 7000000 };
	kryos_fake_clock_advance(rig->lane->clock, KRYOS_SECONDS(1));
	assert_ok(kryos_store_append(rig->lane->store, samples, (size_t)count));
	return kri_real_ns() - before;
}

static size_t heap(const struct rig *rig)
{
	size_t bytes = heap_bytes();

	return bytes ? bytes - sink_bytes(rig->sink) : 0;
}

/* Looks at what has come since the last call. */
static void look(struct rig *rig)
{
	const char *line;

	for (; (line = sink_line(rig->sink, rig->looked_at)); rig->looked_at++) {
		const char *at = strstr(line, "\"seq\":");
		enum kind kind = !strncmp(line, "0 t/event ", 10)      ? EVENTS
		                 : strstr(line, "\"historical\":true") ? OLD
		                                                       : LIVE;
		int64_t seq = at ? strtoll(at + 6, NULL, 10) : 0;

		if (!at)
			continue;
		rig->broken += seq <= rig->last[kind];
		rig->last[kind] = seq;
		/* (Seals are events too.) */
		rig->seen[kind] += kind != EVENTS || strstr(line, OURS);
	}
}

/* Drives until so many have arrived; how long that took. */
static int64_t wait_for(struct rig *rig, enum kind kind, int64_t count)
{
	int64_t began = kri_real_ns();

	look(rig);
	for (int i = 0; rig->seen[kind] < count && i < 5000; i++) {
		kri_link_poke(&rig->link); /* an event is stored a moment after it was added */
		drive(rig, 2);
		look(rig);
	}
	assert_true(rig->seen[kind] >= count);
	return kri_real_ns() - began;
}

static void weeks_of_backlog_disturb_nobody(void **state)
{
	struct rig *rig = rig_new();
	struct kryos_event event = { .size = sizeof(event), .type = KRYOS_EVENT_AUDIT, .text = OURS };
	int64_t worst[KINDS] = { 0 }, worst_append = 0, began, live = 0, events = 0, took;
	size_t early, peak = 0, now;
	double rate;

	(void)state;
	(void)wait_for(rig, OLD, 1000);
	early = heap(rig);
	began = kri_real_ns();
	while (rig->seen[OLD] < rig->backlog - 2000) {
		/* A hundred live samples at once are a fifth of a second of their share. */
		took = append_live(rig, 100);
		worst_append = took > worst_append ? took : worst_append;
		assert_ok(kryos_store_add_event(rig->lane->store, &event));
		took = wait_for(rig, EVENTS, ++events);
		worst[EVENTS] = took > worst[EVENTS] ? took : worst[EVENTS];
		took += wait_for(rig, LIVE, live += 100);
		worst[LIVE] = took > worst[LIVE] ? took : worst[LIVE];
		drive(rig, 200);
		look(rig);
		now = heap(rig);
		peak = now > peak ? now : peak;
	}
	rate = (double)(rig->seen[OLD] + rig->seen[LIVE] - 1000) * 1e9 / (double)(kri_real_ns() - began);
	(void)wait_for(rig, OLD, rig->backlog);
	drive(rig, 100);
	look(rig);
	print_message("%lld old, %lld live, %lld events at %.0f a second; worst: live %lld ms, event %lld ms, append "
	              "%lld ms; "
	              "heap %zu kB, then %zu kB at most\n",
	              (long long)rig->seen[OLD], (long long)rig->seen[LIVE], (long long)rig->seen[EVENTS], rate,
	              (long long)worst[LIVE] / 1000000, (long long)worst[EVENTS] / 1000000,
	              (long long)worst_append / 1000000, early / 1024, peak / 1024);
	assert_int_equal(rig->seen[OLD], rig->backlog);
	assert_int_equal(rig->seen[LIVE], live);
	assert_int_equal(rig->seen[EVENTS], events);
	assert_int_equal(rig->broken, 0);
	assert_int_equal(rig->downs, 0);
	/* Kept, and used: what a busy machine can't do is not held against the relay. */
	assert_true(rate < RATE * 1.05);
	assert_true(rate > RATE / 10.0);
	assert_true(worst[LIVE] < KRYOS_SECONDS(3));
	assert_true(worst[EVENTS] < KRYOS_SECONDS(3));
	assert_true(worst_append < KRYOS_SECONDS(3));
	if (early)
		assert_true(peak < early + FLAT);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weeks_of_backlog_disturb_nobody),
	};
	const char *missing = broker_missing();

	if (missing) {
		print_message("skipped: %s is not installed\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
