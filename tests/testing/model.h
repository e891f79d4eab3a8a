/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chip models, inside. A model embeds struct kryos_model as its first member. Its ops are called
 * with the fake bus locked, one at a time, and must not call back into the bus.
 */
#ifndef KRI_TESTING_MODEL_H
#define KRI_TESTING_MODEL_H

#include <kryos/testing/bus.h>
#include <stdbool.h>

struct kri_model_ops {
	bool one_wire;
	void (*power_on)(struct kryos_model *model);
	/* A brown-out under way; NULL: the same as power_on. */
	void (*reset)(struct kryos_model *model);
	int (*set)(struct kryos_model *model, const char *quantity, int64_t value_micro);
	int (*peek)(struct kryos_model *model, unsigned int reg);
	int (*poke)(struct kryos_model *model, unsigned int reg, uint8_t value);
	/* i2c: what follows the address byte after a start; -ENXIO: not acknowledged. */
	int (*write)(struct kryos_model *model, const uint8_t *bytes, size_t count);
	int (*read)(struct kryos_model *model, uint8_t *bytes, size_t count);
	/* A transfer to it failed on its way: time has passed. NULL: nothing comes of that. */
	void (*missed)(struct kryos_model *model);
	/* w1: converts, then gives the scratchpad. */
	void (*convert)(struct kryos_model *model, uint8_t scratchpad[9]);
	/* NULL: it has no clock, or nothing that can be busy. */
	void (*set_clock)(struct kryos_model *model, int64_t (*now_ns)(void *userdata), void *userdata);
	void (*set_busy)(struct kryos_model *model, int polls);
};

struct kryos_model {
	const struct kri_model_ops *ops;
	struct kryos_fake_bus *bus;
	struct kryos_model *next;
	struct kryos_address address;
	bool present;
};

/* Allocates size zeroed bytes, powers the chip on, and puts it on the bus. KRYOS_EDEVICE, -EEXIST, -EINVAL, -ENOMEM. */
int kri_model_add(struct kryos_fake_bus *bus, const char *place, const struct kri_model_ops *ops, size_t size,
                  struct kryos_model **ret_model);

#endif
