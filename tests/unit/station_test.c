/* SPDX-License-Identifier: Apache-2.0 */
#include "cutvfs.h"
#include "station/station.h"
#include "store/store.h"
#include "support.h"
#include "json/json.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <kryos/testing/transport.h>
#include <kryos/testing/watchdog.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_NS (INT64_C(1795165920) * 1000000000) /* 2026-11-20T09:12:00Z */

struct fixture {
	char *folder;
	char path[300];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *w1, *i2c;
	struct kryos_model *fridge, *lid, *room;
	struct kryos_fake_transport *transport;
	struct kryos_fake_watchdog *hardware;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
	pthread_mutex_t lock;
	char log[16384];
};

static void keep_log(void *userdata, const struct kryos_log_record *record)
{
	struct fixture *fixture = userdata;
	size_t length;

	pthread_mutex_lock(&fixture->lock);
	length = strlen(fixture->log);
	snprintf(fixture->log + length, sizeof(fixture->log) - length, "%d %s: %s\n", (int)record->level,
	         record->module, record->message);
	pthread_mutex_unlock(&fixture->lock);
}

static void new_context(struct fixture *fixture)
{
	assert_ok(kryos_ctx_new(
		&fixture->ctx, KRYOS_CTX_CONFIG(.log = keep_log, .log_userdata = fixture, .log_level = KRYOS_LOG_INFO,
	                                        .clock = kryos_fake_clock_source(), .clock_userdata = fixture->clock)));
	assert_ok(kryos_fake_bus_attach(fixture->w1, fixture->ctx));
	assert_ok(kryos_fake_bus_attach(fixture->i2c, fixture->ctx));
	assert_ok(kryos_fake_transport_attach(fixture->transport, fixture->ctx));
	assert_ok(kryos_fake_watchdog_attach(fixture->hardware, fixture->ctx));
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	pthread_mutex_init(&fixture->lock, NULL);
	unsetenv("STATE_DIRECTORY");
	fixture->folder = scratch_new();
	snprintf(fixture->path, sizeof(fixture->path), "%s/station.ini", fixture->folder);
	assert_ok(kryos_fake_clock_new(&fixture->clock, START_NS));
	assert_ok(kryos_fake_bus_new(&fixture->w1, "w1"));
	assert_ok(kryos_fake_bus_new(&fixture->i2c, "i2c-1"));
	assert_ok(kryos_fake_bus_add_ds18b20(fixture->w1, "28-0316a2795bff", &fixture->fridge));
	assert_ok(kryos_fake_bus_add_ds18b20(fixture->w1, "28-0316a2795b00", &fixture->lid));
	assert_ok(kryos_fake_bus_add_bme280(fixture->i2c, "0x76", &fixture->room));
	assert_ok(kryos_model_set(fixture->fridge, "temperature", 5250000));
	assert_ok(kryos_model_set(fixture->lid, "temperature", 21000000));
	assert_ok(kryos_model_set(fixture->room, "temperature", 24100000));
	assert_ok(kryos_fake_transport_new(&fixture->transport));
	assert_ok(kryos_fake_watchdog_new(&fixture->hardware, 0, 0));
	new_context(fixture);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	kryos_station_close(fixture->station);
	kryos_ctx_free(fixture->ctx);
	kryos_fake_watchdog_free(fixture->hardware);
	kryos_fake_transport_free(fixture->transport);
	kryos_fake_bus_free(fixture->w1);
	kryos_fake_bus_free(fixture->i2c);
	kryos_fake_clock_free(fixture->clock);
	scratch_free(fixture->folder);
	free(fixture);
	return 0;
}

#define FRIDGE "[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\nplace = vaccine\n"
#define LID "[sensor lid]\naddress = ds18b20@w1:28-0316a2795b00\n"
#define NO_WATCHDOG "[watchdog]\ndevice = none\n"

/* A file with the store in the scratch folder, and what is given. */
static void write_station(struct fixture *fixture, const char *text)
{
	FILE *file = fopen(fixture->path, "w");

	assert_non_null(file);
	if (!strstr(text, "[store]"))
		fprintf(file, "[store]\npath = %s/store\n", fixture->folder);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void open_station(struct fixture *fixture, const char *text)
{
	write_station(fixture, text);
	assert_ok(
		kryos_station_open(&fixture->station, fixture->ctx, fixture->path, KRYOS_STATION_CONFIG(.manual = 1)));
}

static bool is_idle(void *data)
{
	return kryos_sampler_busy(kryos_station_get_sampler(data)) == 0;
}

static void measure(struct fixture *fixture)
{
	kryos_fake_clock_advance(fixture->clock, KRYOS_MINUTES(1));
	assert_ok(kryos_sampler_round(kryos_station_get_sampler(fixture->station)));
	assert_true(process_until(fixture->ctx, is_idle, fixture->station, 10000));
}

static struct kri_json *status_of(struct fixture *fixture)
{
	struct kri_json *status = NULL;
	char *text = NULL;

	assert_ok(kryos_station_status_json(fixture->station, &text));
	assert_ok(kri_json_parse(&status, text, strlen(text)));
	free(text);
	return status;
}

static const struct kri_json *reading_of(const struct kri_json *status, const char *channel)
{
	const struct kri_json *readings = kri_json_get(status, "readings"), *reading;
	const char *name;

	for (unsigned int i = 0; (reading = kri_json_at(readings, i, NULL)); i++) {
		if (kri_json_get_string(reading, "channel", &name) && strcmp(name, channel) == 0)
			return reading;
	}
	return NULL;
}

static void assert_text(const struct kri_json *object, const char *key, const char *expected)
{
	const char *text = NULL;

	assert_true(kri_json_get_string(object, key, &text));
	assert_string_equal(text, expected);
}

static void assert_number(const struct kri_json *object, const char *key, double expected)
{
	double number = -1;

	assert_true(kri_json_get_double(object, key, &number));
	if (number != expected)
		fail_msg("%s is %g, not %g", key, number, expected);
}

static bool has_problem(const struct kri_json *status, const char *expected)
{
	const struct kri_json *problems = kri_json_get(status, "problems");
	char *text = kri_json_print(problems);
	bool found = text && strstr(text, expected);

	free(text);
	return found;
}

static void a_station_measures_what_its_file_names(void **state)
{
	struct fixture *fixture = *state;
	const struct kri_json *reading;
	struct kri_json *status;
	int64_t number = 0;

	open_station(fixture, "[station]\nname = A fridge\ntimezone = UTC\n" FRIDGE
	                      "[sensor room]\naddress = bme280@i2c-1:0x76\n" NO_WATCHDOG);
	assert_non_null(kryos_station_get_store(fixture->station));
	assert_null(kryos_station_get_relay(fixture->station, 0, NULL));
	status = status_of(fixture);
	assert_null(kri_json_at(kri_json_get(status, "readings"), 0, NULL));
	kri_json_free(status);

	measure(fixture);
	status = status_of(fixture);
	assert_text(status, "name", "A fridge");
	assert_text(status, "version", kryos_version());
	assert_text(status, "time", "2026-11-20T09:13:00Z");
	reading = reading_of(status, "fridge.temperature");
	assert_non_null(reading);
	assert_number(reading, "value", 5.25);
	assert_text(reading, "unit", "Cel");
	assert_text(reading, "quality", "good");
	assert_text(reading, "time", "2026-11-20T09:13:00Z");
	assert_true(kri_json_get_int(reading, "seq", &number) && number > 0);
	assert_non_null(reading_of(status, "room.humidity"));
	assert_true(kri_json_get_int(kri_json_get(status, "store"), "samples", &number));
	assert_int_equal(number, 4);
	assert_true(kri_json_get_int(kri_json_get(status, "sampler"), "sensors", &number));
	assert_int_equal(number, 2);
	kri_json_free(status);

	assert_ok(kryos_model_set(fixture->fridge, "temperature", -500000));
	measure(fixture);
	status = status_of(fixture);
	assert_number(reading_of(status, "fridge.temperature"), "value", -0.5);
	kri_json_free(status);
}

static void an_absent_sensor_is_a_reading_with_its_reason(void **state)
{
	struct fixture *fixture = *state;
	struct kri_json *status;
	double value;

	kryos_model_set_present(fixture->fridge, 0);
	open_station(fixture, FRIDGE LID NO_WATCHDOG);
	measure(fixture);
	status = status_of(fixture);
	assert_text(reading_of(status, "fridge.temperature"), "quality", "absent");
	assert_false(kri_json_get_double(reading_of(status, "fridge.temperature"), "value", &value));
	assert_text(reading_of(status, "lid.temperature"), "quality", "good");
	assert_true(has_problem(status, "fridge.temperature: absent"));
	kri_json_free(status);
}

static void a_wrong_file_opens_nothing(void **state)
{
	struct fixture *fixture = *state;

	write_station(fixture, FRIDGE "evry = 1min\n" NO_WATCHDOG);
	assert_fails(KRYOS_ECONFIG, kryos_station_open(&fixture->station, fixture->ctx, fixture->path, NULL));
	assert_says(KRYOS_ECONFIG, "station.ini:6: [sensor] has no key evry; did you mean every?");
	assert_null(fixture->station);
	assert_int_equal(access(in(fixture->folder, "store"), F_OK), -1);
	assert_fails(-ENOENT, kryos_station_open(&fixture->station, fixture->ctx, in(fixture->folder, "none"), NULL));
	assert_fails(-EINVAL, kryos_station_open(&fixture->station, fixture->ctx, NULL, NULL));
	assert_null(fixture->station);
}

static void a_store_that_cannot_be_opened_is_an_error(void **state)
{
	struct fixture *fixture = *state;
	char text[600];
	FILE *file = fopen(in(fixture->folder, "plain"), "w");

	assert_non_null(file);
	fclose(file);
	snprintf(text, sizeof(text), FRIDGE "[store]\npath = %s/plain\n" NO_WATCHDOG, fixture->folder);
	write_station(fixture, text);
	assert_true(kryos_station_open(&fixture->station, fixture->ctx, fixture->path, NULL) < 0);
	assert_null(fixture->station);
	/* Nothing is left: the same context takes a right file. */
	open_station(fixture, FRIDGE NO_WATCHDOG);
	measure(fixture);
}

static void two_stations_on_one_store_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct kryos_station *second = NULL;

	open_station(fixture, FRIDGE NO_WATCHDOG);
	assert_fails(-EBUSY,
	             kryos_station_open(&second, fixture->ctx, fixture->path, KRYOS_STATION_CONFIG(.manual = 1)));
	assert_null(second);
}

static void a_rule_that_judges_nothing_is_remarked_once(void **state)
{
	static const char text[] = FRIDGE NO_WATCHDOG "[rule lost]\nkind = sensor\nduration = 1h\n";
	struct fixture *fixture = *state;
	struct kri_json *status;
	char *first;

	open_station(fixture, text);
	first = strstr(fixture->log, "[rule lost] is in no [profile ...]: it judges nothing");
	assert_non_null(first);
	assert_true(strncmp(fixture->log, "4 station: ", 11) == 0);
	write_station(fixture, text);
	assert_ok(kryos_station_reload(fixture->station));
	assert_null(strstr(first + 1, "[rule lost]"));
	status = status_of(fixture);
	assert_true(has_problem(status, "it judges nothing"));
	kri_json_free(status);
}

static bool has_events(void *data)
{
	struct fixture *fixture = data;
	struct kryos_fake_message message;

	for (unsigned int i = 0; kryos_fake_transport_get(fixture->transport, i, &message) >= 0; i++) {
		if (strstr(message.topic, "/sample") && strstr(message.payload, "fridge.temperature") && message.acked)
			return true;
	}
	return false;
}

static void a_relay_sends_what_is_measured(void **state)
{
	struct fixture *fixture = *state;
	struct kryos_relay *relay;
	const char *name = NULL;
	struct kri_json *status;

	open_station(fixture, FRIDGE NO_WATCHDOG "[relay main]\nurl = fake://one\nbackoff_min = 10ms\n");
	relay = kryos_station_get_relay(fixture->station, 0, &name);
	assert_non_null(relay);
	assert_string_equal(name, "main");
	assert_null(kryos_station_get_relay(fixture->station, 1, &name));
	measure(fixture);
	assert_true(process_until(fixture->ctx, has_events, fixture, 10000));
	status = status_of(fixture);
	assert_text(kri_json_at(kri_json_get(status, "relays"), 0, NULL), "link", "up");
	assert_text(kri_json_at(kri_json_get(status, "relays"), 0, NULL), "url", "fake://one");
	kri_json_free(status);
}

static void reload_adds_a_sensor_and_leaves_the_rest_alone(void **state)
{
	struct fixture *fixture = *state;
	struct kryos_sampler *sampler;
	struct kryos_relay *relay;
	struct kryos_store *store;
	struct kri_json *status;

	open_station(fixture, FRIDGE NO_WATCHDOG "[relay main]\nurl = fake://one\n");
	sampler = kryos_station_get_sampler(fixture->station);
	relay = kryos_station_get_relay(fixture->station, 0, NULL);
	store = kryos_station_get_store(fixture->station);
	write_station(fixture, FRIDGE LID NO_WATCHDOG "[relay main]\nurl = fake://one\n");
	assert_ok(kryos_station_reload(fixture->station));
	assert_ptr_equal(kryos_station_get_sampler(fixture->station), sampler);
	assert_ptr_equal(kryos_station_get_relay(fixture->station, 0, NULL), relay);
	assert_ptr_equal(kryos_station_get_store(fixture->station), store);
	measure(fixture);
	status = status_of(fixture);
	assert_number(reading_of(status, "lid.temperature"), "value", 21);
	assert_number(reading_of(status, "fridge.temperature"), "value", 5.25);
	kri_json_free(status);
}

static void reload_removes_and_changes_sensors_and_relays(void **state)
{
	struct kryos_sampler_status sampler = { .size = sizeof(sampler) };
	struct fixture *fixture = *state;
	const char *name = NULL;

	open_station(fixture, FRIDGE LID NO_WATCHDOG "[relay a]\nurl = fake://one\n[relay b]\nurl = fake://two\n");
	measure(fixture);
	write_station(fixture,
	              LID "every = 5min\n" NO_WATCHDOG "[relay b]\nurl = fake://three\n[relay c]\nurl = fake://four\n");
	assert_ok(kryos_station_reload(fixture->station));
	measure(fixture);
	assert_ok(kryos_sampler_get_status(kryos_station_get_sampler(fixture->station), &sampler));
	assert_int_equal(sampler.sensors, 1);
	assert_non_null(kryos_station_get_relay(fixture->station, 0, &name));
	assert_string_equal(name, "b");
	assert_non_null(kryos_station_get_relay(fixture->station, 1, &name));
	assert_string_equal(name, "c");
	assert_null(kryos_station_get_relay(fixture->station, 2, &name));
}

static void reload_of_a_wrong_file_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct kryos_sampler *sampler;
	char text[600];

	open_station(fixture, FRIDGE NO_WATCHDOG);
	sampler = kryos_station_get_sampler(fixture->station);
	write_station(fixture, LID "colour = red\n" NO_WATCHDOG);
	assert_fails(KRYOS_ECONFIG, kryos_station_reload(fixture->station));
	assert_says(KRYOS_ECONFIG, "[sensor] has no key colour");
	snprintf(text, sizeof(text), FRIDGE LID "[store]\npath = %s/other\n" NO_WATCHDOG, fixture->folder);
	write_station(fixture, text);
	assert_fails(-EBUSY, kryos_station_reload(fixture->station));
	assert_says(-EBUSY, "needs a restart");
	assert_int_equal(unlink(fixture->path), 0);
	assert_fails(-ENOENT, kryos_station_reload(fixture->station));
	assert_ptr_equal(kryos_station_get_sampler(fixture->station), sampler);
	measure(fixture);
	assert_int_equal(access(in(fixture->folder, "other"), F_OK), -1);
	assert_fails(-EINVAL, kryos_station_reload(NULL));
}

static unsigned int count_samples(struct fixture *fixture)
{
	const struct kryos_record *record;
	struct kryos_reader *reader = NULL;
	unsigned int samples = 0;

	assert_ok(kryos_reader_open(&reader, fixture->ctx, in(fixture->folder, "store")));
	while (kryos_reader_next(reader, &record) > 0)
		samples++;
	kryos_reader_close(reader);
	return samples;
}

static void reload_of_other_limits_opens_the_store_anew(void **state)
{
	struct kryos_store_status before = { .size = sizeof(before) }, after = { .size = sizeof(after) };
	struct fixture *fixture = *state;
	char text[600];

	open_station(fixture, FRIDGE NO_WATCHDOG "[relay main]\nurl = fake://one\n");
	measure(fixture);
	assert_ok(kryos_store_get_status(kryos_station_get_store(fixture->station), &before));
	snprintf(text, sizeof(text),
	         FRIDGE "[store]\npath = %s/store\nsize = 64MB\n" NO_WATCHDOG "[relay main]\nurl = fake://one\n",
	         fixture->folder);
	write_station(fixture, text);
	assert_ok(kryos_station_reload(fixture->station));
	measure(fixture);
	assert_ok(kryos_store_get_status(kryos_station_get_store(fixture->station), &after));
	assert_true(after.limit_bytes <= 64000000);
	assert_int_equal(count_samples(fixture), 2);
	assert_string_equal(after.device, before.device);
}

static void a_station_that_could_not_fall_back_is_opened_whole_by_the_next_reload(void **state)
{
	struct fixture *fixture = *state;
	char text[600], store[200], away[220];
	FILE *file;

	open_station(fixture, FRIDGE NO_WATCHDOG);
	measure(fixture);
	snprintf(store, sizeof(store), "%.190s", in(fixture->folder, "store"));
	snprintf(away, sizeof(away), "%s.away", store);
	assert_int_equal(rename(store, away), 0);
	file = fopen(store, "w");
	assert_non_null(file);
	fclose(file);
	snprintf(text, sizeof(text), FRIDGE "[store]\npath = %.190s\nsize = 64MB\n" NO_WATCHDOG, store);
	write_station(fixture, text);
	assert_true(kryos_station_reload(fixture->station) < 0);
	assert_null(kryos_station_get_sampler(fixture->station));
	/* The disk is back, and so is the file that nothing was changed in. */
	assert_int_equal(unlink(store), 0);
	assert_int_equal(rename(away, store), 0);
	write_station(fixture, FRIDGE NO_WATCHDOG);
	assert_ok(kryos_station_reload(fixture->station));
	assert_non_null(kryos_station_get_sampler(fixture->station));
	measure(fixture);
	assert_int_equal(count_samples(fixture), 2);
}

/* After a reload the parts are newer than the station; the context must still close it first. */
static void a_context_closes_a_reloaded_station(void **state)
{
	struct fixture *fixture = *state;

	open_station(fixture, FRIDGE NO_WATCHDOG);
	write_station(fixture, LID NO_WATCHDOG "[relay main]\nurl = fake://one\n");
	assert_ok(kryos_station_reload(fixture->station));
	measure(fixture);
	fixture->station = NULL;
	kryos_ctx_free(fixture->ctx);
	new_context(fixture);
}

static void a_busy_watchdog_costs_the_watchdog_not_the_station(void **state)
{
	struct fixture *fixture = *state;
	struct kri_json *status;

	kryos_fake_watchdog_set_busy(fixture->hardware, 1);
	open_station(fixture, FRIDGE "[watchdog]\ndevice = /dev/fake-watchdog0\n");
	assert_null(kryos_station_get_watchdog(fixture->station));
	assert_non_null(strstr(fixture->log, "3 station: no watchdog: "));
	measure(fixture);
	status = status_of(fixture);
	assert_true(has_problem(status, "watchdog: "));
	assert_non_null(kri_json_get(kri_json_get(status, "watchdog"), "error"));
	kri_json_free(status);
}

static void tasks_are_armed_and_the_hardware_is_petted(void **state)
{
	struct kryos_watchdog_status watchdog = { .size = sizeof(watchdog) };
	struct fixture *fixture = *state;

	write_station(fixture,
	              FRIDGE "[watchdog]\ndevice = /dev/fake-watchdog0\ntask = 30s\n[relay main]\nurl = fake://one\n");
	assert_ok(kryos_station_open(&fixture->station, fixture->ctx, fixture->path, NULL));
	assert_ok(kryos_watchdog_get_status(kryos_station_get_watchdog(fixture->station), &watchdog));
	assert_int_equal(watchdog.tasks, 3); /* sampler, store, relay main */
	assert_int_equal(watchdog.petting, 1);
	assert_int_equal(kryos_fake_watchdog_armed(fixture->hardware), 1);
	kryos_station_close(fixture->station);
	fixture->station = NULL;
	assert_int_equal(kryos_fake_watchdog_armed(fixture->hardware), 0);

	assert_ok(kryos_station_open(&fixture->station, fixture->ctx, fixture->path,
	                             KRYOS_STATION_CONFIG(.no_watchdog = 1)));
	assert_null(kryos_station_get_watchdog(fixture->station));
}

static bool is_flushed(void *data)
{
	return kryos_store_flush(data, KRYOS_SECONDS(5)) >= 0;
}

static unsigned int count_restarts(struct fixture *fixture)
{
	const struct kryos_record *record;
	struct kryos_reader *reader = NULL;
	unsigned int restarts = 0;

	assert_ok(kryos_reader_open(&reader, fixture->ctx, in(fixture->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0)
		restarts += record->event->type == KRYOS_EVENT_RESTART;
	kryos_reader_close(reader);
	return restarts;
}

static void each_start_is_stored_once_and_a_reload_is_none(void **state)
{
	struct fixture *fixture = *state;
	char text[600];

	open_station(fixture, FRIDGE "[watchdog]\ndevice = /dev/fake-watchdog0\n");
	process_for(fixture->ctx, 20);
	assert_true(process_until(fixture->ctx, is_flushed, kryos_station_get_store(fixture->station), 1000));
	assert_int_equal(count_restarts(fixture), 1);
	snprintf(text, sizeof(text), FRIDGE "[watchdog]\ndevice = /dev/fake-watchdog0\ntask = 20s\n");
	write_station(fixture, text);
	assert_ok(kryos_station_reload(fixture->station));
	process_for(fixture->ctx, 20);
	assert_true(process_until(fixture->ctx, is_flushed, kryos_station_get_store(fixture->station), 1000));
	assert_int_equal(count_restarts(fixture), 1);
	kryos_station_close(fixture->station);
	assert_ok(
		kryos_station_open(&fixture->station, fixture->ctx, fixture->path, KRYOS_STATION_CONFIG(.manual = 1)));
	process_for(fixture->ctx, 20);
	assert_true(process_until(fixture->ctx, is_flushed, kryos_station_get_store(fixture->station), 1000));
	assert_int_equal(count_restarts(fixture), 2);
}

static unsigned int count_late(struct fixture *fixture, const char *task)
{
	const struct kryos_record *record;
	struct kryos_reader *reader = NULL;
	unsigned int late = 0;

	assert_ok(kryos_reader_open(&reader, fixture->ctx, in(fixture->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0)
		late += record->event->type == KRYOS_EVENT_TASK_LATE && strcmp(record->event->name, task) == 0;
	kryos_reader_close(reader);
	return late;
}

static bool is_late(struct fixture *fixture)
{
	struct kryos_watchdog_status status = { .size = sizeof(status) };

	assert_ok(kryos_watchdog_get_status(kryos_station_get_watchdog(fixture->station), &status));
	return !status.petting;
}

/* In real time: the watchdog knows no other. */
static void a_loop_that_runs_is_not_late_and_one_that_stops_is(void **state)
{
	struct fixture *fixture = *state;
	uint64_t commits = 0;

	open_station(fixture, FRIDGE "[watchdog]\ndevice = /dev/fake-watchdog0\ntask = 1s\n");
	measure(fixture);
	assert_true(process_until(fixture->ctx, is_flushed, kryos_station_get_store(fixture->station), 1000));
	assert_false(kri_store_is_waiting(kryos_station_get_store(fixture->station), &commits));
	assert_true(commits > 0);
	process_for(fixture->ctx, 2500);
	assert_false(is_late(fixture));
	usleep(2500000);
	assert_true(is_late(fixture));
	process_for(fixture->ctx, 20);
	assert_true(process_until(fixture->ctx, is_flushed, kryos_station_get_store(fixture->station), 1000));
	assert_int_equal(count_late(fixture, "store"), 1);
}

static bool names_as_late(struct fixture *fixture, const char *task)
{
	char bytes[4096] = "";
	FILE *file = fopen(in(fixture->folder, "store/late.rec"), "r");
	bool named = false;
	size_t count;

	assert_non_null(file);
	count = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	for (size_t i = 0; i + strlen(task) + 1 <= count; i++)
		named |= memcmp(bytes + i, task, strlen(task) + 1) == 0;
	return named;
}

static bool sent_from_memory(void *data)
{
	struct fixture *fixture = data;
	struct kryos_fake_message message;
	bool sample = false, event = false;

	for (unsigned int i = 0; kryos_fake_transport_get(fixture->transport, i, &message) >= 0; i++) {
		if (!strstr(message.payload, "\"volatile\":true"))
			continue;
		sample |= strstr(message.topic, "/sample") != NULL;
		/* Among them: that the disk is gone. */
		event |= strstr(message.topic, "/event") && strstr(message.payload, "\"vs\":\"store\"");
	}
	return sample && event;
}

static void open_on_cutvfs(struct fixture *fixture)
{
	open_station(fixture, FRIDGE "[watchdog]\ndevice = /dev/fake-watchdog0\ntask = 1s\n"
	                             "[relay main]\nurl = fake://one\nbackoff_min = 10ms\n");
	measure(fixture);
	assert_true(process_until(fixture->ctx, has_events, fixture, 10000));
	assert_true(process_until(fixture->ctx, is_flushed, kryos_station_get_store(fixture->station), 1000));
}

/* What is measured leaves the device all the same, and nobody is late: restarting it would help nothing. */
static void a_dead_disk_stops_neither_the_relay_nor_the_watchdog(void **state)
{
	struct fixture *fixture = *state;
	struct cutvfs *vfs = cutvfs_new();

	open_on_cutvfs(fixture);
	assert_false(sent_from_memory(fixture));
	cutvfs_fail(vfs, CUT_CALL_WRITE, NULL, 1, SQLITE_IOERR_WRITE, true);
	measure(fixture);
	assert_true(process_until(fixture->ctx, sent_from_memory, fixture, 10000));
	for (int i = 0; i < 5; i++) {
		measure(fixture);
		process_for(fixture->ctx, 500);
	}
	assert_false(is_late(fixture));
	cutvfs_fail(vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_true(process_until(fixture->ctx, is_flushed, kryos_station_get_store(fixture->station), 10000));
	kryos_station_close(fixture->station);
	fixture->station = NULL;
	cutvfs_free(vfs);
}

/* A sync that does not come back hangs the writer: that is what the watchdog is for, and it says who it was. */
static void a_hung_disk_makes_the_store_the_late_task(void **state)
{
	struct fixture *fixture = *state;
	struct cutvfs *vfs = cutvfs_new();

	open_on_cutvfs(fixture);
	cutvfs_hold_sync(vfs, ".seg-wal", 1);
	assert_false(names_as_late(fixture, "store"));
	/* Measuring goes on: what it hands over is not waited for. */
	for (int i = 0; i < 6; i++) {
		kryos_fake_clock_advance(fixture->clock, KRYOS_MINUTES(1));
		assert_ok(kryos_sampler_round(kryos_station_get_sampler(fixture->station)));
		process_for(fixture->ctx, 500);
	}
	assert_true(is_late(fixture));
	assert_true(names_as_late(fixture, "store"));
	assert_false(names_as_late(fixture, "relay main"));
	cutvfs_hold_sync(vfs, NULL, 0);
	assert_true(process_until(fixture->ctx, is_flushed, kryos_station_get_store(fixture->station), 10000));
	process_for(fixture->ctx, 20);
	assert_true(process_until(fixture->ctx, is_flushed, kryos_station_get_store(fixture->station), 10000));
	assert_int_equal(count_late(fixture, "store"), 1);
	kryos_station_close(fixture->station);
	fixture->station = NULL;
	cutvfs_free(vfs);
}

static void the_samplers_deadline_covers_two_rounds(void **state)
{
	struct fixture *fixture = *state;
	struct kri_station_file *file = NULL;
	char *errors = NULL;
	static const struct {
		const char *every;
		int64_t deadline;
	} cases[] = {
		{ "10s", KRYOS_SECONDS(60) },   { "25s", KRYOS_SECONDS(60) },     { "1min", KRYOS_SECONDS(130) },
		{ "5min", KRYOS_SECONDS(610) }, { "29min", KRYOS_SECONDS(3490) }, { "30min", 0 },
	};

	for (size_t i = 0; i < KRI_ARRAY_SIZE(cases); i++) {
		char text[300];

		snprintf(text, sizeof(text), FRIDGE "every = 1h\n" LID "every = %s\n", cases[i].every);
		write_station(fixture, text);
		assert_ok(kri_station_file_read(&file, fixture->ctx, fixture->path, &errors));
		assert_true(kri_station_sampler_deadline(file) == cases[i].deadline);
		kri_station_file_free(file);
	}
}

static void nothing_is_asked_of_a_station_that_is_none(void **state)
{
	char *text = NULL;

	(void)state;
	kryos_station_close(NULL);
	assert_null(kryos_station_get_store(NULL));
	assert_null(kryos_station_get_sampler(NULL));
	assert_null(kryos_station_get_watchdog(NULL));
	assert_null(kryos_station_get_relay(NULL, 0, NULL));
	assert_fails(-EINVAL, kryos_station_status_json(NULL, &text));
	assert_null(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_station_measures_what_its_file_names),
		TEST(an_absent_sensor_is_a_reading_with_its_reason),
		TEST(a_wrong_file_opens_nothing),
		TEST(a_store_that_cannot_be_opened_is_an_error),
		TEST(two_stations_on_one_store_are_refused),
		TEST(a_rule_that_judges_nothing_is_remarked_once),
		TEST(a_relay_sends_what_is_measured),
		TEST(reload_adds_a_sensor_and_leaves_the_rest_alone),
		TEST(reload_removes_and_changes_sensors_and_relays),
		TEST(reload_of_a_wrong_file_changes_nothing),
		TEST(reload_of_other_limits_opens_the_store_anew),
		TEST(a_station_that_could_not_fall_back_is_opened_whole_by_the_next_reload),
		TEST(a_context_closes_a_reloaded_station),
		TEST(a_busy_watchdog_costs_the_watchdog_not_the_station),
		TEST(tasks_are_armed_and_the_hardware_is_petted),
		TEST(each_start_is_stored_once_and_a_reload_is_none),
		TEST(a_loop_that_runs_is_not_late_and_one_that_stops_is),
		TEST(a_dead_disk_stops_neither_the_relay_nor_the_watchdog),
		TEST(a_hung_disk_makes_the_store_the_late_task),
		TEST(the_samplers_deadline_covers_two_rounds),
		TEST(nothing_is_asked_of_a_station_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
