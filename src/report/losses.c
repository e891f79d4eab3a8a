/* SPDX-License-Identifier: Apache-2.0 */
/* How long channels kept their range after the supply was lost. */
#include "report.h"
#include <errno.h>
#include <string.h>

bool kri_is_supply(const char *channel)
{
	const char *quantity = strrchr(channel, '.');

	return quantity && strcmp(quantity, ".present") == 0;
}

int kri_report_watch_supply(struct kri_report_channel *channel)
{
	struct kryos_holdover_config config = { .size = sizeof(config), .gap_limit_ns = 2 * channel->interval_ns };

	if (!channel->is_of_vaccines || (!channel->has_low && !channel->has_high))
		return 0;
	if (channel->has_low) {
		config.has |= KRYOS_EXPOSURE_LOW;
		config.low_micro = channel->low_edge;
	}
	if (channel->has_high) {
		config.has |= KRYOS_EXPOSURE_HIGH;
		config.high_micro = channel->high_edge;
	}
	return kryos_holdover_new(&channel->holdover, &config);
}

static int keep(struct kri_report *report, const struct kri_report_channel *channel,
                const struct kryos_power_loss *loss)
{
	int r = kri_report_grow(&report->losses, report->loss_count, sizeof(*report->losses));

	if (r >= 0)
		report->losses[report->loss_count++] = (struct kri_report_loss){ channel, *loss };
	return r;
}

static int take_supply(struct kri_report *report, const struct kryos_sample *sample)
{
	int r = 0;

	for (size_t i = 0; i < report->channel_count && r >= 0; i++) {
		struct kri_report_channel *channel = report->channels[i];
		struct kryos_power_loss loss = { .size = sizeof(loss) };

		if (!channel->holdover)
			continue;
		r = kryos_holdover_take_supply(channel->holdover, sample, sample->value_micro != 0, &loss);
		if (r > 0)
			r = keep(report, channel, &loss);
	}
	return r;
}

int kri_report_take_loss(struct kri_report *report, struct kri_report_channel *channel,
                         const struct kryos_sample *sample)
{
	int r = 0;

	if (channel->holdover)
		r = kryos_holdover_take(channel->holdover, sample);
	else if (channel->is_contact && kri_is_supply(channel->name)) {
		if (!report->supply)
			report->supply = channel;
		/* Of several, what the others feed is not known. */
		if (report->supply == channel)
			r = take_supply(report, sample);
	}
	return r == -EINVAL ? 0 : r; /* a time that its boot cannot have */
}

int kri_report_end_losses(struct kri_report *report)
{
	int r = 0;

	for (size_t i = 0; i < report->channel_count && r >= 0; i++) {
		struct kri_report_channel *channel = report->channels[i];
		struct kryos_power_loss loss = { .size = sizeof(loss) };

		r = channel->holdover ? kryos_holdover_look(channel->holdover, &loss) : 0;
		if (r > 0)
			r = keep(report, channel, &loss);
	}
	return r;
}
