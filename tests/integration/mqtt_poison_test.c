/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record that its receiver will not have: refused, answered by the end of the connection, or never
 * answered. It ends as a dead letter with the reason, and all others arrive in order. As many devices
 * side by side, since a trial takes its time (src/relay/link.h).
 */
#include "lane.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POISON "xxxxxxxx" /* in the name of the channel whose records are larger */
#define GOOD 12           /* samples before and behind the poison */

enum server { PLAIN, SMALL_MESSAGES, SMALL_PACKETS, TINY, SERVERS };

static const char *const limits[SERVERS] = {
	[PLAIN] = "",
	[SMALL_MESSAGES] = "message_size_limit 262\n",
	[SMALL_PACKETS] = "max_packet_size 280\n",
	[TINY] = "max_inflight_messages 1\nmax_queued_messages 1\n",
};
static char *folder;
static uint16_t ports[SERVERS];
static struct broker *brokers[SERVERS];

static int start(void **state)
{
	(void)state;
	folder = scratch_new();
	for (int i = 0; i < SERVERS; i++) {
		char extra[128];

		snprintf(extra, sizeof(extra), "allow_anonymous true\n%s", limits[i]);
		ports[i] = broker_free_port();
		brokers[i] = broker_start(folder, ports[i], extra);
		if (!brokers[i])
			return -1;
	}
	return 0;
}

static int stop(void **state)
{
	(void)state;
	for (int i = 0; i < SERVERS; i++)
		broker_free(brokers[i]);
	scratch_free(folder);
	return 0;
}

struct poison {
	const char *name;
	unsigned int version;
	enum server server;
	enum proxy_fault fault;
	unsigned char reason;
	const char *says;        /* of the dead letter; NULL: there is none, the broker took it */
	unsigned int most_links; /* that it may cost; 0: as a trial does */
};

static const struct poison poisons[] = {
	{ "topic", 5, PLAIN, PROXY_REFUSE, 0x90, "Topic name invalid (144)", 1 },
	{ "large", 5, PLAIN, PROXY_REFUSE, 0x95, "Packet too large (149)", 1 },
	{ "format", 5, PLAIN, PROXY_REFUSE, 0x99, "Payload format invalid (153)", 1 },
	{ "quota", 5, PLAIN, PROXY_REFUSE, 0x97, "Quota exceeded (151)", 0 },
	{ "rights", 5, PLAIN, PROXY_REFUSE, 0x87, "Not authorized (135)", 0 },
	{ "bye", 5, PLAIN, PROXY_BYE, 0x99, "Payload format invalid (153)", 0 },
	{ "cut3", 311, PLAIN, PROXY_CUT, 0, "right after this record was sent alone", 0 },
	{ "cut5", 5, PLAIN, PROXY_CUT, 0, "right after this record was sent alone", 0 },
	{ "reset3", 311, PLAIN, PROXY_RESET, 0, "right after this record was sent alone", 0 },
	{ "silence3", 311, PLAIN, PROXY_LOSE, 0, "not acknowledged after 1500 ms", 0 },
	{ "silence5", 5, PLAIN, PROXY_LOSE, 0, "not acknowledged after 1500 ms", 0 },
	/* Mosquitto 2.0.11 says why, and closes at once: the word may be lost with the connection. */
	{ "message5", 5, SMALL_MESSAGES, PROXY_NOTHING, 0, "", 0 },
	/* MQTT 3.1.1 has no word for no: Mosquitto acknowledges what it drops. */
	{ "message3", 311, SMALL_MESSAGES, PROXY_NOTHING, 0, NULL, 0 },
	{ "packet5", 5, SMALL_PACKETS, PROXY_NOTHING, 0, "the broker takes 280 at most", 1 },
	{ "packet3", 311, SMALL_PACKETS, PROXY_NOTHING, 0, "right after this record was sent alone", 0 },
};
#define POISONS (sizeof(poisons) / sizeof(poisons[0]))

static struct lane *give_poison(const struct poison *poison)
{
	const struct proxy_script script = {
		.fault = poison->fault, .type = MQTT_PUBLISH, .text = POISON, .reason = poison->reason
	};
	struct lane *lane = lane_new(poison->name, ports[poison->server], poison->version);
	struct kryos_relay_config config = lane_config(lane);

	proxy_set_script(lane->proxy, &script);
	lane_append(lane, GOOD);
	lane_append_large(lane);
	lane_append(lane, GOOD);
	lane_event(lane, "");
	config.backoff_max_ns = KRYOS_MILLISECONDS(100);
	lane_open(lane, &config);
	return lane;
}

static void check_poison(const struct poison *poison, struct lane *lane, struct sink *sink)
{
	struct verdict verdict = lane_judge(lane, sink);
	struct kryos_queue_status queue = { .size = sizeof(queue) };
	bool lost_by_broker = !poison->says;

	for (int i = 0; verdict.missing > lost_by_broker && i < 1600; i++) {
		lane_go_on(lane, 50);
		verdict = lane_judge(lane, sink);
	}
	if (verdict.missing != lost_by_broker || verdict.disorder || verdict.aliens)
		fail_msg("%s: %u missing, %u out of order, %u aliens, %d dead letters; %s", poison->name,
		         verdict.missing, verdict.disorder, verdict.aliens, lane->dead_letters, lane_status(lane).text);
	if (lane->dead_letters != (poison->says ? 1 : 0))
		fail_msg("%s: %d dead letters: %s", poison->name, lane->dead_letters, lane->dead_reason);
	/* The event that reports a dead letter may be too large too; that one's is not reported. */
	assert_in_range(lane_status(lane).rejected, lane->dead_letters, lane->dead_letters + (poison->server != PLAIN));
	if (poison->says) {
		assert_int_equal(lane->dead_seq[0], lane->seqs[GOOD]);
		if (!strstr(lane->dead_reason, poison->says))
			fail_msg("%s: \"%s\" does not say \"%s\"", poison->name, lane->dead_reason, poison->says);
	}
	if (poison->most_links && lane_status(lane).connects > poison->most_links)
		fail_msg("%s: %u links, the last ended with: %s", poison->name,
		         (unsigned int)lane_status(lane).connects, lane->down_text);
	/* And it goes on. */
	lane_append(lane, 3);
	for (int i = 0; lane_judge(lane, sink).missing > lost_by_broker && i < 200; i++)
		lane_go_on(lane, 50);
	assert_int_equal(lane_judge(lane, sink).missing, lost_by_broker);
	for (int i = 0; lane_status(lane).owed && i < 100; i++) /* its own event of the dead letter too */
		lane_go_on(lane, 50);
	assert_int_equal(lane_status(lane).owed, 0);
}

static void take(bool trial)
{
	struct lane *lanes[POISONS];
	struct sink *sinks[SERVERS];

	for (int i = 0; i < SERVERS; i++) {
		sinks[i] = sink_start(ports[i]);
		assert_non_null(sinks[i]);
	}
	for (size_t i = 0; i < POISONS; i++)
		lanes[i] = trial == !poisons[i].most_links ? give_poison(&poisons[i]) : NULL;
	for (size_t i = 0; i < POISONS; i++)
		if (lanes[i])
			check_poison(&poisons[i], lanes[i], sinks[poisons[i].server]);
	for (size_t i = 0; i < POISONS; i++) {
		if (!lanes[i])
			continue;
		print_message("%s: %u links, %u duplicates: %s\n", lanes[i]->name,
		              (unsigned int)lane_status(lanes[i]).connects,
		              lane_judge(lanes[i], sinks[poisons[i].server]).duplicates, lanes[i]->dead_reason);
		lane_free(lanes[i]);
	}
	for (int i = 0; i < SERVERS; i++)
		sink_free(sinks[i]);
}

static void a_record_that_is_refused_becomes_a_dead_letter_and_blocks_nothing(void **state)
{
	(void)state;
	take(false);
}

/* Half a minute, of which most is the pauses of the trial. */
static void and_so_does_one_that_ends_each_link_but_only_by_trial(void **state)
{
	(void)state;
	if (!getenv("KRYOS_TEST_LONG")) {
		print_message("skipped: takes half a minute; KRYOS_TEST_LONG=1 runs it\n");
		skip();
	}
	take(true);
}

/*
 * It takes one message at a time and queues one: for a subscriber that reads nothing it drops the rest, after
 * it was acknowledged, which no publisher can know. All we owe is that each record was acknowledged once, that
 * never more were under way than it said it takes, and that the slow one holds up nobody.
 */
static void a_broker_of_few_means_is_not_overrun(void **state)
{
	(void)state;
	for (unsigned int version = 5; version; version = version == 5 ? 311 : 0) {
		struct sink *slow = sink_start(ports[TINY]); /* reads no more from now on */
		struct lane *lane = lane_new(version == 5 ? "tiny5" : "tiny3", ports[TINY], version);
		struct kryos_relay_config config = lane_config(lane);
		/* All that the window holds, one after another, takes longer than ack_timeout_ns. */
		const struct proxy_script slowly = {
			.fault = PROXY_DELAY, .way = PROXY_BACK, .type = MQTT_CONNACK, .nth = 1, .ms = 120
		};
		unsigned int count = version == 5 ? 40 : 300;
		struct proxy_tally tally;

		assert_non_null(slow);
		if (version == 5)
			proxy_set_script(lane->proxy, &slowly);
		lane_append(lane, count);
		lane_open(lane, &config);
		for (int i = 0; (lane_status(lane).owed || lane_status(lane).inflight) && i < 300; i++)
			lane_go_on(lane, 50);
		tally = proxy_get_tally(lane->proxy);
		assert_true(lane_status(lane).acked >= count);
		assert_int_equal(lane_status(lane).failures, 0);
		assert_int_equal(lane->downs, 0);
		/* Records and events, and "online". */
		assert_int_equal(tally.packets[PROXY_UP][MQTT_PUBLISH], lane_status(lane).acked + 1);
		assert_int_equal(tally.packets[PROXY_BACK][MQTT_PUBACK], lane_status(lane).acked + 1);
		if (version == 5)
			assert_int_equal(tally.max_unacked, 1);
		else
			assert_in_range(tally.max_unacked, 2, 17); /* 3.1.1 cannot say so */
		lane_free(lane);
		sink_free(slow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_that_is_refused_becomes_a_dead_letter_and_blocks_nothing),
		cmocka_unit_test(and_so_does_one_that_ends_each_link_but_only_by_trial),
		cmocka_unit_test(a_broker_of_few_means_is_not_overrun),
	};
	const char *missing = broker_missing();

	if (missing) {
		print_message("skipped: %s is not installed\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
