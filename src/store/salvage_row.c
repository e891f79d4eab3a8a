/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record found by salvage_page.c says, if it is one of ours (docs/store-format.md). Integers of a row with a
 * checksum need no further test: a checksum that holds is one that we wrote. Header rows have none. They need a key of
 * the format's and printable text; what they say is for the caller to judge.
 */
#include "salvage.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 96

int kri_salvage_sift_init(struct kri_salvage_sift *sift, const struct kri_salvage_found *found)
{
	memset(sift, 0, sizeof(*sift));
	sift->found = *found;
	sift->payload = malloc(KRI_SALVAGE_PAYLOAD + 1 + 65536);
	return sift->payload ? 0 : kryos_fail(-ENOMEM, "salvage: no memory for a row");
}

void kri_salvage_sift_free(struct kri_salvage_sift *sift)
{
	free(sift->payload);
	sift->payload = NULL;
}

void kri_salvage_add_epoch(struct kri_salvage_sift *sift, uint64_t epoch)
{
	for (int i = 0; i < sift->epoch_count; i++) {
		if (sift->epochs[i] == epoch)
			return;
	}
	if (sift->epoch_count == KRI_SALVAGE_EPOCHS)
		return;
	sift->epochs[sift->epoch_count] = epoch;
	sift->epoch_crcs[sift->epoch_count++] = kri_epoch_crc(epoch);
	sift->again |= sift->missed;
}

uint32_t kri_salvage_type_size(uint32_t type)
{
	static const uint8_t sizes[] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0 };

	return type < 12 ? sizes[type] : (type - 12) / 2;
}

static bool is_integer(uint32_t type)
{
	return (type >= 1 && type <= 6) || type == 8 || type == 9;
}

static bool is_text(uint32_t type)
{
	return type >= 13 && type & 1;
}

static int64_t get_integer(const uint8_t *p, uint32_t type)
{
	uint32_t size = kri_salvage_type_size(type);
	uint64_t value = size && *p & 0x80 ? UINT64_MAX : 0;

	if (type == 8 || type == 9)
		return type == 9;
	for (uint32_t i = 0; i < size; i++)
		value = value << 8 | p[i];
	return (int64_t)value;
}

/* The candidate under which the line has that checksum; -1: none. */
static int find_epoch(struct kri_salvage_sift *sift, const char *line, size_t length, int64_t crc)
{
	for (int i = 0; i < sift->epoch_count; i++) {
		int at = (sift->last_epoch + i) % sift->epoch_count;

		if (kri_text_crc(sift->epoch_crcs[at], line, length) == crc) {
			sift->last_epoch = at;
			return at;
		}
	}
	sift->missed = true;
	return -1;
}

static struct kri_salvage_origin origin_of(const struct kri_salvage_sift *sift, int epoch)
{
	return (struct kri_salvage_origin){ epoch < 0 ? 0 : sift->epochs[epoch], sift->doubtful };
}

/* 1: a row; 0: none; below 0: what the callback gave. The same for all that follow. */
static int take_sample(struct kri_salvage_sift *sift, const struct kri_salvage_cell *cell)
{
	static const int64_t most[] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, INT64_MAX,  INT64_MAX,
		                        UINT16_MAX, UINT16_MAX, INT64_MAX,  UINT32_MAX, UINT32_MAX };
	const uint8_t *at = cell->payload + cell->header;
	struct kri_salvage_origin origin;
	struct kri_row row;
	int64_t v[10];
	char line[KRI_LINE_MAX];
	int epoch, r;

	for (int i = 0; i < 10; i++) {
		v[i] = get_integer(at, cell->types[i + 1]);
		at += kri_salvage_type_size(cell->types[i + 1]);
		if (most[i] < INT64_MAX && (v[i] < 0 || v[i] > most[i]))
			return 0;
	}
	row = (struct kri_row){ .seq = (int64_t)cell->rowid,
		                .channel = (uint32_t)v[0],
		                .boot = (uint32_t)v[1],
		                .round = (uint32_t)v[2],
		                .t_boot_ns = v[3],
		                .t_wall_ns = v[4],
		                .trust = (uint16_t)v[5],
		                .quality = (uint16_t)v[6],
		                .value_micro = v[7],
		                .alarm = (uint32_t)v[8],
		                .crc = (uint32_t)v[9] };
	epoch = find_epoch(sift, line, kri_row_text(&row, line), row.crc);
	if (epoch < 0) {
		sift->counts.rejected++;
		return 0;
	}
	sift->counts.samples++;
	origin = origin_of(sift, epoch);
	r = sift->found.on_sample ? sift->found.on_sample(sift->found.data, &row, &origin) : 0;
	return r < 0 ? r : 1;
}

/* Ours are: names, numbers, PEM. */
static bool is_printable(const uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if ((text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7f)
			return false;
	}
	return true;
}

/* Texts that stand one behind the other, as C strings. False: none of ours. */
static bool take_texts(const uint8_t *from, const uint32_t *types, int count, char *buffer, size_t size, char **texts)
{
	size_t used = 0;

	for (int i = 0; i < count; i++) {
		uint32_t length = kri_salvage_type_size(types[i]);

		if (used + length + 1 > size || !is_printable(from, length))
			return false;
		texts[i] = memcpy(buffer + used, from, length);
		texts[i][length] = '\0';
		used += length + 1;
		from += length;
	}
	return true;
}

/* A boot's row, texts 1, or a channel's, texts 3: number (the rowid), since, texts, crc. */
static int take_named(struct kri_salvage_sift *sift, const struct kri_salvage_cell *cell, int count)
{
	const uint8_t *at = cell->payload + cell->header;
	char line[KRI_LINE_MAX], buffer[KRI_LINE_MAX], *texts[3];
	struct kri_salvage_origin origin;
	int64_t since, crc;
	size_t length, sum = 0;
	int epoch, r = 0;

	if (cell->rowid > UINT32_MAX)
		return 0;
	since = get_integer(at, cell->types[1]);
	at += kri_salvage_type_size(cell->types[1]);
	if (!take_texts(at, cell->types + 2, count, buffer, sizeof(buffer), texts))
		return 0;
	for (int i = 0; i < count; i++)
		sum += kri_salvage_type_size(cell->types[2 + i]);
	crc = get_integer(at + sum, cell->types[count + 2]);
	if (count == 1)
		length = (size_t)snprintf(line, sizeof(line), "boot|%" PRIu64 "|%" PRId64 "|%s", cell->rowid, since,
		                          texts[0]);
	else
		length = (size_t)snprintf(line, sizeof(line), "channel|%" PRIu64 "|%" PRId64 "|%s|%s|%s", cell->rowid,
		                          since, texts[0], texts[1], texts[2]);
	if (length >= sizeof(line))
		return 0;
	epoch = find_epoch(sift, line, length, crc);
	if (epoch < 0) {
		sift->counts.rejected++;
		return 0;
	}
	origin = origin_of(sift, epoch);
	if (count == 1) {
		struct kri_salvaged_boot boot = { since, (uint32_t)cell->rowid, texts[0] };

		sift->counts.boots++;
		if (sift->found.on_boot)
			r = sift->found.on_boot(sift->found.data, &boot, &origin);
	} else {
		struct kri_salvaged_channel channel = { since, (uint32_t)cell->rowid, texts[0], texts[1], texts[2] };

		sift->counts.channels++;
		if (sift->found.on_channel)
			r = sift->found.on_channel(sift->found.data, &channel, &origin);
	}
	return r < 0 ? r : 1;
}

static bool is_hex(const char *text, size_t length)
{
	return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

static int take_seal(struct kri_salvage_sift *sift, const struct kri_salvage_cell *cell)
{
	const uint8_t *at = cell->payload + cell->header;
	char buffer[512], *texts[2];
	struct kri_salvage_origin origin = origin_of(sift, -1);
	struct kri_salvaged_seal seal;
	int r = 0;

	seal.first_seq = get_integer(at, cell->types[0]);
	at += kri_salvage_type_size(cell->types[0]);
	seal.last_seq = get_integer(at, cell->types[1]);
	at += kri_salvage_type_size(cell->types[1]);
	if (!take_texts(at, cell->types + 2, 2, buffer, sizeof(buffer), texts) ||
	    !is_hex(texts[0], 2 * KRI_SHA256_SIZE) || !is_hex(texts[1], 2 * KRI_SIGNATURE_SIZE))
		return 0;
	seal.hash = texts[0];
	seal.signature = texts[1];
	sift->counts.seals++;
	if (sift->found.on_seal)
		r = sift->found.on_seal(sift->found.data, &seal, &origin);
	return r < 0 ? r : 1;
}

/* Whether a header row's key is one, of which only the first bytes may be here. What ends in a colon has a name. */
bool kri_salvage_is_key(const uint8_t *key, size_t have, size_t length)
{
	static const char *const keys[] = { "format", "device",        "epoch",   "first_seq",  "previous_segment",
		                            "boot",   "previous_hash", "created", "public_key", "created_trust",
		                            "events", "queue:",        "boot:",   "state:" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t size = strlen(keys[i]);

		if (have >= size && memcmp(key, keys[i], size) == 0 &&
		    (keys[i][size - 1] == ':' ? length > size && length < KEY_MAX : length == size))
			return true;
	}
	return false;
}

static int take_header(struct kri_salvage_sift *sift, const struct kri_salvage_cell *cell)
{
	uint32_t length = kri_salvage_type_size(cell->types[0]), rest = kri_salvage_type_size(cell->types[1]);
	struct kri_salvage_origin origin = origin_of(sift, -1);
	char key[KEY_MAX], *value;
	uint8_t epoch[8];
	uint64_t number = 0;
	int r = 0;

	if (!kri_salvage_is_key(cell->payload + cell->header, length, length))
		return 0;
	memcpy(key, cell->payload + cell->header, length);
	key[length] = '\0';
	if (!is_printable((const uint8_t *)key, length) || !is_printable(cell->payload + cell->header + length, rest))
		return 0;
	value = memmove(sift->payload, cell->payload + cell->header + length, rest);
	value[rest] = '\0';
	if (strcmp(key, "epoch") == 0 && rest == 16 && kri_unhex(value, epoch, sizeof(epoch)) >= 0) {
		for (int i = 0; i < 8; i++)
			number = number << 8 | epoch[i];
		kri_salvage_add_epoch(sift, number);
	}
	sift->counts.headers++;
	if (sift->found.on_header)
		r = sift->found.on_header(sift->found.data, key, value, &origin);
	return r < 0 ? r : 1;
}

/* By the types of columns alone, which is cheap: whether it is worth to look at what is in them. */
bool kri_salvage_is_row(const struct kri_salvage_cell *cell)
{
	const uint32_t *types = cell->types;

	if (!cell->table)
		return cell->columns == 2 && is_text(types[0]) && is_text(types[1]);
	if (cell->columns == 4 && is_integer(types[0]))
		return is_integer(types[1]) && types[2] == 13 + 2 * 2 * KRI_SHA256_SIZE &&
		       types[3] == 13 + 2 * 2 * KRI_SIGNATURE_SIZE;
	if (types[0] != 0 || !is_integer(types[1]))
		return false;
	switch (cell->columns) {
	case 4: /* boot */
		return is_text(types[2]) && is_integer(types[3]);
	case 6: /* channel */
		return is_text(types[2]) && is_text(types[3]) && is_text(types[4]) && is_integer(types[5]);
	case 12: /* sample; a build of SQLite with ENABLE_NULL_TRIM leaves out a hash that is NULL */
		if (types[11] != 0 && types[11] != 12 + 2 * KRI_SHA256_SIZE)
			return false;
		/* fall through */
	case 11:
		for (int i = 1; i < 11; i++) {
			if (!is_integer(types[i]))
				return false;
		}
		return true;
	default:
		return false;
	}
}

int kri_salvage_row(struct kri_salvage_sift *sift, const struct kri_salvage_cell *cell)
{
	if (!cell->table)
		return take_header(sift, cell);
	if (cell->columns >= 11)
		return take_sample(sift, cell);
	if (cell->types[0])
		return take_seal(sift, cell);
	return take_named(sift, cell, cell->columns == 4 ? 1 : 3);
}
