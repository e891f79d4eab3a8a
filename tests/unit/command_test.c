/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "command/command.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ALL (KRYOS_RIGHT_READ | KRYOS_RIGHT_CHANGE)

static char *answer_to(struct bench *bench, const char *request, unsigned int rights)
{
	char *answer = NULL;

	assert_ok(kryos_command_run(bench->station, request, "tester", rights, &answer));
	assert_non_null(answer);
	assert_null(strchr(answer, '\n'));
	return answer;
}

static struct kri_json *result_of(struct bench *bench, const char *request)
{
	char *answer = answer_to(bench, request, ALL), *text;
	struct kri_json *parsed = NULL, *result = NULL;
	bool ok = false;

	assert_ok(kri_json_parse(&parsed, answer, strlen(answer)));
	if (!kri_json_get_bool(parsed, "ok", &ok) || !ok)
		fail_msg("%s: %s", request, answer);
	text = kri_json_print(kri_json_get(parsed, "result"));
	assert_non_null(text);
	assert_ok(kri_json_parse(&result, text, strlen(text)));
	free(text);
	free(answer);
	kri_json_free(parsed);
	return result;
}

static void assert_refused(struct bench *bench, const char *request, unsigned int rights, const char *says)
{
	char *answer = answer_to(bench, request, rights);
	struct kri_json *parsed = NULL;
	const char *error = "";
	bool ok = true;

	assert_ok(kri_json_parse(&parsed, answer, strlen(answer)));
	assert_true(kri_json_get_bool(parsed, "ok", &ok));
	assert_false(ok);
	assert_true(kri_json_get_string(parsed, "error", &error));
	if (!strstr(error, says))
		fail_msg("%s: \"%s\" does not say \"%s\"", request, error, says);
	kri_json_free(parsed);
	free(answer);
}

static void read_gives_the_newest_reading_of_each_channel(void **state)
{
	struct bench *bench = *state;
	const struct kri_json *reading;
	struct kri_json *result;
	const char *text = "";
	double value = 0;

	result = result_of(bench, "{\"command\":\"read\"}");
	assert_null(kri_json_at(kri_json_get(result, "readings"), 0, NULL));
	kri_json_free(result);
	bench_measure(bench, 5250000);
	bench_measure(bench, 6000000);
	result = result_of(bench, "{\"command\":\"read\",\"arguments\":{}}");
	reading = kri_json_at(kri_json_get(result, "readings"), 0, NULL);
	assert_true(kri_json_get_string(reading, "channel", &text));
	assert_string_equal(text, "fridge.temperature");
	assert_true(kri_json_get_double(reading, "value", &value));
	assert_true(value == 6);
	assert_null(kri_json_at(kri_json_get(result, "readings"), 1, NULL));
	kri_json_free(result);
}

static void status_and_version_answer(void **state)
{
	struct bench *bench = *state;
	struct kri_json *result = result_of(bench, "{\"command\":\"status\"}");
	const char *text = "";

	assert_true(kri_json_get_string(result, "name", &text));
	assert_string_equal(text, "Bench");
	kri_json_free(result);
	result = result_of(bench, "{\"command\":\"version\"}");
	assert_true(kri_json_get_string(result, "version", &text));
	assert_string_equal(text, kryos_version());
	kri_json_free(result);
}

static void requests_that_are_none_are_refused_with_a_sentence(void **state)
{
	struct bench *bench = *state;

	assert_refused(bench, "", ALL, "JSON, byte 0");
	assert_refused(bench, "status", ALL, "JSON, byte 0: this is not JSON");
	assert_refused(bench, "[]", ALL, "a request is {\"command\":\"name\"");
	assert_refused(bench, "{}", ALL, "a request is {\"command\":\"name\"");
	assert_refused(bench, "{\"command\":7}", ALL, "a request is {\"command\":\"name\"");
	assert_refused(bench, "{\"command\":\"status\",\"command\":\"flush\"}", ALL,
	               "\"command\" is given twice in one object; once is allowed");
	assert_refused(bench, "{\"command\":\"status\",\"arguments\":{},\"arguments\":{}}", ALL,
	               "\"arguments\" is given twice");
	assert_refused(bench, "{\"command\":\"status\",\"args\":{}}", ALL, "a request has no \"args\"");
	assert_refused(bench, "{\"command\":\"status\",\"arguments\":[]}", ALL, "arguments must be an object");
	assert_refused(bench, "{\"command\":\"statsu\"}", ALL, "did you mean status?");
	assert_refused(bench, "{\"command\":\"reboot\"}", ALL,
	               "allowed are status read version queue queue-resend queue-remove log-level flush sync-clock");
	assert_refused(bench, "{\"command\":\"status\"}", 0, "tester may not use status");
}

static void arguments_are_checked_against_the_schema(void **state)
{
	struct bench *bench = *state;

#define RESEND(arguments) "{\"command\":\"queue-resend\",\"arguments\":{" arguments "}}"
	assert_refused(bench, "{\"command\":\"status\",\"arguments\":{\"verbose\":true}}", ALL,
	               "status: there is no argument \"verbose\"");
	assert_refused(bench, RESEND("\"name\":\"main\",\"first\":1"), ALL,
	               "last is missing; a whole number is needed");
	assert_refused(bench, RESEND("\"first\":1,\"last\":2"), ALL, "name is missing; a text is needed");
	assert_refused(bench, RESEND("\"name\":7,\"first\":1,\"last\":2"), ALL, "name must be a text");
	assert_refused(bench, RESEND("\"name\":\"main\",\"first\":\"1\",\"last\":2"), ALL,
	               "first must be a whole number from 1 to");
	assert_refused(bench, RESEND("\"name\":\"main\",\"first\":1.5,\"last\":2"), ALL,
	               "first must be a whole number");
	assert_refused(bench, RESEND("\"name\":\"main\",\"first\":0,\"last\":2"), ALL, "first must be a whole number");
	assert_refused(bench, RESEND("\"name\":\"main\",\"first\":3,\"last\":2"), ALL, "first 3 is after last 2");
	assert_refused(bench, RESEND("\"name\":\"main\",\"first\":1,\"first\":2,\"last\":2"), ALL,
	               "\"first\" is given twice in one object; once is allowed");
	assert_refused(bench, RESEND("\"name\":\"mian\",\"first\":1,\"last\":2"), ALL,
	               "there is no queue \"mian\"; there is main");
	assert_refused(bench, "{\"command\":\"log-level\",\"arguments\":{\"level\":\"loud\"}}", ALL,
	               "level must be one of error warning notice info debug");
	assert_refused(bench, "{\"command\":\"log-level\"}", ALL, "level is missing");
}

static void readers_may_not_change(void **state)
{
	struct bench *bench = *state;

	assert_refused(bench, RESEND("\"name\":\"main\",\"first\":1,\"last\":2"), KRYOS_RIGHT_READ,
	               "tester may not use queue-resend");
	assert_refused(bench, "{\"command\":\"flush\"}", KRYOS_RIGHT_READ, "tester may not use flush");
}

static void a_resend_is_owed_again(void **state)
{
	struct bench *bench = *state;
	struct kri_json *result;
	const char *name = "";
	int64_t owed = 0;

	bench_measure(bench, 5000000);
	result = result_of(bench, RESEND("\"name\":\"main\",\"first\":1,\"last\":1000"));
	assert_true(kri_json_get_string(result, "name", &name));
	assert_string_equal(name, "main");
	kri_json_free(result);
	result = result_of(bench, "{\"command\":\"queue\"}");
	assert_true(kri_json_get_int(kri_json_at(kri_json_get(result, "queues"), 0, NULL), "owed", &owed));
	assert_true(owed >= 0);
	assert_null(kri_json_at(kri_json_get(result, "queues"), 1, NULL));
	kri_json_free(result);
}

static void a_queue_that_no_relay_has_is_removed(void **state)
{
	struct bench *bench = *state;
	struct kryos_queue *queue;
	struct kri_json *result;
	const char *name = "";

#define REMOVE(name) "{\"command\":\"queue-remove\",\"arguments\":{\"name\":\"" name "\"}}"
	assert_ok(kryos_queue_open(&queue, kryos_station_get_store(bench->station), "old", NULL));
	assert_refused(bench, REMOVE("old"), ALL, "queue old: it is open");
	kryos_queue_close(queue);
	assert_refused(bench, REMOVE("main"), ALL, "queue main: it is open");
	assert_refused(bench, REMOVE("odl"), ALL, "queue odl: there is none");
	assert_refused(bench, REMOVE("Old"), ALL, "a name is 1 to 31 of a-z 0-9 _ -");
	assert_refused(bench, "{\"command\":\"queue-remove\"}", ALL, "name is missing");
	assert_refused(bench, REMOVE("old"), KRYOS_RIGHT_READ, "tester may not use queue-remove");
	result = result_of(bench, REMOVE("old"));
	assert_true(kri_json_get_string(result, "name", &name));
	assert_string_equal(name, "old");
	kri_json_free(result);
	assert_refused(bench, REMOVE("old"), ALL, "queue old: there is none");
}

struct audits {
	unsigned int count;
	char who[64], first[1001], second[1001];
};

static void read_audits(struct bench *bench, struct audits *audits)
{
	const struct kryos_record *record;
	struct kryos_reader *reader = NULL;

	memset(audits, 0, sizeof(*audits));
	assert_ok(kryos_store_flush(kryos_station_get_store(bench->station), KRYOS_SECONDS(5)));
	assert_ok(kryos_reader_open(&reader, bench->ctx, bench->store));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_AUDIT)
			continue;
		snprintf(audits->who, sizeof(audits->who), "%s", record->event->name);
		snprintf(audits->count == 0 ? audits->first : audits->second, 1001, "%s", record->event->text);
		audits->count++;
	}
	kryos_reader_close(reader);
}

static void changes_are_audited_and_looks_are_not(void **state)
{
	struct bench *bench = *state;
	struct audits audits;

	kri_json_free(result_of(bench, "{\"command\":\"status\"}"));
	kri_json_free(result_of(bench, "{\"command\":\"queue\"}"));
	assert_refused(bench, "{\"command\":\"log-level\",\"arguments\":{\"level\":\"loud\"}}", ALL, "must be one of");
	read_audits(bench, &audits);
	assert_int_equal(audits.count, 0);
	kri_json_free(result_of(bench, "{\"command\":\"log-level\",\"arguments\":{\"level\":\"debug\"}}"));
	kri_json_free(result_of(bench, "{\"command\":\"flush\"}"));
	read_audits(bench, &audits);
	assert_int_equal(audits.count, 2);
	assert_string_equal(audits.who, "tester");
	assert_string_equal(audits.first, "log-level {\"level\":\"debug\"}");
	assert_string_equal(audits.second, "flush");
}

static void a_change_that_failed_is_audited_with_its_reason(void **state)
{
	struct bench *bench = *state;
	struct audits audits;

	/* The fake clock is not synchronised, and there is no real-time clock. */
	assert_refused(bench, "{\"command\":\"sync-clock\"}", ALL, "");
	read_audits(bench, &audits);
	assert_int_equal(audits.count, 2);
	assert_string_equal(audits.first, "sync-clock");
	assert_true(strncmp(audits.second, "sync-clock: ", 12) == 0 && strlen(audits.second) > 14);
}

static void count_records(void *userdata, const struct kryos_log_record *record)
{
	(void)record;
	++*(unsigned int *)userdata;
}

static void log_level_decides_what_is_passed_on(void **state)
{
	struct kryos_ctx *ctx = NULL;
	unsigned int records = 0;

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, KRYOS_CTX_CONFIG(.log = count_records, .log_userdata = &records)));
	kri_log(ctx, KRYOS_LOG_DEBUG, "test", 0, "one");
	assert_int_equal(records, 0);
	kri_log_set_level(ctx, KRYOS_LOG_DEBUG);
	kri_log(ctx, KRYOS_LOG_DEBUG, "test", 0, "two");
	assert_int_equal(records, 1);
	kri_log_set_level(ctx, KRYOS_LOG_ERROR);
	kri_log(ctx, KRYOS_LOG_WARNING, "test", 0, "three");
	assert_int_equal(records, 1);
	kryos_ctx_free(ctx);
}

static void the_list_names_every_command_with_its_arguments(void **state)
{
	struct kri_json *list = NULL;
	const struct kri_json *command;
	const char *text = "";
	char *json = NULL;
	unsigned int count = 0;

	(void)state;
	assert_ok(kryos_command_list(&json));
	assert_ok(kri_json_parse(&list, json, strlen(json)));
	for (; (command = kri_json_at(list, count, NULL)); count++) {
		assert_true(kri_json_get_string(command, "name", &text));
		assert_string_equal(text, kri_commands[count].name);
		assert_true(kri_json_get_string(command, "right", &text));
		assert_true(kri_json_get_string(command, "help", &text) && *text);
		assert_true(kri_json_is_object(kri_json_get(command, "arguments")));
	}
	assert_int_equal(count, 17);
	assert_null(kri_commands[count].name);
	kri_json_free(list);
	free(json);
	assert_fails(-EINVAL, kryos_command_list(NULL));
}

static void bad_arguments_of_the_call_are_refused(void **state)
{
	struct bench *bench = *state;
	char *answer = NULL;

	assert_fails(-EINVAL, kryos_command_run(NULL, "{}", "who", ALL, &answer));
	assert_fails(-EINVAL, kryos_command_run(bench->station, NULL, "who", ALL, &answer));
	assert_fails(-EINVAL, kryos_command_run(bench->station, "{}", NULL, ALL, &answer));
	assert_fails(-EINVAL, kryos_command_run(bench->station, "{}", "who", ALL, NULL));
	assert_null(answer);
}

static void random_requests_never_crash_the_table(void **state)
{
	static const char *const parts[] = { "{",
		                             "}",
		                             "\"command\":",
		                             "\"arguments\":",
		                             "\"status\"",
		                             "\"queue-resend\"",
		                             ",",
		                             "\"name\":",
		                             "\"first\":",
		                             "1",
		                             "\"main\"",
		                             "null",
		                             "[",
		                             "]",
		                             "\"log-level\"",
		                             "\"level\":",
		                             "\"debug\"",
		                             "-1e99" };
	uint64_t random = seed_from_environment(99);
	struct bench *bench = *state;

	for (int round = 0; round < 3000; round++) {
		char request[400] = "{\"command\":", *answer = NULL;
		unsigned int count = (unsigned int)(next_random(&random) % 12);

		for (unsigned int i = 0; i < count; i++)
			strcat(request, parts[next_random(&random) % KRI_ARRAY_SIZE(parts)]);
		assert_ok(kryos_command_run(bench->station, request, "fuzz", KRYOS_RIGHT_READ, &answer));
		assert_true(strncmp(answer, "{\"ok\":", 6) == 0);
		free(answer);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		TEST(read_gives_the_newest_reading_of_each_channel),
		TEST(status_and_version_answer),
		TEST(requests_that_are_none_are_refused_with_a_sentence),
		TEST(arguments_are_checked_against_the_schema),
		TEST(readers_may_not_change),
		TEST(a_resend_is_owed_again),
		TEST(a_queue_that_no_relay_has_is_removed),
		TEST(changes_are_audited_and_looks_are_not),
		TEST(a_change_that_failed_is_audited_with_its_reason),
		TEST(log_level_decides_what_is_passed_on),
		TEST(the_list_names_every_command_with_its_arguments),
		TEST(bad_arguments_of_the_call_are_refused),
		TEST(random_requests_never_crash_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
