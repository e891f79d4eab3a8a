/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codec: turns one record into one message body. Pure: no state, no I/O, any thread.
 */
#ifndef KRYOS_SYS_CODEC_H
#define KRYOS_SYS_CODEC_H

#include <kryos/base.h>
#include <kryos/queue.h>

KRYOS_BEGIN

struct kryos_ctx;

struct kryos_codec {
	uint32_t size;
	const char *name;         /* "senml" */
	const char *content_type; /* "application/senml+json" */
	int needs_wall_time;      /* 1: records below trust rtc wait */
	/*
	 * Writes the body into buffer; returns its length, or the length needed if capacity is less
	 * (nothing useful is in buffer then). KRYOS_EREJECTED: cannot be expressed; the text says why.
	 */
	int (*encode)(const struct kryos_record *record, char *buffer, size_t capacity);
};

KRYOS_API int kryos_register_codec(struct kryos_ctx *ctx, const struct kryos_codec *codec);

KRYOS_END
#endif
