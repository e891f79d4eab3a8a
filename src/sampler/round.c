/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A round: an instant, the sensors due at it, one job for each of their buses.
 *
 * What is due at one instant but may take differently long (a sensor measured every second is due
 * again before a bus that hangs is given up) is in several rounds of the same number, each of which
 * ends, and is handed to the store, by itself.
 */
#include "sampler_private.h"
#include <kryos/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PER_SENSOR_NS KRYOS_SECONDS(2)

/* A job of a round. */
struct kri_part {
	struct kri_part *next;
	struct kryos_sampler *sampler;
	struct kri_round *round; /* NULL: it has ended without this */
	struct kri_bus *bus;
	struct kri_batch *batch;
};

struct item {
	struct kri_probe *probe;
	bool asked, answered;
	struct kri_measured measured;
};

struct kri_round {
	struct kri_round *next;
	struct kryos_sampler *sampler;
	uint32_t number;
	int64_t limit_ns, t_boot_ns, t_wall_ns;
	uint16_t trust;
	struct kri_timer timer;
	unsigned int parts; /* under way */
	size_t count;
	struct item items[];
};

static struct item *find_item(struct kri_round *round, const struct kryos_sensor *sensor)
{
	for (size_t i = 0; i < round->count; i++)
		if (round->items[i].probe->sensor == sensor)
			return &round->items[i];
	return NULL;
}

static void fail_item(struct kri_round *round, struct item *item, int code, const char *why)
{
	struct kryos_sensor *sensor = item->probe->sensor;
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", kryos_dev_name(sensor->dev), why);
	kri_measured_fail(&item->measured, sensor, code, text, round->t_boot_ns);
	kri_measured_announce(&item->measured);
	item->asked = item->answered = true;
}

/* Samples of one channel: the reading itself, or a period's record when it is complete. Returns how many. */
static size_t collect(struct kri_probe *probe, size_t channel, const struct kryos_sample *sample,
                      struct kryos_sample *ret_samples)
{
	struct kri_record *record = &probe->records[channel];
	uint32_t min_channel = probe->min_channels[channel], max_channel = probe->max_channels[channel];
	size_t count = 0;

	if (!probe->record_ns) {
		ret_samples[0] = *sample;
		return 1;
	}
	/* Rounds were missed, and with them the end of the period. */
	if (record->readings && record->end_ns != kri_record_end(sample->t_boot_ns, probe->record_ns)) {
		kri_record_take(record, min_channel, max_channel, ret_samples);
		count += 3;
	}
	kri_record_add(record, probe->record_ns, sample);
	if (!probe->sampler->config.manual && probe->due_ns > record->end_ns) {
		kri_record_take(record, min_channel, max_channel, ret_samples + count);
		count += 3;
	}
	return count;
}

static struct kryos_sample *find_sample(struct kri_round *round, uint32_t channel)
{
	for (size_t i = 0; i < round->count; i++)
		for (size_t k = 0; k < round->items[i].measured.count; k++)
			if (round->items[i].measured.samples[k].channel == channel)
				return &round->items[i].measured.samples[k];
	return NULL;
}

static void stamp(struct kri_round *round)
{
	for (size_t i = 0; i < round->count; i++) {
		for (size_t k = 0; k < round->items[i].measured.count; k++) {
			struct kryos_sample *sample = &round->items[i].measured.samples[k];

			sample->round = round->number;
			sample->t_wall_ns = round->t_wall_ns;
			sample->trust = round->trust;
		}
	}
}

/* Where one of them is not of this round, nothing can be said. */
static void compare_twins(struct kri_round *round)
{
	for (size_t i = 0; i < round->count; i++) {
		for (size_t k = 0; k < round->items[i].measured.count; k++) {
			struct kri_twin *twin = &round->items[i].probe->twins[k];
			struct kryos_sample *other = twin->other ? find_sample(round, twin->other) : NULL;

			if (other)
				kri_twin_judge(round->sampler, twin, &round->items[i].measured.samples[k], other);
		}
	}
}

/* Each measurement, whatever becomes of it: whether an alarm begins depends on no disk, and on no period's record. */
static void judge(struct kri_round *round)
{
	struct kryos_sampler *sampler = round->sampler;

	for (size_t i = 0; i < round->count && sampler->config.monitor; i++) {
		struct kri_measured *measured = &round->items[i].measured;
		struct kryos_sensor *sensor = round->items[i].probe->sensor;
		int r;

		if (sensor->edges)
			kri_monitor_set_debounce(sampler->config.monitor, sensor->channels[0],
			                         kri_dev_line(sensor->dev)->request.config.debounce_ns);
		r = kryos_monitor_take(sampler->config.monitor, measured->samples, measured->count);
		if (r < 0)
			kri_log(sampler->ctx, KRYOS_LOG_WARNING, "sampler", r, "round %u was not judged whole: %s",
			        round->number, kryos_strerror(r));
	}
}

static void hand_over(struct kri_round *round)
{
	struct kryos_sample *samples = calloc(round->count * KRYOS_SENSOR_MAX_CHANNELS * 6, sizeof(*samples));
	size_t count = 0;

	stamp(round);
	compare_twins(round);
	judge(round);
	for (size_t i = 0; i < round->count; i++) {
		struct item *item = &round->items[i];

		kri_noted_tell(item->probe);
		for (size_t channel = 0; channel < item->measured.count; channel++) {
			struct kryos_sample *sample = &item->measured.samples[channel];

			round->sampler->status.failed += !kryos_quality_is_measured(sample->quality);
			if (samples)
				count += collect(item->probe, channel, sample, samples + count);
			else
				round->sampler->status.refused++;
		}
	}
	if (count)
		kri_sampler_submit(round->sampler, samples, count);
	free(samples);
}

static void round_free(struct kri_round *round)
{
	struct kryos_sampler *sampler = round->sampler;

	kri_timer_cancel(sampler->ctx, &round->timer);
	for (struct kri_round **at = &sampler->rounds; *at; at = &(*at)->next) {
		if (*at == round) {
			*at = round->next;
			break;
		}
	}
	for (size_t i = 0; i < round->count; i++)
		round->items[i].probe->in_round = false;
	free(round);
}

static void end_round(struct kri_round *round)
{
	struct kryos_sampler *sampler = round->sampler;
	uint32_t number = round->number;

	for (struct kri_part *part = sampler->parts; part; part = part->next) {
		if (part->round == round) {
			part->round = NULL;
			kri_batch_abandon(part->batch);
		}
	}
	for (size_t i = 0; i < round->count; i++)
		if (!round->items[i].answered)
			fail_item(round, &round->items[i], -ETIMEDOUT, "did not answer within the round");
	hand_over(round);
	round_free(round);
	kri_sampler_round_ended(sampler, number);
}

static void on_limit(struct kri_timer *timer)
{
	end_round(KRI_CONTAINER_OF(timer, struct kri_round, timer));
}

static void part_free(struct kri_part *part)
{
	for (struct kri_part **at = &part->sampler->parts; *at; at = &(*at)->next) {
		if (*at == part) {
			*at = part->next;
			break;
		}
	}
	free(part);
}

static void on_measured(void *data, const struct kri_measured *results, size_t count)
{
	struct kri_part *part = data;
	struct kri_round *round = part->round;

	part_free(part);
	if (!round)
		return;
	for (size_t i = 0; i < count; i++) {
		struct item *item = find_item(round, results[i].sensor);

		item->measured = results[i];
		item->answered = true;
	}
	if (!--round->parts)
		end_round(round);
}

static bool bus_is_late(const struct kryos_sampler *sampler, const struct kri_bus *bus)
{
	for (const struct kri_part *part = sampler->parts; part; part = part->next)
		if (part->bus == bus && !part->round)
			return true;
	return false;
}

/* One job for all items that are on this one's bus. */
static int ask_bus(struct kri_round *round, struct kri_bus *bus, struct kryos_sensor **sensors)
{
	struct kri_part *part = calloc(1, sizeof(*part));
	size_t count = 0;
	int r;

	if (!part)
		return -ENOMEM;
	for (size_t i = 0; i < round->count; i++)
		if (kri_dev_bus(round->items[i].probe->sensor->dev) == bus)
			sensors[count++] = round->items[i].probe->sensor;
	part->sampler = round->sampler;
	part->round = round;
	part->bus = bus;
	r = kri_batch_start(&part->batch, sensors, count, round->t_boot_ns, round->limit_ns, on_measured, part);
	if (r < 0) {
		free(part);
		return r;
	}
	part->next = round->sampler->parts;
	round->sampler->parts = part;
	round->parts++;
	return 0;
}

/* A bus whose job has not come back gets no second one: were it queued, it would answer for a time long gone. */
static void ask_all(struct kri_round *round, struct kryos_sensor **sensors)
{
	for (size_t i = 0; i < round->count; i++) {
		struct kri_bus *bus = kri_dev_bus(round->items[i].probe->sensor->dev);
		const char *why = "its bus still hangs in an earlier measurement";
		int r = 0;

		if (round->items[i].asked)
			continue;
		if (bus_is_late(round->sampler, bus)) {
			r = -ETIMEDOUT;
		} else {
			r = ask_bus(round, bus, sensors);
			why = r < 0 ? kryos_strerror(r) : NULL;
		}
		for (size_t k = i; k < round->count; k++) {
			if (kri_dev_bus(round->items[k].probe->sensor->dev) != bus)
				continue;
			round->items[k].asked = true;
			if (r < 0)
				fail_item(round, &round->items[k], r == -EAGAIN ? -ETIMEDOUT : r, why);
		}
	}
}

static int64_t limit_of(const struct kri_probe *probe)
{
	/* Simulated time stands still while real jobs run. */
	if (probe->sampler->simulated || probe->sampler->config.manual || probe->every_ns > KRI_ROUND_LIMIT_NS)
		return KRI_ROUND_LIMIT_NS;
	return probe->every_ns;
}

static struct kri_round *round_new(struct kryos_sampler *sampler, int64_t limit_ns)
{
	struct kri_round *round;
	size_t count = 0;

	for (struct kri_probe *probe = sampler->probes; probe; probe = probe->next)
		count += probe->is_due && limit_of(probe) == limit_ns;
	round = calloc(1, sizeof(*round) + count * sizeof(round->items[0]));
	if (!round)
		return NULL;
	for (struct kri_probe *probe = sampler->probes; probe; probe = probe->next) {
		if (probe->is_due && limit_of(probe) == limit_ns) {
			round->items[round->count++].probe = probe;
			probe->is_due = false;
			probe->in_round = true;
		}
	}
	round->sampler = sampler;
	round->number = sampler->round;
	round->limit_ns = limit_ns;
	round->timer.fire = on_limit;
	round->timer.real = true;
	round->next = sampler->rounds;
	sampler->rounds = round;
	return round;
}

static struct kri_probe *find_due(const struct kryos_sampler *sampler)
{
	for (struct kri_probe *probe = sampler->probes; probe; probe = probe->next)
		if (probe->is_due)
			return probe;
	return NULL;
}

/*
 * A 1-Wire bus converts for one chip after the other (DS18B20 at 12 bits: 0.75 s), and twice where a chip is also
 * probed, so what twenty of them take is no fault. Never beyond the interval, and no less than was given.
 */
static void allow_for_many(struct kri_round *round)
{
	int64_t most = 0, end = INT64_MAX;

	if (round->limit_ns < KRI_ROUND_LIMIT_NS)
		return;
	for (size_t i = 0; i < round->count; i++) {
		const struct kri_probe *probe = round->items[i].probe;
		struct kri_bus *bus = kri_dev_bus(probe->sensor->dev);
		int64_t needed = 0;

		for (size_t k = 0; k < round->count; k++)
			if (kri_dev_bus(round->items[k].probe->sensor->dev) == bus)
				needed += PER_SENSOR_NS;
		most = needed > most ? needed : most;
		if (!round->sampler->config.manual && probe->every_ns < end)
			end = probe->every_ns;
	}
	most = most < end ? most : end;
	round->limit_ns = most > round->limit_ns ? most : round->limit_ns;
}

static void begin_round(struct kri_round *round, int64_t t_boot_ns)
{
	struct kryos_sample stamp = { .t_boot_ns = t_boot_ns };
	struct kryos_sensor **sensors = calloc(round->count, sizeof(struct kryos_sensor *));

	allow_for_many(round);
	kri_stamp(round->sampler->ctx, &stamp, 1);
	round->t_boot_ns = t_boot_ns;
	round->t_wall_ns = stamp.t_wall_ns;
	round->trust = stamp.trust;
	if (sensors)
		ask_all(round, sensors);
	free(sensors);
	if (round->parts)
		kri_timer_set(round->sampler->ctx, &round->timer, kri_real_ns() + round->limit_ns);
	else
		end_round(round);
}

int kri_rounds_begin(struct kryos_sampler *sampler, int64_t t_boot_ns)
{
	struct kri_probe *probe;

	while ((probe = find_due(sampler))) {
		struct kri_round *round = round_new(sampler, limit_of(probe));

		if (!round) {
			for (probe = sampler->probes; probe; probe = probe->next)
				probe->is_due = false;
			return -ENOMEM;
		}
		begin_round(round, t_boot_ns);
	}
	return 0;
}

void kri_rounds_cancel(struct kryos_sampler *sampler)
{
	for (struct kri_part *part = sampler->parts, *next; part; part = next) {
		next = part->next;
		kri_batch_forget(part->batch);
		part_free(part);
	}
	for (struct kri_round *round = sampler->rounds, *next; round; round = next) {
		next = round->next;
		round_free(round);
	}
}

bool kri_round_is_open(const struct kryos_sampler *sampler, uint32_t number)
{
	for (const struct kri_round *round = sampler->rounds; round; round = round->next)
		if (round->number == number)
			return true;
	return false;
}
