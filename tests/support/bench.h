/* SPDX-License-Identifier: Apache-2.0 */
/* A station for tests: fake clock, one DS18B20 on a fake bus, one relay to a scripted receiver, store in a scratch
 * folder. */
#ifndef KRI_TEST_BENCH_H
#define KRI_TEST_BENCH_H

#include "support.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>
#include <kryos/testing/transport.h>

#define BENCH_START_NS (INT64_C(1795165920) * 1000000000) /* 2026-11-20T09:12:00Z */

struct bench {
	char *folder;
	char file[300], store[300], socket[100];
	struct kryos_fake_clock *clock;
	struct kryos_fake_bus *bus;
	struct kryos_model *fridge;
	struct kryos_fake_transport *transport;
	struct kryos_ctx *ctx;
	struct kryos_station *station;
};

/* cmocka's setup and teardown; *state is a struct bench with an open station. */
int bench_setup(void **state);
int bench_teardown(void **state);
/* One round, a minute later, accepted by the store. */
void bench_measure(struct bench *bench, int64_t value_micro);

#endif
