/* SPDX-License-Identifier: Apache-2.0 */
/* Output, inside. */
#ifndef KRI_OUTPUT_H
#define KRI_OUTPUT_H

#include <kryos/output.h>

struct kri_device;

/* As kryos_output_open, but a line that can't be had is announced and looked for. Does not wait. Its maker closes it.
 */
int kri_output_new_lazy(struct kryos_output **ret_output, struct kryos_ctx *ctx, const char *name, const char *device,
                        const struct kryos_line_config *config);
/* Whether a device is an output, and on a bus of lines. KRYOS_EDEVICE. Does not look for the bus. */
int kri_output_check(struct kri_device *device);

#endif
