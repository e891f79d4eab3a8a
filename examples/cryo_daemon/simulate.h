/* SPDX-License-Identifier: Apache-2.0 */
/* Simulation, inside: the chips in the place of a station's sensors. */
#ifndef SIMULATE_H
#define SIMULATE_H

#include "daemon.h"
#include "trace.h"
#include <kryos/testing/bus.h>
#include <kryos/testing/clock.h>

struct chips;

int chips_new(struct chips **ret_chips, struct kryos_fake_clock *clock);
/* After the context that uses them. */
void chips_free(struct chips *chips);
/* Adds the chip a device string names ("bme280@i2c-1:0x76") to its bus; nothing if it is there. */
int chips_add(struct chips *chips, struct kryos_ctx *ctx, const char *name, const char *device);
/* What they measure from now on. */
int chips_set(struct chips *chips, const struct kri_trace_row *row);

#endif
