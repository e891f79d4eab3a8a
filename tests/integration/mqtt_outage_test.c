/* SPDX-License-Identifier: Apache-2.0 */
/* Links that end for reasons of their own: silence, a thief of the session, a server whose certificate has expired. */
#include "core/core.h"
#include "lane.h"
#include "wire.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GOOD, EXPIRED, BROKERS };

static char *folder;
static uint16_t port, tls_ports[BROKERS];
static struct broker *broker, *tls_brokers[BROKERS];

static int start(void **state)
{
	static const char *const certs[BROKERS] = { "server", "expired" };

	(void)state;
	folder = scratch_new();
	if (!certs_make(folder))
		return -1;
	port = broker_free_port();
	broker = broker_start(folder, port, NULL);
	for (int i = 0; i < BROKERS; i++) {
		char extra[16384];

		snprintf(extra, sizeof(extra),
		         "allow_anonymous true\ncafile %s/ca.crt\ncertfile %s/%s.crt\nkeyfile %s/%s.key\n", folder,
		         folder, certs[i], folder, certs[i]);
		tls_ports[i] = broker_free_port();
		tls_brokers[i] = broker_start(folder, tls_ports[i], extra);
		if (!tls_brokers[i])
			return -1;
	}
	return broker ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	broker_free(broker);
	for (int i = 0; i < BROKERS; i++)
		broker_free(tls_brokers[i]);
	scratch_free(folder);
	return 0;
}

/*
 * The peer loses its power after the last acknowledgement: the worst moment, since nothing is under way that
 * could be missed, and the next ping is far.
 */
static void a_silent_peer_is_noticed_within_one_and_a_half_keep_alives(void **state)
{
	static const struct {
		const char *name;
		unsigned int version;
		enum proxy_fault fault;
	} deaths[] = { { "dead3", 311, PROXY_HALF_OPEN },
		       { "dead5", 5, PROXY_HALF_OPEN },
		       { "hole3", 311, PROXY_HOLE_BOTH },
		       { "hole5", 5, PROXY_HOLE } };
	struct lane *lanes[4];
	int64_t since[4], noticed[4] = { 0 };
	struct sink *sink = sink_start(port);
	unsigned int left = 4;

	(void)state;
	assert_non_null(sink);
	for (int i = 0; i < 4; i++) {
		struct kryos_relay_config config;

		lanes[i] = lane_new(deaths[i].name, port, deaths[i].version);
		config = lane_config(lanes[i]);
		lane_open(lanes[i], &config);
	}
	for (int i = 0; i < 4; i++)
		lane_wait_for_link(lanes[i], KRYOS_LINK_UP, 15000);
	for (int i = 0; i < 4; i++) {
		/* The first ping finds nobody any more; "hole5" hears nothing, but is heard. */
		struct proxy_script script = { .fault = deaths[i].fault, .type = MQTT_PINGREQ, .times = 1 };

		if (deaths[i].fault == PROXY_HOLE)
			script = (struct proxy_script){
				.fault = PROXY_HOLE, .way = PROXY_BACK, .type = MQTT_PINGRESP, .times = 1
			};
		lane_append(lanes[i], 1);
		for (int k = 0; lane_status(lanes[i]).owed && k < 1000; k++)
			lane_go_on(lanes[i], 5);
		since[i] = lane_status(lanes[i]).last_ack_boot_ns;
		proxy_set_script(lanes[i]->proxy, &script);
	}
	for (int k = 0; left && k < 1500; k++)
		for (int i = 0; i < 4; i++) {
			lane_go_on(lanes[i], 2);
			if (noticed[i] || !lanes[i]->downs)
				continue;
			noticed[i] = kri_real_ns() - since[i];
			left--;
		}
	for (int i = 0; i < 4; i++) {
		print_message("%s: noticed after %lld ms\n", deaths[i].name, (long long)noticed[i] / 1000000);
		/* 5 s of keep-alive; Paho looks once a second. */
		assert_in_range(noticed[i], KRYOS_SECONDS(3), KRYOS_MILLISECONDS(7500 + 1000));
		assert_non_null(strstr(lanes[i]->down_text, "a ping went unanswered"));
		lane_append(lanes[i], 1);
		lane_expect_all(lanes[i], sink, 15000);
		assert_true(lane_status(lanes[i]).connects >= 2);
		lane_free(lanes[i]);
	}
	sink_free(sink);
}

/* Connects with another's id, again as soon as it lost the session, as a badly written client does. */
struct thief {
	pthread_t thread;
	char id[40];
	atomic_bool stop;
	atomic_uint thefts;
};

static void *steal(void *data)
{
	struct thief *thief = data;
	size_t id = strlen(thief->id);
	unsigned char hello[64] = { 0x10, (unsigned char)(12 + id), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0,
		                    0,    (unsigned char)id };
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons(port),
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memcpy(hello + 14, thief->id, id);
	while (!atomic_load(&thief->stop)) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		char buffer[64];
		ssize_t n = 1;

		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		    send(fd, hello, 14 + id, MSG_NOSIGNAL) > 0)
			atomic_fetch_add(&thief->thefts, 1);
		while (n > 0 && !atomic_load(&thief->stop)) {
			struct pollfd ready = { .fd = fd, .events = POLLIN };

			if (poll(&ready, 1, 20) > 0)
				n = recv(fd, buffer, sizeof(buffer), 0);
		}
		close(fd);
	}
	return NULL;
}

static void a_thief_of_the_session_is_answered_ever_less_often(void **state)
{
	struct lane *lanes[2];
	struct thief thieves[2] = { 0 };
	struct sink *sink = sink_start(port);
	unsigned int early[2], all[2];

	(void)state;
	assert_non_null(sink);
	for (int i = 0; i < 2; i++) {
		struct kryos_store_status store = { .size = sizeof(store) };
		struct kryos_relay_config config;

		lanes[i] = lane_new(i ? "robbed5" : "robbed3", port, i ? 5 : 311);
		config = lane_config(lanes[i]);
		config.backoff_min_ns = KRYOS_MILLISECONDS(200);
		config.backoff_max_ns = KRYOS_SECONDS(4);
		lane_append(lanes[i], 20);
		lane_open(lanes[i], &config);
		lane_wait_for_link(lanes[i], KRYOS_LINK_UP, 15000);
		assert_ok(kryos_store_get_status(lanes[i]->store, &store));
		snprintf(thieves[i].id, sizeof(thieves[i].id), "%s", store.device);
		assert_int_equal(pthread_create(&thieves[i].thread, NULL, steal, &thieves[i]), 0);
	}
	/* With a back-off that is reset by each connection it would be one fight a second and more for ever. */
	for (int part = 0; part < 2; part++) {
		for (int k = 0; k < 200; k++)
			for (int i = 0; i < 2; i++)
				lane_go_on(lanes[i], 10);
		for (int i = 0; i < 2; i++)
			(part ? all : early)[i] = proxy_connections(lanes[i]->proxy);
	}
	for (int i = 0; i < 2; i++) {
		print_message("%s: %u connections in 4 s, %u in the next\n", lanes[i]->name, early[i],
		              all[i] - early[i]);
		assert_in_range(early[i], 2, 12);
		assert_true(all[i] - early[i] <= early[i]);
		if (!strstr(lanes[i]->down_text, "perhaps another client has the id"))
			fail_msg("%s: %s", lanes[i]->name, lanes[i]->down_text);
		atomic_store(&thieves[i].stop, true);
		pthread_join(thieves[i].thread, NULL);
		lane_append(lanes[i], 1);
	}
	for (int i = 0; i < 2; i++) {
		lane_expect_all(lanes[i], sink, 60000);
		assert_int_equal(lane_status(lanes[i]).rejected, 0);
		lane_free(lanes[i]);
	}
	sink_free(sink);
}

static void an_expired_certificate_between_two_connections_is_named_and_outlived(void **state)
{
	struct lane *lane = lane_new("renewed", tls_ports[GOOD], 311);
	struct kryos_relay_config config;
	unsigned int before;

	(void)state;
	lane->tls = true;
	proxy_set_frame(lane->proxy, PROXY_TLS);
	config = lane_config(lane);
	config.ca = in(folder, "ca.crt");
	lane_append(lane, 5);
	lane_open(lane, &config);
	lane_wait_for_link(lane, KRYOS_LINK_UP, 15000);
	proxy_set_target(lane->proxy, tls_ports[EXPIRED]);
	proxy_cut(lane->proxy);
	for (int i = 0; i < 500 && !strstr(lane_status(lane).text, "certificate has expired"); i++)
		lane_go_on(lane, 20);
	if (!strstr(lane_status(lane).text, "certificate has expired (/CN=localhost, valid "))
		fail_msg("%s", lane_status(lane).text);
	assert_int_equal(lane_status(lane).error, KRYOS_EAUTH);
	assert_int_not_equal(lane_status(lane).link, KRYOS_LINK_WAITING); /* the clock is well */
	/* It goes on trying, but not in a storm: each try is two connections (docs/api/relay.md). */
	before = proxy_connections(lane->proxy);
	lane_append(lane, 5);
	lane_go_on(lane, 2000);
	assert_in_range(proxy_connections(lane->proxy) - before, 1, 24);
	assert_int_equal(lane->downs, 1); /* one outage, one event */
	proxy_set_target(lane->proxy, tls_ports[GOOD]);
	for (int i = 0; i < 750 && lane_status(lane).acked < 10; i++)
		lane_go_on(lane, 20);
	assert_true(lane_status(lane).acked >= 10);
	assert_int_equal(lane_status(lane).error, 0);
	lane_free(lane);
}

/* What a sender's socket has no room for is written in pieces, which MQTT and TLS must put together again. */
static void a_network_that_takes_nothing_for_a_while_tears_no_message(void **state)
{
	enum { COUNT = 12, BYTES = 50000 };
	static const char *const ids[] = { "narrow0", "narrow1", "narrow2", "narrow3" };
	static const char *const topics[] = { "t/narrow0", "t/narrow1", "t/narrow2", "t/narrow3" };
	const struct proxy_script script = { .fault = PROXY_STALL, .ms = 700 };
	struct proxy *proxies[4];
	struct wire wires[4];
	int arrived[2] = { 0 };
	char *payload = malloc(BYTES + 1);
	struct sink *sink = sink_start(port);

	(void)state;
	assert_non_null(payload);
	assert_non_null(sink);
	for (int i = 0; i < 4; i++) {
		bool tls = i >= 2;

		proxies[i] = proxy_start(tls ? tls_ports[GOOD] : port);
		proxy_set_narrow(proxies[i]);
		wire_init(&wires[i], tls ? "mqtts" : "mqtt", "127.0.0.1", proxy_port(proxies[i]), i % 2 ? 5 : 311);
		wires[i].config.ca = tls ? in(folder, "ca.crt") : NULL;
		wires[i].config.client_id = ids[i];
		wires[i].config.keepalive_ns = KRYOS_SECONDS(60);
		assert_ok(wire_open(&wires[i]));
		assert_int_equal(wire_connect(&wires[i]), KRYOS_TRANSPORT_UP);
		proxy_set_script(proxies[i], &script); /* each read, from now on, is followed by silence */
	}
	for (int k = 0; k < COUNT; k++) {
		memset(payload, 'a' + k, BYTES);
		payload[BYTES] = 0;
		for (int i = 0; i < 4; i++)
			assert_ok(wire_publish(&wires[i], topics[i], payload, k + 1));
	}
	assert_int_equal(wire_next(&wires[0], 1500), 0);
	for (int i = 0; i < 4; i++)
		proxy_set_script(proxies[i], NULL);
	for (int i = 0; i < 4; i++) {
		assert_true(wire_acked(&wires[i], COUNT, 20000));
		wire_close(&wires[i]);
		proxy_free(proxies[i]);
	}
	/* Those without TLS are seen here: each whole, in order. */
	assert_true(sink_wait(sink, "t/narrow", 2 * COUNT, 5000));
	for (size_t k = 0; arrived[0] + arrived[1] < 2 * COUNT; k++) {
		const char *line = sink_line(sink, k);
		size_t length = 0;
		int i;

		assert_non_null(line);
		if (strncmp(line, "0 t/narrow", 10))
			continue;
		i = line[10] - '0';
		assert_in_range(i, 0, 1);
		while (line[12 + length] == 'a' + arrived[i])
			length++;
		assert_int_equal(length, BYTES);
		assert_int_equal(line[12 + length], 0);
		arrived[i]++;
	}
	free(payload);
	sink_free(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_peer_is_noticed_within_one_and_a_half_keep_alives),
		cmocka_unit_test(a_thief_of_the_session_is_answered_ever_less_often),
		cmocka_unit_test(a_network_that_takes_nothing_for_a_while_tears_no_message),
		cmocka_unit_test(an_expired_certificate_between_two_connections_is_named_and_outlived),
	};
	const char *missing = broker_missing();

	if (missing) {
		print_message("skipped: %s is not installed\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
