/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON, inside: the one room that includes cJSON. Builders never fail halfway: after an allocation
 * failed, printing gives NULL. Numbers are written exactly: 64-bit integers and micro-units as
 * decimal text, never through a double. Any thread, one value per thread at a time.
 */
#ifndef KRI_JSON_H
#define KRI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kri_json;

/* Of cJSON as it was loaded. */
const char *kri_json_library_version(void);

struct kri_json *kri_json_object(void);
struct kri_json *kri_json_array(void);
void kri_json_free(struct kri_json *value); /* NULL is allowed */

/* Into an object by key, or onto an array with key NULL. Strings that are not UTF-8 are repaired with U+FFFD. */
void kri_json_add_string(struct kri_json *to, const char *key, const char *text); /* NULL: null */
void kri_json_add_int(struct kri_json *to, const char *key, int64_t number);
void kri_json_add_micro(struct kri_json *to, const char *key, int64_t micro);
void kri_json_add_double(struct kri_json *to, const char *key, double number); /* NaN, inf: null */
void kri_json_add_bool(struct kri_json *to, const char *key, bool truth);
void kri_json_add_null(struct kri_json *to, const char *key);
void kri_json_add_time(struct kri_json *to, const char *key, int64_t t_wall_ns); /* ISO 8601 text; 0: null */
/* takes child over, which must be complete: nothing may be added to it afterwards */
void kri_json_add(struct kri_json *to, const char *key, struct kri_json *child);
void kri_json_add_raw(struct kri_json *to, const char *key, const char *json); /* trusted JSON text */

/* One line; free() it. NULL: out of memory, now or while building. */
char *kri_json_print(const struct kri_json *value);
/* The same, indented, with a newline at its end. */
char *kri_json_print_pretty(const struct kri_json *value);

/* Parses exactly one value of text_count bytes; nesting at most 32, each key of an object once. -EINVAL with a
   sentence naming the offset or the key. */
int kri_json_parse(struct kri_json **ret_value, const char *text, size_t text_count);

/* Looking. Each gives false where there is no such key or another type. Strings live as long as value. */
bool kri_json_is_object(const struct kri_json *value);
const char *kri_json_text(const struct kri_json *value); /* of a string itself, such as an element; else NULL */
bool kri_json_get_string(const struct kri_json *object, const char *key, const char **ret_text);
bool kri_json_get_int(const struct kri_json *object, const char *key, int64_t *ret_number); /* |n| <= 2^53, whole */
bool kri_json_get_double(const struct kri_json *object, const char *key, double *ret_number);
bool kri_json_get_bool(const struct kri_json *object, const char *key, bool *ret_truth);
const struct kri_json *kri_json_get(const struct kri_json *object, const char *key); /* NULL: none */
/* Members or elements in order from index 0: NULL: no more. ret_key may be NULL. */
const struct kri_json *kri_json_at(const struct kri_json *value, unsigned int index, const char **ret_key);

#endif
