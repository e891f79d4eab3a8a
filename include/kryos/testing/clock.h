/* SPDX-License-Identifier: Apache-2.0 */
/* Fake clock: time moves only when told to. Safe from any thread. */
#ifndef KRYOS_TESTING_CLOCK_H
#define KRYOS_TESTING_CLOCK_H

#include <kryos/sys/clock.h>

KRYOS_BEGIN

struct kryos_fake_clock;

/* Starts at the given wall time, 10 s after boot, not synchronised. */
KRYOS_API int kryos_fake_clock_new(struct kryos_fake_clock **ret_clock, int64_t t_wall_ns);
KRYOS_EXPORT void kryos_fake_clock_free(struct kryos_fake_clock *clock);
/* For struct kryos_ctx_config: clock = source, clock_userdata = the clock. */
KRYOS_EXPORT const struct kryos_clock_source *kryos_fake_clock_source(void);

KRYOS_EXPORT void kryos_fake_clock_advance(struct kryos_fake_clock *clock, int64_t by_ns);      /* both clocks */
KRYOS_EXPORT void kryos_fake_clock_set_wall(struct kryos_fake_clock *clock, int64_t t_wall_ns); /* a step */
KRYOS_EXPORT void kryos_fake_clock_set_synced(struct kryos_fake_clock *clock, int synced);
KRYOS_EXPORT void kryos_fake_clock_refuse_step(struct kryos_fake_clock *clock, int refuse); /* -EPERM from now on */
/* As after a restart of the board: boot time begins anew at 10 s, another boot id; wall time stays. */
KRYOS_EXPORT void kryos_fake_clock_reboot(struct kryos_fake_clock *clock);
KRYOS_API int64_t kryos_fake_clock_boot_ns(struct kryos_fake_clock *clock);
KRYOS_API int64_t kryos_fake_clock_wall_ns(struct kryos_fake_clock *clock);

KRYOS_END
#endif
