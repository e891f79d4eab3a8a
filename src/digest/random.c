/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"
#include <errno.h>
#include <kryos/sys/bus.h>
#include <string.h>
#include <sys/random.h>

int kri_random(void *ret_bytes, size_t count)
{
	unsigned char *bytes = ret_bytes;

	while (count > 0) {
		ssize_t got = getrandom(bytes, count, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return kryos_fail(-errno, "random numbers: the kernel gives none: %s", strerror(errno));
		bytes += got;
		count -= (size_t)got;
	}
	return 0;
}

void kri_hex(const void *data, size_t count, char *text)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < count; i++) {
		*text++ = "0123456789abcdef"[bytes[i] >> 4];
		*text++ = "0123456789abcdef"[bytes[i] & 15];
	}
	*text = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int kri_unhex(const char *text, void *ret_data, size_t count)
{
	unsigned char *bytes = ret_data;

	if (strlen(text) != 2 * count)
		return kryos_fail(-EINVAL, "hex text: %zu characters, %zu are needed", strlen(text), 2 * count);
	for (size_t i = 0; i < 2 * count; i++)
		if (digit(text[i]) < 0)
			return kryos_fail(-EINVAL, "hex text: character %zu is none of 0-9, a-f", i + 1);
	for (size_t i = 0; i < count; i++)
		bytes[i] = (unsigned char)(digit(text[2 * i]) * 16 + digit(text[2 * i + 1]));
	return 0;
}
