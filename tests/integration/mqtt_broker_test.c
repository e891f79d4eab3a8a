/* SPDX-License-Identifier: Apache-2.0 */
/* The Paho transport against a real Mosquitto, without queue and relay. Each case in MQTT 3.1.1 and 5. */
#include "broker.h"
#include "support.h"
#include "wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct kryos_transport_driver kri_transport_paho;

static char *folder;
static uint16_t port;
static struct broker *broker, *strict;
static const unsigned int versions[] = { 311, 5 };

#define EACH_VERSION(version)                                                                                          \
	for (unsigned int version##_i = 0, version = versions[0]; version##_i < 2;                                     \
	     version = versions[++version##_i % 2])

static int start(void **state)
{
	(void)state;
	folder = scratch_new();
	port = broker_free_port();
	broker = broker_start(folder, port, NULL);
	return broker ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	broker_free(broker);
	broker_free(strict);
	scratch_free(folder);
	return 0;
}

static void what_is_published_arrives_in_order_and_is_acknowledged(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct sink *sink = sink_start(port);
		struct wire wire;
		char text[40];

		assert_non_null(sink);
		wire_init(&wire, "mqtt", "127.0.0.1", port, version);
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		for (int i = 0; i < 200; i++) {
			snprintf(text, sizeof(text), "message %d", i);
			assert_ok(wire_publish(&wire, "t/sample", text, 1000 + i));
			if (i >= 15) /* 16 in flight */
				assert_true(wire_acked(&wire, 1, 5000));
		}
		assert_true(wire_acked(&wire, 15, 5000));
		assert_int_equal(wire_next(&wire, 50), 0); /* each once */
		assert_true(sink_wait(sink, "t/sample", 200, 5000));
		for (size_t i = 0, k = 0; k < 200; i++) {
			const char *line = sink_line(sink, i);

			assert_non_null(line);
			if (!strstr(line, "t/sample"))
				continue;
			snprintf(text, sizeof(text), "0 t/sample message %zu", k++);
			assert_string_equal(line, text);
		}
		wire_close(&wire);
		sink_free(sink);
	}
}

static void tokens_come_back_with_their_acknowledgement(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct wire wire;
		bool seen[10] = { 0 };

		wire_init(&wire, "mqtt", "localhost", port, version);
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		for (int i = 0; i < 10; i++)
			assert_ok(wire_publish(&wire, "t/x", "payload", INT64_C(1) << 40 | i));
		for (int i = 0; i < 10; i++) {
			assert_int_equal(wire_next(&wire, 5000), KRYOS_TRANSPORT_ACKED);
			assert_int_equal(wire.report.token >> 40, 1);
			assert_false(seen[wire.report.token & 15]);
			seen[wire.report.token & 15] = true;
		}
		wire_close(&wire);
	}
}

static void an_empty_and_a_large_payload_pass(void **state)
{
	struct sink *sink = sink_start(port);
	char *large = malloc(131073);
	struct wire wire;

	(void)state;
	assert_non_null(sink);
	memset(large, 'x', 131072);
	large[131072] = 0;
	wire_init(&wire, "mqtt", "127.0.0.1", port, 311);
	assert_ok(wire_open(&wire));
	assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
	assert_ok(wire_publish(&wire, "t/x", large, 1));
	assert_ok(wire_publish(&wire, "t/x", "", 2));
	assert_true(wire_acked(&wire, 2, 5000));
	assert_true(sink_wait(sink, "t/x", 2, 5000));
	/* One byte more is refused here, before anything is sent. */
	large = realloc(large, 131074);
	large[131072] = 'x';
	large[131073] = 0;
	assert_fails(KRYOS_EREJECTED, wire_publish(&wire, "t/x", large, 3));
	assert_says(KRYOS_EREJECTED, "131073 bytes; 131072");
	assert_fails(KRYOS_EREJECTED, wire_publish(&wire, "t/+", "x", 4));
	assert_fails(KRYOS_EREJECTED, wire_publish(&wire, "1/2/3/4/5/6/7/8/9", "x", 5));
	wire_close(&wire);
	sink_free(sink);
	free(large);
}

static void the_last_will_is_published_when_the_device_vanishes(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct sink *sink = sink_start(port);
		struct proxy *proxy = proxy_start(port);
		struct wire wire;

		assert_non_null(sink);
		wire_init(&wire, "mqtt", "127.0.0.1", proxy_port(proxy), version);
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		proxy_cut(proxy);
		assert_int_equal(wire_next(&wire, 10000), KRYOS_TRANSPORT_DOWN);
		assert_int_equal(wire.report.code, -ECONNRESET);
		assert_true(sink_wait(sink, "t/state offline", 1, 5000));
		wire_close(&wire);
		proxy_free(proxy);
		sink_free(sink);
	}
}

static void a_polite_end_publishes_no_will(void **state)
{
	struct sink *sink = sink_start(port);
	struct wire wire;

	(void)state;
	assert_non_null(sink);
	EACH_VERSION(version)
	{
		wire_init(&wire, "mqtt", "127.0.0.1", port, version);
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		wire_close(&wire);
	}
	assert_false(sink_wait(sink, "0 t/state offline", 1, 300));
	sink_free(sink);
}

static void nobody_there_is_said_as_such(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_init(&wire, "mqtt", "127.0.0.1", broker_free_port(), version);
		assert_ok(wire_open(&wire));
		for (int i = 0; i < 3; i++) { /* a client object for each */
			assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_DOWN);
			assert_int_equal(wire.report.code, -ECONNREFUSED);
			assert_non_null(strstr(wire.text, "Connection refused"));
			wire_disconnect(&wire);
		}
		wire_close(&wire);
	}
}

static void a_listener_that_closes_is_said_as_such(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct proxy *proxy = proxy_start(port);
		struct wire wire;

		proxy_set_mode(proxy, PROXY_CLOSE);
		wire_init(&wire, "mqtt", "127.0.0.1", proxy_port(proxy), version);
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_DOWN);
		assert_non_null(strstr(wire.text, "closed before it was accepted"));
		wire_disconnect(&wire);
		/* And it comes back. */
		proxy_set_mode(proxy, PROXY_PASS);
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		wire_close(&wire);
		proxy_free(proxy);
	}
}

static void disconnecting_from_one_who_never_answers_takes_no_second(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct proxy *proxy = proxy_start(port);
		struct wire wire;
		int64_t before;

		proxy_set_mode(proxy, PROXY_SWALLOW);
		wire_init(&wire, "mqtt", "127.0.0.1", proxy_port(proxy), version);
		assert_ok(wire_open(&wire));
		wire.config.connect_timeout_ns = KRYOS_SECONDS(30);
		assert_ok(kri_transport_paho.connect(wire.priv, "t/state"));
		assert_int_equal(wire_next(&wire, 500), 0);
		before = kri_real_ns();
		wire_disconnect(&wire);
		assert_true(kri_real_ns() - before < KRYOS_SECONDS(1));
		assert_int_equal(wire_next(&wire, 300), 0); /* nothing is reported afterwards */
		wire_close(&wire);
		proxy_free(proxy);
	}
}

static void a_killed_broker_is_noticed_and_a_new_one_used(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_init(&wire, "mqtt", "127.0.0.1", port, version);
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		broker_kill(broker);
		assert_int_equal(wire_next(&wire, 10000), KRYOS_TRANSPORT_DOWN);
		assert_fails(-ENOTCONN, wire_publish(&wire, "t/x", "x", 1));
		wire_disconnect(&wire);
		assert_true(broker_restart(broker));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		assert_ok(wire_publish(&wire, "t/x", "x", 2));
		assert_true(wire_acked(&wire, 1, 5000));
		wire_close(&wire);
	}
}

static void what_is_in_flight_when_the_link_breaks_is_never_acknowledged(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct proxy *proxy = proxy_start(port);
		struct wire wire;

		wire_init(&wire, "mqtt", "127.0.0.1", proxy_port(proxy), version);
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		proxy_set_mode(proxy, PROXY_ONE_WAY);
		for (int i = 0; i < 16; i++)
			assert_ok(wire_publish(&wire, "t/x", "x", i));
		assert_int_equal(wire_next(&wire, 300), 0);
		proxy_cut(proxy);
		assert_int_equal(wire_next(&wire, 10000), KRYOS_TRANSPORT_DOWN); /* once, and nothing else */
		assert_int_equal(wire_next(&wire, 300), 0);
		wire_close(&wire);
		proxy_free(proxy);
	}
}

static void a_full_window_says_not_now(void **state)
{
	struct proxy *proxy = proxy_start(port);
	struct wire wire;
	int r = 0, sent = 0;

	(void)state;
	wire_init(&wire, "mqtt", "127.0.0.1", proxy_port(proxy), 311);
	assert_ok(wire_open(&wire));
	assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
	proxy_set_mode(proxy, PROXY_ONE_WAY);
	for (; sent < 100 && r >= 0; sent++)
		r = wire_publish(&wire, "t/x", "x", sent);
	assert_int_equal(r, -EAGAIN);
	assert_in_range(sent, 17, 26); /* 16, and a few for "online" and "offline" */
	wire_close(&wire);
	proxy_free(proxy);
}

static void a_client_that_takes_over_ends_the_first_link_only(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct wire first, second;

		wire_init(&first, "mqtt", "127.0.0.1", port, version);
		wire_init(&second, "mqtt", "127.0.0.1", port, version);
		assert_ok(wire_open(&first));
		assert_ok(wire_open(&second));
		assert_int_equal(wire_connect(&first), KRYOS_TRANSPORT_UP);
		assert_int_equal(wire_connect(&second), KRYOS_TRANSPORT_UP);
		assert_int_equal(wire_next(&first, 10000), KRYOS_TRANSPORT_DOWN);
		/* Mosquitto 2.0.11 closes without a word in MQTT 5 too. */
		assert_int_equal(wire_next(&second, 200), 0);
		wire_close(&first);
		wire_close(&second);
	}
}

static void a_takeover_that_the_broker_explains_is_named(void **state)
{
	struct proxy *proxy = proxy_start(port);
	struct wire wire;
	int news;

	(void)state;
	proxy_set_mode(proxy, PROXY_TAKE_OVER);
	wire_init(&wire, "mqtt", "127.0.0.1", proxy_port(proxy), 5);
	assert_ok(wire_open(&wire));
	news = wire_connect(&wire);
	if (news == KRYOS_TRANSPORT_UP)
		news = wire_next(&wire, 10000);
	assert_int_equal(news, KRYOS_TRANSPORT_DOWN);
	assert_string_equal(wire.text, "another client connected with the id \"wire\" and took over");
	wire_close(&wire);
	proxy_free(proxy);
}

static void a_broker_that_refuses_us_says_why(void **state)
{
	char extra[512];
	uint16_t strict_port = broker_free_port();
	FILE *file;

	(void)state;
	file = fopen(in(folder, "acl"), "we");
	assert_non_null(file);
	fprintf(file, "topic readwrite t/allowed\ntopic readwrite t/state\n");
	fclose(file);
	file = fopen(in(folder, "passwords"), "we");
	assert_non_null(file);
	fclose(file);
	snprintf(extra, sizeof(extra), "allow_anonymous true\nacl_file %s\npassword_file %s\n", in(folder, "acl"),
	         in(folder, "passwords"));
	strict = broker_start(folder, strict_port, extra);
	assert_non_null(strict);
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_init(&wire, "mqtt", "127.0.0.1", strict_port, version);
		wire.config.username = "nobody";
		wire.config.password = "wrong";
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_DOWN);
		assert_int_equal(wire.report.code, KRYOS_EAUTH);
		assert_non_null(strstr(wire.text, "the broker refused the connection: "));
		assert_int_equal(wire.report.token, 0); /* no matter of certificates */
		wire_close(&wire);
	}
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_init(&wire, "mqtt", "127.0.0.1", strict_port, version);
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		assert_ok(wire_publish(&wire, "t/allowed", "x", 1));
		assert_true(wire_acked(&wire, 1, 5000));
		assert_ok(wire_publish(&wire, "t/denied", "x", 2));
		/* MQTT 5 tells, and rights can change: not for ever. 3.1.1 acknowledges what it throws away. */
		if (version == 5) {
			assert_int_equal(wire_next(&wire, 5000), KRYOS_TRANSPORT_FAILED);
			assert_int_equal(wire.report.token, 2);
			assert_int_equal(wire.report.code, KRYOS_EAUTH);
			assert_non_null(strstr(wire.text, "Not authorized"));
		}
		wire_close(&wire);
	}
}

static void two_clients_come_and_go_without_harm(void **state)
{
	struct wire wires[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		wire_init(&wires[i], "mqtt", "127.0.0.1", port, versions[i]);
		wires[i].config.client_id = i ? "second" : "first";
		assert_ok(wire_open(&wires[i]));
	}
	for (int round = 0; round < 6; round++) {
		struct wire *wire = &wires[round % 2];

		assert_int_equal(wire_connect(wire), KRYOS_TRANSPORT_UP);
		assert_ok(wire_publish(wire, "t/x", "x", round));
		assert_true(wire_acked(wire, 1, 5000));
		wire_disconnect(&wires[(round + 1) % 2]);
	}
	wire_close(&wires[0]);
	wire_close(&wires[1]);
}

static void configurations_that_no_time_will_mend_are_refused(void **state)
{
	struct wire wire;

	(void)state;
	wire_init(&wire, "mqtt", "broker.example.org", 1883, 311);
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "to this machine only");
	wire_close(&wire);
	wire_init(&wire, "mqtt", "192.0.2.1", 1883, 311);
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	wire_init(&wire, "mqtts", "127.0.0.1", 8883, 311);
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "ca: is missing");
	wire.config.ca = "/nonexistent/ca.crt";
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "ca: /nonexistent/ca.crt: No such file");
	wire_init(&wire, "mqtt", "127.0.0.1", 1883, 311);
	wire.config.connect_timeout_ns = KRYOS_SECONDS(1);
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "connect_timeout_ns");
	wire.config.connect_timeout_ns = KRYOS_SECONDS(2);
	wire.config.password = "secret";
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "username");
	wire.config.password = NULL;
	wire.config.alpn = "mqtt";
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	/* Paho would take the plain connection out of this machine. */
	wire.config.alpn = NULL;
	setenv("http_proxy", "http://proxy.example.org:3128", 1);
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "http_proxy");
	unsetenv("http_proxy");
	assert_ok(wire_open(&wire));
	wire_close(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_published_arrives_in_order_and_is_acknowledged),
		cmocka_unit_test(tokens_come_back_with_their_acknowledgement),
		cmocka_unit_test(an_empty_and_a_large_payload_pass),
		cmocka_unit_test(the_last_will_is_published_when_the_device_vanishes),
		cmocka_unit_test(a_polite_end_publishes_no_will),
		cmocka_unit_test(nobody_there_is_said_as_such),
		cmocka_unit_test(a_listener_that_closes_is_said_as_such),
		cmocka_unit_test(disconnecting_from_one_who_never_answers_takes_no_second),
		cmocka_unit_test(a_killed_broker_is_noticed_and_a_new_one_used),
		cmocka_unit_test(what_is_in_flight_when_the_link_breaks_is_never_acknowledged),
		cmocka_unit_test(a_full_window_says_not_now),
		cmocka_unit_test(a_client_that_takes_over_ends_the_first_link_only),
		cmocka_unit_test(a_takeover_that_the_broker_explains_is_named),
		cmocka_unit_test(a_broker_that_refuses_us_says_why),
		cmocka_unit_test(two_clients_come_and_go_without_harm),
		cmocka_unit_test(configurations_that_no_time_will_mend_are_refused),
	};
	const char *missing = broker_missing();

	if (missing) {
		print_message("skipped: %s is not installed\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
