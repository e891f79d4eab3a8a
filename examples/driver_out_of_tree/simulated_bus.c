/* SPDX-License-Identifier: Apache-2.0 */
/* A bus driver: one I2C bus with one MCP9808 on it, in memory. */
#include "mcp9808.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct simulated_bus {
	unsigned int registers[16];
	unsigned int pointer;
};

/* Power-on values (data sheet, section 5.2) and 5.25 C, with the flags that say it is above limits of 0 C. */
static int simulated_open(void *priv, const char *name, void *userdata)
{
	struct simulated_bus *bus = priv;

	(void)name;
	(void)userdata;
	bus->registers[5] = 0xc054;
	bus->registers[6] = 0x0054;
	bus->registers[7] = 0x0400;
	bus->registers[8] = 0x03;
	return 0;
}

static void simulated_close(void *priv)
{
	(void)priv;
}

static int simulated_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	char *end;
	unsigned long number = strtoul(place, &end, 0);

	(void)priv;
	if (*end || end == place || number < 0x03 || number > 0x77)
		return kryos_fail(KRYOS_EDEVICE, "\"%s\" is no I2C address; 0x03 to 0x77 are", place);
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->number = (uint32_t)number;
	strncpy(ret_address->text, place, sizeof(ret_address->text) - 1);
	return 0;
}

/* All registers have two bytes, but the resolution's, which has one. */
static size_t width_of(unsigned int reg)
{
	return reg == 8 ? 1 : 2;
}

static int simulated_transfer(void *priv, const struct kryos_address *address, const uint8_t *out, size_t out_count,
                              uint8_t *in, size_t in_count)
{
	struct simulated_bus *bus = priv;
	unsigned int value = 0;
	size_t i, width;

	if (address->number != 0x18)
		return kryos_fail(-ENXIO, "%s does not acknowledge", address->text);
	if (out_count)
		bus->pointer = out[0] & 15;
	width = width_of(bus->pointer);
	if (out_count == 1 + width) {
		for (i = 1; i <= width; i++)
			value = value << 8 | out[i];
		bus->registers[bus->pointer] = value;
	}
	for (i = 0; i < in_count; i++)
		in[i] = i < width ? (uint8_t)(bus->registers[bus->pointer] >> 8 * (width - 1 - i)) : 0xff;
	return 0;
}

const struct kryos_bus_driver simulated_bus_driver = {
	.size = sizeof(simulated_bus_driver),
	.prefix = "i2c-9",
	.private_size = sizeof(struct simulated_bus),
	.open = simulated_open,
	.close = simulated_close,
	.parse = simulated_parse,
	.transfer = simulated_transfer,
};
