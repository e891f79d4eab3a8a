/* SPDX-License-Identifier: Apache-2.0 */
/* An episode as words, as events carry it, and back. */
#include "../config/config.h"
#include "alarm.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seconds since the boot, exact. */
static void seconds_text(int64_t ns, char text[KRYOS_TEXT_MAX])
{
	char *end;

	snprintf(text, KRYOS_TEXT_MAX, "%" PRId64 ".%09" PRId64, ns / KRYOS_SECONDS(1), ns % KRYOS_SECONDS(1));
	end = text + strlen(text);
	while (end[-1] == '0')
		*--end = '\0';
	if (end[-1] == '.')
		end[-1] = '\0';
}

struct text {
	char *buffer;
	size_t at;
};

static void add(struct text *text, const char *key, const char *value)
{
	snprintf(text->buffer + text->at, KRYOS_EPISODE_TEXT_MAX - text->at, "%s%s=%s", text->at ? " " : "", key,
	         value);
	text->at += strlen(text->buffer + text->at);
}

static void add_instant(struct text *text, const char *key, const struct kryos_instant *instant)
{
	char wall[KRYOS_TEXT_MAX], seconds[KRYOS_TEXT_MAX], value[3 * KRYOS_TEXT_MAX];

	seconds_text(instant->t_boot_ns, seconds);
	snprintf(value, sizeof(value), "%s/%s/%" PRIu32 "/%s", kryos_time_text(instant->t_wall_ns, wall),
	         kryos_trust_name(instant->trust), instant->boot, seconds);
	add(text, key, value);
}

static void add_duration(struct text *text, const char *key, int64_t ns)
{
	char value[32];

	kri_duration_text(ns, value);
	add(text, key, value);
}

char *kryos_episode_text(const struct kryos_episode *episode, char *buffer)
{
	struct text text = { .buffer = buffer };
	char value[KRYOS_TEXT_MAX];

	add(&text, "rule", episode->name);
	buffer[text.at++] = ' ';
	text.at += kri_rule_text(&episode->rule, buffer + text.at, KRYOS_EPISODE_TEXT_MAX - text.at);
	add_instant(&text, "start", &episode->start);
	add_instant(&text, "trigger", &episode->trigger);
	if (episode->has_extreme) {
		add(&text, "extreme", kryos_value_text(episode->extreme_micro, value));
		add_instant(&text, "extreme_at", &episode->extreme_at);
	}
	add_duration(&text, "duration", episode->duration_ns);
	add_duration(&text, "accumulated", episode->accumulated_ns);
	add_duration(&text, "indeterminate", episode->indeterminate_ns);
	snprintf(value, sizeof(value), "%" PRIu32, episode->uncertain);
	add(&text, "uncertain", value);
	if (episode->ended_by != KRYOS_EPISODE_OPEN) {
		add(&text, "ended", kryos_episode_end_name(episode->ended_by));
		add_instant(&text, "end", &episode->end);
	}
	return buffer;
}

/* The next part of an instant, up to a slash or the end. */
static bool next_part(const char **at, char *part, size_t size)
{
	size_t length = strcspn(*at, "/");

	if (length == 0 || length >= size)
		return false;
	memcpy(part, *at, length);
	part[length] = '\0';
	*at += length + ((*at)[length] == '/');
	return true;
}

static bool parse_digits(const char *text, uint64_t maximum, uint64_t *ret_number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return !errno && !*end && *ret_number <= maximum;
}

static bool parse_seconds(char *text, int64_t *ret_ns)
{
	char *point = strchr(text, '.'), digits[] = "000000000";
	uint64_t whole, part = 0;

	if (point) {
		*point++ = '\0';
		if (!*point || strlen(point) > 9)
			return false;
		memcpy(digits, point, strlen(point));
		if (!parse_digits(digits, 999999999, &part))
			return false;
	}
	if (!parse_digits(text, INT64_MAX / KRYOS_SECONDS(1) - 1, &whole))
		return false;
	*ret_ns = (int64_t)(whole * KRYOS_SECONDS(1) + part);
	return true;
}

static bool parse_instant(const char *value, struct kryos_instant *ret_instant)
{
	char part[KRYOS_TEXT_MAX];
	uint64_t number;

	if (!next_part(&value, part, sizeof(part)) || kri_parse_time(part, &ret_instant->t_wall_ns) < 0)
		return false;
	if (!next_part(&value, part, sizeof(part)))
		return false;
	ret_instant->trust = 0;
	while (strcmp(kryos_trust_name(ret_instant->trust), part) != 0)
		if (ret_instant->trust++ == KRYOS_TRUST_SYNCED)
			return false;
	if (!next_part(&value, part, sizeof(part)) || !parse_digits(part, UINT32_MAX, &number))
		return false;
	ret_instant->boot = (uint32_t)number;
	return next_part(&value, part, sizeof(part)) && !*value && parse_seconds(part, &ret_instant->t_boot_ns);
}

static bool parse_end(const char *value, enum kryos_episode_end *ret_end)
{
	for (unsigned int end = KRYOS_EPISODE_RECOVERED; end <= KRYOS_EPISODE_RECONFIGURED; end++) {
		if (strcmp(value, kryos_episode_end_name(end)) == 0) {
			*ret_end = (enum kryos_episode_end)end;
			return true;
		}
	}
	return false;
}

enum { START = 1, TRIGGER = 2, DURATION = 4, NAME = 8, END = 16, ENDED = 32, EXTREME = 64, EXTREME_AT = 128 };

/* A word of an episode that is none of its rule. Until "start" has come, all but the name are the rule's. */
static bool take(struct kryos_episode *episode, unsigned int *seen, const char *key, const char *value)
{
	uint64_t number;

	if (strcmp(key, "rule") == 0) {
		*seen |= NAME;
		snprintf(episode->name, sizeof(episode->name), "%s", value);
		return *value && strlen(value) < sizeof(episode->name);
	}
	if (strcmp(key, "start") == 0) {
		*seen |= START;
		return parse_instant(value, &episode->start);
	}
	if (!(*seen & START))
		return !kri_rule_set(&episode->rule, key, value);
	if (strcmp(key, "trigger") == 0) {
		*seen |= TRIGGER;
		return parse_instant(value, &episode->trigger);
	}
	if (strcmp(key, "extreme") == 0) {
		*seen |= EXTREME;
		episode->has_extreme = 1;
		return kri_parse_micro(value, &episode->extreme_micro) >= 0;
	}
	if (strcmp(key, "extreme_at") == 0) {
		*seen |= EXTREME_AT;
		return parse_instant(value, &episode->extreme_at);
	}
	if (strcmp(key, "duration") == 0) {
		*seen |= DURATION;
		return kri_parse_duration(value, &episode->duration_ns) >= 0;
	}
	if (strcmp(key, "accumulated") == 0)
		return kri_parse_duration(value, &episode->accumulated_ns) >= 0;
	if (strcmp(key, "indeterminate") == 0)
		return kri_parse_duration(value, &episode->indeterminate_ns) >= 0;
	if (strcmp(key, "uncertain") == 0) {
		if (!parse_digits(value, UINT32_MAX, &number))
			return false;
		episode->uncertain = (uint32_t)number;
		return true;
	}
	if (strcmp(key, "ended") == 0) {
		*seen |= ENDED;
		return parse_end(value, &episode->ended_by);
	}
	if (strcmp(key, "end") == 0) {
		*seen |= END;
		return parse_instant(value, &episode->end);
	}
	return true; /* a newer version's */
}

static bool both_or_none(unsigned int seen, unsigned int both)
{
	return !(seen & both) || (seen & both) == both;
}

int kryos_episode_parse(struct kryos_episode *ret_episode, const char *text)
{
	struct kryos_episode episode = { .rule.size = sizeof(episode.rule) };
	char word[160], *equals;
	unsigned int seen = 0;
	size_t length;

	if (!ret_episode || !text)
		return kryos_fail(-EINVAL, "episode: no text, or nowhere to put it");
	for (text += strspn(text, " "); *text; text += length + strspn(text + length, " ")) {
		length = strcspn(text, " ");
		snprintf(word, sizeof(word), "%.*s", (int)length, text);
		equals = strchr(word, '=');
		if (!equals || length >= sizeof(word))
			return kryos_fail(-EINVAL, "episode: \"%s\" is no word; key=value is allowed", word);
		*equals++ = '\0';
		if (!take(&episode, &seen, word, equals))
			return kryos_fail(-EINVAL, "episode: %s: \"%s\" is wrong", word, equals);
	}
	if ((seen & (NAME | START | TRIGGER | DURATION)) != (NAME | START | TRIGGER | DURATION) ||
	    !both_or_none(seen, EXTREME | EXTREME_AT) || !both_or_none(seen, ENDED | END))
		return kryos_fail(-EINVAL,
		                  "episode: rule, start, trigger or duration is missing, or half of its extreme "
		                  "or end");
	*ret_episode = episode;
	ret_episode->rule.name = ret_episode->name;
	return 0;
}
