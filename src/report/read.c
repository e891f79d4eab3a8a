/* SPDX-License-Identifier: Apache-2.0 */
/* A report from a store: its events once, then the samples of the period once. */
#include "report.h"
#include <errno.h>
#include <kryos/reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DAYS 30
/* Where a channel appears only later, what its distances are is learned on the way. */
#define DEFAULT_INTERVAL KRYOS_MINUTES(15)
#define LEARN_RECORDS 4096
/* What a profile is judged by before the period: an excursion that goes on at its beginning began some time. */
#define LOOK_BACK_NS KRYOS_DAYS(30)

struct learner {
	char name[64], unit[16], place[64];
	int64_t last_ns, distances_ns[KRI_REPORT_DISTANCES];
	size_t count;
};

static bool is_measurement_of(const struct kri_report_config *config, const char *channel)
{
	size_t count = strlen(channel);

	if (count > 4 && (strcmp(channel + count - 4, ".min") == 0 || strcmp(channel + count - 4, ".max") == 0))
		return false;
	/* Power has its strip, and its losses, below every curve. */
	return !config->wanted || config->wanted(config->wanted_data, channel) || kri_is_supply(channel);
}

/* The newest sample's time: behind the last seal, which is at most a segment back. 0: there is no sample. */
static int find_end(struct kryos_reader *reader, int64_t *ret_first_ns, int64_t *ret_last_ns)
{
	struct kryos_reader_seal seal = { .size = sizeof(seal) };
	const struct kryos_record *record;
	int64_t sealed = 1;
	int r = kryos_reader_get_seal(reader, 0, &seal);

	*ret_first_ns = *ret_last_ns = 0;
	if (r >= 0)
		sealed = seal.last_seq;
	if (r >= 0 || r == -ENOENT)
		r = kryos_reader_seek(reader, 1);
	if (r >= 0 && (r = kryos_reader_next(reader, &record)) > 0)
		*ret_first_ns = record->sample.t_wall_ns;
	if (r > 0)
		r = kryos_reader_seek(reader, sealed);
	while (r >= 0 && (r = kryos_reader_next(reader, &record)) > 0)
		if (record->sample.t_wall_ns > *ret_last_ns)
			*ret_last_ns = record->sample.t_wall_ns;
	return r < 0 ? r : 0;
}

/* The last 30 days of what is stored, where nothing else was asked for. */
static int find_period(struct kryos_reader *reader, struct kri_report_config *config)
{
	int64_t first_ns, last_ns;
	int r;

	if (config->from_ns != 0 && config->to_ns != INT64_MAX)
		return 0;
	r = find_end(reader, &first_ns, &last_ns);
	if (r < 0)
		return r;
	if (config->to_ns == INT64_MAX)
		config->to_ns = last_ns ? last_ns + 1 : config->printed_ns;
	if (config->to_ns <= config->from_ns)
		config->to_ns = config->from_ns + 1;
	if (config->from_ns == 0) {
		config->from_ns = config->to_ns - KRYOS_DAYS(DEFAULT_DAYS);
		if (first_ns > config->from_ns && first_ns < config->to_ns)
			config->from_ns = first_ns;
	}
	return 0;
}

static void learn(struct learner *learners, size_t *count, const struct kryos_record *record)
{
	struct learner *at = learners;

	while (at < learners + *count && strcmp(at->name, record->channel) != 0)
		at++;
	if (at == learners + *count) {
		if (*count == KRI_REPORT_MAX_CHANNELS)
			return;
		++*count;
		snprintf(at->name, sizeof(at->name), "%s", record->channel);
		snprintf(at->unit, sizeof(at->unit), "%s", record->unit);
		snprintf(at->place, sizeof(at->place), "%s", record->place);
	} else if (at->count < KRI_REPORT_DISTANCES && record->sample.t_wall_ns > at->last_ns) {
		at->distances_ns[at->count++] = record->sample.t_wall_ns - at->last_ns;
	}
	at->last_ns = record->sample.t_wall_ns;
}

/* Channels in the order in which they are measured, and how often, from the first samples of the period. */
static int begin_channels(struct kri_report *report, struct kryos_reader *reader)
{
	struct learner *learners = calloc(KRI_REPORT_MAX_CHANNELS, sizeof(*learners));
	const struct kryos_record *record;
	size_t count = 0;
	int r = 1;

	if (!learners)
		return kryos_fail(-ENOMEM, "out of memory");
	for (int i = 0; i < LEARN_RECORDS && (r = kryos_reader_next(reader, &record)) > 0; i++)
		if (record->sample.t_wall_ns < report->config.to_ns &&
		    is_measurement_of(&report->config, record->channel))
			learn(learners, &count, record);
	for (size_t i = 0; i < count && r >= 0; i++) {
		const struct learner *at = &learners[i];
		struct kri_report_channel *channel;

		r = kri_report_channel(report, at->name, at->unit, at->place, &channel);
		if (r >= 0)
			r = kri_report_begin(report, channel,
			                     at->count ? kri_median(at->distances_ns, at->count) : DEFAULT_INTERVAL);
	}
	free(learners);
	return r;
}

static int begin_late(struct kri_report *report, const struct kryos_record *record)
{
	struct kri_report_channel *channel = kri_report_find(report, record->channel);
	int r;

	if ((channel && channel->columns) || !is_measurement_of(&report->config, record->channel))
		return 0;
	r = kri_report_channel(report, record->channel, record->unit, record->place, &channel);
	return r < 0 ? r : kri_report_begin(report, channel, DEFAULT_INTERVAL);
}

/* What was measured before the period stands into it, and an excursion may have begun then. */
static int read_before(struct kri_report *report, struct kryos_reader *reader)
{
	int64_t from_ns = report->config.from_ns, back_ns = report->config.profile ? LOOK_BACK_NS : 0;
	const struct kryos_record *record;
	int r;

	for (size_t i = 0; i < report->channel_count; i++)
		if (back_ns < 2 * report->channels[i]->interval_ns)
			back_ns = 2 * report->channels[i]->interval_ns;
	r = kryos_reader_seek_time(reader, from_ns > back_ns ? from_ns - back_ns : 0);
	while (r >= 0 && (r = kryos_reader_next(reader, &record)) > 0) {
		const struct kryos_sample *sample = &record->sample;
		struct kri_report_channel *channel = kri_report_find(report, record->channel);

		if (sample->t_wall_ns < from_ns && channel && channel->columns) {
			r = kri_report_take_before(report, channel, sample);
			if (r >= 0 && channel->is_judged)
				r = kri_report_judge(report, channel, sample);
		} else if (sample->t_wall_ns >= from_ns && sample->trust >= KRYOS_TRUST_RTC) {
			break;
		}
	}
	return r < 0 ? r : 0;
}

static int read_samples(struct kri_report *report, struct kryos_reader *reader)
{
	const struct kri_report_config *config = &report->config;
	const struct kryos_record *record;
	int r = kryos_reader_seek_time(reader, config->from_ns);

	if (r >= 0)
		r = begin_channels(report, reader);
	if (r >= 0)
		r = read_before(report, reader);
	if (r >= 0)
		r = kryos_reader_seek_time(reader, config->from_ns);
	while (r >= 0 && (r = kryos_reader_next(reader, &record)) > 0) {
		int64_t t_ns = record->sample.t_wall_ns;

		/* A clock that was wrong may have been ahead of what comes next, but not one that is trusted. */
		if (record->sample.trust >= KRYOS_TRUST_RTC && t_ns - KRYOS_DAYS(1) >= config->to_ns)
			break;
		if (t_ns < config->from_ns || t_ns >= config->to_ns) {
			report->unplaced += record->sample.trust < KRYOS_TRUST_RTC;
			continue;
		}
		r = begin_late(report, record);
		if (r >= 0)
			r = kri_report_take_sample(report, record);
	}
	return r < 0 ? r : 0;
}

/* What became of alarms of which no end was told. */
static int read_open(struct kri_report *report, struct kryos_reader *reader)
{
	const struct kryos_record *record;
	int64_t since_ns = 0;
	int count = kri_report_follow(report, &since_ns), r;

	if (count <= 0)
		return count;
	r = kryos_reader_seek_time(reader, since_ns);
	while (r >= 0 && (r = kryos_reader_next(reader, &record)) > 0) {
		if (record->sample.trust >= KRYOS_TRUST_RTC &&
		    record->sample.t_wall_ns - KRYOS_DAYS(1) >= report->config.to_ns)
			break;
		r = kri_report_follow_sample(report, record);
	}
	if (r >= 0)
		r = kri_report_follow_end(report);
	return r < 0 ? r : 0;
}

static int read_events(struct kri_report *report, struct kryos_reader *reader)
{
	const struct kryos_record *record;
	int r;

	while ((r = kryos_reader_next_event(reader, &record)) > 0) {
		r = kri_report_take_event(report, record);
		if (r < 0)
			break;
	}
	return r;
}

/* Of segments that hold samples of the period; and the newest of all, by which a cut tail is found. */
static int read_seals(struct kri_report *report, struct kryos_reader *reader)
{
	struct kryos_reader_seal seal = { .size = sizeof(seal) };
	int r;

	for (unsigned int i = 0; (r = kryos_reader_get_seal(reader, i, &seal)) >= 0; i++) {
		bool holds = report->first_seq && seal.number <= report->last_seq && seal.last_seq >= report->first_seq;
		struct kri_report_seal *at;

		if (!holds && i > 0)
			continue;
		r = kri_report_grow(&report->seals, report->seal_count, sizeof(*at));
		if (r < 0)
			return r;
		at = &report->seals[report->seal_count++];
		*at = (struct kri_report_seal){ .number = seal.number,
			                        .last_seq = seal.last_seq,
			                        .t_ns = seal.last_wall_ns };
		memcpy(at->hash, seal.hash, sizeof(at->hash));
	}
	return r == -ENOENT ? 0 : r;
}

static int read_device(struct kri_report *report, struct kryos_reader *reader)
{
	struct kryos_reader_device device = { .size = sizeof(device) };
	int r = kryos_reader_get_device(reader, &device);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	memcpy(report->device, device.device, sizeof(report->device));
	memcpy(report->fingerprint, device.fingerprint, sizeof(report->fingerprint));
	return 0;
}

static int fill(struct kri_report *report, struct kryos_reader *reader)
{
	int r = read_events(report, reader);

	if (r >= 0)
		r = read_samples(report, reader);
	if (r >= 0)
		r = read_open(report, reader);
	if (r >= 0)
		r = read_device(report, reader);
	if (r >= 0)
		r = read_seals(report, reader);
	if (r >= 0)
		r = kryos_reader_get_damaged(reader, &report->damaged);
	return r < 0 ? r : kri_report_finish(report);
}

int kri_report_read_station(struct kryos_ctx *ctx, const char *store, char *text, size_t size)
{
	struct kryos_reader *reader = NULL;
	const struct kryos_record *record;
	int r = kryos_reader_open(&reader, ctx, store);

	*text = 0;
	while (r >= 0 && (r = kryos_reader_next_event(reader, &record)) > 0)
		if (record->event->type == KRYOS_EVENT_CONFIGURED &&
		    strcmp(record->event->name, "section station") == 0)
			snprintf(text, size, "%s", record->event->text);
	kryos_reader_close(reader);
	return r;
}

int kri_report_read(struct kri_report **ret_report, struct kryos_ctx *ctx, const char *store,
                    struct kri_report_config *config)
{
	struct kryos_reader *reader = NULL;
	struct kri_report *report = NULL;
	int r = kryos_reader_open(&reader, ctx, store);

	if (r >= 0)
		r = find_period(reader, config);
	kryos_reader_close(reader);
	reader = NULL;
	if (r >= 0)
		r = kryos_reader_open(&reader, ctx, store);
	if (r >= 0)
		r = kri_report_new(&report, config);
	if (r >= 0)
		r = fill(report, reader);
	kryos_reader_close(reader);
	if (r < 0)
		kri_report_free(report);
	else
		*ret_report = report;
	return r;
}
