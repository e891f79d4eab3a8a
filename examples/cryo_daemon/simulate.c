/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace in the place of time and temperature. Each row is one round at the row's time; between rows
 * time does not pass, so that a round has all its samples at one instant and is durable before the next.
 *
 * Where to go on is not written anywhere: it is the row after the store's newest sample. What the station says while it
 * opens, its start above all, is of then too: so the store is read before, and asked once it is open.
 */
#include "simulate.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_NS KRYOS_MILLISECONDS(100) /* at what the relays still owe */

struct simulation {
	struct kri_trace trace;
	struct kryos_clock_source source;
	struct kryos_fake_clock *clock;
	struct chips *chips;
	double speed;
	size_t next, first; /* rows; first: of this process */
	int64_t began_ns;   /* CLOCK_MONOTONIC, at the first row; 0: not yet */
	bool measuring;
	bool delivered; /* at the last look */
};

/*
 * Boot and wall time of a trace move together, so their difference tells which trace it is: the same one
 * begun again goes on in the same boot, with the same boot time at the same row, and another one does not.
 */
static void boot_id(void *userdata, char ret_id[37])
{
	int64_t offset_ns = kryos_fake_clock_wall_ns(userdata) - kryos_fake_clock_boot_ns(userdata);

	snprintf(ret_id, 37, "51a71a7e-0000-4000-8000-%012" PRIx64,
	         (uint64_t)(offset_ns / 1000000) & UINT64_C(0xffffffffffff));
}

/* What a DS18B20 can measure (data sheet, "Operating range"). */
static const struct kri_trace_format format = {
	.min_micro = INT64_C(-55000000),
	.max_micro = INT64_C(125000000),
	.out_of_range = "nothing a DS18B20 can measure; -55 to 125 is allowed",
	.states = true,
};

int simulation_new(struct simulation **ret_simulation, const char *trace, double speed)
{
	struct simulation *simulation = calloc(1, sizeof(*simulation));
	int r = -ENOMEM;

	if (!simulation)
		goto fail;
	r = kri_trace_read(&simulation->trace, trace, &format);
	if (r < 0) {
		fprintf(stderr, "cryo_daemon: %s\n", kryos_strerror(r));
		free(simulation);
		return -1;
	}
	r = kryos_fake_clock_new(&simulation->clock, simulation->trace.rows[0].t_wall_ns);
	if (r >= 0)
		r = chips_new(&simulation->chips, simulation->clock);
	if (r < 0)
		goto fail;
	kryos_fake_clock_set_synced(simulation->clock, 1);
	simulation->source = *kryos_fake_clock_source();
	simulation->source.boot_id = boot_id;
	simulation->speed = speed;
	*ret_simulation = simulation;
	return 0;
fail:
	fprintf(stderr, "cryo_daemon: --simulate: %s\n", kryos_strerror(r));
	simulation_free(simulation);
	return -1;
}

void simulation_free(struct simulation *simulation)
{
	if (!simulation)
		return;
	chips_free(simulation->chips);
	kryos_fake_clock_free(simulation->clock);
	kri_trace_free(&simulation->trace);
	free(simulation);
}

void simulation_get_clock(struct simulation *simulation, struct kryos_ctx_config *config)
{
	config->clock = &simulation->source;
	config->clock_userdata = simulation->clock;
}

int simulation_add_devices(struct simulation *simulation, struct kryos_ctx *ctx, const char *config_path)
{
	char name[32], device[96];
	int r;

	for (unsigned int i = 0; (r = kryos_station_get_device(config_path, i, name, device)) >= 0; i++) {
		r = chips_add(simulation->chips, ctx, name, device);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

static void go_to(struct simulation *simulation, int64_t t_wall_ns)
{
	kryos_fake_clock_advance(simulation->clock, t_wall_ns - kryos_fake_clock_wall_ns(simulation->clock));
}

/* To the row behind the newest sample, at the time of the one before it. */
static void skip_to(struct simulation *simulation, int64_t newest_ns)
{
	simulation->next = 0;
	while (simulation->next < simulation->trace.count &&
	       simulation->trace.rows[simulation->next].t_wall_ns <= newest_ns)
		simulation->next++;
	simulation->first = simulation->next;
	if (simulation->next > 0)
		go_to(simulation, simulation->trace.rows[simulation->next - 1].t_wall_ns);
}

void simulation_begin(struct simulation *simulation, struct kryos_ctx *ctx, const char *config_path)
{
	struct kryos_reader_seal seal = { .size = sizeof(seal) };
	const struct kryos_record *record;
	struct kryos_reader *reader = NULL;
	int64_t newest_ns = INT64_MIN;
	char path[4096];
	int r = kryos_station_get_store_path(config_path, path, sizeof(path));

	if (r >= 0)
		r = kryos_reader_open(&reader, ctx, path);
	/* Behind the newest seal there is one segment, not the whole store. */
	if (r >= 0 && kryos_reader_get_seal(reader, 0, &seal) >= 0)
		r = kryos_reader_seek(reader, seal.last_seq);
	while (r >= 0 && (r = kryos_reader_next(reader, &record)) > 0)
		if (record->sample.t_wall_ns > newest_ns)
			newest_ns = record->sample.t_wall_ns;
	kryos_reader_close(reader);
	/* No store yet, or one that whoever opens it will tell of: then it is the first row. */
	if (r >= 0)
		skip_to(simulation, newest_ns);
}

int simulation_resume(struct simulation *simulation, struct kryos_station *station)
{
	struct kryos_store_status status = { .size = sizeof(status) };
	int r = kryos_store_get_status(kryos_station_get_store(station), &status);

	if (r >= 0)
		skip_to(simulation, status.last_wall_ns);
	return r;
}

void simulation_get_progress(const struct simulation *simulation, size_t *ret_first, size_t *ret_done, size_t *ret_rows)
{
	*ret_first = simulation->first;
	*ret_done = simulation->next;
	*ret_rows = simulation->trace.count;
}

/* How long until this row is due in real time. */
static int64_t wait_for(struct simulation *simulation, const struct kri_trace_row *row)
{
	const struct kri_trace_row *first = &simulation->trace.rows[simulation->first];
	int64_t now = monotonic_ns();

	if (!simulation->began_ns)
		simulation->began_ns = now;
	if (simulation->speed <= 0)
		return 0;
	return simulation->began_ns + (int64_t)((double)(row->t_wall_ns - first->t_wall_ns) / simulation->speed) - now;
}

/* A row that was not stored must not be followed by one that is: the next start would take it for done. */
static int check_stored(struct simulation *simulation, struct kryos_sampler *sampler)
{
	struct kryos_sampler_status status = { .size = sizeof(status) };
	char when[KRYOS_TEXT_MAX];
	int r;

	if (!simulation->measuring)
		return 0;
	simulation->measuring = false;
	r = kryos_sampler_get_status(sampler, &status);
	if (r >= 0 && status.refused)
		r = kryos_fail(-EIO, "simulate: the row of %s was not stored",
		               kryos_time_text(simulation->trace.rows[simulation->next - 1].t_wall_ns, when));
	return r;
}

/* 1: nothing is owed, at two looks one after the other, since an event may be on its way to the disk. */
static int look_at_relays(struct simulation *simulation, struct kryos_station *station)
{
	struct kryos_relay *relay;
	bool before = simulation->delivered;

	simulation->delivered = true;
	for (unsigned int i = 0; (relay = kryos_station_get_relay(station, i, NULL)); i++) {
		struct kryos_relay_status status = { .size = sizeof(status) };
		int r = kryos_relay_get_status(relay, &status);

		if (r < 0)
			return r;
		if (status.owed > 0)
			simulation->delivered = false;
	}
	return simulation->delivered && (before || !kryos_station_get_relay(station, 0, NULL));
}

int simulation_step(struct simulation *simulation, struct kryos_station *station, bool once, int64_t *ret_wait_ns)
{
	struct kryos_sampler *sampler = kryos_station_get_sampler(station);
	const struct kri_trace_row *row;
	int r = kryos_sampler_busy(sampler);

	*ret_wait_ns = INT64_MAX; /* what ends the round wakes the context */
	if (r > 0)
		return 0;
	if (r >= 0)
		r = check_stored(simulation, sampler);
	if (r < 0)
		return r;
	if (once && simulation->next > simulation->first)
		return 1;
	*ret_wait_ns = LOOK_NS;
	if (simulation->next == simulation->trace.count)
		return once ? 1 : look_at_relays(simulation, station);
	row = &simulation->trace.rows[simulation->next];
	*ret_wait_ns = wait_for(simulation, row);
	if (*ret_wait_ns > 0)
		return 0;
	*ret_wait_ns = 0; /* time has passed: what it made due is done by the next kryos_ctx_process */
	go_to(simulation, row->t_wall_ns);
	r = chips_set(simulation->chips, row);
	if (r >= 0)
		r = kryos_sampler_round(sampler);
	if (r < 0)
		return r;
	simulation->measuring = true;
	simulation->next++;
	return 0;
}
