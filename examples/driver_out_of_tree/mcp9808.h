/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MCP9808_H
#define MCP9808_H

#include <kryos/sys/sensor.h>

extern const struct kryos_sensor_driver mcp9808_driver;

/* A bus called "i2c-9" with an MCP9808 at 0x18 that measures 5.25 C. */
extern const struct kryos_bus_driver simulated_bus_driver;

#endif
