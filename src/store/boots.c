/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of each boot: how its CLOCK_BOOTTIME relates to wall time, and to device time.
 *
 * Device time counts from commissioning. Within a boot it goes with CLOCK_BOOTTIME. Over a reboot it goes on from the
 * last record, and the time in which the device was off is added once both its ends are known: the wall time of that
 * record and of this boot. So it never goes back, and never counts time that may not have passed.
 */
#include "private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What comes from a file may be anything: a sum that does not fit is as far as it goes. */
static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

int64_t kri_ns_subtract(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference) || difference == INT64_MIN)
		return a < 0 ? -INT64_MAX : INT64_MAX;
	return difference;
}

struct kri_boot *kri_boots_find(const struct kri_boots *boots, uint32_t number)
{
	int low = 0, high = boots->count;

	while (low < high) {
		int middle = low + (high - low) / 2;

		if (boots->list[middle].boot < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < boots->count && boots->list[low].boot == number ? &boots->list[low] : NULL;
}

int kri_boots_put(struct kri_boots *boots, const struct kri_boot *boot)
{
	struct kri_boot *known = kri_boots_find(boots, boot->boot), *grown;
	int at = boots->count;

	if (known) {
		*known = *boot;
		return 0;
	}
	grown = realloc(boots->list, (size_t)(boots->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	boots->list = grown;
	for (; at > 0 && grown[at - 1].boot > boot->boot; at--)
		grown[at] = grown[at - 1];
	grown[at] = *boot;
	boots->count++;
	return 0;
}

void kri_boots_forget(struct kri_boots *boots, uint32_t before)
{
	int gone = 0;

	while (gone < boots->count && boots->list[gone].boot < before)
		gone++;
	if (!gone)
		return;
	boots->count -= gone;
	memmove(boots->list, boots->list + gone, (size_t)boots->count * sizeof(*boots->list));
}

void kri_boots_clear(struct kri_boots *boots)
{
	free(boots->list);
	*boots = (struct kri_boots){ .list = NULL };
}

int kri_boots_read(struct kri_boots *boots, sqlite3 *db, const char *boot_id, uint32_t *ret_same)
{
	sqlite3_stmt *rows;
	int r = kri_sql_prepare(db, &rows,
	                        "SELECT boot, offset_ns, trust, device_ns, before_ns, boot_id FROM boot WHERE crc IS"
	                        " row_crc('boot',boot,boot_id,offset_ns,trust,device_ns,before_ns) ORDER BY boot"),
	    code = SQLITE_DONE;

	if (r < 0)
		return r;
	while (r >= 0 && (code = sqlite3_step(rows)) == SQLITE_ROW) {
		struct kri_boot boot = { .boot = (uint32_t)sqlite3_column_int64(rows, 0),
			                 .offset_ns = sqlite3_column_int64(rows, 1),
			                 .trust = (uint16_t)sqlite3_column_int(rows, 2),
			                 .device_ns = sqlite3_column_int64(rows, 3),
			                 .before_ns = sqlite3_column_int64(rows, 4) };

		if (boot.trust > KRYOS_TRUST_SYNCED)
			boot.trust = KRYOS_TRUST_NONE;
		r = kri_boots_put(boots, &boot);
		if (ret_same)
			*ret_same = strcmp(kri_sql_text(rows, 5), boot_id) == 0 ? boot.boot : 0;
	}
	if (r >= 0)
		r = kri_sql_fail(db, code);
	sqlite3_finalize(rows);
	return r;
}

struct kri_boot kri_boot_after(const struct kri_boot *previous, const struct kri_last_record *last, uint32_t number)
{
	int64_t passed = last->boot == previous->boot ? last->t_boot_ns : 0;
	struct kri_boot boot = { .boot = number, .device_ns = add(previous->device_ns, passed) };

	if (last->boot == previous->boot && last->trust >= KRYOS_TRUST_RTC)
		boot.before_ns = last->t_wall_ns;
	else if (previous->trust >= KRYOS_TRUST_RTC)
		boot.before_ns = add(previous->offset_ns, passed);
	else if (previous->before_ns)
		boot.before_ns = add(previous->before_ns, passed); /* the earliest it can have been */
	return boot;
}

bool kri_boot_count_gap(struct kri_boot *boot, int64_t offset_ns)
{
	if (!boot->before_ns)
		return false;
	/* Wall time when this boot began, less that of the record before it. */
	if (offset_ns > boot->before_ns)
		boot->device_ns = add(boot->device_ns, kri_ns_subtract(offset_ns, boot->before_ns));
	boot->before_ns = 0;
	return true;
}

void kri_boot_apply(const struct kri_boot *boot, struct kryos_record *record)
{
	struct kryos_sample *sample = &record->sample;

	record->device_ns = add(boot->device_ns, sample->t_boot_ns);
	/* Wall time became known later in that boot: the stored stamp stays, the one given out is right. */
	if (sample->trust >= KRYOS_TRUST_RTC || boot->trust < KRYOS_TRUST_RTC)
		return;
	sample->t_wall_ns = add(sample->t_boot_ns, boot->offset_ns);
	sample->trust = boot->trust;
	sample->flags |= KRYOS_SAMPLE_CORRECTED;
}

size_t kri_boot_text(const struct kri_boot *boot, char *text, size_t size)
{
	return (size_t)snprintf(text, size, "%" PRId64 " %" PRId64 " %" PRId64 " %u", boot->device_ns, boot->before_ns,
	                        boot->offset_ns, (unsigned int)boot->trust);
}

/* The next of the numbers that blanks join, from minimum to maximum; *text is moved behind it, and a blank. */
static bool next_number(const char **text, int64_t minimum, int64_t maximum, int64_t *ret_number)
{
	char *end;
	long long number;

	if (**text != '-' && (**text < '0' || **text > '9'))
		return false;
	errno = 0;
	number = strtoll(*text, &end, 10);
	if (errno || end == *text || (*end && (*end != ' ' || !end[1])) || number < minimum || number > maximum)
		return false;
	*text = *end ? end + 1 : end;
	*ret_number = number;
	return true;
}

bool kri_boot_parse(struct kri_boot *boot, const char *number, const char *text)
{
	struct kri_boot parsed = { .boot = 0 };
	int64_t boot_number, trust;

	if (!next_number(&number, 1, UINT32_MAX, &boot_number) || *number ||
	    !next_number(&text, INT64_MIN, INT64_MAX, &parsed.device_ns) ||
	    !next_number(&text, INT64_MIN, INT64_MAX, &parsed.before_ns) ||
	    !next_number(&text, INT64_MIN, INT64_MAX, &parsed.offset_ns) ||
	    !next_number(&text, 0, KRYOS_TRUST_SYNCED, &trust) || *text)
		return false;
	parsed.boot = (uint32_t)boot_number;
	parsed.trust = (uint16_t)trust;
	*boot = parsed;
	return true;
}
