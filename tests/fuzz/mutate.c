/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutator for files made of pages: most changes leave everything where it is, as a bad card does, because a byte put
 * in between would make nonsense of all pages behind it. Of a target's input, the first HEAD bytes say what follows.
 */
#include "fuzz.h"
#include <string.h>

#define HEAD 3
#define PAGE 512

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static size_t damage(uint8_t *data, size_t size, uint32_t *state)
{
	static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0x81, 0xff, 0x02, 0x05, 0x0a, 0x0d };
	size_t at = HEAD + next(state) % (size - HEAD), pages = (size - HEAD) / PAGE,
	       page = pages ? next(state) % pages : 0;
	size_t other = pages ? next(state) % pages : 0;
	uint8_t *here = data + HEAD + page * PAGE;

	switch (next(state) % 10) {
	case 0:
		data[at] ^= (uint8_t)(1u << next(state) % 8);
		break;
	case 1:
		data[at] = (uint8_t)next(state);
		break;
	case 2: /* where a page keeps its kind, its cells and their number */
		if (pages)
			here[next(state) % 16] = edges[next(state) % sizeof(edges)];
		break;
	case 3: /* the same, with small numbers as those of pages */
		if (pages)
			here[next(state) % 64] = (uint8_t)(next(state) % 16);
		break;
	case 4:
		if (pages)
			memcpy(here, data + HEAD + other * PAGE, PAGE); /* may be the same page */
		break;
	case 5:
		if (pages)
			memset(here, next(state) % 2 ? 0 : 0xff, PAGE);
		break;
	case 6: /* torn: the end of the page is another's */
		if (pages)
			memmove(here + PAGE / 2, data + HEAD + other * PAGE + PAGE / 2, PAGE / 2);
		break;
	case 7:
		return next(state) % 8 ? size : HEAD + at % (size - HEAD) + 1;
	case 8:
		data[next(state) % HEAD] = (uint8_t)next(state);
		break;
	default:
		data[at] = edges[next(state) % sizeof(edges)];
		break;
	}
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	uint32_t state = seed;

	/* Bit 0 of the first byte: what follows is a list of rows, no pages. */
	if (size <= HEAD + PAGE || data[0] & 1 || next(&state) % 16 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	for (uint32_t edits = 1 + next(&state) % 4; edits > 0 && size > HEAD + 1; edits--)
		size = damage(data, size, &state);
	return size;
}
