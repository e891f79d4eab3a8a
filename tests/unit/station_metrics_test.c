/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of a station for Prometheus, read back by a strict parser of its text format 0.0.4. */
#include "support.h"
#include <ctype.h>
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1795000000000000000)
#define WAIT_MS 20000
#define NAME "Clinic \"north\" \\ fridge 1"
#define FRIDGE                                                                                                         \
	"[station]\nname = " NAME "\n[sensor fridge]\naddress = ds18b20@w1:28-000000000001\n[sensor lid]\n"            \
	"address = door@gpio:GPIO17\n[rule hot]\nkind = heat\nthreshold = 8\ncomparator = gt\nduration = 0s\n"         \
	"[rule gone]\nkind = sensor\nduration = 1h\n[profile own]\nrules = hot gone\n[alarm fridge]\n"                 \
	"channel = fridge.temperature\nprofile = own\n"

struct bench {
	char *folder;
	char path[300];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *gpio, *w1;
	struct kryos_model *fridge, *lid;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
	char *text;
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	FILE *file;

	*state = bench;
	unsetenv("STATE_DIRECTORY");
	bench->folder = scratch_new();
	snprintf(bench->path, sizeof(bench->path), "%s/station.ini", bench->folder);
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	kryos_fake_clock_set_synced(bench->clock, 1);
	assert_ok(kryos_fake_bus_new(&bench->gpio, "gpio"));
	assert_ok(kryos_fake_bus_new(&bench->w1, "w1"));
	assert_ok(kryos_fake_bus_add_ds18b20(bench->w1, "28-000000000001", &bench->fridge));
	assert_ok(kryos_fake_bus_add_line(bench->gpio, "GPIO17", &bench->lid));
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_fake_bus_attach(bench->gpio, bench->ctx));
	assert_ok(kryos_fake_bus_attach(bench->w1, bench->ctx));
	file = fopen(bench->path, "w");
	assert_non_null(file);
	fprintf(file, "[store]\npath = %s/store\n[watchdog]\ndevice = none\n" FRIDGE, bench->folder);
	assert_int_equal(fclose(file), 0);
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->path, KRYOS_STATION_CONFIG(.manual = 1)));
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	free(bench->text);
	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->gpio);
	kryos_fake_bus_free(bench->w1);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static bool is_idle(void *data)
{
	struct bench *bench = data;

	return kryos_sampler_busy(kryos_station_get_sampler(bench->station)) == 0;
}

static void measure(struct bench *bench, int64_t micro)
{
	assert_ok(kryos_model_set(bench->fridge, "temperature", micro));
	kryos_fake_clock_advance(bench->clock, KRYOS_SECONDS(1));
	assert_ok(kryos_sampler_round(kryos_station_get_sampler(bench->station)));
	assert_true(process_until(bench->ctx, is_idle, bench, WAIT_MS));
}

static size_t name_length(const char *text, bool colon)
{
	size_t count = 0;

	while (isalpha((unsigned char)text[count]) || text[count] == '_' || (colon && text[count] == ':') ||
	       (count && isdigit((unsigned char)text[count])))
		count++;
	return count;
}

/* Behind "{": each label once, its value escaped; gives what follows "}". */
static const char *parse_labels(const char *at)
{
	while (*at != '}') {
		size_t count = name_length(at, false);

		assert_true(count > 0 && strncmp(at, "__", 2) != 0);
		at += count;
		assert_true(at[0] == '=' && at[1] == '"');
		for (at += 2; *at != '"'; at++) {
			assert_true(*at && *at != '\n');
			if (*at == '\\')
				assert_non_null(strchr("\\\"n", *++at));
		}
		at++;
		if (*at == ',')
			at++;
		else
			assert_int_equal(*at, '}');
	}
	return at + 1;
}

/* Every name is said once by HELP and TYPE, in this order, and its samples follow; no name and no series stands twice.
 */
static void parse(const char *text)
{
	char help[100] = "", type[100] = "", kind[20] = "", seen[4000] = " ", series[500];
	char *copy = strdup(text), *rest = copy, *line;

	assert_true(*text && text[strlen(text) - 1] == '\n');
	while ((line = strsep(&rest, "\n")) && *line) {
		size_t count;
		char *end;

		if (strncmp(line, "# HELP ", 7) == 0) {
			count = name_length(line + 7, true);
			snprintf(help, sizeof(help), " %.*s ", (int)count, line + 7);
			assert_true(line[7 + count] == ' ' && line[8 + count] && !strchr(line + 7, '\\'));
			assert_null(strstr(seen, help));
			strcat(seen, help + 1);
			continue;
		}
		if (strncmp(line, "# TYPE ", 7) == 0) {
			assert_int_equal(sscanf(line, "# TYPE %99s %19s", type, kind), 2);
			assert_true(strlen(type) + 2 == strlen(help) && strstr(help, type));
			assert_true(strcmp(kind, "gauge") == 0 || strcmp(kind, "counter") == 0);
			assert_int_equal(strcmp(kind, "counter") == 0, strcmp(type + strlen(type) - 6, "_total") == 0);
			continue;
		}
		count = name_length(line, true);
		assert_true(count > 0 && strlen(type) == count && strncmp(line, type, count) == 0);
		end = line[count] == '{' ? (char *)parse_labels(line + count + 1) : line + count;
		assert_int_equal(*end, ' ');
		*end = 0;
		strtod(end + 1, &end);
		assert_int_equal(*end, 0);
		snprintf(series, sizeof(series), "\n%s ", line);
		assert_null(strstr(strstr(text, series) + 1, series));
	}
	free(copy);
}

static const char *metrics(struct bench *bench)
{
	free(bench->text);
	bench->text = NULL;
	process_for(bench->ctx, 20);
	assert_ok(kryos_station_metrics(bench->station, &bench->text));
	parse(bench->text);
	return bench->text;
}

static void assert_line(struct bench *bench, const char *line)
{
	char whole[400];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (!strstr(bench->text, whole))
		fail_msg("there is no line %s in\n%s", line, bench->text);
}

static void what_was_measured_is_there_in_base_units(void **state)
{
	struct bench *bench = *state;

	metrics(bench);
	assert_null(strstr(bench->text, "kryos_reading_celsius"));
	measure(bench, 4062500);
	metrics(bench);
	assert_line(bench, "# TYPE kryos_reading_celsius gauge");
	assert_line(bench, "kryos_reading_celsius{channel=\"fridge.temperature\"} 4.0625");
	assert_line(bench, "kryos_reading_state{channel=\"lid.open\"} 0");
	assert_line(bench, "kryos_reading_quality_info{channel=\"fridge.temperature\",quality=\"good\"} 1");
	assert_line(bench, "kryos_reading_timestamp_seconds{channel=\"fridge.temperature\"} 1795000001");
	assert_line(bench, "kryos_store_samples 2");
	assert_line(bench, "kryos_store_volatile_samples 0");
	assert_line(bench, "kryos_clock_trust 3");
	/* What can't be measured has its quality, and no number. */
	kryos_model_set_present(bench->fridge, 0);
	measure(bench, 4062500);
	metrics(bench);
	assert_null(strstr(bench->text, "kryos_reading_celsius"));
	assert_line(bench, "kryos_reading_quality_info{channel=\"fridge.temperature\",quality=\"absent\"} 1");
}

static void each_rule_says_whether_it_is_open(void **state)
{
	struct bench *bench = *state;

	measure(bench, 5000000);
	metrics(bench);
	assert_line(bench, "kryos_alarm_open{channel=\"fridge.temperature\",rule=\"hot\",kind=\"heat\"} 0");
	assert_line(bench, "kryos_alarm_open{channel=\"fridge.temperature\",rule=\"gone\",kind=\"sensor\"} 0");
	assert_null(strstr(bench->text, "kryos_alarm_test_timestamp_seconds"));
	measure(bench, 9000000);
	measure(bench, 9000000);
	metrics(bench);
	assert_line(bench, "kryos_alarm_open{channel=\"fridge.temperature\",rule=\"hot\",kind=\"heat\"} 1");
	assert_line(bench, "kryos_alarm_episode_seconds{channel=\"fridge.temperature\",rule=\"hot\",kind=\"heat\"} 1");
	assert_line(bench,
	            "kryos_alarm_open_unacknowledged{channel=\"fridge.temperature\",rule=\"hot\",kind=\"heat\"} 1");
	assert_line(bench, "kryos_channel_retired{channel=\"fridge.temperature\"} 0");
	measure(bench, 5000000);
	metrics(bench);
	assert_line(bench, "kryos_alarms_ended_unacknowledged 1");
}

static void labels_are_escaped(void **state)
{
	struct bench *bench = *state;

	metrics(bench);
	assert_non_null(strstr(bench->text, ",station=\"Clinic \\\"north\\\" \\\\ fridge 1\",version=\""));
}

static void bad_arguments_are_refused(void **state)
{
	struct bench *bench = *state;
	char *text = NULL;

	assert_fails(-EINVAL, kryos_station_metrics(NULL, &text));
	assert_fails(-EINVAL, kryos_station_metrics(bench->station, NULL));
	assert_null(text);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_was_measured_is_there_in_base_units),
		CASE(each_rule_says_whether_it_is_open),
		CASE(labels_are_escaped),
		CASE(bad_arguments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
