/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROBE_H
#define PROBE_H

#include <kryos/sys/sensor.h>

/* "vial@i2c-1:0x48": a TMP117 in a vial of glycol, which is as slow as a vial of vaccine. */
extern const struct kryos_sensor_driver vial_driver;

#endif
