/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in force of a probe's channels goes to the store before anything is measured with it, and is an event where
 * it differs from what was in force before: for whoever asks later by which correction a value came to be.
 */
#include "sampler_private.h"
#include <kryos/channel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The config of that channel, which the sensor has checked; NULL: nothing is said of it. */
static const struct kryos_channel_config *find_config(const struct kryos_channel_config *const *configs,
                                                      const char *quantity)
{
	for (; configs && *configs; configs++)
		if (!strcmp((*configs)->quantity, quantity))
			return *configs;
	return NULL;
}

static int take(struct kri_probe *probe, size_t channel, const struct kryos_channel_config *config)
{
	struct kryos_channel_config own = { 0 };
	char text[KRI_CHANNEL_TEXT];
	int r = config ? kri_config_copy(&own, sizeof(own), config) : 0;

	if (r < 0)
		return r;
	kri_channel_text(&own, text, sizeof(text));
	probe->noted[channel] = strdup(text);
	return probe->noted[channel] ? 0 : -ENOMEM;
}

int kri_noted_take(struct kri_probe *probe, const struct kryos_channel_config *const *configs, const char *who)
{
	const struct kryos_description *has = &probe->sensor->has;
	int r = 0;

	who = who ? who : "program";
	if (!*who || strlen(who) >= sizeof(probe->who) || strpbrk(who, ";\r\n"))
		return kryos_fail(-EINVAL,
		                  "%s: who: \"%.40s\" is not allowed; 1 to 31 bytes on one line without \";\" are",
		                  probe->sensor->name, who);
	snprintf(probe->who, sizeof(probe->who), "%s", who);
	for (size_t i = 0; i < has->channel_count && r >= 0; i++)
		r = take(probe, i, find_config(configs, has->channels[i].quantity));
	return r;
}

void kri_noted_tell(struct kri_probe *probe)
{
	struct kryos_sampler *sampler = probe->sampler;

	for (size_t i = 0; i < probe->sensor->has.channel_count; i++) {
		const char *name = kryos_channel_name(sampler->ctx, probe->sensor->channels[i]);
		int r;

		if (!probe->noted[i])
			continue;
		r = kri_store_note(sampler->store, KRYOS_EVENT_CALIBRATION, name, probe->noted[i], probe->who);
		if (r < 0) {
			kri_log(sampler->ctx, KRYOS_LOG_WARNING, "sampler", r,
			        "%s: what is in force of it is not stored yet: %s", name, kryos_strerror(r));
			continue;
		}
		if (r > 0)
			kri_log(sampler->ctx, KRYOS_LOG_NOTICE, "sampler", 0, "%s: by %s now: %s", name, probe->who,
			        *probe->noted[i] ? probe->noted[i] : "nothing said");
		free(probe->noted[i]);
		probe->noted[i] = NULL;
	}
}

void kri_noted_free(struct kri_probe *probe)
{
	for (size_t i = 0; i < KRYOS_SENSOR_MAX_CHANNELS; i++)
		free(probe->noted[i]);
}
