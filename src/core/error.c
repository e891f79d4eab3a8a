/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef kryos_fail /* core.h's, for the analyser */

/* The one thing that is not under a context: a thread's last failure, as errno is. */
static _Thread_local struct {
	int code;
	char text[4096];
} last;

int kryos_fail(int result, const char *format, ...)
{
	char text[sizeof(last.text)]; /* the arguments may point into last.text */
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	last.code = result;
	strcpy(last.text, text);
	return result;
}

static const char *own_text(int result)
{
	switch (result) {
	case KRYOS_EVOLATILE:
		return "kept in memory only: the disk is gone";
	case KRYOS_EFORK:
		return "the handle was made before a fork";
	case KRYOS_ECHIP:
		return "another chip answers at that address";
	case KRYOS_ECRC:
		return "checksum mismatch";
	case KRYOS_ESTUCK:
		return "bus line held low";
	case KRYOS_ECONFIG:
		return "configuration is wrong";
	case KRYOS_ECORRUPT:
		return "stored data is damaged";
	case KRYOS_EFORMAT:
		return "written by a newer version";
	case KRYOS_EFULL:
		return "store is full";
	case KRYOS_ECLOCK:
		return "the clock is not set";
	case KRYOS_EDEVICE:
		return "malformed device string";
	case KRYOS_EREJECTED:
		return "can never be accepted";
	case KRYOS_EAUTH:
		return "not authenticated";
	case KRYOS_EPROTO:
		return "protocol error";
	default:
		return NULL;
	}
}

const char *kryos_strerror(int result)
{
	static _Thread_local char buffer[128];
	const char *text;

	if (result >= 0)
		return "success";
	if (last.code == result && last.text[0])
		return last.text;
	text = own_text(result);
	if (text)
		return text;
#ifdef __GLIBC__ /* whose own form gives the text; POSIX's, which other C libraries have, fills the buffer */
	return strerror_r(-result, buffer, sizeof(buffer));
#else
	if (strerror_r(-result, buffer, sizeof(buffer)) != 0)
		snprintf(buffer, sizeof(buffer), "error %d", -result);
	return buffer;
#endif
}
