/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Config, inside: values as people write them, the table of defaults, and a strict reader of INI
 * files (the one room that includes inih).
 */
#ifndef KRI_CONFIG_H
#define KRI_CONFIG_H

#include "../core/core.h"

/* "10s", "15min", "10h", "30d", "500ms"; "60" alone is an error that says what is allowed. -EINVAL with a sentence. */
int kri_parse_duration(const char *text, int64_t *ret_ns);
/* "512MB", "2GB", "16MiB", "4096B". */
int kri_parse_size(const char *text, int64_t *ret_bytes);
/* Decimal to micro-units, exact: "-0.5" is -500000; more than six decimals is an error. */
int kri_parse_micro(const char *text, int64_t *ret_micro);
int kri_parse_count(const char *text, int64_t minimum, int64_t maximum, int64_t *ret_count);
int kri_parse_percent(const char *text, int64_t *ret_percent);
int kri_parse_bool(const char *text, bool *ret_truth); /* yes, no */
/* ISO 8601 UTC "2026-11-20T09:12:00Z", fraction allowed, or seconds since 1970. */
int kri_parse_time(const char *text, int64_t *ret_wall_ns);
/* The beginning of a day in UTC, "2026-11-20". */
int kri_parse_date(const char *text, int64_t *ret_wall_ns);
/* How a duration or size is best written: "15min", "16MB". At most 31 characters. */
void kri_duration_text(int64_t ns, char text[32]);
void kri_size_text(int64_t bytes, char text[32]);

/* The place, from 0, of the count bytes at word among the words of list, blanks between; -1: it is none of them. */
int kri_list_find(const char *list, const char *word, size_t count);

/* How many bytes the UTF-8 character at text takes, of the count that are there; 0: it is none. */
size_t kri_utf8_step(const char *text, size_t count);

/*
 * Reads an INI file: for each section header section(name "sensor", label "fridge" or "") and for
 * each entry entry(key, value), in file order with their lines. What inih hides is refused here,
 * each as "file:line: what is wrong, what is allowed" appended to errors: indented continuation
 * lines, text outside sections, over-long lines and names, missing "=", bytes that are no UTF-8,
 * files over 256 KiB. Errors come out in the order of their lines. A header with a mistake
 * comes with the name and label it can be read as ("[store" is store), so that what stands below it is judged in the
 * same run; name "" where it says nothing (entries below are then nobody's). Callbacks report their own mistakes with
 * kri_ini_error and go on.
 */
struct kri_ini;
struct kri_ini_handler {
	void (*section)(struct kri_ini *ini, void *data, const char *name, const char *label, int line);
	void (*entry)(struct kri_ini *ini, void *data, const char *key, const char *value, int line);
	void (*end)(struct kri_ini *ini, void *data); /* once, after the last line; NULL: none */
};
/* 0; KRYOS_ECONFIG: there were errors, all in *ret_errors (free() it; one a line); else why the file can't be read. */
int kri_ini_read(const char *path, const struct kri_ini_handler *handler, void *data, char **ret_errors);
void kri_ini_error(struct kri_ini *ini, int line, const char *format, ...) KRYOS_PRINTF(3, 4);

#endif
