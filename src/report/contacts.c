/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doors and power: how long they were as is told of, open or absent.
 *
 * A change tells it to the instant, and how long the other state had lasted. Where none does, because nothing ran when
 * it happened, measurements say it: as any value, a state that was seen stands until the next one is, for two intervals
 * at most. Where nothing was seen behind that, it lasted at least so long.
 */
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
	contact->known_ns = INT64_MIN;
	return contact;
}

static int begin_stretch(struct kri_report_contact *contact, int64_t from_ns, int64_t to_ns, bool begin_unknown)
{
	int r = kri_report_grow(&contact->spans, contact->count, sizeof(*contact->spans));

	if (r >= 0)
		contact->spans[contact->count++] = (struct kri_report_stretch){ from_ns, to_ns, begin_unknown, false };
	return r;
}

static int64_t stands_until(const struct kri_report_contact *contact)
{
	return contact->known_ns == INT64_MIN ? INT64_MIN : contact->known_ns + 2 * contact->interval_ns;
}

/* The state that was seen last stands until then, or as far as it does. */
static void hold(struct kri_report_contact *contact, int64_t t_ns)
{
	int64_t until_ns = stands_until(contact);
	struct kri_report_stretch *stretch;

	if (!contact->is_so || t_ns < contact->known_ns)
		return;
	stretch = &contact->spans[contact->count - 1];
	stretch->to_ns = until_ns < t_ns ? until_ns : t_ns;
	stretch->end_unknown = until_ns < t_ns;
}

/* Before a change it was in the other state, so each begins a stretch. */
static int observe(struct kri_report_contact *contact, int64_t t_ns, bool is_so, bool is_change)
{
	bool is_known = t_ns >= contact->known_ns && t_ns <= stands_until(contact);
	int r = 0;

	hold(contact, t_ns);
	if (is_so && (is_change || !contact->is_so || !is_known))
		r = begin_stretch(contact, t_ns, t_ns, !is_change && !is_known);
	contact->is_so = is_so && r >= 0;
	contact->known_ns = t_ns;
	return r;
}

/* For as long as it is told to have lasted, it did, whatever was seen of it. */
static int take_change(struct kri_report_contact *contact, const struct kri_report_change *change)
{
	int64_t from_ns = change->t_ns - change->lasted_ns;
	int r = observe(contact, change->t_ns, change->is_so, true);

	if (r < 0 || change->is_so || change->lasted_ns <= 0)
		return r;
	while (contact->count && contact->spans[contact->count - 1].to_ns > from_ns)
		if (contact->spans[--contact->count].from_ns < from_ns)
			from_ns = contact->spans[contact->count].from_ns;
	return begin_stretch(contact, from_ns, change->t_ns, false);
}

static int take_changes(struct kri_report_contact *contact, int64_t until_ns)
{
	int r = 0;

	while (r >= 0 && contact->change_at < contact->change_count &&
	       contact->changes[contact->change_at].t_ns <= until_ns)
		r = take_change(contact, &contact->changes[contact->change_at++]);
	return r;
}

/* The mean of a period in which it was in both states says neither, but that it was so, if nothing else told it. */
static int see_both(struct kri_report_contact *contact, int64_t t_ns)
{
	if (contact->is_so ||
	    (contact->count && contact->spans[contact->count - 1].to_ns >= t_ns - contact->interval_ns))
		return 0;
	return begin_stretch(contact, t_ns, t_ns, true);
}

int kri_report_see_contact(struct kri_report *report, const struct kri_report_channel *channel,
                           const struct kryos_sample *sample)
{
	struct kri_report_contact *contact = kri_report_contact(report, channel->name);
	bool is_one = sample->value_micro == 1000000;
	int r;

	if (!contact)
		return kryos_fail(-ENOMEM, "out of memory");
	contact->interval_ns = channel->interval_ns;
	r = take_changes(contact, sample->t_wall_ns);
	/* What is older than what was seen says no more. */
	if (r < 0 || sample->t_wall_ns < contact->known_ns)
		return r;
	if (sample->value_micro && !is_one)
		return see_both(contact, sample->t_wall_ns);
	return observe(contact, sample->t_wall_ns, is_one != contact->is_power, false);
}

int kri_report_take_state(struct kri_report *report, const struct kryos_record *record)
{
	struct kri_report_contact *contact = kri_report_contact(report, record->event->name);
	struct kri_report_change change = { .t_ns = record->sample.t_wall_ns, .lasted_ns = record->event->value_ns };
	struct kri_report_change *last;
	int r;

	if (!contact)
		return kryos_fail(-ENOMEM, "out of memory");
	change.is_so = (record->event->code != 0) != contact->is_power;
	last = contact->change_count ? &contact->changes[contact->change_count - 1] : NULL;
	/* Of those before the period the last is enough, of those after it the first. */
	if (last && last->t_ns >= report->config.to_ns && change.t_ns >= report->config.to_ns)
		return 0;
	if (last && last->t_ns < report->config.from_ns && change.t_ns < report->config.from_ns) {
		*last = change;
		return 0;
	}
	r = kri_report_grow(&contact->changes, contact->change_count, sizeof(*contact->changes));
	if (r >= 0)
		contact->changes[contact->change_count++] = change;
	return r;
}

int kri_report_end_contact(struct kri_report *report, struct kri_report_contact *contact)
{
	int64_t begin_ns = report->config.from_ns, end_ns = report->config.to_ns;
	size_t kept = 0;
	int r = take_changes(contact, INT64_MAX);

	if (r < 0)
		return r;
	hold(contact, INT64_MAX);
	for (size_t i = 0; i < contact->count; i++) {
		struct kri_report_stretch at = contact->spans[i];

		/* What lies outside of the period counts nothing. */
		if (at.from_ns >= end_ns || (at.to_ns <= begin_ns && at.from_ns < begin_ns))
			continue;
		contact->is_at_least |=
			(at.begin_unknown && at.from_ns > begin_ns) || (at.end_unknown && at.to_ns < end_ns);
		at.from_ns = at.from_ns < begin_ns ? begin_ns : at.from_ns;
		at.to_ns = at.to_ns > end_ns ? end_ns : at.to_ns;
		contact->total_ns += at.to_ns - at.from_ns;
		if (at.to_ns - at.from_ns > contact->longest_ns)
			contact->longest_ns = at.to_ns - at.from_ns;
		contact->spans[kept++] = at;
	}
	contact->count = kept;
	return 0;
}
