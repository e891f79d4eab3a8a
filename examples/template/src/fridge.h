/* SPDX-License-Identifier: Apache-2.0 */
/* The device: one probe, measured, judged and kept. Everything in it is closed with the context. */
#ifndef FRIDGE_H
#define FRIDGE_H

#include <kryos/kryos.h>
#include <stdio.h>

#define FRIDGE_CHANNEL "fridge.temperature"

struct fridge {
	struct kryos_store *store;
	struct kryos_monitor *monitor;
	struct kryos_sampler *sampler;
};

/* every_ns: between measurements; 0: nothing is measured but when fridge->sampler is told to. */
int fridge_open(struct fridge *fridge, struct kryos_ctx *ctx, const char *folder, const char *device, int64_t every_ns);
/* One line for a person: what was measured, what went wrong, what was alarmed. Nothing for other events. */
void fridge_tell(struct kryos_ctx *ctx, const struct kryos_event *event, FILE *to);

#endif
