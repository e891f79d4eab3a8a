/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A write-ahead log: as the input has it, or a good one built from the input and then damaged where the input says.
 * What SQLite would read of it is counted here a second time, from the file format's text alone.
 */
#include "fuzz.h"
#include "store/salvage.h"
#include <stdlib.h>
#include <string.h>

#define PAGE 512
#define FRAME (24 + PAGE)
#define MAX_FRAMES 40

struct read_by_sqlite {
	bool header;
	int64_t frames, last_commit;
};

static uint32_t word(const uint8_t *p, bool big)
{
	return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
	           : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void put(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* sqlite.org/fileformat2.html 4.2 */
static void sum(uint32_t s[2], bool big, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		s[0] += word(data + i, big) + s[1];
		s[1] += word(data + i + 4, big) + s[0];
	}
}

/* sqlite.org/fileformat2.html 4.1 to 4.3, and the limits of a page's size (1.3.2). */
static struct read_by_sqlite read_wal(const uint8_t *data, size_t size)
{
	struct read_by_sqlite result = { .header = false };
	uint32_t s[2] = { 0, 0 }, page;
	size_t at = 32;
	bool big;

	if (size < 32 || (word(data, true) & 0xfffffffe) != 0x377f0682 || word(data + 4, true) != 3007000)
		return result;
	big = data[3] & 1;
	page = word(data + 8, true);
	if (page < 512 || page > 65536 || page & (page - 1))
		return result;
	sum(s, big, data, 24);
	if (s[0] != word(data + 24, true) || s[1] != word(data + 28, true))
		return result;
	result.header = true;
	for (; at + 24 + page <= size; at += 24 + page) {
		const uint8_t *frame = data + at;

		sum(s, big, frame, 8);
		sum(s, big, frame + 24, page);
		if (word(frame, true) == 0 || memcmp(frame + 8, data + 16, 8) != 0 || s[0] != word(frame + 16, true) ||
		    s[1] != word(frame + 20, true))
			break;
		result.frames++;
		if (word(frame + 4, true))
			result.last_commit = result.frames;
	}
	return result;
}

static size_t build(struct fuzz_bytes *bytes, uint8_t *wal)
{
	int frames = fuzz_u8(bytes) % (MAX_FRAMES + 1), salt = fuzz_u8(bytes), old = 0;
	bool big = fuzz_u8(bytes) & 1;
	uint32_t s[2] = { 0, 0 };

	put(wal, 0x377f0682 | big);
	put(wal + 4, 3007000);
	put(wal + 8, PAGE);
	put(wal + 12, 7);
	put(wal + 16, 0x1234u + (uint32_t)salt);
	put(wal + 20, 0xfeedbeef);
	sum(s, big, wal, 24);
	put(wal + 24, s[0]);
	put(wal + 28, s[1]);
	for (int i = 0; i < frames; i++) {
		uint8_t *frame = wal + 32 + (size_t)i * FRAME, kind = fuzz_u8(bytes);

		/* From here on of the round before: the salts were others, and the checksums went on from others. */
		if (!old && (kind & 0xf0) == 0xf0) {
			old = 1;
			s[0] += 0x5eed;
		}
		put(frame, 1 + (kind >> 2 & 7));
		put(frame + 4, kind & 1 ? 9 : 0);
		put(frame + 8, 0x1234u + (uint32_t)salt - (uint32_t)old);
		put(frame + 12, 0xfeedbeef ^ (old ? 0xffff0000 : 0));
		memset(frame + 24, kind & 2 ? 0 : fuzz_u8(bytes), PAGE);
		frame[24 + i] = (uint8_t)i;
		sum(s, big, frame, 8);
		sum(s, big, frame + 24, PAGE);
		put(frame + 16, s[0]);
		put(frame + 20, s[1]);
	}
	return 32 + (size_t)frames * FRAME;
}

/* Bits, sectors, the end: how many bits were changed, where it is one, else any other number. */
static int damage(struct fuzz_bytes *bytes, uint8_t *wal, size_t *size)
{
	int changed = 0;

	while (bytes->left >= 3) {
		uint8_t kind = fuzz_u8(bytes);
		size_t at = ((size_t)fuzz_u8(bytes) << 8 | fuzz_u8(bytes)) % *size;

		if (kind & 0x80) {
			wal[at] ^= (uint8_t)(1u << kind % 8);
			changed++;
			continue;
		}
		changed += 8;
		if (kind & 0x40) {
			*size = at < 32 ? 32 : at;
		} else {
			at -= at % 512;
			memset(wal + at, kind & 0x20 ? 0 : kind, *size - at < 512 ? *size - at : 512);
		}
	}
	return changed;
}

static struct kri_wal_scan look(const uint8_t *data, size_t size)
{
	struct kri_wal_scan scan, again;
	struct read_by_sqlite sqlite = read_wal(data, size);
	struct kri_peek peek;

	memset(&scan, 0xee, sizeof(scan));
	kri_peek_memory(&peek, data, size);
	FUZZ_MUST(kri_wal_scan_peek(&peek, &scan) == 0);
	FUZZ_MUST(kri_wal_scan_peek(&peek, &again) == 0);
	FUZZ_MUST(scan.broken == again.broken && scan.in_last_transaction == again.in_last_transaction);
	FUZZ_MUST(strcmp(scan.text, again.text) == 0);
	FUZZ_MUST(scan.bytes == (int64_t)size && scan.text[0]);
	FUZZ_MUST(memchr(scan.text, '\0', sizeof(scan.text)));
	FUZZ_MUST(scan.frames_good == sqlite.frames && scan.last_commit_frame == sqlite.last_commit);
	FUZZ_MUST(scan.frames_beyond >= 0 && scan.frames_good + scan.frames_beyond <= scan.frames);
	FUZZ_MUST(scan.broken || !scan.in_last_transaction);
	FUZZ_MUST(scan.broken || !scan.frames_beyond);
	FUZZ_MUST(sqlite.header || !scan.in_last_transaction);
	kri_peek_close(&peek);
	return scan;
}

static void look_at_built(struct fuzz_bytes *bytes)
{
	uint8_t *wal = calloc(1, 32 + MAX_FRAMES * FRAME);
	struct kri_wal_scan before, after;
	size_t size, whole;
	int changed;

	FUZZ_MUST(wal);
	size = whole = build(bytes, wal);
	before = look(wal, size);
	FUZZ_MUST(!before.broken);
	changed = damage(bytes, wal, &size);
	after = look(wal, size);
	/* One bit that costs a commit is always seen, and not taken for what a cut leaves. */
	if (changed == 1 && size == whole && after.last_commit_frame < before.last_commit_frame)
		FUZZ_MUST(after.broken && !after.in_last_transaction);
	free(wal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes bytes = { data, size };
	uint8_t mode = fuzz_u8(&bytes);

	if (mode & 1)
		look_at_built(&bytes);
	else if (size > 3)
		look(data + 3, size - 3);
	return 0;
}
