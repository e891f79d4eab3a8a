/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void good_topics_pass(void **state)
{
	static const char *const good[] = { "a",    "kryos/0123/sample", "/a",
		                            "a//b", "1/2/3/4/5/6/7/8",   "fridge \xc3\xa9",
		                            "a/$b" };
	char longest[KRI_TOPIC_MAX + 1];

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(good); i++)
		assert_ok(kri_topic_check("topic", good[i]));
	memset(longest, 'x', KRI_TOPIC_MAX);
	longest[KRI_TOPIC_MAX] = 0;
	assert_ok(kri_topic_check("topic", longest));
}

static void bad_topics_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *topic, *says;
	} bad[] = {
		{ "", "empty" },
		{ "a/+/b", "wildcard" },
		{ "a/#", "wildcard" },
		{ "$SYS/x", "broker" },
		{ "1/2/3/4/5/6/7/8/9", "8 slashes" },
		{ "a\xff", "UTF-8" },
		{ "a\xc0\x80", "UTF-8" },
		{ "a\xed\xa0\x80", "UTF-8" }, /* a surrogate, MQTT 5 1.5.4 */
		{ "a\nb", "control" },
	};
	char longer[KRI_TOPIC_MAX + 2];

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(bad); i++) {
		assert_fails(KRYOS_ECONFIG, kri_topic_check("topic", bad[i].topic));
		assert_says(KRYOS_ECONFIG, bad[i].says);
		assert_says(KRYOS_ECONFIG, "topic: ");
	}
	memset(longer, 'x', KRI_TOPIC_MAX + 1);
	longer[KRI_TOPIC_MAX + 1] = 0;
	assert_fails(KRYOS_ECONFIG, kri_topic_check("topic", longer));
	assert_says(KRYOS_ECONFIG, "257 bytes");
}

static void a_device_is_put_in_its_place(void **state)
{
	char topic[KRI_TOPIC_MAX + 1] = "untouched", huge[600];

	(void)state;
	assert_ok(kri_topic_make(topic, "topic", "kryos/{device}", "d1", "sample"));
	assert_string_equal(topic, "kryos/d1/sample");
	assert_ok(kri_topic_make(topic, "topic", "site/{device}/x", "d1", "event"));
	assert_string_equal(topic, "site/d1/x/event");
	assert_ok(kri_topic_make(topic, "topic", "fixed", "d1", "state"));
	assert_string_equal(topic, "fixed/state");
	assert_fails(KRYOS_ECONFIG, kri_topic_make(topic, "topic", "{device}/{device}", "d1", "state"));
	assert_fails(KRYOS_ECONFIG, kri_topic_make(topic, "topic", "kryos/{site}", "d1", "state"));
	assert_says(KRYOS_ECONFIG, "{device}");
	assert_fails(KRYOS_ECONFIG, kri_topic_make(topic, "topic", "kryos/", "d1", "state"));
	assert_fails(KRYOS_ECONFIG, kri_topic_make(topic, "topic", "", "d1", "state"));
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = 0;
	assert_fails(KRYOS_ECONFIG, kri_topic_make(topic, "topic", huge, "d1", "state"));
	assert_string_equal(topic, "fixed/state"); /* untouched on failure */
	/* What is added counts: 7 slashes are too many already. */
	assert_fails(KRYOS_ECONFIG, kri_topic_make(topic, "topic", "1/2/3/4/5/6/7/8", "d1", "state"));
}

static void urls_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *scheme, *host;
		uint16_t port;
		bool numeric, loopback;
	} good[] = {
		{ "mqtts://broker.example.org:8883", "mqtts", "broker.example.org", 8883, false, false },
		{ "mqtts://broker", "mqtts", "broker", 0, false, false },
		{ "mqtt://127.0.0.1:1883", "mqtt", "127.0.0.1", 1883, true, true },
		{ "mqtt://127.9.9.9", "mqtt", "127.9.9.9", 0, true, true },
		{ "mqtt://[::1]:1", "mqtt", "::1", 1, true, true },
		{ "mqtt://LocalHost", "mqtt", "LocalHost", 0, false, true },
		{ "mqtt://128.0.0.1", "mqtt", "128.0.0.1", 0, true, false },
		{ "mqtt://127.0.0.1.example.org", "mqtt", "127.0.0.1.example.org", 0, false, false },
		{ "fake://name", "fake", "name", 0, false, false },
	};
	struct kri_url url;

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(good); i++) {
		assert_ok(kri_url_parse(&url, "url", good[i].text));
		assert_string_equal(url.scheme, good[i].scheme);
		assert_string_equal(url.host, good[i].host);
		assert_int_equal(url.port, good[i].port);
		assert_int_equal(url.numeric, good[i].numeric);
		assert_int_equal(url.loopback, good[i].loopback);
	}
}

static void malformed_urls_name_what_is_allowed(void **state)
{
	static const char *const bad[] = {
		"",
		"broker",
		"://broker",
		"mqtts:/broker",
		"mqtts://",
		"mqtts://:8883",
		"MQTTS://broker",
		"mqtts://broker:",
		"mqtts://broker:0",
		"mqtts://broker:65536",
		"mqtts://broker:99999999999",
		"mqtts://broker:88x",
		"mqtts://broker:8883/path",
		"mqtts://broker/",
		"mqtts://user@broker",
		"mqtts://user:secret@broker",
		"mqtts://bro ker",
		"mqtts://[::1",
		"mqtts://[::1]x",
		"mqtts://[127.0.0.1]",
		"mqtts://.broker",
		"mqtts://a..b",
		"mqtts://a#b",
		"averyveryverylongscheme://a",
	};
	struct kri_url url;
	char *huge = NULL;

	(void)state;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(bad); i++) {
		assert_fails(KRYOS_ECONFIG, kri_url_parse(&url, "url", bad[i]));
		assert_says(KRYOS_ECONFIG, "url: ");
		assert_says(KRYOS_ECONFIG, "allowed is scheme://");
	}
	assert_fails(KRYOS_ECONFIG, kri_url_parse(&url, "url", "mqtts://me:secret@broker.example.org"));
	assert_says(KRYOS_ECONFIG, "url: a user goes to username, a password to password_file");
	assert_null(strstr(kryos_strerror(KRYOS_ECONFIG), "secret"));
	assert_fails(KRYOS_ECONFIG, kri_url_parse(&url, "url", "mqtts://broker.example.org:8883/plant/7"));
	assert_says(KRYOS_ECONFIG, "nothing may follow host and port");
	assert_fails(KRYOS_ECONFIG, kri_url_parse(&url, "url", NULL));
	assert_true(asprintf(&huge, "mqtts://%0300d", 1) > 0);
	assert_fails(KRYOS_ECONFIG, kri_url_parse(&url, "url", huge));
	free(huge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_topics_pass),
		cmocka_unit_test(bad_topics_are_refused_with_the_reason),
		cmocka_unit_test(a_device_is_put_in_its_place),
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(malformed_urls_name_what_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
