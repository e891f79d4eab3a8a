/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An I2C switch of eight channels, TCA9548A (TI SCPS207F): one control register (8.5.4), of which the last byte
 * received is kept, a bit for each channel, all closed after power-on.
 */
#include "model.h"
#include <errno.h>

struct mux_model {
	struct kryos_model model;
	uint8_t control;
};

static struct mux_model *self(struct kryos_model *model)
{
	return (struct mux_model *)model;
}

static void power_on(struct kryos_model *model)
{
	self(model)->control = 0;
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	(void)model;
	(void)quantity;
	(void)value_micro;
	return -ENOENT;
}

static int peek(struct kryos_model *model, unsigned int reg)
{
	return reg ? -ERANGE : self(model)->control;
}

static int poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	if (reg)
		return -ERANGE;
	self(model)->control = value;
	return 0;
}

static int take_bytes(struct kryos_model *model, const uint8_t *bytes, size_t count)
{
	self(model)->control = bytes[count - 1];
	return 0;
}

static int give_bytes(struct kryos_model *model, uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = self(model)->control;
	return 0;
}

static bool opens(struct kryos_model *model, unsigned int channel)
{
	return self(model)->control >> channel & 1;
}

static const struct kri_model_ops mux_ops = {
	.wire = KRI_WIRE_I2C,
	.power_on = power_on,
	.set = set,
	.peek = peek,
	.poke = poke,
	.write = take_bytes,
	.read = give_bytes,
	.opens = opens,
};

int kryos_fake_bus_add_mux(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	return kri_model_add(bus, place, &mux_ops, sizeof(struct mux_model), ret_model);
}
