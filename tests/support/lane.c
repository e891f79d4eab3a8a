/* SPDX-License-Identifier: Apache-2.0 */
#include "lane.h"
#include "core/core.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE0 5000000

struct lane *lane_new(const char *name, uint16_t broker_port, unsigned int version)
{
	struct lane *lane = calloc(1, sizeof(*lane));
	char long_name[64];

	assert_non_null(lane);
	snprintf(lane->name, sizeof(lane->name), "%s", name);
	lane->version = version;
	lane->folder = scratch_new();
	lane->proxy = proxy_start(broker_port);
	proxy_set_frame(lane->proxy, PROXY_MQTT);
	assert_ok(kryos_fake_clock_new(&lane->clock, LANE_START));
	kryos_fake_clock_set_synced(lane->clock, 1);
	assert_ok(kryos_ctx_new(&lane->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = lane->clock)));
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	assert_ok(kryos_channel_add(lane->ctx, "f.t", "Cel", &lane->channel));
	assert_ok(kryos_channel_add(lane->ctx, long_name, "Cel", &lane->long_channel));
	assert_ok(kryos_store_open(&lane->store, lane->ctx, in(lane->folder, "store"), NULL));
	return lane;
}

void lane_free(struct lane *lane)
{
	if (!lane)
		return;
	kryos_ctx_free(lane->ctx);
	proxy_free(lane->proxy);
	kryos_fake_clock_free(lane->clock);
	scratch_free(lane->folder);
	free(lane);
}

struct kryos_relay_config lane_config(struct lane *lane)
{
	snprintf(lane->url, sizeof(lane->url), "%s://127.0.0.1:%u", lane->tls ? "mqtts" : "mqtt",
	         proxy_port(lane->proxy));
	return (struct kryos_relay_config){ .size = sizeof(struct kryos_relay_config),
		                            .url = lane->url,
		                            .topic = lane->name,
		                            .mqtt_version = lane->version,
		                            .rate = 100,
		                            .burst = 1000,
		                            .keepalive_ns = KRYOS_SECONDS(5),
		                            .backoff_min_ns = KRYOS_MILLISECONDS(50),
		                            .backoff_max_ns = KRYOS_MILLISECONDS(400),
		                            .ack_timeout_ns = KRYOS_MILLISECONDS(1500),
		                            .connect_timeout_ns = KRYOS_SECONDS(2) };
}

void lane_open(struct lane *lane, const struct kryos_relay_config *config)
{
	assert_ok(kryos_relay_open(&lane->relay, lane->store, "cloud", config));
}

static void append_one(struct lane *lane, uint32_t channel)
{
	struct kryos_sample sample = { .channel = channel, .value_micro = VALUE0 + lane->appended };
	int64_t before = kri_real_ns(), took;

	assert_true(lane->appended < LANE_SAMPLES);
	kryos_fake_clock_advance(lane->clock, KRYOS_SECONDS(60));
	assert_ok(kryos_store_append(lane->store, &sample, 1));
	took = kri_real_ns() - before;
	lane->worst_append_ns = took > lane->worst_append_ns ? took : lane->worst_append_ns;
	lane->appended_without_link += lane->relay && lane_status(lane).link != KRYOS_LINK_UP;
	lane->at_ns[lane->appended] = before + took;
	lane->seqs[lane->appended++] = sample.seq;
}

void lane_append(struct lane *lane, unsigned int count)
{
	while (count--)
		append_one(lane, lane->channel);
}

void lane_append_large(struct lane *lane)
{
	append_one(lane, lane->long_channel);
}

void lane_event(struct lane *lane, const char *text)
{
	char whole[1001];
	struct kryos_event event = { .size = sizeof(event), .type = KRYOS_EVENT_AUDIT, .text = whole };

	assert_true(lane->events < LANE_EVENTS);
	snprintf(whole, sizeof(whole), "number %u.%s", lane->events++, text);
	assert_ok(kryos_store_add_event(lane->store, &event));
}

void lane_go_on(struct lane *lane, int ms)
{
	const struct kryos_event *event;

	process_for(lane->ctx, ms);
	while (kryos_ctx_next_event(lane->ctx, &event) > 0) {
		lane->ups += event->type == KRYOS_EVENT_LINK_UP;
		if (event->type == KRYOS_EVENT_LINK_DOWN) {
			lane->downs++;
			lane->down_code = event->code;
			snprintf(lane->down_text, sizeof(lane->down_text), "%s", event->text);
		}
		if (event->type == KRYOS_EVENT_REJECTED && lane->dead_letters < 16) {
			lane->dead_seq[lane->dead_letters++] = event->first_seq;
			snprintf(lane->dead_reason, sizeof(lane->dead_reason), "%s", event->text);
		}
	}
}

struct kryos_relay_status lane_status(struct lane *lane)
{
	struct kryos_relay_status status = { .size = sizeof(status) };

	assert_ok(kryos_relay_get_status(lane->relay, &status));
	return status;
}

void lane_wait_for_link(struct lane *lane, enum kryos_link link, int ms)
{
	for (; lane_status(lane).link != link && ms > 0; ms -= 20)
		lane_go_on(lane, 20);
	lane_go_on(lane, 0);
	if (lane_status(lane).link != link)
		fail_msg("%s: link is %d, not %d: %s", lane->name, lane_status(lane).link, link,
		         lane_status(lane).text);
}

static int64_t number_in(const char *line, const char *label)
{
	const char *at = strstr(line, label);

	return at ? strtoll(at + strlen(label), NULL, 10) : -1;
}

/* Which of the appended has this seq; -1: none. Seqs grow. */
static int index_of(const struct lane *lane, int64_t seq)
{
	unsigned int low = 0, high = lane->appended;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (lane->seqs[middle] < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < lane->appended && lane->seqs[low] == seq ? (int)low : -1;
}

static bool has_value(const char *line, int index)
{
	const char *at = strstr(line, "\"v\":");

	return at && (int64_t)(strtod(at + 4, NULL) * 1e6 + 0.5) == VALUE0 + index;
}

struct verdict lane_judge(struct lane *lane, struct sink *sink)
{
	bool seen[LANE_SAMPLES] = { false }, seen_event[LANE_EVENTS] = { false };
	char prefix[40], epochs[2][40] = { "", "" }; /* of samples, and of events */
	struct verdict verdict = { 0 };
	int64_t last[3] = { 0 }, now = kri_real_ns();
	size_t length = (size_t)snprintf(prefix, sizeof(prefix), "0 %s/", lane->name);
	const char *line;

	for (size_t i = 0; (line = sink_line(sink, i)); i++) {
		bool event, historical;
		int64_t seq, number;
		const char *at;
		int index;

		if (strncmp(line, prefix, length) || !(at = strstr(line, "\"epoch\":")))
			continue;
		event = !strncmp(line + length, "event ", 6);
		if (!*epochs[event])
			snprintf(epochs[event], sizeof(epochs[event]), "%.26s", at);
		verdict.aliens += strncmp(at, epochs[event], strlen(epochs[event])) != 0;
		seq = number_in(line, "\"seq\":");
		historical = strstr(line, "\"historical\":true");
		if (event) {
			number = number_in(line, "\"text\":\"number ");
			if (number >= LANE_EVENTS || (number < 0 && !strstr(line, "\"vs\":")))
				verdict.aliens++;
			if (number < 0 || number >= LANE_EVENTS)
				continue; /* the store's own */
			verdict.events += !seen_event[number];
			verdict.event_duplicates += seen_event[number];
			verdict.disorder += !seen_event[number] && seq < last[2];
			last[2] = seen_event[number] ? last[2] : seq;
			seen_event[number] = true;
			continue;
		}
		index = index_of(lane, seq);
		if (index < 0 || !has_value(line, index)) {
			verdict.aliens++;
			continue;
		}
		verdict.duplicates += seen[index];
		if (!seen[index]) {
			verdict.disorder += seq < last[historical];
			last[historical] = seq;
		}
		seen[index] = true;
	}
	for (unsigned int i = 0; i < lane->appended; i++) {
		bool dead = false;

		for (int k = 0; k < lane->dead_letters; k++)
			dead = dead || lane->dead_seq[k] == lane->seqs[i];
		if (seen[i] || dead)
			continue;
		verdict.missing++;
		if (now - lane->at_ns[i] > verdict.worst_ns)
			verdict.worst_ns = now - lane->at_ns[i];
	}
	return verdict;
}

struct verdict lane_expect_all(struct lane *lane, struct sink *sink, int ms)
{
	struct verdict verdict = lane_judge(lane, sink);

	for (; verdict.missing && ms > 0; ms -= 50) {
		lane_go_on(lane, 50);
		verdict = lane_judge(lane, sink);
	}
	if (verdict.missing)
		fail_msg("%s: %u of %u samples never arrived; link %d, %llu connects, %llu failures, last: %s",
		         lane->name, verdict.missing, lane->appended, lane_status(lane).link,
		         (unsigned long long)lane_status(lane).connects, (unsigned long long)lane_status(lane).failures,
		         lane_status(lane).text);
	if (verdict.disorder || verdict.aliens) {
		char prefix[40];
		const char *line;
		size_t length = (size_t)snprintf(prefix, sizeof(prefix), "0 %s/", lane->name);

		for (size_t i = 0; (line = sink_line(sink, i)); i++)
			if (!strncmp(line, prefix, length))
				print_message("%s\n", line);
	}
	if (verdict.disorder || verdict.aliens)
		fail_msg("%s: %u out of order, %u that nobody sent", lane->name, verdict.disorder, verdict.aliens);
	return verdict;
}
