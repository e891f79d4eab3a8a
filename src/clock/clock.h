/* SPDX-License-Identifier: Apache-2.0 */
/* Clock, inside: what the store and the relay need of it. */
#ifndef KRI_CLOCK_H
#define KRI_CLOCK_H

#include "../core/core.h"
#include <kryos/clock.h>

/* The name of a KRYOS_EVENT_CLOCK that tells of a step of the system clock, which the store does not know of. */
#define KRI_CLOCK_SYSTEM "system clock"

/* The newest trusted stamp in a store; the highest given counts. Any thread. */
void kri_clock_set_floor(struct kryos_ctx *ctx, int64_t t_wall_ns);

/*
 * Called on the context thread when trust rises or falls, or when wall time of the present boot
 * became known better (offset_ns = wall - boot, from trust RTC on; else 0).
 */
struct kri_clock_listener {
	struct kri_clock_listener *next;
	void (*changed)(struct kri_clock_listener *listener, uint16_t trust, int64_t offset_ns);
};
void kri_clock_listen(struct kryos_ctx *ctx, struct kri_clock_listener *listener);
void kri_clock_unlisten(struct kryos_ctx *ctx, struct kri_clock_listener *listener);

/*
 * The trust that whoever listens has been told of: from KRYOS_TRUST_RTC on, earlier stamps of this boot are corrected.
 * Where it has become better since, the context thread is woken to tell them. Any thread.
 */
unsigned int kri_clock_trust(struct kryos_ctx *ctx);

/* Closes the RTC of kryos_clock_use_rtc and forgets what it said; waits at most 2 s for it. Context thread. */
void kri_clock_stop_rtc(struct kryos_ctx *ctx);

/* Looks at kernel, RTC and floor now instead of at the next tick. Context thread. */
void kri_clock_refresh(struct kryos_ctx *ctx);

#endif
