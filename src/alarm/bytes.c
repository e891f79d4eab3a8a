/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"
#include "digest/digest.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_SIZE 16
#define CHECKSUM_SIZE 4

static bool make_room(struct kri_pass *pass, size_t count)
{
	unsigned char *bytes;

	if (pass->failed)
		return false;
	if (count <= pass->room - pass->at)
		return true;
	pass->failed = true;
	if (pass->reading)
		return false;
	bytes = realloc(pass->bytes, 2 * pass->room + count);
	if (!bytes)
		return false;
	pass->bytes = bytes;
	pass->room = 2 * pass->room + count;
	pass->failed = false;
	return true;
}

void kri_pass_number(struct kri_pass *pass, int64_t *number)
{
	uint64_t value = (uint64_t)*number;

	if (!make_room(pass, 8))
		return;
	if (pass->reading) {
		value = 0;
		for (int i = 0; i < 8; i++)
			value |= (uint64_t)pass->bytes[pass->at++] << 8 * i;
		*number = (int64_t)value;
		return;
	}
	for (int i = 0; i < 8; i++)
		pass->bytes[pass->at++] = (unsigned char)(value >> 8 * i);
}

int64_t kri_pass_within(struct kri_pass *pass, int64_t number, int64_t minimum, int64_t maximum)
{
	kri_pass_number(pass, &number);
	if (number < minimum || number > maximum) {
		pass->failed = true;
		return minimum;
	}
	return number;
}

void kri_pass_double(struct kri_pass *pass, double *number, double minimum)
{
	int64_t bits;

	memcpy(&bits, number, sizeof(bits));
	kri_pass_number(pass, &bits);
	memcpy(number, &bits, sizeof(bits));
	if (!isfinite(*number) || *number < minimum) {
		pass->failed = true;
		*number = 0;
	}
}

void kri_pass_text(struct kri_pass *pass, char *text, size_t size)
{
	size_t length = (size_t)kri_pass_within(pass, (int64_t)strlen(text), 1, (int64_t)size - 1);

	if (!make_room(pass, length))
		return;
	if (pass->reading)
		memcpy(text, pass->bytes + pass->at, length);
	else
		memcpy(pass->bytes + pass->at, text, length);
	pass->at += length;
}

void kri_pass_instant(struct kri_pass *pass, struct kryos_instant *instant)
{
	instant->t_boot_ns = kri_pass_within(pass, instant->t_boot_ns, 0, INT64_MAX);
	kri_pass_number(pass, &instant->t_wall_ns);
	instant->boot = (uint32_t)kri_pass_within(pass, instant->boot, 0, UINT32_MAX);
	instant->trust = (uint32_t)kri_pass_within(pass, instant->trust, 0, UINT16_MAX);
}

void kri_pass_time(struct kri_pass *pass, struct kri_time *time)
{
	time->has = kri_pass_within(pass, time->has, 0, 1);
	time->ns = kri_pass_within(pass, time->ns, 0, INT64_MAX);
	kri_pass_instant(pass, &time->at);
}

void kri_pass_write(struct kri_pass *pass)
{
	kri_pass_number(pass, &pass->magic);
	kri_pass_number(pass, &pass->version);
}

int kri_pass_read(struct kri_pass *pass, const void *bytes, size_t count)
{
	int64_t magic = 0, version = 0;
	uint32_t crc = 0;

	if (count >= HEAD_SIZE + CHECKSUM_SIZE) {
		const unsigned char *checksum = (const unsigned char *)bytes + count - CHECKSUM_SIZE;

		for (int i = 0; i < CHECKSUM_SIZE; i++)
			crc |= (uint32_t)checksum[i] << 8 * i;
	}
	if (count < HEAD_SIZE + CHECKSUM_SIZE || crc != kri_crc32c(0, bytes, count - CHECKSUM_SIZE))
		return kryos_fail(KRYOS_ECORRUPT, "%s: the checksum of the saved state is wrong", pass->what);
	pass->reading = true;
	pass->bytes = (unsigned char *)bytes; /* only looked at */
	pass->room = count - CHECKSUM_SIZE;
	kri_pass_number(pass, &magic);
	kri_pass_number(pass, &version);
	if (magic != pass->magic)
		return kryos_fail(KRYOS_ECORRUPT, "%s: these bytes are no saved state of one", pass->what);
	if (version != pass->version)
		return kryos_fail(KRYOS_EFORMAT, "%s: the state is of version %" PRId64 "; %" PRId64 " is known",
		                  pass->what, version, pass->version);
	return 0;
}

int kri_pass_finish(struct kri_pass *pass, void **ret_bytes, size_t *ret_count)
{
	uint32_t crc;

	if (pass->reading) {
		if (pass->failed || pass->at != pass->room)
			return kryos_fail(KRYOS_ECORRUPT, "%s: the saved state does not fit together", pass->what);
		return 0;
	}
	if (!make_room(pass, CHECKSUM_SIZE)) {
		free(pass->bytes);
		return kryos_fail(-ENOMEM, "%s: out of memory", pass->what);
	}
	crc = kri_crc32c(0, pass->bytes, pass->at);
	for (int i = 0; i < CHECKSUM_SIZE; i++)
		pass->bytes[pass->at++] = (unsigned char)(crc >> 8 * i);
	*ret_bytes = pass->bytes;
	*ret_count = pass->at;
	return 0;
}
