/* SPDX-License-Identifier: Apache-2.0 */
/* What sensors that are one GPIO line share: all but what their two states are called. */
#ifndef KRI_CONTACT_H
#define KRI_CONTACT_H

#include <kryos/sys/sensor.h>

int kri_contact_probe(void *priv, struct kryos_dev *dev);
int kri_contact_fetch(void *priv, struct kryos_dev *dev, uint8_t *raw);
void kri_contact_decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings);
void kri_contact_remove(void *priv, struct kryos_dev *dev);

#endif
