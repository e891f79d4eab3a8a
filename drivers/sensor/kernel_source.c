/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_source.h"
#include "core/core.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
/* A device with more files than this (multi-function chips have some 300) is still found by its first ones. */
#define MAX_FILES 1024

/* A reading that is none: its quality, from here on. No value comes near. */
#define NO_VALUE INT64_MIN
#define MOST_MICRO 9e18

int kri_kernel_parse_number(const char *text, double *ret_value)
{
	int64_t digits = 0, divisor = 1;
	bool negative = *text == '-', point = false, any = false;

	for (text += *text == '-' || *text == '+'; *text; text++) {
		if (*text == '.' && !point && any) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9' || digits >= INT64_C(100000000000000000) ||
		    divisor >= INT64_C(1000000000000000000))
			return -EINVAL;
		any = true;
		digits = digits * 10 + (*text - '0');
		divisor *= point ? 10 : 1;
	}
	if (!any || text[-1] == '.')
		return -EINVAL;
	/* Both are exact up to 2^53 and 10^22, so that the quotient is the nearest double to what is written. */
	*ret_value = (double)digits / (double)divisor * (negative ? -1 : 1);
	return 0;
}

int kri_kernel_read_number(struct kryos_dev *dev, const char *file, double *ret_value)
{
	char text[64];
	int r = kryos_dev_read_text(dev, file, text, sizeof(text));

	if (r < 0)
		return r;
	if (r == 0)
		return kryos_fail(-EIO, "%s: %s is empty", kryos_dev_name(dev), file);
	if (kri_kernel_parse_number(text, ret_value) < 0)
		return kryos_fail(-EIO, "%s: %s holds \"%.20s\", which is no number", kryos_dev_name(dev), file, text);
	return 0;
}

int kri_kernel_read_value(struct kryos_dev *dev, const struct kri_kernel_channel *channel, double *ret_value,
                          enum kryos_quality *ret_quality)
{
	(void)ret_quality;
	return kri_kernel_read_number(dev, channel->value, ret_value);
}

/* Whether name is of this quantity, and how: 2 just so, 1 with a number behind, 0 with more, -1 not at all. */
static int kinship(const struct kri_kernel_class *class, size_t quantity, const char *name)
{
	const char *kernel = class->quantities[quantity].kernel;
	size_t length = strlen(kernel);
	const char *rest = name + length;

	if (strncmp(name, kernel, length) != 0)
		return -1;
	if (!*rest)
		return 2;
	if (!class->many || !strchr(DIGITS "_", *rest) || rest[strspn(rest, DIGITS "abcdefghijklmnopqrstuvwxyz_-")])
		return -1;
	return rest[strspn(rest, DIGITS)] ? 0 : 1;
}

static int fail_word(const struct kri_kernel_class *class, const char *word, size_t length)
{
	char words[256] = "";

	for (size_t i = 0; i < class->count; i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s", i ? ", " : "",
		         class->channels[i].quantity);
	return kryos_fail(KRYOS_EDEVICE, "\"%.*s\" is nothing that %s measures; a comma between, there is %s%s%s",
	                  (int)(length < 40 ? length : 40), word, class->title, words,
	                  class->many ? ", and the kernel's own words, as " : "",
	                  class->many ? (*class->before ? "voltage0" : "temp2") : "");
}

static int parse_word(const struct kri_kernel_class *class, const char *word, size_t length,
                      struct kri_kernel_channel *ret_channel)
{
	*ret_channel = (struct kri_kernel_channel){ .quantity = 0 };
	if (!length || length >= sizeof(ret_channel->word))
		return fail_word(class, word, length);
	memcpy(ret_channel->word, word, length);
	for (size_t i = 0; i < class->count; i++) {
		if (strcmp(ret_channel->word, class->channels[i].quantity) == 0 ||
		    (class->many && kinship(class, i, ret_channel->word) >= 0)) {
			ret_channel->quantity = i;
			return 0;
		}
	}
	return fail_word(class, word, length);
}

static int parse_place(const struct kri_kernel_class *class, const char *place, struct kri_kernel_private *ret_source)
{
	size_t length;
	int r;

	ret_source->count = 0;
	for (const char *word = *place ? place : class->otherwise;; word += length + 1) {
		struct kri_kernel_channel *channel = &ret_source->channels[ret_source->count];

		length = strcspn(word, ",");
		if (ret_source->count == KRI_ARRAY_SIZE(ret_source->channels))
			return kryos_fail(KRYOS_EDEVICE, "\"%s\": at most %d quantities of a device are measured",
			                  place, KRYOS_SENSOR_MAX_CHANNELS);
		r = parse_word(class, word, length, channel);
		if (r < 0)
			return r;
		for (size_t i = 0; i < ret_source->count; i++)
			if (strcmp(ret_source->channels[i].word, channel->word) == 0)
				return kryos_fail(KRYOS_EDEVICE, "\"%s\": %s is there twice", place, channel->word);
		ret_source->count++;
		if (!word[length])
			return 0;
	}
}

int kri_kernel_describe(const struct kri_kernel_class *class, const char *place,
                        struct kryos_description *ret_description)
{
	struct kri_kernel_private source;
	int r = parse_place(class, place, &source);

	if (r < 0)
		return r;
	ret_description->channel_count = source.count;
	for (size_t i = 0; i < source.count; i++) {
		ret_description->channels[i] = class->channels[source.channels[i].quantity];
		strcpy(ret_description->names[i], source.channels[i].word);
		ret_description->channels[i].quantity = ret_description->names[i];
	}
	return 0;
}

struct files {
	size_t count;
	char names[MAX_FILES][sizeof(((struct kryos_address *)NULL)->text)];
};

static void note_file(void *userdata, const struct kryos_address *file)
{
	struct files *files = userdata;

	if (files->count < MAX_FILES)
		strcpy(files->names[files->count++], file->text);
}

/* The file's name in ret, if the device has it; else "". */
static bool find_file(const struct files *files, char ret[48], const char *before, const char *name, const char *after)
{
	char file[128];

	snprintf(file, sizeof(file), "%s%s%s", before, name, after);
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->names[i], file) == 0 && strlen(file) < 48) {
			strcpy(ret, file);
			return true;
		}
	ret[0] = '\0';
	return false;
}

/* "temp2" of "in_temp2_raw"; false where the file holds nothing that is measured. */
static bool name_of(const struct kri_kernel_class *class, const char *file, char ret[32])
{
	size_t before = strlen(class->before), length = strlen(file);

	if (strncmp(file, class->before, before) != 0)
		return false;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(class->after) && class->after[i]; i++) {
		size_t after = strlen(class->after[i]);

		if (length <= before + after || length - before - after >= 32 ||
		    strcmp(file + length - after, class->after[i]) != 0)
			continue;
		memcpy(ret, file + before, length - before - after);
		ret[length - before - after] = '\0';
		return true;
	}
	return false;
}

/*
 * The kernel's name of what a word means. "temperature" is temp, or the one of the lowest number; never temp_ambient,
 * which may be the cold junction of a thermocouple.
 */
static bool find_name(const struct kri_kernel_class *class, const struct files *files,
                      struct kri_kernel_channel *channel)
{
	bool any = strcmp(channel->word, class->channels[channel->quantity].quantity) == 0;
	char name[32];
	int best = 0;

	channel->name[0] = '\0';
	for (size_t i = 0; i < files->count; i++) {
		int kin;

		if (!name_of(class, files->names[i], name))
			continue;
		kin = any ? kinship(class, channel->quantity, name) : strcmp(name, channel->word) == 0 ? 2 : -1;
		if (kin > best) {
			best = kin;
			strcpy(channel->name, name);
		}
	}
	return best > 0;
}

static int fail_missing(const struct kri_kernel_class *class, const struct files *files, const char *word,
                        struct kryos_dev *dev)
{
	char words[256] = "", name[32], last[32] = "";

	for (size_t i = 0; i < files->count; i++) {
		size_t quantity = 0, length = strlen(words);

		if (!name_of(class, files->names[i], name) || strcmp(name, last) == 0)
			continue;
		while (quantity < class->count && kinship(class, quantity, name) < 0)
			quantity++;
		if (quantity == class->count)
			continue;
		strcpy(last, name);
		snprintf(words + length, sizeof(words) - length, "%s%s", length ? ", " : "",
		         kinship(class, quantity, name) == 2 ? class->channels[quantity].quantity : name);
	}
	return kryos_fail(KRYOS_ECHIP, "%s: measures no %s; there is %s", kryos_dev_name(dev), word,
	                  *words ? words : "nothing to measure");
}

/* Factors are a channel's own, or its kind's: in_voltage0_scale, in_voltage-voltage_scale, in_voltage_scale. */
static bool find_factor(const struct kri_kernel_class *class, const struct files *files,
                        const struct kri_kernel_channel *channel, const char *after, char ret[48])
{
	const char *kernel = class->quantities[channel->quantity].kernel;
	char pair[64];

	if (find_file(files, ret, class->before, channel->name, after))
		return true;
	snprintf(pair, sizeof(pair), "%s-%s", kernel, kernel);
	if (strchr(channel->name, '-'))
		return find_file(files, ret, class->before, pair, after);
	return find_file(files, ret, class->before, kernel, after);
}

static int find_files(const struct kri_kernel_class *class, const struct files *files,
                      struct kri_kernel_channel *channel, struct kryos_dev *dev)
{
	if (!find_name(class, files, channel))
		return fail_missing(class, files, channel->word, dev);
	find_file(files, channel->fault, class->before, channel->name, "_fault");
	if (find_file(files, channel->value, class->before, channel->name, class->after[0]))
		return 0;
	find_file(files, channel->value, class->before, channel->name, class->after[1]);
	find_factor(class, files, channel, "_offset", channel->offset);
	if (!find_factor(class, files, channel, "_scale", channel->scale))
		return kryos_fail(KRYOS_ECHIP, "%s: nothing says what the numbers of %s mean: there is no %s%s_scale",
		                  kryos_dev_name(dev), channel->value, class->before, channel->name);
	return 0;
}

static int refuse(const struct kri_kernel_class *class, struct kryos_dev *dev)
{
	char name[64];
	int r = class->refused ? kryos_dev_read_text(dev, "name", name, sizeof(name)) : -ENOENT;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (strcmp(name, class->refused) != 0)
		return 0;
	return kryos_fail(KRYOS_ECHIP, "%s: %s", kryos_dev_name(dev), class->refused_why);
}

/* The kernel's driver may be there without its chip; whatever else is wrong now is seen when it is measured. */
static int find_chip(const struct kri_kernel_class *class, const struct kri_kernel_channel *channel,
                     struct kryos_dev *dev)
{
	enum kryos_quality quality;
	double value;
	int r = class->read(dev, channel, &value, &quality);

	return r == -ENODEV || r == -ETIMEDOUT ? r : 0;
}

int kri_kernel_probe(const struct kri_kernel_class *class, struct kri_kernel_private *source, struct kryos_dev *dev)
{
	int r = parse_place(class, kryos_dev_address(dev)->text, source);
	struct files *files;

	if (r >= 0)
		r = refuse(class, dev);
	if (r < 0)
		return r;
	files = calloc(1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	r = kryos_dev_list(dev, note_file, files);
	for (size_t i = 0; i < source->count && r >= 0; i++) {
		r = find_files(class, files, &source->channels[i], dev);
		if (r >= 0)
			r = find_chip(class, &source->channels[i], dev);
	}
	free(files);
	return r;
}

int kri_kernel_fetch(const struct kri_kernel_class *class, const struct kri_kernel_private *source,
                     struct kryos_dev *dev, uint8_t *raw)
{
	for (size_t i = 0; i < source->count; i++) {
		const struct kri_kernel_channel *channel = &source->channels[i];
		enum kryos_quality quality = KRYOS_QUALITY_GOOD;
		double value = 0;
		int64_t micro;
		int r = class->read(dev, channel, &value, &quality);

		if (r == -ENODATA)
			quality = KRYOS_QUALITY_ABSENT;
		else if (r == -ENOENT) /* another device than it was */
			return kryos_fail(KRYOS_ECHIP, "%s", kryos_strerror(r));
		else if (r < 0)
			return r;
		value *= class->quantities[channel->quantity].micro;
		if (quality == KRYOS_QUALITY_GOOD && !(fabs(value) < MOST_MICRO))
			quality = KRYOS_QUALITY_RANGE;
		micro = quality == KRYOS_QUALITY_GOOD ? llround(value) : NO_VALUE + (int64_t)quality;
		memcpy(raw + i * sizeof(micro), &micro, sizeof(micro));
	}
	return 0;
}

void kri_kernel_decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	const struct kri_kernel_private *source = priv;

	for (size_t i = 0; i < source->count; i++) {
		int64_t micro;

		memcpy(&micro, raw + i * sizeof(micro), sizeof(micro));
		if (micro < NO_VALUE + 256)
			ret_readings[i] = (struct kryos_reading){ .quality = (enum kryos_quality)(micro - NO_VALUE) };
		else
			ret_readings[i] = (struct kryos_reading){ .value_micro = micro, .quality = KRYOS_QUALITY_GOOD };
	}
}
