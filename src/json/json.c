/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A struct kri_json is a cJSON; nobody outside this file knows. A builder that ran out of memory
 * marks the value it was adding to with a bit of cJSON's type that cJSON leaves alone (it looks at
 * the low byte, and at 256 and 512 for who owns what); printing looks for marks in the whole tree.
 */
#include "json.h"
#include "../config/config.h"
#include <cjson/cJSON.h>
#include <kryos/sample.h>
#include <kryos/sys/bus.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INCOMPLETE (1 << 20)
#define MAX_DEPTH 32
#define MAX_EXACT INT64_C(9007199254740992) /* 2^53: above, doubles skip integers */

static cJSON *inner(const struct kri_json *value)
{
	return (cJSON *)(uintptr_t)value;
}

static struct kri_json *outer(const cJSON *value)
{
	return (struct kri_json *)(uintptr_t)value;
}

struct kri_json *kri_json_object(void)
{
	return outer(cJSON_CreateObject());
}

struct kri_json *kri_json_array(void)
{
	return outer(cJSON_CreateArray());
}

void kri_json_free(struct kri_json *value)
{
	cJSON_Delete(inner(value));
}

static void add(struct kri_json *to, const char *key, cJSON *item)
{
	cJSON *parent = inner(to);

	if (!parent) {
		cJSON_Delete(item);
		return;
	}
	if (item && (key ? cJSON_AddItemToObject(parent, key, item) : cJSON_AddItemToArray(parent, item)))
		return;
	cJSON_Delete(item);
	parent->type |= INCOMPLETE;
}

void kri_json_add(struct kri_json *to, const char *key, struct kri_json *child)
{
	add(to, key, inner(child));
}

void kri_json_add_raw(struct kri_json *to, const char *key, const char *json)
{
	add(to, key, json ? cJSON_CreateRaw(json) : NULL);
}

void kri_json_add_null(struct kri_json *to, const char *key)
{
	add(to, key, cJSON_CreateNull());
}

void kri_json_add_bool(struct kri_json *to, const char *key, bool truth)
{
	add(to, key, cJSON_CreateBool(truth));
}

/* A copy of text in which each byte that begins no character is U+FFFD. NULL: out of memory. */
static char *repaired(const char *text)
{
	size_t count = strlen(text), length;
	char *copy = malloc(3 * count + 1), *to = copy;

	for (size_t i = 0; copy && i < count; i += length) {
		length = kri_utf8_step(text + i, count - i);
		if (length > 0) {
			memcpy(to, text + i, length);
			to += length;
		} else {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
			length = 1;
		}
	}
	if (copy)
		*to = 0;
	return copy;
}

void kri_json_add_string(struct kri_json *to, const char *key, const char *text)
{
	char *copy;

	if (!text) {
		kri_json_add_null(to, key);
		return;
	}
	copy = repaired(text);
	add(to, key, copy ? cJSON_CreateString(copy) : NULL);
	free(copy);
}

void kri_json_add_int(struct kri_json *to, const char *key, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	kri_json_add_raw(to, key, text);
}

void kri_json_add_micro(struct kri_json *to, const char *key, int64_t micro)
{
	char text[KRYOS_TEXT_MAX];

	kri_json_add_raw(to, key, kryos_value_text(micro, text));
}

/* printf writes the decimal point of the program's locale, which may be a comma, or several bytes. */
static void use_point(char *text)
{
	char *to = text;
	bool was_other = false;

	for (const char *from = text; *from; from++) {
		bool other = !strchr("0123456789+-e", *from);

		if (!other || !was_other)
			*to++ = other ? '.' : *from;
		was_other = other;
	}
	*to = 0;
}

void kri_json_add_double(struct kri_json *to, const char *key, double number)
{
	char text[48];

	if (!isfinite(number)) {
		kri_json_add_null(to, key);
		return;
	}
	/* The shorter form where it reads back as the same number, else the one that always does. */
	snprintf(text, sizeof(text), "%.15g", number);
	if (strtod(text, NULL) != number)
		snprintf(text, sizeof(text), "%.17g", number);
	use_point(text);
	kri_json_add_raw(to, key, text);
}

void kri_json_add_time(struct kri_json *to, const char *key, int64_t t_wall_ns)
{
	char text[KRYOS_TEXT_MAX];

	kri_json_add_string(to, key, t_wall_ns ? kryos_time_text(t_wall_ns, text) : NULL);
}

static bool is_complete(const cJSON *value)
{
	const cJSON *child;

	if (value->type & INCOMPLETE)
		return false;
	cJSON_ArrayForEach(child, value)
	{
		if (!is_complete(child))
			return false;
	}
	return true;
}

char *kri_json_print(const struct kri_json *value)
{
	if (!value || !is_complete(inner(value)))
		return NULL;
	return cJSON_PrintUnformatted(inner(value));
}

char *kri_json_print_pretty(const struct kri_json *value)
{
	char *text = NULL, *line;

	if (!value || !is_complete(inner(value)))
		return NULL;
	text = cJSON_Print(inner(value));
	if (!text)
		return NULL;
	if (asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

static int refuse(size_t offset, const char *what)
{
	return kryos_fail(-EINVAL, "JSON, byte %zu: %s", offset, what);
}

static size_t digits(const char *text, size_t count, size_t at)
{
	size_t begin = at;

	while (at < count && text[at] >= '0' && text[at] <= '9')
		at++;
	return at - begin;
}

/* RFC 8259 section 6; cJSON takes what strtod takes. *at is moved behind the number. */
static bool skip_number(const char *text, size_t count, size_t *at)
{
	size_t i = *at, length;

	if (text[i] == '-')
		i++;
	length = digits(text, count, i);
	if (length == 0 || (length > 1 && text[i] == '0'))
		return false;
	i += length;
	if (i < count && text[i] == '.') {
		length = digits(text, count, ++i);
		if (length == 0)
			return false;
		i += length;
	}
	if (i < count && (text[i] == 'e' || text[i] == 'E')) {
		i++;
		if (i < count && (text[i] == '+' || text[i] == '-'))
			i++;
		length = digits(text, count, i);
		if (length == 0)
			return false;
		i += length;
	}
	*at = i;
	return true;
}

/* Behind the closing quote; what stands between must be characters, and no U+0000, which would cut a C string. */
static int skip_string(const char *text, size_t count, size_t *at)
{
	size_t i = *at + 1, length;

	for (; i < count && text[i] != '"'; i += length) {
		length = kri_utf8_step(text + i, count - i);
		if (length == 0)
			return refuse(i, "this byte is no UTF-8");
		if ((unsigned char)text[i] < 0x20)
			return refuse(i, "a control character in a string must be escaped");
		if (text[i] != '\\')
			continue;
		if (count - i >= 6 && strncmp(text + i, "\\u0000", 6) == 0)
			return refuse(i, "\\u0000 is not allowed");
		length = 2;
	}
	if (i >= count)
		return refuse(*at, "the string is not closed");
	*at = i + 1;
	return 0;
}

/* What cJSON lets pass, and nesting, before it is read. */
static int look_over(const char *text, size_t count)
{
	unsigned int depth = 0;
	size_t i = 0;
	int r;

	while (i < count) {
		if (text[i] == '"') {
			r = skip_string(text, count, &i);
			if (r < 0)
				return r;
			continue;
		}
		if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
			size_t begin = i;

			if (!skip_number(text, count, &i))
				return refuse(begin, "this is no number of JSON");
			continue;
		}
		if ((unsigned char)text[i] < 0x20 && !strchr("\t\n\r", text[i] ? text[i] : ' '))
			return refuse(i, "a control character");
		if ((text[i] == '{' || text[i] == '[') && ++depth > MAX_DEPTH)
			return refuse(i, "nested deeper than 32");
		if ((text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
		i++;
	}
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const cJSON *const *one = a, *const *other = b;

	return strcmp((*one)->string, (*other)->string);
}

/* Sorted, since a hostile object may have as many keys as fit in a message. */
static int check_keys_of(const cJSON *object, size_t members)
{
	const cJSON **list = malloc(members * sizeof(const cJSON *));
	size_t count = 0;
	int r = 0;

	if (!list)
		return -ENOMEM;
	for (const cJSON *item = object->child; item; item = item->next)
		list[count++] = item;
	qsort(list, count, sizeof(const cJSON *), by_key);
	for (size_t i = 1; i < count && r >= 0; i++) {
		if (strcmp(list[i - 1]->string, list[i]->string) == 0)
			r = kryos_fail(-EINVAL, "JSON: \"%.60s\" is given twice in one object; once is allowed",
			               list[i]->string);
	}
	free(list);
	return r;
}

/* RFC 8259 section 4: what a repeated name means is unpredictable. As deep as look_over() allows. */
static int check_keys(const cJSON *value)
{
	size_t members = 0;
	int r = 0;

	for (const cJSON *item = value->child; item && r >= 0; item = item->next, members++)
		r = check_keys(item);
	return r >= 0 && cJSON_IsObject(value) && members > 1 ? check_keys_of(value, members) : r;
}

int kri_json_parse(struct kri_json **ret_value, const char *text, size_t text_count)
{
	const char *end = NULL;
	cJSON *value;
	int r;

	if (!ret_value || !text)
		return -EINVAL;
	r = look_over(text, text_count);
	if (r < 0)
		return r;
	value = cJSON_ParseWithLengthOpts(text, text_count, &end, 0);
	if (!value)
		return refuse(end ? (size_t)(end - text) : 0, "this is not JSON");
	while (end < text + text_count && strchr(" \t\n\r", *end))
		end++;
	if (end < text + text_count) {
		cJSON_Delete(value);
		return refuse((size_t)(end - text), "something follows the value; one is allowed");
	}
	r = check_keys(value);
	if (r < 0) {
		cJSON_Delete(value);
		return r;
	}
	*ret_value = outer(value);
	return 0;
}

const struct kri_json *kri_json_get(const struct kri_json *object, const char *key)
{
	return cJSON_IsObject(inner(object)) ? outer(cJSON_GetObjectItemCaseSensitive(inner(object), key)) : NULL;
}

bool kri_json_is_object(const struct kri_json *value)
{
	return cJSON_IsObject(inner(value));
}

const char *kri_json_text(const struct kri_json *value)
{
	return cJSON_IsString(inner(value)) ? inner(value)->valuestring : NULL;
}

bool kri_json_get_string(const struct kri_json *object, const char *key, const char **ret_text)
{
	const cJSON *item = inner(kri_json_get(object, key));

	if (!cJSON_IsString(item))
		return false;
	*ret_text = item->valuestring;
	return true;
}

/* Numbers of ours are kept as text, so that they are written exactly; cJSON reads it in any locale. */
static bool raw_number(const cJSON *item, double *ret_number)
{
	cJSON *number = cJSON_Parse(item->valuestring);
	bool right = cJSON_IsNumber(number);

	if (right)
		*ret_number = number->valuedouble;
	cJSON_Delete(number);
	return right;
}

bool kri_json_get_double(const struct kri_json *object, const char *key, double *ret_number)
{
	const cJSON *item = inner(kri_json_get(object, key));
	double number;

	if (cJSON_IsNumber(item))
		number = item->valuedouble;
	else if (!cJSON_IsRaw(item) || !raw_number(item, &number))
		return false;
	if (!isfinite(number))
		return false;
	*ret_number = number;
	return true;
}

bool kri_json_get_int(const struct kri_json *object, const char *key, int64_t *ret_number)
{
	double number;

	if (!kri_json_get_double(object, key, &number) || trunc(number) != number || fabs(number) > (double)MAX_EXACT)
		return false;
	*ret_number = (int64_t)number;
	return true;
}

bool kri_json_get_bool(const struct kri_json *object, const char *key, bool *ret_truth)
{
	const cJSON *item = inner(kri_json_get(object, key));

	if (!cJSON_IsBool(item))
		return false;
	*ret_truth = cJSON_IsTrue(item);
	return true;
}

const struct kri_json *kri_json_at(const struct kri_json *value, unsigned int index, const char **ret_key)
{
	const cJSON *item = inner(value);

	if (!cJSON_IsObject(item) && !cJSON_IsArray(item))
		return NULL;
	for (item = item->child; item && index > 0; item = item->next)
		index--;
	if (item && ret_key)
		*ret_key = item->string;
	return outer(item);
}

const char *kri_json_library_version(void)
{
	return cJSON_Version();
}
