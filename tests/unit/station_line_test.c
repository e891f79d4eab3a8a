/* SPDX-License-Identifier: Apache-2.0 */
/* A station with a door and a lamp: from its file, over a reload, and through the command that tries a lamp. */
#include "support.h"
#include "json/json.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1795000000000000000)
#define WAIT_MS 20000
#define DOOR "[sensor lid]\naddress = door@gpio:GPIO17\n"
#define LAMP "[output alarm]\naddress = lamp@gpio:GPIO22\n"

struct bench {
	char *folder;
	char path[300];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio;
	struct kryos_model *door, *lamp;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
	int expected;
	unsigned int changes, lost;
	struct kryos_episode alarm; /* the newest */
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	unsetenv("STATE_DIRECTORY");
	bench->folder = scratch_new();
	snprintf(bench->path, sizeof(bench->path), "%s/station.ini", bench->folder);
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	kryos_fake_clock_set_synced(bench->clock, 1);
	assert_ok(kryos_fake_bus_new(&bench->gpio, "gpio"));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO17", &bench->door));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO22", &bench->lamp));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static void write_file(struct bench *bench, const char *text)
{
	FILE *file = fopen(bench->path, "w");

	assert_non_null(file);
	fprintf(file, "[store]\npath = %s/store\n[watchdog]\ndevice = none\n%s", bench->folder, text);
	assert_int_equal(fclose(file), 0);
}

static bool is_taken(void *data)
{
	struct bench *bench = data;

	return kryos_model_get_bias(bench->door) >= 0;
}

static void open_station(struct bench *bench, const char *text)
{
	write_file(bench, text);
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->path, KRYOS_STATION_CONFIG(.manual = 1)));
	assert_true(process_until(bench->ctx, is_taken, bench, WAIT_MS));
}

static bool has_level(void *data)
{
	struct bench *bench = data;

	return kryos_model_get_level(bench->lamp) == bench->expected;
}

static void expect_lamp(struct bench *bench, int level)
{
	bench->expected = level;
	if (!process_until(bench->ctx, has_level, bench, WAIT_MS))
		fail_msg("the lamp does not go to %d", level);
}

static bool is_idle(void *data)
{
	struct bench *bench = data;

	return kryos_sampler_busy(kryos_station_get_sampler(bench->station)) == 0;
}

static void measure(struct bench *bench)
{
	assert_ok(kryos_sampler_round(kryos_station_get_sampler(bench->station)));
	assert_true(process_until(bench->ctx, is_idle, bench, WAIT_MS));
}

static struct kri_json *status_of(struct bench *bench)
{
	struct kri_json *status = NULL;
	char *text = NULL;

	assert_ok(kryos_station_status_json(bench->station, &text));
	assert_ok(kri_json_parse(&status, text, strlen(text)));
	free(text);
	return status;
}

static void command_says(struct bench *bench, const char *request, const char *says)
{
	char *answer = NULL;

	assert_ok(kryos_command_run(bench->station, request, "nurse", KRYOS_RIGHT_READ | KRYOS_RIGHT_CHANGE, &answer));
	if (!strstr(answer, says))
		fail_msg("%s: %s does not say %s", request, answer, says);
	free(answer);
}

static void count_events(struct bench *bench)
{
	const struct kryos_record *record = NULL;
	struct kryos_reader *reader;

	bench->changes = bench->lost = 0;
	assert_ok(kryos_store_flush(kryos_station_get_store(bench->station), KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, bench->ctx, in(bench->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0) {
		bench->changes += record->event->type == KRYOS_EVENT_STATE;
		bench->lost += record->event->type == KRYOS_EVENT_OUTPUT_LOST;
	}
	kryos_reader_close(reader);
}

static void a_door_of_a_file_is_measured_and_its_changes_are_stored(void **state)
{
	struct bench *bench = *state;
	const struct kri_json *reading;
	struct kri_json *status;
	double value = -1;

	open_station(bench, DOOR "active = low\nbias = pull-down\ndebounce = 10ms\n");
	assert_int_equal(kryos_model_get_bias(bench->door), KRYOS_BIAS_PULL_DOWN);
	measure(bench);
	status = status_of(bench);
	reading = kri_json_at(kri_json_get(status, "readings"), 0, NULL);
	assert_true(kri_json_get_double(reading, "value", &value));
	assert_true(value == 1);
	kri_json_free(status);
	kryos_model_drive(bench->door, 1, kryos_fake_clock_boot_ns(bench->clock));
	process_for(bench->ctx, 10);
	count_events(bench);
	assert_int_equal(bench->changes, 0);
	kryos_fake_clock_advance(bench->clock, KRYOS_MILLISECONDS(10));
	assert_ok(kryos_ctx_process(bench->ctx));
	count_events(bench);
	assert_int_equal(bench->changes, 1);
}

static bool is_judged(void *data)
{
	struct bench *bench = data;
	const struct kryos_event *event = NULL;

	while (kryos_ctx_next_event(bench->ctx, &event) > 0)
		if (event->type == KRYOS_EVENT_ALARM_ON)
			assert_ok(kryos_episode_parse(&bench->alarm, event->text));
	return is_idle(data);
}

static void stand(struct bench *bench, int64_t seconds)
{
	for (int64_t left = seconds; left > 0; left--) {
		kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(1));
		if (left % 60 == 20)
			measure(bench);
		assert_ok(kryos_ctx_process(bench->ctx));
		assert_true(process_until(bench->ctx, is_judged, bench, WAIT_MS));
	}
}

/* A debounce of 5 s: how a door stood when its time was up is known that much later, at the earliest. */
static void a_door_of_a_file_is_alarmed_as_of_when_it_was_due(void **state)
{
	struct bench *bench = *state;
	int64_t opened;

	open_station(bench, DOOR "debounce = 5s\n"
	                         "[rule open]\nkind = door\nthreshold = 1\ncomparator = ge\nduration = 5min\n"
	                         "[profile lid]\nrules = open\n[alarm lid]\nchannel = lid.open\nprofile = lid\n");
	measure(bench);
	kryos_model_drive(bench->door, 1, kryos_fake_clock_boot_ns(bench->clock));
	stand(bench, 298);
	kryos_model_drive(bench->door, 0, kryos_fake_clock_boot_ns(bench->clock));
	stand(bench, 60);
	assert_int_equal(bench->alarm.duration_ns, 0);
	opened = kryos_fake_clock_boot_ns(bench->clock);
	kryos_model_drive(bench->door, 1, opened);
	stand(bench, 309);
	assert_int_equal(bench->alarm.duration_ns, 0);
	stand(bench, 1);
	assert_int_equal(bench->alarm.start.t_boot_ns, opened);
	assert_int_equal(bench->alarm.trigger.t_boot_ns, opened + KRYOS_SECONDS(300));
}

static void a_lamp_shows_problems_only_where_the_file_says_so(void **state)
{
	struct bench *bench = *state;

	open_station(bench, DOOR LAMP "shows = problems\n");
	measure(bench);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(5));
	expect_lamp(bench, 0);
	kryos_model_set_present(bench->door, 0);
	measure(bench);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(5));
	expect_lamp(bench, 1);
	kryos_model_set_present(bench->door, 1);
	measure(bench);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(5));
	expect_lamp(bench, 0);
	/* The same without the line that says so. */
	write_file(bench, DOOR LAMP);
	assert_ok(kryos_station_reload(bench->station));
	kryos_model_set_present(bench->door, 0);
	measure(bench);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(5));
	process_for(bench->ctx, 20);
	assert_int_equal(kryos_model_get_level(bench->lamp), 0);
}

static void a_command_tries_a_lamp_for_ten_seconds(void **state)
{
	struct bench *bench = *state;

	open_station(bench, DOOR LAMP);
	command_says(bench, "{\"command\":\"output\",\"arguments\":{\"name\":\"alarm\",\"state\":\"on\"}}",
	             "\"ok\":true");
	expect_lamp(bench, 1);
	kryos_fake_clock_advance(bench->clock, KRYOS_MILLISECONDS(9999));
	process_for(bench->ctx, 20);
	assert_int_equal(kryos_model_get_level(bench->lamp), 1);
	kryos_fake_clock_advance(bench->clock, KRYOS_MILLISECONDS(1));
	expect_lamp(bench, 0);
	command_says(bench, "{\"command\":\"output\",\"arguments\":{\"name\":\"alarm\",\"state\":\"blink\"}}",
	             "\"ok\":true");
	expect_lamp(bench, 1);
	kryos_fake_clock_advance(bench->clock, KRYOS_MILLISECONDS(200));
	expect_lamp(bench, 0);
	kryos_fake_clock_advance(bench->clock, KRYOS_MILLISECONDS(300));
	expect_lamp(bench, 1);
	command_says(bench, "{\"command\":\"output\",\"arguments\":{\"name\":\"horn\",\"state\":\"on\"}}",
	             "there is no output \\\"horn\\\"; there is alarm");
	command_says(bench, "{\"command\":\"output\",\"arguments\":{\"name\":\"alarm\",\"state\":\"dim\"}}",
	             "\"ok\":false");
}

static bool is_lost(void *data)
{
	struct bench *bench = data;
	struct kri_json *status = status_of(bench);
	char *text = kri_json_print(kri_json_get(status, "problems"));
	bool found = strstr(text, "output alarm: lamp@gpio:GPIO22");

	free(text);
	kri_json_free(status);
	return found;
}

static bool is_stored(void *data)
{
	struct bench *bench = data;

	count_events(bench);
	return bench->lost > 0;
}

static void a_lamp_that_is_lost_is_a_problem_stored_and_said_by_the_command(void **state)
{
	struct bench *bench = *state;

	kryos_model_hold(bench->lamp, "led0");
	open_station(bench, DOOR LAMP);
	assert_true(process_until(bench->ctx, is_lost, bench, WAIT_MS));
	command_says(bench, "{\"command\":\"output\",\"arguments\":{\"name\":\"alarm\",\"state\":\"on\"}}",
	             "held by \\\"led0\\\"");
	/* The loop hands it to the store: a turn after the status has it. */
	assert_true(process_until(bench->ctx, is_stored, bench, WAIT_MS));
	assert_int_equal(bench->lost, 1);
}

static void a_reload_takes_and_lets_go_of_lamps(void **state)
{
	struct bench *bench = *state;

	open_station(bench, DOOR);
	assert_int_equal(kryos_model_get_bias(bench->lamp), -ENODEV);
	write_file(bench, DOOR LAMP "active = low\n");
	assert_ok(kryos_station_reload(bench->station));
	expect_lamp(bench, 1);
	assert_true(kryos_model_get_bias(bench->lamp) != -ENODEV);
	write_file(bench, DOOR);
	assert_ok(kryos_station_reload(bench->station));
	assert_int_equal(kryos_model_get_bias(bench->lamp), -ENODEV);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_door_of_a_file_is_measured_and_its_changes_are_stored),
		CASE(a_door_of_a_file_is_alarmed_as_of_when_it_was_due),
		CASE(a_lamp_shows_problems_only_where_the_file_says_so),
		CASE(a_command_tries_a_lamp_for_ten_seconds),
		CASE(a_lamp_that_is_lost_is_a_problem_stored_and_said_by_the_command),
		CASE(a_reload_takes_and_lets_go_of_lamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
