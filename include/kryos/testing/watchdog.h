/* SPDX-License-Identifier: Apache-2.0 */
/* Fake watchdog hardware: counts pets, knows whether it would have reset. Safe from any thread. */
#ifndef KRYOS_TESTING_WATCHDOG_H
#define KRYOS_TESTING_WATCHDOG_H

#include <kryos/sys/watchdog.h>

KRYOS_BEGIN

struct kryos_fake_watchdog;

/* Takes device names that begin with "/dev/fake-watchdog". max_ns: the longest timeout it can do; 0: any. */
KRYOS_API int kryos_fake_watchdog_new(struct kryos_fake_watchdog **ret_watchdog, int64_t max_ns, uint32_t boot_status);
KRYOS_EXPORT void kryos_fake_watchdog_free(struct kryos_fake_watchdog *watchdog);
KRYOS_API int kryos_fake_watchdog_attach(struct kryos_fake_watchdog *watchdog, struct kryos_ctx *ctx);
KRYOS_API unsigned int kryos_fake_watchdog_pets(struct kryos_fake_watchdog *watchdog);
/* 1: running, so that it resets the board if nobody pets; 0: disarmed. */
KRYOS_API int kryos_fake_watchdog_armed(struct kryos_fake_watchdog *watchdog);
KRYOS_EXPORT void kryos_fake_watchdog_set_busy(struct kryos_fake_watchdog *watchdog, int busy); /* open gives -EBUSY */

KRYOS_END
#endif
