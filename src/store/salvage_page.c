/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in a piece of memory, which was a page once (sqlite.org/fileformat2.html 1.6, 2). A row is a cell:
 *
 *     table leaf     payload size, rowid, payload       samples, boots, channels, seals
 *     index          payload size, payload              header rows: that table is WITHOUT ROWID
 *     payload        header size, one type per column, the columns
 *
 * The page's own header and its array of pointers are not asked: every offset is tried as a cell's beginning. Sizes
 * and types must then fit each other exactly, which almost nothing but a row does, and the row's checksum decides. So
 * it makes no difference whether the page was half overwritten, is on no list any more, or what kind it was.
 */
#include "salvage.h"
#include <stdlib.h>
#include <string.h>

#define MAX_CHAINS 16  /* followed for one page: those of real rows are few, what looks like one is not endless */
#define MAX_CHOICES 4u /* places tried for the pages of one row */

struct page {
	struct kri_salvage_sift *sift;
	const uint8_t *end;
	size_t page_size;
	int chains;
};

/* SQLite's variable-length integer; how many bytes it takes, 0: it does not end before the end. */
static size_t get_varint(const uint8_t *p, const uint8_t *end, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (p < end && *p < 0x80) {
		*ret_value = *p;
		return 1;
	}
	for (size_t i = 0; i < 9 && p + i < end; i++) {
		if (i == 8) {
			*ret_value = value << 8 | p[i];
			return 9;
		}
		value = value << 7 | (p[i] & 0x7f);
		if (p[i] < 0x80) {
			*ret_value = value;
			return i + 1;
		}
	}
	return 0;
}

/* The record's header: its types must account for every byte of the payload. */
static bool take_types(struct kri_salvage_cell *cell)
{
	const uint8_t *p = cell->payload, *end = p + cell->local;
	uint64_t header, type, sum;
	size_t at;

	at = get_varint(p, end, &header);
	if (!at || header < 3 || header > cell->local || header > cell->size)
		return false;
	end = p + header;
	sum = header;
	for (cell->columns = 0; p + at < end; cell->columns++) {
		size_t count = get_varint(p + at, end, &type);

		if (!count || cell->columns == KRI_SALVAGE_COLUMNS || type > 2 * KRI_SALVAGE_PAYLOAD)
			return false;
		cell->types[cell->columns] = (uint32_t)type;
		sum += kri_salvage_type_size((uint32_t)type);
		at += count;
	}
	cell->header = (size_t)header;
	return sum == cell->size;
}

/* How much of a payload is in the cell (fileformat2.html 1.6); all of it, or a piece and a page's number. */
static size_t local_size(uint64_t size, size_t page_size, bool table)
{
	uint64_t most, least, piece;

	if (page_size < 512)
		return (size_t)size;
	most = table ? page_size - 35 : (page_size - 12) * 64 / 255 - 23;
	if (size <= most)
		return (size_t)size;
	least = (page_size - 12) * 32 / 255 - 23;
	piece = least + (size - least) % (page_size - 4);
	return (size_t)(piece <= most ? piece : least);
}

/* Puts the payload together from the cell and its chain of pages, each found where choice says. */
static bool follow(struct page *page, const struct kri_salvage_cell *cell, unsigned int choice, bool *ret_other)
{
	struct kri_salvage_sift *sift = page->sift;
	const uint8_t *next = cell->payload + cell->local;
	uint8_t *buffer = sift->payload + KRI_SALVAGE_PAYLOAD + 1;
	size_t have = cell->local;
	uint32_t number;

	memcpy(sift->payload, cell->payload, have);
	number = (uint32_t)next[0] << 24 | (uint32_t)next[1] << 16 | (uint32_t)next[2] << 8 | next[3];
	while (have < cell->size) {
		size_t rest = (size_t)cell->size - have, most = page->page_size - 4;
		unsigned int at = choice;

		if (number < 2 || number > INT32_MAX)
			return false;
		while (!sift->fetch(sift->fetch_data, number, at, buffer)) {
			if (!at--)
				return false;
		}
		*ret_other |= at == choice;
		rest = rest < most ? rest : most;
		memcpy(sift->payload + have, buffer + 4, rest);
		have += rest;
		number = (uint32_t)buffer[0] << 24 | (uint32_t)buffer[1] << 16 | (uint32_t)buffer[2] << 8 | buffer[3];
	}
	return number == 0;
}

/* A row that goes on elsewhere, with its pages from one set of places after the other until it is a row. */
static int take_chain(struct page *page, const struct kri_salvage_cell *cell)
{
	struct kri_salvage_cell whole = *cell;
	int r = 0;

	if (!page->sift->fetch || page->chains == MAX_CHAINS)
		return 0;
	if (!cell->table && !kri_salvage_is_key(cell->payload + cell->header, cell->local - cell->header,
	                                        kri_salvage_type_size(cell->types[0])))
		return 0;
	page->chains++;
	whole.payload = page->sift->payload;
	whole.local = (size_t)cell->size;
	for (unsigned int choice = 0; r == 0 && choice < MAX_CHOICES; choice++) {
		bool other = false;

		if (follow(page, cell, choice, &other))
			r = kri_salvage_row(page->sift, &whole);
		if (!other)
			break;
	}
	return r;
}

/* 1: at from there is a row, and *ret_count bytes are its cell's. */
static int try_cell(struct page *page, const uint8_t *from, bool table, size_t *ret_count)
{
	struct kri_salvage_cell cell = { .table = table };
	const uint8_t *at = from;
	size_t count;
	bool chain;

	count = get_varint(at, page->end, &cell.size);
	if (!count || cell.size < 4 || cell.size > KRI_SALVAGE_PAYLOAD)
		return 0;
	at += count;
	if (table) {
		count = get_varint(at, page->end, &cell.rowid);
		if (!count)
			return 0;
		at += count;
	}
	cell.payload = at;
	cell.local = local_size(cell.size, page->page_size, table);
	chain = cell.local < cell.size;
	if (cell.local + (chain ? 4 : 0) > (size_t)(page->end - at) || !take_types(&cell) || !kri_salvage_is_row(&cell))
		return 0;
	*ret_count = (size_t)(at - from) + cell.local;
	return chain ? take_chain(page, &cell) : kri_salvage_row(page->sift, &cell);
}

int kri_salvage_page(struct kri_salvage_sift *sift, const uint8_t *bytes, size_t size, size_t page_size)
{
	struct page page = { sift, bytes + size, page_size, 0 };
	size_t count = 0;

	for (const uint8_t *at = bytes; at < page.end;) {
		int r = try_cell(&page, at, true, &count);

		if (r == 0)
			r = try_cell(&page, at, false, &count);
		if (r < 0)
			return r;
		at += r ? count : 1; /* a row holds no other row */
	}
	return 0;
}
