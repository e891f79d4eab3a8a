/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay whole: store, queue, SenML and Paho against a real Mosquitto, through a proxy that does
 * what networks do. What counts is what an independent subscriber has seen in the end.
 */
#include "broker.h"
#include "relay/relay.h"
#include "store/store.h"
#include "support.h"
#include "wire.h"
#include <dirent.h>
#include <kryos/testing/clock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_SEQ 4000
#define START INT64_C(1795165920000000000)

static char *certs;

struct rig {
	char *folder, url[64];
	uint16_t port;
	struct broker *broker, *tls_broker; /* the latter after use_tls */
	struct proxy *proxy;
	struct sink *sink;
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_relay *relay;
	uint32_t fridge;
	unsigned int version;
	unsigned int appended;
	int64_t seqs[MAX_SEQ];
	int ups, downs;
	char down_text[256];
};

static void open_store(struct rig *rig)
{
	assert_ok(kryos_ctx_new(&rig->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = rig->clock)));
	assert_ok(kryos_channel_add(rig->ctx, "fridge.temperature", "Cel", &rig->fridge));
	assert_ok(kryos_store_open(&rig->store, rig->ctx, in(rig->folder, "store"), NULL));
}

static void open_relay(struct rig *rig)
{
	assert_ok(kryos_relay_open(
		&rig->relay, rig->store, "cloud",
		KRYOS_RELAY_CONFIG(.url = rig->url, .mqtt_version = rig->version, .topic = "t", .rate = 100,
	                           .burst = 1000, .backoff_min_ns = KRYOS_MILLISECONDS(50),
	                           .backoff_max_ns = KRYOS_MILLISECONDS(400), .ack_timeout_ns = KRYOS_SECONDS(2),
	                           .connect_timeout_ns = KRYOS_SECONDS(5))));
}

/* Of the case that runs; what a failure leaves of it is for the teardown. */
static struct rig *current;

static struct rig *rig_new(unsigned int version)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	current = rig;
	rig->version = version;
	rig->folder = scratch_new();
	rig->port = broker_free_port();
	rig->broker = broker_start(rig->folder, rig->port, NULL);
	assert_non_null(rig->broker);
	rig->proxy = proxy_start(rig->port);
	rig->sink = sink_start(rig->port);
	assert_non_null(rig->sink);
	assert_ok(kryos_fake_clock_new(&rig->clock, START));
	kryos_fake_clock_set_synced(rig->clock, 1);
	snprintf(rig->url, sizeof(rig->url), "mqtt://127.0.0.1:%u", proxy_port(rig->proxy));
	open_store(rig);
	return rig;
}

static void rig_free(struct rig *rig)
{
	current = NULL;
	kryos_ctx_free(rig->ctx);
	sink_free(rig->sink);
	proxy_free(rig->proxy);
	broker_free(rig->broker);
	broker_free(rig->tls_broker);
	kryos_fake_clock_free(rig->clock);
	scratch_free(rig->folder);
	free(rig);
}

static int teardown(void **state)
{
	(void)state;
	if (current)
		rig_free(current);
	return 0;
}

static void append(struct rig *rig, int count)
{
	for (; count > 0; count--) {
		struct kryos_sample sample = { .channel = rig->fridge, .value_micro = 5000000 + rig->appended };

		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(60));
		assert_ok(kryos_store_append(rig->store, &sample, 1));
		assert_true(rig->appended < MAX_SEQ);
		rig->seqs[rig->appended++] = sample.seq;
	}
}

static void take_events(struct rig *rig)
{
	const struct kryos_event *event;

	while (kryos_ctx_next_event(rig->ctx, &event) > 0) {
		rig->ups += event->type == KRYOS_EVENT_LINK_UP;
		if (event->type == KRYOS_EVENT_LINK_DOWN) {
			rig->downs++;
			snprintf(rig->down_text, sizeof(rig->down_text), "%s", event->text);
		}
	}
}

static void go_on(struct rig *rig, int ms)
{
	process_for(rig->ctx, ms);
	take_events(rig);
}

static struct kryos_relay_status status_of(struct rig *rig)
{
	struct kryos_relay_status status = { .size = sizeof(status) };

	assert_ok(kryos_relay_get_status(rig->relay, &status));
	return status;
}

static int64_t number_in(const char *line, const char *label)
{
	const char *at = strstr(line, label);

	return at ? strtoll(at + strlen(label), NULL, 10) : -1;
}

struct verdict {
	unsigned int missing, duplicates, disorder;
};

/* Looks at all that arrived: each appended sample there, first arrivals in order per stream, ids the same. */
static struct verdict judge(struct rig *rig)
{
	static unsigned int seen[MAX_SEQ];
	struct verdict verdict = { 0 };
	int64_t last[2] = { 0 };
	const char *line;
	char epoch[40] = "";

	memset(seen, 0, sizeof(seen));
	for (size_t i = 0; (line = sink_line(rig->sink, i)); i++) {
		const char *at = strstr(line, "\"epoch\":");
		int64_t seq = number_in(line, "\"seq\":");
		bool historical = strstr(line, "\"historical\":true");

		if (strncmp(line, "0 t/sample ", 11))
			continue;
		assert_non_null(at);
		assert_in_range(seq, 1, MAX_SEQ - 1);
		if (!*epoch)
			snprintf(epoch, sizeof(epoch), "%.26s", at);
		assert_int_equal(strncmp(at, epoch, strlen(epoch)), 0);
		if (seen[seq]++) {
			verdict.duplicates++;
			continue;
		}
		verdict.disorder += seq < last[historical];
		last[historical] = seq;
	}
	for (unsigned int i = 0; i < rig->appended; i++)
		verdict.missing += !seen[rig->seqs[i]];
	return verdict;
}

static void wait_for_all(struct rig *rig, int ms)
{
	struct verdict verdict = judge(rig);

	for (; verdict.missing && ms > 0; ms -= 50) {
		go_on(rig, 50);
		verdict = judge(rig);
	}
	if (verdict.missing)
		fail_msg("%u of %u samples never arrived; link %d, last error: %s", verdict.missing, rig->appended,
		         status_of(rig).link, status_of(rig).text);
	assert_int_equal(verdict.disorder, 0);
}

static void wait_for_link(struct rig *rig, enum kryos_link link, int ms)
{
	for (; status_of(rig).link != link && ms > 0; ms -= 20)
		go_on(rig, 20);
	take_events(rig);
	assert_int_equal(status_of(rig).link, link);
}

/* MQTT 3.1.1 and 5; only one of them where ctest runs two of this program at once, for it waits most of its time. */
static bool asked_for(unsigned int version)
{
	const char *only = getenv("KRYOS_TEST_MQTT_VERSION");

	return !only || (unsigned int)atoi(only) == version;
}
#define EACH_VERSION(version)                                                                                          \
	for (unsigned int version##_i = 0, version = 311; version##_i < 2; version##_i++, version = 5)                 \
		if (asked_for(version))

static bool blocks_sigpipe(const char *tid)
{
	char path[300], line[256];
	unsigned long long mask = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "SigBlk: %llx", &mask);
	if (file)
		fclose(file);
	return mask >> (SIGPIPE - 1) & 1;
}

/* First of all: Paho's threads are made by the first relay of the process and inherit from its worker. */
static void no_thread_of_ours_or_of_paho_can_be_hit_by_sigpipe(void **state)
{
	struct rig *rig = rig_new(311);
	unsigned int paho = 0;
	struct dirent *entry;
	DIR *tasks;

	(void)state;
	open_relay(rig);
	wait_for_link(rig, KRYOS_LINK_UP, 10000);
	tasks = opendir("/proc/self/task");
	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file && fgets(name, sizeof(name), file) &&
		    (!strncmp(name, "MQTTAsync", 9) || !strncmp(name, "kryos-", 6))) {
			assert_true(blocks_sigpipe(entry->d_name));
			paho += name[0] == 'M';
		}
		if (file)
			fclose(file);
	}
	closedir(tasks);
	assert_int_equal(paho, 2);
	/* And it is none of the program's business: its disposition is as it was. */
	{
		struct sigaction action;

		assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
		assert_true(action.sa_handler == SIG_DFL);
	}
	append(rig, 20);
	proxy_cut(rig->proxy); /* writes now hit a closed connection */
	wait_for_all(rig, 20000);
	rig_free(rig);
}

static void all_that_is_owed_arrives_in_order_and_once(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct rig *rig = rig_new(version);

		append(rig, 200);
		open_relay(rig);
		wait_for_all(rig, 20000);
		append(rig, 100);
		wait_for_all(rig, 20000);
		assert_int_equal(judge(rig).duplicates, 0);
		assert_true(sink_wait(rig->sink, "t/state online", 1, 1000));
		kryos_relay_close(rig->relay);
		assert_true(sink_wait(rig->sink, "t/state offline", 1, 2000));
		sink_free(rig->sink);
		rig->sink = sink_start(rig->port); /* the state is retained */
		assert_true(sink_wait(rig->sink, "1 t/state offline", 1, 2000));
		rig_free(rig);
	}
}

static void a_network_that_flaps_loses_nothing(void **state)
{
	uint64_t seed = seed_from_environment(4711);

	(void)state;
	EACH_VERSION(version)
	{
		struct rig *rig = rig_new(version);

		append(rig, 100);
		open_relay(rig);
		for (int i = 0; i < 25; i++) {
			switch (next_random(&seed) % 6) {
			case 0:
				proxy_set_mode(rig->proxy, PROXY_CLOSE);
				break;
			case 1:
				proxy_set_mode(rig->proxy, PROXY_ONE_WAY);
				break;
			default:
				proxy_set_mode(rig->proxy, PROXY_PASS);
				break;
			}
			proxy_set_limit(rig->proxy, next_random(&seed) % 3 ? 0 : 500 + next_random(&seed) % 20000);
			append(rig, (int)(next_random(&seed) % 10));
			go_on(rig, (int)(next_random(&seed) % 1200));
			if (next_random(&seed) % 2)
				proxy_cut(rig->proxy);
		}
		proxy_set_mode(rig->proxy, PROXY_PASS);
		proxy_set_limit(rig->proxy, 0);
		wait_for_all(rig, 60000);
		assert_int_equal(status_of(rig).rejected, 0);
		print_message("MQTT %u: %u connections, %u samples, %u duplicates\n", version,
		              proxy_connections(rig->proxy), rig->appended, judge(rig).duplicates);
		rig_free(rig);
	}
}

static void a_broker_that_dies_and_returns_gets_the_rest(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct rig *rig = rig_new(version);
		unsigned int before;

		open_relay(rig);
		append(rig, 50);
		wait_for_all(rig, 20000);
		proxy_set_mode(rig->proxy, PROXY_CLOSE); /* until somebody listens to the new one */
		broker_kill(rig->broker);
		wait_for_link(rig, KRYOS_LINK_DOWN, 10000);
		before = rig->appended;
		append(rig, 50);
		assert_true(broker_restart(rig->broker));
		sink_free(rig->sink);
		rig->sink = sink_start(rig->port);
		assert_non_null(rig->sink);
		proxy_set_mode(rig->proxy, PROXY_PASS);
		memmove(rig->seqs, rig->seqs + before, 50 * sizeof(rig->seqs[0]));
		rig->appended = 50;
		wait_for_all(rig, 20000);
		rig_free(rig);
	}
}

static void closing_at_any_moment_and_reopening_loses_nothing(void **state)
{
	uint64_t seed = seed_from_environment(815);

	(void)state;
	EACH_VERSION(version)
	{
		struct rig *rig = rig_new(version);

		for (int i = 0; i < 8; i++) {
			append(rig, 20);
			open_relay(rig);
			go_on(rig, (int)(next_random(&seed) % 1800));
			if (next_random(&seed) % 2) {
				kryos_relay_close(rig->relay);
			} else {
				kryos_ctx_free(rig->ctx);
				rig->ctx = NULL;
				open_store(rig);
			}
		}
		open_relay(rig);
		wait_for_all(rig, 30000);
		rig_free(rig);
	}
}

static void another_client_with_our_id_delays_and_loses_nothing(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct rig *rig = rig_new(version);
		struct wire other;

		open_relay(rig);
		wire_init(&other, "mqtt", "127.0.0.1", rig->port, version);
		other.config.client_id = kri_store_get_device(rig->store);
		assert_ok(wire_open(&other));
		for (int i = 0; i < 6; i++) {
			append(rig, 10);
			wait_for_link(rig, KRYOS_LINK_UP, 15000);
			assert_int_equal(wire_connect(&other), KRYOS_TRANSPORT_UP);
			for (int k = 0; k < 500 && rig->downs <= i; k++)
				go_on(rig, 20);
			wire_disconnect(&other);
		}
		assert_true(rig->downs >= 6);
		if (!strstr(rig->down_text, "perhaps another client has the id"))
			fail_msg("%s", rig->down_text);
		wire_close(&other);
		wait_for_all(rig, 30000);
		assert_int_equal(status_of(rig).rejected, 0);
		rig_free(rig);
	}
}

struct slow {
	atomic_int calls, go;
};

static int slow_resolver(void *userdata, const char *host, int64_t timeout_ns)
{
	struct slow *slow = userdata;
	struct timespec moment = { .tv_nsec = 10000000 };

	(void)host;
	(void)timeout_ns;
	atomic_fetch_add(&slow->calls, 1);
	while (!atomic_load(&slow->go))
		nanosleep(&moment, NULL);
	return 0;
}

static void a_resolver_that_hangs_for_a_while_is_outlived(void **state)
{
	struct rig *rig = rig_new(311);
	struct slow slow = { 0 };

	(void)state;
	assert_ok(kryos_register_resolver(rig->ctx, slow_resolver, &slow));
	snprintf(rig->url, sizeof(rig->url), "mqtt://localhost:%u", proxy_port(rig->proxy));
	append(rig, 10);
	assert_ok(kryos_relay_open(
		&rig->relay, rig->store, "cloud",
		KRYOS_RELAY_CONFIG(.url = rig->url, .topic = "t", .backoff_min_ns = KRYOS_MILLISECONDS(50),
	                           .backoff_max_ns = KRYOS_MILLISECONDS(100), .connect_timeout_ns = KRYOS_SECONDS(2))));
	go_on(rig, 7000);
	assert_int_equal(proxy_connections(rig->proxy), 0);
	assert_non_null(strstr(rig->down_text, "could not be resolved in time"));
	assert_in_range(atomic_load(&slow.calls), 1, 4);
	atomic_store(&slow.go, 1);
	for (int i = 0; i < 300 && judge(rig).missing; i++)
		go_on(rig, 50);
	assert_int_equal(judge(rig).missing, 0);
	rig_free(rig);
}

/* An encrypted broker with this certificate beside the rig's own; the rig's relay goes there. */
static void use_tls(struct rig *rig, const char *cert)
{
	char extra[1024];
	uint16_t port = broker_free_port();

	snprintf(extra, sizeof(extra),
	         "allow_anonymous true\ncafile %s/ca.crt\ncertfile %s/%s.crt\nkeyfile %s/%s.key\n"
	         "require_certificate true\n",
	         certs, certs, cert, certs, cert);
	rig->tls_broker = broker_start(rig->folder, port, extra);
	assert_non_null(rig->tls_broker);
	snprintf(rig->url, sizeof(rig->url), "mqtts://localhost:%u", port);
}

static void open_tls_relay(struct rig *rig)
{
	assert_ok(kryos_relay_open(
		&rig->relay, rig->store, "cloud",
		KRYOS_RELAY_CONFIG(.url = rig->url, .mqtt_version = rig->version, .topic = "t",
	                           .ca = in(certs, "ca.crt"), .cert = in(certs, "client.crt"),
	                           .key = in(certs, "client.key"), .backoff_min_ns = KRYOS_MILLISECONDS(50),
	                           .backoff_max_ns = KRYOS_MILLISECONDS(400), .connect_timeout_ns = KRYOS_SECONDS(5))));
}

static void mutual_tls_delivers(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct rig *rig = rig_new(version);

		use_tls(rig, "server");
		append(rig, 50);
		open_tls_relay(rig);
		wait_for_link(rig, KRYOS_LINK_UP, 15000);
		for (int i = 0; i < 200 && status_of(rig).acked < 50; i++)
			go_on(rig, 50);
		assert_true(status_of(rig).acked >= 50);
		kryos_relay_close(rig->relay);
		rig_free(rig);
	}
}

static bool said(struct rig *rig, const char *text)
{
	for (int i = 0; i < 300; i++) {
		go_on(rig, 20);
		if (strstr(rig->down_text, text))
			return true;
	}
	print_message("instead: %s\n", rig->down_text);
	return false;
}

static void an_expired_certificate_is_an_event_that_says_so(void **state)
{
	struct rig *rig = rig_new(5);

	(void)state;
	use_tls(rig, "expired");
	append(rig, 1);
	open_tls_relay(rig);
	assert_true(said(rig, "certificate has expired"));
	assert_int_equal(status_of(rig).error, KRYOS_EAUTH);
	assert_int_equal(rig->downs, 1);
	rig_free(rig);
}

static void without_a_clock_the_same_is_a_matter_of_the_clock(void **state)
{
	struct rig *rig = rig_new(311);

	(void)state;
	use_tls(rig, "expired");
	kryos_fake_clock_set_synced(rig->clock, 0);
	append(rig, 1);
	open_tls_relay(rig);
	assert_true(said(rig, "the clock is not set (trust "));
	assert_int_equal(status_of(rig).error, KRYOS_ECLOCK);
	wait_for_link(rig, KRYOS_LINK_WAITING, 5000);
	rig_free(rig);
}

static int start(void **state)
{
	(void)state;
	certs = scratch_new();
	return certs_make(certs) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	scratch_free(certs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(no_thread_of_ours_or_of_paho_can_be_hit_by_sigpipe, teardown),
		cmocka_unit_test_teardown(all_that_is_owed_arrives_in_order_and_once, teardown),
		cmocka_unit_test_teardown(a_network_that_flaps_loses_nothing, teardown),
		cmocka_unit_test_teardown(a_broker_that_dies_and_returns_gets_the_rest, teardown),
		cmocka_unit_test_teardown(closing_at_any_moment_and_reopening_loses_nothing, teardown),
		cmocka_unit_test_teardown(another_client_with_our_id_delays_and_loses_nothing, teardown),
		cmocka_unit_test_teardown(a_resolver_that_hangs_for_a_while_is_outlived, teardown),
		cmocka_unit_test_teardown(mutual_tls_delivers, teardown),
		cmocka_unit_test_teardown(an_expired_certificate_is_an_event_that_says_so, teardown),
		cmocka_unit_test_teardown(without_a_clock_the_same_is_a_matter_of_the_clock, teardown),
	};
	const char *missing = broker_missing();

	if (missing) {
		print_message("skipped: %s is not installed\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
