/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why names are looked up before Paho is asked (src/relay/resolve.c). The same hanging look-up twice: once within
 * Paho, where it is made under a mutex of the whole process, and once where the relay makes it. The first case is
 * the negative control of the second: without it nobody could tell whether the second can fail.
 */
#include "core/core.h"
#include "lane.h"
#include "wire.h"
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "hangs.example"
#define HANG_MS 2500

extern const struct kryos_transport_driver kri_transport_paho;

static char *folder;
static uint16_t port;
static struct broker *broker;
static atomic_uint hung;

/* In the program, so that it comes before libc's, for Paho too. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **found)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (node && !strcmp(node, HOST)) {
		atomic_fetch_add(&hung, 1);
		poll(NULL, 0, HANG_MS);
		return EAI_AGAIN;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, found);
}

static int start(void **state)
{
	(void)state;
	folder = scratch_new();
	port = broker_free_port();
	broker = broker_start(folder, port, NULL);
	return broker && certs_make(folder) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	broker_free(broker);
	scratch_free(folder);
	return 0;
}

/* Publishes for ms, one after another: the longest time from publish to acknowledgement. */
static int64_t worst_of(struct wire *healthy, int ms)
{
	int64_t until = kri_real_ns() + KRYOS_MILLISECONDS(ms), worst = 0;

	for (int64_t token = 1; kri_real_ns() < until; token++) {
		int64_t before = kri_real_ns(), took;

		assert_ok(wire_publish(healthy, "t/healthy", "x", token));
		assert_true(wire_acked(healthy, 1, 20000));
		took = kri_real_ns() - before;
		worst = took > worst ? took : worst;
		poll(NULL, 0, 10);
	}
	return worst;
}

static void open_healthy(struct wire *wire)
{
	wire_init(wire, "mqtt", "127.0.0.1", port, 311);
	wire->config.client_id = "healthy";
	wire->config.keepalive_ns = KRYOS_SECONDS(60);
	assert_ok(wire_open(wire));
	assert_int_equal(wire_connect(wire), KRYOS_TRANSPORT_UP);
}

static void without_the_guard_one_hanging_name_holds_up_everybody(void **state)
{
	struct wire healthy, hanging;
	int64_t worst;

	(void)state;
	open_healthy(&healthy);
	wire_init(&hanging, "mqtts", HOST, 8883, 311);
	hanging.config.ca = in(folder, "ca.crt");
	assert_ok(wire_open(&hanging));
	atomic_store(&hung, 0);
	assert_ok(kri_transport_paho.connect(hanging.priv, "t/state")); /* the transport alone, without a relay */
	worst = worst_of(&healthy, HANG_MS + 200);
	print_message("unguarded: %lld ms for one message\n", (long long)worst / 1000000);
	assert_true(atomic_load(&hung) >= 1);
	assert_true(worst > KRYOS_MILLISECONDS(HANG_MS) * 2 / 3);
	wire_close(&hanging);
	wire_close(&healthy);
}

static void with_it_nobody_notices(void **state)
{
	struct lane *lane = lane_new("guarded", port, 311);
	struct kryos_relay_config config = lane_config(lane);
	struct wire healthy;
	int64_t worst;

	(void)state;
	open_healthy(&healthy);
	config.url = "mqtts://" HOST ":8883";
	config.ca = in(folder, "ca.crt");
	atomic_store(&hung, 0);
	lane_append(lane, 1);
	lane_open(lane, &config);
	worst = worst_of(&healthy, HANG_MS + 200);
	lane_append(lane, 1);
	lane_go_on(lane, 0);
	print_message("guarded: %lld ms for one message, %u look-ups hung\n", (long long)worst / 1000000,
	              atomic_load(&hung));
	assert_true(atomic_load(&hung) >= 1);
	assert_true(worst < KRYOS_MILLISECONDS(HANG_MS) / 3);
	assert_non_null(strstr(lane->down_text, "could not be resolved in time"));
	assert_true(lane->worst_append_ns < KRYOS_MILLISECONDS(HANG_MS) / 3);
	wire_close(&healthy);
	lane_free(lane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_guard_one_hanging_name_holds_up_everybody),
		cmocka_unit_test(with_it_nobody_notices),
	};
	const char *missing = broker_missing();

	if (missing) {
		print_message("skipped: %s is not installed\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
