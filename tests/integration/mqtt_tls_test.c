/* SPDX-License-Identifier: Apache-2.0 */
/* The Paho transport over TLS against a real Mosquitto, with certificates made for this run. */
#include "broker.h"
#include "support.h"
#include "wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern const struct kryos_transport_driver kri_transport_paho;

static char *folder;
static uint16_t port, mutual_port, other_port, expired_port;
static struct broker *brokers[4], *plain;
static const unsigned int versions[] = { 311, 5 };

#define EACH_VERSION(version)                                                                                          \
	for (unsigned int version##_i = 0, version = versions[0]; version##_i < 2;                                     \
	     version = versions[++version##_i % 2])

static struct broker *start_one(uint16_t *ret_port, const char *cert, bool mutual)
{
	char extra[1024];

	*ret_port = broker_free_port();
	snprintf(extra, sizeof(extra),
	         "allow_anonymous true\ncafile %s/ca.crt\ncertfile %s/%s.crt\nkeyfile %s/%s.key\n"
	         "require_certificate %s\n",
	         folder, folder, cert, folder, cert, mutual ? "true" : "false");
	return broker_start(folder, *ret_port, extra);
}

static int start(void **state)
{
	(void)state;
	folder = scratch_new();
	if (!certs_make(folder))
		return -1;
	brokers[0] = start_one(&port, "server", false);
	brokers[1] = start_one(&mutual_port, "server", true);
	brokers[2] = start_one(&other_port, "other", false);
	brokers[3] = start_one(&expired_port, "expired", false);
	return brokers[0] && brokers[1] && brokers[2] && brokers[3] ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		broker_free(brokers[i]);
	broker_free(plain);
	scratch_free(folder);
	return 0;
}

static void wire_tls(struct wire *wire, const char *host, uint16_t to, unsigned int version)
{
	wire_init(wire, "mqtts", host, to, version);
	wire->config.ca = in(folder, "ca.crt");
}

/* Connecting must fail as a matter of certificates, with this in the text. */
static void expect_refusal(struct wire *wire, const char *says)
{
	assert_ok(wire_open(wire));
	assert_int_equal(wire_connect(wire), KRYOS_TRANSPORT_DOWN);
	if (!strstr(wire->text, says))
		fail_msg("\"%s\" does not say \"%s\"", wire->text, says);
	assert_int_equal(wire->report.code, KRYOS_EAUTH);
	assert_int_equal(wire->report.token, KRI_REPORT_TLS);
	wire_close(wire);
}

static void a_server_of_our_ca_is_accepted_by_name_and_by_address(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost" };

	(void)state;
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_tls(&wire, hosts[version == 5], port, version);
		assert_ok(wire_open(&wire));
		if (wire_connect(&wire) != KRYOS_TRANSPORT_UP)
			fail_msg("%s", wire.text);
		for (int i = 0; i < 10; i++)
			assert_ok(wire_publish(&wire, "t/x", "over TLS", i));
		assert_true(wire_acked(&wire, 10, 5000));
		wire_close(&wire);
	}
}

static void mutual_tls_works(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_tls(&wire, "localhost", mutual_port, version);
		wire.config.cert = in(folder, "client.crt");
		wire.config.key = in(folder, "client.key");
		assert_ok(wire_open(&wire));
		assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_UP);
		assert_ok(wire_publish(&wire, "t/x", "mutual", 7));
		assert_true(wire_acked(&wire, 1, 5000));
		wire_close(&wire);
	}
}

static void a_client_without_certificate_is_told_so(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_tls(&wire, "localhost", mutual_port, version);
		expect_refusal(&wire, "refused us in TLS: ");
	}
}

static void a_client_of_another_ca_is_told_so(void **state)
{
	struct wire wire;

	(void)state;
	wire_tls(&wire, "localhost", mutual_port, 311);
	wire.config.cert = in(folder, "stranger.crt");
	wire.config.key = in(folder, "stranger.key");
	expect_refusal(&wire, "refused us in TLS: ");
}

static void a_wrong_ca_is_named(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_tls(&wire, "localhost", port, version);
		wire.config.ca = in(folder, "wrong-ca.crt");
		expect_refusal(&wire, "is not from the CA in ca: ");
	}
}

static void an_expired_certificate_is_named_with_its_dates(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_tls(&wire, "localhost", expired_port, version);
		expect_refusal(&wire, "certificate has expired (/CN=localhost, valid ");
	}
}

static void a_certificate_for_another_host_is_named(void **state)
{
	(void)state;
	EACH_VERSION(version)
	{
		struct wire wire;

		wire_tls(&wire, "localhost", other_port, version);
		expect_refusal(&wire, "its certificate (/CN=elsewhere) is for another host than \"localhost\"");
	}
}

static void a_server_without_tls_is_named(void **state)
{
	uint16_t plain_port = broker_free_port();
	struct wire wire;

	(void)state;
	plain = broker_start(folder, plain_port, NULL);
	assert_non_null(plain);
	wire_tls(&wire, "127.0.0.1", plain_port, 311);
	assert_ok(wire_open(&wire));
	assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_DOWN);
	assert_true(wire.report.code < 0);
	wire_close(&wire);
}

static void nobody_there_is_no_matter_of_certificates(void **state)
{
	struct wire wire;

	(void)state;
	wire_tls(&wire, "127.0.0.1", broker_free_port(), 311);
	assert_ok(wire_open(&wire));
	assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_DOWN);
	assert_int_equal(wire.report.code, -ECONNREFUSED);
	assert_int_equal(wire.report.token, 0);
	wire_close(&wire);
}

static void a_server_that_swallows_the_handshake_is_left_within_a_second(void **state)
{
	struct proxy *proxy = proxy_start(port);
	struct wire wire;
	int64_t before;

	(void)state;
	proxy_set_mode(proxy, PROXY_SWALLOW);
	wire_tls(&wire, "127.0.0.1", proxy_port(proxy), 311);
	assert_ok(wire_open(&wire));
	assert_ok(kri_transport_paho.connect(wire.priv, "t/state"));
	assert_int_equal(wire_next(&wire, 1000), 0);
	before = kri_real_ns();
	wire_disconnect(&wire);
	assert_true(kri_real_ns() - before < KRYOS_SECONDS(1));
	wire_close(&wire);
	proxy_free(proxy);
}

static void files_that_are_no_pem_are_refused_at_once(void **state)
{
	struct wire wire;
	FILE *file = fopen(in(folder, "garbage.crt"), "we");

	(void)state;
	assert_non_null(file);
	fputs("garbage", file);
	fclose(file);
	wire_tls(&wire, "localhost", port, 311);
	wire.config.ca = in(folder, "garbage.crt");
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "ca: ");
	wire.config.ca = in(folder, "ca.crt");
	wire.config.cert = in(folder, "garbage.crt");
	wire.config.key = in(folder, "client.key");
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "cert: ");
	wire.config.cert = in(folder, "client.crt");
	wire.config.key = in(folder, "missing.key");
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "key: ");
	wire_init(&wire, "mqtts", "[::1]", 8883, 311);
	wire.config.ca = in(folder, "ca.crt");
	assert_fails(KRYOS_ECONFIG, wire_open(&wire));
	assert_says(KRYOS_ECONFIG, "IPv6");
}

/* openssl s_server as the other side, to see what a client offers; its output in folder/s_server.log. */
static pid_t server = -1;

static void start_server(uint16_t on, const char *more, const char *argument)
{
	char accept[32];

	snprintf(accept, sizeof(accept), "127.0.0.1:%u", on);
	unlink(in(folder, "s_server.log"));
	/* It ends with its input, so that must not. */
	server = helper_start((const char *const[]){ "openssl", "s_server", "-accept", accept, "-cert",
	                                             in(folder, "server.crt"), "-key", in(folder, "server.key"), more,
	                                             argument, "-tlsextdebug", NULL },
	                      "/dev/zero", in(folder, "s_server.log"));
	assert_true(server > 0);
}

static int end_server(void **state)
{
	(void)state;
	helper_end(&server);
	return 0;
}

static bool log_says(const char *text)
{
	char buffer[65536];
	FILE *file = fopen(in(folder, "s_server.log"), "re");
	size_t n = file ? fread(buffer, 1, sizeof(buffer) - 1, file) : 0;

	if (file)
		fclose(file);
	buffer[n] = 0;
	return memmem(buffer, n, text, strlen(text)) != NULL;
}

static bool wait_for_log(const char *text)
{
	struct timespec pause = { .tv_nsec = 20000000 };

	for (int i = 0; i < 250; i++) {
		if (log_says(text))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void sni_and_alpn_are_sent(void **state)
{
	uint16_t on = broker_free_port();
	struct wire wire;

	(void)state;
	start_server(on, "-alpn", "x-amzn-mqtt-ca");
	assert_true(wait_for_log("ACCEPT"));
	wire_tls(&wire, "localhost", on, 311);
	wire.config.alpn = "x-amzn-mqtt-ca";
	assert_ok(wire_open(&wire));
	assert_ok(kri_transport_paho.connect(wire.priv, "t/state"));
	assert_true(wait_for_log("ALPN protocols selected: x-amzn-mqtt-ca"));
	assert_true(log_says("TLS client extension \"server name\""));
	wire_close(&wire);
}

static void nothing_below_tls_1_2_is_agreed_on(void **state)
{
	uint16_t on = broker_free_port();
	struct wire wire;

	(void)state;
	/* Without the security level OpenSSL 3 would refuse on the server's side already. */
	start_server(on, "-tls1_1", "-cipher=ALL:@SECLEVEL=0");
	assert_true(wait_for_log("ACCEPT"));
	wire_tls(&wire, "localhost", on, 311);
	assert_ok(wire_open(&wire));
	assert_int_equal(wire_connect(&wire), KRYOS_TRANSPORT_DOWN);
	assert_int_equal(wire.report.code, KRYOS_EAUTH);
	if (!strstr(wire.text, "TLS failed: "))
		fail_msg("%s", wire.text);
	wire_close(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_of_our_ca_is_accepted_by_name_and_by_address),
		cmocka_unit_test(mutual_tls_works),
		cmocka_unit_test(a_client_without_certificate_is_told_so),
		cmocka_unit_test(a_client_of_another_ca_is_told_so),
		cmocka_unit_test(a_wrong_ca_is_named),
		cmocka_unit_test(an_expired_certificate_is_named_with_its_dates),
		cmocka_unit_test(a_certificate_for_another_host_is_named),
		cmocka_unit_test(a_server_without_tls_is_named),
		cmocka_unit_test(nobody_there_is_no_matter_of_certificates),
		cmocka_unit_test(a_server_that_swallows_the_handshake_is_left_within_a_second),
		cmocka_unit_test(files_that_are_no_pem_are_refused_at_once),
		cmocka_unit_test_teardown(sni_and_alpn_are_sent, end_server),
		cmocka_unit_test_teardown(nothing_below_tls_1_2_is_agreed_on, end_server),
	};
	const char *missing = broker_missing();

	if (missing) {
		print_message("skipped: %s is not installed\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
