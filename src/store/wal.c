/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SQLite would drop of a WAL (sqlite.org/fileformat2.html 4, wal.c: walIndexRecover). The file is
 *
 *     header                                   magic, version, page size, checkpoint, salts, checksum
 *     frame, frame, ...                        page number, size after commit (or 0), salts, checksum, page
 *
 * and each checksum goes on from the one before it. Reading ends at the first frame whose salts or checksum do not
 * fit; what follows is normally of an older round (other salts), or what a cut left. A frame that has the present
 * salts, or whose checksum goes on from the frame before it, was written in the present round all the same.
 *
 * With synchronous=FULL a transaction is begun only when the one before it is durable. So a commit frame that has a
 * successor which goes on from it was durable: what SQLite drops there was promised to somebody. So was, or is as good,
 * a transaction that is whole but for one bit: disks flip bits, cuts leave old sectors. Another may be half written.
 * (An unfinished transaction that a shorter one has overwritten since leaves its end behind, with the present salts:
 * nothing there goes on from the commit before it.) The header is synced before the first frame is written, so a bad
 * header before frames is never what a cut leaves.
 */
#include "salvage.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAGIC 0x377f0682 /* the last bit: checksums are over big-endian words */
#define VERSION 3007000
#define GUESS_FRAMES 1000
#define MEND_PAGE                                                                                                      \
	4096 /* larger pages are not tried bit by bit: 0.6 ms for one of 512 bytes, it grows by the square             \
	      */
#define SECTOR 512
#define OLD_ROUNDS 0x100000 /* a frame of so many rounds ago may still be there */

struct sum {
	uint32_t s0, s1;
};

struct wal {
	struct kri_peek *file;
	bool big_endian;
	uint32_t page_size, salts[2], round;
	struct sum stored, computed; /* the header's checksum, as it stands there and as it should be */
	uint8_t *frame;
};

static uint32_t big(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t little(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static struct sum stored_sum(const uint8_t *p)
{
	return (struct sum){ big(p), big(p + 4) };
}

static struct sum add(struct sum sum, bool big_endian, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		sum.s0 += (big_endian ? big(data + i) : little(data + i)) + sum.s1;
		sum.s1 += (big_endian ? big(data + i + 4) : little(data + i + 4)) + sum.s0;
	}
	return sum;
}

static bool same(struct sum a, struct sum b)
{
	return a.s0 == b.s0 && a.s1 == b.s1;
}

static int64_t frame_offset(uint32_t page_size, int64_t number)
{
	return KRI_WAL_HEADER + number * (int64_t)(page_size + KRI_WAL_FRAME_HEADER);
}

static int64_t frame_count(const struct wal *wal, uint32_t page_size)
{
	return wal->file->bytes < KRI_WAL_HEADER
	               ? 0
	               : (wal->file->bytes - KRI_WAL_HEADER) / (int64_t)(page_size + KRI_WAL_FRAME_HEADER);
}

static int read_frame(struct wal *wal, int64_t number)
{
	return kri_peek_read(wal->file, wal->frame, wal->page_size + KRI_WAL_FRAME_HEADER,
	                     frame_offset(wal->page_size, number));
}

/* The checksum of the frame that was read, if it goes on from that one. */
static struct sum frame_sum(const struct wal *wal, struct sum before)
{
	before = add(before, wal->big_endian, wal->frame, 8);
	return add(before, wal->big_endian, wal->frame + KRI_WAL_FRAME_HEADER, wal->page_size);
}

static bool has_salts(const struct wal *wal)
{
	return big(wal->frame + 8) == wal->salts[0] && big(wal->frame + 12) == wal->salts[1];
}

/* Each round's first salt is one more than that of the round before it. */
static bool is_older(const struct wal *wal)
{
	uint32_t rounds = wal->salts[0] - big(wal->frame + 8);

	return wal->round && rounds && rounds < OLD_ROUNDS && big(wal->frame);
}

static bool is_page_size(uint32_t size)
{
	return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

/* As SQLite reads it; what can't be right there makes it take the WAL for empty. */
static bool take_header(struct wal *wal, const uint8_t header[KRI_WAL_HEADER])
{
	wal->big_endian = big(header) & 1;
	wal->page_size = big(header + 8);
	wal->round = big(header + 12);
	wal->salts[0] = big(header + 16);
	wal->salts[1] = big(header + 20);
	wal->stored = stored_sum(header + 24);
	wal->computed = add((struct sum){ 0, 0 }, wal->big_endian, header, 24);
	return (big(header) & ~1u) == MAGIC && big(header + 4) == VERSION && is_page_size(wal->page_size) &&
	       same(wal->stored, wal->computed);
}

static bool is_one_bit(uint32_t bits)
{
	return bits && !(bits & (bits - 1));
}

/*
 * Whether one flipped bit is all that keeps the frame that was read from going on from that checksum; it is turned back
 * then.
 */
static bool mend(struct wal *wal, struct sum before)
{
	uint32_t salts[2] = { big(wal->frame + 8) ^ wal->salts[0], big(wal->frame + 12) ^ wal->salts[1] };
	struct sum own = stored_sum(wal->frame + 16), expected = frame_sum(wal, before);
	size_t size = KRI_WAL_FRAME_HEADER + wal->page_size;

	if (same(own, expected))
		return (is_one_bit(salts[0]) && !salts[1]) || (is_one_bit(salts[1]) && !salts[0]);
	if (salts[0] || salts[1] || wal->page_size > MEND_PAGE)
		return false;
	if ((is_one_bit(own.s0 ^ expected.s0) && own.s1 == expected.s1) ||
	    (is_one_bit(own.s1 ^ expected.s1) && own.s0 == expected.s0))
		return true;
	for (size_t bit = 0; bit < 8 * size; bit++) {
		if (bit == 64) /* salts and checksum */
			bit = 8 * KRI_WAL_FRAME_HEADER;
		wal->frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (same(own, frame_sum(wal, before)))
			return true;
		wal->frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	return false;
}

/*
 * Looks at every frame. whole: the header is good, so the first frame goes on from it; otherwise nothing counts as
 * good.
 */
static int walk(struct wal *wal, bool whole, struct kri_wal_scan *ret)
{
	struct sum stored = wal->stored, computed = wal->computed;
	bool before = true;  /* the frame before this one is of the present round */
	bool commit = false; /* ... is out of SQLite's reach, and surely ends a transaction */
	bool mended = false; /* all up to here is whole but for one bit */
	bool certain = false;

	ret->frames = frame_count(wal, wal->page_size);
	for (int64_t i = 0; i < ret->frames; i++) {
		struct sum own, expected;
		bool linked, present;
		int r = read_frame(wal, i);

		if (r < 0)
			return r;
		own = stored_sum(wal->frame + 16);
		expected = frame_sum(wal, stored);
		linked = before && same(own, expected);
		if (before && !linked && !same(stored, computed)) { /* the checksum before this may itself be bad */
			expected = frame_sum(wal, computed);
			linked = same(own, expected);
		}
		present = linked || has_salts(wal);
		if (whole && linked && has_salts(wal) && big(wal->frame)) {
			ret->frames_good = i + 1;
			if (big(wal->frame + 4))
				ret->last_commit_frame = i + 1;
		} else {
			if (whole)
				ret->void_end = !present && !is_older(wal);
			if (whole)
				mended = mend(wal, stored);
			else
				mended &= linked && has_salts(wal);
			whole = false;
			ret->frames_beyond += present;
			certain |= present && ((commit && linked) || (mended && big(wal->frame + 4)));
			/*
			 * A sector's end between the size and the salts: a torn write may pair an old commit with new
			 * salts.
			 */
			commit = present && big(wal->frame + 4) &&
			         (linked || (frame_offset(wal->page_size, i) + 8) % SECTOR);
		}
		before = present;
		stored = own;
		computed = expected;
	}
	ret->broken = ret->frames_beyond > 0;
	ret->in_last_transaction = ret->broken && !certain;
	return 0;
}

/* Whether with this page size some frame goes on from the one before it, which chance does not do. */
static int try_size(struct wal *wal)
{
	int64_t count = frame_count(wal, wal->page_size);
	struct sum before = wal->stored;

	for (int64_t i = 0; i < count && i < GUESS_FRAMES; i++) {
		struct sum own;
		int r = read_frame(wal, i);

		if (r < 0)
			return r;
		own = stored_sum(wal->frame + 16);
		if (big(wal->frame) &&
		    (same(own, frame_sum(wal, before)) || (i == 0 && same(own, frame_sum(wal, wal->computed))))) {
			wal->salts[0] = big(wal->frame + 8);
			wal->salts[1] = big(wal->frame + 12);
			return 1;
		}
		before = own;
	}
	return 0;
}

/* The header is none. 1: the frames tell what it was. */
static int guess(struct wal *wal, const uint8_t header[KRI_WAL_HEADER])
{
	int r = 0;

	for (uint32_t size = 512; r == 0 && size <= 65536; size *= 2) {
		wal->page_size = size;
		for (int order = 0; r == 0 && order < 2; order++) {
			wal->big_endian = order;
			wal->computed = add((struct sum){ 0, 0 }, wal->big_endian, header, 24);
			r = try_size(wal);
		}
	}
	if (r == 0)
		wal->page_size = 0;
	return r;
}

/* Whether anything but zero bytes is behind the header. */
static int has_content(struct wal *wal)
{
	for (int64_t at = KRI_WAL_HEADER; at < wal->file->bytes; at += 65536) {
		int64_t rest = wal->file->bytes - at;
		size_t size = rest < 65536 ? (size_t)rest : 65536;
		int r = kri_peek_read(wal->file, wal->frame, size, at);

		if (r < 0)
			return r;
		for (size_t i = 0; i < size; i++) {
			if (wal->frame[i])
				return 1;
		}
	}
	return 0;
}

static void say(struct kri_wal_scan *scan, bool header)
{
	if (!header && !scan->broken)
		snprintf(scan->text, sizeof(scan->text), "the WAL has no header and holds nothing");
	else if (!header && !scan->page_size)
		snprintf(scan->text, sizeof(scan->text), "the WAL's header is damaged, and no frame in it is whole");
	else if (!header)
		snprintf(scan->text, sizeof(scan->text),
		         "the WAL's header is damaged: SQLite takes it for empty; %" PRId64 " frames belong to it",
		         scan->frames_beyond);
	else if (scan->broken)
		snprintf(scan->text, sizeof(scan->text),
		         "frame %" PRId64 " of the WAL is bad: SQLite reads up to frame %" PRId64 "; %" PRId64
		         " are cut off by it, %s",
		         scan->frames_good + 1, scan->last_commit_frame, scan->frames_beyond,
		         scan->in_last_transaction ? "of the last transaction or an unfinished one"
		                                   : "with at least one whole commit");
	else if (scan->frames_good > scan->last_commit_frame)
		snprintf(scan->text, sizeof(scan->text),
		         "the WAL is good up to frame %" PRId64 " and ends in an unfinished transaction of %" PRId64,
		         scan->last_commit_frame, scan->frames_good - scan->last_commit_frame);
	else
		snprintf(scan->text, sizeof(scan->text), "the WAL is good up to frame %" PRId64,
		         scan->last_commit_frame);
}

static int scan_file(struct wal *wal, struct kri_wal_scan *ret)
{
	uint8_t header[KRI_WAL_HEADER];
	bool good;
	int r;

	/* One that has no room for a frame is what a cut leaves at the beginning. */
	if (frame_count(wal, 512) == 0) {
		snprintf(ret->text, sizeof(ret->text), "the WAL is too short to hold anything");
		return 0;
	}
	r = kri_peek_read(wal->file, header, sizeof(header), 0);
	if (r < 0)
		return r;
	good = take_header(wal, header);
	r = good ? 1 : guess(wal, header);
	if (r > 0) {
		r = walk(wal, good, ret);
		ret->page_size = wal->page_size;
	} else if (r == 0) {
		r = has_content(wal);
		ret->broken = r > 0;
		ret->void_end = r == 0;
	}
	if (!good)
		ret->in_last_transaction = false;
	say(ret, good);
	return r;
}

int kri_wal_scan_peek(struct kri_peek *file, struct kri_wal_scan *ret_scan)
{
	struct kri_wal_scan scan = { .bytes = file->bytes };
	struct wal wal = { .file = file, .frame = malloc(65536 + KRI_WAL_FRAME_HEADER) };
	int r;

	if (!wal.frame)
		return kryos_fail(-ENOMEM, "no memory to look at a WAL");
	r = scan_file(&wal, &scan);
	free(wal.frame);
	if (r < 0)
		return r;
	*ret_scan = scan;
	return 0;
}

int kri_wal_scan(const char *db_path, struct kri_wal_scan *ret_scan)
{
	struct kri_peek file;
	int r = kri_peek_open(&file, db_path, KRI_PEEK_WAL);

	if (r == -ENOENT) {
		*ret_scan = (struct kri_wal_scan){ .text = "there is no WAL" };
		return 0;
	}
	if (r >= 0)
		r = kri_wal_scan_peek(&file, ret_scan);
	kri_peek_close(&file);
	return r;
}
