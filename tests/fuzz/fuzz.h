/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share. A target is one file, <name>_fuzz.c, with LLVMFuzzerTestOneInput: built with clang it is
 * a libFuzzer program, with any compiler a test that replays seeds/<name>/ and cases/<name>/.
 */
#ifndef KRI_FUZZ_H
#define KRI_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise about every input: a breach is a found case. */
#define FUZZ_MUST(condition)                                                                                           \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fuzz_breach(__FILE__, __LINE__, #condition);                                                   \
	} while (0)
_Noreturn void fuzz_breach(const char *file, int line, const char *what);

/* The input, taken from its front; when it is used up, zeros and empty texts. */
struct fuzz_bytes {
	const uint8_t *at;
	size_t left;
};
uint8_t fuzz_u8(struct fuzz_bytes *bytes);
uint64_t fuzz_u64(struct fuzz_bytes *bytes);
/* Any number, with those at the edges often. */
int64_t fuzz_number(struct fuzz_bytes *bytes);
/* At most size - 1 bytes, none of them NUL; returns buffer. */
char *fuzz_text(struct fuzz_bytes *bytes, char *buffer, size_t size);

/* A path at which data can be read as a file; the same each time. */
const char *fuzz_file(const uint8_t *data, size_t size);
/* An empty folder of this process, in memory where there is /dev/shm; emptied at each call and removed at exit. */
const char *fuzz_folder(void);
/* folder/name with these bytes. */
void fuzz_write(const char *folder, const char *name, const void *data, size_t size);
/* The whole file, malloc'ed. */
uint8_t *fuzz_read(const char *path, size_t *ret_size);

#endif
