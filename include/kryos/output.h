/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output: a lamp or a buzzer on a GPIO line, off at first.
 *
 * A device string names it: "lamp@gpio:GPIO22", "buzzer@gpio:GPIO23". What it is told it does on its
 * bus's worker: no call but open and close waits. A line that is lost is announced
 * (KRYOS_EVENT_OUTPUT_LOST), looked for until it is back, and then does what it was told last. It is
 * switched off when it is closed. When the process dies the kernel lets the line go, and what that does to the
 * level is up to the chip: fit a resistor that holds it off. One thread at a time, that of kryos_ctx_process.
 */
#ifndef KRYOS_OUTPUT_H
#define KRYOS_OUTPUT_H

#include <kryos/base.h>
#include <kryos/line.h>

KRYOS_BEGIN

struct kryos_ctx;
struct kryos_output;

/*
 * Opens it; waits at most 5 s. name is 1 to 31 of [a-z0-9_-], copied. config may be NULL; of it only active_low
 * matters. KRYOS_EDEVICE: malformed string, unknown driver or bus; -ENODEV: no such line (the text lists those
 * there are); -EBUSY: somebody else has it (the text says who); -EACCES; -EIO, -ETIMEDOUT.
 */
KRYOS_API int kryos_output_open(struct kryos_output **ret_output, struct kryos_ctx *ctx, const char *name,
                                const char *device, const struct kryos_line_config *config);
/* Switches it off and closes it; waits for that at most 1 s. NULL is allowed. */
KRYOS_EXPORT void kryos_output_close(struct kryos_output *output);

/* 1: on, 0: off, until it is told otherwise. Does not wait. */
KRYOS_API int kryos_output_set(struct kryos_output *output, int on);

/* count pulses of on_ns, each followed by off_ns; then pause_ns; and all of it again. */
struct kryos_pattern {
	uint32_t size;
	uint32_t count;   /* 0: 1. At most 1000 */
	int64_t on_ns;    /* 20 ms to 1 day */
	int64_t off_ns;   /* the same */
	int64_t pause_ns; /* 0 to 1 day */
};
#define KRYOS_PATTERN(...) KRYOS_CONFIG_OF(kryos_pattern, __VA_ARGS__)

/* Two beeps every 3 min: KRYOS_PATTERN(.count = 2, .on_ns = ..., .off_ns = ..., .pause_ns = ...). -EINVAL. */
KRYOS_API int kryos_output_play(struct kryos_output *output, const struct kryos_pattern *pattern);

struct kryos_output_status {
	uint32_t size;
	int on;    /* as the line was driven last; 0 where it is lost */
	int error; /* why it is lost; 0: it is not */
	uint32_t reserved;
	char text[256]; /* the same as a sentence */
};
/* Fill size. Does not block. */
KRYOS_API int kryos_output_get_status(struct kryos_output *output, struct kryos_output_status *ret_status);

KRYOS_END
#endif
