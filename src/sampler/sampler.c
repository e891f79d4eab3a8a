/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler_private.h"
#include <kryos/clock.h>
#include <kryos/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As many as the store takes at once. */
#define SUBMIT_MAX 4096

static void arm(struct kryos_sampler *sampler)
{
	int64_t next = INT64_MAX;

	if (sampler->config.manual)
		return;
	for (const struct kri_probe *probe = sampler->probes; probe; probe = probe->next)
		if (!probe->in_round && probe->due_ns < next)
			next = probe->due_ns;
	if (next == INT64_MAX)
		kri_timer_cancel(sampler->ctx, &sampler->timer);
	else
		kri_timer_set(sampler->ctx, &sampler->timer, next);
}

/* 0 is what a sample has that belongs to no round. */
static void next_number(struct kryos_sampler *sampler)
{
	if (!++sampler->round)
		sampler->round = 1;
}

static void begin(struct kryos_sampler *sampler, int64_t t_boot_ns)
{
	int r;

	next_number(sampler);
	r = kri_rounds_begin(sampler, t_boot_ns);
	if (r < 0)
		kri_log(sampler->ctx, KRYOS_LOG_WARNING, "sampler", r, "round %u was not measured: %s", sampler->round,
		        kryos_strerror(r));
}

/*
 * A round is one instant, and what its samples carry is that instant, though the loop came to it
 * some milliseconds later: durations of alarms are counted between stamps, and 13 readings at 5 min
 * are to make 60 min, not 59 min 59.998 s. When it is really late the samples say so.
 */
static void on_due(struct kri_timer *timer)
{
	struct kryos_sampler *sampler = KRI_CONTAINER_OF(timer, struct kryos_sampler, timer);
	int64_t now = kri_boot_ns(sampler->ctx), instant = -1, slack = KRYOS_SECONDS(1), missed = 0;

	for (struct kri_probe *probe = sampler->probes; probe; probe = probe->next) {
		int64_t intervals = (now - probe->due_ns) / probe->every_ns;

		if (probe->in_round || probe->due_ns > now)
			continue;
		probe->is_due = true;
		missed = intervals > missed ? intervals : missed;
		slack = probe->every_ns / 10 < slack ? probe->every_ns / 10 : slack;
		/* What was missed is not made up for: its instants are gone. */
		probe->due_ns += intervals * probe->every_ns;
		instant = probe->due_ns > instant ? probe->due_ns : instant;
		probe->due_ns += probe->every_ns;
	}
	sampler->status.late += (uint64_t)missed;
	if (instant >= 0)
		begin(sampler, now - instant <= slack ? instant : now);
	arm(sampler);
}

void kri_sampler_round_ended(struct kryos_sampler *sampler, uint32_t number)
{
	arm(sampler);
	if (kri_round_is_open(sampler, number))
		return; /* its slower part */
	sampler->status.rounds++;
	kryos_task_feed(sampler->config.task);
}

static void drop_submission(struct kri_submission *submission)
{
	for (struct kri_submission **at = &submission->sampler->submissions; *at; at = &(*at)->next) {
		if (*at == submission) {
			*at = submission->next;
			break;
		}
	}
	free(submission);
}

/* Announced when it begins, not with every round of a night. */
static void note_outcome(struct kryos_sampler *sampler, int result, size_t count)
{
	char text[256];
	bool refused = result < 0 && result != KRYOS_EVOLATILE;

	if (refused) {
		sampler->status.refused += count;
		snprintf(text, sizeof(text), "%zu samples of round %u were not taken: %s", count, sampler->round,
		         kryos_strerror(result));
		if (!sampler->refusing)
			kri_event_push(sampler->ctx, &(struct kryos_event){ .type = KRYOS_EVENT_STORE,
			                                                    .code = result,
			                                                    .name = "sampler",
			                                                    .text = text });
		kri_log(sampler->ctx, KRYOS_LOG_WARNING, "sampler", result, "%s", text);
	}
	sampler->refusing = refused;
}

static void on_accepted(void *data, int result)
{
	struct kri_submission *submission = data;

	note_outcome(submission->sampler, result, submission->count);
	drop_submission(submission);
}

static int submit_some(struct kryos_sampler *sampler, const struct kryos_sample *samples, size_t count)
{
	struct kri_submission *submission = calloc(1, sizeof(*submission));
	int r;

	if (!submission)
		return -ENOMEM;
	submission->sampler = sampler;
	submission->count = count;
	submission->next = sampler->submissions;
	sampler->submissions = submission;
	r = kri_store_submit(sampler->store, samples, count, on_accepted, submission);
	if (r < 0)
		drop_submission(submission);
	return r;
}

void kri_sampler_submit(struct kryos_sampler *sampler, const struct kryos_sample *samples, size_t count)
{
	while (count) {
		size_t some = count < SUBMIT_MAX ? count : SUBMIT_MAX;
		int r = submit_some(sampler, samples, some);

		if (r < 0)
			note_outcome(sampler, r, some);
		samples += some;
		count -= some;
	}
}

static void destroy_object(struct kri_object *object)
{
	kryos_sampler_free(KRI_CONTAINER_OF(object, struct kryos_sampler, object));
}

int kryos_sampler_new(struct kryos_sampler **ret_sampler, struct kryos_store *store,
                      const struct kryos_sampler_config *config)
{
	struct kryos_sampler *sampler;
	void *userdata;
	int r;

	if (!ret_sampler || !store)
		return kryos_fail(-EINVAL, "sampler: no store given, or no place for the sampler");
	r = kri_ctx_check(kri_store_get_ctx(store));
	if (r < 0)
		return r;
	sampler = calloc(1, sizeof(*sampler));
	if (!sampler)
		return -ENOMEM;
	r = kri_config_copy(&sampler->config, sizeof(sampler->config), config);
	if (r >= 0)
		r = kri_config_number(&sampler->config.every_ns, KRI_ID_EVERY_NS, "sampler: every_ns");
	if (r >= 0 && sampler->config.record_ns)
		r = kri_config_number(&sampler->config.record_ns, KRI_ID_RECORD_NS, "sampler: record_ns");
	if (r >= 0 && sampler->config.monitor && kri_monitor_store(sampler->config.monitor) != store)
		r = kryos_fail(-EINVAL, "sampler: monitor: it is another store's; one on the sampler's own is allowed");
	if (r < 0) {
		free(sampler);
		return r;
	}
	sampler->store = store;
	sampler->ctx = kri_store_get_ctx(store);
	sampler->simulated = kri_clock_source(sampler->ctx, &userdata)->simulated;
	sampler->round = kri_store_get_last_round(store);
	sampler->timer.fire = on_due;
	/* Without a sensor there is nothing to prove. */
	kryos_task_rest(sampler->config.task);
	kri_object_add(sampler->ctx, &sampler->object, destroy_object);
	*ret_sampler = sampler;
	return 0;
}

/* What was measured for a period that is not over yet is no less true. */
static void submit_unfinished(struct kryos_sampler *sampler)
{
	struct kryos_sample samples[3];

	for (struct kri_probe *probe = sampler->probes; probe; probe = probe->next) {
		for (size_t i = 0; i < KRYOS_SENSOR_MAX_CHANNELS; i++) {
			int r;

			if (!probe->records[i].readings)
				continue;
			kri_record_take(&probe->records[i], probe->min_channels[i], probe->max_channels[i], samples);
			r = kryos_store_submit(sampler->store, samples, 3);
			if (r < 0)
				note_outcome(sampler, r, 3);
		}
	}
}

static void probe_free(struct kri_probe *probe)
{
	struct kryos_monitor *monitor = probe->sampler->config.monitor;

	if (probe->sensor)
		probe->sensor->announced = NULL;
	for (size_t i = 0; probe->sensor && monitor && i < probe->sensor->has.channel_count; i++)
		kri_monitor_let_go(monitor, probe->sensor->channels[i]);
	kryos_sensor_close(probe->sensor);
	kri_noted_free(probe);
	free(probe);
}

void kryos_sampler_free(struct kryos_sampler *sampler)
{
	if (!sampler || kri_ctx_check(sampler->ctx) < 0)
		return;
	kri_object_remove(&sampler->object);
	kri_timer_cancel(sampler->ctx, &sampler->timer);
	kri_rounds_cancel(sampler);
	submit_unfinished(sampler);
	for (struct kri_submission *submission = sampler->submissions, *next; submission; submission = next) {
		next = submission->next;
		kri_store_forget(sampler->store, submission);
		drop_submission(submission);
	}
	while (sampler->probes) {
		struct kri_probe *probe = sampler->probes;

		sampler->probes = probe->next;
		probe_free(probe);
	}
	free(sampler);
}

/* Losses and returns are part of the record, beside the context's news of them. */
static void on_announced(void *data, const struct kryos_event *event)
{
	struct kryos_sampler *sampler = data;
	int r = kryos_store_add_event(sampler->store, event);

	if (r < 0)
		kri_log(sampler->ctx, KRYOS_LOG_WARNING, "sampler", r, "%s of %s was not stored: %s",
		        kryos_event_type_name(event->type), event->name, kryos_strerror(r));
	/* After it: what is judged by this change is stored no earlier. */
	r = event->type == KRYOS_EVENT_STATE && sampler->config.monitor
	            ? kri_monitor_take_state(sampler->config.monitor, &event->sample, event->value_ns)
	            : 0;
	if (r < 0)
		kri_log(sampler->ctx, KRYOS_LOG_WARNING, "sampler", r, "a change of %s was not judged: %s", event->name,
		        kryos_strerror(r));
}

void kri_sampler_announce(struct kryos_sampler *sampler, const struct kryos_event *event)
{
	kri_event_push(sampler->ctx, event);
	on_announced(sampler, event);
}

static int configure(struct kri_probe *probe, const struct kryos_sampler_sensor_config *config, const char *name)
{
	char field[64];
	int r;

	snprintf(field, sizeof(field), "%s: every_ns", name);
	probe->every_ns = config->every_ns ? config->every_ns : probe->sampler->config.every_ns;
	r = kri_config_number(&probe->every_ns, KRI_ID_EVERY_NS, field);
	if (r < 0)
		return r;
	snprintf(field, sizeof(field), "%s: record_ns", name);
	probe->record_ns = config->record_ns ? config->record_ns : probe->sampler->config.record_ns;
	if (probe->record_ns)
		r = kri_config_number(&probe->record_ns, KRI_ID_RECORD_NS, field);
	if (r >= 0 && probe->record_ns && probe->record_ns < probe->every_ns && !probe->sampler->config.manual)
		r = kryos_fail(-EINVAL, "%s: record_ns is less than every_ns; a period holds one measurement at least",
		               name);
	return r;
}

static int add_record_channels(struct kri_probe *probe)
{
	struct kryos_ctx *ctx = probe->sampler->ctx;
	char text[80];
	int r = 0;

	for (size_t i = 0; i < probe->sensor->has.channel_count && r >= 0 && probe->record_ns; i++) {
		const char *name = kryos_channel_name(ctx, probe->sensor->channels[i]);
		const char *unit = kryos_channel_unit(ctx, probe->sensor->channels[i]);

		snprintf(text, sizeof(text), "%s.min", name);
		r = kryos_channel_add(ctx, text, unit, &probe->min_channels[i]);
		snprintf(text, sizeof(text), "%s.max", name);
		if (r >= 0)
			r = kryos_channel_add(ctx, text, unit, &probe->max_channels[i]);
	}
	return r;
}

/* Of a line with two states each change is worth knowing when it happens. */
static int follow_edges(struct kri_probe *probe)
{
	const struct kryos_description *has = &probe->sensor->has;

	if (has->channel_count == 1 && has->channels[0].states[0] && !strcmp(probe->sensor->driver->bus, "gpio"))
		return kri_edges_new(probe->sensor);
	return 0;
}

static int set_place(struct kri_probe *probe, const char *place)
{
	struct kryos_store *store = probe->sampler->store;
	size_t i = 0;
	int r;

	if (!place || !place[0])
		return 0;
	while (i < probe->sensor->has.channel_count &&
	       strcmp(probe->sensor->has.channels[i].quantity, "temperature") != 0)
		i++;
	if (i == probe->sensor->has.channel_count)
		return kryos_fail(-EINVAL, "%s: place \"%.40s\" is of a temperature, which a %s does not measure",
		                  probe->sensor->name, place, probe->sensor->driver->title);
	r = kri_store_set_place(store, probe->sensor->channels[i], place);
	if (r >= 0 && probe->record_ns)
		r = kri_store_set_place(store, probe->min_channels[i], place);
	if (r >= 0 && probe->record_ns)
		r = kri_store_set_place(store, probe->max_channels[i], place);
	return r;
}

int kryos_sampler_add_with(struct kryos_sampler *sampler, const char *name, const char *device,
                           const struct kryos_sampler_sensor_config *config)
{
	struct kryos_sampler_sensor_config own = { 0 };
	struct kri_probe *probe, **end;
	int64_t now;
	int r;

	if (!sampler)
		return kryos_fail(-EINVAL, "no sampler given");
	r = kri_ctx_check(sampler->ctx);
	if (r >= 0)
		r = kri_config_copy(&own, sizeof(own), config);
	if (r < 0)
		return r;
	probe = calloc(1, sizeof(*probe));
	if (!probe)
		return -ENOMEM;
	probe->sampler = sampler;
	r = configure(probe, &own, name ? name : "");
	if (r >= 0)
		r = kri_sensor_new_lazy(&probe->sensor, sampler->ctx, name, device, own.sensor);
	if (r < 0)
		goto free_probe;
	r = add_record_channels(probe);
	if (r >= 0)
		r = set_place(probe, own.place);
	if (r >= 0)
		r = kri_twins_take(probe, own.sensor ? own.sensor->channels : NULL);
	if (r >= 0)
		r = kri_noted_take(probe, own.sensor ? own.sensor->channels : NULL, own.who);
	if (r >= 0)
		r = follow_edges(probe);
	if (r < 0)
		goto free_probe;
	kri_noted_tell(probe);
	probe->sensor->announced = on_announced;
	probe->sensor->announced_data = sampler;
	now = kri_boot_ns(sampler->ctx);
	probe->due_ns = (now + probe->every_ns - 1) / probe->every_ns * probe->every_ns;
	for (end = &sampler->probes; *end; end = &(*end)->next)
		;
	*end = probe;
	if (!sampler->status.sensors++)
		kryos_task_feed(sampler->config.task);
	/* The first round may be an hour away; what is missing is worth knowing now. If too much waits, then later. */
	r = kri_sensor_look(probe->sensor);
	if (r < 0)
		kri_log(sampler->ctx, KRYOS_LOG_DEBUG, "sampler", r, "%s: looked for in its first round only", name);
	arm(sampler);
	return 0;
free_probe:
	probe_free(probe);
	return r;
}

int kryos_sampler_add(struct kryos_sampler *sampler, const char *name, const char *device)
{
	return kryos_sampler_add_with(sampler, name, device, NULL);
}

int kryos_sampler_round(struct kryos_sampler *sampler)
{
	int r;

	if (!sampler)
		return kryos_fail(-EINVAL, "no sampler given");
	r = kri_ctx_check(sampler->ctx);
	if (r < 0)
		return r;
	if (sampler->rounds)
		return kryos_fail(-EBUSY, "sampler: round %u is under way", sampler->round);
	for (struct kri_probe *probe = sampler->probes; probe; probe = probe->next)
		probe->is_due = true;
	if (sampler->probes)
		begin(sampler, kri_boot_ns(sampler->ctx));
	return 0;
}

int kryos_sampler_busy(struct kryos_sampler *sampler)
{
	if (!sampler)
		return kryos_fail(-EINVAL, "no sampler given");
	return sampler->rounds || sampler->submissions;
}

int kryos_sampler_get_status(struct kryos_sampler *sampler, struct kryos_sampler_status *ret_status)
{
	uint32_t size;

	if (!sampler || !ret_status || ret_status->size < sizeof(uint32_t))
		return kryos_fail(-EINVAL, "sampler status: no place given, or its size is not set");
	size = ret_status->size;
	memset(ret_status, 0, size);
	memcpy(ret_status, &sampler->status, size < sizeof(sampler->status) ? size : sizeof(sampler->status));
	ret_status->size = size;
	return 0;
}
