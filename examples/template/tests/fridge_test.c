/* SPDX-License-Identifier: Apache-2.0 */
/* The device on a bench: the real code, with a chip model on a fake bus and a clock that goes as it is told. */
#include "fridge.h"
#include <errno.h>
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOON INT64_C(1795176000000000000) /* 2026-11-20T12:00:00Z */
#define EXPECT(condition) expect(condition, __LINE__, #condition)
#define OK(call) succeeded(call, __LINE__, #call)

static struct bench {
	char folder[64], store[80];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *bus;
	struct kryos_model *chip;
	struct kryos_ctx *ctx;
	struct fridge fridge;
	struct kryos_sample sample;                /* the newest accepted */
	unsigned int samples, on, off, lost, back; /* events of each kind */
	struct kryos_episode episode;              /* of the newest alarm */
} bench;

static void expect(int condition, int line, const char *text)
{
	if (condition)
		return;
	fprintf(stderr, "fridge_test.c:%d: it does not hold that %s\n", line, text);
	exit(1);
}

static void succeeded(int r, int line, const char *text)
{
	if (r >= 0)
		return;
	fprintf(stderr, "fridge_test.c:%d: %s: %s\n", line, text, kryos_strerror(r));
	exit(1);
}

static void take_events(void)
{
	const struct kryos_event *event;

	while (kryos_ctx_next_event(bench.ctx, &event) > 0) {
		bench.samples += event->type == KRYOS_EVENT_SAMPLE;
		bench.on += event->type == KRYOS_EVENT_ALARM_ON;
		bench.off += event->type == KRYOS_EVENT_ALARM_OFF;
		bench.lost += event->type == KRYOS_EVENT_SENSOR_LOST;
		bench.back += event->type == KRYOS_EVENT_SENSOR_BACK;
		if (event->type == KRYOS_EVENT_SAMPLE)
			bench.sample = event->sample;
		if (event->type == KRYOS_EVENT_ALARM_ON || event->type == KRYOS_EVENT_ALARM_OFF)
			OK(kryos_episode_parse(&bench.episode, event->text));
	}
}

/* A round is due, and its sample is accepted. Waits for what really happens, at most a minute. */
static void measure(void)
{
	struct pollfd ready = { .fd = kryos_ctx_get_fd(bench.ctx), .events = POLLIN };

	OK(kryos_sampler_round(bench.fridge.sampler));
	while (kryos_sampler_busy(bench.fridge.sampler)) {
		EXPECT(poll(&ready, 1, 60000) == 1);
		OK(kryos_ctx_process(bench.ctx));
		take_events();
	}
	OK(kryos_ctx_process(bench.ctx));
	take_events();
}

/* So long at so many degrees, measured every five minutes. */
static void keep_at(double degrees, int minutes)
{
	OK(kryos_model_set(bench.chip, "temperature", (int64_t)(degrees * 1e6)));
	for (int i = 0; i < minutes; i += 5) {
		kryos_fake_clock_advance(bench.clock, KRYOS_MINUTES(5));
		measure();
	}
}

static void start(void)
{
	OK(kryos_ctx_new(&bench.ctx,
	                 KRYOS_CTX_CONFIG(.clock = kryos_fake_clock_source(), .clock_userdata = bench.clock)));
	OK(kryos_fake_bus_attach(bench.bus, bench.ctx));
	OK(fridge_open(&bench.fridge, bench.ctx, bench.store, "vial@i2c-1:0x48", 0));
}

static void stop(void)
{
	kryos_ctx_free(bench.ctx);
	bench.samples = bench.on = bench.off = bench.lost = bench.back = 0;
}

static void a_reading_is_kept_as_the_probe_gives_it(void)
{
	struct kryos_store_status status = { .size = sizeof(status) };

	keep_at(5.25, 5);
	EXPECT(bench.samples == 1);
	EXPECT(bench.sample.value_micro == 5250000);
	EXPECT(bench.sample.quality == KRYOS_QUALITY_GOOD);
	OK(kryos_store_get_status(bench.fridge.store, &status));
	EXPECT(status.samples == 1);
}

static void an_hour_of_frost_is_an_alarm_and_ends_when_it_is_over(void)
{
	keep_at(5, 10);
	keep_at(-1, 60); /* the first of these readings begins it, so the hour is not full yet */
	EXPECT(bench.on == 0);
	keep_at(-1, 5);
	EXPECT(bench.on == 1 && bench.off == 0);
	EXPECT(strcmp(bench.episode.name, "freezing") == 0);
	EXPECT(bench.episode.extreme_micro == -1000000);
	keep_at(4, 5);
	EXPECT(bench.off == 1);
	EXPECT(bench.episode.ended_by == KRYOS_EPISODE_RECOVERED);
}

static void an_alarm_goes_on_over_a_restart(void)
{
	keep_at(-1, 65);
	EXPECT(bench.on == 1);
	stop();
	start();
	keep_at(-1, 15);
	EXPECT(bench.on == 0 && bench.off == 0);
	keep_at(4, 5);
	EXPECT(bench.off == 1);
}

static void an_unplugged_probe_is_told_and_no_value_is_invented(void)
{
	keep_at(5, 5);
	kryos_model_set_present(bench.chip, 0);
	keep_at(5, 5);
	EXPECT(bench.lost == 1);
	EXPECT(!kryos_quality_is_measured(bench.sample.quality));
	kryos_model_set_present(bench.chip, 1);
	keep_at(5, 15);
	EXPECT(bench.back == 1);
	EXPECT(bench.sample.quality == KRYOS_QUALITY_GOOD);
}

static void what_no_vial_can_be_is_no_good_reading(void)
{
	keep_at(5, 5);
	keep_at(90, 5);
	EXPECT(bench.sample.quality == KRYOS_QUALITY_RANGE);
}

static void a_reset_of_the_chip_is_noticed(void)
{
	keep_at(5, 5);
	kryos_fake_bus_plan(bench.bus, KRYOS_FAULT_RESET, 1, 1);
	keep_at(6, 5);
	EXPECT(bench.sample.quality != KRYOS_QUALITY_GOOD || bench.sample.value_micro == 6000000);
	keep_at(6, 5);
	EXPECT(bench.sample.quality == KRYOS_QUALITY_GOOD && bench.sample.value_micro == 6000000);
}

/* The folder of a test, with all that is in it. */
static void sweep(void)
{
	char command[sizeof(bench.folder) + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", bench.folder);
	if (system(command) != 0)
		fprintf(stderr, "%s is still there\n", bench.folder);
}

static void run(const char *name, void (*test)(void))
{
	memset(&bench, 0, sizeof(bench));
	strcpy(bench.folder, "/tmp/fridge-test-XXXXXX");
	EXPECT(mkdtemp(bench.folder) != NULL);
	snprintf(bench.store, sizeof(bench.store), "%s/store", bench.folder);
	OK(kryos_fake_clock_new(&bench.clock, NOON));
	kryos_fake_clock_set_synced(bench.clock, 1);
	OK(kryos_fake_bus_new(&bench.bus, "i2c-1"));
	OK(kryos_fake_bus_add_tmp117(bench.bus, "0x48", &bench.chip));
	start();
	test();
	stop();
	kryos_fake_bus_free(bench.bus);
	kryos_fake_clock_free(bench.clock);
	sweep();
	printf("ok: %s\n", name);
}
#define RUN(test) run(#test, test)

int main(void)
{
	RUN(a_reading_is_kept_as_the_probe_gives_it);
	RUN(an_hour_of_frost_is_an_alarm_and_ends_when_it_is_over);
	RUN(an_alarm_goes_on_over_a_restart);
	RUN(an_unplugged_probe_is_told_and_no_value_is_invented);
	RUN(what_no_vial_can_be_is_no_good_reading);
	RUN(a_reset_of_the_chip_is_noticed);
	return 0;
}
