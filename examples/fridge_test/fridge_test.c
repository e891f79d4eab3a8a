/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's own tests on a machine without its hardware: the real driver, sampler, monitor and store, on a model of
 * the chip, and a clock that stands until it is moved. docs/howto/test-without-hardware.md goes through it.
 */
#define _XOPEN_SOURCE 700
#include <ftw.h>
#include <kryos/kryos.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bench {
	char folder[64];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *bus;
	struct kryos_model *chip;
	struct kryos_ctx *ctx;
	struct kryos_store *store;
	struct kryos_monitor *monitor;
	struct kryos_sampler *sampler;
	struct kryos_sample newest;      /* that is on the disk */
	int seen[KRYOS_EVENT_START + 1]; /* events of each type */
};

static void must(int result, const char *what, int line)
{
	if (result >= 0)
		return;
	fprintf(stderr, "fridge_test.c:%d: %s: %s\n", line, what, kryos_strerror(result));
	exit(1);
}
#define MUST(call) must(call, #call, __LINE__)

static void check(int holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "fridge_test.c:%d: not so: %s\n", line, what);
	exit(1);
}
#define CHECK(condition) check((condition) != 0, #condition, __LINE__)

/* A board with one SHT40 in a fridge at 5.25 degrees, measured when the test says so, and an alarm after an hour. */
static void bench_open(struct bench *bench)
{
	const struct kryos_rule *rule = kryos_profile_rule("fridge-2-8", 0);

	*bench = (struct bench){ .folder = "/tmp/fridge_test.XXXXXX" };
	CHECK(mkdtemp(bench->folder));
	MUST(kryos_fake_clock_new(&bench->clock, KRYOS_DAYS(20648)));
	kryos_fake_clock_set_synced(bench->clock, 1);
	MUST(kryos_ctx_new(&bench->ctx,
	                   KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench->clock)));

	MUST(kryos_fake_bus_new(&bench->bus, "i2c-1"));
	MUST(kryos_fake_bus_add_sht4x(bench->bus, "0x44", &bench->chip));
	MUST(kryos_model_set(bench->chip, "temperature", 5250000));
	MUST(kryos_fake_bus_attach(bench->bus, bench->ctx));

	MUST(kryos_store_open(&bench->store, bench->ctx, bench->folder, NULL));
	MUST(kryos_monitor_new(&bench->monitor, bench->store));
	MUST(kryos_monitor_watch(
		bench->monitor, "fridge.temperature",
		KRYOS_MONITOR_CHANNEL_CONFIG(.rules = rule, .rule_count = 1, .interval_ns = KRYOS_MINUTES(5))));
	MUST(kryos_sampler_new(&bench->sampler, bench->store,
	                       KRYOS_SAMPLER_CONFIG(.manual = 1, .monitor = bench->monitor)));
	MUST(kryos_sampler_add(bench->sampler, "fridge", "sht4x@i2c-1:0x44"));
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info, (void)type, (void)where;
	return remove(path);
}

static void bench_close(struct bench *bench)
{
	kryos_ctx_free(bench->ctx);
	kryos_fake_bus_free(bench->bus);
	kryos_fake_clock_free(bench->clock);
	(void)nftw(bench->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Five minutes later: one round, until what it measured is on the disk. */
static void five_minutes(struct bench *bench)
{
	struct pollfd wait = { .fd = kryos_ctx_get_fd(bench->ctx), .events = POLLIN };
	const struct kryos_event *event;

	kryos_fake_clock_advance(bench->clock, KRYOS_MINUTES(5));
	MUST(kryos_sampler_round(bench->sampler));
	while (kryos_sampler_busy(bench->sampler) > 0) {
		CHECK(poll(&wait, 1, 30000) == 1);
		MUST(kryos_ctx_process(bench->ctx));
		while (kryos_ctx_next_event(bench->ctx, &event) > 0) {
			bench->seen[event->type]++;
			if (event->type == KRYOS_EVENT_SAMPLE && event->sample.channel == 1)
				bench->newest = event->sample;
		}
	}
}

static void a_reading_is_what_the_chip_can_resolve(void)
{
	struct bench bench;

	bench_open(&bench);
	five_minutes(&bench);
	CHECK(bench.newest.quality == KRYOS_QUALITY_GOOD);
	CHECK(llabs(bench.newest.value_micro - 5250000) <= 2670); /* 175 degrees in 16 bits */
	bench_close(&bench);
}

static void one_disturbed_transfer_costs_nothing(void)
{
	struct bench bench;

	bench_open(&bench);
	five_minutes(&bench);
	kryos_fake_bus_plan(bench.bus, KRYOS_FAULT_EIO, 0, 1);
	five_minutes(&bench);
	CHECK(bench.newest.quality == KRYOS_QUALITY_GOOD);
	CHECK(bench.seen[KRYOS_EVENT_SENSOR_LOST] == 0);
	bench_close(&bench);
}

static void a_probe_that_is_unplugged_is_no_temperature(void)
{
	struct bench bench;

	bench_open(&bench);
	five_minutes(&bench);
	kryos_model_set_present(bench.chip, 0);
	five_minutes(&bench);
	CHECK(bench.newest.quality == KRYOS_QUALITY_ABSENT);
	CHECK(bench.seen[KRYOS_EVENT_SENSOR_LOST] == 1);
	kryos_model_set_present(bench.chip, 1);
	five_minutes(&bench);
	five_minutes(&bench);
	CHECK(bench.newest.quality == KRYOS_QUALITY_GOOD);
	CHECK(bench.seen[KRYOS_EVENT_SENSOR_BACK] == 1);
	bench_close(&bench);
}

static void an_hour_above_eight_degrees_is_an_alarm(void)
{
	struct bench bench;

	bench_open(&bench);
	MUST(kryos_model_set(bench.chip, "temperature", 9000000));
	for (int reading = 1; reading <= 12; reading++)
		five_minutes(&bench);
	CHECK(bench.seen[KRYOS_EVENT_ALARM_ON] == 0);
	five_minutes(&bench); /* the 13th reading is an hour after the first */
	CHECK(bench.seen[KRYOS_EVENT_ALARM_ON] == 1);
	bench_close(&bench);
}

int main(void)
{
	a_reading_is_what_the_chip_can_resolve();
	one_disturbed_transfer_costs_nothing();
	a_probe_that_is_unplugged_is_no_temperature();
	an_hour_above_eight_degrees_is_an_alarm();
	puts("4 passed");
	return 0;
}
