/* SPDX-License-Identifier: Apache-2.0 */
/* Doors and power: what they were, from their changes. */
#include "report.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct kri_report_contact *kri_report_contact(struct kri_report *report, const char *name)
{
	struct kri_report_contact *contact;

	for (size_t i = 0; i < report->contact_count; i++)
		if (strcmp(report->contacts[i].name, name) == 0)
			return &report->contacts[i];
	if (kri_report_grow(&report->contacts, report->contact_count, sizeof(*contact)) < 0)
		return NULL;
	contact = &report->contacts[report->contact_count++];
	memset(contact, 0, sizeof(*contact));
	snprintf(contact->name, sizeof(contact->name), "%s", name);
	contact->is_power = kri_is_supply(name);
	contact->since_ns = INT64_MIN;
	return contact;
}

bool kri_contact_was_seen(const struct kri_report *report, const struct kri_report_contact *contact)
{
	unsigned int bit = contact->is_power ? 1 : 2;

	for (size_t i = 0; i < report->channel_count; i++) {
		const struct kri_report_channel *channel = report->channels[i];

		if (!channel->columns || strcmp(channel->name, contact->name) != 0)
			continue;
		for (size_t at = 0; at < KRI_REPORT_COLUMNS; at++)
			if (channel->columns[at].states & bit)
				return true;
	}
	return false;
}

/* A stretch in which the contact was as is told of: open, or absent. What lies outside of the period counts nothing. */
static int add_stretch(struct kri_report *report, struct kri_report_contact *contact, int64_t from_ns, int64_t to_ns)
{
	int r;

	if (from_ns < report->config.from_ns)
		from_ns = report->config.from_ns;
	if (to_ns > report->config.to_ns)
		to_ns = report->config.to_ns;
	if (to_ns <= from_ns)
		return 0;
	r = kri_report_grow(&contact->spans, contact->count, sizeof(*contact->spans));
	if (r < 0)
		return r;
	contact->spans[contact->count++] = (struct kri_span_of_time){ from_ns, to_ns };
	contact->total_ns += to_ns - from_ns;
	if (to_ns - from_ns > contact->longest_ns)
		contact->longest_ns = to_ns - from_ns;
	return 0;
}

int kri_report_end_contact(struct kri_report *report, struct kri_report_contact *contact)
{
	int r = 0;

	if (contact->since_ns != INT64_MIN)
		r = add_stretch(report, contact, contact->since_ns, report->config.to_ns);
	contact->since_ns = INT64_MIN;
	return r;
}

int kri_report_take_state(struct kri_report *report, const struct kryos_record *record)
{
	struct kri_report_contact *contact = kri_report_contact(report, record->event->name);
	int64_t now_ns = record->sample.t_wall_ns, since_ns;
	bool told;

	if (!contact)
		return kryos_fail(-ENOMEM, "out of memory");
	told = contact->is_power ? record->event->code == 0 : record->event->code != 0;
	if (told) {
		contact->since_ns = now_ns;
		return 0;
	}
	/* What it lasted is on the boot's clock; its beginning was perhaps before the store's first event. */
	since_ns = record->event->value_ns > 0 ? now_ns - record->event->value_ns : contact->since_ns;
	contact->since_ns = INT64_MIN;
	return since_ns == INT64_MIN ? 0 : add_stretch(report, contact, since_ns, now_ns);
}
