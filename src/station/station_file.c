/* SPDX-License-Identifier: Apache-2.0 */
#include "station_file.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The reading of one file. */
struct reading {
	struct kryos_ctx *ctx;
	struct kri_station_file *file;
	struct kri_section **tail;
	struct kri_section *section; /* entries go here; NULL: into none that is known */
	int last_line;
	bool no_memory;
};

static void free_section(struct kri_section *section)
{
	for (unsigned int key = 0; key < KRI_KEY_COUNT; key++)
		free(section->entries[key].text);
	while (section->options) {
		struct kri_option *option = section->options;

		section->options = option->next;
		free(option->name);
		free(option->text);
		free(option);
	}
	free(section);
}

void kri_station_file_free(struct kri_station_file *file)
{
	if (!file)
		return;
	while (file->sections) {
		struct kri_section *section = file->sections;

		file->sections = section->next;
		free_section(section);
	}
	while (file->remarks) {
		struct kri_remark *remark = file->remarks;

		file->remarks = remark->next;
		free(remark->text);
		free(remark);
	}
	free(file->path);
	free(file);
}

bool kri_station_remark(struct kri_station_file *file, int line, const char *format, ...)
{
	struct kri_remark *remark = malloc(sizeof(*remark)), **at = &file->remarks;
	va_list args;
	int length;

	if (!remark)
		return false;
	va_start(args, format);
	length = vasprintf(&remark->text, format, args);
	va_end(args);
	if (length < 0) {
		free(remark);
		return false;
	}
	remark->line = line;
	while (*at && (*at)->line <= line)
		at = &(*at)->next;
	remark->next = *at;
	*at = remark;
	return true;
}

static struct kri_section *find_section(const struct kri_station_file *file, enum kri_section_kind kind,
                                        const char *label)
{
	for (struct kri_section *section = file->sections; section; section = section->next) {
		if (section->kind == kind && !section->repeated && (!label || strcmp(section->label, label) == 0))
			return section;
	}
	return NULL;
}

const struct kri_section *kri_station_find(const struct kri_station_file *file, enum kri_section_kind kind,
                                           const char *label)
{
	return find_section(file, kind, label);
}

static bool is_name(const char *text, size_t most)
{
	size_t count = strlen(text);

	return count >= 1 && count <= most && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == count;
}

/* A label of that kind of section. Whether a channel is one of the file's sensors is judged when all is read. */
static bool is_label(const struct kri_section_info *info, const char *label)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";

	if (!info->dotted)
		return is_name(label, info->label_max);
	return *label && strlen(label) <= info->label_max && strspn(label, letters) == strlen(label);
}

static unsigned int kind_of(const char *name)
{
	unsigned int kind = 0;

	while (kind < KRI_SECTION_COUNT && strcmp(kri_station_sections[kind].name, name) != 0)
		kind++;
	return kind;
}

/* The kind of section that is meant, if any is near. */
static unsigned int unknown_section(struct kri_ini *ini, const char *name, int line)
{
	char near[64];
	char words[256] = "";
	const char *meant;

	for (unsigned int kind = 0; kind < KRI_SECTION_COUNT; kind++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s", kind ? " " : "",
		         kri_station_sections[kind].name);
	meant = kri_suggest(name, words, near, sizeof(near));
	if (meant)
		kri_ini_error(ini, line, "there is no section [%s]; did you mean [%s]?", name, meant);
	else
		kri_ini_error(ini, line, "there is no section [%s]; allowed are %s", name, words);
	return meant ? kind_of(meant) : KRI_SECTION_COUNT;
}

static void take_section(struct kri_ini *ini, void *data, const char *name, const char *label, int line)
{
	const struct kri_section_info *info = NULL;
	struct reading *reading = data;
	struct kri_section *section, *before;
	bool guessed = false;
	unsigned int kind;

	reading->section = NULL;
	reading->last_line = line;
	if (!*name)
		return; /* a malformed header, reported already */
	kind = kind_of(name);
	if (kind == KRI_SECTION_COUNT) {
		/* What stands in it is judged as what is meant: all mistakes are named in one run. */
		kind = unknown_section(ini, name, line);
		if (kind == KRI_SECTION_COUNT)
			return;
		guessed = true;
	}
	info = &kri_station_sections[kind];
	name = info->name;
	if (!info->labelled && *label)
		kri_ini_error(ini, line, "[%s %s]: this section takes no name; [%s] is allowed", name, label, name);
	else if (info->dotted && !is_label(info, label))
		kri_ini_error(ini, line, "[%s%s%s] needs the name of a channel, as in [%s fridge.temperature]", name,
		              *label ? " " : "", label, name);
	else if (info->labelled && !is_label(info, label))
		kri_ini_error(ini, line,
		              *label ? "[%s %s]: a name of 1 to %zu of a-z 0-9 _ - is allowed, as in [%s one]"
		                     : "[%s%s] needs a name of 1 to %zu of a-z 0-9 _ -, as in [%s one]",
		              name, label, info->label_max, name);
	section = calloc(1, sizeof(*section));
	if (!section) {
		reading->no_memory = true;
		return;
	}
	section->kind = kind;
	section->line = line;
	section->guessed = guessed;
	/* (What is no channel's name is reported; it is none to look for.) */
	if (info->labelled && (!info->dotted || is_label(info, label)))
		snprintf(section->label, sizeof(section->label), "%s", label);
	before = info->labelled && !is_label(info, label) ? NULL : find_section(reading->file, kind, section->label);
	if (before) {
		kri_ini_error(ini, line, "[%s%s%s] was there before, on line %d; once is allowed", name,
		              *section->label ? " " : "", section->label, before->line);
		/* One whose name is right goes before one that was guessed. */
		*(before->guessed ? &before->repeated : &section->repeated) = true;
	}
	*reading->tail = section;
	reading->tail = &section->next;
	reading->section = section;
}

static int find_key(enum kri_section_kind section, const char *name)
{
	for (int key = 0; key < KRI_KEY_COUNT; key++) {
		if (kri_station_keys[key].section == section && strcmp(kri_station_keys[key].name, name) == 0)
			return key;
	}
	return -1;
}

void kri_station_unknown_key(struct kri_ini *ini, enum kri_section_kind section, const char *name, int line,
                             const char *more)
{
	char words[1024] = "", near[64];
	const char *meant;

	for (int key = 0; key < KRI_KEY_COUNT; key++) {
		size_t length = strlen(words);

		if (kri_station_keys[key].section == section)
			snprintf(words + length, sizeof(words) - length, "%s%s", length ? " " : "",
			         kri_station_keys[key].name);
	}
	snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s", *more ? " " : "", more);
	meant = kri_suggest(name, words, near, sizeof(near));
	if (meant)
		kri_ini_error(ini, line, "[%s] has no key %s; did you mean %s?", kri_station_sections[section].name,
		              name, meant);
	else
		kri_ini_error(ini, line, "[%s] has no key %s; allowed are %s", kri_station_sections[section].name, name,
		              words);
}

static void range_text(const struct kri_key_info *info, int64_t number, char text[32])
{
	if (info->kind == KRI_VALUE_DURATION || info->kind == KRI_VALUE_RECORD || info->kind == KRI_VALUE_FROZEN)
		kri_duration_text(number, text);
	else if (info->kind == KRI_VALUE_SIZE)
		kri_size_text(number, text);
	else if (info->kind == KRI_VALUE_PERCENT)
		snprintf(text, 32, "%" PRId64 "%%", number);
	else if (info->kind == KRI_VALUE_RATE)
		kryos_value_text(number * 1000, text);
	else
		snprintf(text, 32, "%" PRId64, number);
}

static int parse_rate(const char *text, int64_t *ret_number)
{
	int64_t micro;
	int r = kri_parse_micro(text, &micro);

	if (r < 0)
		return r;
	if (micro % 1000)
		return kryos_fail(-EINVAL, "\"%s\" is not allowed: at most three decimals are, per second", text);
	*ret_number = micro / 1000;
	return 0;
}

/* Reads what a number key says, without its range. */
static int parse_number(const struct kri_key_info *info, const char *text, int64_t *ret_number)
{
	int r;

	switch (info->kind) {
	case KRI_VALUE_RECORD:
		if (strcmp(text, "every") == 0) {
			*ret_number = 0;
			return 0;
		}
		r = kri_parse_duration(text, ret_number);
		return r < 0 || *ret_number > 0
		               ? r
		               : kryos_fail(-EINVAL, "\"%s\" is not allowed: \"every\", or a longer time, is", text);
	case KRI_VALUE_FROZEN:
		if (strcmp(text, "never") == 0) {
			*ret_number = KRYOS_FROZEN_NEVER;
			return 0;
		}
		return kri_parse_duration(text, ret_number);
	case KRI_VALUE_DURATION:
		return kri_parse_duration(text, ret_number);
	case KRI_VALUE_SIZE:
		return kri_parse_size(text, ret_number);
	case KRI_VALUE_PERCENT:
		return kri_parse_percent(text, ret_number);
	case KRI_VALUE_RATE:
		return parse_rate(text, ret_number);
	default:
		return kri_parse_count(text, kri_default_min(info->default_id), kri_default_max(info->default_id),
		                       ret_number);
	}
}

static bool take_number(struct kri_ini *ini, const struct kri_key_info *info, const char *text, int line,
                        int64_t *ret_number)
{
	int64_t minimum = kri_default_min(info->default_id), maximum = kri_default_max(info->default_id);
	char least[KRYOS_TEXT_MAX], most[KRYOS_TEXT_MAX];
	int r = parse_number(info, text, ret_number);

	if (r < 0) {
		kri_ini_error(ini, line, "%s: %s", info->name, kryos_strerror(r));
		return false;
	}
	if (*ret_number >= minimum && *ret_number <= maximum)
		return true;
	if (info->kind == KRI_VALUE_FROZEN && *ret_number == KRYOS_FROZEN_NEVER)
		return true;
	range_text(info, minimum, least);
	range_text(info, maximum, most);
	kri_ini_error(ini, line, "%s: %s is not allowed: %s to %s%s is", info->name, text, least, most,
	              info->kind == KRI_VALUE_FROZEN ? ", or never," : "");
	return false;
}

bool kri_is_choice(const char *text, const char *choices)
{
	return kri_list_find(choices, text, strlen(text)) >= 0;
}

/* False, and reported, where text is no value of this key. *ret_number: what it says, where that is a number. */
static bool take_text(struct kri_ini *ini, const struct kri_key_info *info, const char *text, int line,
                      int64_t *ret_number)
{
	char near[64];
	const char *meant;
	int r;

	switch (info->kind) {
	case KRI_VALUE_MICRO:
	case KRI_VALUE_DATE:
		r = info->kind == KRI_VALUE_DATE ? kri_parse_date(text, ret_number) : kri_parse_micro(text, ret_number);
		if (r < 0)
			kri_ini_error(ini, line, "%s: %s", info->name, kryos_strerror(r));
		return r >= 0;
	case KRI_VALUE_CHOICE:
		if (kri_is_choice(text, info->choices))
			return true;
		meant = kri_suggest(text, info->choices, near, sizeof(near));
		if (meant)
			kri_ini_error(ini, line, "%s: \"%s\" is not allowed; did you mean %s?", info->name, text,
			              meant);
		else
			kri_ini_error(ini, line, "%s: \"%s\" is not allowed; one of these is: %s", info->name, text,
			              info->choices);
		return false;
	case KRI_VALUE_PATH:
		if (*text == '/')
			return true;
		kri_ini_error(ini, line,
		              "%s: \"%s\" is not allowed; a path from the root is, as in /etc/kryos/tls/ca.crt",
		              info->name, text);
		return false;
	case KRI_VALUE_NAME:
		if (is_name(text, 31))
			return true;
		kri_ini_error(ini, line, "%s: \"%s\" is not allowed; 1 to 31 of a-z 0-9 _ - are, as in vaccine",
		              info->name, text);
		return false;
	default:
		return true;
	}
}

static bool repeats(struct kri_ini *ini, const char *name, int line, int before)
{
	if (before)
		kri_ini_error(ini, line, "%s was there before, on line %d; once is allowed", name, before);
	return before != 0;
}

/* Kept as it is: whether the driver has such an option is judged when its address has been read. */
static void take_option(struct kri_ini *ini, struct reading *reading, const char *name, const char *text, int line)
{
	struct kri_option **at = &reading->section->options, *option;

	for (; *at; at = &(*at)->next)
		if (!strcmp((*at)->name, name) && repeats(ini, name, line, (*at)->line))
			return;
	option = calloc(1, sizeof(*option));
	if (!option) {
		reading->no_memory = true;
		return;
	}
	*at = option;
	option->line = line;
	option->name = strdup(name);
	option->text = strdup(text);
	if (!option->name || !option->text)
		reading->no_memory = true;
}

static void take_entry(struct kri_ini *ini, void *data, const char *name, const char *text, int line)
{
	struct reading *reading = data;
	const struct kri_key_info *info;
	struct kri_entry *entry;
	int64_t number = 0;
	bool good;
	int key;

	reading->last_line = line;
	if (!reading->section)
		return; /* of a section that nobody can guess: one mistake, not ten */
	key = find_key(reading->section->kind, name);
	if (key < 0 && reading->section->kind == KRI_SECTION_SENSOR) {
		take_option(ini, reading, name, text, line);
		return;
	}
	if (key < 0) {
		kri_station_unknown_key(ini, reading->section->kind, name, line, "");
		return;
	}
	info = &kri_station_keys[key];
	entry = &reading->section->entries[key];
	if (repeats(ini, name, line, entry->line))
		return;
	entry->line = line;
	if (!*text) {
		kri_ini_error(ini, line, "%s has no value; leave the line out if it should have none", name);
		return;
	}
	good = info->default_id >= 0 ? take_number(ini, info, text, line, &number)
	                             : take_text(ini, info, text, line, &number);
	if (!good)
		return;
	entry->number = number;
	entry->text = strdup(text);
	if (!entry->text)
		reading->no_memory = true;
}

static void take_end(struct kri_ini *ini, void *data)
{
	struct reading *reading = data;

	if (!reading->no_memory)
		kri_station_judge(ini, reading->ctx, reading->file, reading->last_line);
}

/* As many whole lines as a sentence holds (its limit is the core's, 4096 bytes), and how many are left. */
static int fail_with(const char *errors)
{
	size_t most = 3900, count = strlen(errors), end = count, left = 0;

	if (count > most) {
		for (end = most; end > 0 && errors[end] != '\n'; end--)
			;
		for (const char *at = errors + end; *at; at++)
			left += *at == '\n';
	}
	if (!left)
		return kryos_fail(KRYOS_ECONFIG, "%s", errors);
	return kryos_fail(KRYOS_ECONFIG, "%.*s\nand %zu more", (int)end, errors, left);
}

int kri_station_file_read(struct kri_station_file **ret_file, struct kryos_ctx *ctx, const char *path,
                          char **ret_errors)
{
	static const struct kri_ini_handler handler = {
		.section = take_section,
		.entry = take_entry,
		.end = take_end,
	};
	struct reading reading = { .ctx = ctx };
	int r;

	reading.file = calloc(1, sizeof(*reading.file));
	if (!reading.file)
		return -ENOMEM;
	reading.tail = &reading.file->sections;
	reading.file->path = strdup(path);
	if (!reading.file->path) {
		r = -ENOMEM;
		goto free_file;
	}
	r = kri_ini_read(path, &handler, &reading, ret_errors);
	if (reading.no_memory) {
		if (r == KRYOS_ECONFIG) {
			free(*ret_errors);
			*ret_errors = NULL;
		}
		r = -ENOMEM;
	}
	if (r == KRYOS_ECONFIG)
		r = fail_with(*ret_errors);
	if (r < 0)
		goto free_file;
	*ret_file = reading.file;
	return 0;
free_file:
	kri_station_file_free(reading.file);
	return r;
}
