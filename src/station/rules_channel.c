/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a station file for what is said of a channel: the sensor's channel, its driver, and the twin it names. */
#include "station_rules.h"
#include <kryos/channel.h>
#include <stdio.h>
#include <string.h>

/* A key that was refused by itself is reported already: what the others make without it would be a guess. */
static bool is_whole(const struct kri_section *section)
{
	for (unsigned int key = 0; key < KRI_KEY_COUNT; key++)
		if (section->entries[key].line && !section->entries[key].text)
			return false;
	return true;
}

static enum kri_key find_key(const char *field)
{
	unsigned int key = 0;

	while (key < KRI_KEY_COUNT &&
	       (kri_station_keys[key].section != KRI_SECTION_CHANNEL || strcmp(kri_station_keys[key].name, field) != 0))
		key++;
	return key;
}

static const struct kri_section *find_sensor(const struct kri_judging *judging, const char *channel)
{
	char label[50];

	snprintf(label, sizeof(label), "%.*s", (int)strcspn(channel, "."), channel);
	return kri_station_find(judging->file, KRI_SECTION_SENSOR, label);
}

/* What the driver knows of a channel that was found to be one; false where its sensor has a mistake of its own. */
static bool find_info(const struct kri_judging *judging, const char *channel, struct kryos_channel_info *ret_info)
{
	const struct kryos_sensor_driver *driver;
	struct kryos_description has;

	if (!kri_station_describe(judging->ctx, find_sensor(judging, channel), &driver, &has))
		return false;
	for (size_t i = 0; i < has.channel_count; i++) {
		if (strcmp(has.channels[i].quantity, strchr(channel, '.') + 1) == 0) {
			*ret_info = has.channels[i];
			return true;
		}
	}
	return false;
}

static void judge_twin(struct kri_judging *judging, const struct kri_section *section,
                       const struct kryos_channel_info *info)
{
	const char *name = section->entries[KRI_CHANNEL_AGREES].text, *others;
	const struct kri_section *sensor = find_sensor(judging, section->label), *other, *twin;
	struct kryos_channel_info others_info;
	char every[32], others_every[32];

	if (!kri_judge_channel(judging, section, KRI_CHANNEL_AGREES, name, false) ||
	    !find_info(judging, name, &others_info))
		return;
	other = find_sensor(judging, name);
	if (other == sensor) {
		kri_wrong(judging, section, KRI_CHANNEL_AGREES,
		          "\"%s\" is of the same sensor; another one's channel is allowed", name);
		return;
	}
	if (strcmp(info->unit, others_info.unit) != 0)
		kri_wrong(judging, section, KRI_CHANNEL_AGREES,
		          "\"%s\" is in %s, and %s in %s; the same unit is allowed", name, others_info.unit,
		          section->label, info->unit);
	kri_duration_text(kri_station_number(sensor, KRI_SENSOR_EVERY), every);
	kri_duration_text(kri_station_number(other, KRI_SENSOR_EVERY), others_every);
	if (strcmp(every, others_every) != 0)
		kri_wrong(
			judging, section, KRI_CHANNEL_AGREES,
			"\"%s\" is measured every %s, and %s every %s; only what is measured equally often is compared",
			name, others_every, section->label, every);
	twin = kri_station_find(judging->file, KRI_SECTION_CHANNEL, name);
	others = twin ? twin->entries[KRI_CHANNEL_AGREES].text : NULL;
	if (others && strcmp(others, section->label) == 0 && twin->line < section->line)
		kri_wrong(judging, section, KRI_CHANNEL_AGREES,
		          "[channel %s] on line %d says it already; once is allowed", name, twin->line);
}

/* What was reported, so that the rest can be judged. */
static void forget(struct kryos_channel_config *config, enum kri_key key)
{
	if (key == KRI_CHANNEL_MIN)
		config->has &= ~(uint32_t)KRYOS_CHANNEL_MIN;
	else if (key == KRI_CHANNEL_MAX)
		config->has &= ~(uint32_t)KRYOS_CHANNEL_MAX;
	else if (key == KRI_CHANNEL_RATE)
		config->rate_micro = 0;
	else if (key == KRI_CHANNEL_FROZEN)
		config->frozen_ns = 0;
	else if (key == KRI_CHANNEL_OFFSET)
		config->offset_micro = 0;
	else if (key == KRI_CHANNEL_CERTIFICATE)
		config->certificate = NULL;
	else if (key == KRI_CHANNEL_EXPIRES)
		config->expires_ns = 0;
	if (key == KRI_CHANNEL_AGREES || key == KRI_CHANNEL_WITHIN) {
		config->agrees = NULL;
		config->within_micro = 0;
	}
	if (key == KRI_CHANNEL_POINTS) {
		config->points = NULL;
		config->point_count = 0;
	}
}

/* Where 0 is written it says something; in a config it says nothing. */
static void judge_zeros(struct kri_judging *judging, const struct kri_section *section,
                        struct kryos_channel_config *config)
{
	if (kri_has(section, KRI_CHANNEL_RATE) && !config->rate_micro)
		kri_wrong(judging, section, KRI_CHANNEL_RATE, "0 is not allowed; a move per minute is");
	if (kri_has(section, KRI_CHANNEL_OFFSET) && !config->offset_micro && kri_has(section, KRI_CHANNEL_POINTS))
		kri_wrong(judging, section, KRI_CHANNEL_OFFSET, "is beside points; one of both is allowed");
	if (kri_has(section, KRI_CHANNEL_WITHIN) && !config->within_micro) {
		kri_wrong(judging, section, KRI_CHANNEL_WITHIN, "0 is not allowed; how far both may differ is");
		forget(config, KRI_CHANNEL_WITHIN);
	}
}

void kri_judge_channel_section(struct kri_judging *judging, const struct kri_section *section)
{
	struct kryos_channel_info info;
	struct kri_station_channel said;
	const char *field = NULL;
	enum kri_key key;

	/* A header without a channel's name is reported already. */
	if (!*section->label || !kri_judge_channel(judging, section, KRI_KEY_COUNT, section->label, false) ||
	    !find_info(judging, section->label, &info))
		return;
	if (kri_has(section, KRI_CHANNEL_AGREES))
		judge_twin(judging, section, &info);
	if (!is_whole(section))
		return;
	if (kri_station_channel(section, &said) < 0) {
		kri_wrong(judging, section, KRI_CHANNEL_POINTS, "%s", kryos_strerror(-EINVAL));
		forget(&said.config, KRI_CHANNEL_POINTS);
	}
	judge_zeros(judging, section, &said.config);
	while (kri_channel_check(&said.config, &info, &field) < 0) {
		key = find_key(field);
		kri_wrong(judging, section, key, "%s", kryos_strerror(-EINVAL));
		if (key == KRI_KEY_COUNT)
			return; /* of a channel of two states nothing can be said */
		forget(&said.config, key);
	}
}
