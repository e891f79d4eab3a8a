/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a station file: which sections and keys there are. */
#include "station_file.h"
#include <string.h>

#define KRYOS_SECTION(symbol, name, labelled, label_max, dotted, doc)                                                  \
	[KRI_SECTION_##symbol] = { name, labelled, label_max, dotted },
const struct kri_section_info kri_station_sections[KRI_SECTION_COUNT] = {
#include "keys.def"
};

#define KRYOS_KEY(section, symbol, name, kind, default_id, in_force, words, doc)                                       \
	[KRI_##section##_##symbol] = { KRI_SECTION_##section, name, KRI_VALUE_##kind, default_id, in_force, words },
const struct kri_key_info kri_station_keys[KRI_KEY_COUNT] = {
#include "keys.def"
};

/* Edits that turn one word into the other, where a swap of neighbours is one. */
static unsigned int distance(const char *a, size_t a_count, const char *b, size_t b_count)
{
	unsigned int rows[3][64], *before = rows[0], *above = rows[1], *here = rows[2], *spare;

	if (a_count > 62 || b_count > 62)
		return 99;
	for (unsigned int j = 0; j <= b_count; j++)
		above[j] = j;
	for (unsigned int i = 1; i <= a_count; i++) {
		here[0] = i;
		for (unsigned int j = 1; j <= b_count; j++) {
			unsigned int best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (here[j - 1] + 1 < best)
				best = here[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			here[j] = best;
		}
		spare = before;
		before = above;
		above = here;
		here = spare;
	}
	return above[b_count];
}

const char *kri_suggest(const char *text, const char *words, char *buffer, size_t size)
{
	unsigned int best = 3;
	const char *found = NULL;
	size_t found_count = 0, count;

	for (const char *word = words; *word; word += count + strspn(word + count, " ")) {
		unsigned int edits;

		count = strcspn(word, " ");
		edits = distance(text, strlen(text), word, count);
		/* "ca" is two edits from every other word of two letters: more than a third must be right. */
		if (edits < best && 2 * edits < count + 1) {
			best = edits;
			found = word;
			found_count = count;
		}
	}
	if (!found || found_count >= size)
		return NULL;
	memcpy(buffer, found, found_count);
	buffer[found_count] = 0;
	return buffer;
}
