/* SPDX-License-Identifier: Apache-2.0 */
/* The build id that the linker wrote into the file this code is in: it tells two builds of one version apart. */
#include "core.h"
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#define MAX_BYTES 32

struct search {
	uintptr_t address; /* of code in the file that is looked for */
	char *text;
};

static bool holds(const struct dl_phdr_info *info, uintptr_t address)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && address >= begin &&
		    address - begin < info->dlpi_phdr[i].p_memsz)
			return true;
	}
	return false;
}

/* Notes (elf(5)): sizes of name and content, type, then both, each padded to four bytes. */
static void read_notes(const unsigned char *at, size_t left, char *text)
{
	while (left >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)at;
		size_t name = (note->n_namesz + 3) & ~(size_t)3, size = (note->n_descsz + 3) & ~(size_t)3;
		size_t whole = sizeof(*note) + name + size;

		if (whole > left)
			return;
		at += sizeof(*note);
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(at, "GNU", 4) == 0 &&
		    note->n_descsz <= MAX_BYTES) {
			for (size_t i = 0; i < note->n_descsz; i++)
				snprintf(text + 2 * i, 3, "%02x", at[name + i]);
			return;
		}
		at += name + size;
		left -= whole;
	}
}

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
	const struct search *search = data;

	(void)size;
	if (!holds(info, search->address))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_NOTE && !*search->text)
			read_notes((const unsigned char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr),
			           info->dlpi_phdr[i].p_memsz, search->text);
	return 1;
}

void kri_build_id(char text[65])
{
	struct search search = { .address = (uintptr_t)&kri_build_id, .text = text };

	*text = '\0';
	dl_iterate_phdr(look, &search);
	if (!*text)
		strcpy(text, "none");
}
