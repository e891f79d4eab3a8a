/* SPDX-License-Identifier: Apache-2.0 */
/* What is bounded holds its bound, and says so at it. Bounds of one room alone are tested with that room. */
#include "core/core.h"
#include "cutvfs.h"
#include "relay/relay.h"
#include "store/private.h"
#include "support.h"
#include <kryos/command.h>
#include <kryos/station.h>
#include <kryos/sys/bus.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

extern const struct kryos_bus_driver kri_bus_w1_sysfs;

#define FLAT (256 * 1024) /* one round of it is a few megabytes */
#define SAMPLES (KRYOS_STREAM_LIVE | KRYOS_STREAM_BACKLOG)

struct rig {
	char *folder;
	struct cutvfs *vfs;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	uint32_t channel;
};

static char *filled(size_t count)
{
	char *text = malloc(count + 1);

	assert_non_null(text);
	memset(text, 'x', count);
	text[count] = 0;
	return text;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->folder = scratch_new();
	rig->vfs = cutvfs_new();
	assert_ok(kryos_ctx_new(&rig->ctx, NULL));
	assert_ok(kryos_channel_add(rig->ctx, "fridge.temperature", "Cel", &rig->channel));
	assert_ok(kryos_store_open(&rig->store, rig->ctx, in(rig->folder, "store"), NULL));
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	cutvfs_delay_sync(rig->vfs, 0);
	kryos_ctx_free(rig->ctx);
	cutvfs_free(rig->vfs);
	scratch_free(rig->folder);
	free(rig);
	return 0;
}

static void append(struct rig *rig, size_t count)
{
	struct kryos_sample *samples = calloc(count, sizeof(*samples));

	for (size_t i = 0; i < count; i++)
		samples[i].channel = rig->channel;
	assert_ok(kryos_store_append(rig->store, samples, count));
	free(samples);
}

static size_t logged;

static void measure_message(void *userdata, const struct kryos_log_record *record)
{
	(void)userdata;
	logged = strlen(record->message);
}

static void a_log_message_ends_at_1023_bytes(void **state)
{
	struct kryos_ctx *ctx;
	char *text = filled(5000);

	(void)state;
	assert_ok(kryos_ctx_new(&ctx, KRYOS_CTX_CONFIG(.log = measure_message)));
	kri_log(ctx, KRYOS_LOG_ERROR, "test", 0, "%.1023s", text);
	assert_int_equal(logged, 1023);
	kri_log(ctx, KRYOS_LOG_ERROR, "test", 0, "%s", text);
	assert_int_equal(logged, 1023);
	kryos_ctx_free(ctx);
	free(text);
}

static void a_sentence_ends_at_4095_bytes(void **state)
{
	char *text = filled(9000);

	(void)state;
	assert_int_equal(kryos_fail(-EINVAL, "%s", text), -EINVAL);
	assert_int_equal(strlen(kryos_strerror(-EINVAL)), 4095);
	free(text);
}

static void events_wait_256_and_gaps_2048(void **state)
{
	struct rig *rig = *state;
	struct kryos_event event = { .size = sizeof(event), .type = KRYOS_EVENT_AUDIT, .name = "who", .text = "what" };
	struct kryos_event gap = { .size = sizeof(gap), .type = KRYOS_EVENT_GAP, .first_seq = 1, .last_seq = 1 };
	struct kryos_time now = { .t_boot_ns = 1 };
	int taken = 0, r;

	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	pthread_mutex_lock(&rig->store->lock); /* the writer takes none meanwhile */
	taken = rig->store->events_waiting;
	while ((r = kri_store_put_event(rig->store, &event, now)) == 0)
		taken++;
	assert_int_equal(taken, 256);
	assert_fails(-EAGAIN, r);
	assert_says(-EAGAIN, "256 events already wait");
	/* What was given up is said even then. */
	while ((r = kri_store_put_event(rig->store, &gap, now)) == 0)
		taken++;
	assert_int_equal(taken, 2048);
	assert_fails(-EAGAIN, r);
	pthread_mutex_unlock(&rig->store->lock);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_store_add_event(rig->store, &event));
}

/* The disk goes, all that may wait does, and more than that; it comes back, and some is rejected. */
static void go_to_the_bounds(struct rig *rig, struct kryos_queue *queue)
{
	static const struct kryos_event event = { .type = KRYOS_EVENT_AUDIT, .name = "who", .text = "what" };
	static const struct kryos_event gap = { .type = KRYOS_EVENT_GAP, .first_seq = 1, .last_seq = 1 };
	struct kryos_sample *samples = calloc(4096, sizeof(*samples));
	const struct kryos_record *record;

	for (int i = 0; i < 4096; i++)
		samples[i].channel = rig->channel;
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 1, SQLITE_IOERR_WRITE, true);
	for (int i = 0; i < 2; i++)
		assert_fails(KRYOS_EVOLATILE, kryos_store_append(rig->store, samples, 4096));
	for (int i = 0; i < 3000; i++)
		(void)!kryos_store_add_event(rig->store, &event);
	for (int i = 0; i < 3000; i++)
		(void)!kryos_store_add_event(rig->store, &gap);
	cutvfs_fail(rig->vfs, CUT_CALL_WRITE, NULL, 0, 0, false);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	for (int i = 0; i < 500 && kryos_queue_next(queue, &record) > 0; i++)
		assert_ok(kryos_queue_reject(queue, record->seq, "not wanted"));
	assert_ok(kryos_queue_commit(queue));
	assert_ok(kryos_ctx_process(rig->ctx));
	free(samples);
}

static void what_is_at_its_bounds_again_and_again_does_not_grow(void **state)
{
	struct rig *rig = *state;
	struct kryos_queue *queue;
	size_t before, after;

	rig->store->retry_ns = KRYOS_MILLISECONDS(5);
	assert_ok(kryos_queue_open(&queue, rig->store, "modem", NULL));
	/* Twice, until caches are full. */
	for (int i = 0; i < 2; i++)
		go_to_the_bounds(rig, queue);
	before = heap_bytes();
	for (int i = 0; i < 6; i++)
		go_to_the_bounds(rig, queue);
	after = heap_bytes();
	print_message("heap %zu kB, and six times later %zu kB\n", before / 1024, after / 1024);
	assert_true(after <= before + FLAT);
}

static void a_stored_event_has_63_bytes_of_name_and_1000_of_text(void **state)
{
	struct rig *rig = *state;
	char *name = filled(64), *text = filled(1001);
	struct kryos_event event = { .size = sizeof(event), .type = KRYOS_EVENT_AUDIT, .name = name, .text = "" };
	const struct kryos_record *record;
	struct kryos_reader *reader;
	int found = 0;

	/* A caller's is refused; what the library itself has to say is cut, not lost. */
	assert_fails(-EINVAL, kryos_store_add_event(rig->store, &event));
	event.name = "";
	event.text = text;
	assert_fails(-EINVAL, kryos_store_add_event(rig->store, &event));
	event.name = name;
	assert_ok(kri_store_announce(rig->store, &event));
	name[63] = text[1000] = 0;
	assert_ok(kryos_store_add_event(rig->store, &event));
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
	assert_ok(kryos_reader_open(&reader, rig->ctx, in(rig->folder, "store")));
	while (kryos_reader_next_event(reader, &record) > 0) {
		if (record->event->type != KRYOS_EVENT_AUDIT)
			continue;
		assert_string_equal(record->event->name, name);
		assert_string_equal(record->event->text, text);
		found++;
	}
	assert_int_equal(found, 2);
	kryos_reader_close(reader);
	free(name);
	free(text);
}

static void samples_wait_4096_for_a_slow_disk(void **state)
{
	struct rig *rig = *state;
	struct kryos_sample *samples = calloc(4097, sizeof(*samples));
	struct kryos_store_status status = { .size = sizeof(status) };
	uint64_t taken = 0;
	int r;

	for (int i = 0; i < 4097; i++)
		samples[i].channel = rig->channel;
	assert_fails(-EINVAL, kryos_store_append(rig->store, samples, 4097));
	assert_fails(-EINVAL, kryos_store_submit(rig->store, samples, 4097));
	append(rig, 1);
	cutvfs_delay_sync(rig->vfs, 500);
	while ((r = kryos_store_submit(rig->store, samples, 512)) == 0) {
		taken += 512;
		assert_true(taken <= 2 * 4096); /* one commit under way, and the next */
	}
	assert_fails(-EAGAIN, r);
	assert_says(-EAGAIN, "already wait for the disk");
	assert_true(taken >= 4096);
	cutvfs_delay_sync(rig->vfs, 0);
	assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(20)));
	assert_ok(kryos_store_get_status(rig->store, &status));
	assert_int_equal(status.accepted, taken + 1); /* what was refused is not among them, all else is */
	assert_ok(kryos_store_submit(rig->store, samples, 512));
	free(samples);
}

static void dead_letters_are_the_newest_1000(void **state)
{
	struct kryos_queue_status status = { .size = sizeof(status) };
	const struct kryos_record *record;
	struct kryos_queue *queue;
	struct rig *rig = *state;
	int64_t count = 0, oldest = 0, seqs[1003];
	sqlite3 *db;

	append(rig, 1003);
	assert_ok(kryos_queue_open(&queue, rig->store, "modem", NULL));
	for (int i = 0; i < 1003; i++) {
		assert_int_equal(kryos_queue_next_of(queue, SAMPLES, &record), 1);
		seqs[i] = record->seq;
		assert_ok(kryos_queue_reject(queue, record->seq, "too long"));
	}
	assert_ok(kryos_queue_commit(queue));
	assert_ok(kryos_queue_get_status(queue, &status));
	assert_int_equal(status.dead_letters, 1000);
	assert_int_equal(status.rejected, 1003);
	assert_ok(kri_sql_open_to_read(&db, in(rig->folder, "store/state.db")));
	assert_ok(kri_sql_int(db, "SELECT count(*) FROM dead", &count));
	assert_ok(kri_sql_int(db, "SELECT min(seq) FROM dead", &oldest));
	sqlite3_close_v2(db);
	assert_int_equal(count, 1000);
	assert_int_equal(oldest, seqs[3]);
}

static void what_is_owed_fits_in_1000_runs_and_none_is_forgotten(void **state)
{
	struct kri_ranges ranges = { 0 };

	(void)state;
	for (int64_t seq = 1; seq < 6000; seq += 2) {
		assert_ok(kri_ranges_add(&ranges, seq, seq));
		assert_true(ranges.count <= KRI_MAX_RUNS);
	}
	for (int64_t seq = 1; seq < 6000; seq += 2)
		assert_true(kri_ranges_has(&ranges, seq));
	assert_int_equal(ranges.count, KRI_MAX_RUNS);
	kri_ranges_clear(&ranges);
	/* And where one long run is acknowledged in holes. */
	assert_ok(kri_ranges_add(&ranges, 1, INT64_MAX));
	for (int64_t seq = 2; seq < 6000; seq += 2) {
		assert_ok(kri_ranges_remove(&ranges, seq, seq));
		assert_true(ranges.count <= KRI_MAX_RUNS);
	}
	for (int64_t seq = 1; seq < 6000; seq += 2)
		assert_true(kri_ranges_has(&ranges, seq));
	kri_ranges_clear(&ranges);
}

static void at_most_64_queues_are_open(void **state)
{
	struct rig *rig = *state;
	struct kryos_queue *queues[64], *another;
	char name[16];

	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "q%d", i);
		assert_ok(kryos_queue_open(&queues[i], rig->store, name, NULL));
	}
	assert_fails(-ENOSPC, kryos_queue_open(&another, rig->store, "more", NULL));
	assert_says(-ENOSPC, "64 queues are open already");
	kryos_queue_close(queues[7]);
	assert_ok(kryos_queue_open(&another, rig->store, "more", NULL));
}

static void a_queue_lends_no_more_than_it_was_told(void **state)
{
	const struct kryos_record *record;
	struct kryos_queue *queue;
	struct rig *rig = *state;

	append(rig, 5);
	assert_fails(-EINVAL, kryos_queue_open(&queue, rig->store, "modem", KRYOS_QUEUE_CONFIG(.max_lent = 4097)));
	assert_ok(kryos_queue_open(&queue, rig->store, "modem", KRYOS_QUEUE_CONFIG(.max_lent = 3)));
	for (int i = 0; i < 3; i++)
		assert_int_equal(kryos_queue_next(queue, &record), 1);
	assert_int_equal(kryos_queue_next(queue, &record), 0);
	assert_ok(kryos_queue_ack(queue, record->seq));
	assert_int_equal(kryos_queue_next(queue, &record), 1);
}

static void reports_that_find_no_room_cost_the_link_and_say_so(void **state)
{
	struct kryos_link_port *port;
	struct kri_report report;

	(void)state;
	assert_ok(kri_port_new(&port));
	for (int i = 0; i < KRI_PORT_MAX + 5; i++)
		kryos_transport_report(port, KRYOS_TRANSPORT_ACKED, i, 0, NULL);
	for (int i = 0; i < KRI_PORT_MAX; i++) {
		assert_true(kri_port_take(port, &report));
		assert_int_equal(report.news, KRYOS_TRANSPORT_ACKED);
		assert_int_equal(report.token, i);
		free(report.text);
	}
	assert_true(kri_port_take(port, &report));
	assert_int_equal(report.news, KRYOS_TRANSPORT_DOWN);
	assert_int_equal(report.code, -ENOBUFS);
	free(report.text);
	assert_false(kri_port_take(port, &report));
	kri_port_unref(port);
}

static void count_chip(void *userdata, const struct kryos_address *address)
{
	assert_int_equal(strlen(address->text), 15);
	++*(int *)userdata;
}

static void at_most_256_chips_of_a_1_wire_bus_are_listed(void **state)
{
	struct rig *rig = *state;
	void *priv = calloc(1, kri_bus_w1_sysfs.private_size);
	char name[32];
	int count = 0;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "28-%012x", (unsigned int)i);
		assert_int_equal(mkdir(in(rig->folder, name), 0700), 0);
	}
	assert_ok(kri_bus_w1_sysfs.open(priv, "w1", rig->folder));
	assert_ok(kri_bus_w1_sysfs.list(priv, count_chip, &count));
	assert_int_equal(count, 256);
	kri_bus_w1_sysfs.close(priv);
	free(priv);
}

static void a_key_file_of_more_than_16_kib_is_no_key(void **state)
{
	struct rig *rig = *state;
	struct kri_key *key = NULL;
	char *text = filled(20000);
	bool created;
	FILE *stream;
	int r;

	stream = fopen(in(rig->folder, "key"), "w");
	assert_non_null(stream);
	fputs(text, stream);
	fclose(stream);
	free(text);
	r = kri_key_open(&key, in(rig->folder, "key"), &created);
	if (r == -EOPNOTSUPP)
		skip();
	assert_fails(KRYOS_ECORRUPT, r);
	assert_null(key);
}

/* Answers one request with a line that never ends. */
static void *babble(void *data)
{
	int listener = *(int *)data, fd = accept(listener, NULL, NULL);
	char *text = filled(65536);

	assert_true(fd >= 0);
	for (int i = 0; i < 200 && send(fd, text, 65536, MSG_NOSIGNAL) > 0; i++)
		;
	close(fd);
	free(text);
	return NULL;
}

static void an_answer_of_more_than_4_mib_is_refused(void **state)
{
	struct rig *rig = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *answer = NULL;
	pthread_t thread;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", in(rig->folder, "socket"));
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, babble, &listener), 0);
	assert_fails(KRYOS_EPROTO,
	             kryos_door_ask(address.sun_path, "{\"command\":\"status\"}", KRYOS_SECONDS(20), &answer));
	assert_says(KRYOS_EPROTO, "too long");
	assert_null(answer);
	pthread_join(thread, NULL);
	close(listener);
}

/* As many sections as 256 KiB hold: nothing that is done for each pair of them may take minutes. */
static void the_greatest_station_file_is_judged_in_seconds(void **state)
{
	struct rig *rig = *state;
	int64_t began = kri_real_ns();
	FILE *stream = fopen(in(rig->folder, "station.ini"), "w");

	assert_non_null(stream);
	for (int i = 0; ftell(stream) < 256 * 1024 - 64; i++)
		fprintf(stream, "[sensor s%d]\naddress=ds18b20@w1:28-%012x\n", i, (unsigned int)i);
	fclose(stream);
	/* An error in a build without the driver; in time it is in either case. */
	(void)!kryos_station_check(in(rig->folder, "station.ini"), NULL);
	assert_true(kri_real_ns() - began < KRYOS_SECONDS(20));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_message_ends_at_1023_bytes),
		cmocka_unit_test(a_sentence_ends_at_4095_bytes),
		TEST(events_wait_256_and_gaps_2048),
		TEST(what_is_at_its_bounds_again_and_again_does_not_grow),
		TEST(a_stored_event_has_63_bytes_of_name_and_1000_of_text),
		TEST(samples_wait_4096_for_a_slow_disk),
		TEST(dead_letters_are_the_newest_1000),
		cmocka_unit_test(what_is_owed_fits_in_1000_runs_and_none_is_forgotten),
		TEST(at_most_64_queues_are_open),
		TEST(a_queue_lends_no_more_than_it_was_told),
		cmocka_unit_test(reports_that_find_no_room_cost_the_link_and_say_so),
		TEST(at_most_256_chips_of_a_1_wire_bus_are_listed),
		TEST(a_key_file_of_more_than_16_kib_is_no_key),
		TEST(an_answer_of_more_than_4_mib_is_refused),
		TEST(the_greatest_station_file_is_judged_in_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
