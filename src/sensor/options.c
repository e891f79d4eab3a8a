/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a chip beside its place ("wires=3"), and the channels it has then. Pure. */
#include "../config/config.h"
#include "sensor.h"
#include <stdio.h>
#include <string.h>

static int parse_choice(const struct kryos_option_info *info, const char *text, int64_t *ret_value)
{
	int place = kri_list_find(info->choices, text, strlen(text));

	if (place < 0)
		return kryos_fail(-EINVAL, "\"%.40s\" is not allowed; one of these is: %s", text, info->choices);
	*ret_value = place;
	return 0;
}

int kri_option_parse(const struct kryos_option_info *info, const char *text, int64_t *ret_value)
{
	char least[KRYOS_TEXT_MAX], most[KRYOS_TEXT_MAX];
	int64_t value;
	int r;

	if (info->choices)
		return parse_choice(info, text, ret_value);
	r = kri_parse_micro(text, &value);
	if (r < 0)
		return r;
	if (value < info->min_micro || value > info->max_micro)
		return kryos_fail(-EINVAL, "%s is not allowed: %s to %s%s%s is", text,
		                  kryos_value_text(info->min_micro, least), kryos_value_text(info->max_micro, most),
		                  info->unit ? " " : "", info->unit ? info->unit : "");
	*ret_value = value;
	return 0;
}

const struct kryos_option_info *kri_option_find(const struct kryos_sensor_driver *driver, const char *name,
                                                size_t *ret_place)
{
	for (size_t i = 0; i < driver->option_count; i++) {
		if (strcmp(driver->options[i].name, name) != 0)
			continue;
		if (ret_place)
			*ret_place = i;
		return &driver->options[i];
	}
	return NULL;
}

static int no_such_option(const struct kryos_sensor_driver *driver, const char *name)
{
	char words[512] = "";

	for (size_t i = 0; i < driver->option_count; i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s", i ? ", " : "",
		         driver->options[i].name);
	return kryos_fail(-EINVAL, "a %s has no option %s; %s%s", driver->name, name,
	                  *words ? "there is " : "it has none", words);
}

static int take_option(const struct kryos_sensor_driver *driver, const char *word, size_t count, bool *given,
                       int64_t *values)
{
	const struct kryos_option_info *info;
	char text[128], *equals;
	size_t place;
	int r;

	if (count >= sizeof(text))
		return kryos_fail(-EINVAL, "%.40s...: an option has at most %zu characters", word, sizeof(text) - 1);
	memcpy(text, word, count);
	text[count] = '\0';
	equals = strchr(text, '=');
	if (!equals || equals == text || !equals[1])
		return kryos_fail(-EINVAL, "\"%s\" is no option; name=value is allowed, as in wires=3", text);
	*equals = '\0';
	info = kri_option_find(driver, text, &place);
	if (!info)
		return no_such_option(driver, text);
	if (given[place])
		return kryos_fail(-EINVAL, "%s was there before; once is allowed", text);
	given[place] = true;
	r = kri_option_parse(info, equals + 1, &values[place]);
	if (r < 0) {
		char sentence[256];

		snprintf(sentence, sizeof(sentence), "%s", kryos_strerror(r));
		return kryos_fail(r, "%s: %s", text, sentence);
	}
	return 0;
}

int kri_options_parse(const struct kryos_sensor_driver *driver, const char *text,
                      int64_t ret_values[KRYOS_SENSOR_MAX_OPTIONS])
{
	static const char blanks[] = " \t\n";
	int64_t values[KRYOS_SENSOR_MAX_OPTIONS] = { 0 };
	bool given[KRYOS_SENSOR_MAX_OPTIONS] = { false };
	size_t count;

	for (size_t i = 0; i < driver->option_count; i++)
		values[i] = driver->options[i].value;
	for (const char *word = text ? text + strspn(text, blanks) : ""; *word;
	     word += count + strspn(word + count, blanks)) {
		int r;

		count = strcspn(word, blanks);
		r = take_option(driver, word, count, given, values);
		if (r < 0)
			return r;
	}
	memcpy(ret_values, values, sizeof(values));
	return 0;
}

int kri_sensor_describe(const struct kryos_sensor_driver *driver, const char *place, const int64_t *options,
                        struct kryos_description *ret_description)
{
	memset(ret_description, 0, sizeof(*ret_description));
	if (driver->describe)
		return driver->describe(place, options, ret_description);
	memcpy(ret_description->channels, driver->channels, driver->channel_count * sizeof(driver->channels[0]));
	ret_description->channel_count = driver->channel_count;
	return 0;
}
