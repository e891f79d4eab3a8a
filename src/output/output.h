/* SPDX-License-Identifier: Apache-2.0 */
/* Output, inside. */
#ifndef KRI_OUTPUT_H
#define KRI_OUTPUT_H

#include <kryos/output.h>
#include <kryos/power.h>
#include <stdbool.h>

struct kri_device;

/* As kryos_output_open, but a line that can't be had is announced and looked for. Does not wait. Its maker closes it.
 */
int kri_output_new_lazy(struct kryos_output **ret_output, struct kryos_ctx *ctx, const char *name, const char *device,
                        const struct kryos_line_config *config);
/* Whether a device is an output, and on a bus of lines. KRYOS_EDEVICE. Does not look for the bus. */
int kri_output_check(struct kri_device *device);

/*
 * As kryos_output_open, or lazily as above, of a switch ("switch@gpio:GPIO5") that is told to be on. driven is called
 * on the context thread, or within this call, as the line is driven: 0, 1, or -1: it is lost. Its maker closes it.
 */
int kri_output_new_switch(struct kryos_output **ret_output, struct kryos_ctx *ctx, const char *name, const char *device,
                          const struct kryos_line_config *config, bool lazily, void (*driven)(void *data, int driven),
                          void *data);
/* Whether a device is such a switch. KRYOS_EDEVICE. Does not look for the bus. */
int kri_output_check_switch(struct kri_device *device);

/* signals.c: what is shown of a station's alarms. The greater one goes before: what nobody has seen yet before what
 * somebody knows. */
enum kri_signal {
	KRI_SIGNAL_NONE,
	KRI_SIGNAL_ACKNOWLEDGED, /* an alarm is open, and acknowledged */
	KRI_SIGNAL_ENDED,        /* one is over, and nobody has acknowledged it */
	KRI_SIGNAL_BLIND,        /* a channel that is to be judged gives nothing to judge */
	KRI_SIGNAL_ALARM,        /* one is open, and nobody has acknowledged it */
	KRI_SIGNAL_TEST
};
struct kri_show {
	bool on;                      /* without a pattern */
	struct kryos_pattern pattern; /* on_ns 0: none */
};
const struct kri_show *kri_signal_show(enum kri_signal signal, bool sounds);
/* A lamp, or one that sounds: a buzzer. As kryos_output_play. */
int kri_output_show(struct kryos_output *output, enum kri_signal signal, bool sounds);

/* power.c: as kryos_power_open, but a line that can't be had is looked for. Does not wait. Its maker closes it. */
int kri_power_new_lazy(struct kryos_power **ret_power, struct kryos_ctx *ctx, const char *name, const char *device,
                       const struct kryos_power_config *config);

#endif
