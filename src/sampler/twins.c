/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two probes at one place that have to agree. Of two that differ nobody knows which is right, so both samples of that
 * round are flagged; what is no measurement says nothing about the other. The event comes when they begin to differ,
 * and when they have agreed for a while: at the edge of what is allowed noise would make one of every round.
 */
#include "sampler_private.h"
#include <kryos/channel.h>
#include <stdio.h>
#include <string.h>

#define AGREES_NS KRYOS_MINUTES(10)

static size_t channel_of(const struct kri_probe *probe, uint32_t channel)
{
	size_t i = 0;

	while (i < probe->sensor->has.channel_count && probe->sensor->channels[i] != channel)
		i++;
	return i;
}

static bool has_channel(const struct kri_probe *probe, uint32_t channel)
{
	return channel_of(probe, channel) < probe->sensor->has.channel_count;
}

static int take(struct kri_probe *probe, const struct kryos_channel_config *config)
{
	struct kryos_ctx *ctx = probe->sampler->ctx;
	const struct kryos_description *has = &probe->sensor->has;
	struct kri_twin *twin;
	size_t i = 0;
	int r;

	/* The sensor has found it before. */
	while (i + 1 < has->channel_count && strcmp(has->channels[i].quantity, config->quantity) != 0)
		i++;
	twin = &probe->twins[i];
	twin->within_micro = config->within_micro;
	r = kryos_channel_add(ctx, config->agrees, has->channels[i].unit, &twin->other);
	if (r < 0)
		return r;
	if (has_channel(probe, twin->other))
		return kryos_fail(-EINVAL, "%s: agrees: %s is of the same sensor; another one's channel is allowed",
		                  kryos_channel_name(ctx, probe->sensor->channels[i]), config->agrees);
	return 0;
}

/* Whether two probes that are compared can be: one says it of the other, both are due at the same instants. */
static int check_pair(const struct kri_probe *one, const struct kri_probe *other)
{
	struct kryos_ctx *ctx = one->sampler->ctx;

	for (size_t i = 0; i < one->sensor->has.channel_count; i++) {
		const struct kri_twin *twin = &one->twins[i];
		size_t k = twin->other ? channel_of(other, twin->other) : other->sensor->has.channel_count;

		if (k == other->sensor->has.channel_count)
			continue;
		if (one->every_ns != other->every_ns)
			return kryos_fail(
				-EINVAL,
				"%s: agrees: %s is not measured equally often, so that not every round has both",
				kryos_channel_name(ctx, one->sensor->channels[i]),
				kryos_channel_name(ctx, twin->other));
		if (other->twins[k].other == one->sensor->channels[i])
			return kryos_fail(-EINVAL, "%s: agrees: %s says it already; once is allowed",
			                  kryos_channel_name(ctx, one->sensor->channels[i]),
			                  kryos_channel_name(ctx, twin->other));
	}
	return 0;
}

int kri_twins_take(struct kri_probe *probe, const struct kryos_channel_config *const *configs)
{
	struct kryos_channel_config own;
	int r = 0;

	for (; configs && *configs && r >= 0; configs++) {
		memset(&own, 0, sizeof(own));
		r = kri_config_copy(&own, sizeof(own), *configs);
		if (r >= 0 && own.agrees)
			r = take(probe, &own);
	}
	for (const struct kri_probe *other = probe->sampler->probes; other && r >= 0; other = other->next) {
		r = check_pair(probe, other);
		if (r >= 0)
			r = check_pair(other, probe);
	}
	return r;
}

/* A channel may be one of several pairs: that it differs from one says nothing about another. */
static bool is_comparable(const struct kryos_sample *sample)
{
	return kryos_quality_is_measured(sample->quality) || sample->quality == KRYOS_QUALITY_DISAGREES;
}

static bool differ(const struct kri_twin *twin, const struct kryos_sample *one, const struct kryos_sample *other)
{
	int64_t apart;

	if (__builtin_sub_overflow(one->value_micro, other->value_micro, &apart))
		return true;
	return apart > twin->within_micro || apart < -twin->within_micro;
}

static void announce(struct kryos_sampler *sampler, const struct kri_twin *twin, const struct kryos_sample *one,
                     const struct kryos_sample *other)
{
	const char *name = kryos_channel_name(sampler->ctx, one->channel);
	const char *unit = kryos_channel_unit(sampler->ctx, one->channel);
	char value[KRYOS_TEXT_MAX], others[KRYOS_TEXT_MAX], within[KRYOS_TEXT_MAX], text[300];

	snprintf(text, sizeof(text),
	         twin->disagrees ? "%s %s, and %s %s: more than %s apart" : "%s %s, and %s %s: within %s for 10 min",
	         kryos_value_text(one->value_micro, value), unit, kryos_channel_name(sampler->ctx, other->channel),
	         kryos_value_text(other->value_micro, others), kryos_value_text(twin->within_micro, within));
	kri_log(sampler->ctx, twin->disagrees ? KRYOS_LOG_WARNING : KRYOS_LOG_NOTICE, "sampler", 0, "%s: %s", name,
	        text);
	kri_sampler_announce(
		sampler, &(struct kryos_event){ .type = twin->disagrees ? KRYOS_EVENT_DISAGREES : KRYOS_EVENT_AGREES,
	                                        .name = name,
	                                        .text = text,
	                                        .sample = *one });
}

void kri_twin_judge(struct kryos_sampler *sampler, struct kri_twin *twin, struct kryos_sample *sample,
                    struct kryos_sample *other)
{
	if (!is_comparable(sample) || !is_comparable(other)) {
		twin->agrees = false; /* that they agree without a break is not known any more */
		return;
	}
	if (differ(twin, sample, other)) {
		sample->quality = other->quality = KRYOS_QUALITY_DISAGREES;
		twin->agrees = false;
		if (twin->disagrees)
			return;
		twin->disagrees = true;
		announce(sampler, twin, sample, other);
		return;
	}
	if (!twin->disagrees)
		return;
	if (!twin->agrees)
		twin->agrees_since_ns = sample->t_boot_ns;
	twin->agrees = true;
	if (sample->t_boot_ns - twin->agrees_since_ns < AGREES_NS)
		return;
	twin->disagrees = false;
	announce(sampler, twin, sample, other);
}
