/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int sign_of(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* To the nearest multiple of step, ties away from zero; at the ends of what there is, to the next towards zero. */
static int64_t round_to(int64_t micro, int64_t step)
{
	if (micro > INT64_MAX - step || micro < INT64_MIN + step)
		return micro / step * step;
	return kri_divide_rounded(micro, step) * step;
}

/* Whether the rounded value stands to each threshold as the value does. */
static bool tells(int64_t micro, int64_t rounded, const int64_t *thresholds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (sign_of(micro, thresholds[i]) != sign_of(rounded, thresholds[i]))
			return false;
	return true;
}

char *kri_number_text(enum kri_language language, int64_t micro, int decimals, const int64_t *thresholds, size_t count,
                      char *buffer)
{
	int64_t step = 1000000, rounded;
	uint64_t size;

	for (int i = 0; i < decimals; i++)
		step /= 10;
	while (step > 1 && !tells(micro, round_to(micro, step), thresholds, count)) {
		step /= 10;
		decimals++;
	}
	rounded = round_to(micro, step);
	size = rounded < 0 ? -(uint64_t)rounded : (uint64_t)rounded;
	if (decimals == 0)
		snprintf(buffer, KRYOS_TEXT_MAX, "%s%" PRIu64, rounded < 0 ? "\u2212" : "", size / 1000000);
	else
		snprintf(buffer, KRYOS_TEXT_MAX, "%s%" PRIu64 "%c%0*" PRIu64, rounded < 0 ? "\u2212" : "",
		         size / 1000000, language == KRI_LANGUAGE_EN ? '.' : ',', decimals,
		         size % 1000000 / (uint64_t)step);
	return buffer;
}

const char *kri_unit_text(const char *unit)
{
	if (strcmp(unit, "Cel") == 0)
		return "°C";
	if (strcmp(unit, "%RH") == 0)
		return "% RH";
	return strcmp(unit, "/") == 0 ? "" : unit;
}

char *kri_reading_text(enum kri_language language, const struct kri_report_channel *channel, int64_t micro,
                       char *buffer)
{
	int64_t thresholds[KRI_REPORT_MAX_RULES];
	char number[KRYOS_TEXT_MAX];
	unsigned int count = 0;

	for (; count < channel->rule_count; count++)
		thresholds[count] = channel->rules[count].threshold_micro;
	/* A tenth of a pascal is noise. */
	kri_number_text(language, micro, channel->is_contact || strcmp(channel->unit, "Pa") == 0 ? 0 : 1, thresholds,
	                count, number);
	snprintf(buffer, KRYOS_TEXT_MAX, "%.23s%s%.15s", number, *kri_unit_text(channel->unit) ? " " : "",
	         kri_unit_text(channel->unit));
	return buffer;
}
