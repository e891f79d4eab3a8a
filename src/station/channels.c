/* SPDX-License-Identifier: Apache-2.0 */
/* What a station file says of channels: as the sampler takes it, and until when their calibration is valid. */
#include "station.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRES_SOON_NS KRYOS_DAYS(30)

/* One "reading:true value" of count bytes. */
static int parse_point(const char *text, size_t count, struct kryos_calibration_point *ret_point)
{
	char reading[32], *colon;
	int r;

	if (count < sizeof(reading)) {
		memcpy(reading, text, count);
		reading[count] = 0;
		colon = strchr(reading, ':');
		if (colon) {
			*colon = 0;
			r = kri_parse_micro(reading, &ret_point->reading_micro);
			return r < 0 ? r : kri_parse_micro(colon + 1, &ret_point->true_micro);
		}
	}
	return kryos_fail(-EINVAL, "\"%.*s\" is no point; reading:true value is allowed, as in 0:0.10 5:5.08 25:24.97",
	                  (int)count, text);
}

int kri_station_points(const char *text, struct kryos_calibration_point points[KRYOS_CALIBRATION_MAX_POINTS],
                       size_t *ret_count)
{
	size_t length, count = 0;
	int r = 0;

	for (text += strspn(text, " \t"); *text && r >= 0; text += length + strspn(text + length, " \t")) {
		length = strcspn(text, " \t");
		if (count == KRYOS_CALIBRATION_MAX_POINTS)
			return kryos_fail(-EINVAL, "more than %d; 2 to %d are allowed", KRYOS_CALIBRATION_MAX_POINTS,
			                  KRYOS_CALIBRATION_MAX_POINTS);
		r = parse_point(text, length, &points[count++]);
	}
	*ret_count = count;
	return r;
}

/* 0 where the file says nothing. */
static int64_t number(const struct kri_section *section, enum kri_key key)
{
	return section->entries[key].text ? section->entries[key].number : 0;
}

int kri_station_channel(const struct kri_section *section, struct kri_station_channel *ret_channel)
{
	const struct kri_entry *entries = section->entries;
	struct kryos_channel_config *config = &ret_channel->config;
	const char *dot = strchr(section->label, '.');

	*config = (struct kryos_channel_config){
		.size = sizeof(*config),
		.has = (entries[KRI_CHANNEL_MIN].text ? KRYOS_CHANNEL_MIN : 0U) |
		       (entries[KRI_CHANNEL_MAX].text ? KRYOS_CHANNEL_MAX : 0U),
		.quantity = dot ? dot + 1 : "",
		.min_micro = number(section, KRI_CHANNEL_MIN),
		.max_micro = number(section, KRI_CHANNEL_MAX),
		.rate_micro = number(section, KRI_CHANNEL_RATE),
		.frozen_ns = number(section, KRI_CHANNEL_FROZEN),
		.agrees = entries[KRI_CHANNEL_AGREES].text,
		.within_micro = number(section, KRI_CHANNEL_WITHIN),
		.offset_micro = number(section, KRI_CHANNEL_OFFSET),
		.certificate = entries[KRI_CHANNEL_CERTIFICATE].text,
		.calibrated_ns = number(section, KRI_CHANNEL_CALIBRATED),
		.expires_ns = number(section, KRI_CHANNEL_EXPIRES),
	};
	if (!entries[KRI_CHANNEL_POINTS].text)
		return 0;
	config->points = ret_channel->points;
	return kri_station_points(entries[KRI_CHANNEL_POINTS].text, ret_channel->points, &config->point_count);
}

bool kri_station_is_channel_of(const struct kri_section *section, const char *sensor)
{
	size_t count = strlen(sensor);

	return section->kind == KRI_SECTION_CHANNEL && strncmp(section->label, sensor, count) == 0 &&
	       section->label[count] == '.';
}

int kri_station_channels(const struct kri_station_file *file, const char *sensor,
                         struct kri_station_channels *ret_channels)
{
	size_t count = 0;
	int r = 0;

	memset(ret_channels, 0, sizeof(*ret_channels));
	for (const struct kri_section *section = file->sections; section && r >= 0; section = section->next) {
		/* A sensor has no more channels, and each has one section. */
		if (!kri_station_is_channel_of(section, sensor) || count == KRYOS_SENSOR_MAX_CHANNELS)
			continue;
		r = kri_station_channel(section, &ret_channels->channels[count]);
		ret_channels->configs[count] = &ret_channels->channels[count].config;
		count++;
	}
	return r;
}

void kri_station_each_expiry(const struct kri_station_file *file, const struct kryos_time *now, kri_expiry_fn expiry,
                             void *data)
{
	char text[200], day[KRYOS_TEXT_MAX];

	/* By a clock that is not known to be right nothing expires. */
	if (now->trust < KRYOS_TRUST_RTC)
		return;
	for (const struct kri_section *section = file->sections; section; section = section->next) {
		const char *certificate = section->entries[KRI_CHANNEL_CERTIFICATE].text;
		int64_t expires = number(section, KRI_CHANNEL_EXPIRES);

		if (!expires || now->t_wall_ns < expires - EXPIRES_SOON_NS)
			continue;
		kryos_time_text(expires, day);
		snprintf(text, sizeof(text), "%s: the calibration%s%s %s on %.10s", section->label,
		         certificate ? " " : "", certificate ? certificate : "",
		         now->t_wall_ns < expires ? "expires" : "has expired", day);
		expiry(data, section->entries[KRI_CHANNEL_EXPIRES].line, text);
	}
}
