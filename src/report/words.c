/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const words[KRI_WORD_COUNT][KRI_LANGUAGE_COUNT] = {
#define WORD(name, en, fr, es, pt) { en, fr, es, pt },
#include "words.def"
#undef WORD
};
static const char *const codes[KRI_LANGUAGE_COUNT] = { "en", "fr", "es", "pt" };

const char *kri_word(enum kri_language language, enum kri_word word)
{
	return words[word][language];
}

const char *kri_language_code(enum kri_language language)
{
	return (unsigned int)language < KRI_LANGUAGE_COUNT ? codes[language] : NULL;
}

int kri_language_find(const char *code)
{
	for (int i = 0; i < KRI_LANGUAGE_COUNT; i++)
		if (strcmp(codes[i], code) == 0)
			return i;
	return kryos_fail(-EINVAL, "there is no language \"%.20s\"; en, fr, es and pt are allowed", code);
}

char *kri_phrase(enum kri_language language, enum kri_word word, const char *one, const char *two, char *buffer,
                 size_t size)
{
	const char *from = kri_word(language, word);
	size_t at = 0;

	buffer[0] = 0;
	while (*from && at + 1 < size) {
		bool is_place = from[0] == '{' && (from[1] == '1' || from[1] == '2') && from[2] == '}';

		if (is_place) {
			snprintf(buffer + at, size - at, "%s", from[1] == '1' ? one : two);
			at += strlen(buffer + at);
			from += 3;
		} else {
			buffer[at++] = *from++;
			buffer[at] = 0;
		}
	}
	return buffer;
}

char *kri_span_text(enum kri_language language, int64_t ns, char *buffer)
{
	const char *day = kri_word(language, KRI_WORD_UNIT_DAY), *hour = kri_word(language, KRI_WORD_UNIT_HOUR),
		   *minute = kri_word(language, KRI_WORD_UNIT_MINUTE),
		   *second = kri_word(language, KRI_WORD_UNIT_SECOND);
	long long seconds = ns / KRYOS_SECONDS(1);

	if (seconds >= 86400 && seconds / 60 % 60)
		snprintf(buffer, KRYOS_TEXT_MAX, "%lld %s %lld %s %02lld %s", seconds / 86400, day, seconds / 3600 % 24,
		         hour, seconds / 60 % 60, minute);
	else if (seconds >= 86400 && seconds / 3600 % 24)
		snprintf(buffer, KRYOS_TEXT_MAX, "%lld %s %lld %s", seconds / 86400, day, seconds / 3600 % 24, hour);
	else if (seconds >= 86400)
		snprintf(buffer, KRYOS_TEXT_MAX, "%lld %s", seconds / 86400, day);
	else if (seconds >= 3600 && seconds / 60 % 60 == 0)
		snprintf(buffer, KRYOS_TEXT_MAX, "%lld %s", seconds / 3600, hour);
	else if (seconds >= 3600)
		snprintf(buffer, KRYOS_TEXT_MAX, "%lld %s %02lld %s", seconds / 3600, hour, seconds / 60 % 60, minute);
	else if (seconds >= 60 && seconds % 60 == 0)
		snprintf(buffer, KRYOS_TEXT_MAX, "%lld %s", seconds / 60, minute);
	else if (seconds >= 60)
		snprintf(buffer, KRYOS_TEXT_MAX, "%lld %s %02lld %s", seconds / 60, minute, seconds % 60, second);
	else if (seconds > 0)
		snprintf(buffer, KRYOS_TEXT_MAX, "%lld %s", seconds, second);
	else
		snprintf(buffer, KRYOS_TEXT_MAX, "0");
	return buffer;
}

const char *kri_kind_word(enum kri_language language, unsigned int kind)
{
	static const enum kri_word kinds[] = {
		[KRYOS_RULE_HEAT] = KRI_WORD_HEAT,     [KRYOS_RULE_FREEZE] = KRI_WORD_FREEZE,
		[KRYOS_RULE_DOOR] = KRI_WORD_DOOR,     [KRYOS_RULE_POWER] = KRI_WORD_POWER,
		[KRYOS_RULE_SENSOR] = KRI_WORD_SENSOR, [KRYOS_RULE_CUSTOM] = KRI_WORD_CUSTOM
	};

	return kri_word(language, kind >= 1 && kind < KRI_ARRAY_SIZE(kinds) ? kinds[kind] : KRI_WORD_CUSTOM);
}

const char *kri_end_word(enum kri_language language, unsigned int ended_by)
{
	static const enum kri_word ends[] = { KRI_WORD_STILL_OPEN, KRI_WORD_RECOVERED, KRI_WORD_SENSOR_LOST,
		                              KRI_WORD_RETIRED, KRI_WORD_RECONFIGURED };

	return kri_word(language, ended_by < KRI_ARRAY_SIZE(ends) ? ends[ended_by] : KRI_WORD_NOT_KNOWN);
}

const char *kri_quality_word(enum kri_language language, unsigned int quality)
{
	static const enum kri_word qualities[] = { KRI_WORD_Q_GOOD,    KRI_WORD_Q_ABSENT,       KRI_WORD_Q_CRC,
		                                   KRI_WORD_Q_BUS,     KRI_WORD_Q_RANGE,        KRI_WORD_Q_POWER_ON,
		                                   KRI_WORD_Q_STUCK,   KRI_WORD_Q_RATE,         KRI_WORD_Q_OPEN,
		                                   KRI_WORD_Q_SHORT,   KRI_WORD_Q_EXTRAPOLATED, KRI_WORD_Q_DISAGREES,
		                                   KRI_WORD_Q_TIMEOUT, KRI_WORD_Q_CHIP };

	return kri_word(language, quality < KRI_ARRAY_SIZE(qualities) ? qualities[quality] : KRI_WORD_NOT_KNOWN);
}

const char *kri_place_word(enum kri_language language, const char *place)
{
	static const struct {
		const char *place;
		enum kri_word word;
	} places[] = {
		{ "vaccine", KRI_WORD_PLACE_VACCINE },
		{ "freezer", KRI_WORD_PLACE_FREEZER },
		{ "ambient", KRI_WORD_PLACE_AMBIENT },
		{ "condenser", KRI_WORD_PLACE_CONDENSER },
	};

	for (size_t i = 0; i < KRI_ARRAY_SIZE(places); i++)
		if (strcmp(places[i].place, place) == 0)
			return kri_word(language, places[i].word);
	return place;
}

/* What is out of range, without its duration. */
static void condition(enum kri_language language, const struct kryos_rule *rule, const char *unit, char *buffer,
                      size_t size)
{
	static const enum kri_word comparators[] = { KRI_WORD_GT, KRI_WORD_GE, KRI_WORD_LT, KRI_WORD_LE };
	char number[KRYOS_TEXT_MAX], value[KRYOS_TEXT_MAX + 24];

	if (rule->kind == KRYOS_RULE_DOOR || rule->kind == KRYOS_RULE_POWER || rule->kind == KRYOS_RULE_SENSOR) {
		snprintf(buffer, size, "%s",
		         kri_word(language, rule->kind == KRYOS_RULE_DOOR    ? KRI_WORD_IS_OPEN
		                            : rule->kind == KRYOS_RULE_POWER ? KRI_WORD_IS_ABSENT
		                                                             : KRI_WORD_NO_MEASUREMENT));
		return;
	}
	kri_number_text(language, rule->threshold_micro, 0, &rule->threshold_micro, 1, number);
	snprintf(value, sizeof(value), "%s%s%s", number, *unit ? " " : "", kri_unit_text(unit));
	kri_phrase(language, comparators[(rule->comparator - KRYOS_COMPARATOR_GT) & 3], value, "", buffer, size);
}

char *kri_rule_words(enum kri_language language, const struct kryos_rule *rule, const char *unit, char *buffer,
                     size_t size)
{
	char what[160], time[KRYOS_TEXT_MAX], all[256];
	bool cumulative = rule->mode == KRYOS_RULE_CUMULATIVE;

	condition(language, rule, unit, what, sizeof(what));
	if (rule->duration_ns == 0)
		return kri_phrase(language, KRI_WORD_AT_ONCE, what, "", buffer, size);
	kri_span_text(language, rule->duration_ns, time);
	kri_phrase(language, cumulative ? KRI_WORD_IN_ALL : KRI_WORD_FOR, what, time, all, sizeof(all));
	if (cumulative && rule->window_ns)
		return kri_phrase(language, KRI_WORD_WITHIN, all, kri_span_text(language, rule->window_ns, time),
		                  buffer, size);
	snprintf(buffer, size, "%s", all);
	return buffer;
}
