/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms of a station: what its file says is in force, on the sampler's rounds, and after a reload. */
#include "bench.h"
#include "monitor/monitor.h"
#include "station/shown.h"
#include "station/station.h"
#include "json/json.h"
#include <stdlib.h>
#include <string.h>

#define C(celsius) ((int64_t)((celsius)*1000000))

struct seen {
	unsigned int on, off, configured;
	struct kryos_episode last;
	char text[1001]; /* of the last change of rules */
	uint32_t alarm;  /* of the newest sample */
};

static struct seen take_events(struct bench *bench)
{
	const struct kryos_event *event = NULL;
	struct seen seen = { 0 };

	while (kryos_ctx_next_event(bench->ctx, &event) > 0) {
		seen.on += event->type == KRYOS_EVENT_ALARM_ON;
		seen.off += event->type == KRYOS_EVENT_ALARM_OFF;
		if (event->type == KRYOS_EVENT_ALARM_ON || event->type == KRYOS_EVENT_ALARM_OFF) {
			assert_string_equal(event->name, "fridge.temperature");
			assert_ok(kryos_episode_parse(&seen.last, event->text));
		}
		/* Not those of the file's sections. */
		if (event->type == KRYOS_EVENT_CONFIGURED && strcmp(event->name, "alarm fridge.temperature") == 0) {
			strcpy(seen.text, event->text);
			seen.configured++;
		}
		if (event->type == KRYOS_EVENT_SAMPLE)
			seen.alarm = event->sample.alarm;
	}
	return seen;
}

static void reload_with(struct bench *bench, const char *more)
{
	FILE *file = fopen(bench->file, "w");

	assert_non_null(file);
	fprintf(file, "[sensor fridge]\naddress = ds18b20@w1:any\n[store]\npath = %s\n[watchdog]\ndevice = none\n%s",
	        bench->store, more);
	assert_int_equal(fclose(file), 0);
	assert_ok(kryos_station_reload(bench->station));
}

static struct seen measure(struct bench *bench, int64_t value_micro, unsigned int count)
{
	struct seen all = { 0 }, seen;

	for (unsigned int i = 0; i < count; i++) {
		bench_measure(bench, value_micro);
		seen = take_events(bench);
		seen.on += all.on;
		seen.off += all.off;
		all = seen;
	}
	return all;
}

#define SECTION "channel = fridge.temperature\n"

static void an_alarm_of_the_file_goes_off(void **state)
{
	struct bench *bench = *state;
	struct seen seen;

	reload_with(bench, "[alarm a]\n" SECTION "profile = fridge-2-8\n");
	seen = take_events(bench);
	assert_int_equal(seen.configured, 1);
	assert_string_equal(seen.text, "by station file; was not known; is every=1min heat kind=heat comparator=gt "
	                               "threshold=8 duration=1h mode=consecutive gap=hold, cold kind=freeze "
	                               "comparator=lt threshold=2 duration=1h mode=consecutive gap=hold");
	seen = measure(bench, C(9), 60);
	assert_int_equal(seen.on, 0);
	assert_int_equal(seen.alarm, 0);
	seen = measure(bench, C(9), 1);
	assert_int_equal(seen.on, 1);
	assert_string_equal(seen.last.name, "heat");
	assert_int_equal(seen.alarm, 1 << KRYOS_RULE_HEAT);
	seen = measure(bench, C(5), 1);
	assert_int_equal(seen.off, 1);
	assert_int_equal(seen.alarm, 0);
}

static void a_reload_ends_only_what_it_changes(void **state)
{
	struct bench *bench = *state;
	struct seen seen;

	reload_with(bench, "[alarm a]\n" SECTION "profile = fridge-2-8\n");
	seen = measure(bench, C(9), 61);
	assert_int_equal(seen.on, 1);
	reload_with(bench, "[alarm b]\n" SECTION "profile = fridge-2-8\n"); /* another name of the same */
	seen = take_events(bench);
	assert_int_equal(seen.off + seen.configured, 0);
	reload_with(bench, "[alarm b]\n" SECTION "profile = who-refrigerator\n");
	seen = take_events(bench);
	assert_int_equal(seen.off, 1);
	assert_int_equal(seen.configured, 1);
	assert_int_equal(seen.last.ended_by, KRYOS_EPISODE_RECONFIGURED);
	seen = measure(bench, C(9), 2);
	assert_int_equal(seen.on, 0);
	reload_with(bench, "");
	seen = take_events(bench);
	assert_int_equal(seen.configured, 1);
	assert_non_null(strstr(seen.text, "; is nothing"));
	assert_null(kri_monitor_known(bench->station->monitor, 0));
}

static void a_station_that_comes_back_says_nothing_twice(void **state)
{
	struct bench *bench = *state;
	struct kryos_monitor_alarm alarm = { .size = sizeof(alarm) };
	struct seen seen;

	reload_with(bench, "[alarm a]\n" SECTION "profile = fridge-2-8\n");
	measure(bench, C(9), 61);
	kryos_station_close(bench->station);
	bench->station = NULL;
	take_events(bench);
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->file, KRYOS_STATION_CONFIG(.manual = 1)));
	seen = take_events(bench);
	assert_int_equal(seen.on + seen.off + seen.configured, 0);
	assert_ok(kryos_monitor_get_alarm(bench->station->monitor, 0, &alarm));
	assert_string_equal(alarm.episode.name, "heat");
	seen = measure(bench, C(9), 1);
	assert_int_equal(seen.alarm, 1 << KRYOS_RULE_HEAT);
	seen = measure(bench, C(5), 1);
	assert_int_equal(seen.off, 1);
}

static void an_alarm_that_went_while_the_station_was_down_ends(void **state)
{
	struct bench *bench = *state;
	struct seen seen;
	FILE *file;

	reload_with(bench, "[alarm a]\n" SECTION "profile = fridge-2-8\n");
	measure(bench, C(9), 61);
	kryos_station_close(bench->station);
	bench->station = NULL;
	take_events(bench);
	file = fopen(bench->file, "w");
	assert_non_null(file);
	fprintf(file, "[sensor room]\naddress = ds18b20@w1:any\n[store]\npath = %s\n[watchdog]\ndevice = none\n",
	        bench->store);
	assert_int_equal(fclose(file), 0);
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->file, KRYOS_STATION_CONFIG(.manual = 1)));
	seen = take_events(bench);
	assert_int_equal(seen.off, 1);
	assert_int_equal(seen.last.ended_by, KRYOS_EPISODE_RECONFIGURED);
	assert_int_equal(seen.configured, 1);
	assert_null(kri_monitor_known(bench->station->monitor, 0));
}

static void several_alarms_of_a_channel_are_one_list_of_rules(void **state)
{
	static const char two[] = "[rule hot]\nkind = heat\nthreshold = 20\ncomparator = gt\nduration = 2min\n"
				  "[profile mine]\nrules = hot\n"
				  "[alarm a]\n" SECTION "profile = fridge-2-8\n[alarm b]\n" SECTION "profile = mine\n";
	struct bench *bench = *state;
	struct kryos_monitor_channel channel = { .size = sizeof(channel) };
	struct seen seen;

	reload_with(bench, two);
	assert_ok(kryos_monitor_get_channel(bench->station->monitor, 0, &channel));
	assert_int_equal(channel.rule_count, 3);
	seen = measure(bench, C(25), 3);
	assert_int_equal(seen.on, 1);
	assert_string_equal(seen.last.name, "hot");
}

static void the_status_says_what_a_watched_channel_was_exposed_to(void **state)
{
	struct bench *bench = *state;
	struct kri_json *channels;
	char *text;

	reload_with(bench, "[alarm a]\n" SECTION "profile = fridge-2-8\n");
	channels = kri_channels_json(bench->station->monitor);
	text = kri_json_print(channels);
	assert_non_null(strstr(text, "\"exposure\":{\"all\":null,\"24h\":null,\"30d\":null}"));
	free(text);
	kri_json_free(channels);
	measure(bench, C(9), 3);
	channels = kri_channels_json(bench->station->monitor);
	text = kri_json_print(channels);
	assert_non_null(strstr(text, "\"24h\":{\"samples\":3,\"min\":9,\"max\":9,\"mean\":9,\"mkt\":9,\"time\":120,"
	                             "\"below\":0,\"above\":120}"));
	assert_non_null(strstr(text, "\"vvm\":{\"model\":\"goldwood-diesburg-2018\",\"estimate\":true,"
	                             "\"used_percent\":{\"vvm2\":0.00"));
	free(text);
	kri_json_free(channels);
}

static void assert_alarm_says(const struct kryos_monitor_alarm *alarm, const char *unit, const char *says)
{
	struct kri_json *json = kri_alarm_json(alarm, unit);
	char *text = kri_json_print(json);

	if (!strstr(text, says))
		fail_msg("%s is not in %s", says, text);
	free(text);
	kri_json_free(json);
}

static void a_worst_value_has_its_unit_and_a_door_has_none(void **state)
{
	struct kryos_monitor_alarm alarm = {
		.channel = "fridge.temperature",
		.episode = { .rule = { .kind = KRYOS_RULE_HEAT }, .has_extreme = 1, .extreme_micro = C(9.5) }
	};

	(void)state;
	assert_alarm_says(&alarm, "Cel", "\"extreme\":9.5,");
	assert_alarm_says(&alarm, "Cel", "\"unit\":\"Cel\"");
	alarm.episode.rule.kind = KRYOS_RULE_DOOR;
	alarm.episode.extreme_micro = C(1);
	assert_alarm_says(&alarm, "", "\"extreme\":null,");
	alarm.episode.rule.kind = KRYOS_RULE_POWER;
	assert_alarm_says(&alarm, "/", "\"extreme\":null,");
	assert_alarm_says(&alarm, "V", "\"extreme\":1,");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		CASE(an_alarm_of_the_file_goes_off),
		CASE(a_reload_ends_only_what_it_changes),
		CASE(a_station_that_comes_back_says_nothing_twice),
		CASE(an_alarm_that_went_while_the_station_was_down_ends),
		CASE(several_alarms_of_a_channel_are_one_list_of_rules),
		CASE(a_worst_value_has_its_unit_and_a_door_has_none),
		CASE(the_status_says_what_a_watched_channel_was_exposed_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
