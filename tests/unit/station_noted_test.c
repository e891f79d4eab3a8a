/* SPDX-License-Identifier: Apache-2.0 */
/* What a station puts on record of itself: what runs, and what its file says where that changed. */
#include "digest/summary.h"
#include "program.h"
#include "station/station.h"
#include "support.h"
#include <kryos/reader.h>
#include <kryos/testing/clock.h>
#include <stdlib.h>
#include <string.h>

#define NOON INT64_C(1795000000000000000)

struct bench {
	char *folder;
	char file[300], store[300];
	struct kryos_fake_clock *clock;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
	struct kryos_reader *reader;
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	*state = bench;
	bench->folder = scratch_new();
	snprintf(bench->file, sizeof(bench->file), "%s/station.ini", bench->folder);
	snprintf(bench->store, sizeof(bench->store), "%s/store", bench->folder);
	assert_ok(kryos_fake_clock_new(&bench->clock, NOON));
	kryos_fake_clock_set_synced(bench->clock, 1);
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	kryos_ctx_free(bench->ctx);
	kryos_fake_clock_free(bench->clock);
	scratch_free(bench->folder);
	free(bench);
	return 0;
}

static void write_station(struct bench *bench, const char *sections)
{
	char text[4096];

	snprintf(text, sizeof(text), "[store]\npath = %s\n[sensor fridge]\naddress = mcp9808@i2c-99:0x18\n%s",
	         bench->store, sections);
	write_file(bench->file, text);
}

static void open_station(struct bench *bench)
{
	assert_ok(kryos_ctx_new(&bench->ctx,
	                        KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));
	assert_ok(kryos_station_open(&bench->station, bench->ctx, bench->file,
	                             KRYOS_STATION_CONFIG(.no_watchdog = 1, .manual = 1)));
	assert_ok(kryos_reader_open(&bench->reader, bench->ctx, bench->store));
}

static void close_station(struct bench *bench)
{
	kryos_ctx_free(bench->ctx);
	bench->ctx = NULL;
}

static void flush(struct bench *bench)
{
	assert_ok(kryos_store_flush(kryos_station_get_store(bench->station), KRYOS_SECONDS(10)));
}

/* The next event of that type and of that name (NULL: any). */
static const struct kryos_record *next(struct bench *bench, enum kryos_event_type type, const char *name)
{
	const struct kryos_record *record;

	while (kryos_reader_next_event(bench->reader, &record) > 0)
		if (record->event->type == type && (!name || strcmp(record->event->name, name) == 0))
			return record;
	return NULL;
}

static void the_first_event_of_each_start_says_what_runs(void **state)
{
	struct bench *bench = *state;
	const struct kryos_record *record;
	char hash[KRI_SUMMARY_SIZE];
	unsigned int count = 0;

	write_station(bench, "");
	for (int run = 0; run < 2; run++) {
		open_station(bench);
		flush(bench);
		assert_ok(kryos_station_reload(bench->station));
		assert_int_equal(kryos_reader_next_event(bench->reader, &record), 1);
		if (!run)
			assert_int_equal(record->event->type, KRYOS_EVENT_START);
		assert_ok(kryos_reader_seek(bench->reader, 1));
		for (count = 0; (record = next(bench, KRYOS_EVENT_START, NULL)); count++) {
			assert_string_equal(record->event->name, kryos_version());
			assert_memory_equal(record->event->text, "build=", 6);
			assert_null(strstr(record->event->text, "build=none"));
			assert_ok(kri_summary_of_file(bench->file, hash));
			assert_memory_equal(strstr(record->event->text, " config=") + 8, hash, 64);
			assert_non_null(strstr(record->event->text, " sqlite=3."));
			assert_non_null(strstr(record->event->text, " libcrypto="));
		}
		assert_int_equal(count, run + 1);
		close_station(bench);
	}
}

static void each_change_of_a_section_is_told_once(void **state)
{
	struct bench *bench = *state;
	const struct kryos_record *record;

	write_station(bench, "[station]\nname = clinic-7\n");
	open_station(bench);
	flush(bench);
	record = next(bench, KRYOS_EVENT_CONFIGURED, "section station");
	assert_non_null(record);
	assert_string_equal(record->event->text, "by station file; was not known; is name = clinic-7");
	assert_int_equal(record->sample.t_wall_ns, NOON);

	/* By a reload ... */
	write_station(bench, "[station]\nname = clinic-8\n");
	assert_ok(kryos_station_reload(bench->station));
	flush(bench);
	record = next(bench, KRYOS_EVENT_CONFIGURED, "section station");
	assert_non_null(record);
	assert_string_equal(record->event->text, "by station file; was name = clinic-7; is name = clinic-8");
	close_station(bench);

	/* ... while it was off, also where the section has gone; what stayed is not told again. */
	open_station(bench);
	flush(bench);
	assert_ok(kryos_reader_seek(bench->reader, 1));
	for (int i = 0; i < 2; i++)
		assert_non_null(next(bench, KRYOS_EVENT_CONFIGURED, "section station"));
	assert_null(next(bench, KRYOS_EVENT_CONFIGURED, NULL));
	close_station(bench);
	write_station(bench, "");
	open_station(bench);
	flush(bench);
	assert_ok(kryos_reader_seek(bench->reader, 1));
	for (int i = 0; i < 2; i++)
		assert_non_null(next(bench, KRYOS_EVENT_CONFIGURED, "section station"));
	record = next(bench, KRYOS_EVENT_CONFIGURED, "section station");
	assert_non_null(record);
	assert_string_equal(record->event->text, "by station file; was name = clinic-8; is nothing");
}

/* More than one event holds. */
static void a_long_section_is_told_in_parts(void **state)
{
	struct bench *bench = *state;
	const struct kryos_record *record;
	char text[2048], topic[121], id[121];

	memset(topic, 't', 120);
	memset(id, 'i', 120);
	topic[120] = id[120] = '\0';
	snprintf(text, sizeof(text),
	         "[relay cloud]\nurl = mqtt://127.0.0.1:1\ntopic = %s\nclient_id = %s\nusername = %s\nmqtt = 5\n"
	         "rate = 20\nburst = 100\nkeepalive = 60s\nbackoff_min = 1s\nbackoff_max = 5min\n",
	         topic, id, id);
	write_station(bench, text);
	open_station(bench);
	flush(bench);
	record = next(bench, KRYOS_EVENT_CONFIGURED, "section relay cloud");
	assert_non_null(record);
	assert_non_null(strstr(record->event->text, "url = mqtt://127.0.0.1:1"));
	record = next(bench, KRYOS_EVENT_CONFIGURED, "section relay cloud (2)");
	assert_non_null(record);
	close_station(bench);
	write_station(bench, "[relay cloud]\nurl = mqtt://127.0.0.1:1\n");
	open_station(bench);
	flush(bench);
	assert_ok(kryos_reader_seek(bench->reader, 1));
	assert_non_null(next(bench, KRYOS_EVENT_CONFIGURED, "section relay cloud (2)"));
	record = next(bench, KRYOS_EVENT_CONFIGURED, "section relay cloud (2)");
	assert_non_null(record);
	assert_non_null(strstr(record->event->text, "; is nothing"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_first_event_of_each_start_says_what_runs),
		TEST(each_change_of_a_section_is_told_once),
		TEST(a_long_section_is_told_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
