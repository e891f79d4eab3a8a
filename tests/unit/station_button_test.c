/* SPDX-License-Identifier: Apache-2.0 */
/* The hands of a station: lamp, buzzer, button and the commands for alarms, with a fridge that gets warm. */
#include "support.h"
#include "json/json.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1795000000000000000)
#define MS(n) KRYOS_MILLISECONDS(n)
#define WAIT_MS 20000
#define OFF10 ".........."
#define ON10 "##########"
#define FAST "#####.....#####.....#####....."
#define STEADY ON10 ON10 ON10
#define SLOW "##........" OFF10 OFF10
#define DOUBLE "##..##...." OFF10 OFF10
#define DARK OFF10 OFF10 OFF10

#define FRIDGE                                                                                                         \
	"[sensor fridge]\naddress = ds18b20@w1:28-000000000001\n[rule hot]\nkind = heat\nthreshold = 8\n"              \
	"comparator = gt\nduration = 0s\n[profile own]\nrules = hot\n[alarm fridge]\nchannel = fridge.temperature\n"   \
	"profile = own\n"
#define HANDS                                                                                                          \
	"[output lamp]\naddress = lamp@gpio:GPIO22\nshows = alarms\n[output buzzer]\naddress = buzzer@gpio:GPIO23\n"   \
	"shows = alarm-sound\n[button ack]\naddress = button@gpio:GPIO27\n"

struct bench {
	char *folder;
	char path[300];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio, *w1;
	struct kryos_model *fridge, *lamp, *buzzer, *button;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
	struct kryos_model *wire; /* that is waited for */
	int expected;
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
	assert_ok(kryos_fake_bus_new(&bench->w1, "w1"));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &bench->fridge));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO22", &bench->lamp));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO23", &bench->buzzer));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO27", &bench->button));
	kryos_model_drive(bench->button, 1, 1);
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	assert_ok(kryos_fake_bus_attach(bench->w1, bench->ctx));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_bus_free(bench->w1);
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

	return kryos_model_get_bias(bench->button) >= 0;
}

static void open_station(struct bench *bench, const char *text)
{
	write_file(bench, text);
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->path, KRYOS_STATION_CONFIG(.manual = 1)));
	assert_true(process_until(bench->ctx, is_taken, bench, WAIT_MS));
}

static bool is_idle(void *data)
{
	struct bench *bench = data;

	return kryos_sampler_busy(kryos_station_get_sampler(bench->station)) == 0;
}

static void measure(struct bench *bench, int celsius)
{
	assert_ok(kryos_model_set(bench->fridge, "temperature", celsius * 1000000));
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(1));
	assert_ok(kryos_sampler_round(kryos_station_get_sampler(bench->station)));
	assert_true(process_until(bench->ctx, is_idle, bench, WAIT_MS));
	process_for(bench->ctx, 20);
}

static bool has_level(void *data)
{
	struct bench *bench = data;

	return kryos_model_get_level(bench->wire) == bench->expected;
}

static void expect_level(struct bench *bench, struct kryos_model *wire, int level)
{
	bench->wire = wire;
	bench->expected = level;
	if (!process_until(bench->ctx, has_level, bench, WAIT_MS))
		fail_msg("the wire does not go to %d", level);
}

/* One letter for each 100 ms, "#" is on. A pattern begins when what it shows does, at this very instant. */
static void expect_rhythm(struct bench *bench, struct kryos_model *wire, const char *rhythm)
{
	for (const char *at = rhythm; *at; at++) {
		expect_level(bench, wire, *at == '#');
		kryos_fake_clock_advance(bench->clock, MS(99));
		assert_ok(kryos_ctx_process(bench->ctx));
		assert_int_equal(kryos_model_get_level(wire), *at == '#');
		kryos_fake_clock_advance(bench->clock, MS(1));
	}
}

static void press(struct bench *bench, int64_t ns)
{
	kryos_model_drive(bench->button, 0, kryos_fake_clock_boot_ns(bench->clock));
	process_for(bench->ctx, 10);
	kryos_fake_clock_advance(bench->clock, ns);
	process_for(bench->ctx, 10);
	kryos_model_drive(bench->button, 1, kryos_fake_clock_boot_ns(bench->clock));
	process_for(bench->ctx, 10);
	kryos_fake_clock_advance(bench->clock, MS(60));
	process_for(bench->ctx, 10);
}

/* What the store knows of one type of events: how many, and the name and text of the last. */
struct stored {
	unsigned int count;
	char name[64], text[1001];
};

static struct stored stored_of(struct bench *bench, enum kryos_event_type type)
{
	const struct kryos_record *record = NULL;
	struct stored stored = { 0 };
	struct kryos_reader *reader;

	assert_ok(kryos_store_flush(kryos_station_get_store(bench->station), KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, bench->ctx, in(bench->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != type)
			continue;
		stored.count++;
		snprintf(stored.name, sizeof(stored.name), "%s", record->event->name);
		snprintf(stored.text, sizeof(stored.text), "%s", record->event->text);
	}
	kryos_reader_close(reader);
	return stored;
}

/* What a worker found out is stored a turn of the loop later. */
static struct stored wait_stored(struct bench *bench, enum kryos_event_type type)
{
	struct stored stored = stored_of(bench, type);

	for (int i = 0; i < 250 && !stored.count; i++) {
		process_for(bench->ctx, 20);
		stored = stored_of(bench, type);
	}
	return stored;
}

static void command_says(struct bench *bench, const char *request, const char *says)
{
	char *answer = NULL;

	assert_ok(kryos_command_run(bench->station, request, "nurse", KRYOS_RIGHT_READ | KRYOS_RIGHT_CHANGE, &answer));
	if (!strstr(answer, says))
		fail_msg("%s: %s does not say %s", request, answer, says);
	free(answer);
	process_for(bench->ctx, 10);
}

static bool status_says(struct bench *bench, const char *says)
{
	char *text = NULL;
	bool found;

	assert_ok(kryos_station_status_json(bench->station, &text));
	found = strstr(text, says);
	free(text);
	return found;
}

static void a_short_press_acknowledges_what_is_open(void **state)
{
	struct bench *bench = *state;
	struct stored stored;

	open_station(bench, FRIDGE HANDS);
	measure(bench, 5);
	expect_level(bench, bench->lamp, 0);
	measure(bench, 12);
	expect_rhythm(bench, bench->lamp, FAST);
	assert_true(status_says(bench, "fridge.temperature: alarm hot since "));
	assert_true(status_says(bench, "12 Cel at worst; nobody has acknowledged it"));
	press(bench, MS(500));
	expect_rhythm(bench, bench->lamp, STEADY);
	expect_level(bench, bench->buzzer, 0);
	stored = stored_of(bench, KRYOS_EVENT_ACKNOWLEDGED);
	assert_int_equal(stored.count, 1);
	assert_string_equal(stored.name, "fridge.temperature");
	assert_non_null(strstr(stored.text, "rule=hot start="));
	assert_non_null(strstr(stored.text, " by=button ack comment=pressed"));
	assert_true(status_says(bench, "acknowledged by button ack"));
	assert_int_equal(stored_of(bench, KRYOS_EVENT_TEST).count, 0);
	measure(bench, 5);
	expect_rhythm(bench, bench->lamp, DARK);
	/* With nothing to acknowledge a press does nothing. */
	press(bench, MS(500));
	assert_int_equal(stored_of(bench, KRYOS_EVENT_ACKNOWLEDGED).count, 1);
}

static void what_is_over_is_shown_until_somebody_acknowledges_it(void **state)
{
	struct bench *bench = *state;

	open_station(bench, FRIDGE HANDS);
	measure(bench, 12);
	/* It goes on while what is shown is looked at anew, every five seconds. */
	expect_rhythm(bench, bench->buzzer, DOUBLE DOUBLE DOUBLE DOUBLE);
	measure(bench, 5);
	expect_rhythm(bench, bench->lamp, SLOW);
	expect_level(bench, bench->buzzer, 0);
	measure(bench, 12);
	measure(bench, 5);
	press(bench, MS(500));
	expect_rhythm(bench, bench->lamp, DARK);
	assert_int_equal(stored_of(bench, KRYOS_EVENT_ACKNOWLEDGED).count, 2);
}

/* Whoever presses sees a lamp, and no list: what gave way to newer ones waits for somebody who does. */
static void a_press_does_not_acknowledge_what_is_in_the_events_only(void **state)
{
	static const char acknowledge[] =
		"{\"command\":\"alarm.acknowledge\",\"arguments\":{\"channel\":\"fridge.temperature\","
		"\"rule\":\"hot\",\"comment\":\"read the log\"}}";
	struct bench *bench = *state;
	struct stored stored;

	open_station(bench, FRIDGE HANDS);
	for (int i = 0; i < 19; i++) {
		measure(bench, 12);
		measure(bench, 5);
	}
	press(bench, MS(500));
	assert_int_equal(stored_of(bench, KRYOS_EVENT_ACKNOWLEDGED).count, 16);
	press(bench, MS(500));
	assert_int_equal(stored_of(bench, KRYOS_EVENT_ACKNOWLEDGED).count, 16);
	assert_true(status_says(bench, "fridge.temperature: and 3 older alarms, in the events only"));
	command_says(bench, acknowledge, "\"start\":null,\"older\":3,");
	assert_false(status_says(bench, "older alarms"));
	stored = stored_of(bench, KRYOS_EVENT_ACKNOWLEDGED);
	assert_int_equal(stored.count, 17);
	assert_string_equal(stored.text, "rule=hot older=3 by=nurse comment=read the log");
	command_says(bench, acknowledge, "there is nothing to acknowledge");
}

static void a_press_of_three_seconds_tests_while_it_is_held(void **state)
{
	struct bench *bench = *state;
	struct stored stored;

	open_station(bench, FRIDGE HANDS);
	measure(bench, 12);
	assert_true(status_says(bench, "\"test\":null"));
	kryos_model_drive(bench->button, 0, kryos_fake_clock_boot_ns(bench->clock));
	process_for(bench->ctx, 10);
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(3) - 1);
	process_for(bench->ctx, 10);
	assert_int_equal(stored_of(bench, KRYOS_EVENT_TEST).count, 0);
	kryos_fake_clock_advance(bench->clock, 1);
	process_for(bench->ctx, 10);
	expect_level(bench, bench->buzzer, 1);
	kryos_model_drive(bench->button, 1, kryos_fake_clock_boot_ns(bench->clock));
	process_for(bench->ctx, 10);
	expect_rhythm(bench, bench->lamp, STEADY ON10 ON10);
	expect_rhythm(bench, bench->lamp, FAST);
	stored = stored_of(bench, KRYOS_EVENT_TEST);
	assert_int_equal(stored.count, 1);
	assert_string_equal(stored.text, "by=button ack outputs=lamp,buzzer");
	assert_string_equal(stored.name, "");
	assert_int_equal(stored_of(bench, KRYOS_EVENT_ACKNOWLEDGED).count, 0);
	assert_true(status_says(bench, "\"test\":{\"time\":\"2026-"));
	/* The next run knows of it by the store. */
	kryos_station_close(bench->station);
	open_station(bench, FRIDGE HANDS);
	assert_true(status_says(bench, "\"test\":{\"time\":\"2026-"));
}

static void a_button_is_no_channel_and_its_loss_is_a_problem(void **state)
{
	struct bench *bench = *state;

	open_station(bench, FRIDGE HANDS);
	measure(bench, 5);
	press(bench, MS(500));
	assert_int_equal(stored_of(bench, KRYOS_EVENT_STATE).count, 0);
	assert_false(status_says(bench, "ack.pressed"));
	assert_false(status_says(bench, "button ack: "));
	kryos_model_set_present(bench->button, 0);
	for (int i = 0; i < 3; i++) {
		kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(10));
		process_for(bench->ctx, 20);
	}
	assert_true(status_says(bench, "button ack: button@gpio:GPIO27"));
	assert_int_equal(wait_stored(bench, KRYOS_EVENT_SENSOR_LOST).count, 1);
	kryos_model_set_present(bench->button, 1);
	for (int i = 0; i < 3; i++) {
		kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(10));
		process_for(bench->ctx, 20);
	}
	assert_false(status_says(bench, "button ack: "));
	assert_int_equal(wait_stored(bench, KRYOS_EVENT_SENSOR_BACK).count, 1);
}

static void a_channel_that_gives_nothing_flashes_twice_unless_it_is_retired(void **state)
{
	struct bench *bench = *state;
	struct stored stored;

	open_station(bench, FRIDGE HANDS);
	measure(bench, 5);
	kryos_model_set_present(bench->fridge, 0);
	measure(bench, 5);
	expect_rhythm(bench, bench->lamp, DOUBLE);
	command_says(
		bench,
		"{\"command\":\"channel.retire\",\"arguments\":{\"name\":\"fridge.temperature\",\"why\":\"empty\"}}",
		"\"retired\":true");
	expect_rhythm(bench, bench->lamp, DARK);
	stored = stored_of(bench, KRYOS_EVENT_RETIRED);
	assert_int_equal(stored.count, 1);
	assert_string_equal(stored.text, "by=nurse why=empty");
	stored = stored_of(bench, KRYOS_EVENT_AUDIT);
	assert_string_equal(stored.name, "nurse");
	assert_string_equal(stored.text, "channel.retire {\"name\":\"fridge.temperature\",\"why\":\"empty\"}");
	command_says(bench, "{\"command\":\"channel.list\"}",
	             "{\"channel\":\"fridge.temperature\",\"rules\":1,\"open\":[],\"retired\":{\"by\":\"nurse\","
	             "\"why\":\"empty\",\"time\":\"2026-");
	command_says(
		bench,
		"{\"command\":\"channel.resume\",\"arguments\":{\"name\":\"fridge.temperature\",\"why\":\"full\"}}",
		"\"retired\":false");
	expect_rhythm(bench, bench->lamp, DOUBLE);
}

static void retiring_silences_what_is_open(void **state)
{
	struct bench *bench = *state;

	open_station(bench, FRIDGE HANDS);
	measure(bench, 12);
	expect_rhythm(bench, bench->lamp, FAST);
	command_says(bench,
	             "{\"command\":\"channel.retire\",\"arguments\":{\"name\":\"fridge.temperature\",\"why\":\"x\"}}",
	             "\"ok\":true");
	expect_rhythm(bench, bench->lamp, DARK);
	assert_false(status_says(bench, "fridge.temperature: alarm hot"));
	command_says(bench, "{\"command\":\"alarm.list\"}", "\"ended_by\":\"retired\"");
}

static void commands_acknowledge_in_the_name_of_who_asks(void **state)
{
	struct bench *bench = *state;
	struct stored stored;

	open_station(bench, FRIDGE HANDS);
	measure(bench, 12);
	command_says(
		bench, "{\"command\":\"alarm.list\"}",
		"{\"alarms\":[{\"channel\":\"fridge.temperature\",\"rule\":\"hot\",\"kind\":\"heat\",\"open\":true,");
	command_says(bench,
	             "{\"command\":\"alarm.acknowledge\",\"arguments\":{\"channel\":\"fridge.temperature\","
	             "\"rule\":\"cold\",\"comment\":\"x\"}}",
	             "\"ok\":false");
	command_says(bench,
	             "{\"command\":\"alarm.acknowledge\",\"arguments\":{\"channel\":\"fridge.temperature\","
	             "\"rule\":\"hot\",\"comment\":\"\"}}",
	             "comment");
	expect_level(bench, bench->lamp, 1);
	command_says(bench,
	             "{\"command\":\"alarm.acknowledge\",\"arguments\":{\"channel\":\"fridge.temperature\","
	             "\"rule\":\"hot\",\"comment\":\"door was open\"}}",
	             "\"ok\":true");
	expect_rhythm(bench, bench->lamp, STEADY);
	stored = stored_of(bench, KRYOS_EVENT_ACKNOWLEDGED);
	assert_int_equal(stored.count, 1);
	assert_non_null(strstr(stored.text, " by=nurse comment=door was open"));
	command_says(bench, "{\"command\":\"alarm.list\"}",
	             "\"acknowledged\":{\"by\":\"nurse\",\"comment\":\"door was open\",\"time\":\"2026-");
}

static void a_test_says_which_outputs_are_lost(void **state)
{
	struct bench *bench = *state;
	struct stored stored;

	kryos_model_hold(bench->buzzer, "led0");
	open_station(bench, FRIDGE HANDS);
	measure(bench, 5);
	command_says(bench, "{\"command\":\"alarm.test\"}",
	             "{\"outputs\":[\"lamp\"],\"lost\":[\"buzzer\"],\"sent\":false,\"time\":");
	expect_level(bench, bench->lamp, 1);
	stored = stored_of(bench, KRYOS_EVENT_TEST);
	assert_string_equal(stored.text, "by=nurse outputs=lamp");
}

static void a_reload_takes_and_lets_go_of_buttons(void **state)
{
	struct bench *bench = *state;

	open_station(bench, FRIDGE HANDS);
	write_file(bench, FRIDGE);
	assert_ok(kryos_station_reload(bench->station));
	assert_int_equal(kryos_model_get_bias(bench->button), -ENODEV);
	/* A sensor in its place, of its name. */
	write_file(bench, FRIDGE "[sensor ack]\naddress = door@gpio:GPIO27\n");
	assert_ok(kryos_station_reload(bench->station));
	assert_true(process_until(bench->ctx, is_taken, bench, WAIT_MS));
	write_file(bench, FRIDGE HANDS);
	assert_ok(kryos_station_reload(bench->station));
	assert_true(process_until(bench->ctx, is_taken, bench, WAIT_MS));
	write_file(bench, FRIDGE "[sensor ack]\naddress = door@gpio:GPIO27\n");
	assert_ok(kryos_station_reload(bench->station));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_short_press_acknowledges_what_is_open),
		CASE(what_is_over_is_shown_until_somebody_acknowledges_it),
		CASE(a_press_does_not_acknowledge_what_is_in_the_events_only),
		CASE(a_press_of_three_seconds_tests_while_it_is_held),
		CASE(a_button_is_no_channel_and_its_loss_is_a_problem),
		CASE(a_channel_that_gives_nothing_flashes_twice_unless_it_is_retired),
		CASE(retiring_silences_what_is_open),
		CASE(commands_acknowledge_in_the_name_of_who_asks),
		CASE(a_test_says_which_outputs_are_lost),
		CASE(a_reload_takes_and_lets_go_of_buttons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
