/* SPDX-License-Identifier: Apache-2.0 */
#include "ctx.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool name_is_valid(const char *name)
{
	size_t length = name ? strlen(name) : 0;

	return length >= 1 && length <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == length;
}

static int add_locked(struct kryos_ctx *ctx, const char *name, const char *unit, uint32_t *ret_channel)
{
	struct kri_channel **channels, *channel;

	for (uint32_t i = 0; i < ctx->channel_count; i++) {
		if (strcmp(ctx->channels[i]->name, name) != 0)
			continue;
		if (strcmp(ctx->channels[i]->unit, unit) != 0)
			return kryos_fail(-EINVAL, "channel %s: its unit is %s, not %s", name, ctx->channels[i]->unit,
			                  unit);
		*ret_channel = i + 1;
		return 0;
	}
	if (ctx->channel_count == KRI_MAX_CHANNELS)
		return kryos_fail(-ENOSPC, "channel %s: %d channels are in use already", name, KRI_MAX_CHANNELS);
	channels = realloc(ctx->channels, (ctx->channel_count + 1) * sizeof(struct kri_channel *));
	if (!channels)
		return -ENOMEM;
	ctx->channels = channels;
	channel = calloc(1, sizeof(*channel));
	if (!channel)
		return -ENOMEM;
	strcpy(channel->name, name);
	strcpy(channel->unit, unit);
	channels[ctx->channel_count++] = channel;
	*ret_channel = ctx->channel_count;
	return 0;
}

int kryos_channel_add(struct kryos_ctx *ctx, const char *name, const char *unit, uint32_t *ret_channel)
{
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_channel || !unit)
		return -EINVAL;
	if (!name_is_valid(name))
		return kryos_fail(-EINVAL, "channel \"%s\": a name is 1 to 63 of a-z 0-9 _ . -", name ? name : "");
	if (strlen(unit) > 15)
		return kryos_fail(-EINVAL, "channel %s: unit \"%s\" has more than 15 bytes", name, unit);
	pthread_mutex_lock(&ctx->lock);
	r = add_locked(ctx, name, unit, ret_channel);
	pthread_mutex_unlock(&ctx->lock);
	return r;
}

static const struct kri_channel *find(struct kryos_ctx *ctx, uint32_t channel)
{
	static const struct kri_channel unknown = { .name = "?", .unit = "" };
	const struct kri_channel *found = &unknown;

	pthread_mutex_lock(&ctx->lock);
	if (channel >= 1 && channel <= ctx->channel_count)
		found = ctx->channels[channel - 1];
	pthread_mutex_unlock(&ctx->lock);
	return found;
}

const char *kryos_channel_name(struct kryos_ctx *ctx, uint32_t channel)
{
	return find(ctx, channel)->name;
}

const char *kryos_channel_unit(struct kryos_ctx *ctx, uint32_t channel)
{
	return find(ctx, channel)->unit;
}

static const char *const quality_names[] = {
	"good", "absent", "crc",   "bus",          "range",     "power-on", "stuck",
	"rate", "open",   "short", "extrapolated", "disagrees", "timeout",  "chip",
};

static const char *const trust_names[] = { "none", "floor", "rtc", "synced" };

const char *kryos_quality_name(unsigned int quality)
{
	return quality < KRI_ARRAY_SIZE(quality_names) ? quality_names[quality] : "?";
}

int kryos_quality_is_measured(unsigned int quality)
{
	return quality == KRYOS_QUALITY_GOOD || quality == KRYOS_QUALITY_EXTRAPOLATED;
}

bool kri_quality_is_doubtful(unsigned int quality)
{
	return quality == KRYOS_QUALITY_STUCK || quality == KRYOS_QUALITY_RATE || quality == KRYOS_QUALITY_DISAGREES;
}

void kryos_row_from_sample(const struct kryos_sample *sample, struct kryos_row *ret_row)
{
	bool has_value = kryos_quality_is_measured(sample->quality) || kri_quality_is_doubtful(sample->quality);

	*ret_row = (struct kryos_row){
		.seq = sample->seq,
		.t_wall_ns = sample->t_wall_ns,
		.value = has_value ? kryos_micro_to_double(sample->value_micro) : (double)NAN,
		.channel = sample->channel,
		.round = sample->round,
		.boot = sample->boot,
		.quality = sample->quality,
		.trust = sample->trust,
	};
}

const char *kryos_trust_name(unsigned int trust)
{
	return trust < KRI_ARRAY_SIZE(trust_names) ? trust_names[trust] : "?";
}

char *kryos_value_text(int64_t value_micro, char *buffer)
{
	/* As unsigned, so that INT64_MIN has a magnitude. */
	uint64_t magnitude = value_micro < 0 ? 0 - (uint64_t)value_micro : (uint64_t)value_micro;
	int length = snprintf(buffer, KRYOS_TEXT_MAX, "%s%" PRIu64 ".%06" PRIu64, value_micro < 0 ? "-" : "",
	                      magnitude / 1000000, magnitude % 1000000);

	while (buffer[length - 1] == '0')
		buffer[--length] = '\0';
	if (buffer[length - 1] == '.')
		buffer[--length] = '\0';
	return buffer;
}

static char *time_text(int64_t t_wall_ns, bool exact, char *buffer)
{
	int64_t seconds = t_wall_ns / INT64_C(1000000000), rest = t_wall_ns % INT64_C(1000000000);
	struct tm utc;
	time_t whole;
	size_t length;

	if (rest < 0) {
		rest += INT64_C(1000000000);
		seconds--;
	}
	whole = (time_t)seconds;
	gmtime_r(&whole, &utc);
	length = (size_t)snprintf(buffer, KRYOS_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", utc.tm_year + 1900,
	                          utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
	if (rest && exact) {
		length += (size_t)snprintf(buffer + length, KRYOS_TEXT_MAX - length, ".%09" PRId64, rest);
		while (buffer[length - 1] == '0')
			length--;
	}
	memcpy(buffer + length, "Z", sizeof("Z"));
	return buffer;
}

char *kryos_time_text(int64_t t_wall_ns, char *buffer)
{
	return time_text(t_wall_ns, true, buffer);
}

char *kri_second_text(int64_t t_wall_ns, char *buffer)
{
	return time_text(t_wall_ns, false, buffer);
}

void kryos_sample_print(struct kryos_ctx *ctx, const struct kryos_sample *sample, FILE *stream)
{
	char when[KRYOS_TEXT_MAX], value[KRYOS_TEXT_MAX];

	fprintf(stream, "%s %s  %s  ", kri_second_text(sample->t_wall_ns, when), kryos_trust_name(sample->trust),
	        kryos_channel_name(ctx, sample->channel));
	if (kryos_quality_is_measured(sample->quality))
		fprintf(stream, "%s %s  ", kryos_value_text(sample->value_micro, value),
		        kryos_channel_unit(ctx, sample->channel));
	fprintf(stream, "%s\n", kryos_quality_name(sample->quality));
}
