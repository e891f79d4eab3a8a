/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that is killed at any point: this program starts itself anew as the device, which appends to a store and
 * delivers to a real Mosquitto, and ends it with SIGKILL, again and again. What counts is what an independent
 * subscriber has seen in the end.
 */
#include "broker.h"
#include "program.h"
#include "support.h"
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 10, PATIENT = 4, MAX_SEQ = 20000 };

static void pause_ms(int ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

/* --- the device --- */

struct device {
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_relay *relay;
	uint32_t fridge;
};

static int begin_device(struct device *device, const char *folder, const char *url)
{
	int r = kryos_ctx_new(&device->ctx, NULL);

	if (r >= 0)
		r = kryos_channel_add(device->ctx, "fridge.temperature", "Cel", &device->fridge);
	if (r >= 0)
		r = kryos_store_open(&device->store, device->ctx, in(folder, "store"), NULL);
	if (r >= 0)
		r = kryos_relay_open(&device->relay, device->store, "cloud",
		                     KRYOS_RELAY_CONFIG(.url = url, .topic = "t", .rate = 100, .burst = 1000,
		                                        .backoff_min_ns = KRYOS_MILLISECONDS(20),
		                                        .backoff_max_ns = KRYOS_MILLISECONDS(200)));
	return r;
}

/* Appends until it is killed; what was accepted is noted where a kill can't take it back. */
static int live(struct device *device, const char *folder)
{
	int note = open(in(folder, "accepted"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), r = 0;
	struct timespec now;

	while (note >= 0 && r >= 0) {
		struct kryos_sample sample = { .channel = device->fridge };

		/* No two samples are alike, so that one id with two contents is seen. */
		clock_gettime(CLOCK_BOOTTIME, &now);
		sample.value_micro = (int64_t)now.tv_sec % 100000 * 1000000 + now.tv_nsec / 1000;
		r = kryos_store_append(device->store, &sample, 1);
		if (r >= 0 && write(note, &sample.seq, sizeof(sample.seq)) != sizeof(sample.seq))
			r = -1;
		if (r >= 0)
			r = kryos_ctx_process(device->ctx);
		pause_ms(15);
	}
	if (note >= 0)
		close(note);
	return r < 0 ? r : -1;
}

/* Appends nothing and ends when nothing is owed. */
static int deliver(struct device *device)
{
	struct kryos_relay_status status = { .size = sizeof(status) };
	int r = 0;

	for (int waited = 0; waited < 30000 && r >= 0; waited += 10) {
		r = kryos_ctx_process(device->ctx);
		if (r >= 0)
			r = kryos_relay_get_status(device->relay, &status);
		if (r >= 0 && status.owed == 0)
			return 0;
		pause_ms(10);
	}
	fprintf(stderr, "%" PRId64 " records are still owed: %s\n", (int64_t)status.owed, status.text);
	return r < 0 ? r : -1;
}

static int be_device(const char *how, const char *folder, const char *url)
{
	struct device device = { .ctx = NULL };
	int r = begin_device(&device, folder, url);

	if (r >= 0)
		r = strcmp(how, "live") == 0 ? live(&device, folder) : deliver(&device);
	if (r < 0)
		fprintf(stderr, "device: %s\n", kryos_strerror(r));
	kryos_ctx_free(device.ctx);
	return r < 0;
}

/* --- who kills it --- */

/* What arrived, by seq. */
struct arrival {
	bool seen, accepted, stored;
	char value[32];
};

struct rig {
	char *folder, url[64], self[4096];
	struct broker *broker;
	struct proxy *proxy;
	struct sink *sink;
	struct arrival arrivals[MAX_SEQ];
};

static int rig_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	uint16_t port = broker_free_port();

	assert_non_null(rig);
	assert_true(readlink("/proc/self/exe", rig->self, sizeof(rig->self) - 1) > 0);
	rig->folder = scratch_new();
	rig->broker = broker_start(rig->folder, port, NULL);
	assert_non_null(rig->broker);
	rig->sink = sink_start(port);
	assert_non_null(rig->sink);
	rig->proxy = proxy_start(port);
	assert_non_null(rig->proxy);
	snprintf(rig->url, sizeof(rig->url), "mqtt://127.0.0.1:%u", proxy_port(rig->proxy));
	*state = rig;
	return 0;
}

static int rig_down(void **state)
{
	struct rig *rig = *state;

	sink_free(rig->sink);
	proxy_free(rig->proxy);
	broker_free(rig->broker);
	scratch_free(rig->folder);
	free(rig);
	return 0;
}

static void start_device(struct rig *rig, struct program *device, const char *how)
{
	program_start(device, rig->folder, ARGV(NULL), ARGV(rig->self, how, rig->folder, rig->url, NULL));
}

/*
 * At a random moment: of its first half second, or shortly after some records have arrived. Mostly the network is bad
 * before, and cuts each connection after some bytes: what the device has sent is then not what the broker has. Once the
 * device lives longer than the 5 s after which the queue's delivery state is committed.
 */
static void kill_at_some_point(struct rig *rig, uint64_t *random, bool patient)
{
	size_t before = sink_count(rig->sink, "0 t/sample ");
	struct program device;

	proxy_set_limit(rig->proxy, next_random(random) % 3 || patient ? 1500 + next_random(random) % 8000 : 0);
	start_device(rig, &device, "live");
	if (next_random(random) % 3 != 0 || patient)
		sink_wait(rig->sink, "0 t/sample ", before + 1 + next_random(random) % 60, 1000);
	else
		pause_ms((int)(next_random(random) % 500));
	pause_ms((int)(next_random(random) % 20) + (patient ? 5300 : 0));
	assert_int_equal(kill(device.pid, SIGKILL), 0);
	if (program_wait(&device, 10000) != 128 + SIGKILL)
		fail_msg("the device ended by itself: %s", file_text(device.err));
	proxy_set_limit(rig->proxy, 0);
}

static const char *value_in(const char *line, char value[32])
{
	const char *at = strstr(line, "\"v\":");

	snprintf(value, 32, "%.*s", at ? (int)strcspn(at + 4, ",}") : 0, at ? at + 4 : "");
	return value;
}

/* First arrivals in order of seq in each stream; what comes again is the same. Returns how many came again. */
static unsigned int look_at_arrivals(struct rig *rig)
{
	int64_t last[2] = { 0 };
	unsigned int again = 0;
	char epoch[40] = "", value[32];
	const char *line;

	for (size_t i = 0; (line = sink_line(rig->sink, i)); i++) {
		const char *at = strstr(line, "\"epoch\":"), *number = strstr(line, "\"seq\":");
		bool historical = strstr(line, "\"historical\":true");
		struct arrival *arrival;
		int64_t seq;

		if (strncmp(line, "0 t/sample ", 11) != 0)
			continue;
		assert_true(at && number);
		seq = strtoll(number + 6, NULL, 10);
		assert_in_range(seq, 1, MAX_SEQ - 1);
		if (!*epoch)
			snprintf(epoch, sizeof(epoch), "%.26s", at);
		assert_int_equal(strncmp(at, epoch, strlen(epoch)), 0);
		arrival = &rig->arrivals[seq];
		value_in(line, value);
		assert_true(*value);
		if (arrival->seen) {
			assert_string_equal(arrival->value, value);
			again++;
			continue;
		}
		arrival->seen = true;
		strcpy(arrival->value, value);
		if (seq < last[historical])
			fail_msg("seq %" PRId64 " first came after %" PRId64 " of its stream", seq, last[historical]);
		last[historical] = seq;
	}
	return again;
}

static void read_what_was_accepted(struct rig *rig)
{
	FILE *file = fopen(in(rig->folder, "accepted"), "re");
	int64_t seq;

	assert_non_null(file);
	while (fread(&seq, sizeof(seq), 1, file) == 1) {
		assert_in_range(seq, 1, MAX_SEQ - 1);
		assert_false(rig->arrivals[seq].accepted);
		rig->arrivals[seq].accepted = true;
	}
	fclose(file);
}

/* What the store holds, also what nobody was told of any more, is what arrived. */
static void read_the_store(struct rig *rig)
{
	char text[KRYOS_TEXT_MAX];
	const struct kryos_record *record;
	struct kryos_reader *reader;
	struct kryos_ctx *ctx;

	assert_ok(kryos_ctx_new(&ctx, NULL));
	assert_ok(kryos_reader_open(&reader, ctx, in(rig->folder, "store")));
	while (kryos_reader_next(reader, &record) > 0) {
		assert_in_range(record->seq, 1, MAX_SEQ - 1);
		rig->arrivals[record->seq].stored = true;
		if (rig->arrivals[record->seq].seen)
			assert_string_equal(kryos_value_text(record->sample.value_micro, text),
			                    rig->arrivals[record->seq].value);
	}
	kryos_ctx_free(ctx);
}

struct verdict {
	unsigned int accepted, again, lost, unstored, unheard;
};

static struct verdict judge(struct rig *rig)
{
	struct verdict verdict = { 0 };

	memset(rig->arrivals, 0, sizeof(rig->arrivals));
	read_what_was_accepted(rig);
	verdict.again = look_at_arrivals(rig);
	read_the_store(rig);
	for (int seq = 1; seq < MAX_SEQ; seq++) {
		const struct arrival *arrival = &rig->arrivals[seq];

		verdict.accepted += arrival->accepted;
		verdict.lost += arrival->accepted && !arrival->seen;
		verdict.unstored += (arrival->accepted || arrival->seen) && !arrival->stored;
		verdict.unheard += arrival->stored && !arrival->seen;
	}
	return verdict;
}

static void killed_at_any_point_it_delivers_all_it_accepted(void **state)
{
	uint64_t seed = seed_from_environment(20261120);
	struct rig *rig = *state;
	struct verdict verdict;
	struct program device;

	for (int i = 0; i < KILLS; i++)
		kill_at_some_point(rig, &seed, i == PATIENT);
	start_device(rig, &device, "deliver");
	if (program_wait(&device, 40000) != 0)
		fail_msg("%s", file_text(device.err));
	/* The broker has acknowledged everything; its way from there to the subscriber is another. */
	verdict = judge(rig);
	for (int waited = 0; verdict.unheard && waited < 5000; waited += 50) {
		pause_ms(50);
		verdict = judge(rig);
	}
	print_message("%u accepted, %u lost, %u came again\n", verdict.accepted, verdict.lost, verdict.again);
	assert_int_equal(verdict.lost, 0);
	assert_int_equal(verdict.unstored, 0);
	assert_int_equal(verdict.unheard, 0);
	assert_true(verdict.accepted >= 50);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_any_point_it_delivers_all_it_accepted, rig_up, rig_down),
	};
	const char *missing = broker_missing();

	if (argc == 4)
		return be_device(argv[1], argv[2], argv[3]);
	if (missing) {
		print_message("skipped: %s is not installed\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
