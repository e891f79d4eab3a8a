/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int kri_report_grow(void *array, size_t count, size_t size)
{
	void **at = array, *grown;

	/* A power of two, and 0: all that there is room for is taken. */
	if (count & (count - 1))
		return 0;
	grown = realloc(*at, (count ? 2 * count : 1) * size);
	if (!grown)
		return kryos_fail(-ENOMEM, "out of memory");
	*at = grown;
	return 0;
}

/* Local midnights from the one before the period to the one after it. */
static int lay_out_days(struct kri_report *report)
{
	const struct kri_report_config *config = &report->config;
	size_t room = (size_t)((config->to_ns - config->from_ns) / KRYOS_HOURS(23)) + 3;

	report->day_starts = calloc(room, sizeof(*report->day_starts));
	if (!report->day_starts)
		return kryos_fail(-ENOMEM, "out of memory");
	report->day_starts[0] = kri_local_midnight(config->from_ns);
	do {
		int64_t next = kri_next_midnight(report->day_starts[report->day_count]);

		report->day_starts[++report->day_count] = next;
	} while (report->day_starts[report->day_count] < config->to_ns && report->day_count + 1 < room);
	return 0;
}

int kri_report_new(struct kri_report **ret_report, const struct kri_report_config *config)
{
	struct kri_report *report;
	int r;

	if (config->from_ns >= config->to_ns || config->to_ns - config->from_ns > KRYOS_DAYS(3660))
		return kryos_fail(-EINVAL,
		                  "a report of this period cannot be made; its end must be after its beginning, "
		                  "and it may have 3660 days");
	report = calloc(1, sizeof(*report));
	if (!report)
		return kryos_fail(-ENOMEM, "out of memory");
	report->config = *config;
	snprintf(report->station, sizeof(report->station), "%s", config->station);
	report->channels = calloc(KRI_REPORT_MAX_CHANNELS, sizeof(*report->channels));
	r = report->channels ? lay_out_days(report) : kryos_fail(-ENOMEM, "out of memory");
	if (r < 0) {
		kri_report_free(report);
		return r;
	}
	*ret_report = report;
	return 0;
}

static void free_channel(struct kri_report_channel *channel)
{
	if (!channel)
		return;
	kryos_exposure_free(channel->exposure);
	kryos_evaluator_free(channel->evaluator);
	kryos_holdover_free(channel->holdover);
	free(channel->columns);
	free(channel->days);
	free(channel->gaps);
	free(channel->calibration);
	free(channel->certificate);
	free(channel);
}

static void free_contact(struct kri_report_contact *contact)
{
	free(contact->spans);
	free(contact->changes);
}

void kri_report_free(struct kri_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->channel_count; i++)
		free_channel(report->channels[i]);
	for (size_t i = 0; i < report->contact_count; i++)
		free_contact(&report->contacts[i]);
	for (size_t i = 0; i < report->episode_count; i++)
		kri_report_unfollow(&report->episodes[i]);
	free(report->channels);
	free(report->day_starts);
	free(report->episodes);
	free(report->contacts);
	free(report->losses);
	free(report->retired);
	free(report->seals);
	free(report->given_up);
	free(report->restarts);
	free(report->offsets);
	free(report->start);
	free(report->start_version);
	free(report->test);
	free(report);
}

/* Samples of a round come in the same order each time, so the next one asked for is mostly the next one that there is.
 */
struct kri_report_channel *kri_report_find(struct kri_report *report, const char *name)
{
	for (size_t i = 0; i < report->channel_count; i++) {
		size_t at = (report->looked_at + 1 + i) % report->channel_count;

		if (strcmp(report->channels[at]->name, name) == 0) {
			report->looked_at = at;
			return report->channels[at];
		}
	}
	return NULL;
}

int kri_report_channel(struct kri_report *report, const char *name, const char *unit, const char *place,
                       struct kri_report_channel **ret_channel)
{
	struct kri_report_channel *channel = kri_report_find(report, name);

	if (!channel) {
		if (report->channel_count == KRI_REPORT_MAX_CHANNELS)
			return kryos_fail(-E2BIG, "there are more than %d channels; -c names those that are wanted",
			                  KRI_REPORT_MAX_CHANNELS);
		channel = calloc(1, sizeof(*channel));
		if (!channel)
			return kryos_fail(-ENOMEM, "out of memory");
		snprintf(channel->name, sizeof(channel->name), "%s", name);
		report->channels[report->channel_count++] = channel;
	}
	if (*unit) {
		snprintf(channel->unit, sizeof(channel->unit), "%s", unit);
		channel->is_temperature = strcmp(unit, "Cel") == 0;
		channel->is_contact = strcmp(unit, "/") == 0;
	}
	if (*place)
		snprintf(channel->place, sizeof(channel->place), "%s", place);
	/* Of what is measured around the vaccines, profiles and vial monitors say nothing. */
	channel->is_of_vaccines = channel->is_temperature && strcmp(channel->place, "ambient") != 0 &&
	                          strcmp(channel->place, "condenser") != 0;
	*ret_channel = channel;
	return 0;
}
