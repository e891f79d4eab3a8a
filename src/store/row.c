/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical form of a stored row is the line that the sqlite3 shell prints for it: decimal
 * fields joined by "|". Checksum and chain are over these lines, so that a stranger needs nothing
 * but the sqlite3 and openssl commands to check them (docs/store-format.md).
 */
#include "private.h"
#include <inttypes.h>
#include <string.h>

/* Two digits at a time: reading a store is mostly this. */
static char *put(char *at, int64_t number)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
				    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	char digits[20], *first = digits + sizeof(digits);

	*at++ = '|';
	if (number < 0)
		*at++ = '-';
	for (; magnitude >= 100; magnitude /= 100)
		memcpy(first -= 2, pairs + 2 * (magnitude % 100), 2);
	if (magnitude >= 10)
		memcpy(first -= 2, pairs + 2 * magnitude, 2);
	else
		*--first = (char)('0' + magnitude);
	memcpy(at, first, (size_t)(digits + sizeof(digits) - first));
	return at + (digits + sizeof(digits) - first);
}

size_t kri_row_text(const struct kri_row *row, char *text)
{
	char *at = text;

	memcpy(at, "sample", 6);
	at = put(at + 6, row->seq);
	at = put(at, row->channel);
	at = put(at, row->boot);
	at = put(at, row->round);
	at = put(at, row->t_boot_ns);
	at = put(at, row->t_wall_ns);
	at = put(at, row->trust);
	at = put(at, row->quality);
	at = put(at, row->value_micro);
	at = put(at, row->alarm);
	*at = '\0';
	return (size_t)(at - text);
}

uint32_t kri_text_crc(uint32_t epoch_crc, const char *text, size_t length)
{
	return kri_crc32c(epoch_crc, text, length);
}

size_t kri_text_end(char *text, size_t length, uint32_t epoch_crc, uint32_t *ret_crc)
{
	char *at;

	*ret_crc = kri_text_crc(epoch_crc, text, length);
	at = put(text + length, *ret_crc);
	*at++ = '\n';
	*at = '\0';
	return (size_t)(at - text);
}

void kri_epoch_text(uint64_t epoch, char text[17])
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(epoch >> (56 - 8 * i));
	kri_hex(bytes, sizeof(bytes), text);
}

uint32_t kri_epoch_crc(uint64_t epoch)
{
	char text[18];

	kri_epoch_text(epoch, text);
	text[16] = '|';
	return kri_crc32c(0, text, 17);
}
